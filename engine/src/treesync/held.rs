//! Whose keys of a tree are whose: what a member holds beside its own leaf's key (RFC 9420 §7.5, §7.8).

use super::RatchetTree;
use crate::crypto::HpkePublicKey;
use crate::tree::{LeafIndex, OutsideTree};

/// The public halves of the keys that a member holds who has followed to this tree: its leaf's, and
/// those above it where it is merged. O(log n).
pub(crate) fn keys_held(
    tree: &RatchetTree,
    leaf: LeafIndex,
) -> Result<Vec<&HpkePublicKey>, OutsideTree> {
    let path = tree.direct_path(leaf)?;
    let parents = path.iter().filter_map(|step| step.node.parent());
    let merged = parents.filter(|it| it.unmerged_leaves.binary_search(&leaf).is_err());
    let own = tree.leaf(leaf).map(|leaf| &leaf.encryption_key);
    Ok(own.into_iter().chain(merged.map(|parent| &parent.encryption_key)).collect())
}
