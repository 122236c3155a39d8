//! The byte strings of RFC 9420 §5.1 as types: public keys, signatures and ciphertexts that
//! travel, hash outputs small enough to live inline in a tree node, and secrets that are
//! erased when dropped and never printed.

use std::fmt;

use tls_codec::{
    DeserializeBytes, Error, Serialize, Size, TlsDeserializeBytes, TlsSerialize, TlsSize, VLBytes,
};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Declares a public byte string `opaque name<V>`.
macro_rules! opaque {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, TlsSize, TlsSerialize, TlsDeserializeBytes)]
        pub struct $name(VLBytes);

        impl $name {
            /// The bytes, without the length header.
            pub fn as_slice(&self) -> &[u8] {
                self.0.as_slice()
            }
        }

        impl From<Vec<u8>> for $name {
            fn from(bytes: Vec<u8>) -> Self {
                Self(bytes.into())
            }
        }

        impl From<&[u8]> for $name {
            fn from(bytes: &[u8]) -> Self {
                Self(bytes.to_vec().into())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "("))?;
                write_hex(f, self.as_slice())?;
                write!(f, ")")
            }
        }
    };
}

opaque! {
    /// `HPKEPublicKey` (RFC 9420 §5.1.1).
    HpkePublicKey
}
opaque! {
    /// `SignaturePublicKey` (RFC 9420 §5.1.1).
    SignaturePublicKey
}
opaque! {
    /// A signature made by `SignWithLabel` (RFC 9420 §5.1.2).
    Signature
}

/// `HPKECiphertext` (RFC 9420 §7.6): one KEM output and one AEAD ciphertext.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct HpkeCiphertext {
    /// The encapsulated key, `enc` of RFC 9180.
    pub kem_output: VLBytes,
    /// The AEAD ciphertext with its tag.
    pub ciphertext: VLBytes,
}

/// The longest hash output of any cipher suite, in bytes (SHA-512).
pub const MAX_DIGEST: usize = 64;

/// The output of the suite's hash or MAC: at most [`MAX_DIGEST`] bytes, kept inline, since
/// every node of a tree caches one. The empty digest is the zero-length octet string that
/// stands for "none" in parent hashes and in the transcript of a new group.
#[derive(Clone, Copy)]
pub struct Digest {
    length: u8,
    bytes: [u8; MAX_DIGEST],
}

impl Digest {
    /// The zero-length octet string.
    pub const EMPTY: Self = Self { length: 0, bytes: [0; MAX_DIGEST] };

    /// Copies `bytes`; `None` if they are longer than any digest.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut digest = Self::EMPTY;
        digest.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        digest.length = u8::try_from(bytes.len()).ok()?;
        Some(digest)
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl<const N: usize> From<[u8; N]> for Digest {
    fn from(output: [u8; N]) -> Self {
        const { assert!(N <= MAX_DIGEST, "no hash is longer") };
        let mut digest = Self::EMPTY;
        digest.bytes[..N].copy_from_slice(&output);
        digest.length = N as u8;
        digest
    }
}

impl Default for Digest {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Digest {}

impl PartialOrd for Digest {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Digest {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, self.as_slice())
    }
}

impl Size for Digest {
    fn tls_serialized_len(&self) -> usize {
        // A digest is at most 64 bytes: a header of one byte below 64, of two at 64.
        usize::from(self.length) + if self.length < 64 { 1 } else { 2 }
    }
}

impl Serialize for Digest {
    fn tls_serialize<W: std::io::Write>(&self, writer: &mut W) -> Result<usize, Error> {
        tls_codec::VLByteSlice(self.as_slice()).tls_serialize(writer)
    }
}

impl DeserializeBytes for Digest {
    fn tls_deserialize_bytes(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        let (opaque, rest) = VLBytes::tls_deserialize_bytes(bytes)?;
        let digest = Self::new(opaque.as_slice()).ok_or(Error::InvalidVectorLength)?;
        Ok((digest, rest))
    }
}

/// A secret of the key schedule or of a path. Erased when dropped, never printed, compared
/// in constant time.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// The all-zero vector of `length` bytes, "0" in RFC 9420 §8.
    pub fn zero(length: usize) -> Self {
        Self(vec![0; length])
    }

    /// The bytes, for the primitives alone.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<&[u8]> for Secret {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        use subtle::ConstantTimeEq;
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Size for Secret {
    fn tls_serialized_len(&self) -> usize {
        tls_codec::VLByteSlice(&self.0).tls_serialized_len()
    }
}

impl Serialize for Secret {
    fn tls_serialize<W: std::io::Write>(&self, writer: &mut W) -> Result<usize, Error> {
        tls_codec::VLByteSlice(&self.0).tls_serialize(writer)
    }
}

impl DeserializeBytes for Secret {
    fn tls_deserialize_bytes(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        let (opaque, rest) = VLBytes::tls_deserialize_bytes(bytes)?;
        Ok((Self(opaque.into()), rest))
    }
}

/// An HPKE private key in the form of RFC 9180's `SerializePrivateKey`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HpkePrivateKey(Secret);

impl HpkePrivateKey {
    /// The bytes, for the primitives alone.
    pub fn as_slice(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl From<&[u8]> for HpkePrivateKey {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl From<Zeroizing<Vec<u8>>> for HpkePrivateKey {
    fn from(mut bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(Secret(std::mem::take(&mut *bytes)))
    }
}

/// An HPKE key pair. Opening needs both halves, and computing the public one again would
/// cost as much as a third of the opening.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HpkeKeyPair {
    /// The private half.
    pub private: HpkePrivateKey,
    /// The public half.
    pub public: HpkePublicKey,
}

/// A signature private key: the seed for Ed25519 and Ed448, the scalar for ECDSA.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignaturePrivateKey(Secret);

impl SignaturePrivateKey {
    /// The bytes, for the primitives alone.
    pub fn as_slice(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl From<&[u8]> for SignaturePrivateKey {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

/// A signature key pair.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignatureKeyPair {
    /// The private half.
    pub private: SignaturePrivateKey,
    /// The public half.
    pub public: SignaturePublicKey,
}

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}
