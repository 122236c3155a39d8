//! Tells the command which commit it was built from, where there is a repository to ask, and whether
//! something was changed since.

use std::process::Command;

/// What the command is made of, and where git writes that there is another commit.
const SOURCES: [&str; 7] =
    [".git/logs/HEAD", "Cargo.toml", "Cargo.lock", "engine/src", "workloads", "results/src", "sim"];

fn main() {
    for source in SOURCES {
        println!("cargo:rerun-if-changed=../{source}");
    }
    let asked = Command::new("git")
        .args(["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"])
        .output();
    if let Ok(answer) = asked
        && answer.status.success()
    {
        let commit = String::from_utf8_lossy(&answer.stdout);
        println!("cargo:rustc-env=ARBORETUM_GIT_COMMIT={}", commit.trim());
    }
}
