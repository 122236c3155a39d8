//! A strategy at work on a tree: room for a newcomer, a leaf put or taken away, whatever the tree
//! holds. Members who follow a commit, and those who only count what it costs, do the same here.

use std::sync::Arc;

use super::{Newcomer, Strategy};
use crate::tree::{LeafIndex, OutsideTree, Tree, TreeData};

/// A keyed parent that lists the leaves below which do not hold its private key
/// (RFC 9420 §7.1).
pub trait Unmerged: Clone {
    /// The same parent with one more unmerged leaf.
    #[must_use]
    fn with_unmerged(&self, leaf: LeafIndex) -> Self;

    /// The same parent without an unmerged leaf; none if it is merged.
    fn without_unmerged(&self, leaf: LeafIndex) -> Option<Self>;
}

/// Puts a leaf into an ascending list of unmerged ones.
pub(crate) fn list(leaves: &mut Vec<LeafIndex>, leaf: LeafIndex) {
    if let Err(at) = leaves.binary_search(&leaf) {
        leaves.insert(at, leaf);
    }
}

/// Takes a leaf off an ascending list; whether it was there.
pub(crate) fn unlist(leaves: &mut Vec<LeafIndex>, leaf: LeafIndex) -> bool {
    let at = leaves.binary_search(&leaf);
    at.map(|at| leaves.remove(at)).is_ok()
}

impl<D: TreeData<Parent: Unmerged>> Tree<D, Strategy> {
    /// The blank leaf for a newcomer; the tree grows where it has none.
    pub fn make_room(&mut self, newcomer: Newcomer) -> LeafIndex {
        let placement = self.shape().placement;
        placement.choose(self, newcomer).unwrap_or_else(|| {
            let index = LeafIndex(self.width());
            self.extend();
            index
        })
    }

    /// Sets a blank leaf: above it, keyed parents list it as unmerged or are blanked.
    pub fn put(&mut self, index: LeafIndex, leaf: Arc<D::Leaf>) -> Result<(), OutsideTree> {
        if self.shape().unmerged {
            self.add(index, leaf, |parent| parent.with_unmerged(index))
        } else {
            self.replace(index, leaf)
        }
    }

    /// Blanks a leaf and what its owner knows above it; the tree is not truncated.
    pub fn take(&mut self, index: LeafIndex) -> Result<(), OutsideTree> {
        let removal = self.shape().removal;
        self.vacate(index, |parent| removal.keep(parent, index))
    }
}
