//! Strategies in words: a preset's name, then choices that differ from it, as in
//! `rfc9420+placement=nearest+shape=m-ary:4`.

use super::{Compaction, Layout, Placement, Removal, Strategy, StrategyError};

/// A published point among the choices.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub title: &'static str,
    /// Its choices.
    pub strategy: Strategy,
}

const DRAFT_02: Strategy = Strategy {
    placement: Placement::Append,
    layout: Layout::LeftBalanced,
    compaction: Compaction::None,
    unmerged: false,
    filtered: false,
    ..Strategy::RFC9420
};

/// All presets: the protocol as it is, as it was, and as others would have it.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "rfc9420",
        title: "leftmost blank leaf, removals blank, perfect tree truncated at the right",
        strategy: Strategy::RFC9420,
    },
    Preset {
        name: "2018-10",
        title: "draft-ietf-mls-protocol-02: left-balanced, append only, never shrinks, adds blank",
        strategy: DRAFT_02,
    },
    Preset {
        name: "2019-03",
        title: "draft-ietf-mls-protocol-04: as 2018-10, truncated at the right edge",
        strategy: Strategy { compaction: Compaction::Truncate, ..DRAFT_02 },
    },
    Preset {
        name: "2019-11",
        title: "draft-ietf-mls-protocol-08: left-balanced, leftmost add, unmerged leaves",
        strategy: Strategy { layout: Layout::LeftBalanced, filtered: false, ..Strategy::RFC9420 },
    },
    Preset {
        name: "smallest-tree",
        title: "RFC 9420 without blank leaves: the smallest tree that has the keyed nodes",
        strategy: Strategy { compaction: Compaction::SmallestTree, ..Strategy::RFC9420 },
    },
    Preset {
        name: "multicast-2022",
        title: "2-3 tree, kept by commits (by a manager in experiments); or +shape=llrb",
        strategy: Strategy { layout: Layout::BTree { least: 2, most: 3 }, ..Strategy::RFC9420 },
    },
    Preset {
        name: "bonsai-2024",
        title: "newcomers beside the node where expected cost rises least, siblings splice (ours)",
        strategy: Strategy {
            placement: Placement::Cheapest,
            removal: Removal::Splice,
            ..Strategy::RFC9420
        },
    },
    Preset {
        name: "2022",
        title: "the tree of RFC 9420, as mls-protocol 587 and 694 made it",
        strategy: Strategy::RFC9420,
    },
    Preset {
        name: "scoot-over",
        title: "mls-extensions 56: RFC 9420, and committers move to the leftmost blank leaf",
        strategy: Strategy { compaction: Compaction::ScootOver, ..Strategy::RFC9420 },
    },
    Preset {
        name: "tainted-2021",
        title: "Tainted TreeKEM: nothing is blanked, whoever draws a secret is remembered",
        strategy: Strategy {
            removal: Removal::Taint,
            unmerged: false,
            filtered: false,
            ..Strategy::RFC9420
        },
    },
    Preset {
        name: "concurrent-2025",
        title: "RFC 9420 whose members propose whole paths, blanked only where they meet (ours)",
        strategy: Strategy { concurrent: true, ..Strategy::RFC9420 },
    },
];

/// The choices and their values.
pub const CHOICES: &[(&str, &[&str])] = &[
    (
        "placement",
        &["leftmost-blank", "append", "random-blank", "nearest", "cheapest", "by-activity"],
    ),
    ("removal", &["blank", "faster-remove", "splice", "taint"]),
    (
        "shape",
        &[
            "perfect",
            "left-balanced",
            "m-ary:D",
            "b-tree:MIN-MAX",
            "2-3",
            "2-3-4",
            "llrb",
            "weight-balanced:P",
            "scapegoat:P",
            "weighted",
        ],
    ),
    ("compaction", &["none", "truncate", "scoot-over", "smallest-tree", "pop"]),
    ("unmerged", &["on", "off"]),
    ("filtered", &["on", "off"]),
    ("proposals", &["updates", "paths"]),
];

/// Why words are no strategy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseStrategyError {
    /// No such preset.
    #[error("no strategy `{0}` is built")]
    Preset(String),
    /// Not a choice and its value.
    #[error("`{0}` is not of the form choice=value")]
    NotAChoice(String),
    /// No such choice.
    #[error("a strategy has no choice `{0}` in this version")]
    Choice(String),
    /// No such value.
    #[error("no {choice} `{value}` is built")]
    Value {
        /// The choice.
        choice: &'static str,
        /// The value.
        value: String,
        /// The values there are.
        values: &'static [&'static str],
    },
    /// The choices do not go together.
    #[error(transparent)]
    Sense(#[from] StrategyError),
}

impl Strategy {
    /// Reads a strategy.
    pub fn parse(text: &str) -> Result<Self, ParseStrategyError> {
        let mut parts = text.split('+').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let preset = PRESETS.iter().find(|preset| preset.name == name);
        let mut strategy = preset.ok_or_else(|| ParseStrategyError::Preset(name.into()))?.strategy;
        for part in parts {
            let (choice, value) =
                part.split_once('=').ok_or_else(|| ParseStrategyError::NotAChoice(part.into()))?;
            strategy.choose(choice.trim(), value.trim())?;
        }
        strategy.check()?;
        Ok(strategy)
    }

    fn choose(&mut self, choice: &str, value: &str) -> Result<(), ParseStrategyError> {
        let known = CHOICES.iter().find(|(name, _)| *name == choice);
        let (choice, values) = *known.ok_or_else(|| ParseStrategyError::Choice(choice.into()))?;
        let unknown = || ParseStrategyError::Value { choice, value: value.to_owned(), values };
        match choice {
            "placement" => self.placement = placement(value).ok_or_else(unknown)?,
            "removal" => {
                self.removal = match value {
                    "blank" => Removal::Blank,
                    "faster-remove" => Removal::FasterRemove,
                    "splice" => Removal::Splice,
                    "taint" => Removal::Taint,
                    _ => return Err(unknown()),
                }
            }
            "shape" => self.layout = layout(value).ok_or_else(unknown)?,
            "compaction" => {
                self.compaction = match value {
                    "none" => Compaction::None,
                    "truncate" => Compaction::Truncate,
                    "smallest-tree" => Compaction::SmallestTree,
                    "pop" => Compaction::Pop,
                    "scoot-over" => Compaction::ScootOver,
                    _ => return Err(unknown()),
                }
            }
            "unmerged" => self.unmerged = switch(value).ok_or_else(unknown)?,
            "proposals" => {
                self.concurrent = match value {
                    "updates" => false,
                    "paths" => true,
                    _ => return Err(unknown()),
                }
            }
            _ => self.filtered = switch(value).ok_or_else(unknown)?,
        }
        Ok(())
    }
}

fn placement(value: &str) -> Option<Placement> {
    Some(match value {
        "leftmost-blank" => Placement::LeftmostBlank,
        "append" => Placement::Append,
        "random-blank" => Placement::RandomBlank,
        "nearest" => Placement::Nearest,
        "cheapest" => Placement::Cheapest,
        "by-activity" => Placement::ByActivity,
        _ => return None,
    })
}

fn layout(value: &str) -> Option<Layout> {
    match value.split_once(':') {
        Some(("m-ary", degree)) => degree.parse().ok().map(Layout::Ary),
        Some(("b-tree", children)) => {
            let (least, most) = children.split_once('-')?;
            Some(Layout::BTree { least: least.parse().ok()?, most: most.parse().ok()? })
        }
        Some(("weight-balanced", percent)) => percent.parse().ok().map(Layout::WeightBalanced),
        Some(("scapegoat", percent)) => percent.parse().ok().map(Layout::Scapegoat),
        Some(_) => None,
        None => match value {
            "perfect" => Some(Layout::Perfect),
            "left-balanced" => Some(Layout::LeftBalanced),
            "llrb" => Some(Layout::LeftLeaning),
            "weighted" => Some(Layout::Weighted),
            "2-3" => Some(Layout::BTree { least: 2, most: 3 }),
            "2-3-4" => Some(Layout::BTree { least: 2, most: 4 }),
            _ => None,
        },
    }
}

fn switch(value: &str) -> Option<bool> {
    match value {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_make_sense_and_are_read_by_their_names() {
        for preset in PRESETS {
            assert_eq!(Strategy::parse(preset.name), Ok(preset.strategy));
        }
        assert_eq!(Strategy::parse("rfc9420"), Ok(Strategy::default()));
    }

    #[test]
    fn every_value_of_every_choice_is_read() {
        for (choice, values) in CHOICES {
            for value in *values {
                let numbers = [(":D", ":4"), (":MIN-MAX", ":2-3"), (":P", ":70")];
                let value = numbers.iter().fold(value.to_string(), |value, (letter, number)| {
                    value.replace(letter, number)
                });
                let base = match &value[..] {
                    "pop" => "rfc9420+shape=left-balanced",
                    "taint" => "2018-10+shape=perfect",
                    _ => "rfc9420",
                };
                let text = format!("{base}+{choice}={value}");
                assert!(Strategy::parse(&text).is_ok(), "{text}");
            }
            let wrong = Strategy::parse(&format!("rfc9420+{choice}=sideways"));
            assert!(matches!(wrong, Err(ParseStrategyError::Value { .. })), "{choice}");
        }
        let many = Strategy::parse("rfc9420 + placement=nearest + shape=m-ary:4").unwrap();
        assert_eq!((many.placement, many.layout), (Placement::Nearest, Layout::Ary(4)));
    }

    #[test]
    fn what_is_no_strategy_is_refused_with_its_reason() {
        let refused = |text: &str| Strategy::parse(text).unwrap_err().to_string();
        assert!(refused("rfc9421").contains("no strategy `rfc9421`"));
        assert!(refused("rfc9420+nearest").contains("choice=value"));
        assert!(refused("rfc9420+warming=on-join").contains("no choice `warming`"));
        assert!(refused("rfc9420+shape=m-ary:1").contains("degree from 2"));
        let cheapest = refused("rfc9420+placement=cheapest+unmerged=off");
        assert!(cheapest.contains("needs unmerged=on"), "{cheapest}");
        let faster = refused("2018-10+removal=faster-remove");
        assert!(faster.contains("needs unmerged=on"), "{faster}");
        for text in ["scoot-over+placement=nearest", "2018-10+compaction=scoot-over"] {
            let scoots = refused(text);
            assert!(scoots.contains("scoot-over needs placement=leftmost-blank"), "{scoots}");
        }
        let taint = |choices: &str| refused(&format!("tainted-2021+{choices}"));
        assert!(taint("shape=m-ary:3").contains("needs shape=perfect"));
        assert!(taint("unmerged=on").contains("needs unmerged=off"));
        assert!(taint("filtered=on").contains("needs filtered=off"));
        assert!(taint("placement=cheapest").contains("no parent is blank"));
        let paths = |choices: &str| refused(&format!("concurrent-2025+{choices}"));
        assert!(paths("removal=splice").contains("needs removal=blank or faster-remove"));
        for shape in ["2-3", "llrb", "weight-balanced:70", "scapegoat:70", "weighted"] {
            assert!(
                paths(&format!("shape={shape}")).contains("needs shape=perfect, left-balanced")
            );
        }
        assert!(paths("compaction=smallest-tree").contains("without compaction=smallest-tree"));
        assert!(paths("shape=left-balanced+compaction=pop").contains("without compaction"));
        let tainted = refused("tainted-2021+proposals=paths");
        assert!(tainted.contains("needs removal=blank or faster-remove"), "{tainted}");
    }
}
