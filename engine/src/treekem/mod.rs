//! TreeKEM: path secrets and update paths (RFC 9420 §7.4 to §7.6), the key schedule (§8) and
//! the Welcome (§12.4.3.1).

mod key_schedule;
mod private_keys;
mod update_path;
mod welcome;

pub use key_schedule::{EpochSecrets, JoinerSecret, WelcomeKey};
pub use private_keys::PrivateKeys;
pub use update_path::{
    MergedPath, NewPath, OpenedPath, PathError, PathSecret, UpdatePath, UpdatePathNode,
    expected_ciphertexts, merge_path, recipients,
};
pub use welcome::{EncryptedGroupSecrets, GroupSecrets, Welcome, WelcomeError};
