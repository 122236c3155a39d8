//! The scenarios that come with the lab.

use super::operations::Experiment;
use super::scenario::nearest;

/// A scenario that comes with the lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shipped {
    /// Its name.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

impl Shipped {
    /// Whether it is an experiment: a sequence of operations.
    pub fn is_experiment(&self) -> bool {
        Experiment::is_one(self.text)
    }

    /// Its title. Read by itself, since a scenario for traces is whole only with a trace.
    pub fn title(&self) -> String {
        let table: Option<toml::Table> = self.text.parse().ok();
        let title = table.as_ref().and_then(|table| table.get("title")?.as_str());
        title.unwrap_or_default().to_owned()
    }
}

macro_rules! ship {
    ($($name:literal),+ $(,)?) => {
        const SHIPPED: &[Shipped] = &[$(Shipped {
            name: $name,
            text: include_str!(concat!("../scenarios/", $name, ".toml")),
        }),+];
    };
}

ship!(
    "fifty-thousand",
    "smoke",
    "trace",
    "conference",
    "devices",
    "federation",
    "groups",
    "join-link",
    "recovery",
    "rejoin",
    "healing",
    "versus",
    "lab-uniform",
    "ttkem-zipf",
    "ttkem-admin",
    "stable",
    "somewhat-stable",
    "high-fluctuation",
    "long-offline",
    "community-server",
    "college",
    "event-room",
    "creator-adds-all",
    "alternate-blank",
    "enterprise",
    "purge",
    "two-servers-commit",
);

/// All of them.
pub fn shipped() -> &'static [Shipped] {
    SHIPPED
}

/// The one of this name, or else the nearest name.
pub fn find_shipped(name: &str) -> Result<Shipped, Option<&'static str>> {
    let found = SHIPPED.iter().find(|shipped| shipped.name == name).copied();
    found.ok_or_else(|| nearest(name, SHIPPED.iter().map(|shipped| shipped.name)))
}
