//! The Authentication Service: it knows which client an identity belongs to, and says so
//! whenever a credential is looked at. Identities are four bytes, the client's number; the
//! engine derives the signature key from the same address, so a key can only be one client's.

use std::collections::BTreeSet;

use arboretum_engine::protocol::ClientId;

/// Identities issued.
#[derive(Debug, Default)]
pub(super) struct AuthenticationService {
    issued: BTreeSet<ClientId>,
}

impl AuthenticationService {
    /// Issues a credential; false if the identity is taken.
    pub(super) fn register(&mut self, client: ClientId) -> bool {
        self.issued.insert(client)
    }

    /// Whether a credential is of a client known here.
    pub(super) fn vouches_for(&self, client: ClientId) -> bool {
        self.issued.contains(&client)
    }
}
