//! The path of a commit, as far as it can be checked in public (RFC 9420 §7.5, §7.6, §12.4.2).

use arboretum_engine::crypto::{CryptoError, Digest};
use arboretum_engine::group::ApplyError;
use arboretum_engine::treekem::{Ciphertexts, PathError};
use arboretum_engine::treesync::{
    Credential, CredentialType, Extension, ExtensionType, LeafNodeSource, TreeError,
};

use crate::common::Plan;
use crate::forge::{RECEIVER, SENDER, forged, honest, path_of, refusal, six, with_leaf, with_path};

/// The refusal of an honest commit after a change of its path that only the frame is signed
/// over.
fn after(change: impl FnOnce(&mut arboretum_engine::treekem::UpdatePath)) -> ApplyError {
    let mut group = six();
    let message = honest(&mut group);
    refusal(&group, &forged(&group.live[&SENDER], &message, |message| change(path_of(message))))
}

#[test]
fn a_forged_path_that_changes_nothing_is_the_honest_one() {
    let message = honest(&mut six());
    assert_eq!(with_path(&mut six(), |_| ()), message);
    assert_eq!(with_leaf(&mut six(), |_| ()), message);
}

#[test]
fn the_wrong_number_of_nodes() {
    let short = after(|path| drop(path.nodes.pop()));
    assert_eq!(short, ApplyError::Path(PathError::Nodes { expected: 3, found: 2 }));
    let long = after(|path| path.nodes.push(path.nodes[0].clone()));
    assert_eq!(long, ApplyError::Path(PathError::Nodes { expected: 3, found: 4 }));
    let none = after(|path| path.nodes.clear());
    assert_eq!(none, ApplyError::Path(PathError::Nodes { expected: 3, found: 0 }));
}

#[test]
fn the_wrong_number_of_ciphertexts() {
    for node in 0..3 {
        let few = after(|path| path.nodes[node].encrypted_path_secret = Ciphertexts::default());
        let error = PathError::Ciphertexts { node, expected: 1, found: 0 };
        assert_eq!(few, ApplyError::Path(error));
        let many = after(|path| {
            let sent = &mut path.nodes[node].encrypted_path_secret;
            sent.push(&sent.get(0).unwrap()).unwrap();
        });
        let error = PathError::Ciphertexts { node, expected: 1, found: 2 };
        assert_eq!(many, ApplyError::Path(error));
    }
}

/// Who is added in the same commit gets its path secret from the Welcome.
#[test]
fn a_ciphertext_for_a_new_member() {
    let mut group = six();
    let client = group.client();
    let plan = Plan { by: SENDER, path: true, ..Plan::default() };
    let pending = group.propose(&crate::forge::crypto(), &plan, &[client]);
    // The newcomer, leaf 6, is unmerged at the copath node below the root.
    assert_eq!(pending.path.unwrap().secrets.len(), 3);
    let message = forged(&group.live[&SENDER], &pending.message, |message| {
        let root = &mut path_of(message).nodes[2].encrypted_path_secret;
        root.push(&root.get(0).unwrap()).unwrap();
    });
    let error = PathError::Ciphertexts { node: 2, expected: 1, found: 2 };
    assert_eq!(refusal(&group, &message), ApplyError::Path(error));
}

#[test]
fn another_parent_hash() {
    let error = ApplyError::Path(PathError::ParentHash);
    let hash = Digest::from([1; 32]);
    let source = LeafNodeSource::Commit(hash);
    let message = with_leaf(&mut six(), |leaf| leaf.leaf_node_source = source);
    assert_eq!(refusal(&six(), &message), error);
    // A key other than the one that was hashed, at any height.
    for node in 0..3 {
        assert_eq!(after(|path| path.nodes[node].encryption_key = vec![9; 32].into()), error);
    }
}

#[test]
fn a_leaf_that_nobody_signed() {
    let refused = after(|path| path.leaf_node.encryption_key = vec![9; 32].into());
    assert_eq!(refused, ApplyError::Crypto(CryptoError::BadSignature));
}

#[test]
fn a_leaf_of_another_source() {
    let error = ApplyError::Tree(TreeError::Source { expected: "commit" });
    let message = with_leaf(&mut six(), |leaf| leaf.leaf_node_source = LeafNodeSource::Update);
    assert_eq!(refusal(&six(), &message), error);
}

#[test]
fn a_leaf_that_keeps_its_key() {
    let old = six().live[&SENDER].member.keys.leaf().public.clone();
    let message = with_leaf(&mut six(), |leaf| leaf.encryption_key = old);
    assert_eq!(refusal(&six(), &message), ApplyError::SameLeafKey);
}

#[test]
fn a_leaf_with_unlisted_extensions() {
    let extension_type = ExtensionType(0xff01);
    let message = with_leaf(&mut six(), |leaf| {
        leaf.extensions.push(Extension { extension_type, extension_data: vec![].into() });
    });
    let error = ApplyError::Tree(TreeError::OwnExtension(extension_type));
    assert_eq!(refusal(&six(), &message), error);
}

#[test]
fn a_leaf_with_a_credential_that_not_all_support() {
    let message = with_leaf(&mut six(), |leaf| {
        leaf.credential = Credential::X509(vec![]);
        leaf.capabilities.credentials.push(CredentialType::X509);
    });
    let error = TreeError::CredentialNotSupportedByAll(CredentialType::X509);
    assert_eq!(refusal(&six(), &message), ApplyError::Tree(error));
}

#[test]
fn a_signature_key_that_is_taken() {
    let mut group = six();
    let message = honest(&mut group);
    let other = group.live[&RECEIVER].member.signer.clone();
    let message = forged(&group.live[&SENDER], &message, |message| {
        let leaf = &mut path_of(message).leaf_node;
        leaf.signature_key = other.public.clone();
        let group_id = group.member(0).member.public.context.group_id.as_slice();
        leaf.sign(&crate::forge::crypto(), &other.private, group_id, SENDER).unwrap();
    });
    assert_eq!(refusal(&group, &message), ApplyError::Tree(TreeError::DuplicateSignatureKey));
}

/// A member may take a new signature key with its commit.
#[test]
fn a_new_signature_key_is_not_refused() {
    let mut group = six();
    let message = honest(&mut group);
    let fresh = group.client().signer;
    let message = forged(&group.live[&SENDER], &message, |message| {
        let leaf = &mut path_of(message).leaf_node;
        leaf.signature_key = fresh.public.clone();
        let group_id = group.member(0).member.public.context.group_id.as_slice();
        leaf.sign(&crate::forge::crypto(), &fresh.private, group_id, SENDER).unwrap();
    });
    let receiver = &group.live[&RECEIVER];
    let crypto = crate::forge::crypto();
    assert!(receiver.member.public.apply(&crypto, &receiver.roster, &message).is_ok());
}

#[test]
fn a_key_that_stands_in_the_tree() {
    let error = ApplyError::Tree(TreeError::DuplicateEncryptionKey);
    let group = six();
    let own = &group.live[&SENDER].member.keys;
    // Somebody's leaf, a parent elsewhere, the sender's own leaf before, the nodes it replaces.
    let mut taken = vec![
        group.member(1).member.keys.leaf().public.clone(),
        group.member(5).member.keys.parents()[0].public.clone(),
        own.leaf().public.clone(),
    ];
    taken.extend(own.parents().iter().map(|pair| pair.public.clone()));
    for key in taken {
        for node in 0..3 {
            let message =
                with_path(&mut six(), |path| path.nodes[node].encryption_key = key.clone());
            assert_eq!(refusal(&group, &message), error);
        }
        if key != own.leaf().public {
            let message = with_path(&mut six(), |path| path.leaf_node.encryption_key = key);
            assert_eq!(refusal(&group, &message), error);
        }
    }
}

#[test]
fn a_key_that_is_none() {
    let error = ApplyError::Tree(TreeError::NotAKey);
    for key in [vec![], vec![9; 31], vec![0; 32]] {
        for node in 0..3 {
            let key = key.clone();
            let message =
                with_path(&mut six(), |path| path.nodes[node].encryption_key = key.into());
            assert_eq!(refusal(&six(), &message), error);
        }
    }
}

#[test]
fn a_key_twice_in_one_path() {
    let error = ApplyError::Tree(TreeError::DuplicateEncryptionKey);
    let message = with_path(&mut six(), |path| {
        path.nodes[2].encryption_key = path.nodes[0].encryption_key.clone();
    });
    assert_eq!(refusal(&six(), &message), error);
    let message = with_path(&mut six(), |path| {
        path.leaf_node.encryption_key = path.nodes[1].encryption_key.clone();
    });
    assert_eq!(refusal(&six(), &message), error);
}
