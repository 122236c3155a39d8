//! Every node key of every epoch against a naive implementation of the draft's words: a recursion over
//! ranges of leaves, on other curves' code.

use std::collections::BTreeMap;

use arboretum_engine::art::{Change, DhKeyPair, DhPublicKey, derive_key_pair, key_of};
use arboretum_engine::crypto::{CipherSuite, Crypto, PortableProvider, Provider, Secret};
use arboretum_engine::tree::{LeafIndex, Place};

use super::group::{Done, Group};

/// The key pairs of nodes, by the range of leaves below.
struct Naive {
    provider: &'static dyn Provider,
    nodes: BTreeMap<(u32, u32), DhKeyPair>,
    is_member: Vec<bool>,
}

impl Naive {
    fn key(&self, low: u32, high: u32) -> Option<DhKeyPair> {
        let peopled = self.is_member[low as usize..high as usize].contains(&true);
        peopled.then(|| self.nodes[&(low, high)].clone())
    }

    /// Gives a leaf a new key, and every node above it.
    fn set(&mut self, (low, high): (u32, u32), leaf: u32, pair: &DhKeyPair) -> DhKeyPair {
        let mut node = pair.clone();
        if high - low > 1 {
            let middle = low + (high - low).next_power_of_two() / 2;
            let (own, other) = match leaf < middle {
                true => ((low, middle), (middle, high)),
                false => ((middle, high), (low, middle)),
            };
            node = self.set(own, leaf, pair);
            if let Some(sibling) = self.key(other.0, other.1) {
                let crypto = Crypto::new(self.provider);
                let secret = crypto.dh(&sibling, &node.public).unwrap();
                node = derive_key_pair(&crypto, &secret).unwrap();
            }
        }
        self.nodes.insert((low, high), node.clone());
        node
    }

    fn take(&mut self, done: &Done, drawn: &Secret, prior_add: &DhKeyPair) {
        let crypto = Crypto::new(self.provider);
        let leaf = done.changed.0;
        if done.change.adds() {
            self.is_member.push(false);
        }
        let secret = match &done.change {
            Change::GroupAdd(key) => crypto.dh(prior_add, key).unwrap(),
            _ => drawn.clone(),
        };
        let pair = derive_key_pair(&crypto, &secret).unwrap();
        self.set((0, self.is_member.len() as u32), leaf, &pair);
        self.is_member[leaf as usize] = done.change != Change::Delete;
    }
}

fn play(suite: CipherSuite, naive: &'static dyn Provider, seed: u64, start: usize, steps: usize) {
    let mut group = Group::new(suite, seed);
    let mut nodes = BTreeMap::new();
    if start > 1 {
        let all = group.set_up(start);
        let mut model = Naive { provider: naive, nodes, is_member: vec![] };
        for leaf in 0..start {
            model.is_member.push(true);
            let pair = all[2 * leaf].pair.clone();
            model.set((0, leaf as u32 + 1), leaf as u32, &pair);
        }
        nodes = model.nodes;
    } else {
        nodes.insert((0, 1), group.members[0].keys[0].clone());
    }
    let mut naive = Naive { provider: naive, nodes, is_member: vec![true; start] };
    compare(&group, &naive);
    for _ in 0..steps {
        let prior_add = group.member(group.leaves()[0]).secrets.add.clone();
        let done = group.step(14);
        naive.take(&done, &done.nodes[0].secret, &prior_add);
        compare(&group, &naive);
        let depth = done.nodes.len() - 1;
        let handshake = arboretum_engine::art::Handshake::read(&done.message).unwrap().0;
        let cost = handshake.cost();
        if let Some(path) = handshake.body.path() {
            let key = path.first().map_or(32, |key| key.as_slice().len());
            assert_eq!(cost.bytes_path_keys, ((2 + key) * depth + 2) as u64);
            assert_eq!(cost.public_keys, depth as u64);
        } else {
            assert_eq!((cost.bytes_path_keys, cost.public_keys), (0, 0));
        }
        assert_eq!(cost.bytes, done.message.len() as u64);
    }
}

/// Every public key, and every private key that a member holds.
fn compare(group: &Group, naive: &Naive) {
    let width = naive.is_member.len() as u32;
    walk(group.newest().ratchet.root(), &mut |first, width, key| {
        let expected = naive.key(first, first + width);
        assert_eq!(key, expected.as_ref().map(|pair| &pair.public), "{first} {width}");
    });
    for leaf in group.leaves() {
        let mut path = vec![];
        range_path((0, width), leaf.0, &mut path);
        path.reverse();
        let expected: Vec<_> =
            path.iter().map(|(low, high)| naive.key(*low, *high).unwrap()).collect();
        assert_eq!(group.member(leaf).keys, expected, "{leaf}");
    }
}

fn range_path((low, high): (u32, u32), leaf: u32, path: &mut Vec<(u32, u32)>) {
    path.push((low, high));
    if high - low > 1 {
        let middle = low + (high - low).next_power_of_two() / 2;
        let next = if leaf < middle { (low, middle) } else { (middle, high) };
        range_path(next, leaf, path);
    }
}

/// Visits every node of a ratchet tree: its first leaf, its width and its key.
pub(crate) fn walk<'t>(
    at: arboretum_engine::tree::Subtree<'t, arboretum_engine::art::RatchetNodes>,
    visit: &mut dyn FnMut(u32, u32, Option<&'t DhPublicKey>),
) {
    let (LeafIndex(first), width) = (at.first_leaf(), at.aggregates().width);
    let key = if matches!(at.place(), Place::Blank) { None } else { key_of(at) };
    visit(first, width, key);
    at.children().for_each(|child| walk(child, visit));
}

#[test]
fn every_node_key_is_the_naive_one() {
    let suite = CipherSuite::X25519_AES128GCM_SHA256_ED25519;
    for seed in 0..12 {
        play(suite, &PortableProvider, seed, 1, 40);
    }
    for (seed, members) in [(100, 2), (101, 3), (102, 7), (103, 8), (104, 9)] {
        play(suite, &PortableProvider, seed, members, 20);
    }
}

#[test]
fn every_node_key_is_the_naive_one_on_p256() {
    let suite = CipherSuite::P256_AES128GCM_SHA256_P256;
    let p256 = arboretum_engine::crypto::provider(suite).unwrap();
    for seed in 0..3 {
        play(suite, p256, seed, 1, 25);
    }
    play(suite, p256, 50, 5, 15);
}

/// A path of depth d is 34·d + 2 bytes of keys, and the width is everybody who ever joined.
#[test]
fn the_tree_only_grows() {
    let mut group = Group::new(CipherSuite::X25519_AES128GCM_SHA256_ED25519, 7);
    for joined in 2..20_u32 {
        let last = LeafIndex(joined - 1);
        group.group_add(LeafIndex(0));
        if joined > 2 {
            group.delete(LeafIndex(0), LeafIndex(joined - 2));
        }
        assert_eq!(group.newest().ratchet.width(), joined);
        assert_eq!(group.leaves(), [LeafIndex(0), last]);
        let update = group.update(last);
        let depth = update.nodes.len() as u64 - 1;
        let cost = arboretum_engine::art::Handshake::read(&update.message).unwrap().0.cost();
        assert_eq!(cost.bytes_path_keys, 34 * depth + 2);
    }
}
