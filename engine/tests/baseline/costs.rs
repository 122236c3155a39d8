//! What each protocol costs, exactly.

use arboretum_engine::baseline::Sharing;
use arboretum_engine::crypto::{Ledger, Op};
use arboretum_engine::protocol::{ClientId, Protocol, Reading};

use super::{KeyServer, Made, Pairs, REAL, Senders, TestSeeds, advance_all, commit, group, order};

const N: u32 = 9;

fn seals(ledger: &Ledger) -> u64 {
    ledger.count(Op::AeadSeal)
}

/// Everybody else in a group of `n` reads a message.
fn read_all<P: Protocol>(group: &mut P, n: u32, by: u32, sent: &arboretum_engine::protocol::Sent) {
    for client in (0..n).filter(|client| *client != by) {
        if group.view(ClientId(client)).is_some() {
            let received = group.receive(ClientId(client), sent.message).unwrap();
            assert_eq!(received.reading, Reading::Read, "client {client}");
        }
    }
}

fn speak<P: Protocol>(group: &mut P, n: u32, by: u32) -> Ledger {
    let sent = group.send(ClientId(by), b"to all").unwrap();
    read_all(group, n, by, &sent);
    sent.ledger
}

#[test]
fn a_pairwise_message_is_a_copy_for_each_other() {
    let mut pairs: Pairs = group(N, Sharing::Shared);
    let others = u64::from(N) - 1;
    // The first makes a session with each: four agreements, and a ratchet key and step.
    let first = pairs.send(ClientId(3), b"to all").unwrap();
    assert_eq!(seals(&first.ledger), others);
    assert_eq!(first.ledger.count(Op::Dh), 5 * others);
    assert_eq!(first.ledger.count(Op::Verify), others);
    assert_eq!(first.ledger.count(Op::KemGenerate), 2 * others);
    // The next only moves the chains.
    let second = pairs.send(ClientId(3), b"to all").unwrap();
    assert_eq!(seals(&second.ledger), others);
    assert_eq!(second.ledger.count(Op::Dh), 0);
    let received = pairs.receive(ClientId(5), first.message).unwrap();
    assert_eq!(received.ledger.count(Op::Dh), 5, "four agreements and a step");
    assert_eq!(received.bytes * others, first.bytes);
    let received = pairs.receive(ClientId(5), second.message).unwrap();
    assert_eq!((received.ledger.count(Op::Dh), received.ledger.count(Op::AeadOpen)), (0, 1));
    // An answer is a step at both ends, and needs no more what made the session.
    let answer = pairs.send(ClientId(5), b"to all").unwrap();
    assert_eq!(answer.ledger.count(Op::Dh), 5 * (others - 1) + 1);
    let received = pairs.receive(ClientId(3), answer.message).unwrap();
    assert_eq!(received.ledger.count(Op::Dh), 1);
    let third = pairs.send(ClientId(3), b"to all").unwrap();
    assert_eq!(third.ledger.count(Op::Dh), 1, "with who has answered");
    let initial = second.bytes / others - pairs.receive(ClientId(5), third.message).unwrap().bytes;
    assert_eq!(initial, 33 + 33 + 5, "identity, ephemeral key, number of the one-time prekey");
}

#[test]
fn changing_a_pairwise_group_is_one_signature() {
    let mut pairs: Pairs = group(N, Sharing::Full);
    let draft = pairs.commit(order(2, &[], &[4])).unwrap();
    assert_eq!((draft.cost.ciphertexts, draft.cost.public_keys), (0, 0));
    assert_eq!(draft.ledger.count(Op::Sign), 1);
    let bytes = draft.cost.bytes;
    pairs.accept(draft, &[]).unwrap();
    let caught = pairs.advance(ClientId(1), 2).unwrap();
    assert_eq!((caught.bytes, caught.ledger.count(Op::Verify)), (bytes, 1));
    // A renewal happens by itself.
    let draft = pairs.commit(order(2, &[], &[])).unwrap();
    assert_eq!((draft.cost, draft.ledger), Default::default());
    pairs.accept(draft, &[]).unwrap();
    assert_eq!(pairs.advance(ClientId(1), 3).unwrap().ledger, Ledger::default());
}

#[test]
fn a_sender_key_message_is_one_encryption_and_one_signature() {
    let mut senders: Senders = group(N, Sharing::Shared);
    let others = u64::from(N) - 1;
    let first = speak(&mut senders, N, 0);
    assert_eq!(seals(&first), others + 1, "its chain to each, and the message");
    let second = speak(&mut senders, N, 0);
    assert_eq!((seals(&second), second.count(Op::Sign), second.count(Op::Dh)), (1, 1, 0));
}

#[test]
fn renewing_one_sender_key_is_a_ciphertext_for_each_other() {
    let mut senders: Senders = group(N, Sharing::Shared);
    speak(&mut senders, N, 6);
    let draft = senders.commit(order(6, &[], &[])).unwrap();
    assert_eq!((draft.cost.ciphertexts, draft.cost.public_keys), (u64::from(N) - 1, 1));
    assert_eq!(seals(&draft.ledger), u64::from(N) - 1);
    let accepted = senders.accept(draft, &[]).unwrap();
    assert_eq!(accepted.predicted_ciphertexts, u64::from(N) - 1);
    advance_all(&mut senders, 0..N);
    assert_eq!(seals(&speak(&mut senders, N, 6)), 1, "everybody has it");
}

/// n(n − 1) after a removal, once everybody has spoken; and a newcomer is a ciphertext for each.
#[test]
fn after_a_removal_everybody_renews() {
    let mut senders: Senders = group(N, Sharing::Shared);
    (0..N).for_each(|by| _ = speak(&mut senders, N, by));
    commit(&mut senders, order(0, &[], &[N - 1]));
    advance_all(&mut senders, 0..N);
    let left = u64::from(N) - 1;
    let spent: u64 = (0..N - 1).map(|by| seals(&speak(&mut senders, N, by)) - 1).sum();
    assert_eq!(spent, left * (left - 1));
    let again: u64 = (0..N - 1).map(|by| seals(&speak(&mut senders, N, by)) - 1).sum();
    assert_eq!(again, 0);
    senders.register(ClientId(N), 100).unwrap();
    commit(&mut senders, order(0, &[N], &[]));
    advance_all(&mut senders, 0..=N);
    let spent: u64 = (0..N - 1).map(|by| seals(&speak(&mut senders, N + 1, by)) - 1).sum();
    assert_eq!(spent, left, "the chain that there is, to the newcomer");
}

/// What is the same for all protocols that keep no tree.
fn is_flat<P: Made>() {
    let group: P = group(N, Sharing::Shared);
    let tree = group.tree();
    assert_eq!((tree.members, tree.width, tree.keyed_parents, tree.blank_parents), (N, N, 0, 0));
    let mut nodes = 0;
    group.traverse(&mut |_| nodes += 1);
    assert_eq!(nodes, 0);
}

#[test]
fn there_is_no_tree() {
    is_flat::<Pairs>();
    is_flat::<Senders>();
}

/// A full tree of this degree and height, all of whose members have joined.
fn full_tree(degree: u8, height: u32) -> (KeyServer, u32) {
    let n = u32::from(degree).pow(height);
    let mut group = KeyServer::new(REAL, TestSeeds(3), Sharing::Shared, degree).unwrap();
    (0..n).for_each(|client| _ = group.register(ClientId(client), 1).unwrap());
    group.create(ClientId(0)).unwrap();
    let adds: Vec<u32> = (1..n).collect();
    commit(&mut group, order(0, &adds, &[]));
    advance_all(&mut group, 0..n);
    (group, n)
}

/// k·log_k n − 1 on leave, 2·log_k n on join, k·log_k n on renewal, and what the server knows.
#[test]
fn rekeying_a_full_tree_costs_what_is_published() {
    for (degree, height) in [(2, 2), (2, 3), (2, 6), (3, 1), (3, 3), (4, 3), (5, 2)] {
        let (mut group, n) = full_tree(degree, height);
        let (k, h) = (u64::from(degree), u64::from(height));
        let parents = u64::from((n - 1) / u32::from(degree - 1));
        assert_eq!(group.keys_known(), u64::from(n) + parents);
        let before = group.server_ledger();
        let draft = group.commit(order(0, &[], &[n / 2])).unwrap();
        let cost = draft.cost;
        assert_eq!((cost.ciphertexts, cost.public_keys), (k * h - 1, 0), "{n} by {degree}: leave");
        assert_eq!(draft.ledger.count(Op::AeadSeal), 0, "the server encrypts");
        let accepted = group.accept(draft, &[]).unwrap();
        assert_eq!(accepted.predicted_ciphertexts, k * h - 1);
        assert_eq!((group.server_ledger() - before).count(Op::AeadSeal), k * h - 1);
        group.register(ClientId(n), 1).unwrap();
        let draft = group.commit(order(0, &[n], &[])).unwrap();
        assert_eq!(draft.cost.ciphertexts, 2 * h, "{n} by {degree}: join");
        group.accept(draft, &[]).unwrap();
        let draft = group.commit(order(0, &[], &[])).unwrap();
        assert_eq!((draft.cost.ciphertexts, draft.cost.public_keys), (k * h, 1), "renewal");
        group.accept(draft, &[]).unwrap();
        // Who follows these three opens at most a key for each parent, each time.
        let caught = group.advance(ClientId(n - 1), 4).unwrap();
        assert!(caught.ledger.count(Op::AeadOpen) <= 3 * h);
        assert_eq!(caught.ledger.count(Op::Verify), 3);
        // The mean over all members of what a renewal takes.
        assert_eq!(group.tree().path_cost, u64::from(n) * k * h);
    }
}

#[test]
fn a_key_server_message_is_one_encryption_and_one_signature() {
    let (mut group, n) = full_tree(2, 3);
    let sent = speak(&mut group, n, 5);
    let counts = [Op::AeadSeal, Op::Sign, Op::KdfExpand].map(|op| sent.count(op));
    assert_eq!(counts, [1, 1, 1]);
}

/// The bytes that docs/baselines.md states, for a text of 200.
#[test]
fn messages_are_as_long_as_the_page_says() {
    let (text, others) = ([7; 200], u64::from(N) - 1);
    let mut pairs: Pairs = group(N, Sharing::Shared);
    let first = pairs.send(ClientId(0), &text).unwrap();
    assert_eq!(first.bytes, others * (200 + 77 + 71));
    read_all(&mut pairs, N, 0, &first);
    for by in 1..N {
        let answer = pairs.send(ClientId(by), &text).unwrap();
        pairs.receive(ClientId(0), answer.message).unwrap();
    }
    assert_eq!(pairs.send(ClientId(0), &text).unwrap().bytes, others * (200 + 77));
    let mut senders: Senders = group(N, Sharing::Shared);
    let first = senders.send(ClientId(0), &text).unwrap().bytes;
    let second = senders.send(ClientId(0), &text).unwrap().bytes;
    assert_eq!((first - second, second), (others * (151 + 71), 200 + 104));
    let (mut server, _) = full_tree(2, 3);
    assert_eq!(server.send(ClientId(0), &text).unwrap().bytes, 200 + 102);
}
