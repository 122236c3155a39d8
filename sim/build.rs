//! Tells the command which commit it was built from, where there is a repository to ask, and whether
//! anything it is made of was changed since.

use std::process::Command;

/// What the command is made of.
const SOURCES: [&str; 15] = [
    "Cargo.lock",
    "Cargo.toml",
    "engine/Cargo.toml",
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

fn main() {
    println!("cargo:rerun-if-changed=../.git/logs/HEAD");
    for source in SOURCES {
        println!("cargo:rerun-if-changed=../{source}");
    }
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
