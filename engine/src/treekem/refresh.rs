//! Tainted TreeKEM (Klein, Pascual-Perez, Walter, Kamath, Capretto, Cueto, Markov, Yeo, Alwen,
//! Pietrzak: Keep the Dirt, IEEE S&P 2021), `removal=taint`: every parent stays keyed. It is
//! research and no RFC 9420, whose messages it fills otherwise.
//!
//! **Who knows what.** Everybody below a parent holds its key, from the first epoch on: nobody is
//! unmerged. Whoever draws the secret of a parent that it is not below *taints* it. The mark is
//! public, part of the parent on the wire and in the tree hash: `ParentNode::tainted_by`.
//!
//! **What a commit refreshes.** Its sender's direct path, those of the leaves that it adds, removes
//! and updates, each parent tainted by its sender or by a member removed or updated, and all above
//! these. So what somebody has tainted was drawn by its last commit.
//! A parent that nobody is below any more keeps its key, since the paper's paths are unfiltered.
//!
//! **What a client sends.** In `UpdatePath.nodes` the refreshed parents, those below before those
//! above, from the left. The secret of each follows from that of its first refreshed child
//! (`DeriveSecret(., "path")`; the sender's own leaf counts), and is drawn afresh where there is none.
//! Every other child is sent it: a refreshed one under its new key, one that stays under each key of
//! its resolution; nothing is sent to who has just been added. The root's leads to the commit secret. In a Welcome `GroupSecrets.path_secret`
//! holds the secrets at which the joiner enters the chains above its leaf, mostly one or two.
//!
//! **What members do.** They open one ciphertext at the lowest refreshed parent above themselves and
//! follow the chain; where a parent does not follow from the child they come through, they open another,
//! with the key of that child. They keep the keys of their direct path alone, the tainter as well.
//!
//! **What it costs.** No blanks: in a warm tree a path is log n ciphertexts whatever has happened. Each
//! parent that the committer has tainted adds a public key and about one ciphertext, so whoever adds and
//! removes much pays for it at its next commit, and its removal is paid by whoever removes it.
//!
//! **What it trades.** A tainter has known secrets far from itself: who has its memory has those
//! parents until it commits again. No leaf's signature vouches for a tainted parent, so
//! there are no parent hashes: a joiner believes the signer of the GroupInfo in what keys stand
//! where, and a malicious member can put keys of its own above others without a trace.
//!
//! **Where it differs from the paper.** There, an add and a removal refresh the other's path only;
//! here every commit carries its sender's path as well, and so is an update besides. Joiners learn
//! of their keys by Welcome.

use std::sync::Arc;

use rand_core::Rng;
use smallvec::SmallVec;
use tls_codec::{TlsDeserializeBytes, TlsSerialize, TlsSize};

use super::private_keys::PrivateKeys;
use super::update_path::{
    NewPath, OpenedPath, PathError, PathSecret, UpdatePath, UpdatePathNode, key_of,
};
use crate::codec::{CodecError, decode, encode};
use crate::crypto::{Crypto, CryptoError, Digest, HpkeKeyPair, HpkePublicKey, Secret, Seed};
use crate::tree::{Crown, LeafIndex, Place, Subtree};
use crate::treesync::{
    AppliedProposals, LeafNode, ParentNode, RatchetData, RatchetTree, is_tainted, may_be_tainted,
};

/// The parents that a commit refreshes, in the tree with its proposals applied and its path not
/// yet. What is below stands before what is above, from the left.
#[derive(Clone)]
pub struct RefreshSet<'t> {
    committer: LeafIndex,
    nodes: Vec<Refreshed<'t>>,
}

/// A refreshed parent.
#[derive(Clone)]
struct Refreshed<'t> {
    node: Subtree<'t, RatchetData>,
    children: SmallVec<[Child<'t>; 2]>,
}

/// How the members below a child learn the secret of a refreshed parent.
#[derive(Clone, Copy)]
enum Child<'t> {
    /// It is refreshed, and the secret follows from its own.
    Source(usize),
    /// It is refreshed, and the secret is sent under its new key.
    Refreshed(usize),
    /// It is refreshed, and whoever is below was just added, the committer apart: a Welcome tells.
    Told(usize),
    /// It stays, and the secret is sent under each key of its resolution.
    Stays(Subtree<'t, RatchetData>),
    /// It is the committer's leaf: the secret is drawn with its new key.
    Own,
    /// It is a leaf that was just added, and is told by Welcome.
    Joins,
}

/// How a commit touches a leaf.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Touch {
    Commits,
    Joins,
    Updates,
    Leaves,
}

/// What somebody below a refreshed parent does from there to the root, once it has the parent's
/// secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Climb {
    /// Parents whose secret follows from one in hand, the one that it starts from among them.
    pub(crate) followed: u64,
    /// Parents whose secret is opened with the key of the child below.
    pub(crate) opened: u64,
}

impl std::ops::Add for Climb {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let (followed, opened) = (self.followed + other.followed, self.opened + other.opened);
        Self { followed, opened }
    }
}

impl std::ops::Sub for Climb {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        let (followed, opened) = (self.followed - earlier.followed, self.opened - earlier.opened);
        Self { followed, opened }
    }
}

/// The walk that finds a set.
struct Walk<'t> {
    tainters: Vec<LeafIndex>,
    nodes: Vec<Refreshed<'t>>,
}

impl<'t> Walk<'t> {
    /// Where a subtree's top stands in the set, if it does. `touched` are leaves, of which some may
    /// be below.
    fn visit(
        &mut self,
        at: Subtree<'t, RatchetData>,
        touched: &[(LeafIndex, Touch)],
    ) -> Option<usize> {
        let below = touched.iter().copied().filter(|(leaf, _)| at.contains(*leaf));
        let below: SmallVec<[_; 4]> = below.collect();
        let has_children = matches!(at.place(), Place::Parent(_));
        if !has_children || below.is_empty() && !may_be_tainted(at, &self.tainters) {
            return None;
        }
        let mut has_source = false;
        let mut children: SmallVec<[Child<'t>; 2]> = SmallVec::new();
        for child in at.children() {
            let child = match self.visit(child, &below) {
                Some(at) if !has_source => Child::Source(at),
                Some(at) if all_join(child, &below) => Child::Told(at),
                Some(at) => Child::Refreshed(at),
                None => without_secret(child, &below),
            };
            has_source |= matches!(child, Child::Source(_) | Child::Own);
            children.push(child);
        }
        let renews = |(_, touch): &(_, Touch)| *touch != Touch::Leaves;
        let outdated = at
            .parent()
            .is_some_and(|parent| !below.is_empty() || is_tainted(parent, &self.tainters));
        let above = children.iter().any(|child| child.refreshed().is_some());
        if !outdated && !above && !below.iter().any(renews) {
            return None;
        }
        self.nodes.push(Refreshed { node: at, children });
        Some(self.nodes.len() - 1)
    }
}

/// Whether somebody joins below a child, and nobody else is there but the committer.
fn all_join(child: Subtree<'_, RatchetData>, touched: &[(LeafIndex, Touch)]) -> bool {
    let count = |wanted| {
        let leaves = touched.iter().filter(|(_, touch)| *touch == wanted);
        leaves.filter(|(leaf, _)| child.contains(*leaf)).count() as u32
    };
    let joining = count(Touch::Joins);
    joining > 0 && child.aggregates().members == joining + count(Touch::Commits)
}

/// A child that is not refreshed itself, below which are these touched leaves or some of them.
fn without_secret<'t>(
    child: Subtree<'t, RatchetData>,
    touched: &[(LeafIndex, Touch)],
) -> Child<'t> {
    let is = |wanted| {
        let mut leaves = touched.iter().filter(|(_, touch)| *touch == wanted);
        leaves.any(|(leaf, _)| child.contains(*leaf))
    };
    match child.place() {
        Place::Leaf(_) if is(Touch::Commits) => Child::Own,
        Place::Leaf(_) if is(Touch::Joins) => Child::Joins,
        _ => Child::Stays(child),
    }
}

impl<'t> RefreshSet<'t> {
    /// What a commit refreshes in `tree`, to which its proposals have been applied; none where the
    /// group's strategy does not taint.
    pub fn of(
        tree: &'t RatchetTree,
        committer: LeafIndex,
        applied: &AppliedProposals,
    ) -> Option<Self> {
        if !tree.shape().taints() {
            return None;
        }
        let AppliedProposals { added, removed, updated, .. } = applied;
        let touches = [
            (std::slice::from_ref(&committer), Touch::Commits),
            (added, Touch::Joins),
            (updated, Touch::Updates),
            (removed, Touch::Leaves),
        ];
        let touched =
            touches.iter().flat_map(|(leaves, touch)| leaves.iter().map(|l| (*l, *touch)));
        let touched: Vec<_> = touched.collect();
        let outdated = touched.iter().filter(|(_, touch)| *touch != Touch::Joins);
        let mut tainters: Vec<_> = outdated.map(|(leaf, _)| *leaf).collect();
        tainters.sort_unstable();
        let mut walk = Walk { tainters, nodes: vec![] };
        walk.visit(tree.root(), &touched);
        Some(Self { committer, nodes: walk.nodes })
    }

    /// The parents, where they stand in the tree.
    pub(crate) fn crown(&self) -> Crown {
        let branches = |node: &Refreshed<'_>| node.children.iter().map(Child::refreshed).collect();
        Crown(self.nodes.iter().map(branches).collect())
    }

    /// How many parents are refreshed.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether no parent is.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The ciphertexts that all of them are sent in.
    pub fn ciphertexts(&self) -> usize {
        self.nodes.iter().map(Refreshed::ciphertexts).sum()
    }

    /// Those that nobody needs since a Welcome tells whoever is below.
    pub fn spared(&self) -> usize {
        let children = self.nodes.iter().flat_map(|node| &node.children);
        children.filter(|child| matches!(child, Child::Joins | Child::Told(_))).count()
    }

    /// The keys that are replaced.
    pub(crate) fn outdated_keys(&self) -> impl Iterator<Item = &'t HpkePublicKey> {
        let parents = self.nodes.iter().filter_map(|refreshed| refreshed.node.parent());
        parents.map(|parent| &parent.encryption_key)
    }

    /// The new keys, in the order of the set, and the new leaf put into the tree.
    pub(crate) fn merge(
        &self,
        tree: &mut RatchetTree,
        keys: &[HpkePublicKey],
        leaf: Arc<LeafNode>,
    ) -> Result<(), PathError> {
        self.check_length(keys.len())?;
        tree.edit(self.committer, &mut |_| Some(leaf.clone()), &mut |_, _| {})?;
        tree.edit_crown(&self.crown(), &mut |at, parent| {
            let own = self.nodes[at].node.contains(self.committer);
            *parent = Some(Arc::new(ParentNode {
                encryption_key: keys[at].clone(),
                parent_hash: Digest::EMPTY,
                unmerged_leaves: vec![],
                tainted_by: (!own).then_some(self.committer),
            }));
        });
        Ok(())
    }

    fn check_length(&self, found: usize) -> Result<(), PathError> {
        let expected = self.nodes.len();
        if expected == found { Ok(()) } else { Err(PathError::Refreshed { expected, found }) }
    }

    /// The refreshed parents above a leaf, from the lowest, each with the child that the leaf is
    /// below.
    fn path_of(&self, leaf: LeafIndex) -> Vec<(usize, usize)> {
        let mut path = vec![];
        let mut next = self.nodes.len().checked_sub(1);
        while let Some(at) = next {
            let Refreshed { node, children } = &self.nodes[at];
            let Some(child) = node.children().position(|child| child.contains(leaf)) else { break };
            path.push((at, child));
            next = children[child].refreshed();
        }
        path.reverse();
        path
    }

    /// The chains above a leaf, from the lowest: the parent at which each is entered, and how many it
    /// leads through.
    pub(crate) fn chains(&self, leaf: LeafIndex) -> Vec<(usize, u8)> {
        let mut chains: Vec<(usize, u8)> = vec![];
        let mut below = None;
        for (at, _) in self.path_of(leaf) {
            match chains.last_mut() {
                Some((_, parents)) if self.nodes[at].source() == below => *parents += 1,
                _ => chains.push((at, 1)),
            }
            below = Some(at);
        }
        chains
    }

    /// For each parent the keys that its secret is encrypted to, in sending order: `new` gives that of
    /// a refreshed child, `staying` those of the resolution of another.
    pub(crate) fn recipients<K, E>(
        &self,
        new: impl Fn(usize) -> K,
        staying: impl Fn(Subtree<'t, RatchetData>) -> Result<Vec<K>, E>,
    ) -> Result<Vec<Vec<K>>, E> {
        let of_node = |node: &Refreshed<'t>| {
            let mut keys = Vec::with_capacity(node.ciphertexts());
            for child in &node.children {
                match child {
                    Child::Refreshed(at) => keys.push(new(*at)),
                    Child::Stays(child) => keys.extend(staying(*child)?),
                    Child::Source(_) | Child::Told(_) | Child::Own | Child::Joins => {}
                }
            }
            Ok(keys)
        };
        self.nodes.iter().map(of_node).collect()
    }

    /// For each parent what somebody below does from there to the root.
    pub(crate) fn climbs(&self) -> Vec<Climb> {
        let mut climbs = vec![Climb { followed: 1, opened: 0 }; self.nodes.len()];
        for (at, node) in self.nodes.iter().enumerate().rev() {
            let Climb { followed, opened } = climbs[at];
            for child in &node.children {
                match child {
                    Child::Source(below) => {
                        climbs[*below] = Climb { followed: followed + 1, opened }
                    }
                    Child::Refreshed(below) | Child::Told(below) => {
                        climbs[*below] = Climb { followed, opened: opened + 1 };
                    }
                    _ => {}
                }
            }
        }
        climbs
    }

    /// Which children of a parent stay, by their place among them.
    pub(crate) fn staying(&self, at: usize) -> impl Iterator<Item = usize> {
        let children = self.nodes[at].children.iter().enumerate();
        children.filter(|(_, child)| matches!(child, Child::Stays(_))).map(|(place, _)| place)
    }
}

impl Refreshed<'_> {
    /// Where the parent stands in the set that its secret follows from.
    fn source(&self) -> Option<usize> {
        self.children.iter().find_map(|child| match child {
            Child::Source(at) => Some(*at),
            _ => None,
        })
    }

    fn is_above_committer(&self) -> bool {
        self.children.iter().any(|child| matches!(child, Child::Own))
    }

    /// The ciphertexts that it is sent in.
    fn ciphertexts(&self) -> usize {
        self.ciphertexts_before(self.children.len())
    }

    /// Those of its first children.
    fn ciphertexts_before(&self, child: usize) -> usize {
        self.children.iter().take(child).map(Child::ciphertexts).sum()
    }
}

impl Child<'_> {
    /// Where it stands in the set, if it is refreshed.
    fn refreshed(&self) -> Option<usize> {
        match self {
            Self::Source(at) | Self::Refreshed(at) | Self::Told(at) => Some(*at),
            Self::Stays(_) | Self::Own | Self::Joins => None,
        }
    }

    fn ciphertexts(&self) -> usize {
        match self {
            Self::Refreshed(_) => 1,
            Self::Stays(child) => child.aggregates().resolution as usize,
            Self::Source(_) | Self::Told(_) | Self::Own | Self::Joins => 0,
        }
    }
}

/// Path secrets as a Welcome has them under `removal=taint`: where a chain is entered, and how many
/// parents of the joiner's path it leads through.
#[derive(Debug, TlsSize, TlsSerialize, TlsDeserializeBytes)]
struct Chain {
    parents: u8,
    secret: Secret,
}

impl NewPath {
    /// Draws the secrets of a set: one seed for the committer's own leaf and what follows from it, and
    /// one more for each parent that follows from nothing.
    pub fn refresh(
        crypto: &Crypto<'_>,
        set: &RefreshSet<'_>,
        rng: &mut dyn Rng,
    ) -> Result<Self, CryptoError> {
        let mut draw = || {
            let mut seed = Seed::default();
            rng.fill_bytes(&mut seed);
            seed
        };
        // Of no nodes: the leaf's key pair, and the secret of what is above the leaf.
        let mut path = Self::generate(crypto, 0, &draw())?;
        for node in &set.nodes {
            let secret = match node.source() {
                Some(below) => path.secrets[below].next(crypto),
                None if node.is_above_committer() => PathSecret(path.commit_secret.clone()),
                None => PathSecret(crypto.derive_secret(&Secret::from(&draw()[..]), "path")),
            };
            path.key_pairs.push(secret.key_pair(crypto)?);
            path.secrets.push(secret);
        }
        if let Some(root) = path.secrets.last() {
            path.commit_secret = root.next(crypto).0;
        }
        Ok(path)
    }

    /// Encrypts the secrets of a set to whom they do not follow from a secret in hand, under the
    /// provisional group context. Ephemeral keys come from `rng`, in sending order.
    pub fn encrypt_set<'k, 't: 'k>(
        &'k self,
        crypto: &Crypto<'_>,
        set: &RefreshSet<'t>,
        context: &[u8],
        rng: &mut dyn Rng,
    ) -> Result<Vec<UpdatePathNode>, PathError> {
        let staying = |child: Subtree<'t, _>| -> Result<Vec<&'k HpkePublicKey>, PathError> {
            Ok(child.resolution().iter().map(key_of).collect())
        };
        let to = set.recipients(|at| &self.key_pairs[at].public, staying)?;
        self.seal(crypto, &to, context, rng)
    }

    /// What a Welcome tells a leaf that was just added; none where nothing is above it.
    pub fn told(
        &self,
        set: &RefreshSet<'_>,
        leaf: LeafIndex,
    ) -> Result<Option<Secret>, CodecError> {
        let chain =
            |(at, parents): (usize, _)| Chain { parents, secret: self.secrets[at].0.clone() };
        let chains: Vec<Chain> = set.chains(leaf).into_iter().map(chain).collect();
        let told = (!chains.is_empty()).then(|| encode(&chains));
        Ok(told.transpose()?.map(Secret::from))
    }
}

/// The key pairs above a leaf that a Welcome leads to, each checked against the tree.
pub(crate) fn keys_told(
    crypto: &Crypto<'_>,
    told: Option<&Secret>,
    tree: &RatchetTree,
    leaf: LeafIndex,
) -> Result<Vec<HpkeKeyPair>, PathError> {
    let chains: Vec<Chain> = match told {
        Some(told) => decode("the path secrets of a Welcome", told.as_slice())?,
        None => vec![],
    };
    let path = tree.direct_path(leaf)?;
    let found = chains.iter().map(|chain| usize::from(chain.parents)).sum();
    if found != path.len() {
        return Err(PathError::Told { expected: path.len(), found });
    }
    let mut steps = path.iter().enumerate();
    let mut pairs = Vec::with_capacity(path.len());
    for Chain { parents, secret } in chains {
        let mut secret = PathSecret(secret);
        for (climbed, (node, step)) in steps.by_ref().take(parents.into()).enumerate() {
            if climbed > 0 {
                secret = secret.next(crypto);
            }
            let pair = secret.key_pair(crypto)?;
            if step.node.parent().is_none_or(|parent| parent.encryption_key != pair.public) {
                return Err(PathError::PublicKey(node));
            }
            pairs.push(pair);
        }
    }
    Ok(pairs)
}

impl UpdatePath {
    /// Checks the number of nodes and ciphertexts against a set.
    pub fn check_set(&self, set: &RefreshSet<'_>) -> Result<(), PathError> {
        set.check_length(self.nodes.len())?;
        for (node, (refreshed, sent)) in set.nodes.iter().zip(&self.nodes).enumerate() {
            let expected = refreshed.ciphertexts();
            let found = sent.encrypted_path_secret.len();
            if expected != found {
                return Err(PathError::Ciphertexts { node, expected, found });
            }
        }
        Ok(())
    }

    /// Follows every chain of a set, from where it was drawn, to the commit secret: what its members do
    /// together.
    pub(crate) fn derive_set(
        &self,
        crypto: &Crypto<'_>,
        set: &RefreshSet<'_>,
        drawn: &NewPath,
    ) -> Result<Secret, PathError> {
        let mut secrets: Vec<PathSecret> = Vec::with_capacity(set.len());
        for (at, (node, drawn)) in set.nodes.iter().zip(&drawn.secrets).enumerate() {
            let followed = node.source().map(|below| secrets[below].next(crypto));
            let secret = followed.unwrap_or_else(|| drawn.clone());
            self.checked_pair(crypto, at, &secret)?;
            secrets.push(secret);
        }
        let root = secrets.last();
        Ok(root.map_or_else(|| drawn.commit_secret.clone(), |root| root.next(crypto).0))
    }

    /// Climbs from the lowest refreshed parent above `member` to the root: opens the ciphertext that is
    /// for it there, and again where a secret does not follow from the one in hand.
    pub fn decrypt_set(
        &self,
        crypto: &Crypto<'_>,
        set: &RefreshSet<'_>,
        member: LeafIndex,
        keys: &PrivateKeys,
        context: &[u8],
    ) -> Result<OpenedPath, PathError> {
        let not_for_me = PathError::NotForMe(member);
        set.check_length(self.nodes.len())?;
        let path = set.path_of(member);
        let lowest = path.first().ok_or_else(|| not_for_me.clone())?.0;
        let mut key_pairs: Vec<HpkeKeyPair> = Vec::with_capacity(path.len());
        let mut secret = None;
        for (at, child) in path {
            let refreshed = &set.nodes[at];
            let open = |key, position| {
                let position = refreshed.ciphertexts_before(child) + position;
                self.open(crypto, key, at, position, context)
            };
            let next = match (refreshed.children[child], &secret, key_pairs.last()) {
                (Child::Source(_), Some(below), _) => PathSecret::next(below, crypto),
                (Child::Refreshed(_), _, Some(below)) => open(below, 0)?,
                (Child::Stays(child), ..) => {
                    let found = child.locate(member).ok_or_else(|| not_for_me.clone())?;
                    let key = keys.find(key_of(&found.entry)).ok_or_else(|| not_for_me.clone())?;
                    open(key, found.position)?
                }
                _ => return Err(not_for_me),
            };
            key_pairs.push(self.checked_pair(crypto, at, &next)?);
            secret = Some(next);
        }
        let commit_secret = secret.ok_or(not_for_me)?.next(crypto).0;
        Ok(OpenedPath { lowest, key_pairs, commit_secret })
    }
}
