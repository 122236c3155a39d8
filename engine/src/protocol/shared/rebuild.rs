//! Making the group anew at fidelity `shared`: what everybody owes for the rest of the old group is
//! added up when the new one begins, and is paid with the Welcome.

use std::sync::Arc;

use tls_codec::Size;

use super::checking::Checked;
use super::{Epoch, Invitation, Membership, SharedDraft, SharedTreeKem, Totals};
use crate::crypto::Crypto;
use crate::group::{ApplyError, Member, PendingCommit};
use crate::protocol::private_tree::PrivateTree;
use crate::protocol::proposals::Proposals;
use crate::protocol::rebuild::{self, Successor};
use crate::protocol::{
    Accepted, CaughtUp, ClientId, Draft, Joined, Opaque, Order, ProtocolError, Rebuilding, Seeds,
};
use crate::strategy::Room;
use crate::tree::LeafIndex;
use crate::treekem::RefreshSet;
use crate::treesync::{Roster, encoded_tree_length};

/// A step from one group to the next.
pub(super) struct Step {
    /// The commit that ends the old group, as it was checked and as it was sent.
    pub(super) last: Checked,
    pub(super) message: Vec<u8>,
    pub(super) successor: Successor,
    pub(super) invitations: Vec<Invitation>,
}

impl<S: Seeds> SharedTreeKem<S> {
    pub(super) fn make_anew(
        &mut self,
        by: ClientId,
        now: u64,
    ) -> Result<Rebuilding, ProtocolError> {
        self.clients.check_rebuild()?;
        let newest = self.newest()?.clone();
        let membership = self.membership(by)?;
        if membership.invited.is_some() || membership.epoch.number != newest.number {
            return Err(ProtocolError::NotAMember(by));
        }
        let leaf = membership.leaf;
        let leaves = newest.public.tree.root().leaves().into_iter();
        let members = leaves.filter_map(|(leaf, _)| Some(newest.private.member(leaf)?.client));
        let order = rebuild::order(by, members, now);
        let invitations: Result<Vec<_>, _> =
            order.adds.iter().map(|client| self.invite(*client)).collect();
        let invitations = invitations?;
        let packages: Vec<_> = invitations.iter().map(|i| i.package.clone()).collect();
        let fetched = packages.iter().map(|package| package.tls_serialized_len() as u64).sum();
        let crypto = Crypto::new(self.provider);
        let member = self.member_at(&newest, by, leaf)?;
        let (clients, member) = (&mut self.clients, (&member, &self.roster));
        let epoch = newest.number;
        let (pending, successor, cost) =
            rebuild::rebuild(&crypto, clients, member, packages, &order, epoch)?;
        let ledger = crypto.ledger();
        let successor = Some(successor);
        let ghosts = vec![];
        let inner =
            Opaque::new(SharedDraft { pending, invitations, enters: false, successor, ghosts });
        Ok(Rebuilding { draft: Draft { order, epoch, leaf, cost, ledger, inner }, fetched })
    }

    /// The group that a ReInit has ended is replaced: everybody is on the way into the new one, its
    /// maker is in it.
    pub(super) fn succeed(
        &mut self,
        step: Step,
        order: &Order,
        audited: &[ClientId],
    ) -> Result<Accepted, ProtocolError> {
        let before = self.newest()?.clone();
        let joined = self.welcome_all(&step)?;
        let audits = audited.iter().map(|client| self.audit_successor(*client, &step));
        let audits = audits.sum::<Result<u32, _>>()?;
        let watched = self.witness.check(&step.last.transition, &self.roster)?;
        let checks = 3 + watched + joined.len() as u32;
        self.tell_copies(&before, &step.last.transition, &[])?;
        self.tell_copies_anew(&step.successor.founded, &step.invitations)?;
        let epoch = Arc::new(self.first_epoch(&before, order.by, &step)?);
        self.roster = Roster::of(&epoch.public.tree).map_err(ApplyError::from)?;
        self.settle_copies(epoch.number, None);
        self.replace_members(&before, &epoch, order.by, &step, &joined)?;
        self.watch(&epoch)?;
        self.witness.draws(order.by, step.successor.founded.path.as_ref());
        self.witness.check_tree(&self.roster)?;
        let Step { last, message, .. } = step;
        self.base = epoch.number - epoch.public.epoch();
        self.publisher = Some(order.by);
        self.waiting = Proposals::default();
        if let Some(log) = &mut self.log {
            log.push((message, last.proposals));
        }
        let accepted = Accepted {
            epoch: epoch.number,
            receiver: last.receiver,
            audits: last.audits + audits,
            checks,
            predicted_ciphertexts: 0,
            excluded_ciphertexts: 0,
            tree_bytes: encoded_tree_length(&epoch.public.tree) as u64,
        };
        self.epochs.push(Arc::downgrade(&epoch));
        // Nobody is left in an epoch before this one who could still commit there.
        self.recent.clear();
        self.recent.push_back((epoch, vec![]));
        Ok(accepted)
    }

    /// Opens every entry of the Welcome; that it ties the new group to the old one, the first checks
    /// for all of them.
    fn welcome_all(&self, step: &Step) -> Result<Vec<Joined>, ProtocolError> {
        let Step { last, successor, invitations, message } = step;
        let Successor { reinit, founded } = successor;
        let (Some(first), Some(welcome)) = (invitations.first(), &founded.welcome) else {
            return Ok(vec![]);
        };
        let unpaid = Crypto::new(self.provider);
        let Invitation { client, package, secrets, .. } = first;
        let old = self.over_the_wire(&unpaid, *client, message, &last.proposals)?;
        let old = old.ok_or(ProtocolError::NotAMember(*client))?;
        old.open_successor(&unpaid, reinit, welcome, package, secrets)?;
        let tree_bytes = encoded_tree_length(&founded.after.public.tree) as u64;
        let set = founded_set(founded);
        self.welcome(founded, set.as_ref(), invitations, tree_bytes, &old.resumption())
    }

    /// An audited member enters the new group from the wire.
    fn audit_successor(&self, client: ClientId, step: &Step) -> Result<u32, ProtocolError> {
        let Step { last, successor: Successor { reinit, founded }, invitations, message } = step;
        let invitation = invitations.iter().find(|invitation| invitation.client == client);
        let (Some(invitation), Some(welcome)) = (invitation, &founded.welcome) else {
            return Ok(0);
        };
        let crypto = Crypto::new(self.provider);
        let old = self.over_the_wire(&crypto, client, message, &last.proposals)?;
        let old = old.ok_or(ProtocolError::NotAMember(client))?;
        let signer = self.clients.signer(self.provider, client);
        let tree = Some(founded.after.public.tree.clone());
        let Invitation { package, secrets, .. } = invitation;
        let joined =
            old.join_successor(&crypto, reinit, welcome, tree, signer, package, secrets)?;
        let expected = &founded.after.secrets.epoch_authenticator;
        if joined.0.secrets.epoch_authenticator == *expected {
            Ok(1)
        } else {
            Err(ProtocolError::Audit { client, epoch: self.newest()?.number + 1 })
        }
    }

    /// The first epoch of the new group.
    fn first_epoch(
        &self,
        before: &Epoch,
        by: ClientId,
        step: &Step,
    ) -> Result<Epoch, ProtocolError> {
        let founded = &step.successor.founded;
        let Member { public, leaf, secrets, .. } = &founded.after;
        let path = founded.path.as_ref().ok_or(ApplyError::PathRequired)?;
        let mut private = PrivateTree::new(self.clients.strategy());
        // The maker was alone in the tree, and had its first leaf.
        private.add(&Room::indexed(LeafIndex(0)), by, path.leaf.clone())?;
        for (invitation, room) in step.invitations.iter().zip(&founded.applied.rooms) {
            private.add(room, invitation.client, invitation.secrets.encryption.clone())?;
        }
        private.climb(*leaf, founded.applied.climbed)?;
        if let Some(set) = founded_set(founded) {
            private.refresh(*leaf, path, &set)?;
        } else {
            let steps = public.tree.direct_path(*leaf)?;
            let in_filter: Vec<bool> = steps.iter().map(|step| !step.is_filtered_out()).collect();
            private.set_path(*leaf, path, &in_filter)?;
        }
        let totals = Totals { ..before.totals };
        let (number, public, secrets) = (before.number + 1, public.clone(), secrets.clone());
        Ok(Epoch { number, public, private, secrets, totals })
    }

    /// Everybody's membership in the new group; who has not followed the old one to its end owes that.
    fn replace_members(
        &mut self,
        before: &Epoch,
        epoch: &Arc<Epoch>,
        by: ClientId,
        step: &Step,
        joined: &[Joined],
    ) -> Result<(), ProtocolError> {
        let Step { last, successor: Successor { founded, .. }, invitations, message } = step;
        let bytes = message.len() as u64 + last.proposals.bytes();
        let end = CaughtUp { commits: 1, bytes, ledger: last.ledger, removed: false };
        self.moves.note(by, epoch.number, self.membership(by)?.leaf);
        for ((invitation, leaf), joined) in
            invitations.iter().zip(&founded.applied.added).zip(joined)
        {
            let client = invitation.client;
            let old = self.membership(client)?;
            let (leaf_before, lost, view) = (old.leaf, old.lost, old.view());
            let mut owed = old.invited.unwrap_or_default();
            owed += self.owed(&old.epoch, before, old.leaf)?;
            owed += end;
            owed.bytes += joined.bytes;
            owed.ledger += joined.ledger;
            self.moves.note(client, epoch.number, leaf_before);
            let mut membership = Membership::at(*leaf, epoch.clone(), Some(owed));
            (membership.lost, membership.before) = (lost, Some(view));
            self.set_membership(client, membership);
            self.witness.end(client);
        }
        self.witness.end(by);
        // Whoever enters may take another's place among the watched: all have ended by now.
        for client in invitations.iter().map(|invitation| invitation.client).chain([by]) {
            self.witness.enter(client, self.clients.seeds());
        }
        let (leaf, epoch) = (founded.after.leaf, epoch.clone());
        self.set_membership(by, Membership::at(leaf, epoch, None));
        Ok(())
    }
}

/// The parents that the founding commit has drawn secrets for, where the strategy taints: all of them,
/// so that the tree after it shows them as well as the one before.
fn founded_set(founded: &PendingCommit) -> Option<RefreshSet<'_>> {
    RefreshSet::of(&founded.after.public.tree, founded.after.leaf, &founded.applied)
}
