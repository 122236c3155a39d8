//! Catch-up against time away: bytes fetched by clients that come back, and how many came back
//! after so long.

use super::axis::{self, Axis};
use super::canvas::{BLACK, BLUE, GREEN, Mark, SKY, Sketch, Slide, Stroke, VERMILLION};
use super::frame::{self, Entry, Key, Panel};
use super::{Tables, words};
use crate::ClientRow;
use crate::clients::BYTES_BY_AWAY;

const AWAY: &str = "Time away (logarithmic)";
const BYTES: &str = "Bytes fetched per catch-up";
const DAY_S: u64 = 86_400;
/// Catch-ups from which on a median says something.
const ENOUGH: u64 = 10;

pub(crate) fn draw(tables: &Tables, slide: Slide) -> Sketch {
    let by_away = |row: &&ClientRow| row.metric == BYTES_BY_AWAY && row.count > 0;
    let rows: Vec<&ClientRow> = tables.clients.iter().filter(by_away).collect();
    let figures = rows.iter().flat_map(|row| [row.figures.p50, row.figures.max]);
    let Some(range) = axis::log_range(figures.flatten().map(|bytes| bytes as f64)) else {
        let reason = match rows.is_empty() {
            true => "no client came back from being away",
            false => "no client that came back had anything to fetch",
        };
        return frame::no_data(tables, slide, "Catch-up against time away", reason, (AWAY, BYTES));
    };
    let mut sketch = Sketch::on(slide);
    let top = frame::header(&mut sketch, tables, &title(&rows));
    let mut entries: Vec<Entry> = LINES.iter().map(Line::entry).collect();
    if rows.iter().any(|row| row.figures.p50 == Some(0)) {
        entries[LINES.len() - 1].name += " (0 where it is missing)";
    }
    let band = Entry::new(Key::Area(0.25), BLUE, "median to 90 %");
    let top = frame::legend(&mut sketch, top, &[entries, vec![band]].concat());
    let x = away_axis(&rows);
    let y = Axis::log(BYTES, range, words::bytes);
    let panel = Panel::new(&mut sketch, (top, slide.bottom() - 190.0), x.unlabelled(), y);
    let band: Vec<_> = rows.iter().filter_map(|row| band_of(row)).collect();
    panel.band(&mut sketch, &band, 0.25, BLUE);
    LINES.iter().for_each(|line| line.draw(&mut sketch, &panel, &rows));
    counts(&mut sketch, x, &rows);
    tips(&mut sketch, &panel, &rows);
    sketch
}

/// One figure of all buckets.
struct Line {
    name: &'static str,
    dash: Stroke,
    mark: Mark,
    color: plotters::style::RGBColor,
    value: fn(&ClientRow) -> Option<u64>,
}

const LINES: [Line; 4] = [
    Line {
        name: "most",
        dash: Stroke::Dotted,
        mark: Mark::Triangle,
        color: BLACK,
        value: |row| row.figures.max,
    },
    Line {
        name: "99 %",
        dash: Stroke::DashDot,
        mark: Mark::Diamond,
        color: VERMILLION,
        value: |row| row.figures.p99,
    },
    Line {
        name: "90 %",
        dash: Stroke::Dashed,
        mark: Mark::Square,
        color: GREEN,
        value: |row| row.figures.p90,
    },
    Line {
        name: "median",
        dash: Stroke::Solid,
        mark: Mark::Circle,
        color: BLUE,
        value: |row| row.figures.p50,
    },
];

impl Line {
    fn entry(&self) -> Entry {
        Entry::new(Key::MarkedLine(self.dash, self.mark), self.color, self.name)
    }

    fn draw(&self, sketch: &mut Sketch, panel: &Panel, rows: &[&ClientRow]) {
        // Nothing to fetch has no place on a logarithmic axis; the legend says what a gap means.
        let point = |row: &&ClientRow| match (self.value)(row) {
            None | Some(0) => None,
            Some(bytes) => Some((middle(row), bytes as f64)),
        };
        let points: Vec<_> = rows.iter().filter_map(point).collect();
        panel.line(sketch, &points, 3.5, self.dash, self.color);
        points.iter().for_each(|&at| sketch.mark(panel.at(at), 6.0, self.mark, self.color));
    }
}

fn band_of(row: &ClientRow) -> Option<(f64, f64, f64)> {
    let (low, high) = (row.figures.p50?, row.figures.p90?);
    (low > 0).then_some((middle(row), low as f64, high as f64))
}

/// The geometric middle of a bucket, seconds; the first one starts at 0 and has none.
fn middle(row: &ClientRow) -> f64 {
    match row.from {
        0 => row.to as f64 / 2.0,
        from => (from as f64 * row.to as f64).sqrt(),
    }
}

/// From the first bucket to the last.
fn away_axis(rows: &[&ClientRow]) -> Axis {
    let from = rows.iter().map(|row| (row.from as f64).max(row.to as f64 / 4.0));
    let to = rows.iter().map(|row| row.to as f64);
    Axis::log_span(AWAY, from.fold(f64::MAX, f64::min), to.fold(1.0, f64::max))
}

/// How many clients came back, one bar a bucket.
fn counts(sketch: &mut Sketch, x: Axis, rows: &[&ClientRow]) {
    let most = rows.iter().map(|row| row.count).max().unwrap_or(1) as f64;
    let y = Axis::log("Catch-ups\n(count)", (0.7, most * 1.5), words::short);
    let bottom = sketch.slide.bottom();
    let panel = Panel::new(sketch, (bottom - 140.0, bottom), x, y);
    for row in rows {
        let from = panel.at(((row.from as f64).max(panel.x.from), row.count as f64));
        let to = panel.at((row.to as f64, panel.y.from));
        sketch.rectangle((from.0 + 2.0, from.1), (to.0 - 2.0, to.1), 1.0, SKY);
    }
}

/// What clients of each bucket fetched, above it.
fn tips(sketch: &mut Sketch, panel: &Panel, rows: &[&ClientRow]) {
    let bottom = sketch.slide.bottom();
    for row in rows {
        let figures = LINES.iter().rev().filter_map(|line| Some((line.name, (line.value)(row)?)));
        let figures = figures.map(|(name, value)| format!("{name} {}", words::bytes(value as f64)));
        let seconds = |seconds: u64| words::span(seconds as f64 * 1_000.0);
        let (from, to, count) = (seconds(row.from), seconds(row.to), words::whole(row.count));
        let figures = figures.collect::<Vec<_>>().join(", ");
        let text = format!("away for {from} to {to}, {count} catch-ups: {figures}");
        let left = panel.at(((row.from as f64).max(panel.x.from), panel.y.from)).0;
        sketch.tip((left, panel.top), (panel.at((row.to as f64, 1.0)).0, bottom), text);
    }
}

/// Speaks of a day away, or the nearest there is, and of the longest with enough catch-ups.
fn title(rows: &[&ClientRow]) -> String {
    let bytes = |row: &ClientRow| words::bytes(row.figures.p50.unwrap_or(0) as f64);
    let from_day = |row: &ClientRow| match (row.from..row.to).contains(&DAY_S) {
        true => 0.0,
        false => (middle(row) / DAY_S as f64).ln().abs(),
    };
    let usual = rows.iter().min_by(|a, b| from_day(a).total_cmp(&from_day(b)));
    let often = rows.iter().filter(|row| row.count >= ENOUGH);
    let longest = often.max_by_key(|row| row.from).or(rows.last());
    let (Some(usual), Some(longest)) = (usual, longest) else {
        return "Catch-up against time away".to_owned();
    };
    let away = match from_day(usual) == 0.0 {
        true => "a day".to_owned(),
        false => words::span(round_span(middle(usual)) * 1_000.0),
    };
    let first = format!("A client away for about {away} fetches {} to catch up", bytes(usual));
    if longest.from <= usual.from {
        return format!("{first} (median)");
    }
    let long = words::span(round_span(longest.from as f64) * 1_000.0);
    format!("{first}, {} after {long} or more (medians)", bytes(longest))
}

/// The middle of a bucket is no exact time: whole units are enough.
fn round_span(seconds: f64) -> f64 {
    let unit = words::TimeUnit::of(seconds * 1_000.0).millis / 1_000.0;
    (seconds / unit).round().max(1.0) * unit
}
