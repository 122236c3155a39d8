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
//! | [`batching`](Batching) | what is committed together, and by whom |
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
        if behaviour.batching.proposes() && scenario.workload.messages.is_some() {
            return Err(BehaviourError::ProposalsWait);
        }
        behaviour.moving.check(&tree)?;
        behaviour.warming.check(&tree)?;
        behaviour.check_quarantine(&tree, scenario)?;
        behaviour.check_servers(scenario)?;
        behaviour.check_rounds(scenario.duration)?;
        Ok((tree, behaviour))
    }

    /// Whether what clients do takes more of a protocol than commits of adds and removes.
    pub fn takes_more_than_commits(&self) -> bool {
        matches!(self.warming, Warming::MostBlanks(_))
            || self.batching.proposes()
            || self.moving != Moving::Nobody
            || self.quarantine().is_some()
    }

    /// Where servers commit for all there must be some, and nobody else may be asked to commit.
    fn check_servers(&self, scenario: &Scenario) -> Result<(), BehaviourError> {
        if !matches!(self.batching, Batching::Servers(_)) {
            return Ok(());
        }
        let others = [
            (scenario.workload.servers == 0, "a scenario without `workload.servers`"),
            (self.warming != Warming::default(), "warming, which asks members to commit"),
            (self.moving != Moving::Nobody, "compaction by commits of the members"),
            (self.quarantine().is_some(), "inactive=quarantine, by which members make keys"),
            (scenario.workload.device_changes.is_some(), "`workload.device_changes`"),
            (scenario.authentication.rotate_every.is_some(), "`authentication.rotate_every`"),
        ];
        match others.into_iter().find(|(is_there, _)| *is_there) {
            Some((_, what)) => Err(BehaviourError::OnlyServers(what)),
            None => Ok(()),
        }
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
