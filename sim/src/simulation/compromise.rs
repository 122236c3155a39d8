//! Passive compromises: now and then the states of some members are copied, and after each commit the
//! protocol is asked what each copy still leads to. Nothing in the group notices: a run has the same
//! records with and without them.

use arboretum_engine::protocol::{ClientId, Copied, CopyId, PAST_EPOCHS, ProtocolError, Sent};
use arboretum_results::{Distribution, Healing, Recorder};
use arboretum_workloads::Millis;

use super::clients::Standing;
use super::events::Event;
use super::world::World;

/// So many letters in a row that are too old to be read, and older ones are not looked for: what senders that
/// lag have sent stands a few places later than its epoch.
const OLD_LETTERS: u32 = 1_000;

/// A copied state.
#[derive(Debug)]
struct Copy {
    id: CopyId,
    client: ClientId,
    at: Millis,
    epoch: u64,
    /// Since when it leads to the newest epoch, if it did when it was last looked at.
    knows: Option<Millis>,
    /// For how long it did, before that.
    exposed: Millis,
    /// When it first did not, and the epoch of that.
    healed: Option<(Millis, u64)>,
    /// The newest epoch that it did not lead to after one that it did.
    until: u64,
    /// Whether it has led to one again after that.
    reopened: bool,
    /// When nothing could follow from it any more.
    spent: Option<Millis>,
    /// Messages that it opens, of those that were sent before it was taken, and after.
    before: u64,
    after: u64,
    /// The age of the oldest of the former.
    oldest: Option<Millis>,
}

/// All copies of a run.
#[derive(Debug, Default)]
pub(super) struct Compromises {
    copies: Vec<Copy>,
    /// How often copies have been taken.
    times: u64,
}

impl World<'_, '_> {
    /// Schedules the next time that states are copied.
    pub(super) fn plan_compromise(&mut self) {
        let Some(compromise) = self.scenario.measure.compromise else { return };
        let next = self.later(compromise.every);
        if compromise.stop_after.is_none_or(|last| next <= last) {
            self.schedule(next, Event::Compromise);
        }
    }

    pub(super) fn compromise_is_due(
        &mut self,
        recorder: &mut dyn Recorder,
    ) -> Result<(), ProtocolError> {
        self.plan_compromise();
        let Some(compromise) = self.scenario.measure.compromise else { return Ok(()) };
        let times = self.compromises.times;
        self.compromises.times += 1;
        let has_state = |client: &ClientId| {
            let entry = self.clients.get(*client);
            entry.standing == Standing::Member && entry.lost.is_none()
        };
        let clients = (0..self.clients.iter().len() as u32).map(ClientId);
        let mut members: Vec<ClientId> = clients.filter(has_state).collect();
        // By lot, and each has its own: who else is a member there changes nobody's.
        members.sort_by_cached_key(|client| {
            self.people_seed.stream("compromise", client.0.into(), times).below(u64::MAX)
        });
        members.truncate(compromise.clients as usize);
        members.into_iter().try_for_each(|client| self.take_copy(client, recorder))
    }

    fn take_copy(
        &mut self,
        client: ClientId,
        recorder: &mut dyn Recorder,
    ) -> Result<(), ProtocolError> {
        let own = self.drafts.iter().filter(|sent| sent.sender == client);
        let own: Vec<_> = own.map(|sent| &sent.draft).collect();
        let id = self.protocol.copy_state(client, &own)?;
        self.note(recorder, "copied", client);
        let (before, oldest) = self.old_messages(id, client)?;
        let epoch = self.protocol.epoch();
        // What a ghost holds leads to no epoch.
        let leads = self.protocol.copied(id).unwrap_or(Copied::SPENT).knows_epoch;
        if !leads {
            self.note(recorder, "healed", client);
        }
        self.compromises.copies.push(Copy {
            id,
            client,
            at: self.now,
            epoch,
            knows: leads.then_some(self.now),
            exposed: Millis(0),
            healed: (!leads).then_some((self.now, epoch)),
            until: if leads { 0 } else { epoch },
            reopened: false,
            spent: None,
            before,
            after: 0,
            oldest,
        });
        Ok(())
    }

    /// How many of the messages that have been sent, and are kept, a copy opens; and when the oldest was sent.
    fn old_messages(
        &self,
        copy: CopyId,
        client: ClientId,
    ) -> Result<(u64, Option<Millis>), ProtocolError> {
        let first = self.protocol.view(client).unwrap_or(0).saturating_sub(PAST_EPOCHS);
        let (mut readable, mut oldest, mut old) = (0, None, 0);
        for (message, epoch, posted) in self.mail.newest_first() {
            if epoch < first {
                old += 1;
                if old == OLD_LETTERS {
                    break;
                }
                continue;
            }
            old = 0;
            match self.protocol.copy_reads(copy, message) {
                Err(ProtocolError::NoSuchMessage(_)) => break,
                // What has expired since the mailboxes were last cleared is not handed out any more.
                Ok(opens) if !opens || self.is_expired(posted) => {}
                Ok(_) => {
                    readable += 1;
                    oldest = Some(oldest.map_or(posted, |before: Millis| before.min(posted)));
                }
                Err(error) => return Err(error),
            }
        }
        Ok((readable, oldest.map(|posted| Millis(self.now.0 - posted.0))))
    }

    /// A commit was accepted: asks what each copy leads to by now.
    pub(super) fn look_at_copies(&mut self, recorder: &mut dyn Recorder) {
        let (now, epoch) = (self.now, self.protocol.epoch());
        let mut changed = vec![];
        for copy in self.compromises.copies.iter_mut().filter(|copy| copy.spent.is_none()) {
            let found = self.protocol.copied(copy.id).unwrap_or(Copied::SPENT);
            if !found.knows_epoch
                && let Some(since) = copy.knows.take()
            {
                copy.exposed.0 += now.0 - since.0;
                copy.until = epoch;
                copy.healed.get_or_insert((now, epoch));
                changed.push(("healed", copy.client));
            } else if found.knows_epoch && copy.knows.is_none() {
                copy.reopened = true;
                copy.knows = Some(now);
                changed.push(("reopened", copy.client));
            }
            copy.spent = found.is_spent.then_some(now);
        }
        for (what, client) in changed {
            self.note(recorder, what, client);
        }
    }

    /// A message was sent: some with copies open it.
    pub(super) fn have_thieves_read(&mut self, sent: &Sent) -> Result<(), ProtocolError> {
        for copy in &mut self.compromises.copies {
            if copy.knows.is_some() || sent.epoch < copy.until {
                copy.after += u64::from(self.protocol.copy_reads(copy.id, sent.message)?);
            }
        }
        Ok(())
    }

    /// What came of all copies.
    pub(super) fn healing(&self) -> Healing {
        let copies = &self.compromises.copies;
        let count = |is: fn(&&Copy) -> bool| copies.iter().filter(is).count() as u64;
        let over = |value: &dyn Fn(&Copy) -> Option<u64>| {
            let mut distribution = Distribution::default();
            copies.iter().filter_map(value).for_each(|value| distribution.record(value));
            distribution.five_figures()
        };
        let seconds = |from: Millis, to: Millis| (to.0 - from.0) / 1_000;
        let end = self.now;
        let with_mail = self.has_mail();
        Healing {
            copies: copies.len() as u64,
            healed: count(|copy| copy.healed.is_some()),
            reopened: count(|copy| copy.reopened),
            still_known: count(|copy| copy.knows.is_some()),
            epochs: over(&|copy| Some(copy.healed?.1 - copy.epoch)),
            seconds: over(&|copy| Some(seconds(copy.at, copy.healed?.0))),
            exposed_seconds: over(&|copy| {
                let now = copy.knows.map_or(0, |since| end.0 - since.0);
                Some((copy.exposed.0 + now) / 1_000)
            }),
            residual_seconds: over(&|copy| Some(seconds(copy.at, copy.spent?))),
            messages_after: over(&|copy| with_mail.then_some(copy.after)),
            messages_before: over(&|copy| with_mail.then_some(copy.before)),
            oldest_before_s: over(&|copy| Some(copy.oldest?.0 / 1_000)),
        }
    }
}
