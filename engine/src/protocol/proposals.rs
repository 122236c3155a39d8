//! The Updates and paths that members have proposed in one epoch (RFC 9420 §12.1.2,
//! `treekem/concurrent`), in the order of their sending. Everybody in the epoch receives all of them, whether a commit covers them or not.

use std::collections::BTreeSet;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::{ClientId, Joined, Order, ProtocolError, Seeds};
use crate::crypto::{Crypto, Digest, Provider};
use crate::group::{
    ApplyError, FollowError, Holdings, Member, MembershipProof, OwnUpdate, ProposalStore,
    ProposedUpdate, PublicGroup,
};
use crate::tree::LeafIndex;
use crate::treekem::{EpochSecrets, NewPath};
use crate::treesync::ProposalError;

/// What a member proposes in order to renew its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renewal {
    /// A fresh leaf.
    Update,
    /// A whole path.
    Path,
}

/// The Updates and paths of one epoch.
#[derive(Clone, Debug, Default)]
pub(super) struct Proposals {
    sent: Vec<(ClientId, ProposedUpdate)>,
}

/// The same, received and checked in public.
#[derive(Debug, Default)]
pub(super) struct Received {
    pub(super) store: ProposalStore,
    proofs: Vec<MembershipProof>,
}

impl Received {
    /// What only members can check.
    pub(super) fn check_membership(
        &self,
        crypto: &Crypto<'_>,
        secrets: &EpochSecrets,
    ) -> Result<(), FollowError> {
        self.proofs.iter().try_for_each(|proof| proof.verify(crypto, secrets, None))
    }
}

impl Proposals {
    pub(super) fn push(&mut self, client: ClientId, update: ProposedUpdate) {
        self.sent.push((client, update));
    }

    /// The proposal by which a client renews its keys, once an epoch and in the newest, which is `epoch`;
    /// and what it takes and sends.
    pub(super) fn propose(
        &self,
        provider: &dyn Provider,
        seeds: &impl Seeds,
        renewal: Renewal,
        (client, member, view): (ClientId, &Member, u64),
        epoch: u64,
    ) -> Result<(ProposedUpdate, Joined), ProtocolError> {
        if view != epoch || self.sent.iter().any(|(sender, _)| *sender == client) {
            let problem = format!("{client} has proposed in this epoch, or is not in it");
            return Err(ProtocolError::Check(problem));
        }
        let crypto = Crypto::new(provider);
        let rng = |domain| ChaCha20Rng::from_seed(seeds.seed(domain, client.0.into(), epoch));
        let update = match renewal {
            Renewal::Update => member.propose_update(&crypto, &mut rng("update"))?,
            Renewal::Path if member.public.tree.shape().concurrent => {
                member.propose_path(&crypto, &mut rng("path"))?
            }
            Renewal::Path => return Err(ApplyError::from(ProposalError::NoPaths).into()),
        };
        let bytes = update.message.len() as u64;
        Ok((update, Joined { bytes, ledger: crypto.ledger() }))
    }

    /// The length of all messages.
    pub(super) fn bytes(&self) -> u64 {
        self.sent.iter().map(|(_, update)| update.message.len() as u64).sum()
    }

    /// The leaves of those who have proposed.
    pub(super) fn senders(&self) -> BTreeSet<LeafIndex> {
        self.sent.iter().filter_map(|(_, update)| update.stored.sender).collect()
    }

    /// What a commit refers to: all but its sender's own, and those of members that it removes, or
    /// makes the keys of.
    pub(super) fn references(&self, order: &Order, ghosts: &[ClientId]) -> Vec<Digest> {
        let others = self
            .sent
            .iter()
            .filter(|(client, _)| *client != order.by && !order.removes.contains(client))
            .filter(|(client, _)| !ghosts.contains(client));
        others.map(|(_, update)| update.stored.reference).collect()
    }

    /// What the member at a leaf has proposed.
    pub(super) fn of(&self, leaf: LeafIndex) -> Option<&ProposedUpdate> {
        let mut sent = self.sent.iter();
        let found = sent.find(|(_, update)| update.stored.sender == Some(leaf));
        found.map(|(_, update)| update)
    }

    /// The private halves of what a client has proposed.
    pub(super) fn own(&self, client: ClientId) -> impl Iterator<Item = &OwnUpdate> {
        let own = self.sent.iter().filter(move |(sender, _)| *sender == client);
        own.map(|(_, update)| &update.own)
    }

    /// The paths that were drawn, and by whom.
    pub(super) fn drawn(&self) -> impl Iterator<Item = (ClientId, &NewPath)> {
        self.sent.iter().filter_map(|(client, update)| Some((*client, update.path.as_ref()?)))
    }

    /// What anybody does who receives them: checks them in public and keeps them.
    pub(super) fn receive(
        &self,
        crypto: &Crypto<'_>,
        public: &PublicGroup,
    ) -> Result<Received, ProtocolError> {
        let mut received = Received::default();
        for (_, update) in &self.sent {
            let (stored, proof) = public.receive_proposal(crypto, &update.message)?;
            let kept = received.store.insert(stored);
            kept.map_err(|error| ProtocolError::Check(error.to_string()))?;
            received.proofs.push(proof);
        }
        Ok(received)
    }

    /// What a member holds that has received them, and may be among their senders.
    pub(super) fn holdings(
        &self,
        crypto: &Crypto<'_>,
        public: &PublicGroup,
        secrets: &EpochSecrets,
        client: ClientId,
    ) -> Result<Holdings, ProtocolError> {
        let received = self.receive(crypto, public)?;
        received.check_membership(crypto, secrets)?;
        Ok(Holdings {
            proposals: received.store,
            updates: self.own(client).cloned().collect(),
            ..Holdings::default()
        })
    }
}
