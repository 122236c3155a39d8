//! The public state of a group at one epoch, and the public half of following a commit: a
//! function of that state and the message alone (RFC 9420 §12.4.2).

use std::sync::Arc;

use super::context::GroupContext;
use super::transcript::{confirmed_transcript_hash, interim_transcript_hash};
use crate::codec::{CodecError, decode, encode};
use crate::crypto::{Crypto, CryptoError, Digest};
use crate::tree::LeafIndex;
use crate::treedem::{
    Commit, Content, MlsMessage, PublicMessage, Sender, WireFormat, authenticated_content_tbm,
    framed_content_tbs,
};
use crate::treekem::{PathError, UpdatePath, merge_path};
use crate::treesync::{
    AppliedProposals, ExpectedSource, LeafNode, LeafRules, Proposal, ProposalError, ProposalOrRef,
    RatchetTree, Roster, RosterChange, RosterDraft, TreeError, apply_proposals, leave_path,
    tree_hash,
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
    /// Its sender is not a member.
    #[error("the sender is not a member (RFC 9420 §6.1)")]
    UnknownSender,
    /// Its sender is of a kind that this version does not follow.
    #[error("commits of senders outside the group are not followed by this version")]
    ExternalSender,
    /// It refers to proposals sent before.
    #[error("proposals by reference are not followed by this version")]
    ByReference,
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
    /// Who committed.
    pub committer: LeafIndex,
    /// What its proposals did.
    pub applied: AppliedProposals,
    /// The added leaves, ascending.
    pub added: Vec<LeafIndex>,
    /// Its path.
    pub path: Option<TransitionPath>,
    /// How the roster changes.
    pub roster_changes: Vec<RosterChange>,
    /// What the membership tag covers, and the tag.
    pub membership: (Vec<u8>, Digest),
    /// The tag that the new epoch's secrets must give.
    pub confirmation_tag: Digest,
}

/// A commit applied to the tree, its transcript not yet continued.
struct Step {
    after: PublicGroup,
    applied: AppliedProposals,
    added: Vec<LeafIndex>,
    path: Option<TransitionPath>,
    roster_changes: Vec<RosterChange>,
}

/// The tree and roster after a commit's proposals.
pub(super) struct Proposed<'r> {
    pub(super) tree: RatchetTree,
    pub(super) roster: RosterDraft<'r>,
    pub(super) applied: AppliedProposals,
    /// The added leaves, ascending.
    pub(super) added: Vec<LeafIndex>,
}

impl PublicGroup {
    /// The epoch.
    pub fn epoch(&self) -> u64 {
        self.context.epoch
    }

    /// What the group demands of a leaf.
    fn rules(&self) -> Result<LeafRules, CodecError> {
        self.context.leaf_rules()
    }

    /// Follows a commit in public: decodes it, checks its signature and everything else that
    /// can be checked without a secret, and gives the new public state.
    pub fn apply(
        &self,
        crypto: &Crypto<'_>,
        roster: &Roster,
        message: &[u8],
    ) -> Result<Transition, ApplyError> {
        let MlsMessage::Public(message) = decode("an MLS message", message)? else {
            return Err(ApplyError::NotACommit);
        };
        let committer = self.check_frame(&message)?;
        if !matches!(message.content.content, Content::Commit(_)) {
            return Err(ApplyError::NotACommit);
        }
        let content = encode(&message.content)?;
        let tbs = framed_content_tbs(WireFormat::PUBLIC_MESSAGE, &content, &self.context.encoded());
        let leaf = self.tree.leaf(committer).ok_or(ApplyError::UnknownSender)?;
        let signature = &message.signature;
        crypto.verify_with_label(&leaf.signature_key, "FramedContentTBS", &tbs, signature)?;
        let tag = message.confirmation_tag.ok_or(ApplyError::MissingTag("confirmation tag"))?;
        let membership = message.membership_tag.ok_or(ApplyError::MissingTag("membership tag"))?;
        let tbm = authenticated_content_tbm(&tbs, signature, Some(&tag))?;
        let confirmed = confirmed_transcript_hash(
            crypto,
            &self.interim_transcript_hash,
            WireFormat::PUBLIC_MESSAGE,
            &content,
            signature,
        )?;
        let Content::Commit(commit) = message.content.content else {
            return Err(ApplyError::NotACommit);
        };
        let step = self.apply_commit(crypto, roster, committer, commit)?;
        let mut after = step.after;
        after.context.confirmed_transcript_hash = confirmed;
        after.interim_transcript_hash = interim_transcript_hash(crypto, &confirmed, &tag)?;
        Ok(Transition {
            after,
            committer,
            applied: step.applied,
            added: step.added,
            path: step.path,
            roster_changes: step.roster_changes,
            membership: (tbm, membership),
            confirmation_tag: tag,
        })
    }

    fn check_frame(&self, message: &PublicMessage) -> Result<LeafIndex, ApplyError> {
        let content = &message.content;
        if content.group_id != self.context.group_id {
            return Err(ApplyError::WrongGroup);
        }
        if content.epoch != self.epoch() {
            return Err(ApplyError::WrongEpoch { expected: self.epoch(), found: content.epoch });
        }
        match content.sender {
            Sender::Member(leaf) => Ok(leaf),
            _ => Err(ApplyError::ExternalSender),
        }
    }

    fn apply_commit(
        &self,
        crypto: &Crypto<'_>,
        roster: &Roster,
        committer: LeafIndex,
        commit: Commit,
    ) -> Result<Step, ApplyError> {
        let proposals = by_value(&commit.proposals)?;
        let must = proposals.is_empty() || proposals.iter().any(|p| p.requires_path());
        if must && commit.path.is_none() {
            return Err(ApplyError::PathRequired);
        }
        let mut proposed = self.propose(crypto, roster, committer, &proposals, None)?;
        let tree_before = proposed.tree.clone();
        if let Some(path) = &commit.path {
            let leaf = &path.leaf_node;
            self.check_path_leaf(crypto, committer, leaf)?;
            path.check_counts(&tree_before, committer, &proposed.added)?;
            let keys = path.public_keys();
            self.merge(crypto, &mut proposed, committer, &keys, |parent_hash| {
                if leaf.parent_hash() != Some(&parent_hash) {
                    return Err(PathError::ParentHash.into());
                }
                Ok::<_, ApplyError>(leaf.clone())
            })?;
        }
        let after = self.next(crypto, proposed.tree.clone());
        let provisional_context = after.context.encoded();
        let path = commit.path.map(|update_path| TransitionPath {
            update_path,
            tree_before,
            provisional_context,
        });
        let Proposed { roster, applied, added, .. } = proposed;
        let roster_changes = roster.finish()?;
        Ok(Step { after, applied, added, path, roster_changes })
    }

    /// Validates and applies proposals.
    pub(super) fn propose<'r>(
        &self,
        crypto: &Crypto<'_>,
        roster: &'r Roster,
        committer: LeafIndex,
        proposals: &[&Proposal],
        now: Option<u64>,
    ) -> Result<Proposed<'r>, ApplyError> {
        let mut tree = self.tree.clone();
        let mut roster = RosterDraft::new(roster);
        let applied = apply_proposals(
            crypto,
            &mut tree,
            &mut roster,
            &self.rules()?,
            committer,
            proposals,
            now,
        )?;
        let mut added = applied.added.clone();
        added.sort_unstable();
        Ok(Proposed { tree, roster, applied, added })
    }

    fn check_path_leaf(
        &self,
        crypto: &Crypto<'_>,
        committer: LeafIndex,
        leaf: &LeafNode,
    ) -> Result<(), ApplyError> {
        self.rules()?.check(leaf, ExpectedSource::Commit)?;
        let old = self.tree.leaf(committer).ok_or(ApplyError::UnknownSender)?;
        if old.encryption_key == leaf.encryption_key {
            return Err(ApplyError::SameLeafKey);
        }
        let signed = leaf.signed(self.context.group_id.as_slice(), committer)?;
        Ok(crypto.verify_with_label(signed.key, signed.label, &signed.content, signed.signature)?)
    }

    /// Merges the keys of a path; `leaf` makes the new leaf from its parent hash.
    pub(super) fn merge<E: From<PathError> + From<TreeError>>(
        &self,
        crypto: &Crypto<'_>,
        proposed: &mut Proposed<'_>,
        committer: LeafIndex,
        keys: &[crate::crypto::HpkePublicKey],
        leaf: impl FnOnce(Digest) -> Result<LeafNode, E>,
    ) -> Result<(), E> {
        let Proposed { tree, roster, .. } = proposed;
        let old = tree.leaf(committer).cloned();
        let merged = merge_path(crypto, tree, committer, keys)?;
        let leaf = leaf(merged.leaf_parent_hash)?;
        // None of the new keys may be in the tree yet, the replaced ones included.
        if roster.has_encryption_key(&leaf.encryption_key) {
            return Err(TreeError::DuplicateEncryptionKey.into());
        }
        keys.iter().try_for_each(|key| roster.enter_parent(key))?;
        leave_path(tree, roster, committer).map_err(PathError::from)?;
        if let Some(old) = old {
            roster.leave_leaf(&old);
        }
        roster.enter_leaf(&leaf)?;
        tree.set_path(committer, Arc::new(leaf), merged.parents).map_err(PathError::from)?;
        Ok(())
    }

    /// The next epoch's public state, its transcript still the old one: the provisional group
    /// context.
    pub(super) fn next(&self, crypto: &Crypto<'_>, tree: RatchetTree) -> Self {
        let mut next = self.clone();
        next.context.epoch += 1;
        next.context.tree_hash = tree_hash(crypto, &tree);
        next.tree = tree;
        next
    }
}

fn by_value(proposals: &[ProposalOrRef]) -> Result<Vec<&Proposal>, ApplyError> {
    let values = proposals.iter().map(|listed| match listed {
        ProposalOrRef::Proposal(proposal) => Ok(proposal),
        ProposalOrRef::Reference(_) => Err(ApplyError::ByReference),
    });
    values.collect()
}
