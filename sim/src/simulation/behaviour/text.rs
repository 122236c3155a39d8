//! The choices in words. A strategy's text names the tree's choices and the clients' in any order;
//! what is the clients' is taken out here, and the engine reads the rest.

use std::collections::BTreeSet;

use arboretum_engine::strategy::{self, ParseStrategyError, Strategy};
use arboretum_workloads::Millis;

use super::{Batching, Due, Inactive, MAX_ROUNDS, Moving, Warming};

/// The most members that take part in one commit by rule: more of them are a new group.
const MAX_COUNT: u32 = 1_000;

/// The clients' choices and their values.
const CHOICES: &[(&str, &[&str])] = &[
    ("warming", Warming::VALUES),
    ("inactive", Inactive::VALUES),
    ("batching", Batching::VALUES),
    ("compaction", Moving::VALUES),
];

/// Presets that are the clients' own: a name, what it stands for, and what it is.
pub const PRESETS: &[(&str, &str, &str)] = &[
    (
        "rebuild",
        "rfc9420+compaction=rebuild:4",
        "RFC 9420, the group made anew when an update costs four times log2 n",
    ),
    (
        "concurrent-2025",
        "concurrent-2025+batching=concurrent:4",
        "whole paths are proposed, four with each commit, and blanked only where they meet (ours)",
    ),
    (
        "quarantined-2024",
        "rfc9420+inactive=quarantine:30d:30d:90d",
        "Quarantined-TreeKEM: others make the keys of silent members and share them out (ours)",
    ),
];

/// All choices of a strategy and their values, the tree's first.
pub fn choices() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut all: Vec<(&str, Vec<&str>)> = vec![];
    for (choice, values) in strategy::CHOICES.iter().chain(CHOICES) {
        match all.iter_mut().find(|(known, _)| known == choice) {
            Some((_, known)) => known.extend(*values),
            None => all.push((*choice, values.to_vec())),
        }
    }
    all
}

/// Why words are no strategy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BehaviourError {
    /// The tree's part is none.
    #[error(transparent)]
    Tree(#[from] ParseStrategyError),
    /// One choice, two values.
    #[error("`{0}` is chosen twice")]
    Twice(String),
    /// No such value.
    #[error("no {choice} `{value}` is built")]
    Value {
        /// The choice.
        choice: &'static str,
        /// The value.
        value: String,
    },
    /// A value without a duration that can be.
    #[error("{value} takes a duration above 0s, as in `{value}:1h`, and `{given}` is none")]
    Duration {
        /// The choice and its value.
        value: &'static str,
        /// What was given.
        given: String,
    },
    /// Not three delays.
    #[error(
        "inactive=quarantine takes three delays, as in `inactive=quarantine:1d:1d:30d`: until a member's \
         keys are made for it, until they are renewed, until it is removed; not `{0}`"
    )]
    Delays(String),
    /// Ghosts where there can be none.
    #[error("inactive=quarantine does not go with {0}")]
    NoGhosts(&'static str),
    /// A value without a number of members that can be.
    #[error("{value} takes from 1 to {MAX_COUNT} members, as in `{value}:2`, not `{given}`")]
    Count {
        /// The choice and its value.
        value: &'static str,
        /// What was given.
        given: String,
    },
    /// Neither so many times what an update could cost, nor a share of the leaves.
    #[error(
        "compaction=rebuild takes a whole number from 2 to {MAX_COUNT}, so many times log2 n, as in \
         `compaction=rebuild:4`, or from 1% to 99% of the leaves, as in `compaction=rebuild:40%`, not `{0}`"
    )]
    Due(String),
    /// Moving to the left in a tree that is never cut at the right.
    #[error("compaction={0} empties the right edge, and this preset never cuts it off")]
    NeverCut(&'static str),
    /// Moving to a blank leaf in a tree that has none.
    #[error("compaction={0} moves members to blank leaves, and trees of this shape have none")]
    NoBlanks(&'static str),
    /// Moving in two ways.
    #[error("compaction={0} moves members, and this preset's compaction=scoot-over does already")]
    MovesAlready(&'static str),
    /// Asking who has most blank parents where nobody has any.
    #[error(
        "warming=most-blanks has nobody to ask under removal=taint: no parent above a member is blank"
    )]
    NothingBlank,
    /// Moving, but not to the left.
    #[error("compaction={0} needs placement=leftmost-blank: elsewhere nobody moves to the left")]
    NotToTheLeft(&'static str),
    /// Proposals wait where messages are sent.
    #[error(
        "batching=propose-commit, concurrent and servers let proposals wait, and nobody may send messages before they are committed (RFC 9420 §12.4): take `workload.messages` out"
    )]
    ProposalsWait,
    /// Somebody else than the servers commits.
    #[error("batching=servers has the servers commit for all, which does not go with {0}")]
    OnlyServers(&'static str),
    /// Paths that are proposed where members propose Updates.
    #[error("batching=concurrent needs proposals=paths: what it proposes are whole paths")]
    ProposesUpdates,
    /// More rounds than a run can have.
    #[error("every {period} for {duration} is more than {MAX_ROUNDS} rounds")]
    TooOften {
        /// From one to the next.
        period: Millis,
        /// The run's virtual time.
        duration: Millis,
    },
}

impl BehaviourError {
    pub(super) fn value(choice: &'static str, value: &str) -> Self {
        Self::Value { choice, value: value.to_owned() }
    }
}

/// What a text says about the clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) warming: Option<Warming>,
    pub(super) inactive: Option<Inactive>,
    pub(super) batching: Option<Batching>,
    pub(super) moving: Option<Moving>,
}

impl Chosen {
    /// Takes a choice; false if it is the tree's.
    fn take(&mut self, choice: &str, value: &str) -> Result<bool, BehaviourError> {
        match choice {
            "warming" => self.warming = Some(Warming::read(value)?),
            "inactive" => self.inactive = Some(Inactive::read(value)?),
            "batching" => self.batching = Some(Batching::read(value)?),
            "compaction" => {
                self.moving = Moving::read(value)?;
                return Ok(self.moving.is_some());
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Reads a strategy whole.
pub(super) fn read(text: &str) -> Result<(Strategy, Chosen), BehaviourError> {
    let (name, rest) = text.split_once('+').unwrap_or((text, ""));
    match PRESETS.iter().find(|(own, ..)| *own == name.trim()) {
        // What the text says after it is chosen in the place of what the preset does.
        Some((_, stands_for, _)) => {
            let (name, choices) = stands_for.split_once('+').unwrap_or((stands_for, ""));
            let mut chosen = Chosen::default();
            parts(choices, &mut chosen)?;
            choose(name, rest, chosen)
        }
        None => choose(name, rest, Chosen::default()),
    }
}

/// A preset of the tree, and what differs from it.
fn choose(
    name: &str,
    rest: &str,
    mut chosen: Chosen,
) -> Result<(Strategy, Chosen), BehaviourError> {
    let mut tree = parts(rest, &mut chosen)?;
    let concurrent = matches!(chosen.batching, Some(Batching::Concurrent(_)));
    let says = |part: &&str| part.split('=').next().map(str::trim) == Some("proposals");
    if concurrent && !tree.iter().any(says) {
        tree.push("proposals=paths");
    }
    let tree: Vec<&str> = std::iter::once(name).chain(tree).collect();
    let tree = Strategy::parse(&tree.join("+"))?;
    if concurrent && !tree.concurrent {
        return Err(BehaviourError::ProposesUpdates);
    }
    Ok((tree, chosen))
}

/// Takes the clients' choices out of a list; gives the tree's.
fn parts<'t>(list: &'t str, chosen: &mut Chosen) -> Result<Vec<&'t str>, BehaviourError> {
    let (mut seen, mut tree) = (BTreeSet::new(), vec![]);
    for part in list.split('+').map(str::trim).filter(|_| !list.is_empty()) {
        if let Some((choice, value)) = part.split_once('=') {
            let (choice, value) = (choice.trim(), value.trim());
            if !seen.insert(choice) {
                return Err(BehaviourError::Twice(choice.to_owned()));
            }
            if chosen.take(choice, value)? {
                continue;
            }
        }
        tree.push(part);
    }
    Ok(tree)
}

/// A value's number of members.
pub(super) fn count(value: &'static str, given: &str) -> Result<u32, BehaviourError> {
    match given.trim().parse() {
        Ok(count @ 1..=MAX_COUNT) => Ok(count),
        _ => Err(BehaviourError::Count { value, given: given.to_owned() }),
    }
}

/// How many times what it could cost, or how empty the tree.
pub(super) fn due(given: &str) -> Result<Due, BehaviourError> {
    let refused = || BehaviourError::Due(given.to_owned());
    if let Some(percent) = given.trim().strip_suffix('%') {
        let percent = percent.parse().ok().filter(|percent| (1..=99).contains(percent));
        return percent.map(Due::Sparse).ok_or_else(refused);
    }
    let times = given.trim().parse().ok().filter(|times| (2..=MAX_COUNT).contains(times));
    times.map(Due::Dear).ok_or_else(refused)
}

/// A value's duration, as scenarios write it.
pub(super) fn duration(value: &'static str, given: &str) -> Result<Millis, BehaviourError> {
    let refused = || BehaviourError::Duration { value, given: given.to_owned() };
    given.trim().parse().ok().filter(|duration| *duration > Millis(0)).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::super::Delays;
    use super::*;

    const HOUR: Millis = Millis(3_600_000);

    #[test]
    fn the_trees_choices_and_the_clients_stand_in_one_text() {
        let text = "rfc9420+warming=most-blanks:1h+placement=nearest+batching=every:30m";
        let (tree, chosen) = read(text).unwrap();
        assert_eq!(tree, Strategy::parse("rfc9420+placement=nearest").unwrap());
        assert_eq!(chosen.warming, Some(Warming::MostBlanks(HOUR)));
        assert_eq!(chosen.batching, Some(Batching::Every(Millis(HOUR.0 / 2))));
        assert_eq!(chosen.inactive, None);
        assert_eq!(read("2018-10").unwrap().1, Chosen::default());
        // What is proposed must be known to the tree.
        let concurrent = |count| (true, Some(Batching::Concurrent(count)));
        for (text, expected) in [
            ("concurrent-2025", concurrent(4)),
            ("concurrent-2025+batching=concurrent:2", concurrent(2)),
            ("rfc9420+batching=concurrent:3", concurrent(3)),
            ("concurrent-2025+batching=immediate", (true, Some(Batching::Immediate))),
            ("rfc9420+proposals=paths", (true, None)),
        ] {
            let (tree, chosen) = read(text).unwrap();
            assert_eq!((tree.concurrent, chosen.batching), expected, "{text}");
        }
        // A preset of the clients, and what is chosen in its place.
        let moving = |text| read(text).unwrap().1.moving;
        let rebuild = |due| Some(Moving::Rebuild(due));
        assert_eq!(moving("rebuild"), rebuild(Due::Dear(4)));
        assert_eq!(moving("rebuild + placement=append"), rebuild(Due::Dear(4)));
        assert_eq!(moving("rebuild+compaction=rebuild:9"), rebuild(Due::Dear(9)));
        assert_eq!(moving("rebuild+compaction=rebuild:40%"), rebuild(Due::Sparse(40)));
        assert_eq!(moving("rebuild+compaction=none"), None);
        let month = Millis(30 * 24 * HOUR.0);
        let delays = Delays { after: month, refresh: month, stay: Millis(3 * month.0) };
        let quarantine = Some(Inactive::Quarantine(delays));
        assert_eq!(read("quarantined-2024").unwrap().1.inactive, quarantine);
    }

    #[test]
    fn every_value_of_every_choice_is_read() {
        for (choice, values) in choices() {
            for value in values {
                let value = match choice {
                    "shape" => value.replace(":MIN-MAX", ":2-3").replace(":P", ":70"),
                    "compaction" => value.replace(":P%", ":40%"),
                    _ => value.replace(":P", ":1h"),
                };
                let value = value.replace("D:R:S", "1d:1h:30d");
                let value = value.replace(":K", ":4").replace(":R", ":4").replace(":T", ":4");
                let value = value.replace("evict:D", "evict:4d").replace(":D", ":4");
                let base = match value.as_str() {
                    "pop" => "rfc9420+shape=left-balanced",
                    "taint" => "tainted-2021",
                    _ => "rfc9420",
                };
                let text = format!("{base}+{choice}={value}");
                assert!(read(&text).is_ok(), "{text}");
            }
            let wrong = read(&format!("rfc9420+{choice}=sideways")).unwrap_err().to_string();
            assert!(wrong.contains(&format!("no {choice} `sideways` is built")), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_strategy_is_refused_with_its_reason() {
        let refused = |text: &str| read(text).unwrap_err().to_string();
        assert!(refused("rfc9421+warming=on-join").contains("no strategy `rfc9421`"));
        assert!(refused("rfc9420+worming=on-join").contains("no choice `worming`"));
        assert!(refused("rfc9420+warming=on-join+warming=none").contains("chosen twice"));
        for value in ["warming=round-robin", "warming=most-blanks", "batching=every"] {
            for given in ["0s", "5", "soon", "-1h"] {
                let told = refused(&format!("rfc9420+{value}:{given}"));
                assert!(told.contains(&format!("{value} takes a duration above 0s")), "{told}");
                assert!(told.contains(&format!("`{given}`")), "{told}");
            }
            assert!(refused(&format!("rfc9420+{value}")).contains("is built"), "{value}");
        }
        assert!(refused("rfc9420+inactive=evict:0s").contains("above 0s"));
        for value in ["compaction=swap", "batching=propose-commit", "batching=concurrent"] {
            for count in ["0", "-1", "many", "1001"] {
                let told = refused(&format!("rfc9420+{value}:{count}"));
                assert!(told.contains(&format!("{value} takes from 1 to 1000 members")), "{told}");
            }
        }
        for value in ["swap", "resync:3", "rebuild", "scoot-over:2", "smallest-tree:2", "pop:1"] {
            let told = refused(&format!("rfc9420+compaction={value}"));
            assert_eq!(told, format!("no compaction `{value}` is built"));
        }
        for times in ["0", "1", "1.5", "often", "1001", "0%", "100%", "%", "4 %"] {
            let told = refused(&format!("rfc9420+compaction=rebuild:{times}"));
            assert!(told.contains("takes a whole number from 2 to 1000"), "{told}");
            assert!(told.contains(&format!("not `{times}`")), "{told}");
        }
        let updates = refused("rfc9420+batching=concurrent:2+proposals=updates");
        assert!(updates.contains("batching=concurrent needs proposals=paths"), "{updates}");
        let tainted = refused("tainted-2021+batching=concurrent:2");
        assert!(tainted.contains("needs removal=blank or faster-remove"), "{tainted}");
        assert!(refused("rfc9420+compaction=none+compaction=resync").contains("chosen twice"));
        assert!(refused("rfc9420+inactive=quarantine").contains("no inactive `quarantine`"));
        for delays in ["1d", "1d:1h", "1d:1h:30d:1d"] {
            let told = refused(&format!("rfc9420+inactive=quarantine:{delays}"));
            assert!(told.contains("takes three delays"), "{told}");
        }
        assert!(refused("rfc9420+inactive=quarantine:1d:0s:30d").contains("above 0s"));
    }
}
