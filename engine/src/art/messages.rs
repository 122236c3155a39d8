//! The protection of application messages, which the draft leaves open (draft-barnes-mls-protocol-00
//! §10 has considerations): here every member has a chain of its own, that begins in the message
//! master secret and gives one key and nonce a message; the text is signed, and sealed with the
//! suite's AEAD.

use std::collections::BTreeMap;

use tls_codec::{TlsDeserializeBytes, TlsSerialize, TlsSize};

use super::suite::{sign, verify};
use super::wire::{opaque16, opaque32};
use crate::codec::{CodecError, decode, encode};
use crate::crypto::{Crypto, CryptoError, Secret, Signature, SignatureKeyPair, SignaturePublicKey};
use crate::tree::LeafIndex;

/// How far ahead of the last message of a sender the next may be.
pub const MAX_SKIP: u32 = 4096;

/// How many keys of overtaken messages are kept of one sender's chain, the newest of them.
pub const MAX_KEPT: usize = 4096;

/// Why a message cannot be made or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The bytes are no message.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A primitive refused: it does not open, or is signed by somebody else.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// It is of another group or epoch.
    #[error("the message is of another group or epoch")]
    NotOfThisEpoch,
    /// Nobody is at its sender's leaf.
    #[error("{0} is blank or outside the tree, and sends nothing")]
    NoSuchSender(LeafIndex),
    /// Its key has been used, or given up as too old.
    #[error("the key of message {0} of this sender has been used or erased")]
    Used(u32),
    /// It is further ahead than anybody is made to go.
    #[error("message {found} is more than {MAX_SKIP} ahead of {next}")]
    TooFarAhead {
        /// The message.
        found: u32,
        /// The next one of this sender.
        next: u32,
    },
    /// The chain has come to its end.
    #[error("the sender's chain is used up in this epoch")]
    Exhausted,
}

/// What is known of a message by looking at it.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
struct Header {
    #[tls_codec(with = "opaque16")]
    group_id: Vec<u8>,
    epoch: u32,
    sender: LeafIndex,
    generation: u32,
}

/// A message as it is sent.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct ApplicationMessage {
    header: Header,
    #[tls_codec(with = "opaque32")]
    ciphertext: Vec<u8>,
}

/// What is sealed.
#[derive(TlsSize, TlsSerialize, TlsDeserializeBytes)]
struct Content {
    #[tls_codec(with = "opaque32")]
    text: Vec<u8>,
    #[tls_codec(with = "opaque16")]
    signature: Signature,
}

/// A key and its nonce.
#[derive(Clone, Debug)]
struct MessageKey {
    key: Secret,
    nonce: Secret,
}

/// What a member keeps of the chain of one sender in one epoch.
#[derive(Clone, Debug)]
pub struct Chain {
    secret: Secret,
    next: u32,
    /// Keys of messages that have been overtaken.
    kept: BTreeMap<u32, MessageKey>,
}

/// A message's key, found and not yet used up.
#[derive(Debug)]
pub struct Opening {
    key: MessageKey,
    after: Chain,
}

impl Opening {
    /// The chain without the key.
    pub fn after(self) -> Chain {
        self.after
    }
}

fn derive(
    crypto: &Crypto<'_>,
    secret: &Secret,
    label: &str,
    context: &[u8],
    length: usize,
) -> Result<Secret, CryptoError> {
    let info = [b"mls10 app ", label.as_bytes(), &[0], context].concat();
    crypto.expand(secret, &info, length)
}

impl Chain {
    /// The chain of a sender at its beginning.
    pub fn new(
        crypto: &Crypto<'_>,
        message_master_secret: &Secret,
        sender: LeafIndex,
    ) -> Result<Self, CryptoError> {
        let length = crypto.provider().digest_length();
        let sender = sender.0.to_be_bytes();
        let secret = derive(crypto, message_master_secret, "sender", &sender, length)?;
        Ok(Self { secret, next: 0, kept: BTreeMap::new() })
    }

    /// The number of the next message.
    pub fn next(&self) -> u32 {
        self.next
    }

    /// Takes one step.
    fn step(&mut self, crypto: &Crypto<'_>) -> Result<MessageKey, MessageError> {
        let after = self.next.checked_add(1).ok_or(MessageError::Exhausted)?;
        let provider = crypto.provider();
        let part = |label, length| derive(crypto, &self.secret, label, &[], length);
        let key = part("key", provider.aead_key_length())?;
        let nonce = part("nonce", provider.aead_nonce_length())?;
        let next = part("next", provider.digest_length())?;
        self.secret = next;
        self.next = after;
        Ok(MessageKey { key, nonce })
    }

    /// Finds the key of a message, and the chain without it; changes nothing.
    pub fn open(&self, crypto: &Crypto<'_>, generation: u32) -> Result<Opening, MessageError> {
        let mut after = self.clone();
        if generation < after.next {
            let key = after.kept.remove(&generation).ok_or(MessageError::Used(generation))?;
            return Ok(Opening { key, after });
        }
        if generation - after.next > MAX_SKIP {
            return Err(MessageError::TooFarAhead { found: generation, next: after.next });
        }
        while after.next < generation {
            let number = after.next;
            let skipped = after.step(crypto)?;
            after.kept.insert(number, skipped);
        }
        while after.kept.len() > MAX_KEPT {
            after.kept.pop_first();
        }
        let key = after.step(crypto)?;
        Ok(Opening { key, after })
    }
}

impl ApplicationMessage {
    /// Encrypts a text as the next of its sender's, and gives the chain after it.
    pub fn seal(
        crypto: &Crypto<'_>,
        (group_id, epoch): (&[u8], u32),
        (sender, signer): (LeafIndex, &SignatureKeyPair),
        chain: &Chain,
        text: &[u8],
    ) -> Result<(Vec<u8>, Chain), MessageError> {
        let mut after = chain.clone();
        let generation = after.next;
        let key = after.step(crypto)?;
        let header = Header { group_id: group_id.to_vec(), epoch, sender, generation };
        let aad = encode(&header)?;
        let signature = sign(crypto, &signer.private, &[&aad[..], text].concat())?;
        let content = encode(&Content { text: text.to_vec(), signature })?;
        let ciphertext = crypto.aead_seal(&key.key, &key.nonce, &aad, &content)?;
        Ok((encode(&Self { header, ciphertext })?, after))
    }

    /// Reads what is open of it.
    pub fn read(message: &[u8]) -> Result<Self, MessageError> {
        Ok(decode("an application message", message)?)
    }

    /// Whether it is of this epoch of this group.
    pub fn is_of(&self, group_id: &[u8], epoch: u32) -> bool {
        self.header.group_id == group_id && self.header.epoch == epoch
    }

    /// Its sender.
    pub fn sender(&self) -> LeafIndex {
        self.header.sender
    }

    /// The epoch that it was sent in.
    pub fn epoch(&self) -> u32 {
        self.header.epoch
    }

    /// Its number among its sender's.
    pub fn generation(&self) -> u32 {
        self.header.generation
    }

    /// Opens it with a sender's chain: the text, and the chain without its key.
    pub fn open(
        &self,
        crypto: &Crypto<'_>,
        chain: &Chain,
        sender: &SignaturePublicKey,
    ) -> Result<(Vec<u8>, Chain), MessageError> {
        let Opening { key, after } = chain.open(crypto, self.header.generation)?;
        Ok((self.open_with(crypto, &key, sender)?, after))
    }

    /// Opens it with a sender's chain, however far ahead it is: for who wants to know whether the
    /// chain leads to it, and has no reason to fear the way.
    pub(crate) fn open_ahead(
        &self,
        crypto: &Crypto<'_>,
        mut chain: Chain,
        sender: &SignaturePublicKey,
    ) -> Result<Vec<u8>, MessageError> {
        while chain.next < self.header.generation {
            chain.step(crypto)?;
        }
        let key = chain.open(crypto, self.header.generation)?.key;
        self.open_with(crypto, &key, sender)
    }

    fn open_with(
        &self,
        crypto: &Crypto<'_>,
        key: &MessageKey,
        sender: &SignaturePublicKey,
    ) -> Result<Vec<u8>, MessageError> {
        let aad = encode(&self.header)?;
        let content = crypto.aead_open(&key.key, &key.nonce, &aad, &self.ciphertext)?;
        let content: Content = decode("the content of a message", &content)?;
        let signed = [&aad[..], &content.text].concat();
        verify(crypto, sender, &signed, &content.signature)?;
        Ok(content.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{Op, Provider, RealProvider};

    const GROUP: (&[u8], u32) = (b"group", 7);

    fn chain(crypto: &Crypto<'_>) -> Chain {
        Chain::new(crypto, &Secret::from(&[2; 32][..]), LeafIndex(3)).unwrap()
    }

    #[test]
    fn only_the_newest_overtaken_keys_are_kept() {
        let crypto = Crypto::new(&RealProvider);
        let far = chain(&crypto).open(&crypto, 2_000).unwrap().after();
        let farther = far.open(&crypto, 6_001).unwrap().after();
        assert_eq!(farther.kept.len(), MAX_KEPT);
        // Of 0..=6,000 without 2,000, those from 1,904 on are kept.
        assert_eq!(farther.open(&crypto, 1_903).unwrap_err(), MessageError::Used(1_903));
        let kept = farther.open(&crypto, 1_904).unwrap().after();
        assert_eq!(kept.kept.len(), MAX_KEPT - 1);
    }

    #[test]
    fn a_chain_ends() {
        let crypto = Crypto::new(&RealProvider);
        let last = Chain { next: u32::MAX - 1, ..chain(&crypto) };
        let after = last.open(&crypto, u32::MAX - 1).unwrap().after();
        assert_eq!(after.next(), u32::MAX);
        assert_eq!(after.open(&crypto, u32::MAX).unwrap_err(), MessageError::Exhausted);
        let signer = RealProvider.signature_key_pair(&[1; 32]);
        let sender = (LeafIndex(3), &signer);
        let sealed = ApplicationMessage::seal(&crypto, GROUP, sender, &after, b"text");
        assert_eq!(sealed.unwrap_err(), MessageError::Exhausted);
    }

    #[test]
    fn messages_arrive_in_any_order_and_once() {
        let crypto = Crypto::new(&RealProvider);
        let signer = RealProvider.signature_key_pair(&[1; 32]);
        let master = Secret::from(&[2; 32][..]);
        let start = Chain::new(&crypto, &master, LeafIndex(3)).unwrap();
        let (mut sending, mut receiving) = (start.clone(), start.clone());
        let mut sent = vec![];
        for n in 0..5_u8 {
            let sender = (LeafIndex(3), &signer);
            let (message, after) =
                ApplicationMessage::seal(&crypto, GROUP, sender, &sending, &[n; 9]).unwrap();
            sending = after;
            sent.push(message);
        }
        for (n, steps) in [(3, 4), (0, 0), (4, 1), (2, 0), (1, 0)] {
            let crypto = Crypto::new(&RealProvider);
            let message = ApplicationMessage::read(&sent[n]).unwrap();
            assert_eq!((message.generation(), message.epoch()), (n as u32, 7));
            let other = RealProvider.signature_key_pair(&[9; 32]).public;
            let forged = message.open(&Crypto::new(&RealProvider), &receiving, &other);
            assert_eq!(forged.unwrap_err(), CryptoError::BadSignature.into());
            let (text, after) = message.open(&crypto, &receiving, &signer.public).unwrap();
            assert_eq!(text, [n as u8; 9]);
            assert_eq!(crypto.ledger().count(Op::KdfExpand), 3 * steps);
            receiving = after;
            let again = message.open(&crypto, &receiving, &signer.public);
            assert_eq!(again.unwrap_err(), MessageError::Used(n as u32));
        }
        let far = receiving.open(&crypto, MAX_SKIP + 6);
        assert_eq!(far.unwrap_err(), MessageError::TooFarAhead { found: MAX_SKIP + 6, next: 5 });
        let mut bytes = sent[0].clone();
        *bytes.last_mut().unwrap() ^= 1;
        let broken =
            ApplicationMessage::read(&bytes).unwrap().open(&crypto, &start, &signer.public);
        assert_eq!(broken.unwrap_err(), CryptoError::BadCiphertext.into());
        let other = Chain::new(&crypto, &master, LeafIndex(4)).unwrap();
        let message = ApplicationMessage::read(&sent[0]).unwrap();
        let other = message.open(&crypto, &other, &signer.public);
        assert_eq!(other.unwrap_err(), CryptoError::BadCiphertext.into());
    }
}
