//! People come and go: arrivals, presence, absences, and what the server and other members do
//! about them. Each client's view moves here, and pays for what it has missed.

use arboretum_engine::protocol::{CaughtUp, ClientId, ProtocolError};
use arboretum_results::{CatchUp, Recorder};
use arboretum_workloads::Millis;

use super::clients::{Purpose, Standing};
use super::delivery::Reason;
use super::events::Event;
use super::policy::{renews_after_message, renews_on_return};
use super::world::World;

impl World<'_, '_> {
    pub(super) fn arrive(
        &mut self,
        client: ClientId,
        recorder: &mut dyn Recorder,
    ) -> Result<(), ProtocolError> {
        self.register(client)?;
        self.note(recorder, "register", client);
        if self.demand.people()[client.0 as usize].without_suite {
            // Who wants to add it finds no key package of the group's suite (RFC 9420 §10).
            self.clients.get_mut(client).wants_in = false;
            self.facts.refused += 1;
            self.note(recorder, "no common suite", client);
            return Ok(());
        }
        self.ask_in(client)
    }

    /// Whoever enters must have a credential.
    pub(super) fn vouch_for(&self, client: ClientId) -> Result<(), ProtocolError> {
        if self.authentication.vouches_for(client) {
            return Ok(());
        }
        Err(ProtocolError::Check(format!("{client} has no credential")))
    }

    pub(super) fn ask_add(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        self.vouch_for(client)?;
        self.clients.get_mut(client).standing = Standing::Asked;
        self.delivery.ask_add(client);
        self.hand_out_if_immediate()
    }

    pub(super) fn come_online(
        &mut self,
        client: ClientId,
        recorder: &mut dyn Recorder,
    ) -> Result<(), ProtocolError> {
        self.clients.get_mut(client).online = true;
        self.clients.settle(client);
        self.note(recorder, "online", client);
        let away = Millis(self.now.0 - self.clients.get(client).last_seen.0);
        self.refill_packages(client)?;
        if self.is_cut_off(client) {
            self.facts.recovery.cut_off += 1;
            self.note(recorder, "cut off", client);
            self.mail.forfeit(client);
            self.give_up_state(client)?;
        }
        if self.clients.get(client).lost.is_some() {
            let now = self.now;
            let entry = self.clients.get_mut(client);
            if !std::mem::replace(&mut entry.came_back, true) {
                entry.lost = Some(now);
            }
            self.recover(client, recorder)?;
            return self.hand_out_if_immediate();
        }
        if self.protocol.view(client).is_some() {
            let mut caught = self.fetch_mail(client)?;
            caught += self.bring_forward(client, self.protocol.epoch())?;
            if !caught.removed && self.is_shut_out(client) {
                // What it has followed is told with what it follows once it has its keys.
                return self.seek_shares(client);
            }
            self.note_caught_up(away.0, &caught);
            recorder.catch_up(CatchUp {
                time_ms: self.now.0,
                client: client.0,
                away_ms: away.0,
                commits: caught.commits,
                bytes: caught.bytes,
                removed: caught.removed,
            });
            if caught.removed {
                return self.come_back_removed(client);
            }
        } else {
            // Letters of an epoch that it was in may have come after it had gone.
            self.fetch_mail(client)?;
            let standing = self.clients.get(client).standing;
            if matches!(self.clients.get(client).purpose, Some(Purpose::Enter)) {
                self.commit(client)?;
            } else if standing != Standing::Asked {
                // A Welcome waits for it, and its removal may wait as well.
                self.bring_forward(client, self.protocol.epoch())?;
                if standing == Standing::Outside {
                    return self.come_back_removed(client);
                }
                if self.is_shut_out(client) {
                    return self.seek_shares(client);
                }
                self.is_in(client)?;
            }
        }
        self.look_after_devices(client)?;
        let warming = self.behaviour.warming.on_return_after();
        let after = warming.or(self.scenario.policy.update_on_return_after);
        if self.clients.get(client).standing == Standing::Member
            && renews_on_return(after, self.clients.get(client), self.now)
        {
            self.intend(client, Purpose::Renew)?;
        }
        self.answer_requests(client)?;
        // Requests may have been waiting for somebody to come online.
        self.hand_out_if_immediate()
    }

    /// Somebody has come online and finds itself removed; letters of its last epochs may still be on their
    /// way.
    fn come_back_removed(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        self.is_leaving(client);
        self.find_oneself_removed(client)
    }

    /// Somebody who was evicted and comes back asks to be added again.
    pub(super) fn find_oneself_removed(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        let entry = self.clients.get(client);
        if entry.wants_in && entry.standing == Standing::Outside {
            return self.ask_in(client);
        }
        Ok(())
    }

    pub(super) fn go_offline(
        &mut self,
        client: ClientId,
        recorder: &mut dyn Recorder,
    ) -> Result<(), ProtocolError> {
        let received = self.delivery.received(self.now, self.clients.get(client).delay);
        self.bring_forward(client, received)?;
        if self.clients.get(client).is_awake() {
            self.close_mail(client);
            self.back_up(client);
        }
        self.clients.get_mut(client).online = false;
        self.clients.settle(client);
        self.note(recorder, "offline", client);
        self.begin_absence(client);
        self.next_session(client);
        Ok(())
    }

    pub(super) fn begin_absence(&mut self, client: ClientId) {
        let now = self.now;
        let entry = self.clients.get_mut(client);
        entry.last_seen = now;
        entry.absences += 1;
        let absence = entry.absences;
        if let Some(limit) = self.behaviour.inactive.limit() {
            self.schedule(self.later(limit), Event::Evict(client, absence));
        }
    }

    /// The server has seen everybody who is there from the start some time before. Who had been
    /// unseen for longer than it allows counts as seen at a random moment within that time.
    pub(super) fn begin_first_absence(&mut self, client: ClientId) {
        self.clients.get_mut(client).absences += 1;
        let Some(limit) = self.behaviour.inactive.limit() else { return };
        let unseen = self.demand.unseen_before(client.0);
        let left = if unseen < limit {
            limit.0 - unseen.0
        } else {
            self.people_seed.stream("first absence", client.0.into(), 0).below(limit.0) + 1
        };
        self.schedule(Millis(left), Event::Evict(client, 1));
    }

    pub(super) fn leave(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        self.clients.get_mut(client).wants_in = false;
        self.ask_remove(client, Reason::Leave)
    }

    pub(super) fn evict(&mut self, client: ClientId, absence: u32) -> Result<(), ProtocolError> {
        let entry = self.clients.get(client);
        if entry.online || entry.absences != absence {
            return Ok(());
        }
        if let Some(delays) = self.behaviour.quarantine() {
            return self.quarantine_is_due(client, absence, delays);
        }
        self.ask_remove(client, Reason::Evict)
    }

    pub(super) fn ask_remove(
        &mut self,
        client: ClientId,
        reason: Reason,
    ) -> Result<(), ProtocolError> {
        if reason == Reason::ByMember {
            self.clients.get_mut(client).wants_in = false;
        }
        if self.clients.get(client).standing == Standing::Asked && self.is_past_asking(client) {
            self.clients.get_mut(client).standing = Standing::Outside;
        }
        if self.clients.get(client).standing == Standing::Member {
            self.delivery.ask_remove(client, reason);
            return self.hand_out_if_immediate();
        }
        Ok(())
    }

    /// Whether a client that has asked to be added is not to be, after all: its credential is gone, or
    /// its user has given it up.
    fn is_past_asking(&self, client: ClientId) -> bool {
        let further = self.demand.people()[client.0 as usize].further;
        !self.authentication.vouches_for(client) || further && !self.clients.get(client).wants_in
    }

    pub(super) fn message(
        &mut self,
        client: ClientId,
        recorder: &mut dyn Recorder,
    ) -> Result<(), ProtocolError> {
        let entry = self.clients.get(client);
        if entry.standing == Standing::Member && entry.is_awake() {
            self.say(client, recorder)?;
        }
        let entry = self.clients.get_mut(client);
        if entry.standing == Standing::Member && entry.online {
            entry.messages += 1;
            if renews_after_message(&self.scenario.policy, self.clients.get(client)) {
                return self.intend(client, Purpose::Renew);
            }
        }
        Ok(())
    }

    pub(super) fn renew(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        let entry = self.clients.get(client);
        let is_due = entry.renew_at.is_some_and(|due| due <= self.now);
        // Whoever is offline renews when it comes back.
        if is_due && entry.online && entry.standing == Standing::Member {
            return self.intend(client, Purpose::Renew);
        }
        Ok(())
    }

    /// A client processes what it has missed, and pays for it.
    pub(super) fn bring_forward(
        &mut self,
        client: ClientId,
        to: u64,
    ) -> Result<CaughtUp, ProtocolError> {
        let view = self.protocol.view(client);
        let mut caught = CaughtUp::default();
        if view.is_none() {
            // Its Welcome by itself, to tell what it costs; it leads to no epoch before the first.
            caught = self.protocol.advance(client, 0)?;
        }
        let from = self.protocol.view(client);
        let followed = self.protocol.advance(client, to)?;
        match (view, from, self.protocol.view(client)) {
            (None, Some(_), _) => self.note_joined(&caught),
            (None, None, Some(_)) => self.note_joined(&followed),
            _ => {}
        }
        self.note_followed(client, from, &followed);
        caught += followed;
        let tally = &mut self.clients.get_mut(client).tally;
        tally.ledger += caught.ledger;
        tally.bytes_received += caught.bytes;
        tally.commits_processed += caught.commits;
        Ok(caught)
    }

    /// News reaches a client that is online: a Welcome, or its own removal.
    pub(super) fn fetch(
        &mut self,
        client: ClientId,
        recorder: &mut dyn Recorder,
    ) -> Result<(), ProtocolError> {
        let entry = self.clients.get(client);
        if !entry.online {
            return Ok(());
        }
        if entry.lost.is_some() {
            return self.recover(client, recorder);
        }
        let received = self.delivery.received(self.now, entry.delay);
        let was_in = self.protocol.view(client).is_some();
        if self.bring_forward(client, received)?.removed {
            return self.find_oneself_removed(client);
        }
        if !was_in && self.protocol.view(client).is_some() {
            return self.is_in(client);
        }
        Ok(())
    }

    /// A client has processed what makes it a member.
    pub(super) fn is_in(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        self.have_newcomer_try(client)?;
        self.has_joined(client)
    }
}
