//! Framing (RFC 9420 §6, §6.1, §6.2): framed content, what is signed, what is tagged, and the
//! messages that carry it.

use tls_codec::{
    DeserializeBytes, Error, Serialize, Size, TlsDeserializeBytes, TlsSerialize, TlsSize, VLBytes,
};

use crate::codec::{CodecError, encode};
use crate::crypto::{Digest, Signature};
use crate::tree::LeafIndex;
use crate::treekem::{UpdatePath, Welcome};
use crate::treesync::{KeyPackage, Proposal, ProposalOrRef, ProtocolVersion};

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

/// `FramedContentTBS` for a sender that signs with the group context: member, or new member
/// that commits. `content` and `context` are encodings.
pub fn framed_content_tbs(wire_format: WireFormat, content: &[u8], context: &[u8]) -> Vec<u8> {
    let version = ProtocolVersion::MLS10.0.to_be_bytes();
    [&version, &wire_format.0.to_be_bytes(), content, context].concat()
}

/// `AuthenticatedContentTBM`: what a membership tag covers.
pub fn authenticated_content_tbm(
    tbs: &[u8],
    signature: &Signature,
    confirmation_tag: Option<&Digest>,
) -> Result<Vec<u8>, CodecError> {
    let mut tbm = Vec::with_capacity(tbs.len() + 2 * 66);
    tbm.extend_from_slice(tbs);
    tbm.extend(encode(signature)?);
    if let Some(tag) = confirmation_tag {
        tbm.extend(encode(tag)?);
    }
    Ok(tbm)
}

/// `PublicMessage`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicMessage {
    /// The content.
    pub content: FramedContent,
    /// Its signature.
    pub signature: Signature,
    /// Present for commits.
    pub confirmation_tag: Option<Digest>,
    /// Present for members.
    pub membership_tag: Option<Digest>,
}

impl Size for PublicMessage {
    fn tls_serialized_len(&self) -> usize {
        let tag = |tag: &Option<Digest>| tag.as_ref().map_or(0, Size::tls_serialized_len);
        self.content.tls_serialized_len()
            + self.signature.tls_serialized_len()
            + tag(&self.confirmation_tag)
            + tag(&self.membership_tag)
    }
}

impl Serialize for PublicMessage {
    fn tls_serialize<W: std::io::Write>(&self, writer: &mut W) -> Result<usize, Error> {
        let mut written = self.content.tls_serialize(writer)?;
        written += self.signature.tls_serialize(writer)?;
        for tag in [&self.confirmation_tag, &self.membership_tag].into_iter().flatten() {
            written += tag.tls_serialize(writer)?;
        }
        Ok(written)
    }
}

impl DeserializeBytes for PublicMessage {
    fn tls_deserialize_bytes(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        fn tag(wanted: bool, rest: &[u8]) -> Result<(Option<Digest>, &[u8]), Error> {
            if !wanted {
                return Ok((None, rest));
            }
            let (tag, rest) = Digest::tls_deserialize_bytes(rest)?;
            Ok((Some(tag), rest))
        }
        let (content, rest) = FramedContent::tls_deserialize_bytes(bytes)?;
        let (signature, rest) = Signature::tls_deserialize_bytes(rest)?;
        let (confirmation_tag, rest) = tag(matches!(content.content, Content::Commit(_)), rest)?;
        let (membership_tag, rest) = tag(matches!(content.sender, Sender::Member(_)), rest)?;
        Ok((Self { content, signature, confirmation_tag, membership_tag }, rest))
    }
}

/// `MLSMessage`, of the wire formats that this engine speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "messages are handled one at a time")]
pub enum MlsMessage {
    /// A public message.
    Public(PublicMessage),
    /// A Welcome.
    Welcome(Welcome),
    /// A key package.
    KeyPackage(KeyPackage),
}

impl MlsMessage {
    fn wire_format(&self) -> WireFormat {
        match self {
            Self::Public(_) => WireFormat::PUBLIC_MESSAGE,
            Self::Welcome(_) => WireFormat::WELCOME,
            Self::KeyPackage(_) => WireFormat::KEY_PACKAGE,
        }
    }
}

impl Size for MlsMessage {
    fn tls_serialized_len(&self) -> usize {
        4 + match self {
            Self::Public(message) => message.tls_serialized_len(),
            Self::Welcome(welcome) => welcome.tls_serialized_len(),
            Self::KeyPackage(package) => package.tls_serialized_len(),
        }
    }
}

impl Serialize for MlsMessage {
    fn tls_serialize<W: std::io::Write>(&self, writer: &mut W) -> Result<usize, Error> {
        let header = ProtocolVersion::MLS10.tls_serialize(writer)?
            + self.wire_format().tls_serialize(writer)?;
        let body = match self {
            Self::Public(message) => message.tls_serialize(writer)?,
            Self::Welcome(welcome) => welcome.tls_serialize(writer)?,
            Self::KeyPackage(package) => package.tls_serialize(writer)?,
        };
        Ok(header + body)
    }
}

impl DeserializeBytes for MlsMessage {
    fn tls_deserialize_bytes(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        let (version, rest) = ProtocolVersion::tls_deserialize_bytes(bytes)?;
        let (wire_format, rest) = WireFormat::tls_deserialize_bytes(rest)?;
        if version != ProtocolVersion::MLS10 {
            return Err(Error::DecodingError("the protocol version is not MLS 1.0".into()));
        }
        match wire_format {
            WireFormat::PUBLIC_MESSAGE => {
                let (message, rest) = PublicMessage::tls_deserialize_bytes(rest)?;
                Ok((Self::Public(message), rest))
            }
            WireFormat::WELCOME => {
                let (welcome, rest) = Welcome::tls_deserialize_bytes(rest)?;
                Ok((Self::Welcome(welcome), rest))
            }
            WireFormat::KEY_PACKAGE => {
                let (package, rest) = KeyPackage::tls_deserialize_bytes(rest)?;
                Ok((Self::KeyPackage(package), rest))
            }
            WireFormat(other) => Err(Error::DecodingError(format!(
                "wire format {other} is not spoken by this version"
            ))),
        }
    }
}
