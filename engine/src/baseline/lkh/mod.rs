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
//! nothing from before. A stolen state heals when its owner renews. There is little forward secrecy.
//! An epoch's key reads all of it, and is kept for [`PAST_EPOCHS`] more. Individual keys are never
//! ratcheted, and rekey messages are wrapped under them: whoever steals one and has recorded the
//! traffic opens earlier epochs too, back to that key's last renewal. With the exchange key that a
//! client registers, for good, it opens the letter it joined by, and so the epochs from then to its
//! first renewal. Requests obey the simulator's log: one that was made in an old view is refused,
//! which a server need not do.

mod key_tree;
mod log;
mod member;
mod message;
mod post;
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
    Accepted, CaughtUp, ClientId, Draft, Entering, Joined, MessageId, Opaque, Order, PAST_EPOCHS,
    Protocol, ProtocolError, Reading, Received, Seeds, Sent,
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
struct KeyServerDraft {
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

    fn place(&self, message: MessageId) -> Result<usize, ProtocolError> {
        let place = message.0.checked_sub(self.first).map(|at| at as usize);
        place.filter(|at| *at < self.posted.len()).ok_or(ProtocolError::NoSuchMessage(message))
    }

    fn fault(&self, client: ClientId, message: MessageId) -> ProtocolError {
        let MessageId(number) = message;
        ProtocolError::Check(format!("{client} reads another text in message {number}"))
    }
}

impl<S: Seeds> Protocol for KeyServerGroup<S> {
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

    /// Nothing: the server needs no more than it has.
    fn publish(&mut self, _client: ClientId, _packages: u32) -> Result<Joined, ProtocolError> {
        Ok(Joined::default())
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

    fn commit(&mut self, order: Order) -> Result<Draft, ProtocolError> {
        let view = self.view_of(order.by)?;
        let adds = order.adds.iter().map(|client| self.card(*client)).collect::<Result<_, _>>()?;
        let renews = order.adds.is_empty() && order.removes.is_empty();
        self.ask(order, view, adds, (renews, false))
    }

    fn accept(&mut self, draft: Draft, audited: &[ClientId]) -> Result<Accepted, ProtocolError> {
        let (at, by) = (self.epoch(), draft.order.by);
        let mut inner: KeyServerDraft = draft.inner.open()?;
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

    fn join_by_link(&mut self, client: ClientId, now: u64) -> Result<Entering, ProtocolError> {
        self.enter(client, now)
    }

    fn rejoin(&mut self, client: ClientId, now: u64) -> Result<Entering, ProtocolError> {
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
        self.send_text(sender, text)
    }

    fn receive(&mut self, client: ClientId, message: MessageId) -> Result<Received, ProtocolError> {
        self.open_message(client, message)
    }

    fn pries(&self, client: ClientId, message: MessageId) -> Result<bool, ProtocolError> {
        self.pry(client, message)
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

    fn key_server(&self) -> Option<(u64, Ledger)> {
        Some((self.keys_known(), self.server_ledger()))
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
