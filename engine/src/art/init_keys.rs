//! Initialization keys (draft-barnes-mls-protocol-00 §7): what is published about a person who may
//! be added, and about a group that one may add oneself to.

use tls_codec::{TlsDeserializeBytes, TlsSerialize, TlsSize};

use super::suite::{DhKeyPair, DhPublicKey, SignatureScheme, derive_key_pair, sign, verify};
use super::wire::{self, hashes16, keys16, opaque16, suites8};
use crate::codec::{CodecError, encode};
use crate::crypto::{
    CipherSuite, Crypto, CryptoError, Digest, Secret, Seed, Signature, SignatureKeyPair,
    SignaturePublicKey,
};

/// Why a `UserInitKey` cannot be used, or not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserInitKeyError {
    /// It has not one key for each suite.
    #[error("a UserInitKey has {suites} cipher suites and {keys} keys (draft-00 §7.1)")]
    Uneven {
        /// Its suites.
        suites: usize,
        /// Its keys.
        keys: usize,
    },
    /// It does not support the group's suite.
    #[error("a UserInitKey has no key for cipher suite {0:?} (draft-00 §7.1)")]
    NoSuchSuite(CipherSuite),
    /// Its signature is of another scheme than the suite's.
    #[error("a UserInitKey is signed by scheme {0:?} (draft-00 §7.1)")]
    WrongScheme(SignatureScheme),
    /// A primitive refused: its signature, or a key.
    #[error("a UserInitKey: {0}")]
    Crypto(#[from] CryptoError),
    /// It has no encoding.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// `UserInitKey` (§7.1).
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct UserInitKey {
    /// The suites that its owner supports.
    #[tls_codec(with = "suites8")]
    pub cipher_suites: Vec<CipherSuite>,
    /// A key for each of them.
    #[tls_codec(with = "keys16")]
    pub init_keys: Vec<DhPublicKey>,
    /// Its owner.
    #[tls_codec(with = "opaque16")]
    pub identity_key: SignaturePublicKey,
    /// How it is signed.
    pub algorithm: SignatureScheme,
    /// Over all fields before.
    #[tls_codec(with = "opaque16")]
    pub signature: Signature,
}

impl UserInitKey {
    /// Makes one for the suite at hand; its private half comes out of `seed`.
    pub fn new(
        crypto: &Crypto<'_>,
        signer: &SignatureKeyPair,
        seed: Seed,
    ) -> Result<(Self, DhKeyPair), UserInitKeyError> {
        let suite = crypto.cipher_suite();
        let pair = derive_key_pair(crypto, &Secret::from(&seed[..]))?;
        let algorithm = SignatureScheme::of(suite).ok_or(UserInitKeyError::NoSuchSuite(suite))?;
        let mut key = Self {
            cipher_suites: vec![suite],
            init_keys: vec![pair.public.clone()],
            identity_key: signer.public.clone(),
            algorithm,
            signature: Signature::from(vec![]),
        };
        let content = encode(&key)?;
        key.signature = sign(crypto, &signer.private, wire::unsigned(&content, &key.signature))?;
        Ok((key, pair))
    }

    /// Checks it, and gives its key for the suite at hand.
    pub fn check(&self, crypto: &Crypto<'_>) -> Result<&DhPublicKey, UserInitKeyError> {
        let (suites, keys) = (self.cipher_suites.len(), self.init_keys.len());
        if suites != keys {
            return Err(UserInitKeyError::Uneven { suites, keys });
        }
        let suite = crypto.cipher_suite();
        if SignatureScheme::of(suite) != Some(self.algorithm) {
            return Err(UserInitKeyError::WrongScheme(self.algorithm));
        }
        let at = self.cipher_suites.iter().position(|own| *own == suite);
        let key = at.and_then(|at| self.init_keys.get(at));
        let key = key.ok_or(UserInitKeyError::NoSuchSuite(suite))?;
        crypto.provider().check_public_key(key)?;
        let content = encode(self)?;
        let content = wire::unsigned(&content, &self.signature);
        verify(crypto, &self.identity_key, content, &self.signature)?;
        Ok(key)
    }
}

/// `GroupInitKey` (§7.2): what a new member must know of the group.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct GroupInitKey {
    /// The epoch that it describes.
    pub epoch: u32,
    /// Leaves of its trees, blank ones included: the index of the next member.
    pub group_size: u32,
    /// The group.
    #[tls_codec(with = "opaque16")]
    pub group_id: Vec<u8>,
    /// Its suite.
    pub cipher_suite: CipherSuite,
    /// The public half of its add key pair.
    #[tls_codec(with = "opaque16")]
    pub add_key: DhPublicKey,
    /// The frontier of its identity tree.
    #[tls_codec(with = "hashes16")]
    pub identity_frontier: Vec<Digest>,
    /// The frontier of its ratchet tree. A head with nobody below is written as a key of no bytes.
    #[tls_codec(with = "keys16")]
    pub ratchet_frontier: Vec<Option<DhPublicKey>>,
}
