//! Requests that are refused: the status names the field and the rule, and nothing has changed.

use arboretum_interop::interface::*;
use arboretum_interop::limits;

use crate::driver::{Driver, Mode, Plan, server, words};

async fn driver() -> Driver {
    let (rpc, _) = server(7).await;
    Driver { rpc, mode: Mode { suite: 1, private: false } }
}

#[tokio::test]
async fn numbers() {
    let mut driver = driver().await;
    let nobody = StateAuthRequest { state_id: 99 };
    refused!(driver.rpc, state_auth, nobody, NotFound, "state_id: nothing has the number 99");
    // A field that was not filled in names nothing either.
    refused!(driver.rpc, free, FreeRequest::default(), NotFound, "nothing has the number 0");
    let alice = driver.create("alice").await;
    let bob = driver.package("bob").await;
    let swapped = StateAuthRequest { state_id: bob.transaction_id };
    let words = "is the number of a transaction; a state is needed";
    refused!(driver.rpc, state_auth, swapped, InvalidArgument, words);
    let swapped = JoinGroupRequest { transaction_id: alice.0, ..JoinGroupRequest::default() };
    refused!(driver.rpc, join_group, swapped, InvalidArgument, "a transaction is needed");
    let swapped = ExternalSignerProposalRequest { signer_id: alice.0, ..Default::default() };
    refused!(driver.rpc, external_signer_proposal, swapped, InvalidArgument, "a signer is needed");
    // What is freed is gone, and its number is not given again.
    driver.free(alice.0).await;
    refused!(driver.rpc, free, FreeRequest { state_id: alice.0 }, NotFound, "Free");
    assert_ne!(driver.create("alice").await, alice);
}

#[tokio::test]
async fn sizes() {
    let mut driver = driver().await;
    let alice = driver.create("alice").await;
    let long = vec![b'a'; limits::MAX_NAME + 1];
    let request = CreateKeyPackageRequest { cipher_suite: 1, identity: long.clone() };
    let words = "identity: 1025 bytes are more than the 1024";
    refused!(driver.rpc, create_key_package, request, InvalidArgument, words);
    let request =
        CreateGroupRequest { cipher_suite: 1, group_id: long.clone(), ..Default::default() };
    refused!(driver.rpc, create_group, request, InvalidArgument, "group_id: 1025 bytes");
    let state_or_transaction_id = alice.0;
    let psk_secret = vec![0; limits::MAX_PSK + 1];
    let request = StorePskRequest { state_or_transaction_id, psk_secret, ..Default::default() };
    refused!(driver.rpc, store_psk, request, InvalidArgument, "psk_secret: 1025 bytes");
    let by_reference = vec![vec![]; limits::MAX_LIST + 1];
    let request = CommitRequest { state_id: alice.0, by_reference, ..Default::default() };
    refused!(driver.rpc, commit, request, InvalidArgument, "by_reference: 1025 entries");
    let request = ExportRequest { state_id: alice.0, key_length: 65_536, ..Default::default() };
    refused!(driver.rpc, export, request, InvalidArgument, "key_length: 65536 has more than 16");
    let request = ExportRequest { state_id: alice.0, key_length: 65_535, ..Default::default() };
    refused!(driver.rpc, export, request, FailedPrecondition, "key_length: ");
    let plaintext = vec![0; limits::MAX_REQUEST + 1];
    let request = ProtectRequest { state_id: alice.0, plaintext, ..Default::default() };
    refused!(driver.rpc, protect, request, OutOfRange, "limit");
    let mut request = StorePskRequest { state_or_transaction_id, ..Default::default() };
    for index in 0..limits::MAX_PSKS {
        request.psk_id = index.to_be_bytes().to_vec();
        ask!(driver.rpc, store_psk, request.clone());
    }
    refused!(driver.rpc, store_psk, request, InvalidArgument, "psk_id: 1025 entries");
}

#[tokio::test]
async fn bytes_and_code_points() {
    let mut driver = driver().await;
    let alice = driver.create("alice").await;
    let state_id = alice.0;
    for suite in [0, 8, 65_536 + 1] {
        let request = CreateGroupRequest { cipher_suite: suite, ..Default::default() };
        let words = format!("cipher_suite: cipher suite {suite} is not served");
        refused!(driver.rpc, create_group, request, InvalidArgument, &words);
    }
    let request = AddProposalRequest { state_id, key_package: vec![0, 1, 2] };
    let words_ = "AddProposal: key_package: not an encoding of an MLS message";
    refused!(driver.rpc, add_proposal, request, InvalidArgument, words_);
    let mut package = driver.package("bob").await.key_package;
    package.push(0);
    let request = AddProposalRequest { state_id, key_package: package };
    refused!(driver.rpc, add_proposal, request, InvalidArgument, "1 bytes are left over");
    let info = driver.info(alice, false).await.group_info;
    let request = AddProposalRequest { state_id, key_package: info.clone() };
    refused!(driver.rpc, add_proposal, request, InvalidArgument, "is not a key package");
    let package = driver.package("bob").await.key_package;
    let request = ExternalJoinRequest { group_info: package, ..Default::default() };
    refused!(driver.rpc, external_join, request, InvalidArgument, "is not a group info");
    let beside = driver.info(alice, true).await.group_info;
    let ratchet_tree = vec![1, 2, 3];
    let request =
        ExternalJoinRequest { group_info: beside.clone(), ratchet_tree, ..Default::default() };
    refused!(driver.rpc, external_join, request, InvalidArgument, "ratchet_tree: ");
    let request = ExternalJoinRequest { group_info: beside, ..Default::default() };
    refused!(driver.rpc, external_join, request, FailedPrecondition, "no ratchet tree");
    let request = UnprotectRequest { state_id, ciphertext: info };
    refused!(driver.rpc, unprotect, request, InvalidArgument, "is not a private message");
    let extension = Extension { extension_type: 65_536, ..Default::default() };
    let request = GroupContextExtensionsProposalRequest { state_id, extensions: vec![extension] };
    let words_ = "extensions[0]: 65536 has more than 16 bits";
    refused!(driver.rpc, group_context_extensions_proposal, request, InvalidArgument, words_);
    for (description, expected) in [
        (words("swap"), "by_value[0]: 'swap' is not add, remove"),
        (words("reinit"), "by_value[0]: reinit is for ReInitCommit"),
    ] {
        let by_value = vec![description];
        let request = CommitRequest { state_id, by_value, ..Default::default() };
        refused!(driver.rpc, commit, request, InvalidArgument, expected);
    }
}

#[tokio::test]
async fn rules_of_the_protocol() {
    let mut driver = driver().await;
    let [alice, bob] = driver.group(["alice", "bob"]).await;
    let state_id = alice.0;
    let before = driver.authenticator(bob).await;
    let request = RemoveProposalRequest { state_id, removed_id: b"nobody".to_vec() };
    let words_ = "removed_id: no member of the group has this identity";
    refused!(driver.rpc, remove_proposal, request, FailedPrecondition, words_);
    let description = ProposalDescription { psk_id: b"none".to_vec(), ..words("externalPSK") };
    let request = CommitRequest { state_id, by_value: vec![description], ..Default::default() };
    refused!(driver.rpc, commit, request, FailedPrecondition, "is not held (RFC 9420");
    let chosen = HandlePendingCommitRequest { state_id };
    refused!(driver.rpc, handle_pending_commit, chosen, FailedPrecondition, "no commit on its way");
    // A commit without the proposal that it refers to, then with a bit of it turned.
    let update = ask!(driver.rpc, update_proposal, UpdateProposalRequest { state_id: bob.0 });
    let by_reference = vec![update.proposal.clone()];
    let made = driver.commit(alice, Plan { by_reference, ..Plan::default() }).await;
    let [.., charlie] = driver.group(["alice", "charlie"]).await;
    let request =
        HandleCommitRequest { state_id: charlie.0, commit: made.commit.clone(), proposal: vec![] };
    refused!(driver.rpc, handle_commit, request, FailedPrecondition, "commit: ");
    let mut commit = made.commit.clone();
    *commit.last_mut().unwrap() ^= 1;
    let request = HandleCommitRequest { state_id: bob.0, commit, proposal: vec![] };
    refused!(driver.rpc, handle_commit, request, FailedPrecondition, "commit: ");
    let proposal = vec![made.commit.clone()];
    let commit = made.commit.clone();
    let request = HandleCommitRequest { state_id: bob.0, commit, proposal };
    refused!(driver.rpc, handle_commit, request, InvalidArgument, "proposal[0]: ");
    // Nothing of that has changed Bob, who follows the true one.
    assert_eq!(driver.authenticator(bob).await, before);
    let chosen = HandlePendingCommitRequest { state_id };
    let after = ask!(driver.rpc, handle_pending_commit, chosen).epoch_authenticator;
    assert_eq!(driver.follow(bob, vec![update.proposal], &made.commit).await, after);
    driver.agree(&[alice, bob]).await;
    // A ciphertext is read once.
    let sent = driver.protect(alice, b"once").await;
    driver.unprotect(bob, &sent).await;
    let request = UnprotectRequest { state_id: bob.0, ciphertext: sent };
    refused!(driver.rpc, unprotect, request, FailedPrecondition, "ciphertext: ");
}

#[tokio::test]
async fn joiners() {
    let mut driver = driver().await;
    let alice = driver.create("alice").await;
    let (bob, charlie) = (driver.package("bob").await, driver.package("charlie").await);
    let add = ProposalDescription { key_package: bob.key_package, ..words("add") };
    let plan = Plan { by_value: vec![add], ..Plan::default() };
    let welcome = driver.commit(alice, plan).await.welcome;
    let request = |transaction_id, identity: &[u8], welcome: &[u8]| JoinGroupRequest {
        transaction_id,
        identity: identity.to_vec(),
        welcome: welcome.to_vec(),
        ..Default::default()
    };
    let id = bob.transaction_id;
    let other = request(id, b"alice", &welcome);
    refused!(driver.rpc, join_group, other, FailedPrecondition, "made for another identity");
    let stranger = request(charlie.transaction_id, b"charlie", &welcome);
    refused!(driver.rpc, join_group, stranger, FailedPrecondition, "welcome: ");
    let garbled = request(id, b"bob", &welcome[..20]);
    refused!(driver.rpc, join_group, garbled, InvalidArgument, "welcome: not an encoding");
    // The transaction is still there, until a Welcome ends it.
    let good = request(id, b"bob", &welcome);
    ask!(driver.rpc, join_group, good.clone());
    refused!(driver.rpc, join_group, good, NotFound, "transaction_id: ");
}

/// A commit that ends the group and one that does not have calls of their own.
#[tokio::test]
async fn ends_of_groups() {
    let mut driver = driver().await;
    let [alice, bob] = driver.group(["alice", "bob"]).await;
    let state_id = alice.0;
    let group_id = b"next".to_vec();
    let request = ReInitProposalRequest { state_id, cipher_suite: 1, group_id, extensions: vec![] };
    let by_reference = vec![ask!(driver.rpc, re_init_proposal, request).proposal];
    let request = CommitRequest { state_id, ..Default::default() };
    let none = "has no ReInit: use Commit";
    refused!(driver.rpc, re_init_commit, request, FailedPrecondition, none);
    let request =
        CommitRequest { state_id, by_reference: by_reference.clone(), ..Default::default() };
    let words_ = "ends the group by a ReInit: use ReInitCommit";
    refused!(driver.rpc, commit, request.clone(), FailedPrecondition, words_);
    let commit = ask!(driver.rpc, re_init_commit, request).commit;
    let chosen = HandlePendingCommitRequest { state_id };
    let words_ = "use HandlePendingReInitCommit";
    refused!(driver.rpc, handle_pending_commit, chosen, FailedPrecondition, words_);
    let request = HandleCommitRequest { state_id: bob.0, proposal: by_reference, commit };
    let words_ = "use HandleReInitCommit";
    refused!(driver.rpc, handle_commit, request.clone(), FailedPrecondition, words_);
    let early = ReInitWelcomeRequest { reinit_id: bob.0, ..Default::default() };
    refused!(driver.rpc, re_init_welcome, early, FailedPrecondition, "has not been ended");
    let early = HandleReInitWelcomeRequest { reinit_id: bob.0, ..Default::default() };
    refused!(driver.rpc, handle_re_init_welcome, early, FailedPrecondition, "has not been ended");
    ask!(driver.rpc, handle_re_init_commit, request);
    // The group is over.
    let words_ = "the group is to be replaced by another (RFC 9420";
    let request = ProtectRequest { state_id: bob.0, ..Default::default() };
    refused!(driver.rpc, protect, request, FailedPrecondition, words_);
    let short = ReInitWelcomeRequest { reinit_id: bob.0, ..Default::default() };
    let words_ = "its members are not those of the old group";
    refused!(driver.rpc, re_init_welcome, short, FailedPrecondition, words_);
}

#[tokio::test]
async fn signers() {
    let mut driver = driver().await;
    let alice = driver.create("alice").await;
    let request = CreateExternalSignerRequest { cipher_suite: 1, identity: b"ds".to_vec() };
    let signer = ask!(driver.rpc, create_external_signer, request);
    let psk = StorePskRequest { state_or_transaction_id: signer.signer_id, ..Default::default() };
    let words_ = "is the number of a signer; a state or transaction is needed";
    refused!(driver.rpc, store_psk, psk, InvalidArgument, words_);
    let request = AddExternalSignerRequest { state_id: alice.0, external_sender: vec![9] };
    let words_ = "external_sender: not an encoding of an external sender";
    refused!(driver.rpc, add_external_signer, request, InvalidArgument, words_);
    let info = driver.info(alice, true).await;
    let request = |description, ratchet_tree: &[u8]| ExternalSignerProposalRequest {
        signer_id: signer.signer_id,
        group_info: info.group_info.clone(),
        ratchet_tree: ratchet_tree.to_vec(),
        description,
        ..Default::default()
    };
    let unheard = request(Some(words("resumptionPSK")), &info.ratchet_tree);
    let words_ = "commit AddExternalSigner first";
    refused!(driver.rpc, external_signer_proposal, unheard, FailedPrecondition, words_);
    let no_tree = request(None, &[]);
    let words_ = "ratchet_tree: is missing";
    refused!(driver.rpc, external_signer_proposal, no_tree, InvalidArgument, words_);
}
