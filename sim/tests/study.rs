//! `arboretum study` on the real binary.

#![allow(
    clippy::disallowed_types,
    reason = "whether a cell is run again is told by when it was written"
)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use common::arboretum;
use predicates::prelude::*;

const STUDY: &str = r#"
name = "small"
title = "Proposals in a small group"
question = "What does a proposal cost?"
seeds = 2
quick = { seeds = 1, keep = { n = [8] } }

[scenario]
name = "proposals"
title = "Update proposals"
analysis = "Each commit covers some."
group.members = 8
operations.count = "10n"

[[axes]]
name = "p"
values = [
    { value = 0 },
    { value = 2, set = { "operations.proposals" = 2 } },
]

[[axes]]
name = "n"
values = [
    { value = 8, set = { "group.members" = 8 } },
    { value = 64, set = { "group.members" = 64 } },
]

[[expect]]
says = "proposals are dear"
metric = "ciphertexts_per_commit"
at = { p = 2, n = 64 }
than = { p = 0 }
min = 1.5

[[plots]]
name = "cost"
title = "Cost"
x = "n"
x_label = "members"
y = "ciphertexts_per_commit"
y_label = "ciphertexts"
series = "p"
bound = "bounds.log2_members"
logarithmic = true
"#;

struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new(study: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("study.toml"), study).unwrap();
        Self { folder }
    }

    fn run(&self, out: &str, more: &[&str]) -> assert_cmd::assert::Assert {
        arboretum()
            .current_dir(self.folder.path())
            .args(["study", "study.toml", "--out", out])
            .args(more)
            .assert()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    /// A table without what the host measured.
    fn results(&self, name: &str) -> Vec<String> {
        let table = self.read(name);
        let mut lines = table.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let columns = lines.next().unwrap();
        let kept = |row: &Vec<&str>| {
            let cells = row.iter().zip(&columns);
            let cells = cells.filter(|(_, column)| !column.starts_with("host."));
            cells.map(|(cell, _)| *cell).collect::<Vec<_>>().join(",")
        };
        lines.map(|row| kept(&row)).collect()
    }
}

fn count(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[test]
fn a_study_leaves_its_tables_cells_and_plots() {
    let world = World::new(STUDY);
    let holds = predicate::str::contains("holds: proposals are dear");
    world.run("out", &[]).success().stdout(holds);
    let cells = world.read("out/cells.csv");
    assert!(cells.starts_with("p,n,seed,digest,members.start,"), "{cells}");
    assert_eq!(cells.lines().count(), 1 + 8);
    let aggregate = world.read("out/aggregate.csv");
    assert!(aggregate.starts_with("p,axis.n,metric,n,mean,lo,hi\n"), "{aggregate}");
    // A full warm tree costs log2 n, whatever the seed.
    assert!(aggregate.contains("\n0,64,ciphertexts_per_commit,2,6,6,6\n"), "{aggregate}");
    let folder = world.folder.path().join("out");
    assert_eq!(count(&folder.join("cells")), 8);
    let provenance = world.read("out/provenance.json");
    assert!(provenance.contains("\"scenario_source\": \"study.toml\""), "{provenance}");
    assert!(folder.join("plots/cost.png").is_file() && folder.join("plots/cost.svg").is_file());
}

#[test]
fn a_study_compares_and_fits() {
    let more = r#"
[[paired]]
axis = "p"
metrics = ["ciphertexts_per_commit"]
at = { n = [16, 64] }

[[fits]]
x = "n"
y = "ciphertexts_per_commit"
at = { p = 0 }
says = "without proposals it is a logarithm"
form = "log2"

[[fits]]
x = "n"
y = "ciphertexts_per_commit"
at = { p = 2 }
says = "with proposals it is a power"
min = 0.4
max = 0.9
"#;
    let between = "{ value = 8, set = { \"group.members\" = 8 } },\n    \
        { value = 16, set = { \"group.members\" = 16 } },";
    let study = STUDY.replace("{ value = 8, set = { \"group.members\" = 8 } },", between).replace(
        "[scenario]",
        "[ratios]\nshare = [\"ciphertexts\", \"members.start\"]\n[scenario]",
    );
    let world = World::new(&format!("{study}{more}"));
    let holds = predicate::str::contains("holds: without proposals it is a logarithm")
        .and(predicate::str::contains("holds: with proposals it is a power"));
    world.run("out", &[]).success().stdout(holds);
    let differences = world.read("out/differences.csv");
    assert!(differences.starts_with("p,axis.n,axis,base,metric,n,base_mean,"), "{differences}");
    let points: Vec<_> = differences.lines().skip(1).map(|line| &line[..8]).collect();
    assert_eq!(points, ["2,16,p,0", "2,64,p,0"], "{differences}");
    let fits = world.read("out/fits.csv");
    assert_eq!(fits.lines().count(), 3, "{fits}");
    // A full warm tree costs log2 n: each doubling adds one, whatever the seed.
    assert!(
        fits.lines().nth(1).unwrap().contains(",1,1,1,1,") && fits.contains(",log2\n"),
        "{fits}"
    );
    assert!(world.read("out/cells.csv").lines().next().unwrap().ends_with(",share"));
    // Nor does what is said of a number that there is not.
    let misspelt =
        more.replacen("y = \"ciphertexts_per_commit\"", "y = \"ciphertext_per_commit\"", 1);
    let world = World::new(&format!("{study}{misspelt}"));
    let told = predicate::str::contains("does not hold: without proposals it is a logarithm");
    world.run("out", &[]).code(1).stderr(told);
    // What does not hold of growth ends with 1 too.
    let world = World::new(&format!("{study}{}", more.replace("max = 0.9", "max = 0.4")));
    let told = predicate::str::contains("does not hold: with proposals it is a power");
    world.run("out", &[]).code(1).stderr(told);
}

#[test]
fn it_goes_on_where_it_stopped_and_threads_do_not_matter() {
    let world = World::new(STUDY);
    world.run("first", &["--threads", "1"]).success();
    world.run("second", &["--threads", "2", "--only", "p=2"]).success();
    let cells = world.folder.path().join("second/cells");
    assert_eq!(count(&cells), 4);
    let before: Vec<_> = fs::read_dir(&cells).unwrap().map(|cell| cell.unwrap().path()).collect();
    let written =
        |path: &Path| fs::metadata(path.join("summary.json")).unwrap().modified().unwrap();
    let times: Vec<_> = before.iter().map(|path| written(path)).collect();
    world.run("second", &["--threads", "2"]).success();
    assert_eq!(times, before.iter().map(|path| written(path)).collect::<Vec<_>>());
    for table in ["cells.csv", "aggregate.csv"] {
        let read = |out: &str| world.results(&format!("{out}/{table}"));
        assert_eq!(read("first"), read("second"));
    }
    // A cell that was cut short is run again, and one that another number has got into.
    fs::write(before[0].join("summary.json"), "{").unwrap();
    let summary = fs::read_to_string(before[1].join("summary.json")).unwrap();
    let changed = summary.replacen("\"ciphertexts\": ", "\"ciphertexts\": 1", 1);
    assert_ne!(summary, changed);
    fs::write(before[1].join("summary.json"), changed).unwrap();
    let told = predicate::str::contains("is damaged, and counts as not run").count(2);
    world.run("second", &[]).success().stderr(told);
    assert_eq!(world.results("first/cells.csv"), world.results("second/cells.csv"));
}

/// Cells of about the same length, far more of them than a run of it is left to finish below.
fn long_study() -> World {
    World::new(&STUDY.replace("seeds = 2", "seeds = 12").replace("\"10n\"", "40_000"))
}

const LONG_CELLS: usize = 48;

/// The same number of threads everywhere, so that what is measured of one run holds for another.
const LONG_THREADS: &str = "2";

/// The cells of a folder that are finished, and when they were.
fn finished(folder: &Path) -> Vec<(PathBuf, SystemTime)> {
    let entries = fs::read_dir(folder.join("cells")).into_iter().flatten().flatten();
    let digests = entries.map(|entry| entry.path().join("cell.sha256"));
    let mut kept: Vec<_> = digests
        .filter(|path| !path.to_string_lossy().contains("partial"))
        .filter_map(|path| Some((path.clone(), fs::metadata(path).ok()?.modified().ok()?)))
        .collect();
    kept.sort();
    kept
}

/// The long study, going on in a folder, which nobody waits for.
fn go_on(world: &World, out: &str) -> Child {
    Command::new(assert_cmd::cargo::cargo_bin!("arboretum"))
        .current_dir(world.folder.path())
        .args(["study", "study.toml", "--quiet", "--out", out])
        .args(["--threads", LONG_THREADS])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits until a study has finished so many cells, or has ended.
fn wait_for(study: &mut Child, folder: &Path, cells: usize) {
    while finished(folder).len() < cells && study.try_wait().unwrap().is_none() {
        sleep(Duration::from_millis(2));
    }
}

/// Killed at twenty moments, a study loses no finished cell, and comes to what it comes to. Some of them lie in
/// its first milliseconds, the others after a cell that it has finished, by up to half of what a cell takes:
/// a fast machine kills it as early as a slow one.
#[test]
fn it_may_be_killed_at_any_moment() {
    let world = long_study();
    let started = SystemTime::now();
    world.run("whole", &["--threads", LONG_THREADS]).success();
    let threads: u32 = LONG_THREADS.parse().unwrap();
    let a_cell = started.elapsed().unwrap() * threads / LONG_CELLS as u32;
    let folder = world.folder.path().join("killed");
    let (mut moment, mut cut) = (0x9e37_79b9_u64, 0);
    for round in 0..20 {
        moment = moment.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let part = (moment >> 33) as u32 % 100;
        let there = finished(&folder).len();
        let mut study = go_on(&world, "killed");
        if round % 4 == 0 {
            sleep(Duration::from_millis(part.into()));
        } else {
            wait_for(&mut study, &folder, there + 1);
            sleep(a_cell * part / 200);
        }
        let before = finished(&folder);
        study.kill().unwrap();
        study.wait().unwrap();
        let after = finished(&folder);
        assert!(before.iter().all(|cell| after.contains(cell)), "a finished cell is lost");
        cut += usize::from(after.len() < LONG_CELLS);
    }
    assert!(cut >= 10, "only {cut} times it was killed before its end");
    let before = finished(&folder);
    world.run("killed", &[]).success();
    let is_kept = |cell| finished(&folder).contains(cell);
    assert!(before.iter().all(is_kept), "a finished cell was run again");
    assert_eq!(world.results("whole/cells.csv"), world.results("killed/cells.csv"));
    assert_eq!(count(&folder.join("cells")), LONG_CELLS, "nothing half written is left");
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_what_is_finished_and_it_goes_on_from_there() {
    let world = long_study();
    let folder = world.folder.path().join("out");
    let mut study = go_on(&world, "out");
    wait_for(&mut study, &folder, 2);
    let sent = Command::new("kill").args(["-INT", &study.id().to_string()]).status();
    assert!(sent.unwrap().success());
    let ended = study.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130));
    let told = String::from_utf8(ended.stderr).unwrap();
    assert!(told.contains("interrupted; the finished cells are in out"), "{told}");
    let before = finished(&folder);
    assert!((2..LONG_CELLS).contains(&before.len()), "{}", before.len());
    assert_eq!(count(&folder.join("cells")), before.len(), "nothing half written is left");
    assert!(!folder.join("cells.csv").exists());
    world.run("out", &[]).success();
    let after = finished(&folder);
    assert_eq!(after.len(), LONG_CELLS);
    assert!(before.iter().all(|cell| after.contains(cell)), "a finished cell was run again");
}

#[test]
fn some_of_its_cells_are_run_again() {
    let world = World::new(STUDY);
    world.run("out", &["--quick", "--seeds", "2"]).success();
    let verify = |cells: &str| {
        let mut command = arboretum();
        command.current_dir(world.folder.path()).args(["verify", "out", "--cells", cells]);
        command.assert()
    };
    let told = verify("3").success().get_output().stdout.clone();
    let told = String::from_utf8(told).unwrap();
    assert!(told.contains("run again, the same digest: ") && told.matches(" seed ").count() == 3);
    let path = world.folder.path().join("out/cells.csv");
    let cells = world.read("out/cells.csv");
    let row = cells.lines().nth(2).unwrap();
    let digest = row.split(',').nth(3).unwrap();
    let other = format!("{}{}", &digest[1..], &digest[..1]);
    fs::write(&path, cells.replace(digest, &other)).unwrap();
    let told = predicate::str::contains("1 of 4 runs come to another digest");
    verify("4").code(1).stderr(told);
    fs::write(&path, cells.replacen("\n0,8,1,", "\n0,8,9,", 1)).unwrap();
    verify("4").code(2).stderr(predicate::str::contains("the study has no cell 0 8 seed 9"));
    // What is too dear is left out, and what keeps means alone has nothing to compare.
    let mut command = arboretum();
    fs::write(&path, &cells).unwrap();
    command.current_dir(world.folder.path()).args(["verify", "out", "--cells", "2", "--json"]);
    let told = command.assert().success().get_output().stdout.clone();
    let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
    assert_eq!((told["cells"].as_array().unwrap().len(), &told["same"]), (2, &true.into()));
    verify("0").code(2).stderr(predicate::str::contains("no cell is cheap enough"));
    fs::remove_file(&path).unwrap();
    verify("1").code(2).stderr(predicate::str::contains("keeps means alone"));
}

/// What is recorded of a shipped study is its tables: its definition is the shipped one.
#[test]
fn tables_of_a_shipped_study_are_enough() {
    let root = tempfile::tempdir().unwrap();
    let run = |words: &[&str]| {
        let mut command = arboretum();
        command.current_dir(root.path()).args(words).assert().success();
    };
    run(&["study", "ttkem-2021", "--only", "i=3", "--seeds", "2", "--quiet", "--out", "out"]);
    let kept = root.path().join("ttkem-2021");
    fs::create_dir(&kept).unwrap();
    for table in ["cells.csv", "provenance.json"] {
        fs::copy(root.path().join("out").join(table), kept.join(table)).unwrap();
    }
    run(&["verify", "ttkem-2021", "--cells", "2"]);
    run(&["report", "ttkem-2021", "-o", "page.html"]);
    run(&["plot", "ttkem-2021"]);
    let plots =
        |folder: &str| fs::read_dir(root.path().join(folder).join("plots")).unwrap().count();
    assert_eq!(plots("ttkem-2021"), plots("out"));
    assert!(!kept.join("study.toml").exists());
}

#[test]
fn tasks_of_a_manifest_are_cells_of_the_study() {
    let world = World::new(STUDY);
    world.run("whole", &[]).success();
    let told = predicate::str::contains("tasks/manifest.json: 3 tasks");
    world.run("tasks", &["--manifest", "--chunk", "3"]).success().stdout(told);
    let task = |index: &str| {
        let mut command = arboretum();
        command.current_dir(world.folder.path()).args(["cell", "tasks/manifest.json", index]);
        command.assert()
    };
    task("0")
        .success()
        .stdout(predicate::str::is_match("^([0-9a-f]{16} [0-9a-f]{64}\n){3}$").unwrap());
    let missing = predicate::str::contains("5 of 8 cells have no result");
    world.run("tasks", &["--resume"]).code(1).stderr(missing);
    task("1").success();
    task("2").success();
    task("3").code(2).stderr(predicate::str::contains("there is no task 3"));
    world.run("tasks", &["--resume"]).success();
    assert_eq!(world.results("whole/cells.csv"), world.results("tasks/cells.csv"));
    // A manifest of another program is none of this one.
    let path = world.folder.path().join("tasks/manifest.json");
    let manifest = fs::read_to_string(&path).unwrap();
    let at = manifest.find("\"program\": \"").unwrap() + 12;
    fs::write(&path, format!("{}0000{}", &manifest[..at], &manifest[at + 4..])).unwrap();
    task("0").code(2).stderr(predicate::str::contains("arboretum of other sources"));
    fs::write(&path, "{").unwrap();
    task("0").code(2).stderr(predicate::str::contains("no manifest"));
    world
        .run("other", &["--detach"])
        .code(2)
        .stderr(predicate::str::contains("add --executor slurm"));
}

#[test]
fn what_was_never_submitted_cannot_be_collected() {
    let world = World::new(STUDY);
    let told = predicate::str::contains("there is no folder out, so nothing to collect")
        .and(predicate::str::contains("--out DIR"));
    world.run("out", &["--resume"]).code(2).stderr(told);
    assert!(!world.folder.path().join("out").exists());
    world.run("out", &["--quick"]).success();
    let told = predicate::str::contains("out has no manifest.json")
        .and(predicate::str::contains("without --resume they run on this machine"));
    world.run("out", &["--resume"]).code(2).stderr(told);
}

#[test]
fn a_part_of_it_can_be_asked_for() {
    let world = World::new(STUDY);
    world.run("quick", &["--quick"]).success();
    assert_eq!(world.read("quick/cells.csv").lines().count(), 1 + 2);
    world.run("one", &["--only", "n=64", "--only", "p=0", "--seeds", "3", "--seed", "5"]).success();
    let cells = world.read("one/cells.csv");
    let seeds: Vec<_> = cells.lines().skip(1).map(|line| &line[..6]).collect();
    assert_eq!(seeds, ["0,64,5", "0,64,6", "0,64,7"]);
    let json = world.run("quick", &["--quick", "--json"]).success();
    let told: serde_json::Value = serde_json::from_slice(&json.get_output().stdout).unwrap();
    assert_eq!(told["cells"], 2);
    assert_eq!(told["expectations"][0]["holds"], serde_json::Value::Null);
}

#[test]
fn what_does_not_hold_ends_with_1() {
    let world = World::new(&STUDY.replace("min = 1.5", "max = 1.5"));
    let told = predicate::str::contains("does not hold: proposals are dear");
    world.run("out", &[]).code(1).stderr(told);
    // A number that there is not is no number that holds.
    let misspelt =
        World::new(&STUDY.replace("metric = \"ciphertexts_per", "metric = \"ciphertext_per"));
    misspelt.run("out", &[]).code(1).stderr(predicate::str::contains("does not hold"));
    // The tables are there all the same.
    assert_eq!(world.read("out/cells.csv").lines().count(), 1 + 8);
}

#[test]
fn plots_are_drawn_again_from_the_tables_alone() {
    let world = World::new(STUDY);
    world.run("out", &["--quick"]).success();
    let plots = world.folder.path().join("out/plots");
    let before = fs::read(plots.join("cost.svg")).unwrap();
    fs::remove_dir_all(&plots).unwrap();
    fs::remove_dir_all(world.folder.path().join("out/cells")).unwrap();
    arboretum().current_dir(world.folder.path()).args(["plot", "out"]).assert().success();
    assert_eq!(fs::read(plots.join("cost.svg")).unwrap(), before);
}

#[test]
fn a_page_takes_its_numbers_from_the_tables() {
    let world = World::new(STUDY);
    world.run("out", &[]).success();
    let page = world.folder.path().join("page.md");
    let splice = |more: &[&str]| {
        let mut command = arboretum();
        command.current_dir(world.folder.path()).args(["splice", "page.md", "out"]).args(more);
        command.assert()
    };
    let marked = |number: &str| {
        format!("It is <!-- value small ciphertexts_per_commit p=0 n=64 -->{number}<!-- end -->.\n")
    };
    fs::write(&page, marked("?")).unwrap();
    // A page that is only looked at stays as it is.
    splice(&["--check"]).code(1).stderr(predicate::str::contains("is 6 and not ?"));
    assert_eq!(fs::read_to_string(&page).unwrap(), marked("?"));
    let elsewhere = "<!-- value other cost -->1<!-- end -->";
    fs::write(&page, marked("?") + elsewhere).unwrap();
    let json = splice(&["--check", "--json"]).code(1);
    let told: serde_json::Value = serde_json::from_slice(&json.get_output().stdout).unwrap();
    let mark = "<!-- value small ciphertexts_per_commit p=0 n=64 -->";
    let other = serde_json::json!({ "mark": mark, "number": "6", "stood": "?" });
    let left = ["<!-- value other cost -->"];
    assert_eq!(told, serde_json::json!({ "numbers": 1, "others": [other], "left": left }));
    fs::write(&page, marked("?")).unwrap();
    splice(&[]).success().stdout(predicate::str::contains("page.md: 1 numbers"));
    assert_eq!(fs::read_to_string(&page).unwrap(), marked("6"));
    splice(&["--check"]).success();
    // What cannot be filled leaves the page as it was.
    let wrong = marked("?").replace("n=64", "n=65");
    fs::write(&page, &wrong).unwrap();
    splice(&[]).code(2).stderr(predicate::str::contains("names no point that was run"));
    assert_eq!(fs::read_to_string(&page).unwrap(), wrong);
}

#[test]
fn what_is_wrong_is_refused_before_anything_runs() {
    let refused = |study: &str, more: &[&str], words: &str| {
        let world = World::new(study);
        world.run("out", more).code(2).stderr(predicate::str::contains(words));
        assert!(!world.folder.path().join("out").exists());
    };
    refused(STUDY, &["--only", "n=9"], "its values: 8, 64");
    refused(STUDY, &["--only", "m=9"], "no axis `m`");
    refused(STUDY, &["--set", "group.strategy=tainted-2022"], "no strategy `tainted-2022`");
    refused(STUDY, &["--set", "group.strategy=tainted-2021"], "leave `operations.proposals` out");
    refused(STUDY, &["--set", "operations.count=0"], "operations.count");
    refused(STUDY, &["--set", "group.suite=9"], "group.suite: cipher suite 9 is not built");
    refused(STUDY, &["--set", "seed=7"], "give --seed or --seeds");
    refused(STUDY, &["--set", "group.members=9"], "axis `n` sets `group.members`");
    refused(&STUDY.replace("p = 2, n = 64", "p = 3"), &[], "axis `p` has no value 3");
    refused(&STUDY.replace("seeds = 2\n", "seed = 2\n"), &[], "study.toml");
    let unknown = predicate::str::contains("did you mean `ttkem-2021`?");
    arboretum().args(["study", "ttkem-2012"]).assert().code(2).stderr(unknown);
    // A folder of something else is left alone.
    let world = World::new(STUDY);
    fs::create_dir(world.folder.path().join("mine")).unwrap();
    fs::write(world.folder.path().join("mine/work"), "x").unwrap();
    world.run("mine", &[]).code(2).stderr(predicate::str::contains("not a study's folder"));
}

/// Scenarios can be varied as experiments can.
#[test]
fn a_grid_of_scenarios() {
    let study = r#"
        name = "scenarios"
        title = "t"
        question = "q"
        seeds = 2
        [scenario]
        name = "tiny"
        title = "t"
        analysis = "a"
        duration = "6h"
        group = { members = 10, fidelity = "counted" }
        policy.update_every = "1h"
        workload = {}
        [[axes]]
        name = "strategy"
        values = [
            { value = "rfc9420" },
            { value = "append", set = { "group.strategy" = "rfc9420+placement=append" } },
        ]
    "#;
    let world = World::new(study);
    world.run("out", &[]).success();
    let cells = world.read("out/cells.csv");
    assert!(cells.contains("update_cost.ciphertexts.mean"), "{cells}");
    assert_eq!(cells.lines().count(), 1 + 4);
}

#[test]
fn every_shipped_study_runs_in_its_small_size() {
    for (study, only) in [
        ("ttkem-2021", "i=4"),
        ("ttkem-2021-administrators", "i=8"),
        ("multicast-2022", "i=8"),
        ("multicast-2022-removals", "tree=left-balanced"),
        ("concurrent-2025", "n=64"),
        ("bonsai-2024", "n=243"),
        ("quarantined-2024", "silent=50"),
        ("fifty-thousand", "days=1"),
        ("scaling", "members=16"),
        ("scaling-lived-in", "members=64"),
        ("tree-growth", "days=7"),
        ("rebalance", "strategy=tainted-2021"),
        ("history", "tree=2018-10"),
        ("two-servers", "members=200"),
        ("evict-first", "strategy=rebuild"),
        ("eviction", "evict_after=3 d"),
        ("offline", "days_away=7"),
        ("creation", "days=1"),
        ("join-link", "members=100"),
        ("devices", "devices=1"),
        ("recovery", "members=100"),
        ("sequencing", "members=128"),
        ("conference", "crowd=100"),
        ("versus", "members=8"),
        ("healing", "updates=1 d"),
        ("forward-secrecy", "kept=1 d"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let told = arboretum()
            .args(["study", study, "--quick", "--only", only, "--out"])
            .arg(&out)
            .assert()
            .success();
        assert!(out.join("aggregate.csv").is_file(), "{told:?}");
    }
}
