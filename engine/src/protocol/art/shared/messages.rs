//! Application messages at fidelity `shared`: each is sealed once and really opened once, by the first
//! who reads it; everybody else who reads it is charged.
//!
//! What a message takes of a client depends on how far it has gone along the sender's chain. So each
//! client has chains of its own that hold no secrets and are worked by the counting provider: the code
//! that runs at `full` says what a key takes, and refuses what it would refuse.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Epoch, SharedArt};
use crate::art::{ApplicationMessage, Chain, one};
use crate::crypto::{CountingProvider, Crypto, Ledger, Op, Provider, Secret};
use crate::protocol::art::messages::Held;
use crate::protocol::post::{Kind, Post, Posted, open_attachment, seal_attachment};
use crate::protocol::{
    ClientId, MessageId, PAST_EPOCHS, ProtocolError, Reading, Received, Seeds, Sent,
};
use crate::tree::LeafIndex;

/// An epoch in which messages are sent.
struct Open {
    epoch: Arc<Epoch>,
    /// The chains of all senders.
    sending: Held,
    /// The same as they are read.
    reading: Held,
}

/// How a client reads messages.
struct Seat {
    /// The first epoch in which it is a member.
    since: u64,
    /// The first in which it is not, once it knows that, and what it could still try to read with.
    until: Option<(u64, Held)>,
    /// Its chains, without their secrets.
    chains: BTreeMap<u64, BTreeMap<LeafIndex, Chain>>,
}

/// The messages of a run.
#[derive(Default)]
pub(super) struct Traffic {
    post: Post,
    /// What a message takes of each who reads it, beside its key; of those that were opened.
    readings: BTreeMap<MessageId, Ledger>,
    open: BTreeMap<u64, Open>,
    seats: BTreeMap<ClientId, Seat>,
    /// Nobody but who is in them asks for epochs before this one.
    released: u64,
}

fn held(epoch: &Epoch) -> Held {
    Held::new(&epoch.now.public, &epoch.now.secrets)
}

impl Seat {
    /// What the key of a message takes of the client, which is in the epoch `at`.
    fn take(&mut self, at: u64, posted: &Posted) -> Result<Ledger, ProtocolError> {
        let first = at.saturating_sub(PAST_EPOCHS);
        if self.chains.first_key_value().is_some_and(|(oldest, _)| *oldest < first) {
            self.chains = self.chains.split_off(&first);
        }
        let crypto = Crypto::new(&CountingProvider);
        let chains = self.chains.entry(posted.epoch).or_default();
        let begun = match chains.remove(&posted.leaf) {
            Some(chain) => chain,
            None => Chain::new(&crypto, &Secret::zero(32), posted.leaf)?,
        };
        let generation = ApplicationMessage::read(&posted.sealed)?.generation();
        let after = begun.open(&crypto, generation)?.after();
        chains.insert(posted.leaf, after);
        Ok(crypto.ledger())
    }
}

impl Traffic {
    /// A client becomes a member in an epoch.
    pub(super) fn enter(&mut self, client: ClientId, epoch: u64) {
        let seat = Seat { since: epoch, until: None, chains: BTreeMap::new() };
        self.seats.insert(client, seat);
    }

    /// A client knows that it is out, after this epoch.
    pub(super) fn leave(&mut self, client: ClientId, last: &Epoch) {
        if let Some(seat) = self.seats.get_mut(&client) {
            seat.until = Some((last.number + 1, held(last)));
        }
    }

    /// A client has nothing to read with any more.
    pub(super) fn lose(&mut self, client: ClientId) {
        self.seats.remove(&client);
    }

    fn open(&mut self, epoch: &Arc<Epoch>) -> &mut Open {
        self.open.entry(epoch.number).or_insert_with(|| {
            let sending = held(epoch);
            Open { epoch: epoch.clone(), reading: sending.clone(), sending }
        })
    }

    pub(super) fn release_before(&mut self, epoch: u64) {
        self.released = epoch;
        self.close();
    }

    pub(super) fn forget_before(&mut self, message: MessageId) {
        self.post.forget_before(message);
        self.readings = self.readings.split_off(&message);
        self.close();
    }

    /// Epochs are closed in which nobody sends any more and of which no message is left.
    fn close(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let first = self.post.first_epoch(self.released);
        self.open = self.open.split_off(&first);
    }

    /// What a message takes of each reader beside its key. The first to ask opens it.
    fn reading(
        &mut self,
        provider: &dyn Provider,
        client: ClientId,
        message: MessageId,
    ) -> Result<Ledger, ProtocolError> {
        if let Some(ledger) = self.readings.get(&message) {
            return Ok(*ledger);
        }
        let posted = self.post.get(message)?;
        let gone = ProtocolError::EpochGone(posted.epoch);
        let open = self.open.get_mut(&posted.epoch).ok_or(gone)?;
        let crypto = Crypto::new(provider);
        let (text, ledger) = match posted.kind {
            // Keys are derived from chains that differ; the rest is the same for all.
            Kind::Text => {
                let text = open.reading.receive(&crypto, &posted.sealed)?;
                let expanded = crypto.ledger().count(Op::KdfExpand);
                (text, crypto.ledger() - one(Op::KdfExpand) * expanded)
            }
            Kind::Attachment => {
                let secrets = &*open.epoch.now.secrets;
                let text = open_attachment(&crypto, secrets, message, &posted.sealed)?;
                (text, crypto.ledger())
            }
        };
        posted.check(client, message, &text)?;
        self.readings.insert(message, ledger);
        Ok(ledger)
    }
}

impl<S: Seeds> SharedArt<S> {
    /// The epoch and the leaf in which a client sends.
    fn sending(&self, sender: ClientId) -> Result<(Arc<Epoch>, LeafIndex), ProtocolError> {
        let membership = self.membership(sender)?;
        if membership.invited.is_some() || membership.lost {
            return Err(ProtocolError::NotAMember(sender));
        }
        Ok((membership.epoch.clone(), membership.leaf))
    }

    pub(super) fn send_text(
        &mut self,
        sender: ClientId,
        text: &[u8],
    ) -> Result<Sent, ProtocolError> {
        let (at, leaf) = self.sending(sender)?;
        let signer = self.clients.signer(self.provider, sender);
        let crypto = Crypto::new(self.provider);
        let sealed = self.traffic.open(&at).sending.send(&crypto, leaf, &signer, text)?;
        Ok(self.post(Kind::Text, sender, (at.number, leaf), sealed, text, crypto.ledger()))
    }

    pub(super) fn send_attachment(
        &mut self,
        sender: ClientId,
        content: &[u8],
    ) -> Result<Sent, ProtocolError> {
        let (at, leaf) = self.sending(sender)?;
        let crypto = Crypto::new(self.provider);
        let message = self.traffic.post.next();
        let sealed = seal_attachment(&crypto, &*at.now.secrets, message, content)?;
        self.traffic.open(&at);
        let place = (at.number, leaf);
        Ok(self.post(Kind::Attachment, sender, place, sealed, content, crypto.ledger()))
    }

    fn post(
        &mut self,
        kind: Kind,
        sender: ClientId,
        (epoch, leaf): (u64, LeafIndex),
        sealed: Vec<u8>,
        text: &[u8],
        ledger: Ledger,
    ) -> Sent {
        let message = self.traffic.post.next();
        let (bytes, text) = (sealed.len() as u64, text.to_vec());
        self.traffic.post.put(Posted { kind, sender, epoch, leaf, sealed, text });
        Sent { message, epoch, bytes, ledger }
    }

    pub(super) fn open_message(
        &mut self,
        client: ClientId,
        message: MessageId,
    ) -> Result<Received, ProtocolError> {
        let unread = |reading| Ok(Received { reading, bytes: 0, ledger: Ledger::default() });
        let membership = self.membership(client).ok();
        if membership.is_some_and(|membership| membership.lost) {
            return unread(Reading::Lost);
        }
        let view = membership.filter(|it| it.invited.is_none()).map(|it| it.epoch.number);
        let posted = self.traffic.post.get(message)?;
        let Some(seat) = self.traffic.seats.get(&client) else { return unread(Reading::NotForIt) };
        let until = seat.until.as_ref().map(|(last, _)| *last);
        let Some(at) = view.or(until) else { return unread(Reading::NotForIt) };
        match posted.reading(client, seat.since, at, until.is_some())? {
            Reading::Read => {}
            other => return unread(other),
        }
        let mut ledger = self.traffic.reading(self.provider, client, message)?;
        let Traffic { post, seats, .. } = &mut self.traffic;
        let posted = post.get(message)?;
        if let (Kind::Text, Some(seat)) = (posted.kind, seats.get_mut(&client)) {
            ledger += seat.take(at, posted)?;
        }
        let bytes = posted.sealed.len() as u64;
        Ok(Received { reading: Reading::Read, bytes, ledger })
    }

    /// Tries the secrets of all epochs that a client still has: that of its view, and those before it in
    /// which messages were sent.
    pub(super) fn pry(&self, client: ClientId, message: MessageId) -> Result<bool, ProtocolError> {
        let posted = self.traffic.post.get(message)?;
        let crypto = Crypto::new(self.provider);
        let opens = |held: &Held| match posted.kind {
            Kind::Text => held.pries(&crypto, &posted.sealed),
            Kind::Attachment => {
                open_attachment(&crypto, &*held.secrets, message, &posted.sealed).is_ok()
            }
        };
        let membership = self.membership(client).ok();
        if membership.is_some_and(|it| it.invited.is_some() || it.lost) {
            return Ok(false);
        }
        let Some(seat) = self.traffic.seats.get(&client) else { return Ok(false) };
        let (at, newest) = match (membership, &seat.until) {
            (Some(membership), _) => (membership.epoch.number, held(&membership.epoch)),
            (None, Some((until, newest))) => (*until, newest.clone()),
            (None, None) => return Ok(false),
        };
        let first = seat.since.max(at.saturating_sub(PAST_EPOCHS));
        let mut past = self.traffic.open.range(first..at.max(first));
        Ok(opens(&newest) || past.any(|(_, open)| opens(&open.reading)))
    }

    /// A client loses all it holds.
    pub(super) fn lose(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        let membership = self.members.get_mut(client.0 as usize).and_then(Option::as_mut);
        let membership = membership.filter(|it| it.invited.is_none() && !it.lost);
        let membership = membership.ok_or(ProtocolError::NotAMember(client))?;
        // Who has been deleted already is out, and does not know it.
        if membership.departure.is_some() {
            self.members[client.0 as usize] = None;
        } else {
            membership.lost = true;
        }
        self.traffic.lose(client);
        Ok(())
    }
}
