//! What all forms build with: parents made, taken apart, or given other children, and their places
//! kept.

use std::sync::Arc;

use smallvec::SmallVec;

use super::Dropped;
use crate::tree::node::{Children, Kind, Node, Tag};
use crate::tree::places::{Places, Spot};
use crate::tree::{Shape, TreeData};

pub(super) type Link<D> = Arc<Node<D>>;

/// Builds in one tree.
pub(super) struct Builder<'b, D: TreeData> {
    places: &'b mut Places,
    dropped: &'b mut Dropped<'b, D::Parent>,
    /// Nodes that are gone. Their numbers are free at the end only: until then a number says which
    /// node it was before.
    gone: SmallVec<[Spot; 8]>,
}

impl<D: TreeData> Node<D> {
    /// Blank leaves below.
    pub(in crate::tree) fn room(&self) -> u32 {
        self.aggregates().width - self.aggregates().members
    }

    pub(super) fn is_blank_leaf(&self) -> bool {
        self.children().is_empty() && self.aggregates().members == 0
    }

    fn value(&self) -> Option<&Arc<D::Parent>> {
        match &self.kind {
            Kind::Parent { value, .. } => value.as_ref(),
            _ => None,
        }
    }
}

impl<'b, D: TreeData> Builder<'b, D> {
    pub(super) fn new<'d: 'b>(
        places: &'b mut Places,
        dropped: &'b mut Dropped<'d, D::Parent>,
    ) -> Self {
        // The trait object's own lifetime may be shorter here.
        Self { places, dropped, gone: SmallVec::new() }
    }

    /// A new blank leaf, not yet below anything.
    pub(super) fn leaf<S: Shape>(&mut self, shape: &S) -> Link<D> {
        let number = self.places.free_leaf().0;
        self.places.put(Spot::Leaf(number), None);
        Arc::new(Node::blank(shape, 1).tagged(Tag { number, inner: false }))
    }

    /// A new blank parent.
    pub(super) fn parent(&mut self, children: Children<D>) -> Link<D> {
        self.parent_of(None, children, false)
    }

    /// A new blank parent that stands for one node together with its own parent.
    pub(super) fn inner(&mut self, children: Children<D>) -> Link<D> {
        self.parent_of(None, children, true)
    }

    fn parent_of(
        &mut self,
        value: Option<Arc<D::Parent>>,
        children: Children<D>,
        inner: bool,
    ) -> Link<D> {
        let number = self.places.free_parent();
        self.places.put(Spot::Parent(number), None);
        self.place(Node::parent(value, children), Tag { number, inner })
    }

    fn place(&mut self, node: Node<D>, tag: Tag) -> Link<D> {
        for child in node.children() {
            self.places.put(child.spot(), Some(tag.number));
        }
        Arc::new(node.tagged(tag))
    }

    /// Takes a parent apart: its key goes, and its children carry what they are to carry of it.
    pub(super) fn dissolve(&mut self, node: &Node<D>) -> Children<D> {
        if let Some(value) = node.value() {
            (self.dropped)(value);
        }
        self.gone.push(node.spot());
        (0..node.children().len()).filter_map(|position| node.lifted(position)).collect()
    }

    /// Frees a blank leaf.
    pub(super) fn drop_leaf(&mut self, leaf: &Node<D>) {
        self.gone.push(leaf.spot());
    }

    /// A parent whose children carry all that they were to carry of it, so that they may change
    /// places.
    pub(super) fn relieve(&self, node: &Link<D>) -> Link<D> {
        let Some(lifted) = node.value().and_then(|value| D::lifted(value)) else {
            return node.clone();
        };
        let children = (0..node.children().len()).filter_map(|at| node.lifted(at)).collect();
        Arc::new(Node::parent(Some(Arc::new(lifted)), children).tagged(node.tag))
    }

    /// A [relieved](Self::relieve) parent, with its key, over another list of children: newcomers put
    /// in, leavers taken out, or others in their stead with the same members.
    pub(super) fn with(&mut self, node: &Node<D>, children: Children<D>) -> Link<D> {
        self.place(Node::parent(node.value().cloned(), children), node.tag)
    }

    /// A parent with another child at a position, which has the same members as the old one.
    pub(super) fn with_child(
        &mut self,
        node: &Node<D>,
        position: usize,
        child: Link<D>,
    ) -> Link<D> {
        let mut children: Children<D> = node.children().iter().cloned().collect();
        children[position] = child;
        self.with(node, children)
    }

    /// A parent that stands for a node by itself from now on.
    pub(super) fn outer(&mut self, node: &Node<D>) -> Link<D> {
        let mut node = node.clone();
        node.tag.inner = false;
        Arc::new(node)
    }

    /// A node is the root of the tree that was built.
    pub(super) fn finish(self, root: &Node<D>) {
        self.gone.into_iter().for_each(|node| self.places.free(node));
        self.places.put(root.spot(), None);
    }
}
