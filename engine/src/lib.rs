//! Group key agreement on trees, for measuring it.
//!
//! A group is followed in three steps. A member makes a commit with [`group::Member::commit`].
//! Everybody else checks it in public, [`group::PublicGroup::apply`], which needs no secret and
//! gives a [`group::Transition`]; and then in private, [`group::Member::follow`]. All work goes
//! through a [`crypto::Crypto`], which counts it.
//!
//! The crate is pure: no clock, no files, no randomness but what the caller gives it.
//!
//! | room | what it owns |
//! |---|---|
//! | [`codec`] | encodings (RFC 9420 §2.1) |
//! | [`crypto`] | cipher suites, labelled operations, the ledger (§5.1) |
//! | [`tree`] | the one persistent tree, its shapes and aggregates (§4, §7.7) |
//! | [`strategy`] | how a group keeps its tree: placement, removal, shape, compaction |
//! | [`treesync`] | leaf nodes, proposals, tree hash, parent hash, validation (§7, §10, §12.1) |
//! | [`treekem`] | path secrets, update paths, key schedule, Welcome (§7.4–§7.6, §8) |
//! | [`treedem`] | framing, message protection, the secret tree (§6, §9) |
//! | [`group`] | the group state machine over these (§11, §12); [`group::Session`] is a whole client |
//! | [`art`] | Asynchronous Ratcheting Trees, draft-barnes-mls-protocol-00 |
//! | [`protocol`] | all clients of one group, in full or with shared work |
//! | [`counted`] | groups in counts: experiments of millions of operations |

pub mod art;
pub mod codec;
pub mod counted;
pub mod crypto;
pub mod group;
pub mod protocol;
pub mod strategy;
pub mod tree;
pub mod treedem;
pub mod treekem;
pub mod treesync;
