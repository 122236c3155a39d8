//! `arboretum verify` of a study's folder: some of its cells are run again, and must come to the digests that
//! stand in its table.

use std::path::Path;
use std::process::ExitCode;

use arboretum_results::{CellRow, read_cells, read_provenance};
use arboretum_workloads::{Fidelity, Job};
use serde_json::json;

use super::folder::{definition, filter_of};
use super::plan::Plan;
use crate::command::arguments::VerifyOptions;
use crate::command::failure::Failure;
use crate::command::verify::{Recorded, lot, replay_all};

/// Runs a sample of a study's cells again.
pub(crate) fn verify(options: &VerifyOptions) -> Result<ExitCode, Failure> {
    let folder = &options.path;
    let unreadable = |error: arboretum_results::ResultsError| Failure::input(error.to_string());
    let study = definition(folder)?;
    if !folder.join("cells.csv").exists() {
        let what = format!("{} keeps means alone, and no digests of cells", folder.display());
        let help =
            "run a part of the study and compare its aggregate.csv: `arboretum study … --only`";
        return Err(Failure::input_with_help(what, help));
    }
    let recorded = read_cells(folder, study.axes.len()).map_err(unreadable)?;
    let provenance = read_provenance(folder).map_err(unreadable)?;
    let filter = filter_of(folder, &provenance);
    let plan = Plan::new(study, &filter, folder.clone())?;
    // What a cell that breaks an invariant leaves to be replayed does not belong among what was recorded.
    let aside = Path::new("runs").join(format!("verify-{}", plan.study.name));
    let sample = sample(&plan, recorded, options);
    if sample.is_empty() {
        let what = format!("{}: no cell is cheap enough to be run again", folder.display());
        return Err(Failure::input_with_help(what, "give more to --at-most and to --cells"));
    }
    let job = |row: CellRow| {
        let job = plan.job(&row.point, row.seed).ok_or_else(|| {
            let what = format!("{}: the study has no cell {}", folder.display(), place(&row));
            let help = "its cells.csv is of another study, or of another definition of this one";
            Failure::input_with_help(what, help)
        })?;
        Ok(Recorded {
            place: place(&row),
            at: json!({ "point": row.point, "seed": row.seed }),
            job: job.clone(),
            digest: row.digest,
        })
    };
    let sample: Result<Vec<Recorded>, Failure> = sample.into_iter().map(job).collect();
    replay_all(options, sample?, &aside)
}

/// A cell in words.
fn place(row: &CellRow) -> String {
    format!("{} seed {}", row.point.join(" "), row.seed)
}

/// So many of the rows that did not take too long, in an order of the program's own. One of them has real
/// keys, where there is one.
fn sample(plan: &Plan, mut rows: Vec<CellRow>, options: &VerifyOptions) -> Vec<CellRow> {
    let is_short = |row: &CellRow| {
        let took = row.number("host.cpu_s").unwrap_or(f64::INFINITY);
        options.at_most.is_none_or(|most| took <= f64::from(most))
    };
    let has_real_keys = |row: &CellRow| {
        let job = plan.job(&row.point, row.seed);
        matches!(job, Some(Job::Scenario(it)) if it.group.fidelity != Fidelity::Counted)
    };
    rows.retain(is_short);
    rows.sort_by_cached_key(|row| lot(&row.digest));
    let others = rows.split_off(options.cells.min(rows.len()));
    if !rows.is_empty()
        && !rows.iter().any(has_real_keys)
        && let Some(real) = others.into_iter().find(has_real_keys)
    {
        rows.pop();
        rows.push(real);
    }
    rows
}
