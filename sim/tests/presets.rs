//! Scenarios that others chose: each runs at a small size, experiments by themselves too; what purges and servers
//! that commit for all do to a tree.

mod common;

use std::fs;

use arboretum_engine::crypto::{CountingProvider, Op};
use arboretum_engine::protocol::SharedTreeKem;
use arboretum_results::RunRecorder;
use arboretum_sim::simulation::{self, Behaviour, Settings, StreamSeeds};
use arboretum_workloads::{Demand, RootSeed, Scenario, shipped};
use common::{arboretum, check_contract, digest, run_into, summary};
use predicates::str::contains;

/// Keys that make every scenario small.
const SMALL: [&str; 3] = ["group.members=24", "group.fidelity=counted", "duration=30h"];

/// What else has to be smaller, or earlier.
fn smaller(name: &str) -> Option<&'static str> {
    match name {
        "conference" | "event-room" => Some("workload.crowd.users=40"),
        "purge" => Some("workload.purges=[{ at = \"5h\", fraction = 0.2 }]"),
        _ => None,
    }
}

#[test]
fn every_shipped_scenario_runs_small() {
    let names: Vec<&str> = Op::ALL.iter().map(|op| op.name()).collect();
    let names = &*names.leak();
    for found in shipped().iter().filter(|found| !found.is_experiment() && found.name != "trace") {
        let set: Vec<_> = SMALL.into_iter().chain(smaller(found.name)).map(Into::into).collect();
        let scenario = Scenario::parse(found.name, found.text, &set).unwrap();
        let (strategy, _) = Behaviour::of(&scenario).unwrap();
        let seeds = StreamSeeds::new(&RootSeed::from_u64(scenario.seed), 0);
        let mut protocol = SharedTreeKem::new(&CountingProvider, seeds, strategy).unwrap();
        let mut recorder = RunRecorder::new(names);
        let settings = Settings {
            audit: 2,
            events_before: 0,
            stop_before_event: None,
            should_stop: &|| false,
            progress: &mut |_| {},
        };
        let demand = Demand::new(&scenario, None);
        let played = simulation::run(&scenario, &demand, &mut protocol, &mut recorder, settings);
        let outcome = played.unwrap_or_else(|fault| panic!("{}: {fault}", found.name));
        assert_eq!(outcome.invariants.violated, 0, "{}", found.name);
        assert!(outcome.members_ever >= 24, "{}", found.name);
    }
}

#[test]
fn every_shipped_experiment_runs_and_keeps_its_bounds() {
    let root = tempfile::tempdir().unwrap();
    for found in shipped().iter().filter(|found| found.is_experiment()) {
        let run = run_into(root.path(), found.name, &[found.name]);
        let told = summary(&run);
        assert_eq!((&told["scenario"], &told["seed"]), (&found.name.into(), &1.into()));
        assert!(run.join("provenance.json").is_file());
        arboretum().arg("verify").arg(&run).assert().success();
        // The folder's own file runs again to the same digest.
        for command in ["plot", "compare"] {
            let refused = arboretum().arg(command).arg(&run).assert().code(2);
            refused.stderr(contains("the folder of an experiment, which has no tables"));
        }
        let file = run.join("scenario.toml");
        let again = format!("{}-again", found.name);
        let again = run_into(root.path(), &again, &[file.to_str().unwrap()]);
        assert_eq!(digest(&again), digest(&run));
        let text = fs::read_to_string(run.join("summary.json")).unwrap();
        fs::write(run.join("summary.json"), text.replace(&digest(&run), &"0".repeat(64))).unwrap();
        arboretum().arg("verify").arg(&run).assert().code(1);
    }
}

#[test]
fn an_experiment_is_run_with_what_it_has() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out");
    let run = |more: &[&str]| {
        let mut command = arboretum();
        command.args(["run", "ttkem-zipf", "--members", "64", "--out"]).arg(&out).args(more);
        command.assert()
    };
    run(&["--fidelity", "full"]).code(2).stderr(contains("--fidelity is for people who come"));
    run(&["--events"]).code(2).stderr(contains("--events is for people"));
    run(&["--strategy", "tainted-2022"]).code(2).stderr(contains("no strategy `tainted-2022`"));
    let told = run(&["--seed", "2", "--json"]).success();
    let told: serde_json::Value = serde_json::from_slice(&told.get_output().stdout).unwrap();
    assert_eq!((&told["seed"], &told["operations"]["all"]), (&2.into(), &1_280.into()));
    run(&[]).code(2).stderr(contains("exists already"));
    let tainted = ["--strategy", "tainted-2021", "--set", "operations.commits=all", "--force"];
    run(&tainted).success();
    assert_eq!(summary(&out)["strategy"], "tainted-2021");
    // A bound that does not hold ends the command with 1, if the file says so.
    let text = fs::read_to_string(out.join("scenario.toml")).unwrap();
    let strict = format!("{text}\n[expect.\"ciphertexts\"]\nmax = 1\n[expect.\"none\"]\nmin = 0\n");
    let file = root.path().join("strict.toml");
    fs::write(&file, strict.replace("[expect.ciphertexts_per_commit]\nmin = 30.0\n", "")).unwrap();
    let mut command = arboretum();
    command
        .arg("run")
        .arg(&file)
        .arg("--out")
        .arg(root.path().join("strict"))
        .assert()
        .code(1)
        .stderr(contains("ciphertexts is "))
        .stderr(contains("none is not a number of the summary"));
    let bare = fs::read_to_string(&file).unwrap().replace("max = 1\n", "");
    fs::write(&file, bare).unwrap();
    let mut command = arboretum();
    command.arg("run").arg(&file).assert().code(2).stderr(contains("neither `min` nor `max`"));
}

#[test]
fn a_purge_of_every_second_leaf_blanks_every_parent() {
    let root = tempfile::tempdir().unwrap();
    let small = ["--members", "64", "--fidelity", "counted", "--set", "duration=6h"];
    let quiet = ["--set", "policy.update_every=1000d"];
    let run =
        run_into(root.path(), "run", &[&["alternate-blank"], &small[..], &quiet[..]].concat());
    check_contract(&run);
    let told = summary(&run);
    assert_eq!(told["tree"]["members"], 32);
    assert_eq!(told["tree"]["blank_leaves"], 32);
    // The committer has keyed its own path of six; it skips the level whose other leaf is blank.
    assert_eq!(told["tree"]["blank_parents"], 63 - 5);
    assert_eq!(told["commits"]["removes"], 1);
    assert_eq!(told["update_cost"]["ciphertexts"]["max"], 31);
}

#[test]
fn servers_commit_for_all_at_every_fidelity() {
    let root = tempfile::tempdir().unwrap();
    let small = ["--members", "42", "--set", "duration=8h", "--set", "policy.update_every=4h"];
    let more = ["--set", "workload.arrivals.per_day=20", "--set", "workload.lifetime.mean=2d"];
    let run = |fidelity: &str| {
        let chosen = ["--fidelity", fidelity];
        let all = [&["two-servers-commit"], &small[..], &more[..], &chosen[..]].concat();
        let folder = run_into(root.path(), fidelity, &all);
        check_contract(&folder);
        folder
    };
    let (full, shared, counted) = (run("full"), run("shared"), run("counted"));
    assert_eq!(digest(&full), digest(&shared));
    assert_eq!(digest(&full), digest(&counted));
    let told = summary(&full);
    assert!(told["operations"]["adds"].as_u64().unwrap() >= 2, "{told}");
    assert!(told["operations"]["removes"].as_u64().unwrap() >= 2, "{told}");
    // One commit a period, by one of the first two clients.
    assert!(told["commits"]["accepted"].as_u64().unwrap() <= 33, "{told}");
    let commits = fs::read_to_string(full.join("commits.csv")).unwrap();
    // References to proposals, of 34 bytes and more, of forty who renew twice in eight hours.
    let proposed: f64 = column(&commits, "bytes_proposals").skip(1).sum();
    assert!(proposed >= 60.0 * 34.0, "{proposed}");
    let committers: Vec<f64> = column(&commits, "committer").collect();
    assert!(committers.iter().all(|committer| *committer < 2.0), "{committers:?}");
    assert!([0.0, 1.0].iter().all(|server| committers.contains(server)), "{committers:?}");
}

/// The numbers of a column.
fn column<'t>(table: &'t str, name: &str) -> impl Iterator<Item = f64> + use<'t> {
    let mut lines = table.lines();
    let at = lines.next().unwrap().split(',').position(|column| column == name).unwrap();
    lines.map(move |line| line.split(',').nth(at).unwrap().parse().unwrap())
}

#[test]
fn servers_that_cannot_be_are_refused() {
    let refused = |more: &[&str], part: &str| {
        let mut command = arboretum();
        command.args(["run", "two-servers-commit"]).args(more);
        command.assert().code(2).stderr(contains(part));
    };
    let set = |key: &'static str| ["--set", key];
    refused(&set("workload.servers=0"), "a scenario without `workload.servers`");
    refused(&set("workload.servers=9999"), "fewer than the 5002 members");
    refused(&set("workload.devices=2"), "a server is one client");
    refused(&set("workload.messages={}"), "let proposals wait");
    refused(&set("authentication.rotate_every=1d"), "`authentication.rotate_every`");
    let strategy = "rfc9420+batching=servers:1h+warming=on-join";
    refused(&["--strategy", strategy], "does not go with warming");
    refused(&["--strategy", "rfc9420+batching=servers:0s"], "batching=servers takes a duration");
    let purge = |more: &str, part: &str| {
        let set = format!("workload.purges=[{{ at = \"1h\", fraction = 0.1 }}, {more}]");
        refused(&["--set", &set], part);
    };
    purge("{ at = \"1h\", fraction = 1.5 }", "workload.purges: 1.5 is not from 0 to 1");
    purge("{ at = \"0s\", fraction = 0.5 }", "a purge comes after the group is made");
    purge("{ at = \"9d\", fraction = 0.5 }", "the run is over at 1d");
    purge("{ at = \"1h\", fraction = 0.5, who = \"me\" }", "unknown variant");
}
