//! The folder of a study: whether one is, which study's it is, which part of it it has, and its tables.

use std::path::Path;

use arboretum_results::{Provenance, ResultsError, StudyTables, read_aggregate, read_cells};
use arboretum_workloads::{Filter, Study, find_study};
use clap::Parser;

use super::manifest::Manifest;
use super::{axes, refused};
use crate::command::arguments::{Arguments, Command};
use crate::command::failure::Failure;

/// Whether a folder is a study's.
pub(crate) fn is_one(folder: &Path) -> bool {
    ["study.toml", "cells.csv", "aggregate.csv"].iter().any(|name| folder.join(name).is_file())
}

/// What a folder is called, by whatever path; empty if it is not there.
pub(crate) fn name_of(folder: &Path) -> String {
    let path = folder.canonicalize().unwrap_or_default();
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The study of a folder and its tables: its cells, or means alone.
pub(crate) fn read(folder: &Path) -> Result<(Study, StudyTables), Failure> {
    let study = definition(folder)?;
    let tables = tables(&study, folder).map_err(|error| Failure::input(error.to_string()))?;
    Ok((study, tables))
}

/// The definition that a folder has or, without one, of the shipped study that it is called like.
pub(super) fn definition(folder: &Path) -> Result<Study, Failure> {
    let file = folder.join("study.toml");
    if file.is_file() {
        return Study::load(&file).map_err(refused);
    }
    match find_study(&name_of(folder)) {
        Ok(shipped) => Study::parse(shipped.name, shipped.text).map_err(refused),
        Err(_) => {
            let what = format!("{} has no study.toml", folder.display());
            let help =
                "a folder without one is called like a shipped study (`arboretum list studies`)";
            Err(Failure::input_with_help(what, help))
        }
    }
}

/// The cells with their means, or the means alone.
fn tables(study: &Study, folder: &Path) -> Result<StudyTables, ResultsError> {
    let axes = axes(study);
    if folder.join("cells.csv").exists() {
        let cells = read_cells(folder, axes.len())?;
        return Ok(StudyTables::new(axes, cells));
    }
    let means = read_aggregate(folder, &axes)?;
    Ok(StudyTables::of_means(axes, means))
}

/// Which part of its study a folder has: that of its manifest, if tasks have run it, or what the command
/// line has asked for; the whole, if that cannot be read.
pub(super) fn filter_of(folder: &Path, provenance: &Provenance) -> Filter {
    if let Some(filter) = Manifest::filter_in(folder) {
        return filter;
    }
    match Arguments::try_parse_from(&provenance.command).map(|arguments| arguments.command) {
        Ok(Command::Study(options)) => options.filter(),
        _ => Filter::default(),
    }
}
