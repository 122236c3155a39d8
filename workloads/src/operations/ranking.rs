//! Members in a hidden order, which newcomers enter at a random place, and one of them by Zipf's
//! law: the k-th of those present with weight 1/k. O(log n) a step.

use crate::stream::Stream;

/// The order.
#[derive(Clone, Debug)]
pub(super) struct Ranking {
    /// The place of everybody who will ever come.
    places: Vec<u32>,
    /// Who has a place.
    members: Vec<u32>,
    /// How many are present, as a Fenwick tree over places.
    present: Vec<u32>,
    /// The harmonic numbers: the weight of the first k.
    harmonic: Vec<f64>,
}

impl Ranking {
    /// An order of `count` members, of whom nobody is present.
    pub(super) fn new(count: u32, stream: &mut Stream) -> Self {
        let mut members: Vec<u32> = (0..count).collect();
        for last in (1..count).rev() {
            members.swap(last as usize, stream.below(u64::from(last) + 1) as usize);
        }
        let mut places = vec![0; count as usize];
        for (place, member) in (0..count).zip(&members) {
            places[*member as usize] = place;
        }
        let mut sum = 0.0;
        let harmonic = (1..=count).map(|rank| {
            sum += 1.0 / f64::from(rank);
            sum
        });
        let harmonic = std::iter::once(0.0).chain(harmonic).collect();
        Self { places, members, present: vec![0; count as usize + 1], harmonic }
    }

    fn change(&mut self, member: u32, by: impl Fn(u32) -> u32) {
        let mut at = self.places[member as usize] as usize + 1;
        while at < self.present.len() {
            self.present[at] = by(self.present[at]);
            at += at & at.wrapping_neg();
        }
    }

    pub(super) fn enter(&mut self, member: u32) {
        self.change(member, |count| count + 1);
    }

    pub(super) fn leave(&mut self, member: u32) {
        self.change(member, |count| count - 1);
    }

    /// The member of rank `rank`, from 0, among those present.
    fn of_rank(&self, mut rank: u32) -> u32 {
        let mut at = 0;
        let mut step = self.members.len().next_power_of_two();
        while step > 0 {
            let next = at + step;
            if next < self.present.len() && self.present[next] <= rank {
                rank -= self.present[next];
                at = next;
            }
            step /= 2;
        }
        self.members[at]
    }

    /// One of the `count` members present, by Zipf's law.
    pub(super) fn draw(&self, count: u32, stream: &mut Stream) -> u32 {
        let weight = stream.uniform() * self.harmonic[count as usize];
        let rank = self.harmonic[1..count as usize].partition_point(|sum| *sum <= weight);
        self.of_rank(rank as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::RootSeed;

    #[test]
    fn the_k_th_of_those_present_has_weight_one_in_k() {
        let mut stream = RootSeed::from_u64(1).stream("ranking", 0, 0);
        let mut ranking = Ranking::new(9, &mut stream);
        let order = ranking.members.clone();
        (0..9).for_each(|member| ranking.enter(member));
        // The third and the eighth are gone: the others move up.
        ranking.leave(order[2]);
        ranking.leave(order[7]);
        let present: Vec<_> = [0, 1, 3, 4, 5, 6, 8].map(|at| order[at]).to_vec();
        let mut counts = [0_u32; 9];
        (0..100_000).for_each(|_| counts[ranking.draw(7, &mut stream) as usize] += 1);
        let whole: f64 = (1..=7).map(|rank| 1.0 / f64::from(rank)).sum();
        for (rank, member) in (1..).zip(present) {
            let share = f64::from(counts[member as usize]) / 100_000.0;
            let expected = 1.0 / f64::from(rank) / whole;
            assert!((share - expected).abs() < 0.006, "{rank}: {share} for {expected}");
        }
    }
}
