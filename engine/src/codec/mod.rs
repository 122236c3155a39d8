//! RFC 9420 encodings: `tls_codec` with two rules of ours at the door. A decoded value must
//! use up its bytes, and nothing longer than [`MAX_ENCODED`] is looked at.

use tls_codec::{DeserializeBytes, Serialize};

/// The longest object that is encoded or decoded, in bytes: what a variable-size vector can
/// carry (RFC 9420 §2.1.2).
pub const MAX_ENCODED: usize = (1 << 30) - 1;

/// Why bytes could not be decoded, or a value not encoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The bytes are not an encoding of this type.
    #[error("not an encoding of {what}: {reason}")]
    Malformed {
        /// The type that was expected.
        what: &'static str,
        /// What the codec found.
        reason: tls_codec::Error,
    },
    /// Bytes are left over after the value.
    #[error("{left} bytes are left over after {what}")]
    Trailing {
        /// The type that was decoded.
        what: &'static str,
        /// How many bytes follow it.
        left: usize,
    },
    /// The object is longer than any RFC 9420 encoding.
    #[error("{length} bytes are more than the {MAX_ENCODED} that an encoding may have")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
}

/// Decodes exactly one value from all of `bytes`.
pub fn decode<T: DeserializeBytes>(what: &'static str, bytes: &[u8]) -> Result<T, CodecError> {
    if bytes.len() > MAX_ENCODED {
        return Err(CodecError::TooLong { length: bytes.len() });
    }
    let (value, rest) =
        T::tls_deserialize_bytes(bytes).map_err(|reason| CodecError::Malformed { what, reason })?;
    if rest.is_empty() { Ok(value) } else { Err(CodecError::Trailing { what, left: rest.len() }) }
}

/// Encodes a value.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    let length = value.tls_serialized_len();
    if length > MAX_ENCODED {
        return Err(CodecError::TooLong { length });
    }
    value
        .tls_serialize_detached()
        .map_err(|reason| CodecError::Malformed { what: "an encodable value", reason })
}

/// Reads the header of a variable-size vector (RFC 9420 §2.1.2): the length of its content.
pub fn vector_length(header: &[u8]) -> Result<u64, CodecError> {
    let length: tls_codec::TlsVarInt = decode("a vector header", header)?;
    if length.value() > MAX_ENCODED as u64 {
        return Err(CodecError::TooLong { length: length.value() as usize });
    }
    Ok(length.value())
}

#[cfg(test)]
mod tests {
    use tls_codec::VLBytes;

    use super::*;

    fn malformed<T: std::fmt::Debug>(decoded: Result<T, CodecError>) -> bool {
        matches!(decoded, Err(CodecError::Malformed { .. }))
    }

    #[test]
    fn an_optional_value_is_absent_or_present() {
        assert_eq!(decode::<Option<u8>>("an optional", &[0]), Ok(None));
        assert_eq!(decode::<Option<u8>>("an optional", &[1, 7]), Ok(Some(7)));
        for presence in 2..=u8::MAX {
            assert!(malformed(decode::<Option<u8>>("an optional", &[presence, 7])));
        }
    }

    /// A vector with this header, its content zeros.
    fn vector(header: &[u8], length: usize) -> Result<VLBytes, CodecError> {
        decode("a vector", &[header, &vec![0; length][..]].concat())
    }

    #[test]
    fn a_length_uses_the_fewest_bits() {
        for (header, length) in [
            (&[63][..], 63),
            (&[0x40, 64], 64),
            (&[0x7f, 0xff], 16383),
            (&[0x80, 0, 0x40, 0], 16384),
        ] {
            assert_eq!(vector(header, length).unwrap().as_slice().len(), length);
            let encoded = encode(&VLBytes::from(vec![0; length])).unwrap();
            assert_eq!(encoded[..header.len()], *header);
        }
        for (header, length) in [
            (&[0x40, 0][..], 0),
            (&[0x40, 63], 63),
            (&[0x80, 0, 0, 0], 0),
            (&[0x80, 0, 0, 63], 63),
            (&[0x80, 0, 0x3f, 0xff], 16383),
        ] {
            assert!(malformed(vector(header, length)), "{header:?}");
            assert!(malformed(vector_length(header)), "{header:?}");
        }
    }

    #[test]
    fn a_length_has_no_prefix_of_two_ones() {
        for first in 0xc0..=u8::MAX {
            let header = [first, 0, 0, 0, 0, 0, 0, 0];
            assert!(malformed(vector(&header, 8)));
            assert!(vector_length(&header).is_err());
        }
    }
}
