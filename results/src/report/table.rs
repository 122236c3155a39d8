//! Tables: headers with their scope, numbers that sort as numbers, and no more rows than a page
//! should hold.

use maud::{Markup, html};

use crate::plots::words::{number, whole};

/// More rows than this are thinned out: the whole table is in the folder.
const MOST_ROWS: usize = 200;

/// A cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Text(String),
    /// A number, and how it is shown.
    Number(f64, String),
    /// Nothing was measured.
    None,
}

impl Cell {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn number(value: f64) -> Self {
        Self::Number(value, number(value))
    }

    pub(super) fn whole(value: u64) -> Self {
        Self::Number(value as f64, whole(value))
    }

    pub(super) fn optional(value: Option<f64>) -> Self {
        value.map_or(Self::None, Self::number)
    }

    /// A value of an axis: a number where it is one, as the file has it.
    pub(super) fn value(text: &str) -> Self {
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Self::Number(value, text.to_owned()),
            _ => Self::text(text),
        }
    }
}

/// A table.
pub(super) struct Table<'a> {
    /// What it holds.
    pub(super) caption: &'a str,
    /// The file of the folder that has all of it.
    pub(super) file: &'a str,
    pub(super) columns: &'a [&'a str],
    pub(super) rows: Vec<Vec<Cell>>,
}

impl Table<'_> {
    /// The table, closed until somebody asks for it.
    pub(super) fn details(self, summary: &str) -> Markup {
        html! {
            details {
                summary { (summary) }
                (self.markup())
            }
        }
    }

    /// The table. The first cell of each row is its header.
    pub(super) fn markup(self) -> Markup {
        let all = self.rows.len();
        let step = all.div_ceil(MOST_ROWS).max(1);
        let mut rows: Vec<&Vec<Cell>> = self.rows.iter().step_by(step).collect();
        if !(all.max(1) - 1).is_multiple_of(step) {
            rows.extend(self.rows.last());
        }
        html! {
            div.scroll tabindex="0" role="region" aria-label=(self.caption) {
                table data-sortable {
                    caption { (self.caption) }
                    thead { tr {
                        @for column in self.columns { th scope="col" { (column) } }
                    } }
                    tbody {
                        @for row in &rows { tr {
                            @for (at, cell) in row.iter().enumerate() { (draw(cell, at == 0)) }
                        } }
                    }
                }
            }
            @if rows.len() < all {
                p.note {
                    "One row in " (step) " of " (whole(all as u64)) ", and the last; all of them are in "
                    code { (self.file) } "."
                }
            }
        }
    }
}

fn draw(cell: &Cell, is_header: bool) -> Markup {
    let (shown, sorted) = match cell {
        Cell::Text(text) => (text.as_str(), None),
        Cell::Number(value, text) => (text.as_str(), Some(value)),
        Cell::None => ("\u{2013}", None),
    };
    let class = sorted.map(|_| "number");
    html! {
        @if is_header {
            th scope="row" class=[class] data-value=[sorted] { (shown) }
        } @else {
            td class=[class] data-value=[sorted] { (shown) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_table_is_thinned_out_and_says_so() {
        let rows = |n: u64| (0..n).map(|row| vec![Cell::whole(row)]).collect();
        let table = |rows| Table { caption: "c", file: "f.csv", columns: &["n"], rows };
        let all = table(rows(200)).markup().into_string();
        assert_eq!(all.matches("<th scope=\"row\"").count(), 200);
        assert!(!all.contains("f.csv"));
        let thinned = table(rows(1_002)).markup().into_string();
        assert!(thinned.contains("One row in 6 of 1,002") && thinned.contains("f.csv"));
        assert_eq!(thinned.matches("<th scope=\"row\"").count(), 168);
        assert!(thinned.contains("data-value=\"1001\""), "the last row is kept");
        assert!(table(vec![]).markup().into_string().contains("<tbody></tbody>"));
    }

    #[test]
    fn texts_are_escaped() {
        let rows = vec![vec![Cell::text("<b>\"&")]];
        let table = Table { caption: "<i>", file: "", columns: &["<u>"], rows };
        let html = table.details("s").into_string();
        assert!(html.contains("&lt;b&gt;&quot;&amp;") && html.contains("&lt;u&gt;"), "{html}");
        assert!(!html.contains("<i>") && !html.contains("<b>") && !html.contains("<u>"));
    }
}
