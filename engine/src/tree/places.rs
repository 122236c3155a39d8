//! Where the leaves of a free tree are. Elsewhere a leaf is found by counting from the left; where
//! subtrees move about, a leaf keeps a number of its own, and this says, for each leaf and each
//! parent, which parent it is below. Persistent like the tree: changing an entry copies a few blocks.

use std::sync::Arc;

use super::LeafIndex;

/// Entries of one block, and their logarithm.
const FAN: u32 = 1 << BITS;
const BITS: u32 = 5;
/// No node has this number.
const NONE: u32 = u32::MAX;
/// What stands above the root.
const NOTHING: u32 = u32::MAX - 1;

/// Numbers that are taken, each with a value; the smallest free one is found in O(log n).
#[derive(Clone)]
struct Slots {
    root: Arc<Block>,
    /// Levels of blocks below the root.
    levels: u32,
}

#[derive(Clone)]
struct Block {
    taken: u32,
    entries: Entries,
}

#[derive(Clone)]
enum Entries {
    Values([u32; FAN as usize]),
    Blocks(Vec<Arc<Block>>),
}

/// Which entry of a block with so many levels below it leads to a number.
fn entry(number: u32, levels: u32) -> usize {
    (number >> (BITS * levels)) as usize % FAN as usize
}

/// Numbers below each entry of a block with so many levels below it.
fn each(levels: u32) -> u32 {
    1 << (BITS * levels)
}

/// Whether a number lies below a block with so many levels below it.
fn is_inside(number: u32, levels: u32) -> bool {
    u64::from(number) >> (BITS * (levels + 1)) == 0
}

impl Block {
    fn values() -> Self {
        Self { taken: 0, entries: Entries::Values([NONE; FAN as usize]) }
    }

    fn get(&self, number: u32, levels: u32) -> u32 {
        let (mut at, mut levels) = (self, levels);
        loop {
            match &at.entries {
                Entries::Values(values) => return values[entry(number, 0)],
                Entries::Blocks(blocks) => match blocks.get(entry(number, levels)) {
                    Some(block) => (at, levels) = (block, levels - 1),
                    None => return NONE,
                },
            }
        }
    }

    fn set(&mut self, number: u32, value: u32, levels: u32) {
        match &mut self.entries {
            Entries::Values(values) => {
                let entry = &mut values[entry(number, 0)];
                self.taken += u32::from(value != NONE);
                self.taken -= u32::from(*entry != NONE);
                *entry = value;
            }
            Entries::Blocks(blocks) => {
                let at = entry(number, levels);
                if blocks.len() <= at {
                    // One block for all gaps: numbers may come from outside, with anything between.
                    blocks.resize(at + 1, Arc::new(Self::of_levels(levels - 1)));
                }
                let block = Arc::make_mut(&mut blocks[at]);
                self.taken -= block.taken;
                block.set(number, value, levels - 1);
                self.taken += block.taken;
            }
        }
    }

    fn of_levels(levels: u32) -> Self {
        match levels {
            0 => Self::values(),
            _ => Self { taken: 0, entries: Entries::Blocks(vec![]) },
        }
    }

    fn first_free(&self, levels: u32) -> u32 {
        match &self.entries {
            Entries::Values(values) => {
                let free = values.iter().position(|value| *value == NONE);
                free.map_or(FAN, |at| at as u32)
            }
            Entries::Blocks(blocks) => {
                let full = blocks.iter().take_while(|block| block.taken == each(levels)).count();
                let inside = blocks.get(full).map_or(0, |block| block.first_free(levels - 1));
                full as u32 * each(levels) + inside
            }
        }
    }

    fn last(&self, levels: u32) -> Option<u32> {
        match &self.entries {
            Entries::Values(values) => {
                values.iter().rposition(|value| *value != NONE).map(|at| at as u32)
            }
            Entries::Blocks(blocks) => {
                let at = blocks.iter().rposition(|block| block.taken > 0)?;
                Some(at as u32 * each(levels) + blocks[at].last(levels - 1)?)
            }
        }
    }
}

impl Slots {
    fn new() -> Self {
        Self { root: Arc::new(Block::values()), levels: 0 }
    }

    fn get(&self, number: u32) -> Option<u32> {
        let inside = is_inside(number, self.levels);
        let value = if inside { self.root.get(number, self.levels) } else { NONE };
        (value != NONE).then_some(value)
    }

    fn set(&mut self, number: u32, value: u32) {
        while !is_inside(number, self.levels) {
            let taken = self.root.taken;
            let entries = Entries::Blocks(vec![self.root.clone()]);
            self.root = Arc::new(Block { taken, entries });
            self.levels += 1;
        }
        Arc::make_mut(&mut self.root).set(number, value, self.levels);
    }

    fn first_free(&self) -> u32 {
        self.root.first_free(self.levels)
    }
}

/// A node of a free tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    Leaf(u32),
    Parent(u32),
}

/// The nodes from a leaf up to, and without, some node above it.
pub(super) type Ascent = Vec<Spot>;

/// Which parent each leaf and each parent is below.
#[derive(Clone)]
pub(super) struct Places {
    leaves: Slots,
    parents: Slots,
}

impl Places {
    pub(super) fn new() -> Self {
        Self { leaves: Slots::new(), parents: Slots::new() }
    }

    /// The smallest number that no leaf has.
    pub(super) fn free_leaf(&self) -> LeafIndex {
        LeafIndex(self.leaves.first_free())
    }

    /// The smallest number that no parent has.
    pub(super) fn free_parent(&self) -> u32 {
        self.parents.first_free()
    }

    /// One more than the largest number of a leaf.
    pub(super) fn bound(&self) -> u32 {
        self.leaves.root.last(self.leaves.levels).map_or(0, |last| last + 1)
    }

    pub(super) fn has(&self, leaf: LeafIndex) -> bool {
        self.leaves.get(leaf.0).is_some()
    }

    /// Puts a node below a parent, or at the top.
    pub(super) fn put(&mut self, node: Spot, above: Option<u32>) {
        let above = above.unwrap_or(NOTHING);
        match node {
            Spot::Leaf(leaf) => self.leaves.set(leaf, above),
            Spot::Parent(parent) => self.parents.set(parent, above),
        }
    }

    /// Frees the number of a node that is gone.
    pub(super) fn free(&mut self, node: Spot) {
        match node {
            Spot::Leaf(leaf) => self.leaves.set(leaf, NONE),
            Spot::Parent(parent) => self.parents.set(parent, NONE),
        }
    }

    fn above(&self, node: Spot) -> Option<u32> {
        let above = match node {
            Spot::Leaf(leaf) => self.leaves.get(leaf),
            Spot::Parent(parent) => self.parents.get(parent),
        };
        above.filter(|above| *above != NOTHING)
    }

    /// The nodes from a leaf up to the one below `top`; none if the leaf is not below it.
    pub(super) fn ascent(&self, leaf: LeafIndex, top: Spot) -> Option<Ascent> {
        let mut at = Spot::Leaf(leaf.0);
        let mut nodes = Ascent::new();
        self.leaves.get(leaf.0)?;
        while at != top {
            nodes.push(at);
            at = Spot::Parent(self.above(at)?);
        }
        Some(nodes)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a map, over three levels of blocks.
        #[test]
        fn slots_are_a_map(changes in prop::collection::vec((0..40_000_u32, any::<bool>()), 1..200)) {
            let mut slots = Slots::new();
            let mut model = BTreeMap::new();
            for (at, (number, takes)) in changes.into_iter().enumerate() {
                let number = if at % 3 == 0 { slots.first_free() } else { number };
                let before = slots.clone();
                if takes {
                    slots.set(number, at as u32);
                    model.insert(number, at as u32);
                } else {
                    slots.set(number, NONE);
                    model.remove(&number);
                }
                prop_assert_eq!(slots.get(number), model.get(&number).copied());
                prop_assert!(before.get(number) != slots.get(number) || !takes);
                let free = (0..).find(|number| !model.contains_key(number)).unwrap();
                prop_assert_eq!(slots.first_free(), free);
                let last = slots.root.last(slots.levels);
                prop_assert_eq!(last, model.last_key_value().map(|(number, _)| *number));
                prop_assert_eq!(slots.root.taken as usize, model.len());
            }
        }
    }
}
