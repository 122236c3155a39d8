//! Asynchronous Ratcheting Trees: what all members derive, what the deleted can and cannot, each rule
//! broken once, and the fidelities side by side.

#[path = "art/fidelities.rs"]
mod fidelities;
#[path = "art/group.rs"]
mod group;
#[path = "art/hostile.rs"]
mod hostile;
#[path = "art/known.rs"]
mod known;
#[path = "art/life.rs"]
mod life;
#[path = "art/rules.rs"]
mod rules;
#[path = "common/seeds.rs"]
mod seeds;
#[path = "art/spies.rs"]
mod spies;
