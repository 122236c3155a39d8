//! Which parents a commit refreshes: one walk down the paths of the leaves that it touches, and to
//! what their owners have tainted.

use smallvec::SmallVec;

use super::{Child, Refreshed};
use crate::tree::{LeafIndex, Place, Subtree};
use crate::treesync::{AppliedProposals, RatchetData, RatchetTree, is_tainted, may_be_tainted};

/// How a commit touches a leaf.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Touch {
    Commits,
    Joins,
    Updates,
    Leaves,
}

/// The parents that a commit refreshes.
pub(super) fn find<'t>(
    tree: &'t RatchetTree,
    committer: LeafIndex,
    applied: &AppliedProposals,
) -> Vec<Refreshed<'t>> {
    let AppliedProposals { added, removed, updated, .. } = applied;
    let touches = [
        (std::slice::from_ref(&committer), Touch::Commits),
        (added, Touch::Joins),
        (updated, Touch::Updates),
        (removed, Touch::Leaves),
    ];
    let touched = touches.iter().flat_map(|(leaves, touch)| leaves.iter().map(|l| (*l, *touch)));
    let touched: Vec<_> = touched.collect();
    let outdated = touched.iter().filter(|(_, touch)| *touch != Touch::Joins);
    let mut tainters: Vec<_> = outdated.map(|(leaf, _)| *leaf).collect();
    tainters.sort_unstable();
    let mut walk = Walk { tainters, nodes: vec![] };
    walk.visit(tree.root(), &touched);
    walk.nodes
}

/// The walk that finds a set.
struct Walk<'t> {
    tainters: Vec<LeafIndex>,
    nodes: Vec<Refreshed<'t>>,
}

impl<'t> Walk<'t> {
    /// Where a subtree's top stands in the set, if it does. `touched` are leaves, of which some may
    /// be below.
    fn visit(
        &mut self,
        at: Subtree<'t, RatchetData>,
        touched: &[(LeafIndex, Touch)],
    ) -> Option<usize> {
        let below = touched.iter().copied().filter(|(leaf, _)| at.contains(*leaf));
        let below: SmallVec<[_; 4]> = below.collect();
        let has_children = matches!(at.place(), Place::Parent(_));
        if !has_children || below.is_empty() && !may_be_tainted(at, &self.tainters) {
            return None;
        }
        let mut has_source = false;
        let mut children: SmallVec<[Child<'t>; 2]> = SmallVec::new();
        for child in at.children() {
            let child = match self.visit(child, &below) {
                Some(at) if !has_source => Child::Source(at),
                Some(at) if all_join(child, &below) => Child::Told(at),
                Some(at) => Child::Refreshed(at),
                None => without_secret(child, &below),
            };
            has_source |= matches!(child, Child::Source(_) | Child::Own);
            children.push(child);
        }
        let renews = |(_, touch): &(_, Touch)| *touch != Touch::Leaves;
        let outdated = at
            .parent()
            .is_some_and(|parent| !below.is_empty() || is_tainted(parent, &self.tainters));
        let above = children.iter().any(|child| child.refreshed().is_some());
        if !outdated && !above && !below.iter().any(renews) {
            return None;
        }
        self.nodes.push(Refreshed { node: at, children });
        Some(self.nodes.len() - 1)
    }
}

/// Whether somebody joins below a child, and nobody else is there but the committer.
fn all_join(child: Subtree<'_, RatchetData>, touched: &[(LeafIndex, Touch)]) -> bool {
    let count = |wanted| {
        let leaves = touched.iter().filter(|(_, touch)| *touch == wanted);
        leaves.filter(|(leaf, _)| child.contains(*leaf)).count() as u32
    };
    let joining = count(Touch::Joins);
    joining > 0 && child.aggregates().members == joining + count(Touch::Commits)
}

/// A child that is not refreshed itself, below which are these touched leaves or some of them.
fn without_secret<'t>(
    child: Subtree<'t, RatchetData>,
    touched: &[(LeafIndex, Touch)],
) -> Child<'t> {
    let is = |wanted| {
        let mut leaves = touched.iter().filter(|(_, touch)| *touch == wanted);
        leaves.any(|(leaf, _)| child.contains(*leaf))
    };
    match child.place() {
        Place::Leaf(_) if is(Touch::Commits) => Child::Own,
        Place::Leaf(_) if is(Touch::Joins) => Child::Joins,
        _ => Child::Stays(child),
    }
}
