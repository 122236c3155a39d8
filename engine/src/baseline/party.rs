//! All clients of one group that is held together by announcements and pairs: what the server
//! publishes of them, what each holds, and the log that they follow.
//!
//! At fidelity `full` every client has a book of its own and follows each announcement from its
//! bytes; at `shared` an announcement is followed once, and a client's view is a number. What goes
//! over pairs is different for each two clients, so that there everybody does its own work at both.

mod log;
mod post;

use std::collections::BTreeSet;

use super::announcement::{Announcement, Content};
use super::book::{Book, Card};
use super::channel::{Copy, End, Envelope, Letter, Outgoing, Pair, Prekeys, open, seal_all};
use super::ratchet::associated;
use super::x3dh::{Bundle, Identity, IdentityKeys, OneTime, Responder};
use super::{BaselineError, Sharing};
use crate::codec::{decode, encode};
use crate::crypto::{
    Crypto, Digest, HpkeKeyPair, HpkePublicKey, Ledger, Provider, Secret, Signature,
};
use crate::group::CommitCost;
use crate::protocol::{
    Accepted, CaughtUp, ClientId, Draft, Entering, Joined, Opaque, Order, ProtocolError, Seeds,
};
use crate::tree::{Aggregates, LeafIndex};

/// What the server has of a client.
struct Published {
    registration: u32,
    identity: IdentityKeys,
    signed_prekey: HpkePublicKey,
    signature: Signature,
    /// One-time prekeys of this registration, and how many of them were taken.
    packages: u32,
    taken: u32,
}

/// How a client stands to the group, as it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Outside,
    /// It was added in this epoch and has not come.
    Invited(u64),
    /// Its view.
    Member(u64),
}

/// A client and what it holds.
struct Client {
    identity: Identity,
    registration: u32,
    signed_prekey: HpkeKeyPair,
    /// One-time prekeys that are used up.
    used: BTreeSet<u32>,
    /// By the number of the other end.
    pairs: Vec<Option<Box<Pair>>>,
    /// Seeds drawn so far.
    draws: u64,
    standing: Standing,
    /// Since it registered: from which epoch to before which it has been a member and come.
    lived: Vec<(u64, u64)>,
    lost: bool,
    /// What registering anew took, to be charged when it is back.
    owed: Joined,
    /// At `full`.
    book: Option<Book>,
    transcript: Digest,
}

/// An entry of the log.
pub(super) struct Entry {
    /// None where a member has renewed what is no matter of the log.
    announcement: Option<Vec<u8>>,
    pub(super) by: ClientId,
    pub(super) removes: Vec<ClientId>,
    /// With their registrations.
    pub(super) adds: Vec<(ClientId, u32)>,
    /// The encoded roster after it, for joiners, at `full`; and its length.
    roster: Vec<u8>,
    roster_bytes: u64,
    transcript: Digest,
    receiver: Ledger,
}

/// An announcement between making and acceptance.
#[derive(Debug)]
pub(in crate::baseline) struct Announced {
    announcement: Option<Vec<u8>>,
    removes: Vec<ClientId>,
    adds: Vec<(ClientId, u32)>,
}

/// All clients of one group.
pub(super) struct Party<S> {
    pub(super) provider: &'static dyn Provider,
    pub(super) seeds: S,
    pub(super) sharing: Sharing,
    published: Vec<Option<Published>>,
    clients: Vec<Option<Client>>,
    everyone: Book,
    founding: Digest,
    is_founded: bool,
    log: Vec<Entry>,
}

fn at<T>(list: &[Option<T>], client: ClientId) -> Option<&T> {
    list.get(client.0 as usize).and_then(Option::as_ref)
}

fn put<T>(list: &mut Vec<Option<T>>, client: ClientId, value: T) {
    let at = client.0 as usize;
    if list.len() <= at {
        list.resize_with(at + 1, || None);
    }
    list[at] = Some(value);
}

/// The address of a prekey among its owner's: each registration has numbers of its own.
fn prekey_address(registration: u32, number: u32) -> u64 {
    u64::from(registration) << 32 | u64::from(number)
}

impl<S: Seeds> Party<S> {
    pub(super) fn new(provider: &'static dyn Provider, seeds: S, sharing: Sharing) -> Self {
        Self {
            provider,
            seeds,
            sharing,
            published: vec![],
            clients: vec![],
            everyone: Book::default(),
            founding: Digest::EMPTY,
            is_founded: false,
            log: vec![],
        }
    }

    fn client(&self, client: ClientId) -> Result<&Client, ProtocolError> {
        at(&self.clients, client).ok_or(ProtocolError::NotAMember(client))
    }

    fn client_mut(&mut self, client: ClientId) -> Result<&mut Client, ProtocolError> {
        let found = self.clients.get_mut(client.0 as usize).and_then(Option::as_mut);
        found.ok_or(ProtocolError::NotAMember(client))
    }

    fn prekey(
        &self,
        crypto: &Crypto<'_>,
        domain: &'static str,
        client: ClientId,
        address: u64,
    ) -> Result<HpkeKeyPair, BaselineError> {
        let seed = self.seeds.seed(domain, client.0.into(), address);
        Ok(crypto.derive_key_pair(&seed.as_slice().into())?)
    }

    /// Makes an identity and prekeys, and publishes them.
    pub(super) fn register(
        &mut self,
        client: ClientId,
        packages: u32,
    ) -> Result<Joined, ProtocolError> {
        self.install(client, 0, packages)
    }

    /// The same for a registration of this number: the identity stays, all else is new.
    fn install(
        &mut self,
        client: ClientId,
        registration: u32,
        packages: u32,
    ) -> Result<Joined, ProtocolError> {
        let crypto = Crypto::new(self.provider);
        let signer = self.seeds.seed("identity", client.0.into(), 0);
        let exchange = self.seeds.seed("exchange identity", client.0.into(), 0);
        let identity = Identity::new(&crypto, &signer, &exchange)?;
        let address = prekey_address(registration, 0);
        let signed_prekey = self.prekey(&crypto, "signed prekey", client, address)?;
        let signature = identity.sign_prekey(&crypto, &signed_prekey.public)?;
        // One of them is made to know what each takes; all are made again when they are used.
        let own = Crypto::new(self.provider);
        let key = self.prekey(&own, "one-time prekey", client, address)?.public;
        crypto.charge(own.ledger() * u64::from(packages));
        let one_time = encode(&OneTime { number: 0, key })?.len() as u64;
        let published = Published {
            registration,
            identity: identity.keys(),
            signed_prekey: signed_prekey.public.clone(),
            signature,
            packages,
            taken: 0,
        };
        let bundle = published.bundle(None);
        put(&mut self.published, client, published);
        let state = Client {
            identity,
            registration,
            signed_prekey,
            used: BTreeSet::new(),
            pairs: vec![],
            draws: at(&self.clients, client).map_or(0, |client| client.draws),
            standing: Standing::Outside,
            lived: vec![],
            lost: false,
            owed: Joined::default(),
            book: None,
            transcript: Digest::EMPTY,
        };
        put(&mut self.clients, client, state);
        let bytes = encode(&bundle)?.len() as u64 + u64::from(packages) * one_time;
        Ok(Joined { bytes, ledger: crypto.ledger() })
    }

    /// A client publishes more one-time prekeys.
    pub(super) fn publish(
        &mut self,
        client: ClientId,
        packages: u32,
    ) -> Result<Joined, ProtocolError> {
        let missing = ProtocolError::NoKeyPackage(client);
        let published = self.published.get_mut(client.0 as usize).and_then(Option::as_mut);
        let published = published.ok_or(missing)?;
        let (number, address) = (published.packages, published.registration);
        published.packages += packages;
        let crypto = Crypto::new(self.provider);
        let address = prekey_address(address, number);
        let key = self.prekey(&crypto, "one-time prekey", client, address)?.public;
        let bytes = encode(&OneTime { number, key })?.len() as u64;
        let times = u64::from(packages);
        Ok(Joined { bytes: bytes * times, ledger: crypto.ledger() * times })
    }

    /// A client's bundle, with its next one-time prekey if one is left.
    fn take_bundle(&mut self, client: ClientId) -> Result<Bundle, ProtocolError> {
        let published = self.published.get_mut(client.0 as usize).and_then(Option::as_mut);
        let published = published.ok_or(ProtocolError::NoKeyPackage(client))?;
        let number = published.taken;
        if number >= published.packages {
            return Ok(published.bundle(None));
        }
        published.taken += 1;
        let address = prekey_address(published.registration, number);
        // Making it was charged at registration.
        let own = Crypto::new(self.provider);
        let key = self.prekey(&own, "one-time prekey", client, address)?.public;
        let published = at(&self.published, client).ok_or(ProtocolError::NoKeyPackage(client))?;
        Ok(published.bundle(Some(OneTime { number, key })))
    }

    fn card(&self, client: ClientId) -> Result<Card, ProtocolError> {
        let published = at(&self.published, client).ok_or(ProtocolError::NoKeyPackage(client))?;
        let Published { registration, identity, .. } = published;
        Ok(Card { client: client.0, registration: *registration, keys: identity.clone() })
    }

    pub(super) fn create(&mut self, creator: ClientId) -> Result<(), ProtocolError> {
        let founding = self.seeds.seed("group", 0, 0);
        self.founding = founding.into();
        let card = self.card(creator)?;
        self.everyone.enter(0, card);
        self.is_founded = true;
        let (founding, full) = (self.founding, self.sharing == Sharing::Full);
        let book = full.then(|| self.everyone.clone());
        let state = self.client_mut(creator)?;
        (state.standing, state.transcript, state.book) = (Standing::Member(0), founding, book);
        state.comes(0);
        Ok(())
    }

    /// The newest epoch.
    pub(super) fn epoch(&self) -> u64 {
        self.log.len() as u64
    }

    pub(super) fn view(&self, client: ClientId) -> Option<u64> {
        match at(&self.clients, client)?.standing {
            Standing::Member(view) => Some(view),
            _ => None,
        }
    }

    /// Whether a client had registered before what it holds now, and a message is of then.
    pub(super) fn is_from_before_loss(&self, client: ClientId, epoch: u64) -> bool {
        let Some(state) = at(&self.clients, client) else { return false };
        state.registration > 0 && state.lived.first().is_none_or(|(from, _)| epoch < *from)
    }

    /// Whether a client that holds its state had come to an epoch as a member.
    pub(super) fn has_lived(&self, client: ClientId, epoch: u64) -> bool {
        let lived = at(&self.clients, client).map(|state| &state.lived);
        lived.is_some_and(|lived| lived.iter().any(|(from, to)| (*from..*to).contains(&epoch)))
    }

    /// The view of a client that must be a member.
    pub(super) fn view_of(&self, client: ClientId) -> Result<u64, ProtocolError> {
        self.view(client).ok_or(ProtocolError::NotAMember(client))
    }

    /// Whether a client was added and has not come.
    pub(super) fn is_invited(&self, client: ClientId) -> bool {
        let standing = at(&self.clients, client).map(|state| state.standing);
        matches!(standing, Some(Standing::Invited(_)))
    }

    /// Whether a client holds nothing since it lost its state.
    pub(super) fn has_lost(&self, client: ClientId) -> bool {
        let state = at(&self.clients, client);
        state.is_some_and(|state| state.lost && state.standing == Standing::Outside)
    }

    /// Whether a client was a member in an epoch, as the log has it.
    pub(super) fn is_member(&self, client: ClientId, epoch: u64) -> bool {
        self.everyone.is_member(client, epoch)
    }

    /// How many members the newest epoch has.
    pub(super) fn members(&self) -> u32 {
        self.everyone.members()
    }

    /// The entry that leads to an epoch.
    pub(super) fn entry(&self, epoch: u64) -> Option<&Entry> {
        self.log.get(usize::try_from(epoch.checked_sub(1)?).ok()?)
    }

    fn transcript(&self, epoch: u64) -> Digest {
        self.entry(epoch).map_or(self.founding, |entry| entry.transcript)
    }

    /// The book that a client goes by.
    fn book(&self, client: ClientId) -> &Book {
        let own = at(&self.clients, client).and_then(|state| state.book.as_ref());
        own.unwrap_or(&self.everyone)
    }

    /// The members that a client believes there are.
    pub(super) fn roster(&self, client: ClientId) -> Result<Vec<ClientId>, ProtocolError> {
        Ok(self.book(client).roster(self.view_of(client)?))
    }

    /// A seed of a client that was never drawn before.
    pub(super) fn draw(&mut self, client: ClientId) -> Result<crate::crypto::Seed, ProtocolError> {
        let state = self.client_mut(client)?;
        state.draws += 1;
        let draw = state.draws;
        Ok(self.seeds.seed("baseline", client.0.into(), draw))
    }

    /// A client loses all but its identity, and registers anew.
    pub(super) fn lose_state(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        self.view_of(client)?;
        let published = at(&self.published, client).ok_or(ProtocolError::NoKeyPackage(client))?;
        let (registration, packages) = (published.registration + 1, published.packages);
        let owed = self.install(client, registration, packages)?;
        let state = self.client_mut(client)?;
        (state.lost, state.owed) = (true, owed);
        Ok(())
    }

    pub(super) fn epoch_authenticator(&self, client: ClientId) -> Option<Secret> {
        self.view(client)?;
        Some(at(&self.clients, client)?.transcript.as_slice().into())
    }

    /// The digest of the newest roster, which stands in the place of a tree hash.
    pub(super) fn roster_digest(&self) -> Digest {
        let roster = encode(&self.everyone.cards()).unwrap_or_default();
        self.provider.hash(&[&roster])
    }

    /// Members, side by side: there is no tree.
    pub(super) fn flat(&self, path_cost: u64) -> Aggregates {
        let members = self.members();
        Aggregates {
            width: members,
            members,
            weight: members.into(),
            resolution: members,
            path_cost,
            ..Aggregates::default()
        }
    }

    pub(super) fn leaf(&self, client: ClientId) -> Option<LeafIndex> {
        self.everyone.card(client).map(|_| LeafIndex(client.0))
    }

    pub(super) fn recount(&self) -> Result<(), ProtocolError> {
        let own = self.clients.iter().flatten().filter_map(|state| state.book.as_ref());
        if own.chain([&self.everyone]).all(Book::recount) {
            return Ok(());
        }
        Err(ProtocolError::Check("a book's members are not as many as it says".into()))
    }
}

impl Client {
    fn comes(&mut self, epoch: u64) {
        self.goes(epoch);
        self.lived.push((epoch, u64::MAX));
    }

    fn goes(&mut self, epoch: u64) {
        if let Some((_, to)) = self.lived.last_mut() {
            *to = epoch.min(*to);
        }
    }
}

impl Published {
    fn bundle(&self, one_time: Option<OneTime>) -> Bundle {
        Bundle {
            registration: self.registration,
            identity: self.identity.clone(),
            signed_prekey: self.signed_prekey.clone(),
            signature: self.signature.clone(),
            one_time,
        }
    }
}
