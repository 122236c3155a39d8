//! Sender keys: order, what is kept, what is refused.

use super::*;
use crate::baseline::chain::MAX_SKIP;
use crate::crypto::RealProvider;

const REAL: RealProvider = RealProvider::new();
const SENDER: ClientId = ClientId(4);

fn crypto() -> Crypto<'static> {
    Crypto::new(&REAL)
}

fn own(id: u32) -> OwnChain {
    OwnChain::new(&crypto(), id, &[id as u8; 32], &[id as u8 + 50; 32]).unwrap()
}

fn held(own: &OwnChain) -> HeldChain {
    HeldChain::new(Distribution::read(&own.distribution().unwrap()).unwrap()).unwrap()
}

fn seal(own: &mut OwnChain, text: &[u8]) -> GroupMessage {
    GroupMessage::read(&own.seal(&crypto(), SENDER, 1, text).unwrap()).unwrap()
}

#[test]
fn messages_open_once_in_any_order() {
    let mut own = own(1);
    let mut held = held(&own);
    let sealed: Vec<_> = (0..6).map(|n| seal(&mut own, &[n])).collect();
    for at in [2, 5, 0, 1, 4, 3] {
        sealed[at].verify(&crypto(), &held.verifier).unwrap();
        assert_eq!(held.open(&crypto(), &sealed[at]), Ok(vec![at as u8]));
        assert_eq!(held.open(&crypto(), &sealed[at]), Err(BaselineError::KeyIsGone));
        assert!(!held.pries(&crypto(), &sealed[at]));
    }
}

/// Whoever is given a chain reads from there on.
#[test]
fn a_chain_is_given_from_its_present_point() {
    let mut own = own(1);
    let early = held(&own);
    let before = seal(&mut own, b"before");
    let late = held(&own);
    let after = seal(&mut own, b"after");
    assert!(early.pries(&crypto(), &before) && early.pries(&crypto(), &after));
    assert!(!late.pries(&crypto(), &before) && late.pries(&crypto(), &after));
    assert_eq!(late.clone().open(&crypto(), &before), Err(BaselineError::KeyIsGone));
}

#[test]
fn no_more_is_skipped_than_the_limit() {
    let mut own = own(1);
    let mut held = held(&own);
    (0..=MAX_SKIP).for_each(|_| _ = seal(&mut own, b"lost"));
    let far = seal(&mut own, b"far");
    let refused = held.open(&crypto(), &far);
    assert_eq!(refused, Err(BaselineError::TooManySkipped(MAX_SKIP + 1)));
    assert!(is_too_late(&refused.unwrap_err()));
}

#[test]
fn a_message_is_signed_by_its_sender() {
    let (mut own, mut other) = (own(1), self::own(2));
    let held = held(&own);
    let good = seal(&mut own, b"good");
    assert_eq!(good.verify(&crypto(), &held.verifier), Ok(()));
    let refused = |message: &GroupMessage| {
        assert_eq!(
            message.verify(&crypto(), &held.verifier),
            Err(BaselineError::BadMessageSignature)
        );
    };
    // Another member, who holds the chain, cannot write with it.
    refused(&seal(&mut other, b"good"));
    let forged = seal(&mut other, b"forged");
    refused(&GroupMessage { signature: forged.signature.clone(), ..good.clone() });
    refused(&GroupMessage { ciphertext: forged.ciphertext, ..good.clone() });
    for head in [
        Head { sender: 5, ..good.head.clone() },
        Head { epoch: 2, ..good.head.clone() },
        Head { number: 1, ..good.head.clone() },
        Head { chain: 2, ..good.head.clone() },
    ] {
        refused(&GroupMessage { head, ..good.clone() });
    }
}

#[test]
fn so_many_chains_of_a_sender_are_kept() {
    let mut chains = HeldChains::default();
    let mut owns: Vec<_> = (1..=KEPT_CHAINS as u32 + 1).map(own).collect();
    for (at, own) in owns.iter().enumerate() {
        assert_eq!(chains.erased, None, "{at}");
        chains.hold(held(own));
    }
    let heads: Vec<_> = owns.iter_mut().map(|own| seal(own, b"").head).collect();
    assert!(chains.of(&heads[0]).is_none() && chains.had(&heads[0]));
    assert!(!chains.had(&seal(&mut own(9), b"").head), "one that never came");
    assert!(heads[1..].iter().all(|head| chains.of(head).is_some()));
    assert_eq!(chains.iter().count(), KEPT_CHAINS);
}
