//! `arboretum list`: what there is.

use std::process::ExitCode;

use arboretum_engine::strategy::PRESETS;
use arboretum_results::{ExperimentSummary, Summary, metric_text};
use arboretum_workloads::{nearest, profiles, shipped, studies};
use serde_json::{Value, json};

use super::failure::Failure;
use super::protocols::PROTOCOLS;
use super::scenario::suites;
use crate::simulation::{self, choices};

const WHAT: &[&str] =
    &["scenarios", "studies", "protocols", "strategies", "suites", "metrics", "profiles"];

/// Prints a list.
pub(crate) fn list(what: &str, json: bool) -> Result<ExitCode, Failure> {
    let rows: Vec<(String, String)> = match what {
        "scenarios" => shipped().iter().map(|found| (found.name.into(), found.title())).collect(),
        "protocols" => named(PROTOCOLS),
        "strategies" => strategies(),
        "suites" => suites().iter().map(|(n, name)| (n.to_string(), (*name).into())).collect(),
        "metrics" => metrics(),
        "profiles" => profiles().iter().map(|found| (found.name.into(), found.title())).collect(),
        "studies" => studies().iter().map(|found| (found.name.into(), found.title())).collect(),
        other => {
            let help = match nearest(other, WHAT.iter().copied()) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("there is: {}", WHAT.join(", ")),
            };
            return Err(Failure::input_with_help(format!("there is no list of `{other}`"), help));
        }
    };
    if json {
        let entry = |(name, text): &(String, String)| json!({ "name": name, "text": text });
        println!("{:#}", Value::from(rows.iter().map(entry).collect::<Vec<_>>()));
        return Ok(ExitCode::SUCCESS);
    }
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, text) in rows {
        println!("{}", format!("{name:width$}  {text}").trim_end());
    }
    Ok(ExitCode::SUCCESS)
}

/// The presets, then the choices that can be changed in them.
fn strategies() -> Vec<(String, String)> {
    // Where clients have a preset of the same name, theirs is the whole of it.
    let whole = |name| simulation::PRESETS.iter().any(|(own, ..)| *own == name);
    let presets = PRESETS.iter().filter(|preset| !whole(preset.name));
    let presets = presets.map(|preset| (preset.name.into(), preset.title.into()));
    let clients = simulation::PRESETS.iter();
    let clients = clients.map(|(name, _, title)| ((*name).into(), (*title).into()));
    let own = named(crate::operations::PRESETS).into_iter();
    let own = own.map(|(name, text)| (name, format!("{text} (experiments only)")));
    let choices = choices();
    let choices = choices.iter().map(|(choice, values)| (format!("+{choice}="), values.join(", ")));
    presets.chain(clients).chain(own).chain(choices).collect()
}

fn named(rows: &[(&str, &str)]) -> Vec<(String, String)> {
    rows.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect()
}

/// The numbers of a run's summary, by the names that `expect` uses, and those that experiments alone
/// have.
fn metrics() -> Vec<(String, String)> {
    let of_runs = Summary::metric_names();
    let of_experiments = ExperimentSummary::metric_names();
    let others = of_experiments.into_iter().filter(|name| !of_runs.contains(name));
    let others = others.map(|name| {
        let text = format!("{} (experiments)", metric_text(&name));
        (name, text)
    });
    let own = of_runs.iter().map(|name| (name.clone(), metric_text(name).to_owned()));
    own.chain(others).collect()
}
