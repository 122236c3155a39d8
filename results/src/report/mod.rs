//! A page for a design review: one HTML file with everything in it, made from the tables of studies,
//! runs and capacity answers. It asks the network for nothing, and its security policy would not let it.
//!
//! | file | what it owns |
//! |---|---|
//! | this one | what a page is made from |
//! | `page` | the document: head, policy, contents |
//! | `study` | a study's section: question, answer, expectations, plots |
//! | `run` | a run's section: figures, plots |
//! | `capacity` | a capacity answer's section: budgets, seeds, plot |
//! | `figure` | a figure with the table behind it |
//! | `frames` | the tree of a run, or of a cell, over time, behind a slider |
//! | `chart` | a study's figure, drawn for wide and for narrow pages |
//! | `sketch` | a run's plot in the colours of the page |
//! | `table` | tables that can be sorted |
//! | `source` | where results come from and how to have them again |
//! | `text` | estimates, dates and command lines in words |
//!
//! Every text from a file goes through maud, which escapes it. The one exception are the page's own
//! style and script, which hold nothing of any file.

mod capacity;
mod chart;
mod figure;
mod frames;
mod page;
mod run;
mod sketch;
mod source;
mod statistics;
mod study;
mod table;
mod text;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::bootstrap::Estimate;
use crate::differences::DifferenceRow;
use crate::error::ResultsError;
use crate::fits::FitRow;
use crate::folder::{Provenance, whole, write_text};
use crate::plots::{StudyFigure, Tables};
use crate::study::StudyTables;
use crate::tree_over_time::TreeOverTime;

/// A page.
#[derive(Default)]
pub struct Report {
    sections: Vec<Section>,
}

enum Section {
    Study(Box<StudySection>),
    Run(Box<RunSection>),
    Capacity(Box<CapacitySection>),
}

/// A statement about a mean, or about the ratio of two, and what was measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Finding {
    /// The statement; of an answer, what stands before its number.
    pub says: String,
    /// What stands after an answer's number.
    pub after: String,
    /// The metric.
    pub metric: String,
    /// Where, in words, if that is no point of the grid.
    pub place: String,
    /// Where: a value of each axis; none if no such point was run, or it is about several.
    pub point: Vec<String>,
    /// Over the metric at this point.
    pub than: Option<Vec<String>>,
    /// What was measured; none if no such point was run or its cells have no such number.
    pub estimate: Option<Estimate>,
    /// At least this is expected.
    pub min: Option<f64>,
    /// At most this is expected.
    pub max: Option<f64>,
    /// Whether it holds; none if nothing was expected, or no such point was run.
    pub holds: Option<bool>,
}

/// What a page says of a study.
pub struct StudySection {
    /// Its name.
    pub name: String,
    /// Its title.
    pub title: String,
    /// Who asked what.
    pub question: String,
    /// Where its set-up is described; may be empty.
    pub source: String,
    /// What its figures show, and what they do not; may be empty.
    pub analysis: String,
    /// What was varied: the title of its scenario, and what that is about.
    pub scenario: (String, String),
    /// Whether its runs are sequences of operations on groups in counts.
    pub in_counts: bool,
    /// Points of its whole grid.
    pub grid: usize,
    /// Seeds of its whole size.
    pub seeds: u32,
    /// What its small size sets in every cell's scenario, if that is what was run.
    pub smaller: Vec<String>,
    /// What the command line changed in every cell: `key=value`.
    pub set: Vec<String>,
    /// The sentence that answers it.
    pub answer: Option<Finding>,
    /// Its expectations.
    pub expectations: Vec<Finding>,
    /// What it draws.
    pub figures: Vec<StudyFigure>,
    /// What it compares seed by seed; none where only means are kept.
    pub differences: Vec<DifferenceRow>,
    /// How its numbers grow.
    pub fits: Vec<FitRow>,
    /// The tree of one of its cells over time, if one was portrayed.
    pub tree: Option<TreeOverTime>,
    /// Its tables; without cells where only means are kept.
    pub tables: StudyTables,
    /// Where it was run.
    pub provenance: Option<Provenance>,
}

/// What a page says of how large a group may grow.
pub struct CapacitySection {
    /// The name of the scenario.
    pub scenario: String,
    /// Protocol and strategy.
    pub contestant: String,
    /// The device profile.
    pub profile: String,
    /// What device that is; may be empty.
    pub profile_title: String,
    /// Where its numbers come from; may be empty.
    pub profile_source: String,
    /// The largest group; none where some seed has none.
    pub largest: Option<CapacityInterval>,
    /// The budgets that bind, with the seeds they bind in.
    pub binds: Vec<(String, u32)>,
    /// Each budget: its name, the most it may be, what is measured.
    pub budgets: Vec<[String; 3]>,
    /// Keys of the scenario that grow with the members.
    pub grows: Vec<String>,
    /// What each seed's search came to.
    pub seeds: Vec<CapacitySeed>,
    /// How much of each budget is taken, by members.
    pub figure: StudyFigure,
    /// The figure's tables.
    pub tables: StudyTables,
    /// Where it was run.
    pub provenance: Provenance,
}

/// The answers of the seeds: the least, the middle, the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapacityInterval {
    /// The least.
    pub lo: u32,
    /// The middle one.
    pub median: u32,
    /// The most.
    pub hi: u32,
    /// Whether some seed holds at the largest size that was tried, so that there may be more.
    pub at_least: bool,
}

/// What one seed's search came to.
pub struct CapacitySeed {
    /// The seed.
    pub seed: u64,
    /// The largest size that holds.
    pub largest: Option<u32>,
    /// The smallest size tried above it, which does not.
    pub fails: Option<u32>,
    /// What is broken there, in words.
    pub breaks: String,
}

/// What a page says of a run.
struct RunSection {
    /// The title of its scenario, and what that is about; both may be empty.
    scenario: (String, String),
    tables: Tables,
    provenance: Provenance,
}

impl Report {
    /// Adds a study.
    pub fn study(&mut self, study: StudySection) {
        self.sections.push(Section::Study(Box::new(study)));
    }

    /// Adds how large a group may grow.
    pub fn capacity(&mut self, section: CapacitySection) {
        self.sections.push(Section::Capacity(Box::new(section)));
    }

    /// Adds the run of a folder.
    pub fn run(&mut self, folder: &Path) -> Result<(), ResultsError> {
        let section = RunSection {
            scenario: run::scenario(folder),
            tables: Tables::read(folder)?,
            provenance: crate::read_provenance(folder)?,
        };
        self.sections.push(Section::Run(Box::new(section)));
        Ok(())
    }

    /// The page. The same sections give the same bytes.
    pub fn html(&self) -> String {
        page::html(&self.sections)
    }

    /// Writes the page, whole or not at all. A file of this name is replaced if it is such a page.
    pub fn write(&self, file: &Path) -> Result<(), ResultsError> {
        Self::check_target(file)?;
        whole(file, |path| write_text(path, &self.html()))
    }

    /// Whether a page could be written there, to be asked before anything is read.
    pub fn check_target(file: &Path) -> Result<(), ResultsError> {
        if std::fs::symlink_metadata(file).is_err() {
            return Ok(());
        }
        let refused = || ResultsError::NotAPage { file: PathBuf::from(file) };
        // A device or a pipe would give way to the page, or never end.
        if !std::fs::metadata(file).is_ok_and(|about| about.is_file()) {
            return Err(refused());
        }
        let mut beginning = vec![];
        let there = std::fs::File::open(file).map_err(|_| refused())?;
        there.take(page::BEGINNING as u64).read_to_end(&mut beginning).map_err(|_| refused())?;
        let may = beginning.is_empty() || page::is_page(&beginning);
        if may { Ok(()) } else { Err(refused()) }
    }
}
