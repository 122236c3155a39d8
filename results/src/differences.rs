//! Differences between values of an axis of a study, paired by seed: `differences.csv`. The same
//! seed brings the same people on the same days, so what they have in common cancels out.

use std::path::Path;

use crate::bootstrap::{Estimate, estimate};
use crate::error::ResultsError;
use crate::folder::{whole, write_table};
use crate::study::{CellRow, Place, StudyTables, apart};

/// Which values are compared.
#[derive(Debug, Clone, PartialEq)]
pub struct PairedMetrics {
    /// The axis along which.
    pub axis: String,
    /// The value that the others are compared with; every two of them without it.
    pub base: Option<String>,
    /// The numbers that are compared.
    pub metrics: Vec<String>,
    /// Values of other axes that are meant.
    pub at: Vec<(String, Vec<String>)>,
}

/// How one value of an axis differs from another at one point.
#[derive(Debug, Clone, PartialEq)]
pub struct DifferenceRow {
    /// The point that is compared.
    pub point: Vec<String>,
    /// The axis along which.
    pub axis: String,
    /// The value there that it is compared with.
    pub base: String,
    /// The metric.
    pub metric: String,
    /// The mean of the base over the seeds that both have.
    pub base_mean: f64,
    /// The mean difference, point less base, and its interval.
    pub difference: Estimate,
}

/// The differences, in the order of the points.
pub fn differences(tables: &StudyTables, paired: &PairedMetrics) -> Vec<DifferenceRow> {
    let Some(axis) = tables.axes.iter().position(|axis| *axis == paired.axis) else {
        return vec![];
    };
    let place = Place::of(&tables.axes, &paired.at);
    let groups: Vec<&[CellRow]> =
        tables.cells.chunk_by(|one, next| one.point == next.point).collect();
    let mut values: Vec<&str> = vec![];
    for group in &groups {
        let value = &*group[0].point[axis];
        if !values.contains(&value) {
            values.push(value);
        }
    }
    let mut rows = vec![];
    for group in groups.iter().filter(|group| place.holds(&group[0].point)) {
        let own = &*group[0].point[axis];
        let bases = values.iter().take_while(|value| **value != own);
        let bases: Vec<&str> = match &paired.base {
            Some(base) => vec![base.as_str()],
            None => bases.copied().collect(),
        };
        for base in bases.into_iter().filter(|base| *base != own) {
            let mut other = group[0].point.clone();
            base.clone_into(&mut other[axis]);
            let Some(other) = groups.iter().find(|group| group[0].point == other) else { continue };
            let row = |metric: &String| row(group, other, (&paired.axis, base), metric);
            rows.extend(paired.metrics.iter().filter_map(row));
        }
    }
    rows
}

/// None where the two have no seed with the number in common.
fn row(
    own: &[CellRow],
    other: &[CellRow],
    (axis, base): (&str, &str),
    metric: &str,
) -> Option<DifferenceRow> {
    let pairs = own.iter().filter_map(|cell| {
        let same = other.iter().find(|other| other.seed == cell.seed)?;
        Some((cell.number(metric)?, same.number(metric)?))
    });
    let pairs: Vec<(f64, f64)> = pairs.collect();
    let each: Vec<f64> = pairs.iter().map(|(own, base)| own - base).collect();
    Some(DifferenceRow {
        point: own[0].point.clone(),
        axis: axis.to_owned(),
        base: base.to_owned(),
        metric: metric.to_owned(),
        base_mean: pairs.iter().map(|(_, base)| base).sum::<f64>() / pairs.len() as f64,
        difference: estimate(&each, metric)?,
    })
}

/// Writes `differences.csv` into a study's folder, whole or not at all.
pub fn write_differences(
    folder: &Path,
    axes: &[String],
    rows: &[DifferenceRow],
) -> Result<(), ResultsError> {
    const FIXED: [&str; 8] = ["axis", "base", "metric", "n", "base_mean", "difference", "lo", "hi"];
    let columns: Vec<String> =
        axes.iter().map(|axis| apart(axis, &FIXED)).chain(FIXED.map(str::to_owned)).collect();
    let rows = rows.iter().map(|row| {
        let Estimate { n, mean, interval } = row.difference;
        let (lo, hi) = interval.unzip();
        let end = |end: Option<f64>| end.map_or_else(String::new, |end| end.to_string());
        let mut cells = row.point.clone();
        cells.extend([row.axis.clone(), row.base.clone(), row.metric.clone(), n.to_string()]);
        cells.extend([row.base_mean.to_string(), mean.to_string(), end(lo), end(hi)]);
        cells
    });
    whole(&folder.join("differences.csv"), |path| write_table(path, &columns, rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(point: [&str; 2], seed: u64, cost: f64) -> CellRow {
        let point = point.map(str::to_owned).to_vec();
        CellRow { point, seed, digest: String::new(), numbers: vec![("cost".into(), cost)] }
    }

    /// The seeds are far apart, the difference is the same in each.
    fn tables() -> StudyTables {
        let mut cells = vec![];
        for n in ["8", "64"] {
            for (place, strategy) in ["a", "b", "c"].into_iter().enumerate() {
                for (seed, people) in [(1, 10.0), (2, 1_000.0), (3, 70.0)] {
                    cells.push(cell([n, strategy], seed, people - place as f64));
                }
            }
        }
        StudyTables::new(vec!["n".into(), "strategy".into()], cells)
    }

    fn paired(base: Option<&str>) -> PairedMetrics {
        PairedMetrics {
            axis: "strategy".into(),
            base: base.map(Into::into),
            metrics: vec!["cost".into(), "what nobody counted".into()],
            at: vec![("n".into(), vec!["64".into()])],
        }
    }

    #[test]
    fn what_people_have_in_common_cancels_out() {
        let rows = differences(&tables(), &paired(Some("a")));
        let told: Vec<_> = rows.iter().map(|row| (&*row.point[1], &*row.base)).collect();
        assert_eq!(told, [("b", "a"), ("c", "a")]);
        assert!(rows.iter().all(|row| row.point[0] == "64" && row.base_mean == 360.0));
        let all = |mean: f64| Estimate { n: 3, mean, interval: Some((mean, mean)) };
        assert_eq!((rows[0].difference, rows[1].difference), (all(-1.0), all(-2.0)));
    }

    #[test]
    fn without_a_base_every_two_are_compared_once() {
        let rows = differences(&tables(), &paired(None));
        let told: Vec<_> = rows.iter().map(|row| (&*row.point[1], &*row.base)).collect();
        assert_eq!(told, [("b", "a"), ("c", "a"), ("c", "b")]);
    }

    #[test]
    fn seeds_that_one_side_lacks_are_left_out() {
        let cells =
            vec![cell(["8", "a"], 1, 5.0), cell(["8", "a"], 2, 9.0), cell(["8", "b"], 2, 8.0)];
        let tables = StudyTables::new(vec!["n".into(), "strategy".into()], cells);
        let rows = differences(&tables, &PairedMetrics { at: vec![], ..paired(None) });
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].base_mean, 9.0);
        assert_eq!(rows[0].difference, Estimate { n: 1, mean: -1.0, interval: None });
        let folder = tempfile::tempdir().unwrap();
        write_differences(folder.path(), &tables.axes, &rows).unwrap();
        let text = std::fs::read_to_string(folder.path().join("differences.csv")).unwrap();
        let header = "axis.n,strategy,axis,base,metric,n,base_mean,difference,lo,hi";
        assert_eq!(text, format!("{header}\n8,b,strategy,a,cost,1,9,-1,,\n"));
    }
}
