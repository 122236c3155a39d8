//! The tree of one cell over time, for whoever reads the page: the cell at the point of the study's answer
//! or, where that was not run, the last of the grid, with the first of its seeds. It is played once more,
//! so that cells keep nothing but their numbers; it must come to the cell's own digest.

use std::sync::atomic::Ordering;

use arboretum_results::{CellRow, Portrayed, StudyTables, TreeOverTime};
use arboretum_workloads::{Job, Scenario, place};

use super::cell;
use super::plan::Plan;
use crate::command::failure::Failure;
use crate::command::progress::Meter;
use crate::command::threads::stop_on_interrupt;

/// Sees to it that the study's folder has the tree of that cell, or none where it is no simulation or keeps no
/// tree. False if somebody wanted to stop.
pub(super) fn take(plan: &Plan, tables: &StudyTables, quiet: bool) -> Result<bool, Failure> {
    let failed = |error: arboretum_results::ResultsError| Failure::run(error.to_string());
    let row = portrayed(plan, tables);
    let there = TreeOverTime::read(&plan.folder, &tables.cells);
    if let (Some(row), Ok(Some(there))) = (row, there)
        && there.cell.is_of(row)
    {
        return Ok(true);
    }
    TreeOverTime::remove(&plan.folder).map_err(failed)?;
    let Some(row) = row else { return Ok(true) };
    let Some(Job::Scenario(scenario)) = plan.job(&row.point, row.seed) else { return Ok(true) };
    play(plan, scenario, row, quiet)
}

/// Plays the cell once more and writes its tree.
fn play(plan: &Plan, scenario: &Scenario, row: &CellRow, quiet: bool) -> Result<bool, Failure> {
    let stop = stop_on_interrupt();
    let should_stop = || stop.load(Ordering::Relaxed);
    let meter = Meter::new("its tree over time", quiet);
    let tell = |share| meter.reach(share);
    let played = cell::simulate(scenario, &plan.folder, &should_stop, &tell);
    meter.finish();
    let played = played?;
    if played.is_interrupted() {
        return Ok(false);
    }
    let digest = played.summary(scenario, Default::default()).digest;
    if digest != row.digest {
        let (point, seed) = (row.point.join(" "), row.seed);
        let what = format!("{point} seed {seed}: its cell has {}, run again {digest}", row.digest);
        return Err(Failure::run(what));
    }
    let cell = Portrayed { point: row.point.clone(), seed: row.seed, digest };
    if let Some(taken) = TreeOverTime::of(cell, &played.first.recorded) {
        taken.write(&plan.folder).map_err(|error| Failure::run(error.to_string()))?;
    }
    Ok(true)
}

/// The cell.
fn portrayed<'t>(plan: &Plan, tables: &'t StudyTables) -> Option<&'t CellRow> {
    let at = plan.study.answer.as_ref().map(|answer| place(&answer.at));
    let is_answer = |row: &&CellRow| {
        let values = || tables.axes.iter().zip(&row.point);
        let has = |(axis, wanted): &(String, Vec<String>)| {
            values().any(|(name, value)| name == axis && wanted.contains(value))
        };
        at.as_ref().is_some_and(|at| at.iter().all(has))
    };
    let last = tables.cells.last()?;
    let of_last = |row: &&CellRow| row.point == last.point;
    tables.cells.iter().find(is_answer).or_else(|| tables.cells.iter().find(of_last))
}
