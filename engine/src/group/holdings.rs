//! What a member holds beside its state of the group and may need for the next commit: the
//! proposals it has received in this epoch (RFC 9420 §12.1), pre-shared keys (§8.4), and the
//! private halves of the Updates and paths that it has proposed.

use std::collections::{BTreeMap, BTreeSet};

use crate::codec::encode;
use crate::crypto::{Digest, HpkeKeyPair, HpkePublicKey, SignatureKeyPair};
use crate::tree::LeafIndex;
use crate::treekem::PskStore;
use crate::treesync::{MAX_PATHS, Proposal};

/// How many proposals of one epoch are kept: what somebody who may propose can make a member
/// store.
pub const MAX_PROPOSALS: usize = 1 << 16;

/// A proposal that was received, under its reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredProposal {
    /// `ProposalRef`.
    pub reference: Digest,
    /// The member who sent it; nobody if it came from outside the group.
    pub sender: Option<LeafIndex>,
    /// The proposal.
    pub proposal: Proposal,
}

/// The proposals of one epoch, in the order of their arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProposalStore {
    entries: Vec<StoredProposal>,
    by_reference: BTreeMap<Digest, usize>,
}

/// More proposals than are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {MAX_PROPOSALS} proposals in one epoch")]
pub struct TooManyProposals;

impl ProposalStore {
    /// Puts one in; a second time changes nothing.
    pub fn insert(&mut self, stored: StoredProposal) -> Result<(), TooManyProposals> {
        if self.by_reference.contains_key(&stored.reference) {
            return Ok(());
        }
        if self.entries.len() >= MAX_PROPOSALS {
            return Err(TooManyProposals);
        }
        self.by_reference.insert(stored.reference, self.entries.len());
        self.entries.push(stored);
        Ok(())
    }

    /// The proposal of a reference.
    pub fn find(&self, reference: &Digest) -> Option<&StoredProposal> {
        self.by_reference.get(reference).map(|at| &self.entries[*at])
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &StoredProposal> {
        self.entries.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Forgets all, at the end of the epoch.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Those that `committer` can commit together, as RFC 9420 §12.2 and §12.4 advise: a Remove
    /// before Updates of the same leaf, the newest of several Updates, other proposals before a
    /// ReInit; none that is about the committer itself, and no key that is not held.
    pub fn choose(&self, committer: LeafIndex, psks: &PskStore) -> Vec<&StoredProposal> {
        let (mut removed, mut extensions) = (BTreeSet::new(), false);
        // Encoded: two that are equal cannot be committed together, whoever sent them.
        let mut seen = BTreeSet::new();
        let mut is_new = |proposal: &Proposal| encode(proposal).is_ok_and(|it| seen.insert(it));
        let mut chosen: Vec<&StoredProposal> = vec![];
        for stored in &self.entries {
            let take = match &stored.proposal {
                Proposal::Remove(leaf) => *leaf != committer && removed.insert(*leaf),
                Proposal::PreSharedKey(id) => {
                    psks.find(&id.psk_type).is_some() && is_new(&stored.proposal)
                }
                Proposal::Add(_) => is_new(&stored.proposal),
                Proposal::Update(_) | Proposal::Path(_) => {
                    stored.sender.is_some_and(|sender| sender != committer)
                }
                Proposal::GroupContextExtensions(_) => !std::mem::replace(&mut extensions, true),
                Proposal::ExternalInit(_) | Proposal::Quarantine(_) => false,
                Proposal::ReInit(_) | Proposal::Custom(..) => true,
            };
            if take {
                chosen.push(stored);
            }
        }
        let (mut updated, mut paths) = (BTreeSet::new(), 0);
        let mut newest = chosen.into_iter().rev().filter(|stored| match stored.proposal {
            Proposal::Update(_) | Proposal::Path(_) => {
                let is_path = matches!(stored.proposal, Proposal::Path(_));
                if is_path && paths == MAX_PATHS {
                    return false;
                }
                let taken = stored
                    .sender
                    .is_some_and(|sender| !removed.contains(&sender) && updated.insert(sender));
                paths += usize::from(taken && is_path);
                taken
            }
            _ => true,
        });
        let mut chosen: Vec<_> = newest.by_ref().collect();
        chosen.reverse();
        if chosen.len() > 1 {
            let ordinary =
                |stored: &&StoredProposal| !matches!(stored.proposal, Proposal::ReInit(_));
            if chosen.iter().any(ordinary) {
                chosen.retain(ordinary);
            } else {
                chosen.truncate(1);
            }
        }
        chosen
    }
}

/// The private half of an Update that was proposed, or of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnUpdate {
    /// The leaf's new key pair.
    pub leaf: HpkeKeyPair,
    /// Those of the path's nodes, from the lowest; none of an Update.
    pub parents: Vec<HpkeKeyPair>,
    /// The signature key pair that the new leaf names.
    pub signer: SignatureKeyPair,
}

/// What a member holds beside its state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Proposals received in this epoch.
    pub proposals: ProposalStore,
    /// Pre-shared keys.
    pub psks: PskStore,
    /// Its own Updates and paths of this epoch.
    pub updates: Vec<OwnUpdate>,
}

impl Holdings {
    /// The private half of an own Update, by the leaf's public key.
    pub fn update(&self, key: &HpkePublicKey) -> Option<&OwnUpdate> {
        self.updates.iter().find(|update| update.leaf.public == *key)
    }

    /// Forgets what belongs to an epoch that has ended.
    pub fn end_epoch(&mut self) {
        self.proposals.clear();
        self.updates.clear();
    }
}
