//! The signature schemes of the cipher suites (RFC 9420 §17.1), their private keys in the form
//! in which they are kept, and Ed25519 with its batches over whatever computes the curve.

use std::marker::PhantomData;

use ed25519_dalek::VerifyingKey;

use super::provider::{CryptoError, Seed, SignedItem, sized, what};
use super::types::{Signature, SignatureKeyPair, SignaturePrivateKey};

/// A signature scheme. Signing is deterministic.
pub(super) trait SignatureScheme {
    /// A key pair from a seed.
    fn key_pair(seed: &Seed) -> SignatureKeyPair;

    /// Signs.
    fn sign(key: &SignaturePrivateKey, content: &[u8]) -> Result<Signature, CryptoError>;

    /// Verifies, strictly.
    fn verify(item: SignedItem<'_>) -> Result<(), CryptoError>;

    /// Verifies many; see [`super::Provider::verify_batch`].
    fn verify_batch(items: &[SignedItem<'_>]) -> Result<(), CryptoError> {
        items.iter().try_for_each(|item| Self::verify(*item))
    }
}

/// An Ed25519 key, public or private, in bytes.
pub(super) const ED25519_KEY: usize = 32;
/// An Ed25519 signature, in bytes.
pub(super) const ED25519_SIGNATURE: usize = 64;

/// Batches smaller than this are verified one by one: the sums that a batch shares pay for
/// the slower decoding of its points only from here on.
const BATCH_FROM: usize = 4;

/// The arithmetic of Ed25519 (RFC 8032 §5.1).
pub(super) trait Edwards25519 {
    /// The public key of a seed.
    fn public_of(seed: &[u8; ED25519_KEY]) -> [u8; ED25519_KEY];

    /// Signs with the key of a seed.
    fn sign(seed: &[u8; ED25519_KEY], content: &[u8]) -> Option<[u8; ED25519_SIGNATURE]>;

    /// Verifies without the cofactor, and refuses small-order keys and commitments.
    fn verify(key: &[u8; ED25519_KEY], content: &[u8], signature: &[u8; ED25519_SIGNATURE])
    -> bool;
}

/// Ed25519. Private keys are seeds.
pub(super) struct Ed25519<C>(PhantomData<C>);

impl<C: Edwards25519> SignatureScheme for Ed25519<C> {
    fn key_pair(seed: &Seed) -> SignatureKeyPair {
        SignatureKeyPair {
            private: seed.as_slice().into(),
            public: C::public_of(seed).as_slice().into(),
        }
    }

    fn sign(key: &SignaturePrivateKey, content: &[u8]) -> Result<Signature, CryptoError> {
        let seed = sized(key.as_slice(), what::SIGNATURE_PRIVATE)?;
        let signature = C::sign(seed, content);
        let signature = signature.ok_or(CryptoError::BadKey(what::SIGNATURE_PRIVATE))?;
        Ok(signature.as_slice().into())
    }

    fn verify(item: SignedItem<'_>) -> Result<(), CryptoError> {
        let (key, signature) = ed25519_parts(&item)?;
        C::verify(key, item.content, signature).then_some(()).ok_or(CryptoError::BadSignature)
    }

    fn verify_batch(items: &[SignedItem<'_>]) -> Result<(), CryptoError> {
        if items.len() < BATCH_FROM {
            items.iter().try_for_each(|item| Self::verify(*item))
        } else {
            verify_together(items)
        }
    }
}

/// The key and the signature of an item, at their lengths.
pub(super) fn ed25519_parts<'a>(
    item: &SignedItem<'a>,
) -> Result<(&'a [u8; ED25519_KEY], &'a [u8; ED25519_SIGNATURE]), CryptoError> {
    let key = sized(item.key.as_slice(), what::SIGNATURE_PUBLIC)?;
    let signature = item.signature.as_slice().try_into().map_err(|_| CryptoError::BadSignature)?;
    Ok((key, signature))
}

/// Verifies one equation, a random combination of all signatures' own, whose coefficients are
/// hashes of the whole batch: no randomness, and the same verdict everywhere. It is not
/// strict. Keys and commitments with a small-order component can cancel out in the sum, so a
/// batch may pass though `verify` would refuse one of its items; only the holder of a key can
/// make such a signature under it.
fn verify_together(items: &[SignedItem<'_>]) -> Result<(), CryptoError> {
    let mut keys = Vec::with_capacity(items.len());
    let mut signatures = Vec::with_capacity(items.len());
    for item in items {
        let (key, signature) = ed25519_parts(item)?;
        keys.push(VerifyingKey::from_bytes(key).map_err(|_| CryptoError::BadSignature)?);
        signatures.push(ed25519_dalek::Signature::from_bytes(signature));
    }
    let contents: Vec<_> = items.iter().map(|item| item.content).collect();
    ed25519_dalek::verify_batch(&contents, &signatures, &keys)
        .map_err(|_| CryptoError::BadSignature)
}
