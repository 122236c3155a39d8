//! Strategies of clients on the real binary: one text or table, the same records at every fidelity
//! and number of threads, and a way back from a run's folder.

mod common;

use std::fs;

use common::{arboretum, check_contract, digest, run_into, summary};

const SMALL: [&str; 5] = ["smoke", "--members", "40", "--set", "duration=20h"];

/// Every choice of the clients at once, one after the other of those that exclude each other.
const STRATEGIES: [&str; 14] = [
    "rfc9420+warming=most-blanks:1h+batching=every:30m",
    "rfc9420+warming=round-robin:20min+inactive=evict:5h+compaction=swap:2",
    "rfc9420+warming=on-join+compaction=resync+removal=faster-remove",
    "rfc9420+warming=on-return+inactive=keep+batching=immediate+shape=m-ary:3",
    "rfc9420+batching=propose-commit:3+compaction=swap:1",
    "scoot-over+warming=on-return+inactive=evict:5h+batching=propose-commit:2",
    "rebuild+compaction=rebuild:2+warming=on-return+batching=propose-commit:1",
    "bonsai-2024+warming=on-return+batching=propose-commit:1",
    "rfc9420+shape=weighted+inactive=evict:5h",
    "multicast-2022+shape=llrb+removal=faster-remove",
    "tainted-2021+batching=propose-commit:2+compaction=swap:1",
    "tainted-2021+warming=on-join+compaction=resync+placement=leftmost-blank",
    "concurrent-2025+warming=on-return+inactive=evict:5h+compaction=swap:1",
    "rfc9420+batching=concurrent:2+removal=faster-remove+shape=m-ary:3+compaction=resync",
];

#[test]
fn every_fidelity_and_thread_count_gives_the_same_records() {
    let root = tempfile::tempdir().unwrap();
    for (number, strategy) in STRATEGIES.into_iter().enumerate() {
        let run = |name: &str, more: &[&str]| {
            let which = ["--strategy", strategy];
            run_into(root.path(), &format!("{name}{number}"), &[&SMALL[..], &which, more].concat())
        };
        let one = run("one", &["--threads", "1"]);
        let others = [
            run("two", &["--threads", "2"]),
            run("counted", &["--fidelity", "counted"]),
            run("full", &["--fidelity", "full"]),
        ];
        for other in others {
            assert_eq!(digest(&one), digest(&other), "{strategy}: {}", other.display());
            assert_eq!(summary(&one)["ops"], summary(&other)["ops"], "{strategy}");
        }
        assert_eq!(summary(&one)["strategy"], strategy, "as it was written");
        check_contract(&one);
    }
}

/// Whole paths among people who come and go, followed from the wire by those who are audited.
#[test]
fn concurrent_updates_are_audited() {
    let root = tempfile::tempdir().unwrap();
    let rest = ["--members", "60", "--set", "duration=1d", "--audit", "4"];
    let run = |name, strategy| {
        run_into(root.path(), name, &[&["smoke", "--strategy", strategy], &rest[..]].concat())
    };
    let concurrent = run("concurrent", "concurrent-2025");
    check_contract(&concurrent);
    let found = summary(&concurrent);
    assert_eq!(
        (&found["audits"]["mismatched"], &found["invariants"]["violated"]),
        (&0.into(), &0.into())
    );
    assert!(found["audits"]["performed"].as_u64().unwrap() > 300);
    // The same in Updates: whoever renews its keys blanks a path, and commits are dearer.
    let updates = run("updates", "rfc9420+batching=propose-commit:4");
    let cost = |run: &std::path::Path| {
        summary(run)["update_cost"]["ciphertexts"]["mean"].as_f64().unwrap()
    };
    let (paths, updates) = (cost(&concurrent), cost(&updates));
    assert!(2.0 * paths < updates, "{paths} and {updates}");
}

#[test]
fn a_strategy_travels_with_its_run() {
    let root = tempfile::tempdir().unwrap();
    let strategy = STRATEGIES[1];
    let which = ["--strategy", strategy, "--fidelity", "counted"];
    let run = run_into(root.path(), "run", &[&SMALL[..], &which].concat());
    let scenario = fs::read_to_string(run.join("scenario.toml")).unwrap();
    assert!(scenario.contains(&format!("strategy = \"{strategy}\"")), "{scenario}");
    let provenance = fs::read_to_string(run.join("provenance.json")).unwrap();
    assert!(provenance.contains(strategy), "{provenance}");
    arboretum().arg("verify").arg(&run).arg("--quiet").assert().success();
    let plain = run_into(root.path(), "plain", &[&SMALL[..], &which[2..]].concat());
    assert_ne!(digest(&plain), digest(&run));
    let compared = arboretum().arg("compare").args([&plain, &run]).assert().success();
    let text = String::from_utf8_lossy(&compared.get_output().stdout).into_owned();
    assert!(text.contains(strategy), "{text}");
}

#[test]
fn a_table_says_the_same_as_a_text() {
    let root = tempfile::tempdir().unwrap();
    let smoke = fs::read_to_string("../workloads/scenarios/smoke.toml").unwrap();
    let file = root.path().join("table.toml");
    let table = "[group.strategy]\npreset = \"rfc9420\"\nwarming = \"on-join\"\nbatching = \"every:10min\"\n\n[workload]\n";
    fs::write(&file, smoke.replacen("[workload]\n", table, 1)).unwrap();
    let rest = ["--members", "40", "--set", "duration=5h", "--fidelity", "counted"];
    let written = run_into(root.path(), "table", &[&[file.to_str().unwrap()], &rest[..]].concat());
    let text = "rfc9420+batching=every:10min+warming=on-join";
    let which = ["--strategy", text];
    let said = run_into(root.path(), "text", &[&["smoke"], &rest[..], &which].concat());
    assert_eq!(summary(&written)["strategy"], text);
    assert_eq!(digest(&written), digest(&said));
    // One choice more, or another strategy altogether.
    let set = ["--set", "group.strategy.warming=none"];
    let file = file.to_str().unwrap();
    let changed = run_into(root.path(), "changed", &[&[file], &rest[..], &set].concat());
    assert_eq!(summary(&changed)["strategy"], "rfc9420+batching=every:10min+warming=none");
    let other =
        run_into(root.path(), "other", &[&[file], &rest[..], &["--strategy", "2019-11"]].concat());
    assert_eq!(summary(&other)["strategy"], "2019-11");
}

#[test]
fn moves_for_the_trees_sake_are_counted() {
    let root = tempfile::tempdir().unwrap();
    let moved = |number: u32, strategy: &str| {
        let which = ["--strategy", strategy, "--fidelity", "counted"];
        let run = run_into(root.path(), &number.to_string(), &[&SMALL[..], &which].concat());
        let rebalancing = summary(&run)["rebalancing"].clone();
        ["commits", "moves", "bytes"].map(|figure| rebalancing[figure].as_u64().unwrap())
    };
    for (number, still) in (0..).zip(["rfc9420", "smallest-tree", "tainted-2021"]) {
        assert_eq!(moved(number, still), [0, 0, 0], "{still}");
    }
    for (number, one) in (10..).zip(["scoot-over", "rfc9420+compaction=resync"]) {
        let [commits, moves, bytes] = moved(number, one);
        assert!(commits > 0 && commits == moves, "{one}: {commits} and {moves}");
        assert!(bytes > 500 * commits, "{one}: {bytes}");
    }
    let [commits, moves, _] = moved(20, "rfc9420+compaction=swap:3");
    assert!(commits > 0 && (commits..=3 * commits).contains(&moves), "{commits} and {moves}");
}

#[test]
fn all_choices_are_listed() {
    let listed = arboretum().args(["list", "strategies"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    for part in [
        "+warming=",
        "none, on-join, on-return, round-robin:P, most-blanks:P",
        "keep, evict:D",
        "immediate, every:P, propose-commit:R, concurrent:R",
        "updates, paths",
        "none, truncate, scoot-over, smallest-tree, pop, resync, swap:K, rebuild:T, rebuild:P%",
        "faster-remove, splice, taint",
        "leftmost-blank, append",
    ] {
        assert!(listed.contains(part), "no `{part}` in:\n{listed}");
    }
    assert_eq!(listed.matches("+compaction=").count(), 1);
    assert_eq!(listed.matches("\nconcurrent-2025 ").count(), 1);
}
