//! TreeKEM at fidelity `full`: every client holds its own state and does all its own work from
//! the wire bytes. The oracle for `shared`, and for small groups.

mod copied;
mod follow;
mod messages;
mod quarantine;
mod rebuild;
mod rejoin;
mod thief;
mod turnover;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::abilities::common;
use super::clients::{Clients, clients_of};
use super::copied::Copies;
use super::healing::check_healed;
use super::moves::Moves;
use super::post::Post;
use super::proposals::{Proposals, Renewal};
use super::quarantine::{Ghosts, make_ghosts};
use super::rebuild::Successor;
use super::witness::Witness;
use super::{
    Abilities, Accepted, CaughtUp, ClientId, Common, Copied, CopyId, Draft, Entering, Ghost,
    Joined, MessageId, Opaque, Order, Protocol, ProtocolError, Rebuilding, Received, Seeds, Sent,
};
use crate::crypto::{Crypto, Digest, Provider, Secret};
use crate::group::{
    CommitRequest, HeldShare, Holdings, Member, NewGhost, PendingCommit, Protection, PublicGroup,
};
use crate::strategy::Strategy;
use crate::tree::{Aggregates, LeafIndex, Traversed};
use crate::treesync::{Proposal, ReInit, Roster, encode_tree, tree_hash};

use messages::Mail;
use thief::Thief;

/// What the Delivery Service has of an epoch.
struct Logged {
    commit: Vec<u8>,
    /// What had been proposed before it.
    proposals: Proposals,
    welcome: Option<Vec<u8>>,
    /// The encoded ratchet tree after the commit, where it adds somebody.
    tree: Vec<u8>,
    /// What the group is replaced by, if the commit ends it: Welcome and tree are the new group's.
    reinit: Option<ReInit>,
}

/// What a client has been invited by, and not yet followed.
#[derive(Clone)]
struct Invited {
    /// The epoch that it will be in.
    epoch: u64,
    /// The number of the package that was used.
    number: u32,
    /// The first epoch of its group.
    base: u64,
}

/// A client: not yet joined, or a member with what it keeps.
#[derive(Clone, Default)]
struct FullClient {
    /// In the order in which they must be followed: each after the first into a group that replaces
    /// the one before.
    invitations: VecDeque<Invited>,
    member: Option<(Member, Roster)>,
    leaf: Option<LeafIndex>,
    /// The first epoch of its group.
    base: u64,
    /// What it reads messages with, and since when.
    mail: Mail,
    /// Whether it has lost all it held, and not entered anew.
    lost: bool,
    /// Shares of ghosts' keys.
    shares: Vec<HeldShare>,
    /// Shares of its own keys, which it has been given as a ghost.
    gathered: Vec<HeldShare>,
}

impl FullClient {
    fn member(leaf: LeafIndex, member: (Member, Roster), base: u64) -> Self {
        let mail = Mail::since(base + member.0.epoch());
        Self { member: Some(member), leaf: Some(leaf), base, mail, ..Self::default() }
    }

    fn invited(leaf: LeafIndex, invited: Invited) -> Self {
        let mail = Mail::since(invited.epoch);
        let invitations = VecDeque::from([invited]);
        Self { invitations, leaf: Some(leaf), mail, ..Self::default() }
    }
}

/// A commit between making and acceptance.
#[derive(Debug)]
pub(super) struct FullDraft {
    pending: PendingCommit,
    packages: Vec<(ClientId, u32)>,
    /// The roster of somebody who enters anew by it.
    enters: Option<Roster>,
    /// The group that replaces the one which it ends.
    successor: Option<Successor>,
    /// The keys that it gives to ghosts.
    ghosts: Vec<NewGhost>,
}

/// All clients of one group, each on its own.
pub struct FullTreeKem<S> {
    provider: &'static dyn Provider,
    clients: Clients<S>,
    states: BTreeMap<ClientId, FullClient>,
    log: Vec<Logged>,
    /// Somebody who follows in public and holds no secret.
    observer: Option<(PublicGroup, Roster)>,
    by_leaf: BTreeMap<LeafIndex, ClientId>,
    moves: Moves,
    /// Nobody is in an epoch before this one.
    released: u64,
    /// What is proposed in the newest epoch.
    waiting: Proposals,
    /// Who committed last, and has published the newest GroupInfo.
    publisher: Option<ClientId>,
    /// Its state, if it has lost it since.
    published: Option<Member>,
    witness: Witness,
    ghosts: Ghosts<()>,
    /// The first epoch of the group: not 0, if it has replaced another.
    base: u64,
    post: Post,
    copies: Copies,
    /// Those who have the copies.
    thieves: BTreeMap<CopyId, Thief>,
}

impl<S: Seeds> FullTreeKem<S> {
    /// No clients yet; their group will keep its tree by this strategy.
    pub fn new(provider: &'static dyn Provider, seeds: S, strategy: Strategy) -> Self {
        Self {
            provider,
            clients: Clients::new(seeds, strategy),
            states: BTreeMap::new(),
            log: vec![],
            observer: None,
            by_leaf: BTreeMap::new(),
            moves: Moves::default(),
            released: 0,
            waiting: Proposals::default(),
            publisher: None,
            published: None,
            witness: Witness::of_all(),
            ghosts: Ghosts::default(),
            base: 0,
            post: Post::default(),
            copies: Copies::default(),
            thieves: BTreeMap::new(),
        }
    }

    /// A client's membership, if it has joined and does not know itself removed.
    pub fn member(&self, client: ClientId) -> Option<&Member> {
        let state = self.states.get(&client).filter(|state| state.invitations.is_empty());
        Some(&state?.member.as_ref()?.0)
    }

    /// The commit that led to `epoch`, as it was sent.
    pub fn commit_message(&self, epoch: u64) -> Option<&[u8]> {
        Some(&self.log.get(usize::try_from(epoch).ok()?.checked_sub(1)?)?.commit)
    }

    fn observer(&self) -> Option<&PublicGroup> {
        self.observer.as_ref().map(|(public, _)| public)
    }

    fn renew(&mut self, client: ClientId, renewal: Renewal) -> Result<Joined, ProtocolError> {
        let member = self.member(client).ok_or(ProtocolError::NotAMember(client))?;
        let view = self.view(client).ok_or(ProtocolError::NotAMember(client))?;
        let (seeds, epoch) = (self.clients.seeds(), self.epoch());
        let (update, joined) =
            self.waiting.propose(self.provider, seeds, renewal, (client, member, view), epoch)?;
        self.waiting.push(client, update);
        Ok(joined)
    }
}

impl<S: Seeds> Protocol for FullTreeKem<S> {
    fn name(&self) -> &'static str {
        "treekem"
    }

    fn register(&mut self, client: ClientId, packages: u32) -> Result<Joined, ProtocolError> {
        self.states.insert(client, FullClient::default());
        self.clients.register(self.provider, client, packages)
    }

    fn declare(&mut self, client: ClientId, abilities: Abilities) -> Result<(), ProtocolError> {
        self.clients.declare(client, abilities);
        Ok(())
    }

    fn common(&self) -> Result<Common, ProtocolError> {
        Ok(common(self.observer().ok_or(ProtocolError::EpochGone(0))?.tree.root()))
    }

    fn rotate(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        self.clients.rotate(client)
    }

    fn publish(&mut self, client: ClientId, packages: u32) -> Result<Joined, ProtocolError> {
        self.clients.publish(self.provider, client, packages)
    }

    fn create(&mut self, creator: ClientId) -> Result<(), ProtocolError> {
        let crypto = Crypto::new(self.provider);
        let number = self.clients.take_package(creator)?;
        let (package, secrets) = self.clients.package(&crypto, creator, number)?;
        let signer = self.clients.signer(self.provider, creator);
        let seed = self.clients.seeds().seed("group", 0, 0);
        let mut rng = ChaCha20Rng::from_seed(seed);
        let founding = self.clients.founding(&mut rng)?;
        let member = Member::create_with(&crypto, signer, &package, &secrets, founding, &mut rng)?;
        let roster = Roster::of(&member.public.tree).map_err(crate::group::ApplyError::from)?;
        self.witness.enter(creator, self.clients.seeds());
        self.witness.note(creator, &member.keys, &roster)?;
        self.observer = Some((member.public.clone(), roster.clone()));
        self.by_leaf.insert(member.leaf, creator);
        let state = FullClient::member(member.leaf, (member, roster), 0);
        self.states.insert(creator, state);
        self.publisher = Some(creator);
        Ok(())
    }

    fn commit(&mut self, order: Order) -> Result<Draft, ProtocolError> {
        self.quarantine(order, &[])
    }

    fn quarantine(&mut self, order: Order, ghosts: &[ClientId]) -> Result<Draft, ProtocolError> {
        let crypto = Crypto::new(self.provider);
        let not_a_member = ProtocolError::NotAMember;
        let number = self.clients.next_commit(order.by)?;
        let seed = self.clients.seeds().seed("commit", order.by.0.into(), number.into());
        let view = self.view(order.by).ok_or(not_a_member(order.by))?;
        let leaf_of = |client: &ClientId| {
            let newest = self.states.get(client).and_then(|state| state.leaf);
            let newest = newest.ok_or(not_a_member(*client))?;
            Ok::<_, ProtocolError>(self.moves.leaf_in(view, *client, newest))
        };
        let removes: BTreeSet<_> = order.removes.iter().map(leaf_of).collect::<Result<_, _>>()?;
        let wanted: Vec<_> = ghosts.iter().map(leaf_of).collect::<Result<_, _>>()?;
        let mut proposals = vec![];
        for client in &order.removes {
            proposals.push(Proposal::Remove(leaf_of(client)?));
        }
        let mut packages = vec![];
        for client in &order.adds {
            let number = self.clients.take_package(*client)?;
            let own = Crypto::new(self.provider);
            proposals.push(Proposal::Add(self.clients.package(&own, *client, number)?.0));
            packages.push((*client, number));
        }
        let state = self.states.get(&order.by).and_then(|state| state.member.as_ref());
        let (member, roster) = state.ok_or(not_a_member(order.by))?;
        let (mut references, mut holdings) = (vec![], Holdings::default());
        let mut busy = BTreeSet::new();
        if view == self.epoch() {
            let Member { public, secrets, .. } = member;
            busy = self.waiting.senders();
            references = self.waiting.references(&order, ghosts);
            holdings = self.waiting.holdings(&crypto, public, secrets, order.by)?;
        }
        let ghost_seed = self.clients.seeds().seed("quarantine", order.by.0.into(), number.into());
        let made = make_ghosts(
            &crypto,
            member,
            &wanted,
            self.ghosts.leaves(),
            (&removes, &busy),
            &mut ChaCha20Rng::from_seed(ghost_seed),
        )?;
        let given = made.iter().map(|it| Proposal::Quarantine(Box::new(it.proposal.clone())));
        proposals.extend(given);
        let (now, signer) = (order.now, self.clients.successor(self.provider, order.by));
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
        let pending = member.commit_with(&crypto, roster, request, &holdings, plain, &mut rng)?;
        Ok(Draft {
            epoch: view,
            leaf: member.leaf,
            cost: pending.cost,
            ledger: crypto.ledger(),
            order,
            inner: Opaque::new(FullDraft {
                pending,
                packages,
                enters: None,
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

    fn accept(&mut self, draft: Draft, _audited: &[ClientId]) -> Result<Accepted, ProtocolError> {
        let at = self.epoch();
        let (public, roster) = self.observer.as_mut().ok_or(ProtocolError::EpochGone(0))?;
        if draft.epoch != at {
            return Err(ProtocolError::Stale { made: draft.epoch, at });
        }
        let FullDraft { pending, packages, enters, successor, ghosts } = draft.inner.open()?;
        let by = draft.order.by;
        let crypto = Crypto::new(self.provider);
        let proposals = std::mem::take(&mut self.waiting);
        let received = proposals.receive(&crypto, public)?;
        let transition = public.apply_with(&crypto, roster, &received.store, &pending.message)?;
        let (predicted, excluded) = super::shared::predict(&transition)?;
        if predicted != draft.cost.ciphertexts {
            return Err(ProtocolError::Check("ciphertexts are not those predicted".into()));
        }
        roster.advance(&transition.roster_changes);
        let healed = check_healed(&public.tree, &transition, roster)?;
        let before = std::mem::replace(public, transition.after.clone());
        (self.publisher, self.published) = (Some(by), None);
        self.clients.signs_with(self.provider, by, &pending.after.signer.public);
        let mut accepted = Accepted {
            epoch: at + 1,
            receiver: crypto.ledger(),
            audits: 0,
            checks: 1 + healed,
            predicted_ciphertexts: predicted,
            excluded_ciphertexts: excluded,
            tree_bytes: crate::treesync::encoded_tree_length(&public.tree) as u64,
        };
        let order = &draft.order;
        if let Some(successor) = successor {
            accepted.checks += self.witness.check(&transition, roster)?;
            let replaces = Some(&successor);
            self.tell_thieves(&before, &transition, &pending, &packages, replaces)?;
            let authenticator = successor.founded.after.secrets.epoch_authenticator.clone();
            accepted.tree_bytes = self.succeed(successor, order, &packages, pending, proposals)?;
            accepted.checks += self.settle_copies(None, &authenticator)?;
            return Ok(accepted);
        }
        let tree = if packages.is_empty() { vec![] } else { encode_tree(&public.tree)? };
        self.tell_thieves(&before, &transition, &pending, &packages, None)?;
        proposals.drawn().for_each(|(client, path)| self.witness.draws(client, Some(path)));
        self.settle_ghosts(&transition, order, ghosts, enters.is_some())?;
        self.turn_over(&transition, order, &packages, enters.is_some());
        let (_, roster) = self.observer.as_ref().ok_or(ProtocolError::EpochGone(0))?;
        self.witness.note(by, &pending.after.keys, roster)?;
        self.witness.draws(by, pending.path.as_ref());
        accepted.checks += self.witness.check(&transition, roster)?;
        let authenticator = &pending.after.secrets.epoch_authenticator;
        accepted.checks += self.settle_copies(Some(&transition.roster_changes), authenticator)?;
        let (commit, welcome) = (pending.message.clone(), pending.welcome.clone());
        self.log.push(Logged { commit, proposals, welcome, tree, reinit: None });
        self.go_on(by, &transition, pending, enters);
        Ok(accepted)
    }

    fn join(&mut self, client: ClientId) -> Result<Joined, ProtocolError> {
        let CaughtUp { bytes, ledger, .. } = self.enter(client)?;
        Ok(Joined { bytes, ledger })
    }

    fn advance(&mut self, client: ClientId, to: u64) -> Result<CaughtUp, ProtocolError> {
        let mut caught = CaughtUp::default();
        if self.states.get(&client).is_some_and(|state| state.lost) {
            return Ok(caught);
        }
        while self.states.get(&client).is_some_and(|state| !state.invitations.is_empty()) {
            caught += self.enter(client)?;
        }
        caught += self.follow(client, to)?;
        Ok(caught)
    }

    fn release_before(&mut self, epoch: u64) {
        self.released = epoch;
        self.moves.forget_before(epoch);
    }

    fn epoch(&self) -> u64 {
        self.base + self.observer().map_or(0, PublicGroup::epoch)
    }

    fn view(&self, client: ClientId) -> Option<u64> {
        let base = self.states.get(&client)?.base;
        self.member(client).map(|member| base + member.epoch())
    }

    fn leaf(&self, client: ClientId) -> Option<LeafIndex> {
        self.states.get(&client)?.leaf
    }

    fn tree(&self) -> Aggregates {
        self.observer().map_or(Aggregates::default(), |public| *public.tree.aggregates())
    }

    fn traverse(&self, visit: &mut dyn FnMut(Traversed)) {
        if let Some(public) = self.observer() {
            public.tree.traverse(visit);
        }
    }

    fn tree_hash(&self) -> Digest {
        let crypto = Crypto::new(self.provider);
        self.observer().map_or(Digest::EMPTY, |public| tree_hash(&crypto, &public.tree))
    }

    fn blanks_above(&self, client: ClientId) -> Result<u32, ProtocolError> {
        let leaf = self.leaf(client).ok_or(ProtocolError::NotAMember(client))?;
        let observer = self.observer().ok_or(ProtocolError::EpochGone(0))?;
        Ok(observer.tree.blanks_above(leaf)?)
    }

    fn leftmost_blank(&self) -> Result<Option<LeafIndex>, ProtocolError> {
        Ok(self.observer().ok_or(ProtocolError::EpochGone(0))?.tree.leftmost_blank())
    }

    fn stragglers(&self, most: u32, others: u32) -> Result<Vec<ClientId>, ProtocolError> {
        let observer = self.observer().ok_or(ProtocolError::EpochGone(0))?;
        let leaves = observer.tree.stragglers(most, others);
        Ok(leaves.iter().filter_map(|leaf| self.by_leaf.get(leaf).copied()).collect())
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
        let member = self.member(client).ok_or(ProtocolError::NotAMember(client))?;
        clients_of(&member.public)
    }

    fn forget_messages_before(&mut self, message: MessageId) {
        self.post.forget_before(message);
        // Nobody asks what a thief reads of messages that are forgotten, or of epochs in which nobody sends any more.
        let first = self.post.first_epoch(self.released);
        for thief in self.thieves.values_mut() {
            thief.mail = thief.mail.split_off(&first);
        }
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
        self.thief_reads(copy, message)
    }

    fn epoch_authenticator(&self, client: ClientId) -> Option<Secret> {
        self.member(client).map(|member| member.secrets.epoch_authenticator.clone())
    }

    fn recount(&self) -> Result<(), ProtocolError> {
        match self.observer() {
            Some(public) if !public.tree.root().recount() => {
                Err(ProtocolError::Check("a cached aggregate differs from a recount".into()))
            }
            _ => Ok(()),
        }
    }
}
