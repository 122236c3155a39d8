//! ART at fidelity `shared` (and, with the counting provider, `counted`): one public and one private
//! tree for everybody, each distinct computation done once, every client who would have done it charged
//! and moved on.
//!
//! A client is a pointer to the epoch it is in. What it owes for the entries it missed is the
//! difference of two running totals and of two sums along its path: a path makes everybody below
//! another child compute the nodes from there up.

mod checking;
mod messages;
mod turnover;

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use super::draft::{self, ArtDraft};
use super::full::{enter_by_link, founding, publish, recount, register};
use super::private::PrivateTree;
use super::{authenticator, check};
use crate::art::{
    EpochSecrets, Exposed, Exposure, Member, PublicGroup, encoded_length, group_hash, node_cost,
};
use crate::crypto::{Crypto, Digest, Ledger, Provider, Secret};
use crate::protocol::clients::Clients;
use crate::protocol::moves::Moves;
use crate::protocol::{
    Accepted, CaughtUp, ClientId, Draft, Entering, Joined, MessageId, Opaque, Order, Protocol,
    ProtocolError, Received, Seeds, Sent,
};
use crate::strategy::Strategy;
use crate::tree::{Aggregates, LeafIndex, Traversed};

use messages::Traffic;

/// What following all messages up to some point takes of a member that was there for all of them,
/// but for the nodes of sent paths, which depend on where it stands.
#[derive(Clone, Copy, Default)]
struct Totals {
    bytes: u64,
    ledger: Ledger,
}

/// The group between two handshake messages.
#[derive(Clone)]
struct Moment {
    public: PublicGroup,
    private: PrivateTree,
    secrets: Arc<EpochSecrets>,
    totals: Totals,
}

/// The group between two entries of the log.
struct Epoch {
    number: u64,
    now: Moment,
}

/// How a client stands to the group.
struct Membership {
    leaf: LeafIndex,
    /// The epoch of its view; the one it was added in until it has joined.
    epoch: Arc<Epoch>,
    /// What joining will take, until it has joined.
    invited: Option<CaughtUp>,
    departure: Option<Departure>,
    /// Whether it has lost all it held.
    lost: bool,
}

/// The epoch before the entry that deletes a client, and what that entry takes of it.
#[derive(Clone)]
struct Departure {
    last: Arc<Epoch>,
    of_entry: CaughtUp,
}

/// All clients of one group, their work shared.
pub struct SharedArt<S> {
    provider: &'static dyn Provider,
    clients: Clients<S>,
    members: Vec<Option<Membership>>,
    epochs: Vec<Weak<Epoch>>,
    recent: VecDeque<Arc<Epoch>>,
    /// Who committed last, and has published the group.
    publisher: Option<ClientId>,
    exposure: Exposure,
    moves: Moves,
    traffic: Traffic,
}

impl Moment {
    /// What a member at a leaf owes from an earlier moment to this one.
    fn owed(&self, from: &Self, leaf: LeafIndex) -> Result<CaughtUp, ProtocolError> {
        let climbed = self.private.climbed(leaf)? - from.private.climbed(leaf)?;
        Ok(CaughtUp {
            bytes: self.totals.bytes - from.totals.bytes,
            ledger: (self.totals.ledger - from.totals.ledger) + node_cost() * climbed,
            ..CaughtUp::default()
        })
    }
}

impl<S: Seeds> SharedArt<S> {
    /// No clients yet.
    pub fn new(provider: &'static dyn Provider, seeds: S) -> Self {
        Self {
            provider,
            clients: Clients::new(seeds, Strategy::default()),
            members: vec![],
            epochs: vec![],
            recent: VecDeque::new(),
            publisher: None,
            exposure: Exposure::new(),
            moves: Moves::default(),
            traffic: Traffic::default(),
        }
    }

    fn newest(&self) -> Result<&Arc<Epoch>, ProtocolError> {
        self.recent.back().ok_or(ProtocolError::EpochGone(0))
    }

    fn membership(&self, client: ClientId) -> Result<&Membership, ProtocolError> {
        let membership = self.members.get(client.0 as usize).and_then(Option::as_ref);
        membership.ok_or(ProtocolError::NotAMember(client))
    }

    fn take_invitation(&mut self, client: ClientId) -> Result<CaughtUp, ProtocolError> {
        let membership = self.members.get_mut(client.0 as usize).and_then(Option::as_mut);
        let invited = membership.and_then(|membership| membership.invited.take());
        invited.ok_or(ProtocolError::NotAMember(client))
    }

    fn set_membership(
        &mut self,
        client: ClientId,
        leaf: LeafIndex,
        epoch: Arc<Epoch>,
        invited: Option<CaughtUp>,
    ) {
        let at = client.0 as usize;
        if self.members.len() <= at {
            self.members.resize_with(at + 1, || None);
        }
        self.traffic.enter(client, epoch.number);
        self.members[at] = Some(Membership { leaf, epoch, invited, departure: None, lost: false });
    }

    /// Makes a client, lagging or not, a member of its own with exactly the keys it would hold, ready
    /// to go on from the wire.
    pub fn materialise(&self, client: ClientId) -> Result<Member, ProtocolError> {
        let membership = self.membership(client)?;
        self.member_at(&membership.epoch.now, client, membership.leaf)
    }

    fn member_at(
        &self,
        now: &Moment,
        client: ClientId,
        leaf: LeafIndex,
    ) -> Result<Member, ProtocolError> {
        Ok(Member {
            public: now.public.clone(),
            leaf,
            signer: self.clients.signer(self.provider, client),
            keys: now.private.keys_of(leaf)?,
            secrets: now.secrets.clone(),
        })
    }

    fn put(&mut self, now: Moment) -> Arc<Epoch> {
        let epoch = Arc::new(Epoch { number: self.epochs.len() as u64, now });
        self.epochs.push(Arc::downgrade(&epoch));
        self.recent.push_back(epoch.clone());
        epoch
    }
}

impl<S: Seeds> Protocol for SharedArt<S> {
    fn name(&self) -> &'static str {
        "art"
    }

    fn register(&mut self, client: ClientId, packages: u32) -> Result<Joined, ProtocolError> {
        register(&mut self.clients, self.provider, client, packages)
    }

    fn publish(&mut self, client: ClientId, packages: u32) -> Result<Joined, ProtocolError> {
        publish(&self.clients, self.provider, client, packages)
    }

    fn create(&mut self, creator: ClientId) -> Result<(), ProtocolError> {
        let crypto = Crypto::new(self.provider);
        let signer = self.clients.signer(self.provider, creator);
        let (group_id, seed) = founding(&self.clients);
        let Member { public, leaf, keys, secrets, .. } =
            Member::create(&crypto, signer, &group_id, seed)?;
        let private = PrivateTree::new(creator, keys[0].clone())?;
        let epoch = self.put(Moment { public, private, secrets, totals: Totals::default() });
        self.set_membership(creator, leaf, epoch, None);
        self.publisher = Some(creator);
        Ok(())
    }

    fn commit(&mut self, order: Order) -> Result<Draft, ProtocolError> {
        let membership = self.membership(order.by)?;
        if membership.invited.is_some() || membership.lost {
            return Err(ProtocolError::NotAMember(order.by));
        }
        let (epoch, leaf) = (membership.epoch.clone(), membership.leaf);
        let mut removed = vec![];
        for client in &order.removes {
            let newest = self.membership(*client)?.leaf;
            let leaf = self.moves.leaf_in(epoch.number, *client, newest);
            let member = epoch.now.private.member(leaf);
            member.filter(|it| it.client == *client).ok_or(ProtocolError::NotAMember(*client))?;
            removed.push(leaf);
        }
        let member = self.member_at(&epoch.now, order.by, leaf)?;
        let crypto = Crypto::new(self.provider);
        let (inner, cost) = draft::make(&mut self.clients, &crypto, member, &order, &removed)?;
        let (epoch, ledger) = (epoch.number, crypto.ledger());
        Ok(Draft { epoch, leaf, cost, ledger, order, inner: Opaque::new(inner) })
    }

    fn accept(&mut self, draft: Draft, audited: &[ClientId]) -> Result<Accepted, ProtocolError> {
        let before = self.newest()?.clone();
        if draft.epoch != before.number {
            return Err(ProtocolError::Stale { made: draft.epoch, at: before.number });
        }
        let ArtDraft { steps, enters } = draft.inner.open()?;
        let by = draft.order.by;
        let mut receiver = Ledger::default();
        let (mut taken, mut checks) = (vec![], 0);
        for step in &steps {
            let now = taken.last().map_or(&before.now, |taken: &turnover::Taken| &taken.after);
            let next = self.take(now, step, by)?;
            receiver += next.public;
            checks += next.checks;
            taken.push(next);
        }
        let after = taken.last().ok_or(ProtocolError::NotAMember(by))?.after.clone();
        let audits = self.audit(&before, &steps, &after, audited)?;
        // Nothing has changed so far; from here on the new epoch stands.
        steps.iter().for_each(|step| step.expose(&mut self.exposure));
        let tree_bytes = encoded_length(&after.public);
        let epoch = self.put(after);
        self.turn_over(&before, &epoch, &draft.order, &steps, &taken)?;
        self.go_on(by, draft.leaf, &epoch, enters);
        self.publisher = Some(by);
        Ok(Accepted {
            epoch: epoch.number,
            receiver,
            audits,
            checks,
            predicted_ciphertexts: 0,
            excluded_ciphertexts: 0,
            tree_bytes,
        })
    }

    fn join(&mut self, client: ClientId) -> Result<Joined, ProtocolError> {
        let CaughtUp { bytes, ledger, .. } = self.take_invitation(client)?;
        Ok(Joined { bytes, ledger })
    }

    fn advance(&mut self, client: ClientId, to: u64) -> Result<CaughtUp, ProtocolError> {
        let mut joined = CaughtUp::default();
        if self.membership(client).is_ok_and(|membership| membership.lost) {
            return Ok(joined);
        }
        if self.membership(client).is_ok_and(|membership| membership.invited.is_some()) {
            joined = self.take_invitation(client)?;
        }
        let Ok(membership) = self.membership(client) else { return Ok(joined) };
        let from = &membership.epoch;
        if to <= from.number {
            return Ok(joined);
        }
        let mut caught;
        match membership.departure.clone() {
            Some(departure) if to > departure.last.number => {
                caught = departure.last.now.owed(&from.now, membership.leaf)?;
                caught.commits = departure.last.number - from.number + 1;
                caught += departure.of_entry;
                self.traffic.leave(client, &departure.last);
                self.members[client.0 as usize] = None;
            }
            _ => {
                let kept = self.epochs.get(to as usize).and_then(Weak::upgrade);
                let to = kept.ok_or(ProtocolError::EpochGone(to))?;
                caught = to.now.owed(&from.now, membership.leaf)?;
                caught.commits = to.number - from.number;
                if let Some(Some(membership)) = self.members.get_mut(client.0 as usize) {
                    membership.epoch = to;
                }
            }
        }
        caught += joined;
        Ok(caught)
    }

    fn release_before(&mut self, epoch: u64) {
        self.moves.forget_before(epoch);
        self.traffic.release_before(epoch);
        while self.recent.len() > 1 && self.recent.front().is_some_and(|e| e.number < epoch) {
            self.recent.pop_front();
        }
    }

    fn epoch(&self) -> u64 {
        self.newest().map_or(0, |epoch| epoch.number)
    }

    fn view(&self, client: ClientId) -> Option<u64> {
        let membership = self.membership(client).ok()?;
        let is_in = membership.invited.is_none() && !membership.lost;
        is_in.then_some(membership.epoch.number)
    }

    fn leaf(&self, client: ClientId) -> Option<LeafIndex> {
        let membership = self.membership(client).ok()?;
        membership.departure.is_none().then_some(membership.leaf)
    }

    fn tree(&self) -> Aggregates {
        let tree = |epoch: &Arc<Epoch>| *epoch.now.public.ratchet.aggregates();
        self.newest().map_or(Aggregates::default(), tree)
    }

    fn traverse(&self, visit: &mut dyn FnMut(Traversed)) {
        if let Ok(epoch) = self.newest() {
            epoch.now.public.ratchet.traverse(visit);
        }
    }

    fn tree_hash(&self) -> Digest {
        let crypto = Crypto::new(self.provider);
        self.newest().map_or(Digest::EMPTY, |epoch| group_hash(&crypto, &epoch.now.public))
    }

    fn join_by_link(&mut self, client: ClientId, now: u64) -> Result<Entering, ProtocolError> {
        if self.leaf(client).is_some() {
            return Err(ProtocolError::IsAMember(client));
        }
        let newest = self.newest()?.clone();
        let publisher = self.publisher.ok_or(ProtocolError::NotAMember(client))?;
        let leaf = self.membership(publisher)?.leaf;
        let member = self.member_at(&newest.now, publisher, leaf)?;
        let (provider, entrant) = (self.provider, (client, now));
        enter_by_link(&mut self.clients, provider, entrant, (publisher, &member), newest.number)
    }

    fn lose_state(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        self.lose(client)
    }

    fn send(&mut self, sender: ClientId, text: &[u8]) -> Result<Sent, ProtocolError> {
        self.send_text(sender, text)
    }

    fn attach(&mut self, sender: ClientId, content: &[u8]) -> Result<Sent, ProtocolError> {
        self.send_attachment(sender, content)
    }

    fn receive(&mut self, client: ClientId, message: MessageId) -> Result<Received, ProtocolError> {
        self.open_message(client, message)
    }

    fn pries(&self, client: ClientId, message: MessageId) -> Result<bool, ProtocolError> {
        self.pry(client, message)
    }

    fn roster(&self, client: ClientId) -> Result<Vec<ClientId>, ProtocolError> {
        self.view(client).ok_or(ProtocolError::NotAMember(client))?;
        let mut clients = self.membership(client)?.epoch.now.private.clients();
        clients.sort_unstable();
        Ok(clients)
    }

    fn forget_messages_before(&mut self, message: MessageId) {
        self.traffic.forget_before(message);
    }

    fn exposed(&self) -> Option<Exposed> {
        Some(self.exposure.exposed())
    }

    fn epoch_authenticator(&self, client: ClientId) -> Option<Secret> {
        let membership = self.membership(client).ok().filter(|membership| !membership.lost)?;
        authenticator(&Crypto::new(self.provider), &membership.epoch.now.secrets)
    }

    fn recount(&self) -> Result<(), ProtocolError> {
        let now = &self.newest()?.now;
        recount(self.provider, &now.public)?;
        now.private.matches(&now.public.ratchet)?;
        let members = now.public.ratchet.members();
        check(members == now.public.identities.members(), "a leaf has no identity")
    }
}
