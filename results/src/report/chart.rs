//! A figure of a study as SVG, drawn twice: for wide pages and for narrow ones, where the same
//! picture made smaller could not be read. Its legend is text of the page. Along an axis of words it
//! is the rows that the study's own plot has.

use maud::{Markup, html};

use super::sketch::{self, HALF_CAPITAL, line_class, mark_outline, name, pattern, short, trace};
use super::text;
use crate::bootstrap::Estimate;
use crate::plots::axis::Axis;
use crate::plots::canvas::{self, Mark, Point, Stroke, text_width};
use crate::plots::study::{self, LOOKS, Line, POWERS, Shown, StudyFigure};
use crate::plots::study_rows;
use crate::plots::words::number;
use crate::study::StudyTables;

/// How large a chart is, in units of its own.
struct Size {
    class: &'static str,
    width: f64,
    height: f64,
    /// Of its texts.
    em: f64,
    /// On linear axes, across and up.
    ticks: (usize, usize),
}

const SIZES: [Size; 2] = [
    Size { class: sketch::WIDE, width: 760.0, height: 400.0, em: 13.0, ticks: (12, 7) },
    Size { class: sketch::NARROW, width: 350.0, height: 300.0, em: 12.0, ticks: (5, 5) },
];

/// Radius of the place around a point that answers to a pointer.
const REACH: f64 = 11.0;
/// Room for the marks of the last points.
const RIGHT: f64 = 14.0;

/// A figure's data.
struct Data<'a> {
    tables: &'a StudyTables,
    figure: &'a StudyFigure,
    /// The values along which, if they are words.
    names: Vec<String>,
    lines: Vec<Line>,
    bound: Option<Line>,
    powers: Vec<Line>,
}

/// Draws a figure with its legend; none if the tables have nothing of it.
pub(super) fn draw(tables: &StudyTables, figure: &StudyFigure) -> Option<Markup> {
    let names = study::words(tables, figure);
    let lines = study::lines(tables, figure, &figure.y, &names);
    if lines.iter().all(|line| line.points.is_empty()) {
        return None;
    }
    if !names.is_empty() {
        let data = Data { tables, figure, names, lines, bound: None, powers: vec![] };
        return Some(html! { (data.legend()) (data.rows()) });
    }
    let bound = study::bound_of(tables, figure);
    let powers = study::powers(figure, &lines);
    let data = Data { tables, figure, names, lines, bound, powers };
    let charts: Option<Vec<Markup>> = SIZES.iter().map(|size| data.chart(size)).collect();
    let charts = charts?;
    Some(html! {
        (data.legend())
        @for chart in &charts { (chart) }
    })
}

/// The part of a chart that has the data.
struct Panel {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x: Axis,
    y: Axis,
}

impl Panel {
    fn at(&self, (x, y): (f64, f64)) -> Point {
        (
            self.left + self.x.share(x) * (self.right - self.left),
            self.bottom - self.y.share(y) * (self.bottom - self.top),
        )
    }

    fn path(&self, points: &[(f64, f64)]) -> String {
        let points: Vec<Point> = points.iter().map(|point| self.at(*point)).collect();
        let mut path = String::new();
        trace(&mut path, &points, "");
        path
    }

    fn area(&self, band: &[(f64, f64, f64)]) -> String {
        let upper = band.iter().map(|(x, _, high)| self.at((*x, *high)));
        let lower = band.iter().rev().map(|(x, low, _)| self.at((*x, *low)));
        let mut path = String::new();
        trace(&mut path, &upper.chain(lower).collect::<Vec<_>>(), "z");
        path
    }
}

impl Data<'_> {
    /// A row for each of the words.
    fn rows(&self) -> Markup {
        let StudyFigure { title, x_label, y_label, .. } = self.figure;
        let label = format!("{title}. {y_label} by {x_label}. The table below has the figures.");
        let draw = |slide| study_rows::alone(self.figure, &self.names, &self.lines, slide);
        html! {
            div.rows {
                @for sketch in [canvas::WIDE, canvas::NARROW].map(draw) { (sketch::svg(&sketch, &label)) }
            }
        }
    }

    fn chart(&self, size: &Size) -> Option<Markup> {
        let (x, y) = study::axes(self.figure, &self.lines, self.bound.as_ref(), size.ticks)?;
        let widest = y.ticks.iter().map(|tick| text_width(&tick.label, size.em));
        let panel = Panel {
            left: widest.fold(0.0, f64::max) + 12.0,
            right: size.width - RIGHT,
            top: size.em * 2.4,
            bottom: size.height - size.em * 3.8,
            x,
            y,
        };
        let view = format!("0 0 {} {}", size.width, size.height);
        Some(html! {
            svg class=(size.class) viewBox=(view) role="img" aria-label=(self.label()) {
                (self.frame(&panel, size))
                (self.curves(&panel))
                (self.points(&panel))
            }
        })
    }

    /// What a chart shows, for those who do not see it.
    fn label(&self) -> String {
        let StudyFigure { title, x_label, y_label, series, .. } = self.figure;
        let names: Vec<&str> = self.lines.iter().map(|line| line.name.as_str()).collect();
        let names = match series {
            Some(series) => format!(", a line for each {series}: {}", names.join(", ")),
            None => String::new(),
        };
        let level = self.figure.level.iter();
        let level: String = level.map(|(name, _)| format!(", and a line across, {name}")).collect();
        format!(
            "{title}. {y_label} against {x_label}{names}{level}. The table below has the figures."
        )
    }

    /// Grid, ticks and the names of the axes: that of the upright one stands level, above it.
    fn frame(&self, panel: &Panel, size: &Size) -> Markup {
        let Panel { left, right, top, bottom, .. } = *panel;
        let across = |value: f64| panel.at((panel.x.from, value)).1;
        let down = |value: f64| panel.at((value, panel.y.from)).0;
        let level =
            |value: &f64| format!("M{} {}H{}", short(left), short(across(*value)), short(right));
        let upright =
            |value: &f64| format!("M{} {}V{}", short(down(*value)), short(top), short(bottom));
        let lines = |axis: &Axis, line: &dyn Fn(&f64) -> String| -> (String, String) {
            let ticks = axis.ticks.iter().map(|tick| line(&tick.value)).collect();
            (axis.fine.iter().map(line).collect(), ticks)
        };
        let (y_fine, y_grid) = lines(&panel.y, &level);
        let (x_fine, x_grid) = lines(&panel.x, &upright);
        let axes = format!("M{} {}V{}H{}", short(left), short(top), short(bottom), short(right));
        let (middle, em) = (f64::midpoint(left, right), size.em);
        let half = HALF_CAPITAL * em;
        html! {
            path.line.fine d=(y_fine + &x_fine) {}
            path.line.grid d=(y_grid + &x_grid) {}
            path.line.muted d=(axes) {}
            g.ink font-size=(em) {
                @for tick in &panel.y.ticks {
                    text x=(short(left - 7.0)) y=(short(across(tick.value) + half)) text-anchor="end" { (tick.label) }
                }
                @for (x, label) in panel.x.free_labels(down, size.width, em) {
                    text x=(short(x)) y=(short(bottom + em * 1.4)) text-anchor="middle" { (label) }
                }
                text.name x="0" y=(short(em)) { (self.figure.y_label) }
                text.name x=(short(middle)) y=(short(size.height - em * 0.6)) text-anchor="middle" { (self.figure.x_label) }
            }
        }
    }

    fn curves(&self, panel: &Panel) -> Markup {
        let bound = self.bound.as_ref().map(|bound| bound.points.clone());
        let level = self.figure.level.as_ref();
        let level =
            level.map(|(_, height)| study::ends(&self.lines).map(|x| (x, *height)).to_vec());
        html! {
            @for (line, stroke) in self.powers.iter().zip(POWERS.iter().cycle()) {
                path.line.muted stroke-width="1.2" stroke-dasharray=[pattern(*stroke, 0.5)] d=(panel.path(&line.points)) {}
            }
            @for (line, (color, _, stroke)) in self.lines.iter().zip(LOOKS.iter().cycle()) {
                path class=[name(*color)] fill-opacity="0.2" d=(panel.area(&line.band)) {}
                path class=(line_class(name(*color))) stroke-width="2" stroke-dasharray=[pattern(*stroke, 0.5)] d=(panel.path(&line.points)) {}
            }
            @for points in bound.iter().chain(&level) {
                path.line.ink stroke-width="1.8" stroke-dasharray=[pattern(Stroke::Dotted, 0.5)] d=(panel.path(points)) {}
            }
        }
    }

    /// The points with what they say.
    fn points(&self, panel: &Panel) -> Markup {
        let shown = study::shown(self.tables, self.figure);
        let point = |shown: &Shown| {
            let found = self.tables.mean(shown.point, &self.figure.y)?;
            let line = self.lines.iter().position(|line| line.name == shown.series)?;
            let (color, mark, _) = LOOKS[line % LOOKS.len()];
            if self.figure.logarithmic && found.mean <= 0.0 {
                // There is no place for it.
                return None;
            }
            let at = panel.at((shown.x.parse().ok()?, found.mean));
            Some(html! {
                g class=(format!("point {}", name(color).unwrap_or_default())) {
                    path d=(mark_outline(at, 4.2, mark)) {}
                    circle.tip cx=(short(at.0)) cy=(short(at.1)) r=(REACH) {
                        title { (self.tip(shown, &found)) }
                    }
                }
            })
        };
        html! { @for point in shown.iter().filter_map(point) { (point) } }
    }

    fn tip(&self, shown: &Shown, found: &Estimate) -> String {
        let StudyFigure { x, series, y_label, .. } = self.figure;
        let line = match series {
            Some(series) => format!("{series} {}, ", shown.series),
            None => String::new(),
        };
        let (value, interval) = (number(found.mean), text::interval(found));
        format!("{line}{x} {}: {value} {y_label} ({interval})", shown.x)
    }

    /// What each line looks like; nothing where a single one needs no name.
    fn legend(&self) -> Markup {
        let key = |class: Option<&str>, stroke: Option<(f64, Stroke)>, mark: Option<Mark>| {
            let (shape, view) = match stroke {
                Some(_) => ("key", "0 0 34 12"),
                None => ("key dot", "10 0 14 12"),
            };
            html! {
                svg class=(shape) viewBox=(view) aria-hidden="true" {
                    @if let Some((width, stroke)) = stroke {
                        path class=(line_class(class)) stroke-width=(width) stroke-dasharray=[pattern(stroke, 0.5)] d="M1 6H33" {}
                    }
                    @if let Some(mark) = mark { path class=[class] d=(mark_outline((17.0, 6.0), 4.2, mark)) {} }
                }
            }
        };
        let mut entries: Vec<(Markup, String)> = vec![];
        let named = self.lines.iter().zip(LOOKS.iter().cycle());
        for (line, (color, mark, stroke)) in named.filter(|(line, _)| !line.name.is_empty()) {
            let stroke = self.names.is_empty().then_some((2.0, *stroke));
            let key = key(name(*color), stroke, Some(*mark));
            entries.push((key, study::name_of(self.figure, &line.name)));
        }
        let bound = self.bound.iter().map(|_| study::bound_name(self.figure));
        let level = self.figure.level.iter().map(|(name, _)| name.as_str());
        for name in bound.chain(level) {
            let key = key(Some("ink"), Some((1.8, Stroke::Dotted)), None);
            entries.push((key, name.to_owned()));
        }
        for (line, stroke) in self.powers.iter().zip(POWERS.iter().cycle()) {
            entries.push((key(Some("muted"), Some((1.2, *stroke)), None), line.name.clone()));
        }
        html! {
            @if !entries.is_empty() {
                ul.legend aria-label="Legend" {
                    @for (key, name) in &entries { li { (key) (name) } }
                }
            }
        }
    }
}
