//! A member of a group with a key server, at fidelity `full`: its book, the keys from its leaf to
//! the root, and the keys of the last epochs.

use std::collections::BTreeMap;

use super::key_tree::{KeyTree, NodeAt, ancestors, keys_of};
use super::message::{EpochKey, Rekey};
use super::server::INDIVIDUAL;
use crate::baseline::BaselineError;
use crate::baseline::announcement::apply;
use crate::baseline::book::Book;
use crate::crypto::{Crypto, HpkeCiphertext, HpkeKeyPair, Ledger, Op, Secret, SignaturePublicKey};
use crate::protocol::{ClientId, PAST_EPOCHS};
use crate::tree::LeafIndex;

/// What a member holds.
#[derive(Clone)]
pub(super) struct Member {
    pub(super) client: ClientId,
    degree: u8,
    leaf: LeafIndex,
    pub(super) book: Book,
    pub(super) keys: BTreeMap<NodeAt, Secret>,
    pub(super) epochs: BTreeMap<u64, EpochKey>,
}

/// What following took of a member whose path has so many new keys.
pub(super) fn following(new_keys: u64) -> Ledger {
    let mut ledger = Ledger::default();
    ledger.charge(Op::Verify, 1);
    ledger.charge(Op::KdfExpand, new_keys + 1);
    ledger.charge(Op::AeadOpen, new_keys);
    ledger
}

/// What opening a letter takes.
pub(super) fn opening() -> Ledger {
    let mut ledger = Ledger::default();
    ledger.charge(Op::KemDecapsulate, 1);
    ledger.charge(Op::AeadOpen, 1);
    ledger
}

/// The individual key in a letter.
pub(super) fn open_letter(
    crypto: &Crypto<'_>,
    exchange: &HpkeKeyPair,
    letter: &HpkeCiphertext,
    epoch: u64,
) -> Result<Secret, BaselineError> {
    Ok(crypto.decrypt_with_label(exchange, INDIVIDUAL, &epoch.to_be_bytes(), letter)?)
}

impl Member {
    /// Somebody at a leaf who knows nothing but its individual key and the roster.
    pub(super) fn new(
        client: ClientId,
        (degree, leaf): (u8, LeafIndex),
        book: Book,
        individual: Secret,
    ) -> Self {
        let keys = BTreeMap::from([(NodeAt::leaf(leaf), individual)]);
        Self { client, degree, leaf, book, keys, epochs: BTreeMap::new() }
    }

    /// The member that somebody would be who has followed to where this tree stands.
    pub(super) fn of_tree(
        crypto: &Crypto<'_>,
        client: ClientId,
        leaf: LeafIndex,
        (tree, epoch): (&KeyTree, u64),
        book: Book,
    ) -> Result<Self, BaselineError> {
        let keys = keys_of(tree, leaf);
        let mut member =
            Self { client, degree: tree.shape().0, leaf, book, keys, epochs: BTreeMap::new() };
        member.come_to(crypto, epoch, tree.width())?;
        Ok(member)
    }

    /// Its individual key is another.
    pub(super) fn renew(&mut self, individual: Secret) {
        self.keys.insert(NodeAt::leaf(self.leaf), individual);
    }

    /// Follows a rekey message from its bytes; false if it is out by that.
    pub(super) fn follow(
        &mut self,
        crypto: &Crypto<'_>,
        server: &SignaturePublicKey,
        bytes: &[u8],
        epoch: u64,
    ) -> Result<bool, BaselineError> {
        let rekey = Rekey::verify(crypto, server, bytes)?;
        if rekey.epoch != epoch {
            return Err(BaselineError::WrongEpoch);
        }
        let stays = rekey.adds.iter().any(|card| card.client == self.client.0);
        let is_out = rekey.removes.contains(&self.client.0) && !stays;
        apply(&mut self.book, epoch, &rekey.removes, &rekey.adds);
        if is_out {
            return Ok(false);
        }
        self.take(crypto, &rekey)?;
        Ok(true)
    }

    /// A joiner takes what a rekey message has for it; its book has everybody.
    pub(super) fn enter(
        &mut self,
        crypto: &Crypto<'_>,
        server: &SignaturePublicKey,
        bytes: &[u8],
        epoch: u64,
    ) -> Result<(), BaselineError> {
        let rekey = Rekey::verify(crypto, server, bytes)?;
        if rekey.epoch != epoch {
            return Err(BaselineError::WrongEpoch);
        }
        self.take(crypto, &rekey)
    }

    /// Opens the new keys on its path, from the leaf upwards.
    fn take(&mut self, crypto: &Crypto<'_>, rekey: &Rekey) -> Result<(), BaselineError> {
        let mut child = NodeAt::leaf(self.leaf);
        for node in ancestors(self.leaf, self.degree, rekey.width) {
            let is_new = rekey.wrapped.iter().any(|wrapped| wrapped.node == node);
            if is_new {
                let held = |at| self.keys.contains_key(&at);
                let wrapped =
                    rekey.for_member(node, child, held).ok_or(BaselineError::RekeyWithoutKey)?;
                let with = self.keys.get(&wrapped.under).ok_or(BaselineError::RekeyWithoutKey)?;
                let key = wrapped.open(crypto, rekey.epoch, with)?;
                self.keys.insert(node, key);
            }
            child = node;
        }
        self.come_to(crypto, rekey.epoch, rekey.width)
    }

    /// It is in an epoch, with the group's key at the root of so many leaves.
    fn come_to(
        &mut self,
        crypto: &Crypto<'_>,
        epoch: u64,
        width: u32,
    ) -> Result<(), BaselineError> {
        self.keys.retain(|at, _| at.width <= width);
        let root = NodeAt { width, first: 0 };
        let group = self.keys.get(&root).ok_or(BaselineError::RekeyWithoutKey)?;
        self.epochs.insert(epoch, EpochKey::new(crypto, group, epoch)?);
        self.epochs = self.epochs.split_off(&epoch.saturating_sub(PAST_EPOCHS));
        Ok(())
    }
}
