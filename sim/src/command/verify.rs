//! `arboretum verify`: run again from the provenance and compare digests.

use std::path::Path;
use std::process::ExitCode;

use arboretum_results::{read_provenance, read_summary};
use arboretum_workloads::{Scenario, Trace};

use super::arguments::QuietOptions;
use super::failure::Failure;
use super::run::simulate;
use super::scenario::Chosen;

/// Reruns the scenario of a run folder.
pub(crate) fn verify(path: &Path, options: &QuietOptions) -> Result<ExitCode, Failure> {
    let unreadable = |error: arboretum_results::ResultsError| Failure::input(error.to_string());
    let provenance = read_provenance(path).map_err(unreadable)?;
    let summary = read_summary(path).map_err(unreadable)?;
    if summary.interrupted {
        return Err(Failure::input(format!(
            "{}: the run was interrupted, so there is no whole run to compare",
            path.display()
        )));
    }
    let scenario = Scenario::load(&path.join("scenario.toml"), &[])
        .map_err(|error| Failure::Scenario(Box::new(error)))?;
    let trace = scenario.workload.trace.as_deref().map(Trace::load).transpose();
    let trace = trace.map_err(|error| Failure::input(error.to_string()))?;
    let source = path.join("scenario.toml").display().to_string();
    let chosen = Chosen { scenario, source, trace, set: vec![] };
    let again = simulate(&chosen, options, false, None)?.summary.digest;
    if again == provenance.digest && again == summary.digest {
        println!("{}: the same digest, {again}", path.display());
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
