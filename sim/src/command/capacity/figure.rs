//! The tables of an answer, and its plot.

use std::path::{Path, PathBuf};

use arboretum_results::{CellRow, StudyFigure, StudyTables, plot_study};

use super::answer::{Answer, Limit, Tried};
use crate::command::failure::Failure;

/// How many times each limit is taken, by members. Sizes that some seeds have tried and others not, near the
/// answer of each, are left out: their means would be of other seeds than those beside them.
pub(super) fn shares(answer: &Answer) -> StudyTables {
    let rows = by_size(answer);
    let rows = rows.chunk_by(|one, next| one.members == next.members);
    let rows: Vec<&Tried> =
        rows.filter(|same| same.len() == answer.seeds.len()).flatten().copied().collect();
    let mut cells = vec![];
    // Lines in the order of the budgets, each from small to large.
    for Limit { name, .. } in &answer.budgets {
        for row in &rows {
            let share = row.shares(&answer.budgets).find(|(budget, _)| budget.name == *name);
            cells.extend(share.map(|(_, share)| CellRow {
                point: vec![row.members.to_string(), name.replace('_', " ")],
                numbers: vec![("share".into(), share)],
                ..identity(row)
            }));
        }
    }
    StudyTables::new(vec!["members".into(), "budget".into()], cells)
}

/// What is measured of each budget, in seconds, bytes or as a share, by members.
pub(super) fn values(answer: &Answer) -> StudyTables {
    let cell = |row: &Tried| {
        let named = answer.budgets.iter().zip(&row.values);
        let numbers = named.filter_map(|(it, value)| Some((it.name.clone(), (*value)?)));
        CellRow {
            point: vec![row.members.to_string()],
            numbers: numbers.collect(),
            ..identity(row)
        }
    };
    StudyTables::new(vec!["members".into()], by_size(answer).into_iter().map(cell).collect())
}

/// What was tried, from small to large.
fn by_size(answer: &Answer) -> Vec<&Tried> {
    let mut rows: Vec<&Tried> = answer.tried.iter().collect();
    rows.sort_by_key(|row| (row.members, row.seed));
    rows
}

/// The run that a row is of.
fn identity(row: &Tried) -> CellRow {
    let (seed, digest) = (row.seed, row.digest.clone());
    CellRow { point: vec![], seed, digest, numbers: vec![] }
}

/// How its shares are drawn.
pub(super) fn figure(answer: &Answer) -> StudyFigure {
    let Answer { scenario, protocol, strategy, profile, .. } = answer;
    let seeds = match answer.seeds.len() {
        1 => "one seed".to_owned(),
        n => format!(
            "means of {n} seeds, at the sizes that all have tried, fewer where nothing of a kind happened"
        ),
    };
    StudyFigure {
        title: "How much of each budget a group takes".into(),
        // En spaces, which SVG does not fold.
        subtitle: format!("{scenario}, {protocol} {strategy}, {profile}\u{2002}·\u{2002}{seeds}"),
        x: "members".into(),
        x_label: "members".into(),
        y: "share".into(),
        y_label: "times the budget".into(),
        series: Some("budget".into()),
        at: vec![],
        bound: None,
        level: Some(("the budget".into(), 1.0)),
        powers: vec![],
        logarithmic: true,
    }
}

/// Draws it into the folder; gives the files.
pub(super) fn plot(answer: &Answer, folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    plot_study(&shares(answer), &figure(answer), &folder.join("plots"), "capacity")
        .map_err(|error| Failure::run(error.to_string()))
}
