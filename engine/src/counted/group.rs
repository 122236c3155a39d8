//! TreeKEM in counts, under any strategy: adds, removals and Update proposals change the tree as
//! RFC 9420 §12.1 has it, proposed paths as `treekem/concurrent` does, and a commit keys its sender's
//! filtered direct path (§4.1.2, §7.5).

use std::sync::Arc;

use super::{Cost, CountedData, CountedError, CountedParent, Leaves, Member, PathSizes, Seat};
use crate::strategy::{Newcomer, Strategy};
use crate::tree::{Aggregates, LeafIndex, OutsideTree, Tree};

/// A group.
#[derive(Clone, Debug)]
pub struct CountedGroup {
    tree: Tree<CountedData, Strategy>,
    sizes: PathSizes,
    leaves: Leaves,
    /// Leaves added since the last commit, which gets its secret to them by Welcome.
    added: Vec<LeafIndex>,
    commits: u64,
    /// What a new key is: nothing is remembered of it.
    key: Arc<CountedParent>,
}

/// What a path costs, and which of its parents are keyed by it, the lowest in the lowest bit.
struct PathCost {
    cost: Cost,
    keyed: u64,
}

/// The cost of a path from a leaf: O(log n), from the aggregates (O(log² n) in a free tree). Parents with nobody below their
/// copath are left out where the strategy filters; leaves that were just added are not sent to, and
/// stand in every resolution by themselves.
fn path_cost(
    tree: &Tree<CountedData, Strategy>,
    leaf: LeafIndex,
    added: &[LeafIndex],
    sizes: &PathSizes,
) -> PathCost {
    let mut path = PathCost { cost: Cost::default(), keyed: 0 };
    let mut at = tree.root();
    loop {
        let (mut copath, mut spared) = (0, 0);
        let mut below = None;
        for child in at.children() {
            if child.contains(leaf) {
                below = Some(child);
            } else {
                copath += u64::from(child.aggregates().resolution);
                spared += added.iter().filter(|added| child.contains(**added)).count() as u64;
            }
        }
        let Some(child) = below else { return path };
        let keyed = copath > 0 || !tree.shape().filtered;
        if keyed {
            path.cost += Cost {
                ciphertexts: copath - spared,
                public_keys: 1,
                bytes_headers: sizes.header(copath - spared),
            };
        }
        path.keyed = path.keyed << 1 | u64::from(keyed);
        at = child;
    }
}

impl CountedGroup {
    /// A group of the members 0 … `members` − 1, at epoch 0; `warm` if every parent
    /// above them has a key.
    pub fn new(
        strategy: Strategy,
        sizes: PathSizes,
        members: u32,
        warm: bool,
    ) -> Result<Self, CountedError> {
        if strategy.taints() {
            return Err(CountedError::Taints);
        }
        let mut group = Self {
            tree: Tree::new(strategy),
            sizes,
            leaves: Leaves::default(),
            added: vec![],
            commits: 0,
            key: Arc::default(),
        };
        for member in 0..members {
            group.add(Member(0), Member(member))?;
            group.settle();
        }
        if warm {
            (0..members).try_for_each(|member| group.commit(Member(member)).map(|_| ()))?;
        }
        // Epochs are counted from the group as it stands here.
        group.commits = 0;
        Ok(group)
    }

    /// The aggregates of the tree.
    pub fn tree(&self) -> &Aggregates {
        self.tree.aggregates()
    }

    /// The members, by their numbers.
    pub fn members(&self) -> impl Iterator<Item = Member> {
        self.leaves.members()
    }

    /// Adds a member, by whom decides where under some strategies.
    pub fn add(&mut self, by: Member, member: Member) -> Result<(), CountedError> {
        self.leaves.check_new(member)?;
        let committer = self.leaves.of(by).ok();
        let number = Newcomer::new(committer, self.commits, &member.0.to_be_bytes());
        let index = self.tree.make_room(number, &mut |_| {}).leaf;
        self.tree.put(index, Arc::new(member.into()))?;
        self.leaves.enter(member, index);
        self.added.push(index);
        Ok(())
    }

    /// Removes a member.
    pub fn remove(&mut self, member: Member) -> Result<(), CountedError> {
        self.remove_all(&[member])
    }

    /// Removes members by one commit: what is left of the tree then depends on all of them in some
    /// shapes.
    pub fn remove_all(&mut self, members: &[Member]) -> Result<(), CountedError> {
        for member in members {
            let leaf = self.leaves.of(*member)?;
            if self.tree.members() == 1 {
                return Err(CountedError::LastMember(*member));
            }
            self.tree.take(leaf)?;
            self.leaves.leave(*member);
            self.added.retain(|added| *added != leaf);
        }
        self.tree.compact(&mut |_| {});
        Ok(())
    }

    /// A member's Update proposal takes effect: the path above it is blanked.
    pub fn update(&mut self, member: Member) -> Result<(), CountedError> {
        let leaf = self.leaves.of(member)?;
        let seat = self.tree.leaf(leaf).ok_or(CountedError::NotAMember(member))?.clone();
        Ok(self.tree.replace(leaf, seat)?)
    }

    /// The member that will commit next, with a path, moves where the strategy has it move: after the
    /// removals of its commit and before the adds. A commit that adds nobody sees to it by itself.
    pub fn move_over(&mut self, committer: Member) -> Result<(), CountedError> {
        let leaf = self.leaves.of(committer)?;
        if let Some(to) = self.tree.shape().compaction.destination(&self.tree, leaf) {
            let seat = self.tree.leaf(leaf).ok_or(CountedError::NotAMember(committer))?.clone();
            self.tree.take(leaf)?;
            self.tree.put(to, seat)?;
            self.tree.truncate();
            self.leaves.enter(committer, to);
        }
        Ok(())
    }

    /// The epoch ends without a path: who was added is a member like others from now on.
    pub fn settle(&mut self) {
        self.added.clear();
        self.commits += 1;
    }

    /// A member commits with a path. Leaves added since the last commit get its secret by Welcome.
    pub fn commit(&mut self, committer: Member) -> Result<Cost, CountedError> {
        if self.added.is_empty() {
            self.move_over(committer)?;
        }
        let leaf = self.leaves.of(committer)?;
        let levels = self.tree.climb_of(leaf)?;
        self.tree.climb(leaf, levels, &mut |_| {})?;
        let path = path_cost(&self.tree, leaf, &self.added, &self.sizes);
        self.key(leaf, path.keyed, true)?;
        self.settle();
        Ok(path.cost)
    }

    /// What it costs a member to propose a whole path in the tree as it stands.
    pub fn upload(&self, member: Member) -> Result<Cost, CountedError> {
        let leaf = self.leaves.of(member)?;
        Ok(path_cost(&self.tree, leaf, &[], &self.sizes).cost)
    }

    /// Whether members propose whole paths.
    pub fn proposes_paths(&self) -> bool {
        self.tree.shape().concurrent
    }

    /// The paths that members have proposed in the tree as it stands take effect: parents above one of
    /// them are keyed, those above several blank. Gives what they cost together.
    pub fn merge_paths(&mut self, members: &[Member]) -> Result<Cost, CountedError> {
        let mut leaves = vec![];
        for member in members {
            leaves.push(self.leaves.of(*member)?);
        }
        leaves.sort_unstable();
        leaves.dedup();
        let mut together = Cost::default();
        let mut parts = Vec::with_capacity(leaves.len());
        for leaf in &leaves {
            let PathCost { cost, keyed } = path_cost(&self.tree, *leaf, &[], &self.sizes);
            together += cost;
            let exclusive = self.tree.exclusive_part(*leaf, &leaves)?;
            // One bit for each parent that takes the path's key; a tree is less than 64 high.
            parts.push((*leaf, keyed & !(u64::MAX << exclusive)));
        }
        for (leaf, keyed) in parts {
            self.key(leaf, keyed, false)?;
        }
        Ok(together)
    }

    /// Keys the parents above a leaf whose bits are set, the lowest the lowest, and blanks the others.
    fn key(&mut self, leaf: LeafIndex, mut keyed: u64, commits: bool) -> Result<(), OutsideTree> {
        let key = &self.key;
        let counts = commits && self.tree.shape().counts_commits();
        let count = |seat: &Seat| Arc::new(Seat { commits: seat.commits + 1, ..*seat });
        let mut again = |leaf: Option<Arc<Seat>>| match leaf {
            Some(seat) if counts => Some(count(&seat)),
            leaf => leaf,
        };
        self.tree.edit(leaf, &mut again, &mut |_, parent| {
            *parent = (keyed & 1 == 1).then(|| key.clone());
            keyed >>= 1;
        })
    }

    /// Whether the cached aggregates are what a recount gives; O(n).
    pub fn recount(&self) -> bool {
        self.tree.root().recount()
    }
}
