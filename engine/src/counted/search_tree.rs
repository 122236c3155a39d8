//! Balanced search trees on unordered leaves, for a manager who knows every key: all leaves at one
//! depth, every parent with 2 or 3 children, whatever the churn. Nodes split when a child too
//! many comes; one that is left with a single child borrows from a sibling, or else merges with one.
//!
//! `2-3`: as it is. `left-leaning`: the red-black tree that stands for it (in 2-3 mode), where a
//! parent of three is two of two: an inner one over the first two children, and the outer over
//! that and the third.
//!
//! A newcomer stands beside the first leaf where the fewest parents split. A parent whose children
//! have changed, or one of them has a new key, gets a new key itself; all others keep theirs, and
//! whole subtrees keep their keys when they move.

/// The most children of a parent.
const MOST: usize = 3;
/// The fewest, but for a root.
const FEWEST: usize = 2;

/// Which tree stands for the 2-3 tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balance {
    /// The 2-3 tree itself.
    TwoThree,
    /// The left-leaning red-black tree.
    LeftLeaning,
}

/// A node, by its number.
pub(super) type Node = u32;

#[derive(Clone, Debug, Default)]
struct Entry {
    parent: Option<Node>,
    /// None below a leaf.
    children: Vec<Node>,
    height: u8,
    /// The height up to which parents split when a leaf is put beside the best one below.
    split: u8,
}

/// New keys for parents, from the lowest: a parent's secret comes from one of its fresh children,
/// each other child is sent a ciphertext. A fresh leaf is sent one of its own.
struct Rekeying<'t> {
    /// What changed, with the children it had before.
    before: &'t [(Node, Vec<Node>)],
    /// What has a new key.
    fresh: Vec<Node>,
    ciphertexts: u64,
    keys: u64,
}

impl Rekeying<'_> {
    fn key(&mut self, children: &[bool]) {
        let derived = children.iter().any(|fresh| *fresh);
        self.ciphertexts += children.len() as u64 - u64::from(derived);
        self.keys += 1;
    }

    fn is_fresh(&self, node: Node) -> bool {
        self.fresh.contains(&node)
    }

    /// A parent that is one parent.
    fn parent(&mut self, node: Node, children: &[Node]) {
        let fresh: Vec<bool> = children.iter().map(|child| self.is_fresh(*child)).collect();
        self.key(&fresh);
        self.fresh.push(node);
    }

    /// A parent of a left-leaning tree: three children make two parents.
    fn left_leaning(&mut self, node: Node, children: &[Node]) {
        match *children {
            [first, second, third] => {
                let pair = [self.is_fresh(first), self.is_fresh(second)];
                let inner = !self.stood(first, second, 2);
                if inner {
                    self.key(&pair);
                }
                self.key(&[inner, self.is_fresh(third)]);
                self.fresh.push(node);
            }
            // Two that stood first among three keep the key of their inner parent.
            [first, second] if self.stood(first, second, 3) => {}
            _ => self.parent(node, children),
        }
    }

    /// Whether two children, unchanged, stood first before, among at least so many.
    fn stood(&self, first: Node, second: Node, among: usize) -> bool {
        let changed =
            |node| self.is_fresh(node) || self.before.iter().any(|(changed, _)| *changed == node);
        let stood = |(_, children): &(Node, Vec<Node>)| {
            children.len() >= among && children.starts_with(&[first, second])
        };
        !changed(first) && !changed(second) && self.before.iter().any(stood)
    }
}

/// A tree.
#[derive(Clone, Debug)]
pub struct SearchTree {
    balance: Balance,
    entries: Vec<Entry>,
    free: Vec<Node>,
    /// Nodes that this operation has taken out, whose numbers are free after it.
    dropped: Vec<Node>,
    root: Node,
    leaves: u32,
    /// Parents that need a new key, and the children they had before, where they were.
    fresh: Vec<(Node, Vec<Node>)>,
    /// The leaf with a new key of its own.
    fresh_leaf: Option<Node>,
}

impl SearchTree {
    /// The shallowest tree of so many leaves, at least one, and those from the left.
    pub(super) fn new(balance: Balance, leaves: u32) -> (Self, Vec<Node>) {
        let mut tree = Self {
            balance,
            entries: vec![],
            free: vec![],
            dropped: vec![],
            root: 0,
            leaves,
            fresh: vec![],
            fresh_leaf: None,
        };
        let mut found = Vec::with_capacity(leaves as usize);
        let height = (0..).find(|height| 3_u64.pow(*height) >= u64::from(leaves)).unwrap_or(0);
        tree.root = tree.build(leaves, height, &mut found);
        tree.fresh.clear();
        (tree, found)
    }

    fn build(&mut self, leaves: u32, height: u32, found: &mut Vec<Node>) -> Node {
        if height == 0 {
            let leaf = self.allocate(vec![], 0);
            found.push(leaf);
            return leaf;
        }
        // As many children as can all be filled, and those as evenly as may be.
        let least = 1 << (height - 1);
        let count = (leaves / least).min(MOST as u32);
        let share = |at| leaves / count + u32::from(at < leaves % count);
        let children = (0..count).map(|at| self.build(share(at), height - 1, found)).collect();
        self.allocate(children, height as u8)
    }

    /// Leaves.
    pub(super) fn leaves(&self) -> u32 {
        self.leaves
    }

    /// Levels below the root; O(n).
    pub(super) fn depth(&self) -> u8 {
        self.depth_below(self.root)
    }

    fn depth_below(&self, node: Node) -> u8 {
        let children = &self.entry(node).children;
        let deep = self.balance == Balance::LeftLeaning && children.len() == MOST;
        let levels = children.iter().enumerate().map(|(at, child)| {
            // The first two of three stand under an inner parent.
            self.depth_below(*child) + 1 + u8::from(deep && at < 2)
        });
        levels.max().unwrap_or(0)
    }

    fn entry(&self, node: Node) -> &Entry {
        &self.entries[node as usize]
    }

    fn allocate(&mut self, children: Vec<Node>, height: u8) -> Node {
        let node = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry::default());
            self.entries.len() as u32 - 1
        });
        self.entries[node as usize] = Entry { height, ..Entry::default() };
        self.fresh.push((node, vec![]));
        self.adopt(node, children);
        node
    }

    /// Notes that a parent needs a new key.
    fn touch(&mut self, node: Node) {
        if self.fresh.iter().all(|(fresh, _)| *fresh != node) {
            self.fresh.push((node, self.entry(node).children.clone()));
        }
    }

    fn touch_path(&mut self, from: Option<Node>) {
        let mut at = from;
        while let Some(node) = at {
            self.touch(node);
            self.refresh(node);
            at = self.entry(node).parent;
        }
    }

    fn adopt(&mut self, node: Node, children: Vec<Node>) {
        for child in &children {
            self.entries[*child as usize].parent = Some(node);
        }
        self.entries[node as usize].children = children;
        self.refresh(node);
    }

    /// Brings `split` up to date.
    fn refresh(&mut self, node: Node) {
        let entry = self.entry(node);
        let Some(best) = self.best_child(node) else { return };
        let best = self.entry(best);
        let splits = best.split == best.height && entry.children.len() == MOST;
        let split = if splits { entry.height } else { best.split };
        self.entries[node as usize].split = split;
    }

    fn best_child(&self, node: Node) -> Option<Node> {
        let children = self.entry(node).children.iter().copied();
        children.min_by_key(|child| self.entry(*child).split)
    }

    /// Adds a leaf where the fewest parents split.
    pub(super) fn add(&mut self) -> Node {
        let mut beside = self.root;
        while let Some(best) = self.best_child(beside) {
            beside = best;
        }
        let leaf = self.allocate(vec![], 0);
        self.fresh.clear();
        self.leaves += 1;
        self.insert(beside, leaf);
        self.fresh_leaf = Some(leaf);
        leaf
    }

    /// Puts `new` beside `at`, which has its height.
    fn insert(&mut self, at: Node, new: Node) {
        let Some(parent) = self.entry(at).parent else {
            let height = self.entry(at).height + 1;
            self.root = self.allocate(vec![at, new], height);
            return;
        };
        self.touch(parent);
        let mut children = self.entry(parent).children.clone();
        if children.len() < MOST {
            children.push(new);
            self.adopt(parent, children);
            self.touch_path(self.entry(parent).parent);
            return;
        }
        // The two that stand beside each other go together; the others stay.
        children.retain(|child| *child != at);
        let height = self.entry(parent).height;
        self.adopt(parent, children);
        let moved = self.allocate(vec![at, new], height);
        self.insert(parent, moved);
    }

    /// Takes a leaf away; the last one stays.
    pub(super) fn remove(&mut self, leaf: Node) {
        let Some(parent) = self.entry(leaf).parent else { return };
        self.leaves -= 1;
        self.release(parent, leaf);
        self.dropped.push(leaf);
    }

    /// Takes a child from its parent, which borrows or merges if too few are left.
    fn release(&mut self, parent: Node, child: Node) {
        self.touch(parent);
        let mut rest = self.entry(parent).children.clone();
        rest.retain(|other| *other != child);
        let above = self.entry(parent).parent;
        match (above, rest.as_slice()) {
            (None, [only]) => {
                self.root = *only;
                self.entries[*only as usize].parent = None;
                self.drop_node(parent);
            }
            (Some(above), rest) if rest.len() < FEWEST => self.fill(above, parent, rest.to_vec()),
            _ => {
                self.adopt(parent, rest);
                self.touch_path(above);
            }
        }
    }

    /// Fills a parent of too few children from the first sibling that can spare one, or else
    /// merges it into the first.
    fn fill(&mut self, above: Node, parent: Node, rest: Vec<Node>) {
        let siblings: Vec<_> = self.entry(above).children.clone();
        let mut siblings = siblings.into_iter().filter(|sibling| *sibling != parent);
        let first = siblings.clone().next();
        let rich = siblings.find(|sibling| self.entry(*sibling).children.len() > FEWEST);
        if let Some(rich) = rich {
            self.touch(rich);
            let mut stay = self.entry(rich).children.clone();
            let mut moved = stay.split_off(FEWEST);
            moved.extend(rest);
            self.adopt(rich, stay);
            self.adopt(parent, moved);
            self.touch_path(Some(above));
        } else if let Some(sibling) = first {
            self.touch(sibling);
            let mut children = self.entry(sibling).children.clone();
            children.extend(rest);
            self.adopt(sibling, children);
            self.release(above, parent);
            self.drop_node(parent);
        }
    }

    fn drop_node(&mut self, node: Node) {
        self.entries[node as usize].children.clear();
        self.dropped.push(node);
    }

    /// A leaf gets a new key.
    pub(super) fn update(&mut self, leaf: Node) {
        self.fresh_leaf = Some(leaf);
        self.touch_path(self.entry(leaf).parent);
    }

    /// Gives new keys to all parents that need one: the ciphertexts that tell everybody, and how
    /// many keys are new.
    pub(super) fn rekey(&mut self) -> (u64, u64) {
        let mut changed = std::mem::take(&mut self.fresh);
        changed.sort_by_key(|(node, _)| self.entry(*node).height);
        let mut rekeying = Rekeying {
            before: &changed,
            fresh: self.fresh_leaf.take().into_iter().collect(),
            ciphertexts: 0,
            keys: 0,
        };
        rekeying.ciphertexts += rekeying.fresh.len() as u64;
        for (node, _) in changed.iter().filter(|(node, _)| self.is_parent(*node)) {
            let children = &self.entry(*node).children;
            match self.balance {
                Balance::TwoThree => rekeying.parent(*node, children),
                Balance::LeftLeaning => rekeying.left_leaning(*node, children),
            }
        }
        let (ciphertexts, keys) = (rekeying.ciphertexts, rekeying.keys);
        self.free.append(&mut self.dropped);
        // Where no parent is left to renew, the next secret is sent to the root's good key.
        (ciphertexts + u64::from(ciphertexts == 0), keys)
    }

    fn is_parent(&self, node: Node) -> bool {
        !self.entry(node).children.is_empty()
    }

    /// Whether it is a 2-3 tree, every leaf reachable from the root and back; O(n).
    pub fn is_sound(&self) -> bool {
        let mut leaves = 0;
        let mut open = vec![self.root];
        while let Some(node) = open.pop() {
            let entry = self.entry(node);
            let count = entry.children.len();
            leaves += u32::from(entry.height == 0);
            let sized = match entry.height {
                0 => count == 0,
                _ => (FEWEST..=MOST).contains(&count),
            };
            let below = entry.children.iter().all(|child| {
                let child = self.entry(*child);
                child.parent == Some(node) && child.height + 1 == entry.height
            });
            if !sized || !below {
                return false;
            }
            open.extend(&entry.children);
        }
        leaves == self.leaves && self.entry(self.root).parent.is_none()
    }
}
