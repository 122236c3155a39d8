//! Tree growth over time: members, width and blanks, with the depth on a panel of its own.

use super::axis::Axis;
use super::bins::{MOST_POINTS, thinned};
use super::canvas::{BLACK, BLUE, GREEN, Mark, ORANGE, PURPLE, Sketch, Slide, Stroke};
use super::frame::{self, Entry, Key, Panel};
use super::{Tables, words};
use crate::TreeRow;

const NODES: &str = "Leaves and parents (count)";

pub(crate) fn draw(tables: &Tables, slide: Slide) -> Sketch {
    let rows = &tables.tree;
    if rows.is_empty() {
        let x = "Virtual time since the start";
        return frame::no_data(
            tables,
            slide,
            "Tree growth over time",
            "no snapshot was taken",
            (x, NODES),
        );
    }
    let mut sketch = Sketch::on(slide);
    let top = frame::header(&mut sketch, tables, &title(rows));
    let entries: Vec<Entry> = SERIES.iter().map(|series| series.entry(rows.len())).collect();
    let top = frame::legend(&mut sketch, top, &entries);
    let x = Axis::time(tables.end_ms());
    let most = SERIES.iter().flat_map(|series| rows.iter().map(series.value)).max().unwrap_or(1);
    let y = Axis::linear(NODES, (0.0, most as f64 * 1.05), 6, words::short);
    let panel = Panel::new(&mut sketch, (top, slide.bottom() - 190.0), x.unlabelled(), y);
    SERIES.iter().for_each(|series| series.draw(&mut sketch, &panel, rows));

    let deepest = DEPTH.most(rows) as f64 * 1.2;
    let y = Axis::linear("Depth\n(edges)", (0.0, deepest.max(1.0)), 4, words::short);
    let panel = Panel::new(&mut sketch, (slide.bottom() - 140.0, slide.bottom()), x, y);
    DEPTH.draw(&mut sketch, &panel, rows);
    tips(&mut sketch, &Panel { top, ..panel }, rows);
    sketch
}

/// What each snapshot counts, from half way to its neighbours.
fn tips(sketch: &mut Sketch, panel: &Panel, rows: &[TreeRow]) {
    let x = |row: &TreeRow| panel.at((row.time_ms as f64, 0.0)).0;
    for (at, row) in rows.iter().enumerate().step_by(rows.len().div_ceil(MOST_POINTS).max(1)) {
        let from =
            at.checked_sub(1).map_or(x(row), |before| f64::midpoint(x(&rows[before]), x(row)));
        let to = rows.get(at + 1).map_or(x(row), |next| f64::midpoint(x(row), x(next)));
        let figures = SERIES.iter().map(|series| (series.name, (series.value)(row)));
        let figures = figures.chain([(DEPTH.name, (DEPTH.value)(row))]);
        let words = figures.map(|(name, value)| format!("{name} {}", words::whole(value)));
        let text = format!("{}: {}", when(row.time_ms), words.collect::<Vec<_>>().join(", "));
        sketch.tip((from - 2.0, panel.top), (to + 2.0, panel.bottom), text);
    }
}

/// A moment in words.
pub(crate) fn when(time_ms: u64) -> String {
    match time_ms {
        0 => "at the start".to_owned(),
        time => format!("after {}", words::span(time as f64)),
    }
}

/// One line of the plot.
struct Series {
    name: &'static str,
    dash: Stroke,
    mark: Mark,
    color: plotters::style::RGBColor,
    value: fn(&TreeRow) -> u64,
}

const SERIES: [Series; 4] = [
    Series {
        name: "width (leaves)",
        dash: Stroke::Dashed,
        mark: Mark::Square,
        color: BLACK,
        value: |row| row.width,
    },
    Series {
        name: "members",
        dash: Stroke::Solid,
        mark: Mark::Circle,
        color: BLUE,
        value: |row| row.members,
    },
    Series {
        name: "blank leaves",
        dash: Stroke::DashDot,
        mark: Mark::Diamond,
        color: ORANGE,
        value: |row| row.blank_leaves,
    },
    Series {
        name: "blank parents",
        dash: Stroke::Dotted,
        mark: Mark::Triangle,
        color: GREEN,
        value: |row| row.blank_parents,
    },
];

const DEPTH: Series = Series {
    name: "depth",
    dash: Stroke::Solid,
    mark: Mark::Circle,
    color: PURPLE,
    value: |row| row.depth,
};

/// The same of a place on an axis of time.
pub(crate) fn when_at(time_ms: f64) -> String {
    when(time_ms.max(0.0).round() as u64)
}

/// Up to so many snapshots each carry a mark; more would hide the line.
const MOST_MARKS: usize = 40;

impl Series {
    fn entry(&self, rows: usize) -> Entry {
        let key = match rows <= MOST_MARKS {
            true => Key::MarkedLine(self.dash, self.mark),
            false => Key::Line(self.dash),
        };
        Entry::new(key, self.color, self.name)
    }

    fn most(&self, rows: &[TreeRow]) -> u64 {
        rows.iter().map(self.value).max().unwrap_or(0)
    }

    fn draw(&self, sketch: &mut Sketch, panel: &Panel, rows: &[TreeRow]) {
        let point = |row: &TreeRow| (row.time_ms as f64, (self.value)(row) as f64);
        let points: Vec<_> = rows.iter().map(point).collect();
        panel.line(sketch, &thinned(&points), 3.5, self.dash, self.color);
        if rows.len() <= MOST_MARKS {
            points.iter().for_each(|&at| sketch.mark(panel.at(at), 6.0, self.mark, self.color));
        }
    }
}

/// Says what became of the width, of the members, and of the parents.
pub(crate) fn title(rows: &[TreeRow]) -> String {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return "Tree growth over time".to_owned();
    };
    let width = words::whole(last.width);
    let parents = last.blank_parents + last.keyed_parents;
    let blank = words::percent(round_share(last.blank_parents as f64 / parents.max(1) as f64));
    if rows.len() == 1 {
        let members = words::whole(last.members);
        return format!(
            "{members} members in a tree of {width} leaves; {blank} of its parents are blank"
        );
    }
    let width = match first.width == last.width {
        true => format!("The tree stays {width} leaves wide"),
        false => format!("The tree goes from {} to {width} leaves", words::whole(first.width)),
    };
    let members = match first.members == last.members {
        true => format!("with {} members", words::whole(last.members)),
        false => format!(
            "members from {} to {}",
            words::whole(first.members),
            words::whole(last.members)
        ),
    };
    format!("{width}, {members}; {blank} of its parents end blank")
}

/// Two digits are enough for a title.
fn round_share(share: f64) -> f64 {
    if share >= 0.01 { (share * 100.0).round() / 100.0 } else { (share * 1e4).ceil() / 1e4 }
}
