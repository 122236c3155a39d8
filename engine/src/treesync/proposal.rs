//! Proposals and how a commit lists them (RFC 9420 §12.1, §12.4; PSK identifiers of §8.4).
//! All default types have their encodings here, and so has a type of our own; [`super::apply`] says what
//! they do.

use std::fmt;

use tls_codec::{
    DeserializeBytes, Error, Serialize, Size, TlsDeserializeBytes, TlsSerialize, TlsSize, VLBytes,
};

use super::key_package::KeyPackage;
use super::leaf_node::{Extension, LeafNode, ProposalType, ProtocolVersion};
use super::paths::ProposedPath;
use super::quarantine::Quarantine;
use crate::crypto::{CipherSuite, Digest};
use crate::tree::LeafIndex;

/// `Proposal`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proposal {
    /// Add the client of a key package.
    Add(KeyPackage),
    /// Replace the sender's leaf.
    Update(LeafNode),
    /// Remove a leaf.
    Remove(LeafIndex),
    /// Inject a pre-shared key.
    PreSharedKey(PreSharedKeyId),
    /// Start again with other parameters.
    ReInit(ReInit),
    /// The KEM output of an external commit.
    ExternalInit(VLBytes),
    /// Replace the extensions of the group context.
    GroupContextExtensions(Vec<Extension>),
    /// Replace the sender's leaf and the keys above it: no proposal of RFC 9420.
    Path(ProposedPath),
    /// Make a silent member's keys for it: ours (`treesync/quarantine.rs`).
    Quarantine(Box<Quarantine>),
    /// Something that the application gives a meaning. Nothing in RFC 9420 says where a
    /// proposal of another type ends: it is read as one vector, as other implementations do.
    Custom(ProposalType, VLBytes),
}

/// Does something with what is inside a proposal, whatever it is.
macro_rules! inside {
    ($proposal:expr, $body:ident => $result:expr) => {
        match $proposal {
            Proposal::Add($body) => $result,
            Proposal::Update($body) => $result,
            Proposal::Remove($body) => $result,
            Proposal::PreSharedKey($body) => $result,
            Proposal::ReInit($body) => $result,
            Proposal::ExternalInit($body) => $result,
            Proposal::GroupContextExtensions($body) => $result,
            Proposal::Path($body) => $result,
            Proposal::Quarantine($body) => $result,
            Proposal::Custom(_, $body) => $result,
        }
    };
}

impl Proposal {
    /// Its type.
    pub fn proposal_type(&self) -> ProposalType {
        match self {
            Self::Add(_) => ProposalType::ADD,
            Self::Update(_) => ProposalType::UPDATE,
            Self::Remove(_) => ProposalType::REMOVE,
            Self::PreSharedKey(_) => ProposalType::PSK,
            Self::ReInit(_) => ProposalType::REINIT,
            Self::ExternalInit(_) => ProposalType::EXTERNAL_INIT,
            Self::GroupContextExtensions(_) => ProposalType::GROUP_CONTEXT_EXTENSIONS,
            Self::Path(_) => ProposalType::PATH,
            Self::Quarantine(_) => ProposalType::QUARANTINE,
            Self::Custom(kind, _) => *kind,
        }
    }

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
            Self::Path(_) => "path",
            Self::Quarantine(_) => "quarantine",
            Self::Custom(..) => "custom",
        }
    }

    /// Whether a commit that covers it must carry a path (RFC 9420 §17.4). Of a type that is
    /// unknown here nothing is known, and a path does no harm.
    pub fn requires_path(&self) -> bool {
        !matches!(self, Self::Add(_) | Self::PreSharedKey(_) | Self::ReInit(_))
    }

    /// Whether an external sender may send it (RFC 9420 §12.1.8).
    pub fn is_allowed_externally(&self) -> bool {
        !matches!(
            self,
            Self::Update(_)
                | Self::Path(_)
                | Self::ExternalInit(_)
                | Self::Quarantine(_)
                | Self::Custom(..)
        )
    }
}

impl Size for Proposal {
    fn tls_serialized_len(&self) -> usize {
        2 + inside!(self, body => body.tls_serialized_len())
    }
}

impl Serialize for Proposal {
    fn tls_serialize<W: std::io::Write>(&self, writer: &mut W) -> Result<usize, Error> {
        let header = self.proposal_type().tls_serialize(writer)?;
        Ok(header + inside!(self, body => body.tls_serialize(writer))?)
    }
}

/// Decodes a body and puts it into its proposal.
fn body<T: DeserializeBytes>(
    bytes: &[u8],
    proposal: impl FnOnce(T) -> Proposal,
) -> Result<(Proposal, &[u8]), Error> {
    let (body, rest) = T::tls_deserialize_bytes(bytes)?;
    Ok((proposal(body), rest))
}

impl DeserializeBytes for Proposal {
    fn tls_deserialize_bytes(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        let (kind, rest) = ProposalType::tls_deserialize_bytes(bytes)?;
        match kind {
            ProposalType::ADD => body(rest, Self::Add),
            ProposalType::UPDATE => body(rest, Self::Update),
            ProposalType::REMOVE => body(rest, Self::Remove),
            ProposalType::PSK => body(rest, Self::PreSharedKey),
            ProposalType::REINIT => body(rest, Self::ReInit),
            ProposalType::EXTERNAL_INIT => body(rest, Self::ExternalInit),
            ProposalType::GROUP_CONTEXT_EXTENSIONS => body(rest, Self::GroupContextExtensions),
            ProposalType::PATH => body(rest, Self::Path),
            ProposalType::QUARANTINE => body(rest, Self::Quarantine),
            ProposalType(0) => Err(Error::UnknownValue(0)),
            other => body(rest, |data| Self::Custom(other, data)),
        }
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
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, TlsSize, TlsSerialize, TlsDeserializeBytes,
)]
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
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, TlsSize, TlsSerialize, TlsDeserializeBytes,
)]
#[repr(u8)]
pub enum PskType {
    /// Provided by the application.
    #[tls_codec(discriminant = 1)]
    External(VLBytes),
    /// Taken from an earlier epoch of some group.
    #[tls_codec(discriminant = 2)]
    Resumption(ResumptionPskUsage, VLBytes, u64),
}

impl PskType {
    /// Whether it ties a new group to an old one (RFC 9420 §11.2, §11.3).
    pub fn ties_groups(&self) -> bool {
        matches!(
            self,
            Self::Resumption(ResumptionPskUsage::Reinit | ResumptionPskUsage::Branch, ..)
        )
    }
}

impl fmt::Display for PskType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = |f: &mut fmt::Formatter<'_>, bytes: &VLBytes| {
            bytes.as_slice().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
        };
        match self {
            Self::External(id) => hex(f, id),
            Self::Resumption(_, group, epoch) => {
                write!(f, "of epoch {epoch} of group ")?;
                hex(f, group)
            }
        }
    }
}

/// `PreSharedKeyID`.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, TlsSize, TlsSerialize, TlsDeserializeBytes,
)]
pub struct PreSharedKeyId {
    /// Which key.
    pub psk_type: PskType,
    /// Fresh for each use.
    pub psk_nonce: VLBytes,
}
