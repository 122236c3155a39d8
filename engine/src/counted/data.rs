//! What the tree of a counted group holds: who has a leaf, and what is remembered of a key.

use crate::strategy::{Unmerged, list, unlist};
use crate::tree::{LeafIndex, TreeData};

/// A member, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member(pub u32);

impl std::fmt::Display for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "member {}", self.0)
    }
}

/// A parent that has a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CountedParent {
    /// Leaves below that do not hold its private key, ascending.
    pub unmerged: Vec<LeafIndex>,
    /// Who chose its secret without being below it.
    pub tainted_by: Option<Member>,
}

impl Unmerged for CountedParent {
    fn with_unmerged(&self, leaf: LeafIndex) -> Self {
        let mut parent = self.clone();
        list(&mut parent.unmerged, leaf);
        parent
    }

    fn without_unmerged(&self, leaf: LeafIndex) -> Option<Self> {
        let mut parent = self.clone();
        unlist(&mut parent.unmerged, leaf).then_some(parent)
    }
}

/// A member's leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat {
    /// Whose it is.
    pub member: Member,
    /// How often it has committed, where the strategy asks.
    pub commits: u32,
}

impl From<Member> for Seat {
    fn from(member: Member) -> Self {
        Self { member, commits: 0 }
    }
}

/// The data of a counted tree.
#[derive(Debug)]
pub enum CountedData {}

impl TreeData for CountedData {
    type Leaf = Seat;
    type Parent = CountedParent;
    type Cache = ();

    fn unmerged(parent: &CountedParent) -> &[LeafIndex] {
        &parent.unmerged
    }

    fn weight(seat: &Seat) -> u64 {
        u64::from(seat.commits) + 1
    }
}
