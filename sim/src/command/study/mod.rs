//! `arboretum study`: a grid of runs, which resumes where it stopped.
//!
//! | file | what it owns |
//! |---|---|
//! | this one | the command: which study, its folder, what is told |
//! | `address` | what a cell is found by again |
//! | `cell` | one cell: its run, its result on disk |
//! | `expect` | whether the study's statements hold |
//! | `statistics` | what is computed beside means: paired differences, growth |

mod address;
mod cell;
mod expect;
mod statistics;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use arboretum_results::{CellRow, Provenance, StudyFigure, StudyTables, plot_study, read_cells};
use arboretum_workloads::{Cell, Filter, Job, Plot, Study, find_study, place, studies};
use sha2::{Digest, Sha256};

use self::address::address;
use self::expect::{Verdict, verdicts};
use super::arguments::StudyOptions;
use super::failure::Failure;
use super::host;
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
    let mut cells = study.cells(&study.name, &filter).map_err(refused)?;
    cells.iter_mut().try_for_each(|cell| cell::check(&mut cell.job))?;
    let folder = options.out.clone().unwrap_or_else(|| folder_of(&study, &filter));
    check_folder(&folder, &study)?;
    let started = host::unix_time();
    let Some(mut rows) = run_cells(&cells, &folder, options)? else {
        eprintln!("arboretum: interrupted; the finished cells are in {}", folder.display());
        return Ok(ExitCode::from(INTERRUPTED));
    };
    for (name, [of, by]) in &study.ratios {
        rows.iter_mut().for_each(|row| row.add_ratio(name, of, by));
    }
    let tables = StudyTables::new(axes(&study), rows);
    let failed = |error: arboretum_results::ResultsError| Failure::run(error.to_string());
    tables.write(&folder, &study.to_toml()).map_err(failed)?;
    statistics::write(&study, &tables, &folder).map_err(failed)?;
    write_provenance(options, &tables, &folder, started).map_err(failed)?;
    draw(&study, &tables, &folder)?;
    let mut verdicts = verdicts(&study, &tables);
    verdicts.extend(statistics::verdicts(&study, &tables));
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
        return Study::load(path).map_err(refused);
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

/// The folder of a study; a part of it does not take the place of the whole.
fn folder_of(study: &Study, filter: &Filter) -> PathBuf {
    let whole = Filter { quick: filter.quick, ..Filter::default() };
    let kind = match (filter.quick, *filter == whole) {
        (false, true) => "",
        (true, true) => "-quick",
        _ => "-part",
    };
    Path::new("runs").join(format!("{}{kind}", study.name))
}

/// A folder that a study may be written into: its own, an empty one, or none yet.
fn check_folder(folder: &Path, study: &Study) -> Result<(), Failure> {
    let refuse = |what: &str| {
        let what = format!("{} {what}", folder.display());
        Err(Failure::input_with_help(what, "give another one: --out DIR"))
    };
    let Ok(mut entries) = std::fs::read_dir(folder) else {
        return match std::fs::symlink_metadata(folder) {
            Ok(_) => refuse("is no folder"),
            Err(_) => Ok(()),
        };
    };
    if entries.next().is_none() {
        return Ok(());
    }
    if !folder.join("cells").is_dir() {
        return refuse("is not a study's folder (it has no cells)");
    }
    match Study::load(&folder.join("study.toml")) {
        Ok(other) if other.name != study.name => refuse("is another study's folder"),
        _ => Ok(()),
    }
}

/// What is needed to run it again, and where it ran. The digest is over those of the cells.
fn write_provenance(
    options: &StudyOptions,
    tables: &StudyTables,
    folder: &Path,
    started: u64,
) -> Result<(), arboretum_results::ResultsError> {
    let mut digest = Sha256::new();
    tables.cells.iter().for_each(|cell| digest.update(&cell.digest));
    let provenance = Provenance {
        version: env!("CARGO_PKG_VERSION").into(),
        git_commit: option_env!("ARBORETUM_GIT_COMMIT").map(Into::into),
        seed: options.seed.unwrap_or(1),
        scenario_source: options.study.clone(),
        command: std::env::args().collect(),
        machine: host::machine(),
        digest: hex::encode(digest.finalize()),
        started,
    };
    provenance.write(folder)
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
    let addresses = cells.iter().map(|cell| address(&cell.job, &cell.job.to_toml()));
    let addresses = addresses.collect::<Result<Vec<_>, _>>();
    let addresses = addresses.map_err(|error| Failure::input(error.to_string()))?;
    // Cells that run the same are run once.
    let jobs: BTreeMap<&str, &Job> =
        addresses.iter().map(String::as_str).zip(cells.iter().map(|cell| &cell.job)).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let asked = stop.clone();
    // Only one handler can be set in a process.
    let _ = ctrlc::set_handler(move || asked.store(true, Ordering::Relaxed));
    let meter = CellMeter::new(jobs.len(), options.common.quiet);
    let done = work(&pool, &jobs, |address, job| {
        let should_stop = || stop.load(Ordering::Relaxed);
        let summary = cell::summary(job, &folder.join("cells").join(address), &should_stop);
        // One that fails ends the others.
        if summary.is_err() {
            stop.store(true, Ordering::Relaxed);
        }
        meter.step();
        summary
    });
    meter.finish();
    let mut summaries = BTreeMap::new();
    // What failed is told first: the others were stopped for it.
    let mut failed = None;
    for (address, summary) in done {
        match summary {
            Ok(Some(summary)) => _ = summaries.insert(address, summary),
            Ok(None) => {}
            Err(failure) => failed = failed.or(Some(failure)),
        }
    }
    if let Some(failure) = failed {
        return Err(failure);
    }
    let row = |(cell, address): (&Cell, &String)| {
        let summary = summaries.get(address.as_str())?;
        let digest = summary["digest"].as_str().unwrap_or_default();
        Some(CellRow::new(cell.point.clone(), cell.seed, digest, summary))
    };
    Ok(cells.iter().zip(&addresses).map(row).collect())
}

/// Does every job on some thread of the pool. Each thread takes the next one when it has done one:
/// a cell that waits for its own parallel work never begins another on its stack.
fn work<'j, T: Send>(
    pool: &rayon::ThreadPool,
    jobs: &BTreeMap<&'j str, &'j Job>,
    run: impl Fn(&str, &Job) -> T + Sync,
) -> Vec<(&'j str, T)> {
    let queue: Vec<_> = jobs.iter().map(|(address, job)| (*address, *job)).collect();
    let next = AtomicUsize::new(0);
    let done = pool.broadcast(|_| {
        let mut done = vec![];
        while let Some((address, job)) = queue.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push((*address, run(address, job)));
        }
        done
    });
    done.into_iter().flatten().collect()
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
        at: place(&plot.at),
        bound: plot.bound.clone(),
        powers: plot.powers.iter().map(|(name, power)| (name.clone(), *power)).collect(),
        logarithmic: plot.logarithmic,
    }
}

/// Redraws the figures of a study's folder from its tables.
pub(crate) fn plot(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let study = Study::load(&folder.join("study.toml")).map_err(refused)?;
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
