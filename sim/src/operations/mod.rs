//! Experiments given as sequences of operations, played on groups in counts.
//!
//! | file | what it owns |
//! |---|---|
//! | this one | an experiment from its first operation to its summary |
//! | `absent` | members who have fallen silent, and what is done about them |
//! | `contestant` | which protocol an experiment's strategy names, and what it does with an operation |
//! | `key_ages` | for how long members have had their own keys |

mod absent;
mod contestant;
mod key_ages;

use arboretum_engine::counted::CountedError;
use arboretum_results::{
    ExperimentFacts, ExperimentRecorder, ExperimentSummary, Host, Members, OperationRow,
};
use arboretum_workloads::{Experiment, OperationKind, RootSeed, Sequence};

use absent::Absent;
pub use absent::SHARES;
pub use contestant::{Contestant, ContestantError, PRESETS};
use key_ages::KeyAges;

/// How often somebody is asked whether to stop, and told how far it is.
const ASK_EVERY: u64 = 1 << 12;

/// Why an experiment could not be played.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExperimentError {
    /// Its protocol.
    #[error(transparent)]
    Contestant(#[from] ContestantError),
    /// An operation.
    #[error(transparent)]
    Operation(#[from] CountedError),
}

/// Plays an experiment; none if it was stopped. `tell` hears how much of it is done, of 1. The host's side of
/// the summary is left empty.
pub fn play(
    experiment: &Experiment,
    should_stop: &dyn Fn() -> bool,
    tell: &dyn Fn(f64),
) -> Result<Option<ExperimentSummary>, ExperimentError> {
    let sizes = Contestant::sizes(experiment)?;
    let mut group = Contestant::of(experiment)?.group(experiment.group.members, sizes)?;
    let mut sequence = Sequence::new(experiment);
    let absences = experiment.operations.absence.is_some();
    let holders = RootSeed::from_u64(experiment.seed).stream("holders", 0, 0);
    let (policy, members) = (experiment.group.inactive, experiment.group.members);
    let mut absent = absences.then(|| Absent::new(policy, members, holders));
    // Of the silent, `absence` says who is exposed.
    let mut key_ages = (!absences).then(|| KeyAges::new(members));
    let mut recorder = ExperimentRecorder::default();
    let mut start = None;
    let (mut done, all) = (0_u64, experiment.length());
    loop {
        let before = sequence.members();
        let Some(operation) = sequence.next() else { break };
        if done.is_multiple_of(ASK_EVERY) {
            if should_stop() {
                return Ok(None);
            }
            tell(done as f64 / all as f64);
        }
        done += 1;
        let absence = match &mut absent {
            Some(absent) => Some(group.absence(absent, &operation)?),
            None => None,
        };
        let (mut cost, committed) = group.apply(&operation, experiment.operations.commits)?;
        if let Some((before, _)) = absence {
            cost += before;
        }
        if let Some(ages) = &mut key_ages {
            ages.apply(&operation, group.renews_issuer(&operation, committed));
        }
        if !operation.measured {
            continue;
        }
        start.get_or_insert(before);
        recorder.operation(OperationRow {
            kind: match operation.kind {
                OperationKind::Add { .. } => 0,
                OperationKind::Remove { .. } => 1,
                OperationKind::Update => 2,
            },
            by: operation.by,
            by_administrator: sequence.is_administrator(operation.by),
            proposals: operation.proposers.len() as u32,
            committed,
            ciphertexts: cost.ciphertexts,
            public_keys: cost.public_keys,
            bytes: group.has_bytes().then(|| sizes.bytes(&cost)),
            members: sequence.members(),
            absence: absence.map(|(_, row)| row),
        });
    }
    let members = Members {
        start: start.unwrap_or(experiment.group.members).into(),
        end: sequence.members().into(),
        max: 0,
        ever: sequence.ever().into(),
    };
    Ok(Some(recorder.finish(ExperimentFacts {
        scenario: experiment.name.clone(),
        seed: experiment.seed,
        strategy: experiment.group.strategy.clone(),
        members,
        administrators: experiment.operations.administrators.into(),
        key_age: key_ages.map(|ages| ages.figures()),
        tree_depth: group.depth().into(),
        tree_blank_parents: group.blank_parents().map(u64::from),
        host: Host::default(),
    })))
}
