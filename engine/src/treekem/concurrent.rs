//! Concurrent updates, `proposals=paths`: members propose whole paths, and one commit covers those of an
//! epoch. After the idea of Auerbach, Cueto Noval, Erol and Pietrzak (CRYPTO 2025, eprint 2025/1035) that
//! proposers upload their paths and nothing is pruned; how keys that are replaced at the same time are put
//! together is our definition. It is research and no RFC 9420, whose path it takes over as it is.
//!
//! **What a client sends.** A proposal of a private-use type (0xf7e5, which every member must list) that
//! carries an `UpdatePath`: a fresh leaf, signed as that of an Update, and its sender's filtered direct path,
//! the path secrets encrypted to the resolutions of the copath in the tree of this epoch, bound to the
//! context of this epoch. A commit covers it by reference, never the committer's own, and has a path.
//!
//! **What members do.** Covered paths come into effect before the other proposals of their commit:
//!
//! * The leaf of each sender is replaced.
//! * A parent above exactly one of the senders is *exclusive* to it: it takes that sender's key, and its
//!   unmerged leaves are cleared; where the sender's path is filtered it is blank.
//! * A parent above two or more is where paths *meet*, and blank, and so are all above it.
//!
//! Then Updates blank, Removes blank, the committer moves where it does, Adds add, and the committer's path
//! is keyed, all of it as ever. So of the parents where paths meet those stay blank that are not above the
//! committer, until somebody keys them. Who is below an exclusive parent of another opens one ciphertext, where its
//! own path joins the sender's, and derives the keys from there up to the first that is in effect no more.
//!
//! **One path at most for each.** The exclusive parents above a member are all of one sender: of two parents
//! above it one is above the other, so the higher is above both their senders, and would be exclusive
//! to neither. And what is in effect of them is in one piece: what blanks or keys a parent anew, another path,
//! an Update, a Remove, the committer, does so with all above it. So one ciphertext is enough.
//!
//! **Why everybody heals.** Say that somebody has the states of all senders, of the committer, and of whoever is
//! updated or removed by the commit, as they were when the epoch began, and sees all that is sent. Then it
//! knows their leaf keys and keys of parents above them, and nothing else of the old tree.
//!
//! * Of a sender's path it can open what is encrypted to one of those: to a leaf of theirs, or to a parent above
//!   one. That is a copath of a parent above the sender and above one of the others. From there it derives what
//!   is above, and nothing below.
//! * That parent and all above it are above two senders, and blank; or above a sender and somebody updated
//!   or removed, and blanked for that (where removal=faster-remove keeps a parent it is one whose
//!   list of unmerged leaves has the one who goes, and exclusive parents have no such list); or above the
//!   committer, whose path keys them anew, or whose move blanks them. So no key that it has learned from a
//!   proposed path stands in the tree to which the commit's path is encrypted, but above the committer,
//!   and so on no copath of its.
//! * Nor do the old keys that it has: all of them stood above the leaf of somebody who heals or goes. So it opens no
//!   ciphertext of the commit, and has no key of the new tree.
//!
//! If the path of one sender won where two meet, the keys that the other is replacing would open it:
//! `protocol/healing.rs` looks for that after each commit, with every such state at once.
//!
//! **What it costs.** A path of a warm tree is log2 n ciphertexts, for each proposer and the committer. What
//! is blank where paths met costs later paths: about as many ciphertexts as there were proposers, at the top
//! of the tree. Sent apart, received and verified by everybody whether a commit covers them or not.
//!
//! **What it trades.** A sender does not know what its path is covered with, so parents have no parent
//! hashes: members check the keys above themselves as they derive them, and a joiner is left with the signed
//! tree hash, and believes the signer of its GroupInfo in what keys stand where. Nobody but those
//! below can tell whether a proposed path was encrypted as it should be: a sender that deceives some of them
//! keeps them from following the commit of another, who has done nothing wrong.
//!
//! Needs `removal=blank` or `faster-remove` (others refresh, or take out, what is to be blanked), and a tree whose
//! leaves stay where they are.

use super::private_keys::PrivateKeys;
use super::update_path::{PathError, addressed};
use crate::crypto::{Crypto, HpkeKeyPair, HpkePublicKey};
use crate::tree::{LeafIndex, OutsideTree};
use crate::treesync::{AppliedPath, RatchetTree};

/// The keys that a member gains by the covered paths of others, in effect in the tree `after` the commit,
/// from the lowest. `before` is the tree in which they were proposed, `context` that of its epoch.
pub(crate) fn keys_gained(
    crypto: &Crypto<'_>,
    applied: &[AppliedPath],
    (before, after): (&RatchetTree, &RatchetTree),
    member: LeafIndex,
    keys: &PrivateKeys,
    context: &[u8],
) -> Result<Vec<HpkeKeyPair>, PathError> {
    let Some(AppliedPath { sender, path, .. }) = path_for(applied, before, member)? else {
        return Ok(vec![]);
    };
    let steps = before.filtered_direct_path(*sender)?;
    let found = addressed(&steps, member, &[]).ok_or(PathError::NotForMe(member))?;
    let standing = keys_above(after, member)?;
    let in_effect = path.nodes.iter().skip(found.node);
    let in_effect = in_effect.take_while(|sent| standing.contains(&&sent.encryption_key)).count();
    if in_effect == 0 {
        return Ok(vec![]);
    }
    let key = keys.find(found.key).ok_or(PathError::NotForMe(member))?;
    let mut secret = path.open(crypto, key, found.node, found.position, context)?;
    let mut gained = Vec::with_capacity(in_effect);
    for node in found.node..found.node + in_effect {
        if node > found.node {
            secret = secret.next(crypto);
        }
        gained.push(path.checked_pair(crypto, node, &secret)?);
    }
    Ok(gained)
}

/// The one path with an exclusive parent above a member that is not its sender.
fn path_for<'a>(
    applied: &'a [AppliedPath],
    before: &RatchetTree,
    member: LeafIndex,
) -> Result<Option<&'a AppliedPath>, OutsideTree> {
    for found in applied.iter().filter(|applied| applied.sender != member) {
        let path = before.direct_path(found.sender)?;
        let highest = found.exclusive.checked_sub(1).and_then(|at| path.get(at));
        if highest.is_some_and(|step| step.node.contains(member)) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The public keys above a leaf.
pub(crate) fn keys_above(
    tree: &RatchetTree,
    leaf: LeafIndex,
) -> Result<Vec<&HpkePublicKey>, OutsideTree> {
    let path = tree.direct_path(leaf)?;
    let parents = path.iter().filter_map(|step| step.node.parent());
    Ok(parents.map(|parent| &parent.encryption_key).collect())
}
