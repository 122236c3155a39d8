//! Application messages as the simulator sees them: a number by which a message is sent, received and
//! pried into, and what became of it at a client.

use crate::crypto::Ledger;

/// Of how many epochs before its own a client still reads late messages. A message is late by as many
/// commits as overtake it on the way from its sender, which are seconds apart in the busiest group; the
/// secrets that are kept for it are secrets that can be stolen (RFC 9420 §15.3 leaves it open).
pub const PAST_EPOCHS: u64 = 4;

/// A message, by its number in the run: from 0, in the order of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MessageId(pub u64);

/// A message on its way to the Delivery Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its number.
    pub message: MessageId,
    /// The epoch of its sender's view: who was a member there can read it.
    pub epoch: u64,
    /// Bytes that its sender uploads, all copies together.
    pub bytes: u64,
    /// What making it took.
    pub ledger: Ledger,
}

/// What became of a message at a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It was opened, and the text is the one that was sent.
    Read,
    /// The client was not a member where it was sent, or sent it itself.
    NotForIt,
    /// The client was a member, and has erased the keys since: too many epochs have passed.
    TooLate,
    /// The client was a member, and had lost its state.
    Lost,
}

/// A message at a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// What became of it.
    pub reading: Reading,
    /// Bytes that it fetched.
    pub bytes: u64,
    /// The work.
    pub ledger: Ledger,
}
