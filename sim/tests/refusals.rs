//! Bad input: exit code 2, a message that names the place, the rule and the way out, and
//! nothing left behind.

mod common;

use std::fs;

use common::arboretum;

/// Runs `arboretum run` with these arguments and gives standard error; the exit code must be 2
/// and no folder may be left.
fn refused(arguments: &[&str]) -> String {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out");
    let mut command = arboretum();
    let output = command.arg("run").args(arguments).arg("--out").arg(&out).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0, "{arguments:?} left something");
    stderr
}

fn assert_refused(arguments: &[&str], parts: &[&str]) {
    let stderr = refused(arguments);
    for part in parts {
        assert!(stderr.contains(part), "{arguments:?}: no `{part}` in:\n{stderr}");
    }
}

#[test]
fn names_that_are_not_there() {
    assert_refused(&["smoek"], &["neither a file nor a shipped scenario", "did you mean `smoke`?"]);
    assert_refused(&["smoke", "--protocol", "treekm"], &["did you mean `treekem`?"]);
    if cfg!(not(feature = "peers")) {
        let parts = ["`openmls` is not in this build", "--features peers"];
        assert_refused(&["smoke", "--protocol", "openmls"], &parts);
    }
    assert_refused(&["smoke", "--strategy", "rfc9421"], &["did you mean `rfc9420`?"]);
    assert_refused(&["smoke", "--set", "group.suite=9"], &["suite 9 is not built", "list suites"]);
    let counted = ["smoke", "--fidelity", "counted", "--set", "group.suite=2"];
    assert_refused(&counted, &["`counted` has the sizes of cipher suite 1, not of 2"]);
}

#[test]
fn values_that_cannot_be() {
    let cases: [(&str, &[&str]); 11] = [
        ("group.membres=3", &["group.membres", "unknown field", "did you mean `members`?"]),
        ("group.members=0", &["smoke:14:", "group.members", "at least 2"]),
        ("group.members=1", &["group.members", "at least 2"]),
        ("group.members=-5", &["group.members", "-5"]),
        ("workload.arrivals.per_day=-3", &["workload.arrivals.per_day", "-3 is not from 0"]),
        ("duration=5", &["duration", "expected a duration with its unit"]),
        ("duration=\"0s\"", &["duration", "more than 0s"]),
        ("policy.evict_after=5parsecs", &["policy.evict_after", "`5parsecs` is not a duration"]),
        ("workload.lifetime.shape=0", &["workload.lifetime", "`shape` must be"]),
        ("group.start=tepid", &["group.start", "unknown variant `tepid`"]),
        ("workload.activity.zipf_exponent=nan", &["zipf_exponent", "NaN"]),
    ];
    for (set, parts) in cases {
        assert_refused(&["smoke", "--set", set], parts);
    }
    assert_refused(&["smoke", "--set", "no-equals-sign"], &["expected key.path=value"]);
    assert_refused(&["trace"], &["workload.trace", "--set workload.trace=FILE"]);
}

#[test]
fn strategies_that_are_none() {
    let cases: [(&str, &[&str]); 13] = [
        (
            "rfc9420+warming=on-joint",
            &["no warming `on-joint` is built", "did you mean `on-join`?"],
        ),
        ("rfc9420+worming=on-join", &["no choice `worming`", "did you mean `warming`?"]),
        ("rfc9420+warming=round-robin", &["no warming `round-robin` is built", "round-robin:P"]),
        ("rfc9420+warming=most-blanks:0s", &["takes a duration above 0s", "`0s` is none"]),
        ("rfc9420+warming=most-blanks:1ms", &["every 1ms for 2d is more than"]),
        (
            "rfc9420+inactive=quarantine",
            &["no inactive `quarantine` is built", "did you mean `quarantine:D:R:S`?"],
        ),
        ("rfc9420+batching=concurrent", &["no batching `concurrent` is built", "concurrent:R"]),
        ("rfc9420+batching=propose-commit:0", &["propose-commit takes from 1 to 1000 members"]),
        ("rfc9420+batching=every:5parsecs", &["batching=every takes", "`5parsecs` is none"]),
        ("rfc9420+compaction=rebuilt:2", &["no compaction `rebuilt:2` is built", "rebuild:T"]),
        ("rfc9420+compaction=swap:0", &["compaction=swap takes from 1 to 1000 members", "not `0`"]),
        ("2018-10+compaction=resync", &["empties the right edge", "docs/strategies.md"]),
        ("rfc9420+compaction=truncate+compaction=resync", &["`compaction` is chosen twice"]),
    ];
    for (strategy, parts) in cases {
        assert_refused(&["smoke", "--strategy", strategy], &[parts, &["group.strategy"]].concat());
    }
    let set = "group.strategy={ preset = \"rfc9420\", warming = \"on-join+unmerged=off\" }";
    assert_refused(
        &["smoke", "--set", set],
        &["group.strategy", "is not one choice and its value"],
    );
    let set = "group.strategy={ preset = \"rfc9420\", warming = 3 }";
    assert_refused(&["smoke", "--set", set], &["group.strategy", "expected a string"]);
    assert_refused(&["smoke", "--set", "strategy.warming=none"], &["write [group.strategy]"]);
}

/// Ten million members: refused with the memory they need, on a machine that has not got it.
#[test]
fn more_members_than_memory() {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total =
        meminfo.lines().next().and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    if total.is_some_and(|kib: u64| kib < 64 << 20) {
        let parts = ["10000000 members need about", "MiB", "--members N"];
        assert_refused(&["smoke", "--members", "10000000"], &parts);
    }
    assert_refused(&["smoke", "--members", "20000000"], &["group.members", "the largest group"]);
}

#[test]
fn files_that_are_no_scenarios() {
    let root = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = root.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    assert_refused(&[&file("empty.toml", b"")], &["empty.toml", "the file is empty"]);
    assert_refused(&[&file("bytes.toml", b"name = \"\xff\"")], &["not UTF-8 at byte 8"]);
    assert_refused(&[&file("broken.toml", b"name = \n")], &["broken.toml:1:"]);
    assert_refused(&[&file("half.toml", b"name = \"x\"\n")], &["missing field"]);
    assert_refused(&[root.path().to_str().unwrap()], &["neither a file"]);
}

#[test]
fn traces_that_are_none() {
    let root = tempfile::tempdir().unwrap();
    let cases: [(&[u8], &str); 6] = [
        (b"time_s,actor\n5,a\n4,b\n", ":3: time 4 comes after time 5"),
        (b"time_s,actor\n5,a\n\n6,b\n", ":3: a blank line"),
        (b"time_s,actor\n5\n", ":2: expected two columns"),
        (b"when,who\n5,a\n", ":1: the first line must be `time_s,actor`"),
        (b"time_s,actor\n5,\xff\n", ":2: the line is not UTF-8"),
        (b"time_s,actor\n", "the trace has no events"),
    ];
    for (number, (bytes, part)) in cases.into_iter().enumerate() {
        let path = root.path().join(format!("{number}.csv"));
        fs::write(&path, bytes).unwrap();
        let set = format!("workload.trace={}", path.display());
        assert_refused(&["trace", "--set", &set], &[part]);
    }
    assert_refused(&["trace", "--set", "workload.trace=/no/such/file"], &["/no/such/file"]);
}

#[test]
fn folders_that_cannot_be_written() {
    let root = tempfile::tempdir().unwrap();
    let run = |out: &std::path::Path| {
        let quick = ["run", "smoke", "--set", "duration=1h", "--quiet", "--out"];
        let output = arboretum().args(quick).arg(out).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let existing = root.path().join("existing");
    fs::create_dir(&existing).unwrap();
    fs::write(existing.join("precious"), "").unwrap();
    let (code, stderr) = run(&existing);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("exists already") && stderr.contains("--out"), "{stderr}");
    // --force replaces runs and nothing else.
    let force = ["run", "smoke", "--set", "duration=1h", "--quiet", "--force", "--out"];
    arboretum().args(force).arg(&existing).assert().code(2);
    assert!(existing.join("precious").exists());
    let file = root.path().join("file");
    fs::write(&file, "").unwrap();
    let (code, stderr) = run(&file.join("below"));
    assert_eq!(code, Some(2), "{stderr}");
}

#[test]
fn a_wrong_command_line_is_refused() {
    arboretum().arg("rnu").assert().code(2);
    arboretum().args(["run", "smoke", "--threads", "0"]).assert().code(2);
    arboretum().args(["list", "scenaros"]).assert().code(2);
    for (strategy, reason) in [
        ("tainted-2021+warming=most-blanks:1h", "no parent above a member is blank"),
        ("smallest-tree+compaction=resync", "trees of this shape have none"),
        ("bonsai-2024+compaction=swap:2", "trees of this shape have none"),
        ("rfc9420+shape=b-tree:3-4", "from twice as many less one"),
        ("multicast-2022+batching=concurrent:2", "needs shape=perfect, left-balanced or m-ary"),
        ("bonsai-2024+proposals=paths", "needs removal=blank or faster-remove"),
        ("tainted-2021+batching=concurrent:2", "needs removal=blank or faster-remove"),
        ("concurrent-2025+proposals=updates", "batching=concurrent needs proposals=paths"),
    ] {
        let reason = predicates::str::contains(reason);
        arboretum().args(["run", "smoke", "--strategy", strategy]).assert().code(2).stderr(reason);
    }
    arboretum().args(["list", "runs"]).assert().code(2);
    arboretum().args(["schema", "run"]).assert().code(2);
    arboretum().args(["plot", "/no/such/folder"]).assert().code(2);
    arboretum().args(["verify", "/no/such/folder"]).assert().code(2);
}
