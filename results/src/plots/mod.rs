//! The plots of a run, made from its folder's tables alone, each as SVG and PNG.
//!
//! A plot is a pure function from [`Tables`] to a [`Sketch`], a list of shapes on a slide. The same
//! sketch is rendered twice, so the two files show the same. Same tables, same bytes.

pub(crate) mod axis;
mod bins;
pub(crate) mod canvas;
mod catch_up;
mod cloud;
mod commit_size;
mod comparison;
mod cost_distribution;
mod frame;
pub(crate) mod icicle;
pub(crate) mod portrait;
mod render;
mod strip;
pub(crate) mod study;
pub(crate) mod study_rows;
pub(crate) mod tree_growth;
mod update_cost;
pub(crate) mod words;

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::ResultsError;
use crate::study::StudyTables;
use crate::{ClientRow, CommitRow, Comparison, PortraitRow, Sample, Summary, TreeRow};
use canvas::{Sketch, Slide, WIDE};

pub use study::StudyFigure;

/// What plots are made from.
pub(crate) struct Tables {
    pub(crate) commits: Vec<CommitRow>,
    pub(crate) tree: Vec<TreeRow>,
    pub(crate) portraits: Vec<PortraitRow>,
    pub(crate) clients: Vec<ClientRow>,
    /// For titles: names, seed and group size.
    pub(crate) summary: Summary,
}

impl Tables {
    /// The tables of a run's folder.
    pub(crate) fn read(dir: &Path) -> Result<Self, ResultsError> {
        Ok(Self {
            commits: crate::read_commits(dir)?.rows,
            tree: crate::read_tree(dir)?,
            portraits: crate::read_portraits(dir)?,
            clients: crate::read_clients(dir)?,
            summary: crate::read_summary(dir)?,
        })
    }

    /// The end of the run, or of its last record if that is later, milliseconds.
    fn end_ms(&self) -> f64 {
        let commits = self.commits.iter().map(|row| row.time_ms);
        let last = commits.chain(self.tree.iter().map(|row| row.time_ms)).max().unwrap_or(0);
        (last as f64).max(self.summary.virtual_time_s * 1_000.0)
    }
}

/// A plot is a pure function.
pub(crate) type Draw = fn(&Tables, Slide) -> Sketch;

/// Name of the file and the function that draws it.
pub(crate) const PLOTS: [(&str, Draw); 7] = [
    ("update_cost", update_cost::draw),
    ("tree_growth", tree_growth::draw),
    ("tree_portrait", portrait::draw),
    ("tree_portraits", strip::draw),
    ("cost_distribution", cost_distribution::draw),
    ("catch_up", catch_up::draw),
    ("commit_size", commit_size::draw),
];

/// Redraws `plots/` of the run folder `dir` from its tables; gives the files written.
pub fn plot_folder(dir: &Path) -> Result<Vec<PathBuf>, ResultsError> {
    let tables = Tables::read(dir)?;
    let plots = dir.join("plots");
    fs::create_dir_all(&plots).map_err(ResultsError::write(&plots))?;
    let mut files = Vec::new();
    for (name, draw) in PLOTS {
        files.extend(write(&draw(&tables, WIDE), &plots, name)?);
    }
    Ok(files)
}

/// Draws a comparison into `dir`, and the trees beside each other if the runs have portraits;
/// gives the files written.
pub fn plot_comparison(compared: &Comparison, dir: &Path) -> Result<Vec<PathBuf>, ResultsError> {
    let mut files = write(&comparison::draw(compared), dir, "comparison")?.to_vec();
    let contestants = compared.samples.iter().map(contestant);
    let mut contestants = contestants.collect::<Result<Vec<_>, _>>()?;
    contestants.retain(|contestant| !contestant.portrait.is_empty());
    if !contestants.is_empty() {
        let scenario = &compared.scenario;
        files.extend(write(&strip::side_by_side(&contestants, scenario), dir, "tree_portraits")?);
    }
    Ok(files)
}

/// A run with the portrait of its end.
fn contestant(sample: &Sample) -> Result<strip::Contestant, ResultsError> {
    let all = crate::read_portraits(&sample.folder)?;
    let portrait = icicle::portraits(&all).pop().map_or_else(Vec::new, <[PortraitRow]>::to_vec);
    let (name, snapshots) = (sample.contestant.clone(), crate::read_tree(&sample.folder)?);
    Ok(strip::Contestant { name, portrait, snapshots })
}

/// Draws a figure of a study into `dir`; gives the files written, none if the tables have nothing
/// of it.
pub fn plot_study(
    tables: &StudyTables,
    figure: &StudyFigure,
    dir: &Path,
    name: &str,
) -> Result<Vec<PathBuf>, ResultsError> {
    let Some(sketch) = study::draw(tables, figure) else { return Ok(vec![]) };
    fs::create_dir_all(dir).map_err(ResultsError::write(dir))?;
    Ok(write(&sketch, dir, name)?.to_vec())
}

/// Writes a sketch as SVG and PNG.
fn write(sketch: &Sketch, dir: &Path, name: &str) -> Result<[PathBuf; 2], ResultsError> {
    let svg = dir.join(format!("{name}.svg"));
    let text = render::svg(sketch).map_err(|error| error.at(&svg))?;
    fs::write(&svg, text).map_err(ResultsError::write(&svg))?;
    let png = dir.join(format!("{name}.png"));
    render::png(sketch, &png).map_err(|error| error.at(&png))?;
    Ok([svg, png])
}
