//! Reading a tree: subtrees with their position, paths, copaths and resolutions (RFC 9420
//! §4.1.1, §4.1.2).

use std::sync::Arc;

use smallvec::SmallVec;

use super::node::{Aggregates, Kind, Node};
use super::{LeafIndex, TreeData};

/// A node together with the position of its leftmost leaf.
pub struct Subtree<'t, D: TreeData> {
    node: &'t Node<D>,
    first: u32,
}

impl<D: TreeData> Clone for Subtree<'_, D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D: TreeData> Copy for Subtree<'_, D> {}

/// What stands at the top of a subtree.
pub enum Place<'t, D: TreeData> {
    /// A blank leaf, or a blank parent with nothing below it.
    Blank,
    /// A member's leaf.
    Leaf(&'t Arc<D::Leaf>),
    /// A parent, keyed or blank, with something below it.
    Parent(Option<&'t Arc<D::Parent>>),
}

/// An entry of a resolution: a key that a path secret is encrypted to.
pub enum Resolved<'t, D: TreeData> {
    /// A keyed parent.
    Parent(&'t Arc<D::Parent>),
    /// A member's leaf: unmerged somewhere above, or below blanks only.
    Leaf(LeafIndex, &'t Arc<D::Leaf>),
}

impl<D: TreeData> Clone for Resolved<'_, D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D: TreeData> Copy for Resolved<'_, D> {}

/// The entry of a resolution whose private key a member holds.
pub struct Located<'t, D: TreeData> {
    /// Its position in the resolution.
    pub position: usize,
    /// The leftmost leaf below the entry.
    pub first: LeafIndex,
    /// The entry.
    pub entry: Resolved<'t, D>,
}

/// One ancestor of a leaf.
pub struct PathStep<'t, D: TreeData> {
    /// The ancestor.
    pub node: Subtree<'t, D>,
    /// Which of its children the path goes through.
    pub child: usize,
    /// Its other children.
    pub copath: SmallVec<[Subtree<'t, D>; 1]>,
    /// Whether paths leave out nodes with nobody below their copath.
    filters: bool,
}

impl<D: TreeData> PathStep<'_, D> {
    /// Whether the filtered direct path leaves this node out.
    pub fn is_filtered_out(&self) -> bool {
        self.filters && self.copath.iter().all(|child| child.aggregates().resolution == 0)
    }
}

/// The children of a node with their positions.
pub struct ChildIter<'t, D: TreeData> {
    nodes: std::slice::Iter<'t, Arc<Node<D>>>,
    first: u32,
    end: u32,
}

impl<'t, D: TreeData> Iterator for ChildIter<'t, D> {
    type Item = Subtree<'t, D>;

    fn next(&mut self) -> Option<Self::Item> {
        let child = Subtree::new(self.nodes.next()?, self.first);
        self.first += child.aggregates().width;
        Some(child)
    }
}

impl<D: TreeData> DoubleEndedIterator for ChildIter<'_, D> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let node = self.nodes.next_back()?;
        self.end -= node.aggregates().width;
        Some(Subtree::new(node, self.end))
    }
}

impl<'t, D: TreeData> Subtree<'t, D> {
    pub(super) fn new(node: &'t Node<D>, first: u32) -> Self {
        Self { node, first }
    }

    /// What is cached about this subtree.
    pub fn aggregates(&self) -> &'t Aggregates {
        self.node.aggregates()
    }

    /// The leftmost leaf below.
    pub fn first_leaf(&self) -> LeafIndex {
        LeafIndex(self.first)
    }

    /// Whether a leaf lies below.
    pub fn contains(&self, leaf: LeafIndex) -> bool {
        leaf.0.checked_sub(self.first).is_some_and(|at| at < self.aggregates().width)
    }

    /// Whether the cached aggregates, here and below, are what a recount gives; O(n).
    pub fn recount(&self) -> bool {
        self.node.recount()
    }

    /// What stands at the top.
    pub fn place(&self) -> Place<'t, D> {
        match &self.node.kind {
            Kind::Blank => Place::Blank,
            Kind::Leaf(leaf) => Place::Leaf(leaf),
            Kind::Parent { value, .. } => Place::Parent(value.as_ref()),
        }
    }

    /// The key holder at the top, if it is a keyed parent.
    pub fn parent(&self) -> Option<&'t Arc<D::Parent>> {
        match self.place() {
            Place::Parent(value) => value,
            _ => None,
        }
    }

    /// The cache of the node at the top.
    pub fn cache(&self) -> &'t D::Cache {
        &self.node.cache
    }

    /// The children, from the left; none for a leaf or an all-blank subtree.
    pub fn children(&self) -> ChildIter<'t, D> {
        let end = self.first + self.aggregates().width;
        ChildIter { nodes: self.node.children().iter(), first: self.first, end }
    }

    /// The child that a leaf lies below.
    fn child_of(&self, leaf: LeafIndex) -> Option<Self> {
        let mut first = self.first;
        for child in self.node.children() {
            let width = child.aggregates().width;
            if leaf.0 < first + width {
                return Some(Self::new(child, first));
            }
            first += width;
        }
        None
    }

    /// The leaf at `index`; `None` if it is blank or not below.
    pub fn leaf(&self, index: LeafIndex) -> Option<&'t Arc<D::Leaf>> {
        let mut at = self.contains(index).then_some(*self)?;
        loop {
            match at.place() {
                Place::Blank => return None,
                Place::Leaf(leaf) => return Some(leaf),
                Place::Parent(_) => at = at.child_of(index)?,
            }
        }
    }

    /// Blank leaves below.
    pub fn room(&self) -> u32 {
        self.aggregates().width - self.aggregates().members
    }

    /// The leftmost blank leaf.
    pub fn leftmost_blank(&self) -> Option<LeafIndex> {
        self.nth_blank(0)
    }

    /// The blank leaf with `n` blank ones to its left.
    pub fn nth_blank(&self, n: u32) -> Option<LeafIndex> {
        self.nth(n, Self::room)
    }

    /// The member's leaf with `n` members to its left.
    pub fn nth_member(&self, n: u32) -> Option<LeafIndex> {
        self.nth(n, |subtree| subtree.aggregates().members)
    }

    /// The leaf with `n` leaves of a kind to its left, of which `count` says how many there are.
    fn nth(&self, mut n: u32, count: impl Fn(&Self) -> u32) -> Option<LeafIndex> {
        let mut at = *self;
        if n >= count(&at) {
            return None;
        }
        loop {
            let Some(last) = at.children().next_back() else {
                // A leaf, or a closed subtree of nothing but blank ones.
                return Some(LeafIndex(at.first + n));
            };
            let mut next = last;
            for child in at.children() {
                if n < count(&child) {
                    next = child;
                    break;
                }
                n -= count(&child);
            }
            at = next;
        }
    }

    /// The blank leaf from which a path would cost least, the leftmost of equals.
    pub fn cheapest_blank(&self) -> Option<LeafIndex> {
        let mut at = *self;
        at.aggregates().cheapest_room?;
        loop {
            let total: u32 = at.children().map(|child| child.aggregates().resolution).sum();
            let cost = |child: &Self| {
                let child = child.aggregates();
                Some(child.cheapest_room? + u64::from(total - child.resolution))
            };
            let best = at.children().filter_map(|child| Some((cost(&child)?, child)));
            match best.min_by_key(|(cost, child)| (*cost, child.first)) {
                Some((_, child)) => at = child,
                None => return Some(at.first_leaf()),
            }
        }
    }

    /// The blank leaf whose path meets that of `leaf` lowest, the leftmost of equals.
    pub fn nearest_blank(&self, leaf: LeafIndex) -> Option<LeafIndex> {
        let below = self.child_of(leaf).filter(|_| self.contains(leaf));
        below.and_then(|child| child.nearest_blank(leaf)).or_else(|| self.leftmost_blank())
    }

    /// The rightmost leaf that is not blank.
    pub fn rightmost_member(&self) -> Option<LeafIndex> {
        let mut at = *self;
        while at.aggregates().members > 0 {
            match at.children().rev().find(|child| child.aggregates().members > 0) {
                Some(child) => at = child,
                None => return Some(at.first_leaf()),
            }
        }
        None
    }

    /// All members, from the left.
    pub fn leaves(&self) -> Vec<(LeafIndex, &'t Arc<D::Leaf>)> {
        let mut found = Vec::with_capacity(self.aggregates().members as usize);
        self.collect_leaves(&mut found);
        found
    }

    fn collect_leaves(&self, found: &mut Vec<(LeafIndex, &'t Arc<D::Leaf>)>) {
        match self.place() {
            Place::Blank => {}
            Place::Leaf(leaf) => found.push((self.first_leaf(), leaf)),
            Place::Parent(_) => self.children().for_each(|child| child.collect_leaves(found)),
        }
    }

    /// The ancestors of a leaf inside this subtree, from the lowest upwards.
    pub(super) fn direct_path(&self, leaf: LeafIndex, filters: bool) -> Vec<PathStep<'t, D>> {
        let mut path = Vec::with_capacity(usize::from(self.aggregates().height));
        let mut at = *self;
        while at.node.children().len() > 1 {
            let children: SmallVec<[Self; 2]> = at.children().collect();
            let Some(child) = children.iter().position(|child| child.contains(leaf)) else { break };
            let copath =
                children.iter().enumerate().filter(|(i, _)| *i != child).map(|(_, c)| *c).collect();
            path.push(PathStep { node: at, child, copath, filters });
            at = children[child];
        }
        path.reverse();
        path
    }

    /// The resolution, in the order in which ciphertexts are sent.
    pub fn resolution(&self) -> Vec<Resolved<'t, D>> {
        let mut resolved = Vec::with_capacity(self.aggregates().resolution as usize);
        self.collect_resolution(&mut resolved);
        resolved
    }

    fn collect_resolution(&self, resolved: &mut Vec<Resolved<'t, D>>) {
        match self.place() {
            Place::Blank => {}
            Place::Leaf(leaf) => resolved.push(Resolved::Leaf(self.first_leaf(), leaf)),
            Place::Parent(Some(parent)) => {
                resolved.push(Resolved::Parent(parent));
                let unmerged = D::unmerged(parent).iter();
                resolved.extend(
                    unmerged.filter_map(|&i| self.leaf(i).map(|leaf| Resolved::Leaf(i, leaf))),
                );
            }
            Place::Parent(None) => {
                self.children().for_each(|child| child.collect_resolution(resolved));
            }
        }
    }

    /// Where a member finds itself in the resolution. One walk down, no resolution is built.
    pub fn locate(&self, member: LeafIndex) -> Option<Located<'t, D>> {
        let mut before = 0;
        let mut at = *self;
        let unmerged = |position, leaf| Located {
            position,
            first: member,
            entry: Resolved::Leaf(member, leaf),
        };
        loop {
            match at.place() {
                Place::Blank => return None,
                Place::Leaf(leaf) => return Some(unmerged(before, leaf)),
                Place::Parent(Some(parent)) => {
                    let entry = Resolved::Parent(parent);
                    return match D::unmerged(parent).binary_search(&member) {
                        Err(_) => Some(Located { position: before, first: at.first_leaf(), entry }),
                        Ok(i) => Some(unmerged(before + 1 + i, at.leaf(member)?)),
                    };
                }
                Place::Parent(None) => {
                    let next = at.child_of(member)?;
                    before += at
                        .children()
                        .take_while(|child| child.first < next.first)
                        .map(|child| child.aggregates().resolution as usize)
                        .sum::<usize>();
                    at = next;
                }
            }
        }
    }
}
