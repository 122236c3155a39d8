//! The event queue. Its order is total: by time, then by kind, then by client, then by the
//! order of scheduling. Nothing else decides what happens first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use arboretum_engine::protocol::{ClientId, MessageId};
use arboretum_workloads::Millis;

/// Something that happens at a moment. The order of the kinds is the order within one
/// millisecond: messages arrive before anybody acts on them, people come before they go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// A commit reaches the Delivery Service, by its number among its sender's.
    Deliver(ClientId, u32),
    /// An application message reaches the Delivery Service.
    Relay(MessageId),
    /// Something new reaches a client that is online: a Welcome, or its removal.
    Fetch(ClientId),
    /// A copy of an application message reaches a client, by its place in the log.
    Receive(ClientId, u32),
    /// A person turns up for the first time and asks to be added.
    Arrive(ClientId),
    /// A client comes online.
    Online(ClientId),
    /// A client tries again after its commit was rejected.
    Retry(ClientId),
    /// A committer has received the requests it is to commit.
    Commit(ClientId),
    /// A client sends a message.
    Message(ClientId),
    /// A client's key is old enough to be renewed.
    Renew(ClientId),
    /// A person leaves for good.
    Leave(ClientId),
    /// Another member wants this one removed.
    Remove(ClientId),
    /// A client has been unseen for as long as the server allows; the number tells absences
    /// of one client apart.
    Evict(ClientId, u32),
    /// A client's device is lost; whether a backup is restored.
    Lose(ClientId, bool),
    /// A client is to have a new signature key.
    Rotate(ClientId),
    /// A client's credential is taken back.
    Revoke(ClientId),
    /// A ghost's request for shares has come to the Delivery Service.
    Gather(ClientId),
    /// The answers of a quorum have come to a ghost.
    Recover(ClientId),
    /// A ghost has waited for a quorum long enough; the number tells its requests apart.
    GiveUp(ClientId, u32),
    /// The waiting requests are handed to a committer.
    Batch,
    /// A member is asked to warm the tree.
    Warm,
    /// A client goes offline.
    Offline(ClientId),
    /// The states of some members are copied.
    Compromise,
    /// A snapshot of the tree is taken.
    Snapshot,
}

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Reverse<(Millis, Event, u64)>>,
    scheduled: u64,
}

impl Queue {
    pub(super) fn schedule(&mut self, at: Millis, event: Event) {
        self.heap.push(Reverse((at, event, self.scheduled)));
        self.scheduled += 1;
    }

    pub(super) fn next(&mut self) -> Option<(Millis, Event)> {
        self.heap.pop().map(|Reverse((at, event, _))| (at, event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_time_then_kind_then_client_then_scheduling() {
        let mut queue = Queue::default();
        let (a, b) = (ClientId(1), ClientId(2));
        queue.schedule(Millis(2), Event::Deliver(a, 0));
        queue.schedule(Millis(1), Event::Offline(a));
        queue.schedule(Millis(1), Event::Online(b));
        queue.schedule(Millis(1), Event::Online(a));
        queue.schedule(Millis(1), Event::Deliver(b, 0));
        let order: Vec<_> = std::iter::from_fn(|| queue.next()).map(|(_, event)| event).collect();
        let expected = [
            Event::Deliver(b, 0),
            Event::Online(a),
            Event::Online(b),
            Event::Offline(a),
            Event::Deliver(a, 0),
        ];
        assert_eq!(order, expected);
    }
}
