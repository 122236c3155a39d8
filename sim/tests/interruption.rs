//! Ctrl-C in mid-run: exit code 130, and what was finished is kept and valid.

#![cfg(unix)]

mod common;

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use common::{check_contract, summary};

#[test]
fn what_was_finished_is_kept() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("run");
    let mut run = Command::new(assert_cmd::cargo::cargo_bin!("arboretum"))
        .args(["run", "smoke", "--members", "2000", "--set", "duration=300d", "--out"])
        .arg(&out)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    sleep(Duration::from_secs(4));
    let sent = Command::new("kill").args(["-INT", &run.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert_eq!(run.wait().unwrap().code(), Some(130));
    let summary = summary(&out);
    assert_eq!(summary["interrupted"], true);
    assert!(summary["commits"]["accepted"].as_u64().unwrap() >= 1);
    check_contract(&out);
}
