//! A group whose members all follow from the bytes, and what a test wants to know of each step.

use arboretum_engine::art::{
    Change, DhKeyPair, Followed, Joining, Member, NodeSecret, Pending, PublicGroup, Trees,
    UserInitKey,
};
use arboretum_engine::crypto::{CipherSuite, Crypto, Provider, Seed, SignatureKeyPair, provider};
use arboretum_engine::tree::LeafIndex;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

/// What a handshake message did, as one sees it who sees everything.
pub(crate) struct Done {
    pub(crate) message: Vec<u8>,
    pub(crate) change: Change,
    pub(crate) by: LeafIndex,
    pub(crate) changed: LeafIndex,
    /// From the changed leaf to the root.
    pub(crate) nodes: Vec<NodeSecret>,
    pub(crate) before: PublicGroup,
    /// The private half of the init key of who was added.
    pub(crate) init: Option<DhKeyPair>,
}

/// All members of a group, by leaf; who has been deleted stands there as it was.
pub(crate) struct Group {
    pub(crate) provider: &'static dyn Provider,
    pub(crate) members: Vec<Member>,
    pub(crate) is_member: Vec<bool>,
    pub(crate) rng: ChaCha20Rng,
}

impl Group {
    pub(crate) fn new(suite: CipherSuite, seed: u64) -> Self {
        let provider = provider(suite).unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let signer = provider.signature_key_pair(&draw(&mut rng));
        let crypto = Crypto::new(provider);
        let creator = Member::create(&crypto, signer, b"a group", draw(&mut rng)).unwrap();
        Self { provider, members: vec![creator], is_member: vec![true], rng }
    }

    pub(crate) fn crypto(&self) -> Crypto<'static> {
        Crypto::new(self.provider)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.rng.next_u64() % n as u64) as usize
    }

    /// The members' leaves.
    pub(crate) fn leaves(&self) -> Vec<LeafIndex> {
        let there = self.is_member.iter().enumerate().filter(|(_, is)| **is);
        there.map(|(leaf, _)| LeafIndex(leaf as u32)).collect()
    }

    /// Some member.
    pub(crate) fn any(&mut self) -> LeafIndex {
        let leaves = self.leaves();
        leaves[self.below(leaves.len())]
    }

    pub(crate) fn member(&self, leaf: LeafIndex) -> &Member {
        assert!(self.is_member[leaf.0 as usize]);
        &self.members[leaf.0 as usize]
    }

    pub(crate) fn newest(&self) -> &PublicGroup {
        &self.member(self.leaves()[0]).public
    }

    pub(crate) fn stranger(&mut self) -> (SignatureKeyPair, UserInitKey, DhKeyPair) {
        let signer = self.provider.signature_key_pair(&draw(&mut self.rng));
        let (key, pair) = UserInitKey::new(&self.crypto(), &signer, draw(&mut self.rng)).unwrap();
        (signer, key, pair)
    }

    /// Sets up a group of `members`, and gives the creator's nodes.
    pub(crate) fn set_up(&mut self, members: usize) -> Vec<NodeSecret> {
        let crypto = self.crypto();
        let others: Vec<_> = (1..members).map(|_| self.stranger()).collect();
        let keys: Vec<_> = others.iter().map(|(_, key, _)| key.clone()).collect();
        let seeds = [draw(&mut self.rng), draw(&mut self.rng)];
        let setup = self.members[0].init(&crypto, &keys, seeds).unwrap();
        self.members[0] = setup.after;
        for (signer, _, init) in others {
            let joining = Joining { signer, init: &init };
            self.members.push(Member::join_setup(&crypto, joining, &setup.message).unwrap());
            self.is_member.push(true);
        }
        self.agree();
        setup.nodes
    }

    pub(crate) fn update(&mut self, by: LeafIndex) -> Done {
        let seed = draw(&mut self.rng);
        let pending = self.member(by).update(&self.crypto(), seed).unwrap();
        self.accept(by, Change::Update, pending, None)
    }

    pub(crate) fn delete(&mut self, by: LeafIndex, deleted: LeafIndex) -> Done {
        let seed = draw(&mut self.rng);
        let pending = self.member(by).delete(&self.crypto(), deleted, seed).unwrap();
        self.accept(by, Change::Delete, pending, None)
    }

    pub(crate) fn group_add(&mut self, by: LeafIndex) -> Done {
        let (signer, key, init) = self.stranger();
        let public = key.init_keys[0].clone();
        let pending = self.member(by).group_add(&self.crypto(), key).unwrap();
        self.accept(by, Change::GroupAdd(public), pending, Some((signer, init)))
    }

    pub(crate) fn user_add(&mut self) -> Done {
        let (signer, ..) = self.stranger();
        let publisher = self.any();
        let member = self.member(publisher);
        let publication = member.publish(&self.crypto()).unwrap();
        let trees = Trees::decode(&Trees::of(&member.public).encode().unwrap()).unwrap();
        let seed = draw(&mut self.rng);
        let crypto = self.crypto();
        let pending = Member::user_add(&crypto, signer, &publication, trees, seed).unwrap();
        let by = pending.changed;
        self.accept(by, Change::UserAdd, pending, None)
    }

    /// Everybody follows from the bytes; who was added joins by them.
    fn accept(
        &mut self,
        by: LeafIndex,
        change: Change,
        pending: Pending,
        added: Option<(SignatureKeyPair, DhKeyPair)>,
    ) -> Done {
        let before = self.newest().clone();
        let message = pending.message;
        let crypto = self.crypto();
        for at in self.leaves() {
            if at == by {
                continue;
            }
            match self.member(at).receive(&crypto, &message).unwrap() {
                Followed::Member(next) => self.members[at.0 as usize] = *next,
                Followed::Deleted => {
                    assert_eq!((&change, at), (&Change::Delete, pending.changed));
                    self.is_member[at.0 as usize] = false;
                }
            }
        }
        if change == Change::UserAdd {
            self.members.push(pending.after);
            self.is_member.push(true);
        } else {
            self.members[by.0 as usize] = pending.after;
        }
        let init = added.map(|(signer, init)| {
            let trees = Trees::decode(&Trees::of(&before).encode().unwrap()).unwrap();
            let joining = Joining { signer, init: &init };
            let member = Member::join(&crypto, joining, &message, trees).unwrap();
            assert_eq!(member.leaf, pending.changed);
            self.members.push(member);
            self.is_member.push(true);
            init
        });
        self.agree();
        let (changed, nodes) = (pending.changed, pending.nodes);
        Done { message, change, by, changed, nodes, before, init }
    }

    /// All members hold the same secrets and trees.
    fn agree(&self) {
        let all: Vec<_> = self.leaves().into_iter().map(|leaf| self.member(leaf)).collect();
        let crypto = self.crypto();
        for member in &all {
            assert_eq!(member.secrets, all[0].secrets);
            let hash = |member: &Member| arboretum_engine::art::group_hash(&crypto, &member.public);
            assert_eq!(hash(member), hash(all[0]));
            assert!(member.public.ratchet.root().recount());
        }
    }

    /// One random step.
    pub(crate) fn step(&mut self, most: usize) -> Done {
        let by = self.any();
        match self.below(10) {
            0..=2 if self.members.len() < most => self.group_add(by),
            3 if self.members.len() < most => self.user_add(),
            4..=6 if self.leaves().len() > 1 => {
                let mut others = self.leaves();
                others.retain(|leaf| *leaf != by);
                let deleted = others[self.below(others.len())];
                self.delete(by, deleted)
            }
            _ => self.update(by),
        }
    }
}

pub(crate) fn draw(rng: &mut ChaCha20Rng) -> Seed {
    let mut seed = Seed::default();
    rng.fill_bytes(&mut seed);
    seed
}
