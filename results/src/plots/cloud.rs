//! Many commits along an axis: each as a point while they are few, median and bands when many.

use plotters::style::RGBColor;

use super::bins::{self, MOST_POINTS};
use super::canvas::{Mark, Sketch, Stroke};
use super::frame::{Entry, Key, Panel};

const WIDE: f64 = 0.13;
const NARROW: f64 = 0.32;

/// Whether so many points are drawn as bands.
pub(crate) fn is_binned(points: &[(f64, f64)]) -> bool {
    points.len() > MOST_POINTS
}

/// What the legend says of the cloud; `what` names one point.
pub(crate) fn entries(points: &[(f64, f64)], color: RGBColor, what: &str) -> Vec<Entry> {
    if points.is_empty() {
        return Vec::new();
    }
    if !is_binned(points) {
        return vec![Entry::new(Key::Mark(Mark::Circle), color, what)];
    }
    vec![
        Entry::new(Key::Line(Stroke::Solid), color, format!("{what}: median")),
        Entry::new(Key::Area(NARROW + WIDE), color, "10–90 %"),
        Entry::new(Key::Area(WIDE), color, "least to most"),
    ]
}

/// How the two coordinates of a point are told.
pub(crate) type Tell = (fn(f64) -> String, fn(f64) -> String);

/// Draws points in ascending order of their first coordinate.
pub(crate) fn draw(
    sketch: &mut Sketch,
    panel: &Panel,
    points: &[(f64, f64)],
    color: RGBColor,
    (across, up): Tell,
) {
    if !is_binned(points) {
        let radius = if points.len() > 300 { 3.5 } else { 6.0 };
        for &point in points {
            sketch.mark(panel.at(point), radius, Mark::Circle, color);
        }
        for &point in points {
            let (x, y) = panel.at(point);
            let text = format!("{}: {}", across(point.0), up(point.1));
            sketch.tip((x - radius, y - radius), (x + radius, y + radius), text);
        }
        return;
    }
    let bins = bins::bins(points, (panel.x.from, panel.x.to));
    // Columns, because a slope between two extremes would claim values that nobody had.
    let half = (panel.x.to - panel.x.from) / bins::BINS as f64 / 2.0;
    for bin in &bins {
        let (from, to) = ((bin.x - half, bin.max), (bin.x + half, bin.min));
        sketch.rectangle(panel.at(from), panel.at(to), WIDE, color);
    }
    let most: Vec<_> = bins.iter().map(|bin| (bin.x, bin.p10, bin.p90)).collect();
    panel.band(sketch, &most, NARROW, color);
    let median: Vec<_> = bins.iter().map(|bin| (bin.x, bin.p50)).collect();
    panel.line(sketch, &median, 3.5, Stroke::Solid, color);
    for bin in &bins {
        let (from, to) = ((bin.x - half, bin.max), (bin.x + half, bin.min));
        let [least, low, middle, high, most] =
            [bin.min, bin.p10, bin.p50, bin.p90, bin.max].map(up);
        let text = format!(
            "{}: median {middle}, 10 to 90 % {low} to {high}, all {least} to {most}",
            across(bin.x)
        );
        sketch.tip(panel.at(from), panel.at(to), text);
    }
}
