//! A roster that is followed from change to change is the roster of the tree.

mod common;

use arboretum_engine::crypto::{Crypto, RealProvider};
use arboretum_engine::strategy::Strategy;
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treesync::{
    Credential, CredentialType, LeafNode, RatchetTree, Roster, RosterChange, RosterDraft,
    TreeError, apply_add,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use common::client::Client;

const X509: Credential = Credential::X509(vec![]);

/// A leaf that uses one credential type and supports `supported`.
fn leaf(seed: u64, credential: Credential, supported: &[CredentialType]) -> LeafNode {
    let provider = RealProvider::new();
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let client = Client::with_credential(&Crypto::new(&provider), credential, &mut rng);
    let mut leaf = client.package.leaf_node;
    leaf.capabilities.credentials = supported.to_vec();
    leaf
}

fn basic(seed: u64, supported: &[CredentialType]) -> LeafNode {
    leaf(seed, Credential::Basic(vec![].into()), supported)
}

fn tree_of(leaves: &[LeafNode]) -> RatchetTree {
    let mut tree = RatchetTree::new(Strategy::default());
    leaves.iter().for_each(|leaf| {
        apply_add(&mut tree, leaf.clone().into()).unwrap();
    });
    tree
}

const BOTH: [CredentialType; 2] = [CredentialType::BASIC, CredentialType::X509];

#[test]
fn a_credential_type_that_came_and_went_leaves_nothing_behind() {
    let tree = tree_of(&[basic(1, &BOTH), basic(2, &BOTH)]);
    let before = Roster::of(&tree).unwrap();
    let mut roster = before.clone();
    let guest = leaf(3, X509, &BOTH);
    let mut draft = RosterDraft::new(&roster);
    draft.enter_leaf(&guest).unwrap();
    let arrival = draft.finish().unwrap();
    roster.advance(&arrival);
    assert_eq!(
        roster,
        Roster::of(&tree_of(&[basic(1, &BOTH), basic(2, &BOTH), guest.clone()])).unwrap()
    );
    let mut draft = RosterDraft::new(&roster);
    draft.leave_leaf(&guest);
    let departure = draft.finish().unwrap();
    roster.advance(&departure);
    assert_eq!(roster, before);
    roster.advance(&RosterChange::inverse(&departure));
    roster.advance(&RosterChange::inverse(&arrival));
    assert_eq!(roster, before);
}

#[test]
fn a_credential_type_in_use_must_be_supported_by_all() {
    let refused = Err(TreeError::CredentialNotSupportedByAll(CredentialType::X509));
    let reserved = basic(1, &[CredentialType::BASIC]);
    let (open, guest) = (basic(2, &BOTH), leaf(3, X509, &BOTH));
    assert_eq!(Roster::of(&tree_of(&[reserved.clone(), guest.clone()])), refused.clone());
    let roster = Roster::of(&tree_of(&[reserved.clone(), open.clone()])).unwrap();
    let mut draft = RosterDraft::new(&roster);
    draft.enter_leaf(&guest).unwrap();
    assert_eq!(draft.finish().map(|_| Roster::default()), refused);
    // It is the state after the commit that counts: whoever does not support it may leave.
    let mut draft = RosterDraft::new(&roster);
    draft.leave_leaf(&reserved);
    draft.enter_leaf(&guest).unwrap();
    let mut after = roster.clone();
    after.advance(&draft.finish().unwrap());
    let mut tree = tree_of(&[reserved, open, guest]);
    tree.blank(LeafIndex(0)).unwrap();
    assert_eq!(after, Roster::of(&tree).unwrap());
}
