//! The key server's tree: random changes, followed by members who hold their own keys alone.

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::*;
use crate::baseline::book::Book;
use crate::baseline::lkh::member::Member;
use crate::baseline::lkh::message::Rekey;
use crate::crypto::{RealProvider, SignatureKeyPair};

const REAL: RealProvider = RealProvider::new();

fn crypto() -> Crypto<'static> {
    Crypto::new(&REAL)
}

fn server() -> SignatureKeyPair {
    crate::crypto::Provider::signature_key_pair(&REAL, &[1; 32])
}

/// A tree, its members' own states, and everything that those who have left hold.
struct Model {
    tree: KeyTree,
    members: BTreeMap<ClientId, (LeafIndex, Member)>,
    left: Vec<Secret>,
    next: u32,
    epoch: u64,
    rng: ChaCha20Rng,
}

impl Model {
    fn new(seed: u64, degree: u8) -> Self {
        let mut tree = Tree::new(Ary(degree));
        let individual = Secret::from(&[9; KEY][..]);
        set_leaf(&mut tree, LeafIndex(0), Some(Seat { key: individual.clone() })).unwrap();
        let seat = (degree, LeafIndex(0));
        let first = Member::new(ClientId(0), seat, Book::default(), individual);
        let members = BTreeMap::from([(ClientId(0), (LeafIndex(0), first))]);
        let rng = ChaCha20Rng::seed_from_u64(seed);
        Self { tree, members, left: vec![], next: 1, epoch: 0, rng }
    }

    fn below(&mut self, n: usize) -> usize {
        (self.rng.next_u64() % n as u64) as usize
    }

    fn secret(&mut self) -> Secret {
        let mut bytes = [0; KEY];
        self.rng.fill_bytes(&mut bytes);
        bytes.as_slice().into()
    }

    fn any(&mut self) -> ClientId {
        let at = self.below(self.members.len());
        *self.members.keys().nth(at).unwrap()
    }

    fn change(&mut self) {
        self.epoch += 1;
        let mut change = Change::default();
        let mut gone = BTreeSet::new();
        if self.below(3) == 0 {
            gone.extend((0..self.below(4)).map(|_| self.any()));
        }
        if gone.len() == self.members.len() {
            gone.pop_first();
        }
        change.removes = gone.iter().map(|client| self.members[client].0).collect();
        for _ in 0..self.below(4) {
            let key = self.secret();
            change.adds.push((ClientId(self.next), key));
            self.next += 1;
        }
        let renews = self.any();
        if self.below(2) == 0 && !gone.contains(&renews) {
            let key = self.secret();
            let (leaf, member) = self.members.get_mut(&renews).unwrap();
            member.renew(key.clone());
            change.renews = Some((*leaf, key));
        }
        let individual: BTreeMap<_, _> = change.adds.iter().cloned().collect();
        let seed = [self.epoch as u8; 32];
        let plan = Plan::new(&crypto(), &self.tree, change, self.epoch, &seed).unwrap();
        assert_eq!(plan.predicted, plan.wrapped.len() as u64);
        for client in &gone {
            let (_, member) = self.members.remove(client).unwrap();
            self.left.extend(member.keys.into_values());
        }
        let rekey = Rekey {
            epoch: self.epoch,
            width: plan.after.width(),
            removes: vec![],
            adds: vec![],
            wrapped: plan.wrapped.clone(),
        };
        let bytes = rekey.sign(&crypto(), &server().private).unwrap();
        for (_, member) in self.members.values_mut() {
            assert!(member.follow(&crypto(), &server().public, &bytes, self.epoch).unwrap());
        }
        for (client, leaf) in &plan.seats {
            let seat = (plan.after.shape().0, *leaf);
            let key = individual[client].clone();
            let mut member = Member::new(*client, seat, Book::default(), key);
            member.enter(&crypto(), &server().public, &bytes, self.epoch).unwrap();
            self.members.insert(*client, (*leaf, member));
        }
        self.tree = plan.after;
        // Everybody holds its path, and who has left opens nothing, whatever it learned before.
        for (leaf, member) in self.members.values() {
            assert_eq!(member.keys, keys_of(&self.tree, *leaf));
        }
        for wrapped in &plan.wrapped {
            let opened =
                self.left.iter().find(|key| wrapped.open(&crypto(), self.epoch, key).is_ok());
            assert!(opened.is_none());
        }
        let parents = self.tree.aggregates();
        assert_eq!(parents.members as usize, self.members.len());
        assert!(self.tree.root().recount());
    }
}

#[test]
fn members_follow_and_who_has_left_does_not() {
    for seed in 0..12 {
        let mut model = Model::new(seed, 2 + (seed % 3) as u8);
        (0..40).for_each(|_| model.change());
        assert!(!model.left.is_empty());
    }
}

#[test]
fn a_rekey_message_is_the_servers_and_the_next() {
    let mut model = Model::new(1, 2);
    (0..4).for_each(|_| model.change());
    // A member with a neighbour.
    let seated = |leaf: LeafIndex| model.tree.leaf(LeafIndex(leaf.0 ^ 1)).is_some();
    let (leaf, member) = model.members.values().find(|(leaf, _)| seated(*leaf)).unwrap();
    let leaf = *leaf;
    let width = model.tree.width();
    let rekey = |epoch, wrapped| Rekey { epoch, width, removes: vec![], adds: vec![], wrapped };
    let change = Change { renews: Some((leaf, Secret::zero(KEY))), ..Change::default() };
    let plan = Plan::new(&crypto(), &model.tree, change, 5, &[5; 32]).unwrap();
    let follow = |rekey: &Rekey, signer: &SignatureKeyPair| {
        let bytes = rekey.sign(&crypto(), &signer.private).unwrap();
        let mut member = member.clone();
        member.renew(Secret::zero(KEY));
        member.follow(&crypto(), &server().public, &bytes, 5)
    };
    let good = rekey(5, plan.wrapped.clone());
    assert_eq!(follow(&good, &server()), Ok(true));
    let other = crate::crypto::Provider::signature_key_pair(&REAL, &[2; 32]);
    assert_eq!(follow(&good, &other), Err(BaselineError::BadMessageSignature));
    assert_eq!(follow(&rekey(6, plan.wrapped.clone()), &server()), Err(BaselineError::WrongEpoch));
    // A node's key that is told to others only.
    let mut cut = plan.wrapped.clone();
    let own = cut.iter().position(|wrapped| wrapped.under == NodeAt::leaf(leaf)).unwrap();
    let neighbours = cut.remove(own);
    assert_eq!(follow(&rekey(5, cut), &server()), Err(BaselineError::RekeyWithoutKey));
    // A key encrypted under another than it says.
    let mut wrong = plan.wrapped;
    wrong[own] = Wrapped { ciphertext: wrong[own + 1].ciphertext.clone(), ..neighbours };
    assert!(matches!(follow(&rekey(5, wrong), &server()), Err(BaselineError::Crypto(_))));
}
