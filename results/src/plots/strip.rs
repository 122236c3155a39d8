//! Portraits of trees below each other, on one scale across and down: that of the widest and the
//! deepest. Over time, one run; side by side, several runs at their end.

use super::canvas::{Anchor, GREY, Sketch, Slide, WIDE};
use super::frame::{self, NOTE_EM, Panel};
use super::icicle::{self, Place};
use super::portrait::{facts, leaf, panel};
use super::{Tables, tree_growth, words};
use crate::{PortraitRow, TreeRow};

/// Space between two portraits.
const BETWEEN: f64 = 10.0;
const SMALL_EM: f64 = 19.0;
/// More portraits than this would be too low to read.
const MOST: usize = 10;

pub(crate) fn draw(tables: &Tables, slide: Slide) -> Sketch {
    let portraits = icicle::portraits(&tables.portraits);
    if portraits.is_empty() {
        let (what, why) = ("The ratchet tree over time", "no portrait was taken");
        return frame::no_data(tables, slide, what, why, ("Leaves, from the left", ""));
    }
    let mut sketch = Sketch::on(slide);
    let top = frame::header(&mut sketch, tables, &tree_growth::title(&tables.tree));
    let top = frame::legend(&mut sketch, top, &icicle::legend());
    let (panel, rows) = rows(&mut sketch, &portraits, top, 0.0);
    for (portrait, row) in portraits.iter().zip(rows) {
        let middle = f64::midpoint(row.top, row.bottom);
        let time = match portrait[0].time_ms {
            0 => "start".to_owned(),
            time => words::span(time as f64),
        };
        let leaves = format!("{} leaves", words::whole(icicle::width(portrait)));
        let label = |y| (panel.left - 14.0, middle + y);
        sketch.text(label(-14.0), SMALL_EM, Anchor::End, time);
        sketch.colored_text(label(14.0), SMALL_EM * 0.85, Anchor::End, GREY, leaves);
    }
    sketch
}

/// A run among others.
pub(crate) struct Contestant {
    pub(crate) name: String,
    /// Its last portrait.
    pub(crate) portrait: Vec<PortraitRow>,
    pub(crate) snapshots: Vec<TreeRow>,
}

/// The trees at the end of several runs of a scenario.
pub(crate) fn side_by_side(contestants: &[Contestant], scenario: &str) -> Sketch {
    let shown = &contestants[..contestants.len().min(MOST)];
    let subtitle = match contestants.len() > MOST {
        true => format!("{scenario}\u{2002}·\u{2002}the first {MOST} of {}", contestants.len()),
        false => scenario.to_owned(),
    };
    let mut sketch = Sketch::on(WIDE);
    let top = frame::bare_header(&mut sketch, "The tree at the end of each run", &subtitle);
    let top = frame::legend(&mut sketch, top, &icicle::legend());
    let portraits: Vec<&[PortraitRow]> =
        shown.iter().map(|contestant| &contestant.portrait[..]).collect();
    let (panel, rows) = rows(&mut sketch, &portraits, top, NOTE_EM * 1.4);
    for (contestant, row) in shown.iter().zip(rows) {
        let facts = facts(&contestant.portrait, &contestant.snapshots);
        let text = format!("{}\u{2002}·\u{2002}{facts}", contestant.name);
        let at = (panel.left + 8.0, row.top - NOTE_EM * 0.8);
        panel.note(&mut sketch, at, Anchor::Start, &text);
    }
    sketch
}

/// Where a portrait stands.
struct Row {
    top: f64,
    bottom: f64,
}

/// Draws the portraits in a panel, with so much room for a text above each.
fn rows(
    sketch: &mut Sketch,
    portraits: &[&[PortraitRow]],
    top: f64,
    text: f64,
) -> (Panel, Vec<Row>) {
    let widest = portraits.iter().map(|portrait| icicle::width(portrait)).max().unwrap_or(1);
    let deepest = portraits.iter().map(|portrait| icicle::levels(portrait)).max().unwrap_or(1);
    let panel = panel(sketch, top, widest, "");
    let (leaf, top, bottom) = (leaf(&panel, widest), panel.top, panel.bottom);
    let each = (bottom - top) / portraits.len() as f64;
    let level = (each - text - BETWEEN) / f64::from(deepest.max(1));
    let row = |(number, portrait): (usize, &&[PortraitRow])| {
        let top = top + each * number as f64 + text + BETWEEN / 2.0;
        icicle::draw(sketch, portrait, Place { left: panel.left, top, leaf, level });
        Row { top, bottom: (top + level * f64::from(deepest)).min(bottom) }
    };
    let rows = portraits.iter().enumerate().map(row).collect();
    (panel, rows)
}
