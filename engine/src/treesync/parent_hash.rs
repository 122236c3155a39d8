//! Parent hashes (RFC 9420 §7.9): how a leaf's signature vouches for the keys above it.

use smallvec::SmallVec;
use tls_codec::{Serialize, TlsSerialize, TlsSize};

use super::ratchet_tree::{ParentNode, RatchetData, RatchetTree};
use super::tree_hash::{below, combined_hash, original_hash};
use super::validate::TreeError;
use crate::crypto::{Crypto, Digest, HpkePublicKey};
use crate::strategy::Strategy;
use crate::tree::{LeafIndex, Place, Resolved, Subtree};

#[derive(TlsSize, TlsSerialize)]
struct ParentHashInput<'a> {
    encryption_key: &'a HpkePublicKey,
    parent_hash: Digest,
    original_sibling_tree_hash: Digest,
}

/// The parent hash of a node with this key and parent hash, with a copath child of this
/// (original) tree hash.
pub fn parent_hash(
    crypto: &Crypto<'_>,
    encryption_key: &HpkePublicKey,
    parent_hash: Digest,
    original_sibling_tree_hash: Digest,
) -> Digest {
    let input = ParentHashInput { encryption_key, parent_hash, original_sibling_tree_hash }
        .tls_serialize_detached()
        .expect("a parent hash input is short");
    crypto.hash(&input)
}

/// What a parent hash says of the copath: the original tree hash of the sibling, or one hash over
/// those of several. A strategy that moves subtrees about below keyed parents says nothing.
pub fn copath_hash<'t>(
    crypto: &Crypto<'_>,
    strategy: &Strategy,
    siblings: impl Iterator<Item = Subtree<'t, RatchetData>>,
    left_out: &[LeafIndex],
) -> Digest {
    if !strategy.binds_copath() {
        return Digest::EMPTY;
    }
    let hash = |sibling| original_hash(crypto, strategy, sibling, left_out);
    let hashes: SmallVec<[Digest; 2]> = siblings.map(hash).collect();
    match &hashes[..] {
        [one] => *one,
        several => combined_hash(crypto, several),
    }
}

/// Checks that each keyed parent is vouched for by exactly one chain from a leaf
/// (RFC 9420 §7.9.2, "top down").
pub fn verify_parent_hashes(crypto: &Crypto<'_>, tree: &RatchetTree) -> Result<(), TreeError> {
    if !tree.shape().has_parent_hashes() {
        return verify_none(tree.root());
    }
    verify_below(crypto, tree.shape(), tree.root())
}

/// Where parents have no parent hashes, none may seem to.
fn verify_none(subtree: Subtree<'_, RatchetData>) -> Result<(), TreeError> {
    if subtree.aggregates().keyed_parents == 0 {
        return Ok(());
    }
    if subtree.parent().is_some_and(|parent| parent.parent_hash != Digest::EMPTY) {
        let (first, width) = (subtree.first_leaf(), subtree.aggregates().width);
        return Err(TreeError::ParentHash { first, width });
    }
    subtree.children().try_for_each(verify_none)
}

fn verify_below(
    crypto: &Crypto<'_>,
    strategy: &Strategy,
    subtree: Subtree<'_, RatchetData>,
) -> Result<(), TreeError> {
    if subtree.aggregates().keyed_parents == 0 {
        return Ok(());
    }
    if let Some(parent) = subtree.parent() {
        let is_linked = |child: &Subtree<'_, RatchetData>| {
            let siblings = siblings(subtree, *child);
            is_linked(crypto, strategy, parent, *child, siblings)
        };
        if subtree.children().filter(is_linked).count() != 1 {
            return Err(TreeError::ParentHash {
                first: subtree.first_leaf(),
                width: subtree.aggregates().width,
            });
        }
    }
    subtree.children().try_for_each(|child| verify_below(crypto, strategy, child))
}

/// The other children of a node.
fn siblings<'t>(
    node: Subtree<'t, RatchetData>,
    child: Subtree<'t, RatchetData>,
) -> impl Iterator<Item = Subtree<'t, RatchetData>> {
    node.children().filter(move |other| other.first_leaf() != child.first_leaf())
}

/// Whether some node D below `child` was keyed together with `parent`: it could have been,
/// and its parent hash is that of `parent` with these copath children.
fn is_linked<'t>(
    crypto: &Crypto<'_>,
    strategy: &Strategy,
    parent: &ParentNode,
    child: Subtree<'t, RatchetData>,
    siblings: impl Iterator<Item = Subtree<'t, RatchetData>>,
) -> bool {
    carried_hash(parent, child).is_some_and(|carried| {
        let copath = copath_hash(crypto, strategy, siblings, &parent.unmerged_leaves);
        *carried == parent_hash(crypto, &parent.encryption_key, parent.parent_hash, copath)
    })
}

/// The parent hash of the one node D that may have been keyed together with `parent`: D is in
/// the resolution of `child`, and everything else there is unmerged at `parent`.
fn carried_hash<'t>(parent: &ParentNode, child: Subtree<'t, RatchetData>) -> Option<&'t Digest> {
    let unmerged = below(child, &parent.unmerged_leaves);
    // The sizes decide almost every case without building a resolution.
    if child.aggregates().resolution as usize != unmerged.len() + 1 {
        return None;
    }
    let is_unmerged = |leaf: &LeafIndex| unmerged.binary_search(leaf).is_ok();
    let mut descendants = child
        .resolution()
        .into_iter()
        .filter(|entry| !matches!(entry, Resolved::Leaf(leaf, _) if is_unmerged(leaf)));
    match (descendants.next()?, descendants.next()) {
        (Resolved::Parent(descendant), None) => Some(&descendant.parent_hash),
        (Resolved::Leaf(_, leaf), None) => leaf.parent_hash(),
        _ => None,
    }
}

/// How many hashes [`verify_parent_hashes`] takes, once all tree hashes are known. Counted, not
/// computed, and cached at each node: a commit changes the count along its own paths only.
pub fn count_parent_hash_checks(tree: &RatchetTree) -> u64 {
    if !tree.shape().has_parent_hashes() {
        return 0;
    }
    count_below(tree.shape(), tree.root())
}

fn count_below(strategy: &Strategy, subtree: Subtree<'_, RatchetData>) -> u64 {
    if subtree.aggregates().keyed_parents == 0 || !strategy.has_parent_hashes() {
        return 0;
    }
    *subtree.cache().checks.get_or_init(|| {
        let below: u64 = subtree.children().map(|child| count_below(strategy, child)).sum();
        let Some(parent) = subtree.parent() else { return below };
        let own = subtree.children().filter_map(|child| {
            carried_hash(parent, child)?;
            Some(1 + count_copath(strategy, siblings(subtree, child), &parent.unmerged_leaves))
        });
        below + own.sum::<u64>()
    })
}

/// How many hashes [`copath_hash`] takes.
fn count_copath<'t>(
    strategy: &Strategy,
    siblings: impl Iterator<Item = Subtree<'t, RatchetData>>,
    left_out: &[LeafIndex],
) -> u64 {
    if !strategy.binds_copath() {
        return 0;
    }
    let (mut count, mut hashes) = (0, 0);
    for sibling in siblings {
        count += 1;
        hashes += count_original(sibling, left_out);
    }
    hashes + u64::from(count > 1)
}

/// How many hashes [`original_hash`] takes.
fn count_original(subtree: Subtree<'_, RatchetData>, left_out: &[LeafIndex]) -> u64 {
    let left_out = below(subtree, left_out);
    match subtree.place() {
        _ if left_out.is_empty() => 0,
        Place::Blank => 0,
        Place::Leaf(_) => 1,
        Place::Parent(_) => {
            1 + subtree.children().map(|child| count_original(child, left_out)).sum::<u64>()
        }
    }
}
