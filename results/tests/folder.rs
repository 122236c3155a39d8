//! The run's folder: that it appears whole or not at all, reads back as it was written, and holds
//! what the contract asks for.

mod synthetic;

use std::fs;
use std::path::Path;
use std::process::Command;

use arboretum_results::{
    CatchUp, CommitRow, Recorder, ResultsError, RunFolder, RunRecorder, TreeRow, WriteOptions,
    read_clients, read_commits, read_portraits, read_provenance, read_summary, read_tree,
};

const QUICK: WriteOptions = WriteOptions { replace: false, events: true, plots: false };
const REPLACE: WriteOptions = WriteOptions { replace: true, ..QUICK };

fn small() -> synthetic::Run {
    synthetic::run(40, 60, 3, 50)
}

/// Names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    let mut names: Vec<_> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn tables_read_back_as_written() {
    let room = tempfile::tempdir().unwrap();
    let (run, target) = (small(), room.path().join("new/parents/run"));
    run.folder().write(&target, QUICK).unwrap();
    let commits = read_commits(&target).unwrap();
    assert_eq!(commits.op_names, synthetic::OPS);
    assert_eq!(commits.rows, run.recorded.commits);
    assert_eq!(read_tree(&target).unwrap(), run.recorded.tree);
    assert_eq!(read_portraits(&target).unwrap(), run.recorded.portraits);
    assert_eq!(read_summary(&target).unwrap(), run.summary);
    assert_eq!(read_provenance(&target).unwrap(), run.provenance);
    assert_eq!(fs::read_to_string(target.join("scenario.toml")).unwrap(), run.scenario);
    let events = fs::read_to_string(target.join("events.csv")).unwrap();
    assert_eq!(events, "time_ms,kind,client,epoch,detail\n0,end,0,0,\"of all, \"\"quoted\"\"\"\n");
}

#[test]
fn client_rows_count_every_client_and_catch_up() {
    let room = tempfile::tempdir().unwrap();
    let (run, target) = (small(), room.path().join("run"));
    run.folder().write(&target, QUICK).unwrap();
    let rows = read_clients(&target).unwrap();
    let count = |metric: &str| -> u64 {
        rows.iter().filter(|row| row.metric == metric).map(|row| row.count).sum()
    };
    assert_eq!(count("catch_up_bytes_by_away"), 50);
    assert_eq!(count("catch_up_commits_by_away"), 50);
    assert_eq!(count("received_bytes"), 40);
    assert!(rows.iter().all(|row| row.from < row.to));
}

#[test]
fn nothing_is_left_beside_a_finished_folder() {
    let room = tempfile::tempdir().unwrap();
    let target = room.path().join("run");
    small().folder().write(&target, QUICK).unwrap();
    small().folder().write(&target, REPLACE).unwrap();
    assert_eq!(names(room.path()), ["run"]);
    let expected = [
        "catch_up_bytes.hgrm",
        "catch_up_commits.hgrm",
        "clients.csv",
        "commits.csv",
        "events.csv",
        "portraits.csv",
        "provenance.json",
        "received_bytes.hgrm",
        "scenario.toml",
        "summary.json",
        "tree.csv",
        "update_cost_bytes.hgrm",
        "update_cost_ciphertexts.hgrm",
    ];
    assert_eq!(names(&target), expected);
}

#[test]
fn an_existing_folder_is_kept_unless_replacing_is_asked_for() {
    let room = tempfile::tempdir().unwrap();
    let target = room.path().join("run");
    small().folder().write(&target, QUICK).unwrap();
    fs::write(target.join("note"), "mine").unwrap();
    let error = small().folder().write(&target, QUICK).unwrap_err();
    assert!(matches!(error, ResultsError::Exists { .. }));
    let message = error.to_string();
    assert!(message.contains(&target.display().to_string()), "{message}");
    assert!(message.contains("--force") && message.contains("--out"), "{message}");
    assert!(target.join("note").exists());
    small().folder().write(&target, REPLACE).unwrap();
    assert!(!target.join("note").exists());
}

#[test]
fn what_is_not_a_run_is_never_replaced() {
    let room = tempfile::tempdir().unwrap();
    let target = room.path().join("thesis");
    fs::create_dir(&target).unwrap();
    fs::write(target.join("chapter-1"), "years of work").unwrap();
    let error = small().folder().write(&target, REPLACE).unwrap_err();
    assert!(matches!(error, ResultsError::NotARun { .. }), "{error}");
    assert_eq!(names(&target), ["chapter-1"]);
    assert_eq!(names(room.path()), ["thesis"]);
}

#[test]
fn a_failure_in_the_middle_leaves_nothing() {
    let room = tempfile::tempdir().unwrap();
    let mut run = small();
    // A file of this name cannot be made, and it is among the last.
    run.clients[0].metric = "no/such/folder".into();
    let target = room.path().join("run");
    let message = run.folder().write(&target, QUICK).unwrap_err().to_string();
    let path = target.join("no/such/folder.hgrm");
    assert!(message.starts_with(&format!("cannot write {}:", path.display())), "{message}");
    assert_eq!(names(room.path()), Vec::<String>::new());

    small().folder().write(&target, QUICK).unwrap();
    let before = fs::read(target.join("commits.csv")).unwrap();
    run.folder().write(&target, REPLACE).unwrap_err();
    assert_eq!(fs::read(target.join("commits.csv")).unwrap(), before, "the old run is kept");
    assert_eq!(names(room.path()), ["run"]);
}

#[test]
fn a_folder_below_a_file_is_one_readable_error() {
    let room = tempfile::tempdir().unwrap();
    let file = room.path().join("file");
    fs::write(&file, "").unwrap();
    let target = file.join("run");
    let message = small().folder().write(&target, QUICK).unwrap_err().to_string();
    let start = format!("cannot write {}: ", target.display());
    assert!(message.starts_with(&start), "{message}");
    assert!(!message.contains('\n') && !message.contains("partial"), "{message}");
    assert!(RunFolder::check_target(&room.path().join("free"), false).is_ok());
}

#[test]
fn a_broken_table_is_named_with_line_and_column() {
    let room = tempfile::tempdir().unwrap();
    let target = room.path().join("run");
    small().folder().write(&target, QUICK).unwrap();
    let tree = target.join("tree.csv");
    let text = fs::read_to_string(&tree).unwrap();
    let line = text.lines().nth(2).unwrap();
    let place = format!("{}, line 3, column ", tree.display());
    let broken = |with: &str| {
        fs::write(&tree, text.replacen(line, with, 1)).unwrap();
        read_tree(&target).unwrap_err().to_string()
    };
    let letters = broken(&line.replacen(",40,", ",forty,", 1));
    let short = broken("1,2,3");
    assert!(letters.starts_with(&place), "{letters}");
    assert!(letters.ends_with("found \"forty\", expected a whole number, 0 or more"), "{letters}");
    assert!(short.starts_with(&place) && short.contains("3 cells"), "{short}");

    fs::write(&tree, text.replacen("width", "girth", 1)).unwrap();
    let renamed = read_tree(&target).unwrap_err().to_string();
    assert!(renamed.contains("column width: the table has no such column"), "{renamed}");
    fs::write(target.join("summary.json"), "{\n  \"schema\": 1,\n}").unwrap();
    let json = read_summary(&target).unwrap_err().to_string();
    assert!(json.contains("summary.json, line 3, column 1: "), "{json}");
}

#[test]
fn the_digest_depends_on_records_alone() {
    let run = small();
    let mut recorder = RunRecorder::new(synthetic::OPS);
    assert!(!recorder.wants_events());
    run.recorded.commits.iter().cloned().for_each(|row| recorder.commit(row));
    let before = recorder.digest();
    recorder.event(arboretum_results::Event::default());
    recorder.portrait(run.recorded.portraits.clone());
    recorder.path_closed(1);
    assert_eq!(recorder.digest(), before, "what retells other records is not part of it");
    let mut other = run.recorded.commits[0].clone();
    other.online += 1;
    recorder.commit(other);
    assert_ne!(recorder.digest(), before);
    assert_eq!(run.recorded.digest, small().recorded.digest);
}

/// Changes only with the encoding of a record; then the encoding gets another name. The value was
/// computed apart from this crate, from the description in `digest.rs`.
#[test]
fn the_digest_has_a_golden_value() {
    let mut recorder = RunRecorder::new(&["sign"]);
    recorder.commit(CommitRow {
        epoch: 1,
        time_ms: 2,
        committer: 3,
        creation: true,
        bytes: 9,
        bytes_framing: 9,
        online: 4,
        sender_ops: vec![5],
        ..CommitRow::default()
    });
    recorder.tree(TreeRow { time_ms: 6, lagging_epochs: 7, ..TreeRow::default() });
    recorder.catch_up(CatchUp { time_ms: 8, client: 9, removed: true, ..CatchUp::default() });
    assert_eq!(
        recorder.finish().digest,
        "f1a3618c227e8805a3e97acc77eebdd2e86d7eaa7bcb733da29759bdbabc37b7"
    );
}

#[test]
fn a_summary_is_flat_and_can_be_asked() {
    let summary = small().summary;
    assert_eq!(summary.number("schema"), Some(1.0));
    assert_eq!(summary.number("commits.accepted"), Some(60.0));
    assert_eq!(summary.number("members.start"), Some(40.0));
    assert_eq!(summary.number("ops.sign"), Some(5.0));
    assert_eq!(summary.number("update_cost"), None);
    assert_eq!(summary.number("scenario"), None);
    let flat = summary.flat();
    assert!(flat.iter().any(|(key, _)| key == "update_cost.ciphertexts.p99"));
    assert!(flat.iter().all(|(key, _)| summary.number(key).is_some()));
}

#[test]
fn the_contract_holds() {
    let checker =
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/contract/check-run"));
    let python = Command::new("python3").arg("--version").output().is_ok();
    if !checker.exists() || !python {
        eprintln!("note: the contract checker or python3 is absent; the contract was not checked");
        return;
    }
    let room = tempfile::tempdir().unwrap();
    for (name, run) in [("small", small()), ("tiny", synthetic::run(2, 1, 1, 0))] {
        let target = room.path().join(name);
        run.folder().write(&target, WriteOptions::default()).unwrap();
        let output = Command::new("python3").arg(checker).arg(&target).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}
