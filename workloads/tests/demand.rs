//! Demand: the same people whatever the system; sessions in order; golden values that no
//! machine may change.

use arboretum_workloads::{Demand, Distribution, Millis, RootSeed, Scenario, Trace, Unit};
use rand_core::Rng;

fn demand(overrides: &[&str]) -> Demand {
    let found = arboretum_workloads::find_shipped("smoke").unwrap();
    let overrides: Vec<_> = overrides.iter().map(ToString::to_string).collect();
    Demand::new(&Scenario::parse("smoke", found.text, &overrides).unwrap(), None)
}

#[test]
fn demand_does_not_know_the_system() {
    let plain = demand(&[]);
    let other = demand(&[
        "group.fidelity=counted",
        "group.start=warm",
        "group.audit=0",
        "policy.evict_after=1h",
        "policy.batching=immediate",
        "policy.update_every=1h",
        "network.max_delay=1s",
    ]);
    assert_eq!(plain.people(), other.people());
    assert_eq!(plain.digest(), other.digest());
    for client in 0..plain.people().len() as u32 {
        assert!(plain.sessions(client).eq(other.sessions(client)));
    }
    assert_ne!(plain.digest(), demand(&["seed=2"]).digest());
}

#[test]
fn sessions_are_in_order_apart_and_inside_their_bounds() {
    let demand = demand(&["duration=20d"]);
    for (client, person) in demand.people().iter().enumerate() {
        let mut last = person.arrives;
        for session in demand.sessions(client as u32) {
            assert!(session.online >= last, "{client}");
            assert!(session.online < session.offline && session.offline <= demand.duration());
            assert!(person.silent_from.is_none_or(|silent| session.online < silent));
            assert!(person.leaves.is_none_or(|leaves| session.offline <= leaves));
            let times: Vec<_> = session.message_times().collect();
            assert_eq!(times.len(), session.messages() as usize);
            let inside = session.online..session.offline;
            assert!(times.iter().all(|time| inside.contains(time)));
            last = Millis(session.offline.0 + 1);
        }
    }
}

#[test]
fn arrivals_come_at_their_rate_and_hour() {
    let demand = demand(&["duration=400d", "workload.arrivals.per_day=50"]);
    let arrived: Vec<_> = demand.people()[demand.initial()..].iter().map(|p| p.arrives).collect();
    assert!(arrived.is_sorted());
    let per_day = arrived.len() as f64 / 400.0;
    assert!((48.0..52.0).contains(&per_day), "{per_day}");
    let hour = |time: &Millis| (time.0 / 3_600_000) % 24;
    let busy = arrived.iter().filter(|time| (17..23).contains(&hour(time))).count();
    let quiet = arrived.iter().filter(|time| (5..11).contains(&hour(time))).count();
    // Intensities 1.72 and 0.28 on average over these six hours, at strength 0.8.
    let ratio = busy as f64 / quiet as f64;
    assert!((5.0..7.5).contains(&ratio), "{ratio}");
}

#[test]
fn a_trace_gives_sessions_around_its_events() {
    let text = b"time_s,actor\n100,a\n160,b\n700,a\n9000,a\n";
    let trace = Trace::parse("t", text).unwrap();
    let found = arboretum_workloads::find_shipped("trace").unwrap();
    let set = ["workload.trace=t".to_owned(), "workload.trace_session=10min".to_owned()];
    let scenario = Scenario::parse("trace", found.text, &set).unwrap();
    let demand = Demand::new(&scenario, Some(trace));
    assert_eq!(demand.initial(), 1);
    let sessions = |client| -> Vec<_> {
        demand.sessions(client).map(|s| (s.online.0, s.offline.0, s.messages() > 0)).collect()
    };
    // Events 600 s apart are one session, which lasts ten minutes after the last.
    let [first, second] = sessions(0)[..] else { panic!("{:?}", sessions(0)) };
    assert_eq!((first.0, first.1), (0, 1_200_000));
    assert_eq!((second.0, second.1), (8_900_000, 9_500_000));
    assert_eq!(sessions(1)[0].0, 60_000);
}

/// These values were written down once and stand in every digest.
#[test]
fn streams_and_samplers_are_golden() {
    let mut stream = RootSeed::from_u64(1).stream("golden", 2, 3);
    assert_eq!(stream.next_u64(), GOLDEN_WORD);
    let hour = Millis(3_600_000);
    let drawn: Vec<_> = [
        Distribution::Exponential { mean: hour },
        Distribution::LogNormal { mu: 2.5, sigma: 1.79, unit: Unit::Hours },
        Distribution::Weibull { shape: 0.59, scale: hour },
    ]
    .iter()
    .map(|distribution| distribution.sample(&mut stream).0)
    .collect();
    assert_eq!(drawn, GOLDEN_DRAWS);
    assert_eq!(demand(&[]).digest(), GOLDEN_DEMAND);
}

const GOLDEN_WORD: u64 = 8_331_407_827_203_844_863;
const GOLDEN_DRAWS: [u64; 3] = [859719, 18410829788, 9269473];
const GOLDEN_DEMAND: u64 = 16888689578333208003;
