//! A study as a Slurm job array: submitted by `sbatch`, watched by `squeue`, collected from the folder
//! that all nodes share. The queue and its resources are the cluster's own affair.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::manifest::Manifest;
use super::plan::Plan;
use crate::command::failure::Failure;
use crate::command::threads::stop_on_interrupt;

/// The most tasks of an array: what Slurm allows unless its administrator says otherwise
/// (`MaxArraySize`). More cells make more cells a task.
const MAX_TASKS: usize = 1_000;

/// How often in a row the queue may not answer.
const MAX_FAILURES: u32 = 30;

/// How often the queue is looked at.
const POLL: Duration = Duration::from_secs(2);

/// How a study is submitted.
pub(super) struct Submission<'s> {
    /// Cells of a task, at least.
    pub(super) chunk: usize,
    /// What else `sbatch` is told.
    pub(super) options: &'s [String],
}

/// Submits the tasks that have a cell without a result. Gives the job; none if all are there.
pub(super) fn submit(plan: &Plan, submission: &Submission<'_>) -> Result<Option<String>, Failure> {
    let logs = plan.folder.join("slurm");
    fs::create_dir_all(&logs)
        .map_err(|error| Failure::run(format!("cannot write {}: {error}", logs.display())))?;
    let chunk = submission.chunk.max(plan.jobs().len().div_ceil(MAX_TASKS)).max(1);
    if let Some(job) = submitted(&plan.folder).filter(|job| is_queued(job).unwrap_or(false)) {
        return Err(Failure::input_with_help(
            format!("job {job} of this study has not ended"),
            "wait for it and collect it: --resume; or cancel it: scancel",
        ));
    }
    let manifest = Manifest::of(plan, chunk);
    manifest.write(&plan.folder)?;
    let tasks = manifest.tasks_of(&plan.missing());
    if tasks.is_empty() {
        return Ok(None);
    }
    let program = std::env::current_exe().map_err(|error| Failure::run(error.to_string()))?;
    let script = format!(
        "exec {} cell {} $SLURM_ARRAY_TASK_ID --threads ${{SLURM_CPUS_PER_TASK:-1}}",
        quoted(&program),
        quoted(&absolute(&Manifest::path(&plan.folder))?)
    );
    let told = ask(Command::new("sbatch")
        .arg("--parsable")
        .arg(format!("--job-name=arboretum-{}", plan.study.name))
        .arg(format!("--array={}", ranges(&tasks)))
        .arg(format!("--output={}/%A_%a.log", absolute(&logs)?.display()))
        .args(submission.options)
        .arg(format!("--wrap={script}")))?;
    let job = told.trim().to_owned();
    fs::write(job_file(&plan.folder), format!("{job}\n"))
        .map_err(|error| Failure::run(format!("job {job} was submitted, but {error}")))?;
    Ok(Some(job))
}

fn job_file(folder: &Path) -> PathBuf {
    folder.join("slurm").join("job")
}

/// The job that was submitted last for a study's folder.
pub(super) fn submitted(folder: &Path) -> Option<String> {
    let job = fs::read_to_string(job_file(folder)).ok()?;
    Some(job.trim().to_owned()).filter(|job| !job.is_empty())
}

/// Waits until a job has left the queue; false if somebody does not want to wait any more.
pub(super) fn wait(job: &str) -> Result<bool, Failure> {
    let stop = stop_on_interrupt();
    let mut failures = 0;
    loop {
        match is_queued(job) {
            Ok(false) => return Ok(true),
            Ok(true) => failures = 0,
            // The controller may be away for a moment.
            Err(_) if failures < MAX_FAILURES => failures += 1,
            Err(failure) => return Err(failure),
        }
        if stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
        std::thread::sleep(POLL);
    }
}

/// Whether some task of a job waits or runs. A job that is long over is not known any more.
fn is_queued(job: &str) -> Result<bool, Failure> {
    let mut command = Command::new("squeue");
    // With several clusters the name of one stands behind the number.
    let (number, cluster) =
        job.split_once(';').map_or((job, None), |(job, name)| (job, Some(name)));
    command.args(["--noheader", "--format=%i", "--jobs", number]);
    command.args(cluster.map(|cluster| format!("--clusters={cluster}")));
    let output = command.output();
    let output = output.map_err(|error| cannot("squeue", &error))?;
    if output.status.success() {
        return Ok(!output.stdout.trim_ascii().is_empty());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    if told.contains("Invalid job id") {
        return Ok(false);
    }
    Err(Failure::run(format!("squeue: {}", told.trim())))
}

fn ask(command: &mut Command) -> Result<String, Failure> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| cannot(&name, &error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    Err(Failure::run(format!("{name}: {}", told.trim())))
}

fn cannot(name: &str, error: &std::io::Error) -> Failure {
    Failure::input_with_help(
        format!("cannot run {name}: {error}"),
        "is this a machine that submits to Slurm? Without it: --executor local",
    )
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::run(error.to_string()))
}

/// A path as one word of a shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

/// Numbers as `sbatch` takes them: `0-3,7`.
fn ranges(numbers: &[usize]) -> String {
    let mut runs: Vec<(usize, usize)> = vec![];
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => runs.push((*number, *number)),
        }
    }
    let words = runs.iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    words.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_in_ranges() {
        for (numbers, told) in
            [(&[0, 1, 2, 3][..], "0-3"), (&[4], "4"), (&[0, 2, 3, 9], "0,2-3,9"), (&[], "")]
        {
            assert_eq!(ranges(numbers), told);
        }
    }

    #[test]
    fn a_path_is_one_word_of_a_shell() {
        assert_eq!(quoted(Path::new("/a b/it's $x")), r"'/a b/it'\''s $x'");
    }
}
