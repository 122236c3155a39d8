//! What a report says of a study's folder.

use std::path::Path;

use arboretum_results::{ResultsError, StudySection, TreeOverTime, read_provenance};
use arboretum_workloads::{Filter, Study};

use super::expect::{self, Verdict};
use super::folder::{filter_of, read};
use super::{figure, refused, statistics};
use crate::command::failure::Failure;

/// Reads a study's folder.
pub(crate) fn section(folder: &Path) -> Result<StudySection, Failure> {
    let (study, tables) = read(folder)?;
    let failed = |error: ResultsError| Failure::input(error.to_string());
    let provenance = match folder.join("provenance.json").exists() {
        true => Some(read_provenance(folder).map_err(failed)?),
        false => None,
    };
    let filter = provenance.as_ref().map_or_else(Filter::default, |it| filter_of(folder, it));
    let mut verdicts = expect::verdicts(&study, &tables);
    verdicts.extend(statistics::verdicts(&study, &tables));
    let text = |key: &str| {
        let text = study.scenario.get(key).and_then(|value| value.as_str());
        text.unwrap_or_default().to_owned()
    };
    Ok(StudySection {
        scenario: (text("title"), text("analysis")),
        in_counts: study.scenario.contains_key("operations"),
        grid: grid(&study)?,
        seeds: study.seeds,
        smaller: smaller(&study, &filter),
        set: filter.set,
        answer: expect::answer(&study, &tables),
        expectations: verdicts.into_iter().map(Verdict::finding).collect(),
        figures: study.plots.iter().map(|plot| figure(&study, &tables, plot)).collect(),
        differences: statistics::compared(&study, &tables),
        fits: statistics::grown(&study, &tables),
        tree: TreeOverTime::read(folder, &tables.cells).map_err(failed)?,
        tables,
        provenance,
        name: study.name,
        title: study.title,
        question: study.question,
        source: study.source,
        analysis: study.analysis,
    })
}

/// What the small size sets, if it is that.
fn smaller(study: &Study, filter: &Filter) -> Vec<String> {
    let set = study.quick.set.iter().filter(|_| filter.quick);
    set.map(|(key, value)| format!("{key} = {value}")).collect()
}

/// Points of the whole study.
fn grid(study: &Study) -> Result<usize, Failure> {
    let whole = Filter { seeds: Some(1), ..Filter::default() };
    study.cells(&study.name, &whole).map(|cells| cells.len()).map_err(refused)
}
