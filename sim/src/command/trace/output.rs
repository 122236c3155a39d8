//! A file that appears whole or not at all, and not in the place of another unless that was asked for.

use std::fs;
use std::path::{Path, PathBuf};

use arboretum_results::write_whole;

use crate::command::failure::Failure;

/// Where something is to be written.
pub(super) struct Output {
    path: PathBuf,
}

impl Output {
    /// Checks, before anything is read, that the file can be written.
    pub(super) fn new(path: &Path, force: bool) -> Result<Self, Failure> {
        let shown = path.display();
        if path.file_name().is_none() {
            return Err(Failure::input(format!("{shown} cannot name a file")));
        }
        let there = fs::symlink_metadata(path).ok();
        if there.as_ref().is_some_and(fs::Metadata::is_dir) {
            return Err(Failure::input(format!("{shown} is a folder: give a file, -o FILE")));
        }
        // A device or a pipe would give way to a file.
        if there.is_some() && !fs::metadata(path).is_ok_and(|about| about.is_file()) {
            return Err(Failure::input(format!("{shown} is no file: give another one, -o FILE")));
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
        Ok(Self { path: path.to_path_buf() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Writes the text, whole or not at all.
    pub(super) fn write(&self, text: &str) -> Result<(), Failure> {
        write_whole(&self.path, text).map_err(|error| Failure::input(error.to_string()))
    }
}
