//! A client in one group: the engine's session, and the proposals that it has seen under their
//! messages, since the interface names a proposal by its whole message.

use std::collections::BTreeMap;

use arboretum_engine::crypto::{CipherSuite, Crypto, Digest, Provider};
use arboretum_engine::group::{Ended, Received, Session};
use arboretum_engine::treesync::Proposal;
use rand_chacha::ChaCha20Rng;

use super::client::{Card, now};
use crate::refusal::{Field, Refusal, at};

/// A client in one group. Calls work on a copy, which takes the state's place when all went
/// well.
#[derive(Clone)]
pub(super) struct State {
    pub(super) session: Session,
    pub(super) provider: &'static dyn Provider,
    pub(super) identity: Vec<u8>,
    /// Whether its handshakes are private messages.
    pub(super) private: bool,
    /// The references of this epoch's proposals, by message. A private message opens only
    /// once, and one's own not at all.
    known: BTreeMap<Vec<u8>, Digest>,
    /// What it joins the next group with, once a ReInit has ended this one.
    pub(super) successor: Option<Card>,
    /// How many keys of the application it was given.
    pub(super) psk_count: usize,
}

impl State {
    /// What a client has become that entered a group.
    pub(super) fn new(session: Session, card: &Card, private: bool) -> Self {
        Self {
            session,
            provider: card.provider,
            identity: card.identity.clone(),
            private,
            known: BTreeMap::new(),
            successor: None,
            psk_count: card.psk_count,
        }
    }

    pub(super) fn crypto(&self) -> Crypto<'static> {
        Crypto::new(self.provider)
    }

    pub(super) fn epoch_authenticator(&self) -> Vec<u8> {
        self.session.epoch_authenticator().as_slice().to_vec()
    }

    /// The cipher suite of the group to come, once a ReInit has ended this one.
    pub(super) fn successor_suite(&self) -> Option<CipherSuite> {
        match self.session.ended() {
            Some(Ended::Reinit(reinit)) => Some(reinit.cipher_suite),
            _ => None,
        }
    }

    /// Whether a ReInit has ended the group.
    pub(super) fn is_over(&self) -> bool {
        self.successor_suite().is_some()
    }

    /// Proposes something.
    pub(super) fn propose(
        &mut self,
        field: &'static str,
        proposal: Proposal,
        rng: &mut ChaCha20Rng,
    ) -> Result<Vec<u8>, Refusal> {
        let (crypto, wanted) = (self.crypto(), proposal.clone());
        let message = self.session.propose(&crypto, proposal, now(), rng).map_err(at(field))?;
        self.remember(&message, |proposal| *proposal == wanted);
        Ok(message)
    }

    /// Proposes a new key for its own leaf.
    pub(super) fn propose_update(&mut self, rng: &mut ChaCha20Rng) -> Result<Vec<u8>, Refusal> {
        let crypto = self.crypto();
        let made = self.session.propose_update(&crypto, None, |_| (), rng);
        let message = made.map_err(at("state_id"))?;
        self.remember(&message, |proposal| matches!(proposal, Proposal::Update(_)));
        Ok(message)
    }

    /// Keeps the reference of its own last proposal of this kind.
    fn remember(&mut self, message: &[u8], wanted: impl Fn(&Proposal) -> bool) {
        let (holdings, own) = (self.session.holdings(), Some(self.session.leaf()));
        let mine = holdings.proposals.iter().filter(|stored| stored.sender == own);
        if let Some(stored) = mine.filter(|stored| wanted(&stored.proposal)).last() {
            self.known.insert(message.to_vec(), stored.reference);
        }
    }

    /// Takes in proposals, and gives their references in the same order.
    pub(super) fn take_in(
        &mut self,
        field: &'static str,
        messages: &[Vec<u8>],
    ) -> Result<Vec<Digest>, Refusal> {
        let mut references = Vec::with_capacity(messages.len());
        for (index, message) in messages.iter().enumerate() {
            let field = Field::from((field, index));
            let reference = match self.known.get(message) {
                Some(reference) => *reference,
                None => self.take_in_one(field, message)?,
            };
            references.push(reference);
        }
        Ok(references)
    }

    fn take_in_one(&mut self, field: Field, message: &[u8]) -> Result<Digest, Refusal> {
        match self.session.receive(&self.crypto(), message).map_err(at(field))? {
            Received::Proposal { reference, .. } => {
                self.known.insert(message.to_vec(), reference);
                Ok(reference)
            }
            _ => Err(Refusal::WrongMessage { field, wanted: "proposal" }),
        }
    }

    /// Follows the commit of another, or its own when it comes back. Says whether the client is
    /// still in the group.
    pub(super) fn follow(&mut self, commit: &[u8]) -> Result<bool, Refusal> {
        let field = Field::from("commit");
        let received = self.session.receive(&self.crypto(), commit).map_err(at(field))?;
        self.known.clear();
        match received {
            Received::Commit { .. } => Ok(true),
            Received::Removed { .. } => Ok(false),
            _ => Err(Refusal::WrongMessage { field, wanted: "commit" }),
        }
    }

    /// Its own commit was chosen.
    pub(super) fn accept(&mut self) -> Result<(), Refusal> {
        self.session.accept_pending().map_err(at("state_id"))?;
        self.known.clear();
        Ok(())
    }
}
