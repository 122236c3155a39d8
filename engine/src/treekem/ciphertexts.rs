//! `HPKECiphertext encrypted_path_secret<V>` (RFC 9420 §7.6), kept as it is on the wire.
//!
//! In a young group one node of a path carries a ciphertext for nearly every member, of which a
//! receiver opens one: decoding each into vectors of its own would be most of the work of
//! following such a commit.

use tls_codec::{DeserializeBytes, Error, Serialize, Size, TlsVarInt};

use crate::codec::{CodecError, MAX_ENCODED, encode};
use crate::crypto::HpkeCiphertext;

/// A list of ciphertexts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ciphertexts {
    /// The encodings, one after the other.
    encoded: Vec<u8>,
    /// Where each begins in them.
    starts: Vec<u32>,
}

impl Ciphertexts {
    /// A list of these.
    pub fn new(ciphertexts: impl IntoIterator<Item = HpkeCiphertext>) -> Result<Self, CodecError> {
        let mut list = Self::default();
        ciphertexts.into_iter().try_for_each(|ciphertext| list.push(&ciphertext))?;
        Ok(list)
    }

    /// Appends one.
    pub fn push(&mut self, ciphertext: &HpkeCiphertext) -> Result<(), CodecError> {
        let start = self.encoded.len();
        let encoded = encode(ciphertext)?;
        let length = start + encoded.len();
        if length > MAX_ENCODED {
            return Err(CodecError::TooLong { length });
        }
        self.starts.push(start as u32);
        self.encoded.extend(encoded);
        Ok(())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// The one at a position.
    pub fn get(&self, position: usize) -> Option<HpkeCiphertext> {
        let encoded = self.encoded.get(*self.starts.get(position)? as usize..)?;
        HpkeCiphertext::tls_deserialize_bytes(encoded).ok().map(|(ciphertext, _)| ciphertext)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = HpkeCiphertext> {
        (0..self.len()).filter_map(|position| self.get(position))
    }

    /// The length of their encodings, in bytes, as a vector announces it.
    fn length(&self) -> Result<TlsVarInt, Error> {
        TlsVarInt::try_from(self.encoded.len() as u64)
    }
}

/// What follows a vector; an error if its length or content is cut short.
fn after_vector(bytes: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    let (length, rest) = TlsVarInt::tls_deserialize_bytes(bytes)?;
    let length = usize::try_from(length.value()).map_err(|_| Error::InvalidVectorLength)?;
    rest.split_at_checked(length).ok_or(Error::EndOfStream)
}

impl Size for Ciphertexts {
    fn tls_serialized_len(&self) -> usize {
        let header = self.length().map_or(0, |length| length.tls_serialized_len());
        header + self.encoded.len()
    }
}

impl Serialize for Ciphertexts {
    fn tls_serialize<W: std::io::Write>(&self, writer: &mut W) -> Result<usize, Error> {
        let header = self.length()?.tls_serialize(writer)?;
        writer.write_all(&self.encoded)?;
        Ok(header + self.encoded.len())
    }
}

impl DeserializeBytes for Ciphertexts {
    fn tls_deserialize_bytes(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        let (encoded, rest) = after_vector(bytes)?;
        let mut starts = vec![];
        let mut left = encoded;
        while !left.is_empty() {
            let start = encoded.len() - left.len();
            starts.push(u32::try_from(start).map_err(|_| Error::InvalidVectorLength)?);
            // A KEM output and an AEAD ciphertext, of any lengths.
            (_, left) = after_vector(left)?;
            (_, left) = after_vector(left)?;
        }
        Ok((Self { encoded: encoded.to_vec(), starts }, rest))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::decode;

    fn ciphertext() -> impl Strategy<Value = HpkeCiphertext> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..100);
        (bytes(), bytes()).prop_map(|(kem_output, ciphertext)| HpkeCiphertext {
            kem_output: kem_output.into(),
            ciphertext: ciphertext.into(),
        })
    }

    proptest! {
        /// The list is what `Vec<HpkeCiphertext>` is, byte for byte and entry for entry.
        #[test]
        fn is_a_vector_of_ciphertexts(naive in prop::collection::vec(ciphertext(), 0..20)) {
            let list = Ciphertexts::new(naive.clone()).unwrap();
            let encoded = encode(&list).unwrap();
            prop_assert_eq!(&encoded, &encode(&naive).unwrap());
            prop_assert_eq!(encoded.len(), list.tls_serialized_len());
            let decoded: Ciphertexts = decode("ciphertexts", &encoded).unwrap();
            prop_assert_eq!(decoded.iter().collect::<Vec<_>>(), naive);
            prop_assert_eq!(decoded, list);
        }

        /// It takes the same bytes for an encoding as `Vec<HpkeCiphertext>` does.
        #[test]
        fn refuses_what_a_vector_of_ciphertexts_refuses(
            naive in prop::collection::vec(ciphertext(), 1..5),
            at: prop::sample::Index,
            byte: u8,
            cut: prop::sample::Index,
        ) {
            let mut bytes = encode(&naive).unwrap();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes.truncate(bytes.len() - cut.index(3));
            let theirs = Vec::<HpkeCiphertext>::tls_deserialize_bytes(&bytes);
            let ours = Ciphertexts::tls_deserialize_bytes(&bytes);
            prop_assert_eq!(ours.is_ok(), theirs.is_ok());
            if let (Ok((ours, _)), Ok((theirs, _))) = (ours, theirs) {
                prop_assert_eq!(ours.iter().collect::<Vec<_>>(), theirs);
            }
        }
    }
}
