//! `arboretum verify` of an answer's folder: some of the sizes that were tried are run again, and must come
//! to the digests that stand in it.

use std::path::Path;
use std::process::ExitCode;

use arboretum_results::read_provenance;
use arboretum_workloads::Job;
use clap::Parser;
use serde_json::json;

use super::answer::{Answer, Tried};
use super::cells::scaled;
use super::load;
use crate::command::arguments::{Arguments, Command, VerifyOptions};
use crate::command::failure::Failure;
use crate::command::verify::{Recorded, lot, replay_all};

/// Runs a sample of the sizes again. An answer keeps no times, so that none is too long for it.
pub(crate) fn verify(options: &VerifyOptions) -> Result<ExitCode, Failure> {
    let folder = &options.path;
    let mut tried = Answer::read(folder)?.tried;
    let provenance = read_provenance(folder).map_err(|error| Failure::input(error.to_string()))?;
    let asked = Arguments::try_parse_from(&provenance.command).map(|asked| asked.command);
    let Ok(Command::Capacity(asked)) = asked else {
        let folder = folder.display();
        let what =
            format!("{folder}: the command in its provenance.json is not `arboretum capacity`");
        return Err(Failure::input_with_help(what, "ask `arboretum capacity` again"));
    };
    let scenario = load(&asked)?;
    tried.sort_by_cached_key(|row| lot(&row.digest));
    tried.truncate(options.cells);
    if tried.is_empty() {
        let what = format!("{}: no size is to be run again", folder.display());
        return Err(Failure::input_with_help(what, "give more to --cells"));
    }
    let recorded = tried.into_iter().map(|Tried { seed, members, digest, .. }| Recorded {
        place: format!("{members} members seed {seed}"),
        at: json!({ "members": members, "seed": seed }),
        job: Job::Scenario(scaled(&scenario, members, seed).into()),
        digest,
    });
    let aside = Path::new("runs").join(format!("verify-capacity-{}", scenario.name));
    replay_all(options, recorded.collect(), &aside)
}
