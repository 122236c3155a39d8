//! `propose-commit:R`: before a member commits, R members online, drawn at random, propose Updates
//! of their own leaves (RFC 9420 §12.1.2), and it covers them by reference. Requests are committed
//! one by one, as with `immediate`.
//!
//! Sent: a proposal with a whole leaf node by each of the R, received and verified by everybody, and
//! a commit that names each by a hash. One epoch renews R + 1 members in place of one, but an Update
//! has no path: it blanks the one above its leaf, and later commits pay for that. With R = 1 the
//! cost of a commit already grows like n to the power of log2(3/2).
//!
//! What it trades: R members more are out of a thief's reach after one epoch, and the tree is cold
//! for good. The committer waits for the proposals, two delays of the slowest and its own, and
//! loses the race more often; what was proposed for it is then in vain. RFC 9420 as it stands.

use arboretum_engine::protocol::{ClientId, Joined, Protocol, ProtocolError};

/// What a member sends.
pub(super) fn propose(
    protocol: &mut dyn Protocol,
    client: ClientId,
) -> Result<Joined, ProtocolError> {
    protocol.propose_update(client)
}
