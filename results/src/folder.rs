//! Writing a run's folder. It appears whole or not at all: everything is written into a hidden
//! sibling, which takes the folder's name in one rename at the end and is removed on any error.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::clients::{self, ClientHistogram};
use crate::distribution::Distribution;
use crate::error::ResultsError;
use crate::groups;
use crate::records::{CommitRow, PortraitRow, TreeRow};
use crate::{ExperimentSummary, Recorded, Summary, WorkTable, plot_folder};

/// `provenance.json`: what is needed to run it again, and where it ran.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of Arboretum.
    pub version: String,
    /// The commit it was built from, if known.
    pub git_commit: Option<String>,
    /// The root seed.
    pub seed: u64,
    /// The scenario as it was asked for: a file or a shipped name.
    pub scenario_source: String,
    /// The command line.
    pub command: Vec<String>,
    /// The machine.
    pub machine: Machine,
    /// The run's digest, lower-case hexadecimal.
    pub digest: String,
    /// When the run started, seconds since 1970-01-01 UTC.
    pub started: u64,
}

impl Provenance {
    /// Writes `provenance.json` into a folder, whole or not at all.
    pub fn write(&self, folder: &Path) -> Result<(), ResultsError> {
        whole(&folder.join("provenance.json"), |path| write_json(path, self))
    }
}

/// The machine a run was made on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Name of the processor.
    pub cpu: String,
    /// Processors available.
    pub cores: u32,
    /// Memory, MiB.
    pub memory_mib: u64,
    /// Operating system.
    pub os: String,
}

/// A run, ready to be written.
#[derive(Debug, Clone, Copy)]
pub struct RunFolder<'a> {
    /// The scenario as resolved, TOML.
    pub scenario_toml: &'a str,
    /// Where it comes from.
    pub provenance: &'a Provenance,
    /// Its figures.
    pub summary: &'a Summary,
    /// Its records.
    pub recorded: &'a Recorded,
    /// Totals per client.
    pub clients: &'a [ClientHistogram],
    /// The groups, where there are several: of each its own summary.
    pub groups: &'a [Summary],
    /// What clients had to do, if it was counted.
    pub work: Option<&'a WorkTable>,
}

/// How a folder is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteOptions {
    /// Whether a run folder of the same name may be replaced.
    pub replace: bool,
    /// Whether `events.csv` is written.
    pub events: bool,
    /// Whether plots are drawn. A folder without them is not complete; a study of many runs may
    /// draw them later.
    pub plots: bool,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self { replace: false, events: false, plots: true }
    }
}

/// An experiment that was played, ready to be written: it has no tables.
#[derive(Debug, Clone, Copy)]
pub struct ExperimentFolder<'a> {
    /// The experiment as resolved, TOML.
    pub scenario_toml: &'a str,
    /// Where it comes from.
    pub provenance: &'a Provenance,
    /// Its figures.
    pub summary: &'a ExperimentSummary,
}

impl ExperimentFolder<'_> {
    /// Writes the folder `target`, as [`RunFolder::write`] does.
    pub fn write(&self, target: &Path, replace: bool) -> Result<(), ResultsError> {
        RunFolder::check_target(target, replace)?;
        write_aside(target, |folder| {
            write_text(&folder.join("scenario.toml"), self.scenario_toml)?;
            write_json(&folder.join("provenance.json"), self.provenance)?;
            write_json(&folder.join("summary.json"), self.summary)
        })
    }
}

impl RunFolder<'_> {
    /// Writes the folder `target`, creating its parents. On any error `target` is as it was and
    /// nothing is left beside it. One error comes later: when a replaced folder cannot be removed,
    /// the new one is in place and the error names where the old one is.
    pub fn write(&self, target: &Path, options: WriteOptions) -> Result<(), ResultsError> {
        Self::check_target(target, options.replace)?;
        write_aside(target, |folder| self.fill(folder, options))
    }

    /// Whether `target` could be written, to be asked before hours of simulation.
    pub fn check_target(target: &Path, replace: bool) -> Result<(), ResultsError> {
        let folder = target.to_path_buf();
        sibling(target, "partial")?;
        // Also true of a dangling link, which a rename would overwrite.
        if fs::symlink_metadata(target).is_err() {
            return Ok(());
        }
        if !replace {
            return Err(ResultsError::Exists { folder });
        }
        if !target.join("provenance.json").is_file() {
            return Err(ResultsError::NotARun { folder });
        }
        Ok(())
    }

    fn fill(&self, folder: &Path, options: WriteOptions) -> Result<(), ResultsError> {
        write_text(&folder.join("scenario.toml"), self.scenario_toml)?;
        write_json(&folder.join("provenance.json"), self.provenance)?;
        write_json(&folder.join("summary.json"), self.summary)?;
        self.write_tables(folder, options.events)?;
        self.write_histograms(folder)?;
        if options.plots {
            plot_folder(folder)?;
        }
        Ok(())
    }

    fn write_tables(&self, folder: &Path, events: bool) -> Result<(), ResultsError> {
        let recorded = self.recorded;
        let commits = recorded.commits.iter().map(|row| commit_cells(row, recorded.op_names.len()));
        write_table(&folder.join("commits.csv"), &commit_columns(recorded.op_names), commits)?;
        let tree = recorded.tree.iter().map(TreeRow::cells);
        write_table(&folder.join("tree.csv"), &TreeRow::columns(), tree)?;
        let portraits = recorded.portraits.iter().map(PortraitRow::cells);
        write_table(&folder.join("portraits.csv"), &PortraitRow::columns(), portraits)?;
        let clients = clients::rows(recorded, self.clients);
        let clients = clients.iter().map(clients::ClientRow::cells);
        write_table(&folder.join("clients.csv"), &clients::COLUMNS, clients)?;
        if let Some(work) = self.work {
            work.write(&folder.join("work.csv"))?;
        }
        if !self.groups.is_empty() {
            let groups = self.groups.iter().enumerate().map(groups::cells);
            write_table(&folder.join("groups.csv"), &groups::COLUMNS, groups)?;
        }
        if !events {
            return Ok(());
        }
        let events = recorded.events.iter().map(|event| {
            vec![
                event.time_ms.to_string(),
                event.kind.to_string(),
                event.client.to_string(),
                event.epoch.to_string(),
                event.detail.clone(),
            ]
        });
        let columns = ["time_ms", "kind", "client", "epoch", "detail"];
        write_table(&folder.join("events.csv"), &columns, events)
    }

    fn write_histograms(&self, folder: &Path) -> Result<(), ResultsError> {
        let recorded = self.recorded;
        let histograms = [
            ("update_cost_ciphertexts", &recorded.update_ciphertexts),
            ("update_cost_bytes", &recorded.update_bytes),
            ("catch_up_bytes", &recorded.catch_up_bytes),
            ("catch_up_commits", &recorded.catch_up_commits),
        ];
        for (name, histogram) in histograms {
            write_histogram(&folder.join(format!("{name}.hgrm")), histogram)?;
        }
        for total in self.clients {
            let mut histogram = Distribution::default();
            total.values.iter().for_each(|&value| histogram.record(value));
            write_histogram(&folder.join(format!("{}.hgrm", total.metric)), &histogram)?;
        }
        Ok(())
    }
}

/// Fills a folder aside and gives it its name at the end.
pub(crate) fn write_aside(
    target: &Path,
    fill: impl FnOnce(&Path) -> Result<(), ResultsError>,
) -> Result<(), ResultsError> {
    let partial = sibling(target, "partial")?;
    let done =
        empty(&partial).and_then(|()| fill(&partial)).and_then(|()| install(&partial, target));
    if done.is_err() {
        // Best effort: the first error is the one worth telling.
        let _ = fs::remove_dir_all(&partial);
    }
    done.map_err(|error| error.relocated(&partial, target))
}

/// A new, empty folder.
fn empty(folder: &Path) -> Result<(), ResultsError> {
    if folder.exists() {
        // Left by a process of the same number that was killed.
        fs::remove_dir_all(folder).map_err(ResultsError::write(folder))?;
    }
    fs::create_dir_all(folder).map_err(ResultsError::write(folder))
}

/// Writes a file aside and gives it its name at the end.
pub(crate) fn whole(
    path: &Path,
    write: impl FnOnce(&Path) -> Result<(), ResultsError>,
) -> Result<(), ResultsError> {
    let aside = path.with_extension(format!("partial-{}", std::process::id()));
    let done =
        write(&aside).and_then(|()| fs::rename(&aside, path).map_err(ResultsError::write(path)));
    if done.is_err() {
        // Best effort: the first error is the one worth telling.
        let _ = fs::remove_file(&aside);
    }
    done.map_err(|error| error.relocated(&aside, path))
}

/// Writes a text into a file, whole or not at all.
pub fn write_whole(path: &Path, text: &str) -> Result<(), ResultsError> {
    whole(path, |path| write_text(path, text))
}

/// Writes a value as JSON into a file, whole or not at all.
pub fn write_whole_json(path: &Path, value: &impl Serialize) -> Result<(), ResultsError> {
    whole(path, |path| write_json(path, value))
}

/// A hidden name beside `target`, on the same file system so that a rename is enough.
fn sibling(target: &Path, what: &str) -> Result<PathBuf, ResultsError> {
    let name = target
        .file_name()
        .ok_or_else(|| ResultsError::BadName { folder: target.to_path_buf() })?
        .to_string_lossy();
    Ok(target.with_file_name(format!(".{name}.{what}-{}", std::process::id())))
}

/// Gives the finished folder its name. A folder to be replaced steps aside first and comes back if
/// the rename fails.
fn install(partial: &Path, target: &Path) -> Result<(), ResultsError> {
    if fs::symlink_metadata(target).is_err() {
        return fs::rename(partial, target).map_err(ResultsError::write(target));
    }
    let aside = sibling(target, "replaced")?;
    fs::rename(target, &aside).map_err(ResultsError::write(target))?;
    if let Err(source) = fs::rename(partial, target) {
        let _ = fs::rename(&aside, target);
        return Err(ResultsError::Write { path: target.to_path_buf(), source });
    }
    remove(&aside).map_err(ResultsError::write(&aside))
}

/// Removes a folder, or a link to one without what it points to.
fn remove(path: &Path) -> std::io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    }
}

fn commit_columns(op_names: &[&str]) -> Vec<String> {
    let fixed = CommitRow::columns().into_iter().map(str::to_owned);
    let sender = op_names.iter().map(|name| format!("sender_{name}"));
    let receiver = op_names.iter().map(|name| format!("receiver_{name}"));
    fixed.chain(sender).chain(receiver).collect()
}

fn commit_cells(row: &CommitRow, ops: usize) -> Vec<String> {
    let mut cells = row.cells();
    for counts in [&row.sender_ops, &row.receiver_ops] {
        // Not counted is an empty cell: a 0 would claim that nothing was done.
        let count = |index| counts.get(index).map_or_else(String::new, u64::to_string);
        cells.extend((0..ops).map(count));
    }
    cells
}

pub(crate) fn write_text(path: &Path, text: &str) -> Result<(), ResultsError> {
    fs::write(path, text).map_err(ResultsError::write(path))
}

pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), ResultsError> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| ResultsError::Write { path: path.to_path_buf(), source: error.into() })?;
    write_text(path, &(text + "\n"))
}

pub(crate) fn write_table(
    path: &Path,
    columns: &[impl AsRef<[u8]>],
    rows: impl Iterator<Item = Vec<String>>,
) -> Result<(), ResultsError> {
    let file = File::create(path).map_err(ResultsError::write(path))?;
    let mut writer = csv::Writer::from_writer(file);
    let written = writer
        .write_record(columns)
        .and_then(|()| rows.into_iter().try_for_each(|row| writer.write_record(row)))
        .map_err(|error| match error.into_kind() {
            csv::ErrorKind::Io(source) => source,
            other => std::io::Error::other(format!("{other:?}")),
        })
        .and_then(|()| writer.flush());
    written.map_err(ResultsError::write(path))
}

fn write_histogram(path: &Path, histogram: &Distribution) -> Result<(), ResultsError> {
    let file = File::create(path).map_err(ResultsError::write(path))?;
    let mut out = BufWriter::new(file);
    let written = histogram.write_hgrm(&mut out).and_then(|()| out.flush());
    written.map_err(ResultsError::write(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_one_readable_error() {
        let full = Path::new("/dev/full");
        let rows = std::iter::repeat_n(vec!["0".repeat(100)], 10_000);
        let table = write_table(full, &["column"], rows).unwrap_err().to_string();
        let text = write_text(full, "text").unwrap_err().to_string();
        let histogram = write_histogram(full, &Distribution::default()).unwrap_err().to_string();
        for message in [table, text, histogram] {
            assert!(message.starts_with("cannot write /dev/full: No space left"), "{message}");
        }
    }

    #[test]
    fn a_path_without_a_name_is_refused() {
        let message = RunFolder::check_target(Path::new(".."), true).unwrap_err().to_string();
        assert!(message.contains(".. cannot name a run folder"), "{message}");
    }
}
