//! A free tree written down, node by node, and read again.

use std::sync::Arc;

use super::MAX_HEIGHT;
use crate::tree::node::{Children, Kind, Node, Tag};
use crate::tree::places::{Places, Spot};
use crate::tree::{LeafIndex, Place, Shape, Subtree, Tree, TreeData};

/// A node of a free tree as it is written down: its leaf's number and the leaf, or the number of its
/// children, which follow, whether it is an inner parent, and its key.
#[derive(Clone, Debug)]
pub enum Written<L, P> {
    /// A member's leaf.
    Leaf(LeafIndex, Arc<L>),
    /// A parent.
    Parent {
        /// How many children follow, each with what is below it.
        children: u8,
        /// Whether it stands for one node together with its own parent.
        inner: bool,
        /// Its key.
        value: Option<Arc<P>>,
    },
}

/// Why a list of written nodes is no tree of its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOfForm {
    /// Nodes are missing, or more than there should be.
    #[error("the nodes of a free tree do not end where the tree does")]
    End,
    /// A leaf's number stands twice, or is too large.
    #[error("{0} stands in a free tree twice, or is beyond {MAX_LEAVES}")]
    Leaf(LeafIndex),
    /// The tree is not of the form that its group keeps.
    #[error("the tree is not of the form that its group keeps")]
    Form,
}

/// The numbers that leaves of a free tree may have.
pub const MAX_LEAVES: u32 = 1 << 30;

impl<D: TreeData, S: Shape> Tree<D, S> {
    /// The nodes of a free tree, each before what is below it.
    pub fn written<'t>(&'t self, visit: &mut dyn FnMut(WrittenRef<'t, D>)) {
        write(self.root(), visit);
    }

    /// Builds a free tree from its nodes as [`written`](Self::written) visits them.
    pub fn from_written(
        shape: S,
        nodes: &[Written<D::Leaf, D::Parent>],
    ) -> Result<Self, NotOfForm> {
        let form = shape.form().ok_or(NotOfForm::Form)?;
        let mut places = Places::new();
        let mut rest = nodes.iter();
        let mut reader = Reader { nodes: &mut rest, places: &mut places };
        let root = reader.read::<D>(0)?;
        if rest.next().is_some() {
            return Err(NotOfForm::End);
        }
        places.put(root.spot(), None);
        let tree = Self { root, shape, places: Some(places) };
        if form.is_sound(tree.root()) { Ok(tree) } else { Err(NotOfForm::Form) }
    }
}

/// [`Written`], borrowed.
pub enum WrittenRef<'t, D: TreeData> {
    /// A member's leaf.
    Leaf(LeafIndex, &'t Arc<D::Leaf>),
    /// How many children a parent has, whether it is an inner one, and its key.
    Parent(u8, bool, Option<&'t Arc<D::Parent>>),
}

fn write<'t, D: TreeData>(at: Subtree<'t, D>, visit: &mut dyn FnMut(WrittenRef<'t, D>)) {
    match at.place() {
        // A settled free tree has no blank leaf.
        Place::Blank => {}
        Place::Leaf(leaf) => visit(WrittenRef::Leaf(at.first_leaf(), leaf)),
        Place::Parent(value) => {
            visit(WrittenRef::Parent(at.children().count() as u8, at.is_inner(), value));
            at.children().for_each(|child| write(child, visit));
        }
    }
}

struct Reader<'r, 'n, L, P> {
    nodes: &'r mut std::slice::Iter<'n, Written<L, P>>,
    places: &'r mut Places,
}

impl<L, P> Reader<'_, '_, L, P> {
    fn read<D: TreeData<Leaf = L, Parent = P>>(
        &mut self,
        depth: u8,
    ) -> Result<Arc<Node<D>>, NotOfForm> {
        match self.nodes.next().ok_or(NotOfForm::End)? {
            Written::Leaf(index, leaf) => {
                if index.0 >= MAX_LEAVES || self.places.has(*index) {
                    return Err(NotOfForm::Leaf(*index));
                }
                self.places.put(Spot::Leaf(index.0), None);
                let tag = Tag { number: index.0, inner: false };
                Ok(Arc::new(Node::leaf(leaf.clone()).tagged(tag)))
            }
            Written::Parent { children, inner, value } => {
                if depth >= MAX_HEIGHT || *children < 2 {
                    return Err(NotOfForm::Form);
                }
                let number = self.places.free_parent();
                self.places.put(Spot::Parent(number), None);
                let children: Result<Children<D>, _> =
                    (0..*children).map(|_| self.read(depth + 1)).collect();
                let node = Node::parent(value.clone(), children?);
                for child in node.children() {
                    self.places.put(child.spot(), Some(number));
                }
                Ok(Arc::new(node.tagged(Tag { number, inner: *inner })))
            }
        }
    }
}

impl<'t, D: TreeData> Subtree<'t, D> {
    /// Whether the parent at the top stands for one node together with its own parent.
    pub fn is_inner(&self) -> bool {
        self.node().tag.inner && !matches!(self.node().kind, Kind::Leaf(_))
    }
}
