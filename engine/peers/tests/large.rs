//! One group of 2^16 members, warm, with a client of `mls-rs` in it: the published vectors stop at
//! 64 leaves. `LARGE_MEMBERS` says how many (65,536).

use arboretum_engine::treesync::encode_tree;
use arboretum_peers::{Event, Habits, MlsRs, OurGroup, Peer};

#[test]
fn a_large_group_is_one_group_for_both() {
    let members: u32 =
        std::env::var("LARGE_MEMBERS").map_or(1 << 16, |value| value.parse().expect("a number"));
    let mut ours = OurGroup::warm(members - 1);
    let mut theirs = MlsRs::new(b"mls-rs", 1, Habits::default()).unwrap();
    let (_, welcome) = ours.add(&[theirs.key_package().unwrap()]);
    theirs.join(&welcome).unwrap();
    let check = |ours: &OurGroup, theirs: &MlsRs| {
        assert_eq!(theirs.epoch(), ours.public().epoch());
        assert_eq!(theirs.epoch_authenticator().unwrap(), ours.epoch_authenticator());
        assert!(theirs.ratchet_tree().unwrap() == encode_tree(&ours.public().tree).unwrap());
    };
    check(&ours, &theirs);
    // Each makes a commit, and the other accepts its bytes.
    for _ in 0..2 {
        assert_eq!(theirs.receive(&ours.commit()).unwrap(), Event::Commit);
        check(&ours, &theirs);
        let commit = theirs.commit(&[], &[]).unwrap();
        theirs.accept_commit().unwrap();
        ours.follow(&commit.message);
        check(&ours, &theirs);
    }
    assert_eq!(ours.public().tree.members(), members);
}
