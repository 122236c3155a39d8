//! The frame of a commit (RFC 9420 §6, §12.4).

use arboretum_engine::codec::{CodecError, encode};
use arboretum_engine::crypto::{CryptoError, Digest};
use arboretum_engine::group::ApplyError;
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treedem::{Content, MlsMessage, Sender};
use arboretum_engine::treesync::{Proposal, ProposalOrRef, ProtocolVersion};

use crate::common::{Group, Plan};
use crate::forge::{
    BLANK, OUTSIDE, RECEIVER, SENDER, bytes, commit_of, forged, honest, public_message, refusal,
    six,
};

/// The refusal of an honest commit after a change that its sender has signed.
fn after(change: impl FnOnce(&mut arboretum_engine::treedem::PublicMessage)) -> ApplyError {
    let mut group = six();
    let message = honest(&mut group);
    refusal(&group, &forged(&group.live[&SENDER], &message, change))
}

#[test]
fn a_forgery_that_changes_nothing_is_the_honest_commit() {
    let mut group = six();
    let message = honest(&mut group);
    assert_eq!(forged(&group.live[&SENDER], &message, |_| ()), message);
    group.live.get_mut(&RECEIVER).unwrap().follow(&crate::forge::crypto(), &message);
}

#[test]
fn another_message() {
    let mut group = six();
    let client = group.client();
    let package = encode(&MlsMessage::KeyPackage(client.package.clone())).unwrap();
    assert_eq!(refusal(&group, &package), ApplyError::NotACommit);
    let plan = Plan { by: SENDER, adds: 1, ..Plan::default() };
    let welcome = group.propose(&crate::forge::crypto(), &plan, &[client]).welcome.unwrap();
    assert_eq!(refusal(&group, &welcome), ApplyError::NotACommit);
}

#[test]
fn other_content() {
    for content in [
        Content::Application(b"hello".to_vec().into()),
        Content::Proposal(Proposal::Remove(LeafIndex(1))),
    ] {
        let refused = after(|message| {
            message.content.content = content;
            message.confirmation_tag = None;
        });
        assert_eq!(refused, ApplyError::NotACommit);
    }
}

#[test]
fn another_group() {
    let refused = after(|message| message.content.group_id = vec![1, 2, 3].into());
    assert_eq!(refused, ApplyError::WrongGroup);
}

#[test]
fn another_epoch() {
    let expected = six().member(0).member.epoch();
    for found in [0, expected - 1, expected + 1, u64::MAX] {
        let refused = after(|message| message.content.epoch = found);
        assert_eq!(refused, ApplyError::WrongEpoch { expected, found });
    }
}

#[test]
fn a_sender_that_is_not_a_member() {
    for leaf in [BLANK, OUTSIDE, LeafIndex(u32::MAX)] {
        let refused = after(|message| message.content.sender = Sender::Member(leaf));
        assert_eq!(refused, ApplyError::UnknownSender);
    }
}

#[test]
fn a_commit_of_somebody_outside_the_group() {
    for (sender, name) in
        [(Sender::External(0), "an external sender"), (Sender::NewMemberProposal, "a new member")]
    {
        let refused = after(|message| {
            message.content.sender = sender;
            message.membership_tag = None;
        });
        assert_eq!(refused, ApplyError::NotAllowed { sender: name, content: "commit" });
    }
}

/// A client that joins by itself sends a commit, and nothing else.
#[test]
fn a_joiner_that_sends_something_else() {
    for (content, name) in [
        (Content::Application(b"hello".to_vec().into()), "application message"),
        (Content::Proposal(Proposal::Remove(LeafIndex(1))), "proposal"),
    ] {
        let refused = after(|message| {
            message.content.sender = Sender::NewMemberCommit;
            message.content.content = content;
            message.confirmation_tag = None;
            message.membership_tag = None;
        });
        let sender = "a joining client";
        assert_eq!(refused, ApplyError::NotAllowed { sender, content: name });
    }
}

#[test]
fn a_key_package_of_another_version_than_its_message() {
    let mut package = six().client().package;
    package.version = ProtocolVersion(2);
    let mut message = encode(&MlsMessage::KeyPackage(package)).unwrap();
    let refused = refusal(&six(), &message);
    assert!(matches!(refused, ApplyError::Codec(CodecError::Malformed { .. })), "{refused}");
    // Nor is the message of a version that is not known.
    message[1] = 2;
    let refused = refusal(&six(), &message);
    assert!(matches!(refused, ApplyError::Codec(CodecError::Malformed { .. })), "{refused}");
}

/// Tags stand where they belong and nowhere else: more bytes or fewer are no message.
#[test]
fn tags_that_are_missing_or_too_many() {
    let malformed = |change: fn(&mut arboretum_engine::treedem::PublicMessage)| {
        let mut message = public_message(&honest(&mut six()));
        change(&mut message);
        let refused = refusal(&six(), &bytes(message));
        assert!(matches!(refused, ApplyError::Codec(_)), "{refused}");
    };
    malformed(|message| message.membership_tag = None);
    malformed(|message| message.confirmation_tag = None);
    malformed(|message| message.content.sender = Sender::NewMemberCommit);
    malformed(|message| {
        message.content.content = Content::Proposal(Proposal::Remove(LeafIndex(1)));
    });
}

#[test]
fn a_proposal_by_reference_that_was_not_received() {
    let refused = after(|message| {
        commit_of(message).proposals.push(ProposalOrRef::Reference(Digest::from([1; 32])));
    });
    assert_eq!(refused, ApplyError::UnknownReference);
}

#[test]
fn a_missing_path() {
    let empty = after(|message| commit_of(message).path = None);
    assert_eq!(empty, ApplyError::PathRequired);
    let remove = after(|message| {
        let commit = commit_of(message);
        commit.path = None;
        commit.proposals.push(ProposalOrRef::Proposal(Proposal::Remove(LeafIndex(1))));
    });
    assert_eq!(remove, ApplyError::PathRequired);
}

#[test]
fn a_bad_signature() {
    let mut group = six();
    let honest = honest(&mut group);
    let mut message = public_message(&honest);
    let mut signature = message.signature.as_slice().to_vec();
    signature[0] ^= 1;
    message.signature = signature.into();
    let refused = ApplyError::Crypto(CryptoError::BadSignature);
    assert_eq!(refusal(&group, &bytes(message)), refused);
    // Signed by another member than the one it names.
    assert_eq!(refusal(&group, &forged(&group.live[&RECEIVER], &honest, |_| ())), refused);
}

/// Signed in the group as it was, or as it will be.
#[test]
fn a_signature_over_another_context() {
    let mut group = six();
    let message = honest(&mut group);
    let mut stranger = group.live[&SENDER].clone();
    stranger.member.public.context.confirmed_transcript_hash = Digest::from([0; 32]);
    let message = forged(&stranger, &message, |_| ());
    assert_eq!(refusal(&group, &message), ApplyError::Crypto(CryptoError::BadSignature));
}

#[test]
fn bytes_left_over() {
    let mut group = six();
    let mut message = honest(&mut group);
    message.push(0);
    let refused = ApplyError::Codec(CodecError::Trailing { what: "an MLS message", left: 1 });
    assert_eq!(refusal(&group, &message), refused);
}

#[test]
fn bytes_missing() {
    let mut group = six();
    let message = honest(&mut group);
    for length in 0..message.len() {
        let refused = refusal(&group, &message[..length]);
        assert!(
            matches!(refused, ApplyError::Codec(CodecError::Malformed { .. })),
            "{length} bytes: {refused}"
        );
    }
}

/// No bit of a commit may be turned over on the way: each is noticed, in public or in private.
#[test]
fn every_flipped_bit() {
    let mut group = Group::of(&crate::forge::REAL, 1, 4, &[0, 2]);
    let plan = Plan { by: SENDER, removes: vec![LeafIndex(1)], ..Plan::default() };
    let client = group.client();
    let message = group.propose(&crate::forge::crypto(), &plan, &[client]).message;
    let receiver = group.member(3);
    for bit in 0..8 * message.len() {
        let mut message = message.clone();
        message[bit / 8] ^= 1 << (bit % 8);
        let crypto = crate::forge::crypto();
        let applied = receiver.member.public.apply(&crypto, &receiver.roster, &message);
        let Ok(transition) = applied else { continue };
        let mut member = receiver.member.clone();
        assert!(member.follow(&crypto, &transition).is_err(), "bit {bit} may be turned over");
        assert_eq!(member.secrets, receiver.member.secrets);
        assert_eq!(member.keys, receiver.member.keys);
    }
}
