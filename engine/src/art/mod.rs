//! Asynchronous Ratcheting Trees as in draft-barnes-mls-protocol-00 (February 2018): the protocol
//! that the meeting of March 2018 had before it.
//!
//! A member makes a handshake message with [`Member::update`], [`Member::group_add`] or
//! [`Member::delete`]; who is not a member yet, with [`Member::user_add`]. Everybody else checks it in
//! public, [`PublicGroup::check`], and then in private, [`Member::follow`]. Where the draft is silent
//! or cannot be followed, docs/art.md says what is done here.
//!
//! | file | section of the draft |
//! |---|---|
//! | `merkle`, `ratchet` | Binary Trees (§5) |
//! | `suite`, `key_schedule` | Group State (§6) |
//! | `init_keys` | Initialization Keys (§7) |
//! | `handshake`, `public_group`, `member`, `making`, `setup` | Handshake Messages (§8) |
//! | `messages` | Message Protection (§10), which it leaves open |
//! | `trees` | both trees, whole, as who comes fetches them |
//! | `exposure` | the double joins of §8: who really knows which node |

mod exposure;
mod handshake;
mod init_keys;
mod key_schedule;
mod making;
mod member;
mod merkle;
mod messages;
mod public_group;
mod ratchet;
mod setup;
mod suite;
mod trees;
mod wire;

pub use exposure::{Exposed, Exposure};
pub use handshake::{Body, Delete, GroupAdd, Handshake, Init, Update, UserAdd};
pub use init_keys::{GroupInitKey, UserInitKey, UserInitKeyError};
pub use key_schedule::{Context, EpochSecrets, NO_MESSAGE, ScheduleError};
pub use making::Pending;
pub use member::{Followed, Joining, Member, MemberError};
pub use merkle::{Identities, IdentityTree, hash_of as merkle_hash, hashes_of_all};
pub use messages::{ApplicationMessage, Chain, MAX_KEPT, MAX_SKIP, MessageError, Opening};
pub use public_group::{Change, Checked, HandshakeError, PublicGroup, Transition, group_hash};
pub(crate) use ratchet::climb_from_leaf;
pub use ratchet::{ClimbError, NodeSecret, RatchetNodes, RatchetTree, key_of, peopled_above};
pub use setup::{Setup, largest_setup};
pub(crate) use setup::{check_setup, root_at, secrets_of};
pub use suite::{DhKeyPair, DhPublicKey, SignatureScheme, derivation, derive_key_pair, node_cost};
pub use trees::{Trees, TreesError, encoded_length};

pub(crate) use suite::one;
