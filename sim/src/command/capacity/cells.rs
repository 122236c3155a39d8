//! One size of a group with one seed: the scenario at that size, and what its run came to. What has been run
//! is kept under its address, as cells of a study are. It holds counts and no prices: other budgets and other
//! devices are answered from the same cells.

use std::path::Path;

use arboretum_results::{Host, Summary, WorkTable};
use arboretum_workloads::{Job, Scenario};
use serde::{Deserialize, Serialize};

use crate::command::failure::Failure;
use crate::command::host::{self, Clock};
use crate::command::run;
use crate::command::study::{address, cell};

/// What a run came to.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Counts {
    pub(super) summary: Summary,
    pub(super) work: WorkTable,
}

/// What of a scenario is given for the group as a whole, and so grows with its members.
pub(super) fn grows(scenario: &Scenario) -> Vec<&'static str> {
    let work = &scenario.workload;
    [
        (work.arrivals.is_some(), "workload.arrivals.per_day"),
        (work.crowd.is_some(), "workload.crowd.users"),
    ]
    .into_iter()
    .filter_map(|(there, key)| there.then_some(key))
    .collect()
}

/// The scenario for a group of another size. Rates for each member stay; those for the group grow with it.
pub(super) fn scaled(scenario: &Scenario, members: u32, seed: u64) -> Scenario {
    let factor = f64::from(members) / f64::from(scenario.group.members);
    let mut scaled = scenario.clone();
    scaled.seed = seed;
    scaled.group.members = members;
    // Bounds are of the scenario's own size, and no budget asks what a copied state leads to.
    scaled.expect.clear();
    scaled.measure.compromise = None;
    if let Some(arrivals) = &mut scaled.workload.arrivals {
        arrivals.per_day *= factor;
    }
    if let Some(crowd) = &mut scaled.workload.crowd {
        crowd.users = (f64::from(crowd.users) * factor).round().max(1.0) as u32;
    }
    scaled
}

/// Runs a scenario, unless that has been done; none if somebody wants to stop.
pub(super) fn counts(
    scenario: &Scenario,
    cells: &Path,
    should_stop: &dyn Fn() -> bool,
) -> Result<Option<Counts>, Failure> {
    let toml = scenario.to_toml();
    // What is possible at the scenario's own size may not be at this one.
    Scenario::parse("the scenario at this size", &toml, &[])
        .map_err(|error| Failure::Scenario(Box::new(error)))?;
    let address = address::address(&Job::Scenario(scenario.clone().into()), &toml)
        .map_err(|error| Failure::input(error.to_string()))?;
    let folder = cells.join(address);
    let kept = cell::kept(&folder, &toml, should_stop, || {
        run::check_memory(scenario)?;
        let (clock, cpu) = (Clock::start(), host::thread_cpu_s());
        let played = cell::simulate(scenario, &folder, should_stop, &|_| ())?;
        if played.is_interrupted() {
            return Ok(None);
        }
        let host = Host {
            wall_s: clock.wall_s(),
            cpu_s: host::thread_cpu_s() - cpu,
            peak_rss_mib: host::peak_rss_mib(),
            threads: 1,
        };
        let work = played.work().ok_or_else(|| {
            let protocol = &scenario.group.protocol;
            Failure::input(format!("nobody can count what clients of `{protocol}` do"))
        })?;
        let counts = Counts { summary: played.summary(scenario, host), work };
        serde_json::to_value(counts).map(Some).map_err(|error| Failure::run(error.to_string()))
    })?;
    let read = |value| {
        let what = |error| Failure::run(format!("{}: {error}", folder.display()));
        serde_json::from_value(value).map_err(what)
    };
    kept.map(read).transpose()
}

#[cfg(test)]
mod tests {
    use arboretum_workloads::find_shipped;

    use super::*;

    #[test]
    fn rates_of_the_group_grow_and_those_of_members_stay() {
        let smoke = find_shipped("smoke").unwrap();
        let smoke = Scenario::parse(smoke.name, smoke.text, &[]).unwrap();
        let larger = scaled(&smoke, 5_000, 7);
        assert_eq!((larger.seed, larger.group.members), (7, 5_000));
        assert_eq!(larger.workload.arrivals.unwrap().per_day, 600.0);
        assert_eq!(larger.workload.removals, smoke.workload.removals);
        assert!(larger.expect.is_empty());
        assert_eq!(grows(&smoke), ["workload.arrivals.per_day"]);
        let conference = find_shipped("conference").unwrap();
        let conference = Scenario::parse(conference.name, conference.text, &[]).unwrap();
        let users = conference.workload.crowd.unwrap().users;
        let same = scaled(&conference, conference.group.members, 1);
        assert_eq!(same.workload.crowd.unwrap().users, users);
        assert!(scaled(&conference, 2, 1).workload.crowd.unwrap().users >= 1);
    }
}
