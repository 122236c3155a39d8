//! The engine's seeds, from the addressed streams of the run.

use arboretum_engine::crypto::Seed;
use arboretum_engine::protocol::Seeds;
use arboretum_workloads::RootSeed;

/// Every seed is the first 32 bytes of the stream at its address.
#[derive(Clone, Debug)]
pub struct StreamSeeds(pub RootSeed);

impl Seeds for StreamSeeds {
    fn seed(&self, domain: &'static str, entity: u64, counter: u64) -> Seed {
        self.0.stream(domain, entity, counter).seed()
    }
}
