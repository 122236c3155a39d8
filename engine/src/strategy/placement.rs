//! Where an added leaf goes. Every member computes it from the public tree; nothing is sent.
//!
//! | value | place | what it trades |
//! |---|---|---|
//! | `leftmost-blank` | RFC 9420 §12.1.1: the leftmost blank leaf | keeps the right edge free, so that the tree can shrink; concentrates churn |
//! | `append` | right of every member, never in a gap | as in 2018; gaps stay blank for ever |
//! | `random-blank` | any blank leaf alike, by a public number | spreads churn over more paths |
//! | `nearest` | the blank leaf whose path meets the committer's lowest | the committer's next path covers what it has just disturbed |
//! | `cheapest` | the blank leaf that raises the expected update cost least | O(log n): each node caches its best place |
//! | `by-activity` | the blank leaf that one comes to by always taking the child with room whose members have committed least | actives stay together, and newcomers, who have not committed, disturb the others' paths; each leaf says how often its member has committed (`layout`, `weighted`), and the place leaks it |
//!
//! All but the first need an extension. None changes who knows which key. `random-blank` tells
//! nobody anything: its number is a hash of public data, and whoever can choose an identity can
//! choose among places.

use crate::tree::{Beside, LeafIndex, Shape, Subtree, Tree, TreeData};

/// Where an added leaf goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Placement {
    /// The leftmost blank leaf.
    #[default]
    LeftmostBlank,
    /// Right of every member.
    Append,
    /// Any blank leaf.
    RandomBlank,
    /// Near the committer.
    Nearest,
    /// Where the expected update cost rises least.
    Cheapest,
    /// Among those who are not active.
    ByActivity,
}

/// What a placement may go by beside the tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Newcomer {
    /// The committer's leaf, if it is in the tree.
    pub committer: Option<LeafIndex>,
    /// A public number that tells newcomers apart.
    pub number: u64,
}

impl Newcomer {
    /// Somebody of this identity, added by a commit of an epoch.
    pub fn new(committer: Option<LeafIndex>, epoch: u64, identity: &[u8]) -> Self {
        // FNV-1a, then the finisher of splitmix64: short inputs must reach all bits.
        let start = 0xcbf2_9ce4_8422_2325 ^ epoch.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        let mut number = identity.iter().fold(start, fold);
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self { committer, number: number ^ (number >> 31) }
    }
}

impl Placement {
    /// All of them, each at the place of its number.
    pub const ALL: [Self; 6] = [
        Self::LeftmostBlank,
        Self::Append,
        Self::RandomBlank,
        Self::Nearest,
        Self::Cheapest,
        Self::ByActivity,
    ];

    /// Beside what a newcomer is put in a free tree, which has no blank leaves.
    pub(super) fn beside(self, newcomer: Newcomer) -> Beside {
        match (self, newcomer.committer) {
            (Self::Nearest, Some(committer)) => Beside::Leaf(committer),
            (Self::Cheapest, _) => Beside::Cheapest,
            (Self::ByActivity, _) => Beside::Lightest,
            _ => Beside::Rule,
        }
    }

    /// The blank leaf to use; none if the tree must grow first.
    pub fn choose<D: TreeData, S: Shape>(
        self,
        tree: &Tree<D, S>,
        newcomer: Newcomer,
    ) -> Option<LeafIndex> {
        let root = tree.root();
        match self {
            Self::LeftmostBlank => root.leftmost_blank(),
            Self::Append => right_of_all(root),
            Self::RandomBlank => {
                let room = u64::from(root.room());
                root.nth_blank(newcomer.number.checked_rem(room)? as u32)
            }
            Self::Nearest => match newcomer.committer {
                Some(committer) => root.nearest_blank(committer),
                None => root.leftmost_blank(),
            },
            Self::Cheapest => root.cheapest_blank(),
            Self::ByActivity => root.lightest_blank(),
        }
    }
}

fn right_of_all<D: TreeData>(root: Subtree<'_, D>) -> Option<LeafIndex> {
    let next = root.rightmost_member().map_or(0, |leaf| leaf.0 + 1);
    (next < root.aggregates().width).then_some(LeafIndex(next))
}
