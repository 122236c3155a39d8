//! What the command-line tests share.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;

/// The real binary.
pub fn arboretum() -> Command {
    Command::new(assert_cmd::cargo::cargo_bin!("arboretum"))
}

/// Runs a scenario into a folder below `root` and gives the folder.
pub fn run_into(root: &Path, name: &str, arguments: &[&str]) -> PathBuf {
    let out = root.join(name);
    let mut command = arboretum();
    command.arg("run").args(arguments).arg("--quiet").arg("--out").arg(&out);
    command.assert().success();
    out
}

/// A run's summary.
pub fn summary(folder: &Path) -> Value {
    let text = std::fs::read_to_string(folder.join("summary.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A number of a summary, its keys joined by dots.
pub fn number(summary: &Value, name: &str) -> u64 {
    let value = name.split('.').fold(summary, |value, key| &value[key]);
    value.as_u64().unwrap_or_else(|| panic!("{name} in {summary}"))
}

/// A run's digest.
pub fn digest(folder: &Path) -> String {
    summary(folder)["digest"].as_str().unwrap().to_owned()
}

/// A file that lies beside the repository, if it is there.
pub fn shared(path: &str) -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(path);
    if !found.exists() {
        eprintln!("{} is not there: nothing is checked against it", found.display());
        return None;
    }
    Some(found)
}

/// Checks a run folder with the contract's own checker, if it is there.
pub fn check_contract(folder: &Path) {
    let Some(checker) = shared("contract/check-run") else { return };
    Command::new("python3").arg(checker).arg(folder).assert().success();
}
