//! Figures of the system around the tree, parts of `summary.json`: messages and what became of them, lost
//! and further devices, what federated services see.

use serde::{Deserialize, Serialize};

use crate::digest::RunDigest;
use crate::distribution::FiveFigures;

/// Application messages. A copy is one message for one member of its sender's epoch; the copies that
/// were due are those read, lost, expired, too late, forfeited and waiting together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Messages {
    /// Messages sent, attachments among them.
    pub sent: u64,
    /// Attachments sent.
    pub attachments: u64,
    /// Bytes that senders uploaded.
    pub bytes_sent: u64,
    /// Copies of the messages that reached the Delivery Service.
    pub due: u64,
    /// Copies opened, whose text was the one sent.
    pub read: u64,
    /// Of `read`, those that a commit had overtaken: they were opened in a later epoch than their own.
    pub overtaken: u64,
    /// Copies lost on the way.
    pub lost: u64,
    /// Copies that no mailbox kept until they were asked for.
    pub expired: u64,
    /// Copies that came when their keys were erased.
    pub too_late: u64,
    /// Copies that their recipient cannot read any more, since it has lost its state or has been given a
    /// new one without having read them.
    pub forfeited: u64,
    /// Copies whose recipient had not come for them when the run ended.
    pub waiting: u64,
    /// Attempts of clients that were no members to open a message with all they hold; all failed.
    pub pried: u64,
    /// Bytes that recipients fetched.
    pub bytes_received: u64,
    /// From the Delivery Service to being read, milliseconds.
    pub delay_ms: FiveFigures,
}

impl Messages {
    /// The numbers that a digest takes: what people did and what came of it, but not who was made to
    /// pry, which depends on the fidelity.
    pub(crate) fn digest_fields(&self, digest: &mut RunDigest) {
        let Self { sent, attachments, bytes_sent, due, read, overtaken, lost, .. } = *self;
        let Self { expired, too_late, forfeited, waiting, bytes_received, .. } = *self;
        digest.u64s(&[
            sent,
            attachments,
            bytes_sent,
            due,
            read,
            overtaken,
            lost,
            expired,
            too_late,
            forfeited,
            waiting,
            bytes_received,
        ]);
    }
}

/// Who came in by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Links {
    /// Clients that added themselves by an invitation link.
    pub joins: u64,
    /// Bytes of their commits.
    pub bytes: u64,
    /// Bytes that they fetched for it: the GroupInfo and the ratchet tree.
    pub bytes_fetched: u64,
}

/// Lost devices and old states.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Recovery {
    /// Devices lost whose client was a member.
    pub losses: u64,
    /// Backups that were as new as what was lost.
    pub backups_restored: u64,
    /// Backups that were older: found out, and not used.
    pub stale_backups: u64,
    /// Members that were away for longer than a mailbox keeps what they missed.
    pub cut_off: u64,
    /// Members that came back by a commit of their own.
    pub rejoined: u64,
    /// Members that were removed and added anew by another for it.
    pub readded: u64,
    /// Of those who rejoined, bytes of the commits by which they came back, and of what they fetched for
    /// them.
    pub bytes: u64,
    /// From first coming online without a state until the commit is accepted that gives them one again,
    /// milliseconds.
    pub ms: FiveFigures,
}

/// Further devices of users.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Devices {
    /// Devices that asked the others of their user to be added.
    pub asked: u64,
    /// Devices that one of those has added.
    pub added: u64,
}

/// What follows from copies of clients' states; zeros where nobody takes any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Healing {
    /// States copied.
    pub copies: u64,
    /// Of these, those that came to an epoch which they do not lead to.
    pub healed: u64,
    /// Of these, those that led to one again, by a key package.
    pub reopened: u64,
    /// Those that lead to the newest epoch at the end.
    pub still_known: u64,
    /// From the epoch of the copy to the first that it does not lead to; over those that came to it.
    pub epochs: FiveFigures,
    /// The same in seconds.
    pub seconds: FiveFigures,
    /// All the time in which a copy led to the newest epoch, again ones included; over all copies.
    pub exposed_seconds: FiveFigures,
    /// Until nothing can follow from it: no key of the tree, no key package, no ghost's open request; over those that came
    /// to it, seconds.
    pub residual_seconds: FiveFigures,
    /// Messages that a copy opens, of those that were sent after it was taken.
    pub messages_after: FiveFigures,
    /// The same, of those that had been sent and are kept.
    pub messages_before: FiveFigures,
    /// The age of the oldest of those, over copies that open one, seconds.
    pub oldest_before_s: FiveFigures,
}

/// What the Authentication Service did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// Credentials issued.
    pub issued: u64,
    /// Signature keys replaced, by a commit of their client.
    pub rotated: u64,
    /// Credentials taken back.
    pub revoked: u64,
}

/// What all members can beside taking part (RFC 9420 §7.2); zeros where nobody has old clients.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abilities {
    /// Members with an old client, at the end.
    pub old_members: u64,
    /// Cipher suites that all members have, at the start.
    pub suites_start: u64,
    /// The same at the end.
    pub suites_end: u64,
    /// The fewest at any snapshot.
    pub suites_min: u64,
    /// Extensions that all members know, at the start.
    pub extensions_start: u64,
    /// The same at the end.
    pub extensions_end: u64,
    /// The fewest at any snapshot.
    pub extensions_min: u64,
    /// Clients that nobody could add, since they have no cipher suite of the group's.
    pub refused: u64,
}

/// Where a protocol makes keys for others (ART): who knows more than its own. Zeros elsewhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exposure {
    /// Nodes that somebody knows who is not a member below them, at the end.
    pub nodes: u64,
    /// Memberships that have ended and still know a node, at the end.
    pub former_members: u64,
}

/// What a service sees of the group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Commits, with their sender's leaf.
    pub commits: u64,
    /// Members added and removed in them.
    pub changes: u64,
    /// Application messages: when, in which epoch, how long.
    pub messages: u64,
    /// Of these, those whose sender it knows.
    pub senders: u64,
}

/// What the services see.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// How many services there are.
    pub services: u64,
    /// The first, which decides the order.
    pub first: Seen,
    /// The others together.
    pub others: Seen,
}

/// What a server does that is trusted with the group's keys; nothing where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyServer {
    /// Keys of the group that it holds at the end.
    pub keys: u64,
    /// Encryptions it has made.
    pub encryptions: u64,
    /// Signatures it has made.
    pub signatures: u64,
}

/// All of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct System {
    /// Application messages.
    #[serde(default)]
    pub messages: Messages,
    /// Who came in by itself.
    #[serde(default)]
    pub links: Links,
    /// Lost devices and old states.
    #[serde(default)]
    pub recovery: Recovery,
    /// Further devices of users.
    #[serde(default)]
    pub devices: Devices,
    /// What follows from copies of clients' states.
    #[serde(default)]
    pub healing: Healing,
    /// What the services see.
    #[serde(default)]
    pub metadata: Metadata,
    /// What the Authentication Service did.
    #[serde(default)]
    pub credentials: Credentials,
    /// What all members can.
    #[serde(default)]
    pub abilities: Abilities,
    /// Who knows more than its own.
    #[serde(default)]
    pub exposure: Exposure,
    /// What a trusted key server does.
    #[serde(default)]
    pub key_server: KeyServer,
}
