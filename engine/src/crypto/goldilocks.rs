//! X448 (RFC 7748 §5) and Ed448 (RFC 8032 §5.2) from `crrl`: the one released crate that has
//! both, in constant time.

use crrl::ed448::{Point, PrivateKey, PublicKey};
use crrl::x448::{x448, x448_base};
use sha2::Sha512;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::hash::Keyed;
use super::kem::Group;
use super::provider::{CryptoError, Seed, SignedItem, sized, what};
use super::signature::SignatureScheme;
use super::types::{Signature, SignatureKeyPair, SignaturePrivateKey};

/// Every key of X448, in bytes.
const X448_KEY: usize = 56;
/// Every key of Ed448, in bytes.
const ED448_KEY: usize = 57;
/// An Ed448 signature, in bytes.
const ED448_SIGNATURE: usize = 114;

/// X448.
pub(super) struct X448;

impl Group for X448 {
    const KEM_ID: u16 = 0x21;
    const PRIVATE: usize = X448_KEY;
    const PUBLIC: usize = X448_KEY;
    const REJECTION_MASK: Option<u8> = None;
    type Hash = Sha512;
    type Private = Zeroizing<[u8; X448_KEY]>;
    type Public = [u8; X448_KEY];
    type Agreed = [u8; X448_KEY];

    fn private(bytes: &[u8]) -> Option<Self::Private> {
        bytes.try_into().ok().map(Zeroizing::new)
    }

    fn public_of(private: &Self::Private) -> Option<[u8; X448_KEY]> {
        Some(x448_base(private))
    }

    fn is_public(bytes: &[u8]) -> bool {
        // With any other private key the secret is zero for the same public keys.
        Self::agree(&Zeroizing::new([1; X448_KEY]), bytes).is_some()
    }

    fn agree(private: &Self::Private, public: &[u8]) -> Option<Zeroizing<[u8; X448_KEY]>> {
        let agreed = Zeroizing::new(x448(public.try_into().ok()?, private));
        let zero: bool = agreed.as_slice().ct_eq(&[0; X448_KEY]).into();
        (!zero).then_some(agreed)
    }
}

/// Ed448. Private keys are seeds.
pub(super) struct Ed448;

fn is_small_order(point: &[u8]) -> bool {
    Point::decode(point).is_none_or(|point| point.has_low_order() != 0)
}

impl SignatureScheme for Ed448 {
    fn key_pair(seed: &Seed) -> SignatureKeyPair {
        let mut private = Zeroizing::new([0; ED448_KEY]);
        Keyed::<Sha512>::new(seed).expand(&[b"Ed448 seed"], &mut *private);
        let public = PrivateKey::from_seed(&*private).public_key.encode();
        SignatureKeyPair { private: private.as_slice().into(), public: public.as_slice().into() }
    }

    fn sign(key: &SignaturePrivateKey, content: &[u8]) -> Result<Signature, CryptoError> {
        let seed: &[u8; ED448_KEY] = sized(key.as_slice(), what::SIGNATURE_PRIVATE)?;
        Ok(PrivateKey::from_seed(seed).sign_raw(content).as_slice().into())
    }

    fn verify(item: SignedItem<'_>) -> Result<(), CryptoError> {
        let key: &[u8; ED448_KEY] = sized(item.key.as_slice(), what::SIGNATURE_PUBLIC)?;
        let signature: &[u8; ED448_SIGNATURE] =
            item.signature.as_slice().try_into().map_err(|_| CryptoError::BadSignature)?;
        let strict = !is_small_order(key) && !is_small_order(&signature[..ED448_KEY]);
        let verified = strict
            && PublicKey::decode(key).is_some_and(|key| key.verify_raw(signature, item.content));
        verified.then_some(()).ok_or(CryptoError::BadSignature)
    }
}
