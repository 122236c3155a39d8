//! Cipher suites: the provider trait and its implementations, the labelled operations of
//! RFC 9420 §5.1, and the ledger that counts them.

mod aead;
mod aws_lc;
mod counting;
mod ecdsa;
mod goldilocks;
mod hash;
mod hpke;
mod kem;
mod labelled;
mod ledger;
#[cfg(feature = "portable")]
mod portable;
mod provider;
mod shamir;
mod signature;
mod suites;
mod types;
mod xwing;

pub use counting::CountingProvider;
pub use labelled::{Crypto, Labelled, Sealed};
pub use ledger::{Ledger, Op};
#[cfg(feature = "portable")]
pub use portable::PortableProvider;
pub use provider::{CipherSuite, CryptoError, HpkeInfo, Provider, Seed, SignedItem};
pub use shamir::{ShareError, combine, share};
pub use suites::{RealProvider, provider};
pub use types::{
    Digest, HpkeCiphertext, HpkeKeyPair, HpkePrivateKey, HpkePublicKey, MAX_DIGEST, Secret,
    Signature, SignatureKeyPair, SignaturePrivateKey, SignaturePublicKey,
};
