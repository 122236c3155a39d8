//! Parent hashes (RFC 9420 §7.9): how a leaf's signature vouches for the keys above it.

use tls_codec::{Serialize, TlsSerialize, TlsSize};

use super::ratchet_tree::{ParentNode, RatchetData, RatchetTree};
use super::tree_hash::{below, original_hash};
use super::validate::TreeError;
use crate::crypto::{Crypto, Digest, HpkePublicKey};
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

/// Checks that each keyed parent is vouched for by exactly one chain from a leaf
/// (RFC 9420 §7.9.2, "top down").
pub fn verify_parent_hashes(crypto: &Crypto<'_>, tree: &RatchetTree) -> Result<(), TreeError> {
    verify_below(crypto, tree.root())
}

fn verify_below(crypto: &Crypto<'_>, subtree: Subtree<'_, RatchetData>) -> Result<(), TreeError> {
    if subtree.aggregates().keyed_parents == 0 {
        return Ok(());
    }
    let children: Vec<_> = subtree.children().collect();
    if let (Some(parent), [left, right]) = (subtree.parent(), &children[..]) {
        let links = [(*left, *right), (*right, *left)]
            .into_iter()
            .filter(|(child, sibling)| is_linked(crypto, parent, *child, *sibling))
            .count();
        if links != 1 {
            return Err(TreeError::ParentHash {
                first: subtree.first_leaf(),
                width: subtree.aggregates().width,
            });
        }
    }
    children.into_iter().try_for_each(|child| verify_below(crypto, child))
}

/// Whether some node D below `child` was keyed together with `parent`: it could have been,
/// and its parent hash is that of `parent` with copath child `sibling`.
fn is_linked(
    crypto: &Crypto<'_>,
    parent: &ParentNode,
    child: Subtree<'_, RatchetData>,
    sibling: Subtree<'_, RatchetData>,
) -> bool {
    carried_hash(parent, child).is_some_and(|carried| {
        let sibling = original_hash(crypto, sibling, &parent.unmerged_leaves);
        *carried == parent_hash(crypto, &parent.encryption_key, parent.parent_hash, sibling)
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
pub fn count_parent_hash_checks(subtree: Subtree<'_, RatchetData>) -> u64 {
    if subtree.aggregates().keyed_parents == 0 {
        return 0;
    }
    *subtree.cache().checks.get_or_init(|| {
        let children: Vec<_> = subtree.children().collect();
        let below: u64 = children.iter().map(|child| count_parent_hash_checks(*child)).sum();
        let (Some(parent), [left, right]) = (subtree.parent(), &children[..]) else {
            return below;
        };
        let own = [(*left, *right), (*right, *left)].into_iter().filter_map(|(child, sibling)| {
            carried_hash(parent, child)?;
            Some(1 + count_original(sibling, &parent.unmerged_leaves))
        });
        below + own.sum::<u64>()
    })
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
