//! `arboretum conformance` on the real binary.

mod common;

use std::fs;
use std::path::PathBuf;

use common::{arboretum, shared};
use serde_json::{Value, json};

/// A tree of two leaves, as tree-math describes it.
const TREE_MATH: &str = r#"[{"n_leaves":2,"n_nodes":3,"root":1,"left":[null,0,null],
    "right":[null,2,null],"parent":[1,null,1],"sibling":[2,null,0]}]"#;

fn vectors() -> Option<PathBuf> {
    match std::env::var_os("ARBORETUM_VECTORS") {
        Some(folder) => Some(folder.into()),
        None => shared("vectors"),
    }
}

#[test]
fn the_working_groups_vectors_pass() {
    let Some(folder) = vectors() else { return };
    let output = arboretum().arg("conformance").arg(folder).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}");
    // Nothing is left out: no case needs what is not built.
    let all = printed.lines().find(|line| line.starts_with("all ")).unwrap();
    let counts: Vec<usize> =
        all.split_whitespace().skip(1).map(|count| count.parse().unwrap()).collect();
    assert!(counts[0] > 0 && counts[1..] == [0, 0], "{printed}");
}

/// Every byte string that is checked is really checked: a case with one digit changed fails.
#[test]
fn a_changed_digit_is_noticed() {
    let Some(folder) = vectors() else { return };
    let root = tempfile::tempdir().unwrap();
    for (file, key) in [
        ("key-schedule", "\"joiner_secret\": \""),
        ("transcript-hashes", "\"interim_transcript_hash_after\": \""),
        ("tree-operations", "\"tree_hash_after\": \""),
        ("tree-validation", "\"tree_hashes\": [\n      \""),
        ("treekem", "\"commit_secret\": \""),
        ("welcome", "\"signer_pub\": \""),
        ("psk_secret", "\"psk_secret\": \""),
        ("secret-tree", "\"application_nonce\": \""),
        ("message-protection", "\"sender_data_secret\": \""),
        ("messages", "\"private_message\": \""),
        ("passive-client-welcome", "\"initial_epoch_authenticator\": \""),
        ("passive-client-handling-commit", "\"epoch_authenticator\": \""),
    ] {
        let Ok(text) = fs::read_to_string(folder.join(file).with_extension("json")) else {
            continue;
        };
        let compact: Vec<Value> = serde_json::from_str(&text).unwrap();
        let first = compact
            .iter()
            .find(|case| case.get("cipher_suite").is_none_or(|suite| suite == 1))
            .unwrap();
        let text = serde_json::to_string_pretty(&vec![first]).unwrap();
        let at = text.find(key).unwrap_or_else(|| panic!("{file}: no {key}")) + key.len();
        let flipped = if text.as_bytes()[at] == b'0' { "1" } else { "0" };
        let changed = format!("{}{flipped}{}", &text[..at], &text[at + 1..]);
        let copy = root.path().join(file);
        fs::create_dir(&copy).unwrap();
        // Under another name, so that its kind is told by the keys of its cases.
        fs::write(copy.join("some-vectors.json"), changed).unwrap();
        arboretum().arg("conformance").arg(&copy).assert().code(1);
    }
}

#[test]
fn kinds_are_known_by_name_or_by_keys_and_failures_say_what() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("x.json"), TREE_MATH).unwrap();
    fs::write(root.path().join("notes.txt"), "not a vector").unwrap();
    arboretum().arg("conformance").arg(root.path()).assert().success();
    let wrong = TREE_MATH.replace("\"root\":1", "\"root\":0");
    fs::write(root.path().join("tree-math.json"), wrong).unwrap();
    let output = arboretum().arg("conformance").arg(root.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(printed.contains("tree-math (tree-math), case 0: root 1, expected 0"), "{printed}");
    let output = arboretum().args(["conformance", "--json"]).arg(root.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let failures = json!([{ "case": 0, "what": "root 1, expected 0" }]);
    let file = |name: &str, passed: u32, failures: Value| {
        let failed = failures.as_array().unwrap().len();
        json!({ "file": name, "kind": "tree-math", "passed": passed, "failed": failed, "not_built": 0,
            "failures": failures })
    };
    let files = [file("tree-math", 0, failures), file("x", 1, json!([]))];
    assert_eq!(told, json!({ "files": files }));
    let missing = TREE_MATH.replace("\"root\"", "\"toor\"");
    fs::write(root.path().join("tree-math.json"), missing).unwrap();
    let output = arboretum().arg("conformance").arg(root.path()).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("field `root` is missing"));
}

#[test]
fn what_is_no_folder_of_vectors_is_refused() {
    arboretum().args(["conformance", "/no/such/folder"]).assert().code(2);
    for text in ["", "{}", "[1", "[{\"unheard_of\":1}]"] {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("x.json"), text).unwrap();
        arboretum().arg("conformance").arg(root.path()).assert().code(2);
    }
    let empty = tempfile::tempdir().unwrap();
    arboretum().arg("conformance").arg(empty.path()).assert().code(2);
}
