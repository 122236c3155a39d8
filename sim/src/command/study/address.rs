//! What a cell is found by again: what it runs, down to the bytes of a trace, and the sources that
//! decide what it comes to. A program of other sources runs everything anew.

use std::fs::File;
use std::io;
use std::path::Path;

use arboretum_workloads::Job;
use sha2::{Digest, Sha256};

/// Letters of an address: 64 bits keep a hundred thousand cells apart.
const LENGTH: usize = 16;

/// The address of a job; `toml` is the job as resolved.
pub(in crate::command) fn address(job: &Job, toml: &str) -> io::Result<String> {
    let mut hash = Sha256::new();
    hash.update(SOURCES);
    hash.update(toml);
    if let Job::Scenario(scenario) = job
        && let Some(trace) = &scenario.workload.trace
    {
        hash.update(digest(trace)?);
    }
    let mut text = hex::encode(hash.finalize());
    text.truncate(LENGTH);
    Ok(text)
}

/// The digest of the sources that decide what a run comes to (`build.rs`), hexadecimal.
pub(in crate::command) const SOURCES: &str = env!("ARBORETUM_SOURCES");

fn digest(path: &Path) -> io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    io::copy(&mut File::open(path)?, &mut Writer(&mut hash))?;
    Ok(hash.finalize().into())
}

/// A hash that bytes are written into.
struct Writer<'h>(&'h mut Sha256);

impl io::Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
