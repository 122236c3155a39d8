//! `arboretum run`: one simulation and its folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use arboretum_engine::crypto::Op;
use arboretum_results::{Host, Provenance, RunFolder, RunRecorder, Summary, WriteOptions};
use arboretum_workloads::{Expectation, Scenario};

use super::arguments::{QuietOptions, RunOptions};
use super::experiment;
use super::failure::Failure;
use super::host::{self, Clock};
use super::played::{self, Played};
use super::progress::Meter;
use super::protocols::is_peer;
use super::scenario::{Chosen, choose};
use super::threads::{pool, stop_on_interrupt};
use crate::simulation::{Fault, Settings};

/// Names of the ledger's operations, in its order: columns of commits.csv.
pub(crate) const OP_NAMES: [&str; Op::ALL.len()] = {
    let mut names = [""; Op::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = Op::ALL[at].name();
        at += 1;
    }
    names
};

/// What a member takes in memory, in KiB, measured with `arboretum run fifty-thousand` and
/// rounded up.
const MEMBER_KIB: u64 = 9;

/// What each client of another implementation takes for each member of its group, in KiB:
/// measured with `make bench-peers`, rounded up.
const PEER_LEAF_KIB: u64 = 3;

/// Exit code after Ctrl-C.
pub(crate) const INTERRUPTED: u8 = 130;

/// A run that has come to its end.
pub(crate) struct Finished {
    pub(crate) summary: Summary,
    played: Played,
}

/// Runs a scenario and writes its folder.
pub(crate) fn run(options: &RunOptions) -> Result<ExitCode, Failure> {
    if let Some(experiment) = experiment::choose(options)? {
        return experiment::run(&experiment, options);
    }
    let started = host::unix_time();
    let chosen = choose(options)?;
    check_memory(&chosen.scenario)?;
    let target = target(options, &chosen.scenario);
    RunFolder::check_target(&target, options.force)
        .map_err(|error| Failure::input(error.to_string()))?;
    let finished = simulate(&chosen, &options.common, options.events, options.stop_before_event)?;
    let provenance =
        provenance(chosen.scenario.seed, &chosen.source, &finished.summary.digest, started);
    let work = finished.played.work();
    let folder = RunFolder {
        scenario_toml: &chosen.scenario.to_toml(),
        provenance: &provenance,
        summary: &finished.summary,
        recorded: &finished.played.first.recorded,
        clients: &finished.played.first.outcome.clients,
        groups: &finished.played.groups(&chosen.scenario, finished.summary.host),
        work: work.as_ref(),
    };
    let write = WriteOptions { replace: options.force, events: options.events, plots: true };
    folder.write(&target, write).map_err(|error| Failure::input(error.to_string()))?;
    tell(options, &finished, &target)?;
    if finished.summary.interrupted && options.stop_before_event.is_none() {
        eprintln!("arboretum: interrupted; what was finished is in {}", target.display());
        return Ok(ExitCode::from(INTERRUPTED));
    }
    let changed = !options.set.is_empty() || options.members.is_some();
    let scenario = &chosen.scenario;
    let number = |name: &str| finished.summary.number(name);
    check_expectations(&scenario.name, &scenario.expect, number, changed)
}

/// What is needed to run something again, and where it ran.
pub(super) fn provenance(seed: u64, source: &str, digest: &str, started: u64) -> Provenance {
    Provenance {
        version: env!("CARGO_PKG_VERSION").into(),
        git_commit: option_env!("ARBORETUM_GIT_COMMIT").map(Into::into),
        seed,
        scenario_source: source.into(),
        command: std::env::args().collect(),
        machine: host::machine(),
        digest: digest.into(),
        started,
    }
}

/// Plays a scenario at its fidelity.
pub(crate) fn simulate(
    chosen: &Chosen,
    common: &QuietOptions,
    events: bool,
    stop_before_event: Option<u64>,
) -> Result<Finished, Failure> {
    let scenario = &chosen.scenario;
    let pool = pool(common)?;
    let stop = stop_on_interrupt();
    let meter = Meter::new("making the group", common.quiet);
    let (clock, cpu_before) = (Clock::start(), host::cpu_s());
    let recorder = || {
        let recorder = RunRecorder::new(&OP_NAMES);
        if events { recorder.with_events() } else { recorder }
    };
    let played = pool.install(|| {
        let mut progress = |progress| meter.show(progress);
        let should_stop = || stop.load(Ordering::Relaxed);
        let settings = Settings {
            audit: scenario.group.audit,
            events_before: 0,
            stop_before_event,
            should_stop: &should_stop,
            progress: &mut progress,
        };
        played::play(scenario, chosen.trace.clone(), &recorder, settings)
    });
    meter.finish();
    let played = played.map_err(|fault| fault_found(chosen, &fault))?;
    let host = Host {
        wall_s: clock.wall_s(),
        cpu_s: host::cpu_s() - cpu_before,
        peak_rss_mib: host::peak_rss_mib(),
        threads: pool.current_num_threads() as u32,
    };
    let summary = played.summary(scenario, host);
    Ok(Finished { summary, played })
}

fn fault_found(chosen: &Chosen, fault: &Fault) -> Failure {
    let scenario = &chosen.scenario;
    Failure::Run {
        what: fault.to_string(),
        help: Some(format!(
            "replay up to it: arboretum run {} --seed {} --members {} --protocol {} --strategy '{}' --fidelity {} --audit {}{} --stop-before-event {}",
            chosen.source,
            scenario.seed,
            scenario.group.members,
            scenario.group.protocol,
            scenario.group.strategy,
            scenario.group.fidelity.name(),
            scenario.group.audit,
            chosen.set.iter().map(|set| format!(" --set '{set}'")).collect::<String>(),
            fault.event
        )),
    }
}

/// Refuses a group that this machine has no memory for.
pub(crate) fn check_memory(scenario: &Scenario) -> Result<(), Failure> {
    let members = u64::from(scenario.group.members);
    let each = if is_peer(&scenario.group.protocol) {
        members.saturating_mul(PEER_LEAF_KIB)
    } else {
        MEMBER_KIB
    };
    let needed = members.saturating_mul(each) / 1024;
    match host::available_mib() {
        Some(available) if needed > available => Err(Failure::input_with_help(
            format!(
                "{} members need about {needed} MiB of memory, {available} MiB are free",
                scenario.group.members
            ),
            "take fewer: --members N",
        )),
        _ => Ok(()),
    }
}

/// The folder to write: the one asked for, or the first free name under runs/.
fn target(options: &RunOptions, scenario: &Scenario) -> PathBuf {
    if let Some(out) = &options.out {
        return out.clone();
    }
    let name = format!("{}-{}-{}", scenario.name, scenario.group.fidelity.name(), scenario.seed);
    free_target(&name, options.force)
}

/// A name under runs/, with a number if it is taken.
pub(super) fn free_target(name: &str, force: bool) -> PathBuf {
    let numbered = |n: u32| match n {
        1 => Path::new("runs").join(name),
        n => Path::new("runs").join(format!("{name}-{n}")),
    };
    let free = (1..).map(numbered).find(|path| force || !path.exists());
    free.unwrap_or_else(|| numbered(1))
}

fn tell(options: &RunOptions, finished: &Finished, target: &Path) -> Result<(), Failure> {
    let summary = &finished.summary;
    if options.json {
        let text = serde_json::to_string_pretty(summary);
        println!("{}", text.map_err(|error| Failure::run(error.to_string()))?);
        return Ok(());
    }
    if !options.common.quiet {
        let cost = &summary.update_cost.ciphertexts;
        println!(
            "{}: {} of virtual time, {} members at the end, {} commits ({} rejected)",
            summary.scenario,
            finished.played.first.outcome.virtual_time,
            summary.members.end,
            summary.commits.accepted,
            summary.commits.rejected
        );
        println!(
            "update cost: median {} ciphertexts, 99 % {}, most {}",
            cost.p50.unwrap_or(0),
            cost.p99.unwrap_or(0),
            cost.max.unwrap_or(0)
        );
        println!(
            "{} audits, {} checks, all held; {:.1} s, {:.0} MiB",
            summary.audits.performed.max(summary.groups.audits),
            summary.invariants.checked.max(summary.groups.checks),
            summary.host.wall_s,
            summary.host.peak_rss_mib
        );
        println!("digest {}", summary.digest);
        println!("{}", target.display());
    }
    Ok(())
}

/// A scenario is a test: its bounds must hold, unless the command line has changed it.
pub(super) fn check_expectations(
    scenario: &str,
    expect: &BTreeMap<String, Expectation>,
    number: impl Fn(&str) -> Option<f64>,
    changed: bool,
) -> Result<ExitCode, Failure> {
    let mut broken = vec![];
    for (name, bound) in expect {
        match number(name) {
            Some(value) if bound.holds(value) => {}
            Some(value) => {
                let least = bound.min.map(|min| format!(" at least {min}")).unwrap_or_default();
                let most = bound.max.map(|max| format!(" at most {max}")).unwrap_or_default();
                broken.push(format!("{name} is {value}, expected{least}{most}"));
            }
            None => broken.push(format!("{name} is not a number of the summary")),
        }
    }
    if broken.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let what = format!("expectations of {scenario}: {}", broken.join("; "));
    if changed {
        eprintln!("arboretum: {what} (the command line has changed the scenario)");
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::run(what))
}
