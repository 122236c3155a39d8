//! `arboretum study`: a grid of runs, which resumes where it stopped.
//!
//! | file | what it owns |
//! |---|---|
//! | this one | the command: which study, its folder, what is told |
//! | `address` | what a cell is found by again |
//! | `folder` | a study's folder: which study, which part of it, its tables |
//! | `cell` | one cell: its run, its result on disk |
//! | `portrait` | the tree of one cell over time |
//! | `plan` | which cells there are, and where each is kept |
//! | `local` | cells on this machine |
//! | `manifest` | cells as numbered tasks; `arboretum cell` |
//! | `slurm` | tasks as a Slurm job array |
//! | `expect` | whether the study's statements hold, and its answer |
//! | `verify` | some of its cells once more |
//! | `statistics` | what is computed beside means: paired differences, growth |
//! | `section` | what a report says of it |
//! | `weight` | how much work a cell is, for the ETA |

pub(super) mod address;
pub(super) mod cell;
mod expect;
mod folder;
pub(super) mod local;
mod manifest;
mod plan;
mod portrait;
mod section;
mod slurm;
mod statistics;
pub(crate) mod verify;
mod weight;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use arboretum_results::{CellRow, Estimate, Provenance, StudyFigure, StudyTables, plot_study};
use arboretum_workloads::{Divisor, Filter, Plot, Study, find_study, place, studies};
use sha2::{Digest, Sha256};

use self::expect::{Verdict, verdicts};
pub(crate) use self::folder::{is_one, name_of, read};
use self::manifest::Manifest;
pub(crate) use self::manifest::run_task;
use self::plan::Plan;
pub(crate) use self::section::section;
use self::slurm::Submission;
use super::arguments::{Executor, StudyOptions};
use super::failure::Failure;
use super::host;
use super::run::INTERRUPTED;

/// Runs a study and writes its folder.
pub(crate) fn run(options: &StudyOptions) -> Result<ExitCode, Failure> {
    check_executor(options)?;
    let study = load(&options.study)?;
    let filter = options.filter();
    let folder = options.out.clone().unwrap_or_else(|| folder_of(&study, &filter));
    check_folder(&folder, &study)?;
    let plan = if options.resume {
        Manifest::submitted(&folder)?.plan(&folder)?
    } else {
        Plan::new(study, &filter, folder)?
    };
    if options.manifest {
        let manifest = Manifest::of(&plan, options.chunk as usize);
        manifest.write(&plan.folder)?;
        println!("{}: {} tasks", Manifest::path(&plan.folder).display(), manifest.tasks);
        return Ok(ExitCode::SUCCESS);
    }
    let started = host::unix_time();
    let Some(rows) = run_cells(&plan, options)? else {
        return Ok(tell_unfinished(options, &plan.folder));
    };
    finish(options, &plan, rows, started)
}

/// Says where the cells are that are there.
fn tell_unfinished(options: &StudyOptions, folder: &Path) -> ExitCode {
    let folder = folder.display();
    if options.detach {
        let name = &options.study;
        eprintln!("arboretum: collect it with: arboretum study {name} --out {folder} --resume");
        return ExitCode::SUCCESS;
    }
    eprintln!("arboretum: interrupted; the finished cells are in {folder}");
    ExitCode::from(INTERRUPTED)
}

/// Writes the tables of a study whose cells are there, draws it, and says whether what it states holds.
fn finish(
    options: &StudyOptions,
    plan: &Plan,
    mut rows: Vec<CellRow>,
    started: u64,
) -> Result<ExitCode, Failure> {
    let Plan { study, folder, .. } = plan;
    for (name, (of, by)) in &study.ratios {
        for row in &mut rows {
            match by {
                Divisor::Number(by) => row.add_quotient(name, row.number(of), Some(*by)),
                Divisor::Metric(by) => row.add_quotient(name, row.number(of), row.number(by)),
            }
        }
    }
    let tables = StudyTables::new(axes(study), rows);
    let failed = |error: arboretum_results::ResultsError| Failure::run(error.to_string());
    tables.write(folder, &study.to_toml()).map_err(failed)?;
    statistics::write(study, &tables, folder).map_err(failed)?;
    write_provenance(options, plan, &tables, started).map_err(failed)?;
    draw(study, &tables, folder)?;
    let mut verdicts = verdicts(study, &tables);
    verdicts.extend(statistics::verdicts(study, &tables));
    tell(options, study, &tables, &verdicts, folder)?;
    // Where others have run the cells, this machine runs none.
    let is_local = options.executor == Executor::Local && !options.resume;
    if is_local && !portrait::take(plan, &tables, options.common.quiet)? {
        return Ok(ExitCode::from(INTERRUPTED));
    }
    let broken = verdicts.iter().any(Verdict::is_broken);
    if broken && plan.filter.set.is_empty() {
        return Ok(ExitCode::from(1));
    }
    Ok(ExitCode::SUCCESS)
}

/// What is for Slurm alone.
fn check_executor(options: &StudyOptions) -> Result<(), Failure> {
    let chunked = options.chunk != 1 && !options.manifest;
    let asks = options.detach || !options.slurm_option.is_empty() || chunked;
    if asks && options.executor == Executor::Local {
        let what = "--detach, --chunk and --slurm-option are for tasks of a cluster";
        return Err(Failure::input_with_help(what, "add --executor slurm"));
    }
    Ok(())
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
    plan: &Plan,
    tables: &StudyTables,
    started: u64,
) -> Result<(), arboretum_results::ResultsError> {
    let mut digest = Sha256::new();
    tables.cells.iter().for_each(|cell| digest.update(&cell.digest));
    let provenance = Provenance {
        version: env!("CARGO_PKG_VERSION").into(),
        git_commit: option_env!("ARBORETUM_GIT_COMMIT").map(Into::into),
        seed: plan.filter.first_seed.unwrap_or(1),
        scenario_source: options.study.clone(),
        command: std::env::args().collect(),
        machine: host::machine(),
        digest: hex::encode(digest.finalize()),
        started,
    };
    provenance.write(&plan.folder)
}

/// The rows of all cells in their order; none if somebody wants to stop, or not to wait.
fn run_cells(plan: &Plan, options: &StudyOptions) -> Result<Option<Vec<CellRow>>, Failure> {
    if options.executor == Executor::Local && !options.resume {
        plan.clear_up();
        let summaries = local::run_jobs(plan, &plan.jobs(), &options.common)?;
        return Ok(summaries.and_then(|summaries| plan.rows(&summaries)));
    }
    let job = if options.resume {
        // None, where another engine has run the tasks.
        slurm::submitted(&plan.folder)
    } else {
        let submission =
            Submission { chunk: options.chunk as usize, options: &options.slurm_option };
        slurm::submit(plan, &submission)?
    };
    if let Some(job) = job {
        if !options.common.quiet {
            eprintln!("arboretum: Slurm job {job}");
        }
        if options.detach || !slurm::wait(&job)? {
            return Ok(None);
        }
    }
    collect(plan).map(Some)
}

/// The rows of cells that others have run.
fn collect(plan: &Plan) -> Result<Vec<CellRow>, Failure> {
    let jobs = plan.jobs();
    let addresses = jobs.keys().copied();
    let read = |address| Some((address, cell::read(&plan.cell_folder(address))?));
    let summaries: BTreeMap<&str, _> = addresses.filter_map(read).collect();
    plan.rows(&summaries).ok_or_else(|| Failure::Run {
        what: format!("{} of {} cells have no result", jobs.len() - summaries.len(), jobs.len()),
        help: Some(format!(
            "what Slurm's tasks said is in {}; without --resume the command runs what is missing",
            plan.folder.join("slurm").display()
        )),
    })
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
    let at = place(&plot.at);
    let columns: Vec<_> =
        tables.axes.iter().map(|axis| at.iter().find(|(name, _)| name == axis)).collect();
    let is_drawn = |point: &[String]| {
        let mut places = point.iter().zip(&columns);
        places.all(|(value, at)| at.is_none_or(|(_, values)| values.contains(value)))
    };
    let drawn = tables.means().iter().filter(|mean| mean.metric == plot.y && is_drawn(&mean.point));
    let seeds = drawn.map(|mean| mean.n);
    let seeds = match (seeds.clone().min().unwrap_or(0), seeds.max().unwrap_or(0)) {
        (1, 1) => "one seed".to_owned(),
        (least, most) if least == most => format!("{most} seeds, 95 % bootstrap intervals"),
        (least, most) => format!("{least} to {most} seeds, 95 % bootstrap intervals"),
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
        level: None,
        powers: plot.powers.iter().map(|(name, power)| (name.clone(), *power)).collect(),
        logarithmic: plot.logarithmic,
    }
}

/// Redraws the figures of a study's folder from its tables.
pub(crate) fn plot(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let (study, tables) = read(folder)?;
    draw(&study, &tables, folder)
}

fn tell(
    options: &StudyOptions,
    study: &Study,
    tables: &StudyTables,
    verdicts: &[Verdict],
    folder: &Path,
) -> Result<(), Failure> {
    if options.json {
        let means = tables.means().iter().map(|row| {
            let point = tables.axes.iter().cloned().zip(row.point.iter().cloned());
            let Estimate { n, mean, interval } = row.estimate();
            let (lo, hi) = interval.unzip();
            serde_json::json!({
                "point": point.collect::<std::collections::BTreeMap<_, _>>(),
                "metric": row.metric,
                "n": n,
                "mean": mean,
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
