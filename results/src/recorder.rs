//! The recorder: takes records as they happen, keeps rows and distributions, chains the digest.

use crate::digest::RunDigest;
use crate::distribution::Distribution;
use crate::records::{CatchUp, CommitRow, Event, PortraitRow, TreeRow};
use crate::system::Messages;

/// Where a simulation reports to. Records come in the order they happen.
pub trait Recorder {
    /// An accepted commit.
    fn commit(&mut self, row: CommitRow);
    /// A snapshot of the tree.
    fn tree(&mut self, row: TreeRow);
    /// A portrait of the whole tree, level by level. Like the two below, it retells what other
    /// records say and is no part of the digest.
    fn portrait(&mut self, _rows: Vec<PortraitRow>) {}
    /// The tree has all keys again that a removal took, so many milliseconds after it.
    fn path_closed(&mut self, _blank_ms: u64) {}
    /// A client that caught up.
    fn catch_up(&mut self, catch_up: CatchUp);
    /// What has become of application messages so far, where some are sent.
    fn messages(&mut self, _messages: &Messages) {}
    /// Something worth telling. Ask [`wants_events`](Self::wants_events) before building one.
    fn event(&mut self, event: Event);
    /// Whether events are kept; `false` spares the caller the texts.
    fn wants_events(&self) -> bool {
        false
    }
}

// Tags of the digest: one per kind of record.
const TAG_COMMIT: u8 = 1;
const TAG_TREE: u8 = 2;
const TAG_CATCH_UP: u8 = 3;
const TAG_MESSAGES: u8 = 4;

/// Catch-ups of clients that were away for a similar time.
#[derive(Debug, Clone)]
pub struct AwayBucket {
    /// Shortest time away in the bucket, seconds.
    pub from_s: u64,
    /// Time away at which the next bucket starts, seconds.
    pub to_s: u64,
    /// Bytes fetched per catch-up.
    pub bytes: Distribution,
    /// Commits processed per catch-up.
    pub commits: Distribution,
}

/// The recorder of a run: keeps everything in memory, about 400 bytes a commit, 150 a snapshot,
/// at most 1 MB a portrait, nothing per catch-up.
#[derive(Debug)]
pub struct RunRecorder {
    digest: RunDigest,
    keep_events: bool,
    recorded: Recorded,
}

/// All that a run recorded.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    /// Names of the operations behind `sender_ops` and `receiver_ops`.
    pub op_names: &'static [&'static str],
    /// Accepted commits in order.
    pub commits: Vec<CommitRow>,
    /// Snapshots in order.
    pub tree: Vec<TreeRow>,
    /// Portraits in order, each by level and from the left.
    pub portraits: Vec<PortraitRow>,
    /// Seconds from each removal until its path was whole again.
    pub blank_path_s: Distribution,
    /// Events in order; empty unless kept.
    pub events: Vec<Event>,
    /// Ciphertexts of each path update.
    pub update_ciphertexts: Distribution,
    /// Bytes of each path update ([`CommitRow::path_bytes`]).
    pub update_bytes: Distribution,
    /// Bytes of each catch-up.
    pub catch_up_bytes: Distribution,
    /// Commits of each catch-up.
    pub catch_up_commits: Distribution,
    /// Catch-ups by time away, ascending, buckets without any left out.
    pub by_away: Vec<AwayBucket>,
    /// Catch-ups that ended in finding oneself removed.
    pub found_removed: u64,
    /// SHA-256 over all records but events and what retells others, lower-case hexadecimal.
    pub digest: String,
}

impl RunRecorder {
    /// A recorder for commits that count the operations of these names, in this order.
    pub fn new(op_names: &'static [&'static str]) -> Self {
        Self {
            digest: RunDigest::new(op_names),
            keep_events: false,
            recorded: Recorded { op_names, ..Recorded::default() },
        }
    }

    /// Keeps events too. The digest stays the same: it depends on no output option.
    #[must_use]
    pub fn with_events(mut self) -> Self {
        self.keep_events = true;
        self
    }

    /// The digest of the records so far, lower-case hexadecimal.
    pub fn digest(&self) -> String {
        self.digest.hex()
    }

    /// What is recorded so far; its digest is empty until [`finish`](Self::finish).
    pub fn so_far(&self) -> &Recorded {
        &self.recorded
    }

    /// Closes the record.
    pub fn finish(self) -> Recorded {
        Recorded { digest: self.digest.hex(), ..self.recorded }
    }
}

impl Recorder for RunRecorder {
    /// # Panics
    /// If the parts of the message do not sum to its bytes, or operations do not fit their names:
    /// a table with such a row would be worse than none.
    fn commit(&mut self, row: CommitRow) {
        assert_eq!(row.bytes_of_parts(), row.bytes, "parts of the commit for epoch {}", row.epoch);
        for ops in [&row.sender_ops, &row.receiver_ops] {
            let fits = ops.is_empty() || ops.len() == self.recorded.op_names.len();
            assert!(fits, "{} operations for {} names", ops.len(), self.recorded.op_names.len());
        }
        self.digest.bytes(&[TAG_COMMIT]);
        row.digest_fields(&mut self.digest);
        self.digest.u64s(&row.sender_ops);
        self.digest.u64s(&row.receiver_ops);
        if row.has_path {
            self.recorded.update_ciphertexts.record(row.ciphertexts);
            self.recorded.update_bytes.record(row.path_bytes());
        }
        self.recorded.commits.push(row);
    }

    fn tree(&mut self, row: TreeRow) {
        self.digest.bytes(&[TAG_TREE]);
        row.digest_fields(&mut self.digest);
        self.recorded.tree.push(row);
    }

    fn portrait(&mut self, rows: Vec<PortraitRow>) {
        self.recorded.portraits.extend(rows);
    }

    fn path_closed(&mut self, blank_ms: u64) {
        self.recorded.blank_path_s.record(blank_ms / 1_000);
    }

    fn catch_up(&mut self, catch_up: CatchUp) {
        self.digest.bytes(&[TAG_CATCH_UP]);
        catch_up.digest_fields(&mut self.digest);
        let recorded = &mut self.recorded;
        recorded.catch_up_bytes.record(catch_up.bytes);
        recorded.catch_up_commits.record(catch_up.commits);
        recorded.found_removed += u64::from(catch_up.removed);
        let bucket = bucket_of(&mut recorded.by_away, catch_up.away_ms / 1_000);
        bucket.bytes.record(catch_up.bytes);
        bucket.commits.record(catch_up.commits);
    }

    fn messages(&mut self, messages: &Messages) {
        self.digest.bytes(&[TAG_MESSAGES]);
        messages.digest_fields(&mut self.digest);
    }

    fn event(&mut self, event: Event) {
        if self.keep_events {
            self.recorded.events.push(event);
        }
    }

    fn wants_events(&self) -> bool {
        self.keep_events
    }
}

fn bucket_of(buckets: &mut Vec<AwayBucket>, away_s: u64) -> &mut AwayBucket {
    let (from_s, to_s) = away_range(away_s);
    let place = buckets.binary_search_by_key(&from_s, |bucket| bucket.from_s);
    let index = place.unwrap_or_else(|index| {
        let (bytes, commits) = (Distribution::default(), Distribution::default());
        buckets.insert(index, AwayBucket { from_s, to_s, bytes, commits });
        index
    });
    &mut buckets[index]
}

/// The bucket of a time away, seconds: under a minute, then steps 1, 1.5, 2, 3, 4, 6, 8, … minutes.
/// Half steps of a power of two keep days apart from weeks and stay whole numbers.
pub(crate) fn away_range(away_s: u64) -> (u64, u64) {
    if away_s < 60 {
        return (0, 60);
    }
    let power = 60 << (away_s / 60).ilog2().min(40);
    let middle = power / 2 * 3;
    if away_s < middle { (power, middle) } else { (middle, 2 * power) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn away_buckets_tile_the_line() {
        let mut expected = 0;
        for _ in 0..50 {
            let (from, to) = away_range(expected);
            assert_eq!(from, expected);
            assert_eq!(away_range(to - 1), (from, to));
            expected = to;
        }
        assert!(expected > 10 * 365 * 86_400);
    }

    #[test]
    fn only_paths_count_as_updates() {
        let mut recorder = RunRecorder::new(&[]);
        recorder.commit(CommitRow { ciphertexts: 7, has_path: true, ..CommitRow::default() });
        recorder.commit(CommitRow { ciphertexts: 9, ..CommitRow::default() });
        let recorded = recorder.finish();
        assert_eq!(recorded.update_ciphertexts.count(), 1);
        assert_eq!(recorded.commits.len(), 2);
    }

    #[test]
    #[should_panic(expected = "parts of the commit for epoch 3")]
    fn parts_must_sum() {
        RunRecorder::new(&[]).commit(CommitRow { epoch: 3, bytes: 1, ..CommitRow::default() });
    }
}
