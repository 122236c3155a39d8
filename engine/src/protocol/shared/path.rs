//! The private half of an accepted commit: its path opened with every key that it was encrypted to,
//! and the private tree that comes of it.

use std::sync::Arc;

use rayon::prelude::*;

use super::{Invitation, PARALLEL_FROM, SharedTreeKem};
use crate::crypto::{Crypto, CryptoError, HpkeKeyPair, Secret};
use crate::group::{ApplyError, FollowError, NewGhost, Transition, TransitionPath};
use crate::protocol::private_tree::{PrivateTree, ProposedParent};
use crate::protocol::proposals::Proposals;
use crate::protocol::{ClientId, ProtocolError, Seeds};
use crate::strategy::Room;
use crate::tree::{OutsideTree, PathStep};
use crate::treekem::{Climb, NewPath, keys_above};
use crate::treesync::{AppliedPath, Move, ParentNode, RatchetData, RatchetTree, merge_paths};

impl<S: Seeds> SharedTreeKem<S> {
    /// Opens every ciphertext of a path once, as the members below each recipient would, and
    /// follows the path, or each chain of a set, to the commit secret. `private` has the commit's
    /// proposals in effect.
    pub(super) fn open_path(
        &self,
        crypto: &Crypto<'_>,
        private: &PrivateTree,
        transition: &Transition,
        path: &TransitionPath,
        sent: &NewPath,
    ) -> Result<(Secret, u32), ProtocolError> {
        let set = transition.refresh_set();
        let added = &transition.added;
        let keys = match &set {
            Some(set) => {
                let new = |at: usize| &sent.key_pairs[at];
                set.recipients(new, |child| private.resolution_without(child, added))?
            }
            None => private.recipients(&path.tree_before, transition.committer, added)?,
        };
        let numbered = keys.iter().enumerate().flat_map(|(node, keys)| {
            keys.iter().enumerate().map(move |(position, key)| (node, position, *key))
        });
        let openings: Vec<(usize, usize, &HpkeKeyPair)> = numbered.collect();
        let provider = self.provider;
        let open = |&(node, position, key): &(usize, usize, _)| {
            let crypto = Crypto::new(provider);
            let context = &path.provisional_context;
            let secret = path.update_path.open(&crypto, key, node, position, context)?;
            Ok::<_, CryptoError>(secret.0 == sent.secrets[node].0)
        };
        let opened: Result<Vec<bool>, _> = if openings.len() < PARALLEL_FROM {
            openings.iter().map(open).collect()
        } else {
            openings.par_iter().with_min_len(PARALLEL_FROM / 2).map(open).collect()
        };
        if !opened?.into_iter().all(|same| same) {
            return Err(ProtocolError::Check("members below one node learn other secrets".into()));
        }
        let count = openings.len() as u32;
        if let Some(set) = &set {
            let secret =
                path.update_path.derive_set(crypto, set, sent).map_err(FollowError::from)?;
            return Ok((secret, count));
        }
        let lowest = openings.first().map_or(0, |opening| opening.0);
        let Some(secret) = sent.secrets.get(lowest) else {
            return Ok((sent.commit_secret.clone(), 0));
        };
        let derived = path.update_path.derive(crypto, lowest, secret.clone());
        let derived = derived.map_err(FollowError::from)?;
        Ok((derived.commit_secret, count))
    }

    /// Opens every ciphertext of the covered paths that somebody needs, as the members below each recipient
    /// would, with the keys of the epoch in which they were proposed; and gives how many.
    pub(super) fn open_proposed(
        &self,
        transition: &Transition,
        proposals: &Proposals,
    ) -> Result<u32, ProtocolError> {
        let before = self.newest()?;
        let (tree, context) = (&before.public.tree, before.public.context.encoded());
        let crypto = Crypto::new(self.provider);
        let mut opened = 0;
        for AppliedPath { sender, path, .. } in &transition.applied.paths {
            let drawn = proposals.of(*sender).and_then(|proposed| proposed.path.as_ref());
            let drawn = drawn.ok_or(FollowError::OwnUpdate)?;
            let standing = keys_above(&transition.after.tree, *sender)?;
            let recipients = before.private.recipients(tree, *sender, &[])?;
            for (node, keys) in recipients.iter().enumerate() {
                if !standing.contains(&&path.nodes[node].encryption_key) {
                    break;
                }
                for (position, key) in keys.iter().enumerate() {
                    let secret = path.open(&crypto, key, node, position, &context)?;
                    if secret.0 != drawn.secrets[node].0 {
                        let told = "members below one node learn other secrets of a proposed path";
                        return Err(ProtocolError::Check(told.into()));
                    }
                    opened += 1;
                }
            }
        }
        Ok(opened)
    }

    /// The private tree once the proposals of a commit are in effect. `enters` is who joins by the
    /// commit itself.
    pub(super) fn proposed_private(
        &self,
        transition: &Transition,
        path: Option<&NewPath>,
        proposals: &Proposals,
        (invitations, enters): (&[Invitation], Option<ClientId>),
        ghosts: &[NewGhost],
    ) -> Result<PrivateTree, ProtocolError> {
        let before = self.newest()?;
        let mut private = before.private.clone();
        let mut public = before.public.tree.clone();
        merge_paths(&mut public, &transition.applied.paths)?;
        for applied in &transition.applied.paths {
            let own = &proposals.of(applied.sender).ok_or(FollowError::OwnUpdate)?.own;
            let trees = (&before.public.tree, &transition.after.tree);
            let parents = proposed_parents(applied, trees, &own.parents)?;
            private.set_proposed(applied.sender, own.leaf.clone(), &parents)?;
        }
        for leaf in &transition.applied.updated {
            let own = &proposals.of(*leaf).ok_or(FollowError::OwnUpdate)?.own;
            private.update(*leaf, own.leaf.clone())?;
        }
        for made in ghosts {
            private.update(made.proposal.ghost, made.key.clone())?;
        }
        let removal = public.shape().removal;
        let vacate = |private: &mut PrivateTree, leaf| {
            let path = public.direct_path(leaf)?;
            let goes = |parent: Option<&Arc<ParentNode>>| {
                parent.is_none_or(|parent| removal.strikes(&**parent, leaf))
            };
            let goes: Vec<bool> = path.iter().map(|step| goes(step.node.parent())).collect();
            private.remove(leaf, &goes)
        };
        for leaf in &transition.applied.removed {
            vacate(&mut private, *leaf)?;
        }
        if let (Some(Move { from, to }), Some(path)) = (transition.applied.moved, path) {
            let client = private.member(from).ok_or(ApplyError::UnknownSender)?.client;
            vacate(&mut private, from)?;
            private.add(&Room::indexed(to), client, path.leaf.clone())?;
        }
        private.compact();
        let keys = invitations.iter().map(|it| (it.client, it.secrets.encryption.clone()));
        let joins = enters.zip(path).map(|(client, path)| (client, path.leaf.clone()));
        for (room, (client, key)) in transition.applied.rooms.iter().zip(keys.chain(joins)) {
            private.add(room, client, key)?;
        }
        private.climb(transition.committer, transition.applied.climbed)?;
        Ok(private)
    }
}

/// What the parents above the sender of a covered path become, from the lowest; its key pairs are `keys`.
/// `before` is the tree that it was proposed in, `after` that of the next epoch.
fn proposed_parents(
    applied: &AppliedPath,
    (before, after): (&RatchetTree, &RatchetTree),
    keys: &[HpkeKeyPair],
) -> Result<Vec<ProposedParent>, OutsideTree> {
    let standing = keys_above(after, applied.sender)?;
    let mut keys = keys.iter();
    let steps = before.direct_path(applied.sender)?;
    let exclusive = steps.iter().take(applied.exclusive);
    let take = |step: &PathStep<'_, RatchetData>| {
        let key = if step.is_filtered_out() { None } else { keys.next() };
        ProposedParent { key: key.cloned(), climb: None }
    };
    let mut parents: Vec<ProposedParent> = exclusive.map(take).collect();
    // Who comes to one from elsewhere opens its secret there, and follows it to those above.
    let mut climb = Climb { followed: 0, opened: 1 };
    for parent in parents.iter_mut().rev() {
        if parent.key.as_ref().is_some_and(|key| standing.contains(&&key.public)) {
            parent.climb = Some(climb);
            climb.followed += 1;
        }
    }
    Ok(parents)
}

/// The private tree of the next epoch, from the one before the path.
pub(super) fn next_private(
    mut private: PrivateTree,
    transition: &Transition,
    path: Option<&NewPath>,
) -> Result<PrivateTree, ProtocolError> {
    if let Some((set, path)) = transition.refresh_set().zip(path) {
        private.refresh(transition.committer, path, &set)?;
    } else if let (Some(sent), Some(path)) = (&transition.path, path) {
        let steps = sent.tree_before.direct_path(transition.committer)?;
        let in_filter: Vec<bool> = steps.iter().map(|step| !step.is_filtered_out()).collect();
        private.set_path(transition.committer, path, &in_filter)?;
    }
    Ok(private)
}
