//! Answers that are kept in files, one `name = hex` a line.

use std::fmt::Write;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Compares values with a file; shows what it should hold if they differ.
pub(super) fn check(kept: &str, values: &[(&str, &[u8])]) {
    let lines = values.iter().map(|(name, value)| format!("{name} = {}\n", hex(value)));
    let expected: String = lines.collect();
    let kept: String = kept
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(kept == expected, "the file should hold:\n{expected}");
}
