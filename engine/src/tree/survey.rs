//! What clients may go by who choose when to commit, or where to stand: questions to a tree beside
//! those of the protocol itself, at O(log n) each.

use super::{LeafIndex, OutsideTree, Shape, Tree, TreeData};

impl<D: TreeData, S: Shape> Tree<D, S> {
    /// The blank parents that a commit from a leaf would key. Those that its path leaves out
    /// (RFC 9420 §4.1.2) stay blank whatever it does.
    pub fn blanks_above(&self, leaf: LeafIndex) -> Result<u32, OutsideTree> {
        let path = self.filtered_direct_path(leaf)?;
        Ok(path.iter().filter(|step| step.node.parent().is_none()).count() as u32)
    }

    /// The rightmost members that would stand further left if they were removed and added anew: at
    /// most `most`, from the right. `others` who are added before them take the leftmost blank
    /// leaves.
    pub fn stragglers(&self, most: u32, others: u32) -> Vec<LeafIndex> {
        let root = self.root();
        let place = |nth: u32| {
            let from_left = self.members().checked_sub(nth + 1)?;
            let leaf = root.nth_member(from_left)?;
            let blank = root.nth_blank(others.checked_add(nth)?)?;
            (blank < leaf).then_some(leaf)
        };
        (0..most).map_while(place).collect()
    }
}
