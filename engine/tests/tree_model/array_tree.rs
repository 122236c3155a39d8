//! The tree as RFC 9420 Appendix C has it: one array of optional nodes, every question answered
//! by walking all of it again. Nothing here is fast and nothing is cached, which is its use.

use std::sync::Arc;

use arboretum_engine::tree::{LeafIndex, NodeValue, Tree, TreeData};

/// A tree whose leaves and keys are numbers.
#[derive(Debug)]
pub(crate) enum Numbered {}

/// A keyed parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keyed {
    pub(crate) key: u32,
    pub(crate) unmerged: Vec<LeafIndex>,
}

impl Keyed {
    pub(crate) fn with_unmerged(&self, leaf: LeafIndex) -> Self {
        let mut unmerged = self.unmerged.clone();
        unmerged.push(leaf);
        unmerged.sort_unstable();
        Self { key: self.key, unmerged }
    }
}

impl TreeData for Numbered {
    type Leaf = u32;
    type Parent = Keyed;
    type Cache = ();

    fn unmerged(parent: &Keyed) -> &[LeafIndex] {
        &parent.unmerged
    }
}

/// The tree under test.
pub(crate) type LinkTree = Tree<Numbered>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ArrayNode {
    Leaf(u32),
    Parent(Keyed),
}

/// An entry of a resolution, in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Leaf(u32),
    Parent(u32),
}

/// RFC 9420 Appendix C, `level`.
pub(crate) fn level(node: usize) -> u32 {
    let mut level = 0;
    while (node >> level) & 1 == 1 {
        level += 1;
    }
    level
}

/// `left`.
pub(crate) fn left(node: usize) -> usize {
    node ^ (1 << (level(node) - 1))
}

/// `right`.
pub(crate) fn right(node: usize) -> usize {
    node ^ (3 << (level(node) - 1))
}

/// `parent`.
pub(crate) fn parent(node: usize) -> usize {
    let k = level(node);
    let bit = (node >> (k + 1)) & 1;
    (node | (1 << k)) ^ (bit << (k + 1))
}

/// `sibling`.
pub(crate) fn sibling(node: usize) -> usize {
    let above = parent(node);
    if node < above { right(above) } else { left(above) }
}

/// The array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ArrayTree {
    pub(crate) nodes: Vec<Option<ArrayNode>>,
}

impl ArrayTree {
    pub(crate) fn new() -> Self {
        Self { nodes: vec![None] }
    }

    pub(crate) fn width(&self) -> u32 {
        self.nodes.len().div_ceil(2) as u32
    }

    pub(crate) fn root(&self) -> usize {
        self.width() as usize - 1
    }

    /// The ancestors of a leaf, from the lowest to the root.
    pub(crate) fn direct_path(&self, leaf: u32) -> Vec<usize> {
        let mut path = vec![];
        let mut at = 2 * leaf as usize;
        while at != self.root() {
            at = parent(at);
            path.push(at);
        }
        path
    }

    /// The siblings of a leaf and of its direct path, without the root's.
    pub(crate) fn copath(&self, leaf: u32) -> Vec<usize> {
        let mut below = vec![2 * leaf as usize];
        below.extend(self.direct_path(leaf));
        below.pop();
        below.into_iter().map(sibling).collect()
    }

    pub(crate) fn resolution(&self, node: usize) -> Vec<Entry> {
        match &self.nodes[node] {
            Some(ArrayNode::Leaf(_)) => vec![Entry::Leaf(node as u32 / 2)],
            Some(ArrayNode::Parent(keyed)) => std::iter::once(Entry::Parent(keyed.key))
                .chain(keyed.unmerged.iter().map(|leaf| Entry::Leaf(leaf.0)))
                .collect(),
            None if node.is_multiple_of(2) => vec![],
            None => [self.resolution(left(node)), self.resolution(right(node))].concat(),
        }
    }

    /// The filtered direct path of a leaf: each node with its copath child.
    pub(crate) fn filtered(&self, leaf: u32) -> Vec<(usize, usize)> {
        let steps = self.direct_path(leaf).into_iter().zip(self.copath(leaf));
        steps.filter(|(_, copath)| !self.resolution(*copath).is_empty()).collect()
    }

    /// The ciphertexts of a leaf's path update, below and including `top`.
    pub(crate) fn cost_below(&self, leaf: u32, top: usize) -> u64 {
        let filtered = self.filtered(leaf);
        let below = filtered.iter().filter(|(node, _)| level(*node) <= level(top));
        below.map(|(_, copath)| self.resolution(*copath).len() as u64).sum()
    }

    pub(crate) fn members(&self) -> Vec<u32> {
        let leaves = (0..self.width()).filter(|leaf| self.nodes[2 * *leaf as usize].is_some());
        leaves.collect()
    }

    /// The nodes of a subtree, itself among them.
    pub(crate) fn subtree(node: usize) -> std::ops::RangeInclusive<usize> {
        let reach = (1 << level(node)) - 1;
        node - reach..=node + reach
    }

    pub(crate) fn leftmost_blank(&self) -> Option<u32> {
        (0..self.width()).find(|leaf| self.nodes[2 * *leaf as usize].is_none())
    }

    pub(crate) fn extend(&mut self) {
        self.nodes.resize(2 * self.nodes.len() + 1, None);
    }

    pub(crate) fn truncate(&mut self) {
        while self.nodes.len() > 1 {
            let right = self.root() + 1..self.nodes.len();
            if right.step_by(2).any(|leaf| self.nodes[leaf].is_some()) {
                return;
            }
            self.nodes.truncate(self.root());
        }
    }

    pub(crate) fn add(&mut self, leaf: u32, id: u32) {
        for node in self.direct_path(leaf) {
            if let Some(ArrayNode::Parent(keyed)) = &mut self.nodes[node] {
                *keyed = keyed.with_unmerged(LeafIndex(leaf));
            }
        }
        self.nodes[2 * leaf as usize] = Some(ArrayNode::Leaf(id));
    }

    /// Sets or blanks a leaf, and blanks the path above it.
    pub(crate) fn set_leaf(&mut self, leaf: u32, id: Option<u32>) {
        self.nodes[2 * leaf as usize] = id.map(ArrayNode::Leaf);
        self.direct_path(leaf).into_iter().for_each(|node| self.nodes[node] = None);
    }

    /// Keys the filtered path of a leaf, `first_key` at its lowest node; returns what stands on
    /// the whole direct path afterwards.
    pub(crate) fn commit(&mut self, leaf: u32, id: u32, first_key: u32) -> Vec<Option<Keyed>> {
        let filtered: Vec<usize> = self.filtered(leaf).into_iter().map(|step| step.0).collect();
        self.set_leaf(leaf, Some(id));
        let mut keys = first_key..;
        let path = self.direct_path(leaf).into_iter().map(|node| {
            let keyed = filtered.contains(&node).then(|| Keyed {
                key: keys.next().expect("keys do not run out"),
                unmerged: vec![],
            });
            self.nodes[node] = keyed.clone().map(ArrayNode::Parent);
            keyed
        });
        path.collect()
    }

    /// The flat list that a tree is built from, blanks at the right left off.
    pub(crate) fn flat(&self) -> Vec<Option<NodeValue<u32, Keyed>>> {
        let last = self.nodes.iter().rposition(Option::is_some).map_or(1, |last| last + 1);
        let value = |node: &Option<ArrayNode>| {
            node.clone().map(|node| match node {
                ArrayNode::Leaf(id) => NodeValue::Leaf(Arc::new(id)),
                ArrayNode::Parent(keyed) => NodeValue::Parent(Arc::new(keyed)),
            })
        };
        self.nodes[..last].iter().map(value).collect()
    }
}
