//! The counting provider. **It protects nothing**: its outputs are cheap non-cryptographic
//! mixing, and whoever knows a public key can open what is sealed to it and sign under it.
//!
//! It exists for the fidelity `counted`, where the protocol runs for a million members and
//! only counts and sizes are wanted: the code path of the engine is the same as with real
//! cryptography, every output has the length it has in cipher suite 1, and a ciphertext or a
//! signature is accepted or refused as the real one would be, short of an attack. Outputs are
//! the same on every machine; 128 bits of state keep accidental collisions out of reach.

use std::borrow::Cow;

use super::aead::{AEAD_NONCE, AEAD_TAG};
use super::provider::{
    CipherSuite, CryptoError, HpkeInfo, Provider, Seed, SignedItem, sized, what,
};
use super::signature::{ED25519_SIGNATURE as SIGNATURE, ed25519_parts as signed_parts};
use super::types::{
    Digest, HpkeCiphertext, HpkeKeyPair, HpkePublicKey, Secret, Signature, SignatureKeyPair,
    SignaturePrivateKey,
};

/// Lengths and verdicts of cipher suite 1 without its cryptography.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CountingProvider;

impl CountingProvider {
    /// The provider; it has no state.
    pub const fn new() -> Self {
        Self
    }
}

/// `KDF.Nh`, and the length of a hash.
const DIGEST: usize = 32;
/// HKDF counts its blocks in one byte.
const MAX_EXPAND: usize = 255 * DIGEST;
/// `AEAD.Nk`.
const AEAD_KEY: usize = 16;
/// Every key of X25519 and Ed25519, public or private.
const KEY: usize = 32;

/// Odd constants without structure: the digits of pi after the point.
const PI: [u64; 6] = [
    0x243f_6a88_85a3_08d3,
    0x1319_8a2e_0370_7345,
    0xa409_3822_299f_31d1,
    0x082e_fa98_ec4e_6c89,
    0x4528_21e6_38d0_1377,
    0xbe54_66cf_34e9_0c6d,
];

/// What an output is for. Outputs for different purposes have nothing in common.
#[derive(Clone, Copy)]
#[repr(u64)]
enum Use {
    Hash = 1,
    Mac,
    Extract,
    Expand,
    HpkePrivate,
    HpkePublic,
    HpkeSeal,
    AeadSeal,
    SignaturePublic,
    Sign,
    HpkeInfo,
    HpkeExport,
    Agree,
}

/// Multiplies to 128 bits and folds the halves together: every bit of the result depends on
/// every bit of both factors.
#[inline]
fn fold(x: u64, y: u64) -> u64 {
    let product = u128::from(x) * u128::from(y);
    (product as u64) ^ ((product >> 64) as u64)
}

/// The finaliser of SplitMix64, a bijection with full avalanche.
#[inline]
fn avalanche(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The parts as one byte string, which is how they are absorbed.
fn joined<'a>(parts: &[&'a [u8]]) -> Cow<'a, [u8]> {
    match parts {
        [whole] => Cow::Borrowed(whole),
        _ => Cow::Owned(parts.concat()),
    }
}

/// Two lanes of 64 bits, each of which absorbs all of the input in its own way.
#[derive(Clone, Copy)]
struct Mixer {
    a: u64,
    b: u64,
}

impl Mixer {
    #[inline]
    fn new(purpose: Use) -> Self {
        Self { a: PI[0].wrapping_mul(purpose as u64 + 1), b: PI[1] ^ purpose as u64 }
    }

    #[inline]
    fn block(&mut self, block: &[u8; 16]) {
        let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| block[at + byte]));
        let (x, y) = (word(0), word(8));
        self.a = fold(self.a ^ x, PI[2] ^ y);
        self.b = fold(self.b ^ y, PI[3] ^ x.rotate_left(32));
    }

    /// Takes in one byte string, and where it ends.
    #[inline]
    fn absorb(mut self, bytes: &[u8]) -> Self {
        self.a ^= (bytes.len() as u64).wrapping_mul(PI[5]);
        self.b = self.b.wrapping_add(PI[4]);
        let (blocks, rest) = bytes.as_chunks::<16>();
        blocks.iter().for_each(|block| self.block(block));
        if !rest.is_empty() {
            let mut last = [0; 16];
            last[..rest.len()].copy_from_slice(rest);
            self.block(&last);
        }
        self
    }

    /// Makes each lane depend on both, losing nothing of either.
    #[inline]
    fn settle(mut self) -> Self {
        self.a ^= avalanche(self.b);
        self.b ^= avalanche(self.a);
        self
    }

    /// Word `at` of the endless output of a settled mixer. The first two determine its state.
    #[inline]
    fn word(&self, at: usize) -> u64 {
        let (lane, step) = if at.is_multiple_of(2) { (self.a, PI[2]) } else { (self.b, PI[5]) };
        avalanche(lane.wrapping_add((at as u64 / 2).wrapping_mul(step)))
    }

    /// The first bytes of the output.
    #[inline]
    fn fill(self, out: &mut [u8]) {
        let settled = self.settle();
        for (at, chunk) in out.chunks_mut(8).enumerate() {
            chunk.copy_from_slice(&settled.word(at).to_le_bytes()[..chunk.len()]);
        }
    }

    /// The first `N` bytes of the output.
    #[inline]
    fn output<const N: usize>(self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }

    /// Covers or uncovers `data`, so that nobody mistakes a ciphertext for its plaintext.
    fn cover(self, data: &mut [u8]) {
        let settled = self.settle();
        for (at, chunk) in data.chunks_mut(8).enumerate() {
            let cover = settled.word(at).to_le_bytes();
            chunk.iter_mut().zip(cover).for_each(|(byte, cover)| *byte ^= cover);
        }
    }

    /// "Encrypts" under what has been absorbed: covered plaintext, then a tag over both.
    fn seal(self, plaintext: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(plaintext.len() + AEAD_TAG);
        out.extend_from_slice(plaintext);
        self.cover(&mut out);
        let tag: [u8; AEAD_TAG] = self.absorb(&out).output();
        out.extend_from_slice(&tag);
        out
    }

    /// The plaintext, if the ciphertext was sealed under what has been absorbed.
    fn open(self, ciphertext: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let (body, tag) =
            ciphertext.split_last_chunk::<AEAD_TAG>().ok_or(CryptoError::BadCiphertext)?;
        if self.absorb(body).output() != *tag {
            return Err(CryptoError::BadCiphertext);
        }
        let mut out = body.to_vec();
        self.cover(&mut out);
        Ok(out)
    }
}

/// The public key of a private key, for HPKE or for signatures.
fn public_of(purpose: Use, private: &[u8; KEY]) -> [u8; KEY] {
    Mixer::new(purpose).absorb(private).output()
}

/// The private key of `DeriveKeyPair`.
fn derive_private(ikm: &[u8]) -> [u8; KEY] {
    Mixer::new(Use::HpkePrivate).absorb(ikm).output()
}

/// What an HPKE message to `to` is sealed under.
fn hpke_mixer(to: &[u8; KEY], kem_output: &[u8], info: &HpkeInfo) -> Mixer {
    Mixer::new(Use::HpkeSeal).absorb(to).absorb(kem_output).absorb(&info.0)
}

/// A public key, if it is one.
fn public_key(key: &HpkePublicKey) -> Result<&[u8; KEY], CryptoError> {
    let key: &[u8; KEY] = sized(key.as_slice(), what::HPKE_PUBLIC)?;
    // X25519 refuses the zero point, which stands here for all it refuses.
    if *key == [0; KEY] { Err(CryptoError::BadKey(what::HPKE_PUBLIC)) } else { Ok(key) }
}

/// The recipient's key and what is encapsulated to it.
fn encap<'k>(
    to: &'k HpkePublicKey,
    seed: &Seed,
) -> Result<(&'k [u8; KEY], [u8; KEY]), CryptoError> {
    let to = public_key(to)?;
    Ok((to, public_of(Use::HpkePublic, &derive_private(seed))))
}

/// The recipient's public key, if it can take this.
fn decap<'k>(to: &'k HpkeKeyPair, kem_output: &[u8]) -> Result<&'k [u8; KEY], CryptoError> {
    let private = sized(to.private.as_slice(), what::HPKE_PRIVATE)?;
    let public: &[u8; KEY] = sized(to.public.as_slice(), what::HPKE_PUBLIC)?;
    if kem_output.len() != KEY || public_of(Use::HpkePublic, private) != *public {
        return Err(CryptoError::BadCiphertext);
    }
    Ok(public)
}

/// What both sides of an HPKE context export.
fn exported(to: &[u8; KEY], kem_output: &[u8], info: &HpkeInfo, context: &[u8]) -> Secret {
    let mixer = Mixer::new(Use::HpkeExport).absorb(to).absorb(kem_output);
    mixer.absorb(&info.0).absorb(context).output::<DIGEST>().as_slice().into()
}

/// What an AEAD message is sealed under.
fn aead_mixer(key: &[u8], nonce: &[u8], aad: &[u8]) -> Result<Mixer, CryptoError> {
    let key: &[u8; AEAD_KEY] = sized(key, what::AEAD_KEY)?;
    let nonce: &[u8; AEAD_NONCE] = sized(nonce, what::AEAD_NONCE)?;
    Ok(Mixer::new(Use::AeadSeal).absorb(key).absorb(nonce).absorb(aad))
}

/// The only signature of `content` that verifies under `public`.
fn signature_of(public: &[u8; KEY], content: &[u8]) -> [u8; SIGNATURE] {
    Mixer::new(Use::Sign).absorb(public).absorb(content).output()
}

impl Provider for CountingProvider {
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

    fn is_real(&self) -> bool {
        false
    }

    fn hash(&self, parts: &[&[u8]]) -> Digest {
        Mixer::new(Use::Hash).absorb(&joined(parts)).output::<DIGEST>().into()
    }

    fn mac(&self, key: &[u8], parts: &[&[u8]]) -> Digest {
        Mixer::new(Use::Mac).absorb(key).absorb(&joined(parts)).output::<DIGEST>().into()
    }

    fn extract(&self, salt: &[u8], ikm: &[u8]) -> Secret {
        let prk: [u8; DIGEST] = Mixer::new(Use::Extract).absorb(salt).absorb(ikm).output();
        prk.as_slice().into()
    }

    fn expand(&self, prk: &[u8], info: &[u8], length: usize) -> Result<Secret, CryptoError> {
        if length > MAX_EXPAND {
            return Err(CryptoError::BadLength(length));
        }
        let mut out = vec![0; length];
        Mixer::new(Use::Expand).absorb(prk).absorb(info).fill(&mut out);
        Ok(out.into())
    }

    fn aead_seal(
        &self,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        Ok(aead_mixer(key, nonce, aad)?.seal(plaintext))
    }

    fn aead_open(
        &self,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        ciphertext: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        aead_mixer(key, nonce, aad)?.open(ciphertext)
    }

    fn derive_key_pair(&self, ikm: &[u8]) -> Result<HpkeKeyPair, CryptoError> {
        self.key_pair(&derive_private(ikm))
    }

    fn key_pair(&self, private: &[u8]) -> Result<HpkeKeyPair, CryptoError> {
        let public = public_of(Use::HpkePublic, sized(private, what::HPKE_PRIVATE)?);
        Ok(HpkeKeyPair { private: private.into(), public: public.as_slice().into() })
    }

    fn check_public_key(&self, key: &HpkePublicKey) -> Result<(), CryptoError> {
        public_key(key).map(|_| ())
    }

    fn dh(&self, own: &HpkeKeyPair, theirs: &HpkePublicKey) -> Result<Secret, CryptoError> {
        let own = public_of(Use::HpkePublic, sized(own.private.as_slice(), what::HPKE_PRIVATE)?);
        let theirs = *public_key(theirs)?;
        // Both sides know both public keys, and must come to the same.
        let (first, second) = (own.min(theirs), own.max(theirs));
        let agreed: [u8; KEY] = Mixer::new(Use::Agree).absorb(&first).absorb(&second).output();
        Ok(agreed.as_slice().into())
    }

    fn hpke_info(&self, info: &[u8]) -> HpkeInfo {
        let hash: [u8; DIGEST] = Mixer::new(Use::HpkeInfo).absorb(info).output();
        HpkeInfo(hash.as_slice().into())
    }

    fn hpke_seal(
        &self,
        to: &HpkePublicKey,
        info: &HpkeInfo,
        plaintext: &[u8],
        seed: &Seed,
    ) -> Result<HpkeCiphertext, CryptoError> {
        let (to, kem_output) = encap(to, seed)?;
        Ok(HpkeCiphertext {
            ciphertext: hpke_mixer(to, &kem_output, info).seal(plaintext).into(),
            kem_output: kem_output.to_vec().into(),
        })
    }

    fn hpke_open(
        &self,
        to: &HpkeKeyPair,
        info: &HpkeInfo,
        ciphertext: &HpkeCiphertext,
    ) -> Result<Secret, CryptoError> {
        let kem_output = ciphertext.kem_output.as_slice();
        hpke_mixer(decap(to, kem_output)?, kem_output, info)
            .open(ciphertext.ciphertext.as_slice())
            .map(Secret::from)
    }

    fn hpke_send_export(
        &self,
        to: &HpkePublicKey,
        info: &HpkeInfo,
        context: &[u8],
        seed: &Seed,
    ) -> Result<(Vec<u8>, Secret), CryptoError> {
        let (to, kem_output) = encap(to, seed)?;
        Ok((kem_output.to_vec(), exported(to, &kem_output, info, context)))
    }

    fn hpke_receive_export(
        &self,
        to: &HpkeKeyPair,
        kem_output: &[u8],
        info: &HpkeInfo,
        context: &[u8],
    ) -> Result<Secret, CryptoError> {
        Ok(exported(decap(to, kem_output)?, kem_output, info, context))
    }

    fn signature_key_pair(&self, seed: &Seed) -> SignatureKeyPair {
        SignatureKeyPair {
            private: seed.as_slice().into(),
            public: public_of(Use::SignaturePublic, seed).as_slice().into(),
        }
    }

    fn sign(&self, key: &SignaturePrivateKey, content: &[u8]) -> Result<Signature, CryptoError> {
        let private = sized(key.as_slice(), what::SIGNATURE_PRIVATE)?;
        let public = public_of(Use::SignaturePublic, private);
        Ok(signature_of(&public, content).as_slice().into())
    }

    fn verify(&self, item: SignedItem<'_>) -> Result<(), CryptoError> {
        let (key, signature) = signed_parts(&item)?;
        if signature_of(key, item.content) == *signature {
            Ok(())
        } else {
            Err(CryptoError::BadSignature)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{RealProvider, SignaturePublicKey};
    use super::*;

    const REAL: RealProvider = RealProvider::new();
    const COUNTING: CountingProvider = CountingProvider::new();

    /// One honest use of everything, as the lengths that come out.
    fn lengths(provider: &dyn Provider, n: usize) -> Vec<usize> {
        let (data, secret) = (vec![1; n], [2; 32]);
        let (key, nonce) = ([3; AEAD_KEY], [4; AEAD_NONCE]);
        let pair = provider.derive_key_pair(&data).unwrap();
        let info = provider.hpke_info(&data);
        let sealed = provider.hpke_seal(&pair.public, &info, &data, &[5; 32]).unwrap();
        let opened = provider.hpke_open(&pair, &info, &sealed).unwrap();
        assert_eq!(opened.as_slice(), data);
        let aead = provider.aead_seal(&key, &nonce, &data, &data).unwrap();
        assert_eq!(provider.aead_open(&key, &nonce, &data, &aead).unwrap(), data);
        let signer = provider.signature_key_pair(&[6; 32]);
        let signature = provider.sign(&signer.private, &data).unwrap();
        let item = SignedItem { key: &signer.public, content: &data, signature: &signature };
        assert_eq!(provider.verify(item), Ok(()));
        assert_eq!(provider.verify_batch(&[item; 5]), Ok(()));
        vec![
            provider.digest_length(),
            provider.aead_key_length(),
            provider.aead_nonce_length(),
            provider.hash(&[&data]).as_slice().len(),
            provider.mac(&secret, &[&data]).as_slice().len(),
            provider.extract(&secret, &data).as_slice().len(),
            provider.expand(&secret, &data, n).unwrap().as_slice().len(),
            pair.private.as_slice().len(),
            pair.public.as_slice().len(),
            provider.key_pair(&[7; 32]).unwrap().public.as_slice().len(),
            provider.dh(&pair, &pair.public).unwrap().as_slice().len(),
            sealed.kem_output.as_slice().len(),
            sealed.ciphertext.as_slice().len(),
            opened.as_slice().len(),
            aead.len(),
            signer.private.as_slice().len(),
            signer.public.as_slice().len(),
            signature.as_slice().len(),
        ]
    }

    #[test]
    fn lengths_are_the_real_ones() {
        assert_eq!(COUNTING.cipher_suite(), REAL.cipher_suite());
        for n in (0..70).chain([255, 256, 1000, 8160]) {
            assert_eq!(lengths(&COUNTING, n), lengths(&REAL, n));
        }
    }

    /// What a provider says to a series of mistakes, first to last.
    fn refusals(provider: &dyn Provider) -> Vec<CryptoError> {
        let mut out = Vec::new();
        let pair = provider.derive_key_pair(&[1; 32]).unwrap();
        let other = provider.derive_key_pair(&[2; 32]).unwrap();
        let mixed = HpkeKeyPair { private: pair.private.clone(), public: other.public.clone() };
        let crossed = HpkeKeyPair { private: other.private.clone(), public: pair.public.clone() };
        let short_private = HpkeKeyPair { private: [1; 31][..].into(), ..pair.clone() };
        let short_public = HpkeKeyPair { public: [1; 33][..].into(), ..pair.clone() };
        let info = provider.hpke_info(b"info");
        let good = provider.hpke_seal(&pair.public, &info, b"secret", &[3; 32]).unwrap();
        for key in [&other, &mixed, &crossed, &short_private, &short_public] {
            out.push(provider.hpke_open(key, &info, &good).unwrap_err());
        }
        out.push(provider.hpke_open(&pair, &provider.hpke_info(b"Info"), &good).unwrap_err());
        for (kem_output, ciphertext) in [
            (vec![9; 32], good.ciphertext.as_slice().to_vec()),
            (vec![9; 31], good.ciphertext.as_slice().to_vec()),
            (Vec::new(), good.ciphertext.as_slice().to_vec()),
            (good.kem_output.as_slice().to_vec(), vec![9; 22]),
            (good.kem_output.as_slice().to_vec(), vec![9; 15]),
            (good.kem_output.as_slice().to_vec(), Vec::new()),
        ] {
            let bad =
                HpkeCiphertext { kem_output: kem_output.into(), ciphertext: ciphertext.into() };
            out.push(provider.hpke_open(&pair, &info, &bad).unwrap_err());
        }
        for point in [vec![0; 32], vec![1; 31], Vec::new()] {
            out.push(provider.check_public_key(&point.clone().into()).unwrap_err());
            out.push(provider.hpke_seal(&point.into(), &info, b"", &[3; 32]).unwrap_err());
        }
        for point in [vec![0; 32], vec![1; 31], Vec::new()] {
            out.push(provider.dh(&pair, &point.into()).unwrap_err());
        }
        out.push(provider.dh(&short_private, &other.public).unwrap_err());
        let agreed = provider.dh(&pair, &other.public).unwrap();
        assert_eq!(agreed, provider.dh(&other, &pair.public).unwrap());
        assert_ne!(agreed, provider.dh(&pair, &pair.public).unwrap());
        out.push(provider.key_pair(&[1; 31]).unwrap_err());
        out.push(provider.expand(&[1; 32], b"", MAX_EXPAND + 1).unwrap_err());

        let aead = provider.aead_seal(&[1; 16], &[2; 12], b"aad", b"secret").unwrap();
        for (key, nonce, aad, ciphertext) in [
            (&[9; 16][..], &[2; 12][..], &b"aad"[..], &aead[..]),
            (&[1; 16], &[9; 12], b"aad", &aead),
            (&[1; 16], &[2; 12], b"Aad", &aead),
            (&[1; 16], &[2; 12], b"aad", &aead[1..]),
            (&[1; 16], &[2; 12], b"aad", b""),
            (&[1; 15], &[2; 12], b"aad", &aead),
            (&[1; 16], &[2; 13], b"aad", &aead),
        ] {
            out.push(provider.aead_open(key, nonce, aad, ciphertext).unwrap_err());
        }
        out.push(provider.aead_seal(&[1; 32], &[2; 12], b"", b"").unwrap_err());
        out.push(provider.aead_seal(&[1; 16], &[2; 16], b"", b"").unwrap_err());

        let signer = provider.signature_key_pair(&[1; 32]);
        let stranger = provider.signature_key_pair(&[2; 32]).public;
        let signature = provider.sign(&signer.private, b"content").unwrap();
        let item = SignedItem { key: &signer.public, content: b"content", signature: &signature };
        let short_key = SignaturePublicKey::from(vec![1; 31]);
        let (noise, short) = (Signature::from(vec![9; 64]), Signature::from(vec![9; 63]));
        for bad in [
            SignedItem { key: &stranger, ..item },
            SignedItem { key: &short_key, ..item },
            SignedItem { content: b"Content", ..item },
            SignedItem { signature: &noise, ..item },
            SignedItem { signature: &short, ..item },
        ] {
            out.push(provider.verify(bad).unwrap_err());
            out.push(provider.verify_batch(&[item, item, bad, item, item]).unwrap_err());
        }
        out.push(provider.sign(&[1; 31][..].into(), b"content").unwrap_err());
        out
    }

    #[test]
    fn mistakes_are_refused_as_the_real_provider_refuses_them() {
        assert_eq!(refusals(&COUNTING), refusals(&REAL));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let pair = COUNTING.derive_key_pair(&[1; 32]).unwrap();
        let info = COUNTING.hpke_info(b"info");
        let good = COUNTING.hpke_seal(&pair.public, &info, &[7; 50], &[3; 32]).unwrap();
        let (kem_output, ciphertext) = (good.kem_output.as_slice(), good.ciphertext.as_slice());
        for bit in 0..8 * (kem_output.len() + ciphertext.len()) {
            let mut bytes = [kem_output, ciphertext].concat();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let (kem_output, ciphertext) = bytes.split_at(KEY);
            let bad = HpkeCiphertext {
                kem_output: kem_output.to_vec().into(),
                ciphertext: ciphertext.to_vec().into(),
            };
            assert_eq!(COUNTING.hpke_open(&pair, &info, &bad), Err(CryptoError::BadCiphertext));
        }
        assert!(!ciphertext.windows(4).any(|window| window == [7; 4]), "the plaintext shows");
    }

    /// A flipped bit of the input flips half of the output, in each of its words.
    #[test]
    fn the_mixing_has_avalanche() {
        for length in [1, 8, 15, 16, 17, 32, 33, 300] {
            let data: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let before = COUNTING.hash(&[&data]);
            let mut flipped = [0; DIGEST / 8];
            for bit in 0..8 * length {
                let mut data = data.clone();
                data[bit / 8] ^= 1 << (bit % 8);
                let after = COUNTING.hash(&[&data]);
                let pairs = before.as_slice().iter().zip(after.as_slice());
                for (at, (x, y)) in pairs.enumerate() {
                    flipped[at / 8] += (x ^ y).count_ones();
                }
            }
            for count in flipped {
                let mean = f64::from(count) / (8 * length) as f64;
                let slack = 4.0 * 4.0 / (8.0 * length as f64).sqrt();
                assert!((mean - 32.0).abs() < slack, "{mean} bits of 64 at length {length}");
            }
        }
    }

    /// Counters are the likeliest inputs to collide. Half of the state is compared, on which
    /// a million random values collide once in 37 million times.
    #[test]
    fn a_million_alike_inputs_do_not_collide() {
        for half in [0..8, 8..16] {
            let mut seen: Vec<u64> = (0..1_000_000_u32)
                .map(|i| {
                    let mut data = [0; 40];
                    data[i as usize % 3 * 12..][..4].copy_from_slice(&i.to_le_bytes());
                    let hash = COUNTING.hash(&[&data]);
                    u64::from_le_bytes(hash.as_slice()[half.clone()].try_into().unwrap())
                })
                .collect();
            seen.sort_unstable();
            assert!(seen.windows(2).all(|pair| pair[0] != pair[1]));
        }
    }

    #[test]
    fn where_one_input_ends_matters() {
        assert_ne!(COUNTING.hash(&[b""]), COUNTING.hash(&[&[0]]));
        assert_ne!(COUNTING.hash(&[&[0; 16]]), COUNTING.hash(&[&[0; 17]]));
        assert_ne!(COUNTING.mac(b"ab", &[b"c"]), COUNTING.mac(b"a", &[b"bc"]));
        assert_ne!(COUNTING.mac(b"", &[b"abc"]), COUNTING.mac(b"abc", &[b""]));
        assert_ne!(COUNTING.mac(b"k", &[b"d"]).as_slice(), COUNTING.extract(b"k", b"d").as_slice());
    }

    /// Digests of recorded runs depend on it: a change here is a change of format.
    #[test]
    fn the_mixing_never_changes() {
        let words: Vec<_> = COUNTING
            .hash(&[b"Arbo", b"retum"])
            .as_slice()
            .chunks(8)
            .map(|word| u64::from_le_bytes(word.try_into().unwrap()))
            .collect();
        assert_eq!(
            words,
            [
                0xa7c4_ddc8_e330_01b1,
                0x66d3_c371_e151_ff1e,
                0x10d9_97f2_6ac5_8ed4,
                0xd012_2955_f19f_d86b,
            ]
        );
    }
}
