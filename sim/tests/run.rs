//! `arboretum run` on the real binary: golden digest, fidelities, threads, folders.

mod common;

use std::fs;

use common::{arboretum, check_contract, digest, run_into, shared, summary};

/// The digest of `arboretum run smoke`, on any machine and any number of threads. It changes
/// when the records of a run change; say why in the commit that changes it.
const SMOKE: &str = "9d834b30807cce4b1c549836e47335b72060061cf4efcb612fb28c340f7d8c23";

#[test]
fn smoke_has_its_golden_digest_at_every_fidelity_and_thread_count() {
    let root = tempfile::tempdir().unwrap();
    let one = run_into(root.path(), "one", &["smoke", "--threads", "1"]);
    let two = run_into(root.path(), "two", &["smoke", "--threads", "2", "--events"]);
    let counted = run_into(root.path(), "counted", &["smoke", "--fidelity", "counted"]);
    assert_eq!(digest(&one), SMOKE);
    assert_eq!(digest(&two), SMOKE);
    assert_eq!(digest(&counted), SMOKE);
    for table in ["commits.csv", "tree.csv", "clients.csv"] {
        let read = |folder: &std::path::Path| fs::read(folder.join(table)).unwrap();
        assert_eq!(read(&one), read(&counted), "{table}");
    }
    check_contract(&one);
    assert!(two.join("events.csv").exists() && !one.join("events.csv").exists());
    let summary = summary(&one);
    assert_eq!(summary["audits"]["mismatched"], 0);
    assert!(summary["audits"]["performed"].as_u64().unwrap() > 1_000);
}

#[test]
fn full_and_shared_give_the_same_records() {
    let root = tempfile::tempdir().unwrap();
    let small = ["smoke", "--members", "40", "--set", "duration=1d"];
    let run = |name, fidelity| {
        run_into(root.path(), name, &[&small[..], &["--fidelity", fidelity]].concat())
    };
    let (full, shared) = (run("full", "full"), run("shared", "shared"));
    assert_eq!(digest(&full), digest(&shared));
    assert_eq!(summary(&full)["ops"], summary(&shared)["ops"]);
    assert_eq!(
        fs::read(full.join("clients.csv")).unwrap(),
        fs::read(shared.join("clients.csv")).unwrap()
    );
}

#[test]
fn other_seeds_and_starts_run_too() {
    let root = tempfile::tempdir().unwrap();
    let quick = ["--members", "30", "--set", "duration=6h", "--fidelity", "counted"];
    let run =
        |name, more: &[&str]| run_into(root.path(), name, &[&["smoke"], &quick[..], more].concat());
    let seed = run("seed", &["--seed", "2"]);
    let warm = run("warm", &["--set", "group.start=warm"]);
    let one_by_one = run("one-by-one", &["--set", "group.start=one-by-one"]);
    let immediate = run("immediate", &["--set", "policy.batching=immediate"]);
    let devices = run("devices", &["--set", "workload.devices=3"]);
    let mut digests = [seed, warm.clone(), one_by_one, immediate, devices].map(|f| digest(&f));
    digests.sort();
    assert!(digests.windows(2).all(|pair| pair[0] != pair[1]));
    // Where every member has committed, an update costs about log2 n.
    let expected = summary(&warm)["expected_update_cost"]["start"].as_f64().unwrap();
    assert!(expected < 6.0, "{expected}");
}

#[test]
fn a_run_can_be_verified_and_a_changed_one_is_noticed() {
    let root = tempfile::tempdir().unwrap();
    let run = run_into(root.path(), "run", &["smoke", "--set", "duration=6h"]);
    arboretum().arg("verify").arg(&run).arg("--quiet").assert().success();
    let provenance = run.join("provenance.json");
    let text = fs::read_to_string(&provenance).unwrap();
    fs::write(&provenance, text.replace(&digest(&run), &"0".repeat(64))).unwrap();
    let refused = arboretum().arg("verify").arg(&run).arg("--quiet").assert().code(1);
    let stderr = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
    assert!(stderr.contains("recorded digest 0000"), "{stderr}");
}

#[test]
fn json_is_alone_on_standard_output() {
    let root = tempfile::tempdir().unwrap();
    let arguments = ["run", "smoke", "--set", "duration=3h", "--json", "--out"];
    let mut command = arboretum();
    let output = command.args(arguments).arg(root.path().join("run")).output().unwrap();
    assert!(output.status.success());
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["schema"], 1);
}

#[test]
fn plots_can_be_drawn_again() {
    let root = tempfile::tempdir().unwrap();
    let run = run_into(root.path(), "run", &["smoke", "--set", "duration=6h"]);
    let plot = run.join("plots/update_cost.svg");
    let before = fs::read(&plot).unwrap();
    fs::remove_dir_all(run.join("plots")).unwrap();
    arboretum().arg("plot").arg(&run).assert().success();
    assert_eq!(fs::read(&plot).unwrap(), before);
}

/// The cells of a column.
fn column(folder: &std::path::Path, table: &str, name: &str) -> Vec<f64> {
    let text = fs::read_to_string(folder.join(table)).unwrap();
    let mut lines = text.lines();
    let at = lines.next().unwrap().split(',').position(|column| column == name).unwrap();
    lines.map(|line| line.split(',').nth(at).unwrap().parse().unwrap()).collect()
}

#[test]
fn a_run_has_portraits_bounds_and_blank_paths() {
    let root = tempfile::tempdir().unwrap();
    let small = ["smoke", "--members", "60", "--set", "duration=1d", "--fidelity", "counted"];
    for strategy in ["rfc9420", "2018-10", "rfc9420+shape=m-ary:3"] {
        let run =
            run_into(root.path(), strategy, &[&small[..], &["--strategy", strategy]].concat());
        check_contract(&run);
        for plot in ["tree_portrait", "tree_portraits", "update_cost"] {
            for kind in ["svg", "png"] {
                assert!(run.join("plots").join(plot).with_extension(kind).exists(), "{plot}");
            }
        }
        let found = summary(&run);
        let last = |table, name| column(&run, table, name).pop().unwrap();
        // Eight moments, both ends among them, each of a tree as wide as the snapshot says.
        let mut times = column(&run, "portraits.csv", "time_ms");
        times.dedup();
        assert_eq!(times.len(), 8, "{times:?}");
        assert_eq!((times[0], times[7]), (0.0, 86_400_000.0));
        let leaves = column(&run, "portraits.csv", "leaves");
        let levels = column(&run, "portraits.csv", "level");
        let root_at = levels.iter().rposition(|level| *level == 0.0).unwrap();
        assert_eq!(leaves[root_at], last("tree.csv", "width"));
        let members = &column(&run, "portraits.csv", "member")[root_at..];
        assert_eq!(members.iter().sum::<f64>(), last("tree.csv", "members"));
        // As long as nobody has committed, all members weigh the same.
        let active = column(&run, "tree.csv", "active_update_cost");
        assert_eq!(active[0], column(&run, "tree.csv", "expected_update_cost")[0]);
        // No tree costs less than the bounds.
        let regret = column(&run, "tree.csv", "regret");
        assert!(regret.iter().all(|regret| *regret >= 0.0), "{regret:?}");
        assert_eq!(found["regret"]["end"].as_f64().unwrap(), regret[regret.len() - 1]);
        let huffman = found["huffman_bound"]["end"].as_f64().unwrap();
        assert!(huffman <= last("tree.csv", "members").log2().ceil());
        assert_eq!(
            found["wasted_ciphertexts"].as_u64().unwrap() as f64,
            column(&run, "commits.csv", "wasted_ciphertexts").iter().sum::<f64>()
        );
        let paths = &found["blank_paths"];
        assert_eq!(
            paths["closed"].as_u64().unwrap() + paths["open"].as_u64().unwrap(),
            found["operations"]["removes"].as_u64().unwrap()
        );
    }
}

#[test]
fn every_actor_of_a_trace_becomes_a_member() {
    let root = tempfile::tempdir().unwrap();
    let trace = root.path().join("trace.csv");
    let mut text = String::from("time_s,actor\n");
    for event in 0..400 {
        text += &format!("{},person-{}\n", event * 600, (event * event) % 37);
    }
    fs::write(&trace, &text).unwrap();
    let actors = (0..400).map(|e| (e * e) % 37).collect::<std::collections::BTreeSet<_>>().len();
    let set = format!("workload.trace={}", trace.display());
    let run = run_into(root.path(), "run", &["trace", "--set", &set, "--set", "duration=5d"]);
    assert_eq!(summary(&run)["members"]["ever"], actors as u64);
}

#[test]
fn the_student_network_runs() {
    let Some(trace) = shared("traces/college-msg.csv") else { return };
    let root = tempfile::tempdir().unwrap();
    let set = format!("workload.trace={}", trace.display());
    let run = run_into(root.path(), "run", &["trace", "--set", &set, "--fidelity", "counted"]);
    let text = fs::read_to_string(&trace).unwrap();
    let actors = text.lines().skip(1).filter_map(|line| line.split(',').nth(1));
    let actors = actors.collect::<std::collections::BTreeSet<_>>().len();
    assert_eq!(summary(&run)["members"]["ever"], actors as u64);
    check_contract(&run);
}

#[test]
fn lists_and_schemas_are_printed() {
    for what in ["scenarios", "protocols", "strategies", "suites", "metrics"] {
        let printed = arboretum().args(["list", what]).output().unwrap();
        assert!(printed.status.success() && !printed.stdout.is_empty(), "{what}");
    }
    // Editors read the files (.taplo.toml); `make schemas` writes them.
    for what in ["scenario", "experiment", "study", "profile"] {
        let schema = arboretum().args(["schema", what]).output().unwrap().stdout;
        let parsed: serde_json::Value = serde_json::from_slice(&schema).unwrap();
        assert!(parsed["properties"]["name"].is_object(), "{what}");
        let file = format!("{}/../workloads/schema/{what}.json", env!("CARGO_MANIFEST_DIR"));
        assert!(std::fs::read(&file).unwrap() == schema, "it is another; make schemas: {file}");
    }
    // Experiments stand among the scenarios, and have a schema of their own.
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let rules = std::fs::read_to_string(root.join(".taplo.toml")).unwrap();
    for entry in std::fs::read_dir(root.join("workloads/scenarios")).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("\"workloads/scenarios/{}\"", path.file_name().unwrap().display());
        let text = std::fs::read_to_string(&path).unwrap();
        let is_experiment = text.lines().any(|line| line.starts_with("[operations]"));
        assert_eq!(rules.matches(&name).count(), if is_experiment { 2 } else { 0 }, "{name}");
    }
    arboretum().args(["completions", "bash"]).assert().success();
    let listed = arboretum().args(["list", "metrics", "--json"]).output().unwrap();
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let is_there = |name: &str| listed.as_array().unwrap().iter().any(|it| it["name"] == name);
    assert!(is_there("key_age_s.mean") && is_there("ciphertexts_per_commit"));
}

#[test]
fn every_command_has_a_manual_page() {
    let page = |path: &[&str]| {
        let shown = arboretum().arg("man").args(path).assert().success();
        String::from_utf8(shown.get_output().stdout.clone()).unwrap()
    };
    assert!(page(&[]).contains("arboretum\\-run(1)"));
    assert!(page(&["run"]).contains("\\-\\-members") && page(&["run"]).contains("arboretum-run"));
    assert!(page(&["trace", "fit"]).contains("arboretum-trace-fit"));
    let refused = arboretum().args(["man", "grow"]).assert().code(2);
    refused.stderr(predicates::str::contains("`arboretum` has no command `grow`"));
}

/// A reader that has seen enough, as `head` has, is no fault.
#[test]
fn a_closed_pipe_ends_the_command_without_a_word() {
    for arguments in [&["schema", "study"][..], &["completions", "zsh"], &["list", "metrics"]] {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("arboretum"));
        command.args(arguments).stdout(std::process::Stdio::piped());
        let mut running = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
        drop(running.stdout.take());
        let ended = running.wait_with_output().unwrap();
        assert!(ended.stderr.is_empty(), "{}", String::from_utf8_lossy(&ended.stderr));
    }
}

/// A member that was alone for longer than the server allows lets others in when it is back.
#[test]
fn who_was_to_be_evicted_alone_commits_what_others_ask() {
    let root = tempfile::tempdir().unwrap();
    let trace = root.path().join("alone.csv");
    let day = 86_400;
    let times = [(0, "a"), (8 * day, "a"), (8 * day + 60, "b"), (8 * day + 600, "a")];
    let late = [(9 * day, "a"), (9 * day + 10, "b"), (10 * day, "b")];
    let rows: String =
        times.iter().chain(&late).map(|(time, actor)| format!("{time},{actor}\n")).collect();
    std::fs::write(&trace, format!("time_s,actor\n{rows}")).unwrap();
    let set = format!("workload.trace={}", trace.display());
    let arguments = ["trace", "--fidelity", "counted", "--set", &set];
    let more = ["--set", "policy.evict_after=7d", "--set", "duration=11d"];
    let summary = summary(&run_into(root.path(), "alone", &[&arguments[..], &more].concat()));
    assert_eq!(summary["members"]["max"], 2, "{summary}");
}
