//! Copied states: the book of what follows from each agrees at all fidelities, and at `full` with somebody who has the copy and
//! really tries, over random lives under many strategies; then each case by hand.

#[path = "copied/lab.rs"]
mod lab;
#[path = "differential/remembering.rs"]
mod remembering;
#[path = "common/seeds.rs"]
mod seeds;

use arboretum_engine::protocol::{ClientId, Copied, CopyId, Protocol};
use arboretum_engine::strategy::Strategy;

use lab::{Lab, Seen};

/// Debug builds run slower by an order of magnitude.
const SEEDS: u64 = if cfg!(debug_assertions) { 1 } else { 8 };

/// Strategies that differ in who learns what.
const STRATEGIES: [&str; 12] = [
    "rfc9420",
    "2018-10",
    "2019-03",
    "tainted-2021",
    "multicast-2022",
    "bonsai-2024",
    "scoot-over",
    "smallest-tree",
    "concurrent-2025",
    "rfc9420+removal=faster-remove",
    "rfc9420+unmerged=off",
    "rfc9420+shape=2-3",
];

#[test]
fn random_lives_under_many_strategies() {
    let mut seen = Seen::default();
    for (number, name) in STRATEGIES.into_iter().enumerate() {
        let strategy = Strategy::parse(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        for seed in 0..SEEDS {
            let mut lab = Lab::new(seed * 100 + number as u64, strategy);
            lab.live(16, 9);
            seen += lab.seen;
        }
    }
    let Seen {
        copies, healed, reopened, drafts, proposals, lagging, half, replaced, reads, ..
    } = seen;
    for count in [copies, healed, reopened, drafts, proposals, lagging, half, replaced, reads] {
        assert!(count > SEEDS, "{seen:?}");
    }
}

#[test]
fn random_lives_with_ghosts() {
    let mut seen = Seen::default();
    for seed in 0..3 * SEEDS {
        let mut lab = Lab::with_ghosts(7_000 + seed);
        lab.live(24, 14);
        seen += lab.seen;
    }
    let Seen { copies, healed, ghosts, asking, .. } = seen;
    assert!(copies.min(healed).min(ghosts) > SEEDS && asking > 0, "{seen:?}");
}

/// A group of eight, each with two more key packages; the third has been copied.
fn copied() -> (Lab, ClientId, CopyId) {
    let mut lab = Lab::new(1, Strategy::RFC9420);
    lab.commit(ClientId(0), &(1..8).map(ClientId).collect::<Vec<_>>(), &[]);
    (1..8).for_each(|client| lab.commit(ClientId(client), &[], &[]));
    let victim = ClientId(3);
    let copy = lab.copy(victim);
    let found = lab.copied(copy);
    assert!(found.knows_epoch && found.keys_in_tree == 4, "{found:?}");
    (lab, victim, copy)
}

fn is_healed(lab: &Lab, copy: CopyId) -> bool {
    let Copied { knows_epoch, keys_in_tree, .. } = lab.copied(copy);
    !knows_epoch && keys_in_tree == 0
}

#[test]
fn the_clients_own_commit_heals_and_no_other() {
    let (mut lab, victim, copy) = copied();
    for other in [0, 2, 5, 7] {
        lab.commit(ClientId(other), &[], &[]);
        assert!(lab.copied(copy).knows_epoch, "client {other}");
    }
    lab.forward(ClientId(0));
    let late = lab.send(ClientId(0));
    lab.commit(victim, &[], &[]);
    assert!(is_healed(&lab, copy));
    // Who has not received it still sends where the copy reads.
    let overtaken = lab.send(ClientId(0));
    lab.forward(ClientId(0));
    let safe = lab.send(ClientId(0));
    assert!(lab.reads(copy, late) && lab.reads(copy, overtaken) && !lab.reads(copy, safe));
}

#[test]
fn a_silent_client_is_known_until_it_is_removed() {
    let (mut lab, victim, copy) = copied();
    for round in 0..12 {
        let by = [0, 1, 2, 4, 5, 6, 7][round % 7];
        lab.commit(ClientId(by), &[], &[]);
        assert!(lab.copied(copy).knows_epoch, "round {round}");
    }
    lab.commit(ClientId(0), &[], &[victim]);
    assert!(is_healed(&lab, copy));
    assert_eq!(lab.copied(copy).packages, 2, "by which it may be known again");
}

#[test]
fn a_copied_key_package_opens_the_group_again() {
    let (mut lab, victim, copy) = copied();
    lab.commit(ClientId(0), &[], &[victim]);
    assert!(is_healed(&lab, copy));
    for left in [1, 0] {
        lab.commit(ClientId(0), &[victim], &[]);
        assert!(lab.copied(copy).knows_epoch && lab.copied(copy).keys_in_tree > 0);
        assert_eq!(lab.copied(copy).packages, left);
        lab.commit(ClientId(0), &[], &[victim]);
        assert!(is_healed(&lab, copy));
    }
    // What it publishes later was made later.
    lab.publish(victim, 1);
    lab.commit(ClientId(0), &[victim], &[]);
    assert!(is_healed(&lab, copy));
    assert_eq!(lab.copied(copy), Copied::SPENT);
}

#[test]
fn a_member_that_is_removed_and_added_at_once_is_known_by_its_package() {
    let (mut lab, victim, copy) = copied();
    lab.commit(ClientId(0), &[victim], &[victim]);
    assert!(lab.copied(copy).knows_epoch && lab.copied(copy).packages == 1);
}

#[test]
fn what_was_on_its_way_is_copied_too() {
    let (mut lab, victim, _) = copied();
    // A commit, with its sender's new state.
    let draft = lab.draft(victim, &[], &[]);
    let copy = lab.copy_with(victim, &draft);
    lab.accept(draft);
    assert!(lab.copied(copy).knows_epoch, "it healed from what was copied before, not from this");
    assert_eq!(lab.copied(copy).keys_in_tree, 4);
    // One that loses the race is of no use to anybody.
    let lost = lab.draft(victim, &[], &[]);
    let copy = lab.copy_with(victim, &lost);
    lab.commit(ClientId(0), &[], &[]);
    assert!(lab.copied(copy).knows_epoch);
    lab.commit(victim, &[], &[]);
    assert!(is_healed(&lab, copy));
    // An Update that was proposed before; and one after.
    lab.propose(victim);
    let copy = lab.copy(victim);
    lab.commit(ClientId(0), &[], &[]);
    assert!(lab.copied(copy).knows_epoch);
    lab.propose(victim);
    lab.commit(ClientId(0), &[], &[]);
    assert!(is_healed(&lab, copy));
}

#[test]
fn who_lags_is_known_where_the_others_are() {
    let (mut lab, victim, _) = copied();
    let sent: Vec<_> = (0..6)
        .map(|round| {
            lab.commit(ClientId([0, 1, 2, 4, 5, 6][round]), &[], &[]);
            lab.forward(ClientId(7));
            lab.send(ClientId(7))
        })
        .collect();
    let copy = lab.copy(victim);
    assert!(lab.copied(copy).knows_epoch);
    assert!(sent.iter().all(|message| lab.reads(copy, *message)), "all that waits for it");
}

/// Forward secrecy within an epoch and after it: what was read is erased, and so is what is too old.
#[test]
fn messages_that_were_read_are_safe() {
    let (mut lab, victim, _) = copied();
    lab.forward(ClientId(0));
    lab.forward(victim);
    let read = lab.send(ClientId(0));
    lab.read(victim, read);
    let missed = lab.send(ClientId(0));
    let own = lab.send(victim);
    let early = lab.copy(victim);
    assert!(!lab.reads(early, read) && lab.reads(early, missed) && !lab.reads(early, own));
    for _ in 0..4 {
        lab.commit(ClientId(0), &[], &[]);
        lab.forward(victim);
    }
    let kept = lab.copy(victim);
    assert!(lab.reads(kept, missed) && !lab.reads(kept, read));
    lab.commit(ClientId(0), &[], &[]);
    lab.forward(victim);
    let late = lab.copy(victim);
    assert!(!lab.reads(late, missed), "the keys of that epoch are erased");
    let later = lab.send(victim);
    assert!([early, kept, late].into_iter().all(|copy| lab.reads(copy, later)));
}

#[test]
fn entering_anew_heals() {
    let (mut lab, victim, copy) = copied();
    lab.rejoin(ClientId(5));
    assert!(lab.copied(copy).knows_epoch, "an external init secret follows from the epoch's");
    lab.rejoin(victim);
    assert!(is_healed(&lab, copy));
}

#[test]
fn a_group_made_anew_is_known_by_package_and_resumption_key() {
    let (mut lab, victim, copy) = copied();
    lab.rebuild(ClientId(0));
    assert!(lab.copied(copy).knows_epoch);
    // Its own commit heals; its last package leads to keys of the next tree, not to its epochs.
    lab.commit(victim, &[], &[]);
    assert!(is_healed(&lab, copy));
    lab.rebuild(ClientId(0));
    let half = lab.copied(copy);
    assert!(!half.knows_epoch && half.keys_in_tree > 0, "{half:?}");
    lab.commit(ClientId(1), &[], &[]);
    let half = lab.copied(copy);
    assert!(!half.knows_epoch && half.keys_in_tree > 0, "{half:?}");
    lab.commit(victim, &[], &[]);
    assert_eq!(lab.copied(copy), Copied::SPENT);
    // Who makes the new group draws all of it.
    let other = lab.copy(ClientId(6));
    lab.publish(ClientId(6), 3);
    lab.rebuild(ClientId(6));
    assert!(is_healed(&lab, other));
}

#[test]
fn who_has_nothing_cannot_be_copied() {
    let (mut lab, victim, _) = copied();
    lab.commit(ClientId(0), &[], &[victim]);
    assert!(
        lab.full.copy_state(victim, &[]).is_err() && lab.shared.copy_state(victim, &[]).is_err()
    );
    lab.lose(ClientId(4));
    let lost = ClientId(4);
    assert!(lab.full.copy_state(lost, &[]).is_err() && lab.shared.copy_state(lost, &[]).is_err());
    assert_eq!(lab.full.copied(CopyId(99)), None);
    assert_eq!(lab.shared.copied(CopyId(99)), None);
}
