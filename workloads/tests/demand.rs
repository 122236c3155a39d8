//! Demand: the same people whatever the system; sessions in order; golden values that no
//! machine may change.

use arboretum_workloads::{Demand, Distribution, Millis, Person, RootSeed, Scenario, Trace, Unit};
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

#[test]
fn sessions_follow_the_week_and_keep_their_mean() {
    let rhythm = "workload.sessions.rhythm={ peak = \"9h\", strength = 1.0, weekdays = 0.9 }";
    // Sessions so short that the busiest hour has not fewer people away who could come.
    let still = [
        "duration=280d",
        "workload.silent.fraction=0",
        "workload.activity.zipf_exponent=0",
        "workload.sessions.online.mean=1s",
    ];
    let stay = ["workload.lifetime.scale=9999d", "workload.arrivals.per_day=0"];
    let begun = |more: &[&str]| -> Vec<u64> {
        let demand = demand(&[&still[..], &stay[..], more].concat());
        (0..200)
            .flat_map(|client| demand.sessions(client))
            .map(|it| it.online.0 / 3_600_000)
            .collect()
    };
    let (flat, weekly) = (begun(&[]), begun(&[rhythm]));
    let ratio = weekly.len() as f64 / flat.len() as f64;
    assert!((ratio - 1.0).abs() < 0.03, "{ratio}");
    let share = |hours: &[u64], is: fn(u64) -> bool| {
        hours.iter().filter(|hour| is(**hour)).count() as f64 / hours.len() as f64
    };
    // A run begins on a Thursday: its third and fourth day are a weekend.
    let weekday = |hour: u64| !matches!(hour / 24 % 7, 2 | 3);
    let morning = |hour: u64| (6..12).contains(&(hour % 24));
    assert!((share(&flat, weekday) - 5.0 / 7.0).abs() < 0.01);
    assert!((share(&weekly, weekday) - 0.9).abs() < 0.01, "{}", share(&weekly, weekday));
    // Six hours of 24 around the peak of a whole cosine: 1/4 + sin(45°)/π.
    assert!((share(&weekly, morning) - 0.475).abs() < 0.01, "{}", share(&weekly, morning));
}

#[test]
fn a_purge_takes_its_share_of_those_who_are_there() {
    let at = Millis(36 * 3_600_000);
    let purged = |who: &str| {
        let set = format!("workload.purges=[{{ at = \"36h\", fraction = 0.25, who = \"{who}\" }}]");
        demand(&[&set])
    };
    let without = demand(&[]);
    for who in ["at-random", "evenly-spaced"] {
        let with = purged(who);
        let (mut there, mut out) = (0, 0);
        for (before, after) in without.people().iter().zip(with.people()) {
            let gone = [before.leaves, before.removed].into_iter().flatten().any(|gone| gone <= at);
            if before.arrives < at && !gone {
                there += 1;
                out += usize::from(after.removed == Some(at));
            } else {
                assert_eq!(before, after);
            }
        }
        let share = out as f64 / there as f64;
        assert!((share - 0.25).abs() < 0.05, "{who}: {share}");
        assert!(who == "at-random" || out == there / 4, "{out} of {there}");
    }
    let spaced = purged("evenly-spaced");
    let first: Vec<_> = spaced.people().iter().take(40).map(|it| it.removed == Some(at)).collect();
    assert!(first.windows(2).all(|pair| pair != [true, true]), "{first:?}");
}

#[test]
fn servers_are_always_there() {
    let set = ["workload.servers=2", "workload.removals.per_member_per_day=5"];
    let more = ["workload.lifetime.scale=1h", "workload.silent.fraction=1"];
    let purge = "workload.purges=[{ at = \"1h\", fraction = 1.0 }]";
    let losses = "workload.losses.per_client_per_day=9";
    let demand = demand(&[&set[..], &more[..], &[purge, losses]].concat());
    for server in 0..2 {
        let person = demand.people()[server as usize];
        assert_eq!((person.leaves, person.removed, person.silent_from), (None, None, None));
        let sessions: Vec<_> = demand.sessions(server).collect();
        assert_eq!(sessions.len(), 1);
        assert_eq!((sessions[0].online, sessions[0].offline), (Millis(0), demand.duration()));
        assert_eq!(sessions[0].messages(), 0);
        assert_eq!(demand.next_loss(server, 0, Millis(0)), None);
    }
    assert!(demand.people()[2..].iter().all(|person| person.removed.is_some()));
    assert!(demand.next_loss(2, 0, Millis(0)).is_some());
}

/// 20,000 who stay, in a life with these absences.
fn lasting(duration: &str, offline: &str, messages_per_day: &str) -> Demand {
    demand(&[
        "group.members=20000",
        &format!("duration={duration}"),
        &format!(
            "workload.activity={{ zipf_exponent = 0.0, messages_per_day = {messages_per_day} }}"
        ),
        "workload.arrivals.per_day=0",
        "workload.lifetime={ distribution = \"constant\", value = \"300d\" }",
        "workload.silent.fraction=0",
        "workload.removals.per_member_per_day=0",
        "workload.sessions.online={ distribution = \"log-normal\", mu = 0.0, sigma = 1.0, unit = \"h\" }",
        &format!(
            "workload.sessions.offline={{ distribution = \"log-normal\", {offline}, unit = \"h\" }}"
        ),
    ])
}

/// Counts of what happens at the start and at a later moment, which are to be alike.
fn assert_alike(what: &str, [first, later]: [u32; 2]) {
    let near = 5.0 * f64::from(2 * later).sqrt();
    assert!(later > 400 && f64::from(first.abs_diff(later)) < near, "{what}: {first} {later}");
}

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

/// The start of a run is a moment like any other: its first day has as many people online, who come as often
/// and say as much, as its thirtieth week.
#[test]
fn a_run_begins_in_the_middle_of_a_life() {
    let demand = lasting("211d", "mu = 2.5, sigma = 1.79", "0.4");
    let (mut online, mut came, mut messages, mut sessions) = ([0; 2], [0; 2], [0_u32; 2], 0);
    for session in (0..20_000).flat_map(|client| demand.sessions(client)) {
        sessions += 1;
        for (at, begins) in [0, 210 * DAY].into_iter().enumerate() {
            let within = begins..begins + DAY;
            online[at] += u32::from((session.online.0..session.offline.0).contains(&begins));
            came[at] += u32::from(session.online.0 > begins && within.contains(&session.online.0));
            let sent = session.message_times().filter(|time| within.contains(&time.0));
            messages[at] += sent.count() as u32;
        }
    }
    assert_alike("online", online);
    assert_alike("came", came);
    assert_alike("messages", messages);
    // An absence of 60.5 hours on average and a session of 1.65.
    let per_day = f64::from(sessions) / 20_000.0 / 211.0;
    assert!((per_day * 62.1 / 24.0 - 1.0).abs() < 0.02, "{per_day}");
}

/// Who is online when the run begins stays as long, and says as much from then on, as who is three weeks later.
#[test]
fn sessions_begin_before_the_run_does() {
    let demand = lasting("22d", "mu = 0.5, sigma = 1.2", "5.0");
    let (mut stays, mut says) = ([[0; 2]; 3], [0; 2]);
    for session in (0..20_000).flat_map(|client| demand.sessions(client)) {
        for (at, moment) in [0, 21 * DAY].into_iter().enumerate() {
            let within = session.online.0..session.offline.0;
            if !within.contains(&moment) {
                continue;
            }
            for (stays, hours) in stays.iter_mut().zip([0, 1, 3]) {
                stays[at] += u32::from(within.contains(&(moment + hours * HOUR)));
            }
            says[at] += session.message_times().filter(|time| time.0 >= moment).count() as u32;
        }
    }
    for (counts, hours) in stays.into_iter().zip([0, 1, 3]) {
        assert_alike(&format!("online for {hours} hours"), counts);
    }
    assert_alike("messages", says);
}

/// These values were written down once and stand in every digest.
#[test]
fn streams_and_samplers_are_golden() {
    let mut stream = RootSeed::from_u64(1).stream("golden", 2, 3);
    assert_eq!(stream.next_u64(), GOLDEN_WORD);
    let hour = Millis(HOUR);
    let laws = [
        Distribution::Exponential { mean: hour },
        Distribution::LogNormal { mu: 2.5, sigma: 1.79, unit: Unit::Hours },
        Distribution::Weibull { shape: 0.59, scale: hour },
    ];
    let drawn = laws.map(|law| law.sample(&mut stream).0);
    assert_eq!(drawn, GOLDEN_DRAWS);
    let under_way = laws.map(|law| law.sample_under_way(&mut stream).0);
    assert_eq!(under_way, GOLDEN_UNDER_WAY);
    assert_eq!(demand(&[]).digest(), GOLDEN_DEMAND);
}

const GOLDEN_WORD: u64 = 8_331_407_827_203_844_863;
const GOLDEN_DRAWS: [u64; 3] = [859719, 18410829788, 9269473];
const GOLDEN_UNDER_WAY: [u64; 3] = [4149646, 8732223227, 35938913];
const GOLDEN_DEMAND: u64 = 4150231461836583916;

/// Users with further devices, some of whom are removed.
fn with_devices(more: &[&str]) -> Demand {
    let set = [
        "workload.device_changes={ adds_per_user_per_day = 0.3, kept_for = { distribution = \"exponential\", mean = \"4d\" } }",
        "workload.arrivals.per_day=50",
        "duration=20d",
    ];
    demand(&[&set[..], more].concat())
}

/// Every group removes whom it wants removed, with all its clients, and no device of theirs comes after.
#[test]
fn removals_are_each_groups_own_and_of_users_whole() {
    let groups = "workload.groups={ further = 2, share = 1.0 }";
    let first = with_devices(&[groups, "workload.removals.per_member_per_day=0.05"]);
    let mut moments = vec![];
    for group in 0..3 {
        let seen = first.of_group(group);
        let mut of_user = std::collections::BTreeMap::new();
        let (mut late, mut further) = (0, 0);
        for (client, person) in seen.people().iter().enumerate() {
            let moment = *of_user.entry(person.user).or_insert(person.removed);
            assert_eq!(person.removed, moment, "group {group}, user {}", person.user);
            let is_late = person.further && moment.is_some_and(|at| at <= person.arrives);
            assert_eq!(seen.has(client as u32), !is_late);
            late += usize::from(is_late);
            further += usize::from(person.further && !is_late);
        }
        assert!(late > 50 && further > 500, "{late} {further}");
        moments.push(of_user);
    }
    assert_ne!(moments[0], moments[1]);
    assert_ne!(moments[1], moments[2]);
    let single = with_devices(&["workload.removals.per_member_per_day=0.05"]);
    assert!(single.people().iter().zip(first.people()).all(|(one, other)| one == other));
}

#[test]
fn a_purge_takes_users_with_all_their_devices() {
    let purge = "workload.purges=[{ at = \"10d\", fraction = 0.3 }]";
    let demand = with_devices(&[purge]);
    let at = Millis(10 * 86_400_000);
    let mut of_user = std::collections::BTreeMap::new();
    for person in demand.people() {
        let is_out = person.removed == Some(at);
        assert_eq!(*of_user.entry(person.user).or_insert(is_out), is_out, "user {}", person.user);
    }
    let out = of_user.values().filter(|out| **out).count();
    let is_there = |person: &&Person| {
        let gone = [person.leaves, person.removed].into_iter().flatten().any(|gone| gone < at);
        !person.further && person.arrives < at && !gone
    };
    let there = demand.people().iter().filter(is_there).count();
    assert!(there > 300 && (there / 4..there / 3).contains(&out), "{out} of {there}");
    let of_them = demand.people().iter().filter(|it| it.further && it.removed == Some(at));
    assert!(of_them.count() > 100);
}
