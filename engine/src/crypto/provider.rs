//! What a cipher suite must provide (RFC 9420 §5.1): the primitives and nothing of MLS. Each
//! call is deterministic: where a scheme wants randomness, the caller gives a seed.

use thiserror::Error;
use zeroize::Zeroizing;

use smallvec::SmallVec;

use super::types::{
    Digest, HpkeCiphertext, HpkeKeyPair, HpkePublicKey, MAX_DIGEST, Secret, Signature,
    SignatureKeyPair, SignaturePrivateKey, SignaturePublicKey,
};

/// A cipher suite by its number in RFC 9420 §17.1. Unknown ones, GREASE among them, are kept
/// intact.
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

/// Declares the cipher suites that this engine has, with their names.
macro_rules! cipher_suites {
    ($($(#[$doc:meta])* $constant:ident = $number:literal, $name:literal;)+) => {
        impl CipherSuite {
            $($(#[$doc])* #[doc = $name] pub const $constant: Self = Self($number);)+

            /// Every suite that this engine has.
            pub const ALL: [Self; [$($number),+].len()] = [$(Self::$constant),+];

            /// Its name, if this engine has it.
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$constant => Some($name),)+
                    _ => None,
                }
            }
        }
    };
}

cipher_suites! {
    X25519_AES128GCM_SHA256_ED25519 = 1, "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519";
    P256_AES128GCM_SHA256_P256 = 2, "MLS_128_DHKEMP256_AES128GCM_SHA256_P256";
    X25519_CHACHA20POLY1305_SHA256_ED25519 = 3, "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519";
    X448_AES256GCM_SHA512_ED448 = 4, "MLS_256_DHKEMX448_AES256GCM_SHA512_Ed448";
    P521_AES256GCM_SHA512_P521 = 5, "MLS_256_DHKEMP521_AES256GCM_SHA512_P521";
    X448_CHACHA20POLY1305_SHA512_ED448 = 6, "MLS_256_DHKEMX448_CHACHA20POLY1305_SHA512_Ed448";
    P384_AES256GCM_SHA384_P384 = 7, "MLS_256_DHKEMP384_AES256GCM_SHA384_P384";
    /// Experimental, of draft-ietf-mls-pq-ciphersuites-06, under a number for private use until
    /// it is given its own:
    MLKEM768X25519_AES128GCM_SHA256_ED25519 = 0xf647,
        "MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519";
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
    /// A cipher suite whose KEM is no Diffie-Hellman group was asked to agree.
    #[error("the KEM of this cipher suite is not over a Diffie-Hellman group")]
    NoAgreement,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HpkeInfo(pub(super) SmallVec<[u8; 1 + 2 * MAX_DIGEST]>);

impl AsRef<[u8]> for HpkeInfo {
    /// Bytes that tell one `info` from another under a suite.
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// What a [`CryptoError::BadKey`] calls the thing that it refuses.
pub(super) mod what {
    pub(in super::super) const AEAD_KEY: &str = "key of the AEAD";
    pub(in super::super) const AEAD_NONCE: &str = "nonce of the AEAD";
    pub(in super::super) const HPKE_PRIVATE: &str = "HPKE private key";
    pub(in super::super) const HPKE_PUBLIC: &str = "HPKE public key";
    pub(in super::super) const SIGNATURE_PRIVATE: &str = "signature private key";
    pub(in super::super) const SIGNATURE_PUBLIC: &str = "signature public key";
}

/// `bytes` as an array, or the refusal that names `what` they should have been.
pub(super) fn sized<'a, const N: usize>(
    bytes: &'a [u8],
    what: &'static str,
) -> Result<&'a [u8; N], CryptoError> {
    bytes.try_into().map_err(|_| CryptoError::BadKey(what))
}

/// `bytes` if they are `length` of them, or the refusal that names `what` they should have been.
pub(super) fn sized_slice<'a>(
    bytes: &'a [u8],
    length: usize,
    what: &'static str,
) -> Result<&'a [u8], CryptoError> {
    if bytes.len() == length { Ok(bytes) } else { Err(CryptoError::BadKey(what)) }
}

/// A scalar at its length: leading zeros may be missing, which some implementations drop.
pub(super) fn scalar(
    bytes: &[u8],
    length: usize,
    what: &'static str,
) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let missing = length.checked_sub(bytes.len()).ok_or(CryptoError::BadKey(what))?;
    let mut scalar = Zeroizing::new(Vec::with_capacity(length));
    scalar.resize(missing, 0);
    scalar.extend_from_slice(bytes);
    Ok(scalar)
}

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

    /// The suite's hash of the parts, one after the other.
    fn hash(&self, parts: &[&[u8]]) -> Digest;

    /// The suite's MAC (HMAC with the suite's hash) of the parts, one after the other.
    fn mac(&self, key: &[u8], parts: &[&[u8]]) -> Digest;

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

    /// Checks that bytes are a public key of the suite's KEM: one that can be encapsulated to.
    fn check_public_key(&self, key: &HpkePublicKey) -> Result<(), CryptoError>;

    /// A plain Diffie-Hellman agreement in the group of the suite's KEM: the secret as the group
    /// gives it, `DH(skX, pkY)` of RFC 9180 §4.1. Only the private half of `own` is used.
    fn dh(&self, own: &HpkeKeyPair, theirs: &HpkePublicKey) -> Result<Secret, CryptoError>;

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

    /// HPKE `SendExportBase` of `KDF.Nh` bytes (RFC 9180 §6.2), its ephemeral key out of `seed`:
    /// the encapsulated key and the secret.
    fn hpke_send_export(
        &self,
        to: &HpkePublicKey,
        info: &HpkeInfo,
        context: &[u8],
        seed: &Seed,
    ) -> Result<(Vec<u8>, Secret), CryptoError>;

    /// HPKE `ReceiveExportBase` of `KDF.Nh` bytes.
    fn hpke_receive_export(
        &self,
        to: &HpkeKeyPair,
        kem_output: &[u8],
        info: &HpkeInfo,
        context: &[u8],
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
