//! Bytes from anybody: decoders refuse and never panic, and what they take encodes to the same bytes.

use arboretum_engine::art::{ApplicationMessage, Handshake, Trees};
use arboretum_engine::codec::encode;
use arboretum_engine::crypto::{CipherSuite, Crypto, RealProvider};
use arboretum_engine::tree::LeafIndex;
use proptest::collection::vec;
use proptest::prelude::*;

use super::group::Group;

/// A message of each kind, the trees, and the member that receives them.
fn samples() -> (Group, Vec<Vec<u8>>) {
    let mut group = Group::new(CipherSuite::X25519_AES128GCM_SHA256_ED25519, 5);
    let keys: Vec<_> = (0..2).map(|_| group.stranger().1).collect();
    let crypto = group.crypto();
    let creator = group.member(LeafIndex(0));
    let setup = creator.init(&crypto, &keys, [[1; 32], [2; 32]]).unwrap().message;
    group.set_up(5);
    let add = group.stranger().1;
    let member = group.member(LeafIndex(1));
    let messages = vec![
        setup,
        member.publish(&crypto).unwrap(),
        member.update(&crypto, [3; 32]).unwrap().message,
        member.delete(&crypto, LeafIndex(3), [3; 32]).unwrap().message,
        member.group_add(&crypto, add).unwrap().message,
    ];
    (group, messages)
}

fn look(bytes: &[u8]) {
    if let Ok((handshake, signed)) = Handshake::read(bytes) {
        assert_eq!(encode(&handshake).unwrap(), bytes);
        assert!(bytes.starts_with(signed));
    }
    if let Ok(trees) = Trees::decode(bytes) {
        assert_eq!(trees.encode().unwrap(), bytes);
    }
    let _ = ApplicationMessage::read(bytes);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..300)) {
        look(&bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// A message with some bytes changed, cut off or put in, at a member and at somebody who joins.
    #[test]
    fn bytes_that_were_a_message(
        changes in vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..4),
    ) {
        thread_local! {
            static SAMPLES: (Group, Vec<Vec<u8>>) = samples();
        }
        SAMPLES.with(|(group, messages)| {
            let crypto = Crypto::new(&RealProvider);
            let receiver = group.member(LeafIndex(0));
            for message in messages {
                let mut bytes = message.clone();
                for (at, byte, how) in &changes {
                    let at = at.index(bytes.len());
                    match how {
                        0 => bytes[at] = *byte,
                        1 => bytes.insert(at, *byte),
                        _ => _ = bytes.remove(at),
                    }
                }
                if bytes != *message {
                    look(&bytes);
                    assert!(receiver.receive(&crypto, &bytes).is_err());
                }
            }
        });
    }
}
