//! The roster: what must be unique or common among the members (RFC 9420 §7.3), kept beside
//! the tree so that a commit is checked against all members without visiting them.
//!
//! A roster belongs to whoever follows a group from epoch to epoch. It changes in place with
//! every commit that is followed, and can be made again from a tree at any time.

use std::collections::{BTreeMap, BTreeSet};

use super::leaf_node::{CredentialType, LeafNode};
use super::ratchet_tree::{RatchetData, RatchetTree};
use super::validate::TreeError;
use crate::crypto::{HpkePublicKey, SignaturePublicKey};
use crate::tree::{LeafIndex, Place, Subtree};

/// The keys and credential types in use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    encryption_keys: BTreeSet<HpkePublicKey>,
    signature_keys: BTreeSet<SignaturePublicKey>,
    credentials: Credentials,
    /// Ghosts by their signature keys, and who knows something of their encryption keys.
    ghosts: BTreeMap<SignaturePublicKey, Vec<LeafIndex>>,
}

/// How many members use and support each credential type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Credentials {
    members: u32,
    in_use: BTreeMap<CredentialType, u32>,
    supported: BTreeMap<CredentialType, u32>,
}

/// One step from a roster to the next, in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RosterChange {
    /// A leaf appeared.
    LeafIn(LeafKeys),
    /// A leaf went.
    LeafOut(LeafKeys),
    /// A parent was keyed.
    ParentIn(HpkePublicKey),
    /// A parent was blanked or keyed anew.
    ParentOut(HpkePublicKey),
}

impl RosterChange {
    /// The encryption key that it brings into the tree.
    pub(crate) fn entering(&self) -> Option<&HpkePublicKey> {
        match self {
            Self::LeafIn(leaf) => Some(&leaf.encryption_key),
            Self::ParentIn(key) => Some(key),
            Self::LeafOut(_) | Self::ParentOut(_) => None,
        }
    }

    /// The encryption key that it takes out of the tree.
    pub(crate) fn leaving(&self) -> Option<&HpkePublicKey> {
        match self {
            Self::LeafOut(leaf) => Some(&leaf.encryption_key),
            Self::ParentOut(key) => Some(key),
            Self::LeafIn(_) | Self::ParentIn(_) => None,
        }
    }

    /// The changes that lead back, in their order.
    pub fn inverse(changes: &[Self]) -> Vec<Self> {
        let invert = |change: &Self| match change.clone() {
            Self::LeafIn(leaf) => Self::LeafOut(leaf),
            Self::LeafOut(leaf) => Self::LeafIn(leaf),
            Self::ParentIn(key) => Self::ParentOut(key),
            Self::ParentOut(key) => Self::ParentIn(key),
        };
        changes.iter().rev().map(invert).collect()
    }
}

/// What a roster keeps of a leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafKeys {
    encryption_key: HpkePublicKey,
    signature_key: SignaturePublicKey,
    credential: CredentialType,
    supported: Vec<CredentialType>,
    /// Of a ghost, who knows something of its key.
    keepers: Vec<LeafIndex>,
}

impl From<&LeafNode> for LeafKeys {
    fn from(leaf: &LeafNode) -> Self {
        let mut supported = leaf.capabilities.credentials.clone();
        supported.sort_unstable();
        supported.dedup();
        Self {
            encryption_key: leaf.encryption_key.clone(),
            signature_key: leaf.signature_key.clone(),
            credential: leaf.credential.credential_type(),
            supported,
            keepers: leaf.ghost().map_or(vec![], |ghost| ghost.keepers().collect()),
        }
    }
}

impl Roster {
    /// The roster of a tree; fails where two nodes share a key, or where a credential type in
    /// use is not supported by all.
    pub fn of(tree: &RatchetTree) -> Result<Self, TreeError> {
        let mut roster = Self::default();
        roster.enter(tree.root())?;
        roster.credentials.check()?;
        Ok(roster)
    }

    fn enter(&mut self, subtree: Subtree<'_, RatchetData>) -> Result<(), TreeError> {
        match subtree.place() {
            Place::Blank => return Ok(()),
            Place::Leaf(leaf) => {
                if !self.encryption_keys.insert(leaf.encryption_key.clone()) {
                    return Err(TreeError::DuplicateEncryptionKey);
                }
                if !self.signature_keys.insert(leaf.signature_key.clone()) {
                    return Err(TreeError::DuplicateSignatureKey);
                }
                let keys = LeafKeys::from(leaf.as_ref());
                self.credentials.enter(&keys);
                self.note_ghost(&keys);
            }
            Place::Parent(Some(parent)) => {
                if !self.encryption_keys.insert(parent.encryption_key.clone()) {
                    return Err(TreeError::DuplicateEncryptionKey);
                }
            }
            Place::Parent(None) => {}
        }
        subtree.children().try_for_each(|child| self.enter(child))
    }

    fn note_ghost(&mut self, leaf: &LeafKeys) {
        if !leaf.keepers.is_empty() {
            self.ghosts.insert(leaf.signature_key.clone(), leaf.keepers.clone());
        }
    }

    /// Whether an encryption key is in the tree.
    pub fn has_encryption_key(&self, key: &HpkePublicKey) -> bool {
        self.encryption_keys.contains(key)
    }

    /// How many ghosts there are.
    pub(crate) fn ghosts(&self) -> u64 {
        self.ghosts.len() as u64
    }

    /// Every encryption key of the tree.
    pub(crate) fn encryption_keys(&self) -> impl Iterator<Item = &HpkePublicKey> {
        self.encryption_keys.iter()
    }

    /// Follows the changes of a commit, which a [`RosterDraft`] has checked.
    pub fn advance(&mut self, changes: &[RosterChange]) {
        for change in changes {
            match change {
                RosterChange::ParentIn(key) => {
                    self.encryption_keys.insert(key.clone());
                }
                RosterChange::ParentOut(key) => {
                    self.encryption_keys.remove(key);
                }
                RosterChange::LeafIn(leaf) => {
                    self.encryption_keys.insert(leaf.encryption_key.clone());
                    self.signature_keys.insert(leaf.signature_key.clone());
                    self.credentials.enter(leaf);
                    self.note_ghost(leaf);
                }
                RosterChange::LeafOut(leaf) => {
                    self.encryption_keys.remove(&leaf.encryption_key);
                    self.signature_keys.remove(&leaf.signature_key);
                    self.credentials.leave(leaf);
                    if !leaf.keepers.is_empty() {
                        self.ghosts.remove(&leaf.signature_key);
                    }
                }
            }
        }
    }
}

impl Credentials {
    fn enter(&mut self, leaf: &LeafKeys) {
        self.members += 1;
        *self.in_use.entry(leaf.credential).or_default() += 1;
        for kind in &leaf.supported {
            *self.supported.entry(*kind).or_default() += 1;
        }
    }

    fn leave(&mut self, leaf: &LeafKeys) {
        self.members -= 1;
        leave_one(&mut self.in_use, leaf.credential);
        leaf.supported.iter().for_each(|kind| leave_one(&mut self.supported, *kind));
    }

    /// Every credential type in use must be supported by every member.
    fn check(&self) -> Result<(), TreeError> {
        let supported_by = |kind| self.supported.get(kind).copied().unwrap_or(0);
        self.in_use
            .keys()
            .find(|kind| supported_by(kind) < self.members)
            .map_or(Ok(()), |kind| Err(TreeError::CredentialNotSupportedByAll(*kind)))
    }
}

/// Takes one off a count; what nobody has is not listed, so that equal members give equal
/// rosters whatever came before.
fn leave_one(counts: &mut BTreeMap<CredentialType, u32>, kind: CredentialType) {
    if let Some(count) = counts.get_mut(&kind) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&kind);
        }
    }
}

/// A roster with the changes of a commit that is being checked, over one that stays as it is.
#[derive(Debug)]
pub struct RosterDraft<'r> {
    base: &'r Roster,
    encryption_keys: BTreeMap<HpkePublicKey, bool>,
    signature_keys: BTreeMap<SignaturePublicKey, bool>,
    credentials: Credentials,
    /// Ghosts that have come, or gone.
    ghosts: BTreeMap<SignaturePublicKey, Option<Vec<LeafIndex>>>,
    changes: Vec<RosterChange>,
}

impl<'r> RosterDraft<'r> {
    /// No changes yet.
    pub fn new(base: &'r Roster) -> Self {
        Self {
            base,
            encryption_keys: BTreeMap::new(),
            signature_keys: BTreeMap::new(),
            credentials: base.credentials.clone(),
            ghosts: BTreeMap::new(),
            changes: vec![],
        }
    }

    /// Whether an encryption key is in the tree as it now stands.
    pub fn has_encryption_key(&self, key: &HpkePublicKey) -> bool {
        let drafted = self.encryption_keys.get(key).copied();
        drafted.unwrap_or_else(|| self.base.encryption_keys.contains(key))
    }

    fn has_signature_key(&self, key: &SignaturePublicKey) -> bool {
        let drafted = self.signature_keys.get(key).copied();
        drafted.unwrap_or_else(|| self.base.signature_keys.contains(key))
    }

    /// A leaf appears.
    pub fn enter_leaf(&mut self, leaf: &LeafNode) -> Result<(), TreeError> {
        let keys = LeafKeys::from(leaf);
        if self.has_encryption_key(&keys.encryption_key) {
            return Err(TreeError::DuplicateEncryptionKey);
        }
        if self.has_signature_key(&keys.signature_key) {
            return Err(TreeError::DuplicateSignatureKey);
        }
        self.encryption_keys.insert(keys.encryption_key.clone(), true);
        self.signature_keys.insert(keys.signature_key.clone(), true);
        self.credentials.enter(&keys);
        if !keys.keepers.is_empty() {
            self.ghosts.insert(keys.signature_key.clone(), Some(keys.keepers.clone()));
        }
        self.changes.push(RosterChange::LeafIn(keys));
        Ok(())
    }

    /// A leaf goes.
    pub fn leave_leaf(&mut self, leaf: &LeafNode) {
        let keys = LeafKeys::from(leaf);
        self.encryption_keys.insert(keys.encryption_key.clone(), false);
        self.signature_keys.insert(keys.signature_key.clone(), false);
        self.credentials.leave(&keys);
        if !keys.keepers.is_empty() {
            self.ghosts.insert(keys.signature_key.clone(), None);
        }
        self.changes.push(RosterChange::LeafOut(keys));
    }

    /// The ghosts as they now stand, by their signature keys, and who knows something of their
    /// encryption keys.
    pub fn ghosts(&self) -> impl Iterator<Item = (&SignaturePublicKey, &[LeafIndex])> {
        let stay = self.base.ghosts.iter().filter(|(ghost, _)| !self.ghosts.contains_key(ghost));
        let stay = stay.map(|(ghost, keepers)| (ghost, keepers.as_slice()));
        let come = self.ghosts.iter();
        stay.chain(come.filter_map(|(ghost, keepers)| Some((ghost, keepers.as_deref()?))))
    }

    /// A parent is keyed.
    pub fn enter_parent(&mut self, key: &HpkePublicKey) -> Result<(), TreeError> {
        if self.has_encryption_key(key) {
            return Err(TreeError::DuplicateEncryptionKey);
        }
        self.encryption_keys.insert(key.clone(), true);
        self.changes.push(RosterChange::ParentIn(key.clone()));
        Ok(())
    }

    /// A parent is blanked, or keyed anew.
    pub fn leave_parent(&mut self, key: &HpkePublicKey) {
        self.encryption_keys.insert(key.clone(), false);
        self.changes.push(RosterChange::ParentOut(key.clone()));
    }

    /// The changes, once the credential types in use are supported by all.
    pub fn finish(self) -> Result<Vec<RosterChange>, TreeError> {
        self.credentials.check()?;
        Ok(self.changes)
    }
}
