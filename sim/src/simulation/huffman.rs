//! The Huffman bound: no binary tree over leaves of these weights has a smaller weighted sum of
//! depths. In a tree of any arity and any state a member spends at least so many ciphertexts that
//! its share 2^-cost of the whole leaves room for everybody else's (Kraft's inequality), so the
//! weighted sum of update costs is never below it either.

use std::collections::VecDeque;

/// The weighted sum of depths in the best binary tree: what Huffman's merging of the two lightest
/// adds up to. O(n log n) for the sorting, O(n) for the rest.
pub(super) fn least_weighted_depth(mut weights: Vec<u64>) -> u64 {
    weights.sort_unstable();
    let mut leaves = VecDeque::from(weights);
    // Merged weights come in ascending order, so they need no sorting.
    let mut merged = VecDeque::new();
    let mut sum = 0;
    while leaves.len() + merged.len() > 1 {
        let pair = lightest(&mut leaves, &mut merged) + lightest(&mut leaves, &mut merged);
        sum += pair;
        merged.push_back(pair);
    }
    sum
}

/// Takes the lightest of two ascending queues.
fn lightest(leaves: &mut VecDeque<u64>, merged: &mut VecDeque<u64>) -> u64 {
    let from = match (leaves.front(), merged.front()) {
        (Some(leaf), Some(parent)) if parent < leaf => merged,
        (Some(_), _) => leaves,
        _ => merged,
    };
    from.pop_front().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The least over all binary trees: every way to split the leaves in two, at every node.
    fn brute_force(weights: &[u64]) -> u64 {
        if weights.len() < 2 {
            return 0;
        }
        let total: u64 = weights.iter().sum();
        // The first leaf is always on the left, so no split is tried twice.
        let splits = 0..(1_u32 << (weights.len() - 1)) - 1;
        let cost = |mask: u32| {
            let is_left = |at: usize| at == 0 || mask >> (at - 1) & 1 == 1;
            let side = |left: bool| -> Vec<u64> {
                let on_side = weights.iter().enumerate().filter(|(at, _)| is_left(*at) == left);
                on_side.map(|(_, weight)| *weight).collect()
            };
            brute_force(&side(true)) + brute_force(&side(false))
        };
        total + splits.map(cost).min().unwrap_or(0)
    }

    #[test]
    fn nobody_and_one_alone_spend_nothing() {
        assert_eq!(least_weighted_depth(vec![]), 0);
        assert_eq!(least_weighted_depth(vec![7]), 0);
        assert_eq!(least_weighted_depth(vec![7, 1]), 8);
    }

    #[test]
    fn equal_weights_give_the_perfect_tree() {
        assert_eq!(least_weighted_depth(vec![3; 1024]), 3 * 1024 * 10);
        // Five leaves: three at depth 2, two at depth 3.
        assert_eq!(least_weighted_depth(vec![1; 5]), 12);
    }

    #[test]
    fn it_is_the_least_over_all_trees() {
        let mut state = 1_u64;
        for length in 1..=7 {
            for _ in 0..40 {
                let weights: Vec<u64> = (0..length)
                    .map(|_| {
                        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        // From equal to very unequal.
                        1 << (state >> 60)
                    })
                    .collect();
                let least = brute_force(&weights);
                assert_eq!(least_weighted_depth(weights.clone()), least, "{weights:?}");
            }
        }
    }
}
