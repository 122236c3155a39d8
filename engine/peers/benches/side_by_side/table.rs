//! The table of a run of the benchmark, made of what criterion has recorded, and put into a
//! document between two marks.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::memory::{self, Heap};
use super::{KINDS, SIZES};

/// What stands before and behind the table in a document.
const BEGIN: &str = "<!-- side by side: begin -->";
const END: &str = "<!-- side by side: end -->";

/// The rows: an operation as the document calls it, and as criterion does.
const OPERATIONS: [(&str, &str); 8] = [
    ("create the group in one commit", "create"),
    ("join, cold", "join_cold"),
    ("join, warm", "join_warm"),
    ("create a commit, cold", "commit_cold"),
    ("create a commit, warm", "commit_warm"),
    ("process a commit, cold", "process_cold"),
    ("process a commit, warm", "process_warm"),
    ("process 1,000 messages", "messages"),
];

/// Where cargo puts what it builds and criterion what it measures.
fn target() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    std::env::var_os("CARGO_TARGET_DIR").map_or(workspace, PathBuf::from)
}

/// The median of a benchmark, in seconds; none if it has not been run.
fn median(operation: &str, kind: &str, n: u32) -> Option<f64> {
    let path = target().join(format!("criterion/{operation}/{kind}/{n}/new/estimates.json"));
    let estimates: serde_json::Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    Some(estimates["median"]["point_estimate"].as_f64()? / 1e9)
}

fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-3 => format!("{} µs", three_figures(s * 1e6)),
        s if s < 1.0 => format!("{} ms", three_figures(s * 1e3)),
        s => format!("{} s", three_figures(s)),
    }
}

fn size(bytes: f64) -> String {
    match bytes {
        b if b < 1e6 => format!("{} kB", three_figures(b / 1e3)),
        b => format!("{} MB", three_figures(b / 1e6)),
    }
}

fn three_figures(value: f64) -> String {
    let before_the_point = if value < 1.0 { 1 } else { value.log10() as usize + 1 };
    format!("{value:.*}", 3_usize.saturating_sub(before_the_point))
}

/// A row: the three implementations, how much ours is ahead of the better of the others, and what
/// the cryptography alone takes.
fn row(
    table: &mut String,
    n: u32,
    name: &str,
    values: [Option<f64>; 3],
    floor: Option<f64>,
    show: fn(f64) -> String,
) {
    let cell = |value: Option<f64>| value.map_or_else(|| "not measured".into(), show);
    let [ours, others @ ..] = values;
    let better = others.into_iter().flatten().reduce(f64::min);
    let ratio = ours.zip(better).map(|(ours, better)| better / ours);
    let ratio = ratio.map_or_else(String::new, three_figures);
    let [ours, openmls, mls_rs] = values.map(cell);
    let floor = floor.map_or_else(String::new, show);
    let _ = writeln!(table, "| {name} | {n} | {ours} | {openmls} | {mls_rs} | {ratio} | {floor} |");
}

/// The table.
pub(super) fn markdown() -> String {
    let mut table = format!(
        "| | members | {} | the better of the others ÷ arboretum | floor |\n\
         |---|---|---|---|---|---|---|\n",
        KINDS.join(" | ")
    );
    for (name, operation) in OPERATIONS {
        for n in SIZES {
            let values = KINDS.map(|kind| median(operation, kind, n));
            row(&mut table, n, name, values, median(operation, "floor", n), time);
        }
    }
    let heaps = memory::read(&target());
    for n in SIZES {
        let heap = |kind| heaps.iter().find(|h: &&Heap| h.kind == kind && h.members == n);
        let values = KINDS.map(|kind| heap(kind).map(|heap| heap.bytes as f64));
        row(&mut table, n, "live heap of one client more", values, None, size);
    }
    table
}

/// Puts the table into a document.
pub(super) fn splice(document: &Path) -> std::io::Result<()> {
    let text = std::fs::read_to_string(document)?;
    let missing = || {
        let what = format!("{}: no line `{BEGIN}` before `{END}`", document.display());
        std::io::Error::other(what)
    };
    let (before, rest) = text.split_once(BEGIN).ok_or_else(missing)?;
    let (_, after) = rest.split_once(END).ok_or_else(missing)?;
    let text = format!("{before}{BEGIN}\n{}{END}{after}", markdown());
    let aside = document.with_extension("new");
    std::fs::write(&aside, text)?;
    std::fs::rename(aside, document)
}

/// Where the results of the memory measurement go.
pub(super) fn record(heaps: &[Heap]) -> std::io::Result<()> {
    memory::write(&target(), heaps)
}
