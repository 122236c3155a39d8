//! Several groups of the same people, by the real binary: each is a group of its own, who is in it is the
//! people's affair, and a device that is added is added to all of its user's.

mod common;

use common::{check_contract, number, run_into, summary};

/// Forty people, some in three other groups.
const SEVERAL: &str = r#"
name = "several"
title = "several"
analysis = "Some are in several groups."
duration = "20h"
[group]
members = 40
audit = 1
[workload]
[workload.groups]
further = 3
share = 0.5
[workload.arrivals]
per_day = 20
[workload.old_clients]
fraction = 0.5
without_suite = 0.5
[workload.sessions]
online = { distribution = "exponential", mean = "30min" }
offline = { distribution = "log-normal", mu = 0.5, sigma = 1.2, unit = "h" }
[workload.activity]
messages_per_day = 12
[workload.messages]
[workload.removals]
per_member_per_day = 0.1
[workload.device_changes]
adds_per_user_per_day = 0.5
[authentication]
rotate_every = "10h"
[policy]
update_every = "4h"
"#;

fn column(folder: &std::path::Path, name: &str) -> Vec<String> {
    let table = std::fs::read_to_string(folder.join("groups.csv")).unwrap();
    let cell = |row: &str, at: usize| row.split(',').nth(at).unwrap().to_owned();
    let mut rows = table.lines();
    let at = rows.next().unwrap().split(',').position(|column| column == name).unwrap();
    rows.map(|row| cell(row, at)).collect()
}

#[test]
fn every_group_is_a_group_and_all_fidelities_agree_on_each() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("several.toml");
    std::fs::write(&file, SEVERAL).unwrap();
    let file = file.to_str().unwrap();
    let run = |name: &str, more: &[&str]| {
        let folder = run_into(root.path(), name, &[&[file, "--events"], more].concat());
        check_contract(&folder);
        (summary(&folder), folder)
    };
    let (shared, folder) = run("shared", &[]);
    for fidelity in ["full", "counted"] {
        let (other, elsewhere) = run(fidelity, &["--fidelity", fidelity]);
        assert_eq!(shared["digest"], other["digest"], "{fidelity}");
        assert_eq!(column(&folder, "digest"), column(&elsewhere, "digest"), "{fidelity}");
        assert_eq!(shared["groups"]["bytes_received"], other["groups"]["bytes_received"]);
    }
    assert_eq!(number(&shared, "groups.count"), 4);
    let sum = |name: &str| -> u64 {
        column(&folder, name).iter().map(|cell| cell.parse::<u64>().unwrap()).sum()
    };
    assert_eq!(sum("members_end"), number(&shared, "groups.memberships"));
    assert_eq!(sum("commits"), number(&shared, "groups.commits"));
    assert!(column(&folder, "audits").iter().all(|audits| audits != "0"));
    assert!(column(&folder, "messages_read").iter().all(|read| read != "0"));
    let digests = column(&folder, "digest");
    assert!((1..4).all(|at| digests[at] != digests[0]));
    // Who has a new device has it in each of its groups.
    assert!(number(&shared, "groups.devices_added") > number(&shared, "devices.added"));
    assert!(number(&shared, "devices.added") > 0);
    assert!(number(&shared, "groups.rotated") > number(&shared, "credentials.rotated"));
    let events = std::fs::read_to_string(folder.join("events.csv")).unwrap();
    assert!(events.contains(",group 4"), "events of all groups");
    assert!(events.contains(",no common suite,"));
    let refused = number(&shared, "abilities.refused");
    assert!(refused > 0);
    assert!(number(&shared, "credentials.issued") >= number(&shared, "members.ever") + refused);

    // The first group is what it is without the others, but for the messages that go there.
    let (alone, _) = run("alone", &["--set", "workload.groups.further=0"]);
    assert_ne!(digests[0], alone["digest"].as_str().unwrap());
    for name in ["members.ever", "credentials.issued", "devices.asked"] {
        assert_eq!(number(&alone, name), number(&shared, name), "{name}");
    }
    assert!(number(&alone, "messages.sent") > number(&shared, "messages.sent"));
    assert_eq!(number(&alone, "groups.count"), 0);
}

#[test]
fn other_protocols_have_several_groups_too() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("plain.toml");
    // Without what they have not got.
    let old = "[workload.old_clients]\nfraction = 0.5\nwithout_suite = 0.5\n";
    let rotation = "[authentication]\nrotate_every = \"10h\"\n";
    std::fs::write(&file, SEVERAL.replace(old, "").replace(rotation, "")).unwrap();
    for protocol in ["art", "sender-keys", "lkh"] {
        let arguments = [file.to_str().unwrap(), "--protocol", protocol];
        let summary = summary(&run_into(root.path(), protocol, &arguments));
        assert_eq!(number(&summary, "groups.count"), 4, "{protocol}");
        assert!(number(&summary, "groups.messages_read") > number(&summary, "messages.read"));
    }
}
