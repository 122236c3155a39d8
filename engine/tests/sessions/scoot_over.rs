//! `compaction=scoot-over` among whole clients: a committer moves to the leftmost blank leaf, goes on
//! from there, and is refused wherever else it says it stands.

use arboretum_engine::crypto::{CipherSuite, CryptoError};
use arboretum_engine::group::{
    ApplyError, CommitError, CommitPlan, CommitRequest, Received, Session, SessionError, Settings,
};
use arboretum_engine::strategy::{Compaction, Strategy};
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treekem::PathError;
use arboretum_engine::treesync::{
    ExtensionType, Move, Proposal, RatchetTree, TreeError, decode_tree_of, encode_tree,
};

use crate::forge::{commit_with, commit_with_leaf, refusal};
use crate::world::{Client, World};

const SCOOT_OVER: Strategy = Strategy { compaction: Compaction::ScootOver, ..Strategy::RFC9420 };

/// Who moves, and who is asked.
const MOVER: u64 = 7;
const RECEIVER: u64 = 3;

/// A client that can be in such a group.
fn client(world: &mut World) -> Client {
    world.client_with(|profile| profile.capabilities.extensions.push(ExtensionType::STRATEGY))
}

/// Eight members who have all committed; then the third is removed by the first, so that leaf 2 is
/// blank, and the mover stands right of it.
fn world(settings: Settings) -> World {
    let mut world = World::new(CipherSuite::ALL[0], 1, settings);
    let clients: Vec<_> = (0..8).map(|_| client(&mut world)).collect();
    world.found_with(&clients[0], SCOOT_OVER.extension().unwrap().into_iter().collect());
    world.add_all(0, clients[1..].to_vec());
    for name in 0..8 {
        world.commit(name, CommitPlan { path: true, ..world.plan() });
    }
    let proposals = vec![Proposal::Remove(LeafIndex(2))];
    world.commit(0, CommitPlan { proposals, ..world.plan() });
    world
}

/// The sender's tree as one in which nobody moves.
fn standing(tree: &RatchetTree) -> RatchetTree {
    decode_tree_of(Strategy::RFC9420, &encode_tree(tree).unwrap()).unwrap()
}

#[test]
fn a_committer_moves_and_goes_on_from_there() {
    for private_handshakes in [false, true] {
        let mut world = world(Settings { private_handshakes, ..Settings::default() });
        assert_eq!(world.leaf(MOVER), LeafIndex(7));
        let (crypto, plan) = (world.crypto(), CommitPlan { path: true, ..world.plan() });
        let session = world.sessions.get_mut(&MOVER).unwrap();
        let late = session.send(&crypto, b"before", b"", &mut world.rng).unwrap();
        let message = session.commit(&crypto, plan, &mut world.rng).unwrap().message;
        for (name, received) in world.hand_out(None, &message) {
            let Ok(Received::Commit { committer, applied }) = received else { panic!("{name}") };
            let moved = Move { from: LeafIndex(7), to: LeafIndex(2) };
            assert_eq!((committer, applied.moved), (moved.to, Some(moved)), "{name}");
        }
        world.check_agreement();
        assert_eq!(world.leaf(MOVER), LeafIndex(2));
        world.talk(MOVER);
        // What it sent from its old leaf is read as sent from there.
        let received = world.session_mut(RECEIVER).receive(&crypto, &late).unwrap();
        let Received::Application { sender, .. } = received else { panic!("{received:?}") };
        assert_eq!(sender, LeafIndex(7));
        world.update(MOVER);
        world.commit(RECEIVER, world.plan());
        assert_eq!(world.leaf(RECEIVER), LeafIndex(3), "nothing is left of it");
        world.commit(MOVER, CommitPlan { path: true, ..world.plan() });
        world.talk(MOVER);
    }
}

#[test]
fn a_newcomer_comes_after_the_mover() {
    let mut world = world(Settings::default());
    let newcomer = client(&mut world);
    let proposals = vec![newcomer.add()];
    let plan = CommitPlan { proposals, path: true, ..world.plan() };
    let welcome = world.commit(MOVER, plan).unwrap();
    world.join_all(&welcome, vec![newcomer]);
    assert_eq!((world.leaf(MOVER), world.leaf(8)), (LeafIndex(2), LeafIndex(7)));
}

#[test]
fn a_commit_without_a_path_moves_nobody() {
    let mut world = world(Settings::default());
    let newcomer = client(&mut world);
    world.add_all(MOVER, vec![newcomer]);
    assert_eq!((world.leaf(MOVER), world.leaf(8)), (LeafIndex(7), LeafIndex(2)));
}

#[test]
fn who_does_not_know_the_rule_cannot_be_added() {
    let mut world = world(Settings::default());
    let proposals = vec![world.client().add()];
    let (crypto, plan) = (world.crypto(), CommitPlan { proposals, ..world.plan() });
    let session = world.sessions.get_mut(&MOVER).unwrap();
    let refused = session.commit(&crypto, plan, &mut world.rng).unwrap_err();
    assert!(refused.to_string().contains("the group's extension type"), "{refused}");
}

/// The leaf of the path signed for the leaf that its sender gives up.
#[test]
fn a_leaf_signed_for_the_old_place() {
    let mut world = world(Settings::default());
    let message = commit_with_leaf(&mut world, MOVER, |_| ());
    let error = ApplyError::Crypto(CryptoError::BadSignature);
    assert_eq!(refusal(&mut world, RECEIVER, &message), error.into());
}

/// A commit of somebody who stays, as it is right under RFC 9420.
fn stays(world: &mut World) -> Vec<u8> {
    let crypto = world.crypto();
    let session = &world.sessions[&MOVER];
    let mut member = session.member().clone();
    member.public.tree = standing(&member.public.tree);
    let request = CommitRequest { path: true, now: 1, ..CommitRequest::default() };
    member.commit(&crypto, session.roster(), request, &mut world.rng).unwrap().message
}

#[test]
fn who_must_move_may_not_stay() {
    let mut world = world(Settings::default());
    let message = stays(&mut world);
    let error = ApplyError::Crypto(CryptoError::BadSignature);
    assert_eq!(refusal(&mut world, RECEIVER, &message), error.into());
}

/// The path of who stays, under the name of the leaf to which it must move.
#[test]
fn the_path_of_the_old_place() {
    let mut world = world(Settings::default());
    let crypto = world.crypto();
    let stayed = stays(&mut world);
    let mut path = crate::forge::path_of(&stayed);
    let member = world.session(MOVER).member().clone();
    let group_id = member.public.context.group_id.as_slice();
    path.leaf_node.sign(&crypto, &member.signer.private, group_id, LeafIndex(2)).unwrap();
    let message = commit_with(&mut world, MOVER, |commit| commit.path = Some(path));
    // Its old subtree is blank without it: two keys stand there, where it knows of one.
    let error = PathError::Ciphertexts { node: 2, expected: 2, found: 1 };
    assert_eq!(refusal(&mut world, RECEIVER, &message), ApplyError::Path(error).into());
}

/// Whoever moves is in no roster while others are added, and yet cannot be added a second time.
#[test]
fn nobody_adds_a_second_self() {
    let mut world = world(Settings::default());
    let signer = world.session(MOVER).member().signer.clone();
    let mut twin = world.client_named(MOVER, signer);
    let key = twin.signer.private.clone();
    twin.package.leaf_node.capabilities.extensions.push(ExtensionType::STRATEGY);
    twin.package.leaf_node.sign(&world.crypto(), &key, &[], LeafIndex(0)).unwrap();
    let tbs = twin.package.signed().unwrap().content;
    twin.package.signature = world.crypto().sign_with_label(&key, "KeyPackageTBS", &tbs).unwrap();
    let plan = CommitPlan { proposals: vec![twin.add()], path: true, ..world.plan() };
    let crypto = world.crypto();
    let session: &mut Session = world.sessions.get_mut(&MOVER).unwrap();
    let refused = session.commit(&crypto, plan, &mut world.rng).unwrap_err();
    let error = ApplyError::Tree(TreeError::DuplicateSignatureKey);
    assert_eq!(refused, SessionError::Commit(CommitError::Apply(error)));
}
