//! What an experiment given as a sequence of operations comes to: the record of its operations, and
//! its summary.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::distribution::FiveFigures;
use crate::records::ratio;
use crate::summary::{Host, Members, SCHEMA, names};

/// One operation that is measured, with whatever is committed along.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OperationRow {
    /// What it is: 0 an add, 1 a removal, 2 an update.
    pub kind: u8,
    /// Who issues it.
    pub by: u32,
    /// Whether that is an administrator.
    pub by_administrator: bool,
    /// Update proposals of others that it commits.
    pub proposals: u32,
    /// Whether a path is sent.
    pub committed: bool,
    /// Ciphertexts of paths.
    pub ciphertexts: u64,
    /// Public keys of paths.
    pub public_keys: u64,
    /// Bytes of both, where messages have an encoding.
    pub bytes: Option<u64>,
    /// Members afterwards; with absences, those who are active.
    pub members: u32,
    /// Members who are silent; none without absences.
    pub absence: Option<AbsenceRow>,
}

/// Members who are silent at an operation, and what was done about them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AbsenceRow {
    /// Who is silent, in the group or not.
    pub silent: u64,
    /// Who is in the group with the keys of its last own operation: whoever has its state reads on.
    pub exposed: u64,
    /// Whose keys others have made.
    pub ghosts: u64,
    /// Who has been removed and has not come back.
    pub removed: u64,
    /// Who has come back.
    pub returned: u64,
    /// Who had to be added anew.
    pub readded: u64,
    /// Ciphertexts of shares of ghosts' secrets.
    pub shares: u64,
}

/// Takes down the operations of an experiment.
#[derive(Debug, Clone)]
pub struct ExperimentRecorder {
    digest: Sha256,
    summary: ExperimentSummary,
    ciphertexts_of_administrators: u64,
    bytes: Option<u64>,
    absence: Option<AbsenceRow>,
    /// The sum of log2 of the members over all operations.
    sum_of_log2: f64,
    /// The last number of members, and its logarithm.
    log2: (u32, f64),
}

/// What the records do not say and the caller knows.
#[derive(Debug, Clone, Default)]
pub struct ExperimentFacts {
    /// Name of the experiment.
    pub scenario: String,
    /// The root seed.
    pub seed: u64,
    /// The strategy.
    pub strategy: String,
    /// Members at the start, at the first operation that counts, and at the end.
    pub members: Members,
    /// Administrators.
    pub administrators: u64,
    /// `key_age_operations`.
    pub key_age: Option<FiveFigures>,
    /// Levels of the tree at the end.
    pub tree_depth: u64,
    /// `tree_blank_parents`.
    pub tree_blank_parents: Option<u64>,
    /// The machine's side.
    pub host: Host,
}

/// `summary.json` of an experiment. What an experiment does not have is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ExperimentSummary {
    /// Version of this layout.
    pub schema: u32,
    /// Name of the experiment.
    pub scenario: String,
    /// The root seed.
    pub seed: u64,
    /// The strategy.
    pub strategy: String,
    /// Always `counted`.
    pub fidelity: String,
    /// Group size, from the first operation that counts.
    pub members: Members,
    /// Operations that count, by kind.
    pub operations: OperationCounts,
    /// Commits with a path.
    pub commits: u64,
    /// Ciphertexts of all paths.
    pub ciphertexts: u64,
    /// Public keys of all paths.
    pub public_keys: u64,
    /// Ciphertexts by all operations.
    pub ciphertexts_per_operation: f64,
    /// Ciphertexts by all paths.
    pub ciphertexts_per_commit: f64,
    /// Ciphertexts by all users who were ever members.
    pub ciphertexts_per_user: f64,
    /// Ciphertexts of administrators, by administrators; absent without them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ciphertexts_per_administrator: Option<f64>,
    /// Ciphertexts of others, by all others who were ever members; absent without administrators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ciphertexts_per_other: Option<f64>,
    /// Public keys by all operations.
    pub public_keys_per_operation: f64,
    /// Bytes of ciphertexts and public keys by all paths; absent where messages have no encoding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_commit: Option<f64>,
    /// Ciphertexts of a commit by the square root of the members at the start.
    pub commit_over_square_root: f64,
    /// Members who were silent; absent without absences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absence: Option<AbsenceFigures>,
    /// Of members at the end, operations since each got keys of its own: since it was added, or last
    /// renewed them by a commit or a proposal; absent with absences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_age_operations: Option<FiveFigures>,
    /// Levels of the tree at the end.
    pub tree_depth: u64,
    /// Blank parents at the end; absent where a protocol leaves none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree_blank_parents: Option<u64>,
    /// Lower bounds.
    pub bounds: Bounds,
    /// The machine's side; never part of a digest.
    pub host: Host,
    /// SHA-256 over the records, lower-case hexadecimal.
    pub digest: String,
}

/// Members who were silent: means over all operations, and totals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct AbsenceFigures {
    /// Mean of who is silent.
    pub silent: f64,
    /// Mean of who is exposed: silent, in the group, with keys of its own.
    pub exposed: f64,
    /// Mean of ghosts.
    pub ghosts: f64,
    /// Mean of who has been removed and not come back.
    pub removed: f64,
    /// Returns.
    pub returned: u64,
    /// Of those, how many had to be added anew.
    pub readded: u64,
    /// Ciphertexts of shares.
    pub shares: u64,
    /// Ciphertexts of paths and shares, by operations.
    pub ciphertexts_per_operation: f64,
}

/// Operations by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationCounts {
    /// All of them.
    pub all: u64,
    /// Adds.
    pub adds: u64,
    /// Removals.
    pub removes: u64,
    /// Updates.
    pub updates: u64,
    /// Update proposals committed along.
    pub proposals: u64,
}

/// Lower bounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// The mean of log2 of the members over all operations: the least that an update costs on
    /// average in a binary tree.
    pub log2_members: f64,
}

impl ExperimentSummary {
    /// The dotted keys of all numbers that an experiment's summary can have.
    pub fn metric_names() -> Vec<String> {
        names(&Self {
            ciphertexts_per_administrator: Some(0.0),
            ciphertexts_per_other: Some(0.0),
            bytes_per_commit: Some(0.0),
            absence: Some(AbsenceFigures::default()),
            key_age_operations: Some(FiveFigures::default()),
            tree_blank_parents: Some(0),
            ..Self::default()
        })
    }
}

impl Default for ExperimentRecorder {
    fn default() -> Self {
        Self {
            digest: Sha256::new_with_prefix("arboretum experiment digest 1"),
            summary: ExperimentSummary { schema: SCHEMA, ..ExperimentSummary::default() },
            ciphertexts_of_administrators: 0,
            bytes: None,
            absence: None,
            sum_of_log2: 0.0,
            log2: (1, 0.0),
        }
    }
}

impl ExperimentRecorder {
    /// Takes down an operation.
    pub fn operation(&mut self, row: OperationRow) {
        let mut bytes = [0; 30];
        bytes[0] = row.kind;
        bytes[1] = u8::from(row.committed) | u8::from(row.by_administrator) << 1;
        bytes[2..6].copy_from_slice(&row.by.to_le_bytes());
        bytes[6..10].copy_from_slice(&row.proposals.to_le_bytes());
        bytes[10..18].copy_from_slice(&row.ciphertexts.to_le_bytes());
        bytes[18..26].copy_from_slice(&row.public_keys.to_le_bytes());
        bytes[26..].copy_from_slice(&row.members.to_le_bytes());
        self.digest.update(bytes);
        let summary = &mut self.summary;
        let counts = &mut summary.operations;
        counts.all += 1;
        counts.proposals += u64::from(row.proposals);
        match row.kind {
            0 => counts.adds += 1,
            1 => counts.removes += 1,
            _ => counts.updates += 1,
        }
        summary.commits += u64::from(row.committed);
        summary.ciphertexts += row.ciphertexts;
        summary.public_keys += row.public_keys;
        summary.members.max = summary.members.max.max(row.members.into());
        if let Some(row) = row.absence {
            self.digest.update(
                [row.exposed, row.ghosts, row.removed, row.shares].map(u64::to_le_bytes).concat(),
            );
            let sum = self.absence.get_or_insert_default();
            sum.silent += row.silent;
            sum.exposed += row.exposed;
            sum.ghosts += row.ghosts;
            sum.removed += row.removed;
            sum.returned += row.returned;
            sum.readded += row.readded;
            sum.shares += row.shares;
        }
        self.digest.update(row.bytes.unwrap_or_default().to_le_bytes());
        if let Some(bytes) = row.bytes {
            *self.bytes.get_or_insert(0) += bytes;
        }
        if row.by_administrator {
            self.ciphertexts_of_administrators += row.ciphertexts;
        }
        if self.log2.0 != row.members {
            self.log2 = (row.members, libm::log2(f64::from(row.members.max(1))));
        }
        self.sum_of_log2 += self.log2.1;
    }

    /// Closes the record.
    pub fn finish(self, facts: ExperimentFacts) -> ExperimentSummary {
        let Self { digest, mut summary, ciphertexts_of_administrators, bytes, absence, .. } = self;
        let operations = summary.operations.all;
        let by = |count| ratio(summary.ciphertexts, count);
        let max = summary.members.max.max(facts.members.start);
        summary.ciphertexts_per_operation = by(operations);
        summary.ciphertexts_per_commit = by(summary.commits);
        summary.ciphertexts_per_user = by(facts.members.ever);
        if facts.administrators > 0 {
            let others = summary.ciphertexts - ciphertexts_of_administrators;
            let count = facts.members.ever - facts.administrators;
            summary.ciphertexts_per_other = Some(ratio(others, count));
            let own = ratio(ciphertexts_of_administrators, facts.administrators);
            summary.ciphertexts_per_administrator = Some(own);
        }
        summary.bytes_per_commit = bytes.map(|bytes| ratio(bytes, summary.commits));
        summary.public_keys_per_operation = ratio(summary.public_keys, operations);
        summary.commit_over_square_root =
            summary.ciphertexts_per_commit / (facts.members.start.max(1) as f64).sqrt();
        summary.bounds.log2_members = self.sum_of_log2 / operations.max(1) as f64;
        summary.absence = absence.map(|sum| AbsenceFigures {
            silent: ratio(sum.silent, operations),
            exposed: ratio(sum.exposed, operations),
            ghosts: ratio(sum.ghosts, operations),
            removed: ratio(sum.removed, operations),
            returned: sum.returned,
            readded: sum.readded,
            shares: sum.shares,
            ciphertexts_per_operation: ratio(summary.ciphertexts + sum.shares, operations),
        });
        summary.digest = hex::encode(digest.finalize());
        ExperimentSummary {
            scenario: facts.scenario,
            seed: facts.seed,
            strategy: facts.strategy,
            fidelity: "counted".into(),
            members: Members { max, ..facts.members },
            key_age_operations: facts.key_age,
            tree_depth: facts.tree_depth,
            tree_blank_parents: facts.tree_blank_parents,
            host: facts.host,
            ..summary
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_of_operations_commits_and_users() {
        let mut recorder = ExperimentRecorder::default();
        let row = OperationRow {
            kind: 2,
            committed: true,
            ciphertexts: 6,
            members: 4,
            ..OperationRow::default()
        };
        recorder.operation(row);
        recorder.operation(OperationRow { by_administrator: true, ..row });
        recorder.operation(OperationRow { kind: 1, committed: false, ciphertexts: 0, ..row });
        let members = Members { start: 4, end: 4, max: 0, ever: 6 };
        let facts = ExperimentFacts { members, administrators: 2, ..ExperimentFacts::default() };
        let summary = recorder.finish(facts);
        assert_eq!((summary.ciphertexts, summary.commits), (12, 2));
        assert_eq!(summary.ciphertexts_per_operation, 4.0);
        assert_eq!(summary.ciphertexts_per_commit, 6.0);
        assert_eq!(summary.ciphertexts_per_user, 2.0);
        assert_eq!(summary.ciphertexts_per_administrator, Some(3.0));
        assert_eq!(summary.ciphertexts_per_other, Some(1.5));
        assert_eq!((summary.commit_over_square_root, summary.bounds.log2_members), (3.0, 2.0));
        assert_eq!(summary.members.max, 4);
    }

    #[test]
    fn the_digest_tells_records_apart() {
        let digest = |row| {
            let mut recorder = ExperimentRecorder::default();
            recorder.operation(row);
            recorder.finish(ExperimentFacts::default()).digest
        };
        let row = OperationRow { kind: 2, by: 7, ciphertexts: 9, ..OperationRow::default() };
        assert_eq!(digest(row), digest(row));
        for other in [
            OperationRow { kind: 1, ..row },
            OperationRow { by: 8, ..row },
            OperationRow { by_administrator: true, ..row },
            OperationRow { committed: true, ..row },
            OperationRow { proposals: 1, ..row },
            OperationRow { ciphertexts: 10, ..row },
            OperationRow { public_keys: 1, ..row },
            OperationRow { bytes: Some(1), ..row },
            OperationRow { members: 1, ..row },
        ] {
            assert_ne!(digest(row), digest(other));
        }
    }
}
