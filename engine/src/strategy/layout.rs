//! The choice of a shape at run time; what each shape is stands in its file below `tree/shape`.
//!
//! `perfect` is RFC 9420. `left-balanced` is the protocol's own history: parent hashes say nothing of
//! the copath there, since the tree changes below keyed parents. `m-ary` is research: nodes are
//! sent and hashed with all their children in order.
//!
//! The search trees are free trees (`tree/form`), and research too: a leaf keeps its number wherever it
//! stands, nothing stays blank at the leaves, and the depth is bounded whatever the churn. Nothing is sent
//! for it: every member does alike as part of following an Add or a Remove. What it costs: each split,
//! join or rotation blanks parents, which cost those below them ciphertexts until somebody keys
//! them. What it trades: parents have no parent hashes, so that a joiner has the signed tree hash alone
//! to go by; and who stands beside whom depends on who came and went. Nobody learns a key that RFC
//! 9420 would not have told: whole subtrees move with their keys, and a parent whose members have changed
//! is blank.
//!
//! `weighted` is the free tree by activity: whoever commits climbs, before its path is keyed, past subtrees that
//! count less than it alone; a member counts its commits and one. Each leaf node says how many those are, in an
//! extension of a private-use type, one more in each commit, which all receivers check; who is removed and
//! added, or enters anew, begins again at none. Where few commit most, the mean cost is below log₂ n, and the
//! entropy of who commits bounds it; each step of a climb costs one blank parent. What it
//! trades beside the above: whoever sees the tree learns who is active.

use std::sync::Arc;

use super::StrategyError;
use crate::tree::{Ary, LeftBalanced, Node, PERCENTAGES, Perfect, Shape, TreeData, Widths};

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
    /// [`Form::BTree`](crate::tree::Form).
    BTree {
        /// The fewest children of a parent, the root apart.
        least: u8,
        /// The most.
        most: u8,
    },
    /// [`Form::LeftLeaning`](crate::tree::Form).
    LeftLeaning,
    /// [`Form::WeightBalanced`](crate::tree::Form), by this percentage.
    WeightBalanced(u8),
    /// [`Form::Scapegoat`](crate::tree::Form), by this percentage.
    Scapegoat(u8),
    /// [`Form::Weighted`](crate::tree::Form).
    Weighted,
}

impl Layout {
    /// The children of a parent.
    pub fn degree(self) -> usize {
        match self {
            Self::Ary(degree) => degree.into(),
            Self::BTree { most, .. } => most.into(),
            _ => 2,
        }
    }

    /// Whether it is a search tree.
    pub(super) fn is_search_tree(self) -> bool {
        !matches!(self, Self::Perfect | Self::LeftBalanced | Self::Ary(_))
    }

    /// Refuses numbers that no tree has.
    pub(super) fn check(self) -> Result<(), StrategyError> {
        match self {
            Self::Ary(degree) if !(2..=MAX_DEGREE).contains(&degree) => {
                Err(StrategyError::Degree(degree))
            }
            Self::BTree { least, most }
                // From outside `least` may be anything: its double is looked at in a wider type.
                if least < 2
                    || most > MAX_DEGREE
                    || u16::from(most) + 1 < 2 * u16::from(least) =>
            {
                Err(StrategyError::Children(least, most))
            }
            Self::WeightBalanced(percent) if !PERCENTAGES.contains(&percent) => {
                Err(StrategyError::Percentage("shape=weight-balanced", percent))
            }
            Self::Scapegoat(percent) if !PERCENTAGES.contains(&percent) => {
                Err(StrategyError::Percentage("shape=scapegoat", percent))
            }
            _ => Ok(()),
        }
    }
}

/// Does the same on whichever shape it is. Of search trees a shape says only what a single leaf is.
macro_rules! on {
    ($layout:expr, $shape:ident => $work:expr) => {
        match $layout {
            Layout::Perfect
            | Layout::BTree { .. }
            | Layout::LeftLeaning
            | Layout::WeightBalanced(_)
            | Layout::Scapegoat(_)
            | Layout::Weighted => {
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
