//! `rebuild:T` and `rebuild:P%`: when an update costs more than T times log2 n, rounded up, on average over
//! all members, or when fewer than P % of the leaves hold a member, the group is given up for a new one
//! with the same members (RFC 9420 §11.2). Whoever has just committed does it: it commits a ReInit, creates the new group and adds all others in its first
//! commit, with a resumption key of the old group's last epoch.
//!
//! Sent: the ReInit commit to everybody, and a Welcome with n − 1 entries, for which n − 1 KeyPackages
//! are fetched; nobody receives the new group's commit. Each other member follows the old group to
//! its end, then fetches its entry and the ratchet tree, validates it as a joiner does, O(n), and
//! has a fresh leaf from the package that was used up, at the end the last-resort one. It finds
//! the Welcome when it is next online; until then it is in no group that goes on.
//!
//! What it gives: a tree as small as can be, its blank leaves wherever newcomers leave them, nobody unmerged. What it
//! costs beside: the new tree is cold but for one path (not under `removal=taint`), and an update in it takes about 2n/3
//! ciphertexts on average, until its members have committed. So it is done once each time that the
//! bound is passed, and not again before the tree has been within it: a group that never warms up is
//! made anew once at most for its cost, and one whose new tree is as empty (a perfect tree may be but half full)
//! once at most for that. T is a whole number from 2 up, P one from 1 to 99; to look takes O(1), after each commit.
//!
//! What it trades: the maker draws every key of the new group but for the leaves, and knows the whole
//! path by which it starts; history ends for whoever has not followed the old group when its keys
//! are deleted. RFC 9420 as it stands.
//!
//! In the records a group made anew is one commit that removes and adds all others, and the way
//! into it is a join and no catch-up.

use arboretum_engine::protocol::{ClientId, ProtocolError, Rebuilding};
use arboretum_engine::tree::Aggregates;
use arboretum_workloads::Millis;

use super::{Due, Moving};
use crate::simulation::clients::Purpose;
use crate::simulation::world::World;

impl Due {
    /// Whether a tree is to be replaced.
    fn is(self, tree: Aggregates) -> bool {
        let members = u64::from(tree.members);
        match self {
            Self::Dear(times) => {
                let depth = tree.members.next_power_of_two().trailing_zeros();
                tree.path_cost > members * u64::from(depth) * u64::from(times)
            }
            Self::Sparse(percent) => 100 * members < u64::from(tree.width) * u64::from(percent),
        }
    }
}

impl World<'_, '_> {
    /// A member's commit is in effect: if the tree has come to be due by it, the member means to make
    /// the group anew.
    pub(in crate::simulation) fn rebuild_if_due(
        &mut self,
        client: ClientId,
    ) -> Result<(), ProtocolError> {
        let Moving::Rebuild(due) = self.behaviour.moving else { return Ok(()) };
        if !due.is(self.protocol.tree()) {
            self.was_sound = true;
        } else if self.was_sound {
            return self.intend(client, Purpose::Rebuild);
        }
        Ok(())
    }

    /// Makes the group anew and sends what that takes, if it is due still.
    pub(in crate::simulation) fn rebuild(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        let Moving::Rebuild(due) = self.behaviour.moving else { return Ok(()) };
        let is_due = self.was_sound && due.is(self.protocol.tree());
        if !is_due || self.protocol.view(client) != Some(self.protocol.epoch()) {
            return Ok(());
        }
        let Rebuilding { draft, fetched } = self.protocol.rebuild(client, self.unix_now())?;
        let entry = self.clients.get_mut(client);
        entry.tally.bytes_received += fetched;
        // The packages take a delay to come, and the commit another to go.
        let delay = Millis(2 * entry.delay.0);
        self.send(client, Purpose::Rebuild, draft, delay);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dear_is_more_than_so_many_times_a_full_tree() {
        let is_dear = |members, path_cost, times| {
            Due::Dear(times).is(Aggregates { members, path_cost, ..Aggregates::default() })
        };
        assert!(!is_dear(8, 8 * 3 * 4, 4));
        assert!(is_dear(8, 8 * 3 * 4 + 1, 4));
        assert!(!is_dear(9, 9 * 4 * 2, 2), "nine need a tree of sixteen");
        assert!(!is_dear(1, 0, 2));
    }

    #[test]
    fn sparse_is_fewer_members_than_a_share_of_the_leaves() {
        let is_sparse = |members, width, percent| {
            Due::Sparse(percent).is(Aggregates { members, width, ..Aggregates::default() })
        };
        assert!(!is_sparse(40, 100, 40));
        assert!(is_sparse(39, 100, 40));
        assert!(!is_sparse(1, 1, 99), "a full tree is never sparse");
        assert!(is_sparse(u32::MAX / 2 - 1, u32::MAX - 1, 50), "nothing overflows");
    }
}
