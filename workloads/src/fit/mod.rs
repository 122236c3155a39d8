//! Fits: the parameters of a workload, estimated from a trace. Pure: a trace in, numbers and a scenario
//! out.
//!
//! | file | what it owns |
//! |---|---|
//! | this one | a fit from the trace to the numbers |
//! | `sample` | durations that were seen to end, and others that were not |
//! | `family` | exponential, Weibull, log-normal: maximum likelihood, AIC, Kolmogorov–Smirnov distance |
//! | `activity` | how unequal people are: log-normal counts, a Zipf law, the share of the most active |
//! | `rhythm` | the hour of the day and the day of the week |
//! | `table` | the numbers as a person reads them |
//! | `scenario` | the scenario that follows |

mod activity;
mod family;
mod rhythm;
mod sample;
mod scenario;
mod table;

use serde::Serialize;

pub use activity::{Activity, Counts, Zipf};
pub use family::{Candidate, Family};
pub use rhythm::Rhythms;
use sample::{Sample, Typical};
pub use table::Row;

use crate::time::Millis;
use crate::trace::Trace;

/// How a trace is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FitOptions {
    /// Events of an actor no further apart are one session.
    pub session: Millis,
    /// Who was active so shortly before the end may still be there.
    pub silence: Millis,
    /// Who is first seen within this time counts as there from the start; a tenth of the trace without
    /// it, and a week at most.
    pub warm_up: Option<Millis>,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self { session: Millis(30 * 60_000), silence: Millis(30 * Millis::DAY.0), warm_up: None }
    }
}

/// A trace that tells too little.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    /// Too few of something.
    #[error("{found} {what}, and a fit needs at least {needed}: take a longer trace")]
    TooFew {
        /// Of what.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there must be.
        needed: usize,
    },
    /// An option that is too long for the trace.
    #[error(
        "--{option} {given} is not above 0s and below the trace's length of {span}: give another"
    )]
    Option {
        /// Its name.
        option: &'static str,
        /// What was given.
        given: Millis,
        /// The length of the trace.
        span: Millis,
    },
    /// The scenario that follows is refused.
    #[error("no scenario can be made of this trace: {0}")]
    Scenario(String),
}

/// The fewest values that a distribution is fitted to.
const FEWEST: usize = 20;

/// The shortest membership whose events a day say how active somebody is.
const SHORTEST_MEMBERSHIP: Millis = Millis(7 * Millis::DAY.0);

/// What a gap comes to at least that falls into a time without any life, in hours: a second.
const SHORTEST_GAP_HOURS: f64 = 1.0 / 3_600.0;

/// Who comes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Arriving {
    /// First seen within the warm-up, and so there from the start.
    pub initial: u32,
    /// Later newcomers a day.
    pub per_day: f64,
    /// Variance over mean of newcomers in a day: 1 for a Poisson process.
    pub dispersion: f64,
    /// The times between newcomers, in days; the exponential is a Poisson process.
    pub gaps: Vec<Candidate>,
}

/// How long people stay: from the first event to the last.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Staying {
    /// How many may still be there at the end.
    pub open: usize,
    /// How many came for one session only.
    pub once: usize,
    /// The median of what was seen, in days.
    pub observed_median_days: f64,
    /// The median by Kaplan and Meier's estimator, which takes into account that some may still be there.
    pub median_days: Option<f64>,
    /// Fitted, in days; a session long at least.
    pub lengths: Vec<Candidate>,
}

/// Everything that a trace says about a workload. Distributions stand in the order of their AIC, best first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TraceFit {
    /// Events.
    pub events: usize,
    /// Actors.
    pub actors: usize,
    /// Days from the first event to the last.
    pub days: f64,
    /// Who comes.
    pub arrivals: Arriving,
    /// How long they stay.
    pub membership: Staying,
    /// The mean length of a session, from its first event to its last, in minutes.
    pub session_minutes: f64,
    /// The times between sessions, in hours, of all people together.
    pub gaps: Vec<Candidate>,
    /// The times between sessions of a person of activity 1: each gap, in time that passes by the rhythm, times
    /// its person's activity.
    pub gaps_at_activity_one: Vec<Candidate>,
    /// How unequal people are.
    pub activity: Activity,
    /// The hour of the day and the day of the week.
    pub rhythm: Rhythms,
    #[serde(skip)]
    session: Millis,
    #[serde(skip)]
    typical_ln_gap: Option<f64>,
}

impl TraceFit {
    /// Estimates the parameters of a trace.
    pub fn new(trace: &Trace, options: &FitOptions) -> Result<Self, FitError> {
        let span = trace.end();
        let check = |option, given: Millis| match given > Millis(0) && given < span {
            true => Ok(()),
            false => Err(FitError::Option { option, given, span }),
        };
        enough("actors", trace.actors())?;
        check("session", options.session)?;
        check("silence", options.silence)?;
        let tenth = Millis((span.0 / 10).clamp(1, 7 * Millis::DAY.0));
        let warm_up = options.warm_up.unwrap_or(tenth);
        check("warm-up", warm_up)?;
        let rhythm = Rhythms::of(trace);
        let week = rhythm.rhythm();
        // Absences of a scenario are measured in time that passes by its rhythm.
        let life = |at: Millis| week.life(Millis(trace.start().0 + at.0));
        let activity = Activity::of(trace, SHORTEST_MEMBERSHIP);
        let (mut gaps, mut scaled, mut runs) = (vec![], vec![], vec![]);
        let mut typical = Typical::default();
        for actor in 0..trace.actors() {
            let weight = activity.weight(actor);
            let mut began = trace.times(actor)[0];
            let own = gaps.len();
            for pair in trace.times(actor).windows(2) {
                let gap = pair[1].0 - pair[0].0;
                if gap <= options.session.0 {
                    continue;
                }
                runs.push(Millis(pair[0].0 - began.0).as_secs_f64() / 60.0);
                began = pair[1];
                let hours = Millis(gap).as_secs_f64() / 3_600.0;
                gaps.push(hours);
                let lived = ((life(pair[1]) - life(pair[0])) * 24.0).max(SHORTEST_GAP_HOURS);
                scaled.extend(weight.map(|weight| lived * weight));
            }
            typical.person(gaps[own..].iter().copied());
            let last = trace.times(actor).last().map_or(began, |last| *last);
            runs.push(Millis(last.0 - began.0).as_secs_f64() / 60.0);
        }
        enough("gaps between sessions", gaps.len())?;
        if scaled.len() < FEWEST {
            scaled.clone_from(&gaps);
        }
        Ok(Self {
            events: trace.events(),
            actors: trace.actors(),
            days: days(span),
            arrivals: arriving(trace, warm_up)?,
            membership: staying(trace, options),
            session_minutes: runs.iter().sum::<f64>() / runs.len() as f64,
            gaps: Candidate::all(&Sample::complete(gaps)),
            gaps_at_activity_one: Candidate::all(&Sample::complete(scaled)),
            activity,
            rhythm,
            session: options.session,
            typical_ln_gap: typical.ln_gap(),
        })
    }
}

fn days(length: Millis) -> f64 {
    length.as_secs_f64() / 86_400.0
}

fn enough(what: &'static str, found: usize) -> Result<(), FitError> {
    if found >= FEWEST { Ok(()) } else { Err(FitError::TooFew { what, found, needed: FEWEST }) }
}

fn arriving(trace: &Trace, warm_up: Millis) -> Result<Arriving, FitError> {
    // Actors stand in the order of their first events.
    let first: Vec<Millis> = (0..trace.actors()).map(|actor| trace.times(actor)[0]).collect();
    let initial = first.partition_point(|at| *at < warm_up);
    let late = &first[initial..];
    enough("newcomers after the warm-up", late.len())?;
    let observed = days(Millis(trace.end().0 - warm_up.0));
    let between = late.windows(2).map(|pair| days(Millis(pair[1].0 - pair[0].0)));
    // Two in one second of the log came apart.
    let between = between.map(|gap| gap.max(0.5 / 86_400.0)).collect();
    let mut counts = vec![0.0; (observed.floor() as usize).max(1)];
    for at in late {
        if let Some(count) = counts.get_mut(days(Millis(at.0 - warm_up.0)) as usize) {
            *count += 1.0;
        }
    }
    let mean = counts.iter().sum::<f64>() / counts.len() as f64;
    let variance = counts.iter().map(|count| (count - mean) * (count - mean)).sum::<f64>()
        / counts.len() as f64;
    Ok(Arriving {
        initial: initial as u32,
        per_day: late.len() as f64 / observed,
        dispersion: if mean > 0.0 { variance / mean } else { 0.0 },
        gaps: Candidate::all(&Sample::complete(between)),
    })
}

fn staying(trace: &Trace, options: &FitOptions) -> Staying {
    let (mut seen, mut lengths, mut once) = (vec![], Sample::default(), 0);
    for actor in 0..trace.actors() {
        let times = trace.times(actor);
        let last = times[times.len() - 1];
        let length = Millis(last.0 - times[0].0);
        once +=
            usize::from(times.windows(2).all(|pair| pair[1].0 - pair[0].0 <= options.session.0));
        seen.push(days(length));
        // A member for a session at least, as a trace that is replayed has it.
        let stayed = days(Millis(length.0 + options.session.0));
        if trace.end().0 - last.0 < options.silence.0 {
            lengths.open.push(stayed);
        } else {
            lengths.ended.push(stayed);
        }
    }
    Staying {
        open: lengths.open.len(),
        once,
        observed_median_days: sample::median(&mut seen),
        median_days: lengths.survival().median(),
        lengths: Candidate::all(&lengths),
    }
}
