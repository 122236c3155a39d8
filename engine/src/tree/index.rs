//! Positions: leaves, and nodes in the array form of RFC 9420 Appendix C. The tree itself is
//! walked by links; the array form is what the wire and the test vectors speak.

use tls_codec::{TlsDeserializeBytes, TlsSerialize, TlsSize};

/// The index of a leaf: its position among all leaves from the left, blank ones included; in a free
/// tree a number that it keeps wherever it stands.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    TlsSize,
    TlsSerialize,
    TlsDeserializeBytes,
)]
pub struct LeafIndex(pub u32);

impl std::fmt::Display for LeafIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "leaf {}", self.0)
    }
}

/// The position of a node in the array form of a perfect binary tree: leaf `i` is node `2i`,
/// and a parent lies between its subtrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeIndex(pub u32);

impl From<LeafIndex> for NodeIndex {
    fn from(leaf: LeafIndex) -> Self {
        Self(2 * leaf.0)
    }
}

impl NodeIndex {
    /// The height above the leaves: the number of trailing one bits.
    pub fn level(self) -> u32 {
        self.0.trailing_ones()
    }

    /// The root of a tree with `width` leaves, a power of two.
    pub fn root(width: u32) -> Self {
        Self(width - 1)
    }

    /// The number of nodes of a tree with `width` leaves, a power of two.
    pub fn node_count(width: u32) -> u32 {
        2 * width - 1
    }

    /// The left child; `None` for a leaf.
    pub fn left(self) -> Option<Self> {
        let below = self.level().checked_sub(1)?;
        Some(Self(self.0 ^ (1 << below)))
    }

    /// The right child; `None` for a leaf.
    pub fn right(self) -> Option<Self> {
        let below = self.level().checked_sub(1)?;
        Some(Self(self.0 ^ (0b11 << below)))
    }

    /// The parent in a tree with `width` leaves; `None` for the root.
    pub fn parent(self, width: u32) -> Option<Self> {
        if self == Self::root(width) {
            return None;
        }
        let level = self.level();
        Some(Self((self.0 | (1 << level)) & !(0b10 << level)))
    }

    /// The other child of the parent; `None` for the root.
    pub fn sibling(self, width: u32) -> Option<Self> {
        let parent = self.parent(width)?;
        if self < parent { parent.right() } else { parent.left() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_of_rfc_9420_appendix_c() {
        let node = NodeIndex;
        assert_eq!(NodeIndex::root(8), node(7));
        assert_eq!((node(7).left(), node(7).right()), (Some(node(3)), Some(node(11))));
        assert_eq!((node(5).left(), node(5).right()), (Some(node(4)), Some(node(6))));
        assert_eq!(node(4).left(), None);
        assert_eq!((node(7).parent(8), node(1).parent(8)), (None, Some(node(3))));
        assert_eq!((node(9).sibling(8), node(13).sibling(8)), (Some(node(13)), Some(node(9))));
    }
}
