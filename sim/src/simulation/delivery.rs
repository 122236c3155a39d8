//! The Delivery Service: one ordered log for the group, mailboxes as cursors into it, and the
//! requests that wait for somebody to commit them. It holds messages and metadata and no key.

use std::collections::{BTreeMap, VecDeque};

use arboretum_engine::protocol::ClientId;
use arboretum_workloads::Millis;

/// Why somebody is to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// It wants to leave.
    Leave,
    /// Another member wants it out.
    ByMember,
    /// The server has not seen it for too long.
    Evict,
    /// It has lost its state, and wants to be added anew.
    Lost,
    /// Its credential was taken back.
    Revoked,
}

/// Requests that wait, or that a committer has taken.
#[derive(Clone, Debug, Default)]
pub(super) struct Requests {
    /// Clients that ask to be added, in the order of asking.
    pub(super) adds: Vec<ClientId>,
    /// Clients to be removed.
    pub(super) removes: Vec<(ClientId, Reason)>,
    /// Silent members whose keys are to be made for them.
    pub(super) ghosts: Vec<ClientId>,
}

impl Requests {
    pub(super) fn is_empty(&self) -> bool {
        self.adds.is_empty() && self.removes.is_empty() && self.ghosts.is_empty()
    }
}

/// A client's key packages.
#[derive(Clone, Debug, Default)]
struct Packages {
    /// How many the directory has, the last of which is given out again and again.
    left: u32,
    /// Those that nobody has taken, the oldest first: when so many of them were published.
    fresh: VecDeque<(Millis, u32)>,
    /// When the one was published that was taken last.
    last: Option<Millis>,
}

impl Packages {
    fn publish(&mut self, count: u32, now: Millis) {
        self.left += count;
        if count > 0 {
            self.fresh.push_back((now, count));
        }
    }

    /// Takes the oldest that nobody has taken, or the last one again; gives when it was published.
    fn take(&mut self) -> Option<Millis> {
        if self.left > 1 {
            self.left -= 1;
        }
        if let Some((published, count)) = self.fresh.front_mut() {
            self.last = Some(*published);
            *count -= 1;
            if *count == 0 {
                self.fresh.pop_front();
            }
        }
        self.last
    }
}

/// The Delivery Service of one group.
#[derive(Debug, Default)]
pub(super) struct DeliveryService {
    /// When each epoch's commit was accepted: the log, of which only the times matter here.
    /// Epochs up to `first` are older than any delay.
    accepted_at: VecDeque<Millis>,
    first: u64,
    waiting: Requests,
    /// Key packages left in the directory.
    directory: BTreeMap<ClientId, Packages>,
    /// Adds that took a last-resort package.
    pub(super) last_resort: u64,
}

impl DeliveryService {
    /// The log begins at an epoch that everybody in the group has.
    pub(super) fn begin(&mut self, epoch: u64) {
        self.first = epoch;
        self.accepted_at = VecDeque::from([Millis(0)]);
    }

    /// Takes a commit into the log.
    pub(super) fn accept(&mut self, now: Millis) {
        self.accepted_at.push_back(now);
    }

    /// The newest epoch that a client with this delay has received at `now`: a mailbox is a
    /// cursor into the log.
    pub(super) fn received(&self, now: Millis, delay: Millis) -> u64 {
        let sent_by = now.0.checked_sub(delay.0);
        let received =
            sent_by.map_or(0, |by| self.accepted_at.partition_point(|accepted| accepted.0 <= by));
        self.first + received.saturating_sub(1) as u64
    }

    /// Forgets when epochs were accepted that are older than any delay, and says which epoch
    /// is the first still remembered.
    pub(super) fn forget_before(&mut self, now: Millis, longest_delay: Millis) -> u64 {
        let old = now.0.saturating_sub(longest_delay.0);
        while self.accepted_at.len() > 1 && self.accepted_at[1].0 < old {
            self.accepted_at.pop_front();
            self.first += 1;
        }
        self.first
    }

    /// A client publishes key packages.
    pub(super) fn publish(&mut self, client: ClientId, packages: u32, now: Millis) {
        self.directory.entry(client).or_default().publish(packages, now);
    }

    /// A client publishes new packages in the place of those that were taken, up to as many as it
    /// keeps; gives how many.
    pub(super) fn refill(&mut self, client: ClientId, kept: u32, now: Millis) -> u32 {
        let packages = self.directory.entry(client).or_default();
        let missing = kept.saturating_sub(packages.left);
        packages.publish(missing, now);
        missing
    }

    /// A committer takes a client's oldest package, or the last one again; gives when it was published.
    pub(super) fn take_package(&mut self, client: ClientId) -> Option<Millis> {
        let packages = self.directory.get_mut(&client);
        self.last_resort += u64::from(packages.as_ref().is_none_or(|it| it.left <= 1));
        packages?.take()
    }

    /// A client asks to be added.
    pub(super) fn ask_add(&mut self, client: ClientId) {
        self.waiting.adds.push(client);
    }

    /// Somebody asks that a client be removed; asking twice changes nothing.
    pub(super) fn ask_remove(&mut self, client: ClientId, reason: Reason) {
        if !self.waiting.removes.iter().any(|(waiting, _)| *waiting == client) {
            self.waiting.removes.push((client, reason));
        }
    }

    /// A silent member is to have its keys made for it.
    pub(super) fn ask_quarantine(&mut self, client: ClientId) {
        if !self.waiting.ghosts.contains(&client) {
            self.waiting.ghosts.push(client);
        }
    }

    /// What waits is handed out.
    pub(super) fn take_requests(&mut self) -> Requests {
        std::mem::take(&mut self.waiting)
    }

    /// What could not be committed waits again, before what came since; what was asked for meanwhile once
    /// more waits once.
    pub(super) fn put_back(&mut self, requests: Requests) {
        let since = std::mem::replace(&mut self.waiting, requests);
        for client in since.adds {
            if !self.waiting.adds.contains(&client) {
                self.waiting.adds.push(client);
            }
        }
        since.removes.into_iter().for_each(|(client, reason)| self.ask_remove(client, reason));
        since.ghosts.into_iter().for_each(|client| self.ask_quarantine(client));
    }

    /// Whether anything waits.
    pub(super) fn has_requests(&self) -> bool {
        !self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_is_a_cursor_into_the_log() {
        let mut service = DeliveryService::default();
        service.begin(5);
        service.accept(Millis(100));
        service.accept(Millis(200));
        assert_eq!(service.received(Millis(100), Millis(0)), 6);
        assert_eq!(service.received(Millis(149), Millis(50)), 5);
        assert_eq!(service.received(Millis(250), Millis(50)), 7);
        assert_eq!(service.received(Millis(10), Millis(50)), 5);
        assert_eq!(service.forget_before(Millis(1_000), Millis(50)), 7);
        assert_eq!(service.received(Millis(1_000), Millis(50)), 7);
    }

    #[test]
    fn what_is_put_back_and_asked_for_again_waits_once() {
        let mut service = DeliveryService::default();
        let [a, b] = [ClientId(1), ClientId(2)];
        service.ask_remove(a, Reason::Evict);
        service.ask_add(b);
        let taken = service.take_requests();
        service.ask_remove(a, Reason::Leave);
        service.ask_remove(b, Reason::Leave);
        service.ask_add(b);
        service.put_back(taken);
        let waiting = service.take_requests();
        assert_eq!(waiting.removes, [(a, Reason::Evict), (b, Reason::Leave)]);
        assert_eq!(waiting.adds, [b]);
    }

    #[test]
    fn the_oldest_package_is_taken_and_the_last_one_never_used_up() {
        let mut service = DeliveryService::default();
        let client = ClientId(1);
        service.publish(client, 2, Millis(5));
        let take = |service: &mut DeliveryService| service.take_package(client).unwrap().0;
        assert_eq!([(); 3].map(|()| take(&mut service)), [5, 5, 5]);
        assert_eq!((service.last_resort, service.refill(client, 3, Millis(9))), (2, 2));
        assert_eq!([(); 4].map(|()| take(&mut service)), [9, 9, 9, 9]);
        assert_eq!((service.last_resort, service.take_package(ClientId(2))), (4, None));
    }
}
