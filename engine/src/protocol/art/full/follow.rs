//! What a client does by itself at fidelity `full`: it enters by the message that adds it, and follows
//! all others from the wire.

use super::{FullArt, FullClient, Invitation, Logged, Mail};
use crate::art::{Body, Followed, Handshake, Joining, Member, PublicGroup, Trees};
use crate::crypto::Crypto;
use crate::protocol::art::draft::{Step, What};
use crate::protocol::art::init_key;
use crate::protocol::{CaughtUp, ClientId, Order, Protocol, ProtocolError, Seeds};

impl<S: Seeds> FullArt<S> {
    /// Enters by a client's invitation, and follows what comes behind it in the same entry.
    pub(super) fn enter(&mut self, client: ClientId) -> Result<CaughtUp, ProtocolError> {
        let state = self.states.get_mut(&client);
        let invitation = state.and_then(|state| state.invitation.take());
        let Invitation { entry, step, number } =
            invitation.ok_or(ProtocolError::NotAMember(client))?;
        let unpaid = Crypto::new(self.provider);
        let (_, init) = init_key(&self.clients, &unpaid, client, number)?;
        let signer = self.clients.signer(self.provider, client);
        let joining = Joining { signer, init: &init };
        let crypto = Crypto::new(self.provider);
        let Logged(steps) = &self.log[entry];
        let (message, before) = &steps[step];
        let mut caught = CaughtUp { bytes: message.len() as u64, ..CaughtUp::default() };
        let (handshake, _) = Handshake::read(message)?;
        let member = if matches!(handshake.body, Body::Init(_)) {
            Member::join_setup(&crypto, joining, message)?
        } else {
            let trees = Trees::of(before).encode()?;
            caught.bytes += trees.len() as u64;
            Member::join(&crypto, joining, message, Trees::decode(&trees)?)?
        };
        let (member, bytes) = through(&crypto, member, &steps[step + 1..])?;
        caught.bytes += bytes;
        caught.ledger = crypto.ledger();
        if let Some(state) = self.states.get_mut(&client) {
            caught.removed = member.is_none();
            (state.member, state.view) = (member, entry as u64 + 1);
        }
        Ok(caught)
    }

    /// Follows every entry up to an epoch, or to the message that deletes the client.
    pub(super) fn follow(&mut self, client: ClientId, to: u64) -> Result<CaughtUp, ProtocolError> {
        let mut caught = CaughtUp::default();
        let Some(state) = self.states.get_mut(&client) else { return Ok(caught) };
        let crypto = Crypto::new(self.provider);
        while state.view < to
            && let Some(member) = state.member.take()
        {
            let entry = usize::try_from(state.view).ok().and_then(|at| self.log.get(at));
            let Logged(steps) = entry.ok_or(ProtocolError::EpochGone(to))?;
            state.mail.leave_epoch(state.view, &member);
            let (member, bytes) = through(&crypto, member, steps)?;
            caught.commits += 1;
            caught.bytes += bytes;
            state.view += 1;
            state.member = member;
            if state.member.is_none() {
                caught.removed = true;
                state.mail.end(state.view);
            }
        }
        caught.ledger += crypto.ledger();
        Ok(caught)
    }

    /// A message of the next entry takes effect: who is added will join when it hears of it, and who is
    /// deleted has no leaf any more.
    pub(super) fn turn_over(&mut self, step: &Step, number: usize, order: &Order) {
        step.expose(&mut self.exposure);
        let (entry, epoch) = (self.log.len(), self.epoch() + 1);
        for (invited, leaf) in step.invited() {
            let invitation = Some(Invitation { entry, step: number, number: invited.number });
            let (mail, there) = (Mail::since(epoch), Some(leaf));
            let state = FullClient { invitation, leaf: there, mail, ..FullClient::default() };
            self.states.insert(invited.client, state);
            self.by_leaf.insert(leaf, invited.client);
        }
        let What::Delete(_) = step.what else { return };
        let Some(client) = self.by_leaf.remove(&step.changed) else { return };
        if order.adds.contains(&client) {
            self.moves.note(client, epoch, step.changed);
        }
        let state = self.states.entry(client).or_default();
        state.leaf = None;
        // Who has lost all it held does not come to know it.
        if state.lost {
            *state = FullClient::default();
        }
    }

    /// The sender of an entry is behind it.
    pub(super) fn go_on(&mut self, by: ClientId, enters: bool) {
        let epoch = self.log.len() as u64;
        let Some((_, after)) = self.newest.clone() else { return };
        let state = self.states.entry(by).or_default();
        if enters {
            let mail = Mail::since(epoch);
            self.by_leaf.insert(after.leaf, by);
            *state = FullClient { leaf: Some(after.leaf), mail, ..FullClient::default() };
        } else if let Some(before) = &state.member {
            state.mail.leave_epoch(state.view, before);
        }
        (state.member, state.view) = (Some(after), epoch);
    }
}

/// A member goes through messages: what it is behind them, unless it has been deleted, and their
/// bytes as far as it has gone.
fn through(
    crypto: &Crypto<'_>,
    mut member: Member,
    steps: &[(Vec<u8>, PublicGroup)],
) -> Result<(Option<Member>, u64), ProtocolError> {
    let mut bytes = 0;
    for (message, _) in steps {
        bytes += message.len() as u64;
        match member.receive(crypto, message)? {
            Followed::Member(next) => member = *next,
            Followed::Deleted => return Ok((None, bytes)),
        }
    }
    Ok((Some(member), bytes))
}
