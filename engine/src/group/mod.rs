//! The RFC 9420 group state machine: the public state that everybody shares
//! ([`PublicGroup`]), what one member adds to it ([`Member`]), and the commits that take both
//! from epoch to epoch.

mod commit;
mod context;
mod join;
mod member;
mod public_group;
mod transcript;

pub use commit::{CommitCost, CommitError, CommitRequest, PendingCommit};
pub use context::{GroupContext, GroupInfo};
pub use join::{JoinError, OpenedWelcome};
pub use member::{FollowError, Followed, Member};
pub use public_group::{ApplyError, PublicGroup, Transition, TransitionPath};
pub use transcript::{confirmed_transcript_hash, interim_transcript_hash};
