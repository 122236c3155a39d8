//! Multicast key agreement in counts (Bienstock, Dodis, Tang, CT-RSA 2022; the logical key
//! hierarchies before it): one manager outside the group knows every key and makes every change.
//!
//! The manager never waits for anybody, so nothing stays blank: after each operation it gives a
//! new key to every parent that the member in question knows or knew, and sends each to the keys
//! below it. What it costs is the number of ciphertexts under those keys: in a tree whose parents
//! to renew are seen as blank, the resolution of the root.
//!
//! What it trades: whoever holds the manager's state reads everything. No member can act without
//! it.

use std::sync::Arc;

use super::search_tree::Node;
use super::{Balance, Cost, CountedData, CountedError, CountedParent, Leaves, Member, SearchTree};
use crate::strategy::{Compaction, Layout, Newcomer, Strategy};
use crate::tree::{LeafIndex, Tree};

/// Which tree the manager keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManagedTree {
    /// Left-balanced, the leftmost free leaf, cut at the right edge.
    LeftBalanced,
    /// A balanced search tree.
    Search(Balance),
}

/// The left-balanced tree; a parent with a key counts, whoever is below it.
const LEFT_BALANCED: Strategy = Strategy {
    layout: Layout::LeftBalanced,
    compaction: Compaction::Truncate,
    unmerged: false,
    filtered: false,
    ..Strategy::RFC9420
};

#[derive(Clone, Debug)]
enum Inner {
    LeftBalanced { tree: Tree<CountedData, Strategy>, key: Arc<CountedParent> },
    Search(SearchTree),
}

/// A group with its manager.
#[derive(Clone, Debug)]
pub struct MulticastGroup {
    inner: Inner,
    /// Where everybody is: leaves of the one tree, nodes of the other.
    leaves: Leaves,
}

impl MulticastGroup {
    /// A group of the members 0 … `members` − 1, every parent with a key.
    pub fn new(kind: ManagedTree, members: u32) -> Result<Self, CountedError> {
        let leaves = Leaves::default();
        match kind {
            ManagedTree::LeftBalanced => {
                let inner =
                    Inner::LeftBalanced { tree: Tree::new(LEFT_BALANCED), key: Arc::default() };
                let mut group = Self { inner, leaves };
                (0..members).try_for_each(|member| group.add(Member(member)).map(|_| ()))?;
                Ok(group)
            }
            ManagedTree::Search(balance) => {
                let (tree, nodes) = SearchTree::new(balance, members.max(1));
                let mut group = Self { inner: Inner::Search(tree), leaves };
                for (member, node) in (0..members).zip(nodes) {
                    group.leaves.enter(Member(member), LeafIndex(node));
                }
                Ok(group)
            }
        }
    }

    /// Members.
    pub fn members(&self) -> u32 {
        match &self.inner {
            Inner::LeftBalanced { tree, .. } => tree.members(),
            Inner::Search(tree) => tree.leaves(),
        }
    }

    /// Levels below the root; O(n) for a search tree.
    pub fn depth(&self) -> u8 {
        match &self.inner {
            Inner::LeftBalanced { tree, .. } => tree.aggregates().height,
            Inner::Search(tree) => tree.depth(),
        }
    }

    /// Whether the tree is what it should be; O(n).
    pub fn is_sound(&self) -> bool {
        match &self.inner {
            Inner::LeftBalanced { tree, .. } => {
                tree.root().recount() && tree.aggregates().blank_parents == 0
            }
            Inner::Search(tree) => tree.is_sound(),
        }
    }

    /// Adds a member.
    pub fn add(&mut self, member: Member) -> Result<Cost, CountedError> {
        self.leaves.check_new(member)?;
        match &mut self.inner {
            Inner::LeftBalanced { tree, .. } => {
                let leaf = tree.make_room(Newcomer::default(), &mut |_| {}).leaf;
                tree.put(leaf, Arc::new(member.into()))?;
                self.leaves.enter(member, leaf);
                self.rekey(leaf)
            }
            Inner::Search(tree) => {
                self.leaves.enter(member, LeafIndex(tree.add()));
                self.rekey_search()
            }
        }
    }

    /// Removes a member; the last one stays.
    pub fn remove(&mut self, member: Member) -> Result<Cost, CountedError> {
        let leaf = self.leaves.of(member)?;
        if self.members() == 1 {
            return Err(CountedError::LastMember(member));
        }
        self.leaves.leave(member);
        match &mut self.inner {
            Inner::LeftBalanced { tree, .. } => {
                tree.take(leaf)?;
                tree.truncate();
                // What a cut leaves above itself is the tree's right edge.
                let last = LeafIndex(leaf.0.min(tree.width() - 1));
                self.rekey(last)
            }
            Inner::Search(tree) => {
                tree.remove(node(leaf));
                self.rekey_search()
            }
        }
    }

    /// Gives a member a new key.
    pub fn update(&mut self, member: Member) -> Result<Cost, CountedError> {
        let leaf = self.leaves.of(member)?;
        match &mut self.inner {
            Inner::LeftBalanced { tree, .. } => {
                tree.replace(leaf, Arc::new(member.into()))?;
                self.rekey(leaf)
            }
            Inner::Search(tree) => {
                tree.update(node(leaf));
                self.rekey_search()
            }
        }
    }

    /// Gives new keys to the blank parents above a leaf of the left-balanced tree.
    fn rekey(&mut self, leaf: LeafIndex) -> Result<Cost, CountedError> {
        let Inner::LeftBalanced { tree, key } = &mut self.inner else {
            return self.rekey_search();
        };
        let before = *tree.aggregates();
        tree.edit(leaf, &mut |leaf| leaf, &mut |_, parent| {
            parent.get_or_insert_with(|| key.clone());
        })?;
        let public_keys = tree.aggregates().keyed_parents - before.keyed_parents;
        Ok(Cost {
            ciphertexts: before.resolution.into(),
            public_keys: public_keys.into(),
            ..Cost::default()
        })
    }

    fn rekey_search(&mut self) -> Result<Cost, CountedError> {
        let Inner::Search(tree) = &mut self.inner else { return Ok(Cost::default()) };
        let (ciphertexts, public_keys) = tree.rekey();
        Ok(Cost { ciphertexts, public_keys, ..Cost::default() })
    }
}

fn node(leaf: LeafIndex) -> Node {
    leaf.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(ciphertexts: u64, public_keys: u64) -> Cost {
        Cost { ciphertexts, public_keys, ..Cost::default() }
    }

    fn ciphertexts(group: &mut MulticastGroup, member: u32) -> u64 {
        group.update(Member(member)).unwrap().ciphertexts
    }

    #[test]
    fn a_full_binary_tree_costs_a_ciphertext_a_level_and_one_for_the_leaf() {
        let mut group = MulticastGroup::new(ManagedTree::LeftBalanced, 16).unwrap();
        assert_eq!(ciphertexts(&mut group, 3), 4 + 1);
        // The sibling and three levels; the leaf gets nothing.
        assert_eq!(group.remove(Member(3)).unwrap().ciphertexts, 4);
        assert_eq!(ciphertexts(&mut group, 2), 3 + 1);
        assert_eq!(group.add(Member(16)).unwrap(), cost(5, 4));
    }

    #[test]
    fn a_full_ternary_tree_costs_two_a_level() {
        let mut group = MulticastGroup::new(ManagedTree::Search(Balance::TwoThree), 27).unwrap();
        assert_eq!(ciphertexts(&mut group, 13), 3 * 2 + 1);
        // The same tree as a red-black one: two levels each for the first two, one for the third.
        let mut group = MulticastGroup::new(ManagedTree::Search(Balance::LeftLeaning), 27).unwrap();
        assert_eq!(ciphertexts(&mut group, 0), 3 * 2 + 1);
        assert_eq!(ciphertexts(&mut group, 26), 3 + 1);
    }

    /// An inner parent of a red-black tree keeps its key only while nothing below it changes.
    #[test]
    fn an_inner_parent_is_renewed_with_what_is_below() {
        let group = |members| {
            let kind = ManagedTree::Search(Balance::LeftLeaning);
            MulticastGroup::new(kind, members).unwrap()
        };
        assert_eq!(group(27).update(Member(0)).unwrap(), cost(3 * 2 + 1, 6));
        assert_eq!(group(27).update(Member(26)).unwrap(), cost(3 + 1, 3));
        // The third of the first three goes: its pair keeps its key, and is sent that of the inner
        // parent above, which the third knew; so are the second three; the last three are sent the outer one.
        assert_eq!(group(9).remove(Member(2)).unwrap(), cost(2 + 1, 2));
    }

    #[test]
    fn splits_and_merges_cost_what_they_disturb() {
        let balance = ManagedTree::Search(Balance::TwoThree);
        // Two pairs; the newcomer is the third of the first.
        let mut group = MulticastGroup::new(balance, 4).unwrap();
        assert_eq!(group.add(Member(4)).unwrap(), cost(1 + 2 + 1, 2));
        assert_eq!(group.add(Member(5)).unwrap().ciphertexts, 1 + 2 + 1);
        // Two threes: the first splits. Two stay and are sent their new key; the newcomer's pair
        // needs one more, and the root is told to the pair that stayed and to the other three.
        let split = group.add(Member(6)).unwrap();
        assert_eq!(split, cost(1 + 2 + 1 + 2, 3));
        assert!(group.is_sound());
        // As a red-black tree: the two that stay had an inner parent if they stood first.
        let mut group = MulticastGroup::new(ManagedTree::Search(Balance::LeftLeaning), 3).unwrap();
        assert_eq!(group.remove(Member(2)).unwrap(), cost(1, 0));
        let mut group = MulticastGroup::new(ManagedTree::Search(Balance::LeftLeaning), 3).unwrap();
        assert_eq!(group.remove(Member(0)).unwrap(), cost(2, 1));
    }

    #[test]
    fn every_tree_stays_sound() {
        let balances = [Balance::TwoThree, Balance::LeftLeaning].map(ManagedTree::Search);
        for kind in balances.into_iter().chain([ManagedTree::LeftBalanced]) {
            let mut group = MulticastGroup::new(kind, 20).unwrap();
            let mut members: Vec<u32> = (0..20).collect();
            for round in 0..600_u32 {
                let at = (round as usize * 7919) % members.len();
                // It shrinks to a few and grows again.
                if members.len() > 2 && (round / 50) % 2 == 0 {
                    group.remove(Member(members.swap_remove(at))).unwrap();
                } else {
                    group.add(Member(20 + round)).unwrap();
                    members.push(20 + round);
                }
                assert!(group.is_sound(), "{kind:?} {round}");
                let cost = group.update(Member(members[at % members.len()])).unwrap();
                assert!(cost.ciphertexts <= 2 * u64::from(group.depth()) + 1);
                assert_eq!(group.members() as usize, members.len());
            }
        }
    }
}
