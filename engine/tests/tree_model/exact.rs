//! Results that are known exactly, or in expectation, without simulating anything.

use std::sync::Arc;

use arboretum_engine::tree::{LeafIndex, Perfect};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::array_tree::{Keyed, LinkTree};

/// A tree of `members` leaves, all its parents blank.
fn cold(members: u32) -> LinkTree {
    let mut tree = LinkTree::new(Perfect);
    for at in 0..members {
        if tree.leftmost_blank().is_none() {
            tree.extend();
        }
        let leaf = LeafIndex(at);
        tree.add(leaf, Arc::new(at), |keyed| keyed.with_unmerged(leaf)).unwrap();
    }
    tree
}

fn cost(tree: &LinkTree, leaf: LeafIndex) -> u64 {
    let path = tree.filtered_direct_path(leaf).unwrap();
    path.iter().map(|step| u64::from(step.copath[0].aggregates().resolution)).sum()
}

fn commit(tree: &mut LinkTree, leaf: LeafIndex) {
    let before = tree.clone();
    let path = before.direct_path(leaf).unwrap();
    let keyed =
        |filtered_out: bool| (!filtered_out).then(|| Arc::new(Keyed { key: 0, unmerged: vec![] }));
    let path = path.iter().map(|step| keyed(step.is_filtered_out())).collect();
    tree.set_path(leaf, Arc::new(0), path).unwrap();
}

/// A full tree in which everybody has committed.
fn warm(depth: u32) -> LinkTree {
    let mut tree = cold(1 << depth);
    (0..1 << depth).for_each(|leaf| commit(&mut tree, LeafIndex(leaf)));
    tree
}

#[test]
fn a_warm_full_tree_costs_log2_n() {
    for depth in 0..=10 {
        let n = 1_u32 << depth;
        let tree = warm(depth);
        assert_eq!((tree.aggregates().blank_parents, tree.aggregates().unmerged), (0, 0));
        assert!((0..n).all(|leaf| cost(&tree, LeafIndex(leaf)) == u64::from(depth)));
        assert_eq!(tree.aggregates().path_cost, u64::from(n * depth));
    }
}

#[test]
fn every_second_member_warms_a_tree() {
    let mut tree = cold(256);
    (0..256).step_by(2).for_each(|leaf| commit(&mut tree, LeafIndex(leaf)));
    assert_eq!(tree.aggregates().blank_parents, 0);
}

/// Added without a path, the tree is all blank: whoever commits first reaches each of the
/// others by itself.
#[test]
fn the_first_commit_of_a_cold_tree_costs_n_minus_1() {
    for n in [1, 2, 3, 7, 8, 9, 100, 256] {
        let tree = cold(n);
        assert!((0..n).all(|leaf| cost(&tree, LeafIndex(leaf)) == u64::from(n - 1)));
    }
}

/// After the adder's own path, it still costs the adder n−1; another who meets that path in a
/// subtree of 2^k leaves is spared the 2^(k−1) leaves of the adder's half but one key.
#[test]
fn after_the_adders_path() {
    let n = 256;
    let mut tree = cold(n);
    commit(&mut tree, LeafIndex(0));
    assert_eq!(cost(&tree, LeafIndex(0)), u64::from(n - 1));
    for leaf in 1..n {
        let meets = 1 << leaf.ilog2();
        assert_eq!(cost(&tree, LeafIndex(leaf)), u64::from(n - meets), "leaf {leaf}");
    }
}

/// C(n−k, r) / C(n, r): that none of r removed are among k given leaves.
fn untouched(n: u32, k: u32, r: u32) -> f64 {
    (0..r).map(|i| f64::from(n.saturating_sub(k + i)) / f64::from(n - i)).product()
}

/// Σ_{j<d} (n/2^j)·[C(n−2^j, r) − C(n−2^(j+1), r)] / C(n, r).
fn expected_resolution(depth: u32, r: u32) -> f64 {
    let n = 1 << depth;
    let level = |j: u32| f64::from(n >> j) * (untouched(n, 1 << j, r) - untouched(n, 2 << j, r));
    (0..depth).map(level).sum()
}

#[test]
fn the_expectation_for_one_removed_is_the_depth() {
    for depth in 1..12 {
        assert!((expected_resolution(depth, 1) - f64::from(depth)).abs() < 1e-9);
    }
}

/// The mean over the trials stays within four of its standard errors of the expectation. The
/// seeds are fixed: this either holds or does not.
#[test]
fn removals_at_random_from_a_warm_tree() {
    const TRIALS: u32 = 1_000;
    let depth = 7;
    let full = warm(depth);
    for removed in [1, 2, 5, 16, 40, 64, 100, 127] {
        let mut rng = ChaCha20Rng::seed_from_u64(u64::from(removed));
        let sizes: Vec<f64> =
            (0..TRIALS).map(|_| resolution_after(&full, removed, &mut rng)).collect();
        let mean = sizes.iter().sum::<f64>() / f64::from(TRIALS);
        let squares: f64 = sizes.iter().map(|size| (size - mean).powi(2)).sum();
        let error = (squares / f64::from(TRIALS * (TRIALS - 1))).sqrt();
        let expected = expected_resolution(depth, removed);
        assert!(
            (mean - expected).abs() <= 4.0 * error + 1e-9,
            "{removed} removed: {mean} ± {error}, expected {expected}"
        );
    }
}

fn resolution_after(full: &LinkTree, removed: u32, rng: &mut ChaCha20Rng) -> f64 {
    let mut tree = full.clone();
    let mut members: Vec<u32> = (0..full.width()).collect();
    for _ in 0..removed {
        let at = rng.next_u64() as usize % members.len();
        tree.blank(LeafIndex(members.swap_remove(at))).unwrap();
    }
    tree.truncate();
    f64::from(tree.aggregates().resolution)
}
