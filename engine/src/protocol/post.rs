//! The messages of a run as the Delivery Service holds them, for both fidelities of TreeKEM: what was
//! sent, by whom and in which epoch, and how an attachment is sealed.
//!
//! An attachment travels apart from the text that goes with it, under a key that the members of the epoch
//! export for that purpose alone (RFC 9420 §8.5): the service that stores it holds nothing that opens
//! it, and the key of one attachment opens no other.

use std::collections::{BTreeMap, VecDeque};

use super::{ClientId, MessageId, PAST_EPOCHS, ProtocolError, Reading};
use crate::crypto::{Crypto, CryptoError, Secret};
use crate::tree::LeafIndex;
use crate::treekem::EpochSecrets;

/// The label of the exported key.
const ATTACHMENT: &str = "arboretum attachment";

/// What kind of message one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A private message.
    Text,
    /// An attachment.
    Attachment,
}

/// A message that was sent.
#[derive(Clone, Debug)]
pub(super) struct Posted {
    pub(super) kind: Kind,
    pub(super) sender: ClientId,
    /// The epoch of the sender's view.
    pub(super) epoch: u64,
    /// The sender's leaf there.
    pub(super) leaf: LeafIndex,
    /// What travels.
    pub(super) sealed: Vec<u8>,
    /// What it says, to compare what is read.
    pub(super) text: Vec<u8>,
}

impl Posted {
    /// What a client can make of it that was a member from `since` on and is in the epoch `at`, or not in
    /// it any more, if it is `out`: whether it reads it, or why not.
    pub(super) fn reading(
        &self,
        client: ClientId,
        since: u64,
        at: u64,
        out: bool,
    ) -> Result<Reading, ProtocolError> {
        if client == self.sender || self.epoch < since || out && self.epoch >= at {
            return Ok(Reading::NotForIt);
        }
        match at.checked_sub(self.epoch) {
            None => {
                Err(ProtocolError::Check(format!("{client} has not come to the message's epoch")))
            }
            Some(late) if late > PAST_EPOCHS => Ok(Reading::TooLate),
            Some(_) => Ok(Reading::Read),
        }
    }

    /// What was read must be what was sent.
    pub(super) fn check(
        &self,
        client: ClientId,
        message: MessageId,
        text: &[u8],
    ) -> Result<(), ProtocolError> {
        if text == self.text {
            return Ok(());
        }
        let MessageId(number) = message;
        Err(ProtocolError::Check(format!("{client} reads another text in message {number}")))
    }
}

/// All messages that somebody may still ask for.
#[derive(Debug, Default)]
pub(super) struct Post {
    first: u64,
    posted: VecDeque<Posted>,
    /// How many of them were sent in each epoch.
    epochs: BTreeMap<u64, u64>,
}

impl Post {
    /// The number that the next message will have.
    pub(super) fn next(&self) -> MessageId {
        MessageId(self.first + self.posted.len() as u64)
    }

    pub(super) fn put(&mut self, posted: Posted) {
        *self.epochs.entry(posted.epoch).or_default() += 1;
        self.posted.push_back(posted);
    }

    pub(super) fn get(&self, message: MessageId) -> Result<&Posted, ProtocolError> {
        let at = message.0.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        at.and_then(|at| self.posted.get(at)).ok_or(ProtocolError::NoSuchMessage(message))
    }

    /// Forgets the messages before one.
    pub(super) fn forget_before(&mut self, message: MessageId) {
        while self.first < message.0 {
            let Some(forgotten) = self.posted.pop_front() else { return };
            self.first += 1;
            if let Some(left) = self.epochs.get_mut(&forgotten.epoch) {
                *left -= 1;
            }
        }
        self.epochs.retain(|_, left| *left > 0);
    }

    /// The first epoch of which any message is left, or in which somebody can still send: nobody is in one
    /// before `released`.
    pub(super) fn first_epoch(&self, released: u64) -> u64 {
        self.epochs.keys().next().map_or(released, |first| *first.min(&released))
    }
}

/// The secrets of an epoch, from which its members get a key for each attachment.
pub(super) trait AttachmentKeys {
    /// The key of one attachment: nobody uses it twice, so that its nonce may be zero.
    fn attachment_key(
        &self,
        crypto: &Crypto<'_>,
        message: MessageId,
    ) -> Result<Secret, CryptoError>;
}

impl AttachmentKeys for EpochSecrets {
    fn attachment_key(
        &self,
        crypto: &Crypto<'_>,
        message: MessageId,
    ) -> Result<Secret, CryptoError> {
        let length = crypto.provider().aead_key_length();
        self.export(crypto, ATTACHMENT, &message.0.to_be_bytes(), length)
    }
}

/// Seals an attachment.
pub(super) fn seal_attachment(
    crypto: &Crypto<'_>,
    secrets: &dyn AttachmentKeys,
    message: MessageId,
    content: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    let key = secrets.attachment_key(crypto, message)?;
    let nonce = Secret::zero(crypto.provider().aead_nonce_length());
    crypto.aead_seal(&key, &nonce, &message.0.to_be_bytes(), content)
}

/// Opens an attachment.
pub(super) fn open_attachment(
    crypto: &Crypto<'_>,
    secrets: &dyn AttachmentKeys,
    message: MessageId,
    sealed: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    let key = secrets.attachment_key(crypto, message)?;
    let nonce = Secret::zero(crypto.provider().aead_nonce_length());
    crypto.aead_open(&key, &nonce, &message.0.to_be_bytes(), sealed)
}
