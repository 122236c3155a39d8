//! What a removal does to the keys above the removed leaf.
//!
//! `blank`: RFC 9420 §12.1.3, all of them go. The members below each must be reached one by one
//! until somebody keys the node again.
//!
//! `faster-remove`: only those go whose private half the removed member holds. Where it was
//! unmerged it never held it, so the key stays and the leaf is struck from the list (mls-protocol
//! 834, 838; came too late for the RFC and needs an extension). Nothing is sent. What the
//! removed member still knows: nothing of the new tree, by the rule that says who is unmerged.
//!
//! `splice`: as `blank`, and then the sibling subtree takes the place of the removed leaf's parent, so that no
//! leaf stays blank and nobody's path leads through a parent that nobody needs. Nothing is sent. A
//! newcomer goes beside the leaf nearest to the root, or with `cheapest` beside the node where the
//! expected update cost rises least. What the removed member still knows: nothing, its whole path is
//! blank. Parents have no parent hashes (`layout`), which is what it trades. It needs an
//! extension.
//!
//! `taint`: Tainted TreeKEM, none goes: the commit that removes somebody refreshes them, and those
//! that the removed member has tainted. So do commits that add and update; `treekem/refresh`
//! says what that costs and trades.

use super::Unmerged;
use crate::tree::LeafIndex;

/// What a removal blanks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Removal {
    /// The whole path.
    #[default]
    Blank,
    /// What the removed member knows.
    FasterRemove,
    /// The whole path, and the leaf and its parent are taken out.
    Splice,
    /// Nothing: the same commit gives new keys in the place of those that the removed member knows.
    Taint,
}

impl Removal {
    /// All of them, each at the place of its number.
    pub const ALL: [Self; 4] = [Self::Blank, Self::FasterRemove, Self::Splice, Self::Taint];

    /// What stays of a parent above a removed leaf.
    pub fn keep<P: Unmerged>(self, parent: &P, removed: LeafIndex) -> Option<P> {
        match self {
            Self::Blank | Self::Splice => None,
            Self::FasterRemove => parent.without_unmerged(removed),
            Self::Taint => Some(parent.clone()),
        }
    }

    /// Whether a parent above a removed leaf loses its key.
    pub fn strikes<P: Unmerged>(self, parent: &P, removed: LeafIndex) -> bool {
        self.keep(parent, removed).is_none()
    }
}
