//! `arboretum verify`: run again from the provenance and compare digests.

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use arboretum_results::{read_digest, read_provenance};
use arboretum_workloads::{Experiment, Job, Scenario, Trace};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::arguments::{QuietOptions, VerifyOptions};
use super::experiment;
use super::failure::Failure;
use super::run::{INTERRUPTED, simulate};
use super::scenario::Chosen;
use super::study::address::SOURCES;
use super::study::cell;
use super::threads::stop_on_interrupt;
use super::{capacity, study};

/// Reruns the scenario of a run folder.
pub(crate) fn verify(options: &VerifyOptions) -> Result<ExitCode, Failure> {
    let path = &options.path;
    if study::is_one(path) {
        return study::verify::verify(options);
    }
    if capacity::is_one(path) {
        return capacity::verify::verify(options);
    }
    let unreadable = |error: arboretum_results::ResultsError| Failure::input(error.to_string());
    let provenance = read_provenance(path).map_err(unreadable)?;
    let (recorded, interrupted) = read_digest(path).map_err(unreadable)?;
    if interrupted {
        return Err(Failure::input(format!(
            "{}: the run was interrupted, so there is no whole run to compare",
            path.display()
        )));
    }
    let again = match replay_experiment(path)? {
        Some(digest) => digest,
        None => replay(path, &options.common)?,
    };
    let is_same = again == provenance.digest && again == recorded;
    if options.json {
        let told = json!({ "recorded": recorded, "again": again, "same": is_same });
        println!("{told:#}");
    }
    if is_same {
        if !options.json {
            println!("{}: the same digest, {again}", path.display());
        }
        Ok(ExitCode::SUCCESS)
    } else {
        Err(Failure::run(format!(
            "{}: recorded digest {}, the same scenario gives {again} with version {} (recorded with {})",
            path.display(),
            provenance.digest,
            env!("CARGO_PKG_VERSION"),
            provenance.version
        )))
    }
}

/// One run of several that a folder has the digest of.
pub(super) struct Recorded {
    /// Which one, in words.
    pub(super) place: String,
    /// Which one, as JSON.
    pub(super) at: Value,
    pub(super) job: Job,
    pub(super) digest: String,
}

/// Where a run stands when a sample of several is drawn: each program has an order of its own, so that in
/// time all are drawn.
pub(super) fn lot(digest: &str) -> [u8; 32] {
    Sha256::digest(format!("{SOURCES}{digest}")).into()
}

/// Runs these again; what breaks an invariant leaves what is to be replayed in `aside`.
pub(super) fn replay_all(
    options: &VerifyOptions,
    recorded: Vec<Recorded>,
    aside: &Path,
) -> Result<ExitCode, Failure> {
    let stop = stop_on_interrupt();
    let should_stop = || stop.load(Ordering::Relaxed);
    let mut replayed = vec![];
    for it in recorded {
        let Some(summary) = cell::play(&it.job, aside, &should_stop, &|_| ())? else {
            return Ok(ExitCode::from(INTERRUPTED));
        };
        let again = summary["digest"].as_str().unwrap_or_default().to_owned();
        replayed.push((it, again));
    }
    tell(options, &replayed)
}

/// Says which runs of a folder were repeated and whether all came to what is recorded.
fn tell(options: &VerifyOptions, replayed: &[(Recorded, String)]) -> Result<ExitCode, Failure> {
    let folder = options.path.display();
    let others: Vec<_> = replayed.iter().filter(|(it, again)| it.digest != *again).collect();
    if options.json {
        let cell = |(it, again): &(Recorded, String)| {
            let mut cell = it.at.clone();
            (cell["recorded"], cell["again"]) = (it.digest.as_str().into(), again.as_str().into());
            cell
        };
        let cells: Vec<Value> = replayed.iter().map(cell).collect();
        println!("{:#}", json!({ "cells": cells, "same": others.is_empty() }));
    }
    if others.is_empty() {
        if !options.json {
            let places: Vec<_> = replayed.iter().map(|(it, _)| &it.place[..]).collect();
            println!("{folder}: run again, the same digest: {}", places.join("; "));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let told = others.iter().map(|(Recorded { place, digest, .. }, again)| {
        format!("{place}: recorded {digest}, run again {again}")
    });
    let told = told.collect::<Vec<_>>().join("; ");
    let (count, all) = (others.len(), replayed.len());
    Err(Failure::run(format!("{folder}: {count} of {all} runs come to another digest: {told}")))
}

/// The digest of an experiment that is played again; none if the folder is of something else.
fn replay_experiment(path: &Path) -> Result<Option<String>, Failure> {
    let file = path.join("scenario.toml");
    let Some(text) = Experiment::read(&file) else { return Ok(None) };
    let experiment = Experiment::parse(&file.display().to_string(), &text, &[])
        .map_err(|error| Failure::Scenario(Box::new(error)))?;
    experiment::check(&experiment)?;
    let played = experiment::play(&experiment, &|| false, &|_| ())?;
    Ok(played.map(|summary| summary.digest))
}

/// The digest of a scenario that is run again.
fn replay(path: &Path, options: &QuietOptions) -> Result<String, Failure> {
    let scenario = Scenario::load(&path.join("scenario.toml"), &[])
        .map_err(|error| Failure::Scenario(Box::new(error)))?;
    let trace = scenario.workload.trace.as_deref().map(Trace::load).transpose();
    let trace = trace.map_err(|error| Failure::input(error.to_string()))?;
    let source = path.join("scenario.toml").display().to_string();
    let chosen = Chosen { scenario, source, trace, set: vec![] };
    Ok(simulate(&chosen, options, false, None)?.summary.digest)
}
