//! A member of a group: its state (draft-barnes-mls-protocol-00 §6), how it comes to be, and the
//! private half of receiving a handshake message (§8).

use std::sync::Arc;

use super::key_schedule::{Context, EpochSecrets, NO_MESSAGE};
use super::merkle::{self, IdentityTree};
use super::public_group::{Change, Checked, HandshakeError, PublicGroup};
use super::ratchet::{self, ClimbError, NodeSecret, RatchetTree};
use super::suite::{DhKeyPair, DhPublicKey, SignatureScheme};
use super::trees::{Trees, TreesError};
use crate::codec::CodecError;
use crate::crypto::{Crypto, CryptoError, Secret, Seed, SignatureKeyPair, SignaturePublicKey};
use crate::tree::{LeafIndex, LeftBalanced};

/// What a member keeps of one epoch. Nothing in it changes: following gives another.
#[derive(Clone, Debug)]
pub struct Member {
    /// What everybody knows.
    pub public: PublicGroup,
    /// Its leaf.
    pub leaf: LeafIndex,
    /// Its identity key pair.
    pub signer: SignatureKeyPair,
    /// The key pairs of its leaf and of all above, up to the root.
    pub keys: Vec<DhKeyPair>,
    /// What the members share.
    pub secrets: Arc<EpochSecrets>,
}

/// What came of a message at a member.
#[derive(Clone, Debug)]
pub enum Followed {
    /// It is in the next epoch.
    Member(Box<Member>),
    /// It has been deleted.
    Deleted,
}

/// Why somebody cannot become a member, or follow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    /// A handshake message is not in order.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The trees are not those of the group.
    #[error(transparent)]
    Trees(#[from] TreesError),
    /// The message adds somebody else.
    #[error("the message adds somebody else")]
    NotForMe,
}

macro_rules! through_handshake {
    ($($error:ty),+) => {
        $(impl From<$error> for MemberError {
            fn from(error: $error) -> Self {
                Self::Handshake(error.into())
            }
        })+
    };
}

through_handshake!(CodecError, CryptoError, ClimbError);

/// What somebody brings along who joins.
#[derive(Clone, Debug)]
pub struct Joining<'j> {
    /// Its identity key pair.
    pub signer: SignatureKeyPair,
    /// The private half of its init key.
    pub init: &'j DhKeyPair,
}

/// Refuses a suite that ART has not got.
pub(super) fn check_suite(crypto: &Crypto<'_>) -> Result<(), HandshakeError> {
    let suite = crypto.cipher_suite();
    SignatureScheme::of(suite).map(|_| ()).ok_or(HandshakeError::NoSuchSuite(suite))
}

/// The public halves.
pub(super) fn public_keys(nodes: &[NodeSecret]) -> Vec<DhPublicKey> {
    nodes.iter().map(|node| node.pair.public.clone()).collect()
}

/// The pairs.
pub(super) fn key_pairs(nodes: &[NodeSecret]) -> Vec<DhKeyPair> {
    nodes.iter().map(|node| node.pair.clone()).collect()
}

impl Member {
    /// A group of one member (§8.1), in epoch 0.
    pub fn create(
        crypto: &Crypto<'_>,
        signer: SignatureKeyPair,
        group_id: &[u8],
        seed: Seed,
    ) -> Result<Self, HandshakeError> {
        check_suite(crypto)?;
        let leaf = NodeSecret::new(crypto, Secret::from(&seed[..]))?;
        let context = Context { group_id, epoch: 0, message: NO_MESSAGE };
        let secrets = EpochSecrets::next(crypto, None, &leaf.secret, context)?;
        let (mut ratchet, at) = (RatchetTree::new(LeftBalanced), LeafIndex(0));
        ratchet::set_path(&mut ratchet, at, std::slice::from_ref(&leaf.pair.public))?;
        let public = PublicGroup {
            group_id: Arc::from(group_id),
            epoch: 0,
            ratchet,
            identities: group_of_one(crypto, &signer.public)?,
            add_key: secrets.add.public.clone(),
        };
        let secrets = Arc::new(secrets);
        Ok(Self { public, leaf: at, signer, keys: vec![leaf.pair], secrets })
    }

    /// The epoch.
    pub fn epoch(&self) -> u32 {
        self.public.epoch
    }

    /// Receives a message: both halves.
    pub fn receive(&self, crypto: &Crypto<'_>, message: &[u8]) -> Result<Followed, HandshakeError> {
        let checked = self.public.check(crypto, message)?;
        self.follow(crypto, &checked)
    }

    /// The private half: what a member computes of a message that is in order.
    pub fn follow(
        &self,
        crypto: &Crypto<'_>,
        checked: &Checked<'_>,
    ) -> Result<Followed, HandshakeError> {
        let transition = &checked.transition;
        let (tree, changed) = (&transition.ratchet, transition.changed);
        let own = (self.leaf, &self.keys[..]);
        if transition.change == Change::Delete && changed == self.leaf {
            return Ok(Followed::Deleted);
        }
        let (keys, path, root) = match &transition.change {
            Change::GroupAdd(init_key) => {
                let leaf = NodeSecret::agreed(crypto, &self.secrets.add, init_key)?;
                let nodes = ratchet::climb_from_leaf(crypto, tree, changed, leaf)?;
                let keys = ratchet::adopt(tree, own, changed, &nodes)?;
                (keys, public_keys(&nodes), nodes[nodes.len() - 1].clone())
            }
            _ => {
                let sent = checked.handshake.body.path().unwrap_or_default();
                let (keys, root) = ratchet::follow(crypto, tree, own, changed, sent)?;
                let path = sent.iter().chain([&root.pair.public]).cloned().collect();
                (keys, path, root)
            }
        };
        let init = Some(&self.secrets.init_secret);
        let (public, secrets) = transition.complete(crypto, &self.public, init, &path, &root)?;
        Ok(Followed::Member(Box::new(Self {
            public,
            leaf: self.leaf,
            signer: self.signer.clone(),
            keys,
            secrets: Arc::new(secrets),
        })))
    }

    /// Somebody becomes a member by the `GroupAdd` that adds it (§8.2), with the trees of the epoch
    /// before.
    pub fn join(
        crypto: &Crypto<'_>,
        joining: Joining<'_>,
        message: &[u8],
        trees: Trees,
    ) -> Result<Self, MemberError> {
        let (handshake, _) = super::Handshake::read(message)?;
        let before = trees.into_group(crypto, &handshake.init_key)?;
        let checked = before.check(crypto, message)?;
        let transition = &checked.transition;
        match (&transition.change, &checked.handshake.body) {
            (Change::GroupAdd(key), super::Body::GroupAdd(add))
                if *key == joining.init.public
                    && add.init_key.identity_key == joining.signer.public => {}
            _ => return Err(MemberError::NotForMe),
        }
        let leaf = NodeSecret::agreed(crypto, joining.init, &before.add_key)?;
        let (tree, at) = (&transition.ratchet, transition.changed);
        let nodes = ratchet::climb_from_leaf(crypto, tree, at, leaf)?;
        let root = &nodes[nodes.len() - 1];
        let keys = public_keys(&nodes);
        let (public, secrets) = transition.complete(crypto, &before, None, &keys, root)?;
        Ok(Self {
            public,
            leaf: at,
            signer: joining.signer,
            keys: key_pairs(&nodes),
            secrets: Arc::new(secrets),
        })
    }
}

/// The identity tree of a group of one.
fn group_of_one(
    crypto: &Crypto<'_>,
    identity: &SignaturePublicKey,
) -> Result<IdentityTree, HandshakeError> {
    let mut identities = IdentityTree::new(LeftBalanced);
    identities.replace(LeafIndex(0), Arc::new(identity.clone()))?;
    merkle::hash_of(crypto, identities.root());
    Ok(identities)
}
