//! Making the group anew at fidelity `full`: everybody follows the old group to its last epoch, then
//! opens the Welcome with a key of that epoch and validates the whole tree.

use tls_codec::Size;

use super::{FullDraft, FullTreeKem, Invited, Logged};
use crate::crypto::Crypto;
use crate::group::{ApplyError, PendingCommit};
use crate::protocol::proposals::Proposals;
use crate::protocol::rebuild::{self, Successor};
use crate::protocol::{ClientId, Draft, Opaque, Order, Protocol, ProtocolError, Rebuilding, Seeds};
use crate::tree::LeafIndex;
use crate::treesync::{Roster, encode_tree};

impl<S: Seeds> FullTreeKem<S> {
    pub(super) fn make_anew(
        &mut self,
        by: ClientId,
        now: u64,
    ) -> Result<Rebuilding, ProtocolError> {
        self.clients.check_rebuild()?;
        let epoch = self.epoch();
        if self.view(by) != Some(epoch) {
            return Err(ProtocolError::NotAMember(by));
        }
        let observer = self.observer().ok_or(ProtocolError::EpochGone(0))?;
        // From the left of the tree, wherever their numbers are.
        let leaves = observer.tree.root().leaves().into_iter();
        let members = leaves.filter_map(|(leaf, _)| self.by_leaf.get(&leaf).copied());
        let order = rebuild::order(by, members, now);
        let (mut packages, mut numbers) = (vec![], vec![]);
        let unpaid = Crypto::new(self.provider);
        for client in &order.adds {
            let number = self.clients.take_package(*client)?;
            packages.push(self.clients.package(&unpaid, *client, number)?.0);
            numbers.push((*client, number));
        }
        let fetched = packages.iter().map(|package| package.tls_serialized_len() as u64).sum();
        let crypto = Crypto::new(self.provider);
        let state = self.states.get(&by).and_then(|state| state.member.as_ref());
        let (member, roster) = state.ok_or(ProtocolError::NotAMember(by))?;
        let leaf = member.leaf;
        let (clients, member) = (&mut self.clients, (member, roster));
        let (pending, successor, cost) =
            rebuild::rebuild(&crypto, clients, member, packages, &order, epoch)?;
        let ledger = crypto.ledger();
        let successor = Some(successor);
        let ghosts = vec![];
        let inner =
            Opaque::new(FullDraft { pending, packages: numbers, enters: None, successor, ghosts });
        Ok(Rebuilding { draft: Draft { order, epoch, leaf, cost, ledger, inner }, fetched })
    }

    /// The group that a ReInit has ended is replaced: everybody is on the way into the new one, its
    /// maker is in it. Gives the length of the tree.
    pub(super) fn succeed(
        &mut self,
        Successor { reinit, founded }: Successor,
        order: &Order,
        packages: &[(ClientId, u32)],
        last: PendingCommit,
        proposals: Proposals,
    ) -> Result<u64, ProtocolError> {
        let epoch = self.log.len() as u64 + 1;
        self.base = epoch - founded.after.epoch();
        let stood: Vec<(LeafIndex, ClientId)> =
            std::mem::take(&mut self.by_leaf).into_iter().collect();
        for (leaf, client) in stood {
            self.moves.note(client, epoch, leaf);
            self.witness.end(client);
            self.witness.enter(client, self.clients.seeds());
        }
        let PendingCommit { after, applied, welcome, path, .. } = founded;
        let roster = Roster::of(&after.public.tree).map_err(ApplyError::from)?;
        let tree = encode_tree(&after.public.tree)?;
        let bytes = tree.len() as u64;
        self.witness.note(order.by, &after.keys, &roster)?;
        self.witness.draws(order.by, path.as_ref());
        self.witness.check_tree(&roster)?;
        self.observer = Some((after.public.clone(), roster.clone()));
        self.by_leaf.insert(after.leaf, order.by);
        for (&(client, number), &leaf) in packages.iter().zip(&applied.added) {
            let state = self.states.get_mut(&client).ok_or(ProtocolError::NotAMember(client))?;
            state.leaf = Some(leaf);
            state.invitations.push_back(Invited { epoch, number, base: self.base });
            self.by_leaf.insert(leaf, client);
        }
        let state = self.states.get_mut(&order.by).ok_or(ProtocolError::NotAMember(order.by))?;
        if let Some((old, _)) = &state.member {
            state.mail.leave_epoch(state.base + old.epoch(), old);
        }
        state.leaf = Some(after.leaf);
        state.base = self.base;
        state.member = Some((after, roster));
        let (commit, reinit) = (last.message, Some(reinit));
        self.log.push(Logged { commit, proposals, welcome, tree, reinit });
        Ok(bytes)
    }
}
