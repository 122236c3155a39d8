//! `swap:K`: whoever commits removes up to K of the rightmost members and adds them again in the
//! same commit, each of them only if a blank leaf waits for it further left.
//!
//! Sent: a Remove, an Add with a KeyPackage and a part of the Welcome for each, in a commit that is
//! sent anyway; a moved member fetches the Welcome and the ratchet tree and validates it as a joiner
//! does, O(n). Its old path is blanked and it is unmerged at its new place, until it
//! commits itself (under `removal=taint` both are refreshed). It need not be online, so the tree can be cut whoever is away.
//!
//! What it trades: who is moved while offline joins by the Welcome and cannot read what was sent in
//! the epochs it missed; a package is used up for each move, at the end the last-resort one; its
//! keys are as old as that package. RFC 9420 as it stands: a Remove may stand beside an Add of the
//! same client (§12.2).
//!
//! In the records a move is one removal and one addition, and the return of a moved member is a
//! join and no catch-up.

use arboretum_engine::protocol::{Order, ProtocolError};

use super::Moving;
use crate::simulation::world::World;

impl World<'_, '_> {
    /// An order, and with it the moves that its sender makes along with it.
    pub(in crate::simulation) fn with_swaps(
        &self,
        mut order: Order,
    ) -> Result<Order, ProtocolError> {
        let Moving::Swap(most) = self.behaviour.moving else { return Ok(order) };
        // Who lags will lose the race, and knows another tree.
        if self.protocol.view(order.by) != Some(self.protocol.epoch()) {
            return Ok(order);
        }
        let mut moved = self.protocol.stragglers(most, order.adds.len() as u32)?;
        moved.retain(|client| *client != order.by && !order.removes.contains(client));
        order.removes.extend(&moved);
        order.adds.extend(&moved);
        Ok(order)
    }
}
