//! What is wrong with a log: the file, the line, the rule, and the way out.

/// A log that is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {what}", .line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct ImportError {
    /// The file, or what else was read.
    pub file: String,
    /// The line, from 1.
    pub line: Option<u64>,
    /// What is wrong and what was expected.
    pub what: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl ImportError {
    pub(super) fn at(file: &str, line: u64, what: impl Into<String>) -> Self {
        Self { file: file.into(), line: Some(line), what: what.into(), help: None }
    }

    pub(super) fn whole(file: &str, what: impl Into<String>) -> Self {
        Self { file: file.into(), line: None, what: what.into(), help: None }
    }

    /// One that can be left out.
    pub(super) fn or_skip(self) -> Self {
        let help = "correct it, or leave such lines out and have them counted: --skip-malformed";
        Self { help: Some(help.into()), ..self }
    }
}

/// A field as a message shows it: no longer than a line.
pub(super) fn shown(field: &str) -> String {
    const SHOWN: usize = 60;
    match field.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}…", &field[..end]),
        None => format!("{field:?}"),
    }
}
