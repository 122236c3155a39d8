//! Several groups of the same people: what they come to together, a part of `summary.json`, and
//! `groups.csv`, a row a group. All else in a run's folder is of the first group, which has everybody, but
//! for `events.csv` and the digest.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::distribution::{Distribution, FiveFigures};
use crate::recorder::Recorded;
use crate::summary::Summary;

/// What one client has sent and received in one group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClientTotals {
    /// Whether it has ever been a member.
    pub was_member: bool,
    /// Bytes received.
    pub bytes_received: u64,
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Commits processed.
    pub commits_processed: u64,
    /// Commits sent.
    pub commits_sent: u64,
}

/// All groups together; zeros where there is but one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Groups {
    /// How many there are.
    pub count: u64,
    /// The members of all at the end, a client once for each of its groups.
    pub memberships: u64,
    /// Groups of a client, over those who were ever a member of one.
    pub of_client: FiveFigures,
    /// Members of the largest but the first, at the end.
    pub largest_further: u64,
    /// Members of the smallest, at the end.
    pub smallest: u64,
    /// Commits accepted.
    pub commits: u64,
    /// Ciphertexts in them.
    pub ciphertexts: u64,
    /// Members added, a client once for each of its groups.
    pub adds: u64,
    /// Members removed, likewise.
    pub removes: u64,
    /// Further devices added, likewise.
    pub devices_added: u64,
    /// Signature keys replaced, likewise.
    pub rotated: u64,
    /// Messages read.
    pub messages_read: u64,
    /// Bytes that a client received in all its groups.
    pub bytes_received: FiveFigures,
    /// Bytes that it sent in them.
    pub bytes_sent: FiveFigures,
    /// Commits that it processed in them.
    pub commits_processed: FiveFigures,
    /// Commits that it sent in them.
    pub commits_sent: FiveFigures,
    /// Audits.
    pub audits: u64,
    /// Checks.
    pub checks: u64,
}

/// Columns of `groups.csv`.
pub(crate) const COLUMNS: [&str; 16] = [
    "group",
    "members_start",
    "members_end",
    "members_max",
    "epochs",
    "commits",
    "rejected",
    "adds",
    "removes",
    "ciphertexts",
    "expected_update_cost_end",
    "devices_added",
    "messages_read",
    "audits",
    "checks",
    "digest",
];

/// A group's row of `groups.csv`.
pub(crate) fn cells((number, group): (usize, &Summary)) -> Vec<String> {
    let cost = group.expected_update_cost.end.map_or_else(String::new, |cost| cost.to_string());
    let numbers = |of: &[u64]| of.iter().map(u64::to_string).collect::<Vec<_>>();
    let mut cells = numbers(&[
        number as u64 + 1,
        group.members.start,
        group.members.end,
        group.members.max,
        group.epochs,
        group.commits.accepted,
        group.commits.rejected,
        group.operations.adds,
        group.operations.removes,
        group.ciphertexts,
    ]);
    cells.push(cost);
    cells.extend(numbers(&[
        group.system.devices.added,
        group.system.messages.read,
        group.audits.performed,
        group.invariants.checked,
    ]));
    cells.push(group.digest.clone());
    cells
}

impl Groups {
    /// What groups come to, by their summaries and the totals of each client in each.
    pub fn of(groups: &[Summary], clients: &[Vec<ClientTotals>]) -> Self {
        let sum = |number: &dyn Fn(&Summary) -> u64| groups.iter().map(number).sum();
        let ends = groups.iter().map(|group| group.members.end);
        let all = (0..clients.iter().map(Vec::len).max().unwrap_or(0)).map(|client| {
            clients.iter().filter_map(|group| group.get(client)).filter(|it| it.was_member).fold(
                (0, ClientTotals::default()),
                |(groups, all), it| {
                    let more = ClientTotals {
                        was_member: true,
                        bytes_received: all.bytes_received + it.bytes_received,
                        bytes_sent: all.bytes_sent + it.bytes_sent,
                        commits_processed: all.commits_processed + it.commits_processed,
                        commits_sent: all.commits_sent + it.commits_sent,
                    };
                    (groups + 1, more)
                },
            )
        });
        let all: Vec<_> = all.filter(|(_, it)| it.was_member).collect();
        let over = |value: &dyn Fn(&(u64, ClientTotals)) -> u64| {
            let mut distribution = Distribution::default();
            all.iter().for_each(|client| distribution.record(value(client)));
            distribution.five_figures()
        };
        Self {
            count: groups.len() as u64,
            memberships: ends.clone().sum(),
            of_client: over(&|(groups, _)| *groups),
            largest_further: ends.clone().skip(1).max().unwrap_or(0),
            smallest: ends.min().unwrap_or(0),
            commits: sum(&|it| it.commits.accepted),
            ciphertexts: sum(&|it| it.ciphertexts),
            adds: sum(&|it| it.operations.adds),
            removes: sum(&|it| it.operations.removes),
            devices_added: sum(&|it| it.system.devices.added),
            rotated: sum(&|it| it.system.credentials.rotated),
            messages_read: sum(&|it| it.system.messages.read),
            bytes_received: over(&|(_, it)| it.bytes_received),
            bytes_sent: over(&|(_, it)| it.bytes_sent),
            commits_processed: over(&|(_, it)| it.commits_processed),
            commits_sent: over(&|(_, it)| it.commits_sent),
            audits: sum(&|it| it.audits.performed),
            checks: sum(&|it| it.invariants.checked),
        }
    }
}

/// The digest of a run of several groups: SHA-256 over theirs, in order, each as it is written.
pub fn digest_of_groups<'g>(digests: impl Iterator<Item = &'g str>) -> String {
    let mut hash = Sha256::new();
    hash.update(b"arboretum groups digest 1");
    digests.for_each(|digest| hash.update(digest));
    hex::encode(hash.finalize())
}

impl Recorded {
    /// Takes up the events of a further group, each with the group's number; all stay in the order of
    /// time.
    pub fn take_events_of(&mut self, group: usize, other: &mut Self) {
        for mut event in std::mem::take(&mut other.events) {
            let said = if event.detail.is_empty() { "" } else { "; " };
            event.detail = format!("group {}{said}{}", group + 1, event.detail);
            self.events.push(event);
        }
        self.events.sort_by_key(|event| event.time_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_groups_are_added_up() {
        let totals = |bytes_received| ClientTotals {
            was_member: true,
            bytes_received,
            ..ClientTotals::default()
        };
        let mut first = Summary::default();
        first.members.end = 3;
        first.commits.accepted = 5;
        let mut second = first.clone();
        second.members.end = 1;
        let outside = ClientTotals { bytes_received: 99, ..ClientTotals::default() };
        let clients = [vec![totals(10), totals(20), outside], vec![outside, totals(7), outside]];
        let groups = Groups::of(&[first, second], &clients);
        assert_eq!((groups.count, groups.memberships, groups.commits), (2, 4, 10));
        assert_eq!((groups.largest_further, groups.smallest), (1, 1));
        assert_eq!(groups.of_client.mean, Some(1.5));
        assert_eq!((groups.bytes_received.max, groups.bytes_received.p50), (Some(27), Some(10)));
    }

    #[test]
    fn the_digest_depends_on_the_order() {
        let digest = |of: [&str; 2]| digest_of_groups(of.into_iter());
        assert_ne!(digest(["a", "b"]), digest(["b", "a"]));
    }
}
