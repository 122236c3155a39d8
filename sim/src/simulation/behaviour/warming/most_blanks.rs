//! `most-blanks:P`: every P that member online commits which would key the most blank parents, the
//! leftmost of equals; nobody if there is nothing to key (mls-rs 357).
//!
//! Sent: one commit with a path (RFC 9420 §12.4) each P until the tree is warm; all others follow it.
//! Each keys as many blanks as one path can, so the expected update cost falls as fast as single
//! commits can make it: a cold tree of n members still takes n/2 of them. Blanks that nobody's path
//! would key, those with nobody below their copath, do not count. Who is asked depends on the public
//! tree alone, and healing goes to where the tree is cold, not to whose keys are oldest. RFC 9420
//! as it stands.
//!
//! Choosing costs O(members online · log n) a round: the tree knows blanks and not who is online.

use std::cmp::Reverse;

use arboretum_engine::protocol::{ClientId, ProtocolError};

use crate::simulation::world::World;

impl World<'_, '_> {
    /// The member online whose commit would key the most blank parents.
    pub(super) fn member_with_most_blanks(&self) -> Result<Option<ClientId>, ProtocolError> {
        let mut best = None;
        for &client in self.clients.online().iter().filter(|client| self.is_free(**client)) {
            let blanks = self.protocol.blanks_above(client)?;
            if blanks > 0 {
                best = best.max(Some((blanks, Reverse(self.protocol.leaf(client)), client)));
            }
        }
        Ok(best.map(|(.., client)| client))
    }
}
