//! The secret tree and the sender ratchets that hang from its leaves (RFC 9420 §9): one key and
//! nonce for every message, each used once and erased.
//!
//! Nothing here is consumed by looking: [`SecretTree::key`] says what a message needs, and
//! [`SecretTree::consume`] takes it away once the message has opened. A message that is refused
//! leaves the tree as it was.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::crypto::{Crypto, CryptoError, Secret};
use crate::tree::{LeafIndex, NodeIndex};

/// How far ahead of the newest message from a sender another may be: what a receiver may be
/// made to derive, and to keep, by one message.
pub const MAX_SKIP: u32 = 4096;

/// How many keys of skipped messages are kept for one sender's ratchet, the newest of them.
pub const MAX_KEPT: usize = 4096;

/// Which of a sender's two ratchets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RatchetType {
    /// For proposals and commits.
    Handshake,
    /// For application data.
    Application,
}

impl RatchetType {
    fn label(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Application => "application",
        }
    }
}

/// What one message is encrypted with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageKey {
    /// The AEAD's key.
    pub key: Secret,
    /// Its nonce, before the reuse guard.
    pub nonce: Secret,
}

/// Why there is no key for a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretTreeError {
    /// The leaf is outside the tree.
    #[error("{0} is outside the secret tree (RFC 9420 §9)")]
    NoSuchLeaf(LeafIndex),
    /// The key was used, or given up as too old.
    #[error("the key of generation {0} has been used or erased (RFC 9420 §9.2)")]
    Consumed(u32),
    /// The message is too far ahead.
    #[error("generation {generation} is more than {MAX_SKIP} ahead of {next} (RFC 9420 §15.3)")]
    TooFarAhead {
        /// The message's generation.
        generation: u32,
        /// The next that was expected.
        next: u32,
    },
    /// A ratchet has come to its end.
    #[error("the sender's ratchet is used up in this epoch")]
    Exhausted,
    /// A primitive refused.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// A sender ratchet: the secret of the next generation, and the keys of generations that were
/// skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ratchet {
    next: u32,
    secret: Secret,
    skipped: BTreeMap<u32, MessageKey>,
}

impl Ratchet {
    fn new(secret: Secret) -> Self {
        Self { next: 0, secret, skipped: BTreeMap::new() }
    }

    /// The next generation's key; the ratchet moves on.
    fn step(&mut self, crypto: &Crypto<'_>) -> Result<MessageKey, SecretTreeError> {
        let generation = self.next;
        let after = generation.checked_add(1).ok_or(SecretTreeError::Exhausted)?;
        let provider = crypto.provider();
        let derive =
            |label, length| crypto.derive_tree_secret(&self.secret, label, generation, length);
        let key = MessageKey {
            nonce: derive("nonce", provider.aead_nonce_length())?,
            key: derive("key", provider.aead_key_length())?,
        };
        self.secret = derive("secret", provider.digest_length())?;
        self.next = after;
        Ok(key)
    }

    /// The key of a generation; those before it that nobody asked for are kept.
    fn take(
        &mut self,
        crypto: &Crypto<'_>,
        generation: u32,
    ) -> Result<MessageKey, SecretTreeError> {
        if generation < self.next {
            return self.skipped.remove(&generation).ok_or(SecretTreeError::Consumed(generation));
        }
        if generation - self.next > MAX_SKIP {
            return Err(SecretTreeError::TooFarAhead { generation, next: self.next });
        }
        while self.next < generation {
            let (at, key) = (self.next, self.step(crypto)?);
            self.skipped.insert(at, key);
        }
        while self.skipped.len() > MAX_KEPT {
            self.skipped.pop_first();
        }
        self.step(crypto)
    }
}

/// The ratchets of one leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ratchets {
    handshake: Ratchet,
    application: Ratchet,
}

impl Ratchets {
    fn of_leaf(crypto: &Crypto<'_>, secret: &Secret) -> Result<Self, CryptoError> {
        let root = |kind: RatchetType| {
            let length = crypto.provider().digest_length();
            crypto.expand_with_label(secret, kind.label(), &[], length).map(Ratchet::new)
        };
        Ok(Self {
            handshake: root(RatchetType::Handshake)?,
            application: root(RatchetType::Application)?,
        })
    }

    fn of(&mut self, kind: RatchetType) -> &mut Ratchet {
        match kind {
            RatchetType::Handshake => &mut self.handshake,
            RatchetType::Application => &mut self.application,
        }
    }
}

/// What becomes of the tree when a key is used: handed back to [`SecretTree::consume`].
#[derive(Debug)]
pub struct Consumption {
    leaf: LeafIndex,
    ratchets: Ratchets,
    /// The nodes whose secrets are consumed, and the siblings that are derived from them.
    opened: Vec<NodeIndex>,
    siblings: Vec<(NodeIndex, Secret)>,
}

/// The secrets of one epoch's messages, as far as they have not been used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretTree {
    width: u32,
    /// Secrets of nodes below which no leaf has been used; no two of them on one path.
    nodes: BTreeMap<NodeIndex, Secret>,
    ratchets: BTreeMap<LeafIndex, Ratchets>,
}

/// The root of the perfect tree over all leaves: the secret tree is binary whatever the shape of the
/// ratchet tree, and no shape but RFC 9420's own has to have 2^d leaves.
fn root(width: u32) -> NodeIndex {
    NodeIndex::root(width.next_power_of_two())
}

impl SecretTree {
    /// The tree of `width` leaves under an epoch's `encryption_secret`.
    pub fn new(encryption_secret: Secret, width: u32) -> Self {
        let nodes = BTreeMap::from([(root(width), encryption_secret)]);
        Self { width, nodes, ratchets: BTreeMap::new() }
    }

    /// The key of a generation of a leaf's ratchet, and what using it consumes.
    pub fn key(
        &self,
        crypto: &Crypto<'_>,
        leaf: LeafIndex,
        kind: RatchetType,
        generation: u32,
    ) -> Result<(MessageKey, Consumption), SecretTreeError> {
        let mut consumption = self.open(crypto, leaf)?;
        let key = consumption.ratchets.of(kind).take(crypto, generation)?;
        Ok((key, consumption))
    }

    /// The key of the next generation of a leaf's ratchet, for its owner to send with.
    pub fn next_key(
        &self,
        crypto: &Crypto<'_>,
        leaf: LeafIndex,
        kind: RatchetType,
    ) -> Result<(u32, MessageKey, Consumption), SecretTreeError> {
        let mut consumption = self.open(crypto, leaf)?;
        let ratchet = consumption.ratchets.of(kind);
        let generation = ratchet.next;
        let key = ratchet.step(crypto)?;
        Ok((generation, key, consumption))
    }

    /// Erases what a used key has consumed.
    pub fn consume(&mut self, consumption: Consumption) {
        for node in consumption.opened {
            self.nodes.remove(&node);
        }
        self.nodes.extend(consumption.siblings);
        self.ratchets.insert(consumption.leaf, consumption.ratchets);
    }

    /// The tree's secrets and how far its ratchets are, in bytes, for comparing two states.
    pub(crate) fn fingerprint(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(vec![]);
        for (node, secret) in &self.nodes {
            out.extend(node.0.to_be_bytes());
            out.extend(secret.as_slice());
        }
        for (leaf, ratchets) in &self.ratchets {
            for ratchet in [&ratchets.handshake, &ratchets.application] {
                out.extend(leaf.0.to_be_bytes());
                out.extend(ratchet.next.to_be_bytes());
                out.extend(ratchet.secret.as_slice());
                for (generation, key) in &ratchet.skipped {
                    out.extend(generation.to_be_bytes());
                    out.extend(key.key.as_slice());
                }
            }
        }
        out
    }

    /// The ratchets of a leaf, derived from the lowest secret above it if they are not there.
    fn open(&self, crypto: &Crypto<'_>, leaf: LeafIndex) -> Result<Consumption, SecretTreeError> {
        if leaf.0 >= self.width {
            return Err(SecretTreeError::NoSuchLeaf(leaf));
        }
        if let Some(ratchets) = self.ratchets.get(&leaf) {
            let ratchets = ratchets.clone();
            return Ok(Consumption { leaf, ratchets, opened: vec![], siblings: vec![] });
        }
        let target = NodeIndex::from(leaf);
        let (mut opened, mut siblings) = (vec![], vec![]);
        let mut node = root(self.width);
        let mut secret = self.nodes.get(&node).cloned();
        while node != target {
            let (left, right) =
                node.left().zip(node.right()).ok_or(SecretTreeError::NoSuchLeaf(leaf))?;
            let (next, sibling, labels) = if target < node {
                (left, right, ["left", "right"])
            } else {
                (right, left, ["right", "left"])
            };
            secret = match secret {
                None => self.nodes.get(&next).cloned(),
                Some(secret) => {
                    opened.push(node);
                    let [own, other] = labels.map(|label| child(crypto, &secret, label));
                    siblings.push((sibling, other?));
                    Some(own?)
                }
            };
            node = next;
        }
        // Every leaf without ratchets has a secret above it or in it.
        let secret = secret.ok_or(SecretTreeError::NoSuchLeaf(leaf))?;
        opened.push(target);
        Ok(Consumption { leaf, ratchets: Ratchets::of_leaf(crypto, &secret)?, opened, siblings })
    }
}

fn child(crypto: &Crypto<'_>, secret: &Secret, side: &str) -> Result<Secret, CryptoError> {
    crypto.expand_with_label(secret, "tree", side.as_bytes(), crypto.provider().digest_length())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::RealProvider;

    const REAL: RealProvider = RealProvider::new();
    use RatchetType::{Application, Handshake};

    fn tree(width: u32) -> SecretTree {
        SecretTree::new(Secret::from(vec![7; 32]), width)
    }

    fn take(
        tree: &mut SecretTree,
        leaf: u32,
        kind: RatchetType,
        generation: u32,
    ) -> Result<MessageKey, SecretTreeError> {
        let crypto = Crypto::new(&REAL);
        let (key, consumption) = tree.key(&crypto, LeafIndex(leaf), kind, generation)?;
        tree.consume(consumption);
        Ok(key)
    }

    #[test]
    fn the_order_of_use_changes_no_key() {
        let mut ahead = tree(8);
        let keys: Vec<_> =
            (0..8).map(|leaf| take(&mut ahead, leaf, Application, 2).unwrap()).collect();
        let mut back = tree(8);
        for leaf in (0..8).rev() {
            take(&mut back, leaf, Handshake, 1).unwrap();
            for generation in [0, 1] {
                take(&mut back, leaf, Application, generation).unwrap();
            }
            assert_eq!(take(&mut back, leaf, Application, 2).unwrap(), keys[leaf as usize]);
        }
        // Skipped keys are the ones that come in order.
        for leaf in 0..8 {
            let skipped = take(&mut ahead, leaf, Application, 0).unwrap();
            assert_eq!(skipped, take(&mut tree(8), leaf, Application, 0).unwrap());
        }
        assert!(ahead.nodes.is_empty() && back.nodes.is_empty(), "all secrets are consumed");
    }

    #[test]
    fn a_key_is_used_once() {
        let mut tree = tree(2);
        for generation in [3, 1] {
            take(&mut tree, 1, Application, generation).unwrap();
            let again = take(&mut tree, 1, Application, generation);
            assert_eq!(again, Err(SecretTreeError::Consumed(generation)));
        }
        assert!(take(&mut tree, 1, Application, 0).is_ok());
        assert!(take(&mut tree, 1, Handshake, 1).is_ok());
    }

    #[test]
    fn what_is_consumed_is_gone() {
        let mut tree = tree(4);
        take(&mut tree, 3, Application, 0).unwrap();
        // D, F and G of the RFC's example are gone; C and E are left.
        let left: Vec<_> = tree.nodes.keys().map(|node| node.0).collect();
        assert_eq!(left, [1, 4]);
    }

    #[test]
    fn looking_consumes_nothing() {
        let tree = tree(4);
        let before = tree.clone();
        tree.key(&Crypto::new(&REAL), LeafIndex(1), Application, 5).unwrap();
        assert_eq!(tree, before);
    }

    #[test]
    fn a_message_from_too_far_ahead_or_outside_is_refused() {
        let mut tree = tree(4);
        take(&mut tree, 0, Application, 0).unwrap();
        let refused = take(&mut tree, 0, Application, MAX_SKIP + 2);
        let error = SecretTreeError::TooFarAhead { generation: MAX_SKIP + 2, next: 1 };
        assert_eq!(refused, Err(error));
        take(&mut tree, 0, Application, MAX_SKIP + 1).unwrap();
        assert_eq!(tree.ratchets[&LeafIndex(0)].application.skipped.len(), MAX_KEPT);
        let outside = take(&mut tree, 4, Application, 0);
        assert_eq!(outside, Err(SecretTreeError::NoSuchLeaf(LeafIndex(4))));
    }

    #[test]
    fn only_the_newest_skipped_keys_are_kept() {
        let mut tree = tree(1);
        take(&mut tree, 0, Application, 2000).unwrap();
        take(&mut tree, 0, Application, 6001).unwrap();
        assert_eq!(tree.ratchets[&LeafIndex(0)].application.skipped.len(), MAX_KEPT);
        assert_eq!(take(&mut tree, 0, Application, 0), Err(SecretTreeError::Consumed(0)));
        assert!(take(&mut tree, 0, Application, 6000).is_ok());
    }

    #[test]
    fn sending_uses_the_generations_in_order() {
        let crypto = Crypto::new(&REAL);
        let mut sender = tree(2);
        for expected in 0..4 {
            let (generation, key, used) =
                sender.next_key(&crypto, LeafIndex(1), Handshake).unwrap();
            sender.consume(used);
            assert_eq!(generation, expected);
            assert_eq!(take(&mut tree(2), 1, Handshake, expected).unwrap(), key);
        }
    }
}
