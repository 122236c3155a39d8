//! Update cost over time: what commits did cost, what the next was expected to cost, and below
//! which it cannot go: the logarithm of the members for the mean over all of them, the Huffman
//! bound for the mean over those who are active.

use super::axis::{self, Axis};
use super::bins::{quantile, thinned};
use super::canvas::{BLACK, BLUE, GREEN, Mark, PURPLE, Sketch, Slide, Stroke, VERMILLION};
use super::frame::{self, Entry, Key, Panel};
use super::{Tables, cloud, tree_growth, words};
use crate::TreeRow;

const COST: &str = "Update cost (ciphertexts)";

pub(crate) fn draw(tables: &Tables, slide: Slide) -> Sketch {
    let updates = updates(tables);
    let visible: Vec<_> = updates.iter().copied().filter(|update| update.1 > 0.0).collect();
    let expected = thinned(&over_time(tables, |state| state.expected));
    let logarithm = thinned(&over_time(tables, |state| state.members.max(1.0).log2()));
    let active = thinned(&over_snapshots(tables, TreeRow::active_update_cost));
    let huffman = thinned(&over_snapshots(tables, TreeRow::huffman_bound));
    let lines = expected.iter().chain(&logarithm).chain(&active).chain(&huffman);
    let values = visible.iter().chain(lines).map(|point| point.1);
    let Some(range) = axis::log_range(values) else {
        let reason = "no commit carried a path with ciphertexts";
        let x = "Virtual time since the start";
        return frame::no_data(tables, slide, "Update cost over time", reason, (x, COST));
    };

    let mut sketch = Sketch::on(slide);
    let top = frame::header(&mut sketch, tables, &title(&updates));
    let free = updates.len() - visible.len();
    let what = match free {
        0 => "commit".to_owned(),
        _ => format!("commit ({} without ciphertexts not shown)", words::whole(free as u64)),
    };
    let mut legend = cloud::entries(&visible, BLUE, &what);
    legend.push(Entry::new(Key::Line(Stroke::Dashed), VERMILLION, "expected over members"));
    if !active.is_empty() {
        legend.push(Entry::new(Key::Line(Stroke::DashDot), PURPLE, "expected by activity"));
    }
    legend.push(Entry::new(Key::Line(Stroke::Dotted), BLACK, "log₂(members)"));
    if !huffman.is_empty() {
        legend.push(Entry::new(Key::Line(Stroke::Solid), GREEN, "Huffman bound"));
    }
    let top = frame::legend(&mut sketch, top, &legend);
    let x = Axis::time(tables.end_ms());
    let panel =
        Panel::new(&mut sketch, (top, slide.bottom()), x, Axis::log(COST, range, words::short));
    let tell = (tree_growth::when_at as fn(f64) -> String, ciphertexts as fn(f64) -> String);
    cloud::draw(&mut sketch, &panel, &visible, BLUE, tell);
    panel.line(&mut sketch, &expected, 3.5, Stroke::Dashed, VERMILLION);
    panel.line(&mut sketch, &active, 3.0, Stroke::DashDot, PURPLE);
    // The dots over the line: where all are alike, the two bounds are nearly one.
    panel.line(&mut sketch, &huffman, 3.5, Stroke::Solid, GREEN);
    panel.line(&mut sketch, &logarithm, 3.0, Stroke::Dotted, BLACK);
    if let Some(&first) = visible.first().filter(|_| cloud::is_binned(&visible)) {
        // In a band the first commit would not be seen, and it is where a cold tree hurts.
        let at = panel.at(first);
        sketch.mark(at, 8.0, Mark::Diamond, BLUE);
        let text = format!("first commit: {}", words::figure(first.1));
        panel.note_beside(&mut sketch, at, 24.0, &text);
    }
    sketch
}

fn ciphertexts(count: f64) -> String {
    format!("{} ciphertexts", words::figure(count))
}

/// Time and ciphertexts of each path update.
fn updates(tables: &Tables) -> Vec<(f64, f64)> {
    let paths = tables.commits.iter().filter(|row| row.has_path);
    paths.map(|row| (row.time_ms as f64, row.ciphertexts as f64)).collect()
}

/// The group at some moment.
struct State {
    members: f64,
    expected: f64,
}

/// A value over time, from snapshots and commits alike.
fn over_time(tables: &Tables, value: fn(&State) -> f64) -> Vec<(f64, f64)> {
    let commits = tables.commits.iter().map(|row| {
        let state = State { members: row.members as f64, expected: row.expected_update_cost() };
        (row.time_ms, row.epoch, state)
    });
    let snapshots = tables.tree.iter().map(|row| {
        let state = State { members: row.members as f64, expected: row.expected_update_cost() };
        (row.time_ms, row.epoch, state)
    });
    let mut states: Vec<_> = commits.chain(snapshots).collect();
    states.sort_by_key(|(time, epoch, _)| (*time, *epoch));
    let points = states.iter().map(|(time, _, state)| (*time as f64, value(state)));
    points.filter(|point| point.1 > 0.0).collect()
}

/// A value over time that only snapshots have.
fn over_snapshots(tables: &Tables, value: fn(&TreeRow) -> Option<f64>) -> Vec<(f64, f64)> {
    let point = |row: &TreeRow| Some((row.time_ms as f64, value(row)?));
    tables.tree.iter().filter_map(point).filter(|point| point.1 > 0.0).collect()
}

/// Compares the first update with the median of the last tenth.
fn title(updates: &[(f64, f64)]) -> String {
    let (Some(&first), Some(&last)) = (updates.first(), updates.last()) else {
        return "No member updated: the expected cost is all there is to see".to_owned();
    };
    let start = words::figure(first.1);
    if updates.len() == 1 {
        return format!("The only update costs {start} ciphertexts");
    }
    let tail = updates.len().div_ceil(10);
    let mut late: Vec<f64> =
        updates[updates.len() - tail..].iter().map(|update| update.1).collect();
    late.sort_by(f64::total_cmp);
    let late = quantile(&late, 0.5);
    let (end, span) = (words::figure(late), words::span(last.0 - first.0));
    let what = match first.1 / late.max(1.0) {
        fall if fall >= 4.0 => "A cold tree warms up",
        fall if fall >= 1.4 => "Update cost falls",
        fall if fall <= 0.7 => "Update cost grows",
        _ => "Update cost stays level",
    };
    format!("{what}: a commit costs {start} ciphertexts at first, {end} after {span}")
}
