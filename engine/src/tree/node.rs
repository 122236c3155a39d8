//! A node of the persistent tree and the aggregates it caches over its subtree.

use std::num::NonZeroU64;
use std::sync::Arc;

use smallvec::SmallVec;

use super::TreeData;
use super::shape::Shape;

/// The children of a parent, from the left.
pub(super) type Children<D> = SmallVec<[Arc<Node<D>>; 2]>;

/// What every node knows about its subtree. Each is recomputed from the children when a path
/// is copied, so reading one at the root costs nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Aggregates {
    /// Leaves, blank ones included.
    pub width: u32,
    /// Leaves that are not blank.
    pub members: u32,
    /// What all of those count ([`TreeData::weight`]).
    pub weight: u64,
    /// Parents that are blank.
    pub blank_parents: u32,
    /// Parents that hold a key.
    pub keyed_parents: u32,
    /// `|res(v)|`: the keys a secret must be encrypted to in order to reach all members.
    pub resolution: u32,
    /// Entries in all unmerged lists.
    pub unmerged: u64,
    /// Levels below this node.
    pub height: u8,
    /// Levels between this node and the leaf below that is nearest to it.
    pub shallow: u8,
    /// Σ over the members below of the ciphertexts their path update spends below this node:
    /// `S(v) = Σ S(child) + Σ over ordered pairs of children m(a)·r(b)`.
    pub path_cost: u64,
    /// The least that a leaf put into a blank place below would spend on its path below this
    /// node: the sum of its copath's resolutions. None if there is no room.
    pub cheapest_room: Option<u64>,
    /// The least that a newcomer beside this node, or one below, would raise the cost of paths below
    /// this node if all its parents were keyed, and how deep that place is; the least deep of equals.
    pub graft: Option<Graft>,
}

/// What a newcomer beside some node raises costs by, and how deep that is: both in one number, since each
/// node has one. Costs take 55 bits: four times all leaves there can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Graft(NonZeroU64);

impl Graft {
    const DEPTH_BITS: u32 = 8;

    /// Beside a node of so many members and this resolution: neither is 0 where somebody is.
    pub(super) const fn new(members: u32, resolution: u32) -> Self {
        let cost = members as u64 + resolution as u64;
        Self(NonZeroU64::MIN.saturating_add((cost << Self::DEPTH_BITS) - 1))
    }

    /// The same seen from a node above, whose other children resolve to so much.
    #[must_use]
    pub(super) fn below(self, copath: u64) -> Self {
        Self(self.0.saturating_add((copath << Self::DEPTH_BITS) + 1))
    }

    /// What it raises costs by.
    pub fn cost(self) -> u64 {
        self.0.get() >> Self::DEPTH_BITS
    }
}

impl Aggregates {
    /// Those of a member's leaf.
    const fn leaf(weight: u64) -> Self {
        Self {
            width: 1,
            members: 1,
            weight,
            blank_parents: 0,
            keyed_parents: 0,
            resolution: 1,
            unmerged: 0,
            height: 0,
            shallow: 0,
            path_cost: 0,
            cheapest_room: None,
            graft: Some(Graft::new(1, 1)),
        }
    }
}

/// What tells a node of a free tree from others; in other trees all are alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tag {
    /// The leaf's number, or the parent's.
    pub(super) number: u32,
    /// Whether a parent and its own parent stand for one of three children
    /// ([`Form::LeftLeaning`](super::Form)).
    pub(super) inner: bool,
}

/// A subtree: wholly blank, one member's leaf, or a parent with its children.
pub struct Node<D: TreeData> {
    aggregates: Aggregates,
    pub(super) tag: Tag,
    pub(super) cache: D::Cache,
    pub(super) kind: Kind<D>,
}

pub(super) enum Kind<D: TreeData> {
    /// Nothing below: no member and no key. Kept closed, so an empty half costs one node.
    Blank,
    Leaf(Arc<D::Leaf>),
    Parent {
        value: Option<Arc<D::Parent>>,
        children: Children<D>,
    },
}

impl<D: TreeData> Clone for Node<D> {
    /// The copy starts without a cache: it is made in order to be changed.
    fn clone(&self) -> Self {
        Self {
            aggregates: self.aggregates,
            tag: self.tag,
            cache: D::Cache::default(),
            kind: match &self.kind {
                Kind::Blank => Kind::Blank,
                Kind::Leaf(leaf) => Kind::Leaf(leaf.clone()),
                Kind::Parent { value, children } => {
                    Kind::Parent { value: value.clone(), children: children.clone() }
                }
            },
        }
    }
}

impl<D: TreeData> Node<D> {
    pub(super) fn blank<S: Shape>(shape: &S, width: u32) -> Self {
        let aggregates = Aggregates {
            width,
            blank_parents: shape.parents_in_blank(width),
            height: shape.height_of_blank(width),
            shallow: shape.height_of_blank(width),
            cheapest_room: Some(0),
            ..Aggregates::default()
        };
        Self { aggregates, tag: Tag::default(), cache: D::Cache::default(), kind: Kind::Blank }
    }

    pub(super) fn leaf(leaf: Arc<D::Leaf>) -> Self {
        let aggregates = Aggregates::leaf(D::weight(&leaf));
        let (tag, cache) = (Tag::default(), D::Cache::default());
        Self { aggregates, tag, cache, kind: Kind::Leaf(leaf) }
    }

    pub(super) fn parent(value: Option<Arc<D::Parent>>, children: Children<D>) -> Self {
        let aggregates = combine::<D>(value.as_deref(), &children);
        let (tag, cache) = (Tag::default(), D::Cache::default());
        Self { aggregates, tag, cache, kind: Kind::Parent { value, children } }
    }

    /// The same node under another tag.
    pub(super) fn tagged(self, tag: Tag) -> Self {
        Self { tag, ..self }
    }

    pub(super) fn aggregates(&self) -> &Aggregates {
        &self.aggregates
    }

    pub(super) fn children(&self) -> &[Arc<Self>] {
        match &self.kind {
            Kind::Parent { children, .. } => children,
            _ => &[],
        }
    }

    /// The first child, taking the place of this node, which is cut off.
    pub(super) fn cut(&self) -> Option<Arc<Self>> {
        self.lifted(0)
    }

    /// A child, with what it is to carry of this node, which is taken apart.
    pub(super) fn lifted(&self, position: usize) -> Option<Arc<Self>> {
        let Kind::Parent { value, children } = &self.kind else { return None };
        let child = children.get(position)?;
        let Some(cut) = value.as_deref() else { return Some(child.clone()) };
        let lifted = match &child.kind {
            Kind::Blank => None,
            Kind::Leaf(leaf) => {
                D::lift_leaf(cut, position, leaf).map(|leaf| Self::leaf(Arc::new(leaf)))
            }
            Kind::Parent { value, children } => D::lift_parent(cut, position, value.as_deref())
                .map(|value| Self::parent(Some(Arc::new(value)), children.clone())),
        };
        Some(lifted.map_or_else(|| child.clone(), |lifted| Arc::new(lifted.tagged(child.tag))))
    }

    /// Whether nothing at all is below this node.
    pub(super) fn is_empty(&self) -> bool {
        self.aggregates.members == 0 && self.aggregates.keyed_parents == 0
    }

    /// Brings the aggregates up to date after a child or the value changed, closes a subtree
    /// that has become empty, and forgets the cache.
    pub(super) fn refresh<S: Shape>(&mut self, shape: &S) {
        self.cache = D::Cache::default();
        if let Kind::Parent { value, children } = &self.kind {
            self.aggregates = combine::<D>(value.as_deref(), children);
            if self.is_empty() && shape.form().is_none() {
                *self = Self::blank(shape, self.aggregates.width);
            }
        }
    }

    /// Whether every cached aggregate is what its children say.
    pub(super) fn recount(&self) -> bool {
        let counted = match &self.kind {
            Kind::Parent { value, children } => combine::<D>(value.as_deref(), children),
            Kind::Leaf(leaf) => Aggregates::leaf(D::weight(leaf)),
            Kind::Blank => return self.is_empty() && self.aggregates.path_cost == 0,
        };
        counted == self.aggregates && self.children().iter().all(|child| child.recount())
    }

    /// Opens an all-blank subtree by one level.
    pub(super) fn open<S: Shape>(&mut self, shape: &S) {
        if matches!(self.kind, Kind::Blank) && self.aggregates.width > 1 {
            let children = shape
                .children_of_blank(self.aggregates.width)
                .into_iter()
                .map(|width| Arc::new(Self::blank(shape, width)))
                .collect();
            self.kind = Kind::Parent { value: None, children };
        }
    }
}

fn combine<D: TreeData>(value: Option<&D::Parent>, children: &[Arc<Node<D>>]) -> Aggregates {
    let mut sum = Aggregates::default();
    let (mut height, mut shallow) = (0, u8::MAX);
    for child in children {
        let child = child.aggregates();
        sum.width += child.width;
        sum.members += child.members;
        sum.weight += child.weight;
        sum.blank_parents += child.blank_parents;
        sum.keyed_parents += child.keyed_parents;
        sum.resolution += child.resolution;
        sum.unmerged += child.unmerged;
        sum.path_cost += child.path_cost;
        height = height.max(child.height);
        shallow = shallow.min(child.shallow);
    }
    sum.height = height + 1;
    sum.shallow = shallow.saturating_add(1);
    // A member spends one ciphertext on each key that its siblings' subtrees resolve to.
    for child in children {
        let child = child.aggregates();
        let copath = u64::from(sum.resolution - child.resolution);
        sum.path_cost += u64::from(child.members) * copath;
        let room = child.cheapest_room.map(|room| room + copath);
        sum.cheapest_room = [sum.cheapest_room, room].into_iter().flatten().min();
        let graft = child.graft.map(|graft| graft.below(copath));
        sum.graft = [sum.graft, graft].into_iter().flatten().min();
    }
    match value {
        None => sum.blank_parents += 1,
        Some(value) => {
            let unmerged = D::unmerged(value).len() as u32;
            sum.keyed_parents += 1;
            sum.resolution = 1 + unmerged;
            sum.unmerged += u64::from(unmerged);
        }
    }
    sum.graft = sum.graft.map(|below| below.min(Graft::new(sum.members, sum.resolution)));
    sum
}
