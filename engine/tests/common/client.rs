//! A client with one key package.

use arboretum_engine::crypto::{Crypto, Seed, SignatureKeyPair};
use arboretum_engine::strategy::Strategy;
use arboretum_engine::treesync::{
    Capabilities, Credential, ExtensionType, KeyPackage, KeyPackageSecrets, Lifetime, Profile,
    ProposalType,
};
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
        Self::under(crypto, name, Strategy::default(), rng)
    }

    /// One that knows a strategy, if that needs an extension.
    pub(crate) fn under(
        crypto: &Crypto<'_>,
        name: u64,
        strategy: Strategy,
        rng: &mut dyn Rng,
    ) -> Self {
        let credential = Credential::Basic(name.to_be_bytes().to_vec().into());
        let mut capabilities = Capabilities::basic(crypto.cipher_suite());
        if strategy != Strategy::default() {
            capabilities.extensions.push(ExtensionType::STRATEGY);
        }
        if strategy.concurrent {
            capabilities.proposals.push(ProposalType::PATH);
        }
        Self::of(crypto, credential, capabilities, rng)
    }

    /// One that knows of ghosts.
    pub(crate) fn of_quarantine(
        crypto: &Crypto<'_>,
        name: u64,
        strategy: Strategy,
        rng: &mut dyn Rng,
    ) -> Self {
        let credential = Credential::Basic(name.to_be_bytes().to_vec().into());
        let mut capabilities = Capabilities::basic(crypto.cipher_suite());
        capabilities.proposals.push(ProposalType::QUARANTINE);
        if strategy != Strategy::default() {
            capabilities.extensions.push(ExtensionType::STRATEGY);
        }
        Self::of(crypto, credential, capabilities, rng)
    }

    pub(crate) fn with_credential(
        crypto: &Crypto<'_>,
        credential: Credential,
        rng: &mut dyn Rng,
    ) -> Self {
        Self::of(crypto, credential, Capabilities::basic(crypto.cipher_suite()), rng)
    }

    fn of(
        crypto: &Crypto<'_>,
        credential: Credential,
        capabilities: Capabilities,
        rng: &mut dyn Rng,
    ) -> Self {
        let signer = crypto.provider().signature_key_pair(&seed(rng));
        let profile = Profile {
            credential,
            capabilities,
            lifetime: Lifetime { not_before: 0, not_after: LAST_SECOND },
            leaf_extensions: vec![],
            package_extensions: vec![],
        };
        let (package, secrets) =
            KeyPackage::of_profile(crypto, &signer, profile, seed(rng)).unwrap();
        Self { signer, package, secrets }
    }
}
