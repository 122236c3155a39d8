//! Addressed random streams: ChaCha20 keyed by (root seed, domain, entity, counter). Each
//! address is a stream of its own, so adding a consumer moves no other.
//!
//! The key of a domain is folded from the root seed and the domain's letters, 24 at a time: each
//! fold replaces the key by the first 32 bytes of ChaCha20 keystream under (key XOR block). The
//! entity and the counter are then XORed into the domain's key, so that two addresses of one
//! domain never share a key, and two domains share one only if 256 random bits collide.

use std::convert::Infallible;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng, TryRng};

/// The 256 bits from which everything random in a run follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootSeed([u8; 32]);

fn fold(key: [u8; 32], block: [u8; 32]) -> [u8; 32] {
    let mut mixed = key;
    mixed.iter_mut().zip(block).for_each(|(byte, other)| *byte ^= other);
    let mut next = [0; 32];
    ChaCha20Rng::from_seed(mixed).fill_bytes(&mut next);
    next
}

impl RootSeed {
    /// The root seed of a scenario's `seed`.
    pub fn from_u64(seed: u64) -> Self {
        let mut block = *b"arboretum root seed v1..........";
        block[24..].copy_from_slice(&seed.to_le_bytes());
        Self(fold([0; 32], block))
    }

    /// The root seed of a group among several of the same people; that of the first is this one.
    pub fn of_group(&self, group: u32) -> Self {
        match group {
            0 => self.clone(),
            _ => Self(self.stream("group", group.into(), 0).seed()),
        }
    }

    /// The key under which all streams of a domain stand.
    fn domain(&self, domain: &str) -> [u8; 32] {
        let mut key = self.0;
        let bytes = domain.as_bytes();
        for (position, chunk) in bytes.chunks(24).enumerate() {
            let mut block = [0; 32];
            block[..chunk.len()].copy_from_slice(chunk);
            block[24..28].copy_from_slice(&(position as u32).to_le_bytes());
            block[28..].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
            key = fold(key, block);
        }
        key
    }

    /// The stream at an address.
    pub fn stream(&self, domain: &str, entity: u64, counter: u64) -> Stream {
        let mut block = [0xff; 32];
        block[..8].copy_from_slice(&entity.to_le_bytes());
        block[8..16].copy_from_slice(&counter.to_le_bytes());
        let mut key = self.domain(domain);
        key.iter_mut().zip(block).for_each(|(byte, other)| *byte ^= other);
        Stream(ChaCha20Rng::from_seed(key))
    }
}

/// A random stream.
#[derive(Clone, Debug)]
pub struct Stream(ChaCha20Rng);

impl Stream {
    /// The next 32 bytes.
    pub fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.0.fill_bytes(&mut seed);
        seed
    }

    /// The next bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// A whole number below `n`, each as likely: Lemire's multiplication with rejection.
    pub fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "nothing is below zero");
        loop {
            let wide = u128::from(self.0.next_u64()) * u128::from(n);
            if wide as u64 >= n.wrapping_neg() % n {
                return (wide >> 64) as u64;
            }
        }
    }

    /// A number in [0, 1): 53 random bits.
    pub fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// A number in (0, 1]: safe to take the logarithm of.
    pub fn positive(&mut self) -> f64 {
        1.0 - self.uniform()
    }
}

impl TryRng for Stream {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0.next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill_bytes(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(domain: &str, entity: u64, counter: u64) -> u64 {
        RootSeed::from_u64(1).stream(domain, entity, counter).next_u64()
    }

    #[test]
    fn addresses_are_apart() {
        let all = [
            first("a", 0, 0),
            first("a", 1, 0),
            first("a", 0, 1),
            first("b", 0, 0),
            first("a ", 0, 0),
            first("", 0, 0),
            RootSeed::from_u64(2).stream("a", 0, 0).next_u64(),
        ];
        let mut sorted = all.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), all.len());
        assert_eq!(first("a", 1, 2), first("a", 1, 2));
    }

    #[test]
    fn below_is_even() {
        let mut stream = RootSeed::from_u64(3).stream("even", 0, 0);
        let mut counts = [0_u32; 7];
        (0..70_000).for_each(|_| counts[stream.below(7) as usize] += 1);
        assert!(counts.iter().all(|count| (9_600..10_400).contains(count)), "{counts:?}");
    }
}
