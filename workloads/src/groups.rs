//! Which groups each user is in, and in which of them a message is sent. Everybody is in the first
//! group; who is in which other is drawn once a user and group.

use std::sync::Arc;

use crate::scenario::Groups;
use crate::stream::RootSeed;

/// The groups of each user, in order.
#[derive(Clone, Debug)]
pub(crate) struct Memberships {
    /// Groups in all.
    count: u32,
    /// By user; empty if there is but one group.
    of_user: Arc<Vec<Vec<u32>>>,
}

impl Memberships {
    /// Draws them for so many users, of whom so many are there from the start. One of those makes each
    /// group, so that it has somebody to begin with.
    pub(crate) fn draw(
        seed: &RootSeed,
        groups: Option<Groups>,
        (users, initial): (u32, u32),
    ) -> Self {
        let Some(groups) = groups.filter(|groups| groups.further > 0) else {
            return Self { count: 1, of_user: Arc::default() };
        };
        let founds = |user: u32, group: u32| user == group % initial.max(1);
        let is_in = |user: u32, group: u32| {
            let share = groups.share / libm::pow(group.into(), groups.exponent);
            let mut stream = seed.stream("in group", user.into(), group.into());
            founds(user, group) || stream.uniform() < share
        };
        let groups_of = |user| {
            std::iter::once(0).chain((1..=groups.further).filter(move |group| is_in(user, *group)))
        };
        let of_user = (0..users).map(|user| groups_of(user).collect()).collect();
        Self { count: groups.further + 1, of_user: Arc::new(of_user) }
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Which of a user's messages are sent in a group; none if the user is not in it.
    pub(crate) fn turn(&self, user: u32, group: u32) -> Option<Turn> {
        if self.count == 1 {
            return Some(Turn { place: 0, of: 1 });
        }
        let groups = &self.of_user[user as usize];
        let place = groups.binary_search(&group).ok()? as u64;
        Some(Turn { place, of: groups.len() as u64 })
    }
}

/// A group's place among those of a user, who divides its messages evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    place: u64,
    of: u64,
}

impl Turn {
    /// The turn of whoever has but one group.
    pub(crate) const ALL: Self = Self { place: 0, of: 1 };

    /// Whether a session's message is sent here: a hash of the session's own number and the message's
    /// place in it says so (SplitMix64, Steele et al. 2014).
    pub(crate) fn has(self, session: u64, message: u64) -> bool {
        if self.of == 1 {
            return true;
        }
        let mut mixed = session.wrapping_add((message + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % self.of == self.place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(further: u32, share: f64, exponent: f64) -> Memberships {
        let groups = Groups { further, share, exponent };
        Memberships::draw(&RootSeed::from_u64(1), Some(groups), (1_000, 100))
    }

    fn size(memberships: &Memberships, group: u32) -> usize {
        (0..1_000).filter(|user| memberships.turn(*user, group).is_some()).count()
    }

    #[test]
    fn everybody_is_in_the_first_and_a_share_in_each_other() {
        let even = draw(4, 0.2, 0.0);
        assert_eq!((even.count(), size(&even, 0)), (5, 1_000));
        for group in 1..5 {
            assert!((160..240).contains(&size(&even, group)), "{}", size(&even, group));
            assert!(even.turn(group, group).is_some(), "its founder is in group {group}");
        }
        let falling = draw(4, 0.8, 2.0);
        let sizes: Vec<_> = (1..5).map(|group| size(&falling, group)).collect();
        assert!(sizes.windows(2).all(|pair| pair[0] > pair[1]), "{sizes:?}");
        assert!((40..70).contains(&sizes[3]), "0.8 / 16 of 1,000: {sizes:?}");
        assert_eq!(size(&draw(3, 0.0, 0.0), 3), 1, "nobody but who has made it");
    }

    #[test]
    fn each_message_is_sent_in_one_group() {
        let memberships = draw(9, 0.5, 0.0);
        for user in [0, 17, 999] {
            let turns: Vec<_> = (0..10).filter_map(|group| memberships.turn(user, group)).collect();
            let mut sent = vec![0_usize; turns.len()];
            for message in 0..10_000 {
                let here: Vec<_> =
                    (0..turns.len()).filter(|at| turns[*at].has(77, message)).collect();
                assert_eq!(here.len(), 1);
                sent[here[0]] += 1;
            }
            let even = 10_000 / turns.len();
            assert!(sent.iter().all(|count| count.abs_diff(even) < even / 5), "{sent:?}");
        }
        assert!(Turn::ALL.has(1, 2));
    }
}
