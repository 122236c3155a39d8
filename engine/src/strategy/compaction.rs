//! When a tree shrinks.
//!
//! `none`: never; its width is that of all who were ever there at once (or, with placement
//! `append`, who ever joined). It costs nothing and grows paths by a level for each doubling. As
//! the drafts of 2018 had it.
//!
//! `truncate`: RFC 9420 §7.7, whenever the right edge is blank. Every member does it alike as part
//! of following a Remove; nothing is sent, no key is touched. What clients do so that it happens more
//! often is their own affair, and no part of what a group agrees on.

/// When a tree shrinks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compaction {
    /// Never.
    None,
    /// When the right edge is blank.
    #[default]
    Truncate,
}
