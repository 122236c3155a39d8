//! The tables of a study: `cells.csv`, a row a cell, and `aggregate.csv`, a row a grid point and
//! metric with the mean over its seeds and a bootstrap interval.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use serde::Serialize;

use crate::bootstrap::{Estimate, estimate, estimate_ratio};
use crate::error::ResultsError;
use crate::folder::{whole, write_table, write_text};
use crate::summary::flat;

/// One cell's result.
#[derive(Debug, Clone, PartialEq)]
pub struct CellRow {
    /// The values of the axes, in their order.
    pub point: Vec<String>,
    /// The seed.
    pub seed: u64,
    /// The digest of its records.
    pub digest: String,
    /// Every number of its summary, keys joined by dots.
    pub numbers: Vec<(String, f64)>,
}

impl CellRow {
    /// A cell of this summary; the machine's side and the seed are no results.
    pub fn new(point: Vec<String>, seed: u64, digest: &str, summary: &impl Serialize) -> Self {
        let mut numbers = flat(summary);
        numbers.retain(|(key, _)| !matches!(key.as_str(), "seed" | "schema"));
        Self { point, seed, digest: digest.to_owned(), numbers }
    }

    /// Adds a number that is the quotient of two, if both are there and it is one.
    pub fn add_quotient(&mut self, name: &str, of: Option<f64>, by: Option<f64>) {
        let quotient = of.zip(by).map(|(of, by)| of / by);
        let quotient = quotient.filter(|quotient| quotient.is_finite());
        self.numbers.extend(quotient.map(|quotient| (name.to_owned(), quotient)));
    }

    /// A number.
    pub fn number(&self, key: &str) -> Option<f64> {
        self.numbers.iter().find(|(name, _)| name == key).map(|(_, number)| *number)
    }
}

/// A mean over the seeds of a grid point. Its interval takes thousands of resamples, and is computed when
/// somebody asks for it: most are never shown.
#[derive(Debug, Clone)]
pub struct AggregateRow {
    /// The values of the axes, in their order.
    pub point: Vec<String>,
    /// The metric.
    pub metric: String,
    /// Of how many seeds.
    pub n: usize,
    /// The values of the seeds; none where the estimate was read.
    values: Vec<f64>,
    found: OnceLock<Estimate>,
}

impl AggregateRow {
    /// One that has been computed before.
    pub fn read(point: Vec<String>, metric: String, estimate: Estimate) -> Self {
        Self { point, metric, n: estimate.n, values: vec![], found: estimate.into() }
    }

    /// What the seeds say.
    pub fn estimate(&self) -> Estimate {
        let compute = || estimate(&self.values, &self.metric).expect("there are values");
        *self.found.get_or_init(compute)
    }
}

/// The means over seeds of every grid point and metric, in the order of the cells. What the host
/// measured is left out: its spread is that of the machine.
pub fn aggregate(cells: &[CellRow]) -> Vec<AggregateRow> {
    let mut rows = vec![];
    for group in cells.chunk_by(|one, next| one.point == next.point) {
        let mut metrics: Vec<&str> = vec![];
        for (key, _) in group.iter().flat_map(|cell| &cell.numbers) {
            if !key.starts_with("host.") && !metrics.contains(&key.as_str()) {
                metrics.push(key);
            }
        }
        for metric in metrics {
            let values: Vec<f64> = group.iter().filter_map(|cell| cell.number(metric)).collect();
            rows.push(AggregateRow {
                point: group[0].point.clone(),
                metric: metric.to_owned(),
                n: values.len(),
                values,
                found: OnceLock::new(),
            });
        }
    }
    rows
}

/// Columns of `aggregate.csv` beside those of the axes.
const FIXED: [&str; 5] = ["metric", "n", "mean", "lo", "hi"];

/// The column of an axis: one of the same name as another column stands apart from it.
pub(crate) fn axis_column(axis: &str) -> String {
    apart(axis, &FIXED)
}

/// The tables of a study.
#[derive(Debug, Clone)]
pub struct StudyTables {
    /// The names of the axes.
    pub axes: Vec<String>,
    /// The cells: points in order, seeds within.
    pub cells: Vec<CellRow>,
    /// Their means, which do not change: `places` says where each stands.
    means: Vec<AggregateRow>,
    /// Where the mean of a metric at a point stands among them.
    places: BTreeMap<String, BTreeMap<Vec<String>, usize>>,
}

impl StudyTables {
    /// The tables of these cells.
    pub fn new(axes: Vec<String>, cells: Vec<CellRow>) -> Self {
        let means = aggregate(&cells);
        Self { cells, ..Self::of_means(axes, means) }
    }

    /// Those of means alone, whose cells are not kept.
    pub fn of_means(axes: Vec<String>, means: Vec<AggregateRow>) -> Self {
        let mut places: BTreeMap<String, BTreeMap<Vec<String>, usize>> = BTreeMap::new();
        for (place, row) in means.iter().enumerate() {
            let of_metric = places.entry(row.metric.clone()).or_default();
            of_metric.entry(row.point.clone()).or_insert(place);
        }
        Self { axes, cells: vec![], means, places }
    }

    /// The means: points in order, metrics within.
    pub fn means(&self) -> &[AggregateRow] {
        &self.means
    }

    /// Writes `study.toml`, `cells.csv` and `aggregate.csv` into a folder, each whole or not at
    /// all.
    pub fn write(&self, folder: &Path, study_toml: &str) -> Result<(), ResultsError> {
        fs::create_dir_all(folder).map_err(ResultsError::write(folder))?;
        whole(&folder.join("study.toml"), |path| write_text(path, study_toml))?;
        whole(&folder.join("cells.csv"), |path| self.write_cells(path))?;
        whole(&folder.join("aggregate.csv"), |path| self.write_means(path))
    }

    fn write_cells(&self, path: &Path) -> Result<(), ResultsError> {
        let mut keys: Vec<&str> = vec![];
        for (key, _) in self.cells.iter().flat_map(|cell| &cell.numbers) {
            if !keys.contains(&key.as_str()) {
                keys.push(key);
            }
        }
        let axes = self.axes.iter().map(String::as_str);
        let columns: Vec<&str> = axes.chain(["seed", "digest"]).chain(keys.clone()).collect();
        let rows = self.cells.iter().map(|cell| {
            let mut row = cell.point.clone();
            row.extend([cell.seed.to_string(), cell.digest.clone()]);
            let number = |key: &&str| cell.number(key).map_or_else(String::new, |n| n.to_string());
            row.extend(keys.iter().map(number));
            row
        });
        write_table(path, &columns, rows)
    }

    fn write_means(&self, path: &Path) -> Result<(), ResultsError> {
        let axes = self.axes.iter().map(|axis| axis_column(axis));
        let columns: Vec<String> = axes.chain(FIXED.map(str::to_owned)).collect();
        let rows = self.means.iter().map(|mean| {
            let mut row = mean.point.clone();
            let Estimate { n, mean: value, interval } = mean.estimate();
            let end = |end: Option<f64>| end.map_or_else(String::new, |end| end.to_string());
            row.extend([mean.metric.clone(), n.to_string(), value.to_string()]);
            row.extend([end(interval.map(|i| i.0)), end(interval.map(|i| i.1))]);
            row
        });
        write_table(path, &columns, rows)
    }

    /// The mean of a metric at a point.
    pub fn mean(&self, point: &[String], metric: &str) -> Option<Estimate> {
        let place = *self.places.get(metric)?.get(point)?;
        Some(self.means[place].estimate())
    }

    /// The mean of a metric at a point over that at another, and its interval, of the seeds that both were
    /// run with. Where only means are kept, the interval is what the two intervals allow together, which
    /// is wider.
    pub fn ratio(&self, point: &[String], other: &[String], metric: &str) -> Option<Estimate> {
        let (above, below) = (self.mean(point, metric)?, self.mean(other, metric)?);
        let pairs: Vec<(f64, f64)> = self.pairs(point, other, metric);
        if let Some(paired) = estimate_ratio(&pairs, metric) {
            return Some(paired);
        }
        let mean = above.mean / below.mean;
        let bounds = above.interval.zip(below.interval);
        // Bounds of quotients: of numbers that are not below 0, and a divisor that is above it.
        let bounds = bounds.filter(|(above, below)| above.0 >= 0.0 && below.0 > 0.0);
        let interval = bounds.map(|(above, below)| (above.0 / below.1, above.1 / below.0));
        Some(Estimate { n: above.n.min(below.n), mean, interval })
    }

    /// A metric at two points by seed.
    fn pairs(&self, point: &[String], other: &[String], metric: &str) -> Vec<(f64, f64)> {
        let at = |point: &[String]| -> BTreeMap<u64, f64> {
            let cells = self.cells.iter().filter(|cell| cell.point == point);
            cells.filter_map(|cell| Some((cell.seed, cell.number(metric)?))).collect()
        };
        let others = at(other);
        let pair = |(seed, value)| Some((value, *others.get(&seed)?));
        at(point).into_iter().filter_map(pair).collect()
    }

    /// The seeds that each point was run with, in the order of the points. Where only means are kept, as many
    /// as a metric of it has: what happens in some seeds only has fewer.
    pub fn seeds(&self) -> Vec<usize> {
        if self.cells.is_empty() {
            let points = self.means.chunk_by(|one, next| one.point == next.point);
            let most = |rows: &[AggregateRow]| rows.iter().map(|row| row.n).max();
            return points.filter_map(most).collect();
        }
        let points = self.cells.chunk_by(|one, next| one.point == next.point);
        points.map(<[CellRow]>::len).collect()
    }

    /// The points there are, each once, in order.
    pub fn points(&self) -> Vec<&[String]> {
        let mut points: Vec<&[String]> = self.means.iter().map(|row| &row.point[..]).collect();
        points.dedup();
        points
    }
}

/// An axis of the same name as a column stands apart from it.
pub(crate) fn apart(axis: &str, columns: &[&str]) -> String {
    if columns.contains(&axis) { format!("axis.{axis}") } else { axis.to_owned() }
}

/// Values of axes that points are chosen by.
pub(crate) struct Place<'a>(Vec<(usize, &'a [String])>);

impl<'a> Place<'a> {
    /// The place of these values, of each axis any of several; axes that there are not say nothing.
    pub(crate) fn of(axes: &[String], at: &'a [(String, Vec<String>)]) -> Self {
        let column = |name: &str| axes.iter().position(|axis| axis == name);
        Self(at.iter().filter_map(|(axis, values)| Some((column(axis)?, &values[..]))).collect())
    }

    /// Whether a point lies there.
    pub(crate) fn holds(&self, point: &[String]) -> bool {
        self.0.iter().all(|(column, values)| values.contains(&point[*column]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(point: &str, seed: u64, cost: f64) -> CellRow {
        let numbers = vec![("cost".into(), cost), ("host.wall_s".into(), 1.0)];
        CellRow { point: vec![point.into()], seed, digest: "d".into(), numbers }
    }

    #[test]
    fn a_row_a_cell_and_a_row_a_point_and_metric() {
        let cells = vec![cell("a", 1, 2.0), cell("a", 2, 4.0), cell("b", 1, 5.5)];
        let tables = StudyTables::new(vec!["n".into()], cells);
        let folder = tempfile::tempdir().unwrap();
        tables.write(folder.path(), "x = 1\n").unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(
            read("cells.csv"),
            "n,seed,digest,cost,host.wall_s\na,1,d,2,1\na,2,d,4,1\nb,1,d,5.5,1\n"
        );
        let aggregate = read("aggregate.csv");
        let lines: Vec<_> = aggregate.lines().collect();
        assert_eq!(lines[0], "axis.n,metric,n,mean,lo,hi");
        assert_eq!(lines[1], "a,cost,2,3,2,4");
        assert_eq!(lines[2], "b,cost,1,5.5,,");
        assert_eq!(lines.len(), 3);
        assert_eq!(tables.points(), [["a".to_owned()], ["b".to_owned()]]);
        assert_eq!(tables.seeds(), [2, 1]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
        // What is found by its place is what a search finds.
        for row in tables.means() {
            assert_eq!(tables.mean(&row.point, &row.metric), Some(row.estimate()), "{row:?}");
        }
        assert_eq!(tables.mean(&["c".to_owned()], "cost"), None);
        let again = crate::read_aggregate(folder.path(), &tables.axes).unwrap();
        let told = |rows: &[AggregateRow]| -> Vec<_> {
            let rows = rows.iter();
            rows.map(|it| (it.point.clone(), it.metric.clone(), it.n, it.estimate())).collect()
        };
        assert_eq!(told(&again), told(&tables.means));
        let other = crate::read_aggregate(folder.path(), &["m".to_owned()]).unwrap_err();
        assert!(other.to_string().contains("expected the study's axis `m`"), "{other}");
    }

    #[test]
    fn a_ratio_is_paired_where_seeds_are_kept() {
        let cells = (1..9)
            .flat_map(|seed| [cell("a", seed, 3.0 * seed as f64), cell("b", seed, seed as f64)]);
        let mut cells: Vec<_> = cells.collect();
        cells.sort_by(|one, next| one.point.cmp(&next.point));
        let mut tables = StudyTables::new(vec!["p".into()], cells.clone());
        let (a, b) = (["a".to_owned()], ["b".to_owned()]);
        let ratio = |tables: &StudyTables| tables.ratio(&a, &b, "cost").unwrap();
        let paired = ratio(&tables);
        assert_eq!((paired.n, paired.mean, paired.interval), (8, 3.0, Some((3.0, 3.0))));
        // A seed that only one of them has says nothing of how they compare.
        cells.insert(8, cell("a", 9, 1e6));
        assert_eq!(ratio(&StudyTables::new(vec!["p".into()], cells)), paired);
        tables.cells.clear();
        let (lo, hi) = ratio(&tables).interval.unwrap();
        assert!(lo < 2.5 && hi > 3.5, "{lo} {hi}");
        assert_eq!(tables.ratio(&a, &["c".to_owned()], "cost"), None);
    }

    #[test]
    fn a_ratio_is_a_number_where_both_are() {
        let mut row = cell("a", 1, 2.0);
        row.numbers.push(("none".into(), 0.0));
        for (name, of, by) in
            [("half", "host.wall_s", "cost"), ("no", "cost", "none"), ("x", "y", "cost")]
        {
            row.add_quotient(name, row.number(of), row.number(by));
        }
        assert_eq!(
            (row.number("half"), row.number("no"), row.number("x")),
            (Some(0.5), None, None)
        );
    }
}
