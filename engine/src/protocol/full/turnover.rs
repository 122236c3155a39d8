//! Who goes, comes and moves with an accepted commit, and what its sender holds from then on.

use super::{FullClient, FullTreeKem, Invited};
use crate::group::{PendingCommit, Transition};
use crate::protocol::{ClientId, Order, Protocol, Seeds};
use crate::treesync::{Move, Roster};

impl<S: Seeds> FullTreeKem<S> {
    /// Members are removed, the sender moves, and clients are in the tree, who will join when they hear
    /// of it. Who comes back by the same commit has moved.
    pub(super) fn turn_over(
        &mut self,
        transition: &Transition,
        order: &Order,
        packages: &[(ClientId, u32)],
        enters: bool,
    ) {
        let (by, epoch) = (order.by, self.epoch());
        for removed in &transition.applied.removed {
            let Some(client) = self.by_leaf.remove(removed) else { continue };
            self.witness.end(client);
            if let Some(state) = self.states.get_mut(&client) {
                state.leaf = None;
                state.lost = false;
            }
            if enters && client == by || order.adds.contains(&client) {
                self.moves.note(client, epoch, *removed);
            }
        }
        if let Some(Move { from, to }) = transition.applied.moved {
            self.by_leaf.remove(&from);
            self.by_leaf.insert(to, by);
            self.moves.note(by, epoch, from);
            self.witness.moves(by);
        }
        for (&(client, number), &leaf) in packages.iter().zip(&transition.applied.added) {
            let invited = Invited { epoch, number, base: self.base };
            self.states.insert(client, FullClient::invited(leaf, invited));
            self.by_leaf.insert(leaf, client);
            self.witness.enter(client, self.clients.seeds());
        }
        if enters {
            self.witness.enter(by, self.clients.seeds());
        }
    }

    /// The sender is in the new epoch; `enters` is the roster of one that enters by its commit.
    pub(super) fn go_on(
        &mut self,
        by: ClientId,
        transition: &Transition,
        pending: PendingCommit,
        enters: Option<Roster>,
    ) {
        if let Some(mut roster) = enters {
            roster.advance(&pending.roster_changes);
            self.by_leaf.insert(transition.committer, by);
            let member = (pending.after, roster);
            let state = FullClient::member(transition.committer, member, self.base);
            self.states.insert(by, state);
        } else if let Some(state) = self.states.get_mut(&by)
            && let Some((member, roster)) = &mut state.member
        {
            state.mail.leave_epoch(state.base + member.epoch(), member);
            state.leaf = Some(transition.committer);
            roster.advance(&pending.roster_changes);
            *member = pending.after;
            state.erase_shares();
        }
    }
}
