//! The protocols that can be run, by name, and what each of them refuses of a scenario.

use arboretum_engine::art::largest_setup;
use arboretum_engine::crypto::CipherSuite;
use arboretum_engine::strategy::Strategy;
use arboretum_workloads::{Fidelity, Group, Joining, Recovery, Scenario, Start};

use super::failure::Failure;
use crate::simulation::{Behaviour, BehaviourError};

/// Protocols that can be run, with a line about each.
pub(crate) const PROTOCOLS: &[(&str, &str)] = &[
    (TREEKEM, "TreeKEM as in RFC 9420"),
    (ART, "Asynchronous Ratcheting Trees as in draft-barnes-mls-protocol-00"),
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

/// The protocol of RFC 9420.
const TREEKEM: &str = "treekem";

/// The protocol of 2018.
pub(crate) const ART: &str = "art";

/// Its cipher suites (draft-barnes-mls-protocol-00 §6.1), and the bytes of their keys.
const ART_SUITES: [(u16, u64); 2] = [(1, 32), (2, 65)];
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
    let why = match &protocol[..] {
        ART => "has one tree, that of draft-00: left-balanced, and growing",
        _ if is_baseline(protocol) => "has no ratchet tree to keep by a strategy",
        _ if is_peer(protocol) => "keeps its tree to itself, by RFC 9420",
        _ => return Ok(Ok(())),
    };
    Ok(if tree != Strategy::default() || clients.takes_more_than_commits() {
        refuse(
            format!("group.strategy: `{protocol}` {why}"),
            "give `rfc9420`, or with it a choice of its clients that asks for commits alone",
        )
    } else {
        Ok(())
    })
}

fn no_suite(protocol: &str, suite: u16, suites: &[u16]) -> Result<(), Failure> {
    refuse(
        format!("group.suite: `{protocol}` has no cipher suite {suite}"),
        format!("take one of {suites:?}"),
    )
}

/// What the protocol of 2018 has not got.
fn check_art(scenario: &Scenario) -> Result<(), Failure> {
    let group = &scenario.group;
    let Some((_, key)) = ART_SUITES.iter().find(|(suite, _)| *suite == group.suite) else {
        return no_suite(ART, group.suite, &ART_SUITES.map(|(suite, _)| suite));
    };
    let comes_back = scenario.workload.losses.is_some() || scenario.service.retention.is_some();
    if comes_back && scenario.policy.recovery == Recovery::External {
        return refuse(
            format!("policy.recovery: nobody enters a group of `{ART}` anew from outside"),
            "let another member remove and add it: --set policy.recovery=invited",
        );
    }
    if scenario.authentication.rotate_every.is_some() {
        return refuse(
            format!("authentication.rotate_every: identity keys of `{ART}` are kept for ever"),
            "draft-00 has no way to change one: leave it out",
        );
    }
    if scenario.workload.old_clients.is_some() {
        return refuse(
            format!("workload.old_clients: clients of `{ART}` all can the same"),
            "there is nothing to negotiate: leave it out",
        );
    }
    let most = largest_setup(*key);
    if group.start != Start::OneByOne && u64::from(group.members) > most {
        return refuse(
            format!("group.members: `{ART}` sets up {most} members by one message, at most"),
            "take fewer, or --set group.start=one-by-one",
        );
    }
    Ok(())
}

/// What the protocols that TreeKEM was to replace cannot do.
fn check_baseline(group: &Group) -> Result<(), Failure> {
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
    Ok(())
}

/// What the system of a scenario asks for and a protocol has not got, and why.
fn check_asked(scenario: &Scenario) -> Result<(), Failure> {
    let (protocol, work) = (&scenario.group.protocol[..], &scenario.workload);
    let (is_peer, is_baseline) = (is_peer(protocol), is_baseline(protocol));
    let is_other = is_peer || is_baseline;
    let attaches = work.messages.is_some_and(|messages| messages.attachments > 0.0);
    let comes_back = work.losses.is_some() || scenario.service.retention.is_some();
    let rotates = scenario.authentication.rotate_every.is_some();
    let links = scenario.policy.joining == Joining::Link;
    let alone = "is driven here by commits alone";
    let refills = scenario.service.refill_packages;
    let lacking = [
        ("workload.messages", is_peer && work.messages.is_some(), alone),
        ("workload.messages.attachments", is_baseline && attaches, "exports no keys for them"),
        ("workload.losses and service.retention", is_peer && comes_back, alone),
        (
            "measure.compromise",
            protocol != TREEKEM && scenario.measure.compromise.is_some(),
            "keeps no book of what follows from a copied state",
        ),
        ("policy.joining", is_peer && links, alone),
        ("workload.groups", is_peer && work.groups.is_some(), "is driven here in one group"),
        ("service.refill_packages", is_peer && refills, alone),
        (
            "service.refill_packages",
            CHANNELS.contains(&protocol) && refills,
            "begins sessions with prekeys that nobody counts, and registers them once",
        ),
        (
            "service.refill_packages",
            is_baseline && refills,
            "registers one key, which is used as often as there is need",
        ),
        ("authentication.rotate_every", is_other && rotates, "has identities for good"),
        (
            "workload.old_clients",
            is_other && work.old_clients.is_some(),
            "has no capabilities that could shrink",
        ),
    ];
    match lacking.into_iter().find(|(_, asked, _)| *asked) {
        Some((key, _, why)) => {
            refuse(format!("{key}: `{protocol}` {why}"), format!("leave {key} out"))
        }
        None => Ok(()),
    }
}

/// Puts into a scenario what only one value can be for its protocol. Other implementations have one
/// fidelity: every client does its own work. They say nothing of what is inside them, so nobody can
/// be audited.
pub(crate) fn settle(scenario: &mut Scenario, fidelity_asked: bool) -> Result<(), Failure> {
    check_asked(scenario)?;
    let group = &mut scenario.group;
    if group.protocol == ART {
        return check_art(scenario);
    }
    if is_baseline(&group.protocol) {
        return check_baseline(group);
    }
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
        return no_suite(&group.protocol, group.suite, PEER_SUITES);
    }
    group.fidelity = Fidelity::Full;
    group.audit = 0;
    Ok(())
}
