//! All the private keys of a group at one epoch, in one persistent tree beside the public one, and
//! what its members owe for following paths. This is the omniscient side of `shared`: no client
//! holds it.

use std::sync::Arc;

use crate::art::{
    DhKeyPair, DhPublicKey, NodeSecret, RatchetNodes, RatchetTree, key_of, peopled_above,
};
use crate::protocol::{ClientId, ProtocolError};
use crate::tree::{
    LeafIndex, LeftBalanced, NodeValue, OutsideTree, Place, Subtree, Tree, TreeData,
};

/// Private keys at the leaves and parents.
pub(super) enum PrivateNodes {}

/// A member's leaf.
#[derive(Clone)]
pub(super) struct PrivateLeaf {
    pub(super) client: ClientId,
    pub(super) key: DhKeyPair,
}

/// A parent.
#[derive(Clone, Default)]
pub(super) struct PrivateParent {
    key: Option<DhKeyPair>,
    /// For the members below each child: how many nodes they have computed so far from here to the
    /// root, because a path came from below the other child. A path charges everybody at its parents.
    climbed: [u64; 2],
}

impl TreeData for PrivateNodes {
    type Leaf = PrivateLeaf;
    type Parent = PrivateParent;
    type Cache = ();

    fn unmerged(_: &PrivateParent) -> &[LeafIndex] {
        &[]
    }
}

/// The private keys of one epoch.
#[derive(Clone)]
pub(super) struct PrivateTree {
    tree: Tree<PrivateNodes, LeftBalanced>,
}

fn lost(leaf: LeafIndex) -> ProtocolError {
    ProtocolError::Check(format!("the private tree has lost a key near {leaf}"))
}

fn key_at(at: Subtree<'_, PrivateNodes>) -> Option<&DhKeyPair> {
    match at.place() {
        Place::Leaf(leaf) => Some(&leaf.key),
        Place::Parent(parent) => parent.and_then(|parent| parent.key.as_ref()),
        Place::Blank => None,
    }
}

impl PrivateTree {
    /// A group of one.
    pub(super) fn new(client: ClientId, key: DhKeyPair) -> Result<Self, OutsideTree> {
        let mut tree = Tree::new(LeftBalanced);
        tree.replace(LeafIndex(0), Arc::new(PrivateLeaf { client, key }))?;
        Ok(Self { tree })
    }

    /// A group that a setup makes, of its nodes in order and its members from the left.
    pub(super) fn set_up(
        nodes: &[NodeSecret],
        clients: &[ClientId],
    ) -> Result<Self, ProtocolError> {
        let value = |(at, node): (usize, &NodeSecret)| {
            let key = node.pair.clone();
            Some(match at % 2 {
                0 => NodeValue::Leaf(Arc::new(PrivateLeaf { client: clients[at / 2], key })),
                _ => {
                    let parent = PrivateParent { key: Some(key), ..PrivateParent::default() };
                    NodeValue::Parent(Arc::new(parent))
                }
            })
        };
        let nodes: Vec<_> = nodes.iter().enumerate().map(value).collect();
        let tree = Tree::from_nodes(LeftBalanced, &nodes);
        let tree = tree.map_err(|error| ProtocolError::Check(error.to_string()))?;
        Ok(Self { tree })
    }

    /// The member at a leaf.
    pub(super) fn member(&self, leaf: LeafIndex) -> Option<&PrivateLeaf> {
        self.tree.leaf(leaf).map(AsRef::as_ref)
    }

    /// The members, from the left.
    pub(super) fn clients(&self) -> Vec<ClientId> {
        self.tree.root().leaves().into_iter().map(|(_, leaf)| leaf.client).collect()
    }

    /// The keys of the member at a leaf: its own and those of all nodes above.
    pub(super) fn keys_of(&self, leaf: LeafIndex) -> Result<Vec<DhKeyPair>, ProtocolError> {
        let own = self.member(leaf).ok_or_else(|| lost(leaf))?.key.clone();
        let mut keys = vec![own];
        for step in self.tree.direct_path(leaf)? {
            keys.push(key_at(step.node).ok_or_else(|| lost(leaf))?.clone());
        }
        Ok(keys)
    }

    /// The key pairs of a leaf's copath, upwards; none where nobody is.
    pub(super) fn copath(&self, leaf: LeafIndex) -> Result<Vec<Option<&DhKeyPair>>, OutsideTree> {
        let path = self.tree.direct_path(leaf)?;
        Ok(path.iter().map(|step| key_at(step.copath[0])).collect())
    }

    /// What a member at this leaf would have climbed, had it been there always.
    pub(super) fn climbed(&self, leaf: LeafIndex) -> Result<u64, OutsideTree> {
        let path = self.tree.direct_path(leaf)?;
        Ok(path.iter().filter_map(|step| Some(step.node.parent()?.climbed[step.child])).sum())
    }

    /// Another leaf at the right.
    pub(super) fn extend(&mut self, client: ClientId, key: DhKeyPair) -> Result<(), OutsideTree> {
        let leaf = LeafIndex(self.tree.width());
        self.tree.extend();
        // The parents keep what has been asked of the members below: only their keys are new.
        let own = Arc::new(PrivateLeaf { client, key });
        self.tree.edit(leaf, &mut |_| Some(own.clone()), &mut |_, _| {})
    }

    /// A path is keyed from the leaf to the root. If it has been sent, the members below the other
    /// children owe a node for each step from there up that has somebody beside it.
    pub(super) fn set_path(
        &mut self,
        leaf: LeafIndex,
        client: ClientId,
        nodes: &[NodeSecret],
        sent: bool,
    ) -> Result<(), ProtocolError> {
        let path = self.tree.direct_path(leaf)?;
        let agreed: Vec<bool> = path.iter().map(|step| key_at(step.copath[0]).is_some()).collect();
        drop(path);
        let mut above = agreed.iter().filter(|agreed| **agreed).count() as u64;
        let mut keys = nodes.iter().map(|node| node.pair.clone());
        let key = keys.next().ok_or_else(|| lost(leaf))?;
        let own = Arc::new(PrivateLeaf { client, key });
        let mut agreed = agreed.into_iter();
        self.tree.edit(leaf, &mut |_| Some(own.clone()), &mut |child, value| {
            let mut parent = value.as_deref().cloned().unwrap_or_default();
            parent.key = keys.next();
            if agreed.next().unwrap_or(false) {
                if sent {
                    parent.climbed[1 - child] += above;
                }
                above -= 1;
            }
            *value = Some(Arc::new(parent));
        })?;
        Ok(())
    }

    /// A member is gone; parents with nobody below are blank with its leaf.
    pub(super) fn blank(&mut self, leaf: LeafIndex) -> Result<(), OutsideTree> {
        let mut peopled = peopled_above(&self.tree, leaf)?.into_iter();
        self.tree.edit(leaf, &mut |_| None, &mut |_, value| {
            if !peopled.next().unwrap_or(false) {
                *value = None;
            }
        })
    }

    /// Whether every node of the public tree has the private half of its key here; O(n).
    pub(super) fn matches(&self, public: &RatchetTree) -> Result<(), ProtocolError> {
        matches_below(public.root(), self.tree.root())
    }
}

fn matches_below(
    public: Subtree<'_, RatchetNodes>,
    private: Subtree<'_, PrivateNodes>,
) -> Result<(), ProtocolError> {
    let announced: Option<&DhPublicKey> = key_of(public);
    if announced != key_at(private).map(|key| &key.public) {
        return Err(lost(public.first_leaf()));
    }
    let mut pairs = public.children().zip(private.children());
    pairs.try_for_each(|(public, private)| matches_below(public, private))
}
