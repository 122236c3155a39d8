//! `arboretum study`: a grid of runs, which resumes where it stopped.
//!
//! | file | what it owns |
//! |---|---|
//! | this one | the command: which study, its folder, what is told |
//! | `cell` | one cell: its address, its run, its result on disk |
//! | `expect` | whether the study's statements hold |

mod cell;
mod expect;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arboretum_results::{CellRow, StudyFigure, StudyTables, plot_study, read_cells};
use arboretum_workloads::{Cell, Filter, Plot, Study, find_study, studies, value_text};
use rayon::prelude::*;

use self::expect::{Verdict, verdicts};
use super::arguments::StudyOptions;
use super::failure::Failure;
use super::progress::CellMeter;
use super::run::INTERRUPTED;

/// Runs a study and writes its folder.
pub(crate) fn run(options: &StudyOptions) -> Result<ExitCode, Failure> {
    let study = load(&options.study)?;
    let filter = Filter {
        only: options.only.clone(),
        seeds: options.seeds,
        first_seed: options.seed,
        set: options.set.clone(),
        quick: options.quick,
    };
    let cells = study.cells(&study.name, &filter).map_err(refused)?;
    cells.iter().try_for_each(|cell| cell::check(&cell.job))?;
    let folder = options.out.clone().unwrap_or_else(|| Path::new("runs").join(&study.name));
    check_folder(&folder)?;
    let Some(rows) = run_cells(&cells, &folder, options)? else {
        eprintln!("arboretum: interrupted; the finished cells are in {}", folder.display());
        return Ok(ExitCode::from(INTERRUPTED));
    };
    let tables = StudyTables::new(axes(&study), rows);
    let failed = |error: arboretum_results::ResultsError| Failure::run(error.to_string());
    tables.write(&folder, &study.to_toml()).map_err(failed)?;
    draw(&study, &tables, &folder)?;
    let verdicts = verdicts(&study, &tables);
    tell(options, &study, &tables, &verdicts, &folder)?;
    let broken = verdicts.iter().any(Verdict::is_broken);
    if broken && options.set.is_empty() {
        return Ok(ExitCode::from(1));
    }
    Ok(ExitCode::SUCCESS)
}

fn refused(error: arboretum_workloads::ScenarioError) -> Failure {
    Failure::Scenario(Box::new(error))
}

/// The study of a file, or the shipped one of that name.
fn load(given: &str) -> Result<Study, Failure> {
    let path = Path::new(given);
    if path.is_file() {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::input(format!("{given}: {error}")))?;
        return Study::parse(given, &text).map_err(refused);
    }
    match find_study(given) {
        Ok(found) => Study::parse(found.name, found.text).map_err(refused),
        Err(near) => {
            let names: Vec<_> = studies().iter().map(|shipped| shipped.name).collect();
            let help = match near {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("shipped studies: {}", names.join(", ")),
            };
            let what = format!("`{given}` is neither a file nor a shipped study");
            Err(Failure::input_with_help(what, help))
        }
    }
}

/// A folder that a study may be written into: its own, an empty one, or none yet.
fn check_folder(folder: &Path) -> Result<(), Failure> {
    let Ok(mut entries) = std::fs::read_dir(folder) else {
        return match std::fs::symlink_metadata(folder) {
            Ok(_) => Err(Failure::input(format!("{} is no folder", folder.display()))),
            Err(_) => Ok(()),
        };
    };
    if entries.next().is_none() || folder.join("cells").is_dir() {
        return Ok(());
    }
    Err(Failure::input_with_help(
        format!("{} is not a study's folder (it has no cells)", folder.display()),
        "give another one: --out DIR",
    ))
}

/// The rows of all cells in their order; none if somebody wants to stop.
fn run_cells(
    cells: &[Cell],
    folder: &Path,
    options: &StudyOptions,
) -> Result<Option<Vec<CellRow>>, Failure> {
    let threads = options.common.threads.map_or(0, |threads| threads as usize);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| Failure::run(error.to_string()))?;
    let stop = Arc::new(AtomicBool::new(false));
    let asked = stop.clone();
    // Only one handler can be set in a process.
    let _ = ctrlc::set_handler(move || asked.store(true, Ordering::Relaxed));
    let should_stop = || stop.load(Ordering::Relaxed);
    let meter = CellMeter::new(cells.len(), options.common.quiet);
    let rows = pool.install(|| {
        let one = |cell: &Cell| {
            let row = cell::row(cell, folder, &should_stop)?;
            meter.step();
            Ok::<_, Failure>(row)
        };
        cells.par_iter().with_max_len(1).map(one).collect::<Vec<_>>()
    });
    meter.finish();
    rows.into_iter().collect()
}

fn axes(study: &Study) -> Vec<String> {
    study.axes.iter().map(|axis| axis.name.clone()).collect()
}

/// Draws the study's figures; gives the files.
fn draw(study: &Study, tables: &StudyTables, folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = vec![];
    for plot in &study.plots {
        let figure = figure(study, tables, plot);
        let drawn = plot_study(tables, &figure, &folder.join("plots"), &plot.name);
        files.extend(drawn.map_err(|error| Failure::run(error.to_string()))?);
    }
    Ok(files)
}

fn figure(study: &Study, tables: &StudyTables, plot: &Plot) -> StudyFigure {
    let seeds = tables.means.iter().map(|mean| mean.estimate.n).max().unwrap_or(0);
    let seeds = match seeds {
        1 => "one seed".to_owned(),
        n => format!("{n} seeds, 95 % bootstrap intervals"),
    };
    StudyFigure {
        title: plot.title.clone(),
        // En spaces, which SVG does not fold.
        subtitle: format!("{}\u{2002}·\u{2002}{seeds}", study.name),
        x: plot.x.clone(),
        x_label: plot.x_label.clone(),
        y: plot.y.clone(),
        y_label: plot.y_label.clone(),
        series: plot.series.clone(),
        at: plot.at.iter().map(|(axis, value)| (axis.clone(), value_text(value))).collect(),
        bound: plot.bound.clone(),
        logarithmic: plot.logarithmic,
    }
}

/// Redraws the figures of a study's folder from its tables.
pub(crate) fn plot(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let path = folder.join("study.toml");
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Failure::input(format!("{}: {error}", path.display())))?;
    let study = Study::parse(&path.display().to_string(), &text).map_err(refused)?;
    let cells = read_cells(folder, study.axes.len());
    let cells = cells.map_err(|error| Failure::input(error.to_string()))?;
    draw(&study, &StudyTables::new(axes(&study), cells), folder)
}

fn tell(
    options: &StudyOptions,
    study: &Study,
    tables: &StudyTables,
    verdicts: &[Verdict],
    folder: &Path,
) -> Result<(), Failure> {
    if options.json {
        let means = tables.means.iter().map(|row| {
            let point = tables.axes.iter().cloned().zip(row.point.iter().cloned());
            let (lo, hi) = row.estimate.interval.unzip();
            serde_json::json!({
                "point": point.collect::<std::collections::BTreeMap<_, _>>(),
                "metric": row.metric,
                "n": row.estimate.n,
                "mean": row.estimate.mean,
                "lo": lo,
                "hi": hi,
            })
        });
        let told = serde_json::json!({
            "study": study.name,
            "cells": tables.cells.len(),
            "expectations": verdicts.iter().map(Verdict::json).collect::<Vec<_>>(),
            "aggregate": means.collect::<Vec<_>>(),
        });
        println!("{told:#}");
        return Ok(());
    }
    if !options.common.quiet {
        println!("{}: {} cells in {}", study.name, tables.cells.len(), folder.display());
    }
    for verdict in verdicts {
        if verdict.is_broken() {
            eprintln!("arboretum: {verdict}");
        } else if !options.common.quiet {
            println!("{verdict}");
        }
    }
    Ok(())
}
