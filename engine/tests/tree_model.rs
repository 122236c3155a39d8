//! The persistent tree against the array of RFC 9420 Appendix C: random sequences of operations
//! on both, and everything that can be asked of a tree compared after each.

#[path = "tree_model/array_tree.rs"]
mod array_tree;
#[path = "tree_model/exact.rs"]
mod exact;

use std::sync::Arc;

use arboretum_engine::tree::{LeafIndex, NodeIndex, Perfect, Place, Resolved, Subtree};
use proptest::prelude::*;

use array_tree::{ArrayNode, ArrayTree, Entry, Keyed, LinkTree, Numbered, level};

/// A change of the tree; numbers pick among what there is.
#[derive(Clone, Copy, Debug)]
enum Change {
    /// At the leftmost blank leaf, or extend.
    Add,
    /// At any blank leaf, as other strategies do.
    AddAnywhere(u32),
    /// Blank some leaves, then truncate.
    Remove([u32; 3], usize),
    /// An Update proposal.
    Replace(u32),
    /// A path.
    Commit(u32),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        5 => Just(Change::Add),
        1 => any::<u32>().prop_map(Change::AddAnywhere),
        3 => (any::<[u32; 3]>(), 1..=3_usize).prop_map(|(which, n)| Change::Remove(which, n)),
        1 => any::<u32>().prop_map(Change::Replace),
        6 => any::<u32>().prop_map(Change::Commit),
    ]
}

/// Both trees, kept in step.
#[derive(Clone)]
struct Pair {
    link: LinkTree,
    array: ArrayTree,
    /// The next unused number for a leaf or key.
    fresh: u32,
}

fn pick(from: &[u32], which: u32) -> Option<u32> {
    from.get(which as usize % from.len().max(1)).copied()
}

impl Pair {
    fn new() -> Self {
        Self { link: LinkTree::new(Perfect), array: ArrayTree::new(), fresh: 1 }
    }

    fn change(&mut self, change: Change) {
        self.fresh += 64;
        match change {
            Change::Add => self.add(self.array.leftmost_blank()),
            Change::AddAnywhere(which) => {
                let width = self.array.width();
                let blank: Vec<u32> =
                    (0..width).filter(|leaf| !self.array.members().contains(leaf)).collect();
                self.add(pick(&blank, which));
            }
            Change::Remove(which, n) => {
                for which in &which[..n] {
                    if let Some(leaf) = pick(&self.array.members(), *which) {
                        self.array.set_leaf(leaf, None);
                        self.link.blank(LeafIndex(leaf)).unwrap();
                    }
                }
                self.array.truncate();
                self.link.truncate();
            }
            Change::Replace(which) => {
                if let Some(leaf) = pick(&self.array.members(), which) {
                    self.array.set_leaf(leaf, Some(self.fresh));
                    self.link.replace(LeafIndex(leaf), Arc::new(self.fresh)).unwrap();
                }
            }
            Change::Commit(which) => {
                if let Some(leaf) = pick(&self.array.members(), which) {
                    self.commit(leaf);
                }
            }
        }
    }

    fn add(&mut self, blank: Option<u32>) {
        let leaf = blank.unwrap_or_else(|| {
            self.array.extend();
            self.link.extend();
            self.array.leftmost_blank().expect("there is room now")
        });
        self.array.add(leaf, self.fresh);
        let leaf = LeafIndex(leaf);
        self.link.add(leaf, Arc::new(self.fresh), |keyed| keyed.with_unmerged(leaf)).unwrap();
    }

    fn commit(&mut self, leaf: u32) {
        let path = self.array.commit(leaf, self.fresh, self.fresh + 1);
        let path = path.into_iter().map(|keyed| keyed.map(Arc::new)).collect();
        self.link.set_path(LeafIndex(leaf), Arc::new(self.fresh), path).unwrap();
    }

    /// Everything that can be asked, of both.
    fn check(&self) {
        let Self { link, array, .. } = self;
        assert_eq!(link.width(), array.width());
        assert_eq!(link.leftmost_blank(), array.leftmost_blank().map(LeafIndex));
        let members = array.members();
        let leaves = link.root().leaves();
        assert_eq!(leaves.iter().map(|(leaf, _)| leaf.0).collect::<Vec<_>>(), members);
        self.check_node(link.root(), array.root());
        assert!(link.root().recount());
        for leaf in 0..array.width() {
            self.check_paths(leaf);
        }
        assert_eq!(link.leaf(LeafIndex(array.width())), None);
        assert!(link.direct_path(LeafIndex(array.width())).is_err());
        let spent: u64 = members.iter().map(|leaf| array.cost_below(*leaf, array.root())).sum();
        assert_eq!(link.aggregates().path_cost, spent);
    }

    /// One node and everything below it.
    fn check_node(&self, subtree: Subtree<'_, Numbered>, node: usize) {
        let array = &self.array;
        let below = ArrayTree::subtree(node);
        let members: Vec<u32> = array
            .members()
            .into_iter()
            .filter(|leaf| below.contains(&(2 * *leaf as usize)))
            .collect();
        let parents: Vec<&Option<ArrayNode>> =
            array.nodes[below.clone()].iter().skip(1).step_by(2).collect();
        let keyed: Vec<&Keyed> = parents
            .iter()
            .filter_map(|node| match node {
                Some(ArrayNode::Parent(keyed)) => Some(keyed),
                _ => None,
            })
            .collect();
        let resolution = array.resolution(node);
        let aggregates = subtree.aggregates();
        assert_eq!(subtree.first_leaf().0 as usize, below.start() / 2);
        assert_eq!(aggregates.width, 1 << level(node));
        assert_eq!(u32::from(aggregates.height), level(node));
        assert_eq!(aggregates.members as usize, members.len());
        assert_eq!(aggregates.keyed_parents as usize, keyed.len());
        assert_eq!(aggregates.blank_parents as usize, parents.len() - keyed.len());
        let unmerged: usize = keyed.iter().map(|keyed| keyed.unmerged.len()).sum();
        assert_eq!(aggregates.unmerged as usize, unmerged);
        assert_eq!(aggregates.resolution as usize, resolution.len());
        let spent: u64 = members.iter().map(|leaf| array.cost_below(*leaf, node)).sum();
        assert_eq!(aggregates.path_cost, spent);
        assert_eq!(entries(subtree), resolution);
        members.iter().for_each(|leaf| check_located(subtree, *leaf));
        match (subtree.place(), &array.nodes[node]) {
            (Place::Blank, None) => {
                // All-blank subtrees stay closed, and only they do.
                assert!(array.nodes[below].iter().all(Option::is_none));
                assert_eq!(subtree.children().count(), 0);
            }
            (Place::Leaf(id), Some(ArrayNode::Leaf(expected))) => assert_eq!(**id, *expected),
            (Place::Parent(value), expected) => {
                assert!(!members.is_empty() || !keyed.is_empty());
                let value = value.map(|keyed| ArrayNode::Parent(Keyed::clone(keyed)));
                assert_eq!(value, *expected);
                let children: Vec<_> = subtree.children().collect();
                assert_eq!(children.len(), 2);
                self.check_node(children[0], array_tree::left(node));
                self.check_node(children[1], array_tree::right(node));
            }
            _ => panic!("node {node} is of another kind"),
        }
    }

    fn check_paths(&self, leaf: u32) {
        let Self { link, array, .. } = self;
        // What no place has opened yet is not on the path: nothing is below it.
        let direct: Vec<usize> = link
            .direct_path(LeafIndex(leaf))
            .unwrap()
            .iter()
            .map(|step| index(step.node))
            .collect();
        let expected = array.direct_path(leaf);
        assert!(expected.ends_with(&direct));
        if array.nodes[2 * leaf as usize].is_some() {
            assert_eq!(direct, expected);
            let filtered = link.filtered_direct_path(LeafIndex(leaf)).unwrap();
            let filtered: Vec<_> =
                filtered.iter().map(|step| (index(step.node), index(step.copath[0]))).collect();
            assert_eq!(filtered, array.filtered(leaf));
        }
    }
}

/// The position of a subtree's top in the array.
fn index(subtree: Subtree<'_, Numbered>) -> usize {
    (2 * subtree.first_leaf().0 + subtree.aggregates().width - 1) as usize
}

fn entries(subtree: Subtree<'_, Numbered>) -> Vec<Entry> {
    let entry = |resolved: &Resolved<'_, Numbered>| match resolved {
        Resolved::Leaf(leaf, _) => Entry::Leaf(leaf.0),
        Resolved::Parent(keyed) => Entry::Parent(keyed.key),
    };
    subtree.resolution().iter().map(entry).collect()
}

/// A member finds itself where the resolution has it: its own leaf if that is listed, else the
/// one listed parent above it.
fn check_located(subtree: Subtree<'_, Numbered>, member: u32) {
    let located = subtree.locate(LeafIndex(member), &[]).expect("a member is reached");
    let resolution = subtree.resolution();
    let own = |entry: &Resolved<'_, Numbered>| matches!(entry, Resolved::Leaf(leaf, _) if leaf.0 == member);
    match located.entry {
        Resolved::Leaf(leaf, _) => {
            assert_eq!(leaf.0, member);
            assert_eq!(resolution.iter().position(own), Some(located.position));
        }
        Resolved::Parent(found) => {
            assert!(!resolution.iter().any(own));
            let Resolved::Parent(listed) = resolution[located.position] else {
                panic!("entry {} is a leaf", located.position);
            };
            assert_eq!(listed.key, found.key);
            let above = path_below(subtree, member);
            let at = above.iter().find(|node| node.parent().is_some_and(|at| at.key == found.key));
            assert!(at.is_some(), "the key stands above the member");
        }
    }
}

/// The nodes from a subtree's top to a leaf.
fn path_below(subtree: Subtree<'_, Numbered>, leaf: u32) -> Vec<Subtree<'_, Numbered>> {
    let mut path = vec![subtree];
    let mut at = subtree;
    while let Some(child) = at.children().find(|child| child.contains(LeafIndex(leaf))) {
        path.push(child);
        at = child;
    }
    path
}

/// Cases for each property.
const CASES: u32 = 4_000;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES) })]

    #[test]
    fn the_link_tree_is_the_array_tree(
        start in 0..20_usize,
        changes in prop::collection::vec(change(), 1..24),
    ) {
        let mut pair = Pair::new();
        (0..start).for_each(|_| pair.change(Change::Add));
        pair.check();
        let mut kept = vec![];
        for (at, change) in changes.into_iter().enumerate() {
            if at % 3 == 0 {
                kept.push(pair.clone());
            }
            pair.change(change);
            pair.check();
        }
        // Nothing that happened since has touched the older trees.
        kept.iter().for_each(Pair::check);
    }

    #[test]
    fn a_tree_is_built_again_from_its_nodes(
        start in 1..40_usize,
        changes in prop::collection::vec(change(), 0..24),
    ) {
        let mut pair = Pair::new();
        (0..start).for_each(|_| pair.change(Change::Add));
        changes.into_iter().for_each(|change| pair.change(change));
        let link = LinkTree::from_nodes(Perfect, &pair.array.flat()).unwrap();
        Pair { link, ..pair }.check();
    }
}

#[test]
fn node_indices_are_those_of_appendix_c() {
    for depth in 0..7 {
        let width = 1_u32 << depth;
        let root = NodeIndex::root(width);
        for node in 0..NodeIndex::node_count(width) {
            let (at, naive) = (NodeIndex(node), node as usize);
            assert_eq!(at.level(), level(naive));
            let below = |child: fn(usize) -> usize| {
                (level(naive) > 0).then(|| NodeIndex(child(naive) as u32))
            };
            assert_eq!(at.left(), below(array_tree::left));
            assert_eq!(at.right(), below(array_tree::right));
            let above = |of: fn(usize) -> usize| (at != root).then(|| NodeIndex(of(naive) as u32));
            assert_eq!(at.parent(width), above(array_tree::parent));
            assert_eq!(at.sibling(width), above(array_tree::sibling));
        }
    }
}
