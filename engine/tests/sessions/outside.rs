//! Proposals from outside (RFC 9420 §12.1.8) and external commits (§12.4.3.2), each rule broken.

use arboretum_engine::codec::encode;
use arboretum_engine::crypto::{CryptoError, SignatureKeyPair};
use arboretum_engine::group::{
    ApplyError, CommitPlan, JoinError, Outsider, Received, Session, SessionError, Settings,
    propose_from_outside,
};
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treedem::{Commit, Content, MlsMessage, PublicMessage, Sender};
use arboretum_engine::treekem::PskError;
use arboretum_engine::treesync::{
    Credential, Extension, ExtensionType, LeafNode, LeafNodeSource, Proposal, ProposalError,
    ProposalOrRef, PskType, TreeError,
};

use crate::world::{CUSTOM, Client, EXTENSION, World};

/// A group of three that listens to one external sender.
fn listening() -> (World, SignatureKeyPair) {
    let mut world = World::of(3, 1, Settings::default());
    let signer = world.listen();
    (world, signer)
}

/// Proposes from outside; the answer of all members, which must be the same.
fn proposing(
    world: &mut World,
    outsider: Outsider,
    proposal: Proposal,
    signer: &SignatureKeyPair,
) -> Result<(), SessionError> {
    let context = &world.session(0).public().context;
    let (group_id, epoch) = (context.group_id.as_slice().to_vec(), context.epoch);
    let crypto = world.crypto();
    let message =
        propose_from_outside(&crypto, outsider, &group_id, epoch, proposal, &signer.private, 1);
    let answers = world.hand_out(None, &message.unwrap());
    let mut answers = answers.into_values().map(|answer| match answer {
        Ok(Received::Proposal { .. }) => Ok(()),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error),
    });
    let first = answers.next().unwrap();
    assert!(answers.all(|answer| answer == first));
    first
}

#[test]
fn an_external_sender_may_propose_what_it_may() {
    let (mut world, signer) = listening();
    let client = world.client();
    let outsider = Outsider::External(0);
    let leaf = world.leaf(2);
    for proposal in [client.add(), Proposal::Remove(leaf)] {
        assert_eq!(proposing(&mut world, outsider, proposal, &signer), Ok(()));
    }
    let welcome = world.commit(0, world.plan()).unwrap();
    world.join_all(&welcome, vec![client]);
    assert_eq!(world.sessions.keys().copied().collect::<Vec<_>>(), [0, 1, 3]);
}

#[test]
fn an_external_sender_may_not_propose_more() {
    let (mut world, signer) = listening();
    let update = world.client().package.leaf_node;
    for proposal in [
        Proposal::Update(update),
        Proposal::ExternalInit(vec![1].into()),
        Proposal::Custom(CUSTOM, vec![1].into()),
    ] {
        let content = proposal.name();
        let refused = proposing(&mut world, Outsider::External(0), proposal, &signer);
        let sender = "an external sender";
        assert_eq!(refused, Err(ApplyError::NotAllowed { sender, content }.into()));
    }
}

#[test]
fn an_external_sender_that_the_group_does_not_know() {
    let (mut world, signer) = listening();
    let remove = || Proposal::Remove(LeafIndex(2));
    let refused = proposing(&mut world, Outsider::External(1), remove(), &signer);
    assert_eq!(refused, Err(ApplyError::UnknownExternalSender(1).into()));
    let stranger = world.client().signer;
    let refused = proposing(&mut world, Outsider::External(0), remove(), &stranger);
    assert_eq!(refused, Err(ApplyError::Crypto(CryptoError::BadSignature).into()));
    // A group without the extension listens to nobody.
    let mut world = World::of(2, 1, Settings::default());
    let refused = proposing(&mut world, Outsider::External(0), remove(), &signer);
    assert_eq!(refused, Err(ApplyError::UnknownExternalSender(0).into()));
}

#[test]
fn a_client_may_ask_to_be_added_and_nothing_else() {
    let mut world = World::of(3, 1, Settings::default());
    let client = world.client();
    let signer = client.signer.clone();
    let new = Outsider::NewMember;
    assert_eq!(proposing(&mut world, new, client.add(), &signer), Ok(()));
    let refused = proposing(&mut world, new, Proposal::Remove(LeafIndex(1)), &signer);
    let error = ApplyError::NotAllowed { sender: "a new member", content: "remove" };
    assert_eq!(refused, Err(error.into()));
    // Signed with another key than the package names.
    let stranger = world.client();
    let refused = proposing(&mut world, new, stranger.add(), &signer);
    assert_eq!(refused, Err(ApplyError::Crypto(CryptoError::BadSignature).into()));
    let welcome = world.commit(1, world.plan()).unwrap();
    world.join_all(&welcome, vec![client]);
}

/// A client's external commit to a group, with what it does beside it changed and signed again.
fn entering(world: &mut World, client: &Client, change: impl FnOnce(&mut Commit)) -> Vec<u8> {
    replacing(world, client, None, change)
}

/// The same, of a client that may remove its former self.
fn replacing(
    world: &mut World,
    client: &Client,
    removing: Option<LeafIndex>,
    change: impl FnOnce(&mut Commit),
) -> Vec<u8> {
    let info = world.group_info(0);
    let crypto = world.crypto();
    let joining = world.joining(client);
    let (_, message) =
        Session::join_external(&crypto, &info, joining, removing, vec![], &mut world.rng).unwrap();
    let mut message: PublicMessage = match arboretum_engine::codec::decode("", &message).unwrap() {
        MlsMessage::Public(message) => message,
        other => panic!("{other:?}"),
    };
    assert_eq!(message.content.sender, Sender::NewMemberCommit);
    let Content::Commit(commit) = &mut message.content.content else { panic!("no commit") };
    change(commit);
    let (mut content, _) = message.into_content();
    let context = info.group_context.encoded();
    let (format, tag) = (content.wire_format, content.confirmation_tag.take());
    let mut signed = arboretum_engine::treedem::AuthenticatedContent::sign(
        &crypto,
        &client.signer.private,
        format,
        content.content,
        &context,
    )
    .unwrap();
    signed.confirmation_tag = tag;
    let message = PublicMessage::protect(&crypto, signed, None, &context).unwrap();
    encode(&MlsMessage::Public(message)).unwrap()
}

/// What all members say to it.
fn entry_refused(change: impl FnOnce(&mut Commit)) -> SessionError {
    let mut world = World::of(3, 1, Settings::default());
    let client = world.client();
    let message = entering(&mut world, &client, change);
    let before: Vec<_> = digests(&world);
    let mut answers = world.hand_out(None, &message).into_values().map(Result::unwrap_err);
    let first = answers.next().unwrap();
    assert!(answers.all(|answer| answer == first));
    assert_eq!(digests(&world), before);
    first
}

fn digests(world: &World) -> Vec<arboretum_engine::crypto::Digest> {
    let crypto = world.crypto();
    world.sessions.values().map(|session| session.digest(&crypto).unwrap()).collect()
}

fn by_value(proposal: Proposal) -> ProposalOrRef {
    ProposalOrRef::Proposal(proposal)
}

#[test]
fn what_is_not_changed_is_accepted() {
    let mut world = World::of(3, 1, Settings::default());
    let client = world.client();
    let message = entering(&mut world, &client, |_| ());
    for (_, received) in world.hand_out(None, &message) {
        assert!(matches!(received, Ok(Received::Commit { .. })), "{received:?}");
    }
    world.check_agreement();
}

#[test]
fn the_list_of_an_external_commit() {
    let proposals = |error: ProposalError| SessionError::Apply(error.into());
    let none = entry_refused(|commit| commit.proposals.clear());
    assert_eq!(none, proposals(ProposalError::ExternalInits(0)));
    let two = entry_refused(|commit| {
        commit.proposals.push(by_value(Proposal::ExternalInit(vec![1; 32].into())));
    });
    assert_eq!(two, proposals(ProposalError::ExternalInits(2)));
    let removes = entry_refused(|commit| {
        commit.proposals.push(by_value(Proposal::Remove(LeafIndex(1))));
        commit.proposals.push(by_value(Proposal::Remove(LeafIndex(2))));
    });
    assert_eq!(removes, proposals(ProposalError::ExternalRemoves));
    let other = entry_refused(|commit| {
        commit.proposals.push(by_value(Proposal::GroupContextExtensions(vec![])));
    });
    assert_eq!(other, proposals(ProposalError::NotInExternal("group_context_extensions")));
}

#[test]
fn an_external_commit_refers_to_nothing() {
    let refused = entry_refused(|commit| {
        commit.proposals.push(ProposalOrRef::Reference([1; 32].into()));
    });
    assert_eq!(refused, ApplyError::ReferenceInExternal.into());
}

#[test]
fn an_external_commit_has_a_path() {
    let mut world = World::of(3, 1, Settings::default());
    let client = world.client();
    let message = entering(&mut world, &client, |commit| commit.path = None);
    for (_, received) in world.hand_out(None, &message) {
        assert_eq!(received, Err(ApplyError::PathRequired.into()));
    }
}

#[test]
fn nobody_removes_another_by_joining() {
    let refused = entry_refused(|commit| {
        commit.proposals.push(by_value(Proposal::Remove(LeafIndex(1))));
    });
    assert_eq!(refused, ApplyError::RemovesAnother.into());
    // The joiner itself notices.
    let mut world = World::of(3, 1, Settings::default());
    let client = world.client();
    let (crypto, info) = (world.crypto(), world.group_info(0));
    let joining = world.joining(&client);
    let made =
        Session::join_external(&crypto, &info, joining, Some(LeafIndex(1)), vec![], &mut world.rng);
    let refused = made.map(|_| ()).unwrap_err();
    assert_eq!(refused.to_string(), ApplyError::RemovesAnother.to_string());
}

/// The leaf of who joins keeps to the rules of any path, and of an Update where it replaces one.
#[test]
fn the_leaf_of_an_external_commit() {
    let mut world = World::of(4, 1, Settings::default());
    let extension = Extension { extension_type: EXTENSION, extension_data: vec![].into() };
    let proposals = vec![Proposal::GroupContextExtensions(vec![extension])];
    world.commit(0, CommitPlan { proposals, ..world.plan() });
    let former = world.session(2).member().clone();
    let client = world.client_named(2, former.signer.clone());
    let old_key = former.keys.leaf().public.clone();
    type Change = Box<dyn Fn(&mut LeafNode)>;
    let cases: [(Change, ApplyError); 4] = [
        (Box::new(move |leaf| leaf.encryption_key = old_key.clone()), ApplyError::SameLeafKey),
        (
            Box::new(|leaf| leaf.credential = Credential::Basic(b"another".to_vec().into())),
            ApplyError::RemovesAnother,
        ),
        (
            Box::new(|leaf| leaf.capabilities.extensions.clear()),
            TreeError::GroupExtension(EXTENSION).into(),
        ),
        (
            Box::new(|leaf| leaf.leaf_node_source = LeafNodeSource::Update),
            TreeError::Source { expected: "commit" }.into(),
        ),
    ];
    for (change, error) in cases {
        let crypto = world.crypto();
        let message = replacing(&mut world, &client, Some(former.leaf), |commit| {
            let leaf = &mut commit.path.as_mut().unwrap().leaf_node;
            change(leaf);
            leaf.sign(&crypto, &client.signer.private, b"the group", former.leaf).unwrap();
        });
        let before = digests(&world);
        for (_, received) in world.hand_out(None, &message) {
            assert_eq!(received, Err(error.clone().into()));
        }
        assert_eq!(digests(&world), before);
    }
    let message = replacing(&mut world, &client, Some(former.leaf), |_| ());
    let removed = world.sessions.remove(&2);
    for (_, received) in world.hand_out(None, &message) {
        assert!(matches!(received, Ok(Received::Commit { .. })), "{received:?}");
    }
    let received = removed.unwrap().receive(&world.crypto(), &message);
    assert!(matches!(received, Ok(Received::Removed { .. })), "{received:?}");
}

#[test]
fn an_external_commit_signed_by_another() {
    let mut world = World::of(3, 1, Settings::default());
    let mut client = world.client();
    client.signer.private = world.client().signer.private;
    let info = world.group_info(0);
    let (crypto, joining) = (world.crypto(), world.joining(&client));
    let (_, message) =
        Session::join_external(&crypto, &info, joining, None, vec![], &mut world.rng).unwrap();
    for (_, received) in world.hand_out(None, &message) {
        assert_eq!(received, Err(ApplyError::Crypto(CryptoError::BadSignature).into()));
    }
}

#[test]
fn a_key_that_is_injected_by_joining() {
    let mut world = World::of(3, 1, Settings::default());
    let client = world.client();
    world.share_psk(b"key", &[7; 32]);
    let (crypto, info) = (world.crypto(), world.group_info(0));
    let psk = || PskType::External(b"key".to_vec().into());
    let id = Session::psk_id(&crypto, psk(), &mut world.rng);
    let joining = world.joining(&client);
    let (session, message) =
        Session::join_external(&crypto, &info, joining, None, vec![id.clone()], &mut world.rng)
            .unwrap();
    for (_, received) in world.hand_out(None, &message) {
        assert!(matches!(received, Ok(Received::Commit { .. })), "{received:?}");
    }
    world.sessions.insert(client.name, session);
    world.check_complete();
    // Who does not hold it cannot make the commit.
    let info = world.group_info(0);
    let stranger = world.client();
    let joining = stranger.joining(Settings::default());
    let made = Session::join_external(&crypto, &info, joining, None, vec![id], &mut world.rng);
    let refused = made.map(|_| ()).unwrap_err();
    assert_eq!(refused.to_string(), PskError::NotHeld("6b6579".into()).to_string());
}

#[test]
fn a_group_info_that_is_not_for_joining() {
    let mut world = World::of(3, 1, Settings::default());
    let client = world.client();
    let crypto = world.crypto();
    let enter = |world: &mut World, info: &arboretum_engine::treekem::GroupInfo| {
        let joining = world.joining(&client);
        let made = Session::join_external(&crypto, info, joining, None, vec![], &mut world.rng);
        made.map(|_| ()).unwrap_err()
    };
    let signer = world.session(0).member().signer.clone();
    let mut info = world.group_info(0);
    info.extensions.retain(|ext| ext.extension_type != ExtensionType::EXTERNAL_PUB);
    info.sign(&crypto, &signer.private).unwrap();
    assert_eq!(enter(&mut world, &info), JoinError::NoExternalKey.into());
    let mut info = world.group_info(0);
    info.extensions.retain(|ext| ext.extension_type != ExtensionType::RATCHET_TREE);
    info.sign(&crypto, &signer.private).unwrap();
    assert_eq!(enter(&mut world, &info), JoinError::NoTree.into());
    let mut info = world.group_info(0);
    info.group_context.epoch += 1;
    let refused = enter(&mut world, &info);
    assert!(matches!(refused, SessionError::Join(JoinError::GroupInfo(_))), "{refused}");
    // One made in an epoch that is over makes a commit that nobody follows.
    let info = world.group_info(0);
    world.commit(1, world.plan());
    let joining = world.joining(&client);
    let (_, late) =
        Session::join_external(&crypto, &info, joining, None, vec![], &mut world.rng).unwrap();
    let found = info.group_context.epoch;
    for (_, received) in world.hand_out(None, &late) {
        let error = ApplyError::WrongEpoch { expected: found + 1, found };
        assert_eq!(received, Err(error.into()));
    }
}

#[test]
fn a_group_that_the_client_is_in_already() {
    let mut world = World::of(3, 1, Settings::default());
    let client = world.client();
    let (crypto, info) = (world.crypto(), world.group_info(0));
    let mut joining = world.joining(&client);
    joining.groups.insert(info.group_context.group_id.as_slice().to_vec());
    let made = Session::join_external(&crypto, &info, joining, None, vec![], &mut world.rng);
    assert_eq!(made.map(|_| ()).unwrap_err(), JoinError::AlreadyIn.into());
}
