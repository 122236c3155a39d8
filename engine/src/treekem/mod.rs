//! TreeKEM: path secrets and update paths (RFC 9420 §7.4 to §7.6), the key schedule with its
//! group context and pre-shared keys (§8), and the Welcome with its group info (§12.4.3). Beside
//! them, in `refresh`, Tainted TreeKEM, and in `concurrent` paths that are proposed.

mod ciphertexts;
mod concurrent;
mod group_info;
mod key_schedule;
mod private_keys;
mod psk;
mod refresh;
mod update_path;
mod welcome;

pub use ciphertexts::Ciphertexts;
pub(crate) use concurrent::{keys_above, keys_gained};
pub use group_info::{GroupContext, GroupInfo};
pub use key_schedule::{EXTERNAL_INIT_LABEL, EpochSecrets, JoinerSecret, WelcomeKey};
pub use private_keys::PrivateKeys;
pub use psk::{PskError, PskStore};
pub use refresh::RefreshSet;
pub(crate) use refresh::{Climb, keys_told};
pub(crate) use update_path::key_of;
pub use update_path::{
    MergedPath, NewPath, OpenedPath, PathError, PathSecret, UpdatePath, UpdatePathNode,
    expected_ciphertexts, merge_path, recipients,
};
pub use welcome::{EncryptedGroupSecrets, GroupSecrets, Welcome, WelcomeError};
