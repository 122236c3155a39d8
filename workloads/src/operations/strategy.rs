//! A strategy in a file: in words (`"rfc9420+placement=nearest"`), or a table of a preset and its
//! choices, of which the axes of a study can each set one.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de};

/// Reads either form; gives the words.
pub(super) fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        Words(String),
        Table(BTreeMap<String, String>),
    }
    let wrong = "expected a strategy in words, or a table with a `preset` and choices, all texts";
    let given = Given::deserialize(deserializer).map_err(|_| de::Error::custom(wrong))?;
    let mut table = match given {
        Given::Words(words) => return Ok(words),
        Given::Table(table) => table,
    };
    let preset =
        table.remove("preset").ok_or_else(|| de::Error::custom("a `preset` is missing"))?;
    let choices = table.into_iter().map(|(choice, value)| format!("+{choice}={value}"));
    Ok(choices.fold(preset, |words, choice| words + &choice))
}
