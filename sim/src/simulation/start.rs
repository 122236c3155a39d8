//! How the group comes to be: all at once, one by one, or warm (RFC 9420 §11).

use arboretum_engine::protocol::{Abilities, ClientId, Order, ProtocolError};
use arboretum_results::Recorder;
use arboretum_workloads::{Millis, Start};

use super::clients::Standing;
use super::policy::{UNIX_ZERO, first_renewal};
use super::world::World;

/// The most clients that one creating commit adds: a message has at most 2^30 bytes (RFC 9420
/// §2.1.2), and an Add about 280.
const MAX_ADDS: usize = 1_000_000;

impl World<'_, '_> {
    /// Registers everybody who is there from the start, makes the group, and brings all of
    /// them into it: they are in the group from the first moment, online or not.
    pub(super) fn start(&mut self, recorder: &mut dyn Recorder) -> Result<(), ProtocolError> {
        let initial = (0..self.demand.initial() as u32).filter(|client| self.demand.has(*client));
        let initial: Vec<_> = initial.map(ClientId).collect();
        for client in &initial {
            self.register(*client)?;
        }
        let Some((&creator, others)) = initial.split_first() else { return Ok(()) };
        self.protocol.create(creator)?;
        self.enter(creator);
        match self.scenario.group.start {
            Start::OneByOne => {
                for client in others {
                    self.create_commit(creator, std::slice::from_ref(client), recorder)?;
                }
            }
            Start::AtOnce | Start::Warm => {
                for part in others.chunks(MAX_ADDS) {
                    self.create_commit(creator, part, recorder)?;
                }
            }
        }
        if self.scenario.group.start == Start::Warm {
            self.warm(&initial)?;
        }
        let epoch = self.protocol.epoch();
        for client in &initial {
            self.bring_forward(*client, epoch)?;
        }
        self.delivery.begin(epoch);
        self.protocol.release_before(epoch);
        let members = u64::from(self.protocol.tree().members);
        self.mail.note_size(epoch, members);
        self.facts.members_start = members;
        Ok(())
    }

    /// A commit of the creator that makes the group; others are in once it is accepted.
    fn create_commit(
        &mut self,
        creator: ClientId,
        adds: &[ClientId],
        recorder: &mut dyn Recorder,
    ) -> Result<(), ProtocolError> {
        let order = Order { by: creator, adds: adds.to_vec(), removes: vec![], now: UNIX_ZERO };
        let draft = self.protocol.commit(order)?;
        adds.iter().for_each(|client| self.take_package(*client));
        self.put_into_effect(draft, true, recorder)?;
        adds.iter().for_each(|client| self.enter(*client));
        Ok(())
    }

    /// Every member commits once, so that every parent is keyed. These commits are the making
    /// of the group and stand in no table. They go in bit-reversed order, far from each other
    /// first: from left to right the last half would pay for its whole cold side each time,
    /// n²/2 ciphertexts in place of n·ln n.
    fn warm(&mut self, initial: &[ClientId]) -> Result<(), ProtocolError> {
        let bits = initial.len().next_power_of_two().trailing_zeros();
        let reversed = (0..1_u32 << bits).map(|n| n.reverse_bits().checked_shr(32 - bits));
        let order = reversed.filter_map(|n| initial.get(n.unwrap_or(0) as usize));
        for client in order {
            let epoch = self.protocol.epoch();
            self.protocol.advance(*client, epoch)?;
            let order = Order { by: *client, adds: vec![], removes: vec![], now: UNIX_ZERO };
            let draft = self.protocol.commit(order)?;
            self.protocol.accept(draft, &[])?;
            self.protocol.release_before(epoch);
            if self.is_stopped() {
                break;
            }
        }
        Ok(())
    }

    /// A client is added by a key package of its: it has the package's keys until it renews them.
    pub(super) fn take_package(&mut self, client: ClientId) {
        if let Some(published) = self.delivery.take_package(client) {
            self.clients.get_mut(client).keyed_at = published;
        }
    }

    /// A client is in the group now.
    pub(super) fn enter(&mut self, client: ClientId) {
        let now = self.now;
        if self.clients.get(client).is_awake() {
            self.close_mail(client);
        }
        self.mail.enter(client, self.protocol.epoch());
        let renewal = first_renewal(&self.scenario.policy, &self.root_seed, client, now);
        let entry = self.clients.get_mut(client);
        entry.standing = Standing::Member;
        entry.is_in_again();
        entry.renew_at = renewal;
        entry.messages = 0;
        if let Some(at) = renewal {
            self.schedule(at, super::events::Event::Renew(client));
        }
        self.clients.settle(client);
    }

    /// A client that has come online publishes new key packages in the place of used ones.
    pub(super) fn refill_packages(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        if !self.scenario.service.refill_packages {
            return Ok(());
        }
        let kept = self.scenario.policy.key_packages;
        let missing = self.delivery.refill(client, kept, self.now);
        if missing > 0 {
            let published = self.protocol.publish(client, missing)?;
            let tally = &mut self.clients.get_mut(client).tally;
            tally.ledger += published.ledger;
            tally.bytes_sent += published.bytes;
        }
        Ok(())
    }

    /// Gives a client its identity and publishes its key packages.
    pub(super) fn register(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        if !self.authentication.register(client) {
            return Err(ProtocolError::Check(format!("{client} registers twice")));
        }
        if self.scenario.workload.old_clients.is_some() {
            let old = self.demand.people()[client.0 as usize].old;
            let abilities = if old { Abilities::Plain } else { Abilities::Modern };
            self.protocol.declare(client, abilities)?;
        }
        let packages = self.scenario.policy.key_packages;
        let published = self.protocol.register(client, packages)?;
        self.delivery.publish(client, packages, self.now);
        let tally = &mut self.clients.get_mut(client).tally;
        tally.ledger += published.ledger;
        tally.bytes_sent += published.bytes;
        let mut stream = self.people_seed.stream("delay", client.0.into(), 0);
        let network = &self.scenario.network;
        let delay = network.delay.sample(&mut stream).min(network.max_delay);
        let between = self.services.delay(self.service_of(client));
        self.clients.get_mut(client).delay = Millis(delay.0.max(1) + between.0);
        Ok(())
    }
}
