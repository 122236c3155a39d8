//! Whole lives of groups, as the working group's runner plays them: each scenario in every mode,
//! and all of them together must have made every call of the service.

use std::collections::BTreeSet;

use arboretum_interop::interface::*;

use crate::driver::{Client, Driver, Mode, Plan, server, words};

/// `required_capabilities` that requires nothing, and no `external_senders`.
fn extensions() -> Vec<Extension> {
    vec![
        Extension { extension_type: 3, extension_data: vec![0, 0, 0] },
        Extension { extension_type: 5, extension_data: vec![0] },
    ]
}

async fn what_it_is(driver: &mut Driver) {
    assert_eq!(ask!(driver.rpc, name, NameRequest {}).name, "Arboretum");
    let suites = ask!(driver.rpc, supported_ciphersuites, SupportedCiphersuitesRequest {});
    assert!((1..=7).all(|suite| suites.ciphersuites.contains(&suite)));
}

async fn welcomes(driver: &mut Driver) {
    for (force_path, external_tree) in [(false, false), (true, false), (false, true)] {
        let alice = driver.create("alice").await;
        let bob = driver.package("bob").await;
        assert!(!bob.init_priv.is_empty() && !bob.encryption_priv.is_empty());
        assert!(!bob.signature_priv.is_empty());
        let add = AddProposalRequest { state_id: alice.0, key_package: bob.key_package };
        let add = ask!(driver.rpc, add_proposal, add);
        driver.store_psk(&[alice.0, bob.transaction_id], b"psk").await;
        let psk = ExternalPskProposalRequest { state_id: alice.0, psk_id: b"psk".to_vec() };
        let psk = ask!(driver.rpc, external_psk_proposal, psk);
        let by_reference = vec![add.proposal, psk.proposal];
        let plan = Plan { by_reference, force_path, external_tree, ..Plan::default() };
        let joiners = [(bob.transaction_id, "bob")];
        let bob = driver.full_commit(alice, plan, &[], &joiners).await[0];
        driver.agree(&[alice, bob]).await;
        driver.free(alice.0).await;
        driver.free(bob.0).await;
    }
}

async fn external_joins(driver: &mut Driver) {
    let [alice, bob] = driver.group(["alice", "bob"]).await;
    let plain = ExternalJoinRequest::default;
    let charlie = driver.external_join("charlie", &[alice, bob], plain()).await;
    driver.agree(&[alice, bob, charlie]).await;
    // With the tree beside; whatever stands in the request is replaced by the driver.
    let beside = ExternalJoinRequest { ratchet_tree: vec![1], ..plain() };
    let diana = driver.external_join("diana", &[alice, bob, charlie], beside).await;
    // Charlie has lost everything and comes back.
    let again = ExternalJoinRequest { remove_prior: true, ..plain() };
    let back = driver.external_join("charlie", &[bob, alice, diana], again).await;
    assert_ne!(back, charlie);
    driver.agree(&[alice, bob, diana, back]).await;
    let psk = PreSharedKey { psk_id: b"psk".to_vec(), psk_secret: b"psk secret".to_vec() };
    driver.store_psk(&[alice.0, bob.0, diana.0, back.0], b"psk").await;
    let with_psk = ExternalJoinRequest { psks: vec![psk], ..plain() };
    let eliza = driver.external_join("eliza", &[alice, bob, diana, back], with_psk).await;
    driver.agree(&[alice, bob, diana, back, eliza]).await;
}

async fn application_data(driver: &mut Driver) {
    let [alice, bob] = driver.group(["alice", "bob"]).await;
    let mut sent = vec![];
    for text in [b"one", b"two"] {
        sent.push((driver.protect(alice, text).await, text));
    }
    driver.full_commit(alice, Plan::default(), &[bob], &[]).await;
    for text in [b"six", b"ten"] {
        sent.push((driver.protect(alice, text).await, text));
    }
    for (ciphertext, text) in sent.iter().rev() {
        assert_eq!(driver.unprotect(bob, ciphertext).await, *text);
    }
}

/// Proposals of every kind in one commit, some by reference and some by value, proposed by the
/// committer and by another.
async fn commits(driver: &mut Driver) {
    for proposer in [0, 1] {
        let [alice, bob, charlie, diana] = driver.group(["alice", "bob", "charlie", "diana"]).await;
        driver.full_commit(alice, Plan::default(), &[bob, charlie, diana], &[]).await;
        let state_id = [alice, bob][proposer].0;
        let [eliza, fred] = [driver.package("eliza").await, driver.package("fred").await];
        let joiners = [(eliza.transaction_id, "eliza"), (fred.transaction_id, "fred")];
        let holders = [alice.0, bob.0, eliza.transaction_id, fred.transaction_id];
        driver.store_psk(&holders, b"first").await;
        driver.store_psk(&holders, b"second").await;
        let mut by_reference = proposals(driver, state_id, eliza.key_package).await;
        if proposer == 1 {
            let update = ask!(driver.rpc, update_proposal, UpdateProposalRequest { state_id });
            by_reference.push(update.proposal);
        }
        let by_value = vec![
            ProposalDescription { key_package: fred.key_package, ..words("add") },
            ProposalDescription { removed_id: b"diana".to_vec(), ..words("remove") },
            ProposalDescription { psk_id: b"second".to_vec(), ..words("externalPSK") },
        ];
        let plan = Plan { by_reference: by_reference.clone(), by_value, ..Plan::default() };
        let made = driver.commit(alice, plan.clone()).await;
        // One who is removed is told so by an authenticator of no epoch, and stays to be freed.
        assert!(driver.follow(diana, by_reference, &made.commit).await.is_empty());
        // Nobody has handled the first commit, so another can take its place.
        let joined = driver.full_commit(alice, plan, &[bob], &joiners).await;
        driver.agree(&[alice, bob, joined[0], joined[1]]).await;
        driver.free(diana.0).await;
        driver.free(charlie.0).await;
    }
}

/// An add, a removal of Charlie, a key and extensions, proposed by one member.
async fn proposals(driver: &mut Driver, state_id: u32, key_package: Vec<u8>) -> Vec<Vec<u8>> {
    let add = ask!(driver.rpc, add_proposal, AddProposalRequest { state_id, key_package });
    let removed_id = b"charlie".to_vec();
    let remove = RemoveProposalRequest { state_id, removed_id };
    let remove = ask!(driver.rpc, remove_proposal, remove);
    let psk = ExternalPskProposalRequest { state_id, psk_id: b"first".to_vec() };
    let psk = ask!(driver.rpc, external_psk_proposal, psk);
    let extend = GroupContextExtensionsProposalRequest { state_id, extensions: extensions() };
    let extend = ask!(driver.rpc, group_context_extensions_proposal, extend);
    [add, remove, psk, extend].map(|made| made.proposal).to_vec()
}

async fn resumption_keys(driver: &mut Driver) {
    let [alice, bob] = driver.group(["alice", "bob"]).await;
    for _ in 0..2 {
        driver.full_commit(alice, Plan::default(), &[bob], &[]).await;
    }
    let mut by_reference = vec![];
    for (member, epoch_id) in [(alice, 1), (bob, 2)] {
        let request = ResumptionPskProposalRequest { state_id: member.0, epoch_id };
        by_reference.push(ask!(driver.rpc, resumption_psk_proposal, request).proposal);
    }
    let by_value = vec![ProposalDescription { epoch_id: 3, ..words("resumptionPSK") }];
    let plan = Plan { by_reference, by_value, ..Plan::default() };
    driver.full_commit(alice, plan, &[bob], &[]).await;
    driver.agree(&[alice, bob]).await;
}

/// What a new group of a ReInit is to be: `None` is the same as before.
struct Successor {
    suite: Option<u32>,
    group_id: &'static [u8],
    extensions: Vec<Extension>,
    external_tree: bool,
}

async fn reinits(driver: &mut Driver) {
    let other = if driver.mode.suite == 1 { 2 } else { 1 };
    let (same, new) = (&b"the group"[..], &b"the next group"[..]);
    for (suite, group_id, extensions, external_tree) in [
        (Some(other), same, vec![], false),
        (None, new, extensions(), false),
        (None, new, vec![], true),
    ] {
        let successor = Successor { suite, group_id, extensions, external_tree };
        let members = driver.group(["alice", "bob", "charlie"]).await;
        let [alice, ..] = members;
        let request = ReInitProposalRequest {
            state_id: alice.0,
            cipher_suite: successor.suite.unwrap_or(driver.mode.suite),
            group_id: successor.group_id.to_vec(),
            extensions: successor.extensions.clone(),
        };
        let proposal = ask!(driver.rpc, re_init_proposal, request).proposal;
        reinit(driver, members, proposal, &successor).await;
    }
}

/// Bob commits a ReInit, Charlie welcomes the others to the new group.
async fn reinit(
    driver: &mut Driver,
    [alice, bob, charlie]: [Client; 3],
    proposal: Vec<u8>,
    successor: &Successor,
) {
    let by_reference = vec![proposal.clone()];
    let request = CommitRequest { state_id: bob.0, by_reference, ..CommitRequest::default() };
    let commit = ask!(driver.rpc, re_init_commit, request).commit;
    let chosen = HandlePendingCommitRequest { state_id: bob.0 };
    let bob = ask!(driver.rpc, handle_pending_re_init_commit, chosen);
    let mut followers = vec![];
    for member in [alice, charlie] {
        let (proposal, commit) = (vec![proposal.clone()], commit.clone());
        let request = HandleCommitRequest { state_id: member.0, proposal, commit };
        let followed = ask!(driver.rpc, handle_re_init_commit, request);
        assert_eq!(followed.epoch_authenticator, bob.epoch_authenticator);
        followers.push(followed);
    }
    let [alice, charlie] = followers.try_into().unwrap();
    let external_tree = successor.external_tree;
    let request = ReInitWelcomeRequest {
        reinit_id: charlie.reinit_id,
        key_package: vec![alice.key_package, bob.key_package],
        force_path: false,
        external_tree,
    };
    let made = ask!(driver.rpc, re_init_welcome, request);
    assert_eq!(made.ratchet_tree.is_empty(), !external_tree);
    let mut members = vec![Client(made.state_id)];
    for reinit_id in [alice.reinit_id, bob.reinit_id] {
        let (welcome, ratchet_tree) = (made.welcome.clone(), made.ratchet_tree.clone());
        let request = HandleReInitWelcomeRequest { reinit_id, welcome, ratchet_tree };
        let joined = ask!(driver.rpc, handle_re_init_welcome, request);
        assert_eq!(joined.epoch_authenticator, made.epoch_authenticator);
        members.push(Client(joined.state_id));
    }
    driver.agree(&members).await;
    driver.full_commit(members[1], Plan::default(), &[members[0], members[2]], &[]).await;
}

async fn branches(driver: &mut Driver) {
    let [alice, bob, charlie] = driver.group(["alice", "bob", "charlie"]).await;
    for external_tree in [false, true] {
        let bobs = driver.package("bob").await;
        let request = CreateBranchRequest {
            state_id: alice.0,
            group_id: b"the branch".to_vec(),
            extensions: extensions(),
            key_packages: vec![bobs.key_package],
            force_path: false,
            external_tree,
        };
        let made = ask!(driver.rpc, create_branch, request);
        let request = HandleBranchRequest {
            state_id: bob.0,
            transaction_id: bobs.transaction_id,
            welcome: made.welcome,
            ratchet_tree: made.ratchet_tree,
        };
        let joined = ask!(driver.rpc, handle_branch, request);
        assert_eq!(joined.epoch_authenticator, made.epoch_authenticator);
        driver.agree(&[Client(made.state_id), Client(joined.state_id)]).await;
        driver.agree(&[alice, bob, charlie]).await;
    }
}

async fn joiner_signed_add(driver: &mut Driver) {
    let alice = driver.create("alice").await;
    let group_info = driver.info(alice, false).await.group_info;
    let request = NewMemberAddProposalRequest { group_info, identity: b"bob".to_vec() };
    let bob = ask!(driver.rpc, new_member_add_proposal, request);
    assert!(!bob.init_priv.is_empty() && !bob.encryption_priv.is_empty());
    assert!(!bob.signature_priv.is_empty());
    let plan = Plan { by_reference: vec![bob.proposal], ..Plan::default() };
    let joiners = [(bob.transaction_id, "bob")];
    let bob = driver.full_commit(alice, plan, &[], &joiners).await[0];
    driver.agree(&[alice, bob]).await;
}

/// A signer that a group listens to.
async fn signer(driver: &mut Driver, members: &[Client], name: &str) -> u32 {
    let cipher_suite = driver.mode.suite;
    let request = CreateExternalSignerRequest { cipher_suite, identity: name.into() };
    let signer = ask!(driver.rpc, create_external_signer, request);
    let (state_id, external_sender) = (members[0].0, signer.external_sender);
    let request = AddExternalSignerRequest { state_id, external_sender };
    let proposal = ask!(driver.rpc, add_external_signer, request).proposal;
    let plan = Plan { by_reference: vec![proposal], ..Plan::default() };
    driver.full_commit(members[0], plan, &members[1..], &[]).await;
    signer.signer_id
}

async fn signed(
    driver: &mut Driver,
    signer_id: u32,
    member: Client,
    description: ProposalDescription,
) -> Vec<u8> {
    let info = driver.info(member, true).await;
    let request = ExternalSignerProposalRequest {
        signer_id,
        // The runner never says where the signer stands.
        signer_index: 0,
        group_info: info.group_info,
        ratchet_tree: info.ratchet_tree,
        description: Some(description),
    };
    ask!(driver.rpc, external_signer_proposal, request).proposal
}

async fn external_signers(driver: &mut Driver) {
    let [alice, bob, charlie] = driver.group(["alice", "bob", "charlie"]).await;
    let first = signer(driver, &[alice, bob, charlie], "first").await;
    let second = signer(driver, &[alice, bob, charlie], "second").await;
    driver.store_psk(&[alice.0, bob.0, charlie.0], b"psk").await;
    let mut by_reference = vec![];
    for (signer, description) in [
        (first, ProposalDescription { psk_id: b"psk".to_vec(), ..words("externalPSK") }),
        (second, ProposalDescription { epoch_id: 2, ..words("resumptionPSK") }),
    ] {
        by_reference.push(signed(driver, signer, alice, description).await);
    }
    let plan = Plan { by_reference, ..Plan::default() };
    driver.full_commit(alice, plan, &[bob, charlie], &[]).await;
    let diana = driver.package("diana").await;
    let add = ProposalDescription { key_package: diana.key_package, ..words("add") };
    let remove = ProposalDescription { removed_id: b"bob".to_vec(), ..words("remove") };
    let by_reference =
        vec![signed(driver, second, alice, add).await, signed(driver, first, alice, remove).await];
    let plan = Plan { by_reference, ..Plan::default() };
    let joiners = [(diana.transaction_id, "diana")];
    let diana = driver.full_commit(alice, plan, &[charlie], &joiners).await[0];
    driver.agree(&[alice, charlie, diana]).await;
    external_ends(driver, first, [diana, alice, charlie]).await;
}

/// A signer replaces the extensions and with them itself; but before that, it ends the group.
async fn external_ends(driver: &mut Driver, signer: u32, members: [Client; 3]) {
    let successor = Successor {
        suite: None,
        group_id: b"the last group",
        extensions: extensions(),
        external_tree: false,
    };
    let replace = ProposalDescription { extensions: vec![], ..words("groupContextExtensions") };
    assert!(!signed(driver, signer, members[0], replace).await.is_empty());
    let end = ProposalDescription {
        group_id: successor.group_id.to_vec(),
        cipher_suite: driver.mode.suite,
        extensions: successor.extensions.clone(),
        ..words("reinit")
    };
    let proposal = signed(driver, signer, members[0], end).await;
    reinit(driver, members, proposal, &successor).await;
}

/// All scenarios, in one mode, at one server.
async fn all(suite: u32, private: bool) -> BTreeSet<String> {
    let (rpc, tally) = server(suite as u8).await;
    let mut driver = Driver { rpc, mode: Mode { suite, private } };
    what_it_is(&mut driver).await;
    welcomes(&mut driver).await;
    external_joins(&mut driver).await;
    application_data(&mut driver).await;
    commits(&mut driver).await;
    resumption_keys(&mut driver).await;
    reinits(&mut driver).await;
    branches(&mut driver).await;
    joiner_signed_add(&mut driver).await;
    external_signers(&mut driver).await;
    tally.calls()
}

#[tokio::test]
async fn every_scenario_in_public_makes_every_call() {
    let described: BTreeSet<_> = CALLS.iter().map(|call| String::from(*call)).collect();
    assert_eq!(described.len(), 34);
    assert_eq!(all(1, false).await, described);
}

#[tokio::test]
async fn every_scenario_in_private() {
    all(1, true).await;
}

#[tokio::test]
async fn every_scenario_in_the_other_suites() {
    for (index, suite) in [2, 3, 4, 5, 6, 7, 0xf647].into_iter().enumerate() {
        all(suite, index % 2 == 0).await;
    }
}
