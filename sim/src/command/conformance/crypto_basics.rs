//! crypto-basics: the labelled operations (RFC 9420 §5.1, §5.2, §8, §9).

use arboretum_engine::crypto::{
    Crypto, HpkeCiphertext, HpkePublicKey, Signature, SignaturePrivateKey, SignaturePublicKey,
};

use super::case::Case;

pub(super) fn check(crypto: &Crypto<'_>, case: &Case<'_>) -> Result<(), String> {
    let hash = case.object("ref_hash")?;
    let found = crypto.ref_hash(hash.text("label")?, &hash.bytes("value")?);
    hash.expect("out", found.as_slice())?;

    let expand = case.object("expand_with_label")?;
    let (secret, context) = (expand.secret("secret")?, expand.bytes("context")?);
    let length = expand.index("length")? as usize;
    let found = crypto.expand_with_label(&secret, expand.text("label")?, &context, length);
    expand.expect("out", found.map_err(|e| e.to_string())?.as_slice())?;

    let derive = case.object("derive_secret")?;
    let found = crypto.derive_secret(&derive.secret("secret")?, derive.text("label")?);
    derive.expect("out", found.as_slice())?;

    let tree = case.object("derive_tree_secret")?;
    let (secret, length) = (tree.secret("secret")?, tree.index("length")? as usize);
    let generation = tree.index("generation")?;
    let found = crypto.derive_tree_secret(&secret, tree.text("label")?, generation, length);
    tree.expect("out", found.map_err(|e| e.to_string())?.as_slice())?;

    signature(crypto, &case.object("sign_with_label")?)?;
    encryption(crypto, &case.object("encrypt_with_label")?)
}

fn signature(crypto: &Crypto<'_>, case: &Case<'_>) -> Result<(), String> {
    let key = SignaturePublicKey::from(case.bytes("pub")?);
    let private = SignaturePrivateKey::from(case.bytes("priv")?.as_slice());
    let (label, content) = (case.text("label")?, case.bytes("content")?);
    let verify = |signature: &Signature| {
        let verified = crypto.verify_with_label(&key, label, &content, signature);
        verified.map_err(|error| error.to_string())
    };
    verify(&Signature::from(case.bytes("signature")?))?;
    let own = crypto.sign_with_label(&private, label, &content);
    verify(&own.map_err(|error| error.to_string())?)
}

fn encryption(crypto: &Crypto<'_>, case: &Case<'_>) -> Result<(), String> {
    let pair = crypto.provider().key_pair(&case.bytes("priv")?).map_err(|e| e.to_string())?;
    case.expect("pub", pair.public.as_slice())?;
    let (label, context) = (case.text("label")?, case.bytes("context")?);
    let plaintext = case.bytes("plaintext")?;
    let open = |ciphertext: &HpkeCiphertext| {
        let opened = crypto.decrypt_with_label(&pair, label, &context, ciphertext);
        case.expect("plaintext", opened.map_err(|error| error.to_string())?.as_slice())
    };
    open(&HpkeCiphertext {
        kem_output: case.bytes("kem_output")?.into(),
        ciphertext: case.bytes("ciphertext")?.into(),
    })?;
    let key = HpkePublicKey::from(case.bytes("pub")?);
    let own = crypto.encrypt_with_label(&key, label, &context, &plaintext, &[7; 32]);
    open(&own.map_err(|error| error.to_string())?)
}
