//! The scenario file: one TOML file that says who is there, what they do, under which policy,
//! what it shows and what must hold.

mod error;
mod load;
mod strategy;
mod system;
mod validate;

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use error::{ScenarioError, nearest};
pub(crate) use load::{parse, read};
pub(crate) use strategy::read as strategy_words;
pub use system::{
    Authentication, Compromise, Crowd, DeviceChanges, Groups, Joining, Losses, Messages,
    OldClients, Recovery, Service,
};
pub use validate::MAX_MEMBERS;
pub(crate) use validate::{MAX_DURATION, Wrong, check_expectations, check_name, require};

use crate::sample::Distribution;
use crate::time::Millis;

/// A scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name, letters, digits and dashes.
    pub name: String,
    /// A line for plots.
    pub title: String,
    /// What it shows and why: text for people.
    pub analysis: String,
    /// The root seed from which everything random follows.
    #[serde(default = "one")]
    pub seed: u64,
    /// How much virtual time passes.
    pub duration: Millis,
    /// The group.
    pub group: Group,
    /// The people.
    pub workload: Workload,
    /// What clients and the server do by rule.
    #[serde(default)]
    pub policy: Policy,
    /// The network.
    #[serde(default)]
    pub network: Network,
    /// The Delivery Service.
    #[serde(default)]
    pub service: Service,
    /// The Authentication Service.
    #[serde(default)]
    pub authentication: Authentication,
    /// What is measured.
    #[serde(default)]
    pub measure: Measure,
    /// Bounds on numbers of the summary, by their names joined by dots: what makes it a test.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expect: BTreeMap<String, Expectation>,
}

fn one() -> u64 {
    1
}

/// The group and the engine it runs on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Clients in the group from the start. With a trace, everybody comes by their first event
    /// and this is how many of the first are there from the start.
    pub members: u32,
    /// How the group is made.
    #[serde(default)]
    pub start: Start,
    /// The protocol.
    #[serde(default = "treekem")]
    pub protocol: String,
    /// The cipher suite, by its number in RFC 9420.
    #[serde(default = "suite")]
    pub suite: u16,
    /// The strategy, as a text or as a table of its choices.
    #[serde(default = "strategy::rfc9420", deserialize_with = "strategy::read")]
    #[schemars(schema_with = "strategy::schema")]
    pub strategy: String,
    /// How much of the work is really done.
    #[serde(default)]
    pub fidelity: Fidelity,
    /// Members audited for each commit.
    #[serde(default)]
    pub audit: u32,
}

fn treekem() -> String {
    "treekem".into()
}

fn suite() -> u16 {
    1
}

/// How a group is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// The creator adds everybody in one commit; every parent off its path is blank.
    #[default]
    AtOnce,
    /// The creator adds one after the other.
    OneByOne,
    /// At once, and then every member commits, so that every parent is keyed.
    Warm,
}

/// How much of the work is really done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fidelity {
    /// Every client does all its own work.
    Full,
    /// Each distinct computation is done once.
    #[default]
    Shared,
    /// As shared, but nothing is really encrypted.
    Counted,
}

impl Fidelity {
    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Shared => "shared",
            Self::Counted => "counted",
        }
    }
}

/// The people and what they want, whatever the system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// Clients of each user, who come and go together.
    #[serde(default = "one_device")]
    pub devices: u32,
    /// An activity log in the place of all that follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<PathBuf>,
    /// With a trace: events of an actor closer together than this are one session, which
    /// lasts this long after its last event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_session: Option<Millis>,
    /// People who come later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrivals: Option<Arrivals>,
    /// How long a person stays; for ever without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<Distribution>,
    /// When people are online; always without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<SessionRules>,
    /// How active people are.
    #[serde(default)]
    pub activity: Activity,
    /// Whether their messages are really sent; without it they are counted at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<Messages>,
    /// A crowd that comes and goes at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crowd: Option<Crowd>,
    /// Devices that are lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub losses: Option<Losses>,
    /// Devices that users add and give up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_changes: Option<DeviceChanges>,
    /// Removal by other members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removals: Option<Removals>,
    /// People who stop coming without leaving.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent: Option<Silent>,
    /// Credentials that the Authentication Service takes back, so that members remove their owners.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocations: Option<Removals>,
    /// Users whose clients are old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_clients: Option<OldClients>,
    /// Further groups of the same people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Groups>,
    /// Removals of many at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub purges: Vec<Purge>,
    /// The first so many clients are servers: always online, and there for good.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub servers: u32,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

fn one_device() -> u32 {
    1
}

/// A rhythm: the intensity is 1 + strength·cos(2π(t − peak)/24 h) times the mean of the day, and days from
/// Monday to Friday may have more or less than others. A run begins at midnight, on a Thursday.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rhythm {
    /// The busiest time of day.
    pub peak: Millis,
    /// From 0, no rhythm, to 1, nothing at the quietest time.
    pub strength: f64,
    /// The share of the week's that falls on the days from Monday to Friday; all days are alike without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weekdays: Option<f64>,
}

/// People who come later: a Poisson process.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arrivals {
    /// Users a day, on average.
    pub per_day: f64,
    /// When in the day they come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rhythm: Option<Rhythm>,
}

/// Turns of being online and offline.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionRules {
    /// How long a session lasts.
    pub online: Distribution,
    /// How long a person of activity 1 is away between sessions.
    pub offline: Distribution,
    /// When in the day and week people come back: absences are measured in time that passes by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rhythm: Option<Rhythm>,
}

/// How active people are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Activity {
    /// Zipf's exponent: the k-th most active person sends in proportion to k^-exponent. Zero
    /// is uniform.
    pub zipf_exponent: f64,
    /// Messages a day of the mean person.
    pub messages_per_day: f64,
}

/// Removal by other members.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Removals {
    /// The hazard: removals a day for each member.
    pub per_member_per_day: f64,
}

/// A removal of many at once, by other members.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Purge {
    /// When.
    pub at: Millis,
    /// The share of those who are there.
    pub fraction: f64,
    /// Who.
    #[serde(default)]
    pub who: Purged,
}

/// Who is removed by a purge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Purged {
    /// Anybody alike.
    #[default]
    AtRandom,
    /// Of those who are there, in the order in which they came, every second, third and so on: of a
    /// group that was made at once, every second leaf.
    EvenlySpaced,
}

/// People who stop coming without leaving.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Silent {
    /// The share of people who do.
    pub fraction: f64,
    /// When, after they came.
    pub after: Distribution,
}

/// What clients and the server do by rule.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Each member renews its keys this often, or when it next comes online.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_every: Option<Millis>,
    /// A member that was away for this long renews its keys on return.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_on_return_after: Option<Millis>,
    /// A member renews its keys after so many messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_every_messages: Option<u32>,
    /// How requests are collected for a committer.
    pub batching: Batching,
    /// The server has a member removed that it has not seen for this long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evict_after: Option<Millis>,
    /// Key packages that a client keeps in the directory.
    pub key_packages: u32,
    /// How somebody comes into the group.
    pub joining: Joining,
    /// How somebody comes back whose state is lost, or too old.
    pub recovery: Recovery,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            update_every: None,
            update_on_return_after: None,
            update_every_messages: None,
            batching: Batching::Immediate,
            evict_after: None,
            key_packages: 10,
            joining: Joining::Invited,
            recovery: Recovery::External,
        }
    }
}

/// How requests are collected for a committer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batching {
    /// Each is committed by itself.
    Immediate,
    /// All that came within a period are committed together.
    Every(Millis),
}

impl Serialize for Batching {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Immediate => serializer.serialize_str("immediate"),
            Self::Every(period) => period.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Batching {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "immediate" {
            return Ok(Self::Immediate);
        }
        match text.parse() {
            Ok(Millis(0)) => {
                Err(de::Error::custom("a batch takes more than 0s; for none write \"immediate\""))
            }
            Ok(period) => Ok(Self::Every(period)),
            Err(_) => Err(de::Error::custom(format!(
                "`{text}` is neither \"immediate\" nor a duration like \"5min\""
            ))),
        }
    }
}

impl JsonSchema for Batching {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Batching".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^(immediate|[0-9]+(\\.[0-9]+)? *(ms|s|min|m|h|d|w))$",
            "description": "\"immediate\", or a duration"
        })
    }
}

/// The network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// The one-way delay between a client and the Delivery Service, drawn once a client.
    pub delay: Distribution,
    /// What is longer is this long.
    pub max_delay: Millis,
    /// A further delay of one application message to one client, so that some overtake others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Distribution>,
    /// The share of an application message's copies that never arrive.
    pub loss: f64,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            delay: Distribution::Constant { value: Millis(50) },
            max_delay: Millis(10_000),
            jitter: None,
            loss: 0.0,
        }
    }
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Measure {
    /// How often the tree is looked at.
    pub snapshot_every: Millis,
    /// States that are copied, to see what follows from them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compromise: Option<Compromise>,
}

impl Default for Measure {
    fn default() -> Self {
        Self { snapshot_every: Millis(3_600_000), compromise: None }
    }
}

/// Bounds on a number of the summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// It is at least this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// It is at most this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

impl Expectation {
    /// Whether a number is within the bounds.
    pub fn holds(&self, value: f64) -> bool {
        self.min.is_none_or(|min| value >= min) && self.max.is_none_or(|max| value <= max)
    }
}
