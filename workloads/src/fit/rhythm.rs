//! The hour of the day and the day of the week, by the trace's own clock: UTC, if its times are seconds since
//! 1970. The daily rhythm of a scenario is a cosine, fitted to the first harmonic of the hours.

use std::f64::consts::PI;

use serde::Serialize;

use crate::scenario::Rhythm;
use crate::time::Millis;
use crate::trace::Trace;

/// Hours of a day.
const HOURS: usize = 24;

/// When people are active.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rhythms {
    /// The share of events in each hour of the day.
    pub hours: [f64; HOURS],
    /// The hour of the cosine's peak.
    pub peak_hour: f64,
    /// Its strength: 0 for none, 1 for nothing at the quietest time.
    pub strength: f64,
    /// The largest distance between the shares of the first hours and the cosine's.
    pub ks: f64,
    /// Events of the busiest hour over those of the quietest; none if that has none.
    pub busiest_over_quietest: Option<f64>,
    /// The share of events from Monday to Friday: 5/7 where all days are alike.
    pub weekdays: f64,
}

impl Rhythms {
    pub(super) fn of(trace: &Trace) -> Self {
        let (mut hours, mut weekdays) = ([0.0; HOURS], 0.0);
        let (mut along, mut across) = (0.0, 0.0);
        let start = trace.start().0;
        for at in (0..trace.actors()).flat_map(|actor| trace.times(actor)) {
            let time = start + at.0;
            let within = time % Millis::DAY.0;
            hours[(within / 3_600_000) as usize] += 1.0;
            weekdays += f64::from(u8::from(is_weekday(time / Millis::DAY.0)));
            let turn = 2.0 * PI * within as f64 / Millis::DAY.0 as f64;
            along += libm::cos(turn);
            across += libm::sin(turn);
        }
        let events = trace.events() as f64;
        let most = hours.iter().copied().fold(0.0, f64::max);
        let least = hours.iter().copied().fold(f64::INFINITY, f64::min);
        let strength = (2.0 * libm::hypot(along, across) / events).min(1.0);
        let turn = libm::atan2(across, along) / (2.0 * PI);
        let peak_hour = (turn - libm::floor(turn)) * HOURS as f64;
        let shares = hours.map(|count| count / events);
        Self {
            hours: shares,
            peak_hour,
            strength,
            ks: distance(&shares, peak_hour, strength),
            busiest_over_quietest: (least > 0.0).then(|| most / least),
            weekdays: weekdays / events,
        }
    }

    /// As a scenario has it.
    pub(super) fn rhythm(&self) -> Rhythm {
        let hundredth = |share: f64| libm::round(share * 100.0) / 100.0;
        let minutes = libm::round(self.peak_hour * 60.0) as u64 % (24 * 60);
        Rhythm {
            peak: Millis(minutes * 60_000),
            strength: hundredth(self.strength),
            weekdays: Some(hundredth(self.weekdays)),
        }
    }
}

/// Whether a day since 1970, whose first was a Thursday, is one from Monday to Friday.
fn is_weekday(day: u64) -> bool {
    (day + 3) % 7 < 5
}

fn distance(shares: &[f64; HOURS], peak_hour: f64, strength: f64) -> f64 {
    let per_hour = 2.0 * PI / HOURS as f64;
    // The cosine's share up to an hour, by integration.
    let until = |hour: f64| {
        let wave = libm::sin((hour - peak_hour) * per_hour) + libm::sin(peak_hour * per_hour);
        hour / HOURS as f64 + strength * wave / (2.0 * PI)
    };
    let (mut sum, mut most) = (0.0, 0.0_f64);
    for (hour, share) in shares.iter().enumerate() {
        sum += share;
        most = most.max((sum - until((hour + 1) as f64)).abs());
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rhythm_is_found_again() {
        // A minute of the day has as many events as the cosine says; the weeks begin on a Monday.
        let monday = 4 * 86_400;
        let mut times = vec![];
        for day in 0..14 {
            let copies = if day % 7 < 5 { 8.0 } else { 2.0 };
            for minute in 0..1_440 {
                let turn = f64::from(minute - 20 * 60) / 1_440.0 * 2.0 * PI;
                let count = (copies * (1.0 + 0.75 * turn.cos())).round() as usize;
                times.extend(std::iter::repeat_n(monday + day * 86_400 + minute * 60, count));
            }
        }
        let lines: String = times.iter().map(|time| format!("{time},a\n")).collect();
        let trace = Trace::parse("t", format!("time_s,actor\n{lines}").as_bytes()).unwrap();
        let found = Rhythms::of(&trace);
        assert!((found.peak_hour - 20.0).abs() < 0.1, "{found:?}");
        assert!((found.strength - 0.75).abs() < 0.02, "{found:?}");
        assert!((found.weekdays - 20.0 / 22.0).abs() < 0.01, "{found:?}");
        assert!(found.ks < 0.01, "{found:?}");
        assert_eq!(found.rhythm().peak.to_string(), "20h");
    }
}
