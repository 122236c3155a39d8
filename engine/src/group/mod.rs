//! The RFC 9420 group state machine: the public state that everybody shares
//! ([`PublicGroup`]), what one member adds to it ([`Member`]), and the commits that take both
//! from epoch to epoch; and the whole of a client in one group ([`Session`]).

mod authentication;
mod commit;
mod commit_cost;
mod epoch_messages;
mod external;
mod holdings;
mod join;
mod member;
mod outside;
mod proposing;
mod public_group;
mod quarantine;
mod session;
mod successor;
mod transcript;

pub use crate::treesync::{HOLDERS, THRESHOLD};
pub use authentication::{
    AcceptAll, AuthenticationService, CredentialError, MAX_CHAIN, X509Anchors,
};
pub use commit::{CommitError, CommitRequest, PendingCommit, Protection};
pub use commit_cost::CommitCost;
pub use epoch_messages::{EpochMessages, Prying};
pub use external::Entrant;
pub use holdings::{
    Holdings, MAX_PROPOSALS, OwnUpdate, ProposalStore, StoredProposal, TooManyProposals,
};
pub use join::{JoinError, OpenedWelcome};
pub use member::{FollowError, Followed, Founding, Member};
pub use outside::{Outsider, propose_from_outside};
pub use proposing::ProposedUpdate;
pub use public_group::{
    ApplyError, MembershipProof, PublicGroup, Transition, TransitionPath, Verified,
};
pub use quarantine::{
    HeldShare, NewGhost, ShareExchangeError, ShareRequest, choose_holders, ghost_key,
};
pub use session::{
    CommitPlan, Committed, Ended, Joining, Received, Session, SessionError, Settings,
};
pub use successor::SuccessorError;
pub use transcript::{confirmed_transcript_hash, interim_transcript_hash};
