//! The left-balanced tree without blanks: a newcomer is appended at the right, and where a leaf goes the
//! last one takes its place. The parents above both places have other members than before, and are blank
//! until somebody keys them: O(log n) a removal.

use smallvec::smallvec;

use super::builder::{Builder, Link};
use crate::tree::TreeData;
use crate::tree::node::{Children, Node};

pub(super) fn append<D: TreeData>(
    builder: &mut Builder<'_, D>,
    node: &Link<D>,
    leaf: Link<D>,
) -> Link<D> {
    match node.children() {
        [_, right] if !node.aggregates().width.is_power_of_two() => {
            let right = append(builder, right, leaf);
            builder.with_child(node, 1, right)
        }
        _ => builder.parent(smallvec![node.clone(), leaf]),
    }
}

/// The tree without its blank leaves; none if nothing is left.
pub(super) fn prune<D: TreeData>(builder: &mut Builder<'_, D>, root: &Link<D>) -> Option<Link<D>> {
    let mut root = root.clone();
    while root.room() > 0 {
        let (rest, last) = take_last(builder, &root);
        if last.is_blank_leaf() {
            builder.drop_leaf(&last);
            root = rest?;
        } else {
            root = fill(builder, &rest?, last);
        }
    }
    Some(root)
}

/// A tree without its last leaf, and that leaf with all that it carries.
fn take_last<D: TreeData>(
    builder: &mut Builder<'_, D>,
    node: &Link<D>,
) -> (Option<Link<D>>, Link<D>) {
    if node.children().is_empty() {
        return (None, node.clone());
    }
    let node = builder.relieve(node);
    let (left, right) = (&node.children()[0], &node.children()[1]);
    let (rest, last) = take_last(builder, right);
    let Some(rest) = rest else {
        builder.dissolve(&node);
        return (Some(left.clone()), last);
    };
    if last.is_blank_leaf() {
        return (Some(builder.with_child(&node, 1, rest)), last);
    }
    builder.dissolve(&node);
    (Some(builder.parent(smallvec![left.clone(), rest])), last)
}

/// Puts a leaf into the place of the leftmost blank one.
fn fill<D: TreeData>(builder: &mut Builder<'_, D>, node: &Link<D>, leaf: Link<D>) -> Link<D> {
    let position = node.children().iter().position(|child| child.room() > 0);
    let Some(position) = position else {
        builder.drop_leaf(node);
        return leaf;
    };
    let node = builder.relieve(node);
    let mut children: Children<D> = node.children().iter().cloned().collect();
    children[position] = fill(builder, &children[position], leaf);
    builder.dissolve(&node);
    builder.parent(children)
}

pub(super) fn is_sound<D: TreeData>(node: &Node<D>) -> bool {
    match node.children() {
        [] => true,
        [left, right] => {
            let width = node.aggregates().width;
            let whole = left.aggregates().width == 1 << (width - 1).ilog2();
            whole && is_sound(left) && is_sound(right)
        }
        _ => false,
    }
}
