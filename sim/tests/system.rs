//! The system around the tree, by the real binary: messages, links, lost and further devices, mailboxes that
//! forget, federated services. What happens is the same at all fidelities, and the books balance.

mod common;

use common::{arboretum, check_contract, number, run_into, summary};

/// Sixty clients to whom everything happens within a day.
const EVERYTHING: &str = r#"
name = "everything"
title = "everything"
analysis = "Everything that the architecture asks for happens to a few."
duration = "20h"
[group]
members = 40
audit = 2
[workload]
[workload.arrivals]
per_day = 20
[workload.lifetime]
distribution = "exponential"
mean = "5d"
[workload.sessions]
online = { distribution = "exponential", mean = "30min" }
offline = { distribution = "log-normal", mu = 0.5, sigma = 1.2, unit = "h" }
[workload.activity]
messages_per_day = 12
[workload.messages]
attachments = 0.1
attachment_bytes = 3000
[workload.removals]
per_member_per_day = 0.1
[workload.revocations]
per_member_per_day = 0.05
[workload.old_clients]
fraction = 0.3
[authentication]
rotate_every = "10h"
[workload.losses]
per_client_per_day = 0.5
backups = 0.5
[workload.device_changes]
adds_per_user_per_day = 0.3
kept_for = { distribution = "exponential", mean = "1d" }
[policy]
update_every = "4h"
batching = "1min"
evict_after = "10h"
joining = "link"
[network]
delay = { distribution = "log-normal", mu = 6.0, sigma = 1.0, unit = "ms" }
jitter = { distribution = "exponential", mean = "3s" }
loss = 0.01
[service]
retention = "6h"
services = 3
refill_packages = true
"#;

#[test]
fn all_fidelities_tell_of_the_same_system() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("everything.toml");
    std::fs::write(&file, EVERYTHING).unwrap();
    let file = file.to_str().unwrap();
    let run = |fidelity: &str| {
        let folder = run_into(root.path(), fidelity, &[file, "--fidelity", fidelity]);
        check_contract(&folder);
        summary(&folder)
    };
    let (full, shared, counted) = (run("full"), run("shared"), run("counted"));
    let same = [
        "digest",
        "links",
        "recovery",
        "devices",
        "metadata",
        "credentials",
        "abilities",
        "ops",
        "members",
    ];
    for key in same {
        assert_eq!(full[key], shared[key], "{key}");
        assert_eq!(full[key], counted[key], "{key}");
    }
    assert_eq!(full["messages"], shared["messages"]);
    for (name, least) in [
        ("messages.read", 1_000),
        ("messages.attachments", 10),
        ("messages.overtaken", 1),
        ("messages.lost", 10),
        ("messages.forfeited", 10),
        ("messages.waiting", 10),
        ("messages.pried", 100),
        ("links.joins", 5),
        ("recovery.losses", 5),
        ("recovery.backups_restored", 1),
        ("recovery.cut_off", 1),
        ("recovery.rejoined", 5),
        ("devices.added", 3),
        ("metadata.others.senders", 100),
        ("evictions", 1),
        ("credentials.issued", 50),
        ("credentials.rotated", 10),
        ("credentials.revoked", 1),
        ("abilities.old_members", 1),
        ("abilities.suites_start", 2),
        ("abilities.extensions_start", 1),
    ] {
        assert!(number(&shared, name) >= least, "{name}: {}", number(&shared, name));
    }
    assert_eq!(number(&shared, "abilities.suites_min"), 1, "an old client has the group's suite");
    assert_eq!(number(&shared, "abilities.extensions_min"), 0);
    let ends = ["read", "lost", "expired", "too_late", "forfeited", "waiting"];
    let known: u64 = ends.iter().map(|end| number(&shared, &format!("messages.{end}"))).sum();
    assert_eq!(known, number(&shared, "messages.due"));
    // The first service decides and the others pass on: all see all commits, each sender's own knows it.
    let sent = number(&shared, "metadata.first.messages");
    let senders = number(&shared, "metadata.first.senders");
    assert_eq!(senders + number(&shared, "metadata.others.senders"), sent);
    assert_eq!(
        number(&shared, "metadata.others.commits"),
        2 * number(&shared, "metadata.first.commits")
    );
}

#[test]
fn whoever_is_invited_back_is_removed_and_added() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("everything.toml");
    std::fs::write(&file, EVERYTHING).unwrap();
    let set = ["--set", "policy.recovery=invited", "--set", "policy.joining=invited"];
    let arguments = [&[file.to_str().unwrap(), "--fidelity", "counted"][..], &set].concat();
    let summary = summary(&run_into(root.path(), "invited", &arguments));
    assert_eq!(number(&summary, "recovery.rejoined"), 0);
    assert_eq!(number(&summary, "links.joins"), 0);
    assert!(number(&summary, "recovery.readded") >= 5, "{summary}");
}

#[test]
fn events_tell_what_has_happened() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("everything.toml");
    std::fs::write(&file, EVERYTHING).unwrap();
    let arguments = [file.to_str().unwrap(), "--fidelity", "counted", "--events"];
    let folder = run_into(root.path(), "events", &arguments);
    let events = std::fs::read_to_string(folder.join("events.csv")).unwrap();
    let kinds = [
        "send",
        "attach",
        "receive",
        "joined by link",
        "lose",
        "restore",
        "recover",
        "rejoined",
        "cut off",
    ];
    for kind in kinds {
        assert!(events.contains(&format!(",{kind},")), "{kind}");
    }
}

#[test]
fn what_cannot_be_is_refused() {
    for (set, says) in [
        (&["workload.messages.attachments=2"][..], "workload.messages.attachments: 2 is not"),
        (&["service.services=0"], "service.services: from 1 to"),
        (&["service.retention=1s"], "service.retention: a mailbox keeps for more than 50s"),
        (&["network.loss=-1"], "network.loss: -1 is not"),
        (&["workload.losses.per_client_per_day=1000"], "workload.losses.per_client_per_day"),
        (
            &["workload.messages.bytes=1", "group.strategy=rfc9420+batching=propose-commit:1"],
            "nobody may send messages before they are committed",
        ),
        (
            &["workload.groups={ further = 1000, share = 0.0 }", "group.members=20000"],
            "workload.groups.further: 20020000 clients times groups",
        ),
        (
            &[
                "workload.crowd={ users = 5, within = \"1min\", stay = \"3d\", leave_within = \"1min\" }",
            ],
            "the crowd is not gone when the run ends",
        ),
    ] {
        let mut command = arboretum();
        command.args(["run", "smoke"]);
        set.iter().for_each(|set| _ = command.args(["--set", set]));
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{set:?}");
        let error = String::from_utf8_lossy(&output.stderr).replace("\n", " ");
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words(&error).contains(says), "{error}");
    }
}
