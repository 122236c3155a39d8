//! What a report says of an answer's folder.

use std::path::Path;

use arboretum_results::{CapacitySection, CapacitySeed, read_provenance};

use super::answer::{Answer, Limit, OfSeed, broken, told};
use super::figure;
use crate::command::failure::Failure;

/// Reads an answer's folder.
pub(crate) fn section(folder: &Path) -> Result<CapacitySection, Failure> {
    let answer = Answer::read(folder)?;
    let provenance = read_provenance(folder).map_err(|error| Failure::input(error.to_string()))?;
    let budget =
        |Limit { name, what, limit }: &Limit| [name.clone(), told(name, *limit), what.clone()];
    let seed = |OfSeed { seed, largest, fails, binds }: &OfSeed| CapacitySeed {
        seed: *seed,
        largest: *largest,
        fails: *fails,
        breaks: broken(binds),
    };
    Ok(CapacitySection {
        contestant: format!("{} {}", answer.protocol, answer.strategy),
        largest: answer.largest,
        budgets: answer.budgets.iter().map(budget).collect(),
        seeds: answer.seeds.iter().map(seed).collect(),
        figure: figure::figure(&answer),
        tables: figure::shares(&answer),
        provenance,
        scenario: answer.scenario,
        profile: answer.profile,
        profile_title: answer.profile_title,
        profile_source: answer.profile_source,
        binds: answer.binds,
        grows: answer.grows,
    })
}
