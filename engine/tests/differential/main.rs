//! `full` against `shared` against `counted`: random sequences of operations, driven through
//! all three, must give the same trees, bytes, ledgers and epoch secrets after every commit; and
//! groups in counts must give the same trees, ciphertexts and public keys.
//!
//! | file | what is there |
//! |---|---|
//! | this one | what is done with groups, under which strategies and seeds |
//! | `harness` | the fidelities side by side |
//! | `seeds` | seeds by address, which other tests have too |
//! | `remembering` | the real provider, asked once for the same thing |

mod harness;
mod remembering;
#[path = "../common/seeds.rs"]
mod seeds;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use arboretum_engine::protocol::{ClientId, Order, Protocol};
use arboretum_engine::strategy::{Compaction, Strategy};

use harness::{Trio, strategies};

/// Does so many things, as many at a time as there are processors.
fn each(count: usize, work: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    let take_one = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|at| *at < count);
    let threads = thread::available_parallelism().map_or(1, Into::into);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(at) = take_one() {
                    work(at);
                }
            });
        }
    });
}

fn each_seed(count: u64, work: impl Fn(u64) + Sync) {
    each(count as usize, |seed| work(seed as u64));
}

/// Every strategy of a choice, or some of them, with its number among them.
fn each_strategy(chosen: &[Strategy], step: usize, work: impl Fn(u64, Strategy) + Sync) {
    each(chosen.len().div_ceil(step), |at| work((at * step) as u64, chosen[at * step]));
}

#[test]
fn small_groups_over_many_seeds() {
    each_seed(SEEDS, |seed| {
        let mut trio = Trio::new(seed);
        trio.live(12, 4 + (seed as usize % 13));
    });
}

#[test]
fn groups_of_up_to_64() {
    each_seed(20, |seed| {
        let mut trio = Trio::new(1_000_000 + seed);
        trio.commit(30, 0);
        trio.live(60, 64);
    });
}

#[test]
fn a_group_of_a_thousand() {
    let mut trio = Trio::new(7);
    trio.commit(999, 0);
    trio.live(6, 1_000);
}

#[test]
fn members_that_move_to_other_leaves() {
    each_seed(SEEDS / 10, |seed| {
        let mut trio = Trio::new(4_000_000 + seed);
        trio.commit(3 + seed as usize % 11, 0);
        trio.move_about(14, 4 + seed as usize % 17);
    });
    each_strategy(&strategies(), LARGER_STEP, |number, strategy| {
        let mut trio = Trio::with(5_000_000 + number, strategy);
        trio.commit(20, 0);
        trio.move_about(20, 40);
    });
}

#[test]
fn members_that_propose_updates() {
    each_seed(SEEDS / 10, |seed| {
        let mut trio = Trio::new(7_000_000 + seed);
        trio.commit(3 + seed as usize % 11, 0);
        trio.propose_and_commit(14, 4 + seed as usize % 17);
    });
    each_strategy(&strategies(), LARGER_STEP, |number, strategy| {
        let mut trio = Trio::with(8_000_000 + number, strategy);
        trio.commit(20, 0);
        trio.propose_and_commit(20, 40);
    });
}

/// Whoever commits in an epoch in which another still stood elsewhere removes it from there.
#[test]
fn a_late_committer_removes_a_member_where_it_stood() {
    let mut trio = Trio::new(6_000_000);
    trio.commit(6, 0);
    trio.commit_order(Order { by: ClientId(0), adds: vec![], removes: vec![ClientId(2)], now: 1 });
    let epoch = trio.full.epoch();
    trio.advance(ClientId(1), epoch);
    trio.members = [0, 1, 3, 4, 5, 6].map(ClientId).to_vec();
    let full = trio.full.rejoin(ClientId(6), 1).unwrap();
    let shared = trio.shared.rejoin(ClientId(6), 1).unwrap();
    let counted = trio.counted.rejoin(ClientId(6), 1).unwrap();
    trio.accept(full.draft, shared.draft, counted.draft, true);
    assert_eq!(trio.full.leaf(ClientId(6)).map(|leaf| leaf.0), Some(2));
    let late = Order { by: ClientId(1), adds: vec![], removes: vec![ClientId(6)], now: 1 };
    let (full, shared) = (trio.full.commit(late.clone()), trio.shared.commit(late));
    let (full, shared) = (full.unwrap(), shared.unwrap());
    assert_eq!((full.epoch, full.cost), (shared.epoch, shared.cost));
    assert_eq!(full.epoch, epoch);
}

#[test]
fn groups_that_are_made_anew() {
    each_seed(SEEDS / 20, |seed| {
        let mut trio = Trio::new(11_000_000 + seed);
        trio.commit(3 + seed as usize % 11, 0);
        trio.begin_anew(14, 4 + seed as usize % 17);
    });
    each_strategy(&strategies(), LARGER_STEP, |number, strategy| {
        let mut trio = Trio::with(12_000_000 + number, strategy);
        trio.commit(20, 0);
        trio.begin_anew(14, 40);
    });
}

/// Whoever lags does not know who is in the group, and whoever is out has nothing to say. A ReInit
/// that comes too late changes nothing.
#[test]
fn a_group_is_made_anew_from_its_newest_epoch() {
    let mut trio = Trio::new(13_000_000);
    trio.commit(4, 0);
    let epoch = trio.full.epoch();
    (1..5).for_each(|client| trio.advance(ClientId(client), epoch));
    let (full, shared) = (trio.full.rebuild(ClientId(1), 1), trio.shared.rebuild(ClientId(1), 1));
    let (full, shared) = (full.unwrap(), shared.unwrap());
    trio.members = [0, 1, 3, 4].map(ClientId).to_vec();
    trio.commit_order(Order { by: ClientId(0), adds: vec![], removes: vec![ClientId(2)], now: 1 });
    for client in [1, 2].map(ClientId) {
        assert!(trio.full.rebuild(client, 1).is_err(), "{client}");
        assert!(trio.shared.rebuild(client, 1).is_err(), "{client}");
    }
    let stale = |told: String| assert!(told.contains("was accepted in epoch 2"), "{told}");
    stale(trio.full.accept(full.draft, &[]).unwrap_err().to_string());
    stale(trio.shared.accept(shared.draft, &[]).unwrap_err().to_string());
    trio.end();
}

/// All ways to move at once, each commit moving its sender if it can.
#[test]
fn members_that_scoot_over() {
    let scoot_over = Strategy { compaction: Compaction::ScootOver, ..Strategy::default() };
    each_seed(SEEDS / 10, |seed| {
        let mut trio = Trio::with(10_000_000 + seed, scoot_over);
        trio.commit(3 + seed as usize % 11, 0);
        trio.propose_and_commit(14, 4 + seed as usize % 17);
    });
}

/// A committer takes the leftmost blank leaf, before those it adds and in the place of one that it
/// removes; it is found where it stood by whoever lags, and where it stands by all others.
#[test]
fn a_committer_scoots_over() {
    let scoot_over = Strategy { compaction: Compaction::ScootOver, ..Strategy::default() };
    let mut trio = Trio::with(9_000_000, scoot_over);
    trio.commit(6, 0);
    let order = |by, adds: &[u32], removes: &[u32]| {
        let of = |clients: &[u32]| clients.iter().copied().map(ClientId).collect();
        Order { by: ClientId(by), adds: of(adds), removes: of(removes), now: 1 }
    };
    let leaf = |trio: &Trio, client| trio.full.leaf(ClientId(client)).map(|leaf| leaf.0);
    trio.members = [0, 1, 3, 4, 5, 6].map(ClientId).to_vec();
    trio.commit_order(order(0, &[], &[2]));
    assert_eq!(leaf(&trio, 0), Some(0), "nothing is left of it");
    let epoch = trio.full.epoch();
    trio.advance(ClientId(1), epoch);
    trio.advance(ClientId(6), epoch);
    trio.commit_order(order(6, &[], &[]));
    assert_eq!((leaf(&trio, 6), trio.full.tree().width), (Some(2), 8));
    // Whoever is still in the epoch before removes it from where it stood then.
    let late = order(1, &[], &[6]);
    let (full, shared) = (trio.full.commit(late.clone()), trio.shared.commit(late));
    let (full, shared) = (full.unwrap(), shared.unwrap());
    assert_eq!((full.epoch, full.cost), (epoch, shared.cost));
    // The mover takes the leaf of one it removes; the newcomer gets the next blank one.
    trio.register(ClientId(7));
    trio.advance(ClientId(5), epoch + 1);
    trio.members = [0, 3, 4, 5, 6].map(ClientId).to_vec();
    trio.commit_order(order(5, &[7], &[1]));
    assert_eq!([5, 7, 6].map(|client| leaf(&trio, client)), [Some(1), Some(5), Some(2)]);
    // When the rightmost have moved, the tree halves.
    trio.members = [0, 5, 6, 7].map(ClientId).to_vec();
    trio.advance(ClientId(6), epoch + 2);
    trio.commit_order(order(6, &[], &[3, 4]));
    assert_eq!(trio.full.tree().width, 8);
    trio.advance(ClientId(7), epoch + 3);
    trio.commit_order(order(7, &[], &[]));
    assert_eq!((leaf(&trio, 7), trio.full.tree().width), (Some(3), 4));
    assert_eq!(trio.full.tree().path_cost, 4 * 2, "every parent is keyed");
    trio.end();
}

#[test]
fn small_groups_under_every_strategy() {
    let strategies = strategies();
    // Unmerged leaves: two removals, filtered or not. None: one removal, and no `cheapest`. Moving
    // goes with one placement.
    let indexed = 4 * 2 * (6 * 2 * 2 + 5 * 2) + 4 * (2 * 2 + 2);
    // Free trees have no choice of a filter. Search trees have three placements, those by activity one;
    // the smallest tree and splices of degree 2 have two, or one without unmerged leaves.
    let (search, weighted) = (5 * 3 * (2 + 1), 2 + 1);
    let (splice, smallest, pop) = (2 + 1 + 2 * 2, 2 * 2 + 1, 2 + 1);
    // Tainted: one layout, four placements, nobody unmerged, no filter.
    let tainted = 4 * 2;
    let free = search + weighted + splice + smallest + pop;
    // Paths are proposed where trees stay where they are.
    assert_eq!(strategies.len(), 2 * indexed + free + tainted);
    each_strategy(&strategies, 1, |number, strategy| {
        for seed in 0..STRATEGY_SEEDS {
            let mut trio = Trio::with(2_000_000 + seed * 1_000 + number, strategy);
            let largest = 5 + (seed + number) as usize % 16;
            match strategy.concurrent {
                true => trio.propose_and_commit(12, largest),
                false => trio.live(14, largest),
            }
        }
    });
}

#[test]
fn groups_of_up_to_64_under_every_strategy() {
    each_strategy(&strategies(), LARGER_STEP, |number, strategy| {
        let mut trio = Trio::with(3_000_000 + number, strategy);
        trio.commit(30, 0);
        trio.live(20, 64);
    });
}

/// Proposed paths on their own, mostly in groups that are warm, and everything that may happen beside them.
#[test]
fn members_that_propose_paths() {
    let concurrent: Vec<_> = strategies().into_iter().filter(|it| it.concurrent).collect();
    each_seed(SEEDS / 20, |seed| {
        let strategy = concurrent[seed as usize * 7 % concurrent.len()];
        let mut trio = Trio::with(14_000_000 + seed, strategy);
        trio.commit(1 + seed as usize % 17, 0);
        match seed % 3 {
            0 => trio.begin_anew(14, 4 + seed as usize % 17),
            _ => trio.propose_and_commit(18, 4 + seed as usize % 29),
        }
    });
}

/// Tainting on its own: larger groups, and everything that may happen to its trees in turn.
#[test]
fn tainted_groups_over_many_seeds() {
    let tainted: Vec<_> = strategies().into_iter().filter(Strategy::taints).collect();
    each_seed(SEEDS / 20, |seed| {
        let strategy = tainted[seed as usize % tainted.len()];
        let mut trio = Trio::with(9_000_000 + seed, strategy);
        trio.commit(1 + seed as usize % 17, 0);
        match seed % 4 {
            0 => trio.live(20, 4 + seed as usize % 29),
            1 => trio.move_about(16, 4 + seed as usize % 17),
            2 => trio.begin_anew(16, 4 + seed as usize % 17),
            _ => trio.propose_and_commit(16, 4 + seed as usize % 17),
        }
    });
}

/// Without a filter a parent over nobody but its committer's side is keyed, and truncation may cut it.
#[test]
fn keys_that_are_cut_off_leave_the_roster() {
    let mut trio = Trio::with(1, Strategy { filtered: false, ..Strategy::default() });
    trio.commit(4, 0);
    trio.members = [0, 1].map(ClientId).to_vec();
    for removes in [&[2, 3][..], &[4]] {
        let epoch = trio.full.epoch();
        trio.advance(ClientId(0), epoch);
        trio.advance(ClientId(1), epoch);
        let removes = removes.iter().copied().map(ClientId).collect();
        trio.commit_order(Order { by: ClientId(0), adds: vec![], removes, now: 1 });
    }
    assert_eq!(trio.full.tree().width, 2);
    trio.go_on_from_the_wire(ClientId(1));
}

/// Groups under each strategy.
const STRATEGY_SEEDS: u64 = if cfg!(debug_assertions) { 1 } else { 20 };

/// From one strategy to the next with a larger group.
const LARGER_STEP: usize = if cfg!(debug_assertions) { 9 } else { 1 };

/// Thousands where the build is optimised; as many as a quick look takes otherwise.
const SEEDS: u64 = if cfg!(debug_assertions) { 2_000 } else { 10_000 };
