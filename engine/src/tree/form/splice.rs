//! Splices: a newcomer and the node beside which it is put get a parent in that node's stead; where one
//! goes, the sibling takes their parent's place. Nothing is rebalanced: how deep the tree gets depends on
//! where newcomers are put. O(depth) an operation.
//!
//! Parents may have more than two children; one that has room takes the newcomer in.

use smallvec::smallvec;

use super::builder::{Builder, Link};
use crate::tree::TreeData;
use crate::tree::node::{Children, Node};

pub(super) fn attach<D: TreeData>(
    builder: &mut Builder<'_, D>,
    degree: u8,
    node: &Link<D>,
    route: &[u8],
    leaf: Link<D>,
) -> Link<D> {
    let children = node.children();
    match route {
        [at, rest @ ..] if usize::from(*at) < children.len() => {
            let at = usize::from(*at);
            if rest.is_empty() && children.len() < degree.into() {
                let node = builder.relieve(node);
                let mut children: Children<D> = node.children().iter().cloned().collect();
                children.insert(at + 1, leaf);
                return builder.with(&node, children);
            }
            let child = attach(builder, degree, &children[at], rest, leaf);
            builder.with_child(node, at, child)
        }
        _ => builder.parent(smallvec![node.clone(), leaf]),
    }
}

/// Makes a parent, with its key, over what is left of its children.
pub(super) type Keep<'k, D> = dyn Fn(&mut Builder<'_, D>, &Node<D>, Children<D>) -> Link<D> + 'k;

/// The node without the blank leaves below; none if nothing is left. `keep` is asked
/// where two or more children are.
pub(super) fn prune<D: TreeData>(
    builder: &mut Builder<'_, D>,
    node: &Link<D>,
    keep: &Keep<'_, D>,
) -> Option<Link<D>> {
    if node.room() == 0 {
        return Some(node.clone());
    }
    if node.children().is_empty() {
        builder.drop_leaf(node);
        return None;
    }
    let node = builder.relieve(node);
    let left: Children<D> =
        node.children().iter().filter_map(|child| prune(builder, child, keep)).collect();
    if left.len() < 2 {
        builder.dissolve(&node);
        return left.into_iter().next();
    }
    Some(keep(builder, &node, left))
}

pub(super) fn is_sound<D: TreeData>(degree: u8, node: &Node<D>) -> bool {
    let children = node.children();
    let sized = children.is_empty() || (2..=degree.into()).contains(&children.len());
    sized && children.iter().all(|child| is_sound(degree, child))
}
