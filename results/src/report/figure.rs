//! A study's figure on a page: its chart, and the table behind it.

use maud::{Markup, html};

use super::chart;
use super::table::{Cell, Table};
use crate::metrics::metric_text;
use crate::plots::StudyFigure;
use crate::plots::study::shown;
use crate::study::StudyTables;

/// A figure with the table behind it, whose whole is in a file of the folder.
pub(super) fn draw(tables: &StudyTables, figure: &StudyFigure, id: &str, file: &str) -> Markup {
    let at: Vec<String> = figure
        .at
        .iter()
        .map(|(axis, value)| format!("{axis}\u{a0}=\u{a0}{}", value.join(" or ")))
        .collect();
    html! {
        figure.chart aria-labelledby=(id) {
            figcaption id=(id) {
                h4 { (figure.title) }
                @if !at.is_empty() { p.note { "At " (at.join(", ")) "." } }
            }
            @match chart::draw(tables, figure) {
                Some(chart) => (chart),
                None => p { "There is nothing of it in the tables: its points were not run, or the values of " code { (figure.x) } " are no numbers." },
            }
            (table(tables, figure, file))
        }
    }
}

/// The figures of a plot: a row a point.
fn table(tables: &StudyTables, figure: &StudyFigure, file: &str) -> Markup {
    let shown = shown(tables, figure);
    let rows: Vec<Vec<Cell>> = shown
        .iter()
        .filter_map(|shown| {
            let found = tables.mean(shown.point, &figure.y)?;
            let (lo, hi) = found.interval.unzip();
            let series = figure.series.iter().map(|_| Cell::value(shown.series));
            let mut row: Vec<Cell> = series.chain([Cell::value(shown.x)]).collect();
            row.extend([Cell::number(found.mean), Cell::optional(lo), Cell::optional(hi)]);
            row.push(Cell::whole(found.n as u64));
            if let Some(bound) = &figure.bound {
                let bound = tables.mean(shown.point, bound);
                row.push(Cell::optional(bound.map(|bound| bound.mean)));
            }
            Some(row)
        })
        .collect();
    if rows.is_empty() {
        return html! {};
    }
    let bound = figure.bound.as_deref();
    let fixed = [&figure.x, &figure.y_label, "from", "to", "seeds"];
    let columns: Vec<&str> =
        figure.series.as_deref().into_iter().chain(fixed).chain(bound).collect();
    let caption = format!("{}, mean over the seeds and its 95 % interval", figure.title);
    let table = Table { caption: &caption, file, columns: &columns, rows };
    let meaning = metric_text(&figure.y);
    html! {
        (table.details("The figures behind this plot"))
        p.note {
            "The metric is " code { (figure.y) }
            @if !meaning.is_empty() { ": " (meaning) }
            "."
        }
    }
}
