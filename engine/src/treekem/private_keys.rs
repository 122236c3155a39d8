//! The private keys that one member holds: its leaf's and those of the keyed nodes above it
//! where it is merged (RFC 9420 §4.2). Keys are found by their public half, so nothing here
//! knows the shape of the tree.

use crate::crypto::{HpkeKeyPair, HpkePublicKey};
use crate::tree::{LeafIndex, OutsideTree};
use crate::treesync::RatchetTree;

/// Key pairs from the leaf upwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivateKeys {
    leaf: HpkeKeyPair,
    parents: Vec<HpkeKeyPair>,
}

impl PrivateKeys {
    /// The keys of a member that has only its leaf.
    pub fn of_leaf(leaf: HpkeKeyPair) -> Self {
        Self { leaf, parents: vec![] }
    }

    /// The leaf's key pair.
    pub fn leaf(&self) -> &HpkeKeyPair {
        &self.leaf
    }

    /// The key pairs above the leaf, from the lowest.
    pub fn parents(&self) -> &[HpkeKeyPair] {
        &self.parents
    }

    /// Puts in the key pairs of nodes higher than those already held.
    pub fn extend(&mut self, higher: impl IntoIterator<Item = HpkeKeyPair>) {
        self.parents.extend(higher);
    }

    /// Replaces the leaf's key pair, as the sender of an Update does once it is committed.
    pub fn set_leaf(&mut self, leaf: HpkeKeyPair) {
        self.leaf = leaf;
    }

    /// Replaces everything, as the member that sends a path does.
    pub fn replace(&mut self, leaf: HpkeKeyPair, parents: Vec<HpkeKeyPair>) {
        *self = Self { leaf, parents };
    }

    /// The pair with this public half, if held.
    pub fn find(&self, public: &HpkePublicKey) -> Option<&HpkeKeyPair> {
        std::iter::once(&self.leaf).chain(&self.parents).find(|pair| pair.public == *public)
    }

    /// Erases every key that no longer stands on the member's path in `tree`.
    pub fn forget_outdated(
        &mut self,
        tree: &RatchetTree,
        member: LeafIndex,
    ) -> Result<(), OutsideTree> {
        let path = tree.direct_path(member)?;
        let mut current = path.iter().filter_map(|step| step.node.parent());
        // Both run from the leaf upwards, so one pass finds what is still there.
        self.parents.retain(|pair| {
            current.clone().any(|parent| parent.encryption_key == pair.public) && {
                current.by_ref().find(|parent| parent.encryption_key == pair.public);
                true
            }
        });
        Ok(())
    }
}
