//! The provider that runs: cipher suite 1 (RFC 9420 §17.1) with X25519 and Ed25519 from
//! aws-lc-rs, whose curves are the fastest at hand. Everything else is in [`super::suite1`].

use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, VerificationAlgorithm};
use zeroize::Zeroizing;

use super::suite1::{Curves, KEY, SIGNATURE};

/// MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, for real.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RealProvider;

impl RealProvider {
    /// The provider; it has no state.
    pub const fn new() -> Self {
        Self
    }
}

/// Every encoding of a point of order 1, 2, 4 or 8, canonical or not, with the sign bit clear.
/// Under such a key a signature says nothing of its content.
const SMALL_ORDER: [[u8; KEY]; 7] = [
    small(0x00, 0x00, 0x00),
    small(0x01, 0x00, 0x00),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
    small(0xec, 0xff, 0x7f),
    small(0xed, 0xff, 0x7f),
    small(0xee, 0xff, 0x7f),
];

/// A point encoding of `first`, thirty times `middle`, `last`.
const fn small(first: u8, middle: u8, last: u8) -> [u8; KEY] {
    let mut bytes = [middle; KEY];
    bytes[0] = first;
    bytes[KEY - 1] = last;
    bytes
}

fn is_small_order(point: &[u8]) -> bool {
    let (last, rest) = point.split_last().expect("a point has 32 bytes");
    SMALL_ORDER.iter().any(|small| last & 0x7f == small[KEY - 1] && *rest == small[..KEY - 1])
}

impl Curves for RealProvider {
    type Private = PrivateKey;

    fn private(bytes: &[u8; KEY]) -> Option<PrivateKey> {
        PrivateKey::from_private_key(&X25519, bytes).ok()
    }

    fn public_of(private: &PrivateKey) -> Option<[u8; KEY]> {
        private.compute_public_key().ok()?.as_ref().try_into().ok()
    }

    fn agree(private: &PrivateKey, public: &[u8; KEY]) -> Option<Zeroizing<[u8; KEY]>> {
        let public = UnparsedPublicKey::new(&X25519, public);
        // aws-lc itself refuses the all-zero secret.
        agree(private, public, (), |secret| secret.try_into().map(Zeroizing::new).map_err(|_| ()))
            .ok()
    }

    fn signature_public_of(seed: &[u8; KEY]) -> [u8; KEY] {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("any 32 bytes are a seed");
        pair.public_key().as_ref().try_into().expect("a public key has 32 bytes")
    }

    fn sign(seed: &[u8; KEY], content: &[u8]) -> Option<[u8; SIGNATURE]> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        pair.try_sign(content).ok()?.as_ref().try_into().ok()
    }

    fn verify(key: &[u8; KEY], content: &[u8], signature: &[u8; SIGNATURE]) -> bool {
        // aws-lc computes the commitment and compares its bytes, so that only small orders
        // are left to refuse.
        !is_small_order(key)
            && !is_small_order(&signature[..KEY])
            && ED25519.verify_sig(key, content, signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::VerifyingKey;

    use super::super::{CryptoError, Provider, Signature, SignaturePublicKey, SignedItem};
    use super::*;

    const REAL: RealProvider = RealProvider::new();

    #[test]
    fn the_small_orders_are_small() {
        for point in SMALL_ORDER {
            for sign in [0, 0x80] {
                let mut encoded = point;
                encoded[KEY - 1] |= sign;
                assert!(is_small_order(&encoded));
                // The sign of x = 0 may be an encoding that the other implementation refuses.
                assert!(VerifyingKey::from_bytes(&encoded).map_or(sign != 0, |key| key.is_weak()));
            }
        }
        assert!(!is_small_order(REAL.signature_key_pair(&[1; 32]).public.as_slice()));
    }

    /// With the neutral point as key, `R = [s]B` verifies over every content.
    #[test]
    fn a_signature_that_fits_all_contents_is_refused() {
        let neutral = small(0x01, 0x00, 0x00);
        // s = 1, R = B.
        let base = [&[0x58][..], &[0x66; 31]].concat();
        let forged: [u8; SIGNATURE] = [base, neutral.to_vec()].concat().try_into().unwrap();
        assert!(ED25519.verify_sig(&neutral, b"anything", &forged).is_ok(), "aws-lc lets it pass");
        let (key, signature) = (neutral.to_vec().into(), forged.to_vec().into());
        let item = SignedItem { key: &key, content: b"anything", signature: &signature };
        assert_eq!(REAL.verify(item), Err(CryptoError::BadSignature));
    }

    #[test]
    fn every_flipped_bit_of_a_signature_is_noticed() {
        let pair = REAL.signature_key_pair(&[1; 32]);
        let signature = REAL.sign(&pair.private, b"content").unwrap();
        let good = SignedItem { key: &pair.public, content: b"content", signature: &signature };
        assert_eq!(REAL.verify(good), Ok(()));
        for bit in 0..8 * SIGNATURE {
            let mut bytes = signature.as_slice().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let flipped = Signature::from(bytes);
            let item = SignedItem { signature: &flipped, ..good };
            assert_eq!(REAL.verify(item), Err(CryptoError::BadSignature));
        }
        for bit in 0..8 * KEY {
            let mut bytes = pair.public.as_slice().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let flipped = SignaturePublicKey::from(bytes);
            let item = SignedItem { key: &flipped, ..good };
            assert_eq!(REAL.verify(item), Err(CryptoError::BadSignature));
        }
    }
}
