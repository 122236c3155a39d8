//! What handling an input of n bytes may cost: [`PEAK_BASE`] + [`PEAK_PER_BYTE`] · n bytes of
//! memory at the peak, and [`TIME_BASE`] + [`TIME_PER_MIB`] · n / 2^20 of time. Both are asserted
//! around every call of the engine that a target makes.

use std::sync::Mutex;
use std::time::Duration;
#[allow(clippy::disallowed_types, reason = "it measures the host")]
use std::time::Instant;

use peak_alloc::PeakAlloc;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// What a small input may allocate at the peak, in bytes: mostly the keys of [`MAX_SKIP`] messages
/// that a receiver is made to derive and keep.
///
/// [`MAX_SKIP`]: arboretum_engine::treedem::MAX_SKIP
pub const PEAK_BASE: usize = 1 << 20;

/// What each byte of an input may allocate at the peak, in bytes. The worst is a list of references
/// to proposals, two bytes each: decoded, one takes as much as the largest proposal, and while its
/// vector grows it is there one and a half times more.
pub const PEAK_PER_BYTE: usize = 512;

/// How long a small input may take. A slow machine under other load is part of it.
pub const TIME_BASE: Duration = Duration::from_secs(1);

/// How much longer an input of a mebibyte may take.
pub const TIME_PER_MIB: Duration = Duration::from_secs(4);

/// The most that was spent so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    /// Calls that were measured.
    pub calls: u64,
    /// The highest peak in bytes, and the length of the input it came from.
    pub peak: (usize, usize),
    /// The most that a peak had above [`PEAK_PER_BYTE`] for each byte: what [`PEAK_BASE`] is for.
    pub base: usize,
    /// The longest time, and the length of the input it came from.
    pub time: (Duration, usize),
}

static SPENT: Mutex<Option<Spent>> = Mutex::new(None);

/// What was spent since the last time this was asked.
pub fn take_spent() -> Spent {
    let mut spent = SPENT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    spent.take().unwrap_or_default()
}

/// What an input of this length may allocate at the peak, in bytes.
pub fn peak_bound(length: usize) -> usize {
    PEAK_BASE + PEAK_PER_BYTE * length
}

/// How long an input of this length may take.
pub fn time_bound(length: usize) -> Duration {
    TIME_BASE + TIME_PER_MIB.mul_f64(length as f64 / (1 << 20) as f64)
}

/// Does the work that an input of `length` bytes causes, within the limits.
#[allow(clippy::disallowed_types, reason = "it measures the host")]
pub fn within<T>(length: usize, work: impl FnOnce() -> T) -> T {
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let start = Instant::now();
    let result = work();
    let time = start.elapsed();
    let peak = HEAP.peak_usage().saturating_sub(before);
    note(length, peak, time);
    assert!(peak <= peak_bound(length), "{peak} bytes allocated for an input of {length} bytes");
    assert!(time <= time_bound(length), "{time:?} taken for an input of {length} bytes");
    result
}

fn note(length: usize, peak: usize, time: Duration) {
    let mut spent = SPENT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let spent = spent.get_or_insert_default();
    spent.calls += 1;
    spent.peak = spent.peak.max((peak, length));
    spent.time = spent.time.max((time, length));
    spent.base = spent.base.max(peak.saturating_sub(PEAK_PER_BYTE * length));
}
