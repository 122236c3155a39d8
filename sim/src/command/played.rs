//! A scenario played: each of its groups, one after the other, and what they come to. Groups of the same
//! people do not touch each other: who is online when is the people's own affair.

use arboretum_engine::crypto::Ledger;
use arboretum_results::{
    Groups, Host, Recorded, RunFacts, RunRecorder, Summary, WorkTable, digest_of_groups,
};
use arboretum_workloads::{Demand, Scenario, Trace};

use super::make::make;
use super::run::OP_NAMES;
use crate::simulation::{self, Fault, Outcome, Settings};

/// One group's records, and what came of it.
pub(crate) struct PlayedGroup {
    pub(crate) recorded: Recorded,
    pub(crate) outcome: Outcome,
}

/// A scenario's groups. A run has one, as a rule.
pub(crate) struct Played {
    /// The group that has everybody.
    pub(crate) first: PlayedGroup,
    further: Vec<PlayedGroup>,
}

/// Plays a scenario and takes it down.
pub(crate) fn play(
    scenario: &Scenario,
    trace: Option<Trace>,
    recorder: &dyn Fn() -> RunRecorder,
    mut settings: Settings<'_>,
) -> Result<Played, Fault> {
    let demand = Demand::new(scenario, trace);
    let mut first = play_group(scenario, &demand, recorder(), &mut settings)?;
    let mut further = vec![];
    for group in 1..demand.groups() {
        if first.outcome.interrupted {
            break;
        }
        let mut next = play_group(scenario, &demand.of_group(group), recorder(), &mut settings)?;
        first.recorded.take_events_of(group as usize, &mut next.recorded);
        first.outcome.interrupted |= next.outcome.interrupted;
        further.push(next);
    }
    Ok(Played { first, further })
}

fn play_group(
    scenario: &Scenario,
    demand: &Demand,
    mut recorder: RunRecorder,
    settings: &mut Settings<'_>,
) -> Result<PlayedGroup, Fault> {
    let mut protocol = make(scenario, demand.group())?;
    let settings_here = Settings { progress: &mut *settings.progress, ..*settings };
    let outcome = simulation::run(scenario, demand, &mut *protocol, &mut recorder, settings_here)?;
    settings.events_before = outcome.events;
    Ok(PlayedGroup { recorded: recorder.finish(), outcome })
}

impl Played {
    pub(crate) fn is_interrupted(&self) -> bool {
        self.first.outcome.interrupted
    }

    /// What clients of the first group had to do; none if nobody could count it.
    pub(crate) fn work(&self) -> Option<WorkTable> {
        let outcome = &self.first.outcome;
        outcome.ops.is_some().then(|| outcome.work.clone().table(&OP_NAMES))
    }

    /// Of each group its own summary, where there are several.
    pub(crate) fn groups(&self, scenario: &Scenario, host: Host) -> Vec<Summary> {
        if self.further.is_empty() {
            return vec![];
        }
        let all = std::iter::once(&self.first).chain(&self.further);
        all.map(|group| summary_of(scenario, group, host)).collect()
    }

    /// The summary of the run: of the first group, with what all come to.
    pub(crate) fn summary(&self, scenario: &Scenario, host: Host) -> Summary {
        let mut summary = summary_of(scenario, &self.first, host);
        let groups = self.groups(scenario, host);
        if !groups.is_empty() {
            let all = std::iter::once(&self.first).chain(&self.further);
            let totals: Vec<_> = all.map(|group| group.outcome.totals.clone()).collect();
            summary.groups = Groups::of(&groups, &totals);
            summary.digest = digest_of_groups(groups.iter().map(|group| &group.digest[..]));
        }
        summary
    }
}

fn summary_of(scenario: &Scenario, group: &PlayedGroup, host: Host) -> Summary {
    Summary::new(facts(scenario, &group.outcome, host), &group.recorded)
}

fn facts(scenario: &Scenario, outcome: &Outcome, host: Host) -> RunFacts {
    let ops = outcome.ops.iter().flat_map(Ledger::iter);
    RunFacts {
        scenario: scenario.name.clone(),
        seed: scenario.seed,
        protocol: scenario.group.protocol.clone(),
        strategy: scenario.group.strategy.clone(),
        suite: scenario.group.suite.to_string(),
        fidelity: scenario.group.fidelity.name().into(),
        interrupted: outcome.interrupted,
        virtual_time_s: outcome.virtual_time.as_secs_f64(),
        members_ever: outcome.members_ever,
        operations: outcome.operations,
        rebalancing: outcome.rebalancing,
        quarantine: outcome.quarantine,
        evicted: outcome.evicted,
        joins: outcome.joins,
        key_age_s: outcome.key_age_s,
        commits_rejected: outcome.rejected,
        rejected_work: outcome.rejected_work,
        system: outcome.system,
        ops: ops.map(|(op, count)| (op.name().into(), count)).collect(),
        audits: outcome.audits,
        invariants: outcome.invariants,
        materialised: outcome.audits.performed,
        host,
    }
}
