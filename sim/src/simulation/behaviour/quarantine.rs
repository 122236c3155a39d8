//! `inactive=quarantine:D:R:S`: whoever has not been online for D gets its keys from others and is a
//! *ghost* from then on; they are renewed every R, and after S the ghost is removed. What is sent, what it
//! costs and what it trades is said in `engine/src/treesync/quarantine.rs` and
//! `engine/src/group/quarantine.rs`; the definition is ours, after Quarantined-TreeKEM. It needs an
//! extension that every member has agreed to.
//!
//! The server sees who is not online, and has the keys of silent members made and renewed as it has
//! requests committed: by a member that is online, at once or with those of a period (`batching`). A
//! commit that removes or quarantines a maker or a holder renews those ghosts with it. Where too few are
//! left to hold shares, nobody more is quarantined, and before one of those few goes all ghosts are
//! removed.
//!
//! Whoever comes back as a ghost follows what it can, and asks for shares through the Delivery Service.
//! Holders answer who are online, one after the other until they are a quorum; the request waits for
//! those who are not. With the answers of a quorum the ghost follows all that it has missed, and commits,
//! which ends the quarantine. After D without a quorum, as long as the server had waited for it, it
//! enters anew by an external commit, as soon as it is online, and has lost what was sent meanwhile. Until
//! then it reads nothing, and what holders have answered waits for it. While it waits its keys are not renewed
//! but when a keeper goes; then it asks again.

use std::collections::{BTreeMap, BTreeSet};

use arboretum_engine::group::{HOLDERS, THRESHOLD};
use arboretum_engine::protocol::{ClientId, Order, ProtocolError};
use arboretum_results::{CatchUp, Quarantine, Recorder};
use arboretum_workloads::{Millis, Scenario};

use super::inactive::Inactive;
use super::{Batching, Behaviour, Moving};
use crate::simulation::clients::{Purpose, Standing};
use crate::simulation::delivery::{Reason, Requests};
use crate::simulation::events::Event;
use crate::simulation::world::World;

/// The delays of a quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delays {
    /// How long the server waits for a member until it has keys made for it.
    pub after: Millis,
    /// How often those are renewed.
    pub refresh: Millis,
    /// How long a ghost stays until it is removed.
    pub stay: Millis,
}

/// A ghost that has asked for shares.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    /// Tells its requests apart.
    number: u32,
    /// When the last answer will be at the Delivery Service.
    answered: Millis,
    /// Whether its patience is at its end.
    expired: bool,
    /// Whether there was no quorum online at once.
    waited: bool,
}

/// The ghosts of a run.
#[derive(Debug, Default)]
pub(in crate::simulation) struct Ghosts {
    /// When each was made, and when it was last renewed.
    since: BTreeMap<ClientId, (Millis, Millis)>,
    waiting: BTreeMap<ClientId, Waiting>,
    requests: u32,
    facts: Quarantine,
    /// Ghosts at snapshots, summed, and snapshots.
    seen: (u64, u64),
}

impl Ghosts {
    /// What a run came to.
    pub(in crate::simulation) fn facts(&self) -> Quarantine {
        let (ghosts, snapshots) = self.seen;
        let mean = (snapshots > 0).then(|| ghosts as f64 / snapshots as f64);
        Quarantine { ghosts_mean: mean.unwrap_or(0.0), ..self.facts }
    }
}

impl Behaviour {
    /// The delays of a quarantine, if there is one.
    pub fn quarantine(&self) -> Option<Delays> {
        match self.inactive {
            Inactive::Quarantine(delays) => Some(delays),
            _ => None,
        }
    }

    /// What does not go together with ghosts.
    pub(super) fn check_quarantine(
        &self,
        tree: &arboretum_engine::strategy::Strategy,
        scenario: &Scenario,
    ) -> Result<(), super::BehaviourError> {
        use arboretum_engine::strategy::Compaction;
        if self.quarantine().is_none() {
            return Ok(());
        }
        if tree.taints() {
            return Err(super::BehaviourError::NoGhosts(
                "removal=taint: no path is blanked there, and who has made a ghost's keys would have \
                 to be remembered as well",
            ));
        }
        if tree.compaction == Compaction::ScootOver {
            return Err(super::BehaviourError::NoGhosts(
                "compaction=scoot-over: a ghost's leaf names holders by where they stand",
            ));
        }
        if tree.concurrent {
            return Err(super::BehaviourError::NoGhosts(
                "proposals=paths: who has made a ghost's keys would have to be renewed with a path",
            ));
        }
        if scenario.authentication.rotate_every.is_some() {
            return Err(super::BehaviourError::NoGhosts(
                "authentication.rotate_every: nobody signs for a ghost with a key that it gets meanwhile",
            ));
        }
        if scenario.workload.messages.is_some() {
            return Err(super::BehaviourError::NoGhosts(
                "workload.messages in this version: what a ghost reads of them once it has its keys is not \
                 built",
            ));
        }
        if scenario.workload.losses.is_some() || scenario.service.retention.is_some() {
            return Err(super::BehaviourError::NoGhosts(
                "workload.losses or service.retention: a holder that has lost its state would enter by an external commit, which \
                 can renew no key",
            ));
        }
        if self.moving != Moving::Nobody {
            return Err(super::BehaviourError::NoGhosts(
                "compaction=resync, swap or rebuild: who moves takes its share along, and no external \
                 commit can renew a key; and a ghost would be added by a package that its old state opens",
            ));
        }
        Ok(())
    }
}

impl World<'_, '_> {
    /// Whether a member's keys are made by others, and it has not found them.
    pub(in crate::simulation) fn is_shut_out(&self, client: ClientId) -> bool {
        self.behaviour.quarantine().is_some()
            && self.protocol.ghost(client).is_some_and(|ghost| !ghost.recovered)
    }

    /// The server has not seen a member for D, or it is time to look at a ghost again.
    pub(in crate::simulation) fn quarantine_is_due(
        &mut self,
        client: ClientId,
        absence: u32,
        delays: Delays,
    ) -> Result<(), ProtocolError> {
        let now = self.now;
        let mut next = delays.refresh;
        if let Some((made, renewed)) = self.ghosts.since.get(&client).copied() {
            let (here, renewed) = (now.0 - made.0, now.0 - renewed.0);
            if here >= delays.stay.0 {
                return self.ask_remove(client, Reason::Evict);
            }
            if renewed < delays.refresh.0 {
                next = Millis(delays.refresh.0 - renewed);
            } else if self.ghosts.waiting.get(&client).is_none_or(|it| it.expired) {
                self.delivery.ask_quarantine(client);
            }
            next = next.min(Millis(delays.stay.0 - here));
        } else if self.clients.get(client).standing == Standing::Member {
            self.delivery.ask_quarantine(client);
        } else {
            return Ok(());
        }
        self.schedule(self.later(next), Event::Evict(client, absence));
        self.hand_out_if_immediate()
    }

    /// The silent members whose keys a committer is to make now.
    pub(in crate::simulation) fn to_quarantine(
        &self,
        order: &Order,
        requests: &Requests,
    ) -> Vec<ClientId> {
        let is_silent = |client: &ClientId| {
            let entry = self.clients.get(*client);
            let member = entry.standing == Standing::Member && !entry.online;
            member && *client != order.by && !order.removes.contains(client)
        };
        let mut silent: Vec<ClientId> = requests.ghosts.iter().copied().filter(is_silent).collect();
        silent.retain(|it| self.ghosts.waiting.get(it).is_none_or(|waiting| waiting.expired));
        let room = self.holders_left(order.removes.len()).saturating_sub(HOLDERS);
        let mut more = 0;
        // Those who are ghosts already take no holder away.
        silent.retain(|client| {
            let is_new = self.protocol.ghost(*client).is_none();
            more += usize::from(is_new);
            !is_new || more <= room
        });
        silent
    }

    /// How many could hold shares for a committer, once so many have gone.
    fn holders_left(&self, removes: usize) -> usize {
        let members = self.protocol.tree().members as usize;
        let busy = match self.behaviour.batching {
            Batching::ProposeCommit(others) => others as usize,
            _ => 0,
        };
        members.saturating_sub(self.protocol.ghosts().len() + removes + busy + 1)
    }

    /// Where those who go would leave too few to hold shares, all ghosts go with them.
    pub(in crate::simulation) fn evict_ghosts_if_too_few(&mut self, purpose: &mut Purpose) {
        let Purpose::Requests(requests) = purpose else { return };
        if self.behaviour.quarantine().is_none() || requests.removes.is_empty() {
            return;
        }
        if self.holders_left(requests.removes.len()) < HOLDERS {
            for ghost in self.protocol.ghosts() {
                if !requests.removes.iter().any(|(client, _)| *client == ghost) {
                    requests.removes.push((ghost, Reason::Evict));
                }
            }
        }
    }

    /// A commit is in effect: who is a ghost by it, was renewed, or is none any more.
    pub(in crate::simulation) fn note_ghosts(
        &mut self,
        order: &Order,
        recorder: &mut dyn Recorder,
    ) {
        if self.behaviour.quarantine().is_none() {
            return;
        }
        let (epoch, now) = (self.protocol.epoch(), self.now);
        let ghosts = self.protocol.ghosts();
        for client in &order.removes {
            if self.ghosts.since.remove(client).is_some() {
                self.ghosts.facts.removed += 1;
            }
            self.ghosts.waiting.remove(client);
        }
        let standing: BTreeSet<ClientId> = ghosts.iter().copied().collect();
        let ended = self.ghosts.since.keys().copied().filter(|client| !standing.contains(client));
        for client in ended.collect::<Vec<_>>() {
            self.ghosts.since.remove(&client);
            self.ghosts.waiting.remove(&client);
        }
        for client in ghosts {
            let Some(ghost) = self.protocol.ghost(client).filter(|it| it.renewed == epoch) else {
                continue;
            };
            let facts = &mut self.ghosts.facts;
            facts.bytes += ghost.bytes;
            facts.shares += ghost.holders.len() as u64;
            let is_new = ghost.keys == 1;
            facts.made += u64::from(is_new);
            facts.renewed += u64::from(!is_new);
            let entry = self.ghosts.since.entry(client).or_insert((now, now));
            entry.1 = now;
            self.clients.get_mut(client).keyed_at = now;
            self.note(recorder, if is_new { "ghost" } else { "ghost renewed" }, client);
        }
        let most = &mut self.ghosts.facts.ghosts_max;
        *most = (*most).max(standing.len() as u64);
    }

    /// Looks at who knows which ghost's key, for a snapshot.
    pub(in crate::simulation) fn survey_ghosts(&mut self) {
        if self.behaviour.quarantine().is_none() {
            return;
        }
        let ghosts = self.protocol.ghosts();
        let mut quorums = BTreeSet::new();
        for ghost in ghosts.iter().filter_map(|client| self.protocol.ghost(*client)) {
            debug_assert_eq!(THRESHOLD, 2, "quorums are pairs");
            for (at, one) in ghost.holders.iter().enumerate() {
                quorums.extend(ghost.holders[..at].iter().map(|other| (*other, *one)));
            }
        }
        let Ghosts { facts, seen, .. } = &mut self.ghosts;
        facts.quorums_max = facts.quorums_max.max(quorums.len() as u64);
        *seen = (seen.0 + ghosts.len() as u64, seen.1 + 1);
    }

    /// A ghost that is online and has followed what it can asks for shares, unless it has.
    pub(in crate::simulation) fn seek_shares(
        &mut self,
        client: ClientId,
    ) -> Result<(), ProtocolError> {
        let ghost = self.protocol.ghost(client).zip(self.behaviour.quarantine());
        let Some((ghost, delays)) = ghost else { return Ok(()) };
        let delay = self.clients.get(client).delay;
        match self.ghosts.waiting.get(&client).copied() {
            // Answers that have come meanwhile are fetched.
            Some(waiting) if ghost.asked && self.protocol.is_quorum(client, &[]) => {
                let at = Millis(waiting.answered.max(self.now).0 + delay.0);
                self.schedule(at, Event::Recover(client));
                return Ok(());
            }
            Some(waiting) if waiting.expired => return self.enter_anew(client),
            Some(_) if ghost.asked => return Ok(()),
            Some(_) => {}
            None => {
                self.ghosts.requests += 1;
                self.ghosts.facts.returned += 1;
                let number = self.ghosts.requests;
                let waiting = Waiting { number, answered: self.now, expired: false, waited: false };
                self.ghosts.waiting.insert(client, waiting);
                self.schedule(self.later(delays.after), Event::GiveUp(client, number));
            }
        }
        let sent = self.protocol.ask_shares(client)?;
        let tally = &mut self.clients.get_mut(client).tally;
        tally.ledger += sent.ledger;
        tally.bytes_sent += sent.bytes;
        self.ghosts.facts.exchange_bytes += sent.bytes;
        self.schedule(self.later(delay), Event::Gather(client));
        Ok(())
    }

    /// A request is at the Delivery Service: holders that are online answer it until they are a quorum.
    pub(in crate::simulation) fn gather(&mut self, ghost: ClientId) -> Result<(), ProtocolError> {
        let asked = self.protocol.ghost(ghost).is_some_and(|it| it.asked && !it.recovered);
        if !asked
            || !self.ghosts.waiting.contains_key(&ghost)
            || self.protocol.is_quorum(ghost, &[])
        {
            return Ok(());
        }
        let mut helpers = self.protocol.helpers(ghost);
        helpers.retain(|it| self.clients.get(*it).online && self.protocol.view(*it).is_some());
        helpers.sort_by_key(|it| (self.clients.get(*it).delay, *it));
        for holder in helpers {
            if self.protocol.is_quorum(ghost, &[]) {
                break;
            }
            let delay = self.clients.get(holder).delay;
            let received = self.delivery.received(self.now, delay);
            self.bring_forward(holder, received)?;
            if !self.protocol.holds_shares(holder, ghost) {
                continue;
            }
            let given = self.protocol.give_shares(holder, ghost)?;
            let tally = &mut self.clients.get_mut(holder).tally;
            tally.ledger += given.ledger;
            tally.bytes_sent += given.bytes;
            let facts = &mut self.ghosts.facts;
            facts.answers += 1;
            facts.exchange_bytes += given.bytes;
            let at = Millis(self.now.0 + 2 * delay.0);
            if let Some(waiting) = self.ghosts.waiting.get_mut(&ghost) {
                waiting.answered = waiting.answered.max(at);
            }
        }
        if self.protocol.is_quorum(ghost, &[]) {
            let waiting = self.ghosts.waiting.get(&ghost).map_or(self.now, |it| it.answered);
            let at = Millis(waiting.0 + self.clients.get(ghost).delay.0);
            self.schedule(at, Event::Recover(ghost));
        } else if let Some(waiting) = self.ghosts.waiting.get_mut(&ghost)
            && !std::mem::replace(&mut waiting.waited, true)
        {
            self.ghosts.facts.waited += 1;
        }
        Ok(())
    }

    /// Somebody has come online: requests may have waited for it.
    pub(in crate::simulation) fn answer_requests(
        &mut self,
        holder: ClientId,
    ) -> Result<(), ProtocolError> {
        let waiting: Vec<ClientId> = self.ghosts.waiting.keys().copied().collect();
        for ghost in waiting {
            if ghost != holder && self.protocol.helpers(ghost).contains(&holder) {
                self.gather(ghost)?;
            }
        }
        Ok(())
    }

    /// The answers of a quorum reach a ghost: if it is still online, it finds its keys, follows what it
    /// has missed, and means to commit.
    pub(in crate::simulation) fn recover_ghost(
        &mut self,
        client: ClientId,
        recorder: &mut dyn Recorder,
    ) -> Result<(), ProtocolError> {
        let entry = self.clients.get(client);
        let away = self.now.0.saturating_sub(entry.last_seen.0);
        let is_there = entry.online && self.ghosts.waiting.contains_key(&client);
        let asked = self.protocol.ghost(client).is_some_and(|it| it.asked);
        if !is_there || !asked || !self.protocol.is_quorum(client, &[]) {
            return Ok(());
        }
        let caught = self.protocol.recover(client)?;
        self.ghosts.waiting.remove(&client);
        self.ghosts.facts.recovered += 1;
        let tally = &mut self.clients.get_mut(client).tally;
        tally.ledger += caught.ledger;
        tally.bytes_received += caught.bytes;
        tally.commits_processed += caught.commits;
        self.note_caught_up(away, &caught);
        recorder.catch_up(CatchUp {
            time_ms: self.now.0,
            client: client.0,
            away_ms: away,
            commits: caught.commits,
            bytes: caught.bytes,
            removed: false,
        });
        self.note(recorder, "ghost recovered", client);
        self.intend(client, Purpose::Renew)
    }

    /// A ghost has waited long enough.
    pub(in crate::simulation) fn give_up(
        &mut self,
        client: ClientId,
        number: u32,
    ) -> Result<(), ProtocolError> {
        let Some(waiting) = self.ghosts.waiting.get_mut(&client) else { return Ok(()) };
        if waiting.number != number {
            return Ok(());
        }
        waiting.expired = true;
        if self.clients.get(client).online { self.enter_anew(client) } else { Ok(()) }
    }

    fn enter_anew(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        if self.clients.get(client).purpose.is_some() {
            return Ok(());
        }
        self.enter_by_oneself(client, Purpose::EnterAnew)
    }

    /// A client has entered anew by a commit that was accepted.
    pub(in crate::simulation) fn has_entered_anew(
        &mut self,
        client: ClientId,
        recorder: &mut dyn Recorder,
    ) {
        self.ghosts.facts.entered_anew += 1;
        self.note(recorder, "ghost entered anew", client);
    }
}
