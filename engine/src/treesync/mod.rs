//! The authenticated public tree: leaf nodes, key packages, proposals applied, tree hash,
//! parent hash, and what makes a tree from outside believable (RFC 9420 §7, §10, §12.1).

mod apply;
mod free_tree;
mod held;
mod key_package;
mod leaf_node;
mod negotiate;
mod parent_hash;
mod paths;
mod proposal;
mod proposal_list;
mod quarantine;
mod ratchet_tree;
mod roster;
mod taints;
mod tree_hash;
mod validate;

pub use apply::{
    AppliedProposals, Move, ProposalContext, ProposalError, apply_add, apply_proposals,
    apply_remove, apply_update, check_package,
};
pub(crate) use apply::{add_leaf, leave_path};
pub(crate) use held::keys_held;
pub use key_package::{KeyPackage, KeyPackageSecrets, Profile};
pub use leaf_node::{
    Capabilities, Credential, CredentialType, Extension, ExtensionType, ExternalSender, LeafNode,
    LeafNodeError, LeafNodeSource, Lifetime, ProposalType, ProtocolVersion, RequiredCapabilities,
};
pub use negotiate::{grease, negotiate};
pub use parent_hash::{copath_hash, count_parent_hash_checks, parent_hash, verify_parent_hashes};
pub(crate) use paths::merge_paths;
pub use paths::{AppliedPath, MAX_PATH_NODES, MAX_PATHS, ProposedPath};
pub use proposal::{PreSharedKeyId, Proposal, ProposalOrRef, PskType, ReInit, ResumptionPskUsage};
pub use proposal_list::{ListRules, Listed, Purpose, check_list};
pub use quarantine::{
    GhostSource, HOLDERS, OwnerSource, Quarantine, QuarantineError, THRESHOLD, agreement,
};
pub use ratchet_tree::{
    DecodeTreeError, ParentNode, RatchetData, RatchetTree, decode_tree, decode_tree_of,
    encode_tree, encoded_tree_length,
};
pub use roster::{LeafKeys, Roster, RosterChange, RosterDraft};
pub use taints::tainted_by;
pub(crate) use taints::{is_tainted, may_be_tainted};
pub use tree_hash::{blank_subtree_hash, subtree_hash, tree_hash};
pub use validate::{
    ExpectedSource, LeafRules, TreeError, check_commits, check_distinct, check_encryption_key,
    check_source, validate_tree,
};
