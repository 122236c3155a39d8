//! Key packages: what a client publishes so that it can be added while offline (RFC 9420 §10).

use tls_codec::{Size, TlsDeserializeBytes, TlsSerialize, TlsSize};

use super::leaf_node::{
    Capabilities, Credential, Extension, LeafNode, LeafNodeError, LeafNodeSource, Lifetime,
    ProtocolVersion,
};
use crate::codec::{CodecError, encode};
use crate::crypto::{
    CipherSuite, Crypto, Digest, HpkeKeyPair, HpkePublicKey, Labelled, Secret, Seed, Signature,
    SignatureKeyPair,
};
use crate::tree::LeafIndex;

/// `KeyPackage`.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct KeyPackage {
    /// The protocol version.
    pub version: ProtocolVersion,
    /// The suite it is for.
    pub cipher_suite: CipherSuite,
    /// The key that a Welcome is encrypted to.
    pub init_key: HpkePublicKey,
    /// The leaf that will stand in the tree.
    pub leaf_node: LeafNode,
    /// Extensions of the package.
    pub extensions: Vec<Extension>,
    /// `SignWithLabel(., "KeyPackageTBS", KeyPackageTBS)`.
    pub signature: Signature,
}

/// The private halves of a key package, kept by its owner until it joins.
#[derive(Clone, Debug)]
pub struct KeyPackageSecrets {
    /// Opens the Welcome; erased after joining.
    pub init: HpkeKeyPair,
    /// The leaf's key.
    pub encryption: HpkeKeyPair,
}

/// What a client says of itself in a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Who it is.
    pub credential: Credential,
    /// What it supports.
    pub capabilities: Capabilities,
    /// When the package may be used.
    pub lifetime: Lifetime,
    /// Extensions of its leaf, which its capabilities must list.
    pub leaf_extensions: Vec<Extension>,
    /// Extensions of the package.
    pub package_extensions: Vec<Extension>,
}

impl Profile {
    /// What the client that makes a package must keep to and others need not look at.
    fn check(&self) -> Result<(), LeafNodeError> {
        self.capabilities.check_listed()?;
        let mut kinds = self.package_extensions.iter().map(|extension| extension.extension_type);
        let unlisted = kinds.find(|kind| !self.capabilities.supports_extension(*kind));
        unlisted.map_or(Ok(()), |kind| Err(LeafNodeError::PackageExtension(kind)))
    }
}

impl KeyPackage {
    const LABEL: &'static str = "KeyPackageTBS";

    /// Makes and signs a package of a client that supports MLS 1.0, this suite and basic
    /// credentials; its keys derive from `seed`.
    pub fn generate(
        crypto: &Crypto<'_>,
        signer: &SignatureKeyPair,
        credential: Credential,
        lifetime: Lifetime,
        seed: Seed,
    ) -> Result<(Self, KeyPackageSecrets), LeafNodeError> {
        let capabilities = Capabilities::basic(crypto.cipher_suite());
        let profile = Profile {
            credential,
            capabilities,
            lifetime,
            leaf_extensions: vec![],
            package_extensions: vec![],
        };
        Self::of_profile(crypto, signer, profile, seed)
    }

    /// Makes and signs a package of a client as described; its keys derive from `seed`.
    pub fn of_profile(
        crypto: &Crypto<'_>,
        signer: &SignatureKeyPair,
        profile: Profile,
        seed: Seed,
    ) -> Result<(Self, KeyPackageSecrets), LeafNodeError> {
        profile.check()?;
        let seed = Secret::from(seed.as_slice());
        let secrets = KeyPackageSecrets {
            init: crypto.derive_key_pair(&crypto.derive_secret(&seed, "init"))?,
            encryption: crypto.derive_key_pair(&crypto.derive_secret(&seed, "leaf"))?,
        };
        let mut leaf_node = LeafNode {
            encryption_key: secrets.encryption.public.clone(),
            signature_key: signer.public.clone(),
            credential: profile.credential,
            capabilities: profile.capabilities,
            leaf_node_source: LeafNodeSource::KeyPackage(profile.lifetime),
            extensions: profile.leaf_extensions,
            signature: vec![].into(),
        };
        leaf_node.sign(crypto, &signer.private, &[], LeafIndex(0))?;
        let mut package = Self {
            version: ProtocolVersion::MLS10,
            cipher_suite: crypto.cipher_suite(),
            init_key: secrets.init.public.clone(),
            leaf_node,
            extensions: profile.package_extensions,
            signature: vec![].into(),
        };
        package.signature =
            crypto.sign_with_label(&signer.private, Self::LABEL, &package.tbs()?)?;
        Ok((package, secrets))
    }

    /// `KeyPackageTBS`: every field but the signature.
    fn tbs(&self) -> Result<Vec<u8>, CodecError> {
        let mut tbs = encode(self)?;
        tbs.truncate(tbs.len() - self.signature.tls_serialized_len());
        Ok(tbs)
    }

    /// The package's own signature (not its leaf's), to be verified with others.
    pub fn signed(&self) -> Result<Labelled<'_>, CodecError> {
        Ok(Labelled {
            key: &self.leaf_node.signature_key,
            label: Self::LABEL,
            content: self.tbs()?,
            signature: &self.signature,
        })
    }

    /// `MakeKeyPackageRef` (RFC 9420 §5.2).
    pub fn reference(&self, crypto: &Crypto<'_>) -> Result<Digest, CodecError> {
        Ok(crypto.ref_hash("MLS 1.0 KeyPackage Reference", &encode(self)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::RealProvider;
    use crate::treesync::{ExtensionType, ProposalType};

    fn made(change: impl FnOnce(&mut Profile)) -> Result<(), LeafNodeError> {
        let crypto = Crypto::new(&RealProvider);
        let signer = crypto.provider().signature_key_pair(&[1; 32]);
        let mut profile = Profile {
            credential: Credential::Basic(vec![].into()),
            capabilities: Capabilities::basic(crypto.cipher_suite()),
            lifetime: Lifetime { not_before: 0, not_after: 1 },
            leaf_extensions: vec![],
            package_extensions: vec![],
        };
        change(&mut profile);
        KeyPackage::of_profile(&crypto, &signer, profile, [2; 32]).map(|_| ())
    }

    #[test]
    fn no_default_type_is_listed() {
        assert_eq!(made(|_| ()), Ok(()));
        for kind in 1..=5 {
            let kind = ExtensionType(kind);
            let refused = made(|profile| profile.capabilities.extensions.push(kind));
            assert_eq!(refused, Err(LeafNodeError::DefaultExtension(kind)));
        }
        for kind in 1..=7 {
            let kind = ProposalType(kind);
            let refused = made(|profile| profile.capabilities.proposals.push(kind));
            assert_eq!(refused, Err(LeafNodeError::DefaultProposal(kind)));
        }
    }

    #[test]
    fn an_extension_of_a_package_is_listed() {
        let kind = ExtensionType(0xff01);
        let extension = || Extension { extension_type: kind, extension_data: vec![].into() };
        let refused = made(|profile| profile.package_extensions.push(extension()));
        assert_eq!(refused, Err(LeafNodeError::PackageExtension(kind)));
        let listed = made(|profile| {
            profile.package_extensions.push(extension());
            profile.capabilities.extensions.push(kind);
        });
        assert_eq!(listed, Ok(()));
    }
}
