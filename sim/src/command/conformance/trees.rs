//! tree-operations and tree-validation: the public tree (RFC 9420 §7, §12.1).

use std::collections::BTreeMap;
use std::sync::Arc;

use arboretum_engine::codec::decode;
use arboretum_engine::crypto::{Crypto, HpkePublicKey};
use arboretum_engine::tree::{LeafIndex, NodeIndex, Resolved, Subtree};
use arboretum_engine::treesync::{
    LeafRules, Proposal, RatchetData, RatchetTree, apply_add, apply_remove, apply_update,
    blank_subtree_hash, decode_tree, encode_tree, subtree_hash, tree_hash, validate_tree,
};
use serde_json::Value;

use super::case::{Case, hex_item};

fn tree_of(case: &Case<'_>, field: &str) -> Result<RatchetTree, String> {
    decode_tree(&case.bytes(field)?).map_err(|error| format!("field `{field}`: {error}"))
}

pub(super) fn operation(crypto: &Crypto<'_>, case: &Case<'_>) -> Result<(), String> {
    let mut tree = tree_of(case, "tree_before")?;
    case.expect("tree_hash_before", tree_hash(crypto, &tree).as_slice())?;
    let proposal: Proposal =
        decode("a proposal", &case.bytes("proposal")?).map_err(|error| error.to_string())?;
    let sender = LeafIndex(case.index("proposal_sender")?);
    let applied = match proposal {
        Proposal::Add(package) => apply_add(&mut tree, Arc::new(package.leaf_node)).map(|_| ()),
        Proposal::Update(leaf) => apply_update(&mut tree, sender, Arc::new(leaf)),
        Proposal::Remove(leaf) => apply_remove(&mut tree, leaf),
        other => return Err(format!("{} is no tree operation", other.name())),
    };
    applied.map_err(|error| error.to_string())?;
    case.expect("tree_after", &encode_tree(&tree).map_err(|error| error.to_string())?)?;
    case.expect("tree_hash_after", tree_hash(crypto, &tree).as_slice())
}

pub(super) fn validation(crypto: &Crypto<'_>, case: &Case<'_>) -> Result<(), String> {
    let tree = tree_of(case, "tree")?;
    let nodes = NodeIndex::node_count(tree.width());
    let (hashes, resolutions) = (case.list("tree_hashes")?, case.list("resolutions")?);
    if hashes.len() != nodes as usize || resolutions.len() != nodes as usize {
        return Err(format!("hashes or resolutions are not for the tree's {nodes} nodes"));
    }
    let mut places = BTreeMap::new();
    place_parents(tree.root(), &mut places);
    for (node, (hash, resolution)) in (0..nodes).zip(hashes.iter().zip(resolutions)) {
        let (first, width) = span(NodeIndex(node));
        let found = find(tree.root(), first, width);
        let computed = match found {
            Some(subtree) => subtree_hash(crypto, tree.shape(), subtree),
            None => blank_subtree_hash(crypto, tree.shape(), first, width),
        };
        if computed.as_slice() != hex_item(hash)? {
            return Err(format!("the tree hash of node {node} is {computed:?}, expected {hash}"));
        }
        let entries = found.map(|subtree| subtree.resolution()).unwrap_or_default();
        let indices: Option<Vec<u32>> = entries
            .iter()
            .map(|entry| match entry {
                Resolved::Leaf(leaf, _) => Some(NodeIndex::from(*leaf).0),
                Resolved::Parent(parent) => places.get(&parent.encryption_key).copied(),
            })
            .collect();
        let indices = indices.ok_or("a resolution holds a parent that is not in the tree")?;
        if Value::from(indices.clone()) != *resolution {
            return Err(format!("the resolution of {node} is {indices:?}, expected {resolution}"));
        }
    }
    let group_id = case.bytes("group_id")?;
    let validated = validate_tree(crypto, &tree, &group_id, &LeafRules::default());
    validated.map(|_| ()).map_err(|error| error.to_string())
}

/// The leftmost leaf below a node, and how many leaves are.
fn span(node: NodeIndex) -> (LeafIndex, u32) {
    let width = 1 << node.level();
    (LeafIndex((node.0 + 1 - width) / 2), width)
}

/// The node over `width` leaves from `first`; none inside a subtree that is wholly blank.
fn find<'t>(
    subtree: Subtree<'t, RatchetData>,
    first: LeafIndex,
    width: u32,
) -> Option<Subtree<'t, RatchetData>> {
    if subtree.aggregates().width == width {
        return Some(subtree);
    }
    find(subtree.children().find(|child| child.contains(first))?, first, width)
}

/// The node index of every keyed parent, by its key.
fn place_parents<'t>(
    subtree: Subtree<'t, RatchetData>,
    places: &mut BTreeMap<&'t HpkePublicKey, u32>,
) {
    if let Some(parent) = subtree.parent() {
        let index = 2 * subtree.first_leaf().0 + subtree.aggregates().width - 1;
        places.insert(&parent.encryption_key, index);
    }
    subtree.children().for_each(|child| place_parents(child, places));
}
