//! The setup phase: a group of many made by one message, from the init keys of its members. The draft
//! leaves direct initialization open (draft-barnes-mls-protocol-00 §8.1); this is that of the paper
//! (eprint 2017/666, the group creation): the creator draws a setup key pair, each member's leaf
//! comes of that and of the member's init key, and the public keys of all nodes are sent.

use std::sync::Arc;

use rayon::prelude::*;

use super::handshake::{Body, Handshake, Init};
use super::init_keys::UserInitKey;
use super::key_schedule::{Context, EpochSecrets};
use super::making::Signed;
use super::member::{Joining, Member, MemberError};
use super::merkle::{self, IdentityTree};
use super::public_group::{HandshakeError, PublicGroup};
use super::ratchet::{ClimbError, NodeSecret, climb_from_leaf};
use super::suite::{DhPublicKey, SignatureScheme, derive_key_pair, verify};
use super::trees::{Trees, TreesError};
use crate::crypto::{Crypto, CryptoError, Ledger, Secret, Seed, SignaturePublicKey};
use crate::group::CommitCost;
use crate::tree::{LeafIndex, LeftBalanced, NodeValue};

/// From how many leaves on the halves of a tree are computed side by side.
const PARALLEL_FROM: usize = 64;

/// The members of the largest group that one message can set up, where keys have so many bytes: the
/// body of a handshake has a length of three bytes (§8).
pub const fn largest_setup(key: u64) -> u64 {
    let (most, headers) = ((1 << 24) - 1, 3 * 4);
    // The setup key, n identities, n - 1 init keys and 2n - 1 nodes.
    ((most - headers) / (2 + key) + 1) / 4
}

/// A group made by one message, before the message takes effect.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The message.
    pub message: Vec<u8>,
    /// What it costs.
    pub cost: CommitCost,
    /// The nodes of the whole tree, in order: a leaf between two parents.
    pub nodes: Vec<NodeSecret>,
    /// The creator in the new group.
    pub after: Member,
}

/// Nodes of a subtree over these leaves, in order, and what computing them took.
fn grow(
    provider: &dyn crate::crypto::Provider,
    leaves: &[NodeSecret],
) -> Result<(Vec<NodeSecret>, Ledger), CryptoError> {
    if let [leaf] = leaves {
        return Ok((vec![leaf.clone()], Ledger::default()));
    }
    let middle = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(middle);
    let halves = if leaves.len() < PARALLEL_FROM || !provider.is_real() {
        (grow(provider, left), grow(provider, right))
    } else {
        rayon::join(|| grow(provider, left), || grow(provider, right))
    };
    let ((mut nodes, ledger), (right, other)) = (halves.0?, halves.1?);
    let crypto = Crypto::new(provider);
    let (own, sibling) = (&nodes[root_at(middle)], &right[root_at(leaves.len() - middle)]);
    let parent = NodeSecret::agreed(&crypto, &own.pair, &sibling.pair.public)?;
    nodes.push(parent);
    nodes.extend(right);
    Ok((nodes, ledger + other + crypto.ledger()))
}

/// Where the root of a tree of so many leaves stands among its nodes.
pub(crate) fn root_at(leaves: usize) -> usize {
    leaves.next_power_of_two().max(1) - 1
}

/// The leaf of each member but the creator.
fn leaves(
    crypto: &Crypto<'_>,
    setup: &super::DhKeyPair,
    keys: &[DhPublicKey],
) -> Result<Vec<NodeSecret>, CryptoError> {
    let provider = crypto.provider();
    let agree = |key: &DhPublicKey| {
        let crypto = Crypto::new(provider);
        let leaf = NodeSecret::agreed(&crypto, setup, key)?;
        Ok((leaf, crypto.ledger()))
    };
    let agreed: Vec<Result<_, CryptoError>> = if provider.is_real() {
        keys.par_iter().map(agree).collect()
    } else {
        keys.iter().map(agree).collect()
    };
    agreed
        .into_iter()
        .map(|leaf| {
            let (leaf, ledger) = leaf?;
            crypto.charge(ledger);
            Ok(leaf)
        })
        .collect()
}

/// Checks the init keys of all, and gives their keys.
fn check_all(
    crypto: &Crypto<'_>,
    others: &[UserInitKey],
) -> Result<Vec<DhPublicKey>, HandshakeError> {
    let provider = crypto.provider();
    let check = |key: &UserInitKey| {
        let crypto = Crypto::new(provider);
        let key = key.check(&crypto)?.clone();
        Ok((key, crypto.ledger()))
    };
    let checked: Vec<Result<_, HandshakeError>> = if provider.is_real() {
        others.par_iter().map(check).collect()
    } else {
        others.iter().map(check).collect()
    };
    checked
        .into_iter()
        .map(|key| {
            let (key, ledger) = key?;
            crypto.charge(ledger);
            Ok(key)
        })
        .collect()
}

/// The tree of these identities, hashed.
fn identity_tree(
    crypto: &Crypto<'_>,
    identities: &[SignaturePublicKey],
) -> Result<IdentityTree, TreesError> {
    let leaf = |identity: &SignaturePublicKey| Some(NodeValue::Leaf(Arc::new(identity.clone())));
    let mut nodes: Vec<_> = identities.iter().flat_map(|id| [leaf(id), None]).collect();
    nodes.pop();
    let tree = IdentityTree::from_nodes(LeftBalanced, &nodes);
    let wrong = TreesError::WrongSize { leaves: identities.len(), nodes: 0, group_size: 0 };
    let tree = tree.map_err(|_| wrong)?;
    merkle::hash_of(crypto, tree.root());
    Ok(tree)
}

/// The group that a setup makes, without its add key.
fn group_of(
    crypto: &Crypto<'_>,
    before: (&[u8], u32),
    init: &Init,
    identities: IdentityTree,
) -> Result<PublicGroup, TreesError> {
    let nodes = init.ratchet_nodes.iter().cloned().map(Some).collect();
    let known = init.identity_keys.iter().cloned().map(Some).collect();
    let ratchet = Trees { identities: known, nodes }.into_ratchet(crypto)?;
    Ok(PublicGroup {
        group_id: Arc::from(before.0),
        epoch: before.1,
        ratchet,
        identities,
        add_key: init.setup_key.clone(),
    })
}

impl Member {
    /// The only member of a group makes one of many: `others` in the order of their leaves, behind its
    /// own. The seed is for its setup key pair and its leaf.
    pub fn init(
        &self,
        crypto: &Crypto<'_>,
        others: &[UserInitKey],
        seeds: [Seed; 2],
    ) -> Result<Setup, MemberError> {
        let init_keys = check_all(crypto, others)?;
        let setup = derive_key_pair(crypto, &Secret::from(&seeds[0][..]))?;
        let own = NodeSecret::new(crypto, Secret::from(&seeds[1][..]))?;
        let mut all = vec![own];
        all.extend(leaves(crypto, &setup, &init_keys)?);
        let (nodes, ledger) = grow(crypto.provider(), &all)?;
        crypto.charge(ledger);
        let others = others.iter().map(|key| &key.identity_key);
        let identity_keys: Vec<_> =
            [&self.signer.public].into_iter().chain(others).cloned().collect();
        let identities = identity_tree(crypto, &identity_keys)?;
        let init = Init {
            setup_key: setup.public.clone(),
            identity_keys,
            init_keys,
            ratchet_nodes: super::member::public_keys(&nodes),
        };
        let before = (&self.public.group_id[..], self.public.epoch + 1);
        let mut public = group_of(crypto, before, &init, identities)?;
        let proof = merkle::prove(crypto, &public.identities, self.leaf);
        let signed = Signed {
            signer: &self.signer,
            init_key: self.public.init_key(crypto),
            signer_index: self.leaf,
            identity_proof: proof.map_err(HandshakeError::from)?,
        };
        let (message, cost) = signed.seal(crypto, Body::Init(Box::new(init)))?;
        let root = &nodes[root_at(all.len())];
        let secrets = secrets_of(crypto, &public, root, &message)?;
        public.add_key = secrets.add.public.clone();
        let keys = path_of(&nodes, all.len(), 0);
        let after = Self {
            public,
            leaf: self.leaf,
            signer: self.signer.clone(),
            keys: keys.into_iter().map(|at| nodes[at].pair.clone()).collect(),
            secrets: Arc::new(secrets),
        };
        Ok(Setup { message, cost, nodes, after })
    }

    /// Somebody becomes a member by the message that makes the group.
    pub fn join_setup(
        crypto: &Crypto<'_>,
        joining: Joining<'_>,
        message: &[u8],
    ) -> Result<Self, MemberError> {
        let (handshake, mut public) = check_setup(crypto, message)?;
        let Body::Init(init) = &handshake.body else { return Err(MemberError::NotForMe) };
        let mine = |(key, identity): (&DhPublicKey, &SignaturePublicKey)| {
            *key == joining.init.public && *identity == joining.signer.public
        };
        let others = init.init_keys.iter().zip(&init.identity_keys[1..]);
        let at = others.into_iter().position(mine).ok_or(MemberError::NotForMe)?;
        let at = LeafIndex(at as u32 + 1);
        let leaf = NodeSecret::agreed(crypto, joining.init, &init.setup_key)?;
        let nodes = climb_from_leaf(crypto, &public.ratchet, at, leaf)?;
        let announced = path_of(&init.ratchet_nodes, init.identity_keys.len(), at.0 as usize);
        let mut announced = announced.into_iter().map(|node| &init.ratchet_nodes[node]);
        if nodes.iter().any(|node| announced.next() != Some(&node.pair.public)) {
            return Err(ClimbError::OtherKey.into());
        }
        let secrets = secrets_of(crypto, &public, &nodes[nodes.len() - 1], message)?;
        public.add_key = secrets.add.public.clone();
        Ok(Self {
            public,
            leaf: at,
            signer: joining.signer,
            keys: super::member::key_pairs(&nodes),
            secrets: Arc::new(secrets),
        })
    }
}

/// The public half of receiving a setup: its signature, its proof, and the group it makes. Who
/// receives it has no group to compare its GroupInitKey with, of which only suite and epoch are used
/// here.
pub(crate) fn check_setup(
    crypto: &Crypto<'_>,
    message: &[u8],
) -> Result<(Handshake, PublicGroup), MemberError> {
    let (handshake, signed) = Handshake::read(message)?;
    let Body::Init(init) = &handshake.body else { return Err(MemberError::NotForMe) };
    let (leaves, nodes) = (init.identity_keys.len(), init.ratchet_nodes.len());
    if leaves == 0 || init.init_keys.len() + 1 != leaves || nodes != 2 * leaves - 1 {
        let group_size = leaves as u32;
        return Err(TreesError::WrongSize { leaves, nodes, group_size }.into());
    }
    if Some(handshake.algorithm) != SignatureScheme::of(crypto.cipher_suite()) {
        return Err(HandshakeError::WrongScheme(handshake.algorithm).into());
    }
    if handshake.init_key.cipher_suite != crypto.cipher_suite() {
        return Err(HandshakeError::WrongSuite(handshake.init_key.cipher_suite).into());
    }
    if handshake.signer_index != LeafIndex(0) {
        return Err(HandshakeError::NotTheCreator(handshake.signer_index).into());
    }
    let (prior, own) = (handshake.prior_epoch, handshake.init_key.epoch);
    if prior != own {
        return Err(HandshakeError::WrongEpoch { expected: own, found: prior }.into());
    }
    let epoch = prior.checked_add(1).ok_or(HandshakeError::LastEpoch)?;
    verify(crypto, &handshake.identity_key, signed, &handshake.signature)?;
    let identities = identity_tree(crypto, &init.identity_keys)?;
    let group_id = &handshake.init_key.group_id;
    let public = group_of(crypto, (group_id, epoch), init, identities)?;
    super::public_group::check_proof(crypto, &public.identities, &handshake)?;
    Ok((handshake, public))
}

/// The secrets of the epoch that a setup begins.
pub(crate) fn secrets_of(
    crypto: &Crypto<'_>,
    public: &PublicGroup,
    root: &NodeSecret,
    message: &[u8],
) -> Result<EpochSecrets, HandshakeError> {
    let context = Context { group_id: &public.group_id, epoch: public.epoch, message };
    Ok(EpochSecrets::next(crypto, None, &root.secret, context)?)
}

/// Where the nodes from a leaf to the root stand among all nodes of a tree of so many leaves.
fn path_of<T>(nodes: &[T], leaves: usize, leaf: usize) -> Vec<usize> {
    debug_assert_eq!(nodes.len(), 2 * leaves - 1);
    let mut path = vec![];
    let (mut first, mut width) = (0, leaves);
    while width > 1 {
        let left = width.next_power_of_two() / 2;
        path.push(2 * first + root_at(width));
        if leaf < first + left {
            width = left;
        } else {
            (first, width) = (first + left, width - left);
        }
    }
    path.push(2 * leaf);
    path.reverse();
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::encode;

    #[test]
    fn the_largest_setup_fits_and_no_larger_one() {
        for key in [32, 65] {
            let body = |members: usize| {
                let key = vec![7; key];
                Body::Init(Box::new(Init {
                    setup_key: key.clone().into(),
                    identity_keys: vec![key.clone().into(); members],
                    init_keys: vec![key.clone().into(); members - 1],
                    ratchet_nodes: vec![key.into(); 2 * members - 1],
                }))
            };
            let most = largest_setup(key as u64) as usize;
            assert!(encode(&body(most)).is_ok());
            assert!(encode(&body(most + 1)).is_err());
        }
    }
}
