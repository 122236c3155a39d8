//! Copied states, a *passive compromise*: at one moment somebody takes a copy of everything that a client
//! holds, and from then on reads all that is sent and sends nothing. This is the book of what follows: of
//! which keys of the tree the private halves are known, and whether the secrets of the newest epoch are.
//!
//! A copy has the client's private keys of the tree, the secrets of the epochs that it keeps, its
//! proposals and commits that are on their way, and the private halves of its key packages that nobody has
//! used. A client that lags has what following leads to, since what it has not received has been sent. Of
//! each commit somebody with a copy learns (RFC 9420 §7.4, §7.5, §12.4.2)
//!
//! * of a path all keys from the lowest node up whose secret is encrypted to a key that he knows, and
//!   with the last the commit secret; under `removal=taint` each chain of the set by itself
//!   (`treekem/refresh`); proposed paths likewise, with keys of the tree they were proposed in;
//! * a ghost's new key, if he knows the leaf keys of a quorum of its holders (`group/quarantine`);
//! * by the Welcome for a package whose private half he has (§12.4.3.1) its leaf's key, those above both the
//!   committer and the new leaf, and the epoch; of a group that replaces another (§11.2) the epoch only with
//!   the resumption key of the old group's last one.
//!
//! The new epoch is known if the old one is and the commit secret: the init secret follows from the old
//! epoch, of an external commit by way of its external key (§8.3). What the client draws after the copy is
//! fresh, and is not known. Stolen signature keys are not used: nobody is impersonated.
//!
//! A key that goes from the tree is forgotten here, since nothing is encrypted to it any more. A copy from
//! which nothing can follow is dropped. All copies together cost a commit the search for each key that
//! it encrypts to; without a copy nothing is done.

use std::collections::{BTreeMap, BTreeSet};

use super::rebuild::Successor;
use super::{ClientId, ProtocolError};
use crate::crypto::HpkePublicKey;
use crate::group::{NewGhost, OwnUpdate, PendingCommit, Transition};
use crate::tree::{LeafIndex, OutsideTree};
use crate::treekem::{RefreshSet, key_of, recipients};
use crate::treesync::{RatchetTree, Roster, RosterChange, THRESHOLD, keys_held};

/// A copied state, by its number in the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CopyId(pub u32);

/// What a copied state leads to by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Whether it leads to the secrets of the newest epoch.
    pub knows_epoch: bool,
    /// How many private keys of the newest tree it leads to.
    pub keys_in_tree: u32,
    /// Key packages that it can open a Welcome with, and that nobody has taken.
    pub packages: u32,
    /// Whether nothing can follow from it any more.
    pub is_spent: bool,
}

impl Copied {
    /// What is left of a copy that nothing can follow from.
    pub const SPENT: Self =
        Self { knows_epoch: false, keys_in_tree: 0, packages: 0, is_spent: true };
}

/// A client that a commit adds, or a new group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entrant {
    pub(super) client: ClientId,
    /// The number of its package.
    pub(super) package: u32,
    /// Its leaf.
    pub(super) leaf: LeafIndex,
}

/// What is taken when a state is copied.
#[derive(Debug)]
pub(super) struct Stolen {
    pub(super) of: ClientId,
    /// The public halves of its keys of the newest tree.
    pub(super) keys: Vec<HpkePublicKey>,
    /// Those of keys that are on their way into the tree: what it has proposed or would commit.
    pub(super) waiting: Vec<HpkePublicKey>,
    /// It holds every key package with a number below this that has not been used.
    pub(super) packages: u32,
    /// Its open request for shares, as a ghost.
    pub(super) request: Option<u64>,
    /// The epoch that it had come to, and the first that it cannot come to.
    pub(super) epochs: (u64, Option<u64>),
}

/// What a commit on its way would bring into the tree: its path, the group that it founds, keys of ghosts.
pub(super) type OnTheWay<'d> = (&'d PendingCommit, Option<&'d Successor>, &'d [NewGhost]);

impl Stolen {
    /// What is taken of a client at a leaf of the newest tree, who has come to one epoch and cannot come to
    /// another, and whose proposals and commits are on their way; but for its packages and its request.
    pub(super) fn of<'d>(
        of: ClientId,
        (tree, leaf): (&RatchetTree, LeafIndex),
        epochs: (u64, Option<u64>),
        updates: impl Iterator<Item = &'d OwnUpdate>,
        drafts: impl Iterator<Item = OnTheWay<'d>>,
    ) -> Result<Self, OutsideTree> {
        let held = if epochs.1.is_none() { keys_held(tree, leaf)? } else { vec![] };
        let mut waiting: Vec<_> = updates.flat_map(keys_proposed).cloned().collect();
        for (pending, successor, ghosts) in drafts {
            waiting.extend(keys_drawn(pending, ghosts).cloned());
            let founded = successor.into_iter().flat_map(|it| keys_drawn(&it.founded, &[]));
            waiting.extend(founded.cloned());
        }
        let keys = held.into_iter().cloned().collect();
        Ok(Self { of, keys, waiting, packages: 0, request: None, epochs })
    }
}

/// A copy.
#[derive(Debug)]
struct Copy {
    of: ClientId,
    knows_epoch: bool,
    /// Keys of the newest tree.
    keys: BTreeSet<HpkePublicKey>,
    /// Keys that are not in the tree, or not yet looked for there.
    waiting: Vec<HpkePublicKey>,
    packages: u32,
    request: Option<u64>,
}

impl Copy {
    /// Whether nothing can follow from it; `taken` says how many packages of a client have been taken.
    fn is_spent(&self, taken: &impl Fn(ClientId) -> u32) -> bool {
        let has_package = self.packages > taken(self.of);
        !self.knows_epoch && self.keys.is_empty() && !has_package && self.request.is_none()
    }
}

/// All copies.
#[derive(Debug, Default)]
pub(super) struct Copies {
    live: BTreeMap<CopyId, Copy>,
    /// Those that the last commit has ended.
    dropped: Vec<(CopyId, ClientId)>,
    /// For each copy, dropped or not, the epochs whose secrets it leads to: from which, and before which.
    epochs: Vec<Vec<(u64, Option<u64>)>>,
    /// For each key that is known, or on its way, which copies lead to it.
    known: BTreeMap<HpkePublicKey, BTreeSet<CopyId>>,
}

/// The public halves of what a client's own proposal would bring into the tree.
fn keys_proposed(own: &OwnUpdate) -> impl Iterator<Item = &HpkePublicKey> {
    std::iter::once(&own.leaf).chain(&own.parents).map(|pair| &pair.public)
}

/// The public halves of what a commit of one's own would bring there: its path, and the keys that it
/// gives to ghosts.
fn keys_drawn<'k>(
    pending: &'k PendingCommit,
    ghosts: &'k [NewGhost],
) -> impl Iterator<Item = &'k HpkePublicKey> {
    let path = pending.path.iter();
    let pairs = path.flat_map(|path| std::iter::once(&path.leaf).chain(&path.key_pairs));
    pairs.chain(ghosts.iter().map(|made| &made.key)).map(|pair| &pair.public)
}

/// The keys of a tree that a Welcome leads to beside the leaf's own, whose commit had a path.
fn keys_told(
    tree: &RatchetTree,
    committer: LeafIndex,
    leaf: LeafIndex,
) -> Result<Vec<&HpkePublicKey>, OutsideTree> {
    let taints = tree.shape().taints();
    let told = if taints { tree.direct_path(leaf)? } else { tree.filtered_direct_path(committer)? };
    let above = told.into_iter().filter(|step| step.node.contains(leaf));
    Ok(above.filter_map(|step| Some(&step.node.parent()?.encryption_key)).collect())
}

impl Copies {
    /// Whether there is none that anything can follow from.
    pub(super) fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// Takes a copy.
    pub(super) fn copy(&mut self, stolen: Stolen) -> CopyId {
        let Stolen { of, keys, waiting, packages, request, epochs } = stolen;
        let knows_epoch = epochs.1.is_none();
        let id = CopyId(self.epochs.len() as u32);
        self.epochs.push(vec![epochs]);
        for key in keys.iter().chain(&waiting) {
            self.known.entry(key.clone()).or_default().insert(id);
        }
        let keys = keys.into_iter().collect();
        self.live.insert(id, Copy { of, knows_epoch, keys, waiting, packages, request });
        id
    }

    /// What a copy leads to; `taken` says how many packages of a client have been taken. None if there is
    /// no such copy.
    pub(super) fn copied(&self, id: CopyId, taken: impl Fn(ClientId) -> u32) -> Option<Copied> {
        if id.0 as usize >= self.epochs.len() {
            return None;
        }
        let copy = self.live.get(&id);
        Some(copy.map_or(Copied::SPENT, |copy| Copied {
            knows_epoch: copy.knows_epoch,
            keys_in_tree: copy.keys.len() as u32,
            packages: copy.packages.saturating_sub(taken(copy.of)),
            is_spent: copy.is_spent(&taken),
        }))
    }

    /// The copies that something can follow from, and whose they are.
    pub(super) fn live(&self) -> impl Iterator<Item = (CopyId, ClientId)> {
        self.live.iter().map(|(id, copy)| (*id, copy.of))
    }

    /// The same, and those of which that is not so any more since the last commit.
    pub(super) fn recent(&self) -> Vec<(CopyId, ClientId)> {
        self.live().chain(self.dropped.iter().copied()).collect()
    }

    /// Whether a copy leads to the secrets of an epoch.
    pub(super) fn knew(&self, id: CopyId, epoch: u64) -> bool {
        let epochs = self.epochs.get(id.0 as usize).map_or(&[][..], Vec::as_slice);
        epochs.iter().any(|(from, until)| *from <= epoch && until.is_none_or(|it| epoch < it))
    }

    /// The keys of the newest tree that a copy leads to.
    pub(super) fn keys(&self, id: CopyId) -> Option<&BTreeSet<HpkePublicKey>> {
        self.live.get(&id).map(|copy| &copy.keys)
    }

    /// What is learned from an accepted commit; `before` is the tree in which it was made.
    /// [`settle`](Self::settle) has to follow.
    pub(super) fn commit(
        &mut self,
        before: &RatchetTree,
        transition: &Transition,
        entrants: &[Entrant],
    ) -> Result<(), OutsideTree> {
        if self.live.is_empty() {
            return Ok(());
        }
        self.open_proposed(before, transition)?;
        self.gather_shares(before, transition);
        let opened = self.open_path(transition)?;
        let after = &transition.after.tree;
        // Nobody has the new leaf's key but who has drawn the whole commit.
        let leaf = after.leaf(transition.committer).filter(|_| transition.path.is_some());
        let own = leaf.map_or_else(BTreeSet::new, |leaf| self.who_knows(&leaf.encryption_key));
        for (id, copy) in &mut self.live {
            let follows = opened.as_ref().is_none_or(|opened| opened.contains(id));
            copy.knows_epoch = copy.knows_epoch && follows || own.contains(id);
        }
        for entrant in entrants {
            let told = transition.path.as_ref().map(|_| transition.committer);
            for id in self.welcomed(after, told, *entrant)? {
                if let Some(copy) = self.live.get_mut(&id) {
                    copy.knows_epoch = true;
                }
            }
        }
        Ok(())
    }

    /// What is learned when the group is replaced by the one that `founded` has begun, once the commit that
    /// ends the old one has been told. [`settle`](Self::settle) has to follow.
    pub(super) fn succeed(
        &mut self,
        founded: &PendingCommit,
        entrants: &[Entrant],
    ) -> Result<(), OutsideTree> {
        let own = self.who_knows(&founded.after.keys.leaf().public);
        let mut follow = BTreeSet::new();
        for (id, copy) in &mut self.live {
            let knew = std::mem::replace(&mut copy.knows_epoch, own.contains(id));
            follow.extend(knew.then_some(*id));
        }
        for entrant in entrants {
            let committer = Some(founded.after.leaf);
            for id in self.welcomed(&founded.after.public.tree, committer, *entrant)? {
                if let Some(copy) = self.live.get_mut(&id) {
                    copy.knows_epoch |= follow.contains(&id);
                }
            }
        }
        Ok(())
    }

    /// Looks which keys stand in the new tree, and forgets all others; `changes` led there, or another
    /// group altogether. Drops copies from which nothing can follow any more.
    pub(super) fn settle(
        &mut self,
        epoch: u64,
        roster: &Roster,
        changes: Option<&[RosterChange]>,
        taken: impl Fn(ClientId) -> u32,
    ) {
        if self.live.is_empty() {
            return;
        }
        let gone: Vec<HpkePublicKey> = match changes {
            Some(changes) => changes.iter().filter_map(RosterChange::leaving).cloned().collect(),
            None => self.known.keys().cloned().collect(),
        };
        for key in gone.iter().filter(|key| !roster.has_encryption_key(key)) {
            for id in self.known.remove(key).unwrap_or_default() {
                if let Some(copy) = self.live.get_mut(&id) {
                    copy.keys.remove(key);
                }
            }
        }
        for (id, copy) in &mut self.live {
            for key in std::mem::take(&mut copy.waiting) {
                if roster.has_encryption_key(&key) {
                    copy.keys.insert(key);
                } else if let Some(ids) = self.known.get_mut(&key) {
                    ids.remove(id);
                    if ids.is_empty() {
                        self.known.remove(&key);
                    }
                }
            }
        }
        for (id, copy) in &self.live {
            let epochs = &mut self.epochs[id.0 as usize];
            match epochs.last_mut().filter(|(_, until)| until.is_none()) {
                Some((_, until)) if !copy.knows_epoch => *until = Some(epoch),
                None if copy.knows_epoch => epochs.push((epoch, None)),
                _ => {}
            }
        }
        self.dropped.clear();
        self.live.retain(|id, copy| {
            let is_spent = copy.is_spent(&taken);
            self.dropped.extend(is_spent.then_some((*id, copy.of)));
            !is_spent
        });
    }

    /// A ghost has found its keys by the answers to a request, and holds these keys of the newest tree. So does
    /// who has the request's private half. Gives the copies that did.
    pub(super) fn recover(
        &mut self,
        ghost: ClientId,
        request: u64,
        epoch: u64,
        keys: &[&HpkePublicKey],
    ) -> Vec<CopyId> {
        let mut recovered = vec![];
        for (id, copy) in self.live.iter_mut().filter(|(_, copy)| copy.of == ghost) {
            if copy.request.take() == Some(request) {
                copy.knows_epoch = true;
                copy.keys.extend(keys.iter().copied().cloned());
                self.epochs[id.0 as usize].push((epoch, None));
                recovered.push(*id);
            }
        }
        for &key in keys {
            if !recovered.is_empty() {
                self.known.entry(key.clone()).or_default().extend(&recovered);
            }
        }
        recovered
    }

    /// Forgets requests that are not open any more; `open` gives a ghost's.
    pub(super) fn close_requests(&mut self, open: impl Fn(ClientId) -> Option<u64>) {
        for copy in self.live.values_mut().filter(|copy| copy.request.is_some()) {
            copy.request = copy.request.filter(|request| open(copy.of) == Some(*request));
        }
    }

    /// Forgets that a copy leads to the newest epoch, which is wrong.
    #[cfg(test)]
    pub(super) fn deny(&mut self, id: CopyId) {
        if let Some(copy) = self.live.get_mut(&id) {
            copy.knows_epoch = false;
        }
    }

    fn who_knows(&self, key: &HpkePublicKey) -> BTreeSet<CopyId> {
        self.known.get(key).cloned().unwrap_or_default()
    }

    fn learn(&mut self, id: CopyId, key: &HpkePublicKey) {
        if self.known.entry(key.clone()).or_default().insert(id)
            && let Some(copy) = self.live.get_mut(&id)
        {
            copy.waiting.push(key.clone());
        }
    }

    /// For each copy the lowest node of a path with a ciphertext that it opens.
    fn lowest<'k>(
        &self,
        nodes: impl Iterator<Item = Vec<&'k HpkePublicKey>>,
    ) -> BTreeMap<CopyId, usize> {
        let mut lowest = BTreeMap::new();
        for (node, keys) in nodes.enumerate() {
            for id in keys.into_iter().filter_map(|key| self.known.get(key)).flatten() {
                lowest.entry(*id).or_insert(node);
            }
        }
        lowest
    }

    /// Opens covered paths of proposals, with keys of the tree that they were proposed in.
    fn open_proposed(
        &mut self,
        before: &RatchetTree,
        transition: &Transition,
    ) -> Result<(), OutsideTree> {
        for applied in &transition.applied.paths {
            let steps = before.filtered_direct_path(applied.sender)?;
            let to = steps.iter().map(|step| recipients(step, &[]).iter().map(key_of).collect());
            for (id, lowest) in self.lowest(to) {
                let nodes = applied.path.nodes.iter().skip(lowest);
                nodes.for_each(|sent| self.learn(id, &sent.encryption_key));
            }
        }
        Ok(())
    }

    /// Puts shares of ghosts' keys together.
    fn gather_shares(&mut self, before: &RatchetTree, transition: &Transition) {
        for given in &transition.applied.quarantined {
            let holders = given.leaf_node.ghost().map_or(&[][..], |source| &source.holders);
            let mut shares: BTreeMap<CopyId, usize> = BTreeMap::new();
            for leaf in holders.iter().filter_map(|holder| before.leaf(*holder)) {
                for id in self.who_knows(&leaf.encryption_key) {
                    *shares.entry(id).or_default() += 1;
                }
            }
            for (id, _) in shares.into_iter().filter(|(_, found)| *found >= usize::from(THRESHOLD))
            {
                self.learn(id, &given.leaf_node.encryption_key);
            }
        }
    }

    /// Opens a commit's path. Gives who comes by its commit secret; none if it has no path.
    fn open_path(
        &mut self,
        transition: &Transition,
    ) -> Result<Option<BTreeSet<CopyId>>, OutsideTree> {
        let Some(path) = &transition.path else { return Ok(None) };
        if let Some(set) = transition.refresh_set() {
            return self.open_set(transition, &set).map(Some);
        }
        let steps = path.tree_before.filtered_direct_path(transition.committer)?;
        let added = &transition.added;
        let to = steps.iter().map(|step| recipients(step, added).iter().map(key_of).collect());
        let lowest = self.lowest(to);
        for (id, lowest) in &lowest {
            let nodes = path.update_path.nodes.iter().skip(*lowest);
            nodes.for_each(|sent| self.learn(*id, &sent.encryption_key));
        }
        Ok(Some(lowest.into_keys().collect()))
    }

    /// The same where the strategy taints: a parent is known with its source, or by one of its ciphertexts.
    fn open_set(
        &mut self,
        transition: &Transition,
        set: &RefreshSet<'_>,
    ) -> Result<BTreeSet<CopyId>, OutsideTree> {
        let Some(path) = &transition.path else { return Ok(BTreeSet::new()) };
        let new = |at: usize| &path.update_path.nodes[at].encryption_key;
        let to = set.recipients(new, |child| {
            Ok::<_, OutsideTree>(child.resolution().iter().map(key_of).collect())
        })?;
        let mut who: Vec<BTreeSet<CopyId>> = Vec::with_capacity(to.len());
        for (at, keys) in to.into_iter().enumerate() {
            let mut opens = set.source(at).and_then(|below| who.get(below)).cloned();
            let found = keys.into_iter().filter_map(|key| self.known.get(key)).flatten();
            opens.get_or_insert_default().extend(found);
            let opens = opens.unwrap_or_default();
            opens.iter().for_each(|id| self.learn(*id, new(at)));
            who.push(opens);
        }
        Ok(who.pop().unwrap_or_default())
    }

    /// Opens the Welcome of somebody who enters a tree, by a commit with a path if there is a
    /// `committer`. Gives who can.
    fn welcomed(
        &mut self,
        tree: &RatchetTree,
        committer: Option<LeafIndex>,
        entrant: Entrant,
    ) -> Result<Vec<CopyId>, OutsideTree> {
        let Entrant { client, package, leaf } = entrant;
        let has = |copy: &Copy| copy.of == client && package < copy.packages;
        let able: Vec<CopyId> =
            self.live.iter().filter(|(_, copy)| has(copy)).map(|(id, _)| *id).collect();
        if able.is_empty() {
            return Ok(able);
        }
        let own = tree.leaf(leaf).map(|leaf| &leaf.encryption_key);
        let mut keys: Vec<&HpkePublicKey> = own.into_iter().collect();
        if let Some(committer) = committer {
            keys.extend(keys_told(tree, committer, leaf)?);
        }
        for id in &able {
            keys.iter().for_each(|key| self.learn(*id, key));
        }
        Ok(able)
    }
}

/// What does not agree with the bytes.
pub(super) fn broken(id: CopyId, of: ClientId, what: &str) -> ProtocolError {
    ProtocolError::Check(format!("copy {} of the state of {of}: {what}", id.0))
}
