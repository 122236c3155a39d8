//! Public messages of members, changed and signed and tagged again.

use arboretum_engine::codec::{decode, encode};
use arboretum_engine::group::{CommitPlan, SessionError};
use arboretum_engine::treedem::{
    AuthenticatedContent, Commit, Content, MlsMessage, PublicMessage, WireFormat,
};
use arboretum_engine::treekem::UpdatePath;
use arboretum_engine::treesync::{LeafNode, ProposalOrRef};

use crate::world::World;

/// A commit of a member, with a path, and what it does changed. The commit is not chosen.
pub(crate) fn commit_with(
    world: &mut World,
    from: u64,
    change: impl FnOnce(&mut Commit),
) -> Vec<u8> {
    let (crypto, plan) = (world.crypto(), CommitPlan { references: Some(vec![]), ..world.plan() });
    let session = world.sessions.get_mut(&from).unwrap();
    let message = session.commit(&crypto, plan, &mut world.rng).unwrap().message;
    session.discard_pending();
    let AuthenticatedContent { mut content, confirmation_tag, .. } = content_of(&message);
    let Content::Commit(commit) = &mut content.content else { panic!("it is a commit") };
    change(commit);
    let member = session.member();
    let (context, key) = (member.public.context.encoded(), &member.signer.private);
    let format = WireFormat::PUBLIC_MESSAGE;
    let mut signed = AuthenticatedContent::sign(&crypto, key, format, content, &context).unwrap();
    signed.confirmation_tag = confirmation_tag;
    let tag = Some(&member.secrets.membership_key);
    let message = PublicMessage::protect(&crypto, signed, tag, &context).unwrap();
    encode(&MlsMessage::Public(message)).unwrap()
}

fn content_of(message: &[u8]) -> AuthenticatedContent {
    match decode("a message", message).unwrap() {
        MlsMessage::Public(message) => message.into_content().0,
        _ => panic!("it is public"),
    }
}

/// The path of a commit.
pub(crate) fn path_of(message: &[u8]) -> UpdatePath {
    match content_of(message).content.content {
        Content::Commit(commit) => commit.path.unwrap(),
        _ => panic!("it is a commit"),
    }
}

/// A commit of a member with other proposals than it has made.
pub(crate) fn commit_of(world: &mut World, from: u64, proposals: Vec<ProposalOrRef>) -> Vec<u8> {
    commit_with(world, from, |commit| commit.proposals = proposals)
}

/// A commit of a member with the leaf of its path changed, and signed again by its owner.
pub(crate) fn commit_with_leaf(
    world: &mut World,
    from: u64,
    change: impl FnOnce(&mut LeafNode),
) -> Vec<u8> {
    let member = world.session(from).member().clone();
    let crypto = world.crypto();
    commit_with(world, from, |commit| {
        let leaf = &mut commit.path.as_mut().unwrap().leaf_node;
        change(leaf);
        let group_id = member.public.context.group_id.as_slice();
        leaf.sign(&crypto, &member.signer.private, group_id, member.leaf).unwrap();
    })
}

/// What a member says to a message that it refuses, which leaves it as it was.
pub(crate) fn refusal(world: &mut World, name: u64, message: &[u8]) -> SessionError {
    let crypto = world.crypto();
    let session = world.session_mut(name);
    let before = session.digest(&crypto).unwrap();
    let refused = session.receive(&crypto, message).unwrap_err();
    assert_eq!(session.digest(&crypto).unwrap(), before);
    refused
}
