//! Pairs: sessions begun from either end or both, and what an end refuses.

use super::*;
use crate::baseline::x3dh::OneTime;
use crate::baseline::x3dh::tests::Owner;
use crate::crypto::RealProvider;

static REAL: RealProvider = RealProvider::new();

/// One end of a pair.
struct At {
    owner: Owner,
    client: ClientId,
    registration: u32,
    pair: Option<Box<Pair>>,
    used: Vec<u32>,
}

impl At {
    fn new(client: u32) -> Self {
        let owner = Owner::new(&Crypto::new(&REAL), client as u8 + 1);
        Self { owner, client: ClientId(client), registration: 0, pair: None, used: vec![] }
    }

    fn end(&self) -> End<'_> {
        End { client: self.client, registration: self.registration, identity: &self.owner.identity }
    }

    fn bundle(&self) -> Bundle {
        Bundle { registration: self.registration, ..self.owner.bundle(&Crypto::new(&REAL), true) }
    }

    fn write(&mut self, to: &At, seed: u8) -> Copy {
        self.try_write(to, seed, to.bundle()).unwrap()
    }

    fn try_write(&mut self, to: &At, seed: u8, bundle: Bundle) -> Result<Copy, BaselineError> {
        let keys = to.owner.identity.keys();
        let mut pair = self.pair.take();
        let out = Outgoing { peer: to.client, keys: &keys, pair: &mut pair, bundle: Some(bundle) };
        let letter = Letter { epoch: 1, text: &[seed], seed: [seed; 32] };
        let sealed = seal_all(&REAL, self.end(), letter, vec![out]);
        self.pair = pair;
        Ok(sealed?.0.remove(0))
    }

    fn read(&mut self, from: &At, copy: &Copy) -> Result<u8, BaselineError> {
        self.read_envelope(from, &Envelope::read(&copy.bytes)?)
    }

    fn read_envelope(&mut self, from: &At, envelope: &Envelope) -> Result<u8, BaselineError> {
        let keys = from.owner.identity.keys();
        let mut pair = self.pair.take();
        let used = self.used.clone();
        let one_time = |number: u32| match number == 0 && !used.contains(&0) {
            true => Ok(self.owner.one_time.clone()),
            false => Err(BaselineError::BadOneTimePrekey(number)),
        };
        let prekeys = Prekeys { signed: &self.owner.signed_prekey, one_time: &one_time };
        let crypto = Crypto::new(&REAL);
        let from = (from.client, &keys);
        let opened = open(&crypto, self.end(), &prekeys, from, &mut pair, envelope);
        self.pair = pair;
        let opened = opened?;
        self.used.extend(opened.used);
        Ok(opened.text[0])
    }

    fn sessions(&self) -> usize {
        self.pair.iter().flat_map(|pair| pair.sessions()).count()
    }
}

fn is_initial(copy: &Copy) -> bool {
    Envelope::read(&copy.bytes).unwrap().outside.initial.is_some()
}

#[test]
fn what_began_a_session_goes_along_until_it_is_answered() {
    let (mut alice, mut bob) = (At::new(0), At::new(1));
    let copies = [alice.write(&bob, 1), alice.write(&bob, 2)];
    assert!(copies.iter().all(is_initial));
    // Either of them begins it at the other end.
    assert_eq!(bob.read(&alice, &copies[1]), Ok(2));
    assert_eq!(bob.used, [0]);
    assert_eq!(bob.read(&alice, &copies[0]), Ok(1));
    let answer = bob.write(&alice, 3);
    assert!(!is_initial(&answer));
    assert_eq!(alice.read(&bob, &answer), Ok(3));
    assert!(!is_initial(&alice.write(&bob, 4)));
    assert_eq!((alice.sessions(), bob.sessions()), (1, 1));
}

#[test]
fn two_who_begin_at_once_go_on_in_one_session() {
    let (mut alice, mut bob) = (At::new(0), At::new(1));
    let mut to_bob = vec![alice.write(&bob, 1), alice.write(&bob, 2)];
    let mut to_alice = vec![bob.write(&alice, 3), bob.write(&alice, 4)];
    assert_eq!(bob.read(&alice, &to_bob.remove(0)), Ok(1));
    assert_eq!(alice.read(&bob, &to_alice.remove(1)), Ok(4));
    // Both know of both now, and use the one of the lower number.
    to_bob.push(alice.write(&bob, 5));
    to_alice.push(bob.write(&alice, 6));
    let begun = |copy: &Copy| Envelope::read(&copy.bytes).unwrap().outside.begun_by_sender;
    assert_eq!((begun(&to_bob[1]), begun(&to_alice[1])), (1, 0));
    assert_eq!(bob.sessions(), 1, "nobody will answer in the other");
    // What is late in the other is read all the same.
    for (copy, text) in to_alice.iter().zip([3, 6]) {
        assert_eq!(alice.read(&bob, copy), Ok(text));
    }
    for (copy, text) in to_bob.iter().zip([2, 5]) {
        assert_eq!(bob.read(&alice, copy), Ok(text));
    }
}

#[test]
fn a_copy_is_for_one_and_from_one() {
    let (mut alice, mut bob, mut carol) = (At::new(0), At::new(1), At::new(2));
    let copy = alice.write(&bob, 1);
    assert!(carol.read(&alice, &copy).is_err());
    assert_eq!(bob.read(&carol, &copy), Err(BaselineError::WrongSender));
    let mut forged = Envelope::read(&copy.bytes).unwrap();
    forged.outside.sender = 2;
    assert_eq!(bob.read_envelope(&carol, &forged), Err(BaselineError::WrongIdentity));
    for change in [
        |outside: &mut Outside| outside.epoch = 2,
        |outside: &mut Outside| outside.registration = 1,
    ] {
        let mut forged = Envelope::read(&copy.bytes).unwrap();
        change(&mut forged.outside);
        assert!(bob.read_envelope(&alice, &forged).is_err());
        assert_eq!(bob.sessions(), 0, "nothing has changed");
    }
    assert_eq!(bob.read(&alice, &copy), Ok(1));
}

#[test]
fn a_one_time_prekey_begins_one_session() {
    let (mut alice, mut bob, mut carol) = (At::new(0), At::new(1), At::new(2));
    let (of_alice, of_carol) = (alice.write(&bob, 1), carol.write(&bob, 2));
    assert_eq!(bob.read(&alice, &of_alice), Ok(1));
    bob.pair = None;
    assert_eq!(bob.read(&carol, &of_carol), Err(BaselineError::BadOneTimePrekey(0)));
    // One that was never published.
    let key = bob.owner.one_time.public.clone();
    let bundle = Bundle { one_time: Some(OneTime { number: 8, key }), ..bob.bundle() };
    carol.pair = None;
    let copy = carol.try_write(&bob, 3, bundle).unwrap();
    assert_eq!(bob.read(&carol, &copy), Err(BaselineError::BadOneTimePrekey(8)));
    // Without one it goes on as well.
    carol.pair = None;
    let copy = carol.try_write(&bob, 4, Bundle { one_time: None, ..bob.bundle() }).unwrap();
    assert_eq!(bob.read(&carol, &copy), Ok(4));
}

#[test]
fn a_bundle_is_of_who_stands_in_the_roster() {
    let (mut alice, bob, carol) = (At::new(0), At::new(1), At::new(2));
    let refused = alice.try_write(&bob, 1, carol.bundle()).map(|_| ());
    assert_eq!(refused, Err(BaselineError::WrongIdentity));
    assert_eq!(alice.sessions(), 0);
}

#[test]
fn an_answer_needs_the_session() {
    let (mut alice, mut bob) = (At::new(0), At::new(1));
    let first = alice.write(&bob, 1);
    bob.read(&alice, &first).unwrap();
    let answer = bob.write(&alice, 2);
    let pair = alice.pair.take();
    assert_eq!(alice.read(&bob, &answer), Err(BaselineError::NoSession));
    alice.pair = pair;
    assert_eq!(alice.read(&bob, &answer), Ok(2));
    assert!(alice.read(&bob, &answer).is_err(), "once");
}

/// A registration is believed once a message of it has opened: forged ones end no session.
#[test]
fn forged_registrations_change_nothing() {
    let (mut alice, mut bob) = (At::new(0), At::new(1));
    let first = alice.write(&bob, 1);
    bob.read(&alice, &first).unwrap();
    let next = alice.write(&bob, 2);
    for registration in [1, 2, 3] {
        let mut forged = Envelope::read(&next.bytes).unwrap();
        forged.outside.registration = registration;
        assert!(bob.read_envelope(&alice, &forged).is_err());
    }
    assert_eq!(bob.pair.as_ref().unwrap().registration, 0);
    assert_eq!(bob.read(&alice, &next), Ok(2));
    let answer = bob.write(&alice, 3);
    assert!(!is_initial(&answer), "it answers in the session that there is");
    assert_eq!(alice.read(&bob, &answer), Ok(3));
}

/// Who has registered anew is told apart from who it was.
#[test]
fn a_registration_has_sessions_of_its_own() {
    let (mut alice, mut bob) = (At::new(0), At::new(1));
    let old = [alice.write(&bob, 1), alice.write(&bob, 2)];
    bob.read(&alice, &old[0]).unwrap();
    (alice.pair, alice.registration) = (None, 1);
    bob.used.clear();
    let new = alice.write(&bob, 3);
    assert_eq!(bob.read(&alice, &new), Ok(3));
    assert_eq!(bob.read(&alice, &old[1]), Ok(2), "what is late is read");
    let answer = bob.write(&alice, 4);
    assert_eq!(answer.registration, 1);
    assert_eq!(alice.read(&bob, &answer), Ok(4));
    // One registration back, and no more.
    let late = alice.write(&bob, 5);
    (alice.pair, alice.registration) = (None, 3);
    bob.used.clear();
    let new = alice.write(&bob, 6);
    assert_eq!(bob.read(&alice, &new), Ok(6));
    assert_eq!(bob.read(&alice, &late), Ok(5));
    assert_eq!(bob.read(&alice, &old[1]), Err(BaselineError::KeyIsGone));
}
