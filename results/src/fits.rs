//! How a number of a study grows along an axis: `fits.csv`. Is it log n, is it n? The slope of ln y
//! against ln x is the exponent of a power of x; the slope of y against log2 x says how much each
//! doubling adds. Both are least squares over the means of the points.

use std::path::Path;

use crate::bootstrap::intervals;
use crate::error::ResultsError;
use crate::folder::{whole, write_table};
use crate::study::{CellRow, Place, StudyTables, apart};

/// What is fitted.
#[derive(Debug, Clone, PartialEq)]
pub struct Growth {
    /// The axis along which.
    pub x: String,
    /// The number that grows.
    pub y: String,
    /// Values of other axes that are meant.
    pub at: Vec<(String, Vec<String>)>,
    /// Only values of x from here on.
    pub from: Option<f64>,
}

/// One form of growth, fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fitted {
    /// The slope: the exponent of a power, or what a doubling adds.
    pub slope: f64,
    /// Its 95 % bootstrap interval over seeds; none where every point has one seed.
    pub interval: Option<(f64, f64)>,
    /// The share of the variance that it explains, of ln y or of y.
    pub r2: f64,
    /// The root of the mean square of the relative errors: what the two forms are compared by.
    pub error: f64,
}

/// How a number grows at one combination of the other axes.
#[derive(Debug, Clone, PartialEq)]
pub struct FitRow {
    /// Values of the axes; empty for that of x.
    pub point: Vec<String>,
    /// What is fitted.
    pub growth: Growth,
    /// Values of x.
    pub points: usize,
    /// The fewest seeds of any.
    pub seeds: usize,
    /// y = a·x^b.
    pub power: Fitted,
    /// y = a + b·log2 x.
    pub log2: Fitted,
}

impl FitRow {
    /// The form with the smaller relative error; neither where both are exact, as of a number that
    /// does not grow.
    pub fn better(&self) -> &'static str {
        match (self.power.error, self.log2.error) {
            (power, log2) if power < EXACT && log2 < EXACT => "either",
            (power, log2) if power <= log2 => "power",
            _ => "log2",
        }
    }
}

/// A relative error that is one of rounding.
const EXACT: f64 = 1e-9;

/// The values of the seeds at one x.
type Seeds = (f64, Vec<f64>);

/// The fits of a number, in the order of the points; none where fewer than three values of x have
/// it, and it is above 0.
pub fn fits(tables: &StudyTables, growth: &Growth) -> Vec<FitRow> {
    let Some(axis) = tables.axes.iter().position(|axis| *axis == growth.x) else { return vec![] };
    let place = Place::of(&tables.axes, &growth.at);
    let mut curves: Vec<(Vec<String>, Vec<Seeds>)> = vec![];
    for group in tables.cells.chunk_by(|one, next| one.point == next.point) {
        let mut point = group[0].point.clone();
        let Some(seeds) = seeds(group, &point[axis], growth) else { continue };
        if !place.holds(&point) {
            continue;
        }
        point[axis].clear();
        match curves.iter_mut().find(|(other, _)| *other == point) {
            Some((_, curve)) => curve.push(seeds),
            None => curves.push((point, vec![seeds])),
        }
    }
    curves.retain(|(_, curve)| curve.len() >= 3);
    curves.into_iter().map(|(point, curve)| row(point, &curve, growth)).collect()
}

/// The seeds of a point, if it is one of the fit.
fn seeds(group: &[CellRow], x: &str, growth: &Growth) -> Option<Seeds> {
    let x: f64 = x.parse().ok()?;
    let values: Vec<f64> = group.iter().filter_map(|cell| cell.number(&growth.y)).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let meant = x > 0.0 && mean > 0.0 && growth.from.is_none_or(|from| x >= from);
    meant.then_some((x, values))
}

fn row(point: Vec<String>, curve: &[Seeds], growth: &Growth) -> FitRow {
    let xs: Vec<f64> = curve.iter().map(|(x, _)| *x).collect();
    let samples: Vec<&[f64]> = curve.iter().map(|(_, values)| &values[..]).collect();
    let means: Vec<f64> =
        samples.iter().map(|values| values.iter().sum::<f64>() / values.len() as f64).collect();
    let ends = intervals(&samples, &growth.y, |means| {
        // A resample may have nothing but zeros somewhere: of that there is no logarithm.
        let power = if means.iter().all(|y| *y > 0.0) { power(&xs, means).slope } else { f64::NAN };
        [power, log2(&xs, means).slope]
    });
    let [of_power, of_log2] = ends.map_or([None, None], |ends| ends.map(Some));
    FitRow {
        point,
        growth: growth.clone(),
        points: curve.len(),
        seeds: samples.iter().map(|values| values.len()).min().unwrap_or(0),
        power: Fitted { interval: of_power, ..power(&xs, &means) },
        log2: Fitted { interval: of_log2, ..log2(&xs, &means) },
    }
}

/// ln y = a + b·ln x.
fn power(xs: &[f64], ys: &[f64]) -> Fitted {
    let (u, v): (Vec<f64>, Vec<f64>) =
        xs.iter().zip(ys).map(|(x, y)| (libm::log(*x), libm::log(*y))).unzip();
    let (a, slope, r2) = least_squares(&u, &v);
    let error = relative_error(ys, u.iter().map(|u| libm::exp(a + slope * u)));
    Fitted { slope, interval: None, r2, error }
}

/// y = a + b·log2 x.
fn log2(xs: &[f64], ys: &[f64]) -> Fitted {
    let u: Vec<f64> = xs.iter().map(|x| libm::log2(*x)).collect();
    let (a, slope, r2) = least_squares(&u, ys);
    let error = relative_error(ys, u.iter().map(|u| a + slope * u));
    Fitted { slope, interval: None, r2, error }
}

/// Intercept, slope and the share of the variance explained; 1 where there is no variance.
fn least_squares(u: &[f64], v: &[f64]) -> (f64, f64, f64) {
    let n = u.len() as f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / n;
    let (mean_u, mean_v) = (mean(u), mean(v));
    let product = |a: &[f64], mean_a: f64, b: &[f64], mean_b: f64| {
        a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b)).sum::<f64>()
    };
    let slope = product(u, mean_u, v, mean_v) / product(u, mean_u, u, mean_u);
    let a = mean_v - slope * mean_u;
    let all = product(v, mean_v, v, mean_v);
    let left: f64 = u.iter().zip(v).map(|(u, v)| (v - a - slope * u).powi(2)).sum();
    (a, slope, if all > 0.0 { 1.0 - left / all } else { 1.0 })
}

fn relative_error(ys: &[f64], fitted: impl Iterator<Item = f64>) -> f64 {
    let squares = ys.iter().zip(fitted).map(|(y, fitted)| ((fitted - y) / y).powi(2));
    (squares.sum::<f64>() / ys.len() as f64).sqrt()
}

/// Writes `fits.csv` into a study's folder, whole or not at all.
pub fn write_fits(folder: &Path, axes: &[String], rows: &[FitRow]) -> Result<(), ResultsError> {
    const FIXED: [&str; 15] = [
        "x",
        "y",
        "from",
        "points",
        "seeds",
        "exponent",
        "exponent_lo",
        "exponent_hi",
        "exponent_r2",
        "exponent_error",
        "per_doubling",
        "per_doubling_lo",
        "per_doubling_hi",
        "per_doubling_r2",
        "per_doubling_error",
    ];
    let columns = axes.iter().map(|axis| apart(axis, &FIXED)).chain(FIXED.map(str::to_owned));
    let columns: Vec<String> = columns.chain(["better".to_owned()]).collect();
    let rows = rows.iter().map(|row| {
        let mut cells = row.point.clone();
        cells.extend([row.growth.x.clone(), row.growth.y.clone()]);
        cells.push(row.growth.from.map_or_else(String::new, |from| from.to_string()));
        cells.extend([row.points.to_string(), row.seeds.to_string()]);
        for Fitted { slope, interval, r2, error } in [row.power, row.log2] {
            let (lo, hi) = interval.unzip();
            let end = |end: Option<f64>| end.map_or_else(String::new, |end| end.to_string());
            cells.extend([slope.to_string(), end(lo), end(hi), r2.to_string(), error.to_string()]);
        }
        cells.push(row.better().to_owned());
        cells
    });
    whole(&folder.join("fits.csv"), |path| write_table(path, &columns, rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [f64; 5] = [16.0, 256.0, 1_024.0, 32_768.0, 1_048_576.0];

    /// Two seeds that differ by a factor around the truth.
    fn tables(y: impl Fn(f64) -> f64) -> StudyTables {
        let cells = ["cold", "warm"].into_iter().flat_map(|start| {
            let y = &y;
            SIZES.into_iter().flat_map(move |n| {
                [(1, 0.9), (2, 1.1)].map(|(seed, factor)| CellRow {
                    point: vec![start.into(), n.to_string()],
                    seed,
                    digest: String::new(),
                    numbers: vec![("y".into(), y(n) * factor)],
                })
            })
        });
        StudyTables::new(vec!["start".into(), "n".into()], cells.collect())
    }

    fn growth() -> Growth {
        let at = vec![("start".into(), vec!["warm".into()])];
        Growth { x: "n".into(), y: "y".into(), at, from: None }
    }

    #[test]
    fn a_power_is_known_by_its_exponent() {
        let [row] = &fits(&tables(|n| 3.0 * n.powf(0.75)), &growth())[..] else { panic!("one") };
        assert_eq!(
            (&row.point[..], row.points, row.seeds),
            (&["warm".into(), String::new()][..], 5, 2)
        );
        assert!((row.power.slope - 0.75).abs() < 1e-9, "{row:?}");
        let (lo, hi) = row.power.interval.unwrap();
        assert!(lo < 0.75 && 0.75 < hi && hi - lo < 0.1, "{row:?}");
        assert!(row.power.r2 > 0.999_999 && row.power.error < 1e-9);
        assert_eq!(row.better(), "power");
    }

    #[test]
    fn a_logarithm_is_known_by_what_a_doubling_adds() {
        let [row] = &fits(&tables(|n| 2.0 + 5.0 * n.log2()), &growth())[..] else { panic!("one") };
        assert!((row.log2.slope - 5.0).abs() < 1e-9, "{row:?}");
        let (lo, hi) = row.log2.interval.unwrap();
        assert!(lo < 5.0 && 5.0 < hi, "{row:?}");
        assert_eq!(row.better(), "log2");
    }

    #[test]
    fn each_combination_of_the_others_is_fitted_from_where_it_is_asked() {
        let growth = Growth { at: vec![], from: Some(1_000.0), ..growth() };
        let rows = fits(&tables(|n| n), &growth);
        let told: Vec<_> = rows.iter().map(|row| (&*row.point[0], row.points)).collect();
        assert_eq!(told, [("cold", 3), ("warm", 3)]);
        assert!(fits(&tables(|n| n), &Growth { from: Some(10_000.0), ..growth }).is_empty());
        assert!(fits(&tables(|_| 0.0), &self::growth()).is_empty(), "0 has no logarithm");
    }

    #[test]
    fn what_does_not_grow_has_no_form() {
        let [row] = &fits(&tables(|_| 7.0), &growth())[..] else { panic!("one") };
        assert!(row.power.slope.abs() < 1e-12 && row.log2.slope.abs() < 1e-12, "{row:?}");
        assert_eq!(row.better(), "either");
    }

    #[test]
    fn the_table_has_a_row_a_fit() {
        let folder = tempfile::tempdir().unwrap();
        let mut one = tables(|n| n);
        one.cells.retain(|cell| cell.seed == 1);
        write_fits(folder.path(), &one.axes, &fits(&one, &growth())).unwrap();
        let text = std::fs::read_to_string(folder.path().join("fits.csv")).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert!(
            lines[0].starts_with("start,n,x,y,from,points,seeds,exponent,exponent_lo,"),
            "{text}"
        );
        assert!(lines[1].starts_with("warm,,n,y,,5,1,") && lines[1].ends_with(",power"), "{text}");
        // A single seed has no interval.
        assert_eq!(lines[1].split(',').nth(8), Some(""));
        assert_eq!(lines.len(), 2);
    }
}
