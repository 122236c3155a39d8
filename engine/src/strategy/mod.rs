//! Strategies: how a group keeps its tree. Where a member goes, what a removal does to the keys
//! above it, how the tree is laid out and when it shrinks.
//!
//! Everybody who follows a commit must come to the same tree, so a strategy is part of the group:
//! it is the shape of its [`Tree`](crate::tree::Tree), and it travels in an extension of the group
//! context ([`Strategy::extension`]). A group without that extension keeps its tree by RFC 9420.
//!
//! | file | the choice |
//! |---|---|
//! | [`placement`](Placement) | which blank leaf an added member gets |
//! | [`removal`](Removal) | which keys above a removed member go |
//! | [`layout`](Layout) | the tree's shape |
//! | [`compaction`](Compaction) | when the tree shrinks |
//! | `keeping` | a strategy at work on a tree |
//! | `extension` | a strategy in the group context |
//! | `text` | a strategy in words, and the presets |

mod compaction;
mod extension;
mod keeping;
mod layout;
mod placement;
mod removal;
mod text;

use std::sync::Arc;

use crate::tree::{Node, Shape, TreeData, Widths};

pub use compaction::Compaction;
pub use keeping::Unmerged;
pub(crate) use keeping::{list, unlist};
pub use layout::{Layout, MAX_DEGREE};
pub use placement::{Newcomer, Placement};
pub use removal::Removal;
pub use text::{CHOICES, PRESETS, ParseStrategyError, Preset};

/// How a group keeps its tree. The default is RFC 9420.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strategy {
    /// Where an added leaf goes.
    pub placement: Placement,
    /// What a removal blanks.
    pub removal: Removal,
    /// The tree's shape.
    pub layout: Layout,
    /// When the tree shrinks.
    pub compaction: Compaction,
    /// Whether keyed nodes above an added leaf keep their keys and list it as unmerged
    /// (RFC 9420 §7.1), or are blanked.
    pub unmerged: bool,
    /// Whether a path leaves out the nodes with nobody below their copath (RFC 9420 §4.1.2).
    pub filtered: bool,
}

impl Default for Strategy {
    fn default() -> Self {
        Self::RFC9420
    }
}

/// Why choices do not go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StrategyError {
    /// The cost of a place is not known ahead where adding blanks.
    #[error(
        "placement=cheapest needs unmerged=on: an add that blanks its path changes every cost above it"
    )]
    CheapestBlanks,
    /// There is nobody to spare.
    #[error("removal=faster-remove needs unmerged=on: without unmerged leaves it spares no node")]
    NothingToSpare,
    /// Tainting is defined on the perfect tree.
    #[error("removal=taint needs shape=perfect: the paper says of no other tree who taints what")]
    TaintedShape,
    /// Nobody is unmerged where everybody is told every key.
    #[error("removal=taint needs unmerged=off: who is added is told every key above its leaf")]
    TaintedUnmerged,
    /// A filtered path leaves blanks behind.
    #[error("removal=taint needs filtered=off: every parent above a member has a key")]
    TaintedFilter,
    /// All places cost the same where nothing is blank.
    #[error("placement=cheapest has no choice under removal=taint: no parent is blank")]
    TaintedCheapest,
    /// No such degree.
    #[error("shape=m-ary takes a degree from 2 to {MAX_DEGREE}, not {0}")]
    Degree(u8),
}

impl Strategy {
    /// The tree of RFC 9420.
    pub const RFC9420: Self = Self {
        placement: Placement::LeftmostBlank,
        removal: Removal::Blank,
        layout: Layout::Perfect,
        compaction: Compaction::Truncate,
        unmerged: true,
        filtered: true,
    };

    /// Refuses choices that make no sense together.
    pub fn check(&self) -> Result<(), StrategyError> {
        if self.taints() {
            self.check_taint()?;
        }
        if self.placement == Placement::Cheapest && !self.unmerged {
            return Err(StrategyError::CheapestBlanks);
        }
        if self.removal == Removal::FasterRemove && !self.unmerged {
            return Err(StrategyError::NothingToSpare);
        }
        match self.layout {
            Layout::Ary(degree) if !(2..=MAX_DEGREE).contains(&degree) => {
                Err(StrategyError::Degree(degree))
            }
            _ => Ok(()),
        }
    }

    /// What does not go together with tainting.
    fn check_taint(&self) -> Result<(), StrategyError> {
        if self.layout != Layout::Perfect {
            return Err(StrategyError::TaintedShape);
        }
        if self.unmerged {
            return Err(StrategyError::TaintedUnmerged);
        }
        if self.filtered {
            return Err(StrategyError::TaintedFilter);
        }
        if self.placement == Placement::Cheapest {
            return Err(StrategyError::TaintedCheapest);
        }
        Ok(())
    }

    /// Whether parents stay keyed and remember who has drawn their secrets from elsewhere.
    pub fn taints(&self) -> bool {
        self.removal == Removal::Taint
    }

    /// Whether blank nodes at the right of a tree are left out when it is sent
    /// (RFC 9420 §12.4.3.3). It goes where the last member says the width and nothing is keyed
    /// right of it; elsewhere the number of nodes says it.
    pub(crate) fn trims_trees(&self) -> bool {
        let last_member_tells =
            self.layout == Layout::Perfect && self.compaction == Compaction::Truncate;
        last_member_tells && self.filtered
    }

    /// Whether a parent hash covers what is below the copath (RFC 9420 §7.9). Where trees grow
    /// and are cut below keyed parents, as in the drafts of 2018 to 2021, it cannot.
    pub(crate) fn binds_copath(&self) -> bool {
        self.layout != Layout::LeftBalanced
    }

    /// Whether parent hashes are sent at all (RFC 9420 §7.9). No leaf below a tainted parent has
    /// signed for its key, so where parents are tainted there are none.
    pub(crate) fn hashes_parents(&self) -> bool {
        !self.taints()
    }
}

impl Shape for Strategy {
    fn children_of_blank(&self, width: u32) -> Widths {
        self.layout.children_of_blank(width)
    }

    fn parents_in_blank(&self, width: u32) -> u32 {
        self.layout.parents_in_blank(width)
    }

    fn height_of_blank(&self, width: u32) -> u8 {
        self.layout.height_of_blank(width)
    }

    fn width_of_nodes(&self, nodes: usize) -> Option<u32> {
        self.layout.width_of_nodes(nodes)
    }

    fn extend<D: TreeData>(&self, root: Arc<Node<D>>) -> Arc<Node<D>> {
        self.layout.extend(root)
    }

    fn truncate<D: TreeData>(&self, root: Arc<Node<D>>) -> Arc<Node<D>> {
        match self.compaction {
            Compaction::None => root,
            Compaction::Truncate => self.layout.truncate(root),
        }
    }

    fn filters_paths(&self) -> bool {
        self.filtered
    }
}
