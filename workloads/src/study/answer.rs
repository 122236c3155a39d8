//! The answer of a study: one sentence around one mean, or around the ratio of two.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Study;
use crate::scenario::{Wrong, require};

/// Where the sentence has its number.
const VALUE: &str = "{value}";

/// A sentence with a number in it: the mean of the metric at `at`, divided by the mean at `at` with
/// what `than` changes if that is given. A report puts the number and its interval where `{value}`
/// stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The sentence, with `{value}` once.
    pub says: String,
    /// A number of the cells.
    pub metric: String,
    /// A value of every axis.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub at: toml::Table,
    /// Other values of axes, to compare with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub than: Option<toml::Table>,
}

impl Answer {
    /// What stands before the number, and what after it.
    pub fn around(&self) -> (&str, &str) {
        self.says.split_once(VALUE).unwrap_or((&self.says, ""))
    }

    pub(super) fn check(&self, study: &Study) -> Result<(), Wrong> {
        let once = self.says.matches(VALUE).count() == 1;
        require(once, "answer.says", format!("`{VALUE}` stands once in the sentence"))?;
        for axis in &study.axes {
            let what = format!("it names one point: give a value of axis `{}`", axis.name);
            require(self.at.contains_key(&axis.name), "answer.at", what)?;
        }
        for (axis, value) in self.at.iter().chain(self.than.iter().flatten()) {
            study.check_values("answer", axis, std::slice::from_ref(value))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        name = "s"
        title = "t"
        question = "q"
        answer = { says = "It is {value} times.", metric = "m", at = { n = 4, p = 0 }, than = { p = 2 } }
        axes = [
            { name = "n", values = [{ value = 4 }, { value = 8 }] },
            { name = "p", values = [{ value = 0 }, { value = 2 }] },
        ]
        scenario = {}
    "#;

    #[test]
    fn a_sentence_has_one_number_of_one_point() {
        let study = Study::parse("s", TEXT).unwrap();
        assert_eq!(study.answer.as_ref().unwrap().around(), ("It is ", " times."));
        assert_eq!(Study::parse("again", &study.to_toml()).unwrap(), study);
        for (from, to, what) in [
            ("{value} times", "so", "stands once"),
            ("times", "or {value}", "stands once"),
            ("n = 4, ", "", "give a value of axis `n`"),
            ("n = 4, ", "n = 5, ", "no value 5"),
            ("{ p = 2 }", "{ q = 2 }", "no axis `q`"),
            ("metric = \"m\", ", "", "metric"),
        ] {
            let refused = Study::parse("s", &TEXT.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(refused.contains(what), "{refused}");
        }
    }
}
