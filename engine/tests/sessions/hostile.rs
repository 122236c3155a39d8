//! Hostile input to a group of eight: every bit of every kind of message turned over, every
//! truncation, replay, reordering, wrong epochs and senders. All of it is refused, nothing
//! changes, and the next honest message is accepted.

use arboretum_engine::codec::{CodecError, decode, encode};
use arboretum_engine::crypto::{CryptoError, Digest};
use arboretum_engine::group::{
    ApplyError, CommitPlan, FollowError, Received, Session, SessionError, Settings,
};
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treedem::{MlsMessage, PrivateMessageError, SecretTreeError, Sender};
use arboretum_engine::treekem::GroupInfo;
use arboretum_engine::treesync::Proposal;

use crate::world::{Client, World};

const MEMBERS: u64 = 8;
/// Who sends, and who is attacked.
const SENDER: u64 = 2;
const VICTIM: u64 = 5;

fn eight(private_handshakes: bool) -> World {
    World::of(MEMBERS, 1, Settings { private_handshakes, ..Settings::default() })
}

fn digest(world: &World) -> Digest {
    world.session(VICTIM).digest(&world.crypto()).unwrap()
}

fn receive(world: &mut World, message: &[u8]) -> Result<Received, SessionError> {
    let crypto = world.crypto();
    world.session_mut(VICTIM).receive(&crypto, message)
}

/// Every change of one bit, and every truncation, of a message.
fn mutations(message: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let flipped = (0..8 * message.len()).map(|bit| {
        let mut message = message.to_vec();
        message[bit / 8] ^= 1 << (bit % 8);
        message
    });
    let cut = (0..message.len()).map(|length| message[..length].to_vec());
    let longer = [0, 1, 0xff].map(|byte| [message, &[byte]].concat());
    flipped.chain(cut).chain(longer)
}

/// The victim refuses every mutation of the message and accepts the message itself.
fn attack(world: &mut World, message: &[u8]) -> Received {
    let before = digest(world);
    for mutation in mutations(message) {
        if let Ok(received) = receive(world, &mutation) {
            panic!("{received:?} from {} of {} bytes", mutation.len(), message.len());
        }
    }
    assert_eq!(digest(world), before);
    receive(world, message).unwrap()
}

/// A commit that adds, removes and has a path.
fn commit(world: &mut World) -> Vec<u8> {
    let (client, crypto) = (world.client(), world.crypto());
    let proposals = vec![client.add(), Proposal::Remove(LeafIndex(7))];
    let plan = CommitPlan { proposals, ..world.plan() };
    let session = world.sessions.get_mut(&SENDER).unwrap();
    session.commit(&crypto, plan, &mut world.rng).unwrap().message
}

fn proposal(world: &mut World, proposal: Proposal) -> Vec<u8> {
    let crypto = world.crypto();
    world.sessions.get_mut(&SENDER).unwrap().propose(&crypto, proposal, 1, &mut world.rng).unwrap()
}

fn application(world: &mut World, data: &[u8]) -> Vec<u8> {
    let crypto = world.crypto();
    let session = world.sessions.get_mut(&SENDER).unwrap();
    session.send(&crypto, data, b"aad", &mut world.rng).unwrap()
}

#[test]
fn every_bit_of_a_commit() {
    for private in [false, true] {
        let mut world = eight(private);
        let message = commit(&mut world);
        assert!(matches!(attack(&mut world, &message), Received::Commit { .. }));
    }
}

#[test]
fn every_bit_of_a_proposal() {
    for private in [false, true] {
        let mut world = eight(private);
        let client = world.client();
        let message = proposal(&mut world, client.add());
        assert!(matches!(attack(&mut world, &message), Received::Proposal { .. }));
    }
}

#[test]
fn every_bit_of_application_data() {
    let mut world = eight(false);
    let message = application(&mut world, b"hello");
    assert!(matches!(attack(&mut world, &message), Received::Application { .. }));
}

#[test]
fn every_bit_of_an_external_commit() {
    let mut world = eight(false);
    let (client, info) = (world.client(), world.group_info(0));
    let (crypto, joining) = (world.crypto(), world.joining(&client));
    let (_, message) =
        Session::join_external(&crypto, &info, joining, None, vec![], &mut world.rng).unwrap();
    assert!(matches!(attack(&mut world, &message), Received::Commit { .. }));
}

/// A client that is added, and its Welcome.
fn welcomed(world: &mut World) -> (Client, Vec<u8>) {
    let client = world.client();
    let plan = CommitPlan { proposals: vec![client.add()], ..world.plan() };
    let welcome = world.commit(SENDER, plan).unwrap();
    (client, welcome)
}

#[test]
fn every_bit_of_a_welcome() {
    let mut world = eight(false);
    let (client, welcome) = welcomed(&mut world);
    let crypto = world.crypto();
    for mutation in mutations(&welcome) {
        let joined = Session::join(&crypto, &mutation, world.joining(&client));
        assert!(joined.is_err(), "{} bytes", mutation.len());
    }
    world.join_all(&welcome, vec![client]);
}

#[test]
fn every_bit_of_a_group_info() {
    let mut world = eight(false);
    let (client, info) = (world.client(), world.group_info(0));
    let crypto = world.crypto();
    let bytes = encode(&MlsMessage::GroupInfo(info)).unwrap();
    let mut rng = world.rng.clone();
    let mut enter = |bytes: &[u8]| -> Result<Vec<u8>, String> {
        let decoded = decode("a message", bytes).map_err(|e: CodecError| e.to_string())?;
        let MlsMessage::GroupInfo(info) = decoded else { return Err("another message".into()) };
        let joining = world.joining(&client);
        let made = Session::join_external(&crypto, &info, joining, None, vec![], &mut rng);
        made.map(|(_, message)| message).map_err(|error| error.to_string())
    };
    for mutation in mutations(&bytes) {
        assert!(enter(&mutation).is_err(), "{} bytes", mutation.len());
    }
    let message = enter(&bytes).unwrap();
    assert!(matches!(receive(&mut world, &message), Ok(Received::Commit { .. })));
}

#[test]
fn every_bit_of_a_key_package() {
    let mut world = eight(false);
    let (client, crypto) = (world.client(), world.crypto());
    let bytes = encode(&MlsMessage::KeyPackage(client.package.clone())).unwrap();
    let before = digest(&world);
    for mutation in mutations(&bytes) {
        let Ok(MlsMessage::KeyPackage(package)) = decode("a message", &mutation) else { continue };
        let victim = world.sessions.get_mut(&VICTIM).unwrap();
        let proposed = victim.propose(&crypto, Proposal::Add(package), 1, &mut world.rng);
        assert!(proposed.is_err(), "{} bytes", mutation.len());
    }
    assert_eq!(digest(&world), before);
    let victim = world.sessions.get_mut(&VICTIM).unwrap();
    victim.propose(&crypto, client.add(), 1, &mut world.rng).unwrap();
}

/// A message to the victim is refused for this reason, nothing changes, and the group goes on.
fn refuses(world: &mut World, message: &[u8], expected: &SessionError) {
    let before = digest(world);
    assert_eq!(receive(world, message).as_ref(), Err(expected));
    assert_eq!(digest(world), before);
}

#[test]
fn replays() {
    let mut world = eight(false);
    let said = application(&mut world, b"hello");
    receive(&mut world, &said).unwrap();
    let consumed = PrivateMessageError::from(SecretTreeError::Consumed(0)).into();
    refuses(&mut world, &said, &consumed);
    let first = commit(&mut world);
    world.expect_commit(&first);
    let expected = world.session(VICTIM).epoch();
    let error = ApplyError::WrongEpoch { expected, found: expected - 1 };
    refuses(&mut world, &first, &error.into());
    world.talk(SENDER);
    // The same proposal twice is one.
    let proposed = proposal(&mut world, Proposal::Remove(LeafIndex(1)));
    receive(&mut world, &proposed).unwrap();
    let before = digest(&world);
    assert!(receive(&mut world, &proposed).is_ok());
    assert_eq!(digest(&world), before);
}

#[test]
fn commits_in_another_order() {
    for private in [false, true] {
        let mut world = eight(private);
        let mut ahead = world.session(SENDER).clone();
        let crypto = world.crypto();
        let plan = world.plan();
        let messages: Vec<_> = (0..3)
            .map(|_| {
                let made = ahead.commit(&crypto, plan.clone(), &mut world.rng).unwrap().message;
                ahead.accept_pending().unwrap();
                made
            })
            .collect();
        for late in &messages[1..] {
            let before = digest(&world);
            let refused = receive(&mut world, late).unwrap_err();
            assert!(
                matches!(
                    refused,
                    SessionError::Apply(ApplyError::WrongEpoch { .. })
                        | SessionError::EpochNotKept { .. }
                ),
                "{refused}"
            );
            assert_eq!(digest(&world), before);
        }
        for message in &messages {
            assert!(matches!(receive(&mut world, message), Ok(Received::Commit { .. })));
        }
        let victim = world.session(VICTIM);
        assert_eq!(victim.epoch_authenticator(), ahead.epoch_authenticator());
    }
}

/// The public message in a commit, to be changed.
fn opened(message: &[u8]) -> arboretum_engine::treedem::PublicMessage {
    match decode("a message", message).unwrap() {
        MlsMessage::Public(message) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn commits_that_say_they_are_from_another() {
    let mut world = eight(false);
    let honest = commit(&mut world);
    for leaf in [0, 1, 3, 7] {
        let mut message = opened(&honest);
        message.content.sender = Sender::Member(LeafIndex(leaf));
        let message = encode(&MlsMessage::Public(message)).unwrap();
        let bad = ApplyError::Crypto(CryptoError::BadSignature).into();
        refuses(&mut world, &message, &bad);
    }
    let mut message = opened(&honest);
    message.content.sender = Sender::Member(world.leaf(VICTIM));
    let message = encode(&MlsMessage::Public(message)).unwrap();
    refuses(&mut world, &message, &SessionError::OwnMessage);
    world.expect_commit(&honest);
}

/// Somebody who was a member, and has its signature key, but not the epoch's secrets.
#[test]
fn commits_of_somebody_who_was_removed() {
    for private in [false, true] {
        let mut world = eight(private);
        let mut gone = world.session(7).clone();
        let removal = commit(&mut world);
        world.expect_commit(&removal);
        let (crypto, plan) = (world.crypto(), world.plan());
        let late = gone.commit(&crypto, plan, &mut world.rng).unwrap().message;
        let before = digest(&world);
        assert!(receive(&mut world, &late).is_err());
        // The leaf has a new owner by now: its key does not verify what the old one signs.
        if !private {
            let mut message = opened(&late);
            message.content.epoch += 1;
            let message = encode(&MlsMessage::Public(message)).unwrap();
            let bad = ApplyError::Crypto(CryptoError::BadSignature).into();
            refuses(&mut world, &message, &bad);
        }
        assert_eq!(digest(&world), before);
        world.talk(SENDER);
    }
}

/// A stranger who knows all that is public makes a membership tag of its own.
#[test]
fn forged_membership() {
    let mut world = eight(false);
    let honest = commit(&mut world);
    let mut message = opened(&honest);
    for tag in [[0; 32], [7; 32]] {
        message.membership_tag = Some(tag.into());
        let message = encode(&MlsMessage::Public(message.clone())).unwrap();
        refuses(&mut world, &message, &FollowError::MembershipTag.into());
    }
    world.expect_commit(&honest);
}

#[test]
fn messages_of_another_group() {
    for private in [false, true] {
        let (mut here, mut there) = (eight(private), eight(private));
        let made = commit(&mut there);
        // The same members, keys and identifier: only the secrets of the epoch are others.
        let mut other = World::of(MEMBERS, 2, there.settings);
        let foreign = commit(&mut other);
        let before = digest(&here);
        assert!(receive(&mut here, &foreign).is_err());
        assert_eq!(digest(&here), before);
        assert!(matches!(receive(&mut here, &made), Ok(Received::Commit { .. })));
    }
}

/// A group info of another epoch makes a commit of another epoch.
#[test]
fn a_group_info_that_was_changed_by_its_signer() {
    let mut world = eight(false);
    let (client, crypto) = (world.client(), world.crypto());
    let signer = world.session(0).member().signer.clone();
    let mut rng = world.rng.clone();
    let mut enter = |change: &dyn Fn(&mut GroupInfo)| {
        let mut info = world.group_info(0);
        change(&mut info);
        info.sign(&crypto, &signer.private).unwrap();
        let joining = world.joining(&client);
        Session::join_external(&crypto, &info, joining, None, vec![], &mut rng).map(|(_, m)| m)
    };
    assert!(enter(&|info| info.group_context.tree_hash = [1; 32].into()).is_err());
    assert!(enter(&|info| info.signer = LeafIndex(100)).is_err());
    let wrong_epoch = enter(&|info| info.group_context.epoch += 1).unwrap();
    let wrong_tag = enter(&|info| info.confirmation_tag = [1; 32].into()).unwrap();
    let wrong_hash =
        enter(&|info| info.group_context.confirmed_transcript_hash = [1; 32].into()).unwrap();
    for message in [wrong_epoch, wrong_tag, wrong_hash] {
        let before = digest(&world);
        assert!(receive(&mut world, &message).is_err());
        assert_eq!(digest(&world), before);
    }
    world.talk(SENDER);
}
