//! Tainted TreeKEM on the whole engine (`removal=taint`): what a commit refreshes and sends, by
//! hand; who learns what and who must not, over random groups; and what members and joiners refuse.

mod common;

use std::collections::BTreeSet;

use arboretum_engine::codec::decode;
use arboretum_engine::crypto::{
    CountingProvider, Crypto, CryptoError, Digest, HpkeKeyPair, HpkePublicKey, Provider,
    RealProvider,
};
use arboretum_engine::group::{Followed, JoinError, OpenedWelcome};
use arboretum_engine::strategy::Strategy;
use arboretum_engine::tree::{LeafIndex, Subtree};
use arboretum_engine::treedem::MlsMessage;
use arboretum_engine::treekem::{PathError, PskStore};
use arboretum_engine::treesync::{
    DecodeTreeError, ParentNode, RatchetData, RatchetTree, Roster, TreeError, decode_tree,
    decode_tree_of, encode_tree, encoded_tree_length, tainted_by, tree_hash, validate_tree,
};

use common::{Group, Plan, Round};

const REAL: RealProvider = RealProvider::new();
const COUNTING: CountingProvider = CountingProvider::new();

fn tainting() -> Strategy {
    Strategy::parse("tainted-2021").unwrap()
}

/// Eight members, of whom the first has added all others, and each has committed once.
fn eight() -> Group<'static> {
    let mut group = Group::under(&REAL, 1, tainting());
    group.commit(Plan { adds: 7, ..Plan::default() });
    (0..8).for_each(|by| {
        group.commit(commit_of(by));
    });
    group
}

fn commit_of(by: u32) -> Plan {
    Plan { by: LeafIndex(by), ..Plan::default() }
}

/// Ciphertexts and public keys.
fn cost(round: &Round) -> (u64, u64) {
    (round.pending.cost.ciphertexts, round.pending.cost.public_keys)
}

fn tree_of<'g>(group: &'g Group<'_>) -> &'g RatchetTree {
    let (_, live) = group.live.first_key_value().expect("somebody is left");
    &live.member.public.tree
}

fn taints(group: &Group<'_>, leaf: u32) -> usize {
    tainted_by(tree_of(group), LeafIndex(leaf)).len()
}

/// The example of the counted group's tests, where every commit is its sender's update as well.
#[test]
fn who_adds_and_removes_carries_taints() {
    let mut group = Group::under(&REAL, 1, tainting());
    // All are told by Welcome; of seven parents three are above the first leaf.
    assert_eq!(cost(&group.commit(Plan { adds: 7, ..Plan::default() })), (0, 7));
    assert_eq!(taints(&group, 0), 4);
    // All of them again: seven leaves, and three parents that nothing follows to.
    assert_eq!(cost(&group.commit(commit_of(0))), (10, 7));
    for by in 1..8 {
        group.commit(commit_of(by));
    }
    assert_eq!((0..8).map(|leaf| taints(&group, leaf)).sum::<usize>(), 0);
    assert_eq!(cost(&group.commit(commit_of(0))), (3, 3));
    // The removed member's three parents and the remover's own, of which the root is both's: leaf
    // 6, leaves 4 and 5 by their parent, the right half; leaf 1, and leaves 2 and 3 by their
    // parent.
    let removes = vec![LeafIndex(7)];
    let removal = group.commit(Plan { removes, ..commit_of(0) });
    assert_eq!(cost(&removal), (5, 5));
    assert_eq!(taints(&group, 0), 2);
    // The same set again, until somebody below takes over.
    assert_eq!(cost(&group.commit(commit_of(0))), (5, 5));
    group.commit(commit_of(6));
    assert_eq!(taints(&group, 0), 0);
    assert_eq!(cost(&group.commit(commit_of(0))), (3, 3));
}

/// Its update is due with its removal: what it had tainted goes with its own path.
#[test]
fn a_removed_member_leaves_no_taint() {
    let mut group = eight();
    group.commit(Plan { removes: vec![LeafIndex(7)], ..commit_of(0) });
    let known: Vec<ParentNode> =
        tainted_by(tree_of(&group), LeafIndex(0)).into_iter().cloned().collect();
    group.commit(Plan { removes: vec![LeafIndex(0)], ..commit_of(5) });
    assert_eq!((known.len(), taints(&group, 0)), (2, 0));
    let roster = Roster::of(tree_of(&group)).unwrap();
    assert!(known.iter().all(|parent| !roster.has_encryption_key(&parent.encryption_key)));
    // (0, 1), the left half and (6, 7).
    assert_eq!(taints(&group, 5), 3);
}

#[test]
fn a_parent_with_nobody_below_keeps_a_key() {
    let mut group = eight();
    group.commit(Plan { removes: [2, 3].map(LeafIndex).to_vec(), ..commit_of(0) });
    let tree = tree_of(&group);
    assert_eq!((tree.aggregates().blank_parents, tree.aggregates().resolution), (0, 1));
    assert_eq!(tree.direct_path(LeafIndex(2)).unwrap()[0].node.aggregates().members, 0);
    check_tree(&group);
    // Cut off with all that is right of it, it leaves the roster as well.
    let removes = [4, 5, 6, 7].map(LeafIndex).to_vec();
    group.commit(Plan { removes, ..commit_of(0) });
    assert_eq!(tree_of(&group).width(), 2);
    check_tree(&group);
}

/// The tree is valid, comes back from its bytes, and its caches are what a recount gives.
fn check_tree(group: &Group<'_>) {
    let crypto = group.crypto();
    let (_, live) = group.live.first_key_value().expect("somebody is left");
    let (tree, context) = (&live.member.public.tree, &live.member.public.context);
    assert!(tree.root().recount());
    let bytes = encode_tree(tree).unwrap();
    assert_eq!(encoded_tree_length(tree), bytes.len());
    let decoded = decode_tree_of(tainting(), &bytes).unwrap();
    assert_eq!(tree_hash(&crypto, &decoded), context.tree_hash);
    assert_eq!(encode_tree(&decoded).unwrap(), bytes);
    let rules = context.leaf_rules().unwrap();
    let valid = validate_tree(&crypto, &decoded, context.group_id.as_slice(), &rules);
    assert_eq!(valid.as_ref(), Ok(&live.roster));
}

/// All are in one state, and everybody holds the keys above its leaf and no others.
fn check_members(group: &Group<'_>, round: &Round) {
    let after = &round.pending.after;
    for (leaf, live) in &group.live {
        assert_eq!(live.member.secrets, after.secrets, "{leaf}");
        assert_eq!(live.member.public.context, after.public.context);
        let path = after.public.tree.direct_path(*leaf).unwrap();
        let keys = path.iter().map(|step| &step.node.parent().unwrap().encryption_key);
        let held = live.member.keys.parents().iter().map(|pair| &pair.public);
        assert!(held.eq(keys), "{leaf}");
    }
}

/// Nothing that somebody has ever held or drawn opens a ciphertext of this commit.
fn check_locked_out(crypto: &Crypto<'_>, known: &[HpkeKeyPair], round: &Round) {
    let path = round.transition.path.as_ref().expect("every commit has a path");
    for (node, sent) in path.update_path.nodes.iter().enumerate() {
        for position in 0..sent.encrypted_path_secret.len() {
            let context = &path.provisional_context;
            let open = |pair| path.update_path.open(crypto, pair, node, position, context);
            assert!(known.iter().all(|pair| open(pair).err() == Some(CryptoError::BadCiphertext)));
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

/// Random groups, in which a member that is removed has forgotten nothing: neither what it held,
/// nor what it drew for parents that it was not below. None of it stands in the tree after its
/// removal, and none of it opens anything.
fn live(provider: &dyn Provider, seed: u64, commits: usize) {
    let largest = 2 + (seed % 19) as usize;
    let mut group = Group::under(provider, seed, tainting());
    for _ in 0..commits {
        let mut plan = Plan { by: group.anybody(), ..Plan::default() };
        plan.tree_in_welcome = group.below(2) > 0;
        let (adds, removes) =
            [(3, 0), (1, 0), (0, 1), (0, 2), (2, 1), (0, 0), (0, 0)][group.below(7)];
        for _ in 0..removes {
            let leaf = group.anybody();
            if leaf != plan.by && !plan.removes.contains(&leaf) {
                plan.removes.push(leaf);
            }
        }
        plan.adds = adds.min(largest.saturating_sub(group.live.len() - plan.removes.len()));
        let round = group.commit(plan);
        let drawn = round.pending.path.iter().flat_map(|path| path.key_pairs.iter().cloned());
        let by = round.plan.by;
        group.live.get_mut(&by).unwrap().held.extend(drawn);
        check_tree(&group);
        check_members(&group, &round);
        let keys = keys_in(tree_of(&group));
        for gone in &group.gone {
            assert!(gone.held.iter().all(|pair| !keys.contains(&pair.public)));
            check_locked_out(&group.crypto(), &gone.held, &round);
        }
    }
}

#[test]
fn the_removed_know_nothing_of_the_new_tree() {
    (0..20).for_each(|seed| live(&REAL, seed, 12));
    (100..300).for_each(|seed| live(&COUNTING, seed, 25));
}

#[test]
fn every_commit_has_a_path() {
    let mut group = eight();
    let client = group.client();
    let plan = Plan { adds: 1, ..commit_of(3) };
    let pending = group.propose(&group.crypto(), &plan, &[client]);
    assert!(pending.path.is_some());
}

/// The removal of leaf 7 by leaf 0, which leaf 6 follows.
fn removal() -> (Group<'static>, Round) {
    let mut group = eight();
    let round = group.commit(Plan { removes: vec![LeafIndex(7)], ..commit_of(0) });
    (group, round)
}

#[test]
fn a_path_of_another_set_is_refused() {
    let (_, round) = removal();
    let set = round.transition.refresh_set().unwrap();
    let path = &round.transition.path.as_ref().unwrap().update_path;
    assert_eq!(path.check_set(&set), Ok(()));
    let mut short = path.clone();
    short.nodes.pop();
    assert_eq!(short.check_set(&set), Err(PathError::Refreshed { expected: 5, found: 4 }));
    // From the left, what is below first: (0, 1), the left half, (6, 7), the right half, the root.
    let mut swapped = path.clone();
    swapped.nodes.swap(2, 4);
    assert_eq!(swapped.check_set(&set), Ok(()), "each is sent to one key");
    swapped.nodes[2].encrypted_path_secret = Default::default();
    let missing = PathError::Ciphertexts { node: 2, expected: 1, found: 0 };
    assert_eq!(swapped.check_set(&set), Err(missing));
}

#[test]
fn a_secret_that_gives_another_key_is_refused() {
    let (_, round) = removal();
    let mut before = eight().member(6).member.clone();
    let mut transition = round.transition.clone();
    let follow = |member: &mut arboretum_engine::group::Member, transition: &_| {
        member.follow(&Crypto::new(&REAL), transition)
    };
    let other = HpkePublicKey::from(vec![9; 32]);
    for node in [2, 3, 4] {
        let mut transition = transition.clone();
        let path = transition.path.as_mut().unwrap();
        path.update_path.nodes[node].encryption_key = other.clone();
        let refused = follow(&mut before, &transition).unwrap_err();
        assert_eq!(refused, PathError::PublicKey(node).into());
    }
    // Two that are swapped are neither of them for who opens them.
    transition.path.as_mut().unwrap().update_path.nodes.swap(2, 4);
    assert!(follow(&mut before, &transition).is_err());
    assert_eq!(follow(&mut before, &round.transition), Ok(Followed::Advanced));
}

#[test]
fn a_welcome_must_lead_to_every_key_above() {
    let mut group = eight();
    group.commit(Plan { removes: vec![LeafIndex(7)], ..commit_of(0) });
    let client = group.client();
    let plan = Plan { adds: 1, tree_in_welcome: true, ..commit_of(0) };
    let crypto = group.crypto();
    let pending = group.propose(&crypto, &plan, std::slice::from_ref(&client));
    let welcome = decode("an MLS message", pending.welcome.as_ref().unwrap()).unwrap();
    let MlsMessage::Welcome(welcome) = welcome else { panic!("no Welcome") };
    let (package, secrets) = (&client.package, &client.secrets);
    let psks = PskStore::default();
    let opened = OpenedWelcome::open(&crypto, &welcome, package, secrets, &psks).unwrap();
    let join =
        |opened: OpenedWelcome| opened.join(&crypto, None, client.signer.clone(), package, secrets);
    assert_eq!(join(opened.clone()).unwrap().0.keys.parents().len(), 3);
    // Two chains: (6, 7) with the right half, and the root, which follows from the left half.
    let told = opened.group_secrets.path_secret.clone().unwrap();
    assert_eq!(told.as_slice().len(), 2 + 2 * (1 + 1 + 32));
    let with = |told: Option<Vec<u8>>| {
        let mut opened = opened.clone();
        opened.group_secrets.path_secret = told.map(Into::into);
        join(opened).unwrap_err()
    };
    let missing = PathError::Told { expected: 3, found: 0 };
    assert_eq!(with(None), JoinError::Path(missing));
    let mut other = told.as_slice().to_vec();
    other[5] ^= 1;
    assert_eq!(with(Some(other)), JoinError::Path(PathError::PublicKey(0)));
    let mut longer = told.as_slice().to_vec();
    longer[2] += 1;
    assert_eq!(with(Some(longer)), JoinError::Path(PathError::Told { expected: 3, found: 4 }));
    assert!(matches!(with(Some(vec![0x40])), JoinError::Path(PathError::Codec(_))));
}

#[test]
fn a_tree_of_rfc_9420_has_no_taints() {
    let (group, _) = removal();
    let tree = encode_tree(tree_of(&group)).unwrap();
    assert!(decode_tree_of(tainting(), &tree).is_ok());
    let filled = Strategy { filtered: false, ..Strategy::default() };
    assert_eq!(decode_tree_of(filled, &tree).err(), Some(DecodeTreeError::Tainted));
    assert!(decode_tree(&tree).is_err());
}

/// What a joiner says of the tree after a change at each parent above a leaf, 0 the lowest.
fn edited(
    leaf: u32,
    change: impl Fn(usize, ParentNode) -> Option<ParentNode>,
) -> Result<(), TreeError> {
    let (group, _) = removal();
    let mut tree = tree_of(&group).clone();
    let mut height = 0;
    tree.edit(LeafIndex(leaf), &mut |leaf| leaf, &mut |_, value| {
        let old = value.take().map(|parent| ParentNode::clone(&parent));
        *value = old.and_then(|old| change(height, old)).map(Into::into);
        height += 1;
    })
    .unwrap();
    let context = &group.member(1).member.public.context;
    let rules = context.leaf_rules().unwrap();
    let tree = decode_tree_of(tainting(), &encode_tree(&tree).unwrap()).unwrap();
    validate_tree(&group.crypto(), &tree, context.group_id.as_slice(), &rules).map(|_| ())
}

#[test]
fn what_a_joiner_refuses() {
    assert_eq!(edited(6, |_, parent| Some(parent)), Ok(()));
    let marked = |tainter: u32| {
        edited(6, |height, parent| {
            let tainted_by = if height == 1 { Some(LeafIndex(tainter)) } else { parent.tainted_by };
            Some(ParentNode { tainted_by, ..parent })
        })
    };
    assert_eq!(marked(1), Ok(()), "who has drawn what is known by the tree hash alone");
    let refused = |reason| Err(TreeError::Tainted(reason));
    for tainter in [5, 7, 99] {
        assert_eq!(marked(tainter), refused("a tainter is below, or no member"));
    }
    let blank = edited(6, |height, parent| (height > 0).then_some(parent));
    assert_eq!(blank, refused("a parent above a member has no key"));
    let hashed =
        edited(6, |_, parent| Some(ParentNode { parent_hash: Digest::from([1; 32]), ..parent }));
    assert_eq!(hashed, refused("a parent has a parent hash"));
    let unmerged =
        edited(6, |_, parent| Some(ParentNode { unmerged_leaves: vec![LeafIndex(6)], ..parent }));
    assert_eq!(unmerged, refused("a parent lists an unmerged leaf"));
}
