//! Shape `left-balanced`: the trees of 2018 (draft-barnes-mls-protocol-00 §4, and the drafts up to
//! 2021). The left subtree of n leaves has the largest power of two below n; a tree grows
//! and is cut by single leaves at its right edge.
//!
//! A leaf that is appended puts one blank parent above itself and the perfect subtree at the
//! right edge; all other keys stay. Cutting leaves at the right edge takes those parents away
//! again, and what they knew with them.

use std::sync::Arc;

use smallvec::smallvec;

use super::{Shape, Widths};
use crate::tree::TreeData;
use crate::tree::node::{Kind, Node};

/// A left-balanced binary tree of any number of leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftBalanced;

/// The leaves of the left subtree.
fn left_width(width: u32) -> u32 {
    1 << (width - 1).ilog2()
}

impl Shape for LeftBalanced {
    fn children_of_blank(&self, width: u32) -> Widths {
        let left = left_width(width);
        smallvec![left, width - left]
    }

    fn parents_in_blank(&self, width: u32) -> u32 {
        width - 1
    }

    fn height_of_blank(&self, width: u32) -> u8 {
        if width == 1 { 0 } else { (width - 1).ilog2() as u8 + 1 }
    }

    fn width_of_nodes(&self, nodes: usize) -> Option<u32> {
        u32::try_from(nodes / 2 + 1).ok()
    }

    fn extend<D: TreeData>(&self, root: Arc<Node<D>>) -> Arc<Node<D>> {
        let width = root.aggregates().width;
        let children = root.children();
        if width.is_power_of_two() || children.is_empty() {
            if root.is_empty() {
                return Arc::new(Node::blank(self, width + 1));
            }
            return Arc::new(Node::parent(None, smallvec![root, Arc::new(Node::blank(self, 1))]));
        }
        let right = self.extend(children[1].clone());
        with_right(&root, children[0].clone(), right)
    }

    fn truncate<D: TreeData>(&self, root: Arc<Node<D>>) -> Arc<Node<D>> {
        if root.aggregates().members == 0 {
            return Arc::new(Node::blank(self, 1));
        }
        match root.children() {
            [_, right] if right.aggregates().members == 0 => match root.cut() {
                Some(left) => self.truncate(left),
                None => root,
            },
            [left, right] => {
                let cut = self.truncate(right.clone());
                if Arc::ptr_eq(&cut, right) {
                    return root;
                }
                let left = left.clone();
                with_right(&root, left, cut)
            }
            _ => root,
        }
    }
}

/// The same parent, with its key, over another right child.
fn with_right<D: TreeData>(
    parent: &Node<D>,
    left: Arc<Node<D>>,
    right: Arc<Node<D>>,
) -> Arc<Node<D>> {
    let value = match &parent.kind {
        Kind::Parent { value, .. } => value.clone(),
        _ => None,
    };
    Arc::new(Node::parent(value, smallvec![left, right]))
}
