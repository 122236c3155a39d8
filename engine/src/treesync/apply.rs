//! Proposals applied to the public tree (RFC 9420 §12.1, §12.2, §12.3).

use std::collections::BTreeSet;
use std::sync::Arc;

use tls_codec::VLBytes;

use super::key_package::KeyPackage;
use super::leaf_node::{LeafNode, ProposalType, ProtocolVersion};
use super::paths::{AppliedPath, MAX_PATHS, apply_paths};
use super::proposal::{PreSharedKeyId, Proposal, ReInit};
use super::proposal_list::{ListRules, Listed, check_list};
use super::quarantine::{Quarantine, QuarantineError, check_holders, check_leaf};
use super::ratchet_tree::{ParentNode, RatchetData, RatchetTree};
use super::roster::RosterDraft;
use super::validate::{
    ExpectedSource, LeafRules, TreeError, check_commits, check_distinct, check_encryption_key,
    check_may_count,
};
use crate::codec::CodecError;
use crate::crypto::{Crypto, CryptoError, Labelled};
use crate::strategy::{Newcomer, Room};
use crate::tree::{LeafIndex, OutsideTree, Shape, Subtree};
use crate::treekem::PathError;

/// Why a list of proposals is invalid (RFC 9420 §12.2).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposalError {
    /// A Remove or Update names a leaf that is not there.
    #[error("{0} is blank or outside the tree (RFC 9420 §12.1.3)")]
    NoSuchMember(LeafIndex),
    /// The committer removes itself.
    #[error("the committer removes itself (RFC 9420 §12.2)")]
    RemovesCommitter,
    /// The committer's own Update is in its commit.
    #[error("the committer's own Update is in its commit (RFC 9420 §12.2)")]
    UpdatesCommitter,
    /// An Update was sent by nobody who has a leaf.
    #[error("an Update was not sent by a member (RFC 9420 §12.1.2)")]
    UpdateFromOutside,
    /// An Update keeps the key that it should replace.
    #[error("the Update of {0} keeps its encryption key (RFC 9420 §7.3)")]
    SameLeafKey(LeafIndex),
    /// Paths are proposed in a group that has none.
    #[error("a path is proposed, and the group's strategy has proposals=updates")]
    NoPaths,
    /// A path was proposed by nobody who has a leaf.
    #[error("a proposed path was not sent by a member (treekem/concurrent.rs)")]
    PathFromOutside,
    /// The committer's own proposed path is in its commit.
    #[error("the committer's own proposed path is in its commit (treekem/concurrent.rs)")]
    PathOfCommitter,
    /// More proposed paths than a commit covers.
    #[error("a commit covers more than {MAX_PATHS} proposed paths")]
    ManyPaths,
    /// A proposed path does not fit the tree.
    #[error("the path that {leaf} proposes: {error}")]
    Path {
        /// Who proposes it.
        leaf: LeafIndex,
        /// What is wrong with it.
        error: Box<PathError>,
    },
    /// Several Updates, Removes or proposed paths are for one leaf.
    #[error("{0} is updated or removed twice (RFC 9420 §12.2)")]
    SameLeafTwice(LeafIndex),
    /// A ReInit is not alone.
    #[error("a ReInit stands together with other proposals (RFC 9420 §12.2)")]
    ReInitWithOthers,
    /// A ReInit goes back.
    #[error("a ReInit is for an older protocol version (RFC 9420 §12.1.5)")]
    ReInitVersion,
    /// An ExternalInit in a member's commit.
    #[error("an ExternalInit stands in a member's commit (RFC 9420 §12.2)")]
    ExternalInit,
    /// Several replacements of the group's extensions.
    #[error("the group's extensions are replaced twice (RFC 9420 §12.2)")]
    ManyExtensions,
    /// An external commit without its ExternalInit, or with several.
    #[error("an external commit has {0} ExternalInit proposals, not one (RFC 9420 §12.2)")]
    ExternalInits(usize),
    /// An external commit removes several members.
    #[error("an external commit removes more than one member (RFC 9420 §12.2)")]
    ExternalRemoves,
    /// Something that an external commit may not have.
    #[error("an external commit has a proposal of type {0} (RFC 9420 §12.2)")]
    NotInExternal(&'static str),
    /// The nonce of a pre-shared key is too long or too short.
    #[error("the nonce of a pre-shared key is not of length KDF.Nh (RFC 9420 §12.1.4)")]
    PskNonce,
    /// A resumption key is used for what it is not for.
    #[error("a resumption key of usage reinit or branch stands elsewhere (RFC 9420 §12.1.4)")]
    PskUsage,
    /// A pre-shared key twice.
    #[error("a pre-shared key is injected twice (RFC 9420 §12.2)")]
    SamePskTwice,
    /// A proposal of a type that some member does not know.
    #[error("{leaf} does not support proposal type {} (RFC 9420 §12.2)", kind.0)]
    NotSupportedByAll {
        /// The member.
        leaf: LeafIndex,
        /// The type.
        kind: ProposalType,
    },
    /// An added client's package is for another version or suite.
    #[error("a key package is for another version or cipher suite (RFC 9420 §10.1)")]
    WrongSuite,
    /// An added client's init key is also its leaf key.
    #[error("a key package uses one key as init key and leaf key (RFC 9420 §10.1)")]
    InitKeyIsLeafKey,
    /// A ghost breaks a rule.
    #[error("{0} (treesync/quarantine.rs)")]
    Quarantine(#[from] QuarantineError),
    /// A leaf is invalid.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A signature does not verify.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// Something has no encoding.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

impl From<OutsideTree> for ProposalError {
    fn from(outside: OutsideTree) -> Self {
        Self::NoSuchMember(outside.leaf)
    }
}

/// A member gives up its leaf for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// Where it stood.
    pub from: LeafIndex,
    /// Where it stands.
    pub to: LeafIndex,
}

/// What a list of proposals did, and what it asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppliedProposals {
    /// The leaves of the added clients, in the order of their Add proposals.
    pub added: Vec<LeafIndex>,
    /// The room made for each of them, and for who joins by the commit itself.
    pub rooms: Vec<Room>,
    /// The leaves removed.
    pub removed: Vec<LeafIndex>,
    /// The leaves replaced by Updates.
    pub updated: Vec<LeafIndex>,
    /// The leaves replaced with the keys above them.
    pub paths: Vec<AppliedPath>,
    /// The leaves that others have made keys for, and the shares of those.
    pub quarantined: Vec<Quarantine>,
    /// The committer's move, where the strategy has it move.
    pub moved: Option<Move>,
    /// How many parents the committer climbs past, where the strategy has it climb.
    pub climbed: u8,
    /// The pre-shared keys to inject, in their order.
    pub psks: Vec<PreSharedKeyId>,
    /// The KEM output that the init secret comes from.
    pub external_init: Option<VLBytes>,
    /// What the group is replaced by.
    pub reinit: Option<ReInit>,
    /// Whether the extensions of the group were replaced.
    pub new_extensions: bool,
    /// Proposals that the application gives a meaning, by their type.
    pub custom: Vec<(ProposalType, VLBytes)>,
}

/// What proposals are applied in.
#[derive(Clone, Copy, Debug)]
pub struct ProposalContext<'a> {
    /// The group.
    pub group_id: &'a [u8],
    /// What it demands of a leaf, by the extensions that are to come.
    pub leaf_rules: &'a LeafRules,
    /// The epoch in which the list is committed.
    pub epoch: u64,
    /// What the list is measured by.
    pub list_rules: ListRules,
    /// Whether the commit has a path.
    pub path: bool,
    /// The second in which a sender checks lifetimes; receivers give none.
    pub now: Option<u64>,
}

/// Adds a leaf as RFC 9420 §12.1.1 places it, or as the tree's strategy does for a newcomer about
/// whom nothing is known, and says where that is.
pub fn apply_add(tree: &mut RatchetTree, leaf: Arc<LeafNode>) -> Result<LeafIndex, OutsideTree> {
    let index = tree.make_room(Newcomer::default(), &mut |_| {}).leaf;
    tree.put(index, leaf)?;
    Ok(index)
}

/// Adds a leaf by the tree's strategy, and says where that is.
pub(crate) fn add_leaf(
    tree: &mut RatchetTree,
    roster: &mut RosterDraft<'_>,
    leaf: Arc<LeafNode>,
    committer: Option<LeafIndex>,
    epoch: u64,
) -> Result<Room, OutsideTree> {
    let newcomer = Newcomer::new(committer, epoch, leaf.credential.identity());
    let room = tree.make_room(newcomer, &mut |gone| roster.leave_parent(&gone.encryption_key));
    put_leaf(tree, roster, room.leaf, leaf)?;
    Ok(room)
}

/// Sets a blank leaf; the keys above it that this blanks leave the roster.
fn put_leaf(
    tree: &mut RatchetTree,
    roster: &mut RosterDraft<'_>,
    index: LeafIndex,
    leaf: Arc<LeafNode>,
) -> Result<(), OutsideTree> {
    if !tree.shape().unmerged {
        leave_path(tree, roster, index)?;
    }
    tree.put(index, leaf)
}

/// The committer moves if the strategy has it move: its old leaf goes as if it were removed, and
/// stands at the new place, entered in no roster, until that of its path does.
fn move_over(
    tree: &mut RatchetTree,
    roster: &mut RosterDraft<'_>,
    committer: LeafIndex,
) -> Result<Option<Move>, ProposalError> {
    let Some(to) = tree.shape().compaction.destination(tree, committer) else { return Ok(None) };
    let leaf = tree.leaf(committer).ok_or(ProposalError::NoSuchMember(committer))?.clone();
    let removal = tree.shape().removal;
    strike(tree, roster, committer, |parent| removal.strikes(parent, committer))?;
    tree.take(committer)?;
    put_leaf(tree, roster, to, leaf)?;
    Ok(Some(Move { from: committer, to }))
}

/// Replaces a leaf and blanks the path above it.
pub fn apply_update(
    tree: &mut RatchetTree,
    sender: LeafIndex,
    leaf: Arc<LeafNode>,
) -> Result<(), OutsideTree> {
    tree.replace(sender, leaf)
}

/// Blanks a leaf and what its owner knows above it, and truncates the tree.
pub fn apply_remove(tree: &mut RatchetTree, removed: LeafIndex) -> Result<(), OutsideTree> {
    tree.take(removed)?;
    tree.compact(&mut |_| {});
    Ok(())
}

/// Truncates the tree, or prunes it. A parent that is cut off may still hold a key, where paths are
/// not filtered: it stands above the last leaf that stays, and its key leaves the roster.
fn compact(tree: &mut RatchetTree, roster: &mut RosterDraft<'_>) -> Result<(), OutsideTree> {
    if tree.shape().form().is_some() {
        tree.prune(&mut |gone| roster.leave_parent(&gone.encryption_key));
        return Ok(());
    }
    let before = tree.clone();
    tree.truncate();
    if tree.width() == before.width() {
        return Ok(());
    }
    let last = LeafIndex(tree.width() - 1);
    let path = tree.direct_path(last)?;
    let stays = |parent: &ParentNode| {
        let keys = path.iter().filter_map(|step| step.node.parent());
        keys.into_iter().any(|kept| kept.encryption_key == parent.encryption_key)
    };
    leave_parents(&before, roster, last, |parent| !stays(parent))?;
    // What is cut off beside them has no key but where removals leave keys with nobody below.
    let steps = before.direct_path(last)?;
    let copath = steps.iter().flat_map(|step| &step.copath);
    let cut = copath.filter(|child| child.first_leaf() > last);
    cut.for_each(|child| leave_all(*child, roster));
    Ok(())
}

/// Strikes every parent's key in a subtree from the roster.
fn leave_all(subtree: Subtree<'_, RatchetData>, roster: &mut RosterDraft<'_>) {
    if subtree.aggregates().keyed_parents > 0 {
        subtree.parent().into_iter().for_each(|it| roster.leave_parent(&it.encryption_key));
        subtree.children().for_each(|child| leave_all(child, roster));
    }
}

/// Validates and applies the proposals of a commit, in the order of RFC 9420 §12.3.
pub fn apply_proposals(
    crypto: &Crypto<'_>,
    tree: &mut RatchetTree,
    roster: &mut RosterDraft<'_>,
    context: &ProposalContext<'_>,
    list: &[Listed<'_>],
) -> Result<AppliedProposals, ProposalError> {
    check_list(list, &context.list_rules)?;
    let mut applied = note(list);
    let (mut updates, mut packages, mut paths) = (vec![], vec![], vec![]);
    for listed in list {
        match (listed.proposal, listed.sender) {
            (Proposal::Add(package), _) => packages.push(package),
            (Proposal::Update(leaf), Some(sender)) => updates.push((sender, leaf)),
            (Proposal::Path(path), Some(sender)) => paths.push((sender, &path.0)),
            (Proposal::Remove(leaf), _) => applied.removed.push(*leaf),
            (Proposal::Quarantine(it), _) => applied.quarantined.push((**it).clone()),
            _ => {}
        }
    }
    applied.updated = updates.iter().map(|(sender, _)| *sender).collect();
    // They were made for the tree as it stands; what the other proposals blank of them is blank.
    applied.paths = apply_paths(crypto, tree, roster, context, &paths)?;
    // All that goes, goes first: a key may pass from one member to another in one commit.
    for leaf in applied.updated.iter().chain(applied.quarantined.iter().map(|it| &it.ghost)) {
        strike(tree, roster, *leaf, |_| true)?;
    }
    let removal = tree.shape().removal;
    for leaf in &applied.removed {
        strike(tree, roster, *leaf, |parent| removal.strikes(parent, *leaf))?;
    }
    update(crypto, tree, roster, context, &updates)?;
    quarantine(crypto, tree, roster, context, &applied.quarantined)?;
    applied.removed.iter().try_for_each(|removed| tree.take(*removed))?;
    check_keepers(tree, roster, context.list_rules.committer, &applied)?;
    if let Some(committer) = context.list_rules.committer.filter(|_| context.path) {
        applied.moved = move_over(tree, roster, committer)?;
    }
    compact(tree, roster)?;
    check_custom(tree, &applied.custom)?;
    validate_packages(crypto, context.leaf_rules, &packages, context.now)?;
    for package in packages {
        if tree.shape().counts_commits() {
            check_may_count(&package.leaf_node)?;
        }
        roster.enter_leaf(&package.leaf_node)?;
        let leaf = Arc::new(package.leaf_node.clone());
        let committer = context.list_rules.committer;
        let room = add_leaf(tree, roster, leaf, committer, context.epoch)?;
        applied.added.push(room.leaf);
        applied.rooms.push(room);
    }
    if applied.new_extensions {
        // Everybody must be able to live with them.
        let leaves = tree.root().leaves();
        leaves.into_iter().try_for_each(|(_, leaf)| context.leaf_rules.check_group(leaf))?;
    }
    Ok(applied)
}

/// What a list asks for beside changes of the tree.
fn note(list: &[Listed<'_>]) -> AppliedProposals {
    let mut applied = AppliedProposals::default();
    for listed in list {
        match listed.proposal {
            Proposal::PreSharedKey(id) => applied.psks.push(id.clone()),
            Proposal::ReInit(reinit) => applied.reinit = Some(reinit.clone()),
            Proposal::ExternalInit(kem_output) => applied.external_init = Some(kem_output.clone()),
            Proposal::GroupContextExtensions(_) => applied.new_extensions = true,
            Proposal::Custom(kind, data) => applied.custom.push((*kind, data.clone())),
            Proposal::Add(_)
            | Proposal::Update(_)
            | Proposal::Path(_)
            | Proposal::Remove(_)
            | Proposal::Quarantine(_) => {}
        }
    }
    applied
}

/// Strikes a leaf that is to be replaced or removed, and the keys above it that go with it, from
/// the roster.
pub(super) fn strike(
    tree: &RatchetTree,
    roster: &mut RosterDraft<'_>,
    index: LeafIndex,
    goes: impl Fn(&ParentNode) -> bool,
) -> Result<(), ProposalError> {
    let leaf = tree.leaf(index).ok_or(ProposalError::NoSuchMember(index))?;
    roster.leave_leaf(leaf);
    Ok(leave_parents(tree, roster, index, goes)?)
}

/// Replaces the leaves of those who have sent Updates (RFC 9420 §12.1.2).
fn update(
    crypto: &Crypto<'_>,
    tree: &mut RatchetTree,
    roster: &mut RosterDraft<'_>,
    context: &ProposalContext<'_>,
    updates: &[(LeafIndex, &LeafNode)],
) -> Result<(), ProposalError> {
    let mut signatures = Vec::with_capacity(updates.len());
    for (sender, leaf) in updates {
        context.leaf_rules.check(leaf, ExpectedSource::Update)?;
        let old = tree.leaf(*sender).ok_or(ProposalError::NoSuchMember(*sender))?;
        if old.encryption_key == leaf.encryption_key {
            return Err(ProposalError::SameLeafKey(*sender));
        }
        if tree.shape().counts_commits() {
            check_commits(leaf, old.commits())?;
        }
        check_encryption_key(crypto, &leaf.encryption_key)?;
        signatures.push(leaf.signed(context.group_id, *sender)?);
        roster.enter_leaf(leaf)?;
    }
    crypto.verify_all_with_label(&signatures)?;
    for (sender, leaf) in updates {
        apply_update(tree, *sender, Arc::new((*leaf).clone()))?;
    }
    Ok(())
}

/// Replaces the leaves of ghosts.
fn quarantine(
    crypto: &Crypto<'_>,
    tree: &mut RatchetTree,
    roster: &mut RosterDraft<'_>,
    context: &ProposalContext<'_>,
    ghosts: &[Quarantine],
) -> Result<(), ProposalError> {
    let Some(committer) = context.list_rules.committer else { return Ok(()) };
    let mut signatures = Vec::with_capacity(ghosts.len());
    for it in ghosts {
        context.leaf_rules.check(&it.leaf_node, ExpectedSource::Ghost)?;
        let old = tree.leaf(it.ghost).ok_or(ProposalError::NoSuchMember(it.ghost))?;
        check_leaf(tree, it, old, (committer, context.epoch))?;
        if old.encryption_key == it.leaf_node.encryption_key {
            return Err(ProposalError::SameLeafKey(it.ghost));
        }
        check_encryption_key(crypto, &it.leaf_node.encryption_key)?;
        signatures.push(it.leaf_node.signed(context.group_id, it.ghost)?);
        roster.enter_leaf(&it.leaf_node)?;
    }
    crypto.verify_all_with_label(&signatures)?;
    for it in ghosts {
        apply_update(tree, it.ghost, Arc::new(it.leaf_node.clone()))?;
    }
    Ok(())
}

/// Holders are there, and whoever goes knows of no ghost's key that stays; a ghost that commits
/// replaces its own.
fn check_keepers(
    tree: &RatchetTree,
    roster: &RosterDraft<'_>,
    committer: Option<LeafIndex>,
    applied: &AppliedProposals,
) -> Result<(), QuarantineError> {
    if let Some(committer) = committer {
        applied.quarantined.iter().try_for_each(|it| check_holders(tree, it, committer))?;
    }
    let ghosts = applied.quarantined.iter().map(|it| it.ghost);
    let gone: BTreeSet<LeafIndex> = applied.removed.iter().copied().chain(ghosts).collect();
    if gone.is_empty() {
        return Ok(());
    }
    let own = committer.and_then(|committer| tree.leaf(committer)).map(|it| &it.signature_key);
    let mut keepers = roster.ghosts().filter(|(ghost, _)| Some(*ghost) != own);
    let goes = keepers.find_map(|(_, keepers)| keepers.iter().find(|it| gone.contains(it)));
    goes.map_or(Ok(()), |keeper| Err(QuarantineError::KeeperGoes(*keeper)))
}

/// Every member who will process the commit must know the types of its proposals.
fn check_custom(
    tree: &RatchetTree,
    custom: &[(ProposalType, VLBytes)],
) -> Result<(), ProposalError> {
    // Each type once: a long list is not gone through for every member.
    let kinds: BTreeSet<_> = custom.iter().map(|(kind, _)| *kind).collect();
    if kinds.is_empty() {
        return Ok(());
    }
    for (leaf, node) in tree.root().leaves() {
        if let Some(kind) = node.capabilities.missing_proposal(kinds.iter().copied()) {
            return Err(ProposalError::NotSupportedByAll { leaf, kind });
        }
    }
    Ok(())
}

/// Strikes the keys above a leaf from the roster, before the path is blanked or keyed anew.
pub(crate) fn leave_path(
    tree: &RatchetTree,
    roster: &mut RosterDraft<'_>,
    leaf: LeafIndex,
) -> Result<(), OutsideTree> {
    leave_parents(tree, roster, leaf, |_| true)
}

fn leave_parents(
    tree: &RatchetTree,
    roster: &mut RosterDraft<'_>,
    leaf: LeafIndex,
    goes: impl Fn(&ParentNode) -> bool,
) -> Result<(), OutsideTree> {
    let path = tree.direct_path(leaf)?;
    let parents = path.iter().filter_map(|step| step.node.parent());
    for parent in parents.filter(|parent| goes(parent)) {
        roster.leave_parent(&parent.encryption_key);
    }
    Ok(())
}

/// RFC 9420 §10.1 for every added package, signatures together.
fn validate_packages(
    crypto: &Crypto<'_>,
    rules: &LeafRules,
    packages: &[&KeyPackage],
    now: Option<u64>,
) -> Result<(), ProposalError> {
    let mut signatures: Vec<Labelled<'_>> = Vec::with_capacity(2 * packages.len());
    for package in packages {
        check_package(crypto, rules, package, now)?;
        signatures.push(package.signed()?);
        signatures.push(package.leaf_node.signed(&[], LeafIndex(0))?);
    }
    Ok(crypto.verify_all_with_label(&signatures)?)
}

/// RFC 9420 §10.1 but for the signatures.
pub fn check_package(
    crypto: &Crypto<'_>,
    rules: &LeafRules,
    package: &KeyPackage,
    now: Option<u64>,
) -> Result<(), ProposalError> {
    if package.version != ProtocolVersion::MLS10 || package.cipher_suite != crypto.cipher_suite() {
        return Err(ProposalError::WrongSuite);
    }
    if package.init_key == package.leaf_node.encryption_key {
        return Err(ProposalError::InitKeyIsLeafKey);
    }
    check_encryption_key(crypto, &package.init_key)?;
    check_encryption_key(crypto, &package.leaf_node.encryption_key)?;
    check_distinct(&package.extensions)?;
    Ok(rules.check(&package.leaf_node, ExpectedSource::KeyPackage(now))?)
}
