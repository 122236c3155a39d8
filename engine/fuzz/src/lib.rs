//! Hostile input. Each target is a function from bytes to nothing that panics when a promise is
//! broken; libFuzzer drives it (`fuzz_targets/`), and so does a loop that needs no more than the
//! stable compiler (`tests/executions.rs`). `docs/fuzzing.md` has the commands and the figures.
//!
//! | file | what it owns |
//! |---|---|
//! | `limits` | what an input of n bytes may cost, and the measurement of it |
//! | `choices` | the reading of a fuzz input as decisions; changes of byte strings |
//! | `decoders` | a target for each decoder of the engine |
//! | `documents` | targets for certificate chains, traces and scenarios |
//! | `stage` | a group of eight, and its messages |
//! | `forge` | what somebody who holds a member's secrets can make |
//! | `process` | messages to a member |
//! | `entry` | Welcomes and group infos to a client that enters |
//! | `worst` | the worst messages of an insider that are known |
//! | `trees` | changed ratchet trees and group infos, signed again |

mod choices;
mod decoders;
mod documents;
mod entry;
mod forge;
pub mod limits;
mod process;
mod stage;
mod trees;
#[cfg(test)]
mod worst;

pub use choices::{Choices, mutate};

/// Something that takes bytes from outside.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, also that of its libFuzzer binary.
    pub name: &'static str,
    /// Takes one input; panics when a promise is broken.
    pub run: fn(&[u8]),
    /// Inputs to begin with. The inputs of a target without any are decisions, not encodings.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Of how many executions it gets one, relative to the decoders' one in one.
    pub one_in: u64,
}

/// All targets.
pub fn targets() -> Vec<Target> {
    [decoders::targets(), documents::targets(), process::targets(), entry::targets()].concat()
}

/// The target of a name.
pub fn target(name: &str) -> Option<Target> {
    targets().into_iter().find(|target| target.name == name)
}

/// Runs one target on one input: all that a libFuzzer binary does.
pub fn run(name: &str, input: &[u8]) {
    let target = target(name).unwrap_or_else(|| panic!("there is no target {name}"));
    (target.run)(input);
}
