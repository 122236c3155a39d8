//! Entries of the log in the making: the handshake messages that an order takes.

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::{init_key, init_keys};
use crate::art::{Exposure, Member, NodeSecret, PublicGroup};
use crate::crypto::{Crypto, Seed};
use crate::group::CommitCost;
use crate::protocol::clients::Clients;
use crate::protocol::{ClientId, Order, ProtocolError, Seeds};
use crate::tree::LeafIndex;

/// Handshake messages between making and acceptance, and their sender after them.
#[derive(Debug)]
pub(super) struct ArtDraft {
    pub(super) steps: Vec<Step>,
    /// Whether its sender enters by it.
    pub(super) enters: bool,
}

/// One handshake message, and the step that its sender has taken by it.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) message: Vec<u8>,
    pub(super) what: What,
    /// The leaf whose path changes.
    pub(super) changed: LeafIndex,
    /// The new nodes from that leaf to the root; of a setup, all nodes in order.
    pub(super) nodes: Vec<NodeSecret>,
    /// The group before it.
    pub(super) before: PublicGroup,
    /// The sender after it.
    pub(super) after: Member,
}

/// Whose init key is used: its number says which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Invited {
    pub(super) client: ClientId,
    pub(super) number: u32,
}

/// What a handshake message does, in the simulator's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    Init(Vec<Invited>),
    GroupAdd(Invited),
    UserAdd,
    Update,
    Delete(ClientId),
}

impl Step {
    /// Keeps account of who knows which node.
    pub(super) fn expose(&self, exposure: &mut Exposure) {
        match &self.what {
            What::Init(others) => exposure.init(others.len() as u32 + 1),
            What::GroupAdd(_) => exposure.group_add(),
            What::UserAdd => exposure.user_add(),
            What::Update => exposure.update(self.changed),
            What::Delete(_) => exposure.delete(self.after.leaf, self.changed),
        }
    }

    /// Who is added by a member, at which leaves.
    pub(super) fn invited(&self) -> Vec<(Invited, LeafIndex)> {
        match &self.what {
            What::Init(others) => {
                others.iter().zip(1..).map(|(invited, leaf)| (*invited, LeafIndex(leaf))).collect()
            }
            What::GroupAdd(invited) => vec![(*invited, self.changed)],
            _ => vec![],
        }
    }
}

fn add(total: &mut CommitCost, cost: CommitCost) {
    total.public_keys += cost.public_keys;
    total.bytes += cost.bytes;
    total.bytes_proposals += cost.bytes_proposals;
    total.bytes_path_keys += cost.bytes_path_keys;
    total.bytes_framing += cost.bytes_framing;
}

/// Carries out an order in a member's view: everybody it deletes, then everybody it adds; if it does
/// neither, its own leaf is renewed. The only member of a group that adds several sets a group up.
pub(super) fn make<S: Seeds>(
    clients: &mut Clients<S>,
    crypto: &Crypto<'_>,
    member: Member,
    order: &Order,
    removed: &[LeafIndex],
) -> Result<(ArtDraft, CommitCost), ProtocolError> {
    let number = clients.next_commit(order.by)?;
    let seed = clients.seeds().seed("commit", order.by.0.into(), number.into());
    let mut rng = ChaCha20Rng::from_seed(seed);
    let mut draw = || {
        let mut seed = Seed::default();
        rng.fill_bytes(&mut seed);
        seed
    };
    // Making a package was charged at registration.
    let unpaid = Crypto::new(crypto.provider());
    let (mut steps, mut cost, mut now) = (vec![], CommitCost::default(), member);
    let sets_up = now.epoch() == 0 && now.public.ratchet.width() == 1 && order.adds.len() > 1;
    if sets_up && order.removes.is_empty() {
        let mut invited = vec![];
        for client in &order.adds {
            let number = clients.take_package(*client)?;
            invited.push(Invited { client: *client, number });
        }
        let keys = init_keys(clients, crypto.provider(), &invited)?.into_iter();
        let keys: Vec<_> = keys.map(|(key, _)| key).collect();
        let setup = now.init(crypto, &keys, [draw(), draw()])?;
        let (message, nodes, after) = (setup.message, setup.nodes, setup.after);
        let (what, changed, before) = (What::Init(invited), LeafIndex(0), now.public);
        let steps = vec![Step { message, what, changed, nodes, before, after }];
        return Ok((ArtDraft { steps, enters: false }, setup.cost));
    }
    let mut todo: Vec<_> = order.removes.iter().map(|client| What::Delete(*client)).collect();
    for client in &order.adds {
        let number = clients.take_package(*client)?;
        todo.push(What::GroupAdd(Invited { client: *client, number }));
    }
    if todo.is_empty() {
        todo.push(What::Update);
    }
    let mut removed = removed.iter();
    for what in todo {
        let pending = match &what {
            What::Delete(client) => {
                let leaf = removed.next().ok_or(ProtocolError::NotAMember(*client))?;
                now.delete(crypto, *leaf, draw())
            }
            What::GroupAdd(Invited { client, number }) => {
                let (key, _) = init_key(clients, &unpaid, *client, *number)?;
                now.group_add(crypto, key)
            }
            _ => now.update(crypto, draw()),
        }?;
        add(&mut cost, pending.cost);
        let (message, nodes, after) = (pending.message, pending.nodes, pending.after);
        let before = std::mem::replace(&mut now, after.clone()).public;
        steps.push(Step { message, what, changed: pending.changed, nodes, before, after });
    }
    Ok((ArtDraft { steps, enters: false }, cost))
}

/// Makes the message by which a client adds itself.
pub(super) fn enter<S: Seeds>(
    clients: &mut Clients<S>,
    crypto: &Crypto<'_>,
    client: ClientId,
    publication: &[u8],
    trees: &[u8],
) -> Result<(ArtDraft, CommitCost, LeafIndex), ProtocolError> {
    let number = clients.next_commit(client)?;
    let seed = clients.seeds().seed("commit", client.0.into(), number.into());
    let signer = clients.signer(crypto.provider(), client);
    let trees = crate::art::Trees::decode(trees)?;
    let unpaid = Crypto::new(crypto.provider());
    let (handshake, _) = crate::art::Handshake::read(publication)?;
    let before = trees.clone().into_group(&unpaid, &handshake.init_key);
    let before = before.map_err(crate::art::MemberError::from)?;
    let pending = Member::user_add(crypto, signer, publication, trees, seed)?;
    let (changed, cost) = (pending.changed, pending.cost);
    let (message, nodes, after) = (pending.message, pending.nodes, pending.after);
    let steps = vec![Step { message, what: What::UserAdd, changed, nodes, before, after }];
    Ok((ArtDraft { steps, enters: true }, cost, changed))
}
