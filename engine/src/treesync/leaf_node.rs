//! Leaf nodes and what they are made of (RFC 9420 §5.3, §7.2).

use std::collections::BTreeSet;

use tls_codec::{
    DeserializeBytes, Error, Serialize, Size, TlsDeserializeBytes, TlsSerialize, TlsSize, VLBytes,
};

use super::quarantine::GhostSource;
use crate::codec::{CodecError, encode};
use crate::crypto::{
    CipherSuite, Crypto, CryptoError, Digest, HpkePublicKey, Labelled, Signature,
    SignaturePrivateKey, SignaturePublicKey,
};
use crate::tree::LeafIndex;

/// Declares a 16-bit code point that keeps unknown values, GREASE among them, intact.
macro_rules! code_point {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $value:ident = $code:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, TlsSize, TlsSerialize,
            TlsDeserializeBytes,
        )]
        pub struct $name(pub u16);

        impl $name {
            $($(#[$vdoc])* pub const $value: Self = Self($code);)+
        }
    };
}

code_point! {
    /// `ProtocolVersion` (RFC 9420 §6).
    ProtocolVersion {
        /// MLS 1.0.
        MLS10 = 1,
    }
}
code_point! {
    /// `ExtensionType` (RFC 9420 §17.3).
    ExtensionType {
        /// `application_id`.
        APPLICATION_ID = 1,
        /// `ratchet_tree`.
        RATCHET_TREE = 2,
        /// `required_capabilities`.
        REQUIRED_CAPABILITIES = 3,
        /// `external_pub`.
        EXTERNAL_PUB = 4,
        /// `external_senders`.
        EXTERNAL_SENDERS = 5,
        /// How the group keeps its tree: of a private-use type, ours ([`crate::strategy`]).
        STRATEGY = 0xf7e3,
        /// How often a member has committed: of a private-use type, ours (`strategy/layout`).
        COMMITS = 0xf7e4,
    }
}
code_point! {
    /// `ProposalType` (RFC 9420 §17.4).
    ProposalType {
        /// `add`.
        ADD = 1,
        /// `update`.
        UPDATE = 2,
        /// `remove`.
        REMOVE = 3,
        /// `psk`.
        PSK = 4,
        /// `reinit`.
        REINIT = 5,
        /// `external_init`.
        EXTERNAL_INIT = 6,
        /// `group_context_extensions`, the last of the default types.
        GROUP_CONTEXT_EXTENSIONS = 7,
        /// A whole path for the sender: of a private-use type, ours (`treekem/concurrent`).
        PATH = 0xf7e5,
    }
}
code_point! {
    /// `CredentialType` (RFC 9420 §17.5).
    CredentialType {
        /// `basic`.
        BASIC = 1,
        /// `x509`.
        X509 = 2,
    }
}

impl ExtensionType {
    /// Whether every client implements it and nobody lists it (RFC 9420 §7.2).
    pub fn is_default(self) -> bool {
        (Self::APPLICATION_ID..=Self::EXTERNAL_SENDERS).contains(&self)
    }
}

impl ProposalType {
    /// Whether every client implements it and nobody lists it (RFC 9420 §7.2).
    pub fn is_default(self) -> bool {
        (Self::ADD..=Self::GROUP_CONTEXT_EXTENSIONS).contains(&self)
    }
}

/// An extension, its data opaque.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct Extension {
    /// What it is.
    pub extension_type: ExtensionType,
    /// Its data.
    pub extension_data: VLBytes,
}

/// A credential (RFC 9420 §5.3). Every type that is registered so far is one vector, and one of
/// a type unknown here is kept intact as that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A bare identity.
    Basic(VLBytes),
    /// A certificate chain, kept as it came.
    X509(Vec<VLBytes>),
    /// Something else.
    Other(CredentialType, VLBytes),
}

impl Credential {
    /// Its type.
    pub fn credential_type(&self) -> CredentialType {
        match self {
            Self::Basic(_) => CredentialType::BASIC,
            Self::X509(_) => CredentialType::X509,
            Self::Other(kind, _) => *kind,
        }
    }

    /// Bytes that tell its owner from others: of a chain, the owner's own certificate.
    pub fn identity(&self) -> &[u8] {
        match self {
            Self::Basic(identity) | Self::Other(_, identity) => identity.as_slice(),
            Self::X509(chain) => chain.first().map_or(&[], VLBytes::as_slice),
        }
    }
}

impl Size for Credential {
    fn tls_serialized_len(&self) -> usize {
        2 + match self {
            Self::Basic(data) | Self::Other(_, data) => data.tls_serialized_len(),
            Self::X509(chain) => chain.tls_serialized_len(),
        }
    }
}

impl Serialize for Credential {
    fn tls_serialize<W: std::io::Write>(&self, writer: &mut W) -> Result<usize, Error> {
        let header = self.credential_type().tls_serialize(writer)?;
        let body = match self {
            Self::Basic(data) | Self::Other(_, data) => data.tls_serialize(writer)?,
            Self::X509(chain) => chain.tls_serialize(writer)?,
        };
        Ok(header + body)
    }
}

impl DeserializeBytes for Credential {
    fn tls_deserialize_bytes(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        let (kind, rest) = CredentialType::tls_deserialize_bytes(bytes)?;
        if kind == CredentialType::X509 {
            let (chain, rest) = Vec::tls_deserialize_bytes(rest)?;
            return Ok((Self::X509(chain), rest));
        }
        let (data, rest) = VLBytes::tls_deserialize_bytes(rest)?;
        let basic = kind == CredentialType::BASIC;
        Ok((if basic { Self::Basic(data) } else { Self::Other(kind, data) }, rest))
    }
}

/// What a client supports (RFC 9420 §7.2).
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct Capabilities {
    /// Protocol versions.
    pub versions: Vec<ProtocolVersion>,
    /// Cipher suites.
    pub cipher_suites: Vec<CipherSuite>,
    /// Extension types that are not default.
    pub extensions: Vec<ExtensionType>,
    /// Proposal types that are not default.
    pub proposals: Vec<ProposalType>,
    /// Credential types.
    pub credentials: Vec<CredentialType>,
}

impl Capabilities {
    /// MLS 1.0, one suite, basic credentials.
    pub fn basic(suite: CipherSuite) -> Self {
        Self {
            versions: vec![ProtocolVersion::MLS10],
            cipher_suites: vec![suite],
            extensions: vec![],
            proposals: vec![],
            credentials: vec![CredentialType::BASIC],
        }
    }

    /// Refuses default types, which no client lists of itself. Those that others list do no
    /// harm, and are not looked for.
    pub fn check_listed(&self) -> Result<(), LeafNodeError> {
        if let Some(kind) = self.extensions.iter().find(|kind| kind.is_default()) {
            return Err(LeafNodeError::DefaultExtension(*kind));
        }
        let default = self.proposals.iter().find(|kind| kind.is_default());
        default.map_or(Ok(()), |kind| Err(LeafNodeError::DefaultProposal(*kind)))
    }

    /// Whether this client supports an extension type.
    pub fn supports_extension(&self, wanted: ExtensionType) -> bool {
        wanted.is_default() || self.extensions.contains(&wanted)
    }

    /// Whether this client supports a proposal type.
    pub fn supports_proposal(&self, wanted: ProposalType) -> bool {
        wanted.is_default() || self.proposals.contains(&wanted)
    }

    /// The first of these extension types that this client does not support.
    pub fn missing_extension(
        &self,
        wanted: impl Iterator<Item = ExtensionType> + Clone,
    ) -> Option<ExtensionType> {
        missing(&self.extensions, wanted.filter(|kind| !kind.is_default()))
    }

    /// The first of these proposal types that this client does not support.
    pub fn missing_proposal(
        &self,
        wanted: impl Iterator<Item = ProposalType> + Clone,
    ) -> Option<ProposalType> {
        missing(&self.proposals, wanted.filter(|kind| !kind.is_default()))
    }

    /// Whether this client has everything a group requires.
    pub fn satisfy(&self, required: &RequiredCapabilities) -> bool {
        let credentials = required.credential_types.iter().copied();
        self.missing_extension(required.extension_types.iter().copied()).is_none()
            && self.missing_proposal(required.proposal_types.iter().copied()).is_none()
            && missing(&self.credentials, credentials).is_none()
    }
}

/// The first entry of one list that another lacks. Either may fill a whole message, so neither is
/// searched once for each entry of the other.
fn missing<T: Copy + Ord>(had: &[T], mut wanted: impl Iterator<Item = T> + Clone) -> Option<T> {
    let mut lacking: BTreeSet<T> = wanted.clone().collect();
    if lacking.is_empty() {
        return None;
    }
    for kind in had {
        lacking.remove(kind);
    }
    wanted.find(|kind| lacking.contains(kind))
}

/// The `required_capabilities` extension (RFC 9420 §11.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct RequiredCapabilities {
    /// Extension types that every member must support.
    pub extension_types: Vec<ExtensionType>,
    /// Proposal types that every member must support.
    pub proposal_types: Vec<ProposalType>,
    /// Credential types that every member must support.
    pub credential_types: Vec<CredentialType>,
}

/// An entry of the `external_senders` extension (RFC 9420 §12.1.8.1).
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct ExternalSender {
    /// The key it signs with.
    pub signature_key: SignaturePublicKey,
    /// Who it is.
    pub credential: Credential,
}

/// When a key package may be used, in seconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct Lifetime {
    /// The first second.
    pub not_before: u64,
    /// The last second.
    pub not_after: u64,
}

/// How a leaf node came to be (RFC 9420 §7.2).
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
#[repr(u8)]
pub enum LeafNodeSource {
    /// Published in a key package.
    #[tls_codec(discriminant = 1)]
    KeyPackage(Lifetime),
    /// Sent in an Update proposal.
    #[tls_codec(discriminant = 2)]
    Update,
    /// Sent in the path of a commit; carries the parent hash.
    #[tls_codec(discriminant = 3)]
    Commit(Digest),
    /// Made by another for a member that is silent: ours (`treesync/quarantine.rs`).
    #[tls_codec(discriminant = 0xf7)]
    Ghost(Box<GhostSource>),
}

/// `LeafNode`.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct LeafNode {
    /// The key that path secrets are encrypted to when nothing higher is known.
    pub encryption_key: HpkePublicKey,
    /// The member's signature key.
    pub signature_key: SignaturePublicKey,
    /// Who it is.
    pub credential: Credential,
    /// What it supports.
    pub capabilities: Capabilities,
    /// How it came to be.
    pub leaf_node_source: LeafNodeSource,
    /// Leaf extensions.
    pub extensions: Vec<Extension>,
    /// `SignWithLabel(., "LeafNodeTBS", LeafNodeTBS)`.
    pub signature: Signature,
}

/// Where a leaf of source `update` or `commit` stands; part of what it signs.
#[derive(Clone, Copy, Debug)]
struct LeafPosition<'a> {
    group_id: &'a [u8],
    leaf_index: LeafIndex,
}

impl LeafNode {
    const LABEL: &'static str = "LeafNodeTBS";

    /// `LeafNodeTBS`: every field but the signature, then the position where the source has one.
    fn tbs(&self, position: LeafPosition<'_>) -> Result<Vec<u8>, CodecError> {
        let mut tbs = encode(self)?;
        tbs.truncate(tbs.len() - self.signature.tls_serialized_len());
        if !matches!(self.leaf_node_source, LeafNodeSource::KeyPackage(_)) {
            let write = |tbs: &mut Vec<u8>| {
                tls_codec::VLByteSlice(position.group_id).tls_serialize(tbs)?;
                position.leaf_index.tls_serialize(tbs)
            };
            write(&mut tbs)
                .map_err(|reason| CodecError::Malformed { what: "a leaf position", reason })?;
        }
        Ok(tbs)
    }

    /// Signs the leaf in its place.
    pub fn sign(
        &mut self,
        crypto: &Crypto<'_>,
        key: &SignaturePrivateKey,
        group_id: &[u8],
        leaf_index: LeafIndex,
    ) -> Result<(), LeafNodeError> {
        let tbs = self.tbs(LeafPosition { group_id, leaf_index })?;
        self.signature = crypto.sign_with_label(key, Self::LABEL, &tbs)?;
        Ok(())
    }

    /// The leaf's own signature, to be verified with others: of a ghost, its maker's.
    pub fn signed(
        &self,
        group_id: &[u8],
        leaf_index: LeafIndex,
    ) -> Result<Labelled<'_>, CodecError> {
        Ok(Labelled {
            key: self.ghost().map_or(&self.signature_key, |ghost| &ghost.maker_key),
            label: Self::LABEL,
            content: self.tbs(LeafPosition { group_id, leaf_index })?,
            signature: &self.signature,
        })
    }

    /// Of a ghost, the owner's signature of the leaf that it last signed.
    pub fn signed_by_owner(
        &self,
        group_id: &[u8],
        leaf_index: LeafIndex,
    ) -> Result<Option<Labelled<'_>>, CodecError> {
        let Some(ghost) = self.ghost() else { return Ok(None) };
        Ok(Some(Labelled {
            key: &self.signature_key,
            label: Self::LABEL,
            content: self.as_owned().tbs(LeafPosition { group_id, leaf_index })?,
            signature: &ghost.owner_signature,
        }))
    }

    /// How often its member has committed, as it says itself; what is no number counts as 0, and so
    /// does saying nothing.
    pub fn commits(&self) -> u32 {
        let mut own = self.extensions.iter();
        let own = own.find(|extension| extension.extension_type == ExtensionType::COMMITS);
        let data = own.and_then(|own| own.extension_data.as_slice().try_into().ok());
        data.map_or(0, u32::from_be_bytes)
    }

    /// Says how often its member has committed.
    pub fn set_commits(&mut self, commits: u32) {
        let extension_type = ExtensionType::COMMITS;
        self.extensions.retain(|extension| extension.extension_type != extension_type);
        if commits > 0 {
            let extension_data = commits.to_be_bytes().to_vec().into();
            self.extensions.push(Extension { extension_type, extension_data });
        }
    }

    /// The parent hash it carries, if a commit set it.
    pub fn parent_hash(&self) -> Option<&Digest> {
        match &self.leaf_node_source {
            LeafNodeSource::Commit(parent_hash) => Some(parent_hash),
            _ => None,
        }
    }
}

/// Why a leaf or a key package could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeafNodeError {
    /// Its capabilities list a default extension type.
    #[error("extension type {} is default and must not be listed (RFC 9420 §7.2)", .0.0)]
    DefaultExtension(ExtensionType),
    /// Its capabilities list a default proposal type.
    #[error("proposal type {} is default and must not be listed (RFC 9420 §7.2)", .0.0)]
    DefaultProposal(ProposalType),
    /// The package has an extension that the capabilities leave out.
    #[error("the capabilities leave out the package's extension type {} (RFC 9420 §10)", .0.0)]
    PackageExtension(ExtensionType),
    /// It has no encoding.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The key did not sign.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}
