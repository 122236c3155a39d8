//! How much a request may ask for. The server keeps what it is told and clients never have to
//! come back, so everything has a limit.

use crate::refusal::{Field, Refusal};

/// The longest request, in bytes: room for a group of some ten thousand members, whose ratchet
/// tree and group info come with it.
pub const MAX_REQUEST: usize = 16 << 20;
/// The longest identity, group identifier, identifier of a pre-shared key, and label, in bytes.
/// Each is copied into many messages; real ones are names, keys and hashes.
pub const MAX_NAME: usize = 1 << 10;
/// The longest pre-shared key, in bytes; a hash function's output is at most 64.
pub const MAX_PSK: usize = 1 << 10;
/// The most entries of one list: proposals, key packages, extensions, keys. Each costs a
/// signature or more before the whole is known to be good.
pub const MAX_LIST: usize = 1 << 10;
/// How many states, transactions and signers are held at once. The runner frees the states that
/// it knows of at the end of a script and never a signer, so some always stay behind: this many
/// last for all of its scripts in all modes many times over, and not for filling the memory.
pub const MAX_HELD: usize = 1 << 16;
/// How many pre-shared keys are given to one state or transaction.
pub const MAX_PSKS: usize = 1 << 10;
/// Of how many past epochs a state still reads late application messages. The runner's scripts
/// look back by one; a few more cost little here and forward secrecy is not what is tested.
pub const PAST_EPOCHS: usize = 4;
/// Of how many epochs a state keeps the resumption key: longer than a script.
pub const RESUMPTION_EPOCHS: u64 = 1 << 10;

/// Checks the length of a field.
pub(crate) fn at_most(field: impl Into<Field>, bytes: &[u8], most: usize) -> Result<(), Refusal> {
    match bytes.len() {
        length if length > most => Err(Refusal::TooLong { field: field.into(), length, most }),
        _ => Ok(()),
    }
}

/// Checks the length of a list.
pub(crate) fn few<T>(field: &'static str, list: &[T]) -> Result<(), Refusal> {
    match list.len() {
        count if count > MAX_LIST => {
            Err(Refusal::TooMany { field: field.into(), count, most: MAX_LIST })
        }
        _ => Ok(()),
    }
}
