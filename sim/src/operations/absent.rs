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
//! [`SHARES`] members, drawn from those who are no ghosts: nobody knows which of them are silent. It does so
//! again every R operations, and in the commit by which the maker of a key or a holder of its shares is
//! removed or becomes a ghost itself, as the real engine demands (`engine/src/group/quarantine.rs`). After S the ghost is
//! removed. Whoever comes back as a ghost collects the shares and reads what it missed; but so can the
//! holders of the shares together.
//!
//! Whoever comes back renews its keys at once, under each of the three.

use std::collections::{BTreeMap, BTreeSet};

use arboretum_engine::counted::{Cost, CountedError, CountedGroup, Member};
use arboretum_results::AbsenceRow;
use arboretum_workloads::{Inactive, Operation, Stream};

/// Members who hold a share of a ghost's secret: the least that the paper allows.
pub const SHARES: u64 = 3;

/// A member whose keys are made by others.
#[derive(Clone, Copy, Debug)]
struct Ghost {
    made: u64,
    renewed: u64,
    keepers: Keepers,
}

/// Who knows something of a ghost's key: its maker, and who holds shares.
type Keepers = [u32; 1 + SHARES as usize];

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
    /// The ghosts of whose keys somebody knows.
    kept_by: BTreeMap<u32, BTreeSet<u32>>,
    removed: BTreeSet<u32>,
    members: u32,
    /// Where holders are drawn from.
    stream: Stream,
}

impl Absent {
    /// Nobody of so many members is silent yet.
    pub(super) fn new(policy: Inactive, members: u32, stream: Stream) -> Self {
        Self {
            policy,
            now: 0,
            silent: BTreeMap::new(),
            by_time: BTreeSet::new(),
            ghosts: BTreeMap::new(),
            kept_by: BTreeMap::new(),
            removed: BTreeSet::new(),
            members,
            stream,
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
        self.act(group, operation.by, &mut row)?;
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
        self.end(member);
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
    fn act(
        &mut self,
        group: &mut CountedGroup,
        by: u32,
        row: &mut AbsenceRow,
    ) -> Result<(), CountedError> {
        let (after, renewal) = match self.policy {
            Inactive::Keep => return Ok(()),
            Inactive::Evict { after } => (after, None),
            Inactive::Quarantine { after, refresh, stay } => (after, Some((refresh, stay))),
        };
        let due = self.fallen_silent(after);
        let Some((refresh, stay)) = renewal else {
            return due.into_iter().try_for_each(|member| {
                self.removed.insert(member);
                group.remove(Member(member))
            });
        };
        let now = self.now;
        let is_over =
            |(member, ghost): (&u32, &Ghost)| (now - ghost.made >= stay).then_some(*member);
        let over: Vec<u32> = self.ghosts.iter().filter_map(is_over).collect();
        // Whose keys are to be new: those of new ghosts, of those whose keeper goes, and those that are due.
        let going = due.iter().chain(&over);
        let kept = going.filter_map(|keeper| self.kept_by.get(keeper)).flatten();
        let mut renewed: BTreeSet<u32> = kept.chain(&due).copied().collect();
        for member in over {
            self.end(member);
            self.removed.insert(member);
            group.remove(Member(member))?;
        }
        let old = |ghost: &Ghost| now - ghost.renewed >= refresh;
        renewed
            .extend(self.ghosts.iter().filter(|(_, ghost)| old(ghost)).map(|(member, _)| *member));
        // Nobody of these holds shares of another.
        for member in due {
            let ghost = Ghost { made: now, renewed: now, keepers: [member; _] };
            self.ghosts.insert(member, ghost);
        }
        renewed.retain(|member| self.ghosts.contains_key(member));
        renewed.into_iter().try_for_each(|member| self.renew(group, (by, member), row))
    }

    /// Takes out those who have been silent for long enough.
    fn fallen_silent(&mut self, after: u64) -> Vec<u32> {
        let mut due = vec![];
        while let Some((since, member)) = self.by_time.first().copied() {
            if self.now - since < after {
                break;
            }
            self.by_time.pop_first();
            self.silent.remove(&member);
            due.push(member);
        }
        due
    }

    /// Somebody makes new keys for a ghost and shares their secret out.
    fn renew(
        &mut self,
        group: &mut CountedGroup,
        (by, member): (u32, u32),
        row: &mut AbsenceRow,
    ) -> Result<(), CountedError> {
        let Some(Ghost { made, keepers, .. }) = self.ghosts.get(&member).copied() else {
            return Ok(());
        };
        self.forget_keepers(member, keepers);
        let mut keepers = [by; _];
        for at in 1..keepers.len() {
            keepers[at] = self.draw_holder(&keepers[..at]);
        }
        for keeper in keepers {
            self.kept_by.entry(keeper).or_default().insert(member);
        }
        self.ghosts.insert(member, Ghost { made, renewed: self.now, keepers });
        row.shares += SHARES;
        group.update(Member(member))
    }

    /// A member who is no ghost and none of these, where there is another; the maker if there is none.
    fn draw_holder(&mut self, others: &[u32]) -> u32 {
        let fit = self.members as usize - self.ghosts.len() - self.removed.len();
        if fit <= others.len() {
            return others[0];
        }
        loop {
            let member = self.stream.below(self.members.into()) as u32;
            let is_out = self.ghosts.contains_key(&member) || self.removed.contains(&member);
            if !is_out && !others.contains(&member) {
                return member;
            }
        }
    }

    /// Somebody is no ghost any more.
    fn end(&mut self, member: u32) {
        if let Some(ghost) = self.ghosts.remove(&member) {
            self.forget_keepers(member, ghost.keepers);
        }
    }

    fn forget_keepers(&mut self, member: u32, keepers: Keepers) {
        for keeper in keepers {
            if let Some(kept) = self.kept_by.get_mut(&keeper) {
                kept.remove(&member);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use arboretum_engine::counted::PathSizes;
    use arboretum_engine::strategy::Strategy;
    use arboretum_workloads::{OperationKind, RootSeed};

    use super::*;

    fn world(policy: &str) -> (Absent, CountedGroup) {
        let sizes = PathSizes { public_key: 33, ciphertext: 82 };
        let group = CountedGroup::new(Strategy::RFC9420, sizes, 8, true).unwrap();
        let stream = RootSeed::from_u64(1).stream("holders", 0, 0);
        (Absent::new(policy.parse().unwrap(), 8, stream), group)
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

    /// Nobody of those who know something of a ghost's key is ever a ghost or gone.
    #[test]
    fn keys_are_renewed_when_a_keeper_goes() {
        let mut world = world("quarantine:3:40:60");
        let mut forced = 0;
        for at in 0..400_u32 {
            // One after the other falls silent and comes back nine steps later; 0 never does.
            let turn = |at: u32| if at.is_multiple_of(2) { vec![1 + at / 2 % 7] } else { vec![] };
            let (left, back) = (turn(at), if at < 9 { vec![] } else { turn(at - 9) });
            let (before, renewed_at) = (world.0.ghosts.len(), world.0.now);
            let row = step(&mut world, &left, &back);
            let (absent, keys) = (&world.0, row.shares / SHARES);
            for (member, ghost) in &absent.ghosts {
                for keeper in ghost.keepers {
                    assert!(!absent.ghosts.contains_key(&keeper), "{keeper} keeps {member}");
                    assert!(!absent.removed.contains(&keeper), "{keeper} keeps {member}");
                    assert!(absent.kept_by[&keeper].contains(member));
                }
            }
            let made = absent.ghosts.values().filter(|ghost| ghost.made == renewed_at).count();
            forced += keys - made as u64;
            assert!(absent.ghosts.len() <= before + made);
        }
        assert!(forced > 50, "{forced}");
        let listed: usize = world.0.kept_by.values().map(BTreeSet::len).sum();
        assert!(
            listed <= 4 * world.0.ghosts.len(),
            "those who are no ghosts any more are forgotten"
        );
    }
}
