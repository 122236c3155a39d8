//! The rule by hand: a group of eight or nine in which everybody has committed, some who propose paths,
//! one who commits, and whose key each parent has afterwards.

use arboretum_engine::counted::{CountedGroup, Member, PathSizes};
use arboretum_engine::strategy::Strategy;
use arboretum_engine::tree::LeafIndex;

use crate::rounds::{Epoch, REAL, concurrent, holdings, make, owners, round, tree_of, warm};

fn epoch(by: u32, paths: &[u32]) -> Epoch {
    Epoch { by, paths: paths.to_vec(), ..Epoch::default() }
}

/// Whose keys stand after an epoch in a group of eight.
fn after(epoch: &Epoch) -> String {
    owners(&round(&mut warm(concurrent(), 8), epoch))
}

#[test]
fn one_path_takes_effect_but_where_the_committers_does() {
    assert_eq!(after(&epoch(6, &[0])), "0 = = 6 | 0 6 | 6");
    assert_eq!(after(&epoch(6, &[5])), "= = 5 6 | = 6 | 6");
    assert_eq!(after(&epoch(6, &[7])), "= = = 6 | = 6 | 6");
}

#[test]
fn siblings_meet_at_once() {
    assert_eq!(after(&epoch(6, &[2, 3])), "= . = 6 | . 6 | 6");
}

#[test]
fn where_two_meet_is_blank_with_all_above() {
    assert_eq!(after(&epoch(6, &[0, 3])), "0 3 = 6 | . 6 | 6");
    // At the root.
    assert_eq!(after(&epoch(3, &[0, 7])), "0 3 = 7 | 3 7 | 3");
}

#[test]
fn three_meet_two_by_two() {
    assert_eq!(after(&epoch(4, &[0, 3, 7])), "0 3 4 7 | . 4 | 4");
    assert_eq!(after(&epoch(7, &[0, 1, 5])), ". = 5 7 | . 7 | 7");
    assert_eq!(after(&epoch(0, &[2, 4, 6])), "0 2 4 6 | 0 . | 0");
}

#[test]
fn a_committer_keys_where_others_meet_above_it() {
    assert_eq!(after(&epoch(1, &[0, 2])), "1 2 = = | 1 = | 1");
    assert_eq!(after(&epoch(1, &[2, 3])), "1 . = = | 1 = | 1");
}

#[test]
fn all_but_one_propose() {
    let all = epoch(3, &[0, 1, 2, 4, 5, 6, 7]);
    assert_eq!(after(&all), ". 3 . . | 3 . | 3");
    // Nobody stands in the way of the next who does.
    let mut group = warm(concurrent(), 8);
    round(&mut group, &all);
    assert_eq!(owners(&round(&mut group, &epoch(0, &[7]))), "0 = . 7 | 0 7 | 0");
}

#[test]
fn what_was_sent_to_the_removed_is_blank() {
    let removes = |removes: &[u32], paths: &[u32]| {
        after(&Epoch { removes: removes.to_vec(), ..epoch(6, paths) })
    };
    assert_eq!(removes(&[1], &[0]), ". = = 6 | . 6 | 6");
    assert_eq!(removes(&[3], &[0]), "0 . = 6 | . 6 | 6");
    assert_eq!(removes(&[4], &[0]), "0 = . 6 | 0 6 | 6");
}

#[test]
fn what_was_sent_to_the_updated_is_blank() {
    let updated = Epoch { updates: vec![2], ..epoch(6, &[0]) };
    assert_eq!(after(&updated), "0 . = 6 | . 6 | 6");
}

/// Who is added below a sender's parent is unmerged there; its Welcome tells it the committer's.
#[test]
fn who_is_added_is_unmerged_at_a_senders_parents() {
    let mut group = warm(concurrent(), 7);
    let added = round(&mut group, &Epoch { adds: 1, ..epoch(0, &[6]) });
    assert_eq!(owners(&added), "0 = = . | 0 6(7) | 0");
    assert_eq!(group.live[&LeafIndex(7)].member.keys.parents().len(), 1);
    // It opens a path where it is unmerged, by its leaf.
    assert_eq!(owners(&round(&mut group, &epoch(1, &[5]))), "1 = 5 . | 1 5 | 1");
    let blanks = Strategy { unmerged: false, ..concurrent() };
    let mut group = warm(blanks, 7);
    let added = round(&mut group, &Epoch { adds: 1, ..epoch(0, &[6]) });
    assert_eq!(owners(&added), "0 = = . | 0 . | 0");
}

/// A leaf that was unmerged at a parent is told its new secret: the parent goes with it.
#[test]
fn faster_remove_spares_no_parent_that_a_path_has_keyed() {
    let faster = Strategy::parse("concurrent-2025+removal=faster-remove").unwrap();
    let mut group = warm(faster, 7);
    let added = round(&mut group, &Epoch { adds: 1, ..epoch(0, &[]) });
    assert_eq!(owners(&added), "0 = = . | 0 =(7) | 0");
    let mut other = warm(faster, 7);
    round(&mut other, &Epoch { adds: 1, ..epoch(0, &[]) });
    let spared = round(&mut other, &Epoch { removes: vec![7], ..epoch(0, &[]) });
    assert_eq!(owners(&spared), "0 = = . | 0 = | 0");
    let removed = round(&mut group, &Epoch { removes: vec![7], ..epoch(0, &[5]) });
    assert_eq!(owners(&removed), "0 = 5 . | 0 . | 0");
}

/// Members of nine leaves in threes.
#[test]
fn an_m_ary_parent_takes_the_key_of_the_one_below_it() {
    let ternary = Strategy::parse("concurrent-2025+shape=m-ary:3").unwrap();
    let after = |epoch: &Epoch| owners(&round(&mut warm(ternary, 9), epoch));
    assert_eq!(after(&epoch(8, &[0])), "0 = 8 | 8");
    assert_eq!(after(&epoch(8, &[0, 2])), ". = 8 | 8");
    assert_eq!(after(&epoch(8, &[1, 4])), "1 4 8 | 8");
}

/// Six members: the right part is of two, and both have one parent less above them.
#[test]
fn a_left_balanced_tree_of_six() {
    let left = Strategy::parse("concurrent-2025+shape=left-balanced").unwrap();
    let after = |epoch: &Epoch| owners(&round(&mut warm(left, 6), epoch));
    assert_eq!(after(&epoch(4, &[0, 3])), "0 3 4 | . | 4");
    assert_eq!(after(&epoch(0, &[4, 5])), "0 = . | 0 | 0");
    // The tree is cut to the left part, and a sender's parent stays in it.
    let cut = Epoch { removes: vec![4, 5], ..epoch(3, &[0]) };
    assert_eq!(after(&cut), "0 3 | 3");
}

/// Whoever moves leaves its old path blank, whatever has been proposed below it.
#[test]
fn a_committer_that_scoots_over() {
    let moving = Strategy::parse("concurrent-2025+compaction=scoot-over").unwrap();
    let mut group = warm(moving, 8);
    // The committer takes the leaf of one that it removes.
    let moves = Epoch { removes: vec![1], ..epoch(6, &[4, 7]) };
    let (done, _) = make(&mut group, &moves);
    assert_eq!(owners(&done), "1 = 4 . | 1 . | 1");
    let crypto = group.crypto();
    for leaf in [0, 2, 3, 4, 5, 7].map(LeafIndex) {
        let member = &mut group.live.get_mut(&leaf).unwrap().member;
        let held = holdings(&crypto, member, &done.proposed);
        member.follow_with(&crypto, &done.transition, &held).unwrap();
        assert_eq!(member.secrets, done.pending.after.secrets, "{leaf}");
    }
}

/// The rule in counts, on the trees above and what they cost afterwards.
#[test]
fn counts_follow_the_same_rule() {
    let sizes = PathSizes::of(&REAL).unwrap();
    for (by, paths) in [(6, &[0][..]), (6, &[2, 3]), (4, &[0, 3, 7]), (3, &[0, 1, 2, 4, 5, 6, 7])] {
        let mut group = warm(concurrent(), 8);
        let mut counts = CountedGroup::new(concurrent(), sizes, 8, true).unwrap();
        let members: Vec<Member> = paths.iter().copied().map(Member).collect();
        let upload = counts.upload(members[0]).unwrap();
        assert_eq!((upload.ciphertexts, upload.public_keys), (3, 3));
        counts.merge_paths(&members).unwrap();
        let cost = counts.commit(Member(by)).unwrap();
        let done = round(&mut group, &epoch(by, paths));
        assert_eq!(cost.ciphertexts, done.pending.cost.ciphertexts, "{paths:?}");
        assert_eq!(counts.tree(), tree_of(&group).aggregates(), "{paths:?}");
    }
}
