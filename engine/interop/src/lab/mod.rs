//! The clients behind the server, and what each call does to them. Nothing here knows of the
//! network. One call runs at a time, and a call that is refused changes nothing, except that
//! randomness was drawn.
//!
//! * `table`: what the numbers name;
//! * `client`, `state`: clients before they are in a group, and in one;
//! * `read`: the fields of requests, checked at the door;
//! * `enter`, `member`, `propose`, `commit`, `tie`, `outside`: the calls, as they are grouped in
//!   the interface description.

mod client;
mod commit;
mod enter;
mod member;
mod outside;
mod propose;
mod read;
mod state;
mod table;
mod tie;

use arboretum_engine::crypto::{CipherSuite, Seed};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::interface::{
    FreeRequest, FreeResponse, NameRequest, NameResponse, SupportedCiphersuitesRequest,
    SupportedCiphersuitesResponse,
};
use crate::refusal::Refusal;
use table::Table;

/// The name that the runner shows.
const NAME: &str = "Arboretum";

type Answer<T> = Result<T, Refusal>;

/// All clients of this server. Everything random comes from one seed, in the order of the
/// calls.
pub struct Lab {
    table: Table,
    rng: ChaCha20Rng,
}

impl Lab {
    /// Nobody yet.
    pub fn new(seed: Seed) -> Self {
        Self { table: Table::default(), rng: ChaCha20Rng::from_seed(seed) }
    }

    pub(crate) fn name(&mut self, _: NameRequest) -> Answer<NameResponse> {
        Ok(NameResponse { name: NAME.into() })
    }

    pub(crate) fn supported_ciphersuites(
        &mut self,
        _: SupportedCiphersuitesRequest,
    ) -> Answer<SupportedCiphersuitesResponse> {
        let ciphersuites = CipherSuite::ALL.iter().map(|suite| suite.0.into()).collect();
        Ok(SupportedCiphersuitesResponse { ciphersuites })
    }

    pub(crate) fn free(&mut self, request: FreeRequest) -> Answer<FreeResponse> {
        self.table.remove("state_id", request.state_id)?;
        Ok(FreeResponse {})
    }
}
