//! `arboretum compare` on the real binary.

mod common;

use std::path::{Path, PathBuf};

use common::{arboretum, run_into};
use serde_json::Value;

fn run(root: &Path, strategy: &str, seed: &str, more: &[&str]) -> PathBuf {
    let small = ["smoke", "--members", "30", "--set", "duration=8h", "--fidelity", "counted"];
    let which = ["--strategy", strategy, "--seed", seed];
    run_into(root, &format!("{strategy}-{seed}"), &[&small[..], &which, more].concat())
}

#[test]
fn strategies_side_by_side() {
    let root = tempfile::tempdir().unwrap();
    let mut folders = vec![];
    for strategy in ["rfc9420", "2018-10"] {
        for seed in ["1", "2", "3"] {
            folders.push(run(root.path(), strategy, seed, &[]));
        }
    }
    let out = root.path().join("compared");
    let told = arboretum().arg("compare").args(&folders).arg("--out").arg(&out).assert().success();
    let text = String::from_utf8_lossy(&told.get_output().stdout).into_owned();
    assert!(text.contains("tree.width") && text.contains("95 % interval"), "{text}");
    for plot in ["comparison", "tree_portraits"] {
        assert!(
            out.join(format!("{plot}.svg")).exists() && out.join(format!("{plot}.png")).exists()
        );
    }
    let trees = std::fs::read_to_string(out.join("tree_portraits.svg")).unwrap();
    assert!(trees.contains("rfc9420") && trees.contains("2018-10"));
    let told = arboretum().args(["compare", "--json"]).args(&folders).assert().success();
    let compared: Value = serde_json::from_slice(&told.get_output().stdout).unwrap();
    assert_eq!(compared["baseline"], "rfc9420");
    let bounds = compared["bounds"].as_array().unwrap();
    assert!(bounds.iter().any(|bound| bound["name"] == "Huffman bound"));
    let width = compared["differences"].as_array().unwrap();
    let width = width.iter().find(|found| found["metric"] == "tree.width").unwrap();
    // A tree that never shrinks and never reuses a leaf has a leaf for everybody who ever came.
    assert_eq!(width["n"], 3);
    assert!(width["lo"].is_number() && width["hi"].is_number());
}

#[test]
fn other_people_are_no_comparison() {
    let root = tempfile::tempdir().unwrap();
    let one = run(root.path(), "rfc9420", "1", &[]);
    let other = run(root.path(), "2019-11", "1", &["--set", "workload.devices=2"]);
    let refused = arboretum().arg("compare").args([&one, &other]).assert().code(2);
    let text = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
    assert!(text.contains("workload.devices is 1 in") && text.contains("and 2 in"), "{text}");
    arboretum().arg("compare").args([&one, &one]).assert().code(2);
}
