//! `arboretum price`: what a run's work takes on a device, from the counts in its folder.

use std::path::Path;
use std::process::ExitCode;

use arboretum_results::{read_summary, read_work};
use serde_json::{Value, json};

use super::arguments::PriceOptions;
use super::failure::Failure;
use super::pricing::{self, Figures, Priced};

/// Prices each run, and tells.
pub(crate) fn run(options: &PriceOptions) -> Result<ExitCode, Failure> {
    let profile = pricing::load(&options.profile)?;
    let mut told = vec![];
    for path in &options.paths {
        let refused = |error: arboretum_results::ResultsError| Failure::input(error.to_string());
        let summary = read_summary(path).map_err(refused)?;
        let work = read_work(path).map_err(refused)?.ok_or_else(|| nothing_counted(path))?;
        let suite = summary.suite.parse().map_err(|_| {
            Failure::input(format!("{}: `{}` is no cipher suite", path.display(), summary.suite))
        })?;
        let priced = Priced::new(&work, &profile, suite, summary.virtual_time_s)?;
        let rows = rows(&priced);
        if options.json {
            let figures =
                rows.iter().map(|(key, _, found)| ((*key).to_owned(), figures_json(*found)));
            told.push(json!({
                "run": path.display().to_string(),
                "digest": summary.digest,
                "profile": profile.name,
                "suite": suite,
                "seconds": figures.collect::<serde_json::Map<_, _>>(),
            }));
            continue;
        }
        println!(
            "{}: {}, seed {}, suite {suite}, on `{}` ({})",
            path.display(),
            summary.scenario,
            summary.seed,
            profile.name,
            profile.title
        );
        print!("{}", table(&rows));
    }
    if options.json {
        println!("{:#}", Value::from(told));
    }
    Ok(ExitCode::SUCCESS)
}

fn nothing_counted(path: &Path) -> Failure {
    Failure::input_with_help(
        format!("{}: there is no work.csv, so there is nothing to price", path.display()),
        "a run of an older version has none: run it again. Of other implementations nobody can count the work",
    )
}

/// What is told: a key, words, and the figures.
fn rows(priced: &Priced<'_>) -> [(&'static str, &'static str, Option<Figures>); 7] {
    [
        ("commit_create", "make a commit that creates the group", priced.make(true)),
        ("commit_make", "make a commit", priced.make(false)),
        ("commit_process", "process a commit", priced.process()),
        ("join", "join", priced.join()),
        ("catch_up", "catch up", priced.catch_up()),
        ("catch_up_week", "catch up after a week", priced.catch_up_after_a_week()),
        ("cpu_per_day", "a day of a client", priced.client_day()),
    ]
}

fn figures_json(figures: Option<Figures>) -> Value {
    figures.map_or(Value::Null, |found| {
        json!({
            "count": found.count,
            "mean": found.mean,
            "p50": found.p50,
            "p90": found.p90,
            "p99": found.p99,
            "max": found.max,
        })
    })
}

fn table(rows: &[(&str, &str, Option<Figures>)]) -> String {
    let width = rows.iter().map(|(_, words, _)| words.len()).max().unwrap_or(0);
    let heads = ["mean", "p50", "p90", "p99", "max"].map(|head| format!("{head:>10}")).concat();
    let mut text = format!("  {:width$}  {:>10}{heads}\n", "", "how often");
    for (_, words, found) in rows {
        let cells = match found {
            None => format!("  {:>10}", "never"),
            Some(found) => {
                let figures = [found.mean, found.p50, found.p90, found.p99, found.max];
                let figures = figures.map(|each| format!("{:>10}", seconds(each)));
                format!("  {:>10}{}", found.count, figures.concat())
            }
        };
        text += &format!("  {words:width$}{cells}\n");
    }
    text
}

/// Seconds as people say them, to three digits.
pub(super) fn seconds(value: f64) -> String {
    let (scaled, unit) = match value {
        value if value < 1e-3 => (value * 1e6, "µs"),
        value if value < 1.0 => (value * 1e3, "ms"),
        value if value < 120.0 => (value, "s"),
        value => (value / 60.0, "min"),
    };
    let digits = match scaled {
        scaled if scaled < 9.995 => 2,
        scaled if scaled < 99.95 => 1,
        _ => 0,
    };
    format!("{scaled:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_told_with_three_digits() {
        for (value, told) in [
            (0.0000123, "12.3 µs"),
            (0.0005, "500 µs"),
            (0.00123, "1.23 ms"),
            (0.9, "900 ms"),
            (1.0, "1.00 s"),
            (150.0, "2.50 min"),
        ] {
            assert_eq!(seconds(value), told);
        }
    }
}
