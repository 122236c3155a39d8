//! Symmetric chains: the key chain of the Double Ratchet (§2.2, §5.2 of its specification) and of
//! sender keys, the message keys that come out of it, and those kept for messages that are late.
//!
//! `KDF_CK(ck)` is HKDF-Expand with the constants 0x01 for the message key and 0x02 for the next
//! chain key, which is HMAC of the constant and a counter: what the specification recommends but
//! for that counter. A message key is used once, so the AEAD's key and nonce are both expanded
//! from it.

use std::collections::VecDeque;

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::BaselineError;
use crate::crypto::{Crypto, CryptoError, Secret};

/// The length of root, chain and message keys, in bytes: 32 in every cipher suite.
pub(super) const KEY: usize = 32;

/// Message keys that one chain moves past for a single message, at most: whoever skips more makes
/// a receiver work for nothing. The specification's `MAX_SKIP`.
pub const MAX_SKIP: u32 = 1_000;

/// Message keys kept for late messages in one session or received chain, at most; the oldest are
/// erased for the newest.
pub const MAX_KEPT_KEYS: usize = 2_000;

/// A root, chain or message key. Erased when dropped, never printed.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub(super) struct Key([u8; KEY]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Key {
    /// Of bytes that have the length.
    pub(super) fn new(bytes: &[u8]) -> Result<Self, CryptoError> {
        let bytes = bytes.try_into().map_err(|_| CryptoError::BadKey("key of a chain"))?;
        Ok(Self(bytes))
    }

    pub(super) fn secret(&self) -> Secret {
        self.0.as_slice().into()
    }

    /// Encrypts one message under this message key.
    pub(super) fn seal(
        &self,
        crypto: &Crypto<'_>,
        aad: &[u8],
        text: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        let (key, nonce) = self.aead(crypto)?;
        crypto.aead_seal(&key, &nonce, aad, text)
    }

    /// Opens what was sealed under this message key.
    pub(super) fn open(
        &self,
        crypto: &Crypto<'_>,
        aad: &[u8],
        ciphertext: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        let (key, nonce) = self.aead(crypto)?;
        crypto.aead_open(&key, &nonce, aad, ciphertext)
    }

    fn aead(&self, crypto: &Crypto<'_>) -> Result<(Secret, Secret), CryptoError> {
        let key = crypto.provider().aead_key_length();
        let both = key + crypto.provider().aead_nonce_length();
        let both = crypto.expand(&self.secret(), b"message", both)?;
        let (key, nonce) = both.as_slice().split_at(key);
        Ok((key.into(), nonce.into()))
    }
}

/// A chain at the point where its next message key comes out.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    pub(super) key: Key,
    /// The number of the next message.
    pub(super) next: u32,
}

impl Chain {
    pub(super) fn new(key: Key) -> Self {
        Self { key, next: 0 }
    }

    /// The next message key; the chain key it came from is gone.
    pub(super) fn step(&mut self, crypto: &Crypto<'_>) -> Result<(u32, Key), BaselineError> {
        let number = self.next;
        self.next = number.checked_add(1).ok_or(BaselineError::ChainIsUsedUp)?;
        let secret = self.key.secret();
        let message = Key::new(crypto.expand(&secret, &[1], KEY)?.as_slice())?;
        self.key = Key::new(crypto.expand(&secret, &[2], KEY)?.as_slice())?;
        Ok((number, message))
    }

    /// Moves to the message of this number: the keys of those before it, and its own.
    pub(super) fn reach(
        &mut self,
        crypto: &Crypto<'_>,
        number: u32,
    ) -> Result<(Vec<(u32, Key)>, Key), BaselineError> {
        let passed = self.skip_to(crypto, number)?;
        let (_, key) = self.step(crypto)?;
        Ok((passed, key))
    }

    /// The keys of all messages before this number, the chain then at it.
    pub(super) fn skip_to(
        &mut self,
        crypto: &Crypto<'_>,
        number: u32,
    ) -> Result<Vec<(u32, Key)>, BaselineError> {
        let gap = number.checked_sub(self.next).ok_or(BaselineError::KeyIsGone)?;
        if gap > MAX_SKIP {
            return Err(BaselineError::TooManySkipped(gap));
        }
        (0..gap).map(|_| self.step(crypto)).collect()
    }
}

/// Message keys kept for late messages: at most [`MAX_KEPT_KEYS`], by the chain they are of and
/// their number in it.
#[derive(Clone, Debug)]
pub(super) struct Kept<C> {
    keys: VecDeque<(C, u32, Key)>,
    /// The number up to which keys of a chain have been erased unused, for the chains of which any
    /// was; the oldest are forgotten beyond [`MAX_KEPT_KEYS`].
    erased: VecDeque<(C, u32)>,
}

impl<C> Default for Kept<C> {
    fn default() -> Self {
        Self { keys: VecDeque::new(), erased: VecDeque::new() }
    }
}

impl<C: PartialEq> Kept<C> {
    /// Where the key of a message is.
    pub(super) fn find(&self, chain: &C, number: u32) -> Option<usize> {
        self.keys.iter().position(|(of, at, _)| *at == number && of == chain)
    }

    pub(super) fn get(&self, at: usize) -> Option<&Key> {
        self.keys.get(at).map(|(_, _, key)| key)
    }

    /// A key has been used.
    pub(super) fn remove(&mut self, at: usize) {
        self.keys.remove(at);
    }

    pub(super) fn keep(&mut self, chain: C, number: u32, key: Key) {
        if self.keys.len() == MAX_KEPT_KEYS
            && let Some((chain, number, _)) = self.keys.pop_front()
        {
            self.erase(chain, number);
        }
        self.keys.push_back((chain, number, key));
    }

    /// Keys of one chain are kept, and so erased, in the order of their numbers.
    fn erase(&mut self, chain: C, number: u32) {
        if let Some((_, last)) = self.erased.iter_mut().find(|(of, _)| *of == chain) {
            *last = number;
            return;
        }
        if self.erased.len() == MAX_KEPT_KEYS {
            self.erased.pop_front();
        }
        self.erased.push_back((chain, number));
    }

    /// Whether the key of a message that is not kept may have been erased for want of room.
    pub(super) fn has_erased(&self, chain: &C, number: u32) -> bool {
        self.erased.iter().any(|(of, last)| of == chain && number <= *last)
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter().map(|(_, _, key)| key)
    }
}
