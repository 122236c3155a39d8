//! Moments in words and numbers, as milliseconds since 1970.

use std::fmt;
use std::str::FromStr;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::error::shown;

/// The latest moment: the end of the year 9999.
const MAX_SECONDS: f64 = 253_402_300_799.0;

/// How a log writes moments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeFormat {
    /// Seconds since 1970, with or without decimals.
    #[default]
    Unix,
    /// Milliseconds since 1970.
    UnixMillis,
    /// RFC 3339, as in `2018-03-22T10:00:00Z`.
    Rfc3339,
}

impl TimeFormat {
    /// All of them, by their names.
    pub const ALL: [(&'static str, Self); 3] =
        [("unix", Self::Unix), ("unix-ms", Self::UnixMillis), ("rfc3339", Self::Rfc3339)];

    /// Reads a moment.
    pub(super) fn read(self, text: &str) -> Result<u64, String> {
        let text = text.trim();
        match self {
            Self::Unix => number(text, 1_000.0)
                .ok_or_else(|| wrong(text, "seconds since 1970, at least 0, as in 1521676800")),
            Self::UnixMillis => number(text, 1.0).ok_or_else(|| {
                wrong(text, "milliseconds since 1970, at least 0, as in 1521676800000")
            }),
            Self::Rfc3339 => moment(text)
                .ok_or_else(|| wrong(text, "a time from 1970 on as in 2018-03-22T10:00:00Z")),
        }
    }
}

fn wrong(text: &str, expected: &str) -> String {
    format!("{} is not {expected}", shown(text))
}

fn number(text: &str, millis: f64) -> Option<u64> {
    // What Rust reads as numbers beyond these is no moment: "inf", "1e9".
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let value: f64 = text.parse().ok().filter(|_| plain)?;
    (value * millis <= MAX_SECONDS * 1_000.0).then(|| libm::round(value * millis) as u64)
}

fn moment(text: &str) -> Option<u64> {
    let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    u64::try_from(moment.unix_timestamp_nanos() / 1_000_000).ok()
}

/// A moment in seconds since 1970.
pub(super) fn seconds(seconds: i64) -> Result<u64, String> {
    match u64::try_from(seconds) {
        Ok(since) if since as f64 <= MAX_SECONDS => Ok(since * 1_000),
        _ => Err(format!("{seconds} seconds since 1970 are outside the years 1970 to 9999")),
    }
}

impl FromStr for TimeFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(name, _)| *name == text);
        found.map(|(_, format)| *format).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|(name, _)| *name).collect();
            format!("there is {}", names.join(", "))
        })
    }
}

impl fmt::Display for TimeFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = Self::ALL.iter().find(|(_, format)| format == self);
        f.write_str(found.map_or("", |(name, _)| name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read() {
        let (unix, millis, words) = (TimeFormat::Unix, TimeFormat::UnixMillis, TimeFormat::Rfc3339);
        assert_eq!(unix.read("1521676800"), Ok(1_521_676_800_000));
        assert_eq!(unix.read(" 12.5 "), Ok(12_500));
        assert_eq!(millis.read("1521676800123"), Ok(1_521_676_800_123));
        assert_eq!(words.read("2018-03-22T00:00:00Z"), Ok(1_521_676_800_000));
        assert_eq!(words.read("2018-03-22T01:30:00.250+01:30"), Ok(1_521_676_800_250));
        for text in ["", "x", "-1", "1e9", "inf", "NaN", "253402300800", "1.2.3"] {
            assert!(unix.read(text).unwrap_err().contains("is not seconds since 1970"), "{text}");
        }
        assert!(millis.read("253402300799001").is_err());
        for text in ["", "2018-03-22", "1969-12-31T23:59:59Z", "2018-02-30T00:00:00Z"] {
            assert!(words.read(text).unwrap_err().contains("as in 2018-03-22T10"), "{text}");
        }
        assert!(seconds(-1).is_err() && seconds(253_402_300_800).is_err());
        assert_eq!(seconds(5), Ok(5_000));
        for (name, format) in TimeFormat::ALL {
            assert_eq!((name.parse(), format.to_string()), (Ok(format), name.to_owned()));
        }
    }
}
