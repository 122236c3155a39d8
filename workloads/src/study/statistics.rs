//! What is computed of a study beside means: quotients, paired differences along an axis, and how a
//! number grows along one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Study, value_text};
use crate::scenario::{Wrong, require};

/// What a number of a cell is divided by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Divisor {
    /// A plain number: 86,400 makes days of seconds.
    Number(f64),
    /// Another number of the cell, by its name.
    Metric(String),
}

/// Differences between values of an axis, paired by seed: the same seed brings the same people on
/// the same days. Told for every combination of the other axes that `at` leaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Paired {
    /// The axis along which.
    pub axis: String,
    /// The value that the others are compared with; every two of them without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub base: Option<toml::Value>,
    /// The numbers that are compared.
    pub metrics: Vec<String>,
    /// Values of other axes.
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub at: toml::Table,
}

/// How a number grows along an axis of numbers: the slope of ln y against ln x, which is the
/// exponent of a power, and that of y against log2 x. Told for every combination of the other axes
/// that `at` leaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fit {
    /// The axis along which.
    pub x: String,
    /// The number that grows.
    pub y: String,
    /// Values of other axes.
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub at: toml::Table,
    /// Only values of x from here on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<f64>,
    /// What is expected, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub says: String,
    /// The exponent is at least this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The exponent is at most this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// The form that fits better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Form>,
}

/// A form of growth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// y = a·x^b.
    Power,
    /// y = a + b·log2 x.
    Log2,
}

impl Paired {
    pub(super) fn check(&self, study: &Study) -> Result<(), Wrong> {
        const KEY: &str = "paired";
        let what = format!("there is no axis `{}`", self.axis);
        let axis = study.axis(&self.axis).ok_or(Wrong { key: KEY, what })?;
        let few = format!("axis `{}` has a single value", self.axis);
        require(axis.values.len() > 1, KEY, few)?;
        require(!self.metrics.is_empty(), KEY, "name at least one metric")?;
        if let Some(base) = &self.base {
            study.check_values(KEY, &self.axis, std::slice::from_ref(base))?;
        }
        study.check_place(KEY, &self.at, &[&self.axis])
    }
}

impl Fit {
    pub(super) fn check(&self, study: &Study) -> Result<(), Wrong> {
        const KEY: &str = "fits";
        let what = format!("there is no axis `{}`", self.x);
        let axis = study.axis(&self.x).ok_or(Wrong { key: KEY, what })?;
        let positive = |text: String| text.parse::<f64>().is_ok_and(|x| x > 0.0);
        let numbers = axis.values.iter().all(|value| positive(value_text(&value.value)));
        let what = format!("axis `{}` has values that are no numbers above 0", self.x);
        require(numbers, KEY, what)?;
        let expects = self.min.is_some() || self.max.is_some() || self.form.is_some();
        let said = expects != self.says.is_empty();
        let what = format!("`{}`: `says` goes with `min`, `max` or `form`", self.y);
        require(said, KEY, what)?;
        study.check_place(KEY, &self.at, &[&self.x])
    }
}
