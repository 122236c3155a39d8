//! From the fields of a request to the engine's types, each checked at the door.

use arboretum_engine::codec::{decode, encode};
use arboretum_engine::crypto::{CipherSuite, Provider, provider};
use arboretum_engine::group::JoinError;
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treedem::MlsMessage;
use arboretum_engine::treekem::GroupInfo;
use arboretum_engine::treesync::{
    Credential, Extension, ExtensionType, KeyPackage, RatchetTree, decode_tree,
};

use crate::interface;
use crate::limits::{MAX_NAME, at_most, few};
use crate::refusal::{Field, Refusal, at};

/// An identity, group identifier, identifier of a key.
pub(super) fn name(field: impl Into<Field>, bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
    at_most(field, bytes, MAX_NAME)?;
    Ok(bytes.to_vec())
}

/// A number of 16 bits.
pub(super) fn code_point(field: impl Into<Field>, found: u32) -> Result<u16, Refusal> {
    u16::try_from(found).map_err(|_| Refusal::CodePoint { field: field.into(), found })
}

/// The provider of a cipher suite.
pub(super) fn suite(field: &'static str, suite: u32) -> Result<&'static dyn Provider, Refusal> {
    let known = u16::try_from(suite).ok().and_then(|suite| provider(CipherSuite(suite)));
    known.ok_or(Refusal::Suite { field, suite })
}

/// Any message.
pub(super) fn message(field: impl Into<Field>, bytes: &[u8]) -> Result<MlsMessage, Refusal> {
    let field = field.into();
    decode("an MLS message", bytes).map_err(|error| Refusal::Malformed { field, error })
}

/// A key package.
pub(super) fn key_package(field: impl Into<Field>, bytes: &[u8]) -> Result<KeyPackage, Refusal> {
    let field = field.into();
    match message(field, bytes)? {
        MlsMessage::KeyPackage(package) => Ok(package),
        _ => Err(Refusal::WrongMessage { field, wanted: "key package" }),
    }
}

/// A list of key packages.
pub(super) fn key_packages(
    field: &'static str,
    list: &[Vec<u8>],
) -> Result<Vec<KeyPackage>, Refusal> {
    few(field, list)?;
    list.iter().enumerate().map(|(index, bytes)| key_package((field, index), bytes)).collect()
}

/// A group info.
pub(super) fn group_info(bytes: &[u8]) -> Result<GroupInfo, Refusal> {
    let field = Field::from("group_info");
    match message(field, bytes)? {
        MlsMessage::GroupInfo(info) => Ok(info),
        _ => Err(Refusal::WrongMessage { field, wanted: "group info" }),
    }
}

/// A ratchet tree that came by itself, if one did.
pub(super) fn tree(bytes: &[u8]) -> Result<Option<RatchetTree>, Refusal> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let decoded = decode_tree(bytes).map_err(JoinError::from);
    decoded.map(Some).map_err(at("ratchet_tree"))
}

/// The tree that a group info speaks of, from it or from beside it.
pub(super) fn tree_of(info: &GroupInfo, beside: &[u8]) -> Result<Option<RatchetTree>, Refusal> {
    let beside = tree(beside)?;
    let inside = info.tree().map_err(JoinError::from).map_err(at("group_info"))?;
    Ok(inside.or(beside))
}

/// Extensions of a group context.
pub(super) fn extensions(
    field: &'static str,
    list: &[interface::Extension],
) -> Result<Vec<Extension>, Refusal> {
    few(field, list)?;
    let read = |(index, extension): (usize, &interface::Extension)| {
        let kind = code_point((field, index), extension.extension_type)?;
        let extension_data = extension.extension_data.clone().into();
        Ok(Extension { extension_type: ExtensionType(kind), extension_data })
    };
    list.iter().enumerate().map(read).collect()
}

/// The first member who has an identity.
pub(super) fn member(
    field: impl Into<Field>,
    tree: &RatchetTree,
    identity: &[u8],
) -> Result<LeafIndex, Refusal> {
    let is_it = |credential: &Credential| match credential {
        Credential::Basic(name) => name.as_slice() == identity,
        _ => false,
    };
    let mut leaves = tree.root().leaves().into_iter();
    let found = leaves.find(|(_, leaf)| is_it(&leaf.credential));
    found.map(|(leaf, _)| leaf).ok_or(Refusal::NoSuchMember { field: field.into() })
}

/// Encodes a message for an answer.
pub(super) fn written(field: &'static str, message: &MlsMessage) -> Result<Vec<u8>, Refusal> {
    encode(message).map_err(|error| Refusal::Malformed { field: field.into(), error })
}
