//! Free trees against what they must be: after random operations the tree is of its form, every leaf is
//! found under its number, another tree that does the same stands alike, and a tree that was written
//! down is read again. And nobody knows what it should not: of every key it is recorded who was told.

#[path = "tree_model/array_tree.rs"]
#[allow(dead_code, reason = "the array itself is the other test's")]
mod array_tree;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arboretum_engine::strategy::{
    Compaction, Layout, Newcomer, Placement, Removal, Strategy, Unmerged,
};
use arboretum_engine::tree::{
    Attach, Beside, LeafIndex, MAX_LEAVES, NotOfForm, Place, Shape, Subtree, Tree, TreeData,
    Written, WrittenRef,
};
use proptest::prelude::{ProptestConfig, any, prop, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::Strategy as _;

use array_tree::{Keyed, Numbered};

impl Unmerged for Keyed {
    fn with_unmerged(&self, leaf: LeafIndex) -> Self {
        Keyed::with_unmerged(self, leaf)
    }

    fn without_unmerged(&self, leaf: LeafIndex) -> Option<Self> {
        let mut keyed = self.clone();
        keyed.unmerged.retain(|other| *other != leaf);
        (keyed != *self).then_some(keyed)
    }
}

/// A tree beside the tree, which holds the numbers of leaves and nothing else.
enum Mirror {}

impl TreeData for Mirror {
    type Leaf = LeafIndex;
    type Parent = ();
    type Cache = ();

    fn unmerged((): &()) -> &[LeafIndex] {
        &[]
    }
}

#[derive(Clone, Debug)]
enum Change {
    Add(u32),
    Remove(Vec<u32>),
    Commit(u32),
}

fn change() -> impl proptest::strategy::Strategy<Value = Change> {
    prop_oneof![
        4 => any::<u32>().prop_map(Change::Add),
        3 => prop::collection::vec(any::<u32>(), 1..5).prop_map(Change::Remove),
        3 => any::<u32>().prop_map(Change::Commit),
    ]
}

fn strategies() -> Vec<Strategy> {
    let rfc = Strategy::RFC9420;
    let mut all: Vec<Strategy> = [
        Layout::BTree { least: 2, most: 3 },
        Layout::BTree { least: 2, most: 4 },
        Layout::BTree { least: 3, most: 7 },
        Layout::LeftLeaning,
        Layout::WeightBalanced(67),
        Layout::WeightBalanced(75),
        Layout::Scapegoat(70),
        Layout::Weighted,
    ]
    .into_iter()
    .flat_map(|layout| {
        let removal = Removal::FasterRemove;
        let placement = match layout {
            Layout::Weighted => Placement::LeftmostBlank,
            Layout::LeftLeaning => Placement::ByActivity,
            _ => Placement::Nearest,
        };
        [
            Strategy { layout, ..rfc },
            Strategy { layout, removal, placement, ..rfc },
            Strategy { layout, unmerged: false, ..rfc },
        ]
    })
    .collect();
    let splice = Strategy { removal: Removal::Splice, ..rfc };
    all.extend([
        splice,
        Strategy { layout: Layout::Ary(3), ..splice },
        Strategy { placement: Placement::Cheapest, ..splice },
        Strategy { compaction: Compaction::SmallestTree, placement: Placement::Cheapest, ..rfc },
        Strategy { compaction: Compaction::SmallestTree, ..rfc },
        Strategy { compaction: Compaction::SmallestTree, removal: Removal::FasterRemove, ..rfc },
        Strategy { compaction: Compaction::Pop, layout: Layout::LeftBalanced, ..rfc },
    ]);
    assert!(all.iter().all(|strategy| strategy.check().is_ok() && strategy.form().is_some()));
    all
}

/// A tree, one beside it, and who was told which key.
struct Watched {
    tree: Tree<Numbered, Strategy>,
    beside: Tree<Mirror, Strategy>,
    /// The members, by their leaves.
    members: BTreeMap<LeafIndex, u32>,
    told: BTreeMap<u32, BTreeSet<u32>>,
    next: u32,
}

impl Watched {
    fn new(strategy: Strategy) -> Self {
        let (tree, beside) = (Tree::new(strategy), Tree::new(strategy));
        let (members, told) = (BTreeMap::new(), BTreeMap::new());
        let mut watched = Self { tree, beside, members, told, next: 0 };
        watched.add(0);
        watched
    }

    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn pick(&self, which: u32) -> LeafIndex {
        *self.members.keys().nth(which as usize % self.members.len()).unwrap()
    }

    fn add(&mut self, which: u32) {
        let committer = (!self.members.is_empty()).then(|| self.pick(which));
        let newcomer = Newcomer::new(committer, 3, &which.to_be_bytes());
        let free = (0..).map(LeafIndex).find(|leaf| !self.members.contains_key(leaf));
        let room = self.tree.make_room(newcomer, &mut |_| {});
        assert_eq!(Some(room.leaf), free, "the smallest free number");
        self.beside.follow_room(&room);
        let member = self.number();
        self.tree.put(room.leaf, Arc::new(member)).unwrap();
        self.beside.replace(room.leaf, Arc::new(room.leaf)).unwrap();
        self.members.insert(room.leaf, member);
    }

    fn remove(&mut self, which: &[u32]) {
        for which in which {
            if self.members.len() > 1 {
                let leaf = self.pick(*which);
                self.tree.take(leaf).unwrap();
                self.beside.blank(leaf).unwrap();
                self.members.remove(&leaf);
            }
        }
        self.tree.compact(&mut |_| {});
        self.beside.compact(&mut |_| {});
    }

    fn commit(&mut self, which: u32) {
        let leaf = self.pick(which);
        if self.tree.shape().layout == Layout::Weighted {
            // By however many: who counts how much is no concern of the form.
            let depth = self.tree.direct_path(leaf).unwrap().len().max(1);
            let levels = (which / 7) as usize % depth;
            self.tree.climb(leaf, levels as u8, &mut |_| {}).unwrap();
            self.beside.climb(leaf, levels as u8, &mut |_| {}).unwrap();
            let path = self.tree.direct_path(leaf).unwrap();
            assert_eq!(path.len(), (depth - levels).min(self.members.len() - 1));
        }
        let path = self.tree.direct_path(leaf).unwrap();
        let below: Vec<BTreeSet<u32>> = path.iter().map(|step| members_below(step.node)).collect();
        let keys = below.into_iter().map(|below| {
            self.next += 1;
            self.told.insert(self.next, below);
            Some(Arc::new(Keyed { key: self.next, unmerged: vec![] }))
        });
        let keys = keys.collect();
        drop(path);
        let member = Arc::new(self.members[&leaf]);
        self.tree.set_path(leaf, member, keys).unwrap();
    }

    /// Of every key in the tree: whoever was told and is still a member stands below it, whoever stands
    /// below it and is not listed as unmerged was told, and nobody who left was.
    fn check_keys(&self, at: Subtree<'_, Numbered>) {
        if let Some(keyed) = at.parent() {
            let below = members_below(at);
            let told = &self.told[&keyed.key];
            let unmerged: BTreeSet<u32> =
                keyed.unmerged.iter().map(|leaf| self.members[leaf]).collect();
            let expected: BTreeSet<u32> = below.difference(&unmerged).copied().collect();
            assert_eq!(*told, expected, "{:?}", self.tree.shape());
        }
        at.children().for_each(|child| self.check_keys(child));
    }

    fn check(&self) {
        let tree = &self.tree;
        let strategy = *tree.shape();
        assert!(tree.root().recount());
        assert!(strategy.form().unwrap().is_sound(tree.root()), "{strategy:?}");
        assert_eq!(tree.width(), self.members.len() as u32);
        assert_eq!(tree.bound(), self.members.last_key_value().unwrap().0.0 + 1);
        let found = tree.root().leaves().into_iter().map(|(leaf, member)| (leaf, **member));
        assert_eq!(found.collect::<BTreeMap<_, _>>(), self.members);
        for (position, (leaf, member)) in tree.root().leaves().into_iter().enumerate() {
            assert_eq!(tree.leaf(leaf), Some(member));
            let path = tree.direct_path(leaf).unwrap();
            let first = path.first().map(|step| {
                let child = step.node.children().nth(step.child).unwrap();
                assert!(child.contains(leaf));
                (child.first_leaf(), child.position())
            });
            assert!(first.is_none_or(|found| found == (leaf, position as u32)));
        }
        self.check_keys(tree.root());
        assert_eq!(form_of(tree.root()), form_of(self.beside.root()));
        let mut written = vec![];
        tree.written(&mut |node| written.push(owned(node)));
        let read = Tree::<Numbered, _>::from_written(strategy, &written).unwrap();
        assert_eq!(form_of(read.root()), form_of(tree.root()));
        assert_eq!(read.aggregates(), tree.aggregates());
    }
}

fn owned(node: WrittenRef<'_, Numbered>) -> Written<u32, Keyed> {
    match node {
        WrittenRef::Leaf(leaf, value) => Written::Leaf(leaf, value.clone()),
        WrittenRef::Parent(children, inner, value) => {
            Written::Parent { children, inner, value: value.cloned() }
        }
    }
}

fn members_below(at: Subtree<'_, Numbered>) -> BTreeSet<u32> {
    at.leaves().into_iter().map(|(_, member)| **member).collect()
}

/// A tree as nested lists of leaves.
fn form_of<D: TreeData>(at: Subtree<'_, D>) -> String {
    match at.place() {
        Place::Blank => "_".into(),
        Place::Leaf(_) => at.first_leaf().0.to_string(),
        Place::Parent(_) => {
            let children: Vec<String> = at.children().map(form_of).collect();
            let inner = if at.is_inner() { "*" } else { "" };
            format!("{inner}({})", children.join(" "))
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn forms_and_keys(
        changes in prop::collection::vec(change(), 1..80),
        which in 0..strategies().len(),
    ) {
        let mut watched = Watched::new(strategies()[which]);
        for change in changes {
            match change {
                Change::Add(by) => watched.add(by),
                Change::Remove(which) => watched.remove(&which),
                Change::Commit(which) => watched.commit(which),
            }
            watched.check();
        }
    }

    /// The place that `cheapest` finds raises the expected update cost no more than any other does, once all
    /// parents are keyed again but those that were blank or have unmerged leaves elsewhere.
    #[test]
    fn the_cheapest_graft_is_the_best(changes in prop::collection::vec(change(), 1..40)) {
        let placement = Placement::Cheapest;
        let strategy = Strategy { placement, removal: Removal::Splice, ..Strategy::RFC9420 };
        let mut watched = Watched::new(strategy);
        for change in changes {
            match change {
                Change::Add(by) => watched.add(by),
                Change::Remove(which) => watched.remove(&which),
                Change::Commit(which) => watched.commit(which),
            }
            let chosen = watched.tree.attach_point(Beside::Cheapest);
            let mut all = vec![];
            routes(watched.tree.root(), &mut Attach::new(), &mut all);
            let best = all.iter().map(|at| rise(&watched.tree, at)).min();
            prop_assert_eq!(Some(rise(&watched.tree, &chosen)), best);
        }
    }
}

/// The ways to all nodes.
fn routes(at: Subtree<'_, Numbered>, way: &mut Attach, all: &mut Vec<Attach>) {
    all.push(way.clone());
    for (position, child) in at.children().enumerate() {
        way.push(position as u8);
        routes(child, way, all);
        way.pop();
    }
}

/// What a newcomer beside a node makes of the cost of all members' paths, but for those who reach it by
/// one ciphertext wherever it stands: the new parent keyed, the others as they are.
fn rise(tree: &Tree<Numbered, Strategy>, at: &Attach) -> u64 {
    let mut grown = tree.clone();
    let leaf = grown.attach(at, &mut |_| {});
    // The newcomer holds every key above it: nobody has to reach it by itself.
    grown.add(leaf, Arc::new(0), Keyed::clone).unwrap();
    let path = grown.direct_path(leaf).unwrap();
    let lowest = path.first().map(|step| step.node.aggregates().members);
    let spent: usize =
        path.iter().flat_map(|step| &step.copath).map(|c| c.resolution().len()).sum();
    u64::from(lowest.map_or(0, |members| members - 1)) + spent as u64
}

/// Where nobody leaves, a tree is as deep as its form allows and no deeper.
#[test]
fn depths_of_trees_that_only_grow() {
    for strategy in strategies() {
        let mut watched = Watched::new(strategy);
        (1..1_024).for_each(|by| watched.add(by));
        let height = u32::from(watched.tree.aggregates().height);
        let most = match strategy.layout {
            Layout::BTree { least, .. } => 1_024_u32.ilog(least.into()),
            Layout::LeftLeaning => 20,
            Layout::WeightBalanced(75) | Layout::Scapegoat(_) => 24,
            Layout::WeightBalanced(_) => 17,
            _ => 10,
        };
        assert!(height <= most, "{strategy:?}: {height}");
        watched.check();
    }
}

/// The sketch on mls-extensions 56: what is blank goes, what is keyed stays.
#[test]
fn the_smallest_tree_of_two_members_at_the_edges() {
    let strategy = Strategy::parse("smallest-tree").unwrap();
    let mut watched = Watched::new(strategy);
    (1..8).for_each(|by| watched.add(by));
    assert_eq!(form_of(watched.tree.root()), "(((0 1) (2 3)) ((4 6) (5 7)))");
    let gone: Vec<LeafIndex> = [1, 2, 3, 4, 5, 6].map(LeafIndex).to_vec();
    for leaf in gone {
        watched.tree.take(leaf).unwrap();
        watched.beside.blank(leaf).unwrap();
        watched.members.remove(&leaf);
    }
    watched.tree.compact(&mut |_| {});
    watched.beside.compact(&mut |_| {});
    assert_eq!(form_of(watched.tree.root()), "(0 7)");
    watched.check();
}

/// What is written down may come from outside.
#[test]
fn what_is_no_free_tree_is_refused() {
    let leaf = |number| Written::Leaf(LeafIndex(number), Arc::new(number));
    let parent = |children, inner| Written::Parent { children, inner, value: None };
    let read = |strategy: &str, nodes: &[Written<u32, Keyed>]| {
        let strategy = Strategy::parse(strategy).unwrap();
        Tree::<Numbered, _>::from_written(strategy, nodes).map(|tree| tree.width())
    };
    let pair = [parent(2, false), leaf(0), leaf(1)];
    let llrb = "multicast-2022+shape=llrb";
    for strategy in ["smallest-tree", "multicast-2022", llrb, "rfc9420+shape=weighted"] {
        assert_eq!(read(strategy, &pair), Ok(2), "{strategy}");
        assert_eq!(read(strategy, &pair[..2]), Err(NotOfForm::End));
        assert_eq!(read(strategy, &[&pair[..], &[leaf(2)]].concat()), Err(NotOfForm::End));
        assert_eq!(read(strategy, &[]), Err(NotOfForm::End));
        let twice = [parent(2, false), leaf(1), leaf(1)];
        assert_eq!(read(strategy, &twice), Err(NotOfForm::Leaf(LeafIndex(1))));
        let beyond = [parent(2, false), leaf(0), leaf(MAX_LEAVES)];
        assert_eq!(read(strategy, &beyond), Err(NotOfForm::Leaf(LeafIndex(MAX_LEAVES))));
        let inner = [parent(2, true), leaf(0), leaf(1)];
        assert_eq!(read(strategy, &inner), Err(NotOfForm::Form), "{strategy}");
        let single = [parent(1, false), leaf(0)];
        assert_eq!(read(strategy, &single), Err(NotOfForm::Form));
    }
    // Three children of one node: as one parent, or as two.
    let wide = [parent(3, false), leaf(0), leaf(1), leaf(2)];
    let leans = [parent(2, false), parent(2, true), leaf(0), leaf(1), leaf(2)];
    let uneven = [parent(2, false), parent(2, false), leaf(0), leaf(1), leaf(2)];
    let right = [parent(2, false), leaf(0), parent(2, true), leaf(1), leaf(2)];
    for (nodes, reads) in [
        (&wide[..], ["multicast-2022"].as_slice()),
        (&leans, &[llrb]),
        (&uneven, &["smallest-tree", "rfc9420+shape=weighted", "rfc9420+shape=scapegoat:70"]),
        (&right, &[]),
    ] {
        let all = ["multicast-2022", llrb, "smallest-tree", "rfc9420+shape=weighted"];
        for strategy in all.into_iter().chain(["rfc9420+shape=scapegoat:70"]) {
            let expected = if reads.contains(&strategy) { Ok(3) } else { Err(NotOfForm::Form) };
            assert_eq!(read(strategy, nodes), expected, "{strategy}: {nodes:?}");
        }
    }
    // Deeper than any walk goes.
    let deep: Vec<_> = (0..62).flat_map(|number| [parent(2, false), leaf(number)]).collect();
    let deep = [&deep[..], &[leaf(62)]].concat();
    assert_eq!(read("smallest-tree", &deep), Err(NotOfForm::Form));
}
