//! `arboretum verify` of an answer's folder: some of the sizes that were tried are run again, and must come
//! to the digests that stand in it.

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use arboretum_results::read_provenance;
use arboretum_workloads::Job;
use clap::Parser;
use serde_json::json;

use super::answer::Answer;
use super::cells::scaled;
use super::load;
use crate::command::arguments::{Arguments, Command, VerifyOptions};
use crate::command::failure::Failure;
use crate::command::run::INTERRUPTED;
use crate::command::study::{address, cell};
use crate::command::threads::stop_on_interrupt;
use crate::command::verify::{Replayed, tell};

/// Runs a sample of the sizes again. An answer keeps no times, so that none is too long for it.
pub(crate) fn verify(options: &VerifyOptions) -> Result<ExitCode, Failure> {
    let folder = &options.path;
    let mut tried = Answer::read(folder)?.tried;
    let provenance = read_provenance(folder).map_err(|error| Failure::input(error.to_string()))?;
    let asked = Arguments::try_parse_from(&provenance.command).map(|asked| asked.command);
    let Ok(Command::Capacity(asked)) = asked else {
        let what = format!("{}: its provenance.json is of no capacity", folder.display());
        return Err(Failure::input_with_help(what, "ask `arboretum capacity` again"));
    };
    let scenario = load(&asked)?;
    let stop = stop_on_interrupt();
    let should_stop = || stop.load(Ordering::Relaxed);
    let aside = Path::new("runs").join(format!("verify-capacity-{}", scenario.name));
    tried.sort_by_cached_key(|row| address::lot(&row.digest));
    let mut again = vec![];
    for row in tried.into_iter().take(options.cells) {
        let job = Job::Scenario(scaled(&scenario, row.members, row.seed).into());
        let Some(summary) = cell::play(&job, &aside, &should_stop)? else {
            return Ok(ExitCode::from(INTERRUPTED));
        };
        again.push(Replayed {
            place: format!("{} members seed {}", row.members, row.seed),
            at: json!({ "members": row.members, "seed": row.seed }),
            again: summary["digest"].as_str().unwrap_or_default().to_owned(),
            recorded: row.digest,
        });
    }
    tell(options, &again)
}
