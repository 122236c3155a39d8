//! Proposals and application data between members (RFC 9420 §6.3, §9.2, §12.1, §15).

use arboretum_engine::codec::{decode, encode};
use arboretum_engine::group::{
    AcceptAll, ApplyError, AuthenticationService, CommitError, CommitPlan, CredentialError,
    FollowError, JoinError, Joining, Outsider, Received, Session, SessionError, Settings,
    propose_from_outside,
};
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treedem::{
    AuthenticatedContent, Content, FramedContent, MAX_SKIP, MlsMessage, PrivateMessage,
    PrivateMessageError, SecretTreeError, Sender, WireFormat, sender_data_key,
};
use arboretum_engine::treesync::{Credential, Proposal, ProposalError, TreeError};

use crate::world::World;

fn send(world: &mut World, from: u64, data: &[u8]) -> Vec<u8> {
    let crypto = world.crypto();
    let session = world.sessions.get_mut(&from).unwrap();
    session.send(&crypto, data, b"", &mut world.rng).unwrap()
}

fn receive(world: &mut World, name: u64, message: &[u8]) -> Result<Vec<u8>, SessionError> {
    let crypto = world.crypto();
    match world.session_mut(name).receive(&crypto, message)? {
        Received::Application { data, .. } => Ok(data),
        other => panic!("{other:?}"),
    }
}

fn consumed(generation: u32) -> Result<Vec<u8>, SessionError> {
    Err(PrivateMessageError::from(SecretTreeError::Consumed(generation)).into())
}

#[test]
fn messages_in_any_order_each_once() {
    let mut world = World::of(3, 1, Settings::default());
    let messages: Vec<_> = (0..6_u8).map(|at| send(&mut world, 1, &[at])).collect();
    for at in [5, 0, 3, 1, 4, 2_u8] {
        assert_eq!(receive(&mut world, 0, &messages[usize::from(at)]), Ok(vec![at]));
    }
    for at in 0..6 {
        assert_eq!(receive(&mut world, 0, &messages[at as usize]), consumed(at));
    }
    // Its sender cannot open it either: the key is gone.
    assert_eq!(receive(&mut world, 1, &messages[0]), consumed(0));
}

#[test]
fn late_messages_of_the_epochs_that_are_kept() {
    let settings = Settings { past_epochs: 2, ..Settings::default() };
    let mut world = World::of(3, 1, settings);
    let late: Vec<_> = (0..3_u8)
        .map(|at| {
            let message = send(&mut world, 1, &[at]);
            world.commit(2, world.plan());
            message
        })
        .collect();
    let at = world.session(0).epoch();
    let refused = SessionError::EpochNotKept { found: at - 3, at, kept: 2 };
    assert_eq!(receive(&mut world, 0, &late[0]), Err(refused));
    assert_eq!(receive(&mut world, 0, &late[1]), Ok(vec![1]));
    assert_eq!(receive(&mut world, 0, &late[2]), Ok(vec![2]));
    assert_eq!(receive(&mut world, 0, &late[2]), consumed(0));
}

#[test]
fn late_proposals_are_refused() {
    for private_handshakes in [false, true] {
        let mut world = World::of(3, 1, Settings { private_handshakes, ..Settings::default() });
        let crypto = world.crypto();
        let proposer = world.sessions.get_mut(&1).unwrap();
        let late = proposer.propose(&crypto, Proposal::Remove(LeafIndex(2)), 1, &mut world.rng);
        world.commit(0, world.plan());
        let refused = world.session_mut(0).receive(&crypto, &late.unwrap()).unwrap_err();
        assert!(
            matches!(
                refused,
                SessionError::Apply(ApplyError::WrongEpoch { .. })
                    | SessionError::EpochNotKept { .. }
            ),
            "{refused}"
        );
    }
}

#[test]
fn padding_hides_the_length() {
    let settings = Settings { padding: 128, ..Settings::default() };
    let mut world = World::of(2, 1, settings);
    let lengths: Vec<_> =
        [0, 1, 50, 60, 61].map(|length| send(&mut world, 0, &vec![7; length]).len()).into();
    assert!(lengths.windows(2).all(|pair| pair[0] == pair[1]), "{lengths:?}");
    // With its length, the signature and its length, 61 bytes fill the block.
    assert_eq!(send(&mut world, 0, &[7; 62]).len(), lengths[0] + 128);
}

#[test]
fn nobody_talks_while_proposals_wait() {
    let mut world = World::of(3, 1, Settings::default());
    world.propose(1, Proposal::Remove(LeafIndex(2)));
    let crypto = world.crypto();
    for name in 0..3 {
        let session = world.sessions.get_mut(&name).unwrap();
        let refused = session.send(&crypto, b"hello", b"", &mut world.rng);
        assert_eq!(refused, Err(SessionError::ProposalsWaiting));
    }
    world.commit(0, world.plan());
    world.talk(0);
}

/// A private message as only a member can make it, whatever is inside.
pub(crate) struct Forgery<'w> {
    world: &'w World,
    /// Who signs, and whose keys encrypt.
    member: u64,
    /// Who it says it is from.
    leaf: LeafIndex,
    generation: u32,
    signature: Option<Vec<u8>>,
    padding: &'static [u8],
}

impl<'w> Forgery<'w> {
    /// An honest message of member 1.
    pub(crate) fn of(world: &'w World) -> Self {
        let leaf = world.leaf(1);
        Self { world, member: 1, leaf, generation: 0, signature: None, padding: &[0; 9] }
    }

    pub(crate) fn message(self, content: Content) -> Vec<u8> {
        let crypto = self.world.crypto();
        let session = self.world.session(self.member);
        let member = session.member();
        let (group_id, epoch) = (member.public.context.group_id.clone(), member.epoch());
        let content_type = content.content_type();
        let mut plaintext = content.encoded_body().unwrap();
        let framed = FramedContent {
            group_id: group_id.clone(),
            epoch,
            sender: Sender::Member(self.leaf),
            authenticated_data: vec![].into(),
            content,
        };
        let (context, key) = (member.public.context.encoded(), &member.signer.private);
        let format = WireFormat::PRIVATE_MESSAGE;
        let signed = AuthenticatedContent::sign(&crypto, key, format, framed, &context).unwrap();
        let signature = self.signature.map_or(signed.signature, Into::into);
        plaintext.extend(encode(&signature).unwrap());
        plaintext.extend(self.padding);
        let kind = content_type.ratchet();
        let mut messages = session.messages().clone();
        let mut key = messages.next_key(&crypto, member.leaf, kind).unwrap();
        for _ in 0..self.generation {
            messages.consume(key.2);
            key = messages.next_key(&crypto, member.leaf, kind).unwrap();
        }
        let sender_aad = [
            &encode(&group_id).unwrap()[..],
            &epoch.to_be_bytes(),
            &encode(&content_type).unwrap(),
        ]
        .concat();
        let aad = [&sender_aad[..], &[0]].concat();
        let ciphertext = crypto.aead_seal(&key.1.key, &key.1.nonce, &aad, &plaintext).unwrap();
        let sender = [self.leaf.0.to_be_bytes(), self.generation.to_be_bytes(), [0; 4]].concat();
        let secret = &member.secrets.sender_data_secret;
        let (key, nonce) = sender_data_key(&crypto, secret, &ciphertext).unwrap();
        let sender = crypto.aead_seal(&key, &nonce, &sender_aad, &sender).unwrap();
        let message = PrivateMessage {
            group_id,
            epoch,
            content_type,
            authenticated_data: vec![].into(),
            encrypted_sender_data: sender.into(),
            ciphertext: ciphertext.into(),
        };
        encode(&MlsMessage::Private(message)).unwrap()
    }
}

fn hello() -> Content {
    Content::Application(b"hello".to_vec().into())
}

#[test]
fn what_is_forged_without_a_change_is_received() {
    let mut world = World::of(3, 1, Settings::default());
    let message = Forgery::of(&world).message(hello());
    assert_eq!(receive(&mut world, 0, &message), Ok(b"hello".to_vec()));
}

/// Two clients with one state, as after a restore from a backup, use one key; the guard keeps
/// its nonces apart.
#[test]
fn a_state_that_was_lost_repeats_no_nonce() {
    let mut world = World::of(2, 1, Settings::default());
    let crypto = world.crypto();
    let mut twin = world.session(0).clone();
    let first = send(&mut world, 0, b"the same");
    let second = twin.send(&crypto, b"the same", b"", &mut world.rng).unwrap();
    let ciphertext = |message: &[u8]| match decode("a message", message).unwrap() {
        MlsMessage::Private(message) => message.ciphertext,
        other => panic!("{other:?}"),
    };
    assert_ne!(ciphertext(&first), ciphertext(&second));
    // Both have generation 0: either is read, and the other not any more.
    let mut reader = world.session(1).clone();
    assert!(reader.receive(&crypto, &second).is_ok());
    assert_eq!(receive(&mut world, 1, &first), Ok(b"the same".to_vec()));
    assert_eq!(receive(&mut world, 1, &second), consumed(0));
}

/// Only a member has keys to encrypt with.
#[test]
fn nobody_outside_sends_a_private_message() {
    let world = World::of(2, 1, Settings::default());
    let crypto = world.crypto();
    let member = world.session(0).member();
    for sender in [Sender::External(0), Sender::NewMemberProposal, Sender::NewMemberCommit] {
        let content = FramedContent {
            group_id: member.public.context.group_id.clone(),
            epoch: member.epoch(),
            sender,
            authenticated_data: vec![].into(),
            content: Content::Proposal(Proposal::Remove(LeafIndex(1))),
        };
        let (format, key) = (WireFormat::PRIVATE_MESSAGE, &member.signer.private);
        let signed = AuthenticatedContent::sign(&crypto, key, format, content, &[]).unwrap();
        let mut messages = world.session(0).messages().clone();
        let secret = &member.secrets.sender_data_secret;
        let sealed = PrivateMessage::seal(&crypto, &signed, &mut messages, secret, 0, [0; 4]);
        assert_eq!(sealed, Err(PrivateMessageError::NotAMember));
        assert_eq!(messages, *world.session(0).messages());
    }
}

#[test]
fn padding_that_is_not_zero() {
    let mut world = World::of(3, 1, Settings::default());
    let message = Forgery { padding: &[0, 0, 1], ..Forgery::of(&world) }.message(hello());
    assert_eq!(receive(&mut world, 0, &message), Err(PrivateMessageError::Padding.into()));
}

#[test]
fn a_generation_too_far_ahead() {
    let mut world = World::of(3, 1, Settings::default());
    let generation = MAX_SKIP + 1;
    let message = Forgery { generation, ..Forgery::of(&world) }.message(hello());
    let error = SecretTreeError::TooFarAhead { generation, next: 0 };
    assert_eq!(receive(&mut world, 0, &message), Err(PrivateMessageError::from(error).into()));
    let message = Forgery { generation: MAX_SKIP, ..Forgery::of(&world) }.message(hello());
    assert_eq!(receive(&mut world, 0, &message), Ok(b"hello".to_vec()));
}

#[test]
fn a_sender_that_is_no_member() {
    let mut world = World::of(5, 1, Settings::default());
    world.commit(0, CommitPlan { proposals: vec![Proposal::Remove(LeafIndex(2))], ..world.plan() });
    for leaf in [LeafIndex(2), LeafIndex(7), LeafIndex(8), LeafIndex(u32::MAX)] {
        let message = Forgery { leaf, ..Forgery::of(&world) }.message(hello());
        let refused = receive(&mut world, 0, &message);
        assert_eq!(refused, Err(PrivateMessageError::BlankSender(leaf).into()));
    }
    // As if from another member: that one's keys do not open it.
    let message = Forgery { leaf: LeafIndex(3), ..Forgery::of(&world) }.message(hello());
    let refused = receive(&mut world, 0, &message).unwrap_err();
    assert_eq!(refused.to_string(), "the ciphertext does not open");
}

#[test]
fn content_signed_by_another() {
    let mut world = World::of(3, 1, Settings::default());
    let noise = vec![5; 64];
    let message = Forgery { signature: Some(noise), ..Forgery::of(&world) }.message(hello());
    let refused = receive(&mut world, 0, &message).unwrap_err();
    assert_eq!(refused.to_string(), "the signature does not verify");
    // The key was not consumed by that.
    let message = Forgery::of(&world).message(hello());
    assert_eq!(receive(&mut world, 0, &message), Ok(b"hello".to_vec()));
}

#[test]
fn application_data_in_the_clear() {
    let mut world = World::of(2, 1, Settings::default());
    let crypto = world.crypto();
    let member = world.session(1).member().clone();
    let content = FramedContent {
        group_id: member.public.context.group_id.clone(),
        epoch: member.epoch(),
        sender: Sender::Member(member.leaf),
        authenticated_data: vec![].into(),
        content: hello(),
    };
    let context = member.public.context.encoded();
    let key = &member.signer.private;
    let format = WireFormat::PUBLIC_MESSAGE;
    let signed = AuthenticatedContent::sign(&crypto, key, format, content, &context).unwrap();
    let tag = Some(&member.secrets.membership_key);
    let message =
        arboretum_engine::treedem::PublicMessage::protect(&crypto, signed, tag, &context).unwrap();
    let message = encode(&MlsMessage::Public(message)).unwrap();
    let refused = world.session_mut(0).receive(&crypto, &message);
    assert_eq!(refused, Err(ApplyError::PublicApplication.into()));
}

#[test]
fn a_public_proposal_without_the_right_tag() {
    let mut world = World::of(3, 1, Settings::default());
    let crypto = world.crypto();
    let proposer = world.sessions.get_mut(&1).unwrap();
    let message = proposer.propose(&crypto, Proposal::Remove(LeafIndex(2)), 1, &mut world.rng);
    let MlsMessage::Public(mut message) = decode("", &message.unwrap()).unwrap() else {
        panic!("it is public")
    };
    message.membership_tag = Some([1; 32].into());
    let message = encode(&MlsMessage::Public(message)).unwrap();
    let refused = world.session_mut(0).receive(&crypto, &message);
    assert_eq!(refused, Err(FollowError::MembershipTag.into()));
}

/// What nobody could commit is not kept.
#[test]
fn proposals_that_are_invalid_by_themselves() {
    let mut world = World::of(3, 1, Settings::default());
    let crypto = world.crypto();
    let taken = world.session(1).public().tree.leaf(LeafIndex(1)).unwrap().as_ref().clone();
    let mut client = world.client();
    client.package.leaf_node = taken;
    for (proposal, text) in [
        (Proposal::Remove(LeafIndex(3)), ProposalError::NoSuchMember(LeafIndex(3)).to_string()),
        (
            Proposal::Add(client.package.clone()),
            TreeError::Source { expected: "key_package" }.to_string(),
        ),
    ] {
        let proposer = world.sessions.get_mut(&1).unwrap();
        let refused = proposer.propose(&crypto, proposal.clone(), 1, &mut world.rng);
        assert_eq!(refused.unwrap_err().to_string(), text);
        let message = Forgery::of(&world).message(Content::Proposal(proposal));
        let refused = world.session_mut(0).receive(&crypto, &message).unwrap_err();
        assert_eq!(refused.to_string(), text);
        assert!(world.session(0).holdings().proposals.is_empty());
    }
}

/// An Update that changes the signature key, and is committed by somebody else.
#[test]
fn an_update_may_change_the_signature_key() {
    let mut world = World::of(4, 1, Settings::default());
    let crypto = world.crypto();
    let seed = world.seed();
    let signer = world.provider.signature_key_pair(&seed);
    let proposer = world.sessions.get_mut(&2).unwrap();
    let change = |leaf: &mut arboretum_engine::treesync::LeafNode| {
        leaf.credential = Credential::Basic(b"a new name".to_vec().into());
    };
    let message =
        proposer.propose_update(&crypto, Some(signer.clone()), change, &mut world.rng).unwrap();
    world.expect_proposal(Some(2), &message);
    world.commit(0, world.plan());
    assert_eq!(world.session(2).member().signer, signer);
    world.talk(2);
    world.commit(2, world.plan());
    world.talk(1);
}

/// Two clients add the same one; each commit takes it once.
#[test]
fn what_two_have_proposed_is_committed_once() {
    let mut world = World::of(4, 1, Settings::default());
    let client = world.client();
    world.propose(1, client.add());
    world.propose(2, client.add());
    world.propose(1, Proposal::Remove(LeafIndex(3)));
    world.propose(2, Proposal::Remove(LeafIndex(3)));
    world.update(2);
    world.update(2);
    // Two packages of one client are two proposals that do not fit together.
    let again = world.client_named(client.name, client.signer.clone());
    world.propose(1, again.add());
    let welcome = world.commit(0, world.plan()).unwrap();
    world.join_all(&welcome, vec![client]);
}

#[test]
fn commits_one_after_the_other() {
    let mut world = World::of(3, 1, Settings::default());
    let (crypto, plan) = (world.crypto(), world.plan());
    let session = world.sessions.get_mut(&0).unwrap();
    assert_eq!(session.accept_pending(), Err(SessionError::NothingPending));
    let first = session.commit(&crypto, plan.clone(), &mut world.rng).unwrap();
    let again = session.commit(&crypto, plan, &mut world.rng);
    assert_eq!(again, Err(SessionError::AlreadyPending));
    session.discard_pending();
    // A commit that was discarded and comes back anyway cannot be followed any more.
    let refused = session.receive(&crypto, &first.message);
    assert_eq!(refused, Err(SessionError::OwnMessage));
}

#[test]
fn messages_that_are_not_for_members() {
    let mut world = World::of(3, 1, Settings::default());
    let crypto = world.crypto();
    let client = world.client();
    let info = world.group_info(1);
    let plan = CommitPlan { proposals: vec![client.add()], ..world.plan() };
    let session = world.sessions.get_mut(&1).unwrap();
    let committed = session.commit(&crypto, plan, &mut world.rng).unwrap();
    for (message, what) in [
        (committed.welcome.unwrap(), "Welcome"),
        (encode(&MlsMessage::GroupInfo(info)).unwrap(), "group info"),
        (encode(&MlsMessage::KeyPackage(client.package.clone())).unwrap(), "key package"),
    ] {
        let refused = world.session_mut(0).receive(&crypto, &message);
        assert_eq!(refused, Err(SessionError::NotForMembers(what)));
    }
}

#[test]
fn whoever_is_removed_is_out() {
    let mut world = World::of(3, 1, Settings::default());
    let crypto = world.crypto();
    let mut gone = world.session(2).clone();
    let plan = CommitPlan { proposals: vec![Proposal::Remove(LeafIndex(2))], ..world.plan() };
    let session = world.sessions.get_mut(&0).unwrap();
    let committed = session.commit(&crypto, plan, &mut world.rng).unwrap();
    let received = gone.receive(&crypto, &committed.message);
    assert_eq!(received, Ok(Received::Removed { committer: LeafIndex(0) }));
    world.expect_commit(&committed.message);
    let sent = gone.send(&crypto, b"", b"", &mut world.rng);
    assert_eq!(sent, Err(SessionError::Removed));
    let info = gone.group_info(&crypto, true);
    assert_eq!(info.map(|_| ()), Err(SessionError::Removed));
    assert_eq!(gone.receive(&crypto, &committed.message), Err(SessionError::Removed));
}

/// Whoever sends a package looks at its lifetime.
#[test]
fn a_package_outside_its_lifetime_is_not_proposed() {
    let mut world = World::of(2, 1, Settings::default());
    let client = world.client_with(|profile| profile.lifetime.not_before = 10);
    let crypto = world.crypto();
    let expired = |now| TreeError::Lifetime { not_before: 10, not_after: 1_000, now }.to_string();
    for now in [9, 1_001] {
        let session = world.sessions.get_mut(&0).unwrap();
        let before = session.digest(&crypto);
        let refused = session.propose(&crypto, client.add(), now, &mut world.rng);
        assert_eq!(refused.unwrap_err().to_string(), expired(now));
        assert_eq!(session.digest(&crypto), before);
        let key = &client.signer.private;
        let asked =
            propose_from_outside(&crypto, Outsider::NewMember, b"", 1, client.add(), key, now);
        assert_eq!(asked.unwrap_err().to_string(), expired(now));
    }
    for now in [10, 1_000] {
        let session = world.sessions.get_mut(&0).unwrap();
        assert!(session.propose(&crypto, client.add(), now, &mut world.rng).is_ok());
    }
}

#[test]
fn a_lifetime_longer_than_is_accepted() {
    let mut world = World::of(2, 1, Settings::default());
    let (strict, client) = (world.client(), world.client());
    let crypto = world.crypto();
    let plan = CommitPlan { proposals: vec![strict.add()], ..world.plan() };
    let welcome = world.commit(0, plan).unwrap();
    let settings = Settings { max_lifetime: 999, ..Settings::default() };
    let mut session = Session::join(&crypto, &welcome, strict.joining(settings)).unwrap();
    let refused = SessionError::Lifetime { found: 1_000, most: 999 };
    let proposed = session.propose(&crypto, client.add(), 1, &mut world.rng);
    assert_eq!(proposed, Err(refused.clone()));
    let plan = CommitPlan { proposals: vec![client.add()], ..world.plan() };
    let committer = world.sessions.get_mut(&1).unwrap();
    let committed = committer.commit(&crypto, plan, &mut world.rng).unwrap();
    assert_eq!(session.receive(&crypto, &committed.message), Err(refused));
}

/// Believes in nobody whose name ends in 9.
#[derive(Debug)]
struct NoNines;

impl AuthenticationService for NoNines {
    fn check(
        &self,
        credential: &Credential,
        key: &arboretum_engine::crypto::SignaturePublicKey,
    ) -> Result<(), CredentialError> {
        match credential {
            Credential::Basic(name) if name.as_slice().ends_with(&[9]) => {
                Err(CredentialError::NotAccepted("a nine".into()))
            }
            other => AcceptAll.check(other, key),
        }
    }
}

#[test]
fn a_credential_that_is_not_believed() {
    let mut world = World::of(9, 1, Settings::default());
    let nine = world.client();
    assert_eq!(nine.name, 9);
    let doubter = world.client();
    let crypto = world.crypto();
    let plan = CommitPlan { proposals: vec![doubter.add()], ..world.plan() };
    let welcome = world.commit(0, plan).unwrap();
    let doubting =
        |client| Joining { service: std::sync::Arc::new(NoNines), ..world.joining(client) };
    let mut session = Session::join(&crypto, &welcome, doubting(&doubter)).unwrap();
    let expected = SessionError::Credential(CredentialError::NotAccepted("a nine".into()));
    let proposed = session.propose(&crypto, nine.add(), 1, &mut world.rng);
    assert_eq!(proposed, Err(expected.clone()));
    // A commit that adds it is refused by who does not believe it, and changes nothing.
    let plan = CommitPlan { proposals: vec![nine.add()], ..world.plan() };
    let before = session.digest(&crypto).unwrap();
    let committer = world.sessions.get_mut(&0).unwrap();
    let committed = committer.commit(&crypto, plan, &mut world.rng).unwrap();
    assert_eq!(session.receive(&crypto, &committed.message), Err(expected.clone()));
    assert_eq!(session.digest(&crypto).unwrap(), before);
    // And nobody enters a group that has it.
    world.expect_commit(&committed.message);
    let late = world.client();
    let plan = CommitPlan { proposals: vec![late.add()], ..world.plan() };
    let welcome = world.commit(1, plan).unwrap();
    let joining = Joining { service: std::sync::Arc::new(NoNines), ..world.joining(&late) };
    assert_eq!(Session::join(&crypto, &welcome, joining).map(|_| ()), Err(expected));
}

#[test]
fn a_commit_of_the_proposals_that_are_named() {
    let mut world = World::of(4, 1, Settings::default());
    let crypto = world.crypto();
    let gone = world.leaf(3);
    world.propose(1, Proposal::Remove(gone));
    world.update(2);
    let stored = world.session(0).holdings().proposals.iter();
    let [remove, update] = stored.map(|stored| stored.reference).collect::<Vec<_>>()[..] else {
        panic!("two proposals");
    };
    world.commit(0, CommitPlan { references: Some(vec![update]), ..world.plan() });
    assert_eq!(world.session(0).members().len(), 4);
    // The other one ended with its epoch.
    let plan = CommitPlan { references: Some(vec![remove]), ..world.plan() };
    let session = world.sessions.get_mut(&0).unwrap();
    let refused = session.commit(&crypto, plan, &mut world.rng).unwrap_err();
    let expected = CommitError::from(ApplyError::UnknownReference);
    assert_eq!(refused, SessionError::Commit(expected));
}

#[test]
fn a_welcome_without_the_tree() {
    let mut world = World::of(3, 1, Settings::default());
    let crypto = world.crypto();
    let client = world.client();
    let proposals = vec![client.add()];
    let plan = CommitPlan { proposals, tree_in_welcome: Some(false), ..world.plan() };
    let welcome = world.commit(0, plan).unwrap();
    let joining = client.joining(Settings::default());
    let refused = Session::join(&crypto, &welcome, joining.clone()).map(|_| ());
    assert_eq!(refused, Err(JoinError::NoTree.into()));
    let tree = Some(world.session(0).public().tree.clone());
    let joined = Session::join(&crypto, &welcome, Joining { tree, ..joining }).unwrap();
    assert_eq!(joined.epoch_authenticator(), world.session(1).epoch_authenticator());
}
