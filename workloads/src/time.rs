//! Virtual time and durations: whole milliseconds, written `250ms`, `30s`, `5min` (or `5m`), `12h`,
//! `7d` or `2w`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A moment of virtual time, or a duration, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub u64);

/// Units from the longest, with their length in milliseconds.
const UNITS: [(&str, u64); 7] = [
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("min", 60_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// The longest duration: a thousand years.
const LONGEST: u64 = 1_000 * 365 * 86_400_000;

impl Millis {
    /// One day.
    pub const DAY: Self = Self(86_400_000);

    /// As seconds.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1_000.0
    }

    /// From seconds, rounded to the nearest millisecond; longer than a thousand years is a
    /// thousand years.
    pub fn from_secs_f64(seconds: f64) -> Self {
        let millis = libm::round(seconds * 1_000.0);
        Self(if millis >= LONGEST as f64 { LONGEST } else { millis.max(0.0) as u64 })
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, length): &&(&str, u64)| self.0.is_multiple_of(*length);
        let (unit, length) = UNITS.iter().find(fits).unwrap_or(&("ms", 1));
        // Nothing is said in weeks that was written in days.
        let (unit, length) = if *unit == "w" { (&"d", &86_400_000) } else { (unit, length) };
        if self.0 == 0 { f.write_str("0s") } else { write!(f, "{}{unit}", self.0 / length) }
    }
}

impl FromStr for Millis {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || {
            format!(
                "`{text}` is not a duration: write a number and a unit (ms, s, min, h, d, w), like \"5min\" or \"1.5h\""
            )
        };
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(expected)?;
        let (number, unit) = text.split_at(digits);
        let number: f64 = number.parse().map_err(|_| expected())?;
        let known = UNITS.iter().find(|(name, _)| *name == unit.trim());
        let (_, length) = known.ok_or_else(expected)?;
        let millis = number * *length as f64;
        if millis > LONGEST as f64 {
            return Err(format!("`{text}` is longer than a thousand years"));
        }
        Ok(Self(libm::round(millis) as u64))
    }
}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Millis;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration with its unit, like \"5min\" or \"7d\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Millis, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

impl JsonSchema for Millis {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9]+(\\.[0-9]+)? *(ms|s|min|m|h|d|w)$",
            "description": "a duration with its unit, like 5min or 7d"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, millis) in [
            ("250ms", 250),
            ("30s", 30_000),
            ("5min", 300_000),
            ("5m", 300_000),
            ("1.5h", 5_400_000),
            ("7d", 604_800_000),
        ] {
            assert_eq!(text.parse(), Ok(Millis(millis)));
        }
        assert_eq!("90m".parse::<Millis>().unwrap().to_string(), "90min");
        assert_eq!("2w".parse::<Millis>().unwrap().to_string(), "14d");
        for millis in [0, 1, 999, 1_000, 61_000, 3_600_000, 90_000_000] {
            assert_eq!(Millis(millis).to_string().parse(), Ok(Millis(millis)));
        }
    }

    #[test]
    fn what_is_not_a_duration_is_refused() {
        for text in ["", "5", "min", "-5min", "5 parsecs", "1e99d", "..s"] {
            assert!(text.parse::<Millis>().is_err(), "{text}");
        }
    }
}
