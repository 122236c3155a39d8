//! `arboretum plot`: the plots again, from the tables alone.

use std::path::PathBuf;
use std::process::ExitCode;

use super::failure::Failure;
use super::{experiment, study};

/// Redraws the plots of each folder.
pub(crate) fn plot(paths: &[PathBuf]) -> Result<ExitCode, Failure> {
    for path in paths {
        let drawn = if study::is_one(path) {
            study::plot(path)?
        } else if super::capacity::is_one(path) {
            super::capacity::plot(path)?
        } else {
            experiment::has_tables(path)?;
            arboretum_results::plot_folder(path)
                .map_err(|error| Failure::input(error.to_string()))?
        };
        for file in drawn {
            println!("{}", file.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}
