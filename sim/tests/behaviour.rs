//! What clients do by rule: each value shows its effect in a small simulation, on the same demand.

use std::collections::{BTreeMap, BTreeSet};

use arboretum_engine::crypto::{CountingProvider, Op};
use arboretum_engine::protocol::SharedTreeKem;
use arboretum_results::{CommitRow, Distribution, Event, Evicted, Recorded, RunRecorder};
use arboretum_sim::simulation::{self, Behaviour, Outcome, Settings, StreamSeeds};
use arboretum_workloads::{Demand, Millis, RootSeed, Scenario, Trace};

/// People who come at a steady rate, look in now and then, and never renew a key by themselves.
const CHURN: &str = r#"
name = "churn"
title = "churn"
analysis = "Nobody commits but for others, unless the strategy says so."
duration = "1d"
[group]
members = 64
fidelity = "counted"
[workload.arrivals]
per_day = 150
[workload.lifetime]
distribution = "exponential"
mean = "3d"
[workload.sessions]
online = { distribution = "exponential", mean = "40min" }
offline = { distribution = "exponential", mean = "2h" }
"#;

/// A cold group of 64, always online, in which nothing happens by itself.
const STILL: &str = r#"
name = "still"
title = "still"
analysis = "A cold tree, and whoever warms it."
duration = "1d"
[group]
members = 64
fidelity = "counted"
[workload]
"#;

const HOUR: u64 = 3_600_000;

fn scenario(text: &str, strategy: &str, set: &[&str]) -> Scenario {
    let mut set: Vec<_> = set.iter().map(ToString::to_string).collect();
    set.push(format!("group.strategy={strategy:?}"));
    Scenario::parse("test", text, &set).unwrap()
}

fn simulate(scenario: &Scenario, trace: Option<Trace>) -> (Outcome, Recorded) {
    let (strategy, _) = Behaviour::of(scenario).unwrap();
    let seeds = StreamSeeds::new(&RootSeed::from_u64(scenario.seed), 0);
    let mut protocol = SharedTreeKem::new(&CountingProvider, seeds, strategy).unwrap();
    let names: Vec<&'static str> = Op::ALL.iter().map(|op| op.name()).collect();
    let mut recorder = RunRecorder::new(names.leak()).with_events();
    let demand = Demand::new(scenario, trace);
    let settings = Settings {
        audit: 2,
        events_before: 0,
        stop_before_event: None,
        should_stop: &|| false,
        progress: &mut |_| {},
    };
    let run = simulation::run(scenario, &demand, &mut protocol, &mut recorder, settings);
    (run.unwrap(), recorder.finish())
}

fn play_trace(scenario: &Scenario, trace: Option<Trace>) -> Recorded {
    simulate(scenario, trace).1
}

fn play(text: &str, strategy: &str, set: &[&str]) -> Recorded {
    play_trace(&scenario(text, strategy, set), None)
}

fn expected_cost(row: &CommitRow) -> f64 {
    row.expected_cost_sum as f64 / row.members as f64
}

/// The mean expected update cost over the run's snapshots.
fn mean_cost(recorded: &Recorded) -> f64 {
    let costs = recorded.tree.iter().map(|row| row.expected_cost_sum as f64 / row.members as f64);
    costs.sum::<f64>() / recorded.tree.len() as f64
}

fn updates(recorded: &Recorded) -> Vec<&CommitRow> {
    recorded.commits.iter().filter(|row| !row.creation && row.updates == 1).collect()
}

fn events<'r>(recorded: &'r Recorded, kind: &'r str) -> impl Iterator<Item = &'r Event> {
    recorded.events.iter().filter(move |event| event.kind == kind)
}

#[test]
fn on_join_warms_the_tree_by_one_commit_of_each_joiner() {
    let (none, on_join) =
        (play(CHURN, "rfc9420", &[]), play(CHURN, "rfc9420+warming=on-join", &[]));
    assert!(updates(&none).is_empty());
    assert!(mean_cost(&on_join) < 0.8 * mean_cost(&none));
    let mut committers: Vec<_> = updates(&on_join).iter().map(|row| row.committer).collect();
    assert!(committers.iter().all(|client| *client >= 64), "nobody from the start");
    let commits = committers.len();
    committers.sort_unstable();
    committers.dedup();
    assert_eq!(committers.len(), commits, "once each");
    let added = events(&on_join, "added").count();
    assert!(commits > added / 2 && commits <= added, "{commits} of {added}");
}

#[test]
fn on_return_is_the_shortest_absence_of_the_policy() {
    let none = play(CHURN, "rfc9420", &[]);
    let on_return = play(CHURN, "rfc9420+warming=on-return", &[]);
    let policy = play(CHURN, "rfc9420", &["policy.update_on_return_after=1ms"]);
    assert_eq!(on_return.digest, policy.digest);
    assert!(mean_cost(&on_return) < 0.8 * mean_cost(&none));
    assert!(updates(&on_return).len() > 200);
}

#[test]
fn round_robin_goes_from_leaf_to_leaf() {
    let played = play(STILL, "rfc9420+warming=round-robin:10min", &[]);
    let leaves: Vec<_> = updates(&played).iter().map(|row| row.committer_leaf).collect();
    let expected: Vec<_> = (0..64).cycle().take(leaves.len()).collect();
    assert_eq!(leaves, expected);
    assert_eq!(leaves.len(), 143, "every ten minutes of the day but the last, two delays late");
    let times = updates(&played).into_iter().map(|row| row.time_ms);
    assert!(times.enumerate().all(|(at, time)| time / (HOUR / 6) == at as u64 + 1));
}

#[test]
fn most_blanks_warms_a_tree_with_as_few_commits_as_can_be() {
    let played = play(STILL, "rfc9420+warming=most-blanks:10min", &[]);
    let updates = updates(&played);
    // The creator has keyed its own path; each of the 31 other pairs of leaves needs one commit.
    assert_eq!(updates.len(), 31);
    assert_eq!(updates.last().unwrap().blank_parents, 0);
    assert_eq!(expected_cost(updates.last().unwrap()), 6.0);
    let in_turn = play(STILL, "rfc9420+warming=round-robin:10min", &[]);
    let in_turn = self::updates(&in_turn);
    for (best, other) in updates.iter().zip(in_turn) {
        assert!(best.blank_parents <= other.blank_parents, "epoch {}", best.epoch);
    }
    // Under churn it goes on, among those who are online.
    let (none, warm) = (play(CHURN, "rfc9420", &[]), "rfc9420+warming=most-blanks:15min");
    assert!(mean_cost(&play(CHURN, warm, &[])) < 0.8 * mean_cost(&none));
}

#[test]
fn nobody_is_asked_to_warm_while_another_commits_requests() {
    let rejected = |strategy: &str| {
        let played = play(CHURN, strategy, &["policy.batching=5min"]);
        (updates(&played).len(), played.commits.iter().map(|row| row.rejected_before).sum::<u32>())
    };
    for warming in ["round-robin", "most-blanks"] {
        // Every round falls on a batch.
        let (rounds, rejected) = rejected(&format!("rfc9420+warming={warming}:10min"));
        assert!(rounds > 100 && rejected == 0, "{warming}: {rejected} of {rounds}");
    }
}

#[test]
fn evict_takes_exactly_those_who_are_due() {
    // One is always there; one comes every ten hours; one never again; one after two days.
    let mut rows: Vec<(u64, &str)> = (0..360).map(|at| (at * 600, "always")).collect();
    rows.extend((0..6).map(|at| (100 + at * 36_000, "often")));
    rows.extend([(200, "never"), (300, "late"), (2 * 86_400, "late")]);
    rows.sort_unstable();
    let lines: String = rows.iter().map(|(time, actor)| format!("{time},{actor}\n")).collect();
    let trace = || Some(Trace::parse("t", format!("time_s,actor\n{lines}").as_bytes()).unwrap());
    let text = r#"
        name = "trace"
        title = "trace"
        analysis = "Four people."
        duration = "60h"
        [group]
        members = 1
        fidelity = "counted"
        [workload]
        trace = "t"
        trace_session = "30min"
    "#;
    let play = |strategy, set: &[&str]| play_trace(&scenario(text, strategy, set), trace());
    let evicting = play("rfc9420+inactive=evict:12h", &[]);
    let removed: Vec<_> =
        events(&evicting, "removed").map(|row| (row.client, row.time_ms)).collect();
    let (first, second) = (removed[0], removed[1]);
    // Clients are numbered as they come. Half an hour after its event each is offline.
    assert_eq!([first.0, second.0], [2, 3]);
    for ((_, at), seen) in removed.iter().zip([200, 300]) {
        let due = (seen + 1_800) * 1_000 + 12 * HOUR;
        assert!((due..due + 1_000).contains(at), "{at} for {due}");
    }
    assert_eq!(removed.len(), 2);
    assert_eq!(events(&evicting, "added").filter(|row| row.client == 3).count(), 2, "comes back");
    // The policy of the scenario is the same thing, and gives way to the strategy.
    let policy = ["policy.evict_after=12h"];
    assert_eq!(play("rfc9420", &policy).digest, evicting.digest);
    let other = ["policy.evict_after=1h"];
    assert_eq!(play("rfc9420+inactive=evict:12h", &other).digest, evicting.digest);
    assert_eq!(events(&play("rfc9420+inactive=keep", &policy), "removed").count(), 0);
}

#[test]
fn every_leaves_at_most_one_commit_a_period() {
    let always = r#"
        name = "always"
        title = "always online"
        analysis = "Arrivals and departures, and nothing else."
        duration = "1d"
        [group]
        members = 64
        fidelity = "counted"
        [workload.arrivals]
        per_day = 300
        [workload.removals]
        per_member_per_day = 1
    "#;
    let every = play(always, "rfc9420+batching=every:30m", &[]);
    let mut periods: Vec<_> = every
        .commits
        .iter()
        .filter(|row| !row.creation)
        .map(|row| row.time_ms / (HOUR / 2))
        .collect();
    let commits = periods.len();
    periods.dedup();
    assert_eq!(periods.len(), commits);
    assert!(commits > 40, "{commits}");
    let adds = |played: &Recorded| played.commits.iter().map(|row| row.adds).max();
    assert!(adds(&every) > Some(3));
    let immediate = play(always, "rfc9420+batching=immediate", &["policy.batching=30min"]);
    assert!(immediate.commits.len() > 5 * commits);
    assert_eq!(play(always, "rfc9420", &["policy.batching=30min"]).digest, every.digest);
    assert_eq!(play(always, "rfc9420", &[]).digest, immediate.digest);
}

/// A group that has shrunk from 64 to about a quarter, here and there.
const SHRUNK: &str = r#"
name = "shrunk"
title = "shrunk"
analysis = "Most have gone, and the others stand where they stood."
duration = "2d"
[group]
members = 64
fidelity = "counted"
start = "warm"
[workload.removals]
per_member_per_day = 1
[policy]
update_every = "4h"
"#;

fn last(played: &Recorded) -> (u64, u64) {
    let row = played.tree.last().unwrap();
    (row.members, row.width)
}

#[test]
fn resync_and_swap_let_the_tree_be_cut() {
    let plain = play(SHRUNK, "rfc9420", &[]);
    for strategy in ["rfc9420+compaction=resync", "rfc9420+compaction=swap:2"] {
        let moving = play(SHRUNK, strategy, &[]);
        let ((members, width), (same, before)) = (last(&moving), last(&plain));
        assert_eq!(members, same, "{strategy}: the same people");
        assert!(width < before, "{strategy}: {width} and {before}");
        assert!(width < 2 * members.next_power_of_two(), "{strategy}: {width} for {members}");
    }
    // Who moves by itself renews its keys with that; who is moved is removed and added.
    let resync = play(SHRUNK, "rfc9420+compaction=resync", &[]);
    assert_eq!(events(&resync, "added").count(), 0);
    let swap = play(SHRUNK, "rfc9420+compaction=swap:2", &[]);
    let moved = events(&swap, "added").count();
    assert!(moved > 5, "{moved}");
    assert!(swap.commits.iter().all(|row| row.creation || row.adds <= 2));
}

#[test]
fn scoot_over_lets_the_tree_be_cut_and_sends_nothing_more() {
    let plain = play(SHRUNK, "rfc9420", &[]);
    let moving = play(SHRUNK, "scoot-over", &[]);
    let ((members, width), (same, before)) = (last(&moving), last(&plain));
    assert_eq!(members, same, "the same people");
    assert!(width < before, "{width} and {before}");
    assert!(width < 2 * members.next_power_of_two(), "{width} for {members}");
    assert_eq!(events(&moving, "added").count(), 0);
    // A move is a commit like any other, in number and in what is proposed.
    assert_eq!(moving.commits.len(), plain.commits.len());
    let proposals = |played: &Recorded| {
        updates(played).iter().map(|row| row.bytes_proposals).collect::<Vec<_>>()
    };
    assert_eq!(proposals(&moving), proposals(&plain));
}

/// Rows of commits that make the group anew.
fn rebuilt(played: &Recorded) -> Vec<&CommitRow> {
    let anew = |row: &&CommitRow| {
        !row.creation && row.adds == row.removes && u64::from(row.adds) + 1 == row.members
    };
    played.commits.iter().filter(anew).collect()
}

/// Holds the commits that make a group anew to a rule: only when it is due, and not since the last.
fn check_rebuilt_when(anew: &Recorded, is_due: impl Fn(&CommitRow) -> bool) {
    let rows = rebuilt(anew);
    assert!(!rows.is_empty());
    let steps = anew.commits.iter().filter(|row| !row.creation);
    let (mut was_sound, mut was_due) = (false, false);
    for row in steps {
        let is_rebuilt = rows.iter().any(|rebuilt| rebuilt.epoch == row.epoch);
        assert!(was_sound && was_due || !is_rebuilt, "epoch {}", row.epoch);
        was_due = is_due(row);
        was_sound = !was_due || was_sound && !is_rebuilt;
    }
}

#[test]
fn a_group_is_made_anew_each_time_that_its_tree_becomes_empty() {
    let plain = play(SHRUNK, "rfc9420", &[]);
    let is_sparse = |row: &CommitRow| 100 * row.members < 40 * row.width;
    assert!(plain.commits.iter().any(is_sparse));
    let anew = play(SHRUNK, "rfc9420+compaction=rebuild:40%", &[]);
    check_rebuilt_when(&anew, is_sparse);
    for row in rebuilt(&anew) {
        assert_eq!(row.width, row.members.next_power_of_two());
    }
    assert!(anew.commits.iter().filter(|row| is_sparse(row)).count() < 10);
    assert_eq!(last(&anew).0, last(&plain).0, "the same people");
}

#[test]
fn a_group_is_made_anew_each_time_that_it_becomes_dear() {
    let plain = play(SHRUNK, "rfc9420", &[]);
    assert!(rebuilt(&plain).is_empty());
    let anew = play(SHRUNK, "rfc9420+compaction=rebuild:2", &[]);
    let rows = rebuilt(&anew);
    assert!(!rows.is_empty());
    for row in &rows {
        assert_eq!(row.width, row.members.next_power_of_two());
        assert_eq!((row.unmerged, row.ciphertexts), (0, 0));
        let others = u64::from(row.adds);
        assert!(row.welcome_bytes > others * 100, "an entry for each: {}", row.welcome_bytes);
    }
    // Dear again only after it has been cheap.
    let dear = |row: &CommitRow| {
        let depth = u64::from(row.members.next_power_of_two().trailing_zeros());
        row.expected_cost_sum > 2 * row.members * depth
    };
    check_rebuilt_when(&anew, dear);
    let ((members, width), (same, before)) = (last(&anew), last(&plain));
    assert_eq!(members, same, "the same people");
    assert!(width <= before, "{width} and {before}");
    // A cold group is never made anew.
    assert!(rebuilt(&play(STILL, "rebuild", &[])).is_empty());
}

#[test]
fn moving_goes_on_under_churn() {
    for strategy in [
        "rebuild+compaction=rebuild:2+warming=on-return+inactive=evict:6h+batching=propose-commit:2",
        "scoot-over+warming=on-return+inactive=evict:6h+batching=propose-commit:2",
        "rfc9420+compaction=resync+warming=on-return+inactive=evict:6h",
        "rfc9420+compaction=swap:3+warming=on-join+batching=every:10min",
    ] {
        let played = play(CHURN, strategy, &["workload.lifetime.mean=12h"]);
        let (members, width) = last(&played);
        assert!(width <= 2 * members.next_power_of_two(), "{strategy}: {width} for {members}");
    }
}

#[test]
fn proposed_updates_renew_more_members_and_blank_more_of_the_tree() {
    let warm = ["group.start=warm", "policy.update_every=6h"];
    let alone = play(STILL, "rfc9420", &warm);
    let together = play(STILL, "rfc9420+batching=propose-commit:3", &warm);
    // Four are renewed by each commit, some of them early: less than two thirds of the commits do.
    let commits = updates(&together).len();
    assert!(3 * commits < 2 * updates(&alone).len(), "{commits} and {}", updates(&alone).len());
    assert!(updates(&together).iter().all(|row| row.bytes_proposals >= 3 * 33));
    assert!(updates(&alone).iter().all(|row| row.expected_cost_sum == 6 * 64));
    assert!(mean_cost(&together) > 1.5 * mean_cost(&alone));
    let blanks = updates(&together).iter().map(|row| row.blank_parents).max();
    assert!(blanks > Some(5), "{blanks:?}");
}

#[test]
fn proposed_paths_renew_as_many_members_and_blank_only_where_they_meet() {
    let warm = ["group.start=warm", "policy.update_every=6h"];
    let together = play(STILL, "rfc9420+batching=propose-commit:3", &warm);
    let concurrent = play(STILL, "rfc9420+batching=concurrent:3", &warm);
    // The same members at the same times: a proposal is one, whatever it carries.
    let committers = |played: &Recorded| {
        updates(played).iter().map(|row| (row.time_ms, row.committer)).collect::<Vec<_>>()
    };
    assert_eq!(committers(&concurrent), committers(&together));
    assert!(mean_cost(&concurrent) < 0.5 * mean_cost(&together));
    // Three paths in a warm tree meet in two parents, and two rounds' are blank at most for a while.
    let first = &updates(&concurrent)[0];
    assert!(first.blank_parents <= 2 + 5, "{}", first.blank_parents);
    assert!(updates(&concurrent).iter().any(|row| row.expected_cost_sum > 6 * 64));
}

#[test]
fn people_are_the_same_whatever_clients_do() {
    let digest = |strategy| {
        let scenario = scenario(CHURN, strategy, &[]);
        Demand::new(&scenario, None).digest()
    };
    let plain = digest("rfc9420");
    for strategy in [
        "2018-10+warming=on-join",
        "rfc9420+warming=most-blanks:1h+batching=every:30m",
        "rfc9420+inactive=evict:2h+compaction=swap:3",
    ] {
        assert_eq!(digest(strategy), plain, "{strategy}");
    }
}

#[test]
fn what_makes_no_sense_together_is_refused_with_the_reason() {
    let refused = |strategy: &str, set: &[&str]| {
        Behaviour::of(&scenario(STILL, strategy, set)).unwrap_err().to_string()
    };
    for value in ["resync", "swap:2"] {
        let told = refused(&format!("2018-10+compaction={value}"), &[]);
        assert!(told.contains("this preset never cuts it off"), "{told}");
        let told = refused(&format!("rfc9420+placement=nearest+compaction={value}"), &[]);
        assert!(told.contains("needs placement=leftmost-blank"), "{told}");
        let told = refused(&format!("scoot-over+compaction={value}"), &[]);
        assert!(told.contains("compaction=scoot-over does already"), "{told}");
    }
    for value in ["warming=round-robin:1ms", "warming=most-blanks:1ms", "batching=every:1ms"] {
        let told = refused(&format!("rfc9420+{value}"), &["duration=1d"]);
        assert!(told.contains("every 1ms for 1d is more than 10000000 rounds"), "{told}");
    }
    let scenario = scenario(STILL, "rfc9420+warming=on-join", &[]);
    assert_eq!(scenario.duration, Millis::DAY);
    assert!(Behaviour::of(&scenario).is_ok());
}

/// The ages of members' keys at the end, from the commits and events alone.
fn key_ages(recorded: &Recorded, founders: u32, end: u64) -> Distribution {
    let mut keyed: BTreeMap<u32, u64> = (0..founders).map(|client| (client, 0)).collect();
    // Of one moment a removal comes first: whoever is removed and added at once has new keys.
    let mut changes: Vec<(u64, bool, u32)> = vec![];
    changes.extend(events(recorded, "removed").map(|row| (row.time_ms, false, row.client)));
    changes.extend(events(recorded, "added").map(|row| (row.time_ms, true, row.client)));
    let commits: BTreeSet<_> =
        recorded.commits.iter().map(|row| (row.time_ms, row.committer)).collect();
    changes.extend(commits.iter().map(|(time, committer)| (*time, true, *committer)));
    changes.sort_unstable();
    // All packages were published when their client registered, founders' at time zero.
    let mut registered = keyed.clone();
    registered.extend(events(recorded, "register").map(|row| (row.client, row.time_ms)));
    for (time, has_keys, client) in changes {
        let made = if commits.contains(&(time, client)) { time } else { registered[&client] };
        if has_keys {
            keyed.insert(client, made)
        } else {
            keyed.remove(&client)
        };
    }
    let mut ages = Distribution::default();
    keyed.values().for_each(|time| ages.record((end - time) / 1_000));
    ages
}

#[test]
fn the_ages_of_keys_are_those_of_the_last_commit_or_add() {
    let policy = ["policy.update_every=6h", "policy.evict_after=5h", "duration=2d"];
    let mut means = vec![];
    for (strategy, set) in [
        ("rfc9420", &policy[..]),
        ("rfc9420", &policy[2..]),
        ("rfc9420+compaction=swap:2", &policy),
    ] {
        let scenario = scenario(CHURN, strategy, set);
        let (outcome, recorded) = simulate(&scenario, None);
        let ages = key_ages(&recorded, 64, scenario.duration.0);
        assert_eq!(outcome.key_age_s, ages.five_figures(), "{strategy} {set:?}");
        assert_eq!(recorded.tree.last().map(|row| row.members), Some(ages.count()), "{strategy}");
        means.push(outcome.key_age_s.mean.unwrap());
    }
    assert!(means[0] < means[1] / 2.0, "renewals and evictions make keys younger: {means:?}");
}

#[test]
fn whoever_is_evicted_before_its_first_return_comes_back_all_the_same() {
    let set = ["policy.evict_after=1h", "policy.batching=1h", "duration=3d"];
    for strategy in ["rfc9420", "rfc9420+compaction=swap:2", "rebuild"] {
        let (outcome, recorded) = simulate(&scenario(CHURN, strategy, &set), None);
        // Who is online; who was added while it was not, and so has a Welcome that waits for it; who was removed
        // before it came for it; who of them has come online since and not been added.
        let [mut online, mut waits, mut removed, mut out] =
            [(); 4].map(|()| BTreeSet::<u32>::new());
        let mut cases = 0;
        for Event { kind, client, .. } in &recorded.events {
            match &**kind {
                "added" => {
                    removed.remove(client);
                    out.remove(client);
                    if !online.contains(client) {
                        waits.insert(*client);
                    }
                }
                "removed" if waits.remove(client) => {
                    removed.insert(*client);
                }
                "online" => {
                    online.insert(*client);
                    waits.remove(client);
                    cases += usize::from(removed.contains(client));
                    out.extend(removed.take(client));
                }
                "offline" => {
                    online.remove(client);
                }
                _ => {}
            }
        }
        assert!(cases > 20, "{strategy}: {cases}");
        // Some had left for good, and some ask still.
        assert!(out.len() * 4 < cases, "{strategy}: {} of {cases} are not let in", out.len());
        let Evicted { people, people_back, times_back } = outcome.evicted;
        assert!(people >= people_back && times_back >= people_back && people_back > 20);
    }
}

/// What was sent in its epochs and arrives after it has come online belongs to nobody's mailbox: the run ends
/// in a fault unless each copy comes to an end that is counted.
#[test]
fn letters_for_who_is_evicted_before_its_first_return_are_accounted_for() {
    let set = [
        "policy.evict_after=30min",
        "policy.batching=20min",
        "network.delay={ distribution = \"constant\", value = \"9min\" }",
        "network.max_delay=10min",
        "workload.messages.attachments=0.1",
        "workload.activity.messages_per_day=60",
    ];
    let (outcome, _) = simulate(&scenario(CHURN, "rfc9420", &set), None);
    assert!(outcome.system.messages.sent > 1_000 && outcome.evicted.times_back > 50);
}

#[test]
fn a_backup_is_of_use_until_its_client_has_gone_on() {
    let losses = "workload.losses={ per_client_per_day = 2.0, backups = 1.0 }";
    let sessions = |online: &str, offline: &str| {
        let each = |mean: &str| format!("{{ distribution = \"exponential\", mean = \"{mean}\" }}");
        format!("workload.sessions={{ online = {}, offline = {} }}", each(online), each(offline))
    };
    let lost = |sessions: &str, set: &[&str]| {
        let set = [&["group.start=warm", losses, sessions], set].concat();
        simulate(&scenario(STILL, "rfc9420", &set), None).0.system.recovery
    };
    // Who has not been online since the start has not used the state that it went offline with.
    let away = lost(&sessions("1min", "30d"), &[]);
    assert!(away.losses > 60, "{away:?}");
    assert_eq!((away.backups_restored, away.stale_backups), (away.losses, 0));
    // Who is online and commits has.
    let here = lost(&sessions("8h", "8h"), &["policy.update_every=1h"]);
    assert!(here.backups_restored > 20 && here.stale_backups > 20, "{here:?}");
    assert_eq!(here.backups_restored + here.stale_backups, here.losses);
}
