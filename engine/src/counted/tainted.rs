//! Tainted TreeKEM in counts (Klein et al., Keep the Dirt, IEEE S&P 2021): no parent is blanked.
//! Who adds or removes somebody draws the new secrets on that leaf's path itself, and so *taints*
//! the parents that it is not below: it knows secrets it should forget. Whenever it renews its own
//! keys, or is removed, what it has tainted is renewed along, with everything above.
//!
//! An operation refreshes a set of parents, closed upwards. A refreshed parent takes its secret
//! from one refreshed child; the other children are each sent a ciphertext, a refreshed one to its
//! new key. A parent remembers the last who tainted it. A parent with nobody below keeps its key, and
//! is sent its ciphertext like any other: paths of that time were not filtered.
//!
//! The paper's operations refresh what they must and no more. [`TaintedGroup::commit`] does several at
//! once and its sender's update along, as the whole engine does (`treekem/refresh.rs`).
//!
//! What it trades: whoever administers much carries a set of tainted parents, and its compromise
//! exposes parents far from itself. RFC 9420 has no such messages.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Cost, CountedData, CountedError, CountedParent, Leaves, Member, PathSizes};
use crate::strategy::{Compaction, Layout, Newcomer, Removal, Strategy};
use crate::tree::{Aggregates, LeafIndex, OutsideTree, Subtree, Tree};

/// The tree of the paper's experiments: perfect, the leftmost free leaf, nobody unmerged, and
/// paths of before the filter.
const TREE: Strategy = Strategy {
    layout: Layout::Perfect,
    removal: Removal::Blank,
    compaction: Compaction::Truncate,
    unmerged: false,
    filtered: false,
    ..Strategy::RFC9420
};

/// A parent, by its height above the leaves and its place among those of that height: both stay
/// when a perfect tree grows or is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    height: u8,
    at: u32,
}

impl Place {
    /// The parent of a leaf.
    fn above_leaf(leaf: LeafIndex) -> Self {
        Self { height: 1, at: leaf.0 >> 1 }
    }

    fn above(self) -> Self {
        Self { height: self.height + 1, at: self.at >> 1 }
    }

    fn first_leaf(self) -> LeafIndex {
        LeafIndex(self.at << self.height)
    }

    fn covers(self, leaf: LeafIndex) -> bool {
        leaf.0 >> self.height == self.at
    }

    fn children(self) -> [Self; 2] {
        [0, 1].map(|side| Self { height: self.height - 1, at: self.at << 1 | side })
    }

    /// Whether it lies in a perfect tree of a width.
    fn is_inside(self, width: u32) -> bool {
        self.first_leaf().0 < width && 1_u64 << self.height <= u64::from(width)
    }
}

/// A group.
#[derive(Clone, Debug)]
pub struct TaintedGroup {
    tree: Tree<CountedData, Strategy>,
    leaves: Leaves,
    /// What each member has tainted; an entry counts while the parent there says the same.
    taints: Vec<BTreeSet<Place>>,
    key: Arc<CountedParent>,
    /// What vectors of ciphertexts are measured by; none if nobody asks for bytes.
    sizes: Option<PathSizes>,
    commits: u64,
}

/// What a commit does beside renewing its sender's keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Members who get fresh leaves that they have proposed.
    pub updates: Vec<Member>,
    /// Members who are removed.
    pub removes: Vec<Member>,
    /// Members who are added, after the others have gone.
    pub adds: Vec<Member>,
    /// Whether the sender gives up its leaf for another.
    pub moves: bool,
}

impl TaintedGroup {
    /// A warm group of the members 0 … `members` − 1, nothing tainted.
    pub fn new(members: u32) -> Result<Self, CountedError> {
        let mut group = Self {
            tree: Tree::new(TREE),
            leaves: Leaves::default(),
            taints: vec![],
            key: Arc::default(),
            sizes: None,
            commits: 0,
        };
        for member in (0..members).map(Member) {
            group.enter(member, Newcomer::default())?;
        }
        for leaf in (0..members).map(LeafIndex) {
            let key = &group.key;
            group.tree.edit(leaf, &mut |leaf| leaf, &mut |_, parent| {
                *parent = Some(key.clone());
            })?;
        }
        Ok(group)
    }

    /// A group of one member, at epoch 0, of the whole engine's kind: under a strategy that taints,
    /// and with paths of so many bytes.
    pub fn under(
        strategy: Strategy,
        sizes: PathSizes,
        creator: Member,
    ) -> Result<Self, CountedError> {
        let (tree, sizes) = (Tree::new(strategy), Some(sizes));
        let mut group = Self { tree, sizes, ..Self::new(0)? };
        group.enter(creator, Newcomer::default())?;
        Ok(group)
    }

    /// The aggregates of the tree.
    pub fn tree(&self) -> &Aggregates {
        self.tree.aggregates()
    }

    /// A member adds another.
    pub fn add(&mut self, by: Member, member: Member) -> Result<Cost, CountedError> {
        let from = self.leaves.of(by)?;
        self.leaves.check_new(member)?;
        let leaf = self.enter(member, Newcomer::default())?;
        let set = self.above([Place::above_leaf(leaf)]);
        self.refresh(by, from, &set, &[leaf, from])
    }

    /// A member removes another.
    pub fn remove(&mut self, by: Member, member: Member) -> Result<Cost, CountedError> {
        let (from, leaf) = (self.leaves.of(by)?, self.leaves.of(member)?);
        if by == member {
            return Err(CountedError::RemovesItself(member));
        }
        let tainted = self.leave(member, leaf)?;
        self.tree.truncate();
        let set = self.above([Place::above_leaf(leaf)].into_iter().chain(tainted));
        self.refresh(by, from, &set, &[from])
    }

    /// A member renews its keys.
    pub fn update(&mut self, member: Member) -> Result<Cost, CountedError> {
        let leaf = self.leaves.of(member)?;
        let tainted = self.tainted(member);
        let set = self.above([Place::above_leaf(leaf)].into_iter().chain(tainted));
        self.refresh(member, leaf, &set, &[leaf])
    }

    /// A member renews its keys, and does all this in the same commit.
    pub fn commit(&mut self, by: Member, changes: &Changes) -> Result<Cost, CountedError> {
        let stood = self.leaves.of(by)?;
        self.check(by, changes)?;
        let mut starts = self.tainted(by);
        let mut emptied = vec![];
        for member in &changes.updates {
            starts.push(Place::above_leaf(self.leaves.of(*member)?));
            starts.extend(self.tainted(*member));
        }
        for member in changes.removes.iter().chain(changes.moves.then_some(&by)) {
            let leaf = self.leaves.of(*member)?;
            emptied.push(leaf);
            starts.extend(self.leave(*member, leaf)?);
        }
        self.tree.truncate();
        let committer = (!changes.moves).then_some(stood);
        let mut told = vec![];
        for member in changes.adds.iter().chain(changes.moves.then_some(&by)) {
            let newcomer = Newcomer::new(committer, self.commits, &member.0.to_be_bytes());
            told.push(self.enter(*member, newcomer)?);
        }
        let from = self.leaves.of(by)?;
        if !changes.moves {
            told.push(from);
        }
        starts.extend(told.iter().map(|leaf| Place::above_leaf(*leaf)));
        // Where the tree was cut and has grown again, nobody has known a key.
        starts.extend(emptied.into_iter().filter_map(|leaf| self.lowest_key(leaf)));
        self.commits += 1;
        let set = self.above(starts);
        self.refresh(by, from, &set, &told)
    }

    /// Refuses a commit before anything has changed.
    fn check(&self, by: Member, changes: &Changes) -> Result<(), CountedError> {
        let gone = changes.updates.iter().chain(&changes.removes);
        gone.into_iter().try_for_each(|member| self.leaves.of(*member).map(|_| ()))?;
        if changes.removes.contains(&by) {
            return Err(CountedError::RemovesItself(by));
        }
        let stays = |member: &&Member| !changes.removes.contains(member);
        changes.adds.iter().filter(stays).try_for_each(|member| self.leaves.check_new(*member))
    }

    /// Whether the cached aggregates are what a recount gives; O(n).
    pub fn recount(&self) -> bool {
        self.tree.root().recount()
    }

    /// How many parents are tainted.
    pub fn tainted_parents(&self) -> usize {
        let members = (0..self.taints.len() as u32).map(Member);
        members.map(|member| self.still_tainted(member).count()).sum()
    }

    fn enter(&mut self, member: Member, newcomer: Newcomer) -> Result<LeafIndex, CountedError> {
        let leaf = self.tree.make_room(newcomer, &mut |_| {}).leaf;
        self.tree.edit(leaf, &mut |_| Some(Arc::new(member.into())), &mut |_, _| {})?;
        self.leaves.enter(member, leaf);
        Ok(leaf)
    }

    /// Blanks a member's leaf, and gives what the member had tainted.
    fn leave(&mut self, member: Member, leaf: LeafIndex) -> Result<Vec<Place>, OutsideTree> {
        let tainted = self.tainted(member);
        self.leaves.leave(member);
        self.tree.edit(leaf, &mut |_| None, &mut |_, _| {})?;
        Ok(tainted)
    }

    /// The lowest parent above a leaf that has a key.
    fn lowest_key(&self, leaf: LeafIndex) -> Option<Place> {
        let mut place = Place::above_leaf(leaf);
        while place.is_inside(self.tree.width()) {
            if self.at(place).is_some_and(|subtree| subtree.parent().is_some()) {
                return Some(place);
            }
            place = place.above();
        }
        None
    }

    /// Parents with all above them, as far as the tree has them.
    fn above(&self, starts: impl IntoIterator<Item = Place>) -> BTreeSet<Place> {
        let mut set = BTreeSet::new();
        for start in starts {
            let mut at = start;
            while at.is_inside(self.tree.width()) && set.insert(at) {
                at = at.above();
            }
        }
        set
    }

    fn still_tainted(&self, member: Member) -> impl Iterator<Item = Place> {
        let noted = self.taints.get(member.0 as usize).into_iter().flatten().copied();
        noted.filter(move |place| {
            let parent = self.at(*place).and_then(|subtree| subtree.parent());
            parent.is_some_and(|parent| parent.tainted_by == Some(member))
        })
    }

    /// Takes the set of what a member has tainted.
    fn tainted(&mut self, member: Member) -> Vec<Place> {
        let places: Vec<_> = self.still_tainted(member).collect();
        if let Some(noted) = self.taints.get_mut(member.0 as usize) {
            noted.clear();
        }
        places
    }

    /// The subtree at a place; none where the tree ends or nothing has ever been.
    fn at(&self, place: Place) -> Option<Subtree<'_, CountedData>> {
        let mut at = self.tree.root();
        while at.aggregates().height > place.height {
            at = at.children().find(|child| child.contains(place.first_leaf()))?;
        }
        let found = at.aggregates().height == place.height;
        (found && at.first_leaf() == place.first_leaf()).then_some(at)
    }

    /// Refreshes a set of parents on behalf of a member at `from`. Leaves that are `told` of it
    /// otherwise are sent nothing: those added, and last the committer's.
    fn refresh(
        &mut self,
        by: Member,
        from: LeafIndex,
        set: &BTreeSet<Place>,
        told: &[LeafIndex],
    ) -> Result<Cost, CountedError> {
        let mut cost = Cost { public_keys: set.len() as u64, ..Cost::default() };
        for place in set {
            let ciphertexts = self.ciphertexts(*place, set, told);
            cost.ciphertexts += ciphertexts;
            cost.bytes_headers += self.sizes.map_or(0, |sizes| sizes.header(ciphertexts));
        }
        // Where nobody above is left to refresh, the root's key is good, and the next epoch's
        // secret is sent to it.
        cost.ciphertexts += u64::from(set.is_empty() && self.tree.members() > 1);
        self.key(by, from, set)?;
        Ok(cost)
    }

    /// What a refreshed parent is sent in.
    fn ciphertexts(&self, place: Place, set: &BTreeSet<Place>, told: &[LeafIndex]) -> u64 {
        let mut derived = false;
        let mut count = 0;
        for child in place.children() {
            let is_leaf = child.height == 0;
            if !is_leaf && set.contains(&child) {
                let sent = std::mem::replace(&mut derived, true) && !self.all_join(child, told);
                count += u64::from(sent);
            } else if !is_leaf || !told.contains(&child.first_leaf()) {
                let resolution = self.at(child).map_or(0, |at| at.aggregates().resolution);
                count += u64::from(resolution);
            }
        }
        count
    }

    /// Whether somebody joins below a parent, and nobody else is there but the committer, the last
    /// of those that are told.
    fn all_join(&self, place: Place, told: &[LeafIndex]) -> bool {
        let below = told.iter().filter(|leaf| place.covers(**leaf)).count();
        let committer = told.last().is_some_and(|leaf| place.covers(*leaf));
        let members = self.at(place).map_or(0, |at| at.aggregates().members as usize);
        members == below && below > usize::from(committer)
    }

    /// Gives new keys to a set of parents, and notes which of them `by` is not below.
    fn key(
        &mut self,
        by: Member,
        from: LeafIndex,
        set: &BTreeSet<Place>,
    ) -> Result<(), OutsideTree> {
        let tainted = Arc::new(CountedParent { unmerged: vec![], tainted_by: Some(by) });
        let mut done = BTreeSet::new();
        for place in set {
            if done.contains(place) {
                continue;
            }
            let key = &self.key;
            let mut at = Place::above_leaf(place.first_leaf());
            self.tree.edit(place.first_leaf(), &mut |leaf| leaf, &mut |_, parent| {
                if at.height >= place.height {
                    let own = at.covers(from);
                    *parent = Some(if own { key.clone() } else { tainted.clone() });
                    done.insert(at);
                }
                at = at.above();
            })?;
        }
        let at = by.0 as usize;
        if self.taints.len() <= at {
            self.taints.resize(at + 1, BTreeSet::new());
        }
        self.taints[at].extend(set.iter().filter(|place| !place.covers(from)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(ciphertexts: u64, public_keys: u64) -> Cost {
        Cost { ciphertexts, public_keys, ..Cost::default() }
    }

    /// Figure 2 of the paper in words: A adds into the other half, and carries what it tainted
    /// until its next update.
    #[test]
    fn a_taint_is_carried_until_the_next_update() {
        let mut group = TaintedGroup::new(8).unwrap();
        let update = |group: &mut TaintedGroup, member| group.update(Member(member)).unwrap();
        assert_eq!(update(&mut group, 0), cost(3, 3));
        // Member 0 removes member 7: the two parents above leaf 7 that are not above leaf 0 are
        // tainted. Leaf 6, the left half of the right half, and the left half get the secrets.
        let removal = group.remove(Member(0), Member(7)).unwrap();
        assert_eq!(removal, cost(3, 3));
        assert_eq!(group.tainted_parents(), 2);
        // Its update renews its own path and those two: leaf 6 and leaves 4, 5 as before; the
        // root's secret comes from its own path, so that the right half gets a ciphertext.
        let renewed = update(&mut group, 0);
        assert_eq!(renewed, cost(2 + 1 + 2, 5));
        assert_eq!(group.tainted_parents(), 2);
        // Member 6 takes over what is above itself.
        update(&mut group, 6);
        assert_eq!(group.tainted_parents(), 0);
        assert_eq!(update(&mut group, 0).public_keys, 3);
    }

    #[test]
    fn a_removed_member_leaves_no_taint() {
        let mut group = TaintedGroup::new(8).unwrap();
        group.remove(Member(0), Member(7)).unwrap();
        group.remove(Member(5), Member(0)).unwrap();
        // What member 0 had tainted is refreshed with its own path; member 5 is below the parent
        // of leaves 4 to 7, but not below that of 6 and 7, nor those of 0 to 3.
        assert_eq!(group.tainted_parents(), 3);
    }

    #[test]
    fn it_stays_warm_whatever_happens() {
        let mut group = TaintedGroup::new(16).unwrap();
        for round in 0..200_u32 {
            let at = |n: u32| Member(n % 16);
            if group.leaves.of(at(round * 7)).is_ok() {
                let by = (0..16).map(|n| at(round * 5 + n));
                let by = by.filter(|by| *by != at(round * 7));
                let by = by.into_iter().find(|by| group.leaves.of(*by).is_ok()).unwrap();
                group.remove(by, at(round * 7)).unwrap();
                group.add(by, at(round * 7)).unwrap();
            }
            let aggregates = group.tree();
            assert_eq!((aggregates.blank_parents, aggregates.resolution), (0, 1));
            assert!(group.tree.root().recount());
        }
    }
}
