//! Clients before they are in a group: a key package with its private half, made for one
//! identity; and somebody outside all groups who signs proposals.

#![allow(clippy::disallowed_types, reason = "key packages are valid in the real time")]

use std::time::{SystemTime, UNIX_EPOCH};

use arboretum_engine::crypto::{CipherSuite, Crypto, Provider, Seed, SignatureKeyPair};
use arboretum_engine::group::{Joining, Settings};
use arboretum_engine::treekem::PskStore;
use arboretum_engine::treesync::{
    Capabilities, Credential, KeyPackage, KeyPackageSecrets, Lifetime, Profile, RatchetTree,
};
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;

use crate::limits::{PAST_EPOCHS, RESUMPTION_EPOCHS};
use crate::refusal::{Refusal, at};

/// Key packages are valid from an hour ago, for clocks that disagree, and for four weeks.
const HOUR: u64 = 3_600;
const VALID: u64 = 28 * 24 * HOUR;

/// The second since the Unix epoch.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A client with a key package, whose private half it keeps.
#[derive(Clone)]
pub(super) struct Card {
    pub(super) provider: &'static dyn Provider,
    pub(super) identity: Vec<u8>,
    pub(super) signer: SignatureKeyPair,
    pub(super) package: KeyPackage,
    pub(super) secrets: KeyPackageSecrets,
    /// Keys for the state that it will become.
    pub(super) psks: PskStore,
    /// How many there are.
    pub(super) psk_count: usize,
}

/// What is decided about a state.
pub(super) fn settings(private_handshakes: bool, tree_in_welcome: bool) -> Settings {
    Settings {
        private_handshakes,
        tree_in_welcome,
        past_epochs: PAST_EPOCHS,
        resumption_epochs: RESUMPTION_EPOCHS,
        ..Settings::default()
    }
}

pub(super) fn basic(identity: &[u8]) -> Credential {
    Credential::Basic(identity.to_vec().into())
}

pub(super) fn signature_keys(provider: &dyn Provider, rng: &mut ChaCha20Rng) -> SignatureKeyPair {
    let mut seed = Seed::default();
    rng.fill_bytes(&mut seed);
    provider.signature_key_pair(&seed)
}

impl Card {
    /// A new key package, with reserved code points in its capabilities (RFC 9420 §13.5), which
    /// everybody must ignore.
    pub(super) fn new(
        provider: &'static dyn Provider,
        identity: &[u8],
        rng: &mut ChaCha20Rng,
    ) -> Result<Self, Refusal> {
        let crypto = Crypto::new(provider);
        let signer = signature_keys(provider, rng);
        let mut seed = Seed::default();
        rng.fill_bytes(&mut seed);
        let not_before = now().saturating_sub(HOUR);
        let capabilities = Capabilities {
            cipher_suites: CipherSuite::ALL.to_vec(),
            ..Capabilities::basic(provider.cipher_suite())
        };
        let profile = Profile {
            credential: basic(identity),
            capabilities: capabilities.with_grease(rng),
            lifetime: Lifetime { not_before, not_after: not_before + VALID },
            leaf_extensions: vec![],
            package_extensions: vec![],
        };
        let made = KeyPackage::of_profile(&crypto, &signer, profile, seed);
        let (package, secrets) = made.map_err(at("identity"))?;
        let identity = identity.to_vec();
        Ok(Self {
            provider,
            identity,
            signer,
            package,
            secrets,
            psks: PskStore::default(),
            psk_count: 0,
        })
    }

    /// What it brings into a group.
    pub(super) fn joining(&self, tree: Option<RatchetTree>, settings: Settings) -> Joining<'_> {
        Joining {
            tree,
            psks: self.psks.clone(),
            settings,
            ..Joining::new(self.signer.clone(), &self.package, &self.secrets)
        }
    }
}

/// Somebody outside all groups.
pub(super) struct Signer {
    pub(super) provider: &'static dyn Provider,
    pub(super) keys: SignatureKeyPair,
}
