//! The machine's side of a run: clocks, memory, processors. Nothing here reaches a digest.

#![allow(clippy::disallowed_types, reason = "this is where the host's clocks are read")]

use std::fs;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use arboretum_results::Machine;

/// The host's wall clock, for telling people how long something took.
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn wall_s(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

/// What this machine calls itself: letters, digits and dashes; `host` where it cannot be told.
pub(crate) fn name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let plain: String =
        name.trim().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(64).collect();
    if plain.is_empty() { "host".into() } else { plain }
}

/// Seconds since the Unix epoch.
pub(crate) fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Processor time of this process so far, user and system, in seconds; 0 where it cannot be
/// read.
pub(crate) fn cpu_s() -> f64 {
    cpu_of("/proc/self/stat")
}

/// The same of this thread.
pub(crate) fn thread_cpu_s() -> f64 {
    cpu_of("/proc/thread-self/stat")
}

fn cpu_of(file: &str) -> f64 {
    // Fields 14 and 15, counted after the parenthesised name; 100 ticks a second on every Linux
    // that matters here.
    let stat = fs::read_to_string(file).unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn proc_kib(file: &str, key: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim_start_matches(':').split_whitespace().next()?.parse().ok()
}

/// The most memory this process has held, in MiB; 0 where it cannot be read.
pub(crate) fn peak_rss_mib() -> f64 {
    proc_kib("/proc/self/status", "VmHWM").map_or(0.0, |kib| kib as f64 / 1024.0)
}

/// Memory that could be had now, in MiB.
pub(crate) fn available_mib() -> Option<u64> {
    proc_kib("/proc/meminfo", "MemAvailable").map(|kib| kib / 1024)
}

/// What machine this is.
pub(crate) fn machine() -> Machine {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
    let cpu = model.map_or("unknown", |model| model.trim_start_matches([' ', '\t', ':']));
    Machine {
        cpu: cpu.into(),
        cores: std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32),
        memory_mib: proc_kib("/proc/meminfo", "MemTotal").unwrap_or(0) / 1024,
        os: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
    }
}
