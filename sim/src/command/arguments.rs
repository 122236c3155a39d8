//! The command line.

use std::path::PathBuf;

use arboretum_workloads::{Fidelity, Filter};
use clap::{Args, Parser, Subcommand, ValueEnum};

use super::trace::TraceCommand;

/// A laboratory for group key agreement trees: real MLS (RFC 9420), tens of thousands of virtual
/// clients, reproducible runs.
#[derive(Debug, Parser)]
#[command(name = "arboretum", version, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// One simulation.
    Run(RunOptions),
    /// A grid of runs; resumes where it stopped.
    Study(StudyOptions),
    /// One task of a study that is run on many machines.
    Cell(CellOptions),
    /// Measure what each operation takes on this machine, into a device profile.
    Calibrate(CalibrateOptions),
    /// What the work of runs takes on a device.
    Price(PriceOptions),
    /// The largest group that stays within budgets of time, traffic and memory.
    Capacity(CapacityOptions),
    /// What there is: scenarios, studies, protocols, strategies, suites, metrics, profiles.
    List {
        /// scenarios, studies, protocols, strategies, suites, metrics or profiles.
        what: String,
        /// As JSON: each by its name.
        #[arg(long)]
        json: bool,
    },
    /// The JSON Schema of scenario, experiment, study or profile files.
    Schema {
        /// scenario, experiment, study or profile.
        what: String,
    },
    /// Redraw the plots of runs, studies and capacity answers from their tables.
    Plot {
        /// Folders of runs, studies and capacity answers.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
    /// Put numbers of studies and capacity answers into a page, where its marks ask for them.
    Splice(SpliceOptions),
    /// One page about studies, runs and capacity answers, with everything in it, for a design review.
    Report(ReportOptions),
    /// Runs of the same demand side by side, paired by seed.
    Compare(CompareOptions),
    /// Run again from a folder's provenance and compare digests: a run whole, of a study some cells, of a capacity
    /// answer some sizes.
    Verify(VerifyOptions),
    /// Activity logs as traces, and traces as workloads.
    Trace {
        #[command(subcommand)]
        command: TraceCommand,
    },
    /// Check the engine against the MLS working group's test-vector files in a folder.
    Conformance {
        /// A folder of JSON files.
        dir: PathBuf,
        /// As JSON: of each file how many cases passed, failed and need what is not built, and what failed.
        #[arg(long)]
        json: bool,
    },
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page: of the whole, or of a command (`man run`, `man trace fit`).
    #[command(name = "man")]
    Manual {
        /// Which command's.
        #[arg(value_name = "COMMAND")]
        path: Vec<String>,
    },
}

/// How much is done for real.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FidelityChoice {
    /// Every client does all its own work from the wire bytes.
    Full,
    /// Each distinct computation is done once, and charged to everybody who would do it.
    Shared,
    /// As shared, with counting in the place of cryptography.
    Counted,
}

impl From<FidelityChoice> for Fidelity {
    fn from(choice: FidelityChoice) -> Self {
        match choice {
            FidelityChoice::Full => Self::Full,
            FidelityChoice::Shared => Self::Shared,
            FidelityChoice::Counted => Self::Counted,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct QuietOptions {
    /// No progress.
    #[arg(long)]
    pub(crate) quiet: bool,
    /// Threads for batches of key operations; all processors by default.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) threads: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyOptions {
    /// The folder of a run, a study or a capacity answer.
    pub(crate) path: PathBuf,
    /// Cells of a study, or sizes of a capacity answer, that are run again.
    #[arg(long, value_name = "K", default_value_t = 5)]
    pub(crate) cells: usize,
    /// Only cells of a study that took no more than this when they were recorded, seconds of one processor; a
    /// capacity answer keeps no times.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) at_most: Option<u32>,
    /// What was run again, and what it came to, as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) common: QuietOptions,
}

impl StudyOptions {
    /// The part of the study that is asked for.
    pub(crate) fn filter(&self) -> Filter {
        Filter {
            only: self.only.clone(),
            seeds: self.seeds,
            first_seed: self.seed,
            set: self.set.clone(),
            quick: self.quick,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct StudyOptions {
    /// A study file, or the name of a shipped one (`arboretum list studies`).
    pub(crate) study: String,
    /// Its small size.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only these values of an axis; may be given more than once.
    #[arg(long, value_name = "AXIS=VALUE[,VALUE]")]
    pub(crate) only: Vec<String>,
    /// Seeds of each point.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) seeds: Option<u32>,
    /// The first seed.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Override a key of the scenario in every cell; may be given more than once.
    #[arg(long = "set", value_name = "KEY.PATH=VALUE")]
    pub(crate) set: Vec<String>,
    /// The folder to write, or to go on with; by default runs/STUDY.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Where its cells run.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) executor: Executor,
    /// Cells of one Slurm task, at least.
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) chunk: u32,
    /// An option for sbatch, such as --partition=NAME; may be given more than once.
    #[arg(long, value_name = "OPTION", allow_hyphen_values = true)]
    pub(crate) slurm_option: Vec<String>,
    /// Write the manifest for another engine's tasks, and say how many there are (docs/clusters.md).
    #[arg(long, conflicts_with_all = ["detach", "resume"])]
    pub(crate) manifest: bool,
    /// Submit to Slurm and do not wait.
    #[arg(long, conflicts_with = "resume")]
    pub(crate) detach: bool,
    /// Wait for what was submitted, and collect it.
    #[arg(long, conflicts_with_all = ["only", "seeds", "seed", "set"])]
    pub(crate) resume: bool,
    /// Means and expectations on standard output, and nothing else there.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) common: QuietOptions,
}

/// Where the cells of a study run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Executor {
    /// On this machine.
    #[default]
    Local,
    /// As a Slurm job array.
    Slurm,
}

#[derive(Debug, Args)]
pub(crate) struct CellOptions {
    /// The manifest.json of a study's folder.
    pub(crate) manifest: PathBuf,
    /// The task's number, from 0.
    pub(crate) index: usize,
    #[command(flatten)]
    pub(crate) common: QuietOptions,
}

#[derive(Debug, Args)]
pub(crate) struct ReportOptions {
    /// Folders of studies, runs and capacity answers, in the order of the page.
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// The file to write; one that a report has written is replaced.
    #[arg(long, short, value_name = "FILE", default_value = "report.html")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct CalibrateOptions {
    /// The file to write; by default the profile goes to standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Only this cipher suite; may be given more than once.
    #[arg(long, value_name = "N")]
    pub(crate) suite: Vec<u16>,
    /// What the profile is called.
    #[arg(long, default_value = "this-machine")]
    pub(crate) name: String,
    /// No progress.
    #[arg(long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PriceOptions {
    /// Run folders.
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// A profile file, or the name of a shipped one (`arboretum list profiles`).
    #[arg(long)]
    pub(crate) profile: String,
    /// The prices on standard output in seconds, and nothing else there.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CapacityOptions {
    /// A scenario file, or the name of a shipped one (`arboretum list scenarios`): the workload, whose rates a
    /// group grow with the members.
    pub(crate) scenario: String,
    /// A profile file, or the name of a shipped one (`arboretum list profiles`).
    #[arg(long)]
    pub(crate) profile: String,
    /// A budget: commit_process=50ms, commit_make=1s, join=5s, catch_up=10s, cpu_per_day=1min,
    /// bytes_per_day=10MB, memory=64MiB or rejected=5%; may be given more than once.
    #[arg(long, value_name = "WHAT=LIMIT")]
    pub(crate) budget: Vec<String>,
    /// The protocol.
    #[arg(long)]
    pub(crate) protocol: Option<String>,
    /// The strategy.
    #[arg(long)]
    pub(crate) strategy: Option<String>,
    /// Seeds: a search for each, 1 and up.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) seeds: u32,
    /// The largest group that is tried.
    #[arg(long, value_name = "N", default_value_t = 131_072)]
    pub(crate) most: u32,
    /// How much is done for real: it does not change the counts.
    #[arg(long, value_enum, default_value = "counted")]
    pub(crate) fidelity: FidelityChoice,
    /// Override a key of the scenario; may be given more than once.
    #[arg(long = "set", value_name = "KEY.PATH=VALUE")]
    pub(crate) set: Vec<String>,
    /// The folder to write, or to go on with; by default runs/capacity-SCENARIO.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// The answer on standard output, and nothing else there.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) common: QuietOptions,
}

#[derive(Debug, Args)]
pub(crate) struct SpliceOptions {
    /// The page.
    pub(crate) page: PathBuf,
    /// Folders of studies and capacity answers.
    #[arg(required = true)]
    pub(crate) folders: Vec<PathBuf>,
    /// Write nothing: exit 1 if a number of the page is not that of the tables.
    #[arg(long)]
    pub(crate) check: bool,
    /// As JSON: how many numbers the page has of these folders, those that another stood in the place of, and the
    /// marks of other folders, which are left as they are.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CompareOptions {
    /// Run folders; the first is of the contestant that the others are compared with.
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// A number of the summary (`arboretum list metrics`); may be given more than once.
    #[arg(long, value_name = "NAME")]
    pub(crate) metric: Vec<String>,
    /// A folder for the plot.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// The comparison on standard output, and nothing else there.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    /// A scenario file, or the name of a shipped one (`arboretum list scenarios`).
    pub(crate) scenario: String,
    /// The root seed.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Clients in the group from the start.
    #[arg(long)]
    pub(crate) members: Option<u32>,
    /// How much is done for real.
    #[arg(long, value_enum)]
    pub(crate) fidelity: Option<FidelityChoice>,
    /// The protocol.
    #[arg(long)]
    pub(crate) protocol: Option<String>,
    /// The strategy.
    #[arg(long)]
    pub(crate) strategy: Option<String>,
    /// Members audited for each commit.
    #[arg(long, value_name = "K")]
    pub(crate) audit: Option<u32>,
    /// Override a key of the scenario; may be given more than once.
    #[arg(long = "set", value_name = "KEY.PATH=VALUE")]
    pub(crate) set: Vec<String>,
    /// The folder to write; by default runs/SCENARIO-… with a number if that exists.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Replace the folder if it is a run folder.
    #[arg(long)]
    pub(crate) force: bool,
    /// Write events.csv.
    #[arg(long)]
    pub(crate) events: bool,
    /// The summary on standard output, and nothing else there.
    #[arg(long)]
    pub(crate) json: bool,
    /// Stop before this event: what led to a failed check.
    #[arg(long, value_name = "N")]
    pub(crate) stop_before_event: Option<u64>,
    #[command(flatten)]
    pub(crate) common: QuietOptions,
}
