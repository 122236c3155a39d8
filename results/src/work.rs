//! `work.csv`: what clients had to do, counted, so that any device profile can price it later.
//!
//! A row is a group of alike events: how many there were, and the sums of their commits, bytes and
//! operations. What is alike is decided by a *nominal weight* that the caller gives: events whose weights
//! differ by a thirty-second at most share a row. So sums and means over rows are exact, percentiles are about as
//! fine as that on devices whose costs are in proportion to the weights, and the table does not grow with the group.
//! It retells what the digest holds already and is no part of it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::ResultsError;
use crate::folder::write_table;
use crate::recorder::away_range;

/// What an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkKind {
    /// A commit by which the group was made: the work of its sender.
    Create,
    /// Any other accepted commit: the work of its sender.
    Make,
    /// The same commits: the work of one receiver in public, the same for all.
    Process,
    /// What receivers did beside that, each with its own keys: an event is a client moving forward by some
    /// commits.
    Follow,
    /// A client comes in: its Welcome and the tree, or its own external commit.
    Join,
    /// A client comes back and processes what it has missed.
    CatchUp,
    /// A client that was a member at both ends of the run: all it did.
    Client,
    /// The same clients: the bytes they received and sent.
    Traffic,
    /// What a member keeps, by a model: its one row has the most bytes at any epoch.
    State,
}

impl WorkKind {
    const ALL: [Self; 9] = [
        Self::Create,
        Self::Make,
        Self::Process,
        Self::Follow,
        Self::Join,
        Self::CatchUp,
        Self::Client,
        Self::Traffic,
        Self::State,
    ];

    /// The name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Make => "make",
            Self::Process => "process",
            Self::Follow => "follow",
            Self::Join => "join",
            Self::CatchUp => "catch_up",
            Self::Client => "client",
            Self::Traffic => "traffic",
            Self::State => "state",
        }
    }

    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One event.
#[derive(Debug, Clone, Copy)]
pub struct Event<'e> {
    /// What it is.
    pub kind: WorkKind,
    /// How long the client was away, milliseconds; of catch-ups only.
    pub away_ms: Option<u64>,
    /// Commits in it.
    pub commits: u64,
    /// Bytes in it.
    pub bytes: u64,
    /// Operations in it, in the order of the table's names.
    pub ops: &'e [u64],
    /// What it weighs, to tell what is alike.
    pub weight: u64,
}

/// A row of `work.csv`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkRow {
    /// What the events are.
    pub kind: WorkKind,
    /// Shortest time away, seconds, and the shortest that belongs to the next rows; of catch-ups only.
    pub away_s: Option<(u64, u64)>,
    /// How many events.
    pub count: u64,
    /// Their commits.
    pub commits: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their operations, in the order of the table's names.
    pub ops: Vec<u64>,
}

/// `work.csv`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkTable {
    /// Names of the counted operations.
    pub op_names: Vec<String>,
    /// Its rows, by kind, time away and weight.
    pub rows: Vec<WorkRow>,
}

/// What, away for how long if that is known, and of whom; in the order of the table.
type Key = (WorkKind, Option<(u64, u64)>, u32);

/// What is gathered while a run goes on.
#[derive(Debug, Clone, Default)]
pub struct Work {
    rows: BTreeMap<Key, WorkRow>,
    state_bytes: u64,
}

impl Work {
    /// Adds one event.
    pub fn note(&mut self, event: Event<'_>) {
        let away_s = event.away_ms.map(|away| away_range(away / 1_000));
        let row = self.rows.entry((event.kind, away_s, class(event.weight))).or_insert_with(|| {
            let (count, ops) = (0, vec![0; event.ops.len()]);
            WorkRow { kind: event.kind, away_s, count, commits: 0, bytes: 0, ops }
        });
        row.count += 1;
        row.commits += event.commits;
        row.bytes += event.bytes;
        row.ops.iter_mut().zip(event.ops).for_each(|(sum, n)| *sum += n);
    }

    /// A member keeps so many bytes; the most counts.
    pub fn note_state(&mut self, bytes: u64) {
        self.state_bytes = self.state_bytes.max(bytes);
    }

    /// The table, of operations with these names.
    pub fn table(self, op_names: &[&str]) -> WorkTable {
        let mut rows: Vec<_> = self.rows.into_values().collect();
        if self.state_bytes > 0 {
            rows.push(WorkRow {
                kind: WorkKind::State,
                away_s: None,
                count: 1,
                commits: 0,
                bytes: self.state_bytes,
                ops: vec![0; op_names.len()],
            });
        }
        WorkTable { op_names: op_names.iter().map(|name| (*name).to_owned()).collect(), rows }
    }
}

/// Leading bits of a weight that tell classes apart: smaller weights have classes of their own.
const FINE: u32 = 6;

/// The class of a weight: exact when small, then thirty-two to each doubling.
fn class(weight: u64) -> u32 {
    let power = weight.checked_ilog2().unwrap_or(0);
    match power.checked_sub(FINE - 1) {
        None => weight as u32,
        Some(shift) => (shift << (FINE - 1)) + (weight >> shift) as u32,
    }
}

const FIXED: [&str; 6] = ["what", "away_from_s", "away_to_s", "count", "commits", "bytes"];

impl WorkTable {
    /// Rows of a kind.
    pub fn of(&self, kind: WorkKind) -> impl Iterator<Item = &WorkRow> {
        self.rows.iter().filter(move |row| row.kind == kind)
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), ResultsError> {
        let names = self.op_names.iter().map(String::as_str);
        let columns: Vec<&str> = FIXED.into_iter().chain(names).collect();
        let end = |end: Option<u64>| end.map_or_else(String::new, |end| end.to_string());
        let rows = self.rows.iter().map(|row| {
            let (from, to) = row.away_s.unzip();
            let mut cells = vec![row.kind.name().to_owned(), end(from), end(to)];
            cells.extend([row.count, row.commits, row.bytes].map(|n| n.to_string()));
            cells.extend(row.ops.iter().map(u64::to_string));
            cells
        });
        write_table(path, &columns, rows)
    }
}

/// The columns before those of operations.
pub(crate) fn fixed_columns() -> usize {
    FIXED.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: WorkKind, weight: u64, ops: &[u64]) -> Event<'_> {
        Event { kind, away_ms: None, commits: 1, bytes: 10, ops, weight }
    }

    #[test]
    fn classes_grow_and_are_narrow() {
        let mut last = 0;
        for weight in (0..100_000).chain((17..64).map(|power| 1 << power)) {
            let class = class(weight);
            assert!(class >= last, "{weight}");
            last = class;
        }
        assert!((0..64).all(|weight| class(weight) == weight as u32));
        // Within a class nothing differs by more than a thirty-second.
        for weight in [64_u64, 1_000, 123_456, 1 << 40] {
            let apart = weight + weight / 31 + 1;
            assert_ne!(class(weight), class(apart), "{weight}");
        }
        assert!(class(u64::MAX) > class(1 << 63));
    }

    #[test]
    fn alike_events_share_a_row_and_sums_are_exact() {
        let mut work = Work::default();
        for ops in [[1, 100], [1, 101], [50, 0]] {
            work.note(event(WorkKind::Make, 1_000 * ops[0] + ops[1] / 50, &ops));
        }
        work.note(Event { away_ms: Some(90_000), ..event(WorkKind::CatchUp, 7, &[3, 4]) });
        work.note_state(9);
        work.note_state(5);
        let table = work.table(&["a", "b"]);
        let make: Vec<_> = table.of(WorkKind::Make).collect();
        assert_eq!(make.len(), 2);
        assert_eq!((make[0].count, &make[0].ops[..]), (2, &[2, 201][..]));
        assert_eq!(make.iter().map(|row| row.bytes).sum::<u64>(), 30);
        assert_eq!(table.of(WorkKind::CatchUp).next().unwrap().away_s, Some((90, 120)));
        assert_eq!(table.of(WorkKind::State).next().unwrap().bytes, 9);
    }

    #[test]
    fn a_table_is_read_as_it_was_written() {
        let mut work = Work::default();
        work.note(event(WorkKind::Join, 5, &[1, 2]));
        work.note(Event { away_ms: Some(0), ..event(WorkKind::CatchUp, 7, &[3, 4]) });
        let table = work.table(&["a", "b"]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("work.csv");
        table.write(&path).unwrap();
        assert_eq!(crate::read_work(folder.path()).unwrap().unwrap(), table);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("join", "jion")).unwrap();
        let message = crate::read_work(folder.path()).unwrap_err().to_string();
        assert!(message.contains("line 2, column what"), "{message}");
        std::fs::remove_file(&path).unwrap();
        assert!(crate::read_work(folder.path()).unwrap().is_none());
    }
}
