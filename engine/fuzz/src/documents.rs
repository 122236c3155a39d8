//! Targets for what is not of MLS: chains of X.509 certificates, activity logs, scenarios.

use arboretum_engine::codec::{decode, encode};
use arboretum_engine::crypto::SignaturePublicKey;
use arboretum_engine::group::{AuthenticationService, X509Anchors};
use arboretum_engine::treesync::Credential;
use arboretum_workloads::{Scenario, Trace, shipped};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};

use crate::Target;
use crate::limits::within;

pub(crate) fn targets() -> Vec<Target> {
    vec![
        Target { name: "certificates", run: certificates, seeds: chains, one_in: 4 },
        Target { name: "trace", run: trace, seeds: traces, one_in: 1 },
        Target { name: "scenario", run: scenario, seeds: scenarios, one_in: 4 },
    ]
}

/// Noon of a day in 2026, when the certificates of the seeds are valid.
const NOW: i64 = 1_792_000_000;

/// A key pair of Ed25519 that is always the same (RFC 8410 §7).
fn key(number: u8) -> KeyPair {
    let header = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    let encoded = [&header[..], &[number; 32]].concat();
    KeyPair::try_from(encoded).expect("it is a private key")
}

fn params(name: &str, authority: bool) -> CertificateParams {
    let mut params = CertificateParams::new(vec![]).expect("there are no names to be wrong");
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    if authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    params
}

/// A root, an authority, and a client of it: the client's chain, and the root.
fn chain() -> Result<(Vec<Vec<u8>>, Vec<u8>), rcgen::Error> {
    let root = CertifiedIssuer::self_signed(params("root", true), key(1))?;
    let middle = CertifiedIssuer::signed_by(params("middle", true), key(2), &root)?;
    let client = params("client", false).signed_by(&key(3), &middle)?;
    let chain = vec![client.der().to_vec(), middle.der().to_vec()];
    Ok((chain, root.der().to_vec()))
}

fn chains() -> Vec<Vec<u8>> {
    let (chain, root) = chain().expect("the certificates can be made");
    let longer = [chain.clone(), vec![root]].concat();
    let credential = |chain: Vec<Vec<u8>>| {
        let chain = Credential::X509(chain.into_iter().map(Into::into).collect());
        encode(&chain).expect("a credential has an encoding")
    };
    vec![credential(chain), credential(longer)]
}

/// A credential, checked against an anchor that it may lead to.
fn certificates(input: &[u8]) {
    thread_local! {
        static ANCHOR: Vec<u8> = chain().expect("the certificates can be made").1;
    }
    let anchors = X509Anchors { anchors: vec![ANCHOR.with(Clone::clone)], now: NOW };
    let signer = SignaturePublicKey::from(key(3).public_key_raw());
    let check = || decode("a credential", input).map(|it: Credential| anchors.check(&it, &signer));
    let _ = within(input.len(), check);
}

fn traces() -> Vec<Vec<u8>> {
    vec![b"time_s,actor\n0,a\n0.5,b\r\n1e3,a\n31536000,c\n\n".to_vec(), b"time_s,actor\n".to_vec()]
}

/// A trace that is read has its events in order, each counted once.
fn trace(input: &[u8]) {
    let Ok(trace) = within(input.len(), || Trace::parse("a trace", input)) else { return };
    let times = || (0..trace.actors()).map(|actor| trace.times(actor));
    assert!(times().all(|times| times.is_sorted() && !times.is_empty()));
    assert_eq!(times().map(<[_]>::len).sum::<usize>(), trace.events());
    assert!(times().flatten().all(|time| *time <= trace.end()));
}

fn scenarios() -> Vec<Vec<u8>> {
    let deep = format!("name = \"deep\"\n{}1\n", "a.".repeat(2000) + "b = ");
    let nested = format!("name = {}{}\n", "[".repeat(2000), "]".repeat(2000));
    let shipped = shipped().iter().map(|shipped| shipped.text.to_owned());
    shipped.chain([deep, nested]).map(String::into_bytes).collect()
}

/// A scenario that is read, written out and read again is the same.
fn scenario(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let parse = |text: &str| Scenario::parse("a scenario", text, &[]);
    let Ok(scenario) = within(input.len(), || parse(text)) else { return };
    let written = scenario.to_toml();
    let again = parse(&written).unwrap_or_else(|error| panic!("{error:?} in {written}"));
    assert_eq!(again.to_toml(), written);
}
