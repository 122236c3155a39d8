//! Groups in counts: what one operation takes, and what finding a place takes under each placement.

use std::hint::black_box;

use arboretum_engine::counted::{
    Balance, CountedGroup, ManagedTree, Member, MulticastGroup, PathSizes, TaintedGroup,
};
use arboretum_engine::crypto::RealProvider;
use arboretum_engine::strategy::{Placement, Strategy};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

/// Members of the groups whose operations are timed: i = 13 of the Tainted TreeKEM experiment.
const MEMBERS: u32 = 4_096;

/// Members of the group that somebody is placed in.
const LARGE: u32 = 50_000;

fn sizes() -> PathSizes {
    PathSizes::of(&RealProvider::new()).unwrap()
}

/// A step through the members that meets all of them in no order.
fn next(member: &mut u32, members: u32) -> Member {
    *member = (*member + 2_654_435_761_u32 % members) % members;
    Member(*member)
}

fn operations(c: &mut Criterion) {
    let mut bench = c.benchmark_group("counted/operation");
    let mut at = 0;
    let mut group = CountedGroup::new(Strategy::RFC9420, sizes(), MEMBERS, true).unwrap();
    bench.bench_function("commit", |b| {
        b.iter(|| black_box(group.commit(next(&mut at, MEMBERS)).unwrap()));
    });
    bench.bench_function("remove and add", |b| {
        b.iter(|| {
            let (by, member) = (next(&mut at, MEMBERS), next(&mut at, MEMBERS));
            group.remove(member).unwrap();
            group.add(by, member).unwrap();
            group.settle();
        });
    });
    let mut group = TaintedGroup::new(MEMBERS).unwrap();
    bench.bench_function("tainted: remove, add, 8 updates", |b| {
        b.iter(|| {
            let (by, member) = (next(&mut at, MEMBERS), next(&mut at, MEMBERS));
            if by != member {
                group.remove(by, member).unwrap();
                group.add(by, member).unwrap();
            }
            (0..8).for_each(|_| _ = black_box(group.update(next(&mut at, MEMBERS)).unwrap()));
        });
    });
    for (name, kind) in [
        ("left-balanced", ManagedTree::LeftBalanced),
        ("2-3", ManagedTree::Search(Balance::TwoThree)),
        ("llrb", ManagedTree::Search(Balance::LeftLeaning)),
    ] {
        let mut group = MulticastGroup::new(kind, MEMBERS).unwrap();
        bench.bench_function(BenchmarkId::new("multicast: remove, add, update", name), |b| {
            b.iter(|| {
                let member = next(&mut at, MEMBERS);
                group.remove(member).unwrap();
                group.add(member).unwrap();
                black_box(group.update(member).unwrap())
            });
        });
    }
}

/// A removal and an add, the place found by each rule.
fn placements(c: &mut Criterion) {
    let mut bench = c.benchmark_group("counted/place");
    for (name, placement) in [
        ("leftmost-blank", Placement::LeftmostBlank),
        ("append", Placement::Append),
        ("random-blank", Placement::RandomBlank),
        ("nearest", Placement::Nearest),
        ("cheapest", Placement::Cheapest),
    ] {
        let strategy = Strategy { placement, ..Strategy::RFC9420 };
        let mut group = CountedGroup::new(strategy, sizes(), LARGE, true).unwrap();
        let mut at = 0;
        // Room in many places, and blanks on many paths.
        for _ in 0..LARGE / 10 {
            // Some have gone before: the step may come by again.
            let _ = group.remove(next(&mut at, LARGE));
        }
        let mut newcomer = LARGE;
        bench.bench_function(BenchmarkId::new(name, LARGE), |b| {
            b.iter(|| {
                group.add(Member(1), Member(newcomer)).unwrap();
                group.remove(Member(newcomer)).unwrap();
                newcomer += 1;
            });
        });
    }
}

criterion_group!(benches, operations, placements);
criterion_main!(benches);
