//! A file that appears whole or not at all, and not in the place of another unless that was asked for.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::failure::Failure;

/// Where something is to be written.
pub(super) struct Output {
    path: PathBuf,
    aside: PathBuf,
}

impl Output {
    /// Checks, before anything is read, that the file can be written.
    pub(super) fn new(path: &Path, force: bool) -> Result<Self, Failure> {
        let shown = path.display();
        let Some(name) = path.file_name() else {
            return Err(Failure::input(format!("{shown} cannot name a file")));
        };
        let there = fs::symlink_metadata(path).ok();
        if there.as_ref().is_some_and(fs::Metadata::is_dir) {
            return Err(Failure::input(format!("{shown} is a folder: give a file, -o FILE")));
        }
        if there.is_some() && !force {
            let help = "pass --force to replace it, or another -o FILE";
            return Err(Failure::input_with_help(format!("{shown} exists already"), help));
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        if let Some(parent) = parent.filter(|parent| !parent.is_dir()) {
            let what = format!("{shown}: there is no folder {}", parent.display());
            return Err(Failure::input(what));
        }
        let hidden = format!(".{}.partial-{}", name.to_string_lossy(), std::process::id());
        Ok(Self { aside: path.with_file_name(hidden), path: path.to_path_buf() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Writes the text aside and gives it the file's name.
    pub(super) fn write(&self, text: &str) -> Result<(), Failure> {
        let done = fs::write(&self.aside, text).and_then(|()| fs::rename(&self.aside, &self.path));
        done.map_err(|error| {
            // Best effort: the first error is the one worth telling.
            let _ = fs::remove_file(&self.aside);
            Failure::input(format!("cannot write {}: {error}", self.path.display()))
        })
    }
}
