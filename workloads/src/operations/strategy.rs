//! A strategy in words or as a table: as scenarios have it.

pub(super) use crate::scenario::strategy_words as words;
