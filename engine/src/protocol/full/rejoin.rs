//! Entering by oneself at fidelity `full`: the client fetches the newest GroupInfo and the ratchet tree,
//! validates both as any joiner does, and makes an external commit, which removes its old leaf if it
//! has one.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use tls_codec::Size;

use super::{FullDraft, FullTreeKem};
use crate::crypto::Crypto;
use crate::group::{Entrant, Holdings, JoinError};
use crate::protocol::{
    ClientId, Draft, Entering, Joined, Opaque, Order, Protocol, ProtocolError, Seeds,
};
use crate::tree::LeafIndex;
use crate::treesync::{LeafNode, decode_tree_of, encode_tree};

impl<S: Seeds> FullTreeKem<S> {
    /// A member gives up its leaf for another.
    pub(super) fn enter_anew(
        &mut self,
        client: ClientId,
        now: u64,
    ) -> Result<Entering, ProtocolError> {
        let leaf = self.states.get(&client).and_then(|state| state.leaf);
        let leaf = leaf.ok_or(ProtocolError::NotAMember(client))?;
        let public = self.observer().ok_or(ProtocolError::EpochGone(0))?;
        let leaf_node = public.tree.leaf(leaf).ok_or(ProtocolError::NotAMember(client))?;
        let leaf_node = LeafNode::clone(leaf_node);
        self.enter_with(client, leaf_node, Some(leaf), now)
    }

    /// Somebody who is not in the group enters it, with a leaf like that of its key packages.
    pub(super) fn enter_by_link(
        &mut self,
        client: ClientId,
        now: u64,
    ) -> Result<Entering, ProtocolError> {
        if self.states.get(&client).is_some_and(|state| state.leaf.is_some()) {
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
        let publisher = self.publisher.ok_or(ProtocolError::NotAMember(client))?;
        let own = Crypto::new(self.provider);
        let member = self.published.as_ref().or_else(|| self.member(publisher));
        let info = member.ok_or(ProtocolError::NotAMember(publisher))?.group_info(&own, false)?;
        let tree = encode_tree(&self.observer().ok_or(ProtocolError::EpochGone(0))?.tree)?;
        let signer = self.clients.signer(self.provider, client);
        let number = self.clients.next_commit(client)?;
        let seed = self.clients.seeds().seed("commit", client.0.into(), number.into());
        let crypto = Crypto::new(self.provider);
        let decoded = decode_tree_of(self.clients.strategy(), &tree).map_err(JoinError::from)?;
        let (public, roster) = info.validate(&crypto, decoded)?;
        let external = info.external_key()?;
        let entrant = Entrant { leaf_node, signer: &signer, removing, psks: vec![] };
        let mut rng = ChaCha20Rng::from_seed(seed);
        let none = Holdings::default();
        let pending = public.enter(&crypto, &roster, &external, entrant, &none, &mut rng)?;
        let info_bytes = info.tls_serialized_len() as u64;
        Ok(Entering {
            fetched: info_bytes + tree.len() as u64,
            publisher,
            published: Joined { bytes: info_bytes, ledger: own.ledger() },
            draft: Draft {
                epoch: self.epoch(),
                leaf: pending.after.leaf,
                cost: pending.cost,
                ledger: crypto.ledger(),
                order: Order { by: client, adds: vec![], removes: vec![], now },
                inner: Opaque::new(FullDraft {
                    pending,
                    packages: vec![],
                    enters: Some(roster),
                    successor: None,
                    ghosts: vec![],
                }),
            },
        })
    }
}
