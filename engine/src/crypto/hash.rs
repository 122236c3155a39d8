//! The hash of a cipher suite and what is built on it: HMAC (RFC 2104) and HKDF (RFC 5869).
//! The `sha2` crate is used because it starts up faster than others, and MLS hashes a few
//! hundred bytes at a time.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use zeroize::{Zeroize, Zeroizing};

use super::types::Digest;

/// A hash function of RFC 9420 §17.1, with the HKDF of RFC 9180 §7.2 over it.
pub(super) trait HashFunction: 'static {
    /// The HKDF's identifier in HPKE.
    const KDF_ID: u16;
    /// `KDF.Nh`, and the length of a hash, in bytes.
    const LENGTH: usize;
    /// HKDF counts its blocks in one byte.
    const MAX_EXPAND: usize = 255 * Self::LENGTH;

    /// An output.
    type Output: AsRef<[u8]> + AsMut<[u8]> + Zeroize + Copy + Into<Digest>;
    /// An HMAC that has absorbed its key.
    type Mac: Clone;

    /// An output of zeros.
    fn zero() -> Self::Output;
    /// The hash of the parts, one after the other.
    fn hash(parts: &[&[u8]]) -> Self::Output;
    /// HMAC under a key of any length.
    fn keyed(key: &[u8]) -> Self::Mac;
    /// Absorbs more.
    fn update(mac: &mut Self::Mac, data: &[u8]);
    /// The MAC of all that was absorbed.
    fn finish(mac: Self::Mac) -> Self::Output;
}

macro_rules! hash_function {
    ($name:ty, $kdf_id:literal, $length:literal) => {
        impl HashFunction for $name {
            const KDF_ID: u16 = $kdf_id;
            const LENGTH: usize = $length;
            type Output = [u8; $length];
            type Mac = Hmac<$name>;

            fn zero() -> Self::Output {
                [0; $length]
            }

            fn hash(parts: &[&[u8]]) -> Self::Output {
                let mut hash = <$name>::new();
                parts.iter().for_each(|part| sha2::Digest::update(&mut hash, part));
                hash.finalize().into()
            }

            fn keyed(key: &[u8]) -> Self::Mac {
                <Self::Mac as KeyInit>::new_from_slice(key).expect("HMAC takes any key")
            }

            fn update(mac: &mut Self::Mac, data: &[u8]) {
                mac.update(data);
            }

            fn finish(mac: Self::Mac) -> Self::Output {
                mac.finalize().into_bytes().into()
            }
        }
    };
}

hash_function!(Sha256, 1, 32);
hash_function!(Sha384, 2, 48);
hash_function!(Sha512, 3, 64);

/// HMAC with its key absorbed: the PRK of an HKDF, from which several outputs may be
/// expanded. HMAC takes keys of any length, and so does this: a secret out of a hostile
/// Welcome may be too short for RFC 5869, and must yield garbage rather than a panic.
pub(super) struct Keyed<H: HashFunction>(H::Mac);

impl<H: HashFunction> Keyed<H> {
    pub(super) fn new(key: &[u8]) -> Self {
        Self(H::keyed(key))
    }

    /// The MAC of the parts, one after the other. With the salt as key this is `Extract`.
    pub(super) fn mac(&self, parts: &[&[u8]]) -> Zeroizing<H::Output> {
        let mut mac = self.0.clone();
        parts.iter().for_each(|part| H::update(&mut mac, part));
        Zeroizing::new(H::finish(mac))
    }

    /// `Expand` (RFC 5869 §2.3) with the parts as info, into at most `MAX_EXPAND` bytes.
    pub(super) fn expand(&self, info: &[&[u8]], out: &mut [u8]) {
        debug_assert!(out.len() <= H::MAX_EXPAND, "the block counter is one byte");
        let mut previous = Zeroizing::new(H::zero());
        for (block, counter) in out.chunks_mut(H::LENGTH).zip(1..=u8::MAX) {
            let mut mac = self.0.clone();
            if counter > 1 {
                H::update(&mut mac, (*previous).as_ref());
            }
            info.iter().for_each(|part| H::update(&mut mac, part));
            H::update(&mut mac, &[counter]);
            *previous = H::finish(mac);
            block.copy_from_slice(&(*previous).as_ref()[..block.len()]);
        }
    }
}
