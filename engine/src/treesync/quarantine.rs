//! Quarantine: a committer makes the keys of a member that has fallen silent, which is a *ghost* from
//! then on, and shares their secret out. Research after Quarantined-TreeKEM (Chevalier, Lebrun,
//! Martinelli, Taleb, CCS 2024, eprint 2023/1903), and no RFC 9420. **The definition is ours**: the body
//! of the paper was not at hand, only its three delays, that shares go to at least three, and what its
//! public code says of itself. That code leaves ghost leaves unsigned and gives shares to subtrees;
//! here both the owner and the committer have signed, and shares go to single members.
//!
//! **What is sent.** A commit carries, by value, a Quarantine proposal (type 0xf7e6, private use) for
//! each ghost: the leaf, its new [`LeafNode`], and for each *holder* that the leaf names a ciphertext
//! of a share, to the holder's leaf key, bound to group, epoch, ghost and key (`group/quarantine.rs`).
//! The leaf gives way to the new one and the path above it is blanked, as by an Update (RFC 9420
//! §12.1.2); the commit must have a path, so that whoever stole the ghost's state is out from that
//! epoch on, and the ghost itself is too, until it has gathered shares. A later proposal for the same
//! leaf renews its key. Any leaf of another source ends the quarantine: the ghost's own commit, its
//! Update, its re-entry, its removal.
//!
//! **The leaf** has the owner's credential, signature key, capabilities and extensions, a source of its
//! own ([`GhostSource`], 0xf7, registered nowhere) and the signature of its *maker*, the committer. The
//! source keeps the key, source and signature of the leaf that the owner last signed, so that a joiner
//! can check both: what the owner wanted, and who has put which key in its place.
//!
//! **Rules**, each with its error: only a group that requires the proposal type of its members has
//! ghosts; only the committer quarantines, and never itself; the owner's part is that of the leaf
//! before; the maker is the committer; holders are [`HOLDERS`] and distinct, any [`THRESHOLD`] of whom
//! find the secret (a free choice of the committer's would let it make a ghost try as many
//! combinations as it likes), and each is a member who follows the commit: not the committer, not new,
//! no ghost. And **who goes, takes no key along**: a commit that removes or quarantines the maker
//! or a holder of another ghost's key renews that too. So each name in a ghost leaf is that of a
//! member who has been there since, and no coalition of removed members holds a key of the tree.
//!
//! **What it trades.** Any two holders of a ghost's shares together know its key, and can read as it
//! would; they are members and read anyway, but only together have they anything to keep for later. A
//! committer can quarantine anybody, as it can remove anybody. Shares cannot be verified: those of a
//! bad committer lead nowhere, and the ghost has to enter anew. Who signs as the ghost is given its
//! shares: quarantine shuts out whoever *read* a state, not one who can sign with what it read.

use tls_codec::{TlsDeserializeBytes, TlsSerialize, TlsSize};

use super::leaf_node::{
    Credential, ExtensionType, LeafNode, LeafNodeSource, Lifetime, ProposalType,
};
use super::ratchet_tree::RatchetTree;
use super::validate::LeafRules;
use crate::crypto::{Digest, HpkeCiphertext, HpkePublicKey, Signature, SignaturePublicKey};
use crate::strategy::Compaction;
use crate::tree::LeafIndex;

/// How many hold a share of a ghost's key: the least that the paper allows.
pub const HOLDERS: usize = 3;

/// How many of them find the key.
pub const THRESHOLD: u8 = 2;

/// The rule that a ghost breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuarantineError {
    /// Nobody has agreed to ghosts.
    #[error("the group does not require proposal type {:#x} of its members", ProposalType::QUARANTINE.0)]
    NotRequired,
    /// The tree is kept in a way that knows no ghosts.
    #[error("there are no ghosts under {0}")]
    Strategy(&'static str),
    /// Somebody proposes it for another to commit.
    #[error("a Quarantine was not sent by the committer")]
    NotByCommitter,
    /// The committer would be its own ghost.
    #[error("the committer quarantines itself")]
    Oneself,
    /// The new leaf has another source.
    #[error("the leaf of a Quarantine is not that of a ghost")]
    NotAGhost,
    /// Something of the owner's has changed.
    #[error("the ghost at {ghost} has another {what} than its owner")]
    NotTheOwners {
        /// Where.
        ghost: LeafIndex,
        /// What.
        what: &'static str,
    },
    /// The leaf lies about its time.
    #[error("the ghost at {ghost} has been one since epoch {found}, not {expected}")]
    Since {
        /// Where.
        ghost: LeafIndex,
        /// The epoch of the first Quarantine.
        expected: u64,
        /// What it says.
        found: u64,
    },
    /// The leaf lies about its maker.
    #[error("the ghost at {0} names a maker who is not the committer")]
    Maker(LeafIndex),
    /// Too few or too many holders.
    #[error("a ghost has {0} holders of shares, not {HOLDERS}")]
    Holders(usize),
    /// Too few shares find the key, or too many are needed.
    #[error("{0} shares find a ghost's key, not {THRESHOLD}")]
    Threshold(u8),
    /// Not one share for each holder.
    #[error("a Quarantine has {found} shares for {expected} holders")]
    Shares {
        /// Holders.
        expected: usize,
        /// Shares.
        found: usize,
    },
    /// A holder twice, or out of order.
    #[error("the holders of a ghost's shares do not ascend")]
    Order,
    /// Somebody who cannot hold a share.
    #[error("{holder} cannot hold a share: it is {what}")]
    Holder {
        /// Who.
        holder: LeafIndex,
        /// What it is.
        what: &'static str,
    },
    /// Somebody goes who knows of a key that stays.
    #[error("{0} goes, who has made or holds a share of the key of a ghost that is not renewed")]
    KeeperGoes(LeafIndex),
}

/// What the owner's leaf came from, of which a ghost's source is none (RFC 9420 §7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
#[repr(u8)]
pub enum OwnerSource {
    /// A key package.
    #[tls_codec(discriminant = 1)]
    KeyPackage(Lifetime),
    /// An Update.
    #[tls_codec(discriminant = 2)]
    Update,
    /// A commit.
    #[tls_codec(discriminant = 3)]
    Commit(Digest),
}

impl From<OwnerSource> for LeafNodeSource {
    fn from(source: OwnerSource) -> Self {
        match source {
            OwnerSource::KeyPackage(lifetime) => Self::KeyPackage(lifetime),
            OwnerSource::Update => Self::Update,
            OwnerSource::Commit(parent_hash) => Self::Commit(parent_hash),
        }
    }
}

/// How a ghost's leaf came to be.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct GhostSource {
    /// The key of the leaf that the owner last signed.
    pub owner_key: HpkePublicKey,
    /// Its source.
    pub owner_source: OwnerSource,
    /// The owner's signature of it.
    pub owner_signature: Signature,
    /// The epoch whose commit made it a ghost.
    pub since: u64,
    /// Where the maker of this key stood, in the epoch of its commit and since.
    pub maker: LeafIndex,
    /// Who it is.
    pub maker_credential: Credential,
    /// The key that it has signed this leaf with.
    pub maker_key: SignaturePublicKey,
    /// How many shares find the key.
    pub threshold: u8,
    /// Who holds one each, ascending.
    pub holders: Vec<LeafIndex>,
}

/// The proposal.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct Quarantine {
    /// Whose leaf it is.
    pub ghost: LeafIndex,
    /// The new leaf.
    pub leaf_node: LeafNode,
    /// A share for each of its holders, in their order.
    pub shares: Vec<HpkeCiphertext>,
}

impl GhostSource {
    /// Who knows something of the key: the holders, and the maker.
    pub fn keepers(&self) -> impl Iterator<Item = LeafIndex> {
        self.holders.iter().copied().chain([self.maker])
    }

    /// The rules that it shows by itself.
    pub fn check(&self) -> Result<(), QuarantineError> {
        let holders = self.holders.len();
        if holders != HOLDERS {
            return Err(QuarantineError::Holders(holders));
        }
        if self.threshold != THRESHOLD {
            return Err(QuarantineError::Threshold(self.threshold));
        }
        if !self.holders.is_sorted_by(|a, b| a < b) {
            return Err(QuarantineError::Order);
        }
        Ok(())
    }
}

impl LeafNode {
    /// What makes it a ghost's, if it is one.
    pub fn ghost(&self) -> Option<&GhostSource> {
        match &self.leaf_node_source {
            LeafNodeSource::Ghost(ghost) => Some(ghost),
            _ => None,
        }
    }

    /// The leaf as its owner last signed it.
    pub fn as_owned(&self) -> Self {
        let mut leaf = self.clone();
        if let LeafNodeSource::Ghost(ghost) = &self.leaf_node_source {
            leaf.encryption_key = ghost.owner_key.clone();
            leaf.leaf_node_source = ghost.owner_source.into();
            leaf.signature = ghost.owner_signature.clone();
        }
        leaf
    }

    /// The source that keeps what the owner last signed; of a ghost, that of its source.
    pub(crate) fn owner_source(&self) -> OwnerSource {
        match &self.leaf_node_source {
            LeafNodeSource::KeyPackage(lifetime) => OwnerSource::KeyPackage(*lifetime),
            LeafNodeSource::Update => OwnerSource::Update,
            LeafNodeSource::Commit(parent_hash) => OwnerSource::Commit(*parent_hash),
            LeafNodeSource::Ghost(ghost) => ghost.owner_source,
        }
    }
}

/// Whether a group with these rules has agreed to ghosts.
pub(super) fn check_required(rules: &LeafRules) -> Result<(), QuarantineError> {
    let required = rules.required.proposal_types.contains(&ProposalType::QUARANTINE);
    if required { Ok(()) } else { Err(QuarantineError::NotRequired) }
}

/// Trees in which there are none: tainting blanks no path, and where members move by rule a leaf's
/// number does not say who holds a share.
fn check_strategy(tree: &RatchetTree) -> Result<(), QuarantineError> {
    let strategy = tree.shape();
    if strategy.taints() {
        return Err(QuarantineError::Strategy("removal=taint"));
    }
    if strategy.compaction == Compaction::ScootOver {
        return Err(QuarantineError::Strategy("compaction=scoot-over"));
    }
    Ok(())
}

/// Checks a ghost's new leaf against the one before and the committer's, all but its key and signature.
pub(super) fn check_leaf(
    tree: &RatchetTree,
    quarantine: &Quarantine,
    old: &LeafNode,
    (committer, epoch): (LeafIndex, u64),
) -> Result<(), QuarantineError> {
    check_strategy(tree)?;
    let Quarantine { ghost, leaf_node, shares } = quarantine;
    let source = leaf_node.ghost().ok_or(QuarantineError::NotAGhost)?;
    source.check()?;
    let owned = old.as_owned();
    let differs: [(&'static str, bool); 7] = [
        ("credential", leaf_node.credential != owned.credential),
        ("signature key", leaf_node.signature_key != owned.signature_key),
        ("list of capabilities", leaf_node.capabilities != owned.capabilities),
        ("list of extensions", leaf_node.extensions != owned.extensions),
        ("key before", source.owner_key != owned.encryption_key),
        ("source", source.owner_source != old.owner_source()),
        ("signature", source.owner_signature != owned.signature),
    ];
    if let Some((what, _)) = differs.into_iter().find(|(_, differs)| *differs) {
        return Err(QuarantineError::NotTheOwners { ghost: *ghost, what });
    }
    let expected = old.ghost().map_or(epoch, |ghost| ghost.since);
    if source.since != expected {
        return Err(QuarantineError::Since { ghost: *ghost, expected, found: source.since });
    }
    let maker = tree.leaf(committer).filter(|leaf| {
        source.maker == committer
            && source.maker_credential == leaf.credential
            && source.maker_key == leaf.signature_key
    });
    maker.ok_or(QuarantineError::Maker(*ghost))?;
    let (expected, found) = (source.holders.len(), shares.len());
    if found == expected { Ok(()) } else { Err(QuarantineError::Shares { expected, found }) }
}

/// Checks the holders of a ghost, once everybody who goes has gone and nobody has come.
pub(super) fn check_holders(
    tree: &RatchetTree,
    quarantine: &Quarantine,
    committer: LeafIndex,
) -> Result<(), QuarantineError> {
    let holders = quarantine.leaf_node.ghost().map_or(&[][..], |source| &source.holders);
    for holder in holders {
        let what = match tree.leaf(*holder) {
            None => "no member",
            Some(_) if *holder == committer => "the committer",
            Some(leaf) if leaf.ghost().is_some() => "a ghost",
            Some(_) => continue,
        };
        return Err(QuarantineError::Holder { holder: *holder, what });
    }
    Ok(())
}

/// The capability that a client of groups with ghosts needs, and the group context's extension that
/// demands it, are RFC 9420's own (§7.2, §11.1).
impl ProposalType {
    /// `quarantine`: of a private-use type, ours.
    pub const QUARANTINE: Self = Self(0xf7e6);
}

/// The extension by which a group agrees to have ghosts.
pub fn agreement() -> Result<super::Extension, crate::codec::CodecError> {
    let required = super::RequiredCapabilities {
        proposal_types: vec![ProposalType::QUARANTINE],
        ..super::RequiredCapabilities::default()
    };
    Ok(super::Extension {
        extension_type: ExtensionType::REQUIRED_CAPABILITIES,
        extension_data: crate::codec::encode(&required)?.into(),
    })
}
