//! Quarantine on the real binary: people who fall silent, come back or do not, under the three things that
//! may be done about them.

mod common;

use std::fs;

use common::{arboretum, check_contract, digest, run_into, summary};
use serde_json::Value;

/// People who look in every few hours, stay away for days now and then, fall silent, and leave.
const AWAY: &str = r#"
name = "away"
title = "away"
analysis = "Long absences, and some who never come back."
duration = "6d"
[group]
members = 48
start = "warm"
audit = 3
[workload.arrivals]
per_day = 6
[workload.lifetime]
distribution = "exponential"
mean = "30d"
[workload.sessions]
online = { distribution = "exponential", mean = "40min" }
offline = { distribution = "log-normal", mu = 1.2, sigma = 1.4, unit = "h" }
[workload.silent]
fraction = 0.3
after = { distribution = "exponential", mean = "2d" }
[policy]
update_every = "12h"
"#;

const QUARANTINE: &str = "rfc9420+inactive=quarantine:12h:12h:2d";

/// A scenario file and the folder it is in.
fn scenario() -> (tempfile::TempDir, String) {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("away.toml");
    fs::write(&file, AWAY).unwrap();
    let file = file.to_str().unwrap().to_owned();
    (root, file)
}

fn of(summary: &Value, figure: &str) -> f64 {
    summary["quarantine"][figure].as_f64().unwrap_or_else(|| panic!("no {figure}"))
}

#[test]
fn every_fidelity_and_thread_count_gives_the_same_records() {
    let (root, file) = scenario();
    let root = root.path();
    for (number, strategy) in [
        "rfc9420+inactive=quarantine:6h:4h:1d+shape=m-ary:3+batching=propose-commit:1",
        "rfc9420+shape=left-balanced+inactive=quarantine:8h:12h:1d+batching=every:30m+warming=on-return",
    ]
    .into_iter()
    .enumerate()
    {
        let run = |name: &str, more: &[&str]| {
            let few = ["--set", "duration=2d", "--members", "30"];
            let which = [&[&file, "--strategy", strategy][..], &few].concat();
            run_into(root, &format!("{name}{number}"), &[&which[..], more].concat())
        };
        let one = run("one", &["--threads", "1"]);
        for other in [
            run("two", &["--threads", "2", "--audit", "7"]),
            run("counted", &["--fidelity", "counted"]),
            run("full", &["--fidelity", "full"]),
        ] {
            assert_eq!(digest(&one), digest(&other), "{strategy}: {}", other.display());
            assert_eq!(summary(&one)["ops"], summary(&other)["ops"], "{strategy}");
            assert_eq!(summary(&one)["quarantine"], summary(&other)["quarantine"], "{strategy}");
        }
        assert!(of(&summary(&one), "made") > 5.0, "{strategy}");
        check_contract(&one);
    }
}

#[test]
fn ghosts_come_back_and_the_group_keeps_them() {
    let (root, file) = scenario();
    let run = |name: &str, strategy: &str| {
        let which = [&file, "--strategy", strategy, "--fidelity", "counted", "--events"];
        run_into(root.path(), name, &which)
    };
    let quarantine = run("quarantine", QUARANTINE);
    let told = summary(&quarantine);
    let figure = |name| of(&told, name);
    // Whoever was made a ghost has recovered, entered anew, been removed, or is one still.
    let ended = figure("recovered") + figure("entered_anew") + figure("removed");
    assert!(figure("made") >= ended && figure("made") <= ended + figure("ghosts_max"), "{told}");
    for name in ["recovered", "entered_anew", "removed", "renewed", "waited"] {
        assert!(figure(name) >= 2.0, "{name}: {}", told["quarantine"]);
    }
    assert_eq!(figure("shares"), 3.0 * (figure("made") + figure("renewed")));
    assert!(figure("answers") >= 2.0 * figure("recovered"));
    assert!(figure("bytes") > 500.0 * (figure("made") + figure("renewed")));
    assert!(figure("quorums_max") <= 3.0 * figure("ghosts_max") && figure("quorums_max") > 3.0);
    let events = fs::read_to_string(quarantine.join("events.csv")).unwrap();
    let count = |kind: &str| events.matches(&format!(",{kind},")).count() as f64;
    assert_eq!(count("ghost"), figure("made"));
    assert_eq!(count("ghost renewed"), figure("renewed"));
    assert_eq!(count("ghost recovered"), figure("recovered"));
    assert_eq!(count("ghost entered anew"), figure("entered_anew"));
    // The same people under the other two.
    let evict = summary(&run("evict", "rfc9420+inactive=evict:12h"));
    let keep = summary(&run("keep", "rfc9420+inactive=keep"));
    assert_eq!(of(&evict, "made") + of(&keep, "made"), 0.0);
    let number = |summary: &Value, key: &str| summary[key].as_f64().unwrap();
    let evictions = |summary: &Value| number(summary, "evictions");
    assert_eq!(evictions(&keep), 0.0);
    assert!(
        evictions(&told) < evictions(&evict) / 2.0,
        "{} {}",
        evictions(&told),
        evictions(&evict)
    );
    let added = |summary: &Value| summary["operations"]["adds"].as_u64().unwrap();
    assert!(added(&told) < added(&evict), "fewer have to be invited anew");
    assert!(number(&keep, "ciphertexts") < number(&told, "ciphertexts"), "it is not free");
    let age = |summary: &Value| summary["key_age_s"]["mean"].as_f64().unwrap();
    assert!(age(&told) < age(&keep) / 2.0, "others renew the keys of the silent");
}

#[test]
fn what_does_not_go_with_ghosts_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let refused_with = |strategy: &str, more: &[&str]| {
        let out = root.path().join("out");
        let mut command = arboretum();
        command.args(["run", "smoke", "--strategy", strategy]).args(more).arg("--out").arg(&out);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{strategy}");
        // Lines are broken where they are too long.
        let told = String::from_utf8_lossy(&output.stderr).replace(['\n', '│'], " ");
        told.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let told = refused_with("quarantined-2024", &["--set", "service.retention=5d"]);
    assert!(told.contains("can renew no key"), "{told}");
    let refused = |strategy: &str| refused_with(strategy, &[]);
    for (strategy, reason) in [
        ("tainted-2021+inactive=quarantine:1d:1d:9d", "does not go with removal=taint"),
        ("scoot-over+inactive=quarantine:1d:1d:9d", "does not go with compaction=scoot-over"),
        (
            "quarantined-2024+compaction=swap:2",
            "does not go with compaction=resync, swap or rebuild",
        ),
        ("rebuild+inactive=quarantine:1d:1d:9d", "does not go with compaction=resync, swap"),
        ("rfc9420+inactive=quarantine:1d:1d", "takes three delays"),
        ("rfc9420+inactive=quarantine:1d:0s:9d", "takes a duration above 0s"),
        ("rfc9420+inactive=quarantine:1d:1ms:9d", "rounds"),
    ] {
        let told = refused(strategy);
        assert!(told.contains(reason), "{strategy}: {told}");
    }
}

#[test]
fn the_preset_is_listed_and_runs() {
    let listed = arboretum().args(["list", "strategies"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("quarantined-2024 "), "{listed}");
    assert!(listed.contains("keep, evict:D, quarantine:D:R:S"), "{listed}");
    let (root, file) = scenario();
    let table = "group.strategy={ preset = \"quarantined-2024\", inactive = \"quarantine:1d:1d:30d\", \
                 shape = \"m-ary:4\" }";
    let which = [&file, "--set", table, "--fidelity", "counted", "--set", "duration=3d"];
    let run = run_into(root.path(), "table", &which);
    assert!(of(&summary(&run), "made") > 3.0);
}
