//! Who heals by a commit that covers proposed paths, heals (`treekem/concurrent`): somebody has the states of
//! all who do, and of all who are removed, as they were when the epoch began, and has seen every proposal. Of
//! the new tree it must have no key, and of the commit's path it must open nothing, so that it cannot derive
//! the secrets of the epoch.
//!
//! One thief with all states at once is enough: with fewer it knows less.

use std::collections::BTreeSet;

use super::ProtocolError;
use crate::crypto::HpkePublicKey;
use crate::group::Transition;
use crate::tree::{LeafIndex, OutsideTree};
use crate::treekem::{key_of, recipients};
use crate::treesync::{RatchetTree, Roster};

/// Checks a commit; `before` is the tree of the epoch in which it was made, `roster` that of the one that it
/// leads to. Gives how many states were stolen; none where no path was proposed.
pub(super) fn check_healed(
    before: &RatchetTree,
    transition: &Transition,
    roster: &Roster,
) -> Result<u32, ProtocolError> {
    let applied = &transition.applied;
    if applied.paths.is_empty() {
        return Ok(0);
    }
    let committer = applied.moved.map_or(transition.committer, |moved| moved.from);
    let senders = applied.paths.iter().map(|path| path.sender);
    let others = applied.updated.iter().chain(&applied.removed).copied();
    let stolen: Vec<LeafIndex> = senders.chain(others).chain([committer]).collect();
    let known = known_to_thief(before, transition, &stolen)?;
    if known.iter().any(|key| roster.has_encryption_key(key)) {
        return Err(ProtocolError::Check(
            "who had been broken into knows a key of the new tree".into(),
        ));
    }
    if opens_path(transition, &known)? {
        let told = "who had been broken into opens the path of the commit that heals";
        return Err(ProtocolError::Check(told.into()));
    }
    Ok(stolen.len() as u32)
}

/// The keys whose private halves somebody has who has stolen the states of these members, and opens of the
/// proposed paths what it can.
fn known_to_thief<'k>(
    before: &'k RatchetTree,
    transition: &'k Transition,
    stolen: &[LeafIndex],
) -> Result<BTreeSet<&'k HpkePublicKey>, OutsideTree> {
    let mut known = BTreeSet::new();
    for leaf in stolen {
        known.extend(before.leaf(*leaf).map(|leaf| &leaf.encryption_key));
        let path = before.direct_path(*leaf)?;
        let parents = path.iter().filter_map(|step| step.node.parent());
        let merged = parents.filter(|it| it.unmerged_leaves.binary_search(leaf).is_err());
        known.extend(merged.map(|parent| &parent.encryption_key));
    }
    // All are encrypted to keys of the old tree, so what one of them gives opens no other.
    let mut learned = vec![];
    for applied in &transition.applied.paths {
        let steps = before.filtered_direct_path(applied.sender)?;
        let opens = |step| recipients(step, &[]).iter().any(|entry| known.contains(key_of(entry)));
        let lowest = steps.iter().position(opens).unwrap_or(steps.len());
        learned.extend(applied.path.nodes.iter().skip(lowest).map(|sent| &sent.encryption_key));
    }
    known.extend(learned);
    Ok(known)
}

/// Whether a ciphertext of the commit's own path is for one of these keys.
fn opens_path(
    transition: &Transition,
    known: &BTreeSet<&HpkePublicKey>,
) -> Result<bool, OutsideTree> {
    let Some(path) = &transition.path else { return Ok(false) };
    let steps = path.tree_before.filtered_direct_path(transition.committer)?;
    let is_for = |step| {
        let entries = recipients(step, &transition.added);
        entries.iter().any(|entry| known.contains(key_of(entry)))
    };
    Ok(steps.iter().any(is_for))
}
