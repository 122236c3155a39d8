//! Transcript hashes (RFC 9420 §8.2).

use crate::codec::{CodecError, encode};
use crate::crypto::{Crypto, Digest, Signature};
use crate::treedem::WireFormat;

/// The confirmed transcript hash after a commit. `content` is the encoded framed content.
pub fn confirmed_transcript_hash(
    crypto: &Crypto<'_>,
    interim_before: &Digest,
    wire_format: WireFormat,
    content: &[u8],
    signature: &Signature,
) -> Result<Digest, CodecError> {
    let format = wire_format.0.to_be_bytes();
    let signature = encode(signature)?;
    Ok(crypto.hash_parts(&[interim_before.as_slice(), &format, content, &signature]))
}

/// The interim transcript hash after a commit.
pub fn interim_transcript_hash(
    crypto: &Crypto<'_>,
    confirmed: &Digest,
    confirmation_tag: &Digest,
) -> Result<Digest, CodecError> {
    let tag = encode(confirmation_tag)?;
    Ok(crypto.hash_parts(&[confirmed.as_slice(), &tag]))
}
