//! Policies: when a client renews its keys, who commits what others ask for, when the server
//! evicts, who is audited.

use arboretum_engine::protocol::ClientId;
use arboretum_workloads::{Millis, Policy, RootSeed};

use super::clients::{Client, Clients};

/// The clock zero of virtual time in seconds since the Unix epoch: 22 March 2018, 00:00 UTC,
/// the day of the meeting.
pub(super) const UNIX_ZERO: u64 = 1_521_676_800;

/// How often a committer is drawn again when the one drawn is busy or to be removed.
const DRAWS: u64 = 16;

/// When a member that has just joined or been there from the start renews its keys first:
/// spread over the whole period, so that a group made at once does not renew at once.
pub(super) fn first_renewal(
    policy: &Policy,
    seed: &RootSeed,
    client: ClientId,
    joined: Millis,
) -> Option<Millis> {
    let period = policy.update_every?;
    let mut stream = seed.stream("first renewal", client.0.into(), joined.0);
    Some(Millis(joined.0 + stream.below(period.0.max(1))))
}

/// Whether a client that comes online renews its keys at once, `after` an absence or because it
/// is due.
pub(super) fn renews_on_return(after: Option<Millis>, client: &Client, now: Millis) -> bool {
    let away = now.0.saturating_sub(client.last_seen.0);
    let long_away = after.is_some_and(|limit| away >= limit.0);
    long_away || client.renew_at.is_some_and(|due| due <= now)
}

/// Whether a client that has just sent a message renews its keys.
pub(super) fn renews_after_message(policy: &Policy, client: &Client) -> bool {
    policy.update_every_messages.is_some_and(|limit| client.messages >= limit)
}

/// Draws a member online that is free to commit; none if none is found.
pub(super) fn draw_committer(
    seed: &RootSeed,
    clients: &Clients,
    batch: u64,
    is_fit: impl Fn(ClientId) -> bool,
) -> Option<ClientId> {
    let online = clients.online();
    if online.is_empty() {
        return None;
    }
    let mut stream = seed.stream("committer", batch, 0);
    (0..DRAWS)
        .map(|_| online[stream.below(online.len() as u64) as usize])
        .find(|client| is_fit(*client))
}
