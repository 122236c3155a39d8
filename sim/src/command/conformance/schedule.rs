//! key-schedule, transcript-hashes and psk_secret (RFC 9420 §8, §8.2, §8.4).

use arboretum_engine::codec::{decode, encode};
use arboretum_engine::crypto::{CipherSuite, Crypto, CryptoError, Digest, Secret, Signature};
use arboretum_engine::group::{confirmed_transcript_hash, interim_transcript_hash};
use arboretum_engine::treedem::{Content, FramedContent, WireFormat};
use arboretum_engine::treekem::{GroupContext, JoinerSecret, PskStore};
use arboretum_engine::treesync::{PreSharedKeyId, ProtocolVersion, PskType};
use tls_codec::DeserializeBytes;

use super::case::Case;

/// A group context with these fields and no extensions.
pub(super) fn context(
    cipher_suite: CipherSuite,
    group_id: Vec<u8>,
    epoch: u64,
    tree_hash: Digest,
    confirmed: Digest,
) -> GroupContext {
    GroupContext {
        version: ProtocolVersion::MLS10,
        cipher_suite,
        group_id: group_id.into(),
        epoch,
        tree_hash,
        confirmed_transcript_hash: confirmed,
        extensions: vec![],
    }
}

pub(super) fn epochs(crypto: &Crypto<'_>, case: &Case<'_>) -> Result<(), String> {
    let mut init = case.secret("initial_init_secret")?;
    for (number, epoch) in (0..).zip(case.cases("epochs")?) {
        let checked = check_epoch(crypto, case, &epoch, number, &init);
        init = checked.map_err(|what| format!("epoch {number}: {what}"))?;
    }
    Ok(())
}

fn check_epoch(
    crypto: &Crypto<'_>,
    case: &Case<'_>,
    epoch: &Case<'_>,
    number: u64,
    init: &Secret,
) -> Result<Secret, String> {
    let fail = |error: CryptoError| error.to_string();
    let confirmed = epoch.digest("confirmed_transcript_hash")?;
    let group_id = case.bytes("group_id")?;
    let (suite, tree_hash) = (crypto.cipher_suite(), epoch.digest("tree_hash")?);
    let context = context(suite, group_id, number, tree_hash, confirmed).encoded();
    epoch.expect("group_context", &context)?;
    let (commit_secret, psk) = (epoch.secret("commit_secret")?, epoch.secret("psk_secret")?);
    let joiner = JoinerSecret::derive(crypto, init, &commit_secret, &context).map_err(fail)?;
    epoch.expect("joiner_secret", joiner.0.as_slice())?;
    epoch.expect("welcome_secret", joiner.welcome_secret(crypto, &psk).as_slice())?;
    let secrets = joiner.epoch_secrets(crypto, &psk, &context).map_err(fail)?;
    for (field, found) in [
        ("init_secret", &secrets.init_secret),
        ("sender_data_secret", &secrets.sender_data_secret),
        ("encryption_secret", &secrets.encryption_secret),
        ("exporter_secret", &secrets.exporter_secret),
        ("epoch_authenticator", &secrets.epoch_authenticator),
        ("external_secret", &secrets.external_secret),
        ("confirmation_key", &secrets.confirmation_key),
        ("membership_key", &secrets.membership_key),
        ("resumption_psk", &secrets.resumption_psk),
    ] {
        epoch.expect(field, found.as_slice())?;
    }
    let external = secrets.external_key_pair(crypto).map_err(fail)?;
    epoch.expect("external_pub", external.public.as_slice())?;
    let exporter = epoch.object("exporter")?;
    let (label, length) = (exporter.text("label")?, exporter.index("length")? as usize);
    let exported = secrets.export(crypto, label, &exporter.bytes("context")?, length);
    exporter.expect("secret", exported.map_err(fail)?.as_slice())?;
    Ok(secrets.init_secret.clone())
}

pub(super) fn transcript(crypto: &Crypto<'_>, case: &Case<'_>) -> Result<(), String> {
    let bytes = case.bytes("authenticated_content")?;
    let malformed = |error: tls_codec::Error| format!("field `authenticated_content`: {error}");
    let (wire_format, rest) = WireFormat::tls_deserialize_bytes(&bytes).map_err(malformed)?;
    let (content, rest) = FramedContent::tls_deserialize_bytes(rest).map_err(malformed)?;
    let (signature, rest) = Signature::tls_deserialize_bytes(rest).map_err(malformed)?;
    if !matches!(content.content, Content::Commit(_)) {
        return Err("field `authenticated_content` holds no commit".into());
    }
    let tag: Digest = decode("a confirmation tag", rest).map_err(|error| error.to_string())?;
    let content = encode(&content).map_err(|error| error.to_string())?;
    let before = case.digest("interim_transcript_hash_before")?;
    let confirmed = confirmed_transcript_hash(crypto, &before, wire_format, &content, &signature);
    let confirmed = confirmed.map_err(|error| error.to_string())?;
    case.expect("confirmed_transcript_hash_after", confirmed.as_slice())?;
    if crypto.mac(&case.secret("confirmation_key")?, confirmed.as_slice()) != tag {
        return Err("the confirmation tag is not a MAC of the confirmed transcript hash".into());
    }
    let interim = interim_transcript_hash(crypto, &confirmed, &tag);
    case.expect("interim_transcript_hash_after", interim.map_err(|e| e.to_string())?.as_slice())
}

pub(super) fn psk_secret(crypto: &Crypto<'_>, case: &Case<'_>) -> Result<(), String> {
    let (mut store, mut ids) = (PskStore::default(), vec![]);
    for psk in case.cases("psks")? {
        let id = psk.bytes("psk_id")?;
        store.insert_external(id.clone(), psk.secret("psk")?);
        let psk_nonce = psk.bytes("psk_nonce")?.into();
        ids.push(PreSharedKeyId { psk_type: PskType::External(id.into()), psk_nonce });
    }
    let secret = store.psk_secret(crypto, &ids).map_err(|error| error.to_string())?;
    case.expect("psk_secret", secret.as_slice())
}
