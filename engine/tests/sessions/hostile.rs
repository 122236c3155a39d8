//! Hostile input to a group of eight: every bit of every kind of message turned over, every
//! truncation. All of it is refused by a rule with a name, nothing changes, and the message
//! itself is accepted afterwards. What is whole and comes at the wrong time, or from the wrong
//! sender, is in `misplaced`.

use std::collections::BTreeSet;
use std::fmt::Display;

use arboretum_engine::codec::{CodecError, decode, encode};
use arboretum_engine::crypto::Digest;
use arboretum_engine::group::{
    CommitPlan, Joining, Outsider, Received, Session, SessionError, Settings, propose_from_outside,
};
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treedem::MlsMessage;
use arboretum_engine::treesync::{Proposal, decode_tree, encode_tree};

use crate::world::{Client, World};

pub(crate) const MEMBERS: u64 = 8;
/// Who sends, and who is attacked.
pub(crate) const SENDER: u64 = 2;
pub(crate) const VICTIM: u64 = 5;

// What a change of a message can break, as errors name it.
const ENCODING: &str = "not an encoding of an MLS message";
const TRAILING: &str = "# bytes are left over after an MLS message";
const GROUP: &str = "the message is for another group";
const EPOCH: &str = "the commit is from epoch #, the group is in epoch #";
const NOT_KEPT: &str = "the message is from epoch #, the group is in epoch #, and past epochs are \
                        kept for application data alone, # of them";
const SENDER_UNKNOWN: &str = "the sender is not a member";
const SIGNATURE: &str = "the signature does not verify";
const MEMBERSHIP: &str = "the membership tag does not verify";
const CONFIRMATION: &str = "the confirmation tag does not verify";
const OPENS: &str = "the ciphertext does not open";
const SUITE: &str = "the Welcome is for another cipher suite";
const TREE_HASH: &str = "the tree hash is not that of the group info";

pub(crate) fn eight(private_handshakes: bool) -> World {
    World::of(MEMBERS, 1, Settings { private_handshakes, ..Settings::default() })
}

pub(crate) fn digest(world: &World) -> Digest {
    world.session(VICTIM).digest(&world.crypto()).unwrap()
}

pub(crate) fn receive(world: &mut World, message: &[u8]) -> Result<Received, SessionError> {
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

/// The rule that an error names, without its numbers, reasons and sections.
fn rule(error: impl Display) -> String {
    let text = error.to_string();
    let text = text.split([':', '(']).next().unwrap_or_default().trim();
    let mut rule = String::new();
    for part in text.split_inclusive(|c: char| !c.is_ascii_digit()) {
        let number = part.len() > 1 || part.ends_with(|c: char| c.is_ascii_digit());
        rule.push_str(if number { "#" } else { "" });
        rule.extend(part.chars().last().filter(|c| !c.is_ascii_digit()));
    }
    rule
}

/// What is refused is refused by these rules, each of which is broken at least once.
fn assert_rules(broken: &BTreeSet<String>, expected: &[&str]) {
    let expected: BTreeSet<_> = expected.iter().copied().map(str::to_owned).collect();
    assert_eq!(*broken, expected);
}

/// The victim refuses every mutation of the message, and accepts the message itself.
fn attack(world: &mut World, message: &[u8], rules: &[&str]) -> Received {
    let before = digest(world);
    let mut broken = BTreeSet::new();
    for mutation in mutations(message) {
        let refused = receive(world, &mutation).expect_err("it was changed");
        broken.insert(rule(refused));
        assert_eq!(digest(world), before);
    }
    assert_rules(&broken, rules);
    receive(world, message).unwrap()
}
const PUBLIC: &[&str] = &[ENCODING, TRAILING, GROUP, EPOCH, SENDER_UNKNOWN, SIGNATURE, MEMBERSHIP];
const PRIVATE: &[&str] = &[ENCODING, TRAILING, GROUP, NOT_KEPT, OPENS];
const EXTERNAL_COMMIT: &[&str] = &[ENCODING, TRAILING, GROUP, EPOCH, SIGNATURE, CONFIRMATION];
const EXTERNAL_SENDER: &[&str] =
    &[ENCODING, TRAILING, GROUP, EPOCH, SIGNATURE, "the group has no external sender #"];
const NEW_MEMBER: &[&str] = &[ENCODING, TRAILING, GROUP, EPOCH, SIGNATURE];
const WELCOME: &[&str] =
    &[ENCODING, TRAILING, OPENS, SUITE, "the Welcome is not for this key package"];
const GROUP_INFO: &[&str] = &[
    "# bytes are left over after a message",
    "not an encoding of a message",
    "not an encoding of a ratchet tree",
    "the Welcome carries no ratchet tree and none was fetched",
    "the group info's signature",
    "the signer of the group info is not a member",
    SUITE,
    TREE_HASH,
];
const KEY_PACKAGE: &[&str] = &[
    "a key package is for another version or cipher suite",
    "a leaf's capabilities leave out its own credential type #",
    "the lifetime #..=# does not hold #",
    SIGNATURE,
];
const TREE: &[&str] = &[
    "# bytes are left over after a ratchet tree",
    "not an encoding of a ratchet tree",
    "a ratchet tree has an odd number of nodes, not #",
    TREE_HASH,
];

/// A commit that adds, removes and has a path.
pub(crate) fn commit(world: &mut World) -> Vec<u8> {
    let (client, crypto) = (world.client(), world.crypto());
    let proposals = vec![client.add(), Proposal::Remove(LeafIndex(7))];
    let plan = CommitPlan { proposals, ..world.plan() };
    let session = world.sessions.get_mut(&SENDER).unwrap();
    session.commit(&crypto, plan, &mut world.rng).unwrap().message
}

pub(crate) fn proposal(world: &mut World, proposal: Proposal) -> Vec<u8> {
    let crypto = world.crypto();
    world.sessions.get_mut(&SENDER).unwrap().propose(&crypto, proposal, 1, &mut world.rng).unwrap()
}

pub(crate) fn application(world: &mut World, data: &[u8]) -> Vec<u8> {
    let crypto = world.crypto();
    let session = world.sessions.get_mut(&SENDER).unwrap();
    session.send(&crypto, data, b"aad", &mut world.rng).unwrap()
}

#[test]
fn every_bit_of_a_commit() {
    for private in [false, true] {
        let mut world = eight(private);
        let message = commit(&mut world);
        let rules = if private { PRIVATE } else { PUBLIC };
        assert!(matches!(attack(&mut world, &message, rules), Received::Commit { .. }));
    }
}

#[test]
fn every_bit_of_a_proposal() {
    for private in [false, true] {
        let mut world = eight(private);
        let client = world.client();
        let message = proposal(&mut world, client.add());
        let rules = if private { PRIVATE } else { PUBLIC };
        assert!(matches!(attack(&mut world, &message, rules), Received::Proposal { .. }));
    }
}

#[test]
fn every_bit_of_application_data() {
    let mut world = eight(false);
    let message = application(&mut world, b"hello");
    assert!(matches!(attack(&mut world, &message, PRIVATE), Received::Application { .. }));
}

#[test]
fn every_bit_of_an_external_commit() {
    let mut world = eight(false);
    let (client, info) = (world.client(), world.group_info(0));
    let (crypto, joining) = (world.crypto(), world.joining(&client));
    let (_, message) =
        Session::join_external(&crypto, &info, joining, None, vec![], &mut world.rng).unwrap();
    assert!(matches!(attack(&mut world, &message, EXTERNAL_COMMIT), Received::Commit { .. }));
}

/// A client that is added, and its Welcome.
pub(crate) fn welcomed(world: &mut World) -> (Client, Vec<u8>) {
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
    let mut broken = BTreeSet::new();
    for mutation in mutations(&welcome) {
        let joined = Session::join(&crypto, &mutation, world.joining(&client));
        broken.insert(rule(joined.map(|_| ()).expect_err("it was changed")));
    }
    assert_rules(&broken, WELCOME);
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
    let refused = mutations(&bytes).map(|mutation| enter(&mutation).expect_err("it was changed"));
    assert_rules(&refused.map(rule).collect(), GROUP_INFO);
    let message = enter(&bytes).unwrap();
    assert!(matches!(receive(&mut world, &message), Ok(Received::Commit { .. })));
}

#[test]
fn every_bit_of_a_key_package() {
    let mut world = eight(false);
    let (client, crypto) = (world.client(), world.crypto());
    let bytes = encode(&MlsMessage::KeyPackage(client.package.clone())).unwrap();
    let before = digest(&world);
    let mut broken = BTreeSet::new();
    for mutation in mutations(&bytes) {
        let Ok(MlsMessage::KeyPackage(package)) = decode("a message", &mutation) else { continue };
        let victim = world.sessions.get_mut(&VICTIM).unwrap();
        let proposed = victim.propose(&crypto, Proposal::Add(package), 1, &mut world.rng);
        broken.insert(rule(proposed.expect_err("it was changed")));
    }
    assert_rules(&broken, KEY_PACKAGE);
    assert_eq!(digest(&world), before);
    let victim = world.sessions.get_mut(&VICTIM).unwrap();
    victim.propose(&crypto, client.add(), 1, &mut world.rng).unwrap();
}

/// Of a client that asks to be added, and of an external sender.
#[test]
fn every_bit_of_a_proposal_from_outside() {
    let mut world = eight(false);
    let crypto = world.crypto();
    let service = world.listen();
    let client = world.client();
    let context = &world.session(VICTIM).public().context;
    let (group, epoch) = (context.group_id.as_slice().to_vec(), context.epoch);
    let removal = Proposal::Remove(LeafIndex(7));
    for (outsider, proposal, signer, rules) in [
        (Outsider::External(0), removal, &service, EXTERNAL_SENDER),
        (Outsider::NewMember, client.add(), &client.signer, NEW_MEMBER),
    ] {
        let key = &signer.private;
        let message = propose_from_outside(&crypto, outsider, &group, epoch, proposal, key, 1);
        let received = attack(&mut world, &message.unwrap(), rules);
        assert!(matches!(received, Received::Proposal { .. }));
    }
}

/// Fetched apart from the Welcome.
#[test]
fn every_bit_of_a_ratchet_tree() {
    let mut world = eight(false);
    world.settings.tree_in_welcome = false;
    let (committer, client) = (world.client(), world.client());
    let name = committer.name;
    world.add_all(0, vec![committer]);
    let plan = CommitPlan { proposals: vec![client.add()], ..world.plan() };
    let welcome = world.commit(name, plan).unwrap();
    let crypto = world.crypto();
    let bytes = encode_tree(&world.session(0).public().tree).unwrap();
    let enter = |bytes: &[u8]| -> Result<Session, String> {
        let tree = decode_tree(bytes).map_err(|error| error.to_string())?;
        let joining = Joining { tree: Some(tree), ..world.joining(&client) };
        Session::join(&crypto, &welcome, joining).map_err(|error| error.to_string())
    };
    let refused = mutations(&bytes).map(|it| enter(&it).map(|_| ()).expect_err("it was changed"));
    assert_rules(&refused.map(rule).collect(), TREE);
    assert_eq!(enter(&bytes).unwrap().epoch(), world.session(0).epoch());
}
