//! Three fidelities side by side, and copies of the same states in each.

use arboretum_engine::crypto::CountingProvider;
use arboretum_engine::protocol::{
    ClientId, Copied, CopyId, Draft, FullTreeKem, MessageId, Order, Protocol, SharedTreeKem,
};
use arboretum_engine::strategy::Strategy;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::seeds::TestSeeds;

use crate::remembering::REMEMBERING;

/// What has happened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) copies: u64,
    pub(crate) healed: u64,
    /// Copies that were healed from, and lead to an epoch again.
    pub(crate) reopened: u64,
    /// Commits and proposals that were on their way when their senders were copied.
    pub(crate) drafts: u64,
    pub(crate) proposals: u64,
    /// Copies of clients that lagged.
    pub(crate) lagging: u64,
    /// Times that a copy knew keys of the tree and not the epoch.
    pub(crate) half: u64,
    pub(crate) replaced: u64,
    /// Messages that a copy opened.
    pub(crate) reads: u64,
    pub(crate) ghosts: u64,
    /// Copies of ghosts that had asked for shares.
    pub(crate) asking: u64,
}

impl std::ops::AddAssign for Seen {
    fn add_assign(&mut self, other: Self) {
        self.copies += other.copies;
        self.healed += other.healed;
        self.reopened += other.reopened;
        self.drafts += other.drafts;
        self.proposals += other.proposals;
        self.lagging += other.lagging;
        self.half += other.half;
        self.replaced += other.replaced;
        self.reads += other.reads;
        self.ghosts += other.ghosts;
        self.asking += other.asking;
    }
}

/// A commit in each of the three.
pub(crate) struct Drafts(Draft, Draft, Draft);

pub(crate) struct Lab {
    pub(crate) full: FullTreeKem<TestSeeds>,
    pub(crate) shared: SharedTreeKem<TestSeeds>,
    counted: SharedTreeKem<TestSeeds>,
    members: Vec<ClientId>,
    outside: Vec<ClientId>,
    next: u32,
    copies: Vec<(CopyId, bool)>,
    messages: Vec<MessageId>,
    quarantine: bool,
    strategy: Strategy,
    rng: ChaCha20Rng,
    pub(crate) seen: Seen,
}

impl Lab {
    pub(crate) fn new(seed: u64, strategy: Strategy) -> Self {
        Self::made(seed, strategy, false)
    }

    pub(crate) fn with_ghosts(seed: u64) -> Self {
        Self::made(seed, Strategy::RFC9420, true)
    }

    fn made(seed: u64, strategy: Strategy, quarantine: bool) -> Self {
        let seeds = TestSeeds(seed);
        let mut full = FullTreeKem::new(&REMEMBERING, seeds, strategy);
        let mut shared = SharedTreeKem::new(&REMEMBERING, seeds, strategy).unwrap();
        let mut counted = SharedTreeKem::new(&CountingProvider, seeds, strategy).unwrap();
        if quarantine {
            full = full.with_quarantine();
            shared = shared.with_quarantine();
            counted = counted.with_quarantine();
        }
        let mut lab = Self {
            full,
            shared,
            counted,
            members: vec![ClientId(0)],
            outside: vec![],
            next: 1,
            copies: vec![],
            messages: vec![],
            quarantine,
            strategy,
            rng: ChaCha20Rng::seed_from_u64(seed),
            seen: Seen::default(),
        };
        lab.register(ClientId(0));
        lab.all(|protocol| protocol.create(ClientId(0)).unwrap());
        lab
    }

    fn all<T: PartialEq + std::fmt::Debug>(
        &mut self,
        mut work: impl FnMut(&mut dyn Protocol) -> T,
    ) -> T {
        let full = work(&mut self.full);
        assert_eq!(full, work(&mut self.shared), "shared");
        assert_eq!(full, work(&mut self.counted), "counted");
        full
    }

    fn register(&mut self, client: ClientId) {
        self.all(|protocol| protocol.register(client, 3).unwrap());
    }

    pub(crate) fn publish(&mut self, client: ClientId, packages: u32) {
        self.all(|protocol| protocol.publish(client, packages).unwrap());
    }

    pub(crate) fn forward(&mut self, client: ClientId) {
        self.all(|protocol| protocol.advance(client, protocol.epoch()).unwrap().removed);
    }

    pub(crate) fn lose(&mut self, client: ClientId) {
        self.forward(client);
        self.all(|protocol| protocol.lose_state(client).unwrap());
    }

    fn drafts(&mut self, mut make: impl FnMut(&mut dyn Protocol) -> Draft) -> Drafts {
        Drafts(make(&mut self.full), make(&mut self.shared), make(&mut self.counted))
    }

    pub(crate) fn draft(
        &mut self,
        by: ClientId,
        adds: &[ClientId],
        removes: &[ClientId],
    ) -> Drafts {
        self.draft_with(by, adds, removes, &[])
    }

    fn draft_with(
        &mut self,
        by: ClientId,
        adds: &[ClientId],
        removes: &[ClientId],
        ghosts: &[ClientId],
    ) -> Drafts {
        for client in adds {
            if client.0 >= self.next {
                self.next = client.0 + 1;
                self.register(*client);
            }
        }
        self.forward(by);
        let order = Order { by, adds: adds.to_vec(), removes: removes.to_vec(), now: 1 };
        let quarantine = self.quarantine;
        self.drafts(|protocol| {
            let order = order.clone();
            if quarantine { protocol.quarantine(order, ghosts) } else { protocol.commit(order) }
                .unwrap()
        })
    }

    pub(crate) fn accept(&mut self, Drafts(full, shared, counted): Drafts) {
        let order = full.order.clone();
        let accepted = self.full.accept(full, &[]).unwrap();
        self.shared.accept(shared, &[]).unwrap();
        self.counted.accept(counted, &[]).unwrap();
        assert_eq!(accepted.epoch, self.shared.epoch());
        let stays = |it: &ClientId| !order.removes.contains(it) || order.adds.contains(it);
        let gone = self.members.iter().filter(|it| !stays(it)).copied();
        self.outside.extend(gone);
        self.members.retain(stays);
        self.outside.retain(|it| !order.adds.contains(it));
        for client in order.adds.iter().chain([&order.by]) {
            if !self.members.contains(client) {
                self.members.push(*client);
            }
        }
        for at in 0..self.copies.len() {
            let (copy, knew) = self.copies[at];
            let Copied { knows_epoch, keys_in_tree, .. } = self.copied(copy);
            self.seen.healed += u64::from(knew && !knows_epoch);
            self.seen.reopened += u64::from(!knew && knows_epoch);
            self.seen.half += u64::from(!knows_epoch && keys_in_tree > 0);
            self.copies[at].1 = knows_epoch;
        }
    }

    pub(crate) fn commit(&mut self, by: ClientId, adds: &[ClientId], removes: &[ClientId]) {
        let drafts = self.draft(by, adds, removes);
        self.accept(drafts);
    }

    pub(crate) fn rejoin(&mut self, client: ClientId) {
        let drafts = self.drafts(|protocol| protocol.rejoin(client, 1).unwrap().draft);
        self.accept(drafts);
    }

    pub(crate) fn rebuild(&mut self, by: ClientId) {
        self.forward(by);
        let drafts = self.drafts(|protocol| protocol.rebuild(by, 1).unwrap().draft);
        self.accept(drafts);
        self.seen.replaced += 1;
    }

    /// Whether it could: once an epoch.
    pub(crate) fn propose(&mut self, client: ClientId) -> bool {
        self.forward(client);
        let paths = self.strategy.concurrent && self.below(3) > 0;
        self.all(|protocol| {
            if paths { protocol.propose_path(client) } else { protocol.propose_update(client) }
                .is_ok()
        })
    }

    pub(crate) fn copy(&mut self, client: ClientId) -> CopyId {
        let copy = self.all(|protocol| protocol.copy_state(client, &[]).unwrap());
        self.note(copy)
    }

    pub(crate) fn copy_with(&mut self, client: ClientId, drafts: &Drafts) -> CopyId {
        let Drafts(full, shared, counted) = drafts;
        let copy = self.full.copy_state(client, &[full]).unwrap();
        assert_eq!(copy, self.shared.copy_state(client, &[shared]).unwrap());
        assert_eq!(copy, self.counted.copy_state(client, &[counted]).unwrap());
        self.seen.drafts += 1;
        self.note(copy)
    }

    fn note(&mut self, copy: CopyId) -> CopyId {
        self.seen.copies += 1;
        let knows = self.copied(copy).knows_epoch;
        self.copies.push((copy, knows));
        copy
    }

    pub(crate) fn copied(&self, copy: CopyId) -> Copied {
        let full = self.full.copied(copy).unwrap();
        assert_eq!(Some(full), self.shared.copied(copy), "{copy:?}");
        assert_eq!(Some(full), self.counted.copied(copy), "{copy:?}");
        full
    }

    pub(crate) fn send(&mut self, sender: ClientId) -> MessageId {
        let message = self.all(|protocol| protocol.send(sender, b"text").unwrap().message);
        self.messages.push(message);
        message
    }

    /// A client receives a message.
    pub(crate) fn read(&mut self, client: ClientId, message: MessageId) {
        self.all(|protocol| protocol.receive(client, message).unwrap().reading);
    }

    pub(crate) fn reads(&self, copy: CopyId, message: MessageId) -> bool {
        let full = self.full.copy_reads(copy, message).unwrap();
        assert_eq!(full, self.shared.copy_reads(copy, message).unwrap(), "{copy:?} {message:?}");
        assert_eq!(full, self.counted.copy_reads(copy, message).unwrap(), "{copy:?} {message:?}");
        full
    }

    fn below(&mut self, n: usize) -> usize {
        (self.rng.next_u64() % n as u64) as usize
    }

    fn somebody(&mut self) -> ClientId {
        let at = self.below(self.members.len());
        self.members[at]
    }

    /// A member that is no ghost without its keys.
    fn somebody_able(&mut self) -> ClientId {
        loop {
            let client = self.somebody();
            if self.full.ghost(client).is_none_or(|ghost| ghost.recovered) {
                return client;
            }
        }
    }

    /// Random operations, copies, and messages.
    pub(crate) fn live(&mut self, steps: usize, largest: usize) {
        let first = if self.quarantine { 12 } else { 6 };
        self.commit(ClientId(0), &(1..first).map(ClientId).collect::<Vec<_>>(), &[]);
        for _ in 0..steps {
            self.copy_somebody();
            self.say();
            match self.below(10) {
                0 if !self.quarantine => {
                    let client = self.somebody();
                    self.rejoin(client);
                }
                1 if !self.quarantine => {
                    let by = self.somebody();
                    self.rebuild(by);
                }
                2 | 3 => {
                    let client = self.somebody_able();
                    let proposed = !self.quarantine && self.propose(client);
                    if proposed && self.below(2) == 0 {
                        self.copy(client);
                        self.seen.proposals += 1;
                    }
                    self.change(largest);
                }
                4 if self.quarantine => self.ask(),
                _ => self.change(largest),
            }
            if self.below(3) == 0 {
                let client = self.somebody();
                self.publish(client, 1);
            }
            self.come_forward();
        }
    }

    fn copy_somebody(&mut self) {
        if self.below(4) == 0 {
            let client = self.somebody();
            let lags = self.full.view(client).is_none_or(|view| view < self.full.epoch());
            let ghost = self.full.ghost(client).filter(|ghost| !ghost.recovered);
            self.seen.lagging += u64::from(lags);
            self.seen.ghosts += u64::from(ghost.is_some());
            self.seen.asking += u64::from(ghost.is_some_and(|ghost| ghost.asked));
            self.copy(client);
        }
    }

    fn say(&mut self) {
        let sender = self.somebody();
        if self.full.view(sender).is_none() {
            return;
        }
        let message = self.send(sender);
        for reader in self.members.clone() {
            let at = self.full.view(reader);
            if at >= self.full.view(sender) && self.below(2) == 0 {
                self.read(reader, message);
            }
        }
        for (copy, _) in self.copies.clone() {
            for at in self.messages.len().saturating_sub(6)..self.messages.len() {
                self.seen.reads += u64::from(self.reads(copy, self.messages[at]));
            }
        }
    }

    fn change(&mut self, largest: usize) {
        let by = self.somebody_able();
        let (mut adds, mut removes) = (vec![], vec![]);
        for _ in 0..self.below(3) {
            let client = self.somebody();
            if client != by && !removes.contains(&client) {
                removes.push(client);
            }
        }
        // Some come back, at once or later.
        if !self.quarantine && self.below(3) == 0 {
            adds.extend(removes.first());
        }
        if self.below(2) == 0
            && let Some(client) = self.outside.pop()
        {
            adds.push(client);
        } else if self.members.len() < largest {
            adds.push(ClientId(self.next));
        }
        let mut ghosts = vec![];
        // Holders must be found for those who are ghosts already.
        let holders = self.members.iter().filter(|it| self.full.ghost(**it).is_none()).count();
        if self.quarantine && holders < 8 {
            removes.clear();
        }
        if self.quarantine && holders >= 8 && self.below(2) == 0 {
            let ghost = self.somebody();
            if ghost != by && !removes.contains(&ghost) {
                ghosts.push(ghost);
            }
        }
        let drafts = self.draft_with(by, &adds, &removes, &ghosts);
        match self.below(6) {
            0 => {
                self.copy_with(by, &drafts);
                self.accept(drafts);
            }
            1 => {
                // It loses the race.
                self.copy_with(by, &drafts);
                let other = self.somebody_able();
                self.commit(other, &[], &[]);
            }
            _ => self.accept(drafts),
        }
    }

    /// A ghost asks for shares, may be copied, and may find its keys.
    fn ask(&mut self) {
        let Some(ghost) = self.full.ghosts().into_iter().next() else { return };
        self.forward(ghost);
        if self.full.ghost(ghost).is_none_or(|it| it.recovered) {
            return;
        }
        self.all(|protocol| protocol.ask_shares(ghost).unwrap());
        if self.below(2) == 0 {
            self.copy(ghost);
            self.seen.asking += 1;
        }
        let helpers = self.full.helpers(ghost);
        helpers.iter().for_each(|helper| self.forward(*helper));
        let able: Vec<_> =
            helpers.into_iter().filter(|it| self.full.holds_shares(*it, ghost)).collect();
        if self.full.is_quorum(ghost, &able) && self.below(3) > 0 {
            for helper in able {
                self.all(|protocol| protocol.give_shares(helper, ghost).unwrap());
            }
            self.all(|protocol| protocol.recover(ghost).unwrap());
            for at in 0..self.copies.len() {
                let (copy, _) = self.copies[at];
                self.copies[at].1 = self.copied(copy).knows_epoch;
            }
            self.commit(ghost, &[], &[]);
        }
    }

    fn come_forward(&mut self) {
        for client in self.members.clone() {
            if self.below(3) == 0 {
                self.forward(client);
            }
        }
    }
}
