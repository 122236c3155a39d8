//! A traversal: every node of a tree in one walk, as somebody sees it who asks for the tree's form
//! and not for its keys. A parent comes before what is below it, and all of that from the left;
//! the nodes inside closed blank subtrees are told one by one. O(width).

use super::{LeafIndex, Place, Shape, Subtree, Tree, TreeData};

/// What stands at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// A parent with a key that all members below it hold.
    Keyed,
    /// A parent with a key that unmerged leaves below it do not hold.
    Unmerged,
    /// A parent without a key.
    Blank,
    /// A member's leaf.
    Member,
    /// A leaf without a member.
    BlankLeaf,
}

/// A node of a traversal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traversed {
    /// Edges from the root.
    pub depth: u32,
    /// Leaves of the tree left of those at or below the node.
    pub first: u32,
    /// The node's index, if it is a leaf.
    pub leaf: Option<LeafIndex>,
    /// Leaves at or below the node, blank ones included.
    pub width: u32,
    /// What stands there.
    pub state: NodeState,
    /// Ciphertexts that a path through the node spends at its parent: what the node's siblings
    /// resolve to. A member's path costs the sum of this from its leaf up to the root.
    pub copath: u64,
    /// Whether the node is blank and the filtered direct path (RFC 9420 §4.1.2) of a member below
    /// it would give it a key: what nobody needs is not missing.
    pub lacks_key: bool,
}

impl<D: TreeData, S: Shape> Tree<D, S> {
    /// Visits every node.
    pub fn traverse(&self, visit: &mut dyn FnMut(Traversed)) {
        Traversal { shape: self.shape(), visit }.walk(self.root(), 0, 0);
    }
}

struct Traversal<'s, S> {
    shape: &'s S,
    visit: &'s mut dyn FnMut(Traversed),
}

impl<S: Shape> Traversal<'_, S> {
    fn walk<D: TreeData>(&mut self, at: Subtree<'_, D>, depth: u32, copath: u64) {
        let (first, width) = (at.position(), at.aggregates().width);
        let state = match at.place() {
            Place::Blank => return self.walk_blank(at.first_leaf(), first, width, depth, copath),
            Place::Leaf(_) => NodeState::Member,
            Place::Parent(None) => NodeState::Blank,
            Place::Parent(Some(parent)) if D::unmerged(parent).is_empty() => NodeState::Keyed,
            Place::Parent(Some(_)) => NodeState::Unmerged,
        };
        let resolution = |child: &Subtree<'_, D>| u64::from(child.aggregates().resolution);
        let below: u64 = at.children().map(|child| resolution(&child)).sum();
        let peopled = at.children().filter(|child| resolution(child) > 0).count();
        let needed = if self.shape.filters_paths() { 2 } else { 1 };
        let lacks_key = state == NodeState::Blank && peopled >= needed;
        let leaf = (state == NodeState::Member).then(|| at.first_leaf());
        (self.visit)(Traversed { depth, first, leaf, width, state, copath, lacks_key });
        for child in at.children() {
            self.walk(child, depth + 1, below - resolution(&child));
        }
    }

    /// The nodes of an all-blank subtree, which the tree keeps as one.
    fn walk_blank(&mut self, index: LeafIndex, first: u32, width: u32, depth: u32, copath: u64) {
        let state = if width == 1 { NodeState::BlankLeaf } else { NodeState::Blank };
        let leaf = (width == 1).then_some(index);
        let lacks_key = false;
        (self.visit)(Traversed { depth, first, leaf, width, state, copath, lacks_key });
        if width == 1 {
            return;
        }
        let mut next = 0;
        for child in self.shape.children_of_blank(width) {
            self.walk_blank(LeafIndex(index.0 + next), first + next, child, depth + 1, 0);
            next += child;
        }
    }
}
