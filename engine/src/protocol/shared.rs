//! TreeKEM at fidelity `shared` (and, with the counting provider, `counted`): one public and
//! one private tree for everybody, each distinct computation done once, every client who would
//! have done it charged and moved on.
//!
//! A client is a pointer to the epoch it is in. What it owes for the commits it missed is the
//! difference of two running totals plus a sum along its path, so being away costs nothing to
//! simulate. At any moment a client can be materialised: its keys are read off its path in its
//! own epoch, and it goes on from the wire as a [`Member`].

mod checking;
mod copied;
mod messages;
mod path;
mod quarantine;
mod rebuild;
mod rejoin;
mod turnover;
mod watch;
mod welcome;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Weak};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::abilities::common;
use super::clients::{Clients, clients_of};
use super::copied::Copies;
use super::healing::check_healed;
use super::moves::Moves;
use super::private_tree::PrivateTree;
use super::proposals::{Proposals, Renewal};
use super::quarantine::{Ghosts, broken, make_ghosts};
use super::rebuild::Successor;
use super::witness::Witness;
use super::{
    Abilities, Accepted, CaughtUp, ClientId, Common, Copied, CopyId, Draft, Entering, Ghost,
    Joined, MessageId, Opaque, Order, Protocol, ProtocolError, Rebuilding, Received, Seeds, Sent,
};
use crate::crypto::{Crypto, Digest, Ledger, Provider, Secret};
use crate::group::{
    ApplyError, CommitRequest, Holdings, Member, NewGhost, PendingCommit, Protection, PublicGroup,
    Transition,
};
use crate::strategy::{Room, Strategy};
use crate::tree::{Aggregates, LeafIndex, Traversed, Tree};
use crate::treekem::{EpochSecrets, PathSecret, PskStore, expected_ciphertexts};
use crate::treesync::{
    AppliedProposals, KeyPackage, KeyPackageSecrets, Proposal, Roster, RosterChange,
    encoded_tree_length, tainted_by, tree_hash,
};

use checking::{Checked, opening};
use copied::Drawer;
use messages::Traffic;
use path::next_private;
use rebuild::Step;
pub(super) use welcome::single_welcome_length;
use welcome::validation_ledger;

/// Below this many independent openings, waking other threads costs more than it saves.
const PARALLEL_FROM: usize = 16;

/// What following all commits up to an epoch takes of a member that was there for all of them,
/// but for the node secrets it derives, which depend on where it stands.
#[derive(Clone, Copy, Default)]
struct Totals {
    bytes: u64,
    ledger: Ledger,
}

/// Everything about one epoch.
struct Epoch {
    number: u64,
    public: PublicGroup,
    private: PrivateTree,
    secrets: Arc<EpochSecrets>,
    totals: Totals,
}

/// How a client stands to the group.
struct Membership {
    leaf: LeafIndex,
    /// The epoch of its view; the one it was added in until it has joined.
    epoch: Arc<Epoch>,
    /// What joining will take, until it has joined, with what must be followed before.
    invited: Option<CaughtUp>,
    departure: Option<Departure>,
    /// Whether it has lost all it held, and not entered anew.
    lost: bool,
    /// The epoch that it had come to in the group before, until it has joined.
    before: Option<u64>,
}

impl Membership {
    /// In the tree from this epoch on; `invited` says what joining will take.
    fn at(leaf: LeafIndex, epoch: Arc<Epoch>, invited: Option<CaughtUp>) -> Self {
        Self { leaf, epoch, invited, departure: None, lost: false, before: None }
    }

    /// The epoch that it has really come to; the one that it was added in, until it has joined.
    fn view(&self) -> u64 {
        self.before.filter(|_| self.invited.is_some()).unwrap_or(self.epoch.number)
    }
}

/// The commit that removes a client, and the epoch before it.
#[derive(Clone)]
struct Departure {
    last: Arc<Epoch>,
    bytes: u64,
    ledger: Ledger,
}

/// A client whose package has been taken for an Add.
#[derive(Debug)]
struct Invitation {
    client: ClientId,
    /// The package's number.
    number: u32,
    package: KeyPackage,
    secrets: KeyPackageSecrets,
}

/// A commit between making and acceptance.
#[derive(Debug)]
pub(super) struct SharedDraft {
    pending: PendingCommit,
    invitations: Vec<Invitation>,
    /// Whether its sender enters anew by it.
    enters: bool,
    /// The group that replaces the one which it ends.
    successor: Option<Successor>,
    /// The keys that it gives to ghosts.
    ghosts: Vec<NewGhost>,
}

/// All clients of one group, their work shared.
pub struct SharedTreeKem<S> {
    provider: &'static dyn Provider,
    clients: Clients<S>,
    members: Vec<Option<Membership>>,
    /// The newest epoch's roster, and how the last epochs got there.
    roster: Roster,
    recent: VecDeque<(Arc<Epoch>, Vec<RosterChange>)>,
    epochs: Vec<Weak<Epoch>>,
    moves: Moves,
    /// What is proposed in the newest epoch.
    waiting: Proposals,
    /// Who committed last, and has published the newest GroupInfo.
    publisher: Option<ClientId>,
    /// Every commit as it was sent and what had been proposed before it, if somebody is going to
    /// ask for them.
    log: Option<Vec<(Vec<u8>, Proposals)>>,
    /// What deriving one node of a path takes, its key and the next secret.
    per_node: Ledger,
    /// What its key alone takes.
    per_key: Ledger,
    witness: Witness,
    ghosts: Ghosts<Arc<Epoch>>,
    /// The first epoch of the group: not 0, if it has replaced another.
    base: u64,
    traffic: Traffic,
    copies: Copies,
    /// What those have for messages whose states were copied.
    drawers: BTreeMap<CopyId, Drawer>,
}

impl<S: Seeds> SharedTreeKem<S> {
    /// No clients yet; their group will keep its tree by this strategy.
    pub fn new(
        provider: &'static dyn Provider,
        seeds: S,
        strategy: Strategy,
    ) -> Result<Self, ProtocolError> {
        let crypto = Crypto::new(provider);
        let secret = PathSecret(crypto.zero());
        secret.key_pair(&crypto)?;
        let per_key = crypto.ledger();
        secret.next(&crypto);
        let per_node = crypto.ledger();
        Ok(Self {
            provider,
            clients: Clients::new(seeds, strategy),
            members: vec![],
            roster: Roster::default(),
            recent: VecDeque::new(),
            epochs: vec![],
            moves: Moves::default(),
            waiting: Proposals::default(),
            publisher: None,
            log: None,
            per_node,
            per_key,
            witness: Witness::of_sample(),
            ghosts: Ghosts::default(),
            base: 0,
            traffic: Traffic::default(),
            copies: Copies::default(),
            drawers: BTreeMap::new(),
        })
    }

    fn newest(&self) -> Result<&Arc<Epoch>, ProtocolError> {
        self.recent.back().map(|(epoch, _)| epoch).ok_or(ProtocolError::EpochGone(0))
    }

    fn membership(&self, client: ClientId) -> Result<&Membership, ProtocolError> {
        let membership = self.members.get(client.0 as usize).and_then(Option::as_ref);
        membership.ok_or(ProtocolError::NotAMember(client))
    }

    fn take_invitation(&mut self, client: ClientId) -> Result<CaughtUp, ProtocolError> {
        let membership = self.members.get_mut(client.0 as usize).and_then(Option::as_mut);
        let invited = membership.and_then(|membership| membership.invited.take());
        invited.ok_or(ProtocolError::NotAMember(client))
    }

    fn set_membership(&mut self, client: ClientId, membership: Membership) {
        let at = client.0 as usize;
        if self.members.len() <= at {
            self.members.resize_with(at + 1, || None);
        }
        self.members[at] = Some(membership);
    }

    /// Keeps every commit from now on, so that materialised clients can go on from the wire.
    pub fn keep_log(&mut self) {
        self.log.get_or_insert_default();
    }

    /// The commit that led to `epoch`, as it was sent, if the log is kept from the start.
    pub fn commit_message(&self, epoch: u64) -> Option<&[u8]> {
        Some(&self.logged(epoch)?.0)
    }

    fn logged(&self, epoch: u64) -> Option<&(Vec<u8>, Proposals)> {
        self.log.as_ref()?.get(usize::try_from(epoch).ok()?.checked_sub(1)?)
    }

    /// What a client that was materialised holds in an epoch of the newest group, for following the
    /// commit that ends it; from the wire, if the log is kept from the start.
    pub fn holdings(
        &self,
        crypto: &Crypto<'_>,
        client: ClientId,
        member: &Member,
    ) -> Result<Holdings, ProtocolError> {
        let Member { public, secrets, .. } = member;
        let proposals = self.logged(self.base + member.epoch() + 1);
        let proposals = proposals.map_or(&self.waiting, |(_, proposals)| proposals);
        let mut holdings = proposals.holdings(crypto, public, secrets, client)?;
        self.add_found(client, member, &mut holdings);
        Ok(holdings)
    }

    /// Makes a client, lagging or not, a member of its own with exactly the secrets it would
    /// hold, ready to go on from the wire; with the roster of its epoch, which takes O(n).
    pub fn materialise(&self, client: ClientId) -> Result<(Member, Roster), ProtocolError> {
        let membership = self.membership(client)?;
        let member = self.member_at(&membership.epoch, client, membership.leaf)?;
        let roster = Roster::of(&member.public.tree).map_err(ApplyError::from)?;
        Ok((member, roster))
    }

    fn member_at(
        &self,
        epoch: &Epoch,
        client: ClientId,
        leaf: LeafIndex,
    ) -> Result<Member, ProtocolError> {
        Ok(Member {
            public: epoch.public.clone(),
            leaf,
            signer: self.clients.signer(self.provider, client),
            keys: epoch.private.keys_of(&epoch.public.tree, leaf)?,
            secrets: epoch.secrets.clone(),
        })
    }

    /// What a member at `leaf` owes for the commits from one epoch to another.
    fn owed(&self, from: &Epoch, to: &Epoch, leaf: LeafIndex) -> Result<CaughtUp, ProtocolError> {
        let climbed = to.private.climbed(leaf)? - from.private.climbed(leaf)?;
        let climbing =
            self.per_node * climbed.followed + (self.per_key + opening()) * climbed.opened;
        Ok(CaughtUp {
            commits: to.number - from.number,
            bytes: to.totals.bytes - from.totals.bytes,
            ledger: (to.totals.ledger - from.totals.ledger) + climbing,
            removed: false,
        })
    }

    /// Runs `work` with the roster of an epoch that is not much older than the newest: the
    /// commits since are taken back and put on again.
    fn with_roster_of<T>(&mut self, epoch: u64, work: impl FnOnce(&Self) -> T) -> T {
        let since: Vec<Vec<RosterChange>> = self
            .recent
            .iter()
            .filter(|(later, _)| later.number > epoch)
            .map(|(_, changes)| changes.clone())
            .collect();
        for changes in since.iter().rev() {
            self.roster.advance(&RosterChange::inverse(changes));
        }
        let result = work(self);
        for changes in &since {
            self.roster.advance(changes);
        }
        result
    }

    fn invite(&mut self, client: ClientId) -> Result<Invitation, ProtocolError> {
        let number = self.clients.take_package(client)?;
        // Making a package was charged at registration.
        let crypto = Crypto::new(self.provider);
        let (package, secrets) = self.clients.package(&crypto, client, number)?;
        Ok(Invitation { client, number, package, secrets })
    }

    fn renew(&mut self, client: ClientId, renewal: Renewal) -> Result<Joined, ProtocolError> {
        let membership = self.membership(client)?;
        if membership.invited.is_some() {
            return Err(ProtocolError::NotAMember(client));
        }
        let view = membership.epoch.number;
        let member = self.member_at(&membership.epoch, client, membership.leaf)?;
        let (seeds, epoch) = (self.clients.seeds(), self.epoch());
        let (update, joined) =
            self.waiting.propose(self.provider, seeds, renewal, (client, &member, view), epoch)?;
        self.waiting.push(client, update);
        Ok(joined)
    }

    /// No key of a member that has gone from its leaf, removed or moved, may be left anywhere in the
    /// new tree.
    fn check_gone(&self, before: &Epoch, applied: &AppliedProposals) -> Result<u32, ProtocolError> {
        let moved = applied.moved.map(|moved| moved.from);
        let ghosts = applied.quarantined.iter().map(|it| &it.ghost);
        let gone = applied.removed.iter().chain(&moved).chain(ghosts);
        for leaf in gone.clone() {
            let keys = before.private.keys_of(&before.public.tree, *leaf)?;
            let mut held = std::iter::once(keys.leaf()).chain(keys.parents());
            // What it has tainted it may have kept.
            let mut known = tainted_by(&before.public.tree, *leaf).into_iter();
            if held.any(|key| self.roster.has_encryption_key(&key.public))
                || known.any(|parent| self.roster.has_encryption_key(&parent.encryption_key))
            {
                let message = format!("who has gone from {leaf} knows a key of the new tree");
                return Err(ProtocolError::Check(message));
            }
        }
        Ok(gone.count() as u32)
    }
}

/// The ciphertexts that the resolutions of the copath demand, and those that new members make
/// unnecessary.
pub fn predict(transition: &Transition) -> Result<(u64, u64), ProtocolError> {
    let Some(path) = &transition.path else { return Ok((0, 0)) };
    if let Some(set) = transition.refresh_set() {
        return Ok((set.ciphertexts() as u64, set.spared() as u64));
    }
    let steps = path.tree_before.filtered_direct_path(transition.committer)?;
    let needed = |added: &[LeafIndex]| -> u64 {
        steps.iter().map(|step| expected_ciphertexts(step, added) as u64).sum()
    };
    let predicted = needed(&transition.added);
    Ok((predicted, needed(&[]) - predicted))
}

impl<S: Seeds> Protocol for SharedTreeKem<S> {
    fn name(&self) -> &'static str {
        "treekem"
    }

    fn register(&mut self, client: ClientId, packages: u32) -> Result<Joined, ProtocolError> {
        self.clients.register(self.provider, client, packages)
    }

    fn declare(&mut self, client: ClientId, abilities: Abilities) -> Result<(), ProtocolError> {
        self.clients.declare(client, abilities);
        Ok(())
    }

    fn common(&self) -> Result<Common, ProtocolError> {
        Ok(common(self.newest()?.public.tree.root()))
    }

    fn rotate(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        self.clients.rotate(client)
    }

    fn publish(&mut self, client: ClientId, packages: u32) -> Result<Joined, ProtocolError> {
        self.clients.publish(self.provider, client, packages)
    }

    fn create(&mut self, creator: ClientId) -> Result<(), ProtocolError> {
        let invitation = self.invite(creator)?;
        let crypto = Crypto::new(self.provider);
        let signer = self.clients.signer(self.provider, creator);
        let mut rng = ChaCha20Rng::from_seed(self.clients.seeds().seed("group", 0, 0));
        let Invitation { package, secrets, .. } = &invitation;
        let founding = self.clients.founding(&mut rng)?;
        let member = Member::create_with(&crypto, signer, package, secrets, founding, &mut rng)?;
        self.roster = Roster::of(&member.public.tree).map_err(ApplyError::from)?;
        let mut private = PrivateTree::new(self.clients.strategy());
        private.add(&Room::indexed(member.leaf), creator, secrets.encryption.clone())?;
        let (number, totals) = (0, Totals::default());
        let Member { public, leaf, secrets, .. } = member;
        let epoch = Arc::new(Epoch { number, public, private, secrets, totals });
        self.epochs.push(Arc::downgrade(&epoch));
        self.recent.push_back((epoch.clone(), vec![]));
        self.witness.enter(creator, self.clients.seeds());
        let keys = epoch.private.keys_of(&epoch.public.tree, leaf)?;
        self.witness.note(creator, &keys, &self.roster)?;
        self.set_membership(creator, Membership::at(leaf, epoch, None));
        self.traffic.enter(creator, 0);
        self.publisher = Some(creator);
        Ok(())
    }

    fn commit(&mut self, order: Order) -> Result<Draft, ProtocolError> {
        self.quarantine(order, &[])
    }

    fn quarantine(&mut self, order: Order, ghosts: &[ClientId]) -> Result<Draft, ProtocolError> {
        let membership = self.membership(order.by)?;
        if membership.invited.is_some() || membership.lost {
            return Err(ProtocolError::NotAMember(order.by));
        }
        let (epoch, leaf) = (membership.epoch.clone(), membership.leaf);
        let number = self.clients.next_commit(order.by)?;
        let seed = self.clients.seeds().seed("commit", order.by.0.into(), number.into());
        let leaf_of = |client: &ClientId| {
            let newest = self.membership(*client)?.leaf;
            let leaf = self.moves.leaf_in(epoch.number, *client, newest);
            epoch
                .private
                .member(leaf)
                .filter(|member| member.client == *client)
                .ok_or(ProtocolError::NotAMember(*client))?;
            Ok::<_, ProtocolError>(leaf)
        };
        let removes: BTreeSet<_> = order.removes.iter().map(leaf_of).collect::<Result<_, _>>()?;
        let wanted: Vec<_> = ghosts.iter().map(leaf_of).collect::<Result<_, _>>()?;
        let mut proposals = vec![];
        for client in &order.removes {
            proposals.push(Proposal::Remove(leaf_of(client)?));
        }
        let invitations: Result<Vec<_>, _> =
            order.adds.iter().map(|client| self.invite(*client)).collect();
        let invitations = invitations?;
        proposals.extend(invitations.iter().map(|i| Proposal::Add(i.package.clone())));
        let member = self.member_at(&epoch, order.by, leaf)?;
        let provider = self.provider;
        let crypto = Crypto::new(provider);
        let (mut references, mut holdings) = (vec![], Holdings::default());
        let mut busy = BTreeSet::new();
        if epoch.number == self.epoch() {
            let Member { public, secrets, .. } = &member;
            busy = self.waiting.senders();
            references = self.waiting.references(&order, ghosts);
            holdings = self.waiting.holdings(&crypto, public, secrets, order.by)?;
        }
        let ghost_seed = self.clients.seeds().seed("quarantine", order.by.0.into(), number.into());
        let made = make_ghosts(
            &crypto,
            &member,
            &wanted,
            self.ghosts.leaves(),
            (&removes, &busy),
            &mut ChaCha20Rng::from_seed(ghost_seed),
        )?;
        let given = made.iter().map(|it| Proposal::Quarantine(Box::new(it.proposal.clone())));
        proposals.extend(given);
        let (now, signer) = (order.now, self.clients.successor(provider, order.by));
        let request = CommitRequest {
            proposals,
            references,
            path: true,
            signer,
            now,
            ..CommitRequest::default()
        };
        let mut rng = ChaCha20Rng::from_seed(seed);
        let plain = Protection::Public;
        let pending = self.with_roster_of(epoch.number, |this| {
            member.commit_with(&crypto, &this.roster, request, &holdings, plain, &mut rng)
        })?;
        Ok(Draft {
            epoch: epoch.number,
            leaf,
            cost: pending.cost,
            ledger: crypto.ledger(),
            order,
            inner: Opaque::new(SharedDraft {
                pending,
                invitations,
                enters: false,
                successor: None,
                ghosts: made,
            }),
        })
    }

    fn propose_update(&mut self, client: ClientId) -> Result<Joined, ProtocolError> {
        self.renew(client, Renewal::Update)
    }

    fn propose_path(&mut self, client: ClientId) -> Result<Joined, ProtocolError> {
        self.renew(client, Renewal::Path)
    }

    fn accept(&mut self, draft: Draft, audited: &[ClientId]) -> Result<Accepted, ProtocolError> {
        let before = self.newest()?.clone();
        if draft.epoch != before.number {
            return Err(ProtocolError::Stale { made: draft.epoch, at: before.number });
        }
        let SharedDraft { pending, invitations, enters, successor, ghosts } = draft.inner.open()?;
        let joins = enters.then_some(draft.order.by);
        let checked = self.check(&before, &pending, (&invitations, joins), &ghosts, audited)?;
        // Nothing has changed so far; from here on the new epoch stands.
        if let Some(successor) = successor {
            let message = pending.message;
            let step = Step { last: checked, message, successor, invitations };
            return self.succeed(step, &draft.order, audited);
        }
        let Checked { transition, proposals, secrets, private, .. } = checked;
        let Checked { receiver, for_removed, ledger, predicted, excluded, opened, audits, .. } =
            checked;
        let by = draft.order.by;
        let private = next_private(private, &transition, pending.path.as_ref())?;
        self.waiting = Proposals::default();
        self.roster.advance(&transition.roster_changes);
        let gone = self.check_gone(&before, &transition.applied)?;
        let healed = check_healed(&before.public.tree, &transition, &self.roster)?;
        let bytes = pending.message.len() as u64 + proposals.bytes();
        let totals =
            Totals { bytes: before.totals.bytes + bytes, ledger: before.totals.ledger + ledger };
        let number = before.number + 1;
        let secrets = Arc::new(secrets);
        let public = transition.after.clone();
        let epoch = Arc::new(Epoch { number, public, private, secrets, totals });
        let order = &draft.order;
        let departure = Departure { last: before.clone(), bytes, ledger: for_removed };
        self.tell_copies(&before, &transition, &invitations)?;
        self.settle_ghosts(&before, &transition, order, ghosts, enters)?;
        self.settle_copies(number, Some(&transition.roster_changes));
        self.depart(&transition.applied.removed, departure, order, enters);
        let tree_bytes = encoded_tree_length(&epoch.public.tree) as u64;
        let psks = PskStore::default();
        let set = transition.refresh_set();
        let joined = self.welcome(&pending, set.as_ref(), &invitations, tree_bytes, &psks)?;
        drop(set);
        self.arrive(&invitations, &transition.applied.added, &joined, &epoch);
        self.go_on(by, transition.committer, &epoch, enters);
        let path = pending.path.as_ref();
        proposals.drawn().for_each(|(client, path)| self.witness.draws(client, Some(path)));
        let watched =
            self.bear_witness(&before, &epoch, &transition, &draft.order, enters, path)?;
        let checks = 3 + healed + opened + gone + joined.len() as u32 + watched;
        self.publisher = Some(by);
        self.clients.signs_with(self.provider, by, &pending.after.signer.public);
        if let Some(log) = &mut self.log {
            log.push((pending.message, proposals));
        }
        self.epochs.push(Arc::downgrade(&epoch));
        self.recent.push_back((epoch, transition.roster_changes));
        Ok(Accepted {
            epoch: number,
            receiver,
            audits,
            checks,
            predicted_ciphertexts: predicted,
            excluded_ciphertexts: excluded,
            tree_bytes,
        })
    }

    fn join(&mut self, client: ClientId) -> Result<Joined, ProtocolError> {
        let CaughtUp { bytes, ledger, .. } = self.take_invitation(client)?;
        Ok(Joined { bytes, ledger })
    }

    fn advance(&mut self, client: ClientId, to: u64) -> Result<CaughtUp, ProtocolError> {
        let mut joined = CaughtUp::default();
        if self.membership(client).is_ok_and(|membership| membership.lost) {
            return Ok(joined);
        }
        if self.membership(client).is_ok_and(|membership| membership.invited.is_some()) {
            joined = self.take_invitation(client)?;
        }
        if self.ghosts.limit(client).is_some_and(|limit| to > limit) {
            joined += self.advance_ghost(client)?;
            return Ok(joined);
        }
        let Ok(membership) = self.membership(client) else { return Ok(joined) };
        let from = &membership.epoch;
        if to <= from.number {
            return Ok(joined);
        }
        let mut caught;
        match membership.departure.clone() {
            Some(departure) if to > departure.last.number => {
                caught = self.owed_by(client, from, &departure.last, membership.leaf)?;
                caught.commits += 1;
                caught.bytes += departure.bytes;
                caught.ledger += departure.ledger;
                caught.removed = true;
                self.traffic.leave(client, &departure.last);
                self.members[client.0 as usize] = None;
            }
            _ => {
                let kept = self.epochs.get(to as usize).and_then(Weak::upgrade);
                let to = kept.ok_or(ProtocolError::EpochGone(to))?;
                caught = self.owed_by(client, from, &to, membership.leaf)?;
                if let Some(Some(membership)) = self.members.get_mut(client.0 as usize) {
                    membership.epoch = to;
                }
            }
        }
        caught += joined;
        Ok(caught)
    }

    fn release_before(&mut self, epoch: u64) {
        self.moves.forget_before(epoch);
        self.traffic.release_before(epoch);
        while self.recent.len() > 1 && self.recent.front().is_some_and(|(e, _)| e.number < epoch) {
            self.recent.pop_front();
        }
    }

    fn epoch(&self) -> u64 {
        self.newest().map_or(0, |epoch| epoch.number)
    }

    fn view(&self, client: ClientId) -> Option<u64> {
        let membership = self.membership(client).ok()?;
        let is_in = membership.invited.is_none() && !membership.lost;
        is_in.then_some(membership.epoch.number)
    }

    fn leaf(&self, client: ClientId) -> Option<LeafIndex> {
        let membership = self.membership(client).ok()?;
        membership.departure.is_none().then_some(membership.leaf)
    }

    fn tree(&self) -> Aggregates {
        self.newest().map_or(Aggregates::default(), |epoch| *epoch.public.tree.aggregates())
    }

    fn traverse(&self, visit: &mut dyn FnMut(Traversed)) {
        if let Ok(epoch) = self.newest() {
            epoch.public.tree.traverse(visit);
        }
    }

    fn tree_hash(&self) -> Digest {
        let crypto = Crypto::new(self.provider);
        let empty = || tree_hash(&crypto, &Tree::new(self.clients.strategy()));
        self.newest().map_or_else(|_| empty(), |epoch| tree_hash(&crypto, &epoch.public.tree))
    }

    fn blanks_above(&self, client: ClientId) -> Result<u32, ProtocolError> {
        let leaf = self.leaf(client).ok_or(ProtocolError::NotAMember(client))?;
        Ok(self.newest()?.public.tree.blanks_above(leaf)?)
    }

    fn leftmost_blank(&self) -> Result<Option<LeafIndex>, ProtocolError> {
        Ok(self.newest()?.public.tree.leftmost_blank())
    }

    fn stragglers(&self, most: u32, others: u32) -> Result<Vec<ClientId>, ProtocolError> {
        let newest = self.newest()?;
        let leaves = newest.public.tree.stragglers(most, others);
        let members = leaves.into_iter().filter_map(|leaf| newest.private.member(leaf));
        Ok(members.map(|member| member.client).collect())
    }

    fn rejoin(&mut self, client: ClientId, now: u64) -> Result<Entering, ProtocolError> {
        self.enter_anew(client, now)
    }

    fn rebuild(&mut self, client: ClientId, now: u64) -> Result<Rebuilding, ProtocolError> {
        self.make_anew(client, now)
    }

    fn join_by_link(&mut self, client: ClientId, now: u64) -> Result<Entering, ProtocolError> {
        self.enter_by_link(client, now)
    }

    fn lose_state(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        self.lose(client)
    }

    fn send(&mut self, sender: ClientId, text: &[u8]) -> Result<Sent, ProtocolError> {
        self.send_text(sender, text)
    }

    fn attach(&mut self, sender: ClientId, content: &[u8]) -> Result<Sent, ProtocolError> {
        self.send_attachment(sender, content)
    }

    fn receive(&mut self, client: ClientId, message: MessageId) -> Result<Received, ProtocolError> {
        self.open_message(client, message)
    }

    fn pries(&self, client: ClientId, message: MessageId) -> Result<bool, ProtocolError> {
        self.pry(client, message)
    }

    fn roster(&self, client: ClientId) -> Result<Vec<ClientId>, ProtocolError> {
        self.view(client).ok_or(ProtocolError::NotAMember(client))?;
        clients_of(&self.membership(client)?.epoch.public)
    }

    fn forget_messages_before(&mut self, message: MessageId) {
        self.traffic.forget_before(message);
    }

    fn ghost(&self, client: ClientId) -> Option<Ghost> {
        self.ghosts.ghost(client)
    }

    fn ghosts(&self) -> Vec<ClientId> {
        self.ghosts.clients().collect()
    }

    fn ask_shares(&mut self, ghost: ClientId) -> Result<Joined, ProtocolError> {
        self.ask_holders(ghost)
    }

    fn helpers(&self, ghost: ClientId) -> Vec<ClientId> {
        self.ghosts.helpers(ghost)
    }

    fn holds_shares(&self, holder: ClientId, ghost: ClientId) -> bool {
        self.ghosts.holds(holder, self.view(holder), ghost)
    }

    fn is_quorum(&self, ghost: ClientId, with: &[ClientId]) -> bool {
        self.ghosts.is_quorum(ghost, with)
    }

    fn give_shares(&mut self, holder: ClientId, ghost: ClientId) -> Result<Joined, ProtocolError> {
        self.give(holder, ghost)
    }

    fn recover(&mut self, ghost: ClientId) -> Result<CaughtUp, ProtocolError> {
        self.find_keys(ghost)
    }

    fn copy_state(&mut self, client: ClientId, drafts: &[&Draft]) -> Result<CopyId, ProtocolError> {
        self.steal(client, drafts)
    }

    fn copied(&self, copy: CopyId) -> Option<Copied> {
        self.copies.copied(copy, |client| self.clients.taken(client))
    }

    fn copy_reads(&self, copy: CopyId, message: MessageId) -> Result<bool, ProtocolError> {
        self.drawer_reads(copy, message)
    }

    fn epoch_authenticator(&self, client: ClientId) -> Option<Secret> {
        let membership = self.membership(client).ok().filter(|membership| !membership.lost)?;
        Some(membership.epoch.secrets.epoch_authenticator.clone())
    }

    fn recount(&self) -> Result<(), ProtocolError> {
        let newest = self.newest()?;
        if !newest.public.tree.root().recount() {
            let message = "a cached aggregate differs from a recount";
            return Err(ProtocolError::Check(message.into()));
        }
        newest.private.matches(&newest.public.tree)
    }
}
