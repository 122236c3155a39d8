//! `arboretum run` of an experiment: a sequence of operations, played once with its seed. Its folder has
//! the experiment as resolved, its provenance and its summary; there is no time in it, so no tables.

use std::path::Path;
use std::process::ExitCode;

use arboretum_results::{ExperimentFolder, ExperimentSummary, Host, Provenance, RunFolder};
use arboretum_workloads::{Experiment, Shipped, find_shipped};

use super::arguments::RunOptions;
use super::failure::Failure;
use super::host::{self, Clock};
use super::progress::Meter;
use super::run::{INTERRUPTED, check_expectations, free_target, provenance};
use crate::operations::{self, Contestant, ContestantError, ExperimentError};

/// The experiment that a command line names; none if it names something else.
pub(super) fn choose(options: &RunOptions) -> Result<Option<Experiment>, Failure> {
    let given = &options.scenario;
    let path = Path::new(given);
    let text = if path.is_file() {
        Experiment::read(path)
    } else {
        find_shipped(given).ok().filter(Shipped::is_experiment).map(|found| found.text.into())
    };
    let Some(text) = text else { return Ok(None) };
    let experiment = Experiment::parse(given, &text, &overrides(options)?)
        .map_err(|error| Failure::Scenario(Box::new(error)))?;
    check(&experiment)?;
    Ok(Some(experiment))
}

/// Refuses the folder of an experiment where tables are wanted.
pub(super) fn has_tables(folder: &Path) -> Result<(), Failure> {
    match Experiment::read(&folder.join("scenario.toml")) {
        None => Ok(()),
        Some(_) => Err(Failure::input_with_help(
            format!("{} is the folder of an experiment, which has no tables", folder.display()),
            "make the experiment the scenario of a study: docs/studies.md shows how",
        )),
    }
}

/// What the command line changes; what it asks for that an experiment has not is refused.
fn overrides(options: &RunOptions) -> Result<Vec<String>, Failure> {
    for (asked, option) in [
        (options.fidelity.is_some(), "--fidelity"),
        (options.protocol.is_some(), "--protocol"),
        (options.audit.is_some(), "--audit"),
        (options.events, "--events"),
        (options.stop_before_event.is_some(), "--stop-before-event"),
    ] {
        if asked {
            let what = format!("{}: {option} is for people who come and go", options.scenario);
            let help = "an experiment is a sequence of operations in counts: docs/studies.md";
            return Err(Failure::input_with_help(what, help));
        }
    }
    let mut overrides = options.set.clone();
    overrides.extend(options.seed.map(|seed| format!("seed={seed}")));
    overrides.extend(options.members.map(|members| format!("group.members={members}")));
    let strategy = options.strategy.as_ref();
    overrides.extend(strategy.map(|strategy| format!("group.strategy={strategy:?}")));
    Ok(overrides)
}

/// Refuses an experiment that cannot be played.
pub(super) fn check(experiment: &Experiment) -> Result<(), Failure> {
    Contestant::of(experiment).map(|_| ()).map_err(|error| {
        let list = match error {
            ContestantError::Suite(_) => "suites",
            _ => "strategies",
        };
        let what = format!("{}: {}: {error}", experiment.name, error.key());
        Failure::input_with_help(what, format!("see `arboretum list {list}`"))
    })
}

/// Plays an experiment on one thread; none if somebody wants to stop. `tell` hears how much of it is done.
pub(super) fn play(
    experiment: &Experiment,
    should_stop: &dyn Fn() -> bool,
    tell: &dyn Fn(f64),
) -> Result<Option<ExperimentSummary>, Failure> {
    let (clock, cpu) = (Clock::start(), host::thread_cpu_s());
    let played = operations::play(experiment, should_stop, tell);
    let played = played.map_err(|error: ExperimentError| {
        let (name, seed) = (&experiment.name, experiment.seed);
        Failure::run(format!("{name} with seed {seed}: {error}"))
    })?;
    Ok(played.map(|mut summary| {
        summary.host = Host {
            wall_s: clock.wall_s(),
            cpu_s: host::thread_cpu_s() - cpu,
            peak_rss_mib: host::peak_rss_mib(),
            threads: 1,
        };
        summary
    }))
}

/// Plays an experiment and writes its folder.
pub(super) fn run(experiment: &Experiment, options: &RunOptions) -> Result<ExitCode, Failure> {
    let started = host::unix_time();
    let name = format!("{}-{}", experiment.name, experiment.seed);
    let target = options.out.clone().unwrap_or_else(|| free_target(&name, options.force));
    let refused = |error: arboretum_results::ResultsError| Failure::input(error.to_string());
    RunFolder::check_target(&target, options.force).map_err(refused)?;
    let stop = super::threads::stop_on_interrupt();
    let should_stop = || stop.load(std::sync::atomic::Ordering::Relaxed);
    let meter = Meter::new("operations", options.common.quiet);
    let played = play(experiment, &should_stop, &|share| meter.reach(share));
    meter.finish();
    let Some(summary) = played? else {
        eprintln!("arboretum: interrupted; an experiment has no parts, so nothing is kept");
        return Ok(ExitCode::from(INTERRUPTED));
    };
    let provenance: Provenance =
        provenance(experiment.seed, &options.scenario, &summary.digest, started);
    let scenario_toml = &experiment.to_toml();
    let folder = ExperimentFolder { scenario_toml, provenance: &provenance, summary: &summary };
    folder.write(&target, options.force).map_err(refused)?;
    let told = serde_json::to_value(&summary).map_err(|error| Failure::run(error.to_string()))?;
    if options.json {
        println!("{told:#}");
    } else if !options.common.quiet {
        tell(&summary, &target);
    }
    let changed = !options.set.is_empty() || options.members.is_some();
    check_expectations(&experiment.name, &experiment.expect, |name| number(&told, name), changed)
}

/// A number by its keys joined by dots.
fn number(summary: &serde_json::Value, name: &str) -> Option<f64> {
    name.split('.').try_fold(summary, |value, key| value.get(key))?.as_f64()
}

fn tell(summary: &ExperimentSummary, target: &Path) {
    println!(
        "{}: {} operations, {} to {} members, {} commits with a path",
        summary.scenario,
        summary.operations.all,
        summary.members.start,
        summary.members.end,
        summary.commits
    );
    println!(
        "{:.2} ciphertexts a commit, {:.2} an operation, {:.2} a user; log2 of the members {:.2}",
        summary.ciphertexts_per_commit,
        summary.ciphertexts_per_operation,
        summary.ciphertexts_per_user,
        summary.bounds.log2_members
    );
    println!("digest {}", summary.digest);
    println!("{}", target.display());
}
