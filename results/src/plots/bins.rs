//! Many points made few: quantiles of the points in equal steps along an axis.

/// More points than this are binned.
pub(crate) const MOST_POINTS: usize = 2_000;
/// Steps along an axis.
pub(crate) const BINS: usize = 160;

/// The points in one step along the axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bin {
    /// Middle of the step.
    pub(crate) x: f64,
    pub(crate) min: f64,
    pub(crate) p10: f64,
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) max: f64,
}

/// The number of the step that `x` falls into.
pub(crate) fn step_of(x: f64, (from, to): (f64, f64)) -> usize {
    let share = if to > from { (x - from) / (to - from) } else { 0.0 };
    ((share * BINS as f64) as usize).min(BINS - 1)
}

/// The middle of a step.
pub(crate) fn middle_of(step: usize, (from, to): (f64, f64)) -> f64 {
    from + (to - from) * (step as f64 + 0.5) / BINS as f64
}

/// Bins of points in ascending order of `x`; steps without points are left out.
pub(crate) fn bins(points: &[(f64, f64)], range: (f64, f64)) -> Vec<Bin> {
    let same = |a: &(f64, f64), b: &(f64, f64)| step_of(a.0, range) == step_of(b.0, range);
    points
        .chunk_by(same)
        .map(|chunk| {
            let mut values: Vec<f64> = chunk.iter().map(|point| point.1).collect();
            values.sort_by(f64::total_cmp);
            Bin {
                x: middle_of(step_of(chunk[0].0, range), range),
                min: values[0],
                p10: quantile(&values, 0.1),
                p50: quantile(&values, 0.5),
                p90: quantile(&values, 0.9),
                max: values[values.len() - 1],
            }
        })
        .collect()
}

/// The smallest value with at least this share of all at or below it (nearest rank).
///
/// `sorted` must not be empty.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

/// Every so many points, the last always among them: enough for a line.
pub(crate) fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let step = points.len().div_ceil(MOST_POINTS).max(1);
    let mut kept: Vec<_> = points.iter().copied().step_by(step).collect();
    if kept.last() != points.last() {
        kept.extend(points.last());
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_keep_extremes() {
        let points: Vec<_> = (0..10_000).map(|i| (f64::from(i), f64::from(i % 100))).collect();
        let bins = bins(&points, (0.0, 9_999.0));
        assert_eq!(bins.len(), BINS);
        assert!(bins.iter().all(|bin| bin.min <= bin.p10 && bin.p90 <= bin.max));
        assert_eq!(bins.iter().map(|bin| bin.max as u32).max(), Some(99));
    }

    #[test]
    fn quantiles_are_nearest_rank() {
        let values: Vec<f64> = (1..=10).map(f64::from).collect();
        assert_eq!(quantile(&values, 0.5), 5.0);
        assert_eq!(quantile(&values, 0.99), 10.0);
        assert_eq!(quantile(&values[..1], 0.1), 1.0);
    }

    #[test]
    fn thinning_keeps_both_ends() {
        let points: Vec<_> = (0..7_001).map(|i| (f64::from(i), 0.0)).collect();
        let kept = thinned(&points);
        assert_eq!((kept[0].0, kept[kept.len() - 1].0), (0.0, 7_000.0));
        assert!(kept.len() <= MOST_POINTS + 1);
    }
}
