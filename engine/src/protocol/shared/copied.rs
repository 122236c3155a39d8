//! Copied states at fidelity `shared`: the book of what follows from each (`protocol/copied.rs`), and what of its messages a
//! client had not erased when it was copied.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::messages::erased;
use super::{Epoch, Invitation, SharedDraft, SharedTreeKem};
use crate::group::{PendingCommit, Transition};
use crate::protocol::copied::{Entrant, Stolen};
use crate::protocol::{ClientId, CopyId, Draft, MessageId, PAST_EPOCHS, ProtocolError, Seeds};
use crate::tree::LeafIndex;
use crate::treedem::SecretTree;
use crate::treesync::{RosterChange, keys_held};

/// What a client had for messages.
pub(super) struct Drawer {
    /// The first epoch in which it was a member.
    since: u64,
    /// The epoch that it had come to.
    view: u64,
    /// Its secret trees, without their secrets, as far as it had used them.
    used: BTreeMap<u64, SecretTree>,
}

fn entrants(invitations: &[Invitation], leaves: &[LeafIndex]) -> Vec<Entrant> {
    let each = invitations.iter().zip(leaves);
    let entrant = |(invitation, leaf): (&Invitation, &LeafIndex)| Entrant {
        client: invitation.client,
        package: invitation.number,
        leaf: *leaf,
    };
    each.map(entrant).collect()
}

impl<S: Seeds> SharedTreeKem<S> {
    pub(super) fn steal(
        &mut self,
        client: ClientId,
        drafts: &[&Draft],
    ) -> Result<CopyId, ProtocolError> {
        let membership = self.membership(client)?;
        if membership.lost || membership.departure.is_some() {
            return Err(ProtocolError::NotAMember(client));
        }
        let (view, leaf) = (membership.view(), membership.leaf);
        let newest = self.newest()?;
        let limit = self.ghosts.limit(client);
        let own = drafts.iter().filter(|it| it.order.by == client && it.epoch == newest.number);
        let own = own.filter_map(|draft| draft.inner.look::<SharedDraft>());
        let own = own.map(|it| (&it.pending, it.successor.as_ref(), &it.ghosts[..]));
        let epochs = (view, limit.map(|limit| limit + 1));
        let place = (&newest.public.tree, leaf);
        let stolen = Stolen::of(client, place, epochs, self.waiting.own(client), own)?;
        let drawer = self.traffic.drawer(client, view);
        let id = self.copies.copy(Stolen {
            packages: self.clients.packages(client),
            request: self.ghosts.request(client),
            ..stolen
        });
        self.drawers.insert(id, drawer);
        Ok(id)
    }

    /// What a commit tells those with copies.
    pub(super) fn tell_copies(
        &mut self,
        before: &Arc<Epoch>,
        transition: &Transition,
        invitations: &[Invitation],
    ) -> Result<(), ProtocolError> {
        let entrants = entrants(invitations, &transition.applied.added);
        Ok(self.copies.commit(&before.public.tree, transition, &entrants)?)
    }

    /// What the group tells them that replaces another, after the commit that ends that one.
    pub(super) fn tell_copies_anew(
        &mut self,
        founded: &PendingCommit,
        invitations: &[Invitation],
    ) -> Result<(), ProtocolError> {
        let entrants = entrants(invitations, &founded.applied.added);
        Ok(self.copies.succeed(founded, &entrants)?)
    }

    /// The new epoch stands; `changes` led there, if it is not another group.
    pub(super) fn settle_copies(&mut self, epoch: u64, changes: Option<&[RosterChange]>) {
        if self.copies.is_empty() {
            return;
        }
        self.copies.close_requests(|ghost| self.ghosts.request(ghost));
        let taken = |client| self.clients.taken(client);
        self.copies.settle(epoch, &self.roster, changes, taken);
    }

    /// A ghost has found its keys by the answers to a request.
    pub(super) fn recover_copies(
        &mut self,
        ghost: ClientId,
        request: u64,
        newest: &Epoch,
    ) -> Result<(), ProtocolError> {
        let keys = keys_held(&newest.public.tree, self.membership(ghost)?.leaf)?;
        self.copies.recover(ghost, request, newest.number, &keys);
        Ok(())
    }

    /// Whether a copy has the key of a message.
    pub(super) fn drawer_reads(
        &self,
        copy: CopyId,
        message: MessageId,
    ) -> Result<bool, ProtocolError> {
        let posted = self.traffic.posted(message)?;
        let Some(Drawer { since, view, used }) = self.drawers.get(&copy) else { return Ok(false) };
        let epoch = posted.epoch;
        if epoch > *view {
            return Ok(self.copies.knew(copy, epoch));
        }
        let is_kept = epoch >= *since && epoch + PAST_EPOCHS >= *view;
        let generation = self.traffic.generation(message);
        // An attachment's key follows from secrets of the epoch, however often it has been used.
        let of_text = generation.zip(used.get(&epoch));
        let is_erased =
            of_text.is_some_and(|(generation, tree)| erased(tree, posted.leaf, generation));
        Ok(is_kept && !is_erased)
    }
}

impl Drawer {
    pub(super) fn new(since: u64, view: u64, used: BTreeMap<u64, SecretTree>) -> Self {
        Self { since, view, used }
    }
}
