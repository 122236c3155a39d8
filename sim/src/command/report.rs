//! `arboretum report`: one page about studies, runs and capacity answers, from their tables alone.

use std::path::Path;
use std::process::ExitCode;

use arboretum_results::Report;

use super::arguments::ReportOptions;
use super::failure::Failure;
use super::{capacity, study};

/// A page of more folders than this nobody reads.
const MOST_FOLDERS: usize = 100;

/// Writes the page.
pub(crate) fn run(options: &ReportOptions) -> Result<ExitCode, Failure> {
    let failed = |error: arboretum_results::ResultsError| Failure::input(error.to_string());
    if options.paths.len() > MOST_FOLDERS {
        let what = format!("{} folders, at most {MOST_FOLDERS} on a page", options.paths.len());
        return Err(Failure::input_with_help(what, "write several pages"));
    }
    Report::check_target(&options.output).map_err(failed)?;
    let mut report = Report::default();
    for folder in &options.paths {
        match kind(folder) {
            Kind::Study => report.study(study::section(folder)?),
            Kind::Capacity => report.capacity(capacity::section(folder)?),
            Kind::Run => report.run(folder).map_err(failed)?,
            Kind::Neither => return Err(neither(folder)),
        }
    }
    report.write(&options.output).map_err(failed)?;
    println!("{}", options.output.display());
    Ok(ExitCode::SUCCESS)
}

enum Kind {
    Study,
    Capacity,
    Run,
    Neither,
}

fn kind(folder: &Path) -> Kind {
    if study::is_one(folder) {
        Kind::Study
    } else if capacity::is_one(folder) {
        Kind::Capacity
    } else if folder.join("summary.json").is_file() {
        Kind::Run
    } else {
        Kind::Neither
    }
}

fn neither(folder: &Path) -> Failure {
    let what = format!("{} is no folder of a study, a run or a capacity answer", folder.display());
    let help = "give folders that `arboretum study`, `arboretum run` or `arboretum capacity` have written \
                (with study.toml, cells.csv, aggregate.csv, summary.json or capacity.json)";
    Failure::input_with_help(what, help)
}
