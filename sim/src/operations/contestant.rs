//! Which protocol an experiment's strategy names: a strategy of TreeKEM, or a preset that is a
//! protocol of its own.

use arboretum_engine::counted::{
    Balance, Cost, CountedError, CountedGroup, ManagedTree, Member, MulticastGroup, PathSizes,
    TaintedGroup,
};
use arboretum_engine::crypto::{CipherSuite, provider};
use arboretum_engine::strategy::{ParseStrategyError, Strategy};
use arboretum_results::AbsenceRow;
use arboretum_workloads::{Commits, Experiment, Operation, OperationKind};

use super::absent::Absent;

/// Presets that are protocols of their own, in counts only. `tainted-2021`, which the whole engine has
/// as well, is here the paper's: an add or a removal refreshes no more than it must.
pub const PRESETS: &[(&str, &str)] =
    &[("multicast-2022", "one manager who knows every key; +shape=left-balanced, 2-3, llrb")];

/// A protocol with its choices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contestant {
    /// TreeKEM.
    TreeKem(Strategy),
    /// Tainted TreeKEM.
    Tainted,
    /// One manager.
    Multicast(ManagedTree),
}

/// Why a strategy cannot be played.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContestantError {
    /// It is no strategy.
    #[error(transparent)]
    Strategy(#[from] ParseStrategyError),
    /// A preset of its own does not have this choice.
    #[error("`{preset}` has no `{choice}`: {expected}")]
    Choice {
        /// The preset.
        preset: &'static str,
        /// What was given.
        choice: String,
        /// What there is.
        expected: &'static str,
    },
    /// The protocol knows nothing of absences.
    #[error("`{0}` has no rule for members who fall silent: leave `operations.absence` out")]
    Absence(String),
    /// No such suite.
    #[error("cipher suite {0} is not built")]
    Suite(u16),
    /// The protocol has no such operations.
    #[error("`{0}` commits every operation at once: leave `operations.{1}` out")]
    Operations(&'static str, &'static str),
}

impl ContestantError {
    /// The key of the experiment that is wrong.
    pub fn key(&self) -> String {
        match self {
            Self::Strategy(_) | Self::Choice { .. } => "group.strategy".into(),
            Self::Suite(_) => "group.suite".into(),
            Self::Absence(_) => "operations.absence".into(),
            Self::Operations(_, key) => format!("operations.{key}"),
        }
    }
}

impl Contestant {
    /// The protocol of an experiment.
    pub fn of(experiment: &Experiment) -> Result<Self, ContestantError> {
        let contestant = Self::parse(&experiment.group.strategy)?;
        Self::sizes(experiment)?;
        let operations = &experiment.operations;
        let treekem = matches!(contestant, Self::TreeKem(_));
        if operations.absence.is_some() && !treekem {
            return Err(ContestantError::Absence(experiment.group.strategy.clone()));
        }
        let own = match contestant {
            Self::Tainted => Some("tainted-2021"),
            Self::Multicast(_) => Some("multicast-2022"),
            Self::TreeKem(_) => None,
        };
        match own {
            Some(preset) if operations.proposals > 0 => {
                Err(ContestantError::Operations(preset, "proposals"))
            }
            Some(preset) if operations.commits != Commits::All => {
                Err(ContestantError::Operations(preset, "commits"))
            }
            _ => Ok(contestant),
        }
    }

    /// The sizes of an experiment's paths.
    pub(super) fn sizes(experiment: &Experiment) -> Result<PathSizes, ContestantError> {
        let suite = experiment.group.suite;
        let provider = provider(CipherSuite(suite)).ok_or(ContestantError::Suite(suite))?;
        PathSizes::of(provider).map_err(|_| ContestantError::Suite(suite))
    }

    fn parse(text: &str) -> Result<Self, ContestantError> {
        let (preset, choices) = text.split_once('+').map_or((text, None), |(p, c)| (p, Some(c)));
        let plain = |preset, contestant| match choices {
            None => Ok(contestant),
            Some(choice) => {
                let expected = "it has no choices";
                Err(ContestantError::Choice { preset, choice: choice.into(), expected })
            }
        };
        match preset.trim() {
            "tainted-2021" => plain("tainted-2021", Self::Tainted),
            "multicast-2022" => {
                Ok(Self::Multicast(match choices.unwrap_or("shape=left-balanced").trim() {
                    "shape=left-balanced" => ManagedTree::LeftBalanced,
                    "shape=2-3" => ManagedTree::Search(Balance::TwoThree),
                    "shape=llrb" => ManagedTree::Search(Balance::LeftLeaning),
                    choice => {
                        return Err(ContestantError::Choice {
                            preset: "multicast-2022",
                            choice: choice.into(),
                            expected: "there is shape=left-balanced, shape=2-3 and shape=llrb",
                        });
                    }
                }))
            }
            _ => match Strategy::parse(text)? {
                strategy if strategy.taints() => {
                    let (preset, choice) = ("tainted-2021", "removal=taint".into());
                    let expected = "experiments have the preset by its name alone";
                    Err(ContestantError::Choice { preset, choice, expected })
                }
                strategy => Ok(Self::TreeKem(strategy)),
            },
        }
    }

    /// A warm group of its kind.
    pub(super) fn group(self, members: u32, sizes: PathSizes) -> Result<Group, CountedError> {
        Ok(match self {
            Self::TreeKem(strategy) => {
                Group::TreeKem(CountedGroup::new(strategy, sizes, members, true)?)
            }
            Self::Tainted => Group::Tainted(TaintedGroup::new(members)?),
            Self::Multicast(kind) => Group::Multicast(MulticastGroup::new(kind, members)?),
        })
    }
}

/// A group under one of the protocols.
pub(super) enum Group {
    TreeKem(CountedGroup),
    Tainted(TaintedGroup),
    Multicast(MulticastGroup),
}

impl Group {
    /// Does an operation: what it costs, and whether a path was sent.
    pub(super) fn apply(
        &mut self,
        operation: &Operation,
        commits: Commits,
    ) -> Result<(Cost, bool), CountedError> {
        let by = Member(operation.by);
        match self {
            Self::TreeKem(group) => treekem(group, operation, commits),
            Self::Tainted(group) => Ok((
                match operation.kind {
                    OperationKind::Add { member } => group.add(by, Member(member))?,
                    OperationKind::Remove { member } => group.remove(by, Member(member))?,
                    OperationKind::Update => group.update(by)?,
                },
                true,
            )),
            Self::Multicast(group) => Ok((
                match operation.kind {
                    OperationKind::Add { member } => group.add(Member(member))?,
                    OperationKind::Remove { member } => group.remove(Member(member))?,
                    OperationKind::Update => group.update(by)?,
                },
                true,
            )),
        }
    }

    /// What members who fall silent and come back bring about.
    pub(super) fn absence(
        &mut self,
        absent: &mut Absent,
        operation: &Operation,
    ) -> Result<(Cost, AbsenceRow), CountedError> {
        match self {
            Self::TreeKem(group) => absent.before(group, operation),
            // Refused when the experiment was read.
            Self::Tainted(_) | Self::Multicast(_) => Ok(Default::default()),
        }
    }

    /// Whether an operation has given its issuer new keys of its own, as the path of a commit does. A
    /// manager, or who taints nodes, keys the parents of others alone.
    pub(super) fn renews_issuer(&self, operation: &Operation, committed: bool) -> bool {
        match self {
            Self::TreeKem(_) => committed,
            Self::Tainted(_) | Self::Multicast(_) => operation.kind == OperationKind::Update,
        }
    }

    /// Whether its paths are RFC 9420's, so that their bytes are known.
    pub(super) fn has_bytes(&self) -> bool {
        matches!(self, Self::TreeKem(_))
    }

    /// Blank parents of its tree; none where nothing is ever blank.
    pub(super) fn blank_parents(&self) -> Option<u32> {
        match self {
            Self::TreeKem(group) => Some(group.tree().blank_parents),
            Self::Tainted(group) => Some(group.tree().blank_parents),
            Self::Multicast(_) => None,
        }
    }

    /// Levels of its tree.
    pub(super) fn depth(&self) -> u8 {
        match self {
            Self::TreeKem(group) => group.tree().height,
            Self::Tainted(group) => group.tree().height,
            Self::Multicast(group) => group.depth(),
        }
    }
}

fn treekem(
    group: &mut CountedGroup,
    operation: &Operation,
    commits: Commits,
) -> Result<(Cost, bool), CountedError> {
    let by = Member(operation.by);
    let mut cost = Cost::default();
    let proposers: Vec<Member> = operation.proposers.iter().copied().map(Member).collect();
    if group.proposes_paths() {
        cost += group.merge_paths(&proposers)?;
    } else {
        proposers.iter().try_for_each(|proposer| group.update(*proposer))?;
    }
    let committed = commits == Commits::All || operation.kind == OperationKind::Update;
    match operation.kind {
        OperationKind::Add { member } => {
            if committed {
                group.move_over(by)?;
            }
            group.add(by, Member(member))?;
        }
        OperationKind::Remove { member } => group.remove(Member(member))?,
        OperationKind::Update => {}
    }
    if committed {
        cost += group.commit(by)?;
    } else {
        group.settle();
    }
    Ok((cost, committed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strategy_names_its_protocol() {
        let parse = |text: &str| Contestant::parse(text);
        assert_eq!(parse("rfc9420"), Ok(Contestant::TreeKem(Strategy::RFC9420)));
        assert_eq!(parse("tainted-2021"), Ok(Contestant::Tainted));
        let paths = Strategy { concurrent: true, ..Strategy::RFC9420 };
        assert_eq!(parse("concurrent-2025"), Ok(Contestant::TreeKem(paths)));
        let manager = |kind| Ok(Contestant::Multicast(kind));
        assert_eq!(parse("multicast-2022"), manager(ManagedTree::LeftBalanced));
        let balanced = manager(ManagedTree::Search(Balance::TwoThree));
        assert_eq!(parse("multicast-2022+shape=2-3"), balanced);
        let refused = |text: &str| parse(text).unwrap_err().to_string();
        assert!(refused("multicast-2022+shape=perfect").contains("shape=llrb"));
        assert!(refused("tainted-2021+shape=perfect").contains("it has no choices"));
        let spelled = "2018-10+shape=perfect+removal=taint";
        assert!(refused(spelled).contains("by its name alone"));
        assert!(refused("rfc9421").contains("no strategy `rfc9421`"));
    }
}
