//! Groups that live through random sequences of commits, every member in full from the bytes,
//! and what must hold after each commit.

#[path = "group_life/checks.rs"]
mod checks;
mod common;

use arboretum_engine::crypto::{
    CountingProvider, Ledger, PortableProvider, Provider, RealProvider,
};
use arboretum_engine::tree::{Aggregates, LeafIndex};

use checks::{check_all, check_cannot_follow, check_locked_out, shape};
use common::{Group, Plan, Round};

const REAL: RealProvider = RealProvider::new();
const COUNTING: CountingProvider = CountingProvider::new();
const PORTABLE: PortableProvider = PortableProvider::new();

/// The largest group of a sequence.
fn largest(seed: u64) -> usize {
    2 + (seed % 23) as usize
}

/// Draws what happens next.
fn plan(group: &mut Group<'_>, largest: usize) -> Plan {
    let mut plan = Plan {
        by: group.anybody(),
        path: group.below(3) > 0,
        tree_in_welcome: group.below(2) > 0,
        ..Plan::default()
    };
    let (adds, removes) = match group.below(8) {
        0..=2 => (1 + group.below(3), 0),
        3 | 4 => (0, 1 + group.below(2)),
        5 => (1 + group.below(3), 1 + group.below(2)),
        _ => (0, 0),
    };
    for _ in 0..removes {
        let leaf = group.anybody();
        if leaf != plan.by && !plan.removes.contains(&leaf) {
            plan.removes.push(leaf);
        }
    }
    plan.adds = adds.min(largest - (group.live.len() - plan.removes.len()));
    plan
}

/// Lives one sequence and hands each commit to `check`.
fn live(
    provider: &dyn Provider,
    seed: u64,
    commits: usize,
    mut check: impl FnMut(&mut Group<'_>, &Round),
) {
    let largest = largest(seed);
    let mut group = Group::new(provider, seed);
    // Half of them start large, so that they meet full trees too.
    if seed.is_multiple_of(2) {
        let round = group.commit(Plan { adds: largest - 1, path: true, ..Plan::default() });
        check(&mut group, &round);
    }
    for _ in 0..commits {
        let plan = plan(&mut group, largest);
        let round = group.commit(plan);
        check(&mut group, &round);
    }
}

#[test]
fn hundreds_of_groups() {
    for seed in 0..500 {
        live(&REAL, seed, 10, |group, round| {
            check_all(group, round);
            let removed = group.gone.len() - round.plan.removes.len();
            let joined = round.pending.applied.added.iter().map(|leaf| &group.live[leaf]);
            for outsider in group.gone[removed..].iter().chain(joined) {
                check_locked_out(&group.crypto(), outsider, round);
            }
        });
    }
}

/// The counting provider opens for the right key and refuses any other just as well, so more
/// can be tried: everybody ever removed, against every later commit.
#[test]
fn the_removed_stay_out() {
    for seed in 0..400 {
        live(&COUNTING, seed, 25, |group, round| {
            check_all(group, round);
            let mut gone = std::mem::take(&mut group.gone);
            for gone in &mut gone {
                check_locked_out(&group.crypto(), gone, round);
                check_cannot_follow(group, gone, &round.pending.message);
            }
            group.gone = gone;
        });
    }
}

/// What one commit left behind, as far as bytes go and as far as counts go.
#[derive(Debug, PartialEq)]
struct Bytes {
    message: Vec<u8>,
    welcome: Option<Vec<u8>>,
    authenticator: Vec<u8>,
}

#[derive(Debug, PartialEq)]
struct Counts {
    lengths: (usize, Option<usize>),
    ledgers: Vec<Ledger>,
    shape: Vec<(Aggregates, Vec<LeafIndex>)>,
}

fn record(provider: &dyn Provider, seed: u64) -> Vec<(Bytes, Counts)> {
    let mut record = vec![];
    live(provider, seed, 12, |_, round| {
        let after = &round.pending.after;
        let bytes = Bytes {
            message: round.pending.message.clone(),
            welcome: round.pending.welcome.clone(),
            authenticator: after.secrets.epoch_authenticator.as_slice().to_vec(),
        };
        let counts = Counts {
            lengths: (bytes.message.len(), bytes.welcome.as_ref().map(Vec::len)),
            ledgers: round.ledgers.clone(),
            shape: shape(after.public.tree.root()),
        };
        record.push((bytes, counts));
    });
    record
}

#[test]
fn counting_gives_the_lengths_ledgers_and_shapes_of_the_real_thing() {
    for seed in 1_000..1_060 {
        let counts = |provider| record(provider, seed).into_iter().map(|(_, counts)| counts);
        assert!(counts(&REAL).eq(counts(&COUNTING)), "seed {seed}");
    }
}

#[test]
fn the_portable_provider_gives_the_same_bytes() {
    for seed in 2_000..2_040 {
        assert_eq!(record(&REAL, seed), record(&PORTABLE, seed), "seed {seed}");
    }
}

#[test]
fn a_seed_repeats_every_byte() {
    assert_eq!(record(&REAL, 1), record(&REAL, 1));
    assert_ne!(record(&REAL, 1)[0].0, record(&REAL, 3)[0].0);
}
