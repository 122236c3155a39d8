//! A member: the private half of following a commit (RFC 9420 §12.4.2), and the creation of a
//! group (§11).

use std::sync::Arc;

use rand_core::Rng;

use super::holdings::{Holdings, OwnUpdate};
use super::public_group::{MembershipProof, PublicGroup, Transition};
use super::transcript::interim_transcript_hash;
use crate::codec::CodecError;
use crate::crypto::{Crypto, CryptoError, Digest, Secret, Seed, SignatureKeyPair};
use crate::strategy::Strategy;
use crate::tree::{LeafIndex, OutsideTree, Tree};
use crate::treedem::membership_tag;
use crate::treekem::{
    EXTERNAL_INIT_LABEL, EpochSecrets, GroupContext, JoinerSecret, OpenedPath, PathError,
    PrivateKeys, PskError, keys_gained,
};
use crate::treesync::{
    Extension, KeyPackage, KeyPackageSecrets, ProtocolVersion, apply_add, tree_hash,
};

/// A client's membership in a group at one epoch.
#[derive(Clone, Debug)]
pub struct Member {
    /// The public state.
    pub public: PublicGroup,
    /// The member's leaf.
    pub leaf: LeafIndex,
    /// The member's signature key.
    pub signer: SignatureKeyPair,
    /// The private keys of the tree that it holds.
    pub keys: PrivateKeys,
    /// The secrets of the epoch.
    pub secrets: Arc<EpochSecrets>,
}

/// The rule that a commit breaks in private.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FollowError {
    /// The membership tag is not made with this epoch's key.
    #[error("the membership tag does not verify (RFC 9420 §6.2)")]
    MembershipTag,
    /// The new epoch's secrets do not give the confirmation tag.
    #[error("the confirmation tag does not verify (RFC 9420 §6.1)")]
    ConfirmationTag,
    /// The commit does not follow the member's epoch.
    #[error("the commit leads to epoch {to}, the member is in epoch {at}")]
    Epoch {
        /// The member's epoch.
        at: u64,
        /// The epoch the commit leads to.
        to: u64,
    },
    /// The commit covers an Update of this member, or a path, whose private half is gone.
    #[error("the private key of the member's own Update or path is not held")]
    OwnUpdate,
    /// The commit quarantines this member, and its new key has not been found.
    #[error(
        "the member is a ghost from this commit on, and has not gathered the shares of its key"
    )]
    Ghost,
    /// A pre-shared key cannot be used.
    #[error(transparent)]
    Psk(#[from] PskError),
    /// The path cannot be opened.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A primitive refused.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// A leaf lies outside the tree.
    #[error(transparent)]
    Outside(#[from] OutsideTree),
    /// Something has no encoding.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// What the creator of a group chooses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Founding {
    /// The group's identifier.
    pub group_id: Vec<u8>,
    /// The extensions of its context.
    pub extensions: Vec<Extension>,
}

/// What following a commit came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    /// The member is in the new epoch.
    Advanced,
    /// The commit removed the member.
    Removed,
}

impl MembershipProof {
    /// Checks the tag with the epoch's key; a commit's tag covers its confirmation tag as well.
    pub fn verify(
        &self,
        crypto: &Crypto<'_>,
        secrets: &EpochSecrets,
        confirmation: Option<&Digest>,
    ) -> Result<(), FollowError> {
        let Self { tbs, signature, tag } = self;
        let key = &secrets.membership_key;
        let expected = membership_tag(crypto, key, tbs, signature, confirmation)?;
        if expected == *tag { Ok(()) } else { Err(FollowError::MembershipTag) }
    }
}

/// What every member of an epoch computes alike, path or no path.
impl Transition {
    /// Checks the membership tag, if the message has one, with the old epoch's key.
    pub fn verify_membership(
        &self,
        crypto: &Crypto<'_>,
        secrets: &EpochSecrets,
    ) -> Result<(), FollowError> {
        let proof = self.membership.as_ref();
        let confirmation = Some(&self.confirmation_tag);
        proof.map_or(Ok(()), |proof| proof.verify(crypto, secrets, confirmation))
    }

    /// Runs the key schedule from the old epoch's secrets, the commit secret and the secret of
    /// the pre-shared keys, and checks the confirmation tag.
    pub fn next_secrets(
        &self,
        crypto: &Crypto<'_>,
        before: &EpochSecrets,
        commit_secret: &Secret,
        psk_secret: &Secret,
    ) -> Result<EpochSecrets, FollowError> {
        let context = self.after.context.encoded();
        let init = match &self.applied.external_init {
            None => before.init_secret.clone(),
            Some(kem_output) => {
                let pair = before.external_key_pair(crypto)?;
                crypto.receive_export(&pair, kem_output.as_slice(), EXTERNAL_INIT_LABEL)?
            }
        };
        let joiner = JoinerSecret::derive(crypto, &init, commit_secret, &context)?;
        let secrets = joiner.epoch_secrets(crypto, psk_secret, &context)?;
        let confirmed = &self.after.context.confirmed_transcript_hash;
        if secrets.confirmation_tag(crypto, confirmed) == self.confirmation_tag {
            Ok(secrets)
        } else {
            Err(FollowError::ConfirmationTag)
        }
    }
}

impl Member {
    /// Creates a group of one. Its identifier and first epoch secret come from `rng`.
    pub fn create(
        crypto: &Crypto<'_>,
        signer: SignatureKeyPair,
        package: &KeyPackage,
        secrets: &KeyPackageSecrets,
        rng: &mut dyn Rng,
    ) -> Result<Self, FollowError> {
        let mut group_id = Seed::default();
        rng.fill_bytes(&mut group_id);
        let founding = Founding { group_id: group_id.to_vec(), extensions: vec![] };
        Self::create_with(crypto, signer, package, secrets, founding, rng)
    }

    /// Creates a group of one with an identifier and extensions of its own. The first epoch
    /// secret comes from `rng`.
    pub fn create_with(
        crypto: &Crypto<'_>,
        signer: SignatureKeyPair,
        package: &KeyPackage,
        secrets: &KeyPackageSecrets,
        founding: Founding,
        rng: &mut dyn Rng,
    ) -> Result<Self, FollowError> {
        let mut tree = Tree::new(Strategy::of_extensions(&founding.extensions)?);
        let index = apply_add(&mut tree, Arc::new(package.leaf_node.clone()))?;
        let mut epoch_secret = vec![0; crypto.provider().digest_length()];
        rng.fill_bytes(&mut epoch_secret);
        let epoch_secrets = EpochSecrets::derive(crypto, &Secret::from(epoch_secret));
        let context = GroupContext {
            version: ProtocolVersion::MLS10,
            cipher_suite: crypto.cipher_suite(),
            group_id: founding.group_id.into(),
            epoch: 0,
            tree_hash: tree_hash(crypto, &tree),
            confirmed_transcript_hash: Digest::EMPTY,
            extensions: founding.extensions,
        };
        let tag = epoch_secrets.confirmation_tag(crypto, &Digest::EMPTY);
        let interim_transcript_hash = interim_transcript_hash(crypto, &Digest::EMPTY, &tag)?;
        Ok(Self {
            public: PublicGroup { context, tree, interim_transcript_hash },
            leaf: index,
            signer,
            keys: PrivateKeys::of_leaf(secrets.encryption.clone()),
            secrets: Arc::new(epoch_secrets),
        })
    }

    /// The epoch.
    pub fn epoch(&self) -> u64 {
        self.public.epoch()
    }

    /// Follows a commit whose public half has been checked. On an error nothing has changed.
    pub fn follow(
        &mut self,
        crypto: &Crypto<'_>,
        transition: &Transition,
    ) -> Result<Followed, FollowError> {
        self.follow_with(crypto, transition, &Holdings::default())
    }

    /// Follows a commit that may call for something held beside the member's state.
    pub fn follow_with(
        &mut self,
        crypto: &Crypto<'_>,
        transition: &Transition,
        holdings: &Holdings,
    ) -> Result<Followed, FollowError> {
        let (at, to) = (self.epoch(), transition.after.epoch());
        if at.checked_add(1) != Some(to) {
            return Err(FollowError::Epoch { at, to });
        }
        transition.verify_membership(crypto, &self.secrets)?;
        if transition.applied.removed.contains(&self.leaf) {
            return Ok(Followed::Removed);
        }
        let own = self.own_update(transition, holdings)?;
        let proposed = self.keys_proposed(crypto, transition, own)?;
        let keys = proposed.as_ref().unwrap_or(&self.keys);
        let opened = self.open_path(crypto, transition, keys)?;
        let commit_secret = opened.as_ref().map_or(crypto.zero(), |p| p.commit_secret.clone());
        let psk_secret = holdings.psks.psk_secret(crypto, &transition.applied.psks)?;
        let secrets =
            transition.next_secrets(crypto, &self.secrets, &commit_secret, &psk_secret)?;
        if let Some(own) = own {
            self.signer = own.signer.clone();
        }
        if let Some(keys) = proposed {
            self.keys = keys;
        }
        self.keys.forget_outdated(&transition.after.tree, self.leaf)?;
        if let Some(opened) = opened {
            self.keys.extend(opened.key_pairs);
        }
        self.secrets = Arc::new(secrets);
        self.public = transition.after.clone();
        Ok(Followed::Advanced)
    }

    /// The member's keys once the proposals are in effect, if it holds others by them: those of its own
    /// Update or path, or of the path of another.
    fn keys_proposed(
        &self,
        crypto: &Crypto<'_>,
        transition: &Transition,
        own: Option<&OwnUpdate>,
    ) -> Result<Option<PrivateKeys>, FollowError> {
        if let Some(own) = own {
            let mut keys = self.keys.clone();
            keys.set_leaf(own.leaf.clone());
            keys.extend(own.parents.iter().cloned());
            return Ok(Some(keys));
        }
        let paths = &transition.applied.paths;
        if paths.is_empty() {
            return Ok(None);
        }
        let trees = (&self.public.tree, &transition.after.tree);
        let context = self.public.context.encoded();
        let gained = keys_gained(crypto, paths, trees, self.leaf, &self.keys, &context)?;
        let mut keys = self.keys.clone();
        keys.extend(gained);
        Ok(Some(keys))
    }

    /// The member's own Update or path, where the commit covers it; or the key that others have made for
    /// it, which is held like that of an Update once shares have led to it.
    fn own_update<'h>(
        &self,
        transition: &Transition,
        holdings: &'h Holdings,
    ) -> Result<Option<&'h OwnUpdate>, FollowError> {
        let mut paths = transition.applied.paths.iter();
        let own = transition.applied.updated.contains(&self.leaf)
            || paths.any(|path| path.sender == self.leaf);
        let missing = if own {
            FollowError::OwnUpdate
        } else if transition.applied.quarantined.iter().any(|it| it.ghost == self.leaf) {
            FollowError::Ghost
        } else {
            return Ok(None);
        };
        let leaf = transition.after.tree.leaf(self.leaf);
        let own = leaf.and_then(|leaf| holdings.update(&leaf.encryption_key));
        own.map(Some).ok_or(missing)
    }

    fn open_path(
        &self,
        crypto: &Crypto<'_>,
        transition: &Transition,
        keys: &PrivateKeys,
    ) -> Result<Option<OpenedPath>, FollowError> {
        let Some(path) = &transition.path else { return Ok(None) };
        if let Some(set) = transition.refresh_set() {
            let (update_path, context) = (&path.update_path, &path.provisional_context);
            return Ok(Some(update_path.decrypt_set(crypto, &set, self.leaf, keys, context)?));
        }
        let opened = path.update_path.decrypt(
            crypto,
            &path.tree_before,
            transition.committer,
            self.leaf,
            keys,
            &transition.added,
            &path.provisional_context,
        )?;
        Ok(Some(opened))
    }
}
