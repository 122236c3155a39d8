//! One handshake message at fidelity `shared`: its public half for all receivers, its private half as
//! often as it differs, and who comes and goes by an entry.

use std::sync::Arc;

use super::{Departure, Epoch, Moment, SharedArt, Totals};
use crate::art::{
    Body, Change, Checked, NodeSecret, check_setup, climb_from_leaf, encoded_length, hashes_of_all,
    node_cost, one, secrets_of,
};
use crate::crypto::{Crypto, Ledger, Op};
use crate::protocol::art::draft::{Invited, Step, What};
use crate::protocol::art::private::PrivateTree;
use crate::protocol::art::{check, init_key};
use crate::protocol::{CaughtUp, ClientId, Order, ProtocolError, Seeds};
use crate::tree::LeafIndex;

/// A message in effect.
pub(super) struct Taken {
    pub(super) after: Moment,
    /// What checking it in public takes of every receiver.
    pub(super) public: Ledger,
    /// What joining by it takes, beside the nodes above its leaf, of those that it adds.
    joining: CaughtUp,
    pub(super) checks: u32,
}

impl<S: Seeds> SharedArt<S> {
    /// Puts a message into effect that follows a moment.
    pub(super) fn take(
        &self,
        now: &Moment,
        step: &Step,
        by: ClientId,
    ) -> Result<Taken, ProtocolError> {
        match &step.what {
            What::Init(invited) => self.take_setup(now, step, by, invited),
            _ => self.take_change(now, step, by),
        }
    }

    fn take_change(&self, now: &Moment, step: &Step, by: ClientId) -> Result<Taken, ProtocolError> {
        let crypto = Crypto::new(self.provider);
        let checked = now.public.check(&crypto, &step.message)?;
        let public = crypto.ledger();
        let transition = &checked.transition;
        let mut private = now.private.clone();
        let client = match &step.what {
            What::GroupAdd(invited) => invited.client,
            What::Delete(client) => *client,
            _ => by,
        };
        if transition.change.adds() {
            private.extend(client, step.nodes[0].pair.clone())?;
        }
        // What every receiver computes alike.
        let crypto = Crypto::new(self.provider);
        let checks = self.check_nodes(&crypto, now, &private, step, &checked)?;
        let nodes = &step.nodes;
        let keys: Vec<_> = nodes.iter().map(|node| node.pair.public.clone()).collect();
        let root = &nodes[nodes.len() - 1];
        let init = Some(&now.secrets.init_secret);
        let (group, secrets) = transition.complete(&crypto, &now.public, init, &keys, root)?;
        check(secrets == *step.after.secrets, "a receiver comes to other secrets than the sender")?;
        let sent = checked.handshake.body.path().is_some();
        private.set_path(step.changed, client, nodes, sent)?;
        if transition.change == Change::Delete {
            private.blank(step.changed)?;
        }
        let bytes = step.message.len() as u64;
        let ledger = public + crypto.ledger();
        let width = now.public.ratchet.width();
        let totals = Totals { bytes: now.totals.bytes + bytes, ledger: now.totals.ledger + ledger };
        // Who joins does what every receiver does, from trees that it fetches and hashes.
        let joining = CaughtUp {
            bytes: bytes + encoded_length(&now.public),
            ledger: ledger + one(Op::Hash) * hashes_of_all(width),
            ..CaughtUp::default()
        };
        let after = Moment { public: group, private, secrets: Arc::new(secrets), totals };
        Ok(Taken { after, public, joining, checks: checks + 1 })
    }

    /// Computes the new nodes as receivers do, each distinct computation once; of those that all do
    /// alike, `crypto` is charged.
    fn check_nodes(
        &self,
        crypto: &Crypto<'_>,
        now: &Moment,
        private: &PrivateTree,
        step: &Step,
        checked: &Checked<'_>,
    ) -> Result<u32, ProtocolError> {
        let transition = &checked.transition;
        if let (Change::GroupAdd(key), What::GroupAdd(invited)) = (&transition.change, &step.what) {
            let leaf = NodeSecret::agreed(crypto, &now.secrets.add, key)?;
            let nodes = climb_from_leaf(crypto, &transition.ratchet, step.changed, leaf);
            let nodes = nodes.map_err(crate::art::HandshakeError::from)?;
            check(nodes == step.nodes, "members compute other nodes for who is added")?;
            let unpaid = Crypto::new(self.provider);
            let Invited { client, number } = *invited;
            let (_, init) = init_key(&self.clients, &unpaid, client, number)?;
            let own = NodeSecret::agreed(&unpaid, &init, &now.public.add_key)?;
            check(own == nodes[0], "who is added computes another leaf")?;
            return Ok(2);
        }
        let unpaid = Crypto::new(self.provider);
        let copath = private.copath(step.changed)?;
        let mut checks = 0;
        for (at, beside) in copath.iter().enumerate() {
            let Some(beside) = beside else { continue };
            let met = NodeSecret::agreed(&unpaid, beside, &step.nodes[at].pair.public)?;
            check(met == step.nodes[at + 1], "members below one node compute another")?;
            checks += 1;
        }
        Ok(checks)
    }

    /// A setup makes the group.
    fn take_setup(
        &self,
        now: &Moment,
        step: &Step,
        by: ClientId,
        invited: &[Invited],
    ) -> Result<Taken, ProtocolError> {
        let crypto = Crypto::new(self.provider);
        let (handshake, mut public) = check_setup(&crypto, &step.message)?;
        let checking = crypto.ledger();
        let Body::Init(init) = &handshake.body else {
            return Err(ProtocolError::Check("a setup is no setup".into()));
        };
        let checks = self.check_setup_nodes(&init.setup_key, &step.nodes, invited)?;
        let crypto = Crypto::new(self.provider);
        let root = &step.nodes[crate::art::root_at(invited.len() + 1)];
        let secrets = secrets_of(&crypto, &public, root, &step.message)?;
        check(secrets == *step.after.secrets, "members come to other secrets than the creator")?;
        public.add_key = secrets.add.public.clone();
        let clients: Vec<_> = [by].into_iter().chain(invited.iter().map(|it| it.client)).collect();
        let private = PrivateTree::set_up(&step.nodes, &clients)?;
        let bytes = step.message.len() as u64;
        let ledger = checking + crypto.ledger();
        let totals = Totals { bytes: now.totals.bytes + bytes, ledger: now.totals.ledger + ledger };
        // Each computes its leaf, and the nodes above.
        let joining = CaughtUp { bytes, ledger: ledger + node_cost(), ..CaughtUp::default() };
        let after = Moment { public, private, secrets: Arc::new(secrets), totals };
        Ok(Taken { after, public: checking, joining, checks: checks + 1 })
    }

    /// Members are deleted, and clients are in the tree, who will join when they hear of it.
    pub(super) fn turn_over(
        &mut self,
        before: &Arc<Epoch>,
        epoch: &Arc<Epoch>,
        order: &Order,
        steps: &[Step],
        taken: &[Taken],
    ) -> Result<(), ProtocolError> {
        let mut now = &before.now;
        for (step, taken) in steps.iter().zip(taken) {
            if let What::Delete(client) = step.what {
                let mut of_entry = now.owed(&before.now, step.changed)?;
                of_entry.bytes += step.message.len() as u64;
                of_entry.ledger += taken.public;
                of_entry.removed = true;
                if order.adds.contains(&client) {
                    self.moves.note(client, epoch.number, step.changed);
                }
                self.depart(client, Departure { last: before.clone(), of_entry });
            }
            for (invited, leaf) in step.invited() {
                let mut joining = taken.joining;
                if let What::Init(_) = step.what {
                    let above = taken.after.public.ratchet.direct_path(leaf)?.len() as u64;
                    joining.ledger += node_cost() * above;
                }
                joining += epoch.now.owed(&taken.after, leaf)?;
                self.set_membership(invited.client, leaf, epoch.clone(), Some(joining));
            }
            now = &taken.after;
        }
        Ok(())
    }

    fn depart(&mut self, client: ClientId, departure: Departure) {
        let Some(member) = self.members.get_mut(client.0 as usize) else { return };
        match member {
            // Who has lost all it held does not come to know it.
            Some(gone) if gone.lost => *member = None,
            Some(gone) => gone.departure = Some(departure),
            None => {}
        }
    }

    /// The entry's sender is behind it.
    pub(super) fn go_on(
        &mut self,
        by: ClientId,
        leaf: LeafIndex,
        epoch: &Arc<Epoch>,
        enters: bool,
    ) {
        if enters {
            self.set_membership(by, leaf, epoch.clone(), None);
        } else if let Some(Some(sender)) = self.members.get_mut(by.0 as usize) {
            sender.epoch = epoch.clone();
        }
    }
}
