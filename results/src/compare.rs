//! Comparison of runs: contestants that met the same people on the same days, paired by seed.
//!
//! What differs between two runs beside the seed names the contestant. What must not differ is the
//! *demand*: `workload.*`, the duration and the members at the start. The first run's contestant is
//! the baseline, from which the others' differences are taken seed by seed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::bootstrap::estimate;
use crate::error::ResultsError;
use crate::summary::Summary;

/// The metrics that are compared unless others are named.
pub const COMPARED: &[&str] = &[
    "ciphertexts",
    "update_cost.ciphertexts.mean",
    "update_cost.ciphertexts.p99",
    "update_cost.bytes.mean",
    "expected_update_cost.end",
    "expected_update_cost.max",
    "active_update_cost.end",
    "regret.end",
    "wasted_ciphertexts",
    "catch_up.bytes.mean",
    "tree.width",
    "tree.width_over_members",
    "tree.depth",
    "tree.blank_parents",
    "tree.unmerged",
    "commits.rejected",
];

/// Keys of a scenario that name it and change nothing.
const NAMES: [&str; 4] = ["name", "title", "analysis", "seed"];

/// Whether a key is part of the demand.
fn is_demand(key: &str) -> bool {
    key.starts_with("workload.") || key == "duration" || key == "group.members"
}

/// Whether a key can tell contestants apart.
fn is_choice(key: &str) -> bool {
    !is_demand(key) && !NAMES.contains(&key) && !key.starts_with("expect.")
}

/// A run to be compared.
#[derive(Debug, Clone)]
pub struct ComparedRun {
    /// Its folder.
    pub path: PathBuf,
    /// Its resolved scenario, keys joined by dots.
    pub scenario: BTreeMap<String, String>,
    /// Its summary.
    pub summary: Summary,
}

/// Why runs cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A folder cannot be read.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// A scenario is not TOML.
    #[error("{}: {problem}", path.display())]
    Scenario {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A run is not whole.
    #[error("{}: the run was interrupted, so its numbers are those of a part", .0.display())]
    Interrupted(PathBuf),
    /// The runs met other people.
    #[error(
        "the demand differs: {key} is {first_value} in {} and {other_value} in {}",
        first.display(),
        other.display()
    )]
    Demand {
        /// The key.
        key: String,
        /// The first run.
        first: PathBuf,
        /// Its value.
        first_value: String,
        /// The other run.
        other: PathBuf,
        /// Its value.
        other_value: String,
    },
    /// Two runs are one.
    #[error("{} and {} are the same contestant with the same seed", .0.display(), .1.display())]
    Twice(PathBuf, PathBuf),
    /// There is nothing to compare with.
    #[error("all runs are of one contestant: nothing but the seed differs between them")]
    OneContestant,
    /// No seed in common.
    #[error("`{contestant}` has no seed in common with `{baseline}`")]
    NoPair {
        /// The contestant.
        contestant: String,
        /// The baseline.
        baseline: String,
    },
    /// No such number.
    #[error("no run has a number `{0}`: see `arboretum list metrics`")]
    Metric(String),
}

/// One contestant's difference from the baseline in one metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The metric.
    pub metric: String,
    /// The contestant.
    pub contestant: String,
    /// Seeds that both have.
    pub n: usize,
    /// The baseline's mean over those seeds.
    pub baseline_mean: f64,
    /// The contestant's.
    pub mean: f64,
    /// The mean difference, contestant less baseline.
    pub difference: f64,
    /// The lower end of its 95 % interval; none of a single seed.
    pub lo: Option<f64>,
    /// The upper end.
    pub hi: Option<f64>,
}

impl Difference {
    /// A difference as a share of the baseline's mean; none where that is 0.
    pub fn relative(&self, value: f64) -> Option<f64> {
        (self.baseline_mean != 0.0).then(|| value / self.baseline_mean.abs())
    }
}

/// The logarithm bounds the mean update cost over the members, Huffman's tree that over those who
/// are active.
const LOGARITHM: &str = "log₂(members)";
const HUFFMAN: &str = "Huffman bound";

/// The metrics beside which bounds are drawn, and which. What commits did cost is a mean over
/// whoever came to commit, so that both are there to compare it with.
const BOUNDED: [(&str, &[&str]); 3] = [
    ("update_cost.ciphertexts.mean", &[LOGARITHM, HUFFMAN]),
    ("expected_update_cost.end", &[LOGARITHM]),
    ("active_update_cost.end", &[HUFFMAN]),
];

/// What a mean update cost cannot go below, at the end of the baseline's runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bound {
    /// The metric that it is drawn beside.
    pub metric: String,
    /// Which bound.
    pub name: &'static str,
    /// Its mean over the baseline's runs.
    pub value: f64,
    /// The baseline's mean in the metric.
    pub baseline_mean: f64,
}

/// A contestant's run whose tree is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sample {
    /// The contestant.
    pub contestant: String,
    /// Its folder.
    pub folder: PathBuf,
}

/// Contestants side by side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The scenario of the first run.
    pub scenario: String,
    /// The contestant that the others are compared with.
    pub baseline: String,
    /// The others, in the order in which they were given.
    pub contestants: Vec<String>,
    /// By contestant, then by metric.
    pub differences: Vec<Difference>,
    /// Bounds of the update cost.
    pub bounds: Vec<Bound>,
    /// One run of each contestant, the baseline first: of the first seed that all of them have, or
    /// of each one's own first.
    pub samples: Vec<Sample>,
}

impl ComparedRun {
    /// Reads a run's folder.
    pub fn read(dir: &Path) -> Result<Self, CompareError> {
        let summary = crate::read_summary(dir)?;
        if summary.interrupted {
            return Err(CompareError::Interrupted(dir.to_path_buf()));
        }
        let path = dir.join("scenario.toml");
        let text = std::fs::read_to_string(&path).map_err(ResultsError::read(&path))?;
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            CompareError::Scenario { path: path.clone(), problem: error.message().to_owned() }
        })?;
        let mut scenario = BTreeMap::new();
        flatten(&toml::Value::Table(table), String::new(), &mut scenario);
        Ok(Self { path: dir.to_path_buf(), scenario, summary })
    }

    fn value(&self, key: &str) -> String {
        self.scenario.get(key).cloned().unwrap_or_else(|| "not set".into())
    }
}

fn flatten(value: &toml::Value, key: String, flat: &mut BTreeMap<String, String>) {
    match value {
        toml::Value::Table(table) => {
            for (name, value) in table {
                let dot = if key.is_empty() { "" } else { "." };
                flatten(value, format!("{key}{dot}{name}"), flat);
            }
        }
        toml::Value::String(text) => _ = flat.insert(key, text.clone()),
        other => _ = flat.insert(key, other.to_string()),
    }
}

/// Compares runs in these metrics.
pub fn compare(runs: &[ComparedRun], metrics: &[String]) -> Result<Comparison, CompareError> {
    let Some(first) = runs.first() else { return Err(CompareError::OneContestant) };
    runs.iter().try_for_each(|run| check_demand(first, run))?;
    let names = names(runs);
    let mut contestants: Vec<String> = vec![];
    let mut by_seed: BySeed<'_> = BTreeMap::new();
    for (run, name) in runs.iter().zip(&names) {
        if !contestants.contains(name) {
            contestants.push(name.clone());
        }
        if let Some(other) = by_seed.insert((name, run.summary.seed), run) {
            return Err(CompareError::Twice(other.path.clone(), run.path.clone()));
        }
    }
    if contestants.len() < 2 {
        return Err(CompareError::OneContestant);
    }
    let baseline = contestants.remove(0);
    let mut differences = vec![];
    for contestant in &contestants {
        let seeds = by_seed.keys().filter(|(name, _)| name == contestant);
        let pairs: Vec<_> = seeds
            .filter_map(|&(name, seed)| {
                Some((*by_seed.get(&(&baseline, seed))?, *by_seed.get(&(name, seed))?))
            })
            .collect();
        if pairs.is_empty() {
            let (contestant, baseline) = (contestant.clone(), baseline.clone());
            return Err(CompareError::NoPair { contestant, baseline });
        }
        for metric in metrics {
            differences.extend(difference(metric, contestant, &pairs)?);
        }
    }
    let scenario = first.summary.scenario.clone();
    let bounds = bounds(&baseline, &by_seed, &differences);
    let samples = samples(&baseline, &contestants, &by_seed);
    Ok(Comparison { scenario, baseline, contestants, differences, bounds, samples })
}

/// Runs by contestant and seed.
type BySeed<'r> = BTreeMap<(&'r str, u64), &'r ComparedRun>;

/// The bounds beside each metric that has them.
fn bounds(baseline: &str, by_seed: &BySeed<'_>, differences: &[Difference]) -> Vec<Bound> {
    let runs = || by_seed.iter().filter(|((name, _), _)| *name == baseline).map(|(_, run)| *run);
    let members = |run: &ComparedRun| Some((run.summary.members.end.max(1) as f64).log2());
    let huffman = |run: &ComparedRun| run.summary.huffman_bound.end;
    let mean = |values: Vec<f64>| {
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let all = [
        (LOGARITHM, mean(runs().filter_map(members).collect())),
        (HUFFMAN, mean(runs().filter_map(huffman).collect())),
    ];
    let mut found = vec![];
    for (metric, names) in BOUNDED {
        let Some(base) = differences.iter().find(|found| found.metric == metric) else { continue };
        let own = all.iter().filter(|(name, _)| names.contains(name));
        found.extend(own.filter_map(|&(name, value)| {
            let (metric, baseline_mean) = (metric.to_owned(), base.baseline_mean);
            Some(Bound { metric, name, value: value?, baseline_mean })
        }));
    }
    found
}

/// One run of each contestant, of one seed if there is one that all have.
fn samples(baseline: &str, contestants: &[String], by_seed: &BySeed<'_>) -> Vec<Sample> {
    let names: Vec<&str> =
        std::iter::once(baseline).chain(contestants.iter().map(String::as_str)).collect();
    let seeds: BTreeSet<u64> = by_seed.keys().map(|(_, seed)| *seed).collect();
    let has_all = |seed: &u64| names.iter().all(|name| by_seed.contains_key(&(*name, *seed)));
    let common = seeds.iter().copied().find(has_all);
    let sample = |name: &str| {
        let mut own = by_seed.iter().filter(|((contestant, _), _)| *contestant == name);
        let own = own.find(|((_, seed), _)| common.is_none_or(|common| *seed == common));
        let folder = own.map(|(_, run)| run.path.clone())?;
        Some(Sample { contestant: name.to_owned(), folder })
    };
    names.into_iter().filter_map(sample).collect()
}

fn check_demand(first: &ComparedRun, other: &ComparedRun) -> Result<(), CompareError> {
    let keys: BTreeSet<_> = first.scenario.keys().chain(other.scenario.keys()).collect();
    let mut demand = keys.into_iter().filter(|key| is_demand(key));
    match demand.find(|key| first.scenario.get(*key) != other.scenario.get(*key)) {
        None => Ok(()),
        Some(key) => Err(CompareError::Demand {
            key: key.clone(),
            first: first.path.clone(),
            first_value: first.value(key),
            other: other.path.clone(),
            other_value: other.value(key),
        }),
    }
}

/// What tells the runs apart: the values of the choices that are not the same in all of them. A
/// single such choice needs no key beside its value.
fn names(runs: &[ComparedRun]) -> Vec<String> {
    let keys: BTreeSet<_> = runs.iter().flat_map(|run| run.scenario.keys()).collect();
    let varies = |key: &&&String| {
        is_choice(key) && runs.iter().any(|run| run.value(key) != runs[0].value(key))
    };
    let varying: Vec<_> = keys.iter().filter(varies).collect();
    let name = |run: &ComparedRun| match &varying[..] {
        [key] => run.value(key),
        several => {
            let parts = several.iter().map(|key| format!("{key}={}", run.value(key)));
            parts.collect::<Vec<_>>().join(" ")
        }
    };
    runs.iter().map(name).collect()
}

/// None where no run has the number.
fn difference(
    metric: &str,
    contestant: &str,
    pairs: &[(&ComparedRun, &ComparedRun)],
) -> Result<Option<Difference>, CompareError> {
    if !Summary::metric_names().iter().any(|name| name == metric)
        && !pairs.iter().any(|(_, run)| run.summary.number(metric).is_some())
    {
        return Err(CompareError::Metric(metric.to_owned()));
    }
    let number = |run: &ComparedRun| run.summary.number(metric);
    let values: Vec<(f64, f64)> =
        pairs.iter().filter_map(|(base, run)| Some((number(base)?, number(run)?))).collect();
    let each: Vec<f64> = values.iter().map(|(base, value)| value - base).collect();
    let Some(estimated) = estimate(&each, metric) else { return Ok(None) };
    let n = values.len() as f64;
    Ok(Some(Difference {
        metric: metric.to_owned(),
        contestant: contestant.to_owned(),
        n: values.len(),
        baseline_mean: values.iter().map(|(base, _)| base).sum::<f64>() / n,
        mean: values.iter().map(|(_, value)| value).sum::<f64>() / n,
        difference: estimated.mean,
        lo: estimated.interval.map(|(lo, _)| lo),
        hi: estimated.interval.map(|(_, hi)| hi),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(strategy: &str, seed: u64, ciphertexts: u64, members: &str) -> ComparedRun {
        let scenario = [
            ("seed", seed.to_string()),
            ("group.strategy", strategy.into()),
            ("group.members", members.into()),
            ("workload.devices", "1".into()),
        ];
        ComparedRun {
            path: format!("{strategy}-{seed}").into(),
            scenario: scenario.map(|(key, value)| (key.to_owned(), value)).into(),
            summary: Summary { seed, ciphertexts, ..Summary::default() },
        }
    }

    fn ciphertexts() -> Vec<String> {
        vec!["ciphertexts".into()]
    }

    #[test]
    fn differences_are_paired_by_seed() {
        let runs = [
            run("rfc9420", 1, 100, "8"),
            run("rfc9420", 2, 1_000, "8"),
            run("nearest", 2, 990, "8"),
            run("nearest", 1, 80, "8"),
            run("nearest", 7, 5, "8"),
        ];
        let compared = compare(&runs, &ciphertexts()).unwrap();
        assert_eq!(
            (&compared.baseline[..], &compared.contestants[..]),
            ("rfc9420", &["nearest".to_owned()][..])
        );
        let found = &compared.differences[0];
        assert_eq!((found.n, found.baseline_mean, found.mean), (2, 550.0, 535.0));
        assert_eq!(found.difference, -15.0);
        assert_eq!((found.lo, found.hi), (Some(-20.0), Some(-10.0)));
        let folders: Vec<_> = compared.samples.iter().map(|sample| sample.folder.clone()).collect();
        assert_eq!(folders, [PathBuf::from("rfc9420-1"), "nearest-1".into()]);
        assert!(compared.bounds.is_empty(), "ciphertexts in all have no bound");
    }

    #[test]
    fn bounds_are_those_of_the_baseline() {
        let mut runs = [run("rfc9420", 1, 100, "8"), run("nearest", 1, 80, "8")];
        runs[0].summary.members.end = 8;
        runs[0].summary.expected_update_cost.end = Some(6.0);
        runs[1].summary.expected_update_cost.end = Some(9.0);
        runs[0].summary.huffman_bound.end = Some(2.5);
        runs.iter_mut().for_each(|run| run.summary.active_update_cost.end = Some(5.0));
        let metrics = ["expected_update_cost.end", "active_update_cost.end"].map(String::from);
        let compared = compare(&runs, &metrics).unwrap();
        let bounds: Vec<_> =
            compared.bounds.iter().map(|bound| (bound.name, bound.value)).collect();
        assert_eq!(bounds, [(LOGARITHM, 3.0), (HUFFMAN, 2.5)]);
        assert_eq!(compared.bounds[0].baseline_mean, 6.0);
    }

    #[test]
    fn one_seed_has_no_interval() {
        let runs = [run("rfc9420", 1, 100, "8"), run("nearest", 1, 80, "8")];
        let compared = compare(&runs, &ciphertexts()).unwrap();
        assert_eq!((compared.differences[0].lo, compared.differences[0].difference), (None, -20.0));
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let refused = |runs: &[ComparedRun]| compare(runs, &ciphertexts()).unwrap_err().to_string();
        let other_people = [run("rfc9420", 1, 100, "8"), run("nearest", 1, 80, "9")];
        assert!(refused(&other_people).contains("group.members is 8 in rfc9420-1 and 9"));
        let alone = [run("rfc9420", 1, 100, "8"), run("rfc9420", 2, 80, "8")];
        assert!(refused(&alone).contains("one contestant"));
        let twice = [run("a", 1, 1, "8"), run("b", 1, 1, "8"), run("b", 1, 1, "8")];
        assert!(refused(&twice).contains("same seed"));
        let apart = [run("a", 1, 1, "8"), run("b", 2, 1, "8")];
        assert!(refused(&apart).contains("no seed in common"));
        let runs = [run("a", 1, 1, "8"), run("b", 1, 1, "8")];
        let unknown = compare(&runs, &["cyphertexts".into()]).unwrap_err();
        assert!(unknown.to_string().contains("no run has a number `cyphertexts`"));
    }
}
