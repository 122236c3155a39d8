//! B-trees on unordered leaves: all leaves at one depth, every parent with `least` to `most` children
//! (the root with two or more), whatever the churn. A parent of too many children splits in halves; one
//! of too few is joined with its neighbour, and the two are one or two new parents.
//!
//! Each split and join makes blank parents, O(1) of them amortised; an attach or a removal changes one
//! path.

use smallvec::{SmallVec, smallvec};

use super::builder::{Builder, Link};
use crate::tree::TreeData;
use crate::tree::node::{Children, Node};

/// How many children a parent has, and whether two parents stand for one of three
/// (`left_leaning`).
#[derive(Clone, Copy)]
pub(super) struct Rules {
    pub(super) least: u8,
    pub(super) most: u8,
    pub(super) leans: bool,
}

/// One node of the B-tree, opened: its children, and the parents that stand for it.
struct Opened<D: TreeData> {
    outer: Link<D>,
    inner: Option<Link<D>>,
    list: Children<D>,
}

/// The inner parent of a node that two parents stand for.
fn inner_of<D: TreeData>(node: &Node<D>) -> Option<&Link<D>> {
    node.children().first().filter(|child| child.tag.inner && !child.children().is_empty())
}

/// How many children a node of the B-tree has.
fn count<D: TreeData>(node: &Node<D>) -> usize {
    let inner = inner_of(node).map_or(0, |inner| inner.children().len() - 1);
    node.children().len() + inner
}

impl Rules {
    fn open<D: TreeData>(self, builder: &Builder<'_, D>, node: &Link<D>) -> Opened<D> {
        let outer = builder.relieve(node);
        let inner = inner_of(&outer).map(|inner| builder.relieve(inner));
        let own = outer.children().iter().skip(usize::from(inner.is_some())).cloned();
        let first = inner.iter().flat_map(|inner| inner.children().iter().cloned());
        let list = first.chain(own).collect();
        Opened { outer, inner, list }
    }

    /// The node, its key kept, over a list of children with the same members.
    fn renew<D: TreeData>(
        self,
        builder: &mut Builder<'_, D>,
        opened: &Opened<D>,
        mut list: Children<D>,
    ) -> Link<D> {
        let inner = opened.inner.as_deref();
        if self.leans && list.len() == 3 {
            let pair: Children<D> = list.drain(..2).collect();
            let pair = match inner {
                Some(inner) if is_over(inner, &pair) => builder.with(inner, pair),
                _ => {
                    drop_inner(builder, opened);
                    builder.inner(pair)
                }
            };
            list.insert(0, pair);
        } else {
            drop_inner(builder, opened);
        }
        builder.with(&opened.outer, list)
    }

    /// A new node over a list of children.
    fn make<D: TreeData>(self, builder: &mut Builder<'_, D>, mut list: Children<D>) -> Link<D> {
        if self.leans && list.len() == 3 {
            let pair = list.drain(..2).collect();
            let pair = builder.inner(pair);
            list.insert(0, pair);
        }
        builder.parent(list)
    }

    /// A node's children, the node itself taken apart.
    fn take_apart<D: TreeData>(self, builder: &mut Builder<'_, D>, node: &Link<D>) -> Children<D> {
        let mut list = builder.dissolve(node);
        if inner_of(node).is_some() {
            let inner = list.remove(0);
            list.insert_many(0, builder.dissolve(&inner));
        }
        list
    }

    /// Two nodes from a list that is too long for one. An inner parent over the first two
    /// stands for them from now on.
    fn split<D: TreeData>(
        self,
        builder: &mut Builder<'_, D>,
        opened: &Opened<D>,
        mut list: Children<D>,
    ) -> SmallVec<[Link<D>; 2]> {
        builder.dissolve(&opened.outer);
        let right = list.drain(list.len().div_ceil(2)..).collect();
        let left = match opened.inner.as_deref() {
            Some(inner) if is_over(inner, &list) => {
                let pair = builder.with(inner, list);
                builder.outer(&pair)
            }
            _ => {
                drop_inner(builder, opened);
                self.make(builder, list)
            }
        };
        smallvec![left, self.make(builder, right)]
    }

    /// A newcomer beside the leaf at the end of a route. What stands in the node's stead has its
    /// members: one node, or two if it was split.
    fn attach<D: TreeData>(
        self,
        builder: &mut Builder<'_, D>,
        node: &Link<D>,
        route: &[u8],
        leaf: Link<D>,
    ) -> SmallVec<[Link<D>; 2]> {
        if node.children().is_empty() {
            return smallvec![node.clone(), leaf];
        }
        let mut opened = self.open(builder, node);
        let mut list = std::mem::take(&mut opened.list);
        let (at, rest) = place(&opened, route);
        let at = at.min(list.len() - 1);
        let attached = self.attach(builder, &list[at], rest, leaf);
        list.remove(at);
        list.insert_many(at, attached);
        if list.len() > self.most.into() {
            return self.split(builder, &opened, list);
        }
        smallvec![self.renew(builder, &opened, list)]
    }

    pub(super) fn attach_to_root<D: TreeData>(
        self,
        builder: &mut Builder<'_, D>,
        root: &Link<D>,
        route: &[u8],
        leaf: Link<D>,
    ) -> Link<D> {
        let mut attached = self.attach(builder, root, route, leaf);
        match attached.len() {
            1 => attached.remove(0),
            _ => self.make(builder, attached),
        }
    }

    /// The node without the blank leaves below; it may have too few children, even one. None if
    /// nothing is left.
    fn prune<D: TreeData>(self, builder: &mut Builder<'_, D>, node: &Link<D>) -> Option<Link<D>> {
        if node.room() == 0 {
            return Some(node.clone());
        }
        if node.children().is_empty() {
            builder.drop_leaf(node);
            return None;
        }
        let mut opened = self.open(builder, node);
        let list = std::mem::take(&mut opened.list);
        let list = list.iter().filter_map(|child| self.prune(builder, child)).collect();
        let list = self.fill(builder, list);
        if list.is_empty() {
            drop_inner(builder, &opened);
            builder.dissolve(&opened.outer);
            return None;
        }
        Some(self.renew(builder, &opened, list))
    }

    /// Joins each node of too few children with its neighbour, as far as there is one.
    fn fill<D: TreeData>(self, builder: &mut Builder<'_, D>, mut list: Children<D>) -> Children<D> {
        let is_short =
            |node: &Link<D>| !node.children().is_empty() && count(node) < self.least.into();
        while let (2.., Some(at)) = (list.len(), list.iter().position(is_short)) {
            let first = at.saturating_sub(1);
            let right = list.remove(first + 1);
            let left = list.remove(first);
            let mut both = self.take_apart(builder, &left);
            both.extend(self.take_apart(builder, &right));
            let mut both = self.fill(builder, both);
            if both.len() > self.most.into() {
                let rest = both.drain(both.len().div_ceil(2)..).collect();
                list.insert(first, self.make(builder, rest));
            }
            list.insert(first, self.make(builder, both));
        }
        list
    }

    pub(super) fn prune_root<D: TreeData>(
        self,
        builder: &mut Builder<'_, D>,
        root: &Link<D>,
    ) -> Option<Link<D>> {
        let mut root = self.prune(builder, root)?;
        while root.children().len() == 1 {
            root = self.take_apart(builder, &root).remove(0);
        }
        Some(root)
    }

    /// Whether all leaves are at one depth, and every parent but the root has enough children.
    pub(super) fn is_sound<D: TreeData>(self, root: &Node<D>) -> bool {
        !root.tag.inner && self.levels(root, 2).is_some()
    }

    /// The levels below a node of at least so many children, if it is sound.
    fn levels<D: TreeData>(self, node: &Node<D>, least: usize) -> Option<u32> {
        if node.children().is_empty() {
            return Some(0);
        }
        let inner = inner_of(node).filter(|_| self.leans);
        let list = inner.map_or(&[][..], |inner| inner.children()).iter();
        let list = list.chain(node.children().iter().skip(usize::from(inner.is_some())));
        let count = list.clone().count();
        if list.clone().any(|child| child.tag.inner) {
            return None;
        }
        let mut levels = list.map(|child| self.levels(child, self.least.into()));
        let first = levels.next()??;
        let is_level = levels.all(|other| other == Some(first));
        let sized = (least..=self.most.into()).contains(&count);
        // Where parents lean, each is one of two.
        let binary = !self.leans || node.children().len() == 2;
        (is_level && sized && binary).then_some(first + 1)
    }
}

/// Where a route goes on among a node's children.
fn place<'r, D: TreeData>(opened: &Opened<D>, route: &'r [u8]) -> (usize, &'r [u8]) {
    match (&opened.inner, route) {
        (Some(_), [0, at, rest @ ..]) => (usize::from(*at), rest),
        (Some(inner), [at, rest @ ..]) => (usize::from(*at) + inner.children().len() - 1, rest),
        (None, [at, rest @ ..]) => (usize::from(*at), rest),
        (_, []) => (0, &[]),
    }
}

/// Whether a parent is over these children.
fn is_over<D: TreeData>(parent: &Node<D>, children: &[Link<D>]) -> bool {
    let spots = children.iter().map(|child| child.spot());
    parent.children().iter().map(|child| child.spot()).eq(spots)
}

fn drop_inner<D: TreeData>(builder: &mut Builder<'_, D>, opened: &Opened<D>) {
    if let Some(inner) = &opened.inner {
        builder.dissolve(inner);
    }
}
