//! Entering by oneself at fidelity `shared`: the commit is made as at `full`, from the newest epoch's own
//! public state in the place of one that was fetched and validated, which is charged.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::{SharedDraft, SharedTreeKem, validation_ledger};
use crate::crypto::Crypto;
use crate::group::{Entrant, Holdings};
use crate::protocol::{
    ClientId, Draft, Entering, Joined, Opaque, Order, Protocol, ProtocolError, Seeds,
};
use crate::tree::LeafIndex;
use crate::treesync::{LeafNode, encoded_tree_length};

use tls_codec::Size;

impl<S: Seeds> SharedTreeKem<S> {
    /// A member gives up its leaf for another.
    pub(super) fn enter_anew(
        &mut self,
        client: ClientId,
        now: u64,
    ) -> Result<Entering, ProtocolError> {
        let leaf = self.membership(client)?.leaf;
        let leaf_node = self.newest()?.public.tree.leaf(leaf);
        let leaf_node = LeafNode::clone(leaf_node.ok_or(ProtocolError::NotAMember(client))?);
        self.enter_with(client, leaf_node, Some(leaf), now)
    }

    /// Somebody who is not in the group enters it, with a leaf like that of its key packages.
    pub(super) fn enter_by_link(
        &mut self,
        client: ClientId,
        now: u64,
    ) -> Result<Entering, ProtocolError> {
        if self.leaf(client).is_some() {
            return Err(ProtocolError::IsAMember(client));
        }
        let unpaid = Crypto::new(self.provider);
        let (package, _) = self.clients.package(&unpaid, client, 0)?;
        self.enter_with(client, package.leaf_node, None, now)
    }

    fn enter_with(
        &mut self,
        client: ClientId,
        leaf_node: LeafNode,
        removing: Option<LeafIndex>,
        now: u64,
    ) -> Result<Entering, ProtocolError> {
        let newest = self.newest()?.clone();
        let publisher = self.publisher.ok_or(ProtocolError::NotAMember(client))?;
        let own = Crypto::new(self.provider);
        let info = self
            .member_at(&newest, publisher, self.membership(publisher)?.leaf)?
            .group_info(&own, false)?;
        let signer = self.clients.signer(self.provider, client);
        let number = self.clients.next_commit(client)?;
        let seed = self.clients.seeds().seed("commit", client.0.into(), number.into());
        let crypto = Crypto::new(self.provider);
        let external = info.external_key()?;
        let entrant = Entrant { leaf_node, signer: &signer, removing, psks: vec![] };
        let mut rng = ChaCha20Rng::from_seed(seed);
        let none = Holdings::default();
        let pending =
            newest.public.enter(&crypto, &self.roster, &external, entrant, &none, &mut rng)?;
        let info_bytes = info.tls_serialized_len() as u64;
        Ok(Entering {
            fetched: info_bytes + encoded_tree_length(&newest.public.tree) as u64,
            publisher,
            published: Joined { bytes: info_bytes, ledger: own.ledger() },
            draft: Draft {
                epoch: newest.number,
                leaf: pending.after.leaf,
                cost: pending.cost,
                ledger: crypto.ledger() + validation_ledger(&newest.public, self.roster.ghosts()),
                order: Order { by: client, adds: vec![], removes: vec![], now },
                inner: Opaque::new(SharedDraft {
                    pending,
                    invitations: vec![],
                    enters: true,
                    successor: None,
                    ghosts: vec![],
                }),
            },
        })
    }
}
