//! A portrait of a tree as an icicle: the root at the top, a row for each level, each node as wide
//! as the leaves below it and of the colour of its state. Nodes too narrow to be seen are mixed,
//! never dropped: a place has the mean of the colours that belong there.

use plotters::style::RGBColor;

use super::canvas::{BLUE, GREEN, ORANGE, SKY, Sketch};
use super::frame::{Entry, Key};
use crate::PortraitRow;

const PALE: RGBColor = RGBColor(248, 222, 168);

/// States as the legend names them, their colours, and their leaf columns.
type State = (&'static str, RGBColor, fn(&PortraitRow) -> u64);
const STATES: [State; 5] = [
    ("keyed parent", BLUE, |row| row.keyed),
    ("keyed, with unmerged leaves", SKY, |row| row.unmerged),
    ("blank parent", ORANGE, |row| row.blank),
    ("member's leaf", GREEN, |row| row.member),
    ("blank leaf", PALE, |row| row.blank_leaf),
];

/// Narrower places are mixed with their neighbours, in units of the slide.
const FINEST: f64 = 4.0;
/// Nodes from this width on are set apart by a gap.
const APART: f64 = 8.0;
/// Levels from this height on are.
const LEVELS_APART: f64 = 7.0;
/// How far colours may differ and still be drawn as one.
const SAME: u8 = 5;

/// The legend of a portrait.
pub(crate) fn legend() -> Vec<Entry> {
    STATES.map(|(name, color, _)| Entry::new(Key::Area(1.0), color, name)).to_vec()
}

/// The portraits of a run, each as its rows, in order of time.
pub(crate) fn portraits(rows: &[PortraitRow]) -> Vec<&[PortraitRow]> {
    rows.chunk_by(|a, b| (a.time_ms, a.epoch) == (b.time_ms, b.epoch)).collect()
}

/// Leaves of the tree, blank or not.
pub(crate) fn width(portrait: &[PortraitRow]) -> u64 {
    portrait.iter().map(|row| row.first + row.leaves).max().unwrap_or(0)
}

/// Levels of the tree, the root's included.
pub(crate) fn levels(portrait: &[PortraitRow]) -> u32 {
    portrait.iter().map(|row| row.level + 1).max().unwrap_or(0)
}

/// Where icicles stand, and their scale: the same for all that are to be compared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) left: f64,
    pub(crate) top: f64,
    /// Width of a leaf.
    pub(crate) leaf: f64,
    /// Height of a level.
    pub(crate) level: f64,
}

pub(crate) fn draw(sketch: &mut Sketch, portrait: &[PortraitRow], place: Place) {
    let gap = if place.level >= LEVELS_APART { 1.0 } else { -0.3 };
    for row in portrait.chunk_by(|a, b| a.level == b.level) {
        let top = place.top + f64::from(row[0].level) * place.level;
        for piece in pieces(row, place.leaf) {
            let left = place.left + piece.first as f64 * place.leaf;
            let right = place.left + piece.end as f64 * place.leaf;
            // A little over its neighbour, or smoothed edges would leave a pale seam.
            let right = if piece.is_apart { right - 1.0 } else { right + 0.4 };
            let bottom = top + place.level - gap;
            sketch.rectangle((left, top), (right, bottom), 1.0, piece.color);
        }
    }
}

/// Leaf columns at one level that are drawn as one rectangle.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Piece {
    first: u64,
    end: u64,
    color: RGBColor,
    /// Whether it is one node, set apart from its neighbours.
    is_apart: bool,
}

/// The rectangles of one level, from the left; `leaf` is the width of a leaf.
fn pieces(level: &[PortraitRow], leaf: f64) -> Vec<Piece> {
    let is_wide = |rows: &[PortraitRow]| columns(rows) as f64 * leaf >= FINEST;
    let mut pieces = vec![];
    let mut from = 0;
    for at in 0..level.len() {
        if from < at && is_wide(&level[at..=at]) {
            push(&mut pieces, piece(&level[from..at], leaf));
            from = at;
        }
        if is_wide(&level[from..=at]) {
            push(&mut pieces, piece(&level[from..=at], leaf));
            from = at + 1;
        }
    }
    if from < level.len() {
        push(&mut pieces, piece(&level[from..], leaf));
    }
    pieces
}

/// Rows side by side as one piece.
fn piece(rows: &[PortraitRow], leaf: f64) -> Piece {
    let (first, columns) = (rows[0].first, columns(rows));
    let is_node = rows.len() == 1 && rows[0].nodes == 1;
    let is_apart = is_node && columns as f64 * leaf >= APART;
    Piece { first, end: first + columns, color: mixture(rows), is_apart }
}

/// Leaf columns from the first row to the last.
fn columns(rows: &[PortraitRow]) -> u64 {
    let end = rows.last().map_or(0, |row| row.first + row.leaves);
    end - rows.first().map_or(0, |row| row.first)
}

/// Adds a piece, or widens the last if it looks the same.
fn push(pieces: &mut Vec<Piece>, piece: Piece) {
    match pieces.last_mut() {
        Some(last)
            if last.end == piece.first
                && !(last.is_apart || piece.is_apart)
                && is_same(last.color, piece.color) =>
        {
            last.end = piece.end;
        }
        _ => pieces.push(piece),
    }
}

fn is_same(a: RGBColor, b: RGBColor) -> bool {
    let near = |a: u8, b: u8| a.abs_diff(b) <= SAME;
    near(a.0, b.0) && near(a.1, b.1) && near(a.2, b.2)
}

/// The mean colour of the leaf columns from the first row to the last, white where the tree has
/// no node.
fn mixture(rows: &[PortraitRow]) -> RGBColor {
    let columns = columns(rows).max(1);
    let counts = STATES.map(|(_, color, of)| (color, rows.iter().map(of).sum::<u64>()));
    let covered: u64 = counts.iter().map(|(_, count)| count).sum();
    let white = columns.saturating_sub(covered) * 255;
    let channel = |of: fn(RGBColor) -> u8| {
        let sum = counts.iter().map(|(color, count)| u64::from(of(*color)) * count).sum::<u64>();
        ((sum + white + columns / 2) / columns).min(255) as u8
    };
    RGBColor(channel(|color| color.0), channel(|color| color.1), channel(|color| color.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(first: u64, leaves: u64, keyed: bool) -> PortraitRow {
        let (keyed, blank) = if keyed { (leaves, 0) } else { (0, leaves) };
        PortraitRow { first, leaves, nodes: 1, keyed, blank, ..PortraitRow::default() }
    }

    #[test]
    fn wide_nodes_stand_alone() {
        let level = [node(0, 4, true), node(4, 4, true), node(8, 4, false)];
        let pieces = pieces(&level, 20.0);
        assert_eq!(pieces.len(), 3);
        assert!(pieces.iter().all(|piece| piece.is_apart));
        assert_eq!((pieces[1].color, pieces[2].color), (BLUE, ORANGE));
    }

    #[test]
    fn narrow_nodes_are_mixed_and_none_is_lost() {
        let level: Vec<_> = (0..64).map(|n| node(n, 1, n % 2 == 0)).collect();
        let pieces = pieces(&level, 1.0);
        assert_eq!(pieces.len(), 1, "the same mixture all along: {pieces:?}");
        assert_eq!((pieces[0].first, pieces[0].end), (0, 64));
        assert_eq!(pieces[0].color, RGBColor(115, 137, 89));
        // A lonely blank among many changes its place's colour and no other.
        let level: Vec<_> = (0..64).map(|n| node(n, 1, n != 30)).collect();
        let colors: Vec<_> = super::pieces(&level, 1.0).iter().map(|p| (p.first, p.end)).collect();
        assert_eq!(colors, [(0, 28), (28, 32), (32, 64)]);
    }

    #[test]
    fn where_the_tree_ends_above_it_is_white() {
        let half = PortraitRow { leaves: 2, nodes: 1, member: 1, ..PortraitRow::default() };
        assert_eq!(mixture(&[half]), RGBColor(128, 207, 185));
    }

    #[test]
    fn a_last_narrow_node_is_drawn() {
        let level = [node(0, 8, true), node(8, 1, false)];
        let ends: Vec<_> = pieces(&level, 1.0).iter().map(|piece| piece.end).collect();
        assert_eq!(ends, [8, 9]);
    }
}
