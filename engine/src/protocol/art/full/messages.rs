//! Application messages at fidelity `full`: every sender has a chain of its own, every receiver one for
//! each sender, and keeps those of the last epochs for what comes late.

use std::collections::BTreeMap;

use super::{FullArt, FullClient};
use crate::art::Member;
use crate::crypto::{Crypto, Ledger};
use crate::protocol::art::messages::Held;
use crate::protocol::post::{Kind, Posted, open_attachment, seal_attachment};
use crate::protocol::{
    ClientId, MessageId, PAST_EPOCHS, Protocol, ProtocolError, Reading, Received, Seeds, Sent,
};

/// What a client reads messages with: of the epoch that it is in from the first message on, of each
/// epoch that it leaves for as long as [`PAST_EPOCHS`] says.
#[derive(Default)]
pub(super) struct Mail {
    /// The first epoch in which it is a member.
    since: u64,
    /// The first in which it is not, once it knows that it is out.
    until: Option<u64>,
    held: BTreeMap<u64, Held>,
}

impl Mail {
    pub(super) fn since(epoch: u64) -> Self {
        Self { since: epoch, ..Self::default() }
    }

    /// The client goes on from an epoch, whose late messages it may still read.
    pub(super) fn leave_epoch(&mut self, epoch: u64, member: &Member) {
        self.now(epoch, member);
        let first = (epoch + 1).saturating_sub(PAST_EPOCHS);
        self.held = self.held.split_off(&first);
    }

    /// The client knows that it is out, from this epoch on.
    pub(super) fn end(&mut self, epoch: u64) {
        self.until = Some(epoch);
    }

    fn now(&mut self, epoch: u64, member: &Member) -> &mut Held {
        self.held.entry(epoch).or_insert_with(|| Held::new(&member.public, &member.secrets))
    }
}

impl FullClient {
    /// The epoch of its view; the first without it, if it knows that it is out.
    fn at(&self) -> Option<u64> {
        self.member.as_ref().map_or(self.mail.until, |_| Some(self.view))
    }
}

impl<S: Seeds> FullArt<S> {
    fn sending(&mut self, sender: ClientId) -> Result<(&Member, u64, &mut Mail), ProtocolError> {
        let state = self.states.get_mut(&sender).ok_or(ProtocolError::NotAMember(sender))?;
        let member = state.member.as_ref().ok_or(ProtocolError::NotAMember(sender))?;
        Ok((member, state.view, &mut state.mail))
    }

    pub(super) fn send_text(
        &mut self,
        sender: ClientId,
        text: &[u8],
    ) -> Result<Sent, ProtocolError> {
        let message = self.post.next();
        let crypto = Crypto::new(self.provider);
        let (member, epoch, mail) = self.sending(sender)?;
        let held = mail.now(epoch, member);
        let sealed = held.send(&crypto, member.leaf, &member.signer, text)?;
        let (leaf, bytes) = (member.leaf, sealed.len() as u64);
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
        let (leaf, bytes) = (member.leaf, sealed.len() as u64);
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
        let Some(at) = state.at() else { return unread(Reading::NotForIt) };
        let Mail { since, until, .. } = state.mail;
        match posted.reading(client, since, at, until.is_some())? {
            Reading::Read => {}
            other => return unread(other),
        }
        if let Some(member) = state.member.as_ref().filter(|_| posted.epoch == at) {
            state.mail.now(at, member);
        }
        let held = state.mail.held.get_mut(&posted.epoch);
        let held = held.ok_or(ProtocolError::EpochGone(posted.epoch))?;
        let crypto = Crypto::new(self.provider);
        let text = match posted.kind {
            Kind::Text => held.receive(&crypto, &posted.sealed)?,
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
        let member = state.member.as_ref();
        let now = member.map(|member| Held::new(&member.public, &member.secrets));
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
        self.view(client).ok_or(ProtocolError::NotAMember(client))?;
        let state = self.states.get_mut(&client).ok_or(ProtocolError::NotAMember(client))?;
        // Who has been deleted already is out, and does not know it.
        let (leaf, lost) = (state.leaf, state.leaf.is_some());
        *state = FullClient { leaf, lost, ..FullClient::default() };
        Ok(())
    }
}
