//! Commit size against epoch, and what the bytes are. The commit that creates a large group is
//! named at the edge instead of pressing all others together.

use super::axis::{self, Axis};
use super::bins::{middle_of, step_of};
use super::canvas::{
    BLUE, GREEN, GREY, Mark, ORANGE, PURPLE, SKY, Sketch, Slide, Stroke, VERMILLION,
};
use super::frame::{self, Entry, Key, Panel};
use super::{Tables, bins, cloud, words};
use crate::CommitRow;

const EPOCH: &str = "Epoch";
const SIZE: &str = "Commit message (bytes)";
const UPPER_SHARE: f64 = 0.62;

fn epoch(epoch: f64) -> String {
    format!("epoch {}", words::figure(epoch))
}

pub(crate) fn draw(tables: &Tables, slide: Slide) -> Sketch {
    let (creations, others): (Vec<&CommitRow>, Vec<&CommitRow>) =
        tables.commits.iter().partition(|row| row.creation);
    let points: Vec<_> = others.iter().map(|row| (row.epoch as f64, row.bytes as f64)).collect();
    let all = if others.is_empty() { &creations } else { &others };
    let Some(range) = scale(&creations, all) else {
        let reason = "no commit was accepted, or none has a size";
        return frame::no_data(tables, slide, "Size of commits", reason, (EPOCH, SIZE));
    };
    let mut sketch = Sketch::on(slide);
    let top = frame::header(&mut sketch, tables, &title(&points));
    let mut entries = cloud::entries(&points, BLUE, "commit");
    if !creations.is_empty() {
        let beyond = creations.iter().any(|row| is_beyond(range, row));
        let mark = if beyond { Mark::Triangle } else { Mark::Diamond };
        entries.push(Entry::new(Key::Mark(mark), VERMILLION, "creation of the group"));
    }
    let top = frame::legend(&mut sketch, top, &entries);
    let x = epoch_axis(&tables.commits);
    let middle = top + (slide.bottom() - top) * UPPER_SHARE;
    let y = Axis::log(SIZE, range, words::bytes);
    let panel = Panel::new(&mut sketch, (top, middle - 30.0), x.unlabelled(), y);
    cloud::draw(&mut sketch, &panel, &points, BLUE, (epoch, words::bytes));
    creations.iter().for_each(|row| name_creation(&mut sketch, &panel, row));

    let entries: Vec<Entry> =
        PARTS.iter().map(|part| Entry::new(Key::Area(1.0), part.color, part.name)).collect();
    let top = frame::legend(&mut sketch, middle - 14.0, &entries);
    let y = Axis::linear("Share of\nbytes", (0.0, 1.0), 2, words::percent);
    let panel = Panel::new(&mut sketch, (top, slide.bottom()), x, y);
    shares(&mut sketch, &panel, all);
    sketch
}

/// The range of all commits, and of the creation too if it is not far beyond them.
fn scale(creations: &[&CommitRow], others: &[&CommitRow]) -> Option<(f64, f64)> {
    let range = axis::log_range(others.iter().map(|row| row.bytes as f64))?;
    let near = creations.iter().map(|row| row.bytes as f64).filter(|bytes| *bytes < 4.0 * range.1);
    axis::log_range(others.iter().map(|row| row.bytes as f64).chain(near))
}

/// A part of the message.
struct Part {
    name: &'static str,
    color: plotters::style::RGBColor,
    bytes: fn(&CommitRow) -> u64,
}

/// From the bottom up.
const PARTS: [Part; 5] = [
    Part { name: "ciphertexts", color: BLUE, bytes: |row| row.bytes_path_ciphertexts },
    Part { name: "public keys", color: SKY, bytes: |row| row.bytes_path_keys },
    Part { name: "leaf node", color: GREEN, bytes: |row| row.bytes_leaf_node },
    Part { name: "proposals", color: ORANGE, bytes: |row| row.bytes_proposals },
    Part { name: "framing", color: PURPLE, bytes: |row| row.bytes_framing },
];

fn epoch_axis(commits: &[CommitRow]) -> Axis {
    let epochs = || commits.iter().map(|row| row.epoch as f64);
    let (from, to) = (epochs().fold(f64::MAX, f64::min), epochs().fold(0.0, f64::max));
    // A few epochs get room at both sides for their bars.
    let room = if commits.len() < bins::MOST_POINTS { (to - from) * 0.01 + 0.5 } else { 0.0 };
    let from = if room > 0.0 { from - room } else { 0.0 };
    Axis::linear(EPOCH, (from, to + room), 8, |value| {
        if value.fract() == 0.0 { words::whole(value.abs() as u64) } else { String::new() }
    })
}

fn is_beyond((from, to): (f64, f64), row: &CommitRow) -> bool {
    !(from..=to).contains(&(row.bytes as f64))
}

/// A creation beyond the axis is held at its end; the text has the number.
fn name_creation(sketch: &mut Sketch, panel: &Panel, row: &CommitRow) {
    let (x, y) = panel.at((row.epoch as f64, row.bytes as f64));
    let beyond = is_beyond((panel.y.from, panel.y.to), row);
    let (mark, y) = match beyond {
        true => (Mark::Triangle, y + 14.0),
        false => (Mark::Diamond, y),
    };
    sketch.mark((x, y), 9.0, mark, VERMILLION);
    let size = words::bytes(row.bytes as f64);
    let text = match beyond {
        true => format!("creation: {size}, beyond the scale"),
        false => format!("creation: {size}"),
    };
    panel.note_beside(sketch, (x, y.max(panel.top + 20.0)), 20.0, &text);
}

/// The parts of all bytes at each epoch, or in each step along the axis when epochs are many,
/// stacked to 100 %.
fn shares(sketch: &mut Sketch, panel: &Panel, rows: &[&CommitRow]) {
    let range = (panel.x.from, panel.x.to);
    let step = (range.1 - range.0) / bins::BINS as f64;
    let middle = |row: &CommitRow| match step <= 1.0 {
        true => row.epoch as f64,
        false => middle_of(step_of(row.epoch as f64, range), range),
    };
    let half = if step <= 1.0 { 0.4 } else { step / 2.0 };
    for same in rows.chunk_by(|a, b| middle(a) == middle(b)) {
        let x = middle(same[0]);
        stack(sketch, panel, (x - half, x + half), same);
    }
    // The axis again, over the bars.
    let (left, right) = (panel.at((range.0, 0.0)), panel.at((range.1, 0.0)));
    sketch.line(vec![left, right], 2.0, Stroke::Solid, GREY);
}

/// One bar.
fn stack(sketch: &mut Sketch, panel: &Panel, (from, to): (f64, f64), rows: &[&CommitRow]) {
    let total: u64 = rows.iter().map(|row| row.bytes).sum();
    let mut below = 0.0;
    for part in &PARTS {
        let bytes: u64 = rows.iter().map(|row| (part.bytes)(row)).sum();
        let above = below + bytes as f64 / total.max(1) as f64;
        if bytes > 0 {
            let (corner, (right, bottom)) = (panel.at((from, above)), panel.at((to, below)));
            // A little over its neighbour, or smoothed edges would leave a pale seam.
            sketch.rectangle(corner, (right + 0.7, bottom), 1.0, part.color);
        }
        below = above;
    }
}

fn title(points: &[(f64, f64)]) -> String {
    let mut sizes: Vec<f64> = points.iter().map(|point| point.1).collect();
    sizes.sort_by(f64::total_cmp);
    let Some(&largest) = sizes.last() else {
        return "The group is created and no commit follows".to_owned();
    };
    let median = words::bytes(bins::quantile(&sizes, 0.5));
    match sizes.len() {
        1 => format!("The only commit is a message of {median}"),
        _ => format!(
            "Half of all commits take at most {median}, the largest {}",
            words::bytes(largest)
        ),
    }
}
