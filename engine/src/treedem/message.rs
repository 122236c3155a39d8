//! `MLSMessage` (RFC 9420 §6): everything that travels.

use tls_codec::{DeserializeBytes, Error, Serialize, Size};

use super::content::WireFormat;
use super::private_message::PrivateMessage;
use super::public_message::PublicMessage;
use crate::treekem::{GroupInfo, Welcome};
use crate::treesync::{KeyPackage, ProtocolVersion};

/// `MLSMessage`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "messages are handled one at a time")]
pub enum MlsMessage {
    /// A public message.
    Public(PublicMessage),
    /// A private message.
    Private(PrivateMessage),
    /// A Welcome.
    Welcome(Welcome),
    /// A group info.
    GroupInfo(GroupInfo),
    /// A key package.
    KeyPackage(KeyPackage),
}

/// Does something with what is inside a message, whatever it is.
macro_rules! inside {
    ($message:expr, $body:ident => $result:expr) => {
        match $message {
            MlsMessage::Public($body) => $result,
            MlsMessage::Private($body) => $result,
            MlsMessage::Welcome($body) => $result,
            MlsMessage::GroupInfo($body) => $result,
            MlsMessage::KeyPackage($body) => $result,
        }
    };
}

impl MlsMessage {
    /// Its wire format.
    pub fn wire_format(&self) -> WireFormat {
        match self {
            Self::Public(_) => WireFormat::PUBLIC_MESSAGE,
            Self::Private(_) => WireFormat::PRIVATE_MESSAGE,
            Self::Welcome(_) => WireFormat::WELCOME,
            Self::GroupInfo(_) => WireFormat::GROUP_INFO,
            Self::KeyPackage(_) => WireFormat::KEY_PACKAGE,
        }
    }
}

impl Size for MlsMessage {
    fn tls_serialized_len(&self) -> usize {
        4 + inside!(self, body => body.tls_serialized_len())
    }
}

impl Serialize for MlsMessage {
    fn tls_serialize<W: std::io::Write>(&self, writer: &mut W) -> Result<usize, Error> {
        let header = ProtocolVersion::MLS10.tls_serialize(writer)?
            + self.wire_format().tls_serialize(writer)?;
        Ok(header + inside!(self, body => body.tls_serialize(writer))?)
    }
}

/// Decodes a body and puts it into its message.
fn body<T: DeserializeBytes>(
    bytes: &[u8],
    message: fn(T) -> MlsMessage,
) -> Result<(MlsMessage, &[u8]), Error> {
    let (body, rest) = T::tls_deserialize_bytes(bytes)?;
    Ok((message(body), rest))
}

impl DeserializeBytes for MlsMessage {
    fn tls_deserialize_bytes(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        let (version, rest) = ProtocolVersion::tls_deserialize_bytes(bytes)?;
        let (wire_format, rest) = WireFormat::tls_deserialize_bytes(rest)?;
        if version != ProtocolVersion::MLS10 {
            return Err(Error::DecodingError("the protocol version is not MLS 1.0".into()));
        }
        match wire_format {
            WireFormat::PUBLIC_MESSAGE => body(rest, Self::Public),
            WireFormat::PRIVATE_MESSAGE => body(rest, Self::Private),
            WireFormat::WELCOME => body(rest, Self::Welcome),
            WireFormat::GROUP_INFO => body(rest, Self::GroupInfo),
            WireFormat::KEY_PACKAGE => {
                let (package, rest) = KeyPackage::tls_deserialize_bytes(rest)?;
                if package.version != version {
                    let what = "the version of the key package is not that of its message";
                    return Err(Error::DecodingError(what.into()));
                }
                Ok((Self::KeyPackage(package), rest))
            }
            WireFormat(other) => {
                Err(Error::DecodingError(format!("wire format {other} is unknown")))
            }
        }
    }
}
