//! The parts of a scenario that say what the system of the architecture (RFC 9750) is asked to do beside
//! keeping a tree: messages, lost devices, crowds that come at once, mailboxes, federated services.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sample::Distribution;
use crate::time::Millis;

/// The messages of [`Activity::messages_per_day`](super::Activity) are really sent, encrypted and opened.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Messages {
    /// Bytes of a text.
    pub bytes: u32,
    /// The share of messages that carry an attachment.
    pub attachments: f64,
    /// Bytes of an attachment.
    pub attachment_bytes: u32,
}

impl Default for Messages {
    fn default() -> Self {
        Self { bytes: 200, attachments: 0.0, attachment_bytes: 100_000 }
    }
}

/// Devices that are lost, with all that is on them, and replaced. The new one comes online when the
/// old one would have.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Losses {
    /// The hazard: losses a day for each client.
    pub per_client_per_day: f64,
    /// The share of those who restore a backup, made whenever the client went offline.
    #[serde(default)]
    pub backups: f64,
}

/// A crowd: users who come at once, and go at once.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Crowd {
    /// How many come.
    pub users: u32,
    /// When the first may come.
    #[serde(default)]
    pub at: Millis,
    /// Within how long all of them come, evenly.
    pub within: Millis,
    /// When the first may go, after the last may have come.
    pub stay: Millis,
    /// Within how long all of them go, evenly.
    pub leave_within: Millis,
}

/// A user's devices change.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceChanges {
    /// New devices a day for each user; one of its own adds it.
    pub adds_per_user_per_day: f64,
    /// The mean time until a new device is given up again; one of the user's others removes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_for: Option<Distribution>,
}

/// Somebody copies everything that some members hold, online or not, and learns from then on what follows from it and
/// from what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Compromise {
    /// How often; the first time after so long.
    pub every: Millis,
    /// How many members each time, drawn evenly.
    #[serde(default = "one_client")]
    pub clients: u32,
    /// After this much of the run no more copies are taken, so that the last have time to become useless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_after: Option<Millis>,
}

fn one_client() -> u32 {
    1
}

/// Users whose clients are old: they can take part, and have none of what newer ones can beside that.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OldClients {
    /// The share of users who come later and have one. Those who are there from the start have new ones.
    pub fraction: f64,
    /// The share of those that have not even the group's cipher suite: nobody can add them.
    #[serde(default)]
    pub without_suite: f64,
}

/// Further groups of the same people. Everybody is in the first one; a user is in each other with all of
/// its clients, from when it comes until it goes, and with the same credentials.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Groups {
    /// How many there are beside the first.
    pub further: u32,
    /// The share of users in the first of these.
    pub share: f64,
    /// In the k-th of them it is the share over k to this power.
    #[serde(default)]
    pub exponent: f64,
}

/// The Authentication Service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Authentication {
    /// Each client's credential gets a new signature key this often; never without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotate_every: Option<Millis>,
}

/// How somebody comes into the group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Joining {
    /// It asks, and a member adds it.
    #[default]
    Invited,
    /// It adds itself, by an invitation link.
    Link,
}

/// How somebody comes back whose state is lost, or too old.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Recovery {
    /// By an external commit that removes its old leaf.
    #[default]
    External,
    /// By another member, who removes it and adds it anew.
    Invited,
}

/// The Delivery Service.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Service {
    /// How long a mailbox keeps what nobody has fetched; for ever without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention: Option<Millis>,
    /// Federated services, of which each has some of the users; the first decides the order.
    pub services: u32,
    /// The one-way delay between each other service and the first, through which all goes; drawn once a
    /// service.
    pub between: Distribution,
    /// Whether a client that comes online publishes new key packages in the place of used ones.
    pub refill_packages: bool,
}

impl Default for Service {
    fn default() -> Self {
        let between = Distribution::Constant { value: Millis(50) };
        Self { retention: None, services: 1, between, refill_packages: false }
    }
}
