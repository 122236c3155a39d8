//! Strategies side by side: for each metric the contestants' differences from the baseline, as
//! shares of the baseline's mean, with their intervals. Left of the line is less.

use plotters::style::RGBColor;

use super::axis::Axis;
use super::canvas::{
    Anchor, BLACK, BLUE, GREEN, GREY, GRID, Mark, ORANGE, PURPLE, SKY, Sketch, Stroke, VERMILLION,
    WIDE, text_width,
};
use super::frame::{self, Entry, Key, NOTE_EM};
use super::words;
use crate::compare::{Bound, Comparison, Difference};

/// Left edge of the data: metric names stand before it.
const LEFT: f64 = 520.0;
const COLORS: [RGBColor; 6] = [BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY];

const BOUND_MARKS: [Mark; 2] = [Mark::Diamond, Mark::Triangle];

/// A difference and its interval, as shares of the baseline.
fn shares(found: &Difference) -> Option<(f64, f64, f64)> {
    let middle = found.relative(found.difference)?;
    let end = |value: Option<f64>| value.and_then(|value| found.relative(value)).unwrap_or(middle);
    Some((end(found.lo), middle, end(found.hi)))
}

/// A bound as a difference from the baseline, in its share.
fn bound_share(bound: &Bound) -> Option<f64> {
    let beyond = bound.value - bound.baseline_mean;
    (bound.baseline_mean != 0.0).then(|| beyond / bound.baseline_mean.abs())
}

/// How each bound is marked.
fn bound_marks(compared: &Comparison) -> Vec<(&'static str, Mark)> {
    let mut names: Vec<&'static str> = vec![];
    for bound in &compared.bounds {
        if !names.contains(&bound.name) {
            names.push(bound.name);
        }
    }
    names.into_iter().zip(BOUND_MARKS).collect()
}

pub(crate) fn draw(compared: &Comparison) -> Sketch {
    let mut sketch = Sketch::on(WIDE);
    let mut metrics: Vec<&str> = vec![];
    for found in &compared.differences {
        if !metrics.contains(&&found.metric[..]) {
            metrics.push(&found.metric);
        }
    }
    sketch.text(
        (WIDE.margin, 50.0),
        35.0,
        Anchor::Start,
        format!("Difference from {}", compared.baseline),
    );
    sketch.colored_text((WIDE.margin, 96.0), NOTE_EM, Anchor::Start, GREY, subtitle(compared));
    let entries = compared.contestants.iter().zip(COLORS.iter().cycle()).map(|(name, color)| {
        Entry::new(Key::MarkedLine(Stroke::Solid, Mark::Circle), *color, name.as_str())
    });
    let marks = bound_marks(compared);
    let bounds = marks
        .iter()
        .map(|&(name, mark)| Entry::new(Key::Mark(mark), BLACK, format!("{name} at the end")));
    let top = frame::legend(&mut sketch, 122.0, &entries.chain(bounds).collect::<Vec<_>>());
    let (axis, bottom) = (axis(compared), WIDE.bottom());
    let at = |share: f64| LEFT + axis.share(share) * (WIDE.right - LEFT);
    for tick in &axis.ticks {
        let x = at(tick.value);
        sketch.line(vec![(x, top), (x, bottom)], 1.4, Stroke::Solid, GRID);
        sketch.text((x, bottom + 26.0), NOTE_EM, Anchor::Middle, tick.label.as_str());
    }
    sketch.line(vec![(at(0.0), top), (at(0.0), bottom)], 2.5, Stroke::Solid, GREY);
    sketch.text(
        ((LEFT + WIDE.right) / 2.0, bottom + 72.0),
        NOTE_EM,
        Anchor::Middle,
        axis.name.as_str(),
    );
    let row = (bottom - top) / metrics.len().max(1) as f64;
    for (number, metric) in metrics.iter().enumerate() {
        let middle = top + row * (number as f64 + 0.5);
        sketch.text((LEFT - 20.0, middle), NOTE_EM, Anchor::End, *metric);
        for bound in compared.bounds.iter().filter(|bound| bound.metric == *metric) {
            let place = marks.iter().position(|(name, _)| *name == bound.name);
            if let (Some(place), Some(share)) = (place, bound_share(bound)) {
                // One above the other: often they are nearly the same.
                let y = middle + row * 0.35 * (place as f64 - 0.5);
                sketch.mark((at(share), y), 6.0, marks[place].1, BLACK);
            }
        }
        let mut free_from = at(0.0) + 12.0;
        for (place, name) in compared.contestants.iter().enumerate() {
            let step = row * 0.7 / compared.contestants.len() as f64;
            let y = middle + step * (place as f64 - (compared.contestants.len() - 1) as f64 / 2.0);
            let same = |found: &&Difference| found.metric == *metric && found.contestant == *name;
            let Some(found) = compared.differences.iter().find(same) else { continue };
            let color = COLORS[place % COLORS.len()];
            match shares(found) {
                Some((low, value, high)) => {
                    sketch.line(vec![(at(low), y), (at(high), y)], 4.0, Stroke::Solid, color);
                    sketch.mark((at(value), y), 7.0, Mark::Circle, color);
                }
                // Nothing can be a share of nothing: the difference itself is told.
                None => {
                    let text = format!("{} against 0", words::figure(found.mean));
                    let from = free_from;
                    free_from += text_width(&text, NOTE_EM) + 24.0;
                    sketch.colored_text((from, middle), NOTE_EM, Anchor::Start, color, text);
                }
            }
        }
    }
    sketch
}

fn subtitle(compared: &Comparison) -> String {
    let seeds = compared.differences.iter().map(|found| found.n).max().unwrap_or(0);
    let interval = match seeds {
        1 => "one seed, so no interval".to_owned(),
        n => format!("{n} seeds, 95 % bootstrap intervals of the paired differences"),
    };
    format!("{}\u{2002}·\u{2002}{interval}", compared.scenario)
}

fn axis(compared: &Comparison) -> Axis {
    let ends = compared.differences.iter().filter_map(shares);
    let (mut low, mut high) = (-0.05_f64, 0.05_f64);
    for (from, _, to) in ends {
        (low, high) = (low.min(from), high.max(to));
    }
    for share in compared.bounds.iter().filter_map(bound_share) {
        (low, high) = (low.min(share), high.max(share));
    }
    let room = (high - low) * 0.05;
    let label = |share: f64| format!("{:+.0} %", share * 100.0);
    Axis::linear("Difference as a share of the baseline", (low - room, high + room), 8, label)
}
