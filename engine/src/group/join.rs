//! Joining by a Welcome (RFC 9420 §12.4.3.1), in three parts: what the Welcome says to this
//! client alone, the validation of the public state, and the secrets that follow.

use std::sync::Arc;

use super::member::Member;
use super::public_group::PublicGroup;
use super::transcript::interim_transcript_hash;
use crate::codec::{CodecError, decode};
use crate::crypto::{Crypto, CryptoError, Secret, SignatureKeyPair};
use crate::strategy::Strategy;
use crate::tree::{LeafIndex, OutsideTree};
use crate::treedem::MlsMessage;
use crate::treekem::{
    EpochSecrets, GroupInfo, GroupSecrets, JoinerSecret, PathError, PathSecret, PrivateKeys,
    PskError, PskStore, Welcome, WelcomeError, keys_told,
};
use crate::treesync::{
    DecodeTreeError, ExtensionType, KeyPackage, KeyPackageSecrets, LeafNodeError, ProtocolVersion,
    RatchetTree, Roster, TreeError, check_distinct, decode_tree_of, tree_hash, validate_tree,
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
    /// A pre-shared key cannot be used.
    #[error(transparent)]
    Psk(#[from] PskError),
    /// The list of pre-shared keys ties the group to more than one other.
    #[error(
        "the Welcome has several resumption keys of usage reinit or branch (RFC 9420 §12.4.3.1)"
    )]
    ManyTies,
    /// The Welcome ties the group to another, which was not named.
    #[error(
        "the Welcome replaces a group or branches off one (RFC 9420 §11.2, §11.3): name that group"
    )]
    Tied,
    /// The Welcome does not tie the group to the one that was named.
    #[error("the Welcome does not tie the group to the one named (RFC 9420 §11.2, §11.3)")]
    NotTied,
    /// The group is not what its tie to another demands.
    #[error("the group does not match the one it is tied to: {0} (RFC 9420 §12.4.3.1)")]
    TieBroken(&'static str),
    /// The client is in the group already.
    #[error("this client is in a group of this identifier already (RFC 9420 §12.4.3.1)")]
    AlreadyIn,
    /// The group cannot be joined by oneself.
    #[error("the group info has no external_pub: nobody can join by it (RFC 9420 §12.4.3.2)")]
    NoExternalKey,
    /// Neither the Welcome nor the caller has the tree.
    #[error("the Welcome carries no ratchet tree and none was fetched (RFC 9420 §12.4.3.3)")]
    NoTree,
    /// The tree cannot be decoded.
    #[error(transparent)]
    DecodeTree(#[from] DecodeTreeError),
    /// The tree is laid out by other rules than the group's.
    #[error("the tree was decoded under another strategy than the group's")]
    OtherStrategy,
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

impl GroupInfo {
    /// The tree that it carries, if it does.
    pub fn tree(&self) -> Result<Option<RatchetTree>, DecodeTreeError> {
        let Some(tree) = self.extension(ExtensionType::RATCHET_TREE) else { return Ok(None) };
        let strategy = Strategy::of_extensions(&self.group_context.extensions)?;
        decode_tree_of(strategy, tree).map(Some)
    }

    /// Validates the public state: the tree against the group info, and the tree in itself.
    pub fn validate(
        &self,
        crypto: &Crypto<'_>,
        tree: RatchetTree,
    ) -> Result<(PublicGroup, Roster), JoinError> {
        let context = self.group_context.clone();
        if context.version != ProtocolVersion::MLS10
            || context.cipher_suite != crypto.cipher_suite()
        {
            return Err(JoinError::WrongSuite);
        }
        check_distinct(&self.extensions)?;
        check_distinct(&context.extensions)?;
        if Strategy::of_extensions(&context.extensions)? != *tree.shape() {
            return Err(JoinError::OtherStrategy);
        }
        if tree_hash(crypto, &tree) != context.tree_hash {
            return Err(JoinError::TreeHash);
        }
        let signer = tree.leaf(self.signer).ok_or(JoinError::UnknownSigner)?;
        self.verify(crypto, &signer.signature_key)?;
        let rules = context.leaf_rules()?;
        let roster = validate_tree(crypto, &tree, context.group_id.as_slice(), &rules)?;
        let confirmed = &context.confirmed_transcript_hash;
        let interim_transcript_hash =
            interim_transcript_hash(crypto, confirmed, &self.confirmation_tag)?;
        Ok((PublicGroup { context, tree, interim_transcript_hash }, roster))
    }
}

/// What a Welcome says to one client.
#[derive(Clone, Debug)]
pub struct OpenedWelcome {
    /// The secrets.
    pub group_secrets: GroupSecrets,
    /// The group's state.
    pub group_info: GroupInfo,
    /// The secret of the pre-shared keys that it asks for.
    psk_secret: Secret,
}

impl OpenedWelcome {
    /// Opens a Welcome with the private halves of a key package and the pre-shared keys that
    /// the client holds.
    pub fn open(
        crypto: &Crypto<'_>,
        welcome: &Welcome,
        package: &KeyPackage,
        secrets: &KeyPackageSecrets,
        psks: &PskStore,
    ) -> Result<Self, JoinError> {
        if welcome.cipher_suite != package.cipher_suite {
            return Err(JoinError::WrongSuite);
        }
        let entry = welcome.entry(&package.reference(crypto)?)?;
        let info = welcome.encrypted_group_info.as_slice();
        let group_secrets = entry.open(crypto, &secrets.init, info)?;
        if group_secrets.psks.iter().filter(|id| id.psk_type.ties_groups()).count() > 1 {
            return Err(JoinError::ManyTies);
        }
        let psk_secret = psks.psk_secret(crypto, &group_secrets.psks)?;
        let joiner = JoinerSecret(group_secrets.joiner_secret.clone());
        let key = joiner.welcome_key(crypto, &psk_secret)?;
        let info = crypto.aead_open(&key.key, &key.nonce, &[], info)?;
        let group_info: GroupInfo = decode("a group info", &info)?;
        if group_info.group_context.cipher_suite != package.cipher_suite {
            return Err(JoinError::WrongSuite);
        }
        Ok(Self { group_secrets, group_info, psk_secret })
    }

    /// The epoch's secrets, checked against the confirmation tag.
    pub fn epoch_secrets(&self, crypto: &Crypto<'_>) -> Result<EpochSecrets, JoinError> {
        let context = &self.group_info.group_context;
        let joiner = JoinerSecret(self.group_secrets.joiner_secret.clone());
        let secrets = joiner.epoch_secrets(crypto, &self.psk_secret, &context.encoded())?;
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
        if tree.shape().taints() {
            let told = self.group_secrets.path_secret.as_ref();
            keys.extend(keys_told(crypto, told, tree, leaf)?);
            return Ok(());
        }
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
    /// Joins by a Welcome that asks for no pre-shared key. `tree` is the ratchet tree if it was
    /// fetched apart.
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
        let opened = OpenedWelcome::open(crypto, &welcome, package, secrets, &PskStore::default())?;
        opened.join(crypto, tree, signer, package, secrets)
    }
}

impl OpenedWelcome {
    /// Joins the group that an opened Welcome leads to.
    pub fn join(
        self,
        crypto: &Crypto<'_>,
        tree: Option<RatchetTree>,
        signer: SignatureKeyPair,
        package: &KeyPackage,
        secrets: &KeyPackageSecrets,
    ) -> Result<(Member, Roster), JoinError> {
        let opened = self;
        let tree = opened.group_info.tree()?.or(tree).ok_or(JoinError::NoTree)?;
        let (public, roster) = opened.group_info.validate(crypto, tree)?;
        let mut leaves = public.tree.root().leaves().into_iter();
        let mine = leaves.find(|(_, leaf)| ***leaf == package.leaf_node);
        let leaf = mine.ok_or(JoinError::NotInTree)?.0;
        let mut keys = PrivateKeys::of_leaf(secrets.encryption.clone());
        opened.path_keys(crypto, &public.tree, leaf, &mut keys)?;
        let secrets = Arc::new(opened.epoch_secrets(crypto)?);
        Ok((Member { public, leaf, signer, keys, secrets }, roster))
    }
}
