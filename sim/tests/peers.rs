//! `arboretum run --protocol openmls` and `mls-rs`, on a build with `--features peers`: the same
//! people in the same trees as ours, whoever implements RFC 9420.
#![cfg(feature = "peers")]

mod common;

use std::fs;
use std::path::Path;

use common::{arboretum, check_contract, digest, run_into, summary};

const SMALL: [&str; 5] = ["smoke", "--members", "40", "--set", "duration=1d"];

/// What of a commit is the protocol's and not the implementation's.
const SAME: [&str; 20] = [
    "epoch",
    "time_ms",
    "committer",
    "committer_leaf",
    "kind",
    "has_path",
    "adds",
    "removes",
    "leaves",
    "evictions",
    "rejected_before",
    "ciphertexts",
    "public_keys",
    "new_leaves_excluded",
    "members",
    "width",
    "depth",
    "blank_leaves",
    "blank_parents",
    "unmerged",
];

/// The columns of these names, row by row.
fn columns(folder: &Path, names: &[&str]) -> Vec<Vec<String>> {
    let text = fs::read_to_string(folder.join("commits.csv")).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let place = |name: &&str| header.iter().position(|column| column == name).expect(name);
    let places: Vec<_> = names.iter().map(place).collect();
    lines.map(|line| places.iter().map(|at| line[*at].to_owned()).collect()).collect()
}

fn run(root: &Path, protocol: &str, more: &[&str]) -> std::path::PathBuf {
    run_into(root, protocol, &[&SMALL[..], &["--protocol", protocol], more].concat())
}

#[test]
fn all_implementations_build_the_same_trees() {
    let root = tempfile::tempdir().unwrap();
    let ours = run(root.path(), "treekem", &["--fidelity", "full"]);
    let expected = columns(&ours, &SAME);
    assert!(expected.len() > 50, "{} commits", expected.len());
    for protocol in ["openmls", "mls-rs"] {
        let theirs = run(root.path(), protocol, &[]);
        assert_eq!(columns(&theirs, &SAME), expected, "{protocol}");
        check_contract(&theirs);
        let summary = summary(&theirs);
        assert_eq!(summary["fidelity"], "full");
        // Nobody can count inside another implementation: empty, not zero.
        assert_eq!(summary["ops"], serde_json::json!({}));
        let empty = columns(&theirs, &["sender_sign", "receiver_verify"]);
        assert!(empty.iter().flatten().all(String::is_empty));
    }
}

#[test]
fn a_run_of_another_implementation_can_be_verified() {
    let root = tempfile::tempdir().unwrap();
    let first = run(root.path(), "mls-rs", &[]);
    arboretum().args(["verify", "--quiet"]).arg(&first).assert().success();
    assert_eq!(digest(&first).len(), 64);
}

#[test]
fn what_they_cannot_do_is_refused() {
    for (more, says) in [
        (["--fidelity", "counted"], "does its own work"),
        (["--set", "group.suite=7"], "has no cipher suite 7"),
    ] {
        let mut command = arboretum();
        command.args(["run", "smoke", "--protocol", "openmls"]).args(more);
        let refused = command.assert().code(2);
        let text = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
        assert!(text.contains(says), "{text}");
    }
}
