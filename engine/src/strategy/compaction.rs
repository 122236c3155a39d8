//! When a tree shrinks.
//!
//! `none`: never; its width is that of all who were ever there at once (or, with placement
//! `append`, who ever joined). It costs nothing and grows paths by a level for each doubling. As
//! the drafts of 2018 had it.
//!
//! `truncate`: RFC 9420 §7.7, whenever the right edge is blank. Every member does it alike as part
//! of following a Remove; nothing is sent, no key is touched. What clients do so that it happens more
//! often is their own affair, and no part of what a group agrees on.

//!
//! `smallest-tree` (R. Barnes on mls-extensions 56, 2025, in outline): at each commit blank leaves are taken
//! out, and a blank parent that is left with one child gives its place to it, so that the smallest tree is
//! left that has the keyed nodes. A newcomer goes beside the leaf nearest to the root; where all are
//! equally deep, the tree grows at the root. Deterministic, nothing is sent, every key stays whose members
//! stay. Leaves keep their numbers here, where the sketch has them renumbered: a leaf's signature
//! covers its number (RFC 9420 §7.2), and could not be checked any more. It needs an extension.
//!
//! `pop`: where a leaf goes, the last one of a left-balanced tree takes its place, so that no leaf is ever
//! blank. The parents above both are blank: O(log n) a removal, one ciphertext more or less each
//! until they are keyed. Whoever was moved knows the keys above its old place, which go for
//! that reason. It needs an extension.
//!
//! What all members of both trade for it: parents have no parent hashes (`layout`).

/// When a tree shrinks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compaction {
    /// Never.
    None,
    /// When the right edge is blank.
    #[default]
    Truncate,
    /// When anything is blank.
    SmallestTree,
    /// When a leaf goes: the last one moves.
    Pop,
}
