//! Whether a study's statements hold of the means that were measured, and what its answer comes to.

use std::fmt;

use arboretum_results::{Estimate, Finding, StudyTables};
use arboretum_workloads::{Answer, Expect, Study, value_texts};

/// What came of a statement at one point, or of one whose points were not run.
pub(in crate::command) struct Verdict {
    says: String,
    metric: String,
    /// What was found; nothing where no point was run.
    found: Option<Found>,
    min: Option<f64>,
    max: Option<f64>,
}

/// A mean at a point, its ratio to that at another, or a number of several points.
struct Found {
    /// Of several points, which ones, in words.
    words: String,
    point: Vec<String>,
    than: Option<Vec<String>>,
    /// None where the cells have no such number.
    estimate: Option<Estimate>,
}

impl Found {
    fn value(&self) -> f64 {
        self.estimate.map_or(f64::NAN, |estimate| estimate.mean)
    }

    fn place(&self) -> String {
        if !self.words.is_empty() {
            return self.words.clone();
        }
        let words = self.point.join(" ");
        match &self.than {
            None => words,
            Some(than) => format!("{words} against {}", than.join(" ")),
        }
    }
}

impl Verdict {
    /// A statement about a number of several points, which are told in words, and its bounds.
    pub(super) fn new(
        says: &str,
        metric: &str,
        found: Option<(String, Estimate)>,
        (min, max): (Option<f64>, Option<f64>),
    ) -> Self {
        let found = found.map(|(words, estimate)| Found {
            words,
            point: vec![],
            than: None,
            estimate: Some(estimate),
        });
        Self { says: says.to_owned(), metric: metric.to_owned(), found, min, max }
    }

    pub(super) fn is_broken(&self) -> bool {
        let Some(found) = &self.found else { return false };
        let value = found.value();
        let enough = self.min.is_none_or(|min| value >= min);
        let few = self.max.is_none_or(|max| value <= max);
        value.is_nan() || !enough || !few
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "says": self.says,
            "metric": self.metric,
            "at": self.found.as_ref().map(Found::place),
            "found": self.found.as_ref().map(Found::value),
            "min": self.min,
            "max": self.max,
            "holds": self.found.as_ref().map(|_| !self.is_broken()),
        })
    }

    /// It as a report shows it.
    pub(in crate::command) fn finding(self) -> Finding {
        let holds = self.found.as_ref().map(|_| !self.is_broken());
        let Self { says, metric, found, min, max } = self;
        let none = Found { words: String::new(), point: vec![], than: None, estimate: None };
        let Found { words: place, point, than, estimate } = found.unwrap_or(none);
        let after = String::new();
        Finding { says, after, metric, place, point, than, estimate, min, max, holds }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(found) = &self.found else {
            return write!(f, "not run: {}", self.says);
        };
        let verdict = if self.is_broken() { "does not hold" } else { "holds" };
        let (says, metric, point) = (&self.says, &self.metric, found.place());
        write!(f, "{verdict}: {says} ({metric} at {point} is {:.4}", found.value())?;
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
pub(in crate::command) fn verdicts(study: &Study, tables: &StudyTables) -> Vec<Verdict> {
    study.expect.iter().flat_map(|expect| of(expect, tables)).collect()
}

fn of(expect: &Expect, tables: &StudyTables) -> Vec<Verdict> {
    let verdict = |found| Verdict {
        says: expect.says.clone(),
        metric: expect.metric.clone(),
        found,
        min: expect.min,
        max: expect.max,
    };
    let than = expect.than.as_ref().map(value_texts);
    let found = find(tables, &expect.metric, &value_texts(&expect.at), than.as_deref());
    if found.is_empty() {
        return vec![verdict(None)];
    }
    found.into_iter().map(|found| verdict(Some(found))).collect()
}

/// The answer of a study, if it has one and its point was run.
pub(in crate::command) fn answer(study: &Study, tables: &StudyTables) -> Option<Finding> {
    let answer @ Answer { metric, at, than, .. } = study.answer.as_ref()?;
    let than = than.as_ref().map(value_texts);
    let found = find(tables, metric, &value_texts(at), than.as_deref()).pop()?;
    found.estimate?;
    let (before, after) = answer.around();
    Some(Finding {
        says: before.to_owned(),
        after: after.to_owned(),
        metric: metric.clone(),
        place: String::new(),
        point: found.point,
        than: found.than,
        estimate: found.estimate,
        min: None,
        max: None,
        holds: None,
    })
}

/// The metric at all points that were run and that `at` leaves open, each over that at the point
/// that `than` changes it to.
fn find(
    tables: &StudyTables,
    metric: &str,
    at: &[(String, String)],
    than: Option<&[(String, String)]>,
) -> Vec<Found> {
    let column = |name: &str| tables.axes.iter().position(|axis| axis == name);
    let columns = |values: &[(String, String)]| -> Vec<(usize, String)> {
        values.iter().filter_map(|(axis, value)| Some((column(axis)?, value.clone()))).collect()
    };
    let (at, than) = (columns(at), than.map(columns));
    let points = tables.points();
    let meant = points.iter().filter(|point| at.iter().all(|(axis, value)| point[*axis] == *value));
    let found = meant.filter_map(|point| {
        let point = point.to_vec();
        let Some(than) = &than else {
            let estimate = tables.mean(&point, metric);
            return Some(Found { words: String::new(), point, than: None, estimate });
        };
        let mut other = point.clone();
        than.iter().for_each(|(axis, value)| other[*axis].clone_from(value));
        // A statement about a point that was not run is none.
        points.iter().find(|run| **run == other)?;
        let estimate = tables.ratio(&point, &other, metric);
        Some(Found { words: String::new(), point, than: Some(other), estimate })
    });
    found.collect()
}
