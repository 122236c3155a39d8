//! Places in a free tree: beside which node a newcomer is attached, and how far a member climbs. Unlike what
//! is then done, this may go by keys and weights.

use smallvec::SmallVec;

use super::{Form, MAX_HEIGHT};
use crate::tree::node::Graft;
use crate::tree::{Aggregates, LeafIndex, OutsideTree, PathStep, Shape, Subtree, Tree, TreeData};

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

impl<D: TreeData, S: Shape> Tree<D, S> {
    /// Where a newcomer is to be attached; nothing is said of trees that are not free.
    pub fn attach_point(&self, beside: Beside) -> Attach {
        let Some(form) = self.shape().form() else { return Attach::new() };
        let wished = match beside {
            Beside::Cheapest => cheapest(self.root()),
            Beside::Leaf(leaf) => self.route(leaf),
            Beside::Lightest => Some(lightest(self.root())),
            Beside::Rule => Some(form.point(self.root())),
        };
        let wished = wished.filter(|route| self.has_room_at(route));
        wished.unwrap_or_else(|| shallowest(self.root()))
    }

    /// Whether what is below a node may come to stand one level deeper.
    fn has_room_at(&self, route: &Attach) -> bool {
        let mut at = Some(self.root());
        for position in route {
            at = at.and_then(|node| node.children().nth(usize::from(*position)));
        }
        let height = at.map_or(MAX_HEIGHT, |node| node.aggregates().height);
        route.len() + usize::from(height) < usize::from(MAX_HEIGHT)
    }

    /// Which child to take at each node from the root down to a leaf.
    fn route(&self, leaf: LeafIndex) -> Option<Attach> {
        let path = self.direct_path(leaf).ok()?;
        Some(path.iter().rev().map(|step| step.child as u8).collect())
    }

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
            Self::Splice(_) | Self::Smallest => shallowest(root),
            Self::Weighted => lightest(root),
            Self::Pop => Attach::new(),
        }
    }
}

/// The leaf nearest to the root: in a tree of 2^60 leaves at most 60 levels below it.
fn shallowest<D: TreeData>(root: Subtree<'_, D>) -> Attach {
    descend(root, |child| u64::from(child.aggregates().shallow))
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
/// to. Each node caches the best below it ([`Aggregates::graft`]).
fn cheapest<D: TreeData>(root: Subtree<'_, D>) -> Option<Attach> {
    let (mut at, mut route) = (root, Attach::new());
    loop {
        let Aggregates { members, resolution, .. } = *at.aggregates();
        let best = at.aggregates().graft?;
        let here = Graft::new(members, resolution);
        let below = at.children().enumerate().find(|(_, child)| {
            let copath: u32 = at.children().map(|other| other.aggregates().resolution).sum();
            let copath = u64::from(copath - child.aggregates().resolution);
            let graft = child.aggregates().graft;
            graft.is_some_and(|graft| graft.below(copath) == best)
        });
        match below {
            _ if here == best => return Some(route),
            None => return None,
            Some((position, child)) => {
                route.push(position as u8);
                at = child;
            }
        }
    }
}
