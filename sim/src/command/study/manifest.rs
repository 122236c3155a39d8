//! The manifest of a study that is run in tasks, and `arboretum cell`, which does one task: so many cells.
//! A task depends on nothing but the manifest, its number, and the trace if the study has one, so that any array of jobs serves: Slurm's,
//! indexed jobs of Kubernetes, arrays of AWS Batch (docs/clusters.md).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use arboretum_results::write_whole_json;
use arboretum_workloads::{Filter, MAX_CELLS, Study};
use serde::{Deserialize, Serialize};

use super::local;
use super::plan::Plan;
use super::{address, refused};
use crate::command::arguments::CellOptions;
use crate::command::failure::Failure;
use crate::command::run::INTERRUPTED;

/// The version of the layout below.
const SCHEMA: u32 = 1;

/// The most bytes of a manifest: a study's text, many times over.
const MAX_BYTES: u64 = 16 << 20;

/// What a task has to know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    schema: u32,
    /// The study's text.
    study: String,
    /// Which of its cells.
    filter: Filter,
    /// Cells of a task.
    chunk: usize,
    /// How many tasks there are.
    pub(super) tasks: usize,
    /// The digest of the program's sources: others would give its cells other addresses.
    program: String,
}

impl Manifest {
    /// The manifest of a plan, with so many cells a task.
    pub(super) fn of(plan: &Plan, chunk: usize) -> Self {
        Self {
            schema: SCHEMA,
            study: plan.study.to_toml(),
            filter: plan.filter.clone(),
            chunk,
            tasks: plan.jobs().len().div_ceil(chunk),
            program: address::SOURCES.to_owned(),
        }
    }

    /// Where a study's manifest is.
    pub(super) fn path(folder: &Path) -> PathBuf {
        folder.join("manifest.json")
    }

    /// Writes it, whole or not at all.
    pub(super) fn write(&self, folder: &Path) -> Result<(), Failure> {
        let path = Self::path(folder);
        // So that the folder is known for a study's.
        let cells = folder.join("cells");
        fs::create_dir_all(&cells)
            .map_err(|error| Failure::run(format!("cannot write {}: {error}", cells.display())))?;
        write_whole_json(&path, self).map_err(|error| Failure::run(error.to_string()))
    }

    /// That of a folder whose tasks are to be collected.
    pub(super) fn submitted(folder: &Path) -> Result<Self, Failure> {
        let path = Self::path(folder);
        if path.exists() {
            return Self::read(&path);
        }
        let shown = folder.display();
        Err(if folder.is_dir() {
            Failure::input_with_help(
                format!("{shown} has no manifest.json, so nothing of it was submitted"),
                "without --resume they run on this machine; --executor slurm or --manifest makes tasks of them",
            )
        } else {
            Failure::input_with_help(
                format!("there is no folder {shown}, so nothing to collect"),
                "give the one that --executor slurm or --manifest has written: --out DIR",
            )
        })
    }

    /// Reads one that was written by this program.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let refused = |what: String| Failure::input(format!("{}: {what}", path.display()));
        let length = fs::metadata(path).map_err(|error| refused(error.to_string()))?.len();
        if length > MAX_BYTES {
            return Err(refused(format!("a manifest has at most {MAX_BYTES} bytes, not {length}")));
        }
        let text = fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
        let manifest: Self = serde_json::from_str(&text)
            .map_err(|error| refused(format!("no manifest: {error}")))?;
        if manifest.schema != SCHEMA {
            return Err(refused("a manifest of another version".into()));
        }
        if !(1..=MAX_CELLS).contains(&manifest.chunk) {
            return Err(refused(format!("a task has 1 to {MAX_CELLS} cells")));
        }
        if manifest.program != address::SOURCES {
            return Err(Failure::input_with_help(
                format!("{}: arboretum of other sources has written this", path.display()),
                "submit the study anew with this one: it finds cells of its own sources only",
            ));
        }
        Ok(manifest)
    }

    /// What part of its study the folder of a manifest has, whoever has written it.
    pub(super) fn filter_in(folder: &Path) -> Option<Filter> {
        let text = fs::read_to_string(Self::path(folder)).ok()?;
        serde_json::from_str::<Self>(&text).ok().map(|manifest| manifest.filter)
    }

    /// The plan that it is the manifest of, in its folder.
    pub(super) fn plan(&self, folder: &Path) -> Result<Plan, Failure> {
        let study = Study::parse("manifest.json", &self.study).map_err(refused)?;
        Plan::new(study, &self.filter, folder.to_path_buf())
    }

    /// The tasks that have a cell among these, by the cells' places.
    pub(super) fn tasks_of(&self, places: &[usize]) -> Vec<usize> {
        let mut tasks: Vec<_> = places.iter().map(|place| place / self.chunk).collect();
        tasks.dedup();
        tasks
    }
}

/// `arboretum cell MANIFEST INDEX`: does one task. What is there already is not done again.
pub(crate) fn run_task(options: &CellOptions) -> Result<ExitCode, Failure> {
    let manifest = Manifest::read(&options.manifest)?;
    let (index, tasks) = (options.index, manifest.tasks);
    if index >= tasks {
        let what = format!("{}: there is no task {index}", options.manifest.display());
        return Err(Failure::input_with_help(what, format!("tasks are 0 to {}", tasks.max(1) - 1)));
    }
    let folder = options.manifest.parent().unwrap_or(Path::new("."));
    let plan = manifest.plan(folder)?;
    let jobs = plan.jobs().into_iter().skip(index * manifest.chunk).take(manifest.chunk);
    let jobs: BTreeMap<_, _> = jobs.collect();
    let Some(summaries) = local::run_jobs(&plan, &jobs, &options.common)? else {
        return Ok(ExitCode::from(INTERRUPTED));
    };
    if !options.common.quiet {
        for (address, summary) in summaries {
            println!("{address} {}", summary["digest"].as_str().unwrap_or_default());
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_named_once() {
        let manifest = Manifest {
            schema: SCHEMA,
            study: String::new(),
            filter: Filter::default(),
            chunk: 3,
            tasks: 4,
            program: String::new(),
        };
        assert_eq!(manifest.tasks_of(&[0, 2, 3, 9, 10]), [0, 1, 3]);
        assert!(manifest.tasks_of(&[]).is_empty());
    }
}
