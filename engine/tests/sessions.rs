//! Whole clients, [`arboretum_engine::group::Session`]: groups that live, and each rule broken.

#[path = "sessions/hostile.rs"]
mod hostile;
#[path = "sessions/life.rs"]
mod life;
#[path = "sessions/messages.rs"]
mod messages;
#[path = "sessions/misplaced.rs"]
mod misplaced;
#[path = "sessions/outside.rs"]
mod outside;
#[path = "sessions/ties.rs"]
mod ties;
#[path = "sessions/world.rs"]
mod world;
