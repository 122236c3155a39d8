//! What a search came to: its files, and what is told.

use std::fs;
use std::path::Path;

use arboretum_results::{CapacityInterval, ResultsError, write_whole, write_whole_json};
use serde::{Deserialize, Serialize};

use super::budget::{Budget, Measure};
use super::figure;
use super::search::Found;
use crate::command::failure::Failure;

/// The most bytes of an answer's file.
const MAX_BYTES: u64 = 256 << 20;

/// The file's name.
pub(super) const FILE: &str = "capacity.json";

/// The answer, `capacity.json`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) scenario: String,
    pub(super) protocol: String,
    pub(super) strategy: String,
    pub(super) profile: String,
    /// What device that is; empty in answers of versions that did not keep it.
    #[serde(default)]
    pub(super) profile_title: String,
    /// Where its numbers come from; likewise.
    #[serde(default)]
    pub(super) profile_source: String,
    /// What of the scenario grows with the members.
    pub(super) grows: Vec<String>,
    pub(super) budgets: Vec<Limit>,
    /// The largest group over the seeds; `null` where no size holds.
    pub(super) largest: Option<CapacityInterval>,
    /// The budgets that bind, with the seeds they bind in, the most often first.
    pub(super) binds: Vec<(String, u32)>,
    pub(super) seeds: Vec<OfSeed>,
    /// A row for each size tried and seed.
    pub(super) tried: Vec<Tried>,
}

/// A budget.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Limit {
    pub(super) name: String,
    pub(super) what: String,
    /// In seconds, bytes, or as a share.
    pub(super) limit: f64,
}

/// The answer of a seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct OfSeed {
    pub(super) seed: u64,
    /// The largest size that holds; none if none does.
    pub(super) largest: Option<u32>,
    /// The smallest size tried above it, at which it does not; none if all held.
    pub(super) fails: Option<u32>,
    /// The budgets broken there, with how many times their limit was taken, the worst first.
    pub(super) binds: Vec<(String, f64)>,
}

/// One size with one seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Tried {
    pub(super) seed: u64,
    pub(super) members: u32,
    pub(super) commits: u64,
    pub(super) digest: String,
    /// In the order of the budgets; none where nothing of it happened.
    pub(super) values: Vec<Option<f64>>,
}

impl Tried {
    /// How many times each limit is taken.
    pub(super) fn shares<'t>(
        &'t self,
        budgets: &'t [Limit],
    ) -> impl Iterator<Item = (&'t Limit, f64)> {
        let pairs = budgets.iter().zip(&self.values);
        pairs.filter_map(|(budget, value)| Some((budget, (*value)? / budget.limit)))
    }

    /// Whether it stays within all budgets.
    pub(super) fn holds(&self, budgets: &[Limit]) -> bool {
        self.shares(budgets).all(|(_, share)| share <= 1.0)
    }
}

impl Limit {
    pub(super) fn of(budget: &Budget, week: bool) -> Self {
        let measure = budget.measure;
        Self { name: measure.key().into(), what: measure.words(week).into(), limit: budget.limit }
    }
}

impl OfSeed {
    /// The answer of a seed, by what it has tried.
    pub(super) fn new(seed: u64, found: Found, tried: &[Tried], budgets: &[Limit]) -> Self {
        let (mut largest, fails) = match found {
            Found::None => (None, tried.iter().map(|row| row.members).min()),
            Found::Between { largest, fails } => (Some(largest), Some(fails)),
            Found::AtLeast(largest) => (Some(largest), None),
        };
        let at = tried.iter().find(|row| Some(row.members) == fails);
        let shares = at.into_iter().flat_map(|row| row.shares(budgets));
        let broken = shares.filter(|(_, share)| *share > 1.0);
        let mut binds: Vec<_> = broken.map(|(it, share)| (it.name.clone(), share)).collect();
        binds.sort_by(|one, other| other.1.total_cmp(&one.1));
        // What stays within a budget only since nothing of the kind has happened yet says nothing of it.
        let within = |name: &str| {
            let holding = tried.iter().filter(|row| row.holds(budgets));
            holding.flat_map(|row| row.shares(budgets)).any(|(budget, _)| budget.name == name)
        };
        let unseen: Vec<_> = binds.iter().filter(|(name, _)| !within(name)).cloned().collect();
        if !unseen.is_empty() {
            (largest, binds) = (None, unseen);
        }
        Self { seed, largest, fails, binds }
    }
}

/// The interval over seeds; none if some seed has no size that holds.
pub(super) fn interval(seeds: &[OfSeed]) -> Option<CapacityInterval> {
    let sizes: Option<Vec<u32>> = seeds.iter().map(|seed| seed.largest).collect();
    let mut sizes = sizes?;
    sizes.sort_unstable();
    let at_least = seeds.iter().any(|seed| seed.fails.is_none());
    let (lo, hi) = (*sizes.first()?, *sizes.last()?);
    Some(CapacityInterval { lo, median: sizes[(sizes.len() - 1) / 2], hi, at_least })
}

/// The budgets that bind first, with the number of seeds.
pub(super) fn binding(seeds: &[OfSeed], budgets: &[Limit]) -> Vec<(String, u32)> {
    let worst = |name: &str| {
        let is_it = |seed: &&OfSeed| seed.binds.first().is_some_and(|(it, _)| it == name);
        seeds.iter().filter(is_it).count() as u32
    };
    let counted = budgets.iter().map(|budget| (budget.name.clone(), worst(&budget.name)));
    let mut counted: Vec<_> = counted.filter(|(_, count)| *count > 0).collect();
    counted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counted
}

impl Answer {
    /// Writes `capacity.csv`, `capacity.json` and the plot.
    pub(super) fn write(&self, folder: &Path) -> Result<(), Failure> {
        let failed = |error: ResultsError| Failure::run(error.to_string());
        write_whole(&folder.join("capacity.csv"), &self.csv()).map_err(failed)?;
        write_whole_json(&folder.join(FILE), self).map_err(failed)?;
        figure::plot(self, folder).map(|_| ())
    }

    /// Reads a folder's answer.
    pub(super) fn read(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(FILE);
        let refused = |what: String| Failure::input(format!("{}: {what}", path.display()));
        let length = fs::metadata(&path).map_err(|error| refused(error.to_string()))?.len();
        if length > MAX_BYTES {
            return Err(refused(format!("an answer has at most {MAX_BYTES} bytes, not {length}")));
        }
        let text = fs::read_to_string(&path).map_err(|error| refused(error.to_string()))?;
        serde_json::from_str(&text).map_err(|error| refused(format!("no answer: {error}")))
    }

    /// A row for each size tried and seed. No cell needs quotes.
    fn csv(&self) -> String {
        let mut text = "seed,members,commits,digest,holds".to_owned();
        for Limit { name, .. } in &self.budgets {
            text += &format!(",{name},{name}_limit,{name}_holds");
        }
        text += "\n";
        for row in &self.tried {
            let holds = row.holds(&self.budgets);
            text += &format!("{},{},{},{},{holds}", row.seed, row.members, row.commits, row.digest);
            for (Limit { limit, .. }, value) in self.budgets.iter().zip(&row.values) {
                text += &match value {
                    Some(value) => format!(",{value},{limit},{}", value <= limit),
                    None => format!(",,{limit},"),
                };
            }
            text += "\n";
        }
        text
    }

    /// The largest group in words, and of how many seeds; none where some seed has no size that holds.
    fn found(&self) -> Option<String> {
        let CapacityInterval { lo, median, hi, at_least } = self.largest?;
        let more = if at_least { " or more" } else { "" };
        Some(match self.seeds.len() {
            1 => format!("{median}{more}, of one seed"),
            n => format!("{median}{more} ({lo} to {hi} over {n} seeds)"),
        })
    }

    /// The names of the budgets that bind first.
    fn binding(&self) -> String {
        let binds: Vec<_> = self.binds.iter().map(|(name, _)| &name[..]).collect();
        if binds.is_empty() { "none".into() } else { binds.join(", ") }
    }

    /// The answer in words.
    pub(super) fn words(&self) -> String {
        let mut text = format!(
            "{}, {} {}, on `{}`:\n",
            self.scenario, self.protocol, self.strategy, self.profile
        );
        if !self.grows.is_empty() {
            text += &format!("grows with the members: {}\n", self.grows.join(", "));
        }
        for Limit { name, what, limit } in &self.budgets {
            text += &format!("budget {name}, at most {}: {what}\n", told(name, *limit));
        }
        for OfSeed { seed, largest, fails, binds } in &self.seeds {
            let size = largest.map_or("no group".into(), |size| format!("{size} members"));
            text += &match fails {
                None => format!("seed {seed}: {size} hold, the most that was tried\n"),
                Some(fails) => {
                    format!("seed {seed}: {size}; at {fails} breaks {}\n", broken(binds))
                }
            };
        }
        if let Some(largest) = self.found() {
            text += &format!("largest group: {largest}; what binds: {}\n", self.binding());
        }
        text
    }
}

/// Broken budgets, with how many times their limit was taken.
pub(super) fn broken(binds: &[(String, f64)]) -> String {
    let binds = binds.iter().map(|(name, share)| format!("{name} ({share:.3} times)"));
    binds.collect::<Vec<_>>().join(", ")
}

/// A value of a budget as people say it.
pub(super) fn told(name: &str, value: f64) -> String {
    let measure = Measure::ALL.into_iter().find(|measure| measure.key() == name);
    measure.map_or_else(|| value.to_string(), |measure| measure.told(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Vec<Limit> {
        let limit = |name: &str, limit| Limit { name: name.into(), what: String::new(), limit };
        vec![limit("join", 2.0), limit("memory", 10.0)]
    }

    fn tried(members: u32, join: Option<f64>, memory: f64) -> Tried {
        let (seed, commits, digest) = (1, 3, "d".to_owned());
        Tried { seed, members, commits, digest, values: vec![join, Some(memory)] }
    }

    #[test]
    fn the_worst_broken_budget_binds() {
        let rows = [tried(16, None, 1.0), tried(17, Some(3.0), 20.0), tried(18, Some(9.0), 30.0)];
        assert!(rows[0].holds(&limits()) && !rows[1].holds(&limits()));
        let found = Found::Between { largest: 16, fails: 17 };
        let answer = OfSeed::new(1, found, &rows, &limits());
        assert_eq!(answer.binds, [("join".to_owned(), 1.5)]);
        let whole = OfSeed::new(2, Found::AtLeast(16), &rows[..1], &limits());
        assert!(whole.binds.is_empty());
        let seen = [tried(16, Some(1.0), 1.0), rows[1].clone()];
        let both = [OfSeed::new(1, found, &seen, &limits()), whole];
        assert_eq!(binding(&both, &limits()), [("memory".to_owned(), 1)]);
        let expected = CapacityInterval { lo: 16, median: 16, hi: 16, at_least: true };
        assert_eq!(interval(&both), Some(expected));
        let none = OfSeed::new(3, Found::None, &rows[1..], &limits());
        assert_eq!((none.largest, none.fails), (None, Some(17)));
        // Nobody had joined at 16: that says nothing of how long it takes, however much memory binds.
        assert_eq!(answer.largest, None);
        let rows = [tried(16, Some(1.0), 1.0), rows[1].clone()];
        let answer = OfSeed::new(1, found, &rows, &limits());
        assert_eq!(answer.largest, Some(16));
        assert_eq!(answer.binds, [("memory".to_owned(), 2.0), ("join".to_owned(), 1.5)]);
        assert_eq!(interval(&[none]), None);
    }

    #[test]
    fn a_table_has_a_row_a_size_and_says_what_holds() {
        let answer = Answer {
            scenario: "s".into(),
            protocol: "p".into(),
            strategy: "rfc9420".into(),
            profile: "phone".into(),
            profile_title: "a phone".into(),
            profile_source: "a guess".into(),
            grows: vec![],
            budgets: limits(),
            largest: None,
            binds: vec![],
            seeds: vec![OfSeed { seed: 1, largest: Some(16), fails: Some(17), binds: vec![] }],
            tried: vec![tried(16, None, 1.0), tried(17, Some(3.0), 10.0)],
        };
        let expected = "seed,members,commits,digest,holds,join,join_limit,join_holds,memory,memory_limit,memory_holds\n\
                        1,16,3,d,true,,2,,1,10,true\n\
                        1,17,3,d,false,3,2,false,10,10,true\n";
        assert_eq!(answer.csv(), expected);
        let folder = tempfile::tempdir().unwrap();
        answer.write(folder.path()).unwrap();
        let names = ["capacity.csv", "capacity.json", "plots/capacity.svg", "plots/capacity.png"];
        assert!(names.iter().all(|name| folder.path().join(name).is_file()));
        assert_eq!(Answer::read(folder.path()).unwrap().tried, answer.tried);
        let file = folder.path().join(FILE);
        let text = fs::read_to_string(&file).unwrap();
        let is_older = |line: &&str| !line.contains("\"profile_");
        fs::write(&file, text.lines().filter(is_older).collect::<String>()).unwrap();
        assert_eq!(Answer::read(folder.path()).unwrap().profile_source, "");
    }
}
