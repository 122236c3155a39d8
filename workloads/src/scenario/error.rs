//! What is wrong with a scenario, and where: file, line, column, key, what was expected, and
//! the nearest valid name.

use std::ops::Range;

/// A scenario that is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.sentence())]
pub struct ScenarioError {
    /// The file, or the name of a shipped scenario.
    pub file: String,
    /// The text that was read, for showing the place.
    pub text: String,
    /// The bytes of the text that are wrong.
    pub span: Option<Range<usize>>,
    /// The key, its tables joined by dots.
    pub key: Option<String>,
    /// What is wrong and what was expected.
    pub what: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl ScenarioError {
    pub(crate) fn new(file: &str, text: &str, what: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            text: text.into(),
            span: None,
            key: None,
            what: what.into(),
            help: None,
        }
    }

    /// The line and column of the place, from 1.
    pub fn position(&self) -> Option<(usize, usize)> {
        let before = self.text.get(..self.span.as_ref()?.start)?;
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        Some((line, column))
    }

    fn sentence(&self) -> String {
        let mut sentence = self.file.clone();
        if let Some((line, column)) = self.position() {
            sentence += &format!(":{line}:{column}");
        }
        if let Some(key) = &self.key {
            sentence += &format!(": {key}");
        }
        sentence += &format!(": {}", self.what);
        if let Some(help) = &self.help {
            sentence += &format!("; {help}");
        }
        sentence
    }
}

/// The nearest of some names, if one is near enough to be meant.
pub fn nearest<'n>(wanted: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let scored = names.into_iter().map(|name| (strsim::damerau_levenshtein(wanted, name), name));
    let (distance, name) = scored.min()?;
    (distance <= wanted.chars().count().max(3) / 2 + 1).then_some(name)
}
