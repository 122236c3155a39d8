//! Further devices of a user: each is a client of its own, which one of the user's other clients adds,
//! as soon as one is online and free. A user none of whose clients is in the group asks the others.

use std::collections::BTreeMap;

use arboretum_engine::protocol::{ClientId, ProtocolError};
use arboretum_workloads::Demand;

use super::clients::{Purpose, Standing};
use super::delivery::Requests;
use super::world::World;

/// Which clients a user has, and which of them wait to be added by another.
#[derive(Debug, Default)]
pub(super) struct Devices {
    of_user: BTreeMap<u32, Vec<ClientId>>,
    waiting: BTreeMap<u32, Vec<ClientId>>,
}

impl Devices {
    /// Empty if nobody has further devices.
    pub(super) fn new(demand: &Demand) -> Self {
        let mut of_user: BTreeMap<u32, Vec<ClientId>> = BTreeMap::new();
        if demand.people().iter().any(|person| person.further) {
            for (number, person) in demand.people().iter().enumerate() {
                of_user.entry(person.user).or_default().push(ClientId(number as u32));
            }
        }
        Self { of_user, waiting: BTreeMap::new() }
    }
}

impl World<'_, '_> {
    fn user_of(&self, client: ClientId) -> u32 {
        self.demand.people()[client.0 as usize].user
    }

    /// A further device asks the others of its user to add it.
    pub(super) fn ask_own_devices(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        let user = self.user_of(client);
        let mut own = self.devices.of_user.get(&user).into_iter().flatten();
        if !own.any(|own| self.clients.get(*own).standing == Standing::Member) {
            return self.ask_add(client);
        }
        self.vouch_for(client)?;
        self.clients.get_mut(client).standing = Standing::Asked;
        self.devices.waiting.entry(user).or_default().push(client);
        self.facts.devices.asked += 1;
        self.add_own_devices(user)
    }

    /// One of a user's clients that is online and free adds those that wait.
    pub(super) fn add_own_devices(&mut self, user: u32) -> Result<(), ProtocolError> {
        let Some(waiting) = self.devices.waiting.get(&user).filter(|it| !it.is_empty()) else {
            return Ok(());
        };
        let adds = waiting.clone();
        let mut own = self.devices.of_user.get(&user).into_iter().flatten();
        if !own.any(|own| self.clients.get(*own).standing == Standing::Member) {
            self.devices.waiting.remove(&user);
            return adds.into_iter().try_for_each(|client| self.ask_add(client));
        }
        let own = self.devices.of_user.get(&user).into_iter().flatten().copied();
        let committer = own
            .filter(|own| self.clients.get(*own).online && self.is_free(*own))
            .find(|own| self.clients.get(*own).standing == Standing::Member);
        if let Some(committer) = committer {
            self.devices.waiting.remove(&user);
            self.handed_out += 1;
            let requests = Requests { adds, ..Requests::default() };
            self.ask_to_commit(committer, Purpose::Requests(requests));
        }
        Ok(())
    }

    /// A client has come online or gone for good, while another device of its user may wait.
    pub(super) fn look_after_devices(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        if self.devices.waiting.is_empty() {
            return Ok(());
        }
        self.add_own_devices(self.user_of(client))
    }
}
