//! Shapes and placements against brute force: after random operations every node has the children
//! that its shape gives a subtree of its width, and the place that a strategy finds by one walk is
//! the one that a look at all blank leaves finds. So are the answers to what clients may go by.

#[path = "tree_model/array_tree.rs"]
#[allow(dead_code, reason = "the array itself is the other test's")]
mod array_tree;

use std::sync::Arc;

use arboretum_engine::strategy::{Compaction, Layout, Newcomer, Placement, Strategy};
use arboretum_engine::tree::{LeafIndex, NodeState, Shape, Subtree, Traversed, Tree};
use proptest::prelude::{
    Just, ProptestConfig, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use proptest::strategy::Strategy as _;

use array_tree::{Keyed, Numbered};

type Tested = Tree<Numbered, Strategy>;

const LAYOUTS: [Layout; 4] =
    [Layout::Perfect, Layout::LeftBalanced, Layout::Ary(3), Layout::Ary(4)];

#[derive(Clone, Copy, Debug)]
enum Change {
    Add(Placement),
    Remove(u32),
    Commit(u32),
}

fn change() -> impl proptest::strategy::Strategy<Value = Change> {
    let placement = prop_oneof![
        Just(Placement::LeftmostBlank),
        Just(Placement::Append),
        Just(Placement::RandomBlank),
        Just(Placement::Nearest),
        Just(Placement::Cheapest),
        Just(Placement::ByActivity),
    ];
    prop_oneof![
        4 => placement.prop_map(Change::Add),
        3 => any::<u32>().prop_map(Change::Remove),
        3 => any::<u32>().prop_map(Change::Commit),
    ]
}

fn members(tree: &Tested) -> Vec<LeafIndex> {
    tree.root().leaves().into_iter().map(|(leaf, _)| leaf).collect()
}

fn pick(tree: &Tested, which: u32) -> Option<LeafIndex> {
    let members = members(tree);
    members.get(which as usize % members.len().max(1)).copied()
}

fn blanks(tree: &Tested) -> Vec<LeafIndex> {
    (0..tree.width()).map(LeafIndex).filter(|leaf| tree.leaf(*leaf).is_none()).collect()
}

/// What a path from a leaf costs, added up node by node.
fn path_cost(tree: &Tested, leaf: LeafIndex) -> u64 {
    let path = tree.direct_path(leaf).unwrap();
    let copath = path.iter().flat_map(|step| &step.copath);
    copath.map(|child| child.resolution().len() as u64).sum()
}

/// What a commit from a leaf would key, node by node.
fn blanks_above(tree: &Tested, leaf: LeafIndex) -> u32 {
    let path = tree.direct_path(leaf).unwrap();
    let reaches = |child: &Subtree<'_, Numbered>| !child.resolution().is_empty();
    let filters = tree.shape().filters_paths();
    let keyed = path.iter().filter(|step| !filters || step.copath.iter().any(reaches));
    keyed.filter(|step| step.node.parent().is_none()).count() as u32
}

/// Members from the right, as long as the next blank leaf lies left of them.
fn stragglers(tree: &Tested, most: usize, others: usize) -> Vec<LeafIndex> {
    let members = members(tree).into_iter().rev();
    let moves = members.zip(blanks(tree).into_iter().skip(others));
    moves.take_while(|(leaf, blank)| blank < leaf).map(|(leaf, _)| leaf).take(most).collect()
}

/// How many ancestors two leaves do not share, from the first.
fn distance(tree: &Tested, from: LeafIndex, to: LeafIndex) -> usize {
    let path = tree.direct_path(from).unwrap();
    path.iter().position(|step| step.node.contains(to)).unwrap()
}

/// Where brute force puts a newcomer.
fn expected_place(tree: &Tested, placement: Placement, newcomer: Newcomer) -> Option<LeafIndex> {
    let blanks = blanks(tree);
    match placement {
        Placement::LeftmostBlank => blanks.first().copied(),
        Placement::Append => {
            let last = members(tree).last().copied();
            blanks.into_iter().find(|leaf| last.is_none_or(|last| *leaf > last))
        }
        Placement::RandomBlank => {
            let n = blanks.len() as u64;
            (n > 0).then(|| blanks[(newcomer.number % n) as usize])
        }
        Placement::Nearest => {
            let committer = newcomer.committer?;
            blanks.into_iter().min_by_key(|leaf| (distance(tree, committer, *leaf), *leaf))
        }
        Placement::Cheapest => {
            let least = blanks.iter().map(|leaf| path_cost(tree, *leaf)).min()?;
            let found = placement.choose(tree, newcomer)?;
            assert_eq!(path_cost(tree, found), least);
            Some(found)
        }
        Placement::ByActivity => lightest(tree.root(), &blanks),
    }
}

/// One blank leaf after another ruled out: at each parent those that are not below the child with room
/// that has fewest members; all count alike here.
fn lightest(at: Subtree<'_, Numbered>, blanks: &[LeafIndex]) -> Option<LeafIndex> {
    let below = |child: &Subtree<'_, Numbered>| -> Vec<LeafIndex> {
        blanks.iter().copied().filter(|leaf| child.contains(*leaf)).collect()
    };
    let children = at.children().filter(|child| !below(child).is_empty());
    match children.min_by_key(|child| child.leaves().len()) {
        Some(child) => lightest(child, &below(&child)),
        None => blanks.first().copied(),
    }
}

fn apply(tree: &mut Tested, change: Change, fresh: u32) {
    match change {
        Change::Add(placement) => {
            let committer = pick(tree, fresh);
            let newcomer = Newcomer::new(committer, 3, &fresh.to_be_bytes());
            let place = placement.choose(tree, newcomer);
            if committer.is_some() {
                assert_eq!(place, expected_place(tree, placement, newcomer), "{placement:?}");
            }
            let index = place.unwrap_or_else(|| {
                let index = LeafIndex(tree.width());
                tree.extend();
                index
            });
            tree.add(index, Arc::new(fresh), |parent| parent.with_unmerged(index)).unwrap();
        }
        Change::Remove(which) => {
            if let Some(leaf) = pick(tree, which) {
                tree.blank(leaf).unwrap();
                tree.truncate();
            }
        }
        Change::Commit(which) => {
            if let Some(leaf) = pick(tree, which) {
                let path = tree.direct_path(leaf).unwrap();
                let keys = path.iter().enumerate().map(|(at, step)| {
                    let key = fresh + 1 + at as u32;
                    let keyed = Keyed { key, unmerged: vec![] };
                    (!step.is_filtered_out()).then(|| Arc::new(keyed))
                });
                let keys = keys.collect();
                drop(path);
                tree.set_path(leaf, Arc::new(fresh), keys).unwrap();
            }
        }
    }
}

/// Every node with anything below it has the children that its shape demands.
fn check_shape(strategy: Strategy, subtree: Subtree<'_, Numbered>) {
    let widths: Vec<u32> = subtree.children().map(|child| child.aggregates().width).collect();
    if !widths.is_empty() {
        let expected = strategy.children_of_blank(subtree.aggregates().width);
        assert_eq!(widths[..], expected[..], "{strategy:?}");
    }
    subtree.children().for_each(|child| check_shape(strategy, child));
}

/// A traversal shows every node once, states and costs as the paths of the members have them.
fn check_traversal(tree: &Tested) {
    let mut traversed: Vec<Traversed> = vec![];
    tree.traverse(&mut |node| traversed.push(node));
    let count = |state| traversed.iter().filter(|node| node.state == state).count() as u32;
    let all = tree.aggregates();
    assert_eq!(count(NodeState::Keyed) + count(NodeState::Unmerged), all.keyed_parents);
    assert_eq!(count(NodeState::Blank), all.blank_parents);
    assert_eq!(count(NodeState::Member), all.members);
    assert_eq!(count(NodeState::BlankLeaf), all.width - all.members);
    assert_eq!(traversed.iter().map(|node| node.depth).max(), Some(all.height.into()));
    for leaf in members(tree) {
        let mut above: Vec<_> = traversed
            .iter()
            .filter(|node| (node.first..node.first + node.width).contains(&leaf.0))
            .collect();
        assert_eq!(above.iter().map(|node| node.copath).sum::<u64>(), path_cost(tree, leaf));
        above.reverse();
        let path = tree.direct_path(leaf).unwrap();
        assert_eq!(above.len(), path.len() + 1);
        for (node, step) in above[1..].iter().zip(&path) {
            let blank = step.node.parent().is_none();
            assert_eq!(node.first, step.node.position());
            assert_eq!(node.width, step.node.aggregates().width);
            assert_eq!(node.state == NodeState::Blank, blank);
            assert_eq!(node.lacks_key, blank && !step.is_filtered_out());
        }
    }
}

fn nodes(tree: &Tested) -> usize {
    let all = tree.aggregates();
    (all.width + all.keyed_parents + all.blank_parents) as usize
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn shapes_and_places(
        changes in prop::collection::vec(change(), 1..60),
        layout in 0..LAYOUTS.len(),
        truncates in any::<bool>(),
        filtered in any::<bool>(),
    ) {
        let compaction = if truncates { Compaction::Truncate } else { Compaction::None };
        let strategy = Strategy { layout: LAYOUTS[layout], compaction, filtered, ..Strategy::default() };
        let mut tree = Tested::new(strategy);
        for (number, change) in changes.into_iter().enumerate() {
            let width = tree.width();
            apply(&mut tree, change, 100 * (number as u32 + 1));
            prop_assert!(tree.root().recount());
            check_shape(strategy, tree.root());
            let first = blanks(&tree).first().copied();
            for leaf in members(&tree) {
                let destination = Compaction::ScootOver.destination(&tree, leaf);
                prop_assert_eq!(destination, first.filter(|first| *first < leaf));
                prop_assert_eq!(Compaction::Truncate.destination(&tree, leaf), None);
                prop_assert_eq!(tree.blanks_above(leaf), Ok(blanks_above(&tree, leaf)));
            }
            for (most, others) in [(0, 0), (2, 0), (5, 1), (100, 0)] {
                let expected = stragglers(&tree, most, others);
                prop_assert_eq!(tree.stragglers(most as u32, others as u32), expected);
            }
            check_traversal(&tree);
            prop_assert_eq!(strategy.width_of_nodes(nodes(&tree)), Some(tree.width()));
            prop_assert!(truncates || tree.width() >= width);
            if truncates && strategy.layout == Layout::LeftBalanced && tree.members() > 0 {
                let last = tree.root().rightmost_member().unwrap();
                let grew = tree.width() > width;
                prop_assert!(grew || last.0 + 1 == tree.width() || !matches!(change, Change::Remove(_)));
            }
        }
    }
}

/// A group in which every member has committed, every leaf taken.
fn warm(layout: Layout, members: u32) -> Tested {
    let mut tree = Tested::new(Strategy { layout, ..Strategy::default() });
    for number in 0..members {
        apply(&mut tree, Change::Add(Placement::LeftmostBlank), number);
    }
    for number in 0..members {
        apply(&mut tree, Change::Commit(number), 1_000_000 + 100 * number);
    }
    tree
}

#[test]
fn a_warm_tree_of_degree_d_costs_d_less_one_for_each_level() {
    for (degree, height) in [(2, 7), (3, 4), (4, 4), (5, 3), (16, 2)] {
        let members = u32::from(degree).pow(height);
        let tree = warm(Layout::Ary(degree), members);
        let all = tree.aggregates();
        let each = u64::from(degree - 1) * u64::from(height);
        assert_eq!((all.width, all.blank_parents, all.unmerged), (members, 0, 0));
        assert_eq!(all.path_cost, each * u64::from(members));
        assert_eq!(
            tree.filtered_direct_path(LeafIndex(members / 2)).unwrap().len(),
            height as usize
        );
    }
}

#[test]
fn a_left_balanced_tree_has_the_width_of_its_members() {
    for members in 1..70_u32 {
        let tree = warm(Layout::LeftBalanced, members);
        let height = members.next_power_of_two().trailing_zeros();
        assert_eq!((tree.width(), u32::from(tree.aggregates().height)), (members, height));
    }
}
