//! Seeds by address, for tests: ChaCha20 keyed by the test's seed and the domain's letters, its stream
//! the entity, its position the counter.

use arboretum_engine::crypto::Seed;
use arboretum_engine::protocol::Seeds;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

#[derive(Clone, Copy)]
pub(crate) struct TestSeeds(pub(crate) u64);

impl Seeds for TestSeeds {
    fn seed(&self, domain: &'static str, entity: u64, counter: u64) -> Seed {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.0.to_le_bytes());
        for (at, letter) in domain.bytes().enumerate() {
            key[8 + at % 24] ^= letter.rotate_left(at as u32 / 24);
        }
        let mut rng = ChaCha20Rng::from_seed(key);
        rng.set_stream(entity);
        rng.set_word_pos(u128::from(counter) * 8);
        let mut seed = Seed::default();
        rng.fill_bytes(&mut seed);
        seed
    }
}
