//! What a scenario may say: limits, each with its name, and values that cannot be.

use std::collections::BTreeMap;

use super::{Expectation, Purged, Rhythm, Scenario};
use crate::sample::Distribution;
use crate::time::Millis;

/// The most clients at the start. Memory sets the limit on any machine of today long before.
pub const MAX_MEMBERS: u32 = 1 << 24;

/// The most devices of a user.
const MAX_DEVICES: u32 = 100;

/// The longest virtual time: ten years.
pub(crate) const MAX_DURATION: Millis = Millis(3_650 * 86_400_000);

/// The most people who may be expected to come.
const MAX_ARRIVALS: f64 = 10_000_000.0;

/// The most snapshots of one run.
const MAX_SNAPSHOTS: u64 = 1_000_000;

/// The most messages a day of the mean person.
const MAX_MESSAGES: f64 = 100_000.0;

/// The most bytes of a text or an attachment: 16 MiB.
const MAX_BYTES: u32 = 1 << 24;

/// The most groups beside the first: each is simulated whole.
const MAX_FURTHER_GROUPS: u32 = 1_000;

/// The most purges.
const MAX_PURGES: usize = 1_000;

/// The most clients at the start times groups: each is kept account of in each.
const MAX_CLIENTS_IN_GROUPS: u64 = 1 << 24;

/// The most copied states of one run: each is looked at after every commit.
const MAX_COPIES: u64 = 100_000;

/// The most federated services.
const MAX_SERVICES: u32 = 1_000;

/// A key whose value cannot be.
pub(crate) struct Wrong {
    pub(crate) key: &'static str,
    pub(crate) what: String,
}

pub(crate) fn require(
    holds: bool,
    key: &'static str,
    what: impl Into<String>,
) -> Result<(), Wrong> {
    if holds { Ok(()) } else { Err(Wrong { key, what: what.into() }) }
}

/// What a scenario, an experiment or a study may be called: it becomes a folder.
pub(crate) fn check_name(name: &str) -> Result<(), Wrong> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let named = !name.is_empty() && name.len() <= 64 && name.chars().all(is_name);
    require(named, "name", "a name is 1 to 64 letters, digits and dashes")
}

/// Bounds that bound something.
pub(crate) fn check_expectations(expect: &BTreeMap<String, Expectation>) -> Result<(), Wrong> {
    expect.iter().try_for_each(|(name, bound)| {
        let told = bound.min.is_some() || bound.max.is_some();
        require(told, "expect", format!("`{name}` has neither `min` nor `max`"))
    })
}

fn within(value: f64, least: f64, most: f64, key: &'static str) -> Result<(), Wrong> {
    let holds = value.is_finite() && (least..=most).contains(&value);
    require(holds, key, format!("{value} is not from {least} to {most}"))
}

fn possible(distribution: &Distribution, key: &'static str) -> Result<(), Wrong> {
    match distribution.impossible() {
        None => Ok(()),
        Some((parameter, must)) => {
            Err(Wrong { key, what: format!("`{parameter}` must be {must}") })
        }
    }
}

fn rhythm(rhythm: Option<Rhythm>, key: &'static str) -> Result<(), Wrong> {
    let Some(rhythm) = rhythm else { return Ok(()) };
    within(rhythm.strength, 0.0, 1.0, key)?;
    rhythm.weekdays.map_or(Ok(()), |share| within(share, 0.0, 1.0, key))?;
    require(rhythm.peak < Millis::DAY, key, "the peak is a time of day, below 24h")
}

impl Scenario {
    pub(super) fn check(&self) -> Result<(), Wrong> {
        check_name(&self.name)?;
        require(!self.analysis.trim().is_empty(), "analysis", "say what the scenario shows")?;
        require(self.duration > Millis(0), "duration", "a run takes more than 0s")?;
        require(self.duration <= MAX_DURATION, "duration", "a run takes at most ten years")?;
        let snapshots = self.duration.0 / self.measure.snapshot_every.0.max(1);
        let few = self.measure.snapshot_every > Millis(0) && snapshots <= MAX_SNAPSHOTS;
        require(few, "measure.snapshot_every", format!("at most {MAX_SNAPSHOTS} snapshots a run"))?;
        self.check_compromise()?;
        self.check_workload()?;
        self.check_group()?;
        self.check_policy()?;
        possible(&self.network.delay, "network.delay")?;
        self.check_system()?;
        check_expectations(&self.expect)
    }

    fn check_compromise(&self) -> Result<(), Wrong> {
        let Some(compromise) = self.measure.compromise else { return Ok(()) };
        let key = "measure.compromise.every";
        require(compromise.every > Millis(0), key, "a period is more than 0s")?;
        let key = "measure.compromise.clients";
        require(compromise.clients > 0, key, "at least 1 client, or no table `compromise`")?;
        let last = compromise.stop_after.unwrap_or(self.duration).min(self.duration);
        let copies = (last.0 / compromise.every.0).saturating_mul(compromise.clients.into());
        let key = "measure.compromise";
        require(
            copies <= MAX_COPIES,
            key,
            format!("{copies} copies are more than {MAX_COPIES}: take fewer, or less often"),
        )?;
        require(copies > 0, key, "no copy would be taken: make `every` shorter")
    }

    fn check_group(&self) -> Result<(), Wrong> {
        let members = self.group.members;
        let least = if self.workload.trace.is_some() { 1 } else { 2 };
        require(
            members >= least,
            "group.members",
            format!("{members} members are no group to measure: give at least {least}"),
        )?;
        require(
            members <= MAX_MEMBERS,
            "group.members",
            format!("{members} is more than the largest group, {MAX_MEMBERS}"),
        )
    }

    fn check_workload(&self) -> Result<(), Wrong> {
        let work = &self.workload;
        let devices = (1..=MAX_DEVICES).contains(&work.devices);
        require(devices, "workload.devices", format!("a user has 1 to {MAX_DEVICES} devices"))?;
        if work.trace.is_some() {
            for (present, key) in [
                (work.arrivals.is_some(), "workload.arrivals"),
                (work.lifetime.is_some(), "workload.lifetime"),
                (work.sessions.is_some(), "workload.sessions"),
                (work.silent.is_some(), "workload.silent"),
                (work.devices != 1, "workload.devices"),
            ] {
                require(!present, key, "a trace says this already: leave one of the two out")?;
            }
            let session = work.trace_session.unwrap_or(Millis(1));
            require(session > Millis(0), "workload.trace_session", "a session takes more than 0s")?;
        } else {
            let key = "workload.trace_session";
            require(
                work.trace_session.is_none(),
                key,
                "it goes with `workload.trace`: give one, --set workload.trace=FILE",
            )?;
        }
        if let Some(arrivals) = work.arrivals {
            let days = self.duration.as_secs_f64() / 86_400.0;
            within(arrivals.per_day, 0.0, MAX_ARRIVALS / days, "workload.arrivals.per_day")?;
            rhythm(arrivals.rhythm, "workload.arrivals.rhythm")?;
        }
        if let Some(lifetime) = &work.lifetime {
            possible(lifetime, "workload.lifetime")?;
        }
        if let Some(sessions) = &work.sessions {
            possible(&sessions.online, "workload.sessions.online")?;
            possible(&sessions.offline, "workload.sessions.offline")?;
            rhythm(sessions.rhythm, "workload.sessions.rhythm")?;
        }
        within(work.activity.zipf_exponent, 0.0, 4.0, "workload.activity.zipf_exponent")?;
        let messages = work.activity.messages_per_day;
        within(messages, 0.0, MAX_MESSAGES, "workload.activity.messages_per_day")?;
        if let Some(removals) = work.removals {
            let key = "workload.removals.per_member_per_day";
            within(removals.per_member_per_day, 0.0, 100.0, key)?;
        }
        if let Some(silent) = work.silent {
            within(silent.fraction, 0.0, 1.0, "workload.silent.fraction")?;
            possible(&silent.after, "workload.silent.after")?;
        }
        Ok(())
    }

    /// Messages, crowds, lost and changing devices, mailboxes and services.
    fn check_system(&self) -> Result<(), Wrong> {
        let work = &self.workload;
        if let Some(messages) = work.messages {
            within(messages.attachments, 0.0, 1.0, "workload.messages.attachments")?;
            let longest = messages.bytes.max(messages.attachment_bytes);
            let key = "workload.messages";
            require(
                longest <= MAX_BYTES,
                key,
                format!("at most {MAX_BYTES} bytes: make `bytes` or `attachment_bytes` smaller"),
            )?;
        }
        if let Some(crowd) = work.crowd {
            let key = "workload.crowd";
            require(
                f64::from(crowd.users) <= MAX_ARRIVALS,
                key,
                format!("at most {MAX_ARRIVALS} users"),
            )?;
            let gone = crowd.at.0.saturating_add(crowd.within.0).saturating_add(crowd.stay.0);
            let gone = gone.saturating_add(crowd.leave_within.0);
            require(gone <= self.duration.0, key, "the crowd is not gone when the run ends")?;
            require(work.trace.is_none(), key, "a trace says who comes: leave one of the two out")?;
        }
        if let Some(losses) = work.losses {
            within(losses.per_client_per_day, 0.0, 100.0, "workload.losses.per_client_per_day")?;
            within(losses.backups, 0.0, 1.0, "workload.losses.backups")?;
        }
        if let Some(changes) = &work.device_changes {
            let key = "workload.device_changes";
            within(changes.adds_per_user_per_day, 0.0, 100.0, key)?;
            require(work.trace.is_none(), key, "the actors of a trace have one device each")?;
            let days = self.duration.as_secs_f64() / 86_400.0;
            let users = f64::from(self.group.members / work.devices.max(1))
                + work.arrivals.map_or(0.0, |arrivals| arrivals.per_day * days);
            let few = users * changes.adds_per_user_per_day * days <= MAX_ARRIVALS;
            require(few, key, format!("more than {MAX_ARRIVALS} devices would come: fewer a day"))?;
            changes.kept_for.as_ref().map_or(Ok(()), |kept| possible(kept, key))?;
        }
        if let Some(revocations) = work.revocations {
            let key = "workload.revocations.per_member_per_day";
            within(revocations.per_member_per_day, 0.0, 100.0, key)?;
        }
        if let Some(old) = work.old_clients {
            let key = "workload.old_clients";
            require(work.trace.is_none(), key, "a trace does not say who has one: leave it out")?;
            within(old.fraction, 0.0, 1.0, "workload.old_clients.fraction")?;
            within(old.without_suite, 0.0, 1.0, "workload.old_clients.without_suite")?;
        }
        if let Some(groups) = work.groups {
            let few = groups.further <= MAX_FURTHER_GROUPS;
            let what = format!("at most {MAX_FURTHER_GROUPS} beside the first");
            require(few, "workload.groups.further", what)?;
            let clients = u64::from(self.group.members) * u64::from(groups.further + 1);
            let what = format!(
                "{clients} clients times groups to keep account of, at most {MAX_CLIENTS_IN_GROUPS}"
            );
            require(clients <= MAX_CLIENTS_IN_GROUPS, "workload.groups.further", what)?;
            within(groups.share, 0.0, 1.0, "workload.groups.share")?;
            within(groups.exponent, 0.0, 4.0, "workload.groups.exponent")?;
            let key = "workload.groups";
            require(
                work.trace.is_none(),
                key,
                "the actors of a trace have one group: leave it out",
            )?;
            let one = work.purges.is_empty() && work.servers == 0;
            let what = "purges and servers are of one group: leave one of the two out";
            require(one, key, what)?;
        }
        self.check_purges()?;
        self.check_servers()?;
        let key = "authentication.rotate_every";
        require(
            self.authentication.rotate_every != Some(Millis(0)),
            key,
            "a period is more than 0s",
        )?;
        within(self.network.loss, 0.0, 1.0, "network.loss")?;
        self.network.jitter.as_ref().map_or(Ok(()), |it| possible(it, "network.jitter"))?;
        let service = &self.service;
        possible(&service.between, "service.between")?;
        let few = (1..=MAX_SERVICES).contains(&service.services);
        require(few, "service.services", format!("from 1 to {MAX_SERVICES} services"))?;
        // What is under way takes two ways, each over two services, and its jitter.
        let longest = Millis(self.network.max_delay.0.saturating_mul(5));
        let kept = service.retention.is_none_or(|kept| kept > longest);
        let key = "service.retention";
        let what =
            format!("a mailbox keeps for more than {longest}, five times `network.max_delay`");
        require(kept, key, what)
    }

    fn check_purges(&self) -> Result<(), Wrong> {
        let (key, purges) = ("workload.purges", &self.workload.purges);
        require(purges.len() <= MAX_PURGES, key, format!("at most {MAX_PURGES} purges"))?;
        purges.iter().try_for_each(|purge| {
            within(purge.fraction, 0.0, 1.0, key)?;
            require(purge.at > Millis(0), key, "a purge comes after the group is made: above 0s")?;
            let changes = self.workload.device_changes.is_some();
            let what = "who is every second is not clear where users add devices: leave one out";
            require(purge.who == Purged::AtRandom || !changes, key, what)?;
            let what = format!("the run is over at {}: an earlier `at`", self.duration);
            require(purge.at < self.duration, key, what)
        })
    }

    fn check_servers(&self) -> Result<(), Wrong> {
        let (key, work) = ("workload.servers", &self.workload);
        if work.servers == 0 {
            return Ok(());
        }
        require(work.trace.is_none(), key, "the actors of a trace are people: leave it out")?;
        require(work.devices == 1, key, "a server is one client: leave `workload.devices` out")?;
        let what = format!("fewer than the {} members at the start", self.group.members);
        require(work.servers < self.group.members, key, what)
    }

    fn check_policy(&self) -> Result<(), Wrong> {
        let policy = &self.policy;
        let positive = |value: Option<Millis>| value != Some(Millis(0));
        require(positive(policy.update_every), "policy.update_every", "a period is more than 0s")?;
        require(positive(policy.evict_after), "policy.evict_after", "a limit is more than 0s")?;
        let key = "policy.update_every_messages";
        require(policy.update_every_messages != Some(0), key, "at least 1 message")?;
        require(policy.key_packages > 0, "policy.key_packages", "a client that nobody can add")
    }
}
