//! Device profiles, `calibrate` and `price`, on the real binary: prices are counts times costs.

mod common;

use std::fs;
use std::path::Path;

use common::{arboretum, run_into};
use serde_json::Value;

/// A table's rows, by the names of its columns.
fn table(path: &Path) -> Vec<Vec<(String, String)>> {
    let text = fs::read_to_string(path).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let columns = lines.next().unwrap();
    lines.map(|row| columns.iter().cloned().zip(row).collect()).collect()
}

fn number(row: &[(String, String)], column: &str) -> f64 {
    let cell = row.iter().find(|(name, _)| name == column);
    cell.unwrap_or_else(|| panic!("no {column}")).1.parse().unwrap()
}

/// Costs like those of a server, in microseconds.
const COSTS: [(&str, f64); 12] = [
    ("kem_generate", 7.0),
    ("kem_encapsulate", 34.0),
    ("kem_decapsulate", 27.0),
    ("dh", 24.0),
    ("sign", 9.0),
    ("verify", 35.0),
    ("hash", 0.1),
    ("mac", 0.2),
    ("kdf_extract", 0.2),
    ("kdf_expand", 0.2),
    ("aead_seal", 0.1),
    ("aead_open", 0.1),
];
const HASH_BYTE: f64 = 0.001;

fn profile(folder: &Path) -> String {
    let costs: String = COSTS.iter().map(|(name, cost)| format!("{name} = {cost:?}\n")).collect();
    let text = format!(
        "name = \"plain\"\ntitle = \"t\"\nsource = \"by hand\"\n[[suite]]\nnumber = 1\nhash_byte = {HASH_BYTE:?}\n{costs}"
    );
    let path = folder.join("plain.toml");
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn price(folder: &Path, profile: &str) -> Value {
    let mut command = arboretum();
    command.arg("price").arg(folder).args(["--profile", profile, "--json"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What a row of commits.csv costs a sender or a receiver under that profile, in seconds.
fn cost(row: &[(String, String)], who: &str, bytes: f64) -> f64 {
    let ops = row.iter().filter_map(|(name, count)| Some((name.strip_prefix(who)?, count)));
    let ops = ops.map(|(name, count)| {
        let (_, cost) = COSTS.iter().find(|(known, _)| *known == name).unwrap();
        count.parse::<f64>().unwrap() * cost
    });
    // Each byte twice.
    (ops.sum::<f64>() + bytes * 2.0 * HASH_BYTE) * 1e-6
}

#[test]
fn prices_are_counts_times_costs() {
    let root = tempfile::tempdir().unwrap();
    let run = run_into(root.path(), "run", &["smoke", "--members", "60", "--fidelity", "counted"]);
    let priced = price(&run, &profile(root.path()));
    let seconds = &priced[0]["seconds"];
    let commits = table(&run.join("commits.csv"));
    let is_creation = |row: &Vec<(String, String)>| row.iter().any(|(_, cell)| cell == "create");
    let mut made: Vec<f64> = commits
        .iter()
        .filter(|row| !is_creation(row))
        .map(|row| {
            let bytes = number(row, "bytes") + number(row, "welcome_bytes");
            cost(row, "sender_", bytes)
        })
        .collect();
    made.sort_by(f64::total_cmp);
    let found = &seconds["commit_make"];
    assert_eq!(found["count"].as_u64().unwrap(), made.len() as u64);
    let mean = made.iter().sum::<f64>() / made.len() as f64;
    let close = |found: &Value, expected: f64, within: f64| {
        let found = found.as_f64().unwrap();
        assert!((found / expected - 1.0).abs() < within, "{found} is not {expected}");
    };
    close(&found["mean"], mean, 1e-9);
    // Percentiles are of groups of alike commits.
    for (key, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)] {
        let place = (share * made.len() as f64).ceil() as usize - 1;
        close(&found[key], made[place], 0.05);
    }
    // All do the public half; what each does beside it is a decapsulation and some derivations.
    let public: Vec<f64> = commits
        .iter()
        .filter(|row| !is_creation(row))
        .map(|row| cost(row, "receiver_", number(row, "bytes")))
        .collect();
    let public = public.iter().sum::<f64>() / public.len() as f64;
    let process = seconds["commit_process"]["mean"].as_f64().unwrap();
    assert!(process > public + 25e-6 && process < public + 250e-6, "{process} and {public}");
    // Everybody joins once at the start.
    assert!(seconds["join"]["count"].as_u64().unwrap() >= 59);
    assert!(seconds["catch_up"]["count"].as_u64().unwrap() > 100);
    assert!(seconds["catch_up_week"].is_null());
    let day = &seconds["cpu_per_day"];
    assert!(day["max"].as_f64().unwrap() >= day["p50"].as_f64().unwrap());
}

#[test]
fn work_is_the_same_at_every_fidelity_and_slower_devices_take_longer() {
    let root = tempfile::tempdir().unwrap();
    let arguments = ["smoke", "--members", "40", "--set", "duration=12h", "--fidelity"];
    let runs = ["full", "shared", "counted"].map(|fidelity| {
        let run = run_into(root.path(), fidelity, &[&arguments[..], &[fidelity]].concat());
        fs::read_to_string(run.join("work.csv")).unwrap()
    });
    assert_eq!(runs[1], runs[2]);
    assert_eq!(runs[0], runs[1]);
    let mut before = 0.0;
    for profile in ["laptop", "server", "phone"] {
        let priced = price(&root.path().join("counted"), profile);
        let seconds = priced[0]["seconds"]["commit_process"]["p99"].as_f64().unwrap();
        assert!(seconds > before, "{profile}");
        before = seconds;
    }
}

#[test]
fn what_was_measured_here_can_be_read_and_used() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("here.toml");
    let mut command = arboretum();
    command
        .args(["calibrate", "--suite", "1", "--suite", "63047", "--name", "here", "-o"])
        .arg(&path);
    command.assert().success();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("name = \"here\"") && text.contains("number = 63047"), "{text}");
    // Of each number it says how far the batches lay apart.
    assert_eq!(text.matches("# ± ").count(), 13 + 12, "{text}");
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    let run = run_into(root.path(), "run", &["smoke", "--members", "20", "--set", "duration=6h"]);
    let priced = price(&run, &path.display().to_string());
    assert!(priced[0]["seconds"]["join"]["p50"].as_f64().unwrap() > 0.0);
    let shown = arboretum().args(["price", "--profile", "phone"]).arg(&run).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("process a commit") && shown.contains("µs"), "{shown}");
}

#[test]
fn what_cannot_be_priced_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let run = run_into(root.path(), "run", &["smoke", "--members", "10", "--set", "duration=2h"]);
    let refused = |arguments: &[&str], part: &str| {
        let output = arboretum().args(arguments).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(part), "no `{part}` in:\n{stderr}");
    };
    let folder = run.display().to_string();
    refused(&["price", &folder, "--profile", "phnoe"], "did you mean `phone`?");
    let only = root.path().join("only.toml");
    let plain = fs::read_to_string(profile(root.path())).unwrap();
    fs::write(&only, plain.replace("number = 1", "number = 2")).unwrap();
    let file = only.display().to_string();
    refused(&["price", &folder, "--profile", &file], "calibrate --suite 1");
    fs::write(&only, plain.replace("verify", "verfiy")).unwrap();
    refused(&["price", &folder, "--profile", &file], "did you mean `verify`?");
    fs::remove_file(run.join("work.csv")).unwrap();
    refused(&["price", &folder, "--profile", "phone"], "run it again");
    refused(&["calibrate", "--suite", "9"], "list suites");
    let listed = arboretum().args(["list", "profiles"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(["phone", "laptop", "server"].iter().all(|name| listed.contains(name)), "{listed}");
    arboretum().args(["schema", "profile"]).assert().success();
}
