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
//! | [`compaction`](Compaction) | when the tree shrinks, and who moves so that it can |
//! | `keeping` | a strategy at work on a tree |
//! | `extension` | a strategy in the group context |
//! | `text` | a strategy in words, and the presets |
//!
//! What members propose in order to renew their keys, Updates or whole paths, is a choice as well:
//! `treekem/concurrent` explains it.

mod compaction;
mod extension;
mod keeping;
mod layout;
mod placement;
mod removal;
mod text;

use std::sync::Arc;

use crate::tree::{Form, Node, Shape, TreeData, Widths};

use crate::tree::PERCENTAGES;
pub use compaction::Compaction;
pub use keeping::{Room, Unmerged};
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
    /// Whether members may propose whole paths, of which one commit covers several
    /// (`treekem/concurrent`).
    pub concurrent: bool,
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
    #[error(
        "removal=taint takes placement=leftmost-blank, append, random-blank or nearest: no parent is \
         blank, so that there is no path to spare, and no leaf says who is active"
    )]
    TaintedPlacement,
    /// Members who move without all that they know being refreshed.
    #[error(
        "removal=taint needs compaction=none or truncate: what a mover by rule leaves behind would have \
         to be refreshed as well, and the others are not of the paper's tree"
    )]
    TaintedMoves,
    /// No such degree.
    #[error("shape=m-ary takes a degree from 2 to {MAX_DEGREE}, not {0}")]
    Degree(u8),
    /// No B-tree has so many children.
    #[error(
        "shape=b-tree takes at least 2 children and from twice as many less one up to {MAX_DEGREE}, \
         as in `b-tree:2-3`, not {0}-{1}: what splits must leave two of its kind"
    )]
    Children(u8, u8),
    /// No such percentage.
    #[error(
        "{0} takes a percentage from {first} to {last}, not {1}: three leaves are never more even than \
         67 to 33, and above {last} the tree may get too deep",
        first = PERCENTAGES.start(), last = PERCENTAGES.end()
    )]
    Percentage(&'static str, u8),
    /// `pop` where the last leaf is not the one to move.
    #[error("compaction=pop needs shape=left-balanced, where the last leaf may take any place")]
    PopElsewhere,
    /// `smallest-tree` on a tree that is no RFC 9420 tree to begin with.
    #[error("compaction=smallest-tree needs shape=perfect, whose blank nodes it takes out")]
    SmallestElsewhere,
    /// `splice` on a tree that is laid out otherwise once a sibling has taken its parent's place.
    #[error(
        "removal=splice needs shape=perfect or m-ary, with compaction=truncate: a left-balanced tree is \
         none any more when a sibling takes its parent's place, and the others have rules of their own"
    )]
    SpliceElsewhere,
    /// A tree without blanks that keeps its blanks.
    #[error(
        "compaction={0} blank leaves, and there never are any with removal=splice or in a search tree"
    )]
    NeverBlank(&'static str),
    /// A filter that has nothing to leave out.
    #[error(
        "filtered=off changes nothing with splice, smallest-tree, pop or in a search tree: without blank \
         leaves there is nobody's copath to leave out"
    )]
    NothingToFilter,
    /// A newcomer where the form does not want it.
    #[error(
        "with splice, smallest-tree, pop or in a search tree there are no blank leaves to choose from: \
         placement is leftmost-blank (wherever the tree puts newcomers); nearest or by-activity too for \
         b-tree, llrb, weight-balanced and scapegoat; cheapest for smallest-tree, and splice of degree 2"
    )]
    PlacedByForm,
    /// Members move to where newcomers do not go.
    #[error(
        "compaction=scoot-over needs placement=leftmost-blank: newcomers placed elsewhere undo what moving to the left has done"
    )]
    ScootsElsewhere,
    /// Proposed paths where a removal leaves more than a blank path.
    #[error(
        "proposals=paths needs removal=blank or faster-remove: what was sent to somebody who goes must be \
         blanked with its path, and not refreshed or taken out"
    )]
    ConcurrentRemoval,
    /// Proposed paths in a tree that moves between proposal and commit.
    #[error(
        "proposals=paths needs shape=perfect, left-balanced or m-ary, without compaction=smallest-tree or pop: \
         in trees whose subtrees move about, parents of a path are gone before it is in effect"
    )]
    ConcurrentShape,
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
        concurrent: false,
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
        let to_the_left = self.placement == Placement::LeftmostBlank;
        if self.compaction == Compaction::ScootOver && !to_the_left {
            return Err(StrategyError::ScootsElsewhere);
        }
        self.layout.check()?;
        if self.concurrent {
            self.check_concurrent()?;
        }
        self.check_form()
    }

    /// What does not go together with proposed paths.
    fn check_concurrent(&self) -> Result<(), StrategyError> {
        if !matches!(self.removal, Removal::Blank | Removal::FasterRemove) {
            return Err(StrategyError::ConcurrentRemoval);
        }
        if self.form().is_some() {
            return Err(StrategyError::ConcurrentShape);
        }
        Ok(())
    }

    /// Which choices make a tree free, and what free trees refuse.
    fn check_form(&self) -> Result<(), StrategyError> {
        if self.compaction == Compaction::Pop && self.layout != Layout::LeftBalanced {
            return Err(StrategyError::PopElsewhere);
        }
        if self.compaction == Compaction::SmallestTree && self.layout != Layout::Perfect {
            return Err(StrategyError::SmallestElsewhere);
        }
        let spliced = matches!(self.layout, Layout::Perfect | Layout::Ary(_));
        let compacts = matches!(self.compaction, Compaction::Pop | Compaction::SmallestTree);
        if self.removal == Removal::Splice && (!spliced || compacts) {
            return Err(StrategyError::SpliceElsewhere);
        }
        let Some(form) = self.form() else { return Ok(()) };
        match self.compaction {
            Compaction::None => return Err(StrategyError::NeverBlank("none keeps")),
            Compaction::ScootOver => return Err(StrategyError::NeverBlank("scoot-over moves to")),
            _ => {}
        }
        if !self.filtered {
            return Err(StrategyError::NothingToFilter);
        }
        self.check_place(form)
    }

    /// Where newcomers to a free tree may be put.
    fn check_place(&self, form: Form) -> Result<(), StrategyError> {
        let balances = self.layout.is_search_tree() && form != Form::Weighted;
        // `cheapest` makes a parent of two for the newcomer, and knows of no other.
        let grafts = matches!(form, Form::Splice(2) | Form::Smallest);
        match self.placement {
            Placement::LeftmostBlank => Ok(()),
            Placement::Nearest | Placement::ByActivity if balances => Ok(()),
            Placement::Cheapest if grafts => Ok(()),
            _ => Err(StrategyError::PlacedByForm),
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
        if matches!(self.placement, Placement::Cheapest | Placement::ByActivity) {
            return Err(StrategyError::TaintedPlacement);
        }
        if !matches!(self.compaction, Compaction::None | Compaction::Truncate) {
            return Err(StrategyError::TaintedMoves);
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
        let last_member_tells = self.layout == Layout::Perfect && self.compaction.truncates();
        last_member_tells && self.filtered && self.form().is_none()
    }

    /// Whether a parent hash covers what is below the copath (RFC 9420 §7.9). Where trees grow
    /// and are cut below keyed parents, as in the drafts of 2018 to 2021, it cannot.
    pub(crate) fn binds_copath(&self) -> bool {
        self.layout != Layout::LeftBalanced
    }

    /// Whether leaf nodes say how often their members have committed.
    pub(crate) fn counts_commits(&self) -> bool {
        self.layout == Layout::Weighted || self.placement == Placement::ByActivity
    }

    /// Whether parents have parent hashes at all (RFC 9420 §7.9). In a free tree the parents between a
    /// key and the leaf that vouches for it come and go; no leaf below a tainted parent has signed
    /// for its key; and who proposes a path does not know what it will be covered with.
    pub(crate) fn has_parent_hashes(&self) -> bool {
        self.form().is_none() && !self.taints() && !self.concurrent
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
        if self.compaction.truncates() { self.layout.truncate(root) } else { root }
    }

    fn filters_paths(&self) -> bool {
        self.filtered
    }

    fn form(&self) -> Option<Form> {
        Some(match (self.layout, self.removal, self.compaction) {
            (Layout::BTree { least, most }, ..) => Form::BTree { least, most },
            (Layout::LeftLeaning, ..) => Form::LeftLeaning,
            (Layout::WeightBalanced(percent), ..) => Form::WeightBalanced(percent),
            (Layout::Scapegoat(percent), ..) => Form::Scapegoat(percent),
            (Layout::Weighted, ..) => Form::Weighted,
            (Layout::LeftBalanced, _, Compaction::Pop) => Form::Pop,
            (Layout::Perfect, _, Compaction::SmallestTree) => Form::Smallest,
            (layout, Removal::Splice, _) => Form::Splice(layout.degree() as u8),
            _ => return None,
        })
    }
}
