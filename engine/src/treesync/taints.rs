//! Who has tainted which parents (`treekem/refresh.rs`), read off the tree. Each subtree caches the
//! tainters below it as long as they are few, so that a search goes down to what it looks for, and
//! through the top of the tree, a node or two for each [`FEW`] tainters.

use super::ratchet_tree::{ParentNode, RatchetData, RatchetTree};
use super::validate::TreeError;
use crate::crypto::Digest;
use crate::tree::{LeafIndex, Place, Subtree};

/// As many tainters as a subtree lists.
const FEW: usize = 256;

/// The tainters in a subtree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tainters {
    /// All of them, ascending.
    Few(Box<[LeafIndex]>),
    /// Too many to list.
    Many,
}

impl Tainters {
    fn of(subtree: Subtree<'_, RatchetData>) -> Self {
        let mut all: Vec<_> = subtree.parent().and_then(|it| it.tainted_by).into_iter().collect();
        for child in subtree.children() {
            match cached(child) {
                Self::Few(below) => all.extend(below),
                Self::Many => return Self::Many,
            }
        }
        all.sort_unstable();
        all.dedup();
        if all.len() <= FEW { Self::Few(all.into()) } else { Self::Many }
    }
}

fn cached(subtree: Subtree<'_, RatchetData>) -> &Tainters {
    subtree.cache().tainters.get_or_init(|| Tainters::of(subtree))
}

/// Whether a subtree may have a parent that one of these members, ascending, has tainted; `false`
/// is certain.
pub(crate) fn may_be_tainted(subtree: Subtree<'_, RatchetData>, tainters: &[LeafIndex]) -> bool {
    match cached(subtree) {
        // The shorter list is gone through: a commit may remove many.
        Tainters::Few(few) if few.len() < tainters.len() => {
            few.iter().any(|tainter| tainters.binary_search(tainter).is_ok())
        }
        Tainters::Few(few) => tainters.iter().any(|tainter| few.binary_search(tainter).is_ok()),
        Tainters::Many => true,
    }
}

/// Whether one of these members, ascending, has tainted a parent.
pub(crate) fn is_tainted(parent: &ParentNode, tainters: &[LeafIndex]) -> bool {
    parent.tainted_by.is_some_and(|tainter| tainters.binary_search(&tainter).is_ok())
}

/// The parents that a member has tainted.
pub fn tainted_by(tree: &RatchetTree, member: LeafIndex) -> Vec<&ParentNode> {
    let mut found = vec![];
    collect(tree.root(), &[member], &mut found);
    found
}

fn collect<'t>(
    subtree: Subtree<'t, RatchetData>,
    tainters: &[LeafIndex],
    found: &mut Vec<&'t ParentNode>,
) {
    if may_be_tainted(subtree, tainters) {
        let own = subtree.parent().filter(|parent| is_tainted(parent, tainters));
        found.extend(own.map(AsRef::as_ref));
        subtree.children().for_each(|child| collect(child, tainters, found));
    }
}

/// What a joiner can check of a tree whose parents are tainted: every parent above a member has a
/// key and no unmerged leaf, no parent hash says what nobody has signed, and a tainter is a member
/// who is not below.
pub(super) fn verify_taints(tree: &RatchetTree) -> Result<(), TreeError> {
    if tree.shape().taints() { verify_below(tree, tree.root()) } else { Ok(()) }
}

fn verify_below(tree: &RatchetTree, subtree: Subtree<'_, RatchetData>) -> Result<(), TreeError> {
    match subtree.place() {
        Place::Parent(None) if subtree.aggregates().members > 0 => {
            return Err(TreeError::Tainted("a parent above a member has no key"));
        }
        Place::Parent(Some(parent)) => {
            if !parent.unmerged_leaves.is_empty() {
                return Err(TreeError::Tainted("a parent lists an unmerged leaf"));
            }
            if parent.parent_hash != Digest::EMPTY {
                return Err(TreeError::Tainted("a parent has a parent hash"));
            }
            if let Some(tainter) = parent.tainted_by
                && (subtree.contains(tainter) || tree.leaf(tainter).is_none())
            {
                return Err(TreeError::Tainted("a tainter is below, or no member"));
            }
        }
        _ => {}
    }
    subtree.children().try_for_each(|child| verify_below(tree, child))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::strategy::Strategy;

    /// Every parent that somebody has tainted, one by one.
    fn all<'t>(subtree: Subtree<'t, RatchetData>, found: &mut Vec<&'t ParentNode>) {
        found.extend(subtree.parent().map(AsRef::as_ref).filter(|it| it.tainted_by.is_some()));
        subtree.children().for_each(|child| all(child, found));
    }

    fn key(tree: &mut RatchetTree, above: u32, numbers: &mut impl Iterator<Item = u64>) {
        let tainters = 2 * tree.width();
        tree.edit(LeafIndex(above), &mut |leaf| leaf, &mut |_, parent| {
            let number = numbers.next().unwrap_or_default();
            let tainter = LeafIndex((number >> 33) as u32 % tainters);
            *parent = Some(Arc::new(ParentNode {
                encryption_key: number.to_be_bytes().to_vec().into(),
                parent_hash: Digest::EMPTY,
                unmerged_leaves: vec![],
                tainted_by: (!number.is_multiple_of(4)).then_some(tainter),
            }));
        })
        .unwrap();
    }

    /// What the caches leave out of a search is not there, whatever has changed since they were
    /// filled.
    #[test]
    fn a_search_finds_what_is_there() {
        let lcg = |n: &u64| Some(n.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1));
        let mut numbers = std::iter::successors(Some(7), lcg);
        let mut tree = RatchetTree::new(Strategy::parse("tainted-2021").unwrap());
        while tree.width() < 2048 {
            tree.extend();
        }
        (0..tree.width()).step_by(2).for_each(|leaf| key(&mut tree, leaf, &mut numbers));
        for round in 0..50 {
            let mut expected = vec![];
            all(tree.root(), &mut expected);
            for member in (0..2 * tree.width()).step_by(37).map(LeafIndex) {
                let of_member = expected.iter().filter(|it| it.tainted_by == Some(member));
                assert_eq!(tainted_by(&tree, member), of_member.copied().collect::<Vec<_>>());
            }
            assert_eq!(*cached(tree.root()), Tainters::Many);
            key(&mut tree, round * 41 % 2048, &mut numbers);
        }
    }
}
