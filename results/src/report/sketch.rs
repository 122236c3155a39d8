//! A run's plot as SVG in the colours of the page, so that it can be read on a dark ground too.
//! Colours of the palette become classes; mixtures stay what they are.

use std::fmt::Write as _;

use maud::{Markup, html};
use plotters::style::RGBColor;

use crate::plots::canvas::{
    Anchor, BLACK, BLUE, FINE_GRID, GREEN, GREY, GRID, Mark, ORANGE, PURPLE, Point, SKY, Shape,
    Sketch, Stroke, VERMILLION,
};

/// Colours that the page has its own of.
const NAMED: [(RGBColor, &str); 11] = [
    (BLACK, "ink"),
    (GREY, "muted"),
    (GRID, "grid"),
    (FINE_GRID, "fine"),
    (RGBColor(255, 255, 255), "ground"),
    (ORANGE, "orange"),
    (SKY, "sky"),
    (GREEN, "green"),
    (BLUE, "blue"),
    (VERMILLION, "vermillion"),
    (PURPLE, "purple"),
];

/// The classes of a line in a colour.
pub(super) fn line_class(color: Option<&str>) -> String {
    format!("line {}", color.unwrap_or_default())
}

/// The page's name of a colour.
pub(super) fn name(color: RGBColor) -> Option<&'static str> {
    NAMED.iter().find(|(named, _)| *named == color).map(|(_, name)| *name)
}

/// Half the height of a capital, in ems: texts are anchored at their middle.
pub(super) const HALF_CAPITAL: f64 = 0.365;

/// The classes of a picture for wide pages, and for narrow ones: of each pair one is shown.
pub(super) const WIDE: &str = "plot wide";
pub(super) const NARROW: &str = "plot narrow";

/// The sketch as a picture with this label.
pub(super) fn svg(sketch: &Sketch, label: &str) -> Markup {
    let slide = &sketch.slide;
    let view = format!("0 0 {} {}", short(slide.width), short(slide.height));
    let class = if slide.is_narrow() { NARROW } else { WIDE };
    html! {
        svg class=(class) viewBox=(view) role="img" aria-label=(label) { (shapes(&sketch.shapes)) }
    }
}

/// The first text of a plot, which says what it shows.
pub(super) fn title(sketch: &Sketch) -> String {
    let texts = sketch.shapes.iter().filter_map(|shape| match shape {
        Shape::Text { text, em, .. } => Some((text, em)),
        _ => None,
    });
    let mut texts = texts.peekable();
    let Some(size) = texts.peek().map(|(_, em)| **em) else { return String::new() };
    // A long title has several lines of one size.
    let lines = texts.take_while(|(_, em)| **em == size).map(|(text, _)| text.as_str());
    lines.collect::<Vec<_>>().join(" ")
}

/// Shapes, those that look the same and follow each other as one path.
pub(super) fn shapes(shapes: &[Shape]) -> Markup {
    let looks = |shape: &Shape| look(shape);
    html! {
        @for group in shapes.chunk_by(|a, b| looks(a).is_some() && looks(a) == looks(b)) {
            @match &group[0] {
                Shape::Text { at, em, anchor, upwards, color, text } => {
                    text class=[name(*color)] x=(short(at.0)) y=(short(at.1))
                        dy=(short(HALF_CAPITAL * em)) font-size=(short(*em))
                        text-anchor=(anchored(*anchor)) transform=[upwards.then(|| turned(*at))]
                        fill=[literal(*color)] { (text) }
                }
                Shape::Tip { from, to, text } => {
                    rect.tip x=(short(from.0.min(to.0))) y=(short(from.1.min(to.1)))
                        width=(short((to.0 - from.0).abs())) height=(short((to.1 - from.1).abs())) {
                        title { (text) }
                    }
                }
                Shape::Line { width, dash, color, .. } => {
                    path class=(line_class(name(*color))) stroke=[literal(*color)] stroke-width=(short(*width))
                        stroke-dasharray=[pattern(*dash, 1.0)] d=(outline(group)) {}
                }
                Shape::Area { opacity, color, .. } => {
                    path class=[name(*color)] fill=[literal(*color)]
                        fill-opacity=[(*opacity < 1.0).then_some(opacity)] d=(outline(group)) {}
                }
                Shape::Mark { color, .. } => {
                    path class=[name(*color)] fill=[literal(*color)] d=(outline(group)) {}
                }
            }
        }
    }
}

/// What must be the same of two shapes that are drawn as one; none of those that stand alone.
#[derive(PartialEq)]
enum Look {
    Line(RGBColor, f64, Stroke),
    /// Areas that are seen through are darker where they overlap.
    Area(RGBColor),
    Mark(RGBColor),
}

fn look(shape: &Shape) -> Option<Look> {
    match *shape {
        Shape::Line { width, dash, color, .. } => Some(Look::Line(color, width, dash)),
        Shape::Area { opacity: 1.0, color, .. } => Some(Look::Area(color)),
        Shape::Mark { color, .. } => Some(Look::Mark(color)),
        _ => None,
    }
}

fn outline(group: &[Shape]) -> String {
    let mut path = String::new();
    for shape in group {
        match shape {
            Shape::Line { points, .. } => trace(&mut path, points, ""),
            Shape::Area { points, .. } => trace(&mut path, points, "z"),
            Shape::Mark { at, radius, mark, .. } => path += &mark_outline(*at, *radius, *mark),
            Shape::Text { .. } | Shape::Tip { .. } => {}
        }
    }
    path
}

/// A line through points.
pub(super) fn trace(path: &mut String, points: &[Point], end: &str) {
    for (at, point) in points.iter().enumerate() {
        let go = if at == 0 { 'M' } else { 'L' };
        _ = write!(path, "{go}{} {}", short(point.0), short(point.1));
    }
    if !points.is_empty() {
        *path += end;
    }
}

/// The outline of a mark.
pub(super) fn mark_outline((x, y): Point, radius: f64, mark: Mark) -> String {
    let corners: &[Point] = match mark {
        Mark::Circle => {
            let (r, d) = (short(radius), short(2.0 * radius));
            let (left, y) = (short(x - radius), short(y));
            return format!("M{left} {y}a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0-{d} 0z");
        }
        Mark::Square => &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
        Mark::Diamond => &[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)],
        Mark::Triangle => &[(0.0, -1.3), (1.15, 0.8), (-1.15, 0.8)],
    };
    let points: Vec<_> =
        corners.iter().map(|(dx, dy)| (x + dx * radius, y + dy * radius)).collect();
    let mut path = String::new();
    trace(&mut path, &points, "z");
    path
}

/// Lengths drawn and skipped, none of a solid line.
pub(super) fn pattern(stroke: Stroke, scale: f64) -> Option<String> {
    let lengths: Vec<String> =
        stroke.pattern().iter().map(|length| short(length * scale)).collect();
    (!lengths.is_empty()).then(|| lengths.join(" "))
}

pub(super) fn anchored(anchor: Anchor) -> &'static str {
    match anchor {
        Anchor::Start => "start",
        Anchor::Middle => "middle",
        Anchor::End => "end",
    }
}

fn turned((x, y): Point) -> String {
    format!("rotate(-90 {} {})", short(x), short(y))
}

/// A colour that the page has no name for.
pub(super) fn literal(color: RGBColor) -> Option<String> {
    let RGBColor(r, g, b) = color;
    name(color).is_none().then(|| format!("#{r:02x}{g:02x}{b:02x}"))
}

/// A coordinate: a tenth of a unit is finer than anybody sees.
pub(super) fn short(value: f64) -> String {
    let text = format!("{value:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plots::canvas;

    #[test]
    fn shapes_of_one_look_become_one_path() {
        let mut sketch = Sketch::on(canvas::WIDE);
        sketch.rectangle((0.0, 0.0), (4.0, 5.25), 1.0, BLUE);
        sketch.rectangle((4.0, 0.0), (8.0, 5.0), 1.0, BLUE);
        sketch.rectangle((8.0, 0.0), (9.0, 5.0), 1.0, RGBColor(1, 2, 3));
        sketch.text((1.0, 2.0), 22.0, Anchor::End, "a < b");
        sketch.tip((3.0, 4.0), (1.0, 5.0), "<script>");
        let html = svg(&sketch, "\"x\"").into_string();
        let first = r#"<path class="blue" d="M0 0L4 0L4 5.2L0 5.2zM4 0L8 0L8 5L4 5z"></path>"#;
        assert!(html.contains(first), "{html}");
        assert!(html.contains(r##"fill="#010203""##) && html.contains("a &lt; b"), "{html}");
        assert!(html.contains(r#"aria-label="&quot;x&quot;""#), "{html}");
        assert!(
            html.contains(r#"x="1" y="4" width="2" height="1"><title>&lt;script&gt;"#),
            "{html}"
        );
    }

    #[test]
    fn a_title_may_have_two_lines() {
        let mut sketch = Sketch::on(canvas::WIDE);
        for (em, text) in [(28.0, "A tree"), (28.0, "grows"), (22.0, "smoke")] {
            sketch.text((0.0, 0.0), em, Anchor::Start, text);
        }
        assert_eq!(title(&sketch), "A tree grows");
        assert_eq!(title(&Sketch::on(canvas::WIDE)), "");
    }
}
