//! How much work a cell is beside the others of its study, guessed before it is played. It serves the ETA alone.

use arboretum_workloads::{Fidelity, Job, Scenario};

/// How many times more a group with real keys takes than one in counts, about: from 10 to 35 times where
/// `scaling` and `fifty-thousand` have both (`host.cpu_s` of their cells.csv in results/reference).
const REAL_KEYS: f64 = 20.0;

/// The weight of a job. Those of scenarios and of experiments are not to be compared: a study has one kind.
pub(super) fn weight(job: &Job) -> f64 {
    match job {
        Job::Scenario(scenario) => of_scenario(scenario),
        // A place in the tree for each member, and a path for each operation, which grows with the logarithm
        // alone.
        Job::Experiment(it) => f64::from(it.group.members) + it.length() as f64,
    }
}

/// People times the time for which they come and go.
fn of_scenario(scenario: &Scenario) -> f64 {
    let crowd = scenario.workload.crowd.map_or(0, |crowd| crowd.users);
    let people = f64::from(scenario.group.members) + f64::from(crowd);
    let keys = if scenario.group.fidelity == Fidelity::Counted { 1.0 } else { REAL_KEYS };
    people * scenario.duration.as_secs_f64() * keys
}

#[cfg(test)]
mod tests {
    use arboretum_workloads::{Filter, Study, find_study};

    use super::*;

    /// The weight of the first cell with these values.
    fn of(study: &str, point: &[&str]) -> f64 {
        let shipped = find_study(study).unwrap();
        let study = Study::parse(shipped.name, shipped.text).unwrap();
        let cells = study.cells(&study.name, &Filter::default()).unwrap();
        weight(&cells.iter().find(|cell| cell.point == point).unwrap().job)
    }

    #[test]
    fn people_time_and_real_keys_weigh() {
        let small = of("fifty-thousand", &["counted", "1000", "1"]);
        assert_eq!(of("fifty-thousand", &["counted", "1000", "7"]), 7.0 * small);
        assert_eq!(of("fifty-thousand", &["counted", "50000", "7"]), 350.0 * small);
        assert_eq!(of("fifty-thousand", &["shared", "1000", "7"]), 7.0 * REAL_KEYS * small);
        let crowd = of("conference", &["1 s", "20000"]) / of("conference", &["1 s", "100"]);
        assert!((100.0..200.0).contains(&crowd), "{crowd}");
    }

    #[test]
    fn an_experiment_weighs_what_it_does() {
        assert_eq!(of("scaling-lived-in", &["20 %", "64"]), 5.0 * 64.0);
        assert_eq!(of("scaling-lived-in", &["100 %", "1048576"]), 5.0 * 1_048_576.0);
    }
}
