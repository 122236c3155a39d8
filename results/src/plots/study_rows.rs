//! A figure of a study along an axis of words: a row for each value, in it a mark with its interval
//! for each value of another axis.

use super::axis::{self, Axis};
use super::canvas::{Anchor, GREY, GRID, Sketch, Stroke, WIDTH, text_width};
use super::frame::{BOTTOM, NOTE_EM, RIGHT};
use super::study::{LOOKS, Line, StudyFigure, name_of};
use super::words;

const MARGIN: f64 = 40.0;

/// The most of the slide's width that names of rows take.
const NAMES: f64 = WIDTH * 0.4;

/// Draws the rows below `top`; each line's points are in the order of `names`, by their place.
pub(super) fn draw(
    sketch: &mut Sketch,
    figure: &StudyFigure,
    names: &[String],
    lines: &[Line],
    top: f64,
) {
    let longest = names.iter().map(|name| text_width(name, NOTE_EM)).fold(0.0, f64::max);
    let left = MARGIN + 24.0 + longest.min(NAMES);
    let top = top + 22.0;
    sketch.colored_text(
        (MARGIN, top - 14.0),
        NOTE_EM,
        Anchor::Start,
        GREY,
        figure.x_label.as_str(),
    );
    let Some(axis) = scale(figure, lines) else { return };
    let at = |value: f64| left + axis.share(value) * (RIGHT - left);
    let top = top + 10.0;
    for value in &axis.fine {
        sketch.line(vec![(at(*value), top), (at(*value), BOTTOM)], 1.0, Stroke::Solid, GRID);
    }
    for tick in &axis.ticks {
        let x = at(tick.value);
        sketch.line(vec![(x, top), (x, BOTTOM)], 1.4, Stroke::Solid, GRID);
        sketch.text((x, BOTTOM + 26.0), NOTE_EM, Anchor::Middle, tick.label.as_str());
    }
    let below = (f64::midpoint(left, RIGHT), BOTTOM + 72.0);
    sketch.text(below, NOTE_EM, Anchor::Middle, axis.name.replace('\n', " "));
    let row = (BOTTOM - top) / names.len().max(1) as f64;
    let step = row * 0.7 / lines.len().max(1) as f64;
    for (number, name) in names.iter().enumerate() {
        let middle = top + row * (number as f64 + 0.5);
        let em = NOTE_EM.min(row) * (NAMES / text_width(name, NOTE_EM).max(1.0)).min(1.0);
        sketch.text((left - 16.0, middle), em, Anchor::End, name.as_str());
        for (place, (line, (color, mark, _))) in lines.iter().zip(LOOKS.iter().cycle()).enumerate()
        {
            let y = middle + step * (place as f64 - (lines.len() - 1) as f64 / 2.0);
            let is_here = |x: f64| x as usize == number;
            for (_, low, high) in line.band.iter().filter(|(x, ..)| is_here(*x)) {
                sketch.line(vec![(at(*low), y), (at(*high), y)], 4.0, Stroke::Solid, *color);
            }
            for (_, value) in line.points.iter().filter(|(x, _)| is_here(*x)) {
                sketch.mark((at(*value), y), 7.0, *mark, *color);
                let half = (step / 2.0).clamp(4.0, 20.0);
                let series = name_of(figure, &line.name);
                let comma = if series.is_empty() { "" } else { ", " };
                let text =
                    format!("{name}{comma}{series}: {} {}", words::number(*value), axis.name);
                sketch.tip((at(*value) - 16.0, y - half), (at(*value) + 16.0, y + half), text);
            }
        }
    }
    sketch.line(vec![(left, top), (left, BOTTOM)], 2.0, Stroke::Solid, GREY);
}

fn scale(figure: &StudyFigure, lines: &[Line]) -> Option<Axis> {
    let values = || {
        let points = lines.iter().flat_map(|line| line.points.iter().map(|point| point.1));
        points.chain(lines.iter().flat_map(|line| line.band.iter().flat_map(|b| [b.1, b.2])))
    };
    if figure.logarithmic && values().any(|value| value > 0.0) {
        return Some(Axis::log(&figure.y_label, axis::log_range(values())?, words::short));
    }
    let high = values().reduce(f64::max)?.max(0.0);
    let low = values().reduce(f64::min)?.min(0.0);
    let room = (high - low) * 0.05;
    let low = if low < 0.0 { low - room } else { 0.0 };
    Some(Axis::linear(&figure.y_label, (low, high + room), 8, words::short))
}
