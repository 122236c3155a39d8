//! How long a removal is felt. It blanks the parents above the removed member's leaf (or refreshes them,
//! or takes the leaf away: then it is not felt); until all
//! of them are keyed again or cut, somebody's update costs more for it. A parent that every path
//! leaves out, since there is nobody below but on one side, costs nothing and is not waited for;
//! nor is a path that other removals blank meanwhile told apart.
//!
//! Paths are looked at in snapshots only: a time ends with the first snapshot that finds the path
//! whole, so it is too long by less than the time between two of them.

use arboretum_engine::tree::LeafIndex;
use arboretum_workloads::Millis;

/// Removed members whose paths still lack keys, in the order of their removal.
#[derive(Debug, Default)]
pub(super) struct BlankPaths {
    open: Vec<(LeafIndex, Millis)>,
}

impl BlankPaths {
    /// A member is removed from a leaf.
    pub(super) fn open(&mut self, leaf: LeafIndex, now: Millis) {
        self.open.push((leaf, now));
    }

    /// Closes every path that lacks no key any more; gives how long each was open.
    pub(super) fn close(&mut self, lacking: &Lacking, now: Millis) -> Vec<Millis> {
        let mut closed = vec![];
        self.open.retain(|(leaf, since)| {
            let is_open = lacking.is_above(*leaf);
            if !is_open {
                closed.push(Millis(now.0 - since.0));
            }
            is_open
        });
        closed
    }

    /// How many are open.
    pub(super) fn count(&self) -> u64 {
        self.open.len() as u64
    }
}

/// The leaves of a tree that have a parent above them which lacks its key.
#[derive(Debug, Default)]
pub(super) struct Lacking(Vec<bool>);

impl Lacking {
    /// Notes of the next leaf whether a parent above it lacks its key.
    pub(super) fn note(&mut self, leaf: LeafIndex, lacks: bool) {
        let at = leaf.0 as usize;
        if self.0.len() <= at {
            self.0.resize(at + 1, false);
        }
        self.0[at] = lacks;
    }

    /// Whether a parent above a leaf lacks its key; not where the leaf is no more.
    fn is_above(&self, leaf: LeafIndex) -> bool {
        self.0.get(leaf.0 as usize).copied().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lacking(width: u32, spans: &[(u32, u32)]) -> Lacking {
        let mut lacking = Lacking::default();
        for leaf in 0..width {
            let is_below = |(first, width): &(u32, u32)| (*first..first + width).contains(&leaf);
            lacking.note(LeafIndex(leaf), spans.iter().any(is_below));
        }
        lacking
    }

    #[test]
    fn a_path_closes_when_nothing_above_it_lacks_a_key() {
        let mut paths = BlankPaths::default();
        paths.open(LeafIndex(1), Millis(100));
        paths.open(LeafIndex(6), Millis(200));
        assert_eq!(paths.close(&lacking(8, &[(0, 8), (0, 2)]), Millis(300)), []);
        assert_eq!(paths.close(&lacking(8, &[(0, 2)]), Millis(400)), [Millis(200)]);
        assert_eq!(paths.count(), 1);
        assert_eq!(paths.close(&lacking(8, &[(2, 2)]), Millis(500)), [Millis(400)]);
        assert_eq!(paths.count(), 0);
    }

    #[test]
    fn a_leaf_that_is_cut_is_waited_for_no_more() {
        let mut paths = BlankPaths::default();
        paths.open(LeafIndex(6), Millis(0));
        assert_eq!(paths.close(&lacking(4, &[(0, 4)]), Millis(7)), [Millis(7)]);
    }
}
