//! `arboretum compare`: runs of the same demand side by side, paired by seed.

use std::path::PathBuf;
use std::process::ExitCode;

use arboretum_results::{COMPARED, ComparedRun, Comparison, Difference, compare, plot_comparison};

use super::arguments::CompareOptions;
use super::experiment;
use super::failure::Failure;

/// Compares run folders; the first names the baseline.
pub(crate) fn run(options: &CompareOptions) -> Result<ExitCode, Failure> {
    let refused = |error: arboretum_results::CompareError| Failure::input(error.to_string());
    let read = |path: &PathBuf| {
        experiment::has_tables(path)?;
        ComparedRun::read(path).map_err(refused)
    };
    let runs = options.paths.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let metrics = if options.metric.is_empty() {
        COMPARED.iter().map(|name| (*name).to_owned()).collect()
    } else {
        options.metric.clone()
    };
    let compared = compare(&runs, &metrics).map_err(refused)?;
    let drawn = match &options.out {
        Some(folder) => draw(&compared, folder)?,
        None => vec![],
    };
    if options.json {
        let text = serde_json::to_string_pretty(&compared);
        println!("{}", text.map_err(|error| Failure::run(error.to_string()))?);
        return Ok(ExitCode::SUCCESS);
    }
    print!("{}", table(&compared));
    drawn.iter().for_each(|file| println!("{}", file.display()));
    Ok(ExitCode::SUCCESS)
}

fn draw(compared: &Comparison, folder: &PathBuf) -> Result<Vec<PathBuf>, Failure> {
    let refused = |error: String| Failure::input(format!("{}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(|error| refused(error.to_string()))?;
    plot_comparison(compared, folder).map_err(|error| Failure::input(error.to_string()))
}

/// A line for each contestant and metric, in columns.
fn table(compared: &Comparison) -> String {
    let mut rows = vec![
        [
            "metric",
            "contestant",
            "seeds",
            &compared.baseline,
            "mean",
            "difference",
            "95 % interval",
        ]
        .map(str::to_owned),
    ];
    rows.extend(compared.differences.iter().map(row));
    let widths: Vec<usize> = (0..rows[0].len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    let line = |row: &[String; 7]| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            if column < 2 { format!("{cell:width$}") } else { format!("{cell:>width$}") }
        });
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

fn row(found: &Difference) -> [String; 7] {
    let share = |value: f64| match found.relative(value) {
        Some(share) => format!("{:+.1} %", share * 100.0),
        None => format!("{value:+.1}"),
    };
    let interval = match (found.lo, found.hi) {
        (Some(lo), Some(hi)) => format!("{} to {}", share(lo), share(hi)),
        _ => "one seed".into(),
    };
    [
        found.metric.clone(),
        found.contestant.clone(),
        found.n.to_string(),
        format!("{:.1}", found.baseline_mean),
        format!("{:.1}", found.mean),
        share(found.difference),
        interval,
    ]
}
