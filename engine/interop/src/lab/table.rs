//! What the numbers of the interface name. A number is never given twice, so that one which was
//! freed can never mean somebody else.

use std::collections::BTreeMap;

use super::client::{Card, Signer};
use super::state::State;
use crate::limits::MAX_HELD;
use crate::refusal::Refusal;

/// What a number names.
pub(super) enum Held {
    /// A client in a group.
    State(Box<State>),
    /// A client whose Welcome has not come yet.
    Transaction(Box<Card>),
    /// Somebody outside all groups.
    Signer(Box<Signer>),
}

impl Held {
    fn kind(&self) -> &'static str {
        match self {
            Self::State(_) => "state",
            Self::Transaction(_) => "transaction",
            Self::Signer(_) => "signer",
        }
    }
}

/// Everything that is held, by number.
#[derive(Default)]
pub(super) struct Table {
    held: BTreeMap<u32, Held>,
    /// The last number given; the first is 1, since 0 is what a field is that was not filled in.
    last: u32,
}

impl Table {
    /// Whether one more can be held. Asked before anything is made, so that a refusal changes
    /// nothing.
    pub(super) fn room(&self) -> Result<(), Refusal> {
        let held = self.held.len();
        if held >= MAX_HELD || self.last == u32::MAX {
            return Err(Refusal::Full { held });
        }
        Ok(())
    }

    /// Holds something under a new number.
    pub(super) fn insert(&mut self, held: Held) -> Result<u32, Refusal> {
        self.room()?;
        self.last += 1;
        self.held.insert(self.last, held);
        Ok(self.last)
    }

    /// What a number names.
    pub(super) fn get(&self, field: &'static str, id: u32) -> Result<&Held, Refusal> {
        self.held.get(&id).ok_or(Refusal::Unknown { field, id })
    }

    /// What a number names, to be changed.
    pub(super) fn get_mut(&mut self, field: &'static str, id: u32) -> Result<&mut Held, Refusal> {
        self.held.get_mut(&id).ok_or(Refusal::Unknown { field, id })
    }

    /// The state of a number.
    pub(super) fn state(&self, field: &'static str, id: u32) -> Result<&State, Refusal> {
        match self.get(field, id)? {
            Held::State(state) => Ok(state),
            other => Err(Refusal::Kind { field, id, found: other.kind(), wanted: "state" }),
        }
    }

    /// The transaction of a number.
    pub(super) fn transaction(&self, field: &'static str, id: u32) -> Result<&Card, Refusal> {
        match self.get(field, id)? {
            Held::Transaction(card) => Ok(card),
            other => Err(Refusal::Kind { field, id, found: other.kind(), wanted: "transaction" }),
        }
    }

    /// The signer of a number.
    pub(super) fn signer(&self, field: &'static str, id: u32) -> Result<&Signer, Refusal> {
        match self.get(field, id)? {
            Held::Signer(signer) => Ok(signer),
            other => Err(Refusal::Kind { field, id, found: other.kind(), wanted: "signer" }),
        }
    }

    /// Puts a state that has gone on in the place of what it was.
    pub(super) fn put(&mut self, id: u32, state: State) {
        self.held.insert(id, Held::State(Box::new(state)));
    }

    /// Forgets something.
    pub(super) fn remove(&mut self, field: &'static str, id: u32) -> Result<(), Refusal> {
        self.held.remove(&id).map(|_| ()).ok_or(Refusal::Unknown { field, id })
    }

    /// A state in the place of what led to it, under a new number.
    pub(super) fn replace(&mut self, id: u32, state: State) -> Result<u32, Refusal> {
        // There is room for it as soon as the other is gone; only the numbers can run out.
        if self.last == u32::MAX {
            return Err(Refusal::Full { held: self.held.len() });
        }
        self.held.remove(&id);
        self.insert(Held::State(Box::new(state)))
    }
}
