//! `arboretum capacity`: how large a group may grow before a client's budget of time, traffic or memory is
//! spent, under a workload, a strategy and a device profile.
//!
//! | file | what it owns |
//! |---|---|
//! | this one | the command: what is asked, a search for each seed |
//! | `budget` | what is measured, and the most it may be |
//! | `cells` | the scenario at some size, and what its run came to |
//! | `search` | doubling, then bisection |
//! | `answer` | files and words |
//! | `figure` | its tables, and its plot |
//! | `section` | what a report says of it |
//! | `verify` | some of its sizes once more |

mod answer;
mod budget;
mod cells;
mod figure;
mod search;
mod section;
pub(super) mod verify;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use arboretum_results::{CapacityInterval, Provenance, StudyTables, write_whole};
use arboretum_workloads::{Fidelity, MAX_MEMBERS, Profile, Scenario};
use sha2::{Digest, Sha256};

use self::answer::{Answer, Limit, OfSeed, Tried, binding, interval, told};
use self::budget::{Budget, Measure};
use self::cells::Counts;
pub(crate) use self::section::section;
use super::arguments::CapacityOptions;
use super::failure::Failure;
use super::host;
use super::pricing::{self, Priced, WEEK_S};
use super::protocols::is_peer;
use super::run::INTERRUPTED;
use super::scenario;
use super::threads::side_by_side;

/// Protocols whose members keep a channel for each other member beside what the model of memory counts.
const CHANNELS: &[&str] = &["pairwise", "sender-keys"];

/// The scenario as it was asked of, in an answer's folder: each size that was tried is made from it.
const SCENARIO: &str = "scenario.toml";

/// What is asked.
struct Question {
    scenario: Scenario,
    profile: Profile,
    budgets: Vec<Budget>,
    limits: Vec<Limit>,
    /// Whether the scenario is long enough for somebody to be away for a week.
    week: bool,
    most: u32,
    folder: PathBuf,
}

/// Searches, and writes the answer's folder.
pub(crate) fn run(options: &CapacityOptions) -> Result<ExitCode, Failure> {
    let started = host::unix_time();
    let question = question(options)?;
    let cells = question.folder.join("cells");
    std::fs::create_dir_all(&cells)
        .map_err(|error| Failure::input(format!("cannot write {}: {error}", cells.display())))?;
    let Some((seeds, tried)) = search_all(options, &question)? else {
        let folder = question.folder.display();
        eprintln!("arboretum: interrupted; the finished cells are in {folder}");
        return Ok(ExitCode::from(INTERRUPTED));
    };
    let Question { scenario, budgets, limits, folder, .. } = &question;
    for (at, budget) in budgets.iter().enumerate() {
        if tried.iter().all(|row| row.values[at].is_none()) {
            return Err(budget.measure.never());
        }
    }
    let grows = cells::grows(scenario).into_iter().map(str::to_owned);
    let answer = Answer {
        scenario: scenario.name.clone(),
        protocol: scenario.group.protocol.clone(),
        strategy: scenario.group.strategy.clone(),
        profile: question.profile.name.clone(),
        profile_title: question.profile.title.clone(),
        profile_source: question.profile.source.trim().to_owned(),
        grows: grows.collect(),
        budgets: limits.clone(),
        largest: interval(&seeds),
        binds: binding(&seeds, limits),
        seeds,
        tried,
    };
    answer.write(folder)?;
    write_whole(&folder.join(SCENARIO), &scenario.to_toml())
        .map_err(|error| Failure::run(error.to_string()))?;
    write_provenance(options, &answer, folder, started)?;
    tell(options, &answer, folder)
}

fn question(options: &CapacityOptions) -> Result<Question, Failure> {
    let budgets = budget::parse(&options.budget)?;
    let profile = pricing::load(&options.profile)?;
    let scenario = load(options)?;
    let most = options.most;
    if !(search::SMALLEST..=MAX_MEMBERS).contains(&most) {
        let what = format!(
            "--most {most}: a group has from {} to {MAX_MEMBERS} members",
            search::SMALLEST
        );
        return Err(Failure::input(what));
    }
    let protocol = &scenario.group.protocol;
    let has = |measure| budgets.iter().any(|budget| budget.measure == measure);
    if has(Measure::Memory) && CHANNELS.contains(&protocol.as_str()) {
        return Err(Failure::input_with_help(
            format!(
                "--budget memory: a member of `{protocol}` keeps a channel for each other, which the model does not count"
            ),
            "leave this budget out",
        ));
    }
    let week = scenario.duration.0 >= WEEK_S * 1_000;
    let folder = options.out.clone();
    let folder =
        folder.unwrap_or_else(|| Path::new("runs").join(format!("capacity-{}", scenario.name)));
    check_folder(&folder)?;
    let limits = budgets.iter().map(|budget| Limit::of(budget, week)).collect();
    Ok(Question { scenario, profile, budgets, limits, week, most, folder })
}

/// The workload. Its own size is what its rates for the group are for.
fn load(options: &CapacityOptions) -> Result<Scenario, Failure> {
    let mut overrides = options.set.clone();
    let text = |value: &Option<String>| value.as_ref().map(|value| format!("{value:?}"));
    for (key, value) in [
        ("group.protocol", text(&options.protocol)),
        ("group.strategy", text(&options.strategy)),
        ("group.fidelity", Some(format!("{:?}", Fidelity::from(options.fidelity).name()))),
        ("group.audit", Some("0".into())),
    ] {
        overrides.extend(value.map(|value| format!("{key}={value}")));
    }
    let scenario = scenario::resolve(&options.scenario, &overrides, false)?;
    if scenario.workload.trace.is_some() {
        return Err(Failure::input_with_help(
            "workload.trace: a trace has its people, and no other number of them",
            "take a scenario whose people are drawn: `arboretum list scenarios`",
        ));
    }
    if is_peer(&scenario.group.protocol) {
        return Err(Failure::input_with_help(
            format!("group.protocol: nobody can count inside `{}`", scenario.group.protocol),
            "take treekem, which does the same by RFC 9420",
        ));
    }
    Ok(scenario)
}

/// A folder that an answer may be written into: one of its kind, an empty one, or none yet.
fn check_folder(folder: &Path) -> Result<(), Failure> {
    let refuse = |what: &str| {
        let what = format!("{} {what}", folder.display());
        Err(Failure::input_with_help(what, "give another one: --out DIR"))
    };
    let Ok(entries) = std::fs::read_dir(folder) else {
        return match std::fs::symlink_metadata(folder) {
            Ok(_) => refuse("is no folder"),
            Err(_) => Ok(()),
        };
    };
    let mut names = entries.flatten().map(|entry| entry.file_name());
    let is_own = folder.join(answer::FILE).is_file() || names.all(|name| name == "cells");
    if is_own { Ok(()) } else { refuse("is a folder of something else") }
}

/// The answer of each seed, and every size that was tried for it.
type Searched = (Vec<OfSeed>, Vec<Tried>);

/// A search for each seed, side by side; none if somebody has stopped them.
fn search_all(options: &CapacityOptions, question: &Question) -> Result<Option<Searched>, Failure> {
    let first = question.scenario.seed;
    let seeds: Vec<u64> = (0..u64::from(options.seeds)).map(|seed| first + seed).collect();
    let done = side_by_side(&options.common, &seeds, |seed, should_stop| {
        search_one(question, *seed, options.common.quiet, should_stop)
    })?;
    let Some(done) = done else { return Ok(None) };
    let (mut answers, rows): (Vec<_>, Vec<_>) = done.into_iter().unzip();
    let mut tried: Vec<Tried> = rows.into_iter().flatten().collect();
    answers.sort_by_key(|answer| answer.seed);
    tried.sort_by_key(|row| (row.seed, row.members));
    Ok(Some((answers, tried)))
}

/// The search with one seed.
fn search_one(
    question: &Question,
    seed: u64,
    quiet: bool,
    should_stop: &dyn Fn() -> bool,
) -> Result<Option<(OfSeed, Vec<Tried>)>, Failure> {
    let mut tried: Vec<Tried> = vec![];
    let cells = question.folder.join("cells");
    let found = search::largest(question.most, |members| {
        let scenario = cells::scaled(&question.scenario, members, seed);
        let Some(counts) = cells::counts(&scenario, &cells, should_stop)? else { return Ok(None) };
        let row = price(question, &counts, seed, members)?;
        let holds = row.holds(&question.limits);
        if !quiet {
            let verdict = if holds { "holds" } else { "does not hold" };
            eprintln!("arboretum: seed {seed}, {members} members: {verdict}");
        }
        tried.push(row);
        Ok(Some(holds))
    })?;
    Ok(found.map(|found| (OfSeed::new(seed, found, &tried, &question.limits), tried)))
}

fn price(question: &Question, counts: &Counts, seed: u64, members: u32) -> Result<Tried, Failure> {
    let Counts { summary, work } = counts;
    let suite = question.scenario.group.suite;
    let priced = Priced::new(work, &question.profile, suite, summary.virtual_time_s)?;
    let value = |budget: &Budget| budget.measure.value(summary, &priced, question.week);
    Ok(Tried {
        seed,
        members,
        commits: summary.commits.accepted,
        digest: summary.digest.clone(),
        values: question.budgets.iter().map(value).collect(),
    })
}

/// What is needed to run it again, and where it ran. The digest is over those of the runs.
fn write_provenance(
    options: &CapacityOptions,
    answer: &Answer,
    folder: &Path,
    started: u64,
) -> Result<(), Failure> {
    let mut digest = Sha256::new();
    answer.tried.iter().for_each(|row| digest.update(&row.digest));
    let provenance = Provenance {
        version: env!("CARGO_PKG_VERSION").into(),
        git_commit: option_env!("ARBORETUM_GIT_COMMIT").map(Into::into),
        seed: answer.seeds.first().map_or(1, |seed| seed.seed),
        scenario_source: options.scenario.clone(),
        command: std::env::args().collect(),
        machine: host::machine(),
        digest: hex::encode(digest.finalize()),
        started,
    };
    provenance.write(folder).map_err(|error| Failure::run(error.to_string()))
}

fn tell(options: &CapacityOptions, answer: &Answer, folder: &Path) -> Result<ExitCode, Failure> {
    if options.json {
        let text = serde_json::to_string_pretty(answer);
        println!("{}", text.map_err(|error| Failure::run(error.to_string()))?);
    } else if !options.common.quiet {
        print!("{}", answer.words());
        println!("{}", folder.display());
    }
    if answer.largest.is_some() {
        return Ok(ExitCode::SUCCESS);
    }
    // Some seed has no group at all.
    let without = answer.seeds.iter().find(|seed| seed.largest.is_none());
    let broken = without.and_then(|seed| seed.binds.first());
    let smallest = answer.tried.iter().map(|row| row.members).min();
    let (name, share) = broken.map_or(("", 1.0), |(name, share)| (&name[..], *share));
    let limit = answer.budgets.iter().find(|budget| budget.name == name);
    let limit = limit.map_or(0.0, |budget| budget.limit);
    let fails = without.and_then(|seed| seed.fails).unwrap_or(search::SMALLEST);
    // In smaller groups nothing of the kind may have happened at all.
    let why = match smallest == Some(fails) {
        true => "no group is small enough",
        false => "no smaller group shows it",
    };
    Err(Failure::input_with_help(
        format!(
            "{why}: {fails} members take {} of {name}, and the budget is {}",
            told(name, share * limit),
            told(name, limit)
        ),
        format!("give a larger --budget {name}, or a faster --profile"),
    ))
}

/// Redraws the figure of an answer's folder.
pub(crate) fn plot(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    figure::plot(&Answer::read(folder)?, folder)
}

/// The numbers of an answer's folder for a page: what is measured of each budget, by members, and the
/// largest group, if there is one with every seed.
pub(crate) fn numbers(folder: &Path) -> Result<(StudyTables, Option<CapacityInterval>), Failure> {
    let answer = Answer::read(folder)?;
    Ok((figure::values(&answer), answer.largest))
}

/// Whether a folder is an answer's.
pub(crate) fn is_one(folder: &Path) -> bool {
    folder.join(answer::FILE).is_file()
}
