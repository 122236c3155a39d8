//! A distribution of whole numbers: an HdrHistogram for its shape, integers for its exact mean.

use std::io::{self, Write};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Significant decimal digits kept of each value: quantiles are right within 0.1 %, and exact
/// below 2,048.
const DIGITS: u8 = 3;

/// Values recorded so far. Percentiles are good to three significant digits; count, mean and
/// maximum are exact.
#[derive(Debug, Clone)]
pub struct Distribution {
    histogram: Histogram<u64>,
    sum: u128,
    max: u64,
}

/// Mean, percentiles and maximum; all `None` (JSON `null`) when nothing was recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct FiveFigures {
    /// Exact arithmetic mean.
    pub mean: Option<f64>,
    /// Median.
    pub p50: Option<u64>,
    /// 90th percentile.
    pub p90: Option<u64>,
    /// 99th percentile.
    pub p99: Option<u64>,
    /// Exact maximum.
    pub max: Option<u64>,
}

impl Default for Distribution {
    fn default() -> Self {
        // The only failure is a digit count above 5.
        let mut histogram = Histogram::new(DIGITS).expect("three digits are allowed");
        histogram.auto(true);
        Self { histogram, sum: 0, max: 0 }
    }
}

impl Distribution {
    /// Adds one value.
    pub fn record(&mut self, value: u64) {
        // Clamped rather than lost: past 2^62 the histogram cannot grow its index.
        self.histogram.record(value.min(1 << 62)).expect("the histogram grows by itself");
        self.sum += u128::from(value);
        self.max = self.max.max(value);
    }

    /// How many values were recorded.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The largest value, exact; `None` if there is none.
    pub fn max(&self) -> Option<u64> {
        (self.count() > 0).then_some(self.max)
    }

    /// The value at or below which a share of `quantile` (0 to 1) of all values lies.
    pub fn quantile(&self, quantile: f64) -> Option<u64> {
        // The histogram answers with the upper end of a bucket, which may pass the true maximum.
        (self.count() > 0).then(|| self.histogram.value_at_quantile(quantile).min(self.max))
    }

    /// The figures that stand in a summary.
    pub fn five_figures(&self) -> FiveFigures {
        FiveFigures {
            mean: (self.count() > 0).then(|| self.sum as f64 / self.count() as f64),
            p50: self.quantile(0.50),
            p90: self.quantile(0.90),
            p99: self.quantile(0.99),
            max: self.max(),
        }
    }

    /// Writes HdrHistogram's percentile text format, which its plotters and viewers read.
    pub fn write_hgrm(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "{:>12} {:>14} {:>10} {:>14}\n",
            "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
        )?;
        let mut total = 0;
        for step in self.histogram.iter_quantiles(5) {
            total += step.count_since_last_iteration();
            let value = step.value_iterated_to().min(self.max);
            let quantile = step.quantile_iterated_to();
            write!(out, "{value:>12}.000 {quantile:>14.12} {total:>10}")?;
            match quantile < 1.0 {
                true => writeln!(out, " {:>14.2}", 1.0 / (1.0 - quantile))?,
                false => writeln!(out)?,
            }
        }
        let mean = self.five_figures().mean.unwrap_or(0.0);
        let (deviation, max) = (self.histogram.stdev(), self.max);
        writeln!(out, "#[Mean    = {mean:>12.3}, StdDeviation   = {deviation:>12.3}]")?;
        writeln!(out, "#[Max     = {max:>12}.000, Total count    = {:>12}]", self.count())?;
        let (buckets, sub_buckets) = self.buckets();
        writeln!(out, "#[Buckets = {buckets:>12}, SubBuckets     = {sub_buckets:>12}]")
    }

    /// Buckets and sub-buckets as HdrHistogram lays them out for three digits.
    fn buckets(&self) -> (u32, u32) {
        let sub_buckets = 2 * 10_u32.pow(u32::from(DIGITS)).next_power_of_two();
        let bits = u64::BITS - self.histogram.high().leading_zeros();
        (bits.saturating_sub(sub_buckets.ilog2()) + 1, sub_buckets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_is_null_and_full_is_exact_where_promised() {
        assert_eq!(Distribution::default().five_figures(), FiveFigures::default());
        let mut distribution = Distribution::default();
        (1..=100).for_each(|value| distribution.record(value));
        distribution.record(1_234_567);
        let figures = distribution.five_figures();
        assert_eq!(figures.mean, Some((5_050.0 + 1_234_567.0) / 101.0));
        assert_eq!((figures.p50, figures.p90), (Some(51), Some(91)));
        assert_eq!(figures.max, Some(1_234_567));
        assert_eq!(distribution.quantile(1.0), Some(1_234_567));
    }

    #[test]
    fn extreme_values_are_kept() {
        let mut distribution = Distribution::default();
        distribution.record(0);
        distribution.record(u64::MAX);
        assert_eq!(distribution.count(), 2);
        assert_eq!(distribution.max(), Some(u64::MAX));
    }

    #[test]
    fn the_percentile_text_ends_in_the_whole() {
        let mut distribution = Distribution::default();
        (0..1_000).for_each(|value| distribution.record(value));
        let mut text = Vec::new();
        distribution.write_hgrm(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("999.000 1.000000000000       1000\n"), "{text}");
        assert!(text.contains("#[Mean    =      499.500"), "{text}");
    }
}
