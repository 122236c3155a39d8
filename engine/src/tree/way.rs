//! The way from a node down to a leaf: by counting leaves from the left, or node by node where
//! leaves have numbers of their own.

use std::sync::Arc;

use super::TreeData;
use super::node::Node;
use super::places::{Ascent, Spot};

/// What is left of the way.
pub(super) enum Way {
    /// So many leaves are left of the leaf.
    Offset(u32),
    /// These nodes lead there, the next one last.
    Nodes(Ascent),
}

impl Way {
    /// Which of the children of the node at hand the way goes through, and how many leaves of the node
    /// are left of that child; none at its end.
    pub(super) fn child<D: TreeData>(&mut self, children: &[Arc<Node<D>>]) -> Option<(usize, u32)> {
        let next = match self {
            Self::Offset(_) => None,
            Self::Nodes(nodes) => Some(nodes.pop()?),
        };
        let mut before = 0;
        for (position, child) in children.iter().enumerate() {
            let width = child.aggregates().width;
            let found = match (&mut *self, next) {
                (Self::Offset(offset), _) if *offset - before < width => {
                    *offset -= before;
                    true
                }
                (_, Some(next)) => child.spot() == next,
                _ => false,
            };
            if found {
                return Some((position, before));
            }
            before += width;
        }
        None
    }
}

impl<D: TreeData> Node<D> {
    /// How a free tree calls the node.
    pub(super) fn spot(&self) -> Spot {
        match self.children() {
            [] => Spot::Leaf(self.tag.number),
            _ => Spot::Parent(self.tag.number),
        }
    }
}
