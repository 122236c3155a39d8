//! Which adds and removes are committed together.
//!
//! `immediate`: each is committed by itself, as soon as a member is online to do it.
//!
//! `every:P`: those that have come within P are committed together by one member; if nobody is
//! online then, by the next who comes. A path is sent once for all of them, and their blanks fall
//! into one epoch; who wants in waits P at most, and who is to be out can read for P longer. All of
//! it is RFC 9420 as it stands (§12.4).
//!
//! Without a choice in the strategy the scenario's `policy.batching` holds.

use arboretum_workloads::Millis;

use super::text::{BehaviourError, duration};

/// Which adds and removes are committed together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Batching {
    /// Each by itself.
    #[default]
    Immediate,
    /// Those of a period.
    Every(Millis),
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
    pub(super) const VALUES: &'static [&'static str] = &["immediate", "every:P"];

    pub(super) fn read(value: &str) -> Result<Self, BehaviourError> {
        match value.split_once(':') {
            None if value == "immediate" => Ok(Self::Immediate),
            Some(("every", period)) => Ok(Self::Every(duration("batching=every", period)?)),
            _ => Err(BehaviourError::value("batching", value)),
        }
    }

    /// How long requests are collected.
    pub fn period(self) -> Option<Millis> {
        match self {
            Self::Immediate => None,
            Self::Every(period) => Some(period),
        }
    }
}
