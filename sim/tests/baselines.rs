//! What TreeKEM was to replace, by the command: one demand for all, equal in every fidelity, and what
//! is refused.

mod common;

use common::{arboretum, digest, number, run_into, summary};

const PROTOCOLS: [&str; 5] = ["pairwise", "sender-keys", "lkh", "lkh-3", "lkh-4"];

/// Every message is read by who is entitled to it, or counted as what became of it; the books are the
/// same in all fidelities, and the digests in `full` and `shared`.
#[test]
fn one_demand_for_all_in_every_fidelity() {
    let root = tempfile::tempdir().unwrap();
    let mut demands = vec![];
    // The degree of a key server changes no path of the code.
    for protocol in &PROTOCOLS[..3] {
        let run = |fidelity: &str| {
            let name = format!("{protocol}-{fidelity}");
            let losses = "workload.losses={per_client_per_day=0.05}";
            let many = "workload.activity.messages_per_day=1";
            run_into(
                root.path(),
                &name,
                &[
                    "versus",
                    "--members",
                    "20",
                    "--protocol",
                    protocol,
                    "--fidelity",
                    fidelity,
                    "--set",
                    losses,
                    "--set",
                    many,
                ],
            )
        };
        let [full, shared, counted] = ["full", "shared", "counted"].map(run);
        assert_eq!(digest(&full), digest(&shared), "{protocol}");
        let [full, shared, counted] = [full, shared, counted].map(|folder| summary(&folder));
        assert_eq!(full["ops"], shared["ops"], "{protocol}");
        assert_eq!(full["ops"], counted["ops"], "{protocol}");
        for name in ["sent", "read", "bytes_sent", "bytes_received", "due", "too_late"] {
            assert_eq!(full["messages"][name], counted["messages"][name], "{protocol}: {name}");
        }
        assert!(number(&shared, "messages.read") > 100, "{protocol}");
        assert!(number(&shared, "messages.pried") > 0, "{protocol}");
        // What goes over channels every client does itself, and the log is one book for all.
        let audits = number(&shared, "audits.performed");
        assert_eq!(audits > 0, protocol.starts_with("lkh"), "{protocol}");
        assert!(number(&shared, "recovery.rejoined") > 0, "{protocol}");
        let keys = number(&shared, "key_server.keys");
        assert_eq!(keys > 0, protocol.starts_with("lkh"), "{protocol}");
        demands.push(number(&shared, "messages.sent"));
    }
    assert!(demands.iter().all(|sent| *sent > 20));
}

fn refused(arguments: &[&str], parts: &[&str]) {
    let output = arboretum().arg("run").args(arguments).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
    for part in parts {
        assert!(stderr.contains(part), "{arguments:?}: no `{part}` in:\n{stderr}");
    }
}

#[test]
fn what_they_cannot_do_is_refused() {
    for protocol in PROTOCOLS {
        let named = ["versus", "--protocol", protocol];
        for strategy in ["2018-10", "rfc9420+warming=most-blanks:1h"] {
            let arguments = [&named[..], &["--strategy", strategy]].concat();
            refused(&arguments, &["has no ratchet tree to keep by a strategy", "give `rfc9420`"]);
        }
        let attachments = "workload.messages.attachments=0.5";
        let arguments = [&named[..], &["--set", attachments]].concat();
        let what = format!("workload.messages.attachments: `{protocol}` exports no keys");
        refused(&arguments, &[&what]);
        let arguments = [&named[..], &["--set", "service.refill_packages=true"]].concat();
        let what = format!("service.refill_packages: `{protocol}`");
        let why =
            if protocol.starts_with("lkh") { "registers one key" } else { "registers them once" };
        refused(&arguments, &[&what, why]);
    }
    let rotating = ["versus", "--protocol", "lkh", "--set", "authentication.rotate_every=\"1d\""];
    refused(&rotating, &["authentication.rotate_every: `lkh` has identities for good"]);
    let old = ["versus", "--protocol", "pairwise", "--set", "workload.old_clients={fraction=0.5}"];
    refused(&old, &["workload.old_clients: `pairwise` has no capabilities"]);
    for protocol in ["pairwise", "sender-keys"] {
        let suite = "group.suite=63047";
        let arguments = ["versus", "--protocol", protocol, "--set", suite];
        refused(&arguments, &["agrees by Diffie-Hellman", "list suites"]);
    }
}
