//! Forgeries: honest objects with one thing changed, and everything their author makes over
//! them (hashes, signatures, tags) made again.

use arboretum_engine::codec::{decode, encode};
use arboretum_engine::crypto::{Crypto, RealProvider, SignatureKeyPair};
use arboretum_engine::group::ApplyError;
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treedem::{
    Commit, Content, FramedContentTbs, MlsMessage, PublicMessage, WireFormat, membership_tag,
};
use arboretum_engine::treekem::{UpdatePath, merge_path};
use arboretum_engine::treesync::{KeyPackage, LeafNode, LeafNodeSource};

use crate::common::client::Client;
use crate::common::{Group, Live, Plan};

pub(crate) const REAL: RealProvider = RealProvider::new();

/// Who commits in these tests, and who receives.
pub(crate) const SENDER: LeafIndex = LeafIndex(2);
pub(crate) const RECEIVER: LeafIndex = LeafIndex(4);

/// A blank leaf, and one that is not there.
pub(crate) const BLANK: LeafIndex = LeafIndex(7);
pub(crate) const OUTSIDE: LeafIndex = LeafIndex(8);

/// Six members on eight leaves; every parent above a member is keyed.
pub(crate) fn six() -> Group<'static> {
    Group::of(&REAL, 1, 6, &[0, 2, 4])
}

pub(crate) fn crypto() -> Crypto<'static> {
    Crypto::new(&REAL)
}

/// An honest commit without proposals.
pub(crate) fn honest(group: &mut Group<'_>) -> Vec<u8> {
    group.propose(&crypto(), &Plan { by: SENDER, ..Plan::default() }, &[]).message
}

/// What the receiver says of a commit in public.
pub(crate) fn refusal(group: &Group<'_>, message: &[u8]) -> ApplyError {
    let Live { member, roster, .. } = &group.live[&RECEIVER];
    let before = (member.public.context.clone(), roster.clone());
    let refused = member.public.apply(&crypto(), roster, message);
    assert_eq!(before, (member.public.context.clone(), roster.clone()));
    refused.map(|_| "accepted").unwrap_err()
}

pub(crate) fn public_message(message: &[u8]) -> PublicMessage {
    match decode("a message", message).unwrap() {
        MlsMessage::Public(message) => message,
        other => panic!("{other:?} is not a public message"),
    }
}

pub(crate) fn commit_of(message: &mut PublicMessage) -> &mut Commit {
    match &mut message.content.content {
        Content::Commit(commit) => commit,
        other => panic!("{other:?} is not a commit"),
    }
}

pub(crate) fn path_of(message: &mut PublicMessage) -> &mut UpdatePath {
    commit_of(message).path.as_mut().expect("the commit has a path")
}

/// The same message, changed, and signed and tagged again by `signer`.
pub(crate) fn forged(
    signer: &Live,
    message: &[u8],
    change: impl FnOnce(&mut PublicMessage),
) -> Vec<u8> {
    let mut message = public_message(message);
    change(&mut message);
    sign(signer, &mut message);
    tag(signer, &mut message);
    bytes(message)
}

pub(crate) fn bytes(message: PublicMessage) -> Vec<u8> {
    encode(&MlsMessage::Public(message)).unwrap()
}

fn tbs(signer: &Live, message: &PublicMessage) -> FramedContentTbs {
    let context = signer.member.public.context.encoded();
    let content = encode(&message.content).unwrap();
    FramedContentTbs::new(WireFormat::PUBLIC_MESSAGE, message.content.sender, &content, &context)
}

fn sign(signer: &Live, message: &mut PublicMessage) {
    let key = &signer.member.signer.private;
    let tbs = tbs(signer, message);
    message.signature = crypto().sign_with_label(key, "FramedContentTBS", tbs.as_slice()).unwrap();
}

/// Makes the membership tag again.
pub(crate) fn tag(signer: &Live, message: &mut PublicMessage) {
    if message.membership_tag.is_some() {
        let (key, tbs) = (&signer.member.secrets.membership_key, tbs(signer, message));
        let (signature, confirmation) = (&message.signature, message.confirmation_tag.as_ref());
        let tag = membership_tag(&crypto(), key, &tbs, signature, confirmation);
        message.membership_tag = Some(tag.unwrap());
    }
}

/// An honest commit whose path has been changed; its parent hash, leaf signature, signature
/// and membership tag fit the change.
pub(crate) fn with_path(group: &mut Group<'_>, change: impl FnOnce(&mut UpdatePath)) -> Vec<u8> {
    let message = honest(group);
    let sender = &group.live[&SENDER];
    forged(sender, &message, |message| {
        let path = path_of(message);
        change(path);
        let tree = &sender.member.public.tree;
        let keys = path.public_keys();
        let merged = merge_path(&crypto(), tree, SENDER, &keys).unwrap();
        path.leaf_node.leaf_node_source = LeafNodeSource::Commit(merged.leaf_parent_hash);
        sign_leaf(sender, &mut path.leaf_node);
    })
}

/// An honest commit whose path leaf has been changed and signed again.
pub(crate) fn with_leaf(group: &mut Group<'_>, change: impl FnOnce(&mut LeafNode)) -> Vec<u8> {
    let message = honest(group);
    let sender = &group.live[&SENDER];
    forged(sender, &message, |message| {
        let leaf = &mut path_of(message).leaf_node;
        change(leaf);
        sign_leaf(sender, leaf);
    })
}

fn sign_leaf(signer: &Live, leaf: &mut LeafNode) {
    let group_id = signer.member.public.context.group_id.as_slice();
    leaf.sign(&crypto(), &signer.member.signer.private, group_id, signer.member.leaf).unwrap();
}

/// A client's package with its leaf changed, both signed again.
pub(crate) fn package_with_leaf(client: &Client, change: impl FnOnce(&mut LeafNode)) -> KeyPackage {
    package_with(client, |package| {
        change(&mut package.leaf_node);
        let key = &client.signer.private;
        package.leaf_node.sign(&crypto(), key, &[], LeafIndex(0)).unwrap();
    })
}

/// A client's package changed and signed again.
pub(crate) fn package_with(client: &Client, change: impl FnOnce(&mut KeyPackage)) -> KeyPackage {
    let mut package = client.package.clone();
    change(&mut package);
    sign_package(&client.signer, &mut package);
    package
}

fn sign_package(signer: &SignatureKeyPair, package: &mut KeyPackage) {
    let tbs = package.signed().unwrap().content;
    package.signature = crypto().sign_with_label(&signer.private, "KeyPackageTBS", &tbs).unwrap();
}
