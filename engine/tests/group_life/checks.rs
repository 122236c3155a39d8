//! What must hold after every commit.

use std::collections::BTreeSet;

use arboretum_engine::crypto::{Crypto, CryptoError, HpkePublicKey};
use arboretum_engine::group::FollowError;
use arboretum_engine::tree::{Aggregates, LeafIndex, Resolved, Subtree};
use arboretum_engine::treekem::{expected_ciphertexts, recipients};
use arboretum_engine::treesync::{
    RatchetData, Roster, decode_tree, encode_tree, encoded_tree_length, tree_hash, validate_tree,
};

use crate::common::{Group, Live, Round};

pub(crate) fn check_all(group: &Group<'_>, round: &Round) {
    check_agreement(group, round);
    check_tree(group);
    group.live.values().for_each(|live| check_keys(&group.crypto(), live));
    check_cost(round);
    check_recipients(group, round);
}

/// All members are in one epoch, with one state.
fn check_agreement(group: &Group<'_>, round: &Round) {
    let committer = &round.pending.after;
    assert_eq!(committer.epoch(), round.before.epoch() + 1);
    for (leaf, live) in &group.live {
        let Live { member, roster, .. } = live;
        assert_eq!(member.leaf, *leaf);
        assert_eq!(member.secrets, committer.secrets);
        assert_eq!(member.public.context, committer.public.context);
        assert_eq!(member.public.interim_transcript_hash, committer.public.interim_transcript_hash);
        assert_eq!(
            tree_hash(&group.crypto(), &member.public.tree),
            member.public.context.tree_hash
        );
        assert_eq!(*roster, Roster::of(&member.public.tree).unwrap());
    }
    assert_ne!(round.before.context.tree_hash, round.transition.after.context.tree_hash);
}

/// The tree is valid, comes back from its bytes, and all its caches are what a recount gives.
fn check_tree(group: &Group<'_>) {
    let crypto = group.crypto();
    let (_, Live { member, roster, .. }) = group.live.first_key_value().expect("somebody is left");
    let (tree, context) = (&member.public.tree, &member.public.context);
    assert!(tree.root().recount());
    assert_eq!(tree.members() as usize, group.live.len());
    let bytes = encode_tree(tree).unwrap();
    assert_eq!(encoded_tree_length(tree), bytes.len());
    let decoded = decode_tree(&bytes).unwrap();
    assert_eq!(decoded.aggregates(), tree.aggregates());
    assert_eq!(tree_hash(&crypto, &decoded), context.tree_hash);
    assert_eq!(encode_tree(&decoded).unwrap(), bytes);
    let rules = context.leaf_rules().unwrap();
    let group_id = context.group_id.as_slice();
    assert_eq!(validate_tree(&crypto, &decoded, group_id, &rules).as_ref(), Ok(roster));
}

/// A member holds its leaf's key, the key of each parent above it where it is merged, and no
/// other.
fn check_keys(crypto: &Crypto<'_>, live: &Live) {
    let member = &live.member;
    let tree = &member.public.tree;
    let leaf = tree.leaf(member.leaf).expect("a member has a leaf");
    assert_eq!(member.keys.leaf().public, leaf.encryption_key);
    let path = tree.direct_path(member.leaf).unwrap();
    let merged = path
        .iter()
        .filter_map(|step| step.node.parent())
        .filter(|parent| !parent.unmerged_leaves.contains(&member.leaf));
    let expected: Vec<&HpkePublicKey> = merged.map(|parent| &parent.encryption_key).collect();
    let held: Vec<&HpkePublicKey> = member.keys.parents().iter().map(|pair| &pair.public).collect();
    assert_eq!(held, expected, "{}", member.leaf);
    for pair in std::iter::once(member.keys.leaf()).chain(member.keys.parents()) {
        let again = crypto.provider().key_pair(pair.private.as_slice()).unwrap();
        assert_eq!(again.public, pair.public);
    }
}

/// The cost is what the tree before the path predicts, and its bytes add up.
fn check_cost(round: &Round) {
    let cost = round.pending.cost;
    let parts = cost.bytes_proposals
        + cost.bytes_leaf_node
        + cost.bytes_path_keys
        + cost.bytes_path_ciphertexts
        + cost.bytes_framing;
    assert_eq!(parts, cost.bytes);
    assert_eq!(cost.bytes, round.pending.message.len() as u64);
    assert_eq!(cost.bytes_welcome, round.pending.welcome.as_ref().map_or(0, Vec::len) as u64);
    let Some(path) = &round.transition.path else {
        assert_eq!((cost.ciphertexts, cost.public_keys, cost.bytes_leaf_node), (0, 0, 0));
        return;
    };
    let added = &round.transition.added;
    let steps = path.tree_before.filtered_direct_path(round.plan.by).unwrap();
    let ciphertexts: usize = steps.iter().map(|step| recipients(step, added).len()).sum();
    let expected: usize = steps.iter().map(|step| expected_ciphertexts(step, added)).sum();
    assert_eq!((ciphertexts, steps.len()), (expected, cost.public_keys as usize));
    assert_eq!(cost.ciphertexts as usize, ciphertexts);
    // 32 bytes and a header for a key; 82 for a ciphertext, of which a vector has its header.
    assert_eq!(cost.bytes_path_keys, 33 * cost.public_keys);
    assert!(cost.bytes_path_ciphertexts >= 82 * cost.ciphertexts + cost.public_keys);
}

/// Every ciphertext goes to a key that some member of the new epoch holds, and to none that
/// anybody removed, now or earlier, has ever held.
fn check_recipients(group: &Group<'_>, round: &Round) {
    let Some(path) = &round.transition.path else { return };
    let steps = path.tree_before.filtered_direct_path(round.plan.by).unwrap();
    let to = steps.iter().flat_map(|step| recipients(step, &round.transition.added));
    let to: BTreeSet<&HpkePublicKey> = to
        .map(|entry| match entry {
            Resolved::Parent(parent) => &parent.encryption_key,
            Resolved::Leaf(_, leaf) => &leaf.encryption_key,
        })
        .collect();
    let held: BTreeSet<&HpkePublicKey> =
        group.live.values().flat_map(|live| &live.held).map(|pair| &pair.public).collect();
    assert!(to.is_subset(&held));
    for gone in &group.gone {
        assert!(gone.held.iter().all(|pair| !to.contains(&pair.public)));
    }
}

/// No key that a removed member ever held, or that a joiner has been given, opens any
/// ciphertext of this commit's path.
pub(crate) fn check_locked_out(crypto: &Crypto<'_>, outsider: &Live, round: &Round) {
    let Some(path) = &round.transition.path else { return };
    for pair in &outsider.held {
        for (node, sent) in path.update_path.nodes.iter().enumerate() {
            for position in 0..sent.encrypted_path_secret.len() {
                let context = &path.provisional_context;
                let opened = path.update_path.open(crypto, pair, node, position, context);
                assert_eq!(opened.err(), Some(CryptoError::BadCiphertext));
            }
        }
    }
}

/// A removed member that goes on following in public does not get the next epoch's secrets:
/// it cannot even check the membership tag.
pub(crate) fn check_cannot_follow(group: &Group<'_>, gone: &mut Live, message: &[u8]) {
    let crypto = group.crypto();
    let transition = gone.member.public.apply(&crypto, &gone.roster, message).unwrap();
    let before = gone.member.keys.clone();
    if !transition.applied.removed.contains(&gone.member.leaf) {
        assert_eq!(gone.member.follow(&crypto, &transition), Err(FollowError::MembershipTag));
    }
    assert_eq!(gone.member.keys, before);
    gone.roster.advance(&transition.roster_changes);
    gone.member.public = transition.after;
}

/// The aggregates of every node that is not inside an all-blank subtree, with its unmerged
/// leaves: the shape of a tree without its keys.
pub(crate) fn shape(subtree: Subtree<'_, RatchetData>) -> Vec<(Aggregates, Vec<LeafIndex>)> {
    let unmerged = subtree.parent().map(|parent| parent.unmerged_leaves.clone());
    let own = (*subtree.aggregates(), unmerged.unwrap_or_default());
    std::iter::once(own).chain(subtree.children().flat_map(shape)).collect()
}
