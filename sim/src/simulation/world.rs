//! The events put into effect: the one place where time moves.

use std::collections::BTreeSet;

use arboretum_engine::crypto::{Ledger, Op};
use arboretum_engine::protocol::{ClientId, Draft, Order, Protocol, ProtocolError};
use arboretum_results::{
    Audits, CatchUp, ClientHistogram, CommitRow, Event as EventRow, Invariants, Operations,
    Recorder, RejectedWork, TreeRow,
};
use arboretum_workloads::{Demand, Millis, RootSeed, Scenario, Sessions};

use super::authentication::AuthenticationService;
use super::clients::{Clients, Purpose, Standing};
use super::delivery::{DeliveryService, Reason, Requests};
use super::events::{Event, Queue};
use super::fault::Fault;
use super::policy::{
    UNIX_ZERO, batch_period, draw_committer, renews_after_message, renews_on_return,
};

/// What a run is told beside its scenario.
pub struct Settings<'r> {
    /// Members audited for each commit.
    pub audit: u32,
    /// Stop before this event, for looking at what led to a fault.
    pub stop_before_event: Option<u64>,
    /// Asked now and then whether to stop.
    pub should_stop: &'r dyn Fn() -> bool,
    /// Told now and then how far the run is.
    pub progress: &'r mut dyn FnMut(Progress),
}

/// How far a run is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Virtual time.
    pub now: Millis,
    /// Commits accepted.
    pub commits: u64,
    /// Members.
    pub members: u64,
    /// Members online.
    pub online: u64,
}

/// What a run came to, beside its records.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Whether it was stopped before the scenario's end.
    pub interrupted: bool,
    /// The virtual time reached.
    pub virtual_time: Millis,
    /// Clients that were ever members.
    pub members_ever: u64,
    /// Operations put into effect after the group was made.
    pub operations: Operations,
    /// Commits that lost the race.
    pub rejected: u64,
    /// What those had cost.
    pub rejected_work: RejectedWork,
    /// Work of all clients together.
    pub ops: Ledger,
    /// Audits.
    pub audits: Audits,
    /// Checks.
    pub invariants: Invariants,
    /// Adds that had to take a last-resort package.
    pub last_resort: u64,
    /// Totals of each client.
    pub clients: Vec<ClientHistogram>,
    /// Events put into effect.
    pub events: u64,
}

/// What is counted while the world runs.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) members_start: u64,
    ever: BTreeSet<ClientId>,
    operations: Operations,
    rejected: u64,
    rejected_work: RejectedWork,
    /// Commits rejected since the last one accepted.
    rejected_here: u32,
    audits: Audits,
    invariants: Invariants,
    leaves: u32,
    evictions: u32,
    batches: u64,
}

/// Everything there is in a run.
pub(super) struct World<'w, 's, P: Protocol> {
    pub(super) scenario: &'w Scenario,
    pub(super) demand: &'w Demand,
    pub(super) root_seed: RootSeed,
    pub(super) protocol: &'w mut P,
    pub(super) clients: Clients,
    pub(super) delivery: DeliveryService,
    pub(super) authentication: AuthenticationService,
    pub(super) now: Millis,
    pub(super) facts: Facts,
    settings: Settings<'s>,
    sessions: Vec<Option<Sessions<'w>>>,
    /// Commits on their way to the Delivery Service.
    drafts: Vec<(ClientId, Draft<P::Inner>)>,
    queue: Queue,
    end: Millis,
    batch_waiting: bool,
    events: u64,
}

/// Plays a scenario on a protocol.
pub fn run<P: Protocol>(
    scenario: &Scenario,
    demand: &Demand,
    protocol: &mut P,
    recorder: &mut dyn Recorder,
    settings: Settings<'_>,
) -> Result<Outcome, Fault> {
    let mut world = World::new(scenario, demand, protocol, settings);
    let played = world.start(recorder).and_then(|()| world.play(recorder));
    match played {
        Ok(interrupted) => Ok(world.outcome(interrupted)),
        Err(error) => Err(Fault::new(scenario.seed, world.events, world.now, &error)),
    }
}

impl<'w, 's, P: Protocol> World<'w, 's, P> {
    fn new(
        scenario: &'w Scenario,
        demand: &'w Demand,
        protocol: &'w mut P,
        settings: Settings<'s>,
    ) -> Self {
        let count = demand.people().len();
        Self {
            scenario,
            demand,
            root_seed: RootSeed::from_u64(scenario.seed),
            protocol,
            clients: Clients::new(count),
            delivery: DeliveryService::default(),
            authentication: AuthenticationService::default(),
            now: Millis(0),
            facts: Facts::default(),
            settings,
            sessions: std::iter::repeat_with(|| None).take(count).collect(),
            drafts: vec![],
            queue: Queue::default(),
            end: demand.duration(),
            batch_waiting: false,
            events: 0,
        }
    }

    pub(super) fn is_stopped(&self) -> bool {
        (self.settings.should_stop)()
    }

    pub(super) fn schedule(&mut self, at: Millis, event: Event) {
        if at <= self.end {
            self.queue.schedule(at, event);
        }
    }

    fn later(&self, delay: Millis) -> Millis {
        Millis(self.now.0 + delay.0)
    }

    /// Puts the people's own plans into the queue, then takes events out of it until the end.
    fn play(&mut self, recorder: &mut dyn Recorder) -> Result<bool, ProtocolError> {
        self.plan();
        self.snapshot(recorder)?;
        while let Some((at, event)) = self.queue.next() {
            if self.settings.stop_before_event == Some(self.events + 1) || self.is_stopped() {
                return Ok(true);
            }
            if at < self.now {
                return Err(ProtocolError::Check("virtual time ran back".into()));
            }
            self.now = at;
            self.events += 1;
            self.happen(event, recorder)?;
            if self.events.is_multiple_of(1_024) {
                self.tell_progress();
            }
        }
        self.now = self.end;
        self.snapshot(recorder)?;
        Ok(false)
    }

    fn tell_progress(&mut self) {
        (self.settings.progress)(Progress {
            now: self.now,
            commits: self.protocol.epoch(),
            members: self.protocol.tree().members.into(),
            online: self.clients.online().len() as u64,
        });
    }

    fn plan(&mut self) {
        let people: Vec<_> = self.demand.people().to_vec();
        for (number, person) in people.iter().enumerate() {
            let client = ClientId(number as u32);
            self.clients.get_mut(client).wants_in = true;
            if number >= self.demand.initial() {
                self.schedule(person.arrives, Event::Arrive(client));
            } else {
                self.begin_first_absence(client);
            }
            self.sessions[number] = Some(self.demand.sessions(number as u32));
            self.next_session(client);
            if let Some(at) = person.leaves {
                self.schedule(at, Event::Leave(client));
            }
            if let Some(at) = person.removed {
                self.schedule(at, Event::Remove(client));
            }
        }
        if let Some(period) = batch_period(&self.scenario.policy) {
            self.schedule(period, Event::Batch);
        }
        self.schedule(self.scenario.measure.snapshot_every, Event::Snapshot);
    }

    /// Schedules the next time that a client comes online, and its messages.
    fn next_session(&mut self, client: ClientId) {
        let Some(sessions) = &mut self.sessions[client.0 as usize] else { return };
        let Some(session) = sessions.next() else {
            self.sessions[client.0 as usize] = None;
            return;
        };
        self.schedule(session.online, Event::Online(client));
        self.schedule(session.offline, Event::Offline(client));
        if self.scenario.policy.update_every_messages.is_some() {
            for at in session.message_times() {
                self.schedule(at, Event::Message(client));
            }
        }
    }

    fn happen(&mut self, event: Event, recorder: &mut dyn Recorder) -> Result<(), ProtocolError> {
        match event {
            Event::Deliver(client) => self.deliver(client, recorder),
            Event::Fetch(client) => self.fetch(client),
            Event::Arrive(client) => self.arrive(client, recorder),
            Event::Online(client) => self.come_online(client, recorder),
            Event::Retry(client) | Event::Commit(client) => self.commit(client),
            Event::Message(client) => self.message(client),
            Event::Renew(client) => self.renew(client),
            Event::Leave(client) => self.leave(client),
            Event::Remove(client) => self.ask_remove(client, Reason::ByMember),
            Event::Evict(client, absence) => self.evict(client, absence),
            Event::Batch => self.batch_is_due(),
            Event::Offline(client) => self.go_offline(client, recorder),
            Event::Snapshot => {
                let next = self.later(self.scenario.measure.snapshot_every);
                self.schedule(next, Event::Snapshot);
                self.snapshot(recorder)
            }
        }
    }

    fn note(&self, recorder: &mut dyn Recorder, kind: &'static str, client: ClientId) {
        if recorder.wants_events() {
            recorder.event(EventRow {
                time_ms: self.now.0,
                kind: kind.into(),
                client: client.0,
                epoch: self.protocol.epoch(),
                detail: String::new(),
            });
        }
    }

    // People come and go.

    fn arrive(
        &mut self,
        client: ClientId,
        recorder: &mut dyn Recorder,
    ) -> Result<(), ProtocolError> {
        self.register(client)?;
        self.note(recorder, "register", client);
        self.ask_add(client)
    }

    fn ask_add(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        if !self.authentication.vouches_for(client) {
            return Err(ProtocolError::Check(format!("{client} has no credential")));
        }
        self.clients.get_mut(client).standing = Standing::Asked;
        self.delivery.ask_add(client);
        self.hand_out_if_immediate()
    }

    fn come_online(
        &mut self,
        client: ClientId,
        recorder: &mut dyn Recorder,
    ) -> Result<(), ProtocolError> {
        self.clients.get_mut(client).online = true;
        self.clients.settle(client);
        self.note(recorder, "online", client);
        let away = Millis(self.now.0 - self.clients.get(client).last_seen.0);
        if self.protocol.view(client).is_some() {
            let caught = self.bring_forward(client, self.protocol.epoch())?;
            recorder.catch_up(CatchUp {
                time_ms: self.now.0,
                client: client.0,
                away_ms: away.0,
                commits: caught.commits,
                bytes: caught.bytes,
                removed: caught.removed,
            });
            if caught.removed {
                return self.find_oneself_removed(client);
            }
        } else if self.clients.get(client).standing == Standing::Member {
            self.bring_forward(client, self.protocol.epoch())?;
        }
        if self.clients.get(client).standing == Standing::Member
            && renews_on_return(&self.scenario.policy, self.clients.get(client), self.now)
        {
            self.intend(client, Purpose::Renew)?;
        }
        // Requests may have been waiting for somebody to come online.
        self.hand_out_if_immediate()
    }

    /// Somebody who was evicted and comes back asks to be added again.
    fn find_oneself_removed(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        let entry = self.clients.get(client);
        if entry.wants_in && entry.standing == Standing::Outside {
            return self.ask_add(client);
        }
        Ok(())
    }

    fn go_offline(
        &mut self,
        client: ClientId,
        recorder: &mut dyn Recorder,
    ) -> Result<(), ProtocolError> {
        let received = self.delivery.received(self.now, self.clients.get(client).delay);
        self.bring_forward(client, received)?;
        self.clients.get_mut(client).online = false;
        self.clients.settle(client);
        self.note(recorder, "offline", client);
        self.begin_absence(client);
        self.next_session(client);
        Ok(())
    }

    fn begin_absence(&mut self, client: ClientId) {
        let now = self.now;
        let entry = self.clients.get_mut(client);
        entry.last_seen = now;
        entry.absences += 1;
        let absence = entry.absences;
        if let Some(limit) = self.scenario.policy.evict_after {
            self.schedule(self.later(limit), Event::Evict(client, absence));
        }
    }

    /// The server has seen everybody who is there from the start some time before. Who had been
    /// unseen for longer than it allows counts as seen at a random moment within that time.
    fn begin_first_absence(&mut self, client: ClientId) {
        self.clients.get_mut(client).absences += 1;
        let Some(limit) = self.scenario.policy.evict_after else { return };
        let unseen = self.demand.unseen_before(client.0);
        let left = if unseen < limit {
            limit.0 - unseen.0
        } else {
            self.root_seed.stream("first absence", client.0.into(), 0).below(limit.0) + 1
        };
        self.schedule(Millis(left), Event::Evict(client, 1));
    }

    fn leave(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        self.clients.get_mut(client).wants_in = false;
        self.ask_remove(client, Reason::Leave)
    }

    fn evict(&mut self, client: ClientId, absence: u32) -> Result<(), ProtocolError> {
        let entry = self.clients.get(client);
        if entry.online || entry.absences != absence {
            return Ok(());
        }
        self.ask_remove(client, Reason::Evict)
    }

    fn ask_remove(&mut self, client: ClientId, reason: Reason) -> Result<(), ProtocolError> {
        if reason == Reason::ByMember {
            self.clients.get_mut(client).wants_in = false;
        }
        if self.clients.get(client).standing == Standing::Member {
            self.delivery.ask_remove(client, reason);
            return self.hand_out_if_immediate();
        }
        Ok(())
    }

    fn message(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        let entry = self.clients.get_mut(client);
        if entry.standing == Standing::Member && entry.online {
            entry.messages += 1;
            if renews_after_message(&self.scenario.policy, self.clients.get(client)) {
                return self.intend(client, Purpose::Renew);
            }
        }
        Ok(())
    }

    fn renew(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        let entry = self.clients.get(client);
        let is_due = entry.renew_at.is_some_and(|due| due <= self.now);
        // Whoever is offline renews when it comes back.
        if is_due && entry.online && entry.standing == Standing::Member {
            return self.intend(client, Purpose::Renew);
        }
        Ok(())
    }

    // Views.

    /// A client processes what it has missed, and pays for it.
    pub(super) fn bring_forward(
        &mut self,
        client: ClientId,
        to: u64,
    ) -> Result<arboretum_engine::protocol::CaughtUp, ProtocolError> {
        let caught = self.protocol.advance(client, to)?;
        let tally = &mut self.clients.get_mut(client).tally;
        tally.ledger += caught.ledger;
        tally.bytes_received += caught.bytes;
        tally.commits_processed += caught.commits;
        Ok(caught)
    }

    /// News reaches a client that is online: a Welcome, or its own removal.
    fn fetch(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        let entry = self.clients.get(client);
        if !entry.online {
            return Ok(());
        }
        let received = self.delivery.received(self.now, entry.delay);
        if self.bring_forward(client, received)?.removed {
            return self.find_oneself_removed(client);
        }
        Ok(())
    }

    // Commits.

    fn hand_out_if_immediate(&mut self) -> Result<(), ProtocolError> {
        match batch_period(&self.scenario.policy) {
            None if self.delivery.has_requests() => self.hand_out(),
            _ if self.batch_waiting => self.hand_out(),
            _ => Ok(()),
        }
    }

    fn batch_is_due(&mut self) -> Result<(), ProtocolError> {
        if let Some(period) = batch_period(&self.scenario.policy) {
            let next = self.later(period);
            self.schedule(next, Event::Batch);
        }
        self.hand_out()
    }

    /// Hands the waiting requests to a member that is online; if there is none, they wait for
    /// the next to come online.
    fn hand_out(&mut self) -> Result<(), ProtocolError> {
        self.batch_waiting = false;
        if !self.delivery.has_requests() {
            return Ok(());
        }
        let requests = self.delivery.take_requests();
        self.facts.batches += 1;
        let committer =
            draw_committer(&self.root_seed, &self.clients, self.facts.batches, |client| {
                self.clients.get(client).purpose.is_none()
                    && self.protocol.view(client).is_some()
                    && !requests.removes.iter().any(|(removed, _)| *removed == client)
            });
        let Some(committer) = committer else {
            self.delivery.put_back(requests);
            self.batch_waiting = true;
            return Ok(());
        };
        let at = self.later(self.clients.get(committer).delay);
        self.clients.get_mut(committer).purpose = Some(Purpose::Requests(requests));
        self.schedule(at, Event::Commit(committer));
        Ok(())
    }

    /// A client means to commit, unless it is at it already.
    fn intend(&mut self, client: ClientId, purpose: Purpose) -> Result<(), ProtocolError> {
        if self.clients.get(client).purpose.is_some() {
            return Ok(());
        }
        self.clients.get_mut(client).purpose = Some(purpose);
        self.commit(client)
    }

    /// Makes the commit that a client means to make, in its own view, and sends it.
    fn commit(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        let entry = self.clients.get(client);
        let (delay, online) = (entry.delay, entry.online);
        let received = self.delivery.received(self.now, delay);
        self.bring_forward(client, received)?;
        let may = online && self.protocol.view(client).is_some();
        let Some(purpose) = self.clients.get_mut(client).purpose.take() else { return Ok(()) };
        let Some(order) = self.order(client, &purpose).filter(|_| may) else {
            if let Purpose::Requests(requests) = purpose {
                self.delivery.put_back(requests);
                self.batch_waiting = true;
            }
            return Ok(());
        };
        let draft = self.protocol.commit(order)?;
        let entry = self.clients.get_mut(client);
        entry.purpose = Some(purpose);
        entry.tally.ledger += draft.ledger;
        entry.tally.bytes_sent += draft.cost.bytes + draft.cost.bytes_welcome;
        self.drafts.push((client, draft));
        self.schedule(self.later(delay), Event::Deliver(client));
        Ok(())
    }

    /// What a client would commit now: requests that others have settled meanwhile fall away.
    fn order(&self, by: ClientId, purpose: &Purpose) -> Option<Order> {
        let now = UNIX_ZERO + self.now.0 / 1_000;
        let (mut adds, mut removes) = (vec![], vec![]);
        if let Purpose::Requests(requests) = purpose {
            let standing = |client: &ClientId| self.clients.get(*client).standing;
            adds.extend(requests.adds.iter().filter(|c| standing(c) == Standing::Asked));
            let members = requests.removes.iter().map(|(client, _)| client);
            removes.extend(members.filter(|c| standing(c) == Standing::Member && **c != by));
            if adds.is_empty() && removes.is_empty() {
                return None;
            }
        }
        Some(Order { by, adds, removes, now })
    }

    /// A commit reaches the Delivery Service, which takes the first of each epoch.
    fn deliver(
        &mut self,
        client: ClientId,
        recorder: &mut dyn Recorder,
    ) -> Result<(), ProtocolError> {
        let Some(at) = self.drafts.iter().position(|(sender, _)| *sender == client) else {
            return Ok(());
        };
        let (_, draft) = self.drafts.swap_remove(at);
        if draft.epoch != self.protocol.epoch() {
            self.facts.rejected += 1;
            self.facts.rejected_here += 1;
            self.facts.rejected_work.bytes += draft.cost.bytes;
            self.facts.rejected_work.ciphertexts += draft.cost.ciphertexts;
            self.note(recorder, "rejected", client);
            self.schedule(self.later(self.clients.get(client).delay), Event::Retry(client));
            return Ok(());
        }
        let purpose = self.clients.get_mut(client).purpose.take();
        let requests = match purpose {
            Some(Purpose::Requests(requests)) => requests,
            _ => Requests::default(),
        };
        self.count_requests(&draft.order, &requests);
        let order = draft.order.clone();
        order.adds.iter().for_each(|added| self.delivery.take_package(*added));
        self.put_into_effect(draft, false, recorder)?;
        self.delivery.accept(self.now);
        let first = self.delivery.forget_before(self.now, self.scenario.network.max_delay);
        self.protocol.release_before(first);
        self.settle_members(&order, recorder);
        self.renewed(client);
        Ok(())
    }

    fn count_requests(&mut self, order: &Order, requests: &Requests) {
        let is_for = |reason| {
            let done = |(client, why): &&(ClientId, Reason)| {
                *why == reason && order.removes.contains(client)
            };
            requests.removes.iter().filter(done).count() as u32
        };
        self.facts.leaves = is_for(Reason::Leave);
        self.facts.evictions = is_for(Reason::Evict);
    }

    /// Members come and go with an accepted commit; those online hear of it.
    fn settle_members(&mut self, order: &Order, recorder: &mut dyn Recorder) {
        for removed in &order.removes {
            let entry = self.clients.get_mut(*removed);
            entry.standing = Standing::Outside;
            entry.renew_at = None;
            self.clients.settle(*removed);
            self.note(recorder, "removed", *removed);
            self.schedule(self.later(self.clients.get(*removed).delay), Event::Fetch(*removed));
        }
        for added in &order.adds {
            self.enter(*added);
            self.note(recorder, "added", *added);
            self.schedule(self.later(self.clients.get(*added).delay), Event::Fetch(*added));
        }
    }

    /// A client's keys are new: the next renewal is a period away.
    fn renewed(&mut self, client: ClientId) {
        let due = self.scenario.policy.update_every.map(|period| self.later(period));
        let entry = self.clients.get_mut(client);
        entry.messages = 0;
        entry.renew_at = due;
        entry.tally.commits_sent += 1;
        if let Some(due) = due {
            self.schedule(due, Event::Renew(client));
        }
    }

    /// The protocol takes a commit; its row is written.
    pub(super) fn put_into_effect(
        &mut self,
        draft: Draft<P::Inner>,
        creation: bool,
        recorder: &mut dyn Recorder,
    ) -> Result<(), ProtocolError> {
        let audited = if creation { vec![] } else { self.draw_audited(&draft.order) };
        let (order, leaf, cost, ledger) =
            (draft.order.clone(), draft.leaf, draft.cost, draft.ledger);
        let accepted = match self.protocol.accept(draft, &audited) {
            Err(error @ ProtocolError::Audit { .. }) => {
                self.facts.audits.mismatched += 1;
                return Err(error);
            }
            other => other?,
        };
        if creation {
            self.clients.get_mut(order.by).tally.ledger += ledger;
        }
        self.facts.audits.performed += u64::from(accepted.audits);
        self.facts.invariants.checked += u64::from(accepted.checks);
        self.facts.ever.extend(std::iter::once(order.by).chain(order.adds.iter().copied()));
        let operations = &mut self.facts.operations;
        if !creation {
            operations.adds += order.adds.len() as u64;
            operations.removes += order.removes.len() as u64;
            operations.updates += 1;
        }
        let tree = self.protocol.tree();
        let online = self.clients.online().len() as u64;
        let counts = |ledger: Ledger| Op::ALL.iter().map(|op| ledger.count(*op)).collect();
        recorder.commit(CommitRow {
            epoch: accepted.epoch,
            time_ms: self.now.0,
            committer: order.by.0,
            committer_leaf: leaf.0,
            creation,
            has_path: !creation && cost.public_keys > 0,
            adds: order.adds.len() as u32,
            removes: order.removes.len() as u32,
            updates: u32::from(order.adds.is_empty() && order.removes.is_empty()),
            leaves: std::mem::take(&mut self.facts.leaves),
            evictions: std::mem::take(&mut self.facts.evictions),
            rejected_before: std::mem::take(&mut self.facts.rejected_here),
            ciphertexts: cost.ciphertexts,
            public_keys: cost.public_keys,
            bytes: cost.bytes,
            bytes_proposals: cost.bytes_proposals,
            bytes_path_keys: cost.bytes_path_keys,
            bytes_path_ciphertexts: cost.bytes_path_ciphertexts,
            bytes_leaf_node: cost.bytes_leaf_node,
            bytes_framing: cost.bytes_framing,
            welcome_bytes: cost.bytes_welcome,
            welcome_recipients: order.adds.len() as u32,
            new_leaves_excluded: accepted.excluded_ciphertexts,
            members: tree.members.into(),
            width: tree.width.into(),
            depth: tree.height.into(),
            blank_leaves: (tree.width - tree.members).into(),
            blank_parents: tree.blank_parents.into(),
            unmerged: tree.unmerged,
            expected_cost_sum: tree.path_cost,
            online,
            sender_ops: counts(ledger),
            receiver_ops: counts(accepted.receiver),
        });
        Ok(())
    }

    /// Members of the old epoch, drawn for an audit: neither the sender nor anybody removed.
    fn draw_audited(&self, order: &Order) -> Vec<ClientId> {
        let count = self.clients.iter().len() as u64;
        let mut stream = self.root_seed.stream("audit", self.protocol.epoch(), 0);
        let mut audited = vec![];
        // Drawing a few times too often is enough to find members among all who ever were.
        for _ in 0..self.settings.audit * 8 {
            if audited.len() as u32 == self.settings.audit {
                break;
            }
            let client = ClientId(stream.below(count) as u32);
            let is_member = self.clients.get(client).standing == Standing::Member;
            let is_new = client != order.by && !audited.contains(&client);
            if is_member && is_new && !order.removes.contains(&client) {
                audited.push(client);
            }
        }
        audited
    }

    fn snapshot(&mut self, recorder: &mut dyn Recorder) -> Result<(), ProtocolError> {
        self.protocol.recount()?;
        self.facts.invariants.checked += 1;
        let tree = self.protocol.tree();
        let people = (0..self.demand.people().len() as u32).map(ClientId);
        let lagging: BTreeSet<u64> = people
            .filter(|client| !self.clients.get(*client).online)
            .filter_map(|client| self.protocol.view(client))
            .collect();
        recorder.tree(TreeRow {
            time_ms: self.now.0,
            epoch: self.protocol.epoch(),
            members: tree.members.into(),
            width: tree.width.into(),
            depth: tree.height.into(),
            blank_leaves: (tree.width - tree.members).into(),
            blank_parents: tree.blank_parents.into(),
            keyed_parents: tree.keyed_parents.into(),
            unmerged: tree.unmerged,
            expected_cost_sum: tree.path_cost,
            online: self.clients.online().len() as u64,
            lagging_epochs: lagging.len() as u64,
        });
        self.tell_progress();
        Ok(())
    }

    fn outcome(&self, interrupted: bool) -> Outcome {
        let mut ops = Ledger::default();
        self.clients.iter().for_each(|client| ops += client.tally.ledger);
        let histogram = |metric: &str, unit: &str, value: &dyn Fn(usize) -> u64| ClientHistogram {
            metric: metric.into(),
            unit: unit.into(),
            values: (0..self.authentication.registered()).map(value).collect(),
        };
        let tally = |at: usize| self.clients.get(ClientId(at as u32)).tally;
        Outcome {
            interrupted,
            virtual_time: self.now,
            members_ever: self.facts.ever.len() as u64,
            operations: self.facts.operations.clone(),
            rejected: self.facts.rejected,
            rejected_work: self.facts.rejected_work.clone(),
            ops,
            audits: self.facts.audits.clone(),
            invariants: self.facts.invariants.clone(),
            last_resort: self.delivery.last_resort,
            clients: vec![
                histogram("bytes_received", "bytes", &|at| tally(at).bytes_received),
                histogram("bytes_sent", "bytes", &|at| tally(at).bytes_sent),
                histogram("commits_processed", "commits", &|at| tally(at).commits_processed),
                histogram("commits_sent", "commits", &|at| tally(at).commits_sent),
                histogram("kem_decapsulations", "operations", &|at| {
                    tally(at).ledger.count(Op::KemDecapsulate)
                }),
                histogram("signatures_verified", "operations", &|at| {
                    tally(at).ledger.count(Op::Verify)
                }),
            ],
            events: self.events,
        }
    }
}
