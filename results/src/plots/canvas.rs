//! The canvas of every plot: a list of shapes on a slide, with the palette, the line styles and the
//! font they share.

use std::sync::Once;

use plotters::style::{FontDesc, FontFamily, FontStyle, RGBColor, register_font};

/// What a plot is drawn on. All coordinates are in its units, from the top left corner; texts have the
/// same size on every slide, so that a narrow one can be read where there is little room.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Slide {
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// Where titles begin.
    pub(crate) margin: f64,
    /// Left edge of every panel.
    pub(crate) left: f64,
    /// Right edge of every panel.
    pub(crate) right: f64,
}

/// Of files, and of pages with room.
pub(crate) const WIDE: Slide =
    Slide { width: 1600.0, height: 900.0, margin: 40.0, left: 160.0, right: 1552.0 };
/// Of a page on a phone.
pub(crate) const NARROW: Slide =
    Slide { width: 640.0, height: 900.0, margin: 0.0, left: 100.0, right: 620.0 };

impl Slide {
    /// Lower edge of the lowest panel.
    pub(crate) fn bottom(&self) -> f64 {
        self.height - 108.0
    }

    pub(crate) fn is_narrow(&self) -> bool {
        self.width < WIDE.width
    }
}

// Okabe and Ito's palette, told apart with any kind of colour vision.
pub(crate) const BLACK: RGBColor = RGBColor(0, 0, 0);
pub(crate) const ORANGE: RGBColor = RGBColor(230, 159, 0);
pub(crate) const SKY: RGBColor = RGBColor(86, 180, 233);
pub(crate) const GREEN: RGBColor = RGBColor(0, 158, 115);
pub(crate) const BLUE: RGBColor = RGBColor(0, 114, 178);
pub(crate) const VERMILLION: RGBColor = RGBColor(213, 94, 0);
pub(crate) const PURPLE: RGBColor = RGBColor(204, 121, 167);
/// Text that steps back.
pub(crate) const GREY: RGBColor = RGBColor(90, 90, 90);
/// Grid lines at labelled ticks.
pub(crate) const GRID: RGBColor = RGBColor(218, 218, 218);
/// Grid lines between them.
pub(crate) const FINE_GRID: RGBColor = RGBColor(240, 240, 240);

/// The shipped font, under a name that browsers read as a list of fallbacks. It is Verdana's
/// relative, so a page without it keeps its widths.
pub(crate) const FAMILY: &str = "DejaVu Sans, Verdana, Geneva, sans-serif";
static FONT: &[u8] = include_bytes!("../../assets/DejaVuSans.ttf");
/// Height of a line of the font over its em, which is what the rasteriser scales to.
pub(crate) const LINE_PER_EM: f64 = (1901.0 + 483.0) / 2048.0;

/// A point on the slide.
pub(crate) type Point = (f64, f64);

/// How a line is broken, so that lines differ without colour too.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Stroke {
    Solid,
    Dashed,
    Dotted,
    DashDot,
}

impl Stroke {
    /// Lengths drawn and skipped by turns.
    pub(crate) fn pattern(self) -> &'static [f64] {
        match self {
            Self::Solid => &[],
            Self::Dashed => &[16.0, 9.0],
            Self::Dotted => &[4.0, 6.0],
            Self::DashDot => &[18.0, 7.0, 4.0, 7.0],
        }
    }
}

/// A small mark at a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Mark {
    Circle,
    Square,
    Diamond,
    Triangle,
}

/// Where a text's point lies along it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// One shape.
#[derive(Debug, Clone)]
pub(crate) enum Shape {
    Line {
        points: Vec<Point>,
        width: f64,
        dash: Stroke,
        color: RGBColor,
    },
    Area {
        points: Vec<Point>,
        opacity: f64,
        color: RGBColor,
    },
    Mark {
        at: Point,
        radius: f64,
        mark: Mark,
        color: RGBColor,
    },
    /// `at` is the middle of the capitals' height; `em` the size; `upwards` turns it left.
    Text {
        at: Point,
        em: f64,
        anchor: Anchor,
        upwards: bool,
        color: RGBColor,
        text: String,
    },
    /// What a rectangle of the slide shows, in words: a page tells it to whoever points there.
    Tip {
        from: Point,
        to: Point,
        text: String,
    },
}

/// A drawing: shapes in the order they are painted.
#[derive(Debug, Clone)]
pub(crate) struct Sketch {
    pub(crate) slide: Slide,
    pub(crate) shapes: Vec<Shape>,
}

impl Sketch {
    /// An empty slide.
    pub(crate) fn on(slide: Slide) -> Self {
        Self { slide, shapes: vec![] }
    }

    pub(crate) fn line(&mut self, points: Vec<Point>, width: f64, dash: Stroke, color: RGBColor) {
        if points.len() > 1 {
            self.shapes.push(Shape::Line { points, width, dash, color });
        }
    }

    /// A filled polygon.
    pub(crate) fn area(&mut self, points: Vec<Point>, opacity: f64, color: RGBColor) {
        if points.len() > 2 {
            self.shapes.push(Shape::Area { points, opacity, color });
        }
    }

    pub(crate) fn rectangle(&mut self, from: Point, to: Point, opacity: f64, color: RGBColor) {
        self.area(vec![from, (to.0, from.1), to, (from.0, to.1)], opacity, color);
    }

    pub(crate) fn mark(&mut self, at: Point, radius: f64, mark: Mark, color: RGBColor) {
        self.shapes.push(Shape::Mark { at, radius, mark, color });
    }

    pub(crate) fn text(&mut self, at: Point, em: f64, anchor: Anchor, text: impl Into<String>) {
        self.colored_text(at, em, anchor, BLACK, text);
    }

    pub(crate) fn colored_text(
        &mut self,
        at: Point,
        em: f64,
        anchor: Anchor,
        color: RGBColor,
        text: impl Into<String>,
    ) {
        let text = text.into();
        self.shapes.push(Shape::Text { at, em, anchor, upwards: false, color, text });
    }

    /// Words for a rectangle of the slide; pictures do not have them.
    pub(crate) fn tip(&mut self, from: Point, to: Point, text: impl Into<String>) {
        self.shapes.push(Shape::Tip { from, to, text: text.into() });
    }

    /// Text that reads from bottom to top, centred.
    pub(crate) fn upward_text(&mut self, at: Point, em: f64, text: impl Into<String>) {
        let (anchor, color, text) = (Anchor::Middle, BLACK, text.into());
        self.shapes.push(Shape::Text { at, em, anchor, upwards: true, color, text });
    }
}

/// Makes the shipped font known to the drawing library, once.
pub(crate) fn prepare_font() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let registered = register_font(FAMILY, FontStyle::Normal, FONT);
        assert!(registered.is_ok(), "the shipped font is a font");
    });
}

/// Width of a text, in units of the slide.
pub(crate) fn text_width(text: &str, em: f64) -> f64 {
    prepare_font();
    // Measured large, because the library answers in whole pixels.
    const LARGE: f64 = 1_000.0;
    let font = FontDesc::new(FontFamily::Name(FAMILY), LARGE * LINE_PER_EM, FontStyle::Normal);
    let width = font.box_size(text).map_or(0, |(width, _)| width);
    f64::from(width) * em / LARGE
}
