//! A strategy as a scenario writes it: a text, like `"rfc9420+warming=on-join"`, or a table of the
//! same choices, which becomes that text. What the choices mean is for others to say.
//!
//! ```toml
//! [group.strategy]
//! preset = "rfc9420"
//! warming = "on-join"
//! ```

use std::collections::BTreeMap;
use std::fmt;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, MapAccess};

/// The strategy of a scenario that names none, and of a table without a preset.
pub(super) fn rfc9420() -> String {
    "rfc9420".into()
}

/// Reads a text, or a table whose choices come in the order of their names: two tables that say
/// the same are the same strategy.
pub(crate) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    struct Visitor;
    impl<'de> de::Visitor<'de> for Visitor {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a strategy like \"rfc9420+warming=on-join\", or a table of its choices")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
            Ok(text.to_owned())
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<String, A::Error> {
            let mut choices: BTreeMap<String, String> = BTreeMap::new();
            while let Some((choice, value)) = map.next_entry::<String, String>()? {
                if [&choice, &value].iter().any(|word| word.contains(['+', '='])) {
                    let what = format!("`{choice} = \"{value}\"` is not one choice and its value");
                    return Err(de::Error::custom(what));
                }
                choices.insert(choice, value);
            }
            let preset = choices.remove("preset").unwrap_or_else(rfc9420);
            let part = |(choice, value): (&String, &String)| format!("+{choice}={value}");
            Ok(preset + &choices.iter().map(part).collect::<String>())
        }
    }
    deserializer.deserialize_any(Visitor)
}

pub(super) fn schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "a preset and what differs from it, as a text or as a table",
        "anyOf": [
            { "type": "string" },
            { "type": "object", "additionalProperties": { "type": "string" } }
        ]
    })
}
