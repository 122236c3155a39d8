//! Everybody keeps every private key that ever came before it, and tries at every message, also when
//! it has been deleted. Who knows what then is compared with the bookkeeping of double joins, node by
//! node and person by person.

use std::collections::{BTreeMap, BTreeSet};

use arboretum_engine::art::{Change, Context, DhKeyPair, EpochSecrets, Exposure, NodeSecret};
use arboretum_engine::crypto::{CipherSuite, Crypto};
use arboretum_engine::tree::LeafIndex;

use super::group::{Done, Group};
use super::life::walk;

const SUITE: CipherSuite = CipherSuite::X25519_AES128GCM_SHA256_ED25519;

/// What somebody has kept.
#[derive(Clone, Default)]
struct Spy {
    keys: BTreeMap<Vec<u8>, DhKeyPair>,
    /// The secrets of the newest epoch, if it knows them.
    secrets: Option<EpochSecrets>,
}

impl Spy {
    fn keep(&mut self, pair: &DhKeyPair) {
        self.keys.insert(pair.public.as_slice().to_vec(), pair.clone());
    }

    fn knows(&self, public: &[u8]) -> Option<&DhKeyPair> {
        self.keys.get(public)
    }

    /// Computes what can be computed of a message with what has been kept. `public` are the keys of the
    /// changed path, which everybody sees sooner or later; so is the root's.
    fn try_message(&mut self, crypto: &Crypto<'_>, done: &Done, by_itself: Option<&NodeSecret>) {
        let mut tree = done.before.ratchet.clone();
        if done.change.adds() {
            tree.extend();
            let key = done.nodes[0].pair.public.clone();
            tree.replace(done.changed, std::sync::Arc::new(key)).unwrap();
        }
        let path = tree.direct_path(done.changed).unwrap();
        let public: Vec<_> = done.nodes.iter().map(|node| &node.pair.public).collect();
        let mut below: Option<NodeSecret> = by_itself.cloned();
        if let (Change::GroupAdd(key), Some(secrets), None) = (&done.change, &self.secrets, &below)
        {
            below = Some(NodeSecret::agreed(crypto, &secrets.add, key).unwrap());
        }
        for (at, step) in path.iter().enumerate() {
            let sibling = arboretum_engine::art::key_of(step.copath[0]);
            let own = below.as_ref().map(|node| node.pair.clone());
            if let Some(own) = &own {
                assert_eq!(own.public, *public[at]);
                self.keep(own);
            }
            below = match sibling {
                None => below,
                Some(sibling) => match (own, self.knows(sibling.as_slice()).cloned()) {
                    (Some(own), _) => Some(NodeSecret::agreed(crypto, &own, sibling).unwrap()),
                    (None, Some(theirs)) => {
                        Some(NodeSecret::agreed(crypto, &theirs, public[at]).unwrap())
                    }
                    (None, None) => None,
                },
            };
        }
        if let Some(root) = &below {
            self.keep(&root.pair);
        }
        self.secrets = self.next(crypto, done, below);
    }

    /// The next epoch's secrets, if they can be computed.
    fn next(
        &self,
        crypto: &Crypto<'_>,
        done: &Done,
        root: Option<NodeSecret>,
    ) -> Option<EpochSecrets> {
        let before = &done.before;
        let (group_id, epoch, message) =
            (&before.group_id[..], before.epoch + 1, &done.message[..]);
        let context = Context { group_id, epoch, message };
        let (init, update) = if done.change.adds() {
            let public = &done.nodes[done.nodes.len() - 1].pair.public;
            let update = match (&root, &self.secrets) {
                (Some(root), _) => crypto.dh(&root.pair, &before.add_key),
                (None, Some(secrets)) => crypto.dh(&secrets.add, public),
                (None, None) => return None,
            };
            (None, update.unwrap())
        } else {
            (Some(self.secrets.as_ref()?.init_secret.clone()), root?.secret)
        };
        Some(EpochSecrets::next(crypto, init.as_ref(), &update, context).unwrap())
    }
}

/// What really happens, and what the bookkeeping says.
struct Watch {
    group: Group,
    spies: Vec<Spy>,
    exposure: Exposure,
    lingered: u64,
    exposed: u64,
}

impl Watch {
    fn new(seed: u64, start: usize) -> Self {
        let mut group = Group::new(SUITE, seed);
        let mut exposure = Exposure::new();
        let mut spies = vec![Spy::default(); start];
        if start > 1 {
            let nodes = group.set_up(start);
            exposure.init(start as u32);
            nodes.iter().for_each(|node| spies[0].keep(&node.pair));
        }
        for (member, spy) in group.members.iter().zip(&mut spies) {
            member.keys.iter().for_each(|pair| spy.keep(pair));
            spy.secrets = Some((*member.secrets).clone());
        }
        Self { group, spies, exposure, lingered: 0, exposed: 0 }
    }

    fn take(&mut self, done: &Done) {
        match &done.change {
            Change::GroupAdd(_) => self.exposure.group_add(),
            Change::UserAdd => self.exposure.user_add(),
            Change::Update => self.exposure.update(done.changed),
            Change::Delete => self.exposure.delete(done.by, done.changed),
        }
        let crypto = self.group.crypto();
        if done.change.adds() {
            self.spies.push(Spy::default());
        }
        for (leaf, spy) in self.spies.iter_mut().enumerate() {
            // Who has made the leaf has its secret; so has who is added, from its init key.
            let is_added = done.init.is_some() && leaf == done.changed.0 as usize;
            let makes = leaf == done.by.0 as usize || is_added;
            spy.try_message(&crypto, done, makes.then_some(&done.nodes[0]));
        }
        self.compare();
    }

    fn compare(&mut self) {
        let newest = self.group.newest().clone();
        let secrets = self.group.member(self.group.leaves()[0]).secrets.clone();
        let (mut nodes, mut knowing) = (0, BTreeSet::new());
        walk(newest.ratchet.root(), &mut |first, width, key| {
            let Some(key) = key else { return };
            let mut is_exposed = false;
            for (leaf, spy) in self.spies.iter().enumerate() {
                let below = (first..first + width).contains(&(leaf as u32));
                let is_member = self.group.is_member[leaf];
                let knows = spy.knows(key.as_slice()).is_some();
                assert!(knows || !below || !is_member, "leaf {leaf} knows the nodes above it");
                is_exposed |= knows && !(below && is_member);
                if knows && !is_member {
                    knowing.insert(LeafIndex(leaf as u32));
                }
            }
            nodes += u64::from(is_exposed);
            assert_eq!(self.exposure.is_exposed(first, width), is_exposed, "{first} {width}");
        });
        let exposed = self.exposure.exposed();
        assert_eq!(exposed.nodes, nodes);
        assert_eq!(exposed.deleted, knowing.len() as u64);
        assert_eq!(self.exposure.lingering(), knowing.iter().copied().collect::<Vec<_>>());
        for (leaf, spy) in self.spies.iter().enumerate() {
            let is_member = self.group.is_member[leaf];
            let known = spy.secrets.as_ref();
            assert!(known.is_none_or(|known| *known == *secrets), "leaf {leaf} is not misled");
            assert!(known.is_some() || !is_member);
        }
        self.lingered += exposed.deleted;
        self.exposed += exposed.nodes;
    }
}

#[test]
fn the_bookkeeping_of_double_joins_is_what_people_really_know() {
    let (mut lingered, mut exposed) = (0, 0);
    for seed in 0..24 {
        let start = [1, 1, 2, 3, 6, 8][seed as usize % 6];
        let mut watch = Watch::new(seed, start);
        watch.compare();
        for _ in 0..36 {
            let done = watch.group.step(12);
            watch.take(&done);
        }
        lingered += watch.lingered;
        exposed += watch.exposed;
    }
    assert!(lingered > 500 && exposed > 2_000, "{lingered} {exposed}");
}

/// The draft's own example: A has added B, so A knows B's leaf key. Deleting A does not remove it.
#[test]
fn a_deleted_member_goes_on_where_it_is_double_joined() {
    let mut watch = Watch::new(1, 1);
    let a = LeafIndex(0);
    for _ in 0..3 {
        let done = watch.group.group_add(a);
        watch.take(&done);
    }
    let [b, c, d] = [1, 2, 3].map(LeafIndex);
    for leaf in [c, d, a] {
        let done = watch.group.update(leaf);
        watch.take(&done);
    }
    let done = watch.group.delete(c, a);
    watch.take(&done);
    // It computes the new root from B's leaf, and with that the epoch.
    let root = &watch.group.newest().ratchet;
    let root = arboretum_engine::art::key_of(root.root()).unwrap().as_slice().to_vec();
    assert!(watch.spies[0].knows(&root).is_some());
    let secrets = watch.group.member(c).secrets.clone();
    assert_eq!(watch.spies[0].secrets.as_ref(), Some(&*secrets));
    let leaf = watch.group.member(b).keys[0].clone();
    assert_eq!(watch.spies[0].knows(leaf.public.as_slice()), Some(&leaf));
    assert_eq!(watch.exposure.lingering(), [a]);
    // An update of somebody else changes nothing, B's own locks it out, and for good.
    let done = watch.group.update(d);
    watch.take(&done);
    assert!(watch.spies[0].secrets.is_some());
    let done = watch.group.update(b);
    watch.take(&done);
    assert!(watch.spies[0].secrets.is_none());
    assert_eq!(watch.exposure.lingering(), []);
    let done = watch.group.group_add(d);
    watch.take(&done);
    assert!(watch.spies[0].secrets.is_none());
}

/// Without double joins who is deleted derives nothing any more, with all it ever held.
#[test]
fn a_deleted_member_is_out_where_everybody_has_updated() {
    let mut watch = Watch::new(2, 6);
    for leaf in 0..6 {
        let done = watch.group.update(LeafIndex(leaf));
        watch.take(&done);
    }
    assert_eq!(watch.exposure.exposed().nodes, 0);
    let done = watch.group.delete(LeafIndex(1), LeafIndex(4));
    watch.take(&done);
    assert!(watch.spies[4].secrets.is_none());
    assert_eq!(watch.exposure.exposed().deleted, 0);
    walk(watch.group.newest().ratchet.root(), &mut |_, _, key| {
        assert!(key.is_none_or(|key| watch.spies[4].knows(key.as_slice()).is_none()));
    });
    // The deleter knows the key that it was deleted under: the parent above, and not the root's.
    assert!(watch.exposure.is_exposed(4, 2));
    let done = watch.group.update(LeafIndex(5));
    watch.take(&done);
    assert_eq!(watch.exposure.exposed(), arboretum_engine::art::Exposed::default());
}

/// Who adds itself is double-joined to nobody.
#[test]
fn who_adds_itself_is_known_to_itself_alone() {
    let mut watch = Watch::new(3, 1);
    for _ in 0..6 {
        let done = watch.group.user_add();
        watch.take(&done);
        assert_eq!(watch.exposure.exposed().nodes, 0);
    }
}
