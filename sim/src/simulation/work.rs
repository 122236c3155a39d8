//! What clients had to do, gathered for `work.csv`: counts, which a device profile prices later.

use arboretum_engine::crypto::{Ledger, Op};
use arboretum_engine::protocol::{CaughtUp, ClientId};
use arboretum_results::{WorkEvent, WorkKind};

use super::clients::Standing;
use super::world::World;

/// What each operation weighs when alike events are put together, about nanoseconds of a server. Nothing
/// but that rests on it: prices come from a profile.
const NOMINAL: [u64; Op::ALL.len()] =
    [7_300, 34_000, 27_000, 24_000, 9_000, 35_000, 100, 200, 200, 200, 100, 100];

/// What a byte weighs likewise: it is hashed twice.
const NOMINAL_BYTE: u64 = 2;

/// What a member keeps of each node above it and of its own leaf: a private key, 66 bytes at most.
const NODE_KEY: u64 = 66;

/// What a member keeps beside its tree and its node keys: the secrets of its epoch, its signature key, the
/// group's context.
const EPOCH_STATE: u64 = 1_024;

impl World<'_, '_> {
    /// Notes one event.
    fn note_work(&mut self, kind: WorkKind, ledger: Ledger, (commits, bytes): (u64, u64)) {
        self.note_work_after(kind, None, ledger, (commits, bytes));
    }

    fn note_work_after(
        &mut self,
        kind: WorkKind,
        away_ms: Option<u64>,
        ledger: Ledger,
        (commits, bytes): (u64, u64),
    ) {
        if !self.protocol.counts_operations() {
            return;
        }
        let ops = Op::ALL.map(|op| ledger.count(op));
        let weight = ops.iter().zip(NOMINAL).map(|(count, each)| count * each).sum::<u64>();
        let weight = weight + NOMINAL_BYTE * bytes;
        let event = WorkEvent { kind, away_ms, commits, bytes, ops: &ops, weight };
        self.facts.work.note(event);
    }

    /// A commit is accepted: what its sender spent, and what each receiver spends in public.
    pub(super) fn note_accepted(
        &mut self,
        kind: WorkKind,
        (epoch, sender, receiver): (u64, Ledger, Ledger),
        (bytes, welcome, tree_bytes): (u64, u64, u64),
    ) {
        self.note_work(kind, sender, (1, bytes + welcome));
        if kind != WorkKind::Create {
            self.note_work(WorkKind::Process, receiver, (1, bytes));
        }
        let keys = u64::from(self.protocol.tree().height) + 1;
        // Where there is no tree that members keep, nothing says what they do.
        if tree_bytes > 0 {
            self.facts.work.note_state(tree_bytes + NODE_KEY * keys + EPOCH_STATE);
        }
        // Epochs that stand in no table, those of a warm-up, add nothing.
        let so_far = self.facts.public.last().copied().unwrap_or_default();
        let place = epoch as usize;
        if self.facts.public.len() <= place {
            self.facts.public.resize(place, so_far);
            self.facts.public.push(so_far + receiver);
        }
    }

    /// A client has come in by its Welcome.
    pub(super) fn note_joined(&mut self, joined: &CaughtUp) {
        if self.facts.snapshots > 0 {
            self.facts.join_bytes.record(joined.bytes);
        }
        self.note_work(WorkKind::Join, joined.ledger, (joined.commits, joined.bytes));
    }

    /// A client has moved forward from an epoch: what it did beside what all do in public.
    pub(super) fn note_followed(&mut self, client: ClientId, from: Option<u64>, caught: &CaughtUp) {
        let (Some(from), Some(to)) = (from, self.protocol.view(client)) else { return };
        let public = |epoch: u64| self.facts.public.get(epoch as usize).copied();
        // While the group is made, epochs are taken that nobody pays for.
        let (true, Some(before), Some(after)) =
            (self.facts.snapshots > 0 && caught.commits > 0, public(from), public(to))
        else {
            return;
        };
        let mut own = Ledger::default();
        for (op, count) in caught.ledger.iter() {
            let public = after.count(op).saturating_sub(before.count(op));
            own.charge(op, count.saturating_sub(public));
        }
        self.note_work(WorkKind::Follow, own, (caught.commits, 0));
    }

    /// A client has come back and is where the group is.
    pub(super) fn note_caught_up(&mut self, away_ms: u64, caught: &CaughtUp) {
        let sizes = (caught.commits, caught.bytes);
        self.note_work_after(WorkKind::CatchUp, Some(away_ms), caught.ledger, sizes);
    }

    /// At the end: what those did who were members at both ends.
    pub(super) fn note_clients(&mut self) {
        for client in (0..self.demand.initial() as u32).map(ClientId) {
            let entry = self.clients.get(client);
            if entry.standing != Standing::Member {
                continue;
            }
            let tally = entry.tally;
            let bytes = tally.bytes_received + tally.bytes_sent;
            self.note_work(WorkKind::Client, tally.ledger, (tally.commits_processed, bytes));
            self.note_work(WorkKind::Traffic, Ledger::default(), (0, bytes));
        }
    }
}
