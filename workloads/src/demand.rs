//! The demand: the people of a run and their sessions. It depends on the seed and on the
//! workload alone, never on protocol, strategy or policy.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::groups::{Memberships, Turn};
use crate::sample::{Distribution, bits, exponential, poisson, zipf_weights};
use crate::scenario::{
    Crowd, DeviceChanges, Losses, Purge, Purged, Removals, Scenario, SessionRules, Workload,
};
use crate::stream::{RootSeed, Stream};
use crate::time::Millis;
use crate::trace::Trace;

/// A client's plans. Times are of the run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Person {
    /// Whose client it is.
    pub user: u32,
    /// When it first turns up.
    pub arrives: Millis,
    /// When it leaves of its own will.
    pub leaves: Option<Millis>,
    /// When another member has it removed.
    pub removed: Option<Millis>,
    /// From when on it does not come back, without leaving.
    pub silent_from: Option<Millis>,
    /// How active it is; the mean is 1.
    pub activity: f64,
    /// Whether it is a further device, which one of the user's others adds and removes.
    pub further: bool,
    /// When the Authentication Service takes its credential back.
    pub revoked: Option<Millis>,
    /// Whether its client is an old one.
    pub old: bool,
    /// Whether it has not even the group's cipher suite.
    pub without_suite: bool,
}

/// A device that is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// When.
    pub at: Millis,
    /// Whether a backup is restored to the one that replaces it.
    pub backup: bool,
}

/// One time that a client is online.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// When it begins.
    pub online: Millis,
    /// When it ends.
    pub offline: Millis,
    messages: u32,
    seed: u64,
    turn: Turn,
}

impl Session {
    /// Messages that the client sends, in all its groups.
    pub fn messages(&self) -> u32 {
        self.messages
    }

    /// When it sends those of this group: spread evenly, at a random offset.
    pub fn message_times(&self) -> impl Iterator<Item = Millis> + use<> {
        let (first, length) = (self.online.0, (self.offline.0 - self.online.0).max(1));
        let messages = u64::from(self.messages);
        let (seed, turn) = (self.seed, self.turn);
        let here = (0..messages).filter(move |i| turn.has(seed, *i));
        here.map(move |i| Millis(first + (seed % length + i * length / messages) % length))
    }
}

/// Where sessions come from.
#[derive(Clone, Debug)]
enum Source {
    Drawn(Option<SessionRules>, f64),
    Logged(Arc<Trace>, Millis),
}

/// Everybody, and when they are online, as one group sees them.
#[derive(Clone, Debug)]
pub struct Demand {
    seed: RootSeed,
    memberships: Memberships,
    group: u32,
    duration: Millis,
    initial: usize,
    people: Vec<Person>,
    source: Source,
    losses: Option<Losses>,
    removals: Option<Removals>,
    servers: u32,
}

impl Person {
    /// One that nothing happens to: a server.
    fn for_good(self) -> Self {
        let (leaves, removed, silent_from, revoked) = (None, None, None, None);
        Self { leaves, removed, silent_from, revoked, activity: 1.0, old: false, ..self }
    }

    /// Whether it has come by a moment and nothing has taken it away.
    fn is_there(&self, at: Millis) -> bool {
        let gone = [self.leaves, self.removed, self.revoked];
        self.arrives < at && gone.into_iter().flatten().all(|gone| gone > at)
    }
}

impl Demand {
    /// Draws the people of a scenario, or takes them from a trace.
    pub fn new(scenario: &Scenario, trace: Option<Trace>) -> Self {
        let seed = RootSeed::from_u64(scenario.seed);
        let mut demand = match trace {
            Some(trace) => Self::logged(scenario, seed, trace),
            None => Self::drawn(scenario, seed),
        };
        for (number, purge) in scenario.workload.purges.iter().enumerate() {
            let people = &mut demand.people;
            draw_purge(&demand.seed, purge, number as u64, demand.servers, people);
        }
        demand
    }

    fn logged(scenario: &Scenario, seed: RootSeed, trace: Trace) -> Self {
        let session = scenario.workload.trace_session.unwrap_or(Millis(30 * 60_000));
        let person = |actor: usize| {
            let times = trace.times(actor);
            let last = times.last().copied().unwrap_or_default();
            let mut person = Person {
                user: actor as u32,
                arrives: times.first().copied().unwrap_or_default(),
                leaves: None,
                removed: None,
                silent_from: Some(Millis(last.0 + session.0)),
                activity: times.len() as f64 * trace.actors() as f64 / trace.events() as f64,
                further: false,
                revoked: None,
                old: false,
                without_suite: false,
            };
            let work = &scenario.workload;
            let at = (actor as u64, 0);
            person.removed = draw_hazard(&seed, "removal", work.removals, at, &person);
            person.revoked = draw_hazard(&seed, "revocation", work.revocations, at, &person);
            person
        };
        let people: Vec<_> = (0..trace.actors()).map(person).collect();
        let initial = (scenario.group.members as usize).min(people.len());
        Self::of(scenario, seed, (people, initial), Source::Logged(Arc::new(trace), session))
    }

    /// People, so many of whom are there from the start, as the first of their groups sees them.
    fn of(
        scenario: &Scenario,
        seed: RootSeed,
        (people, initial): (Vec<Person>, usize),
        source: Source,
    ) -> Self {
        let Workload { losses, removals, groups, servers, .. } = scenario.workload;
        let users = |people: &[Person]| people.iter().map(|person| person.user + 1).max();
        let users = (users(&people).unwrap_or(0), users(&people[..initial]).unwrap_or(0));
        let memberships = Memberships::draw(&seed, groups, users);
        let duration = scenario.duration;
        Self {
            seed,
            memberships,
            group: 0,
            duration,
            initial,
            people,
            source,
            losses,
            removals,
            servers,
        }
    }

    fn drawn(scenario: &Scenario, seed: RootSeed) -> Self {
        let work = &scenario.workload;
        let devices = work.devices as usize;
        let initial = scenario.group.members as usize;
        let mut arrivals = vec![Arrival::default(); initial.div_ceil(devices)];
        let late = draw_arrivals(&seed, work, scenario.duration).into_iter();
        arrivals.extend(late.map(|at| Arrival { at, leaves: None }));
        if let Some(crowd) = &work.crowd {
            arrivals
                .extend((0..u64::from(crowd.users)).map(|user| draw_in_crowd(&seed, crowd, user)));
            // Who is there from the start has come at 0, and nobody else: these stay in front.
            arrivals.sort_by_key(|arrival| arrival.at);
        }
        let mut stream = seed.stream("activity", 0, 0);
        let weights = zipf_weights(arrivals.len(), work.activity.zipf_exponent, &mut stream);
        let mut people = Vec::with_capacity(arrivals.len() * devices);
        for (user, (arrival, activity)) in arrivals.iter().zip(weights).enumerate() {
            let mut person = draw_person(&seed, work, user as u32, arrival.at, activity);
            person.leaves = arrival.leaves.or(person.leaves);
            if (user as u32) < work.servers {
                person = person.for_good();
            }
            // A user's clients come and go together.
            people.extend(std::iter::repeat_n(person, devices));
            if arrival.at == Millis(0) {
                people.truncate(initial.max(user * devices + 1));
            }
        }
        if let Some(changes) = &work.device_changes {
            let users = &people[work.servers as usize..];
            let further = draw_devices(&seed, changes, users, scenario.duration);
            people.extend(further);
        }
        let source = Source::Drawn(work.sessions, work.activity.messages_per_day);
        Self::of(scenario, seed, (people, initial), source)
    }

    /// How many groups there are.
    pub fn groups(&self) -> u32 {
        self.memberships.count()
    }

    /// The same people as another of their groups sees them; they have their numbers in all. In each
    /// they are removed by its other members when these want it.
    pub fn of_group(&self, group: u32) -> Self {
        let mut seen = Self { group, ..self.clone() };
        // A user's clients are removed together: further devices at the moment of the first ones.
        let mut moments = BTreeMap::new();
        for person in &mut seen.people {
            let at = (person.user.into(), group.into());
            let draw = || draw_hazard(&self.seed, "removal", self.removals, at, person);
            person.removed = *moments.entry(person.user).or_insert_with(draw);
        }
        seen
    }

    /// The group, of those that the people have.
    pub fn group(&self) -> u32 {
        self.group
    }

    /// Whether a client is ever to be in this group. A device that comes after its user was removed
    /// from the group is not.
    pub fn has(&self, client: u32) -> bool {
        let person = &self.people[client as usize];
        let is_late = person.further && person.removed.is_some_and(|at| at <= person.arrives);
        !is_late && self.turn(client).is_some()
    }

    fn turn(&self, client: u32) -> Option<Turn> {
        self.memberships.turn(self.people[client as usize].user, self.group)
    }

    /// Everybody, in the order of arrival, and then further devices: a client's number is its place here.
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// How many are there from the start.
    pub fn initial(&self) -> usize {
        self.initial
    }

    /// How much virtual time passes.
    pub fn duration(&self) -> Millis {
        self.duration
    }

    /// The sessions of a client, in order and apart from each other, drawn as they are asked
    /// for.
    pub fn sessions(&self, client: u32) -> Sessions<'_> {
        let person = self.people[client as usize];
        let ends = [Some(self.duration), person.leaves, person.silent_from];
        let end = ends.into_iter().flatten().min().unwrap_or(self.duration);
        let is_initial = (client as usize) < self.initial;
        let stream = self.seed.stream("sessions", client.into(), 0);
        let turn = self.turn(client).unwrap_or(Turn::ALL);
        let next = person.arrives;
        let mut sessions = Sessions { demand: self, client, turn, stream, next, end, first: None };
        sessions.begin(is_initial, person.activity);
        sessions
    }

    /// The next time that a client's device is lost after `now`; `count` is how often it was.
    pub fn next_loss(&self, client: u32, count: u32, now: Millis) -> Option<Loss> {
        let Losses { per_client_per_day, backups } =
            self.losses.filter(|it| it.per_client_per_day > 0.0 && client >= self.servers)?;
        let mut stream = self.seed.stream("loss", client.into(), count.into());
        let days = exponential(&mut stream) / per_client_per_day;
        let at = Millis(now.0 + Millis::from_secs_f64(days * 86_400.0).0.max(1));
        Some(Loss { at, backup: stream.uniform() < backups })
    }

    /// How long a client that is there from the start had been unseen when the run begins.
    pub fn unseen_before(&self, client: u32) -> Millis {
        match self.sessions(client).first {
            Some(First::Offline { unseen }) => unseen,
            _ => Millis(0),
        }
    }

    /// A digest of when people come and go: FNV-1a over their numbers. It is for tests that hold the
    /// drawing to what it was.
    pub fn digest(&self) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut take = |value: u64| {
            for byte in value.to_le_bytes() {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        };
        take(self.duration.0);
        take(self.initial as u64);
        for (client, person) in self.people.iter().enumerate() {
            let plan = |moment: Option<Millis>| moment.map_or(u64::MAX, |moment| moment.0);
            take(person.arrives.0);
            take(plan(person.leaves));
            take(plan(person.removed));
            take(plan(person.silent_from));
            take(self.sessions(client as u32).next().map_or(u64::MAX, |first| first.offline.0));
        }
        hash
    }
}

/// A Poisson process with a rhythm, by thinning one of its highest intensity.
fn draw_arrivals(seed: &RootSeed, work: &Workload, duration: Millis) -> Vec<Millis> {
    let Some(arrivals) = work.arrivals.filter(|arrivals| arrivals.per_day > 0.0) else {
        return vec![];
    };
    let mut stream = seed.stream("arrivals", 0, 0);
    let highest = arrivals.rhythm.map_or(1.0, |rhythm| rhythm.highest());
    let gap_s = 86_400.0 / (arrivals.per_day * highest);
    let mut at_s = 0.0;
    let mut times = vec![];
    loop {
        at_s += gap_s * exponential(&mut stream);
        let at = Millis::from_secs_f64(at_s);
        if at >= duration {
            return times;
        }
        if stream.uniform() * highest < arrivals.rhythm.map_or(1.0, |it| it.intensity(at_s)) {
            times.push(at.max(Millis(1)));
        }
    }
}

impl SessionRules {
    /// When somebody comes back who goes at a moment, after so much of an absence.
    fn after(&self, from: Millis, absence: Millis) -> Millis {
        match &self.rhythm {
            Some(rhythm) => rhythm.after(from, absence),
            None => Millis(from.0 + absence.0),
        }
    }
}

/// When a user comes, and goes, if that is certain.
#[derive(Clone, Copy, Debug, Default)]
struct Arrival {
    at: Millis,
    leaves: Option<Millis>,
}

fn draw_in_crowd(seed: &RootSeed, crowd: &Crowd, user: u64) -> Arrival {
    let mut stream = seed.stream("crowd", user, 0);
    let mut within = |length: Millis| stream.below(length.0.max(1));
    let at = Millis((crowd.at.0 + within(crowd.within)).max(1));
    let leaves = crowd.at.0 + crowd.within.0 + crowd.stay.0 + within(crowd.leave_within);
    Arrival { at, leaves: Some(Millis(leaves)) }
}

/// Further devices of the users, each like the first in all but when it comes and goes.
fn draw_devices(
    seed: &RootSeed,
    changes: &DeviceChanges,
    people: &[Person],
    duration: Millis,
) -> Vec<Person> {
    let mut further = vec![];
    if changes.adds_per_user_per_day <= 0.0 {
        return further;
    }
    for first in people.chunk_by(|one, other| one.user == other.user).map(|devices| devices[0]) {
        let mut stream = seed.stream("devices", first.user.into(), 0);
        // Who is removed from one group may be in others: each says who comes too late for it.
        let ends = [first.leaves, first.silent_from, first.revoked];
        let end = ends.into_iter().flatten().min().unwrap_or(duration);
        let mut arrives = first.arrives;
        loop {
            let days = exponential(&mut stream) / changes.adds_per_user_per_day;
            arrives = Millis(arrives.0 + Millis::from_secs_f64(days * 86_400.0).0.max(1));
            if arrives >= end {
                break;
            }
            let kept = changes.kept_for.map(|kept| kept.sample(&mut stream).0.max(1));
            let given_up = kept.map(|kept| Millis(arrives.0 + kept));
            let leaves = [first.leaves, given_up].into_iter().flatten().min();
            further.push(Person { arrives, leaves, further: true, ..first });
        }
    }
    further
}

fn draw_person(
    seed: &RootSeed,
    work: &Workload,
    user: u32,
    arrives: Millis,
    activity: f64,
) -> Person {
    let after = |distribution: &Distribution, domain| {
        let length = distribution.sample(&mut seed.stream(domain, user.into(), 0));
        Millis(arrives.0 + length.0.max(1))
    };
    let mut person = Person {
        user,
        arrives,
        leaves: work.lifetime.as_ref().map(|lifetime| after(lifetime, "lifetime")),
        removed: None,
        silent_from: None,
        activity,
        further: false,
        revoked: None,
        old: false,
        without_suite: false,
    };
    let at = (user.into(), 0);
    person.removed = draw_hazard(seed, "removal", work.removals, at, &person);
    person.revoked = draw_hazard(seed, "revocation", work.revocations, at, &person);
    let old = work.old_clients.filter(|_| arrives > Millis(0));
    if let Some(old) = old {
        let mut stream = seed.stream("old", user.into(), 0);
        person.old = stream.uniform() < old.fraction;
        person.without_suite = person.old && stream.uniform() < old.without_suite;
    }
    if let Some(silent) = &work.silent
        && seed.stream("silent", user.into(), 0).uniform() < silent.fraction
    {
        person.silent_from = Some(after(&silent.after, "silent after"));
    }
    person
}

/// Who is removed by a purge: users, with all their devices.
fn draw_purge(seed: &RootSeed, purge: &Purge, number: u64, servers: u32, people: &mut [Person]) {
    let mut there = 0_u64;
    let share = |count: u64| libm::floor(count as f64 * purge.fraction);
    let mut out = BTreeSet::new();
    let clients = people.iter().filter(|person| !person.further).copied().collect::<Vec<_>>();
    for devices in clients.chunk_by(|one, other| one.user == other.user) {
        let first = devices[0];
        if first.user < servers || !first.is_there(purge.at) {
            continue;
        }
        there += 1;
        let is_out = match purge.who {
            Purged::AtRandom => {
                seed.stream("purge", first.user.into(), number).uniform() < purge.fraction
            }
            Purged::EvenlySpaced => share(there) > share(there - 1),
        };
        if is_out {
            out.insert(first.user);
        }
    }
    // Further devices stand apart from the first ones, and go with them.
    let purged = people.iter_mut().filter(|person| out.contains(&person.user));
    purged.for_each(|person| person.removed = Some(purge.at));
}

/// When something happens to a user, in a group, that happens to a member so many times a day.
fn draw_hazard(
    seed: &RootSeed,
    domain: &str,
    hazard: Option<Removals>,
    (user, group): (u64, u64),
    person: &Person,
) -> Option<Millis> {
    let hazard = hazard.filter(|hazard| hazard.per_member_per_day > 0.0)?;
    let days = exponential(&mut seed.stream(domain, user, group)) / hazard.per_member_per_day;
    Some(Millis(person.arrives.0 + Millis::from_secs_f64(days * 86_400.0).0.max(1)))
}

/// An absence of somebody who is so many times as active as the mean.
fn absence(of_the_mean: Millis, activity: f64) -> Millis {
    Millis::from_secs_f64(of_the_mean.as_secs_f64() / activity).max(Millis(1))
}

/// A share of a length of time.
fn part(length: Millis, share: f64) -> Millis {
    Millis((length.0 as f64 * share) as u64)
}

/// How a client stands when the run begins.
#[derive(Clone, Copy, Debug)]
enum First {
    /// Online since it arrived.
    Online,
    /// In a session of which a share is left.
    InSession { left: Millis, share: f64 },
    /// Offline, and for how long already.
    Offline { unseen: Millis },
}

/// The sessions of one client.
#[derive(Clone, Debug)]
pub struct Sessions<'d> {
    demand: &'d Demand,
    client: u32,
    turn: Turn,
    stream: Stream,
    /// When the next session begins; for a trace, how many events are used up.
    next: Millis,
    end: Millis,
    first: Option<First>,
}

impl Sessions<'_> {
    /// Somebody who arrives is online. Somebody who is there from the start is online in the
    /// proportion of the mean times, and has spent a uniform share of the session or absence that is
    /// under way: the start of a run is a moment like any other of a life that began long before.
    fn begin(&mut self, is_initial: bool, activity: f64) {
        self.first = Some(First::Online);
        let Source::Drawn(Some(rules), _) = &self.demand.source else { return };
        if !is_initial || self.client < self.demand.servers {
            return;
        }
        let (online, offline) = (rules.online.mean_s(), rules.offline.mean_s() / activity);
        let is_online = self.stream.uniform() < online / (online + offline);
        let lengths = if is_online { rules.online } else { rules.offline };
        let length = lengths.sample_under_way(&mut self.stream);
        let share = self.stream.uniform();
        self.first = Some(if is_online {
            First::InSession { left: part(length, share), share }
        } else {
            let absence = absence(length, activity);
            let left = part(absence, share);
            self.next = rules.after(Millis(0), left);
            First::Offline { unseen: Millis(absence.0 - left.0) }
        });
    }

    fn drawn(&mut self, rules: Option<SessionRules>, messages_per_day: f64) -> Option<Session> {
        if self.next >= self.end {
            return None;
        }
        let activity = self.demand.people[self.client as usize].activity;
        let online = self.next;
        let Some(rules) = rules else {
            // Always online: one session, its messages in proportion to its length.
            let length = Millis(self.end.0 - online.0);
            self.next = self.end;
            let mean = messages_per_day * activity * length.as_secs_f64() / 86_400.0;
            return Some(self.session(online, self.end, mean));
        };
        let (length, share) = match self.first.take() {
            Some(First::InSession { left, share }) => (left, share),
            _ => (rules.online.sample(&mut self.stream), 1.0),
        };
        let length = length.max(Millis(1));
        let offline = Millis(online.0 + length.0).min(self.end);
        let cycle_s = rules.online.mean_s() + rules.offline.mean_s() / activity;
        let mean = messages_per_day * activity * cycle_s / 86_400.0;
        let session = self.session(online, offline, mean * share);
        let away = absence(rules.offline.sample(&mut self.stream), activity);
        self.next = rules.after(offline, away);
        Some(session)
    }

    fn session(&mut self, online: Millis, offline: Millis, mean_messages: f64) -> Session {
        let messages = poisson(mean_messages, &mut self.stream);
        Session { online, offline, messages, seed: bits(&mut self.stream), turn: self.turn }
    }

    /// The next run of events closer together than a session.
    fn logged(&mut self, trace: &Trace, length: Millis) -> Option<Session> {
        let times = trace.times(self.client as usize);
        let from = times.partition_point(|time| *time < self.next);
        let online = *times.get(from)?;
        if online >= self.end {
            return None;
        }
        let mut until = from + 1;
        while until < times.len() && times[until].0 - times[until - 1].0 <= length.0 {
            until += 1;
        }
        let offline = Millis(times[until - 1].0 + length.0).min(self.end).max(Millis(online.0 + 1));
        self.next = Millis(times[until - 1].0 + 1);
        let messages = (until - from) as u32;
        let seed = bits(&mut self.stream);
        Some(Session { online, offline, messages, seed, turn: self.turn })
    }
}

impl Iterator for Sessions<'_> {
    type Item = Session;

    fn next(&mut self) -> Option<Session> {
        match &self.demand.source {
            // A server is always online, and says nothing.
            Source::Drawn(..) if self.client < self.demand.servers => self.drawn(None, 0.0),
            Source::Drawn(rules, messages) => self.drawn(*rules, *messages),
            Source::Logged(trace, length) => self.logged(&trace.clone(), *length),
        }
    }
}
