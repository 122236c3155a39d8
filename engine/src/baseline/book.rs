//! Who is a member, in whose eyes: a book of everybody that a client has heard of, with the epochs
//! in which each was a member.
//!
//! Epochs are never forgotten, so the newest book answers for every epoch before it: at fidelity
//! `shared` one book stands for all clients, and a client's view is the number of its epoch.

use std::collections::BTreeMap;

use smallvec::{SmallVec, smallvec};
use tls_codec::{TlsDeserializeBytes, TlsSerialize, TlsSize};

use super::x3dh::IdentityKeys;
use crate::protocol::ClientId;

/// A member, as rosters and announcements show it.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub(super) struct Card {
    pub(super) client: u32,
    pub(super) registration: u32,
    pub(super) keys: IdentityKeys,
}

/// Epochs from the first to before the second.
type Span = (u64, u64);

/// The end of a span that has none.
const OPEN: u64 = u64::MAX;

#[derive(Clone, Debug)]
struct Contact {
    card: Card,
    spans: SmallVec<[Span; 1]>,
}

/// Everybody that somebody has heard of.
#[derive(Clone, Debug, Default)]
pub(super) struct Book {
    contacts: BTreeMap<ClientId, Contact>,
    members: u32,
}

impl Book {
    /// What a joiner makes of the roster of its first epoch; if it has been a member before, it
    /// remembers who was there then.
    #[must_use]
    pub(super) fn resumed(mut self, epoch: u64, roster: Vec<Card>) -> Self {
        let known: Vec<_> = self.contacts.keys().copied().collect();
        known.into_iter().for_each(|client| self.leave(epoch, client));
        roster.into_iter().for_each(|card| self.enter(epoch, card));
        self
    }

    /// How many are members in the newest epoch.
    pub(super) fn members(&self) -> u32 {
        self.members
    }

    /// Whether somebody was a member in an epoch.
    pub(super) fn is_member(&self, client: ClientId, epoch: u64) -> bool {
        let contact = self.contacts.get(&client);
        contact.is_some_and(|contact| {
            contact.spans.iter().any(|(from, until)| (*from..*until).contains(&epoch))
        })
    }

    /// Who was a member in an epoch, in the order of their numbers.
    pub(super) fn roster(&self, epoch: u64) -> Vec<ClientId> {
        self.contacts.keys().copied().filter(|client| self.is_member(*client, epoch)).collect()
    }

    /// The members of the newest epoch.
    pub(super) fn cards(&self) -> Vec<Card> {
        let members = self.contacts.values().filter(|contact| contact.is_member());
        members.map(|contact| contact.card.clone()).collect()
    }

    /// Somebody's keys, whether it is a member or has been one.
    pub(super) fn keys(&self, client: ClientId) -> Option<&IdentityKeys> {
        self.contacts.get(&client).map(|contact| &contact.card.keys)
    }

    /// The card of a member of the newest epoch.
    pub(super) fn card(&self, client: ClientId) -> Option<&Card> {
        let contact = self.contacts.get(&client).filter(|contact| contact.is_member());
        contact.map(|contact| &contact.card)
    }

    /// Somebody is no member any more, from this epoch on.
    pub(super) fn leave(&mut self, epoch: u64, client: ClientId) {
        if let Some(contact) = self.contacts.get_mut(&client)
            && let Some((_, until)) = contact.spans.last_mut()
            && *until == OPEN
        {
            *until = epoch;
            self.members -= 1;
        }
    }

    /// Somebody is a member from this epoch on.
    pub(super) fn enter(&mut self, epoch: u64, card: Card) {
        let client = ClientId(card.client);
        match self.contacts.get_mut(&client) {
            Some(contact) => {
                contact.card = card;
                contact.spans.push((epoch, OPEN));
            }
            None => {
                self.contacts.insert(client, Contact { card, spans: smallvec![(epoch, OPEN)] });
            }
        }
        self.members += 1;
    }

    /// Whether the number of members is the one that a count gives.
    pub(super) fn recount(&self) -> bool {
        self.cards().len() == self.members as usize
    }
}

impl Contact {
    fn is_member(&self) -> bool {
        self.spans.last().is_some_and(|(_, until)| *until == OPEN)
    }
}
