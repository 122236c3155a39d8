//! The section of a study: what was asked, what came out, how, and with which limits.

use std::cmp::Reverse;

use maud::{Markup, html};

use super::text::{self, count, sentence};
use super::{Finding, StudySection, figure, frames, source, statistics};
use crate::plots::words::number;

/// Intervals of fewer seeds say little more than how far the seeds lie apart.
const ENOUGH_SEEDS: usize = 5;

pub(super) fn draw(study: &StudySection, id: &str) -> Markup {
    let heading = format!("{id}-title");
    html! {
        section id=(id) aria-labelledby=(heading) {
            h2 id=(heading) { (study.title) }
            p.question { (text::prose(&study.question)) }
            @if !study.source.is_empty() { p.note { "Set-up after: " (study.source) "." } }
            (answer(study))
            @if !study.analysis.trim().is_empty() {
                h3 { "What the figures show, and what they do not" }
                p { (text::prose(&study.analysis)) }
            }
            h3 { "What was expected" }
            (expectations(study))
            h3 { "Plots" }
            @for (at, figure) in study.figures.iter().enumerate() {
                (figure::draw(&study.tables, figure, &format!("{id}-plot{}", at + 1), "aggregate.csv"))
            }
            @if study.figures.is_empty() { p { "The study draws none." } }
            (tree(study, id))
            (statistics::draw(study))
            h3 { "How it was run" }
            (method(study))
            h3 { "Limits" }
            (limits(study))
            h3 { "Provenance" }
            (source::provenance(study.provenance.as_ref()))
            h3 { "Run it again" }
            (source::command(&source::again(study.provenance.as_ref(), &format!("arboretum study {}", study.name))))
        }
    }
}

/// The answer; where the study has none, or has not run its point, what came of the first
/// expectation that was met with a number.
fn answer(study: &StudySection) -> Markup {
    let told = match &study.answer {
        Some(answer) => told(study, answer),
        None => {
            match study.expectations.iter().find(|it| it.estimate.is_some_and(|found| found.n > 0))
            {
                Some(finding) => html! { (verdict(study, finding)) },
                None => html! { "The points that would answer it were not run." },
            }
        }
    };
    html! {
        div.answer {
            h3 { "Answer" }
            p { (told) }
        }
    }
}

fn told(study: &StudySection, answer: &Finding) -> Markup {
    let Some(found) = &answer.estimate else { return html! { "Not measured." } };
    let place = text::place(&study.tables.axes, &answer.point, answer.than.as_ref());
    html! {
        (answer.says) (text::estimate(found)) (answer.after)
        span.place { " " code { (answer.metric) } " at " (place) "." }
    }
}

fn verdict(study: &StudySection, finding: &Finding) -> Markup {
    let Some(found) = &finding.estimate else { return html! { "Not measured." } };
    let place = place(study, finding);
    let what = if finding.than.is_some() { "the ratio of " } else { "" };
    html! {
        @if finding.holds == Some(false) { "It does not hold that " (finding.says) }
        @else { (sentence(&finding.says)) }
        ": " (what) code { (finding.metric) } " is " (text::estimate(found))
        span.place { " At " (place) "." }
    }
}

fn place(study: &StudySection, finding: &Finding) -> String {
    if finding.point.is_empty() {
        return finding.place.clone();
    }
    text::place(&study.tables.axes, &finding.point, finding.than.as_ref())
}

fn expectations(study: &StudySection) -> Markup {
    if study.expectations.is_empty() {
        return html! { p { "The study expects nothing: its tables and plots stand for themselves." } };
    }
    html! {
        ul.expectations { @for finding in &study.expectations { (expectation(study, finding)) } }
    }
}

fn expectation(study: &StudySection, finding: &Finding) -> Markup {
    let (class, word) = match finding.holds {
        Some(true) => ("holds", "Holds"),
        Some(false) => ("fails", "Does not hold"),
        None => ("open", "Not run"),
    };
    let ratio = if finding.than.is_some() { ", ratio" } else { "" };
    html! {
        li class=(class) {
            span.badge { (word) } " " (sentence(&finding.says))
            @if finding.holds.is_some() {
                div.measured {
                    code { (finding.metric) } (ratio) " "
                    @match &finding.estimate {
                        Some(found) => (text::estimate(found)),
                        None => "is no number of these runs",
                    }
                    ", expected " (bounds(finding)) ". "
                    span.place { "At " (place(study, finding)) "." }
                }
            } @else {
                div.measured { code { (finding.metric) } (ratio) ", expected " (bounds(finding)) "." }
            }
        }
    }
}

fn bounds(finding: &Finding) -> String {
    match (finding.min, finding.max) {
        (Some(min), Some(max)) if min == max => format!("exactly {}", number(min)),
        (Some(min), Some(max)) => format!("{} to {}", number(min), number(max)),
        (Some(min), None) => format!("at least {}", number(min)),
        (None, Some(max)) => format!("at most {}", number(max)),
        (None, None) => "nothing".to_owned(),
    }
}

/// The tree of one of its cells.
fn tree(study: &StudySection, id: &str) -> Markup {
    let drawn = study
        .tree
        .as_ref()
        .and_then(|tree| Some((&tree.cell, frames::draw(&tree.portraits, &tree.tree, id)?)));
    let Some((cell, frames)) = drawn else { return html! {} };
    html! {
        h3 { "The tree over time" }
        p.note { "Of one run, " (text::place(&study.tables.axes, &cell.point, None)) ", seed " (cell.seed) "." }
        (frames)
    }
}

/// The most seeds that a point was run with.
fn most_seeds(study: &StudySection) -> usize {
    study.tables.seeds().into_iter().max().unwrap_or(0)
}

/// How many seeds the points were run with: what most have, and which have others.
fn with_seeds(study: &StudySection) -> String {
    let mut seeds = study.tables.seeds();
    seeds.sort_unstable_by_key(|seeds| Reverse(*seeds));
    let mut groups: Vec<&[usize]> = seeds.chunk_by(|one, next| one == next).collect();
    groups.sort_by_key(|group| Reverse(group.len()));
    let Some((usual, others)) = groups.split_first() else { return count(0, "seed", "seeds") };
    let each = if seeds.len() == 1 { "" } else { " each" };
    let usual = count(usual[0], "seed", "seeds") + each;
    let others: Vec<String> =
        others.iter().map(|group| format!("{} of them with {}", group.len(), group[0])).collect();
    if others.is_empty() { usual } else { format!("{usual}, but {}", others.join(" and ")) }
}

fn method(study: &StudySection) -> Markup {
    let (title, about) = &study.scenario;
    let points = study.tables.points().len();
    let most = most_seeds(study);
    let axes: Vec<&str> = study.tables.axes.iter().map(String::as_str).collect();
    html! {
        ul {
            @if !title.is_empty() { li { (sentence(title)) ". " (text::prose(about)) } }
            li {
                (count(points, "point", "points")) " of a grid of " (study.grid) " (" (axes.join(" × ")) ") "
                @if points == 1 { "was" } @else { "were" }
                " run with " (with_seeds(study)) "."
            }
            li {
                @if study.in_counts {
                    "Each run is a sequence of operations on a group in counts: the engine's own tree and strategies, without keys and bytes."
                } @else {
                    "Each run simulates people who come and go, as the scenario in " code { "study.toml" } " says. Who does what and when is drawn from the seed, apart from the protocol: points that differ in protocol or strategy alone meet the same people."
                }
                " Same definition and seed, same figures, on any machine."
            }
            @if most > 1 {
                li {
                    "Intervals are 95 % bootstrap intervals over the seeds: 95 % of the means of 10,000 resamples lie in them. "
                    @if study.tables.cells.is_empty() {
                        "The folder keeps means alone, so the interval of a ratio is what the intervals of its two means allow together, which is wider."
                    } @else {
                        "Ratios are of means, resampled in pairs of the same seed."
                    }
                }
            } @else {
                li { strong { "One seed: " } "no figure has an interval, and none says how far another seed would lie from it." }
            }
        }
    }
}

/// Whether points or seeds of the whole study are missing.
pub(super) fn is_part(study: &StudySection) -> bool {
    study.tables.points().len() < study.grid || most_seeds(study) < study.seeds as usize
}

/// The points whose intervals are of few seeds, in words; one seed has none.
fn with_few_seeds(study: &StudySection) -> Option<String> {
    let seeds = study.tables.seeds();
    let few = seeds.iter().filter(|seeds| (2..ENOUGH_SEEDS).contains(*seeds)).count();
    match few {
        0 => None,
        few if few == seeds.len() => Some("all points".to_owned()),
        few => Some(count(few, "point", "points")),
    }
}

fn limits(study: &StudySection) -> Markup {
    let points = study.tables.points().len();
    let most = most_seeds(study);
    let not_run = study.expectations.iter().filter(|finding| finding.holds.is_none()).count();
    let sets: Vec<_> = study.set.iter().map(|set| format!("--set {set}")).collect();
    html! {
        ul {
            @if is_part(study) {
                li {
                    strong { "A part of the study: " }
                    (points) " of " (study.grid) " points, " (most) " of " (count(study.seeds as usize, "seed", "seeds")) "."
                }
            }
            @if !study.smaller.is_empty() {
                li { strong { "The small size of the study: " } "every run has " code { (study.smaller.join(", ")) } "." }
            }
            @if not_run > 0 {
                li { (count(not_run, "expectation is", "expectations are")) " about points that were not run." }
            }
            @if !sets.is_empty() {
                li { strong { "Not the study as it is defined: " } "run with " code { (sets.join(" ")) } "." }
            }
            @if let Some(of) = with_few_seeds(study) {
                li { "Intervals of fewer than " (ENOUGH_SEEDS) " seeds, here those of " (of) ", are hardly more than how far the seeds lie apart." }
            }
            @if study.in_counts {
                li { "Counts are of ciphertexts, keys and operations. Time, loss, contention and bytes beyond those of paths are not simulated." }
            } @else {
                li { "Operations and bytes are exact; people, networks and services are modelled, and their figures are assumptions of the scenario." }
            }
            li { "The figures are of the settings above. What they do not vary is not known to be without effect." }
        }
    }
}
