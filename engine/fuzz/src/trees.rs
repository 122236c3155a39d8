//! Changed ratchet trees and group infos, signed again by those whose keys they name: what a
//! whole group of attackers could show to somebody who enters.

use std::sync::Arc;

use arboretum_engine::crypto::SignaturePrivateKey;
use arboretum_engine::tree::{LeafIndex, NodeValue, Place, Subtree};
use arboretum_engine::treekem::GroupInfo;
use arboretum_engine::treesync::{
    Extension, ExtensionType, LeafNode, ParentNode, RatchetData, RatchetTree, encode_tree,
    tree_hash,
};

use crate::choices::{Choices, change_encoding};
use crate::stage::{Stage, crypto};

/// The most leaves that a tree is extended to, by blanks before a last leaf.
const MOST_LEAVES: usize = 1 << 10;

/// Types of extensions that mean something in a group info or its context.
const EXTENSIONS: [ExtensionType; 7] = [
    ExtensionType(0),
    ExtensionType::APPLICATION_ID,
    ExtensionType::RATCHET_TREE,
    ExtensionType::REQUIRED_CAPABILITIES,
    ExtensionType::EXTERNAL_PUB,
    ExtensionType::EXTERNAL_SENDERS,
    ExtensionType::STRATEGY,
];

type Nodes = Vec<Option<NodeValue<LeafNode, ParentNode>>>;

/// The nodes of a tree in order.
fn flatten(subtree: Subtree<'_, RatchetData>, nodes: &mut Nodes) {
    match subtree.place() {
        Place::Leaf(leaf) => nodes.push(Some(NodeValue::Leaf(leaf.clone()))),
        Place::Blank => {
            let count = 2 * subtree.aggregates().width as usize - 1;
            nodes.extend(std::iter::repeat_n(None, count));
        }
        Place::Parent(parent) => {
            let children: Vec<_> = subtree.children().collect();
            flatten(children[0], nodes);
            nodes.push(parent.map(|parent| NodeValue::Parent(parent.clone())));
            flatten(children[1], nodes);
        }
    }
}

/// The signature key of whoever has this leaf.
fn key_of<'s>(stage: &'s Stage, leaf: &LeafNode) -> Option<&'s SignaturePrivateKey> {
    let members = stage.members.iter().map(|session| &session.member().signer);
    let mut signers = members.chain([&stage.newcomer.signer]);
    signers.find(|signer| signer.public == leaf.signature_key).map(|signer| &signer.private)
}

/// Changes a tree in a few places; its leaves are signed again, mostly.
pub(crate) fn change_tree(
    stage: &Stage,
    tree: &RatchetTree,
    choices: &mut Choices<'_>,
) -> Option<RatchetTree> {
    let mut nodes = vec![];
    flatten(tree.root(), &mut nodes);
    for _ in 0..=choices.below(3) {
        change_nodes(&mut nodes, choices);
    }
    while matches!(nodes.last(), Some(None)) {
        nodes.pop();
    }
    if !choices.one_in(8) {
        nodes.iter_mut().enumerate().for_each(|(at, node)| sign(stage, at, node));
    }
    RatchetTree::from_nodes(*tree.shape(), &nodes).ok()
}

fn sign(stage: &Stage, at: usize, node: &mut Option<NodeValue<LeafNode, ParentNode>>) {
    let Some(NodeValue::Leaf(leaf)) = node else { return };
    let Some(key) = key_of(stage, leaf) else { return };
    let group_id = stage.group_info.group_context.group_id.as_slice();
    let place = LeafIndex(at as u32 / 2);
    // What cannot be signed keeps the signature that it had.
    let _ = Arc::make_mut(leaf).sign(&crypto(), key, group_id, place);
}

fn change_nodes(nodes: &mut Nodes, choices: &mut Choices<'_>) {
    let at = choices.below(nodes.len().max(1));
    let from = choices.below(nodes.len().max(1));
    match choices.byte() % 8 {
        0 | 1 if at < nodes.len() => nodes[at] = None,
        2 => nodes.truncate(at),
        3 if nodes.len() > 1 => nodes.swap(at, from),
        4 if at < nodes.len() => nodes[at] = nodes[from].clone(),
        5 => {
            let last = nodes.get(from & !1).cloned().flatten();
            let most = if choices.one_in(16) { MOST_LEAVES } else { 16 };
            nodes.resize(2 * choices.below(most), None);
            nodes.push(last);
        }
        _ => match nodes.get_mut(at) {
            Some(Some(NodeValue::Parent(parent))) => change_parent(Arc::make_mut(parent), choices),
            Some(Some(NodeValue::Leaf(leaf))) => change_encoding(Arc::make_mut(leaf), choices),
            _ => {}
        },
    }
}

fn change_parent(parent: &mut ParentNode, choices: &mut Choices<'_>) {
    match choices.byte() % 4 {
        0 => parent.unmerged_leaves.push(LeafIndex(choices.number() as u32)),
        1 => parent.unmerged_leaves = (0..u32::from(choices.byte() % 10)).map(LeafIndex).collect(),
        2 => parent.encryption_key = choices.bytes(32).into(),
        _ => change_encoding(parent, choices),
    }
}

/// Changes a group info in a few places; signed again, mostly. `tag` makes the confirmation
/// tag of what it has become.
pub(crate) fn change_info(
    stage: &Stage,
    info: &mut GroupInfo,
    choices: &mut Choices<'_>,
    tag: impl Fn(&mut GroupInfo),
) {
    let mut tree = info.tree().ok().flatten();
    for _ in 0..choices.below(3) {
        change_field(info, choices);
    }
    if let Some(old) = &tree
        && choices.one_in(2)
    {
        tree = change_tree(stage, old, choices).or(tree);
        put_tree(info, tree.as_ref());
    }
    if let Some(tree) = &tree
        && !choices.one_in(16)
    {
        info.group_context.tree_hash = tree_hash(&crypto(), tree);
    }
    if !choices.one_in(8) {
        tag(info);
    }
    let signer = tree.as_ref().and_then(|tree| tree.leaf(info.signer));
    if let Some(key) = signer.and_then(|leaf| key_of(stage, leaf))
        && !choices.one_in(16)
    {
        let _ = info.sign(&crypto(), key);
    }
}

fn put_tree(info: &mut GroupInfo, tree: Option<&RatchetTree>) {
    let Some(Ok(encoded)) = tree.map(encode_tree) else { return };
    let is_tree = |it: &&mut Extension| it.extension_type == ExtensionType::RATCHET_TREE;
    if let Some(extension) = info.extensions.iter_mut().find(is_tree) {
        extension.extension_data = encoded.into();
    }
}

fn change_field(info: &mut GroupInfo, choices: &mut Choices<'_>) {
    match choices.byte() % 10 {
        0 => change_encoding(info, choices),
        1 => change_encoding(&mut info.group_context, choices),
        2 => info.group_context.epoch = choices.number(),
        3 => info.group_context.group_id = choices.bytes(20).to_vec().into(),
        4 => info.signer = LeafIndex(choices.number() as u32),
        5 => info.confirmation_tag = [choices.byte(); 32].into(),
        6 => {
            let at = choices.below(info.extensions.len().max(1));
            if let Some(extension) = info.extensions.get_mut(at) {
                change_encoding(extension, choices);
            }
        }
        7 => info.group_context.extensions.push(Extension {
            extension_type: *choices.pick(&EXTENSIONS),
            extension_data: choices.bytes(40).to_vec().into(),
        }),
        8 => info.extensions.push(Extension {
            extension_type: *choices.pick(&EXTENSIONS),
            extension_data: choices.bytes(40).to_vec().into(),
        }),
        _ => {
            let at = choices.below(info.extensions.len().max(1));
            if at < info.extensions.len() {
                info.extensions.remove(at);
            }
        }
    }
}
