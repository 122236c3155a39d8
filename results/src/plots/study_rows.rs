//! A figure of a study along an axis of words: a row for each value, in it a mark with its interval
//! for each value of another axis. The name of a row stands before it, on a narrow slide above it.

use plotters::style::RGBColor;

use super::axis::{self, Axis};
use super::canvas::{Anchor, GREY, GRID, Sketch, Slide, Stroke, text_width};
use super::frame::NOTE_EM;
use super::study::{LOOKS, Line, StudyFigure, name_of};
use super::words;

/// The most of a slide's width that names before rows take.
const NAMES: f64 = 0.4;
/// The height of a name above a row.
const HEAD: f64 = 40.0;
/// The height of a mark, and the least of a row, where the slide leaves them open.
const MARK: f64 = 28.0;
const ROW: f64 = 48.0;

/// Draws the rows below `top`; each line's points are in the order of `names`, by their place.
pub(super) fn draw(
    sketch: &mut Sketch,
    figure: &StudyFigure,
    names: &[String],
    lines: &[Line],
    top: f64,
) {
    let label = (sketch.slide.margin, top + 8.0);
    sketch.colored_text(label, NOTE_EM, Anchor::Start, GREY, figure.x_label.as_str());
    let Some(axis) = scale(figure, lines, sketch.slide) else { return };
    let rows = Rows::new(sketch.slide, axis, names, lines, top);
    rows.grid(sketch);
    for (number, name) in names.iter().enumerate() {
        rows.name(sketch, number, name);
        for (place, line) in lines.iter().enumerate() {
            rows.mean(sketch, figure, (number, name), (place, line));
        }
    }
    rows.upright(sketch, rows.left, 2.0, GREY);
}

/// The rows alone, as high as they have to be, for a page that has title and legend of its own.
pub(crate) fn alone(
    figure: &StudyFigure,
    names: &[String],
    lines: &[Line],
    slide: Slide,
) -> Sketch {
    let row = head(slide) + (MARK * lines.len() as f64).max(ROW - head(slide));
    let (top, rows) = (8.0, row * names.len() as f64);
    let above = above(slide) + top;
    let below = slide.height - slide.bottom();
    let mut sketch = Sketch::on(Slide { height: above + rows + below, ..slide });
    draw(&mut sketch, figure, names, lines, top);
    sketch
}

/// What names of rows take of their height.
fn head(slide: Slide) -> f64 {
    if slide.is_narrow() { HEAD } else { 0.0 }
}

/// What stands above all rows: the name of their axis, and on a narrow slide, whose rows are more
/// than a phone shows at once, the labels that stand below too.
fn above(slide: Slide) -> f64 {
    if slide.is_narrow() { 66.0 } else { 32.0 }
}

/// Where rows lie.
struct Rows {
    slide: Slide,
    axis: Axis,
    left: f64,
    top: f64,
    /// The height of a row.
    row: f64,
    count: usize,
    /// The height of a mark.
    step: f64,
    lines: usize,
}

impl Rows {
    fn new(slide: Slide, axis: Axis, names: &[String], lines: &[Line], top: f64) -> Self {
        let longest = names.iter().map(|name| text_width(name, NOTE_EM)).fold(0.0, f64::max);
        let left = match slide.is_narrow() {
            true => 14.0,
            false => slide.margin + 24.0 + longest.min(slide.width * NAMES),
        };
        let top = top + above(slide);
        let row = (slide.bottom() - top) / names.len().max(1) as f64;
        let step = (row - head(slide)) * 0.7 / lines.len().max(1) as f64;
        Self { slide, axis, left, top, row, count: names.len(), step, lines: lines.len() }
    }

    /// Where a value lies across.
    fn at(&self, value: f64) -> f64 {
        self.left + self.axis.share(value) * (self.slide.right - self.left)
    }

    /// Upper edge of a row.
    fn row(&self, number: usize) -> f64 {
        self.top + self.row * number as f64
    }

    /// A line from above to below, which names that stand above their rows interrupt.
    fn upright(&self, sketch: &mut Sketch, x: f64, width: f64, color: RGBColor) {
        let parts = if head(self.slide) > 0.0 { self.count } else { 1 };
        let height = (self.slide.bottom() - self.top) / parts as f64;
        for part in 0..parts {
            let from = self.top + height * part as f64;
            let ends = vec![(x, from + head(self.slide)), (x, from + height)];
            sketch.line(ends, width, Stroke::Solid, color);
        }
    }

    /// Lines at the ticks, their labels, and the name of the axis.
    fn grid(&self, sketch: &mut Sketch) {
        for value in &self.axis.fine {
            self.upright(sketch, self.at(*value), 1.0, GRID);
        }
        for tick in &self.axis.ticks {
            self.upright(sketch, self.at(tick.value), 1.4, GRID);
        }
        let labels = self.axis.free_labels(|value| self.at(value), self.slide.width, NOTE_EM);
        for (x, label) in labels {
            sketch.text((x, self.slide.bottom() + 26.0), NOTE_EM, Anchor::Middle, label);
            if self.slide.is_narrow() {
                sketch.text((x, self.top - 16.0), NOTE_EM, Anchor::Middle, label);
            }
        }
        let below = (f64::midpoint(self.left, self.slide.right), self.slide.bottom() + 72.0);
        sketch.text(below, NOTE_EM, Anchor::Middle, self.axis.name.replace('\n', " "));
    }

    /// The name of a row, smaller if it would not fit.
    fn name(&self, sketch: &mut Sketch, number: usize, name: &str) {
        let (Slide { margin, width, right, .. }, top) = (self.slide, self.row(number));
        let (at, anchor, room) = match self.slide.is_narrow() {
            true => ((margin, top + HEAD * 0.6), Anchor::Start, right - margin),
            false => ((self.left - 16.0, top + self.row / 2.0), Anchor::End, width * NAMES),
        };
        let em = NOTE_EM.min(self.row) * (room / text_width(name, NOTE_EM).max(1.0)).min(1.0);
        sketch.text(at, em, anchor, name);
    }

    /// A mean with its interval, and what both say.
    fn mean(
        &self,
        sketch: &mut Sketch,
        figure: &StudyFigure,
        (number, name): (usize, &str),
        (place, line): (usize, &Line),
    ) {
        let (color, mark, _) = LOOKS[place % LOOKS.len()];
        let middle = self.top + self.row * (number as f64 + 0.5) + head(self.slide) / 2.0;
        let y = middle + self.step * (place as f64 - (self.lines - 1) as f64 / 2.0);
        let is_here = |x: f64| x as usize == number;
        for (_, low, high) in line.band.iter().filter(|(x, ..)| is_here(*x)) {
            sketch.line(vec![(self.at(*low), y), (self.at(*high), y)], 4.0, Stroke::Solid, color);
        }
        for (_, value) in line.points.iter().filter(|(x, _)| is_here(*x)) {
            let x = self.at(*value);
            sketch.mark((x, y), 7.0, mark, color);
            let half = (self.step / 2.0).clamp(4.0, 20.0);
            let series = name_of(figure, &line.name);
            let comma = if series.is_empty() { "" } else { ", " };
            let value = words::number(*value);
            let text = format!("{name}{comma}{series}: {value} {}", self.axis.name);
            sketch.tip((x - 16.0, y - half), (x + 16.0, y + half), text);
        }
    }
}

fn scale(figure: &StudyFigure, lines: &[Line], slide: Slide) -> Option<Axis> {
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
    let ticks = if slide.is_narrow() { 5 } else { 8 };
    Some(Axis::linear(&figure.y_label, (low, high + room), ticks, words::short))
}

#[cfg(test)]
mod tests {
    use super::super::canvas::{NARROW, Shape, WIDE};
    use super::*;

    fn figure() -> StudyFigure {
        StudyFigure {
            title: String::new(),
            subtitle: String::new(),
            x: "way".into(),
            x_label: "members renew their keys".into(),
            y: "y".into(),
            y_label: "ciphertexts, mean of all".into(),
            series: Some("who".into()),
            at: vec![],
            bound: None,
            level: None,
            powers: vec![],
            logarithmic: true,
        }
    }

    /// From where to where a text reaches.
    fn reach(shape: &Shape) -> Option<(f64, f64)> {
        let Shape::Text { at, em, anchor, text, .. } = shape else { return None };
        let width = text_width(text, *em);
        let before = match anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => width / 2.0,
            Anchor::End => width,
        };
        Some((at.0 - before, at.0 - before + width))
    }

    #[test]
    fn all_of_it_lies_on_a_slide_of_any_width() {
        let names = ["never", "a name that is far longer than a phone is wide, and then some more"];
        let names = names.map(str::to_owned);
        let line = |name: &str, value: f64| Line {
            name: name.into(),
            points: vec![(0.0, value), (1.0, value * 3.0)],
            band: vec![(0.0, value * 0.5, value * 2.0)],
        };
        let lines = [line("one", 1e3), line("other", 2e6)];
        for slide in [WIDE, NARROW] {
            let sketch = alone(&figure(), &names, &lines, slide);
            let inside = |(from, to): (f64, f64)| from >= 0.0 && to <= sketch.slide.width;
            assert!(sketch.shapes.iter().filter_map(reach).all(inside), "{sketch:?}");
            let marks: Vec<f64> = sketch
                .shapes
                .iter()
                .filter_map(|shape| match shape {
                    Shape::Mark { at, .. } => Some(at.1),
                    _ => None,
                })
                .collect();
            assert_eq!(marks.len(), 4);
            assert!(
                marks.is_sorted_by(|one, next| next - one >= 14.0),
                "they do not touch: {marks:?}"
            );
            assert!(marks.iter().all(|y| *y < sketch.slide.bottom()));
        }
    }
}
