//! When a tree shrinks, and who moves so that it can.
//!
//! `none`: never; its width is that of all who were ever there at once (or, with placement
//! `append`, who ever joined). It costs nothing and grows paths by a level for each doubling. As
//! the drafts of 2018 had it.
//!
//! `truncate`: RFC 9420 §7.7, whenever the right edge is blank. Every member does it alike as part
//! of following a Remove; nothing is sent, no key is touched. What clients do so that it happens more
//! often is their own affair, and no part of what a group agrees on.
//!
//! `scoot-over` (mls-extensions 56, 2025, there "consolidate"; the order of things is ours): as
//! `truncate`, and whoever commits with a path moves to the leftmost blank leaf, if that is left of
//! its own.
//!
//! * Sent: nothing more. The frame names the leaf that the committer had, under which its epoch
//!   knows it; its new leaf node is signed, and its path keyed, for the leaf it gets.
//! * Done by all, in this order: Updates and Removes take effect; the committer's old leaf and what
//!   it knows above it are blanked, as if it were removed; it stands at the leftmost blank leaf,
//!   which so is its own before any newcomer's; the tree is truncated; newcomers are placed; the path
//!   is keyed. A commit without a path moves nobody, and an external one places its sender as any
//!   newcomer.
//! * Costs: the old path is cold until somebody else has committed below it, the new one is warm.
//!   The tree halves only when the rightmost members have moved, each by a commit of its own: one
//!   that never comes online keeps the right edge where it is.
//! * Trades: no secret for another. The mover draws every key above its new leaf, and those that it
//!   knew above the old one are gone as for somebody removed. A leaf index is no name any more:
//!   whoever remembers a member by it must follow its moves.
//!
//! It needs an extension, since all must come to the same tree.
//!
//! `smallest-tree` (R. Barnes on mls-extensions 56, 2025, in outline): at each commit blank leaves are taken
//! out, and a blank parent that is left with one child gives its place to it, so that the smallest tree is
//! left that has the keyed nodes. A newcomer goes beside the leaf nearest to the root; where all are
//! equally deep, the tree grows at the root. Deterministic, nothing is sent, every key stays whose members
//! stay. Leaves keep their numbers here, where the sketch has them renumbered: a leaf's signature
//! covers its number (RFC 9420 §7.2), and could not be checked any more. It needs an extension.
//!
//! `pop`: where a leaf goes, the last one of a left-balanced tree takes its place, so that no leaf is ever
//! blank. The parents above both are blank: O(log n) a removal, one ciphertext more or less each
//! until they are keyed. Whoever was moved knows the keys above its old place, which go for
//! that reason. It needs an extension.
//!
//! What all members of both trade for it: parents have no parent hashes (`layout`).

use crate::tree::{LeafIndex, Shape, Tree, TreeData};

/// When a tree shrinks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compaction {
    /// Never.
    None,
    /// When the right edge is blank.
    #[default]
    Truncate,
    /// The same, and committers move to the left.
    ScootOver,
    /// When anything is blank.
    SmallestTree,
    /// When a leaf goes: the last one moves.
    Pop,
}

impl Compaction {
    /// All of them, each at the place of its number.
    pub const ALL: [Self; 5] =
        [Self::None, Self::Truncate, Self::ScootOver, Self::SmallestTree, Self::Pop];

    /// Whether a blank right edge is cut off.
    pub fn truncates(self) -> bool {
        self != Self::None
    }

    /// The leaf that a member gives up its own for, by a commit with a path.
    pub fn destination<D: TreeData, S: Shape>(
        self,
        tree: &Tree<D, S>,
        committer: LeafIndex,
    ) -> Option<LeafIndex> {
        let blank = tree.leftmost_blank().filter(|_| self == Self::ScootOver);
        blank.filter(|blank| *blank < committer)
    }
}
