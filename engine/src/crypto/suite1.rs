//! Cipher suite 1 but for its curves (RFC 9420 §17.1): SHA-256, HMAC, HKDF (RFC 5869),
//! AES-128-GCM, and the composition of a [`Provider`] from these and whatever computes X25519
//! and Ed25519. The `sha2` and `aes-gcm` crates are used because they start up faster than
//! others, and MLS hashes and encrypts a few hundred bytes at a time.

use std::fmt::Debug;

use aes_gcm::Aes128Gcm;
use aes_gcm::aead::{AeadInOut, KeyInit};
use ed25519_dalek::VerifyingKey;
use hmac::{Hmac, Mac};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::hpke;
use super::provider::{CipherSuite, CryptoError, HpkeInfo, Provider, Seed, SignedItem};
use super::types::{
    Digest, HpkeCiphertext, HpkeKeyPair, HpkePublicKey, Secret, Signature, SignatureKeyPair,
    SignaturePrivateKey,
};

/// `KDF.Nh`, and the length of a hash.
pub(super) const DIGEST: usize = 32;
/// `AEAD.Nk`.
pub(super) const AEAD_KEY: usize = 16;
/// `AEAD.Nn`.
pub(super) const AEAD_NONCE: usize = 12;
/// What an AEAD ciphertext has more than its plaintext.
pub(super) const AEAD_TAG: usize = 16;
/// HKDF counts its blocks in one byte.
pub(super) const MAX_EXPAND: usize = 255 * DIGEST;
/// Every key of X25519 and Ed25519, public or private.
pub(super) const KEY: usize = 32;
/// An Ed25519 signature.
pub(super) const SIGNATURE: usize = 64;

/// Batches smaller than this are verified one by one: the sums that a batch shares pay for
/// the slower decoding of its points only from here on.
const BATCH_FROM: usize = 4;

/// What a [`CryptoError::BadKey`] of this suite calls the thing that it refuses.
pub(super) mod what {
    pub(in super::super) const AEAD_KEY: &str = "key of the AEAD";
    pub(in super::super) const AEAD_NONCE: &str = "nonce of the AEAD";
    pub(in super::super) const HPKE_PRIVATE: &str = "HPKE private key";
    pub(in super::super) const HPKE_PUBLIC: &str = "HPKE public key";
    pub(in super::super) const HPKE_INFO: &str = "HPKE info";
    pub(in super::super) const SIGNATURE_PRIVATE: &str = "signature private key";
    pub(in super::super) const SIGNATURE_PUBLIC: &str = "signature public key";
}

/// What two implementations of the suite differ in: the arithmetic of X25519 (RFC 7748) and
/// Ed25519 (RFC 8032). Whoever has it is a [`Provider`].
pub(super) trait Curves: Debug + Send + Sync {
    /// An X25519 private key, ready for use.
    type Private;

    /// Takes in a private key; any 32 bytes are one.
    fn private(bytes: &[u8; KEY]) -> Option<Self::Private>;

    /// The public key of a private key.
    fn public_of(private: &Self::Private) -> Option<[u8; KEY]>;

    /// The shared secret; `None` where it is all zero, which RFC 9180 §7.1.4 refuses.
    fn agree(private: &Self::Private, public: &[u8; KEY]) -> Option<Zeroizing<[u8; KEY]>>;

    /// The Ed25519 public key of a seed.
    fn signature_public_of(seed: &[u8; KEY]) -> [u8; KEY];

    /// Signs with the key of a seed.
    fn sign(seed: &[u8; KEY], content: &[u8]) -> Option<[u8; SIGNATURE]>;

    /// Verifies without the cofactor, and refuses small-order keys and commitments.
    fn verify(key: &[u8; KEY], content: &[u8], signature: &[u8; SIGNATURE]) -> bool;
}

/// `bytes` as an array, or the refusal that names `what` they should have been.
pub(super) fn sized<'a, const N: usize>(
    bytes: &'a [u8],
    what: &'static str,
) -> Result<&'a [u8; N], CryptoError> {
    bytes.try_into().map_err(|_| CryptoError::BadKey(what))
}

/// HMAC-SHA-256 with its key absorbed: the PRK of an HKDF, from which several outputs may be
/// expanded. HMAC takes keys of any length, and so does this: a secret out of a hostile
/// Welcome may be too short for RFC 5869, and must yield garbage rather than a panic.
pub(super) struct Keyed(Hmac<Sha256>);

impl Keyed {
    pub(super) fn new(key: &[u8]) -> Self {
        Self(<Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes any key"))
    }

    /// The MAC of the parts, one after the other. With the salt as key this is `Extract`.
    pub(super) fn mac(&self, parts: &[&[u8]]) -> Zeroizing<[u8; DIGEST]> {
        let mut mac = self.0.clone();
        parts.iter().for_each(|part| mac.update(part));
        Zeroizing::new(mac.finalize().into_bytes().into())
    }

    /// `Expand` (RFC 5869 §2.3) with the parts as info, into at most [`MAX_EXPAND`] bytes.
    pub(super) fn expand(&self, info: &[&[u8]], out: &mut [u8]) {
        debug_assert!(out.len() <= MAX_EXPAND, "the block counter is one byte");
        let mut previous = Zeroizing::new([0; DIGEST]);
        for (block, counter) in out.chunks_mut(DIGEST).zip(1..=u8::MAX) {
            let mut mac = self.0.clone();
            if counter > 1 {
                mac.update(&*previous);
            }
            info.iter().for_each(|part| mac.update(part));
            mac.update(&[counter]);
            *previous = mac.finalize().into_bytes().into();
            block.copy_from_slice(&previous[..block.len()]);
        }
    }
}

/// AES-128-GCM encryption; the tag is appended.
pub(super) fn aead_seal(
    key: &[u8; AEAD_KEY],
    nonce: &[u8; AEAD_NONCE],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    let mut out = Vec::with_capacity(plaintext.len() + AEAD_TAG);
    out.extend_from_slice(plaintext);
    let tag = Aes128Gcm::new(key.into())
        .encrypt_inout_detached(nonce.into(), aad, out.as_mut_slice().into())
        .map_err(|_| CryptoError::BadLength(plaintext.len()))?;
    out.extend_from_slice(&tag);
    Ok(out)
}

/// AES-128-GCM decryption.
pub(super) fn aead_open(
    key: &[u8; AEAD_KEY],
    nonce: &[u8; AEAD_NONCE],
    aad: &[u8],
    ciphertext: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    let (body, tag) =
        ciphertext.split_last_chunk::<AEAD_TAG>().ok_or(CryptoError::BadCiphertext)?;
    let mut out = body.to_vec();
    Aes128Gcm::new(key.into())
        .decrypt_inout_detached(nonce.into(), aad, out.as_mut_slice().into(), tag.into())
        .map_err(|_| CryptoError::BadCiphertext)?;
    Ok(out)
}

/// The key and the signature of an item, at their lengths.
pub(super) fn signed_parts<'a>(
    item: &SignedItem<'a>,
) -> Result<(&'a [u8; KEY], &'a [u8; SIGNATURE]), CryptoError> {
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
        let (key, signature) = signed_parts(item)?;
        keys.push(VerifyingKey::from_bytes(key).map_err(|_| CryptoError::BadSignature)?);
        signatures.push(ed25519_dalek::Signature::from_bytes(signature));
    }
    let contents: Vec<_> = items.iter().map(|item| item.content).collect();
    ed25519_dalek::verify_batch(&contents, &signatures, &keys)
        .map_err(|_| CryptoError::BadSignature)
}

impl<C: Curves> Provider for C {
    fn cipher_suite(&self) -> CipherSuite {
        CipherSuite::X25519_AES128GCM_SHA256_ED25519
    }

    fn digest_length(&self) -> usize {
        DIGEST
    }

    fn aead_key_length(&self) -> usize {
        AEAD_KEY
    }

    fn aead_nonce_length(&self) -> usize {
        AEAD_NONCE
    }

    fn hash(&self, data: &[u8]) -> Digest {
        <[u8; DIGEST]>::from(Sha256::digest(data)).into()
    }

    fn mac(&self, key: &[u8], data: &[u8]) -> Digest {
        (*Keyed::new(key).mac(&[data])).into()
    }

    fn extract(&self, salt: &[u8], ikm: &[u8]) -> Secret {
        Keyed::new(salt).mac(&[ikm]).as_slice().into()
    }

    fn expand(&self, prk: &[u8], info: &[u8], length: usize) -> Result<Secret, CryptoError> {
        if length > MAX_EXPAND {
            return Err(CryptoError::BadLength(length));
        }
        let mut out = vec![0; length];
        Keyed::new(prk).expand(&[info], &mut out);
        Ok(out.into())
    }

    fn aead_seal(
        &self,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        aead_seal(sized(key, what::AEAD_KEY)?, sized(nonce, what::AEAD_NONCE)?, aad, plaintext)
    }

    fn aead_open(
        &self,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        ciphertext: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        aead_open(sized(key, what::AEAD_KEY)?, sized(nonce, what::AEAD_NONCE)?, aad, ciphertext)
    }

    fn derive_key_pair(&self, ikm: &[u8]) -> Result<HpkeKeyPair, CryptoError> {
        hpke::derive_key_pair::<C>(ikm)
    }

    fn key_pair(&self, private: &[u8]) -> Result<HpkeKeyPair, CryptoError> {
        hpke::key_pair::<C>(sized(private, what::HPKE_PRIVATE)?)
    }

    fn hpke_info(&self, info: &[u8]) -> HpkeInfo {
        HpkeInfo(hpke::info_hash(info).into())
    }

    fn hpke_seal(
        &self,
        to: &HpkePublicKey,
        info: &HpkeInfo,
        plaintext: &[u8],
        seed: &Seed,
    ) -> Result<HpkeCiphertext, CryptoError> {
        hpke::seal::<C>(to, info, plaintext, seed)
    }

    fn hpke_open(
        &self,
        to: &HpkeKeyPair,
        info: &HpkeInfo,
        ciphertext: &HpkeCiphertext,
    ) -> Result<Secret, CryptoError> {
        hpke::open::<C>(to, info, ciphertext)
    }

    fn signature_key_pair(&self, seed: &Seed) -> SignatureKeyPair {
        SignatureKeyPair {
            private: seed.as_slice().into(),
            public: C::signature_public_of(seed).as_slice().into(),
        }
    }

    fn sign(&self, key: &SignaturePrivateKey, content: &[u8]) -> Result<Signature, CryptoError> {
        let seed = sized(key.as_slice(), what::SIGNATURE_PRIVATE)?;
        let signature =
            C::sign(seed, content).ok_or(CryptoError::BadKey(what::SIGNATURE_PRIVATE))?;
        Ok(signature.as_slice().into())
    }

    fn verify(&self, item: SignedItem<'_>) -> Result<(), CryptoError> {
        let (key, signature) = signed_parts(&item)?;
        if C::verify(key, item.content, signature) {
            Ok(())
        } else {
            Err(CryptoError::BadSignature)
        }
    }

    fn verify_batch(&self, items: &[SignedItem<'_>]) -> Result<(), CryptoError> {
        if items.len() < BATCH_FROM {
            items.iter().try_for_each(|item| self.verify(*item))
        } else {
            verify_together(items)
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::aead;
    use hkdf::Hkdf;

    use super::super::RealProvider;
    use super::*;

    const REAL: RealProvider = RealProvider::new();

    #[test]
    fn hash_of_abc() {
        // FIPS 180-4's own example.
        let abc = REAL.hash(b"abc");
        assert_eq!(&abc.as_slice()[..4], &[0xba, 0x78, 0x16, 0xbf]);
        assert_eq!(&abc.as_slice()[28..], &[0xf2, 0x00, 0x15, 0xad]);
    }

    #[test]
    fn extract_and_expand_agree_with_the_hkdf_crate() {
        for length in [0, 1, 16, 31, 32, 33, 64, 100, 8160] {
            let (salt, ikm, info) = ([1; 32], vec![2; length % 90], vec![3; length % 120]);
            let (prk, theirs) = Hkdf::<Sha256>::extract(Some(&salt), &ikm);
            let mut okm = vec![0; length];
            theirs.expand(&info, &mut okm).unwrap();
            let ours = REAL.extract(&salt, &ikm);
            assert_eq!(ours.as_slice(), prk.as_slice());
            assert_eq!(REAL.expand(ours.as_slice(), &info, length).unwrap().as_slice(), okm);
        }
    }

    #[test]
    fn expand_refuses_more_than_the_counter_can_count() {
        assert_eq!(REAL.expand(&[1; 32], b"", 8161), Err(CryptoError::BadLength(8161)));
    }

    #[test]
    fn a_short_prk_gives_garbage_and_no_panic() {
        assert_eq!(REAL.expand(b"", b"", 32).unwrap().as_slice().len(), 32);
    }

    #[test]
    fn aead_agrees_with_aws_lc() {
        for length in [0, 1, 15, 16, 17, 300, 5000] {
            let (key, nonce, aad) = ([1; 16], [2; 12], [3; 20]);
            let mut theirs = vec![4; length];
            let ours = REAL.aead_seal(&key, &nonce, &aad, &theirs).unwrap();
            aead::LessSafeKey::new(aead::UnboundKey::new(&aead::AES_128_GCM, &key).unwrap())
                .seal_in_place_append_tag(
                    aead::Nonce::assume_unique_for_key(nonce),
                    aead::Aad::from(aad),
                    &mut theirs,
                )
                .unwrap();
            assert_eq!(ours, theirs);
            assert_eq!(REAL.aead_open(&key, &nonce, &aad, &ours).unwrap(), vec![4; length]);
        }
    }

    #[test]
    fn a_batch_passes_whole_or_not_at_all() {
        let signed: Vec<_> = (0..20_u8)
            .map(|i| {
                let pair = REAL.signature_key_pair(&[i; 32]);
                let content = vec![i; usize::from(i)];
                let signature = REAL.sign(&pair.private, &content).unwrap();
                (pair.public, content, signature)
            })
            .collect();
        for size in 0..=signed.len() {
            let items: Vec<_> = signed[..size]
                .iter()
                .map(|(key, content, signature)| SignedItem { key, content, signature })
                .collect();
            assert_eq!(REAL.verify_batch(&items), Ok(()));
            for bad in 0..size {
                let mut items = items.clone();
                items[bad].content = b"another content";
                assert_eq!(REAL.verify_batch(&items), Err(CryptoError::BadSignature));
            }
        }
    }

    #[test]
    fn a_batch_refuses_what_is_no_key_and_no_signature() {
        let pair = REAL.signature_key_pair(&[1; 32]);
        let signature = REAL.sign(&pair.private, b"content").unwrap();
        let good = SignedItem { key: &pair.public, content: b"content", signature: &signature };
        let no_point = [&[2][..], &[0; 31]].concat().into();
        let short_key = vec![1; 31].into();
        let short_signature = vec![1; 63].into();
        for (bad, refusal) in [
            (SignedItem { key: &no_point, ..good }, CryptoError::BadSignature),
            (SignedItem { key: &short_key, ..good }, CryptoError::BadKey(what::SIGNATURE_PUBLIC)),
            (SignedItem { signature: &short_signature, ..good }, CryptoError::BadSignature),
        ] {
            for size in [1, 8] {
                let mut items = vec![good; size];
                items[size / 2] = bad;
                assert_eq!(REAL.verify_batch(&items), Err(refusal));
            }
        }
    }
}
