//! The clients of the simulation: whether they are online, how they stand to the group, what
//! they mean to do and what they have done. Their cryptographic state is the protocol's.

use arboretum_engine::crypto::Ledger;
use arboretum_engine::protocol::ClientId;
use arboretum_workloads::Millis;

use super::delivery::{Reason, Requests};
use super::outside::Progress;

/// How a client stands to the group, as the Delivery Service sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not yet there, or gone for good.
    #[default]
    Outside,
    /// It has asked to be added.
    Asked,
    /// In the tree.
    Member,
}

/// What a client means by a commit.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    /// To renew its own keys.
    Renew,
    /// To put requests into effect.
    Requests(Requests),
    /// To make the group anew.
    Rebuild,
    /// To enter the group by itself.
    Enter,
    /// To enter anew, as a ghost that has found no quorum.
    EnterAnew,
}

/// One client.
#[derive(Clone, Debug, Default)]
pub(super) struct Client {
    pub(super) standing: Standing,
    pub(super) online: bool,
    /// Whether it will come back if it finds itself removed.
    pub(super) wants_in: bool,
    /// Its one-way network delay.
    pub(super) delay: Millis,
    /// When it was last online.
    pub(super) last_seen: Millis,
    /// How often it has gone offline: tells its absences apart.
    pub(super) absences: u32,
    /// When the keys of its leaf were made, if it is a member.
    pub(super) keyed_at: Millis,
    /// How often it has been evicted, and how often let in again after that.
    pub(super) evictions: u32,
    pub(super) readmissions: u32,
    /// Whether it is out since it was evicted.
    pub(super) is_evicted: bool,
    /// When its keys should be renewed next; none if only events demand it.
    pub(super) renew_at: Option<Millis>,
    /// Messages sent since its last renewal.
    pub(super) messages: u32,
    /// What it means to commit, while a commit of its is on the way or waits to be redone.
    pub(super) purpose: Option<Purpose>,
    /// Its place among the members online.
    pub(super) online_place: Option<u32>,
    /// Messages it has sent.
    pub(super) said: u64,
    /// What its newest backup is known by.
    pub(super) backup: Progress,
    /// Whether its next commit brings a new signature key.
    pub(super) rotates: bool,
    /// How often its device was lost.
    pub(super) losses: u32,
    /// Since when it has been without a state, if it is: since it first came online without one, once it
    /// has.
    pub(super) lost: Option<Millis>,
    /// Whether it has come online since.
    pub(super) came_back: bool,
    /// Whether it has asked another to remove it and add it anew.
    pub(super) asked_back: bool,
    /// Commits it has sent, so that each is delivered once.
    pub(super) drafts: u32,
    pub(super) tally: Tally,
}

impl Client {
    /// It is out.
    pub(super) fn is_removed_for(&mut self, reason: Reason) {
        if reason == Reason::Evict {
            self.evictions += 1;
            self.is_evicted = true;
        }
    }

    /// It is in.
    pub(super) fn is_in_again(&mut self) {
        if std::mem::take(&mut self.is_evicted) {
            self.readmissions += 1;
        }
    }

    /// Whether messages reach it.
    pub(super) fn is_awake(&self) -> bool {
        self.online && self.lost.is_none()
    }
}

/// What a client has done and received.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) ledger: Ledger,
    pub(super) bytes_received: u64,
    pub(super) bytes_sent: u64,
    pub(super) commits_processed: u64,
    pub(super) commits_sent: u64,
}

/// All clients, and those members that are online.
#[derive(Debug, Default)]
pub(super) struct Clients {
    all: Vec<Client>,
    /// Members online, in no meaningful but a reproducible order, so that one can be drawn.
    online: Vec<ClientId>,
}

impl Clients {
    pub(super) fn new(count: usize) -> Self {
        Self { all: vec![Client::default(); count], online: vec![] }
    }

    pub(super) fn get(&self, client: ClientId) -> &Client {
        &self.all[client.0 as usize]
    }

    pub(super) fn get_mut(&mut self, client: ClientId) -> &mut Client {
        &mut self.all[client.0 as usize]
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Client> {
        self.all.iter()
    }

    /// Members online.
    pub(super) fn online(&self) -> &[ClientId] {
        &self.online
    }

    /// Keeps the list of members online true after a change of standing or presence.
    pub(super) fn settle(&mut self, client: ClientId) {
        let entry = self.get(client);
        let belongs = entry.online && entry.standing == Standing::Member;
        match (belongs, entry.online_place) {
            (true, None) => {
                let place = self.online.len() as u32;
                self.online.push(client);
                self.get_mut(client).online_place = Some(place);
            }
            (false, Some(place)) => {
                self.online.swap_remove(place as usize);
                if let Some(&moved) = self.online.get(place as usize) {
                    self.get_mut(moved).online_place = Some(place);
                }
                self.get_mut(client).online_place = None;
            }
            _ => {}
        }
    }
}
