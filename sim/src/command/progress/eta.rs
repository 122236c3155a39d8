//! How long a study's cells will take, by those that this session has played so far. They differ by orders of
//! magnitude, so that it is not cells that are counted but weights, which are known beforehand.

/// A cell that this session plays or is to play.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// How much work it is, beside the others.
    pub(super) weight: f64,
    /// How much of it is done, of 1.
    pub(super) share: f64,
    /// For how many seconds a thread has been at it.
    pub(super) took: f64,
}

impl Seen {
    fn has_ended(&self) -> bool {
        self.share >= 1.0
    }

    fn is_running(&self) -> bool {
        !self.has_ended() && self.took > 0.0
    }

    fn done(&self) -> f64 {
        self.weight * self.share
    }

    fn left(&self) -> f64 {
        self.weight - self.done()
    }
}

/// The seconds until all have ended; none before one has. As many threads as are at work now share what is left,
/// but no two of them a cell.
pub(super) fn eta(cells: &[Seen]) -> Option<f64> {
    if !cells.iter().any(Seen::has_ended) {
        return None;
    }
    let sum = |of: fn(&Seen) -> f64| cells.iter().map(of).sum::<f64>();
    let a_second = sum(Seen::done) / sum(|cell| cell.took);
    let threads = cells.iter().filter(|cell| cell.is_running()).count().max(1) as f64;
    let longest = cells.iter().map(Seen::left).fold(0.0, f64::max);
    let rest = (sum(Seen::left) / threads).max(longest);
    // Cells of no weight, or no time, say nothing.
    a_second.is_normal().then_some(rest / a_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITS: (f64, f64) = (0.0, 0.0);

    fn of(cells: &[(f64, (f64, f64))]) -> Option<f64> {
        let seen = |&(weight, (share, took))| Seen { weight, share, took };
        eta(&cells.iter().map(seen).collect::<Vec<_>>())
    }

    #[test]
    fn nothing_is_known_before_a_cell_has_ended() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(1.0, WAITS), (1.0, (0.9, 9.0))]), None);
        assert_eq!(of(&[(1.0, (1.0, 0.0)), (1.0, WAITS)]), None);
        assert_eq!(of(&[(0.0, (1.0, 1.0)), (1.0, WAITS)]), None);
    }

    #[test]
    fn weights_count_and_not_cells() {
        // A thousandth of the weight has taken a second.
        assert_eq!(of(&[(1.0, (1.0, 1.0)), (999.0, WAITS)]), Some(999.0));
        assert_eq!(of(&[(1.0, (1.0, 1.0)), (1.0, (1.0, 1.0)), (4.0, WAITS)]), Some(4.0));
    }

    #[test]
    fn what_runs_counts_by_its_share() {
        assert_eq!(of(&[(1.0, (1.0, 1.0)), (10.0, (0.5, 5.0))]), Some(5.0));
        // It turns out slower than the one that has ended.
        assert_eq!(of(&[(1.0, (1.0, 1.0)), (10.0, (0.5, 59.0))]), Some(50.0));
    }

    #[test]
    fn threads_share_what_is_left_but_no_cell() {
        let half = (0.5, 5.0);
        assert_eq!(of(&[(10.0, (1.0, 10.0)), (10.0, half), (10.0, half)]), Some(5.0));
        let many = [(10.0, (1.0, 10.0)), (10.0, half), (10.0, half), (5.0, WAITS), (5.0, WAITS)];
        assert_eq!(of(&many), Some(10.0));
        let one_large = [(10.0, (1.0, 10.0)), (10.0, half), (10.0, half), (90.0, WAITS)];
        assert_eq!(of(&one_large), Some(90.0));
    }
}
