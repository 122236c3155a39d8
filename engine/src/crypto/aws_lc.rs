//! X25519, Ed25519 and the NIST curves for Diffie-Hellman from aws-lc-rs, whose curves are the
//! fastest at hand.

use aws_lc_rs::agreement::{
    self, Algorithm, ECDH_P256, ECDH_P384, ECDH_P521, ParsedPublicKey, PrivateKey,
    UnparsedPublicKey,
};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, VerificationAlgorithm};
use sha2::{Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use super::kem::Group;
use super::signature::{ED25519_KEY, ED25519_SIGNATURE, Edwards25519};

/// What an agreement gives, at its length.
fn agree<const N: usize>(
    algorithm: &'static Algorithm,
    private: &PrivateKey,
    public: &[u8],
) -> Option<Zeroizing<[u8; N]>> {
    let public = UnparsedPublicKey::new(algorithm, public);
    let secret = |secret: &[u8]| secret.try_into().map(Zeroizing::new).map_err(|_| ());
    agreement::agree(private, public, (), secret).ok()
}

/// Whether bytes are a point of a NIST curve.
fn is_on_curve(algorithm: &'static Algorithm, bytes: &[u8]) -> bool {
    ParsedPublicKey::try_from(&UnparsedPublicKey::new(algorithm, bytes)).is_ok()
}

/// The points of Curve25519 and of its twist with which every agreement is zero, and their
/// other encodings, by their u-coordinates (RFC 7748 §6.1).
const ZERO_SECRETS: [[u8; 32]; 7] = [
    small(0x00, 0x00, 0x00),
    small(0x01, 0x00, 0x00),
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4,
        0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49,
        0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef,
        0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f,
        0x11, 0x57,
    ],
    small(0xec, 0xff, 0x7f),
    small(0xed, 0xff, 0x7f),
    small(0xee, 0xff, 0x7f),
];

/// Whether X25519 with this public key gives a secret that RFC 9180 §7.1.4 takes.
fn gives_a_secret(public: &[u8]) -> bool {
    let Ok(mut public) = <[u8; 32]>::try_from(public) else { return false };
    public[31] &= 0x7f;
    !ZERO_SECRETS.contains(&public)
}

macro_rules! group {
    (
        $(#[$doc:meta])*
        $name:ident: $algorithm:expr, kem $kem:literal, $hash:ty, private $private:literal,
        public $public:literal, agreed $agreed:literal, mask $mask:expr, point $is_point:expr
    ) => {
        $(#[$doc])*
        pub(super) struct $name;

        impl Group for $name {
            const KEM_ID: u16 = $kem;
            const PRIVATE: usize = $private;
            const PUBLIC: usize = $public;
            const REJECTION_MASK: Option<u8> = $mask;
            type Hash = $hash;
            type Private = PrivateKey;
            type Public = [u8; $public];
            type Agreed = [u8; $agreed];

            fn private(bytes: &[u8]) -> Option<PrivateKey> {
                PrivateKey::from_private_key(&$algorithm, bytes).ok()
            }

            fn public_of(private: &PrivateKey) -> Option<[u8; $public]> {
                private.compute_public_key().ok()?.as_ref().try_into().ok()
            }

            fn is_public(bytes: &[u8]) -> bool {
                bytes.len() == $public && $is_point(bytes)
            }

            fn agree(private: &PrivateKey, public: &[u8]) -> Option<Zeroizing<[u8; $agreed]>> {
                // Other encodings of the same point are not its serialisation. aws-lc itself
                // refuses what is no point, and the all-zero secret.
                let public: &[u8; $public] = public.try_into().ok()?;
                agree(&$algorithm, private, public)
            }
        }
    };
}

group! {
    /// X25519 (RFC 7748).
    X25519: agreement::X25519, kem 0x20, Sha256, private 32, public 32, agreed 32, mask None,
    point gives_a_secret
}
group! {
    /// P-256, its points uncompressed.
    P256: ECDH_P256, kem 0x10, Sha256, private 32, public 65, agreed 32, mask Some(0xff),
    point |bytes| is_on_curve(&ECDH_P256, bytes)
}
group! {
    /// P-384, its points uncompressed.
    P384: ECDH_P384, kem 0x11, Sha384, private 48, public 97, agreed 48, mask Some(0xff),
    point |bytes| is_on_curve(&ECDH_P384, bytes)
}
group! {
    /// P-521, its points uncompressed.
    P521: ECDH_P521, kem 0x12, Sha512, private 66, public 133, agreed 66, mask Some(0x01),
    point |bytes| is_on_curve(&ECDH_P521, bytes)
}

/// Edwards25519 from aws-lc.
pub(super) struct AwsLcEd25519;

/// Every encoding of a point of order 1, 2, 4 or 8, canonical or not, with the sign bit clear.
/// Under such a key a signature says nothing of its content.
const SMALL_ORDER: [[u8; ED25519_KEY]; 7] = [
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
const fn small(first: u8, middle: u8, last: u8) -> [u8; ED25519_KEY] {
    let mut bytes = [middle; ED25519_KEY];
    bytes[0] = first;
    bytes[ED25519_KEY - 1] = last;
    bytes
}

fn is_small_order(point: &[u8]) -> bool {
    let (last, rest) = point.split_last().expect("a point has 32 bytes");
    let top = ED25519_KEY - 1;
    SMALL_ORDER.iter().any(|small| last & 0x7f == small[top] && *rest == small[..top])
}

impl Edwards25519 for AwsLcEd25519 {
    fn public_of(seed: &[u8; ED25519_KEY]) -> [u8; ED25519_KEY] {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("any 32 bytes are a seed");
        pair.public_key().as_ref().try_into().expect("a public key has 32 bytes")
    }

    fn sign(seed: &[u8; ED25519_KEY], content: &[u8]) -> Option<[u8; ED25519_SIGNATURE]> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        pair.try_sign(content).ok()?.as_ref().try_into().ok()
    }

    fn verify(
        key: &[u8; ED25519_KEY],
        content: &[u8],
        signature: &[u8; ED25519_SIGNATURE],
    ) -> bool {
        // aws-lc computes the commitment and compares its bytes, so that only small orders
        // are left to refuse.
        !is_small_order(key)
            && !is_small_order(&signature[..ED25519_KEY])
            && ED25519.verify_sig(key, content, signature).is_ok()
    }
}
#[cfg(test)]
mod tests {
    use ed25519_dalek::VerifyingKey;

    use super::super::{
        CryptoError, Provider, RealProvider, Signature, SignaturePublicKey, SignedItem,
    };
    use super::*;

    const REAL: RealProvider = RealProvider::new();

    #[test]
    fn a_key_that_gives_no_secret_is_none() {
        let own = REAL.derive_key_pair(&[1; 32]).unwrap();
        let private = X25519::private(own.private.as_slice()).unwrap();
        for point in ZERO_SECRETS {
            for sign in [0, 0x80] {
                let mut encoded = point;
                encoded[31] |= sign;
                assert!(!X25519::is_public(&encoded));
                assert!(X25519::agree(&private, &encoded).is_none());
            }
        }
        assert!(X25519::is_public(own.public.as_slice()));
    }

    #[test]
    fn the_small_orders_are_small() {
        for point in SMALL_ORDER {
            for sign in [0, 0x80] {
                let mut encoded = point;
                encoded[ED25519_KEY - 1] |= sign;
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
        let forged: [u8; ED25519_SIGNATURE] = [base, neutral.to_vec()].concat().try_into().unwrap();
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
        for bit in 0..8 * ED25519_SIGNATURE {
            let mut bytes = signature.as_slice().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let flipped = Signature::from(bytes);
            let item = SignedItem { signature: &flipped, ..good };
            assert_eq!(REAL.verify(item), Err(CryptoError::BadSignature));
        }
        for bit in 0..8 * ED25519_KEY {
            let mut bytes = pair.public.as_slice().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let flipped = SignaturePublicKey::from(bytes);
            let item = SignedItem { key: &flipped, ..good };
            assert_eq!(REAL.verify(item), Err(CryptoError::BadSignature));
        }
    }
}
