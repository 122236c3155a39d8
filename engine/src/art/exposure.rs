//! Who really knows which node: the double joins of draft-barnes-mls-protocol-00 §8, kept exactly.
//!
//! A member should know the nodes above its own leaf and no other. It knows more, and may have kept
//! it, where it has made a leaf key that is not its own: the key under which it deleted somebody,
//! those of a whole group that it has set up; and every member of an epoch knows the leaf key of who
//! is added by a `GroupAdd` there, since it comes of the add key pair. Whoever knows a node's private
//! key and sees the handshake messages computes all nodes above, until the key is replaced. So who
//! has been deleted goes on with the group if it still knows a key anywhere.
//!
//! Knowledge comes from *sources*. One stands at a leaf, whose key others have made; or at the lowest
//! parent with members above a deleted leaf, whose key was computed with the deleter's. A source makes
//! its node and all above known to whom it belongs, and goes when the node is computed anew. Nodes
//! below the deepest one that has its knower below itself are *exposed* by it: for a single knower up
//! to where its own path meets, for those of an epoch up to where all of them are below, which is
//! where the leftmost member is, as long as none of them has gone. As soon as one has, the source
//! exposes all nodes up to the root, and that happens to it once: so an operation costs O(log n),
//! spread over the sources there are.
//!
//! Memberships are told apart by their leaves, which are never used again. All public keys are taken
//! to be known to everybody, and every handshake message seen.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::{LeafIndex, NodeIndex};

/// How exposed a group is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exposed {
    /// Nodes, leaves among them, whose secret somebody knows who is not a member below.
    pub nodes: u64,
    /// Memberships that have ended and still know the secret of a node.
    pub deleted: u64,
}

/// To whom a source makes its node known, beside the members below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Knowers {
    /// One membership.
    One(LeafIndex),
    /// Everybody who knew the secrets of an epoch.
    Epoch(u32),
}

/// A membership.
#[derive(Clone, Copy, Debug)]
struct Membership {
    joined: u32,
    is_member: bool,
    /// What others know of its leaf.
    source: Option<Knowers>,
}

/// The bookkeeping of one group, at its newest epoch.
#[derive(Clone, Debug, Default)]
pub struct Exposure {
    epoch: u32,
    leaves: Vec<Membership>,
    leftmost: usize,
    /// Sources at parents: who knows the key that a parent was computed with beside a blank child.
    ghosts: BTreeMap<u32, LeafIndex>,
    /// For each node, how many sources expose it, and how many members are below.
    counts: Vec<u32>,
    members: Vec<u32>,
    exposed: u64,
    /// Nodes of which each single knower is one.
    known_by: BTreeMap<LeafIndex, BTreeSet<u32>>,
    /// Sources that belong to an epoch of which nobody has gone.
    whole: BTreeSet<(u32, LeafIndex)>,
    /// How many sources belong to each epoch.
    epochs: BTreeMap<u32, u32>,
    /// Memberships that have ended and know the secrets of the newest epoch, by when they began.
    lingering: BTreeSet<(u32, LeafIndex)>,
    adds_last: bool,
}

/// Which nodes a source exposes.
#[derive(Clone, Copy)]
enum Reach {
    /// From its node up to below where this leaf is.
    Below(LeafIndex),
    /// Up to the root.
    Root,
    /// From where this leaf is up to the root.
    From(LeafIndex),
}

impl Exposure {
    /// A group of one, in epoch 0.
    pub fn new() -> Self {
        let mut exposure = Self::default();
        exposure.put(None);
        exposure
    }

    /// A setup has made the group: its creator, at leaf 0, knows every leaf key.
    pub fn init(&mut self, members: u32) {
        for _ in 1..members {
            self.put(Some(Knowers::One(LeafIndex(0))));
        }
        (self.epoch, self.adds_last) = (self.epoch + 1, false);
    }

    /// A member has added somebody.
    pub fn group_add(&mut self) {
        self.put(Some(Knowers::Epoch(self.epoch)));
        (self.epoch, self.adds_last) = (self.epoch + 1, true);
    }

    /// Somebody has added itself.
    pub fn user_add(&mut self) {
        self.put(None);
        (self.epoch, self.adds_last) = (self.epoch + 1, true);
    }

    /// A member has a leaf key of its own.
    pub fn update(&mut self, leaf: LeafIndex) {
        self.release(leaf);
        self.go_on();
    }

    /// `by` has deleted a member.
    pub fn delete(&mut self, by: LeafIndex, deleted: LeafIndex) {
        self.release(deleted);
        self.leaves[deleted.0 as usize].is_member = false;
        self.path(deleted.0, 0).into_iter().for_each(|node| self.members[node as usize] -= 1);
        self.end(deleted);
        if let Some(parent) = self.lowest_peopled(deleted) {
            self.ghosts.insert(parent, by);
            self.note(parent, by);
        }
        self.go_on();
    }

    /// How exposed the group is now.
    pub fn exposed(&self) -> Exposed {
        let deleted = match self.adds_last {
            // Who had the epoch's secrets alone, and no node's, has lost nothing by an add yet.
            true => self.lingering.iter().filter(|one| self.knows_a_node(**one)).count(),
            false => self.lingering.len(),
        };
        Exposed { nodes: self.exposed, deleted: deleted as u64 }
    }

    /// The memberships that have ended and still know the secret of a node, ascending.
    pub fn lingering(&self) -> Vec<LeafIndex> {
        let known = self.lingering.iter().filter(|one| self.knows_a_node(**one));
        let mut leaves: Vec<_> = known.map(|(_, leaf)| *leaf).collect();
        leaves.sort_unstable();
        leaves
    }

    /// Whether a node, by the position of its first leaf and its width, is known to somebody who is
    /// not a member below.
    pub fn is_exposed(&self, first: u32, width: u32) -> bool {
        let node = node(first, width.next_power_of_two().trailing_zeros());
        self.counts.get(node as usize).is_some_and(|count| *count > 0)
    }

    /// Another leaf at the right, with what others know of it.
    fn put(&mut self, source: Option<Knowers>) {
        let leaf = LeafIndex(self.leaves.len() as u32);
        let nodes = 2 * leaf.0 as usize + 1;
        self.counts.resize(nodes, 0);
        self.members.resize(nodes, 0);
        // The new parent stands over the subtree before the leaf, and everything exposed to its top.
        if leaf.0 > 0 {
            let level = leaf.0.trailing_zeros();
            let before = node(leaf.0 - (1 << level), level);
            let above = node(leaf.0 - (1 << level), level + 1);
            self.members[above as usize] = self.members[before as usize];
            self.set(above, self.counts[before as usize]);
        }
        let joined = self.epoch + u32::from(leaf.0 > 0);
        self.leaves.push(Membership { joined, is_member: true, source: None });
        self.path(leaf.0, 0).into_iter().for_each(|node| self.members[node as usize] += 1);
        self.forget_ghosts(leaf);
        let Some(source) = source else { return };
        self.leaves[leaf.0 as usize].source = Some(source);
        match source {
            Knowers::One(knower) => self.note(node(leaf.0, 0), knower),
            Knowers::Epoch(epoch) => {
                *self.epochs.entry(epoch).or_default() += 1;
                // Who has gone and still has the epoch's secrets is one of those who know.
                if self.lingering.is_empty() {
                    self.whole.insert((epoch, leaf));
                    self.count(node(leaf.0, 0), Reach::Below(self.leftmost()), true);
                } else {
                    self.count(node(leaf.0, 0), Reach::Root, true);
                }
            }
        }
    }

    /// A single knower of a node.
    fn note(&mut self, node: u32, knower: LeafIndex) {
        self.known_by.entry(knower).or_default().insert(node);
        self.count(node, self.reach_of(knower), true);
    }

    fn reach_of(&self, knower: LeafIndex) -> Reach {
        if self.leaves[knower.0 as usize].is_member { Reach::Below(knower) } else { Reach::Root }
    }

    fn forget(&mut self, node: u32, knower: LeafIndex) {
        if let Some(nodes) = self.known_by.get_mut(&knower) {
            nodes.remove(&node);
            if nodes.is_empty() {
                self.known_by.remove(&knower);
            }
        }
        self.count(node, self.reach_of(knower), false);
    }

    /// A leaf has a new key, and all nodes above it with it.
    fn release(&mut self, leaf: LeafIndex) {
        match self.leaves[leaf.0 as usize].source.take() {
            None => {}
            Some(Knowers::One(knower)) => self.forget(node(leaf.0, 0), knower),
            Some(Knowers::Epoch(epoch)) => {
                if let Some(count) = self.epochs.get_mut(&epoch) {
                    *count -= 1;
                    if *count == 0 {
                        self.epochs.remove(&epoch);
                    }
                }
                let reach = match self.whole.remove(&(epoch, leaf)) {
                    true => Reach::Below(self.leftmost()),
                    false => Reach::Root,
                };
                self.count(node(leaf.0, 0), reach, false);
            }
        }
        self.forget_ghosts(leaf);
    }

    /// The parents above a leaf are computed anew.
    fn forget_ghosts(&mut self, leaf: LeafIndex) {
        for parent in self.path(leaf.0, 1) {
            if let Some(knower) = self.ghosts.remove(&parent) {
                self.forget(parent, knower);
            }
        }
    }

    /// A membership has ended: what it knew, it now knows from outside.
    fn end(&mut self, leaf: LeafIndex) {
        let joined = self.leaves[leaf.0 as usize].joined;
        let broken: Vec<_> = self.whole.range((joined, LeafIndex(0))..).copied().collect();
        for (epoch, added) in broken {
            self.whole.remove(&(epoch, added));
            self.count(node(added.0, 0), Reach::From(self.leftmost()), true);
        }
        for known in self.known_by.get(&leaf).cloned().unwrap_or_default() {
            self.count(known, Reach::From(leaf), true);
        }
        while self.leaves.get(self.leftmost).is_some_and(|leaf| !leaf.is_member) {
            self.leftmost += 1;
        }
        self.lingering.insert((joined, leaf));
    }

    /// The next epoch continues from the init secret and the root: who does not know both is out.
    fn go_on(&mut self) {
        (self.epoch, self.adds_last) = (self.epoch + 1, false);
        let after_all = self.epochs.last_key_value().map_or(0, |(epoch, _)| epoch + 1);
        let late = self.lingering.range((after_all, LeafIndex(0))..).copied();
        let gone: Vec<_> = late.filter(|one| !self.knows_a_node(*one)).collect();
        gone.iter().for_each(|one| {
            self.lingering.remove(one);
        });
    }

    /// Of those who had every epoch's secrets since they came: they know the sources of all of them.
    fn knows_a_node(&self, (joined, leaf): (u32, LeafIndex)) -> bool {
        self.epochs.last_key_value().is_some_and(|(epoch, _)| *epoch >= joined)
            || self.known_by.contains_key(&leaf)
    }

    fn leftmost(&self) -> LeafIndex {
        LeafIndex(self.leftmost as u32)
    }

    /// The lowest parent above a blank leaf that has members below.
    fn lowest_peopled(&self, leaf: LeafIndex) -> Option<u32> {
        self.path(leaf.0, 1).into_iter().find(|node| self.members[*node as usize] > 0)
    }

    /// The nodes from a level on above the leaf at a position, upwards.
    fn path(&self, first: u32, level: u32) -> Vec<u32> {
        let width = self.leaves.len() as u64;
        let mut path = vec![];
        for level in level.. {
            if level > 0 && 1_u64 << (level - 1) >= width {
                break;
            }
            let start = u64::from(first) >> level << level;
            // At the right edge a parent stands for all those above it that have no right child.
            if level == 0 || start + (1 << (level - 1)) < width {
                path.push(node(start as u32, level));
            }
        }
        path
    }

    /// Counts a source at a node in or out, at all nodes that it exposes.
    fn count(&mut self, at: u32, reach: Reach, comes: bool) {
        let (first, level) = place(at);
        for above in self.path(first, level) {
            let (first, level) = place(above);
            let holds = |leaf: LeafIndex| u64::from(leaf.0) >> level == u64::from(first) >> level;
            let counts = match reach {
                Reach::Root => true,
                Reach::Below(leaf) => !holds(leaf),
                Reach::From(leaf) => holds(leaf),
            };
            if counts {
                let before = self.counts[above as usize];
                self.set(above, if comes { before + 1 } else { before - 1 });
            }
        }
    }

    fn set(&mut self, node: u32, count: u32) {
        let before = std::mem::replace(&mut self.counts[node as usize], count);
        self.exposed += u64::from(count > 0);
        self.exposed -= u64::from(before > 0);
    }
}

/// A node by the position of its first leaf and its level in a perfect tree.
fn node(first: u32, level: u32) -> u32 {
    2 * first + (1 << level) - 1
}

/// The position of a node's first leaf, and its level.
fn place(node: u32) -> (u32, u32) {
    let level = NodeIndex(node).level();
    ((node + 1 - (1 << level)) / 2, level)
}
