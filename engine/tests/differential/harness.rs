//! Three fidelities and a group in counts side by side, and what is done with them.

use arboretum_engine::counted::{Changes, Cost, CountedGroup, Member, PathSizes, TaintedGroup};
use arboretum_engine::crypto::{CountingProvider, Crypto, Op, Provider, RealProvider};
use arboretum_engine::group::{CommitCost, Followed};
use arboretum_engine::protocol::{ClientId, Draft, FullTreeKem, Order, Protocol, SharedTreeKem};
use arboretum_engine::strategy::{Compaction, Layout, Placement, Removal, Strategy};
use arboretum_engine::tree::Aggregates;
use arboretum_engine::treesync::Roster;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::seeds::TestSeeds;

use crate::remembering::REMEMBERING;

/// The group in counts that goes with a strategy.
pub(crate) enum Counts {
    TreeKem(CountedGroup),
    Tainted(TaintedGroup),
}

impl Counts {
    pub(crate) fn new(strategy: Strategy, creator: Member) -> Self {
        if strategy.taints() {
            return Self::Tainted(TaintedGroup::under(strategy, sizes(), creator).unwrap());
        }
        let mut group = CountedGroup::new(strategy, sizes(), 0, false).unwrap();
        group.add(creator, creator).unwrap();
        Self::TreeKem(group)
    }

    pub(crate) fn tree(&self) -> &Aggregates {
        match self {
            Self::TreeKem(group) => group.tree(),
            Self::Tainted(group) => group.tree(),
        }
    }

    pub(crate) fn upload(&self, member: Member) -> Cost {
        match self {
            Self::TreeKem(group) => group.upload(member).unwrap(),
            Self::Tainted(_) => Cost::default(),
        }
    }

    pub(crate) fn recount(&self) -> bool {
        match self {
            Self::TreeKem(group) => group.recount(),
            Self::Tainted(group) => group.recount(),
        }
    }

    pub(crate) fn commit(&mut self, by: Member, changes: &Changes, paths: &[Member]) -> Cost {
        match self {
            Self::TreeKem(group) => commit_in_counts(group, by, changes, paths),
            Self::Tainted(group) => group.commit(by, changes).unwrap(),
        }
    }
}

pub(crate) fn commit_in_counts(
    group: &mut CountedGroup,
    by: Member,
    changes: &Changes,
    paths: &[Member],
) -> Cost {
    let apart = paths.iter().map(|member| group.upload(*member).unwrap().ciphertexts).sum::<u64>();
    assert_eq!(group.merge_paths(paths).unwrap().ciphertexts, apart);
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
pub(crate) struct Trio {
    pub(crate) full: FullTreeKem<TestSeeds>,
    pub(crate) shared: SharedTreeKem<TestSeeds>,
    pub(crate) counted: SharedTreeKem<TestSeeds>,
    pub(crate) counts: Counts,
    pub(crate) members: Vec<ClientId>,
    /// Who has proposed in this epoch, and whether that was a whole path.
    pub(crate) proposed: Vec<(ClientId, bool)>,
    pub(crate) next: u32,
    pub(crate) strategy: Strategy,
    real: &'static dyn Provider,
    pub(crate) rng: ChaCha20Rng,
}

/// One group in so many asks the real provider for everything.
const FORGETFUL: u64 = 16;

pub(crate) fn sizes() -> PathSizes {
    PathSizes::of(&RealProvider).unwrap()
}

pub(crate) fn below(rng: &mut ChaCha20Rng, n: usize) -> usize {
    (rng.next_u64() % n as u64) as usize
}

impl Trio {
    pub(crate) fn new(seed: u64) -> Self {
        Self::with(seed, Strategy::default())
    }

    pub(crate) fn with(seed: u64, strategy: Strategy) -> Self {
        let seeds = TestSeeds(seed);
        // Now and then by the real one, which remembers nothing.
        let real: &'static dyn Provider =
            if seed.is_multiple_of(FORGETFUL) { &RealProvider } else { &REMEMBERING };
        let mut trio = Self {
            full: FullTreeKem::new(real, seeds, strategy),
            shared: SharedTreeKem::new(real, seeds, strategy).unwrap(),
            counted: SharedTreeKem::new(&CountingProvider, seeds, strategy).unwrap(),
            counts: Counts::new(strategy, Member(0)),
            members: vec![ClientId(0)],
            proposed: vec![],
            next: 1,
            strategy,
            real,
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

    pub(crate) fn register(&mut self, client: ClientId) {
        let full = self.full.register(client, 2).unwrap();
        assert_eq!(full, self.shared.register(client, 2).unwrap());
        assert_eq!(full, self.counted.register(client, 2).unwrap());
    }

    /// Brings one client forward in all three and compares what that took.
    pub(crate) fn advance(&mut self, client: ClientId, to: u64) {
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

    pub(crate) fn commit(&mut self, adds: usize, removes: usize) {
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

    pub(crate) fn commit_order(&mut self, order: Order) {
        let full = self.full.commit(order.clone()).unwrap();
        let shared = self.shared.commit(order.clone()).unwrap();
        let counted = self.counted.commit(order).unwrap();
        self.accept(full, shared, counted, false);
    }

    /// A random member, wherever it lags, gives up its leaf for another.
    pub(crate) fn rejoin(&mut self) {
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
    pub(crate) fn swap(&mut self, most: u32) {
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

    pub(crate) fn accept(&mut self, full: Draft, shared: Draft, counted: Draft, enters: bool) {
        assert_eq!((full.cost, full.ledger, full.leaf), (shared.cost, shared.ledger, shared.leaf));
        assert_eq!((full.cost, full.ledger), (counted.cost, counted.ledger));
        let CommitCost { ciphertexts, public_keys, .. } = full.cost;
        let bytes = full.cost.bytes_path_keys + full.cost.bytes_path_ciphertexts;
        let counts = self.count(&full.order, enters);
        let strategy = self.strategy;
        assert_eq!(counts, (ciphertexts, public_keys, bytes), "{strategy:?} {:?}", full.order);
        self.put_into_effect(full, shared, counted);
    }

    pub(crate) fn put_into_effect(&mut self, full: Draft, shared: Draft, counted: Draft) {
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
    pub(crate) fn rebuild(&mut self) {
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
        let cost = self.counts.commit(member, &changes, &[]);
        assert_eq!(cost.ciphertexts, 0, "a Welcome tells everybody");
        self.proposed.clear();
        self.put_into_effect(full.draft, shared.draft, counted.draft);
        assert_eq!(self.full.epoch(), epoch + 1);
    }

    /// The same commit in counts: ciphertexts, public keys, and bytes of both.
    pub(crate) fn count(&mut self, order: &Order, enters: bool) -> (u64, u64, u64) {
        let members =
            |clients: &[ClientId]| clients.iter().map(|client| Member(client.0)).collect();
        let mut renewed = std::mem::take(&mut self.proposed);
        renewed.retain(|(it, _)| !enters && *it != order.by && !order.removes.contains(it));
        let of = |whole: bool| -> Vec<Member> {
            let some = renewed.iter().filter(|(_, is_path)| *is_path == whole);
            some.map(|(client, _)| Member(client.0)).collect()
        };
        let changes = Changes {
            updates: of(false),
            removes: members(&order.removes),
            adds: members(&order.adds),
            moves: enters,
        };
        let cost = self.counts.commit(Member(order.by.0), &changes, &of(true));
        (cost.ciphertexts, cost.public_keys, sizes().bytes(&cost))
    }

    /// A client of `shared`, made a member of its own wherever it lags, goes on from the wire
    /// and arrives where everybody is.
    pub(crate) fn go_on_from_the_wire(&self, client: ClientId) {
        if self.shared.view(client).is_none() || self.shared.leaf(client).is_none() {
            return;
        }
        let crypto = Crypto::new(self.real);
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
    pub(crate) fn live(&mut self, commits: usize, largest: usize) {
        for _ in 0..commits {
            self.commit_something(largest);
            self.come_forward();
        }
        self.end();
    }

    /// The same, with members that move to other leaves.
    pub(crate) fn move_about(&mut self, commits: usize, largest: usize) {
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
    pub(crate) fn propose_and_commit(&mut self, commits: usize, largest: usize) {
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
    pub(crate) fn begin_anew(&mut self, commits: usize, largest: usize) {
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

    /// A random member proposes a fresh key, or a whole path, unless it has.
    pub(crate) fn propose(&mut self) {
        let client = self.members[below(&mut self.rng, self.members.len())];
        let epoch = self.full.epoch();
        self.advance(client, epoch);
        let whole = self.strategy.concurrent && below(&mut self.rng, 4) > 0;
        let (full, shared, counted) = if whole {
            let (full, shared) = (&mut self.full, &mut self.shared);
            let proposed = (full.propose_path(client), shared.propose_path(client));
            (proposed.0, proposed.1, self.counted.propose_path(client))
        } else {
            let (full, shared) = (&mut self.full, &mut self.shared);
            let proposed = (full.propose_update(client), shared.propose_update(client));
            (proposed.0, proposed.1, self.counted.propose_update(client))
        };
        assert_eq!(full.as_ref().ok(), shared.as_ref().ok());
        assert_eq!(full.as_ref().ok(), counted.as_ref().ok());
        let Ok(sent) = full else { return };
        if whole {
            let ciphertexts = sent.ledger.count(Op::KemEncapsulate);
            assert_eq!(self.counts.upload(Member(client.0)).ciphertexts, ciphertexts);
        }
        self.proposed.push((client, whole));
    }

    pub(crate) fn commit_something(&mut self, largest: usize) {
        let room = largest.saturating_sub(self.members.len());
        let (adds, removes) = match below(&mut self.rng, 6) {
            0 | 1 => (1 + below(&mut self.rng, 4), 0),
            2 => (0, 1 + below(&mut self.rng, 3)),
            3 => (1, 1),
            _ => (0, 0),
        };
        self.commit(adds.min(room), removes);
    }

    pub(crate) fn come_forward(&mut self) {
        let epoch = self.full.epoch();
        for client in self.members.clone() {
            if below(&mut self.rng, 3) == 0 {
                let back = below(&mut self.rng, 3) as u64;
                self.advance(client, epoch.saturating_sub(back));
            }
        }
    }

    pub(crate) fn end(&mut self) {
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

/// Every strategy that makes sense: all values of all choices together.
pub(crate) fn strategies() -> Vec<Strategy> {
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
                    for switches in 0..8 {
                        let on = |switch: u8| switches >> switch & 1 == 0;
                        let (unmerged, filtered, concurrent) = (on(0), on(1), !on(2));
                        all.push(Strategy {
                            placement,
                            removal,
                            layout,
                            compaction,
                            unmerged,
                            filtered,
                            concurrent,
                        });
                    }
                }
            }
        }
    }
    all.retain(|strategy| strategy.check().is_ok());
    all
}
