//! Application messages at fidelity `shared`: each is sealed once and really opened once, by the first
//! who reads it; everybody else who reads it is charged.
//!
//! What a message takes of a client depends on what the client has read before in that epoch: which
//! nodes of the secret tree it has opened, how far each sender's ratchet is. So each client has a
//! secret tree of its own that holds no secrets and is worked by the counting provider: the code that
//! runs at `full` says what it takes, and refuses what it would refuse.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::copied::Drawer;
use super::{Epoch, SharedTreeKem};
use crate::crypto::{CountingProvider, Crypto, Ledger, Provider, Secret};
use crate::group::{EpochMessages, Prying, SessionError};
use crate::protocol::post::{Kind, Post, Posted, open_attachment, seal_attachment};
use crate::protocol::{
    ClientId, MessageId, PAST_EPOCHS, ProtocolError, Reading, Received, Seeds, Sent,
};
use crate::tree::LeafIndex;
use crate::treedem::{Consumption, PrivateMessageError, RatchetType, SecretTree, SecretTreeError};
use crate::treekem::EpochSecrets;

/// An epoch in which messages are sent.
struct Open {
    epoch: Arc<Epoch>,
    /// What all senders together have used.
    sending: SecretTree,
    /// What has been opened.
    reading: EpochMessages,
}

/// How a client reads messages.
struct Seat {
    /// The first epoch in which it is a member.
    since: u64,
    /// The first in which it is not, once it knows that, and what it could still try to read with.
    until: Option<(u64, Prying, Arc<EpochSecrets>)>,
    /// Its secret trees, without their secrets.
    used: BTreeMap<u64, SecretTree>,
}

/// The messages of a run.
#[derive(Default)]
pub(super) struct Traffic {
    post: Post,
    /// The generations of the senders' ratchets that texts were sealed with.
    generations: BTreeMap<MessageId, u32>,
    /// What a message takes of each who reads it, beside its key; of those that were opened.
    readings: BTreeMap<MessageId, Ledger>,
    open: BTreeMap<u64, Open>,
    seats: BTreeMap<ClientId, Seat>,
    /// Nobody but who is in them asks for epochs before this one.
    released: u64,
}

/// What a key of a secret tree takes.
type Taken = (Ledger, Consumption);

/// An error of a secret tree that stands for a client's own.
fn refused(error: SecretTreeError) -> ProtocolError {
    SessionError::from(PrivateMessageError::from(error)).into()
}

impl Seat {
    fn since(epoch: u64) -> Self {
        Self { since: epoch, until: None, used: BTreeMap::new() }
    }

    /// The client's secret tree of an epoch; those that it has erased by now, in the epoch `at`, go.
    fn used(&mut self, at: u64, epoch: u64, width: u32) -> &mut SecretTree {
        let first = at.saturating_sub(PAST_EPOCHS);
        if self.used.first_key_value().is_some_and(|(oldest, _)| *oldest < first) {
            self.used = self.used.split_off(&first);
        }
        self.used.entry(epoch).or_insert_with(|| SecretTree::new(Secret::zero(32), width))
    }

    /// What the key of a message of another takes of it.
    fn take(
        &mut self,
        at: u64,
        posted: &Posted,
        generation: u32,
        width: u32,
    ) -> Result<Ledger, ProtocolError> {
        let tree = self.used(at, posted.epoch, width);
        let (ledger, used) = key(tree, posted.leaf, generation).map_err(refused)?;
        tree.consume(used);
        Ok(ledger)
    }

    /// What the key of a message of its own takes.
    fn take_next(&mut self, at: u64, leaf: LeafIndex, width: u32) -> Result<Ledger, ProtocolError> {
        let crypto = Crypto::new(&CountingProvider);
        let tree = self.used(at, at, width);
        let (_, _, used) =
            tree.next_key(&crypto, leaf, RatchetType::Application).map_err(refused)?;
        tree.consume(used);
        Ok(crypto.ledger())
    }
}

/// What deriving a key takes, whatever the secrets are.
fn key(tree: &SecretTree, leaf: LeafIndex, generation: u32) -> Result<Taken, SecretTreeError> {
    let crypto = Crypto::new(&CountingProvider);
    let (_, used) = tree.key(&crypto, leaf, RatchetType::Application, generation)?;
    Ok((crypto.ledger(), used))
}

/// Whether a key of a secret tree has been used.
pub(super) fn erased(tree: &SecretTree, leaf: LeafIndex, generation: u32) -> bool {
    key(tree, leaf, generation).is_err()
}

impl Traffic {
    /// What a client in an epoch has for messages.
    pub(super) fn drawer(&self, client: ClientId, view: u64) -> Drawer {
        let seat = self.seats.get(&client);
        let used = seat.map_or_else(BTreeMap::new, |seat| seat.used.clone());
        Drawer::new(seat.map_or(view, |seat| seat.since), view, used)
    }

    pub(super) fn posted(&self, message: MessageId) -> Result<&Posted, ProtocolError> {
        self.post.get(message)
    }

    /// The generation of its sender's ratchet that a text was sealed with.
    pub(super) fn generation(&self, message: MessageId) -> Option<u32> {
        self.generations.get(&message).copied()
    }

    /// A client becomes a member in an epoch.
    pub(super) fn enter(&mut self, client: ClientId, epoch: u64) {
        self.seats.insert(client, Seat::since(epoch));
    }

    /// A client knows that it is out, after this epoch.
    pub(super) fn leave(&mut self, client: ClientId, last: &Epoch) {
        if let Some(seat) = self.seats.get_mut(&client) {
            let prying = Prying::new(&last.public, &last.secrets);
            seat.until = Some((last.number + 1, prying, last.secrets.clone()));
        }
    }

    /// A client has nothing to read with any more.
    pub(super) fn lose(&mut self, client: ClientId) {
        self.seats.remove(&client);
    }

    fn open(&mut self, epoch: &Arc<Epoch>) -> &mut Open {
        self.open.entry(epoch.number).or_insert_with(|| {
            let reading = EpochMessages::new(&epoch.public, &epoch.secrets);
            Open { epoch: epoch.clone(), sending: reading.secrets().clone(), reading }
        })
    }

    pub(super) fn release_before(&mut self, epoch: u64) {
        self.released = epoch;
        self.close();
    }

    pub(super) fn forget_before(&mut self, message: MessageId) {
        self.post.forget_before(message);
        self.generations = self.generations.split_off(&message);
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
    ) -> Result<(Ledger, u32), ProtocolError> {
        let posted = self.post.get(message)?;
        let gone = ProtocolError::EpochGone(posted.epoch);
        let open = self.open.get_mut(&posted.epoch).ok_or(gone)?;
        let width = open.epoch.public.tree.bound();
        if let Some(ledger) = self.readings.get(&message) {
            return Ok((*ledger, width));
        }
        let crypto = Crypto::new(provider);
        let (text, of_key) = match (posted.kind, self.generations.get(&message)) {
            (Kind::Text, Some(generation)) => {
                let tree = open.reading.secrets();
                let (of_key, _) = key(tree, posted.leaf, *generation).map_err(refused)?;
                (open.reading.receive(&crypto, &posted.sealed)?.1, of_key)
            }
            _ => {
                let secrets = &*open.epoch.secrets;
                let text = open_attachment(&crypto, secrets, message, &posted.sealed)?;
                (text, Ledger::default())
            }
        };
        posted.check(client, message, &text)?;
        let ledger = crypto.ledger() - of_key;
        self.readings.insert(message, ledger);
        Ok((ledger, width))
    }
}

impl<S: Seeds> SharedTreeKem<S> {
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
        let message = self.traffic.post.next();
        let seed = self.clients.seeds().seed("message", sender.0.into(), message.0);
        let mut rng = ChaCha20Rng::from_seed(seed);
        let member = self.member_at(&at, sender, leaf)?;
        let (number, width) = (at.number, at.public.tree.bound());
        let sending = &mut self.traffic.open(&at).sending;
        let measured = Crypto::new(&CountingProvider);
        let next = sending.next_key(&measured, leaf, RatchetType::Application);
        let (generation, ..) = next.map_err(refused)?;
        let crypto = Crypto::new(self.provider);
        let sealed = member.send(&crypto, sending, text, &mut rng)?;
        let seat = self.traffic.seats.get_mut(&sender).ok_or(ProtocolError::NotAMember(sender))?;
        let own = seat.take_next(number, leaf, width)?;
        self.traffic.generations.insert(message, generation);
        let ledger = crypto.ledger() - measured.ledger() + own;
        Ok(self.post(Kind::Text, sender, (number, leaf), sealed, text, ledger))
    }

    pub(super) fn send_attachment(
        &mut self,
        sender: ClientId,
        content: &[u8],
    ) -> Result<Sent, ProtocolError> {
        let (at, leaf) = self.sending(sender)?;
        let crypto = Crypto::new(self.provider);
        let message = self.traffic.post.next();
        let sealed = seal_attachment(&crypto, &*at.secrets, message, content)?;
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
        let bytes = sealed.len() as u64;
        let text = text.to_vec();
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
        let until = seat.until.as_ref().map(|(first, ..)| *first);
        let Some(at) = view.or(until) else { return unread(Reading::NotForIt) };
        match posted.reading(client, seat.since, at, until.is_some())? {
            Reading::Read => {}
            other => return unread(other),
        }
        let (mut ledger, width) = self.traffic.reading(self.provider, client, message)?;
        let Traffic { post, generations, seats, .. } = &mut self.traffic;
        let posted = post.get(message)?;
        if let (Some(generation), Some(seat)) = (generations.get(&message), seats.get_mut(&client))
        {
            ledger += seat.take(at, posted, *generation, width)?;
        }
        let bytes = posted.sealed.len() as u64;
        Ok(Received { reading: Reading::Read, bytes, ledger })
    }

    /// Tries the secrets of the newest epoch that a client has been in.
    pub(super) fn pry(&self, client: ClientId, message: MessageId) -> Result<bool, ProtocolError> {
        let posted = self.traffic.post.get(message)?;
        let crypto = Crypto::new(self.provider);
        let opens = |held: &Prying| held.opens(&crypto, &posted.sealed);
        if let Ok(membership) = self.membership(client) {
            let Epoch { public, secrets, .. } = &*membership.epoch;
            return Ok(match posted.kind {
                _ if membership.lost => false,
                Kind::Text => opens(&Prying::new(public, secrets)),
                Kind::Attachment => {
                    open_attachment(&crypto, &**secrets, message, &posted.sealed).is_ok()
                }
            });
        }
        let seat = self.traffic.seats.get(&client);
        let until = seat.and_then(|seat| seat.until.as_ref());
        Ok(until.is_some_and(|(_, held, secrets)| match posted.kind {
            Kind::Text => opens(held),
            Kind::Attachment => {
                open_attachment(&crypto, &**secrets, message, &posted.sealed).is_ok()
            }
        }))
    }

    /// A client loses all it holds.
    pub(super) fn lose(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        let membership = self.members.get_mut(client.0 as usize).and_then(Option::as_mut);
        let membership = membership.filter(|it| it.invited.is_none() && !it.lost);
        let membership = membership.ok_or(ProtocolError::NotAMember(client))?;
        // Who has been removed already is out, and does not know it.
        if membership.departure.is_some() {
            self.members[client.0 as usize] = None;
        } else {
            membership.lost = true;
        }
        self.traffic.lose(client);
        Ok(())
    }
}
