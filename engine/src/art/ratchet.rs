//! The ratchet tree (draft-barnes-mls-protocol-00 §5.3): every parent's key pair comes of the
//! Diffie-Hellman secret of its children, and a blank child is ignored: its sibling's key is the
//! parent's.

use std::sync::{Arc, OnceLock};

use super::suite::{DhKeyPair, DhPublicKey, derive_key_pair};
use crate::crypto::{Crypto, CryptoError, Digest, Secret};
use crate::tree::{LeafIndex, LeftBalanced, OutsideTree, PathStep, Place, Subtree, Tree, TreeData};

/// What the ratchet tree holds: public keys.
pub enum RatchetNodes {}

impl TreeData for RatchetNodes {
    type Leaf = DhPublicKey;
    type Parent = DhPublicKey;
    /// A hash over the subtree's keys. The draft has none; the laboratory compares trees by it.
    type Cache = OnceLock<Digest>;

    fn unmerged(_: &DhPublicKey) -> &[LeafIndex] {
        &[]
    }
}

/// The tree of public keys.
pub type RatchetTree = Tree<RatchetNodes, LeftBalanced>;

/// The key of a node; none for one that is blank, with nobody below.
pub fn key_of<'t>(at: Subtree<'t, RatchetNodes>) -> Option<&'t DhPublicKey> {
    match at.place() {
        Place::Leaf(key) => Some(key),
        Place::Parent(key) => key.map(AsRef::as_ref),
        Place::Blank => None,
    }
}

/// The key of a step's copath child.
pub(crate) fn beside<'t>(step: &PathStep<'t, RatchetNodes>) -> Option<&'t DhPublicKey> {
    step.copath.first().and_then(|child| key_of(*child))
}

/// The keys of the frontier, from the left.
pub(super) fn frontier(tree: &RatchetTree) -> Vec<Option<DhPublicKey>> {
    super::merkle::frontier(tree).into_iter().map(|head| key_of(head).cloned()).collect()
}

/// The secret of a node and the key pair that comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSecret {
    /// What two keys have agreed on; for a leaf, what its owner has drawn.
    pub secret: Secret,
    /// `Derive-Key-Pair(secret)`.
    pub pair: DhKeyPair,
}

impl NodeSecret {
    /// A node with this secret.
    pub fn new(crypto: &Crypto<'_>, secret: Secret) -> Result<Self, CryptoError> {
        let pair = derive_key_pair(crypto, &secret)?;
        Ok(Self { secret, pair })
    }

    /// The parent of a node whose key pair one has and of its sibling.
    pub fn agreed(
        crypto: &Crypto<'_>,
        own: &DhKeyPair,
        sibling: &DhPublicKey,
    ) -> Result<Self, CryptoError> {
        Self::new(crypto, crypto.dh(own, sibling)?)
    }

    /// The parent of this node and of a sibling that may be blank.
    pub fn above(
        &self,
        crypto: &Crypto<'_>,
        sibling: Option<&DhPublicKey>,
    ) -> Result<Self, CryptoError> {
        sibling.map_or_else(|| Ok(self.clone()), |key| Self::agreed(crypto, &self.pair, key))
    }
}

/// A node and all above it: `copath` has the siblings, upwards.
pub(super) fn climb<'k>(
    crypto: &Crypto<'_>,
    from: NodeSecret,
    copath: impl Iterator<Item = Option<&'k DhPublicKey>>,
) -> Result<Vec<NodeSecret>, CryptoError> {
    let mut nodes = vec![from];
    for sibling in copath {
        let above = nodes[nodes.len() - 1].above(crypto, sibling)?;
        nodes.push(above);
    }
    Ok(nodes)
}

/// A leaf with a new secret and all nodes above it.
pub(crate) fn climb_from_leaf(
    crypto: &Crypto<'_>,
    tree: &RatchetTree,
    leaf: LeafIndex,
    secret: NodeSecret,
) -> Result<Vec<NodeSecret>, ClimbError> {
    let path = tree.direct_path(leaf)?;
    Ok(climb(crypto, secret, path.iter().map(beside))?)
}

/// Why nodes could not be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClimbError {
    /// A leaf is outside the tree.
    #[error(transparent)]
    Outside(#[from] OutsideTree),
    /// A key is none, or agrees on nothing.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// The member has not the key of the node at which a path meets its own.
    #[error("a member has not the key of the node where a path meets its own")]
    NotBelow,
    /// A node that one can compute has another key than the path says.
    #[error("the path says another key for a node than comes of its children (draft-00 §8)")]
    OtherKey,
}

/// Where a member stands to a path: at which step the path meets its own, and which of its own keys
/// is the child's there.
fn meeting(
    tree: &RatchetTree,
    path: &[PathStep<'_, RatchetNodes>],
    member: LeafIndex,
) -> Result<(usize, usize), ClimbError> {
    let at = path.iter().position(|step| step.copath.iter().any(|child| child.contains(member)));
    let at = at.ok_or(ClimbError::NotBelow)?;
    let own = tree.direct_path(member)?.len();
    Ok((at, own - (path.len() - at)))
}

/// What a member makes of a path that somebody else sends: its own keys, from its leaf to the root,
/// and the root. `tree` has the form that it has with the path, and the keys from before; `keys` are
/// the member's from before.
pub(super) fn follow(
    crypto: &Crypto<'_>,
    tree: &RatchetTree,
    (member, keys): (LeafIndex, &[DhKeyPair]),
    changed: LeafIndex,
    sent: &[DhPublicKey],
) -> Result<(Vec<DhKeyPair>, NodeSecret), ClimbError> {
    let path = tree.direct_path(changed)?;
    let (at, own) = meeting(tree, &path, member)?;
    let theirs = sent.get(at).ok_or(ClimbError::NotBelow)?;
    let child = keys.get(own).ok_or(ClimbError::NotBelow)?;
    let met = NodeSecret::agreed(crypto, child, theirs)?;
    let nodes = climb(crypto, met, path[at + 1..].iter().map(beside))?;
    // Node i of these is the parent of the path's node at + i; the path leaves out the root.
    let mut announced = nodes.iter().zip(&sent[at + 1..]);
    if announced.any(|(node, key)| node.pair.public != *key) {
        return Err(ClimbError::OtherKey);
    }
    let root = nodes[nodes.len() - 1].clone();
    Ok((own_keys(&keys[..=own], nodes), root))
}

/// What a member makes of nodes that it has computed itself, from a leaf that is not its own.
pub(super) fn adopt(
    tree: &RatchetTree,
    (member, keys): (LeafIndex, &[DhKeyPair]),
    changed: LeafIndex,
    nodes: &[NodeSecret],
) -> Result<Vec<DhKeyPair>, ClimbError> {
    let path = tree.direct_path(changed)?;
    let (at, own) = meeting(tree, &path, member)?;
    let kept = keys.get(..=own).ok_or(ClimbError::NotBelow)?;
    Ok(own_keys(kept, nodes[at + 1..].to_vec()))
}

fn own_keys(kept: &[DhKeyPair], above: Vec<NodeSecret>) -> Vec<DhKeyPair> {
    kept.iter().cloned().chain(above.into_iter().map(|node| node.pair)).collect()
}

/// Puts the keys of a path into the tree, from the leaf to the root.
pub(super) fn set_path(
    tree: &mut RatchetTree,
    leaf: LeafIndex,
    keys: &[DhPublicKey],
) -> Result<(), OutsideTree> {
    let mut keys = keys.iter().map(|key| Arc::new(key.clone()));
    let own = keys.next();
    tree.edit(leaf, &mut |_| own.clone(), &mut |_, value| *value = keys.next())
}

/// Blanks a leaf; parents with nobody below any more are blank with it, the others keep their keys
/// (§8.5).
pub(super) fn blank(tree: &mut RatchetTree, leaf: LeafIndex) -> Result<(), OutsideTree> {
    let mut peopled = peopled_above(tree, leaf)?.into_iter();
    tree.edit(leaf, &mut |_| None, &mut |_, value| {
        if !peopled.next().unwrap_or(false) {
            *value = None;
        }
    })
}

/// For each parent above a leaf, from the lowest: whether it has a member below beside that leaf.
pub fn peopled_above<D: TreeData>(
    tree: &Tree<D, LeftBalanced>,
    leaf: LeafIndex,
) -> Result<Vec<bool>, OutsideTree> {
    let path = tree.direct_path(leaf)?;
    let beside = path.iter().map(|step| step.copath.iter().any(|c| c.aggregates().members > 0));
    Ok(beside
        .scan(false, |peopled, here| {
            *peopled |= here;
            Some(*peopled)
        })
        .collect())
}

/// The hash over all keys of a subtree, as far as it is not known.
pub(super) fn tree_hash(crypto: &Crypto<'_>, at: Subtree<'_, RatchetNodes>) -> Digest {
    if let Some(known) = at.cache().get() {
        return *known;
    }
    let below: Vec<Digest> = at.children().map(|child| tree_hash(crypto, child)).collect();
    let width = at.aggregates().width.to_be_bytes();
    let key = key_of(at).map_or(&[][..], DhPublicKey::as_slice);
    let mut parts = vec![&width[..], key];
    parts.extend(below.iter().map(Digest::as_slice));
    let hash = crypto.hash_parts(&parts);
    *at.cache().get_or_init(|| hash)
}
