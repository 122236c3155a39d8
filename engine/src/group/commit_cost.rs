//! What a commit costs in message: ciphertexts, keys, and bytes by part (RFC 9420 §7.6, §12.4).

use tls_codec::Size;

use super::public_group::ApplyError;
use crate::codec::decode;
use crate::treedem::{Commit, Content, MlsMessage};

/// What a commit costs its sender in message, in bytes by part, and what it reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommitCost {
    /// Ciphertexts of the path.
    pub ciphertexts: u64,
    /// Public keys of the path, the leaf's not among them.
    pub public_keys: u64,
    /// The whole commit message.
    pub bytes: u64,
    /// Its list of proposals.
    pub bytes_proposals: u64,
    /// The new leaf node.
    pub bytes_leaf_node: u64,
    /// The path's public keys.
    pub bytes_path_keys: u64,
    /// The path's ciphertexts, with their vector headers.
    pub bytes_path_ciphertexts: u64,
    /// Everything else: frame, signature, tags.
    pub bytes_framing: u64,
    /// The Welcome, if there is one.
    pub bytes_welcome: u64,
}

impl CommitCost {
    /// Reads the cost off a public message with a commit that somebody has made, and the Welcome
    /// that goes with it.
    pub fn read(message: &[u8], welcome: Option<&[u8]>) -> Result<Self, ApplyError> {
        let MlsMessage::Public(public) = decode("an MLS message", message)? else {
            return Err(ApplyError::NotACommit);
        };
        let Content::Commit(commit) = &public.content.content else {
            return Err(ApplyError::NotACommit);
        };
        let bytes_welcome = welcome.map_or(0, <[u8]>::len) as u64;
        Ok(Self { bytes_welcome, ..Self::of_parts(commit).in_message(message.len()) })
    }

    /// The parts of a commit that is in no message yet.
    pub(super) fn of_parts(commit: &Commit) -> Self {
        let mut cost = Self {
            bytes_proposals: commit.proposals.tls_serialized_len() as u64,
            ..Self::default()
        };
        if let Some(path) = &commit.path {
            cost.bytes_leaf_node = path.leaf_node.tls_serialized_len() as u64;
            cost.public_keys = path.nodes.len() as u64;
            cost.ciphertexts = path.ciphertexts() as u64;
            for node in &path.nodes {
                cost.bytes_path_keys += node.encryption_key.tls_serialized_len() as u64;
                cost.bytes_path_ciphertexts +=
                    node.encrypted_path_secret.tls_serialized_len() as u64;
            }
        }
        cost
    }

    /// The same in a message of this length: what no other part accounts for is its frame.
    pub(super) fn in_message(mut self, bytes: usize) -> Self {
        let parts = self.bytes_proposals
            + self.bytes_leaf_node
            + self.bytes_path_keys
            + self.bytes_path_ciphertexts;
        self.bytes = bytes as u64;
        self.bytes_framing = self.bytes - parts;
        self
    }
}
