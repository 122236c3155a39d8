//! The protocols that can be run, by name, and what each of them refuses of a scenario.

use arboretum_engine::crypto::CipherSuite;
use arboretum_engine::strategy::Strategy;
use arboretum_workloads::{Fidelity, Scenario};

use super::failure::Failure;
use crate::simulation::{Behaviour, BehaviourError};

/// Protocols that can be run, with a line about each.
pub(crate) const PROTOCOLS: &[(&str, &str)] = &[
    ("treekem", "TreeKEM as in RFC 9420"),
    ("sender-keys", "a chain for each sender, sent to all others over pairwise channels"),
    ("pairwise", "a Double Ratchet between every two members; each message n - 1 times"),
    ("lkh", "a key server that is trusted with a binary tree of all keys"),
    ("lkh-3", "the same, each parent with three children"),
    ("lkh-4", "the same, each parent with four children"),
    #[cfg(feature = "peers")]
    ("openmls", "RFC 9420 by OpenMLS: every client on its own"),
    #[cfg(feature = "peers")]
    ("mls-rs", "RFC 9420 by mls-rs: every client on its own"),
];

/// The protocols that rest on pairwise channels.
const CHANNELS: &[&str] = &["pairwise", "sender-keys"];

/// The key servers, with the children of each parent of their trees.
pub(crate) const KEY_SERVERS: &[(&str, u8)] = &[("lkh", 2), ("lkh-3", 3), ("lkh-4", 4)];

/// Whether a protocol is one of those that TreeKEM was to replace.
pub(crate) fn is_baseline(protocol: &str) -> bool {
    CHANNELS.contains(&protocol) || KEY_SERVERS.iter().any(|(name, _)| *name == protocol)
}

/// Protocols of other implementations, which are built on request.
const PEERS: &[&str] = &["openmls", "mls-rs"];

/// The cipher suites that all implementations have.
const PEER_SUITES: &[u16] = &[1, 2, 3];

/// Whether a protocol is another implementation's.
pub(crate) fn is_peer(protocol: &str) -> bool {
    PEERS.contains(&protocol)
}

fn refuse(what: String, help: impl Into<String>) -> Result<(), Failure> {
    Err(Failure::input_with_help(what, help))
}

/// Refuses a protocol that this build has not got.
pub(crate) fn check_built(protocol: &str) -> Result<(), Failure> {
    if cfg!(not(feature = "peers")) && is_peer(protocol) {
        return refuse(
            format!("group.protocol: `{protocol}` is not in this build"),
            "build it in: cargo build --release -p arboretum-sim --features peers",
        );
    }
    Ok(())
}

/// Refuses a strategy that a protocol cannot follow: one that is a strategy, as such.
pub(crate) fn check_strategy(scenario: &Scenario) -> Result<Result<(), Failure>, BehaviourError> {
    let (tree, clients) = Behaviour::of(scenario)?;
    let protocol = &scenario.group.protocol;
    let asks_for_a_tree = tree != Strategy::default() || clients.takes_more_than_commits();
    if is_baseline(protocol) && asks_for_a_tree {
        return Ok(refuse(
            format!("group.strategy: `{protocol}` has no ratchet tree to keep by a strategy"),
            "give `rfc9420`, or with it a choice of its clients that asks for commits alone",
        ));
    }
    Ok(if is_peer(protocol) && (tree != Strategy::default() || clients.takes_more_than_commits()) {
        refuse(
            format!("group.strategy: `{protocol}` keeps its tree to itself, by RFC 9420"),
            "give `rfc9420`, or with it a choice of its clients that asks for commits alone",
        )
    } else {
        Ok(())
    })
}

/// What the protocols that TreeKEM was to replace cannot do.
fn check_baseline(scenario: &Scenario) -> Result<(), Failure> {
    let group = &scenario.group;
    if !is_baseline(&group.protocol) {
        return Ok(());
    }
    let hybrid = CipherSuite::MLKEM768X25519_AES128GCM_SHA256_ED25519;
    if CHANNELS.contains(&group.protocol.as_str()) && group.suite == hybrid.0 {
        return refuse(
            format!(
                "group.suite: `{}` agrees by Diffie-Hellman, and suite {} has none",
                group.protocol, group.suite
            ),
            "take another suite: `arboretum list suites`",
        );
    }
    let attaches = scenario.workload.messages.is_some_and(|messages| messages.attachments > 0.0);
    let lacking = [
        ("workload.messages.attachments", "exports no keys for them", attaches),
        (
            "authentication.rotate_every",
            "has identities for good",
            scenario.authentication.rotate_every.is_some(),
        ),
        (
            "workload.old_clients",
            "has no capabilities that could shrink",
            scenario.workload.old_clients.is_some(),
        ),
    ];
    if let Some((key, why, _)) = lacking.into_iter().find(|(.., asked)| *asked) {
        return refuse(format!("{key}: `{}` {why}", group.protocol), format!("leave {key} out"));
    }
    Ok(())
}

/// Puts into a scenario what only one value can be for its protocol. Other implementations have one
/// fidelity: every client does its own work. They say nothing of what is inside them, so nobody can
/// be audited.
pub(crate) fn settle(scenario: &mut Scenario, fidelity_asked: bool) -> Result<(), Failure> {
    check_baseline(scenario)?;
    let group = &mut scenario.group;
    if !is_peer(&group.protocol) {
        return Ok(());
    }
    if fidelity_asked && group.fidelity != Fidelity::Full {
        return refuse(
            format!("group.fidelity: every client of `{}` does its own work", group.protocol),
            "leave --fidelity out, or give `full`",
        );
    }
    if !PEER_SUITES.contains(&group.suite) {
        return refuse(
            format!("group.suite: `{}` has no cipher suite {}", group.protocol, group.suite),
            format!("take one of {PEER_SUITES:?}"),
        );
    }
    group.fidelity = Fidelity::Full;
    group.audit = 0;
    Ok(())
}
