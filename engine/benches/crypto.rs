//! The unit costs of a cipher suite: `cargo bench -p arboretum-engine --bench crypto`.
//!
//! `real` is what a device profile prices and what `full` and `shared` spend; `counting` must
//! stay so far below it that a `counted` run is bound by the engine's own work.

use std::hint::black_box;

use arboretum_engine::crypto::{
    CountingProvider, Crypto, Labelled, Provider, RealProvider, SignatureKeyPair, SignedItem,
};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};

/// About a leaf node, and about a tree hash input.
const CONTENT: usize = 300;
/// A path secret.
const PLAINTEXT: usize = 32;
/// An `EncryptContext` around a `GroupContext`.
const INFO: usize = 120;

fn symmetric(group: &mut BenchmarkGroup<'_, WallTime>, provider: &dyn Provider) {
    let content = [7; CONTENT];
    let key = [1; 16];
    let nonce = [2; 12];
    let sealed = provider.aead_seal(&key, &nonce, &[], &content).unwrap();
    group.bench_function("hash", |b| b.iter(|| provider.hash(&[black_box(&content)])));
    group.bench_function("extract", |b| b.iter(|| provider.extract(&[3; 32], black_box(&[4; 32]))));
    group.bench_function("expand", |b| {
        b.iter(|| provider.expand(&[3; 32], black_box(&[4; 48]), 32));
    });
    group.bench_function("aead_seal", |b| {
        b.iter(|| provider.aead_seal(&key, &nonce, &[], black_box(&content)));
    });
    group.bench_function("aead_open", |b| {
        b.iter(|| provider.aead_open(&key, &nonce, &[], black_box(&sealed)));
    });
}

fn hpke(group: &mut BenchmarkGroup<'_, WallTime>, provider: &dyn Provider) {
    let pair = provider.derive_key_pair(&[5; 32]).unwrap();
    let (info, plaintext) = (provider.hpke_info(&[6; INFO]), [7; PLAINTEXT]);
    let sealed = provider.hpke_seal(&pair.public, &info, &plaintext, &[8; 32]).unwrap();
    group.bench_function("derive_key_pair", |b| {
        b.iter(|| provider.derive_key_pair(black_box(&[5; 32])));
    });
    group.bench_function("hpke_seal", |b| {
        b.iter(|| provider.hpke_seal(&pair.public, &info, &plaintext, black_box(&[8; 32])));
    });
    group.bench_function("hpke_open", |b| {
        b.iter(|| provider.hpke_open(&pair, &info, black_box(&sealed)));
    });
}

fn signatures(group: &mut BenchmarkGroup<'_, WallTime>, provider: &dyn Provider) {
    let SignatureKeyPair { private, public } = provider.signature_key_pair(&[9; 32]);
    let content = [7; CONTENT];
    let signature = provider.sign(&private, &content).unwrap();
    let item = SignedItem { key: &public, content: &content, signature: &signature };
    group.bench_function("signature_key_pair", |b| {
        b.iter(|| provider.signature_key_pair(black_box(&[9; 32])));
    });
    group.bench_function("sign", |b| b.iter(|| provider.sign(&private, black_box(&content))));
    group.bench_function("verify", |b| b.iter(|| provider.verify(black_box(item))));
}

/// Batches from distinct keys, on the calling thread up to one chunk; time is a signature's.
fn batches(group: &mut BenchmarkGroup<'_, WallTime>, provider: &dyn Provider) {
    let crypto = Crypto::new(provider);
    let signed: Vec<_> = (0..1024_u32)
        .map(|i| {
            let mut seed = [0; 32];
            seed[..4].copy_from_slice(&i.to_be_bytes());
            let pair = provider.signature_key_pair(&seed);
            let content = vec![i as u8; CONTENT];
            let signature = crypto.sign_with_label(&pair.private, "LeafNodeTBS", &content);
            (pair.public, content, signature.unwrap())
        })
        .collect();
    let items: Vec<_> = signed
        .iter()
        .map(|(key, content, signature)| Labelled {
            key,
            label: "LeafNodeTBS",
            content: content.clone(),
            signature,
        })
        .collect();
    for size in [2, 4, 8, 16, 64, 128, 256, 512, 1024] {
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(format!("verify_all/{size}"), |b| {
            b.iter(|| crypto.verify_all_with_label(black_box(&items[..size])));
        });
    }
}

fn labelled(group: &mut BenchmarkGroup<'_, WallTime>, provider: &dyn Provider) {
    let crypto = Crypto::new(provider);
    let secret = crypto.zero();
    group.bench_function("derive_secret", |b| {
        b.iter(|| crypto.derive_secret(black_box(&secret), "node"));
    });
}

fn suites(c: &mut Criterion) {
    let providers: [(&str, &dyn Provider); 2] =
        [("real", &RealProvider::new()), ("counting", &CountingProvider::new())];
    for (name, provider) in providers {
        let mut group = c.benchmark_group(name);
        symmetric(&mut group, provider);
        hpke(&mut group, provider);
        signatures(&mut group, provider);
        labelled(&mut group, provider);
        batches(&mut group, provider);
    }
}

criterion_group!(benches, suites);
criterion_main!(benches);
