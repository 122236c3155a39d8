//! What a group costs at its size: `cargo bench -p arboretum-engine --bench group`.
//!
//! A *warm* tree is one whose parents are all keyed. Keying them by commits would take n/2 of
//! them, most of their time in ciphertexts that nobody here opens; so every second member keys
//! its path as a commit does, parent hashes and leaf signature included, but sends it to nobody.
//! Three members then draw real paths, and so hold what they would hold: the committer at leaf
//! 0, its sibling, and a member of the next quarter of the tree, who derives two keys of each
//! path of the committer's: the mean over all members. Joining checks all of it.

#[path = "../tests/common/client.rs"]
#[allow(dead_code, reason = "the other clients are for tests")]
mod client;

use std::hint::black_box;
use std::sync::Arc;

use arboretum_engine::crypto::Digest;
use arboretum_engine::crypto::{Crypto, HpkePublicKey, RealProvider};
use arboretum_engine::group::{CommitRequest, Followed, Member, PendingCommit, PublicGroup};
use arboretum_engine::strategy::Strategy;
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treekem::{EpochSecrets, GroupContext, NewPath, PrivateKeys, merge_path};
use arboretum_engine::treesync::{
    LeafNode, LeafNodeSource, Proposal, ProtocolVersion, RatchetTree, Roster, apply_add, tree_hash,
};
use criterion::{BatchSize, BenchmarkId, Criterion, SamplingMode, criterion_group, criterion_main};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use rayon::prelude::*;

use client::{Client, seed};

const REAL: RealProvider = RealProvider::new();
const GROUP_ID: &[u8] = &[7; 32];

/// Names of random streams beyond those of the clients.
const COMMIT: u32 = 1 << 29;
const PATH: u32 = 1 << 30;

fn crypto() -> Crypto<'static> {
    Crypto::new(&REAL)
}

fn rng(name: u32) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(u64::from(name))
}

fn clients(n: u32) -> Vec<Client> {
    (0..n).into_par_iter().map(|i| Client::new(&crypto(), u64::from(i), &mut rng(i))).collect()
}

/// A commit with a path that adds these clients, the tree in its Welcome.
fn request(adds: &[Client]) -> CommitRequest {
    CommitRequest {
        proposals: adds.iter().map(|client| Proposal::Add(client.package.clone())).collect(),
        path: true,
        tree_in_welcome: true,
        now: 1,
        ..CommitRequest::default()
    }
}

/// A warm group and three of its members.
struct Warm {
    committer: Member,
    sibling: Member,
    mean: Member,
    roster: Roster,
}

impl Warm {
    fn new(clients: &[Client]) -> Self {
        let mut tree = RatchetTree::new(Strategy::default());
        for client in clients {
            apply_add(&mut tree, Arc::new(client.package.leaf_node.clone())).unwrap();
        }
        for leaf in (0..tree.members()).step_by(2) {
            let path = tree.filtered_direct_path(LeafIndex(leaf)).unwrap().len();
            let mut rng = rng(u32::MAX - leaf);
            let mut key = || HpkePublicKey::from(seed(&mut rng).as_slice());
            let (own, keys) = (key(), (0..path).map(|_| key()).collect::<Vec<_>>());
            set_path(&mut tree, &clients[leaf as usize], leaf, own, &keys);
        }
        let (committer, mean) = (0, tree.width() / 4);
        let mut members: Vec<(u32, PrivateKeys)> = vec![];
        for leaf in [1, mean, committer] {
            let drawn = draw_path(&mut tree, &clients[leaf as usize], leaf);
            for (member, keys) in &mut members {
                hand_over(&tree, *member, keys, leaf, &drawn);
            }
            let mut keys = PrivateKeys::of_leaf(drawn.leaf);
            keys.extend(drawn.key_pairs);
            members.push((leaf, keys));
        }
        let roster = Roster::of(&tree).unwrap();
        let crypto = crypto();
        let context = GroupContext {
            version: ProtocolVersion::MLS10,
            cipher_suite: crypto.cipher_suite(),
            group_id: GROUP_ID.to_vec().into(),
            epoch: 1,
            tree_hash: tree_hash(&crypto, &tree),
            confirmed_transcript_hash: Digest::from([1; 32]),
            extensions: vec![],
        };
        let public = PublicGroup { context, tree, interim_transcript_hash: Digest::from([2; 32]) };
        let secrets = Arc::new(EpochSecrets::derive(&crypto, &crypto.zero()));
        let mut members = members.into_iter().map(|(leaf, keys)| Member {
            public: public.clone(),
            leaf: LeafIndex(leaf),
            signer: clients[leaf as usize].signer.clone(),
            keys,
            secrets: secrets.clone(),
        });
        let mut next = || members.next().expect("there are three");
        let (sibling, mean, committer) = (next(), next(), next());
        Self { committer, sibling, mean, roster }
    }

    fn commit(&self, adds: &[Client]) -> PendingCommit {
        self.committer.commit(&crypto(), &self.roster, request(adds), &mut rng(COMMIT)).unwrap()
    }
}

/// Gives a leaf and its filtered path new keys, as a commit would.
fn set_path(
    tree: &mut RatchetTree,
    client: &Client,
    leaf: u32,
    own: HpkePublicKey,
    keys: &[HpkePublicKey],
) {
    let (crypto, leaf) = (crypto(), LeafIndex(leaf));
    let merged = merge_path(&crypto, tree, leaf, keys).unwrap();
    let mut node = LeafNode::clone(tree.leaf(leaf).unwrap());
    node.encryption_key = own;
    node.leaf_node_source = LeafNodeSource::Commit(merged.leaf_parent_hash);
    node.sign(&crypto, &client.signer.private, GROUP_ID, leaf).unwrap();
    tree.set_path(leaf, node.into(), merged.parents).unwrap();
}

/// The same with keys whose private halves are known.
fn draw_path(tree: &mut RatchetTree, client: &Client, leaf: u32) -> NewPath {
    let length = tree.filtered_direct_path(LeafIndex(leaf)).unwrap().len();
    let path = NewPath::generate(&crypto(), length, &seed(&mut rng(PATH + leaf))).unwrap();
    set_path(tree, client, leaf, path.leaf.public.clone(), &path.public_keys());
    path
}

/// What a member takes from a path that another has drawn.
fn hand_over(tree: &RatchetTree, member: u32, keys: &mut PrivateKeys, from: u32, path: &NewPath) {
    keys.forget_outdated(tree, LeafIndex(member)).unwrap();
    let steps = tree.filtered_direct_path(LeafIndex(from)).unwrap();
    let shared = steps.iter().zip(&path.key_pairs);
    let shared = shared.filter(|(step, _)| step.node.contains(LeafIndex(member)));
    keys.extend(shared.map(|(_, pair)| pair.clone()));
}

/// Follows a commit from its bytes.
fn process(member: &mut Member, roster: &Roster, message: &[u8]) -> Followed {
    let crypto = crypto();
    let transition = member.public.apply(&crypto, roster, message).unwrap();
    member.follow(&crypto, &transition).unwrap()
}

fn warm(c: &mut Criterion) {
    for n in [1_000, 5_000, 10_000, 50_000] {
        let clients = clients(n + 1);
        let (newcomer, clients) = clients.split_last().expect("n + 1 clients");
        let warm = Warm::new(clients);
        let Warm { committer, sibling, mean, roster } = &warm;
        let message = warm.commit(&[]).message;
        let mut group = c.benchmark_group("warm");
        for (name, member) in [("process", mean), ("process_as_sibling", sibling)] {
            assert_eq!(process(&mut member.clone(), roster, &message), Followed::Advanced);
            group.bench_function(BenchmarkId::new(name, n), |b| {
                b.iter_batched_ref(
                    || member.clone(),
                    |member| process(member, roster, black_box(&message)),
                    BatchSize::SmallInput,
                );
            });
        }
        group.bench_function(BenchmarkId::new("apply", n), |b| {
            b.iter(|| mean.public.apply(&crypto(), roster, black_box(&message)).unwrap());
        });
        let transition = mean.public.apply(&crypto(), roster, &message).unwrap();
        group.bench_function(BenchmarkId::new("follow", n), |b| {
            b.iter_batched_ref(
                || mean.clone(),
                |member| member.follow(&crypto(), black_box(&transition)).unwrap(),
                BatchSize::SmallInput,
            );
        });
        group.bench_function(BenchmarkId::new("commit", n), |b| {
            b.iter(|| {
                let mut rng = rng(COMMIT);
                committer.commit(&crypto(), roster, request(black_box(&[])), &mut rng).unwrap()
            });
        });
        let welcome = warm.commit(std::slice::from_ref(newcomer)).welcome.expect("one is added");
        group.sample_size(10).sampling_mode(SamplingMode::Flat);
        group.bench_function(BenchmarkId::new("join", n), |b| {
            let Client { signer, package, secrets } = newcomer;
            b.iter(|| {
                let (welcome, signer) = (black_box(&welcome), signer.clone());
                Member::join(&crypto(), welcome, None, signer, package, secrets).unwrap()
            });
        });
        group.finish();
    }
}

/// One client creates a group and adds all others in its first commit, with a path, and with
/// the tree in the Welcome.
fn create(c: &mut Criterion) {
    let mut group = c.benchmark_group("create");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    for n in [1_000, 10_000, 50_000] {
        let clients = clients(n);
        let (creator, others) = clients.split_first().expect("n clients");
        group.bench_function(BenchmarkId::from_parameter(n), |b| {
            b.iter_batched(
                || request(others),
                |request| {
                    let (crypto, mut rng) = (crypto(), rng(COMMIT));
                    let Client { signer, package, secrets } = creator;
                    let member =
                        Member::create(&crypto, signer.clone(), package, secrets, &mut rng)
                            .unwrap();
                    let roster = Roster::of(&member.public.tree).unwrap();
                    member.commit(&crypto, &roster, request, &mut rng).unwrap()
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, warm, create);
criterion_main!(benches);
