//! What makes a leaf or a whole tree from outside believable (RFC 9420 §7.3, §12.4.3.1).

use std::collections::BTreeSet;

use super::leaf_node::{
    CredentialType, Extension, ExtensionType, LeafNode, LeafNodeSource, RequiredCapabilities,
};
use super::parent_hash::verify_parent_hashes;
use super::quarantine::{QuarantineError, check_required};
use super::ratchet_tree::{RatchetData, RatchetTree};
use super::roster::Roster;
use super::taints::verify_taints;
use crate::codec::CodecError;
use crate::crypto::{Crypto, CryptoError, HpkePublicKey};
use crate::tree::{LeafIndex, Subtree};

/// The rule that a leaf or tree breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// A key is none of the cipher suite: nothing could be encrypted to it.
    #[error("an encryption or init key is no public key of the cipher suite (RFC 9420 §10)")]
    NotAKey,
    /// Two nodes hold the same encryption key.
    #[error("an encryption key stands in the tree twice (RFC 9420 §7.3)")]
    DuplicateEncryptionKey,
    /// Two members sign with the same key.
    #[error("two members have the same signature key (RFC 9420 §7.3)")]
    DuplicateSignatureKey,
    /// A credential type is used that some member does not support.
    #[error("not every member supports credential type {} (RFC 9420 §7.3)", .0.0)]
    CredentialNotSupportedByAll(CredentialType),
    /// A leaf's own credential type is missing from its capabilities.
    #[error("a leaf's capabilities leave out its own credential type {} (RFC 9420 §7.2)", .0.0)]
    OwnCredential(CredentialType),
    /// A leaf's extension is missing from its capabilities.
    #[error("a leaf's capabilities leave out its extension type {} (RFC 9420 §7.3)", .0.0)]
    OwnExtension(ExtensionType),
    /// A list of extensions has two of one type.
    #[error("extension type {} stands in one list twice (RFC 9420 §13.4)", .0.0)]
    DuplicateExtension(ExtensionType),
    /// A leaf does not support an extension of the group context.
    #[error("a leaf does not support the group's extension type {} (RFC 9420 §13.4)", .0.0)]
    GroupExtension(ExtensionType),
    /// A leaf lacks what the group requires.
    #[error("a leaf lacks a required capability (RFC 9420 §11.1)")]
    RequiredCapability,
    /// A leaf came to be in a way that its place does not allow.
    #[error("a leaf node's source must be {expected} here (RFC 9420 §7.3)")]
    Source {
        /// The source expected.
        expected: &'static str,
    },
    /// A key package is used outside its lifetime.
    #[error("the lifetime {not_before}..={not_after} does not hold {now} (RFC 9420 §7.3)")]
    Lifetime {
        /// Its first second.
        not_before: u64,
        /// Its last second.
        not_after: u64,
        /// The second it was looked at.
        now: u64,
    },
    /// A keyed parent is not vouched for by exactly one chain of parent hashes.
    #[error(
        "the parent over {width} leaves from {first} is not parent-hash valid (RFC 9420 §7.9.2)"
    )]
    ParentHash {
        /// The leftmost leaf below it.
        first: LeafIndex,
        /// The leaves below it.
        width: u32,
    },
    /// A leaf miscounts its member's commits.
    #[error("a leaf says that its member has committed {found} times, not {expected}")]
    Commits {
        /// What it should say.
        expected: u32,
        /// What it says.
        found: u32,
    },
    /// An unmerged list breaks a rule.
    #[error("the unmerged leaves of a parent: {0} (RFC 9420 §12.4.3.1)")]
    Unmerged(&'static str),
    /// A tree under removal=taint breaks a rule of its own.
    #[error("the tree under removal=taint: {0} (treekem/refresh.rs)")]
    Tainted(&'static str),
    /// A ghost breaks a rule.
    #[error("{0} (treesync/quarantine.rs)")]
    Quarantine(#[from] QuarantineError),
    /// A signature or key is wrong.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// Something has no encoding.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// What a leaf says of its member's commits, where a strategy has it say so.
pub fn check_commits(leaf: &LeafNode, expected: u32) -> Result<(), TreeError> {
    let found = leaf.commits();
    if found == expected { Ok(()) } else { Err(TreeError::Commits { expected, found }) }
}

/// Whoever is added must be able to say how often it has committed.
pub(super) fn check_may_count(leaf: &LeafNode) -> Result<(), TreeError> {
    let kind = leaf.capabilities.missing_extension([ExtensionType::COMMITS].into_iter());
    kind.map_or(Ok(()), |kind| Err(TreeError::OwnExtension(kind)))?;
    check_commits(leaf, 0)
}

/// The source that a leaf node must have where it appears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedSource {
    /// In a key package, looked at in this second since the Unix epoch, or at no time.
    KeyPackage(Option<u64>),
    /// In an Update proposal.
    Update,
    /// In the path of a commit.
    Commit,
    /// In a Quarantine proposal.
    Ghost,
    /// In a tree.
    Any,
}

/// The rules of a group for a single leaf. Signatures are not among them, so that many can be
/// verified together, and neither is what only the [`Roster`] knows.
#[derive(Clone, Debug, Default)]
pub struct LeafRules {
    /// The group's `required_capabilities`.
    pub required: RequiredCapabilities,
    /// The types of the group context's extensions.
    pub group_extensions: Vec<ExtensionType>,
}

impl LeafRules {
    /// Checks everything about a leaf that it shows by itself.
    pub fn check(&self, leaf: &LeafNode, expected: ExpectedSource) -> Result<(), TreeError> {
        check_source(leaf, expected)?;
        if let Some(ghost) = leaf.ghost() {
            check_required(self)?;
            ghost.check()?;
        }
        let credential = leaf.credential.credential_type();
        if !leaf.capabilities.credentials.contains(&credential) {
            return Err(TreeError::OwnCredential(credential));
        }
        let kinds = leaf.extensions.iter().map(|extension| extension.extension_type);
        if let Some(kind) = leaf.capabilities.missing_extension(kinds) {
            return Err(TreeError::OwnExtension(kind));
        }
        check_distinct(&leaf.extensions)?;
        self.check_group(leaf)
    }

    /// Checks what the group demands beside what every leaf must keep to.
    pub fn check_group(&self, leaf: &LeafNode) -> Result<(), TreeError> {
        let group = self.group_extensions.iter().copied();
        if let Some(kind) = leaf.capabilities.missing_extension(group) {
            return Err(TreeError::GroupExtension(kind));
        }
        if !leaf.capabilities.satisfy(&self.required) {
            return Err(TreeError::RequiredCapability);
        }
        Ok(())
    }
}

/// No list of extensions may have two of one type (RFC 9420 §13.4).
pub fn check_distinct(extensions: &[Extension]) -> Result<(), TreeError> {
    let mut seen = BTreeSet::new();
    extensions
        .iter()
        .map(|extension| extension.extension_type)
        .find(|kind| !seen.insert(*kind))
        .map_or(Ok(()), |kind| Err(TreeError::DuplicateExtension(kind)))
}

/// A key that others will encrypt to must be one of the suite (RFC 9420 §10). Whoever has
/// another in the tree keeps everybody from committing.
pub fn check_encryption_key(crypto: &Crypto<'_>, key: &HpkePublicKey) -> Result<(), TreeError> {
    crypto.provider().check_public_key(key).map_err(|_| TreeError::NotAKey)
}

/// Checks how a leaf came to be and, in a key package, its lifetime.
pub fn check_source(leaf: &LeafNode, expected: ExpectedSource) -> Result<(), TreeError> {
    match (expected, &leaf.leaf_node_source) {
        (ExpectedSource::Any, _)
        | (ExpectedSource::Update, LeafNodeSource::Update)
        | (ExpectedSource::Commit, LeafNodeSource::Commit(_))
        | (ExpectedSource::Ghost, LeafNodeSource::Ghost(_))
        | (ExpectedSource::KeyPackage(None), LeafNodeSource::KeyPackage(_)) => Ok(()),
        (ExpectedSource::KeyPackage(Some(now)), LeafNodeSource::KeyPackage(lifetime)) => {
            let (not_before, not_after) = (lifetime.not_before, lifetime.not_after);
            if (not_before..=not_after).contains(&now) {
                Ok(())
            } else {
                Err(TreeError::Lifetime { not_before, not_after, now })
            }
        }
        (ExpectedSource::KeyPackage(_), _) => Err(TreeError::Source { expected: "key_package" }),
        (ExpectedSource::Update, _) => Err(TreeError::Source { expected: "update" }),
        (ExpectedSource::Commit, _) => Err(TreeError::Source { expected: "commit" }),
        (ExpectedSource::Ghost, _) => Err(QuarantineError::NotAGhost.into()),
    }
}

/// Validates a tree from outside, its tree hash apart: leaves and their signatures, parent
/// hashes, unmerged lists, unique keys. Returns the roster that the checks have built.
pub fn validate_tree(
    crypto: &Crypto<'_>,
    tree: &RatchetTree,
    group_id: &[u8],
    rules: &LeafRules,
) -> Result<Roster, TreeError> {
    let provider = crypto.provider();
    let structure = || {
        let crypto = Crypto::new(provider);
        (check_structure(&crypto, tree), crypto.ledger())
    };
    let leaves = || {
        let crypto = Crypto::new(provider);
        (check_leaves(&crypto, tree, group_id, rules), crypto.ledger())
    };
    // Neither half waits for the other; which refusal is told does not depend on the pool.
    let ((roster, first), (leaves, second)) = rayon::join(structure, leaves);
    crypto.charge(first);
    crypto.charge(second);
    let roster = roster?;
    leaves?;
    Ok(roster)
}

/// Unique keys, unmerged lists, parent hashes.
fn check_structure(crypto: &Crypto<'_>, tree: &RatchetTree) -> Result<Roster, TreeError> {
    let roster = Roster::of(tree)?;
    verify_unmerged(tree.root())?;
    verify_taints(tree)?;
    verify_parent_hashes(crypto, tree)?;
    Ok(roster)
}

/// Every leaf by itself, and all signatures.
fn check_leaves(
    crypto: &Crypto<'_>,
    tree: &RatchetTree,
    group_id: &[u8],
    rules: &LeafRules,
) -> Result<(), TreeError> {
    let leaves = tree.root().leaves();
    let mut signatures = Vec::with_capacity(leaves.len());
    for (index, leaf) in leaves {
        rules.check(leaf, ExpectedSource::Any)?;
        check_encryption_key(crypto, &leaf.encryption_key)?;
        signatures.push(leaf.signed(group_id, index)?);
        signatures.extend(leaf.signed_by_owner(group_id, index)?);
    }
    Ok(crypto.verify_all_with_label(&signatures)?)
}

/// Each unmerged entry is a member below its node, the list ascends, and every keyed parent
/// between lists it too.
fn verify_unmerged(subtree: Subtree<'_, RatchetData>) -> Result<(), TreeError> {
    if subtree.aggregates().unmerged == 0 {
        return Ok(());
    }
    if let Some(parent) = subtree.parent() {
        let unmerged = &parent.unmerged_leaves;
        if !unmerged.is_sorted_by(|a, b| a < b) {
            return Err(TreeError::Unmerged("the list does not ascend"));
        }
        for leaf in unmerged {
            if subtree.leaf(*leaf).is_none() {
                return Err(TreeError::Unmerged("an entry is not a member below the parent"));
            }
            if !listed_between(subtree, *leaf) {
                return Err(TreeError::Unmerged("a keyed parent between leaves an entry out"));
            }
        }
    }
    subtree.children().try_for_each(verify_unmerged)
}

fn listed_between(subtree: Subtree<'_, RatchetData>, leaf: LeafIndex) -> bool {
    let way = subtree.down_to(leaf);
    let mut parents = way.iter().filter_map(Subtree::parent);
    !way.is_empty() && parents.all(|parent| parent.unmerged_leaves.binary_search(&leaf).is_ok())
}
