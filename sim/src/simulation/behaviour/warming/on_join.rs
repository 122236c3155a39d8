//! `on-join`: a member that has just used its Welcome, and is online, commits with no proposals.
//!
//! Sent: one commit with a path (RFC 9420 §12.4) for each join; all others follow it. The path ends
//! the joiner's time as an unmerged leaf and keys the blanks above it, so that later paths are
//! shorter; a batch of joiners commits all at once, and those who lose the race try again. Whoever
//! has got at a joiner's key package, which may have lain about for months, can do nothing with it
//! one epoch later. RFC 9420 as it stands.
//!
//! Who is in the group from the start has joined before the run and does not commit.

use arboretum_engine::protocol::{ClientId, ProtocolError};

use super::Warming;
use crate::simulation::clients::Purpose;
use crate::simulation::world::World;

impl World<'_, '_> {
    /// A client that is online has just used its Welcome.
    pub(in crate::simulation) fn has_joined(
        &mut self,
        client: ClientId,
    ) -> Result<(), ProtocolError> {
        match self.behaviour.warming {
            Warming::OnJoin => self.intend(client, Purpose::Renew),
            _ => Ok(()),
        }
    }
}
