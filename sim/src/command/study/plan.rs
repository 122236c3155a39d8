//! Which cells a study has, where each is kept, and what each runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arboretum_results::CellRow;
use arboretum_workloads::{Cell, Filter, Job, Study};
use serde_json::Value;

use super::address::address;
use super::cell;
use crate::command::failure::Failure;
use crate::command::host;

/// A study, as far as a filter leaves it, in its folder.
pub(super) struct Plan {
    pub(super) study: Study,
    pub(super) folder: PathBuf,
    /// Which part of the study it is.
    pub(super) filter: Filter,
    cells: Vec<Cell>,
    /// One a cell: cells that run the same have the same.
    addresses: Vec<String>,
}

impl Plan {
    /// Refuses a cell that cannot run, before any does.
    pub(super) fn new(study: Study, filter: &Filter, folder: PathBuf) -> Result<Self, Failure> {
        let refused = |error| Failure::Scenario(Box::new(error));
        let mut cells = study.cells(&study.name, filter).map_err(refused)?;
        cells.iter_mut().try_for_each(|cell| cell::check(&mut cell.job))?;
        let addresses = cells.iter().map(|cell| address(&cell.job, &cell.job.to_toml()));
        let addresses = addresses.collect::<Result<Vec<_>, _>>();
        let addresses = addresses.map_err(|error| {
            Failure::input(format!("workload.trace: the file cannot be read: {error}"))
        })?;
        Ok(Self { study, folder, filter: filter.clone(), cells, addresses })
    }

    /// What is to be run, in the order of addresses: each once.
    pub(super) fn jobs(&self) -> BTreeMap<&str, &Job> {
        let jobs = self.cells.iter().map(|cell| &cell.job);
        self.addresses.iter().map(String::as_str).zip(jobs).collect()
    }

    /// What the cells of addresses are called: the first point of each, and its seed.
    pub(super) fn names(&self) -> BTreeMap<&str, String> {
        let axes = || self.study.axes.iter().map(|axis| &axis.name);
        let name = |cell: &Cell| {
            let place = axes().zip(&cell.point).map(|(axis, value)| format!("{axis}={value}"));
            place.chain([format!("seed {}", cell.seed)]).collect::<Vec<_>>().join("  ")
        };
        let cells = self.addresses.iter().map(String::as_str).zip(&self.cells);
        cells.rev().map(|(address, cell)| (address, name(cell))).collect()
    }

    /// What the cell at a point runs, with a seed.
    pub(super) fn job(&self, point: &[String], seed: u64) -> Option<&Job> {
        let cell = self.cells.iter().find(|cell| cell.point == point && cell.seed == seed);
        cell.map(|cell| &cell.job)
    }

    /// Where the cell of an address is kept.
    pub(super) fn cell_folder(&self, address: &str) -> PathBuf {
        self.cells_folder().join(address)
    }

    fn cells_folder(&self) -> PathBuf {
        self.folder.join("cells")
    }

    /// Which jobs have no result yet, by their places among all.
    pub(super) fn missing(&self) -> Vec<usize> {
        let jobs = self.jobs();
        let places = jobs.keys().enumerate();
        let lacks = |address: &str| cell::read(&self.cell_folder(address)).is_none();
        places.filter(|(_, address)| lacks(address)).map(|(place, _)| place).collect()
    }

    /// The row of every cell, by the summaries of their addresses; none if one is lacking.
    pub(super) fn rows(&self, summaries: &BTreeMap<&str, Value>) -> Option<Vec<CellRow>> {
        let row = |(cell, address): (&Cell, &String)| {
            let summary = summaries.get(address.as_str())?;
            let digest = summary["digest"].as_str().unwrap_or_default();
            Some(CellRow::new(cell.point.clone(), cell.seed, digest, summary))
        };
        self.cells.iter().zip(&self.addresses).map(row).collect()
    }

    /// Removes what processes that were killed have left half written.
    pub(super) fn clear_up(&self) {
        let entries = std::fs::read_dir(self.cells_folder()).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            let end = path.extension().and_then(|end| end.to_str()?.strip_prefix("partial-"));
            // What another machine writes is that machine's.
            let process = end.and_then(|end| end.strip_suffix(&format!("-{}", host::name())));
            let is_alive = |process: &str| Path::new("/proc").join(process).exists();
            if process.is_some_and(|process| !is_alive(process)) {
                // What cannot be removed is in nobody's way.
                let _ = std::fs::remove_dir_all(path);
            }
        }
    }
}
