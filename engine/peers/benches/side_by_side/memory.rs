//! What one client more in a group takes of the process's memory: the live heap before and after
//! it has joined. What C libraries allocate for themselves is not seen.
//!
//! A client of ours is one of the simulator's, which share everything public (`SharedTreeKem`):
//! the whole heap of a group divided by its members. A client of another implementation keeps
//! a state of its own.

use std::path::Path;

use arboretum_engine::crypto::{RealProvider, Seed};
use arboretum_engine::protocol::{ClientId, Order, Protocol, Seeds, SharedTreeKem};
use arboretum_engine::strategy::Strategy;
use arboretum_peers::OurGroup;
use peak_alloc::PeakAlloc;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::{KINDS, SIZES, peer};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// A measurement.
pub(super) struct Heap {
    pub(super) kind: &'static str,
    pub(super) members: u32,
    pub(super) bytes: u64,
}

struct TestSeeds;

impl Seeds for TestSeeds {
    fn seed(&self, domain: &'static str, entity: u64, counter: u64) -> Seed {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&entity.to_be_bytes());
        key[8..16].copy_from_slice(&counter.to_be_bytes());
        for (at, byte) in domain.bytes().enumerate() {
            key[16 + at % 16] ^= byte;
        }
        let mut seed = Seed::default();
        ChaCha20Rng::from_seed(key).fill_bytes(&mut seed);
        seed
    }
}

/// The live heap that is left by what `make` gives, in bytes.
fn grown<T>(make: impl FnOnce() -> T) -> (T, u64) {
    let before = ALLOCATOR.current_usage();
    let made = make();
    (made, (ALLOCATOR.current_usage().saturating_sub(before)) as u64)
}

/// All `n` clients of a group of the simulator, each of which has joined.
fn ours(n: u32) -> SharedTreeKem<TestSeeds> {
    let mut group = SharedTreeKem::new(&RealProvider, TestSeeds, Strategy::default()).unwrap();
    let clients: Vec<_> = (0..n).map(ClientId).collect();
    clients.iter().for_each(|client| _ = group.register(*client, 1).unwrap());
    group.create(clients[0]).unwrap();
    let (by, adds) = (clients[0], clients[1..].to_vec());
    let draft = group.commit(Order { by, adds, removes: vec![], now: 1 }).unwrap();
    group.accept(draft, &[]).unwrap();
    clients.iter().for_each(|client| _ = group.advance(*client, 1).unwrap());
    group.release_before(1);
    group
}

/// Measures all implementations at all sizes.
pub(super) fn measure() -> Vec<Heap> {
    let mut heaps = vec![];
    for members in SIZES {
        let mut group = OurGroup::cold(members - 1);
        for kind in KINDS {
            let bytes = if kind == "arboretum" {
                grown(|| ours(members)).1 / u64::from(members)
            } else {
                let mut client = peer(kind);
                let welcome = group.invite(&client.key_package().unwrap());
                grown(|| client.join(&welcome).unwrap()).1
            };
            println!("memory/{kind}/{members}: {bytes} bytes");
            heaps.push(Heap { kind, members, bytes });
        }
    }
    heaps
}

fn path(target: &Path) -> std::path::PathBuf {
    target.join("criterion/memory.csv")
}

/// Keeps the measurements beside criterion's.
pub(super) fn write(target: &Path, heaps: &[Heap]) -> std::io::Result<()> {
    let rows = heaps.iter().map(|heap| format!("{},{},{}\n", heap.kind, heap.members, heap.bytes));
    std::fs::create_dir_all(target.join("criterion"))?;
    std::fs::write(path(target), rows.collect::<String>())
}

/// The measurements that were kept; none if there are none.
pub(super) fn read(target: &Path) -> Vec<Heap> {
    let text = std::fs::read_to_string(path(target)).unwrap_or_default();
    let heap = |line: &str| {
        let mut cells = line.split(',');
        let kind = cells.next()?;
        let kind = KINDS.into_iter().find(|known| *known == kind)?;
        Some(Heap {
            kind,
            members: cells.next()?.parse().ok()?,
            bytes: cells.next()?.parse().ok()?,
        })
    };
    text.lines().filter_map(heap).collect()
}
