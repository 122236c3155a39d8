//! Reading a run's folder back. Columns are found by name, so a table with more of them, or in
//! another order, is still read; an error names the file, the line and the column.

use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::bootstrap::Estimate;
use crate::clients::ClientRow;
use crate::distribution::FiveFigures;
use crate::error::ResultsError;
use crate::folder::Provenance;
use crate::records::{CommitRow, PortraitRow, TreeRow};
use crate::study::{AggregateRow, CellRow, axis_column};
use crate::summary::Summary;
use crate::table::{Cell, Cells};
use crate::work::{WorkKind, WorkRow, WorkTable, fixed_columns};

/// `commits.csv`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommitTable {
    /// Names of the counted operations, from the columns `sender_<op>`.
    pub op_names: Vec<String>,
    /// One row per accepted commit.
    pub rows: Vec<CommitRow>,
}

/// Reads `commits.csv` of the folder `dir`.
pub fn read_commits(dir: &Path) -> Result<CommitTable, ResultsError> {
    let mut op_names = Vec::new();
    let rows = read_table(&dir.join("commits.csv"), |line| {
        if op_names.is_empty() {
            op_names = line.names_after("sender_");
        }
        Ok(CommitRow {
            sender_ops: line.counts("sender_", &op_names)?,
            receiver_ops: line.counts("receiver_", &op_names)?,
            ..CommitRow::from_cells(line)?
        })
    })?;
    Ok(CommitTable { op_names, rows })
}

/// Reads `tree.csv` of the folder `dir`.
pub fn read_tree(dir: &Path) -> Result<Vec<TreeRow>, ResultsError> {
    read_table(&dir.join("tree.csv"), TreeRow::from_cells)
}

/// Reads `portraits.csv` of the folder `dir`; nothing if the run is older than portraits.
pub fn read_portraits(dir: &Path) -> Result<Vec<PortraitRow>, ResultsError> {
    let path = dir.join("portraits.csv");
    if path.exists() { read_table(&path, PortraitRow::from_cells) } else { Ok(vec![]) }
}

/// Reads `clients.csv` of the folder `dir`.
pub fn read_clients(dir: &Path) -> Result<Vec<ClientRow>, ResultsError> {
    read_table(&dir.join("clients.csv"), |line| {
        Ok(ClientRow {
            metric: line.text("metric")?.to_owned(),
            unit: line.text("unit")?.to_owned(),
            from: line.cell("from")?,
            to: line.cell("to")?,
            count: line.cell("count")?,
            figures: FiveFigures {
                mean: line.optional("mean")?,
                p50: line.optional("p50")?,
                p90: line.optional("p90")?,
                p99: line.optional("p99")?,
                max: line.optional("max")?,
            },
        })
    })
}

/// Reads `summary.json` of the folder `dir`.
pub fn read_summary(dir: &Path) -> Result<Summary, ResultsError> {
    read_json(&dir.join("summary.json"))
}

/// The digest in the `summary.json` of a run or an experiment, and whether it was interrupted.
pub fn read_digest(dir: &Path) -> Result<(String, bool), ResultsError> {
    #[derive(serde::Deserialize)]
    struct Ended {
        digest: String,
        #[serde(default)]
        interrupted: bool,
    }
    let Ended { digest, interrupted } = read_json(&dir.join("summary.json"))?;
    Ok((digest, interrupted))
}

/// Reads `provenance.json` of the folder `dir`.
pub fn read_provenance(dir: &Path) -> Result<Provenance, ResultsError> {
    read_json(&dir.join("provenance.json"))
}

/// Reads `work.csv` of the folder `dir`; none if the run has none: it is older, or nobody could count.
pub fn read_work(dir: &Path) -> Result<Option<WorkTable>, ResultsError> {
    let path = dir.join("work.csv");
    if !path.exists() {
        return Ok(None);
    }
    let mut op_names: Vec<String> = vec![];
    let rows = read_table(&path, |line| {
        if op_names.is_empty() {
            op_names = line.columns.iter().skip(fixed_columns()).map(str::to_owned).collect();
        }
        let kind = WorkKind::of_name(line.text("what")?);
        let ops = op_names.iter().map(|name| line.cell(name));
        let (from, to): (Option<u64>, Option<u64>) =
            (line.optional("away_from_s")?, line.optional("away_to_s")?);
        Ok(WorkRow {
            kind: line.parsed("what", kind, "a kind of work (docs/files.md)")?,
            away_s: from.zip(to),
            count: line.cell("count")?,
            commits: line.cell("commits")?,
            bytes: line.cell("bytes")?,
            ops: ops.collect::<Result<_, _>>()?,
        })
    })?;
    Ok(Some(WorkTable { op_names, rows }))
}

/// Reads `cells.csv` of a study's folder, whose first columns are the values of so many axes.
pub fn read_cells(dir: &Path, axes: usize) -> Result<Vec<CellRow>, ResultsError> {
    read_table(&dir.join("cells.csv"), |line| {
        let names: Vec<String> = line.columns.iter().skip(axes + 2).map(str::to_owned).collect();
        // By place: an axis may be called like a number of the summary.
        let cells = line.record.iter().skip(axes + 2);
        let mut numbers = Vec::with_capacity(names.len());
        for (name, cell) in names.into_iter().zip(cells).filter(|(_, cell)| !cell.is_empty()) {
            let number = line.parsed(&name, cell.parse().ok(), "a number or nothing")?;
            numbers.push((name, number));
        }
        Ok(CellRow {
            point: line.record.iter().take(axes).map(str::to_owned).collect(),
            seed: line.cell("seed")?,
            digest: line.text("digest")?.to_owned(),
            numbers,
        })
    })
}

/// Reads `aggregate.csv` of a study's folder, whose first columns are the values of these axes.
pub fn read_aggregate(dir: &Path, axes: &[String]) -> Result<Vec<AggregateRow>, ResultsError> {
    read_table(&dir.join("aggregate.csv"), |line| {
        for (at, axis) in axes.iter().enumerate() {
            let name = line.columns.get(at).unwrap_or_default();
            if axis_column(axis) != name {
                let problem = format!("found {name:?}, expected the study's axis `{axis}`");
                return Err(line.error(name, problem));
            }
        }
        let lo: Option<f64> = line.optional("lo")?;
        let point = line.record.iter().take(axes.len()).map(str::to_owned).collect();
        let estimate = Estimate {
            n: line.parsed("n", line.text("n")?.parse().ok(), "a whole number")?,
            mean: line.parsed("mean", line.text("mean")?.parse().ok(), "a number")?,
            interval: lo.zip(line.optional("hi")?),
        };
        Ok(AggregateRow::read(point, line.text("metric")?.to_owned(), estimate))
    })
}

pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, ResultsError> {
    let text = fs::read_to_string(path).map_err(ResultsError::read(path))?;
    serde_json::from_str(&text).map_err(|error| ResultsError::Json {
        path: path.to_path_buf(),
        line: error.line(),
        column: error.column(),
        problem: error.to_string(),
    })
}

fn read_table<T>(
    path: &Path,
    mut parse: impl FnMut(&Line) -> Result<T, ResultsError>,
) -> Result<Vec<T>, ResultsError> {
    let file = fs::File::open(path).map_err(ResultsError::read(path))?;
    let mut reader = csv::Reader::from_reader(file);
    let mut line = Line {
        path: path.to_path_buf(),
        columns: reader.headers().map_err(|error| broken(path, error))?.clone(),
        record: csv::StringRecord::new(),
    };
    let mut rows = Vec::new();
    while reader.read_record(&mut line.record).map_err(|error| broken(path, error))? {
        rows.push(parse(&line)?);
    }
    Ok(rows)
}

/// An error of the table as such: not readable, not text, or a line of another length.
fn broken(path: &Path, error: csv::Error) -> ResultsError {
    let line = error.position().map_or(1, csv::Position::line);
    let (path, column) = (path.to_path_buf(), "(all)".to_owned());
    match error.into_kind() {
        csv::ErrorKind::Io(source) => ResultsError::Read { path, source },
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            let problem = format!("{len} cells where the header has {expected_len}");
            ResultsError::Table { path, line, column, problem }
        }
        _ => {
            let problem = "not UTF-8 text".to_owned();
            ResultsError::Table { path, line, column, problem }
        }
    }
}

/// One line of a table with the names of its columns.
struct Line {
    path: PathBuf,
    columns: csv::StringRecord,
    record: csv::StringRecord,
}

impl Line {
    fn text(&self, column: &str) -> Result<&str, ResultsError> {
        let index = self.columns.iter().position(|name| name == column);
        index
            .and_then(|index| self.record.get(index))
            .ok_or_else(|| self.error(column, "the table has no such column".to_owned()))
    }

    fn parsed<T>(&self, column: &str, value: Option<T>, expected: &str) -> Result<T, ResultsError> {
        let found = self.text(column)?;
        value.ok_or_else(|| self.error(column, format!("found {found:?}, expected {expected}")))
    }

    /// A figure, absent when its cell is empty.
    fn optional<T: std::str::FromStr>(&self, column: &str) -> Result<Option<T>, ResultsError> {
        match self.text(column)? {
            "" => Ok(None),
            text => self.parsed(column, text.parse().ok(), "a number or nothing").map(Some),
        }
    }

    fn names_after(&self, prefix: &str) -> Vec<String> {
        let names = self.columns.iter().filter_map(|name| name.strip_prefix(prefix));
        names.map(str::to_owned).collect()
    }

    /// Counts of the operations, or nothing if they were not counted.
    fn counts(&self, prefix: &str, ops: &[String]) -> Result<Vec<u64>, ResultsError> {
        let columns = ops.iter().map(|op| format!("{prefix}{op}"));
        let counts: Result<Vec<Option<u64>>, _> =
            columns.map(|column| self.optional(&column)).collect();
        Ok(counts?.into_iter().flatten().collect())
    }

    fn error(&self, column: &str, problem: String) -> ResultsError {
        ResultsError::Table {
            path: self.path.clone(),
            line: self.record.position().map_or(1, csv::Position::line),
            column: column.to_owned(),
            problem,
        }
    }
}

impl Cells for Line {
    fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|name| name == column)
    }

    fn cell<T: Cell>(&self, column: &str) -> Result<T, ResultsError> {
        self.parsed(column, T::parse(self.text(column)?), T::EXPECTED)
    }
}
