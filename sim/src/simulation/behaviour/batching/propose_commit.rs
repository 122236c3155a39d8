//! `propose-commit:R`: before a member commits, R members online, drawn at random, propose Updates
//! of their own leaves (RFC 9420 §12.1.2), and it covers them by reference. Requests are committed
//! one by one, as with `immediate`.
//!
//! Sent: a proposal with a whole leaf node by each of the R, received and verified by everybody, and
//! a commit that names each by a hash. One epoch renews R + 1 members in place of one, but an Update
//! has no path: it blanks the one above its leaf, and later commits pay for that. With R = 1 the
//! cost of a commit already grows like n to the power of log2(3/2).
//!
//! What it trades: R members more are out of a thief's reach after one epoch, and the tree is cold
//! for good. The committer waits for the proposals, two delays of the slowest and its own, and
//! loses the race more often; what was proposed for it is then in vain. RFC 9420 as it stands.
//!
//! The records have the bytes of the commit alone; what was proposed is in the totals of clients and
//! in what a catch-up fetches. Who loses the race is charged twice for verifying its proposals.

use std::collections::BTreeMap;

use arboretum_engine::protocol::{ClientId, Order, Protocol, ProtocolError};
use arboretum_workloads::Millis;

use super::Batching;
use crate::simulation::world::World;

/// How often a proposer is drawn for each that is wanted: some are busy, or lag.
const DRAWS: u64 = 8;

/// Who has proposed in the newest epoch.
#[derive(Debug, Default)]
pub(in crate::simulation) struct Proposing {
    waiting: Vec<ClientId>,
    /// By committer: whose Updates its commit covers.
    covered: BTreeMap<ClientId, Vec<ClientId>>,
}

impl<P: Protocol> World<'_, '_, P> {
    /// Others propose for a commit that is about to be made. Gives how long its sender waits.
    pub(in crate::simulation) fn gather_updates(
        &mut self,
        order: &Order,
    ) -> Result<Millis, ProtocolError> {
        let Batching::ProposeCommit(wanted) = self.behaviour.batching else {
            return Ok(Millis(0));
        };
        let epoch = self.protocol.epoch();
        if self.protocol.view(order.by) != Some(epoch) || self.clients.online().is_empty() {
            return Ok(Millis(0));
        }
        let mut stream = self.root_seed.stream("proposers", order.by.0.into(), epoch);
        let (mut proposed, mut slowest) = (0, 0);
        for _ in 0..u64::from(wanted) * DRAWS {
            if proposed == wanted {
                break;
            }
            let online = self.clients.online();
            let client = online[stream.below(online.len() as u64) as usize];
            if client != order.by && !order.removes.contains(&client) && self.propose(client)? {
                slowest = slowest.max(self.clients.get(client).delay.0);
                proposed += 1;
            }
        }
        let mut covered = self.proposing.waiting.clone();
        covered.retain(|client| *client != order.by && !order.removes.contains(client));
        self.proposing.covered.insert(order.by, covered);
        let own = self.clients.get(order.by).delay.0;
        Ok(Millis(if proposed == 0 { 0 } else { 2 * slowest + own }))
    }

    /// A member proposes, if it has everything that was sent and has not proposed yet.
    fn propose(&mut self, client: ClientId) -> Result<bool, ProtocolError> {
        let received = self.delivery.received(self.now, self.clients.get(client).delay);
        let epoch = self.protocol.epoch();
        if received != epoch || self.proposing.waiting.contains(&client) {
            return Ok(false);
        }
        self.bring_forward(client, received)?;
        if self.protocol.view(client) != Some(epoch) {
            return Ok(false);
        }
        let sent = self.protocol.propose_update(client)?;
        let tally = &mut self.clients.get_mut(client).tally;
        tally.ledger += sent.ledger;
        tally.bytes_sent += sent.bytes;
        self.proposing.waiting.push(client);
        Ok(true)
    }

    /// A commit was accepted: those whose Updates it covers have new keys, and an epoch begins in
    /// which nobody has proposed.
    pub(in crate::simulation) fn updates_are_in_effect(&mut self, committer: ClientId) {
        let mut ended = std::mem::take(&mut self.proposing);
        for client in ended.covered.remove(&committer).unwrap_or_default() {
            self.has_new_keys(client);
        }
    }
}
