//! Proposals by others for a commit that is about to be made: who is drawn, how long the committer waits, and
//! whose keys are new when it is accepted.
//!
//! The records have the bytes of the commit alone; what was proposed is in the totals of clients and
//! in what a catch-up fetches. Who loses the race is charged twice for verifying its proposals.

use std::collections::{BTreeMap, BTreeSet};

use arboretum_engine::protocol::{ClientId, Order, ProtocolError};
use arboretum_engine::treesync::MAX_PATHS;
use arboretum_workloads::Millis;

use super::{Batching, concurrent, propose_commit};
use crate::simulation::world::World;

/// How often a proposer is drawn for each that is wanted: some are busy, or lag.
const DRAWS: u64 = 8;

/// Who has proposed in the newest epoch.
#[derive(Debug, Default)]
pub(in crate::simulation) struct Proposing {
    pub(super) waiting: Vec<ClientId>,
    /// The same, to be asked for one of them.
    proposed: BTreeSet<ClientId>,
    /// Who wants to renew its keys by a commit of the servers, in whatever epoch.
    pub(super) wanted: BTreeSet<ClientId>,
    /// By committer: whose proposals its commit covers.
    covered: BTreeMap<ClientId, Vec<ClientId>>,
}

impl World<'_, '_> {
    /// Others propose for a commit that is about to be made. Gives how long its sender waits.
    pub(in crate::simulation) fn gather_updates(
        &mut self,
        order: &Order,
    ) -> Result<Millis, ProtocolError> {
        if !self.behaviour.batching.proposes() {
            return Ok(Millis(0));
        }
        let epoch = self.protocol.epoch();
        if self.protocol.view(order.by) != Some(epoch) || self.clients.online().is_empty() {
            return Ok(Millis(0));
        }
        let (proposed, slowest) = match self.behaviour.batching.proposers() {
            Some(wanted) => self.gather_drawn(order, wanted, epoch)?,
            None => self.gather_wanted(order)?,
        };
        let mut covered = self.proposing.waiting.clone();
        covered.retain(|client| *client != order.by && !order.removes.contains(client));
        self.proposing.covered.insert(order.by, covered);
        let own = self.clients.get(order.by).delay.0;
        Ok(Millis(if proposed == 0 { 0 } else { 2 * slowest + own }))
    }

    /// Members online, drawn at random, propose; gives how many did, and the longest delay among them.
    fn gather_drawn(
        &mut self,
        order: &Order,
        wanted: u32,
        epoch: u64,
    ) -> Result<(u32, u64), ProtocolError> {
        let mut stream = self.root_seed.stream("proposers", order.by.0.into(), epoch);
        let (mut proposed, mut slowest) = (0, 0);
        for _ in 0..u64::from(wanted) * DRAWS {
            // No commit covers more of them.
            if proposed == wanted || self.proposing.waiting.len() >= MAX_PATHS {
                break;
            }
            let online = self.clients.online();
            let client = online[stream.below(online.len() as u64) as usize];
            if client != order.by && !order.removes.contains(&client) && self.propose(client)? {
                slowest = slowest.max(self.clients.get(client).delay.0);
                proposed += 1;
            }
        }
        Ok((proposed, slowest))
    }

    /// A member proposes, if it has everything that was sent and has not proposed yet.
    pub(super) fn propose(&mut self, client: ClientId) -> Result<bool, ProtocolError> {
        let received = self.delivery.received(self.now, self.clients.get(client).delay);
        let epoch = self.protocol.epoch();
        if received != epoch || self.proposing.proposed.contains(&client) {
            return Ok(false);
        }
        self.bring_forward(client, received)?;
        if self.protocol.view(client) != Some(epoch) {
            return Ok(false);
        }
        let sent = match self.behaviour.batching {
            Batching::Concurrent(_) => concurrent::propose(self.protocol, client)?,
            _ => propose_commit::propose(self.protocol, client)?,
        };
        let tally = &mut self.clients.get_mut(client).tally;
        tally.ledger += sent.ledger;
        tally.bytes_sent += sent.bytes;
        self.proposing.waiting.push(client);
        self.proposing.proposed.insert(client);
        Ok(true)
    }

    /// A commit was accepted: those whose proposals it covers have new keys, and an epoch begins in
    /// which nobody has proposed.
    pub(in crate::simulation) fn updates_are_in_effect(&mut self, committer: ClientId) {
        let mut ended = std::mem::take(&mut self.proposing);
        for client in ended.covered.remove(&committer).unwrap_or_default() {
            ended.wanted.remove(&client);
            self.has_new_keys(client);
        }
        self.proposing.wanted = ended.wanted;
    }
}
