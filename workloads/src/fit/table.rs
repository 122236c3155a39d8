//! The numbers of a fit as a person reads them: a row a parameter, with how well it fits.

use super::TraceFit;
use super::activity::Zipf;
use super::family::{Candidate, Family};

/// The columns: what, its value, how well it fits.
pub type Row = (String, String, String);

impl Family {
    /// Its parameters in words; `unit` is that of the sample.
    pub fn words(&self, unit: &str) -> String {
        match self {
            Self::Exponential { mean } => format!("exponential, mean {mean:.3} {unit}"),
            Self::Weibull { shape, scale } => {
                format!("weibull, shape {shape:.3}, scale {scale:.3} {unit}")
            }
            Self::LogNormal { mu, sigma } => {
                format!("log-normal, mean {mu:.3} and deviation {sigma:.3} of ln {unit}")
            }
        }
    }
}

fn candidates(rows: &mut Vec<Row>, what: &str, unit: &str, all: &[Candidate]) {
    let best = all.first().map_or(0.0, |best| best.aic);
    for (at, candidate) in all.iter().enumerate() {
        let name = if at == 0 { what.to_owned() } else { String::new() };
        let behind = match at {
            0 => format!("AIC {:.0}, the best", candidate.aic),
            _ => format!("AIC {:+.0}", candidate.aic - best),
        };
        let fit = format!("KS {:.3}, {behind}, n {}", candidate.ks, candidate.values);
        rows.push((name, candidate.family.words(unit), fit));
    }
}

fn zipf(rows: &mut Vec<Row>, what: &str, zipf: &Zipf) {
    let fit = format!("KS {:.3}, n {}", zipf.ks, zipf.people);
    rows.push((what.into(), format!("exponent {:.2}", zipf.exponent), fit));
}

impl TraceFit {
    /// All rows.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = vec![];
        let plain = |what: &str, value: String| (what.to_owned(), value, String::new());
        let (events, actors) = (self.events, self.actors);
        rows.push(plain(
            "trace",
            format!("{events} events of {actors} actors in {:.1} d", self.days),
        ));
        let arrivals = &self.arrivals;
        let fit = format!("dispersion {:.2} (a Poisson process has 1)", arrivals.dispersion);
        let value =
            format!("{} from the start, then {:.2} a day", arrivals.initial, arrivals.per_day);
        rows.push(("arrivals".into(), value, fit));
        candidates(&mut rows, "between newcomers", "d", &arrivals.gaps);
        let staying = &self.membership;
        let median =
            staying.median_days.map_or("beyond the trace".into(), |it| format!("{it:.1} d"));
        let value = format!("median {median} (seen {:.1} d)", staying.observed_median_days);
        let fit = format!("{} once only, {} still there", staying.once, staying.open);
        rows.push(("membership".into(), value, fit));
        candidates(&mut rows, "", "d", &staying.lengths);
        rows.push(plain("session", format!("mean {:.1} min", self.session_minutes)));
        candidates(&mut rows, "between sessions", "h", &self.gaps);
        candidates(&mut rows, "… at activity 1", "h", &self.gaps_at_activity_one);
        let counts = &self.activity.counts;
        candidates(&mut rows, "events of a person", "events", &counts.candidates);
        zipf(&mut rows, "… as a Zipf law", &counts.zipf);
        rows.push(plain(
            "… most active tenth",
            format!("{:.1} % of events", counts.top_tenth * 100.0),
        ));
        zipf(&mut rows, "events a day, after a week", &self.activity.rate);
        rows.push(plain("…", format!("{:.3} on average", self.activity.events_per_day)));
        let rhythm = &self.rhythm;
        let value = format!("peak {:.1} h, strength {:.2}", rhythm.peak_hour, rhythm.strength);
        let ratio = rhythm.busiest_over_quietest.map_or("an hour without events".into(), |ratio| {
            format!("busiest hour {ratio:.0} times the quietest")
        });
        rows.push(("hour of the day".into(), value, format!("KS {:.3}, {ratio}", rhythm.ks)));
        rows.push(plain("Monday to Friday", format!("{:.1} %", rhythm.weekdays * 100.0)));
        rows
    }
}
