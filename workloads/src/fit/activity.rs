//! How unequal people are. Counts of events grow with how long somebody stayed, so the exponent that a
//! scenario has, which is of activity at one time, comes from events a day of those who stayed for long enough.

use serde::Serialize;

use super::family::Candidate;
use super::sample::Sample;
use crate::time::Millis;
use crate::trace::Trace;

/// A Zipf law over ranks: the k-th has weight k^-exponent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Zipf {
    /// Its exponent, by maximum likelihood over the ranks of the sample.
    pub exponent: f64,
    /// The largest distance between the shares of the first k people and the law's.
    pub ks: f64,
    /// People.
    pub people: usize,
}

/// How many events people have.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Counts {
    /// Distributions of the count.
    pub candidates: Vec<Candidate>,
    /// A Zipf law of the counts.
    pub zipf: Zipf,
    /// The share of events by the most active tenth.
    pub top_tenth: f64,
}

/// How unequal people are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Activity {
    /// Events of a person.
    pub counts: Counts,
    /// Events a day of those who stayed for a week at least.
    pub rate: Zipf,
    /// The same on average.
    pub events_per_day: f64,
    /// By actor: its weight in the law, the mean 1; none for those who stayed too short.
    #[serde(skip)]
    weights: Vec<Option<f64>>,
    /// By rank: events.
    #[serde(skip)]
    ranked: Vec<f64>,
}

/// Exponents between which one is looked for: those that a scenario may have.
const EXPONENTS: (f64, f64) = (0.0, 4.0);

/// Bisections.
const HALVINGS: u32 = 50;

impl Activity {
    pub(super) fn of(trace: &Trace, shortest: Millis) -> Self {
        let count = |actor: usize| trace.times(actor).len() as f64;
        let mut ranked: Vec<f64> = (0..trace.actors()).map(count).collect();
        ranked.sort_by(|one, other| other.total_cmp(one));
        let stayed = |actor: usize| {
            let times = trace.times(actor);
            Millis(times[times.len() - 1].0 - times[0].0)
        };
        let mut long: Vec<(f64, usize)> = (0..trace.actors())
            .filter(|actor| stayed(*actor) >= shortest)
            .map(|actor| ((count(actor) - 1.0) / stayed(actor).as_secs_f64(), actor))
            .collect();
        long.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
        let rates: Vec<f64> = long.iter().map(|(rate, _)| *rate).collect();
        let rate = zipf(&rates);
        let mut weights = vec![None; trace.actors()];
        let law: Vec<f64> = weights_of(rate.exponent, rates.len()).collect();
        let mean = law.iter().sum::<f64>() / law.len().max(1) as f64;
        for ((_, actor), weight) in long.iter().zip(&law) {
            weights[*actor] = Some(weight / mean);
        }
        let mean_rate = rates.iter().sum::<f64>() / rates.len().max(1) as f64;
        let counts = Counts {
            candidates: Candidate::all(&Sample::complete(ranked.clone())),
            zipf: zipf(&ranked),
            top_tenth: share_of_first(&ranked, ranked.len() / 10),
        };
        Self { counts, rate, events_per_day: mean_rate * 86_400.0, weights, ranked }
    }

    /// The activity of an actor, whose mean is 1; none if it did not stay for long enough to say.
    pub(super) fn weight(&self, actor: usize) -> Option<f64> {
        self.weights[actor]
    }

    /// The share of events by the most active so many.
    pub fn share_of_most_active(&self, people: usize) -> f64 {
        share_of_first(&self.ranked, people)
    }
}

fn share_of_first(ranked: &[f64], people: usize) -> f64 {
    let sum: f64 = ranked.iter().sum();
    ranked.iter().take(people).sum::<f64>() / sum
}

fn weights_of(exponent: f64, people: usize) -> impl Iterator<Item = f64> {
    (1..=people).map(move |rank| libm::pow(rank as f64, -exponent))
}

/// A Zipf law of values in descending order. The likelihood of where an event falls has its maximum where
/// the mean logarithm of the rank is that of the law, which falls as the exponent grows.
fn zipf(ranked: &[f64]) -> Zipf {
    let people = ranked.len();
    let sum: f64 = ranked.iter().sum();
    let logs: Vec<f64> = (1..=people).map(|rank| libm::log(rank as f64)).collect();
    let seen = ranked.iter().zip(&logs).map(|(value, log)| value * log).sum::<f64>() / sum;
    let expected = |exponent: f64| {
        let (mut weighted, mut all) = (0.0, 0.0);
        for log in &logs {
            let weight = libm::exp(-exponent * log);
            weighted += weight * log;
            all += weight;
        }
        weighted / all
    };
    let (mut low, mut high) = EXPONENTS;
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if expected(middle) > seen { low = middle } else { high = middle }
    }
    let exponent = if people < 2 { 0.0 } else { f64::midpoint(low, high) };
    let law: f64 = weights_of(exponent, people).sum();
    let (mut of_law, mut of_values, mut ks) = (0.0, 0.0, 0.0_f64);
    for (weight, value) in weights_of(exponent, people).zip(ranked) {
        of_law += weight / law;
        of_values += value / sum;
        ks = ks.max((of_law - of_values).abs());
    }
    Zipf { exponent, ks, people }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::zipf_weights;
    use crate::stream::RootSeed;

    #[test]
    fn an_exponent_is_found_again() {
        let mut stream = RootSeed::from_u64(4).stream("zipf", 0, 0);
        for exponent in [0.0, 0.5, 1.0, 2.5] {
            let mut values = zipf_weights(500, exponent, &mut stream);
            values.sort_by(|one, other| other.total_cmp(one));
            let found = zipf(&values);
            assert!((found.exponent - exponent).abs() < 1e-6 && found.ks < 1e-6, "{found:?}");
        }
        assert_eq!(zipf(&[]).exponent, 0.0);
        assert_eq!(zipf(&[3.0]).exponent, 0.0);
    }

    #[test]
    fn the_first_have_their_share() {
        assert_eq!(share_of_first(&[6.0, 3.0, 1.0], 1), 0.6);
        assert_eq!(share_of_first(&[6.0, 3.0, 1.0], 9), 1.0);
    }
}
