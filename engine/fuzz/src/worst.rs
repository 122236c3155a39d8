//! The worst messages of an insider that are known: lists as long as a message of a mebibyte has
//! room for, which must not be gone through once for each of their entries.

use arboretum_engine::codec::encode;
use arboretum_engine::group::SessionError;
use arboretum_engine::strategy::Strategy;
use arboretum_engine::treedem::{Content, FramedContent};
use arboretum_engine::treesync::{
    Capabilities, Credential, Extension, ExtensionType, LeafNode, LeafNodeSource, PreSharedKeyId,
    Proposal, ProposalOrRef, ProposalType, PskType, RequiredCapabilities, decode_tree_of,
};

use tls_codec::VLBytes;

use crate::choices::Choices;
use crate::forge::Forger;
use crate::limits::{take_spent, within};
use crate::stage::{Stage, crypto};

const MEBIBYTE: usize = 1 << 20;

/// Decisions that make everything right.
const RIGHT: [u8; 64] = [0x1e; 64];

/// A member gets a commit of these proposals from the insider, within the limits.
fn receives(name: &str, proposals: impl Iterator<Item = Proposal>) -> SessionError {
    let (stage, crypto) = (Stage::get(), crypto());
    let forger = Forger { session: stage.insider(), crypto: &crypto };
    let is_commit = |content: &&FramedContent| matches!(content.content, Content::Commit(_));
    let mut content = stage.contents.iter().find(is_commit).expect("there is a commit").clone();
    if let Content::Commit(commit) = &mut content.content {
        commit.proposals = proposals.map(ProposalOrRef::Proposal).collect();
    }
    let tag = Some([1; 32].into());
    let mut choices = Choices::new(&RIGHT);
    let message = forger.public(content, tag, &mut choices).expect("it has an encoding");
    let mut victim = stage.victim.clone();
    take_spent();
    let received = within(message.len(), || victim.receive(&crypto, &message));
    let spent = take_spent();
    println!("{name}: {} bytes, {:?}", message.len(), spent);
    received.expect_err("its tag is wrong")
}

#[test]
fn pre_shared_keys() {
    let id = |at: usize| {
        let mut nonce = [0; 32];
        nonce[24..].copy_from_slice(&at.to_be_bytes());
        let psk_type = PskType::External(vec![].into());
        Proposal::PreSharedKey(PreSharedKeyId { psk_type, psk_nonce: nonce.to_vec().into() })
    };
    let error = receives("pre-shared keys", (0..MEBIBYTE / 38).map(id));
    assert!(error.to_string().contains("is not held"), "{error}");
}

#[test]
fn proposals_of_types_that_all_know() {
    let known = Stage::get().victim.members()[0].1.capabilities.proposals[0];
    let custom = Proposal::Custom(known, vec![].into());
    let error = receives("custom", std::iter::repeat_n(custom, MEBIBYTE / 4));
    assert!(error.to_string().contains("confirmation tag"), "{error}");
}

/// A package whose capabilities are long, in a commit with extensions that ask for them.
#[test]
fn capabilities_and_what_asks_for_them() {
    let (stage, crypto) = (Stage::get(), crypto());
    let Proposal::Add(mut package) = stage.proposals[0].clone() else { panic!("it is an Add") };
    let (filler, last) = (ExtensionType(0x7a7a), ExtensionType(0x7a7b));
    let leaf = &mut package.leaf_node;
    leaf.capabilities.extensions.extend(vec![filler; MEBIBYTE / 4]);
    leaf.capabilities.extensions.push(last);
    let asking = Extension { extension_type: last, extension_data: vec![].into() };
    leaf.extensions.extend(vec![asking; MEBIBYTE / 8]);
    let forger = Forger { session: stage.insider(), crypto: &crypto };
    forger.sign_package(&mut package);
    let error = receives("capabilities", [Proposal::Add(package)].into_iter());
    assert!(error.to_string().contains("twice"), "{error}");
}

/// Required capabilities as long as the capabilities of a package that has them.
#[test]
fn capabilities_and_what_requires_them() {
    let (stage, crypto) = (Stage::get(), crypto());
    let Proposal::Add(mut package) = stage.proposals[0].clone() else { panic!("it is an Add") };
    let (filler, last) = (ProposalType(0x7a7a), ProposalType(0x7a7b));
    package.leaf_node.capabilities.proposals.extend(vec![filler; MEBIBYTE / 4]);
    package.leaf_node.capabilities.proposals.push(last);
    let forger = Forger { session: stage.insider(), crypto: &crypto };
    forger.sign_package(&mut package);
    let proposal_types = vec![last; MEBIBYTE / 4];
    let required = RequiredCapabilities { proposal_types, ..RequiredCapabilities::default() };
    let required = arboretum_engine::codec::encode(&required).expect("it has an encoding");
    let extension = Extension {
        extension_type: ExtensionType::REQUIRED_CAPABILITIES,
        extension_data: required.into(),
    };
    let both = [Proposal::GroupContextExtensions(vec![extension]), Proposal::Add(package)];
    let error = receives("required", both.into_iter());
    // The insider signs for it: that comes after the lists have been compared.
    assert!(error.to_string().contains("same signature key"), "{error}");
}

/// A free tree of leaves as short as can be, whose numbers are as far apart as can be.
#[test]
fn numbers_of_leaves_far_apart() {
    let mut leaf = LeafNode::clone(&Stage::get().victim.members()[0].1);
    leaf.encryption_key = vec![].into();
    leaf.signature_key = vec![].into();
    leaf.signature = vec![].into();
    leaf.credential = Credential::Basic(vec![].into());
    leaf.capabilities = Capabilities {
        versions: vec![],
        cipher_suites: vec![],
        extensions: vec![],
        proposals: vec![],
        credentials: vec![],
    };
    leaf.leaf_node_source = LeafNodeSource::Update;
    leaf.extensions = vec![];
    let leaf = encode(&leaf).expect("it has an encoding");
    let mut tree = vec![];
    put_leaves(&mut tree, &leaf, 0, 15);
    let tree = encode(&VLBytes::from(tree)).expect("it has an encoding");
    let strategy = Strategy::parse("smallest-tree").expect("it is a preset");
    take_spent();
    let read = within(tree.len(), || decode_tree_of(strategy, &tree));
    println!("numbers: {} bytes, {:?}", tree.len(), take_spent());
    assert_eq!(read.expect("it is one").members(), 1 << 15);
}

/// A perfect subtree of so many levels, whose first leaf is the one with this place.
fn put_leaves(tree: &mut Vec<u8>, leaf: &[u8], first: u32, levels: u32) {
    if levels == 0 {
        tree.push(1);
        tree.extend((first << 15 | 0x7fff).to_be_bytes());
        tree.extend(leaf);
        return;
    }
    tree.extend([2, 2, 0, 0]);
    put_leaves(tree, leaf, first, levels - 1);
    put_leaves(tree, leaf, first + (1 << (levels - 1)), levels - 1);
}
