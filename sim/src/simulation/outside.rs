//! Who enters by itself, by an external commit: by an invitation link (`policy.joining`), or to come back
//! after its state was lost, or is so old that no mailbox has what leads on from it
//! (`policy.recovery`, `service.retention`).
//!
//! A lost device may be replaced by one with a backup. The Delivery Service says how far the client had
//! come: if that is further than the backup, its keys have been used since, and are used no more: it is
//! treated as a client that has lost everything.

use arboretum_engine::group::CommitCost;
use arboretum_engine::protocol::{ClientId, Entering, ProtocolError};
use arboretum_results::Recorder;
use arboretum_workloads::{Joining, Millis, Recovery};

use super::clients::{Purpose, Standing};
use super::delivery::Reason;
use super::events::Event;
use super::world::World;

/// What a backup of a client's state is known by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    view: Option<u64>,
    said: u64,
    received: u64,
}

impl World<'_, '_> {
    /// Somebody wants to be in the group.
    pub(super) fn ask_in(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        if self.demand.people()[client.0 as usize].further {
            return self.ask_own_devices(client);
        }
        match self.scenario.policy.joining {
            Joining::Invited => self.ask_add(client),
            Joining::Link => {
                self.vouch_for(client)?;
                self.clients.get_mut(client).standing = Standing::Asked;
                self.intend(client, Purpose::Enter)
            }
        }
    }

    /// Makes the external commit of somebody who enters by itself, by the GroupInfo that the Delivery
    /// Service has now, and sends it.
    pub(super) fn enter_by_oneself(
        &mut self,
        client: ClientId,
        purpose: Purpose,
    ) -> Result<(), ProtocolError> {
        let now = self.unix_now();
        let is_member = self.clients.get(client).standing == Standing::Member;
        let entering = if is_member {
            self.protocol.rejoin(client, now)?
        } else {
            self.protocol.join_by_link(client, now)?
        };
        let Entering { draft, fetched, publisher, published } = entering;
        let tally = &mut self.clients.get_mut(publisher).tally;
        tally.ledger += published.ledger;
        tally.bytes_sent += published.bytes;
        let entry = self.clients.get_mut(client);
        entry.tally.bytes_received += fetched;
        // The GroupInfo takes a delay to come, and the commit another to go.
        let delay = Millis(2 * entry.delay.0);
        self.facts.links.bytes_fetched += if is_member { 0 } else { fetched };
        self.facts.recovery.bytes +=
            if self.clients.get(client).lost.is_some() { fetched } else { 0 };
        self.put_on_the_way(client, purpose, draft, (delay, true));
        Ok(())
    }

    /// Somebody who means to enter tries, or tries again.
    pub(super) fn try_to_enter(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        let entry = self.clients.get(client);
        if !entry.online || self.drafts.iter().any(|sent| sent.sender == client) {
            return Ok(());
        }
        let (standing, wants_in) = (entry.standing, entry.wants_in);
        self.clients.get_mut(client).purpose = None;
        match standing {
            Standing::Outside => self.come_as_anybody(client),
            Standing::Asked if !wants_in => {
                self.clients.get_mut(client).standing = Standing::Outside;
                Ok(())
            }
            _ => self.enter_by_oneself(client, Purpose::Enter),
        }
    }

    /// Who finds itself out is one who may ask to come in.
    fn come_as_anybody(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        self.forget_all(client);
        self.clients.get_mut(client).lost = None;
        self.find_oneself_removed(client)
    }

    /// The commit is accepted by which a client has entered.
    pub(super) fn has_entered(
        &mut self,
        client: ClientId,
        cost: &CommitCost,
        recorder: &mut dyn Recorder,
    ) -> Result<(), ProtocolError> {
        let was_member = self.clients.get(client).standing == Standing::Member;
        let lost = self.clients.get_mut(client).lost.take();
        if let Some(since) = lost {
            self.clients.get_mut(client).came_back = false;
            self.facts.recovery.rejoined += 1;
            self.facts.recovery.bytes += cost.bytes;
            self.facts.recovery_ms.record(self.now.0 - since.0);
            self.note(recorder, "rejoined", client);
        }
        if was_member {
            if self.clients.get(client).is_awake() && lost.is_none() {
                self.close_mail(client);
            }
            self.mail.enter(client, self.protocol.epoch());
            return Ok(());
        }
        self.facts.links.joins += 1;
        self.facts.links.bytes += cost.bytes;
        self.note(recorder, "joined by link", client);
        self.enter(client);
        self.is_in(client)
    }

    /// A client is added by another: if it had lost its state, it has one again; if it is a further
    /// device, one of its user's has added it.
    pub(super) fn count_return(&mut self, client: ClientId, by: ClientId) {
        if let Some(since) = self.clients.get_mut(client).lost.take() {
            self.mail.forfeit(client);
            self.clients.get_mut(client).came_back = false;
            self.clients.get_mut(client).asked_back = false;
            self.facts.recovery.readded += 1;
            self.facts.recovery_ms.record(self.now.0 - since.0);
        }
        let people = self.demand.people();
        let (added, adder) = (people[client.0 as usize], people[by.0 as usize]);
        self.facts.devices.added += u64::from(added.further && added.user == adder.user);
    }

    /// What a client's state is known by now.
    fn progress(&self, client: ClientId) -> Progress {
        let entry = self.clients.get(client);
        let received = entry.tally.bytes_received;
        Progress { view: self.protocol.view(client), said: entry.said, received }
    }

    /// A client goes offline, and its state is backed up.
    pub(super) fn back_up(&mut self, client: ClientId) {
        self.clients.get_mut(client).backup = self.progress(client);
    }

    /// The next time that a client's device is lost.
    pub(super) fn plan_loss(&mut self, client: ClientId) {
        let count = self.clients.get(client).losses;
        if let Some(loss) = self.demand.next_loss(client.0, count, self.now) {
            self.schedule(loss.at, Event::Lose(client, loss.backup));
        }
    }

    /// A device is lost, and replaced.
    pub(super) fn lose(
        &mut self,
        client: ClientId,
        backup: bool,
        recorder: &mut dyn Recorder,
    ) -> Result<(), ProtocolError> {
        self.clients.get_mut(client).losses += 1;
        self.plan_loss(client);
        if self.protocol.view(client).is_none() {
            return Ok(());
        }
        self.facts.recovery.losses += 1;
        self.note(recorder, "lose", client);
        if backup && self.clients.get(client).backup == self.progress(client) {
            self.facts.recovery.backups_restored += 1;
            self.note(recorder, "restore", client);
            return Ok(());
        }
        if backup {
            self.facts.recovery.stale_backups += 1;
            self.note(recorder, "stale backup", client);
        }
        self.give_up_state(client)?;
        if self.clients.get(client).online { self.recover(client, recorder) } else { Ok(()) }
    }

    /// Whether a client was away for longer than mailboxes keep what it has missed.
    pub(super) fn is_cut_off(&self, client: ClientId) -> bool {
        let missed = self.protocol.view(client).is_some_and(|view| view < self.protocol.epoch());
        missed && self.is_expired(self.clients.get(client).last_seen)
    }

    /// What a client holds is of no use to it any more.
    pub(super) fn give_up_state(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        if self.clients.get(client).is_awake() {
            self.close_mail(client);
        }
        self.protocol.lose_state(client)?;
        self.mail.forfeit(client);
        self.drafts.retain(|sent| sent.sender != client);
        let now = self.now;
        let entry = self.clients.get_mut(client);
        entry.lost = Some(now);
        entry.came_back = entry.online;
        match entry.purpose.take() {
            Some(Purpose::Requests(requests)) => {
                self.delivery.put_back(requests);
                self.batch_waiting = true;
                self.requests_are_settled()
            }
            _ => Ok(()),
        }
    }

    /// Who has been removed for having lost its state asks to be added; it counts as lost until it is.
    fn come_back_anew(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        match self.scenario.policy.recovery {
            Recovery::External => self.come_as_anybody(client),
            Recovery::Invited => self.find_oneself_removed(client),
        }
    }

    /// A client without its state comes back.
    pub(super) fn recover(
        &mut self,
        client: ClientId,
        recorder: &mut dyn Recorder,
    ) -> Result<(), ProtocolError> {
        match self.clients.get(client).purpose {
            None => {}
            Some(Purpose::Enter) => return self.try_to_enter(client),
            Some(_) => return Ok(()),
        }
        match self.clients.get(client).standing {
            Standing::Member => {}
            Standing::Outside => return self.come_back_anew(client),
            Standing::Asked => return Ok(()),
        }
        self.note(recorder, "recover", client);
        match self.scenario.policy.recovery {
            Recovery::External => self.intend(client, Purpose::Enter),
            Recovery::Invited if self.clients.get(client).asked_back => Ok(()),
            Recovery::Invited => {
                self.clients.get_mut(client).asked_back = true;
                self.delivery.ask_remove(client, Reason::Lost);
                self.hand_out_if_immediate()
            }
        }
    }
}
