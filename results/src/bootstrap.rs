//! Bootstrap intervals: what a mean over a few seeds may be worth. Resamples are drawn from a
//! stream of their own, so the same numbers give the same interval on every machine.

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

/// Resamples: enough for two digits of a 95 % interval.
const RESAMPLES: usize = 10_000;

/// Shares of the resampled means below and above the interval.
const TAIL: f64 = 0.025;

/// A mean and the interval that 95 % of the resampled means lie in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Values.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// The interval; none of a single value, which says nothing of its spread.
    pub interval: Option<(f64, f64)>,
}

/// The mean of `values`; none of none. `name` picks the stream.
pub fn estimate(values: &[f64], name: &str) -> Option<Estimate> {
    let n = values.len();
    let mean_of = |sum: f64| sum / n as f64;
    bootstrap(n, name, mean_of(values.iter().sum()), |drawn| {
        mean_of(drawn.map(|at| values[at]).sum())
    })
}

/// The mean of the first of each pair over the mean of the second; none of none. A pair is of one
/// seed, so that pairs are drawn and not values.
pub fn estimate_ratio(pairs: &[(f64, f64)], name: &str) -> Option<Estimate> {
    let sums = |(a, b): (f64, f64), (c, d): (f64, f64)| (a + c, b + d);
    let ratio = |(above, below): (f64, f64)| above / below;
    let found = ratio(pairs.iter().copied().fold((0.0, 0.0), sums));
    bootstrap(pairs.len(), name, found, |drawn| {
        ratio(drawn.map(|at| pairs[at]).fold((0.0, 0.0), sums))
    })
}

/// A statistic of `n` values, and the interval of what it comes to on resamples: places drawn with
/// replacement, as many as there are.
fn bootstrap(
    n: usize,
    name: &str,
    found: f64,
    of: impl Fn(&mut dyn Iterator<Item = usize>) -> f64,
) -> Option<Estimate> {
    if n < 2 {
        return (n == 1).then_some(Estimate { n, mean: found, interval: None });
    }
    let mut stream = stream(name);
    let mut resampled: Vec<f64> =
        (0..RESAMPLES).map(|_| of(&mut (0..n).map(|_| below(&mut stream, n)))).collect();
    resampled.sort_by(f64::total_cmp);
    let at = |share: f64| resampled[((RESAMPLES - 1) as f64 * share).round() as usize];
    let (lo, hi) = (at(TAIL), at(1.0 - TAIL));
    // A ratio to nothing has no bounds.
    let interval = (lo.is_finite() && hi.is_finite()).then_some((lo, hi));
    Some(Estimate { n, mean: found, interval })
}

/// The intervals that 95 % of K numbers lie in, which are computed of the means of several samples;
/// none where no sample has two values. Each sample is drawn anew from itself. A number that is none
/// in some resample has no interval worth the name: its ends are none either.
pub(crate) fn intervals<const K: usize>(
    samples: &[&[f64]],
    name: &str,
    of: impl Fn(&[f64]) -> [f64; K],
) -> Option<[(f64, f64); K]> {
    if samples.iter().all(|values| values.len() < 2) {
        return None;
    }
    let mut stream = stream(name);
    let mut found = [const { Vec::new() }; K];
    for _ in 0..RESAMPLES {
        let means: Vec<f64> = samples
            .iter()
            .map(|values| {
                let n = values.len();
                (0..n).map(|_| values[below(&mut stream, n)]).sum::<f64>() / n as f64
            })
            .collect();
        found.iter_mut().zip(of(&means)).for_each(|(found, number)| found.push(number));
    }
    Some(found.map(|mut numbers| {
        if numbers.iter().any(|number| number.is_nan()) {
            return (f64::NAN, f64::NAN);
        }
        numbers.sort_by(f64::total_cmp);
        let at = |share: f64| numbers[((RESAMPLES - 1) as f64 * share).round() as usize];
        (at(TAIL), at(1.0 - TAIL))
    }))
}

fn stream(name: &str) -> ChaCha20Rng {
    let mut key = [0; 32];
    for (at, byte) in name.bytes().enumerate() {
        key[at % 32] ^= byte.rotate_left((at / 32) as u32);
    }
    ChaCha20Rng::from_seed(key)
}

/// A number below `n`, which is small: the bias of the remainder is below 2^-50.
fn below(stream: &mut ChaCha20Rng, n: usize) -> usize {
    (stream.next_u64() % n as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_has_no_interval_and_none_no_mean() {
        assert_eq!(estimate(&[], "x"), None);
        assert_eq!(estimate(&[3.0], "x"), Some(Estimate { n: 1, mean: 3.0, interval: None }));
    }

    #[test]
    fn an_interval_is_reproducible_and_holds_its_mean() {
        let values: Vec<f64> = (0..20).map(f64::from).collect();
        let first = estimate(&values, "cost").unwrap();
        assert_eq!(estimate(&values, "cost"), Some(first));
        let (low, high) = first.interval.unwrap();
        assert!(low < 9.5 && 9.5 < high);
        // The normal interval of the mean is 9.5 ± 1.96·5.77/√20 = 9.5 ± 2.53.
        assert!((low - 6.97).abs() < 0.3 && (high - 12.03).abs() < 0.3, "{low} {high}");
    }

    #[test]
    fn it_covers_the_truth_about_as_often_as_it_says() {
        let mut stream = stream("samples");
        let mut draw = || (stream.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        let covered = (0..200).filter(|_| {
            let values: Vec<f64> = (0..30).map(|_| draw()).collect();
            let (low, high) = estimate(&values, "coverage").unwrap().interval.unwrap();
            low <= 0.5 && 0.5 <= high
        });
        let share = covered.count() as f64 / 200.0;
        assert!((0.88..=0.99).contains(&share), "{share}");
    }

    #[test]
    fn of_one_sample_it_is_the_interval_of_the_mean() {
        let values: Vec<f64> = (0..20).map(f64::from).collect();
        let [mean, double] = intervals(&[&values], "cost", |m| [m[0], 2.0 * m[0]]).unwrap();
        assert_eq!(Some(mean), estimate(&values, "cost").unwrap().interval);
        assert_eq!(double, (2.0 * mean.0, 2.0 * mean.1));
        assert!(intervals(&[&[1.0], &[2.0]], "cost", |m| [m[0]]).is_none());
    }

    #[test]
    fn a_ratio_is_drawn_in_pairs() {
        // Twice as much for each seed, however much the seeds differ.
        let pairs: Vec<_> =
            (1..9).map(|seed| (f64::from(seed * seed) * 2.0, f64::from(seed * seed))).collect();
        let found = estimate_ratio(&pairs, "cost").unwrap();
        assert_eq!((found.mean, found.interval), (2.0, Some((2.0, 2.0))));
        let mixed = [(1.0, 1.0), (3.0, 1.0), (2.0, 1.0), (2.0, 1.0)];
        let (lo, hi) = estimate_ratio(&mixed, "cost").unwrap().interval.unwrap();
        assert!(1.0 < lo && lo < 2.0 && 2.0 < hi && hi < 3.0, "{lo} {hi}");
        assert_eq!(estimate_ratio(&[(1.0, 0.0); 3], "cost").unwrap().interval, None);
        assert_eq!(estimate_ratio(&[], "cost"), None);
    }

    #[test]
    fn equal_values_have_an_interval_of_no_width() {
        let estimate = estimate(&[2.0; 5], "same").unwrap();
        assert_eq!(estimate.interval, Some((2.0, 2.0)));
    }
}
