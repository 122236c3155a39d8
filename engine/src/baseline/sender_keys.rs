//! Sender keys: a message to a group is encrypted once, under a chain that its sender has sent to
//! every other member over the pairwise channels (Signal's groups, WhatsApp; sources in
//! `sender_chain`).
//!
//! *Sent*: an announcement for each change of membership, as with pairwise channels. Before its next
//! message a sender makes sure that everybody in its view has its chain: a newcomer gets the chain
//! that there is, from the message it stands at; after a removal, of whomever, all others get a new
//! one. Keys travel in mailboxes of their own, and a receiver fetches those of a sender before the
//! sender's message. Then the message, encrypted and signed once, for everybody.
//!
//! *Costs*: a message is one AEAD encryption and one signature, whatever the group's size. Making or
//! renewing one chain is n − 1 pairwise encryptions; after a removal everybody does that before it
//! speaks again, n(n − 1) in all. An Order without adds and removes renews its sender's chain at
//! once: n − 1 ciphertexts and one public key, and no announcement.
//!
//! *Security*: forward secrecy by the chain; after a removal, by new chains, as soon as each sender
//! knows of it. Nothing heals by itself within a chain: whoever has stolen one reads on until it is
//! renewed, which nobody does but by an Order or a removal. What the server sees is as with pairwise
//! channels, but that a message is one and goes to all.

use std::collections::{BTreeMap, VecDeque};

use zeroize::Zeroizing;

use super::channel::Copy;
use super::party::{Announced, Party};
use super::sender_chain::{
    Distribution, GroupMessage, HeldChain, HeldChains, OwnChain, is_too_late,
};
use super::{BaselineError, Sharing};
use crate::crypto::{Crypto, Digest, Ledger, Op, Provider, Secret, SignaturePublicKey};
use crate::protocol::{
    Accepted, CaughtUp, ClientId, Draft, Entering, Joined, MessageId, Opaque, Order, Protocol,
    ProtocolError, Reading, Received, Seeds, Sent,
};
use crate::tree::{Aggregates, LeafIndex};

/// Keys sent to others that a client tries on a message which is not for it, at most.
const PRIED_COPIES: usize = 4;

/// The chains that a client has.
#[derive(Default)]
struct Holder {
    own: Option<OwnChain>,
    /// Chains made so far.
    made: u32,
    /// By the number of the sender.
    held: Vec<Option<Box<HeldChains>>>,
}

/// A message to the group.
struct Posted {
    sender: ClientId,
    epoch: u64,
    text: Box<[u8]>,
    sealed: Box<[u8]>,
    /// At `shared`: the key that its signature was found to verify under.
    verified: Option<SignaturePublicKey>,
}

/// A chain on its way to everybody.
#[derive(Debug)]
struct Renewal {
    own: OwnChain,
    copies: Vec<(ClientId, Copy)>,
}

/// An entry of the log between making and acceptance.
#[derive(Debug)]
struct SenderDraft {
    announced: Announced,
    renewal: Option<Renewal>,
}

/// All clients of one group, with a chain for each who speaks.
pub struct SenderKeys<S> {
    party: Party<S>,
    holders: Vec<Holder>,
    /// Keys that wait, by receiver and sender.
    mail: BTreeMap<(ClientId, ClientId), VecDeque<Copy>>,
    first: u64,
    posted: VecDeque<Posted>,
}

/// The party's draft with a new chain beside it, or none.
fn with_renewal(mut draft: Draft, renewal: Option<Renewal>) -> Result<Draft, ProtocolError> {
    let announced: Announced = draft.inner.open()?;
    draft.inner = Opaque::new(SenderDraft { announced, renewal });
    Ok(draft)
}

impl<S: Seeds> SenderKeys<S> {
    /// No clients yet.
    pub fn new(provider: &'static dyn Provider, seeds: S, sharing: Sharing) -> Self {
        Self {
            party: Party::new(provider, seeds, sharing),
            holders: vec![],
            mail: BTreeMap::new(),
            first: 0,
            posted: VecDeque::new(),
        }
    }

    /// Ends of pairs that hold sessions.
    pub fn pairs(&self) -> usize {
        self.party.pairs()
    }

    fn place(&self, message: MessageId) -> Result<usize, ProtocolError> {
        let place = message.0.checked_sub(self.first).map(|at| at as usize);
        place.filter(|at| *at < self.posted.len()).ok_or(ProtocolError::NoSuchMessage(message))
    }

    fn holder(&mut self, client: ClientId) -> &mut Holder {
        let at = client.0 as usize;
        if self.holders.len() <= at {
            self.holders.resize_with(at + 1, Holder::default);
        }
        &mut self.holders[at]
    }

    /// A new chain of a client.
    fn make_chain(
        &mut self,
        crypto: &Crypto<'_>,
        client: ClientId,
    ) -> Result<OwnChain, ProtocolError> {
        let (chain, signer) = (self.party.draw(client)?, self.party.draw(client)?);
        let holder = self.holder(client);
        holder.made += 1;
        Ok(OwnChain::new(crypto, holder.made, &chain, &signer)?)
    }

    /// Sends a chain at its present point to those of a view who do not have it: what that took, and
    /// the copies for them.
    fn distribute(
        &mut self,
        client: ClientId,
        epoch: u64,
        own: &mut OwnChain,
    ) -> Result<(Vec<(ClientId, Copy)>, Ledger), ProtocolError> {
        let mut lack = self.party.roster(client)?;
        lack.retain(|other| *other != client && !own.has.contains(other));
        if lack.is_empty() {
            return Ok((vec![], Ledger::default()));
        }
        let (copies, ledger) = self.party.send_each(client, epoch, &lack, &own.distribution()?)?;
        own.has.extend(&lack);
        Ok((lack.into_iter().zip(copies).collect(), ledger))
    }

    fn post_keys(&mut self, sender: ClientId, copies: Vec<(ClientId, Copy)>) {
        for (to, copy) in copies {
            self.mail.entry((to, sender)).or_default().push_back(copy);
        }
    }

    /// A client fetches the keys of a sender that wait for it.
    fn fetch_keys(
        &mut self,
        client: ClientId,
        sender: ClientId,
    ) -> Result<(u64, Ledger), ProtocolError> {
        let (mut bytes, mut ledger) = (0, Ledger::default());
        let view = self.party.view(client);
        let mut waiting = self.mail.remove(&(client, sender)).unwrap_or_default();
        while let Some(copy) = waiting.pop_front() {
            if view.is_some_and(|view| copy.epoch > view) {
                // It is of an epoch that the client has not come to.
                waiting.push_front(copy);
                self.mail.insert((client, sender), waiting);
                break;
            }
            let is_for_another = self.party.registration(client) != Some(copy.registration);
            if is_for_another || !self.party.has_lived(client, copy.epoch) {
                // It is for who this client was before, or might have become.
                continue;
            }
            bytes += copy.bytes.len() as u64;
            let (key, took) = match self.party.open(client, sender, &copy.bytes) {
                Err(ProtocolError::Baseline(error)) if is_too_late(&error) => {
                    self.held_mut(client, sender).has_missed = true;
                    continue;
                }
                opened => opened?,
            };
            ledger += took;
            let key = Zeroizing::new(key);
            let chain = HeldChain::new(Distribution::read(&key)?)?;
            self.held_mut(client, sender).hold(chain);
        }
        Ok((bytes, ledger))
    }

    fn held_mut(&mut self, client: ClientId, sender: ClientId) -> &mut HeldChains {
        let (holder, at) = (self.holder(client), sender.0 as usize);
        if holder.held.len() <= at {
            holder.held.resize_with(at + 1, || None);
        }
        holder.held[at].get_or_insert_default()
    }

    /// What an entry of the log means for a client's own chain.
    fn hear(&mut self, client: ClientId, epoch: u64) {
        let Some(entry) = self.party.entry(epoch) else { return };
        let (removes, adds) = (entry.removes.clone(), entry.adds.clone());
        let comes = adds.iter().any(|(added, _)| *added == client);
        let holder = self.holder(client);
        if comes || removes.contains(&client) {
            holder.own = None;
        } else if let Some(own) = &mut holder.own {
            own.is_stale |= !removes.is_empty();
            adds.iter().for_each(|(added, _)| _ = own.has.remove(added));
        }
    }

    /// One step of a client, with what it means for its keys.
    fn step(&mut self, client: ClientId, to: u64) -> Result<Option<CaughtUp>, ProtocolError> {
        let Some((mut caught, epoch)) = self.party.step(client, to)? else { return Ok(None) };
        self.hear(client, epoch);
        let entry = self.party.entry(epoch).ok_or(ProtocolError::EpochGone(epoch))?;
        if entry.removes.is_empty() && entry.adds.is_empty() {
            let sender = entry.by;
            let (bytes, ledger) = self.fetch_keys(client, sender)?;
            caught.bytes += bytes;
            caught.ledger += ledger;
        }
        Ok(Some(caught))
    }

    /// Opens a message with the chains that a client holds.
    fn open(
        &mut self,
        crypto: &Crypto<'_>,
        client: ClientId,
        place: usize,
    ) -> Result<Vec<u8>, BaselineError> {
        let posted = &self.posted[place];
        let (sender, verified) = (posted.sender, posted.verified.clone());
        let message = GroupMessage::read(&posted.sealed)?;
        if message.head.sender != sender.0 {
            return Err(BaselineError::WrongSender);
        }
        let shares = self.party.sharing == Sharing::Shared;
        let held = self.held_mut(client, sender);
        let had = held.had(&message.head);
        let Some(chain) = held.of(&message.head) else {
            let gone = BaselineError::KeyIsGone;
            return Err(if had { gone } else { BaselineError::NoSenderKey });
        };
        if shares && verified.as_ref() == Some(&chain.verifier) {
            let mut ledger = Ledger::default();
            ledger.charge(Op::Verify, 1);
            crypto.charge(ledger);
        } else {
            message.verify(crypto, &chain.verifier)?;
        }
        let verifier = chain.verifier.clone();
        let text = chain.open(crypto, &message)?;
        self.posted[place].verified = Some(verifier);
        Ok(text)
    }
}

impl<S: Seeds> Protocol for SenderKeys<S> {
    fn name(&self) -> &'static str {
        "sender-keys"
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
        let (by, renews) = (order.by, order.adds.is_empty() && order.removes.is_empty());
        let mut draft = self.party.draft(order)?;
        if !renews {
            return with_renewal(draft, None);
        }
        let crypto = Crypto::new(self.party.provider);
        let mut own = self.make_chain(&crypto, by)?;
        let (copies, ledger) = self.distribute(by, draft.epoch, &mut own)?;
        draft.ledger += crypto.ledger() + ledger;
        let bytes = copies.iter().map(|(_, copy)| copy.bytes.len() as u64).sum();
        draft.cost.ciphertexts = copies.len() as u64;
        draft.cost.public_keys = 1;
        (draft.cost.bytes, draft.cost.bytes_path_ciphertexts) = (bytes, bytes);
        with_renewal(draft, Some(Renewal { own, copies }))
    }

    fn accept(&mut self, draft: Draft, _audited: &[ClientId]) -> Result<Accepted, ProtocolError> {
        let (by, ciphertexts) = (draft.order.by, draft.cost.ciphertexts);
        let SenderDraft { announced, renewal } = draft.inner.open()?;
        let predicted = if renewal.is_some() { u64::from(self.party.members()) - 1 } else { 0 };
        let draft = Draft { inner: Opaque::new(announced), ..draft };
        let mut accepted = self.party.accept(draft)?;
        if predicted != ciphertexts {
            return Err(ProtocolError::Check("ciphertexts are not those predicted".into()));
        }
        accepted.predicted_ciphertexts = predicted;
        self.hear(by, accepted.epoch);
        if let Some(Renewal { own, copies }) = renewal {
            self.post_keys(by, copies);
            self.holder(by).own = Some(own);
        }
        Ok(accepted)
    }

    fn join(&mut self, client: ClientId) -> Result<Joined, ProtocolError> {
        if !self.party.is_invited(client) {
            return Err(ProtocolError::NotAMember(client));
        }
        let caught = self.step(client, 0)?.unwrap_or_default();
        Ok(Joined { bytes: caught.bytes, ledger: caught.ledger })
    }

    fn advance(&mut self, client: ClientId, to: u64) -> Result<CaughtUp, ProtocolError> {
        let mut caught = CaughtUp::default();
        while let Some(step) = self.step(client, to)? {
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
        let members = u64::from(self.party.members());
        self.party.flat(members * members.saturating_sub(1))
    }

    fn tree_hash(&self) -> Digest {
        self.party.roster_digest()
    }

    fn join_by_link(&mut self, client: ClientId, now: u64) -> Result<Entering, ProtocolError> {
        let entering = self.party.enter(client, now)?;
        Ok(Entering { draft: with_renewal(entering.draft, None)?, ..entering })
    }

    fn rejoin(&mut self, client: ClientId, now: u64) -> Result<Entering, ProtocolError> {
        let entering = self.party.enter(client, now)?;
        Ok(Entering { draft: with_renewal(entering.draft, None)?, ..entering })
    }

    fn lose_state(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        self.party.lose_state(client)?;
        let holder = self.holder(client);
        *holder = Holder { made: holder.made, ..Holder::default() };
        Ok(())
    }

    fn send(&mut self, sender: ClientId, text: &[u8]) -> Result<Sent, ProtocolError> {
        let epoch = self.party.view_of(sender)?;
        let crypto = Crypto::new(self.party.provider);
        let own = self.holder(sender).own.take().filter(|own| !own.is_stale);
        let mut own = match own {
            Some(own) => own,
            None => self.make_chain(&crypto, sender)?,
        };
        let (copies, ledger) = self.distribute(sender, epoch, &mut own)?;
        let sealed = own.seal(&crypto, sender, epoch, text)?;
        self.holder(sender).own = Some(own);
        let keys: u64 = copies.iter().map(|(_, copy)| copy.bytes.len() as u64).sum();
        self.post_keys(sender, copies);
        let message = MessageId(self.first + self.posted.len() as u64);
        let bytes = keys + sealed.len() as u64;
        let (text, sealed) = (text.into(), sealed.into());
        self.posted.push_back(Posted { sender, epoch, text, sealed, verified: None });
        Ok(Sent { message, epoch, bytes, ledger: crypto.ledger() + ledger })
    }

    fn receive(&mut self, client: ClientId, message: MessageId) -> Result<Received, ProtocolError> {
        let place = self.place(message)?;
        let unread = |reading| Ok(Received { reading, bytes: 0, ledger: Ledger::default() });
        let Posted { sender, epoch, ref sealed, .. } = self.posted[place];
        let length = sealed.len() as u64;
        if self.party.has_lost(client) {
            return unread(Reading::Lost);
        }
        if client == sender || !self.party.is_member(client, epoch) {
            return unread(Reading::NotForIt);
        }
        if self.party.is_invited(client) {
            return Err(BaselineError::EpochToCome.into());
        }
        if self.party.is_from_before_loss(client, epoch) {
            return unread(Reading::Lost);
        }
        if !self.party.has_lived(client, epoch) {
            return unread(Reading::NotForIt);
        }
        self.party.check_sender(client, sender, epoch)?;
        let (keys, took) = self.fetch_keys(client, sender)?;
        let crypto = Crypto::new(self.party.provider);
        crypto.charge(took);
        let reading = match self.open(&crypto, client, place) {
            Ok(text) if *text == *self.posted[place].text => Reading::Read,
            Ok(_) => {
                let MessageId(number) = message;
                let what = format!("{client} reads another text in message {number}");
                return Err(ProtocolError::Check(what));
            }
            Err(error) if is_too_late(&error) => Reading::TooLate,
            Err(error) => return Err(error.into()),
        };
        Ok(Received { reading, bytes: keys + length, ledger: crypto.ledger() })
    }

    fn pries(&self, client: ClientId, message: MessageId) -> Result<bool, ProtocolError> {
        let posted = &self.posted[self.place(message)?];
        let crypto = Crypto::new(self.party.provider);
        let sealed = GroupMessage::read(&posted.sealed)?;
        // Keys that wait for it, and some that wait for others.
        let waiting = self.mail.get(&(client, posted.sender)).into_iter().flatten();
        for copy in waiting {
            let key = self.party.peek(client, posted.sender, &copy.bytes).map(Zeroizing::new);
            let chain = key.and_then(|key| HeldChain::new(Distribution::read(&key).ok()?).ok());
            if chain.is_some_and(|chain| chain.pries(&crypto, &sealed)) {
                return Ok(true);
            }
        }
        let others =
            self.mail.iter().filter(|((to, sender), _)| *to != client && *sender == posted.sender);
        for ((to, sender), copies) in others.take(PRIED_COPIES) {
            for copy in copies {
                if self.party.pries(client, (*sender, *to), &copy.bytes)? {
                    return Ok(true);
                }
            }
        }
        let Some(holder) = self.holders.get(client.0 as usize) else { return Ok(false) };
        let mut held = holder.held.iter().flatten().flat_map(|held| held.iter());
        let own = holder.own.as_ref().is_some_and(|own| own.pries(&crypto, &sealed));
        Ok(own || held.any(|chain| chain.pries(&crypto, &sealed)))
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
