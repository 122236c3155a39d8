//! Renders a sketch as SVG or PNG through the drawing library's two backends.
//!
//! Both draw on a canvas three times as fine as the slide: the backends know whole pixels only.
//! The SVG keeps the fine coordinates in its `viewBox`; the PNG is averaged down, which also
//! smooths its edges.

use std::path::Path;

use plotters::prelude::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{
    Color, FontDesc, FontFamily, FontStyle, FontTransform, RGBColor, ShapeStyle, TextStyle, WHITE,
};

use super::canvas::{Anchor, FAMILY, LINE_PER_EM, Mark, Point, Shape, Sketch, WIDE, prepare_font};
use crate::error::ResultsError;

/// Fine pixels per unit of the slide.
const FINE: u32 = 3;
const SIZE: (u32, u32) = (WIDE.width as u32, WIDE.height as u32);
const FINE_SIZE: (u32, u32) = (SIZE.0 * FINE, SIZE.1 * FINE);

/// What the drawing library said.
#[derive(Debug)]
pub(crate) struct Problem(String);

impl Problem {
    fn new(problem: impl std::fmt::Display) -> Self {
        Self(problem.to_string())
    }

    pub(crate) fn at(self, path: &Path) -> ResultsError {
        ResultsError::Draw { path: path.to_path_buf(), problem: self.0 }
    }
}

/// How the two backends differ in what they do with the same call.
struct Habits {
    /// Font size to ask for, over the em wanted.
    size_per_em: f64,
    /// From the point of a text anchored at its top down to the middle of its capitals, in ems.
    top_to_middle: f64,
    /// Whether a bent line can be drawn in one go: the rasteriser leaves holes where it overlaps
    /// itself.
    bends: bool,
}

/// Half the height of a capital, in ems.
const HALF_CAPITAL: f64 = 1493.0 / 2048.0 / 2.0;
/// The SVG backend writes `size / 1.24` as the font size and puts the baseline 0.76 em down.
const SVG: Habits = Habits { size_per_em: 1.24, top_to_middle: 0.76 - HALF_CAPITAL, bends: true };
/// The rasteriser scales the line's height to the size and puts the baseline half a size down.
const BITMAP: Habits = Habits {
    size_per_em: LINE_PER_EM,
    top_to_middle: LINE_PER_EM / 2.0 - HALF_CAPITAL,
    bends: false,
};

/// The sketch as the text of an SVG file.
pub(crate) fn svg(sketch: &Sketch) -> Result<String, Problem> {
    let mut text = String::new();
    paint(&mut SVGBackend::with_string(&mut text, FINE_SIZE), &SVG, sketch)?;
    let size = |(width, height): (u32, u32)| format!("width=\"{width}\" height=\"{height}\"");
    Ok(text.replacen(&size(FINE_SIZE), &size(SIZE), 1))
}

/// Writes the sketch as a PNG file.
pub(crate) fn png(sketch: &Sketch, path: &Path) -> Result<(), Problem> {
    let mut fine = vec![0; (FINE_SIZE.0 * FINE_SIZE.1 * 3) as usize];
    paint(&mut BitMapBackend::with_buffer(&mut fine, FINE_SIZE), &BITMAP, sketch)?;
    let mut file = BitMapBackend::new(path, SIZE);
    file.blit_bitmap((0, 0), SIZE, &averaged(&fine)).map_err(Problem::new)?;
    file.present().map_err(Problem::new)
}

/// Each pixel the mean of the fine ones under it.
fn averaged(fine: &[u8]) -> Vec<u8> {
    let row = FINE_SIZE.0 as usize * 3;
    let fine_per = FINE as usize;
    let mut pixels = Vec::with_capacity((SIZE.0 * SIZE.1 * 3) as usize);
    for y in 0..SIZE.1 as usize {
        for x in 0..SIZE.0 as usize {
            for channel in 0..3 {
                let corner = y * fine_per * row + x * fine_per * 3 + channel;
                let block = (0..fine_per * fine_per)
                    .map(|i| corner + (i / fine_per) * row + (i % fine_per) * 3);
                let sum: u32 = block.map(|index| u32::from(fine[index])).sum();
                pixels.push((sum / (FINE * FINE)) as u8);
            }
        }
    }
    pixels
}

fn paint<B: DrawingBackend>(
    backend: &mut B,
    habits: &Habits,
    sketch: &Sketch,
) -> Result<(), Problem> {
    prepare_font();
    let corner = (FINE_SIZE.0 as i32, FINE_SIZE.1 as i32);
    backend.draw_rect((0, 0), corner, &WHITE, true).map_err(Problem::new)?;
    for shape in &sketch.shapes {
        match shape {
            Shape::Line { points, width, dash, color } => {
                for stroke in dashes(points, dash.pattern()) {
                    line(backend, habits, &stroke, *width, *color)?;
                }
            }
            Shape::Area { points, opacity, color } => {
                let points: Vec<_> = points.iter().copied().map(fine).collect();
                backend.fill_polygon(points, &color.mix(*opacity)).map_err(Problem::new)?;
            }
            Shape::Mark { at, radius, mark, color } => {
                draw_mark(backend, *at, *radius, *mark, *color)?;
            }
            Shape::Text { .. } => text(backend, habits, shape)?,
            Shape::Tip { .. } => {}
        }
    }
    backend.present().map_err(Problem::new)
}

fn fine((x, y): Point) -> (i32, i32) {
    let scale = f64::from(FINE);
    ((x * scale).round() as i32, (y * scale).round() as i32)
}

fn line<B: DrawingBackend>(
    backend: &mut B,
    habits: &Habits,
    points: &[Point],
    width: f64,
    color: RGBColor,
) -> Result<(), Problem> {
    let stroke_width = (width * f64::from(FINE)).round() as u32;
    let style = ShapeStyle { color: color.to_rgba(), filled: true, stroke_width };
    let points: Vec<_> = points.iter().copied().map(fine).collect();
    if habits.bends {
        return backend.draw_path(points, &style).map_err(Problem::new);
    }
    for pair in points.windows(2) {
        backend.draw_path(pair.iter().copied(), &style).map_err(Problem::new)?;
    }
    // Round joints where straight pieces meet.
    for &joint in points.iter().skip(1).take(points.len().saturating_sub(2)) {
        backend.draw_circle(joint, stroke_width / 2, &style, true).map_err(Problem::new)?;
    }
    Ok(())
}

/// The pieces of a line that a dash pattern leaves.
fn dashes(points: &[Point], pattern: &[f64]) -> Vec<Vec<Point>> {
    if pattern.is_empty() {
        return vec![points.to_vec()];
    }
    let mut strokes = vec![vec![points[0]]];
    let (mut index, mut left) = (0, pattern[0]);
    for pair in points.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        loop {
            let length = (to.0 - from.0).hypot(to.1 - from.1);
            let part = if length > left { left / length } else { 1.0 };
            let end = (from.0 + (to.0 - from.0) * part, from.1 + (to.1 - from.1) * part);
            // Even pieces of the pattern are drawn, odd ones skipped.
            if let (true, Some(stroke)) = (index % 2 == 0, strokes.last_mut()) {
                stroke.push(end);
            }
            if length <= left {
                left -= length;
                break;
            }
            index += 1;
            left = pattern[index % pattern.len()];
            from = end;
            if index % 2 == 0 {
                strokes.push(vec![from]);
            }
        }
    }
    strokes.retain(|stroke| stroke.len() > 1);
    strokes
}

fn draw_mark<B: DrawingBackend>(
    backend: &mut B,
    at: Point,
    radius: f64,
    mark: Mark,
    color: RGBColor,
) -> Result<(), Problem> {
    let (x, y) = at;
    let corners = |corners: &[Point]| -> Vec<(i32, i32)> {
        corners.iter().map(|(dx, dy)| fine((x + dx * radius, y + dy * radius))).collect()
    };
    let polygon = match mark {
        Mark::Circle => {
            let radius = (radius * f64::from(FINE)).round() as u32;
            return backend.draw_circle(fine(at), radius, &color, true).map_err(Problem::new);
        }
        Mark::Square => corners(&[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]),
        Mark::Diamond => corners(&[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)]),
        Mark::Triangle => corners(&[(0.0, -1.3), (1.15, 0.8), (-1.15, 0.8)]),
    };
    backend.fill_polygon(polygon, &color).map_err(Problem::new)
}

fn text<B: DrawingBackend>(backend: &mut B, habits: &Habits, shape: &Shape) -> Result<(), Problem> {
    let Shape::Text { at, em, anchor, upwards, color, text } = shape else { return Ok(()) };
    let size = em * habits.size_per_em * f64::from(FINE);
    let font = FontDesc::new(FontFamily::Name(FAMILY), size, FontStyle::Normal);
    let font = if *upwards { font.transform(FontTransform::Rotate270) } else { font };
    let h_pos = match anchor {
        Anchor::Start => HPos::Left,
        Anchor::Middle => HPos::Center,
        Anchor::End => HPos::Right,
    };
    let style = TextStyle::from(font).color(color).pos(Pos::new(h_pos, VPos::Top));
    // Turned left, "down" along the text is to the right on the slide.
    let shift = habits.top_to_middle * em;
    let corner = if *upwards { (at.0 - shift, at.1) } else { (at.0, at.1 - shift) };
    backend.draw_text(text, &style, fine(corner)).map_err(Problem::new)
}
