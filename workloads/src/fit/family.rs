//! Distributions fitted by maximum likelihood, each with Akaike's criterion (2k − 2 ln L; less is better) and
//! the Kolmogorov–Smirnov distance from the sample. The distance is a measure and no test: with parameters from
//! the sample itself, and tens of thousands of values, every family would be rejected.

use serde::Serialize;

use super::sample::Sample;

/// A family with its parameters, in the sample's unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "distribution", rename_all = "kebab-case")]
pub enum Family {
    /// Exponential.
    Exponential {
        /// Its mean.
        mean: f64,
    },
    /// Weibull.
    Weibull {
        /// Its shape.
        shape: f64,
        /// Its scale.
        scale: f64,
    },
    /// Log-normal.
    LogNormal {
        /// The mean of the natural logarithm.
        mu: f64,
        /// Its standard deviation.
        sigma: f64,
    },
}

/// A family that was fitted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// With its parameters.
    #[serde(flatten)]
    pub family: Family,
    /// Values it was fitted to.
    pub values: usize,
    /// Akaike's criterion.
    pub aic: f64,
    /// The Kolmogorov–Smirnov distance.
    pub ks: f64,
}

impl Candidate {
    /// All families fitted to a sample, the best first; none if nothing in it has ended or all is alike.
    pub(super) fn all(sample: &Sample) -> Vec<Self> {
        let alike = sample.ended.iter().all(|value| *value == sample.ended[0]);
        if alike {
            return vec![];
        }
        let survival = sample.survival();
        let fitted = [exponential(sample), weibull(sample), log_normal(sample)];
        let mut all = fitted.map(|family| Self {
            family,
            values: sample.ended.len() + sample.open.len(),
            aic: 2.0 * family.parameters() - 2.0 * family.log_likelihood(sample),
            ks: survival.distance(|value| family.share_below(value)),
        });
        all.sort_by(|one, other| one.aic.total_cmp(&other.aic));
        all.to_vec()
    }
}

impl Family {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Exponential { .. } => "exponential",
            Self::Weibull { .. } => "weibull",
            Self::LogNormal { .. } => "log-normal",
        }
    }

    fn parameters(&self) -> f64 {
        match self {
            Self::Exponential { .. } => 1.0,
            Self::Weibull { .. } | Self::LogNormal { .. } => 2.0,
        }
    }

    /// The distribution function.
    pub fn share_below(&self, value: f64) -> f64 {
        match *self {
            Self::Exponential { mean } => -libm::expm1(-value / mean),
            Self::Weibull { shape, scale } => -libm::expm1(-libm::pow(value / scale, shape)),
            Self::LogNormal { mu, sigma } => 1.0 - upper_tail((libm::log(value) - mu) / sigma),
        }
    }

    fn log_density(&self, value: f64) -> f64 {
        match *self {
            Self::Exponential { mean } => -libm::log(mean) - value / mean,
            Self::Weibull { shape, scale } => {
                let ratio = value / scale;
                libm::log(shape / scale) + (shape - 1.0) * libm::log(ratio)
                    - libm::pow(ratio, shape)
            }
            Self::LogNormal { mu, sigma } => {
                let z = (libm::log(value) - mu) / sigma;
                log_normal_density(z) - libm::log(sigma * value)
            }
        }
    }

    fn log_share_above(&self, value: f64) -> f64 {
        match *self {
            Self::Exponential { mean } => -value / mean,
            Self::Weibull { shape, scale } => -libm::pow(value / scale, shape),
            Self::LogNormal { mu, sigma } => {
                libm::log(upper_tail((libm::log(value) - mu) / sigma).max(f64::MIN_POSITIVE))
            }
        }
    }

    fn log_likelihood(&self, sample: &Sample) -> f64 {
        sample.ended.iter().map(|value| self.log_density(*value)).sum::<f64>()
            + sample.open.iter().map(|value| self.log_share_above(*value)).sum::<f64>()
    }
}

/// The logarithm of the standard normal density.
fn log_normal_density(z: f64) -> f64 {
    -0.5 * (z * z + libm::log(2.0 * std::f64::consts::PI))
}

/// The share of a standard normal variate above z.
fn upper_tail(z: f64) -> f64 {
    0.5 * libm::erfc(z / std::f64::consts::SQRT_2)
}

/// The mean time until one ends.
fn exponential(sample: &Sample) -> Family {
    let time: f64 = sample.ended.iter().chain(&sample.open).sum();
    Family::Exponential { mean: time / sample.ended.len() as f64 }
}

/// The shapes between which one is looked for.
const SHAPES: (f64, f64) = (0.01, 100.0);

/// Bisections: more than a double has digits.
const HALVINGS: u32 = 60;

/// The likelihood's derivative in the shape has one root, and grows through it (the scale is put in).
fn weibull(sample: &Sample) -> Family {
    let all = || sample.ended.iter().chain(&sample.open);
    let count = sample.ended.len() as f64;
    // Divided by the largest, no power is beyond what a double holds.
    let largest = all().copied().fold(0.0, f64::max);
    let mean_log = sample.ended.iter().map(|value| libm::log(value / largest)).sum::<f64>() / count;
    let logs: Vec<f64> = all().map(|value| libm::log(value / largest)).collect();
    let slope = |shape: f64| {
        let (mut sum, mut weighted) = (0.0, 0.0);
        for log in &logs {
            let power = libm::exp(shape * log);
            sum += power;
            weighted += power * log;
        }
        weighted / sum - 1.0 / shape - mean_log
    };
    let (mut low, mut high) = SHAPES;
    for _ in 0..HALVINGS {
        let middle = libm::sqrt(low * high);
        if slope(middle) < 0.0 { low = middle } else { high = middle }
    }
    let shape = libm::sqrt(low * high);
    let power = all().map(|value| libm::pow(value / largest, shape)).sum::<f64>();
    Family::Weibull { shape, scale: largest * libm::pow(power / count, 1.0 / shape) }
}

/// Steps of the expectation-maximisation, and when it stands still.
const MAX_STEPS: u32 = 10_000;
const STILL: f64 = 1e-10;

/// In closed form where all has ended; otherwise by putting in, again and again, what the open ones are
/// expected to come to (expectation-maximisation).
fn log_normal(sample: &Sample) -> Family {
    let logs: Vec<f64> = sample.ended.iter().map(|value| libm::log(*value)).collect();
    let open: Vec<f64> = sample.open.iter().map(|value| libm::log(*value)).collect();
    let (sum, squares) =
        logs.iter().fold((0.0, 0.0), |(sum, squares), x| (sum + x, squares + x * x));
    let ended = logs.len() as f64;
    let mut mu = sum / ended;
    let spread = logs.iter().map(|x| (x - mu) * (x - mu)).sum::<f64>() / ended;
    let mut sigma = libm::sqrt(spread);
    let count = ended + open.len() as f64;
    for _ in 0..MAX_STEPS {
        if open.is_empty() {
            break;
        }
        let (mut all, mut all_squares) = (sum, squares);
        for x in &open {
            let z = (x - mu) / sigma;
            // Above z a normal variate is `hazard` on average; far out, a little above z itself.
            let hazard = match upper_tail(z) {
                tail if tail > 1e-300 => libm::exp(log_normal_density(z)) / tail,
                _ => z + 1.0 / z,
            };
            all += mu + sigma * hazard;
            all_squares += mu * mu + sigma * sigma * (1.0 + z * hazard) + 2.0 * mu * sigma * hazard;
        }
        let next = all / count;
        let next_sigma = libm::sqrt((all_squares / count - next * next).max(f64::MIN_POSITIVE));
        let moved = (next - mu).abs() + (next_sigma - sigma).abs();
        (mu, sigma) = (next, next_sigma);
        if moved < STILL {
            break;
        }
    }
    Family::LogNormal { mu, sigma }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Distribution, Unit};
    use crate::stream::RootSeed;
    use crate::time::Millis;

    const HOUR: Millis = Millis(3_600_000);

    /// Hours drawn from a distribution, those beyond a limit left open.
    fn drawn(distribution: Distribution, open_above: Option<f64>) -> Sample {
        let mut stream = RootSeed::from_u64(3).stream("fit", 0, 0);
        let mut sample = Sample::default();
        for _ in 0..20_000 {
            let hours = distribution.sample(&mut stream).as_secs_f64() / 3_600.0;
            match open_above {
                Some(limit) if hours > limit => sample.open.push(limit),
                _ => sample.ended.push(hours.max(1e-6)),
            }
        }
        sample
    }

    fn best(sample: &Sample) -> Candidate {
        Candidate::all(sample)[0]
    }

    #[test]
    fn what_was_drawn_is_found_again() {
        for limit in [None, Some(30.0)] {
            let exponential = Distribution::Exponential { mean: Millis(24 * HOUR.0) };
            let sample = drawn(exponential, limit);
            let found = Candidate::all(&sample);
            let Some(Family::Exponential { mean }) =
                found.iter().map(|it| it.family).find(|it| it.name() == "exponential")
            else {
                panic!("{found:?}")
            };
            assert!((mean / 24.0 - 1.0).abs() < 0.03, "{mean}");

            let weibull = Distribution::Weibull { shape: 0.543, scale: Millis(30 * HOUR.0) };
            let found = best(&drawn(weibull, limit));
            let Family::Weibull { shape, scale } = found.family else { panic!("{found:?}") };
            assert!((shape / 0.543 - 1.0).abs() < 0.03 && (scale / 30.0 - 1.0).abs() < 0.05);
            assert!(found.ks < 0.02, "{found:?}");

            let normal = Distribution::LogNormal { mu: 2.5, sigma: 1.79, unit: Unit::Hours };
            let found = best(&drawn(normal, limit));
            let Family::LogNormal { mu, sigma } = found.family else { panic!("{found:?}") };
            assert!((mu - 2.5).abs() < 0.05 && (sigma - 1.79).abs() < 0.05, "{found:?}");
            assert!(found.ks < 0.02, "{found:?}");
        }
    }

    #[test]
    fn fits_are_where_the_likelihood_is_highest() {
        let sample = drawn(Distribution::Weibull { shape: 0.8, scale: HOUR }, Some(2.0));
        for candidate in Candidate::all(&sample) {
            let at = |family: Family| family.log_likelihood(&sample);
            let beside = |by: f64| match candidate.family {
                Family::Exponential { mean } => vec![Family::Exponential { mean: mean * by }],
                Family::Weibull { shape, scale } => vec![
                    Family::Weibull { shape: shape * by, scale },
                    Family::Weibull { shape, scale: scale * by },
                ],
                Family::LogNormal { mu, sigma } => vec![
                    Family::LogNormal { mu: mu + by - 1.0, sigma },
                    Family::LogNormal { mu, sigma: sigma * by },
                ],
            };
            for other in [0.99, 1.01].into_iter().flat_map(beside) {
                assert!(at(candidate.family) > at(other), "{candidate:?} {other:?}");
            }
        }
    }

    #[test]
    fn nothing_is_fitted_to_what_is_all_alike() {
        assert!(Candidate::all(&Sample::complete(vec![2.0; 50])).is_empty());
        assert!(Candidate::all(&Sample::default()).is_empty());
    }
}
