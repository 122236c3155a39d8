//! Left-leaning red-black trees (Sedgewick, 2008; in 2-3 mode): each is the binary tree that stands for a
//! 2-3 tree. A node of three children is two parents, an inner (red) one over the first two and an
//! outer one over that and the third. At most twice as deep as the 2-3 tree, binary like the tree
//! of RFC 9420.
//!
//! An inner parent keeps its key while it is over the same two children; when its node splits between
//! them and the third, it stands for the one half.

use super::b_tree::Rules;

pub(super) const RULES: Rules = Rules { least: 2, most: 3, leans: true };
