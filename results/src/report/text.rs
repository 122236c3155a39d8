//! Estimates, dates and command lines in words.

use maud::{Markup, html};
use time::OffsetDateTime;

use crate::bootstrap::Estimate;
use crate::plots::words::number;

/// What the seeds say of a mean.
pub(super) fn interval(estimate: &Estimate) -> String {
    match (estimate.n, estimate.interval) {
        (1, _) => "one seed, no interval".to_owned(),
        (0, _) => "no interval".to_owned(),
        (2, Some((lo, hi))) if lo == hi => "the same with both seeds".to_owned(),
        (n, Some((lo, hi))) if lo == hi => format!("the same with all {n} seeds"),
        (n, Some((lo, hi))) => {
            format!("95\u{a0}% interval {} to {}, {n} seeds", number(lo), number(hi))
        }
        (n, None) => format!("{n} seeds, no interval"),
    }
}

/// A number with what the seeds say of it.
pub(super) fn estimate(estimate: &Estimate) -> Markup {
    html! {
        strong { (number(estimate.mean)) } " "
        span.interval { "(" (interval(estimate)) ")" }
    }
}

/// A point of the grid, and the one that it is compared with.
pub(super) fn place(axes: &[String], point: &[String], than: Option<&Vec<String>>) -> String {
    let named = |(axis, value): (&String, &String)| format!("{axis}\u{a0}=\u{a0}{value}");
    let at: Vec<String> = axes.iter().zip(point).map(named).collect();
    let Some(than) = than else { return at.join(", ") };
    let changed = axes.iter().zip(than).zip(point).filter(|((_, other), value)| other != value);
    let changed: Vec<String> = changed.map(|(other, _)| named(other)).collect();
    format!("{}, over {}", at.join(", "), changed.join(", "))
}

/// A text whose `names` stand between backticks.
pub(super) fn prose(text: &str) -> Markup {
    let parts: Vec<&str> = text.trim().split('`').collect();
    // One without an end is a backtick.
    if parts.len().is_multiple_of(2) {
        return html! { (text.trim()) };
    }
    html! {
        @for (at, part) in parts.iter().enumerate() {
            @if at % 2 == 0 { (part) } @else { code { (part) } }
        }
    }
}

/// A sentence begins large.
pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.trim().chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

/// Seconds since 1970 as a date; empty if they are none.
pub(super) fn date(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok();
    let time = time.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    let Some(time) = time else { return String::new() };
    let (hour, minute) = (time.hour(), time.minute());
    format!("{} {} {}, {hour:02}:{minute:02} UTC", time.day(), time.month(), time.year())
}

/// A command line as a shell reads it; the program by its name.
pub(super) fn command(words: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    let quoted =
        words.iter().skip(1).map(|word| match !word.is_empty() && word.chars().all(plain) {
            true => word.clone(),
            false => format!("'{}'", word.replace('\'', r"'\''")),
        });
    std::iter::once("arboretum".to_owned()).chain(quoted).collect::<Vec<_>>().join(" ")
}

/// One of a thing, or several.
pub(super) fn count(n: usize, one: &str, many: &str) -> String {
    let number = crate::plots::words::whole(n as u64);
    format!("{number} {}", if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_says_what_it_is_worth() {
        let of = |n, interval| super::interval(&Estimate { n, mean: 1.0, interval });
        assert_eq!(of(1, None), "one seed, no interval");
        assert_eq!(of(8, Some((0.5, 2000.4))), "95\u{a0}% interval 0.5 to 2,000, 8 seeds");
        assert_eq!(of(4, Some((16.0, 16.0))), "the same with all 4 seeds");
    }

    #[test]
    fn names_between_backticks_are_code() {
        let of = |text| prose(text).into_string();
        assert_eq!(of(" a `b < c` d"), "a <code>b &lt; c</code> d");
        assert_eq!(of("`a`"), "<code>a</code>");
        assert_eq!(of("a `b"), "a `b");
    }

    #[test]
    fn a_command_can_be_pasted_into_a_shell() {
        let words = ["/opt/x", "study", "a b", "it's", "--set", "k=v", ""].map(str::to_owned);
        assert_eq!(command(&words), r"arboretum study 'a b' 'it'\''s' --set k=v ''");
        assert_eq!(command(&[]), "arboretum");
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1 January 1970, 00:00 UTC");
        assert_eq!(date(1_709_210_096), "29 February 2024, 12:34 UTC");
        assert_eq!(date(u64::MAX), "");
    }

    #[test]
    fn a_comparison_names_what_differs() {
        let texts =
            |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let (axes, point) = (texts(&["p", "n"]), texts(&["2", "64"]));
        assert_eq!(place(&axes, &point, None), "p\u{a0}=\u{a0}2, n\u{a0}=\u{a0}64");
        let than = texts(&["0", "64"]);
        assert_eq!(
            place(&axes, &point, Some(&than)),
            "p = 2, n = 64, over p = 0".replace(" = ", "\u{a0}=\u{a0}")
        );
    }
}
