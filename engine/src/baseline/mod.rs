//! What TreeKEM was to replace: the group protocols of messengers, and of key servers, from
//! before it. Each stands behind the simulator's [`Protocol`](crate::protocol::Protocol).
//!
//! | protocol | file | what a group is |
//! |---|---|---|
//! | `pairwise` | `pairwise` | a Double Ratchet between every two members; each message n − 1 times |
//! | `sender-keys` | `sender_keys` | a chain for each sender, sent to all others over those |
//! | `lkh` | `lkh` | a tree of keys at a server that knows them all |
//!
//! The first two share their ground: `chain` (symmetric chains), `x3dh` (a secret with somebody
//! who is offline), `ratchet` (the Double Ratchet), `channel` (both ends of a pair, and what goes
//! over), `announcement` and `book` (who is a member, as members tell each other), `party` (all
//! clients of one group).

mod announcement;
mod book;
mod chain;
mod channel;
#[cfg(test)]
mod known_answers;
mod lkh;
mod pairwise;
mod party;
mod ratchet;
mod sender_chain;
mod sender_keys;
mod x3dh;

use crate::codec::CodecError;
use crate::crypto::CryptoError;
use crate::tree::LeafIndex;

pub use chain::{MAX_KEPT_KEYS, MAX_SKIP};
pub use lkh::KeyServerGroup;
pub use pairwise::Pairwise;
pub use ratchet::{Header, Session};
pub use sender_chain::KEPT_CHAINS;
pub use sender_keys::SenderKeys;
pub use x3dh::{Bundle, Identity, IdentityKeys, Initial, OneTime};

/// Who does what work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Every client does all its own work from the wire.
    Full,
    /// What is the same for all is done once, and everybody charged; what is a client's own it
    /// does itself, since nobody else could.
    Shared,
}

/// Why a message, an announcement or a key is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaselineError {
    /// The signature of a signed prekey does not verify.
    #[error("the signed prekey is not signed by its owner")]
    BadPrekeySignature,
    /// The identity in a bundle or an initial message is not that of the roster.
    #[error("the identity is not the one in the roster")]
    WrongIdentity,
    /// A one-time prekey that was used in another session, or never published.
    #[error("one-time prekey {0} was used before, or never published")]
    BadOneTimePrekey(u32),
    /// A responder has nothing to answer yet.
    #[error("a responder cannot send before it has received")]
    NotYetAnswerable,
    /// No session that this message could be in.
    #[error("there is no session with its sender that the message is in")]
    NoSession,
    /// A message's key was used or erased.
    #[error("the message's key was used or erased")]
    KeyIsGone,
    /// More messages of one chain were skipped than [`MAX_SKIP`].
    #[error("{0} messages of one chain are missing, more than {MAX_SKIP}")]
    TooManySkipped(u32),
    /// A chain has no more message keys.
    #[error("a chain has no more than 2^32 messages")]
    ChainIsUsedUp,
    /// A message says that it comes from somebody else.
    #[error("the message is not of who it says")]
    WrongSender,
    /// Somebody wrote in an epoch in which it was not a member.
    #[error("its sender was no member in the message's epoch")]
    SenderWasNoMember,
    /// Somebody wrote in an epoch that the receiver has not heard of.
    #[error("the message is of an epoch to come")]
    EpochToCome,
    /// An announcement leads to another epoch than the next.
    #[error("the announcement leads to another epoch than the next")]
    WrongEpoch,
    /// An announcement follows other announcements than those received.
    #[error("the announcement follows others than those received")]
    WrongTranscript,
    /// An announcement is by somebody who may not make it.
    #[error("the announcement is by somebody who is no member and does not announce itself")]
    NotAnIssuer,
    /// An announcement's signature does not verify.
    #[error("the announcement is not signed by its issuer")]
    BadAnnouncementSignature,
    /// Somebody who is no member is to be removed, or its issuer.
    #[error("the announcement removes somebody who is no other member")]
    BadRemove,
    /// Somebody is to be added who is a member, or twice.
    #[error("the announcement adds somebody who is a member")]
    BadAdd,
    /// The roster after an announcement is another than it says.
    #[error("the roster is not the one announced")]
    WrongRoster,
    /// No chain of this sender with this number is held.
    #[error("no such sender key is held")]
    NoSenderKey,
    /// A message's signature does not verify under its sender's key.
    #[error("the message is not signed by its sender")]
    BadMessageSignature,
    /// Somebody's leaf is not in the key server's tree.
    #[error("{0} is not in the key server's tree")]
    NoSuchSeat(LeafIndex),
    /// A rekey message renews a key without telling a member who is to have it.
    #[error("the rekey message lacks a key that a member is to have")]
    RekeyWithoutKey,
    /// A tree of keys whose parents have fewer than two children.
    #[error("a parent of a key tree has at least two children, not {0}")]
    BadDegree(u8),
    /// A primitive refused.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// Something is no encoding, or has none.
    #[error(transparent)]
    Codec(#[from] CodecError),
}
