//! The cells of a study on this machine: side by side on all processors, until somebody wants to stop.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use arboretum_workloads::Job;
use serde_json::Value;

use super::cell;
use super::plan::Plan;
use crate::command::arguments::QuietOptions;
use crate::command::failure::Failure;
use crate::command::progress::CellMeter;
use crate::command::run;

/// The summaries of these jobs by address, of what is not there yet by running it; none if somebody has
/// stopped it.
pub(super) fn run_jobs<'p>(
    plan: &'p Plan,
    jobs: &BTreeMap<&'p str, &'p Job>,
    common: &QuietOptions,
) -> Result<Option<BTreeMap<&'p str, Value>>, Failure> {
    let threads = common.threads.map_or(0, |threads| threads as usize);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| Failure::run(error.to_string()))?;
    for (address, job) in jobs {
        if let Job::Scenario(scenario) = job
            && cell::read(&plan.cell_folder(address)).is_none()
        {
            run::check_memory(scenario)?;
        }
    }
    let stop = asked_to_stop();
    let meter = CellMeter::new(jobs.len(), common.quiet);
    let names = plan.names();
    let done = work(&pool, jobs, |address, job| {
        let should_stop = || stop.load(Ordering::Relaxed);
        let line = meter.begin(names.get(address).map_or(address, |name| name));
        let summary = cell::summary(job, &plan.cell_folder(address), &should_stop);
        // One that fails ends the others.
        if summary.is_err() {
            stop.store(true, Ordering::Relaxed);
        }
        meter.end(&line);
        summary
    });
    meter.finish();
    let mut summaries = BTreeMap::new();
    let mut is_whole = true;
    // What failed is told first: the others were stopped for it.
    let mut failed = None;
    for (address, summary) in done {
        match summary {
            Ok(Some(summary)) => _ = summaries.insert(address, summary),
            Ok(None) => is_whole = false,
            Err(failure) => failed = failed.or(Some(failure)),
        }
    }
    match failed {
        Some(failure) => Err(failure),
        None => Ok(is_whole.then_some(summaries)),
    }
}

/// Becomes true when somebody asks this process to stop.
pub(in crate::command) fn asked_to_stop() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = stop.clone();
    // Only one handler can be set in a process.
    let _ = ctrlc::set_handler(move || asked.store(true, Ordering::Relaxed));
    stop
}

fn work<'j, T: Send>(
    pool: &rayon::ThreadPool,
    jobs: &BTreeMap<&'j str, &'j Job>,
    run: impl Fn(&str, &Job) -> T + Sync,
) -> Vec<(&'j str, T)> {
    let queue: Vec<_> = jobs.iter().map(|(address, job)| (*address, *job)).collect();
    side_by_side(pool, &queue, |(address, job)| (*address, run(address, job)))
}

/// Does every task on some thread of the pool, and gives what came of them in no order. Each thread takes
/// the next one when it has done one: a cell that waits for its own parallel work never begins another on
/// its stack.
pub(in crate::command) fn side_by_side<I: Sync, T: Send>(
    pool: &rayon::ThreadPool,
    queue: &[I],
    run: impl Fn(&I) -> T + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done = pool.broadcast(|_| {
        let mut done = vec![];
        while let Some(task) = queue.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push(run(task));
        }
        done
    });
    done.into_iter().flatten().collect()
}
