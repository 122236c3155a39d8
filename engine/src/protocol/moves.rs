//! Members that have changed their leaf: where they stood in the epochs before, as long as
//! somebody may still commit there.

use std::collections::BTreeMap;

use super::ClientId;
use crate::tree::LeafIndex;

/// The moves of all clients.
#[derive(Debug, Default)]
pub(super) struct Moves {
    /// For each client, ascending: the epoch from which it stood elsewhere, and where it had.
    past: BTreeMap<ClientId, Vec<(u64, LeafIndex)>>,
}

impl Moves {
    /// A client has left a leaf for another with the commit that led to an epoch.
    pub(super) fn note(&mut self, client: ClientId, epoch: u64, from: LeafIndex) {
        self.past.entry(client).or_default().push((epoch, from));
    }

    /// The leaf of a client in an epoch, if it stands at `newest` now.
    pub(super) fn leaf_in(&self, epoch: u64, client: ClientId, newest: LeafIndex) -> LeafIndex {
        let past = self.past.get(&client).map_or(&[][..], Vec::as_slice);
        past.iter().find(|(since, _)| epoch < *since).map_or(newest, |(_, leaf)| *leaf)
    }

    /// Nobody commits in an epoch before this one any more.
    pub(super) fn forget_before(&mut self, epoch: u64) {
        self.past.retain(|_, moves| {
            moves.retain(|(since, _)| *since > epoch);
            !moves.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_stood_where_its_next_move_started() {
        let (client, now) = (ClientId(7), LeafIndex(1));
        let mut moves = Moves::default();
        moves.note(client, 5, LeafIndex(9));
        moves.note(client, 8, LeafIndex(4));
        let leaf = |moves: &Moves, epoch| moves.leaf_in(epoch, client, now);
        assert_eq!([4, 5, 7, 8].map(|epoch| leaf(&moves, epoch).0), [9, 4, 4, 1]);
        assert_eq!(moves.leaf_in(4, ClientId(6), now), now);
        moves.forget_before(5);
        assert_eq!([5, 7, 8].map(|epoch| leaf(&moves, epoch).0), [4, 4, 1]);
        moves.forget_before(8);
        assert!(moves.past.is_empty());
    }
}
