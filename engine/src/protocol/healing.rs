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
use crate::treesync::{RatchetTree, Roster, keys_held};

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
        known.extend(keys_held(before, *leaf)?);
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

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::super::clients::Clients;
    use super::super::plain_seeds::Plain;
    use super::super::proposals::{Proposals, Renewal};
    use super::super::{ClientId, Order};
    use super::*;
    use crate::crypto::{CountingProvider, Crypto};
    use crate::group::{CommitRequest, Founding, Member, Protection};
    use crate::strategy::Strategy;
    use crate::treesync::{Proposal, RosterChange, merge_paths};

    /// A group of four, the first of whom has added the others; the first two propose paths, which meet right
    /// above them, and the last commits. What was before, the commit, and the roster after it.
    fn round() -> (RatchetTree, Transition, Roster) {
        let provider = &CountingProvider;
        let crypto = Crypto::new(provider);
        let strategy = Strategy::parse("concurrent-2025").unwrap();
        let mut clients = Clients::new(Plain, strategy);
        let ids = || (0..4).map(ClientId);
        ids().for_each(|client| _ = clients.register(provider, client, 1).unwrap());
        let package = |client| clients.package(&crypto, client, 0).unwrap();
        let (own, secrets) = package(ClientId(0));
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let extensions = strategy.extension().unwrap().into_iter().collect();
        let founding = Founding { group_id: vec![1], extensions };
        let signer = |client| clients.signer(provider, client);
        let first =
            Member::create_with(&crypto, signer(ClientId(0)), &own, &secrets, founding, &mut rng);
        let first = first.unwrap();
        let roster = Roster::of(&first.public.tree).unwrap();
        let adds = ids().skip(1).map(|client| Proposal::Add(package(client).0));
        let proposals = adds.collect();
        let request = CommitRequest { proposals, path: true, now: 1, ..Default::default() };
        let pending = first.commit(&crypto, &roster, request, &mut rng).unwrap();
        let welcome = pending.welcome.as_ref().unwrap();
        let join = |client| {
            let (package, secrets) = package(client);
            let tree = Some(pending.after.public.tree.clone());
            Member::join(&crypto, welcome, tree, signer(client), &package, &secrets).unwrap()
        };
        let (second, _) = join(ClientId(1));
        let (last, mut roster) = join(ClientId(3));
        let mut proposals = Proposals::default();
        for (client, member) in [(ClientId(0), &pending.after), (ClientId(1), &second)] {
            let by = (client, member, 1);
            let (sent, _) = proposals.propose(provider, &Plain, Renewal::Path, by, 1).unwrap();
            proposals.push(client, sent);
        }
        let order = Order { by: ClientId(3), adds: vec![], removes: vec![], now: 1 };
        let references = proposals.references(&order, &[]);
        let request = CommitRequest { references, path: true, now: 1, ..Default::default() };
        let held = proposals.holdings(&crypto, &last.public, &last.secrets, order.by).unwrap();
        let plain = Protection::Public;
        let made = last.commit_with(&crypto, &roster, request, &held, plain, &mut rng).unwrap();
        let received = &held.proposals;
        let seen = last.public.apply_with(&crypto, &roster, received, &made.message).unwrap();
        roster.advance(&seen.roster_changes);
        (last.public.tree, seen, roster)
    }

    fn told(refused: Result<u32, ProtocolError>) -> String {
        refused.unwrap_err().to_string()
    }

    #[test]
    fn those_who_propose_and_commit_heal() {
        let (before, transition, roster) = round();
        assert_eq!(check_healed(&before, &transition, &roster).unwrap(), 3);
        let mut plain = transition;
        plain.applied.paths.clear();
        assert_eq!(check_healed(&before, &plain, &roster).unwrap(), 0, "nothing was proposed");
    }

    #[test]
    fn a_key_that_a_thief_learns_is_seen() {
        let (before, transition, mut roster) = round();
        // Where the paths meet, the first one's key.
        let key = transition.applied.paths[0].path.nodes[0].encryption_key.clone();
        roster.advance(&[RosterChange::ParentIn(key)]);
        let told = told(check_healed(&before, &transition, &roster));
        assert!(told.contains("knows a key of the new tree"), "{told}");
    }

    #[test]
    fn an_old_key_that_is_left_is_seen() {
        let (before, transition, mut roster) = round();
        let key = before.leaf(LeafIndex(1)).unwrap().encryption_key.clone();
        roster.advance(&[RosterChange::ParentIn(key)]);
        let told = told(check_healed(&before, &transition, &roster));
        assert!(told.contains("knows a key of the new tree"), "{told}");
    }

    /// The first proposer wins where two meet.
    #[test]
    fn a_ciphertext_that_a_thief_opens_is_seen() {
        let (before, mut transition, roster) = round();
        let mut wins = transition.applied.paths.clone();
        wins[0].exclusive = 1;
        wins.reverse();
        let path = transition.path.as_mut().unwrap();
        merge_paths(&mut path.tree_before, &wins).unwrap();
        let told = told(check_healed(&before, &transition, &roster));
        assert!(told.contains("opens the path of the commit"), "{told}");
    }
}
