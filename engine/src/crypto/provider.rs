//! What a cipher suite must provide (RFC 9420 §5.1): the primitives and nothing of MLS. Each
//! call is deterministic: where a scheme wants randomness, the caller gives a seed.

use thiserror::Error;

use super::types::{
    Digest, HpkeCiphertext, HpkeKeyPair, HpkePublicKey, Secret, Signature, SignatureKeyPair,
    SignaturePrivateKey, SignaturePublicKey,
};

/// A cipher suite by its number in RFC 9420 §17.1.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    tls_codec::TlsSize,
    tls_codec::TlsSerialize,
    tls_codec::TlsDeserializeBytes,
)]
pub struct CipherSuite(pub u16);

impl CipherSuite {
    /// MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519.
    pub const X25519_AES128GCM_SHA256_ED25519: Self = Self(1);
}

/// The seed of one randomised operation: 32 bytes from an addressed stream.
pub type Seed = [u8; 32];

/// Why a primitive refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CryptoError {
    /// A signature does not verify under its key.
    #[error("the signature does not verify")]
    BadSignature,
    /// An AEAD or HPKE ciphertext does not open under its key and context.
    #[error("the ciphertext does not open")]
    BadCiphertext,
    /// Bytes are not a key of this suite.
    #[error("the bytes are not a {0} of this cipher suite")]
    BadKey(&'static str),
    /// A KDF was asked for, or an AEAD was given, more bytes than it can handle.
    #[error("no primitive of this cipher suite handles {0} bytes at once")]
    BadLength(usize),
}

/// One signature to check: key, signed content, signature.
#[derive(Clone, Copy, Debug)]
pub struct SignedItem<'a> {
    /// The key it must verify under.
    pub key: &'a SignaturePublicKey,
    /// The bytes that were signed.
    pub content: &'a [u8],
    /// The signature.
    pub signature: &'a Signature,
}

/// What HPKE makes of an `info` before it meets a key: computed once for all that is encrypted
/// under one context. A Welcome that carries the tree is the context of every one of its
/// entries, and would otherwise be hashed once for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HpkeInfo(pub(super) Digest);

/// The primitives of one cipher suite. Implementations are stateless and deterministic.
pub trait Provider: Send + Sync + std::fmt::Debug {
    /// The suite these primitives belong to.
    fn cipher_suite(&self) -> CipherSuite;

    /// `KDF.Nh` and the length of a hash, in bytes.
    fn digest_length(&self) -> usize;

    /// `AEAD.Nk`, in bytes.
    fn aead_key_length(&self) -> usize;

    /// `AEAD.Nn`, in bytes.
    fn aead_nonce_length(&self) -> usize;

    /// Whether the bytes sent and received are real cryptography (the counting provider's
    /// are not).
    fn is_real(&self) -> bool {
        true
    }

    /// The suite's hash.
    fn hash(&self, data: &[u8]) -> Digest;

    /// The suite's MAC (HMAC with the suite's hash).
    fn mac(&self, key: &[u8], data: &[u8]) -> Digest;

    /// `KDF.Extract(salt, ikm)`.
    fn extract(&self, salt: &[u8], ikm: &[u8]) -> Secret;

    /// `KDF.Expand(prk, info, length)`.
    fn expand(&self, prk: &[u8], info: &[u8], length: usize) -> Result<Secret, CryptoError>;

    /// AEAD encryption; the tag is appended.
    fn aead_seal(
        &self,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, CryptoError>;

    /// AEAD decryption.
    fn aead_open(
        &self,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        ciphertext: &[u8],
    ) -> Result<Vec<u8>, CryptoError>;

    /// `KEM.DeriveKeyPair(ikm)` (RFC 9180 §7.1.3).
    fn derive_key_pair(&self, ikm: &[u8]) -> Result<HpkeKeyPair, CryptoError>;

    /// The pair of a private key in `SerializePrivateKey` form.
    fn key_pair(&self, private: &[u8]) -> Result<HpkeKeyPair, CryptoError>;

    /// Prepares an `info` for sealing and opening.
    fn hpke_info(&self, info: &[u8]) -> HpkeInfo;

    /// HPKE `SealBase` with an empty AAD; the ephemeral key pair is `DeriveKeyPair(seed)`.
    fn hpke_seal(
        &self,
        to: &HpkePublicKey,
        info: &HpkeInfo,
        plaintext: &[u8],
        seed: &Seed,
    ) -> Result<HpkeCiphertext, CryptoError>;

    /// HPKE `OpenBase` with an empty AAD.
    fn hpke_open(
        &self,
        to: &HpkeKeyPair,
        info: &HpkeInfo,
        ciphertext: &HpkeCiphertext,
    ) -> Result<Secret, CryptoError>;

    /// A signature key pair from a seed.
    fn signature_key_pair(&self, seed: &Seed) -> SignatureKeyPair;

    /// Signs, deterministically.
    fn sign(&self, key: &SignaturePrivateKey, content: &[u8]) -> Result<Signature, CryptoError>;

    /// Verifies one signature, strictly.
    fn verify(&self, item: SignedItem<'_>) -> Result<(), CryptoError>;

    /// Verifies many signatures, which may be cheaper together. A batch that passes here may
    /// hold a signature that strict verification refuses (small-order components): it is used
    /// for trees and key packages, never for a commit's own signature.
    fn verify_batch(&self, items: &[SignedItem<'_>]) -> Result<(), CryptoError> {
        items.iter().try_for_each(|item| self.verify(*item))
    }
}
