//! Sender keys: the chain that a sender's messages to a group are encrypted with, what is sent of it
//! to each other member, and what a member holds of the chains of others.
//!
//! A chain has a signature key of its own: everybody who can read with the chain could write with
//! it, so each message is signed. Published descriptions: Marlinspike, Private Group Messaging (2014);
//! WhatsApp Encryption Overview (2023); Balbás, Collins, Gajland, WhatsUpp with Sender Keys? (2023).

use std::collections::{BTreeSet, VecDeque};

use tls_codec::{TlsDeserializeBytes, TlsSerialize, TlsSize, VLBytes};
use zeroize::Zeroizing;

use super::BaselineError;
use super::chain::{Chain, Kept, Key};
use crate::codec::{decode, encode};
use crate::crypto::{Crypto, Secret, Seed, Signature, SignatureKeyPair, SignaturePublicKey};
use crate::protocol::ClientId;

const LABEL: &str = "BaselineSenderKeyMessage";

/// Chains of one sender that a receiver keeps for late messages; the oldest goes for the newest.
pub const KEPT_CHAINS: usize = 5;

/// What is sent of a chain, pairwise: whoever has it reads from this message on.
#[derive(Clone, Debug, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub(super) struct Distribution {
    id: u32,
    number: u32,
    chain: Secret,
    verifier: SignaturePublicKey,
}

impl Distribution {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, BaselineError> {
        Ok(decode("a sender key", bytes)?)
    }
}

/// What of a message to a group anybody can read.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub(super) struct Head {
    pub(super) sender: u32,
    pub(super) epoch: u64,
    pub(super) chain: u32,
    pub(super) number: u32,
}

/// A message to a group.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub(super) struct GroupMessage {
    pub(super) head: Head,
    ciphertext: VLBytes,
    signature: Signature,
}

impl GroupMessage {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, BaselineError> {
        Ok(decode("a message under a sender key", bytes)?)
    }

    fn signed(head: &[u8], ciphertext: &[u8]) -> Vec<u8> {
        [head, ciphertext].concat()
    }

    /// Whether it is of who holds the chain's signature key.
    pub(super) fn verify(
        &self,
        crypto: &Crypto<'_>,
        verifier: &SignaturePublicKey,
    ) -> Result<(), BaselineError> {
        let content = Self::signed(&encode(&self.head)?, self.ciphertext.as_slice());
        crypto
            .verify_with_label(verifier, LABEL, &content, &self.signature)
            .map_err(|_| BaselineError::BadMessageSignature)
    }

    fn open(&self, crypto: &Crypto<'_>, key: &Key) -> Result<Vec<u8>, BaselineError> {
        Ok(key.open(crypto, &encode(&self.head)?, self.ciphertext.as_slice())?)
    }
}

/// A sender's own chain.
#[derive(Debug)]
pub(super) struct OwnChain {
    id: u32,
    chain: Chain,
    signer: SignatureKeyPair,
    /// Who has it.
    pub(super) has: BTreeSet<ClientId>,
    /// Whether somebody has it who must not read what comes.
    pub(super) is_stale: bool,
}

impl OwnChain {
    pub(super) fn new(
        crypto: &Crypto<'_>,
        id: u32,
        chain: &Seed,
        signer: &Seed,
    ) -> Result<Self, BaselineError> {
        Ok(Self {
            id,
            chain: Chain::new(Key::new(chain)?),
            signer: crypto.provider().signature_key_pair(signer),
            has: BTreeSet::new(),
            is_stale: false,
        })
    }

    /// What others get of it at this point.
    pub(super) fn distribution(&self) -> Result<Zeroizing<Vec<u8>>, BaselineError> {
        let distribution = Distribution {
            id: self.id,
            number: self.chain.next,
            chain: self.chain.key.secret(),
            verifier: self.signer.public.clone(),
        };
        Ok(Zeroizing::new(encode(&distribution)?))
    }

    /// Encrypts and signs one message.
    pub(super) fn seal(
        &mut self,
        crypto: &Crypto<'_>,
        sender: ClientId,
        epoch: u64,
        text: &[u8],
    ) -> Result<Vec<u8>, BaselineError> {
        let (number, key) = self.chain.step(crypto)?;
        let head = Head { sender: sender.0, epoch, chain: self.id, number };
        let encoded = encode(&head)?;
        let ciphertext = key.seal(crypto, &encoded, text)?;
        let content = GroupMessage::signed(&encoded, &ciphertext);
        let signature = crypto.sign_with_label(&self.signer.private, LABEL, &content)?;
        Ok(encode(&GroupMessage { head, ciphertext: ciphertext.into(), signature })?)
    }

    /// Whether the key that comes next opens a message.
    pub(super) fn pries(&self, crypto: &Crypto<'_>, message: &GroupMessage) -> bool {
        let next = self.chain.clone().step(crypto);
        next.is_ok_and(|(_, key)| message.open(crypto, &key).is_ok())
    }
}

/// A chain of another.
#[derive(Clone, Debug)]
pub(super) struct HeldChain {
    id: u32,
    chain: Chain,
    pub(super) verifier: SignaturePublicKey,
    kept: Option<Box<Kept<()>>>,
}

impl HeldChain {
    pub(super) fn new(distribution: Distribution) -> Result<Self, BaselineError> {
        let Distribution { id, number, chain, verifier } = distribution;
        let key = Key::new(chain.as_slice())?;
        Ok(Self { id, chain: Chain { key, next: number }, verifier, kept: None })
    }

    /// Opens a message whose signature has been verified, and moves on.
    pub(super) fn open(
        &mut self,
        crypto: &Crypto<'_>,
        message: &GroupMessage,
    ) -> Result<Vec<u8>, BaselineError> {
        let number = message.head.number;
        if let Some(kept) = &mut self.kept
            && let Some(at) = kept.find(&(), number)
            && let Some(key) = kept.get(at)
        {
            let text = message.open(crypto, key)?;
            kept.remove(at);
            return Ok(text);
        }
        let mut chain = self.chain.clone();
        let (passed, key) = chain.reach(crypto, number)?;
        let text = message.open(crypto, &key)?;
        self.chain = chain;
        for (number, key) in passed {
            self.kept.get_or_insert_default().keep((), number, key);
        }
        Ok(text)
    }

    /// Whether any key of this chain that is held, or comes at the message's place or next, opens
    /// it.
    pub(super) fn pries(&self, crypto: &Crypto<'_>, message: &GroupMessage) -> bool {
        let next = self.chain.clone().step(crypto);
        let there = self.chain.clone().reach(crypto, message.head.number);
        let next = next.into_iter().map(|(_, key)| key).chain(there.into_iter().map(|it| it.1));
        let kept = self.kept.iter().flat_map(|kept| kept.keys().cloned());
        next.chain(kept).any(|key| message.open(crypto, &key).is_ok())
    }
}

/// The chains that a member holds of one sender, the newest last.
#[derive(Clone, Debug, Default)]
pub(super) struct HeldChains {
    chains: VecDeque<HeldChain>,
    /// The newest that was erased for want of room.
    erased: Option<u32>,
    /// Whether one came too late to be opened, nobody knows which.
    pub(super) has_missed: bool,
}

impl HeldChains {
    /// Takes in a chain.
    pub(super) fn hold(&mut self, chain: HeldChain) {
        self.chains.retain(|held| held.id != chain.id);
        if self.chains.len() == KEPT_CHAINS {
            let oldest = self.chains.pop_front().map(|oldest| oldest.id);
            self.erased = self.erased.max(oldest);
        }
        self.chains.push_back(chain);
    }

    /// Whether a chain that is not held may have been: its sender numbers them in their order.
    pub(super) fn had(&self, head: &Head) -> bool {
        self.has_missed || self.erased >= Some(head.chain)
    }

    /// The chain of a message.
    pub(super) fn of(&mut self, head: &Head) -> Option<&mut HeldChain> {
        self.chains.iter_mut().find(|chain| chain.id == head.chain)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &HeldChain> {
        self.chains.iter()
    }
}

/// Whether an error says that a key was there and is no more.
pub(super) fn is_too_late(error: &BaselineError) -> bool {
    matches!(error, BaselineError::KeyIsGone | BaselineError::TooManySkipped(_))
}

#[cfg(test)]
mod tests;
