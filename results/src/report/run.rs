//! The section of a run: its figures, its plots, its tree over time.

use std::path::Path;

use maud::{Markup, html};

use super::table::{Cell, Table};
use super::{RunSection, frames, sketch, source, text};
use crate::clients::BYTES_BY_AWAY;
use crate::metrics::metric_text;
use crate::plots::words::{number, span, whole};
use crate::plots::{PLOTS, Tables, canvas, tree_growth};
use crate::records::CommitRow;

/// The numbers of a summary that stand in the first table; all are in the second.
const CHOSEN: [&str; 12] = [
    "members.start",
    "members.end",
    "commits.accepted",
    "commits.rejected",
    "ciphertexts",
    "update_cost.ciphertexts.p50",
    "update_cost.ciphertexts.p99",
    "update_cost.bytes.p50",
    "expected_update_cost.end",
    "tree.width_over_members",
    "catch_up.bytes.p50",
    "invariants.violated",
];

/// The plots that stand here, each with its name; the tree itself has a slider of its own.
const SHOWN: [(&str, &str); 5] = [
    ("update_cost", "Update cost"),
    ("cost_distribution", "Distribution of update cost"),
    ("tree_growth", "Tree growth"),
    ("commit_size", "Size of commits"),
    ("catch_up", "Catch-up"),
];

/// Title and text of a folder's scenario; empty where it has none.
pub(super) fn scenario(folder: &Path) -> (String, String) {
    let text = std::fs::read_to_string(folder.join("scenario.toml")).unwrap_or_default();
    let table: toml::Table = text.parse().unwrap_or_default();
    let of =
        |key: &str| table.get(key).and_then(toml::Value::as_str).unwrap_or_default().to_owned();
    (of("title"), of("analysis"))
}

pub(super) fn title(run: &RunSection) -> String {
    match run.scenario.0.as_str() {
        "" => run.tables.summary.scenario.clone(),
        title => title.to_owned(),
    }
}

pub(super) fn draw(run: &RunSection, id: &str) -> Markup {
    let heading = format!("{id}-title");
    let summary = &run.tables.summary;
    html! {
        section id=(id) aria-labelledby=(heading) {
            h2 id=(heading) { (title(run)) }
            @if !run.scenario.1.trim().is_empty() { p.question { (text::prose(&run.scenario.1)) } }
            div.answer {
                h3 { "In one sentence" }
                p { (sentence(run)) }
            }
            h3 { "Figures" }
            (figures(run))
            @if let Some(tree) = frames::draw(&run.tables.portraits, &run.tables.tree, id) {
                h3 { "The tree over time" }
                (tree)
            }
            h3 { "Plots" }
            @for (file, name) in SHOWN { (plot(run, file, name, id)) }
            h3 { "How it was run" }
            (method(run))
            h3 { "Limits" }
            ul {
                li { strong { "One seed: " } "no figure has an interval, and another seed gives other figures." }
                @if summary.interrupted { li { strong { "Stopped before its end: " } "what would have come is missing." } }
                li { "Operations and bytes are exact; people, networks and services are modelled, and their figures are assumptions of the scenario." }
                li { "The figures are of these settings. What was not varied is not known to be without effect." }
            }
            h3 { "Provenance" }
            (source::provenance(Some(&run.provenance)))
            h3 { "Run it again" }
            (source::command(&source::again(Some(&run.provenance), &format!("arboretum run {}", summary.scenario))))
        }
    }
}

fn sentence(run: &RunSection) -> Markup {
    let summary = &run.tables.summary;
    let cost = &summary.update_cost.ciphertexts;
    let figure = |value: Option<u64>| value.map_or("–".to_owned(), whole);
    html! {
        "In " (span(summary.virtual_time_s * 1_000.0)) " " (whole(summary.commits.accepted))
        " commits were accepted in a group of " (whole(summary.members.start)) " members at the start and "
        (whole(summary.members.end)) " at the end; the path of a commit cost " strong { (figure(cost.p50)) }
        " ciphertexts in the median and " (figure(cost.max)) " at most "
        span.interval { "(one seed, no interval)" } "."
    }
}

fn figures(run: &RunSection) -> Markup {
    let row = |key: &str, value: f64| {
        vec![Cell::text(key), Cell::number(value), Cell::text(metric_text(key))]
    };
    let all = run.tables.summary.flat();
    let chosen = CHOSEN.iter().filter_map(|key| {
        let (_, value) = all.iter().find(|(name, _)| name == key)?;
        Some(row(key, *value))
    });
    let columns = ["figure", "value", "what it is"];
    let table = |caption, rows| Table { caption, file: "summary.json", columns: &columns, rows };
    html! {
        (table("some figures of the run", chosen.collect()).markup())
        (table("all figures of the run", all.iter().map(|(key, value)| row(key, *value)).collect()).details("All figures of the run"))
    }
}

fn plot(run: &RunSection, file: &str, name: &str, id: &str) -> Markup {
    let Some((_, draw)) = PLOTS.iter().find(|(plot, _)| *plot == file) else { return html! {} };
    let drawn = [canvas::WIDE, canvas::NARROW].map(|slide| draw(&run.tables, slide));
    let label = format!("{name}. {}. The table below has the figures.", sketch::title(&drawn[0]));
    let heading = format!("{id}-{file}");
    html! {
        figure.run aria-labelledby=(heading) {
            figcaption id=(heading) { h4 { (name) } }
            @for sketch in &drawn { (sketch::svg(sketch, &label)) }
            (behind(&run.tables, file))
        }
    }
}

/// The table behind a plot.
fn behind(tables: &Tables, file: &str) -> Markup {
    let table = match file {
        "tree_growth" => growth(tables),
        "cost_distribution" => distribution(tables),
        "catch_up" => catch_up(tables),
        _ => commits(tables),
    };
    table.details("The figures behind this plot")
}

fn commits(tables: &Tables) -> Table<'static> {
    let cost = |row: &CommitRow| {
        if row.has_path { Cell::whole(row.ciphertexts) } else { Cell::None }
    };
    let rows = tables.commits.iter().map(|row| {
        vec![
            Cell::whole(row.epoch),
            Cell::Number(row.time_ms as f64, tree_growth::when(row.time_ms)),
            Cell::text(row.kind()),
            Cell::whole(row.members),
            cost(row),
            Cell::number(row.expected_update_cost()),
            Cell::whole(row.bytes),
        ]
    });
    Table {
        caption: "accepted commits",
        file: "commits.csv",
        columns: &[
            "epoch",
            "moment",
            "kind",
            "members",
            "ciphertexts",
            "expected update cost",
            "bytes",
        ],
        rows: rows.collect(),
    }
}

fn growth(tables: &Tables) -> Table<'static> {
    let rows = tables.tree.iter().map(|row| {
        let when = Cell::Number(row.time_ms as f64, tree_growth::when(row.time_ms));
        let counts = [row.members, row.width, row.blank_leaves, row.blank_parents, row.depth];
        std::iter::once(when).chain(counts.map(Cell::whole)).collect()
    });
    Table {
        caption: "snapshots of the tree",
        file: "tree.csv",
        columns: &["moment", "members", "leaves", "blank leaves", "blank parents", "depth"],
        rows: rows.collect(),
    }
}

fn distribution(tables: &Tables) -> Table<'static> {
    let mut costs: Vec<u64> =
        tables.commits.iter().filter(|row| row.has_path).map(|row| row.ciphertexts).collect();
    costs.sort_unstable();
    let mut below = 0;
    let rows = costs.chunk_by(|a, b| a == b).map(|same| {
        let share = (costs.len() - below) as f64 / costs.len() as f64;
        below += same.len();
        let shown = format!("{} %", number(share * 100.0));
        vec![Cell::whole(same[0]), Cell::whole(same.len() as u64), Cell::Number(share, shown)]
    });
    Table {
        caption: "path updates by their cost",
        file: "commits.csv",
        columns: &["ciphertexts", "updates", "share of updates that cost this or more"],
        rows: rows.collect(),
    }
}

fn catch_up(tables: &Tables) -> Table<'static> {
    let by_away = tables.clients.iter().filter(|row| row.metric == BYTES_BY_AWAY && row.count > 0);
    let rows = by_away.map(|row| {
        let seconds = |seconds: u64| Cell::Number(seconds as f64, span(seconds as f64 * 1_000.0));
        let figures = [row.figures.p50, row.figures.p90, row.figures.p99, row.figures.max];
        let figures = figures.map(|figure| figure.map_or(Cell::None, Cell::whole));
        let mut cells = vec![seconds(row.from), seconds(row.to), Cell::whole(row.count)];
        cells.extend(figures);
        cells
    });
    Table {
        caption: "bytes fetched by time away",
        file: "clients.csv",
        columns: &["away from", "to", "catch-ups", "median", "90 %", "99 %", "most"],
        rows: rows.collect(),
    }
}

fn method(run: &RunSection) -> Markup {
    let summary = &run.tables.summary;
    let fidelity = match summary.fidelity.as_str() {
        "full" => "every client does all its own work from the wire bytes",
        "shared" => {
            "real cryptography and bytes; each distinct computation is done once and charged to everybody who would do it"
        }
        "counted" => "counting in the place of cryptography; operations and bytes are exact",
        _ => "",
    };
    html! {
        ul {
            li { "Scenario " code { (summary.scenario) } ", protocol " code { (summary.protocol) } ", strategy " code { (summary.strategy) } ", cipher suite " code { (summary.suite) } ", seed " (summary.seed) "." }
            li { "Fidelity " code { (summary.fidelity) } @if !fidelity.is_empty() { ": " (fidelity) } "." }
            li {
                (whole(summary.audits.performed)) " audits, in which a member did everything from the wire, found "
                (whole(summary.audits.mismatched)) " differences; " (whole(summary.invariants.checked))
                " checks of the simulated world found " (whole(summary.invariants.violated)) " violations."
            }
            li { "Same scenario and seed, same digest: " code { "arboretum verify FOLDER" } " runs it again and compares." }
        }
    }
}
