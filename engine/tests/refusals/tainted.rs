//! Commits of a group that taints (`treekem/refresh.rs`), refused in public.

use arboretum_engine::crypto::Digest;
use arboretum_engine::group::ApplyError;
use arboretum_engine::strategy::Strategy;
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treedem::PublicMessage;
use arboretum_engine::treekem::PathError;
use arboretum_engine::treesync::LeafNodeSource;

use crate::common::client::Client;
use crate::common::{Group, Plan};
use crate::forge::{REAL, SENDER, commit_of, crypto, forged, path_of, refusal, with_leaf};

/// Six members on eight leaves, of whom the first has added all others.
fn six() -> Group<'static> {
    let mut group = Group::under(&REAL, 1, Strategy::parse("tainted-2021").unwrap());
    group.commit(Plan { adds: 5, ..Plan::default() });
    for by in [0, 2, 4] {
        group.commit(Plan { by: LeafIndex(by), ..Plan::default() });
    }
    group
}

/// What is said of a commit that adds these clients, once it has been changed.
fn after(adds: usize, change: impl FnOnce(&mut PublicMessage)) -> ApplyError {
    let mut group = six();
    let clients: Vec<Client> = (0..adds).map(|_| group.client()).collect();
    let plan = Plan { by: SENDER, adds, ..Plan::default() };
    let message = group.propose(&crypto(), &plan, &clients).message;
    let message = forged(&group.live[&SENDER], &message, change);
    refusal(&group, &message)
}

/// An Add alone needs none in RFC 9420.
#[test]
fn an_add_without_a_path() {
    assert_eq!(after(1, |message| commit_of(message).path = None), ApplyError::PathRequired);
}

#[test]
fn a_set_that_is_not_whole() {
    let short = after(0, |message| _ = path_of(message).nodes.pop());
    assert_eq!(short, PathError::Refreshed { expected: 3, found: 2 }.into());
    // Leaf 6 is added; the parent above it and leaf 7 is part of the set.
    let short = after(1, |message| _ = path_of(message).nodes.pop());
    assert_eq!(short, PathError::Refreshed { expected: 5, found: 4 }.into());
}

#[test]
fn a_ciphertext_that_is_missing() {
    let missing = after(0, |message| {
        path_of(message).nodes[0].encrypted_path_secret = Default::default();
    });
    assert_eq!(missing, PathError::Ciphertexts { node: 0, expected: 1, found: 0 }.into());
}

#[test]
fn a_leaf_with_a_parent_hash() {
    let message = with_leaf(&mut six(), |leaf| {
        leaf.leaf_node_source = LeafNodeSource::Commit(Digest::from([1; 32]));
    });
    assert_eq!(refusal(&six(), &message), PathError::ParentHash.into());
}
