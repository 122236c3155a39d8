//! The tree of a run over time: a portrait for each moment, all on one scale, and a slider that
//! shows one of them. Without a script, and on paper, all of them stand below each other.

use maud::{Markup, html};

use super::sketch::{self, literal, name};
use super::table::{Cell, Table};
use crate::plots::canvas::{self, Sketch};
use crate::plots::{icicle, portrait, tree_growth};
use crate::{PortraitRow, TreeRow};

/// Size of a portrait, in units of its own.
const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 260.0;

/// A run takes eight portraits; of more than this a page shows some.
const MOST_FRAMES: usize = 24;

/// The portraits that are shown, the last always among them.
fn shown(portraits: &[PortraitRow]) -> Vec<&[PortraitRow]> {
    let all = icicle::portraits(portraits);
    let step = all.len().div_ceil(MOST_FRAMES).max(1);
    let mut shown: Vec<_> = all.iter().rev().step_by(step).copied().collect();
    shown.reverse();
    shown
}

/// The slider with portraits and the snapshots of the same moments; none if none were taken.
pub(super) fn draw(portraits: &[PortraitRow], tree: &[TreeRow], id: &str) -> Option<Markup> {
    let portraits = shown(portraits);
    let widest = portraits.iter().map(|portrait| icicle::width(portrait)).max()?;
    let deepest = portraits.iter().map(|portrait| icicle::levels(portrait)).max()?;
    let (leaf, level) = (WIDTH / widest.max(1) as f64, HEIGHT / f64::from(deepest.max(1)));
    let place = icicle::Place { left: 0.0, top: 0.0, leaf, level };
    let moments: Vec<String> = portraits
        .iter()
        .map(|portrait| {
            format!("{}: {}", portrait::moment(portrait), portrait::facts(portrait, tree))
        })
        .collect();
    let frames: Vec<Markup> = portraits
        .iter()
        .zip(&moments)
        .map(|(portrait, moment)| {
            let mut sketch = Sketch::on(canvas::WIDE);
            icicle::draw(&mut sketch, portrait, place);
            let view = format!("0 0 {WIDTH} {HEIGHT}");
            html! {
                figure.frame {
                    svg.tree viewBox=(view) preserveAspectRatio="none" role="img" aria-label=(format!("The ratchet tree. {moment}")) {
                        (sketch::shapes(&sketch.shapes))
                    }
                    figcaption { (moment) }
                }
            }
        })
        .collect();
    Some(html! {
        ul.legend.states aria-label="Legend" {
            @for entry in icicle::legend() {
                li {
                    svg.key viewBox="0 0 34 12" aria-hidden="true" {
                        path class=[name(entry.color)] fill=[literal(entry.color)] d="M0 0H34V12H0z" {}
                    }
                    (entry.name)
                }
            }
        }
        p.note { "The root is above, each node as wide as the leaves below it; where nodes are too narrow their colours mix." }
        div.frames {
            div.slider hidden {
                label for=(format!("{id}-time")) { "Time" }
                input id=(format!("{id}-time")) type="range" min="0" max=(frames.len() - 1) step="1" value=(frames.len() - 1);
            }
            @for frame in &frames { (frame) }
        }
        (table(&portraits, tree).details("The figures of these moments"))
    })
}

/// What the snapshots of the portraits count.
fn table(portraits: &[&[PortraitRow]], tree: &[TreeRow]) -> Table<'static> {
    let taken = |row: &&TreeRow| {
        portraits
            .iter()
            .any(|portrait| (portrait[0].time_ms, portrait[0].epoch) == (row.time_ms, row.epoch))
    };
    let rows = tree.iter().filter(taken).map(|row| {
        let when = Cell::Number(row.time_ms as f64, tree_growth::when(row.time_ms));
        let parents = [row.keyed_parents, row.blank_parents];
        let counts = [row.members, row.width, row.blank_leaves, row.depth];
        std::iter::once(when).chain(counts.into_iter().chain(parents).map(Cell::whole)).collect()
    });
    Table {
        caption: "the tree at these moments",
        file: "tree.csv",
        columns: &[
            "moment",
            "members",
            "leaves",
            "blank leaves",
            "depth",
            "keyed parents",
            "blank parents",
        ],
        rows: rows.collect(),
    }
}
