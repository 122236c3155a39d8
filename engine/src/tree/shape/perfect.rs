//! Shape `perfect`: RFC 9420 §7.7, a perfect binary tree of 2^d leaves, doubled and halved at the
//! right. Doubling and halving touch the root alone: no key below is blanked.

use std::sync::Arc;

use smallvec::smallvec;

use super::{Shape, Widths};
use crate::tree::TreeData;
use crate::tree::node::Node;

/// A perfect binary tree.
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

    fn width_of_nodes(&self, nodes: usize) -> Option<u32> {
        u32::try_from(nodes / 2 + 1).ok()?.checked_next_power_of_two()
    }

    fn extend<D: TreeData>(&self, root: Arc<Node<D>>) -> Arc<Node<D>> {
        let right = Node::blank(self, root.aggregates().width);
        Arc::new(Node::parent(None, smallvec![root, Arc::new(right)]))
    }

    fn truncate<D: TreeData>(&self, mut root: Arc<Node<D>>) -> Arc<Node<D>> {
        loop {
            if root.aggregates().members == 0 {
                // An all-blank tree keeps one blank leaf.
                return Arc::new(Node::blank(self, 1));
            }
            root = match (root.children(), root.cut()) {
                ([_, right], Some(left)) if right.aggregates().members == 0 => left,
                _ => return root,
            };
        }
    }
}
