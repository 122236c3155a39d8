//! Proposals applied to the public tree (RFC 9420 §12.1, §12.2, §12.3).

use std::sync::Arc;

use super::key_package::KeyPackage;
use super::leaf_node::{LeafNode, ProtocolVersion};
use super::proposal::Proposal;
use super::ratchet_tree::RatchetTree;
use super::roster::RosterDraft;
use super::validate::{ExpectedSource, LeafRules, TreeError, check_distinct};
use crate::codec::CodecError;
use crate::crypto::{CipherSuite, Crypto, CryptoError, Labelled};
use crate::tree::{LeafIndex, OutsideTree};

/// Why a list of proposals is invalid (RFC 9420 §12.2).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposalError {
    /// A Remove or Update names a leaf that is not there.
    #[error("{0} is blank or outside the tree (RFC 9420 §12.1.3)")]
    NoSuchMember(LeafIndex),
    /// The committer removes itself.
    #[error("the committer removes itself (RFC 9420 §12.2)")]
    RemovesCommitter,
    /// The committer's own Update is in its commit.
    #[error("the committer's own Update is in its commit (RFC 9420 §12.2)")]
    UpdatesCommitter,
    /// An added client's package is for another version or suite.
    #[error("a key package is for another version or cipher suite (RFC 9420 §10.1)")]
    WrongSuite,
    /// An added client's init key is also its leaf key.
    #[error("a key package uses one key as init key and leaf key (RFC 9420 §10.1)")]
    InitKeyIsLeafKey,
    /// A proposal type that this engine does not apply.
    #[error("{0} proposals cannot be applied by this version")]
    NotBuilt(&'static str),
    /// A leaf is invalid.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A signature does not verify.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// Something has no encoding.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

impl From<OutsideTree> for ProposalError {
    fn from(outside: OutsideTree) -> Self {
        Self::NoSuchMember(outside.leaf)
    }
}

/// What a list of proposals did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppliedProposals {
    /// The leaves of the added clients, in the order of their Add proposals.
    pub added: Vec<LeafIndex>,
    /// The leaves removed.
    pub removed: Vec<LeafIndex>,
    /// The leaves replaced.
    pub updated: Vec<LeafIndex>,
}

/// Adds a leaf at the leftmost blank place and says where that is.
pub fn apply_add(tree: &mut RatchetTree, leaf: Arc<LeafNode>) -> Result<LeafIndex, OutsideTree> {
    let index = match tree.leftmost_blank() {
        Some(index) => index,
        None => {
            let index = LeafIndex(tree.width());
            tree.extend();
            index
        }
    };
    tree.add(index, leaf, |parent| parent.with_unmerged(index))?;
    Ok(index)
}

/// Replaces a leaf and blanks the path above it.
pub fn apply_update(
    tree: &mut RatchetTree,
    sender: LeafIndex,
    leaf: Arc<LeafNode>,
) -> Result<(), OutsideTree> {
    tree.replace(sender, leaf)
}

/// Blanks a leaf and the path above it, and truncates the tree.
pub fn apply_remove(tree: &mut RatchetTree, removed: LeafIndex) -> Result<(), OutsideTree> {
    tree.blank(removed)?;
    tree.truncate();
    Ok(())
}

/// Validates and applies the proposals that `committer` sends by value, in the order of
/// RFC 9420 §12.3. `now` is the second in which a sender checks lifetimes; receivers give
/// none.
pub fn apply_proposals(
    crypto: &Crypto<'_>,
    tree: &mut RatchetTree,
    roster: &mut RosterDraft<'_>,
    rules: &LeafRules,
    committer: LeafIndex,
    proposals: &[&Proposal],
    now: Option<u64>,
) -> Result<AppliedProposals, ProposalError> {
    let mut applied = AppliedProposals::default();
    for proposal in proposals {
        match proposal {
            Proposal::Add(_) => {}
            Proposal::Remove(leaf) => {
                remove(tree, roster, committer, *leaf)?;
                applied.removed.push(*leaf);
            }
            // By value, an Update can only be the committer's own.
            Proposal::Update(_) => return Err(ProposalError::UpdatesCommitter),
            other => return Err(ProposalError::NotBuilt(other.name())),
        }
    }
    tree.truncate();
    let packages: Vec<_> = proposals
        .iter()
        .filter_map(|proposal| match proposal {
            Proposal::Add(package) => Some(package),
            _ => None,
        })
        .collect();
    validate_packages(crypto, rules, &packages, now)?;
    for package in packages {
        roster.enter_leaf(&package.leaf_node)?;
        applied.added.push(apply_add(tree, Arc::new(package.leaf_node.clone()))?);
    }
    Ok(applied)
}

fn remove(
    tree: &mut RatchetTree,
    roster: &mut RosterDraft<'_>,
    committer: LeafIndex,
    removed: LeafIndex,
) -> Result<(), ProposalError> {
    if removed == committer {
        return Err(ProposalError::RemovesCommitter);
    }
    // A second Remove of the same leaf finds it blank already.
    let leaf = tree.leaf(removed).ok_or(ProposalError::NoSuchMember(removed))?.clone();
    roster.leave_leaf(&leaf);
    leave_path(tree, roster, removed)?;
    Ok(tree.blank(removed)?)
}

/// Strikes the keys above a leaf from the roster, before the path is blanked or keyed anew.
pub(crate) fn leave_path(
    tree: &RatchetTree,
    roster: &mut RosterDraft<'_>,
    leaf: LeafIndex,
) -> Result<(), OutsideTree> {
    for step in tree.direct_path(leaf)? {
        if let Some(parent) = step.node.parent() {
            roster.leave_parent(&parent.encryption_key);
        }
    }
    Ok(())
}

/// RFC 9420 §10.1 for every added package, signatures together.
fn validate_packages(
    crypto: &Crypto<'_>,
    rules: &LeafRules,
    packages: &[&KeyPackage],
    now: Option<u64>,
) -> Result<(), ProposalError> {
    let mut signatures: Vec<Labelled<'_>> = Vec::with_capacity(2 * packages.len());
    for package in packages {
        check_package(crypto.cipher_suite(), rules, package, now)?;
        signatures.push(package.signed()?);
        signatures.push(package.leaf_node.signed(&[], LeafIndex(0))?);
    }
    Ok(crypto.verify_all_with_label(&signatures)?)
}

fn check_package(
    suite: CipherSuite,
    rules: &LeafRules,
    package: &KeyPackage,
    now: Option<u64>,
) -> Result<(), ProposalError> {
    if package.version != ProtocolVersion::MLS10 || package.cipher_suite != suite {
        return Err(ProposalError::WrongSuite);
    }
    if package.init_key == package.leaf_node.encryption_key {
        return Err(ProposalError::InitKeyIsLeafKey);
    }
    check_distinct(&package.extensions)?;
    Ok(rules.check(&package.leaf_node, ExpectedSource::KeyPackage(now))?)
}
