//! Lists of proposals that several members have sent (RFC 9420 §12.2, §12.4), each rule broken.

use arboretum_engine::codec::decode;
use arboretum_engine::crypto::{CipherSuite, Digest};
use arboretum_engine::group::{
    ApplyError, CommitPlan, FollowError, Received, Session, SessionError, Settings,
};
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treedem::{Content, MlsMessage};
use arboretum_engine::treekem::PskError;
use arboretum_engine::treesync::{
    Extension, PreSharedKeyId, Proposal, ProposalError, ProposalOrRef, ProtocolVersion, PskType,
    ReInit, TreeError,
};

use crate::forge::{commit_of, commit_with, refusal};
use crate::world::{CUSTOM, EXTENSION, World};

fn three() -> World {
    World::of(3, 1, Settings::default())
}

/// The references of what a member has received, in their order.
fn references(world: &World, name: u64) -> Vec<Digest> {
    world.session(name).holdings().proposals.iter().map(|stored| stored.reference).collect()
}

fn by_reference(references: Vec<Digest>) -> Vec<ProposalOrRef> {
    references.into_iter().map(ProposalOrRef::Reference).collect()
}

fn list(error: ProposalError) -> SessionError {
    SessionError::Apply(error.into())
}

#[test]
fn an_update_and_a_remove_of_one_leaf() {
    let twice = list(ProposalError::SameLeafTwice(LeafIndex(1)));
    let mut world = three();
    world.update(1);
    let mut proposals = by_reference(references(&world, 0));
    proposals.push(ProposalOrRef::Proposal(Proposal::Remove(LeafIndex(1))));
    let message = commit_of(&mut world, 2, proposals);
    assert_eq!(refusal(&mut world, 0, &message), twice);
    // Two Updates of one member.
    world.update(1);
    let both = by_reference(references(&world, 0));
    let message = commit_of(&mut world, 2, both);
    assert_eq!(refusal(&mut world, 0, &message), twice);
}

#[test]
fn an_update_in_the_commit_of_its_sender() {
    let mut world = three();
    world.update(1);
    let proposals = by_reference(references(&world, 0));
    let message = commit_of(&mut world, 1, proposals);
    assert_eq!(refusal(&mut world, 0, &message), list(ProposalError::UpdatesCommitter));
}

#[test]
fn a_remove_in_the_commit_of_whom_it_removes() {
    let mut world = three();
    world.propose(0, Proposal::Remove(LeafIndex(1)));
    let proposals = by_reference(references(&world, 0));
    let message = commit_of(&mut world, 1, proposals);
    assert_eq!(refusal(&mut world, 0, &message), list(ProposalError::RemovesCommitter));
}

/// Proposals of an epoch end with it.
#[test]
fn a_reference_of_another_epoch() {
    let mut world = three();
    world.propose(0, Proposal::Remove(LeafIndex(2)));
    let late = by_reference(references(&world, 0));
    world.commit(0, CommitPlan { references: Some(vec![]), ..world.plan() });
    let message = commit_of(&mut world, 1, late);
    assert_eq!(refusal(&mut world, 0, &message), ApplyError::UnknownReference.into());
}

/// The types that need a path, by reference where they can only be sent so.
#[test]
fn every_type_that_needs_a_path() {
    let mut world = three();
    world.update(2);
    let update = by_reference(references(&world, 0));
    let values = [
        Proposal::Remove(LeafIndex(2)),
        Proposal::GroupContextExtensions(vec![]),
        Proposal::ExternalInit(vec![1; 32].into()),
        Proposal::Custom(CUSTOM, vec![].into()),
    ];
    let values = values.map(|proposal| vec![ProposalOrRef::Proposal(proposal)]);
    for proposals in values.into_iter().chain([update, vec![]]) {
        let message = commit_with(&mut world, 1, |commit| {
            commit.proposals = proposals;
            commit.path = None;
        });
        assert_eq!(refusal(&mut world, 0, &message), ApplyError::PathRequired.into());
    }
}

/// Members that are removed or added by the same commit need not know a type.
#[test]
fn who_must_know_the_type_of_a_proposal() {
    let mut world = three();
    let custom = || Proposal::Custom(CUSTOM, vec![].into());
    let plain = world.client_with(|profile| profile.capabilities.proposals.clear());
    let proposals = vec![custom(), plain.add()];
    let welcome = world.commit(0, CommitPlan { proposals, ..world.plan() }).unwrap();
    let leaf = LeafIndex(3);
    world.join_all(&welcome, vec![plain]);
    // Now it would have to process one.
    let message = commit_of(&mut world, 1, vec![ProposalOrRef::Proposal(custom())]);
    let unknown = ProposalError::NotSupportedByAll { leaf, kind: CUSTOM };
    assert_eq!(refusal(&mut world, 0, &message), list(unknown));
    let proposals = vec![custom(), Proposal::Remove(leaf)];
    world.commit(0, CommitPlan { proposals, ..world.plan() });
    world.check_complete();
}

/// Members who stay must support new extensions; who goes with the same commit need not.
#[test]
fn who_must_know_a_new_extension() {
    let mut world = three();
    let plain = world.client_with(|profile| profile.capabilities.extensions.clear());
    world.add_all(0, vec![plain]);
    let extension = Extension { extension_type: EXTENSION, extension_data: vec![].into() };
    let replace = || Proposal::GroupContextExtensions(vec![extension.clone()]);
    let message = commit_of(&mut world, 1, vec![ProposalOrRef::Proposal(replace())]);
    let unknown = TreeError::GroupExtension(EXTENSION);
    assert_eq!(refusal(&mut world, 0, &message), list(unknown.into()));
    let proposals = vec![replace(), Proposal::Remove(LeafIndex(3))];
    world.commit(0, CommitPlan { proposals, ..world.plan() });
    assert_eq!(world.session(1).public().context.extensions, [extension]);
    world.check_complete();
}

/// Whether a commit of these proposals, made without asking for a path, has one.
fn has_path(world: &mut World, proposals: Vec<Proposal>, only_own: bool) -> bool {
    let crypto = world.crypto();
    let references = only_own.then(Vec::new);
    let plan = CommitPlan { proposals, references, ..world.plan() };
    let session = world.sessions.get_mut(&0).unwrap();
    let message = session.commit(&crypto, plan, &mut world.rng).unwrap().message;
    session.discard_pending();
    let MlsMessage::Public(message) = decode("a message", &message).unwrap() else {
        panic!("it is public")
    };
    let Content::Commit(commit) = message.content.content else { panic!("it is a commit") };
    commit.path.is_some()
}

#[test]
fn the_sender_puts_in_the_path_that_is_needed() {
    let mut world = three();
    world.share_psk(b"key", &[7; 32]);
    let (crypto, client) = (world.crypto(), world.client());
    let psk = PskType::External(b"key".to_vec().into());
    let psk = Proposal::PreSharedKey(Session::psk_id(&crypto, psk, &mut world.rng));
    let reinit = Proposal::ReInit(ReInit {
        group_id: vec![2].into(),
        version: ProtocolVersion::MLS10,
        cipher_suite: CipherSuite::ALL[0],
        extensions: vec![],
    });
    for without in [vec![client.add()], vec![psk.clone()], vec![client.add(), psk], vec![reinit]] {
        assert!(!has_path(&mut world, without, true));
    }
    for with in [
        vec![],
        vec![Proposal::Remove(LeafIndex(1))],
        vec![client.add(), Proposal::Remove(LeafIndex(1))],
        vec![Proposal::GroupContextExtensions(vec![])],
        vec![Proposal::Custom(CUSTOM, vec![].into())],
    ] {
        assert!(has_path(&mut world, with, true));
    }
    world.update(1);
    assert!(has_path(&mut world, vec![], false));
}

/// One key injected twice gives two secrets.
#[test]
fn a_key_is_injected_under_a_fresh_nonce() {
    let mut world = three();
    let crypto = world.crypto();
    world.share_psk(b"key", &[7; 32]);
    let psk = || PskType::External(b"key".to_vec().into());
    let [first, second] = [(); 2].map(|()| Session::psk_id(&crypto, psk(), &mut world.rng));
    assert_ne!(first.psk_nonce, second.psk_nonce);
    assert_eq!(first.psk_nonce.as_slice().len(), 32);
    let psks = &world.session(0).holdings().psks;
    let secret = |id: &PreSharedKeyId| psks.psk_secret(&crypto, std::slice::from_ref(id)).unwrap();
    assert_ne!(secret(&first), secret(&second));
}

#[test]
fn a_commit_with_a_key_that_is_not_held() {
    let mut world = three();
    let crypto = world.crypto();
    world.session_mut(1).insert_psk(b"key".to_vec(), [7; 32].as_slice().into());
    let psk = PskType::External(b"key".to_vec().into());
    let id = Session::psk_id(&crypto, psk, &mut world.rng);
    let proposals = vec![Proposal::PreSharedKey(id)];
    let plan = CommitPlan { proposals, ..world.plan() };
    let session = world.sessions.get_mut(&1).unwrap();
    let message = session.commit(&crypto, plan, &mut world.rng).unwrap().message;
    let missing = FollowError::Psk(PskError::NotHeld("6b6579".into()));
    assert_eq!(refusal(&mut world, 0, &message), missing.into());
    // Another key under the same name gives another epoch.
    world.session_mut(0).insert_psk(b"key".to_vec(), [8; 32].as_slice().into());
    let other = refusal(&mut world, 0, &message);
    assert_eq!(other, FollowError::ConfirmationTag.into());
}

/// Making a commit changes nothing, but that its key for handshakes is used where it is sent as
/// a private message.
#[test]
fn a_commit_that_is_not_chosen_changes_nothing() {
    for private_handshakes in [false, true] {
        let mut world = World::of(3, 1, Settings { private_handshakes, ..Settings::default() });
        world.update(2);
        let (crypto, plan) = (world.crypto(), world.plan());
        let before = world.session(1).clone();
        let session = world.sessions.get_mut(&1).unwrap();
        session.commit(&crypto, plan, &mut world.rng).unwrap();
        assert_eq!(session.epoch(), before.epoch());
        assert_eq!(session.member().secrets, before.member().secrets);
        assert_eq!(session.member().keys, before.member().keys);
        assert_eq!(session.holdings(), before.holdings());
        session.discard_pending();
        let same = session.digest(&crypto).unwrap() == before.digest(&crypto).unwrap();
        assert_eq!(same, !private_handshakes);
        // Whoever is chosen instead is followed.
        world.commit(0, world.plan());
    }
}

/// What a commit covers is asked of the members as they will be: keys that go make room.
#[test]
fn proposals_are_applied_in_their_order() {
    let mut world = three();
    // An Update, a Remove and an Add, listed the other way round: the newcomer takes the place
    // of who is removed.
    let client = world.client();
    world.propose(0, client.add());
    world.propose(0, Proposal::Remove(LeafIndex(2)));
    world.update(1);
    let crypto = world.crypto();
    let plan = world.plan();
    let session = world.sessions.get_mut(&0).unwrap();
    let made = session.commit(&crypto, plan, &mut world.rng).unwrap();
    let received = world.session_mut(1).clone().receive(&crypto, &made.message).unwrap();
    let Received::Commit { applied, .. } = received else { panic!("{received:?}") };
    assert_eq!(applied.added, [LeafIndex(2)]);
    assert_eq!((applied.removed, applied.updated), (vec![LeafIndex(2)], vec![LeafIndex(1)]));
    world.expect_commit(&made.message);
    world.join_all(&made.welcome.unwrap(), vec![client]);
}
