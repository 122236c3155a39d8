//! Groups whose trees are free, among whole clients: leaves keep their numbers, messages find their
//! senders, and leaves that miscount their members' commits are refused.

use arboretum_engine::crypto::CipherSuite;
use arboretum_engine::group::{ApplyError, CommitError, CommitPlan, SessionError, Settings};
use arboretum_engine::strategy::Strategy;
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treesync::{Extension, ExtensionType, Proposal, ProposalError, TreeError};

use crate::forge::{commit_with_leaf, refusal};
use crate::world::{Client, World};

/// A client that can be in such a group.
fn client(world: &mut World) -> Client {
    world.client_with(|profile| {
        let known = [ExtensionType::STRATEGY, ExtensionType::COMMITS];
        profile.capabilities.extensions.extend(known);
    })
}

/// Nine members under a strategy, all of whom have committed.
fn world(strategy: &str, settings: Settings) -> World {
    let mut world = World::new(CipherSuite::ALL[0], 1, settings);
    let strategy = Strategy::parse(strategy).unwrap();
    let clients: Vec<_> = (0..9).map(|_| client(&mut world)).collect();
    world.found_with(&clients[0], strategy.extension().unwrap().into_iter().collect());
    world.add_all(0, clients[1..].to_vec());
    for name in 0..9 {
        world.commit(name, CommitPlan { path: true, ..world.plan() });
    }
    world
}

/// The width falls below the numbers of those who stay, and messages are protected by number.
#[test]
fn members_talk_whatever_their_numbers() {
    let strategies = [
        "smallest-tree",
        "bonsai-2024",
        "multicast-2022",
        "multicast-2022+shape=llrb",
        "rfc9420+shape=weight-balanced:70",
        "rfc9420+shape=weighted",
        "rfc9420+shape=left-balanced+compaction=pop",
    ];
    for strategy in strategies {
        let private_handshakes = true;
        let mut world = world(strategy, Settings { private_handshakes, ..Settings::default() });
        let removed = (1..7).map(|name| Proposal::Remove(world.leaf(name)));
        let proposals = removed.collect();
        world.commit(8, CommitPlan { proposals, path: true, ..world.plan() });
        assert_eq!(world.session(8).public().tree.width(), 3, "{strategy}");
        assert_eq!(world.leaf(8), LeafIndex(8), "{strategy}");
        world.talk(8);
        world.update(0);
        let newcomer = client(&mut world);
        world.add_all(7, vec![newcomer]);
        assert_eq!(world.leaf(9), LeafIndex(1), "{strategy}");
        (7..10).for_each(|name| world.talk(name));
        world.commit(9, CommitPlan { path: true, ..world.plan() });
        world.check_agreement();
    }
}

#[test]
fn a_miscount_of_commits_is_refused() {
    for strategy in ["rfc9420+shape=weighted", "rfc9420+placement=by-activity"] {
        let mut world = world(strategy, Settings::default());
        for found in [0, 1, 3] {
            let message = commit_with_leaf(&mut world, 3, |leaf| leaf.set_commits(found));
            let error = ApplyError::Tree(TreeError::Commits { expected: 2, found });
            assert_eq!(refusal(&mut world, 5, &message), error.into(), "{strategy}");
        }
        // An Update says what the leaf has said before.
        let crypto = world.crypto();
        let session = world.sessions.get_mut(&3).unwrap();
        let inflated =
            session.propose_update(&crypto, None, |leaf| leaf.set_commits(7), &mut world.rng);
        let error = ProposalError::Tree(TreeError::Commits { expected: 1, found: 7 });
        assert_eq!(inflated.unwrap_err(), ApplyError::Proposals(error).into(), "{strategy}");
    }
}

#[test]
fn who_cannot_count_or_has_counted_already_is_not_added() {
    let mut world = world("rfc9420+shape=weighted", Settings::default());
    let refused = |world: &mut World, newcomer: Client| {
        let plan = CommitPlan { proposals: vec![newcomer.add()], ..world.plan() };
        let crypto = world.crypto();
        let session = world.sessions.get_mut(&3).unwrap();
        match session.commit(&crypto, plan, &mut world.rng).unwrap_err() {
            SessionError::Commit(CommitError::Apply(ApplyError::Proposals(error))) => error,
            other => panic!("{other}"),
        }
    };
    let silent =
        world.client_with(|profile| profile.capabilities.extensions.push(ExtensionType::STRATEGY));
    let error = TreeError::OwnExtension(ExtensionType::COMMITS);
    assert_eq!(refused(&mut world, silent), error.into());
    let boastful = world.client_with(|profile| {
        let known = [ExtensionType::STRATEGY, ExtensionType::COMMITS];
        profile.capabilities.extensions.extend(known);
        let extension_data = 5_u32.to_be_bytes().to_vec().into();
        let extension_type = ExtensionType::COMMITS;
        profile.leaf_extensions.push(Extension { extension_type, extension_data });
    });
    let error = TreeError::Commits { expected: 0, found: 5 };
    assert_eq!(refused(&mut world, boastful), error.into());
}
