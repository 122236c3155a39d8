//! What comes in: application data, proposals and commits of others, and the client's own commit
//! when the Delivery Service has chosen it (RFC 9420 §6, §12.1, §12.4.2).

use super::{Session, SessionError};
use crate::codec::decode;
use crate::crypto::{Crypto, Digest};
use crate::group::epoch_messages::EpochMessages;
use crate::group::holdings::StoredProposal;
use crate::group::member::{FollowError, Followed};
use crate::group::public_group::{ApplyError, PublicGroup, Transition, Verified, Viewpoint};
use crate::tree::LeafIndex;
use crate::treedem::{
    Consumption, Content, ContentType, MlsMessage, PrivateMessage, PublicMessage, Sender,
    membership_tag,
};
use crate::treesync::{AppliedProposals, Listed};

/// What a message came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "one is handed over for each message, and none is kept"
)]
pub enum Received {
    /// Application data.
    Application {
        /// Who sent it.
        sender: LeafIndex,
        /// The epoch it was sent in, this one or one before it.
        epoch: u64,
        /// The data.
        data: Vec<u8>,
        /// What was authenticated along with it.
        authenticated_data: Vec<u8>,
    },
    /// A proposal, which is kept for a commit of this epoch.
    Proposal {
        /// Who sent it.
        sender: Sender,
        /// What a commit refers to it by.
        reference: Digest,
    },
    /// A commit; the client is in the next epoch.
    Commit {
        /// Who sent it: its leaf from now on.
        committer: LeafIndex,
        /// What it did.
        applied: AppliedProposals,
    },
    /// A commit that removed this client.
    Removed {
        /// Who sent it: its leaf from then on.
        committer: LeafIndex,
    },
}

/// A private message that has been opened and verified.
struct Opened {
    verified: Verified,
    used: Consumption,
}

impl Session {
    /// Takes in a message of the group. On an error nothing has changed.
    pub fn receive(
        &mut self,
        crypto: &Crypto<'_>,
        message: &[u8],
    ) -> Result<Received, SessionError> {
        self.check_alive()?;
        if self.pending.as_ref().is_some_and(|pending| pending.message == message) {
            return self.accept_pending();
        }
        match decode("an MLS message", message)? {
            MlsMessage::Public(public) => self.receive_public(crypto, public, message),
            MlsMessage::Private(message) => self.receive_private(crypto, message),
            MlsMessage::Welcome(_) => Err(SessionError::NotForMembers("Welcome")),
            MlsMessage::GroupInfo(_) => Err(SessionError::NotForMembers("group info")),
            MlsMessage::KeyPackage(_) => Err(SessionError::NotForMembers("key package")),
        }
    }

    fn receive_public(
        &mut self,
        crypto: &Crypto<'_>,
        message: PublicMessage,
        encoded: &[u8],
    ) -> Result<Received, SessionError> {
        match &message.content.content {
            Content::Application(_) => Err(ApplyError::PublicApplication.into()),
            Content::Commit(_) => {
                self.check_not_own(&message.content.sender)?;
                let store = &self.holdings.proposals;
                let public = self.public();
                let transition =
                    public.apply_public(crypto, &self.roster, store, message, encoded)?;
                self.follow(crypto, &transition, None)
            }
            Content::Proposal(_) => {
                let (content, tag) = message.into_content();
                let verified = self.public().verify(crypto, content)?;
                if let Sender::Member(_) = verified.content.content.sender {
                    let key = &self.member.secrets.membership_key;
                    let Verified { content, tbs } = &verified;
                    let expected = membership_tag(crypto, key, tbs, &content.signature, None)?;
                    if tag != Some(expected) {
                        return Err(FollowError::MembershipTag.into());
                    }
                }
                self.store(crypto, &verified)
            }
        }
    }

    fn receive_private(
        &mut self,
        crypto: &Crypto<'_>,
        message: PrivateMessage,
    ) -> Result<Received, SessionError> {
        if message.group_id != self.public().context.group_id {
            return Err(ApplyError::WrongGroup.into());
        }
        if message.epoch != self.epoch() {
            return self.receive_late(crypto, &message);
        }
        let secret = &self.member.secrets.sender_data_secret;
        let Opened { verified, used } =
            open(crypto, self.public(), &self.messages, secret, &message)?;
        match &verified.content.content.content {
            Content::Application(_) => {
                self.messages.consume(used);
                Ok(application(verified))
            }
            Content::Proposal(_) => {
                let received = self.store(crypto, &verified)?;
                self.messages.consume(used);
                Ok(received)
            }
            Content::Commit(_) => {
                self.check_not_own(&verified.content.content.sender)?;
                let store = &self.holdings.proposals;
                let public = self.public();
                let transition = public.apply_verified(crypto, &self.roster, store, verified)?;
                self.follow(crypto, &transition, Some(used))
            }
        }
    }

    /// Application data of a past epoch.
    fn receive_late(
        &mut self,
        crypto: &Crypto<'_>,
        message: &PrivateMessage,
    ) -> Result<Received, SessionError> {
        let (found, at) = (message.epoch, self.epoch());
        let wanted = |past: &&mut EpochMessages| past.public.epoch() == found;
        let past = self.past.iter_mut().find(wanted);
        let past = past.filter(|_| message.content_type == ContentType::Application);
        let kept = self.settings.past_epochs;
        let past = past.ok_or(SessionError::EpochNotKept { found, at, kept })?;
        let (verified, used) = past.open(crypto, message)?;
        past.secrets.consume(used);
        Ok(application(verified))
    }

    /// A commit of one's own is never followed: its sender has it from making it.
    fn check_not_own(&self, sender: &Sender) -> Result<(), SessionError> {
        match sender {
            Sender::Member(leaf) if *leaf == self.leaf() => Err(SessionError::OwnMessage),
            _ => Ok(()),
        }
    }

    /// Checks a proposal by itself, and keeps it.
    fn store(
        &mut self,
        crypto: &Crypto<'_>,
        verified: &Verified,
    ) -> Result<Received, SessionError> {
        let content = &verified.content;
        let Content::Proposal(proposal) = &content.content.content else {
            return Err(ApplyError::NotAProposal.into());
        };
        let sender = match content.content.sender {
            Sender::Member(leaf) => Some(leaf),
            _ => None,
        };
        self.check_proposal(proposal, sender)?;
        // Whether it is valid must not depend on who will commit it.
        let anybody = Some(LeafIndex(u32::MAX));
        let view = Viewpoint { committer: anybody, ..Viewpoint::default() };
        self.public().propose(crypto, &self.roster, &[Listed { proposal, sender }], view)?;
        let reference = content.reference(crypto)?;
        let proposal = proposal.clone();
        self.holdings.proposals.insert(StoredProposal { reference, sender, proposal })?;
        Ok(Received::Proposal { sender: content.content.sender, reference })
    }

    /// The private half of a commit.
    fn follow(
        &mut self,
        crypto: &Crypto<'_>,
        transition: &Transition,
        used: Option<Consumption>,
    ) -> Result<Received, SessionError> {
        let committer = transition.committer;
        let sender = transition.path.is_some().then_some(&committer);
        let applied = &transition.applied;
        let paths = applied.paths.iter().map(|path| &path.sender);
        let renewed = || applied.updated.iter().chain(paths.clone()).chain(sender);
        for leaf in applied.added.iter().chain(renewed()) {
            if let Some(leaf) = transition.after.tree.leaf(*leaf) {
                self.check_leaf(leaf)?;
            }
        }
        for leaf in renewed() {
            let moved = applied.moved.filter(|moved| moved.to == *leaf);
            let stood = moved.map_or(*leaf, |moved| moved.from);
            if let Some(new) = transition.after.tree.leaf(*leaf)
                && !applied.removed.contains(&stood)
            {
                self.check_successor(stood, new)?;
            }
        }
        if applied.new_extensions {
            self.check_senders(&transition.after)?;
        }
        let mut member = self.member.clone();
        match member.follow_with(crypto, transition, &self.holdings)? {
            Followed::Removed => {
                self.ended = Some(super::Ended::Removed);
                self.pending = None;
                self.holdings.end_epoch();
                Ok(Received::Removed { committer })
            }
            Followed::Advanced => {
                if let Some(used) = used {
                    self.messages.consume(used);
                }
                self.roster.advance(&transition.roster_changes);
                self.advance(member, transition.applied.reinit.clone());
                Ok(Received::Commit { committer, applied: transition.applied.clone() })
            }
        }
    }
}

/// Opens a private message and verifies its signature.
fn open(
    crypto: &Crypto<'_>,
    public: &PublicGroup,
    messages: &crate::treedem::SecretTree,
    sender_data_secret: &crate::crypto::Secret,
    message: &PrivateMessage,
) -> Result<Opened, SessionError> {
    let is_member = |leaf| public.tree.leaf(leaf).is_some();
    let (content, used) = message.open(crypto, messages, sender_data_secret, is_member)?;
    Ok(Opened { verified: public.verify(crypto, content)?, used })
}

fn application(verified: Verified) -> Received {
    let framed = &verified.content.content;
    let (epoch, authenticated_data) = (framed.epoch, framed.authenticated_data.as_slice().to_vec());
    let (sender, data) = verified.into_application();
    Received::Application { sender, epoch, data, authenticated_data }
}
