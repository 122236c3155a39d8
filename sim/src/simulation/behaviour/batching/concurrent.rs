//! `concurrent:R`: before a member commits, R members online, drawn at random, propose whole paths, and it
//! covers them by reference (`engine/src/treekem/concurrent.rs`: what is sent, why everybody heals, what
//! is traded). Otherwise as `propose-commit:R`. The group must agree on it: the choice brings
//! `proposals=paths` along.
//!
//! Sent: an update path by each of the R, received and verified by everybody, and a commit that names each by a
//! hash. One epoch renews R + 1 members in place of one, for log2 n ciphertexts each; only parents
//! where paths meet are blanked, about R of them at the top of the tree, where an Update blanks a whole path.
//!
//! What it trades: what `propose-commit` does in waiting, and proposals that are in vain are whole paths. An
//! extension of RFC 9420, and research.

use arboretum_engine::protocol::{ClientId, Joined, Protocol, ProtocolError};

/// What a member sends.
pub(super) fn propose(
    protocol: &mut dyn Protocol,
    client: ClientId,
) -> Result<Joined, ProtocolError> {
    protocol.propose_path(client)
}
