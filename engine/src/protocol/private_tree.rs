//! All the private keys of a group at one epoch, in one persistent tree beside the public one,
//! and what its members owe for processing paths.
//!
//! This is the omniscient side of `shared`: no client holds it. A client's own keys are read
//! off its direct path, which is how it is materialised.

use std::ops::Add;
use std::sync::Arc;

use smallvec::SmallVec;

use super::{ClientId, ProtocolError};
use crate::crypto::{HpkeKeyPair, HpkePublicKey};
use crate::strategy::{Room, Strategy};
use crate::tree::{LeafIndex, OutsideTree, Place, Subtree, Tree, TreeData};
use crate::treekem::{Climb, NewPath, PrivateKeys, RefreshSet};
use crate::treesync::{RatchetData, RatchetTree};

/// Private keys at the leaves and parents.
pub(super) enum PrivateData {}

/// A member's leaf, seen from above.
#[derive(Clone)]
pub(super) struct PrivateLeaf {
    pub(super) client: ClientId,
    pub(super) key: HpkeKeyPair,
    /// What its member owes from parents that were cut off above it.
    carried: Climb,
}

/// A parent: its key pair where it is keyed, and what has been asked of the members below.
#[derive(Clone, Default)]
pub(super) struct PrivateParent {
    key: Option<HpkeKeyPair>,
    /// For the members below each child: what they have climbed so far from here to the root, in
    /// order to follow commits that did not key the child. Sums along a member's direct path, so a
    /// commit charges everybody at the parents that it keys.
    climbed: SmallVec<[Climb; 2]>,
    /// What all members below owe from parents that were cut off above.
    carried: Climb,
}

impl PrivateParent {
    /// What it charges the members below a child.
    fn charges(&self, child: usize) -> Climb {
        self.carried + self.climbed.get(child).copied().unwrap_or_default()
    }

    /// Keys it; members below these children climb from here.
    fn set(
        &mut self,
        key: &HpkeKeyPair,
        degree: usize,
        children: impl Iterator<Item = usize>,
        climb: Climb,
    ) {
        self.key = Some(key.clone());
        self.climbed.resize(degree, Climb::default());
        children.for_each(|child| self.climbed[child] = self.climbed[child] + climb);
    }
}

impl TreeData for PrivateData {
    type Leaf = PrivateLeaf;
    type Parent = PrivateParent;
    type Cache = ();

    fn unmerged(_: &PrivateParent) -> &[LeafIndex] {
        &[]
    }

    fn lift_leaf(cut: &PrivateParent, position: usize, leaf: &PrivateLeaf) -> Option<PrivateLeaf> {
        Some(PrivateLeaf { carried: leaf.carried + cut.charges(position), ..leaf.clone() })
    }

    fn lift_parent(
        cut: &PrivateParent,
        position: usize,
        child: Option<&PrivateParent>,
    ) -> Option<PrivateParent> {
        let mut child = child.cloned().unwrap_or_default();
        child.carried = child.carried + cut.charges(position);
        Some(child)
    }

    fn lifted(parent: &PrivateParent) -> Option<PrivateParent> {
        Some(PrivateParent { key: parent.key.clone(), ..PrivateParent::default() })
    }
}

/// A parent above the sender of a proposed path, once that is in effect.
#[derive(Clone, Default)]
pub(super) struct ProposedParent {
    /// Its key, if it is exclusive to the path.
    pub(super) key: Option<HpkeKeyPair>,
    /// What members climb who come to it by another child, if they keep the key.
    pub(super) climb: Option<Climb>,
}

/// The private keys of one epoch.
#[derive(Clone)]
pub(super) struct PrivateTree {
    tree: Tree<PrivateData, Strategy>,
}

fn edited(value: &mut Option<Arc<PrivateParent>>, change: impl FnOnce(&mut PrivateParent)) {
    let mut parent = value.as_deref().cloned().unwrap_or_default();
    change(&mut parent);
    *value = Some(Arc::new(parent));
}

impl PrivateTree {
    pub(super) fn new(strategy: Strategy) -> Self {
        Self { tree: Tree::new(strategy) }
    }

    /// The member at a leaf.
    pub(super) fn member(&self, leaf: LeafIndex) -> Option<&PrivateLeaf> {
        self.tree.leaf(leaf).map(AsRef::as_ref)
    }

    /// A member leaves: `goes` says, from the lowest parent, which keys above it go.
    pub(super) fn remove(&mut self, leaf: LeafIndex, goes: &[bool]) -> Result<(), OutsideTree> {
        let mut goes = goes.iter().copied();
        self.tree.edit(leaf, &mut |_| None, &mut |_, value| {
            if goes.next().unwrap_or(true) {
                edited(value, |parent| parent.key = None);
            }
        })
    }

    /// Shrinks as the public tree does.
    pub(super) fn compact(&mut self) {
        self.tree.compact(&mut |_| {});
    }

    /// A member comes. Keys above it stay, since it is unmerged there, which the public tree
    /// says; or go, by the strategy.
    pub(super) fn add(
        &mut self,
        room: &Room,
        client: ClientId,
        key: HpkeKeyPair,
    ) -> Result<(), OutsideTree> {
        self.tree.follow_room(room);
        let unmerged = self.tree.shape().unmerged;
        let member = Arc::new(PrivateLeaf { client, key, carried: Climb::default() });
        self.tree.edit(room.leaf, &mut |_| Some(member.clone()), &mut |_, value| {
            if !unmerged {
                edited(value, |parent| parent.key = None);
            }
        })
    }

    /// A member climbs as in the public tree.
    pub(super) fn climb(&mut self, leaf: LeafIndex, levels: u8) -> Result<(), OutsideTree> {
        self.tree.climb(leaf, levels, &mut |_| {})
    }

    /// A member's leaf gets another key, and those above it go.
    pub(super) fn update(
        &mut self,
        leaf: LeafIndex,
        key: HpkeKeyPair,
    ) -> Result<(), ProtocolError> {
        let PrivateLeaf { client, carried, .. } = *self.member(leaf).ok_or_else(|| lost(leaf))?;
        let member = Arc::new(PrivateLeaf { client, key, carried });
        self.tree.edit(leaf, &mut |_| Some(member.clone()), &mut |_, value| {
            edited(value, |parent| parent.key = None);
        })?;
        Ok(())
    }

    /// A proposed path is in effect: for each parent above its sender, from the lowest, the key that it
    /// takes, if it does, and what those below its other children climb, if the key stays after the
    /// commit.
    pub(super) fn set_proposed(
        &mut self,
        sender: LeafIndex,
        leaf: HpkeKeyPair,
        parents: &[ProposedParent],
    ) -> Result<(), ProtocolError> {
        let PrivateLeaf { client, carried, .. } =
            *self.member(sender).ok_or_else(|| lost(sender))?;
        let member = Arc::new(PrivateLeaf { client, key: leaf, carried });
        let degree = self.tree.shape().layout.degree();
        let mut parents = parents.iter();
        self.tree.edit(sender, &mut |_| Some(member.clone()), &mut |child, value| {
            let taken = parents.next().cloned().unwrap_or_default();
            edited(value, |parent| match taken {
                ProposedParent { key: Some(key), climb: Some(climb) } => {
                    parent.set(&key, degree, (0..degree).filter(|at| *at != child), climb);
                }
                ProposedParent { key, .. } => parent.key = key,
            });
        })?;
        Ok(())
    }

    /// A path is keyed: `in_filter` says, from the lowest parent, which nodes have a key.
    /// Members below the other children owe one derivation for each node from there up.
    pub(super) fn set_path(
        &mut self,
        leaf: LeafIndex,
        path: &NewPath,
        in_filter: &[bool],
    ) -> Result<(), ProtocolError> {
        let PrivateLeaf { client, carried, .. } = *self.member(leaf).ok_or_else(|| lost(leaf))?;
        let member = Arc::new(PrivateLeaf { client, key: path.leaf.clone(), carried });
        let degree = self.tree.shape().layout.degree();
        let mut keys = path.key_pairs.iter();
        let mut in_filter = in_filter.iter();
        let mut above = path.key_pairs.len() as u64;
        self.tree.edit(leaf, &mut |_| Some(member.clone()), &mut |child, value| {
            let key = in_filter.next().copied().unwrap_or(false).then(|| keys.next()).flatten();
            edited(value, |parent| match key {
                Some(key) => {
                    let others = (0..degree).filter(|at| *at != child);
                    parent.set(key, degree, others, Climb { followed: above, opened: 0 });
                    above -= 1;
                }
                None => parent.key = None,
            });
        })?;
        Ok(())
    }

    /// A set of parents is keyed, and its committer's leaf. Members below the children that stay
    /// owe the way from there up.
    pub(super) fn refresh(
        &mut self,
        committer: LeafIndex,
        path: &NewPath,
        set: &RefreshSet<'_>,
    ) -> Result<(), ProtocolError> {
        let member = self.member(committer).ok_or_else(|| lost(committer))?;
        let member = Arc::new(PrivateLeaf { key: path.leaf.clone(), ..member.clone() });
        self.tree.edit(committer, &mut |_| Some(member.clone()), &mut |_, _| {})?;
        let degree = self.tree.shape().layout.degree();
        let climbs = set.climbs();
        self.tree.edit_crown(&set.crown(), &mut |at, value| {
            let (key, staying) = (&path.key_pairs[at], set.staying(at));
            edited(value, |parent| parent.set(key, degree, staying, climbs[at]));
        });
        Ok(())
    }

    /// What a member at this leaf would have climbed, had it been there always.
    pub(super) fn climbed(&self, leaf: LeafIndex) -> Result<Climb, OutsideTree> {
        let path = self.tree.direct_path(leaf)?;
        let owed = path.iter().filter_map(|step| Some(step.node.parent()?.charges(step.child)));
        let carried = self.member(leaf).map_or(Climb::default(), |member| member.carried);
        Ok(owed.fold(carried, Climb::add))
    }

    /// The keys that the member at a leaf holds: its own, and those above it where the public
    /// tree does not list it as unmerged.
    pub(super) fn keys_of(
        &self,
        public: &RatchetTree,
        leaf: LeafIndex,
    ) -> Result<PrivateKeys, ProtocolError> {
        let own = self.member(leaf).ok_or_else(|| lost(leaf))?.key.clone();
        let mut keys = PrivateKeys::of_leaf(own);
        let private = self.tree.direct_path(leaf)?;
        for (public, private) in public.direct_path(leaf)?.iter().zip(&private) {
            let Some(parent) = public.node.parent() else { continue };
            if parent.unmerged_leaves.binary_search(&leaf).is_err() {
                let key = private.node.parent().and_then(|parent| parent.key.clone());
                keys.extend([key.ok_or_else(|| lost(leaf))?]);
            }
        }
        Ok(keys)
    }

    /// The key pairs that the path of a commit is encrypted to: for each node of the filtered direct
    /// path, those of its copath's resolutions in their order, without the new leaves. `public` and
    /// this tree are those before the path.
    pub(super) fn recipients(
        &self,
        public: &RatchetTree,
        committer: LeafIndex,
        added: &[LeafIndex],
    ) -> Result<Vec<Vec<&HpkeKeyPair>>, ProtocolError> {
        let private = self.tree.direct_path(committer)?;
        let path = public.direct_path(committer)?;
        let steps = path.iter().zip(&private).filter(|(step, _)| !step.is_filtered_out());
        let keys = steps.map(|(public, private)| {
            let mut keys = vec![];
            for (public, private) in public.copath.iter().zip(&private.copath) {
                self.collect(*public, *private, added, &mut keys)?;
            }
            Ok(keys)
        });
        keys.collect()
    }

    /// The key pairs of a resolution, without the new leaves, where the tree is not free.
    pub(super) fn resolution_without(
        &self,
        public: Subtree<'_, RatchetData>,
        added: &[LeafIndex],
    ) -> Result<Vec<&HpkeKeyPair>, ProtocolError> {
        let (first, width) = (public.first_leaf(), public.aggregates().width);
        let mut private = self.tree.root();
        while private.aggregates().width > width {
            let below = private.children().find(|child| child.contains(first));
            private = below.ok_or_else(|| lost(first))?;
        }
        let mut keys = Vec::with_capacity(public.aggregates().resolution as usize);
        self.collect(public, private, added, &mut keys)?;
        Ok(keys)
    }

    fn collect<'p>(
        &'p self,
        public: Subtree<'_, RatchetData>,
        private: Subtree<'p, PrivateData>,
        added: &[LeafIndex],
        keys: &mut Vec<&'p HpkeKeyPair>,
    ) -> Result<(), ProtocolError> {
        let leaf_key = |leaf| self.member(leaf).map(|m| &m.key).ok_or_else(|| lost(leaf));
        let is_new = |leaf| added.binary_search(leaf).is_ok();
        match public.place() {
            Place::Blank => {}
            Place::Leaf(_) => {
                let leaf = public.first_leaf();
                if !is_new(&leaf) {
                    keys.push(leaf_key(leaf)?);
                }
            }
            Place::Parent(Some(parent)) => {
                let key = private.parent().and_then(|parent| parent.key.as_ref());
                keys.push(key.ok_or_else(|| lost(public.first_leaf()))?);
                for leaf in parent.unmerged_leaves.iter().filter(|leaf| !is_new(leaf)) {
                    keys.push(leaf_key(*leaf)?);
                }
            }
            Place::Parent(None) => {
                for (public, private) in public.children().zip(private.children()) {
                    self.collect(public, private, added, keys)?;
                }
            }
        }
        Ok(())
    }

    /// Whether every keyed node of the public tree has the private half of its key here; O(n).
    pub(super) fn matches(&self, public: &RatchetTree) -> Result<(), ProtocolError> {
        matches_below(public.root(), self.tree.root())
    }
}

fn lost(leaf: LeafIndex) -> ProtocolError {
    ProtocolError::Check(format!("the private tree has lost a key near {leaf}"))
}

fn matches_below(
    public: Subtree<'_, RatchetData>,
    private: Subtree<'_, PrivateData>,
) -> Result<(), ProtocolError> {
    let announced: Option<&HpkePublicKey> = match public.place() {
        Place::Blank => return Ok(()),
        Place::Leaf(leaf) => Some(&leaf.encryption_key),
        Place::Parent(parent) => parent.map(|parent| &parent.encryption_key),
    };
    let held = match private.place() {
        Place::Leaf(leaf) => Some(&leaf.key.public),
        Place::Parent(Some(parent)) => parent.key.as_ref().map(|key| &key.public),
        _ => None,
    };
    if announced != held {
        return Err(lost(public.first_leaf()));
    }
    let mut pairs = public.children().zip(private.children());
    pairs.try_for_each(|(public, private)| matches_below(public, private))
}
