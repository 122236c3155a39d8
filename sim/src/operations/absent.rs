//! Members who have fallen silent, and what is done about them, in counts.
//!
//! `keep`: nothing. Whoever holds the state of a silent member reads on until it comes back.
//!
//! `evict:D`: the next commit removes a member that has been silent for D operations. It heals the
//! group; whoever comes back is added anew, and can read nothing of the time between.
//!
//! `quarantine:D:R:S` (Quarantined TreeKEM; the definition is ours, from the delays that the paper
//! names): after D operations the committer makes new keys for the member, which is a *ghost* from
//! then on, in the way of an Update proposal, and encrypts a share of the secret to each of
//! [`SHARES`] members. It does so again every R operations, and after S the ghost is removed. Whoever
//! comes back as a ghost collects the shares and reads what it missed; but so can the holders of
//! the shares together.
//!
//! Whoever comes back renews its keys at once, under each of the three.

use std::collections::{BTreeMap, BTreeSet};

use arboretum_engine::counted::{Cost, CountedError, CountedGroup, Member};
use arboretum_results::AbsenceRow;
use arboretum_workloads::{Inactive, Operation};

/// Members who hold a share of a ghost's secret: the least that the paper allows.
pub const SHARES: u64 = 3;

/// A member whose keys are made by others.
#[derive(Clone, Copy, Debug)]
struct Ghost {
    made: u64,
    renewed: u64,
}

/// Who is silent, who is a ghost, who has been removed.
#[derive(Clone, Debug)]
pub(super) struct Absent {
    policy: Inactive,
    now: u64,
    /// Silent members that are in the group with keys of their own, and since when.
    silent: BTreeMap<u32, u64>,
    /// The same by time: the longest silent first.
    by_time: BTreeSet<(u64, u32)>,
    ghosts: BTreeMap<u32, Ghost>,
    removed: BTreeSet<u32>,
}

impl Absent {
    pub(super) fn new(policy: Inactive) -> Self {
        Self {
            policy,
            now: 0,
            silent: BTreeMap::new(),
            by_time: BTreeSet::new(),
            ghosts: BTreeMap::new(),
            removed: BTreeSet::new(),
        }
    }

    /// What happens before an operation's own commit, and what it costs: returns with their
    /// commits, and the changes that the commit will cover.
    pub(super) fn before(
        &mut self,
        group: &mut CountedGroup,
        operation: &Operation,
    ) -> Result<(Cost, AbsenceRow), CountedError> {
        let (mut cost, mut row) = (Cost::default(), AbsenceRow::default());
        for member in &operation.returned {
            cost += self.welcome_back(group, operation.by, *member, &mut row)?;
        }
        for member in &operation.left {
            self.silent.insert(*member, self.now);
            self.by_time.insert((self.now, *member));
        }
        self.act(group, &mut row)?;
        row.silent = (self.silent.len() + self.ghosts.len() + self.removed.len()) as u64;
        row.exposed = self.silent.len() as u64;
        row.ghosts = self.ghosts.len() as u64;
        row.removed = self.removed.len() as u64;
        self.now += 1;
        Ok((cost, row))
    }

    /// Somebody comes back and renews its keys.
    fn welcome_back(
        &mut self,
        group: &mut CountedGroup,
        by: u32,
        member: u32,
        row: &mut AbsenceRow,
    ) -> Result<Cost, CountedError> {
        row.returned += 1;
        let mut cost = Cost::default();
        if self.removed.remove(&member) {
            // The operation's issuer adds it, who may itself have come back just now.
            let there = Some(by).filter(|by| *by != member && !self.removed.contains(by));
            if let Some(adder) = there.or_else(|| self.anybody_active(group)) {
                group.move_over(Member(adder))?;
                group.add(Member(adder), Member(member))?;
                cost += group.commit(Member(adder))?;
            }
            row.readded += 1;
        }
        self.ghosts.remove(&member);
        if let Some(since) = self.silent.remove(&member) {
            self.by_time.remove(&(since, member));
        }
        cost += group.commit(Member(member))?;
        Ok(cost)
    }

    /// A member who is not silent.
    fn anybody_active(&self, group: &CountedGroup) -> Option<u32> {
        let silent =
            |member: &u32| self.silent.contains_key(member) || self.ghosts.contains_key(member);
        group.members().map(|member| member.0).find(|member| !silent(member))
    }

    /// Does what is due.
    fn act(&mut self, group: &mut CountedGroup, row: &mut AbsenceRow) -> Result<(), CountedError> {
        let (after, renewal) = match self.policy {
            Inactive::Keep => return Ok(()),
            Inactive::Evict { after } => (after, None),
            Inactive::Quarantine { after, refresh, stay } => (after, Some((refresh, stay))),
        };
        while let Some((since, member)) = self.by_time.first().copied() {
            if self.now - since < after {
                break;
            }
            self.by_time.pop_first();
            self.silent.remove(&member);
            if renewal.is_some() {
                self.ghosts.insert(member, Ghost { made: self.now, renewed: self.now });
                renew(group, member, row)?;
            } else {
                group.remove(Member(member))?;
                self.removed.insert(member);
            }
        }
        let Some((refresh, stay)) = renewal else { return Ok(()) };
        let now = self.now;
        let over: Vec<u32> = self
            .ghosts
            .iter()
            .filter(|(_, ghost)| now - ghost.made >= stay)
            .map(|(member, _)| *member)
            .collect();
        for member in over {
            self.ghosts.remove(&member);
            group.remove(Member(member))?;
            self.removed.insert(member);
        }
        for (member, ghost) in &mut self.ghosts {
            if now - ghost.renewed >= refresh {
                ghost.renewed = now;
                renew(group, *member, row)?;
            }
        }
        Ok(())
    }
}

/// Somebody makes new keys for a ghost and shares their secret out.
fn renew(group: &mut CountedGroup, member: u32, row: &mut AbsenceRow) -> Result<(), CountedError> {
    row.shares += SHARES;
    group.update(Member(member))
}

#[cfg(test)]
mod tests {
    use arboretum_engine::counted::PathSizes;
    use arboretum_engine::strategy::Strategy;
    use arboretum_workloads::OperationKind;

    use super::*;

    fn world(policy: &str) -> (Absent, CountedGroup) {
        let sizes = PathSizes { public_key: 33, ciphertext: 82 };
        let group = CountedGroup::new(Strategy::RFC9420, sizes, 8, true).unwrap();
        (Absent::new(policy.parse().unwrap()), group)
    }

    fn operation(left: &[u32], returned: &[u32]) -> Operation {
        Operation {
            by: 0,
            kind: OperationKind::Update,
            proposers: vec![],
            left: left.to_vec(),
            returned: returned.to_vec(),
            measured: true,
        }
    }

    fn step(world: &mut (Absent, CountedGroup), left: &[u32], returned: &[u32]) -> AbsenceRow {
        let (_, row) = world.0.before(&mut world.1, &operation(left, returned)).unwrap();
        world.1.commit(Member(0)).unwrap();
        row
    }

    #[test]
    fn kept_members_stay_exposed_until_they_return() {
        let mut world = world("keep");
        assert_eq!(step(&mut world, &[3], &[]).exposed, 1);
        for _ in 0..50 {
            assert_eq!(step(&mut world, &[], &[]).exposed, 1);
        }
        let back = step(&mut world, &[], &[3]);
        assert_eq!((back.exposed, back.returned, back.readded), (0, 1, 0));
    }

    #[test]
    fn evicted_members_are_added_anew() {
        let mut world = world("evict:5");
        let exposed: Vec<_> = (0..8)
            .map(|at| step(&mut world, if at == 0 { &[3] } else { &[] }, &[]).exposed)
            .collect();
        assert_eq!(exposed, [1, 1, 1, 1, 1, 0, 0, 0]);
        assert_eq!(world.1.tree().members, 7);
        let back = step(&mut world, &[], &[3]);
        assert_eq!((back.readded, back.removed), (1, 0));
        assert_eq!(world.1.tree().members, 8);
    }

    /// Whoever issues the operation may be one of several who have come back.
    #[test]
    fn all_who_come_back_at_once_are_added() {
        let mut world = world("evict:2");
        step(&mut world, &[0, 3, 5], &[]);
        let gone = Operation { by: 1, ..operation(&[], &[]) };
        for _ in 0..3 {
            world.0.before(&mut world.1, &gone).unwrap();
        }
        assert_eq!(world.1.tree().members, 5);
        let back = step(&mut world, &[], &[3, 5, 0]);
        assert_eq!((back.readded, world.1.tree().members), (3, 8));
    }

    #[test]
    fn ghosts_are_renewed_and_end() {
        let mut world = world("quarantine:2:3:7");
        let rows: Vec<_> =
            (0..12).map(|at| step(&mut world, if at == 0 { &[3] } else { &[] }, &[])).collect();
        let shares: Vec<_> = rows.iter().map(|row| row.shares).collect();
        assert_eq!(shares, [0, 0, 3, 0, 0, 3, 0, 0, 3, 0, 0, 0]);
        let ghosts: Vec<_> = rows.iter().map(|row| row.ghosts).collect();
        assert_eq!(ghosts, [0, 0, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0]);
        assert_eq!((rows[9].removed, world.1.tree().members), (1, 7));
    }
}
