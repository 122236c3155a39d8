//! All clients of one group that is held together by announcements and pairs: what the server
//! publishes of them, what each holds, and the log that they follow.
//!
//! At fidelity `full` every client has a book of its own and follows each announcement from its
//! bytes; at `shared` an announcement is followed once, and a client's view is a number. What goes
//! over pairs is different for each two clients, so that there everybody does its own work at both.

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
    Accepted, CaughtUp, ClientId, Draft, Entering, Joined, Order, ProtocolError, Seeds,
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
pub struct Announced {
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

    /// An announcement in its issuer's view; nothing to announce is a renewal.
    pub(super) fn draft(&mut self, order: Order) -> Result<Draft<Announced>, ProtocolError> {
        let view = self.view_of(order.by)?;
        let adds = order.adds.iter().map(|client| self.card(*client)).collect::<Result<_, _>>()?;
        self.draft_of(order, view, adds)
    }

    fn draft_of(
        &mut self,
        order: Order,
        view: u64,
        adds: Vec<Card>,
    ) -> Result<Draft<Announced>, ProtocolError> {
        let crypto = Crypto::new(self.provider);
        let leaf = LeafIndex(order.by.0);
        let mut draft = Draft {
            epoch: view,
            leaf,
            cost: CommitCost::default(),
            ledger: Ledger::default(),
            inner: Announced {
                announcement: None,
                removes: order.removes.clone(),
                adds: adds.iter().map(|card| (ClientId(card.client), card.registration)).collect(),
            },
            order,
        };
        if draft.order.removes.is_empty() && adds.is_empty() {
            return Ok(draft);
        }
        let removes: Vec<u32> = draft.order.removes.iter().map(|client| client.0).collect();
        let bytes_proposals = (encode(&removes)?.len() + encode(&adds)?.len()) as u64;
        let content = Content {
            epoch: view + 1,
            previous: self.transcript(view),
            issuer: draft.order.by.0,
            removes,
            adds,
            roster: Digest::EMPTY,
        };
        let signer = &self.client(draft.order.by)?.identity.signer;
        let book = self.book(draft.order.by);
        let bytes = encode(&Announcement::new(&crypto, signer, book, content)?)?;
        draft.cost.bytes = bytes.len() as u64;
        draft.cost.bytes_proposals = bytes_proposals;
        draft.cost.bytes_framing = draft.cost.bytes - bytes_proposals;
        draft.ledger = crypto.ledger();
        draft.inner.announcement = Some(bytes);
        Ok(draft)
    }

    /// A client announces itself: a newcomer, or a member that has lost its state.
    pub(super) fn enter(
        &mut self,
        client: ClientId,
        now: u64,
    ) -> Result<Entering<Announced>, ProtocolError> {
        if !self.is_founded {
            return Err(ProtocolError::EpochGone(0));
        }
        let state = self.client(client)?;
        if state.standing != Standing::Outside {
            return Err(ProtocolError::IsAMember(client));
        }
        let (epoch, owed) = (self.epoch(), state.owed);
        let publisher = self.log.last().map(|entry| entry.by);
        let publisher = publisher.or(self.everyone.roster(epoch).first().copied());
        let order = Order { by: client, adds: vec![], removes: vec![], now };
        // It fetches the roster, with the announcement that vouches for it.
        let roster = encode(&self.everyone.cards())?.len();
        let vouching = self.log.iter().rev().find_map(|entry| entry.announcement.as_ref());
        let fetched = (roster + vouching.map_or(0, Vec::len)) as u64;
        let crypto = Crypto::new(self.provider);
        if let Some(vouching) = vouching {
            // The digests are of the newest roster, which renewals do not change.
            let roster = self.everyone.cards();
            Announcement::read(vouching)?.enter(&crypto, roster, Book::default())?;
        }
        let card = self.card(client)?;
        let mut draft = self.draft_of(order, epoch, vec![card])?;
        draft.ledger += crypto.ledger() + owed.ledger;
        draft.cost.bytes += owed.bytes;
        draft.cost.bytes_framing += owed.bytes;
        Ok(Entering {
            draft,
            fetched,
            publisher: publisher.ok_or(ProtocolError::EpochGone(epoch))?,
            published: Joined::default(),
        })
    }

    /// Puts an announcement into the log.
    pub(super) fn accept(
        &mut self,
        draft: Draft<Announced>,
        audited: &[ClientId],
    ) -> Result<Accepted, ProtocolError> {
        let epoch = self.epoch();
        if draft.epoch != epoch {
            return Err(ProtocolError::Stale { made: draft.epoch, at: epoch });
        }
        let by = draft.order.by;
        let Announced { announcement, removes, adds } = draft.inner;
        let (crypto, before) = (Crypto::new(self.provider), self.transcript(epoch));
        let mut transcript = before;
        let mut audits = 0;
        if let Some(bytes) = &announcement {
            let announcement = Announcement::read(bytes)?;
            let old = (!audited.is_empty()).then(|| self.everyone.clone());
            announcement.follow(&crypto, epoch, &before, &mut self.everyone)?;
            transcript = Announcement::transcript(&crypto, &before, bytes);
            if let Some(old) = old.filter(|_| self.sharing == Sharing::Shared) {
                for client in audited {
                    self.audit(*client, epoch, (&announcement, bytes), old.clone(), &transcript)?;
                    audits += 1;
                }
            }
        }
        let (roster, roster_bytes) = self.roster_for(&adds)?;
        let receiver = crypto.ledger();
        self.log.push(Entry {
            announcement,
            by,
            removes,
            adds,
            roster,
            roster_bytes,
            transcript,
            receiver,
        });
        self.settle(by, epoch + 1)?;
        Ok(Accepted {
            epoch: epoch + 1,
            receiver,
            audits,
            checks: 1,
            predicted_ciphertexts: 0,
            excluded_ciphertexts: 0,
            tree_bytes: roster_bytes,
        })
    }

    /// The roster as a joiner fetches it, if there is one, and its length.
    fn roster_for(&self, adds: &[(ClientId, u32)]) -> Result<(Vec<u8>, u64), ProtocolError> {
        if adds.is_empty() {
            return Ok((vec![], 0));
        }
        let roster = encode(&self.everyone.cards())?;
        let length = roster.len() as u64;
        Ok((if self.sharing == Sharing::Full { roster } else { vec![] }, length))
    }

    /// A client follows an announcement from its bytes, with what it holds, and comes to the same.
    fn audit(
        &self,
        client: ClientId,
        epoch: u64,
        (announcement, bytes): (&Announcement, &[u8]),
        mut book: Book,
        transcript: &Digest,
    ) -> Result<(), ProtocolError> {
        let crypto = Crypto::new(self.provider);
        let before = self.transcript(epoch);
        announcement.follow(&crypto, epoch, &before, &mut book)?;
        let agrees = book.roster(epoch + 1) == self.everyone.roster(epoch + 1);
        if !agrees || Announcement::transcript(&crypto, &before, bytes) != *transcript {
            return Err(ProtocolError::Audit { client, epoch: epoch + 1 });
        }
        Ok(())
    }

    /// The newest entry is in effect: its issuer is in the new epoch, who was added is invited.
    fn settle(&mut self, by: ClientId, epoch: u64) -> Result<(), ProtocolError> {
        let Some(entry) = self.entry(epoch) else { return Ok(()) };
        let (adds, transcript) = (entry.adds.clone(), entry.transcript);
        for (client, _) in adds.iter().filter(|(client, _)| *client != by) {
            self.client_mut(*client)?.standing = Standing::Invited(epoch);
        }
        let full = self.sharing == Sharing::Full;
        if adds.iter().any(|(client, _)| *client == by) {
            let roster = self.everyone.cards();
            let state = self.client_mut(by)?;
            let before = state.book.take().unwrap_or_default();
            let book = full.then(|| before.resumed(epoch, roster));
            (state.lost, state.owed) = (false, Joined::default());
            state.comes(epoch);
            state.book = book;
        } else if full {
            // It made the announcement itself.
            let crypto = Crypto::new(self.provider);
            self.follow(&crypto, by, epoch - 1)?;
        }
        self.forget_old_registrations(by, &adds)?;
        let state = self.client_mut(by)?;
        (state.standing, state.transcript) = (Standing::Member(epoch), transcript);
        Ok(())
    }

    /// Nothing more is sent in the sessions with clients that have registered anew.
    fn forget_old_registrations(
        &mut self,
        client: ClientId,
        adds: &[(ClientId, u32)],
    ) -> Result<(), ProtocolError> {
        let state = self.client_mut(client)?;
        for (peer, registration) in adds {
            if let Some(place) = state.pairs.get_mut(peer.0 as usize) {
                *place = place.take().map(|pair| Box::new(pair.renewed(*registration)));
            }
        }
        Ok(())
    }

    /// At `full`: a client follows the entry behind its view from its bytes.
    fn follow(
        &mut self,
        crypto: &Crypto<'_>,
        client: ClientId,
        view: u64,
    ) -> Result<(), ProtocolError> {
        let Self { log, clients, .. } = self;
        let state = clients.get_mut(client.0 as usize).and_then(Option::as_mut);
        let state = state.ok_or(ProtocolError::NotAMember(client))?;
        let entry = log.get(view as usize).ok_or(ProtocolError::EpochGone(view + 1))?;
        let (Some(bytes), Some(book)) = (&entry.announcement, &mut state.book) else {
            return Ok(());
        };
        Announcement::read(bytes)?.follow(crypto, view, &state.transcript, book)?;
        state.transcript = Announcement::transcript(crypto, &state.transcript, bytes);
        Ok(())
    }

    /// One step of a client towards an epoch: it joins, or follows one entry. Gives what that came
    /// to and the epoch of its view after it, or which it is out of.
    pub(super) fn step(
        &mut self,
        client: ClientId,
        to: u64,
    ) -> Result<Option<(CaughtUp, u64)>, ProtocolError> {
        match at(&self.clients, client).map(|state| state.standing) {
            Some(Standing::Invited(epoch)) => Ok(Some((self.join(client, epoch)?, epoch))),
            Some(Standing::Member(view)) if view < to.min(self.epoch()) => {
                Ok(Some((self.follow_one(client, view)?, view + 1)))
            }
            _ => Ok(None),
        }
    }

    /// A client that was added comes.
    fn join(&mut self, client: ClientId, epoch: u64) -> Result<CaughtUp, ProtocolError> {
        let entry = self.entry(epoch).ok_or(ProtocolError::EpochGone(epoch))?;
        let announcement = entry.announcement.as_ref().ok_or(ProtocolError::EpochGone(epoch))?;
        let bytes = announcement.len() as u64 + entry.roster_bytes;
        let (transcript, mut ledger) = (entry.transcript, entry.receiver);
        let mut book = None;
        if self.sharing == Sharing::Full {
            let crypto = Crypto::new(self.provider);
            let read = Announcement::read(announcement)?;
            let roster: Vec<Card> = decode("a roster", &entry.roster)?;
            let before = self.client(client)?.book.clone().unwrap_or_default();
            book = Some(read.enter(&crypto, roster, before)?);
            Announcement::transcript(&crypto, &read.content.previous, announcement);
            ledger = crypto.ledger();
        }
        let state = self.client_mut(client)?;
        let owed = std::mem::take(&mut state.owed);
        (state.standing, state.transcript, state.lost) =
            (Standing::Member(epoch), transcript, false);
        state.book = book;
        state.comes(epoch);
        Ok(CaughtUp { commits: 0, bytes, ledger: ledger + owed.ledger, removed: false })
    }

    fn follow_one(&mut self, client: ClientId, view: u64) -> Result<CaughtUp, ProtocolError> {
        let entry = self.entry(view + 1).ok_or(ProtocolError::EpochGone(view + 1))?;
        let bytes = entry.announcement.as_ref().map_or(0, |bytes| bytes.len() as u64);
        let (mut ledger, transcript) = (entry.receiver, entry.transcript);
        let adds = entry.adds.clone();
        let stays = |entry: &Entry| entry.adds.iter().any(|(added, _)| *added == client);
        let removed = entry.removes.contains(&client) && !stays(entry);
        if self.sharing == Sharing::Full {
            let crypto = Crypto::new(self.provider);
            self.follow(&crypto, client, view)?;
            ledger = crypto.ledger();
        }
        self.forget_old_registrations(client, &adds)?;
        let state = self.client_mut(client)?;
        state.standing = if removed { Standing::Outside } else { Standing::Member(view + 1) };
        if removed {
            state.goes(view + 1);
        }
        state.transcript = transcript;
        Ok(CaughtUp { commits: 1, bytes, ledger, removed })
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

    /// A client sends one text to each of others, who are in ascending order and whom its view has
    /// as members.
    pub(super) fn send_each(
        &mut self,
        client: ClientId,
        epoch: u64,
        to: &[ClientId],
        text: &[u8],
    ) -> Result<(Vec<Copy>, Ledger), ProtocolError> {
        let seed = self.draw(client)?;
        let mut bundles = vec![];
        for peer in to {
            let has_pair = self.pair(client, *peer).is_some_and(Pair::can_send);
            bundles.push(if has_pair { None } else { Some(self.take_bundle(*peer)?) });
        }
        let Self { clients, everyone, provider, .. } = self;
        let state = clients.get_mut(client.0 as usize).and_then(Option::as_mut);
        let state = state.ok_or(ProtocolError::NotAMember(client))?;
        let book = state.book.as_ref().unwrap_or(everyone);
        let most = to.last().map_or(0, |last| last.0 as usize + 1);
        if state.pairs.len() < most {
            state.pairs.resize_with(most, || None);
        }
        let mut out = Vec::with_capacity(to.len());
        let mut bundles = bundles.into_iter();
        let places = state.pairs.iter_mut().enumerate();
        let mut places = places.map(|(at, pair)| (ClientId(at as u32), pair));
        for peer in to {
            let pair = places.find_map(|(at, pair)| (at == *peer).then_some(pair));
            let (Some(pair), Some(keys)) = (pair, book.keys(*peer)) else {
                return Err(ProtocolError::NotAMember(*peer));
            };
            out.push(Outgoing { peer: *peer, keys, pair, bundle: bundles.next().flatten() });
        }
        let end = End { client, registration: state.registration, identity: &state.identity };
        Ok(seal_all(*provider, end, Letter { epoch, text, seed }, out)?)
    }

    fn pair(&self, client: ClientId, peer: ClientId) -> Option<&Pair> {
        at(&self.clients, client)?.pairs.get(peer.0 as usize)?.as_deref()
    }

    /// The memory of all pairs at all ends: how many there are.
    pub(super) fn pairs(&self) -> usize {
        self.clients.iter().flatten().map(|state| state.pairs.iter().flatten().count()).sum()
    }

    /// A client opens a copy that is for it.
    pub(super) fn open(
        &mut self,
        client: ClientId,
        sender: ClientId,
        copy: &[u8],
    ) -> Result<(Vec<u8>, Ledger), ProtocolError> {
        let crypto = Crypto::new(self.provider);
        let envelope = Envelope::read(copy)?;
        self.check_sender(client, sender, envelope.outside.epoch)?;
        let state = self.client_mut(client)?;
        if state.pairs.len() <= sender.0 as usize {
            state.pairs.resize_with(sender.0 as usize + 1, || None);
        }
        let mut pair = state.pairs[sender.0 as usize].take();
        let opened = self.open_in(&crypto, client, sender, &mut pair, &envelope);
        let state = self.client_mut(client)?;
        state.pairs[sender.0 as usize] = pair;
        let (text, used) = opened?;
        state.used.extend(used);
        Ok((text, crypto.ledger()))
    }

    /// Who sends must have been a member in the epoch that it says, which the receiver must know.
    pub(super) fn check_sender(
        &self,
        client: ClientId,
        sender: ClientId,
        epoch: u64,
    ) -> Result<(), BaselineError> {
        if self.view(client).is_some_and(|view| epoch > view) {
            return Err(BaselineError::EpochToCome);
        }
        if !self.book(client).is_member(sender, epoch) {
            return Err(BaselineError::SenderWasNoMember);
        }
        Ok(())
    }

    fn open_in(
        &self,
        crypto: &Crypto<'_>,
        client: ClientId,
        sender: ClientId,
        pair: &mut Option<Box<Pair>>,
        envelope: &Envelope,
    ) -> Result<(Vec<u8>, Option<u32>), ProtocolError> {
        let state = self.client(client)?;
        let book = state.book.as_ref().unwrap_or(&self.everyone);
        let keys = book.keys(sender).ok_or(ProtocolError::NotAMember(sender))?;
        let packages = at(&self.published, client).map_or(0, |published| published.packages);
        let one_time = |number| {
            if number >= packages || state.used.contains(&number) {
                return Err(BaselineError::BadOneTimePrekey(number));
            }
            let address = prekey_address(state.registration, number);
            // Making it was charged at registration.
            self.prekey(&Crypto::new(self.provider), "one-time prekey", client, address)
        };
        let prekeys = Prekeys { signed: &state.signed_prekey, one_time: &one_time };
        let end = End { client, registration: state.registration, identity: &state.identity };
        let opened = open(crypto, end, &prekeys, (sender, keys), pair, envelope)?;
        Ok((opened.text, opened.used))
    }

    /// What a client would read in a copy that waits for it. Nothing changes.
    pub(super) fn peek(&self, client: ClientId, sender: ClientId, copy: &[u8]) -> Option<Vec<u8>> {
        let envelope = Envelope::read(copy).ok()?;
        let mut pair = self.pair(client, sender).cloned().map(Box::new);
        let crypto = Crypto::new(self.provider);
        Some(self.open_in(&crypto, client, sender, &mut pair, &envelope).ok()?.0)
    }

    /// The registration that a client is in.
    pub(super) fn registration(&self, client: ClientId) -> Option<u32> {
        at(&self.clients, client).map(|state| state.registration)
    }

    /// Whether a client can open a copy, whoever it is for, with everything that it holds: the
    /// sessions of its pair with the sender, whatever its prekeys agree on, and every message key
    /// that it holds or would come to next in any pair. Nothing changes.
    pub(super) fn pries(
        &self,
        client: ClientId,
        (sender, receiver): (ClientId, ClientId),
        copy: &[u8],
    ) -> Result<bool, ProtocolError> {
        let Some(state) = at(&self.clients, client) else { return Ok(false) };
        let envelope = Envelope::read(copy)?;
        let keys = |client| {
            let keys = self.everyone.keys(client);
            keys.map(|keys| &keys.exchange).ok_or(ProtocolError::NotAMember(client))
        };
        let crypto = Crypto::new(self.provider);
        let aad = envelope.associated(keys(sender)?, keys(receiver)?)?;
        let with_sender = self.pair(client, sender);
        if with_sender.is_some_and(|pair| pair.would_open(&crypto, &aad, &envelope)) {
            return Ok(true);
        }
        let number = envelope.outside.initial.as_ref().and_then(|initial| initial.one_time);
        let address = number.map(|number| prekey_address(state.registration, number));
        let one_time =
            address.map(|at| self.prekey(&crypto, "one-time prekey", client, at)).transpose()?;
        let own = Responder {
            identity: &state.identity.exchange,
            signed_prekey: &state.signed_prekey,
            one_time: one_time.as_ref(),
        };
        if envelope.would_open_first(&crypto, own, &aad) {
            return Ok(true);
        }
        let sessions = state.pairs.iter().flatten().flat_map(|pair| pair.sessions());
        let ciphertext = envelope.ciphertext.as_slice();
        let aad = associated(&aad, &envelope.header)?;
        Ok(sessions.into_iter().any(|session| session.any_key_opens(&crypto, &aad, ciphertext)))
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
