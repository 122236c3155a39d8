//! Application messages at fidelity `full`: every sender seals with a secret tree of its own, every
//! receiver opens with one of its own, and keeps those of the last epochs for what comes late.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::{FullClient, FullTreeKem};
use crate::crypto::{Crypto, Ledger};
use crate::group::{EpochMessages, Member, Prying, PublicGroup};
use crate::protocol::post::{Kind, Posted, open_attachment, seal_attachment};
use crate::protocol::{
    ClientId, MessageId, PAST_EPOCHS, Protocol, ProtocolError, Reading, Received, Seeds, Sent,
};
use crate::treekem::EpochSecrets;

/// What a client has for the messages of one epoch.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) messages: EpochMessages,
    /// For the keys of attachments.
    pub(super) secrets: Arc<EpochSecrets>,
}

impl Held {
    pub(super) fn of(member: &Member) -> Self {
        Self::new(&member.public, &member.secrets)
    }

    pub(super) fn new(public: &PublicGroup, secrets: &Arc<EpochSecrets>) -> Self {
        Self { messages: EpochMessages::new(public, secrets), secrets: secrets.clone() }
    }

    /// Keys that were used and erased are tried as well.
    fn pries(&self, crypto: &Crypto<'_>, message: &[u8]) -> bool {
        Prying::new(self.messages.public(), &self.secrets).opens(crypto, message)
    }
}

/// What a client reads messages with: of the epoch that it is in from the first message on, of each
/// epoch that it leaves for as long as [`PAST_EPOCHS`] says.
#[derive(Clone, Default)]
pub(super) struct Mail {
    /// The first epoch in which it was a member.
    since: u64,
    /// The first in which it is not, once it knows that it is out.
    until: Option<u64>,
    pub(super) held: BTreeMap<u64, Held>,
}

impl Mail {
    pub(super) fn since(epoch: u64) -> Self {
        Self { since: epoch, ..Self::default() }
    }

    /// The client goes on from an epoch, whose late messages it may still read.
    pub(super) fn leave_epoch(&mut self, epoch: u64, member: &Member) {
        self.held.entry(epoch).or_insert_with(|| Held::of(member));
        let first = (epoch + 1).saturating_sub(PAST_EPOCHS);
        self.held = self.held.split_off(&first);
    }

    /// The client knows that it is out, from this epoch on.
    pub(super) fn end(&mut self, epoch: u64) {
        self.until = Some(epoch);
    }

    fn now(&mut self, epoch: u64, member: &Member) -> &mut Held {
        self.held.entry(epoch).or_insert_with(|| Held::of(member))
    }
}

impl FullClient {
    /// The epoch of its view; the first without it, if it knows that it is out.
    fn epoch(&self) -> Option<u64> {
        match &self.member {
            Some((member, _)) if self.invitations.is_empty() => Some(self.base + member.epoch()),
            _ => self.mail.until,
        }
    }
}

impl<S: Seeds> FullTreeKem<S> {
    fn sending(&mut self, sender: ClientId) -> Result<(&Member, u64, &mut Mail), ProtocolError> {
        let state = self.states.get_mut(&sender).filter(|state| state.invitations.is_empty());
        let FullClient { member, base, mail, .. } =
            state.ok_or(ProtocolError::NotAMember(sender))?;
        let (member, _) = member.as_ref().ok_or(ProtocolError::NotAMember(sender))?;
        Ok((member, *base + member.epoch(), mail))
    }

    pub(super) fn send_text(
        &mut self,
        sender: ClientId,
        text: &[u8],
    ) -> Result<Sent, ProtocolError> {
        let message = self.post.next();
        let seed = self.clients.seeds().seed("message", sender.0.into(), message.0);
        let mut rng = ChaCha20Rng::from_seed(seed);
        let crypto = Crypto::new(self.provider);
        let (member, epoch, mail) = self.sending(sender)?;
        let secrets = mail.now(epoch, member).messages.secrets_mut();
        let sealed = member.send(&crypto, secrets, text, &mut rng)?;
        let leaf = member.leaf;
        let bytes = sealed.len() as u64;
        let text = text.to_vec();
        self.post.put(Posted { kind: Kind::Text, sender, epoch, leaf, sealed, text });
        Ok(Sent { message, epoch, bytes, ledger: crypto.ledger() })
    }

    pub(super) fn send_attachment(
        &mut self,
        sender: ClientId,
        content: &[u8],
    ) -> Result<Sent, ProtocolError> {
        let message = self.post.next();
        let crypto = Crypto::new(self.provider);
        let (member, epoch, _) = self.sending(sender)?;
        let sealed = seal_attachment(&crypto, &*member.secrets, message, content)?;
        let leaf = member.leaf;
        let bytes = sealed.len() as u64;
        let text = content.to_vec();
        self.post.put(Posted { kind: Kind::Attachment, sender, epoch, leaf, sealed, text });
        Ok(Sent { message, epoch, bytes, ledger: crypto.ledger() })
    }

    pub(super) fn open_message(
        &mut self,
        client: ClientId,
        message: MessageId,
    ) -> Result<Received, ProtocolError> {
        let posted = self.post.get(message)?;
        let bytes = posted.sealed.len() as u64;
        let unread = |reading| Ok(Received { reading, bytes: 0, ledger: Ledger::default() });
        let state = self.states.get_mut(&client).ok_or(ProtocolError::NotAMember(client))?;
        if state.lost {
            return unread(Reading::Lost);
        }
        let Some(at) = state.epoch() else { return unread(Reading::NotForIt) };
        let Mail { since, until, .. } = state.mail;
        match posted.reading(client, since, at, until.is_some())? {
            Reading::Read => {}
            other => return unread(other),
        }
        if let Some((member, _)) = state.member.as_ref().filter(|_| posted.epoch == at) {
            state.mail.now(at, member);
        }
        let held = state.mail.held.get_mut(&posted.epoch);
        let held = held.ok_or(ProtocolError::EpochGone(posted.epoch))?;
        let crypto = Crypto::new(self.provider);
        let text = match posted.kind {
            Kind::Text => held.messages.receive(&crypto, &posted.sealed)?.1,
            Kind::Attachment => open_attachment(&crypto, &*held.secrets, message, &posted.sealed)?,
        };
        posted.check(client, message, &text)?;
        Ok(Received { reading: Reading::Read, bytes, ledger: crypto.ledger() })
    }

    /// Tries everything that a client holds for messages on one.
    pub(super) fn pry(&self, client: ClientId, message: MessageId) -> Result<bool, ProtocolError> {
        let posted = self.post.get(message)?;
        let Some(state) = self.states.get(&client) else { return Ok(false) };
        let crypto = Crypto::new(self.provider);
        let now = state.member.as_ref().map(|(member, _)| Held::of(member));
        let mut held = state.mail.held.values().chain(&now);
        Ok(held.any(|held| match posted.kind {
            Kind::Text => held.pries(&crypto, &posted.sealed),
            Kind::Attachment => {
                open_attachment(&crypto, &*held.secrets, message, &posted.sealed).is_ok()
            }
        }))
    }

    /// A client loses all it holds; what it has published stays published.
    pub(super) fn lose(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        if self.view(client).is_none() {
            return Err(ProtocolError::NotAMember(client));
        }
        let state = self.states.get_mut(&client).ok_or(ProtocolError::NotAMember(client))?;
        let lost = state.member.take().map(|(member, _)| member);
        (state.mail, state.lost) = (Mail::default(), true);
        if self.publisher == Some(client) {
            self.published = lost;
        }
        Ok(())
    }
}
