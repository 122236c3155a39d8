//! The study file: a question, a scenario, and the axes along which it is varied. Every point of the
//! grid is run with several seeds; the answer is told by expectations, which compare points.
//!
//! | file | what it owns |
//! |---|---|
//! | this one | the file: schema and limits |
//! | `answer` | the sentence that answers it |
//! | `grid` | the cells of a study: points of the grid, each with a seed |
//! | `statistics` | what is computed beside means: quotients, paired differences, growth |
//! | `shipped` | the studies that come with the lab |

mod answer;
mod grid;
mod shipped;
mod statistics;

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scenario::{ScenarioError, Wrong, check_name, require};

pub use answer::Answer;
pub use grid::{Cell, Filter, Job, value_text, value_texts};
pub use shipped::{find_study, studies};
pub use statistics::{Divisor, Fit, Form, Paired};

/// The most cells of one study.
pub const MAX_CELLS: usize = 100_000;

/// The most seeds of one point.
const MAX_SEEDS: u32 = 10_000;

/// A study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Study {
    /// Its name, letters, digits and dashes.
    pub name: String,
    /// A line for plots.
    pub title: String,
    /// Who asked what, and what an answer must show: text for people.
    pub question: String,
    /// Where its set-up is described.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// What the figures show, and what they do not: text for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub analysis: String,
    /// Seeds of each point, 1 and up.
    #[serde(default = "eight")]
    pub seeds: u32,
    /// Its small size.
    #[serde(default)]
    pub quick: Quick,
    /// What is varied: a scenario, or an experiment (a table with `operations`).
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub scenario: toml::Table,
    /// The axes of the grid.
    pub axes: Vec<Axis>,
    /// Points that are left out of the grid: those with all of these values, of an axis one or any
    /// of a list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<serde_json::Map<String, serde_json::Value>>")]
    pub without: Vec<toml::Table>,
    /// Numbers that are the quotient of two others of each cell, by their names, or of one and a plain
    /// number: `[of, by]`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ratios: BTreeMap<String, (String, Divisor)>,
    /// Which values of an axis are compared, seed by seed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paired: Vec<Paired>,
    /// Whose growth is fitted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fits: Vec<Fit>,
    /// What must hold.
    #[serde(default)]
    pub expect: Vec<Expect>,
    /// The sentence that answers the question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// What is drawn.
    #[serde(default)]
    pub plots: Vec<Plot>,
}

fn eight() -> u32 {
    8
}

/// The small size of a study: fewer seeds, of some axes only some values, and keys of the scenario.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Quick {
    /// Seeds of each point; all if none is given.
    pub seeds: Option<u32>,
    /// The values that are kept, by axis.
    #[schemars(with = "BTreeMap<String, Vec<serde_json::Value>>")]
    pub keep: BTreeMap<String, Vec<toml::Value>>,
    /// What it sets in the scenario, by keys joined by dots; what an axis sets comes later.
    #[serde(skip_serializing_if = "toml::Table::is_empty")]
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub set: toml::Table,
}

/// An axis of the grid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Axis {
    /// Its name, a column of the study's tables.
    pub name: String,
    /// Its values, in the order in which they are shown.
    pub values: Vec<AxisValue>,
}

/// A value of an axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AxisValue {
    /// The value as the tables have it: a text or a number.
    #[schemars(with = "serde_json::Value")]
    pub value: toml::Value,
    /// What it sets in the scenario, by keys joined by dots.
    #[serde(default)]
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub set: toml::Table,
    /// At most so many seeds at points with this value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds: Option<u32>,
}

/// A statement about the means at some points of the grid: the metric at `at`, divided by the
/// metric at `at` with what `than` changes if that is given, is within the bounds. It is held at
/// every point that `at` leaves open, or at none that was run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// What it says, in words.
    pub says: String,
    /// A number of the cells.
    pub metric: String,
    /// Values of axes.
    #[serde(default)]
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub at: toml::Table,
    /// Other values of axes, to compare with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub than: Option<toml::Table>,
    /// At least this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// At most this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

/// A figure of a study: one metric along an axis, a line for each value of another. Values of the
/// axis that are words stand in rows, with a mark for each value of the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plot {
    /// The name of its files.
    pub name: String,
    /// What stands above it.
    pub title: String,
    /// The axis along which.
    pub x: String,
    /// What stands below it.
    pub x_label: String,
    /// The metric.
    pub y: String,
    /// What stands beside it.
    pub y_label: String,
    /// The axis of the lines; a single line without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<String>,
    /// Values of axes that are drawn: of an axis one, or any of a list.
    #[serde(default)]
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub at: toml::Table,
    /// The metric that is log₂ of the members, drawn as a line of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<String>,
    /// Powers of x that are drawn beside the lines, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub powers: BTreeMap<String, f64>,
    /// Whether both axes are logarithmic.
    #[serde(default)]
    pub logarithmic: bool,
}

impl Study {
    /// Reads a study file.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        let text = crate::scenario::read(path)?;
        Self::parse(&path.display().to_string(), &text)
    }

    /// Reads a study from text; `file` names it in errors.
    pub fn parse(file: &str, text: &str) -> Result<Self, ScenarioError> {
        crate::scenario::parse(file, text, &[], Self::check)
    }

    /// The study as resolved, every default written out.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("a study is made of tables, texts and numbers")
    }

    /// The JSON Schema of study files.
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }

    fn axis(&self, name: &str) -> Option<&Axis> {
        self.axes.iter().find(|axis| axis.name == name)
    }

    fn check(&self) -> Result<(), Wrong> {
        check_name(&self.name)?;
        require(!self.question.trim().is_empty(), "question", "say what the study asks")?;
        let seeds = (1..=MAX_SEEDS).contains(&self.seeds);
        require(seeds, "seeds", format!("1 to {MAX_SEEDS} seeds"))?;
        require(!self.axes.is_empty(), "axes", "a study has at least one axis")?;
        let mut cells = self.seeds as usize;
        for axis in &self.axes {
            axis.check()?;
            let twice = self.axes.iter().filter(|other| other.name == axis.name).count() > 1;
            require(!twice, "axes", format!("two axes are called `{}`", axis.name))?;
            cells = cells.saturating_mul(axis.values.len());
        }
        require(cells <= MAX_CELLS, "axes", format!("{cells} cells, at most {MAX_CELLS}"))?;
        for left_out in &self.without {
            require(!left_out.is_empty(), "without", "name at least one value")?;
            self.check_place("without", left_out, &[])?;
        }
        for (name, (_, by)) in &self.ratios {
            let divides = !matches!(by, Divisor::Number(by) if !by.is_normal());
            require(divides, "ratios", format!("nothing is divided by the number of `{name}`"))?;
            let taken = ["seed", "digest"].contains(&name.as_str());
            let told =
                !name.is_empty() && !taken && !self.axes.iter().any(|axis| axis.name == *name);
            require(told, "ratios", format!("a ratio cannot be called `{name}`"))?;
        }
        self.paired.iter().try_for_each(|paired| paired.check(self))?;
        self.fits.iter().try_for_each(|fit| fit.check(self))?;
        require(self.quick.seeds != Some(0), "quick.seeds", "at least 1 seed")?;
        for (axis, values) in &self.quick.keep {
            require(!values.is_empty(), "quick.keep", format!("`{axis}`: at least one value"))?;
            self.check_values("quick.keep", axis, values)?;
        }
        for expect in &self.expect {
            let told = expect.min.is_some() || expect.max.is_some();
            let what = format!("`{}` has neither `min` nor `max`", expect.says);
            require(told, "expect", what)?;
            for (axis, value) in expect.at.iter().chain(expect.than.iter().flatten()) {
                self.check_values("expect", axis, std::slice::from_ref(value))?;
            }
        }
        if let Some(answer) = &self.answer {
            answer.check(self)?;
        }
        self.plots.iter().enumerate().try_for_each(|(number, plot)| {
            let named = check_name(&plot.name).is_ok();
            require(named, "plots", format!("a plot cannot be called `{}`", plot.name))?;
            let twice = self.plots[..number].iter().any(|other| other.name == plot.name);
            require(!twice, "plots", format!("two plots are called `{}`", plot.name))?;
            for axis in std::iter::once(&plot.x).chain(&plot.series) {
                let what = format!("`{}`: there is no axis `{axis}`", plot.name);
                require(self.axis(axis).is_some(), "plots", what)?;
            }
            self.check_place("plots", &plot.at, &[])
        })
    }

    /// Whether axes have these values, one each or several; none of them may be one of `taken`.
    fn check_place(
        &self,
        key: &'static str,
        place: &toml::Table,
        taken: &[&str],
    ) -> Result<(), Wrong> {
        place.iter().try_for_each(|(axis, values)| {
            let free = !taken.contains(&axis.as_str());
            require(free, key, format!("`at` cannot say which values of axis `{axis}`"))?;
            self.check_values(key, axis, several(values))
        })
    }

    /// Whether an axis has these values.
    fn check_values(
        &self,
        key: &'static str,
        name: &str,
        values: &[toml::Value],
    ) -> Result<(), Wrong> {
        let axis = self.axis(name);
        let axis = axis.ok_or(Wrong { key, what: format!("there is no axis `{name}`") })?;
        values.iter().try_for_each(|value| {
            let known: Vec<String> = axis.values.iter().map(|v| value_text(&v.value)).collect();
            let what = format!("axis `{name}` has no value {value}: {}", known.join(", "));
            require(known.contains(&value_text(value)), key, what)
        })
    }
}

/// The values of axes that an `at` names, as the tables have them.
pub fn place(at: &toml::Table) -> Vec<(String, Vec<String>)> {
    let texts = |values| several(values).iter().map(value_text).collect();
    at.iter().map(|(axis, values)| (axis.clone(), texts(values))).collect()
}

/// One value, or all of a list.
fn several(values: &toml::Value) -> &[toml::Value] {
    values.as_array().map_or_else(|| std::slice::from_ref(values), Vec::as_slice)
}

impl Axis {
    fn check(&self) -> Result<(), Wrong> {
        let name = &self.name;
        let reserved = ["seed", "digest", "metric"].contains(&&**name);
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        let named = !name.is_empty() && plain && !reserved;
        require(named, "axes", format!("an axis cannot be called `{name}`"))?;
        require(!self.values.is_empty(), "axes", format!("axis `{name}` has no value"))?;
        for (at, one) in self.values.iter().enumerate() {
            let plain = !matches!(one.value, toml::Value::Array(_) | toml::Value::Table(_));
            require(plain, "axes", format!("axis `{name}`: a value is a text or a number"))?;
            let seeds = one.seeds.is_none_or(|seeds| seeds > 0);
            require(seeds, "axes", format!("axis `{name}`: at least 1 seed"))?;
            let text = value_text(&one.value);
            let twice = self.values[..at].iter().any(|other| value_text(&other.value) == text);
            require(!twice, "axes", format!("axis `{name}` has the value {} twice", one.value))?;
        }
        Ok(())
    }
}
