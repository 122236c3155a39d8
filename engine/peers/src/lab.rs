//! All clients of one group, each of another implementation, behind the trait that the simulator
//! drives. Every client does all its own work from the wire bytes, and draws its randomness from
//! the operating system: what a run records are counts and sizes, which do not depend on it.
//!
//! What the implementations do not report is read off the wire by an observer of our engine,
//! who follows in public and holds no secret: the tree, and the cost of each commit. Operations
//! are not counted: nobody can see them from outside.

use std::collections::BTreeMap;

use arboretum_engine::codec::{decode, encode};
use arboretum_engine::crypto::{CipherSuite, Crypto, Digest, Ledger, Provider, Secret, provider};
use arboretum_engine::group::{CommitCost, JoinError, PublicGroup};
use arboretum_engine::protocol::{
    Accepted, CaughtUp, ClientId, Draft, Joined, Opaque, Order, Protocol, ProtocolError, predict,
};
use arboretum_engine::tree::{Aggregates, LeafIndex, Traversed};
use arboretum_engine::treedem::MlsMessage;
use arboretum_engine::treesync::{Roster, encoded_tree_length, tree_hash};

use crate::{Commit, Event, Habits, MlsRs, OpenMls, Peer, PeerError};

/// An implementation whose clients can be simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerKind {
    /// OpenMLS.
    OpenMls,
    /// `mls-rs`.
    MlsRs,
}

impl PeerKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::OpenMls, Self::MlsRs];

    /// The name by which a protocol is chosen.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenMls => "openmls",
            Self::MlsRs => "mls-rs",
        }
    }

    /// The implementation of a name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    fn client(self, client: ClientId, suite: CipherSuite) -> crate::Result<Box<dyn Peer>> {
        let name = client.0.to_be_bytes();
        // As in the simulator: every commit renews its sender's path.
        let habits = Habits { private_handshakes: false, always_path: true };
        Ok(match self {
            Self::OpenMls => Box::new(OpenMls::new(&name, suite.0, habits)?),
            Self::MlsRs => Box::new(MlsRs::new(&name, suite.0, habits)?),
        })
    }
}

/// How a client stands to the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Outside,
    /// Added by the commit that leads to this epoch, and its Welcome not yet used.
    Invited(u64),
    Member,
}

struct Client {
    peer: Box<dyn Peer>,
    standing: Standing,
    /// Its key package in the newest commit that adds it, encoded.
    package: Vec<u8>,
    /// Whether a commit of its waits for the Delivery Service.
    pending: bool,
    leaf: Option<LeafIndex>,
}

/// What the Delivery Service has of an epoch, and what all its members must hold.
struct Logged {
    commit: Vec<u8>,
    welcome: Option<Vec<u8>>,
    authenticator: Vec<u8>,
}

/// All clients of one group.
pub struct PeerGroup {
    kind: PeerKind,
    provider: &'static dyn Provider,
    clients: BTreeMap<ClientId, Client>,
    by_leaf: BTreeMap<LeafIndex, ClientId>,
    log: Vec<Logged>,
    observer: Option<(PublicGroup, Roster)>,
}

/// A commit between making and acceptance.
#[derive(Debug)]
struct PeerDraft {
    commit: Commit,
}

fn refused(error: PeerError) -> ProtocolError {
    ProtocolError::Implementation(error.to_string())
}

impl PeerGroup {
    /// No clients yet; none if the suite is not built.
    pub fn new(kind: PeerKind, suite: CipherSuite) -> Option<Self> {
        Some(Self {
            kind,
            provider: provider(suite)?,
            clients: BTreeMap::new(),
            by_leaf: BTreeMap::new(),
            log: vec![],
            observer: None,
        })
    }

    fn public(&self) -> Option<&PublicGroup> {
        self.observer.as_ref().map(|(public, _)| public)
    }

    fn client(&mut self, client: ClientId) -> Result<&mut Client, ProtocolError> {
        self.clients.get_mut(&client).ok_or(ProtocolError::NoKeyPackage(client))
    }

    /// A new client of this name, outside the group.
    fn outsider(&self, client: ClientId) -> Result<Client, ProtocolError> {
        let peer = self.kind.client(client, self.provider.cipher_suite()).map_err(refused)?;
        let standing = Standing::Outside;
        Ok(Client { peer, standing, package: vec![], pending: false, leaf: None })
    }

    /// Takes a package of a client for an Add. Who has been in the group before comes back as a
    /// new client of the same name: the implementations keep what they know of a group.
    fn take_package(&mut self, client: ClientId) -> Result<Vec<u8>, ProtocolError> {
        if self.client(client)?.standing == Standing::Member {
            let outsider = self.outsider(client)?;
            self.clients.insert(client, outsider);
        }
        let entry = self.client(client)?;
        entry.package = entry.peer.key_package().map_err(refused)?;
        Ok(entry.package.clone())
    }

    /// A Welcome cut down to one client's own entry: what the Delivery Service hands it.
    fn own_welcome(&self, package: &[u8], welcome: &[u8]) -> Result<Vec<u8>, ProtocolError> {
        let MlsMessage::KeyPackage(package) = decode("an MLS message", package)? else {
            return Err(JoinError::NotInTree.into());
        };
        let MlsMessage::Welcome(mut welcome) = decode("an MLS message", welcome)? else {
            return Err(JoinError::NotAWelcome.into());
        };
        let reference = package.reference(&Crypto::new(self.provider))?;
        welcome.secrets.retain(|entry| entry.new_member == reference);
        Ok(encode(&MlsMessage::Welcome(welcome))?)
    }

    /// All members of an epoch hold one epoch authenticator.
    fn check(&self, client: ClientId) -> Result<(), ProtocolError> {
        let peer = &self.clients[&client].peer;
        let epoch = peer.epoch();
        let logged = usize::try_from(epoch).ok().and_then(|at| self.log.get(at.checked_sub(1)?));
        let logged = logged.ok_or(ProtocolError::EpochGone(epoch))?;
        if peer.epoch_authenticator().map_err(refused)? == logged.authenticator {
            Ok(())
        } else {
            Err(ProtocolError::Audit { client, epoch })
        }
    }

    /// The leaves of those whom a commit removes are nobody's, and those of whom it adds theirs.
    fn settle(&mut self, order: &Order, removed: &[LeafIndex], added: &[LeafIndex], epoch: u64) {
        for leaf in removed {
            let client = self.by_leaf.remove(leaf);
            if let Some(client) = client.and_then(|client| self.clients.get_mut(&client)) {
                client.leaf = None;
            }
        }
        for (&id, &leaf) in order.adds.iter().zip(added) {
            if let Some(client) = self.clients.get_mut(&id) {
                client.standing = Standing::Invited(epoch);
                client.leaf = Some(leaf);
            }
            self.by_leaf.insert(leaf, id);
        }
    }
}

impl Protocol for PeerGroup {
    fn name(&self) -> &'static str {
        self.kind.name()
    }

    fn counts_operations(&self) -> bool {
        false
    }

    fn register(&mut self, client: ClientId, packages: u32) -> Result<Joined, ProtocolError> {
        let mut outsider = self.outsider(client)?;
        let MlsMessage::KeyPackage(package) =
            decode("an MLS message", &outsider.peer.key_package().map_err(refused)?)?
        else {
            return Err(ProtocolError::NoKeyPackage(client));
        };
        self.clients.insert(client, outsider);
        let bytes = u64::from(packages) * encode(&package)?.len() as u64;
        Ok(Joined { bytes, ledger: Ledger::default() })
    }

    fn create(&mut self, creator: ClientId) -> Result<(), ProtocolError> {
        let entry = self.client(creator)?;
        entry.peer.create(b"group").map_err(refused)?;
        entry.standing = Standing::Member;
        entry.leaf = Some(LeafIndex(0));
        let info = entry.peer.group_info().map_err(refused)?;
        let MlsMessage::GroupInfo(info) = decode("an MLS message", &info)? else {
            return Err(JoinError::NoTree.into());
        };
        let tree = info.tree().map_err(JoinError::from)?.ok_or(JoinError::NoTree)?;
        self.observer = Some(info.validate(&Crypto::new(self.provider), tree)?);
        self.by_leaf.insert(LeafIndex(0), creator);
        Ok(())
    }

    fn commit(&mut self, order: Order) -> Result<Draft, ProtocolError> {
        let mut removes = vec![];
        for client in &order.removes {
            let leaf = self.client(*client)?.leaf.ok_or(ProtocolError::NotAMember(*client))?;
            removes.push(leaf.0);
        }
        let adds: Result<Vec<_>, _> =
            order.adds.iter().map(|add| self.take_package(*add)).collect();
        let adds = adds?;
        let sender = self.client(order.by)?;
        let leaf = sender.leaf.ok_or(ProtocolError::NotAMember(order.by))?;
        if sender.pending {
            sender.peer.discard_commit().map_err(refused)?;
        }
        let epoch = sender.peer.epoch();
        let commit = sender.peer.commit(&adds, &removes).map_err(refused)?;
        sender.pending = true;
        let cost = CommitCost::read(&commit.message, commit.welcome.as_deref())?;
        let (ledger, inner) = (Ledger::default(), Opaque::new(PeerDraft { commit }));
        Ok(Draft { order, epoch, leaf, cost, ledger, inner })
    }

    fn accept(&mut self, draft: Draft, _audited: &[ClientId]) -> Result<Accepted, ProtocolError> {
        let provider = self.provider;
        let (public, roster) = self.observer.as_mut().ok_or(ProtocolError::EpochGone(0))?;
        if draft.epoch != public.epoch() {
            return Err(ProtocolError::Stale { made: draft.epoch, at: public.epoch() });
        }
        let PeerDraft { commit: Commit { message, welcome } } = draft.inner.open()?;
        let crypto = Crypto::new(provider);
        let transition = public.apply(&crypto, roster, &message)?;
        let (predicted_ciphertexts, excluded_ciphertexts) = predict(&transition)?;
        if predicted_ciphertexts != draft.cost.ciphertexts {
            return Err(ProtocolError::Check("ciphertexts are not those predicted".into()));
        }
        roster.advance(&transition.roster_changes);
        *public = transition.after.clone();
        let epoch = public.epoch();
        let tree_bytes = encoded_tree_length(&public.tree) as u64;
        let applied = &transition.applied;
        self.settle(&draft.order, &applied.removed, &applied.added, epoch);
        let sender = self.client(draft.order.by)?;
        sender.peer.accept_commit().map_err(refused)?;
        sender.pending = false;
        let authenticator = sender.peer.epoch_authenticator().map_err(refused)?;
        self.log.push(Logged { commit: message, welcome, authenticator });
        Ok(Accepted {
            epoch,
            receiver: Ledger::default(),
            audits: 0,
            checks: 1,
            predicted_ciphertexts,
            excluded_ciphertexts,
            tree_bytes,
        })
    }

    fn join(&mut self, client: ClientId) -> Result<Joined, ProtocolError> {
        let entry = self.clients.get(&client).ok_or(ProtocolError::NotAMember(client))?;
        let Standing::Invited(epoch) = entry.standing else {
            return Err(ProtocolError::NotAMember(client));
        };
        let logged = &self.log[epoch as usize - 1];
        let welcome = logged.welcome.as_deref().ok_or(ProtocolError::NotAMember(client))?;
        let welcome = self.own_welcome(&entry.package, welcome)?;
        let entry = self.client(client)?;
        entry.peer.join(&welcome).map_err(refused)?;
        entry.standing = Standing::Member;
        self.check(client)?;
        Ok(Joined { bytes: welcome.len() as u64, ledger: Ledger::default() })
    }

    fn advance(&mut self, client: ClientId, to: u64) -> Result<CaughtUp, ProtocolError> {
        let mut caught = CaughtUp::default();
        match self.clients.get(&client).map(|entry| entry.standing) {
            Some(Standing::Invited(_)) => caught.bytes += self.join(client)?.bytes,
            Some(Standing::Member) => {}
            Some(Standing::Outside) | None => return Ok(caught),
        }
        let Some(entry) = self.clients.get_mut(&client) else { return Ok(caught) };
        if entry.pending && entry.peer.epoch() < to {
            entry.pending = false;
            entry.peer.discard_commit().map_err(refused)?;
        }
        while entry.peer.epoch() < to && !caught.removed {
            let message = &self.log[entry.peer.epoch() as usize].commit;
            caught.commits += 1;
            caught.bytes += message.len() as u64;
            match entry.peer.receive(message).map_err(refused)? {
                Event::Removed => caught.removed = true,
                Event::Commit => {}
                other => return Err(ProtocolError::Check(format!("{client} received {other:?}"))),
            }
        }
        if caught.removed {
            let outsider = self.outsider(client)?;
            self.clients.insert(client, outsider);
        } else if caught.commits > 0 {
            self.check(client)?;
        }
        Ok(caught)
    }

    fn release_before(&mut self, _epoch: u64) {}

    fn epoch(&self) -> u64 {
        self.public().map_or(0, PublicGroup::epoch)
    }

    fn view(&self, client: ClientId) -> Option<u64> {
        let entry = self.clients.get(&client)?;
        (entry.standing == Standing::Member).then(|| entry.peer.epoch())
    }

    fn leaf(&self, client: ClientId) -> Option<LeafIndex> {
        self.clients.get(&client)?.leaf
    }

    fn tree(&self) -> Aggregates {
        self.public().map_or(Aggregates::default(), |public| *public.tree.aggregates())
    }

    fn traverse(&self, visit: &mut dyn FnMut(Traversed)) {
        if let Some(public) = self.public() {
            public.tree.traverse(visit);
        }
    }

    fn tree_hash(&self) -> Digest {
        let crypto = Crypto::new(self.provider);
        self.public().map_or(Digest::EMPTY, |public| tree_hash(&crypto, &public.tree))
    }

    fn epoch_authenticator(&self, client: ClientId) -> Option<Secret> {
        let peer = &self.clients.get(&client)?.peer;
        Some(peer.epoch_authenticator().ok()?.as_slice().into())
    }

    fn recount(&self) -> Result<(), ProtocolError> {
        match self.public() {
            Some(public) if !public.tree.root().recount() => {
                Err(ProtocolError::Check("a cached aggregate differs from a recount".into()))
            }
            _ => Ok(()),
        }
    }
}
