//! The public state of a group at one epoch, and the public half of following a commit: a
//! function of that state and the message alone (RFC 9420 §12.4.2).

use std::sync::Arc;

use super::holdings::ProposalStore;
use super::transcript::{confirmed_transcript_hash, interim_transcript_hash};
use crate::codec::{CodecError, decode, encode};
use crate::crypto::{Crypto, CryptoError, Digest, HpkePublicKey, Signature, SignaturePublicKey};
use crate::strategy::Strategy;
use crate::tree::{LeafIndex, OutsideTree};
use crate::treedem::{
    AuthenticatedContent, Commit, Content, FramedContentTbs, MlsMessage, PublicMessage, Sender,
};
use crate::treekem::{GroupContext, MergedPath, PathError, RefreshSet, UpdatePath, merge_path};
use crate::treesync::{
    AppliedProposals, Credential, ExpectedSource, ExtensionType, ExternalSender, LeafNode,
    LeafRules, ListRules, Listed, Proposal, ProposalContext, ProposalError, ProposalOrRef, Purpose,
    RatchetTree, Roster, RosterChange, RosterDraft, TreeError, add_leaf, apply_proposals,
    check_commits, check_distinct, check_encryption_key, leave_path, tree_hash,
};

/// What anybody can know of a group who has its tree and has seen its commits. Cloning it
/// shares the tree.
#[derive(Clone, Debug)]
pub struct PublicGroup {
    /// The group context.
    pub context: GroupContext,
    /// The ratchet tree.
    pub tree: RatchetTree,
    /// The transcript that the next commit continues.
    pub interim_transcript_hash: Digest,
}

/// The rule that a commit breaks in public.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// The message is not a public message with a commit.
    #[error("the message is not a commit in a public message")]
    NotACommit,
    /// The message is not a public message with a proposal.
    #[error("the message is not a proposal in a public message")]
    NotAProposal,
    /// It is for another group.
    #[error("the message is for another group (RFC 9420 §6)")]
    WrongGroup,
    /// It is from another epoch.
    #[error(
        "the commit is from epoch {found}, the group is in epoch {expected} (RFC 9420 §12.4.2)"
    )]
    WrongEpoch {
        /// The group's epoch.
        expected: u64,
        /// The message's epoch.
        found: u64,
    },
    /// No epoch can follow.
    #[error("the group is in epoch 2^64 - 1, which is the last (RFC 9420 §8.1)")]
    LastEpoch,
    /// Its sender is not a member.
    #[error("the sender is not a member (RFC 9420 §6.1)")]
    UnknownSender,
    /// The group has no such external sender.
    #[error("the group has no external sender {0} (RFC 9420 §12.1.8.1)")]
    UnknownExternalSender(u32),
    /// A sender from outside the group sends what it may not.
    #[error("{sender} may not send a {content} (RFC 9420 §6.1)")]
    NotAllowed {
        /// Who.
        sender: &'static str,
        /// What.
        content: &'static str,
    },
    /// It refers to a proposal that was not received in this epoch.
    #[error("the commit refers to a proposal that was not received in this epoch (RFC 9420 §12.4)")]
    UnknownReference,
    /// An external commit refers to a proposal.
    #[error("an external commit refers to a proposal (RFC 9420 §12.4.3.2)")]
    ReferenceInExternal,
    /// Somebody who rejoins removes somebody else.
    #[error("an external commit removes a member with another credential (RFC 9420 §12.2)")]
    RemovesAnother,
    /// Application data is sent in the clear.
    #[error("application data is sent in a public message (RFC 9420 §6)")]
    PublicApplication,
    /// The group's strategy is replaced.
    #[error("the extensions name another strategy: a group keeps the one it was made with")]
    OtherStrategy,
    /// A path is missing.
    #[error("the commit must have a path (RFC 9420 §12.4)")]
    PathRequired,
    /// The leaf of the path keeps its old key.
    #[error("the committer's leaf keeps its encryption key (RFC 9420 §12.4.2)")]
    SameLeafKey,
    /// A tag is missing.
    #[error("the commit has no {0} (RFC 9420 §6)")]
    MissingTag(&'static str),
    /// The proposals are invalid.
    #[error(transparent)]
    Proposals(#[from] ProposalError),
    /// The tree would be invalid.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The path is wrong.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A leaf lies outside the tree.
    #[error(transparent)]
    Outside(#[from] OutsideTree),
    /// A signature is wrong.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// Something has no encoding, or is none.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// The path of a commit, ready to be opened.
#[derive(Clone, Debug)]
pub struct TransitionPath {
    /// The path as it was sent.
    pub update_path: UpdatePath,
    /// The tree with the proposals applied and the path not yet: who each ciphertext is for.
    pub tree_before: RatchetTree,
    /// The provisional group context that the ciphertexts are bound to.
    pub provisional_context: Vec<u8>,
}

/// A commit whose public half has been checked: everything a member needs for the private
/// half.
#[derive(Clone, Debug)]
pub struct Transition {
    /// The public state of the new epoch.
    pub after: PublicGroup,
    /// Who committed: its leaf in the new epoch, from which its path leads up.
    pub committer: LeafIndex,
    /// What its proposals did.
    pub applied: AppliedProposals,
    /// The added leaves, ascending.
    pub added: Vec<LeafIndex>,
    /// Its path.
    pub path: Option<TransitionPath>,
    /// How the roster changes.
    pub roster_changes: Vec<RosterChange>,
    /// What shows its sender to be a member, where one sent a public message.
    pub membership: Option<MembershipProof>,
    /// The tag that the new epoch's secrets must give.
    pub confirmation_tag: Digest,
}

impl Transition {
    /// The parents that it refreshes, where the group's strategy taints.
    pub fn refresh_set(&self) -> Option<RefreshSet<'_>> {
        let path = self.path.as_ref()?;
        RefreshSet::of(&path.tree_before, self.committer, &self.applied)
    }
}

/// A membership tag, and what it covers besides the confirmation tag.
#[derive(Clone, Debug)]
pub struct MembershipProof {
    /// What was signed.
    pub tbs: FramedContentTbs,
    /// Its signature.
    pub signature: Signature,
    /// The tag.
    pub tag: Digest,
}

/// A message whose place and signature have been checked.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The content.
    pub content: AuthenticatedContent,
    /// What was signed.
    pub tbs: FramedContentTbs,
}

/// A commit applied to the tree, its transcript not yet continued.
struct Step {
    after: PublicGroup,
    committer: LeafIndex,
    applied: AppliedProposals,
    added: Vec<LeafIndex>,
    path: Option<TransitionPath>,
    roster_changes: Vec<RosterChange>,
}

/// The tree, roster and context after a commit's proposals.
pub(super) struct Proposed<'r> {
    /// The public state before, but for its extensions.
    pub(super) group: PublicGroup,
    pub(super) tree: RatchetTree,
    pub(super) roster: RosterDraft<'r>,
    pub(super) applied: AppliedProposals,
    /// The added leaves, ascending.
    pub(super) added: Vec<LeafIndex>,
    /// The rules for leaves in the new epoch.
    pub(super) rules: LeafRules,
    /// Whether the committer's leaf is new where it stands, and in no roster yet.
    arrives: bool,
}

/// How a list of proposals is looked at: by whom, for what, and when.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Viewpoint {
    /// The committing member; none for an external commit.
    pub(super) committer: Option<LeafIndex>,
    /// What the commit is part of.
    pub(super) purpose: Purpose,
    /// Whether it has a path.
    pub(super) path: bool,
    /// The second in which a sender checks lifetimes; receivers give none.
    pub(super) now: Option<u64>,
}

impl PublicGroup {
    /// The epoch.
    pub fn epoch(&self) -> u64 {
        self.context.epoch
    }

    /// Follows a commit in public: decodes it, checks its signature and everything else that
    /// can be checked without a secret, and gives the new public state. No proposal has been
    /// received before.
    pub fn apply(
        &self,
        crypto: &Crypto<'_>,
        roster: &Roster,
        message: &[u8],
    ) -> Result<Transition, ApplyError> {
        self.apply_with(crypto, roster, &ProposalStore::default(), message)
    }

    /// The same, where proposals have been received before that the commit may refer to.
    pub fn apply_with(
        &self,
        crypto: &Crypto<'_>,
        roster: &Roster,
        proposals: &ProposalStore,
        message: &[u8],
    ) -> Result<Transition, ApplyError> {
        let MlsMessage::Public(public) = decode("an MLS message", message)? else {
            return Err(ApplyError::NotACommit);
        };
        self.apply_public(crypto, roster, proposals, public, message)
    }

    /// Follows a commit in a public message; `encoded` is the MLS message it was decoded from.
    pub fn apply_public(
        &self,
        crypto: &Crypto<'_>,
        roster: &Roster,
        proposals: &ProposalStore,
        message: PublicMessage,
        encoded: &[u8],
    ) -> Result<Transition, ApplyError> {
        let framed = message.content_in(encoded);
        let (content, tag) = message.into_content();
        let Verified { content, tbs } = self.verify_encoded(crypto, content, framed)?;
        let is_member = matches!(content.content.sender, Sender::Member(_));
        if is_member && tag.is_none() {
            return Err(ApplyError::MissingTag("membership tag"));
        }
        let signature = content.signature.clone();
        let mut transition = self.apply_signed(crypto, roster, proposals, content, &tbs)?;
        transition.membership = tag.map(|tag| MembershipProof { tbs, signature, tag });
        Ok(transition)
    }

    /// Checks that a message belongs to this group and epoch, that its sender may send it, and
    /// its signature.
    pub fn verify(
        &self,
        crypto: &Crypto<'_>,
        content: AuthenticatedContent,
    ) -> Result<Verified, ApplyError> {
        let encoded = encode(&content.content)?;
        self.verify_encoded(crypto, content, &encoded)
    }

    /// [`verify`](Self::verify), where the framed content is at hand as it was sent.
    pub(super) fn verify_encoded(
        &self,
        crypto: &Crypto<'_>,
        content: AuthenticatedContent,
        encoded: &[u8],
    ) -> Result<Verified, ApplyError> {
        let framed = &content.content;
        if framed.group_id != self.context.group_id {
            return Err(ApplyError::WrongGroup);
        }
        if framed.epoch != self.epoch() {
            return Err(ApplyError::WrongEpoch { expected: self.epoch(), found: framed.epoch });
        }
        let key = self.sender_key(&content)?;
        let tbs = content.verify(crypto, &key, encoded, &self.context.encoded())?;
        Ok(Verified { content, tbs })
    }

    /// The key that a message must be signed with (RFC 9420 §6.1).
    fn sender_key(&self, content: &AuthenticatedContent) -> Result<SignaturePublicKey, ApplyError> {
        let not_allowed = |sender, content| Err(ApplyError::NotAllowed { sender, content });
        match (content.content.sender, &content.content.content) {
            (Sender::Member(leaf), _) => {
                let leaf = self.tree.leaf(leaf).ok_or(ApplyError::UnknownSender)?;
                Ok(leaf.signature_key.clone())
            }
            (Sender::External(index), Content::Proposal(proposal)) => {
                if !proposal.is_allowed_externally() {
                    return not_allowed("an external sender", proposal.name());
                }
                let senders = self.external_senders()?;
                let sender = usize::try_from(index).ok().and_then(|at| senders.get(at));
                let sender = sender.ok_or(ApplyError::UnknownExternalSender(index))?;
                Ok(sender.signature_key.clone())
            }
            (Sender::External(_), other) => not_allowed("an external sender", other.name()),
            (Sender::NewMemberProposal, Content::Proposal(Proposal::Add(package))) => {
                Ok(package.leaf_node.signature_key.clone())
            }
            (Sender::NewMemberProposal, Content::Proposal(other)) => {
                not_allowed("a new member", other.name())
            }
            (Sender::NewMemberProposal, other) => not_allowed("a new member", other.name()),
            (Sender::NewMemberCommit, Content::Commit(commit)) => {
                let path = commit.path.as_ref().ok_or(ApplyError::PathRequired)?;
                Ok(path.leaf_node.signature_key.clone())
            }
            (Sender::NewMemberCommit, other) => not_allowed("a joining client", other.name()),
        }
    }

    /// The senders outside the group that it listens to (RFC 9420 §12.1.8.1).
    pub fn external_senders(&self) -> Result<Vec<ExternalSender>, CodecError> {
        match self.context.extension(ExtensionType::EXTERNAL_SENDERS) {
            Some(data) => decode("external senders", data),
            None => Ok(vec![]),
        }
    }

    /// Follows a commit whose frame and signature have been checked.
    pub fn apply_verified(
        &self,
        crypto: &Crypto<'_>,
        roster: &Roster,
        proposals: &ProposalStore,
        verified: Verified,
    ) -> Result<Transition, ApplyError> {
        self.apply_signed(crypto, roster, proposals, verified.content, &verified.tbs)
    }

    fn apply_signed(
        &self,
        crypto: &Crypto<'_>,
        roster: &Roster,
        proposals: &ProposalStore,
        content: AuthenticatedContent,
        tbs: &FramedContentTbs,
    ) -> Result<Transition, ApplyError> {
        let AuthenticatedContent { wire_format, content, signature, confirmation_tag } = content;
        let Content::Commit(commit) = content.content else { return Err(ApplyError::NotACommit) };
        let tag = confirmation_tag.ok_or(ApplyError::MissingTag("confirmation tag"))?;
        let confirmed = confirmed_transcript_hash(
            crypto,
            &self.interim_transcript_hash,
            wire_format,
            tbs.content(),
            &signature,
        )?;
        let step = self.apply_commit(crypto, roster, proposals, content.sender, commit)?;
        let mut after = step.after;
        after.context.confirmed_transcript_hash = confirmed;
        after.interim_transcript_hash = interim_transcript_hash(crypto, &confirmed, &tag)?;
        Ok(Transition {
            after,
            committer: step.committer,
            applied: step.applied,
            added: step.added,
            path: step.path,
            roster_changes: step.roster_changes,
            membership: None,
            confirmation_tag: tag,
        })
    }

    fn apply_commit(
        &self,
        crypto: &Crypto<'_>,
        roster: &Roster,
        proposals: &ProposalStore,
        sender: Sender,
        commit: Commit,
    ) -> Result<Step, ApplyError> {
        let member = match sender {
            Sender::Member(leaf) => Some(leaf),
            _ => None,
        };
        let listed = listed(&commit.proposals, proposals, member)?;
        let must = self.requires_path(&listed);
        if must && commit.path.is_none() {
            return Err(ApplyError::PathRequired);
        }
        let path = commit.path.is_some();
        let view = Viewpoint { committer: member, path, ..Viewpoint::default() };
        let mut proposed = self.propose(crypto, roster, &listed, view)?;
        drop(listed);
        let committer = match (member, &commit.path) {
            (Some(member), _) => proposed.leaf_of(member),
            (None, Some(path)) => proposed.place_joiner(&path.leaf_node)?,
            (None, None) => return Err(ApplyError::PathRequired),
        };
        if commit.path.is_some() {
            proposed.climb(committer)?;
        }
        let tree_before = proposed.tree.clone();
        let set = RefreshSet::of(&tree_before, committer, &proposed.applied);
        if let Some(path) = &commit.path {
            let leaf = &path.leaf_node;
            self.check_path_leaf(crypto, &proposed, member, committer, leaf)?;
            match &set {
                Some(set) => path.check_set(set)?,
                None => path.check_counts(&tree_before, committer, &proposed.added)?,
            }
            let keys = path.public_keys();
            keys.iter().try_for_each(|key| check_encryption_key(crypto, key))?;
            proposed.merge(crypto, committer, &keys, set.as_ref(), |parent_hash| {
                if leaf.parent_hash() != Some(&parent_hash) {
                    return Err(PathError::ParentHash.into());
                }
                Ok::<_, ApplyError>(leaf.clone())
            })?;
        }
        drop(set);
        let after = proposed.next(crypto)?;
        let provisional_context = after.context.encoded();
        let path = commit.path.map(|update_path| TransitionPath {
            update_path,
            tree_before,
            provisional_context,
        });
        let Proposed { roster, applied, added, .. } = proposed;
        let roster_changes = roster.finish()?;
        Ok(Step { after, committer, applied, added, path, roster_changes })
    }

    /// Whether a commit of these proposals must have a path (RFC 9420 §12.4). Where parents are
    /// tainted one that adds must, too: nobody is unmerged, so somebody has to tell the new members.
    pub(super) fn requires_path(&self, list: &[Listed<'_>]) -> bool {
        let taints = self.tree.shape().taints();
        let adds = |proposal: &Proposal| taints && matches!(proposal, Proposal::Add(_));
        let mut proposals = list.iter().map(|listed| listed.proposal);
        list.is_empty() || proposals.any(|proposal| proposal.requires_path() || adds(proposal))
    }

    /// Validates and applies proposals.
    pub(super) fn propose<'r>(
        &self,
        crypto: &Crypto<'_>,
        roster: &'r Roster,
        list: &[Listed<'_>],
        view: Viewpoint,
    ) -> Result<Proposed<'r>, ApplyError> {
        let mut group = self.clone();
        // New extensions are in force for the other proposals of the list (RFC 9420 §12.3).
        if let Some(extensions) = list.iter().find_map(|listed| match listed.proposal {
            Proposal::GroupContextExtensions(extensions) => Some(extensions),
            _ => None,
        }) {
            check_distinct(extensions)?;
            group.context.extensions.clone_from(extensions);
            group.external_senders()?;
            // The tree is kept as it was laid out: that would have to be made anew.
            if Strategy::of_extensions(extensions)? != *self.tree.shape() {
                return Err(ApplyError::OtherStrategy);
            }
        }
        let rules = group.context.leaf_rules()?;
        let mut tree = self.tree.clone();
        let mut roster = RosterDraft::new(roster);
        let context = ProposalContext {
            group_id: self.context.group_id.as_slice(),
            leaf_rules: &rules,
            epoch: self.epoch(),
            list_rules: ListRules {
                committer: view.committer,
                purpose: view.purpose,
                nonce_length: crypto.provider().digest_length(),
                version: self.context.version,
            },
            path: view.path,
            now: view.now,
        };
        let applied = apply_proposals(crypto, &mut tree, &mut roster, &context, list)?;
        let mut added = applied.added.clone();
        added.sort_unstable();
        let arrives = applied.moved.is_some();
        Ok(Proposed { group, tree, roster, applied, added, rules, arrives })
    }

    /// Checks the leaf of a path. `member` is where the committer was before, if it was.
    fn check_path_leaf(
        &self,
        crypto: &Crypto<'_>,
        proposed: &Proposed<'_>,
        member: Option<LeafIndex>,
        committer: LeafIndex,
        leaf: &LeafNode,
    ) -> Result<(), ApplyError> {
        proposed.rules.check(leaf, ExpectedSource::Commit)?;
        check_encryption_key(crypto, &leaf.encryption_key)?;
        if self.tree.shape().counts_commits() {
            let before = member.and_then(|member| self.tree.leaf(member));
            check_commits(leaf, before.map_or(0, |before| before.commits()).saturating_add(1))?;
        }
        match member {
            Some(member) => {
                let old = self.tree.leaf(member).ok_or(ApplyError::UnknownSender)?;
                if old.encryption_key == leaf.encryption_key {
                    return Err(ApplyError::SameLeafKey);
                }
            }
            None => self.check_rejoin(&proposed.applied, &leaf.encryption_key, &leaf.credential)?,
        }
        let signed = leaf.signed(self.context.group_id.as_slice(), committer)?;
        Ok(crypto.verify_with_label(signed.key, signed.label, &signed.content, signed.signature)?)
    }

    /// Who rejoins by an external commit may remove only its own former self: the member with
    /// the same credential.
    pub(super) fn check_rejoin(
        &self,
        applied: &AppliedProposals,
        encryption_key: &HpkePublicKey,
        credential: &Credential,
    ) -> Result<(), ApplyError> {
        for removed in &applied.removed {
            let old = self.tree.leaf(*removed).ok_or(ApplyError::UnknownSender)?;
            if old.credential != *credential {
                return Err(ApplyError::RemovesAnother);
            }
            if old.encryption_key == *encryption_key {
                return Err(ApplyError::SameLeafKey);
            }
        }
        Ok(())
    }
}

impl Proposed<'_> {
    /// Where a member stands who makes this commit, once its proposals are applied.
    pub(super) fn leaf_of(&self, committer: LeafIndex) -> LeafIndex {
        self.applied.moved.map_or(committer, |moved| moved.to)
    }

    /// Places somebody who joins by this commit, once its proposals are applied: as if it were
    /// added (RFC 9420 §12.4.3.2). What is put there gives way to the leaf of the path.
    pub(super) fn place_joiner(&mut self, leaf: &LeafNode) -> Result<LeafIndex, OutsideTree> {
        self.arrives = true;
        let epoch = self.group.epoch();
        let mut leaf = leaf.clone();
        if self.tree.shape().counts_commits() {
            // Until its commit is in effect.
            leaf.set_commits(0);
        }
        let leaf = Arc::new(leaf);
        let room = add_leaf(&mut self.tree, &mut self.roster, leaf, None, epoch)?;
        let index = room.leaf;
        self.applied.rooms.push(room);
        Ok(index)
    }

    /// The committer climbs, where the strategy has it climb, before its path is keyed.
    pub(super) fn climb(&mut self, committer: LeafIndex) -> Result<(), OutsideTree> {
        let Self { tree, roster, applied, .. } = self;
        applied.climbed = tree.climb_of(committer)?;
        tree.climb(committer, applied.climbed, &mut |gone| {
            roster.leave_parent(&gone.encryption_key);
        })
    }

    /// Merges the keys of a path, the sender's or that of a set; `leaf` makes the new leaf
    /// from its parent hash.
    pub(super) fn merge<E: From<PathError> + From<TreeError>>(
        &mut self,
        crypto: &Crypto<'_>,
        committer: LeafIndex,
        keys: &[HpkePublicKey],
        set: Option<&RefreshSet<'_>>,
        leaf: impl FnOnce(Digest) -> Result<LeafNode, E>,
    ) -> Result<(), E> {
        let Self { tree, roster, arrives, .. } = self;
        let old = tree.leaf(committer).filter(|_| !*arrives).cloned();
        let merged = match set {
            Some(_) => MergedPath::default(),
            None => merge_path(crypto, tree, committer, keys)?,
        };
        let leaf = leaf(merged.leaf_parent_hash)?;
        // None of the new keys may be in the tree yet, the replaced ones included.
        if roster.has_encryption_key(&leaf.encryption_key) {
            return Err(TreeError::DuplicateEncryptionKey.into());
        }
        keys.iter().try_for_each(|key| roster.enter_parent(key))?;
        match set {
            Some(set) => set.outdated_keys().for_each(|key| roster.leave_parent(key)),
            None => leave_path(tree, roster, committer).map_err(PathError::from)?,
        }
        if let Some(old) = old {
            roster.leave_leaf(&old);
        }
        roster.enter_leaf(&leaf)?;
        let leaf = Arc::new(leaf);
        match set {
            Some(set) => set.merge(tree, keys, leaf)?,
            None => tree.set_path(committer, leaf, merged.parents).map_err(PathError::from)?,
        }
        Ok(())
    }

    /// The next epoch's public state, its transcript still the old one: the provisional group
    /// context.
    pub(super) fn next(&self, crypto: &Crypto<'_>) -> Result<PublicGroup, ApplyError> {
        let mut next = self.group.clone();
        next.context.epoch = next.context.epoch.checked_add(1).ok_or(ApplyError::LastEpoch)?;
        next.context.tree_hash = tree_hash(crypto, &self.tree);
        next.tree = self.tree.clone();
        Ok(next)
    }
}

/// The proposals of a commit, those by reference looked up.
fn listed<'a>(
    list: &'a [ProposalOrRef],
    store: &'a ProposalStore,
    committer: Option<LeafIndex>,
) -> Result<Vec<Listed<'a>>, ApplyError> {
    let find = |entry: &'a ProposalOrRef| match entry {
        ProposalOrRef::Proposal(proposal) => Ok(Listed { proposal, sender: committer }),
        ProposalOrRef::Reference(_) if committer.is_none() => Err(ApplyError::ReferenceInExternal),
        ProposalOrRef::Reference(reference) => {
            let stored = store.find(reference).ok_or(ApplyError::UnknownReference)?;
            Ok(Listed { proposal: &stored.proposal, sender: stored.sender })
        }
    };
    list.iter().map(find).collect()
}
