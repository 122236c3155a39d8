//! Creating a commit and its Welcome (RFC 9420 §12.4.1, §12.4.3).

use std::sync::Arc;

use rand_core::Rng;
use tls_codec::Size;

use super::context::GroupInfo;
use super::member::Member;
use super::public_group::{ApplyError, Proposed, PublicGroup};
use super::transcript::{confirmed_transcript_hash, interim_transcript_hash};
use crate::codec::{CodecError, encode};
use crate::crypto::{Crypto, CryptoError, Digest, Sealed, Secret, Seed};
use crate::tree::{LeafIndex, OutsideTree};
use crate::treedem::{
    Commit, Content, FramedContent, MlsMessage, PublicMessage, Sender, WireFormat,
    authenticated_content_tbm, framed_content_tbs,
};
use crate::treekem::{
    EncryptedGroupSecrets, GroupSecrets, JoinerSecret, NewPath, PrivateKeys, UpdatePath, Welcome,
};
use crate::treesync::{
    Extension, ExtensionType, KeyPackage, LeafNode, LeafNodeError, LeafNodeSource, Proposal,
    ProposalOrRef, RosterChange, encode_tree,
};

/// What a member wants to commit.
#[derive(Clone, Debug)]
pub struct CommitRequest {
    /// Proposals, by value.
    pub proposals: Vec<Proposal>,
    /// Whether to send a path although none is required.
    pub path: bool,
    /// Whether a Welcome carries the ratchet tree, or leaves its recipients to fetch it.
    pub tree_in_welcome: bool,
    /// The second since the Unix epoch at which lifetimes are checked.
    pub now: u64,
}

/// What a commit costs its sender in message, in bytes by part, and what it reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommitCost {
    /// Ciphertexts of the path.
    pub ciphertexts: u64,
    /// Public keys of the path, the leaf's not among them.
    pub public_keys: u64,
    /// The whole commit message.
    pub bytes: u64,
    /// Its list of proposals.
    pub bytes_proposals: u64,
    /// The new leaf node.
    pub bytes_leaf_node: u64,
    /// The path's public keys.
    pub bytes_path_keys: u64,
    /// The path's ciphertexts, with their vector headers.
    pub bytes_path_ciphertexts: u64,
    /// Everything else: frame, signature, tags.
    pub bytes_framing: u64,
    /// The Welcome, if there is one.
    pub bytes_welcome: u64,
}

/// A commit that is made but not yet accepted. Its sender stays in the old epoch until the
/// Delivery Service has chosen it.
#[derive(Clone, Debug)]
pub struct PendingCommit {
    /// The encoded message.
    pub message: Vec<u8>,
    /// The encoded Welcome, where clients are added.
    pub welcome: Option<Vec<u8>>,
    /// What it costs.
    pub cost: CommitCost,
    /// The sender in the new epoch.
    pub after: Member,
    /// The joiner secret, which only the sender and the joiners ever hold.
    pub joiner: JoinerSecret,
    /// The path secrets that were sent, from the lowest node.
    pub path: Option<NewPath>,
    /// The added leaves, in the order of their proposals.
    pub added: Vec<LeafIndex>,
    /// How the sender's roster changes.
    pub roster_changes: Vec<RosterChange>,
}

/// Why a commit could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Receivers would refuse it.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// Something could not be signed.
    #[error(transparent)]
    Sign(#[from] LeafNodeError),
}

impl From<CryptoError> for CommitError {
    fn from(error: CryptoError) -> Self {
        Self::Apply(error.into())
    }
}

impl From<CodecError> for CommitError {
    fn from(error: CodecError) -> Self {
        Self::Apply(error.into())
    }
}

impl From<crate::treekem::PathError> for CommitError {
    fn from(error: crate::treekem::PathError) -> Self {
        Self::Apply(error.into())
    }
}

impl From<crate::treesync::TreeError> for CommitError {
    fn from(error: crate::treesync::TreeError) -> Self {
        Self::Apply(error.into())
    }
}

impl From<OutsideTree> for CommitError {
    fn from(error: OutsideTree) -> Self {
        Self::Apply(ApplyError::Path(error.into()))
    }
}

/// A path drawn for a commit, and what is sent of it.
struct DrawnPath {
    secrets: NewPath,
    sent: UpdatePath,
}

impl Member {
    /// Makes a commit. Everything random comes from `rng`.
    pub fn commit(
        &self,
        crypto: &Crypto<'_>,
        roster: &crate::treesync::Roster,
        request: CommitRequest,
        rng: &mut dyn Rng,
    ) -> Result<PendingCommit, CommitError> {
        let proposals: Vec<&Proposal> = request.proposals.iter().collect();
        let path =
            request.path || proposals.is_empty() || proposals.iter().any(|p| p.requires_path());
        let mut proposed =
            self.public.propose(crypto, roster, self.leaf, &proposals, Some(request.now))?;
        let before = proposed.tree.clone();
        let secrets = path.then(|| self.draw_path(crypto, &mut proposed, rng)).transpose()?;
        let mut public = self.public.next(crypto, proposed.tree.clone());
        let drawn = secrets
            .map(|secrets| {
                let context = public.context.encoded();
                let added = &proposed.added;
                let nodes = secrets.encrypt(crypto, &before, self.leaf, added, &context, rng)?;
                let leaf_node =
                    LeafNode::clone(public.tree.leaf(self.leaf).ok_or(ApplyError::UnknownSender)?);
                Ok::<_, CommitError>(DrawnPath { secrets, sent: UpdatePath { leaf_node, nodes } })
            })
            .transpose()?;
        let (secrets, sent) = drawn.map(|d| (d.secrets, d.sent)).unzip();
        let commit_secret =
            secrets.as_ref().map_or(crypto.zero(), |path: &NewPath| path.commit_secret.clone());
        let framed = self.frame(crypto, &mut public, request.proposals, sent, &commit_secret)?;
        let keys = secrets.as_ref().map_or(self.keys.clone(), own_keys);
        let mut after = Member {
            public,
            leaf: self.leaf,
            signer: self.signer.clone(),
            keys,
            secrets: Arc::new(framed.secrets),
        };
        after.keys.forget_outdated(&after.public.tree, after.leaf)?;
        let Proposed { roster, applied, .. } = proposed;
        let mut pending = PendingCommit {
            message: encode(&MlsMessage::Public(framed.message))?,
            welcome: None,
            cost: framed.cost,
            after,
            joiner: framed.joiner,
            path: secrets,
            added: applied.added,
            roster_changes: roster.finish()?,
        };
        pending.cost.bytes = pending.message.len() as u64;
        if !pending.added.is_empty() {
            let welcome = pending.welcome(
                crypto,
                &framed.packages,
                framed.tag,
                request.tree_in_welcome,
                rng,
            )?;
            pending.cost.bytes_welcome = welcome.len() as u64;
            pending.welcome = Some(welcome);
        }
        Ok(pending.with_framing())
    }

    /// Draws the secrets of a new path and merges their keys into the proposed tree.
    fn draw_path(
        &self,
        crypto: &Crypto<'_>,
        proposed: &mut Proposed<'_>,
        rng: &mut dyn Rng,
    ) -> Result<NewPath, CommitError> {
        let length = proposed.tree.filtered_direct_path(self.leaf)?.len();
        let mut seed = Seed::default();
        rng.fill_bytes(&mut seed);
        let path = NewPath::generate(crypto, length, &seed)?;
        let old = self.public.tree.leaf(self.leaf).ok_or(ApplyError::UnknownSender)?.clone();
        let group_id = self.public.context.group_id.as_slice();
        self.public.merge(crypto, proposed, self.leaf, &path.public_keys(), |parent_hash| {
            let mut leaf = LeafNode::clone(&old);
            leaf.encryption_key = path.leaf.public.clone();
            leaf.leaf_node_source = LeafNodeSource::Commit(parent_hash);
            leaf.sign(crypto, &self.signer.private, group_id, self.leaf)?;
            Ok::<_, CommitError>(leaf)
        })?;
        Ok(path)
    }

    /// Signs, confirms and tags the commit, and continues the transcript in `public`.
    fn frame(
        &self,
        crypto: &Crypto<'_>,
        public: &mut PublicGroup,
        proposals: Vec<Proposal>,
        path: Option<UpdatePath>,
        commit_secret: &Secret,
    ) -> Result<Framed, CommitError> {
        let commit = Commit {
            proposals: proposals.into_iter().map(ProposalOrRef::Proposal).collect(),
            path,
        };
        let cost = cost_of(&commit);
        let content = FramedContent {
            group_id: self.public.context.group_id.clone(),
            epoch: self.epoch(),
            sender: Sender::Member(self.leaf),
            authenticated_data: vec![].into(),
            content: Content::Commit(commit),
        };
        let encoded = encode(&content)?;
        let old_context = self.public.context.encoded();
        let tbs = framed_content_tbs(WireFormat::PUBLIC_MESSAGE, &encoded, &old_context);
        let signature = crypto.sign_with_label(&self.signer.private, "FramedContentTBS", &tbs)?;
        let confirmed = confirmed_transcript_hash(
            crypto,
            &self.public.interim_transcript_hash,
            WireFormat::PUBLIC_MESSAGE,
            &encoded,
            &signature,
        )?;
        public.context.confirmed_transcript_hash = confirmed;
        let context = public.context.encoded();
        let init = &self.secrets.init_secret;
        let joiner = JoinerSecret::derive(crypto, init, commit_secret, &context)?;
        let secrets = joiner.epoch_secrets(crypto, &crypto.zero(), &context)?;
        let tag = secrets.confirmation_tag(crypto, &confirmed);
        public.interim_transcript_hash = interim_transcript_hash(crypto, &confirmed, &tag)?;
        let tbm = authenticated_content_tbm(&tbs, &signature, Some(&tag))?;
        let membership_tag = Some(crypto.mac(&self.secrets.membership_key, &tbm));
        let packages = added_packages(crypto, &content)?;
        let message =
            PublicMessage { content, signature, confirmation_tag: Some(tag), membership_tag };
        Ok(Framed { message, cost, joiner, secrets, tag, packages })
    }
}

/// A commit in its frame, and what its sender learned on the way.
struct Framed {
    message: PublicMessage,
    cost: CommitCost,
    joiner: JoinerSecret,
    secrets: crate::treekem::EpochSecrets,
    tag: Digest,
    packages: Vec<NewMember>,
}

/// An added client: where its Welcome goes.
struct NewMember {
    reference: Digest,
    init_key: crate::crypto::HpkePublicKey,
}

fn added_packages(
    crypto: &Crypto<'_>,
    content: &FramedContent,
) -> Result<Vec<NewMember>, CodecError> {
    let Content::Commit(commit) = &content.content else { return Ok(vec![]) };
    let new_member = |package: &KeyPackage| {
        Ok(NewMember { reference: package.reference(crypto)?, init_key: package.init_key.clone() })
    };
    let packages = commit.proposals.iter().filter_map(|listed| match listed {
        ProposalOrRef::Proposal(Proposal::Add(package)) => Some(new_member(package)),
        _ => None,
    });
    packages.collect()
}

fn own_keys(path: &NewPath) -> PrivateKeys {
    let mut keys = PrivateKeys::of_leaf(path.leaf.clone());
    keys.extend(path.key_pairs.iter().cloned());
    keys
}

fn cost_of(commit: &Commit) -> CommitCost {
    let mut cost = CommitCost {
        bytes_proposals: commit.proposals.tls_serialized_len() as u64,
        ..CommitCost::default()
    };
    if let Some(path) = &commit.path {
        cost.bytes_leaf_node = path.leaf_node.tls_serialized_len() as u64;
        cost.public_keys = path.nodes.len() as u64;
        cost.ciphertexts = path.ciphertexts() as u64;
        for node in &path.nodes {
            cost.bytes_path_keys += node.encryption_key.tls_serialized_len() as u64;
            cost.bytes_path_ciphertexts += node.encrypted_path_secret.tls_serialized_len() as u64;
        }
    }
    cost
}

impl PendingCommit {
    /// What of the message no other part accounts for.
    fn with_framing(mut self) -> Self {
        let cost = &mut self.cost;
        let parts = cost.bytes_proposals
            + cost.bytes_leaf_node
            + cost.bytes_path_keys
            + cost.bytes_path_ciphertexts;
        cost.bytes_framing = cost.bytes - parts;
        self
    }

    /// The position on the filtered path of the lowest node above both the sender and a
    /// member.
    fn common_node(&self, member: LeafIndex) -> Result<Option<usize>, OutsideTree> {
        let path = self.after.public.tree.filtered_direct_path(self.after.leaf)?;
        Ok(path.iter().position(|step| step.node.contains(member)))
    }

    /// The Welcome for everybody this commit adds.
    fn welcome(
        &self,
        crypto: &Crypto<'_>,
        packages: &[NewMember],
        confirmation_tag: Digest,
        with_tree: bool,
        rng: &mut dyn Rng,
    ) -> Result<Vec<u8>, CommitError> {
        let key = self.joiner.welcome_key(crypto, &crypto.zero())?;
        let info = self.group_info(crypto, confirmation_tag, with_tree)?;
        let encrypted_group_info = crypto.aead_seal(&key.key, &key.nonce, &[], &encode(&info)?)?;
        let path_length = self.path.as_ref().map_or(0, |path| path.secrets.len());
        // Members below one node of the path are told the same thing.
        let mut plaintexts = Vec::with_capacity(path_length + 1);
        for node in 0..=path_length {
            let secret = self.path.as_ref().and_then(|path| path.secrets.get(node));
            let group_secrets = GroupSecrets {
                joiner_secret: self.joiner.0.clone(),
                path_secret: secret.map(|secret| secret.0.clone()),
                psks: vec![],
            };
            plaintexts.push(group_secrets.plaintext()?);
        }
        let mut items = Vec::with_capacity(packages.len());
        for (package, leaf) in packages.iter().zip(&self.added) {
            let node = self.common_node(*leaf)?.filter(|_| path_length > 0);
            let plaintext = plaintexts[node.unwrap_or(path_length)].as_slice();
            let mut seed = Seed::default();
            rng.fill_bytes(&mut seed);
            items.push(Sealed { to: &package.init_key, plaintext, seed });
        }
        let sealed =
            crypto.encrypt_all_with_label(GroupSecrets::LABEL, &encrypted_group_info, &items)?;
        let secrets = packages.iter().zip(sealed).map(|(package, encrypted_group_secrets)| {
            EncryptedGroupSecrets { new_member: package.reference, encrypted_group_secrets }
        });
        let welcome = Welcome {
            cipher_suite: crypto.cipher_suite(),
            secrets: secrets.collect(),
            encrypted_group_info: encrypted_group_info.into(),
        };
        Ok(encode(&MlsMessage::Welcome(welcome))?)
    }

    fn group_info(
        &self,
        crypto: &Crypto<'_>,
        confirmation_tag: Digest,
        with_tree: bool,
    ) -> Result<GroupInfo, CommitError> {
        let mut extensions = vec![];
        if with_tree {
            extensions.push(Extension {
                extension_type: ExtensionType::RATCHET_TREE,
                extension_data: encode_tree(&self.after.public.tree)?.into(),
            });
        }
        let mut info = GroupInfo {
            group_context: self.after.public.context.clone(),
            extensions,
            confirmation_tag,
            signer: self.after.leaf,
            signature: vec![].into(),
        };
        info.sign(crypto, &self.after.signer.private)?;
        Ok(info)
    }
}
