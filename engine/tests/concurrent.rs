//! Proposed paths (`treekem/concurrent`): which keys stand where, by hand; that everybody heals and nobody
//! learns what it must not, over random groups and with real keys; and what members refuse.

mod common;
#[path = "concurrent/healing.rs"]
mod healing;
#[path = "concurrent/refusals.rs"]
mod refusals;
#[path = "concurrent/rounds.rs"]
mod rounds;
#[path = "concurrent/rule.rs"]
mod rule;
