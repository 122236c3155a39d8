//! The loop that drives all targets with the stable compiler: inputs follow from a seed, the
//! target's name and a number, so that each is made again without those before it.
//!
//! Environment: `FUZZ_EXECUTIONS` in all, `FUZZ_SEED`, `FUZZ_TARGET` for one target alone,
//! `FUZZ_FIRST` for its first number, `FUZZ_INPUT` for the file of one input instead.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
#[allow(clippy::disallowed_types, reason = "it measures the host")]
use std::time::Instant;

use arboretum_fuzz::limits::{Spent, take_spent};
use arboretum_fuzz::{Choices, Target, mutate, target, targets};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// What runs in the tests that everybody runs: about a minute.
const EXECUTIONS: u64 = 300_000;

/// After so long within one input it hangs.
const HANGS_AFTER: Duration = Duration::from_secs(30);

/// The longest input of decisions, and of noise.
const LONGEST: usize = 256;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.replace('_', "").parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// The input of a number.
fn input(target: &Target, seeds: &[Vec<u8>], seed: u64, at: u64) -> Vec<u8> {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_be_bytes());
    let name = target.name.as_bytes();
    let named = name.len().min(24);
    key[8..8 + named].copy_from_slice(&name[..named]);
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(at);
    let mut drawn = [0; LONGEST];
    let length = 8 << (rng.next_u32() % 6);
    rng.fill_bytes(&mut drawn[..length]);
    let mut choices = Choices::new(&drawn[..length]);
    if seeds.is_empty() || choices.one_in(32) {
        return choices.bytes(LONGEST).to_vec();
    }
    let (mut input, other) = (choices.pick(seeds).clone(), choices.pick(seeds));
    for _ in 0..choices.below(5) {
        mutate(&mut input, other, &mut choices);
    }
    input
}

/// How far the loop is, for who watches it.
static DONE: AtomicU64 = AtomicU64::new(0);

/// Ends the process when one input takes too long.
fn watch() {
    std::thread::spawn(|| {
        let mut seen = u64::MAX;
        loop {
            let now = DONE.load(Ordering::Relaxed);
            if now == seen {
                eprintln!("it hangs in the execution that follows number {now}");
                std::process::exit(1);
            }
            seen = now;
            std::thread::sleep(HANGS_AFTER);
        }
    });
}

/// Runs a target; gives what it took, or nothing if it panicked.
#[allow(clippy::disallowed_types, reason = "it measures the host")]
fn drive(target: &Target, seed: u64, first: u64, count: u64) -> Option<(Duration, Spent)> {
    let seeds = (target.seeds)();
    // What is made once is made now, and not measured.
    (target.run)(&[]);
    take_spent();
    let start = Instant::now();
    for at in first..first + count {
        let input = input(target, &seeds, seed, at);
        if catch_unwind(AssertUnwindSafe(|| (target.run)(&input))).is_err() {
            let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
            println!("{}: {hex}", target.name);
            println!(
                "again: FUZZ_TARGET={} FUZZ_SEED={seed} FUZZ_FIRST={at} FUZZ_EXECUTIONS=1 cargo \
                 test -p arboretum-fuzz --test executions",
                target.name
            );
            return None;
        }
        DONE.fetch_add(1, Ordering::Relaxed);
    }
    Some((start.elapsed(), take_spent()))
}

fn report(name: &str, count: u64, time: Duration, spent: &Spent) {
    let rate = count as f64 / time.as_secs_f64();
    let ((peak, at), (longest, of)) = (spent.peak, spent.time);
    println!(
        "{name:<22}{count:>10}{:>9.1}{rate:>10.0}{:>10}{peak:>12}{at:>9}{:>10}{:>12.1}{of:>9}",
        time.as_secs_f64(),
        spent.calls,
        spent.base,
        longest.as_secs_f64() * 1e3,
    );
}

/// How many executions each target gets.
fn shares(all: u64, targets: &[Target]) -> Vec<u64> {
    let parts: f64 = targets.iter().map(|target| 1.0 / target.one_in as f64).sum();
    let share = |target: &Target| (all as f64 / parts / target.one_in as f64).ceil() as u64;
    targets.iter().map(share).collect()
}

fn main() -> ExitCode {
    let name = std::env::var("FUZZ_TARGET").ok();
    let chosen = match &name {
        Some(name) => vec![target(name).unwrap_or_else(|| panic!("there is no target {name}"))],
        None => targets(),
    };
    if let Ok(path) = std::env::var("FUZZ_INPUT") {
        let input = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        chosen.iter().for_each(|target| (target.run)(&input));
        return ExitCode::SUCCESS;
    }
    let seed = number("FUZZ_SEED").unwrap_or(1);
    let first = number("FUZZ_FIRST").unwrap_or(0);
    let all = number("FUZZ_EXECUTIONS").unwrap_or(EXECUTIONS);
    println!("seed {seed}, {all} executions");
    println!(
        "{:<22}{:>10}{:>9}{:>10}{:>10}{:>12}{:>9}{:>10}{:>12}{:>9}",
        "target",
        "executed",
        "s",
        "a second",
        "calls",
        "peak bytes",
        "of bytes",
        "base",
        "longest ms",
        "of bytes",
    );
    watch();
    let (mut done, mut spent_in_all) = (0, Duration::ZERO);
    for (target, count) in chosen.iter().zip(shares(all, &chosen)) {
        let Some((time, spent)) = drive(target, seed, first, count) else {
            return ExitCode::FAILURE;
        };
        report(target.name, count, time, &spent);
        done += count;
        spent_in_all += time;
    }
    println!("{done} executions in {:.1} s, no promise broken", spent_in_all.as_secs_f64());
    ExitCode::SUCCESS
}
