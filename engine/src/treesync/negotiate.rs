//! What clients agree on before a group exists (RFC 9420 §11), and the values that keep them
//! honest about what they do not know (GREASE, §13.5).

use rand_core::Rng;

use super::key_package::KeyPackage;
use super::leaf_node::{
    Capabilities, CredentialType, ExtensionType, ProposalType, ProtocolVersion,
};
use crate::crypto::CipherSuite;

/// The cipher suite for a group of these clients: the first of `preferences` that all of them
/// support with MLS 1.0. The creator takes it from the capabilities that the packages sign, so
/// that nobody in between can talk the group into a worse one.
pub fn negotiate(packages: &[&KeyPackage], preferences: &[CipherSuite]) -> Option<CipherSuite> {
    let capabilities = || packages.iter().map(|package| &package.leaf_node.capabilities);
    if !capabilities().all(|client| client.versions.contains(&ProtocolVersion::MLS10)) {
        return None;
    }
    let by_all = |suite: &CipherSuite| capabilities().all(|c| c.cipher_suites.contains(suite));
    preferences.iter().copied().find(by_all)
}

/// How many code points are reserved in each registry: `0x0A0A`, `0x1A1A`, up to `0xEAEA`.
const GREASE_VALUES: u16 = 15;

/// One of the reserved code points.
pub fn grease(rng: &mut dyn Rng) -> u16 {
    let which = (rng.next_u32() % u32::from(GREASE_VALUES)) as u16;
    which * 0x1010 + 0x0a0a
}

impl Capabilities {
    /// Puts a reserved code point into each list that may have one.
    pub fn with_grease(mut self, rng: &mut dyn Rng) -> Self {
        self.cipher_suites.push(CipherSuite(grease(rng)));
        self.extensions.push(ExtensionType(grease(rng)));
        self.proposals.push(ProposalType(grease(rng)));
        self.credentials.push(CredentialType(grease(rng)));
        self
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::crypto::{Crypto, RealProvider};
    use crate::treesync::{Credential, Lifetime};

    fn package(suites: &[u16]) -> KeyPackage {
        let crypto = Crypto::new(&RealProvider);
        let signer = crypto.provider().signature_key_pair(&[1; 32]);
        let lifetime = Lifetime { not_before: 0, not_after: 1 };
        let credential = Credential::Basic(vec![].into());
        let generated = KeyPackage::generate(&crypto, &signer, credential, lifetime, [2; 32]);
        let mut package = generated.unwrap().0;
        package.leaf_node.capabilities.cipher_suites =
            suites.iter().copied().map(CipherSuite).collect();
        package
    }

    #[test]
    fn the_first_suite_that_all_support() {
        let (a, b, c) = (package(&[1, 2, 3]), package(&[3, 2, 0x0a0a]), package(&[1]));
        let preferences: Vec<_> = [1, 2, 3].map(CipherSuite).to_vec();
        assert_eq!(negotiate(&[&a, &b], &preferences), Some(CipherSuite(2)));
        assert_eq!(negotiate(&[&a, &c], &preferences), Some(CipherSuite(1)));
        assert_eq!(negotiate(&[&b, &c], &preferences), None);
        let mut old = package(&[1]);
        old.leaf_node.capabilities.versions = vec![ProtocolVersion(0x0a0a)];
        assert_eq!(negotiate(&[&a, &old], &preferences), None);
    }

    /// Reserved values stand in the four lists that may have them, and are nobody's choice.
    #[test]
    fn grease_stands_where_it_may() {
        let mut rng = ChaCha20Rng::from_seed([2; 32]);
        let plain = Capabilities::basic(CipherSuite(1));
        let greased = plain.clone().with_grease(&mut rng);
        assert_eq!((&greased.versions, greased.cipher_suites.len()), (&plain.versions, 2));
        assert_eq!((greased.extensions.len(), greased.proposals.len()), (1, 1));
        assert_eq!(greased.credentials.len(), 2);
        let mut clients = [package(&[1]), package(&[1])];
        clients.iter_mut().for_each(|client| client.leaf_node.capabilities = greased.clone());
        let [a, b] = &clients;
        assert_eq!(negotiate(&[a, b], &[CipherSuite(1)]), Some(CipherSuite(1)));
        assert_eq!(negotiate(&[a, b], &[CipherSuite(2)]), None);
    }

    #[test]
    fn grease_is_what_is_reserved() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let mut seen: Vec<_> = (0..1000).map(|_| grease(&mut rng)).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 15);
        assert_eq!((seen[0], seen[1], seen[14]), (0x0a0a, 0x1a1a, 0xeaea));
    }
}
