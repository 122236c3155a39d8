//! ECDSA over the NIST curves (RFC 9420 §5.1: DER signatures, SEC 1 uncompressed keys). Signed
//! as in RFC 6979, so that nothing is random; verified by aws-lc-rs, which is faster.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1,
    EcdsaVerificationAlgorithm, VerificationAlgorithm,
};
use p256::ecdsa::signature::Signer;
use sha2::Sha512;
use zeroize::Zeroizing;

use super::hash::Keyed;
use super::provider::{self, CryptoError, Seed, SignedItem, what};
use super::signature::SignatureScheme;
use super::types::{Signature, SignatureKeyPair, SignaturePrivateKey};

/// The private scalar of a seed: the first of its candidates that is in the group's range.
fn scalar<const N: usize, T>(
    seed: &Seed,
    mask: u8,
    take: impl Fn(&[u8; N]) -> Option<T>,
) -> (Zeroizing<[u8; N]>, T) {
    let seed = Keyed::<Sha512>::new(seed);
    let candidates = (0..=u8::MAX).map(|counter| {
        let mut candidate = Zeroizing::new([0; N]);
        seed.expand(&[b"ECDSA private key", &[counter]], &mut *candidate);
        candidate[0] &= mask;
        candidate
    });
    let mut taken = candidates.filter_map(|bytes| take(&bytes).map(|key| (bytes, key)));
    taken.next().expect("one candidate in 256 is in the range of every curve")
}

fn verify(
    algorithm: &EcdsaVerificationAlgorithm,
    public: usize,
    item: SignedItem<'_>,
) -> Result<(), CryptoError> {
    let key = item.key.as_slice();
    if key.len() != public {
        return Err(CryptoError::BadKey(what::SIGNATURE_PUBLIC));
    }
    let verified = algorithm.verify_sig(key, item.content, item.signature.as_slice());
    verified.map_err(|_| CryptoError::BadSignature)
}

macro_rules! ecdsa {
    (
        $(#[$doc:meta])*
        $name:ident: $curve:ident, $algorithm:expr, private $private:literal,
        public $public:literal, mask $mask:literal
    ) => {
        $(#[$doc])*
        pub(super) struct $name;

        impl SignatureScheme for $name {
            fn key_pair(seed: &Seed) -> SignatureKeyPair {
                let take = |bytes: &[u8; $private]| $curve::ecdsa::SigningKey::from_slice(bytes).ok();
                let (private, key) = scalar::<$private, _>(seed, $mask, take);
                let public = key.verifying_key().to_sec1_point(false);
                SignatureKeyPair {
                    private: private.as_slice().into(),
                    public: public.as_bytes().into(),
                }
            }

            fn sign(key: &SignaturePrivateKey, content: &[u8]) -> Result<Signature, CryptoError> {
                let refused = CryptoError::BadKey(what::SIGNATURE_PRIVATE);
                let bytes = provider::scalar(key.as_slice(), $private, what::SIGNATURE_PRIVATE)?;
                let key = $curve::ecdsa::SigningKey::from_slice(&bytes).map_err(|_| refused)?;
                let signature: $curve::ecdsa::Signature = key.sign(content);
                Ok(signature.to_der().as_bytes().into())
            }

            fn verify(item: SignedItem<'_>) -> Result<(), CryptoError> {
                verify(&$algorithm, $public, item)
            }
        }
    };
}

ecdsa! {
    /// ecdsa_secp256r1_sha256.
    EcdsaP256: p256, ECDSA_P256_SHA256_ASN1, private 32, public 65, mask 0xff
}
ecdsa! {
    /// ecdsa_secp384r1_sha384.
    EcdsaP384: p384, ECDSA_P384_SHA384_ASN1, private 48, public 97, mask 0xff
}
ecdsa! {
    /// ecdsa_secp521r1_sha512.
    EcdsaP521: p521, ECDSA_P521_SHA512_ASN1, private 66, public 133, mask 0x01
}
