//! Known answers: fixed groups, made again and compared with the files that are kept. There are no
//! vectors of the draft's; these are ours, so that nothing changes unseen. To write them anew after a
//! change that is meant: `ARBORETUM_WRITE_KNOWN=1 cargo test -p arboretum-engine --test art known`.

use std::fmt::Write;
use std::path::PathBuf;

use arboretum_engine::art::Change;
use arboretum_engine::crypto::CipherSuite;

use super::group::{Done, Group};
use super::life::walk;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The group after a step, in lines.
fn describe(text: &mut String, group: &Group, done: &Done) {
    let kind = match done.change {
        Change::GroupAdd(_) => "group_add",
        Change::UserAdd => "user_add",
        Change::Update => "update",
        Change::Delete => "delete",
    };
    let member = group.member(group.leaves()[0]);
    let _ = writeln!(text, "epoch {} {kind} {} by {}", member.epoch(), done.changed.0, done.by.0);
    let _ = writeln!(text, "message {}", hex(&done.message));
    walk(member.public.ratchet.root(), &mut |first, width, key| {
        let key = key.map_or_else(|| "blank".into(), |key| hex(key.as_slice()));
        let _ = writeln!(text, "node {first}+{width} {key}");
    });
    let secrets = &member.secrets;
    let _ = writeln!(text, "root private {}", hex(member.keys.last().unwrap().private.as_slice()));
    let _ = writeln!(text, "message master {}", hex(secrets.message_master_secret.as_slice()));
    let _ = writeln!(text, "add private {}", hex(secrets.add.private.as_slice()));
    let _ = writeln!(text, "init {}", hex(secrets.init_secret.as_slice()));
}

fn transcript(suite: CipherSuite) -> String {
    let mut text = String::new();
    let mut group = Group::new(suite, 2018);
    for _ in 0..14 {
        let done = group.step(7);
        describe(&mut text, &group, &done);
    }
    let mut group = Group::new(suite, 2017);
    let nodes = group.set_up(5);
    let secrets = &group.members[3].secrets;
    for node in nodes {
        let _ = writeln!(text, "setup node {}", hex(node.pair.public.as_slice()));
    }
    let _ =
        writeln!(text, "setup message master {}", hex(secrets.message_master_secret.as_slice()));
    text
}

fn compare(name: &str, suite: CipherSuite) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/art").join(name);
    let made = transcript(suite);
    if std::env::var_os("ARBORETUM_WRITE_KNOWN").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    for (at, (made, kept)) in made.lines().zip(kept.lines()).enumerate() {
        assert_eq!(made, kept, "{name}, line {}", at + 1);
    }
    assert_eq!(made.len(), kept.len());
}

#[test]
fn known_answers_of_curve25519() {
    compare("known-curve25519.txt", CipherSuite::X25519_AES128GCM_SHA256_ED25519);
}

#[test]
fn known_answers_of_p256() {
    compare("known-p256.txt", CipherSuite::P256_AES128GCM_SHA256_P256);
}
