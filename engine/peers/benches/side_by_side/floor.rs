//! What no implementation can do without: the primitives alone, on inputs of the same sizes, with
//! the same library and on the same threads as our engine's.

use std::hint::black_box;

use arboretum_engine::crypto::{CipherSuite, Crypto, Provider, Sealed, Seed, SignedItem, provider};
use arboretum_engine::group::CommitCost;
use criterion::{BenchmarkId, Criterion, SamplingMode};

use super::{OurGroup, SUITE, World};

fn suite() -> &'static dyn Provider {
    provider(CipherSuite(SUITE)).expect("the suite is built")
}

/// A commit in a cold tree of `n` is sealed as often as the commit that is measured.
pub(super) fn commit_cold(c: &mut Criterion, n: u32) {
    let mut world = World::new(OurGroup::cold(n - 1), "arboretum");
    let commit = world.client.commit(&[], &[]).expect("a member can commit");
    let cost = CommitCost::read(&commit.message, None).expect("it is a public message");
    let crypto = Crypto::new(suite());
    let to = crypto.provider().derive_key_pair(&[1; 32]).expect("a secret has a key pair").public;
    let sealed = |member: u32| {
        let mut seed = Seed::default();
        seed[..4].copy_from_slice(&member.to_be_bytes());
        Sealed { to: &to, plaintext: &[2; 32], seed }
    };
    let items: Vec<_> = (0..cost.ciphertexts as u32).map(sealed).collect();
    let mut bench = c.benchmark_group("commit/cold");
    bench.sample_size(10).sampling_mode(SamplingMode::Flat);
    bench.bench_function(BenchmarkId::new("floor", n), |b| {
        b.iter(|| crypto.encrypt_all_with_label("UpdatePathNode", &[3; 200], black_box(&items)));
    });
}

/// A public message is hashed for its signature, its membership tag and the transcript.
pub(super) fn process_cold(c: &mut Criterion, n: u32) {
    let message = OurGroup::cold(n).commit();
    let provider = suite();
    let pair = provider.signature_key_pair(&[1; 32]);
    let signature = provider.sign(&pair.private, &message).expect("a message can be signed");
    let item = SignedItem { key: &pair.public, content: &message, signature: &signature };
    let mut bench = c.benchmark_group("process/cold");
    bench.sample_size(10).sampling_mode(SamplingMode::Flat);
    bench.bench_function(BenchmarkId::new("floor", n), |b| {
        b.iter(|| {
            provider.verify(black_box(item)).expect("it has been signed");
            black_box(provider.mac(&[2; 32], &[&message]));
            black_box(provider.hash(&[&message]))
        });
    });
}
