//! Trees balanced by weight: no child has more than a percentage of its parent's leaves. Newcomers go to
//! the lighter side; where a leaf goes its sibling takes their parent's place; then the parents above
//! are balanced, from the lowest.
//!
//! `weight-balanced` (Nievergelt, Reingold, 1973): the heavier child is taken apart, and the lighter of its
//! two children joined with the light one. Leaves have no order to keep, so this one kind of
//! rotation is enough from 67 % on: with shares h₁ ≥ h₂ of the heavy child, h₁ is at most the percentage
//! of it, and what is left at most 1 − h/2 ≤ the percentage. O(log n) a change.
//!
//! `scapegoat` (Galperin, Rivest, 1993): the parent and all below is built anew, perfectly: O(log n)
//! amortised, and every key below is gone.

use smallvec::smallvec;

use super::builder::{Builder, Link};
use super::{Form, splice};
use crate::tree::TreeData;
use crate::tree::node::{Children, Node};

/// The percentages for which a rotation restores the balance, and trees of a million leaves
/// stay within `MAX_HEIGHT`.
pub const PERCENTAGES: std::ops::RangeInclusive<u8> = 67..=75;

fn weight<D: TreeData>(node: &Node<D>) -> u64 {
    node.aggregates().width.into()
}

fn is_balanced<D: TreeData>(percent: u8, one: &Node<D>, other: &Node<D>) -> bool {
    let (one, other) = (weight(one), weight(other));
    one.max(other) * 100 <= u64::from(percent) * (one + other)
}

pub(super) fn attach<D: TreeData>(
    builder: &mut Builder<'_, D>,
    form: Form,
    node: &Link<D>,
    route: &[u8],
    leaf: Link<D>,
) -> Link<D> {
    match route {
        [at, rest @ ..] if usize::from(*at) < node.children().len() => {
            let node = builder.relieve(node);
            let at = usize::from(*at);
            let mut children: Children<D> = node.children().iter().cloned().collect();
            children[at] = attach(builder, form, &children[at], rest, leaf);
            balanced(builder, form, &node, children)
        }
        _ => builder.parent(smallvec![node.clone(), leaf]),
    }
}

/// The node without the blank leaves below; none if nothing is left.
pub(super) fn prune<D: TreeData>(
    builder: &mut Builder<'_, D>,
    form: Form,
    node: &Link<D>,
) -> Option<Link<D>> {
    splice::prune(builder, node, &|builder, node, left| balanced(builder, form, node, left))
}

/// A parent, with its key, over two balanced children, which change if they are not balanced against
/// each other.
fn balanced<D: TreeData>(
    builder: &mut Builder<'_, D>,
    form: Form,
    node: &Node<D>,
    children: Children<D>,
) -> Link<D> {
    let children = match form {
        Form::WeightBalanced(percent) => rotated(builder, percent, children),
        Form::Scapegoat(percent) if !is_balanced(percent, &children[0], &children[1]) => {
            let mut leaves = vec![];
            children.iter().for_each(|child| take_leaves(builder, child, &mut leaves));
            let right = leaves.split_off(leaves.len().div_ceil(2));
            smallvec![perfect(builder, leaves), perfect(builder, right)]
        }
        _ => children,
    };
    builder.with(node, children)
}

/// Two children, balanced against each other, with the leaves of two that may not be.
fn rotated<D: TreeData>(
    builder: &mut Builder<'_, D>,
    percent: u8,
    children: Children<D>,
) -> Children<D> {
    if is_balanced(percent, &children[0], &children[1]) {
        return children;
    }
    let heavy = usize::from(weight(&children[1]) > weight(&children[0]));
    let mut parts = builder.dissolve(&children[heavy]);
    if weight(&parts[1]) > weight(&parts[0]) {
        parts.swap(0, 1);
    }
    let light = children[1 - heavy].clone();
    let rest = rotated(builder, percent, smallvec![parts[1].clone(), light]);
    smallvec![parts[0].clone(), builder.parent(rest)]
}

/// The leaves below a node, every parent taken apart.
fn take_leaves<D: TreeData>(
    builder: &mut Builder<'_, D>,
    node: &Link<D>,
    leaves: &mut Vec<Link<D>>,
) {
    if node.children().is_empty() {
        leaves.push(node.clone());
    } else {
        let children = builder.dissolve(node);
        children.iter().for_each(|child| take_leaves(builder, child, leaves));
    }
}

/// A tree of new parents over leaves, each half as even as can be.
fn perfect<D: TreeData>(builder: &mut Builder<'_, D>, mut leaves: Vec<Link<D>>) -> Link<D> {
    if leaves.len() == 1 {
        return leaves.remove(0);
    }
    let right = leaves.split_off(leaves.len().div_ceil(2));
    let (left, right) = (perfect(builder, leaves), perfect(builder, right));
    builder.parent(smallvec![left, right])
}

pub(super) fn is_sound<D: TreeData>(percent: u8, node: &Node<D>) -> bool {
    match node.children() {
        [] => true,
        [left, right] => {
            is_balanced(percent, left, right) && is_sound(percent, left) && is_sound(percent, right)
        }
        _ => false,
    }
}
