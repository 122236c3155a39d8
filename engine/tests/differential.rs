//! `full` against `shared` against `counted`: random sequences of operations, driven through
//! all three, must give the same trees, bytes, ledgers and epoch secrets after every commit; and
//! groups in counts must give the same trees, ciphertexts and public keys.

use arboretum_engine::counted::{Changes, Cost, CountedGroup, Member, PathSizes, TaintedGroup};
use arboretum_engine::crypto::{CountingProvider, Crypto, Provider, RealProvider, Seed};
use arboretum_engine::group::{CommitCost, Followed};
use arboretum_engine::protocol::{
    ClientId, Draft, FullTreeKem, Order, Protocol, Seeds, SharedTreeKem,
};
use arboretum_engine::strategy::{Compaction, Layout, Placement, Removal, Strategy};
use arboretum_engine::tree::Aggregates;
use arboretum_engine::treesync::Roster;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

/// Seeds by address, for tests: ChaCha20 keyed by the test's seed and the domain's length and
/// letters, its stream the entity, its position the counter.
#[derive(Clone, Copy)]
struct TestSeeds(u64);

impl Seeds for TestSeeds {
    fn seed(&self, domain: &'static str, entity: u64, counter: u64) -> Seed {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.0.to_le_bytes());
        for (at, letter) in domain.bytes().enumerate() {
            key[8 + at % 24] ^= letter.rotate_left(at as u32 / 24);
        }
        let mut rng = ChaCha20Rng::from_seed(key);
        rng.set_stream(entity);
        rng.set_word_pos(u128::from(counter) * 8);
        let mut seed = Seed::default();
        rng.fill_bytes(&mut seed);
        seed
    }
}

type Inner<P> = <P as Protocol>::Inner;

/// The group in counts that goes with a strategy.
enum Counts {
    TreeKem(CountedGroup),
    Tainted(TaintedGroup),
}

impl Counts {
    fn new(strategy: Strategy, creator: Member) -> Self {
        if strategy.taints() {
            return Self::Tainted(TaintedGroup::under(strategy, sizes(), creator).unwrap());
        }
        let mut group = CountedGroup::new(strategy, sizes(), 0, false).unwrap();
        group.add(creator, creator).unwrap();
        Self::TreeKem(group)
    }

    fn tree(&self) -> &Aggregates {
        match self {
            Self::TreeKem(group) => group.tree(),
            Self::Tainted(group) => group.tree(),
        }
    }

    fn recount(&self) -> bool {
        match self {
            Self::TreeKem(group) => group.recount(),
            Self::Tainted(group) => group.recount(),
        }
    }

    fn commit(&mut self, by: Member, changes: &Changes) -> Cost {
        match self {
            Self::TreeKem(group) => commit_in_counts(group, by, changes),
            Self::Tainted(group) => group.commit(by, changes).unwrap(),
        }
    }
}

fn commit_in_counts(group: &mut CountedGroup, by: Member, changes: &Changes) -> Cost {
    changes.updates.iter().for_each(|member| group.update(*member).unwrap());
    if changes.moves {
        group.remove(by).unwrap();
        group.add(by, by).unwrap();
    }
    group.remove_all(&changes.removes).unwrap();
    if !changes.moves {
        group.move_over(by).unwrap();
    }
    changes.adds.iter().for_each(|member| group.add(by, *member).unwrap());
    group.commit(by).unwrap()
}

/// Three fidelities side by side, and who is where.
struct Trio {
    full: FullTreeKem<TestSeeds>,
    shared: SharedTreeKem<TestSeeds>,
    counted: SharedTreeKem<TestSeeds>,
    counts: Counts,
    members: Vec<ClientId>,
    /// Who has proposed in this epoch.
    proposed: Vec<ClientId>,
    next: u32,
    strategy: Strategy,
    rng: ChaCha20Rng,
}

fn sizes() -> PathSizes {
    PathSizes::of(&RealProvider).unwrap()
}

fn below(rng: &mut ChaCha20Rng, n: usize) -> usize {
    (rng.next_u64() % n as u64) as usize
}

impl Trio {
    fn new(seed: u64) -> Self {
        Self::with(seed, Strategy::default())
    }

    fn with(seed: u64, strategy: Strategy) -> Self {
        let seeds = TestSeeds(seed);
        let real: &'static dyn Provider = &RealProvider;
        let mut trio = Self {
            full: FullTreeKem::new(real, seeds, strategy),
            shared: SharedTreeKem::new(real, seeds, strategy).unwrap(),
            counted: SharedTreeKem::new(&CountingProvider, seeds, strategy).unwrap(),
            counts: Counts::new(strategy, Member(0)),
            members: vec![ClientId(0)],
            proposed: vec![],
            next: 1,
            strategy,
            rng: ChaCha20Rng::seed_from_u64(seed),
        };
        trio.shared.keep_log();
        trio.counted.keep_log();
        trio.register(ClientId(0));
        trio.full.create(ClientId(0)).unwrap();
        trio.shared.create(ClientId(0)).unwrap();
        trio.counted.create(ClientId(0)).unwrap();
        trio
    }

    fn register(&mut self, client: ClientId) {
        let full = self.full.register(client, 2).unwrap();
        assert_eq!(full, self.shared.register(client, 2).unwrap());
        assert_eq!(full, self.counted.register(client, 2).unwrap());
    }

    /// Brings one client forward in all three and compares what that took.
    fn advance(&mut self, client: ClientId, to: u64) {
        let full = self.full.advance(client, to).unwrap();
        let shared = self.shared.advance(client, to).unwrap();
        let counted = self.counted.advance(client, to).unwrap();
        assert_eq!(full, shared, "{client} to epoch {to}");
        assert_eq!(full, counted, "{client} to epoch {to}, counted");
        assert_eq!(self.full.view(client), self.shared.view(client));
        if let Some(member) = self.full.member(client) {
            let authenticator = Some(member.secrets.epoch_authenticator.clone());
            assert_eq!(authenticator, self.shared.epoch_authenticator(client));
            let (materialised, _) = self.shared.materialise(client).unwrap();
            assert_eq!(materialised.keys, member.keys, "{client} materialised");
            assert_eq!(materialised.leaf, member.leaf);
            assert_eq!(materialised.public.context, member.public.context);
        }
    }

    fn commit(&mut self, adds: usize, removes: usize) {
        let by = self.members[below(&mut self.rng, self.members.len())];
        let epoch = self.full.epoch();
        self.advance(by, epoch);
        let mut removed = vec![];
        for _ in 0..removes {
            let client = self.members[below(&mut self.rng, self.members.len())];
            if client != by && !removed.contains(&client) {
                removed.push(client);
            }
        }
        let adds: Vec<_> = (self.next..self.next + adds as u32).map(ClientId).collect();
        self.next += adds.len() as u32;
        adds.iter().for_each(|client| self.register(*client));
        let order = Order { by, adds: adds.clone(), removes: removed.clone(), now: 1 };
        self.commit_order(order);
        self.members.retain(|member| !removed.contains(member));
        self.members.extend(adds);
        // Whoever was removed learns of it, at once or never.
        for client in removed {
            if below(&mut self.rng, 2) == 0 {
                self.advance(client, epoch + 1);
                assert_eq!(self.shared.view(client), None);
            }
        }
    }

    fn commit_order(&mut self, order: Order) {
        let full = self.full.commit(order.clone()).unwrap();
        let shared = self.shared.commit(order.clone()).unwrap();
        let counted = self.counted.commit(order).unwrap();
        self.accept(full, shared, counted, false);
    }

    /// A random member, wherever it lags, gives up its leaf for another.
    fn rejoin(&mut self) {
        if self.members.len() == 1 {
            return;
        }
        let by = self.members[below(&mut self.rng, self.members.len())];
        let full = self.full.rejoin(by, 1).unwrap();
        let shared = self.shared.rejoin(by, 1).unwrap();
        let counted = self.counted.rejoin(by, 1).unwrap();
        let publication = (full.fetched, full.publisher, full.published);
        assert_eq!(publication, (shared.fetched, shared.publisher, shared.published));
        assert_eq!(publication, (counted.fetched, counted.publisher, counted.published));
        let leaf = full.draft.leaf;
        self.accept(full.draft, shared.draft, counted.draft, true);
        assert_eq!(self.full.leaf(by), Some(leaf));
        assert_eq!(self.shared.leaf(by), Some(leaf));
    }

    /// A random member removes the rightmost others and adds them again.
    fn swap(&mut self, most: u32) {
        let by = self.members[below(&mut self.rng, self.members.len())];
        let epoch = self.full.epoch();
        self.advance(by, epoch);
        // A committer that moves takes the first blank leaf.
        let others = u32::from(self.strategy.compaction == Compaction::ScootOver);
        let mut moved = self.full.stragglers(most, others).unwrap();
        assert_eq!(moved, self.shared.stragglers(most, others).unwrap());
        assert_eq!(moved, self.counted.stragglers(most, others).unwrap());
        moved.retain(|client| *client != by);
        let stood: Vec<_> = moved.iter().map(|client| self.full.leaf(*client)).collect();
        self.commit_order(Order { by, adds: moved.clone(), removes: moved.clone(), now: 1 });
        for (client, stood) in moved.into_iter().zip(stood) {
            let to_the_left = self.strategy.placement == Placement::LeftmostBlank;
            assert!(!to_the_left || self.full.leaf(client) < stood, "{client}");
            assert_eq!(self.full.leaf(client), self.shared.leaf(client));
        }
    }

    fn accept(
        &mut self,
        full: Draft<Inner<FullTreeKem<TestSeeds>>>,
        shared: Draft<Inner<SharedTreeKem<TestSeeds>>>,
        counted: Draft<Inner<SharedTreeKem<TestSeeds>>>,
        enters: bool,
    ) {
        assert_eq!((full.cost, full.ledger, full.leaf), (shared.cost, shared.ledger, shared.leaf));
        assert_eq!((full.cost, full.ledger), (counted.cost, counted.ledger));
        let CommitCost { ciphertexts, public_keys, .. } = full.cost;
        let bytes = full.cost.bytes_path_keys + full.cost.bytes_path_ciphertexts;
        let counts = self.count(&full.order, enters);
        let strategy = self.strategy;
        assert_eq!(counts, (ciphertexts, public_keys, bytes), "{strategy:?} {:?}", full.order);
        self.put_into_effect(full, shared, counted);
    }

    fn put_into_effect(
        &mut self,
        full: Draft<Inner<FullTreeKem<TestSeeds>>>,
        shared: Draft<Inner<SharedTreeKem<TestSeeds>>>,
        counted: Draft<Inner<SharedTreeKem<TestSeeds>>>,
    ) {
        let by = full.order.by;
        let audited: Vec<_> = self.members.iter().copied().filter(|m| *m != by).take(3).collect();
        let full = self.full.accept(full, &[]).unwrap();
        let shared = self.shared.accept(shared, &audited).unwrap();
        let counted = self.counted.accept(counted, &audited).unwrap();
        assert_eq!(full.receiver, shared.receiver);
        assert_eq!(full.receiver, counted.receiver);
        assert_eq!(full.tree_bytes, shared.tree_bytes);
        assert_eq!(full.excluded_ciphertexts, shared.excluded_ciphertexts);
        let epoch = full.epoch;
        assert_eq!(self.full.commit_message(epoch), self.shared.commit_message(epoch));
        let length = |message: Option<&[u8]>| message.map(<[u8]>::len);
        assert_eq!(
            length(self.full.commit_message(epoch)),
            length(self.counted.commit_message(epoch))
        );
        assert_eq!(self.full.tree(), self.shared.tree());
        assert_eq!(self.full.tree(), self.counted.tree());
        assert_eq!(self.full.tree(), *self.counts.tree());
        assert_eq!(self.full.tree_hash(), self.shared.tree_hash());
        assert_eq!(self.full.leaf(by), self.shared.leaf(by));
        assert_eq!(self.full.leaf(by), self.counted.leaf(by));
    }

    /// A random member ends the group and makes another of all who are in it.
    fn rebuild(&mut self) {
        let by = self.members[below(&mut self.rng, self.members.len())];
        let epoch = self.full.epoch();
        self.advance(by, epoch);
        let full = self.full.rebuild(by, 1).unwrap();
        let shared = self.shared.rebuild(by, 1).unwrap();
        let counted = self.counted.rebuild(by, 1).unwrap();
        assert_eq!((full.fetched, &full.draft.order), (shared.fetched, &shared.draft.order));
        assert_eq!((full.fetched, &full.draft.order), (counted.fetched, &counted.draft.order));
        assert_eq!(full.draft.order.adds.len() + 1, self.members.len());
        let (cost, ledger) = (full.draft.cost, full.draft.ledger);
        assert_eq!((cost, ledger), (shared.draft.cost, shared.draft.ledger));
        assert_eq!((cost, ledger), (counted.draft.cost, counted.draft.ledger));
        assert_eq!((cost.ciphertexts, cost.public_keys), (0, 0), "nobody receives the new path");
        let member = Member(by.0);
        self.counts = Counts::new(self.strategy, member);
        let adds = full.draft.order.adds.iter().map(|client| Member(client.0)).collect();
        let changes = Changes { adds, ..Changes::default() };
        let cost = self.counts.commit(member, &changes);
        assert_eq!(cost.ciphertexts, 0, "a Welcome tells everybody");
        self.proposed.clear();
        self.put_into_effect(full.draft, shared.draft, counted.draft);
        assert_eq!(self.full.epoch(), epoch + 1);
    }

    /// The same commit in counts: ciphertexts, public keys, and bytes of both.
    fn count(&mut self, order: &Order, enters: bool) -> (u64, u64, u64) {
        let members =
            |clients: &[ClientId]| clients.iter().map(|client| Member(client.0)).collect();
        let mut updated = std::mem::take(&mut self.proposed);
        updated.retain(|it| !enters && *it != order.by && !order.removes.contains(it));
        let changes = Changes {
            updates: members(&updated),
            removes: members(&order.removes),
            adds: members(&order.adds),
            moves: enters,
        };
        let cost = self.counts.commit(Member(order.by.0), &changes);
        (cost.ciphertexts, cost.public_keys, sizes().bytes(&cost))
    }

    /// A client of `shared`, made a member of its own wherever it lags, goes on from the wire
    /// and arrives where everybody is.
    fn go_on_from_the_wire(&self, client: ClientId) {
        if self.shared.view(client).is_none() || self.shared.leaf(client).is_none() {
            return;
        }
        let crypto = Crypto::new(&RealProvider);
        let (mut member, mut roster) = self.shared.materialise(client).unwrap();
        let view = self.shared.view(client).unwrap();
        for epoch in view + 1..=self.shared.epoch() {
            let message = self.shared.commit_message(epoch).unwrap();
            let holdings = self.shared.holdings(&crypto, client, &member).unwrap();
            let received = &holdings.proposals;
            let transition = member.public.apply_with(&crypto, &roster, received, message).unwrap();
            let followed = member.follow_with(&crypto, &transition, &holdings).unwrap();
            assert_eq!(followed, Followed::Advanced);
            roster.advance(&transition.roster_changes);
            assert_eq!(Roster::of(&member.public.tree).unwrap(), roster, "epoch {epoch}");
        }
        let newest = Some(self.shared.epoch());
        let newest = self.members.iter().find(|m| self.shared.view(**m) == newest);
        if let Some(newest) = newest {
            let authenticator = self.shared.epoch_authenticator(*newest);
            assert_eq!(Some(member.secrets.epoch_authenticator.clone()), authenticator);
        }
    }

    /// Random operations, after each of which some clients come forward and some stay behind.
    fn live(&mut self, commits: usize, largest: usize) {
        for _ in 0..commits {
            self.commit_something(largest);
            self.come_forward();
        }
        self.end();
    }

    /// The same, with members that move to other leaves.
    fn move_about(&mut self, commits: usize, largest: usize) {
        for _ in 0..commits {
            match below(&mut self.rng, 4) {
                0 => self.rejoin(),
                1 => self.swap(3),
                _ => self.commit_something(largest),
            }
            self.come_forward();
        }
        self.end();
    }

    /// The same, with members that propose Updates before others commit.
    fn propose_and_commit(&mut self, commits: usize, largest: usize) {
        for _ in 0..commits {
            for _ in 0..below(&mut self.rng, 4) {
                self.propose();
            }
            match below(&mut self.rng, 6) {
                0 => self.rejoin(),
                1 => self.swap(2),
                _ => self.commit_something(largest),
            }
            self.come_forward();
        }
        self.end();
    }

    /// The same, in a group that is made anew now and then, whoever is there to see it.
    fn begin_anew(&mut self, commits: usize, largest: usize) {
        for _ in 0..commits {
            for _ in 0..below(&mut self.rng, 3) {
                self.propose();
            }
            match below(&mut self.rng, 7) {
                0 => self.rejoin(),
                1 => self.swap(2),
                2 | 3 => self.rebuild(),
                _ => self.commit_something(largest),
            }
            self.come_forward();
        }
        self.end();
    }

    /// A random member proposes a fresh key, unless it has.
    fn propose(&mut self) {
        let client = self.members[below(&mut self.rng, self.members.len())];
        let epoch = self.full.epoch();
        self.advance(client, epoch);
        let full = self.full.propose_update(client);
        let shared = self.shared.propose_update(client);
        let counted = self.counted.propose_update(client);
        assert_eq!(full.as_ref().ok(), shared.as_ref().ok());
        assert_eq!(full.as_ref().ok(), counted.as_ref().ok());
        if full.is_ok() {
            self.proposed.push(client);
        }
    }

    fn commit_something(&mut self, largest: usize) {
        let room = largest.saturating_sub(self.members.len());
        let (adds, removes) = match below(&mut self.rng, 6) {
            0 | 1 => (1 + below(&mut self.rng, 4), 0),
            2 => (0, 1 + below(&mut self.rng, 3)),
            3 => (1, 1),
            _ => (0, 0),
        };
        self.commit(adds.min(room), removes);
    }

    fn come_forward(&mut self) {
        let epoch = self.full.epoch();
        for client in self.members.clone() {
            if below(&mut self.rng, 3) == 0 {
                let back = below(&mut self.rng, 3) as u64;
                self.advance(client, epoch.saturating_sub(back));
            }
        }
    }

    fn end(&mut self) {
        let lagging = below(&mut self.rng, self.members.len());
        self.go_on_from_the_wire(self.members[lagging]);
        let epoch = self.full.epoch();
        for client in self.members.clone() {
            self.advance(client, epoch);
        }
        self.shared.recount().unwrap();
        self.counted.recount().unwrap();
        assert!(self.counts.recount());
    }
}

#[test]
fn small_groups_over_many_seeds() {
    for seed in 0..SEEDS {
        let mut trio = Trio::new(seed);
        trio.live(12, 4 + (seed as usize % 13));
    }
}

#[test]
fn groups_of_up_to_64() {
    for seed in 0..20 {
        let mut trio = Trio::new(1_000_000 + seed);
        trio.commit(30, 0);
        trio.live(60, 64);
    }
}

#[test]
fn a_group_of_a_thousand() {
    let mut trio = Trio::new(7);
    trio.commit(999, 0);
    trio.live(6, 1_000);
}

#[test]
fn members_that_move_to_other_leaves() {
    for seed in 0..SEEDS / 10 {
        let mut trio = Trio::new(4_000_000 + seed);
        trio.commit(3 + seed as usize % 11, 0);
        trio.move_about(14, 4 + seed as usize % 17);
    }
    for (number, strategy) in strategies().into_iter().enumerate().step_by(LARGER_STEP) {
        let mut trio = Trio::with(5_000_000 + number as u64, strategy);
        trio.commit(20, 0);
        trio.move_about(20, 40);
    }
}

#[test]
fn members_that_propose_updates() {
    for seed in 0..SEEDS / 10 {
        let mut trio = Trio::new(7_000_000 + seed);
        trio.commit(3 + seed as usize % 11, 0);
        trio.propose_and_commit(14, 4 + seed as usize % 17);
    }
    for (number, strategy) in strategies().into_iter().enumerate().step_by(LARGER_STEP) {
        let mut trio = Trio::with(8_000_000 + number as u64, strategy);
        trio.commit(20, 0);
        trio.propose_and_commit(20, 40);
    }
}

/// Whoever commits in an epoch in which another still stood elsewhere removes it from there.
#[test]
fn a_late_committer_removes_a_member_where_it_stood() {
    let mut trio = Trio::new(6_000_000);
    trio.commit(6, 0);
    trio.commit_order(Order { by: ClientId(0), adds: vec![], removes: vec![ClientId(2)], now: 1 });
    let epoch = trio.full.epoch();
    trio.advance(ClientId(1), epoch);
    trio.members = [0, 1, 3, 4, 5, 6].map(ClientId).to_vec();
    let full = trio.full.rejoin(ClientId(6), 1).unwrap();
    let shared = trio.shared.rejoin(ClientId(6), 1).unwrap();
    let counted = trio.counted.rejoin(ClientId(6), 1).unwrap();
    trio.accept(full.draft, shared.draft, counted.draft, true);
    assert_eq!(trio.full.leaf(ClientId(6)).map(|leaf| leaf.0), Some(2));
    let late = Order { by: ClientId(1), adds: vec![], removes: vec![ClientId(6)], now: 1 };
    let (full, shared) = (trio.full.commit(late.clone()), trio.shared.commit(late));
    let (full, shared) = (full.unwrap(), shared.unwrap());
    assert_eq!((full.epoch, full.cost), (shared.epoch, shared.cost));
    assert_eq!(full.epoch, epoch);
}

#[test]
fn groups_that_are_made_anew() {
    for seed in 0..SEEDS / 20 {
        let mut trio = Trio::new(11_000_000 + seed);
        trio.commit(3 + seed as usize % 11, 0);
        trio.begin_anew(14, 4 + seed as usize % 17);
    }
    for (number, strategy) in strategies().into_iter().enumerate().step_by(LARGER_STEP) {
        let mut trio = Trio::with(12_000_000 + number as u64, strategy);
        trio.commit(20, 0);
        trio.begin_anew(14, 40);
    }
}

/// Whoever lags does not know who is in the group, and whoever is out has nothing to say. A ReInit
/// that comes too late changes nothing.
#[test]
fn a_group_is_made_anew_from_its_newest_epoch() {
    let mut trio = Trio::new(13_000_000);
    trio.commit(4, 0);
    let epoch = trio.full.epoch();
    (1..5).for_each(|client| trio.advance(ClientId(client), epoch));
    let (full, shared) = (trio.full.rebuild(ClientId(1), 1), trio.shared.rebuild(ClientId(1), 1));
    let (full, shared) = (full.unwrap(), shared.unwrap());
    trio.members = [0, 1, 3, 4].map(ClientId).to_vec();
    trio.commit_order(Order { by: ClientId(0), adds: vec![], removes: vec![ClientId(2)], now: 1 });
    for client in [1, 2].map(ClientId) {
        assert!(trio.full.rebuild(client, 1).is_err(), "{client}");
        assert!(trio.shared.rebuild(client, 1).is_err(), "{client}");
    }
    let stale = |told: String| assert!(told.contains("was accepted in epoch 2"), "{told}");
    stale(trio.full.accept(full.draft, &[]).unwrap_err().to_string());
    stale(trio.shared.accept(shared.draft, &[]).unwrap_err().to_string());
    trio.end();
}

/// All ways to move at once, each commit moving its sender if it can.
#[test]
fn members_that_scoot_over() {
    let scoot_over = Strategy { compaction: Compaction::ScootOver, ..Strategy::default() };
    for seed in 0..SEEDS / 10 {
        let mut trio = Trio::with(10_000_000 + seed, scoot_over);
        trio.commit(3 + seed as usize % 11, 0);
        trio.propose_and_commit(14, 4 + seed as usize % 17);
    }
}

/// A committer takes the leftmost blank leaf, before those it adds and in the place of one that it
/// removes; it is found where it stood by whoever lags, and where it stands by all others.
#[test]
fn a_committer_scoots_over() {
    let scoot_over = Strategy { compaction: Compaction::ScootOver, ..Strategy::default() };
    let mut trio = Trio::with(9_000_000, scoot_over);
    trio.commit(6, 0);
    let order = |by, adds: &[u32], removes: &[u32]| {
        let of = |clients: &[u32]| clients.iter().copied().map(ClientId).collect();
        Order { by: ClientId(by), adds: of(adds), removes: of(removes), now: 1 }
    };
    let leaf = |trio: &Trio, client| trio.full.leaf(ClientId(client)).map(|leaf| leaf.0);
    trio.members = [0, 1, 3, 4, 5, 6].map(ClientId).to_vec();
    trio.commit_order(order(0, &[], &[2]));
    assert_eq!(leaf(&trio, 0), Some(0), "nothing is left of it");
    let epoch = trio.full.epoch();
    trio.advance(ClientId(1), epoch);
    trio.advance(ClientId(6), epoch);
    trio.commit_order(order(6, &[], &[]));
    assert_eq!((leaf(&trio, 6), trio.full.tree().width), (Some(2), 8));
    // Whoever is still in the epoch before removes it from where it stood then.
    let late = order(1, &[], &[6]);
    let (full, shared) = (trio.full.commit(late.clone()), trio.shared.commit(late));
    let (full, shared) = (full.unwrap(), shared.unwrap());
    assert_eq!((full.epoch, full.cost), (epoch, shared.cost));
    // The mover takes the leaf of one it removes; the newcomer gets the next blank one.
    trio.register(ClientId(7));
    trio.advance(ClientId(5), epoch + 1);
    trio.members = [0, 3, 4, 5, 6].map(ClientId).to_vec();
    trio.commit_order(order(5, &[7], &[1]));
    assert_eq!([5, 7, 6].map(|client| leaf(&trio, client)), [Some(1), Some(5), Some(2)]);
    // When the rightmost have moved, the tree halves.
    trio.members = [0, 5, 6, 7].map(ClientId).to_vec();
    trio.advance(ClientId(6), epoch + 2);
    trio.commit_order(order(6, &[], &[3, 4]));
    assert_eq!(trio.full.tree().width, 8);
    trio.advance(ClientId(7), epoch + 3);
    trio.commit_order(order(7, &[], &[]));
    assert_eq!((leaf(&trio, 7), trio.full.tree().width), (Some(3), 4));
    assert_eq!(trio.full.tree().path_cost, 4 * 2, "every parent is keyed");
    trio.end();
}

/// Every strategy that makes sense: all values of all choices together.
fn strategies() -> Vec<Strategy> {
    let layouts = [
        Layout::Perfect,
        Layout::LeftBalanced,
        Layout::Ary(3),
        Layout::Ary(4),
        Layout::BTree { least: 2, most: 3 },
        Layout::BTree { least: 3, most: 6 },
        Layout::LeftLeaning,
        Layout::WeightBalanced(70),
        Layout::Scapegoat(70),
        Layout::Weighted,
    ];
    let mut all = vec![];
    for placement in Placement::ALL {
        for layout in layouts {
            for removal in Removal::ALL {
                for compaction in Compaction::ALL {
                    for (unmerged, filtered) in
                        [(true, true), (true, false), (false, true), (false, false)]
                    {
                        all.push(Strategy {
                            placement,
                            removal,
                            layout,
                            compaction,
                            unmerged,
                            filtered,
                        });
                    }
                }
            }
        }
    }
    all.retain(|strategy| strategy.check().is_ok());
    all
}

#[test]
fn small_groups_under_every_strategy() {
    let strategies = strategies();
    // Unmerged leaves: two removals, filtered or not. None: one removal, and no `cheapest`. Moving
    // goes with one placement.
    let indexed = 4 * 2 * (6 * 2 * 2 + 5 * 2) + 4 * (2 * 2 + 2);
    // Free trees have no choice of a filter. Search trees have three placements, those by activity one;
    // the smallest tree and splices of degree 2 have two, or one without unmerged leaves.
    let (search, weighted) = (5 * 3 * (2 + 1), 2 + 1);
    let (splice, smallest, pop) = (2 + 1 + 2 * 2, 2 * 2 + 1, 2 + 1);
    // Tainted: one layout, four placements, nobody unmerged, no filter.
    let tainted = 4 * 2;
    let free = search + weighted + splice + smallest + pop;
    assert_eq!(strategies.len(), indexed + free + tainted);
    for (number, strategy) in strategies.into_iter().enumerate() {
        for seed in 0..STRATEGY_SEEDS {
            let mut trio = Trio::with(2_000_000 + seed * 1_000 + number as u64, strategy);
            trio.live(14, 5 + (seed as usize + number) % 16);
        }
    }
}

#[test]
fn groups_of_up_to_64_under_every_strategy() {
    for (number, strategy) in strategies().into_iter().enumerate().step_by(LARGER_STEP) {
        let mut trio = Trio::with(3_000_000 + number as u64, strategy);
        trio.commit(30, 0);
        trio.live(20, 64);
    }
}

/// Tainting on its own: larger groups, and everything that may happen to its trees in turn.
#[test]
fn tainted_groups_over_many_seeds() {
    let tainted: Vec<_> = strategies().into_iter().filter(Strategy::taints).collect();
    for seed in 0..SEEDS / 20 {
        let strategy = tainted[seed as usize % tainted.len()];
        let mut trio = Trio::with(9_000_000 + seed, strategy);
        trio.commit(1 + seed as usize % 17, 0);
        match seed % 4 {
            0 => trio.live(20, 4 + seed as usize % 29),
            1 => trio.move_about(16, 4 + seed as usize % 17),
            2 => trio.begin_anew(16, 4 + seed as usize % 17),
            _ => trio.propose_and_commit(16, 4 + seed as usize % 17),
        }
    }
}

/// Without a filter a parent over nobody but its committer's side is keyed, and truncation may cut it.
#[test]
fn keys_that_are_cut_off_leave_the_roster() {
    let mut trio = Trio::with(1, Strategy { filtered: false, ..Strategy::default() });
    trio.commit(4, 0);
    trio.members = [0, 1].map(ClientId).to_vec();
    for removes in [&[2, 3][..], &[4]] {
        let epoch = trio.full.epoch();
        trio.advance(ClientId(0), epoch);
        trio.advance(ClientId(1), epoch);
        let removes = removes.iter().copied().map(ClientId).collect();
        trio.commit_order(Order { by: ClientId(0), adds: vec![], removes, now: 1 });
    }
    assert_eq!(trio.full.tree().width, 2);
    trio.go_on_from_the_wire(ClientId(1));
}

/// Groups under each strategy.
const STRATEGY_SEEDS: u64 = if cfg!(debug_assertions) { 1 } else { 20 };

/// From one strategy to the next with a larger group.
const LARGER_STEP: usize = if cfg!(debug_assertions) { 9 } else { 1 };

/// Thousands where the build is optimised; as many as a quick look takes otherwise.
const SEEDS: u64 = if cfg!(debug_assertions) { 2_000 } else { 10_000 };
