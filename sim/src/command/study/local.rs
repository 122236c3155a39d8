//! The cells of a study on this machine: side by side on all processors, until somebody wants to stop.

use std::collections::BTreeMap;

use arboretum_workloads::Job;
use serde_json::Value;

use super::cell;
use super::plan::Plan;
use crate::command::arguments::QuietOptions;
use crate::command::failure::Failure;
use crate::command::progress::CellMeter;
use crate::command::run;
use crate::command::threads::side_by_side;

/// The summaries of these jobs by address, of what is not there yet by running it; none if somebody has
/// stopped it.
pub(super) fn run_jobs<'p>(
    plan: &'p Plan,
    jobs: &BTreeMap<&'p str, &'p Job>,
    common: &QuietOptions,
) -> Result<Option<BTreeMap<&'p str, Value>>, Failure> {
    for (address, job) in jobs {
        if let Job::Scenario(scenario) = job
            && cell::read(&plan.cell_folder(address)).is_none()
        {
            run::check_memory(scenario)?;
        }
    }
    let meter = CellMeter::new(jobs.len(), common.quiet);
    let names = plan.names();
    let tasks: Vec<_> = jobs.iter().map(|(address, job)| (*address, *job)).collect();
    let done = side_by_side(common, &tasks, |&(address, job), should_stop| {
        let line = meter.begin(names.get(address).map_or(address, |name| name));
        let summary = cell::summary(job, &plan.cell_folder(address), should_stop);
        meter.end(&line);
        Ok(summary?.map(|summary| (address, summary)))
    });
    meter.finish();
    Ok(done?.map(|done| done.into_iter().collect()))
}
