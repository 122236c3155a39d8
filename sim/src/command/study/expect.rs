//! Whether a study's statements hold of the means that were measured.

use std::fmt;

use arboretum_results::StudyTables;
use arboretum_workloads::{Expect, Study, value_text};

/// What came of a statement at one point, or of one whose points were not run.
pub(super) struct Verdict {
    says: String,
    metric: String,
    /// The point, and what was found there; no number where there is none.
    found: Option<(String, f64)>,
    min: Option<f64>,
    max: Option<f64>,
}

impl Verdict {
    /// What was found of a statement at a point, and its bounds.
    pub(super) fn new(
        says: &str,
        metric: &str,
        found: Option<(String, f64)>,
        (min, max): (Option<f64>, Option<f64>),
    ) -> Self {
        Self { says: says.to_owned(), metric: metric.to_owned(), found, min, max }
    }

    pub(super) fn is_broken(&self) -> bool {
        let Some((_, value)) = self.found else { return false };
        let enough = self.min.is_none_or(|min| value >= min);
        let few = self.max.is_none_or(|max| value <= max);
        value.is_nan() || !enough || !few
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "says": self.says,
            "metric": self.metric,
            "at": self.found.as_ref().map(|(point, _)| point),
            "found": self.found.as_ref().map(|(_, value)| value),
            "min": self.min,
            "max": self.max,
            "holds": self.found.as_ref().map(|_| !self.is_broken()),
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((point, value)) = &self.found else {
            return write!(f, "not run: {}", self.says);
        };
        let verdict = if self.is_broken() { "does not hold" } else { "holds" };
        write!(f, "{verdict}: {} ({} at {point} is {value:.4}", self.says, self.metric)?;
        if let Some(min) = self.min {
            write!(f, ", expected at least {min}")?;
        }
        if let Some(max) = self.max {
            write!(f, ", expected at most {max}")?;
        }
        f.write_str(")")
    }
}

/// The verdicts on all statements, in their order.
pub(super) fn verdicts(study: &Study, tables: &StudyTables) -> Vec<Verdict> {
    study.expect.iter().flat_map(|expect| of(expect, tables)).collect()
}

fn of(expect: &Expect, tables: &StudyTables) -> Vec<Verdict> {
    let column = |name: &str| tables.axes.iter().position(|axis| axis == name);
    let place = |(axis, value): (&String, _)| Some((column(axis)?, value_text(value)));
    let at: Vec<_> = expect.at.iter().filter_map(place).collect();
    let than = expect.than.as_ref();
    let than: Option<Vec<_>> = than.map(|than| than.iter().filter_map(place).collect());
    let verdict = |found| Verdict {
        says: expect.says.clone(),
        metric: expect.metric.clone(),
        found,
        min: expect.min,
        max: expect.max,
    };
    let points = tables.points();
    let meant = points.iter().filter(|point| at.iter().all(|(axis, value)| point[*axis] == *value));
    let mean = |point: &[String]| {
        tables.mean(point, &expect.metric).map_or(f64::NAN, |estimate| estimate.mean)
    };
    let found = meant.filter_map(|point| {
        let value = mean(point);
        let (value, words) = match &than {
            None => (value, point.join(" ")),
            Some(than) => {
                let mut other = point.to_vec();
                than.iter().for_each(|(axis, value)| other[*axis].clone_from(value));
                // A statement about a point that was not run is none.
                points.iter().find(|run| **run == other)?;
                let words = format!("{} against {}", point.join(" "), other.join(" "));
                (value / mean(&other), words)
            }
        };
        Some(verdict(Some((words, value))))
    });
    let found: Vec<_> = found.collect();
    if found.is_empty() { vec![verdict(None)] } else { found }
}
