//! The recorded results of the shipped studies: a small part of each is run again and must come to
//! the same means, to the last digit.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;

/// A study, and the part of it that is run again with all its seeds.
const PARTS: &[(&str, &[&str])] = &[
    ("ttkem-2021", &["i=3,5"]),
    ("ttkem-2021-administrators", &["i=4,8"]),
    ("multicast-2022", &["i=5,9"]),
    ("multicast-2022-removals", &["tree=left-balanced", "remove=12.5"]),
    ("concurrent-2025", &["n=64"]),
    ("bonsai-2024", &["n=243", "degree=3", "churn=tenths"]),
    ("quarantined-2024", &["silent=100"]),
    ("fifty-thousand", &["fidelity=counted", "members=1000", "days=1"]),
    ("scaling", &["members=2,4,16,64"]),
    ("two-servers", &["members=200", "updates=0"]),
    ("evict-first", &["silent=0 %", "eviction=never", "strategy=rfc9420"]),
    ("rebalance", &["members=200", "strategy=rfc9420,scoot-over"]),
    ("tree-growth", &["members=300", "days=7", "tree=art,2018-10,rfc9420"]),
    ("eviction", &["members=200", "evict_after=30 d"]),
    ("history", &["members=200", "tree=2018-10,rfc9420"]),
    ("offline", &["members=300", "days_away=28"]),
    ("join-link", &["members=100"]),
    ("devices", &["devices=1"]),
    ("recovery", &["members=100"]),
    ("creation", &["members=200", "days=7"]),
    ("sequencing", &["members=128", "delay_ms=500"]),
    ("conference", &["crowd=100"]),
    ("versus", &["members=8"]),
    ("scaling-lived-in", &["members=64"]),
    ("healing", &["members=100", "group=quarantined", "updates=never"]),
    ("forward-secrecy", &["members=100", "kept=7 d", "updates=never"]),
];

/// What the names of numbers begin with that summaries have had only since most of this was recorded.
const YOUNGER: &[&str] = &["by_kind.", "evicted.", "joins.", "key_age_", "tree_blank_parents"];

fn reference() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../results/reference")
}

/// A table's lines by what stands before their numbers: the point and the metric.
fn rows(path: &Path) -> BTreeMap<String, String> {
    let table = fs::read_to_string(path).unwrap();
    let header: Vec<&str> = table.lines().next().unwrap().split(',').collect();
    let keys = header.iter().position(|column| *column == "metric").unwrap() + 1;
    let rows = table.lines().skip(1).map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        (cells[..keys].join(","), cells[keys..].join(","))
    });
    rows.collect()
}

#[test]
fn every_study_comes_to_what_is_recorded() {
    for (study, only) in PARTS {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let only = only.iter().flat_map(|only| ["--only", *only]);
        let mut command = Command::cargo_bin("arboretum").unwrap();
        command.args(["study", study, "--quiet"]).args(only).arg("--out").arg(&out);
        command.assert().success();
        let recorded = rows(&reference().join(study).join("aggregate.csv"));
        let found = rows(&out.join("aggregate.csv"));
        assert!(found.len() > 10, "{study}");
        for (key, means) in found {
            let (_, metric) = key.rsplit_once(',').unwrap();
            if !recorded.contains_key(&key) && YOUNGER.iter().any(|it| metric.starts_with(it)) {
                continue;
            }
            assert_eq!(recorded.get(&key), Some(&means), "{study}: {key}");
        }
    }
}

#[test]
fn every_shipped_study_has_its_results_recorded() {
    let listed = Command::cargo_bin("arboretum").unwrap().args(["list", "studies"]).output();
    let listed = String::from_utf8(listed.unwrap().stdout).unwrap();
    let shipped = listed.lines().filter_map(|line| line.split_whitespace().next());
    for study in shipped {
        assert!(PARTS.iter().any(|(part, _)| *part == study), "{study}");
        assert!(reference().join(study).join("aggregate.csv").is_file(), "{study}");
    }
}

/// Pages that have their numbers from what is recorded, as the Makefile's PAGES.
const PAGES: &[&str] = &["answers.md", "capacity.md", "healing.md"];

#[test]
fn pages_say_what_is_recorded() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let folder = tempfile::tempdir().unwrap();
    // One page, so that tables are read once.
    let all = folder.path().join("all.md");
    let texts = PAGES.iter().map(|page| fs::read_to_string(docs.join(page)).unwrap());
    fs::write(&all, texts.collect::<String>()).unwrap();
    let folders = fs::read_dir(reference()).unwrap().map(|entry| entry.unwrap().path());
    let mut splice = Command::cargo_bin("arboretum").unwrap();
    let told = splice.arg("splice").arg(&all).args(folders).arg("--check").assert().success();
    let told = String::from_utf8_lossy(&told.get_output().stdout).into_owned();
    assert!(!told.contains("not given"), "a mark is of nothing that is recorded: {told}");
}
