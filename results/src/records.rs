//! The records of a run: what the simulation reports, one struct per kind.
//!
//! Every value is portable and deterministic. Host times never stand here: they would make a
//! digest depend on the machine. Words are those of RFC 9420.

use std::borrow::Cow;

use crate::table::record;

record! {
/// One accepted commit, a row of `commits.csv`. The tree is described as it is after the commit.
pub struct CommitRow {
    /// The epoch the commit leads to.
    epoch: u64,
    /// Virtual time of acceptance, milliseconds since the start of the run.
    time_ms: u64,
    /// The client that sent it.
    committer: u32,
    /// The committer's leaf index.
    committer_leaf: u32 [kind],
    /// Whether this commit creates the group (and so is written as kind `create`).
    creation: bool,
    /// Whether it carries a member's path update and so counts in `update_cost`. A commit that
    /// creates the group updates nobody: leave it `false` there.
    has_path: bool,
    /// Members added.
    adds: u32,
    /// Members removed, for whatever reason.
    removes: u32,
    /// Update proposals of other members that it covers.
    updates: u32,
    /// Of `removes`, those who asked to leave.
    leaves: u32,
    /// Of `removes`, those evicted by a policy.
    evictions: u32,
    /// Commits for the same epoch that lost the race against this one.
    rejected_before: u32,
    /// Ciphertexts in the path.
    ciphertexts: u64 [wasted_ciphertexts],
    /// Public keys in the path.
    public_keys: u64,
    /// Size of the commit message, bytes. The five parts below sum to it.
    bytes: u64,
    /// Part of `bytes`: proposals.
    bytes_proposals: u64,
    /// Part of `bytes`: public keys of the path.
    bytes_path_keys: u64,
    /// Part of `bytes`: encrypted path secrets.
    bytes_path_ciphertexts: u64,
    /// Part of `bytes`: the committer's new leaf node.
    bytes_leaf_node: u64,
    /// Part of `bytes`: the rest (framing, signature, tags).
    bytes_framing: u64,
    /// Size of the Welcome, bytes; 0 if there is none.
    welcome_bytes: u64,
    /// Clients the Welcome is for.
    welcome_recipients: u32,
    /// Ciphertexts the path was spared because members added by this commit get theirs by Welcome.
    new_leaves_excluded: u64,
    /// Members after the commit.
    members: u64,
    /// Leaves in the tree, blank or not.
    width: u64,
    /// Edges between the root and the deepest leaf.
    depth: u64,
    /// Blank leaves.
    blank_leaves: u64,
    /// Blank parents.
    blank_parents: u64,
    /// Entries in the unmerged lists of all parents.
    unmerged: u64,
    /// Ciphertexts of a path update, summed over all members as the next committer. Divided by
    /// `members` it is the expected update cost, which the table holds as well.
    expected_cost_sum: u64 [expected_update_cost],
    /// Clients online.
    online: u64,
}
lists {
    /// Operations the committer spent, in the order of the recorder's names; empty if not counted.
    /// Columns `sender_<op>`.
    sender_ops: Vec<u64>,
    /// Operations one receiver spends, in the same order; empty if not counted. Columns
    /// `receiver_<op>`.
    receiver_ops: Vec<u64>,
}
}

impl CommitRow {
    /// What the commit does to the membership, as the table names it. A commit that only carries
    /// a path, or covers other members' Update proposals, is an `update`.
    pub fn kind(&self) -> &'static str {
        match (self.creation, self.adds > 0, self.removes > 0) {
            (true, ..) => "create",
            (_, true, true) => "add+remove",
            (_, true, false) => "add",
            (_, false, true) => "remove",
            (_, false, false) => "update",
        }
    }

    /// Mean ciphertexts of a path update over all members; 0 for an empty group.
    pub fn expected_update_cost(&self) -> f64 {
        ratio(self.expected_cost_sum, self.members)
    }

    /// Ciphertexts beyond ⌈log₂ members⌉, which a path of the best tree never passes; members after
    /// the commit. A cheaper path pays nothing back, and making the group wastes nothing.
    pub fn wasted_ciphertexts(&self) -> u64 {
        let needed = self.members.max(1).next_power_of_two().ilog2();
        if self.has_path { self.ciphertexts.saturating_sub(needed.into()) } else { 0 }
    }

    /// Size of the path update itself (RFC 9420 §7.6 `UpdatePath`), bytes: leaf node, public keys
    /// and ciphertexts. Proposals and framing are not part of it.
    pub fn path_bytes(&self) -> u64 {
        self.bytes_leaf_node + self.bytes_path_keys + self.bytes_path_ciphertexts
    }

    /// The sum of the five parts of the message, which must equal `bytes`.
    pub fn bytes_of_parts(&self) -> u64 {
        self.path_bytes() + self.bytes_proposals + self.bytes_framing
    }
}

record! {
/// A snapshot of the tree, a row of `tree.csv`.
pub struct TreeRow {
    /// Virtual time, milliseconds since the start of the run.
    time_ms: u64,
    /// The epoch of the snapshot.
    epoch: u64,
    /// Members.
    members: u64,
    /// Leaves in the tree, blank or not.
    width: u64 [width_over_members],
    /// Edges between the root and the deepest leaf.
    depth: u64,
    /// Blank leaves.
    blank_leaves: u64,
    /// Blank parents.
    blank_parents: u64,
    /// Parents that hold a public key.
    keyed_parents: u64,
    /// Entries in the unmerged lists of all parents.
    unmerged: u64,
    /// Ciphertexts of a path update, summed over all members as the next committer.
    expected_cost_sum: u64 [expected_update_cost],
    /// Clients online.
    online: u64,
    /// Distinct old epochs that some lagging client still holds.
    lagging_epochs: u64,
}
later {
    /// The members' weights in all. A member weighs as many commits as it has made so far and
    /// one, so that who is silent weighs something. None, as with all below, if the protocol
    /// keeps no tree.
    weight_sum: Option<u64>,
    /// Ciphertexts of each member's path update times the member's weight, summed.
    active_cost_sum: Option<u64> [active_update_cost],
    /// The least such sum that any binary tree over the members could have, in which a member
    /// spends as many ciphertexts as it has parents: the weight of a Huffman tree.
    huffman_sum: Option<u64> [huffman_bound, regret],
    /// Removed members above whose former leaves the tree still lacks keys.
    blank_paths: Option<u64>,
}
}

impl TreeRow {
    /// Mean ciphertexts of a path update over all members; 0 for an empty group.
    pub fn expected_update_cost(&self) -> f64 {
        ratio(self.expected_cost_sum, self.members)
    }
}

record! {
/// Part of a portrait, a row of `portraits.csv`: one node, or several side by side at one level
/// that are mixed. The last five fields say how many of the leaf columns lie below nodes of which
/// state; where they are fewer than `leaves`, the tree ends above this level.
pub struct PortraitRow {
    /// Virtual time, milliseconds since the start of the run.
    time_ms: u64,
    /// The epoch of the portrait.
    epoch: u64,
    /// Edges from the root.
    level: u32,
    /// The leftmost leaf column.
    first: u64,
    /// Leaf columns.
    leaves: u64,
    /// Nodes that begin here: one is drawn as a node, several as a mixture.
    nodes: u64,
    /// Leaf columns below parents with a key that all members below hold.
    keyed: u64,
    /// Below parents with a key that unmerged leaves do not hold.
    unmerged: u64,
    /// Below blank parents.
    blank: u64,
    /// Of members' leaves.
    member: u64,
    /// Of blank leaves.
    blank_leaf: u64,
}
}

record! {
/// One client that came back and caught up. Aggregated into `clients.csv`, not kept one by one.
pub struct CatchUp {
    /// Virtual time of return, milliseconds since the start of the run.
    time_ms: u64,
    /// The client.
    client: u32,
    /// Time away, milliseconds.
    away_ms: u64,
    /// Commits fetched and processed.
    commits: u64,
    /// Bytes fetched.
    bytes: u64,
    /// Whether the client found itself removed.
    removed: bool,
}
}

/// Something worth telling in `events.csv`, which is written on request only. Events retell what
/// other records count, so they are not part of the digest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// Virtual time, milliseconds since the start of the run.
    pub time_ms: u64,
    /// What happened, a short fixed word.
    pub kind: Cow<'static, str>,
    /// The client it happened to.
    pub client: u32,
    /// The epoch it happened in.
    pub epoch: u64,
    /// Anything else, free text.
    pub detail: String,
}

impl TreeRow {
    /// Leaves, blank ones included, for each member; 0 for an empty group.
    pub fn width_over_members(&self) -> f64 {
        ratio(self.width, self.members)
    }

    /// Mean ciphertexts of a path update over the members by their weights: what an update costs
    /// those who are really active.
    pub fn active_update_cost(&self) -> Option<f64> {
        Some(ratio(self.active_cost_sum?, self.weight_sum?))
    }

    /// The least active update cost that any tree over these members could have.
    pub fn huffman_bound(&self) -> Option<f64> {
        Some(ratio(self.huffman_sum?, self.weight_sum?))
    }

    /// What the tree costs the active members beyond that; never below 0.
    pub fn regret(&self) -> Option<f64> {
        // Both are exact as f64, so the difference is, and it is divided once.
        let beyond = self.active_cost_sum? as f64 - self.huffman_sum? as f64;
        Some(beyond / self.weight_sum?.max(1) as f64)
    }
}

/// Exact integers divided once, at the end, so no rounding piles up on the way.
pub(crate) fn ratio(sum: u64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { sum as f64 / count as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_derived() {
        let kind = |creation, adds, removes| {
            CommitRow { creation, adds, removes, ..CommitRow::default() }.kind()
        };
        assert_eq!(kind(true, 9, 0), "create");
        assert_eq!(kind(false, 1, 0), "add");
        assert_eq!(kind(false, 0, 2), "remove");
        assert_eq!(kind(false, 1, 2), "add+remove");
        assert_eq!(kind(false, 0, 0), "update");
    }

    #[test]
    fn derived_columns_stand_beside_their_source() {
        let columns = CommitRow::columns();
        assert_eq!(&columns[..5], ["epoch", "time_ms", "committer", "committer_leaf", "kind"]);
        assert_eq!(columns.len(), CommitRow::default().cells().len());
        assert!(columns.contains(&"expected_update_cost"));
    }
}
