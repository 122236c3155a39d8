//! A figure of a study: a metric along an axis of its grid, a line with intervals for each value of
//! another axis, and the logarithm of the members beside them.

use plotters::style::RGBColor;

use super::axis::{self, Axis};
use super::canvas::{
    Anchor, BLACK, BLUE, GREEN, GREY, Mark, ORANGE, PURPLE, SKY, Sketch, Stroke, VERMILLION, WIDE,
};
use super::frame::{self, Entry, Key, Panel};
use super::{study_rows, words};
use crate::study::{Place, StudyTables};

/// Ticks of linear axes, across and up.
const TICKS: (usize, usize) = (12, 8);

/// How lines differ, without colour too.
pub(crate) const LOOKS: [(RGBColor, Mark, Stroke); 8] = [
    (BLUE, Mark::Circle, Stroke::Solid),
    (VERMILLION, Mark::Square, Stroke::Dashed),
    (GREEN, Mark::Diamond, Stroke::DashDot),
    (ORANGE, Mark::Triangle, Stroke::Solid),
    (PURPLE, Mark::Circle, Stroke::Dashed),
    (SKY, Mark::Square, Stroke::DashDot),
    (BLACK, Mark::Diamond, Stroke::Solid),
    (GREY, Mark::Triangle, Stroke::Dashed),
];

/// How powers of x differ.
pub(crate) const POWERS: [Stroke; 3] = [Stroke::Dashed, Stroke::DashDot, Stroke::Solid];

/// What a figure shows.
#[derive(Debug, Clone, PartialEq)]
pub struct StudyFigure {
    /// What stands above it.
    pub title: String,
    /// What stands below the title: the study and its size.
    pub subtitle: String,
    /// The axis along which.
    pub x: String,
    /// What stands below it.
    pub x_label: String,
    /// The metric.
    pub y: String,
    /// What stands beside it.
    pub y_label: String,
    /// The axis of the lines; a single line without it.
    pub series: Option<String>,
    /// Values of axes that are drawn, of each any of several.
    pub at: Vec<(String, Vec<String>)>,
    /// The metric that is log₂ of the members: a lower bound of expected update costs, and of those alone.
    pub bound: Option<String>,
    /// A height at which a line is drawn across, and its name.
    pub level: Option<(String, f64)>,
    /// Powers of x that are drawn beside the lines: names and exponents.
    pub powers: Vec<(String, f64)>,
    /// Whether both axes are logarithmic.
    pub logarithmic: bool,
}

/// A line: where, how high, and its interval. Along an axis of words a place is its number.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
    pub(crate) band: Vec<(f64, f64, f64)>,
}

/// Draws a figure; none if the tables have nothing of it.
pub(crate) fn draw(tables: &StudyTables, figure: &StudyFigure) -> Option<Sketch> {
    let names = words(tables, figure);
    let is_words = !names.is_empty();
    let lines = lines(tables, figure, &figure.y, &names);
    if lines.iter().all(|line| line.points.is_empty()) {
        return None;
    }
    let mut sketch = Sketch::on(WIDE);
    sketch.text((WIDE.margin, 50.0), 35.0, Anchor::Start, figure.title.as_str());
    let subtitle = figure.subtitle.as_str();
    sketch.colored_text((WIDE.margin, 96.0), frame::NOTE_EM, Anchor::Start, GREY, subtitle);
    let mut legend: Vec<Entry> = lines
        .iter()
        .zip(LOOKS.iter().cycle())
        .filter(|(line, _)| !line.name.is_empty())
        .map(|(line, (color, mark, stroke))| {
            let key = if is_words { Key::Mark(*mark) } else { Key::MarkedLine(*stroke, *mark) };
            Entry::new(key, *color, name_of(figure, &line.name))
        })
        .collect();
    if is_words {
        let top =
            if legend.is_empty() { 122.0 } else { frame::legend(&mut sketch, 122.0, &legend) };
        study_rows::draw(&mut sketch, figure, &names, &lines, top);
        return Some(sketch);
    }
    let bound = bound_of(tables, figure);
    if bound.is_some() {
        legend.push(Entry::new(Key::Line(Stroke::Dotted), BLACK, bound_name(figure)));
    }
    curves(&mut sketch, figure, &lines, bound.as_ref(), legend)?;
    Some(sketch)
}

/// Draws lines over numbers, below their legend; none if they have no axes.
fn curves(
    sketch: &mut Sketch,
    figure: &StudyFigure,
    lines: &[Line],
    bound: Option<&Line>,
    mut legend: Vec<Entry>,
) -> Option<()> {
    let powers = powers(figure, lines);
    for (line, stroke) in powers.iter().zip(POWERS.iter().cycle()) {
        legend.push(Entry::new(Key::Line(*stroke), GREY, line.name.as_str()));
    }
    if let Some((name, _)) = &figure.level {
        legend.push(Entry::new(Key::Line(Stroke::Dotted), BLACK, name.as_str()));
    }
    let top = if legend.is_empty() { 140.0 } else { frame::legend(sketch, 122.0, &legend) };
    let (x, y) = axes(figure, lines, bound, TICKS)?;
    let panel = Panel::new(sketch, (top, WIDE.bottom()), x, y);
    for (line, stroke) in powers.iter().zip(POWERS.iter().cycle()) {
        panel.line(sketch, &line.points, 2.0, *stroke, GREY);
    }
    for (line, (color, mark, stroke)) in lines.iter().zip(LOOKS.iter().cycle()) {
        panel.band(sketch, &line.band, 0.2, *color);
        panel.line(sketch, &line.points, 3.0, *stroke, *color);
        for point in &line.points {
            sketch.mark(panel.at(*point), 6.0, *mark, *color);
        }
    }
    if let Some(bound) = bound {
        panel.line(sketch, &bound.points, 3.0, Stroke::Dotted, BLACK);
    }
    if let Some((_, height)) = figure.level {
        let ends = ends(lines).map(|x| (x, height));
        panel.line(sketch, &ends, 3.0, Stroke::Dotted, BLACK);
    }
    Some(())
}

/// The line of the bound. It is the same for all lines but for their seeds: that of the first is drawn.
pub(crate) fn bound_of(tables: &StudyTables, figure: &StudyFigure) -> Option<Line> {
    lines(tables, figure, figure.bound.as_ref()?, &[]).into_iter().next()
}

/// What the line of the bound is called. It is one of the mean over all members, and of no other: a mean over
/// the commits of a run may lie below it.
pub(crate) fn bound_name(figure: &StudyFigure) -> &'static str {
    let is_bound = figure.y.starts_with("expected_update_cost");
    if is_bound { "log₂(members), a lower bound" } else { "log₂(members)" }
}

/// Where lines begin and end along x.
pub(crate) fn ends(lines: &[Line]) -> [f64; 2] {
    let all = || lines.iter().flat_map(|line| line.points.iter().map(|point| point.0));
    [all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max)]
}

/// What a line is called: a number by itself does not say what it counts.
pub(crate) fn name_of(figure: &StudyFigure, value: &str) -> String {
    let is_number = value.parse::<f64>().is_ok();
    let axis = figure.series.as_ref().filter(|_| is_number).map(|axis| axis.replace('_', " "));
    axis.map_or_else(|| value.to_owned(), |axis| format!("{axis} {value}"))
}

/// The values of the axis along which, that are drawn, in the order of the grid.
fn places(tables: &StudyTables, figure: &StudyFigure) -> Vec<String> {
    let Some(x) = tables.axes.iter().position(|axis| *axis == figure.x) else { return vec![] };
    let drawn = Place::of(&tables.axes, &figure.at);
    let mut places: Vec<String> = vec![];
    for point in tables.points().into_iter().filter(|point| drawn.holds(point)) {
        if !places.contains(&point[x]) && tables.mean(point, &figure.y).is_some() {
            places.push(point[x].clone());
        }
    }
    places
}

/// A point of the grid that a figure shows.
pub(crate) struct Shown<'t> {
    pub(crate) point: &'t [String],
    /// The value of the axis of the lines; empty if there is a single one.
    pub(crate) series: &'t str,
    /// The value of the axis along which.
    pub(crate) x: &'t str,
}

/// The points of the grid that a figure shows, in their order.
pub(crate) fn shown<'t>(tables: &'t StudyTables, figure: &StudyFigure) -> Vec<Shown<'t>> {
    let column = |name: &str| tables.axes.iter().position(|axis| axis == name);
    let Some(x) = column(&figure.x) else { return vec![] };
    let series = figure.series.as_deref().and_then(column);
    let drawn = Place::of(&tables.axes, &figure.at);
    let points = tables.points().into_iter().filter(|point| drawn.holds(point));
    let series = |point: &'t [String]| series.map_or("", |series| point[series].as_str());
    points.map(|point| Shown { point, series: series(point), x: &point[x] }).collect()
}

/// The values of the axis along which, if it is one of words.
pub(crate) fn words(tables: &StudyTables, figure: &StudyFigure) -> Vec<String> {
    let places = places(tables, figure);
    let is_words = places.iter().any(|place| place.parse::<f64>().is_err());
    if is_words { places } else { vec![] }
}

/// The lines of a metric, in the order of the grid; along words, if there are `names`.
pub(crate) fn lines(
    tables: &StudyTables,
    figure: &StudyFigure,
    metric: &str,
    names: &[String],
) -> Vec<Line> {
    let column = |name: &str| tables.axes.iter().position(|axis| axis == name);
    let Some(x) = column(&figure.x) else { return vec![] };
    let series = figure.series.as_deref().and_then(column);
    let drawn = Place::of(&tables.axes, &figure.at);
    let place = |text: &String| match names {
        [] => text.parse::<f64>().ok(),
        names => names.iter().position(|name| name == text).map(|place| place as f64),
    };
    let mut lines: Vec<Line> = vec![];
    for point in tables.points().into_iter().filter(|point| drawn.holds(point)) {
        let (Some(place), Some(found)) = (place(&point[x]), tables.mean(point, metric)) else {
            continue;
        };
        let name = series.map_or("", |series| &point[series]);
        let line = match lines.iter_mut().position(|line| line.name == *name) {
            Some(at) => &mut lines[at],
            None => {
                lines.push(Line { name: name.to_owned(), points: vec![], band: vec![] });
                lines.last_mut().expect("it was just put there")
            }
        };
        if figure.logarithmic && found.mean <= 0.0 {
            // There is no place for it.
            continue;
        }
        line.points.push((place, found.mean));
        line.band.extend(found.interval.map(|(lo, hi)| (place, lo, hi)));
    }
    lines
}

/// The powers of x where there are points.
pub(crate) fn powers(figure: &StudyFigure, lines: &[Line]) -> Vec<Line> {
    let longest = lines.iter().max_by_key(|line| line.points.len());
    let places = || longest.into_iter().flat_map(|line| line.points.iter().map(|point| point.0));
    let power = |(name, exponent): &(String, f64)| Line {
        name: name.clone(),
        points: places().map(|x| (x, x.powf(*exponent))).collect(),
        band: vec![],
    };
    figure.powers.iter().map(power).collect()
}

/// The axes, with about so many ticks where they are linear.
pub(crate) fn axes(
    figure: &StudyFigure,
    lines: &[Line],
    bound: Option<&Line>,
    ticks: (usize, usize),
) -> Option<(Axis, Axis)> {
    let all = || lines.iter().chain(bound).flat_map(|line| line.points.iter().copied());
    if figure.logarithmic {
        let x = axis::log_range(all().map(|point| point.0))?;
        let level = figure.level.iter().map(|(_, height)| *height);
        let bands = lines.iter().flat_map(|line| line.band.iter().flat_map(|it| [it.1, it.2]));
        let bands = bands.filter(|height| *height > 0.0);
        let y = axis::log_range(all().map(|point| point.1).chain(bands).chain(level))?;
        let x = Axis::log(&figure.x_label, x, words::short);
        return Some((x, Axis::log(&figure.y_label, y, words::short)));
    }
    let low = all().map(|point| point.0).reduce(f64::min)?;
    let high = all().map(|point| point.0).reduce(f64::max)?;
    let bands = lines.iter().flat_map(|line| line.band.iter().map(|(_, _, high)| *high));
    let level = figure.level.iter().map(|(_, height)| *height);
    let highest = all().map(|point| point.1).chain(bands).chain(level).reduce(f64::max)?;
    let x = Axis::linear(&figure.x_label, (low, high), ticks.0, words::figure);
    Some((x, Axis::linear(&figure.y_label, (0.0, highest * 1.05), ticks.1, words::short)))
}

#[cfg(test)]
mod tests {
    use super::super::canvas::Shape;
    use super::*;
    use crate::study::CellRow;

    fn tables() -> StudyTables {
        let mut cells = vec![];
        for (way, factor) in [("by hand", 1.0), ("3", 2.0)] {
            for n in [10.0, 100.0, 1_000.0] {
                for seed in [1, 2] {
                    let y = factor * (n - 10.0) * seed as f64;
                    cells.push(CellRow {
                        point: vec![way.into(), n.to_string()],
                        seed,
                        digest: String::new(),
                        numbers: vec![("y".into(), y)],
                    });
                }
            }
        }
        StudyTables::new(vec!["way_of".into(), "n".into()], cells)
    }

    fn figure(x: &str, series: &str) -> StudyFigure {
        StudyFigure {
            title: "t".into(),
            subtitle: "s".into(),
            x: x.into(),
            x_label: "x".into(),
            y: "y".into(),
            y_label: "y".into(),
            series: (!series.is_empty()).then(|| series.into()),
            at: vec![],
            bound: None,
            level: None,
            powers: vec![],
            logarithmic: false,
        }
    }

    /// How many marks there are, and whether a text is among those that are written.
    fn look(figure: &StudyFigure, wanted: &str) -> (usize, bool) {
        let sketch = draw(&tables(), figure).unwrap();
        let is_mark = |shape: &&Shape| matches!(shape, Shape::Mark { .. });
        let says = |shape: &Shape| matches!(shape, Shape::Text { text, .. } if text == wanted);
        (sketch.shapes.iter().filter(is_mark).count(), sketch.shapes.iter().any(says))
    }

    #[test]
    fn numbers_make_lines_and_words_make_rows() {
        // Six means, and one mark for each line in the legend.
        assert_eq!(look(&figure("n", "way_of"), "by hand"), (6 + 2, true));
        // A row for each way, a mark for each n; a number in the legend says what it counts.
        assert_eq!(look(&figure("way_of", "n"), "n 100"), (6 + 3, true));
        assert_eq!(look(&figure("n", "way_of"), "way of 3"), (6 + 2, true));
        // A single line needs no legend.
        let at = vec![("way_of".to_owned(), vec!["by hand".to_owned()])];
        assert_eq!(look(&StudyFigure { at, ..figure("n", "") }, "s"), (3, true));
    }

    #[test]
    fn the_logarithm_bounds_the_mean_over_members_alone() {
        let named = |y: &str| {
            let mut cells = tables().cells;
            cells.iter_mut().for_each(|cell| cell.numbers[0].0 = y.into());
            let tables = StudyTables::new(tables().axes, cells);
            let bound = Some(y.to_owned());
            let sketch =
                draw(&tables, &StudyFigure { y: y.into(), bound, ..figure("n", "way_of") });
            let texts = sketch.unwrap().shapes.into_iter().filter_map(|shape| match shape {
                Shape::Text { text, .. } => Some(text),
                _ => None,
            });
            texts.filter(|text| text.starts_with("log₂")).collect::<Vec<_>>()
        };
        assert_eq!(named("expected_update_cost.end"), ["log₂(members), a lower bound"]);
        assert_eq!(named("ciphertexts_per_commit"), ["log₂(members)"]);
    }

    #[test]
    fn a_level_is_a_line_across_with_its_name() {
        let figure =
            StudyFigure { level: Some(("the budget".into(), 5.0)), ..figure("n", "way_of") };
        assert_eq!(look(&figure, "the budget"), (6 + 2, true));
        let shapes = |figure: &StudyFigure| draw(&tables(), figure).unwrap().shapes.len();
        // In the legend a line and a name, in the panel a line.
        assert!(shapes(&figure) >= shapes(&StudyFigure { level: None, ..figure.clone() }) + 3);
    }

    #[test]
    fn what_is_zero_has_no_place_on_a_logarithm() {
        let logarithmic = StudyFigure { logarithmic: true, ..figure("n", "way_of") };
        assert_eq!(look(&logarithmic, "t"), (4 + 2, true));
        let at = vec![("n".to_owned(), vec!["10".to_owned()])];
        assert!(draw(&tables(), &StudyFigure { at, ..logarithmic }).is_none());
    }
}
