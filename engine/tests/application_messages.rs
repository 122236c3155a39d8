//! Application messages through all three fidelities: random groups that members join by invitation and
//! by link, leave, lose their state in and come back to, while others send from views that lag.
//! What each client makes of each message must be the same in bytes, ledgers and outcome, and be what
//! a model says that knows only who was on the roster of the sender. Who was not on it tries in vain.

#[path = "common/seeds.rs"]
mod seeds;

use std::collections::{BTreeMap, BTreeSet};

use arboretum_engine::crypto::{CountingProvider, Op, Provider, RealProvider};
use arboretum_engine::protocol::{
    CaughtUp, ClientId, Draft, FullTreeKem, MessageId, Order, PAST_EPOCHS, Protocol, ProtocolError,
    Reading, Received, SharedTreeKem,
};
use arboretum_engine::strategy::Strategy;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use seeds::TestSeeds;

type Full = FullTreeKem<TestSeeds>;
type Shared = SharedTreeKem<TestSeeds>;

/// A message as the model has it.
struct Told {
    message: MessageId,
    epoch: u64,
    /// Who is to read it and has not tried.
    waiting: BTreeSet<ClientId>,
    /// Who was on the sender's roster.
    roster: BTreeSet<ClientId>,
}

/// Three fidelities side by side.
struct Trio {
    full: Full,
    shared: Shared,
    counted: Shared,
    members: Vec<ClientId>,
    /// Clients that were removed; they may not know it.
    gone: Vec<ClientId>,
    /// Since when a client holds what it holds.
    since: BTreeMap<ClientId, u64>,
    told: Vec<Told>,
    outcomes: BTreeMap<&'static str, u32>,
    next: u32,
    rng: ChaCha20Rng,
}

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

impl Trio {
    fn new(seed: u64, strategy: Strategy) -> Self {
        let real: &'static dyn Provider = &RealProvider;
        let mut trio = Self {
            full: FullTreeKem::new(real, TestSeeds(seed), strategy),
            shared: SharedTreeKem::new(real, TestSeeds(seed), strategy).unwrap(),
            counted: SharedTreeKem::new(&CountingProvider, TestSeeds(seed), strategy).unwrap(),
            members: vec![ClientId(0)],
            gone: vec![],
            since: BTreeMap::from([(ClientId(0), 0)]),
            told: vec![],
            outcomes: BTreeMap::new(),
            next: 1,
            rng: ChaCha20Rng::seed_from_u64(seed),
        };
        trio.register(ClientId(0));
        all!(trio, it => it.create(ClientId(0)).unwrap());
        trio
    }

    fn below(&mut self, n: usize) -> usize {
        (self.rng.next_u64() % n as u64) as usize
    }

    fn any_member(&mut self) -> ClientId {
        let at = self.below(self.members.len());
        self.members[at]
    }

    fn note(&mut self, what: &'static str) {
        *self.outcomes.entry(what).or_default() += 1;
    }

    fn register(&mut self, client: ClientId) {
        all!(self, it => it.register(client, 2).unwrap());
    }

    fn newcomer(&mut self) -> ClientId {
        let client = ClientId(self.next);
        self.next += 1;
        self.register(client);
        client
    }

    fn advance(&mut self, client: ClientId, to: u64) -> CaughtUp {
        let caught = all!(self, it => it.advance(client, to).unwrap());
        all!(self, it => it.view(client));
        caught
    }

    fn accept(&mut self, full: Draft, shared: Draft, counted: Draft) {
        assert_eq!((full.cost, full.ledger, full.leaf), (shared.cost, shared.ledger, shared.leaf));
        assert_eq!(
            (full.cost, full.ledger, full.leaf),
            (counted.cost, counted.ledger, counted.leaf)
        );
        let epoch = self.full.accept(full, &[]).unwrap().epoch;
        assert_eq!(self.shared.accept(shared, &[]).unwrap().epoch, epoch);
        assert_eq!(self.counted.accept(counted, &[]).unwrap().epoch, epoch);
        assert_eq!(self.full.tree(), self.shared.tree());
        assert_eq!(self.full.tree_hash(), self.shared.tree_hash());
    }

    fn commit(&mut self, adds: usize, removes: bool) {
        let by = self.any_member();
        let epoch = self.full.epoch();
        self.advance(by, epoch);
        if self.below(4) == 0 {
            all!(self, it => it.rotate(by).unwrap());
            self.note("rotated");
        }
        let adds: Vec<_> = (0..adds).map(|_| self.newcomer()).collect();
        let removed = Some(self.any_member()).filter(|client| removes && *client != by);
        let order =
            Order { by, adds: adds.clone(), removes: removed.into_iter().collect(), now: 1 };
        let full = self.full.commit(order.clone()).unwrap();
        let shared = self.shared.commit(order.clone()).unwrap();
        let counted = self.counted.commit(order).unwrap();
        self.accept(full, shared, counted);
        self.members.retain(|member| Some(*member) != removed);
        self.gone.extend(removed);
        adds.iter().for_each(|client| _ = self.since.insert(*client, epoch + 1));
        self.members.extend(adds);
    }

    /// Somebody comes by a link; or a member, having lost all it held or not, gives up its leaf.
    fn enter(&mut self, client: ClientId, is_member: bool) {
        macro_rules! entering {
            ($of:expr) => {
                if is_member { $of.rejoin(client, 1) } else { $of.join_by_link(client, 1) }.unwrap()
            };
        }
        let (full, shared) = (entering!(self.full), entering!(self.shared));
        let counted = entering!(self.counted);
        assert_eq!((full.fetched, full.published), (shared.fetched, shared.published));
        assert_eq!((full.fetched, full.published), (counted.fetched, counted.published));
        self.accept(full.draft, shared.draft, counted.draft);
        if !is_member {
            self.members.push(client);
        }
        self.since.insert(client, self.full.epoch());
    }

    fn send(&mut self) {
        let sender = self.any_member();
        if self.full.view(sender).is_none() {
            let to = self.full.epoch();
            self.advance(sender, to);
        }
        let roster = all!(self, it => it.roster(sender).unwrap());
        let roster: BTreeSet<_> = roster.into_iter().collect();
        let mut text = vec![0; self.below(100)];
        self.rng.fill_bytes(&mut text);
        let sent = if self.below(4) == 0 {
            all!(self, it => it.attach(sender, &text).unwrap())
        } else {
            all!(self, it => it.send(sender, &text).unwrap())
        };
        assert_eq!(Some(sent.epoch), self.full.view(sender));
        assert_eq!(sent.message.0, self.told.len() as u64);
        let mut waiting = roster.clone();
        waiting.remove(&sender);
        self.told.push(Told { message: sent.message, epoch: sent.epoch, waiting, roster });
    }

    /// A client looks at a message that it has not seen, having gone on to some epoch from the one
    /// where it was sent.
    fn receive(&mut self) {
        let at = self.below(self.told.len());
        let Told { message, epoch, .. } = self.told[at];
        let waiting: Vec<_> = self.told[at].waiting.iter().copied().collect();
        if waiting.is_empty() {
            return;
        }
        let client = waiting[self.below(waiting.len())];
        self.told[at].waiting.remove(&client);
        let to = (epoch + self.below(3) as u64).min(self.full.epoch());
        self.advance(client, to);
        let received = all!(self, it => it.receive(client, message).unwrap());
        let Received { reading, bytes, ledger } = received;
        if self.since[&client] > epoch {
            assert_eq!(reading, Reading::NotForIt, "what it held is lost");
            return self.note("entered anew");
        }
        // One that is out has stopped where it was.
        let late = self.full.view(client).map_or(0, |view| view - epoch);
        match reading {
            Reading::Read => {
                assert!(late <= PAST_EPOCHS);
                assert_eq!(ledger.count(Op::KemDecapsulate), 0);
                assert!(ledger.count(Op::AeadOpen) > 0 && bytes > 0);
                self.note(if late > 0 { "late" } else { "read" });
                // The key is erased.
                let again = self.shared.receive(client, message);
                assert_eq!(again.is_err(), self.full.receive(client, message).is_err());
                assert_eq!(again.is_err(), self.counted.receive(client, message).is_err());
            }
            Reading::TooLate => {
                assert!(late > PAST_EPOCHS || self.full.view(client).is_none());
                self.note("too late");
            }
            other => panic!("{client} in {to} on message {message:?} of {epoch}: {other:?}"),
        }
    }

    /// Somebody who was not on the sender's roster tries to read a message, and then one who was.
    fn pry(&mut self) {
        let at = self.below(self.told.len());
        let Told { message, epoch, ref roster, .. } = self.told[at];
        let everybody = (0..self.next).map(ClientId);
        let outsiders: Vec<_> = everybody.filter(|client| !roster.contains(client)).collect();
        if !outsiders.is_empty() {
            let client = outsiders[self.below(outsiders.len())];
            assert!(!self.full.pries(client, message).unwrap(), "{client} reads {message:?}");
            assert!(!self.shared.pries(client, message).unwrap(), "{client} reads {message:?}");
            let was_in = self.since.get(&client).is_some_and(|since| *since <= epoch);
            self.note(if was_in { "pried after removal" } else { "pried before joining" });
        }
        let insider = self.members.iter().find(|client| self.full.view(**client) == Some(epoch));
        if let Some(insider) = insider.copied() {
            assert!(self.full.pries(insider, message).unwrap(), "{insider} holds the keys");
            assert!(self.shared.pries(insider, message).unwrap(), "{insider} holds the keys");
            self.note("insider");
        }
    }

    fn step(&mut self) {
        match self.below(20) {
            0 | 1 => self.commit(1, false),
            2 => self.commit(0, self.members.len() > 4),
            3 => self.commit(0, false),
            4 if self.members.len() < 12 => {
                let comes_back = self.below(2) == 0;
                let back = self.gone.pop().filter(|_| comes_back);
                let client = back.unwrap_or_else(|| self.newcomer());
                self.enter(client, false);
            }
            5 if self.members.len() > 2 => {
                let client = self.any_member();
                if self.full.view(client).is_some() {
                    all!(self, it => it.lose_state(client).unwrap());
                    assert_eq!(self.full.view(client), None);
                }
                self.enter(client, true);
                self.note("lost");
            }
            6..=10 => self.send(),
            11 if !self.told.is_empty() => self.pry(),
            _ if !self.told.is_empty() => self.receive(),
            _ => {}
        }
    }
}

#[test]
fn all_fidelities_read_what_the_roster_says() {
    let mut outcomes: BTreeMap<&str, u32> = BTreeMap::new();
    for seed in 0..8 {
        let strategy = match seed {
            6 => Strategy::parse("tainted-2021").unwrap(),
            7 => Strategy::parse("rfc9420+shape=2-3").unwrap(),
            _ => Strategy::default(),
        };
        let mut trio = Trio::new(seed, strategy);
        (0..4).for_each(|_| trio.commit(1, false));
        (0..250).for_each(|_| trio.step());
        for (what, count) in trio.outcomes {
            *outcomes.entry(what).or_default() += count;
        }
    }
    // Each case must have come up, or the test has seen nothing.
    for what in [
        "read",
        "late",
        "too late",
        "entered anew",
        "lost",
        "insider",
        "pried before joining",
        "pried after removal",
        "rotated",
    ] {
        assert!(outcomes.get(what).is_some_and(|count| *count >= 5), "{what}: {outcomes:?}");
    }
}

/// A group of three, the last of whom has come by a link.
fn small() -> Full {
    let mut group: Full = FullTreeKem::new(&RealProvider, TestSeeds(9), Strategy::default());
    (0..3).for_each(|client| _ = group.register(ClientId(client), 2).unwrap());
    group.create(ClientId(0)).unwrap();
    let order = Order { by: ClientId(0), adds: vec![ClientId(1)], removes: vec![], now: 1 };
    let draft = group.commit(order).unwrap();
    group.accept(draft, &[]).unwrap();
    group.join(ClientId(1)).unwrap();
    group
}

#[test]
fn history_from_before_joining_is_unreadable() {
    let mut group = small();
    let before = group.send(ClientId(0), b"before").unwrap().message;
    let attached = group.attach(ClientId(0), b"attached").unwrap().message;
    let entering = group.join_by_link(ClientId(2), 1).unwrap();
    group.accept(entering.draft, &[]).unwrap();
    group.advance(ClientId(0), 2).unwrap();
    let after = group.send(ClientId(0), b"after").unwrap().message;
    for message in [before, attached] {
        assert_eq!(group.receive(ClientId(2), message).unwrap().reading, Reading::NotForIt);
        assert!(!group.pries(ClientId(2), message).unwrap());
    }
    assert_eq!(group.receive(ClientId(2), after).unwrap().reading, Reading::Read);
    assert_eq!(group.receive(ClientId(1), before).unwrap().reading, Reading::Read);
}

#[test]
fn what_cannot_be_is_refused() {
    let mut group = small();
    let is_member = group.join_by_link(ClientId(1), 1).unwrap_err();
    assert!(matches!(is_member, ProtocolError::IsAMember(ClientId(1))));
    let outside = group.send(ClientId(2), b"").unwrap_err();
    assert!(matches!(outside, ProtocolError::NotAMember(ClientId(2))));
    let unsent = group.receive(ClientId(1), MessageId(0)).unwrap_err();
    assert!(matches!(unsent, ProtocolError::NoSuchMessage(MessageId(0))));
    group.lose_state(ClientId(1)).unwrap();
    let nothing_left = group.lose_state(ClientId(1)).unwrap_err();
    assert!(matches!(nothing_left, ProtocolError::NotAMember(ClientId(1))));
    let message = group.send(ClientId(0), b"lost on it").unwrap().message;
    assert_eq!(group.receive(ClientId(1), message).unwrap().reading, Reading::Lost);
    group.forget_messages_before(MessageId(1));
    let forgotten = group.receive(ClientId(1), message).unwrap_err();
    assert!(matches!(forgotten, ProtocolError::NoSuchMessage(_)));
}
