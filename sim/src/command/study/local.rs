//! The cells of a study on this machine: side by side on all processors, until somebody wants to stop.

use std::collections::BTreeMap;

use arboretum_workloads::Job;
use serde_json::Value;

use super::cell;
use super::plan::Plan;
use super::weight::weight;
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
    let (mut summaries, mut missing) = (BTreeMap::new(), vec![]);
    for (&address, &job) in jobs {
        if let Some(summary) = cell::read(&plan.cell_folder(address)) {
            summaries.insert(address, summary);
            continue;
        }
        if let Job::Scenario(scenario) = job {
            run::check_memory(scenario)?;
        }
        missing.push((missing.len(), address, job));
    }
    let weights = missing.iter().map(|(_, _, job)| weight(job));
    let meter = CellMeter::new(summaries.len(), weights, common.quiet);
    let names = plan.names();
    let done = side_by_side(common, &missing, |&(at, address, job), should_stop| {
        let folder = plan.cell_folder(address);
        if let Some(summary) = cell::look(&folder) {
            meter.pass(at);
            return Ok(Some((address, summary)));
        }
        let summary = cell::keep(&folder, &job.to_toml(), should_stop, || {
            let line = meter.begin(at, &names[address]);
            let played = cell::play(job, &folder, should_stop, &|share| line.reach(share));
            match played {
                Ok(Some(_)) => meter.end(at, &line),
                _ => meter.leave(at, &line),
            }
            played
        })?;
        Ok(summary.map(|summary| (address, summary)))
    });
    meter.finish();
    Ok(done?.map(|done| {
        summaries.extend(done);
        summaries
    }))
}
