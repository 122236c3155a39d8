//! Both trees of a group, whole. The draft lets a new member go by the frontiers, which are enough
//! for its own path; but who is to delete somebody, or to follow it, needs the copath of the
//! deleted leaf in both trees, and no message brings it. So here everybody keeps the trees whole,
//! and who comes fetches them and holds them against the frontiers.

use std::sync::Arc;

use tls_codec::{TlsDeserializeBytes, TlsSerialize, TlsSize};

use super::init_keys::GroupInitKey;
use super::merkle::{self, IdentityTree};
use super::public_group::PublicGroup;
use super::ratchet::{self, RatchetNodes, RatchetTree};
use super::suite::DhPublicKey;
use super::wire::keys32;
use crate::codec::{CodecError, decode, encode};
use crate::crypto::{Crypto, CryptoError, SignaturePublicKey};
use crate::tree::{LeftBalanced, NodeValue, Place, Subtree};

/// The rule that fetched trees break.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreesError {
    /// The bytes are no trees.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// They have another size than the group.
    #[error("trees of {leaves} leaves and {nodes} nodes for a group of {group_size}")]
    WrongSize {
        /// Leaves of the identity tree.
        leaves: usize,
        /// Nodes of the ratchet tree.
        nodes: usize,
        /// Leaves of the group.
        group_size: u32,
    },
    /// A leaf has an identity and no key, or the other way round.
    #[error("leaf {0} has only one of identity and key")]
    HalfALeaf(usize),
    /// A parent has a key and nobody below, or the other way round.
    #[error("a parent has a key with nobody below, or has none with somebody there")]
    WrongBlank,
    /// A key is none.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// The identities are not those of the group.
    #[error("the identity tree does not fit its frontier (draft-00 §7.2)")]
    OtherIdentities,
    /// The keys are not those of the group.
    #[error("the ratchet tree does not fit its frontier (draft-00 §7.2)")]
    OtherKeys,
}

/// The trees as they are fetched.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct Trees {
    /// The identity of each leaf; nothing for a blank one.
    #[tls_codec(with = "keys32")]
    pub identities: Vec<Option<SignaturePublicKey>>,
    /// The key of each node, in order: a leaf between two parents.
    #[tls_codec(with = "keys32")]
    pub nodes: Vec<Option<DhPublicKey>>,
}

impl Trees {
    /// Those of a group.
    pub fn of(group: &PublicGroup) -> Self {
        let width = group.ratchet.width() as usize;
        let mut identities = vec![None; width];
        for (leaf, identity) in group.identities.root().leaves() {
            identities[leaf.0 as usize] = Some((**identity).clone());
        }
        let mut nodes = vec![None; 2 * width - 1];
        collect(group.ratchet.root(), 0, &mut nodes);
        Self { identities, nodes }
    }

    /// Their encoding.
    pub fn encode(&self) -> Result<Vec<u8>, CodecError> {
        encode(self)
    }

    /// Reads them.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        decode("the trees of a group", bytes)
    }

    /// The group that they are of, as `init_key` says it is.
    pub fn into_group(
        self,
        crypto: &Crypto<'_>,
        init_key: &GroupInitKey,
    ) -> Result<PublicGroup, TreesError> {
        let (leaves, nodes, group_size) =
            (self.identities.len(), self.nodes.len(), init_key.group_size);
        if leaves == 0 || leaves != group_size as usize || nodes != 2 * leaves - 1 {
            return Err(TreesError::WrongSize { leaves, nodes, group_size });
        }
        let identities = identity_tree(&self.identities);
        let ratchet = self.into_ratchet(crypto)?;
        let group = PublicGroup {
            group_id: Arc::from(&init_key.group_id[..]),
            epoch: init_key.epoch,
            ratchet,
            identities,
            add_key: init_key.add_key.clone(),
        };
        merkle::hash_of(crypto, group.identities.root());
        let own = group.init_key(crypto);
        if own.identity_frontier != init_key.identity_frontier {
            return Err(TreesError::OtherIdentities);
        }
        if own.ratchet_frontier != init_key.ratchet_frontier {
            return Err(TreesError::OtherKeys);
        }
        Ok(group)
    }

    /// The ratchet tree alone, of a size that fits the identities.
    pub(super) fn into_ratchet(self, crypto: &Crypto<'_>) -> Result<RatchetTree, TreesError> {
        let keys = self.nodes.iter().step_by(2);
        let mut pairs = self.identities.iter().zip(keys).enumerate();
        if let Some((leaf, _)) = pairs.find(|(_, (id, key))| id.is_some() != key.is_some()) {
            return Err(TreesError::HalfALeaf(leaf));
        }
        let mut keys = self.nodes.iter().flatten();
        keys.try_for_each(|key| crypto.provider().check_public_key(key))?;
        let value = |(at, key): (usize, Option<DhPublicKey>)| {
            let key = Arc::new(key?);
            Some(if at % 2 == 0 { NodeValue::Leaf(key) } else { NodeValue::Parent(key) })
        };
        let nodes: Vec<_> = self.nodes.into_iter().enumerate().map(value).collect();
        let ratchet = RatchetTree::from_nodes(LeftBalanced, &nodes).expect("there are leaves");
        if !is_blank_where_nobody_is(ratchet.root()) {
            return Err(TreesError::WrongBlank);
        }
        Ok(ratchet)
    }
}

/// The identity tree of these leaves, of which there are some.
fn identity_tree(leaves: &[Option<SignaturePublicKey>]) -> IdentityTree {
    let leaf = |identity: &SignaturePublicKey| NodeValue::Leaf(Arc::new(identity.clone()));
    let mut nodes: Vec<_> =
        leaves.iter().flat_map(|identity| [identity.as_ref().map(leaf), None]).collect();
    nodes.pop();
    IdentityTree::from_nodes(LeftBalanced, &nodes).expect("there are leaves")
}

/// The length of the encoded trees, without encoding them.
pub fn encoded_length(group: &PublicGroup) -> u64 {
    let tree = group.ratchet.aggregates();
    let first = group.identities.root().nth_member(0);
    let identity = first.and_then(|leaf| group.identities.leaf(leaf));
    let identity = identity.map_or(0, |identity| identity.as_slice().len() as u64);
    let key = group.add_key.as_slice().len() as u64;
    let (width, members) = (u64::from(tree.width), u64::from(tree.members));
    let keyed = members + u64::from(tree.keyed_parents);
    8 + 2 * width + identity * members + 2 * (2 * width - 1) + key * keyed
}

/// Puts the keys of a subtree into the list of all nodes, in which it begins at `at`.
fn collect(subtree: Subtree<'_, RatchetNodes>, at: usize, nodes: &mut [Option<DhPublicKey>]) {
    let mut children = subtree.children();
    match (children.next(), children.next()) {
        (Some(left), Some(right)) => {
            let middle = at + 2 * left.aggregates().width as usize - 1;
            collect(left, at, nodes);
            nodes[middle] = ratchet::key_of(subtree).cloned();
            collect(right, middle + 1, nodes);
        }
        _ => {
            if let Place::Leaf(key) = subtree.place() {
                nodes[at] = Some((**key).clone());
            }
        }
    }
}

fn is_blank_where_nobody_is(at: Subtree<'_, RatchetNodes>) -> bool {
    let peopled = at.aggregates().members > 0;
    peopled == ratchet::key_of(at).is_some() && at.children().all(is_blank_where_nobody_is)
}
