//! What stands around the data: title, subtitle, legend, and panels with their axes.

use plotters::style::RGBColor;

use super::axis::Axis;
use super::canvas::{
    Anchor, BLACK, FINE_GRID, GREY, GRID, Mark, Point, Sketch, Slide, Stroke, text_width,
};
use super::{Tables, words};

const TITLE_EM: f64 = 35.0;
const SMALL_TITLE_EM: f64 = 28.0;
const TEXT_EM: f64 = 22.0;
/// Size of text inside a panel.
pub(crate) const NOTE_EM: f64 = 22.0;
const LEGEND_ROW: f64 = 36.0;
/// Room for the name of an upright axis that stands level above it.
const NAME_ROW: f64 = 44.0;

/// Writes title and subtitle; gives the height below which the rest may stand.
pub(crate) fn header(sketch: &mut Sketch, tables: &Tables, title: &str) -> f64 {
    bare_header(sketch, title, &subtitle(tables))
}

/// The same for a plot that is not of one run.
pub(crate) fn bare_header(sketch: &mut Sketch, title: &str, subtitle: &str) -> f64 {
    let Slide { width, margin, .. } = sketch.slide;
    let room = width - 2.0 * margin;
    let is_narrow = sketch.slide.is_narrow();
    let (em, lines) =
        if is_narrow { wrapped(title, SMALL_TITLE_EM, room) } else { title_lines(title, room) };
    let mut y = if is_narrow { em } else { 50.0 };
    for line in lines {
        sketch.text((margin, y), em, Anchor::Start, line);
        y += em * 1.3;
    }
    if is_narrow {
        // The page says the rest.
        return y;
    }
    let em = TEXT_EM * (room / text_width(subtitle, TEXT_EM)).min(1.0);
    sketch.colored_text((margin, y), em, Anchor::Start, GREY, subtitle);
    y + 26.0
}

/// The size of the title, and its lines: one, if a little smaller is enough for that, or else as
/// many as it needs, of similar length.
fn title_lines(title: &str, room: f64) -> (f64, Vec<String>) {
    let em = TITLE_EM * (room / text_width(title, TITLE_EM)).min(1.0);
    if em >= SMALL_TITLE_EM { (em, vec![title.to_owned()]) } else { wrapped(title, TITLE_EM, room) }
}

/// The size of a title, and as many lines as it needs.
fn wrapped(title: &str, em: f64, room: f64) -> (f64, Vec<String>) {
    let width = text_width(title, em);
    let lines = (width / room).ceil().max(1.0);
    // A little more than an equal share, so that the last line is not a single word.
    let most = if lines > 1.0 { (width / lines * 1.15).min(room) } else { room };
    let mut wrapped = vec![String::new()];
    for word in title.split(' ') {
        let line = wrapped.last().map_or("", String::as_str);
        let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if line.is_empty() || text_width(&longer, em) <= most {
            wrapped.pop();
            wrapped.push(longer);
        } else {
            wrapped.push(word.to_owned());
        }
    }
    (em, wrapped)
}

fn subtitle(tables: &Tables) -> String {
    let summary = &tables.summary;
    let (start, end) = (summary.members.start, summary.members.end);
    let members = match start == end {
        true => format!("{} members", words::whole(end)),
        false => format!(
            "{} members at the start, {} at the end",
            words::whole(start),
            words::whole(end)
        ),
    };
    let mut parts = vec![summary.scenario.clone(), members];
    parts.push(format!("{} {}", summary.protocol, summary.strategy));
    parts.push(format!("seed {}", summary.seed));
    parts.push(format!("fidelity {}", summary.fidelity));
    if summary.interrupted {
        parts.push("interrupted".to_owned());
    }
    parts.retain(|part| !part.trim().is_empty());
    // En spaces, which SVG does not fold.
    parts.join("\u{2002}·\u{2002}")
}

/// How a series looks in the legend.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Key {
    Line(Stroke),
    MarkedLine(Stroke, Mark),
    Mark(Mark),
    /// An area of this opacity.
    Area(f64),
}

/// One entry of a legend.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: Key,
    pub(crate) color: RGBColor,
    pub(crate) name: String,
}

impl Entry {
    pub(crate) fn new(key: Key, color: RGBColor, name: impl Into<String>) -> Self {
        Self { key, color, name: name.into() }
    }

    fn draw(&self, sketch: &mut Sketch, (x, y): Point) {
        let line = vec![(x, y), (x + KEY_WIDTH, y)];
        let middle = (x + KEY_WIDTH / 2.0, y);
        match self.key {
            Key::Line(dash) => sketch.line(line, 3.5, dash, self.color),
            Key::MarkedLine(dash, mark) => {
                sketch.line(line, 3.5, dash, self.color);
                sketch.mark(middle, 6.0, mark, self.color);
            }
            Key::Mark(mark) => sketch.mark(middle, 6.0, mark, self.color),
            Key::Area(opacity) => {
                sketch.rectangle((x, y - 10.0), (x + KEY_WIDTH, y + 10.0), opacity, self.color);
            }
        }
        sketch.text((x + KEY_WIDTH + 10.0, y), TEXT_EM, Anchor::Start, self.name.as_str());
    }
}

const KEY_WIDTH: f64 = 46.0;

/// Writes a legend above a panel, in as many rows as it needs, so that it never covers data;
/// gives the height of the panel's upper edge.
pub(crate) fn legend(sketch: &mut Sketch, top: f64, entries: &[Entry]) -> f64 {
    let Slide { margin, left, right, .. } = sketch.slide;
    let left = if sketch.slide.is_narrow() { margin } else { left };
    let (mut x, mut y) = (left, top + LEGEND_ROW / 2.0);
    for entry in entries {
        let width = KEY_WIDTH + 10.0 + text_width(&entry.name, TEXT_EM);
        if x > left && x + width > right {
            (x, y) = (left, y + LEGEND_ROW);
        }
        entry.draw(sketch, (x, y));
        x += width + 34.0;
    }
    y + LEGEND_ROW / 2.0 + 4.0
}

/// A rectangle of the slide with two axes.
#[derive(Debug, Clone)]
pub(crate) struct Panel {
    pub(crate) top: f64,
    pub(crate) bottom: f64,
    pub(crate) left: f64,
    pub(crate) right: f64,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
}

impl Panel {
    /// A panel with its grid and axes already drawn, so that data comes on top.
    pub(crate) fn new(sketch: &mut Sketch, (top, bottom): (f64, f64), x: Axis, y: Axis) -> Self {
        let Slide { left, right, .. } = sketch.slide;
        let is_named_above = sketch.slide.is_narrow() && !y.name.is_empty();
        let top = if is_named_above { top + NAME_ROW } else { top };
        let panel = Self { top, bottom, left, right, x, y };
        panel.grid(sketch);
        panel.labels(sketch);
        panel
    }

    /// Where a value lies on the slide. Values beyond an axis are held at its end.
    pub(crate) fn at(&self, (x, y): (f64, f64)) -> Point {
        (
            self.left + self.x.share(x) * (self.right - self.left),
            self.bottom - self.y.share(y) * (self.bottom - self.top),
        )
    }

    pub(crate) fn line(
        &self,
        sketch: &mut Sketch,
        values: &[(f64, f64)],
        width: f64,
        dash: Stroke,
        color: RGBColor,
    ) {
        if let Some(&last) = values.last().filter(|last| last.0 == values[0].0) {
            // A line of one value, or several at one place, would not be seen.
            sketch.mark(self.at(last), 2.0 * width, Mark::Square, color);
        }
        sketch.line(values.iter().map(|&value| self.at(value)).collect(), width, dash, color);
    }

    /// The area between two values at each place.
    pub(crate) fn band(
        &self,
        sketch: &mut Sketch,
        values: &[(f64, f64, f64)],
        opacity: f64,
        color: RGBColor,
    ) {
        let upper = values.iter().map(|&(x, _, high)| self.at((x, high)));
        let lower = values.iter().rev().map(|&(x, low, _)| self.at((x, low)));
        sketch.area(upper.chain(lower).collect(), opacity, color);
    }

    fn grid(&self, sketch: &mut Sketch) {
        let across = |y| vec![(self.left, y), (self.right, y)];
        let down = |x| vec![(x, self.top), (x, self.bottom)];
        for &value in &self.y.fine {
            sketch.line(across(self.at((self.x.from, value)).1), 1.0, Stroke::Solid, FINE_GRID);
        }
        for &value in &self.x.fine {
            sketch.line(down(self.at((value, self.y.from)).0), 1.0, Stroke::Solid, FINE_GRID);
        }
        for tick in &self.y.ticks {
            sketch.line(across(self.at((self.x.from, tick.value)).1), 1.4, Stroke::Solid, GRID);
        }
        for tick in &self.x.ticks {
            sketch.line(down(self.at((tick.value, self.y.from)).0), 1.4, Stroke::Solid, GRID);
        }
        sketch.line(down(self.left), 2.0, Stroke::Solid, GREY);
        sketch.line(across(self.bottom), 2.0, Stroke::Solid, GREY);
    }

    fn labels(&self, sketch: &mut Sketch) {
        for tick in &self.y.ticks {
            let y = self.at((self.x.from, tick.value)).1;
            sketch.text((self.left - 14.0, y), TEXT_EM, Anchor::End, tick.label.as_str());
        }
        let at = |value: f64| self.at((value, self.y.from)).0;
        for (x, label) in self.x.free_labels(at, sketch.slide.width, TEXT_EM) {
            sketch.text((x, self.bottom + 26.0), TEXT_EM, Anchor::Middle, label);
        }
        self.name_upright(sketch);
        let below = (f64::midpoint(self.left, self.right), self.bottom + 72.0);
        sketch.text(below, TEXT_EM, Anchor::Middle, self.x.name.as_str());
    }

    /// The name of the upright axis, which may be longer than that on a narrow slide.
    fn name_upright(&self, sketch: &mut Sketch) {
        if sketch.slide.is_narrow() {
            let above = (sketch.slide.margin, self.top - NAME_ROW * 0.6);
            return sketch.text(above, TEXT_EM, Anchor::Start, self.y.name.replace('\n', " "));
        }
        let middle = f64::midpoint(self.top, self.bottom);
        for (index, line) in self.y.name.lines().enumerate() {
            sketch.upward_text((32.0 + 28.0 * index as f64, middle), TEXT_EM, line);
        }
    }

    /// A vertical line with its name beside its upper end; `row` keeps neighbours apart. Where the name has
    /// room on the left only, it stands at the lower end: below a curve that falls.
    pub(crate) fn marker(
        &self,
        sketch: &mut Sketch,
        x: f64,
        name: &str,
        row: f64,
        color: RGBColor,
    ) {
        let (x, _) = self.at((x, self.y.from));
        sketch.line(vec![(x, self.top), (x, self.bottom)], 3.0, Stroke::Dashed, color);
        let from_end = 24.0 + 34.0 * row;
        let y = match self.has_room(x + 12.0, name) {
            true => self.top + from_end,
            false => self.bottom - from_end,
        };
        self.note_beside(sketch, (x, y), 12.0, name);
    }

    /// Whether a text that begins there ends inside the panel.
    fn has_room(&self, x: f64, text: &str) -> bool {
        x + text_width(text, NOTE_EM) < self.right
    }

    /// Text to the right of a place, so far from it; to its left, where it has no room there.
    pub(crate) fn note_beside(&self, sketch: &mut Sketch, (x, y): Point, gap: f64, text: &str) {
        match self.has_room(x + gap, text) {
            true => self.note(sketch, (x + gap, y), Anchor::Start, text),
            false => self.note(sketch, (x - gap, y), Anchor::End, text),
        }
    }

    /// Text inside the panel on a pale ground, so that grid lines do not run through it.
    pub(crate) fn note(&self, sketch: &mut Sketch, at: Point, anchor: Anchor, text: &str) {
        let width = text_width(text, NOTE_EM) + 12.0;
        let from = match anchor {
            Anchor::Start => at.0 - 6.0,
            Anchor::Middle => at.0 - width / 2.0,
            Anchor::End => at.0 - width + 6.0,
        };
        let (low, high) = (at.1 - 17.0, at.1 + 17.0);
        sketch.rectangle((from, low), (from + width, high), 0.6, RGBColor(255, 255, 255));
        sketch.text(at, NOTE_EM, anchor, text);
    }
}

/// The plot of a run that has nothing to show: axes named, and the reason in the middle.
pub(crate) fn no_data(
    tables: &Tables,
    slide: Slide,
    title: &str,
    reason: &str,
    (x, y): (&str, &str),
) -> Sketch {
    let mut sketch = Sketch::on(slide);
    let top = header(&mut sketch, tables, title);
    let empty = |name: &str| {
        let mut axis = Axis::linear(name, (0.0, 1.0), 1, words::short);
        axis.ticks.clear();
        axis
    };
    let panel = Panel::new(&mut sketch, (top + 20.0, slide.bottom()), empty(x), empty(y));
    let (x, y) = panel.at((0.5, 0.5));
    sketch.colored_text((x, y - 24.0), 40.0, Anchor::Middle, GREY, "no data");
    sketch.colored_text((x, y + 26.0), TEXT_EM, Anchor::Middle, BLACK, reason);
    sketch
}
