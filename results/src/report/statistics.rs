//! What a study says beside its means: differences paired by seed, a table a metric, and growth.

use maud::{Markup, html};

use super::StudySection;
use super::table::{Cell, Table};
use crate::differences::DifferenceRow;
use crate::fits::{FitRow, Fitted};
use crate::metrics::metric_text;

pub(super) fn draw(study: &StudySection) -> Markup {
    html! {
        @if !study.differences.is_empty() {
            h3 { "Differences" }
            p { "Seed by seed: what two runs of the same seed have in common cancels out." }
            @for metric in metrics(&study.differences) { (differences(study, metric)) }
        }
        @if !study.fits.is_empty() {
            h3 { "Growth" }
            p { "Least squares over the means of the points: the exponent of a power, and what each doubling adds." }
            (growth(study))
        }
    }
}

/// The metrics of the rows, in their order.
fn metrics(rows: &[DifferenceRow]) -> Vec<&str> {
    let mut metrics: Vec<&str> = vec![];
    for row in rows {
        if !metrics.contains(&&*row.metric) {
            metrics.push(&row.metric);
        }
    }
    metrics
}

/// The values of the axes at a point.
fn place(point: &[String]) -> impl Iterator<Item = Cell> {
    point.iter().map(|value| if value.is_empty() { Cell::None } else { Cell::value(value) })
}

fn interval(interval: Option<(f64, f64)>) -> [Cell; 2] {
    let (lo, hi) = interval.unzip();
    [Cell::optional(lo), Cell::optional(hi)]
}

fn differences(study: &StudySection, metric: &str) -> Markup {
    let rows = study.differences.iter().filter(|row| row.metric == metric).map(|row| {
        let against = format!("{} = {}", row.axis, row.base);
        let mut cells: Vec<Cell> = place(&row.point).chain([Cell::text(against)]).collect();
        cells.extend([Cell::number(row.base_mean), Cell::number(row.difference.mean)]);
        cells.extend(interval(row.difference.interval));
        cells.push(Cell::whole(row.difference.n as u64));
        cells
    });
    let rows = rows.collect();
    let axes = study.tables.axes.iter().map(String::as_str);
    let columns: Vec<&str> =
        axes.chain(["less that at", "there", "difference", "from", "to", "seeds"]).collect();
    let caption =
        format!("{metric}: mean difference, and its 95 % interval where there are several seeds");
    let table = Table { caption: &caption, file: "differences.csv", columns: &columns, rows };
    let meaning = metric_text(metric);
    html! {
        (table.details(&format!("Differences in {metric}")))
        @if !meaning.is_empty() { p.note { code { (metric) } ": " (meaning) "." } }
    }
}

fn growth(study: &StudySection) -> Markup {
    let rows = study.fits.iter().map(|row| {
        let FitRow { point, growth, points, power, log2, .. } = row;
        let mut cells = vec![Cell::text(&growth.y), Cell::text(&growth.x)];
        cells.extend([Cell::optional(growth.from), Cell::whole(*points as u64)]);
        cells.extend(place(point));
        for Fitted { slope, interval, .. } in [power, log2] {
            cells.push(Cell::number(*slope));
            cells.extend(self::interval(*interval));
        }
        cells.push(Cell::text(row.better()));
        cells
    });
    let rows = rows.collect();
    let axes = study.tables.axes.iter().map(String::as_str);
    let columns: Vec<&str> = ["growth of", "along", "from there on", "points"]
        .into_iter()
        .chain(axes)
        .chain(["exponent", "from", "to", "a doubling adds", "from", "to", "fits better"])
        .collect();
    let caption = "Growth, with 95 % intervals where there are several seeds";
    let table = Table { caption, file: "fits.csv", columns: &columns, rows };
    table.markup()
}
