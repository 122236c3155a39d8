//! Proposals and how a commit lists them (RFC 9420 §12.1, §12.4; PSK identifiers of §8.4).
//! All default types have their encodings here; which of them a group can apply, the group
//! says.

use tls_codec::{TlsDeserializeBytes, TlsSerialize, TlsSize, VLBytes};

use super::key_package::KeyPackage;
use super::leaf_node::{Extension, LeafNode, ProtocolVersion};
use crate::crypto::{CipherSuite, Digest};
use crate::tree::LeafIndex;

/// `Proposal`, with its type as discriminant.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
#[repr(u16)]
pub enum Proposal {
    /// Add the client of a key package.
    #[tls_codec(discriminant = 1)]
    Add(KeyPackage),
    /// Replace the sender's leaf.
    #[tls_codec(discriminant = 2)]
    Update(LeafNode),
    /// Remove a leaf.
    #[tls_codec(discriminant = 3)]
    Remove(LeafIndex),
    /// Inject a pre-shared key.
    #[tls_codec(discriminant = 4)]
    PreSharedKey(PreSharedKeyId),
    /// Start again with other parameters.
    #[tls_codec(discriminant = 5)]
    ReInit(ReInit),
    /// The KEM output of an external commit.
    #[tls_codec(discriminant = 6)]
    ExternalInit(VLBytes),
    /// Replace the extensions of the group context.
    #[tls_codec(discriminant = 7)]
    GroupContextExtensions(Vec<Extension>),
}

impl Proposal {
    /// The name of its type.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Add(_) => "add",
            Self::Update(_) => "update",
            Self::Remove(_) => "remove",
            Self::PreSharedKey(_) => "psk",
            Self::ReInit(_) => "reinit",
            Self::ExternalInit(_) => "external_init",
            Self::GroupContextExtensions(_) => "group_context_extensions",
        }
    }

    /// Whether a commit that covers it must carry a path (RFC 9420 §17.4).
    pub fn requires_path(&self) -> bool {
        !matches!(self, Self::Add(_) | Self::PreSharedKey(_) | Self::ReInit(_))
    }
}

/// `ReInit`.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct ReInit {
    /// The new group's identifier.
    pub group_id: VLBytes,
    /// Its version.
    pub version: ProtocolVersion,
    /// Its suite.
    pub cipher_suite: CipherSuite,
    /// Its extensions.
    pub extensions: Vec<Extension>,
}

/// `ProposalOrRef`.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
#[repr(u8)]
#[allow(clippy::large_enum_variant, reason = "a long list of proposals is a list of Adds")]
pub enum ProposalOrRef {
    /// The proposal itself.
    #[tls_codec(discriminant = 1)]
    Proposal(Proposal),
    /// The reference of one sent before.
    #[tls_codec(discriminant = 2)]
    Reference(Digest),
}

/// `ResumptionPSKUsage`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
#[repr(u8)]
pub enum ResumptionPskUsage {
    /// Chosen by the application.
    Application = 1,
    /// Ties a new group to the one it replaces.
    Reinit = 2,
    /// Ties a subgroup to its parent.
    Branch = 3,
}

/// The part of `PreSharedKeyID` that depends on its type.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
#[repr(u8)]
pub enum PskType {
    /// Provided by the application.
    #[tls_codec(discriminant = 1)]
    External(VLBytes),
    /// Taken from an earlier epoch of some group.
    #[tls_codec(discriminant = 2)]
    Resumption(ResumptionPskUsage, VLBytes, u64),
}

/// `PreSharedKeyID`.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct PreSharedKeyId {
    /// Which key.
    pub psk_type: PskType,
    /// Fresh for each use.
    pub psk_nonce: VLBytes,
}
