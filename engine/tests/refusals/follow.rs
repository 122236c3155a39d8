//! What only a member can check (RFC 9420 §6.2, §7.5, §12.4.2).

use arboretum_engine::crypto::{CryptoError, Digest, HpkeCiphertext};
use arboretum_engine::group::{FollowError, Followed, Transition};
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treekem::{
    Ciphertexts, NewPath, PathError, PathSecret, PrivateKeys, UpdatePath, merge_path,
};
use arboretum_engine::treesync::{LeafNode, LeafNodeSource, tree_hash};

use crate::common::{Group, Live, Plan};
use crate::forge::{
    RECEIVER, SENDER, bytes, crypto, forged, honest, path_of, public_message, six, tag,
};

fn applied(live: &Live, message: &[u8]) -> Transition {
    live.member.public.apply(&crypto(), &live.roster, message).unwrap()
}

/// What the receiver says of a commit that passes in public; it stays as it was, and the
/// honest commit still finds it in its place.
fn refusal(group: &mut Group<'_>, message: &[u8]) -> FollowError {
    let honest = honest(group);
    let mut live = group.live[&RECEIVER].clone();
    let transition = applied(&live, message);
    let refused = live.member.follow(&crypto(), &transition).unwrap_err();
    let before = &group.live[&RECEIVER].member;
    assert_eq!(live.member.keys, before.keys);
    assert_eq!(live.member.secrets, before.secrets);
    assert_eq!(live.member.public.context, before.public.context);
    assert_eq!(live.follow(&crypto(), &honest).0, Followed::Advanced);
    refused
}

#[test]
fn a_membership_tag_of_somebody_else() {
    let mut group = six();
    let mut message = public_message(&honest(&mut group));
    message.membership_tag = Some(Digest::from([1; 32]));
    assert_eq!(refusal(&mut group, &bytes(message)), FollowError::MembershipTag);
}

/// The content and its signature are the sender's, the tag's key is of another epoch.
#[test]
fn a_membership_tag_of_another_epoch() {
    let mut group = six();
    let plan = Plan { by: SENDER, ..Plan::default() };
    let pending = group.propose(&crypto(), &plan, &[]);
    let mut sender = group.live[&SENDER].clone();
    sender.member.secrets = pending.after.secrets;
    let mut message = public_message(&pending.message);
    tag(&sender, &mut message);
    assert_eq!(refusal(&mut group, &bytes(message)), FollowError::MembershipTag);
}

#[test]
fn another_confirmation_tag() {
    let mut group = six();
    let mut message = public_message(&honest(&mut group));
    message.confirmation_tag = Some(Digest::from([1; 32]));
    tag(&group.live[&SENDER], &mut message);
    assert_eq!(refusal(&mut group, &bytes(message)), FollowError::ConfirmationTag);
}

#[test]
fn a_commit_of_another_epoch() {
    let mut group = six();
    let mut late = group.live[&RECEIVER].clone();
    let first = group.commit(Plan { by: SENDER, ..Plan::default() }).transition;
    let second = group.commit(Plan { by: SENDER, ..Plan::default() }).transition;
    let at = late.member.epoch();
    let refused = late.member.follow(&crypto(), &second);
    assert_eq!(refused, Err(FollowError::Epoch { at, to: at + 2 }));
    assert_eq!(late.member.follow(&crypto(), &first), Ok(Followed::Advanced));
    let refused = late.member.follow(&crypto(), &first);
    assert_eq!(refused, Err(FollowError::Epoch { at: at + 1, to: at + 1 }));
    assert_eq!(late.member.follow(&crypto(), &second), Ok(Followed::Advanced));
    assert_eq!(late.member.secrets, group.live[&RECEIVER].member.secrets);
}

fn change_each(ciphertexts: &mut Ciphertexts, change: impl Fn(&mut HpkeCiphertext)) {
    let changed = ciphertexts.iter().map(|mut sent| {
        change(&mut sent);
        sent
    });
    *ciphertexts = Ciphertexts::new(changed).unwrap();
}

#[test]
fn a_ciphertext_that_does_not_open() {
    let mut group = six();
    let message = honest(&mut group);
    let message = forged(&group.live[&SENDER], &message, |message| {
        for node in &mut path_of(message).nodes {
            change_each(&mut node.encrypted_path_secret, |sent| {
                let mut changed = sent.ciphertext.as_slice().to_vec();
                changed[0] ^= 1;
                sent.ciphertext = changed.into();
            });
        }
    });
    let error = FollowError::Path(PathError::Crypto(CryptoError::BadCiphertext));
    assert_eq!(refusal(&mut group, &message), error);
}

#[test]
fn an_encapsulated_key_that_is_none() {
    let mut group = six();
    let message = honest(&mut group);
    let message = forged(&group.live[&SENDER], &message, |message| {
        for node in &mut path_of(message).nodes {
            change_each(&mut node.encrypted_path_secret, |sent| {
                sent.kem_output = vec![1; 31].into();
            });
        }
    });
    assert!(matches!(
        refusal(&mut group, &message),
        FollowError::Path(PathError::Crypto(CryptoError::BadCiphertext | CryptoError::BadKey(_)))
    ));
}

/// A commit whose path has the keys of its secrets in public, and sends in private what `change`
/// makes of them.
fn path_with(group: &mut Group<'_>, change: impl FnOnce(&mut Vec<PathSecret>)) -> Vec<u8> {
    let message = honest(group);
    let sender = &group.live[&SENDER];
    let Live { member, .. } = sender;
    let (crypto, tree) = (crypto(), &member.public.tree);
    let mut path = NewPath::generate(&crypto, 3, &[5; 32]).unwrap();
    let merged = merge_path(&crypto, tree, SENDER, &path.public_keys()).unwrap();
    let mut leaf = LeafNode::clone(tree.leaf(SENDER).unwrap());
    leaf.encryption_key = path.leaf.public.clone();
    leaf.leaf_node_source = LeafNodeSource::Commit(merged.leaf_parent_hash);
    let mut context = member.public.context.clone();
    leaf.sign(&crypto, &member.signer.private, context.group_id.as_slice(), SENDER).unwrap();
    let mut after = tree.clone();
    after.set_path(SENDER, leaf.clone().into(), merged.parents).unwrap();
    context.epoch += 1;
    context.tree_hash = tree_hash(&crypto, &after);
    change(&mut path.secrets);
    let rng = &mut group.rng;
    let nodes = path.encrypt(&crypto, tree, SENDER, &[], &context.encoded(), rng).unwrap();
    forged(sender, &message, |message| {
        *path_of(message) = UpdatePath { leaf_node: leaf, nodes };
    })
}

#[test]
fn a_path_secret_that_gives_another_key() {
    // Nothing changed: the path opens, and only the confirmation tag is of another path.
    assert_eq!(refusal(&mut six(), &path_with(&mut six(), |_| ())), FollowError::ConfirmationTag);
    // The receiver meets the sender's path at the root, node 2.
    let other = || PathSecret([7; 32].as_slice().into());
    let message = path_with(&mut six(), |secrets| secrets[2] = other());
    assert_eq!(refusal(&mut six(), &message), FollowError::Path(PathError::PublicKey(2)));
    // What is sent to others it cannot see.
    let message = path_with(&mut six(), |secrets| secrets[0] = other());
    assert_eq!(refusal(&mut six(), &message), FollowError::ConfirmationTag);
    // Leaf 3 meets it at node 0, leaves 0 and 1 at node 1; each sees what it derives itself.
    let message = path_with(&mut six(), |secrets| secrets[0] = other());
    let mut group = six();
    for (leaf, expected) in [
        (3, FollowError::Path(PathError::PublicKey(0))),
        (0, FollowError::ConfirmationTag),
        (5, FollowError::ConfirmationTag),
    ] {
        let live = group.live.get_mut(&LeafIndex(leaf)).unwrap();
        let transition = applied(live, &message);
        assert_eq!(live.member.follow(&crypto(), &transition), Err(expected));
    }
}

#[test]
fn a_path_that_is_not_for_me() {
    let mut group = six();
    let message = honest(&mut group);
    // The sender itself.
    let mut sender = group.live[&SENDER].clone();
    let transition = applied(&sender, &message);
    let refused = sender.member.follow(&crypto(), &transition);
    assert_eq!(refused, Err(FollowError::Path(PathError::NotForMe(SENDER))));
    // A member that has lost the key it would need.
    let mut receiver = group.live[&RECEIVER].clone();
    receiver.member.keys = PrivateKeys::of_leaf(receiver.member.keys.leaf().clone());
    let refused = receiver.member.follow(&crypto(), &transition);
    assert_eq!(refused, Err(FollowError::Path(PathError::NotForMe(RECEIVER))));
}

#[test]
fn a_confirmation_tag_that_the_membership_tag_does_not_cover() {
    let mut group = six();
    let mut message = public_message(&honest(&mut group));
    message.confirmation_tag = Some(Digest::from([1; 32]));
    assert_eq!(refusal(&mut group, &bytes(message)), FollowError::MembershipTag);
}
