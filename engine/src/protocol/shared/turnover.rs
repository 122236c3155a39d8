//! Who goes, comes and moves with an accepted commit.

use std::sync::Arc;

use super::{Departure, Epoch, Invitation, Membership, SharedTreeKem};
use crate::protocol::{CaughtUp, ClientId, Joined, Order, Seeds};
use crate::tree::LeafIndex;

impl<S: Seeds> SharedTreeKem<S> {
    /// Members are removed; those who come back by the same commit have moved.
    pub(super) fn depart(
        &mut self,
        removed: &[LeafIndex],
        departure: Departure,
        order: &Order,
        enters: bool,
    ) {
        let epoch = departure.last.number + 1;
        for leaf in removed {
            let Some(member) = departure.last.private.member(*leaf) else { continue };
            let client = member.client;
            match self.members.get_mut(client.0 as usize) {
                // It cannot follow; others see it go.
                Some(gone) if gone.as_ref().is_some_and(|gone| gone.lost) => *gone = None,
                Some(Some(gone)) => gone.departure = Some(departure.clone()),
                _ => {}
            }
            if enters && client == order.by || order.adds.contains(&client) {
                self.moves.note(client, epoch, *leaf);
            }
        }
    }

    /// Clients are in the tree, and will join when they hear of it.
    pub(super) fn arrive(
        &mut self,
        invitations: &[Invitation],
        leaves: &[LeafIndex],
        joining: &[Joined],
        epoch: &Arc<Epoch>,
    ) {
        for ((invitation, leaf), joined) in invitations.iter().zip(leaves).zip(joining) {
            let Joined { bytes, ledger } = *joined;
            let invited = Some(CaughtUp { bytes, ledger, ..CaughtUp::default() });
            let membership = Membership::at(*leaf, epoch.clone(), invited);
            self.set_membership(invitation.client, membership);
            self.traffic.enter(invitation.client, epoch.number);
        }
    }

    /// The commit's sender is in the new epoch, at another leaf if it enters or moves by it.
    pub(super) fn go_on(
        &mut self,
        by: ClientId,
        leaf: LeafIndex,
        epoch: &Arc<Epoch>,
        enters: bool,
    ) {
        let epoch = epoch.clone();
        if enters {
            self.traffic.enter(by, epoch.number);
            self.set_membership(by, Membership::at(leaf, epoch, None));
        } else if let Some(Some(sender)) = self.members.get_mut(by.0 as usize) {
            if sender.leaf != leaf {
                self.moves.note(by, epoch.number, sender.leaf);
            }
            (sender.leaf, sender.epoch) = (leaf, epoch);
        }
    }
}
