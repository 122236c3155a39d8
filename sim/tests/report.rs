//! `arboretum report` on the real binary.

mod common;

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use predicates::prelude::*;

const STUDY: &str = r#"
name = "small"
title = "Proposals in a small group"
question = "Somebody: what does a proposal cost?"
analysis = "Small groups only."
seeds = 4

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

[answer]
says = "Two proposals make a commit {value} times as dear in a group of 64."
metric = "ciphertexts_per_commit"
at = { p = 2, n = 64 }
than = { p = 0 }

[[expect]]
says = "without proposals it costs log2 n"
metric = "ciphertexts_per_commit"
at = { p = 0, n = 64 }
min = 6
max = 6

[[plots]]
name = "cost"
title = "Cost"
x = "n"
x_label = "members"
y = "ciphertexts_per_commit"
y_label = "ciphertexts"
series = "p"
"#;

fn arboretum(folder: &Path) -> Command {
    let mut command = common::arboretum();
    command.current_dir(folder);
    command
}

/// A folder with the study in it, run with these options.
fn study(options: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("study.toml"), STUDY).unwrap();
    let mut command = arboretum(folder.path());
    command.args(["study", "study.toml", "--quiet", "--out", "out"]).args(options);
    command.assert().success();
    folder
}

fn page(folder: &Path, paths: &[&str]) -> String {
    let mut command = arboretum(folder);
    command.arg("report").args(paths).assert().success().stdout("report.html\n");
    fs::read_to_string(folder.join("report.html")).unwrap()
}

/// The number that stands before an interval, and the interval.
fn answer(page: &str) -> (f64, String) {
    let (_, after) = page.split_once("make a commit <strong>").expect("the answer");
    let (value, after) = after.split_once("</strong>").unwrap();
    let (_, interval) = after.split_once('(').unwrap();
    (value.parse().unwrap(), interval.split(')').next().unwrap().replace('\u{a0}', " "))
}

#[test]
fn a_study_is_answered_from_its_tables() {
    let folder = study(&[]);
    let page = page(folder.path(), &["out"]);
    let (value, interval) = answer(&page);
    // What the table says of the two points.
    let table = fs::read_to_string(folder.path().join("out/aggregate.csv")).unwrap();
    let mean = |start: &str| -> f64 {
        let row = table.lines().find(|line| line.starts_with(start)).unwrap();
        row.split(',').nth(4).unwrap().parse().unwrap()
    };
    let ratio = mean("2,64,ciphertexts_per_commit,") / mean("0,64,ciphertexts_per_commit,");
    assert!((value - ratio).abs() < 0.001, "{value} {ratio}");
    assert!(
        interval.starts_with("95 % interval ") && interval.ends_with(", 4 seeds"),
        "{interval}"
    );
    for part in [
        "Somebody: what does a proposal cost?",
        "Without proposals it costs log2 n",
        "expected exactly 6",
        "Small groups only.",
        "4 points of a grid of 4 (p × n) were run with 4 seeds each.",
        "arboretum study study.toml --quiet --out out",
        "<dt>Digest</dt>",
        "<svg class=\"plot narrow\"",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn one_seed_and_a_part_are_called_so() {
    let folder = study(&["--only", "p=2", "--seeds", "1", "--set", "operations.unmeasured=1n"]);
    let page = page(folder.path(), &["out"]);
    for part in [
        "The points that would answer it were not run.",
        "1 expectation is about points that were not run.",
        "A part of the study: </strong>2 of 4 points, 1 of 4 seeds.",
        "One seed: ",
        "Not the study as it is defined: </strong>run with <code>--set operations.unmeasured=1n</code>",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn recorded_means_and_runs_stand_on_one_page() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = arboretum(folder.path());
    run.args([
        "run",
        "smoke",
        "--members",
        "40",
        "--set",
        "duration=12h",
        "--quiet",
        "--out",
        "run",
    ]);
    run.assert().success();
    // Of a folder that somebody sends round, the means may be all that is left.
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../results/reference");
    let recorded = folder.path().join("quarantined-2024");
    fs::create_dir(&recorded).unwrap();
    let means = recorded.join("aggregate.csv");
    fs::copy(reference.join("quarantined-2024/aggregate.csv"), &means).unwrap();
    let page = page(folder.path(), &["quarantined-2024", "run"]);
    assert!(page.contains("Arboretum report: 1 study and 1 run"));
    // Both means stand on the page; the answer is their ratio.
    let table = fs::read_to_string(means).unwrap();
    let exposed = |who: &str| -> f64 {
        let start = format!("{who},500,absence.exposed,");
        let row = table.lines().find(|line| line.starts_with(&start)).unwrap();
        row.split(',').nth(4).unwrap().parse().unwrap()
    };
    let (_, after) = page.split_once("quarantine leaves <strong>").unwrap();
    let told: f64 = after.split('<').next().unwrap().parse().unwrap();
    assert!((told - exposed("quarantine") / exposed("keep")).abs() < 1e-4, "{told}");
    assert!(page.contains("The folder keeps means alone"));
    assert!(page.contains("arboretum study quarantined-2024</code>"));
    assert!(page.contains("type=\"range\"") && page.contains("arboretum run smoke --members 40"));
}

#[test]
fn everything_recorded_has_an_answer() {
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../results/reference");
    let out = tempfile::tempdir().unwrap();
    for study in fs::read_dir(reference).unwrap().map(|entry| entry.unwrap().path()) {
        let page = page(out.path(), &[study.to_str().unwrap()]);
        let (_, answer) = page.split_once("<h3>Answer</h3><p>").unwrap();
        let (answer, _) = answer.split_once("</p>").unwrap();
        let name = study.display();
        let is_told = match study.join("capacity.json").exists() {
            true => answer.contains(" over 5 seeds)"),
            false => answer.contains("% interval ") || answer.contains("the same with all"),
        };
        assert!(is_told, "{name}: {answer}");
        assert!(!page.contains("class=\"fails\"") && !page.contains("class=\"open\""), "{name}");
        assert!(!page.contains("There is nothing of it in the tables"), "{name}");
    }
}

#[test]
fn what_is_no_result_is_refused() {
    let folder = study(&["--only", "n=8"]);
    let refuse = |arguments: &[&str], what: &str| {
        let mut command = arboretum(folder.path());
        let refused = command.arg("report").args(arguments).assert().code(2);
        refused.stderr(predicate::str::contains(what));
        assert!(!folder.path().join("report.html").exists());
    };
    refuse(&["."], "cannot read ./aggregate.csv");
    fs::remove_file(folder.path().join("study.toml")).unwrap();
    refuse(&["."], "no folder of a study, a run or a capacity answer");
    refuse(&["nowhere"], "no folder of a study, a run or a capacity answer");
    fs::write(folder.path().join("mine.html"), "mine").unwrap();
    refuse(&["out", "-o", "mine.html"], "give another --output");
    fs::remove_file(folder.path().join("out/study.toml")).unwrap();
    refuse(&["out"], "has no study.toml");
    fs::rename(folder.path().join("out"), folder.path().join("ttkem-2021")).unwrap();
    fs::remove_file(folder.path().join("ttkem-2021/cells.csv")).unwrap();
    refuse(&["ttkem-2021"], "expected the study's axis `variant`");
    let many: Vec<&str> = std::iter::repeat_n("out", 101).collect();
    refuse(&many, "at most 100");
}

/// A simulation in which the answer is not about the last point.
const SIMULATED: &str = r#"
name = "simulated"
title = "simulated"
question = "Somebody: how wide is it?"
analysis = "Small."
seeds = 2
[scenario]
name = "simulated"
title = "simulated"
analysis = "A day."
duration = "1d"
[scenario.group]
members = 16
fidelity = "counted"
[scenario.workload.arrivals]
per_day = 9
[[axes]]
name = "members"
values = [
    { value = 16 },
    { value = 24, set = { "group.members" = 24 } },
]
[answer]
says = "It has {value} leaves."
metric = "tree.width"
at = { members = 16 }
"#;

#[test]
fn the_tree_of_a_cell_is_shown_over_time() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("study.toml"), SIMULATED).unwrap();
    let play = |out: &str, only: &str| {
        let mut command = arboretum(folder.path());
        command.args(["study", "study.toml", "--quiet", "--out", out, "--only", only]);
        command.assert().success();
        fs::read_to_string(folder.path().join(out).join("tree/cell.json")).unwrap()
    };
    let cell = play("both", "members=16,24");
    assert!(cell.contains("\"16\"") && cell.contains("\"seed\": 1"), "{cell}");
    let cell: serde_json::Value = serde_json::from_str(&cell).unwrap();
    let cells = fs::read_to_string(folder.path().join("both/cells.csv")).unwrap();
    assert!(cells.contains(&format!("16,1,{},", cell["digest"].as_str().unwrap())), "{cells}");
    let page = page(folder.path(), &["both"]);
    assert!(page.contains("<h3>The tree over time</h3>"));
    assert!(page.contains("Of one run, members\u{a0}=\u{a0}16, seed 1"), "which");
    assert!(page.matches("<figure class=\"frame\">").count() > 1, "several moments");
    // Where the answer's point was not run, the last one that was.
    assert!(play("other", "members=24").contains("\"24\""));
}
