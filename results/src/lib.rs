//! What a run leaves behind: records, the folder that holds them, and plots made from that folder.
//!
//! The work of a run, in order:
//!
//! 1. The simulation reports each accepted commit, tree snapshot and catch-up to a [`Recorder`].
//!    [`RunRecorder`] keeps them and the distributions, and chains all of it into a digest.
//! 2. [`RunRecorder::finish`] gives [`Recorded`]; together with [`RunFacts`], what only the caller
//!    knows, it becomes a [`Summary`].
//! 3. [`RunFolder::write`] puts everything into one folder that appears whole or not at all.
//! 4. [`plot_folder`] draws the plots from the folder's tables, today or in ten years.
//! 5. [`compare`] sets runs of the same demand side by side, paired by seed.
//! 6. [`Report`] makes one page of studies and runs, for people who run nothing.
//!
//! ```
//! use arboretum_results::{CommitRow, Recorder, RunFacts, RunRecorder, Summary};
//!
//! let mut recorder = RunRecorder::new(&["kem_seal", "sign"]);
//! recorder.commit(CommitRow {
//!     epoch: 1,
//!     creation: true,
//!     members: 4,
//!     width: 4,
//!     expected_cost_sum: 12,
//!     sender_ops: vec![3, 1],
//!     ..CommitRow::default()
//! });
//! let recorded = recorder.finish();
//! let summary = Summary::new(RunFacts::default(), &recorded);
//! assert_eq!(summary.number("expected_update_cost.end"), Some(3.0));
//! ```

mod bootstrap;
mod clients;
mod compare;
mod differences;
mod digest;
mod distribution;
mod error;
mod experiment;
mod fits;
mod folder;
mod groups;
mod metrics;
mod plots;
mod read;
mod recorder;
mod records;
mod report;
mod study;
mod summary;
mod system;
mod table;
mod tree_over_time;
mod work;

pub use bootstrap::{Estimate, estimate, estimate_ratio};
pub use clients::{ClientHistogram, ClientRow};
pub use compare::{
    Bound, COMPARED, CompareError, ComparedRun, Comparison, Difference, Sample, compare,
};
pub use differences::{DifferenceRow, PairedMetrics, differences, write_differences};
pub use distribution::{Distribution, FiveFigures};
pub use error::ResultsError;
pub use experiment::{
    AbsenceFigures, AbsenceRow, Bounds, ExperimentFacts, ExperimentRecorder, ExperimentSummary,
    OperationCounts, OperationRow,
};
pub use fits::{FitRow, Fitted, Growth, fits, write_fits};
pub use folder::{
    ExperimentFolder, Machine, Provenance, RunFolder, WriteOptions, write_whole, write_whole_json,
};
pub use groups::{ClientTotals, Groups, digest_of_groups};
pub use metrics::metric_text;
pub use plots::{StudyFigure, plot_comparison, plot_folder, plot_study};
pub use read::{
    CommitTable, read_aggregate, read_cells, read_clients, read_commits, read_digest,
    read_portraits, read_provenance, read_summary, read_tree, read_work,
};
pub use recorder::{AwayBucket, Recorded, Recorder, RunRecorder};
pub use records::{CatchUp, CommitRow, Event, PortraitRow, TreeRow};
pub use report::{CapacityInterval, CapacitySection, CapacitySeed, Finding, Report, StudySection};
pub use study::{AggregateRow, CellRow, StudyTables, aggregate};
pub use summary::{
    Audits, BlankPaths, ByKind, CatchUpFigures, Commits, CostRange, Evicted, Host, Invariants,
    Joins, KindCost, Members, Operations, Quarantine, Rebalancing, RejectedWork, RunFacts, Summary,
    TreeFigures, UpdateCost, Welcomes,
};
pub use system::{
    Abilities, Credentials, Devices, Exposure, Healing, KeyServer, Links, Messages, Metadata,
    Recovery, Seen, System,
};
pub use tree_over_time::{Portrayed, TreeOverTime};
pub use work::{Event as WorkEvent, Work, WorkKind, WorkRow, WorkTable};
