//! What is committed together.
//!
//! `immediate`: each is committed by itself, as soon as a member is online to do it.
//!
//! `every:P`: those that have come within P are committed together by one member; if nobody is
//! online then, by the next who comes. A path is sent once for all of them, and their blanks fall
//! into one epoch; who wants in waits P at most, and who is to be out can read for P longer. All of
//! it is RFC 9420 as it stands (§12.4).
//!
//! `propose-commit:R` is in its own file.
//!
//! Without a choice in the strategy the scenario's `policy.batching` holds.

mod propose_commit;

use arboretum_workloads::Millis;

use super::text::{BehaviourError, count, duration};

pub(in crate::simulation) use propose_commit::Proposing;

/// What is committed together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Batching {
    /// Each by itself.
    #[default]
    Immediate,
    /// Those of a period.
    Every(Millis),
    /// Each by itself, with Updates that so many others have proposed.
    ProposeCommit(u32),
}

impl From<arboretum_workloads::Batching> for Batching {
    fn from(policy: arboretum_workloads::Batching) -> Self {
        match policy {
            arboretum_workloads::Batching::Immediate => Self::Immediate,
            arboretum_workloads::Batching::Every(period) => Self::Every(period),
        }
    }
}

impl Batching {
    pub(super) const VALUES: &'static [&'static str] =
        &["immediate", "every:P", "propose-commit:R"];

    pub(super) fn read(value: &str) -> Result<Self, BehaviourError> {
        match value.split_once(':') {
            None if value == "immediate" => Ok(Self::Immediate),
            Some(("every", period)) => Ok(Self::Every(duration("batching=every", period)?)),
            Some(("propose-commit", others)) => {
                Ok(Self::ProposeCommit(count("batching=propose-commit", others)?))
            }
            _ => Err(BehaviourError::value("batching", value)),
        }
    }

    /// How long requests are collected.
    pub fn period(self) -> Option<Millis> {
        match self {
            Self::Immediate | Self::ProposeCommit(_) => None,
            Self::Every(period) => Some(period),
        }
    }
}
