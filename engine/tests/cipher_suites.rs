//! Every cipher suite: HPKE against the `hpke` crate, and the verdicts of all primitives.

use arboretum_engine::crypto::{
    CipherSuite, Crypto, CryptoError, HpkeCiphertext, HpkeKeyPair, HpkePublicKey, Provider,
    SignaturePublicKey, SignedItem, provider,
};
use hpke::aead::{Aead, AesGcm128, AesGcm256, ChaCha20Poly1305};
use hpke::kdf::{HkdfSha256, HkdfSha384, HkdfSha512, Kdf};
use hpke::kem::{
    DhP256HkdfSha256, DhP384HkdfSha384, DhP521HkdfSha512, Kem, X25519HkdfSha256, XWing,
};
use hpke::rand_core::SeedableRng;
use hpke::{Deserializable, OpModeR, OpModeS, Serializable};
use rand_chacha::ChaCha20Rng;

const CASES: u8 = 12;

fn of(suite: CipherSuite) -> &'static dyn Provider {
    provider(suite).expect("a suite of ALL has a provider")
}

/// Ours and theirs: key pairs from the same ikm, sealed by one and opened by the other, and a
/// secret exported by both ends.
fn agrees_with_the_hpke_crate<K: Kem, D: Kdf, A: Aead>(suite: CipherSuite) {
    let ours = of(suite);
    for i in 0..CASES {
        let pair = ours.derive_key_pair(&[i; 48]).unwrap();
        let (private, public) = K::derive_keypair(&[i; 48]);
        assert_eq!(pair.public.as_slice(), public.to_bytes().as_slice(), "{suite:?}");
        let back = ours.key_pair(&private.to_bytes()).unwrap();
        assert_eq!(back.public, pair.public);
        let (info, plaintext) = (vec![i; usize::from(i) * 7], vec![i; usize::from(i) * 9]);
        let context = ours.hpke_info(&info);

        let sealed = ours.hpke_seal(&pair.public, &context, &plaintext, &[i ^ 9; 32]).unwrap();
        let enc = K::EncappedKey::from_bytes(sealed.kem_output.as_slice()).unwrap();
        let mut receiver =
            hpke::setup_receiver::<A, D, K>(&OpModeR::Base, &private, &enc, &info).unwrap();
        assert_eq!(receiver.open(sealed.ciphertext.as_slice(), &[]).unwrap(), plaintext);

        let (enc, mut sender) = hpke::setup_sender_with_rng::<A, D, K>(
            &OpModeS::Base,
            &public,
            &info,
            &mut ChaCha20Rng::from_seed([i; 32]),
        )
        .unwrap();
        let kem_output = enc.to_bytes().to_vec();
        let ciphertext = sender.seal(&plaintext, &[]).unwrap();
        let theirs =
            HpkeCiphertext { kem_output: kem_output.clone().into(), ciphertext: ciphertext.into() };
        assert_eq!(ours.hpke_open(&pair, &context, &theirs).unwrap().as_slice(), plaintext);

        let mut exported = vec![0; ours.digest_length()];
        sender.export(b"context", &mut exported).unwrap();
        let own = ours.hpke_receive_export(&pair, &kem_output, &context, b"context").unwrap();
        assert_eq!(own.as_slice(), exported);
    }
}

#[test]
fn hpke_is_that_of_the_hpke_crate() {
    type Suite = CipherSuite;
    agrees_with_the_hpke_crate::<X25519HkdfSha256, HkdfSha256, AesGcm128>(
        Suite::X25519_AES128GCM_SHA256_ED25519,
    );
    agrees_with_the_hpke_crate::<DhP256HkdfSha256, HkdfSha256, AesGcm128>(
        Suite::P256_AES128GCM_SHA256_P256,
    );
    agrees_with_the_hpke_crate::<X25519HkdfSha256, HkdfSha256, ChaCha20Poly1305>(
        Suite::X25519_CHACHA20POLY1305_SHA256_ED25519,
    );
    agrees_with_the_hpke_crate::<DhP521HkdfSha512, HkdfSha512, AesGcm256>(
        Suite::P521_AES256GCM_SHA512_P521,
    );
    agrees_with_the_hpke_crate::<DhP384HkdfSha384, HkdfSha384, AesGcm256>(
        Suite::P384_AES256GCM_SHA384_P384,
    );
    agrees_with_the_hpke_crate::<XWing, HkdfSha256, AesGcm128>(
        Suite::MLKEM768X25519_AES128GCM_SHA256_ED25519,
    );
}

/// The sizes that RFC 9180 §7.1 and the drafts give: private, public, encapsulated.
#[test]
fn keys_have_the_lengths_of_their_specification() {
    let expected = [
        (32, 32, 32),
        (32, 65, 65),
        (32, 32, 32),
        (56, 56, 56),
        (66, 133, 133),
        (56, 56, 56),
        (48, 97, 97),
        (32, 1216, 1120),
    ];
    for (suite, lengths) in CipherSuite::ALL.into_iter().zip(expected) {
        let provider = of(suite);
        assert_eq!(provider.cipher_suite(), suite);
        let pair = provider.derive_key_pair(&[1; 32]).unwrap();
        let info = provider.hpke_info(b"");
        let sealed = provider.hpke_seal(&pair.public, &info, b"", &[2; 32]).unwrap();
        let enc = sealed.kem_output.as_slice().len();
        let found = (pair.private.as_slice().len(), pair.public.as_slice().len(), enc);
        assert_eq!(found, lengths, "{suite:?}");
    }
    assert!(provider(CipherSuite(0)).is_none());
    assert!(provider(CipherSuite(0x0a0a)).is_none());
}

/// Whatever is changed in an HPKE message, it does not open.
#[test]
fn changed_hpke_messages_do_not_open() {
    for suite in CipherSuite::ALL {
        let provider = of(suite);
        let pair = provider.derive_key_pair(&[1; 32]).unwrap();
        let other = provider.derive_key_pair(&[2; 32]).unwrap();
        let info = provider.hpke_info(b"info");
        let seal = |to: &HpkePublicKey| provider.hpke_seal(to, &info, b"secret", &[3; 32]).unwrap();
        let good = seal(&pair.public);
        assert_eq!(seal(&pair.public), good, "nothing is random");
        let open = |pair: &HpkeKeyPair, c: &HpkeCiphertext| provider.hpke_open(pair, &info, c);
        assert_eq!(open(&pair, &good).unwrap().as_slice(), b"secret");
        assert!(open(&other, &good).is_err());
        let info = provider.hpke_info(b"Info");
        assert!(provider.hpke_open(&pair, &info, &good).is_err());
        let (enc, body) = (good.kem_output.as_slice(), good.ciphertext.as_slice());
        for at in (0..enc.len()).step_by(enc.len() / 16) {
            let mut enc = enc.to_vec();
            enc[at] ^= 4;
            let bad = HpkeCiphertext { kem_output: enc.into(), ..good.clone() };
            assert!(open(&pair, &bad).is_err(), "{suite:?}: enc, byte {at}");
        }
        for at in 0..body.len() {
            let mut body = body.to_vec();
            body[at] ^= 1;
            let bad = HpkeCiphertext { ciphertext: body.into(), ..good.clone() };
            assert_eq!(open(&pair, &bad), Err(CryptoError::BadCiphertext));
        }
        for length in [0, 1, enc.len() - 1] {
            let kem_output = enc[..length].to_vec().into();
            let bad = HpkeCiphertext { kem_output, ..good.clone() };
            assert_eq!(open(&pair, &bad), Err(CryptoError::BadCiphertext));
            let short = provider.hpke_seal(&enc[..length].into(), &info, b"", &[3; 32]);
            assert!(matches!(short, Err(CryptoError::BadKey(_))));
        }
        assert!(matches!(provider.key_pair(&[1; 67]), Err(CryptoError::BadKey(_))));
    }
}

/// A public key is what can be encapsulated to (RFC 9420 §10).
#[test]
fn a_public_key_is_what_can_be_encapsulated_to() {
    for suite in CipherSuite::ALL {
        let provider = of(suite);
        let info = provider.hpke_info(b"");
        let honest = provider.derive_key_pair(&[1; 32]).unwrap().public.as_slice().to_vec();
        assert_eq!(provider.check_public_key(&honest.clone().into()), Ok(()));
        let length = honest.len();
        let other = |at: usize| {
            let mut key = honest.clone();
            key[at] ^= 1;
            key
        };
        let longer = [&honest[..], &[0]].concat();
        let mut keys = vec![vec![], vec![0; length], vec![0xff; length], longer];
        keys.extend([vec![1; length], honest[1..].to_vec(), other(0), other(length - 1)]);
        for key in keys {
            let key = HpkePublicKey::from(key);
            let takes = provider.hpke_seal(&key, &info, b"", &[2; 32]).map(|_| ());
            assert_eq!(provider.check_public_key(&key), takes, "{suite:?}: {key:?}");
        }
    }
}

#[test]
fn signatures_hold_for_their_key_and_content_alone() {
    for suite in CipherSuite::ALL {
        let provider = of(suite);
        let pair = provider.signature_key_pair(&[1; 32]);
        let stranger = provider.signature_key_pair(&[2; 32]).public;
        let signature = provider.sign(&pair.private, b"content").unwrap();
        assert_eq!(provider.sign(&pair.private, b"content").unwrap(), signature, "deterministic");
        let good = SignedItem { key: &pair.public, content: b"content", signature: &signature };
        assert_eq!(provider.verify(good), Ok(()));
        assert_eq!(provider.verify_batch(&[good; 5]), Ok(()));
        for bad in [
            SignedItem { key: &stranger, ..good },
            SignedItem { content: b"Content", ..good },
            SignedItem { signature: &signature.as_slice()[1..].into(), ..good },
            SignedItem { signature: &[][..].into(), ..good },
        ] {
            assert_eq!(provider.verify(bad), Err(CryptoError::BadSignature), "{suite:?}");
            assert!(provider.verify_batch(&[good, good, bad, good, good]).is_err());
        }
        let short = SignaturePublicKey::from(&pair.public.as_slice()[1..]);
        let refused = provider.verify(SignedItem { key: &short, ..good });
        assert!(matches!(refused, Err(CryptoError::BadKey(_))), "{suite:?}");
        for at in (0..signature.as_slice().len()).step_by(3) {
            let mut bytes = signature.as_slice().to_vec();
            bytes[at] ^= 2;
            let item = SignedItem { signature: &bytes.into(), ..good };
            assert_eq!(provider.verify(item), Err(CryptoError::BadSignature), "{suite:?}: {at}");
        }
        assert!(provider.sign(&[1; 67][..].into(), b"content").is_err());
    }
}

/// What two ends export from one encapsulation is equal, and nobody else's.
#[test]
fn exported_secrets_are_shared_by_two() {
    for suite in CipherSuite::ALL {
        let crypto = Crypto::new(of(suite));
        let pair = of(suite).derive_key_pair(&[1; 32]).unwrap();
        let other = of(suite).derive_key_pair(&[2; 32]).unwrap();
        let (enc, sent) = crypto.send_export(&pair.public, b"label", &[3; 32]).unwrap();
        assert_eq!(sent.as_slice().len(), of(suite).digest_length());
        assert_eq!(crypto.receive_export(&pair, &enc, b"label").unwrap(), sent);
        assert_ne!(crypto.receive_export(&pair, &enc, b"Label").unwrap(), sent);
        assert_ne!(crypto.receive_export(&other, &enc, b"label").unwrap(), sent);
    }
}

/// Two key pairs agree on one secret from either end; nothing agrees in a suite of another KEM.
#[test]
fn agreements_are_equal_at_both_ends() {
    for suite in CipherSuite::ALL {
        let crypto = Crypto::new(of(suite));
        let [one, other, third] =
            [1, 2, 3].map(|seed| of(suite).derive_key_pair(&[seed; 32]).unwrap());
        let agreed = crypto.dh(&one, &other.public);
        if suite == CipherSuite::MLKEM768X25519_AES128GCM_SHA256_ED25519 {
            assert_eq!(agreed, Err(CryptoError::NoAgreement));
            continue;
        }
        assert_eq!(agreed, crypto.dh(&other, &one.public));
        assert_ne!(agreed, crypto.dh(&third, &one.public));
        let cut = HpkePublicKey::from(&one.public.as_slice()[1..]);
        assert_eq!(crypto.dh(&other, &cut), Err(CryptoError::BadKey("HPKE public key")));
    }
}

fn hex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digit).collect()
}

/// The agreement of RFC 7748 §6.1.
#[test]
fn x25519_agrees_as_in_rfc_7748() {
    let crypto = Crypto::new(of(CipherSuite::X25519_AES128GCM_SHA256_ED25519));
    let pair = |private, public| {
        let pair = crypto.provider().key_pair(&hex(private)).unwrap();
        assert_eq!(pair.public.as_slice(), hex(public));
        pair
    };
    let alice = pair(
        "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
        "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
    );
    let bob = pair(
        "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
        "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
    );
    let agreed = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    assert_eq!(crypto.dh(&alice, &bob.public).unwrap().as_slice(), agreed);
    assert_eq!(crypto.dh(&bob, &alice.public).unwrap().as_slice(), agreed);
}
