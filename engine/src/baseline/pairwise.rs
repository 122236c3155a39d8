//! Pairwise channels: a group is a list of members, and a message to it goes to each of them over
//! a channel of their own (Signal before sender keys; X3DH and the Double Ratchet, Signal 2016).
//!
//! *Sent*: an announcement for each change of membership, signed, once to everybody; each message
//! n − 1 times, each copy encrypted for one member. *Sessions* are made lazily, by the first
//! message between two; the first copies carry what X3DH needs until they are answered.
//!
//! *Costs*: a message is n − 1 AEAD encryptions and as many copies uploaded, each with a header of
//! 40 bytes and more; a Diffie-Hellman step for each pair whose other end has sent since. A member
//! fetches its own copy. Adding and removing cost one signature and a verification a member, and no
//! ciphertext. An Order without adds and removes asks a member to renew its keys: that happens by
//! itself, by a Diffie-Hellman step with each peer that answers, in messages that are sent anyway.
//! It is an entry of the log with nothing in it, and costs nothing.
//!
//! *Security*: forward secrecy message by message, and healing pair by pair once both have spoken.
//! A removed member reads nothing more from members who know of it. What is traded is cost, and
//! agreement: nothing makes a sender send the same text to everybody. The server sees who writes to
//! whom, and the membership. Nobody replenishes prekeys, as nobody hears how many are left: where the
//! one-time prekeys are used up, sessions begin without (X3DH §3.2), and their first messages have
//! forward secrecy only once the signed prekey is gone, which is never here. The bundles that an
//! initiator fetches are not among the bytes sent.

use std::collections::VecDeque;

use super::channel::Copy;
use super::party::Party;
use super::{BaselineError, Sharing};
use crate::crypto::{Digest, Ledger, Provider, Secret};
use crate::protocol::{
    Accepted, CaughtUp, ClientId, Draft, Entering, Joined, MessageId, Order, Protocol,
    ProtocolError, Reading, Received, Seeds, Sent,
};
use crate::tree::{Aggregates, LeafIndex};

/// Copies for others that a client tries on a message which is not for it, at most.
const PRIED_COPIES: usize = 4;

/// A message and its copies, which the server deletes as they are fetched.
struct Posted {
    sender: ClientId,
    epoch: u64,
    text: Box<[u8]>,
    to: Vec<ClientId>,
    copies: Vec<Option<Copy>>,
    /// One copy that is kept for those who try what is not for them.
    sample: Option<(ClientId, Copy)>,
}

/// All clients of one group, with a channel between every two of them.
pub struct Pairwise<S> {
    party: Party<S>,
    first: u64,
    posted: VecDeque<Posted>,
}

impl<S: Seeds> Pairwise<S> {
    /// No clients yet.
    pub fn new(provider: &'static dyn Provider, seeds: S, sharing: Sharing) -> Self {
        Self { party: Party::new(provider, seeds, sharing), first: 0, posted: VecDeque::new() }
    }

    /// Ends of pairs that hold sessions.
    pub fn pairs(&self) -> usize {
        self.party.pairs()
    }

    fn place(&self, message: MessageId) -> Result<usize, ProtocolError> {
        let place = message.0.checked_sub(self.first).map(|at| at as usize);
        place.filter(|at| *at < self.posted.len()).ok_or(ProtocolError::NoSuchMessage(message))
    }
}

impl<S: Seeds> Protocol for Pairwise<S> {
    fn name(&self) -> &'static str {
        "pairwise"
    }

    fn register(&mut self, client: ClientId, packages: u32) -> Result<Joined, ProtocolError> {
        self.party.register(client, packages)
    }

    fn publish(&mut self, client: ClientId, packages: u32) -> Result<Joined, ProtocolError> {
        self.party.publish(client, packages)
    }

    fn create(&mut self, creator: ClientId) -> Result<(), ProtocolError> {
        self.party.create(creator)
    }

    fn commit(&mut self, order: Order) -> Result<Draft, ProtocolError> {
        self.party.draft(order)
    }

    fn accept(&mut self, draft: Draft, _audited: &[ClientId]) -> Result<Accepted, ProtocolError> {
        self.party.accept(draft)
    }

    fn join(&mut self, client: ClientId) -> Result<Joined, ProtocolError> {
        if !self.party.is_invited(client) {
            return Err(ProtocolError::NotAMember(client));
        }
        let caught = self.party.step(client, 0)?.map(|(caught, _)| caught).unwrap_or_default();
        Ok(Joined { bytes: caught.bytes, ledger: caught.ledger })
    }

    fn advance(&mut self, client: ClientId, to: u64) -> Result<CaughtUp, ProtocolError> {
        let mut caught = CaughtUp::default();
        while let Some((step, _)) = self.party.step(client, to)? {
            caught += step;
        }
        Ok(caught)
    }

    fn release_before(&mut self, _epoch: u64) {}

    fn epoch(&self) -> u64 {
        self.party.epoch()
    }

    fn view(&self, client: ClientId) -> Option<u64> {
        self.party.view(client)
    }

    fn leaf(&self, client: ClientId) -> Option<LeafIndex> {
        self.party.leaf(client)
    }

    fn tree(&self) -> Aggregates {
        self.party.flat(0)
    }

    fn tree_hash(&self) -> Digest {
        self.party.roster_digest()
    }

    fn join_by_link(&mut self, client: ClientId, now: u64) -> Result<Entering, ProtocolError> {
        self.party.enter(client, now)
    }

    fn rejoin(&mut self, client: ClientId, now: u64) -> Result<Entering, ProtocolError> {
        self.party.enter(client, now)
    }

    fn lose_state(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        self.party.lose_state(client)
    }

    fn send(&mut self, sender: ClientId, text: &[u8]) -> Result<Sent, ProtocolError> {
        let epoch = self.party.view_of(sender)?;
        let mut to = self.party.roster(sender)?;
        to.retain(|client| *client != sender);
        let (copies, ledger) = self.party.send_each(sender, epoch, &to, text)?;
        let message = MessageId(self.first + self.posted.len() as u64);
        let bytes = copies.iter().map(|copy| copy.bytes.len() as u64).sum();
        let sample = to.first().copied().zip(copies.first().cloned());
        let copies = copies.into_iter().map(Some).collect();
        self.posted.push_back(Posted { sender, epoch, text: text.into(), to, copies, sample });
        Ok(Sent { message, epoch, bytes, ledger })
    }

    fn receive(&mut self, client: ClientId, message: MessageId) -> Result<Received, ProtocolError> {
        let place = self.place(message)?;
        let unread = |reading| Ok(Received { reading, bytes: 0, ledger: Ledger::default() });
        let posted = &mut self.posted[place];
        if self.party.has_lost(client) {
            return unread(Reading::Lost);
        }
        let Ok(mine) = posted.to.binary_search(&client) else { return unread(Reading::NotForIt) };
        if self.party.is_invited(client) {
            return Err(BaselineError::EpochToCome.into());
        }
        let (sender, epoch) = (posted.sender, posted.epoch);
        let Some(copy) = posted.copies[mine].take() else {
            let MessageId(number) = message;
            return Err(ProtocolError::Check(format!("{client} fetches message {number} twice")));
        };
        let is_for_another = self.party.registration(client) != Some(copy.registration);
        if is_for_another || self.party.is_from_before_loss(client, epoch) {
            return unread(Reading::Lost);
        }
        if !self.party.has_lived(client, epoch) {
            return unread(Reading::NotForIt);
        }
        self.party.check_sender(client, sender, epoch)?;
        let bytes = copy.bytes.len() as u64;
        match self.party.open(client, sender, &copy.bytes) {
            Ok((text, ledger)) if *text == *posted.text => {
                Ok(Received { reading: Reading::Read, bytes, ledger })
            }
            Ok(_) => {
                let MessageId(number) = message;
                let what = format!("{client} reads another text in message {number}");
                Err(ProtocolError::Check(what))
            }
            Err(ProtocolError::Baseline(
                BaselineError::KeyIsGone | BaselineError::TooManySkipped(_),
            )) => Ok(Received { reading: Reading::TooLate, bytes, ledger: Ledger::default() }),
            Err(error) => Err(error),
        }
    }

    fn pries(&self, client: ClientId, message: MessageId) -> Result<bool, ProtocolError> {
        let posted = &self.posted[self.place(message)?];
        let copies = posted.to.iter().copied().zip(&posted.copies);
        let copies = copies.filter_map(|(to, copy)| Some((to, copy.as_ref()?)));
        let own = copies.clone().filter(|(to, _)| *to == client);
        let sample = posted.sample.iter().map(|(to, copy)| (*to, copy));
        for (to, copy) in own.chain(sample).chain(copies.take(PRIED_COPIES)) {
            if self.party.pries(client, (posted.sender, to), &copy.bytes)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn roster(&self, client: ClientId) -> Result<Vec<ClientId>, ProtocolError> {
        self.party.roster(client)
    }

    fn forget_messages_before(&mut self, message: MessageId) {
        while self.first < message.0 && self.posted.pop_front().is_some() {
            self.first += 1;
        }
    }

    fn epoch_authenticator(&self, client: ClientId) -> Option<Secret> {
        self.party.epoch_authenticator(client)
    }

    fn recount(&self) -> Result<(), ProtocolError> {
        self.party.recount()
    }
}
