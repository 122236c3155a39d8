//! The AEADs of the cipher suites (RFC 9420 §17.1, RFC 5116): one call each way, the tag
//! appended. All of them have nonces of 12 bytes and tags of 16.

use aes_gcm::aead::array::typenum::{U12, U16};
use aes_gcm::aead::{AeadCore, AeadInOut, KeyInit};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use chacha20poly1305::ChaCha20Poly1305;

use super::provider::{CryptoError, sized, what};

/// `AEAD.Nn`, in bytes.
pub(super) const AEAD_NONCE: usize = 12;
/// What a ciphertext has more than its plaintext, in bytes.
pub(super) const AEAD_TAG: usize = 16;

/// An AEAD by its identifier in RFC 9180 §7.3.
pub(super) trait Aead:
    AeadInOut + AeadCore<NonceSize = U12, TagSize = U16> + KeyInit
{
    /// The identifier.
    const ID: u16;
    /// `AEAD.Nk`, in bytes.
    const KEY: usize;
}

impl Aead for Aes128Gcm {
    const ID: u16 = 1;
    const KEY: usize = 16;
}

impl Aead for Aes256Gcm {
    const ID: u16 = 2;
    const KEY: usize = 32;
}

impl Aead for ChaCha20Poly1305 {
    const ID: u16 = 3;
    const KEY: usize = 32;
}

fn cipher<A: Aead>(key: &[u8]) -> Result<A, CryptoError> {
    A::new_from_slice(key).map_err(|_| CryptoError::BadKey(what::AEAD_KEY))
}

/// Encrypts; the tag is appended.
pub(super) fn seal<A: Aead>(
    key: &[u8],
    nonce: &[u8],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    let (cipher, nonce) = (cipher::<A>(key)?, sized::<AEAD_NONCE>(nonce, what::AEAD_NONCE)?);
    let mut out = Vec::with_capacity(plaintext.len() + AEAD_TAG);
    out.extend_from_slice(plaintext);
    let tag = cipher
        .encrypt_inout_detached(nonce.into(), aad, out.as_mut_slice().into())
        .map_err(|_| CryptoError::BadLength(plaintext.len()))?;
    out.extend_from_slice(&tag);
    Ok(out)
}

/// Decrypts.
pub(super) fn open<A: Aead>(
    key: &[u8],
    nonce: &[u8],
    aad: &[u8],
    ciphertext: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    let (cipher, nonce) = (cipher::<A>(key)?, sized::<AEAD_NONCE>(nonce, what::AEAD_NONCE)?);
    let (body, tag) =
        ciphertext.split_last_chunk::<AEAD_TAG>().ok_or(CryptoError::BadCiphertext)?;
    let mut out = body.to_vec();
    cipher
        .decrypt_inout_detached(nonce.into(), aad, out.as_mut_slice().into(), tag.into())
        .map_err(|_| CryptoError::BadCiphertext)?;
    Ok(out)
}
