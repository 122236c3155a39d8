//! What a client has for the messages of one epoch, and how attachments are sealed: for both
//! fidelities.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::art::{ApplicationMessage, Chain, EpochSecrets, MessageError, PublicGroup};
use crate::crypto::{Crypto, CryptoError, Secret, SignatureKeyPair, SignaturePublicKey};
use crate::protocol::MessageId;
use crate::protocol::post::AttachmentKeys;
use crate::tree::LeafIndex;

/// The message secrets of one epoch, as one client has them.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) public: PublicGroup,
    pub(super) secrets: Arc<EpochSecrets>,
    /// The chains that it has begun, its own among them.
    chains: BTreeMap<LeafIndex, Chain>,
}

impl Held {
    pub(super) fn new(public: &PublicGroup, secrets: &Arc<EpochSecrets>) -> Self {
        let (public, secrets) = (public.clone(), secrets.clone());
        Self { public, secrets, chains: BTreeMap::new() }
    }

    fn chain(&self, crypto: &Crypto<'_>, sender: LeafIndex) -> Result<Chain, CryptoError> {
        let begun = self.chains.get(&sender).cloned();
        let master = &self.secrets.message_master_secret;
        begun.map_or_else(|| Chain::new(crypto, master, sender), Ok)
    }

    /// Seals the next text of a member.
    pub(super) fn send(
        &mut self,
        crypto: &Crypto<'_>,
        leaf: LeafIndex,
        signer: &SignatureKeyPair,
        text: &[u8],
    ) -> Result<Vec<u8>, MessageError> {
        let chain = self.chain(crypto, leaf)?;
        let group = (&self.public.group_id[..], self.public.epoch);
        let sender = (leaf, signer);
        let (sealed, after) = ApplicationMessage::seal(crypto, group, sender, &chain, text)?;
        self.chains.insert(leaf, after);
        Ok(sealed)
    }

    /// Opens a message.
    pub(super) fn receive(
        &mut self,
        crypto: &Crypto<'_>,
        sealed: &[u8],
    ) -> Result<Vec<u8>, MessageError> {
        let message = ApplicationMessage::read(sealed)?;
        if !message.is_of(&self.public.group_id, self.public.epoch) {
            return Err(MessageError::NotOfThisEpoch);
        }
        let sender = message.sender();
        let chain = self.chain(crypto, sender)?;
        let (text, after) = message.open(crypto, &chain, self.identity(sender)?)?;
        self.chains.insert(sender, after);
        Ok(text)
    }

    fn identity(&self, sender: LeafIndex) -> Result<&SignaturePublicKey, MessageError> {
        let identity = self.public.identities.leaf(sender);
        identity.map(|identity| &**identity).ok_or(MessageError::NoSuchSender(sender))
    }

    /// Whether it opens a message, whatever that says of itself, and however far it is from the
    /// chain's beginning; keys that were used are tried as well.
    pub(super) fn pries(&self, crypto: &Crypto<'_>, sealed: &[u8]) -> bool {
        let opened = || {
            let message = ApplicationMessage::read(sealed)?;
            let master = &self.secrets.message_master_secret;
            let chain = Chain::new(crypto, master, message.sender())?;
            message.open_ahead(crypto, chain, self.identity(message.sender())?)
        };
        opened().is_ok()
    }
}

impl AttachmentKeys for EpochSecrets {
    fn attachment_key(
        &self,
        crypto: &Crypto<'_>,
        message: MessageId,
    ) -> Result<Secret, CryptoError> {
        let info = [&b"mls10 attachment"[..], &message.0.to_be_bytes()].concat();
        crypto.expand(&self.message_master_secret, &info, crypto.provider().aead_key_length())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::art::{MAX_SKIP, Member};
    use crate::crypto::RealProvider;

    /// Prying is no reception: a long epoch does not hide a message.
    #[test]
    fn a_late_message_of_a_long_epoch_is_pried_open() {
        let crypto = Crypto::new(&RealProvider);
        let signer = crypto.provider().signature_key_pair(&[1; 32]);
        let member = Member::create(&crypto, signer.clone(), b"group", [2; 32]).unwrap();
        let mut held = Held::new(&member.public, &member.secrets);
        let mut other = Member::create(&crypto, signer.clone(), b"group", [3; 32]).unwrap();
        let mut last = vec![];
        for _ in 0..MAX_SKIP + 3 {
            last = held.send(&crypto, LeafIndex(0), &signer, b"text").unwrap();
        }
        assert!(held.pries(&crypto, &last));
        other.public = member.public.clone();
        assert!(!Held::new(&other.public, &other.secrets).pries(&crypto, &last));
        *last.last_mut().unwrap() ^= 1;
        assert!(!held.pries(&crypto, &last));
    }
}
