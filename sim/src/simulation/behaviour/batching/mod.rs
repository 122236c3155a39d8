//! What is committed together.
//!
//! `immediate`: each is committed as soon as a member is online to do it; those that had to wait,
//! together.
//!
//! `every:P`: those that have come within P are committed together by one member; if nobody is
//! online then, by the next who comes. A path is sent once for all of them, and their blanks fall
//! into one epoch; who wants in waits P at most, and who is to be out can read for P longer. All of
//! it is RFC 9420 as it stands (§12.4).
//!
//! `propose-commit:R`, `concurrent:R` and `servers:P` are in files of their own, and what they have in common in
//! `proposing`.
//!
//! Without a choice in the strategy the scenario's `policy.batching` holds.

mod concurrent;
mod propose_commit;
mod proposing;
mod servers;

use arboretum_workloads::Millis;

use super::text::{BehaviourError, count, duration};

pub(in crate::simulation) use proposing::Proposing;

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
    /// Each by itself, with whole paths that so many others have proposed.
    Concurrent(u32),
    /// Those of a period, by one of the servers, with the Updates of whoever wants to renew.
    Servers(Millis),
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
        &["immediate", "every:P", "propose-commit:R", "concurrent:R", "servers:P"];

    pub(super) fn read(value: &str) -> Result<Self, BehaviourError> {
        match value.split_once(':') {
            None if value == "immediate" => Ok(Self::Immediate),
            Some(("every", period)) => Ok(Self::Every(duration("batching=every", period)?)),
            Some(("propose-commit", others)) => {
                Ok(Self::ProposeCommit(count("batching=propose-commit", others)?))
            }
            Some(("concurrent", others)) => {
                Ok(Self::Concurrent(count("batching=concurrent", others)?))
            }
            Some(("servers", period)) => Ok(Self::Servers(duration("batching=servers", period)?)),
            _ => Err(BehaviourError::value("batching", value)),
        }
    }

    /// How long requests are collected.
    pub fn period(self) -> Option<Millis> {
        match self {
            Self::Immediate | Self::ProposeCommit(_) | Self::Concurrent(_) => None,
            Self::Every(period) | Self::Servers(period) => Some(period),
        }
    }

    /// Whether others propose for a commit.
    pub(super) fn proposes(self) -> bool {
        matches!(self, Self::ProposeCommit(_) | Self::Concurrent(_) | Self::Servers(_))
    }

    /// How many members propose before another commits, where any do.
    pub(super) fn proposers(self) -> Option<u32> {
        match self {
            Self::ProposeCommit(others) | Self::Concurrent(others) => Some(others),
            Self::Immediate | Self::Every(_) | Self::Servers(_) => None,
        }
    }
}
