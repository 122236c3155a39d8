//! Shapes: what a tree looks like before anybody is in it, and how it grows and shrinks.
//!
//! Everything else about a tree (finding a leaf, paths, resolutions, aggregates) goes by the
//! width that each node caches, so it is the same for all shapes and all arities.

use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use super::TreeData;
use super::node::Node;

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

    /// The next larger tree, with the old one inside.
    fn extend<D: TreeData>(&self, root: Arc<Node<D>>) -> Arc<Node<D>>;

    /// The smallest tree of this shape that loses no member at the right edge.
    fn truncate<D: TreeData>(&self, root: Arc<Node<D>>) -> Arc<Node<D>>;
}

/// RFC 9420 §7.7: a perfect binary tree of 2^d leaves, doubled and halved at the right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Perfect;

impl Shape for Perfect {
    fn children_of_blank(&self, width: u32) -> Widths {
        smallvec![width / 2, width / 2]
    }

    fn parents_in_blank(&self, width: u32) -> u32 {
        width - 1
    }

    fn height_of_blank(&self, width: u32) -> u8 {
        width.trailing_zeros() as u8
    }

    fn extend<D: TreeData>(&self, root: Arc<Node<D>>) -> Arc<Node<D>> {
        let right = Node::blank(self, root.aggregates().width);
        Arc::new(Node::parent(None, smallvec![root, Arc::new(right)]))
    }

    fn truncate<D: TreeData>(&self, mut root: Arc<Node<D>>) -> Arc<Node<D>> {
        loop {
            let width = root.aggregates().width;
            if width == 1 {
                return root;
            }
            root = match root.children() {
                [left, right] if right.aggregates().members == 0 => left.clone(),
                // An all-blank tree keeps one blank leaf.
                [] => return Arc::new(Node::blank(self, 1)),
                _ => return root,
            };
        }
    }
}
