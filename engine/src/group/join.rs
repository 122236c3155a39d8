//! Joining by a Welcome (RFC 9420 §12.4.3.1), in three parts: what the Welcome says to this
//! client alone, the validation of the public state, and the secrets that follow.

use std::sync::Arc;

use super::context::GroupInfo;
use super::member::Member;
use super::public_group::PublicGroup;
use super::transcript::interim_transcript_hash;
use crate::codec::{CodecError, decode};
use crate::crypto::{Crypto, CryptoError, SignatureKeyPair};
use crate::tree::{LeafIndex, OutsideTree};
use crate::treedem::MlsMessage;
use crate::treekem::{
    EpochSecrets, GroupSecrets, JoinerSecret, PathError, PathSecret, PrivateKeys, Welcome,
    WelcomeError,
};
use crate::treesync::{
    DecodeTreeError, ExtensionType, KeyPackage, KeyPackageSecrets, LeafNodeError, RatchetTree,
    Roster, TreeError, decode_tree, tree_hash, validate_tree,
};

/// The rule that a Welcome or its tree breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// The message is not a Welcome.
    #[error("the message is not a Welcome")]
    NotAWelcome,
    /// The Welcome, the group and the package are not all of one suite.
    #[error("the Welcome is for another cipher suite (RFC 9420 §12.4.3.1)")]
    WrongSuite,
    /// The Welcome does not open.
    #[error(transparent)]
    Welcome(#[from] WelcomeError),
    /// Pre-shared keys are asked for.
    #[error("the Welcome asks for pre-shared keys, which this version does not hold")]
    PreSharedKeys,
    /// Neither the Welcome nor the caller has the tree.
    #[error("the Welcome carries no ratchet tree and none was fetched (RFC 9420 §12.4.3.3)")]
    NoTree,
    /// The tree cannot be decoded.
    #[error(transparent)]
    DecodeTree(#[from] DecodeTreeError),
    /// The tree is not the one the group info speaks of.
    #[error("the tree hash is not that of the group info (RFC 9420 §12.4.3.1)")]
    TreeHash,
    /// The tree is invalid.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The group info's signer is not a member.
    #[error("the signer of the group info is not a member (RFC 9420 §12.4.3.1)")]
    UnknownSigner,
    /// The group info's signature is wrong.
    #[error("the group info's signature: {0}")]
    GroupInfo(#[from] LeafNodeError),
    /// The joiner's leaf is not in the tree.
    #[error("the tree has no leaf of this key package (RFC 9420 §12.4.3.1)")]
    NotInTree,
    /// The path secret does not fit the tree.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The confirmation tag is wrong.
    #[error("the confirmation tag does not verify (RFC 9420 §12.4.3.1)")]
    ConfirmationTag,
    /// A primitive refused.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// Something has no encoding, or is none.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A leaf lies outside the tree.
    #[error(transparent)]
    Outside(#[from] OutsideTree),
}

/// What a Welcome says to one client.
#[derive(Clone, Debug)]
pub struct OpenedWelcome {
    /// The secrets.
    pub group_secrets: GroupSecrets,
    /// The group's state.
    pub group_info: GroupInfo,
}

impl OpenedWelcome {
    /// Opens a Welcome with the private halves of a key package.
    pub fn open(
        crypto: &Crypto<'_>,
        welcome: &Welcome,
        package: &KeyPackage,
        secrets: &KeyPackageSecrets,
    ) -> Result<Self, JoinError> {
        if welcome.cipher_suite != package.cipher_suite {
            return Err(JoinError::WrongSuite);
        }
        let entry = welcome.entry(&package.reference(crypto)?)?;
        let info = welcome.encrypted_group_info.as_slice();
        let group_secrets = entry.open(crypto, &secrets.init, info)?;
        if !group_secrets.psks.is_empty() {
            return Err(JoinError::PreSharedKeys);
        }
        let joiner = JoinerSecret(group_secrets.joiner_secret.clone());
        let key = joiner.welcome_key(crypto, &crypto.zero())?;
        let info = crypto.aead_open(&key.key, &key.nonce, &[], info)?;
        let group_info: GroupInfo = decode("a group info", &info)?;
        if group_info.group_context.cipher_suite != package.cipher_suite {
            return Err(JoinError::WrongSuite);
        }
        Ok(Self { group_secrets, group_info })
    }

    /// The tree inside the Welcome, if it carries one.
    pub fn tree(&self) -> Result<Option<RatchetTree>, DecodeTreeError> {
        self.group_info.extension(ExtensionType::RATCHET_TREE).map(decode_tree).transpose()
    }

    /// Validates the public state: the tree against the group info, and the tree in itself.
    pub fn validate(
        &self,
        crypto: &Crypto<'_>,
        tree: RatchetTree,
    ) -> Result<(PublicGroup, Roster), JoinError> {
        let info = &self.group_info;
        let context = info.group_context.clone();
        if tree_hash(crypto, &tree) != context.tree_hash {
            return Err(JoinError::TreeHash);
        }
        let signer = tree.leaf(info.signer).ok_or(JoinError::UnknownSigner)?;
        info.verify(crypto, &signer.signature_key)?;
        let rules = context.leaf_rules()?;
        let roster = validate_tree(crypto, &tree, context.group_id.as_slice(), &rules)?;
        let confirmed = &context.confirmed_transcript_hash;
        let interim_transcript_hash =
            interim_transcript_hash(crypto, confirmed, &info.confirmation_tag)?;
        Ok((PublicGroup { context, tree, interim_transcript_hash }, roster))
    }

    /// The epoch's secrets, checked against the confirmation tag.
    pub fn epoch_secrets(&self, crypto: &Crypto<'_>) -> Result<EpochSecrets, JoinError> {
        let context = &self.group_info.group_context;
        let joiner = JoinerSecret(self.group_secrets.joiner_secret.clone());
        let secrets = joiner.epoch_secrets(crypto, &crypto.zero(), &context.encoded())?;
        let tag = secrets.confirmation_tag(crypto, &context.confirmed_transcript_hash);
        if tag != self.group_info.confirmation_tag {
            return Err(JoinError::ConfirmationTag);
        }
        Ok(secrets)
    }

    /// The keys above the joiner's leaf that the path secret gives, each checked against the
    /// tree.
    pub fn path_keys(
        &self,
        crypto: &Crypto<'_>,
        tree: &RatchetTree,
        leaf: LeafIndex,
        keys: &mut PrivateKeys,
    ) -> Result<(), JoinError> {
        let Some(secret) = &self.group_secrets.path_secret else { return Ok(()) };
        let mut secret = PathSecret(secret.clone());
        let path = tree.filtered_direct_path(self.group_info.signer)?;
        for (node, step) in path.iter().enumerate() {
            if !step.node.contains(leaf) {
                continue;
            }
            let pair = secret.key_pair(crypto)?;
            if step.node.parent().is_none_or(|parent| parent.encryption_key != pair.public) {
                return Err(PathError::PublicKey(node).into());
            }
            keys.extend([pair]);
            secret = secret.next(crypto);
        }
        Ok(())
    }
}

impl Member {
    /// Joins by a Welcome. `tree` is the ratchet tree if it was fetched apart.
    pub fn join(
        crypto: &Crypto<'_>,
        welcome: &[u8],
        tree: Option<RatchetTree>,
        signer: SignatureKeyPair,
        package: &KeyPackage,
        secrets: &KeyPackageSecrets,
    ) -> Result<(Self, Roster), JoinError> {
        let MlsMessage::Welcome(welcome) = decode("an MLS message", welcome)? else {
            return Err(JoinError::NotAWelcome);
        };
        let opened = OpenedWelcome::open(crypto, &welcome, package, secrets)?;
        let tree = opened.tree()?.or(tree).ok_or(JoinError::NoTree)?;
        let (public, roster) = opened.validate(crypto, tree)?;
        let mut leaves = public.tree.root().leaves().into_iter();
        let mine = leaves.find(|(_, leaf)| ***leaf == package.leaf_node);
        let leaf = mine.ok_or(JoinError::NotInTree)?.0;
        let mut keys = PrivateKeys::of_leaf(secrets.encryption.clone());
        opened.path_keys(crypto, &public.tree, leaf, &mut keys)?;
        let secrets = Arc::new(opened.epoch_secrets(crypto)?);
        Ok((Self { public, leaf, signer, keys, secrets }, roster))
    }
}
