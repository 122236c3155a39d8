//! What joiners learn and pay: each one's entry of the Welcome is opened, and what they all do
//! alike is done once and charged to each.

use rayon::prelude::*;
use tls_codec::Size;

use super::{Invitation, PARALLEL_FROM, SharedTreeKem};
use crate::codec::decode;
use crate::crypto::{Crypto, Ledger, Op};
use crate::group::{JoinError, OpenedWelcome, PendingCommit, PublicGroup};
use crate::protocol::{Joined, ProtocolError, Seeds};
use crate::tree::{Aggregates, LeafIndex};
use crate::treedem::MlsMessage;
use crate::treekem::{EncryptedGroupSecrets, PskStore, RefreshSet, Welcome};
use crate::treesync::count_parent_hash_checks;

impl<S: Seeds> SharedTreeKem<S> {
    /// Opens each new member's entry of the Welcome, checks what it is told, and says what
    /// joining takes of it.
    pub(super) fn welcome(
        &self,
        pending: &PendingCommit,
        set: Option<&RefreshSet<'_>>,
        invitations: &[Invitation],
        tree_bytes: u64,
        psks: &PskStore,
    ) -> Result<Vec<Joined>, ProtocolError> {
        let (Some(bytes), Some(first)) = (&pending.welcome, invitations.first()) else {
            return Ok(vec![]);
        };
        let MlsMessage::Welcome(welcome) = decode("an MLS message", bytes)? else {
            return Err(JoinError::NotAWelcome.into());
        };
        // What all joiners do alike: open the group info, validate the tree, run the schedule.
        let crypto = Crypto::new(self.provider);
        let (package, secrets) = (&first.package, &first.secrets);
        let opened = OpenedWelcome::open(&crypto, &welcome, package, secrets, psks)?;
        opened.epoch_secrets(&crypto)?;
        let public = &pending.after.public;
        let validation = validation_ledger(public, self.roster.ghosts());
        let common = crypto.ledger() + validation;
        let signer = public.tree.leaf(pending.after.leaf).ok_or(JoinError::UnknownSigner)?;
        let unpaid = Crypto::new(self.provider);
        opened.group_info.verify(&unpaid, &signer.signature_key).map_err(JoinError::from)?;
        // What is each joiner's own: its entry, and the part of the path it is told.
        let steps = public.tree.filtered_direct_path(pending.after.leaf)?;
        let info = welcome.encrypted_group_info.as_slice();
        let open =
            |((invitation, leaf), entry): ((&Invitation, &LeafIndex), &EncryptedGroupSecrets)| {
                let crypto = Crypto::new(self.provider);
                let told =
                    entry.open(&crypto, &invitation.secrets.init, info).map_err(JoinError::from)?;
                let path = pending.path.as_ref();
                let (expected, deriving) = match set.zip(path) {
                    Some((set, path)) => (path.told(set, *leaf)?, self.deriving(set, *leaf)),
                    None => {
                        let node = steps.iter().position(|step| step.node.contains(*leaf));
                        let expected = node.and_then(|node| path?.secrets.get(node));
                        let nodes = expected.and(node).map_or(0, |node| steps.len() - node);
                        let expected = expected.map(|secret| secret.0.clone());
                        (expected, self.per_node * nodes as u64)
                    }
                };
                if told.joiner_secret != pending.joiner.0 || told.path_secret != expected {
                    return Err(ProtocolError::Check(
                        "a Welcome tells a joiner other secrets".into(),
                    ));
                }
                Ok(Joined {
                    bytes: single_welcome_length(&welcome, entry) + tree_bytes,
                    ledger: common + deriving,
                })
            };
        let joiners = invitations.par_iter().zip(&pending.applied.added).zip(&welcome.secrets);
        joiners.with_min_len(PARALLEL_FROM / 2).map(open).collect()
    }

    /// What a joiner derives from the chains of a set that it is told: every key, and one secret
    /// less for each chain.
    fn deriving(&self, set: &RefreshSet<'_>, leaf: LeafIndex) -> Ledger {
        let chains = set.chains(leaf);
        let entered = chains.len() as u64;
        let parents: u64 = chains.iter().map(|(_, parents)| u64::from(*parents)).sum();
        self.per_node * (parents - entered) + self.per_key * entered
    }
}

/// What validating a tree from outside takes: every node hashed, every parent hash checked,
/// every leaf's signature and the group info's verified, of `ghosts` two.
pub(super) fn validation_ledger(public: &PublicGroup, ghosts: u64) -> Ledger {
    let tree = &public.tree;
    let Aggregates { width, keyed_parents, blank_parents, .. } = *tree.aggregates();
    let nodes = u64::from(width) + u64::from(keyed_parents) + u64::from(blank_parents);
    let mut ledger = Ledger::default();
    // One more hash continues the transcript.
    ledger.charge(Op::Hash, nodes + count_parent_hash_checks(tree) + 1);
    ledger.charge(Op::Verify, u64::from(tree.members()) + ghosts + 1);
    ledger
}

/// The length of a Welcome message cut down to one entry: what the Delivery Service hands to
/// one joiner.
pub(in crate::protocol) fn single_welcome_length(
    welcome: &Welcome,
    entry: &EncryptedGroupSecrets,
) -> u64 {
    let entry = entry.tls_serialized_len();
    let header = if entry < 0x40 { 1 } else { 2 };
    (4 + 2 + header + entry + welcome.encrypted_group_info.tls_serialized_len()) as u64
}
