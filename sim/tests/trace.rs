//! `arboretum trace` by the real binary: a log of each kind becomes a trace that runs, a trace becomes a scenario
//! that runs, and what is wrong with a log is told with its line and the way out.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command as Program;

use common::{arboretum, run_into, shared, summary};
use predicates::str::contains;
use serde_json::Value;

/// Runs a subcommand and gives what it prints.
fn trace(arguments: &[&str]) -> String {
    let done = arboretum().arg("trace").args(arguments).assert().success();
    String::from_utf8(done.get_output().stdout.clone()).unwrap()
}

fn refused(arguments: &[&str], parts: &[&str]) {
    let mut refused = arboretum().arg("trace").args(arguments).assert().code(2);
    for part in parts {
        refused = refused.stderr(contains(*part));
    }
}

/// Nothing but these files is left in a folder.
fn holds(folder: &Path, names: &[&str]) {
    let entries = fs::read_dir(folder).unwrap();
    let mut found: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    found.sort();
    assert_eq!(found, names);
}

#[test]
fn a_table_becomes_a_trace() {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name).to_str().unwrap().to_owned();
    let (log, out) = (path("log.csv"), path("out.csv"));
    let rows =
        "who;note;when\nbob;x;2018-03-22T10:00:01Z\nann;;2018-03-22T10:00:00Z\noops;;later\n";
    fs::write(&log, rows).unwrap();
    let columns = ["--time", "when", "--actor", "who", "--time-format", "rfc3339"];
    let arguments = [&["csv", &log], &columns[..], &["--delimiter", ";", "-o", &out]].concat();
    refused(&arguments, &["log.csv:4: \"later\" is not a time", "--skip-malformed"]);
    holds(root.path(), &["log.csv"]);
    let told = trace(&[&arguments[..], &["--skip-malformed"]].concat());
    assert!(told.contains("2 events of 2 actors"), "{told}");
    assert!(told.contains("1 malformed and left out; the first: "), "{told}");
    assert_eq!(fs::read_to_string(&out).unwrap(), "time_s,actor\n1521712800,1\n1521712801,2\n");
    refused(&[&arguments[..], &["--skip-malformed"]].concat(), &["exists already", "--force"]);
    let kept = ["--skip-malformed", "--force", "--keep-names", "--json"];
    let told: Value = serde_json::from_str(&trace(&[&arguments[..], &kept].concat())).unwrap();
    assert_eq!((&told["events"], &told["skipped"]), (&2.into(), &1.into()));
    let text = fs::read_to_string(&out).unwrap();
    assert_eq!(text, "time_s,actor\n1521712800,ann\n1521712801,bob\n");
    holds(root.path(), &["log.csv", "out.csv"]);
}

#[test]
fn what_cannot_be_read_or_written_is_told() {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name).to_str().unwrap().to_owned();
    let (log, out, folder) = (path("log.csv"), path("out.csv"), root.path().to_str().unwrap());
    fs::write(&log, "when,who\n1,a\n").unwrap();
    let columns = ["--time", "wen", "--actor", "who", "-o"];
    refused(&[&["csv", &log], &columns[..], &[&out]].concat(), &["did you mean --time \"when\"?"]);
    refused(&[&["csv", folder], &columns[..], &[&out]].concat(), &["a folder and not a file"]);
    refused(&[&["csv", &log], &columns[..], &[folder]].concat(), &["is a folder"]);
    let nowhere = path("nowhere/out.csv");
    refused(&[&["csv", &log], &columns[..], &[&nowhere]].concat(), &["there is no folder"]);
    let quote = ["--delimiter", "\"", "--time", "when", "--actor", "who", "-o", &out];
    refused(&[&["csv", &log], &quote[..]].concat(), &["one character of ASCII"]);
    let format = ["--time-format", "unix-s", "--time", "when", "--actor", "who", "-o", &out];
    refused(&[&["csv", &log], &format[..]].concat(), &["there is unix, unix-ms, rfc3339"]);
    refused(&["mbox", &log, "-o", &out], &["no messages that can be read"]);
    refused(&["git", folder, "-o", &out], &["git log of", "not a git repository"]);
    refused(&["git", &nowhere, "-o", &out], &["cannot change to"]);
    refused(&["fit", &log], &["the first line must be `time_s,actor`"]);
    let short = path("short.csv");
    fs::write(&short, "time_s,actor\n1,a\n2,b\n").unwrap();
    refused(&["fit", &short, "-o", &out], &["2 actors, and a fit needs at least 20"]);
    holds(root.path(), &["log.csv", "short.csv"]);
}

/// Runs git in a folder, as one of several people.
fn git(folder: &Path, at: u32, (name, mail): (&str, &str), arguments: &[&str]) {
    let date = format!("@{at} +0200");
    let mut program = Program::new("git");
    program.arg("-C").arg(folder).args(arguments);
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        program.env_remove(variable);
    }
    for (variable, value) in [
        ("GIT_AUTHOR_NAME", name),
        ("GIT_AUTHOR_EMAIL", mail),
        ("GIT_AUTHOR_DATE", &date),
        ("GIT_COMMITTER_NAME", "committer"),
        ("GIT_COMMITTER_EMAIL", "committer@x.org"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
    ] {
        program.env(variable, value);
    }
    assert!(program.output().unwrap().status.success(), "git {arguments:?}");
}

#[test]
fn a_repositorys_history_becomes_a_trace() {
    let root = tempfile::tempdir().unwrap();
    let repository = root.path().join("repository");
    fs::create_dir(&repository).unwrap();
    let (ann, bob) = (("Ann", "ann@x.org"), ("Bob", "bob@x.org"));
    git(&repository, 0, ann, &["init", "--quiet", "--initial-branch=main"]);
    fs::write(repository.join(".mailmap"), "Ann <ann@x.org> <ann@old.org>\n").unwrap();
    git(&repository, 0, ann, &["add", ".mailmap"]);
    let commit = ["commit", "--quiet", "--allow-empty", "--message", "x"];
    let people = [(300, bob), (100, ("A", "ann@old.org")), (200, ann)];
    people.iter().for_each(|(at, who)| git(&repository, *at, *who, &commit));
    git(&repository, 0, bob, &["branch", "aside"]);
    git(&repository, 0, bob, &["checkout", "--quiet", "aside"]);
    git(&repository, 400, ("Carol", "CAROL@x.org"), &commit);
    git(&repository, 0, bob, &["checkout", "--quiet", "main"]);
    let out = root.path().join("out.csv");
    let arguments = ["git", repository.to_str().unwrap(), "-o", out.to_str().unwrap()];
    trace(&arguments);
    // The authors' times, not the committers'; Ann is one person by the mailmap.
    assert_eq!(fs::read_to_string(&out).unwrap(), "time_s,actor\n100,1\n200,1\n300,2\n");
    trace(&[&arguments[..], &["--force", "--keep-names", "--all"]].concat());
    let text = fs::read_to_string(&out).unwrap();
    let named = "100,ann@x.org\n200,ann@x.org\n300,bob@x.org\n400,carol@x.org\n";
    assert_eq!(text, format!("time_s,actor\n{named}"));
    // A repository that the environment names is not meant.
    let mut command = arboretum();
    command.arg("trace").args(arguments).arg("--force").env("GIT_DIR", "/nowhere");
    command.assert().success();
}

#[test]
fn a_mail_archive_becomes_a_trace_that_runs() {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name).to_str().unwrap().to_owned();
    let (archive, out) = (path("archive.mbox"), path("out.csv"));
    let mut text = String::new();
    for mail in 0..60 {
        let (day, hour, who) = (1 + mail / 24, mail % 24, (mail * mail) % 7);
        text += &format!(
            "From p{who}@x.org Thu Mar {day:02} {hour:02}:00:00 2018\nFrom: P {who} <p{who}@x.org>\n\
             Date: {day:02} Mar 2018 {hour:02}:00:00 +0000\nSubject: s\n\nbody\n\n"
        );
    }
    fs::write(&archive, text).unwrap();
    let told = trace(&["mbox", &archive, "-o", &out]);
    assert!(told.contains("60 events of 4 actors in 2.5 days"), "{told}");
    let set = format!("workload.trace={out}");
    let run = run_into(root.path(), "run", &["trace", "--set", &set, "--set", "duration=3d"]);
    assert_eq!(summary(&run)["members"]["ever"], 4);
}

/// People who come as they like for sixty days.
fn drawn_trace() -> String {
    let mut events: Vec<(u64, u64)> = vec![];
    let mut state = 1_u64;
    let mut below = |most: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % most
    };
    for actor in 0..80 {
        let mut at = actor * 40_000 + below(40_000);
        let stays = at + below(40 * 86_400);
        while at <= stays {
            events.push((at, actor));
            at += 1_900 + below(90_000);
        }
    }
    events.sort_unstable();
    let lines: String = events.iter().map(|(at, actor)| format!("{at},{actor}\n")).collect();
    format!("time_s,actor\n{lines}")
}

#[test]
fn a_fit_is_a_table_and_a_scenario_that_runs() {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name).to_str().unwrap().to_owned();
    let (log, scenario) = (path("log.csv"), path("my people.toml"));
    fs::write(&log, drawn_trace()).unwrap();
    let look = ["fit", &log, "--silence", "5d"];
    let told = trace(&look);
    for row in ["arrivals", "membership", "between sessions", "log-normal", "weibull", "Zipf", "KS"]
    {
        assert!(told.contains(row), "{row}: {told}");
    }
    let json: Value = serde_json::from_str(&trace(&[&look[..], &["--json"]].concat())).unwrap();
    assert_eq!(json["actors"], 80);
    assert!(json["gaps"][0]["aic"].as_f64() < json["gaps"][1]["aic"].as_f64());
    trace(&[&look[..], &["-o", &scenario]].concat());
    holds(root.path(), &["log.csv", "my people.toml"]);
    let few = ["--fidelity", "counted", "--set", "duration=10d"];
    let run = run_into(root.path(), "run", &[&[scenario.as_str()], &few[..]].concat());
    assert_eq!(summary(&run)["scenario"], "my-people");
    assert!(summary(&run)["operations"]["adds"].as_u64().unwrap() > 5);
    refused(&[&look[..], &["-o", &scenario]].concat(), &["exists already"]);
    refused(&["fit", &log, "--session", "999d"], &["--session 999d is not above 0s and below"]);
}

#[test]
fn the_student_network_is_fitted() {
    let Some(log) = shared("traces/college-msg.csv") else { return };
    let told = trace(&["fit", log.to_str().unwrap()]);
    assert!(told.contains("log-normal, mean 2.497 and deviation 1.785 of ln h"), "{told}");
    assert!(told.contains("weibull, shape 0.543, scale 30.2"), "{told}");
    assert!(told.contains("log-normal, mean 2.553 and deviation 1.648 of ln events"), "{told}");
}
