//! Shape `m-ary d`: the perfect tree of d^k leaves, every parent with d children; grown and cut at
//! the root like the binary one. A research shape: RFC 9420 knows two children only.
//!
//! A member sends (d − 1)·log_d n ciphertexts and log_d n public keys in a warm tree, so larger
//! degrees pay where a public key is dear against a ciphertext.

use std::sync::Arc;

use smallvec::smallvec;

use super::{Children, Shape, Widths};
use crate::tree::TreeData;
use crate::tree::node::Node;

/// A perfect tree whose parents have this many children, at least two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ary(pub u8);

impl Ary {
    fn degree(self) -> u32 {
        u32::from(self.0)
    }
}

impl Shape for Ary {
    fn children_of_blank(&self, width: u32) -> Widths {
        smallvec![width / self.degree(); self.0.into()]
    }

    fn parents_in_blank(&self, width: u32) -> u32 {
        (width - 1) / (self.degree() - 1)
    }

    fn height_of_blank(&self, width: u32) -> u8 {
        width.ilog(self.degree()) as u8
    }

    fn width_of_nodes(&self, nodes: usize) -> Option<u32> {
        let mut width = 1_u32;
        while ((width + self.parents_in_blank(width)) as usize) < nodes {
            width = width.checked_mul(self.degree())?;
        }
        Some(width)
    }

    fn extend<D: TreeData>(&self, root: Arc<Node<D>>) -> Arc<Node<D>> {
        let width = root.aggregates().width;
        // One node each: what a node caches may depend on where it stands.
        let blanks = (1..self.0).map(|_| Arc::new(Node::blank(self, width)));
        let children: Children<D> = std::iter::once(root).chain(blanks).collect();
        Arc::new(Node::parent(None, children))
    }

    fn truncate<D: TreeData>(&self, mut root: Arc<Node<D>>) -> Arc<Node<D>> {
        loop {
            if root.aggregates().members == 0 {
                return Arc::new(Node::blank(self, 1));
            }
            root = match (root.children(), root.cut()) {
                ([_, rest @ ..], Some(first))
                    if rest.iter().all(|child| child.aggregates().members == 0) =>
                {
                    first
                }
                _ => return root,
            };
        }
    }
}
