//! Hybrid Public Key Encryption (RFC 9180) as MLS uses it: Base mode, one message to a
//! context, empty AAD; and the one secret that an external commit exports. Written once over
//! the KEM, the hash and the AEAD of a suite.

use smallvec::SmallVec;
use zeroize::Zeroizing;

use super::aead::{self, AEAD_NONCE, Aead};
use super::hash::{HashFunction, Keyed};
use super::kem::{Kem, labeled_expand, labeled_extract};
use super::provider::{CryptoError, HpkeInfo, Seed};
use super::types::{HpkeCiphertext, HpkeKeyPair, HpkePublicKey, Secret};

const MODE_BASE: u8 = 0;

/// The longest key of an AEAD, in bytes.
const MAX_KEY: usize = 32;

/// `suite_id` of the key schedule (RFC 9180 §5.1): the KEM, the KDF and the AEAD.
const fn hpke_suite(kem: u16, kdf: u16, aead: u16) -> [u8; 10] {
    let ([a, b], [c, d], [e, f]) = (kem.to_be_bytes(), kdf.to_be_bytes(), aead.to_be_bytes());
    [b'H', b'P', b'K', b'E', a, b, c, d, e, f]
}

/// HPKE over one KEM, one hash and one AEAD.
pub(super) struct Hpke<K, H, A>(std::marker::PhantomData<(K, H, A)>);

/// The key schedule of one context (RFC 9180 §5.1), from which its outputs are expanded.
struct Schedule<H: HashFunction>(Keyed<H>);

impl<K: Kem, H: HashFunction, A: Aead> Hpke<K, H, A> {
    const SUITE: [u8; 10] = hpke_suite(K::ID, H::KDF_ID, A::ID);

    /// The part of `KeySchedule` that does not depend on the shared secret:
    /// `key_schedule_context = mode || psk_id_hash || info_hash` (RFC 9180 §5.1).
    pub(super) fn info(info: &[u8]) -> HpkeInfo {
        let hash = |label: &[u8], data| labeled_extract::<H>(&[], &Self::SUITE, label, data);
        let mut context = SmallVec::from_slice(&[MODE_BASE]);
        context.extend_from_slice((*hash(b"psk_id_hash", &[])).as_ref());
        context.extend_from_slice((*hash(b"info_hash", info)).as_ref());
        HpkeInfo(context)
    }

    fn schedule(shared_secret: &[u8]) -> Schedule<H> {
        let secret = labeled_extract::<H>(shared_secret, &Self::SUITE, b"secret", &[]);
        Schedule(Keyed::new((*secret).as_ref()))
    }

    fn expand(schedule: &Schedule<H>, label: &[u8], info: &HpkeInfo, out: &mut [u8]) {
        labeled_expand(&schedule.0, &Self::SUITE, label, &info.0, out);
    }

    /// `key` and `base_nonce`.
    fn key_and_nonce(
        schedule: &Schedule<H>,
        info: &HpkeInfo,
    ) -> (Zeroizing<[u8; MAX_KEY]>, Zeroizing<[u8; AEAD_NONCE]>) {
        let mut key = Zeroizing::new([0; MAX_KEY]);
        let mut nonce = Zeroizing::new([0; AEAD_NONCE]);
        Self::expand(schedule, b"key", info, &mut key[..A::KEY]);
        Self::expand(schedule, b"base_nonce", info, &mut *nonce);
        (key, nonce)
    }

    /// `Context.Export(exporter_context, L)` (RFC 9180 §5.3).
    fn exported(
        schedule: &Schedule<H>,
        info: &HpkeInfo,
        exporter_context: &[u8],
        length: usize,
    ) -> Secret {
        let mut exporter = Zeroizing::new(H::zero());
        Self::expand(schedule, b"exp", info, (*exporter).as_mut());
        let exporter = Keyed::<H>::new((*exporter).as_ref());
        let mut out = vec![0; length];
        labeled_expand(&exporter, &Self::SUITE, b"sec", exporter_context, &mut out);
        out.into()
    }

    /// `SealBase(pkR, info, "", pt)` (RFC 9180 §6.1).
    pub(super) fn seal(
        to: &HpkePublicKey,
        info: &HpkeInfo,
        plaintext: &[u8],
        seed: &Seed,
    ) -> Result<HpkeCiphertext, CryptoError> {
        let (shared_secret, enc) = K::encap(to.as_slice(), seed)?;
        let schedule = Self::schedule((*shared_secret).as_ref());
        let (key, nonce) = Self::key_and_nonce(&schedule, info);
        let ciphertext = aead::seal::<A>(&key[..A::KEY], &*nonce, &[], plaintext)?;
        Ok(HpkeCiphertext { kem_output: enc.into(), ciphertext: ciphertext.into() })
    }

    /// `OpenBase(enc, skR, info, "", ct)` (RFC 9180 §6.1).
    pub(super) fn open(
        to: &HpkeKeyPair,
        info: &HpkeInfo,
        ciphertext: &HpkeCiphertext,
    ) -> Result<Secret, CryptoError> {
        let shared_secret = K::decap(to, ciphertext.kem_output.as_slice())?;
        let schedule = Self::schedule((*shared_secret).as_ref());
        let (key, nonce) = Self::key_and_nonce(&schedule, info);
        let ciphertext = ciphertext.ciphertext.as_slice();
        aead::open::<A>(&key[..A::KEY], &*nonce, &[], ciphertext).map(Secret::from)
    }

    /// `SendExportBase(pkR, info, exporter_context, L)` (RFC 9180 §6.2): the encapsulated key
    /// and the secret.
    pub(super) fn send_export(
        to: &HpkePublicKey,
        info: &HpkeInfo,
        exporter_context: &[u8],
        length: usize,
        seed: &Seed,
    ) -> Result<(Vec<u8>, Secret), CryptoError> {
        let (shared_secret, enc) = K::encap(to.as_slice(), seed)?;
        let schedule = Self::schedule((*shared_secret).as_ref());
        Ok((enc, Self::exported(&schedule, info, exporter_context, length)))
    }

    /// `ReceiveExportBase(enc, skR, info, exporter_context, L)` (RFC 9180 §6.2).
    pub(super) fn receive_export(
        to: &HpkeKeyPair,
        enc: &[u8],
        info: &HpkeInfo,
        exporter_context: &[u8],
        length: usize,
    ) -> Result<Secret, CryptoError> {
        let shared_secret = K::decap(to, enc)?;
        let schedule = Self::schedule((*shared_secret).as_ref());
        Ok(Self::exported(&schedule, info, exporter_context, length))
    }
}

#[cfg(test)]
mod tests {
    use aes_gcm::Aes128Gcm;
    use sha2::Sha256;

    use super::super::aws_lc::X25519;
    use super::super::kem::DhKem;
    use super::super::provider::what;
    use super::super::{Provider, RealProvider};
    use super::*;

    type Suite1 = Hpke<DhKem<X25519>, Sha256, Aes128Gcm>;

    const REAL: RealProvider = RealProvider::new();

    fn unhex<const N: usize>(hex: &str) -> [u8; N] {
        assert_eq!(hex.len(), 2 * N);
        std::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
    }

    /// RFC 9180 A.1.1, up to its first message, which has an AAD.
    #[test]
    fn the_test_vector_of_rfc_9180() {
        let ikm_e = unhex("7268600d403fce431561aef583ee1613527cff655c1343f29812e66706df3234");
        let ikm_r: [u8; 32] =
            unhex("6db9df30aa07dd42ee5e8181afdb977e538f5e1fec8a06223f33f7013e525037");
        let to = DhKem::<X25519>::derive_key_pair(&ikm_r).unwrap();
        assert_eq!(
            to.private.as_slice(),
            unhex::<32>("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8")
        );
        let public: [u8; 32] =
            unhex("3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d");
        assert_eq!(to.public.as_slice(), public);

        let (secret, enc) = DhKem::<X25519>::encap(&public, &ikm_e).unwrap();
        assert_eq!(
            enc,
            unhex::<32>("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431")
        );
        assert_eq!(
            *secret,
            unhex::<32>("fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc")
        );
        let info = Suite1::info(b"Ode on a Grecian Urn");
        let schedule = Suite1::schedule(&*secret);
        let (key, nonce) = Suite1::key_and_nonce(&schedule, &info);
        assert_eq!(key[..16], unhex::<16>("4531685d41d65f03dc48f6b8302c05b0"));
        assert_eq!(*nonce, unhex::<12>("56d890e5accaaf011cff4b7d"));
        let exported = Suite1::exported(&schedule, &info, b"TestContext", 32);
        assert_eq!(
            exported.as_slice(),
            unhex::<32>("e9e43065102c3836401bed8c3c3c75ae46be1639869391d62c61f1ec7af54931")
        );
    }

    #[test]
    fn small_order_points_are_refused() {
        let pair = REAL.derive_key_pair(&[1; 32]).unwrap();
        let info = REAL.hpke_info(b"");
        let sealed = REAL.hpke_seal(&pair.public, &info, b"secret", &[2; 32]).unwrap();
        let one = [&[1][..], &[0; 31]].concat();
        for point in [vec![0; 32], one] {
            assert_eq!(
                REAL.hpke_seal(&point.clone().into(), &info, b"secret", &[2; 32]),
                Err(CryptoError::BadKey(what::HPKE_PUBLIC))
            );
            let sealed = HpkeCiphertext { kem_output: point.into(), ..sealed.clone() };
            assert_eq!(REAL.hpke_open(&pair, &info, &sealed), Err(CryptoError::BadCiphertext));
        }
    }
}
