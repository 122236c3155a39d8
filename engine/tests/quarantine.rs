//! Quarantine: random lives with ghosts at all three fidelities side by side and in counts, what ghosts and
//! thieves can read, and each rule broken.

mod common;
#[path = "quarantine/rules.rs"]
mod rules;
#[path = "common/seeds.rs"]
mod seeds;
#[path = "quarantine/sharing.rs"]
mod sharing;
#[path = "quarantine/trio.rs"]
mod trio;

use arboretum_engine::crypto::{Crypto, RealProvider};
use arboretum_engine::protocol::{ClientId, Order, Protocol};
use arboretum_engine::strategy::{Compaction, Layout, Placement, Removal, Strategy};

use trio::Trio;

/// Trees of every kind that may have ghosts.
fn strategies() -> Vec<Strategy> {
    let rfc = Strategy::RFC9420;
    let left = Strategy { layout: Layout::LeftBalanced, ..rfc };
    vec![
        rfc,
        Strategy { unmerged: false, filtered: false, ..rfc },
        Strategy { placement: Placement::Nearest, removal: Removal::FasterRemove, ..rfc },
        left,
        Strategy { compaction: Compaction::None, placement: Placement::Append, ..left },
        Strategy { layout: Layout::Ary(3), ..rfc },
        Strategy { layout: Layout::Ary(4), placement: Placement::Cheapest, ..rfc },
        Strategy { layout: Layout::BTree { least: 2, most: 3 }, ..rfc },
        Strategy { layout: Layout::Weighted, ..rfc },
        Strategy { removal: Removal::Splice, ..rfc },
        Strategy { compaction: Compaction::SmallestTree, ..rfc },
        Strategy { compaction: Compaction::Pop, ..left },
    ]
}

#[test]
fn groups_with_ghosts_over_many_seeds() {
    let mut seen = trio::Seen::default();
    for seed in 0..SEEDS {
        let mut trio = Trio::new(seed, Strategy::default());
        trio.commit(4 + seed as usize % 13, 0, 0);
        trio.live(16, 6 + seed as usize % 17);
        seen += trio.seen;
    }
    // Everything that may become of a ghost has happened.
    for count in [seen.made, seen.renewed, seen.recovered, seen.entered, seen.removed, seen.lagging]
    {
        assert!(count > SEEDS / 3, "{seen:?}");
    }
}

#[test]
fn groups_with_ghosts_under_every_strategy() {
    for (number, strategy) in strategies().into_iter().enumerate() {
        for seed in 0..STRATEGY_SEEDS {
            let mut trio = Trio::new(1_000_000 + 100 * seed + number as u64, strategy);
            trio.commit(7 + seed as usize % 20, 0, 0);
            trio.live(14, 32);
        }
    }
}

#[test]
fn a_group_of_three_hundred() {
    let mut trio = Trio::new(2_000_000, Strategy::default());
    trio.commit(299, 0, 0);
    trio.live(12, 300);
}

/// A ghost stops where it was, is shut out however it tries, and reads on once a quorum has answered.
#[test]
fn a_ghost_reads_on_from_where_it_stopped() {
    let mut trio = Trio::new(5, Strategy::default());
    trio.commit(11, 0, 0);
    let ghost = trio.members[4];
    let silent = trio.full.epoch();
    trio.advance(ghost, silent);
    // It lags one commit already when it becomes one.
    trio.commit_by(trio.members[0], &[], &[], &[]);
    trio.commit_by(trio.members[1], &[], &[], &[ghost]);
    trio.commit_by(trio.members[2], &[], &[], &[]);
    trio.commit_by(trio.members[3], &[], &[], &[ghost]);
    trio.commit_by(trio.members[0], &[], &[], &[]);
    let told = trio.full.ghost(ghost).unwrap();
    assert_eq!((told.since, told.renewed, told.keys), (silent + 2, silent + 4, 2));
    trio.advance(ghost, trio.full.epoch());
    assert_eq!(trio.full.view(ghost), Some(silent + 1));
    let old = trio.full.member(ghost).unwrap().clone();
    assert!(trio::opens_nothing(&trio, &old, silent + 2), "a stolen state opens nothing after");
    let missed = trio.full.epoch();
    trio.recover(ghost);
    assert_eq!(trio.full.view(ghost), Some(missed));
    let newest = trio.full.epoch_authenticator(trio.members[0]);
    trio.advance(trio.members[0], missed);
    assert_eq!(trio.full.epoch_authenticator(ghost), newest);
    // Until its own commit others still make its keys.
    assert!(trio.full.ghost(ghost).unwrap().recovered);
    trio.commit_by(ghost, &[], &[], &[]);
    assert_eq!(trio.full.ghost(ghost), None);
    assert_eq!(trio.shared.ghost(ghost), None);
    trio.end();
    assert!(trio::opens_nothing(&trio, &old, silent + 2), "nor after its owner has come back");
}

/// Whoever makes or holds keys and goes, makes others renew; whoever has lost too many holders enters anew.
#[test]
fn keepers_who_go_and_holders_who_are_lost() {
    let mut trio = Trio::new(6, Strategy::default());
    trio.commit(11, 0, 0);
    let ghost = ClientId(5);
    trio.commit_by(ClientId(0), &[], &[], &[ghost]);
    let before = trio.full.ghost(ghost).unwrap();
    assert_eq!(before.holders.len(), 3);
    assert!(trio.full.is_quorum(ghost, &before.holders[..2]));
    assert!(!trio.full.is_quorum(ghost, &before.holders[..1]));
    // One holder goes: the key is renewed with two of the three and another.
    let by = (1..12).map(ClientId).find(|it| *it != ghost && !before.holders.contains(it)).unwrap();
    trio.commit_by(by, &[], &before.holders[..1], &[]);
    let after = trio.full.ghost(ghost).unwrap();
    assert_eq!((after.keys, after.renewed), (2, trio.full.epoch()));
    let stay = before.holders[1..].iter().filter(|it| after.holders.contains(it)).count();
    assert_eq!(stay, 2);
    assert!(trio.full.is_quorum(ghost, &before.holders[1..]));
    // The maker becomes a ghost itself: renewed again. So does a holder.
    let third = (1..12).map(ClientId).find(|it| {
        *it != ghost && *it != by && !before.holders.contains(it) && !after.holders.contains(it)
    });
    let third = third.unwrap();
    trio.commit_by(third, &[], &[], &[by]);
    assert_eq!(trio.full.ghost(ghost).unwrap().keys, 3);
    // Another holder of the first key goes: nobody finds that key any more.
    trio.commit_by(third, &[], &before.holders[1..2], &[]);
    assert!(!trio.full.is_quorum(ghost, &trio.members));
    trio.enter_anew(ghost);
    assert_eq!(trio.full.ghost(ghost), None);
    trio.recover(by);
    trio.end();
}

/// A maker or holder cannot enter anew by itself, since nobody would renew the key that it knows of; and
/// there is no new group with the same ghosts.
#[test]
fn what_a_group_with_ghosts_refuses() {
    let mut trio = Trio::new(7, Strategy::default());
    trio.commit(7, 0, 0);
    let (maker, ghost) = (ClientId(0), ClientId(5));
    trio.commit_by(maker, &[], &[], &[ghost]);
    let holder = trio.full.ghost(ghost).unwrap().holders[0];
    for keeper in [maker, holder] {
        for told in [
            trio.full.rejoin(keeper, 1).map(|_| ()).unwrap_err().to_string(),
            trio.shared.rejoin(keeper, 1).map(|_| ()).unwrap_err().to_string(),
        ] {
            assert!(told.contains("of the key of a ghost that is not renewed"), "{told}");
        }
    }
    let told = trio.shared.rebuild(maker, 1).map(|_| ()).unwrap_err().to_string();
    assert!(told.contains("cannot replace a group that may have ghosts"), "{told}");
    assert!(trio.full.rebuild(maker, 1).is_err());
    // Nobody who is no ghost asks for shares, and none is given without a request.
    assert!(trio.full.ask_shares(holder).is_err() && trio.shared.ask_shares(holder).is_err());
    assert!(trio.full.give_shares(holder, ghost).is_err());
    assert!(trio.full.recover(ghost).is_err() && trio.shared.recover(ghost).is_err());
}

/// With fewer than three others nobody is made a ghost.
#[test]
fn a_group_too_small_for_ghosts() {
    let mut trio = Trio::new(8, Strategy::default());
    trio.commit(3, 0, 0);
    trio.commit_by(ClientId(0), &[], &[], &[ClientId(1)]);
    assert_eq!(trio.full.ghosts(), []);
    trio.commit(1, 0, 0);
    trio.commit_by(ClientId(0), &[], &[], &[ClientId(1)]);
    assert_eq!(trio.full.ghosts(), [ClientId(1)]);
    assert_eq!(trio.shared.ghosts(), [ClientId(1)]);
}

/// A joiner checks both signatures of a ghost's leaf, and pays for both.
#[test]
fn a_joiner_comes_to_a_tree_with_ghosts() {
    let mut trio = Trio::new(9, Strategy::default());
    trio.commit(8, 0, 0);
    trio.commit_by(ClientId(0), &[], &[], &[ClientId(3), ClientId(4)]);
    trio.commit(2, 0, 0);
    trio.end();
    let crypto = Crypto::new(&RealProvider);
    let newest = trio.members.iter().copied().find(|it| trio.full.ghost(*it).is_none()).unwrap();
    let (member, _) = trio.shared.materialise(newest).unwrap();
    let leaves = member.public.tree.root().leaves();
    let ghosts: Vec<_> = leaves.iter().filter(|(_, leaf)| leaf.ghost().is_some()).collect();
    assert_eq!(ghosts.len(), 2);
    let group_id = member.public.context.group_id.as_slice();
    for (index, leaf) in ghosts {
        let own = leaf.signed_by_owner(group_id, *index).unwrap().unwrap();
        let made = leaf.signed(group_id, *index).unwrap();
        assert_ne!(own.key, made.key);
        crypto.verify_all_with_label(&[own, made]).unwrap();
    }
}

/// Whoever commits in an older epoch finds ghosts as they were there; such a commit is not accepted.
#[test]
fn a_late_committer_knows_no_ghosts() {
    let mut trio = Trio::new(10, Strategy::default());
    trio.commit(7, 0, 0);
    trio.advance(ClientId(2), trio.full.epoch());
    let epoch = trio.full.epoch();
    trio.commit_by(ClientId(0), &[], &[], &[ClientId(5)]);
    let order = Order { by: ClientId(2), adds: vec![], removes: vec![ClientId(5)], now: 1 };
    let full = trio.full.quarantine(order.clone(), &[ClientId(6)]).unwrap();
    let shared = trio.shared.quarantine(order, &[ClientId(6)]).unwrap();
    assert_eq!((full.epoch, full.cost, full.ledger), (epoch, shared.cost, shared.ledger));
    assert!(trio.full.accept(full, &[]).is_err() && trio.shared.accept(shared, &[]).is_err());
    assert_eq!(trio.full.ghost(ClientId(6)), None);
}

const SEEDS: u64 = if cfg!(debug_assertions) { 60 } else { 1_500 };
const STRATEGY_SEEDS: u64 = if cfg!(debug_assertions) { 2 } else { 40 };
