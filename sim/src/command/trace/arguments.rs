//! The command line of `arboretum trace`.

use std::path::PathBuf;

use arboretum_workloads::{Malformed, Millis, TimeFormat};
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum TraceCommand {
    /// Import a CSV file, one of whose columns says when and another who.
    Csv(CsvOptions),
    /// Import the history of a git repository: authors and their commits.
    Git(GitOptions),
    /// Import a mail archive: senders and their messages.
    Mbox(MboxOptions),
    /// Estimate the parameters of a workload from a trace, and write a scenario.
    Fit(FitArguments),
}

/// What all importers have.
#[derive(Debug, Args)]
pub(in crate::command) struct Cleaning {
    /// The trace to write.
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: PathBuf,
    /// Replace it if it is there.
    #[arg(long)]
    pub(super) force: bool,
    /// Leave malformed lines out, and say how many.
    #[arg(long)]
    pub(super) skip_malformed: bool,
    /// Keep the names of actors; without it they are numbered as they come.
    #[arg(long)]
    pub(super) keep_names: bool,
    /// What came of it on standard output as JSON, and nothing else there.
    #[arg(long)]
    pub(super) json: bool,
}

impl Cleaning {
    pub(super) fn malformed(&self) -> Malformed {
        if self.skip_malformed { Malformed::Skip } else { Malformed::Refuse }
    }
}

#[derive(Debug, Args)]
pub(in crate::command) struct CsvOptions {
    /// A CSV file, whose first line names its columns.
    pub(super) file: PathBuf,
    /// The column that says when.
    #[arg(long, value_name = "COLUMN")]
    pub(super) time: String,
    /// The column that says who.
    #[arg(long, value_name = "COLUMN")]
    pub(super) actor: String,
    /// How times are written: unix, unix-ms or rfc3339.
    #[arg(long, value_name = "FORMAT", default_value = "unix")]
    pub(super) time_format: TimeFormat,
    /// What stands between columns: one character, or `\t`.
    #[arg(long, value_name = "CHAR", default_value = ",", value_parser = delimiter)]
    pub(super) delimiter: u8,
    #[command(flatten)]
    pub(super) cleaning: Cleaning,
}

/// What can stand between columns.
fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"\\t" => Ok(b'\t'),
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n') => Ok(*byte),
        _ => Err("one character of ASCII that is no quote, or \\t".into()),
    }
}

#[derive(Debug, Args)]
pub(in crate::command) struct GitOptions {
    /// A folder in a repository; its mailmap says who is the same.
    pub(super) path: PathBuf,
    /// The history of all branches, not of the one that is checked out.
    #[arg(long)]
    pub(super) all: bool,
    #[command(flatten)]
    pub(super) cleaning: Cleaning,
}

#[derive(Debug, Args)]
pub(in crate::command) struct MboxOptions {
    /// A mail archive in the mbox format.
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) cleaning: Cleaning,
}

#[derive(Debug, Args)]
pub(in crate::command) struct FitArguments {
    /// A trace: a CSV of time_s,actor.
    pub(super) trace: PathBuf,
    /// The scenario to write; none without it.
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Replace it if it is there.
    #[arg(long)]
    pub(super) force: bool,
    /// Events of an actor no further apart than this are one session.
    #[arg(long, value_name = "TIME", default_value = "30min")]
    pub(super) session: Millis,
    /// Who was active so shortly before the end may still be there.
    #[arg(long, value_name = "TIME", default_value = "30d")]
    pub(super) silence: Millis,
    /// Who is first seen within this time counts as there from the start [default: a tenth of the trace, a week
    /// at most].
    #[arg(long, value_name = "TIME")]
    pub(super) warm_up: Option<Millis>,
    /// The numbers on standard output as JSON, and nothing else there.
    #[arg(long)]
    pub(super) json: bool,
}
