//! A target for each decoder of the engine. What is decoded is encoded again and must give the
//! same bytes: an MLS encoding is unique, and what one client signs another must see alike.

use std::fmt::Debug;

use arboretum_engine::codec::{decode, encode, vector_length};
use arboretum_engine::crypto::HpkeCiphertext;
use arboretum_engine::strategy::{Layout, Strategy};
use arboretum_engine::treedem::{
    Commit, Content, ContentType, FramedContent, MlsMessage, PrivateMessage, PublicMessage,
};
use arboretum_engine::treekem::{GroupContext, GroupInfo, GroupSecrets, UpdatePath, Welcome};
use arboretum_engine::treesync::{
    Capabilities, Credential, Extension, ExternalSender, KeyPackage, LeafNode, LeafNodeSource,
    ParentNode, PreSharedKeyId, Proposal, ProposalOrRef, RatchetTree, ReInit, RequiredCapabilities,
    apply_add, decode_tree_of, encode_tree, encoded_tree_length,
};
use tls_codec::{DeserializeBytes, Serialize};

use crate::Target;
use crate::limits::within;
use crate::stage::Stage;

macro_rules! decoders {
    ($($name:literal: $type:ty = $seeds:expr;)+) => {
        pub(crate) fn targets() -> Vec<Target> {
            vec![
                $(Target { name: $name, run: round_trip::<$type>, seeds: $seeds, one_in: 1 },)+
                Target { name: "ratchet_tree", run: ratchet_tree, seeds: trees, one_in: 1 },
                Target { name: "strategy_tree", run: strategy_tree, seeds: kept, one_in: 1 },
                Target { name: "content_body", run: content_body, seeds: bodies, one_in: 1 },
                Target { name: "vector_length", run: length, seeds: lengths, one_in: 4 },
            ]
        }
    };
}

decoders! {
    "mls_message": MlsMessage = messages;
    "public_message": PublicMessage = || inner(|message| matches!(message, MlsMessage::Public(_)));
    "private_message": PrivateMessage =
        || inner(|message| matches!(message, MlsMessage::Private(_)));
    "welcome": Welcome = || inner(|message| matches!(message, MlsMessage::Welcome(_)));
    "group_info": GroupInfo = || inner(|message| matches!(message, MlsMessage::GroupInfo(_)));
    "key_package": KeyPackage = || inner(|message| matches!(message, MlsMessage::KeyPackage(_)));
    "group_context": GroupContext = || vec![Stage::get().victim.public().context.encoded()];
    "framed_content": FramedContent = || all(&Stage::get().contents);
    "commit": Commit = || all(&commits());
    "proposal": Proposal = || all(&Stage::get().proposals);
    "proposal_list": Vec<ProposalOrRef> =
        || all(&commits().iter().map(|commit| commit.proposals.clone()).collect::<Vec<_>>());
    "reinit": ReInit = || all(&inside(|proposal| match proposal {
        Proposal::ReInit(reinit) => Some(reinit),
        _ => None,
    }));
    "psk_id": PreSharedKeyId = || all(&inside(|proposal| match proposal {
        Proposal::PreSharedKey(id) => Some(id),
        _ => None,
    }));
    "update_path": UpdatePath =
        || all(&commits().into_iter().filter_map(|commit| commit.path).collect::<Vec<_>>());
    "leaf_node": LeafNode = || all(&leaves());
    "parent_node": ParentNode = || all(&Stage::get().parents());
    "leaf_node_source": LeafNodeSource =
        || all(&leaves().iter().map(|leaf| leaf.leaf_node_source.clone()).collect::<Vec<_>>());
    "credential": Credential =
        || all(&leaves().into_iter().map(|leaf| leaf.credential).collect::<Vec<_>>());
    "capabilities": Capabilities =
        || all(&leaves().into_iter().map(|leaf| leaf.capabilities).collect::<Vec<_>>());
    "required_capabilities": RequiredCapabilities = || all(&[RequiredCapabilities::default()]);
    "extensions": Vec<Extension> = || all(&[Stage::get().victim.public().context.extensions.clone()]);
    "external_senders": Vec<ExternalSender> = || vec![Stage::get().external_senders()];
    "group_secrets": GroupSecrets = || all(std::slice::from_ref(&Stage::get().group_secrets));
    "strategy": Strategy =
        || all(&[Strategy::default(), Strategy { concurrent: true, ..Strategy::default() }]);
    "hpke_ciphertext": HpkeCiphertext = || all(&ciphertexts());
}

/// Decodes, and encodes what came out.
fn round_trip<T: DeserializeBytes + Serialize + PartialEq + Debug>(input: &[u8]) {
    let decoded = within(input.len(), || decode::<T>("a value", input));
    let Ok(value) = decoded else { return };
    let encoded = encode(&value).expect("what was decoded has an encoding");
    assert_eq!(encoded, input, "another encoding of {value:?}");
}

/// A strategy, and a tree that is kept by it.
fn strategy_tree(input: &[u8]) {
    let Ok((strategy, tree)) = Strategy::tls_deserialize_bytes(input) else { return };
    tree_of(strategy, tree);
}

fn ratchet_tree(input: &[u8]) {
    tree_of(Strategy::default(), input);
}

/// A tree is encoded again, its length is known beforehand, and its cached aggregates are those
/// of a recount.
fn tree_of(strategy: Strategy, input: &[u8]) {
    let Ok(tree) = within(input.len(), || decode_tree_of(strategy, input)) else { return };
    let encoded = encode_tree(&tree).expect("what was decoded has an encoding");
    assert_eq!(encoded_tree_length(&tree), encoded.len());
    assert_eq!(encoded, input, "another encoding of {tree:?}");
    assert!(tree.root().recount(), "the aggregates of {tree:?}");
}

/// The content of a private message, without its type, and what follows it.
fn content_body(input: &[u8]) {
    for kind in [ContentType::Application, ContentType::Proposal, ContentType::Commit] {
        let decoded = within(input.len(), || Content::decode_body(kind, input));
        let Ok((content, rest)) = decoded else { continue };
        let body = content.encoded_body().expect("what was decoded has an encoding");
        assert_eq!([&body, rest].concat(), input, "another encoding of {content:?}");
    }
}

fn length(input: &[u8]) {
    let _ = within(input.len(), || vector_length(input));
}

fn lengths() -> Vec<Vec<u8>> {
    vec![vec![0], vec![0x40, 0x40], vec![0x80, 0, 0x40, 0], vec![0xbf, 0xff, 0xff, 0xff]]
}

fn all<T: Serialize>(values: &[T]) -> Vec<Vec<u8>> {
    values.iter().map(|value| encode(value).expect("a seed has an encoding")).collect()
}

fn messages() -> Vec<Vec<u8>> {
    Stage::get().messages.clone()
}

/// What is in messages of a kind, without their header of two bytes of version and two of format.
fn inner(wanted: impl Fn(&MlsMessage) -> bool) -> Vec<Vec<u8>> {
    let message = |bytes: &Vec<u8>| decode("a message", bytes).expect("a seed is a message");
    let kept = messages().into_iter().filter(|bytes| wanted(&message(bytes)));
    kept.map(|bytes| bytes[4..].to_vec()).collect()
}

fn commits() -> Vec<Commit> {
    let contents = Stage::get().contents.iter();
    let commit = |content: &FramedContent| match &content.content {
        Content::Commit(commit) => Some(commit.clone()),
        _ => None,
    };
    contents.filter_map(commit).collect()
}

fn inside<T>(wanted: impl Fn(Proposal) -> Option<T>) -> Vec<T> {
    Stage::get().proposals.iter().cloned().filter_map(wanted).collect()
}

fn leaves() -> Vec<LeafNode> {
    let members = Stage::get().victim.members().into_iter();
    let packages = inside(|proposal| match proposal {
        Proposal::Add(package) => Some(package.leaf_node),
        Proposal::Update(leaf) => Some(leaf),
        Proposal::Path(path) => Some(path.0.leaf_node),
        _ => None,
    });
    members.map(|(_, leaf)| LeafNode::clone(&leaf)).chain(packages).collect()
}

fn ciphertexts() -> Vec<HpkeCiphertext> {
    let paths = commits().into_iter().filter_map(|commit| commit.path);
    let nodes = paths.flat_map(|path| path.nodes);
    nodes.flat_map(|node| node.encrypted_path_secret.iter().collect::<Vec<_>>()).collect()
}

fn trees() -> Vec<Vec<u8>> {
    let blanks = encode(&vec![0_u8; 4096]).expect("a vector has an encoding");
    let group = encode_tree(&Stage::get().victim.public().tree);
    vec![group.expect("a tree has an encoding"), blanks]
}

/// The group's tree as trees of other layouts have it.
fn kept() -> Vec<Vec<u8>> {
    let tree = &trees()[0];
    let layouts = [Layout::Perfect, Layout::LeftBalanced, Layout::Ary(2), Layout::Ary(4)];
    let strategies = layouts.map(|layout| Strategy { layout, ..Strategy::default() });
    let kept = all(&strategies).into_iter().map(|strategy| [&strategy[..], tree].concat());
    kept.chain(free()).collect()
}

/// Free trees of the group's members.
fn free() -> Vec<Vec<u8>> {
    let names = [
        "smallest-tree",
        "multicast-2022",
        "multicast-2022+shape=llrb",
        "bonsai-2024",
        "rfc9420+shape=weight-balanced:70",
        "rfc9420+shape=scapegoat:70",
        "rfc9420+shape=weighted",
        "rfc9420+shape=left-balanced+compaction=pop",
    ];
    let tree = |name: &str| {
        let strategy = Strategy::parse(name).expect("it is a preset");
        let mut tree = RatchetTree::new(strategy);
        for (_, leaf) in Stage::get().victim.members() {
            apply_add(&mut tree, leaf).expect("there is room");
        }
        let tree = encode_tree(&tree).expect("a tree has an encoding");
        [&all(&[strategy])[0][..], &tree[..]].concat()
    };
    names.into_iter().map(tree).collect()
}

fn bodies() -> Vec<Vec<u8>> {
    let contents = Stage::get().contents.iter();
    let bodies = contents.map(|content| content.content.encoded_body());
    bodies.map(|body| [body.expect("a seed has an encoding"), vec![0; 16]].concat()).collect()
}
