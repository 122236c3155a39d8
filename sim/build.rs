//! Tells the command what it was built from: the digest of the sources that decide what a run comes to; and
//! the commit, where there is a repository to ask, and whether anything was changed since.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

/// What the command is made of.
const SOURCES: [&str; 17] = [
    "Cargo.lock",
    "Cargo.toml",
    "engine/Cargo.toml",
    "engine/peers/Cargo.toml",
    "engine/peers/src",
    "engine/src",
    "results/Cargo.toml",
    "results/assets",
    "results/src",
    "sim/Cargo.toml",
    "sim/build.rs",
    "sim/src",
    "workloads/Cargo.toml",
    "workloads/profiles",
    "workloads/scenarios",
    "workloads/src",
    "workloads/studies",
];

/// Those of them that do not decide what a run comes to: what a run is made of is resolved before, and what
/// pages look like comes after.
const BESIDE: [&str; 5] = [
    "results/assets",
    "sim/build.rs",
    "workloads/profiles",
    "workloads/scenarios",
    "workloads/studies",
];

fn main() {
    println!("cargo:rerun-if-changed=../.git/logs/HEAD");
    for source in SOURCES {
        println!("cargo:rerun-if-changed=../{source}");
    }
    println!("cargo:rustc-env=ARBORETUM_SOURCES={}", digest_of_sources());
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else { return };
    let changes = git(&[&["status", "--porcelain", "--"], &SOURCES[..]].concat());
    let mark = if changes.is_none_or(|changes| changes.is_empty()) { "" } else { "-dirty" };
    println!("cargo:rustc-env=ARBORETUM_GIT_COMMIT={commit}{mark}");
}

/// What git answers at the root of the workspace.
fn git(arguments: &[&str]) -> Option<String> {
    let asked = Command::new("git").arg("-C").arg("..").args(arguments).output().ok()?;
    asked.status.success().then(|| String::from_utf8_lossy(&asked.stdout).trim().to_owned())
}

/// The digest of all decisive files by their names, and of what else the code depends on.
fn digest_of_sources() -> String {
    let mut files = vec![];
    let decisive = SOURCES.iter().filter(|source| !BESIDE.contains(source));
    decisive.for_each(|source| gather(&Path::new("..").join(source), &mut files));
    files.sort();
    let mut hash = Sha256::new_with_prefix(env!("CARGO_PKG_VERSION"));
    for file in files {
        let text = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        hash.update(file.to_string_lossy().as_bytes());
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    hash.update([u8::from(std::env::var_os("CARGO_FEATURE_PEERS").is_some())]);
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file, or all in a folder. What is not there is a broken checkout: its cells would pass for those of
/// another.
fn gather(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_file() {
        files.push(path.to_owned());
        return;
    }
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    entries.flatten().for_each(|entry| gather(&entry.path(), files));
}
