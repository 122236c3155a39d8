//! Update paths: path secrets, their encryption to the copath, and the merge of a path into
//! the public tree (RFC 9420 §7.4, §7.5, §7.6).

use std::sync::Arc;

use rand_core::Rng;
use tls_codec::{TlsDeserializeBytes, TlsSerialize, TlsSize};

use super::ciphertexts::Ciphertexts;
use super::private_keys::PrivateKeys;
use crate::codec::CodecError;
use crate::crypto::{
    Crypto, CryptoError, Digest, HpkeKeyPair, HpkePublicKey, Sealed, Secret, Seed,
};
use crate::tree::{LeafIndex, OutsideTree, PathStep, Resolved, Subtree};
use crate::treesync::{LeafNode, ParentNode, RatchetData, RatchetTree, copath_hash, parent_hash};

const LABEL: &str = "UpdatePathNode";

/// `UpdatePathNode`.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct UpdatePathNode {
    /// The node's new key.
    pub encryption_key: HpkePublicKey,
    /// Its path secret, once for each key in the resolution of the copath.
    pub encrypted_path_secret: Ciphertexts,
}

/// `UpdatePath`.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct UpdatePath {
    /// The sender's new leaf.
    pub leaf_node: LeafNode,
    /// The filtered direct path, from the lowest node.
    pub nodes: Vec<UpdatePathNode>,
}

/// The rule that an update path breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It does not have one entry for each node of the filtered direct path.
    #[error(
        "the path has {found} nodes where the filtered direct path has {expected} (RFC 9420 §7.6)"
    )]
    Nodes {
        /// Entries expected.
        expected: usize,
        /// Entries found.
        found: usize,
    },
    /// It does not have one entry for each refreshed parent.
    #[error("the path has {found} nodes where {expected} parents are refreshed (removal=taint)")]
    Refreshed {
        /// Entries expected.
        expected: usize,
        /// Entries found.
        found: usize,
    },
    /// A Welcome does not lead to every key above the new leaf.
    #[error(
        "the Welcome leads to {found} keys where {expected} stand above the leaf (removal=taint)"
    )]
    Told {
        /// Keys expected.
        expected: usize,
        /// Keys found.
        found: usize,
    },
    /// A node does not have one ciphertext for each key in its copath's resolution.
    #[error(
        "node {node} has {found} ciphertexts where the resolution has {expected} (RFC 9420 §7.6)"
    )]
    Ciphertexts {
        /// Its position on the path.
        node: usize,
        /// Ciphertexts expected.
        expected: usize,
        /// Ciphertexts found.
        found: usize,
    },
    /// The leaf's parent hash is not that of the path.
    #[error("the leaf's parent hash is not that of its path (RFC 9420 §7.9.2)")]
    ParentHash,
    /// A path secret does not give the announced public key.
    #[error("the path secret of node {0} gives another public key (RFC 9420 §7.5)")]
    PublicKey(usize),
    /// The recipient has no key to open the path with.
    #[error("no ciphertext of the path is for {0}")]
    NotForMe(LeafIndex),
    /// A primitive refused.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// A leaf lies outside the tree.
    #[error(transparent)]
    Outside(#[from] OutsideTree),
    /// The path is longer than a vector of RFC 9420.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// A path secret in hand: what is derived from it, and where it leads.
#[derive(Clone, Debug)]
pub struct PathSecret(pub Secret);

impl PathSecret {
    /// `DeriveSecret(., "path")`: the secret of the next node up, or after the last the
    /// commit secret.
    pub fn next(&self, crypto: &Crypto<'_>) -> Self {
        Self(crypto.derive_secret(&self.0, "path"))
    }

    /// The node's key pair.
    pub fn key_pair(&self, crypto: &Crypto<'_>) -> Result<HpkeKeyPair, CryptoError> {
        crypto.derive_key_pair(&crypto.derive_secret(&self.0, "node"))
    }
}

/// The entries of a node's copath that its path secret is encrypted to, new leaves left
/// out, in sending order.
pub fn recipients<'t>(
    step: &PathStep<'t, RatchetData>,
    added: &[LeafIndex],
) -> Vec<Resolved<'t, RatchetData>> {
    let is_new = |entry: &Resolved<'_, RatchetData>| matches!(entry, Resolved::Leaf(leaf, _) if added.binary_search(leaf).is_ok());
    let entries = step.copath.iter().flat_map(Subtree::resolution);
    entries.filter(|entry| !is_new(entry)).collect()
}

/// How many ciphertexts a node must carry: from the aggregates, but for the new leaves, which are
/// looked for below each child.
pub fn expected_ciphertexts(step: &PathStep<'_, RatchetData>, added: &[LeafIndex]) -> usize {
    step.copath.iter().map(|child| child.resolution_without(added)).sum()
}

/// The ciphertext of a path that is for a member.
pub(super) struct Addressed<'t> {
    /// The position of its node on the filtered direct path.
    pub(super) node: usize,
    /// Its position in the node.
    pub(super) position: usize,
    /// The key that it is encrypted to.
    pub(super) key: &'t HpkePublicKey,
}

/// Which ciphertext of a filtered direct path is for a member; none if nobody sends the
/// member anything.
pub(super) fn addressed<'t>(
    path: &[PathStep<'t, RatchetData>],
    member: LeafIndex,
    added: &[LeafIndex],
) -> Option<Addressed<'t>> {
    let of_step = |step: &PathStep<'t, RatchetData>| {
        step.copath.iter().find(|child| child.contains(member)).copied()
    };
    let mut steps = path.iter().enumerate();
    let (node, step, child) = steps.find_map(|(node, step)| Some((node, step, of_step(step)?)))?;
    let earlier = step.copath.iter().take_while(|other| other.position() < child.position());
    let before: usize = earlier.map(|earlier| earlier.resolution_without(added)).sum();
    let found = child.locate(member, added)?;
    Some(Addressed { node, position: before + found.position, key: key_of(&found.entry) })
}

/// The key of a resolution's entry.
pub(crate) fn key_of<'t>(entry: &Resolved<'t, RatchetData>) -> &'t HpkePublicKey {
    match entry {
        Resolved::Parent(parent) => &parent.encryption_key,
        Resolved::Leaf(_, leaf) => &leaf.encryption_key,
    }
}

/// The parents of a path that has been merged: one entry for each node of the direct path,
/// `None` where the filter leaves it blank; and the parent hash that the leaf must carry.
#[derive(Clone, Debug, Default)]
pub struct MergedPath {
    /// The direct path, from the lowest node.
    pub parents: Vec<Option<Arc<ParentNode>>>,
    /// The leaf's parent hash.
    pub leaf_parent_hash: Digest,
}

/// Gives the keys of a path their places above `sender`, and computes the parent hashes from
/// the root down (RFC 9420 §7.5); they stay empty where a strategy has none.
pub fn merge_path(
    crypto: &Crypto<'_>,
    tree: &RatchetTree,
    sender: LeafIndex,
    keys: &[HpkePublicKey],
) -> Result<MergedPath, PathError> {
    let path = tree.direct_path(sender)?;
    let expected = path.iter().filter(|step| !step.is_filtered_out()).count();
    if expected != keys.len() {
        return Err(PathError::Nodes { expected, found: keys.len() });
    }
    let mut above = Digest::EMPTY;
    let mut keys = keys.iter().rev();
    let mut parents = Vec::with_capacity(path.len());
    for step in path.iter().rev() {
        let key = if step.is_filtered_out() { None } else { keys.next() };
        parents.push(key.map(|key| {
            let parent = ParentNode {
                encryption_key: key.clone(),
                parent_hash: above,
                unmerged_leaves: vec![],
                tainted_by: None,
            };
            if tree.shape().has_parent_hashes() {
                let copath = copath_hash(crypto, tree.shape(), step.copath.iter().copied(), &[]);
                above = parent_hash(crypto, key, parent.parent_hash, copath);
            }
            Arc::new(parent)
        }));
    }
    parents.reverse();
    Ok(MergedPath { parents, leaf_parent_hash: above })
}

/// A path that its sender has just drawn: its secrets, and the keys that follow from them.
#[derive(Clone, Debug)]
pub struct NewPath {
    /// The leaf's new key pair.
    pub leaf: HpkeKeyPair,
    /// One secret for each node of the filtered direct path, from the lowest.
    pub secrets: Vec<PathSecret>,
    /// Their key pairs.
    pub key_pairs: Vec<HpkeKeyPair>,
    /// What the last secret leads to.
    pub commit_secret: Secret,
}

impl NewPath {
    /// Draws a path of `length` nodes from one seed.
    pub fn generate(crypto: &Crypto<'_>, length: usize, seed: &Seed) -> Result<Self, CryptoError> {
        let seed = Secret::from(seed.as_slice());
        let leaf = crypto.derive_key_pair(&crypto.derive_secret(&seed, "leaf"))?;
        let mut secret = PathSecret(crypto.derive_secret(&seed, "path"));
        let mut path =
            Self { leaf, secrets: vec![], key_pairs: vec![], commit_secret: crypto.zero() };
        for _ in 0..length {
            path.key_pairs.push(secret.key_pair(crypto)?);
            let next = secret.next(crypto);
            path.secrets.push(std::mem::replace(&mut secret, next));
        }
        path.commit_secret = secret.0;
        Ok(path)
    }

    /// The public keys, from the lowest.
    pub fn public_keys(&self) -> Vec<HpkePublicKey> {
        self.key_pairs.iter().map(|pair| pair.public.clone()).collect()
    }

    /// Encrypts the path secrets to the copath of `sender` in the tree before the path, under
    /// the provisional group context. Ephemeral keys come from `rng`, in sending order.
    pub fn encrypt(
        &self,
        crypto: &Crypto<'_>,
        tree: &RatchetTree,
        sender: LeafIndex,
        added: &[LeafIndex],
        context: &[u8],
        rng: &mut dyn Rng,
    ) -> Result<Vec<UpdatePathNode>, PathError> {
        let path = tree.filtered_direct_path(sender)?;
        let keys = |step| recipients(step, added).iter().map(key_of).collect();
        let to: Vec<Vec<&HpkePublicKey>> = path.iter().map(keys).collect();
        self.seal(crypto, &to, context, rng)
    }

    /// Encrypts the secret of each node to so many keys.
    pub(super) fn seal(
        &self,
        crypto: &Crypto<'_>,
        to: &[Vec<&HpkePublicKey>],
        context: &[u8],
        rng: &mut dyn Rng,
    ) -> Result<Vec<UpdatePathNode>, PathError> {
        let mut items = vec![];
        for (keys, secret) in to.iter().zip(&self.secrets) {
            items.extend(keys.iter().map(|key| {
                let mut seed = Seed::default();
                rng.fill_bytes(&mut seed);
                Sealed { to: key, plaintext: secret.0.as_slice(), seed }
            }));
        }
        let mut sealed = crypto.encrypt_all_with_label(LABEL, context, &items)?.into_iter();
        let node = |(pair, keys): (&HpkeKeyPair, &Vec<_>)| {
            Ok(UpdatePathNode {
                encryption_key: pair.public.clone(),
                encrypted_path_secret: Ciphertexts::new(sealed.by_ref().take(keys.len()))?,
            })
        };
        self.key_pairs.iter().zip(to).map(node).collect()
    }
}

/// What a recipient gets from a path.
#[derive(Clone, Debug)]
pub struct OpenedPath {
    /// The position on the filtered direct path of the node whose secret was decrypted.
    pub lowest: usize,
    /// The key pairs from that node to the root.
    pub key_pairs: Vec<HpkeKeyPair>,
    /// What the last secret leads to.
    pub commit_secret: Secret,
}

impl UpdatePath {
    /// Checks the number of nodes and ciphertexts against the tree before the path.
    pub fn check_counts(
        &self,
        tree: &RatchetTree,
        sender: LeafIndex,
        added: &[LeafIndex],
    ) -> Result<(), PathError> {
        let path = tree.filtered_direct_path(sender)?;
        if path.len() != self.nodes.len() {
            return Err(PathError::Nodes { expected: path.len(), found: self.nodes.len() });
        }
        for (node, (step, sent)) in path.iter().zip(&self.nodes).enumerate() {
            let expected = expected_ciphertexts(step, added);
            let found = sent.encrypted_path_secret.len();
            if expected != found {
                return Err(PathError::Ciphertexts { node, expected, found });
            }
        }
        Ok(())
    }

    /// The public keys, from the lowest.
    pub fn public_keys(&self) -> Vec<HpkePublicKey> {
        self.nodes.iter().map(|node| node.encryption_key.clone()).collect()
    }

    /// All ciphertexts.
    pub fn ciphertexts(&self) -> usize {
        self.nodes.iter().map(|node| node.encrypted_path_secret.len()).sum()
    }

    /// Opens one ciphertext of one node.
    pub fn open(
        &self,
        crypto: &Crypto<'_>,
        key: &HpkeKeyPair,
        node: usize,
        position: usize,
        context: &[u8],
    ) -> Result<PathSecret, CryptoError> {
        let ciphertext = self.nodes.get(node).and_then(|n| n.encrypted_path_secret.get(position));
        let ciphertext = ciphertext.ok_or(CryptoError::BadCiphertext)?;
        Ok(PathSecret(crypto.decrypt_with_label(key, LABEL, context, &ciphertext)?))
    }

    /// Opens the one ciphertext that is for `member`, and derives everything above it.
    pub fn decrypt(
        &self,
        crypto: &Crypto<'_>,
        tree: &RatchetTree,
        sender: LeafIndex,
        member: LeafIndex,
        keys: &PrivateKeys,
        added: &[LeafIndex],
        context: &[u8],
    ) -> Result<OpenedPath, PathError> {
        let path = tree.filtered_direct_path(sender)?;
        let found = addressed(&path, member, added).ok_or(PathError::NotForMe(member))?;
        let key = keys.find(found.key).ok_or(PathError::NotForMe(member))?;
        let secret = self.open(crypto, key, found.node, found.position, context)?;
        self.derive(crypto, found.node, secret)
    }

    /// Derives the key pairs from node `lowest` to the root, each checked against the path.
    pub fn derive(
        &self,
        crypto: &Crypto<'_>,
        lowest: usize,
        mut secret: PathSecret,
    ) -> Result<OpenedPath, PathError> {
        let mut key_pairs = Vec::with_capacity(self.nodes.len() - lowest);
        for node in lowest..self.nodes.len() {
            key_pairs.push(self.checked_pair(crypto, node, &secret)?);
            secret = secret.next(crypto);
        }
        Ok(OpenedPath { lowest, key_pairs, commit_secret: secret.0 })
    }

    /// The key pair that a secret gives for a node, which must be the one announced.
    pub(super) fn checked_pair(
        &self,
        crypto: &Crypto<'_>,
        node: usize,
        secret: &PathSecret,
    ) -> Result<HpkeKeyPair, PathError> {
        let pair = secret.key_pair(crypto)?;
        let announced = self.nodes.get(node).map(|sent| &sent.encryption_key);
        if announced == Some(&pair.public) { Ok(pair) } else { Err(PathError::PublicKey(node)) }
    }
}
