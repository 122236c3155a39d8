//! The Authentication Service: it knows which client an identity belongs to, and says so
//! whenever a credential is looked at. Identities are four bytes, the client's number; the
//! engine derives the signature key from the same address, so a key can only be one client's.
//!
//! It issues a credential once, gives its client a new signature key now and then
//! (`authentication.rotate_every`: a commit of the client brings it into the group), and takes some back
//! (`workload.revocations`): a member removes the client, which does not come back.

use std::collections::BTreeSet;

use arboretum_engine::protocol::{ClientId, ProtocolError};
use arboretum_results::{Credentials, Recorder};
use arboretum_workloads::Millis;

use super::clients::Standing;
use super::delivery::Reason;
use super::events::Event;
use super::world::World;

/// Identities issued.
#[derive(Debug, Default)]
pub(super) struct AuthenticationService {
    issued: BTreeSet<ClientId>,
    revoked: BTreeSet<ClientId>,
}

impl AuthenticationService {
    /// Issues a credential; false if the identity is taken.
    pub(super) fn register(&mut self, client: ClientId) -> bool {
        self.issued.insert(client)
    }

    /// Whether a credential is of a client known here.
    pub(super) fn vouches_for(&self, client: ClientId) -> bool {
        self.issued.contains(&client) && !self.revoked.contains(&client)
    }

    /// Takes a credential back; false if there is none.
    fn revoke(&mut self, client: ClientId) -> bool {
        self.vouches_for(client) && self.revoked.insert(client)
    }

    /// Whether a client has ever had a credential.
    pub(super) fn knows(&self, client: ClientId) -> bool {
        self.issued.contains(&client)
    }

    /// What it has done, but for the keys that were replaced.
    pub(super) fn figures(&self) -> Credentials {
        let (issued, revoked) = (self.issued.len() as u64, self.revoked.len() as u64);
        Credentials { issued, revoked, rotated: 0 }
    }
}

impl World<'_, '_> {
    /// The next time that a client's signature key is replaced: spread over the period at first.
    pub(super) fn plan_rotation(&mut self, client: ClientId, is_first: bool) {
        let Some(period) = self.scenario.authentication.rotate_every else { return };
        let mut stream = self.people_seed.stream("rotation", client.0.into(), 0);
        let wait = if is_first { stream.below(period.0) + 1 } else { period.0 };
        self.schedule(self.later(Millis(wait)), Event::Rotate(client));
    }

    /// A client is to have a new signature key: it commits when it can.
    pub(super) fn rotate(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        self.plan_rotation(client, false);
        let entry = self.clients.get(client);
        if entry.standing != Standing::Member || entry.lost.is_some() {
            return Ok(());
        }
        self.protocol.rotate(client)?;
        let now = self.now;
        let entry = self.clients.get_mut(client);
        entry.rotates = true;
        entry.renew_at = Some(now);
        self.renew(client)
    }

    /// A client's commit is in effect, and with it the new key if it was to have one.
    pub(super) fn has_rotated(
        &mut self,
        client: ClientId,
        rotates: bool,
        recorder: &mut dyn Recorder,
    ) {
        if rotates {
            self.clients.get_mut(client).rotates = false;
            self.facts.rotated += 1;
            self.note(recorder, "rotated", client);
        } else if self.clients.get(client).rotates {
            // That one was on its way before the key was to be replaced.
            let now = self.now;
            self.clients.get_mut(client).renew_at = Some(now);
            self.schedule(now, Event::Renew(client));
        }
    }

    /// A client's credential is taken back.
    pub(super) fn revoke(
        &mut self,
        client: ClientId,
        recorder: &mut dyn Recorder,
    ) -> Result<(), ProtocolError> {
        if !self.authentication.revoke(client) {
            return Ok(());
        }
        self.note(recorder, "revoked", client);
        self.clients.get_mut(client).wants_in = false;
        self.ask_remove(client, Reason::Revoked)
    }
}
