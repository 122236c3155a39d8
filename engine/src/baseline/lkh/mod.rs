//! A central key server with a logical key hierarchy (Wallner, Harder, Agee: RFC 2627 §5.4; Wong,
//! Gouda, Lam: Secure Group Communications Using Key Graphs, SIGCOMM 1998).
//!
//! **The server is trusted**: it makes and knows every key, the group's among them, and could read
//! everything and let in whom it likes. That is what is traded; what it buys is the floor of rekeying
//! with symmetric keys alone. [`KeyServerGroup::keys_known`] says how many keys it holds.
//!
//! *Sent*: a request to the server, signed by who makes it; from the server one rekey message for
//! everybody, signed, and to each newcomer its individual key, encrypted to the key that it has
//! registered (HPKE). Messages to the group are encrypted under the epoch's key: a subkey for each
//! sender, its counter in the epoch as the nonce, and the sender's signature.
//!
//! *Costs*, in a full tree of degree k with n members and height h = log_k n: a leave is k·h − 1
//! symmetric encryptions at the server, a renewal k·h, a join 2·h and one HPKE encryption. A member
//! verifies one signature and opens at most h keys. A message is one encryption and one signature.
//! An Order without adds and removes gives its sender a new individual key, encrypted to a key that
//! it makes for that (one public key in its request), and renews the path above it.
//!
//! *Security*: who is removed is out as soon as members have the rekey message, and a newcomer reads
//! nothing from before. A stolen state heals when its owner renews. Within an epoch there is no
//! forward secrecy: its key reads all of it, and is kept for [`PAST_EPOCHS`] more. Requests obey the
//! simulator's log: one that was made in an old view is refused, which a server need not do.

mod key_tree;
mod member;
mod message;
mod server;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::book::{Book, Card};
use super::x3dh::Identity;
use super::{BaselineError, Sharing};
use crate::codec::encode;
use crate::crypto::{
    Crypto, Digest, HpkeCiphertext, HpkeKeyPair, Ledger, Op, Provider, Secret, Seed,
};
use crate::group::CommitCost;
use crate::protocol::{
    Accepted, CaughtUp, ClientId, Draft, Entering, Joined, MessageId, Order, PAST_EPOCHS, Protocol,
    ProtocolError, Reading, Received, Seeds, Sent,
};
use crate::tree::{Aggregates, LeafIndex, Traversed};

use key_tree::{KeyTree, NodeAt, ancestors, key, keys_of};
use member::{Member, following, open_letter, opening};
use message::{EpochKey, GroupMessage, Head, Request};
use server::{KeyServer, Planned};

/// Rekey messages after its own that somebody tries all its keys on, at most.
const PRIED_ENTRIES: u64 = 8;

/// How a client stands to the group, as it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Outside,
    Invited(u64),
    Member(u64),
}

struct Client {
    identity: Identity,
    standing: Standing,
    leaf: LeafIndex,
    since: u64,
    /// The first epoch without it, once it knows that it is out.
    until: Option<u64>,
    lost: bool,
    /// The epoch that it sends in and how many messages it has sent there.
    sent: (u64, u32),
    /// Messages received, by epoch.
    seen: BTreeMap<u64, BTreeSet<(u32, u32)>>,
    draws: u64,
    /// At `full`.
    member: Option<Member>,
}

/// An epoch, as the log and the server have it.
struct Epoch {
    tree: KeyTree,
    key: EpochKey,
    by: ClientId,
    rekey: Vec<u8>,
    letters: BTreeMap<ClientId, HpkeCiphertext>,
    marked: BTreeSet<NodeAt>,
    removes: Vec<ClientId>,
    adds: Vec<(ClientId, LeafIndex)>,
    /// The members after it, where somebody joins in it, and the length of that list.
    roster: Vec<Card>,
    roster_bytes: u64,
}

/// A request between making and acceptance.
pub struct KeyServerDraft {
    /// None if it was made in an old view: then the server makes nothing of it.
    planned: Option<Planned>,
    removes: Vec<ClientId>,
    /// What a new individual key is encrypted to.
    exchange: Option<HpkeKeyPair>,
    /// Whether its sender enters by it.
    enters: bool,
    /// What following its own request takes of its sender.
    following: Ledger,
}

struct Posted {
    sender: ClientId,
    epoch: u64,
    text: Box<[u8]>,
    sealed: Box<[u8]>,
    /// At `shared`: whether its signature has been verified.
    verified: bool,
}

/// All clients of one group, and their key server.
pub struct KeyServerGroup<S> {
    provider: &'static dyn Provider,
    seeds: S,
    sharing: Sharing,
    degree: u8,
    server: KeyServer,
    everyone: Book,
    clients: Vec<Option<Client>>,
    epochs: Vec<Epoch>,
    first: u64,
    posted: VecDeque<Posted>,
}

impl<S: Seeds> KeyServerGroup<S> {
    /// No clients yet; every parent of the server's tree has `degree` children, at least two.
    pub fn new(
        provider: &'static dyn Provider,
        seeds: S,
        sharing: Sharing,
        degree: u8,
    ) -> Result<Self, BaselineError> {
        if degree < 2 {
            return Err(BaselineError::BadDegree(degree));
        }
        let server = KeyServer::new(provider, &seeds, degree);
        Ok(Self {
            provider,
            seeds,
            sharing,
            degree,
            server,
            everyone: Book::default(),
            clients: vec![],
            epochs: vec![],
            first: 0,
            posted: VecDeque::new(),
        })
    }

    /// How many keys of the group the server holds: each member's own, and every parent's.
    pub fn keys_known(&self) -> u64 {
        let tree = self.server.tree.aggregates();
        u64::from(tree.members) + u64::from(tree.keyed_parents)
    }

    /// What the server's own work has taken so far; no client is charged for it.
    pub fn server_ledger(&self) -> Ledger {
        self.server.ledger
    }

    fn client(&self, client: ClientId) -> Result<&Client, ProtocolError> {
        let found = self.clients.get(client.0 as usize).and_then(Option::as_ref);
        found.ok_or(ProtocolError::NotAMember(client))
    }

    fn client_mut(&mut self, client: ClientId) -> Result<&mut Client, ProtocolError> {
        let found = self.clients.get_mut(client.0 as usize).and_then(Option::as_mut);
        found.ok_or(ProtocolError::NotAMember(client))
    }

    fn newest(&self) -> Result<&Epoch, ProtocolError> {
        self.epochs.last().ok_or(ProtocolError::EpochGone(0))
    }

    fn at(&self, epoch: u64) -> Result<&Epoch, ProtocolError> {
        let found = usize::try_from(epoch).ok().and_then(|at| self.epochs.get(at));
        found.ok_or(ProtocolError::EpochGone(epoch))
    }

    fn view_of(&self, client: ClientId) -> Result<u64, ProtocolError> {
        self.view(client).ok_or(ProtocolError::NotAMember(client))
    }

    fn is_full(&self) -> bool {
        self.sharing == Sharing::Full
    }

    fn card(&self, client: ClientId) -> Result<Card, ProtocolError> {
        let missing = ProtocolError::NoKeyPackage(client);
        let keys = self.client(client).map_err(|_| missing)?.identity.keys();
        Ok(Card { client: client.0, registration: 0, keys })
    }

    fn draw(&mut self, client: ClientId) -> Result<Seed, ProtocolError> {
        let state = self.client_mut(client)?;
        state.draws += 1;
        let draws = state.draws;
        Ok(self.seeds.seed("baseline", client.0.into(), draws))
    }

    fn roster_bytes(&self, cards: &[Card]) -> Result<u64, ProtocolError> {
        Ok(encode(&cards.to_vec())?.len() as u64)
    }

    /// New keys on the path of a leaf that a change makes.
    fn new_keys(&self, leaf: LeafIndex, width: u32, marked: &BTreeSet<NodeAt>) -> u64 {
        ancestors(leaf, self.degree, width).filter(|at| marked.contains(at)).count() as u64
    }

    /// A request, and what the server would make of it if it was made in the newest epoch.
    fn ask(
        &mut self,
        order: Order,
        view: u64,
        adds: Vec<Card>,
        (renews, enters): (bool, bool),
    ) -> Result<Draft<KeyServerDraft>, ProtocolError> {
        let crypto = Crypto::new(self.provider);
        let by = order.by;
        let exchange = match renews {
            true => Some(crypto.derive_key_pair(&self.draw(by)?.as_slice().into())?),
            false => None,
        };
        let request = Request {
            client: by.0,
            epoch: view,
            removes: order.removes.iter().map(|client| client.0).collect(),
            adds: adds.iter().map(|card| card.client).collect(),
            exchange: exchange.as_ref().map(|pair| pair.public.clone()),
        };
        let request = request.sign(&crypto, &self.client(by)?.identity.signer.private)?;
        let bytes = request.len() as u64;
        let mut cost = CommitCost {
            public_keys: renews.into(),
            bytes,
            bytes_proposals: bytes,
            ..CommitCost::default()
        };
        let mut inner = KeyServerDraft {
            planned: None,
            removes: order.removes.clone(),
            exchange,
            enters,
            following: Ledger::default(),
        };
        if view == self.epoch() {
            let card = self.card(by)?;
            let book = (&self.everyone, adds);
            let planned = self.server.plan(&self.seeds, &card, &request, book, view)?;
            cost.ciphertexts = planned.plan.wrapped.len() as u64;
            cost.bytes += planned.rekey.len() as u64;
            cost.bytes_path_ciphertexts = planned.wrapped_bytes;
            cost.bytes_framing = planned.rekey.len() as u64 - planned.wrapped_bytes;
            for letter in planned.letters.values() {
                cost.bytes_welcome += encode(letter)?.len() as u64;
            }
            let seated = planned.plan.seats.iter().find(|(client, _)| *client == by);
            let leaf = seated.map(|(_, leaf)| *leaf).or(self.leaf(by));
            let leaf = leaf.ok_or(ProtocolError::NotAMember(by))?;
            let new_keys = self.new_keys(leaf, planned.plan.after.width(), &planned.plan.marked);
            inner.following = following(new_keys);
            if renews || enters {
                inner.following += opening();
            }
            inner.planned = Some(planned);
        }
        let ledger = crypto.ledger() + inner.following;
        let leaf = self.client(by)?.leaf;
        Ok(Draft { order, epoch: view, leaf, cost, ledger, inner })
    }

    /// A client enters by itself: a newcomer, or a member that has lost its state.
    fn enter(
        &mut self,
        client: ClientId,
        now: u64,
    ) -> Result<Entering<KeyServerDraft>, ProtocolError> {
        let publisher = self.newest()?.by;
        if self.client(client)?.standing != Standing::Outside {
            return Err(ProtocolError::IsAMember(client));
        }
        let seated = self.everyone.card(client).is_some();
        let adds = if seated { vec![] } else { vec![self.card(client)?] };
        let order = Order { by: client, adds: vec![], removes: vec![], now };
        let draft = self.ask(order, self.epoch(), adds, (seated, true))?;
        let fetched = self.roster_bytes(&self.everyone.cards())?;
        Ok(Entering { draft, fetched, publisher, published: Joined::default() })
    }

    /// Every ciphertext opens, with the key its receivers hold, to the key that the tree has; and
    /// nobody who is removed holds a key that the tree still has.
    fn check(&self, planned: &Planned, removes: &[LeafIndex]) -> Result<u32, ProtocolError> {
        let (crypto, before) = (Crypto::new(self.provider), &self.server.tree);
        let (after, epoch) = (&planned.plan.after, self.epoch() + 1);
        for wrapped in &planned.plan.wrapped {
            let old = wrapped.under == wrapped.node;
            let with = key(if old { before } else { after }, wrapped.under);
            let with = with.ok_or(BaselineError::RekeyWithoutKey)?;
            let opened = wrapped.open(&crypto, epoch, &with)?;
            if key(after, wrapped.node).as_ref() != Some(&opened) {
                return Err(ProtocolError::Check("a rekey message tells another key".into()));
            }
        }
        for leaf in removes {
            let held = keys_of(before, *leaf);
            if held.iter().any(|(at, held)| key(after, *at).as_ref() == Some(held)) {
                let what = format!("who was at {leaf} knows a key of the new tree");
                return Err(ProtocolError::Check(what));
            }
        }
        Ok(1 + removes.len() as u32)
    }

    /// Clients of the old epoch follow from the bytes, with the keys they hold, and come to the
    /// newest epoch's key.
    fn audit(&self, client: ClientId, old: &Book) -> Result<(), ProtocolError> {
        let crypto = Crypto::new(self.provider);
        let epoch = self.epoch();
        let (before, after) = (self.at(epoch - 1)?, self.at(epoch)?);
        let leaf = self.leaf(client).ok_or(ProtocolError::NotAMember(client))?;
        let tree = (&before.tree, epoch - 1);
        let mut member = Member::of_tree(&crypto, client, leaf, tree, old.clone())?;
        member.follow(&crypto, self.server.verifier(), &after.rekey, epoch)?;
        let roster = member.book.roster(epoch);
        let own = member.epochs.get(&epoch).map(|key| key.authenticator(&crypto, &roster));
        let theirs = after.key.authenticator(&crypto, &self.everyone.roster(epoch));
        if own == Some(theirs) { Ok(()) } else { Err(ProtocolError::Audit { client, epoch }) }
    }

    /// Who has asked is in the newest epoch.
    fn settle(&mut self, by: ClientId, draft: &KeyServerDraft) -> Result<(), ProtocolError> {
        let epoch = self.epoch();
        let leaf = self.leaf(by).ok_or(ProtocolError::NotAMember(by))?;
        if self.is_full() {
            let crypto = Crypto::new(self.provider);
            let newest = self.newest()?;
            let (rekey, letter) = (newest.rekey.clone(), newest.letters.get(&by).cloned());
            let roster = self.everyone.cards();
            let (verifier, degree) = (self.server.verifier().clone(), self.degree);
            let state = self.client_mut(by)?;
            let exchange = draft.exchange.as_ref().unwrap_or(&state.identity.exchange);
            let individual =
                letter.map(|it| open_letter(&crypto, exchange, &it, epoch)).transpose()?;
            if let Some(individual) = individual.clone().filter(|_| draft.enters) {
                let before = state.member.take().map(|member| member.book);
                let book = before.unwrap_or_default().resumed(epoch, roster);
                let mut member = Member::new(by, (degree, leaf), book, individual);
                member.enter(&crypto, &verifier, &rekey, epoch)?;
                state.member = Some(member);
            } else if let Some(member) = &mut state.member {
                individual.into_iter().for_each(|individual| member.renew(individual));
                member.follow(&crypto, &verifier, &rekey, epoch)?;
            }
            if crypto.ledger() != draft.following {
                let what = "following an own request took another work than was charged";
                return Err(ProtocolError::Check(what.into()));
            }
        }
        let state = self.client_mut(by)?;
        (state.standing, state.leaf) = (Standing::Member(epoch), leaf);
        if draft.enters {
            (state.since, state.until, state.lost) = (epoch, None, false);
        }
        Ok(())
    }

    /// A client that was added comes.
    fn come(&mut self, client: ClientId, epoch: u64) -> Result<CaughtUp, ProtocolError> {
        let entry = self.at(epoch)?;
        let letter = entry.letters.get(&client).ok_or(BaselineError::RekeyWithoutKey)?.clone();
        let seat = entry.adds.iter().find(|(added, _)| *added == client);
        let (_, leaf) = *seat.ok_or(ProtocolError::NotAMember(client))?;
        let bytes = entry.rekey.len() + encode(&letter)?.len();
        let bytes = bytes as u64 + entry.roster_bytes;
        let new_keys = self.new_keys(leaf, entry.tree.width(), &entry.marked);
        let mut ledger = following(new_keys) + opening();
        let mut member = None;
        if self.is_full() {
            let crypto = Crypto::new(self.provider);
            let exchange = &self.client(client)?.identity.exchange;
            let individual = open_letter(&crypto, exchange, &letter, epoch)?;
            let before = self.client(client)?.member.as_ref().map(|member| member.book.clone());
            let book = before.unwrap_or_default().resumed(epoch, entry.roster.clone());
            let mut comer = Member::new(client, (self.degree, leaf), book, individual);
            comer.enter(&crypto, self.server.verifier(), &entry.rekey, epoch)?;
            ledger = crypto.ledger();
            member = Some(comer);
        }
        let state = self.client_mut(client)?;
        (state.standing, state.leaf, state.member) = (Standing::Member(epoch), leaf, member);
        (state.since, state.until, state.lost) = (epoch, None, false);
        Ok(CaughtUp { commits: 0, bytes, ledger, removed: false })
    }

    fn follow_one(&mut self, client: ClientId, view: u64) -> Result<CaughtUp, ProtocolError> {
        let (epoch, leaf) = (view + 1, self.client(client)?.leaf);
        let entry = self.at(epoch)?;
        let stays = entry.adds.iter().any(|(added, _)| *added == client);
        let removed = entry.removes.contains(&client) && !stays;
        let bytes = entry.rekey.len() as u64;
        let mut ledger = Ledger::default();
        ledger.charge(Op::Verify, 1);
        if !removed {
            ledger = following(self.new_keys(leaf, entry.tree.width(), &entry.marked));
        }
        if self.is_full() {
            let crypto = Crypto::new(self.provider);
            let (rekey, verifier) = (entry.rekey.clone(), self.server.verifier().clone());
            let state = self.client_mut(client)?;
            let member = state.member.as_mut().ok_or(ProtocolError::NotAMember(client))?;
            member.follow(&crypto, &verifier, &rekey, epoch)?;
            ledger = crypto.ledger();
        }
        let state = self.client_mut(client)?;
        state.standing = if removed { Standing::Outside } else { Standing::Member(epoch) };
        state.until = removed.then_some(epoch);
        Ok(CaughtUp { commits: 1, bytes, ledger, removed })
    }

    fn step(&mut self, client: ClientId, to: u64) -> Result<Option<CaughtUp>, ProtocolError> {
        match self.client(client).map(|state| state.standing) {
            Ok(Standing::Invited(epoch)) => self.come(client, epoch).map(Some),
            Ok(Standing::Member(view)) if view < to.min(self.epoch()) => {
                self.follow_one(client, view).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn place(&self, message: MessageId) -> Result<usize, ProtocolError> {
        let place = message.0.checked_sub(self.first).map(|at| at as usize);
        place.filter(|at| *at < self.posted.len()).ok_or(ProtocolError::NoSuchMessage(message))
    }

    /// The key that a client holds for an epoch's messages.
    fn epoch_key(&self, client: ClientId, epoch: u64) -> Result<EpochKey, ProtocolError> {
        match &self.client(client)?.member {
            Some(member) => {
                member.epochs.get(&epoch).cloned().ok_or(ProtocolError::EpochGone(epoch))
            }
            None => Ok(self.at(epoch)?.key.clone()),
        }
    }

    /// What a client can make of a message, before it tries.
    fn reading(&self, client: ClientId, posted: &Posted) -> Result<Reading, ProtocolError> {
        let Ok(state) = self.client(client) else { return Ok(Reading::NotForIt) };
        let at = match (state.standing, state.until) {
            (Standing::Outside, _) if state.lost => return Ok(Reading::Lost),
            (Standing::Member(view), _) => view,
            (_, Some(until)) => until,
            _ => return Ok(Reading::NotForIt),
        };
        let out = state.until.is_some_and(|until| posted.epoch >= until);
        let was_member = self.everyone.is_member(client, posted.epoch);
        if client == posted.sender || posted.epoch < state.since || out || !was_member {
            return Ok(Reading::NotForIt);
        }
        match at.checked_sub(posted.epoch) {
            None => Err(BaselineError::EpochToCome.into()),
            Some(late) if late > PAST_EPOCHS => Ok(Reading::TooLate),
            Some(_) => Ok(Reading::Read),
        }
    }

    /// Everything that a client holds, and the epoch that it is of.
    fn holds(&self, client: ClientId) -> Result<Option<(Member, u64)>, ProtocolError> {
        let Ok(state) = self.client(client) else { return Ok(None) };
        let epoch = match (state.standing, state.until) {
            _ if state.lost => return Ok(None),
            (Standing::Member(view), _) => view,
            (_, Some(until)) => until - 1,
            _ => return Ok(None),
        };
        if let Some(member) = &state.member {
            return Ok(Some((member.clone(), epoch)));
        }
        let crypto = Crypto::new(self.provider);
        let tree = (&self.at(epoch)?.tree, epoch);
        let book = Book::default();
        let mut member = Member::of_tree(&crypto, client, state.leaf, tree, book)?;
        for past in epoch.saturating_sub(PAST_EPOCHS).max(state.since)..epoch {
            member.epochs.insert(past, self.at(past)?.key.clone());
        }
        Ok(Some((member, epoch)))
    }

    fn fault(&self, client: ClientId, message: MessageId) -> ProtocolError {
        let MessageId(number) = message;
        ProtocolError::Check(format!("{client} reads another text in message {number}"))
    }
}

impl<S: Seeds> Protocol for KeyServerGroup<S> {
    type Inner = KeyServerDraft;

    fn name(&self) -> &'static str {
        "lkh"
    }

    /// Publishes one key, whatever `packages` says: the server encrypts to it as often as needed.
    fn register(&mut self, client: ClientId, _packages: u32) -> Result<Joined, ProtocolError> {
        let crypto = Crypto::new(self.provider);
        let signer = self.seeds.seed("identity", client.0.into(), 0);
        let exchange = self.seeds.seed("exchange identity", client.0.into(), 0);
        let state = Client {
            identity: Identity::new(&crypto, &signer, &exchange)?,
            standing: Standing::Outside,
            leaf: LeafIndex(0),
            since: 0,
            until: None,
            lost: false,
            sent: (0, 0),
            seen: BTreeMap::new(),
            draws: 0,
            member: None,
        };
        let at = client.0 as usize;
        if self.clients.len() <= at {
            self.clients.resize_with(at + 1, || None);
        }
        self.clients[at] = Some(state);
        Ok(Joined { bytes: encode(&self.card(client)?)?.len() as u64, ledger: crypto.ledger() })
    }

    fn create(&mut self, creator: ClientId) -> Result<(), ProtocolError> {
        let card = self.card(creator)?;
        let key = self.server.found(&self.seeds, creator)?;
        self.everyone.enter(0, card);
        let crypto = Crypto::new(self.provider);
        let tree = self.server.tree.clone();
        self.epochs.push(Epoch {
            key: EpochKey::new(&crypto, &key, 0)?,
            tree: tree.clone(),
            by: creator,
            rekey: vec![],
            letters: BTreeMap::new(),
            marked: BTreeSet::new(),
            removes: vec![],
            adds: vec![],
            roster: vec![],
            roster_bytes: 0,
        });
        let member = match self.is_full() {
            true => {
                let book = self.everyone.clone();
                Some(Member::of_tree(&crypto, creator, LeafIndex(0), (&tree, 0), book)?)
            }
            false => None,
        };
        let state = self.client_mut(creator)?;
        (state.standing, state.member) = (Standing::Member(0), member);
        Ok(())
    }

    fn commit(&mut self, order: Order) -> Result<Draft<KeyServerDraft>, ProtocolError> {
        let view = self.view_of(order.by)?;
        let adds = order.adds.iter().map(|client| self.card(*client)).collect::<Result<_, _>>()?;
        let renews = order.adds.is_empty() && order.removes.is_empty();
        self.ask(order, view, adds, (renews, false))
    }

    fn accept(
        &mut self,
        draft: Draft<KeyServerDraft>,
        audited: &[ClientId],
    ) -> Result<Accepted, ProtocolError> {
        let (at, by) = (self.epoch(), draft.order.by);
        let mut inner = draft.inner;
        let (true, Some(planned)) = (draft.epoch == at, inner.planned.take()) else {
            return Err(ProtocolError::Stale { made: draft.epoch, at });
        };
        let predicted = planned.plan.predicted;
        if predicted != draft.cost.ciphertexts {
            return Err(ProtocolError::Check("ciphertexts are not those predicted".into()));
        }
        let removed: Vec<_> =
            inner.removes.iter().filter_map(|client| self.leaf(*client)).collect();
        let checks = 1 + self.check(&planned, &removed)?;
        let old = self.everyone.clone();
        let Planned { plan, cards, rekey, letters, ledger, .. } = planned;
        let removes: Vec<u32> = inner.removes.iter().map(|client| client.0).collect();
        super::announcement::apply(&mut self.everyone, at + 1, &removes, &cards);
        self.server.ledger += ledger;
        self.server.tree = plan.after.clone();
        inner.removes.iter().for_each(|client| _ = self.server.seats.remove(client));
        self.server.seats.extend(plan.seats.iter().copied());
        let joins = plan.seats.iter().any(|(client, _)| *client != by);
        let roster = if joins { self.everyone.cards() } else { vec![] };
        let roster_bytes = if joins { self.roster_bytes(&roster)? } else { 0 };
        let crypto = Crypto::new(self.provider);
        let group = key(&plan.after, NodeAt { width: plan.after.width(), first: 0 });
        let group = group.ok_or(BaselineError::RekeyWithoutKey)?;
        self.epochs.push(Epoch {
            key: EpochKey::new(&crypto, &group, at + 1)?,
            tree: plan.after,
            by,
            rekey,
            letters,
            marked: plan.marked,
            removes: inner.removes.clone(),
            adds: plan.seats.clone(),
            roster: if self.is_full() { roster } else { vec![] },
            roster_bytes,
        });
        for (client, _) in plan.seats.iter().filter(|(client, _)| *client != by) {
            self.client_mut(*client)?.standing = Standing::Invited(at + 1);
        }
        self.settle(by, &inner)?;
        let audited = if self.is_full() { &[] } else { audited };
        audited.iter().try_for_each(|client| self.audit(*client, &old))?;
        let mut receiver = Ledger::default();
        receiver.charge(Op::Verify, 1);
        Ok(Accepted {
            epoch: at + 1,
            receiver,
            audits: audited.len() as u32,
            checks,
            predicted_ciphertexts: predicted,
            excluded_ciphertexts: 0,
            tree_bytes: roster_bytes,
        })
    }

    fn join(&mut self, client: ClientId) -> Result<Joined, ProtocolError> {
        let Standing::Invited(epoch) = self.client(client)?.standing else {
            return Err(ProtocolError::NotAMember(client));
        };
        let CaughtUp { bytes, ledger, .. } = self.come(client, epoch)?;
        Ok(Joined { bytes, ledger })
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
        (self.epochs.len() as u64).saturating_sub(1)
    }

    fn view(&self, client: ClientId) -> Option<u64> {
        match self.client(client).ok()?.standing {
            Standing::Member(view) => Some(view),
            _ => None,
        }
    }

    fn leaf(&self, client: ClientId) -> Option<LeafIndex> {
        self.server.seats.get(&client).copied()
    }

    /// The server's tree; the cost of a path is that of its member's renewal.
    fn tree(&self) -> Aggregates {
        let tree = *self.server.tree.aggregates();
        let keys = u64::from(tree.members) * u64::from(tree.height);
        Aggregates { path_cost: tree.path_cost + keys, ..tree }
    }

    fn traverse(&self, visit: &mut dyn FnMut(Traversed)) {
        self.server.tree.traverse(visit);
    }

    fn tree_hash(&self) -> Digest {
        let seats = &self.server.seats;
        let seats = seats.iter().map(|(client, leaf)| (client.0, leaf.0));
        let seats: Vec<u8> = seats
            .flat_map(|(client, leaf)| [client.to_be_bytes(), leaf.to_be_bytes()].concat())
            .collect();
        self.provider.hash(&[&self.server.tree.width().to_be_bytes(), &seats])
    }

    fn join_by_link(
        &mut self,
        client: ClientId,
        now: u64,
    ) -> Result<Entering<KeyServerDraft>, ProtocolError> {
        self.enter(client, now)
    }

    fn rejoin(
        &mut self,
        client: ClientId,
        now: u64,
    ) -> Result<Entering<KeyServerDraft>, ProtocolError> {
        self.enter(client, now)
    }

    fn lose_state(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        self.view_of(client)?;
        let state = self.client_mut(client)?;
        (state.standing, state.lost, state.member) = (Standing::Outside, true, None);
        state.seen.clear();
        Ok(())
    }

    fn send(&mut self, sender: ClientId, text: &[u8]) -> Result<Sent, ProtocolError> {
        let epoch = self.view_of(sender)?;
        let key = self.epoch_key(sender, epoch)?;
        let crypto = Crypto::new(self.provider);
        let state = self.client_mut(sender)?;
        if state.sent.0 != epoch {
            state.sent = (epoch, 0);
        }
        let counter = state.sent.1;
        state.sent.1 = counter.checked_add(1).ok_or(BaselineError::ChainIsUsedUp)?;
        let head = Head { sender: sender.0, epoch, counter };
        let sealed = key.seal(&crypto, &state.identity.signer.private, head, text)?;
        let message = MessageId(self.first + self.posted.len() as u64);
        let bytes = sealed.len() as u64;
        let (text, sealed) = (text.into(), sealed.into());
        self.posted.push_back(Posted { sender, epoch, text, sealed, verified: false });
        Ok(Sent { message, epoch, bytes, ledger: crypto.ledger() })
    }

    fn receive(&mut self, client: ClientId, message: MessageId) -> Result<Received, ProtocolError> {
        let place = self.place(message)?;
        let posted = &self.posted[place];
        let reading = self.reading(client, posted)?;
        if reading != Reading::Read {
            return Ok(Received { reading, bytes: 0, ledger: Ledger::default() });
        }
        let (epoch, sender) = (posted.epoch, posted.sender);
        let own = self.client(client)?.member.as_ref().map(|member| &member.book);
        let book = own.unwrap_or(&self.everyone);
        if !book.is_member(sender, epoch) {
            return Err(BaselineError::SenderWasNoMember.into());
        }
        let crypto = Crypto::new(self.provider);
        let opened = if posted.verified && !self.is_full() {
            let mut ledger = Ledger::default();
            ledger.charge(Op::Verify, 1);
            crypto.charge(ledger);
            GroupMessage::read(&posted.sealed)?
        } else {
            let keys = book.keys(sender).ok_or(ProtocolError::NotAMember(sender))?;
            GroupMessage::verify(&crypto, &keys.signature, &posted.sealed)?
        };
        let head = opened.head;
        if head.sender != sender.0 || head.epoch != epoch {
            return Err(BaselineError::WrongSender.into());
        }
        let text = self.epoch_key(client, epoch)?.open(&crypto, &opened)?;
        if *text != *posted.text {
            return Err(self.fault(client, message));
        }
        let bytes = posted.sealed.len() as u64;
        self.posted[place].verified = true;
        let state = self.client_mut(client)?;
        if !state.seen.entry(epoch).or_default().insert((head.sender, head.counter)) {
            return Err(BaselineError::KeyIsGone.into());
        }
        if let Standing::Member(view) = state.standing {
            state.seen = state.seen.split_off(&view.saturating_sub(PAST_EPOCHS));
        }
        Ok(Received { reading, bytes, ledger: crypto.ledger() })
    }

    fn pries(&self, client: ClientId, message: MessageId) -> Result<bool, ProtocolError> {
        let posted = &self.posted[self.place(message)?];
        let Some((member, epoch)) = self.holds(client)? else { return Ok(false) };
        let crypto = Crypto::new(self.provider);
        let sealed = GroupMessage::read(&posted.sealed)?;
        if member.epochs.values().any(|key| key.open(&crypto, &sealed).is_ok()) {
            return Ok(true);
        }
        let mut held: Vec<Secret> = member.keys.into_values().collect();
        for later in epoch + 1..=posted.epoch.min(epoch + PRIED_ENTRIES) {
            let rekey =
                message::Rekey::verify(&crypto, self.server.verifier(), &self.at(later)?.rekey)?;
            for wrapped in &rekey.wrapped {
                let opened = held.iter().find_map(|key| wrapped.open(&crypto, later, key).ok());
                held.extend(opened);
            }
        }
        let opens = |key: &Secret| {
            let key = EpochKey::new(&crypto, key, posted.epoch);
            key.is_ok_and(|key| key.open(&crypto, &sealed).is_ok())
        };
        Ok(held.iter().any(opens))
    }

    fn roster(&self, client: ClientId) -> Result<Vec<ClientId>, ProtocolError> {
        let view = self.view_of(client)?;
        let own = self.client(client)?.member.as_ref().map(|member| &member.book);
        Ok(own.unwrap_or(&self.everyone).roster(view))
    }

    fn forget_messages_before(&mut self, message: MessageId) {
        while self.first < message.0 && self.posted.pop_front().is_some() {
            self.first += 1;
        }
    }

    fn epoch_authenticator(&self, client: ClientId) -> Option<Secret> {
        let key = self.epoch_key(client, self.view(client)?).ok()?;
        Some(key.authenticator(&Crypto::new(self.provider), &self.roster(client).ok()?))
    }

    fn recount(&self) -> Result<(), ProtocolError> {
        let tree = &self.server.tree;
        let seated = self.server.seats.values().all(|leaf| tree.leaf(*leaf).is_some());
        let count = self.server.seats.len() as u32 == tree.members();
        if tree.root().recount() && seated && count && self.everyone.recount() {
            return Ok(());
        }
        Err(ProtocolError::Check("a cached aggregate differs from a recount".into()))
    }
}
