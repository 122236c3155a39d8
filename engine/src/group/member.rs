//! A member: the private half of following a commit (RFC 9420 §12.4.2), and the creation of a
//! group (§11).

use std::sync::Arc;

use rand_core::Rng;

use super::context::GroupContext;
use super::public_group::{PublicGroup, Transition};
use super::transcript::interim_transcript_hash;
use crate::codec::CodecError;
use crate::crypto::{Crypto, CryptoError, Digest, Secret, Seed, SignatureKeyPair};
use crate::tree::{LeafIndex, OutsideTree, Perfect, Tree};
use crate::treekem::{EpochSecrets, JoinerSecret, OpenedPath, PathError, PrivateKeys};
use crate::treesync::{KeyPackage, KeyPackageSecrets, ProtocolVersion, apply_add, tree_hash};

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

/// What following a commit came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    /// The member is in the new epoch.
    Advanced,
    /// The commit removed the member.
    Removed,
}

/// What every member of an epoch computes alike, path or no path.
impl Transition {
    /// Checks the membership tag with the old epoch's key.
    pub fn verify_membership(
        &self,
        crypto: &Crypto<'_>,
        secrets: &EpochSecrets,
    ) -> Result<(), FollowError> {
        let (content, tag) = &self.membership;
        if crypto.mac(&secrets.membership_key, content) == *tag {
            Ok(())
        } else {
            Err(FollowError::MembershipTag)
        }
    }

    /// Runs the key schedule from the old epoch's secrets and the commit secret, and checks
    /// the confirmation tag.
    pub fn next_secrets(
        &self,
        crypto: &Crypto<'_>,
        before: &EpochSecrets,
        commit_secret: &Secret,
    ) -> Result<EpochSecrets, FollowError> {
        let context = self.after.context.encoded();
        let joiner = JoinerSecret::derive(crypto, &before.init_secret, commit_secret, &context)?;
        let secrets = joiner.epoch_secrets(crypto, &crypto.zero(), &context)?;
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
        let mut tree = Tree::new(Perfect);
        let leaf = apply_add(&mut tree, Arc::new(package.leaf_node.clone()))?;
        let mut group_id = Seed::default();
        rng.fill_bytes(&mut group_id);
        let mut epoch_secret = vec![0; crypto.provider().digest_length()];
        rng.fill_bytes(&mut epoch_secret);
        let epoch_secret = Secret::from(epoch_secret);
        let secrets_0 = EpochSecrets::derive(crypto, &epoch_secret);
        let context = GroupContext {
            version: ProtocolVersion::MLS10,
            cipher_suite: crypto.cipher_suite(),
            group_id: group_id.to_vec().into(),
            epoch: 0,
            tree_hash: tree_hash(crypto, &tree),
            confirmed_transcript_hash: Digest::EMPTY,
            extensions: vec![],
        };
        let tag = secrets_0.confirmation_tag(crypto, &Digest::EMPTY);
        let interim_transcript_hash = interim_transcript_hash(crypto, &Digest::EMPTY, &tag)?;
        Ok(Self {
            public: PublicGroup { context, tree, interim_transcript_hash },
            leaf,
            signer,
            keys: PrivateKeys::of_leaf(secrets.encryption.clone()),
            secrets: Arc::new(secrets_0),
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
        let (at, to) = (self.epoch(), transition.after.epoch());
        if to != at + 1 {
            return Err(FollowError::Epoch { at, to });
        }
        transition.verify_membership(crypto, &self.secrets)?;
        if transition.applied.removed.contains(&self.leaf) {
            return Ok(Followed::Removed);
        }
        let opened = self.open_path(crypto, transition)?;
        let commit_secret = opened.as_ref().map_or(crypto.zero(), |p| p.commit_secret.clone());
        let secrets = transition.next_secrets(crypto, &self.secrets, &commit_secret)?;
        self.keys.forget_outdated(&transition.after.tree, self.leaf)?;
        if let Some(opened) = opened {
            self.keys.extend(opened.key_pairs);
        }
        self.secrets = Arc::new(secrets);
        self.public = transition.after.clone();
        Ok(Followed::Advanced)
    }

    fn open_path(
        &self,
        crypto: &Crypto<'_>,
        transition: &Transition,
    ) -> Result<Option<OpenedPath>, FollowError> {
        let Some(path) = &transition.path else { return Ok(None) };
        let opened = path.update_path.decrypt(
            crypto,
            &path.tree_before,
            transition.committer,
            self.leaf,
            &self.keys,
            &transition.added,
            &path.provisional_context,
        )?;
        Ok(Some(opened))
    }
}
