//! Public messages (RFC 9420 §6.2): signed content, and a tag that shows its sender to be a
//! member.

use tls_codec::{DeserializeBytes, Error, Serialize, Size};

use super::content::{
    AuthenticatedContent, Content, FramedContent, FramedContentTbs, Sender, WireFormat,
};
use crate::codec::{CodecError, encode};
use crate::crypto::{Crypto, Digest, Secret, Signature};
use crate::treesync::ProtocolVersion;

/// The membership tag: a MAC of `AuthenticatedContentTBM`, which is what was signed and what
/// authenticates it.
pub fn membership_tag(
    crypto: &Crypto<'_>,
    membership_key: &Secret,
    tbs: &FramedContentTbs,
    signature: &Signature,
    confirmation_tag: Option<&Digest>,
) -> Result<Digest, CodecError> {
    let signature = encode(signature)?;
    let tag = confirmation_tag.map(encode).transpose()?.unwrap_or_default();
    Ok(crypto.mac_parts(membership_key, &[tbs.as_slice(), &signature, &tag]))
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
        self.content.tls_serialized_len() + self.authentication_len()
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

impl PublicMessage {
    /// The length of what follows the content, encoded.
    fn authentication_len(&self) -> usize {
        let tag = |tag: &Option<Digest>| tag.as_ref().map_or(0, Size::tls_serialized_len);
        self.signature.tls_serialized_len()
            + tag(&self.confirmation_tag)
            + tag(&self.membership_tag)
    }

    /// Puts signed content into a public message; a member's is tagged with the epoch's
    /// membership key. `context` is the encoded group context.
    pub fn protect(
        crypto: &Crypto<'_>,
        content: AuthenticatedContent,
        membership_key: Option<&Secret>,
        context: &[u8],
    ) -> Result<Self, CodecError> {
        let AuthenticatedContent { content, signature, confirmation_tag, .. } = content;
        let membership_tag = match (content.sender, membership_key) {
            (Sender::Member(_), Some(key)) => {
                let wire_format = WireFormat::PUBLIC_MESSAGE;
                let encoded = encode(&content)?;
                let tbs = FramedContentTbs::new(wire_format, content.sender, &encoded, context);
                Some(membership_tag(crypto, key, &tbs, &signature, confirmation_tag.as_ref())?)
            }
            _ => None,
        };
        Ok(Self { content, signature, confirmation_tag, membership_tag })
    }

    /// Its framed content within `message`, the [`MlsMessage`](super::MlsMessage) it was decoded
    /// from: what was signed is what was sent, and large commits are not encoded again.
    pub fn content_in<'m>(&self, message: &'m [u8]) -> &'m [u8] {
        let start = ProtocolVersion::MLS10.tls_serialized_len()
            + WireFormat::PUBLIC_MESSAGE.tls_serialized_len();
        let end = message.len() - self.authentication_len();
        debug_assert_eq!(encode(&self.content).as_deref(), Ok(&message[start..end]));
        &message[start..end]
    }

    /// The content as it was signed, and the membership tag.
    pub fn into_content(self) -> (AuthenticatedContent, Option<Digest>) {
        let content = AuthenticatedContent {
            wire_format: WireFormat::PUBLIC_MESSAGE,
            content: self.content,
            signature: self.signature,
            confirmation_tag: self.confirmation_tag,
        };
        (content, self.membership_tag)
    }
}
