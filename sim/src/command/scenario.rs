//! Finding a scenario and putting the command line's choices into it.

use std::path::Path;

use arboretum_engine::crypto::CipherSuite;
use arboretum_engine::strategy::{PRESETS, ParseStrategyError};
use arboretum_workloads::{Fidelity, Scenario, Trace, find_shipped, nearest, shipped};

use super::arguments::RunOptions;
use super::failure::Failure;
use super::protocols::{self, PROTOCOLS};
use crate::simulation::{self, BehaviourError, choices};

/// Refuses a scenario whose strategy is none, or makes no sense in it.
fn check_strategy(scenario: &Scenario) -> Result<(), Failure> {
    protocols::check_strategy(scenario).map_err(|error| {
        Failure::input_with_help(format!("group.strategy: {error}"), way_out(&error))
    })?
}

/// What to write in the place of a strategy that is refused.
fn way_out(error: &BehaviourError) -> String {
    let choices = choices();
    let of = |value: &str, choice: &str| {
        let values = choices.iter().filter(|(known, _)| *known == choice);
        suggest(value, values.flat_map(|(_, values)| values.iter().copied()))
    };
    match error {
        BehaviourError::Tree(ParseStrategyError::Preset(name)) => {
            let own = simulation::PRESETS.iter().map(|(name, ..)| *name);
            suggest(name, PRESETS.iter().map(|preset| preset.name).chain(own))
        }
        BehaviourError::Tree(ParseStrategyError::Choice(name)) => {
            suggest(name, choices.iter().map(|(choice, _)| *choice))
        }
        BehaviourError::Tree(ParseStrategyError::Value { choice, value, .. })
        | BehaviourError::Value { choice, value } => of(value, choice),
        BehaviourError::Tree(ParseStrategyError::NotAChoice(_)) => {
            "write a preset and what differs: rfc9420+placement=nearest".into()
        }
        BehaviourError::Duration { .. } => "durations are numbers with a unit: 30min, 12h".into(),
        _ => "see docs/strategies.md".into(),
    }
}

/// The nearest name that there is, or all of them.
fn suggest<'n>(given: &str, names: impl Iterator<Item = &'n str> + Clone) -> String {
    match nearest(given, names.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("there is: {}", names.collect::<Vec<_>>().join(", ")),
    }
}

/// Cipher suites that can be run, with their names.
pub(crate) fn suites() -> Vec<(u16, &'static str)> {
    CipherSuite::ALL.iter().filter_map(|suite| Some((suite.0, suite.name()?))).collect()
}

/// The cipher suite whose sizes the counting provider has.
const COUNTED_SUITE: CipherSuite = CipherSuite::X25519_AES128GCM_SHA256_ED25519;

/// A scenario and where it came from.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) scenario: Scenario,
    pub(crate) source: String,
    pub(crate) trace: Option<Trace>,
    /// What the command line has overridden by `--set`.
    pub(crate) set: Vec<String>,
}

/// Loads the scenario of a command line.
pub(crate) fn choose(options: &RunOptions) -> Result<Chosen, Failure> {
    let mut overrides = options.set.clone();
    let mut add = |key: &str, value: Option<String>| {
        overrides.extend(value.map(|value| format!("{key}={value}")));
    };
    let text = |value: &Option<String>| value.as_ref().map(|value| format!("{value:?}"));
    add("seed", options.seed.map(|seed| seed.to_string()));
    add("group.members", options.members.map(|members| members.to_string()));
    add("group.audit", options.audit.map(|audit| audit.to_string()));
    add("group.protocol", text(&options.protocol));
    add("group.strategy", text(&options.strategy));
    let fidelity = options.fidelity.map(arboretum_workloads::Fidelity::from);
    add("group.fidelity", fidelity.map(|fidelity| format!("{:?}", fidelity.name())));
    let scenario = resolve(&options.scenario, &overrides, options.fidelity.is_some())?;
    let trace = scenario.workload.trace.as_deref().map(Trace::load).transpose();
    let trace = trace.map_err(|error| Failure::input(error.to_string()))?;
    let (source, set) = (options.scenario.clone(), options.set.clone());
    Ok(Chosen { scenario, source, trace, set })
}

/// The scenario of a file, or the shipped one of that name, with what overrides it.
pub(crate) fn resolve(
    given: &str,
    overrides: &[String],
    fidelity_asked: bool,
) -> Result<Scenario, Failure> {
    let mut scenario = load(given, overrides)?;
    check_names(&scenario)?;
    protocols::settle(&mut scenario, fidelity_asked)?;
    Ok(scenario)
}

/// Checks a scenario that stands in a study, and puts into it what only one value can be.
pub(crate) fn settle(scenario: &mut Scenario) -> Result<(), Failure> {
    check_names(scenario)?;
    protocols::settle(scenario, false)
}

fn load(given: &str, overrides: &[String]) -> Result<Scenario, Failure> {
    let refused = |error| Failure::Scenario(Box::new(error));
    let path = Path::new(given);
    if path.is_file() {
        return Scenario::load(path, overrides).map_err(refused);
    }
    match find_shipped(given) {
        Ok(found) => Scenario::parse(found.name, found.text, overrides).map_err(refused),
        Err(near) => {
            let names: Vec<_> = shipped().iter().map(|shipped| shipped.name).collect();
            let help = match near {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("shipped scenarios: {}", names.join(", ")),
            };
            let what = format!("`{given}` is neither a file nor a shipped scenario");
            Err(Failure::input_with_help(what, help))
        }
    }
}

/// The names that only the engine knows.
fn check_names(scenario: &Scenario) -> Result<(), Failure> {
    let group = &scenario.group;
    protocols::check_built(&group.protocol)?;
    check_name("protocol", &group.protocol, PROTOCOLS)?;
    check_strategy(scenario)?;
    let refuse = |what: String| Err(Failure::input_with_help(what, "see `arboretum list suites`"));
    if CipherSuite(group.suite).name().is_none() {
        return refuse(format!("group.suite: cipher suite {} is not built", group.suite));
    }
    if group.fidelity == Fidelity::Counted && group.suite != COUNTED_SUITE.0 {
        return refuse(format!(
            "group.fidelity: `counted` has the sizes of cipher suite {}, not of {}",
            COUNTED_SUITE.0, group.suite
        ));
    }
    Ok(())
}

fn check_name(kind: &str, given: &str, known: &[(&str, &str)]) -> Result<(), Failure> {
    let names = known.iter().map(|(name, _)| *name);
    if names.clone().any(|name| name == given) {
        return Ok(());
    }
    let help = suggest(given, names);
    Err(Failure::input_with_help(format!("group.{kind}: no {kind} `{given}` is built"), help))
}
