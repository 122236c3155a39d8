//! Numbers as people read them: `24,998`, `1.2 MB`, `25k`, `3 days`.

const MILLIS_PER_S: f64 = 1_000.0;

/// A whole number with its thousands apart.
pub(crate) fn whole(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number for a sentence: whole when large, one digit after the point below 100.
pub(crate) fn figure(value: f64) -> String {
    if value < 100.0 && value.fract() != 0.0 {
        trimmed(value, 1)
    } else {
        whole(value.round().max(0.0) as u64)
    }
}

/// A number with four digits that count, for a table: `24,998`, `15.62`, `0.0188`, `-3`.
pub(crate) fn number(value: f64) -> String {
    const DIGITS: i32 = 4;
    let size = value.abs();
    if (1_000.0..1e15).contains(&size) {
        let sign = if value < 0.0 { "-" } else { "" };
        return format!("{sign}{}", whole(size.round() as u64));
    }
    if value == 0.0 || !value.is_finite() || !(1e-6..1e15).contains(&size) {
        return if value == 0.0 { "0".to_owned() } else { format!("{value:.3e}") };
    }
    let before = size.log10().floor() as i32 + 1;
    trimmed(value, (DIGITS - before).max(0) as usize)
}

/// A count for an axis: `10`, `25k`, `1M`; `0.001` where it is no count.
pub(crate) fn short(value: f64) -> String {
    if value > 0.0 && value < 0.01 {
        return trimmed(value, (-value.log10()).ceil().clamp(0.0, 9.0) as usize + 1);
    }
    scaled(value, &[(1e9, "G"), (1e6, "M"), (1e3, "k")])
}

/// Bytes in decimal units: `950 B`, `1.2 kB`, `14 MB`.
pub(crate) fn bytes(value: f64) -> String {
    scaled(value, &[(1e12, " TB"), (1e9, " GB"), (1e6, " MB"), (1e3, " kB"), (1.0, " B")])
}

/// A share of 1 in percent: `100 %`, `0.1 %`.
pub(crate) fn percent(share: f64) -> String {
    let value = share * 100.0;
    // Enough digits to show a share that is not zero, and an end to them.
    let digits = if value > 0.0 { (-value.log10()).ceil().clamp(0.0, 9.0) as usize } else { 0 };
    format!("{} %", trimmed(value, digits))
}

/// A span of time in its natural unit: `90 s`, `36 h`, `30 days`.
pub(crate) fn span(millis: f64) -> String {
    let unit = TimeUnit::of(millis);
    let value = trimmed(millis / unit.millis, usize::from(millis / unit.millis < 10.0));
    let plural = if value == "1" { unit.one } else { unit.many };
    format!("{value} {plural}")
}

/// A unit of time for an axis or a sentence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TimeUnit {
    pub(crate) millis: f64,
    pub(crate) one: &'static str,
    pub(crate) many: &'static str,
    /// Steps between ticks that look natural in this unit.
    pub(crate) steps: &'static [f64],
}

const UNITS: [TimeUnit; 4] = [
    TimeUnit {
        millis: 86_400.0 * MILLIS_PER_S,
        one: "day",
        many: "days",
        steps: &[0.5, 1.0, 2.0, 5.0, 7.0, 14.0, 30.0, 60.0, 90.0, 180.0, 365.0, 730.0, 1825.0],
    },
    TimeUnit {
        millis: 3_600.0 * MILLIS_PER_S,
        one: "hour",
        many: "hours",
        steps: &[0.5, 1.0, 2.0, 3.0, 6.0, 12.0],
    },
    TimeUnit {
        millis: 60.0 * MILLIS_PER_S,
        one: "minute",
        many: "minutes",
        steps: &[0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0],
    },
    TimeUnit {
        millis: MILLIS_PER_S,
        one: "second",
        many: "seconds",
        steps: &[0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0],
    },
];

impl TimeUnit {
    /// The largest unit of which the span has at least two (or one, if it is exact).
    pub(crate) fn of(millis: f64) -> Self {
        let fits = |unit: &&Self| millis >= 2.0 * unit.millis || millis == unit.millis;
        *UNITS.iter().find(fits).unwrap_or(&UNITS[3])
    }
}

fn scaled(value: f64, units: &[(f64, &str)]) -> String {
    // Just below a unit rounds up into it: 999.9 kB reads better as 1 MB.
    let unit = units.iter().find(|(size, _)| value >= size * 0.9995);
    let smallest = units.last().filter(|(size, _)| *size == 1.0).map_or("", |(_, name)| *name);
    let (size, name) = unit.copied().unwrap_or((1.0, smallest));
    let value = value / size;
    let digits = match value {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        _ => 2,
    };
    format!("{}{name}", trimmed(value, digits))
}

/// At most so many digits after the point, and no zeros at the end.
fn trimmed(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(whole(24_998), "24,998");
        assert_eq!(whole(999), "999");
        assert_eq!(figure(31.24), "31.2");
        assert_eq!(figure(1234.6), "1,235");
        let numbers = [0.0, 24_998.4, 15.618, 0.018_76, -3.0, 999.96, -1_234.6, 1e-9, 0.5];
        let texts = ["0", "24,998", "15.62", "0.01876", "-3", "1000", "-1,235", "1.000e-9", "0.5"];
        assert_eq!(numbers.map(number), texts);
        assert_eq!(number(f64::NAN), "NaN");
        assert_eq!(short(25_000.0), "25k");
        assert_eq!(short(0.0), "0");
        assert_eq!([0.001, 0.0025, 0.00001].map(short), ["0.001", "0.0025", "0.00001"]);
        assert_eq!(bytes(999_990.0), "1 MB");
        assert_eq!(bytes(0.0), "0 B");
        assert_eq!(bytes(1_234.0), "1.23 kB");
        assert_eq!(percent(0.001), "0.1 %");
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(span(30.0 * 86_400_000.0), "30 days");
        assert_eq!(span(86_400_000.0), "1 day");
        assert_eq!(span(5_400_000.0), "90 minutes");
    }
}
