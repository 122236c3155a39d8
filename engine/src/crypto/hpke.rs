//! Hybrid Public Key Encryption (RFC 9180) as MLS uses it: Base mode, one message to a
//! context, empty AAD; DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM. Written once over
//! [`Curves`], and without allocation but for what is returned.

use zeroize::Zeroizing;

use super::provider::{CryptoError, HpkeInfo, Seed};
use super::suite1::{
    AEAD_KEY, AEAD_NONCE, Curves, DIGEST, KEY, Keyed, aead_open, aead_seal, sized, what,
};
use super::types::{HpkeCiphertext, HpkeKeyPair, HpkePublicKey, Secret};

const VERSION: &[u8] = b"HPKE-v1";

/// `suite_id` inside the KEM (RFC 9180 §4.1): DHKEM(X25519, HKDF-SHA256).
const KEM_SUITE: &[u8] = b"KEM\x00\x20";

/// `suite_id` of the key schedule (RFC 9180 §5.1): the KEM, the KDF and the AEAD.
const HPKE_SUITE: &[u8] = b"HPKE\x00\x20\x00\x01\x00\x01";

/// `mode_base` followed by `psk_id_hash`, the same in every Base-mode context:
/// `LabeledExtract("", "psk_id_hash", "")`.
const BASE_AND_PSK_ID_HASH: [u8; 1 + DIGEST] = [
    0x00, //
    0x72, 0x56, 0x11, 0xc9, 0xd9, 0x8c, 0x07, 0xc0, 0x3f, 0x60, 0x09, 0x5c, 0xd3, 0x2d, 0x40, 0x0d,
    0x83, 0x47, 0xd4, 0x5e, 0xd6, 0x70, 0x97, 0xbb, 0xad, 0x50, 0xfc, 0x56, 0xda, 0x74, 0x2d, 0x07,
];

/// What a key schedule is run for.
struct Context {
    key: Zeroizing<[u8; AEAD_KEY]>,
    nonce: Zeroizing<[u8; AEAD_NONCE]>,
}

/// `LabeledExtract` (RFC 9180 §4).
fn labeled_extract(salt: &[u8], suite: &[u8], label: &[u8], ikm: &[u8]) -> Zeroizing<[u8; DIGEST]> {
    Keyed::new(salt).mac(&[VERSION, suite, label, ikm])
}

/// `LabeledExpand` (RFC 9180 §4).
fn labeled_expand<const N: usize>(
    prk: &Keyed,
    suite: &[u8],
    label: &[u8],
    info: &[u8],
) -> Zeroizing<[u8; N]> {
    const { assert!(N <= DIGEST, "one block, and a length of one byte") };
    let mut out = Zeroizing::new([0; N]);
    prk.expand(&[&[0, N as u8], VERSION, suite, label, info], &mut *out);
    out
}

/// Puts two byte strings of fixed length side by side.
fn join<const A: usize, const B: usize, const N: usize>(a: &[u8; A], b: &[u8; B]) -> [u8; N] {
    const { assert!(A + B == N) };
    let mut out = [0; N];
    out[..A].copy_from_slice(a);
    out[A..].copy_from_slice(b);
    out
}

/// The private half of `DeriveKeyPair` (RFC 9180 §7.1.3), not clamped: X25519 clamps its
/// scalars itself, and the RFC's and the MLS working group's test vectors are not clamped.
fn derive_private(ikm: &[u8]) -> Zeroizing<[u8; KEY]> {
    let prk = Keyed::new(&*labeled_extract(&[], KEM_SUITE, b"dkp_prk", ikm));
    labeled_expand(&prk, KEM_SUITE, b"sk", &[])
}

/// `ExtractAndExpand(dh, enc || pkRm)` (RFC 9180 §4.1).
fn shared_secret(dh: &[u8; KEY], enc: &[u8; KEY], to: &[u8; KEY]) -> Zeroizing<[u8; DIGEST]> {
    let prk = Keyed::new(&*labeled_extract(&[], KEM_SUITE, b"eae_prk", dh));
    let kem_context: [u8; 2 * KEY] = join(enc, to);
    labeled_expand(&prk, KEM_SUITE, b"shared_secret", &kem_context)
}

/// The part of `KeySchedule` that depends on `info` alone: `info_hash` (RFC 9180 §5.1).
pub(super) fn info_hash(info: &[u8]) -> [u8; DIGEST] {
    *labeled_extract(&[], HPKE_SUITE, b"info_hash", info)
}

/// `KeySchedule(mode_base, shared_secret, info, "", "")` (RFC 9180 §5.1). Nothing is
/// exported from these contexts, so there is no exporter secret.
fn key_schedule(shared_secret: &[u8; DIGEST], info_hash: &[u8; DIGEST]) -> Context {
    let context: [u8; 1 + 2 * DIGEST] = join(&BASE_AND_PSK_ID_HASH, info_hash);
    let secret = Keyed::new(&*labeled_extract(shared_secret, HPKE_SUITE, b"secret", &[]));
    Context {
        key: labeled_expand(&secret, HPKE_SUITE, b"key", &context),
        nonce: labeled_expand(&secret, HPKE_SUITE, b"base_nonce", &context),
    }
}

/// `DeriveKeyPair` (RFC 9180 §7.1.3).
pub(super) fn derive_key_pair<C: Curves>(ikm: &[u8]) -> Result<HpkeKeyPair, CryptoError> {
    key_pair::<C>(&derive_private(ikm))
}

/// The pair of a serialised private key.
pub(super) fn key_pair<C: Curves>(private: &[u8; KEY]) -> Result<HpkeKeyPair, CryptoError> {
    let public = C::private(private)
        .and_then(|key| C::public_of(&key))
        .ok_or(CryptoError::BadKey(what::HPKE_PRIVATE))?;
    Ok(HpkeKeyPair { private: private.as_slice().into(), public: public.as_slice().into() })
}

/// `Encap(pkR)` (RFC 9180 §4.1) with the ephemeral key pair `DeriveKeyPair(seed)`: the shared
/// secret and the encapsulated key.
fn encap<C: Curves>(
    to: &[u8; KEY],
    seed: &Seed,
) -> Result<(Zeroizing<[u8; DIGEST]>, [u8; KEY]), CryptoError> {
    let ephemeral = C::private(&derive_private(seed));
    let (ephemeral, enc) = ephemeral
        .and_then(|key| C::public_of(&key).map(|public| (key, public)))
        .ok_or(CryptoError::BadKey(what::HPKE_PRIVATE))?;
    let dh = C::agree(&ephemeral, to).ok_or(CryptoError::BadKey(what::HPKE_PUBLIC))?;
    Ok((shared_secret(&dh, &enc, to), enc))
}

/// `SealBase(pkR, info, "", pt)` (RFC 9180 §6.1).
pub(super) fn seal<C: Curves>(
    to: &HpkePublicKey,
    info: &HpkeInfo,
    plaintext: &[u8],
    seed: &Seed,
) -> Result<HpkeCiphertext, CryptoError> {
    let to = sized(to.as_slice(), what::HPKE_PUBLIC)?;
    let (shared_secret, enc) = encap::<C>(to, seed)?;
    let Context { key, nonce } =
        key_schedule(&shared_secret, sized(info.0.as_slice(), what::HPKE_INFO)?);
    Ok(HpkeCiphertext {
        kem_output: enc.to_vec().into(),
        ciphertext: aead_seal(&key, &nonce, &[], plaintext)?.into(),
    })
}

/// `OpenBase(enc, skR, info, "", ct)` (RFC 9180 §6.1).
pub(super) fn open<C: Curves>(
    to: &HpkeKeyPair,
    info: &HpkeInfo,
    ciphertext: &HpkeCiphertext,
) -> Result<Secret, CryptoError> {
    let private = sized(to.private.as_slice(), what::HPKE_PRIVATE)?;
    let public = sized(to.public.as_slice(), what::HPKE_PUBLIC)?;
    let enc: &[u8; KEY] =
        ciphertext.kem_output.as_slice().try_into().map_err(|_| CryptoError::BadCiphertext)?;
    let private = C::private(private).ok_or(CryptoError::BadKey(what::HPKE_PRIVATE))?;
    let dh = C::agree(&private, enc).ok_or(CryptoError::BadCiphertext)?;
    let info = sized(info.0.as_slice(), what::HPKE_INFO)?;
    let Context { key, nonce } = key_schedule(&shared_secret(&dh, enc, public), info);
    aead_open(&key, &nonce, &[], ciphertext.ciphertext.as_slice()).map(Secret::from)
}

#[cfg(test)]
mod tests {
    use ::hpke::aead::AesGcm128;
    use ::hpke::kdf::HkdfSha256;
    use ::hpke::kem::{Kem, X25519HkdfSha256};
    use ::hpke::rand_core::SeedableRng;
    use ::hpke::{
        Deserializable, OpModeR, OpModeS, Serializable, single_shot_open, single_shot_seal_with_rng,
    };
    use rand_chacha::ChaCha20Rng;

    use super::super::{Provider, RealProvider};
    use super::*;

    type Theirs = X25519HkdfSha256;

    const REAL: RealProvider = RealProvider::new();

    fn unhex<const N: usize>(hex: &str) -> [u8; N] {
        assert_eq!(hex.len(), 2 * N);
        std::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
    }

    #[test]
    fn psk_id_hash_is_what_it_says() {
        assert_eq!(BASE_AND_PSK_ID_HASH[0], 0);
        assert_eq!(
            BASE_AND_PSK_ID_HASH[1..],
            *labeled_extract(&[], HPKE_SUITE, b"psk_id_hash", &[])
        );
    }

    /// RFC 9180 A.1.1, up to its first message, which has an AAD.
    #[test]
    fn the_test_vector_of_rfc_9180() {
        let ikm_e = unhex("7268600d403fce431561aef583ee1613527cff655c1343f29812e66706df3234");
        let ikm_r: [u8; 32] =
            unhex("6db9df30aa07dd42ee5e8181afdb977e538f5e1fec8a06223f33f7013e525037");
        let to = derive_key_pair::<RealProvider>(&ikm_r).unwrap();
        assert_eq!(
            to.private.as_slice(),
            unhex::<32>("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8")
        );
        let public = unhex("3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d");
        assert_eq!(to.public.as_slice(), public);

        let (secret, enc) = encap::<RealProvider>(&public, &ikm_e).unwrap();
        assert_eq!(
            enc,
            unhex::<32>("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431")
        );
        assert_eq!(
            *secret,
            unhex::<32>("fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc")
        );
        let context = key_schedule(&secret, &info_hash(b"Ode on a Grecian Urn"));
        assert_eq!(*context.key, unhex::<16>("4531685d41d65f03dc48f6b8302c05b0"));
        assert_eq!(*context.nonce, unhex::<12>("56d890e5accaaf011cff4b7d"));
    }

    #[test]
    fn key_pairs_are_those_of_the_hpke_crate() {
        for i in 0..50 {
            let ours = REAL.derive_key_pair(&[i; 32]).unwrap();
            let (private, public) = Theirs::derive_keypair(&[i; 32]);
            // They clamp when they serialise, as RFC 7748 §5 does when it decodes.
            let mut clamped = ours.private.as_slice().to_vec();
            clamped[0] &= 0xf8;
            clamped[31] = clamped[31] & 0x7f | 0x40;
            assert_eq!(clamped, private.to_bytes().as_slice());
            assert_eq!(REAL.key_pair(&clamped).unwrap().public, ours.public);
            assert_eq!(ours.public.as_slice(), public.to_bytes().as_slice());
            assert_eq!(REAL.key_pair(ours.private.as_slice()).unwrap(), ours);
        }
    }

    #[test]
    fn what_we_seal_opens_with_the_hpke_crate() {
        for i in 0..50_u8 {
            let (private, public) = Theirs::derive_keypair(&[i; 32]);
            let public = HpkePublicKey::from(public.to_bytes().as_slice());
            let (info, plaintext) = (vec![i; usize::from(i) * 3], vec![i; usize::from(i) * 5]);
            let context = REAL.hpke_info(&info);
            let sealed = REAL.hpke_seal(&public, &context, &plaintext, &[i ^ 0x55; 32]).unwrap();
            let enc =
                <Theirs as Kem>::EncappedKey::from_bytes(sealed.kem_output.as_slice()).unwrap();
            let opened = single_shot_open::<AesGcm128, HkdfSha256, Theirs>(
                &OpModeR::Base,
                &private,
                &enc,
                &info,
                sealed.ciphertext.as_slice(),
                &[],
            );
            assert_eq!(opened.unwrap(), plaintext);
        }
    }

    #[test]
    fn what_the_hpke_crate_seals_opens_here() {
        for i in 0..50_u8 {
            let pair = REAL.derive_key_pair(&[i; 32]).unwrap();
            let public = <Theirs as Kem>::PublicKey::from_bytes(pair.public.as_slice()).unwrap();
            let (info, plaintext) = (vec![i; usize::from(i) * 3], vec![i; usize::from(i) * 5]);
            let (enc, ciphertext) = single_shot_seal_with_rng::<AesGcm128, HkdfSha256, Theirs>(
                &OpModeS::Base,
                &public,
                &info,
                &plaintext,
                &[],
                &mut ChaCha20Rng::from_seed([i; 32]),
            )
            .unwrap();
            let sealed = HpkeCiphertext {
                kem_output: enc.to_bytes().to_vec().into(),
                ciphertext: ciphertext.into(),
            };
            let context = REAL.hpke_info(&info);
            assert_eq!(REAL.hpke_open(&pair, &context, &sealed).unwrap().as_slice(), plaintext);
        }
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
