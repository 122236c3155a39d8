//! Handshake messages (draft-barnes-mls-protocol-00 §8): one change of a group's state, with the state
//! that it starts from, the signer's proof of membership, and a signature.

use tls_codec::{
    DeserializeBytes, Error, Serialize, Size, TlsDeserializeBytes, TlsSerialize, TlsSize, U24,
};

use super::init_keys::{GroupInitKey, UserInitKey};
use super::suite::{DhPublicKey, SignatureScheme};
use super::wire::{self, hashes16, keys16, keys32, opaque16};
use crate::codec::{CodecError, decode, encode};
use crate::crypto::{Digest, Signature, SignaturePublicKey};
use crate::group::CommitCost;
use crate::tree::LeafIndex;

/// `Init` (§8.1), which the draft leaves open: the setup phase of the paper (eprint 2017/666). The
/// members are those whose keys stand here, in the order of their leaves.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct Init {
    /// The public half of the creator's setup key pair.
    #[tls_codec(with = "opaque16")]
    pub setup_key: DhPublicKey,
    /// The identity keys of all members, the creator's first.
    #[tls_codec(with = "keys32")]
    pub identity_keys: Vec<SignaturePublicKey>,
    /// The init key of each member but the creator.
    #[tls_codec(with = "keys32")]
    pub init_keys: Vec<DhPublicKey>,
    /// The public keys of all nodes, in order: a leaf between two parents.
    #[tls_codec(with = "keys32")]
    pub ratchet_nodes: Vec<DhPublicKey>,
}

/// `GroupAdd` (§8.2).
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct GroupAdd {
    /// Who is added.
    pub init_key: UserInitKey,
}

/// `UserAdd` (§8.3).
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct UserAdd {
    /// The direct path of the new leaf.
    #[tls_codec(with = "keys16")]
    pub add_path: Vec<DhPublicKey>,
}

/// `Update` (§8.4).
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct Update {
    /// The direct path of the signer's leaf.
    #[tls_codec(with = "keys16")]
    pub ratchet_path: Vec<DhPublicKey>,
}

/// `Delete` (§8.5).
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct Delete {
    /// Whose leaf becomes blank.
    pub deleted: LeafIndex,
    /// The direct path of that leaf under a key of the signer's.
    #[tls_codec(with = "keys16")]
    pub path: Vec<DhPublicKey>,
}

/// What a handshake message does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Nothing: it publishes its `GroupInitKey`.
    None,
    /// Makes a group.
    Init(Box<Init>),
    /// A new participant adds itself.
    UserAdd(UserAdd),
    /// A member adds a participant.
    GroupAdd(Box<GroupAdd>),
    /// A member renews its leaf key.
    Update(Update),
    /// A member deletes another.
    Delete(Delete),
}

impl Body {
    /// `HandshakeType`.
    fn number(&self) -> u8 {
        match self {
            Self::None => 0,
            Self::Init(_) => 1,
            Self::UserAdd(_) => 2,
            Self::GroupAdd(_) => 3,
            Self::Update(_) => 4,
            Self::Delete(_) => 5,
        }
    }

    fn inner_length(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Init(init) => init.tls_serialized_len(),
            Self::UserAdd(add) => add.tls_serialized_len(),
            Self::GroupAdd(add) => add.tls_serialized_len(),
            Self::Update(update) => update.tls_serialized_len(),
            Self::Delete(delete) => delete.tls_serialized_len(),
        }
    }

    /// The path in it, if there is one.
    pub fn path(&self) -> Option<&[DhPublicKey]> {
        match self {
            Self::UserAdd(add) => Some(&add.add_path),
            Self::Update(update) => Some(&update.ratchet_path),
            Self::Delete(delete) => Some(&delete.path),
            _ => None,
        }
    }
}

/// The bytes of the type and of `uint24 inner_length`.
const BODY_HEADER: usize = 4;

impl Size for Body {
    fn tls_serialized_len(&self) -> usize {
        BODY_HEADER + self.inner_length()
    }
}

impl Serialize for Body {
    fn tls_serialize<W: std::io::Write>(&self, writer: &mut W) -> Result<usize, Error> {
        self.number().tls_serialize(writer)?;
        let length = U24::try_from(self.inner_length());
        length.map_err(|_| Error::InvalidVectorLength)?.tls_serialize(writer)?;
        match self {
            Self::None => Ok(0),
            Self::Init(init) => init.tls_serialize(writer),
            Self::UserAdd(add) => add.tls_serialize(writer),
            Self::GroupAdd(add) => add.tls_serialize(writer),
            Self::Update(update) => update.tls_serialize(writer),
            Self::Delete(delete) => delete.tls_serialize(writer),
        }?;
        Ok(self.tls_serialized_len())
    }
}

/// The whole of `inner` as one value.
fn whole<T: DeserializeBytes>(inner: &[u8]) -> Result<T, Error> {
    let (value, rest) = T::tls_deserialize_bytes(inner)?;
    if rest.is_empty() { Ok(value) } else { Err(Error::TrailingData) }
}

impl DeserializeBytes for Body {
    fn tls_deserialize_bytes(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        let (number, rest) = u8::tls_deserialize_bytes(bytes)?;
        let (length, rest) = U24::tls_deserialize_bytes(rest)?;
        let (inner, rest) = rest.split_at_checked(length.into()).ok_or(Error::EndOfStream)?;
        let body = match number {
            0 => whole::<()>(inner).map(|()| Self::None),
            1 => whole(inner).map(|init| Self::Init(Box::new(init))),
            2 => whole(inner).map(Self::UserAdd),
            3 => whole(inner).map(|add| Self::GroupAdd(Box::new(add))),
            4 => whole(inner).map(Self::Update),
            5 => whole(inner).map(Self::Delete),
            unknown => Err(Error::UnknownValue(unknown.into())),
        }?;
        Ok((body, rest))
    }
}

/// `Handshake` (§8).
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct Handshake {
    /// What it does.
    pub body: Body,
    /// The epoch that it starts from.
    pub prior_epoch: u32,
    /// The group in that epoch.
    pub init_key: GroupInitKey,
    /// The signer's leaf.
    pub signer_index: LeafIndex,
    /// The proof that the identity key stands there: the leaf's hash, then its copath's.
    #[tls_codec(with = "hashes16")]
    pub identity_proof: Vec<Digest>,
    /// The signer.
    #[tls_codec(with = "opaque16")]
    pub identity_key: SignaturePublicKey,
    /// How it is signed.
    pub algorithm: SignatureScheme,
    /// Over all fields before.
    #[tls_codec(with = "opaque16")]
    pub signature: Signature,
}

impl Handshake {
    /// Reads a message, and gives with it the bytes that its signature is over.
    pub fn read(message: &[u8]) -> Result<(Self, &[u8]), CodecError> {
        let handshake: Self = decode("a handshake message of draft-00", message)?;
        let signed = wire::unsigned(message, &handshake.signature);
        Ok((handshake, signed))
    }

    /// The bytes that the signature is to be over.
    pub fn to_be_signed(&self) -> Result<Vec<u8>, CodecError> {
        let mut encoded = encode(self)?;
        encoded.truncate(wire::unsigned(&encoded, &self.signature).len());
        Ok(encoded)
    }

    /// What the message costs: its path is what [`CommitCost`] calls path keys, and all of its body
    /// that is no path, proposals. The keys of an `Init` are its path.
    pub fn cost(&self) -> CommitCost {
        let bytes = wire::length_of(self);
        let (public_keys, path) = match &self.body {
            Body::Init(init) => (
                init.ratchet_nodes.len() as u64,
                keys32::tls_serialized_len(&init.ratchet_nodes) as u64,
            ),
            body => body.path().map_or((0, 0), |path| {
                (path.len() as u64, keys16::tls_serialized_len(path) as u64)
            }),
        };
        let bytes_proposals = self.body.inner_length() as u64 - path;
        CommitCost {
            public_keys,
            bytes,
            bytes_proposals,
            bytes_path_keys: path,
            bytes_framing: bytes - bytes_proposals - path,
            ..CommitCost::default()
        }
    }
}
