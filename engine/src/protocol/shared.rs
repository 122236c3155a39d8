//! TreeKEM at fidelity `shared` (and, with the counting provider, `counted`): one public and
//! one private tree for everybody, each distinct computation done once, every client who would
//! have done it charged and moved on.
//!
//! A client is a pointer to the epoch it is in. What it owes for the commits it missed is the
//! difference of two running totals plus a sum along its path, so being away costs nothing to
//! simulate. At any moment a client can be materialised: its keys are read off its path in its
//! own epoch, and it goes on from the wire as a [`Member`].

mod path;
mod rejoin;
mod turnover;
mod welcome;

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use rayon::prelude::*;

use super::clients::Clients;
use super::moves::Moves;
use super::private_tree::PrivateTree;
use super::proposals::Proposals;
use super::{
    Accepted, CaughtUp, ClientId, Draft, Joined, Order, Protocol, ProtocolError, Rejoining, Seeds,
};
use crate::crypto::{Crypto, Digest, Ledger, Op, Provider, Secret};
use crate::group::{
    ApplyError, CommitRequest, Followed, Holdings, Member, PendingCommit, Protection, PublicGroup,
    Transition,
};
use crate::strategy::Strategy;
use crate::tree::{Aggregates, LeafIndex, Traversed, Tree};
use crate::treekem::{EpochSecrets, PathSecret, expected_ciphertexts};
use crate::treesync::{
    KeyPackage, KeyPackageSecrets, Proposal, Roster, RosterChange, encoded_tree_length, tainted_by,
    tree_hash,
};

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
    /// What joining will take, until it has joined.
    invited: Option<Joined>,
    departure: Option<Departure>,
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
    package: KeyPackage,
    secrets: KeyPackageSecrets,
}

/// A commit between making and acceptance.
#[derive(Debug)]
pub struct SharedDraft {
    pending: PendingCommit,
    invitations: Vec<Invitation>,
    /// Whether its sender enters anew by it.
    enters: bool,
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
        })
    }

    fn newest(&self) -> Result<&Arc<Epoch>, ProtocolError> {
        self.recent.back().map(|(epoch, _)| epoch).ok_or(ProtocolError::EpochGone(0))
    }

    fn membership(&self, client: ClientId) -> Result<&Membership, ProtocolError> {
        let membership = self.members.get(client.0 as usize).and_then(Option::as_ref);
        membership.ok_or(ProtocolError::NotAMember(client))
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

    /// What a client that was materialised holds in an epoch, for following the commit that ends
    /// it; from the wire, if the log is kept from the start.
    pub fn holdings(
        &self,
        crypto: &Crypto<'_>,
        client: ClientId,
        member: &Member,
    ) -> Result<Holdings, ProtocolError> {
        let Member { public, secrets, .. } = member;
        match self.logged(member.epoch() + 1) {
            Some((_, proposals)) => proposals.holdings(crypto, public, secrets, client),
            None => self.waiting.holdings(crypto, public, secrets, client),
        }
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
        Ok(Invitation { client, package, secrets })
    }

    /// Audited members of the old epoch do everything from the wire.
    fn audit(
        &self,
        audited: &[ClientId],
        message: &[u8],
        proposals: &Proposals,
        authenticator: &Secret,
    ) -> Result<u32, ProtocolError> {
        let before = self.newest()?;
        let audit = |client: &ClientId| {
            let crypto = Crypto::new(self.provider);
            let mut member = self.member_at(before, *client, self.membership(*client)?.leaf)?;
            let Member { public, secrets, .. } = &member;
            let holdings = proposals.holdings(&crypto, public, secrets, *client)?;
            let received = &holdings.proposals;
            let transition = public.apply_with(&crypto, &self.roster, received, message)?;
            match member.follow_with(&crypto, &transition, &holdings)? {
                Followed::Removed => Ok(0),
                Followed::Advanced if member.secrets.epoch_authenticator == *authenticator => Ok(1),
                Followed::Advanced => {
                    Err(ProtocolError::Audit { client: *client, epoch: before.number + 1 })
                }
            }
        };
        let done: Result<Vec<u32>, _> = audited.par_iter().map(audit).collect();
        Ok(done?.into_iter().sum())
    }

    /// No key of a removed member may be left anywhere in the new tree.
    fn check_removed(&self, before: &Epoch, removed: &[LeafIndex]) -> Result<u32, ProtocolError> {
        for leaf in removed {
            let keys = before.private.keys_of(&before.public.tree, *leaf)?;
            let mut held = std::iter::once(keys.leaf()).chain(keys.parents());
            // What it has tainted it may have kept.
            let mut known = tainted_by(&before.public.tree, *leaf).into_iter();
            if held.any(|key| self.roster.has_encryption_key(&key.public))
                || known.any(|parent| self.roster.has_encryption_key(&parent.encryption_key))
            {
                let message = format!("the member removed at {leaf} knows a key of the new tree");
                return Err(ProtocolError::Check(message));
            }
        }
        Ok(removed.len() as u32)
    }
}

/// What opening a ciphertext of a path takes.
fn opening() -> Ledger {
    let mut ledger = Ledger::default();
    ledger.charge(Op::KemDecapsulate, 1);
    ledger.charge(Op::AeadOpen, 1);
    ledger
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
    type Inner = SharedDraft;

    fn name(&self) -> &'static str {
        "treekem"
    }

    fn register(&mut self, client: ClientId, packages: u32) -> Result<Joined, ProtocolError> {
        self.clients.register(self.provider, client, packages)
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
        private.add(member.leaf, creator, secrets.encryption.clone())?;
        let (number, totals) = (0, Totals::default());
        let Member { public, leaf, secrets, .. } = member;
        let epoch = Arc::new(Epoch { number, public, private, secrets, totals });
        self.epochs.push(Arc::downgrade(&epoch));
        self.recent.push_back((epoch.clone(), vec![]));
        self.set_membership(creator, Membership { leaf, epoch, invited: None, departure: None });
        self.publisher = Some(creator);
        Ok(())
    }

    fn commit(&mut self, order: Order) -> Result<Draft<SharedDraft>, ProtocolError> {
        let membership = self.membership(order.by)?;
        if membership.invited.is_some() {
            return Err(ProtocolError::NotAMember(order.by));
        }
        let (epoch, leaf) = (membership.epoch.clone(), membership.leaf);
        let number = self.clients.next_commit(order.by)?;
        let seed = self.clients.seeds().seed("commit", order.by.0.into(), number.into());
        let mut proposals = vec![];
        for client in &order.removes {
            let newest = self.membership(*client)?.leaf;
            let leaf = self.moves.leaf_in(epoch.number, *client, newest);
            epoch
                .private
                .member(leaf)
                .filter(|member| member.client == *client)
                .ok_or(ProtocolError::NotAMember(*client))?;
            proposals.push(Proposal::Remove(leaf));
        }
        let invitations: Result<Vec<_>, _> =
            order.adds.iter().map(|client| self.invite(*client)).collect();
        let invitations = invitations?;
        proposals.extend(invitations.iter().map(|i| Proposal::Add(i.package.clone())));
        let member = self.member_at(&epoch, order.by, leaf)?;
        let provider = self.provider;
        let crypto = Crypto::new(provider);
        let (mut references, mut holdings) = (vec![], Holdings::default());
        if epoch.number == self.epoch() {
            let Member { public, secrets, .. } = &member;
            references = self.waiting.references(&order);
            holdings = self.waiting.holdings(&crypto, public, secrets, order.by)?;
        }
        let now = order.now;
        let request =
            CommitRequest { proposals, references, path: true, now, ..CommitRequest::default() };
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
            inner: SharedDraft { pending, invitations, enters: false },
        })
    }

    fn propose_update(&mut self, client: ClientId) -> Result<Joined, ProtocolError> {
        let membership = self.membership(client)?;
        if membership.invited.is_some() {
            return Err(ProtocolError::NotAMember(client));
        }
        let member = self.member_at(&membership.epoch, client, membership.leaf)?;
        let (seeds, epoch) = (self.clients.seeds(), self.epoch());
        let (update, joined) =
            self.waiting.propose(self.provider, seeds, (client, &member), epoch)?;
        self.waiting.push(client, update);
        Ok(joined)
    }

    fn accept(
        &mut self,
        draft: Draft<SharedDraft>,
        audited: &[ClientId],
    ) -> Result<Accepted, ProtocolError> {
        let before = self.newest()?.clone();
        if draft.epoch != before.number {
            return Err(ProtocolError::Stale { made: draft.epoch, at: before.number });
        }
        let SharedDraft { pending, invitations, enters } = draft.inner;
        // The public half, once for all receivers.
        let provider = self.provider;
        let crypto = Crypto::new(provider);
        let proposals = self.waiting.clone();
        let received = proposals.receive(&crypto, &before.public)?;
        let (store, message) = (&received.store, &pending.message);
        let transition = before.public.apply_with(&crypto, &self.roster, store, message)?;
        let receiver = crypto.ledger();
        let (predicted, excluded) = predict(&transition)?;
        if predicted != draft.cost.ciphertexts {
            return Err(ProtocolError::Check("ciphertexts are not those predicted".into()));
        }
        // The private half: every ciphertext once, then what all members compute alike.
        transition.verify_membership(&crypto, &before.secrets)?;
        received.check_membership(&crypto, &before.secrets)?;
        let for_removed = crypto.ledger();
        let unpaid = Crypto::new(provider);
        let private = self.updated_private(&transition, &proposals)?;
        let (commit_secret, opened) = match (&transition.path, &pending.path) {
            (Some(path), Some(sent)) => {
                self.open_path(&unpaid, &private, &transition, path, sent)?
            }
            _ => (crypto.zero(), 0),
        };
        let secrets =
            transition.next_secrets(&crypto, &before.secrets, &commit_secret, &crypto.zero())?;
        let mut ledger = crypto.ledger();
        if transition.path.is_some() {
            ledger += opening();
        }
        let authenticator = &secrets.epoch_authenticator;
        if *authenticator != pending.after.secrets.epoch_authenticator {
            return Err(ProtocolError::Check("the sender is in another epoch".into()));
        }
        let audits = self.audit(audited, &pending.message, &proposals, authenticator)?;
        // Nothing has changed so far; from here on the new epoch stands.
        let by = draft.order.by;
        let path = pending.path.as_ref();
        let private =
            self.next_private(private, &transition, path, &invitations, enters.then_some(by))?;
        self.waiting = Proposals::default();
        self.roster.advance(&transition.roster_changes);
        let removed = self.check_removed(&before, &transition.applied.removed)?;
        let bytes = pending.message.len() as u64 + proposals.bytes();
        let totals =
            Totals { bytes: before.totals.bytes + bytes, ledger: before.totals.ledger + ledger };
        let number = before.number + 1;
        let secrets = Arc::new(secrets);
        let public = transition.after.clone();
        let epoch = Arc::new(Epoch { number, public, private, secrets, totals });
        let order = &draft.order;
        let departure = Departure { last: before.clone(), bytes, ledger: for_removed };
        self.depart(&transition.applied.removed, departure, order, enters);
        let tree_bytes = encoded_tree_length(&epoch.public.tree) as u64;
        let joined = self.welcome(&pending, &transition, &invitations, tree_bytes)?;
        let checks = 3 + opened + removed + joined.len() as u32;
        self.arrive(&invitations, &transition.applied.added, &joined, &epoch);
        self.go_on(by, transition.committer, &epoch, enters);
        self.publisher = Some(by);
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
        let membership = self.members.get_mut(client.0 as usize).and_then(Option::as_mut);
        let invited = membership.and_then(|membership| membership.invited.take());
        invited.ok_or(ProtocolError::NotAMember(client))
    }

    fn advance(&mut self, client: ClientId, to: u64) -> Result<CaughtUp, ProtocolError> {
        let mut joined = CaughtUp::default();
        if self.membership(client).is_ok_and(|membership| membership.invited.is_some()) {
            let Joined { bytes, ledger } = self.join(client)?;
            joined = CaughtUp { bytes, ledger, ..joined };
        }
        let Ok(membership) = self.membership(client) else { return Ok(joined) };
        let from = &membership.epoch;
        if to <= from.number {
            return Ok(joined);
        }
        let mut caught;
        match &membership.departure {
            Some(departure) if to > departure.last.number => {
                caught = self.owed(from, &departure.last, membership.leaf)?;
                caught.commits += 1;
                caught.bytes += departure.bytes;
                caught.ledger += departure.ledger;
                caught.removed = true;
                self.members[client.0 as usize] = None;
            }
            _ => {
                let kept = self.epochs.get(to as usize).and_then(Weak::upgrade);
                let to = kept.ok_or(ProtocolError::EpochGone(to))?;
                caught = self.owed(from, &to, membership.leaf)?;
                if let Some(Some(membership)) = self.members.get_mut(client.0 as usize) {
                    membership.epoch = to;
                }
            }
        }
        caught.bytes += joined.bytes;
        caught.ledger += joined.ledger;
        Ok(caught)
    }

    fn release_before(&mut self, epoch: u64) {
        self.moves.forget_before(epoch);
        while self.recent.len() > 1 && self.recent.front().is_some_and(|(e, _)| e.number < epoch) {
            self.recent.pop_front();
        }
    }

    fn epoch(&self) -> u64 {
        self.newest().map_or(0, |epoch| epoch.number)
    }

    fn view(&self, client: ClientId) -> Option<u64> {
        let membership = self.membership(client).ok()?;
        membership.invited.is_none().then_some(membership.epoch.number)
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

    fn rejoin(
        &mut self,
        client: ClientId,
        now: u64,
    ) -> Result<Rejoining<SharedDraft>, ProtocolError> {
        self.enter_anew(client, now)
    }

    fn epoch_authenticator(&self, client: ClientId) -> Option<Secret> {
        let membership = self.membership(client).ok()?;
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
