//! Tainted TreeKEM (Klein, Pascual-Perez, Walter, Kamath, Capretto, Cueto, Markov, Yeo, Alwen,
//! Pietrzak: Keep the Dirt, IEEE S&P 2021), `removal=taint`: every parent stays keyed. It is
//! research and no RFC 9420, whose messages it fills otherwise.
//!
//! **Who knows what.** Everybody below a parent holds its key from its first epoch on: nobody is
//! unmerged. Whoever draws the secret of a parent that it is not below *taints* it. The mark is
//! public, part of the parent on the wire and in the tree hash: `ParentNode::tainted_by`.
//!
//! **What a commit refreshes.** Its sender's direct path, those of the leaves that it adds, removes
//! and updates, each parent tainted by its sender or by a member removed or updated, and all above
//! these. What somebody has tainted was thus drawn by its last commit. A parent that nobody is
//! below any more keeps a key, since the paper's paths are unfiltered.
//!
//! **What a client sends.** In `UpdatePath.nodes` the refreshed parents, those below before those
//! above, from the left. The secret of each follows from that of its first refreshed child
//! (`DeriveSecret(., "path")`; the sender's own leaf counts), and is drawn where there is none.
//! Every other child is sent it: a refreshed one under its new key, one that stays under each key
//! of its resolution, and nothing is sent to who has just been added. The root's leads to the
//! commit secret. In a Welcome `GroupSecrets.path_secret` holds the secrets by which the joiner
//! enters the chains above its leaf, mostly one or two.
//!
//! **What members do.** They open one ciphertext at the lowest refreshed parent above themselves
//! and follow the chain; where a parent does not follow from the child that they come through, they
//! open another, with the new key of that child. They keep the keys of their direct path alone, and
//! so does the tainter.
//!
//! **What it costs.** No blanks: a path of a warm tree is log2 n ciphertexts whatever has happened.
//! Each parent that its sender has tainted adds a public key and one ciphertext or two, so whoever
//! adds and removes much pays for it at its next commit, and its removal is paid by whoever removes
//! it.
//!
//! **What it trades.** A tainter has known secrets far from itself: who had broken into it has
//! those parents until it, or another, refreshes them and all that it has tainted below them. No leaf's signature vouches for a tainted
//! parent, so there are no parent hashes: members check the keys above themselves as they derive
//! them, and a joiner believes the signer of the GroupInfo in the rest of the tree.
//!
//! **Where it differs from the paper.** There, an add and a removal refresh the other's path only.
//! Here every commit that changes members carries its sender's path as well, and so is an update
//! besides; and it may do several things at once. Joiners learn their keys by Welcome.
//!
//! | file | what is there |
//! |---|---|
//! | `walk` | which parents a commit refreshes |
//! | `path` | their secrets: drawn, sent, opened, told to joiners |

mod path;
mod walk;

use std::sync::Arc;

use smallvec::SmallVec;

use super::update_path::PathError;
use crate::crypto::{Digest, HpkePublicKey};
use crate::tree::{Crown, LeafIndex, Subtree};
use crate::treesync::{AppliedProposals, LeafNode, ParentNode, RatchetData, RatchetTree};

pub(crate) use path::keys_told;

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
        Some(Self { committer, nodes: walk::find(tree, committer, applied) })
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

    /// The chains above a leaf, from the lowest: the parent at which each is entered, and how many
    /// it leads through.
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

    /// For each parent the keys that its secret is encrypted to, in sending order: `new` gives that
    /// of a refreshed child, `staying` those of the resolution of another.
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

    /// The parent of the set that another's secret follows from.
    pub(crate) fn source(&self, at: usize) -> Option<usize> {
        self.nodes.get(at)?.source()
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
