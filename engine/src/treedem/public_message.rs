//! Public messages (RFC 9420 §6.2): signed content, and a tag that shows its sender to be a
//! member.

use tls_codec::{DeserializeBytes, Error, Serialize, Size};

use super::content::{
    AuthenticatedContent, Content, FramedContent, Sender, WireFormat, framed_content_tbs,
};
use crate::codec::{CodecError, encode};
use crate::crypto::{Crypto, Digest, Secret, Signature};

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

impl PublicMessage {
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
                let tbs = framed_content_tbs(wire_format, content.sender, &encoded, context);
                let tbm = authenticated_content_tbm(&tbs, &signature, confirmation_tag.as_ref())?;
                Some(crypto.mac(key, &tbm))
            }
            _ => None,
        };
        Ok(Self { content, signature, confirmation_tag, membership_tag })
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
