//! Sequences of operations: an experiment that says what is done, one operation after another, and
//! not who comes and goes on which day. Papers on group key agreement are measured by such
//! sequences.
//!
//! | file | what it owns |
//! |---|---|
//! | this one | the file: schema and limits |
//! | `amount` | how many operations |
//! | `absence` | people who fall silent and come back |
//! | `inactive` | what is done about them |
//! | `sequence` | the operations themselves, drawn from the seed |
//! | `strategy` | a strategy in words or as a table |
//! | `ranking` | members in a hidden order, and one of them by Zipf's law |

mod absence;
mod amount;
mod inactive;
mod ranking;
mod sequence;
mod strategy;

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scenario::{
    Expectation, MAX_MEMBERS, ScenarioError, Wrong, check_expectations, check_name, require,
};

pub use absence::Absence;
pub use amount::Amount;
pub use inactive::Inactive;
pub use sequence::{Operation, OperationKind, Sequence};

/// The most operations of one experiment.
pub const MAX_OPERATIONS: u64 = 1 << 30;

/// The most with adds and a ranking, in which everybody who may come has a place.
const MAX_RANKED: u64 = 1 << 24;

/// The most Update proposals before one commit.
const MAX_PROPOSALS: u32 = 1 << 10;

/// The least share of what can always be done, so that what cannot is not drawn for ever.
const LEAST_SHARE: f64 = 0.001;

/// An experiment given as a sequence of operations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Its name, letters, digits and dashes.
    pub name: String,
    /// A line for plots.
    pub title: String,
    /// What it shows and why: text for people.
    pub analysis: String,
    /// The root seed from which everything random follows.
    #[serde(default = "one")]
    pub seed: u64,
    /// The group.
    pub group: ExperimentGroup,
    /// What is done.
    pub operations: Operations,
    /// Bounds on numbers of the summary, by their names joined by dots: what makes it a test.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expect: BTreeMap<String, Expectation>,
}

fn one() -> u64 {
    1
}

/// The group of an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExperimentGroup {
    /// Members at the start, when every parent above them has a key.
    pub members: u32,
    /// The protocol and how it keeps its tree: a strategy, or a preset of its own.
    #[serde(default = "rfc9420", deserialize_with = "strategy::words")]
    #[schemars(with = "serde_json::Value")]
    pub strategy: String,
    /// The cipher suite, by its number, whose sizes a path has.
    #[serde(default = "suite")]
    pub suite: u16,
    /// What is done about members who have fallen silent.
    #[serde(default)]
    pub inactive: Inactive,
}

fn suite() -> u16 {
    1
}

fn rfc9420() -> String {
    "rfc9420".into()
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Operations {
    /// Operations that are measured.
    pub count: Amount,
    /// Operations before those, which are not.
    #[serde(default)]
    pub unmeasured: Amount,
    /// How often each kind is.
    #[serde(default)]
    pub mix: Mix,
    /// Who adds and removes.
    #[serde(default)]
    pub issuers: Issuers,
    /// Administrators, from the start and never removed; for `issuers = "administrators"`.
    #[serde(default)]
    pub administrators: u32,
    /// Who is chosen to update.
    #[serde(default)]
    pub updated: Updated,
    /// What is committed with a path.
    #[serde(default)]
    pub commits: Commits,
    /// Update proposals of other members, chosen evenly, before each commit.
    #[serde(default)]
    pub proposals: u32,
    /// The share of members that are removed before anything else; not measured.
    #[serde(default)]
    pub remove_first: f64,
    /// People who fall silent and come back; nobody does without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absence: Option<Absence>,
}

/// How often each kind of operation is: weights, of which only the proportion matters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Mix {
    /// Somebody is added.
    pub add: f64,
    /// Somebody is removed.
    pub remove: f64,
    /// Somebody updates its keys.
    pub update: f64,
}

impl Default for Mix {
    fn default() -> Self {
        Self { add: 0.0, remove: 0.0, update: 1.0 }
    }
}

/// Who adds and removes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Issuers {
    /// Any member alike.
    #[default]
    Members,
    /// Any of a few alike.
    Administrators,
}

/// Who is chosen to update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Updated {
    /// Any member alike.
    #[default]
    Uniform,
    /// The k-th of a hidden order with weight 1/k.
    Zipf,
}

/// What is committed with a path by whoever has issued it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Commits {
    /// Every operation.
    #[default]
    All,
    /// Updates only: an add or a removal changes the tree and sends no path.
    Updates,
}

impl Experiment {
    /// The text of a file that holds an experiment and not a scenario; none where it cannot be read.
    pub fn read(path: &Path) -> Option<String> {
        crate::scenario::read(path).ok().filter(|text| Self::is_one(text))
    }

    /// Whether a text is an experiment and not a scenario: it has a table `operations`.
    pub fn is_one(text: &str) -> bool {
        text.parse().is_ok_and(|table: toml::Table| table.contains_key("operations"))
    }

    /// Reads an experiment from text, with overrides of the form `key.path=value`; `file` names
    /// it in errors.
    pub fn parse(file: &str, text: &str, overrides: &[String]) -> Result<Self, ScenarioError> {
        crate::scenario::parse(file, text, overrides, Self::check)
    }

    /// How many operations there are in all, measured or not.
    pub fn length(&self) -> u64 {
        let first = self.operations.removed_first(self.group.members);
        let left = self.group.members - first;
        u64::from(first) + self.operations.unmeasured.of(left) + self.operations.count.of(left)
    }

    /// The experiment as resolved, every default written out.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("an experiment is made of tables, texts and numbers")
    }

    /// The JSON Schema of such files.
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }

    fn check(&self) -> Result<(), Wrong> {
        check_name(&self.name)?;
        let members = self.group.members;
        let key = "group.members";
        require((1..=MAX_MEMBERS).contains(&members), key, format!("1 to {MAX_MEMBERS} members"))?;
        let absent = self.operations.absence.is_some() || self.group.inactive == Inactive::Keep;
        let what = "nobody falls silent: give `operations.absence` as well";
        require(absent, "group.inactive", what)?;
        check_expectations(&self.expect)?;
        self.operations.check(members)
    }
}

impl Operations {
    /// Members who are removed before anything else, of so many.
    pub fn removed_first(&self, members: u32) -> u32 {
        (f64::from(members) * self.remove_first).floor() as u32
    }

    fn check(&self, members: u32) -> Result<(), Wrong> {
        let share = (0.0..1.0).contains(&self.remove_first);
        let what = "a share of the members, from 0 and below 1";
        require(share, "operations.remove_first", what)?;
        let count = self.count.of(members).saturating_add(self.unmeasured.of(members));
        let (key, most) = ("operations.count", format!("at most {MAX_OPERATIONS} operations"));
        require(self.count.of(1) > 0, key, "at least 1 operation is measured")?;
        require(count <= MAX_OPERATIONS, key, most)?;
        self.mix.check()?;
        let ranked = self.updated == Updated::Uniform || self.mix.add == 0.0 || count <= MAX_RANKED;
        let what = format!("at most {MAX_RANKED} operations with adds and `updated = \"zipf\"`");
        require(ranked, key, what)?;
        self.check_issuers(members)?;
        self.check_proposals(members)?;
        self.absence.map_or(Ok(()), |absence| self.check_absence(absence))
    }

    fn check_issuers(&self, members: u32) -> Result<(), Wrong> {
        let (key, administrators) = ("operations.administrators", self.administrators);
        match self.issuers {
            Issuers::Members => {
                let what = "there is none unless `issuers = \"administrators\"`";
                require(administrators == 0, key, what)
            }
            Issuers::Administrators => {
                let left = members - self.removed_first(members);
                let what = format!("1 to {left}, the members when it begins");
                require((1..=left).contains(&administrators), key, what)
            }
        }
    }

    /// Whether the group stays as large as it is.
    fn is_constant(&self) -> bool {
        self.mix.add == 0.0 && self.mix.remove == 0.0 && self.remove_first == 0.0
    }

    fn check_proposals(&self, members: u32) -> Result<(), Wrong> {
        let key = "operations.proposals";
        let most = format!("at most {MAX_PROPOSALS} proposals to a commit");
        require(self.proposals <= MAX_PROPOSALS, key, most)?;
        let enough = self.proposals == 0 || self.proposals < members;
        require(enough, key, format!("{members} members cannot send so many and commit them"))?;
        let what = "proposals need a group of constant size: leave adds and removals out";
        require(self.proposals == 0 || self.is_constant(), key, what)
    }

    fn check_absence(&self, absence: Absence) -> Result<(), Wrong> {
        let key = "operations.absence";
        let lengths = [absence.active, absence.silent];
        let sound = lengths.iter().all(|mean| mean.is_finite() && *mean > 0.0);
        require(sound, key, "means are numbers of operations, above 0")?;
        let plain = self.is_constant() && self.proposals == 0 && self.updated == Updated::Uniform;
        let plain = plain && self.issuers == Issuers::Members && self.commits == Commits::All;
        let what = "members who are active update, one after the other: leave all else out";
        require(plain, key, what)
    }
}

impl Mix {
    fn check(&self) -> Result<(), Wrong> {
        let Self { add, remove, update } = *self;
        let (key, weights) = ("operations.mix", [add, remove, update]);
        let sound = weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0);
        require(sound, key, "weights are numbers, at least 0")?;
        let sum: f64 = weights.iter().sum();
        require(sum > 0.0 && sum.is_finite(), key, "weights add up to a number above 0")?;
        let what = format!("adds and updates together are at least {LEAST_SHARE} of all");
        require((add + update) / sum >= LEAST_SHARE, key, what)
    }
}
