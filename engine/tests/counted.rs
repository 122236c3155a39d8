//! Groups in counts against results that are known exactly, or nearly.

use arboretum_engine::counted::{Cost, CountedGroup, Member, PathSizes};
use arboretum_engine::crypto::RealProvider;
use arboretum_engine::strategy::Strategy;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

/// X25519 and AES-128-GCM: an `UpdatePathNode` with one ciphertext has 117 bytes.
const SIZES: PathSizes = PathSizes { public_key: 33, ciphertext: 82 };

fn below(rng: &mut ChaCha20Rng, n: u32) -> u32 {
    (rng.next_u64() % u64::from(n)) as u32
}

fn warm(members: u32) -> CountedGroup {
    CountedGroup::new(Strategy::RFC9420, SIZES, members, true).unwrap()
}

#[test]
fn a_full_warm_tree_costs_log2_n() {
    for height in 0..12 {
        let members = 1 << height;
        let mut group = warm(members);
        for member in [0, members / 3, members - 1].map(Member) {
            let cost = group.commit(member).unwrap();
            let bytes_headers = 2 * height;
            assert_eq!(cost, Cost { ciphertexts: height, public_keys: height, bytes_headers });
            assert_eq!(SIZES.bytes(&cost), 117 * height);
        }
        assert_eq!(group.tree().path_cost, height * u64::from(members));
    }
}

#[test]
fn sizes_are_those_of_the_suite() {
    assert_eq!(PathSizes::of(&RealProvider), Ok(SIZES));
}

#[test]
fn a_tree_made_by_one_adder_is_dear_at_first_and_warms_up() {
    let members = 1 << 10;
    let mut group = CountedGroup::new(Strategy::RFC9420, SIZES, members, false).unwrap();
    assert_eq!(group.commit(Member(0)).unwrap().ciphertexts, u64::from(members) - 1);
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    for _ in 0..members {
        group.commit(Member(below(&mut rng, members))).unwrap();
    }
    let expected = group.tree().path_cost as f64 / f64::from(members);
    assert!((10.0..11.0).contains(&expected), "{expected}");
}

/// One path is keyed, and whoever commits after that reaches everybody else one by one, but for those
/// below the path: Σ_k 2^-k (1 − 2^-k) n = 2n/3.
#[test]
fn a_tree_with_one_path_costs_two_thirds_of_n() {
    let members = 1 << 10;
    let mut group = CountedGroup::new(Strategy::RFC9420, SIZES, members, false).unwrap();
    group.commit(Member(0)).unwrap();
    let expected = group.tree().path_cost as f64 / f64::from(members);
    let share = expected / f64::from(members);
    assert!((share - 2.0 / 3.0).abs() < 0.001, "{share}");
}

/// The number of ways to choose `r` of `n`, as a logarithm.
fn ln_choose(n: u32, r: u32) -> f64 {
    (0..r).map(|i| (f64::from(n - i) / f64::from(i + 1)).ln()).sum()
}

/// E|res(root)| after `r` random removals from a full warm tree of 2^d leaves:
/// Σ_{j<d} (n/2^j)·[C(n−2^j, r) − C(n−2^(j+1), r)] / C(n, r).
fn expected_resolution(d: u32, r: u32) -> f64 {
    let n: u32 = 1 << d;
    let share = |gone: u32| {
        if n - gone < r { 0.0 } else { (ln_choose(n - gone, r) - ln_choose(n, r)).exp() }
    };
    (0..d).map(|j| f64::from(n >> j) * (share(1 << j) - share(2 << j))).sum()
}

#[test]
fn removals_leave_the_resolution_that_is_expected() {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    for (d, r) in [(5, 1), (8, 4), (8, 32), (10, 100)] {
        let n = 1 << d;
        let trials = 400;
        let mut sum = 0;
        for _ in 0..trials {
            let mut group = warm(n);
            let mut left = r;
            while left > 0 {
                left -= u32::from(group.remove(Member(below(&mut rng, n))).is_ok());
            }
            sum += group.tree().resolution;
        }
        let mean = f64::from(sum) / f64::from(trials);
        let expected = expected_resolution(d, r);
        assert!((mean / expected - 1.0).abs() < 0.02, "n = 2^{d}, r = {r}: {mean}, {expected}");
    }
}

/// A commit after `p` random Update proposals, on average over many.
fn propose_commit(members: u32, p: u32, seed: u64) -> f64 {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut group = warm(members);
    let (mut sum, measured) = (0, 10 * members);
    for round in 0..4 * members + measured {
        let committer = below(&mut rng, members);
        for _ in 0..p {
            let proposer = below(&mut rng, members);
            if proposer != committer {
                group.update(Member(proposer)).unwrap();
            }
        }
        let cost = group.commit(Member(committer)).unwrap();
        sum += if round < 4 * members { 0 } else { cost.ciphertexts };
    }
    sum as f64 / f64::from(measured)
}

/// The cost grows like n^a with a = log2(2 − 1/(p + 1)).
#[test]
fn proposals_cost_a_power_of_n() {
    for (p, seed) in [(1, 3), (4, 4)] {
        let (small, large) = (propose_commit(1 << 7, p, seed), propose_commit(1 << 11, p, seed));
        let found = (large / small).log2() / 4.0;
        let law = (2.0 - 1.0 / f64::from(p + 1)).log2();
        assert!((found - law).abs() < 0.03, "p = {p}: {found}, by the law {law}");
    }
}

/// A round in which `p` random members propose whole paths and another commits, on average over many, and
/// the most that one cost.
fn concurrent(members: u32, p: usize, seed: u64) -> (f64, u64) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let strategy = Strategy { concurrent: true, ..Strategy::RFC9420 };
    let mut group = CountedGroup::new(strategy, SIZES, members, true).unwrap();
    let (mut sum, mut most, measured) = (0, 0, 4 * members);
    for round in 0..members + measured {
        let mut drawn: Vec<Member> = vec![];
        while drawn.len() <= p {
            let one = Member(below(&mut rng, members));
            if !drawn.contains(&one) {
                drawn.push(one);
            }
        }
        let mut cost = group.merge_paths(&drawn[1..]).unwrap();
        cost += group.commit(drawn[0]).unwrap();
        if round >= members {
            sum += cost.ciphertexts;
            most = most.max(cost.ciphertexts);
        }
    }
    (sum as f64 / f64::from(measured), most)
}

/// One path meets no other: the tree stays warm, and both senders pay log2 n.
#[test]
fn one_proposed_path_costs_log2_n() {
    for height in [4, 9_u32] {
        let exact = 2 * u64::from(height);
        assert_eq!(concurrent(1 << height, 1, 5), (exact as f64, exact));
    }
}

/// Of several, each costs log2 n and what is blank where they meet, whatever n is.
#[test]
fn proposed_paths_cost_log2_n_each_and_what_is_blank_at_the_top() {
    for (p, least, most) in [(2, 1.5, 2.6), (4, 9.5, 14.0), (8, 48.0, 64.0)] {
        for height in [7, 11] {
            let (mean, _) = concurrent(1 << height, p, 6);
            let above = mean - (p + 1) as f64 * f64::from(height);
            assert!((least..most).contains(&above), "p = {p}, n = 2^{height}: {above}");
        }
    }
}
