//! Whole messages at the wrong time or from the wrong sender, to a group of eight: replay,
//! reordering, wrong epochs, groups and senders, forged membership, a client that was removed,
//! a group in its last epoch. Each is refused by the rule it breaks, and nothing changes.

use arboretum_engine::codec::{decode, encode};
use arboretum_engine::crypto::{CryptoError, Secret};
use arboretum_engine::group::{
    ApplyError, CommitError, FollowError, JoinError, Joining, OpenedWelcome, Outsider, Received,
    Session, SessionError, propose_from_outside,
};
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treedem::{
    MlsMessage, PrivateMessage, PrivateMessageError, PublicMessage, SecretTreeError, Sender,
};
use arboretum_engine::treekem::{
    EncryptedGroupSecrets, GroupInfo, GroupSecrets, JoinerSecret, PskStore, Welcome,
};
use arboretum_engine::treesync::Proposal;

use crate::hostile::{
    SENDER, VICTIM, application, commit, digest, eight, proposal, receive, welcomed,
};
use crate::world::{Client, World};

/// A message to the victim is refused for this reason, nothing changes, and the group goes on.
fn refuses(world: &mut World, message: &[u8], expected: &SessionError) {
    let before = digest(world);
    assert_eq!(receive(world, message).as_ref(), Err(expected));
    assert_eq!(digest(world), before);
}

/// How a handshake message of another epoch is refused.
fn another_epoch(world: &World, found: u64, private: bool) -> SessionError {
    let at = world.session(VICTIM).epoch();
    if private {
        SessionError::EpochNotKept { found, at, kept: world.settings.past_epochs }
    } else {
        ApplyError::WrongEpoch { expected: at, found }.into()
    }
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
fn replays_of_private_handshakes() {
    let mut world = eight(true);
    let proposed = proposal(&mut world, Proposal::Remove(LeafIndex(1)));
    receive(&mut world, &proposed).unwrap();
    let consumed = PrivateMessageError::from(SecretTreeError::Consumed(0)).into();
    refuses(&mut world, &proposed, &consumed);
    let mut world = eight(true);
    let first = commit(&mut world);
    world.expect_commit(&first);
    let error = another_epoch(&world, world.session(VICTIM).epoch() - 1, true);
    refuses(&mut world, &first, &error);
    world.talk(SENDER);
}

#[test]
fn replays_of_entries() {
    let mut world = eight(false);
    // An external commit.
    let (client, info, crypto) = (world.client(), world.group_info(0), world.crypto());
    let joining = world.joining(&client);
    let joined = Session::join_external(&crypto, &info, joining, None, vec![], &mut world.rng);
    let (entered, message) = joined.unwrap();
    world.expect_commit(&message);
    world.sessions.insert(client.name, entered);
    let error = another_epoch(&world, world.session(VICTIM).epoch() - 1, false);
    refuses(&mut world, &message, &error);
    // A Welcome, to somebody who knows its groups.
    let (client, welcome) = welcomed(&mut world);
    let first = Session::join(&crypto, &welcome, world.joining(&client)).unwrap();
    let group = first.public().context.group_id.as_slice().to_vec();
    let again = Joining { groups: [group].into(), ..world.joining(&client) };
    let refused = Session::join(&crypto, &welcome, again).map(|_| ());
    assert_eq!(refused, Err(JoinError::AlreadyIn.into()));
    world.sessions.insert(client.name, first);
    world.check_complete();
    world.talk(client.name);
}

/// A commit arrives before the proposal that it refers to.
#[test]
fn a_commit_before_its_proposal() {
    for private in [false, true] {
        let mut world = eight(private);
        let proposed = proposal(&mut world, Proposal::Remove(LeafIndex(7)));
        let (crypto, plan) = (world.crypto(), world.plan());
        let session = world.sessions.get_mut(&SENDER).unwrap();
        let committed = session.commit(&crypto, plan, &mut world.rng).unwrap().message;
        refuses(&mut world, &committed, &ApplyError::UnknownReference.into());
        world.expect_proposal(Some(SENDER), &proposed);
        world.expect_commit(&committed);
        world.talk(SENDER);
    }
}

/// Whole messages of every kind that say they are of the epoch before or after.
#[test]
fn another_epoch_than_was_signed() {
    let mut world = eight(false);
    let (client, crypto, service) = (world.client(), world.crypto(), world.listen());
    let context = world.session(VICTIM).public().context.clone();
    let group = context.group_id.as_slice();
    let removal = || Proposal::Remove(LeafIndex(7));
    let outside = |epoch| {
        let (from, key) = (Outsider::External(0), &service.private);
        propose_from_outside(&crypto, from, group, epoch, removal(), key, 1).unwrap()
    };
    let committed = commit(&mut world);
    let proposed = proposal(&mut world, removal());
    let (info, joining) = (world.group_info(0), world.joining(&client));
    let joined = Session::join_external(&crypto, &info, joining, None, vec![], &mut world.rng);
    for message in [&committed, &proposed, &joined.unwrap().1, &outside(context.epoch)] {
        for found in [0, context.epoch - 1, context.epoch + 1, u64::MAX] {
            let mut message = opened(message);
            message.content.epoch = found;
            let message = encode(&MlsMessage::Public(message)).unwrap();
            let error = another_epoch(&world, found, false);
            refuses(&mut world, &message, &error);
        }
    }
    // Signed for that epoch, by somebody who may.
    for epoch in [context.epoch - 1, context.epoch + 1] {
        let error = another_epoch(&world, epoch, false);
        refuses(&mut world, &outside(epoch), &error);
    }
    world.expect_commit(&committed);
}

#[test]
fn another_epoch_than_was_encrypted_for() {
    for private in [true, false] {
        let mut world = eight(private);
        let message = if private { commit(&mut world) } else { application(&mut world, b"hello") };
        let MlsMessage::Private(message) = decode("a message", &message).unwrap() else { panic!() };
        let at = world.session(VICTIM).epoch();
        for found in [0, at - 2, at + 1, u64::MAX] {
            let late = MlsMessage::Private(PrivateMessage { epoch: found, ..message.clone() });
            let error = another_epoch(&world, found, true);
            refuses(&mut world, &encode(&late).unwrap(), &error);
        }
        // Of the epoch before, application data is read, and this is none of it.
        let found = at - 1;
        let late = MlsMessage::Private(PrivateMessage { epoch: found, ..message.clone() });
        let closed = PrivateMessageError::from(CryptoError::BadCiphertext).into();
        let error = if private { another_epoch(&world, found, true) } else { closed };
        refuses(&mut world, &encode(&late).unwrap(), &error);
        receive(&mut world, &encode(&MlsMessage::Private(message)).unwrap()).unwrap();
    }
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
        for (late, ahead) in messages[1..].iter().zip(1..) {
            let error = another_epoch(&world, world.session(VICTIM).epoch() + ahead, private);
            refuses(&mut world, late, &error);
        }
        for message in &messages {
            assert!(matches!(receive(&mut world, message), Ok(Received::Commit { .. })));
        }
        let victim = world.session(VICTIM);
        assert_eq!(victim.epoch_authenticator(), ahead.epoch_authenticator());
    }
}

/// The public message in a commit, to be changed.
fn opened(message: &[u8]) -> PublicMessage {
    match decode("a message", message).unwrap() {
        MlsMessage::Public(message) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn commits_and_proposals_that_say_they_are_from_another() {
    let mut world = eight(false);
    let proposed = proposal(&mut world, Proposal::Remove(LeafIndex(7)));
    for (sender, error) in [
        (Sender::Member(LeafIndex(3)), ApplyError::Crypto(CryptoError::BadSignature)),
        (Sender::Member(LeafIndex(8)), ApplyError::UnknownSender),
        (Sender::Member(LeafIndex(u32::MAX)), ApplyError::UnknownSender),
        (Sender::External(0), ApplyError::UnknownExternalSender(0)),
        (
            Sender::NewMemberProposal,
            ApplyError::NotAllowed { sender: "a new member", content: "remove" },
        ),
        (
            Sender::NewMemberCommit,
            ApplyError::NotAllowed { sender: "a joining client", content: "proposal" },
        ),
    ] {
        let mut message = opened(&proposed);
        message.content.sender = sender;
        // Only members have a tag.
        message.membership_tag =
            message.membership_tag.filter(|_| matches!(sender, Sender::Member(_)));
        let message = encode(&MlsMessage::Public(message)).unwrap();
        refuses(&mut world, &message, &error.into());
    }
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
        let error = another_epoch(&world, world.session(VICTIM).epoch() - 1, private);
        refuses(&mut world, &late, &error);
        // The leaf has a new owner by now: its key does not verify what the old one signs.
        if !private {
            let mut message = opened(&late);
            message.content.epoch += 1;
            let message = encode(&MlsMessage::Public(message)).unwrap();
            let bad = ApplyError::Crypto(CryptoError::BadSignature).into();
            refuses(&mut world, &message, &bad);
        } else {
            // In the epoch after, its keys are none of those that open anything.
            let MlsMessage::Private(mut message) = decode("a message", &late).unwrap() else {
                panic!("it is private")
            };
            message.epoch += 1;
            let message = encode(&MlsMessage::Private(message)).unwrap();
            let closed = PrivateMessageError::from(CryptoError::BadCiphertext).into();
            refuses(&mut world, &message, &closed);
        }
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
    // The tag of a proposal; one made with another group's key.
    let proposed = proposal(&mut world, Proposal::Remove(LeafIndex(7)));
    let (context, crypto) = (world.session(VICTIM).public().context.encoded(), world.crypto());
    for message in [&honest, &proposed] {
        let (content, _) = opened(message).into_content();
        let key = Secret::from(vec![3; 32]);
        let forged = PublicMessage::protect(&crypto, content, Some(&key), &context).unwrap();
        let forged = encode(&MlsMessage::Public(forged)).unwrap();
        refuses(&mut world, &forged, &FollowError::MembershipTag.into());
    }
    world.expect_commit(&honest);
}

#[test]
fn messages_of_another_group() {
    for private in [false, true] {
        let (mut here, mut there) = (eight(private), eight(private));
        let made = commit(&mut there);
        // The same members, keys and identifier: only the secrets of the epoch are others.
        let mut other = World::of(crate::hostile::MEMBERS, 2, there.settings);
        let foreign = commit(&mut other);
        let error = if private {
            PrivateMessageError::from(CryptoError::BadCiphertext).into()
        } else {
            ApplyError::Crypto(CryptoError::BadSignature).into()
        };
        refuses(&mut here, &foreign, &error);
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
    for (change, error) in [
        (
            (|info| info.group_context.tree_hash = [1; 32].into()) as fn(&mut GroupInfo),
            SessionError::from(JoinError::TreeHash),
        ),
        (|info| info.signer = LeafIndex(100), JoinError::UnknownSigner.into()),
        (
            |info| info.group_context.epoch = u64::MAX,
            CommitError::from(ApplyError::LastEpoch).into(),
        ),
    ] {
        assert_eq!(enter(&change), Err(error));
    }
    let wrong_epoch = enter(&|info| info.group_context.epoch += 1).unwrap();
    let wrong_tag = enter(&|info| info.confirmation_tag = [1; 32].into()).unwrap();
    let wrong_hash =
        enter(&|info| info.group_context.confirmed_transcript_hash = [1; 32].into()).unwrap();
    let epoch = world.session(VICTIM).epoch();
    let another = another_epoch(&world, epoch + 1, false);
    refuses(&mut world, &wrong_epoch, &another);
    // What its maker believes of the group is in what it signs, or in the keys that follow.
    let signature = ApplyError::Crypto(CryptoError::BadSignature).into();
    refuses(&mut world, &wrong_hash, &signature);
    refuses(&mut world, &wrong_tag, &FollowError::ConfirmationTag.into());
    world.talk(SENDER);
}

/// A Welcome as only a member can make it, to a group in its last epoch: one is in it and can
/// talk, and nobody can commit.
#[test]
fn a_welcome_to_the_last_epoch() {
    let mut world = eight(false);
    let (client, welcome) = welcomed(&mut world);
    let crypto = world.crypto();
    let welcome = to_another_epoch(&world, &client, &welcome, u64::MAX);
    let mut session = Session::join(&crypto, &welcome, world.joining(&client)).unwrap();
    assert_eq!(session.epoch(), u64::MAX);
    session.send(&crypto, b"hello", b"", &mut world.rng).unwrap();
    let plan = world.plan();
    let refused = session.commit(&crypto, plan, &mut world.rng);
    assert_eq!(refused, Err(CommitError::from(ApplyError::LastEpoch).into()));
}

/// A Welcome with another epoch in it, everything about it made right again.
fn to_another_epoch(world: &World, client: &Client, welcome: &[u8], epoch: u64) -> Vec<u8> {
    let crypto = world.crypto();
    let MlsMessage::Welcome(welcome) = decode("a message", welcome).unwrap() else { panic!() };
    let Client { package, secrets, .. } = client;
    let psks = PskStore::default();
    let opened = OpenedWelcome::open(&crypto, &welcome, package, secrets, &psks).unwrap();
    let (mut info, secrets) = (opened.group_info, opened.group_secrets);
    info.group_context.epoch = epoch;
    let joiner = JoinerSecret(secrets.joiner_secret.clone());
    let context = info.group_context.encoded();
    let after = joiner.epoch_secrets(&crypto, &crypto.zero(), &context).unwrap();
    let confirmed = info.group_context.confirmed_transcript_hash;
    info.confirmation_tag = after.confirmation_tag(&crypto, &confirmed);
    info.sign(&crypto, &world.session(SENDER).member().signer.private).unwrap();
    let key = joiner.welcome_key(&crypto, &crypto.zero()).unwrap();
    let info = crypto.aead_seal(&key.key, &key.nonce, &[], &encode(&info).unwrap()).unwrap();
    let (label, plaintext) = (GroupSecrets::LABEL, encode(&secrets).unwrap());
    let sealed =
        crypto.encrypt_with_label(&package.init_key, label, &info, &plaintext, &[7; 32]).unwrap();
    let new_member = package.reference(&crypto).unwrap();
    let welcome = Welcome {
        cipher_suite: package.cipher_suite,
        secrets: vec![EncryptedGroupSecrets { new_member, encrypted_group_secrets: sealed }],
        encrypted_group_info: info.into(),
    };
    encode(&MlsMessage::Welcome(welcome)).unwrap()
}
