//! `arboretum capacity` on the real binary: which budget binds, what is kept, what is refused.

mod common;

use std::fs;
use std::path::Path;
use std::process::Output;

use common::arboretum;
use serde_json::Value;

const SMALL: [&str; 8] =
    ["capacity", "smoke", "--profile", "phone", "--seeds", "2", "--set", "duration=12h"];

fn capacity(out: &Path, more: &[&str]) -> Output {
    let most: &[&str] = if more.contains(&"--most") { &[] } else { &["--most", "128"] };
    arboretum().args(SMALL).args(most).args(more).arg("--out").arg(out).output().unwrap()
}

fn answer(out: &Path, more: &[&str]) -> Value {
    let output = capacity(out, &[more, &["--json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn refused(out: &Path, more: &[&str], part: &str) {
    let output = capacity(out, more);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{more:?}: {stderr}");
    assert!(stderr.contains(part), "no `{part}` in:\n{stderr}");
}

#[test]
fn the_budget_that_is_tight_binds_and_cells_serve_other_budgets() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out");
    // A joiner verifies every leaf: 140 µs each on this phone, so a few dozens of them take this long.
    let budgets = ["--budget", "join=8ms", "--budget", "memory=64MiB", "--budget", "rejected=90%"];
    let found = answer(&out, &budgets);
    let (lo, hi) =
        (found["largest"]["lo"].as_u64().unwrap(), found["largest"]["hi"].as_u64().unwrap());
    assert!(4 <= lo && lo <= hi && hi < 128, "{lo} to {hi}");
    assert_eq!(found["binds"][0][0], "join");
    assert_eq!(found["seeds"].as_array().unwrap().len(), 2);
    assert_eq!(found["grows"][0], "workload.arrivals.per_day");
    // Every size on the near side of the answer holds, and the next does not.
    let table = fs::read_to_string(out.join("capacity.csv")).unwrap();
    for seed in found["seeds"].as_array().unwrap() {
        let row = |members: &Value| {
            let start = format!("{},{members},", seed["seed"]);
            table.lines().find(|line| line.starts_with(&start)).unwrap().to_owned()
        };
        let (largest, fails) = (row(&seed["largest"]), row(&seed["fails"]));
        assert!(largest.contains(",true,") && !largest.contains("false"), "{largest}");
        assert!(fails.contains(",false,"), "{fails}");
    }
    for file in ["capacity.json", "provenance.json", "plots/capacity.svg", "plots/capacity.png"] {
        assert!(out.join(file).is_file(), "{file}");
    }
    // Prices are no part of a cell: what is asked of the same groups needs no new run, and a budget that
    // nothing comes near is told as such.
    let cells = || {
        let cells = fs::read_dir(out.join("cells")).unwrap().flatten();
        let mut names: Vec<_> = cells.map(|entry| entry.file_name()).collect();
        names.sort();
        names
    };
    let before = cells();
    assert_eq!(answer(&out, &budgets), found);
    assert_eq!(cells(), before);
    let memory = answer(&out, &["--budget", "memory=8kB", "--budget", "join=1min"]);
    assert_eq!(memory["binds"][0][0], "memory");
    // A cell that is damaged is run again, to the same answer.
    let cell = out.join("cells").join(&before[0]).join("summary.json");
    fs::write(&cell, "{}").unwrap();
    assert_eq!(answer(&out, &budgets)["tried"], found["tried"]);
    assert!(fs::read_to_string(&cell).unwrap().len() > 100);
    fs::remove_dir_all(out.join("plots")).unwrap();
    arboretum().arg("plot").arg(&out).assert().success();
    assert!(out.join("plots/capacity.png").is_file());
}

#[test]
fn an_answer_makes_a_page_fills_another_and_can_be_verified() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("small");
    let budgets = ["--budget", "join=8ms", "--budget", "memory=64MiB"];
    let found = answer(&out, &budgets);
    let at = |args: &[&str]| {
        let mut command = arboretum();
        command.current_dir(root.path()).args(args);
        command.assert()
    };

    at(&["report", "small", "-o", "page.html"]).success();
    let page = fs::read_to_string(root.path().join("page.html")).unwrap();
    let median = &found["largest"]["median"];
    for part in [
        "How large may a group grow whose people live as in <code>smoke</code>?",
        "xmtp/libxmtp issue 701: “how high can we grow the group limit?”",
        &format!(
            "The largest group has <strong>{median}</strong> members <span class=\"interval\">("
        ),
        " over 2 seeds)</span>. The budget that binds is <code>join</code>.",
        "<code>phone</code>: a phone of the middle class, on one core. The server's costs, four times as long.",
        "Nothing was measured on a phone",
        "time to join, 99th percentile over those who do",
        "a line for each budget: join, memory, and a line across, the budget.",
        "<svg",
        "arboretum capacity smoke --profile phone",
    ] {
        assert!(page.contains(part), "{part}");
    }

    let marked = |number: &str| format!("Some <!-- largest small -->{number}<!-- end --> members.");
    let page = root.path().join("page.md");
    fs::write(&page, marked("?")).unwrap();
    at(&["splice", "page.md", "small", "--check"]).code(1);
    assert_eq!(fs::read_to_string(&page).unwrap(), marked("?"));
    at(&["splice", "page.md", "small"]).success();
    let (lo, hi) = (&found["largest"]["lo"], &found["largest"]["hi"]);
    let interval = if lo == hi { String::new() } else { format!(" ({lo} to {hi})") };
    assert_eq!(fs::read_to_string(&page).unwrap(), marked(&format!("{median}{interval}")));
    at(&["splice", "page.md", "small", "--check"]).success();

    // It is the runs themselves that are repeated, not what is kept of them, and from the scenario in the
    // folder: the one of that name may since be another.
    fs::remove_dir_all(out.join("cells")).unwrap();
    at(&["verify", "small", "--cells", "3"]).success();
    let scenario = out.join("scenario.toml");
    let text = fs::read_to_string(&scenario).unwrap();
    let other = text.replace("per_day = 60", "per_day = 120");
    assert_ne!(other, text);
    fs::write(&scenario, other).unwrap();
    at(&["verify", "small", "--cells", "1"]).code(1);
    fs::remove_file(&scenario).unwrap();
    let refused = at(&["verify", "small"]).code(2);
    let stderr = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
    assert!(stderr.contains("small/scenario.toml"), "{stderr}");
    fs::write(&scenario, text).unwrap();
    let file = out.join("capacity.json");
    let text = fs::read_to_string(&file).unwrap();
    for row in found["tried"].as_array().unwrap() {
        assert!(text.contains(row["digest"].as_str().unwrap()));
    }
    fs::write(&file, text.replace("\"digest\": \"", "\"digest\": \"0")).unwrap();
    let refused = at(&["verify", "small", "--cells", "1"]).code(1);
    let stderr = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
    assert!(stderr.contains("1 of 1 runs come to another digest"), "{stderr}");
}

#[test]
fn a_budget_that_nothing_spends_gives_the_most_that_was_tried() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out");
    let found = answer(&out, &["--most", "20", "--budget", "catch_up=1min"]);
    assert_eq!(found["largest"]["median"], 20);
    assert_eq!(found["largest"]["at_least"], true);
    assert!(found["seeds"][0]["fails"].is_null() && found["binds"].as_array().unwrap().is_empty());
    let told =
        String::from_utf8(capacity(&out, &["--most", "20", "--budget", "catch_up=1min"]).stdout);
    assert!(told.unwrap().contains("20 or more"));
}

#[test]
fn impossible_budgets_are_refused_with_the_way_out() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out");
    refused(&out, &["--budget", "memory=1KiB"], "give a larger --budget memory");
    // Where nobody commits in two members' half a day, that is no answer.
    refused(&out, &["--budget", "commit_process=1us"], "give a larger --budget commit_process");
    refused(&out, &[], "--budget commit_process=50ms");
    refused(&out, &["--budget", "jion=5s"], "did you mean `join`?");
    refused(&out, &["--budget", "join=5MB"], "write a number and a unit: us");
    refused(&out, &["--budget", "rejected=100%"], "no share is above 100 %");
    let warm = [
        "--set",
        "group.start=warm",
        "--set",
        "workload.arrivals.per_day=0",
        "--budget",
        "join=5s",
    ];
    let none = root.path().join("none");
    refused(&none, &[&warm[..], &["--most", "4"]].concat(), "nothing of it happens");
    let pairwise = ["--protocol", "pairwise", "--budget", "memory=1MiB"];
    refused(&none, &pairwise, "a channel for each other");
    let other = root.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("letter.txt"), "dear").unwrap();
    refused(&other, &["--budget", "join=5s"], "something else");
    refused(&out, &["--budget", "join=5s", "--strategy", "rfc9421"], "did you mean `rfc9420`?");
}

#[cfg(unix)]
#[test]
fn what_was_finished_is_kept() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out");
    let mut search = std::process::Command::new(assert_cmd::cargo::cargo_bin!("arboretum"))
        .args(["capacity", "smoke", "--profile", "server", "--seeds", "1", "--budget", "join=1min"])
        .arg("--out")
        .arg(&out)
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    // Some small group is done, and the large ones take far longer than this test.
    let cells = || {
        let cells = fs::read_dir(out.join("cells")).into_iter().flatten().flatten();
        cells.filter(|cell| cell.path().join("cell.sha256").is_file()).count()
    };
    while cells() < 2 {
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(search.try_wait().unwrap().is_none());
    }
    let sent = std::process::Command::new("kill").args(["-INT", &search.id().to_string()]).status();
    assert!(sent.unwrap().success());
    assert_eq!(search.wait().unwrap().code(), Some(130));
    assert!(cells() >= 2 && !out.join("capacity.csv").exists());
}
