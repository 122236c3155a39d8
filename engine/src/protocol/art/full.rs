//! ART at fidelity `full`: every client holds its own state and does all its own work from the wire
//! bytes. The oracle for `shared`, and for small groups.

mod follow;
mod messages;

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::draft::{self, ArtDraft, What};
use super::{authenticator, init_key};
use crate::art::{
    Exposed, Exposure, Member, PublicGroup, Trees, check_setup, encoded_length, group_hash,
};
use crate::crypto::{Crypto, Digest, Provider, Secret, Seed};
use crate::protocol::clients::Clients;
use crate::protocol::moves::Moves;
use crate::protocol::post::Post;
use crate::protocol::{
    Accepted, CaughtUp, ClientId, Draft, Entering, Joined, MessageId, Opaque, Order, Protocol,
    ProtocolError, Received, Seeds, Sent,
};
use crate::strategy::Strategy;
use crate::tree::{Aggregates, LeafIndex, Traversed};

use messages::Mail;

/// What the Delivery Service has of an entry of the log: its messages, each with the trees that stood
/// before it, which its sender has published.
struct Logged(Vec<(Vec<u8>, PublicGroup)>);

/// What a client has been added by: a message of an entry, and the number of its init key.
#[derive(Clone, Copy)]
struct Invitation {
    entry: usize,
    step: usize,
    number: u32,
}

/// A client.
#[derive(Default)]
struct FullClient {
    invitation: Option<Invitation>,
    member: Option<Member>,
    /// The entries that it has followed.
    view: u64,
    leaf: Option<LeafIndex>,
    mail: Mail,
    lost: bool,
}

/// All clients of one group, each on its own.
pub struct FullArt<S> {
    provider: &'static dyn Provider,
    clients: Clients<S>,
    states: BTreeMap<ClientId, FullClient>,
    log: Vec<Logged>,
    /// Who has committed last, as it was then: it has published the group.
    newest: Option<(ClientId, Member)>,
    by_leaf: BTreeMap<LeafIndex, ClientId>,
    exposure: Exposure,
    moves: Moves,
    post: Post,
}

impl<S: Seeds> FullArt<S> {
    /// No clients yet.
    pub fn new(provider: &'static dyn Provider, seeds: S) -> Self {
        Self {
            provider,
            clients: Clients::new(seeds, Strategy::default()),
            states: BTreeMap::new(),
            log: vec![],
            newest: None,
            by_leaf: BTreeMap::new(),
            exposure: Exposure::new(),
            moves: Moves::default(),
            post: Post::default(),
        }
    }

    /// A client's membership, if it has joined and does not know itself deleted.
    pub fn member(&self, client: ClientId) -> Option<&Member> {
        self.states.get(&client)?.member.as_ref()
    }

    /// The handshake messages of the entry that led to `epoch`.
    pub fn handshakes(&self, epoch: u64) -> Vec<&[u8]> {
        let entry = usize::try_from(epoch).ok().and_then(|at| self.log.get(at.checked_sub(1)?));
        entry.map_or_else(Vec::new, |Logged(steps)| steps.iter().map(|(m, _)| &m[..]).collect())
    }

    fn newest(&self) -> Result<&PublicGroup, ProtocolError> {
        let newest = self.newest.as_ref().ok_or(ProtocolError::EpochGone(0))?;
        Ok(&newest.1.public)
    }
}

/// A new group's identifier, and the seed of its first leaf.
pub(super) fn founding<S: Seeds>(clients: &Clients<S>) -> (Seed, Seed) {
    let mut rng = ChaCha20Rng::from_seed(clients.seeds().seed("group", 0, 0));
    let (mut group_id, mut leaf) = (Seed::default(), Seed::default());
    rng.fill_bytes(&mut group_id);
    rng.fill_bytes(&mut leaf);
    (group_id, leaf)
}

/// A client is known from now on, and has published init keys.
pub(super) fn register<S: Seeds>(
    clients: &mut Clients<S>,
    provider: &dyn Provider,
    client: ClientId,
    packages: u32,
) -> Result<Joined, ProtocolError> {
    clients.enrol(client);
    publish(clients, provider, client, packages)
}

/// What publishing init keys takes.
pub(super) fn publish<S: Seeds>(
    clients: &Clients<S>,
    provider: &dyn Provider,
    client: ClientId,
    packages: u32,
) -> Result<Joined, ProtocolError> {
    let crypto = Crypto::new(provider);
    let (key, _) = init_key(clients, &crypto, client, 0)?;
    let bytes = tls_codec::Size::tls_serialized_len(&key) as u64;
    let packages = u64::from(packages);
    Ok(Joined { bytes: packages * bytes, ledger: crypto.ledger() * packages })
}

/// Everything that is cached is computed anew and compared; O(n).
pub(super) fn recount(provider: &dyn Provider, group: &PublicGroup) -> Result<(), ProtocolError> {
    if !group.ratchet.root().recount() || !group.identities.root().recount() {
        return Err(ProtocolError::Check("a cached aggregate differs from a recount".into()));
    }
    let crypto = Crypto::new(provider);
    let again = Trees::of(group).into_group(&crypto, &group.init_key(&crypto));
    let again = again.map_err(crate::art::MemberError::from)?;
    super::check(
        group_hash(&crypto, &again) == group_hash(&crypto, group)
            && again.ratchet.aggregates() == group.ratchet.aggregates(),
        "a tree differs from one that is built of its own nodes",
    )
}

impl<S: Seeds> Protocol for FullArt<S> {
    fn name(&self) -> &'static str {
        "art"
    }

    fn register(&mut self, client: ClientId, packages: u32) -> Result<Joined, ProtocolError> {
        self.states.insert(client, FullClient::default());
        register(&mut self.clients, self.provider, client, packages)
    }

    fn publish(&mut self, client: ClientId, packages: u32) -> Result<Joined, ProtocolError> {
        publish(&self.clients, self.provider, client, packages)
    }

    fn create(&mut self, creator: ClientId) -> Result<(), ProtocolError> {
        let crypto = Crypto::new(self.provider);
        let signer = self.clients.signer(self.provider, creator);
        let (group_id, seed) = founding(&self.clients);
        let member = Member::create(&crypto, signer, &group_id, seed)?;
        self.by_leaf.insert(member.leaf, creator);
        self.newest = Some((creator, member.clone()));
        let (leaf, mail) = (Some(member.leaf), Mail::since(0));
        let state = FullClient { member: Some(member), leaf, mail, ..FullClient::default() };
        self.states.insert(creator, state);
        Ok(())
    }

    fn commit(&mut self, order: Order) -> Result<Draft, ProtocolError> {
        let not_a_member = ProtocolError::NotAMember;
        let state = self.states.get(&order.by).ok_or(not_a_member(order.by))?;
        let member = state.member.clone().ok_or(not_a_member(order.by))?;
        let view = state.view;
        let leaf_of = |client: &ClientId| {
            let leaf = self.states.get(client).and_then(|state| state.leaf);
            let newest = leaf.ok_or(not_a_member(*client))?;
            Ok(self.moves.leaf_in(view, *client, newest))
        };
        let removed: Result<Vec<_>, ProtocolError> = order.removes.iter().map(leaf_of).collect();
        let removed = removed?;
        let outside = |leaf: &LeafIndex| member.public.ratchet.leaf(*leaf).is_none();
        if let Some(at) = removed.iter().position(outside) {
            return Err(not_a_member(order.removes[at]));
        }
        let crypto = Crypto::new(self.provider);
        let leaf = member.leaf;
        let (inner, cost) = draft::make(&mut self.clients, &crypto, member, &order, &removed)?;
        Ok(Draft {
            epoch: view,
            leaf,
            cost,
            ledger: crypto.ledger(),
            order,
            inner: Opaque::new(inner),
        })
    }

    fn accept(&mut self, draft: Draft, _audited: &[ClientId]) -> Result<Accepted, ProtocolError> {
        let at = self.epoch();
        if draft.epoch != at {
            return Err(ProtocolError::Stale { made: draft.epoch, at });
        }
        let crypto = Crypto::new(self.provider);
        let ArtDraft { steps, enters } = draft.inner.open()?;
        for step in &steps {
            match step.what {
                What::Init(_) => _ = check_setup(&crypto, &step.message)?,
                _ => _ = step.before.check(&crypto, &step.message)?,
            }
        }
        let by = draft.order.by;
        let mut logged = vec![];
        for (number, step) in steps.into_iter().enumerate() {
            self.turn_over(&step, number, &draft.order);
            self.newest = Some((by, step.after));
            logged.push((step.message, step.before));
        }
        self.log.push(Logged(logged));
        self.go_on(by, enters);
        Ok(Accepted {
            epoch: at + 1,
            receiver: crypto.ledger(),
            audits: 0,
            checks: 1,
            predicted_ciphertexts: 0,
            excluded_ciphertexts: 0,
            tree_bytes: encoded_length(self.newest()?),
        })
    }

    fn join(&mut self, client: ClientId) -> Result<Joined, ProtocolError> {
        let CaughtUp { bytes, ledger, .. } = self.enter(client)?;
        Ok(Joined { bytes, ledger })
    }

    fn advance(&mut self, client: ClientId, to: u64) -> Result<CaughtUp, ProtocolError> {
        let mut caught = CaughtUp::default();
        let Some(state) = self.states.get(&client) else { return Ok(caught) };
        if state.lost {
            return Ok(caught);
        }
        if state.invitation.is_some() {
            caught += self.enter(client)?;
        }
        caught += self.follow(client, to)?;
        Ok(caught)
    }

    fn release_before(&mut self, epoch: u64) {
        self.moves.forget_before(epoch);
    }

    fn epoch(&self) -> u64 {
        self.log.len() as u64
    }

    fn view(&self, client: ClientId) -> Option<u64> {
        let state = self.states.get(&client)?;
        state.member.as_ref().map(|_| state.view)
    }

    fn leaf(&self, client: ClientId) -> Option<LeafIndex> {
        self.states.get(&client)?.leaf
    }

    fn tree(&self) -> Aggregates {
        self.newest().map_or(Aggregates::default(), |group| *group.ratchet.aggregates())
    }

    fn traverse(&self, visit: &mut dyn FnMut(Traversed)) {
        if let Ok(group) = self.newest() {
            group.ratchet.traverse(visit);
        }
    }

    fn tree_hash(&self) -> Digest {
        let crypto = Crypto::new(self.provider);
        self.newest().map_or(Digest::EMPTY, |group| group_hash(&crypto, group))
    }

    fn join_by_link(&mut self, client: ClientId, now: u64) -> Result<Entering, ProtocolError> {
        if self.leaf(client).is_some() {
            return Err(ProtocolError::IsAMember(client));
        }
        let (publisher, member) = self.newest.clone().ok_or(ProtocolError::EpochGone(0))?;
        enter_by_link(
            &mut self.clients,
            self.provider,
            (client, now),
            (publisher, &member),
            self.log.len() as u64,
        )
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
        let identities = member.public.identities.root().leaves();
        // A client is known by its identity key.
        let known: BTreeMap<_, _> = (self.states.keys())
            .map(|client| (self.clients.signer(self.provider, *client).public, *client))
            .collect();
        let clients: Option<Vec<_>> =
            identities.into_iter().map(|(_, identity)| known.get(&**identity).copied()).collect();
        let stranger = || ProtocolError::Check("a leaf has the identity of no client".into());
        let mut clients = clients.ok_or_else(stranger)?;
        clients.sort_unstable();
        Ok(clients)
    }

    fn forget_messages_before(&mut self, message: MessageId) {
        self.post.forget_before(message);
    }

    fn exposed(&self) -> Option<Exposed> {
        Some(self.exposure.exposed())
    }

    fn epoch_authenticator(&self, client: ClientId) -> Option<Secret> {
        authenticator(&Crypto::new(self.provider), &self.member(client)?.secrets)
    }

    fn recount(&self) -> Result<(), ProtocolError> {
        recount(self.provider, self.newest()?)
    }
}

/// Makes the message by which a client adds itself to the group as a member has published it.
pub(super) fn enter_by_link<S: Seeds>(
    clients: &mut Clients<S>,
    provider: &'static dyn Provider,
    (client, now): (ClientId, u64),
    (publisher, member): (ClientId, &Member),
    epoch: u64,
) -> Result<Entering, ProtocolError> {
    let own = Crypto::new(provider);
    let publication = member.publish(&own)?;
    let trees = Trees::of(&member.public).encode()?;
    let crypto = Crypto::new(provider);
    let (inner, cost, leaf) = draft::enter(clients, &crypto, client, &publication, &trees)?;
    let bytes = publication.len() as u64;
    let order = Order { by: client, adds: vec![], removes: vec![], now };
    Ok(Entering {
        fetched: bytes + trees.len() as u64,
        publisher,
        published: Joined { bytes, ledger: own.ledger() },
        draft: Draft {
            epoch,
            leaf,
            cost,
            ledger: crypto.ledger(),
            order,
            inner: Opaque::new(inner),
        },
    })
}
