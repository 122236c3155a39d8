//! A strategy at work on a tree: room for a newcomer, a leaf put or taken away, whatever the tree
//! holds. Members who follow a commit, and those who only count what it costs, do the same here.

use std::sync::Arc;

use super::{Newcomer, Strategy};
use crate::tree::{Attach, LeafIndex, OutsideTree, Shape, Tree, TreeData};

/// A keyed parent that lists the leaves below which do not hold its private key
/// (RFC 9420 §7.1).
pub trait Unmerged: Clone {
    /// The same parent with one more unmerged leaf.
    #[must_use]
    fn with_unmerged(&self, leaf: LeafIndex) -> Self;

    /// The same parent without an unmerged leaf; none if it is merged.
    fn without_unmerged(&self, leaf: LeafIndex) -> Option<Self>;
}

/// Room that was made for a newcomer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// The blank leaf.
    pub leaf: LeafIndex,
    /// Beside which node of a free tree it was made.
    pub at: Attach,
}

impl Room {
    /// A leaf of a tree that is not free, or the first of any.
    pub fn indexed(leaf: LeafIndex) -> Self {
        Self { leaf, at: Attach::new() }
    }
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

impl<D: TreeData> Tree<D, Strategy> {
    /// How many parents above a leaf, from the lowest, are above it alone of all these leaves, ascending:
    /// which is every one up to where the path of another joins in.
    pub fn exclusive_part(
        &self,
        leaf: LeafIndex,
        leaves: &[LeafIndex],
    ) -> Result<usize, OutsideTree> {
        self.inside(leaf)?;
        let way = self.root().down_to(leaf);
        let parents = way.iter().rev().skip(1);
        Ok(parents.take_while(|node| node.count_below(leaves) == 1).count())
    }

    /// Makes the room that another tree of the same layout has made.
    pub fn follow_room(&mut self, room: &Room) {
        if self.shape().form().is_some() {
            self.attach(&room.at, &mut |_| {});
        }
        while room.leaf.0 >= self.bound() {
            self.extend();
        }
    }

    /// Cuts off or takes out what is blank, as the shape has it. Keys of parents of a free tree that
    /// are no more go to `dropped`.
    pub fn compact(&mut self, dropped: &mut dyn FnMut(&D::Parent)) {
        if self.shape().form().is_some() {
            self.prune(dropped);
        } else {
            self.truncate();
        }
    }
}

impl<D: TreeData<Parent: Unmerged>> Tree<D, Strategy> {
    /// The blank leaf for a newcomer; the tree grows where it has none, and free trees always. Keys of
    /// parents that are no more go to `dropped`.
    pub fn make_room(&mut self, newcomer: Newcomer, dropped: &mut dyn FnMut(&D::Parent)) -> Room {
        let placement = self.shape().placement;
        if self.shape().form().is_some() {
            let at = self.attach_point(placement.beside(newcomer));
            let leaf = self.attach(&at, dropped);
            return Room { leaf, at };
        }
        let leaf = placement.choose(self, newcomer).unwrap_or_else(|| {
            let index = LeafIndex(self.width());
            self.extend();
            index
        });
        Room { leaf, at: Attach::new() }
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
