//! treekem: update paths processed and created (RFC 9420 §7.4 to §7.6).

use std::collections::BTreeMap;
use std::sync::Arc;

use arboretum_engine::codec::decode;
use arboretum_engine::crypto::{Crypto, Digest, HpkeKeyPair, Secret, SignaturePrivateKey};
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treekem::{NewPath, PathSecret, PrivateKeys, UpdatePath, merge_path};
use arboretum_engine::treesync::{LeafNode, LeafNodeSource, RatchetTree, decode_tree, tree_hash};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::case::{Case, hex_item};
use super::schedule::context;

/// What a member of the case holds.
struct Private {
    keys: PrivateKeys,
    signer: SignaturePrivateKey,
}

/// A case with its parts read.
struct Group<'c> {
    crypto: &'c Crypto<'c>,
    case: &'c Case<'c>,
    tree: RatchetTree,
    members: BTreeMap<LeafIndex, Private>,
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

pub(super) fn check(crypto: &Crypto<'_>, case: &Case<'_>) -> Result<(), String> {
    let tree = decode_tree(&case.bytes("ratchet_tree")?).map_err(text)?;
    // Hashes are cached by the tree, so each path is checked against the same ones.
    tree_hash(crypto, &tree);
    let mut group = Group { crypto, case, tree, members: BTreeMap::new() };
    for private in case.cases("leaves_private")? {
        let leaf = LeafIndex(private.index("index")?);
        let read = group.private(leaf, &private).map_err(|what| format!("{leaf}: {what}"))?;
        group.members.insert(leaf, read);
    }
    for path in case.cases("update_paths")? {
        let sender = LeafIndex(path.index("sender")?);
        let in_path = |what| format!("path of {sender}: {what}");
        group.process(&path, sender).map_err(in_path)?;
        group.create(sender).map_err(in_path)?;
    }
    Ok(())
}

impl Group<'_> {
    /// Reads a member's private state; every key must be that of a node that is not blank.
    fn private(&self, leaf: LeafIndex, private: &Case<'_>) -> Result<Private, String> {
        let provider = self.crypto.provider();
        let own = provider.key_pair(&private.bytes("encryption_priv")?).map_err(text)?;
        let in_tree = self.tree.leaf(leaf).ok_or("the leaf is blank")?;
        if in_tree.encryption_key != own.public {
            return Err("`encryption_priv` is not the key of the leaf".into());
        }
        let mut by_node: BTreeMap<u64, HpkeKeyPair> = BTreeMap::new();
        for entry in private.cases("path_secrets")? {
            let secret = PathSecret(entry.secret("path_secret")?);
            by_node.insert(entry.number("node")?, secret.key_pair(self.crypto).map_err(text)?);
        }
        let mut keys = PrivateKeys::of_leaf(own);
        for step in self.tree.direct_path(leaf).map_err(text)? {
            let node = 2 * step.node.first_leaf().0 + step.node.aggregates().width - 1;
            let Some(pair) = by_node.remove(&node.into()) else { continue };
            let parent = step.node.parent().ok_or(format!("node {node} is blank"))?;
            if parent.encryption_key != pair.public {
                return Err(format!("the path secret of node {node} gives another key"));
            }
            keys.extend([pair]);
        }
        if let Some(node) = by_node.keys().next() {
            return Err(format!("node {node} is not above the leaf"));
        }
        let signer = SignaturePrivateKey::from(private.bytes("signature_priv")?.as_slice());
        Ok(Private { keys, signer })
    }

    fn context(&self, tree_hash: Digest) -> Result<Vec<u8>, String> {
        let (group_id, epoch) = (self.case.bytes("group_id")?, self.case.number("epoch")?);
        let confirmed = self.case.digest("confirmed_transcript_hash")?;
        let suite = self.crypto.cipher_suite();
        Ok(context(suite, group_id, epoch, tree_hash, confirmed).encoded())
    }

    /// The tree with a path merged; `leaf` makes the new leaf for its parent hash.
    fn merged(
        &self,
        sender: LeafIndex,
        keys: &[arboretum_engine::crypto::HpkePublicKey],
        leaf: impl FnOnce(Digest) -> Result<LeafNode, String>,
    ) -> Result<RatchetTree, String> {
        let merged = merge_path(self.crypto, &self.tree, sender, keys).map_err(text)?;
        let leaf = leaf(merged.leaf_parent_hash)?;
        let mut tree = self.tree.clone();
        tree.set_path(sender, Arc::new(leaf), merged.parents).map_err(text)?;
        Ok(tree)
    }

    /// Every other member processes the path of the case.
    fn process(&self, case: &Case<'_>, sender: LeafIndex) -> Result<(), String> {
        let path: UpdatePath =
            decode("an update path", &case.bytes("update_path")?).map_err(text)?;
        path.check_counts(&self.tree, sender, &[]).map_err(text)?;
        let tree = self.merged(sender, &path.public_keys(), |parent_hash| {
            if path.leaf_node.parent_hash() == Some(&parent_hash) {
                Ok(path.leaf_node.clone())
            } else {
                Err("the path is not parent-hash valid".into())
            }
        })?;
        let hash = tree_hash(self.crypto, &tree);
        case.expect("tree_hash_after", hash.as_slice())?;
        let context = self.context(hash)?;
        let path_secrets = case.list("path_secrets")?;
        let commit_secret = case.secret("commit_secret")?;
        for (leaf, _) in self.tree.root().leaves() {
            if leaf == sender {
                continue;
            }
            let given = path_secrets.get(leaf.0 as usize).ok_or("`path_secrets` is too short")?;
            let given = PathSecret(Secret::from(hex_item(given)?));
            let opened = self.open(&path, sender, leaf, &context)?;
            let lowest = given.key_pair(self.crypto).map_err(text)?;
            if opened.0 != Some(lowest) || opened.1 != commit_secret {
                return Err(format!("{leaf} arrives at other secrets"));
            }
        }
        Ok(())
    }

    /// Opens a path as a member: the lowest key pair it learns, and the commit secret.
    fn open(
        &self,
        path: &UpdatePath,
        sender: LeafIndex,
        leaf: LeafIndex,
        context: &[u8],
    ) -> Result<(Option<HpkeKeyPair>, Secret), String> {
        let member = self.members.get(&leaf).ok_or(format!("{leaf} has no private state"))?;
        let opened =
            path.decrypt(self.crypto, &self.tree, sender, leaf, &member.keys, &[], context);
        let opened = opened.map_err(|error| format!("{leaf}: {error}"))?;
        Ok((opened.key_pairs.into_iter().next(), opened.commit_secret))
    }

    /// A new path of the same sender, which every other member must be able to process.
    fn create(&self, sender: LeafIndex) -> Result<(), String> {
        let member = self.members.get(&sender).ok_or("the sender has no private state")?;
        let length = self.tree.filtered_direct_path(sender).map_err(text)?.len();
        let new = NewPath::generate(self.crypto, length, &[9; 32]).map_err(text)?;
        let group_id = self.case.bytes("group_id")?;
        let old = self.tree.leaf(sender).ok_or("the sender's leaf is blank")?;
        let mut leaf_node = LeafNode::clone(old);
        let tree = self.merged(sender, &new.public_keys(), |parent_hash| {
            leaf_node.encryption_key = new.leaf.public.clone();
            leaf_node.leaf_node_source = LeafNodeSource::Commit(parent_hash);
            leaf_node.sign(self.crypto, &member.signer, &group_id, sender).map_err(text)?;
            Ok(leaf_node.clone())
        })?;
        let signed = leaf_node.signed(&group_id, sender).map_err(text)?;
        self.crypto.verify_all_with_label(&[signed]).map_err(text)?;
        let context = self.context(tree_hash(self.crypto, &tree))?;
        let mut rng = ChaCha20Rng::from_seed([11; 32]);
        let nodes =
            new.encrypt(self.crypto, &self.tree, sender, &[], &context, &mut rng).map_err(text)?;
        let path = UpdatePath { leaf_node: leaf_node.clone(), nodes };
        for (leaf, _) in self.tree.root().leaves() {
            if leaf != sender && self.open(&path, sender, leaf, &context)?.1 != new.commit_secret {
                return Err(format!("{leaf} arrives at another commit secret on a new path"));
            }
        }
        Ok(())
    }
}
