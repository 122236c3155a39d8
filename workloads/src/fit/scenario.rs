//! The scenario that follows from a fit: every parameter with where it comes from. It is read once before it
//! is given, so that `arboretum run` accepts it.
//!
//! Within one membership a gap longer than what is left of it is never seen, so the gaps that are seen are
//! too short, the more so the less active somebody is. Therefore the scale of the absences is set by
//! drawing: people are drawn from the scenario, and it is set right by the gaps of the typical person among
//! them, compared with that of the trace.

use super::family::{Candidate, Family};
use super::sample::Typical;
use super::{FitError, TraceFit};
use crate::demand::Demand;
use crate::scenario::{MAX_DURATION, Scenario};
use crate::time::Millis;

/// How often people are drawn to set the scale of absences right.
const DRAWS: u32 = 5;

impl Family {
    /// Its values so many times as long.
    fn times(self, factor: f64) -> Self {
        match self {
            Self::Exponential { mean } => Self::Exponential { mean: mean * factor },
            Self::Weibull { shape, scale } => Self::Weibull { shape, scale: scale * factor },
            Self::LogNormal { mu, sigma } => Self::LogNormal { mu: mu + libm::log(factor), sigma },
        }
    }

    /// As a scenario has it; `unit` is the name of the sample's unit, of `seconds` each.
    fn toml(&self, unit: &str, seconds: f64) -> String {
        let length = |value: f64| Millis::from_secs_f64(value * seconds).0.max(1);
        match self {
            Self::Exponential { mean } => {
                format!(
                    "{{ distribution = \"exponential\", mean = \"{}\" }}",
                    rounded(length(*mean))
                )
            }
            Self::Weibull { shape, scale } => format!(
                "{{ distribution = \"weibull\", shape = {shape:.3}, scale = \"{}\" }}",
                rounded(length(*scale))
            ),
            Self::LogNormal { mu, sigma } => format!(
                "{{ distribution = \"log-normal\", mu = {mu:.3}, sigma = {sigma:.3}, unit = \"{unit}\" }}"
            ),
        }
    }
}

/// A duration in words, to four digits or so.
fn rounded(millis: u64) -> Millis {
    let steps = [(100 * 3_600_000, 3_600_000), (100 * 60_000, 60_000), (100_000, 1_000)];
    let step = steps.iter().find(|(from, _)| millis >= *from).map_or(1, |(_, step)| *step);
    Millis(((millis + step / 2) / step * step).max(1))
}

fn read(name: &str, text: &str) -> Result<Scenario, FitError> {
    Scenario::parse(name, text, &[]).map_err(|error| FitError::Scenario(error.to_string()))
}

/// The gaps of the typical person among those who are drawn, as a trace of them would show them.
fn typical_of(demand: &Demand, session: Millis) -> Option<f64> {
    let mut typical = Typical::default();
    for client in 0..demand.people().len() as u32 {
        let mut last: Option<Millis> = None;
        let gaps = demand.sessions(client).filter_map(|drawn| {
            let before = last.replace(drawn.offline)?;
            let gap = Millis(drawn.online.0 - before.0);
            (gap > session).then(|| gap.as_secs_f64() / 3_600.0)
        });
        typical.person(gaps);
    }
    typical.ln_gap()
}

fn says(candidate: Option<&Candidate>) -> String {
    candidate.map_or("a guess: there is too little to fit".into(), |best| {
        format!("fitted to {}, KS distance {:.3}", best.values, best.ks)
    })
}

impl TraceFit {
    /// A scenario of this name with the fitted parameters; `trace` says where they come from, in the
    /// text for people.
    pub fn scenario(&self, name: &str, trace: &str) -> Result<String, FitError> {
        let trace = format!("{trace:?}");
        let mut factor = 1.0;
        for _ in 0..DRAWS {
            let drawn = read(name, &self.write(name, &trace, factor))?;
            let typical = typical_of(&Demand::new(&drawn, None), self.session);
            let (Some(seen), Some(drawn)) = (self.typical_ln_gap, typical) else { break };
            factor *= libm::exp(seen - drawn);
        }
        let text = self.write(name, &trace, factor);
        read(name, &text)?;
        Ok(text)
    }

    fn write(&self, name: &str, trace: &str, factor: f64) -> String {
        let (offline, stay) = (self.gaps_at_activity_one.first(), self.membership.lengths.first());
        let day = |best: Option<&Candidate>, unit, seconds, guess: &str| {
            best.map_or(guess.to_owned(), |best| best.family.toml(unit, seconds))
        };
        let rhythm = self.rhythm.rhythm();
        let wave = format!(
            "{{ peak = \"{}\", strength = {:.2}, weekdays = {:.2} }}",
            rhythm.peak,
            rhythm.strength,
            rhythm.weekdays.unwrap_or_default()
        );
        let online = Millis::from_secs_f64((self.session_minutes * 60.0).max(1.0));
        format!(
            r#"# Fitted to the trace {trace} by `arboretum trace fit`.

name = "{name}"
title = "People as in a trace, {days} days"
analysis = """
Parameters estimated from {events} events of {actors} actors in {length:.1} days. People come evenly, stay and
are away as long as those of the trace, and some are more active than others by a Zipf law. What the
trace has beside that, days that were unlike others and people who knew each other, is not in it: replay the trace
itself to see how much that is (`arboretum run trace --set workload.trace=FILE`).
"""
seed = 1
duration = "{days}d"

[group]
members = {members}     # those of the first days of the trace
start = "one-by-one"

[workload.arrivals]
per_day = {per_day:.4}     # dispersion {dispersion:.2}; a Poisson process has 1
rhythm = {wave}     # of all activity

# From the first event to the last: {stay_says}. Nobody says goodbye in a trace: people fall silent.
[workload.silent]
fraction = 1.0
after = {stay}

[workload.sessions]
online = {{ distribution = "exponential", mean = "{online}" }}     # the mean of the trace; exponential is a guess
# Each gap, in time that passes by the rhythm, times its person's activity: {offline_says}. And {factor:.2} times as long, so that
# the typical person who is drawn comes back as soon as that of the trace.
offline = {offline}
# KS distance {rhythm_ks:.3} over the hours of the day.
rhythm = {wave}

[workload.activity]
zipf_exponent = {exponent:.3}     # events a day of {people} people, KS distance {rate_ks:.3}
messages_per_day = {messages:.4}

# All of this is a guess: a trace does not say by which rules people's clients renew their keys.
[policy]
update_on_return_after = "1d"
batching = "5min"
evict_after = "30d"

[network]
# A guess: median 80 ms one way.
delay = {{ distribution = "log-normal", mu = 4.38, sigma = 0.5, unit = "ms" }}

[measure]
snapshot_every = "{snapshots}"

[expect]
"audits.mismatched" = {{ max = 0 }}
"invariants.violated" = {{ max = 0 }}
"#,
            days = (self.days.ceil().max(1.0) as u64).min(MAX_DURATION.0 / Millis::DAY.0),
            events = self.events,
            actors = self.actors,
            length = self.days,
            members = self.arrivals.initial.max(2),
            per_day = self.arrivals.per_day,
            dispersion = self.arrivals.dispersion,
            stay_says = says(stay),
            stay = day(stay, "d", 86_400.0, "{ distribution = \"exponential\", mean = \"365d\" }"),
            online = rounded(online.0),
            offline_says = says(offline),
            offline = offline
                .map_or("{ distribution = \"exponential\", mean = \"12h\" }".into(), |best| {
                    best.family.times(factor).toml("h", 3_600.0)
                }),
            rhythm_ks = self.rhythm.ks,
            exponent = self.activity.rate.exponent,
            people = self.activity.rate.people,
            rate_ks = self.activity.rate.ks,
            messages = self.activity.events_per_day,
            snapshots = if self.days > 30.0 { "1d" } else { "1h" },
        )
    }
}
