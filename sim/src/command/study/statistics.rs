//! What is computed of a study beside means: paired differences into `differences.csv`, growth into
//! `fits.csv`, and whether what is said of that growth holds.

use std::path::Path;

use arboretum_results::{
    DifferenceRow, Estimate, FitRow, Growth, PairedMetrics, ResultsError, StudyTables, differences,
    fits, write_differences, write_fits,
};
use arboretum_workloads::{Fit, Form, Study, place, value_text};

use super::expect::Verdict;

/// Writes the tables that the study asks for.
pub(super) fn write(
    study: &Study,
    tables: &StudyTables,
    folder: &Path,
) -> Result<(), ResultsError> {
    if !study.paired.is_empty() {
        write_differences(folder, &tables.axes, &compared(study, tables))?;
    }
    if !study.fits.is_empty() {
        write_fits(folder, &tables.axes, &grown(study, tables))?;
    }
    Ok(())
}

/// The differences that the study asks for.
pub(super) fn compared(study: &Study, tables: &StudyTables) -> Vec<DifferenceRow> {
    let rows = study.paired.iter().flat_map(|paired| {
        let paired = PairedMetrics {
            axis: paired.axis.clone(),
            base: paired.base.as_ref().map(value_text),
            metrics: paired.metrics.clone(),
            at: place(&paired.at),
        };
        differences(tables, &paired)
    });
    rows.collect()
}

/// The growth that the study asks for.
pub(super) fn grown(study: &Study, tables: &StudyTables) -> Vec<FitRow> {
    study.fits.iter().flat_map(|fit| fits(tables, &growth(fit))).collect()
}

fn growth(fit: &Fit) -> Growth {
    Growth { x: fit.x.clone(), y: fit.y.clone(), at: place(&fit.at), from: fit.from }
}

/// The verdicts on what is said of growth, in its order.
pub(super) fn verdicts(study: &Study, tables: &StudyTables) -> Vec<Verdict> {
    let said = study.fits.iter().filter(|fit| !fit.says.is_empty());
    said.flat_map(|fit| {
        let rows = fits(tables, &growth(fit));
        if rows.is_empty() {
            let metric = format!("growth of {}", fit.y);
            // Of points that were run without giving the number nothing holds.
            let has_it = tables.means().iter().any(|mean| mean.metric == fit.y);
            let is_none = !tables.cells.is_empty() && !has_it;
            let found = is_none.then(|| {
                (format!("all {}", fit.x), Estimate { n: 0, mean: f64::NAN, interval: None })
            });
            return vec![Verdict::new(&fit.says, &metric, found, (Some(0.0), None))];
        }
        rows.iter().flat_map(|row| of(fit, row)).collect()
    })
    .collect()
}

fn of(fit: &Fit, row: &FitRow) -> Vec<Verdict> {
    let named = row.point.iter().filter(|value| !value.is_empty());
    let point = named.map(String::as_str).collect::<Vec<_>>().join(" ");
    let point = if point.is_empty() { format!("all {}", fit.x) } else { point };
    let mut verdicts = vec![];
    if fit.min.is_some() || fit.max.is_some() {
        let metric = format!("exponent of {}", fit.y);
        let power = Estimate { n: row.seeds, mean: row.power.slope, interval: row.power.interval };
        let found = Some((point.clone(), power));
        verdicts.push(Verdict::new(&fit.says, &metric, found, (fit.min, fit.max)));
    }
    if let Some(form) = fit.form {
        let name = match form {
            Form::Power => "power",
            Form::Log2 => "log2",
        };
        let metric = format!("whether the form of {} is {name}", fit.y);
        // Both may be exact, of a number that does not grow: then either is right.
        let holds = [name, "either"].contains(&row.better());
        let mean = if holds { 1.0 } else { 0.0 };
        let found = Some((point, Estimate { n: 0, mean, interval: None }));
        verdicts.push(Verdict::new(&fit.says, &metric, found, (Some(1.0), None)));
    }
    verdicts
}
