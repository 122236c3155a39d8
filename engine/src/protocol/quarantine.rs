//! Ghosts as the simulator sees them, and the book that the two TreeKEMs keep of them: by which commits
//! a client has been given keys by others, who holds their shares, and how far the client itself can
//! go (`treesync/quarantine.rs`, `group/quarantine.rs`).
//!
//! A ghost's own view never passes the epoch before the first of its keys that it has not found. What it
//! holds there is what it held before, and what a thief of its state has.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha20Rng;

use super::{ClientId, ProtocolError};
use crate::crypto::{Crypto, HpkeCiphertext, HpkeKeyPair};
use crate::group::{HeldShare, Member, NewGhost, ShareRequest, Transition, choose_holders};
use crate::tree::LeafIndex;
use crate::treesync::{HOLDERS, Quarantine, QuarantineError, THRESHOLD};

/// A member whose keys others make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ghost {
    /// The epoch that its first key made.
    pub since: u64,
    /// The epoch that its newest key made.
    pub renewed: u64,
    /// How many keys it has been given.
    pub keys: u32,
    /// Whether it has found them all, and only its own commit is missing.
    pub recovered: bool,
    /// Whether its request for shares is open. A new key makes a request void.
    pub asked: bool,
    /// Who holds shares of the newest key.
    pub holders: Vec<ClientId>,
    /// Bytes of the proposal that gave it the newest key.
    pub bytes: u64,
}

/// A key that a ghost was given.
#[derive(Debug)]
pub(super) struct Given<E> {
    /// The epoch before the commit that gave it.
    pub(super) epoch: u64,
    /// What is kept of that epoch.
    pub(super) before: E,
    /// What was proposed, the key, and its shares; what nobody but the simulation has.
    pub(super) made: NewGhost,
    /// Who was given shares, in their order.
    pub(super) holders: Vec<ClientId>,
    /// Those who still have theirs, or will have once they have followed.
    keep: BTreeSet<ClientId>,
}

/// A request for shares, and what has come of it.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) request: ShareRequest,
    pub(super) pair: HpkeKeyPair,
    pub(super) answers: Vec<(ClientId, HpkeCiphertext)>,
}

/// What is known of one ghost.
#[derive(Debug)]
pub(super) struct Record<E> {
    pub(super) leaf: LeafIndex,
    pub(super) given: Vec<Given<E>>,
    /// How many of its keys the client itself has found.
    pub(super) found: usize,
    pub(super) asked: Option<Asked>,
    /// Requests so far.
    pub(super) requests: u64,
    /// Whether it has been removed, and has not heard of it.
    pub(super) removed: bool,
}

impl<E> Record<E> {
    /// The keys that the client has not found.
    pub(super) fn missing(&self) -> &[Given<E>] {
        self.given.get(self.found..).unwrap_or_default()
    }

    /// Whether each missing key has a quorum among those of whom this is true.
    fn quorum(&self, gives: impl Fn(ClientId) -> bool) -> bool {
        let of = |given: &Given<E>| given.keep.iter().filter(|it| gives(**it)).count();
        self.missing().iter().all(|given| of(given) >= usize::from(THRESHOLD))
    }

    /// What a holder has that is of use to the ghost, being itself in an epoch.
    pub(super) fn held_by(&self, holder: ClientId, view: u64) -> Vec<HeldShare> {
        let given = self.missing().iter().filter(|given| given.epoch < view);
        let own = given.filter(|given| given.keep.contains(&holder)).filter_map(|given| {
            let at = given.holders.iter().position(|it| *it == holder)?;
            let share = given.made.shares.get(at)?.clone();
            Some(HeldShare { ghost: self.leaf, epoch: given.epoch, share })
        });
        own.collect()
    }
}

/// All ghosts, and what their holders have opened.
#[derive(Debug)]
pub(super) struct Ghosts<E> {
    records: BTreeMap<ClientId, Record<E>>,
    /// For each client, ascending: the epochs made by commits that brought it a share.
    brought: BTreeMap<ClientId, Vec<u64>>,
}

impl<E> Default for Ghosts<E> {
    fn default() -> Self {
        Self { records: BTreeMap::new(), brought: BTreeMap::new() }
    }
}

/// Makes the keys that a commit is to give: to those `wanted`, and to every ghost of whose key somebody
/// knows who goes by it. `ghosts` are where some stand; `goes` are the leaves removed, `busy` those with an Update
/// in the commit, who cannot hold a share and are no ghosts after it. Whoever is wanted and no ghost yet is left as it is where there are not enough
/// holders.
pub(super) fn make_ghosts(
    crypto: &Crypto<'_>,
    member: &Member,
    wanted: &[LeafIndex],
    ghosts: impl Iterator<Item = LeafIndex>,
    (goes, busy): (&BTreeSet<LeafIndex>, &BTreeSet<LeafIndex>),
    rng: &mut ChaCha20Rng,
) -> Result<Vec<NewGhost>, ProtocolError> {
    let tree = &member.public.tree;
    let own = member.leaf;
    let mut making: BTreeSet<LeafIndex> = wanted.iter().copied().collect();
    making.retain(|leaf| *leaf != own && !goes.contains(leaf));
    let gone: BTreeSet<LeafIndex> = goes.union(&making).copied().collect();
    if gone.is_empty() {
        return Ok(vec![]);
    }
    let stays = |leaf: &LeafIndex| *leaf != own && !goes.contains(leaf) && !busy.contains(leaf);
    for leaf in ghosts.filter(stays) {
        let source = tree.leaf(leaf).and_then(|it| it.ghost());
        if source.is_some_and(|source| source.keepers().any(|keeper| gone.contains(&keeper))) {
            making.insert(leaf);
        }
    }
    let mut may_not: BTreeSet<LeafIndex> = gone.union(busy).copied().collect();
    may_not.insert(own);
    let mut made = Vec::with_capacity(making.len());
    for leaf in making {
        let holders = choose_holders(tree, leaf, &may_not, rng);
        let is_ghost = tree.leaf(leaf).is_some_and(|it| it.ghost().is_some());
        if holders.len() < HOLDERS && !is_ghost {
            continue;
        }
        made.push(member.quarantine(crypto, leaf, &holders, rng)?);
    }
    // Who was not made a ghost after all does not go, and renewing for it was in vain, not wrong.
    Ok(made)
}

impl<E> Ghosts<E> {
    /// How a client stands, if others make its keys.
    pub(super) fn ghost(&self, client: ClientId) -> Option<Ghost> {
        let record = self.records.get(&client).filter(|record| !record.removed)?;
        let (first, last) = (record.given.first()?, record.given.last()?);
        Some(Ghost {
            since: first.epoch + 1,
            renewed: last.epoch + 1,
            keys: record.given.len() as u32,
            recovered: record.missing().is_empty(),
            asked: record.asked.is_some(),
            holders: last.holders.clone(),
            bytes: proposal_bytes(&last.made.proposal),
        })
    }

    /// All clients whose keys others make.
    pub(super) fn clients(&self) -> impl Iterator<Item = ClientId> {
        self.records.iter().filter(|(_, record)| !record.removed).map(|(client, _)| *client)
    }

    /// Where ghosts stand.
    pub(super) fn leaves(&self) -> impl Iterator<Item = LeafIndex> {
        self.records.values().filter(|record| !record.removed).map(|record| record.leaf)
    }

    /// The epoch that a client's view cannot pass.
    pub(super) fn limit(&self, client: ClientId) -> Option<u64> {
        self.records.get(&client)?.missing().first().map(|given| given.epoch)
    }

    /// What is kept of that epoch.
    pub(super) fn last_before(&self, client: ClientId) -> Option<&E> {
        self.records.get(&client)?.missing().first().map(|given| &given.before)
    }

    /// Whether a client has been removed while it could not follow; it is told once.
    pub(super) fn is_removed(&self, client: ClientId) -> bool {
        self.records.get(&client).is_some_and(|record| record.removed)
    }

    pub(super) fn record(&self, client: ClientId) -> Result<&Record<E>, ProtocolError> {
        let record = self.records.get(&client).filter(|record| !record.removed);
        record.ok_or_else(|| not_a_ghost(client))
    }

    pub(super) fn record_mut(&mut self, client: ClientId) -> Result<&mut Record<E>, ProtocolError> {
        let record = self.records.get_mut(&client).filter(|record| !record.removed);
        record.ok_or_else(|| not_a_ghost(client))
    }

    /// The number of a ghost's open request.
    pub(super) fn request(&self, client: ClientId) -> Option<u64> {
        let record = self.records.get(&client)?;
        record.asked.as_ref().map(|_| record.requests)
    }

    /// Nothing more is kept of a client as a ghost.
    pub(super) fn forget(&mut self, client: ClientId) {
        self.records.remove(&client);
    }

    /// Shares that commits leading to epochs after `from` and up to `to` have brought a client.
    pub(super) fn brought(&self, client: ClientId, from: u64, to: u64) -> u64 {
        let epochs = self.brought.get(&client).map_or(&[][..], Vec::as_slice);
        let up_to = |epoch| epochs.partition_point(|it| *it <= epoch);
        up_to(to).saturating_sub(up_to(from)) as u64
    }

    /// A commit is in effect: `gone` are the clients that it removes, `renewed` those that
    /// have new leaves of their own.
    pub(super) fn settle(
        &mut self,
        gone: &[ClientId],
        renewed: &[ClientId],
        given: Vec<(ClientId, Given<E>)>,
    ) {
        for client in gone {
            if let Some(record) = self.records.get_mut(client) {
                record.removed = true;
                record.asked = None;
            }
            self.lose_shares(*client);
        }
        for client in renewed {
            self.records.remove(client);
        }
        for (client, given) in given {
            for holder in &given.holders {
                self.brought.entry(*holder).or_default().push(given.epoch + 1);
            }
            let leaf = given.made.proposal.ghost;
            let record = self.records.entry(client).or_insert_with(|| Record {
                leaf,
                given: vec![],
                found: 0,
                asked: None,
                requests: 0,
                removed: false,
            });
            record.given.push(given);
            record.asked = None;
        }
    }

    /// Whether a holder in this epoch has shares that a ghost needs.
    pub(super) fn holds(&self, holder: ClientId, view: Option<u64>, ghost: ClientId) -> bool {
        let record = self.record(ghost).ok().zip(view);
        record.is_some_and(|(record, view)| !record.held_by(holder, view).is_empty())
    }

    /// Who can give shares that a ghost needs, and has not answered.
    pub(super) fn helpers(&self, ghost: ClientId) -> Vec<ClientId> {
        let Ok(record) = self.record(ghost) else { return vec![] };
        let answered: Vec<ClientId> = record
            .asked
            .iter()
            .flat_map(|asked| &asked.answers)
            .map(|(holder, _)| *holder)
            .collect();
        let all = record.missing().iter().flat_map(|given| &given.keep);
        let helpers: BTreeSet<ClientId> =
            all.copied().filter(|it| !answered.contains(it)).collect();
        helpers.into_iter().collect()
    }

    /// Whether shares could be enough, if all of these gave theirs beside those who have answered.
    pub(super) fn is_quorum(&self, ghost: ClientId, with: &[ClientId]) -> bool {
        let Ok(record) = self.record(ghost) else { return false };
        let answers = record.asked.iter().flat_map(|asked| &asked.answers);
        let answered: BTreeSet<ClientId> = answers.map(|(holder, _)| *holder).collect();
        record.quorum(|it| with.contains(&it) || answered.contains(&it))
    }

    /// A client has nothing any more of what it held.
    pub(super) fn lose_shares(&mut self, client: ClientId) {
        let all = self.records.values_mut().flat_map(|record| &mut record.given);
        all.for_each(|given| _ = given.keep.remove(&client));
    }
}

/// The key that a commit has given, as the book keeps it. `client_at` says who stood where before it.
pub(super) fn given<E>(
    epoch: u64,
    before: E,
    made: NewGhost,
    client_at: impl Fn(LeafIndex) -> Option<ClientId>,
) -> Result<(ClientId, Given<E>), ProtocolError> {
    let at = |leaf| client_at(leaf).ok_or_else(|| lost(leaf));
    let client = at(made.proposal.ghost)?;
    let source = made.proposal.source().map_err(broken)?;
    let holders: Vec<ClientId> =
        source.holders.iter().map(|leaf| at(*leaf)).collect::<Result<_, _>>()?;
    let keep = holders.iter().copied().collect();
    Ok((client, Given { epoch, before, made, holders, keep }))
}

/// The length of a proposal on the wire.
fn proposal_bytes(proposal: &Quarantine) -> u64 {
    use tls_codec::Size;
    2 + proposal.tls_serialized_len() as u64
}

/// The keys that a commit gives are those that its sender has made for it.
pub(super) fn check_made(transition: &Transition, made: &[NewGhost]) -> Result<(), ProtocolError> {
    let proposals = made.iter().map(|it| &it.proposal);
    if transition.applied.quarantined.iter().eq(proposals) {
        return Ok(());
    }
    Err(ProtocolError::Check("a commit gives ghosts other keys than were made".into()))
}

pub(super) fn broken(error: QuarantineError) -> ProtocolError {
    ProtocolError::Check(error.to_string())
}

fn not_a_ghost(client: ClientId) -> ProtocolError {
    ProtocolError::Check(format!("{client} is no ghost"))
}

fn lost(leaf: LeafIndex) -> ProtocolError {
    ProtocolError::Check(format!("nobody stands at {leaf}"))
}
