//! Axes: a scale from values to the slide, and ticks where a person would put them.

use super::canvas::text_width;
use super::words::{self, TimeUnit};

/// A labelled place on an axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tick {
    pub(crate) value: f64,
    pub(crate) label: String,
}

/// An axis.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    /// Name with unit.
    pub(crate) name: String,
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) ticks: Vec<Tick>,
    /// Places of fine grid lines.
    pub(crate) fine: Vec<f64>,
    log: bool,
}

impl Axis {
    /// Equal steps, with about `count` ticks; a value whose label is empty gets none.
    pub(crate) fn linear(
        name: &str,
        (from, to): (f64, f64),
        count: usize,
        label: fn(f64) -> String,
    ) -> Self {
        let to = if to > from { to } else { from + 1.0 };
        let step = round_step((to - from) / count as f64).max(f64::MIN_POSITIVE);
        let first = (from / step).ceil() as i64;
        let ticks = (first..)
            .map(|index| index as f64 * step)
            .take_while(|value| *value <= to * (1.0 + 1e-9))
            .map(|value| Tick { value, label: label(value) })
            .filter(|tick| !tick.label.is_empty())
            .collect();
        Self { name: name.to_owned(), from, to, ticks, fine: Vec::new(), log: false }
    }

    /// Powers of ten; values at or below 0 have no place on it.
    pub(crate) fn log(name: &str, (from, to): (f64, f64), label: fn(f64) -> String) -> Self {
        let (from, to) = at_least_a_decade(from, to);
        let decades = from.log10().floor() as i32..=to.log10().ceil() as i32;
        let multiples: &[f64] = match (to / from).log10() {
            span if span < 2.2 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let inside = |value: &f64| *value >= from * 0.999 && *value <= to * 1.001;
        let at = |multiples: &[f64]| -> Vec<f64> {
            let decade = |power| multiples.iter().map(move |m| m * 10_f64.powi(power));
            decades.clone().flat_map(decade).filter(inside).collect()
        };
        let every = if (to / from).log10() > 9.0 { 2 } else { 1 };
        let labelled = at(multiples).into_iter().step_by(every);
        let ticks = labelled.map(|value| Tick { value, label: label(value) }).collect();
        let fine = at(&[2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
        Self { name: name.to_owned(), from, to, ticks, fine, log: true }
    }

    /// Virtual time from 0 to `to`, milliseconds, in the unit that suits it.
    pub(crate) fn time(to: f64) -> Self {
        let to = if to > 0.0 { to } else { 1_000.0 };
        let unit = TimeUnit::of(to);
        let enough = |step: &&f64| to / (**step * unit.millis) <= 10.0;
        let largest = unit.steps[unit.steps.len() - 1];
        let fallback = round_step(to / unit.millis / 8.0).max(largest);
        let step = unit.steps.iter().find(enough).copied().unwrap_or(fallback);
        let ticks = (0..)
            .map(|index| f64::from(index) * step)
            .take_while(|value| value * unit.millis <= to * (1.0 + 1e-9))
            .map(|value| Tick { value: value * unit.millis, label: words::figure(value) })
            .collect();
        let name = format!("Virtual time since the start ({})", unit.many);
        Self { name, from: 0.0, to, ticks, fine: Vec::new(), log: false }
    }

    /// Time away, seconds, on a logarithmic axis with ticks at spans that people know.
    pub(crate) fn log_span(name: &str, from: f64, to: f64) -> Self {
        const DAY: f64 = 86_400.0;
        const KNOWN: [(f64, &str); 13] = [
            (1.0, "1 s"),
            (10.0, "10 s"),
            (60.0, "1 min"),
            (600.0, "10 min"),
            (3_600.0, "1 h"),
            (6.0 * 3_600.0, "6 h"),
            (DAY, "1 day"),
            (3.0 * DAY, "3 days"),
            (7.0 * DAY, "7 days"),
            (14.0 * DAY, "14 days"),
            (30.0 * DAY, "30 days"),
            (90.0 * DAY, "90 days"),
            (365.0 * DAY, "1 year"),
        ];
        let (from, to) = at_least_a_decade(from, to);
        let inside = |tick: &&(f64, &str)| tick.0 >= from * 0.999 && tick.0 <= to * 1.001;
        let tick = |&(value, label): &(f64, &str)| Tick { value, label: label.to_owned() };
        let ticks = KNOWN.iter().filter(inside).map(tick).collect();
        Self { name: name.to_owned(), from, to, ticks, fine: Vec::new(), log: true }
    }

    /// Where a value lies between the ends, 0 to 1, held inside.
    pub(crate) fn share(&self, value: f64) -> f64 {
        let share = if self.log {
            (value.max(f64::MIN_POSITIVE) / self.from).ln() / (self.to / self.from).ln()
        } else {
            (value - self.from) / (self.to - self.from)
        };
        share.clamp(0.0, 1.0)
    }

    /// The labels that have room on a slide of this width, each with where it stands; the grid line of a
    /// crowded one stays.
    pub(crate) fn free_labels(
        &self,
        at: impl Fn(f64) -> f64,
        width: f64,
        em: f64,
    ) -> Vec<(f64, &str)> {
        let mut free_from = 0.0;
        let mut labels = vec![];
        for tick in &self.ticks {
            let (x, half) = (at(tick.value), text_width(&tick.label, em) / 2.0);
            if x - half >= free_from && x + half <= width {
                labels.push((x, tick.label.as_str()));
                free_from = x + half + 0.64 * em;
            }
        }
        labels
    }

    /// The same ticks without labels or name, for the upper of two panels.
    pub(crate) fn unlabelled(&self) -> Self {
        let mut axis = self.clone();
        axis.name.clear();
        axis.ticks.iter_mut().for_each(|tick| tick.label.clear());
        axis
    }
}

/// The least and the greatest positive value, with room on both sides.
pub(crate) fn log_range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let range =
        values.filter(|value| *value > 0.0).fold(None, |range: Option<(f64, f64)>, value| {
            match range {
                None => Some((value, value)),
                Some((low, high)) => Some((low.min(value), high.max(value))),
            }
        });
    range.map(|(low, high)| (low / 1.25, high * 1.25))
}

/// A range wide enough to have labelled ticks.
fn at_least_a_decade(from: f64, to: f64) -> (f64, f64) {
    let missing = 10.0 / (to / from);
    if missing <= 1.0 { (from, to) } else { (from / missing.sqrt(), to * missing.sqrt()) }
}

/// The next of 1, 2, 2.5, 5 times a power of ten.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powi(step.log10().floor() as i32);
    let fits = |multiple: &&f64| **multiple * power >= step * 0.999;
    [1.0, 2.0, 2.5, 5.0].iter().find(fits).unwrap_or(&10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn ticks_are_where_people_put_them() {
        let count = Axis::linear("n", (0.0, 65_536.0), 6, words::short);
        assert_eq!(labels(&count), ["0", "20k", "40k", "60k"]);
        let log = Axis::log("n", (3.0, 40_000.0), words::short);
        assert_eq!(labels(&log), ["10", "100", "1k", "10k"]);
        let month = Axis::time(30.0 * 86_400_000.0);
        assert_eq!(labels(&month), ["0", "5", "10", "15", "20", "25", "30"]);
        assert!(month.name.ends_with("(days)"));
    }

    #[test]
    fn a_single_value_still_has_an_axis() {
        let (low, high) = log_range([16.0].into_iter()).unwrap();
        assert!(labels(&Axis::log("n", (low, high), words::short)).len() >= 2);
        assert!(labels(&Axis::linear("n", (0.0, 0.0), 5, words::short)).len() >= 2);
        assert!(labels(&Axis::time(0.0)).len() >= 2);
        assert!(log_range([0.0].into_iter()).is_none());
    }
}
