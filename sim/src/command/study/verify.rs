//! `arboretum verify` of a study's folder: some of its cells are run again, and must come to the digests that
//! stand in its table.

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use arboretum_results::{CellRow, read_cells, read_provenance};

use super::cell;
use super::folder::{definition, filter_of};
use super::plan::Plan;
use crate::command::arguments::VerifyOptions;
use crate::command::failure::Failure;
use crate::command::run::INTERRUPTED;
use crate::command::threads::stop_on_interrupt;

/// Runs a sample of a study's cells again.
pub(crate) fn verify(options: &VerifyOptions) -> Result<ExitCode, Failure> {
    let folder = &options.path;
    let unreadable = |error: arboretum_results::ResultsError| Failure::input(error.to_string());
    let study = definition(folder)?;
    let recorded = read_cells(folder, study.axes.len()).map_err(unreadable)?;
    let provenance = read_provenance(folder).map_err(unreadable)?;
    let filter = filter_of(folder, &provenance);
    let plan = Plan::new(study, &filter, folder.clone())?;
    let stop = stop_on_interrupt();
    let should_stop = || stop.load(Ordering::Relaxed);
    let sample = sample(recorded, options.cells);
    // What a cell that breaks an invariant leaves to be replayed does not belong among what was recorded.
    let aside = Path::new("runs").join(format!("verify-{}", plan.study.name));
    let mut others = vec![];
    for row in &sample {
        let place = || format!("{} seed {}", row.point.join(" "), row.seed);
        let job = plan.job(&row.point, row.seed).ok_or_else(|| {
            let what = format!("{}: the study has no cell {}", folder.display(), place());
            Failure::input_with_help(
                what,
                "its cells.csv is of another study, or of another definition of this one",
            )
        })?;
        let Some(summary) = cell::play(job, &aside, &should_stop)? else {
            return Ok(ExitCode::from(INTERRUPTED));
        };
        let again = summary["digest"].as_str().unwrap_or_default();
        if again != row.digest {
            others.push(format!("{}: recorded {}, run again {again}", place(), row.digest));
        }
    }
    if others.is_empty() {
        let what = match sample.len() {
            1 => "a cell run again, the same digest".to_owned(),
            cells => format!("{cells} cells run again, the same digests"),
        };
        println!("{}: {what}", folder.display());
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::run(format!(
        "{}: {} of {} cells come to another digest: {}",
        folder.display(),
        others.len(),
        sample.len(),
        others.join("; ")
    )))
}

/// So many of the rows, by the order of their digests: as good as drawn, and the same ones each time.
fn sample(mut rows: Vec<CellRow>, count: usize) -> Vec<CellRow> {
    rows.sort_by(|one, other| one.digest.cmp(&other.digest));
    rows.truncate(count);
    rows
}
