//! A group made anew: what the member does who ends a group by a ReInit and makes the one that replaces
//! it (RFC 9420 §11.2). Both are made together and sent when the Delivery Service has chosen the
//! ReInit: the commit to everybody, the Welcome to all others. One *step* of the protocol leads from
//! the old group's last epoch but one to the new group's first commit.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::clients::Clients;
use super::{ClientId, Order, ProtocolError, Seeds};
use crate::crypto::Crypto;
use crate::group::{CommitCost, CommitRequest, Member, PendingCommit};
use crate::treesync::{KeyPackage, Proposal, ReInit, Roster};

/// A group that replaces another, before it does.
#[derive(Debug)]
pub(super) struct Successor {
    /// What the old group's last commit asks for.
    pub(super) reinit: ReInit,
    /// The new group's first commit, which nobody receives, and its Welcome.
    pub(super) founded: PendingCommit,
}

/// The order of a step: everybody else goes and comes.
pub(super) fn order(by: ClientId, members: impl Iterator<Item = ClientId>, now: u64) -> Order {
    let others: Vec<_> = members.filter(|client| *client != by).collect();
    Order { by, adds: others.clone(), removes: others, now }
}

/// Makes the commit that ends the group at an epoch of the simulation, and its successor, with
/// `packages` of all others. Gives what both cost in message.
pub(super) fn rebuild<S: Seeds>(
    crypto: &Crypto<'_>,
    clients: &mut Clients<S>,
    (member, roster): (&Member, &Roster),
    packages: Vec<KeyPackage>,
    order: &Order,
    epoch: u64,
) -> Result<(PendingCommit, Successor, CommitCost), ProtocolError> {
    let mut rng = ChaCha20Rng::from_seed(clients.seeds().seed("group", epoch + 1, 0));
    let founding = clients.founding(&mut rng)?;
    let reinit = ReInit {
        group_id: founding.group_id.into(),
        version: member.public.context.version,
        cipher_suite: member.public.context.cipher_suite,
        extensions: founding.extensions,
    };
    let number = clients.next_commit(order.by)?;
    let seed = clients.seeds().seed("commit", order.by.0.into(), number.into());
    let request = CommitRequest {
        proposals: vec![Proposal::ReInit(reinit.clone())],
        now: order.now,
        ..CommitRequest::default()
    };
    let pending = member.commit(crypto, roster, request, &mut ChaCha20Rng::from_seed(seed))?;
    let number = clients.take_package(order.by)?;
    let (package, secrets) = clients.package(crypto, order.by, number)?;
    let last = &pending.after;
    let founded =
        last.found_successor(crypto, &reinit, (&package, &secrets), packages, order.now, &mut rng)?;
    let cost = CommitCost { bytes_welcome: founded.cost.bytes_welcome, ..pending.cost };
    Ok((pending, Successor { reinit, founded }, cost))
}
