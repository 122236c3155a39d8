//! Fits: what a workload was drawn with is found again in its trace; the student network has the figures
//! that were published for it; the scenario that follows is one, and draws people like those.

use std::path::Path;

use arboretum_workloads::{
    Demand, Distribution, Family, FitError, FitOptions, Millis, Scenario, Trace, TraceFit,
    find_shipped,
};

/// A workload with known parameters, a year long.
const KNOWN: &str = r#"
name = "known"
title = "known"
analysis = "What is put in must come out."
duration = "365d"
[group]
members = 40
[workload.arrivals]
per_day = 3
[workload.silent]
fraction = 1.0
after = { distribution = "weibull", shape = 0.8, scale = "60d" }
[workload.sessions]
online = { distribution = "constant", value = "1s" }
offline = { distribution = "log-normal", mu = 2.0, sigma = 1.2, unit = "h" }
rhythm = { peak = "15h", strength = 0.5, weekdays = 0.9 }
[workload.activity]
zipf_exponent = 0.5
messages_per_day = 5
"#;

/// A trace of people who are seen when a session begins.
fn trace_of(scenario: &Scenario) -> Trace {
    let demand = Demand::new(scenario, None);
    let mut events = vec![];
    for client in 0..demand.people().len() as u32 {
        events.extend(demand.sessions(client).map(|session| (session.online.0, client)));
    }
    events.sort_unstable();
    let lines: String = events
        .iter()
        .map(|(at, client)| format!("{}.{:03},{client}\n", at / 1_000, at % 1_000))
        .collect();
    Trace::parse("drawn", format!("time_s,actor\n{lines}").as_bytes()).unwrap()
}

fn near(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((found - expected).abs() <= tolerance, "{what}: {found}, expected {expected}");
}

fn log_normal(candidates: &[arboretum_workloads::Candidate]) -> (f64, f64) {
    let found = candidates.iter().find_map(|candidate| match candidate.family {
        Family::LogNormal { mu, sigma } => Some((mu, sigma)),
        _ => None,
    });
    found.unwrap()
}

/// Sessions begin closer together than half an hour, too: no gap is left out here.
fn every_gap() -> FitOptions {
    FitOptions { session: Millis(1_000), ..FitOptions::default() }
}

#[test]
fn what_was_put_in_comes_out() {
    for seed in [1, 2] {
        let scenario = Scenario::parse("known", KNOWN, &[format!("seed={seed}")]).unwrap();
        let fit = TraceFit::new(&trace_of(&scenario), &every_gap()).unwrap();
        near(fit.arrivals.per_day, 3.0, 0.3, "arrivals");
        near(fit.arrivals.dispersion, 1.0, 0.3, "dispersion");
        near(fit.arrivals.gaps[0].ks, 0.0, 0.05, "Poisson");
        // Weibull, shape 0.8 and scale 60 days: the median is 60 · (ln 2)^(1/0.8).
        near(fit.membership.median_days.unwrap(), 37.9, 5.0, "membership");
        let text = fit.scenario("again", "drawn").unwrap();
        let offline =
            Scenario::parse("again", &text, &[]).unwrap().workload.sessions.unwrap().offline;
        let Distribution::LogNormal { mu, sigma, .. } = offline else { panic!("{offline:?}") };
        near(mu, 2.0, 0.1, "ln of the gap at activity 1");
        near(sigma, 1.2, 0.1, "its deviation");
        near(fit.activity.rate.exponent, 0.5, 0.06, "exponent");
        near(fit.rhythm.peak_hour, 15.0, 0.7, "peak");
        near(fit.rhythm.strength, 0.5, 0.05, "strength");
        near(fit.rhythm.weekdays, 0.9, 0.02, "weekdays");
    }
}

#[test]
fn the_scenario_that_follows_draws_people_like_those() {
    let scenario = Scenario::parse("known", KNOWN, &[]).unwrap();
    let first = TraceFit::new(&trace_of(&scenario), &every_gap()).unwrap();
    let text = first.scenario("again", "drawn \"by\" hand").unwrap();
    let again = Scenario::parse("again", &text, &["seed=7".into()]).unwrap();
    let second = TraceFit::new(&trace_of(&again), &every_gap()).unwrap();
    near(second.arrivals.per_day / first.arrivals.per_day, 1.0, 0.1, "arrivals");
    near(second.activity.rate.exponent, first.activity.rate.exponent, 0.1, "exponent");
    near(second.rhythm.strength, first.rhythm.strength, 0.05, "strength");
    near(second.rhythm.weekdays, first.rhythm.weekdays, 0.02, "weekdays");
    let deviation = |fit: &TraceFit| log_normal(&fit.gaps_at_activity_one).1;
    near(deviation(&second), deviation(&first), 0.1, "deviation of ln gaps at activity 1");
    let absences = |text: &str| {
        let scenario = Scenario::parse("again", text, &[]).unwrap();
        scenario.workload.sessions.unwrap().offline.mean_s()
    };
    let third = second.scenario("again", "drawn twice").unwrap();
    near(absences(&third) / absences(&text), 1.0, 0.2, "absences at activity 1");
    let median = |fit: &TraceFit| fit.membership.median_days.unwrap();
    near(median(&second) / median(&first), 1.0, 0.25, "membership");
}

/// The figures of the references for the student network; a trace of senders alone.
#[test]
fn the_student_network_has_its_figures() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/traces/college-msg.csv");
    if !file.exists() {
        eprintln!("{} is not there: nothing is checked against it", file.display());
        return;
    }
    let fit = TraceFit::new(&Trace::load(&file).unwrap(), &FitOptions::default()).unwrap();
    assert_eq!((fit.events, fit.actors), (59_835, 1_350));
    // Gaps over 30 minutes: log-normal, then Weibull, then exponential.
    let names: Vec<_> = fit.gaps.iter().map(|candidate| candidate.family.name()).collect();
    assert_eq!(names, ["log-normal", "weibull", "exponential"]);
    let (mu, sigma) = log_normal(&fit.gaps);
    near(mu, 2.50, 0.005, "ln hours");
    near(sigma, 1.79, 0.006, "its deviation");
    let Family::Weibull { shape, scale } = fit.gaps[1].family else { unreachable!() };
    near(shape, 0.543, 0.001, "shape");
    near(scale, 30.2, 0.1, "scale");
    near(fit.membership.median_days.unwrap(), 26.6, 0.3, "membership");
    let (mu, sigma) = log_normal(&fit.activity.counts.candidates);
    near(mu, 2.55, 0.005, "ln messages");
    near(sigma, 1.65, 0.005, "its deviation");
    // By hours of UTC; by local time, with its summer time, the ratio is 32.
    near(fit.rhythm.busiest_over_quietest.unwrap(), 32.0, 1.5, "busiest over quietest hour");
    // A tenth of the 1,899 users, 549 of whom never sent anything.
    near(fit.activity.share_of_most_active(190), 0.65, 0.005, "the most active");
    fit.scenario("college-msg", "college-msg.csv").unwrap();
}

#[test]
fn what_tells_too_little_is_refused() {
    let refused = |text: &str, options| {
        let trace = Trace::parse("t", format!("time_s,actor\n{text}").as_bytes()).unwrap();
        TraceFit::new(&trace, &options).unwrap_err()
    };
    let few = refused("1,a\n2,b\n", FitOptions::default());
    assert_eq!(few, FitError::TooFew { what: "actors", found: 2, needed: 20 });
    let many: String = (0..100).map(|at| format!("{},{}\n", at * 3_600, at % 30)).collect();
    let long =
        refused(&many, FitOptions { session: Millis(Millis::DAY.0 * 9), ..FitOptions::default() });
    assert!(long.to_string().starts_with("--session 9d is not above 0s and below"), "{long}");
    let none = refused(&many, FitOptions { silence: Millis(0), ..FitOptions::default() });
    assert!(none.to_string().contains("--silence 0s"), "{none}");
    let short = FitOptions { silence: Millis(Millis::DAY.0), ..FitOptions::default() };
    let newcomers: String = (0..600).map(|at| format!("{},{}\n", at * 3_600, at % 20)).collect();
    let told = refused(&newcomers, short).to_string();
    assert!(told.contains("newcomers after the warm-up"), "{told}");
}

#[test]
fn a_rhythm_out_of_range_is_refused_with_its_key() {
    let smoke = find_shipped("smoke").unwrap();
    let refused = |set: &str| Scenario::parse("smoke", smoke.text, &[set.into()]).unwrap_err();
    let share = refused("workload.arrivals.rhythm.weekdays=1.5");
    assert_eq!(share.key.as_deref(), Some("workload.arrivals.rhythm"));
    let strength = refused("workload.sessions.rhythm={ peak = \"9h\", strength = 2 }");
    assert_eq!(strength.key.as_deref(), Some("workload.sessions.rhythm"));
}
