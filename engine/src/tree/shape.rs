//! Shapes: what a tree looks like before anybody is in it, and how it grows and shrinks.
//!
//! Everything else about a tree (finding a leaf, paths, resolutions, aggregates) goes by the
//! width that each node caches, so it is the same for all shapes and all arities.

mod left_balanced;
mod m_ary;
mod perfect;

use std::sync::Arc;

use smallvec::SmallVec;

use super::node::{Children, Node};
use super::{Form, TreeData};

pub use left_balanced::LeftBalanced;
pub use m_ary::Ary;
pub use perfect::Perfect;

/// The widths of the children of a node, from the left.
pub type Widths = SmallVec<[u32; 2]>;

/// How a tree is laid out.
pub trait Shape: Clone + std::fmt::Debug + Send + Sync {
    /// The children of an all-blank subtree of `width` leaves, at least two of them.
    fn children_of_blank(&self, width: u32) -> Widths;

    /// The parents inside an all-blank subtree of `width` leaves.
    fn parents_in_blank(&self, width: u32) -> u32;

    /// The height of an all-blank subtree of `width` leaves.
    fn height_of_blank(&self, width: u32) -> u8;

    /// The leaves of the smallest tree whose traversal has at least `nodes` nodes; none if
    /// there would be too many.
    fn width_of_nodes(&self, nodes: usize) -> Option<u32>;

    /// The next larger tree, with the old one inside.
    fn extend<D: TreeData>(&self, root: Arc<Node<D>>) -> Arc<Node<D>>;

    /// The smallest tree of this shape that loses no member at the right edge.
    fn truncate<D: TreeData>(&self, root: Arc<Node<D>>) -> Arc<Node<D>>;

    /// By which rule subtrees move about, if they do: then leaves have numbers of their own, the tree
    /// holds no blank ones, and the methods above speak of single leaves only.
    fn form(&self) -> Option<Form> {
        None
    }

    /// Whether a path leaves out the nodes with nobody below their copath (RFC 9420 §4.1.2).
    fn filters_paths(&self) -> bool {
        true
    }
}
