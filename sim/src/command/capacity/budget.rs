//! Budgets: what is measured of a group of some size, and the most that it may be.

use arboretum_results::Summary;
use arboretum_workloads::nearest;

use crate::command::failure::Failure;
use crate::command::price::seconds;
use crate::command::pricing::Priced;

/// What a budget is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    CommitMake,
    CommitProcess,
    Join,
    CatchUp,
    CpuPerDay,
    BytesPerDay,
    Memory,
    Rejected,
}

/// What a limit is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Seconds,
    Bytes,
    Share,
}

/// Units by what they are of, with their lengths.
const UNITS: &[(Unit, &str, f64)] = &[
    (Unit::Seconds, "us", 1e-6),
    (Unit::Seconds, "µs", 1e-6),
    (Unit::Seconds, "ms", 1e-3),
    (Unit::Seconds, "s", 1.0),
    (Unit::Seconds, "min", 60.0),
    (Unit::Bytes, "B", 1.0),
    (Unit::Bytes, "kB", 1e3),
    (Unit::Bytes, "MB", 1e6),
    (Unit::Bytes, "GB", 1e9),
    (Unit::Bytes, "KiB", 1024.0),
    (Unit::Bytes, "MiB", 1_048_576.0),
    (Unit::Bytes, "GiB", 1_073_741_824.0),
    (Unit::Share, "%", 0.01),
];

impl Measure {
    pub(super) const ALL: [Self; 8] = [
        Self::CommitMake,
        Self::CommitProcess,
        Self::Join,
        Self::CatchUp,
        Self::CpuPerDay,
        Self::BytesPerDay,
        Self::Memory,
        Self::Rejected,
    ];

    /// Its name on the command line and in tables.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::CommitMake => "commit_make",
            Self::CommitProcess => "commit_process",
            Self::Join => "join",
            Self::CatchUp => "catch_up",
            Self::CpuPerDay => "cpu_per_day",
            Self::BytesPerDay => "bytes_per_day",
            Self::Memory => "memory",
            Self::Rejected => "rejected",
        }
    }

    /// What it is, in words.
    pub(super) fn words(self, week: bool) -> &'static str {
        match self {
            Self::CommitMake => "time to make a commit, 99th percentile over commits",
            Self::CommitProcess => "time to process a commit, 99th percentile over commits",
            Self::Join => "time to join, 99th percentile over those who do",
            Self::CatchUp if week => {
                "time to catch up after a week away, 99th percentile over those who do"
            }
            Self::CatchUp => {
                "time to catch up, 99th percentile over all who do: the scenario is shorter than a week"
            }
            Self::CpuPerDay => "processor time a day, 99th percentile over members",
            Self::BytesPerDay => "bytes received and sent a day, 99th percentile over members",
            Self::Memory => "bytes of a member's state, by a model: the encoded tree and its keys",
            Self::Rejected => "share of commits that lost the race",
        }
    }

    /// What makes it happen in a scenario.
    fn remedy(self) -> &'static str {
        match self {
            Self::CommitMake | Self::CommitProcess | Self::Rejected => {
                "give the scenario commits: policy.update_every, or arrivals"
            }
            Self::Join => "give the scenario arrivals, or a start that is not `warm`",
            Self::CatchUp => "give the scenario sessions, and a duration with time to be away",
            Self::CpuPerDay | Self::BytesPerDay => "give the scenario members who stay to its end",
            Self::Memory => "leave this budget out: the protocol keeps no tree",
        }
    }

    fn unit(self) -> Unit {
        match self {
            Self::BytesPerDay | Self::Memory => Unit::Bytes,
            Self::Rejected => Unit::Share,
            _ => Unit::Seconds,
        }
    }

    /// Its value in a run, in seconds, bytes, or as a share; none if nothing of it has happened.
    pub(super) fn value(self, summary: &Summary, priced: &Priced<'_>, week: bool) -> Option<f64> {
        match self {
            Self::CommitMake => Some(priced.make(false)?.p99),
            Self::CommitProcess => Some(priced.process()?.p99),
            Self::Join => Some(priced.join()?.p99),
            Self::CatchUp if week => Some(priced.catch_up_after_a_week()?.p99),
            Self::CatchUp => Some(priced.catch_up()?.p99),
            Self::CpuPerDay => Some(priced.client_day()?.p99),
            Self::BytesPerDay => Some(priced.client_day_bytes()?.p99),
            Self::Memory => Some(priced.state_bytes()? as f64),
            Self::Rejected => {
                let all = summary.commits.accepted + summary.commits.rejected;
                (all > 0).then(|| summary.commits.rejected as f64 / all as f64)
            }
        }
    }

    /// That nothing of it has happened in any group that was tried.
    pub(super) fn never(self) -> Failure {
        let what = format!("--budget {}: nothing of it happens in this scenario", self.key());
        Failure::input_with_help(what, self.remedy())
    }

    /// A value as people say it.
    pub(super) fn told(self, value: f64) -> String {
        match self.unit() {
            Unit::Seconds => seconds(value),
            Unit::Share => format!("{:.1} %", value * 100.0),
            Unit::Bytes => {
                let units = [(1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
                let fits = units.iter().find(|(length, _)| value >= *length);
                let (length, unit) = fits.copied().unwrap_or((1.0, "B"));
                format!("{:.1} {unit}", value / length)
            }
        }
    }
}

/// A budget.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Budget {
    pub(super) measure: Measure,
    /// In seconds, bytes, or as a share.
    pub(super) limit: f64,
}

/// Reads the budgets of a command line.
pub(super) fn parse(given: &[String]) -> Result<Vec<Budget>, Failure> {
    let mut budgets: Vec<Budget> = vec![];
    for text in given {
        let budget = parse_one(text)?;
        if budgets.iter().any(|other| other.measure == budget.measure) {
            return Err(Failure::input(format!("--budget {text}: there is one already")));
        }
        budgets.push(budget);
    }
    if budgets.is_empty() {
        let what = "without a budget every group is small enough";
        return Err(Failure::input_with_help(what, "give one, like --budget commit_process=50ms"));
    }
    Ok(budgets)
}

fn parse_one(text: &str) -> Result<Budget, Failure> {
    let refuse = |what: String, help: String| {
        Err(Failure::input_with_help(format!("--budget {text}: {what}"), help))
    };
    let keys = || Measure::ALL.into_iter().map(Measure::key);
    let Some((key, limit)) = text.split_once('=') else {
        return refuse("expected what=limit".into(), "like --budget join=5s".into());
    };
    let Some(measure) = Measure::ALL.into_iter().find(|measure| measure.key() == key.trim()) else {
        let help = match nearest(key.trim(), keys()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("there is: {}", keys().collect::<Vec<_>>().join(", ")),
        };
        return refuse(format!("there is no budget of `{key}`"), help);
    };
    let limit = limit.trim();
    let digits = limit.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(limit.len());
    let (number, unit) = limit.split_at(digits);
    let units = || UNITS.iter().filter(|(of, ..)| *of == measure.unit());
    let length = match (unit.trim(), measure.unit()) {
        ("", Unit::Share) => Some(1.0),
        (unit, _) => units().find(|(_, name, _)| *name == unit).map(|(.., length)| *length),
    };
    let number = number.parse::<f64>().ok().filter(|number| number.is_finite());
    let Some((number, length)) = number.zip(length) else {
        let names: Vec<_> = units().map(|(_, name, _)| *name).collect();
        let help = format!("write a number and a unit: {}", names.join(", "));
        return refuse(format!("`{limit}` is no limit of `{}`", measure.key()), help);
    };
    let limit = number * length;
    if limit <= 0.0 {
        return refuse("nothing stays within 0".into(), "give more than 0".into());
    }
    if measure.unit() == Unit::Share && limit >= 1.0 {
        return refuse("no share is above 100 %".into(), "give less, or leave it out".into());
    }
    Ok(Budget { measure, limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_have_units() {
        let cases = [
            ("commit_process=50ms", Measure::CommitProcess, 0.05),
            ("join=5s", Measure::Join, 5.0),
            ("catch_up = 1.5min", Measure::CatchUp, 90.0),
            ("bytes_per_day=10MB", Measure::BytesPerDay, 1e7),
            ("memory=64MiB", Measure::Memory, 67_108_864.0),
            ("rejected=5%", Measure::Rejected, 0.05),
            ("rejected=0.05", Measure::Rejected, 0.05),
            ("commit_make=20us", Measure::CommitMake, 2e-5),
        ];
        for (text, measure, limit) in cases {
            let budget = parse_one(text).unwrap();
            assert_eq!(budget.measure, measure);
            assert!((budget.limit / limit - 1.0).abs() < 1e-12, "{text}");
        }
    }

    #[test]
    fn what_is_no_budget_is_refused() {
        for text in [
            "join",
            "jion=5s",
            "join=5",
            "join=5MB",
            "join=0s",
            "join=-5s",
            "join=s",
            "join=1.2.3s",
            "memory=5ms",
            "rejected=100%",
            "rejected=2",
            "rejected=0%",
            "join=",
            "=5s",
        ] {
            assert!(parse_one(text).is_err(), "{text}");
        }
        let twice = ["join=1s".to_owned(), "join=2s".to_owned()];
        assert!(parse(&twice).is_err() && parse(&[]).is_err());
    }
}
