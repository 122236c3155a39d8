//! `arboretum run --protocol art`: the protocol of 2018 on the same people, at every fidelity, with
//! messages, links and losses; and what of a scenario it refuses.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{arboretum, check_contract, digest, run_into, summary};

const SMALL: [&str; 5] = ["smoke", "--members", "40", "--set", "duration=1d"];

fn run(root: &Path, name: &str, scenario: &[&str], more: &[&str]) -> PathBuf {
    run_into(root, name, &[scenario, &["--protocol", "art"], more].concat())
}

#[test]
fn all_fidelities_do_the_same() {
    let root = tempfile::tempdir().unwrap();
    let runs = ["full", "shared", "counted"]
        .map(|fidelity| run(root.path(), fidelity, &SMALL, &["--fidelity", fidelity]));
    for other in &runs[1..] {
        assert_eq!(digest(other), digest(&runs[0]));
        for table in ["commits.csv", "tree.csv"] {
            let read = |folder: &Path| fs::read_to_string(folder.join(table)).unwrap();
            assert_eq!(read(other), read(&runs[0]), "{table}");
        }
    }
    check_contract(&runs[1]);
    let told = summary(&runs[1]);
    assert_eq!(told["ciphertexts"], 0);
    assert!(told["audits"]["performed"].as_u64().unwrap() > 50);
    assert!(told["operations"]["removes"].as_u64().unwrap() > 3);
    // The tree only grows: everybody who ever joined has a leaf.
    let ever = told["members"]["ever"].as_u64().unwrap();
    assert!(told["tree"]["width"].as_u64().unwrap() >= ever);
    assert!(ever > told["members"]["end"].as_u64().unwrap());
    let p256 = run(root.path(), "p256", &SMALL, &["--set", "group.suite=2"]);
    assert_eq!(summary(&p256)["commits"]["accepted"], told["commits"]["accepted"]);
}

#[test]
fn messages_links_and_lost_devices() {
    let root = tempfile::tempdir().unwrap();
    let small = ["--members", "60", "--set", "duration=2d"];
    let runs: [(&str, &[&str], &str); 2] = [
        ("join-link", &[], "links"),
        ("recovery", &["--set", "policy.recovery=invited"], "recovery"),
    ];
    for (scenario, more, part) in runs {
        let folder = run(root.path(), scenario, &[scenario], &[&small[..], more].concat());
        let told = summary(&folder);
        assert!(
            told["messages"]["read"].as_u64().unwrap() > 100,
            "{scenario}: {}",
            told["messages"]
        );
        assert_eq!(told["invariants"]["violated"], 0);
        let numbers = told[part].as_object().unwrap().values();
        assert!(numbers.filter_map(serde_json::Value::as_u64).any(|it| it > 0), "{scenario}");
    }
}

fn refused(arguments: &[&str], parts: &[&str]) {
    let mut command = arboretum();
    let output = command.arg("run").args(arguments).args(["--protocol", "art"]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
    for part in parts {
        assert!(stderr.contains(part), "{arguments:?}: no `{part}` in:\n{stderr}");
    }
}

#[test]
fn what_it_has_not_got() {
    let strategies = ["rfc9420+unmerged=off", "2018-10", "rfc9420+warming=most-blanks:1h"];
    for strategy in strategies {
        refused(&["smoke", "--strategy", strategy], &["`art` has one tree", "give `rfc9420`"]);
    }
    refused(&["smoke", "--set", "group.suite=3"], &["`art` has no cipher suite 3", "[1, 2]"]);
    refused(&["recovery"], &["policy.recovery", "policy.recovery=invited"]);
    let rotates = ["smoke", "--set", "authentication.rotate_every=1d"];
    refused(&rotates, &["identity keys of `art` are kept for ever"]);
    let old = ["smoke", "--set", "workload.old_clients.fraction=0.5"];
    refused(&old, &["clients of `art` all can the same"]);
    let counted = ["smoke", "--fidelity", "counted", "--members", "200000"];
    refused(&counted, &["sets up 123362 members", "group.start=one-by-one"]);
}
