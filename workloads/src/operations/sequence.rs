//! The operations of an experiment, drawn one after the other. Who is in the group follows from the
//! operations alone, so that every protocol meets the same sequence.

use super::absence::Turns;
use super::ranking::Ranking;
use super::{Experiment, Issuers, Mix, Operations, Updated};
use crate::stream::{RootSeed, Stream};

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationKind {
    /// A newcomer is added.
    Add {
        /// Its number.
        member: u32,
    },
    /// A member is removed.
    Remove {
        /// Its number.
        member: u32,
    },
    /// The issuer updates its keys.
    Update,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Who issues it.
    pub by: u32,
    /// What it is.
    pub kind: OperationKind,
    /// Others whose Update proposals it commits along.
    pub proposers: Vec<u32>,
    /// Who has fallen silent since the operation before.
    pub left: Vec<u32>,
    /// Who has come back.
    pub returned: Vec<u32>,
    /// Whether it counts.
    pub measured: bool,
}

impl Operation {
    fn plain(by: u32, kind: OperationKind, measured: bool) -> Self {
        Self { by, kind, proposers: vec![], left: vec![], returned: vec![], measured }
    }
}

/// Members in any order: drawn, entered and removed in O(1).
#[derive(Clone, Debug, Default)]
struct Present {
    members: Vec<u32>,
    at: Vec<u32>,
}

impl Present {
    fn enter(&mut self, member: u32) {
        let slot = member as usize;
        if self.at.len() <= slot {
            self.at.resize(slot + 1, 0);
        }
        self.at[slot] = self.members.len() as u32;
        self.members.push(member);
    }

    fn leave(&mut self, member: u32) {
        let at = self.at[member as usize] as usize;
        self.members.swap_remove(at);
        if let Some(moved) = self.members.get(at) {
            self.at[*moved as usize] = at as u32;
        }
    }

    fn draw(&self, stream: &mut Stream) -> Option<u32> {
        let count = self.members.len() as u64;
        (count > 0).then(|| self.members[stream.below(count) as usize])
    }
}

/// The operations, one after the other.
#[derive(Clone, Debug)]
pub struct Sequence {
    operations: Operations,
    stream: Stream,
    /// Members who may be removed.
    present: Present,
    /// Members who may not.
    administrators: Vec<u32>,
    ranking: Option<Ranking>,
    turns: Option<Turns>,
    /// Operations so far.
    now: u64,
    next_member: u32,
    /// Removals that come first, as many as are left.
    first: u32,
    /// Operations that are not measured, as many as are left.
    unmeasured: u64,
    /// Operations that are.
    measured: u64,
}

impl Sequence {
    /// The sequence of an experiment.
    pub fn new(experiment: &Experiment) -> Self {
        let Experiment { operations, group, seed, .. } = experiment;
        let root = RootSeed::from_u64(*seed);
        let stream = root.stream("operations", 0, 0);
        let first = operations.removed_first(group.members);
        let members = group.members - first;
        let mut sequence = Self {
            stream,
            present: Present::default(),
            administrators: vec![],
            ranking: None,
            turns: operations
                .absence
                .map(|rule| Turns::new(rule, group.members, root.stream("absence", 0, 0))),
            now: 0,
            next_member: group.members,
            first,
            unmeasured: operations.unmeasured.of(members),
            measured: operations.count.of(members),
            operations: operations.clone(),
        };
        (0..group.members).for_each(|member| sequence.present.enter(member));
        for _ in 0..operations.administrators {
            let chosen = sequence.present.draw(&mut sequence.stream);
            let chosen = chosen.expect("there are no more administrators than members");
            sequence.present.leave(chosen);
            sequence.administrators.push(chosen);
        }
        if operations.updated == Updated::Zipf {
            let all = sequence.measured + sequence.unmeasured;
            let ever = u64::from(group.members) + if operations.mix.add > 0.0 { all } else { 0 };
            let ever = u32::try_from(ever).unwrap_or(u32::MAX - 1);
            let mut ranking = Ranking::new(ever, &mut root.stream("ranking", 0, 0));
            (0..group.members).for_each(|member| ranking.enter(member));
            sequence.ranking = Some(ranking);
        }
        sequence
    }

    /// Members now; with absences, those who are active.
    pub fn members(&self) -> u32 {
        (self.present.members.len() + self.administrators.len()) as u32
    }

    /// Members who were ever in the group.
    pub fn ever(&self) -> u32 {
        self.next_member
    }

    /// Whether somebody is an administrator.
    pub fn is_administrator(&self, member: u32) -> bool {
        self.administrators.contains(&member)
    }

    /// Any member alike, administrators included.
    fn anybody(&mut self) -> u32 {
        let at = self.stream.below(self.members().into()) as usize;
        let beyond = at.checked_sub(self.administrators.len());
        beyond.map_or_else(|| self.administrators[at], |at| self.present.members[at])
    }

    /// Who adds or removes.
    fn issuer(&mut self) -> u32 {
        match self.operations.issuers {
            Issuers::Members => self.anybody(),
            Issuers::Administrators => {
                let count = self.administrators.len() as u64;
                self.administrators[self.stream.below(count) as usize]
            }
        }
    }

    fn enter(&mut self) -> u32 {
        let member = self.next_member;
        self.next_member += 1;
        self.present.enter(member);
        if let Some(ranking) = &mut self.ranking {
            ranking.enter(member);
        }
        member
    }

    /// Somebody leaves: any member alike, but for administrators and the last one.
    fn leave(&mut self) -> Option<u32> {
        if self.members() < 2 {
            return None;
        }
        let member = self.present.draw(&mut self.stream)?;
        self.present.leave(member);
        if let Some(ranking) = &mut self.ranking {
            ranking.leave(member);
        }
        Some(member)
    }

    fn updated(&mut self) -> u32 {
        let count = self.members();
        match &self.ranking {
            Some(ranking) => ranking.draw(count, &mut self.stream),
            None => self.anybody(),
        }
    }

    /// Others than `by`, all different, in the order in which they were drawn.
    fn proposers(&mut self, by: u32) -> Vec<u32> {
        let mut proposers = Vec::with_capacity(self.operations.proposals as usize);
        while proposers.len() < self.operations.proposals as usize {
            let one = self.anybody();
            if one != by && !proposers.contains(&one) {
                proposers.push(one);
            }
        }
        proposers
    }

    /// Who falls silent and who comes back now: whoever is silent is not drawn.
    fn turn(&mut self) -> (Vec<u32>, Vec<u32>) {
        let active = self.members();
        let Some(turns) = &mut self.turns else { return (vec![], vec![]) };
        let (left, returned) = turns.at(self.now, active);
        self.now += 1;
        left.iter().for_each(|member| self.present.leave(*member));
        returned.iter().for_each(|member| self.present.enter(*member));
        (left, returned)
    }

    /// One operation by its weight; what cannot be done is drawn again.
    fn draw(&mut self) -> (u32, OperationKind) {
        let Mix { add, remove, update } = self.operations.mix;
        loop {
            let at = self.stream.uniform() * (add + remove + update);
            if at < add {
                let by = self.issuer();
                return (by, OperationKind::Add { member: self.enter() });
            }
            if at < add + remove {
                let Some(member) = self.leave() else { continue };
                return (self.issuer(), OperationKind::Remove { member });
            }
            return (self.updated(), OperationKind::Update);
        }
    }
}

impl Iterator for Sequence {
    type Item = Operation;

    fn next(&mut self) -> Option<Operation> {
        if self.first > 0 {
            self.first -= 1;
            let member = self.leave()?;
            let kind = OperationKind::Remove { member };
            let by = self.issuer();
            return Some(Operation::plain(by, kind, false));
        }
        let measured = self.unmeasured == 0;
        let left = if measured { &mut self.measured } else { &mut self.unmeasured };
        *left = left.checked_sub(1)?;
        let (left, returned) = self.turn();
        let (by, kind) = self.draw();
        let proposers = self.proposers(by);
        Some(Operation { proposers, left, returned, ..Operation::plain(by, kind, measured) })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::operations::Experiment;

    fn experiment(operations: &str) -> Experiment {
        let text = format!(
            "name = \"x\"\ntitle = \"\"\nanalysis = \"a\"\n[group]\nmembers = 64\n\
             [operations]\n{operations}"
        );
        Experiment::parse("test", &text, &[]).unwrap()
    }

    #[test]
    fn everybody_who_acts_is_there() {
        let text = "count = 20000\nmix = { add = 0.1, remove = 0.12, update = 0.78 }\n\
                    updated = \"zipf\"\nissuers = \"administrators\"\nadministrators = 2";
        let mut sequence = Sequence::new(&experiment(text));
        let administrators: BTreeSet<_> = sequence.administrators.iter().copied().collect();
        let mut members: BTreeSet<u32> = (0..64).collect();
        let (mut adds, mut removes, mut updates) = (0, 0, 0);
        while let Some(operation) = sequence.next() {
            match operation.kind {
                OperationKind::Add { member } => {
                    assert!(administrators.contains(&operation.by));
                    assert!(members.insert(member));
                    adds += 1;
                }
                OperationKind::Remove { member } => {
                    assert!(administrators.contains(&operation.by));
                    assert!(!administrators.contains(&member) && members.remove(&member));
                    removes += 1;
                }
                OperationKind::Update => updates += 1,
            }
            assert!(members.contains(&operation.by));
            assert_eq!(sequence.members() as usize, members.len());
        }
        assert_eq!(adds + removes + updates, 20_000);
        assert!((1_850..2_150).contains(&adds) && removes >= adds, "{adds} {removes}");
    }

    #[test]
    fn removals_come_first_and_do_not_count() {
        let experiment = experiment("count = 3\nunmeasured = \"1n\"\nremove_first = 0.9");
        let mut sequence = Sequence::new(&experiment);
        let all: Vec<_> = sequence.by_ref().collect();
        assert_eq!(all.len(), 57 + 7 + 3);
        assert_eq!(experiment.length(), all.len() as u64);
        assert!(all[..57 + 7].iter().all(|one| !one.measured));
        assert!(all[57..].iter().all(|one| one.kind == OperationKind::Update));
        assert!(all[57 + 7..].iter().all(|one| one.measured));
        assert_eq!(sequence.members(), 7);
    }

    #[test]
    fn proposers_are_others_and_all_different() {
        let text = "count = 100\nunmeasured = 20\nproposals = 16";
        let mut measured = 0;
        for operation in Sequence::new(&experiment(text)) {
            let proposers: BTreeSet<_> = operation.proposers.iter().collect();
            assert_eq!(proposers.len(), 16);
            assert!(!proposers.contains(&operation.by));
            measured += u32::from(operation.measured);
        }
        assert_eq!(measured, 100);
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_key() {
        for (operations, key) in [
            ("count = 0", "operations.count"),
            ("count = 1\nmix = { add = 0, remove = 0, update = 0 }", "operations.mix"),
            ("count = 1\nadministrators = 1", "operations.administrators"),
            ("count = 1\nissuers = \"administrators\"", "operations.administrators"),
            ("count = 1\nproposals = 64", "operations.proposals"),
            ("count = 1\nproposals = 1\nmix.add = 1.0", "operations.proposals"),
            ("count = 1\nmix = { add = 0, remove = 1, update = 0 }", "operations.mix"),
            (
                "count = 1\nissuers = \"administrators\"\nadministrators = 60\nremove_first = 0.5",
                "operations.administrators",
            ),
            ("count = 1\nremove_first = 1.0", "operations.remove_first"),
        ] {
            let text = format!(
                "name = \"x\"\ntitle = \"\"\nanalysis = \"a\"\n[group]\nmembers = 64\n\
                 [operations]\n{operations}"
            );
            let refused = Experiment::parse("test", &text, &[]).unwrap_err();
            assert_eq!(refused.key.as_deref(), Some(key), "{refused}");
        }
    }
}
