//! passive-client: a client joins by a Welcome and follows the group (RFC 9420 §12).

use arboretum_engine::codec::decode;
use arboretum_engine::crypto::{
    Crypto, HpkeKeyPair, SignatureKeyPair, SignaturePrivateKey, SignedItem,
};
use arboretum_engine::group::{Joining, Received, Session};
use arboretum_engine::treedem::MlsMessage;
use arboretum_engine::treekem::PskStore;
use arboretum_engine::treesync::{KeyPackage, KeyPackageSecrets, decode_tree};

use super::case::{Case, hex_item};

pub(super) fn check(crypto: &Crypto<'_>, case: &Case<'_>) -> Result<(), String> {
    let mut session = join(crypto, case)?;
    case.expect("initial_epoch_authenticator", session.epoch_authenticator().as_slice())?;
    for (number, epoch) in (1..).zip(case.cases("epochs")?) {
        let followed = follow(crypto, &mut session, &epoch);
        followed.map_err(|what| format!("epoch {number}: {what}"))?;
    }
    Ok(())
}

fn follow(crypto: &Crypto<'_>, session: &mut Session, epoch: &Case<'_>) -> Result<(), String> {
    for proposal in epoch.list("proposals")? {
        let received = session.receive(crypto, &hex_item(proposal)?).map_err(text)?;
        if !matches!(received, Received::Proposal { .. }) {
            return Err("a message among `proposals` is none".into());
        }
    }
    let received = session.receive(crypto, &epoch.bytes("commit")?).map_err(text)?;
    if !matches!(received, Received::Commit { .. }) {
        return Err("`commit` is none that this client stays in the group by".into());
    }
    epoch.expect("epoch_authenticator", session.epoch_authenticator().as_slice())
}

fn join(crypto: &Crypto<'_>, case: &Case<'_>) -> Result<Session, String> {
    let MlsMessage::KeyPackage(package) =
        decode("an MLS message", &case.bytes("key_package")?).map_err(text)?
    else {
        return Err("field `key_package` holds another message".into());
    };
    let secrets = KeyPackageSecrets {
        init: pair(crypto, case, "init_priv")?,
        encryption: pair(crypto, case, "encryption_priv")?,
    };
    if secrets.init.public != package.init_key {
        return Err("`init_priv` does not belong to the key package".into());
    }
    if secrets.encryption.public != package.leaf_node.encryption_key {
        return Err("`encryption_priv` does not belong to the key package".into());
    }
    let signer = signer(crypto, case, &package)?;
    let mut psks = PskStore::default();
    for psk in case.cases("external_psks")? {
        psks.insert_external(psk.bytes("psk_id")?, psk.secret("psk")?);
    }
    let tree = case.optional_bytes("ratchet_tree")?;
    let tree = tree.map(|tree| decode_tree(&tree)).transpose().map_err(text)?;
    let joining = Joining { psks, tree, ..Joining::new(signer, &package, &secrets) };
    Session::join(crypto, &case.bytes("welcome")?, joining).map_err(text)
}

fn pair(crypto: &Crypto<'_>, case: &Case<'_>, field: &str) -> Result<HpkeKeyPair, String> {
    let pair = crypto.provider().key_pair(&case.bytes(field)?);
    pair.map_err(|error| format!("field `{field}`: {error}"))
}

/// The client's signature key pair; that its halves belong together shows in a signature.
fn signer(
    crypto: &Crypto<'_>,
    case: &Case<'_>,
    package: &KeyPackage,
) -> Result<SignatureKeyPair, String> {
    let private = SignaturePrivateKey::from(case.bytes("signature_priv")?.as_slice());
    let public = package.leaf_node.signature_key.clone();
    let provider = crypto.provider();
    let signature = provider.sign(&private, b"probe").map_err(text)?;
    let item = SignedItem { key: &public, content: b"probe", signature: &signature };
    provider.verify(item).map_err(|_| "`signature_priv` does not belong to the key package")?;
    Ok(SignatureKeyPair { private, public })
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
