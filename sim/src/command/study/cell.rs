//! One cell of a study: its run, and its result on disk.

use std::fs;
use std::path::Path;

use arboretum_results::{Host, RunRecorder};
use arboretum_workloads::{Job, Scenario, Trace};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::command::failure::Failure;
use crate::command::host::{self, Clock};
use crate::command::played::{self, Played};
use crate::command::{experiment, run, scenario};
use crate::simulation::Settings;

/// Refuses a job that cannot run, before any does.
pub(super) fn check(job: &mut Job) -> Result<(), Failure> {
    match job {
        Job::Experiment(it) => experiment::check(it),
        Job::Scenario(scenario) => scenario::settle(scenario),
    }
}

/// What is kept in a cell's folder, or else what playing it comes to, which is kept from then on. None if
/// somebody wants to stop.
pub(in crate::command) fn kept(
    folder: &Path,
    toml: &str,
    should_stop: &dyn Fn() -> bool,
    play: impl FnOnce() -> Result<Option<Value>, Failure>,
) -> Result<Option<Value>, Failure> {
    match read(folder) {
        Some(result) => Ok(Some(result)),
        None => keep(folder, toml, should_stop, play),
    }
}

/// What playing a cell comes to, which is kept from then on. None if somebody wants to stop.
pub(super) fn keep(
    folder: &Path,
    toml: &str,
    should_stop: &dyn Fn() -> bool,
    play: impl FnOnce() -> Result<Option<Value>, Failure>,
) -> Result<Option<Value>, Failure> {
    if should_stop() {
        return Ok(None);
    }
    let Some(result) = play()? else { return Ok(None) };
    let written = write(folder, toml, &result);
    // Where somebody else has been faster, that one's is as good.
    match written.err().filter(|_| look(folder).is_none()) {
        None => Ok(Some(result)),
        Some(error) => Err(Failure::run(format!("cannot write {}: {error}", folder.display()))),
    }
}

/// Where the digest of a cell's files stands.
const DIGEST: &str = "cell.sha256";

/// The summary of a cell that has been run, if its files are what was written; says so if they are not.
pub(super) fn read(folder: &Path) -> Option<Value> {
    let files = Files::read(folder)?;
    let found = files.summary();
    if found.is_none() {
        eprintln!("arboretum: {} is damaged, and counts as not run", folder.display());
    }
    found
}

/// The same, without a word.
pub(super) fn look(folder: &Path) -> Option<Value> {
    Files::read(folder)?.summary()
}

/// The files of a cell that has been run.
struct Files {
    toml: String,
    summary: String,
    digest: String,
}

impl Files {
    fn read(folder: &Path) -> Option<Self> {
        let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
        Some(Self {
            toml: read("scenario.toml")?,
            summary: read("summary.json")?,
            digest: read(DIGEST)?,
        })
    }

    /// None if they are not what was written.
    fn summary(&self) -> Option<Value> {
        let is_whole = self.digest.trim() == digest(&self.toml, &self.summary);
        is_whole.then(|| serde_json::from_str(&self.summary).ok()).flatten()
    }
}

fn digest(toml: &str, summary: &str) -> String {
    let mut hash = Sha256::new();
    // Where one ends and the other begins is part of it.
    hash.update((toml.len() as u64).to_le_bytes());
    hash.update(toml);
    hash.update(summary);
    hex::encode(hash.finalize())
}

/// The folder appears whole or not at all.
fn write(folder: &Path, toml: &str, summary: &Value) -> std::io::Result<()> {
    let end = format!("partial-{}-{}", std::process::id(), host::name());
    let partial = folder.with_extension(end);
    fs::create_dir_all(&partial)?;
    let summary = format!("{summary:#}\n");
    fs::write(partial.join("scenario.toml"), toml)?;
    fs::write(partial.join("summary.json"), &summary)?;
    fs::write(partial.join(DIGEST), digest(toml, &summary) + "\n")?;
    if folder.exists() {
        // It could not be read, or it would not be written again.
        fs::remove_dir_all(folder)?;
    }
    let renamed = fs::rename(&partial, folder);
    if renamed.is_err() {
        let _ = fs::remove_dir_all(&partial);
    }
    renamed
}

/// Runs a job; gives its summary. `tell` hears how much of it is done, of 1.
pub(in crate::command) fn play(
    job: &Job,
    folder: &Path,
    should_stop: &dyn Fn() -> bool,
    tell: &dyn Fn(f64),
) -> Result<Option<Value>, Failure> {
    let (clock, cpu) = (Clock::start(), host::thread_cpu_s());
    let host = || Host {
        wall_s: clock.wall_s(),
        cpu_s: host::thread_cpu_s() - cpu,
        peak_rss_mib: host::peak_rss_mib(),
        threads: 1,
    };
    let summary = match job {
        Job::Experiment(it) => match experiment::play(it, should_stop, tell)? {
            Some(summary) => serde_json::to_value(summary),
            None => return Ok(None),
        },
        Job::Scenario(scenario) => {
            let played = simulate(scenario, folder, should_stop, tell)?;
            if played.is_interrupted() {
                return Ok(None);
            }
            serde_json::to_value(played.summary(scenario, host()))
        }
    };
    summary.map(Some).map_err(|error| Failure::run(error.to_string()))
}

/// Plays a scenario. `tell` hears how much of it is done, of 1.
pub(in crate::command) fn simulate(
    scenario: &Scenario,
    folder: &Path,
    should_stop: &dyn Fn() -> bool,
    tell: &dyn Fn(f64),
) -> Result<Played, Failure> {
    let trace = scenario.workload.trace.as_deref().map(Trace::load).transpose();
    let trace = trace.map_err(|error| Failure::input(error.to_string()))?;
    let settings = Settings {
        audit: scenario.group.audit,
        events_before: 0,
        stop_before_event: None,
        should_stop,
        progress: &mut |progress| tell(progress.share),
    };
    let recorder = || RunRecorder::new(&run::OP_NAMES);
    played::play(scenario, trace, &recorder, settings).map_err(|fault| {
        let what = format!("{} with seed {}: {fault}", scenario.name, scenario.seed);
        // What is replayed must be there; without a summary the cell counts as not run.
        let file = folder.join("scenario.toml");
        let kept = fs::create_dir_all(folder).and_then(|()| fs::write(&file, scenario.to_toml()));
        let help = kept.ok().map(|()| {
            let (file, event) = (file.display(), fault.event);
            format!("replay up to it: arboretum run {file} --stop-before-event {event}")
        });
        Failure::Run { what, help }
    })
}
