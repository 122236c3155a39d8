//! Federated Delivery Services, and what each of them sees. Every user has one of them, by number in
//! turn; the first decides the order of commits, so that what the others' users send goes through it.
//! All of them pass everything on to their users: to users of another service than the first the
//! way is longer by the delay between the two.
//!
//! What they see is metadata (RFC 9750 §8.1): the header of every message says group, epoch and kind to
//! each service that passes it on. A commit is a public message, in which its sender's leaf and who comes
//! and goes stand in the clear. Who has sent an application message only the sender's own service
//! knows, by the connection that it came in on.

use arboretum_engine::protocol::ClientId;
use arboretum_results::{Metadata, Seen};
use arboretum_workloads::{Millis, RootSeed, Service};

use super::world::World;

/// The services of a run.
#[derive(Debug)]
pub(super) struct Services {
    /// From each to the first, one way.
    delays: Vec<Millis>,
    seen: Vec<Seen>,
}

impl Services {
    pub(super) fn new(service: &Service, longest: Millis, seed: &RootSeed) -> Self {
        let delay = |number: u32| match number {
            0 => Millis(0),
            _ => {
                let mut stream = seed.stream("service", number.into(), 0);
                service.between.sample(&mut stream).min(longest)
            }
        };
        let delays: Vec<_> = (0..service.services).map(delay).collect();
        let seen = vec![Seen::default(); delays.len()];
        Self { delays, seen }
    }

    /// The longest way from a service to the first.
    pub(super) fn longest(&self) -> Millis {
        self.delays.iter().copied().max().unwrap_or_default()
    }

    pub(super) fn delay(&self, service: usize) -> Millis {
        self.delays[service]
    }

    /// An application message is passed on, whose sender is a user of this service.
    pub(super) fn relay(&mut self, home: usize) {
        for (service, seen) in self.seen.iter_mut().enumerate() {
            seen.messages += 1;
            seen.senders += u64::from(service == home);
        }
    }

    /// A commit is passed on, which adds and removes so many.
    pub(super) fn order(&mut self, changes: u64) {
        for seen in &mut self.seen {
            seen.commits += 1;
            seen.changes += changes;
        }
    }

    /// What was seen: by the first, and by the others together.
    pub(super) fn metadata(&self) -> Metadata {
        let mut others = Seen::default();
        for seen in self.seen.iter().skip(1) {
            others.commits += seen.commits;
            others.changes += seen.changes;
            others.messages += seen.messages;
            others.senders += seen.senders;
        }
        Metadata { services: self.seen.len() as u64, first: self.seen[0], others }
    }
}

impl World<'_, '_> {
    /// The service that a client is a user of.
    pub(super) fn service_of(&self, client: ClientId) -> usize {
        let user = self.demand.people()[client.0 as usize].user;
        (user % self.scenario.service.services) as usize
    }

    /// The longest one-way delay between a client and the service that decides.
    pub(super) fn longest_delay(&self) -> Millis {
        Millis(self.scenario.network.max_delay.0 + self.services.longest().0)
    }
}
