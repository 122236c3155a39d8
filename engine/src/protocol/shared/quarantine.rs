//! Ghosts at fidelity `shared`: each share is opened once, when the commit that brings it is accepted, and
//! each answer for the ghost that asked; what following takes of holders and ghosts is looked up.

use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::{Epoch, SharedTreeKem, opening};
use crate::codec::encode;
use crate::crypto::{Crypto, Secret};
use crate::group::{HeldShare, Holdings, Member, NewGhost, OwnUpdate, Transition, ghost_key};
use crate::protocol::quarantine::{Asked, check_made, given};
use crate::protocol::{CaughtUp, ClientId, Joined, Order, ProtocolError, Seeds};

impl<S: Seeds> SharedTreeKem<S> {
    /// Lets the group have ghosts: it has to be said before anybody registers.
    #[must_use]
    pub fn with_quarantine(mut self) -> Self {
        self.clients.allow_quarantine();
        self
    }

    /// Opens every share that a commit brings, once, as its holder does, and sees that any two lead to
    /// the key. Gives how many there are.
    pub(super) fn check_shares(
        &self,
        before: &Epoch,
        transition: &Transition,
        made: &[NewGhost],
    ) -> Result<u32, ProtocolError> {
        check_made(transition, made)?;
        let unpaid = Crypto::new(self.provider);
        let mut opened = 0;
        for it in made {
            let holders = &it.proposal.source().map_err(super::broken)?.holders;
            for (holder, share) in holders.iter().zip(&it.shares) {
                let client = before.private.member(*holder).map(|member| member.client);
                let client = client.ok_or_else(|| wrong("a holder is nobody"))?;
                let held = self.member_at(before, client, *holder)?;
                let held = held.open_shares(&unpaid, transition)?;
                let is_his = |it: &HeldShare| it.share == *share;
                if !held.iter().any(is_his) {
                    return Err(wrong("a holder opens another share than was made"));
                }
                opened += 1;
            }
            let shares: Vec<&Secret> = it.shares.iter().collect();
            for (at, one) in shares.iter().enumerate() {
                for other in &shares[..at] {
                    let found = ghost_key(&unpaid, &it.proposal, &[one, other]);
                    if found.as_ref() != Some(&it.key) {
                        return Err(wrong("two shares do not lead to the key of their ghost"));
                    }
                }
            }
        }
        Ok(opened)
    }

    /// The book of ghosts after a commit, and what the witness is told of it.
    pub(super) fn settle_ghosts(
        &mut self,
        before: &Arc<Epoch>,
        transition: &Transition,
        order: &Order,
        made: Vec<NewGhost>,
        enters: bool,
    ) -> Result<(), ProtocolError> {
        let at = |leaf| before.private.member(leaf).map(|member| member.client);
        let applied = &transition.applied;
        let removed: Vec<ClientId> = applied.removed.iter().filter_map(|leaf| at(*leaf)).collect();
        let mut renewed: Vec<ClientId> =
            applied.updated.iter().filter_map(|leaf| at(*leaf)).collect();
        renewed.push(order.by);
        let keys: Result<Vec<_>, _> =
            made.into_iter().map(|made| given(before.number, before.clone(), made, at)).collect();
        let keys = keys?;
        let gone: Vec<ClientId> =
            removed.iter().copied().filter(|client| !enters || *client != order.by).collect();
        self.witness.keys_made(&removed, order.by, &keys);
        self.ghosts.settle(&gone, &renewed, keys);
        if enters {
            self.ghosts.lose_shares(order.by);
        }
        order.adds.iter().for_each(|client| self.ghosts.forget(*client));
        Ok(())
    }

    /// Brings a client as far as it can go by itself: it has been made a ghost after that, and may have
    /// been removed since, which the Delivery Service tells it.
    pub(super) fn advance_ghost(&mut self, client: ClientId) -> Result<CaughtUp, ProtocolError> {
        let membership = self.membership(client)?;
        let last = self.ghosts.last_before(client).ok_or(ProtocolError::NotAMember(client))?;
        let mut caught = self.owed_by(client, &membership.epoch, last, membership.leaf)?;
        let last = last.clone();
        if self.ghosts.is_removed(client) {
            caught.removed = true;
            self.ghosts.forget(client);
            self.members[client.0 as usize] = None;
        } else if let Some(Some(membership)) = self.members.get_mut(client.0 as usize) {
            membership.epoch = last;
        }
        Ok(caught)
    }

    /// What a client owes for commits, the shares among them that were brought to it.
    pub(super) fn owed_by(
        &self,
        client: ClientId,
        from: &Epoch,
        to: &Epoch,
        leaf: crate::tree::LeafIndex,
    ) -> Result<CaughtUp, ProtocolError> {
        let mut caught = self.owed(from, to, leaf)?;
        caught.ledger += opening() * self.ghosts.brought(client, from.number, to.number);
        Ok(caught)
    }

    /// A client in its own view.
    fn in_view(&self, client: ClientId) -> Result<Member, ProtocolError> {
        let membership = self.membership(client)?;
        if membership.invited.is_some() {
            return Err(ProtocolError::NotAMember(client));
        }
        self.member_at(&membership.epoch, client, membership.leaf)
    }

    pub(super) fn ask_holders(&mut self, ghost: ClientId) -> Result<Joined, ProtocolError> {
        let member = self.in_view(ghost)?;
        let record = self.ghosts.record_mut(ghost)?;
        let seed = self.clients.seeds().seed("share request", ghost.0.into(), record.requests);
        let crypto = Crypto::new(self.provider);
        let (request, pair) = member.ask_for_shares(&crypto, &mut ChaCha20Rng::from_seed(seed))?;
        let bytes = encode(&request)?.len() as u64;
        record.requests += 1;
        record.asked = Some(Asked { request, pair, answers: vec![] });
        Ok(Joined { bytes, ledger: crypto.ledger() })
    }

    pub(super) fn give(
        &mut self,
        holder: ClientId,
        ghost: ClientId,
    ) -> Result<Joined, ProtocolError> {
        let member = self.in_view(holder)?;
        let record = self.ghosts.record_mut(ghost)?;
        let number = u64::from(ghost.0) << 32 | record.requests;
        let seed = self.clients.seeds().seed("share answer", holder.0.into(), number);
        let held = record.held_by(holder, member.epoch());
        let asked = record.asked.as_mut().ok_or(ProtocolError::NotAMember(ghost))?;
        let crypto = Crypto::new(self.provider);
        let rng = &mut ChaCha20Rng::from_seed(seed);
        let answer = member.answer(&crypto, &asked.request, &held, rng)?;
        let bytes = encode(&answer)?.len() as u64;
        asked.answers.push((holder, answer));
        Ok(Joined { bytes, ledger: crypto.ledger() })
    }

    pub(super) fn find_keys(&mut self, ghost: ClientId) -> Result<CaughtUp, ProtocolError> {
        let newest = self.newest()?.clone();
        let membership = self.membership(ghost)?;
        let (from, leaf) = (membership.epoch.clone(), membership.leaf);
        let crypto = Crypto::new(self.provider);
        let (mut gathered, mut bytes) = (vec![], 0);
        let record = self.ghosts.record_mut(ghost)?;
        let asked = record.asked.take().ok_or(ProtocolError::NotAMember(ghost))?;
        for (_, answer) in &asked.answers {
            gathered.extend(asked.request.open_answer(&crypto, &asked.pair, answer)?);
            bytes += encode(answer)?.len() as u64;
        }
        for given in record.missing() {
            let of_it = gathered.iter().filter(|it: &&HeldShare| it.epoch == given.epoch);
            let shares: Vec<&Secret> = of_it.map(|it| &it.share).collect();
            let found = ghost_key(&crypto, &given.made.proposal, &shares);
            if found.as_ref() != Some(&given.made.key) {
                return Err(wrong("the shares of a quorum do not lead to the key of their ghost"));
            }
        }
        record.found = record.given.len();
        let request = record.requests;
        let mut caught = self.owed_by(ghost, &from, &newest, leaf)?;
        caught.bytes += bytes;
        caught.ledger += crypto.ledger();
        if let Some(Some(membership)) = self.members.get_mut(ghost.0 as usize) {
            membership.epoch = newest.clone();
        }
        self.witness.returns(ghost);
        self.watch(&newest)?;
        self.recover_copies(ghost, request, &newest)?;
        Ok(caught)
    }

    /// Adds the keys that a client has found by shares to what it holds beside its state.
    pub(super) fn add_found(&self, client: ClientId, member: &Member, holdings: &mut Holdings) {
        let Ok(record) = self.ghosts.record(client) else { return };
        let found = record.given.iter().take(record.found);
        holdings.updates.extend(found.map(|given| OwnUpdate {
            leaf: given.made.key.clone(),
            parents: vec![],
            signer: member.signer.clone(),
        }));
    }
}

fn wrong(what: &str) -> ProtocolError {
    ProtocolError::Check(what.into())
}
