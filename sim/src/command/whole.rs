//! Files that appear whole or not at all: written aside, then renamed.

use std::fs;
use std::io;
use std::path::Path;

/// Writes a text into a file.
pub(crate) fn write(path: &Path, text: &str) -> io::Result<()> {
    let aside = path.with_extension(format!("partial-{}", std::process::id()));
    let written = fs::write(&aside, text).and_then(|()| fs::rename(&aside, path));
    if written.is_err() {
        // Best effort: the first error is the one worth telling.
        let _ = fs::remove_file(&aside);
    }
    written
}
