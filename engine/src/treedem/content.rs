//! Framed content, and what authenticates it (RFC 9420 §6, §6.1).

use std::ops::Range;

use tls_codec::{DeserializeBytes, Error, TlsDeserializeBytes, TlsSerialize, TlsSize, VLBytes};

use crate::codec::{CodecError, encode};
use crate::crypto::{
    Crypto, CryptoError, Digest, Signature, SignaturePrivateKey, SignaturePublicKey,
};
use crate::tree::LeafIndex;
use crate::treekem::UpdatePath;
use crate::treesync::{LeafNodeError, Proposal, ProposalOrRef, ProtocolVersion};

/// `WireFormat` (RFC 9420 §17.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct WireFormat(pub u16);

impl WireFormat {
    /// `mls_public_message`.
    pub const PUBLIC_MESSAGE: Self = Self(1);
    /// `mls_private_message`.
    pub const PRIVATE_MESSAGE: Self = Self(2);
    /// `mls_welcome`.
    pub const WELCOME: Self = Self(3);
    /// `mls_group_info`.
    pub const GROUP_INFO: Self = Self(4);
    /// `mls_key_package`.
    pub const KEY_PACKAGE: Self = Self(5);
}

/// `Sender`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
#[repr(u8)]
pub enum Sender {
    /// A member, by its leaf.
    #[tls_codec(discriminant = 1)]
    Member(LeafIndex),
    /// An external sender, by its place in the group's list.
    #[tls_codec(discriminant = 2)]
    External(u32),
    /// Somebody who proposes itself.
    #[tls_codec(discriminant = 3)]
    NewMemberProposal,
    /// Somebody who joins by an external commit.
    #[tls_codec(discriminant = 4)]
    NewMemberCommit,
}

/// `Commit` (RFC 9420 §12.4).
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct Commit {
    /// What it puts into effect.
    pub proposals: Vec<ProposalOrRef>,
    /// The committer's new path.
    pub path: Option<UpdatePath>,
}

/// `ContentType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
#[repr(u8)]
pub enum ContentType {
    /// Application data.
    Application = 1,
    /// A proposal.
    Proposal = 2,
    /// A commit.
    Commit = 3,
}

/// The content of a message, with its type as discriminant.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
#[repr(u8)]
pub enum Content {
    /// Application data.
    #[tls_codec(discriminant = 1)]
    Application(VLBytes),
    /// A proposal.
    #[tls_codec(discriminant = 2)]
    Proposal(Proposal),
    /// A commit.
    #[tls_codec(discriminant = 3)]
    Commit(Commit),
}

impl Content {
    /// Its type.
    pub fn content_type(&self) -> ContentType {
        match self {
            Self::Application(_) => ContentType::Application,
            Self::Proposal(_) => ContentType::Proposal,
            Self::Commit(_) => ContentType::Commit,
        }
    }

    /// The name of its type.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Application(_) => "application message",
            Self::Proposal(_) => "proposal",
            Self::Commit(_) => "commit",
        }
    }

    /// The encoding without the type.
    pub fn encoded_body(&self) -> Result<Vec<u8>, CodecError> {
        match self {
            Self::Application(data) => encode(data),
            Self::Proposal(proposal) => encode(proposal),
            Self::Commit(commit) => encode(commit),
        }
    }

    /// Decodes an encoding without the type; gives what follows it.
    pub fn decode_body(content_type: ContentType, bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        Ok(match content_type {
            ContentType::Application => {
                let (data, rest) = VLBytes::tls_deserialize_bytes(bytes)?;
                (Self::Application(data), rest)
            }
            ContentType::Proposal => {
                let (proposal, rest) = Proposal::tls_deserialize_bytes(bytes)?;
                (Self::Proposal(proposal), rest)
            }
            ContentType::Commit => {
                let (commit, rest) = Commit::tls_deserialize_bytes(bytes)?;
                (Self::Commit(commit), rest)
            }
        })
    }
}

/// `FramedContent`.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct FramedContent {
    /// The group.
    pub group_id: VLBytes,
    /// The epoch it is sent in.
    pub epoch: u64,
    /// Who sends it.
    pub sender: Sender,
    /// What the application authenticates along with it.
    pub authenticated_data: VLBytes,
    /// The content.
    pub content: Content,
}

/// `AuthenticatedContent`: content with what its sender has put to it, apart from how it is
/// protected on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticatedContent {
    /// How it is sent, which the signature covers.
    pub wire_format: WireFormat,
    /// The content.
    pub content: FramedContent,
    /// `SignWithLabel(., "FramedContentTBS", FramedContentTBS)`.
    pub signature: Signature,
    /// Present for commits.
    pub confirmation_tag: Option<Digest>,
}

const SIGNATURE_LABEL: &str = "FramedContentTBS";

impl AuthenticatedContent {
    /// Signs content. `context` is the encoded group context of the epoch it is sent in. A
    /// commit gets its confirmation tag later.
    pub fn sign(
        crypto: &Crypto<'_>,
        key: &SignaturePrivateKey,
        wire_format: WireFormat,
        content: FramedContent,
        context: &[u8],
    ) -> Result<Self, LeafNodeError> {
        let encoded = encode(&content)?;
        let tbs = FramedContentTbs::new(wire_format, content.sender, &encoded, context);
        let signature = crypto.sign_with_label(key, SIGNATURE_LABEL, tbs.as_slice())?;
        Ok(Self { wire_format, content, signature, confirmation_tag: None })
    }

    /// Verifies the signature. `content` is the encoded framed content, `context` the encoded
    /// group context of its epoch. Gives what was signed.
    pub fn verify(
        &self,
        crypto: &Crypto<'_>,
        key: &SignaturePublicKey,
        content: &[u8],
        context: &[u8],
    ) -> Result<FramedContentTbs, CryptoError> {
        let tbs = FramedContentTbs::new(self.wire_format, self.content.sender, content, context);
        crypto.verify_with_label(key, SIGNATURE_LABEL, tbs.as_slice(), &self.signature)?;
        Ok(tbs)
    }

    /// `MakeProposalRef` (RFC 9420 §5.2).
    pub fn reference(&self, crypto: &Crypto<'_>) -> Result<Digest, CodecError> {
        let mut encoded = self.wire_format.0.to_be_bytes().to_vec();
        encoded.extend(encode(&self.content)?);
        encoded.extend(encode(&self.signature)?);
        if let Some(tag) = &self.confirmation_tag {
            encoded.extend(encode(tag)?);
        }
        Ok(crypto.ref_hash("MLS 1.0 Proposal Reference", &encoded))
    }
}

/// `FramedContentTBS`, encoded once for all that covers it: the signature and the membership tag
/// cover the whole, the transcript hash the framed content within.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FramedContentTbs {
    encoded: Vec<u8>,
    /// Where the framed content stands.
    content: Range<usize>,
}

impl FramedContentTbs {
    /// `content` and `context` are encodings; senders outside the group do not sign the context.
    pub fn new(wire_format: WireFormat, sender: Sender, content: &[u8], context: &[u8]) -> Self {
        let version = ProtocolVersion::MLS10.0.to_be_bytes();
        let format = wire_format.0.to_be_bytes();
        let context = match sender {
            Sender::Member(_) | Sender::NewMemberCommit => context,
            Sender::External(_) | Sender::NewMemberProposal => &[],
        };
        let start = version.len() + format.len();
        let encoded = [&version, &format, content, context].concat();
        Self { encoded, content: start..start + content.len() }
    }

    /// The encoding.
    pub fn as_slice(&self) -> &[u8] {
        &self.encoded
    }

    /// The framed content, encoded.
    pub fn content(&self) -> &[u8] {
        &self.encoded[self.content.clone()]
    }
}
