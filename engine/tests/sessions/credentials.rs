//! When the Authentication Service is asked (RFC 9420 §5.3.1): beside those who are added, whom
//! the group listens to, and who takes whose place.

use std::sync::Arc;

use arboretum_engine::codec::encode;
use arboretum_engine::crypto::SignaturePublicKey;
use arboretum_engine::group::{
    AuthenticationService, CommitPlan, CredentialError, Founding, Joining, Session, SessionError,
    Settings,
};
use arboretum_engine::treesync::{
    Credential, Extension, ExtensionType, ExternalSender, LeafNode, Proposal,
};

use crate::forge::{commit_with_leaf, refusal};
use crate::world::World;

/// Believes in nobody who is called a service, and that nobody changes its name to a rogue's.
#[derive(Debug)]
struct Doubts;

fn refused(what: &str) -> CredentialError {
    CredentialError::NotAccepted(what.into())
}

fn name(name: &[u8]) -> Credential {
    Credential::Basic(name.to_vec().into())
}

impl AuthenticationService for Doubts {
    fn check(
        &self,
        credential: &Credential,
        _: &SignaturePublicKey,
    ) -> Result<(), CredentialError> {
        if *credential == name(b"a service") { Err(refused("a service")) } else { Ok(()) }
    }

    fn check_successor(&self, _: &Credential, new: &Credential) -> Result<(), CredentialError> {
        if *new == name(b"a rogue") { Err(refused("a rogue")) } else { Ok(()) }
    }
}

/// A group of four, the last of whom doubts.
fn doubting() -> World {
    let mut world = World::of(3, 1, Settings::default());
    let doubter = world.client();
    let plan = CommitPlan { proposals: vec![doubter.add()], ..world.plan() };
    let welcome = world.commit(0, plan).unwrap();
    let crypto = world.crypto();
    let joining = Joining { service: Arc::new(Doubts), ..world.joining(&doubter) };
    let session = Session::join(&crypto, &welcome, joining).unwrap();
    world.sessions.insert(doubter.name, session);
    world
}

fn listening(world: &mut World) -> Vec<Extension> {
    let sender = ExternalSender {
        signature_key: world.client().signer.public,
        credential: name(b"a service"),
    };
    vec![Extension {
        extension_type: ExtensionType::EXTERNAL_SENDERS,
        extension_data: encode(&vec![sender]).unwrap().into(),
    }]
}

fn expected(what: &str) -> SessionError {
    SessionError::Credential(refused(what))
}

#[test]
fn a_sender_outside_that_is_not_believed() {
    let mut world = doubting();
    let crypto = world.crypto();
    let extensions = listening(&mut world);
    let replace = || Proposal::GroupContextExtensions(extensions.clone());
    // It neither proposes nor commits it.
    let session = world.sessions.get_mut(&3).unwrap();
    let proposed = session.propose(&crypto, replace(), 1, &mut world.rng);
    assert_eq!(proposed, Err(expected("a service")));
    let plan = CommitPlan { proposals: vec![replace()], now: 1, ..CommitPlan::default() };
    let committed = session.commit(&crypto, plan.clone(), &mut world.rng).map(|_| ());
    assert_eq!(committed, Err(expected("a service")));
    // It neither keeps the proposal nor follows the commit of another.
    let mut proposer = world.session(0).clone();
    let message = proposer.propose(&crypto, replace(), 1, &mut world.rng).unwrap();
    assert_eq!(refusal(&mut world, 3, &message), expected("a service"));
    let session = world.sessions.get_mut(&0).unwrap();
    let message = session.commit(&crypto, plan, &mut world.rng).unwrap().message;
    assert_eq!(refusal(&mut world, 3, &message), expected("a service"));
    // It does not enter a group that listens to it already, and creates none.
    world.sessions.remove(&3);
    world.expect_commit(&message);
    let late = world.client();
    let doubts = |world: &World| Joining { service: Arc::new(Doubts), ..world.joining(&late) };
    let (info, joining) = (world.group_info(0), doubts(&world));
    let made = Session::join_external(&crypto, &info, joining, None, vec![], &mut world.rng);
    assert_eq!(made.map(|_| ()), Err(expected("a service")));
    let welcome = world.commit(0, CommitPlan { proposals: vec![late.add()], ..world.plan() });
    let joined = Session::join(&crypto, &welcome.unwrap(), doubts(&world)).map(|_| ());
    assert_eq!(joined, Err(expected("a service")));
    let founding = Founding { group_id: b"new".to_vec(), extensions };
    let joining = doubts(&world);
    let created = Session::create(&crypto, joining, founding, &mut world.rng).map(|_| ());
    assert_eq!(created, Err(expected("a service")));
}

#[test]
fn a_name_that_may_not_take_the_place_of_another() {
    let mut world = doubting();
    let crypto = world.crypto();
    let rename = |leaf: &mut LeafNode| leaf.credential = name(b"a rogue");
    let mut proposer = world.session(1).clone();
    let message = proposer.propose_update(&crypto, None, rename, &mut world.rng).unwrap();
    assert_eq!(refusal(&mut world, 3, &message), expected("a rogue"));
    let message = commit_with_leaf(&mut world, 1, rename);
    assert_eq!(refusal(&mut world, 3, &message), expected("a rogue"));
    // Nor does it rename itself.
    let session = world.sessions.get_mut(&3).unwrap();
    let made = session.propose_update(&crypto, None, rename, &mut world.rng);
    assert_eq!(made, Err(expected("a rogue")));
    world.talk(1);
}
