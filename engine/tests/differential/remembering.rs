//! The real provider with a memory. At `full` every member of a group verifies the same signatures, opens the
//! same ciphertexts and derives the same keys, which is most of the work of these tests. The primitives are
//! functions of their inputs, so each is asked once for the same inputs: what clients do, in which order, with
//! what result and at which charge is as it would be.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use arboretum_engine::crypto::{
    CipherSuite, CryptoError, Digest, HpkeCiphertext, HpkeInfo, HpkeKeyPair, HpkePublicKey,
    Provider, RealProvider, Secret, Seed, Signature, SignatureKeyPair, SignaturePrivateKey,
    SignedItem,
};

/// As many results of a primitive as are kept before all are forgotten: those of a few groups.
const MOST: usize = 1 << 13;

/// What a primitive gave, by its inputs' hash.
#[derive(Debug)]
struct Results<T>(Mutex<BTreeMap<Digest, T>>);

impl<T: Clone> Results<T> {
    const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    fn of(&self, inputs: &[&[u8]], ask: impl FnOnce() -> T) -> T {
        let lengths: Vec<u8> = inputs.iter().flat_map(|input| input.len().to_le_bytes()).collect();
        let parts: Vec<&[u8]> = [&lengths[..]].into_iter().chain(inputs.iter().copied()).collect();
        let key = REAL.hash(&parts);
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(result) = known().get(&key) {
            return result.clone();
        }
        let result = ask();
        let mut results = known();
        if results.len() >= MOST {
            results.clear();
        }
        results.insert(key, result.clone());
        result
    }
}

const REAL: RealProvider = RealProvider::new();

/// The provider.
#[derive(Debug)]
pub(crate) struct Remembering {
    derived: Results<Result<HpkeKeyPair, CryptoError>>,
    checked: Results<Result<(), CryptoError>>,
    sealed: Results<Result<HpkeCiphertext, CryptoError>>,
    opened: Results<Result<Secret, CryptoError>>,
    signers: Results<SignatureKeyPair>,
    signed: Results<Result<Signature, CryptoError>>,
    verified: Results<Result<(), CryptoError>>,
    verified_together: Results<Result<(), CryptoError>>,
}

/// One for all groups.
pub(crate) static REMEMBERING: Remembering = Remembering {
    derived: Results::new(),
    checked: Results::new(),
    sealed: Results::new(),
    opened: Results::new(),
    signers: Results::new(),
    signed: Results::new(),
    verified: Results::new(),
    verified_together: Results::new(),
};

impl Provider for Remembering {
    fn cipher_suite(&self) -> CipherSuite {
        REAL.cipher_suite()
    }

    fn digest_length(&self) -> usize {
        REAL.digest_length()
    }

    fn aead_key_length(&self) -> usize {
        REAL.aead_key_length()
    }

    fn aead_nonce_length(&self) -> usize {
        REAL.aead_nonce_length()
    }

    fn hash(&self, parts: &[&[u8]]) -> Digest {
        REAL.hash(parts)
    }

    fn mac(&self, key: &[u8], parts: &[&[u8]]) -> Digest {
        REAL.mac(key, parts)
    }

    fn extract(&self, salt: &[u8], ikm: &[u8]) -> Secret {
        REAL.extract(salt, ikm)
    }

    fn expand(&self, prk: &[u8], info: &[u8], length: usize) -> Result<Secret, CryptoError> {
        REAL.expand(prk, info, length)
    }

    fn aead_seal(
        &self,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        REAL.aead_seal(key, nonce, aad, plaintext)
    }

    fn aead_open(
        &self,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        ciphertext: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        REAL.aead_open(key, nonce, aad, ciphertext)
    }

    fn derive_key_pair(&self, ikm: &[u8]) -> Result<HpkeKeyPair, CryptoError> {
        self.derived.of(&[ikm], || REAL.derive_key_pair(ikm))
    }

    fn key_pair(&self, private: &[u8]) -> Result<HpkeKeyPair, CryptoError> {
        REAL.key_pair(private)
    }

    fn check_public_key(&self, key: &HpkePublicKey) -> Result<(), CryptoError> {
        self.checked.of(&[key.as_slice()], || REAL.check_public_key(key))
    }

    fn dh(&self, own: &HpkeKeyPair, theirs: &HpkePublicKey) -> Result<Secret, CryptoError> {
        REAL.dh(own, theirs)
    }

    fn hpke_info(&self, info: &[u8]) -> HpkeInfo {
        REAL.hpke_info(info)
    }

    fn hpke_seal(
        &self,
        to: &HpkePublicKey,
        info: &HpkeInfo,
        plaintext: &[u8],
        seed: &Seed,
    ) -> Result<HpkeCiphertext, CryptoError> {
        let inputs = [to.as_slice(), info.as_ref(), plaintext, seed];
        self.sealed.of(&inputs, || REAL.hpke_seal(to, info, plaintext, seed))
    }

    fn hpke_open(
        &self,
        to: &HpkeKeyPair,
        info: &HpkeInfo,
        ciphertext: &HpkeCiphertext,
    ) -> Result<Secret, CryptoError> {
        let HpkeCiphertext { kem_output, ciphertext: sealed } = ciphertext;
        let (private, public) = (to.private.as_slice(), to.public.as_slice());
        let inputs = [private, public, info.as_ref(), kem_output.as_slice(), sealed.as_slice()];
        self.opened.of(&inputs, || REAL.hpke_open(to, info, ciphertext))
    }

    fn hpke_send_export(
        &self,
        to: &HpkePublicKey,
        info: &HpkeInfo,
        context: &[u8],
        seed: &Seed,
    ) -> Result<(Vec<u8>, Secret), CryptoError> {
        REAL.hpke_send_export(to, info, context, seed)
    }

    fn hpke_receive_export(
        &self,
        to: &HpkeKeyPair,
        kem_output: &[u8],
        info: &HpkeInfo,
        context: &[u8],
    ) -> Result<Secret, CryptoError> {
        REAL.hpke_receive_export(to, kem_output, info, context)
    }

    fn signature_key_pair(&self, seed: &Seed) -> SignatureKeyPair {
        self.signers.of(&[seed], || REAL.signature_key_pair(seed))
    }

    fn sign(&self, key: &SignaturePrivateKey, content: &[u8]) -> Result<Signature, CryptoError> {
        self.signed.of(&[key.as_slice(), content], || REAL.sign(key, content))
    }

    fn verify(&self, item: SignedItem<'_>) -> Result<(), CryptoError> {
        let inputs = [item.key.as_slice(), item.content, item.signature.as_slice()];
        self.verified.of(&inputs, || REAL.verify(item))
    }

    fn verify_batch(&self, items: &[SignedItem<'_>]) -> Result<(), CryptoError> {
        let inputs = items
            .iter()
            .flat_map(|item| [item.key.as_slice(), item.content, item.signature.as_slice()]);
        let inputs: Vec<&[u8]> = inputs.collect();
        self.verified_together.of(&inputs, || REAL.verify_batch(items))
    }
}
