//! What is done about members who have fallen silent: `"keep"`, `"evict:D"`, or
//! `"quarantine:D:R:S"`; delays in operations.

use std::borrow::Cow;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What is done about members who have fallen silent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Inactive {
    /// Nothing.
    #[default]
    Keep,
    /// They are removed after so long.
    Evict {
        /// The delay.
        after: u64,
    },
    /// Somebody else renews their keys and shares the secret out (Quarantined TreeKEM).
    Quarantine {
        /// The delay until a member becomes a ghost.
        after: u64,
        /// How often a ghost's keys are renewed.
        refresh: u64,
        /// How long a ghost stays until it is removed.
        stay: u64,
    },
}

impl FromStr for Inactive {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is none of \"keep\", \"evict:D\" and \"quarantine:D:R:S\", where D, R and S \
                 are delays in operations, at least 1"
            )
        };
        let mut parts = text.split(':');
        let name = parts.next();
        let delays: Option<Vec<u64>> =
            parts.map(|part| part.parse().ok().filter(|delay| *delay > 0)).collect();
        match (name, delays.ok_or_else(wrong)?.as_slice()) {
            (Some("keep"), []) => Ok(Self::Keep),
            (Some("evict"), [after]) => Ok(Self::Evict { after: *after }),
            (Some("quarantine"), [after, refresh, stay]) => {
                Ok(Self::Quarantine { after: *after, refresh: *refresh, stay: *stay })
            }
            _ => Err(wrong()),
        }
    }
}

impl std::fmt::Display for Inactive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Keep => f.write_str("keep"),
            Self::Evict { after } => write!(f, "evict:{after}"),
            Self::Quarantine { after, refresh, stay } => {
                write!(f, "quarantine:{after}:{refresh}:{stay}")
            }
        }
    }
}

impl Serialize for Inactive {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Inactive {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Inactive {
    fn schema_name() -> Cow<'static, str> {
        "Inactive".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^(keep|evict:[0-9]+|quarantine:[0-9]+:[0-9]+:[0-9]+)$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_back() {
        for text in ["keep", "evict:10", "quarantine:10:5:100"] {
            assert_eq!(text.parse::<Inactive>().unwrap().to_string(), text);
        }
        for text in ["", "kept", "keep:1", "evict", "evict:0", "evict:x", "quarantine:1:2"] {
            assert!(text.parse::<Inactive>().is_err(), "{text}");
        }
    }
}
