//! What can go wrong with a run's folder. Each message names the path, and the way out if any.

use std::io;
use std::path::{Path, PathBuf};

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResultsError {
    /// The target folder is there already and replacing was not asked for.
    #[error("{} exists already: pass --force to replace it, or another --out", folder.display())]
    Exists {
        /// The folder asked for.
        folder: PathBuf,
    },
    /// Replacing was asked for, but what is there is not a run and may be someone's work.
    #[error(
        "{} is not a run folder (it has no provenance.json), so it is not replaced: pass another --out",
        folder.display()
    )]
    NotARun {
        /// The folder asked for.
        folder: PathBuf,
    },
    /// There is a file of the name asked for, and it may be someone's work.
    #[error(
        "{} is there already and is no page that a report has written, so it is not replaced: give another --output",
        file.display()
    )]
    NotAPage {
        /// The file asked for.
        file: PathBuf,
    },
    /// The path asked for cannot name a folder.
    #[error("{} cannot name a run folder: its last part must be a plain name", folder.display())]
    BadName {
        /// The path asked for.
        folder: PathBuf,
    },
    /// The operating system refused to write.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The operating system refused to read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A table does not hold what it should.
    #[error("{}, line {line}, column {column}: {problem}", path.display())]
    Table {
        /// The table.
        path: PathBuf,
        /// Line in the file, from 1.
        line: u64,
        /// Name of the column.
        column: String,
        /// What was found and what was expected.
        problem: String,
    },
    /// A JSON file does not hold what it should.
    #[error("{}, line {line}, column {column}: {problem}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Line in the file, from 1.
        line: usize,
        /// Column in the line, from 1.
        column: usize,
        /// What is wrong.
        problem: String,
    },
    /// A plot could not be drawn.
    #[error("cannot draw {}: {problem}", path.display())]
    Draw {
        /// The plot's file.
        path: PathBuf,
        /// What the drawing library said.
        problem: String,
    },
}

impl ResultsError {
    /// For `map_err` after a write.
    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Write { path, source }
    }

    /// For `map_err` after a read.
    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Read { path, source }
    }

    /// The same error seen from outside: a path inside the temporary folder becomes the path it
    /// would have had, because the temporary is gone when the message is read.
    pub(crate) fn relocated(mut self, from: &Path, to: &Path) -> Self {
        match &mut self {
            Self::Exists { folder: path } | Self::NotARun { folder: path } => {
                relocate(path, from, to);
            }
            Self::BadName { folder: path } | Self::NotAPage { file: path } => {
                relocate(path, from, to);
            }
            Self::Write { path, .. } | Self::Read { path, .. } => relocate(path, from, to),
            Self::Table { path, .. } | Self::Json { path, .. } => relocate(path, from, to),
            Self::Draw { path, .. } => relocate(path, from, to),
        }
        self
    }
}

fn relocate(path: &mut PathBuf, from: &Path, to: &Path) {
    match path.strip_prefix(from) {
        Ok(rest) if rest.as_os_str().is_empty() => *path = to.to_path_buf(),
        Ok(rest) => *path = to.join(rest),
        Err(_) => {}
    }
}
