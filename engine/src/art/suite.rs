//! The cipher suites and what they are made of (draft-barnes-mls-protocol-00 §6.1): Curve25519 and
//! P-256, each with SHA-256. The draft gives suites no numbers; here they have those that RFC 9420
//! gave to the same curves, and with them its signature schemes and AEADs.

use tls_codec::{TlsDeserializeBytes, TlsSerialize, TlsSize};

use crate::crypto::{
    CipherSuite, Crypto, CryptoError, HpkeKeyPair, HpkePublicKey, Ledger, Op, Secret, Signature,
    SignaturePrivateKey, SignaturePublicKey, SignedItem,
};

/// `DHPublicKey` (§6.1).
pub type DhPublicKey = HpkePublicKey;

/// A Diffie-Hellman key pair of a node.
pub type DhKeyPair = HpkeKeyPair;

/// `SignatureScheme`, by its number in TLS 1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct SignatureScheme(pub u16);

impl SignatureScheme {
    /// `ed25519`.
    pub const ED25519: Self = Self(0x0807);
    /// `ecdsa_secp256r1_sha256`.
    pub const ECDSA_P256: Self = Self(0x0403);

    /// The scheme that goes with a cipher suite; none if ART has no such suite.
    pub fn of(suite: CipherSuite) -> Option<Self> {
        match suite {
            CipherSuite::X25519_AES128GCM_SHA256_ED25519 => Some(Self::ED25519),
            CipherSuite::P256_AES128GCM_SHA256_P256 => Some(Self::ECDSA_P256),
            _ => None,
        }
    }
}

/// `Derive-Key-Pair` (§6.1): the private key is the hash of the octet string.
pub fn derive_key_pair(crypto: &Crypto<'_>, secret: &Secret) -> Result<DhKeyPair, CryptoError> {
    let private = crypto.hash(secret.as_slice());
    charge(crypto, Op::KemGenerate);
    crypto.provider().key_pair(private.as_slice())
}

/// What deriving a key pair takes.
pub fn derivation() -> Ledger {
    one(Op::Hash) + one(Op::KemGenerate)
}

/// What one Diffie-Hellman agreement and deriving a key pair from it take: a node.
pub fn node_cost() -> Ledger {
    one(Op::Dh) + derivation()
}

/// A signature over bytes as they are.
pub(super) fn sign(
    crypto: &Crypto<'_>,
    key: &SignaturePrivateKey,
    content: &[u8],
) -> Result<Signature, CryptoError> {
    charge(crypto, Op::Sign);
    crypto.provider().sign(key, content)
}

/// Checks a signature over bytes as they are.
pub(super) fn verify(
    crypto: &Crypto<'_>,
    key: &SignaturePublicKey,
    content: &[u8],
    signature: &Signature,
) -> Result<(), CryptoError> {
    charge(crypto, Op::Verify);
    crypto.provider().verify(SignedItem { key, content, signature })
}

/// One operation.
pub(crate) fn one(op: Op) -> Ledger {
    let mut ledger = Ledger::default();
    ledger.charge(op, 1);
    ledger
}

fn charge(crypto: &Crypto<'_>, op: Op) {
    crypto.charge(one(op));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::provider;

    #[test]
    fn a_key_pair_is_the_hash_of_its_secret() {
        for (suite, length) in [
            (CipherSuite::X25519_AES128GCM_SHA256_ED25519, 32),
            (CipherSuite::P256_AES128GCM_SHA256_P256, 65),
        ] {
            let crypto = Crypto::new(provider(suite).unwrap());
            let secret = Secret::from(&[1; 32][..]);
            let pair = derive_key_pair(&crypto, &secret).unwrap();
            assert_eq!(pair.private.as_slice(), crypto.provider().hash(&[&[1; 32]]).as_slice());
            assert_eq!(pair.public.as_slice().len(), length);
            assert_eq!(crypto.ledger(), derivation());
            let other = derive_key_pair(&crypto, &Secret::from(&[2; 32][..])).unwrap();
            let agreed = crypto.dh(&pair, &other.public).unwrap();
            assert_eq!(agreed, crypto.dh(&other, &pair.public).unwrap());
            assert_eq!(agreed.as_slice().len(), 32);
        }
    }

    #[test]
    fn two_suites_have_a_scheme() {
        let with = CipherSuite::ALL.iter().filter(|suite| SignatureScheme::of(**suite).is_some());
        assert_eq!(with.count(), 2);
    }
}
