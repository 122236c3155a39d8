//! What the simulator drives: all the clients of one group, behind one trait.
//!
//! A [`Protocol`] holds the cryptographic state of every client and nothing of time, network
//! or policy. A client commits from its own view; the Delivery Service accepts one commit an
//! epoch; every other client is brought forward when the simulator says that it has received
//! what it missed. Two implementations of TreeKEM stand behind the trait, and give the same
//! trees, bytes and ledgers:
//!
//! * [`FullTreeKem`]: every client does all its own work from the wire bytes;
//! * [`SharedTreeKem`]: each distinct computation is done once, and every client who would
//!   have done it is charged and moved on.
//!
//! [`FullArt`] and [`SharedArt`] are the same for Asynchronous Ratcheting Trees.

mod abilities;
mod art;
mod clients;
mod copied;
mod full;
mod healing;
mod messages;
mod moves;
mod opaque;
#[cfg(test)]
mod plain_seeds;
mod post;
mod private_tree;
mod proposals;
mod quarantine;
mod rebuild;
mod shared;
mod witness;

use crate::art::{Exposed, HandshakeError, MemberError, MessageError};
use crate::baseline::BaselineError;
use crate::codec::CodecError;
use crate::crypto::{CryptoError, Digest, Ledger, Secret, Seed};
use crate::group::{
    ApplyError, CommitCost, CommitError, FollowError, JoinError, SessionError, ShareExchangeError,
    SuccessorError,
};
use crate::tree::{Aggregates, LeafIndex, OutsideTree, Traversed};
use crate::treesync::LeafNodeError;

pub use abilities::{Abilities, Common};
pub use art::{FullArt, SharedArt};
pub use copied::{Copied, CopyId};
pub use full::FullTreeKem;
pub use messages::{MessageId, PAST_EPOCHS, Reading, Received, Sent};
pub use opaque::Opaque;
pub use quarantine::Ghost;
pub use shared::{SharedTreeKem, predict};

/// A client, by its number in the simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientId(pub u32);

impl std::fmt::Display for ClientId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "client {}", self.0)
    }
}

/// Where seeds come from: every one has an address, so that asking for one moves no other.
pub trait Seeds: Send + Sync {
    /// The seed of `domain` for an entity and a counter.
    fn seed(&self, domain: &'static str, entity: u64, counter: u64) -> Seed;
}

/// What a client wants to commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Who commits.
    pub by: ClientId,
    /// Clients to add, in this order.
    pub adds: Vec<ClientId>,
    /// Clients to remove.
    pub removes: Vec<ClientId>,
    /// The second since the Unix epoch.
    pub now: u64,
}

/// A commit on its way to the Delivery Service.
#[derive(Debug)]
pub struct Draft {
    /// What it was made for.
    pub order: Order,
    /// The epoch it was made in; it can only be accepted there.
    pub epoch: u64,
    /// Its sender's leaf.
    pub leaf: LeafIndex,
    /// What it costs in bytes and ciphertexts.
    pub cost: CommitCost,
    /// What making it took.
    pub ledger: Ledger,
    /// What the protocol keeps of it.
    pub inner: Opaque,
}

/// A commit from outside, by which a client enters by itself, and what it goes by.
#[derive(Debug)]
pub struct Entering {
    /// The commit. Its order is that of a member renewing its keys.
    pub draft: Draft,
    /// Bytes fetched: the GroupInfo and the ratchet tree.
    pub fetched: u64,
    /// Who had published the GroupInfo: the committer of the newest epoch.
    pub publisher: ClientId,
    /// What that took of it.
    pub published: Joined,
}

/// The commit by which a member ends the group, and makes the one that replaces it.
#[derive(Debug)]
pub struct Rebuilding {
    /// The commit. Its order is one that removes and adds everybody else.
    pub draft: Draft,
    /// Bytes fetched: a key package of everybody else.
    pub fetched: u64,
}

/// What an accepted commit did.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The new epoch.
    pub epoch: u64,
    /// What checking it in public takes of every receiver.
    pub receiver: Ledger,
    /// Audits done, all of them equal.
    pub audits: u32,
    /// Checks done beside the audits, all of them held.
    pub checks: u32,
    /// The ciphertexts that the copath's resolutions demanded before it was made.
    pub predicted_ciphertexts: u64,
    /// Ciphertexts that new members did not need, since a Welcome tells them.
    pub excluded_ciphertexts: u64,
    /// The length of the ratchet tree that a joiner fetches, in bytes.
    pub tree_bytes: u64,
}

/// What bringing a client forward came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaughtUp {
    /// Commits processed.
    pub commits: u64,
    /// Bytes of those commits.
    pub bytes: u64,
    /// The work.
    pub ledger: Ledger,
    /// Whether the last of them removed the client.
    pub removed: bool,
}

impl std::ops::AddAssign for CaughtUp {
    fn add_assign(&mut self, other: Self) {
        self.commits += other.commits;
        self.bytes += other.bytes;
        self.ledger += other.ledger;
        self.removed |= other.removed;
    }
}

/// What joining came to; or publishing something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    /// Bytes fetched: a Welcome with this client's own entry, and the ratchet tree; or those sent.
    pub bytes: u64,
    /// The work.
    pub ledger: Ledger,
}

/// A check that did not hold (docs/METHODOLOGY.md lists them), or an operation that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum ProtocolError {
    /// Somebody is not a member.
    #[error("{0} is not a member")]
    NotAMember(ClientId),
    /// Somebody is a member already.
    #[error("{0} is a member already")]
    IsAMember(ClientId),
    /// Somebody has no key package out.
    #[error("{0} has published no key package")]
    NoKeyPackage(ClientId),
    /// A commit was made in another epoch than the one it should be accepted in.
    #[error("a commit of epoch {made} was accepted in epoch {at}")]
    Stale {
        /// Where it was made.
        made: u64,
        /// Where the group is.
        at: u64,
    },
    /// A client was sent to an epoch that nobody keeps.
    #[error("epoch {0} is not kept any more")]
    EpochGone(u64),
    /// A commit was handed to another protocol than the one that made it.
    #[error("a commit of another protocol")]
    Foreign,
    /// An audited client arrived at another epoch authenticator.
    #[error("audit: {client} arrives at another epoch authenticator in epoch {epoch}")]
    Audit {
        /// The client.
        client: ClientId,
        /// The epoch.
        epoch: u64,
    },
    /// A check failed.
    #[error("check failed: {0}")]
    Check(String),
    /// A commit could not be made.
    #[error("making a commit: {0}")]
    Commit(#[from] CommitError),
    /// A commit could not be applied.
    #[error("applying a commit: {0}")]
    Apply(#[from] ApplyError),
    /// A commit could not be followed.
    #[error("following a commit: {0}")]
    Follow(#[from] FollowError),
    /// A Welcome could not be used.
    #[error("joining: {0}")]
    Join(#[from] JoinError),
    /// A group could not be replaced.
    #[error("replacing a group: {0}")]
    Successor(#[from] SuccessorError),
    /// Shares could not be passed on.
    #[error("passing shares on: {0}")]
    Shares(#[from] ShareExchangeError),
    /// A handshake message of ART cannot be made, or not be followed.
    #[error("asynchronous ratcheting trees: {0}")]
    Art(#[from] MemberError),
    /// An application message under ART cannot be made, or not be read.
    #[error("asynchronous ratcheting trees: {0}")]
    ArtMessage(#[from] MessageError),
    /// A strategy asks for what this protocol has not got.
    #[error("`{protocol}` cannot {what}")]
    Unsupported {
        /// The protocol.
        protocol: &'static str,
        /// What was asked of it.
        what: &'static str,
    },
    /// Another implementation refuses.
    #[error("another implementation refuses: {0}")]
    Implementation(String),
    /// A message is asked for that nobody has sent, or that is forgotten.
    #[error("message {} is not kept", .0.0)]
    NoSuchMessage(MessageId),
    /// A message could not be sent or opened.
    #[error("application data: {0}")]
    Message(#[from] SessionError),
    /// One of the protocols that TreeKEM was to replace refuses.
    #[error(transparent)]
    Baseline(#[from] BaselineError),
    /// A key package could not be made.
    #[error("making a key package: {0}")]
    KeyPackage(#[from] LeafNodeError),
    /// A leaf lies outside the tree.
    #[error(transparent)]
    Outside(#[from] OutsideTree),
    /// A primitive refused.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// Something has no encoding.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

impl From<HandshakeError> for ProtocolError {
    fn from(error: HandshakeError) -> Self {
        Self::Art(error.into())
    }
}

/// All clients of one group.
pub trait Protocol {
    /// The name of the protocol.
    fn name(&self) -> &'static str;

    /// Whether its ledgers say anything: nobody can count inside another implementation.
    fn counts_operations(&self) -> bool {
        true
    }

    /// Makes a client's identity and publishes `packages` key packages for it. Gives the work
    /// and the bytes of one package.
    fn register(&mut self, client: ClientId, packages: u32) -> Result<Joined, ProtocolError>;

    /// Says what a client can do, before it registers: [`Abilities::Plain`] if nothing is said.
    fn declare(&mut self, _client: ClientId, _abilities: Abilities) -> Result<(), ProtocolError> {
        Err(ProtocolError::Unsupported { protocol: self.name(), what: "tell clients' abilities" })
    }

    /// What all members of the newest epoch can; O(n).
    fn common(&self) -> Result<Common, ProtocolError> {
        Err(ProtocolError::Unsupported { protocol: self.name(), what: "tell clients' abilities" })
    }

    /// A client is to replace its signature key: its next commit that is accepted does so (RFC 9420
    /// §5.3.1). The identity stays.
    fn rotate(&mut self, _client: ClientId) -> Result<(), ProtocolError> {
        Err(ProtocolError::Unsupported { protocol: self.name(), what: "rotate credentials" })
    }

    /// A client that has registered publishes more key packages.
    fn publish(&mut self, _client: ClientId, _packages: u32) -> Result<Joined, ProtocolError> {
        Err(ProtocolError::Unsupported { protocol: self.name(), what: "publish key packages" })
    }

    /// Creates the group with one member.
    fn create(&mut self, creator: ClientId) -> Result<(), ProtocolError>;

    /// Makes a commit in its sender's own view.
    fn commit(&mut self, order: Order) -> Result<Draft, ProtocolError>;

    /// A member whose view is the newest epoch proposes a fresh key for itself, once an epoch.
    /// Whoever commits there after that covers it by reference; everybody in the epoch receives it.
    fn propose_update(&mut self, _client: ClientId) -> Result<Joined, ProtocolError> {
        Err(ProtocolError::Unsupported { protocol: self.name(), what: "propose updates" })
    }

    /// The same with a whole path, where the group's strategy has paths proposed (`treekem/concurrent`).
    fn propose_path(&mut self, _client: ClientId) -> Result<Joined, ProtocolError> {
        Err(ProtocolError::Unsupported { protocol: self.name(), what: "propose paths" })
    }

    /// Puts a commit into effect. `audited` members of the old epoch do everything from the
    /// wire and must arrive at the same epoch authenticator.
    fn accept(&mut self, draft: Draft, audited: &[ClientId]) -> Result<Accepted, ProtocolError>;

    /// A client that was added processes its Welcome.
    fn join(&mut self, client: ClientId) -> Result<Joined, ProtocolError>;

    /// A client processes every commit up to an epoch, or to the one that removes it.
    fn advance(&mut self, client: ClientId, to: u64) -> Result<CaughtUp, ProtocolError>;

    /// Epochs before this one will only be asked for by clients that are in them.
    fn release_before(&mut self, epoch: u64);

    /// The group's epoch.
    fn epoch(&self) -> u64;

    /// The epoch of a client's view; none if it has not joined or knows that it is out.
    fn view(&self, client: ClientId) -> Option<u64>;

    /// The leaf of a client in the newest tree.
    fn leaf(&self, client: ClientId) -> Option<LeafIndex>;

    /// The aggregates of the newest tree.
    fn tree(&self) -> Aggregates;

    /// Visits every node of the newest tree, as [`Tree::traverse`](crate::tree::Tree::traverse) does;
    /// O(width). A protocol that keeps no tree has nothing to show.
    fn traverse(&self, _visit: &mut dyn FnMut(Traversed)) {}

    /// The hash of the newest tree.
    fn tree_hash(&self) -> Digest;

    /// How many blank parents of the newest tree a commit of this client would key.
    fn blanks_above(&self, _client: ClientId) -> Result<u32, ProtocolError> {
        Err(ProtocolError::Unsupported { protocol: self.name(), what: "count blank parents" })
    }

    /// The leftmost blank leaf of the newest tree.
    fn leftmost_blank(&self) -> Result<Option<LeafIndex>, ProtocolError> {
        Err(ProtocolError::Unsupported { protocol: self.name(), what: "find a blank leaf" })
    }

    /// At most `most` of the rightmost members of the newest tree, from the right: those that would
    /// stand further left if they were removed and added in one commit that adds `others` before
    /// them.
    fn stragglers(&self, _most: u32, _others: u32) -> Result<Vec<ClientId>, ProtocolError> {
        Err(ProtocolError::Unsupported { protocol: self.name(), what: "find the rightmost" })
    }

    /// Makes the commit by which a client that is not in the group adds itself to its newest epoch: an
    /// external commit (RFC 9420 §12.4.3.2), a UserAdd (draft-barnes-mls-protocol-00). It takes
    /// nothing but what the group publishes, which is what an invitation link leads to.
    fn join_by_link(&mut self, _client: ClientId, _now: u64) -> Result<Entering, ProtocolError> {
        Err(ProtocolError::Unsupported { protocol: self.name(), what: "be joined by a link" })
    }

    /// A client loses all it holds but its identity: a phone is dropped, or its state is an old one
    /// that must not be used. It stays a member in the eyes of the others until it is removed or
    /// enters anew by [`rejoin`](Self::rejoin).
    fn lose_state(&mut self, _client: ClientId) -> Result<(), ProtocolError> {
        Err(ProtocolError::Unsupported { protocol: self.name(), what: "lose a client's state" })
    }

    /// A member encrypts an application message in its own view, for everybody who is a member there.
    fn send(&mut self, _sender: ClientId, _text: &[u8]) -> Result<Sent, ProtocolError> {
        Err(ProtocolError::Unsupported { protocol: self.name(), what: "send messages" })
    }

    /// A member seals an attachment for everybody who is a member in its own view, under a key that is
    /// exported for it; it is received as any message is.
    fn attach(&mut self, _sender: ClientId, _content: &[u8]) -> Result<Sent, ProtocolError> {
        Err(ProtocolError::Unsupported { protocol: self.name(), what: "share attachments" })
    }

    /// A client opens a message in its own view, and must find the text that was sent. The ledger is
    /// what it takes of this client, whether it can read it or not.
    fn receive(
        &mut self,
        _client: ClientId,
        _message: MessageId,
    ) -> Result<Received, ProtocolError> {
        Err(ProtocolError::Unsupported { protocol: self.name(), what: "receive messages" })
    }

    /// Whether a client can open a message that was not for it, or not any more, with everything it
    /// holds: it really tries. Changes nothing and charges nobody.
    fn pries(&self, _client: ClientId, _message: MessageId) -> Result<bool, ProtocolError> {
        Err(ProtocolError::Unsupported { protocol: self.name(), what: "receive messages" })
    }

    /// The members that a client believes there are, in its own view, in the order of their numbers;
    /// O(n).
    fn roster(&self, _client: ClientId) -> Result<Vec<ClientId>, ProtocolError> {
        Err(ProtocolError::Unsupported { protocol: self.name(), what: "show a client's roster" })
    }

    /// Nobody will ask for messages before this one.
    fn forget_messages_before(&mut self, _message: MessageId) {}

    /// Makes the external commit by which a member gives up its leaf for another, in the newest
    /// epoch (RFC 9420 §12.4.3.2).
    fn rejoin(&mut self, _client: ClientId, _now: u64) -> Result<Entering, ProtocolError> {
        Err(ProtocolError::Unsupported { protocol: self.name(), what: "commit from outside" })
    }

    /// Makes the commit by which a member whose view is the newest epoch ends the group, and the group
    /// that replaces it, with the same members (RFC 9420 §11.2).
    fn rebuild(&mut self, _client: ClientId, _now: u64) -> Result<Rebuilding, ProtocolError> {
        Err(ProtocolError::Unsupported { protocol: self.name(), what: "replace a group" })
    }

    /// Makes a commit as [`commit`](Self::commit) does, which makes the keys of silent members for
    /// them as well, or new ones; and of every ghost of whose key somebody knows who goes by it. Whoever
    /// is no ghost yet stays none where too few others could hold its shares.
    fn quarantine(&mut self, _order: Order, _ghosts: &[ClientId]) -> Result<Draft, ProtocolError> {
        Err(ProtocolError::Unsupported { protocol: self.name(), what: "quarantine members" })
    }

    /// How a client stands whose keys others make. Its view stays where it was before the first of
    /// them that it has not found.
    fn ghost(&self, _client: ClientId) -> Option<Ghost> {
        None
    }

    /// The members whose keys others make.
    fn ghosts(&self) -> Vec<ClientId> {
        vec![]
    }

    /// A ghost that has followed all it can asks for shares of its keys.
    fn ask_shares(&mut self, _ghost: ClientId) -> Result<Joined, ProtocolError> {
        Err(ProtocolError::Unsupported { protocol: self.name(), what: "quarantine members" })
    }

    /// Who holds shares that a ghost needs, and has not given them.
    fn helpers(&self, _ghost: ClientId) -> Vec<ClientId> {
        vec![]
    }

    /// Whether a client has, in its view, shares that a ghost needs.
    fn holds_shares(&self, _holder: ClientId, _ghost: ClientId) -> bool {
        false
    }

    /// Whether a ghost would find all its keys, if these gave their shares beside those who have.
    fn is_quorum(&self, _ghost: ClientId, _with: &[ClientId]) -> bool {
        false
    }

    /// A holder answers a ghost that has asked.
    fn give_shares(
        &mut self,
        _holder: ClientId,
        _ghost: ClientId,
    ) -> Result<Joined, ProtocolError> {
        Err(ProtocolError::Unsupported { protocol: self.name(), what: "quarantine members" })
    }

    /// A ghost opens the answers of a quorum, finds its keys and processes every commit that it has
    /// missed. Its next commit ends the quarantine.
    fn recover(&mut self, _ghost: ClientId) -> Result<CaughtUp, ProtocolError> {
        Err(ProtocolError::Unsupported { protocol: self.name(), what: "quarantine members" })
    }

    /// How many nodes of the newest tree are known to somebody who is not a member below them, and to
    /// how many who have gone: where a protocol makes keys for others, and keeps account of it.
    fn exposed(&self) -> Option<Exposed> {
        None
    }

    /// Keys of the group that a trusted server holds, and what its own work has taken, which no client
    /// is charged for; none where no server holds any.
    fn key_server(&self) -> Option<(u64, Ledger)> {
        None
    }

    /// Somebody takes a copy of everything that a member holds, its commits among it that are on their way,
    /// `drafts`; and learns from then on what follows from it and from what is sent.
    fn copy_state(
        &mut self,
        _client: ClientId,
        _drafts: &[&Draft],
    ) -> Result<CopyId, ProtocolError> {
        Err(ProtocolError::Unsupported { protocol: self.name(), what: "say what a copy leads to" })
    }

    /// What a copied state leads to by now; none if there is no such copy.
    fn copied(&self, _copy: CopyId) -> Option<Copied> {
        None
    }

    /// Whether a copied state opens a message, sent before or after it was copied.
    fn copy_reads(&self, _copy: CopyId, _message: MessageId) -> Result<bool, ProtocolError> {
        Err(ProtocolError::Unsupported { protocol: self.name(), what: "say what a copy leads to" })
    }

    /// The epoch authenticator of a client's view.
    fn epoch_authenticator(&self, client: ClientId) -> Option<Secret>;

    /// Recounts the aggregates and compares all else that is cached; O(n).
    fn recount(&self) -> Result<(), ProtocolError>;
}
