//! Making handshake messages (draft-barnes-mls-protocol-00 §8). Nothing of the sender changes by it:
//! what it will be if the message takes effect comes with the message.

use std::sync::Arc;

use super::handshake::{Body, Delete, GroupAdd, Handshake, Update, UserAdd};
use super::init_keys::{GroupInitKey, UserInitKey};
use super::member::{Member, MemberError, check_suite, key_pairs, public_keys};
use super::merkle;
use super::public_group::{Change, HandshakeError, PublicGroup, Transition};
use super::ratchet::{self, NodeSecret};
use super::suite::{DhPublicKey, SignatureScheme, sign};
use super::trees::Trees;
use crate::codec::encode;
use crate::crypto::{Crypto, Digest, Secret, Seed, Signature, SignatureKeyPair};
use crate::group::CommitCost;
use crate::tree::LeafIndex;

/// A handshake message that has been made, and its sender if it takes effect.
#[derive(Clone, Debug)]
pub struct Pending {
    /// The message.
    pub message: Vec<u8>,
    /// What it costs.
    pub cost: CommitCost,
    /// The leaf whose path it changes.
    pub changed: LeafIndex,
    /// The new nodes, from that leaf to the root.
    pub nodes: Vec<NodeSecret>,
    /// The sender in the next epoch.
    pub after: Member,
}

/// What a message says of its signer, beside its body.
pub(super) struct Signed<'s> {
    pub(super) signer: &'s SignatureKeyPair,
    pub(super) init_key: GroupInitKey,
    pub(super) signer_index: LeafIndex,
    pub(super) identity_proof: Vec<Digest>,
}

impl Signed<'_> {
    /// The signed message, and its cost.
    pub(super) fn seal(
        self,
        crypto: &Crypto<'_>,
        body: Body,
    ) -> Result<(Vec<u8>, CommitCost), HandshakeError> {
        let suite = crypto.cipher_suite();
        let mut handshake = Handshake {
            body,
            prior_epoch: self.init_key.epoch,
            init_key: self.init_key,
            signer_index: self.signer_index,
            identity_proof: self.identity_proof,
            identity_key: self.signer.public.clone(),
            algorithm: SignatureScheme::of(suite).ok_or(HandshakeError::NoSuchSuite(suite))?,
            signature: Signature::from(vec![]),
        };
        let content = handshake.to_be_signed()?;
        handshake.signature = sign(crypto, &self.signer.private, &content)?;
        Ok((encode(&handshake)?, handshake.cost()))
    }
}

/// The path of new nodes as it is sent: without the root, which is on no direct path (§5.1).
fn sent(nodes: &[NodeSecret]) -> Vec<DhPublicKey> {
    public_keys(&nodes[..nodes.len() - 1])
}

impl Member {
    fn signed(&self, crypto: &Crypto<'_>) -> Result<Signed<'_>, HandshakeError> {
        Ok(Signed {
            signer: &self.signer,
            init_key: self.public.init_key(crypto),
            signer_index: self.leaf,
            identity_proof: merkle::prove(crypto, &self.public.identities, self.leaf)?,
        })
    }

    /// Publishes the group (§7.2): a message that changes nothing.
    pub fn publish(&self, crypto: &Crypto<'_>) -> Result<Vec<u8>, HandshakeError> {
        Ok(self.signed(crypto)?.seal(crypto, Body::None)?.0)
    }

    /// Renews its leaf key (§8.4).
    pub fn update(&self, crypto: &Crypto<'_>, seed: Seed) -> Result<Pending, HandshakeError> {
        let leaf = NodeSecret::new(crypto, Secret::from(&seed[..]))?;
        let nodes = ratchet::climb_from_leaf(crypto, &self.public.ratchet, self.leaf, leaf)?;
        let body = Body::Update(Update { ratchet_path: sent(&nodes) });
        self.pend(crypto, body, Change::Update, self.leaf, nodes)
    }

    /// Deletes another member (§8.5), under a leaf key that this member knows from then on.
    pub fn delete(
        &self,
        crypto: &Crypto<'_>,
        deleted: LeafIndex,
        seed: Seed,
    ) -> Result<Pending, HandshakeError> {
        if deleted == self.leaf {
            return Err(HandshakeError::DeletesItself);
        }
        self.public.ratchet.leaf(deleted).ok_or(HandshakeError::Blank(deleted))?;
        let leaf = NodeSecret::new(crypto, Secret::from(&seed[..]))?;
        let nodes = ratchet::climb_from_leaf(crypto, &self.public.ratchet, deleted, leaf)?;
        let body = Body::Delete(Delete { deleted, path: sent(&nodes) });
        self.pend(crypto, body, Change::Delete, deleted, nodes)
    }

    /// Adds the owner of an init key (§8.2). Its leaf key comes of that key and the add key pair, so
    /// that every member knows it.
    pub fn group_add(
        &self,
        crypto: &Crypto<'_>,
        init_key: UserInitKey,
    ) -> Result<Pending, HandshakeError> {
        let key = init_key.check(crypto)?.clone();
        let added = LeafIndex(self.public.ratchet.width());
        let leaf = NodeSecret::agreed(crypto, &self.secrets.add, &key)?;
        let nodes = ratchet::climb_from_leaf(crypto, &self.public.extended()?, added, leaf)?;
        let body = Body::GroupAdd(Box::new(GroupAdd { init_key }));
        self.pend(crypto, body, Change::GroupAdd(key), added, nodes)
    }

    /// Signs a message, and takes the step that it stands for.
    fn pend(
        &self,
        crypto: &Crypto<'_>,
        body: Body,
        change: Change,
        changed: LeafIndex,
        nodes: Vec<NodeSecret>,
    ) -> Result<Pending, HandshakeError> {
        let before = &self.public;
        let (ratchet, identities) = match (&change, &body) {
            (Change::GroupAdd(_), Body::GroupAdd(add)) => {
                let identity = &add.init_key.identity_key;
                (before.extended()?, merkle::append(crypto, &before.identities, identity)?)
            }
            (Change::Delete, _) => {
                let identities = merkle::blank(crypto, &before.identities, changed)?;
                (before.ratchet.clone(), identities)
            }
            _ => (before.ratchet.clone(), before.identities.clone()),
        };
        let (message, cost) = self.signed(crypto)?.seal(crypto, body)?;
        let own = (self.leaf, &self.keys[..]);
        let keys = match changed == self.leaf {
            true => key_pairs(&nodes),
            false => ratchet::adopt(&ratchet, own, changed, &nodes)?,
        };
        let transition = Transition { change, changed, ratchet, identities, message: &message };
        let (path, root) = (public_keys(&nodes), &nodes[nodes.len() - 1]);
        let init = Some(&self.secrets.init_secret);
        let (public, secrets) = transition.complete(crypto, before, init, &path, root)?;
        let (leaf, signer, secrets) = (self.leaf, self.signer.clone(), Arc::new(secrets));
        let after = Self { public, leaf, signer, keys, secrets };
        Ok(Pending { message, cost, changed, nodes, after })
    }

    /// Somebody adds itself (§8.3), from what a member has published and the trees.
    pub fn user_add(
        crypto: &Crypto<'_>,
        signer: SignatureKeyPair,
        publication: &[u8],
        trees: Trees,
        seed: Seed,
    ) -> Result<Pending, MemberError> {
        check_suite(crypto)?;
        let (handshake, _) = Handshake::read(publication)?;
        let before: PublicGroup = trees.into_group(crypto, &handshake.init_key)?;
        before.check_publication(crypto, publication)?;
        let changed = LeafIndex(before.ratchet.width());
        let ratchet = before.extended()?;
        let identities = merkle::append(crypto, &before.identities, &signer.public)
            .map_err(HandshakeError::from)?;
        let leaf = NodeSecret::new(crypto, Secret::from(&seed[..]))?;
        let nodes = ratchet::climb_from_leaf(crypto, &ratchet, changed, leaf)?;
        let proof = merkle::prove(crypto, &identities, changed).map_err(HandshakeError::from)?;
        let signed = Signed {
            signer: &signer,
            init_key: handshake.init_key,
            signer_index: changed,
            identity_proof: proof,
        };
        let body = Body::UserAdd(UserAdd { add_path: sent(&nodes) });
        let (message, cost) = signed.seal(crypto, body)?;
        let change = Change::UserAdd;
        let transition = Transition { change, changed, ratchet, identities, message: &message };
        let (path, root) = (public_keys(&nodes), &nodes[nodes.len() - 1]);
        let (public, secrets) = transition.complete(crypto, &before, None, &path, root)?;
        let (keys, secrets) = (key_pairs(&nodes), Arc::new(secrets));
        let after = Self { public, leaf: changed, signer, keys, secrets };
        Ok(Pending { message, cost, changed, nodes, after })
    }
}
