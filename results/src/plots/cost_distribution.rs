//! The distribution of update cost, as the share of updates that cost at least so much. Both axes
//! are logarithmic, so one update in a thousand is seen as well as the median.

use plotters::style::RGBColor;

use super::axis::Axis;
use super::bins::quantile;
use super::canvas::{BLACK, BLUE, GREEN, Mark, ORANGE, Sketch, Slide, Stroke, VERMILLION};
use super::frame::{self, Entry, Key, Panel};
use super::{Tables, axis, words};
use crate::TreeRow;

const COST: &str = "Update cost (ciphertexts)";
const SHARE: &str = "Share of updates that cost this or more";

pub(crate) fn draw(tables: &Tables, slide: Slide) -> Sketch {
    let paths = tables.commits.iter().filter(|row| row.has_path);
    let mut costs: Vec<f64> = paths.map(|row| row.ciphertexts as f64).collect();
    costs.sort_by(f64::total_cmp);
    let bounds = bounds(tables);
    let values = costs.iter().copied().chain(bounds.iter().map(|bound| bound.1));
    let has_costs = costs.last().is_some_and(|most| *most > 0.0);
    let Some(range) = axis::log_range(values).filter(|_| has_costs) else {
        let reason = "no commit carried a path with ciphertexts";
        return frame::no_data(tables, slide, "Distribution of update cost", reason, (COST, SHARE));
    };
    let (median, p99) = (quantile(&costs, 0.5), quantile(&costs, 0.99));
    let mut sketch = Sketch::on(slide);
    let top = frame::header(&mut sketch, tables, &title(&costs, median, p99));
    let count = words::whole(costs.len() as u64);
    let noun = if costs.len() == 1 { "path update" } else { "path updates" };
    let curve = Entry::new(Key::Line(Stroke::Solid), BLUE, format!("{count} {noun}"));
    let bound = |&(what, value, color, stroke): &Bound| {
        Entry::new(Key::Line(stroke), color, format!("{what} {}", words::figure(value)))
    };
    let entries: Vec<_> = std::iter::once(curve).chain(bounds.iter().map(bound)).collect();
    let top = frame::legend(&mut sketch, top, &entries);
    let smallest = 1.0 / costs.len() as f64;
    let y = Axis::log(SHARE, (smallest.min(0.1) / 1.5, 1.0), words::percent);
    let panel =
        Panel::new(&mut sketch, (top, slide.bottom()), Axis::log(COST, range, words::short), y);
    for (_, value, color, stroke) in bounds.into_iter().rev() {
        let line = [panel.y.from, panel.y.to].map(|share| panel.at((value, share)));
        sketch.line(line.to_vec(), 3.0, stroke, color);
    }
    let curve = shares(&costs);
    let start = (panel.x.from, curve[0].1);
    let line: Vec<_> = std::iter::once(start).chain(stairs(&curve)).collect();
    panel.line(&mut sketch, &line, 4.0, Stroke::Solid, BLUE);
    if curve.len() <= 40 {
        curve.iter().for_each(|&at| sketch.mark(panel.at(at), 6.0, Mark::Circle, BLUE));
    }
    tips(&mut sketch, &panel, &curve);
    let name = |what: &str, value: f64| format!("{what} {}", words::figure(value));
    panel.marker(&mut sketch, median, &name("median", median), 0.0, ORANGE);
    panel.marker(&mut sketch, p99, &name("99th percentile", p99), 1.0, VERMILLION);
    sketch
}

/// What share costs so much or more, from the cost before.
fn tips(sketch: &mut Sketch, panel: &Panel, curve: &[(f64, f64)]) {
    let mut left = panel.at((panel.x.from, 1.0)).0;
    for &(cost, share) in curve {
        let (right, share) = (panel.at((cost, 1.0)).0, words::percent((share * 1e4).round() / 1e4));
        // Narrower ones cannot be pointed at.
        if right - left >= 1.0 {
            let text =
                format!("{share} of updates cost {} ciphertexts or more", words::figure(cost));
            sketch.tip((left, panel.top), (right, panel.bottom), text);
            left = right;
        }
    }
}

/// A bound, and how its line looks.
type Bound = (&'static str, f64, RGBColor, Stroke);

/// What mean costs cannot go below, for the members at the end. The dots go over the line: where
/// all members are alike, the two are nearly one.
fn bounds(tables: &Tables) -> Vec<Bound> {
    let members = tables.summary.members.end.max(1) as f64;
    let huffman = tables.tree.last().and_then(TreeRow::huffman_bound);
    let logarithm = ("log₂(members)", members.log2(), BLACK, Stroke::Dotted);
    let huffman = huffman.map(|bound| ("Huffman bound", bound, GREEN, Stroke::Solid));
    let all = std::iter::once(logarithm).chain(huffman);
    all.filter(|bound| bound.1 > 0.0).collect()
}

/// Each distinct cost above 0 with the share of updates at or above it.
fn shares(sorted: &[f64]) -> Vec<(f64, f64)> {
    let mut curve = Vec::new();
    let mut below = 0;
    for same in sorted.chunk_by(|a, b| a == b) {
        if same[0] > 0.0 {
            curve.push((same[0], (sorted.len() - below) as f64 / sorted.len() as f64));
        }
        below += same.len();
    }
    curve
}

/// The curve as stairs: the share holds up to a cost and falls right after it.
fn stairs(curve: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let next = curve.windows(2).map(|pair| (pair[0].0, pair[1].1));
    let mut line = Vec::new();
    for (index, after) in next.enumerate() {
        line.extend([curve[index], after]);
    }
    line.extend(curve.last());
    line
}

fn title(costs: &[f64], median: f64, p99: f64) -> String {
    let most = words::figure(costs[costs.len() - 1]);
    if costs[0] == costs[costs.len() - 1] {
        return format!("Every update costs {most} ciphertexts");
    }
    let half = format!("Half of all updates cost at most {} ciphertexts", words::figure(median));
    match costs.len() {
        0..100 => format!("{half}, the dearest {most}"),
        _ => format!("{half}, 1 in 100 at least {}, the dearest {most}", words::figure(p99)),
    }
}
