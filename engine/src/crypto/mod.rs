//! Cipher suites: the provider trait and its implementations, the labelled operations of
//! RFC 9420 §5.1, and the ledger that counts them.

mod counting;
mod hpke;
mod labelled;
mod ledger;
#[cfg(feature = "portable")]
mod portable;
mod provider;
mod real;
mod suite1;
mod types;

pub use counting::CountingProvider;
pub use labelled::{Crypto, Labelled, Sealed};
pub use ledger::{Ledger, Op};
#[cfg(feature = "portable")]
pub use portable::PortableProvider;
pub use provider::{CipherSuite, CryptoError, HpkeInfo, Provider, Seed, SignedItem};
pub use real::RealProvider;
pub use types::{
    Digest, HpkeCiphertext, HpkeKeyPair, HpkePrivateKey, HpkePublicKey, MAX_DIGEST, Secret,
    Signature, SignatureKeyPair, SignaturePrivateKey, SignaturePublicKey,
};
