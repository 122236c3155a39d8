//! Samplers: a few lines each on `libm`, whose arithmetic is the same on every machine.

use std::f64::consts::PI;

use rand_core::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::stream::Stream;
use super::time::Millis;

/// The unit in which a log-normal's logarithm is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Unit {
    /// Milliseconds.
    #[serde(rename = "ms")]
    Milliseconds,
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
    /// Minutes.
    #[serde(rename = "min")]
    Minutes,
    /// Hours.
    #[serde(rename = "h")]
    Hours,
    /// Days.
    #[serde(rename = "d")]
    Days,
}

impl Unit {
    fn seconds(self) -> f64 {
        match self {
            Self::Milliseconds => 0.001,
            Self::Seconds => 1.0,
            Self::Minutes => 60.0,
            Self::Hours => 3_600.0,
            Self::Days => 86_400.0,
        }
    }
}

/// A distribution of durations, by its usual parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "distribution", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Distribution {
    /// Always the same.
    Constant {
        /// The duration.
        value: Millis,
    },
    /// Exponential.
    Exponential {
        /// Its mean.
        mean: Millis,
    },
    /// Log-normal: the natural logarithm of the duration in `unit` is normal.
    LogNormal {
        /// The mean of the logarithm.
        mu: f64,
        /// The standard deviation of the logarithm.
        sigma: f64,
        /// The unit of the duration whose logarithm is meant.
        unit: Unit,
    },
    /// Weibull.
    Weibull {
        /// Its shape.
        shape: f64,
        /// Its scale.
        scale: Millis,
    },
}

impl Distribution {
    /// Draws a duration.
    pub fn sample(&self, stream: &mut Stream) -> Millis {
        Millis::from_secs_f64(match *self {
            Self::Constant { value } => return value,
            Self::Exponential { mean } => mean.as_secs_f64() * exponential(stream),
            Self::LogNormal { mu, sigma, unit } => {
                libm::exp(sigma.mul_add(normal(stream), mu)) * unit.seconds()
            }
            Self::Weibull { shape, scale } => {
                scale.as_secs_f64() * libm::pow(exponential(stream), 1.0 / shape)
            }
        })
    }

    /// Draws the duration that is under way at a moment of a long life: the chance of a duration to
    /// be it grows with the duration (D. R. Cox, Renewal Theory, 1962, section 5.4).
    pub fn sample_under_way(&self, stream: &mut Stream) -> Millis {
        Millis::from_secs_f64(match *self {
            Self::Constant { .. } => return self.sample(stream),
            Self::Exponential { mean } => mean.as_secs_f64() * gamma(2.0, stream),
            Self::LogNormal { mu, sigma, unit } => {
                return Self::LogNormal { mu: sigma.mul_add(sigma, mu), sigma, unit }
                    .sample(stream);
            }
            Self::Weibull { shape, scale } => {
                scale.as_secs_f64() * libm::pow(gamma(1.0 + 1.0 / shape, stream), 1.0 / shape)
            }
        })
    }

    /// The mean, in seconds.
    pub fn mean_s(&self) -> f64 {
        match *self {
            Self::Constant { value } => value.as_secs_f64(),
            Self::Exponential { mean } => mean.as_secs_f64(),
            Self::LogNormal { mu, sigma, unit } => {
                libm::exp(sigma * sigma / 2.0 + mu) * unit.seconds()
            }
            Self::Weibull { shape, scale } => scale.as_secs_f64() * libm::tgamma(1.0 + 1.0 / shape),
        }
    }

    /// The parameter that is out of its range, and what it must be.
    pub(crate) fn impossible(&self) -> Option<(&'static str, &'static str)> {
        let is_positive = |x: f64| x.is_finite() && x > 0.0;
        match *self {
            Self::Exponential { mean: Millis(0) } => Some(("mean", "more than 0s")),
            Self::LogNormal { mu, .. } if !mu.is_finite() => Some(("mu", "a finite number")),
            Self::LogNormal { sigma, .. } if !(sigma.is_finite() && sigma >= 0.0) => {
                Some(("sigma", "a finite number, at least 0"))
            }
            Self::Weibull { shape, .. } if !is_positive(shape) => {
                Some(("shape", "a finite number above 0"))
            }
            Self::Weibull { scale: Millis(0), .. } => Some(("scale", "more than 0s")),
            _ => None,
        }
    }
}

/// The exponential distribution of mean 1, by inversion.
pub(crate) fn exponential(stream: &mut Stream) -> f64 {
    -libm::log(stream.positive())
}

/// The standard normal distribution, by the transform of Box and Muller; the second variate is
/// thrown away, so that every draw takes the same from its stream.
pub(crate) fn normal(stream: &mut Stream) -> f64 {
    let radius = libm::sqrt(-2.0 * libm::log(stream.positive()));
    radius * libm::cos(2.0 * PI * stream.uniform())
}

/// The gamma distribution of scale 1 and a shape of at least 1, by the method of Marsaglia and Tsang
/// (ACM Transactions on Mathematical Software 26(3), 2000).
fn gamma(shape: f64, stream: &mut Stream) -> f64 {
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / libm::sqrt(9.0 * d);
    loop {
        let x = normal(stream);
        let root = c.mul_add(x, 1.0);
        let v = root * root * root;
        if v > 0.0 && libm::log(stream.positive()) < 0.5 * x * x + d - d * v + d * libm::log(v) {
            return d * v;
        }
    }
}

/// Weights 1/rank^exponent for `count` people, the ranks in random order, their mean 1.
pub fn zipf_weights(count: usize, exponent: f64, stream: &mut Stream) -> Vec<f64> {
    let mut weights: Vec<f64> = (1..=count).map(|rank| libm::pow(rank as f64, -exponent)).collect();
    let mean = weights.iter().sum::<f64>() / count.max(1) as f64;
    weights.iter_mut().for_each(|weight| *weight /= mean);
    for last in (1..count).rev() {
        weights.swap(last, stream.below(last as u64 + 1) as usize);
    }
    weights
}

/// The most that one Poisson count comes to: what somebody says who is online for years.
const MAX_COUNT: u32 = 100_000_000;

/// A Poisson count, by counting exponential steps: its work is its mean.
pub(crate) fn poisson(mean: f64, stream: &mut Stream) -> u32 {
    let mut count = 0;
    let mut reached = exponential(stream);
    while reached < mean && count < MAX_COUNT {
        count += 1;
        reached += exponential(stream);
    }
    count
}

/// Sixty-four random bits, for what is drawn later from an address of its own.
pub(crate) fn bits(stream: &mut Stream) -> u64 {
    stream.next_u64()
}

#[cfg(test)]
mod tests {
    use super::super::stream::RootSeed;
    use super::*;

    const HOUR: Millis = Millis(3_600_000);
    const EACH: [Distribution; 5] = [
        Distribution::Constant { value: HOUR },
        Distribution::Exponential { mean: HOUR },
        Distribution::LogNormal { mu: 0.5, sigma: 0.8, unit: Unit::Hours },
        Distribution::Weibull { shape: 0.7, scale: HOUR },
        Distribution::Weibull { shape: 3.0, scale: HOUR },
    ];

    fn mean_of(of: impl Fn(&mut Stream) -> f64) -> f64 {
        let mut stream = RootSeed::from_u64(9).stream("moments", 0, 0);
        let draws = 200_000;
        (0..draws).map(|_| of(&mut stream)).sum::<f64>() / f64::from(draws)
    }

    #[test]
    fn means_are_what_they_should_be() {
        for distribution in EACH {
            let found = mean_of(|stream| distribution.sample(stream).as_secs_f64());
            let expected = distribution.mean_s();
            assert!((found / expected - 1.0).abs() < 0.02, "{distribution:?}: {found} {expected}");
        }
    }

    /// Weighting fresh durations by themselves gives the same moments as drawing those under way.
    #[test]
    fn durations_under_way_are_fresh_ones_in_proportion_to_their_length() {
        for distribution in EACH {
            let mean_s = distribution.mean_s();
            for power in [-0.4, 0.5, 1.0] {
                let found = mean_of(|stream| {
                    libm::pow(distribution.sample_under_way(stream).as_secs_f64() / mean_s, power)
                });
                let expected = mean_of(|stream| {
                    libm::pow(distribution.sample(stream).as_secs_f64() / mean_s, 1.0 + power)
                });
                let is_near = (found / expected - 1.0).abs() < 0.02;
                assert!(is_near, "{distribution:?}, {power}: {found} {expected}");
            }
        }
    }

    #[test]
    fn weights_have_mean_one() {
        let mut stream = RootSeed::from_u64(9).stream("zipf", 0, 0);
        let weights = zipf_weights(1_000, 1.0, &mut stream);
        assert!((weights.iter().sum::<f64>() - 1_000.0).abs() < 1e-9);
        let most = weights.iter().copied().fold(0.0, f64::max);
        assert!((most / (1_000.0 / 7.485_470_860_550_345) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn poisson_has_its_mean() {
        let mut stream = RootSeed::from_u64(9).stream("poisson", 0, 0);
        let sum: u32 = (0..100_000).map(|_| poisson(2.5, &mut stream)).sum();
        assert!((f64::from(sum) / 100_000.0 - 2.5).abs() < 0.02);
    }
}
