//! The vectors of the TLS presentation language as the draft has them: a length of one, two or four
//! bytes, then the content. (RFC 9420's own vectors have lengths of variable size, so its types
//! cannot be encoded here as they are.)

use std::io::Write;

use tls_codec::{DeserializeBytes, Error, Serialize, Size};

use crate::crypto::{Digest, HpkePublicKey, Signature, SignaturePublicKey};

/// A byte string of some type.
pub(super) trait Opaque: Sized {
    fn bytes(&self) -> &[u8];
    fn of(bytes: &[u8]) -> Result<Self, Error>;
}

macro_rules! opaque {
    ($($name:ident),+) => {
        $(impl Opaque for $name {
            fn bytes(&self) -> &[u8] {
                self.as_slice()
            }

            fn of(bytes: &[u8]) -> Result<Self, Error> {
                Ok(bytes.into())
            }
        })+
    };
}

opaque!(HpkePublicKey, SignaturePublicKey, Signature);

impl Opaque for Digest {
    fn bytes(&self) -> &[u8] {
        self.as_slice()
    }

    fn of(bytes: &[u8]) -> Result<Self, Error> {
        Self::new(bytes).ok_or(Error::InvalidVectorLength)
    }
}

impl Opaque for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn of(bytes: &[u8]) -> Result<Self, Error> {
        Ok(bytes.to_vec())
    }
}

/// A key or a hash, or nothing: a blank node, written as a vector of no bytes.
impl<T: Opaque> Opaque for Option<T> {
    fn bytes(&self) -> &[u8] {
        self.as_ref().map_or(&[], Opaque::bytes)
    }

    fn of(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.is_empty() { Ok(None) } else { T::of(bytes).map(Some) }
    }
}

fn cut(bytes: &[u8], length: usize) -> Result<(&[u8], &[u8]), Error> {
    bytes.split_at_checked(length).ok_or(Error::EndOfStream)
}

/// `opaque x<..>` with a length of this type.
macro_rules! vector {
    ($(#[$doc:meta])* $name:ident: $length:ty) => {
        $(#[$doc])*
        pub(super) mod $name {
            use super::*;

            const HEADER: usize = size_of::<$length>();

            pub(in super::super) fn tls_serialized_len<T: Opaque>(value: &T) -> usize {
                HEADER + value.bytes().len()
            }

            pub(in super::super) fn tls_serialize<T: Opaque, W: Write>(
                value: &T,
                writer: &mut W,
            ) -> Result<usize, Error> {
                let bytes = value.bytes();
                let length =
                    <$length>::try_from(bytes.len()).map_err(|_| Error::InvalidVectorLength)?;
                length.tls_serialize(writer)?;
                writer.write_all(bytes)?;
                Ok(HEADER + bytes.len())
            }

            pub(in super::super) fn tls_deserialize_bytes<T: Opaque>(
                bytes: &[u8],
            ) -> Result<(T, &[u8]), Error> {
                let (length, rest) = <$length>::tls_deserialize_bytes(bytes)?;
                let length = usize::try_from(length).map_err(|_| Error::InvalidVectorLength)?;
                let (content, rest) = cut(rest, length)?;
                Ok((T::of(content)?, rest))
            }
        }
    };
}

/// `T x<..>`: a length of this type, then the elements, each with its own.
macro_rules! list {
    ($(#[$doc:meta])* $name:ident: $length:ty, $element:ident) => {
        $(#[$doc])*
        pub(super) mod $name {
            use super::*;

            const HEADER: usize = size_of::<$length>();

            fn content<T: Opaque>(items: &[T]) -> usize {
                items.iter().map($element::tls_serialized_len).sum()
            }

            pub(in super::super) fn tls_serialized_len<T: Opaque>(items: &[T]) -> usize {
                HEADER + content(items)
            }

            pub(in super::super) fn tls_serialize<T: Opaque, W: Write>(
                items: &[T],
                writer: &mut W,
            ) -> Result<usize, Error> {
                let content = content(items);
                let length =
                    <$length>::try_from(content).map_err(|_| Error::InvalidVectorLength)?;
                length.tls_serialize(writer)?;
                items.iter().try_for_each(|item| $element::tls_serialize(item, writer).map(|_| ()))?;
                Ok(HEADER + content)
            }

            pub(in super::super) fn tls_deserialize_bytes<T: Opaque>(
                bytes: &[u8],
            ) -> Result<(Vec<T>, &[u8]), Error> {
                let (length, rest) = <$length>::tls_deserialize_bytes(bytes)?;
                let length = usize::try_from(length).map_err(|_| Error::InvalidVectorLength)?;
                let (mut content, rest) = cut(rest, length)?;
                let mut items = vec![];
                while !content.is_empty() {
                    let (item, left) = $element::tls_deserialize_bytes(content)?;
                    items.push(item);
                    content = left;
                }
                Ok((items, rest))
            }
        }
    };
}

vector! {
    /// `MerkleNode<1..255>`.
    opaque8: u8
}
vector! {
    /// `DHPublicKey<1..2^16-1>` and all else of that length.
    opaque16: u16
}
vector! {
    /// What is longer.
    opaque32: u32
}
list! {
    /// Hashes.
    hashes16: u16, opaque8
}
list! {
    /// Keys.
    keys16: u16, opaque16
}
list! {
    /// More keys than a length of two bytes can count.
    keys32: u32, opaque16
}

/// `CipherSuite cipher_suites<0..255>`.
pub(super) mod suites8 {
    use super::*;
    use crate::crypto::CipherSuite;

    pub(in super::super) fn tls_serialized_len(suites: &[CipherSuite]) -> usize {
        1 + 2 * suites.len()
    }

    pub(in super::super) fn tls_serialize<W: Write>(
        suites: &[CipherSuite],
        writer: &mut W,
    ) -> Result<usize, Error> {
        let length = u8::try_from(2 * suites.len()).map_err(|_| Error::InvalidVectorLength)?;
        length.tls_serialize(writer)?;
        suites.iter().try_for_each(|suite| suite.tls_serialize(writer).map(|_| ()))?;
        Ok(tls_serialized_len(suites))
    }

    pub(in super::super) fn tls_deserialize_bytes(
        bytes: &[u8],
    ) -> Result<(Vec<CipherSuite>, &[u8]), Error> {
        let (length, rest) = u8::tls_deserialize_bytes(bytes)?;
        let (mut content, rest) = cut(rest, length.into())?;
        let mut suites = vec![];
        while !content.is_empty() {
            let (suite, left) = CipherSuite::tls_deserialize_bytes(content)?;
            suites.push(suite);
            content = left;
        }
        Ok((suites, rest))
    }
}

/// The size of a value without the signature at its end: what the signature is over.
pub(super) fn unsigned<'b>(encoded: &'b [u8], signature: &Signature) -> &'b [u8] {
    let signature = opaque16::tls_serialized_len(signature);
    &encoded[..encoded.len().saturating_sub(signature)]
}

/// The size of something in a message.
pub(super) fn length_of(value: &impl Size) -> u64 {
    value.tls_serialized_len() as u64
}
