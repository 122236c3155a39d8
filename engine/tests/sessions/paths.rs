//! Whole clients that propose paths (`treekem/concurrent`): in the clear and not, renewed, removed, and where
//! a group has none.

use arboretum_engine::crypto::CipherSuite;
use arboretum_engine::group::{ApplyError, CommitPlan, Received, SessionError, Settings};
use arboretum_engine::strategy::Strategy;
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treesync::{ExtensionType, Proposal, ProposalError, ProposalType};

use crate::world::World;

/// Eight members who have all committed.
fn world(strategy: &str, settings: Settings) -> World {
    let mut world = World::new(CipherSuite::ALL[0], 1, settings);
    let client = |world: &mut World| {
        world.client_with(|profile| {
            profile.capabilities.extensions.push(ExtensionType::STRATEGY);
            profile.capabilities.proposals.push(ProposalType::PATH);
        })
    };
    let clients: Vec<_> = (0..8).map(|_| client(&mut world)).collect();
    let strategy = Strategy::parse(strategy).unwrap();
    world.found_with(&clients[0], strategy.extension().unwrap().into_iter().collect());
    world.add_all(0, clients[1..].to_vec());
    for name in 0..8 {
        world.commit(name, CommitPlan { path: true, ..world.plan() });
    }
    world
}

fn propose_path(world: &mut World, from: u64) {
    let crypto = world.crypto();
    let session = world.sessions.get_mut(&from).unwrap();
    let message = session.propose_path(&crypto, &mut world.rng).unwrap();
    world.expect_proposal(Some(from), &message);
}

fn key(world: &World, leaf: u32) -> Vec<u8> {
    let tree = &world.session(5).public().tree;
    tree.leaf(LeafIndex(leaf)).unwrap().encryption_key.as_slice().to_vec()
}

#[test]
fn one_commit_covers_the_paths_of_several() {
    for private_handshakes in [false, true] {
        let settings = Settings { private_handshakes, ..Settings::default() };
        let mut world = world("concurrent-2025", settings);
        let before = [0, 3, 6].map(|leaf| key(&world, leaf));
        // The newest of several is taken, and the committer's own is not.
        for from in [0, 3, 3, 6] {
            propose_path(&mut world, from);
        }
        let (crypto, plan) = (world.crypto(), world.plan());
        let session = world.sessions.get_mut(&6).unwrap();
        let message = session.commit(&crypto, plan, &mut world.rng).unwrap().message;
        for (name, received) in world.hand_out(None, &message) {
            let Ok(Received::Commit { applied, .. }) = received else { panic!("{name}") };
            let covered: Vec<u32> = applied.paths.iter().map(|path| path.sender.0).collect();
            assert_eq!(covered, [0, 3], "{name}");
        }
        world.check_agreement();
        let after = [0, 3, 6].map(|leaf| key(&world, leaf));
        assert!(before.iter().zip(&after).all(|(before, after)| before != after));
        // Everybody goes on from there, those who proposed first of all.
        for name in [3, 0, 1, 7] {
            world.talk(name);
            propose_path(&mut world, 7 - name);
            world.commit(name, world.plan());
        }
    }
}

#[test]
fn who_is_removed_by_the_commit_has_proposed_in_vain() {
    let mut world = world("concurrent-2025", Settings::default());
    for from in [2, 3] {
        propose_path(&mut world, from);
    }
    let proposals = vec![Proposal::Remove(LeafIndex(3))];
    let (crypto, plan) = (world.crypto(), CommitPlan { proposals, ..world.plan() });
    let session = world.sessions.get_mut(&5).unwrap();
    let message = session.commit(&crypto, plan, &mut world.rng).unwrap().message;
    // What it has received fits what it says itself: of the halves one does.
    world.expect_commit(&message);
    assert!(!world.sessions.contains_key(&3));
    world.talk(2);
    world.check_complete();
}

#[test]
fn a_group_of_rfc_9420_has_no_paths() {
    let mut world = world("rfc9420", Settings::default());
    let crypto = world.crypto();
    let session = world.sessions.get_mut(&2).unwrap();
    let refused = session.propose_path(&crypto, &mut world.rng);
    let expected = SessionError::Apply(ApplyError::Proposals(ProposalError::NoPaths));
    assert_eq!(refused, Err(expected));
    assert!(session.holdings().updates.is_empty() && session.holdings().proposals.is_empty());
}
