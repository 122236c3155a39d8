//! Moving: members that stand far right come to stand further left, so that the tree can be cut.
//! They are values of the choice `compaction`, whose others say how every member cuts the tree
//! (`engine::strategy::Compaction`); these go with `truncate`, and say who helps it along. And where
//! a new tree is made in the place of the old one, all move at once.
//!
//! | file | who moves |
//! |---|---|
//! | `resync` | a member, by itself, when it renews its keys |
//! | `swap` | the rightmost members, by whoever commits |
//! | `rebuild` | everybody, into a new group |

mod rebuild;
mod resync;
mod swap;

use arboretum_engine::strategy::{Compaction, Placement, Strategy};
use arboretum_engine::tree::Shape;

use super::text::{BehaviourError, count, due};

/// Who comes to stand further left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Moving {
    /// Nobody.
    #[default]
    Nobody,
    /// A member, when it renews its keys.
    Resync,
    /// So many of the rightmost members, with each commit.
    Swap(u32),
    /// Everybody, into a new group, when the tree is due.
    Rebuild(Due),
}

/// When a group is made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// When an update costs so many times what it could.
    Dear(u32),
    /// When fewer than so many of a hundred leaves hold a member.
    Sparse(u8),
}

impl Moving {
    pub(super) const VALUES: &'static [&'static str] =
        &["resync", "swap:K", "rebuild:T", "rebuild:P%"];

    /// Reads a value of `compaction`; none if it is the tree's.
    pub(super) fn read(value: &str) -> Result<Option<Self>, BehaviourError> {
        let (name, number) = value.split_once(':').unzip();
        match (name.unwrap_or(value), number) {
            ("resync", None) => Ok(Some(Self::Resync)),
            ("swap", Some(members)) => Ok(Some(Self::Swap(count("compaction=swap", members)?))),
            ("rebuild", Some(when)) => Ok(Some(Self::Rebuild(due(when)?))),
            ("resync" | "swap" | "rebuild", _) => Err(BehaviourError::value("compaction", value)),
            _ => Ok(None),
        }
    }

    /// Refuses a tree in which moving leads nowhere.
    pub(super) fn check(self, tree: &Strategy) -> Result<(), BehaviourError> {
        let name = match self {
            Self::Nobody | Self::Rebuild(_) => return Ok(()),
            Self::Resync => "resync",
            Self::Swap(_) => "swap",
        };
        if tree.form().is_some() {
            return Err(BehaviourError::NoBlanks(name));
        }
        match tree.compaction {
            Compaction::None => return Err(BehaviourError::NeverCut(name)),
            Compaction::ScootOver => return Err(BehaviourError::MovesAlready(name)),
            _ => {}
        }
        if tree.placement != Placement::LeftmostBlank {
            return Err(BehaviourError::NotToTheLeft(name));
        }
        Ok(())
    }
}
