//! The Double Ratchet (The Double Ratchet Algorithm, revision 1, Signal 2016, §3): two ends, each
//! with a root chain that Diffie-Hellman agreements go into, a sending and a receiving chain.
//!
//! Choices where the specification leaves them: the key of a Diffie-Hellman step is made when its
//! end next sends, not when it receives (§6 on deferring new ratchet keys), so who never answers
//! makes none; `KDF_RK` is HKDF with the root key as salt (§5.2); the chains are those of `chain`;
//! message keys of messages that have not come are kept within `MAX_SKIP` and `MAX_KEPT_KEYS`.
//! A message that does not open leaves its receiver as it was (§3.5).

use tls_codec::{TlsDeserializeBytes, TlsSerialize, TlsSize};

use super::BaselineError;
use super::chain::{Chain, KEY, Kept, Key};
use crate::codec::encode;
use crate::crypto::{Crypto, HpkeKeyPair, HpkePublicKey, Seed};

/// `HEADER(dh_pair, pn, n)`.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct Header {
    /// The sender's ratchet key.
    pub ratchet: HpkePublicKey,
    /// How many messages the sender's previous chain had.
    pub previous: u32,
    /// The number of this message in its chain.
    pub number: u32,
}

/// One end of a session.
#[derive(Clone, Debug)]
pub struct Session {
    root: Key,
    /// DHs; none until an initiator's first message.
    own: Option<HpkeKeyPair>,
    /// DHr; none until the first message has come.
    theirs: Option<HpkePublicKey>,
    /// None while a Diffie-Hellman step is due before the next message.
    sending: Option<Chain>,
    receiving: Option<Chain>,
    /// PN.
    previous: u32,
    /// MKSKIPPED; by the ratchet key of the chain. None if none ever were.
    kept: Option<Box<Kept<HpkePublicKey>>>,
}

/// Where a message would take its receiver.
struct Ahead {
    root: Key,
    receiving: Chain,
    key: Key,
    /// Keys of messages not come, of the chain that ends and of the one the message is in.
    ended: Vec<(u32, Key)>,
    passed: Vec<(u32, Key)>,
    turns: bool,
}

/// `KDF_RK(rk, dh_out)`: the next root key, and a chain.
fn root_step(
    crypto: &Crypto<'_>,
    root: &Key,
    own: &HpkeKeyPair,
    theirs: &HpkePublicKey,
) -> Result<(Key, Chain), BaselineError> {
    let agreed = crypto.dh(own, theirs)?;
    let extracted = crypto.extract(&root.secret(), &agreed);
    let both = crypto.expand(&extracted, b"Arboretum ratchet", 2 * KEY)?;
    let (root, chain) = both.as_slice().split_at(KEY);
    Ok((Key::new(root)?, Chain::new(Key::new(chain)?)))
}

impl Session {
    /// `RatchetInitAlice`: `theirs` is the responder's signed prekey. Its first ratchet key is
    /// made when it first sends.
    pub(super) fn initiate(secret: Key, theirs: HpkePublicKey) -> Self {
        Self::new(secret, None, Some(theirs))
    }

    /// `RatchetInitBob`: `own` is its signed prekey.
    pub(super) fn respond(secret: Key, own: HpkeKeyPair) -> Self {
        Self::new(secret, Some(own), None)
    }

    fn new(root: Key, own: Option<HpkeKeyPair>, theirs: Option<HpkePublicKey>) -> Self {
        Self { root, own, theirs, sending: None, receiving: None, previous: 0, kept: None }
    }

    /// Whether the next message takes a new ratchet key.
    pub fn step_is_due(&self) -> bool {
        self.sending.is_none()
    }

    /// `RatchetEncrypt`. `seed` is of the new ratchet key, if one is due.
    pub(super) fn encrypt(
        &mut self,
        crypto: &Crypto<'_>,
        aad: &[u8],
        text: &[u8],
        seed: &Seed,
    ) -> Result<(Header, Vec<u8>), BaselineError> {
        if self.sending.is_none() {
            let theirs = self.theirs.as_ref().ok_or(BaselineError::NotYetAnswerable)?;
            let own = crypto.derive_key_pair(&seed.as_slice().into())?;
            let (root, chain) = root_step(crypto, &self.root, &own, theirs)?;
            (self.root, self.own, self.sending) = (root, Some(own), Some(chain));
        }
        let (Some(sending), Some(own)) = (&mut self.sending, &self.own) else {
            return Err(BaselineError::NotYetAnswerable);
        };
        let (number, key) = sending.step(crypto)?;
        let ratchet = own.public.clone();
        let header = Header { ratchet, previous: self.previous, number };
        let ciphertext = key.seal(crypto, &associated(aad, &header)?, text)?;
        Ok((header, ciphertext))
    }

    /// `RatchetDecrypt`.
    pub(super) fn decrypt(
        &mut self,
        crypto: &Crypto<'_>,
        aad: &[u8],
        header: &Header,
        ciphertext: &[u8],
    ) -> Result<Vec<u8>, BaselineError> {
        let aad = associated(aad, header)?;
        if let Some(kept) = &mut self.kept
            && let Some(at) = kept.find(&header.ratchet, header.number)
            && let Some(key) = kept.get(at)
        {
            let text = key.open(crypto, &aad, ciphertext)?;
            kept.remove(at);
            return Ok(text);
        }
        if self.kept.as_ref().is_some_and(|kept| kept.has_erased(&header.ratchet, header.number)) {
            return Err(BaselineError::KeyIsGone);
        }
        let ahead = self.ahead(crypto, header)?;
        let text = ahead.key.open(crypto, &aad, ciphertext)?;
        self.go(ahead, &header.ratchet);
        Ok(text)
    }

    /// Where a message of this header would lead.
    fn ahead(&self, crypto: &Crypto<'_>, header: &Header) -> Result<Ahead, BaselineError> {
        let receiving = self.receiving.clone();
        if let Some(mut receiving) = receiving.clone()
            && self.theirs.as_ref() == Some(&header.ratchet)
        {
            let (passed, key) = receiving.reach(crypto, header.number)?;
            let root = self.root.clone();
            return Ok(Ahead { root, receiving, key, ended: vec![], passed, turns: false });
        }
        let ended = match receiving {
            Some(mut ending) if ending.next < header.previous => {
                ending.skip_to(crypto, header.previous)?
            }
            _ => vec![],
        };
        let own = self.own.as_ref().ok_or(BaselineError::NotYetAnswerable)?;
        let (root, mut receiving) = root_step(crypto, &self.root, own, &header.ratchet)?;
        let (passed, key) = receiving.reach(crypto, header.number)?;
        Ok(Ahead { root, receiving, key, ended, passed, turns: true })
    }

    fn go(&mut self, ahead: Ahead, ratchet: &HpkePublicKey) {
        let before = if ahead.turns { self.theirs.clone() } else { None };
        if !(ahead.ended.is_empty() && ahead.passed.is_empty()) {
            let kept = self.kept.get_or_insert_default();
            for (number, key) in ahead.ended {
                if let Some(before) = &before {
                    kept.keep(before.clone(), number, key);
                }
            }
            for (number, key) in ahead.passed {
                kept.keep(ratchet.clone(), number, key);
            }
        }
        self.root = ahead.root;
        self.receiving = Some(ahead.receiving);
        if ahead.turns {
            self.theirs = Some(ratchet.clone());
            self.previous = self.sending.take().map_or(self.previous, |sending| sending.next);
        }
    }

    /// Message keys kept for late messages.
    pub fn kept_keys(&self) -> usize {
        self.kept.as_ref().map_or(0, |kept| kept.len())
    }

    /// Whether any message key that this end holds or would come to next opens a ciphertext,
    /// whatever its header says.
    pub(super) fn any_key_opens(&self, crypto: &Crypto<'_>, aad: &[u8], ciphertext: &[u8]) -> bool {
        let chains = [&self.sending, &self.receiving].into_iter().flatten();
        let next = chains.filter_map(|chain| Some(chain.clone().step(crypto).ok()?.1));
        let kept = self.kept.iter().flat_map(|kept| kept.keys().cloned());
        next.chain(kept).any(|key| key.open(crypto, aad, ciphertext).is_ok())
    }
}

/// `CONCAT(ad, header)`.
pub(super) fn associated(aad: &[u8], header: &Header) -> Result<Vec<u8>, BaselineError> {
    Ok([aad, &encode(header)?].concat())
}

#[cfg(test)]
mod tests;
