//! One cell of a study: it is addressed by what it runs, so that a study that is run again, or
//! changed in part, does only what is new.

use std::fs;
use std::path::Path;

use arboretum_results::{CellRow, Host, RunRecorder};
use arboretum_workloads::{Cell, Job, Scenario, Trace};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::command::failure::Failure;
use crate::command::host::{self, Clock};
use crate::command::{run, scenario};
use crate::operations::{self, Contestant};
use crate::simulation::Settings;

/// Letters of an address: 64 bits keep a hundred thousand cells apart.
const ADDRESS: usize = 16;

/// The address of a cell: what it runs, and which program does.
fn address(toml: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(env!("CARGO_PKG_VERSION"));
    hash.update([0]);
    hash.update(option_env!("ARBORETUM_GIT_COMMIT").unwrap_or_default());
    hash.update([0]);
    hash.update(toml);
    let mut text = hex::encode(hash.finalize());
    text.truncate(ADDRESS);
    text
}

/// Refuses a job that cannot run, before any does.
pub(super) fn check(job: &Job) -> Result<(), Failure> {
    match job {
        Job::Experiment(experiment) => Contestant::of(experiment).map(|_| ()).map_err(|error| {
            let what = format!("{}: group.strategy: {error}", experiment.name);
            Failure::input_with_help(what, "see `arboretum list strategies`")
        }),
        Job::Scenario(scenario) => scenario::check_names(scenario),
    }
}

/// The row of a cell: read, if it has been run before. None if somebody wants to stop.
pub(super) fn row(
    cell: &Cell,
    study: &Path,
    should_stop: &(dyn Fn() -> bool + Sync),
) -> Result<Option<CellRow>, Failure> {
    let toml = cell.job.to_toml();
    let folder = study.join("cells").join(address(&toml));
    let summary = match read(&folder) {
        Some(summary) => summary,
        None if should_stop() => return Ok(None),
        None => {
            let Some(summary) = play(&cell.job, should_stop)? else { return Ok(None) };
            write(&folder, &toml, &summary).map_err(|error| {
                Failure::run(format!("cannot write {}: {error}", folder.display()))
            })?;
            summary
        }
    };
    let digest = summary["digest"].as_str().unwrap_or_default();
    Ok(Some(CellRow::new(cell.point.clone(), cell.seed, digest, &summary)))
}

fn read(folder: &Path) -> Option<Value> {
    let text = fs::read_to_string(folder.join("summary.json")).ok()?;
    serde_json::from_str(&text).ok()
}

/// The folder appears whole or not at all.
fn write(folder: &Path, toml: &str, summary: &Value) -> std::io::Result<()> {
    let partial = folder.with_extension(format!("partial-{}", std::process::id()));
    fs::create_dir_all(&partial)?;
    fs::write(partial.join("scenario.toml"), toml)?;
    fs::write(partial.join("summary.json"), format!("{summary:#}\n"))?;
    if folder.exists() {
        // It could not be read, or it would not be written again.
        fs::remove_dir_all(folder)?;
    }
    fs::rename(&partial, folder)
}

/// Runs a job; gives its summary.
fn play(job: &Job, should_stop: &dyn Fn() -> bool) -> Result<Option<Value>, Failure> {
    let (clock, cpu) = (Clock::start(), host::thread_cpu_s());
    let host = || Host {
        wall_s: clock.wall_s(),
        cpu_s: host::thread_cpu_s() - cpu,
        peak_rss_mib: host::peak_rss_mib(),
        threads: 1,
    };
    let failed = |name: &str, seed: u64, error: String| {
        Failure::run(format!("{name} with seed {seed}: {error}"))
    };
    let summary = match job {
        Job::Experiment(experiment) => {
            let played = operations::play(experiment, should_stop);
            let played = played
                .map_err(|error| failed(&experiment.name, experiment.seed, error.to_string()))?;
            let Some(mut summary) = played else { return Ok(None) };
            summary.host = host();
            serde_json::to_value(summary)
        }
        Job::Scenario(scenario) => {
            let (recorded, outcome) = simulate(scenario, should_stop)?;
            if outcome.interrupted {
                return Ok(None);
            }
            serde_json::to_value(run::summary(scenario, &outcome, &recorded, host()))
        }
    };
    summary.map(Some).map_err(|error| Failure::run(error.to_string()))
}

fn simulate(
    scenario: &Scenario,
    should_stop: &dyn Fn() -> bool,
) -> Result<(arboretum_results::Recorded, crate::simulation::Outcome), Failure> {
    let trace = scenario.workload.trace.as_deref().map(Trace::load).transpose();
    let trace = trace.map_err(|error| Failure::input(error.to_string()))?;
    let settings = Settings {
        audit: scenario.group.audit,
        stop_before_event: None,
        should_stop,
        progress: &mut |_| (),
    };
    let recorder = RunRecorder::new(&run::OP_NAMES);
    run::record(scenario, trace, recorder, settings).map_err(|fault| {
        Failure::run(format!("{} with seed {}: {fault}", scenario.name, scenario.seed))
    })
}
