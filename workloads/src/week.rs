//! The rhythm of days and weeks: how intense life is at a moment of a run, relative to its mean, and time
//! measured by it. A run begins at midnight, on a Thursday: 22 March 2018.

use std::f64::consts::PI;

use crate::scenario::Rhythm;
use crate::time::Millis;

/// Days of a week, and how many of them are from Monday to Friday.
const DAYS: u64 = 7;
const WEEKDAYS: u64 = 5;

/// The day of the week on which a run begins, Monday being 0.
const FIRST_DAY: u64 = 3;

/// Bisections of a day, which leave less than a millisecond of it.
const HALVINGS: u32 = 30;

impl Rhythm {
    /// What a day has in the place of the mean's 1.
    fn day(&self, day: u64) -> f64 {
        let Some(share) = self.weekdays else { return 1.0 };
        if (day + FIRST_DAY) % DAYS < WEEKDAYS {
            share * DAYS as f64 / WEEKDAYS as f64
        } else {
            (1.0 - share) * DAYS as f64 / (DAYS - WEEKDAYS) as f64
        }
    }

    /// The intensity at a second of the run, relative to its mean over a week.
    pub(crate) fn intensity(&self, at_s: f64) -> f64 {
        let turn = (at_s - self.peak.as_secs_f64()) / 86_400.0;
        self.day((at_s / 86_400.0) as u64) * (1.0 + self.strength * libm::cos(turn * 2.0 * PI))
    }

    /// The highest intensity there is.
    pub(crate) fn highest(&self) -> f64 {
        (1.0 + self.strength) * self.day(0).max(self.day(2))
    }

    /// The part of a day's life that is over at a part of the day.
    fn within(&self, part: f64) -> f64 {
        let peak = self.peak.as_secs_f64() / 86_400.0;
        let wave = libm::sin(2.0 * PI * (part - peak)) + libm::sin(2.0 * PI * peak);
        part + self.strength * wave / (2.0 * PI)
    }

    /// How much life has passed since the run began, in days.
    pub(crate) fn life(&self, at: Millis) -> f64 {
        let day = at.0 / Millis::DAY.0;
        let begun = (day - day % DAYS..day).map(|day| self.day(day)).sum::<f64>();
        let part = (at.0 % Millis::DAY.0) as f64 / Millis::DAY.0 as f64;
        (day - day % DAYS) as f64 + begun + self.day(day) * self.within(part)
    }

    /// When as much life has passed after a moment as `length` has on average.
    pub(crate) fn after(&self, from: Millis, length: Millis) -> Millis {
        let mut day = from.0 / Millis::DAY.0;
        let part = (from.0 % Millis::DAY.0) as f64 / Millis::DAY.0 as f64;
        let mut left = length.0 as f64 / Millis::DAY.0 as f64 + self.day(day) * self.within(part);
        // Whole weeks have as much as any other.
        let weeks = (left / DAYS as f64) as u64;
        day += weeks * DAYS;
        left -= (weeks * DAYS) as f64;
        // A rounding error may leave as much as a week and no day that has it.
        while left > self.day(day) {
            left -= self.day(day);
            day += 1;
        }
        let wanted = if self.day(day) > 0.0 { left / self.day(day) } else { 0.0 };
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            if self.within(middle) < wanted { low = middle } else { high = middle }
        }
        let moment = day * Millis::DAY.0 + libm::round(high * Millis::DAY.0 as f64) as u64;
        Millis(moment.max(from.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;

    fn rhythm(strength: f64, weekdays: Option<f64>) -> Rhythm {
        Rhythm { peak: Millis(9 * HOUR), strength, weekdays }
    }

    #[test]
    fn without_a_rhythm_life_is_time() {
        let flat = rhythm(0.0, Some(5.0 / 7.0));
        for (from, length) in [(0, 0), (HOUR, 30 * HOUR), (5 * HOUR, 1_000 * HOUR), (3, 1)] {
            let after = flat.after(Millis(from), Millis(length)).0;
            assert!(after.abs_diff(from + length) <= 1, "{from} {length} {after}");
        }
    }

    #[test]
    fn life_that_has_passed_is_the_integral_of_its_intensity() {
        for rhythm in [rhythm(0.8, None), rhythm(1.0, Some(0.97)), rhythm(0.5, Some(0.2))] {
            for (from, length) in [(0, HOUR), (7 * HOUR, 24 * HOUR), (100 * HOUR, 500 * HOUR)] {
                let until = rhythm.after(Millis(from), Millis(length)).0;
                let steps = 200_000;
                let step = (until - from) as f64 / f64::from(steps);
                let at = |i| (from as f64 + (f64::from(i) + 0.5) * step) / 1e3;
                let sum: f64 = (0..steps).map(|i| rhythm.intensity(at(i)) * step).sum();
                assert!((sum / length as f64 - 1.0).abs() < 1e-3, "{rhythm:?} {from} {sum}");
                let life = rhythm.life(Millis(until)) - rhythm.life(Millis(from));
                let days = length as f64 / Millis::DAY.0 as f64;
                assert!((life / days - 1.0).abs() < 1e-6, "{rhythm:?} {from} {life}");
            }
            let week = rhythm.after(Millis(HOUR), Millis(7 * 24 * HOUR)).0;
            assert!(week.abs_diff(HOUR + 7 * 24 * HOUR) <= 2, "{week}");
        }
    }

    #[test]
    fn the_run_begins_on_a_thursday() {
        let week = rhythm(0.0, Some(1.0));
        let noon = |day: u32| week.intensity(f64::from(day) * 86_400.0 + 43_200.0);
        let days: Vec<_> = (0..7).map(noon).collect();
        assert_eq!(days, [1.4, 1.4, 0.0, 0.0, 1.4, 1.4, 1.4]);
        assert_eq!(week.highest(), 1.4);
        // What would fall on the weekend falls on Monday.
        let monday = week.after(Millis(47 * HOUR), Millis(10 * HOUR));
        assert_eq!(monday.0 / (24 * HOUR), 4);
    }
}
