//! Seeds for unit tests of protocols.

use super::Seeds;
use crate::crypto::Seed;

/// Seeds that show their address.
pub(super) struct Plain;

impl Seeds for Plain {
    fn seed(&self, domain: &'static str, entity: u64, counter: u64) -> Seed {
        let mut seed = Seed::default();
        seed[..8].copy_from_slice(&entity.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
        seed[8..16].copy_from_slice(&counter.to_le_bytes());
        seed[16..].iter_mut().zip(domain.bytes()).for_each(|(to, letter)| *to = letter);
        seed
    }
}
