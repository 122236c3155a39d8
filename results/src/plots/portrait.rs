//! The whole ratchet tree at the end of the run.

use super::axis::Axis;
use super::canvas::{Anchor, Sketch, Slide};
use super::frame::{self, NOTE_EM, Panel};
use super::icicle::{self, Place};
use super::{Tables, words};
use crate::{PortraitRow, TreeRow};

const LEAVES: &str = "Leaves, counted from the left; where nodes are too narrow their colours mix";
const LEVEL: &str = "Level (edges from the root)";

pub(crate) fn draw(tables: &Tables, slide: Slide) -> Sketch {
    let Some(portrait) = icicle::portraits(&tables.portraits).pop() else {
        return frame::no_data(
            tables,
            slide,
            "The ratchet tree",
            "no portrait was taken",
            (LEAVES, LEVEL),
        );
    };
    let mut sketch = Sketch::on(slide);
    let title = format!("{}: {}", moment(portrait), facts(portrait, &tables.tree));
    let top = frame::header(&mut sketch, tables, &title);
    let top = frame::legend(&mut sketch, top, &icicle::legend());
    let (width, levels) = (icicle::width(portrait), icicle::levels(portrait));
    let panel = panel(&mut sketch, top, width, LEVEL);
    let level = (panel.bottom - panel.top) / f64::from(levels.max(1));
    let leaf = leaf(&panel, width);
    icicle::draw(&mut sketch, portrait, Place { left: panel.left, top: panel.top, leaf, level });
    level_labels(&mut sketch, &panel, level, levels);
    sketch
}

/// A panel of so many leaves across, its levels not labelled.
pub(crate) fn panel(sketch: &mut Sketch, top: f64, width: u64, y_name: &str) -> Panel {
    let x = Axis::linear(LEAVES, (0.0, width as f64), 8, words::short);
    let mut y = Axis::linear(y_name, (0.0, 1.0), 1, words::short);
    y.ticks.clear();
    let bottom = sketch.slide.bottom();
    Panel::new(sketch, (top, bottom), x, y)
}

/// Width of a leaf in such a panel.
pub(crate) fn leaf(panel: &Panel, width: u64) -> f64 {
    (panel.right - panel.left) / width.max(1) as f64
}

/// The number of each level that has room for one.
fn level_labels(sketch: &mut Sketch, panel: &Panel, height: f64, levels: u32) {
    let every = (NOTE_EM * 1.3 / height).ceil().max(1.0) as usize;
    for level in (0..levels).step_by(every) {
        let y = panel.top + height * (f64::from(level) + 0.5);
        sketch.text((panel.left - 14.0, y), NOTE_EM, Anchor::End, level.to_string());
    }
}

/// When a portrait was taken.
pub(crate) fn moment(portrait: &[PortraitRow]) -> String {
    match portrait.first().map_or(0, |row| row.time_ms) {
        0 => "At the start".to_owned(),
        time => format!("After {}", words::span(time as f64)),
    }
}

/// What the snapshot of the same moment counts.
pub(crate) fn facts(portrait: &[PortraitRow], snapshots: &[TreeRow]) -> String {
    let leaves = words::whole(icicle::width(portrait));
    let same = |row: &&TreeRow| {
        portrait.first().is_some_and(|at| (at.time_ms, at.epoch) == (row.time_ms, row.epoch))
    };
    let Some(snapshot) = snapshots.iter().find(same) else { return format!("{leaves} leaves") };
    let parents = snapshot.blank_parents + snapshot.keyed_parents;
    let blank = snapshot.blank_parents as f64 / parents.max(1) as f64;
    let members = words::whole(snapshot.members);
    let blank = words::percent((blank * 1_000.0).round() / 1_000.0);
    format!("{leaves} leaves for {members} members, {blank} of the parents blank")
}
