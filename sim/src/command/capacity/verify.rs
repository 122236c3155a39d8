//! `arboretum verify` of an answer's folder: some of the sizes that were tried are run again, and must come
//! to the digests that stand in it.

use std::path::Path;
use std::process::ExitCode;

use arboretum_workloads::{Job, Scenario};
use serde_json::json;

use super::SCENARIO;
use super::answer::{Answer, Tried};
use super::cells::scaled;
use crate::command::arguments::VerifyOptions;
use crate::command::failure::Failure;
use crate::command::verify::{Recorded, lot, replay_all};

/// Runs a sample of the sizes again. An answer keeps no times, so that none is too long for it.
pub(crate) fn verify(options: &VerifyOptions) -> Result<ExitCode, Failure> {
    let folder = &options.path;
    let mut tried = Answer::read(folder)?.tried;
    let scenario = Scenario::load(&folder.join(SCENARIO), &[])
        .map_err(|error| Failure::Scenario(Box::new(error)))?;
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
