//! The implementations that people deploy, beside ours: one small interface over a client in one
//! group, which speaks in wire bytes alone, so that clients of any kind can share a group.
//!
//! | kind | crate |
//! |---|---|
//! | [`Ours`] | `arboretum-engine` |
//! | [`OpenMls`] | `openmls` |
//! | [`MlsRs`] | `mls-rs` |
//!
//! [`PeerGroup`] puts whole groups of them behind the trait that the simulator drives.

mod lab;
mod mls_rs_peer;
mod openmls_peer;
mod our_group;
mod ours;

pub use lab::{PeerGroup, PeerKind};
pub use mls_rs_peer::MlsRs;
pub use openmls_peer::OpenMls;
pub use our_group::{OurGroup, key_packages};
pub use ours::Ours;

/// How a client goes about what RFC 9420 leaves to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Habits {
    /// Proposals and commits are sent as private messages.
    pub private_handshakes: bool,
    /// Every commit carries a path, needed or not.
    pub always_path: bool,
}

/// What an implementation says when it refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {what}")]
pub struct PeerError {
    /// Which implementation.
    pub kind: &'static str,
    /// Its words.
    pub what: String,
}

/// Turns anything that an implementation says into its refusal.
pub(crate) fn refusal<E: std::fmt::Debug>(kind: &'static str) -> impl Fn(E) -> PeerError {
    move |error| PeerError { kind, what: format!("{error:?}") }
}

/// The outcome of a call to a peer.
pub type Result<T> = std::result::Result<T, PeerError>;

/// A commit to be sent: encoded messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// For all members.
    pub message: Vec<u8>,
    /// For those who are added; it carries the ratchet tree.
    pub welcome: Option<Vec<u8>>,
}

/// What a message came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Application data, and the leaf of its sender.
    Application {
        /// The leaf.
        sender: u32,
        /// The data.
        data: Vec<u8>,
    },
    /// A proposal, which is kept for the next commit.
    Proposal,
    /// A commit that leads to the next epoch.
    Commit,
    /// A commit that removes this client.
    Removed,
}

/// A client in at most one group. Messages are encoded `MLSMessage`s.
pub trait Peer: Send {
    /// The name of the implementation.
    fn kind(&self) -> &'static str;
    /// A new key package, whose private half is kept.
    fn key_package(&mut self) -> Result<Vec<u8>>;
    /// Creates a group of one.
    fn create(&mut self, group_id: &[u8]) -> Result<()>;
    /// Joins by a Welcome that carries the ratchet tree.
    fn join(&mut self, welcome: &[u8]) -> Result<()>;
    /// The group info of the epoch, with the ratchet tree and `external_pub`.
    fn group_info(&mut self) -> Result<Vec<u8>>;
    /// Joins by oneself: the external commit.
    fn join_external(&mut self, group_info: &[u8]) -> Result<Vec<u8>>;
    /// Proposes to add the client of a key package.
    fn propose_add(&mut self, key_package: &[u8]) -> Result<Vec<u8>>;
    /// Proposes to remove a leaf; its own, to leave.
    fn propose_remove(&mut self, leaf: u32) -> Result<Vec<u8>>;
    /// Proposes a new key for its own leaf.
    fn propose_update(&mut self) -> Result<Vec<u8>>;
    /// Puts in a pre-shared key of the application.
    fn store_psk(&mut self, id: &[u8], psk: &[u8]) -> Result<()>;
    /// Proposes to inject a pre-shared key.
    fn propose_psk(&mut self, id: &[u8]) -> Result<Vec<u8>>;
    /// Makes a commit of all that was proposed and of these adds and removes by value. The
    /// client stays in its epoch.
    fn commit(&mut self, adds: &[Vec<u8>], removes: &[u32]) -> Result<Commit>;
    /// Its own commit was chosen.
    fn accept_commit(&mut self) -> Result<()>;
    /// The commit of another was chosen.
    fn discard_commit(&mut self) -> Result<()>;
    /// Sends application data.
    fn send(&mut self, data: &[u8]) -> Result<Vec<u8>>;
    /// Takes in a message of the group.
    fn receive(&mut self, message: &[u8]) -> Result<Event>;
    /// The epoch.
    fn epoch(&self) -> u64;
    /// `epoch_authenticator`.
    fn epoch_authenticator(&self) -> Result<Vec<u8>>;
    /// `MLS-Exporter`.
    fn export(&self, label: &str, context: &[u8], length: usize) -> Result<Vec<u8>>;
    /// The leaves and the names of all members, by leaf.
    fn roster(&self) -> Vec<(u32, Vec<u8>)>;
    /// Its own leaf.
    fn leaf(&self) -> u32;
}
