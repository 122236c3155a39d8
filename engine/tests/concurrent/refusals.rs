//! Each rule of proposed paths, broken: by the proposal of somebody who signs whatever it likes, covered by a
//! commit that would be honest.

use arboretum_engine::codec::{decode, encode};
use arboretum_engine::crypto::{CryptoError, HpkePublicKey};
use arboretum_engine::group::{
    ApplyError, CommitError, FollowError, ProposedUpdate, StoredProposal,
};
use arboretum_engine::strategy::Strategy;
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treedem::{
    AuthenticatedContent, Content, FramedContent, MlsMessage, PublicMessage, Sender, WireFormat,
};
use arboretum_engine::treekem::{PathError, UpdatePath};
use arboretum_engine::treesync::{
    LeafNodeSource, ListRules, Listed, MAX_PATH_NODES, MAX_PATHS, Proposal, ProposalError,
    ProposalType, ProposedPath, ProtocolVersion, Purpose, TreeError, check_list,
};

use tls_codec::VLBytes;

use crate::common::Group;
use crate::common::client::Client;
use crate::rounds::{Epoch, commit, concurrent, holdings, propose, warm};

/// The sender of the paths that are wrong, and who commits.
const SENDER: LeafIndex = LeafIndex(2);
const COMMITTER: u32 = 6;

fn epoch(paths: &[u32]) -> Epoch {
    Epoch { by: COMMITTER, paths: paths.to_vec(), ..Epoch::default() }
}

fn path_in(proposed: &mut ProposedUpdate) -> &mut UpdatePath {
    match &mut proposed.stored.proposal {
        Proposal::Path(ProposedPath(path)) => path,
        other => panic!("{other:?} is no path"),
    }
}

/// A proposal in a public message of a member.
fn sent(group: &Group<'_>, sender: LeafIndex, proposed: &mut ProposedUpdate) {
    let (crypto, member) = (group.crypto(), &group.live[&sender].member);
    let context = member.public.context.encoded();
    let content = FramedContent {
        group_id: member.public.context.group_id.clone(),
        epoch: member.epoch(),
        sender: Sender::Member(sender),
        authenticated_data: vec![].into(),
        content: Content::Proposal(proposed.stored.proposal.clone()),
    };
    let (key, format) = (&member.signer.private, WireFormat::PUBLIC_MESSAGE);
    let signed = AuthenticatedContent::sign(&crypto, key, format, content, &context).unwrap();
    proposed.stored.reference = signed.reference(&crypto).unwrap();
    let key = &member.secrets.membership_key;
    let message = PublicMessage::protect(&crypto, signed, Some(key), &context).unwrap();
    proposed.message = encode(&MlsMessage::Public(message)).unwrap();
}

/// Signs the leaf of a path again.
fn sign_leaf(group: &Group<'_>, path: &mut UpdatePath) {
    let member = &group.live[&SENDER].member;
    let group_id = member.public.context.group_id.as_slice();
    path.leaf_node.sign(&group.crypto(), &member.signer.private, group_id, SENDER).unwrap();
}

fn about(made: Result<impl Sized, CommitError>) -> ApplyError {
    match made.map(|_| ()) {
        Err(CommitError::Apply(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// What the committer says of a path that has been changed; its leaf is signed again if that is wanted.
fn changed(signed: bool, change: impl FnOnce(&Group<'_>, &mut UpdatePath)) -> ApplyError {
    let mut group = warm(concurrent(), 8);
    let epoch = epoch(&[SENDER.0]);
    let mut proposed = propose(&mut group, &epoch);
    let path = path_in(&mut proposed[0].1);
    change(&group, path);
    if signed {
        sign_leaf(&group, path);
    }
    sent(&group, SENDER, &mut proposed[0].1);
    about(commit(&mut group, &epoch, &proposed, &[]))
}

#[test]
fn paths_that_do_not_fit_the_tree() {
    let of_path = |error| {
        let error = Box::new(error);
        ApplyError::Proposals(ProposalError::Path { leaf: SENDER, error })
    };
    let short = changed(true, |_, path| _ = path.nodes.pop());
    assert_eq!(short, of_path(PathError::Nodes { expected: 3, found: 2 }));
    let missing = changed(true, |_, path| path.nodes[1].encrypted_path_secret = Default::default());
    assert_eq!(missing, of_path(PathError::Ciphertexts { node: 1, expected: 1, found: 0 }));
}

#[test]
fn keys_that_may_not_stand_in_the_tree() {
    let key = |leaf: u32| {
        move |group: &Group<'_>| {
            let tree = &group.live[&SENDER].member.public.tree;
            tree.leaf(LeafIndex(leaf)).unwrap().encryption_key.clone()
        }
    };
    let own = changed(true, |group, path| path.leaf_node.encryption_key = key(2)(group));
    assert_eq!(own, ProposalError::SameLeafKey(SENDER).into());
    let duplicate = ApplyError::Proposals(TreeError::DuplicateEncryptionKey.into());
    let others = changed(true, |group, path| path.leaf_node.encryption_key = key(5)(group));
    assert_eq!(others, duplicate);
    let others = changed(true, |group, path| path.nodes[1].encryption_key = key(5)(group));
    assert_eq!(others, duplicate);
    let twice = changed(true, |_, path| {
        path.nodes[0].encryption_key = path.nodes[1].encryption_key.clone();
    });
    assert_eq!(twice, duplicate);
    let no_key = ApplyError::Proposals(TreeError::NotAKey.into());
    for node in [None, Some(0), Some(2)] {
        let refused = changed(true, |_, path| {
            let key = HpkePublicKey::from(vec![9; 31]);
            match node {
                Some(node) => path.nodes[node].encryption_key = key,
                None => path.leaf_node.encryption_key = key,
            }
        });
        assert_eq!(refused, no_key, "{node:?}");
    }
}

#[test]
fn leaves_that_are_not_those_of_an_update() {
    let source = changed(true, |_, path| {
        path.leaf_node.leaf_node_source = LeafNodeSource::Commit(Default::default());
    });
    let expected = TreeError::Source { expected: "update" };
    assert_eq!(source, ApplyError::Proposals(expected.into()));
    let forged = changed(false, |_, path| {
        path.leaf_node.capabilities.versions.push(ProtocolVersion(7));
    });
    assert_eq!(forged, ApplyError::Proposals(CryptoError::BadSignature.into()));
    let forgets = changed(true, |_, path| path.leaf_node.capabilities.proposals.clear());
    assert_eq!(forgets, ApplyError::Proposals(TreeError::RequiredCapability.into()));
}

/// Whoever cannot follow is not added, and is no member of a tree.
#[test]
fn a_client_that_does_not_know_paths() {
    let mut group = warm(concurrent(), 4);
    let other = Strategy { concurrent: false, ..Strategy::parse("2022+unmerged=off").unwrap() };
    let crypto = group.crypto();
    let client = Client::under(&crypto, 99, other, &mut group.rng);
    let epoch = Epoch { by: 1, ..Epoch::default() };
    let refused = about(commit(&mut group, &epoch, &[], &[client]));
    assert_eq!(refused, ApplyError::Proposals(TreeError::RequiredCapability.into()));
}

fn listed(proposals: &[(Proposal, Option<LeafIndex>)]) -> Result<(), ProposalError> {
    let rules = ListRules {
        committer: Some(LeafIndex(COMMITTER)),
        purpose: Purpose::Ordinary,
        nonce_length: 32,
        version: ProtocolVersion::MLS10,
    };
    let list = proposals.iter().map(|(proposal, sender)| Listed { proposal, sender: *sender });
    check_list(&list.collect::<Vec<_>>(), &rules)
}

#[test]
fn lists_with_paths() {
    let mut group = warm(concurrent(), 8);
    let path = propose(&mut group, &epoch(&[2])).remove(0).1.stored.proposal;
    let of = |sender: u32| (path.clone(), Some(LeafIndex(sender)));
    assert_eq!(listed(&[of(2), of(3)]), Ok(()));
    assert_eq!(listed(&[(path.clone(), None)]), Err(ProposalError::PathFromOutside));
    assert_eq!(listed(&[of(COMMITTER)]), Err(ProposalError::PathOfCommitter));
    let twice = Err(ProposalError::SameLeafTwice(SENDER));
    assert_eq!(listed(&[of(2), of(2)]), twice);
    assert_eq!(listed(&[of(2), (Proposal::Remove(SENDER), Some(LeafIndex(1)))]), twice);
    let Proposal::Path(ProposedPath(UpdatePath { leaf_node, .. })) = path.clone() else { panic!() };
    assert_eq!(listed(&[(Proposal::Update(leaf_node), Some(SENDER)), of(2)]), twice);
    let many: Vec<_> = (0..=MAX_PATHS as u32).map(|sender| of(1_000 + sender)).collect();
    assert_eq!(listed(&many[1..]), Ok(()));
    assert_eq!(listed(&many), Err(ProposalError::ManyPaths));
    // Nobody from outside proposes one.
    assert!(!path.is_allowed_externally() && path.requires_path());
    let rules = ListRules {
        committer: None,
        purpose: Purpose::Ordinary,
        nonce_length: 32,
        version: ProtocolVersion::MLS10,
    };
    let init = Proposal::ExternalInit(vec![1].into());
    let list = [&init, &path].map(|proposal| Listed { proposal, sender: None });
    assert_eq!(check_list(&list, &rules), Err(ProposalError::NotInExternal("path")));
}

#[test]
fn a_group_whose_strategy_has_no_paths() {
    let mut group = warm(Strategy::parse("2022+unmerged=off").unwrap(), 8);
    let epoch = epoch(&[2]);
    let proposed = propose(&mut group, &epoch);
    let refused = about(commit(&mut group, &epoch, &proposed, &[]));
    assert_eq!(refused, ProposalError::NoPaths.into());
}

/// Who lies to some keeps those from following, and nobody else.
#[test]
fn a_secret_that_gives_another_key() {
    let mut group = warm(concurrent(), 8);
    let epoch = epoch(&[0]);
    let mut proposed = propose(&mut group, &epoch);
    // Leaves 2 and 3 have the second node of the path told; it is announced with another key.
    let other = group.client().package.init_key;
    path_in(&mut proposed[0].1).nodes[1].encryption_key = other;
    sent(&group, LeafIndex(0), &mut proposed[0].1);
    let pending = commit(&mut group, &epoch, &proposed, &[]).unwrap();
    let crypto = group.crypto();
    for leaf in [1, 2, 3, 4, 5, 7].map(LeafIndex) {
        let live = group.live.get_mut(&leaf).unwrap();
        let before = live.member.keys.clone();
        let holdings = holdings(&crypto, &live.member, &proposed);
        let (public, received) = (&live.member.public, &holdings.proposals);
        let seen = public.apply_with(&crypto, &live.roster, received, &pending.message).unwrap();
        let followed = live.member.follow_with(&crypto, &seen, &holdings);
        if leaf < LeafIndex(4) {
            assert_eq!(followed, Err(FollowError::Path(PathError::PublicKey(1))), "{leaf}");
            assert_eq!(live.member.keys, before);
        } else {
            assert!(followed.is_ok(), "{leaf}");
        }
    }
}

#[test]
fn a_sender_that_has_lost_its_keys() {
    let mut group = warm(concurrent(), 8);
    let epoch = epoch(&[0]);
    let proposed = propose(&mut group, &epoch);
    let pending = commit(&mut group, &epoch, &proposed, &[]).unwrap();
    let crypto = group.crypto();
    let live = group.live.get_mut(&LeafIndex(0)).unwrap();
    let mut holdings = holdings(&crypto, &live.member, &proposed);
    holdings.updates.clear();
    let (public, received) = (&live.member.public, &holdings.proposals);
    let seen = public.apply_with(&crypto, &live.roster, received, &pending.message).unwrap();
    let followed = live.member.follow_with(&crypto, &seen, &holdings);
    assert_eq!(followed, Err(FollowError::OwnUpdate));
}

#[test]
fn encodings_of_paths() {
    let mut group = warm(concurrent(), 8);
    let StoredProposal { proposal, .. } = propose(&mut group, &epoch(&[2])).remove(0).1.stored;
    let bytes = encode(&proposal).unwrap();
    assert_eq!(decode::<Proposal>("a proposal", &bytes).as_ref(), Ok(&proposal));
    let Proposal::Path(ProposedPath(mut path)) = proposal else { panic!() };
    let node = path.nodes[0].clone();
    path.nodes.resize(MAX_PATH_NODES, node.clone());
    let longest = encode(&Proposal::Path(ProposedPath(path.clone()))).unwrap();
    assert!(decode::<Proposal>("a proposal", &longest).is_ok());
    path.nodes.push(node);
    let longer = encode(&Proposal::Path(ProposedPath(path.clone()))).unwrap();
    let told = decode::<Proposal>("a proposal", &longer).unwrap_err().to_string();
    assert!(told.contains("more than 32 nodes"), "{told}");
    // The vector around it ends where the path does.
    path.nodes.clear();
    let body = [encode(&path).unwrap(), vec![0]].concat();
    let kind = encode(&ProposalType::PATH).unwrap();
    let trailing = [kind, encode(&VLBytes::from(body)).unwrap()].concat();
    assert!(decode::<Proposal>("a proposal", &trailing).is_err());
    assert!(decode::<Proposal>("a proposal", &bytes[..bytes.len() - 1]).is_err());
}

/// A commit that covers one has a path of its own.
#[test]
fn a_commit_without_a_path() {
    let mut group = warm(concurrent(), 8);
    let epoch = epoch(&[2]);
    let proposed = propose(&mut group, &epoch);
    let pending = commit(&mut group, &epoch, &proposed, &[]).unwrap();
    assert!(pending.path.is_some());
    let MlsMessage::Public(mut message) = decode("a message", &pending.message).unwrap() else {
        panic!()
    };
    match &mut message.content.content {
        Content::Commit(commit) => commit.path = None,
        other => panic!("{other:?}"),
    }
    let (crypto, live) = (group.crypto(), &group.live[&LeafIndex(COMMITTER)]);
    let context = live.member.public.context.encoded();
    let (content, _) = message.into_content();
    let (key, format) = (&live.member.signer.private, WireFormat::PUBLIC_MESSAGE);
    let tag = content.confirmation_tag;
    let mut signed =
        AuthenticatedContent::sign(&crypto, key, format, content.content, &context).unwrap();
    signed.confirmation_tag = tag;
    let key = &live.member.secrets.membership_key;
    let message = PublicMessage::protect(&crypto, signed, Some(key), &context).unwrap();
    let message = encode(&MlsMessage::Public(message)).unwrap();
    let receiver = &group.live[&LeafIndex(0)];
    let received = holdings(&crypto, &receiver.member, &proposed).proposals;
    let public = &receiver.member.public;
    let refused = public.apply_with(&crypto, &receiver.roster, &received, &message);
    assert_eq!(refused.map(|_| ()), Err(ApplyError::PathRequired));
}
