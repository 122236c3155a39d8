//! Whole clients, [`arboretum_engine::group::Session`]: groups that live, and each rule broken.

#[path = "sessions/credentials.rs"]
mod credentials;
#[path = "sessions/enter.rs"]
mod enter;
#[path = "sessions/forge.rs"]
mod forge;
#[path = "sessions/free_trees.rs"]
mod free_trees;
#[path = "sessions/hostile.rs"]
mod hostile;
#[path = "sessions/leaves.rs"]
mod leaves;
#[path = "sessions/life.rs"]
mod life;
#[path = "sessions/lists.rs"]
mod lists;
#[path = "sessions/messages.rs"]
mod messages;
#[path = "sessions/misplaced.rs"]
mod misplaced;
#[path = "sessions/outside.rs"]
mod outside;
#[path = "sessions/paths.rs"]
mod paths;
#[path = "sessions/scoot_over.rs"]
mod scoot_over;
#[path = "sessions/ties.rs"]
mod ties;
#[path = "sessions/world.rs"]
mod world;
