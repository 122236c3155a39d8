//! One test for each rule: break it, everything else in order and signed again, and expect
//! exactly its error and an unchanged state.

mod common;
#[path = "refusals/follow.rs"]
mod follow;
#[path = "refusals/forge.rs"]
mod forge;
#[path = "refusals/frame.rs"]
mod frame;
#[path = "refusals/join.rs"]
mod join;
#[path = "refusals/path.rs"]
mod path;
#[path = "refusals/proposals.rs"]
mod proposals;
#[path = "refusals/tainted.rs"]
mod tainted;
#[path = "refusals/trees.rs"]
mod trees;
