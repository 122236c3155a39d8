//! The Double Ratchet: random conversations, late and lost messages, what is bounded, what heals,
//! what is gone, and answers that are kept.

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::*;
use crate::baseline::chain::{MAX_KEPT_KEYS, MAX_SKIP};
use crate::baseline::known_answers::check;
use crate::crypto::{
    CipherSuite, CountingProvider, CryptoError, Op, Provider, RealProvider, provider,
};

const REAL: RealProvider = RealProvider::new();
const AD: &[u8] = b"who they are";

/// A message on its way.
#[derive(Clone)]
struct Sealed {
    header: Header,
    ciphertext: Vec<u8>,
    text: Vec<u8>,
}

/// Two ends of a session, with seeds for their ratchet keys.
struct Talk<'p> {
    crypto: Crypto<'p>,
    ends: [Session; 2],
    drawn: u64,
}

impl<'p> Talk<'p> {
    fn new(provider: &'p dyn Provider) -> Self {
        let crypto = Crypto::new(provider);
        let prekey = crypto.derive_key_pair(&[1; 32][..].into()).unwrap();
        let secret = Key::new(&[7; KEY]).unwrap();
        let alice = Session::initiate(secret.clone(), prekey.public.clone());
        let bob = Session::respond(secret, prekey);
        Self { crypto, ends: [alice, bob], drawn: 0 }
    }

    fn say(&mut self, end: usize, text: &[u8]) -> Sealed {
        self.drawn += 1;
        let mut seed = Seed::default();
        seed[..8].copy_from_slice(&self.drawn.to_le_bytes());
        let (header, ciphertext) = self.ends[end].encrypt(&self.crypto, AD, text, &seed).unwrap();
        Sealed { header, ciphertext, text: text.to_vec() }
    }

    fn hear(&mut self, end: usize, sealed: &Sealed) -> Result<(), BaselineError> {
        let Sealed { header, ciphertext, text } = sealed;
        let opened = self.ends[end].decrypt(&self.crypto, AD, header, ciphertext)?;
        assert_eq!(opened, *text);
        Ok(())
    }

    /// One message each way.
    fn exchange(&mut self) {
        for end in [0, 1] {
            let sealed = self.say(end, b"to and fro");
            self.hear(1 - end, &sealed).unwrap();
        }
    }
}

/// Whatever order messages come in, each opens once, to what was said.
#[test]
fn conversations_in_any_order() {
    for seed in 0..40 {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut below = |n: usize| (rng.next_u64() % n as u64) as usize;
        let counting = CountingProvider::new();
        let provider: &dyn Provider = if seed % 4 == 0 { &counting } else { &REAL };
        let mut talk = Talk::new(provider);
        let mut under_way: Vec<(usize, Sealed)> = vec![];
        let mut heard: Vec<(usize, Sealed)> = vec![];
        let first = talk.say(0, b"first");
        under_way.push((1, first));
        for n in 0..120_u32 {
            let answers = talk.ends[1].theirs.is_some();
            if below(2) == 0 {
                let end = if answers { below(2) } else { 0 };
                let sealed = talk.say(end, &n.to_be_bytes());
                under_way.push((1 - end, sealed));
            } else if !under_way.is_empty() {
                let (end, sealed) = under_way.swap_remove(below(under_way.len()));
                talk.hear(end, &sealed).unwrap();
                heard.push((end, sealed));
            }
            if let Some((end, sealed)) = heard.get(below(heard.len().max(1))) {
                assert!(talk.hear(*end, sealed).is_err(), "a message key is used once");
            }
        }
        for (end, sealed) in under_way.drain(..).rev() {
            talk.hear(end, &sealed).unwrap();
        }
        assert_eq!(talk.ends.each_ref().map(Session::kept_keys), [0, 0]);
    }
}

/// A Diffie-Hellman step is made by who answers, when it answers.
#[test]
fn steps_are_made_when_they_are_needed() {
    let mut talk = Talk::new(&REAL);
    let agreed = |talk: &Talk<'_>| talk.crypto.ledger().count(Op::Dh);
    for _ in 0..3 {
        let sealed = talk.say(0, b"on and on");
        talk.hear(1, &sealed).unwrap();
    }
    assert_eq!(agreed(&talk), 2, "the first message, at both ends");
    assert!(talk.ends[1].step_is_due() && !talk.ends[0].step_is_due());
    talk.exchange();
    assert_eq!(agreed(&talk), 4);
    talk.exchange();
    assert_eq!(agreed(&talk), 8);
}

#[test]
fn a_responder_waits_for_the_first_message() {
    let mut talk = Talk::new(&REAL);
    let early = talk.ends[1].encrypt(&talk.crypto, AD, b"early", &[1; 32]);
    assert_eq!(early.unwrap_err(), BaselineError::NotYetAnswerable);
}

#[test]
fn no_more_messages_are_skipped_than_the_limit() {
    let mut talk = Talk::new(&REAL);
    let mut said: Vec<_> = (0..=MAX_SKIP + 1).map(|_| talk.say(0, b"lost")).collect();
    let too_far = said.pop().unwrap();
    assert_eq!(talk.hear(1, &too_far), Err(BaselineError::TooManySkipped(MAX_SKIP + 1)));
    assert_eq!(talk.ends[1].kept_keys(), 0, "nothing has changed");
    let far = said.pop().unwrap();
    talk.hear(1, &far).unwrap();
    assert_eq!(talk.ends[1].kept_keys(), MAX_SKIP as usize);
    talk.hear(1, &too_far).unwrap();
    for sealed in said {
        talk.hear(1, &sealed).unwrap();
    }
    // The same for a chain that ends: its length is in the header of the next.
    let mut talk = Talk::new(&REAL);
    talk.exchange();
    (0..MAX_SKIP + 2).for_each(|_| _ = talk.say(0, b"lost"));
    let sealed = talk.say(1, b"unaware");
    talk.hear(0, &sealed).unwrap();
    let next = talk.say(0, b"next chain");
    assert!(matches!(talk.hear(1, &next), Err(BaselineError::TooManySkipped(_))));
}

#[test]
fn no_more_keys_are_kept_than_the_limit() {
    let mut talk = Talk::new(&REAL);
    let oldest = talk.say(0, b"oldest");
    let mut gaps = vec![];
    for _ in 0..3 {
        gaps.extend((0..MAX_SKIP - 1).map(|_| talk.say(0, b"late")));
        let far = talk.say(0, b"far");
        talk.hear(1, &far).unwrap();
    }
    assert_eq!(talk.ends[1].kept_keys(), MAX_KEPT_KEYS);
    assert_eq!(talk.hear(1, &oldest), Err(BaselineError::KeyIsGone));
    talk.hear(1, gaps.last().unwrap()).unwrap();
    // What was erased is known of chains that have ended, and excuses nothing else.
    talk.exchange();
    let answer = talk.say(1, b"a turn");
    talk.hear(0, &answer).unwrap();
    let next = talk.say(0, b"next");
    talk.hear(1, &next).unwrap();
    assert_eq!(talk.hear(1, &oldest), Err(BaselineError::KeyIsGone));
    let forged = talk.say(0, b"forged");
    let forged = Sealed { ciphertext: forged.ciphertext[1..].to_vec(), ..forged };
    let refused = talk.hear(1, &forged);
    assert_eq!(refused, Err(BaselineError::Crypto(CryptoError::BadCiphertext)));
}

/// Whoever copies a state reads on, until its owner has made a new ratchet key and been answered.
#[test]
fn a_stolen_state_heals_by_a_step() {
    let mut talk = Talk::new(&REAL);
    talk.exchange();
    let mut stolen = talk.ends[0].clone();
    let mut overhear = |sealed: &Sealed| {
        stolen.decrypt(&Crypto::new(&REAL), AD, &sealed.header, &sealed.ciphertext)
    };
    let before = talk.say(1, b"before");
    assert!(overhear(&before).is_ok());
    talk.hear(0, &before).unwrap();
    let step = talk.say(0, b"a new ratchet key");
    talk.hear(1, &step).unwrap();
    let after = talk.say(1, b"after");
    assert!(overhear(&after).is_err());
    talk.hear(0, &after).unwrap();
    // And both directions are safe from then on.
    talk.exchange();
    let later = talk.say(1, b"later");
    assert!(overhear(&later).is_err());
    talk.hear(0, &later).unwrap();
}

/// A state from later opens nothing that was read before, by any key in it.
#[test]
fn what_was_read_is_gone() {
    let mut talk = Talk::new(&REAL);
    let mut read = vec![];
    for _ in 0..3 {
        for end in [0, 1] {
            let sealed = talk.say(end, b"read");
            talk.hear(1 - end, &sealed).unwrap();
            read.push(sealed);
        }
    }
    let waits = talk.say(0, b"waits");
    let last = talk.say(0, b"last");
    talk.hear(1, &last).unwrap();
    for session in &talk.ends {
        for sealed in read.iter().chain([&last]) {
            let aad = associated(AD, &sealed.header).unwrap();
            assert!(!session.any_key_opens(&talk.crypto, &aad, &sealed.ciphertext));
            let mut session = session.clone();
            let opened = session.decrypt(&talk.crypto, AD, &sealed.header, &sealed.ciphertext);
            assert!(opened.is_err());
        }
    }
    let aad = associated(AD, &waits.header).unwrap();
    assert!(talk.ends[1].any_key_opens(&talk.crypto, &aad, &waits.ciphertext), "it can tell");
}

/// What does not open leaves everything as it was.
#[test]
fn forgeries_change_nothing() {
    let mut talk = Talk::new(&REAL);
    talk.exchange();
    let lost = talk.say(0, b"late");
    let good = talk.say(0, b"good");
    let other = REAL.derive_key_pair(&[99; 32]).unwrap().public;
    let forgeries = [
        Sealed { header: Header { number: 7, ..good.header.clone() }, ..good.clone() },
        Sealed { header: Header { previous: 7, ..good.header.clone() }, ..good.clone() },
        Sealed { header: Header { ratchet: other, ..good.header.clone() }, ..good.clone() },
        Sealed { ciphertext: lost.ciphertext.clone(), ..good.clone() },
        Sealed { ciphertext: good.ciphertext[1..].to_vec(), ..good.clone() },
    ];
    for forgery in &forgeries {
        let refused = talk.hear(1, forgery);
        assert_eq!(refused, Err(BaselineError::Crypto(CryptoError::BadCiphertext)));
        assert_eq!(talk.ends[1].kept_keys(), 0);
    }
    let Sealed { header, ciphertext, .. } = &good;
    let misdirected = talk.ends[1].decrypt(&talk.crypto, b"others", header, ciphertext);
    assert!(misdirected.is_err());
    talk.hear(1, &good).unwrap();
    talk.hear(1, &lost).unwrap();
    talk.exchange();
}

/// Half a million sessions of a group of 1,000 have to fit.
#[test]
fn a_session_is_small() {
    let mut talk = Talk::new(&REAL);
    talk.exchange();
    talk.exchange();
    // A private and two public keys stand outside it.
    assert!(std::mem::size_of::<Session>() + 3 * 32 < 400);
}

#[test]
fn every_suite_over_a_group_talks() {
    for suite in CipherSuite::ALL {
        if suite != CipherSuite::MLKEM768X25519_AES128GCM_SHA256_ED25519 {
            let mut talk = Talk::new(provider(suite).unwrap());
            talk.exchange();
            talk.exchange();
        }
    }
}

/// A conversation that never changes: two messages, an answer, and one that overtakes another.
#[test]
fn the_answers_are_those_that_are_kept() {
    let mut talk = Talk::new(&REAL);
    let said: Vec<_> = [0, 0].iter().map(|end| talk.say(*end, b"The quick brown fox")).collect();
    talk.hear(1, &said[1]).unwrap();
    let answer = talk.say(1, b"jumps over");
    talk.hear(0, &answer).unwrap();
    let next = talk.say(0, b"the lazy dog");
    talk.hear(1, &next).unwrap();
    talk.hear(1, &said[0]).unwrap();
    let encoded: Vec<_> = [&said[0], &said[1], &answer, &next]
        .map(|sealed| (encode(&sealed.header).unwrap(), &sealed.ciphertext))
        .into();
    let names = ["first", "second", "answer", "next"];
    let names: Vec<_> =
        names.iter().map(|name| (format!("{name}_header"), format!("{name}_ciphertext"))).collect();
    let mut values = vec![];
    for ((header, ciphertext), (header_name, ciphertext_name)) in encoded.iter().zip(&names) {
        values.push((header_name.as_str(), header.as_slice()));
        values.push((ciphertext_name.as_str(), ciphertext.as_slice()));
    }
    let roots = talk.ends.each_ref().map(|end| end.root.secret());
    assert_eq!(roots[0], roots[1]);
    values.push(("root", roots[0].as_slice()));
    let kept = include_str!("../../../tests/baseline/known_answers/double_ratchet.txt");
    check(kept, &values);
}
