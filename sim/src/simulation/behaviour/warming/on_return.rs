//! `on-return`: a member that comes back online commits once it has caught up.
//!
//! Sent: one commit with a path (RFC 9420 §12.4) for each return, followed by all others: with many
//! short sessions this is by far the most commits. Nothing is older than its owner's last
//! absence, so a device that was stolen from while it lay about heals as soon as it is used.
//! RFC 9420 as it stands.
//!
//! It is the scenario's `policy.update_on_return_after` with the shortest absence there is.

use arboretum_workloads::Millis;

use super::Warming;

impl Warming {
    /// The shortest absence after which a member commits, if this demands it.
    pub(in crate::simulation) fn on_return_after(self) -> Option<Millis> {
        (self == Self::OnReturn).then_some(Millis(1))
    }
}
