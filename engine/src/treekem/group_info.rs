//! The group context (RFC 9420 §8.1) and the group info that shows it to a joiner (§12.4.3).

use tls_codec::{Serialize, TlsDeserializeBytes, TlsSerialize, TlsSize, VLBytes};

use crate::codec::{CodecError, decode, encode};
use crate::crypto::{
    CipherSuite, Crypto, CryptoError, Digest, Signature, SignaturePrivateKey, SignaturePublicKey,
};
use crate::strategy::Strategy;
use crate::tree::LeafIndex;
use crate::treesync::{
    Extension, ExtensionType, LeafNodeError, LeafRules, ProposalType, ProtocolVersion,
    RequiredCapabilities,
};

/// `GroupContext`.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct GroupContext {
    /// The protocol version.
    pub version: ProtocolVersion,
    /// The suite.
    pub cipher_suite: CipherSuite,
    /// The group.
    pub group_id: VLBytes,
    /// The epoch.
    pub epoch: u64,
    /// The tree hash of the ratchet tree.
    pub tree_hash: Digest,
    /// The transcript up to the commit that began the epoch.
    pub confirmed_transcript_hash: Digest,
    /// What else the group has agreed on.
    pub extensions: Vec<Extension>,
}

impl GroupContext {
    /// The encoding, the context of signatures and of the key schedule.
    pub fn encoded(&self) -> Vec<u8> {
        self.tls_serialize_detached().expect("a group context is shorter than 2^30 bytes")
    }

    /// The data of an extension, if it is there.
    pub fn extension(&self, wanted: ExtensionType) -> Option<&[u8]> {
        find_extension(&self.extensions, wanted)
    }

    /// What the group's extensions demand of a leaf.
    pub fn leaf_rules(&self) -> Result<LeafRules, CodecError> {
        let required = self.extension(ExtensionType::REQUIRED_CAPABILITIES);
        let required = required.map(|data| decode("required capabilities", data)).transpose()?;
        let mut required: RequiredCapabilities = required.unwrap_or_default();
        // Whoever follows a commit must know what it covers (RFC 9420 §12.2).
        if Strategy::of_extensions(&self.extensions)?.concurrent {
            required.proposal_types.push(ProposalType::PATH);
        }
        let group_extensions = self.extensions.iter().map(|ext| ext.extension_type).collect();
        Ok(LeafRules { required, group_extensions })
    }
}

/// `GroupInfo`.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct GroupInfo {
    /// The group's state.
    pub group_context: GroupContext,
    /// For joiners, for example the ratchet tree.
    pub extensions: Vec<Extension>,
    /// Of the commit that began the epoch.
    pub confirmation_tag: Digest,
    /// Who signs.
    pub signer: LeafIndex,
    /// `SignWithLabel(., "GroupInfoTBS", GroupInfoTBS)`.
    pub signature: Signature,
}

impl GroupInfo {
    const LABEL: &'static str = "GroupInfoTBS";

    fn tbs(&self) -> Result<Vec<u8>, CodecError> {
        use tls_codec::Size;
        let mut tbs = encode(self)?;
        tbs.truncate(tbs.len() - self.signature.tls_serialized_len());
        Ok(tbs)
    }

    /// Signs it.
    pub fn sign(
        &mut self,
        crypto: &Crypto<'_>,
        key: &SignaturePrivateKey,
    ) -> Result<(), LeafNodeError> {
        self.signature = crypto.sign_with_label(key, Self::LABEL, &self.tbs()?)?;
        Ok(())
    }

    /// Verifies it under the signer's key.
    pub fn verify(
        &self,
        crypto: &Crypto<'_>,
        key: &SignaturePublicKey,
    ) -> Result<(), LeafNodeError> {
        crypto
            .verify_with_label(key, Self::LABEL, &self.tbs()?, &self.signature)
            .map_err(|error: CryptoError| LeafNodeError::Crypto(error))
    }

    /// The data of an extension, if it is there.
    pub fn extension(&self, wanted: ExtensionType) -> Option<&[u8]> {
        find_extension(&self.extensions, wanted)
    }
}

fn find_extension(extensions: &[Extension], wanted: ExtensionType) -> Option<&[u8]> {
    let found = extensions.iter().find(|extension| extension.extension_type == wanted);
    found.map(|extension| extension.extension_data.as_slice())
}
