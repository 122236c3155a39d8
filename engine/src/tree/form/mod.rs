//! Free trees: their subtrees move about, so that no leaf stays blank. A leaf has a number of its own,
//! the smallest that is free when it comes, and keeps it wherever it stands.
//!
//! A tree of a free form is changed in three ways: [`Tree::attach`] makes a blank leaf for a newcomer beside a
//! node, [`Tree::prune`] takes away what is blank, and [`Tree::climb`] brings a leaf nearer to the root
//! (`weighted`). What they do depends on the form of the tree alone and on what they are told, not on keys or
//! weights, so that a tree beside it that holds other things can do the same. What they are told follows
//! from the tree (`place`).
//!
//! A parent keeps its key as long as the members below it stay the same, newcomers and those who leave
//! apart, for whom unmerged lists and removals have their own rules. A parent that is split, merged, rotated
//! or contracted is another one: blank, and its old key is dropped. Whole subtrees keep their keys
//! when they move.

mod b_tree;
mod builder;
mod left_leaning;
mod place;
mod pop;
mod splice;
mod weight;
mod weighted;
mod written;

use super::node::Node;
use super::{Aggregates, LeafIndex, OutsideTree, Shape, Subtree, Tree, TreeData};
use builder::Builder;

pub use place::{Attach, Beside};
pub use weight::PERCENTAGES;
pub use written::{MAX_LEAVES, NotOfForm, Written, WrittenRef};

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

/// Takes the keys of parents that are no more.
pub(super) type Dropped<'d, P> = dyn FnMut(&P) + 'd;

impl<D: TreeData, S: Shape> Tree<D, S> {
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
            Form::Splice(_) | Form::Smallest | Form::Weighted => {
                splice::prune(&mut builder, &root, &|builder, node, left| builder.with(node, left))
            }
            Form::Pop => pop::prune(&mut builder, &root),
        };
        if let Some(pruned) = pruned {
            self.root = pruned;
        }
        builder.finish(&self.root);
    }
}

impl<D: TreeData, S: Shape> Tree<D, S> {
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
