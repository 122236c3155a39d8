//! Key encapsulation as HPKE uses it (RFC 9180 §4, §4.1): the interface, and the
//! Diffie-Hellman KEM over whatever group a suite has. Written once.

use std::marker::PhantomData;

use zeroize::{Zeroize, Zeroizing};

use super::hash::{HashFunction, Keyed};
use super::provider::{CryptoError, Seed, scalar, sized_slice, what};
use super::types::{HpkeKeyPair, Secret};

/// The version that every label of RFC 9180 begins with.
pub(super) const VERSION: &[u8] = b"HPKE-v1";

/// A KEM by its identifier in RFC 9180 §7.1.
pub(super) trait Kem {
    /// The identifier.
    const ID: u16;
    /// A shared secret.
    type Shared: AsRef<[u8]> + Zeroize;

    /// `DeriveKeyPair(ikm)`.
    fn derive_key_pair(ikm: &[u8]) -> Result<HpkeKeyPair, CryptoError>;

    /// The pair of a serialised private key.
    fn key_pair(private: &[u8]) -> Result<HpkeKeyPair, CryptoError>;

    /// Whether bytes are a public key: whether [`Kem::encap`] takes them.
    fn is_public(bytes: &[u8]) -> bool;

    /// `Encap(pkR)`, all its randomness out of `seed`: the shared secret and the encapsulated
    /// key.
    fn encap(to: &[u8], seed: &Seed) -> Result<(Zeroizing<Self::Shared>, Vec<u8>), CryptoError>;

    /// `Decap(enc, skR)`.
    fn decap(to: &HpkeKeyPair, enc: &[u8]) -> Result<Zeroizing<Self::Shared>, CryptoError>;

    /// `DH(skX, pkY)`, where the KEM has it.
    fn agree(_own: &[u8], _theirs: &[u8]) -> Result<Secret, CryptoError> {
        Err(CryptoError::NoAgreement)
    }
}

/// `suite_id` inside a KEM (RFC 9180 §4.1).
const fn kem_suite(id: u16) -> [u8; 5] {
    let [high, low] = id.to_be_bytes();
    [b'K', b'E', b'M', high, low]
}

/// `LabeledExtract` (RFC 9180 §4).
pub(super) fn labeled_extract<H: HashFunction>(
    salt: &[u8],
    suite: &[u8],
    label: &[u8],
    ikm: &[u8],
) -> Zeroizing<H::Output> {
    Keyed::<H>::new(salt).mac(&[VERSION, suite, label, ikm])
}

/// `LabeledExpand` (RFC 9180 §4) into `out`.
pub(super) fn labeled_expand<H: HashFunction>(
    prk: &Keyed<H>,
    suite: &[u8],
    label: &[u8],
    info: &[u8],
    out: &mut [u8],
) {
    let length = u16::try_from(out.len()).expect("keys are short").to_be_bytes();
    prk.expand(&[&length, VERSION, suite, label, info], out);
}

/// A group for Diffie-Hellman, as a DHKEM uses it.
pub(super) trait Group {
    /// The identifier of its KEM.
    const KEM_ID: u16;
    /// `Nsk`, in bytes.
    const PRIVATE: usize;
    /// `Npk`, in bytes.
    const PUBLIC: usize;
    /// For a group whose private keys are drawn by rejection (RFC 9180 §7.1.3), the mask of
    /// their first byte; none where any bytes will do.
    const REJECTION_MASK: Option<u8>;

    /// The hash of its KEM.
    type Hash: HashFunction;
    /// A private key, ready for use.
    type Private;
    /// A serialised public key.
    type Public: AsRef<[u8]>;
    /// What two keys agree on.
    type Agreed: AsRef<[u8]> + Zeroize;

    /// Takes in a private key, if it is one.
    fn private(bytes: &[u8]) -> Option<Self::Private>;

    /// The public key of a private key.
    fn public_of(private: &Self::Private) -> Option<Self::Public>;

    /// Whether bytes are a public key: whether [`Group::agree`] takes them.
    fn is_public(bytes: &[u8]) -> bool;

    /// The shared secret; `None` where the public key is no point, or where the secret is one
    /// that RFC 9180 §7.1.4 refuses.
    fn agree(private: &Self::Private, public: &[u8]) -> Option<Zeroizing<Self::Agreed>>;
}

/// `DHKEM(Group, Hash)` (RFC 9180 §4.1).
pub(super) struct DhKem<G>(PhantomData<G>);

/// The private half of `DeriveKeyPair` (RFC 9180 §7.1.3). For X25519 and X448 it is not
/// clamped: they clamp their scalars themselves, and the RFC's and the MLS working group's
/// test vectors are not clamped.
pub(super) fn derive_private<G: Group>(ikm: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let suite = kem_suite(G::KEM_ID);
    let prk =
        Keyed::<G::Hash>::new((*labeled_extract::<G::Hash>(&[], &suite, b"dkp_prk", ikm)).as_ref());
    let mut private = Zeroizing::new(vec![0; G::PRIVATE]);
    let Some(mask) = G::REJECTION_MASK else {
        labeled_expand(&prk, &suite, b"sk", &[], &mut private);
        return Ok(private);
    };
    for counter in 0..=u8::MAX {
        labeled_expand(&prk, &suite, b"candidate", &[counter], &mut private);
        private[0] &= mask;
        if G::private(&private).is_some() {
            return Ok(private);
        }
    }
    Err(CryptoError::BadKey(what::HPKE_PRIVATE))
}

/// `ExtractAndExpand(dh, enc || pkRm)` (RFC 9180 §4.1).
fn shared_secret<G: Group>(
    dh: &[u8],
    enc: &[u8],
    to: &[u8],
) -> Zeroizing<<G::Hash as HashFunction>::Output> {
    let suite = kem_suite(G::KEM_ID);
    let extracted = labeled_extract::<G::Hash>(&[], &suite, b"eae_prk", dh);
    let prk = Keyed::<G::Hash>::new((*extracted).as_ref());
    let mut out = Zeroizing::new(G::Hash::zero());
    let length = u16::try_from(G::Hash::LENGTH).expect("a hash is short").to_be_bytes();
    prk.expand(&[&length, VERSION, &suite, b"shared_secret", enc, to], (*out).as_mut());
    out
}

impl<G: Group> Kem for DhKem<G> {
    const ID: u16 = G::KEM_ID;
    type Shared = <G::Hash as HashFunction>::Output;

    fn derive_key_pair(ikm: &[u8]) -> Result<HpkeKeyPair, CryptoError> {
        Self::key_pair(&derive_private::<G>(ikm)?)
    }

    fn key_pair(private: &[u8]) -> Result<HpkeKeyPair, CryptoError> {
        let refused = CryptoError::BadKey(what::HPKE_PRIVATE);
        let private = match G::REJECTION_MASK {
            Some(_) => scalar(private, G::PRIVATE, what::HPKE_PRIVATE)?,
            None => sized_slice(private, G::PRIVATE, what::HPKE_PRIVATE)?.to_vec().into(),
        };
        let public = G::private(&private).and_then(|key| G::public_of(&key)).ok_or(refused)?;
        Ok(HpkeKeyPair { private: private.into(), public: public.as_ref().into() })
    }

    fn is_public(bytes: &[u8]) -> bool {
        G::is_public(bytes)
    }

    fn encap(to: &[u8], seed: &Seed) -> Result<(Zeroizing<Self::Shared>, Vec<u8>), CryptoError> {
        let ephemeral = G::private(&derive_private::<G>(seed)?);
        let (ephemeral, enc) = ephemeral
            .and_then(|key| G::public_of(&key).map(|public| (key, public)))
            .ok_or(CryptoError::BadKey(what::HPKE_PRIVATE))?;
        let dh = G::agree(&ephemeral, to).ok_or(CryptoError::BadKey(what::HPKE_PUBLIC))?;
        let shared = shared_secret::<G>((*dh).as_ref(), enc.as_ref(), to);
        Ok((shared, enc.as_ref().to_vec()))
    }

    fn decap(to: &HpkeKeyPair, enc: &[u8]) -> Result<Zeroizing<Self::Shared>, CryptoError> {
        let refused = CryptoError::BadKey(what::HPKE_PRIVATE);
        let private = sized_slice(to.private.as_slice(), G::PRIVATE, what::HPKE_PRIVATE)?;
        let private = G::private(private).ok_or(refused)?;
        let public = sized_slice(to.public.as_slice(), G::PUBLIC, what::HPKE_PUBLIC)?;
        let dh = G::agree(&private, enc).ok_or(CryptoError::BadCiphertext)?;
        Ok(shared_secret::<G>((*dh).as_ref(), enc, public))
    }

    fn agree(own: &[u8], theirs: &[u8]) -> Result<Secret, CryptoError> {
        let private = sized_slice(own, G::PRIVATE, what::HPKE_PRIVATE)?;
        let private = G::private(private).ok_or(CryptoError::BadKey(what::HPKE_PRIVATE))?;
        let agreed = G::agree(&private, theirs).ok_or(CryptoError::BadKey(what::HPKE_PUBLIC))?;
        Ok((*agreed).as_ref().into())
    }
}
