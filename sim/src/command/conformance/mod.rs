//! `arboretum conformance`: the engine against the MLS working group's test-vector files (format:
//! `test-vectors.md` of `mlswg/mls-implementations`).

mod case;
mod crypto_basics;
mod messages;
mod passive;
mod protection;
mod report;
mod schedule;
mod secret_tree;
mod tree_math;
mod treekem;
mod trees;
mod welcome;

use std::fs;
use std::path::Path;

use arboretum_engine::crypto::{CipherSuite, Crypto, provider};
use serde_json::Value;

use case::Case;
pub(crate) use report::Report;
use report::{FileReport, Verdict};

/// The largest vector file, in bytes.
const MAX_FILE: u64 = 1 << 30;

/// A folder or file that cannot be read as vectors.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {what}")]
pub(crate) struct ConformanceError {
    place: String,
    what: String,
}

type Check = fn(&Crypto<'_>, &Case<'_>) -> Result<(), String>;

/// A kind of file: its name, a key that only its cases have, and how they are checked.
struct Kind {
    name: &'static str,
    key: &'static str,
    check: Check,
}

const KINDS: [Kind; 14] = [
    Kind { name: "tree-math", key: "n_leaves", check: tree_math::check },
    Kind { name: "crypto-basics", key: "ref_hash", check: crypto_basics::check },
    Kind { name: "deserialization", key: "vlbytes_header", check: case::check_header },
    Kind { name: "tree-operations", key: "proposal_sender", check: trees::operation },
    Kind { name: "tree-validation", key: "resolutions", check: trees::validation },
    Kind { name: "treekem", key: "update_paths", check: treekem::check },
    Kind { name: "key-schedule", key: "initial_init_secret", check: schedule::epochs },
    Kind {
        name: "transcript-hashes",
        key: "interim_transcript_hash_before",
        check: schedule::transcript,
    },
    Kind { name: "psk_secret", key: "psk_secret", check: schedule::psk_secret },
    Kind { name: "welcome", key: "signer_pub", check: welcome::check },
    Kind { name: "secret-tree", key: "sender_data", check: secret_tree::check },
    Kind { name: "message-protection", key: "application_priv", check: protection::check },
    Kind { name: "messages", key: "mls_welcome", check: messages::check },
    Kind { name: "passive-client", key: "initial_epoch_authenticator", check: passive::check },
];

/// Checks every JSON file of a folder.
pub(crate) fn run(dir: &Path) -> Result<Report, ConformanceError> {
    let refuse = |what: String| ConformanceError { place: dir.display().to_string(), what };
    let entries = fs::read_dir(dir).map_err(|error| refuse(error.to_string()))?;
    let mut paths = vec![];
    for entry in entries {
        let path = entry.map_err(|error| refuse(error.to_string()))?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(refuse("no .json file in this folder".into()));
    }
    paths.sort();
    let files: Result<Vec<_>, _> = paths.iter().map(|path| check_file(path)).collect();
    Ok(Report { files: files? })
}

fn check_file(path: &Path) -> Result<FileReport, ConformanceError> {
    let refuse = |what: String| ConformanceError { place: path.display().to_string(), what };
    let length = fs::metadata(path).map_err(|error| refuse(error.to_string()))?.len();
    if length > MAX_FILE {
        return Err(refuse(format!("{length} bytes; a vector file has at most {MAX_FILE}")));
    }
    let bytes = fs::read(path).map_err(|error| refuse(error.to_string()))?;
    let cases: Vec<Value> = serde_json::from_slice(&bytes)
        .map_err(|error| refuse(format!("not a JSON array of cases: {error}")))?;
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let name = stem.unwrap_or_default();
    let kind = kind_of(&name, &cases).ok_or_else(|| {
        refuse("neither its name nor the keys of its cases are of a known kind".into())
    })?;
    let mut report = FileReport::new(name, kind.name);
    for (number, value) in cases.iter().enumerate() {
        report.take(number, check_case(kind, &Case::new(value)));
    }
    Ok(report)
}

/// The kind of a file: by its name, or else by the keys of its cases.
fn kind_of(name: &str, cases: &[Value]) -> Option<&'static Kind> {
    let named = KINDS.iter().filter(|kind| {
        name == kind.name || name.strip_prefix(kind.name).is_some_and(|rest| rest.starts_with('-'))
    });
    let longest = named.max_by_key(|kind| kind.name.len());
    longest.or_else(|| {
        let first = cases.first()?;
        KINDS.iter().find(|kind| first.get(kind.key).is_some())
    })
}

fn check_case(kind: &Kind, case: &Case<'_>) -> Verdict {
    // The kinds that name no suite use none.
    let suite = case.optional_number("cipher_suite").unwrap_or(1);
    let provider = u16::try_from(suite).ok().and_then(|suite| provider(CipherSuite(suite)));
    let Some(provider) = provider else { return Verdict::NeedsSuite(suite) };
    match (kind.check)(&Crypto::new(provider), case) {
        Ok(()) => Verdict::Passed,
        Err(what) => Verdict::Failed(what),
    }
}
