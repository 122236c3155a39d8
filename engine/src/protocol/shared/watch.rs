//! What the witness is told of an accepted commit at fidelity `shared`: a watched member holds its leaf's
//! key and those above that do not list it as unmerged in the newest epoch, though its view may lag. All that leads there
//! has been sent, and it may still follow it.

use super::{Epoch, SharedTreeKem};
use crate::group::Transition;
use crate::protocol::{Order, ProtocolError, Seeds};
use crate::treekem::NewPath;
use crate::treesync::keys_held;

impl<S: Seeds> SharedTreeKem<S> {
    /// Tells who goes, comes and moves by a commit and what is held after it, and has it checked.
    pub(super) fn bear_witness(
        &mut self,
        before: &Epoch,
        epoch: &Epoch,
        transition: &Transition,
        order: &Order,
        enters: bool,
        path: Option<&NewPath>,
    ) -> Result<u32, ProtocolError> {
        for leaf in &transition.applied.removed {
            if let Some(member) = before.private.member(*leaf) {
                self.witness.end(member.client);
            }
        }
        if transition.applied.moved.is_some() {
            self.witness.moves(order.by);
        }
        let entered = Some(&order.by).filter(|_| enters);
        for client in order.adds.iter().chain(entered) {
            self.witness.enter(*client, self.clients.seeds());
        }
        self.watch(epoch)?;
        self.witness.draws(order.by, path);
        self.witness.check(transition, &self.roster)
    }

    /// Tells what those who are watched hold in the newest epoch.
    pub(super) fn watch(&mut self, epoch: &Epoch) -> Result<(), ProtocolError> {
        let watched: Vec<_> = self.witness.members().collect();
        for client in watched {
            let keys = keys_held(&epoch.public.tree, self.membership(client)?.leaf)?;
            self.witness.holds(client, keys.into_iter());
        }
        Ok(())
    }
}
