//! Commits: who makes them, in which view, and what the Delivery Service does with them. The
//! first of each epoch is taken; whoever comes too late processes it and tries again.

use arboretum_engine::protocol::{ClientId, Draft, Order, ProtocolError};
use arboretum_results::Recorder;
use arboretum_workloads::Millis;

use super::behaviour::Batching;
use super::clients::{Purpose, Standing};
use super::delivery::{Reason, Requests};
use super::events::Event;
use super::policy::draw_committer;
use super::world::{OnTheWay, World};

impl World<'_, '_> {
    pub(super) fn hand_out_if_immediate(&mut self) -> Result<(), ProtocolError> {
        match self.behaviour.batching.period() {
            None if self.delivery.has_requests() => self.hand_out(),
            _ if self.batch_waiting => self.hand_out(),
            _ => Ok(()),
        }
    }

    pub(super) fn batch_is_due(&mut self) -> Result<(), ProtocolError> {
        if let Some(period) = self.behaviour.batching.period() {
            let next = self.later(period);
            self.schedule(next, Event::Batch);
        }
        self.hand_out()
    }

    /// Hands the waiting requests to a member that is online; if there is none, they wait for
    /// the next to come online.
    pub(super) fn hand_out(&mut self) -> Result<(), ProtocolError> {
        self.batch_waiting = false;
        let by_servers = matches!(self.behaviour.batching, Batching::Servers(_));
        if !self.delivery.has_requests() {
            if by_servers {
                self.have_server_renew();
            }
            return Ok(());
        }
        let mut requests = self.delivery.take_requests();
        let committer =
            if by_servers { self.draw_server() } else { self.member_for(&mut requests) };
        let Some(committer) = committer else {
            self.delivery.put_back(requests);
            self.batch_waiting = true;
            return Ok(());
        };
        self.handed_out += 1;
        self.ask_to_commit(committer, Purpose::Requests(requests));
        Ok(())
    }

    /// A member online and free that can put requests into effect. Where all members are to be removed, one
    /// of them gets all but its own removal, which waits: otherwise a group whose only member was to be
    /// evicted could never let anybody in.
    fn member_for(&mut self, requests: &mut Requests) -> Option<ClientId> {
        self.facts.batches += 1;
        let draw = |is_fit: &dyn Fn(ClientId) -> bool| {
            draw_committer(&self.root_seed, &self.clients, self.facts.batches, |client| {
                self.is_free(client) && is_fit(client)
            })
        };
        let goes = |client| requests.removes.iter().any(|(removed, _)| *removed == client);
        if let Some(committer) = draw(&|client| !goes(client)) {
            return Some(committer);
        }
        if requests.removes.len() < self.protocol.tree().members as usize {
            return None;
        }
        let committer = draw(&|_| true)?;
        let removes = std::mem::take(&mut requests.removes);
        let (own, others) = removes.into_iter().partition(|(removed, _)| *removed == committer);
        requests.removes = others;
        self.delivery.put_back(Requests { removes: own, ..Requests::default() });
        self.batch_waiting = true;
        (!requests.is_empty()).then_some(committer)
    }

    /// Whether a member can be asked to commit.
    pub(super) fn is_free(&self, client: ClientId) -> bool {
        self.clients.get(client).purpose.is_none()
            && self.protocol.view(client).is_some()
            && !self.is_shut_out(client)
    }

    /// The server asks a member that is online and free to commit; it hears of it a delay later.
    pub(super) fn ask_to_commit(&mut self, client: ClientId, purpose: Purpose) {
        let at = self.later(self.clients.get(client).delay);
        self.clients.get_mut(client).purpose = Some(purpose);
        self.schedule(at, Event::Commit(client));
    }

    /// A client means to commit, unless it is at it already.
    pub(super) fn intend(
        &mut self,
        client: ClientId,
        purpose: Purpose,
    ) -> Result<(), ProtocolError> {
        if self.clients.get(client).purpose.is_some() {
            return Ok(());
        }
        if matches!(purpose, Purpose::Renew) && !self.may_commit(client) {
            self.want_update(client);
            return Ok(());
        }
        self.clients.get_mut(client).purpose = Some(purpose);
        self.commit(client)
    }

    /// Makes the commit that a client means to make, in its own view, and sends it.
    pub(super) fn commit(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        let entry = self.clients.get(client);
        let (delay, online) = (entry.delay, entry.online);
        let received = self.delivery.received(self.now, delay);
        if matches!(self.clients.get(client).purpose, Some(Purpose::Enter)) {
            return self.try_to_enter(client);
        }
        self.bring_forward(client, received)?;
        let Some(mut purpose) = self.clients.get_mut(client).purpose.take() else { return Ok(()) };
        let enters = matches!(purpose, Purpose::EnterAnew);
        let is_able = enters == self.is_shut_out(client);
        let may = online && self.protocol.view(client).is_some() && is_able;
        self.evict_ghosts_if_too_few(&mut purpose);
        let Some(order) = self.order(client, &purpose).filter(|_| may) else {
            if let Purpose::Requests(requests) = purpose {
                self.delivery.put_back(requests);
                self.batch_waiting = true;
                self.requests_are_settled()?;
            }
            // A ghost's turn comes when it has found its keys.
            return if online && self.is_shut_out(client) {
                self.seek_shares(client)
            } else {
                Ok(())
            };
        };
        if matches!(purpose, Purpose::Rebuild) {
            return self.rebuild(client);
        }
        if self.is_to_resync(client, &purpose)? {
            return self.resync(client);
        }
        if enters {
            return self.enter_by_oneself(client, purpose);
        }
        let order = self.with_swaps(order)?;
        let waits = self.gather_updates(&order)?;
        let ghosts = match &purpose {
            Purpose::Requests(requests) => self.to_quarantine(&order, requests),
            _ => vec![],
        };
        let draft = if self.behaviour.quarantine().is_some() {
            self.protocol.quarantine(order, &ghosts)?
        } else {
            self.protocol.commit(order)?
        };
        self.send(client, purpose, draft, Millis(waits.0 + delay.0));
        Ok(())
    }

    /// A client's commit is on its way to the Delivery Service, and arrives after `delay`.
    pub(super) fn send(&mut self, client: ClientId, purpose: Purpose, draft: Draft, delay: Millis) {
        self.put_on_the_way(client, purpose, draft, (delay, false));
    }

    /// The same, or an external commit by which the client `enters`.
    pub(super) fn put_on_the_way(
        &mut self,
        client: ClientId,
        purpose: Purpose,
        draft: Draft,
        (delay, enters): (Millis, bool),
    ) {
        let entry = self.clients.get_mut(client);
        entry.purpose = Some(purpose);
        entry.tally.ledger += draft.ledger;
        entry.tally.bytes_sent += draft.cost.bytes + draft.cost.bytes_welcome;
        entry.drafts += 1;
        let (number, rotates) = (entry.drafts, entry.rotates && !enters);
        self.drafts.push(OnTheWay { sender: client, draft, enters, rotates, number });
        self.schedule(self.later(delay), Event::Deliver(client, number));
    }

    /// What a client would commit now: requests that others have settled meanwhile fall away.
    pub(super) fn order(&self, by: ClientId, purpose: &Purpose) -> Option<Order> {
        let (mut adds, mut removes) = (vec![], vec![]);
        if let Purpose::Requests(requests) = purpose {
            let standing = |client: &ClientId| self.clients.get(*client).standing;
            adds.extend(requests.adds.iter().filter(|c| standing(c) == Standing::Asked));
            let members = requests.removes.iter().map(|(client, _)| client);
            removes.extend(members.filter(|c| standing(c) == Standing::Member && **c != by));
            let order = Order { by, adds, removes, now: self.unix_now() };
            let nothing = order.adds.is_empty() && order.removes.is_empty();
            let nothing = nothing && self.to_quarantine(&order, requests).is_empty();
            return (!nothing).then_some(order);
        }
        Some(Order { by, adds, removes, now: self.unix_now() })
    }

    /// A commit reaches the Delivery Service, which takes the first of each epoch.
    pub(super) fn deliver(
        &mut self,
        client: ClientId,
        number: u32,
        recorder: &mut dyn Recorder,
    ) -> Result<(), ProtocolError> {
        let is_it = |sent: &OnTheWay| sent.sender == client && sent.number == number;
        let Some(at) = self.drafts.iter().position(is_it) else {
            return Ok(());
        };
        let OnTheWay { draft, enters, rotates, .. } = self.drafts.swap_remove(at);
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
        let was_asked = matches!(purpose, Some(Purpose::Requests(_)));
        if matches!(purpose, Some(Purpose::EnterAnew)) {
            self.has_entered_anew(client, recorder);
        }
        if matches!(purpose, Some(Purpose::Rebuild)) {
            self.was_sound = false;
        }
        let requests = match purpose {
            Some(Purpose::Requests(requests)) => requests,
            _ => Requests::default(),
        };
        self.count_requests(&draft.order, &requests);
        let order = draft.order.clone();
        order.adds.iter().for_each(|added| self.take_package(*added));
        let cost = draft.cost;
        self.put_into_effect(draft, false, recorder)?;
        self.delivery.accept(self.now);
        let first = self.delivery.forget_before(self.now, self.longest_delay());
        self.protocol.release_before(first);
        self.mail.forget_sizes_before(first);
        if enters {
            self.has_entered(client, &cost, recorder)?;
        }
        self.settle_members(&order, recorder);
        for client in &order.removes {
            self.look_after_devices(*client)?;
        }
        // Its credential was taken back while the commit that adds it was on its way.
        for client in order.adds.iter().filter(|it| !self.authentication.vouches_for(**it)) {
            self.delivery.ask_remove(*client, Reason::Revoked);
        }
        self.updates_are_in_effect(client);
        self.clients.get_mut(client).tally.commits_sent += 1;
        self.has_new_keys(client);
        self.has_rotated(client, rotates, recorder);
        if was_asked {
            self.requests_are_settled()?;
        }
        self.rebuild_if_due(client)
    }

    pub(super) fn count_requests(&mut self, order: &Order, requests: &Requests) {
        let mut count = |reason| {
            let is_done = |(client, why): &&(ClientId, Reason)| {
                *why == reason && order.removes.contains(client)
            };
            let done = requests.removes.iter().filter(is_done);
            done.inspect(|(client, _)| self.clients.get_mut(*client).is_removed_for(reason)).count()
        };
        let (leaves, evictions) = (count(Reason::Leave), count(Reason::Evict));
        self.facts.leaves = leaves as u32;
        self.facts.evictions = evictions as u32;
    }

    /// Members come and go with an accepted commit; those online hear of it.
    pub(super) fn settle_members(&mut self, order: &Order, recorder: &mut dyn Recorder) {
        for removed in &order.removes {
            let entry = self.clients.get_mut(*removed);
            entry.standing = Standing::Outside;
            entry.renew_at = None;
            self.is_leaving(*removed);
            self.mail.leave(*removed, self.protocol.epoch());
            self.clients.settle(*removed);
            self.note(recorder, "removed", *removed);
            self.schedule(self.later(self.clients.get(*removed).delay), Event::Fetch(*removed));
        }
        for added in &order.adds {
            self.count_return(*added, order.by);
            self.enter(*added);
            self.note(recorder, "added", *added);
            self.schedule(self.later(self.clients.get(*added).delay), Event::Fetch(*added));
        }
    }

    /// A client's keys are new: the next renewal is a period away.
    pub(super) fn has_new_keys(&mut self, client: ClientId) {
        let due = self.scenario.policy.update_every.map(|period| self.later(period));
        let now = self.now;
        let entry = self.clients.get_mut(client);
        entry.keyed_at = now;
        entry.messages = 0;
        entry.renew_at = due;
        if let Some(due) = due {
            self.schedule(due, Event::Renew(client));
        }
    }
}
