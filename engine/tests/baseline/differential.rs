//! `full`, `shared` and `counted` side by side: random groups that members are added to, enter by
//! themselves, are removed from, lose their state in and come back to, while others write from views
//! that lag, and what is written arrives late and in any order. Bytes, ledgers and outcomes are the
//! same, and what a client reads is what a model says that knows only who was on whose roster.

use std::collections::{BTreeMap, BTreeSet};

use arboretum_engine::baseline::Sharing;
use arboretum_engine::protocol::{
    CaughtUp, ClientId, Draft, Entering, MessageId, Order, Protocol, Reading,
};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::{COUNTING, KeyServer, Made, Pairs, REAL, Senders};

/// A message as the model has it.
struct Told {
    message: MessageId,
    epoch: u64,
    sender: ClientId,
    roster: BTreeSet<ClientId>,
    waiting: BTreeSet<ClientId>,
}

struct Trio<P: Protocol> {
    /// `full`, `shared`, `counted`.
    all: [P; 3],
    members: Vec<ClientId>,
    /// Clients that were removed and may not know it.
    gone: Vec<ClientId>,
    /// Members that have lost their state.
    lost: Vec<ClientId>,
    /// How often a client has lost its state.
    losses: BTreeMap<ClientId, u32>,
    since: BTreeMap<ClientId, u64>,
    told: Vec<Told>,
    outcomes: BTreeMap<&'static str, u32>,
    next: u32,
    rng: ChaCha20Rng,
}

/// Three results that must be equal.
fn same<T: PartialEq + std::fmt::Debug>([full, shared, counted]: [T; 3]) -> T {
    assert_eq!(full, shared, "full and shared");
    assert_eq!(full, counted, "full and counted");
    full
}

impl<P: Made> Trio<P> {
    fn new(seed: u64) -> Self {
        let all = [
            P::made(REAL, seed, Sharing::Full),
            P::made(REAL, seed, Sharing::Shared),
            P::made(COUNTING, seed, Sharing::Shared),
        ];
        let mut trio = Self {
            all,
            members: vec![ClientId(0)],
            gone: vec![],
            lost: vec![],
            losses: BTreeMap::new(),
            since: BTreeMap::from([(ClientId(0), 0)]),
            told: vec![],
            outcomes: BTreeMap::new(),
            next: 1,
            rng: ChaCha20Rng::seed_from_u64(seed),
        };
        trio.register(ClientId(0));
        trio.all.iter_mut().for_each(|group| group.create(ClientId(0)).unwrap());
        trio
    }

    fn same<T: PartialEq + std::fmt::Debug>(&mut self, each: impl FnMut(&mut P) -> T) -> T {
        let [full, shared, counted] = &mut self.all;
        same([full, shared, counted].map(each))
    }

    fn below(&mut self, n: usize) -> usize {
        (self.rng.next_u64() % n as u64) as usize
    }

    fn note(&mut self, what: &'static str) {
        *self.outcomes.entry(what).or_default() += 1;
    }

    fn register(&mut self, client: ClientId) {
        self.same(|group| group.register(client, 100).unwrap());
    }

    fn newcomer(&mut self) -> ClientId {
        self.next += 1;
        self.register(ClientId(self.next - 1));
        ClientId(self.next - 1)
    }

    /// A member that holds its state.
    fn any_member(&mut self) -> ClientId {
        let able: Vec<_> =
            self.members.iter().copied().filter(|member| !self.lost.contains(member)).collect();
        able[self.below(able.len())]
    }

    fn advance(&mut self, client: ClientId, to: u64) -> CaughtUp {
        let caught = self.same(|group| group.advance(client, to).unwrap());
        self.same(|group| group.view(client));
        self.same(|group| group.roster(client).ok());
        let [full, shared, _] = &self.all;
        assert_eq!(full.epoch_authenticator(client), shared.epoch_authenticator(client));
        caught
    }

    fn accept(&mut self, drafts: [Draft; 3]) {
        let order = drafts[0].order.clone();
        let of = |draft: &Draft| (draft.cost, draft.ledger, draft.leaf, draft.epoch);
        same([of(&drafts[0]), of(&drafts[1]), of(&drafts[2])]);
        let [full, shared, counted] = drafts;
        let stays = |it: &ClientId| *it != order.by && !order.removes.contains(it);
        let audited: Vec<_> = self.members.iter().copied().filter(stays).collect();
        let full = self.all[0].accept(full, &[]).unwrap();
        let shared = self.all[1].accept(shared, &audited).unwrap();
        let counted = self.all[2].accept(counted, &audited).unwrap();
        let of = |it: &arboretum_engine::protocol::Accepted| {
            (it.epoch, it.receiver, it.predicted_ciphertexts, it.tree_bytes)
        };
        same([of(&full), of(&shared), of(&counted)]);
        self.same(|group| group.tree());
        self.same(|group| group.recount().unwrap());
        assert_eq!(self.all[0].tree_hash(), self.all[1].tree_hash());
        let epoch = full.epoch;
        for added in &order.adds {
            self.since.insert(*added, epoch);
            self.gone.retain(|gone| gone != added);
            self.lost.retain(|lost| lost != added);
        }
        self.members.retain(|member| !order.removes.contains(member));
        self.gone.extend(order.removes.iter().filter(|it| !order.adds.contains(it)));
        self.members.extend(&order.adds);
    }

    fn commit(&mut self, adds: usize, removes: usize) {
        let by = self.any_member();
        let epoch = self.all[0].epoch();
        self.advance(by, epoch);
        let mut removed = BTreeSet::new();
        for _ in 0..removes {
            let at = self.below(self.members.len());
            removed.insert(self.members[at]);
        }
        removed.remove(&by);
        let mut added: Vec<_> = (0..adds).map(|_| self.newcomer()).collect();
        // Somebody who was removed and knows it is added again.
        let out = self.gone.iter().position(|gone| self.all[0].view(*gone).is_none());
        if let Some(at) = out.filter(|_| adds > 0) {
            added.push(self.gone.remove(at));
        }
        let order = Order { by, adds: added, removes: removed.into_iter().collect(), now: 1 };
        let mut orders = vec![order.clone(), order.clone(), order];
        let [full, shared, counted] = &mut self.all;
        let drafts =
            [full, shared, counted].map(|group| group.commit(orders.pop().unwrap()).unwrap());
        self.accept(drafts);
    }

    /// A commit that comes too late: what it has cost is lost, and all goes on.
    fn lose_a_race(&mut self) {
        let by = self.any_member();
        let order = Order { by, adds: vec![], removes: vec![], now: 1 };
        let epoch = self.all[0].epoch();
        self.advance(by, epoch);
        let cost = |draft: Draft| (draft.cost, draft.ledger);
        self.same(|group| cost(group.commit(order.clone()).unwrap()));
    }

    fn enter(&mut self, client: ClientId) {
        let [full, shared, counted] = &mut self.all;
        let entering = [full, shared, counted].map(|it| it.join_by_link(client, 1).unwrap());
        let of = |it: &Entering| (it.fetched, it.publisher, it.published);
        same([of(&entering[0]), of(&entering[1]), of(&entering[2])]);
        self.accept(entering.map(|entering| entering.draft));
        let epoch = self.all[0].epoch();
        assert_eq!(self.same(|group| group.view(client)), Some(epoch));
        self.since.insert(client, epoch);
        self.lost.retain(|lost| *lost != client);
        self.gone.retain(|gone| *gone != client);
        if !self.members.contains(&client) {
            self.members.push(client);
        }
    }

    fn send(&mut self) {
        let mut sender = self.any_member();
        if self.all[0].view(sender).is_none() {
            let epoch = self.all[0].epoch();
            self.advance(sender, epoch);
        }
        // Who was removed and does not know it writes as well.
        if let Some(gone) = self.gone.first().copied()
            && self.all[0].view(gone).is_some()
            && self.below(4) == 0
        {
            sender = gone;
        }
        let number = self.told.len();
        let text = format!("message {number} of {sender}").into_bytes();
        let sent = self.same(|group| group.send(sender, &text).unwrap());
        let roster = self.same(|group| group.roster(sender).unwrap());
        let roster: BTreeSet<_> = roster.into_iter().collect();
        let mut waiting = roster.clone();
        waiting.remove(&sender);
        let (message, epoch) = (sent.message, sent.epoch);
        self.told.push(Told { message, epoch, sender, roster, waiting });
    }

    /// A random receiver fetches a random message that waits for it.
    fn receive(&mut self) {
        if self.told.is_empty() {
            return;
        }
        let at = self.below(self.told.len());
        let waiting: Vec<_> = self.told[at].waiting.iter().copied().collect();
        if waiting.is_empty() {
            return;
        }
        let client = waiting[self.below(waiting.len())];
        self.receive_at(at, client);
    }

    fn receive_at(&mut self, at: usize, client: ClientId) {
        let Told { message, epoch, .. } = self.told[at];
        let to = self.all[0].epoch();
        if self.all[0].view(client).is_none_or(|view| view < epoch) {
            let some = epoch.max(self.below(to as usize + 1) as u64);
            self.advance(client, some);
        }
        self.told[at].waiting.remove(&client);
        let received = self.same(|group| group.receive(client, message).unwrap());
        let since = self.since[&client];
        let expected = match received.reading {
            Reading::Read => "read",
            Reading::Lost => {
                assert!(self.lost.contains(&client) || epoch < since, "{client} has its state");
                "lost"
            }
            Reading::TooLate => {
                // Who has lost its state twice is forgotten as who it was first.
                let sender = self.told[at].sender;
                assert!(!P::ONCE || self.losses.get(&sender) > Some(&1), "a chain keeps its keys");
                "too late"
            }
            Reading::NotForIt => {
                assert!(epoch < since, "{client} was a member");
                "not for it"
            }
        };
        self.note(expected);
        if P::ONCE && expected == "read" && self.below(8) == 0 {
            assert!(!self.same(|group| group.pries(client, message).unwrap()), "{client} rereads");
            self.note("gone once read");
        }
    }

    /// Who was not on the sender's roster tries what it can.
    fn pry(&mut self) {
        if self.told.is_empty() {
            return;
        }
        let at = self.below(self.told.len());
        let message = self.told[at].message;
        let client = ClientId(self.below(self.next as usize) as u32);
        if !self.told[at].roster.contains(&client) {
            let received = self.same(|group| group.receive(client, message).unwrap());
            assert_eq!(
                received.reading,
                if self.lost.contains(&client) { Reading::Lost } else { Reading::NotForIt }
            );
            assert!(!self.same(|group| group.pries(client, message).unwrap()), "{client} reads");
            self.note("tried in vain");
            assert_ne!(client, self.told[at].sender);
        }
    }

    fn act(&mut self) {
        match self.below(24) {
            0 | 1 => self.commit(2, 0),
            2 => self.commit(0, 1),
            3 => self.commit(1, 2),
            4 => self.commit(0, 0),
            5 => {
                let client = self.newcomer();
                self.enter(client);
            }
            6 if self.members.len() > 2 => {
                let client = self.any_member();
                if self.all[0].view(client).is_some() {
                    self.same(|group| group.lose_state(client).unwrap());
                    assert_eq!(self.same(|group| group.view(client)), None);
                    self.lost.push(client);
                    *self.losses.entry(client).or_default() += 1;
                }
            }
            7 => {
                if let Some(client) = self.lost.first().copied()
                    && self.members.contains(&client)
                {
                    self.enter(client);
                }
            }
            8 => self.lose_a_race(),
            9 => {
                let client = ClientId(self.below(self.next as usize) as u32);
                let to = self.below(self.all[0].epoch() as usize + 1) as u64;
                self.advance(client, to);
            }
            10..=13 => self.send(),
            14..=20 => self.receive(),
            _ => self.pry(),
        }
    }

    /// All that is on its way arrives, from the newest to the oldest.
    fn finish(&mut self) {
        for at in (0..self.told.len()).rev() {
            for client in self.told[at].waiting.clone() {
                self.receive_at(at, client);
            }
        }
        let epoch = self.all[0].epoch();
        let mut authenticators = BTreeSet::new();
        for client in self.members.clone() {
            self.advance(client, epoch);
            let authenticator = self.all[1].epoch_authenticator(client);
            authenticators.extend(authenticator.map(|it| it.as_slice().to_vec()));
        }
        assert_eq!(authenticators.len(), 1, "members disagree");
    }
}

fn run<P: Made>(seeds: std::ops::Range<u64>, steps: u32) -> BTreeMap<&'static str, u32> {
    let mut outcomes = BTreeMap::new();
    for seed in seeds {
        let mut trio = Trio::<P>::new(seed);
        trio.commit(4, 0);
        (0..steps).for_each(|_| trio.act());
        trio.finish();
        for (what, count) in trio.outcomes {
            *outcomes.entry(what).or_default() += count;
        }
    }
    outcomes
}

#[test]
fn pairwise_is_the_same_in_all_fidelities() {
    let outcomes = run::<Pairs>(0..5, 220);
    for what in ["read", "lost", "tried in vain", "gone once read"] {
        assert!(outcomes.get(what).is_some_and(|count| *count > 10), "{what}: {outcomes:?}");
    }
}

#[test]
fn sender_keys_are_the_same_in_all_fidelities() {
    let outcomes = run::<Senders>(0..5, 220);
    for what in ["read", "lost", "tried in vain", "gone once read"] {
        assert!(outcomes.get(what).is_some_and(|count| *count > 10), "{what}: {outcomes:?}");
    }
}

#[test]
fn the_key_server_is_the_same_in_all_fidelities() {
    let outcomes = run::<KeyServer>(0..12, 220);
    for what in ["read", "lost", "too late", "not for it", "tried in vain"] {
        assert!(outcomes.get(what).is_some_and(|count| *count > 10), "{what}: {outcomes:?}");
    }
}
