//! A broken check, and the one command that replays up to it.

use arboretum_engine::protocol::ProtocolError;
use arboretum_workloads::Millis;

/// A check of the simulated world did not hold.
#[derive(Debug, thiserror::Error)]
#[error("seed {seed}, event {event} at {at}: {what}")]
pub struct Fault {
    /// The root seed.
    pub seed: u64,
    /// How many events had been put into effect, this one included.
    pub event: u64,
    /// The virtual time.
    pub at: Millis,
    /// Whether an audited client arrived somewhere else.
    pub is_audit: bool,
    /// What broke.
    pub what: String,
}

impl Fault {
    /// A fault before anything happened.
    pub fn before_start(seed: u64, error: &ProtocolError) -> Self {
        Self::new(seed, 0, Millis(0), error)
    }

    pub(super) fn new(seed: u64, event: u64, at: Millis, error: &ProtocolError) -> Self {
        let is_audit = matches!(error, ProtocolError::Audit { .. });
        Self { seed, event, at, is_audit, what: error.to_string() }
    }
}
