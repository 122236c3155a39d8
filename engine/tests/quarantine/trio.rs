//! Three fidelities side by side with a group in counts, in which members fall silent, are quarantined,
//! come back, or do not.

use arboretum_engine::counted::{CountedGroup, Member as Counted, PathSizes};
use arboretum_engine::crypto::{CountingProvider, Crypto, Provider, RealProvider};
use arboretum_engine::group::{Followed, Member};
use arboretum_engine::protocol::{ClientId, Draft, FullTreeKem, Order, Protocol, SharedTreeKem};
use arboretum_engine::strategy::Strategy;
use arboretum_engine::treesync::Roster;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::seeds::TestSeeds;

type Full = FullTreeKem<TestSeeds>;
type Shared = SharedTreeKem<TestSeeds>;
type Drafts = (Draft, Draft, Draft);

/// What has become of ghosts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) made: u64,
    pub(crate) renewed: u64,
    pub(crate) recovered: u64,
    pub(crate) entered: u64,
    pub(crate) removed: u64,
    /// Ghosts that lagged before they became one.
    pub(crate) lagging: u64,
}

impl std::ops::AddAssign for Seen {
    fn add_assign(&mut self, other: Self) {
        self.made += other.made;
        self.renewed += other.renewed;
        self.recovered += other.recovered;
        self.entered += other.entered;
        self.removed += other.removed;
        self.lagging += other.lagging;
    }
}

pub(crate) struct Trio {
    pub(crate) full: Full,
    pub(crate) shared: Shared,
    pub(crate) counted: Shared,
    counts: CountedGroup,
    sizes: PathSizes,
    pub(crate) members: Vec<ClientId>,
    proposed: Vec<ClientId>,
    next: u32,
    rng: ChaCha20Rng,
    pub(crate) seen: Seen,
}

impl Trio {
    pub(crate) fn new(seed: u64, strategy: Strategy) -> Self {
        let seeds = TestSeeds(seed);
        let real: &'static dyn Provider = &RealProvider;
        let sizes = PathSizes::of(&RealProvider).unwrap();
        let counting = SharedTreeKem::new(&CountingProvider, seeds, strategy).unwrap();
        let mut trio = Self {
            full: FullTreeKem::new(real, seeds, strategy).with_quarantine(),
            shared: SharedTreeKem::new(real, seeds, strategy).unwrap().with_quarantine(),
            counted: counting.with_quarantine(),
            counts: CountedGroup::new(strategy, sizes, 0, false).unwrap(),
            sizes,
            members: vec![ClientId(0)],
            proposed: vec![],
            next: 1,
            rng: ChaCha20Rng::seed_from_u64(seed),
            seen: Seen::default(),
        };
        trio.counts.add(Counted(0), Counted(0)).unwrap();
        trio.shared.keep_log();
        trio.register(ClientId(0));
        trio.full.create(ClientId(0)).unwrap();
        trio.shared.create(ClientId(0)).unwrap();
        trio.counted.create(ClientId(0)).unwrap();
        trio
    }

    fn below(&mut self, n: usize) -> usize {
        (self.rng.next_u64() % n as u64) as usize
    }

    fn register(&mut self, client: ClientId) {
        let full = self.full.register(client, 2).unwrap();
        assert_eq!(full, self.shared.register(client, 2).unwrap());
        assert_eq!(full, self.counted.register(client, 2).unwrap());
    }

    /// Whether a member can go on by itself.
    fn is_able(&self, client: ClientId) -> bool {
        self.full.ghost(client).is_none_or(|ghost| ghost.recovered)
    }

    fn able(&self) -> Vec<ClientId> {
        self.members.iter().copied().filter(|it| self.is_able(*it)).collect()
    }

    fn anybody(&mut self) -> ClientId {
        let able = self.able();
        able[self.below(able.len())]
    }

    pub(crate) fn advance(&mut self, client: ClientId, to: u64) {
        let full = self.full.advance(client, to).unwrap();
        assert_eq!(full, self.shared.advance(client, to).unwrap(), "{client} to epoch {to}");
        assert_eq!(full, self.counted.advance(client, to).unwrap(), "{client}, counted");
        self.compare(client);
    }

    /// What a client has by itself is what `shared` says that it has.
    fn compare(&self, client: ClientId) {
        assert_eq!(self.full.view(client), self.shared.view(client), "{client}");
        assert_eq!(self.full.view(client), self.counted.view(client), "{client}");
        if let Some(member) = self.full.member(client) {
            let authenticator = Some(member.secrets.epoch_authenticator.clone());
            assert_eq!(authenticator, self.shared.epoch_authenticator(client));
            let (materialised, _) = self.shared.materialise(client).unwrap();
            assert_eq!(materialised.keys, member.keys, "{client} materialised");
            assert_eq!(materialised.public.context, member.public.context);
        }
    }

    /// Random changes by a random member.
    pub(crate) fn commit(&mut self, adds: usize, removes: usize, ghosts: usize) {
        let by = self.anybody();
        let mut others: Vec<ClientId> =
            self.members.iter().copied().filter(|it| *it != by).collect();
        let mut drawn = |count: usize, rng: &mut ChaCha20Rng| {
            let count = count.min(others.len());
            let draw = |_| others.swap_remove((rng.next_u64() % others.len() as u64) as usize);
            (0..count).map(draw).collect::<Vec<_>>()
        };
        let removed = drawn(removes, &mut self.rng);
        let silent = drawn(ghosts, &mut self.rng);
        // Holders must be found for those who are ghosts already.
        let may_hold = |it: &&ClientId| {
            let busy = removed.contains(it) || silent.contains(it) || self.proposed.contains(it);
            !busy && **it != by && self.full.ghost(**it).is_none()
        };
        let enough = self.members.iter().filter(may_hold).count() >= 3;
        let (removed, silent) = if enough { (removed, silent) } else { (vec![], vec![]) };
        let added: Vec<_> = (self.next..self.next + adds as u32).map(ClientId).collect();
        self.next += adds as u32;
        added.iter().for_each(|client| self.register(*client));
        self.commit_by(by, &added, &removed, &silent);
        for client in removed {
            if self.below(2) == 0 {
                self.advance(client, self.full.epoch());
                assert_eq!(self.shared.view(client), None, "{client} knows that it is out");
            }
        }
    }

    pub(crate) fn commit_by(
        &mut self,
        by: ClientId,
        adds: &[ClientId],
        removes: &[ClientId],
        ghosts: &[ClientId],
    ) {
        let epoch = self.full.epoch();
        self.advance(by, epoch);
        self.seen.removed +=
            removes.iter().filter(|it| self.full.ghost(**it).is_some()).count() as u64;
        for client in ghosts.iter().filter(|it| self.full.ghost(**it).is_none()) {
            self.seen.lagging += u64::from(self.full.view(*client) != Some(epoch));
        }
        let order = Order { by, adds: adds.to_vec(), removes: removes.to_vec(), now: 1 };
        let full = self.full.quarantine(order.clone(), ghosts).unwrap();
        let shared = self.shared.quarantine(order.clone(), ghosts).unwrap();
        let counted = self.counted.quarantine(order, ghosts).unwrap();
        self.members.retain(|it| !removes.contains(it));
        self.accept((full, shared, counted), false);
        self.members.extend(adds);
    }

    fn accept(&mut self, (full, shared, counted): Drafts, enters: bool) {
        assert_eq!((full.cost, full.ledger, full.leaf), (shared.cost, shared.ledger, shared.leaf));
        assert_eq!((full.cost, full.ledger), (counted.cost, counted.ledger));
        let (order, cost) = (full.order.clone(), full.cost);
        let by = order.by;
        let audited: Vec<_> = self.able().into_iter().filter(|it| *it != by).take(3).collect();
        let full = self.full.accept(full, &[]).unwrap();
        let shared = self.shared.accept(shared, &audited).unwrap();
        let counted = self.counted.accept(counted, &audited).unwrap();
        assert_eq!(full.receiver, shared.receiver);
        assert_eq!(full.receiver, counted.receiver);
        assert_eq!(full.tree_bytes, shared.tree_bytes);
        // Whoever the commit shuts out cannot be audited.
        let epoch = full.epoch;
        let shut_out = |it: &&ClientId| self.full.ghost(**it).is_some_and(|it| it.renewed == epoch);
        let followed = audited.len() - audited.iter().filter(shut_out).count();
        assert_eq!((shared.audits, counted.audits), (followed as u32, followed as u32));
        assert_eq!(self.full.commit_message(epoch), self.shared.commit_message(epoch));
        assert_eq!(self.full.tree(), self.shared.tree());
        assert_eq!(self.full.tree(), self.counted.tree());
        assert_eq!(self.full.tree_hash(), self.shared.tree_hash());
        let ghosts = self.full.ghosts();
        assert_eq!(ghosts, self.shared.ghosts());
        assert_eq!(ghosts, self.counted.ghosts());
        let mut made = vec![];
        for ghost in ghosts {
            let told = self.full.ghost(ghost).unwrap();
            assert_eq!(Some(&told), self.shared.ghost(ghost).as_ref());
            assert_eq!(Some(&told), self.counted.ghost(ghost).as_ref());
            if told.renewed == epoch {
                made.push(ghost);
                self.seen.made += u64::from(told.keys == 1);
                self.seen.renewed += u64::from(told.keys > 1);
            }
        }
        self.count(&order, enters, &made, cost.ciphertexts, cost.public_keys);
        let bytes = cost.bytes_path_keys + cost.bytes_path_ciphertexts;
        let (keys, texts) = (self.sizes.public_key, self.sizes.ciphertext);
        assert!(bytes >= cost.public_keys * keys + cost.ciphertexts * texts);
    }

    /// The same commit in counts.
    fn count(&mut self, order: &Order, enters: bool, made: &[ClientId], texts: u64, keys: u64) {
        let group = &mut self.counts;
        let by = Counted(order.by.0);
        let mut updated = std::mem::take(&mut self.proposed);
        updated.retain(|it| {
            !enters && *it != order.by && !order.removes.contains(it) && !made.contains(it)
        });
        updated.iter().chain(made).for_each(|it| group.update(Counted(it.0)).unwrap());
        if enters {
            group.remove(by).unwrap();
            group.add(by, by).unwrap();
        }
        let removes: Vec<_> = order.removes.iter().map(|it| Counted(it.0)).collect();
        group.remove_all(&removes).unwrap();
        order.adds.iter().for_each(|it| group.add(by, Counted(it.0)).unwrap());
        let cost = group.commit(by).unwrap();
        assert_eq!((cost.ciphertexts, cost.public_keys), (texts, keys), "{order:?} {made:?}");
        assert_eq!(self.full.tree(), *group.tree());
    }

    /// A ghost asks, holders answer until they are a quorum, and it goes on; also as a member of its own.
    pub(crate) fn recover(&mut self, ghost: ClientId) {
        let epoch = self.full.epoch();
        self.advance(ghost, epoch);
        let (mut alone, mut roster) = self.shared.materialise(ghost).unwrap();
        let full = self.full.ask_shares(ghost).unwrap();
        assert_eq!(full, self.shared.ask_shares(ghost).unwrap());
        assert_eq!(full, self.counted.ask_shares(ghost).unwrap());
        let helpers = self.full.helpers(ghost);
        assert_eq!(helpers, self.shared.helpers(ghost));
        for holder in helpers {
            if self.full.is_quorum(ghost, &[]) || !self.is_able(holder) {
                continue;
            }
            self.advance(holder, epoch);
            let full = self.full.give_shares(holder, ghost).unwrap();
            assert_eq!(full, self.shared.give_shares(holder, ghost).unwrap(), "{holder}");
            assert_eq!(full, self.counted.give_shares(holder, ghost).unwrap(), "{holder}");
        }
        if !self.full.is_quorum(ghost, &[]) {
            return self.enter_anew(ghost);
        }
        let full = self.full.recover(ghost).unwrap();
        assert_eq!(full, self.shared.recover(ghost).unwrap(), "{ghost}");
        assert_eq!(full, self.counted.recover(ghost).unwrap(), "{ghost}");
        self.compare(ghost);
        self.seen.recovered += 1;
        follow_alone(&self.shared, ghost, &mut alone, &mut roster);
        assert_eq!(self.full.member(ghost).unwrap().keys, alone.keys);
    }

    /// A client enters anew by an external commit.
    pub(crate) fn enter_anew(&mut self, client: ClientId) {
        let full = self.full.rejoin(client, 1).unwrap();
        let shared = self.shared.rejoin(client, 1).unwrap();
        let counted = self.counted.rejoin(client, 1).unwrap();
        assert_eq!((full.fetched, full.published), (shared.fetched, shared.published));
        self.accept((full.draft, shared.draft, counted.draft), true);
        self.seen.entered += 1;
        assert_eq!(self.full.ghost(client), None);
    }

    /// Random operations, after each of which some members come forward and some stay behind.
    pub(crate) fn live(&mut self, commits: usize, largest: usize) {
        for _ in 0..commits {
            for _ in 0..self.below(3) {
                self.propose();
            }
            let ghosts = self.full.ghosts();
            let (one, another) = (self.below(2), self.below(3));
            match self.below(8) {
                0 | 1 if !ghosts.is_empty() => {
                    let ghost = ghosts[self.below(ghosts.len())];
                    if !self.is_able(ghost) {
                        self.recover(ghost);
                    }
                    // It may take its time to commit, or propose an Update.
                    if self.full.ghost(ghost).is_some() && self.below(3) > 0 {
                        self.commit_by(ghost, &[], &[], &[]);
                    }
                }
                2 if !ghosts.is_empty() => {
                    let ghost = ghosts[self.below(ghosts.len())];
                    self.enter_anew(ghost);
                }
                3 => self.commit(0, 1 + one, 0),
                4 => self.commit(another.min(largest.saturating_sub(self.members.len())), 0, 1),
                5 => self.commit(0, 1, 1 + one),
                6 => self.commit(1, 0, 0),
                _ => self.commit(0, 0, 1 + another),
            }
            let epoch = self.full.epoch();
            for client in self.members.clone() {
                if self.below(3) == 0 {
                    let back = self.below(3) as u64;
                    self.advance(client, epoch.saturating_sub(back));
                }
            }
        }
        self.end();
    }

    fn propose(&mut self) {
        let client = self.anybody();
        self.advance(client, self.full.epoch());
        let full = self.full.propose_update(client);
        assert_eq!(full.as_ref().ok(), self.shared.propose_update(client).as_ref().ok());
        assert_eq!(full.as_ref().ok(), self.counted.propose_update(client).as_ref().ok());
        if full.is_ok() {
            self.proposed.push(client);
        }
    }

    pub(crate) fn end(&mut self) {
        let epoch = self.full.epoch();
        for client in self.members.clone() {
            self.advance(client, epoch);
            assert_eq!(self.full.view(client) == Some(epoch), self.is_able(client), "{client}");
        }
        self.shared.recount().unwrap();
        self.counted.recount().unwrap();
        assert!(self.counts.recount());
    }
}

/// Follows every commit from the wire.
fn follow_alone(shared: &Shared, client: ClientId, member: &mut Member, roster: &mut Roster) {
    let crypto = Crypto::new(&RealProvider);
    for epoch in member.epoch() + 1..=shared.epoch() {
        let message = shared.commit_message(epoch).unwrap();
        let holdings = shared.holdings(&crypto, client, member).unwrap();
        let received = &holdings.proposals;
        let transition = member.public.apply_with(&crypto, roster, received, message).unwrap();
        let followed = member.follow_with(&crypto, &transition, &holdings).unwrap();
        assert_eq!(followed, Followed::Advanced);
        roster.advance(&transition.roster_changes);
    }
    let expected = shared.epoch_authenticator(client);
    assert_eq!(Some(member.secrets.epoch_authenticator.clone()), expected);
}

/// Whether a stolen state opens no path of the commits from `epoch` on: every ciphertext is tried with
/// every key of it.
pub(crate) fn opens_nothing(trio: &Trio, stolen: &Member, epoch: u64) -> bool {
    let crypto = Crypto::new(&RealProvider);
    let mut public = stolen.public.clone();
    let mut roster = Roster::of(&public.tree).unwrap();
    let keys: Vec<_> = std::iter::once(stolen.keys.leaf()).chain(stolen.keys.parents()).collect();
    let mut tried = 0;
    for at in public.epoch() + 1..=trio.full.epoch() {
        let message = trio.full.commit_message(at).unwrap();
        let transition = public.apply(&crypto, &roster, message).unwrap();
        if at >= epoch {
            let path = transition.path.as_ref().unwrap();
            for (node, sent) in path.update_path.nodes.iter().enumerate() {
                for position in 0..sent.encrypted_path_secret.len() {
                    for key in &keys {
                        let context = &path.provisional_context;
                        let opened = path.update_path.open(&crypto, key, node, position, context);
                        tried += 1;
                        if opened.is_ok() {
                            return false;
                        }
                    }
                }
            }
        }
        roster.advance(&transition.roster_changes);
        public = transition.after;
    }
    tried > 0
}
