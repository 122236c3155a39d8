//! welcome: opening a Welcome (RFC 9420 §12.4.3.1).

use arboretum_engine::codec::decode;
use arboretum_engine::crypto::{Crypto, SignaturePublicKey};
use arboretum_engine::group::OpenedWelcome;
use arboretum_engine::treedem::MlsMessage;
use arboretum_engine::treekem::PskStore;
use arboretum_engine::treesync::KeyPackageSecrets;

use super::case::Case;

pub(super) fn check(crypto: &Crypto<'_>, case: &Case<'_>) -> Result<(), String> {
    let message = |field: &str| -> Result<MlsMessage, String> {
        let decoded = decode("an MLS message", &case.bytes(field)?);
        decoded.map_err(|error| format!("field `{field}`: {error}"))
    };
    let MlsMessage::KeyPackage(package) = message("key_package")? else {
        return Err("field `key_package` holds another message".into());
    };
    let MlsMessage::Welcome(welcome) = message("welcome")? else {
        return Err("field `welcome` holds another message".into());
    };
    let init = crypto.provider().key_pair(&case.bytes("init_priv")?).map_err(|e| e.to_string())?;
    if init.public != package.init_key {
        return Err("`init_priv` does not belong to the key package".into());
    }
    // The leaf's private key is not part of the case, and opening a Welcome does not use it.
    let secrets = KeyPackageSecrets { encryption: init.clone(), init };
    let opened = OpenedWelcome::open(crypto, &welcome, &package, &secrets, &PskStore::default());
    let opened = opened.map_err(|error| error.to_string())?;
    let signer = SignaturePublicKey::from(case.bytes("signer_pub")?);
    opened.group_info.verify(crypto, &signer).map_err(|error| error.to_string())?;
    opened.epoch_secrets(crypto).map(|_| ()).map_err(|error| error.to_string())
}
