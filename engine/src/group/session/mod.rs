//! A client in one group, whole: a [`Member`] with all that it must remember beside its state to
//! speak RFC 9420 on a network: the roster, the proposals of the epoch, the secrets of messages,
//! pre-shared keys, its commit on the way. What it holds beside a `Member` grows with the group
//! and with traffic, so that the simulator, which has tens of thousands, keeps the parts apart.
//!
//! * `receive`: what comes in;
//! * `send`: proposals, commits and application data that go out;
//! * `enter`: creating a group, joining by a Welcome, joining by oneself;
//! * `tie`: groups that replace a group or branch off it (§11.2, §11.3).
//!
//! A message that is refused changes nothing.

mod enter;
mod receive;
mod send;
mod tie;

use std::collections::VecDeque;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::authentication::{AuthenticationService, CredentialError};
use super::commit::{CommitError, PendingCommit};
use super::epoch_messages::EpochMessages;
use super::holdings::{Holdings, TooManyProposals};
use super::join::JoinError;
use super::member::{FollowError, Member};
use super::public_group::{ApplyError, PublicGroup};
use crate::codec::{CodecError, encode};
use crate::crypto::{Crypto, CryptoError, Digest, Secret};
use crate::tree::LeafIndex;
use crate::treedem::{PrivateMessageError, SecretTree};
use crate::treekem::{GroupInfo, UpdatePath};
use crate::treesync::{
    ExternalSender, LeafNode, LeafNodeError, LeafNodeSource, Proposal, ProposedPath, ReInit, Roster,
};

pub use enter::Joining;
pub use receive::Received;
pub use send::{CommitPlan, Committed};

/// What an application decides about a group once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether proposals and commits go out as private messages.
    pub private_handshakes: bool,
    /// Whether a Welcome carries the ratchet tree.
    pub tree_in_welcome: bool,
    /// What is encrypted of a private message, content, signature and tag, is padded to a multiple
    /// of this many bytes; 0 and 1 pad nothing.
    pub padding: usize,
    /// Of how many past epochs late application messages can still be read. Their secrets are
    /// kept for that, which costs forward secrecy.
    pub past_epochs: usize,
    /// Of how many epochs the resumption key is kept (RFC 9420 §8.6).
    pub resumption_epochs: u64,
    /// The longest lifetime of a key package that is accepted, in seconds (RFC 9420 §7.2).
    pub max_lifetime: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            private_handshakes: false,
            tree_in_welcome: true,
            padding: 0,
            past_epochs: 1,
            resumption_epochs: 16,
            max_lifetime: u64::MAX,
        }
    }
}

/// Why a client is not in the group any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was removed.
    Removed,
    /// The group is to be replaced by this one.
    Reinit(ReInit),
}

/// A client in one group.
#[derive(Clone, Debug)]
pub struct Session {
    member: Member,
    roster: Roster,
    holdings: Holdings,
    messages: SecretTree,
    past: VecDeque<EpochMessages>,
    pending: Option<PendingCommit>,
    ended: Option<Ended>,
    settings: Settings,
    service: Arc<dyn AuthenticationService>,
}

/// The rule that a message or a request breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The client is out of the group.
    #[error("this client was removed from the group")]
    Removed,
    /// The group is over.
    #[error("the group is to be replaced by another (RFC 9420 §12.4.2)")]
    Reinitialized,
    /// The group is not to be replaced.
    #[error("the group has not been ended by a ReInit (RFC 9420 §11.2)")]
    NotReinitialized,
    /// A kind of message that is not for a group's members.
    #[error("a {0} is not for the members of a group")]
    NotForMembers(&'static str),
    /// Something else where application data is to be read.
    #[error("the message is no private message with application data (RFC 9420 §6.3)")]
    NotApplicationData,
    /// A proposal is waiting to be committed.
    #[error(
        "proposals of this epoch must be committed before application data is sent (RFC 9420 §12.4)"
    )]
    ProposalsWaiting,
    /// There is no commit on the way.
    #[error("this client has no commit on its way")]
    NothingPending,
    /// There is already a commit on the way.
    #[error("this client has a commit on its way: accept or discard it first")]
    AlreadyPending,
    /// The client's own message has come back.
    #[error("the message is this client's own")]
    OwnMessage,
    /// A message from an epoch that is not kept.
    #[error(
        "the message is from epoch {found}, the group is in epoch {at}, and past epochs are kept for application data alone, {kept} of them"
    )]
    EpochNotKept {
        /// The message's epoch.
        found: u64,
        /// The group's epoch.
        at: u64,
        /// How many are kept.
        kept: usize,
    },
    /// The lifetime of an added package is too long.
    #[error(
        "a key package is valid for {found} seconds, more than the {most} accepted (RFC 9420 §7.2)"
    )]
    Lifetime {
        /// Its total lifetime.
        found: u64,
        /// The longest that is accepted.
        most: u64,
    },
    /// A credential is not believed.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// Too many proposals.
    #[error(transparent)]
    TooMany(#[from] TooManyProposals),
    /// The message breaks a rule in public.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The message breaks a rule in private.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// The message does not open.
    #[error(transparent)]
    Private(#[from] PrivateMessageError),
    /// A commit cannot be made.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// A group cannot be joined.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// Something cannot be signed.
    #[error(transparent)]
    Sign(#[from] LeafNodeError),
    /// A primitive refused.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// Something has no encoding, or is none.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

impl Session {
    /// A session that begins with a member's state.
    fn begin(
        mut member: Member,
        roster: Roster,
        holdings: Holdings,
        settings: Settings,
        service: Arc<dyn AuthenticationService>,
    ) -> Self {
        let messages = take_messages(&mut member);
        let (past, pending, ended) = (VecDeque::new(), None, None);
        let mut session =
            Self { member, roster, holdings, messages, past, pending, ended, settings, service };
        session.keep_resumption();
        session
    }

    /// The client's state of the group.
    pub fn member(&self) -> &Member {
        &self.member
    }

    /// The public state of the group.
    pub fn public(&self) -> &PublicGroup {
        &self.member.public
    }

    /// The roster of the group.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The epoch.
    pub fn epoch(&self) -> u64 {
        self.member.epoch()
    }

    /// The client's leaf.
    pub fn leaf(&self) -> LeafIndex {
        self.member.leaf
    }

    /// The members by their leaves.
    pub fn members(&self) -> Vec<(LeafIndex, Arc<LeafNode>)> {
        let leaves = self.public().tree.root().leaves();
        leaves.into_iter().map(|(index, leaf)| (index, leaf.clone())).collect()
    }

    /// The commit on its way, if there is one.
    pub fn pending(&self) -> Option<&PendingCommit> {
        self.pending.as_ref()
    }

    /// Why the client is not in the group any more, if it is not.
    pub fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }

    /// What the client holds beside its state.
    pub fn holdings(&self) -> &Holdings {
        &self.holdings
    }

    /// The secrets of the epoch's messages, as far as they have not been used.
    pub fn messages(&self) -> &SecretTree {
        &self.messages
    }

    /// Puts in a pre-shared key of the application.
    pub fn insert_psk(&mut self, id: Vec<u8>, psk: Secret) {
        self.holdings.psks.insert_external(id, psk);
    }

    /// `epoch_authenticator` (RFC 9420 §8.7).
    pub fn epoch_authenticator(&self) -> &Secret {
        &self.member.secrets.epoch_authenticator
    }

    /// `MLS-Exporter` (RFC 9420 §8.5).
    pub fn export(
        &self,
        crypto: &Crypto<'_>,
        label: &str,
        context: &[u8],
        length: usize,
    ) -> Result<Secret, CryptoError> {
        self.member.secrets.export(crypto, label, context, length)
    }

    /// The group info of the epoch, for somebody who joins by oneself.
    pub fn group_info(
        &self,
        crypto: &Crypto<'_>,
        with_tree: bool,
    ) -> Result<GroupInfo, SessionError> {
        self.check_alive()?;
        Ok(self.member.group_info(crypto, with_tree)?)
    }

    /// A hash over everything that a message could change: two equal ones show that nothing
    /// has. For tests; it hashes secrets, so it is one.
    pub fn digest(&self, crypto: &Crypto<'_>) -> Result<Digest, CodecError> {
        let mut state = Zeroizing::new(self.public().context.encoded());
        state.extend(encode(&self.public().interim_transcript_hash)?);
        state.extend(format!("{:?}", self.roster).bytes());
        state.extend(encode(&self.member.secrets.init_secret)?);
        state.extend(encode(&self.member.secrets.epoch_authenticator)?);
        state.extend(self.member.signer.private.as_slice());
        state.extend(self.member.keys.leaf().private.as_slice());
        for pair in self.member.keys.parents() {
            state.extend(pair.private.as_slice());
        }
        for stored in self.holdings.proposals.iter() {
            state.extend(encode(&stored.reference)?);
        }
        for update in &self.holdings.updates {
            state.extend(update.leaf.private.as_slice());
            for pair in &update.parents {
                state.extend(pair.private.as_slice());
            }
            state.extend(update.signer.private.as_slice());
        }
        state.extend(self.messages.fingerprint().as_slice());
        for past in &self.past {
            state.extend(past.public.epoch().to_be_bytes());
            state.extend(past.secrets.fingerprint().as_slice());
        }
        if let Some(pending) = &self.pending {
            state.extend(&pending.message);
        }
        state.extend(format!("{:?}", self.ended).bytes());
        Ok(crypto.provider().hash(&[&state]))
    }

    /// Checks a leaf that is new to the group against the decisions of the application: its
    /// credential (RFC 9420 §5.3.1), and how long it may have been published (§7.2).
    fn check_leaf(&self, leaf: &LeafNode) -> Result<(), SessionError> {
        self.service.check(&leaf.credential, &leaf.signature_key)?;
        let LeafNodeSource::KeyPackage(lifetime) = leaf.leaf_node_source else { return Ok(()) };
        let found = lifetime.not_after.saturating_sub(lifetime.not_before);
        let most = self.settings.max_lifetime;
        if found > most { Err(SessionError::Lifetime { found, most }) } else { Ok(()) }
    }

    /// Checks that the credential of a new leaf may take the place of the member's old one
    /// (RFC 9420 §5.3.1).
    fn check_successor(&self, member: LeafIndex, new: &LeafNode) -> Result<(), SessionError> {
        match self.public().tree.leaf(member) {
            Some(old) if old.credential != new.credential => {
                Ok(self.service.check_successor(&old.credential, &new.credential)?)
            }
            _ => Ok(()),
        }
    }

    /// Checks the credentials of the senders that a group listens to (RFC 9420 §5.3.1).
    fn check_senders(&self, public: &PublicGroup) -> Result<(), SessionError> {
        let mut senders = public.external_senders()?.into_iter();
        let check =
            |sender: ExternalSender| self.service.check(&sender.credential, &sender.signature_key);
        Ok(senders.try_for_each(check)?)
    }

    /// Checks the credentials that a proposal brings, if it does.
    fn check_proposal(
        &self,
        proposal: &Proposal,
        sender: Option<LeafIndex>,
    ) -> Result<(), SessionError> {
        match proposal {
            Proposal::Add(package) => self.check_leaf(&package.leaf_node),
            Proposal::Update(leaf)
            | Proposal::Path(ProposedPath(UpdatePath { leaf_node: leaf, .. })) => {
                self.check_leaf(leaf)?;
                sender.map_or(Ok(()), |sender| self.check_successor(sender, leaf))
            }
            Proposal::GroupContextExtensions(extensions) => {
                let mut public = self.public().clone();
                public.context.extensions.clone_from(extensions);
                self.check_senders(&public)
            }
            _ => Ok(()),
        }
    }

    fn check_alive(&self) -> Result<(), SessionError> {
        match self.ended {
            None => Ok(()),
            Some(Ended::Removed) => Err(SessionError::Removed),
            Some(Ended::Reinit(_)) => Err(SessionError::Reinitialized),
        }
    }

    /// Keeps the epoch's resumption key, and forgets the oldest.
    fn keep_resumption(&mut self) {
        let group_id = self.member.public.context.group_id.as_slice();
        let epoch = self.member.epoch();
        let psks = &mut self.holdings.psks;
        let psk = self.member.secrets.resumption_psk.clone();
        psks.insert_resumption(group_id.to_vec(), epoch, psk);
        // A group that one is welcomed to may say that it is in the very last epoch.
        let next = epoch.saturating_add(1);
        psks.forget_before(group_id, next.saturating_sub(self.settings.resumption_epochs));
    }

    /// Goes on to an epoch that has been computed.
    fn advance(&mut self, mut member: Member, reinit: Option<ReInit>) {
        let messages = take_messages(&mut member);
        let before = std::mem::replace(&mut self.member, member);
        self.past.push_back(EpochMessages {
            public: before.public,
            sender_data_secret: before.secrets.sender_data_secret.clone(),
            secrets: std::mem::replace(&mut self.messages, messages),
        });
        while self.past.len() > self.settings.past_epochs {
            self.past.pop_front();
        }
        self.holdings.end_epoch();
        self.pending = None;
        self.ended = reinit.map(Ended::Reinit);
        self.keep_resumption();
    }
}

/// The secret tree of a member's epoch. Its root is consumed by that (RFC 9420 §9.2), and erased
/// from the member's secrets.
fn take_messages(member: &mut Member) -> SecretTree {
    let secrets = Arc::make_mut(&mut member.secrets);
    let root = std::mem::replace(&mut secrets.encryption_secret, Secret::zero(0));
    SecretTree::new(root, member.public.tree.bound())
}
