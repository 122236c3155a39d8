//! Path proposals (`treekem/concurrent`) as the public tree sees them: how one is encoded, what makes it
//! valid, and which of its keys stand in the tree once a commit covers it.

use std::sync::Arc;

use tls_codec::{DeserializeBytes, Error, Serialize, Size, TlsVarInt};

use super::apply::{ProposalContext, ProposalError, strike};
use super::leaf_node::LeafNode;
use super::ratchet_tree::{ParentNode, RatchetTree};
use super::roster::RosterDraft;
use super::validate::{ExpectedSource, check_commits, check_encryption_key};
use crate::crypto::{Crypto, Digest};
use crate::tree::{LeafIndex, OutsideTree};
use crate::treekem::UpdatePath;

/// As many path proposals as a commit covers: each is a walk up the tree for everybody who follows it.
pub const MAX_PATHS: usize = 1 << 12;

/// As many nodes as a proposed path has: no leaf of a tree of 2^32 leaves has more parents above it.
pub const MAX_PATH_NODES: usize = 32;

/// The body of a path proposal: an update path, in a vector of its own, so that who does not know the
/// type can tell where it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProposedPath(pub UpdatePath);

/// A proposed path that a commit has covered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedPath {
    /// Who has proposed it.
    pub sender: LeafIndex,
    /// How many parents above its leaf, from the lowest, are above no other covered path's: those that
    /// take its keys.
    pub exclusive: usize,
    /// The path.
    pub path: UpdatePath,
}

impl ProposedPath {
    fn length(&self) -> Result<TlsVarInt, Error> {
        TlsVarInt::try_from(self.0.tls_serialized_len() as u64)
    }
}

impl Size for ProposedPath {
    fn tls_serialized_len(&self) -> usize {
        let header = self.length().map_or(0, |length| length.tls_serialized_len());
        header + self.0.tls_serialized_len()
    }
}

impl Serialize for ProposedPath {
    fn tls_serialize<W: std::io::Write>(&self, writer: &mut W) -> Result<usize, Error> {
        let header = self.length()?.tls_serialize(writer)?;
        Ok(header + self.0.tls_serialize(writer)?)
    }
}

impl DeserializeBytes for ProposedPath {
    fn tls_deserialize_bytes(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        let (length, rest) = TlsVarInt::tls_deserialize_bytes(bytes)?;
        let length = usize::try_from(length.value()).map_err(|_| Error::InvalidVectorLength)?;
        let (body, rest) = rest.split_at_checked(length).ok_or(Error::EndOfStream)?;
        let (path, left) = UpdatePath::tls_deserialize_bytes(body)?;
        if !left.is_empty() {
            return Err(Error::TrailingData);
        }
        if path.nodes.len() > MAX_PATH_NODES {
            let told = format!("a proposed path has more than {MAX_PATH_NODES} nodes");
            return Err(Error::DecodingError(told));
        }
        Ok((Self(path), rest))
    }
}

/// Puts proposed paths into effect, before the other proposals of their commit: leaves are replaced, a
/// parent above one of them takes its key, and one above several is blank.
pub(super) fn apply_paths(
    crypto: &Crypto<'_>,
    tree: &mut RatchetTree,
    roster: &mut RosterDraft<'_>,
    context: &ProposalContext<'_>,
    proposed: &[(LeafIndex, &UpdatePath)],
) -> Result<Vec<AppliedPath>, ProposalError> {
    if proposed.is_empty() {
        return Ok(vec![]);
    }
    if !tree.shape().concurrent {
        return Err(ProposalError::NoPaths);
    }
    let mut signatures = Vec::with_capacity(proposed.len());
    for (sender, path) in proposed {
        check_path(crypto, tree, context, *sender, path)?;
        signatures.push(path.leaf_node.signed(context.group_id, *sender)?);
    }
    crypto.verify_all_with_label(&signatures)?;
    proposed.iter().try_for_each(|(sender, _)| strike(tree, roster, *sender, |_| true))?;
    let applied = exclusive_parts(tree, proposed)?;
    for AppliedPath { sender, exclusive, path } in &applied {
        roster.enter_leaf(&path.leaf_node)?;
        let steps = tree.direct_path(*sender)?;
        let keyed = steps[..*exclusive].iter().filter(|step| !step.is_filtered_out());
        for (_, sent) in keyed.zip(&path.nodes) {
            roster.enter_parent(&sent.encryption_key)?;
        }
    }
    merge_paths(tree, &applied)?;
    Ok(applied)
}

/// What a proposed path shows by itself, its signature apart.
fn check_path(
    crypto: &Crypto<'_>,
    tree: &RatchetTree,
    context: &ProposalContext<'_>,
    sender: LeafIndex,
    path: &UpdatePath,
) -> Result<(), ProposalError> {
    let leaf: &LeafNode = &path.leaf_node;
    context.leaf_rules.check(leaf, ExpectedSource::Update)?;
    let old = tree.leaf(sender).ok_or(ProposalError::NoSuchMember(sender))?;
    if old.encryption_key == leaf.encryption_key {
        return Err(ProposalError::SameLeafKey(sender));
    }
    if tree.shape().counts_commits() {
        check_commits(leaf, old.commits())?;
    }
    path.check_counts(tree, sender, &[])
        .map_err(|error| ProposalError::Path { leaf: sender, error: Box::new(error) })?;
    check_encryption_key(crypto, &leaf.encryption_key)?;
    let mut keys = path.nodes.iter().map(|sent| &sent.encryption_key);
    Ok(keys.try_for_each(|key| check_encryption_key(crypto, key))?)
}

/// How far each path leads before it meets another.
fn exclusive_parts(
    tree: &RatchetTree,
    proposed: &[(LeafIndex, &UpdatePath)],
) -> Result<Vec<AppliedPath>, OutsideTree> {
    let mut senders: Vec<LeafIndex> = proposed.iter().map(|(sender, _)| *sender).collect();
    senders.sort_unstable();
    let part = |(sender, path): &(LeafIndex, &UpdatePath)| {
        let exclusive = tree.exclusive_part(*sender, &senders)?;
        Ok(AppliedPath { sender: *sender, exclusive, path: UpdatePath::clone(path) })
    };
    proposed.iter().map(part).collect()
}

/// Gives the keys of covered paths their places in the tree of the epoch in which they were proposed.
pub(crate) fn merge_paths(
    tree: &mut RatchetTree,
    applied: &[AppliedPath],
) -> Result<(), OutsideTree> {
    let before = tree.clone();
    for AppliedPath { sender, exclusive, path } in applied {
        let mut sent = path.nodes.iter();
        let mut steps = before.direct_path(*sender)?.into_iter().take(*exclusive);
        let leaf = Arc::new(path.leaf_node.clone());
        tree.edit(*sender, &mut |_| Some(leaf.clone()), &mut |_, parent| {
            let keyed = steps.next().filter(|step| !step.is_filtered_out());
            *parent = keyed.and_then(|_| sent.next()).map(|sent| {
                Arc::new(ParentNode {
                    encryption_key: sent.encryption_key.clone(),
                    parent_hash: Digest::EMPTY,
                    unmerged_leaves: vec![],
                    tainted_by: None,
                })
            });
        })?;
    }
    Ok(())
}
