//! Reading a tree: subtrees with their position, paths, copaths and resolutions (RFC 9420
//! §4.1.1, §4.1.2).

use std::sync::Arc;

use smallvec::SmallVec;

use super::node::{Aggregates, Kind, Node};
use super::places::Places;
use super::way::Way;
use super::{LeafIndex, TreeData};

/// A node together with how many leaves are left of it.
pub struct Subtree<'t, D: TreeData> {
    node: &'t Node<D>,
    first: u32,
    /// Where leaves are whose number is not their position.
    places: Option<&'t Places>,
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
    /// Its position in the resolution, the new leaves left out.
    pub position: usize,
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
    places: Option<&'t Places>,
}

impl<'t, D: TreeData> Iterator for ChildIter<'t, D> {
    type Item = Subtree<'t, D>;

    fn next(&mut self) -> Option<Self::Item> {
        let child = Subtree::new(self.nodes.next()?, self.first, self.places);
        self.first += child.aggregates().width;
        Some(child)
    }
}

impl<D: TreeData> DoubleEndedIterator for ChildIter<'_, D> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let node = self.nodes.next_back()?;
        self.end -= node.aggregates().width;
        Some(Subtree::new(node, self.end, self.places))
    }
}

impl<'t, D: TreeData> Subtree<'t, D> {
    pub(super) fn new(node: &'t Node<D>, first: u32, places: Option<&'t Places>) -> Self {
        Self { node, first, places }
    }

    /// What is cached about this subtree.
    pub fn aggregates(&self) -> &'t Aggregates {
        self.node.aggregates()
    }

    pub(super) fn node(&self) -> &'t Node<D> {
        self.node
    }

    /// How many leaves of the tree are left of this subtree, blank ones included.
    pub fn position(&self) -> u32 {
        self.first
    }

    /// The leftmost leaf below.
    pub fn first_leaf(&self) -> LeafIndex {
        if self.places.is_none() {
            return LeafIndex(self.first);
        }
        let mut node = self.node;
        while let Some(child) = node.children().first() {
            node = child;
        }
        LeafIndex(node.tag.number)
    }

    /// Whether a leaf lies below.
    pub fn contains(&self, leaf: LeafIndex) -> bool {
        self.way(leaf).is_some()
    }

    /// How many of these leaves, ascending, lie below.
    pub fn count_below(&self, leaves: &[LeafIndex]) -> usize {
        if self.places.is_some() {
            return leaves.iter().filter(|leaf| self.contains(**leaf)).count();
        }
        let end = self.first + self.aggregates().width;
        let before = |position: u32| leaves.partition_point(|leaf| leaf.0 < position);
        before(end) - before(self.first)
    }

    /// The way down to a leaf, if it lies below.
    fn way(&self, leaf: LeafIndex) -> Option<Way> {
        match self.places {
            Some(places) => places.ascent(leaf, self.node.spot()).map(Way::Nodes),
            None => {
                let offset = leaf.0.checked_sub(self.first)?;
                (offset < self.aggregates().width).then_some(Way::Offset(offset))
            }
        }
    }

    /// The next node on a way, and which child that is.
    fn step(&self, way: &mut Way) -> Option<(usize, Self)> {
        let (position, before) = way.child(self.node.children())?;
        let child = self.node.children().get(position)?;
        Some((position, Self::new(child, self.first + before, self.places)))
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
        let (nodes, places) = (self.node.children().iter(), self.places);
        ChildIter { nodes, first: self.first, end, places }
    }

    /// The leaf at `index`; `None` if it is blank or not below.
    pub fn leaf(&self, index: LeafIndex) -> Option<&'t Arc<D::Leaf>> {
        let (mut at, mut way) = (*self, self.way(index)?);
        loop {
            match at.place() {
                Place::Blank => return None,
                Place::Leaf(leaf) => return Some(leaf),
                Place::Parent(_) => at = at.step(&mut way)?.1,
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
                return Some(LeafIndex(at.first_leaf().0 + n));
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
            match best.min_by_key(|(cost, child)| (*cost, child.position())) {
                Some((_, child)) => at = child,
                None => return Some(at.first_leaf()),
            }
        }
    }

    /// The blank leaf that one comes to by always taking the child with room that counts least, the
    /// leftmost of equals.
    pub fn lightest_blank(&self) -> Option<LeafIndex> {
        let mut at = (self.room() > 0).then_some(*self)?;
        while let Some(lightest) = at
            .children()
            .filter(|child| child.room() > 0)
            .min_by_key(|child| (child.aggregates().weight, child.position()))
        {
            at = lightest;
        }
        Some(at.first_leaf())
    }

    /// The blank leaf whose path meets that of `leaf` lowest, the leftmost of equals.
    pub fn nearest_blank(&self, leaf: LeafIndex) -> Option<LeafIndex> {
        let below = self.way(leaf).and_then(|mut way| self.step(&mut way)).map(|(_, child)| child);
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
        let Some(mut way) = self.way(leaf) else { return path };
        let mut at = *self;
        while let Some((child, next)) = at.step(&mut way) {
            let others = at.children().enumerate().filter(|(i, _)| *i != child);
            let copath = others.map(|(_, other)| other).collect();
            path.push(PathStep { node: at, child, copath, filters });
            at = next;
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

    /// The nodes from this one down to a leaf; none if it does not lie below.
    pub fn down_to(&self, leaf: LeafIndex) -> Vec<Self> {
        let Some(mut way) = self.way(leaf) else { return vec![] };
        let mut nodes = vec![*self];
        while let Some((_, next)) = nodes[nodes.len() - 1].step(&mut way) {
            nodes.push(next);
        }
        nodes
    }

    /// Where a member finds itself in the resolution without the leaves of `added`, ascending. No
    /// resolution is built, but those of `added` are looked for at each node of the way.
    pub fn locate(&self, member: LeafIndex, added: &[LeafIndex]) -> Option<Located<'t, D>> {
        let (mut at, mut way) = (*self, self.way(member)?);
        let mut before = 0;
        loop {
            match at.place() {
                Place::Blank => return None,
                Place::Leaf(leaf) => {
                    return Some(Located { position: before, entry: Resolved::Leaf(member, leaf) });
                }
                Place::Parent(Some(parent)) => {
                    let unmerged = D::unmerged(parent);
                    let Ok(i) = unmerged.binary_search(&member) else {
                        let entry = Resolved::Parent(parent);
                        return Some(Located { position: before, entry });
                    };
                    let is_new = |leaf: &&LeafIndex| added.binary_search(leaf).is_ok();
                    let new = unmerged[..i].iter().filter(is_new).count();
                    let entry = Resolved::Leaf(member, at.leaf(member)?);
                    return Some(Located { position: before + 1 + i - new, entry });
                }
                Place::Parent(None) => {
                    let (position, next) = at.step(&mut way)?;
                    let earlier = at.children().take(position);
                    before += earlier.map(|child| child.resolution_without(added)).sum::<usize>();
                    at = next;
                }
            }
        }
    }

    /// The length of the resolution without the leaves of `added`, ascending: those below stand in it
    /// by themselves.
    pub fn resolution_without(&self, added: &[LeafIndex]) -> usize {
        self.aggregates().resolution as usize - self.count_below(added)
    }
}
