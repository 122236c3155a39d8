//! The key server's tree of symmetric keys, and what a change of it must tell whom.
//!
//! A member holds the keys from its leaf, which it shares with the server alone, to the root, which
//! is the group's. Every change renews the keys above the leaves it touches, and the root's at any
//! rate, and encrypts each new key
//! * where only members have come: under the key that it replaces, for those who were there, and
//!   under the keys below that are new themselves, for those who have come (Wong, Gouda, Lam §3.3);
//! * where somebody has gone, or has a new leaf key: under the key of each child with members
//!   (§3.4, group-oriented; Wallner, Harder, Agee §5).
//!
//! So a leave from a full tree of degree k and n members is k·log_k n − 1 encryptions.

use std::collections::{BTreeMap, BTreeSet};

use tls_codec::{TlsDeserializeBytes, TlsSerialize, TlsSize, VLBytes};

use crate::baseline::BaselineError;
use crate::crypto::{Crypto, Secret, Seed};
use crate::protocol::ClientId;
use crate::tree::{Ary, LeafIndex, OutsideTree, Place, Subtree, Tree, TreeData};

/// The length of the keys, in bytes.
pub(super) const KEY: usize = 32;

/// A member's leaf: its individual key.
pub(super) struct Seat {
    pub(super) key: Secret,
}

/// What stands in the tree.
pub(super) struct Keys;

impl TreeData for Keys {
    type Leaf = Seat;
    type Parent = Secret;
    type Cache = ();

    fn unmerged(_: &Secret) -> &[LeafIndex] {
        &[]
    }
}

pub(super) type KeyTree = Tree<Keys, Ary>;

/// A node, by its first leaf and how many leaves there are below it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, TlsSize, TlsSerialize, TlsDeserializeBytes,
)]
pub(super) struct NodeAt {
    pub(super) width: u32,
    pub(super) first: u32,
}

impl NodeAt {
    pub(super) fn leaf(leaf: LeafIndex) -> Self {
        Self { width: 1, first: leaf.0 }
    }

    /// The node of this width above or at a leaf.
    fn above(leaf: u32, width: u32) -> Self {
        Self { width, first: leaf - leaf % width }
    }

    fn encoded(self) -> [u8; 8] {
        (u64::from(self.width) << 32 | u64::from(self.first)).to_be_bytes()
    }
}

/// The parents above a leaf, from the lowest to the root.
pub(super) fn ancestors(leaf: LeafIndex, degree: u8, width: u32) -> impl Iterator<Item = NodeAt> {
    let degree = u32::from(degree);
    std::iter::successors(Some(degree), move |width| width.checked_mul(degree))
        .take_while(move |at| *at <= width)
        .map(move |width| NodeAt::above(leaf.0, width))
}

/// A new key of a node, encrypted.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub(super) struct Wrapped {
    pub(super) node: NodeAt,
    /// The node whose key opens it: itself, with the key it had, or a child.
    pub(super) under: NodeAt,
    ciphertext: VLBytes,
}

fn wrapping(
    crypto: &Crypto<'_>,
    key: &Secret,
    epoch: u64,
    node: NodeAt,
) -> Result<(Secret, Secret), BaselineError> {
    let (k, n) = (crypto.provider().aead_key_length(), crypto.provider().aead_nonce_length());
    let info = [&b"wrap"[..], &epoch.to_be_bytes(), &node.encoded()].concat();
    let both = crypto.expand(key, &info, k + n)?;
    let (key, nonce) = both.as_slice().split_at(k);
    Ok((key.into(), nonce.into()))
}

impl Wrapped {
    fn new(
        crypto: &Crypto<'_>,
        epoch: u64,
        (node, key): (NodeAt, &Secret),
        (under, with): (NodeAt, &Secret),
    ) -> Result<Self, BaselineError> {
        let (aead, nonce) = wrapping(crypto, with, epoch, node)?;
        let ciphertext = crypto.aead_seal(&aead, &nonce, &[], key.as_slice())?.into();
        Ok(Self { node, under, ciphertext })
    }

    /// The node's new key, for who holds the key that it is encrypted under.
    pub(super) fn open(
        &self,
        crypto: &Crypto<'_>,
        epoch: u64,
        with: &Secret,
    ) -> Result<Secret, BaselineError> {
        let (aead, nonce) = wrapping(crypto, with, epoch, self.node)?;
        Ok(crypto.aead_open(&aead, &nonce, &[], self.ciphertext.as_slice())?.into())
    }
}

/// What is to change.
#[derive(Clone, Debug, Default)]
pub(super) struct Change {
    pub(super) removes: Vec<LeafIndex>,
    /// The newcomers, with the individual key of each.
    pub(super) adds: Vec<(ClientId, Secret)>,
    /// A member whose individual key is another.
    pub(super) renews: Option<(LeafIndex, Secret)>,
}

/// A change as the server has worked it out.
pub(super) struct Plan {
    pub(super) after: KeyTree,
    pub(super) seats: Vec<(ClientId, LeafIndex)>,
    /// The nodes with new keys.
    pub(super) marked: BTreeSet<NodeAt>,
    pub(super) wrapped: Vec<Wrapped>,
    /// How many of those the tree's members before and after demand, counted without it.
    pub(super) predicted: u64,
}

/// Which leaves a change touches, in the tree after it.
#[derive(Default)]
struct Touched {
    come: BTreeSet<u32>,
    /// Removed, or with another key.
    gone: BTreeSet<u32>,
}

impl Touched {
    fn all(&self) -> BTreeSet<u32> {
        &self.come | &self.gone
    }

    fn has_gone(&self, node: NodeAt) -> bool {
        self.gone.range(node.first..node.first + node.width).next().is_some()
    }
}

/// The node at a place, if the tree has it.
fn node(tree: &KeyTree, at: NodeAt) -> Option<Subtree<'_, Keys>> {
    let mut here = tree.root();
    while here.aggregates().width > at.width {
        let within = |child: &Subtree<'_, Keys>| {
            let first = child.position();
            (first..first + child.aggregates().width).contains(&at.first)
        };
        here = here.children().find(within)?;
    }
    (here.aggregates().width == at.width && here.position() == at.first).then_some(here)
}

/// The key at a place.
pub(super) fn key(tree: &KeyTree, at: NodeAt) -> Option<Secret> {
    match node(tree, at)?.place() {
        Place::Leaf(seat) => Some(seat.key.clone()),
        Place::Parent(key) => key.map(|key| Secret::clone(key)),
        Place::Blank => None,
    }
}

/// All keys that the member at a leaf holds.
pub(super) fn keys_of(tree: &KeyTree, leaf: LeafIndex) -> BTreeMap<NodeAt, Secret> {
    let above = ancestors(leaf, tree.shape().0, tree.width());
    let places = std::iter::once(NodeAt::leaf(leaf)).chain(above);
    places.filter_map(|at| Some((at, key(tree, at)?))).collect()
}

/// The leaves that have members.
fn members(tree: &KeyTree) -> BTreeSet<u32> {
    (0..tree.width()).filter(|leaf| tree.leaf(LeafIndex(*leaf)).is_some()).collect()
}

impl Plan {
    /// Works out a change; new keys are expanded from `seed`.
    pub(super) fn new(
        crypto: &Crypto<'_>,
        before: &KeyTree,
        change: Change,
        epoch: u64,
        seed: &Seed,
    ) -> Result<Self, BaselineError> {
        let mut after = before.clone();
        let (mut touched, mut seats) = (Touched::default(), vec![]);
        for leaf in change.removes {
            set_leaf(&mut after, leaf, None)?;
            touched.gone.insert(leaf.0);
        }
        for (client, key) in change.adds {
            let leaf = loop {
                match after.leftmost_blank() {
                    Some(leaf) => break leaf,
                    None => after.extend(),
                }
            };
            set_leaf(&mut after, leaf, Some(Seat { key }))?;
            touched.come.insert(leaf.0);
            seats.push((client, leaf));
        }
        if let Some((leaf, key)) = change.renews {
            set_leaf(&mut after, leaf, Some(Seat { key }))?;
            touched.gone.insert(leaf.0);
        }
        after.truncate();
        touched.gone.retain(|leaf| *leaf < after.width());
        let marked = mark(&mut after, &touched, crypto, seed)?;
        let wrapped = wrap_all(crypto, epoch, before, &after, &touched, &marked)?;
        let (was, is) = (members(before), members(&after));
        let predicted =
            predict(after.shape().0.into(), (&was, before.width()), (&is, after.width()), &touched);
        Ok(Self { after, seats, marked, wrapped, predicted })
    }
}

fn set_leaf(tree: &mut KeyTree, leaf: LeafIndex, seat: Option<Seat>) -> Result<(), BaselineError> {
    let mut seat = seat.map(std::sync::Arc::new);
    Ok(tree.edit(leaf, &mut |_| seat.take(), &mut |_, _| {})?)
}

/// Gives every parent above a touched leaf, and the root, a new key, or none if nobody is below it
/// any more. Gives those that have one.
fn mark(
    tree: &mut KeyTree,
    touched: &Touched,
    crypto: &Crypto<'_>,
    seed: &Seed,
) -> Result<BTreeSet<NodeAt>, BaselineError> {
    let (degree, width) = (tree.shape().0, tree.width());
    let root = NodeAt { width, first: 0 };
    let mut above: BTreeSet<NodeAt> =
        touched.all().iter().flat_map(|leaf| ancestors(LeafIndex(*leaf), degree, width)).collect();
    if width > 1 {
        above.insert(root);
    }
    let seed: Secret = seed.as_slice().into();
    let mut keys = BTreeMap::new();
    for at in &above {
        if node(tree, *at).is_some_and(|node| node.aggregates().members > 0) {
            // The server draws its keys; that is no work of the protocol.
            let key = crypto.provider().expand(seed.as_slice(), &at.encoded(), KEY)?;
            keys.insert(*at, std::sync::Arc::new(key));
        }
    }
    let mut leaves = touched.all();
    leaves.insert(0);
    for leaf in leaves {
        let mut places = ancestors(LeafIndex(leaf), degree, width);
        tree.edit(LeafIndex(leaf), &mut |seat| seat, &mut |_, value| {
            if let Some(at) = places.next().filter(|at| above.contains(at)) {
                *value = keys.get(&at).cloned();
            }
        })?;
    }
    Ok(keys.into_keys().collect())
}

fn wrap_all(
    crypto: &Crypto<'_>,
    epoch: u64,
    before: &KeyTree,
    after: &KeyTree,
    touched: &Touched,
    marked: &BTreeSet<NodeAt>,
) -> Result<Vec<Wrapped>, BaselineError> {
    let mut wrapped = vec![];
    // Ascending by width: who comes to a node from below has the key there already.
    for at in marked {
        let (Some(here), Some(new)) = (node(after, *at), key(after, *at)) else { continue };
        let children = here.children().filter(|child| child.aggregates().members > 0);
        let children = children
            .map(|child| NodeAt { width: child.aggregates().width, first: child.position() });
        let old = key(before, *at).filter(|_| !touched.has_gone(*at));
        let is_new = |child: &NodeAt| match child.width {
            1 => touched.come.contains(&child.first),
            _ => marked.contains(child),
        };
        if let Some(old) = &old {
            wrapped.push(Wrapped::new(crypto, epoch, (*at, &new), (*at, old))?);
        }
        for child in children.filter(|child| old.is_none() || is_new(child)) {
            if let Some(with) = key(after, child) {
                wrapped.push(Wrapped::new(crypto, epoch, (*at, &new), (child, &with))?);
            }
        }
    }
    Ok(wrapped)
}

/// How many ciphertexts a change takes, from who is where before and after it alone.
fn predict(
    degree: u32,
    (was, width_before): (&BTreeSet<u32>, u32),
    (is, width): (&BTreeSet<u32>, u32),
    touched: &Touched,
) -> u64 {
    let any = |set: &BTreeSet<u32>, first: u32, width: u32| {
        set.range(first..first + width).next().is_some()
    };
    let mut count = 0;
    let mut below = 1_u32;
    while let Some(block) = below.checked_mul(degree).filter(|block| *block <= width) {
        for first in (0..width).step_by(block as usize) {
            let (come, gone) = (any(&touched.come, first, block), any(&touched.gone, first, block));
            if !(come || gone || block == width) || !any(is, first, block) {
                continue;
            }
            let children = (first..first + block).step_by(below as usize);
            let had_key = block <= width_before && any(was, first, block);
            count += if had_key && !gone {
                1 + children.filter(|child| any(&touched.come, *child, below)).count() as u64
            } else {
                children.filter(|child| any(is, *child, below)).count() as u64
            };
        }
        below = block;
    }
    count
}

impl From<OutsideTree> for BaselineError {
    fn from(outside: OutsideTree) -> Self {
        Self::NoSuchSeat(outside.leaf)
    }
}

#[cfg(test)]
mod tests;
