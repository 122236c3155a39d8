//! A client with one key package.

use arboretum_engine::crypto::{Crypto, Seed, SignatureKeyPair};
use arboretum_engine::treesync::{Credential, KeyPackage, KeyPackageSecrets, Lifetime};
use rand_core::Rng;

/// Key packages hold from the first second to this one.
pub(crate) const LAST_SECOND: u64 = 1_000;

/// A client that can be added.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) signer: SignatureKeyPair,
    pub(crate) package: KeyPackage,
    pub(crate) secrets: KeyPackageSecrets,
}

/// 32 bytes.
pub(crate) fn seed(rng: &mut dyn Rng) -> Seed {
    let mut seed = Seed::default();
    rng.fill_bytes(&mut seed);
    seed
}

impl Client {
    pub(crate) fn new(crypto: &Crypto<'_>, name: u64, rng: &mut dyn Rng) -> Self {
        let credential = Credential::Basic(name.to_be_bytes().to_vec().into());
        Self::with_credential(crypto, credential, rng)
    }

    pub(crate) fn with_credential(
        crypto: &Crypto<'_>,
        credential: Credential,
        rng: &mut dyn Rng,
    ) -> Self {
        let signer = crypto.provider().signature_key_pair(&seed(rng));
        let lifetime = Lifetime { not_before: 0, not_after: LAST_SECOND };
        let (package, secrets) =
            KeyPackage::generate(crypto, &signer, credential, lifetime, seed(rng)).unwrap();
        Self { signer, package, secrets }
    }
}
