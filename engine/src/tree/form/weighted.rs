//! Trees by activity, kept on line in the manner of a splay tree (Sleator, Tarjan, 1985): a member
//! climbs past a sibling of its parent that counts less than the member alone, so that who counts much comes
//! to stand near the root and the others in an attic below. In Huffman's tree nobody could climb (it has
//! Gallager's sibling property, 1978); a tree in which nobody can need not be Huffman's.
//!
//! One step takes the member out of its parent, and its sibling and the subtree it climbs past get
//! a new parent in that one's place; those in the subtree stand one level deeper. Each step leaves one blank
//! parent off the member's path. O(depth).

use smallvec::smallvec;

use super::builder::{Builder, Link};
use crate::tree::TreeData;

/// Brings the leaf at the end of a route up to right below the parent `stop` levels below this node.
pub(super) fn climb<D: TreeData>(
    builder: &mut Builder<'_, D>,
    node: &Link<D>,
    route: &[u8],
    stop: usize,
) -> Link<D> {
    let Some((at, rest)) = route.split_first() else { return node.clone() };
    let at = usize::from(*at);
    if stop > 0 {
        let child = climb(builder, &node.children()[at], rest, stop - 1);
        return builder.with_child(node, at, child);
    }
    let node = builder.relieve(node);
    let other = node.children()[1 - at].clone();
    let (left, leaf) = take(builder, &node.children()[at], rest);
    let below = match left {
        Some(left) => builder.parent(smallvec![left, other]),
        None => other,
    };
    builder.with(&node, smallvec![below, leaf])
}

/// Takes the leaf at the end of a route out of a subtree; gives what is left of that, and the leaf.
fn take<D: TreeData>(
    builder: &mut Builder<'_, D>,
    node: &Link<D>,
    route: &[u8],
) -> (Option<Link<D>>, Link<D>) {
    let Some((at, rest)) = route.split_first() else { return (None, node.clone()) };
    let at = usize::from(*at);
    let node = builder.relieve(node);
    let other = node.children()[1 - at].clone();
    let (left, leaf) = take(builder, &node.children()[at], rest);
    builder.dissolve(&node);
    let left = match left {
        Some(left) => builder.parent(smallvec![left, other]),
        None => other,
    };
    (Some(left), leaf)
}
