//! Our engine, OpenMLS and mls-rs side by side: the same operations on the same groups, which our
//! engine has built; suite 1, basic credentials, public handshakes, from wire bytes to wire bytes.
//!
//! *Cold*: the first member has added all others, and nobody else has committed. *Warm*: every
//! member has committed since. The client that is measured is one more in the group.

#![allow(clippy::disallowed_types, reason = "a benchmark measures time")]

mod floor;
mod memory;
mod table;

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use arboretum_peers::{Habits, MlsRs, OpenMls, OurGroup, Ours, Peer, key_packages};
use criterion::{BenchmarkId, Criterion, SamplingMode, criterion_group};

const SUITE: u16 = 1;
const SIZES: [u32; 3] = [100, 1_000, 10_000];
const KINDS: [&str; 3] = ["arboretum", "openmls", "mls-rs"];
const MESSAGES: usize = 1_000;

fn peer(kind: &str) -> Box<dyn Peer> {
    match kind {
        "openmls" => Box::new(OpenMls::new(b"openmls", SUITE, Habits::default()).unwrap()),
        "mls-rs" => Box::new(MlsRs::new(b"mls-rs", SUITE, Habits::default()).unwrap()),
        _ => Box::new(Ours::new(b"arboretum", SUITE, Habits::default(), [7; 32]).unwrap()),
    }
}

/// The time of `iters` runs of `work`, each on what `prepare` makes of the world.
fn timed<W, T>(
    iters: u64,
    world: &mut W,
    mut prepare: impl FnMut(&mut W) -> T,
    mut work: impl FnMut(&mut W, T),
) -> Duration {
    let mut total = Duration::ZERO;
    for _ in 0..iters {
        let prepared = prepare(world);
        let start = Instant::now();
        work(world, prepared);
        total += start.elapsed();
    }
    total
}

/// A group of ours, and a client in it.
struct World {
    group: OurGroup,
    client: Box<dyn Peer>,
}

impl World {
    fn new(mut group: OurGroup, kind: &str) -> Self {
        let mut client = peer(kind);
        let (_, welcome) = group.add(&[client.key_package().unwrap()]);
        client.join(&welcome).unwrap();
        Self { group, client }
    }

    /// The client commits, so that its own path is keyed, and the group follows.
    fn warm_up(&mut self) {
        let commit = self.client.commit(&[], &[]).unwrap();
        self.client.accept_commit().unwrap();
        self.group.follow(&commit.message);
    }
}

fn join(c: &mut Criterion, temperature: &str, n: u32, make: fn(u32) -> OurGroup) {
    let mut bench = c.benchmark_group(format!("join/{temperature}"));
    bench.sample_size(10).sampling_mode(SamplingMode::Flat);
    let mut group = make(n - 1);
    for kind in KINDS {
        bench.bench_function(BenchmarkId::new(kind, n), |b| {
            b.iter_custom(|iters| {
                timed(
                    iters,
                    &mut group,
                    |group| {
                        let mut client = peer(kind);
                        let welcome = group.invite(&client.key_package().unwrap());
                        (client, welcome)
                    },
                    |_, (mut client, welcome)| client.join(black_box(&welcome)).unwrap(),
                )
            });
        });
    }
}

fn commits(c: &mut Criterion, temperature: &str, n: u32, make: fn(u32) -> OurGroup) {
    for kind in KINDS {
        let mut world = World::new(make(n - 1), kind);
        if temperature == "warm" {
            world.warm_up();
        }
        let mut bench = c.benchmark_group(format!("commit/{temperature}"));
        bench.sample_size(10).sampling_mode(SamplingMode::Flat);
        bench.bench_function(BenchmarkId::new(kind, n), |b| {
            b.iter_custom(|iters| {
                timed(
                    iters,
                    &mut world,
                    |world| world.client.discard_commit().unwrap(),
                    |world, ()| _ = black_box(world.client.commit(&[], &[]).unwrap()),
                )
            });
        });
        bench.finish();
        world.client.discard_commit().unwrap();
        let mut bench = c.benchmark_group(format!("process/{temperature}"));
        bench.sample_size(10).sampling_mode(SamplingMode::Flat);
        bench.bench_function(BenchmarkId::new(kind, n), |b| {
            b.iter_custom(|iters| {
                timed(
                    iters,
                    &mut world,
                    |world| world.group.commit(),
                    |world, message| _ = world.client.receive(black_box(&message)).unwrap(),
                )
            });
        });
        bench.finish();
        assert_eq!(world.client.epoch_authenticator().unwrap(), world.group.epoch_authenticator());
    }
}

fn messages(c: &mut Criterion, n: u32) {
    let mut bench = c.benchmark_group("messages");
    bench.sample_size(10).sampling_mode(SamplingMode::Flat);
    for kind in KINDS {
        let mut sender = Ours::new(b"sender", SUITE, Habits::default(), [8; 32]).unwrap();
        let mut group = OurGroup::cold(n - 2);
        let (_, welcome) = group.add(&[sender.key_package().unwrap()]);
        sender.join(&welcome).unwrap();
        let mut receiver = peer(kind);
        let (message, welcome) = group.add(&[receiver.key_package().unwrap()]);
        sender.receive(&message).unwrap();
        receiver.join(&welcome).unwrap();
        let mut world = (sender, receiver);
        bench.bench_function(BenchmarkId::new(kind, n), |b| {
            b.iter_custom(|iters| {
                timed(
                    iters,
                    &mut world,
                    |(sender, _)| {
                        let say = |_| sender.send(&[7; 100]).unwrap();
                        (0..MESSAGES).map(say).collect::<Vec<_>>()
                    },
                    |(_, receiver), messages| {
                        for message in &messages {
                            receiver.receive(black_box(message)).unwrap();
                        }
                    },
                )
            });
        });
    }
}

/// One client makes a group of `n` in one commit, with the tree in the Welcome.
fn create(c: &mut Criterion, n: u32) {
    let mut bench = c.benchmark_group("create");
    bench.sample_size(10).sampling_mode(SamplingMode::Flat);
    let packages = key_packages(n - 1);
    // OpenMLS takes quadratic time: ten samples of 10,000 members would take a quarter of an hour.
    for kind in KINDS.into_iter().filter(|kind| *kind != "openmls" || n <= 1_000) {
        bench.bench_function(BenchmarkId::new(kind, n), |b| {
            b.iter_custom(|iters| {
                timed(
                    iters,
                    &mut (),
                    |()| {
                        let mut client = peer(kind);
                        client.create(b"group").unwrap();
                        client
                    },
                    |(), mut client| _ = black_box(client.commit(&packages, &[]).unwrap()),
                )
            });
        });
    }
}

fn side_by_side(c: &mut Criterion) {
    for n in SIZES {
        for (temperature, make) in
            [("cold", OurGroup::cold as fn(u32) -> OurGroup), ("warm", OurGroup::warm)]
        {
            join(c, temperature, n, make);
            commits(c, temperature, n, make);
        }
        floor::commit_cold(c, n);
        floor::process_cold(c, n);
        messages(c, n);
        create(c, n);
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(1))
        .measurement_time(Duration::from_secs(2));
    targets = side_by_side
}

/// `SPLICE_INTO` names a document to put the table into; `TABLE_ONLY` leaves out the measuring.
fn main() {
    if std::env::var_os("TABLE_ONLY").is_none() {
        table::record(&memory::measure()).expect("the target folder can be written");
        benches();
        Criterion::default().configure_from_args().final_summary();
    }
    print!("{}", table::markdown());
    if let Some(document) = std::env::var_os("SPLICE_INTO") {
        table::splice(Path::new(&document)).expect("the document has its marks");
    }
}
