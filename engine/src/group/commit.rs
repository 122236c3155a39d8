//! Creating a commit and its Welcome (RFC 9420 §12.4.1, §12.4.3).

use std::sync::Arc;

use rand_core::Rng;

use super::commit_cost::CommitCost;
use super::holdings::Holdings;
use super::member::Member;
use super::public_group::{ApplyError, Proposed, PublicGroup, Viewpoint};
use super::transcript::{confirmed_transcript_hash, interim_transcript_hash};
use crate::codec::{CodecError, encode};
use crate::crypto::{
    Crypto, CryptoError, Digest, HpkePublicKey, Sealed, Secret, Seed, SignatureKeyPair,
};
use crate::tree::{LeafIndex, OutsideTree};
use crate::treedem::{
    AuthenticatedContent, Commit, Content, FramedContent, MlsMessage, PrivateMessage,
    PrivateMessageError, PublicMessage, ReuseGuard, SecretTree, Sender, WireFormat,
};
use crate::treekem::{
    EncryptedGroupSecrets, EpochSecrets, GroupInfo, GroupSecrets, JoinerSecret, NewPath,
    PrivateKeys, PskError, RefreshSet, UpdatePath, Welcome,
};
use crate::treesync::{
    AppliedProposals, ExpectedSource, Extension, ExtensionType, LeafNode, LeafNodeError,
    LeafNodeSource, Listed, Proposal, ProposalOrRef, Purpose, Roster, RosterChange, encode_tree,
};

/// What a member wants to commit.
#[derive(Clone, Debug, Default)]
pub struct CommitRequest {
    /// Proposals, by value.
    pub proposals: Vec<Proposal>,
    /// The references of proposals received before, which come first in the commit's list.
    pub references: Vec<Digest>,
    /// Whether to send a path although none is required.
    pub path: bool,
    /// A signature key that the sender's new leaf is to have in the place of its old one.
    pub signer: Option<SignatureKeyPair>,
    /// Whether a Welcome carries the ratchet tree, or leaves its recipients to fetch it.
    pub tree_in_welcome: bool,
    /// The second since the Unix epoch at which lifetimes are checked.
    pub now: u64,
    /// What the commit is part of.
    pub purpose: Purpose,
    /// What the application authenticates along with it.
    pub authenticated_data: Vec<u8>,
}

/// How a message is protected on the wire.
#[derive(Debug)]
pub enum Protection<'a> {
    /// As a public message.
    Public,
    /// As a private message.
    Private {
        /// The secrets of the epoch's messages; one key is consumed.
        secrets: &'a mut SecretTree,
        /// Zeros fill what is encrypted to a multiple of this many bytes; 0 and 1 add none.
        block: usize,
    },
}

impl Protection<'_> {
    /// The wire format that goes with it.
    pub(super) fn wire_format(&self) -> WireFormat {
        match self {
            Self::Public => WireFormat::PUBLIC_MESSAGE,
            Self::Private { .. } => WireFormat::PRIVATE_MESSAGE,
        }
    }

    /// Protects signed content of a member; of somebody outside, if there are no secrets.
    /// `context` is the encoded group context.
    pub(super) fn protect(
        self,
        crypto: &Crypto<'_>,
        content: AuthenticatedContent,
        secrets: Option<&EpochSecrets>,
        context: &[u8],
        rng: &mut dyn Rng,
    ) -> Result<MlsMessage, PrivateMessageError> {
        match (self, secrets) {
            (Self::Private { secrets: tree, block }, Some(secrets)) => {
                let mut guard = ReuseGuard::default();
                rng.fill_bytes(&mut guard);
                let sender_data = &secrets.sender_data_secret;
                let sealed =
                    PrivateMessage::seal(crypto, &content, tree, sender_data, block, guard)?;
                Ok(MlsMessage::Private(sealed))
            }
            (Self::Private { .. }, None) => Err(PrivateMessageError::NotAMember),
            (Self::Public, secrets) => {
                let key = secrets.map(|secrets| &secrets.membership_key);
                Ok(MlsMessage::Public(PublicMessage::protect(crypto, content, key, context)?))
            }
        }
    }
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
    /// What its proposals do.
    pub applied: AppliedProposals,
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
    /// It could not be protected.
    #[error(transparent)]
    Protect(#[from] PrivateMessageError),
    /// A pre-shared key cannot be used.
    #[error(transparent)]
    Psk(#[from] PskError),
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

/// Who makes a commit: a member, or somebody who joins by it.
pub(super) struct Author<'a> {
    /// The state of the group that it continues.
    pub(super) public: &'a PublicGroup,
    /// The member's leaf; none for somebody who joins.
    pub(super) member: Option<LeafIndex>,
    /// What the leaf of a path is made from.
    pub(super) leaf_node: LeafNode,
    /// Who signs now.
    pub(super) signer: &'a SignatureKeyPair,
    /// Who signs in the leaf, and from then on.
    pub(super) successor: SignatureKeyPair,
    /// The member's private keys.
    pub(super) keys: Option<&'a PrivateKeys>,
    /// The member's secrets of the epoch.
    pub(super) secrets: Option<&'a EpochSecrets>,
    /// What the next epoch continues.
    pub(super) init_secret: Secret,
}

/// A path drawn for a commit, and the new leaf.
struct DrawnPath {
    secrets: NewPath,
    leaf_node: LeafNode,
}

impl Member {
    /// Makes a commit in a public message. Everything random comes from `rng`.
    pub fn commit(
        &self,
        crypto: &Crypto<'_>,
        roster: &Roster,
        request: CommitRequest,
        rng: &mut dyn Rng,
    ) -> Result<PendingCommit, CommitError> {
        self.commit_with(crypto, roster, request, &Holdings::default(), Protection::Public, rng)
    }

    /// Makes a commit, with what the member holds beside its state, and protected as wished.
    pub fn commit_with(
        &self,
        crypto: &Crypto<'_>,
        roster: &Roster,
        request: CommitRequest,
        holdings: &Holdings,
        protection: Protection<'_>,
        rng: &mut dyn Rng,
    ) -> Result<PendingCommit, CommitError> {
        let leaf = self.public.tree.leaf(self.leaf).ok_or(ApplyError::UnknownSender)?;
        let mut leaf_node = LeafNode::clone(leaf);
        let successor = request.signer.clone().unwrap_or_else(|| self.signer.clone());
        leaf_node.signature_key = successor.public.clone();
        // The new key comes in by the leaf of a path.
        let path = request.path || request.signer.is_some();
        let request = CommitRequest { path, ..request };
        let author = Author {
            public: &self.public,
            member: Some(self.leaf),
            leaf_node,
            signer: &self.signer,
            successor,
            keys: Some(&self.keys),
            secrets: Some(&self.secrets),
            init_secret: self.secrets.init_secret.clone(),
        };
        author.commit(crypto, roster, request, holdings, protection, rng)
    }
}

impl Author<'_> {
    /// The list of proposals of a commit, those by reference first.
    fn list<'l>(
        &self,
        request: &'l CommitRequest,
        holdings: &'l Holdings,
    ) -> Result<Vec<Listed<'l>>, ApplyError> {
        let mut list = Vec::with_capacity(request.references.len() + request.proposals.len());
        for reference in &request.references {
            let stored = holdings.proposals.find(reference).ok_or(ApplyError::UnknownReference)?;
            list.push(Listed { proposal: &stored.proposal, sender: stored.sender });
        }
        let own = |proposal| Listed { proposal, sender: self.member };
        list.extend(request.proposals.iter().map(own));
        Ok(list)
    }

    pub(super) fn commit(
        &self,
        crypto: &Crypto<'_>,
        roster: &Roster,
        request: CommitRequest,
        holdings: &Holdings,
        protection: Protection<'_>,
        rng: &mut dyn Rng,
    ) -> Result<PendingCommit, CommitError> {
        let list = self.list(&request, holdings)?;
        let path = request.path || self.public.requires_path(&list);
        let view = Viewpoint {
            committer: self.member,
            purpose: request.purpose,
            path,
            now: Some(request.now),
        };
        let mut proposed = self.public.propose(crypto, roster, &list, view)?;
        let mut packages = new_members(crypto, &list)?;
        let leaf = match self.member {
            Some(member) => proposed.leaf_of(member),
            None => proposed.place_joiner(&self.leaf_node)?,
        };
        let psk_secret = holdings.psks.psk_secret(crypto, &proposed.applied.psks)?;
        if path {
            proposed.climb(leaf)?;
        }
        let before = proposed.tree.clone();
        let set = RefreshSet::of(&before, leaf, &proposed.applied);
        let set = set.as_ref();
        let drawn =
            path.then(|| self.draw_path(crypto, &mut proposed, leaf, set, rng)).transpose()?;
        let mut public = proposed.next(crypto)?;
        let context = public.context.encoded();
        let encrypt = |path: &DrawnPath| match set {
            Some(set) => path.secrets.encrypt_set(crypto, set, &context, rng),
            None => path.secrets.encrypt(crypto, &before, leaf, &proposed.added, &context, rng),
        };
        let nodes = drawn.as_ref().map(encrypt).transpose()?;
        let (secrets, leaf_node) = drawn.map(|drawn| (drawn.secrets, drawn.leaf_node)).unzip();
        let sent = leaf_node.zip(nodes).map(|(leaf_node, nodes)| UpdatePath { leaf_node, nodes });
        let commit_secret =
            secrets.as_ref().map_or(crypto.zero(), |path: &NewPath| path.commit_secret.clone());
        let commit = Commit {
            proposals: proposals_or_refs(request.proposals, &request.references),
            path: sent,
        };
        let cost = CommitCost::of_parts(&commit);
        let content = FramedContent {
            group_id: self.public.context.group_id.clone(),
            epoch: self.public.epoch(),
            sender: self.member.map_or(Sender::NewMemberCommit, Sender::Member),
            authenticated_data: request.authenticated_data.into(),
            content: Content::Commit(commit),
        };
        let entropy = Entropy { commit_secret, psk_secret };
        let framed = self.frame(crypto, &mut public, content, &entropy, protection, rng)?;
        let Proposed { roster, applied, .. } = proposed;
        let message = encode(&framed.message)?;
        if let Some((set, path)) = set.zip(secrets.as_ref()) {
            for (package, leaf) in packages.iter_mut().zip(&applied.added) {
                package.told = path.told(set, *leaf)?;
            }
        }
        let mut pending = PendingCommit {
            cost: cost.in_message(message.len()),
            message,
            welcome: None,
            after: self.after(public, leaf, &secrets, framed.secrets)?,
            joiner: framed.joiner,
            path: secrets,
            applied,
            roster_changes: roster.finish()?,
        };
        if !pending.applied.added.is_empty() {
            let with_tree = request.tree_in_welcome;
            let psk_secret = &entropy.psk_secret;
            let welcome =
                pending.welcome(crypto, &packages, framed.tag, psk_secret, with_tree, rng)?;
            pending.cost.bytes_welcome = welcome.len() as u64;
            pending.welcome = Some(welcome);
        }
        Ok(pending)
    }

    /// Draws a new path, or secrets for a set, and merges the keys into the proposed tree.
    fn draw_path(
        &self,
        crypto: &Crypto<'_>,
        proposed: &mut Proposed<'_>,
        leaf: LeafIndex,
        set: Option<&RefreshSet<'_>>,
        rng: &mut dyn Rng,
    ) -> Result<DrawnPath, CommitError> {
        let path = match set {
            Some(set) => NewPath::refresh(crypto, set, rng)?,
            None => {
                let length = proposed.tree.filtered_direct_path(leaf)?.len();
                let mut seed = Seed::default();
                rng.fill_bytes(&mut seed);
                NewPath::generate(crypto, length, &seed)?
            }
        };
        let group_id = self.public.context.group_id.as_slice();
        let mut leaf_node = self.leaf_node.clone();
        leaf_node.encryption_key = path.leaf.public.clone();
        if self.public.tree.shape().counts_commits() {
            let before = if self.member.is_some() { leaf_node.commits() } else { 0 };
            leaf_node.set_commits(before.saturating_add(1));
        }
        if self.member.is_none() {
            let (key, credential) = (&leaf_node.encryption_key, &leaf_node.credential);
            self.public.check_rejoin(&proposed.applied, key, credential)?;
        }
        let rules = proposed.rules.clone();
        proposed.merge(crypto, leaf, &path.public_keys(), set, |parent_hash| {
            leaf_node.leaf_node_source = LeafNodeSource::Commit(parent_hash);
            // Somebody who joins must support what the group demands (RFC 9420 §13.4).
            rules.check(&leaf_node, ExpectedSource::Commit)?;
            leaf_node.sign(crypto, &self.successor.private, group_id, leaf)?;
            Ok::<_, CommitError>(leaf_node.clone())
        })?;
        Ok(DrawnPath { secrets: path, leaf_node })
    }

    /// Signs, confirms and protects the commit, and continues the transcript in `public`.
    fn frame(
        &self,
        crypto: &Crypto<'_>,
        public: &mut PublicGroup,
        content: FramedContent,
        entropy: &Entropy,
        protection: Protection<'_>,
        rng: &mut dyn Rng,
    ) -> Result<Framed, CommitError> {
        let wire_format = protection.wire_format();
        let old_context = self.public.context.encoded();
        let key = &self.signer.private;
        let mut signed =
            AuthenticatedContent::sign(crypto, key, wire_format, content, &old_context)?;
        let confirmed = confirmed_transcript_hash(
            crypto,
            &self.public.interim_transcript_hash,
            wire_format,
            &encode(&signed.content)?,
            &signed.signature,
        )?;
        public.context.confirmed_transcript_hash = confirmed;
        let context = public.context.encoded();
        let Entropy { commit_secret, psk_secret } = entropy;
        let joiner = JoinerSecret::derive(crypto, &self.init_secret, commit_secret, &context)?;
        let secrets = joiner.epoch_secrets(crypto, psk_secret, &context)?;
        let tag = secrets.confirmation_tag(crypto, &confirmed);
        public.interim_transcript_hash = interim_transcript_hash(crypto, &confirmed, &tag)?;
        signed.confirmation_tag = Some(tag);
        let message = protection.protect(crypto, signed, self.secrets, &old_context, rng)?;
        Ok(Framed { message, joiner, secrets, tag })
    }

    /// The author in the new epoch.
    fn after(
        &self,
        public: PublicGroup,
        leaf: LeafIndex,
        path: &Option<NewPath>,
        secrets: EpochSecrets,
    ) -> Result<Member, CommitError> {
        let keys = path.as_ref().map(own_keys).or_else(|| self.keys.cloned());
        let mut keys = keys.ok_or(ApplyError::PathRequired)?;
        keys.forget_outdated(&public.tree, leaf)?;
        let (signer, secrets) = (self.successor.clone(), Arc::new(secrets));
        Ok(Member { public, leaf, signer, keys, secrets })
    }
}

/// What goes into the next epoch's secrets beside the init secret.
struct Entropy {
    commit_secret: Secret,
    psk_secret: Secret,
}

/// A commit in its frame, and what its sender learned on the way.
struct Framed {
    message: MlsMessage,
    joiner: JoinerSecret,
    secrets: EpochSecrets,
    tag: Digest,
}

/// An added client: where its Welcome goes.
struct NewMember {
    reference: Digest,
    init_key: HpkePublicKey,
    /// What it alone is told of the path, under a strategy that taints.
    told: Option<Secret>,
}

fn new_members(crypto: &Crypto<'_>, list: &[Listed<'_>]) -> Result<Vec<NewMember>, CodecError> {
    let packages = list.iter().filter_map(|listed| match listed.proposal {
        Proposal::Add(package) => Some(package),
        _ => None,
    });
    let new_member = |package: &crate::treesync::KeyPackage| {
        let (reference, init_key) = (package.reference(crypto)?, package.init_key.clone());
        Ok(NewMember { reference, init_key, told: None })
    };
    packages.map(new_member).collect()
}

fn proposals_or_refs(proposals: Vec<Proposal>, references: &[Digest]) -> Vec<ProposalOrRef> {
    let references = references.iter().copied().map(ProposalOrRef::Reference);
    references.chain(proposals.into_iter().map(ProposalOrRef::Proposal)).collect()
}

fn own_keys(path: &NewPath) -> PrivateKeys {
    let mut keys = PrivateKeys::of_leaf(path.leaf.clone());
    keys.extend(path.key_pairs.iter().cloned());
    keys
}

impl PendingCommit {
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
        psk_secret: &Secret,
        with_tree: bool,
        rng: &mut dyn Rng,
    ) -> Result<Vec<u8>, CommitError> {
        let key = self.joiner.welcome_key(crypto, psk_secret)?;
        let info = self.after.group_info_with(crypto, confirmation_tag, with_tree, None)?;
        let encrypted_group_info = crypto.aead_seal(&key.key, &key.nonce, &[], &encode(&info)?)?;
        let path_length = self.path.as_ref().map_or(0, |path| path.secrets.len());
        let taints = self.after.public.tree.shape().taints();
        let plaintext = |path_secret: Option<&Secret>| {
            let path_secret = path_secret.cloned();
            let (joiner_secret, psks) = (self.joiner.0.clone(), self.applied.psks.clone());
            GroupSecrets { joiner_secret, path_secret, psks }.plaintext()
        };
        // Members below one node of the path are told the same thing, where nobody taints.
        let of_node =
            |node: usize| self.path.as_ref().and_then(|path| Some(&path.secrets.get(node)?.0));
        let plaintexts: Result<Vec<Secret>, _> = if taints {
            packages.iter().map(|package| plaintext(package.told.as_ref())).collect()
        } else {
            (0..=path_length).map(|node| plaintext(of_node(node))).collect()
        };
        let plaintexts = plaintexts?;
        let mut items = Vec::with_capacity(packages.len());
        for (at, (package, leaf)) in packages.iter().zip(&self.applied.added).enumerate() {
            let node = self.common_node(*leaf)?.filter(|_| path_length > 0);
            let told = if taints { at } else { node.unwrap_or(path_length) };
            let plaintext = plaintexts[told].as_slice();
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
}

impl Member {
    /// The group info of the epoch (RFC 9420 §12.4.3), for somebody who joins by an external
    /// commit; with or without the ratchet tree.
    pub fn group_info(
        &self,
        crypto: &Crypto<'_>,
        with_tree: bool,
    ) -> Result<GroupInfo, CommitError> {
        let confirmed = &self.public.context.confirmed_transcript_hash;
        let tag = self.secrets.confirmation_tag(crypto, confirmed);
        let external = self.secrets.external_key_pair(crypto)?;
        self.group_info_with(crypto, tag, with_tree, Some(&external.public))
    }

    fn group_info_with(
        &self,
        crypto: &Crypto<'_>,
        confirmation_tag: Digest,
        with_tree: bool,
        external: Option<&HpkePublicKey>,
    ) -> Result<GroupInfo, CommitError> {
        let mut extensions = vec![];
        if with_tree {
            extensions.push(Extension {
                extension_type: ExtensionType::RATCHET_TREE,
                extension_data: encode_tree(&self.public.tree)?.into(),
            });
        }
        if let Some(key) = external {
            extensions.push(Extension {
                extension_type: ExtensionType::EXTERNAL_PUB,
                extension_data: encode(key)?.into(),
            });
        }
        let mut info = GroupInfo {
            group_context: self.public.context.clone(),
            extensions,
            confirmation_tag,
            signer: self.leaf,
            signature: vec![].into(),
        };
        info.sign(crypto, &self.signer.private)?;
        Ok(info)
    }
}
