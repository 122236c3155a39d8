//! What clients do by rule: the half of a strategy that no other member has to agree to. The
//! engine is ignorant of it; the tree's own choices are `engine::strategy`.
//!
//! One text names both, as in `rfc9420+placement=nearest+warming=on-join`. Where it says nothing,
//! the scenario's `[policy]` does, and where that says nothing either, nobody does anything.
//!
//! | file | the choice |
//! |---|---|
//! | [`warming`](Warming) | who commits only in order to key blank parents |
//! | [`inactive`](Inactive) | what becomes of members that do not come |
//! | `quarantine` | whose keys others make, and how they come back |
//! | [`batching`](Batching) | what is committed together |
//! | [`moving`](Moving) | who comes to stand further left, so that the tree can be cut |
//! | `text` | the choices in words |

mod batching;
mod inactive;
mod moving;
mod quarantine;
mod text;
mod warming;

use arboretum_engine::strategy::Strategy;
use arboretum_workloads::{Millis, Scenario};

pub use batching::Batching;
pub(super) use batching::Proposing;
pub use inactive::Inactive;
use moving::Due;
pub use moving::Moving;
pub use quarantine::Delays;
pub(super) use quarantine::Ghosts;
pub use text::{BehaviourError, PRESETS, choices};
pub use warming::Warming;

/// The most rounds of a run, of warming or of batches.
const MAX_ROUNDS: u64 = 10_000_000;

/// What clients do by rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Behaviour {
    /// Who commits only in order to key blank parents.
    pub warming: Warming,
    /// What becomes of members that do not come.
    pub inactive: Inactive,
    /// What is committed together.
    pub batching: Batching,
    /// Who comes to stand further left.
    pub moving: Moving,
}

impl Behaviour {
    /// A scenario's strategy: how the tree is kept, and what clients do.
    pub fn of(scenario: &Scenario) -> Result<(Strategy, Self), BehaviourError> {
        let (tree, chosen) = text::read(&scenario.group.strategy)?;
        let policy = &scenario.policy;
        let behaviour = Self {
            warming: chosen.warming.unwrap_or_default(),
            inactive: chosen.inactive.unwrap_or_else(|| policy.evict_after.into()),
            batching: chosen.batching.unwrap_or_else(|| policy.batching.into()),
            moving: chosen.moving.unwrap_or_default(),
        };
        let waits = behaviour.batching.proposers().is_some();
        if waits && scenario.workload.messages.is_some() {
            return Err(BehaviourError::ProposalsWait);
        }
        behaviour.moving.check(&tree)?;
        behaviour.warming.check(&tree)?;
        behaviour.check_quarantine(&tree, scenario)?;
        behaviour.check_rounds(scenario.duration)?;
        Ok((tree, behaviour))
    }

    /// Whether what clients do takes more of a protocol than commits of adds and removes.
    pub fn takes_more_than_commits(&self) -> bool {
        matches!(self.warming, Warming::MostBlanks(_))
            || self.batching.proposers().is_some()
            || self.moving != Moving::Nobody
            || self.quarantine().is_some()
    }

    fn check_rounds(&self, duration: Millis) -> Result<(), BehaviourError> {
        let refresh = self.quarantine().map(|delays| delays.refresh);
        let periods = [self.warming.period(), self.batching.period(), refresh];
        match periods.into_iter().flatten().find(|period| duration.0 / period.0 > MAX_ROUNDS) {
            Some(period) => Err(BehaviourError::TooOften { period, duration }),
            None => Ok(()),
        }
    }
}
