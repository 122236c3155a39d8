//! secret-tree: sender data keys and the sender ratchets (RFC 9420 §6.3.2, §9).

use arboretum_engine::crypto::Crypto;
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treedem::{RatchetType, SecretTree, sender_data_key};
use serde_json::Value;

use super::case::Case;

pub(super) fn check(crypto: &Crypto<'_>, case: &Case<'_>) -> Result<(), String> {
    let sender = case.object("sender_data")?;
    let (secret, ciphertext) = (sender.secret("sender_data_secret")?, sender.bytes("ciphertext")?);
    let (key, nonce) = sender_data_key(crypto, &secret, &ciphertext).map_err(|e| e.to_string())?;
    sender.expect("key", key.as_slice())?;
    sender.expect("nonce", nonce.as_slice())?;

    let leaves = case.list("leaves")?;
    let width = u32::try_from(leaves.len()).map_err(|_| "more leaves than a tree has")?;
    let width = width.checked_next_power_of_two().ok_or("more leaves than a tree has")?;
    let mut tree = SecretTree::new(case.secret("encryption_secret")?, width);
    for (leaf, generations) in (0..).map(LeafIndex).zip(leaves) {
        let generations = generations.as_array().ok_or("a leaf is not a list")?;
        check_leaf(crypto, &mut tree, leaf, generations)
            .map_err(|what| format!("{leaf}: {what}"))?;
    }
    Ok(())
}

fn check_leaf(
    crypto: &Crypto<'_>,
    tree: &mut SecretTree,
    leaf: LeafIndex,
    generations: &[Value],
) -> Result<(), String> {
    for entry in generations.iter().map(Case::new) {
        let generation = entry.index("generation")?;
        for (kind, key, nonce) in [
            (RatchetType::Handshake, "handshake_key", "handshake_nonce"),
            (RatchetType::Application, "application_key", "application_nonce"),
        ] {
            let found = tree.key(crypto, leaf, kind, generation);
            let (found, used) = found.map_err(|error| error.to_string())?;
            tree.consume(used);
            entry.expect(key, found.key.as_slice())?;
            entry.expect(nonce, found.nonce.as_slice())?;
        }
    }
    Ok(())
}
