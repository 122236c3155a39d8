//! Ghosts at fidelity `full`: each client opens its shares from the wire and keeps them, and a ghost
//! finds its keys by what it is sent.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::{FullClient, FullTreeKem};
use crate::codec::encode;
use crate::crypto::{Crypto, Secret};
use crate::group::{HeldShare, Member, NewGhost, OwnUpdate, Transition, ghost_key};
use crate::protocol::quarantine::{Asked, check_made, given};
use crate::protocol::{CaughtUp, ClientId, Joined, Order, Protocol, ProtocolError, Seeds};
use crate::treesync::RatchetTree;

impl FullClient {
    /// Erases the shares of those who are no ghosts any more.
    pub(super) fn erase_shares(&mut self) {
        let Some((member, _)) = &self.member else { return };
        erase(&mut self.shares, &member.public.tree);
    }
}

/// Erases the shares of those who are no ghosts any more.
pub(super) fn erase(shares: &mut Vec<HeldShare>, tree: &RatchetTree) {
    shares.retain(|held| {
        let ghost = tree.leaf(held.ghost).and_then(|leaf| leaf.ghost());
        ghost.is_some_and(|ghost| ghost.since <= held.epoch)
    });
}

/// The key that a commit gives this member, as far as shares have been gathered.
pub(super) fn own_key(
    crypto: &Crypto<'_>,
    member: &Member,
    transition: &Transition,
    gathered: &[HeldShare],
) -> Option<OwnUpdate> {
    let given = transition.applied.quarantined.iter().find(|it| it.ghost == member.leaf)?;
    let of_it = gathered.iter().filter(|it| it.epoch == member.epoch());
    let shares: Vec<&Secret> = of_it.map(|it| &it.share).collect();
    let leaf = ghost_key(crypto, given, &shares)?;
    Some(OwnUpdate { leaf, parents: vec![], signer: member.signer.clone() })
}

impl<S: Seeds> FullTreeKem<S> {
    /// Lets the group have ghosts: it has to be said before anybody registers.
    #[must_use]
    pub fn with_quarantine(mut self) -> Self {
        self.clients.allow_quarantine();
        self
    }

    /// How many shares of ghosts' keys a client holds.
    pub fn shares_held(&self, client: ClientId) -> usize {
        self.states.get(&client).map_or(0, |state| state.shares.len())
    }

    /// The book of ghosts after a commit; those who have a key from others now are out of what
    /// they held before.
    pub(super) fn settle_ghosts(
        &mut self,
        transition: &Transition,
        order: &Order,
        made: Vec<NewGhost>,
        enters: bool,
    ) -> Result<(), ProtocolError> {
        check_made(transition, &made)?;
        let (epoch, applied) = (self.epoch() - 1, &transition.applied);
        let at = |leaf| self.by_leaf.get(&leaf).copied();
        let removed: Vec<ClientId> = applied.removed.iter().filter_map(|leaf| at(*leaf)).collect();
        let mut renewed: Vec<ClientId> =
            applied.updated.iter().filter_map(|leaf| at(*leaf)).collect();
        renewed.push(order.by);
        let keys: Result<Vec<_>, _> =
            made.into_iter().map(|made| given(epoch, (), made, at)).collect();
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

    pub(super) fn ask_holders(&mut self, ghost: ClientId) -> Result<Joined, ProtocolError> {
        let record = self.ghosts.record_mut(ghost)?;
        let seed = self.clients.seeds().seed("share request", ghost.0.into(), record.requests);
        let state = self.states.get(&ghost).and_then(|state| state.member.as_ref());
        let (member, _) = state.ok_or(ProtocolError::NotAMember(ghost))?;
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
        let record = self.ghosts.record_mut(ghost)?;
        let number = u64::from(ghost.0) << 32 | record.requests;
        let seed = self.clients.seeds().seed("share answer", holder.0.into(), number);
        let asked = record.asked.as_mut().ok_or(ProtocolError::NotAMember(ghost))?;
        let state = self.states.get(&holder).ok_or(ProtocolError::NotAMember(holder))?;
        let (member, _) = state.member.as_ref().ok_or(ProtocolError::NotAMember(holder))?;
        let crypto = Crypto::new(self.provider);
        let rng = &mut ChaCha20Rng::from_seed(seed);
        let answer = member.answer(&crypto, &asked.request, &state.shares, rng)?;
        let bytes = encode(&answer)?.len() as u64;
        asked.answers.push((holder, answer));
        Ok(Joined { bytes, ledger: crypto.ledger() })
    }

    pub(super) fn find_keys(&mut self, ghost: ClientId) -> Result<CaughtUp, ProtocolError> {
        let to = self.epoch();
        let record = self.ghosts.record_mut(ghost)?;
        let asked = record.asked.take().ok_or(ProtocolError::NotAMember(ghost))?;
        record.found = record.given.len();
        let request = record.requests;
        let state = self.states.get_mut(&ghost).ok_or(ProtocolError::NotAMember(ghost))?;
        let crypto = Crypto::new(self.provider);
        let mut caught = CaughtUp::default();
        for (_, answer) in &asked.answers {
            state.gathered.extend(asked.request.open_answer(&crypto, &asked.pair, answer)?);
            caught.bytes += encode(answer)?.len() as u64;
        }
        caught.ledger += crypto.ledger();
        self.witness.returns(ghost);
        caught += self.follow(ghost, to)?;
        if let Some(state) = self.states.get_mut(&ghost) {
            state.gathered.clear();
        }
        self.recover_copies(ghost, request);
        Ok(caught)
    }
}
