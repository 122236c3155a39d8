//! The leaf of an Update and of a path (RFC 9420 §7.3), each rule broken.

use arboretum_engine::crypto::CryptoError;
use arboretum_engine::group::{CommitPlan, SessionError, Settings};
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treedem::Content;
use arboretum_engine::treesync::{
    CredentialType, Extension, ExtensionType, LeafNode, LeafNodeError, LeafNodeSource, Proposal,
    ProposalError, ProposalType, RequiredCapabilities, TreeError,
};

use crate::forge::{commit_with_leaf, refusal};
use crate::messages::Forgery;
use crate::world::{CUSTOM, EXTENSION, World};

/// Who updates, and who is asked.
const SENDER: u64 = 1;
const RECEIVER: u64 = 0;

/// The sender's new leaf for an Update, not yet signed.
fn leaf(world: &mut World) -> LeafNode {
    let fresh = world.client().package.leaf_node.encryption_key;
    let tree = &world.session(SENDER).public().tree;
    let mut leaf = LeafNode::clone(tree.leaf(world.leaf(SENDER)).unwrap());
    leaf.encryption_key = fresh;
    leaf.leaf_node_source = LeafNodeSource::Update;
    leaf
}

fn sign(world: &World, leaf: &mut LeafNode, group_id: &[u8], at: LeafIndex) {
    let key = &world.session(SENDER).member().signer.private;
    leaf.sign(&world.crypto(), key, group_id, at).unwrap();
}

fn proposed(world: &mut World, leaf: LeafNode) -> SessionError {
    let message = Forgery::of(world).message(Content::Proposal(Proposal::Update(leaf)));
    refusal(world, RECEIVER, &message)
}

/// What is said to an Update with a leaf that was changed and signed.
fn update(world: &mut World, change: impl FnOnce(&mut LeafNode)) -> ProposalError {
    let mut leaf = leaf(world);
    change(&mut leaf);
    let group_id = world.session(SENDER).public().context.group_id.clone();
    let at = world.leaf(SENDER);
    sign(world, &mut leaf, group_id.as_slice(), at);
    match proposed(world, leaf) {
        SessionError::Apply(arboretum_engine::group::ApplyError::Proposals(error)) => error,
        other => panic!("{other} is not about the proposal"),
    }
}

fn three() -> World {
    World::of(3, 1, Settings::default())
}

fn updated(change: impl FnOnce(&mut LeafNode)) -> ProposalError {
    update(&mut three(), change)
}

fn path(world: &mut World, change: impl FnOnce(&mut LeafNode)) -> SessionError {
    let message = commit_with_leaf(world, SENDER, change);
    refusal(world, RECEIVER, &message)
}

fn in_tree(error: TreeError) -> SessionError {
    SessionError::Apply(error.into())
}

#[test]
fn an_update_of_another_source() {
    let lifetime = arboretum_engine::treesync::Lifetime { not_before: 0, not_after: 1_000 };
    for source in [LeafNodeSource::KeyPackage(lifetime), LeafNodeSource::Commit([1; 32].into())] {
        let refused = updated(|leaf| leaf.leaf_node_source = source);
        assert_eq!(refused, ProposalError::Tree(TreeError::Source { expected: "update" }));
    }
}

#[test]
fn an_update_that_keeps_its_key() {
    let mut world = three();
    let old = world.session(SENDER).member().keys.leaf().public.clone();
    let refused = update(&mut world, |leaf| leaf.encryption_key = old);
    assert_eq!(refused, ProposalError::SameLeafKey(LeafIndex(1)));
}

#[test]
fn an_update_that_was_signed_for_another_place() {
    let bad = SessionError::Apply(ProposalError::Crypto(CryptoError::BadSignature).into());
    for (group_id, at) in [(&b"the group"[..], 2), (b"another group", 1)] {
        let mut world = three();
        let mut leaf = leaf(&mut world);
        sign(&world, &mut leaf, group_id, LeafIndex(at));
        assert_eq!(proposed(&mut world, leaf), bad);
    }
    // Changed without being signed again.
    let mut world = three();
    let mut leaf = leaf(&mut world);
    sign(&world, &mut leaf, b"the group", LeafIndex(1));
    leaf.capabilities.proposals.clear();
    assert_eq!(proposed(&mut world, leaf), bad);
}

#[test]
fn an_update_with_keys_that_are_taken() {
    let mut world = three();
    let other = world.session(2).member().clone();
    let key = other.keys.leaf().public.clone();
    let refused = update(&mut world, |leaf| leaf.encryption_key = key);
    assert_eq!(refused, ProposalError::Tree(TreeError::DuplicateEncryptionKey));
    let key = other.signer.public.clone();
    let refused = update(&mut world, |leaf| leaf.signature_key = key);
    assert_eq!(refused, ProposalError::Tree(TreeError::DuplicateSignatureKey));
}

#[test]
fn an_update_with_a_key_that_is_none() {
    for key in [vec![], vec![9; 31], vec![0; 32]] {
        let refused = updated(|leaf| leaf.encryption_key = key.into());
        assert_eq!(refused, ProposalError::Tree(TreeError::NotAKey));
    }
}

#[test]
fn an_update_that_leaves_out_what_it_uses() {
    let kind = ExtensionType(0xff07);
    let extension = || Extension { extension_type: kind, extension_data: vec![].into() };
    let refused = updated(|leaf| leaf.extensions.push(extension()));
    assert_eq!(refused, ProposalError::Tree(TreeError::OwnExtension(kind)));
    let refused = updated(|leaf| {
        leaf.capabilities.extensions.push(kind);
        leaf.extensions = vec![extension(), extension()];
    });
    assert_eq!(refused, ProposalError::Tree(TreeError::DuplicateExtension(kind)));
    let refused = updated(|leaf| leaf.capabilities.credentials.clear());
    assert_eq!(refused, ProposalError::Tree(TreeError::OwnCredential(CredentialType::BASIC)));
}

/// A group that demands something, the error that names it, and a leaf's change that drops it.
type Demand = (World, TreeError, fn(&mut LeafNode));

/// A group with an extension in its context, and one that requires a proposal type.
fn demanding() -> [Demand; 2] {
    let required = RequiredCapabilities { proposal_types: vec![CUSTOM], ..Default::default() };
    let data = arboretum_engine::codec::encode(&required).unwrap();
    let of = |extension_type, data: Vec<u8>| {
        let extension = Extension { extension_type, extension_data: data.into() };
        let mut world = three();
        let proposals = vec![Proposal::GroupContextExtensions(vec![extension])];
        world.commit(2, CommitPlan { proposals, ..world.plan() });
        world
    };
    [
        (of(EXTENSION, vec![]), TreeError::GroupExtension(EXTENSION), |leaf| {
            leaf.capabilities.extensions.clear();
        }),
        (of(ExtensionType::REQUIRED_CAPABILITIES, data), TreeError::RequiredCapability, |leaf| {
            leaf.capabilities.proposals.clear();
        }),
    ]
}

#[test]
fn a_member_may_not_drop_what_the_group_demands() {
    for (mut world, error, drop) in demanding() {
        assert_eq!(update(&mut world, drop), ProposalError::Tree(error.clone()));
        assert_eq!(path(&mut world, drop), in_tree(error));
        world.talk(SENDER);
    }
}

#[test]
fn a_path_with_a_leaf_that_breaks_a_rule() {
    let mut world = three();
    let credentials = |leaf: &mut LeafNode| leaf.capabilities.credentials.clear();
    let error = TreeError::OwnCredential(CredentialType::BASIC);
    assert_eq!(path(&mut world, credentials), in_tree(error));
    for key in [vec![], vec![9; 31], vec![0; 32]] {
        let refused = path(&mut world, |leaf| leaf.encryption_key = key.into());
        assert_eq!(refused, in_tree(TreeError::NotAKey));
    }
    world.talk(SENDER);
}

/// Default types are never listed; whoever makes a leaf sees to that.
#[test]
fn an_update_that_lists_default_types_is_not_made() {
    let mut world = three();
    let crypto = world.crypto();
    let mut made = |change: fn(&mut LeafNode)| {
        let session = world.sessions.get_mut(&SENDER).unwrap();
        let before = session.digest(&crypto).unwrap();
        let made = session.propose_update(&crypto, None, change, &mut world.rng);
        assert_eq!(session.digest(&crypto).unwrap(), before);
        made.map(|_| ())
    };
    let refused = made(|leaf| leaf.capabilities.proposals.push(ProposalType::ADD));
    assert_eq!(refused, Err(LeafNodeError::DefaultProposal(ProposalType::ADD).into()));
    let kind = ExtensionType::APPLICATION_ID;
    let refused = made(|leaf| leaf.capabilities.extensions.push(ExtensionType::APPLICATION_ID));
    assert_eq!(refused, Err(LeafNodeError::DefaultExtension(kind).into()));
}
