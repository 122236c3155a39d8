//! What a client does by itself at fidelity `full`: it follows every commit from the wire, and enters
//! by a Welcome, after that of the group that the new one replaces.

use super::quarantine::{erase, own_key};
use super::{FullTreeKem, Invited, Logged};
use crate::codec::decode;
use crate::crypto::Crypto;
use crate::group::{Followed, JoinError, Member};
use crate::protocol::shared::single_welcome_length;
use crate::protocol::{CaughtUp, ClientId, ProtocolError, Seeds};
use crate::treedem::MlsMessage;
use crate::treesync::decode_tree_of;

impl<S: Seeds> FullTreeKem<S> {
    /// Enters by the first of a client's invitations.
    pub(super) fn enter(&mut self, client: ClientId) -> Result<CaughtUp, ProtocolError> {
        let state = self.states.get_mut(&client);
        let invited = state.and_then(|state| state.invitations.pop_front());
        let Invited { epoch, number, base } = invited.ok_or(ProtocolError::NotAMember(client))?;
        let replaces = self.logged(epoch)?.reinit.is_some();
        // A group is followed to its end before the one that replaces it is entered.
        let mut caught = if replaces { self.follow(client, epoch)? } else { CaughtUp::default() };
        let Logged { welcome, tree, reinit, .. } = self.logged(epoch)?;
        let welcome = welcome.as_deref().ok_or(ProtocolError::NotAMember(client))?;
        let unpaid = Crypto::new(self.provider);
        let (package, secrets) = self.clients.package(&unpaid, client, number)?;
        let signer = self.clients.signer(self.provider, client);
        let crypto = Crypto::new(self.provider);
        let decoded = decode_tree_of(self.clients.strategy(), tree).map_err(JoinError::from)?;
        let decoded = Some(decoded);
        let joined = match reinit {
            None => Member::join(&crypto, welcome, decoded, signer, &package, &secrets)?,
            Some(reinit) => {
                let old = self.states.get(&client).and_then(|state| state.member.as_ref());
                let (old, _) = old.ok_or(ProtocolError::NotAMember(client))?;
                old.join_successor(&crypto, reinit, welcome, decoded, signer, &package, &secrets)?
            }
        };
        if let MlsMessage::Welcome(welcome) = decode("an MLS message", welcome)? {
            let entry = welcome.entry(&package.reference(&unpaid)?).map_err(JoinError::from)?;
            caught.bytes += single_welcome_length(&welcome, entry) + tree.len() as u64;
        }
        caught.ledger += crypto.ledger();
        let (_, newest) = self.observer.as_ref().ok_or(ProtocolError::EpochGone(0))?;
        if base == self.base {
            self.witness.note(client, &joined.0.keys, newest)?;
        } else {
            self.witness.note_past(client, &joined.0.keys, newest)?;
        }
        if let Some(state) = self.states.get_mut(&client) {
            // Nobody sends in the last epoch of a group, whose number the next group's first has.
            (state.member, state.base) = (Some(joined), base);
        }
        Ok(caught)
    }

    /// Follows every commit up to an epoch, or to the one that removes the client; not into a group
    /// that replaces its own.
    pub(super) fn follow(&mut self, client: ClientId, to: u64) -> Result<CaughtUp, ProtocolError> {
        let mut caught = CaughtUp::default();
        let limit = self.ghosts.limit(client);
        let Some(state) = self.states.get_mut(&client) else { return Ok(caught) };
        let Some((member, roster)) = &mut state.member else { return Ok(caught) };
        let newest = &self.observer.as_ref().ok_or(ProtocolError::EpochGone(0))?.1;
        let crypto = Crypto::new(self.provider);
        while state.base + member.epoch() < limit.map_or(to, |limit| limit.min(to)) {
            let at = (state.base + member.epoch()) as usize;
            let Logged { commit, proposals, .. } = &self.log[at];
            let Member { public, secrets, .. } = &*member;
            let mut holdings = proposals.holdings(&crypto, public, secrets, client)?;
            let transition = public.apply_with(&crypto, roster, &holdings.proposals, commit)?;
            caught.commits += 1;
            caught.bytes += commit.len() as u64 + proposals.bytes();
            state.mail.leave_epoch(at as u64, member);
            holdings.updates.extend(own_key(&crypto, member, &transition, &state.gathered));
            let brought = member.open_shares(&crypto, &transition)?;
            if member.follow_with(&crypto, &transition, &holdings)? == Followed::Removed {
                caught.removed = true;
                break;
            }
            roster.advance(&transition.roster_changes);
            state.shares.extend(brought);
            erase(&mut state.shares, &member.public.tree);
            if state.base == self.base {
                self.witness.note(client, &member.keys, newest)?;
            } else {
                self.witness.note_past(client, &member.keys, newest)?;
            }
        }
        let stops = limit.is_some_and(|limit| to > limit);
        if stops && self.ghosts.is_removed(client) {
            self.ghosts.forget(client);
            caught.removed = true;
        }
        if caught.removed {
            state.mail.end(state.base + member.epoch() + 1);
            state.member = None;
        }
        caught.ledger += crypto.ledger();
        Ok(caught)
    }

    /// What led to an epoch.
    fn logged(&self, epoch: u64) -> Result<&Logged, ProtocolError> {
        let at = usize::try_from(epoch).ok().and_then(|epoch| epoch.checked_sub(1));
        at.and_then(|at| self.log.get(at)).ok_or(ProtocolError::EpochGone(epoch))
    }
}
