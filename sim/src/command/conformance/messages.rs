//! messages: every structure decodes, and encodes to the same bytes (RFC 9420 §6, §12).

use arboretum_engine::codec::{decode, encode};
use arboretum_engine::crypto::Crypto;
use arboretum_engine::treedem::{Commit, Content, ContentType, MlsMessage, WireFormat};
use arboretum_engine::treekem::GroupSecrets;
use arboretum_engine::treesync::{Proposal, ProposalType, decode_tree, encode_tree};
use tls_codec::{DeserializeBytes, Serialize};

use super::case::Case;

pub(super) fn check(_: &Crypto<'_>, case: &Case<'_>) -> Result<(), String> {
    for (field, format) in [
        ("mls_welcome", WireFormat::WELCOME),
        ("mls_group_info", WireFormat::GROUP_INFO),
        ("mls_key_package", WireFormat::KEY_PACKAGE),
        ("public_message_application", WireFormat::PUBLIC_MESSAGE),
        ("public_message_proposal", WireFormat::PUBLIC_MESSAGE),
        ("public_message_commit", WireFormat::PUBLIC_MESSAGE),
        ("private_message", WireFormat::PRIVATE_MESSAGE),
    ] {
        let message: MlsMessage = same(case, field, &case.bytes(field)?)?;
        if message.wire_format() != format {
            return Err(format!("field `{field}` holds another wire format"));
        }
        check_content(field, &message)?;
    }
    same::<GroupSecrets>(case, "group_secrets", &case.bytes("group_secrets")?)?;
    same::<Commit>(case, "commit", &case.bytes("commit")?)?;
    let tree = decode_tree(&case.bytes("ratchet_tree")?).map_err(|e| e.to_string())?;
    case.expect("ratchet_tree", &encode_tree(&tree).map_err(|e| e.to_string())?)?;
    for (field, kind) in [
        ("add_proposal", ProposalType::ADD),
        ("update_proposal", ProposalType::UPDATE),
        ("remove_proposal", ProposalType::REMOVE),
        ("pre_shared_key_proposal", ProposalType::PSK),
        ("re_init_proposal", ProposalType::REINIT),
        ("external_init_proposal", ProposalType::EXTERNAL_INIT),
        ("group_context_extensions_proposal", ProposalType::GROUP_CONTEXT_EXTENSIONS),
    ] {
        // The cases leave out the type that a proposal begins with.
        let typed = [&kind.0.to_be_bytes(), case.bytes(field)?.as_slice()].concat();
        let proposal: Proposal = decode("a proposal", &typed).map_err(|e| place(field, &e))?;
        let encoded = encode(&proposal).map_err(|e| place(field, &e))?;
        case.expect(field, encoded.get(2..).unwrap_or_default())?;
    }
    Ok(())
}

fn place(field: &str, error: &impl std::fmt::Display) -> String {
    format!("field `{field}`: {error}")
}

/// Decodes a field and compares what it encodes to.
fn same<T: DeserializeBytes + Serialize>(
    case: &Case<'_>,
    field: &str,
    bytes: &[u8],
) -> Result<T, String> {
    let value: T = decode("this structure", bytes).map_err(|error| place(field, &error))?;
    case.expect(field, &encode(&value).map_err(|error| place(field, &error))?)?;
    Ok(value)
}

/// A public message holds the content that its field names.
fn check_content(field: &str, message: &MlsMessage) -> Result<(), String> {
    let MlsMessage::Public(message) = message else { return Ok(()) };
    let expected = match field {
        "public_message_application" => ContentType::Application,
        "public_message_proposal" => ContentType::Proposal,
        _ => ContentType::Commit,
    };
    let content: &Content = &message.content.content;
    if content.content_type() == expected {
        Ok(())
    } else {
        Err(format!("field `{field}` holds another content"))
    }
}
