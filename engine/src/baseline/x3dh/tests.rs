//! X3DH: against an agreement put together from other crates, against answers that are kept, and
//! what it refuses.

use hkdf::Hkdf;
use sha2::Sha256;
use x25519_dalek::{PublicKey, StaticSecret};

use super::*;
use crate::baseline::known_answers::check;
use crate::crypto::{Op, Provider, RealProvider, provider};

const REAL: RealProvider = RealProvider::new();

/// A bundle and its private halves, drawn from small numbers.
pub(in crate::baseline) struct Owner {
    pub(in crate::baseline) identity: Identity,
    pub(in crate::baseline) signed_prekey: HpkeKeyPair,
    pub(in crate::baseline) one_time: HpkeKeyPair,
}

impl Owner {
    pub(in crate::baseline) fn new(crypto: &Crypto<'_>, seed: u8) -> Self {
        let pair = |at: u8| crypto.derive_key_pair(&[seed, at][..].into()).unwrap();
        Self {
            identity: Identity::new(crypto, &[seed; 32], &[seed + 100; 32]).unwrap(),
            signed_prekey: pair(1),
            one_time: pair(2),
        }
    }

    pub(in crate::baseline) fn bundle(&self, crypto: &Crypto<'_>, with_one_time: bool) -> Bundle {
        let key = self.one_time.public.clone();
        Bundle {
            registration: 0,
            identity: self.identity.keys(),
            signed_prekey: self.signed_prekey.public.clone(),
            signature: self.identity.sign_prekey(crypto, &self.signed_prekey.public).unwrap(),
            one_time: with_one_time.then_some(OneTime { number: 0, key }),
        }
    }

    fn responder(&self, with_one_time: bool) -> Responder<'_> {
        Responder {
            identity: &self.identity.exchange,
            signed_prekey: &self.signed_prekey,
            one_time: with_one_time.then_some(&self.one_time),
        }
    }
}

/// Both ends come to one secret, in every suite whose KEM is over a group, and charge for it.
#[test]
fn both_ends_come_to_one_secret() {
    for suite in CipherSuite::ALL {
        if suite == CipherSuite::MLKEM768X25519_AES128GCM_SHA256_ED25519 {
            continue;
        }
        let crypto = Crypto::new(provider(suite).unwrap());
        let (alice, bob) = (Owner::new(&crypto, 1), Owner::new(&crypto, 2));
        let mut secrets = vec![];
        for (with, agreements) in [(true, 4), (false, 3)] {
            let bundle = bob.bundle(&crypto, with);
            let before = crypto.ledger();
            let own = &alice.identity.exchange;
            let (secret, initial) = initiate(&crypto, own, &bundle, &[9; 32]).unwrap();
            assert_eq!((crypto.ledger() - before).count(Op::Dh), agreements);
            assert_eq!(respond(&crypto, bob.responder(with), &initial).unwrap(), secret);
            assert_eq!(initial.one_time, with.then_some(0));
            secrets.push(secret);
        }
        assert_ne!(secrets[0], secrets[1]);
    }
}

/// §2.2 and §3.3 once more, with other crates.
#[test]
fn the_secret_is_that_of_the_specification() {
    let crypto = Crypto::new(&REAL);
    let (alice, bob) = (Owner::new(&crypto, 1), Owner::new(&crypto, 2));
    let bundle = bob.bundle(&crypto, true);
    let own = &alice.identity.exchange;
    let (secret, initial) = initiate(&crypto, own, &bundle, &[9; 32]).unwrap();
    let private = |pair: &HpkeKeyPair| {
        StaticSecret::from(<[u8; 32]>::try_from(pair.private.as_slice()).unwrap())
    };
    let ephemeral = REAL.derive_key_pair(&[9; 32]).unwrap();
    let agree = |own: &HpkeKeyPair, theirs: &HpkePublicKey| {
        let theirs = <[u8; 32]>::try_from(theirs.as_slice()).unwrap();
        private(own).diffie_hellman(&PublicKey::from(theirs)).to_bytes()
    };
    let signed_prekey = &bob.signed_prekey.public;
    let ikm = [
        [0xff; 32],
        agree(own, signed_prekey),
        agree(&ephemeral, &bob.identity.exchange.public),
        agree(&ephemeral, signed_prekey),
        agree(&ephemeral, &bob.one_time.public),
    ]
    .concat();
    let mut expected = [0; KEY];
    let hkdf = Hkdf::<Sha256>::new(Some(&[0; 32]), &ikm);
    hkdf.expand(b"Arboretum X3DH", &mut expected).unwrap();
    assert_eq!(secret.secret().as_slice(), expected);
    let signature = bundle.signature.as_slice();
    check(
        include_str!("../../../tests/baseline/known_answers/x3dh.txt"),
        &[
            ("identity_a", own.public.as_slice()),
            ("identity_b", bob.identity.exchange.public.as_slice()),
            ("signed_prekey", signed_prekey.as_slice()),
            ("signature", signature),
            ("one_time_prekey", bob.one_time.public.as_slice()),
            ("ephemeral", initial.ephemeral.as_slice()),
            ("secret", &expected),
        ],
    );
}

#[test]
fn a_prekey_that_its_owner_has_not_signed_is_refused() {
    let crypto = Crypto::new(&REAL);
    let (alice, bob, mallory) =
        (Owner::new(&crypto, 1), Owner::new(&crypto, 2), Owner::new(&crypto, 3));
    let good = bob.bundle(&crypto, true);
    let forged = mallory.bundle(&crypto, true);
    let own = &alice.identity.exchange;
    let refused = |bundle: Bundle| {
        let agreed = initiate(&crypto, own, &bundle, &[9; 32]).map(|(_, initial)| initial);
        assert_eq!(agreed, Err(BaselineError::BadPrekeySignature));
    };
    refused(Bundle { signed_prekey: forged.signed_prekey.clone(), ..good.clone() });
    refused(Bundle { signature: forged.signature.clone(), ..good.clone() });
    // The signature covers both halves of the identity.
    let exchange = forged.identity.exchange.clone();
    refused(Bundle {
        identity: IdentityKeys { exchange, ..good.identity.clone() },
        ..good.clone()
    });
    assert!(initiate(&crypto, own, &good, &[9; 32]).is_ok());
}

#[test]
fn another_responder_comes_to_another_secret() {
    let crypto = Crypto::new(&REAL);
    let (alice, bob, mallory) =
        (Owner::new(&crypto, 1), Owner::new(&crypto, 2), Owner::new(&crypto, 3));
    let bundle = bob.bundle(&crypto, true);
    let (secret, initial) = initiate(&crypto, &alice.identity.exchange, &bundle, &[9; 32]).unwrap();
    for responder in [
        mallory.responder(true),
        bob.responder(false),
        Responder { identity: &mallory.identity.exchange, ..bob.responder(true) },
        Responder { signed_prekey: &mallory.signed_prekey, ..bob.responder(true) },
        Responder { one_time: Some(&mallory.one_time), ..bob.responder(true) },
    ] {
        assert_ne!(respond(&crypto, responder, &initial).unwrap(), secret);
    }
}
