//! `full` against `shared` against `counted`: random groups that are set up or grown, whose members
//! come by invitation and by link, go, lag, lose their state, and send messages from where they are.
//! Trees, bytes, ledgers, secrets, exposure and every message must be the same.

use std::collections::{BTreeMap, BTreeSet};

use arboretum_engine::crypto::{CountingProvider, Op, Provider, RealProvider};
use arboretum_engine::protocol::{
    CaughtUp, ClientId, Draft, FullArt, MessageId, Order, Protocol, ProtocolError, Reading,
    SharedArt,
};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::seeds::TestSeeds;

type Full = FullArt<TestSeeds>;
type Shared = SharedArt<TestSeeds>;
type Drafts = [Draft; 3];

/// The same of all three, compared.
macro_rules! all {
    ($trio:expr, $of:ident => $call:expr) => {{
        let full = {
            let $of = &mut $trio.full;
            $call
        };
        let shared = {
            let $of = &mut $trio.shared;
            $call
        };
        let counted = {
            let $of = &mut $trio.counted;
            $call
        };
        assert_eq!(full, shared);
        assert_eq!(full, counted);
        full
    }};
}

struct Trio {
    full: Full,
    shared: Shared,
    counted: Shared,
    members: Vec<ClientId>,
    /// Members whose state is lost.
    lost: Vec<ClientId>,
    /// Who has been removed and may not know it.
    gone: Vec<ClientId>,
    messages: Vec<MessageId>,
    /// Who has read what.
    read: BTreeSet<(ClientId, MessageId)>,
    readings: BTreeMap<&'static str, u32>,
    next: u32,
    rng: ChaCha20Rng,
}

impl Trio {
    fn new(seed: u64, start: u32) -> Self {
        let seeds = TestSeeds(seed);
        let real: &'static dyn Provider = &RealProvider;
        let mut trio = Self {
            full: Full::new(real, seeds),
            shared: Shared::new(real, seeds),
            counted: Shared::new(&CountingProvider, seeds),
            members: vec![ClientId(0)],
            lost: vec![],
            gone: vec![],
            messages: vec![],
            read: BTreeSet::new(),
            readings: BTreeMap::new(),
            next: start,
            rng: ChaCha20Rng::seed_from_u64(seed),
        };
        for client in 0..start {
            all!(trio, of => of.register(ClientId(client), 3).unwrap());
        }
        all!(trio, of => of.create(ClientId(0)).unwrap());
        if start > 1 {
            let others: Vec<_> = (1..start).map(ClientId).collect();
            trio.commit(ClientId(0), others, vec![]);
        }
        trio
    }

    fn below(&mut self, n: usize) -> usize {
        (self.rng.next_u64() % n as u64) as usize
    }

    fn any(&mut self) -> ClientId {
        let at = self.below(self.members.len());
        self.members[at]
    }

    fn stranger(&mut self) -> ClientId {
        let client = ClientId(self.next);
        self.next += 1;
        all!(self, of => of.register(client, 3).unwrap());
        client
    }

    fn advance(&mut self, client: ClientId, to: u64) -> CaughtUp {
        let caught = all!(self, of => of.advance(client, to).unwrap());
        all!(self, of => of.view(client));
        let authenticator = self.full.epoch_authenticator(client);
        assert_eq!(authenticator, self.shared.epoch_authenticator(client));
        if let Some(member) = self.full.member(client) {
            let same = self.shared.materialise(client).unwrap();
            assert_eq!((&same.keys, same.leaf), (&member.keys, member.leaf));
            assert_eq!(same.secrets, member.secrets);
            let roster = all!(self, of => of.roster(client).unwrap());
            assert!(roster.contains(&client));
        }
        caught
    }

    fn commit(&mut self, by: ClientId, adds: Vec<ClientId>, removes: Vec<ClientId>) {
        let order = Order { by, adds: adds.clone(), removes: removes.clone(), now: 1 };
        let full = self.full.commit(order.clone()).unwrap();
        let shared = self.shared.commit(order.clone()).unwrap();
        let counted = self.counted.commit(order).unwrap();
        self.accept([full, shared, counted]);
        self.members.retain(|member| !removes.contains(member));
        self.members.extend(&adds);
        for removed in removes {
            if adds.contains(&removed) {
                self.lost.retain(|lost| *lost != removed);
                self.read.retain(|(client, _)| *client != removed);
            } else if self.lost.contains(&removed) {
                self.lost.retain(|lost| *lost != removed);
            } else {
                self.gone.push(removed);
            }
        }
    }

    fn accept(&mut self, [full, shared, counted]: Drafts) {
        let seen = |draft: &Draft| (draft.cost, draft.ledger, draft.leaf, draft.epoch);
        assert_eq!(seen(&full), seen(&shared));
        assert_eq!(seen(&full), seen(&counted));
        assert_eq!(full.cost.ciphertexts, 0);
        let parts = full.cost.bytes_path_keys + full.cost.bytes_proposals + full.cost.bytes_framing;
        assert_eq!(full.cost.bytes, parts);
        let mut audited: Vec<_> = self.members.clone();
        audited.retain(|client| *client != full.order.by && !full.order.removes.contains(client));
        let full = self.full.accept(full, &[]).unwrap();
        let shared = self.shared.accept(shared, &audited).unwrap();
        let counted = self.counted.accept(counted, &audited).unwrap();
        assert_eq!(shared.audits as usize, audited.len());
        assert_eq!((full.epoch, full.receiver), (shared.epoch, shared.receiver));
        assert_eq!((full.epoch, full.receiver), (counted.epoch, counted.receiver));
        assert_eq!((full.tree_bytes, full.tree_bytes), (shared.tree_bytes, counted.tree_bytes));
        all!(self, of => of.tree());
        all!(self, of => of.exposed());
        assert_eq!(self.full.tree_hash(), self.shared.tree_hash());
        all!(self, of => of.epoch());
    }

    fn step(&mut self) {
        match self.below(12) {
            0..=4 => {
                let by = self.any();
                if self.lost.contains(&by) {
                    return;
                }
                let epoch = self.full.epoch();
                self.advance(by, epoch);
                let adds: Vec<_> = (0..self.below(3)).map(|_| self.stranger()).collect();
                let mut removes = vec![];
                for _ in 0..self.below(3) {
                    let client = self.any();
                    if client != by && !removes.contains(&client) {
                        removes.push(client);
                    }
                }
                // Somebody is removed and comes back by the same order.
                let mut adds = adds;
                if self.below(4) == 0 {
                    adds.extend(removes.iter().rev());
                }
                self.commit(by, adds, removes);
            }
            5 => {
                let client = self.stranger();
                self.link(client);
            }
            6 if !self.gone.is_empty() => {
                // Who has gone comes back, by invitation or by link.
                let at = self.below(self.gone.len());
                let client = self.gone.swap_remove(at);
                let epoch = self.full.epoch();
                let caught = self.advance(client, epoch);
                assert!(caught.removed || self.full.view(client).is_none());
                match self.below(2) {
                    0 => self.link(client),
                    _ => {
                        let by = self.any();
                        if !self.lost.contains(&by) {
                            let epoch = self.full.epoch();
                            self.advance(by, epoch);
                            self.commit(by, vec![client], vec![]);
                        }
                    }
                }
            }
            7 => {
                let client = self.any();
                if self.full.view(client).is_some() && self.members.len() > self.lost.len() + 1 {
                    all!(self, of => of.lose_state(client).unwrap());
                    self.lost.push(client);
                    all!(self, of => of.view(client));
                    assert_eq!(self.advance(client, self.full.epoch()), CaughtUp::default());
                }
            }
            8..=9 => {
                let sender = self.any();
                if self.full.view(sender).is_none() {
                    return;
                }
                let text = self.rng.next_u64().to_be_bytes();
                let sent = match self.below(4) {
                    0 => all!(self, of => of.attach(sender, &text).unwrap()),
                    _ => all!(self, of => of.send(sender, &text).unwrap()),
                };
                self.messages.push(sent.message);
                // Everybody reads it who can now.
                let now = sent.epoch;
                for client in self.members.clone() {
                    let is_there = self.full.view(client).is_some_and(|view| view >= now);
                    if client == sender || !is_there || self.below(4) == 0 {
                        continue;
                    }
                    self.read(client, sent.message);
                }
                for client in (0..self.next).map(ClientId) {
                    all!(self, of => of.pries(client, sent.message).unwrap());
                    if !self.members.contains(&client) && self.full.view(client).is_none() {
                        assert!(!self.full.pries(client, sent.message).unwrap());
                    }
                }
            }
            _ => {
                let client = self.any();
                let epoch = self.full.epoch();
                let view = self.full.view(client).unwrap_or(epoch);
                let to = view + self.below((epoch - view + 1) as usize) as u64;
                self.advance(client, to);
            }
        }
    }

    fn link(&mut self, client: ClientId) {
        let full = self.full.join_by_link(client, 1).unwrap();
        let shared = self.shared.join_by_link(client, 1).unwrap();
        let counted = self.counted.join_by_link(client, 1).unwrap();
        let publication = (full.fetched, full.publisher, full.published);
        assert_eq!(publication, (shared.fetched, shared.publisher, shared.published));
        assert_eq!(publication, (counted.fetched, counted.publisher, counted.published));
        self.accept([full.draft, shared.draft, counted.draft]);
        self.members.push(client);
        let again = self.full.join_by_link(client, 1);
        assert!(matches!(again, Err(ProtocolError::IsAMember(_))));
    }

    /// A client reads a message, if it has not.
    fn read(&mut self, client: ClientId, message: MessageId) {
        if self.read.contains(&(client, message)) {
            return;
        }
        let received = all!(self, of => of.receive(client, message).unwrap());
        let name = match received.reading {
            Reading::Read => "read",
            Reading::NotForIt => "not for it",
            Reading::TooLate => "too late",
            Reading::Lost => "lost",
        };
        if received.reading == Reading::Read {
            self.read.insert((client, message));
        }
        *self.readings.entry(name).or_default() += 1;
    }
}

fn play(seed: u64, start: u32, steps: u32) -> BTreeMap<&'static str, u32> {
    let mut trio = Trio::new(seed, start);
    for step in 0..steps {
        trio.step();
        if step % 16 == 0 {
            all!(trio, of => of.recount().unwrap());
        }
    }
    // Everybody comes to the same end, and reads what it can of the last messages.
    let epoch = trio.full.epoch();
    let last: Vec<_> = trio.messages.iter().rev().take(3).copied().collect();
    let strangers = trio.stranger();
    for client in trio.members.clone() {
        trio.advance(client, epoch);
    }
    for client in trio.gone.clone().into_iter().chain([strangers]) {
        trio.advance(client, epoch);
        last.iter().for_each(|message| trio.read(client, *message));
    }
    for client in trio.lost.clone() {
        last.iter().for_each(|message| trio.read(client, *message));
    }
    let there = trio.members.iter().filter(|client| !trio.lost.contains(client));
    let authenticators: Vec<_> =
        there.map(|it| trio.full.epoch_authenticator(*it).unwrap()).collect();
    assert!(authenticators.windows(2).all(|pair| pair[0] == pair[1]));
    all!(trio, of => of.recount().unwrap());
    trio.readings
}

#[test]
fn full_shared_and_counted_are_the_same() {
    let mut readings = BTreeMap::new();
    for seed in 0..8 {
        let start = [1, 2, 5, 9][seed as usize % 4];
        for (name, count) in play(seed, start, 55) {
            *readings.entry(name).or_insert(0) += count;
        }
    }
    assert!(readings["read"] > 40, "{readings:?}");
    assert!(readings["not for it"] > 5 && readings["lost"] > 3, "{readings:?}");
}

/// A late message is read from where its sender was, if that is not too long ago.
#[test]
fn late_messages() {
    let mut trio = Trio::new(77, 4);
    let [a, b, c] = [0, 1, 2].map(ClientId);
    let epoch = trio.full.epoch();
    for client in [a, b, c] {
        trio.advance(client, epoch);
    }
    let old = all!(trio, of => of.send(a, b"old").unwrap());
    let ahead = all!(trio, of => of.send(a, b"after it").unwrap());
    let never = all!(trio, of => of.send(a, b"never read").unwrap());
    trio.read(b, ahead.message);
    for late in 1..=5_u64 {
        trio.commit(a, vec![], vec![]);
        trio.advance(b, epoch + late);
        if late == 4 {
            trio.read(b, old.message);
        }
    }
    trio.read(b, never.message);
    assert_eq!(trio.readings, BTreeMap::from([("read", 2), ("too late", 1)]));
    trio.advance(c, epoch + 5);
    let newest = all!(trio, of => of.send(a, b"new").unwrap());
    let first = all!(trio, of => of.receive(c, newest.message).unwrap());
    assert_eq!(first.ledger.count(Op::AeadOpen), 1);
    assert_eq!(first.ledger.count(Op::Verify), 1);
    assert!(trio.full.receive(c, newest.message).is_err(), "a message is read once");
}

/// An order that was made in an old view is refused, and one of a stranger.
#[test]
fn drafts_that_are_not_accepted() {
    let mut trio = Trio::new(5, 4);
    let epoch = trio.full.epoch();
    trio.advance(ClientId(1), epoch);
    let order = |by| Order { by, adds: vec![], removes: vec![], now: 1 };
    let stale = trio.full.commit(order(ClientId(1))).unwrap();
    let shared = trio.shared.commit(order(ClientId(1))).unwrap();
    trio.counted.commit(order(ClientId(1))).unwrap();
    trio.commit(ClientId(0), vec![], vec![]);
    let refused = trio.full.accept(stale, &[]);
    assert!(matches!(refused, Err(ProtocolError::Stale { made: 1, at: 2 })));
    let refused = trio.shared.accept(shared, &[]);
    assert!(matches!(refused, Err(ProtocolError::Stale { made: 1, at: 2 })));
    for by in [ClientId(2), ClientId(9)] {
        assert!(matches!(trio.full.commit(order(by)), Err(ProtocolError::NotAMember(_))));
        assert!(matches!(trio.shared.commit(order(by)), Err(ProtocolError::NotAMember(_))));
    }
}
