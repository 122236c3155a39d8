//! Trees from outside (RFC 9420 §7.3, §7.9.2, §12.4.3.1).

use std::sync::Arc;

use arboretum_engine::codec::encode;
use arboretum_engine::crypto::{CryptoError, Digest};
use arboretum_engine::strategy::Strategy;
use arboretum_engine::strategy::Unmerged;
use arboretum_engine::tree::{LeafIndex, NodeValue, NotATree};
use arboretum_engine::treesync::{
    Credential, CredentialType, DecodeTreeError, Extension, ExtensionType, LeafNode,
    LeafNodeSource, LeafRules, ParentNode, RatchetTree, RequiredCapabilities, TreeError,
    decode_tree, encode_tree, validate_tree,
};

use crate::common::{Group, Plan};
use crate::forge::{BLANK, crypto, six};

/// Eight members, of whom leaf 6 was added after the two keyed parents above it had been keyed,
/// last of all by leaf 5.
fn eight() -> Group<'static> {
    let mut group = Group::of(&crate::forge::REAL, 1, 8, &[0, 2, 4]);
    group.commit(Plan { by: LeafIndex(1), removes: vec![LeafIndex(6)], ..Plan::default() });
    group.commit(Plan { by: LeafIndex(5), ..Plan::default() });
    group.commit(Plan { adds: 1, ..Plan::default() });
    group
}

fn tree_of(group: &Group<'_>) -> RatchetTree {
    group.member(0).member.public.tree.clone()
}

fn verdict(group: &Group<'_>, tree: &RatchetTree, rules: &LeafRules) -> Result<(), TreeError> {
    let group_id = group.member(0).member.public.context.group_id.clone();
    // From bytes, so that nothing is cached.
    let tree = decode_tree(&encode_tree(tree).unwrap()).unwrap();
    validate_tree(&crypto(), &tree, group_id.as_slice(), rules).map(|_| ())
}

/// What is said of the tree after changes at a leaf and at the parents above it, `height` 0
/// the lowest.
fn edited(
    leaf: u32,
    mut at_leaf: impl FnMut(&mut LeafNode),
    mut at_parent: impl FnMut(usize, &mut ParentNode),
) -> Result<(), TreeError> {
    let group = eight();
    let mut tree = tree_of(&group);
    let mut height = 0;
    tree.edit(
        LeafIndex(leaf),
        &mut |old| {
            old.map(|old| {
                let mut changed = LeafNode::clone(&old);
                at_leaf(&mut changed);
                Arc::new(changed)
            })
        },
        &mut |_, value| {
            if let Some(old) = value {
                let mut changed = ParentNode::clone(old);
                at_parent(height, &mut changed);
                *value = Some(Arc::new(changed));
            }
            height += 1;
        },
    )
    .unwrap();
    verdict(&group, &tree, &LeafRules::default())
}

fn sign(leaf: &mut LeafNode, index: u32) {
    let group = eight();
    let member = &group.member(index).member;
    let group_id = member.public.context.group_id.as_slice();
    leaf.sign(&crypto(), &member.signer.private, group_id, LeafIndex(index)).unwrap();
}

#[test]
fn an_honest_tree_is_believed() {
    assert_eq!(edited(0, |_| (), |_, _| ()), Ok(()));
    let tree = tree_of(&eight());
    let unmerged: Vec<usize> = tree
        .direct_path(LeafIndex(6))
        .unwrap()
        .iter()
        .map(|step| step.node.parent().map_or(0, |parent| parent.unmerged_leaves.len()))
        .collect();
    assert_eq!(unmerged, [0, 1, 1], "the tests below need an unmerged leaf at two heights");
}

fn not_vouched_for(first: u32, width: u32) -> Result<(), TreeError> {
    Err(TreeError::ParentHash { first: LeafIndex(first), width })
}

#[test]
fn a_parent_with_another_key() {
    for (height, first, width) in [(0, 4, 2), (1, 4, 4), (2, 0, 8)] {
        let refused = edited(
            4,
            |_| (),
            |at, parent| {
                if at == height {
                    parent.encryption_key = vec![9; 32].into();
                }
            },
        );
        assert_eq!(refused, not_vouched_for(first, width));
    }
}

#[test]
fn a_parent_with_another_parent_hash() {
    // Each is vouched for by what is below it, and vouches for what is above: the root is
    // looked at first.
    for (height, first, width) in [(0, 4, 4), (1, 0, 8), (2, 0, 8)] {
        let refused = edited(
            5,
            |_| (),
            |at, parent| {
                if at == height {
                    parent.parent_hash = Digest::from([1; 32]);
                }
            },
        );
        assert_eq!(refused, not_vouched_for(first, width));
    }
}

#[test]
fn a_leaf_that_does_not_vouch() {
    let refused = edited(
        5,
        |leaf| {
            leaf.leaf_node_source = LeafNodeSource::Commit(Digest::from([1; 32]));
            sign(leaf, 5);
        },
        |_, _| (),
    );
    assert_eq!(refused, not_vouched_for(4, 2));
    let refused = edited(
        5,
        |leaf| {
            leaf.leaf_node_source = LeafNodeSource::Update;
            sign(leaf, 5);
        },
        |_, _| (),
    );
    assert_eq!(refused, not_vouched_for(4, 2));
}

/// A sibling that is another than when the parent was keyed.
#[test]
fn a_leaf_that_came_without_being_listed() {
    let refused = edited(6, |_| (), |_, parent| parent.unmerged_leaves.clear());
    assert_eq!(refused, not_vouched_for(4, 4));
}

/// A key over two leaves neither of which has committed.
#[test]
fn a_parent_that_nobody_has_keyed() {
    let group = Group::of(&crate::forge::REAL, 1, 4, &[]);
    let mut tree = tree_of(&group);
    let leaf = tree.leaf(LeafIndex(0)).unwrap().clone();
    tree.replace(LeafIndex(0), leaf).unwrap();
    let stray = ParentNode {
        tainted_by: None,
        encryption_key: vec![9; 32].into(),
        parent_hash: Digest::EMPTY,
        unmerged_leaves: vec![],
    };
    let mut path = [Some(Arc::new(stray)), None].into_iter();
    tree.edit(LeafIndex(2), &mut |leaf| leaf, &mut |_, value| *value = path.next().flatten())
        .unwrap();
    assert_eq!(verdict(&group, &tree, &LeafRules::default()), not_vouched_for(2, 2));
}

fn unmerged(reason: &'static str) -> Result<(), TreeError> {
    Err(TreeError::Unmerged(reason))
}

#[test]
fn an_unmerged_list_out_of_order() {
    let reason = "the list does not ascend";
    let twice = edited(6, |_| (), |_, parent| parent.unmerged_leaves.push(LeafIndex(6)));
    assert_eq!(twice, unmerged(reason));
    let backwards = edited(6, |_| (), |_, parent| parent.unmerged_leaves.push(LeafIndex(5)));
    assert_eq!(backwards, unmerged(reason));
}

#[test]
fn an_unmerged_leaf_that_is_not_there() {
    let reason = "an entry is not a member below the parent";
    for leaf in [8, u32::MAX] {
        let outside = edited(6, |_| (), |_, parent| parent.unmerged_leaves.push(LeafIndex(leaf)));
        assert_eq!(outside, unmerged(reason));
    }
    let group = six();
    let mut tree = tree_of(&group);
    tree.edit(LeafIndex(0), &mut |leaf| leaf, &mut |_, value| {
        *value = value.as_ref().map(|parent| Arc::new(parent.with_unmerged(BLANK)));
    })
    .unwrap();
    assert_eq!(verdict(&group, &tree, &LeafRules::default()), unmerged(reason));
    let elsewhere = edited(
        6,
        |_| (),
        |height, parent| {
            if height == 1 {
                parent.unmerged_leaves.insert(0, LeafIndex(0));
            }
        },
    );
    assert_eq!(elsewhere, unmerged(reason));
}

#[test]
fn an_unmerged_leaf_that_a_parent_between_leaves_out() {
    let refused = edited(
        6,
        |_| (),
        |height, parent| {
            if height == 1 {
                parent.unmerged_leaves.clear();
            }
        },
    );
    assert_eq!(refused, unmerged("a keyed parent between leaves an entry out"));
}

#[test]
fn a_key_twice() {
    let error = Err(TreeError::DuplicateEncryptionKey);
    let key = eight().member(1).member.keys.leaf().public.clone();
    let in_leaf = edited(
        3,
        |leaf| {
            leaf.encryption_key = key.clone();
            sign(leaf, 3);
        },
        |_, _| (),
    );
    assert_eq!(in_leaf, error);
    let in_parent = edited(3, |_| (), |_, parent| parent.encryption_key = key.clone());
    assert_eq!(in_parent, error);
    let signer = eight().member(1).member.signer.clone();
    let refused = edited(3, |leaf| leaf.signature_key = signer.public.clone(), |_, _| ());
    assert_eq!(refused, Err(TreeError::DuplicateSignatureKey));
}

/// Leaf 3 has never committed, so no parent hash depends on it but through tree hashes: what
/// is wrong with it shows after the parent hashes, or not before them.
fn lone(change: impl Fn(&mut LeafNode), rules: &LeafRules) -> Result<(), TreeError> {
    let mut group = Group::of(&crate::forge::REAL, 1, 2, &[]);
    group.commit(Plan { adds: 1, ..Plan::default() });
    let mut tree = tree_of(&group);
    // A cold tree of three.
    tree.blank(LeafIndex(0)).unwrap();
    let member = &group.member(2).member;
    let mut leaf = LeafNode::clone(tree.leaf(LeafIndex(2)).unwrap());
    change(&mut leaf);
    let group_id = member.public.context.group_id.as_slice();
    leaf.sign(&crypto(), &member.signer.private, group_id, LeafIndex(2)).unwrap();
    tree.replace(LeafIndex(2), leaf.into()).unwrap();
    verdict(&group, &tree, rules)
}

#[test]
fn leaves_that_break_a_rule() {
    let rules = LeafRules::default();
    assert_eq!(lone(|_| (), &rules), Ok(()));
    let kind = ExtensionType(0xff01);
    let extension = || Extension { extension_type: kind, extension_data: vec![].into() };
    let refused = lone(|leaf| leaf.extensions.push(extension()), &rules);
    assert_eq!(refused, Err(TreeError::OwnExtension(kind)));
    let twice = |leaf: &mut LeafNode| {
        leaf.capabilities.extensions.push(kind);
        leaf.extensions = vec![extension(), extension()];
    };
    assert_eq!(lone(twice, &rules), Err(TreeError::DuplicateExtension(kind)));
    let unsupported = |leaf: &mut LeafNode| {
        leaf.credential = Credential::X509(vec![]);
        leaf.capabilities.credentials.push(CredentialType::X509);
    };
    let error = TreeError::CredentialNotSupportedByAll(CredentialType::X509);
    assert_eq!(lone(unsupported, &rules), Err(error));
    let unlisted = |leaf: &mut LeafNode| leaf.capabilities.credentials.clear();
    let refused = lone(unlisted, &rules);
    let (all, own) = (TreeError::CredentialNotSupportedByAll, TreeError::OwnCredential);
    assert!(
        refused == Err(all(CredentialType::BASIC)) || refused == Err(own(CredentialType::BASIC))
    );
    let required = RequiredCapabilities { extension_types: vec![kind], ..Default::default() };
    let rules = LeafRules { required, group_extensions: vec![] };
    assert_eq!(lone(|_| (), &rules), Err(TreeError::RequiredCapability));
    let rules = LeafRules { group_extensions: vec![kind], ..LeafRules::default() };
    assert_eq!(lone(|_| (), &rules), Err(TreeError::GroupExtension(kind)));
}

#[test]
fn a_leaf_that_nobody_signed_or_that_was_moved() {
    let bad = Err(TreeError::Crypto(CryptoError::BadSignature));
    let group = Group::of(&crate::forge::REAL, 1, 4, &[]);
    // Nothing but leaves, one of them signed for its place.
    let mut tree = tree_of(&group);
    let committed = tree.leaf(LeafIndex(0)).unwrap().clone();
    tree.replace(LeafIndex(0), committed.clone()).unwrap();
    assert_eq!(verdict(&group, &tree, &LeafRules::default()), Ok(()));
    let mut moved = tree.clone();
    moved.blank(LeafIndex(0)).unwrap();
    moved.replace(LeafIndex(3), committed).unwrap();
    assert_eq!(verdict(&group, &moved, &LeafRules::default()), bad);
    let mut leaf = LeafNode::clone(tree.leaf(LeafIndex(1)).unwrap());
    leaf.encryption_key = vec![9; 32].into();
    tree.replace(LeafIndex(1), leaf.into()).unwrap();
    assert_eq!(verdict(&group, &tree, &LeafRules::default()), bad);
}

#[test]
fn a_leaf_with_a_key_that_is_none() {
    for key in [vec![], vec![9; 31], vec![0; 32]] {
        let refused = lone(|leaf| leaf.encryption_key = key.clone().into(), &LeafRules::default());
        assert_eq!(refused, Err(TreeError::NotAKey));
    }
}

/// An array that ends with a parent.
#[test]
fn an_even_number_of_nodes() {
    let mut tree = tree_of(&Group::of(&crate::forge::REAL, 1, 2, &[0]));
    let leaf = tree.leaf(LeafIndex(0)).unwrap().clone();
    let parent = tree.root().parent().unwrap().clone();
    tree.blank(LeafIndex(1)).unwrap();
    tree.set_path(LeafIndex(0), leaf, vec![Some(parent)]).unwrap();
    let refused = decode_tree(&encode_tree(&tree).unwrap()).map(|_| ());
    assert_eq!(refused, Err(DecodeTreeError::Even(2)));
}

#[test]
fn nodes_in_the_wrong_places() {
    let tree = tree_of(&eight());
    let leaf = NodeValue::Leaf(tree.leaf(LeafIndex(0)).unwrap().clone());
    let parent = NodeValue::Parent(tree.root().parent().unwrap().clone());
    let built = |nodes: &[Option<NodeValue<_, _>>]| {
        RatchetTree::from_nodes(Strategy::default(), nodes).map(|_| ())
    };
    assert_eq!(built(&[]), Err(NotATree::Empty));
    assert_eq!(built(&[Some(parent.clone())]), Err(NotATree::WrongKind(0)));
    assert_eq!(built(&[Some(leaf.clone()), Some(leaf.clone())]), Err(NotATree::WrongKind(1)));
    let third = [Some(leaf.clone()), Some(parent.clone()), Some(parent)];
    assert_eq!(built(&third), Err(NotATree::WrongKind(2)));
    // A blank last node, on the wire.
    let mut bytes = encode_tree(&tree).unwrap();
    let blank = [0];
    let content = bytes.split_off(2);
    let longer: tls_codec::VLBytes = [&content, &blank[..]].concat().into();
    assert_eq!(
        decode_tree(&encode(&longer).unwrap()).map(|_| ()),
        Err(DecodeTreeError::TrailingBlank)
    );
}
