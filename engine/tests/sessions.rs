//! Whole clients, [`arboretum_engine::group::Session`]: groups that live, and each rule broken.

#[path = "sessions/life.rs"]
mod life;
#[path = "sessions/world.rs"]
mod world;
