//! `resync`: scoot-over within RFC 9420 as it stands. A member that is to renew its keys and stands
//! right of the leftmost blank leaf does not commit from where it is: it enters the group anew, by
//! an external commit that removes its old leaf (§12.4.3.2), and is placed at that blank.
//!
//! Sent: one external commit in the place of the commit it would have sent anyway, with a KEM output
//! and a Remove; before that it fetches the GroupInfo and the whole ratchet tree and validates
//! them, O(n). The others follow it as they follow any commit. The old path is blanked (under `removal=taint` refreshed), the new one
//! keyed, so the tree loses what was warm at the right and can be cut once nobody is left there;
//! whoever never comes online keeps the right edge where it is.
//!
//! What it trades: everybody may enter who can sign as a member, so the credential is all that
//! keeps others out; and the mover proves nothing of its former state, and has nothing of it after.

use arboretum_engine::protocol::{ClientId, ProtocolError};

use super::Moving;
use crate::simulation::clients::Purpose;
use crate::simulation::world::World;

impl World<'_, '_> {
    /// Whether a member is to enter anew in the place of a commit.
    pub(in crate::simulation) fn is_to_resync(
        &self,
        client: ClientId,
        purpose: &Purpose,
    ) -> Result<bool, ProtocolError> {
        if self.behaviour.moving != Moving::Resync || !matches!(purpose, Purpose::Renew) {
            return Ok(false);
        }
        let blank = self.protocol.leftmost_blank()?;
        Ok(blank.is_some_and(|blank| self.protocol.leaf(client) > Some(blank)))
    }

    /// Makes the external commit, by the GroupInfo that the Delivery Service has now, and sends it.
    pub(in crate::simulation) fn resync(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        self.enter_by_oneself(client, Purpose::Renew)
    }
}
