//! What anybody knows of a group who has followed it: its trees, its epoch and its add key
//! (draft-barnes-mls-protocol-00 §6); and the public half of receiving a handshake message (§8), a
//! function of that and of the message alone.

use std::sync::Arc;

use super::handshake::{Body, Handshake};
use super::init_keys::{GroupInitKey, UserInitKeyError};
use super::key_schedule::{Context, EpochSecrets, ScheduleError};
use super::merkle::{self, IdentityTree};
use super::ratchet::{self, ClimbError, NodeSecret, RatchetTree};
use super::suite::{DhPublicKey, SignatureScheme, verify};
use crate::codec::CodecError;
use crate::crypto::{CipherSuite, Crypto, CryptoError, Digest, SignaturePublicKey};
use crate::tree::{LeafIndex, OutsideTree};

/// The public state of a group. Cloning it shares the trees.
#[derive(Clone, Debug)]
pub struct PublicGroup {
    /// The group identifier.
    pub group_id: Arc<[u8]>,
    /// The epoch.
    pub epoch: u32,
    /// The keys.
    pub ratchet: RatchetTree,
    /// The identities, every hash of theirs known.
    pub identities: IdentityTree,
    /// The public half of the add key pair.
    pub add_key: DhPublicKey,
}

/// The rule that a handshake message breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The bytes are no handshake message.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// ART has no such cipher suite.
    #[error("ART has Curve25519 and P-256, each with SHA-256, and not {0:?} (draft-00 §6.1)")]
    NoSuchSuite(CipherSuite),
    /// It starts from another epoch.
    #[error(
        "the handshake starts from epoch {found}, the group is in epoch {expected} (draft-00 §9)"
    )]
    WrongEpoch {
        /// The group's epoch.
        expected: u32,
        /// The message's.
        found: u32,
    },
    /// No epoch can follow.
    #[error("the group is in epoch 2^32 - 1, which is the last")]
    LastEpoch,
    /// The group in it is not this one as it is.
    #[error("the GroupInitKey is not that of the group in this epoch (draft-00 §7.2)")]
    WrongGroupInitKey,
    /// A setup is for another suite.
    #[error("the GroupInitKey is of a group of suite {0:?} (draft-00 §7.2)")]
    WrongSuite(CipherSuite),
    /// A setup is not by who stands first in the group.
    #[error("the setup is signed as {0}, and its creator stands at leaf 0")]
    NotTheCreator(LeafIndex),
    /// It is signed by another scheme than the suite's.
    #[error("the handshake is signed by scheme {0:?} (draft-00 §8)")]
    WrongScheme(SignatureScheme),
    /// A primitive refused: its signature, or a key.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// The signer is not shown to be a member.
    #[error("the Merkle proof does not lead from the signer to the group (draft-00 §8)")]
    WrongProof,
    /// A leaf is outside the tree.
    #[error(transparent)]
    Outside(#[from] OutsideTree),
    /// It changes nothing, or makes another group.
    #[error("the handshake does not lead to another epoch of the group")]
    NoChange,
    /// It publishes nothing.
    #[error("the handshake is not one of type none, by which a group is published (draft-00 §7.2)")]
    NotPublished,
    /// Who adds itself does not stand behind the last leaf.
    #[error("who adds itself signs as {0}, which is not the next leaf (draft-00 §8.3)")]
    NotTheNextLeaf(LeafIndex),
    /// Its path has another length than the tree asks for.
    #[error("a path of {found} keys for a leaf of depth {expected} (draft-00 §5.1)")]
    WrongLength {
        /// The depth.
        expected: usize,
        /// The keys.
        found: usize,
    },
    /// A key of its path is not the child's, where the sibling is blank.
    #[error("the path has a key of its own beside a blank node (draft-00 §5.3.1)")]
    NotCopied,
    /// Nobody is at the leaf that it deletes.
    #[error("{0} is blank and cannot be deleted (draft-00 §8.5)")]
    Blank(LeafIndex),
    /// Its signer deletes itself: it would know the new key, and nobody would be gone.
    #[error("a member cannot delete itself")]
    DeletesItself,
    /// The group has as many leaves as can be counted.
    #[error("the group has 2^32 - 1 leaves and no room")]
    Full,
    /// The `UserInitKey` that it adds is not in order.
    #[error(transparent)]
    UserInitKey(#[from] UserInitKeyError),
    /// A node cannot be computed, or is not what the message says.
    #[error(transparent)]
    Climb(#[from] ClimbError),
    /// The secrets of the next epoch cannot be derived.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
}

/// How a handshake message leads on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A member adds the owner of this init key.
    GroupAdd(DhPublicKey),
    /// A new participant has added itself.
    UserAdd,
    /// A member has a new leaf key.
    Update,
    /// A member is gone from the leaf that changes.
    Delete,
}

impl Change {
    /// Whether there is a new member, who knows nothing of the epoch before.
    pub fn adds(&self) -> bool {
        matches!(self, Self::GroupAdd(_) | Self::UserAdd)
    }
}

/// A change on its way from one epoch to the next: the trees have the form that they will have.
#[derive(Clone, Debug)]
pub struct Transition<'m> {
    /// What changes.
    pub change: Change,
    /// The leaf whose path changes.
    pub changed: LeafIndex,
    /// The ratchet tree, with its keys from before.
    pub ratchet: RatchetTree,
    /// The identity tree of the next epoch.
    pub identities: IdentityTree,
    /// The message.
    pub message: &'m [u8],
}

/// A message that is in order in public.
#[derive(Clone, Debug)]
pub struct Checked<'m> {
    /// The message.
    pub handshake: Handshake,
    /// What it does.
    pub transition: Transition<'m>,
}

impl Transition<'_> {
    /// The public state and the secrets of the next epoch. `keys` are the public keys of the changed
    /// path from the leaf to the root; `init` is the init secret of the epoch before, where one
    /// continues from it.
    pub fn complete(
        &self,
        crypto: &Crypto<'_>,
        before: &PublicGroup,
        init: Option<&crate::crypto::Secret>,
        keys: &[DhPublicKey],
        root: &NodeSecret,
    ) -> Result<(PublicGroup, EpochSecrets), HandshakeError> {
        let mut ratchet = self.ratchet.clone();
        ratchet::set_path(&mut ratchet, self.changed, keys)?;
        if self.change == Change::Delete {
            ratchet::blank(&mut ratchet, self.changed)?;
        }
        let agreed;
        let (init, update_secret) = if self.change.adds() {
            agreed = crypto.dh(&root.pair, &before.add_key)?;
            (None, &agreed)
        } else {
            (init, &root.secret)
        };
        let epoch = before.epoch.checked_add(1).ok_or(HandshakeError::LastEpoch)?;
        let context = Context { group_id: &before.group_id, epoch, message: self.message };
        let secrets = EpochSecrets::next(crypto, init, update_secret, context)?;
        let public = PublicGroup {
            group_id: before.group_id.clone(),
            epoch,
            ratchet,
            identities: self.identities.clone(),
            add_key: secrets.add.public.clone(),
        };
        Ok((public, secrets))
    }
}

impl PublicGroup {
    /// The group as somebody must know it who comes.
    pub fn init_key(&self, crypto: &Crypto<'_>) -> GroupInitKey {
        let heads = merkle::frontier(&self.identities);
        GroupInitKey {
            epoch: self.epoch,
            group_size: self.ratchet.width(),
            group_id: self.group_id.to_vec(),
            cipher_suite: crypto.cipher_suite(),
            add_key: self.add_key.clone(),
            identity_frontier: heads.iter().map(|head| merkle::hash_of(crypto, *head)).collect(),
            ratchet_frontier: ratchet::frontier(&self.ratchet),
        }
    }

    /// The ratchet tree with one leaf more. Until its path is set another key stands there, since what
    /// is wholly blank has no inside.
    pub(super) fn extended(&self) -> Result<RatchetTree, HandshakeError> {
        if self.ratchet.width() == u32::MAX {
            return Err(HandshakeError::Full);
        }
        let mut ratchet = self.ratchet.clone();
        let leaf = LeafIndex(ratchet.width());
        ratchet.extend();
        ratchet.replace(leaf, Arc::new(self.add_key.clone()))?;
        Ok(ratchet)
    }

    /// Checks a message in public.
    pub fn check<'m>(
        &self,
        crypto: &Crypto<'_>,
        message: &'m [u8],
    ) -> Result<Checked<'m>, HandshakeError> {
        let (handshake, signed) = Handshake::read(message)?;
        self.check_frame(crypto, &handshake)?;
        verify(crypto, &handshake.identity_key, signed, &handshake.signature)?;
        let transition = self.transition(crypto, &handshake, message)?;
        let members = match transition.change {
            // Who adds itself is no member yet: its proof is for the tree with it.
            Change::UserAdd => &transition.identities,
            _ => &self.identities,
        };
        check_proof(crypto, members, &handshake)?;
        Ok(Checked { handshake, transition })
    }

    /// Checks a message by which a member publishes the group (§7.2).
    pub fn check_publication(
        &self,
        crypto: &Crypto<'_>,
        message: &[u8],
    ) -> Result<Handshake, HandshakeError> {
        let (handshake, signed) = Handshake::read(message)?;
        self.check_frame(crypto, &handshake)?;
        if handshake.body != Body::None {
            return Err(HandshakeError::NotPublished);
        }
        verify(crypto, &handshake.identity_key, signed, &handshake.signature)?;
        check_proof(crypto, &self.identities, &handshake)?;
        Ok(handshake)
    }

    /// The epoch that it starts from, and how it is signed.
    fn check_frame(
        &self,
        crypto: &Crypto<'_>,
        handshake: &Handshake,
    ) -> Result<(), HandshakeError> {
        if handshake.prior_epoch != self.epoch {
            let found = handshake.prior_epoch;
            return Err(HandshakeError::WrongEpoch { expected: self.epoch, found });
        }
        if self.epoch == u32::MAX {
            return Err(HandshakeError::LastEpoch);
        }
        if handshake.init_key != self.init_key(crypto) {
            return Err(HandshakeError::WrongGroupInitKey);
        }
        if Some(handshake.algorithm) != SignatureScheme::of(crypto.cipher_suite()) {
            return Err(HandshakeError::WrongScheme(handshake.algorithm));
        }
        Ok(())
    }

    /// What a message changes, checked as far as it goes without a secret.
    fn transition<'m>(
        &self,
        crypto: &Crypto<'_>,
        handshake: &Handshake,
        message: &'m [u8],
    ) -> Result<Transition<'m>, HandshakeError> {
        let next = LeafIndex(self.ratchet.width());
        let signer = handshake.signer_index;
        let append = |identity: &SignaturePublicKey| {
            merkle::append(crypto, &self.identities, identity).map_err(HandshakeError::from)
        };
        let (change, changed, ratchet, identities) = match &handshake.body {
            Body::None | Body::Init(_) => return Err(HandshakeError::NoChange),
            Body::GroupAdd(add) => {
                let key = add.init_key.check(crypto)?.clone();
                let ratchet = self.extended()?;
                (Change::GroupAdd(key), next, ratchet, append(&add.init_key.identity_key)?)
            }
            Body::UserAdd(_) => {
                if signer != next {
                    return Err(HandshakeError::NotTheNextLeaf(signer));
                }
                (Change::UserAdd, next, self.extended()?, append(&handshake.identity_key)?)
            }
            Body::Update(_) => {
                (Change::Update, signer, self.ratchet.clone(), self.identities.clone())
            }
            Body::Delete(delete) => {
                let deleted = delete.deleted;
                if deleted == signer {
                    return Err(HandshakeError::DeletesItself);
                }
                self.ratchet.leaf(deleted).ok_or(HandshakeError::Blank(deleted))?;
                let identities = merkle::blank(crypto, &self.identities, deleted)?;
                (Change::Delete, deleted, self.ratchet.clone(), identities)
            }
        };
        if let Some(path) = handshake.body.path() {
            check_path(crypto, &ratchet, changed, path)?;
        }
        Ok(Transition { change, changed, ratchet, identities, message })
    }
}

pub(super) fn check_proof(
    crypto: &Crypto<'_>,
    members: &IdentityTree,
    handshake: &Handshake,
) -> Result<(), HandshakeError> {
    let Handshake { signer_index, identity_key, identity_proof, .. } = handshake;
    match merkle::is_proof(crypto, members, *signer_index, identity_key, identity_proof)? {
        true => Ok(()),
        false => Err(HandshakeError::WrongProof),
    }
}

/// A path has a key for each node from the leaf to below the root; beside a blank node it repeats
/// itself.
fn check_path(
    crypto: &Crypto<'_>,
    tree: &RatchetTree,
    leaf: LeafIndex,
    path: &[DhPublicKey],
) -> Result<(), HandshakeError> {
    let steps = tree.direct_path(leaf)?;
    if path.len() != steps.len() {
        return Err(HandshakeError::WrongLength { expected: steps.len(), found: path.len() });
    }
    for (step, pair) in steps.iter().zip(path.windows(2)) {
        if ratchet::beside(step).is_none() && pair[0] != pair[1] {
            return Err(HandshakeError::NotCopied);
        }
    }
    path.iter().try_for_each(|key| Ok(crypto.provider().check_public_key(key)?))
}

/// The hash that the laboratory compares groups by: over identities and keys, and the epoch's add key.
pub fn group_hash(crypto: &Crypto<'_>, group: &PublicGroup) -> Digest {
    let identities = merkle::hash_of(crypto, group.identities.root());
    let keys = ratchet::tree_hash(crypto, group.ratchet.root());
    crypto.hash_parts(&[identities.as_slice(), keys.as_slice(), group.add_key.as_slice()])
}
