//! Asynchronous Ratcheting Trees behind the trait: all clients of one group that keeps to
//! draft-barnes-mls-protocol-00.
//!
//! What the simulator calls a commit is here one entry of the log: the handshake messages that carry
//! out an [`Order`](super::Order), one after the other, each of which begins an epoch of the draft's.
//! Epochs of the trait count entries.

mod draft;
mod full;
mod messages;
mod private;
mod shared;

use draft::Invited;
pub use full::FullArt;
pub use shared::SharedArt;

use rayon::prelude::*;

use super::{ClientId, ProtocolError, Seeds};
use crate::art::{DhKeyPair, EpochSecrets, UserInitKey, UserInitKeyError};
use crate::crypto::{Crypto, Provider, Secret};
use crate::protocol::clients::Clients;

/// A client's init key of this number, with its private half.
fn init_key<S: Seeds>(
    clients: &Clients<S>,
    crypto: &Crypto<'_>,
    client: ClientId,
    number: u32,
) -> Result<(UserInitKey, DhKeyPair), UserInitKeyError> {
    let signer = clients.signer(crypto.provider(), client);
    let seed = clients.seeds().seed("key package", client.0.into(), number.into());
    UserInitKey::new(crypto, &signer, seed)
}

/// The init keys of many clients, in their order.
fn init_keys<S: Seeds>(
    clients: &Clients<S>,
    provider: &dyn Provider,
    invited: &[Invited],
) -> Result<Vec<(UserInitKey, DhKeyPair)>, UserInitKeyError> {
    let key = |invited: &Invited| {
        init_key(clients, &Crypto::new(provider), invited.client, invited.number)
    };
    // All of them, then the first refusal, which must not depend on the pool.
    let keys: Vec<_> = invited.par_iter().map(key).collect();
    keys.into_iter().collect()
}

/// What the clients of an epoch can show each other: the draft has no such secret, so it comes of the
/// message master secret, and nobody is charged for it.
fn authenticator(crypto: &Crypto<'_>, secrets: &EpochSecrets) -> Option<Secret> {
    let length = crypto.provider().digest_length();
    crypto.expand(&secrets.message_master_secret, b"mls10 authenticator", length).ok()
}

impl From<UserInitKeyError> for ProtocolError {
    fn from(error: UserInitKeyError) -> Self {
        crate::art::HandshakeError::from(error).into()
    }
}

fn check(holds: bool, what: &str) -> Result<(), ProtocolError> {
    if holds { Ok(()) } else { Err(ProtocolError::Check(what.into())) }
}
