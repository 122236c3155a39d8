//! MLKEM768-X25519 as an HPKE KEM: X-Wing from the `x-wing` crate, with the `DeriveKeyPair` of
//! draft-ietf-hpke-pq-05 §4. Experimental, as that draft is.

use shake::{ExtendableOutput, Shake256, Update, XofReader};
use x_wing::{Decapsulate, DecapsulationKey, Decapsulator, EncapsulationKey, KeyExport};
use zeroize::Zeroizing;

use super::kem::{Kem, VERSION};
use super::provider::{CryptoError, Seed, sized, what};
use super::types::HpkeKeyPair;

/// `Nsk`, in bytes.
const PRIVATE: usize = 32;
/// `Nsecret`, in bytes.
const SHARED: usize = 32;

/// The hybrid KEM of ML-KEM-768 and X25519.
pub(super) struct XWing;

/// `SHAKE256.LabeledDerive(ikm, label, "", N)` (draft-ietf-hpke-hpke §4.4).
fn labeled_derive<const N: usize>(ikm: &[u8], label: &[u8]) -> Zeroizing<[u8; N]> {
    let length =
        |bytes: usize| u16::try_from(bytes).expect("labels and keys are short").to_be_bytes();
    let mut shake = Shake256::default();
    let parts = [ikm, VERSION, b"KEM\x64\x7a", &length(label.len()), label, &length(N)];
    parts.iter().for_each(|part| shake.update(part));
    let mut out = Zeroizing::new([0; N]);
    shake.finalize_xof().read(&mut *out);
    out
}

impl Kem for XWing {
    const ID: u16 = 0x647a;
    type Shared = [u8; SHARED];

    fn derive_key_pair(ikm: &[u8]) -> Result<HpkeKeyPair, CryptoError> {
        Self::key_pair(&*labeled_derive::<PRIVATE>(ikm, b"DeriveKeyPair"))
    }

    fn key_pair(private: &[u8]) -> Result<HpkeKeyPair, CryptoError> {
        let private: &[u8; PRIVATE] = sized(private, what::HPKE_PRIVATE)?;
        let key = DecapsulationKey::from(*private);
        let public = key.encapsulation_key().to_bytes();
        Ok(HpkeKeyPair { private: private.as_slice().into(), public: public.as_slice().into() })
    }

    fn is_public(bytes: &[u8]) -> bool {
        EncapsulationKey::try_from(bytes).is_ok()
    }

    fn encap(to: &[u8], seed: &Seed) -> Result<(Zeroizing<[u8; SHARED]>, Vec<u8>), CryptoError> {
        let to =
            EncapsulationKey::try_from(to).map_err(|_| CryptoError::BadKey(what::HPKE_PUBLIC))?;
        let randomness = labeled_derive::<64>(seed, b"Encapsulate");
        let (enc, shared) = to.encapsulate_deterministic((&*randomness).into());
        Ok((Zeroizing::new(shared.into()), enc.to_vec()))
    }

    fn decap(to: &HpkeKeyPair, enc: &[u8]) -> Result<Zeroizing<[u8; SHARED]>, CryptoError> {
        let private: &[u8; PRIVATE] = sized(to.private.as_slice(), what::HPKE_PRIVATE)?;
        let enc = enc.try_into().map_err(|_| CryptoError::BadCiphertext)?;
        Ok(Zeroizing::new(DecapsulationKey::from(*private).decapsulate(enc).into()))
    }
}
