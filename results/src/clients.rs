//! `clients.csv`: what clients went through, as histogram rows, so that its size does not grow
//! with the group.
//!
//! Two kinds of row share the columns `metric,unit,from,to,count,mean,p50,p90,p99,max`. For
//! `catch_up_bytes_by_away` and `catch_up_commits_by_away`, `from` and `to` bound the time away in
//! seconds, and the figures are of the catch-ups in that range. For a total per client, `from` and
//! `to` bound that total itself. Ranges include `from` and exclude `to`.

use crate::distribution::{Distribution, FiveFigures};
use crate::recorder::Recorded;

/// The metric whose rows say how many bytes a client fetched, by time away.
pub(crate) const BYTES_BY_AWAY: &str = "catch_up_bytes_by_away";
/// The metric whose rows say how many commits a client processed, by time away.
pub(crate) const COMMITS_BY_AWAY: &str = "catch_up_commits_by_away";

pub(crate) const COLUMNS: [&str; 10] =
    ["metric", "unit", "from", "to", "count", "mean", "p50", "p90", "p99", "max"];

/// A total for each client, such as the bytes it received.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientHistogram {
    /// Name of the metric, in snake case.
    pub metric: String,
    /// Unit of the values.
    pub unit: String,
    /// One value for each client, in any order.
    pub values: Vec<u64>,
}

/// A row of `clients.csv`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClientRow {
    /// Name of the metric.
    pub metric: String,
    /// Unit of the figures.
    pub unit: String,
    /// Lower end of the range, included.
    pub from: u64,
    /// Upper end of the range, excluded.
    pub to: u64,
    /// Clients, or catch-ups, in the range.
    pub count: u64,
    /// Their figures.
    pub figures: FiveFigures,
}

impl ClientRow {
    fn new(metric: &str, unit: &str, range: (u64, u64), values: &Distribution) -> Self {
        Self {
            metric: metric.to_owned(),
            unit: unit.to_owned(),
            from: range.0,
            to: range.1,
            count: values.count(),
            figures: values.five_figures(),
        }
    }

    pub(crate) fn cells(&self) -> Vec<String> {
        let number = |value: Option<u64>| value.map_or_else(String::new, |value| value.to_string());
        vec![
            self.metric.clone(),
            self.unit.clone(),
            self.from.to_string(),
            self.to.to_string(),
            self.count.to_string(),
            self.figures.mean.map_or_else(String::new, |mean| mean.to_string()),
            number(self.figures.p50),
            number(self.figures.p90),
            number(self.figures.p99),
            number(self.figures.max),
        ]
    }
}

/// All rows of the table. A metric without values has one row with a count of 0, so that a reader
/// can tell "nothing happened" from "not measured".
pub(crate) fn rows(recorded: &Recorded, totals: &[ClientHistogram]) -> Vec<ClientRow> {
    let mut rows = Vec::new();
    by_away(recorded, &mut rows);
    for total in totals {
        by_size(total, &mut rows);
    }
    rows
}

fn by_away(recorded: &Recorded, rows: &mut Vec<ClientRow>) {
    if recorded.by_away.is_empty() {
        let nothing = Distribution::default();
        rows.push(ClientRow::new(BYTES_BY_AWAY, "bytes", (0, 0), &nothing));
        rows.push(ClientRow::new(COMMITS_BY_AWAY, "commits", (0, 0), &nothing));
    }
    for bucket in &recorded.by_away {
        let range = (bucket.from_s, bucket.to_s);
        rows.push(ClientRow::new(BYTES_BY_AWAY, "bytes", range, &bucket.bytes));
    }
    for bucket in &recorded.by_away {
        let range = (bucket.from_s, bucket.to_s);
        rows.push(ClientRow::new(COMMITS_BY_AWAY, "commits", range, &bucket.commits));
    }
}

fn by_size(total: &ClientHistogram, rows: &mut Vec<ClientRow>) {
    let mut values = total.values.clone();
    values.sort_unstable();
    if values.is_empty() {
        let nothing = Distribution::default();
        rows.push(ClientRow::new(&total.metric, &total.unit, (0, 0), &nothing));
    }
    for bucket in values.chunk_by(|a, b| size_range(*a) == size_range(*b)) {
        let mut distribution = Distribution::default();
        bucket.iter().for_each(|&value| distribution.record(value));
        rows.push(ClientRow::new(&total.metric, &total.unit, size_range(bucket[0]), &distribution));
    }
}

/// Zero, then powers of two. The last range ends at the largest number there is.
fn size_range(value: u64) -> (u64, u64) {
    match value.checked_ilog2() {
        None => (0, 1),
        Some(63) => (1 << 63, u64::MAX),
        Some(power) => (1 << power, 2 << power),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_fall_into_powers_of_two() {
        let values = vec![5, 0, 4, 7, 8, u64::MAX];
        let total = ClientHistogram { metric: "m".into(), unit: "u".into(), values };
        let rows = rows(&Recorded::default(), &[total]);
        let ranges: Vec<_> = rows
            .iter()
            .filter(|row| row.metric == "m")
            .map(|row| (row.from, row.to, row.count))
            .collect();
        assert_eq!(ranges, [(0, 1, 1), (4, 8, 3), (8, 16, 1), (1 << 63, u64::MAX, 1)]);
    }

    #[test]
    fn nothing_is_said_in_one_row() {
        let empty = ClientHistogram { metric: "m".into(), unit: "u".into(), values: vec![] };
        let rows = rows(&Recorded::default(), &[empty]);
        assert_eq!(rows.len(), 3);
        assert!(rows.iter().all(|row| row.count == 0 && row.figures == FiveFigures::default()));
    }
}
