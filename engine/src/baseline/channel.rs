//! A pair of clients: the sessions between them at one end, and the envelopes that go over.
//!
//! A session is made lazily, by the first message that needs it. Both ends may do that before they
//! hear of each other; then there are two, and both go on in the one that the lower client number
//! began, as soon as they know of it (Sesame leaves one of them inactive by the order of arrival,
//! which two ends may see differently). The other is kept by the end that may still receive in it.
//! A client that has lost its state registers anew: whoever hears of that sends it nothing more in
//! the old sessions, and keeps those of one registration for what is late.

use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use rayon::prelude::*;
use tls_codec::{TlsDeserializeBytes, TlsSerialize, TlsSize, VLBytes};

use super::BaselineError;
use super::ratchet::{Header, Session};
use super::x3dh::{Bundle, Identity, IdentityKeys, Initial, Responder, initiate, respond};
use crate::codec::{decode, encode};
use crate::crypto::{Crypto, HpkeKeyPair, HpkePublicKey, Ledger, Provider, Seed};
use crate::protocol::ClientId;

/// Below this many copies, waking other threads costs more than it saves.
const PARALLEL_FROM: usize = 16;

/// What of an envelope can be read by anybody: the associated data of its ciphertext.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub(super) struct Outside {
    /// Who sends it.
    pub(super) sender: u32,
    /// The sender's registration.
    pub(super) registration: u32,
    /// The epoch of the sender's view.
    pub(super) epoch: u64,
    /// Whether the session was begun by the sender.
    pub(super) begun_by_sender: u8,
    /// What the other end needs for it, until it has answered.
    pub(super) initial: Option<Initial>,
}

/// One message of one client to another.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub(super) struct Envelope {
    pub(super) outside: Outside,
    pub(super) header: Header,
    pub(super) ciphertext: VLBytes,
}

impl Envelope {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, BaselineError> {
        Ok(decode("an envelope", bytes)?)
    }

    /// The associated data, by who it is from and for.
    pub(super) fn associated(
        &self,
        sender: &HpkePublicKey,
        receiver: &HpkePublicKey,
    ) -> Result<Vec<u8>, BaselineError> {
        self.outside.associated(sender, receiver)
    }

    /// Whether the keys of a responder open it as the first of a session.
    pub(super) fn would_open_first(
        &self,
        crypto: &Crypto<'_>,
        own: Responder<'_>,
        aad: &[u8],
    ) -> bool {
        let Some(initial) = &self.outside.initial else { return false };
        let Ok(secret) = respond(crypto, own, initial) else { return false };
        let mut session = Session::respond(secret, own.signed_prekey.clone());
        session.decrypt(crypto, aad, &self.header, self.ciphertext.as_slice()).is_ok()
    }
}

impl Outside {
    /// `AD` of X3DH §3.3, the initiator's identity first, and the outside.
    fn associated(
        &self,
        sender: &HpkePublicKey,
        receiver: &HpkePublicKey,
    ) -> Result<Vec<u8>, BaselineError> {
        let by_sender = self.begun_by_sender == 1;
        let (first, second) = if by_sender { (sender, receiver) } else { (receiver, sender) };
        Ok([first.as_slice(), second.as_slice(), &encode(self)?].concat())
    }
}

/// The client at this end.
#[derive(Clone, Copy)]
pub(super) struct End<'e> {
    pub(super) client: ClientId,
    pub(super) registration: u32,
    pub(super) identity: &'e Identity,
}

/// A session that this end began, and what goes along until it is answered.
#[derive(Clone)]
struct Mine {
    session: Session,
    initial: Option<Initial>,
}

/// A session that the other end began, by its ephemeral key.
#[derive(Clone)]
struct Theirs {
    session: Session,
    ephemeral: HpkePublicKey,
}

/// What one end holds of a pair.
#[derive(Clone)]
pub(super) struct Pair {
    /// The other end's registration.
    pub(super) registration: u32,
    mine: Option<Box<Mine>>,
    theirs: Option<Box<Theirs>>,
    /// The sessions with its registration before, for what is late.
    before: Option<Box<Pair>>,
}

/// How the private halves of prekeys are found.
pub(super) struct Prekeys<'p> {
    pub(super) signed: &'p HpkeKeyPair,
    /// The private half of a one-time prekey that has not been used.
    pub(super) one_time: &'p dyn Fn(u32) -> Result<HpkeKeyPair, BaselineError>,
}

/// A message opened.
pub(super) struct Opened {
    pub(super) text: Vec<u8>,
    /// The one-time prekey that it has used up.
    pub(super) used: Option<u32>,
}

impl Pair {
    /// A pair whose first session this end begins.
    fn begin(
        crypto: &Crypto<'_>,
        end: End<'_>,
        keys: &IdentityKeys,
        bundle: &Bundle,
        ephemeral: &Seed,
    ) -> Result<Self, BaselineError> {
        if bundle.identity != *keys {
            return Err(BaselineError::WrongIdentity);
        }
        let (secret, initial) = initiate(crypto, &end.identity.exchange, bundle, ephemeral)?;
        let session = Session::initiate(secret, bundle.signed_prekey.clone());
        let mine = Mine { session, initial: Some(initial) };
        Ok(Self { mine: Some(Box::new(mine)), ..Self::without_sessions(bundle.registration) })
    }

    fn without_sessions(registration: u32) -> Self {
        Self { registration, mine: None, theirs: None, before: None }
    }

    /// The other end has registered anew: nothing more is sent in the sessions there are.
    pub(super) fn renewed(self, registration: u32) -> Self {
        if self.registration >= registration {
            return self;
        }
        let before = Self { before: None, ..self };
        Self { before: Some(Box::new(before)), ..Self::without_sessions(registration) }
    }

    /// Whether there is a session to send in.
    pub(super) fn can_send(&self) -> bool {
        self.mine.is_some() || self.theirs.is_some()
    }

    /// The session that this end sends in, who began it, and what goes along.
    fn sending(
        &mut self,
        own: ClientId,
        peer: ClientId,
    ) -> Option<(&mut Session, bool, Option<&Initial>)> {
        match (&mut self.mine, &mut self.theirs) {
            (Some(mine), theirs) if theirs.is_none() || own < peer => {
                Some((&mut mine.session, true, mine.initial.as_ref()))
            }
            (_, Some(theirs)) => Some((&mut theirs.session, false, None)),
            _ => None,
        }
    }

    /// Whether either session opens an envelope under this associated data.
    pub(super) fn would_open(&self, crypto: &Crypto<'_>, aad: &[u8], envelope: &Envelope) -> bool {
        let Envelope { header, ciphertext, .. } = envelope;
        self.sessions().any(|session| {
            let mut session = session.clone();
            session.decrypt(crypto, aad, header, ciphertext.as_slice()).is_ok()
        })
    }

    /// The sessions there are.
    pub(super) fn sessions(&self) -> impl Iterator<Item = &Session> {
        let pairs = std::iter::successors(Some(self), |pair| pair.before.as_deref());
        pairs.flat_map(|pair| {
            let mine = pair.mine.iter().map(|mine| &mine.session);
            mine.chain(pair.theirs.iter().map(|theirs| &theirs.session))
        })
    }
}

/// A copy of a message to be made.
pub(super) struct Outgoing<'o> {
    pub(super) peer: ClientId,
    pub(super) keys: &'o IdentityKeys,
    pub(super) pair: &'o mut Option<Box<Pair>>,
    /// The peer's bundle, if there is no pair yet.
    pub(super) bundle: Option<Bundle>,
}

/// What all copies of a message have in common.
#[derive(Clone, Copy)]
pub(super) struct Letter<'l> {
    pub(super) epoch: u64,
    pub(super) text: &'l [u8],
    /// What the keys of all copies are drawn from.
    pub(super) seed: Seed,
}

/// A copy of a message, as it waits for its receiver.
#[derive(Clone, Debug)]
pub(super) struct Copy {
    pub(super) bytes: Arc<[u8]>,
    /// The receiver's registration that it is for.
    pub(super) registration: u32,
    /// The epoch of its sender's view.
    pub(super) epoch: u64,
}

fn seal(
    crypto: &Crypto<'_>,
    end: End<'_>,
    letter: Letter<'_>,
    out: &mut Outgoing<'_>,
) -> Result<Copy, BaselineError> {
    let mut rng = ChaCha20Rng::from_seed(letter.seed);
    rng.set_stream(out.peer.0.into());
    let (mut ephemeral, mut ratchet) = (Seed::default(), Seed::default());
    rng.fill_bytes(&mut ephemeral);
    rng.fill_bytes(&mut ratchet);
    if !out.pair.as_ref().is_some_and(|pair| pair.can_send()) {
        let bundle = out.bundle.as_ref().ok_or(BaselineError::NoSession)?;
        let begun = Pair::begin(crypto, end, out.keys, bundle, &ephemeral)?;
        let before = out.pair.take().map(|pair| pair.renewed(begun.registration));
        let before = before.and_then(|pair| pair.before);
        *out.pair = Some(Box::new(Pair { before, ..begun }));
    }
    let pair = out.pair.as_mut().ok_or(BaselineError::NoSession)?;
    let registration = pair.registration;
    let sending = pair.sending(end.client, out.peer);
    let (session, begun_by_sender, initial) = sending.ok_or(BaselineError::NoSession)?;
    let outside = Outside {
        sender: end.client.0,
        registration: end.registration,
        epoch: letter.epoch,
        begun_by_sender: begun_by_sender.into(),
        initial: initial.cloned(),
    };
    let own = &end.identity.exchange.public;
    let aad = outside.associated(own, &out.keys.exchange)?;
    let (header, ciphertext) = session.encrypt(crypto, &aad, letter.text, &ratchet)?;
    let envelope = Envelope { outside, header, ciphertext: ciphertext.into() };
    Ok(Copy { bytes: encode(&envelope)?.into(), registration, epoch: letter.epoch })
}

/// Makes all copies, in their order, and says what that took.
pub(super) fn seal_all(
    provider: &'static dyn Provider,
    end: End<'_>,
    letter: Letter<'_>,
    mut out: Vec<Outgoing<'_>>,
) -> Result<(Vec<Copy>, Ledger), BaselineError> {
    let one = |out: &mut Outgoing<'_>| {
        let crypto = Crypto::new(provider);
        seal(&crypto, end, letter, out).map(|copy| (copy, crypto.ledger()))
    };
    let sealed: Vec<_> = if out.len() < PARALLEL_FROM || !provider.is_real() {
        out.iter_mut().map(one).collect()
    } else {
        out.par_iter_mut().with_min_len(PARALLEL_FROM / 2).map(one).collect()
    };
    let (mut copies, mut ledger) = (Vec::with_capacity(sealed.len()), Ledger::default());
    for sealed in sealed {
        let (copy, took) = sealed?;
        copies.push(copy);
        ledger += took;
    }
    Ok((copies, ledger))
}

/// Opens an envelope from `peer`, whose identity is `keys`.
pub(super) fn open(
    crypto: &Crypto<'_>,
    end: End<'_>,
    prekeys: &Prekeys<'_>,
    (peer, keys): (ClientId, &IdentityKeys),
    pair: &mut Option<Box<Pair>>,
    envelope: &Envelope,
) -> Result<Opened, BaselineError> {
    let Envelope { outside, header, ciphertext } = envelope;
    if outside.sender != peer.0 {
        return Err(BaselineError::WrongSender);
    }
    if let Some(known) = pair
        && outside.registration < known.registration
    {
        let before = &mut known.before;
        // A session that was never begun at this end may still be, by what goes along.
        let is_late = before.as_ref().is_none_or(|it| it.registration == outside.registration);
        return match is_late {
            true => open(crypto, end, prekeys, (peer, keys), before, envelope),
            false => Err(BaselineError::KeyIsGone),
        };
    }
    if let Some(known) = pair
        && outside.registration > known.registration
    {
        // Anybody can write a registration: one is believed once a message of it has opened.
        let known = Pair::clone(known).renewed(outside.registration);
        let mut renewed = Some(Box::new(known));
        let opened = open(crypto, end, prekeys, (peer, keys), &mut renewed, envelope)?;
        *pair = renewed;
        return Ok(opened);
    }
    let own = &end.identity.exchange.public;
    let aad = outside.associated(&keys.exchange, own)?;
    if outside.begun_by_sender == 1
        && let Some(initial) = &outside.initial
        && !is_of(pair, initial)
    {
        return open_first(crypto, end, prekeys, (peer, keys), pair, envelope, (initial, &aad));
    }
    let known = pair.as_mut().ok_or(BaselineError::NoSession)?;
    let ciphertext = ciphertext.as_slice();
    let text = if outside.begun_by_sender == 1 {
        let theirs = known.theirs.as_mut().ok_or(BaselineError::NoSession)?;
        theirs.session.decrypt(crypto, &aad, header, ciphertext)?
    } else {
        let mine = known.mine.as_mut().ok_or(BaselineError::NoSession)?;
        let text = mine.session.decrypt(crypto, &aad, header, ciphertext)?;
        mine.initial = None;
        text
    };
    Ok(Opened { text, used: None })
}

/// Whether the other end's session was begun with this.
fn is_of(pair: &Option<Box<Pair>>, initial: &Initial) -> bool {
    let theirs = pair.as_ref().and_then(|pair| pair.theirs.as_ref());
    theirs.is_some_and(|theirs| theirs.ephemeral == initial.ephemeral)
}

/// Opens the first message to come of a session that the other end has begun.
fn open_first(
    crypto: &Crypto<'_>,
    end: End<'_>,
    prekeys: &Prekeys<'_>,
    (peer, keys): (ClientId, &IdentityKeys),
    pair: &mut Option<Box<Pair>>,
    envelope: &Envelope,
    (initial, aad): (&Initial, &[u8]),
) -> Result<Opened, BaselineError> {
    if initial.identity != keys.exchange {
        return Err(BaselineError::WrongIdentity);
    }
    let one_time = initial.one_time.map(|number| (prekeys.one_time)(number)).transpose()?;
    let responder = Responder {
        identity: &end.identity.exchange,
        signed_prekey: prekeys.signed,
        one_time: one_time.as_ref(),
    };
    let secret = respond(crypto, responder, initial)?;
    let mut session = Session::respond(secret, prekeys.signed.clone());
    let text = session.decrypt(crypto, aad, &envelope.header, envelope.ciphertext.as_slice())?;
    let registration = envelope.outside.registration;
    let pair = pair.get_or_insert_with(|| Box::new(Pair::without_sessions(registration)));
    pair.theirs = Some(Box::new(Theirs { session, ephemeral: initial.ephemeral.clone() }));
    if peer < end.client {
        // Who has the lower number began before it heard of ours, and will never use ours.
        pair.mine = None;
    }
    Ok(Opened { text, used: initial.one_time })
}

#[cfg(test)]
mod tests;
