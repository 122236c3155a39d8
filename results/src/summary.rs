//! The summary of a run, `summary.json`: one number for each question asked of every run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::distribution::FiveFigures;
use crate::groups::Groups;
use crate::recorder::Recorded;
use crate::records::{CommitRow, TreeRow, ratio};
use crate::system::System;

/// The version of the layout below, the field `schema`.
pub(crate) const SCHEMA: u32 = 1;

/// `summary.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Version of this layout.
    pub schema: u32,
    /// Name of the scenario.
    pub scenario: String,
    /// The root seed.
    pub seed: u64,
    /// The protocol that ran.
    pub protocol: String,
    /// The strategy, a preset or its choices.
    pub strategy: String,
    /// The cipher suite.
    pub suite: String,
    /// `full`, `shared` or `counted`.
    pub fidelity: String,
    /// Whether the run was stopped before its end.
    pub interrupted: bool,
    /// Simulated time, seconds.
    pub virtual_time_s: f64,
    /// Group size.
    pub members: Members,
    /// What happened to members.
    pub operations: Operations,
    /// What it took to move members about for the tree's sake.
    #[serde(default)]
    pub rebalancing: Rebalancing,
    /// Members whose keys others have made.
    #[serde(default)]
    pub quarantine: Quarantine,
    /// The last epoch.
    pub epochs: u64,
    /// Commits by fate and by kind.
    pub commits: Commits,
    /// What accepted commits cost by what they do, the making of the group apart.
    #[serde(default)]
    pub by_kind: ByKind,
    /// What lost commits had cost.
    pub rejected_work: RejectedWork,
    /// Members that left by their own wish.
    pub leaves: u64,
    /// Members evicted by a policy.
    pub evictions: u64,
    /// Welcomes.
    pub welcomes: Welcomes,
    /// Ciphertexts in all accepted commits.
    pub ciphertexts: u64,
    /// Cost of a commit's path, removals and adds included, the group's creation not.
    pub update_cost: UpdateCost,
    /// Expected update cost over the run, ciphertexts.
    pub expected_update_cost: CostRange,
    /// The same for those who are really active: members by their weights, one more than the
    /// commits each has made so far.
    #[serde(default)]
    pub active_update_cost: CostRange,
    /// The least that any tree over the members could make of it (Huffman).
    #[serde(default)]
    pub huffman_bound: CostRange,
    /// What the tree costs the active beyond that bound.
    #[serde(default)]
    pub regret: CostRange,
    /// Ciphertexts beyond ⌈log₂ members⌉, over all path updates.
    #[serde(default)]
    pub wasted_ciphertexts: u64,
    /// How long the paths of removed members stay blank.
    #[serde(default)]
    pub blank_paths: BlankPaths,
    /// Who was evicted, and came back.
    #[serde(default)]
    pub evicted: Evicted,
    /// What newcomers fetched.
    #[serde(default)]
    pub joins: Joins,
    /// Of members at the end, since the keys of their leaves were made, seconds.
    #[serde(default)]
    pub key_age_s: FiveFigures,
    /// The tree at the end.
    pub tree: TreeFigures,
    /// What returning clients fetched and processed.
    pub catch_up: CatchUpFigures,
    /// Messages, links, lost and further devices, services.
    #[serde(flatten)]
    pub system: System,
    /// Several groups of the same people; all other numbers are of the first, the host's apart.
    #[serde(default)]
    pub groups: Groups,
    /// Total of each operation over all clients.
    pub ops: BTreeMap<String, u64>,
    /// Audits of shared work.
    pub audits: Audits,
    /// Checks of the simulated world.
    pub invariants: Invariants,
    /// Clients that became `full` members in a `shared` run.
    pub materialised: u64,
    /// The machine's side; never part of a digest.
    pub host: Host,
    /// SHA-256 over the records, lower-case hexadecimal.
    pub digest: String,
}

/// Group size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Members {
    /// At the first record.
    pub start: u64,
    /// At the last record.
    pub end: u64,
    /// The most at any record.
    pub max: u64,
    /// Clients that were members at some time.
    pub ever: u64,
}

/// What happened to members.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Operations {
    /// Members added.
    pub adds: u64,
    /// Members removed.
    pub removes: u64,
    /// Members that updated their keys.
    pub updates: u64,
}

/// Commits by which members have moved to other leaves, or whose leaves were renewed on the way:
/// by themselves, or removed and added at once. Where subtrees move by rule, nothing is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Rebalancing {
    /// How many there were.
    pub commits: u64,
    /// Members moved by them.
    pub moves: u64,
    /// Bytes of those commits and of their Welcomes.
    pub bytes: u64,
    /// Public-key encryptions that their senders made.
    pub encapsulations: u64,
}

/// Members that were silent and had their keys made by others; all 0 without `inactive=quarantine`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Quarantine {
    /// Members that were made ghosts.
    pub made: u64,
    /// New keys for ghosts, by the clock or since somebody went who knew of the old one.
    pub renewed: u64,
    /// Shares sent to holders.
    pub shares: u64,
    /// Bytes of the proposals that gave ghosts their keys, shares among them.
    pub bytes: u64,
    /// Ghosts that came back, and asked for shares.
    pub returned: u64,
    /// Of these, those that found no quorum online at once.
    pub waited: u64,
    /// Ghosts that found their keys by shares, and read on where they had stopped.
    pub recovered: u64,
    /// Ghosts that entered anew.
    pub entered_anew: u64,
    /// Ghosts that were removed.
    pub removed: u64,
    /// Answers of holders.
    pub answers: u64,
    /// Bytes of requests and answers.
    pub exchange_bytes: u64,
    /// Ghosts at a snapshot, on average.
    pub ghosts_mean: f64,
    /// The most ghosts after any commit.
    pub ghosts_max: u64,
    /// The most quorums at any snapshot: pairs of members who know some ghost's key together.
    pub quorums_max: u64,
}

/// Commits by fate and by kind. A commit that adds and removes counts in both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Commits {
    /// Commits that made an epoch.
    pub accepted: u64,
    /// Commits that lost the race for one.
    pub rejected: u64,
    /// Accepted commits that add members, the creation among them.
    pub adds: u64,
    /// Accepted commits that remove members.
    pub removes: u64,
    /// Accepted commits that do neither.
    pub updates: u64,
}

/// Accepted commits by what they do: most carry several proposals, where requests are collected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ByKind {
    /// Those that add and remove nobody.
    pub update: KindCost,
    /// Those that only add.
    pub add: KindCost,
    /// Those that only remove.
    pub remove: KindCost,
    /// Those that do both.
    pub add_remove: KindCost,
}

/// Means over the commits of a kind; `null` without any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct KindCost {
    /// How many there were.
    pub commits: u64,
    /// Members that one adds and removes.
    pub changes: Option<f64>,
    /// Ciphertexts of its path.
    pub ciphertexts: Option<f64>,
    /// Bytes of the message, without the Welcome.
    pub bytes: Option<f64>,
}

/// What lost commits had cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct RejectedWork {
    /// Bytes of the lost commit messages.
    pub bytes: u64,
    /// Ciphertexts made for them.
    pub ciphertexts: u64,
}

/// Welcomes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Welcomes {
    /// Welcome messages sent.
    pub sent: u64,
    /// Their size in all, bytes.
    pub bytes: u64,
}

/// Cost of a commit's path, removals and adds included, the group's creation not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct UpdateCost {
    /// Ciphertexts.
    pub ciphertexts: FiveFigures,
    /// Bytes of the path: leaf node, public keys, ciphertexts.
    pub bytes: FiveFigures,
}

/// A cost over the run, ciphertexts; `null` without any record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct CostRange {
    /// At the first record.
    pub start: Option<f64>,
    /// At the last record.
    pub end: Option<f64>,
    /// The most at any record.
    pub max: Option<f64>,
}

/// The tree at the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct TreeFigures {
    /// Members.
    pub members: u64,
    /// Leaves, blank or not.
    pub width: u64,
    /// Leaves for each member.
    #[serde(default)]
    pub width_over_members: f64,
    /// Edges from the root to the deepest leaf.
    pub depth: u64,
    /// Blank leaves.
    pub blank_leaves: u64,
    /// Blank parents.
    pub blank_parents: u64,
    /// Entries in unmerged lists.
    pub unmerged: u64,
}

/// Paths of removed members, from the removal to the first snapshot that finds every parent above
/// the former leaf keyed again, cut, or left out of every path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct BlankPaths {
    /// Those that came to that.
    pub closed: u64,
    /// Those still open at the last snapshot; they are not in `seconds`.
    pub open: u64,
    /// Time from one to the other.
    pub seconds: FiveFigures,
}

/// People who were evicted by a policy, each counted once, and who of them was let in again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Evicted {
    /// Clients that were evicted at some time.
    pub people: u64,
    /// Of these, those that were let in again before the end.
    pub people_back: u64,
    /// How often somebody was let in again after an eviction.
    pub times_back: u64,
}

/// What a client fetches that comes in by a Welcome, after the group was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Joins {
    /// Bytes of the Welcome and of the tree.
    pub bytes: FiveFigures,
}

/// What returning clients fetched and processed, per catch-up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct CatchUpFigures {
    /// Bytes.
    pub bytes: FiveFigures,
    /// Commits.
    pub commits: FiveFigures,
}

/// Audits of shared work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Audits {
    /// Clients that did everything from the wire.
    pub performed: u64,
    /// Of these, those that arrived elsewhere.
    pub mismatched: u64,
}

/// Checks of the simulated world.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Invariants {
    /// Checks made.
    pub checked: u64,
    /// Checks that failed.
    pub violated: u64,
}

/// The machine's side of the run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// Time on the wall, seconds.
    pub wall_s: f64,
    /// Processor time, seconds.
    pub cpu_s: f64,
    /// Peak resident memory, MiB.
    pub peak_rss_mib: f64,
    /// Threads used.
    pub threads: u32,
}

/// What the records do not say and the caller knows.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)] // The fields are those of `Summary`, under the same names.
pub struct RunFacts {
    pub scenario: String,
    pub seed: u64,
    pub protocol: String,
    pub strategy: String,
    pub suite: String,
    pub fidelity: String,
    pub interrupted: bool,
    pub virtual_time_s: f64,
    /// `members.ever`.
    pub members_ever: u64,
    pub operations: Operations,
    pub rebalancing: Rebalancing,
    pub quarantine: Quarantine,
    pub evicted: Evicted,
    pub joins: Joins,
    pub key_age_s: FiveFigures,
    /// `commits.rejected`.
    pub commits_rejected: u64,
    pub rejected_work: RejectedWork,
    pub system: System,
    pub ops: BTreeMap<String, u64>,
    pub audits: Audits,
    pub invariants: Invariants,
    pub materialised: u64,
    pub host: Host,
}

impl Summary {
    /// Brings together what was recorded and what the caller knows.
    pub fn new(facts: RunFacts, recorded: &Recorded) -> Self {
        let total = |value: fn(&crate::CommitRow) -> u64| recorded.commits.iter().map(value).sum();
        let states = states(recorded);
        Self {
            schema: SCHEMA,
            scenario: facts.scenario,
            seed: facts.seed,
            protocol: facts.protocol,
            strategy: facts.strategy,
            suite: facts.suite,
            fidelity: facts.fidelity,
            interrupted: facts.interrupted,
            virtual_time_s: facts.virtual_time_s,
            members: members(&states, facts.members_ever),
            operations: facts.operations,
            rebalancing: facts.rebalancing,
            quarantine: facts.quarantine,
            epochs: states.last().map_or(0, |state| state.epoch),
            commits: commits(recorded, facts.commits_rejected),
            by_kind: by_kind(recorded),
            rejected_work: facts.rejected_work,
            leaves: total(|row| row.leaves.into()),
            evictions: total(|row| row.evictions.into()),
            welcomes: Welcomes {
                sent: total(|row| u64::from(row.welcome_bytes > 0)),
                bytes: total(|row| row.welcome_bytes),
            },
            ciphertexts: total(|row| row.ciphertexts),
            update_cost: UpdateCost {
                ciphertexts: recorded.update_ciphertexts.five_figures(),
                bytes: recorded.update_bytes.five_figures(),
            },
            expected_update_cost: cost_range(states.iter().map(|state| state.cost)),
            active_update_cost: over_snapshots(recorded, TreeRow::active_update_cost),
            huffman_bound: over_snapshots(recorded, TreeRow::huffman_bound),
            regret: over_snapshots(recorded, TreeRow::regret),
            wasted_ciphertexts: total(CommitRow::wasted_ciphertexts),
            blank_paths: BlankPaths {
                closed: recorded.blank_path_s.count(),
                open: recorded.tree.last().and_then(|row| row.blank_paths).unwrap_or(0),
                seconds: recorded.blank_path_s.five_figures(),
            },
            evicted: facts.evicted,
            joins: facts.joins,
            key_age_s: facts.key_age_s,
            tree: states.last().map_or_else(TreeFigures::default, |state| state.tree),
            catch_up: CatchUpFigures {
                bytes: recorded.catch_up_bytes.five_figures(),
                commits: recorded.catch_up_commits.five_figures(),
            },
            system: facts.system,
            groups: Groups::default(),
            ops: facts.ops,
            audits: facts.audits,
            invariants: facts.invariants,
            materialised: facts.materialised,
            host: facts.host,
            digest: recorded.digest.clone(),
        }
    }

    /// Every number, its keys joined by dots, in the order of the file. Texts, bools and `null`s
    /// are left out; a seed above 2^53 loses its last digits.
    pub fn flat(&self) -> Vec<(String, f64)> {
        flat(self)
    }

    /// The dotted keys of all numbers that a summary can have, `ops` apart.
    pub fn metric_names() -> Vec<String> {
        names(&Self::default())
    }

    /// The number under a dotted key, such as `update_cost.ciphertexts.p99`.
    pub fn number(&self, dotted: &str) -> Option<f64> {
        self.flat().into_iter().find(|(key, _)| key == dotted).map(|(_, number)| number)
    }
}

/// Every number of a summary of any kind, its keys joined by dots, in the order of its fields.
pub(crate) fn flat(summary: &impl Serialize) -> Vec<(String, f64)> {
    let mut numbers = Vec::new();
    // A summary has text keys only, so it always has a JSON form.
    let value = serde_json::to_value(summary).expect("a summary is JSON");
    flatten(&value, String::new(), &mut numbers);
    numbers
}

/// The dotted keys of all numbers of a summary of any kind, those that are `null` too.
pub(crate) fn names(summary: &impl Serialize) -> Vec<String> {
    let value = serde_json::to_value(summary).expect("a summary is JSON");
    let mut names = Vec::new();
    leaves(&value, String::new(), &mut names);
    names
}

/// The group as some record saw it.
struct State {
    time_ms: u64,
    epoch: u64,
    cost: f64,
    tree: TreeFigures,
}

/// All states in order of time, from the group as it was made: its making is no part of the run,
/// and the first snapshot shows what it came to. Commits and snapshots are two sorted lists; at
/// the same time and epoch the snapshot comes last, for it was taken after.
fn states(recorded: &Recorded) -> Vec<State> {
    macro_rules! state {
        ($row:expr) => {
            State {
                time_ms: $row.time_ms,
                epoch: $row.epoch,
                cost: $row.expected_update_cost(),
                tree: TreeFigures {
                    members: $row.members,
                    width: $row.width,
                    width_over_members: ratio($row.width, $row.members),
                    depth: $row.depth,
                    blank_leaves: $row.blank_leaves,
                    blank_parents: $row.blank_parents,
                    unmerged: $row.unmerged,
                },
            }
        };
    }
    let made = |row: &&CommitRow| !row.creation || recorded.tree.is_empty();
    let commits = recorded.commits.iter().filter(made).map(|row| state!(row));
    let snapshots = recorded.tree.iter().map(|row| state!(row));
    let mut states: Vec<State> = commits.chain(snapshots).collect();
    states.sort_by_key(|state| (state.time_ms, state.epoch));
    states
}

fn members(states: &[State], ever: u64) -> Members {
    let sizes = || states.iter().map(|state| state.tree.members);
    Members {
        start: sizes().next().unwrap_or(0),
        end: sizes().next_back().unwrap_or(0),
        max: sizes().max().unwrap_or(0),
        ever,
    }
}

fn cost_range(costs: impl DoubleEndedIterator<Item = f64> + Clone) -> CostRange {
    CostRange {
        start: costs.clone().next(),
        end: costs.clone().next_back(),
        max: costs.reduce(f64::max),
    }
}

fn over_snapshots(recorded: &Recorded, cost: fn(&TreeRow) -> Option<f64>) -> CostRange {
    cost_range(recorded.tree.iter().filter_map(cost))
}

fn commits(recorded: &Recorded, rejected: u64) -> Commits {
    let mut commits =
        Commits { accepted: recorded.commits.len() as u64, rejected, ..Commits::default() };
    for row in &recorded.commits {
        commits.adds += u64::from(row.adds > 0);
        commits.removes += u64::from(row.removes > 0);
        commits.updates += u64::from(row.kind() == "update");
    }
    commits
}

fn by_kind(recorded: &Recorded) -> ByKind {
    let cost = |kind: &str| {
        let rows = || recorded.commits.iter().filter(move |row| row.kind() == kind);
        let commits = rows().count() as u64;
        let mean = |value: &dyn Fn(&CommitRow) -> u64| {
            (commits > 0).then(|| ratio(rows().map(value).sum(), commits))
        };
        KindCost {
            commits,
            changes: mean(&|row| u64::from(row.adds) + u64::from(row.removes)),
            ciphertexts: mean(&|row| row.ciphertexts),
            bytes: mean(&|row| row.bytes),
        }
    };
    ByKind {
        update: cost("update"),
        add: cost("add"),
        remove: cost("remove"),
        add_remove: cost("add+remove"),
    }
}

fn leaves(value: &Value, key: String, names: &mut Vec<String>) {
    match value {
        Value::Number(_) | Value::Null => names.push(key),
        Value::Object(entries) => {
            for (name, value) in entries {
                let dot = if key.is_empty() { "" } else { "." };
                leaves(value, format!("{key}{dot}{name}"), names);
            }
        }
        _ => {}
    }
}

fn flatten(value: &Value, key: String, numbers: &mut Vec<(String, f64)>) {
    match value {
        Value::Number(number) => numbers.extend(number.as_f64().map(|number| (key, number))),
        Value::Object(entries) => {
            for (name, value) in entries {
                let dot = if key.is_empty() { "" } else { "." };
                flatten(value, format!("{key}{dot}{name}"), numbers);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::{Recorder as _, RunRecorder};

    #[test]
    fn commits_are_told_apart_by_what_they_do() {
        let mut recorder = RunRecorder::new(&[]);
        let row = CommitRow { has_path: true, ..CommitRow::default() };
        recorder.commit(CommitRow { creation: true, has_path: false, adds: 9, ..row.clone() });
        recorder.commit(CommitRow { adds: 1, ciphertexts: 4, ..row.clone() });
        recorder.commit(CommitRow { adds: 2, ciphertexts: 7, ..row.clone() });
        recorder.commit(CommitRow { adds: 3, removes: 2, ciphertexts: 50, ..row.clone() });
        recorder.commit(CommitRow { ciphertexts: 3, bytes: 9, bytes_framing: 9, ..row });
        let found = by_kind(&recorder.finish());
        let cost = |commits, changes, ciphertexts, bytes| KindCost {
            commits,
            changes: Some(changes),
            ciphertexts: Some(ciphertexts),
            bytes: Some(bytes),
        };
        let expected = ByKind {
            update: cost(1, 0.0, 3.0, 9.0),
            add: cost(2, 1.5, 5.5, 0.0),
            remove: KindCost::default(),
            add_remove: cost(1, 5.0, 50.0, 0.0),
        };
        assert_eq!(found, expected);
    }
}
