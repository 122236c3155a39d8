//! What TreeKEM was to replace: pairwise channels, sender keys and the key server, each in all three
//! fidelities, against what each must cost and who must read what.

mod costs;
mod differential;
mod secrecy;
#[path = "../common/seeds.rs"]
mod seeds;

use arboretum_engine::baseline::{KeyServerGroup, Pairwise, SenderKeys, Sharing};
use arboretum_engine::crypto::{CountingProvider, Provider, RealProvider};
use arboretum_engine::protocol::{ClientId, Order, Protocol};

pub(crate) use seeds::TestSeeds;

pub(crate) const REAL: &dyn Provider = &RealProvider;
pub(crate) const COUNTING: &dyn Provider = &CountingProvider;

pub(crate) type Pairs = Pairwise<TestSeeds>;
pub(crate) type Senders = SenderKeys<TestSeeds>;
pub(crate) type KeyServer = KeyServerGroup<TestSeeds>;

/// A protocol that is made for a test.
pub(crate) trait Made: Protocol {
    /// Whether a message can be read once only.
    const ONCE: bool = true;

    fn made(provider: &'static dyn Provider, seed: u64, sharing: Sharing) -> Self;
}

impl Made for Pairs {
    fn made(provider: &'static dyn Provider, seed: u64, sharing: Sharing) -> Self {
        Self::new(provider, TestSeeds(seed), sharing)
    }
}

impl Made for Senders {
    fn made(provider: &'static dyn Provider, seed: u64, sharing: Sharing) -> Self {
        Self::new(provider, TestSeeds(seed), sharing)
    }
}

impl Made for KeyServer {
    /// Within an epoch its key reads everything.
    const ONCE: bool = false;

    fn made(provider: &'static dyn Provider, seed: u64, sharing: Sharing) -> Self {
        // Degrees 2, 3 and 4 by turns.
        Self::new(provider, TestSeeds(seed), sharing, 2 + (seed % 3) as u8).unwrap()
    }
}

pub(crate) fn order(by: u32, adds: &[u32], removes: &[u32]) -> Order {
    let clients = |numbers: &[u32]| numbers.iter().map(|number| ClientId(*number)).collect();
    Order { by: ClientId(by), adds: clients(adds), removes: clients(removes), now: 1 }
}

/// A group of `n`, numbered from 0, all of whom have joined.
pub(crate) fn group<P: Made>(n: u32, sharing: Sharing) -> P {
    let mut group = P::made(REAL, 7, sharing);
    (0..n).for_each(|client| _ = group.register(ClientId(client), 100).unwrap());
    group.create(ClientId(0)).unwrap();
    let adds: Vec<u32> = (1..n).collect();
    commit(&mut group, order(0, &adds, &[]));
    advance_all(&mut group, 0..n);
    group
}

pub(crate) fn commit<P: Protocol>(group: &mut P, order: Order) {
    let draft = group.commit(order).unwrap();
    group.accept(draft, &[]).unwrap();
}

pub(crate) fn advance_all<P: Protocol>(group: &mut P, clients: impl IntoIterator<Item = u32>) {
    let epoch = group.epoch();
    clients.into_iter().for_each(|client| _ = group.advance(ClientId(client), epoch).unwrap());
}
