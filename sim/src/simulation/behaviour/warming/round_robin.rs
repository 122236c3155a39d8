//! `round-robin:P`: every P the next member in the order of the leaves that is online commits.
//!
//! Sent: one commit with a path (RFC 9420 §12.4) each P, whatever the size of the group; all others
//! follow it. A turn of the whole group takes P times as many members as come online. Neighbours
//! commit one after the other, so a path often only renews what was keyed just before: it spreads
//! healing evenly, and warms slowly. The server asks, and learns nothing that it does not see
//! anyway. RFC 9420 as it stands. Finding the next costs O(members online) a round.

use arboretum_engine::protocol::ClientId;

use crate::simulation::world::World;

impl World<'_, '_> {
    /// The member online whose leaf follows that of the last round; after the rightmost, the
    /// leftmost.
    pub(super) fn next_in_leaf_order(&mut self) -> Option<ClientId> {
        let free = self.clients.online().iter().filter(|client| self.is_free(**client));
        let placed = free.filter_map(|client| Some((self.protocol.leaf(*client)?, *client)));
        let last = self.last_warmed;
        // Those still ahead in this turn come before those of the next.
        let (leaf, client) = placed.min_by_key(|(leaf, _)| (Some(*leaf) <= last, *leaf))?;
        self.last_warmed = Some(leaf);
        Some(client)
    }
}
