//! `servers:P`: every P one of the scenario's servers (`workload.servers`), drawn among them, commits for all. A
//! member that wants to renew its keys tells them so; when a server is about to commit, whoever wants that and
//! is online proposes an Update of its own leaf (RFC 9420 §12.1.2), and the commit covers them by reference, with
//! adds and removes that were asked for. It is what the interim of October 2019 asked about: 50,000 small devices and
//! two servers that commit for all.
//!
//! Sent: a proposal by each who renews, received and verified by everybody, and one commit a period. Small devices
//! send and make no path. But an Update blanks the path above its leaf and nobody below ever keys it: after some
//! periods all that is keyed are the paths of the servers, and each of their commits is encrypted to
//! nearly every member.
//!
//! What it trades: who renews waits for P at most, and the servers know every path secret there is: whoever has
//! the state of one reads until it has committed anew. Whoever enters by itself, by an external commit, still does.
//! RFC 9420 as it stands.

use arboretum_engine::protocol::{ClientId, Order, ProtocolError};

use super::Batching;
use crate::simulation::clients::{Purpose, Standing};
use crate::simulation::world::World;

/// The most Updates that one commit covers.
const MAX_UPDATES: usize = 65_536;

impl World<'_, '_> {
    /// Whether a client may commit for others and for itself.
    pub(in crate::simulation) fn may_commit(&self, client: ClientId) -> bool {
        match self.behaviour.batching {
            Batching::Servers(_) => client.0 < self.scenario.workload.servers,
            _ => true,
        }
    }

    /// A member tells the servers that it wants to renew its keys.
    pub(in crate::simulation) fn want_update(&mut self, client: ClientId) {
        self.proposing.wanted.insert(client);
    }

    /// Servers commit for those who want to renew even if nobody comes or goes.
    pub(in crate::simulation) fn have_server_renew(&mut self) {
        let waits = |client: &ClientId| self.clients.get(*client).online;
        if !self.proposing.wanted.iter().any(waits) {
            return;
        }
        if let Some(server) = self.draw_server() {
            self.ask_to_commit(server, Purpose::Renew);
        }
    }

    /// A server that is free.
    pub(in crate::simulation) fn draw_server(&mut self) -> Option<ClientId> {
        self.facts.batches += 1;
        let servers: Vec<_> = (0..self.scenario.workload.servers)
            .map(ClientId)
            .filter(|it| self.is_free(*it))
            .collect();
        let mut stream = self.root_seed.stream("server", self.facts.batches, 0);
        let at = stream.below((servers.len() as u64).max(1)) as usize;
        servers.get(at).copied()
    }

    /// Those who want to renew and are online propose; gives how many did, and the longest delay among them.
    pub(super) fn gather_wanted(&mut self, order: &Order) -> Result<(u32, u64), ProtocolError> {
        let wanted: Vec<_> = self.proposing.wanted.iter().copied().collect();
        let (mut proposed, mut slowest) = (0, 0);
        for client in wanted {
            if self.proposing.waiting.len() >= MAX_UPDATES {
                break;
            }
            let entry = self.clients.get(client);
            if entry.standing != Standing::Member {
                self.proposing.wanted.remove(&client);
                continue;
            }
            let (online, delay) = (entry.online, entry.delay.0);
            if online && !order.removes.contains(&client) && self.propose(client)? {
                slowest = slowest.max(delay);
                proposed += 1;
            }
        }
        Ok((proposed, slowest))
    }
}
