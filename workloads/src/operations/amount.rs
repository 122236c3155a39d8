//! How many operations: a number, or so many for each member when they begin (`"20n"`).

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A number of operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Amount {
    /// None.
    #[default]
    None,
    /// So many.
    Fixed(u64),
    /// So many for each member who is left when the sequence begins.
    PerMember(u64),
}

impl Amount {
    /// The number, for a group of so many members.
    pub fn of(self, members: u32) -> u64 {
        match self {
            Self::None => 0,
            Self::Fixed(count) => count,
            Self::PerMember(each) => each.saturating_mul(members.into()),
        }
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_u64(0),
            Self::Fixed(count) => serializer.serialize_u64(*count),
            Self::PerMember(each) => serializer.serialize_str(&format!("{each}n")),
        }
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Given {
            Number(u64),
            Text(String),
        }
        let wrong = || de::Error::custom("expected a number, or so many a member like \"20n\"");
        match Given::deserialize(deserializer).map_err(|_| wrong())? {
            Given::Number(0) => Ok(Self::None),
            Given::Number(count) => Ok(Self::Fixed(count)),
            Given::Text(text) => {
                let each = text.strip_suffix('n').and_then(|each| each.parse().ok());
                each.map(Self::PerMember).ok_or_else(wrong)
            }
        }
    }
}

impl JsonSchema for Amount {
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "a number, or so many for each member at the start",
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": "^[0-9]+n$" },
            ],
        })
    }
}
