//! The labelled operations of RFC 9420 §5.1 and §8, each charged to a ledger as it runs.
//!
//! A [`Crypto`] is a provider with a ledger in hand: whoever does work, does it through one,
//! and reads afterwards what it cost. Batches run on the current rayon pool; their results
//! and their charges do not depend on its size.

use std::cell::RefCell;

use rayon::prelude::*;
use smallvec::SmallVec;

use super::ledger::{Ledger, Op};
use super::provider::{CipherSuite, CryptoError, HpkeInfo, Provider, Seed, SignedItem};
use super::types::{
    Digest, HpkeCiphertext, HpkeKeyPair, HpkePublicKey, Secret, Signature, SignaturePrivateKey,
    SignaturePublicKey,
};

/// Below this many items a batch runs on the calling thread: waking others costs more. Without
/// real cryptography every batch does.
const PARALLEL_FROM: usize = 16;

/// Signatures verified together; larger batches gain little and start later.
const VERIFY_CHUNK: usize = 512;

/// What all labels of RFC 9420 begin with. Those of `RefHash` carry it themselves.
const PREFIX: &[u8] = b"MLS 1.0 ";

/// An encoded input of a primitive. Nearly all are short enough to stay on the stack.
type Encoded = SmallVec<[u8; 256]>;

/// Appends the parts, one after the other, as one `opaque<V>` (RFC 9420 §2.1.2).
fn put_opaque(out: &mut Encoded, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    // Two bits say how many bytes the length takes; the rest is the length, big-endian.
    match u32::try_from(length) {
        Ok(length @ 0..0x40) => out.push(length as u8),
        Ok(length @ 0x40..0x4000) => {
            out.extend_from_slice(&(length as u16 | 0x4000).to_be_bytes());
        }
        Ok(length @ 0x4000..0x4000_0000) => {
            out.extend_from_slice(&(length | 0x8000_0000).to_be_bytes());
        }
        _ => panic!("{length} bytes: no message of RFC 9420 holds a vector of 2^30 bytes"),
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

/// `RefHashInput` (RFC 9420 §5.2).
fn ref_hash_input(label: &str, value: &[u8]) -> Encoded {
    let mut out = Encoded::new();
    put_opaque(&mut out, &[label.as_bytes()]);
    put_opaque(&mut out, &[value]);
    out
}

/// `SignContent` (RFC 9420 §5.1.2) or `EncryptContext` (§5.1.3): they share one encoding.
fn label_and_content(label: &str, content: &[u8]) -> Encoded {
    let mut out = Encoded::new();
    put_opaque(&mut out, &[PREFIX, label.as_bytes()]);
    put_opaque(&mut out, &[content]);
    out
}

/// `KDFLabel` (RFC 9420 §8).
fn kdf_label(length: u16, label: &str, context: &[u8]) -> Encoded {
    let mut out = Encoded::new();
    out.extend_from_slice(&length.to_be_bytes());
    put_opaque(&mut out, &[PREFIX, label.as_bytes()]);
    put_opaque(&mut out, &[context]);
    out
}

/// A signature made with a label, waiting to be verified with others.
#[derive(Clone, Debug)]
pub struct Labelled<'a> {
    /// The key it must verify under.
    pub key: &'a SignaturePublicKey,
    /// The label, without the protocol's prefix.
    pub label: &'static str,
    /// The labelled content.
    pub content: Vec<u8>,
    /// The signature.
    pub signature: &'a Signature,
}

/// A plaintext to be encrypted with others under one label and context.
#[derive(Clone, Debug)]
pub struct Sealed<'a> {
    /// The recipient.
    pub to: &'a HpkePublicKey,
    /// The plaintext.
    pub plaintext: &'a [u8],
    /// The seed of its ephemeral key.
    pub seed: Seed,
}

/// A provider and the ledger of whoever is working.
#[derive(Debug)]
pub struct Crypto<'p> {
    provider: &'p dyn Provider,
    ledger: RefCell<Ledger>,
}

impl<'p> Crypto<'p> {
    /// A fresh ledger over `provider`.
    pub fn new(provider: &'p dyn Provider) -> Self {
        Self { provider, ledger: RefCell::default() }
    }

    /// The provider itself, uncharged.
    pub fn provider(&self) -> &'p dyn Provider {
        self.provider
    }

    /// The suite.
    pub fn cipher_suite(&self) -> CipherSuite {
        self.provider.cipher_suite()
    }

    /// What has been charged so far.
    pub fn ledger(&self) -> Ledger {
        *self.ledger.borrow()
    }

    /// Charges work that was done elsewhere.
    pub fn charge(&self, ledger: Ledger) {
        *self.ledger.borrow_mut() += ledger;
    }

    fn count(&self, op: Op, n: usize) {
        self.ledger.borrow_mut().charge(op, n as u64);
    }

    /// The all-zero secret of the hash's length.
    pub fn zero(&self) -> Secret {
        Secret::zero(self.provider.digest_length())
    }

    /// `Hash(data)`.
    pub fn hash(&self, data: &[u8]) -> Digest {
        self.hash_parts(&[data])
    }

    /// `Hash` of the parts, one after the other.
    pub fn hash_parts(&self, parts: &[&[u8]]) -> Digest {
        self.count(Op::Hash, 1);
        self.provider.hash(parts)
    }

    /// `MAC(key, data)`.
    pub fn mac(&self, key: &Secret, data: &[u8]) -> Digest {
        self.mac_parts(key, &[data])
    }

    /// `MAC` of the parts, one after the other.
    pub fn mac_parts(&self, key: &Secret, parts: &[&[u8]]) -> Digest {
        self.count(Op::Mac, 1);
        self.provider.mac(key.as_slice(), parts)
    }

    /// `RefHash(label, value)` (RFC 9420 §5.2); this label carries its prefix itself.
    pub fn ref_hash(&self, label: &str, value: &[u8]) -> Digest {
        self.hash(&ref_hash_input(label, value))
    }

    /// `KDF.Extract(salt, ikm)`.
    pub fn extract(&self, salt: &Secret, ikm: &Secret) -> Secret {
        self.count(Op::KdfExtract, 1);
        self.provider.extract(salt.as_slice(), ikm.as_slice())
    }

    /// `KDF.Expand(prk, info, length)`, for protocols with labels of their own.
    pub fn expand(&self, prk: &Secret, info: &[u8], length: usize) -> Result<Secret, CryptoError> {
        self.count(Op::KdfExpand, 1);
        self.provider.expand(prk.as_slice(), info, length)
    }

    /// A plain Diffie-Hellman agreement.
    pub fn dh(&self, own: &HpkeKeyPair, theirs: &HpkePublicKey) -> Result<Secret, CryptoError> {
        self.count(Op::Dh, 1);
        self.provider.dh(own, theirs)
    }

    /// `ExpandWithLabel(secret, label, context, length)` (RFC 9420 §8).
    pub fn expand_with_label(
        &self,
        secret: &Secret,
        label: &str,
        context: &[u8],
        length: usize,
    ) -> Result<Secret, CryptoError> {
        self.count(Op::KdfExpand, 1);
        let info_length = u16::try_from(length).map_err(|_| CryptoError::BadLength(length))?;
        let info = kdf_label(info_length, label, context);
        self.provider.expand(secret.as_slice(), &info, length)
    }

    /// `DeriveSecret(secret, label)` (RFC 9420 §8).
    pub fn derive_secret(&self, secret: &Secret, label: &str) -> Secret {
        self.expand_with_label(secret, label, &[], self.provider.digest_length())
            .expect("a digest's length is always allowed")
    }

    /// `DeriveTreeSecret(secret, label, generation, length)` (RFC 9420 §9).
    pub fn derive_tree_secret(
        &self,
        secret: &Secret,
        label: &str,
        generation: u32,
        length: usize,
    ) -> Result<Secret, CryptoError> {
        self.expand_with_label(secret, label, &generation.to_be_bytes(), length)
    }

    /// `KEM.DeriveKeyPair(secret)`.
    pub fn derive_key_pair(&self, secret: &Secret) -> Result<HpkeKeyPair, CryptoError> {
        self.count(Op::KemGenerate, 1);
        self.provider.derive_key_pair(secret.as_slice())
    }

    /// `SignWithLabel(key, label, content)` (RFC 9420 §5.1.2).
    pub fn sign_with_label(
        &self,
        key: &SignaturePrivateKey,
        label: &str,
        content: &[u8],
    ) -> Result<Signature, CryptoError> {
        self.count(Op::Sign, 1);
        self.provider.sign(key, &label_and_content(label, content))
    }

    /// `VerifyWithLabel(key, label, content, signature)`, strictly.
    pub fn verify_with_label(
        &self,
        key: &SignaturePublicKey,
        label: &str,
        content: &[u8],
        signature: &Signature,
    ) -> Result<(), CryptoError> {
        self.count(Op::Verify, 1);
        let content = label_and_content(label, content);
        self.provider.verify(SignedItem { key, content: &content, signature })
    }

    /// Verifies many labelled signatures together; fails if any of them does.
    pub fn verify_all_with_label(&self, items: &[Labelled<'_>]) -> Result<(), CryptoError> {
        self.count(Op::Verify, items.len());
        let provider = self.provider;
        let verify_chunk = |chunk: &[Labelled<'_>]| {
            let contents: Vec<_> =
                chunk.iter().map(|item| label_and_content(item.label, &item.content)).collect();
            let signed: Vec<_> = chunk
                .iter()
                .zip(&contents)
                .map(|(item, content)| SignedItem {
                    key: item.key,
                    content,
                    signature: item.signature,
                })
                .collect();
            provider.verify_batch(&signed)
        };
        if items.len() <= VERIFY_CHUNK || !provider.is_real() {
            return verify_chunk(items);
        }
        // All verdicts, then the first refusal: which chunk ends first depends on the pool.
        let verdicts: Vec<_> = items.par_chunks(VERIFY_CHUNK).map(verify_chunk).collect();
        verdicts.into_iter().collect()
    }

    /// `EncryptContext` (RFC 9420 §5.1.3), ready for any number of messages.
    fn hpke_info(&self, label: &str, context: &[u8]) -> HpkeInfo {
        self.provider.hpke_info(&label_and_content(label, context))
    }

    /// `EncryptWithLabel(key, label, context, plaintext)` (RFC 9420 §5.1.3).
    pub fn encrypt_with_label(
        &self,
        key: &HpkePublicKey,
        label: &str,
        context: &[u8],
        plaintext: &[u8],
        seed: &Seed,
    ) -> Result<HpkeCiphertext, CryptoError> {
        self.count(Op::KemEncapsulate, 1);
        self.count(Op::AeadSeal, 1);
        let info = self.hpke_info(label, context);
        self.provider.hpke_seal(key, &info, plaintext, seed)
    }

    /// Encrypts many plaintexts under one label and context, in their order.
    pub fn encrypt_all_with_label(
        &self,
        label: &str,
        context: &[u8],
        items: &[Sealed<'_>],
    ) -> Result<Vec<HpkeCiphertext>, CryptoError> {
        self.count(Op::KemEncapsulate, items.len());
        self.count(Op::AeadSeal, items.len());
        let info = self.hpke_info(label, context);
        let provider = self.provider;
        let seal =
            |item: &Sealed<'_>| provider.hpke_seal(item.to, &info, item.plaintext, &item.seed);
        if items.len() < PARALLEL_FROM || !provider.is_real() {
            return items.iter().map(seal).collect();
        }
        // All of them, then the first refusal, which must not depend on the pool either.
        let sealed: Vec<_> = items.par_iter().with_min_len(PARALLEL_FROM / 2).map(seal).collect();
        sealed.into_iter().collect()
    }

    /// `DecryptWithLabel(key, label, context, kem_output, ciphertext)` (RFC 9420 §5.1.3).
    pub fn decrypt_with_label(
        &self,
        key: &HpkeKeyPair,
        label: &str,
        context: &[u8],
        ciphertext: &HpkeCiphertext,
    ) -> Result<Secret, CryptoError> {
        self.count(Op::KemDecapsulate, 1);
        self.count(Op::AeadOpen, 1);
        let info = self.hpke_info(label, context);
        self.provider.hpke_open(key, &info, ciphertext)
    }

    /// HPKE `SendExportBase` with an empty info: the encapsulated key and the secret.
    pub fn send_export(
        &self,
        to: &HpkePublicKey,
        context: &[u8],
        seed: &Seed,
    ) -> Result<(Vec<u8>, Secret), CryptoError> {
        self.count(Op::KemEncapsulate, 1);
        self.provider.hpke_send_export(to, &self.provider.hpke_info(&[]), context, seed)
    }

    /// HPKE `ReceiveExportBase` with an empty info.
    pub fn receive_export(
        &self,
        to: &HpkeKeyPair,
        kem_output: &[u8],
        context: &[u8],
    ) -> Result<Secret, CryptoError> {
        self.count(Op::KemDecapsulate, 1);
        self.provider.hpke_receive_export(to, kem_output, &self.provider.hpke_info(&[]), context)
    }

    /// AEAD encryption; the tag is appended.
    pub fn aead_seal(
        &self,
        key: &Secret,
        nonce: &Secret,
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        self.count(Op::AeadSeal, 1);
        self.provider.aead_seal(key.as_slice(), nonce.as_slice(), aad, plaintext)
    }

    /// AEAD decryption.
    pub fn aead_open(
        &self,
        key: &Secret,
        nonce: &Secret,
        aad: &[u8],
        ciphertext: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        self.count(Op::AeadOpen, 1);
        self.provider.aead_open(key.as_slice(), nonce.as_slice(), aad, ciphertext)
    }
}

#[cfg(test)]
mod tests {
    use tls_codec::{Serialize, VLByteSlice};

    use super::super::{CountingProvider, RealProvider};
    use super::*;

    const REAL: RealProvider = RealProvider::new();

    /// What `work` is charged, as far as it is not zero.
    fn charged(work: impl FnOnce(&Crypto<'_>)) -> Vec<(Op, u64)> {
        let crypto = Crypto::new(&REAL);
        work(&crypto);
        crypto.ledger().iter().filter(|(_, count)| *count > 0).collect()
    }

    #[test]
    fn opaque_vectors_are_those_of_tls_codec() {
        for length in [0, 1, 63, 64, 100, 16_383, 16_384, 70_000] {
            let bytes = vec![7; length];
            let mut ours = Encoded::new();
            put_opaque(&mut ours, &[&bytes[..length / 3], &bytes[length / 3..]]);
            assert_eq!(ours.as_slice(), VLByteSlice(&bytes).tls_serialize_detached().unwrap());
        }
    }

    #[test]
    fn labels_carry_the_prefix_and_ref_hash_labels_do_not() {
        assert_eq!(label_and_content("Ab", b"c").as_slice(), b"\x0aMLS 1.0 Ab\x01c");
        assert_eq!(ref_hash_input("Ab", b"c").as_slice(), b"\x02Ab\x01c");
        assert_eq!(kdf_label(258, "Ab", b"c").as_slice(), b"\x01\x02\x0aMLS 1.0 Ab\x01c");
    }

    #[test]
    fn operations_charge_what_they_say() {
        let secret = Secret::zero(32);
        let (key, nonce) = (Secret::zero(16), Secret::zero(12));
        assert_eq!(charged(|c| _ = c.hash(b"")), [(Op::Hash, 1)]);
        assert_eq!(charged(|c| _ = c.ref_hash("l", b"")), [(Op::Hash, 1)]);
        assert_eq!(charged(|c| _ = c.mac(&secret, b"")), [(Op::Mac, 1)]);
        assert_eq!(charged(|c| _ = c.extract(&secret, &secret)), [(Op::KdfExtract, 1)]);
        assert_eq!(charged(|c| _ = c.derive_secret(&secret, "l")), [(Op::KdfExpand, 1)]);
        assert_eq!(
            charged(|c| _ = c.derive_tree_secret(&secret, "l", 1, 16)),
            [(Op::KdfExpand, 1)]
        );
        assert_eq!(charged(|c| _ = c.derive_key_pair(&secret)), [(Op::KemGenerate, 1)]);
        assert_eq!(charged(|c| _ = c.expand(&secret, b"", 32)), [(Op::KdfExpand, 1)]);
        let pair = REAL.derive_key_pair(&[1; 32]).unwrap();
        assert_eq!(charged(|c| _ = c.dh(&pair, &pair.public)), [(Op::Dh, 1)]);
        assert_eq!(charged(|c| _ = c.aead_seal(&key, &nonce, b"", b"")), [(Op::AeadSeal, 1)]);
        assert_eq!(charged(|c| _ = c.aead_open(&key, &nonce, b"", b"")), [(Op::AeadOpen, 1)]);
        assert_eq!(charged(|c| _ = c.provider().hash(&[])), []);
        assert_eq!(
            charged(|c| {
                let mut elsewhere = Ledger::default();
                elsewhere.charge(Op::Dh, 3);
                c.charge(elsewhere);
            }),
            [(Op::Dh, 3)]
        );
    }

    #[test]
    fn encryption_charges_the_kem_and_the_aead() {
        let pair = REAL.derive_key_pair(&[1; 32]).unwrap();
        let seal = |c: &Crypto<'_>| {
            c.encrypt_with_label(&pair.public, "l", b"context", b"secret", &[2; 32]).unwrap()
        };
        assert_eq!(charged(|c| _ = seal(c)), [(Op::KemEncapsulate, 1), (Op::AeadSeal, 1)]);
        let sealed = seal(&Crypto::new(&REAL));
        let charges = charged(|c| {
            let opened = c.decrypt_with_label(&pair, "l", b"context", &sealed).unwrap();
            assert_eq!(opened.as_slice(), b"secret");
        });
        assert_eq!(charges, [(Op::KemDecapsulate, 1), (Op::AeadOpen, 1)]);
        let crypto = Crypto::new(&REAL);
        for (label, context) in [("k", &b"context"[..]), ("l", b"Context")] {
            let refused = crypto.decrypt_with_label(&pair, label, context, &sealed);
            assert_eq!(refused, Err(CryptoError::BadCiphertext));
        }
    }

    #[test]
    fn encrypting_together_gives_what_encrypting_alone_gives() {
        let pairs: Vec<_> = (0..40).map(|i| REAL.derive_key_pair(&[i; 32]).unwrap()).collect();
        for size in [0, 1, PARALLEL_FROM - 1, PARALLEL_FROM, 40] {
            let items: Vec<_> = pairs[..size]
                .iter()
                .enumerate()
                .map(|(i, pair)| Sealed {
                    to: &pair.public,
                    plaintext: pair.public.as_slice(),
                    seed: [i as u8; 32],
                })
                .collect();
            let (together, alone) = (Crypto::new(&REAL), Crypto::new(&REAL));
            let expected: Vec<_> = items
                .iter()
                .map(|i| alone.encrypt_with_label(i.to, "l", b"c", i.plaintext, &i.seed).unwrap())
                .collect();
            assert_eq!(together.encrypt_all_with_label("l", b"c", &items), Ok(expected));
            assert_eq!(together.ledger(), alone.ledger());
        }
    }

    #[test]
    fn verifying_together_refuses_any_one_bad_signature() {
        for provider in [&REAL as &dyn Provider, &CountingProvider::new()] {
            let crypto = Crypto::new(provider);
            let pair = provider.signature_key_pair(&[1; 32]);
            let size = VERIFY_CHUNK + 10;
            let contents: Vec<_> = (0..size).map(|i| i.to_be_bytes().to_vec()).collect();
            let signatures: Vec<_> = contents
                .iter()
                .map(|content| crypto.sign_with_label(&pair.private, "l", content).unwrap())
                .collect();
            let items: Vec<_> = contents
                .into_iter()
                .zip(&signatures)
                .map(|(content, signature)| Labelled {
                    key: &pair.public,
                    label: "l",
                    content,
                    signature,
                })
                .collect();
            assert_eq!(crypto.ledger().count(Op::Sign), size as u64);
            assert_eq!(crypto.verify_all_with_label(&items), Ok(()));
            assert_eq!(crypto.ledger().count(Op::Verify), size as u64);
            for bad in [0, 5, VERIFY_CHUNK - 1, VERIFY_CHUNK, size - 1] {
                let mut items = items.clone();
                items[bad].label = "k";
                let refused = crypto.verify_all_with_label(&items);
                assert_eq!(refused, Err(CryptoError::BadSignature));
            }
            let good = &items[3];
            let verify =
                |label| crypto.verify_with_label(good.key, label, &good.content, good.signature);
            assert_eq!(verify("l"), Ok(()));
            assert_eq!(verify("k"), Err(CryptoError::BadSignature));
        }
    }
}
