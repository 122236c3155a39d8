//! The choice of a shape at run time; what each shape is stands in its file below `tree/shape`.
//!
//! `perfect` is RFC 9420. `left-balanced` is the protocol's own history: parent hashes say nothing of
//! the copath there, since the tree changes below keyed parents. `m-ary` is research: nodes are
//! sent and hashed with all their children in order.

use std::sync::Arc;

use crate::tree::{Ary, LeftBalanced, Node, Perfect, Shape, TreeData, Widths};

/// The most children of a parent: beyond, a node's children outnumber the levels of any tree.
pub const MAX_DEGREE: u8 = 16;

/// The shape of a tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// [`Perfect`].
    #[default]
    Perfect,
    /// [`LeftBalanced`].
    LeftBalanced,
    /// [`Ary`], of this degree.
    Ary(u8),
}

impl Layout {
    /// The children of a parent.
    pub fn degree(self) -> usize {
        match self {
            Self::Perfect | Self::LeftBalanced => 2,
            Self::Ary(degree) => degree.into(),
        }
    }
}

/// Does the same on whichever shape it is.
macro_rules! on {
    ($layout:expr, $shape:ident => $work:expr) => {
        match $layout {
            Layout::Perfect => {
                let $shape = Perfect;
                $work
            }
            Layout::LeftBalanced => {
                let $shape = LeftBalanced;
                $work
            }
            Layout::Ary(degree) => {
                let $shape = Ary(*degree);
                $work
            }
        }
    };
}

impl Shape for Layout {
    fn children_of_blank(&self, width: u32) -> Widths {
        on!(self, shape => shape.children_of_blank(width))
    }

    fn parents_in_blank(&self, width: u32) -> u32 {
        on!(self, shape => shape.parents_in_blank(width))
    }

    fn height_of_blank(&self, width: u32) -> u8 {
        on!(self, shape => shape.height_of_blank(width))
    }

    fn width_of_nodes(&self, nodes: usize) -> Option<u32> {
        on!(self, shape => shape.width_of_nodes(nodes))
    }

    fn extend<D: TreeData>(&self, root: Arc<Node<D>>) -> Arc<Node<D>> {
        on!(self, shape => shape.extend(root))
    }

    fn truncate<D: TreeData>(&self, root: Arc<Node<D>>) -> Arc<Node<D>> {
        on!(self, shape => shape.truncate(root))
    }
}
