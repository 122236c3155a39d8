//! `arboretum verify`: run again from the provenance and compare digests.

use std::path::Path;
use std::process::ExitCode;

use arboretum_results::{read_digest, read_provenance};
use arboretum_workloads::{Experiment, Scenario, Trace};
use serde_json::{Value, json};

use super::arguments::{QuietOptions, VerifyOptions};
use super::experiment;
use super::failure::Failure;
use super::run::simulate;
use super::scenario::Chosen;
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

/// One run of several in a folder, once more.
pub(super) struct Replayed {
    /// Which one, in words.
    pub(super) place: String,
    /// Which one, as JSON.
    pub(super) at: Value,
    /// The digest that the folder has.
    pub(super) recorded: String,
    /// The digest now.
    pub(super) again: String,
}

/// Says which runs of a folder were repeated and whether all came to what is recorded.
pub(super) fn tell(options: &VerifyOptions, replayed: &[Replayed]) -> Result<ExitCode, Failure> {
    let folder = options.path.display();
    let others: Vec<_> = replayed.iter().filter(|it| it.recorded != it.again).collect();
    if options.json {
        let cell = |Replayed { at, recorded, again, .. }: &Replayed| {
            let mut cell = at.clone();
            (cell["recorded"], cell["again"]) = (recorded.as_str().into(), again.as_str().into());
            cell
        };
        let cells: Vec<Value> = replayed.iter().map(cell).collect();
        println!("{:#}", json!({ "cells": cells, "same": others.is_empty() }));
    }
    if others.is_empty() {
        if !options.json {
            let places: Vec<_> = replayed.iter().map(|it| &it.place[..]).collect();
            println!("{folder}: run again, the same digest: {}", places.join("; "));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let told = others.iter().map(|Replayed { place, recorded, again, .. }| {
        format!("{place}: recorded {recorded}, run again {again}")
    });
    let told = told.collect::<Vec<_>>().join("; ");
    let (count, all) = (others.len(), replayed.len());
    Err(Failure::run(format!("{folder}: {count} of {all} cells come to another digest: {told}")))
}

/// The digest of an experiment that is played again; none if the folder is of something else.
fn replay_experiment(path: &Path) -> Result<Option<String>, Failure> {
    let file = path.join("scenario.toml");
    let Some(text) = Experiment::read(&file) else { return Ok(None) };
    let experiment = Experiment::parse(&file.display().to_string(), &text, &[])
        .map_err(|error| Failure::Scenario(Box::new(error)))?;
    experiment::check(&experiment)?;
    let played = experiment::play(&experiment, &|| false)?;
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
