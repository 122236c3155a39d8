//! A second, independent provider of cipher suite 1, with the curves of the dalek crates: to
//! check the first against, and to run where aws-lc does not build. It gives the same bytes.

use aes_gcm::Aes128Gcm;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::Sha256;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use super::kem::{DhKem, Group};
use super::provider::CipherSuite;
use super::signature::{ED25519_KEY, ED25519_SIGNATURE, Ed25519, Edwards25519};
use super::suites::Parts;

/// MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, in Rust alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortableProvider;

impl PortableProvider {
    /// The provider; it has no state.
    pub const fn new() -> Self {
        Self
    }
}

impl Parts for PortableProvider {
    const SUITE: CipherSuite = CipherSuite::X25519_AES128GCM_SHA256_ED25519;
    type Kem = DhKem<DalekX25519>;
    type Hash = Sha256;
    type Aead = Aes128Gcm;
    type Signatures = Ed25519<DalekEd25519>;
}

/// An X25519 key, public or private, in bytes.
const X25519_KEY: usize = 32;

/// X25519 from the dalek crates.
pub(super) struct DalekX25519;

impl Group for DalekX25519 {
    const KEM_ID: u16 = 0x20;
    const PRIVATE: usize = X25519_KEY;
    const PUBLIC: usize = X25519_KEY;
    const REJECTION_MASK: Option<u8> = None;
    type Hash = Sha256;
    type Private = StaticSecret;
    type Public = [u8; X25519_KEY];
    type Agreed = [u8; X25519_KEY];

    fn private(bytes: &[u8]) -> Option<StaticSecret> {
        let bytes: [u8; X25519_KEY] = bytes.try_into().ok()?;
        Some(StaticSecret::from(bytes))
    }

    fn public_of(private: &StaticSecret) -> Option<[u8; X25519_KEY]> {
        Some(PublicKey::from(private).to_bytes())
    }

    fn is_public(bytes: &[u8]) -> bool {
        // With any other private key the secret is zero for the same public keys.
        Self::agree(&StaticSecret::from([1; X25519_KEY]), bytes).is_some()
    }

    fn agree(private: &StaticSecret, public: &[u8]) -> Option<Zeroizing<[u8; X25519_KEY]>> {
        let public: [u8; X25519_KEY] = public.try_into().ok()?;
        let secret = private.diffie_hellman(&PublicKey::from(public));
        secret.was_contributory().then(|| Zeroizing::new(secret.to_bytes()))
    }
}

/// Edwards25519 from the dalek crates.
pub(super) struct DalekEd25519;

impl Edwards25519 for DalekEd25519 {
    fn public_of(seed: &[u8; ED25519_KEY]) -> [u8; ED25519_KEY] {
        SigningKey::from_bytes(seed).verifying_key().to_bytes()
    }

    fn sign(seed: &[u8; ED25519_KEY], content: &[u8]) -> Option<[u8; ED25519_SIGNATURE]> {
        Some(SigningKey::from_bytes(seed).sign(content).to_bytes())
    }

    fn verify(
        key: &[u8; ED25519_KEY],
        content: &[u8],
        signature: &[u8; ED25519_SIGNATURE],
    ) -> bool {
        VerifyingKey::from_bytes(key)
            .and_then(|key| key.verify_strict(content, &Signature::from_bytes(signature)))
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::{Provider, RealProvider, SignedItem};
    use super::*;

    const REAL: RealProvider = RealProvider::new();
    const PORTABLE: PortableProvider = PortableProvider::new();

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn both_providers_give_the_same_hpke_bytes(
            ikm: [u8; 32],
            seed: [u8; 32],
            info in vec(any::<u8>(), 0..200),
            plaintext in vec(any::<u8>(), 0..200),
        ) {
            let pair = REAL.derive_key_pair(&ikm).unwrap();
            prop_assert_eq!(&PORTABLE.derive_key_pair(&ikm).unwrap(), &pair);
            prop_assert_eq!(PORTABLE.key_pair(&seed), REAL.key_pair(&seed));
            let context = REAL.hpke_info(&info);
            prop_assert_eq!(&PORTABLE.hpke_info(&info), &context);
            let sealed = REAL.hpke_seal(&pair.public, &context, &plaintext, &seed).unwrap();
            let theirs = PORTABLE.hpke_seal(&pair.public, &context, &plaintext, &seed).unwrap();
            prop_assert_eq!(&theirs, &sealed);
            for provider in [&REAL as &dyn Provider, &PORTABLE] {
                let opened = provider.hpke_open(&pair, &context, &sealed).unwrap();
                prop_assert_eq!(opened.as_slice(), &plaintext);
            }
        }

        #[test]
        fn both_providers_give_the_same_signatures(
            seed: [u8; 32],
            content in vec(any::<u8>(), 0..400),
        ) {
            let pair = REAL.signature_key_pair(&seed);
            prop_assert_eq!(&PORTABLE.signature_key_pair(&seed), &pair);
            let signature = REAL.sign(&pair.private, &content).unwrap();
            prop_assert_eq!(&PORTABLE.sign(&pair.private, &content).unwrap(), &signature);
            let item = SignedItem { key: &pair.public, content: &content, signature: &signature };
            prop_assert_eq!(REAL.verify(item), Ok(()));
            prop_assert_eq!(PORTABLE.verify(item), Ok(()));
        }

        /// Any 32 bytes as a key and any 64 as a signature: both refuse, in the same words.
        #[test]
        fn both_providers_refuse_alike(
            key: [u8; 32],
            noise in vec(any::<u8>(), 64),
            cut in 0..64_usize,
        ) {
            let (key, noise) = (key.to_vec().into(), noise.into());
            let item = SignedItem { key: &key, content: b"", signature: &noise };
            prop_assert!(REAL.verify(item).is_err());
            prop_assert_eq!(PORTABLE.verify(item), REAL.verify(item));
            let (key, noise) = (key.as_slice()[..cut / 2].into(), noise.as_slice()[..cut].into());
            let item = SignedItem { key: &key, content: b"", signature: &noise };
            prop_assert!(REAL.verify(item).is_err());
            prop_assert_eq!(PORTABLE.verify(item), REAL.verify(item));
        }
    }

    #[test]
    fn small_orders_are_refused_here_too() {
        let neutral: Vec<u8> = [&[1][..], &[0; 31]].concat();
        let info = REAL.hpke_info(b"");
        for point in [vec![0; 32], neutral.clone()] {
            let sealed = PORTABLE.hpke_seal(&point.clone().into(), &info, b"", &[1; 32]);
            assert!(sealed.is_err());
            assert_eq!(sealed, REAL.hpke_seal(&point.into(), &info, b"", &[1; 32]));
        }
        let forged = [&[0x58][..], &[0x66; 31], &neutral].concat().into();
        let key = neutral.into();
        let item = SignedItem { key: &key, content: b"anything", signature: &forged };
        assert!(PORTABLE.verify(item).is_err());
    }
}
