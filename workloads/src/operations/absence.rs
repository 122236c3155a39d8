//! People who fall silent and come back: each by its own clock, in operations, drawn apart from
//! everything else.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sample::exponential;
use crate::stream::Stream;

/// How often people fall silent and come back.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Absence {
    /// How many operations long somebody is active, on average; exponential.
    pub active: f64,
    /// How many operations long somebody is silent, on average; exponential.
    pub silent: f64,
}

/// Who is silent, and who turns next.
#[derive(Clone, Debug)]
pub(super) struct Turns {
    rule: Absence,
    stream: Stream,
    /// When each turns next, the earliest first.
    next: BinaryHeap<Reverse<(u64, u32)>>,
    silent: Vec<bool>,
}

impl Turns {
    /// Everybody of `members` is active at first.
    pub(super) fn new(rule: Absence, members: u32, stream: Stream) -> Self {
        let silent = vec![false; members as usize];
        let mut turns = Self { rule, stream, next: BinaryHeap::new(), silent };
        (0..members).for_each(|member| turns.schedule(0, member));
        turns
    }

    fn schedule(&mut self, now: u64, member: u32) {
        let silent = self.silent[member as usize];
        let mean = if silent { self.rule.silent } else { self.rule.active };
        let length = (mean * exponential(&mut self.stream)).ceil().max(1.0) as u64;
        self.next.push(Reverse((now.saturating_add(length), member)));
    }

    /// Who falls silent and who comes back at an operation. The last who is active stays so.
    pub(super) fn at(&mut self, now: u64, active: u32) -> (Vec<u32>, Vec<u32>) {
        let (mut left, mut returned) = (vec![], vec![]);
        while let Some(Reverse((due, member))) = self.next.peek().copied() {
            if due > now {
                break;
            }
            self.next.pop();
            let silent = &mut self.silent[member as usize];
            let still = active as usize + returned.len() - left.len();
            if *silent {
                *silent = false;
                returned.push(member);
            } else if still > 1 {
                *silent = true;
                left.push(member);
            }
            self.schedule(now, member);
        }
        (left, returned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::RootSeed;

    #[test]
    fn turns_have_their_lengths() {
        let rule = Absence { active: 30.0, silent: 10.0 };
        let stream = RootSeed::from_u64(1).stream("absence", 0, 0);
        let mut turns = Turns::new(rule, 1_000, stream);
        let (mut active, mut sum) = (1_000_u32, 0);
        for now in 0..2_000 {
            let (left, returned) = turns.at(now, active);
            active = active + returned.len() as u32 - left.len() as u32;
            assert_eq!(turns.silent.iter().filter(|silent| !**silent).count(), active as usize);
            sum += if now < 500 { 0 } else { u64::from(active) };
        }
        let mean = sum as f64 / 1_500.0;
        assert!((735.0..765.0).contains(&mean), "{mean}");
    }

    #[test]
    fn somebody_is_always_active() {
        let rule = Absence { active: 1.0, silent: 1_000_000.0 };
        let mut turns = Turns::new(rule, 5, RootSeed::from_u64(2).stream("absence", 0, 0));
        let mut active = 5;
        for now in 0..1_000 {
            let (left, returned) = turns.at(now, active);
            active = active + returned.len() as u32 - left.len() as u32;
            assert!(active >= 1);
        }
    }
}
