//! Thieves with real keys: the states of some members as they were before a round, and all that was sent in
//! it. They open of the proposed paths what they can, derive what is above, and then must open nothing of the
//! commit and hold no key of the new tree. States that do not heal open it: a thief is no straw man.

use std::collections::BTreeSet;

use arboretum_engine::crypto::{Crypto, HpkeKeyPair, HpkePublicKey, Provider};
use arboretum_engine::group::Member;
use arboretum_engine::strategy::Strategy;
use arboretum_engine::tree::{LeafIndex, Subtree};
use arboretum_engine::treekem::{PathSecret, UpdatePath};
use arboretum_engine::treesync::{Proposal, RatchetData, RatchetTree};

use crate::common::Group;
use crate::rounds::{COUNTING, Done, Epoch, REAL, concurrent, follow, make, random, warm};

/// All keys that somebody has who holds these and has seen a path that is bound to a context.
fn learn(crypto: &Crypto<'_>, known: &mut Vec<HpkeKeyPair>, path: &UpdatePath, context: &[u8]) {
    let mut secret: Option<PathSecret> = None;
    for (node, sent) in path.nodes.iter().enumerate() {
        secret = secret.map(|below| below.next(crypto));
        for position in 0..sent.encrypted_path_secret.len() {
            let opened =
                known.iter().find_map(|key| path.open(crypto, key, node, position, context).ok());
            secret = secret.or(opened);
        }
        if let Some(secret) = &secret {
            let pair = secret.key_pair(crypto).unwrap();
            assert_eq!(pair.public, sent.encryption_key);
            known.push(pair);
        }
    }
}

fn keys_in(tree: &RatchetTree) -> BTreeSet<HpkePublicKey> {
    fn collect(subtree: Subtree<'_, RatchetData>, keys: &mut BTreeSet<HpkePublicKey>) {
        keys.extend(subtree.parent().map(|parent| parent.encryption_key.clone()));
        subtree.children().for_each(|child| collect(child, keys));
    }
    let leaves = tree.root().leaves().into_iter();
    let mut keys = leaves.map(|(_, leaf)| leaf.encryption_key.clone()).collect();
    collect(tree.root(), &mut keys);
    keys
}

/// Whether a thief with these members' states learns anything of what comes after the round.
fn breaks_in(crypto: &Crypto<'_>, done: &Done, stolen: &[LeafIndex]) -> bool {
    let mut known: Vec<HpkeKeyPair> = vec![];
    for leaf in stolen {
        let Member { keys, .. } = &done.before[leaf];
        known.push(keys.leaf().clone());
        known.extend(keys.parents().iter().cloned());
    }
    let context = done.before[&stolen[0]].public.context.encoded();
    for (_, proposed) in &done.proposed {
        if let Proposal::Path(path) = &proposed.stored.proposal {
            // One is encrypted to keys of the old tree, which another does not give.
            learn(crypto, &mut known, &path.0, &context);
        }
    }
    let tree = keys_in(&done.pending.after.public.tree);
    let stands = known.iter().any(|pair| tree.contains(&pair.public));
    let path = done.transition.path.as_ref().expect("a commit of proposed paths has one");
    let before = known.len();
    learn(crypto, &mut known, &path.update_path, &path.provisional_context);
    stands || known.len() > before
}

/// Every one and every two of them, and all at once.
fn some(leaves: &[LeafIndex]) -> Vec<Vec<LeafIndex>> {
    let one = leaves.iter().map(|leaf| vec![*leaf]);
    let two = leaves
        .iter()
        .enumerate()
        .flat_map(|(at, first)| leaves[at + 1..].iter().map(move |second| vec![*first, *second]));
    one.chain(two).chain([leaves.to_vec()]).filter(|some| !some.is_empty()).collect()
}

/// Whoever proposes, commits, is updated or removed, heals or is locked out, and nobody else.
fn check(crypto: &Crypto<'_>, done: &Done, epoch: &Epoch) {
    let Epoch { by, paths, updates, removes, .. } = epoch;
    let healing = paths.iter().chain(updates).chain(removes).chain([by]);
    let healing: Vec<LeafIndex> = healing.copied().map(LeafIndex).collect();
    for stolen in some(&healing) {
        assert!(!breaks_in(crypto, done, &stolen), "{epoch:?}: {stolen:?}");
    }
    let others: Vec<LeafIndex> =
        done.before.keys().filter(|leaf| !healing.contains(leaf)).copied().collect();
    for bystander in others {
        assert!(breaks_in(crypto, done, &[bystander]), "{epoch:?}: {bystander}");
    }
}

/// Each of eight commits, and two or three of the others propose.
#[test]
fn who_proposes_or_commits_heals() {
    for (by, paths) in [
        (6, vec![2, 3]),
        (6, vec![0, 3]),
        (0, vec![4, 7]),
        (0, vec![4, 5, 7]),
        (1, vec![0, 2, 5]),
        (3, vec![0, 1, 2, 4, 5, 6, 7]),
    ] {
        let mut group = warm(concurrent(), 8);
        let epoch = Epoch { by, paths, ..Epoch::default() };
        let (done, _) = make(&mut group, &epoch);
        check(&group.crypto(), &done, &epoch);
    }
}

fn pick(group: &mut Group<'_>, most: usize, taken: &mut BTreeSet<u32>) -> Vec<u32> {
    let mut picked = vec![];
    for _ in 0..group.below(most + 1) {
        let leaf = group.anybody().0;
        if taken.insert(leaf) {
            picked.push(leaf);
        }
    }
    picked
}

/// Random groups, in which members come and go, propose Updates and paths.
fn live(provider: &dyn Provider, seed: u64, rounds: usize, strategy: Strategy) {
    let mut group = random(provider, seed, strategy);
    for _ in 0..rounds {
        let by = group.anybody().0;
        let mut taken = BTreeSet::from([by]);
        let paths = pick(&mut group, 4, &mut taken);
        let updates = pick(&mut group, 1, &mut taken);
        let removes = pick(&mut group, 2, &mut taken);
        let adds = if group.live.len() < 20 { group.below(3) } else { 0 };
        let epoch = Epoch { by, paths, updates, removes, adds };
        let (done, clients) = make(&mut group, &epoch);
        check(&group.crypto(), &done, &epoch);
        follow(&mut group, &epoch, &done, clients);
    }
}

const STRATEGIES: [&str; 7] = [
    "concurrent-2025",
    "concurrent-2025+removal=faster-remove",
    "concurrent-2025+shape=left-balanced+filtered=off",
    "concurrent-2025+shape=m-ary:3",
    "concurrent-2025+unmerged=off",
    "concurrent-2025+placement=random-blank+compaction=none",
    "concurrent-2025+placement=cheapest+shape=m-ary:4+removal=faster-remove",
];

#[test]
fn nobody_learns_what_it_must_not() {
    for (number, strategy) in (0..).zip(STRATEGIES) {
        let strategy = Strategy::parse(strategy).unwrap();
        live(&REAL, number, 6, strategy);
        (0..6).for_each(|seed| live(&COUNTING, 100 * (seed + 1) + number, 14, strategy));
    }
}
