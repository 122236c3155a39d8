//! Warming: commits whose only purpose is to key blank parents, and with them their sender's own
//! keys. `none` is RFC 9420, which leaves updates to the application.
//!
//! | file | who commits |
//! |---|---|
//! | `on_join` | a member that has just joined |
//! | `on_return` | a member that has just come back |
//! | `round_robin` | one member after the other |
//! | `most_blanks` | the member with most blank parents above it |

mod most_blanks;
mod on_join;
mod on_return;
mod round_robin;

use arboretum_engine::protocol::ProtocolError;
use arboretum_engine::strategy::Strategy;
use arboretum_workloads::Millis;

use super::text::{BehaviourError, duration};
use crate::simulation::clients::Purpose;
use crate::simulation::events::Event;
use crate::simulation::world::World;

/// Who commits only in order to key blank parents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Warming {
    /// Nobody.
    #[default]
    None,
    /// A member that has just joined.
    OnJoin,
    /// A member that has just come back.
    OnReturn,
    /// One member after the other, this often.
    RoundRobin(Millis),
    /// The member with most blank parents above it, this often.
    MostBlanks(Millis),
}

impl Warming {
    pub(super) const VALUES: &'static [&'static str] =
        &["none", "on-join", "on-return", "round-robin:P", "most-blanks:P"];

    pub(super) fn read(value: &str) -> Result<Self, BehaviourError> {
        let period = |value, period| duration(value, period);
        match value.split_once(':') {
            None if value == "none" => Ok(Self::None),
            None if value == "on-join" => Ok(Self::OnJoin),
            None if value == "on-return" => Ok(Self::OnReturn),
            Some(("round-robin", every)) => {
                Ok(Self::RoundRobin(period("warming=round-robin", every)?))
            }
            Some(("most-blanks", every)) => {
                Ok(Self::MostBlanks(period("warming=most-blanks", every)?))
            }
            _ => Err(BehaviourError::value("warming", value)),
        }
    }

    /// Refuses a tree in which nobody would ever be asked.
    pub(super) fn check(self, tree: &Strategy) -> Result<(), BehaviourError> {
        match self {
            Self::MostBlanks(_) if tree.taints() => Err(BehaviourError::NothingBlank),
            _ => Ok(()),
        }
    }

    /// How often somebody is asked to commit, if by the clock.
    pub fn period(self) -> Option<Millis> {
        match self {
            Self::RoundRobin(period) | Self::MostBlanks(period) => Some(period),
            Self::None | Self::OnJoin | Self::OnReturn => None,
        }
    }
}

impl World<'_, '_> {
    /// A period is over: the server asks a member, or waits with that until another whom it has
    /// asked to commit requests is done. Two at once would race for one epoch.
    pub(in crate::simulation) fn warming_is_due(&mut self) -> Result<(), ProtocolError> {
        self.schedule_warming();
        if self.handed_out > 0 {
            self.warming_waits = true;
            return Ok(());
        }
        self.ask_to_warm()
    }

    /// Requests that a member was asked to commit are in effect, or wait again.
    pub(in crate::simulation) fn requests_are_settled(&mut self) -> Result<(), ProtocolError> {
        self.handed_out -= 1;
        if self.handed_out == 0 && std::mem::take(&mut self.warming_waits) {
            return self.ask_to_warm();
        }
        Ok(())
    }

    /// The server asks the member whose turn it is to commit.
    fn ask_to_warm(&mut self) -> Result<(), ProtocolError> {
        let chosen = match self.behaviour.warming {
            Warming::RoundRobin(_) => self.next_in_leaf_order(),
            Warming::MostBlanks(_) => self.member_with_most_blanks()?,
            Warming::None | Warming::OnJoin | Warming::OnReturn => None,
        };
        if let Some(client) = chosen {
            self.ask_to_commit(client, Purpose::Renew);
        }
        Ok(())
    }

    /// The next round.
    pub(in crate::simulation) fn schedule_warming(&mut self) {
        if let Some(period) = self.behaviour.warming.period() {
            self.schedule(self.later(period), Event::Warm);
        }
    }
}
