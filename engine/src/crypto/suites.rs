//! The cipher suites (RFC 9420 §17.1, draft-ietf-mls-pq-ciphersuites-06): what each is made
//! of, and the composition of a [`Provider`] from that.

use std::fmt::Debug;

use aes_gcm::{Aes128Gcm, Aes256Gcm};
use chacha20poly1305::ChaCha20Poly1305;
use sha2::{Sha256, Sha384, Sha512};

use super::aead::{self, AEAD_NONCE, Aead};
use super::aws_lc::{AwsLcEd25519, P256, P384, P521, X25519};
use super::ecdsa::{EcdsaP256, EcdsaP384, EcdsaP521};
use super::goldilocks::{Ed448, X448};
use super::hash::{HashFunction, Keyed};
use super::hpke::Hpke;
use super::kem::{DhKem, Kem};
use super::provider::{CipherSuite, CryptoError, HpkeInfo, Provider, Seed, SignedItem, what};
use super::signature::{Ed25519, SignatureScheme};
use super::types::{
    Digest, HpkeCiphertext, HpkeKeyPair, HpkePublicKey, Secret, Signature, SignatureKeyPair,
    SignaturePrivateKey,
};
use super::xwing::XWing;

/// What a cipher suite is made of. Whoever says so is a [`Provider`].
pub(super) trait Parts: Debug + Send + Sync {
    /// Its number.
    const SUITE: CipherSuite;
    /// Its KEM.
    type Kem: Kem;
    /// Its hash, MAC and KDF.
    type Hash: HashFunction;
    /// Its AEAD.
    type Aead: Aead;
    /// Its signature scheme.
    type Signatures: SignatureScheme;
}

macro_rules! suites {
    ($($(#[$doc:meta])* $vis:vis $name:ident = $suite:ident: $kem:ty, $hash:ty, $aead:ty, $signatures:ty;)+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
            $vis struct $name;

            impl Parts for $name {
                const SUITE: CipherSuite = CipherSuite::$suite;
                type Kem = $kem;
                type Hash = $hash;
                type Aead = $aead;
                type Signatures = $signatures;
            }
        )+

        /// The provider of a cipher suite, if this engine has it.
        pub fn provider(suite: CipherSuite) -> Option<&'static dyn Provider> {
            match suite {
                $(CipherSuite::$suite => Some(&$name),)+
                _ => None,
            }
        }
    };
}

suites! {
    /// The provider that runs by default: cipher suite 1.
    pub RealProvider = X25519_AES128GCM_SHA256_ED25519:
        DhKem<X25519>, Sha256, Aes128Gcm, Ed25519<AwsLcEd25519>;
    Suite2 = P256_AES128GCM_SHA256_P256: DhKem<P256>, Sha256, Aes128Gcm, EcdsaP256;
    Suite3 = X25519_CHACHA20POLY1305_SHA256_ED25519:
        DhKem<X25519>, Sha256, ChaCha20Poly1305, Ed25519<AwsLcEd25519>;
    Suite4 = X448_AES256GCM_SHA512_ED448: DhKem<X448>, Sha512, Aes256Gcm, Ed448;
    Suite5 = P521_AES256GCM_SHA512_P521: DhKem<P521>, Sha512, Aes256Gcm, EcdsaP521;
    Suite6 = X448_CHACHA20POLY1305_SHA512_ED448: DhKem<X448>, Sha512, ChaCha20Poly1305, Ed448;
    Suite7 = P384_AES256GCM_SHA384_P384: DhKem<P384>, Sha384, Aes256Gcm, EcdsaP384;
    Hybrid = MLKEM768X25519_AES128GCM_SHA256_ED25519:
        XWing, Sha256, Aes128Gcm, Ed25519<AwsLcEd25519>;
}

impl RealProvider {
    /// The provider; it has no state.
    pub const fn new() -> Self {
        Self
    }
}

/// HPKE with the parts of a suite.
type HpkeOf<P> = Hpke<<P as Parts>::Kem, <P as Parts>::Hash, <P as Parts>::Aead>;

impl<P: Parts> Provider for P {
    fn cipher_suite(&self) -> CipherSuite {
        P::SUITE
    }

    fn digest_length(&self) -> usize {
        P::Hash::LENGTH
    }

    fn aead_key_length(&self) -> usize {
        <P::Aead as Aead>::KEY
    }

    fn aead_nonce_length(&self) -> usize {
        AEAD_NONCE
    }

    fn hash(&self, parts: &[&[u8]]) -> Digest {
        P::Hash::hash(parts).into()
    }

    fn mac(&self, key: &[u8], parts: &[&[u8]]) -> Digest {
        (*Keyed::<P::Hash>::new(key).mac(parts)).into()
    }

    fn extract(&self, salt: &[u8], ikm: &[u8]) -> Secret {
        (*Keyed::<P::Hash>::new(salt).mac(&[ikm])).as_ref().into()
    }

    fn expand(&self, prk: &[u8], info: &[u8], length: usize) -> Result<Secret, CryptoError> {
        if length > P::Hash::MAX_EXPAND {
            return Err(CryptoError::BadLength(length));
        }
        let mut out = vec![0; length];
        Keyed::<P::Hash>::new(prk).expand(&[info], &mut out);
        Ok(out.into())
    }

    fn aead_seal(
        &self,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        aead::seal::<P::Aead>(key, nonce, aad, plaintext)
    }

    fn aead_open(
        &self,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        ciphertext: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        aead::open::<P::Aead>(key, nonce, aad, ciphertext)
    }

    fn derive_key_pair(&self, ikm: &[u8]) -> Result<HpkeKeyPair, CryptoError> {
        P::Kem::derive_key_pair(ikm)
    }

    fn key_pair(&self, private: &[u8]) -> Result<HpkeKeyPair, CryptoError> {
        P::Kem::key_pair(private)
    }

    fn check_public_key(&self, key: &HpkePublicKey) -> Result<(), CryptoError> {
        let is_public = P::Kem::is_public(key.as_slice());
        if is_public { Ok(()) } else { Err(CryptoError::BadKey(what::HPKE_PUBLIC)) }
    }

    fn dh(&self, own: &HpkeKeyPair, theirs: &HpkePublicKey) -> Result<Secret, CryptoError> {
        P::Kem::agree(own.private.as_slice(), theirs.as_slice())
    }

    fn hpke_info(&self, info: &[u8]) -> HpkeInfo {
        HpkeOf::<P>::info(info)
    }

    fn hpke_seal(
        &self,
        to: &HpkePublicKey,
        info: &HpkeInfo,
        plaintext: &[u8],
        seed: &Seed,
    ) -> Result<HpkeCiphertext, CryptoError> {
        HpkeOf::<P>::seal(to, info, plaintext, seed)
    }

    fn hpke_open(
        &self,
        to: &HpkeKeyPair,
        info: &HpkeInfo,
        ciphertext: &HpkeCiphertext,
    ) -> Result<Secret, CryptoError> {
        HpkeOf::<P>::open(to, info, ciphertext)
    }

    fn hpke_send_export(
        &self,
        to: &HpkePublicKey,
        info: &HpkeInfo,
        context: &[u8],
        seed: &Seed,
    ) -> Result<(Vec<u8>, Secret), CryptoError> {
        HpkeOf::<P>::send_export(to, info, context, P::Hash::LENGTH, seed)
    }

    fn hpke_receive_export(
        &self,
        to: &HpkeKeyPair,
        kem_output: &[u8],
        info: &HpkeInfo,
        context: &[u8],
    ) -> Result<Secret, CryptoError> {
        HpkeOf::<P>::receive_export(to, kem_output, info, context, P::Hash::LENGTH)
    }

    fn signature_key_pair(&self, seed: &Seed) -> SignatureKeyPair {
        P::Signatures::key_pair(seed)
    }

    fn sign(&self, key: &SignaturePrivateKey, content: &[u8]) -> Result<Signature, CryptoError> {
        P::Signatures::sign(key, content)
    }

    fn verify(&self, item: SignedItem<'_>) -> Result<(), CryptoError> {
        P::Signatures::verify(item)
    }

    fn verify_batch(&self, items: &[SignedItem<'_>]) -> Result<(), CryptoError> {
        P::Signatures::verify_batch(items)
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::aead;
    use hkdf::Hkdf;

    use super::super::provider::what;
    use super::*;

    const REAL: RealProvider = RealProvider::new();

    #[test]
    fn hash_of_abc() {
        // FIPS 180-4's own example.
        let abc = REAL.hash(&[b"a", b"bc"]);
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
