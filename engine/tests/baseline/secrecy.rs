//! Who can read what, with everything it holds.

use arboretum_engine::baseline::Sharing;
use arboretum_engine::protocol::{ClientId, Reading};

use super::{KeyServer, Made, Pairs, Senders, advance_all, commit, group, order};

const N: u32 = 6;

/// A removed member, whether it knows that or not, reads nothing that is sent after its removal is in
/// the sender's view; and all that was sent before.
fn the_removed_read_no_more<P: Made>() {
    let mut group: P = group(N, Sharing::Shared);
    for by in 0..N {
        let sent = group.send(ClientId(by), b"before").unwrap();
        for client in (0..N).filter(|client| *client != by) {
            group.receive(ClientId(client), sent.message).unwrap();
        }
    }
    commit(&mut group, order(0, &[], &[5]));
    // Client 1 has not heard of it: it writes to a group that client 5 is in.
    let unaware = group.send(ClientId(1), b"unaware").unwrap();
    assert_eq!(group.receive(ClientId(5), unaware.message).unwrap().reading, Reading::Read);
    advance_all(&mut group, 0..5);
    for by in 0..5 {
        for _ in 0..2 {
            let sent = group.send(ClientId(by), b"after").unwrap();
            assert!(!group.pries(ClientId(5), sent.message).unwrap(), "of client {by}");
            let received = group.receive(ClientId(5), sent.message).unwrap();
            assert_eq!(received.reading, Reading::NotForIt);
            for client in (0..5).filter(|client| *client != by) {
                assert!(group.pries(ClientId(client), sent.message).unwrap(), "a member can");
                let received = group.receive(ClientId(client), sent.message).unwrap();
                assert_eq!(received.reading, Reading::Read);
            }
        }
    }
}

/// A newcomer reads nothing from before it was added, though it is given the chains that there are.
fn newcomers_read_nothing_earlier<P: Made>() {
    let mut group: P = group(N, Sharing::Shared);
    let mut earlier = vec![];
    for by in (0..N).chain(0..N) {
        earlier.push(group.send(ClientId(by), b"earlier").unwrap().message);
    }
    group.register(ClientId(N), 100).unwrap();
    commit(&mut group, order(0, &[N], &[]));
    advance_all(&mut group, 0..=N);
    for by in 0..N {
        let sent = group.send(ClientId(by), b"later").unwrap();
        let received = group.receive(ClientId(N), sent.message).unwrap();
        assert_eq!(received.reading, Reading::Read);
    }
    for message in earlier {
        assert!(!group.pries(ClientId(N), message).unwrap());
        assert_eq!(group.receive(ClientId(N), message).unwrap().reading, Reading::NotForIt);
    }
}

#[test]
fn pairwise_shuts_out_the_removed() {
    the_removed_read_no_more::<Pairs>();
}

#[test]
fn sender_keys_shut_out_the_removed() {
    the_removed_read_no_more::<Senders>();
}

#[test]
fn pairwise_shows_newcomers_nothing_earlier() {
    newcomers_read_nothing_earlier::<Pairs>();
}

#[test]
fn sender_keys_show_newcomers_nothing_earlier() {
    newcomers_read_nothing_earlier::<Senders>();
}

#[test]
fn the_key_server_shuts_out_the_removed() {
    the_removed_read_no_more::<KeyServer>();
}

#[test]
fn the_key_server_shows_newcomers_nothing_earlier() {
    newcomers_read_nothing_earlier::<KeyServer>();
}
