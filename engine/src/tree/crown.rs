//! A crown: some of the parents of a tree, the root among them, and with each of them all above it.
//! It is how a change of many paths at once is written down whatever the shape: by the children
//! that the walk from the root goes into.

use std::sync::Arc;

use smallvec::SmallVec;

use super::node::{Kind, Node};
use super::shape::Shape;
use super::{Tree, TreeData};

/// Which of a parent's children, from the left, are in the crown themselves, and where they stand
/// in it.
pub(crate) type Branches = SmallVec<[Option<usize>; 2]>;

/// The parents of a crown: what is below before what is above, from the left, the root last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Crown(pub(crate) Vec<Branches>);

/// Rewrites a parent; it is told where that stands in the crown.
pub(crate) type CrownEdit<'e, P> = dyn FnMut(usize, &mut Option<Arc<P>>) + 'e;

impl<D: TreeData, S: Shape> Tree<D, S> {
    /// Rewrites the parents of a crown of this tree, each once and in the crown's order.
    pub(crate) fn edit_crown(&mut self, crown: &Crown, parent: &mut CrownEdit<'_, D::Parent>) {
        if let Some(root) = crown.0.len().checked_sub(1) {
            walk(&mut self.root, &self.shape, crown, root, parent);
        }
    }
}

fn walk<D: TreeData, S: Shape>(
    link: &mut Arc<Node<D>>,
    shape: &S,
    crown: &Crown,
    at: usize,
    edit: &mut CrownEdit<'_, D::Parent>,
) {
    let node = Arc::make_mut(link);
    node.open(shape);
    if let Kind::Parent { value, children } = &mut node.kind {
        for (child, branch) in children.iter_mut().zip(&crown.0[at]) {
            if let Some(below) = branch {
                walk(child, shape, crown, *below, edit);
            }
        }
        edit(at, value);
    }
    node.refresh(shape);
}
