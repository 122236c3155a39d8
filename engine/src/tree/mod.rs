//! The one tree: persistent, structurally shared, with cached aggregates (RFC 9420 §4, §7.7,
//! Appendix D).
//!
//! A [`Tree`] is one pointer; a free tree, whose subtrees move about, has three (`form`). Changing it copies the path from the root to the changed leaf and
//! shares everything else with the tree it came from, so an old epoch's nodes live exactly as
//! long as somebody still holds that epoch. Every operation is one walk along one path; walks
//! that only read go through [`Subtree`].

mod crown;
mod form;
mod index;
mod node;
mod places;
mod shape;
mod subtree;
mod survey;
mod traversal;
mod way;

use std::sync::Arc;

pub(crate) use crown::Crown;
pub use form::{
    Attach, Beside, Form, MAX_HEIGHT, MAX_LEAVES, NotOfForm, PERCENTAGES, Written, WrittenRef,
};
pub use index::{LeafIndex, NodeIndex};
pub use node::{Aggregates, Graft, Node};
pub use shape::{Ary, LeftBalanced, Perfect, Shape, Widths};
pub use subtree::{ChildIter, Located, PathStep, Place, Resolved, Subtree};
pub use traversal::{NodeState, Traversed};

use node::Kind;
use places::{Places, Spot};
use way::Way;

/// What a tree holds at its leaves and parents.
pub trait TreeData: Sized + 'static {
    /// A member's leaf.
    type Leaf;
    /// A keyed parent.
    type Parent;
    /// What is cached at each node beside the aggregates, for example its tree hash. It is
    /// empty again whenever something below the node has changed.
    type Cache: Default;

    /// The unmerged leaves of a keyed parent, ascending.
    fn unmerged(parent: &Self::Parent) -> &[LeafIndex];

    /// How much a member counts where a tree is laid out by activity.
    fn weight(_leaf: &Self::Leaf) -> u64 {
        1
    }

    /// A parent is cut off or taken apart: what becomes of the leaf that was its child at a
    /// position, if that is to change.
    fn lift_leaf(_cut: &Self::Parent, _position: usize, _leaf: &Self::Leaf) -> Option<Self::Leaf> {
        None
    }

    /// The same for a parent that was its child.
    fn lift_parent(
        _cut: &Self::Parent,
        _position: usize,
        _child: Option<&Self::Parent>,
    ) -> Option<Self::Parent> {
        None
    }

    /// What stays of a parent whose children carry all that they were to carry of it, if it changes.
    fn lifted(_parent: &Self::Parent) -> Option<Self::Parent> {
        None
    }
}

/// A leaf index lies outside the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{leaf} is outside a tree of {width} leaves")]
pub struct OutsideTree {
    /// The leaf asked for.
    pub leaf: LeafIndex,
    /// The leaves there are.
    pub width: u32,
}

/// A persistent tree. Cloning it copies one pointer, or three.
pub struct Tree<D: TreeData, S: Shape = Perfect> {
    root: Arc<Node<D>>,
    shape: S,
    /// Where the leaves of a free tree are.
    places: Option<Places>,
}

impl<D: TreeData, S: Shape> Clone for Tree<D, S> {
    fn clone(&self) -> Self {
        let (root, shape) = (self.root.clone(), self.shape.clone());
        Self { root, shape, places: self.places.clone() }
    }
}

impl<D: TreeData, S: Shape> std::fmt::Debug for Tree<D, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Tree").field(self.aggregates()).finish()
    }
}

/// Gives the new leaf for the old one.
pub type LeafEdit<'e, L> = dyn FnMut(Option<Arc<L>>) -> Option<Arc<L>> + 'e;

/// Rewrites a parent; it is told which child the path comes through.
pub type ParentEdit<'e, P> = dyn FnMut(usize, &mut Option<Arc<P>>) + 'e;

/// The change of one path: what to do at the leaf, and at each parent from the leaf upwards.
struct PathEdit<'e, D: TreeData> {
    leaf: &'e mut LeafEdit<'e, D::Leaf>,
    parent: &'e mut ParentEdit<'e, D::Parent>,
}

impl<D: TreeData, S: Shape> Tree<D, S> {
    /// A tree of one leaf, blank.
    pub fn new(shape: S) -> Self {
        let places = shape.form().map(|_| {
            let mut places = Places::new();
            places.put(Spot::Leaf(0), None);
            places
        });
        Self { root: Arc::new(Node::blank(&shape, 1)), shape, places }
    }

    /// What the whole tree's aggregates are.
    pub fn aggregates(&self) -> &Aggregates {
        self.root.aggregates()
    }

    /// How the tree is laid out.
    pub fn shape(&self) -> &S {
        &self.shape
    }

    /// Leaves, blank ones included.
    pub fn width(&self) -> u32 {
        self.aggregates().width
    }

    /// Leaves that are not blank.
    pub fn members(&self) -> u32 {
        self.aggregates().members
    }

    /// The whole tree as a subtree, for reading.
    pub fn root(&self) -> Subtree<'_, D> {
        Subtree::new(&self.root, 0, self.places.as_ref())
    }

    /// One more than the greatest leaf index there is.
    pub fn bound(&self) -> u32 {
        self.places.as_ref().map_or(self.width(), Places::bound)
    }

    /// The leaf at `index`; `None` if it is blank or outside.
    pub fn leaf(&self, index: LeafIndex) -> Option<&Arc<D::Leaf>> {
        self.root().leaf(index)
    }

    /// The leftmost blank leaf, if the tree has room.
    pub fn leftmost_blank(&self) -> Option<LeafIndex> {
        self.root().leftmost_blank()
    }

    /// The ancestors of a leaf, from the lowest to the root, each with its copath children.
    pub fn direct_path(&self, leaf: LeafIndex) -> Result<Vec<PathStep<'_, D>>, OutsideTree> {
        self.inside(leaf)?;
        Ok(self.root().direct_path(leaf, self.shape.filters_paths()))
    }

    /// The direct path without the nodes whose copath children all have an empty resolution
    /// (RFC 9420 §4.1.2).
    pub fn filtered_direct_path(
        &self,
        leaf: LeafIndex,
    ) -> Result<Vec<PathStep<'_, D>>, OutsideTree> {
        let mut path = self.direct_path(leaf)?;
        path.retain(|step| !step.is_filtered_out());
        Ok(path)
    }

    /// Sets a leaf and lists it as unmerged at each keyed ancestor; `unmerge` makes the
    /// ancestor that has it in its list.
    pub fn add(
        &mut self,
        index: LeafIndex,
        leaf: Arc<D::Leaf>,
        unmerge: impl Fn(&D::Parent) -> D::Parent,
    ) -> Result<(), OutsideTree> {
        self.edit(index, &mut |_| Some(leaf.clone()), &mut |_, value| {
            if let Some(parent) = value {
                *value = Some(Arc::new(unmerge(parent)));
            }
        })
    }

    /// Replaces a leaf and blanks its direct path (an Update proposal).
    pub fn replace(&mut self, index: LeafIndex, leaf: Arc<D::Leaf>) -> Result<(), OutsideTree> {
        self.edit(index, &mut |_| Some(leaf.clone()), &mut |_, value| *value = None)
    }

    /// Blanks a leaf and its direct path (a Remove proposal, before truncation).
    pub fn blank(&mut self, index: LeafIndex) -> Result<(), OutsideTree> {
        self.edit(index, &mut |_| None, &mut |_, value| *value = None)
    }

    /// Blanks a leaf; at each parent above it `keep` says what stays there, if anything.
    pub fn vacate(
        &mut self,
        index: LeafIndex,
        keep: impl Fn(&D::Parent) -> Option<D::Parent>,
    ) -> Result<(), OutsideTree> {
        self.edit(index, &mut |_| None, &mut |_, value| {
            *value = value.as_deref().and_then(&keep).map(Arc::new);
        })
    }

    /// Sets a leaf and its direct path, from the lowest parent to the root.
    pub fn set_path(
        &mut self,
        index: LeafIndex,
        leaf: Arc<D::Leaf>,
        path: Vec<Option<Arc<D::Parent>>>,
    ) -> Result<(), OutsideTree> {
        let mut path = path.into_iter();
        self.edit(index, &mut |_| Some(leaf.clone()), &mut |_, value| {
            *value = path.next().flatten();
        })
    }

    /// Grows to the next larger tree.
    pub fn extend(&mut self) {
        self.root = self.shape.extend(self.root.clone());
    }

    /// Shrinks as far as the shape allows without losing a member.
    pub fn truncate(&mut self) {
        self.root = self.shape.truncate(self.root.clone());
    }

    pub(crate) fn inside(&self, leaf: LeafIndex) -> Result<(), OutsideTree> {
        let inside = match &self.places {
            Some(places) => places.has(leaf),
            None => leaf.0 < self.width(),
        };
        if inside { Ok(()) } else { Err(OutsideTree { leaf, width: self.width() }) }
    }

    /// The walk under all of these: rewrites a leaf, then the parents above it from the lowest
    /// to the root.
    pub fn edit<'e>(
        &mut self,
        index: LeafIndex,
        leaf: &'e mut LeafEdit<'e, D::Leaf>,
        parent: &'e mut ParentEdit<'e, D::Parent>,
    ) -> Result<(), OutsideTree> {
        self.inside(index)?;
        let top = self.root.spot();
        let mut way = match &self.places {
            None => Way::Offset(index.0),
            Some(places) => match places.ascent(index, top) {
                Some(nodes) => Way::Nodes(nodes),
                None => return Err(OutsideTree { leaf: index, width: self.width() }),
            },
        };
        let mut edit = PathEdit { leaf, parent };
        walk(&mut self.root, &self.shape, &mut way, &mut edit);
        Ok(())
    }
}

/// The one walk that changes anything: down to the leaf, then the parents on the way up.
fn walk<D: TreeData, S: Shape>(
    link: &mut Arc<Node<D>>,
    shape: &S,
    way: &mut Way,
    edit: &mut PathEdit<'_, D>,
) {
    let node = Arc::make_mut(link);
    if node.aggregates().width == 1 {
        let leaf = match &node.kind {
            Kind::Leaf(leaf) => Some(leaf.clone()),
            _ => None,
        };
        let edited = (edit.leaf)(leaf).map_or_else(|| Node::blank(shape, 1), Node::leaf);
        *node = edited.tagged(node.tag);
        return;
    }
    node.open(shape);
    if let Kind::Parent { value, children } = &mut node.kind
        && let Some((position, _)) = way.child(children)
    {
        walk(&mut children[position], shape, way, edit);
        (edit.parent)(position, value);
    }
    node.refresh(shape);
}

/// A leaf or a parent, as a flat list of nodes gives it.
#[derive(Clone, Debug)]
pub enum NodeValue<L, P> {
    /// A member's leaf.
    Leaf(Arc<L>),
    /// A keyed parent.
    Parent(Arc<P>),
}

/// Why a flat list of nodes is not a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotATree {
    /// There are no nodes.
    #[error("a tree has at least one node")]
    Empty,
    /// There are more nodes than a tree may have.
    #[error("a tree has at most 2^32 leaves")]
    TooLarge,
    /// A leaf stands at a parent's place, or a parent at a leaf's.
    #[error("node {0} is of the wrong kind for its place")]
    WrongKind(u32),
}

impl<D: TreeData, S: Shape> Tree<D, S> {
    /// Builds the tree whose traversal starts with `nodes`: a parent stands behind its first
    /// child, which for two children is in-order. What is missing at the right is blank
    /// (RFC 9420 §12.4.3.3).
    pub fn from_nodes(
        shape: S,
        nodes: &[Option<NodeValue<D::Leaf, D::Parent>>],
    ) -> Result<Self, NotATree> {
        if nodes.is_empty() {
            return Err(NotATree::Empty);
        }
        let width = shape.width_of_nodes(nodes.len()).ok_or(NotATree::TooLarge)?;
        let root = build::<D, S>(&shape, nodes, &mut 0, width)?;
        Ok(Self { root: Arc::new(root), shape, places: None })
    }
}

/// Builds a subtree of `width` leaves whose traversal starts at `next`, and moves `next` behind it.
fn build<D: TreeData, S: Shape>(
    shape: &S,
    nodes: &[Option<NodeValue<D::Leaf, D::Parent>>],
    next: &mut usize,
    width: u32,
) -> Result<Node<D>, NotATree> {
    if *next >= nodes.len() {
        return Ok(Node::blank(shape, width));
    }
    let take = |next: &mut usize| {
        let at = *next;
        *next += 1;
        (at as u32, nodes.get(at).and_then(Option::as_ref))
    };
    if width == 1 {
        return match take(next) {
            (_, None) => Ok(Node::blank(shape, 1)),
            (_, Some(NodeValue::Leaf(leaf))) => Ok(Node::leaf(leaf.clone())),
            (at, Some(NodeValue::Parent(_))) => Err(NotATree::WrongKind(at)),
        };
    }
    let mut value = None;
    let mut children = node::Children::<D>::new();
    for width in shape.children_of_blank(width) {
        children.push(Arc::new(build(shape, nodes, next, width)?));
        if children.len() == 1 {
            value = match take(next) {
                (_, None) => None,
                (_, Some(NodeValue::Parent(parent))) => Some(parent.clone()),
                (at, Some(NodeValue::Leaf(_))) => return Err(NotATree::WrongKind(at)),
            };
        }
    }
    let node = Node::parent(value, children);
    Ok(if node.is_empty() { Node::blank(shape, width) } else { node })
}
