//! Durations: some were seen to end, of others it is known only that they were longer.

/// A sample of durations, in one unit, all above zero.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sample {
    /// Those that ended.
    pub(super) ended: Vec<f64>,
    /// How long others had lasted when nobody looked any more.
    pub(super) open: Vec<f64>,
}

/// Kaplan and Meier's estimate of the distribution: the steps of its survival function.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Survival {
    /// A duration, and the share before it and from it on.
    steps: Vec<(f64, f64, f64)>,
}

impl Sample {
    /// A sample all of which ended.
    pub(super) fn complete(ended: Vec<f64>) -> Self {
        Self { ended, open: vec![] }
    }

    pub(super) fn survival(&self) -> Survival {
        let ended = self.ended.iter().map(|value| (*value, true));
        let mut all: Vec<_> = ended.chain(self.open.iter().map(|value| (*value, false))).collect();
        // At one duration those that ended come first.
        all.sort_by(|one, other| one.0.total_cmp(&other.0).then(other.1.cmp(&one.1)));
        let (mut share, mut left) = (1.0, all.len() as f64);
        let mut steps = vec![];
        for same in all.chunk_by(|one, other| one.0 == other.0) {
            let ended = same.iter().filter(|(_, ended)| *ended).count() as f64;
            if ended > 0.0 {
                let before = share;
                share *= 1.0 - ended / left;
                steps.push((same[0].0, before, share));
            }
            left -= same.len() as f64;
        }
        Survival { steps }
    }
}

impl Survival {
    /// Where half are left; none if more than half never ended.
    pub(super) fn median(&self) -> Option<f64> {
        self.steps.iter().find(|(.., after)| *after <= 0.5).map(|(at, ..)| *at)
    }

    /// The largest distance from a distribution function.
    pub(super) fn distance(&self, share_below: impl Fn(f64) -> f64) -> f64 {
        let at = |&(value, before, after): &(f64, f64, f64)| {
            let left = 1.0 - share_below(value);
            (before - left).abs().max((after - left).abs())
        };
        self.steps.iter().map(at).fold(0.0, f64::max)
    }
}

/// The fewest gaps of a person who counts as one.
const FEWEST_GAPS: u64 = 5;

/// The gaps of the typical person: of each, the mean of the logarithms; of these, the mean over people, each
/// of whom counts alike. So it does not hang on who happens to be the most active.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Typical {
    sum: f64,
    people: u64,
}

impl Typical {
    /// Takes a person's gaps.
    pub(super) fn person(&mut self, gaps: impl Iterator<Item = f64>) {
        let (sum, count) =
            gaps.fold((0.0, 0_u64), |(sum, count), gap| (sum + libm::log(gap), count + 1));
        if count >= FEWEST_GAPS {
            self.sum += sum / count as f64;
            self.people += 1;
        }
    }

    /// The mean logarithm; none without people.
    pub(super) fn ln_gap(&self) -> Option<f64> {
        (self.people > 0).then(|| self.sum / self.people as f64)
    }
}

/// The middle of some values.
pub(super) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_still_there_counts_as_long_as_it_was_seen() {
        // The example of the estimator by hand: 1, 2+, 3, 3, 4+: 4/5, then 4/5 · 1/3.
        let sample = Sample { ended: vec![3.0, 1.0, 3.0], open: vec![2.0, 4.0] };
        let survival = sample.survival();
        let expected = [(1.0, 1.0, 0.8), (3.0, 0.8, 0.8 / 3.0)];
        for (found, expected) in survival.steps.iter().zip(expected) {
            assert!((found.2 - expected.2).abs() < 1e-12 && found.0 == expected.0, "{found:?}");
        }
        assert_eq!(survival.median(), Some(3.0));
        assert_eq!(Sample { ended: vec![1.0], open: vec![2.0; 9] }.survival().median(), None);
        // Uniform on 0 to 5: at 1 it has 0.2 below, at 3 it has 0.6.
        let distance = survival.distance(|value| value / 5.0);
        assert!((distance - 0.4).abs() < 1e-12, "{distance}");
    }

    #[test]
    fn the_middle_is_between_two() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&mut []), 0.0);
    }
}
