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
    /// Which of the children of the node at hand the way goes through; none at its end.
    pub(super) fn child<D: TreeData>(&mut self, children: &[Arc<Node<D>>]) -> Option<usize> {
        match self {
            Self::Offset(offset) => children.iter().position(|child| {
                let width = child.aggregates().width;
                let inside = *offset < width;
                if !inside {
                    *offset -= width;
                }
                inside
            }),
            Self::Nodes(nodes) => {
                let next = nodes.pop()?;
                children.iter().position(|child| child.spot() == next)
            }
        }
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
