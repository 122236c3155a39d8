//! A portrait: the states of all nodes of a tree, level by level, small enough to be kept. A node
//! at least a bin wide has a row of its own. Narrower ones are counted into the bin they lie in,
//! leaf column by leaf column, and bins of the same mixture are one row. Nothing is left out.

use arboretum_engine::tree::{NodeState, Traversed};
use arboretum_results::PortraitRow;

/// Bins across a tree, at most.
const BINS: u64 = 512;

/// A portrait in the making. Nodes come as a traversal gives them: at each level from the left.
#[derive(Debug)]
pub(super) struct Portrait {
    /// Leaf columns of a bin.
    bin: u64,
    levels: Vec<Vec<Cell>>,
}

/// Leaf columns side by side at one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    first: u64,
    end: u64,
    /// Whether it is one node, at least a bin wide.
    is_wide: bool,
    /// Nodes that begin here.
    nodes: u64,
    /// Leaf columns by state of the node above them, in the order of [`place_of`].
    columns: [u64; 5],
}

fn place_of(state: NodeState) -> usize {
    match state {
        NodeState::Keyed => 0,
        NodeState::Unmerged => 1,
        NodeState::Blank => 2,
        NodeState::Member => 3,
        NodeState::BlankLeaf => 4,
    }
}

impl Cell {
    fn new(first: u64) -> Self {
        Self { first, end: first, is_wide: false, nodes: 0, columns: [0; 5] }
    }

    fn extend(&mut self, first: u64, end: u64, state: NodeState) {
        self.end = end;
        self.columns[place_of(state)] += end - first;
    }

    /// Whether two cells side by side are the same mixture.
    fn continues(&self, next: &Self) -> bool {
        let (here, there) = (self.end - self.first, next.end - next.first);
        let mut pairs = self.columns.iter().zip(&next.columns);
        !self.is_wide
            && !next.is_wide
            && self.end == next.first
            && pairs.all(|(one, other)| one * there == other * here)
    }

    fn absorb(&mut self, next: &Self) {
        self.end = next.end;
        self.nodes += next.nodes;
        self.columns.iter_mut().zip(next.columns).for_each(|(one, other)| *one += other);
    }
}

impl Portrait {
    /// An empty portrait of a tree with so many leaves.
    pub(super) fn new(width: u32) -> Self {
        Self { bin: u64::from(width).div_ceil(BINS).max(1), levels: vec![] }
    }

    /// Adds the next node of a traversal.
    pub(super) fn add(&mut self, node: Traversed) {
        let level = node.depth as usize;
        if self.levels.len() <= level {
            self.levels.resize_with(level + 1, Vec::new);
        }
        let (bin, cells) = (self.bin, &mut self.levels[level]);
        let (first, width) = (u64::from(node.first), u64::from(node.width));
        let end = first + width;
        if width >= bin {
            let mut cell = Cell { is_wide: true, nodes: 1, ..Cell::new(first) };
            cell.extend(first, end, node.state);
            cells.push(cell);
            return;
        }
        let mut from = first;
        while from < end {
            let to = end.min((from / bin + 1) * bin);
            let cell = cell_of(cells, from, bin);
            cell.extend(from, to, node.state);
            cell.nodes += u64::from(from == first);
            from = to;
        }
    }

    /// The rows, by level and from the left.
    pub(super) fn rows(self, time_ms: u64, epoch: u64) -> Vec<PortraitRow> {
        let row = |level: usize, cell: Cell| {
            let [keyed, unmerged, blank, member, blank_leaf] = cell.columns;
            PortraitRow {
                time_ms,
                epoch,
                level: level as u32,
                first: cell.first,
                leaves: cell.end - cell.first,
                nodes: cell.nodes,
                keyed,
                unmerged,
                blank,
                member,
                blank_leaf,
            }
        };
        let levels = self.levels.into_iter().map(merged).enumerate();
        levels.flat_map(|(level, cells)| cells.into_iter().map(move |c| row(level, c))).collect()
    }
}

/// The cell of the bin that a leaf column lies in. A wide node may end or begin inside a bin: the
/// columns before and after it are then two cells.
fn cell_of(cells: &mut Vec<Cell>, column: u64, bin: u64) -> &mut Cell {
    let is_there =
        cells.last().is_some_and(|last| !last.is_wide && last.first / bin == column / bin);
    if !is_there {
        cells.push(Cell::new(column));
    }
    let last = cells.len() - 1;
    &mut cells[last]
}

/// Neighbours of the same mixture as one.
fn merged(cells: Vec<Cell>) -> Vec<Cell> {
    let mut merged: Vec<Cell> = vec![];
    for cell in cells {
        match merged.last_mut() {
            Some(last) if last.continues(&cell) => last.absorb(&cell),
            _ => merged.push(cell),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arboretum_engine::strategy::{Compaction, Layout, Strategy};
    use arboretum_engine::tree::{LeafIndex, Tree, TreeData};

    use super::*;

    enum Plain {}

    impl TreeData for Plain {
        type Leaf = ();
        type Parent = Vec<LeafIndex>;
        type Cache = ();

        fn unmerged(parent: &Vec<LeafIndex>) -> &[LeafIndex] {
            parent
        }
    }

    type Plant = Tree<Plain, Strategy>;

    /// A tree of `width` leaves of which the first `grown` are in use: every third of those is
    /// blank, every fifth has committed, and the member at leaf 2 came last.
    fn plant(layout: Layout, width: u32, grown: u32) -> Plant {
        let strategy = Strategy { layout, compaction: Compaction::None, ..Strategy::default() };
        let mut tree = Plant::new(strategy);
        while tree.width() < width {
            tree.extend();
        }
        let unmerge = |leaf| move |list: &Vec<LeafIndex>| [&list[..], &[leaf]].concat();
        let early = (0..grown).filter(|leaf| leaf % 3 != 1 && *leaf != 2).map(LeafIndex);
        for leaf in early.clone() {
            tree.add(leaf, Arc::new(()), unmerge(leaf)).unwrap();
        }
        for leaf in early.filter(|leaf| leaf.0 % 5 == 0) {
            let path = tree.direct_path(leaf).unwrap();
            let keys = path.iter().map(|step| (!step.is_filtered_out()).then(Arc::default));
            let keys = keys.collect();
            drop(path);
            tree.set_path(leaf, Arc::new(()), keys).unwrap();
        }
        tree.add(LeafIndex(2), Arc::new(()), unmerge(LeafIndex(2))).unwrap();
        tree
    }

    fn portrait(tree: &Plant) -> Vec<PortraitRow> {
        let mut portrait = Portrait::new(tree.width());
        tree.traverse(&mut |node| portrait.add(node));
        portrait.rows(0, 1)
    }

    /// Rows as text: level, where, how many nodes, and the columns of each state.
    fn text(rows: &[PortraitRow]) -> Vec<String> {
        let text = |row: &PortraitRow| {
            let states = [row.keyed, row.unmerged, row.blank, row.member, row.blank_leaf];
            let names = ["keyed", "unmerged", "blank", "member", "blank leaf"];
            let there = states.iter().zip(names).filter(|(count, _)| **count > 0);
            let there: Vec<_> = there.map(|(count, name)| format!("{count} {name}")).collect();
            let end = row.first + row.leaves;
            format!("{} {}..{end} {}: {}", row.level, row.first, row.nodes, there.join(", "))
        };
        rows.iter().map(text).collect()
    }

    #[test]
    fn eight_leaves_are_drawn_node_by_node() {
        let golden = [
            "0 0..8 1: 8 unmerged",
            "1 0..4 1: 4 unmerged",
            "1 4..8 1: 4 keyed",
            "2 0..2 1: 2 blank",
            "2 2..4 1: 2 blank",
            "2 4..6 1: 2 blank",
            "2 6..8 1: 2 blank",
            "3 0..1 1: 1 member",
            "3 1..2 1: 1 blank leaf",
            "3 2..3 1: 1 member",
            "3 3..4 1: 1 member",
            "3 4..5 1: 1 blank leaf",
            "3 5..6 1: 1 member",
            "3 6..7 1: 1 member",
            "3 7..8 1: 1 blank leaf",
        ];
        assert_eq!(text(&portrait(&plant(Layout::Perfect, 8, 8)))[..], golden);
    }

    #[test]
    fn a_level_without_a_node_is_left_open() {
        let golden = [
            "0 0..5 1: 5 blank",
            "1 0..4 1: 4 blank",
            "1 4..5 1: 1 blank leaf",
            "2 0..2 1: 2 blank",
            "2 2..4 1: 2 blank",
            "3 0..1 1: 1 member",
            "3 1..2 1: 1 blank leaf",
            "3 2..3 1: 1 member",
            "3 3..4 1: 1 blank leaf",
        ];
        assert_eq!(text(&portrait(&plant(Layout::LeftBalanced, 5, 3)))[..], golden);
    }

    /// Leaf columns of each state at a level within a range, by a walk over all nodes.
    fn counted(tree: &Plant, level: u32, first: u64, end: u64) -> [u64; 5] {
        let mut columns = [0; 5];
        tree.traverse(&mut |node| {
            let (from, to) = (node.first.into(), u64::from(node.first + node.width));
            if node.depth == level {
                columns[place_of(node.state)] += to.min(end).saturating_sub(first.max(from));
            }
        });
        columns
    }

    #[test]
    fn large_trees_are_mixed_and_nothing_is_lost() {
        for (layout, width) in [
            (Layout::Perfect, 2_048),
            (Layout::LeftBalanced, 1_500),
            (Layout::LeftBalanced, 1_025),
            (Layout::Ary(3), 2_187),
            (Layout::Ary(4), 4_096),
        ] {
            let tree = plant(layout, width, width * 3 / 5);
            let rows = portrait(&tree);
            assert_eq!(tree.width(), width);
            for level in rows.chunk_by(|a, b| a.level == b.level) {
                assert!(level.len() as u64 <= 2 * BINS, "{layout:?} {}", level.len());
                assert!(
                    level.windows(2).all(|pair| pair[0].first + pair[0].leaves <= pair[1].first)
                );
                for row in level {
                    let columns = [row.keyed, row.unmerged, row.blank, row.member, row.blank_leaf];
                    let naive = counted(&tree, row.level, row.first, row.first + row.leaves);
                    assert_eq!(columns, naive, "{layout:?} {row:?}");
                }
                let all = |of: fn(&PortraitRow) -> u64| level.iter().map(of).sum::<u64>();
                let found = [
                    all(|r| r.keyed),
                    all(|r| r.unmerged),
                    all(|r| r.blank),
                    all(|r| r.member),
                    all(|r| r.blank_leaf),
                ];
                assert_eq!(found, counted(&tree, level[0].level, 0, width.into()));
            }
        }
    }

    #[test]
    fn a_blank_half_is_one_row_a_level() {
        let tree = plant(Layout::Perfect, 1 << 14, 1 << 12);
        let rows = portrait(&tree);
        let right = rows.iter().filter(|row| row.level == 14 && row.first >= 1 << 13);
        assert_eq!(right.count(), 0, "the blank leaves of both halves are one");
        let last = rows.last().unwrap();
        assert_eq!((last.first, last.leaves, last.blank_leaf), (1 << 12, 3 << 12, 3 << 12));
        assert_eq!(last.nodes, 3 << 12);
    }
}
