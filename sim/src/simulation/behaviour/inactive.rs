//! What becomes of members that do not come.
//!
//! `keep`: they stay. Their keys age, and whoever steals one reads on for as long.
//!
//! `evict:D`: the server has a member removed that it has not seen online for D. It sends
//! nothing; another member commits a Remove, as for anybody who leaves. The commit and the blank
//! path above the leaf are the price, and a whole join if the member comes back after all: it
//! finds itself removed and asks to be added. What the evicted member held is worth nothing for
//! the epochs that follow; a member that is online and never commits is not touched. All of it is
//! RFC 9420 as it stands (§12.1.3), which leaves it to the application who is inactive.
//!
//! `quarantine:D:R:S` is in its own file.
//!
//! Without a choice in the strategy the scenario's `policy.evict_after` holds.

use arboretum_workloads::Millis;

use super::quarantine::Delays;
use super::text::{BehaviourError, duration};

/// What becomes of members that do not come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Inactive {
    /// They stay.
    #[default]
    Keep,
    /// They are removed after this time.
    Evict(Millis),
    /// Others make their keys.
    Quarantine(Delays),
}

impl From<Option<Millis>> for Inactive {
    fn from(limit: Option<Millis>) -> Self {
        limit.map_or(Self::Keep, Self::Evict)
    }
}

impl Inactive {
    pub(super) const VALUES: &'static [&'static str] = &["keep", "evict:D", "quarantine:D:R:S"];

    pub(super) fn read(value: &str) -> Result<Self, BehaviourError> {
        match value.split_once(':') {
            None if value == "keep" => Ok(Self::Keep),
            Some(("evict", limit)) => Ok(Self::Evict(duration("inactive=evict", limit)?)),
            Some(("quarantine", delays)) => match delays.split(':').collect::<Vec<_>>()[..] {
                [after, refresh, stay] => {
                    let delay = |given| duration("inactive=quarantine", given);
                    let (after, refresh, stay) = (delay(after)?, delay(refresh)?, delay(stay)?);
                    Ok(Self::Quarantine(Delays { after, refresh, stay }))
                }
                _ => Err(BehaviourError::Delays(delays.to_owned())),
            },
            _ => Err(BehaviourError::value("inactive", value)),
        }
    }

    /// How long the server waits for a member until it has something done; for ever without a limit.
    pub fn limit(self) -> Option<Millis> {
        match self {
            Self::Keep => None,
            Self::Evict(limit) => Some(limit),
            Self::Quarantine(delays) => Some(delays.after),
        }
    }
}
