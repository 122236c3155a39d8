//! The world of a run and its clock: the one place where time moves. What events do stands in
//! `people`, `commits` and `records`.

use std::collections::BTreeSet;

use arboretum_engine::crypto::Ledger;
use arboretum_engine::protocol::{ClientId, Draft, Protocol, ProtocolError};
use arboretum_engine::tree::LeafIndex;
use arboretum_results::{
    Abilities, Audits, ClientHistogram, ClientTotals, Devices as DeviceFigures, Distribution,
    Event as EventRow, Evicted, FiveFigures, Invariants, Joins, Links, Operations, Quarantine,
    Rebalancing, Recorder, Recovery, RejectedWork, System, Work,
};
use arboretum_workloads::{Demand, Millis, RootSeed, Scenario, Sessions};

use super::authentication::AuthenticationService;
use super::behaviour::{Behaviour, Ghosts, Proposing};
use super::blank_paths::BlankPaths;
use super::clients::Clients;
use super::compromise::Compromises;
use super::delivery::{DeliveryService, Reason};
use super::devices::Devices;
use super::events::{Event, Queue};
use super::fault::Fault;
use super::mail::Mail;
use super::policy::UNIX_ZERO;
use super::services::Services;

/// What a run is told beside its scenario.
pub struct Settings<'r> {
    /// Members audited for each commit.
    pub audit: u32,
    /// Events of the groups that have been simulated before this one.
    pub events_before: u64,
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
    /// How much of the run is done, of 1: of the virtual time of all its groups.
    pub share: f64,
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
    /// What it took to move members about for the tree's sake.
    pub rebalancing: Rebalancing,
    /// Members whose keys others have made.
    pub quarantine: Quarantine,
    /// Who was evicted, and came back.
    pub evicted: Evicted,
    /// What newcomers fetched.
    pub joins: Joins,
    /// Of members at the end, since the keys of their leaves were made, seconds.
    pub key_age_s: FiveFigures,
    /// Commits that lost the race.
    pub rejected: u64,
    /// What those had cost.
    pub rejected_work: RejectedWork,
    /// Messages, links, lost and further devices, services.
    pub system: System,
    /// Work of all clients together; none if the protocol does not count it.
    pub ops: Option<Ledger>,
    /// Audits.
    pub audits: Audits,
    /// Checks.
    pub invariants: Invariants,
    /// Adds that had to take a last-resort package.
    pub last_resort: u64,
    /// Totals of each client.
    pub clients: Vec<ClientHistogram>,
    /// The same for each client by its number, with those who have never come.
    pub totals: Vec<ClientTotals>,
    /// What clients had to do.
    pub work: Work,
    /// Events put into effect, in this group and those before it.
    pub events: u64,
}

/// What is counted while the world runs.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) members_start: u64,
    pub(super) ever: BTreeSet<ClientId>,
    pub(super) operations: Operations,
    pub(super) rebalancing: Rebalancing,
    pub(super) rejected: u64,
    pub(super) rejected_work: RejectedWork,
    /// Commits rejected since the last one accepted.
    pub(super) rejected_here: u32,
    pub(super) audits: Audits,
    pub(super) invariants: Invariants,
    pub(super) leaves: u32,
    pub(super) evictions: u32,
    pub(super) batches: u64,
    /// What each fetched who came in by a Welcome after the group was made.
    pub(super) join_bytes: Distribution,
    pub(super) links: Links,
    pub(super) recovery: Recovery,
    pub(super) recovery_ms: Distribution,
    pub(super) devices: DeviceFigures,
    pub(super) rotated: u64,
    pub(super) abilities: Option<Abilities>,
    /// Clients without a cipher suite of the group's.
    pub(super) refused: u64,
    pub(super) snapshots: u64,
    pub(super) portraits: u64,
    pub(super) blank_paths: BlankPaths,
    pub(super) work: Work,
    /// By epoch: what every receiver has spent in public so far, from the making of the group on.
    pub(super) public: Vec<Ledger>,
}

/// A commit on its way to the Delivery Service.
pub(super) struct OnTheWay {
    pub(super) sender: ClientId,
    pub(super) draft: Draft,
    /// Whether its sender enters by it.
    pub(super) enters: bool,
    /// Whether it brings a new signature key.
    pub(super) rotates: bool,
    /// Which of its sender's commits it is.
    pub(super) number: u32,
}

/// Everything there is in a run.
pub(super) struct World<'w, 's> {
    pub(super) scenario: &'w Scenario,
    pub(super) behaviour: Behaviour,
    pub(super) demand: &'w Demand,
    /// What is drawn of people, whatever the group.
    pub(super) people_seed: RootSeed,
    /// What is drawn in this group.
    pub(super) root_seed: RootSeed,
    pub(super) protocol: &'w mut dyn Protocol,
    pub(super) clients: Clients,
    pub(super) delivery: DeliveryService,
    pub(super) authentication: AuthenticationService,
    pub(super) now: Millis,
    pub(super) facts: Facts,
    pub(super) settings: Settings<'s>,
    pub(super) sessions: Vec<Option<Sessions<'w>>>,
    /// Commits on their way to the Delivery Service.
    pub(super) drafts: Vec<OnTheWay>,
    pub(super) mail: Mail,
    pub(super) devices: Devices,
    pub(super) services: Services,
    pub(super) queue: Queue,
    pub(super) end: Millis,
    pub(super) batch_waiting: bool,
    pub(super) proposing: Proposing,
    pub(super) ghosts: Ghosts,
    pub(super) compromises: Compromises,
    /// Members that were asked to commit requests and have not yet.
    pub(super) handed_out: u32,
    /// Whether somebody is to be asked to warm the tree when they have.
    pub(super) warming_waits: bool,
    /// The leaf that round-robin warming asked last.
    pub(super) last_warmed: Option<LeafIndex>,
    /// Whether the tree has not been due to be replaced at some moment since the group was made.
    pub(super) was_sound: bool,
    pub(super) events: u64,
}

/// Plays a scenario on a protocol.
pub fn run(
    scenario: &Scenario,
    demand: &Demand,
    protocol: &mut dyn Protocol,
    recorder: &mut dyn Recorder,
    settings: Settings<'_>,
) -> Result<Outcome, Fault> {
    let (_, behaviour) = Behaviour::of(scenario).map_err(|error| {
        Fault::before_start(scenario.seed, &ProtocolError::Check(error.to_string()))
    })?;
    let mut world = World::new(scenario, behaviour, demand, protocol, settings);
    let played = world.start(recorder).and_then(|()| world.play(recorder));
    match played {
        Ok(interrupted) => {
            world.note_clients();
            Ok(world.outcome(interrupted))
        }
        Err(error) => Err(Fault::new(scenario.seed, world.events, world.now, &error)),
    }
}

impl<'w, 's> World<'w, 's> {
    fn new(
        scenario: &'w Scenario,
        behaviour: Behaviour,
        demand: &'w Demand,
        protocol: &'w mut dyn Protocol,
        settings: Settings<'s>,
    ) -> Self {
        let count = demand.people().len();
        let seed = RootSeed::from_u64(scenario.seed);
        let services = Services::new(&scenario.service, scenario.network.max_delay, &seed);
        Self {
            scenario,
            behaviour,
            demand,
            root_seed: seed.of_group(demand.group()),
            people_seed: seed,
            protocol,
            clients: Clients::new(count),
            delivery: DeliveryService::default(),
            authentication: AuthenticationService::default(),
            now: Millis(0),
            facts: Facts::default(),
            sessions: std::iter::repeat_with(|| None).take(count).collect(),
            drafts: vec![],
            mail: Mail::new(count),
            devices: Devices::new(demand),
            services,
            queue: Queue::default(),
            end: demand.duration(),
            batch_waiting: false,
            proposing: Proposing::default(),
            ghosts: Ghosts::default(),
            compromises: Compromises::default(),
            handed_out: 0,
            warming_waits: false,
            last_warmed: None,
            was_sound: false,
            events: settings.events_before,
            settings,
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

    /// The second since the Unix epoch.
    pub(super) fn unix_now(&self) -> u64 {
        UNIX_ZERO + self.now.0 / 1_000
    }

    pub(super) fn later(&self, delay: Millis) -> Millis {
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
        self.balance()?;
        self.snapshot(recorder)?;
        Ok(false)
    }

    pub(super) fn tell_progress(&mut self) {
        let of_this = self.now.0 as f64 / self.end.0.max(1) as f64;
        let groups_before = f64::from(self.demand.group());
        (self.settings.progress)(Progress {
            share: (groups_before + of_this) / f64::from(self.demand.groups()),
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
            if !self.demand.has(client.0) {
                continue;
            }
            self.clients.get_mut(client).wants_in = true;
            if number >= self.demand.initial() {
                self.schedule(person.arrives, Event::Arrive(client));
            } else {
                self.begin_first_absence(client);
                // Who has a state already was online before and has gone offline with it.
                self.back_up(client);
            }
            self.sessions[number] = Some(self.demand.sessions(number as u32));
            self.next_session(client);
            self.plan_loss(client);
            if let Some(at) = person.leaves {
                self.schedule(at, Event::Leave(client));
            }
            if let Some(at) = person.removed {
                self.schedule(at, Event::Remove(client));
            }
            if let Some(at) = person.revoked {
                self.schedule(at, Event::Revoke(client));
            }
            self.plan_rotation(client, true);
        }
        if let Some(period) = self.behaviour.batching.period() {
            self.schedule(period, Event::Batch);
        }
        self.schedule_warming();
        self.plan_compromise();
        self.schedule(self.scenario.measure.snapshot_every, Event::Snapshot);
    }

    /// Schedules the next time that a client comes online, and its messages.
    pub(super) fn next_session(&mut self, client: ClientId) {
        let Some(sessions) = &mut self.sessions[client.0 as usize] else { return };
        let Some(session) = sessions.next() else {
            self.sessions[client.0 as usize] = None;
            return;
        };
        self.schedule(session.online, Event::Online(client));
        self.schedule(session.offline, Event::Offline(client));
        if self.scenario.policy.update_every_messages.is_some() || self.has_mail() {
            for at in session.message_times() {
                self.schedule(at, Event::Message(client));
            }
        }
    }

    fn happen(&mut self, event: Event, recorder: &mut dyn Recorder) -> Result<(), ProtocolError> {
        match event {
            Event::Deliver(client, number) => self.deliver(client, number, recorder),
            Event::Fetch(client) => self.fetch(client, recorder),
            Event::Arrive(client) => self.arrive(client, recorder),
            Event::Online(client) => self.come_online(client, recorder),
            Event::Retry(client) | Event::Commit(client) => self.commit(client),
            Event::Message(client) => self.message(client, recorder),
            Event::Relay(message) => self.relay(message),
            Event::Receive(client, at) => self.receive(client, at, recorder),
            Event::Rotate(client) => self.rotate(client),
            Event::Revoke(client) => self.revoke(client, recorder),
            Event::Lose(client, backup) => self.lose(client, backup, recorder),
            Event::Renew(client) => self.renew(client),
            Event::Leave(client) => self.leave(client),
            Event::Remove(client) => self.ask_remove(client, Reason::ByMember),
            Event::Evict(client, absence) => self.evict(client, absence),
            Event::Gather(client) => {
                self.note(recorder, "asks for shares", client);
                self.gather(client)
            }
            Event::Recover(client) => self.recover_ghost(client, recorder),
            Event::GiveUp(client, number) => self.give_up(client, number),
            Event::Batch => self.batch_is_due(),
            Event::Warm => self.warming_is_due(),
            Event::Offline(client) => self.go_offline(client, recorder),
            Event::Compromise => self.compromise_is_due(recorder),
            Event::Snapshot => {
                let next = self.later(self.scenario.measure.snapshot_every);
                self.schedule(next, Event::Snapshot);
                self.snapshot(recorder)
            }
        }
    }

    pub(super) fn note(&self, recorder: &mut dyn Recorder, kind: &'static str, client: ClientId) {
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
}
