//! Free trees: their subtrees move about, so that no leaf stays blank. A leaf has a number of its own,
//! the smallest that is free when it comes, and keeps it wherever it stands.
//!
//! A tree of a free form is changed in two ways: [`Tree::attach`] makes a blank leaf for a newcomer,
//! and [`Tree::prune`] takes away what is blank. What either does depends on the form of the tree alone
//! and not on its keys, so that a tree beside it that holds other things can do the same.
//!
//! A parent keeps its key as long as the members below it stay the same, newcomers and those who leave
//! apart, for whom unmerged lists and removals have their own rules. A parent that is split, merged, rotated
//! or contracted is another one: blank, and its old key is dropped. Whole subtrees keep their keys
//! when they move.

mod b_tree;
mod builder;
mod left_leaning;
mod pop;
mod splice;
mod weight;
mod weighted;

use std::sync::Arc;

use smallvec::SmallVec;

use super::node::{Kind, Node, Tag};
use super::places::{Places, Spot};
use super::{Aggregates, LeafIndex, OutsideTree, PathStep, Place, Shape, Subtree, Tree, TreeData};
use builder::Builder;

pub use weight::PERCENTAGES;

/// The most levels of a free tree: where a rule would go deeper, another place is taken. Walks go
/// down by recursion.
pub const MAX_HEIGHT: u8 = 60;

/// By which rule subtrees move about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// All leaves at one depth, parents of `least` to `most` children.
    BTree {
        /// The fewest children of a parent, the root apart.
        least: u8,
        /// The most.
        most: u8,
    },
    /// The left-leaning red-black tree that stands for a B-tree of 2 to 3 children.
    LeftLeaning,
    /// A parent whose heavier child has more than this percentage of its members is rotated.
    WeightBalanced(u8),
    /// Such a parent is built anew with everything below.
    Scapegoat(u8),
    /// A sibling takes its parent's place; parents have at most so many children.
    Splice(u8),
    /// As `Splice(2)`, but a tree whose leaves are all at one depth grows at the root.
    Smallest,
    /// As `Splice(2)`, and who commits climbs past subtrees that count less.
    Weighted,
    /// The left-balanced tree; the last leaf takes the place of one that goes.
    Pop,
}

/// Where a newcomer should stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// Where the form puts it.
    Rule,
    /// Near a leaf.
    Leaf(LeafIndex),
    /// Where the expected update cost rises least once all parents are keyed.
    Cheapest,
    /// Where members count least.
    Lightest,
}

/// A node beside which a newcomer is put: which child to take at each node from the root down.
pub type Attach = SmallVec<[u8; 20]>;

/// Takes the keys of parents that are no more.
pub(super) type Dropped<'d, P> = dyn FnMut(&P) + 'd;

impl<D: TreeData, S: Shape> Tree<D, S> {
    /// Where a newcomer is to be attached; nothing is said of trees that are not free.
    pub fn attach_point(&self, beside: Beside) -> Attach {
        let Some(form) = self.shape().form() else { return Attach::new() };
        match beside {
            Beside::Cheapest => cheapest(self.root()).unwrap_or_else(|| form.point(self.root())),
            Beside::Leaf(leaf) => self.route(leaf).unwrap_or_else(|| form.point(self.root())),
            Beside::Lightest => lightest(self.root()),
            Beside::Rule => form.point(self.root()),
        }
    }

    /// Which child to take at each node from the root down to a leaf; none where that is too deep to
    /// attach anything.
    fn route(&self, leaf: LeafIndex) -> Option<Attach> {
        let path = self.direct_path(leaf).ok()?;
        let route = path.iter().rev().map(|step| step.child as u8).collect();
        (path.len() < usize::from(MAX_HEIGHT)).then_some(route)
    }

    /// Makes a blank leaf beside a node of a free tree, and says its number.
    pub fn attach(&mut self, at: &Attach, dropped: &mut Dropped<'_, D::Parent>) -> LeafIndex {
        let (Some(form), Some(places)) = (self.shape.form(), &mut self.places) else {
            return LeafIndex(self.width());
        };
        if self.root.aggregates().members == 0 {
            // The one blank leaf of a tree without members.
            return LeafIndex(self.root.tag.number);
        }
        let mut builder = Builder::new(places, dropped);
        let leaf = builder.leaf(&self.shape);
        let number = LeafIndex(leaf.tag.number);
        let root = self.root.clone();
        self.root = match form {
            Form::BTree { most, .. } => b_tree::Rules { least: 0, most, leans: false }
                .attach_to_root(&mut builder, &root, at, leaf),
            Form::LeftLeaning => left_leaning::RULES.attach_to_root(&mut builder, &root, at, leaf),
            Form::WeightBalanced(_) | Form::Scapegoat(_) => {
                weight::attach(&mut builder, form, &root, at, leaf)
            }
            Form::Splice(degree) => splice::attach(&mut builder, degree, &root, at, leaf),
            Form::Smallest | Form::Weighted => splice::attach(&mut builder, 2, &root, at, leaf),
            Form::Pop => pop::append(&mut builder, &root, leaf),
        };
        builder.finish(&self.root);
        number
    }

    /// Takes the blank leaves out of a free tree, and what needs to go with them.
    pub fn prune(&mut self, dropped: &mut Dropped<'_, D::Parent>) {
        let (Some(form), Some(places)) = (self.shape.form(), &mut self.places) else { return };
        if self.root.room() == 0 || self.root.aggregates().members == 0 {
            return;
        }
        let mut builder = Builder::new(places, dropped);
        let root = self.root.clone();
        let pruned = match form {
            Form::BTree { least, most } => {
                b_tree::Rules { least, most, leans: false }.prune_root(&mut builder, &root)
            }
            Form::LeftLeaning => left_leaning::RULES.prune_root(&mut builder, &root),
            Form::WeightBalanced(_) | Form::Scapegoat(_) => {
                weight::prune(&mut builder, form, &root)
            }
            Form::Splice(_) | Form::Smallest | Form::Weighted => splice::prune(&mut builder, &root),
            Form::Pop => pop::prune(&mut builder, &root),
        };
        if let Some(pruned) = pruned {
            self.root = pruned;
        }
        builder.finish(&self.root);
    }
}

impl<D: TreeData, S: Shape> Tree<D, S> {
    /// How many parents a member of a weighted tree may climb past: those whose other child counts less
    /// than the member alone.
    pub fn climb_of(&self, leaf: LeafIndex) -> Result<u8, OutsideTree> {
        if self.shape().form() != Some(Form::Weighted) {
            return Ok(0);
        }
        let path = self.direct_path(leaf)?;
        let Some(lowest) = path.first() else { return Ok(0) };
        let copath: u64 = lowest.copath.iter().map(|other| other.aggregates().weight).sum();
        let own = lowest.node.aggregates().weight - copath;
        let is_lighter = |step: &&PathStep<'_, D>| {
            step.copath.iter().all(|other| other.aggregates().weight < own)
        };
        let levels = path[1..].iter().take_while(is_lighter).count();
        // Those it climbs past go down one level.
        let has_room = self.aggregates().height < MAX_HEIGHT;
        Ok(if has_room { levels as u8 } else { 0 })
    }

    /// A member climbs past so many parents of a free tree.
    pub fn climb(
        &mut self,
        leaf: LeafIndex,
        levels: u8,
        dropped: &mut Dropped<'_, D::Parent>,
    ) -> Result<(), OutsideTree> {
        if levels == 0 {
            return Ok(());
        }
        let path = self.direct_path(leaf)?;
        let route: Attach = path.iter().rev().map(|step| step.child as u8).collect();
        drop(path);
        let Some(places) = &mut self.places else { return Ok(()) };
        let stop = route.len().saturating_sub(1 + usize::from(levels));
        let mut builder = Builder::new(places, dropped);
        let root = self.root.clone();
        self.root = weighted::climb(&mut builder, &root, &route, stop);
        builder.finish(&self.root);
        Ok(())
    }
}

impl Form {
    /// Where the form puts a newcomer.
    fn point<D: TreeData>(self, root: Subtree<'_, D>) -> Attach {
        match self {
            // What has fewest members has most room below.
            Self::BTree { .. }
            | Self::LeftLeaning
            | Self::WeightBalanced(_)
            | Self::Scapegoat(_) => descend(root, |child| u64::from(child.aggregates().members)),
            Self::Smallest if root.aggregates().shallow == root.aggregates().height => {
                Attach::new()
            }
            Self::Splice(_) | Self::Smallest => {
                descend(root, |child| u64::from(child.aggregates().shallow))
            }
            Self::Weighted => lightest(root),
            Self::Pop => Attach::new(),
        }
    }

    /// The most children of a parent.
    pub fn degree(self) -> usize {
        match self {
            Self::BTree { most, .. } => most.into(),
            Self::Splice(degree) => degree.into(),
            _ => 2,
        }
    }

    /// Whether a tree keeps to the form; O(n).
    pub fn is_sound<D: TreeData>(self, root: Subtree<'_, D>) -> bool {
        let Aggregates { height, .. } = *root.aggregates();
        let leans = self == Self::LeftLeaning;
        height <= MAX_HEIGHT
            && (leans || is_plain(root.node()))
            && match self {
                Self::BTree { least, most } => {
                    b_tree::Rules { least, most, leans: false }.is_sound(root.node())
                }
                Self::LeftLeaning => left_leaning::RULES.is_sound(root.node()),
                Self::WeightBalanced(percent) | Self::Scapegoat(percent) => {
                    weight::is_sound(percent, root.node())
                }
                Self::Splice(degree) => splice::is_sound(degree, root.node()),
                Self::Smallest | Self::Weighted => splice::is_sound(2, root.node()),
                Self::Pop => pop::is_sound(root.node()),
            }
    }
}

/// Whether no parent stands for one node together with another.
fn is_plain<D: TreeData>(node: &Node<D>) -> bool {
    !node.tag.inner && node.children().iter().all(|child| is_plain(child))
}

/// The leaf that one comes to by always taking the child that counts least.
fn lightest<D: TreeData>(root: Subtree<'_, D>) -> Attach {
    descend(root, |child| child.aggregates().weight)
}

/// Goes down to a leaf, always to the child of the least weight, the leftmost of equals.
fn descend<D: TreeData>(root: Subtree<'_, D>, weight: impl Fn(&Subtree<'_, D>) -> u64) -> Attach {
    let (mut at, mut route) = (root, Attach::new());
    while let Some((position, child)) =
        at.children().enumerate().min_by_key(|(position, child)| (weight(child), *position))
    {
        route.push(position as u8);
        at = child;
    }
    route
}

/// The node beside which a newcomer raises the expected update cost least, all parents keyed: the
/// members below the node spend a ciphertext more each, and the newcomer what its copath resolves
/// to. Each node caches the best below it ([`Aggregates::graft`]). None if that is too deep.
fn cheapest<D: TreeData>(root: Subtree<'_, D>) -> Option<Attach> {
    let (mut at, mut route) = (root, Attach::new());
    loop {
        let Aggregates { members, resolution, .. } = *at.aggregates();
        let best = at.aggregates().graft?;
        let here = (u64::from(members) + u64::from(resolution), 0);
        let below = at.children().enumerate().find(|(_, child)| {
            let copath: u32 = at.children().map(|other| other.aggregates().resolution).sum();
            let copath = u64::from(copath - child.aggregates().resolution);
            let graft = child.aggregates().graft;
            graft.is_some_and(|(cost, depth)| (cost + copath, depth + 1) == best)
        });
        match below {
            _ if here == best => return (route.len() < usize::from(MAX_HEIGHT)).then_some(route),
            None => return None,
            Some((position, child)) => {
                route.push(position as u8);
                at = child;
            }
        }
    }
}

/// A node of a free tree as it is written down: its leaf's number and the leaf, or the number of its
/// children, which follow, whether it is an inner parent, and its key.
#[derive(Clone, Debug)]
pub enum Written<L, P> {
    /// A member's leaf.
    Leaf(LeafIndex, Arc<L>),
    /// A parent.
    Parent {
        /// How many children follow, each with what is below it.
        children: u8,
        /// Whether it stands for one node together with its own parent.
        inner: bool,
        /// Its key.
        value: Option<Arc<P>>,
    },
}

/// Why a list of written nodes is no tree of its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOfForm {
    /// Nodes are missing, or more than there should be.
    #[error("the nodes of a free tree do not end where the tree does")]
    End,
    /// A leaf's number stands twice, or is too large.
    #[error("{0} stands in a free tree twice, or is beyond {MAX_LEAVES}")]
    Leaf(LeafIndex),
    /// The tree is not of the form that its group keeps.
    #[error("the tree is not of the form that its group keeps")]
    Form,
}

/// The numbers that leaves of a free tree may have.
pub const MAX_LEAVES: u32 = 1 << 30;

impl<D: TreeData, S: Shape> Tree<D, S> {
    /// The nodes of a free tree, each before what is below it.
    pub fn written<'t>(&'t self, visit: &mut dyn FnMut(WrittenRef<'t, D>)) {
        write(self.root(), visit);
    }

    /// Builds a free tree from its nodes as [`written`](Self::written) visits them.
    pub fn from_written(
        shape: S,
        nodes: &[Written<D::Leaf, D::Parent>],
    ) -> Result<Self, NotOfForm> {
        let form = shape.form().ok_or(NotOfForm::Form)?;
        let mut places = Places::new();
        let mut rest = nodes.iter();
        let mut reader = Reader { nodes: &mut rest, places: &mut places };
        let root = reader.read::<D>(0)?;
        if rest.next().is_some() {
            return Err(NotOfForm::End);
        }
        places.put(root.spot(), None);
        let tree = Self { root, shape, places: Some(places) };
        if form.is_sound(tree.root()) { Ok(tree) } else { Err(NotOfForm::Form) }
    }
}

/// [`Written`], borrowed.
pub enum WrittenRef<'t, D: TreeData> {
    /// A member's leaf.
    Leaf(LeafIndex, &'t Arc<D::Leaf>),
    /// How many children a parent has, whether it is an inner one, and its key.
    Parent(u8, bool, Option<&'t Arc<D::Parent>>),
}

fn write<'t, D: TreeData>(at: Subtree<'t, D>, visit: &mut dyn FnMut(WrittenRef<'t, D>)) {
    match at.place() {
        // A settled free tree has no blank leaf.
        Place::Blank => {}
        Place::Leaf(leaf) => visit(WrittenRef::Leaf(at.first_leaf(), leaf)),
        Place::Parent(value) => {
            visit(WrittenRef::Parent(at.children().count() as u8, at.is_inner(), value));
            at.children().for_each(|child| write(child, visit));
        }
    }
}

struct Reader<'r, 'n, L, P> {
    nodes: &'r mut std::slice::Iter<'n, Written<L, P>>,
    places: &'r mut Places,
}

impl<L, P> Reader<'_, '_, L, P> {
    fn read<D: TreeData<Leaf = L, Parent = P>>(
        &mut self,
        depth: u8,
    ) -> Result<Arc<Node<D>>, NotOfForm> {
        match self.nodes.next().ok_or(NotOfForm::End)? {
            Written::Leaf(index, leaf) => {
                if index.0 >= MAX_LEAVES || self.places.has(*index) {
                    return Err(NotOfForm::Leaf(*index));
                }
                self.places.put(Spot::Leaf(index.0), None);
                let tag = Tag { number: index.0, inner: false };
                Ok(Arc::new(Node::leaf(leaf.clone()).tagged(tag)))
            }
            Written::Parent { children, inner, value } => {
                if depth >= MAX_HEIGHT || *children < 2 {
                    return Err(NotOfForm::Form);
                }
                let number = self.places.free_parent();
                self.places.put(Spot::Parent(number), None);
                let children: Result<super::node::Children<D>, _> =
                    (0..*children).map(|_| self.read(depth + 1)).collect();
                let node = Node::parent(value.clone(), children?);
                for child in node.children() {
                    self.places.put(child.spot(), Some(number));
                }
                Ok(Arc::new(node.tagged(Tag { number, inner: *inner })))
            }
        }
    }
}

impl<'t, D: TreeData> Subtree<'t, D> {
    /// Whether the parent at the top stands for one node together with its own parent.
    pub fn is_inner(&self) -> bool {
        self.node().tag.inner && !matches!(self.node().kind, Kind::Leaf(_))
    }
}
