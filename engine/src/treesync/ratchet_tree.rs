//! The ratchet tree of RFC 9420: parent nodes (§7.1) and the `ratchet_tree` extension
//! (§12.4.3.3).

use std::sync::Arc;

use tls_codec::{TlsDeserializeBytes, TlsSerialize, TlsSize};

use super::leaf_node::LeafNode;
use crate::codec::{CodecError, decode, encode};
use crate::crypto::{Digest, HpkePublicKey};
use crate::tree::{LeafIndex, NodeValue, NotATree, Place, Subtree, Tree, TreeData};

/// `ParentNode`.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct ParentNode {
    /// The key whose private half the members below hold, unmerged ones excepted.
    pub encryption_key: HpkePublicKey,
    /// The parent hash of the next keyed node above.
    pub parent_hash: Digest,
    /// Leaves below that do not hold the private key, ascending.
    pub unmerged_leaves: Vec<LeafIndex>,
}

impl ParentNode {
    /// The same node with one more unmerged leaf.
    pub fn with_unmerged(&self, leaf: LeafIndex) -> Self {
        let mut parent = self.clone();
        if let Err(at) = parent.unmerged_leaves.binary_search(&leaf) {
            parent.unmerged_leaves.insert(at, leaf);
        }
        parent
    }
}

/// What the ratchet tree holds: leaf nodes, parent nodes, and cached tree hashes.
#[derive(Debug)]
pub enum RatchetData {}

impl TreeData for RatchetData {
    type Leaf = LeafNode;
    type Parent = ParentNode;
    type Cache = Digest;

    fn unmerged(parent: &ParentNode) -> &[LeafIndex] {
        &parent.unmerged_leaves
    }
}

/// The public tree of a group.
pub type RatchetTree = Tree<RatchetData>;

/// `Node`: an entry of the `ratchet_tree` extension.
#[derive(Debug, TlsSize, TlsSerialize, TlsDeserializeBytes)]
#[repr(u8)]
enum WireNode {
    #[tls_codec(discriminant = 1)]
    Leaf(LeafNode),
    #[tls_codec(discriminant = 2)]
    Parent(ParentNode),
}

/// The same, borrowed from a tree.
#[derive(Debug, TlsSize, TlsSerialize)]
#[repr(u8)]
enum WireNodeRef<'t> {
    #[tls_codec(discriminant = 1)]
    Leaf(&'t LeafNode),
    #[tls_codec(discriminant = 2)]
    Parent(&'t ParentNode),
}

/// Why bytes are not a ratchet tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeTreeError {
    /// The encoding is wrong.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The nodes do not form a tree.
    #[error(transparent)]
    NotATree(#[from] NotATree),
    /// The last node is blank.
    #[error("the last node of a ratchet tree must not be blank (RFC 9420 §12.4.3.3)")]
    TrailingBlank,
}

/// Decodes `optional<Node> ratchet_tree<V>`.
pub fn decode_tree(bytes: &[u8]) -> Result<RatchetTree, DecodeTreeError> {
    let wire: Vec<Option<WireNode>> = decode("a ratchet tree", bytes)?;
    if matches!(wire.last(), Some(None)) {
        return Err(DecodeTreeError::TrailingBlank);
    }
    let nodes: Vec<_> = wire
        .into_iter()
        .map(|node| {
            node.map(|node| match node {
                WireNode::Leaf(leaf) => NodeValue::Leaf(Arc::new(leaf)),
                WireNode::Parent(parent) => NodeValue::Parent(Arc::new(parent)),
            })
        })
        .collect();
    Ok(RatchetTree::from_nodes(&nodes)?)
}

/// Encodes `optional<Node> ratchet_tree<V>`.
pub fn encode_tree(tree: &RatchetTree) -> Result<Vec<u8>, CodecError> {
    let mut nodes = Vec::with_capacity(2 * tree.width() as usize);
    in_order(tree.root(), &mut nodes);
    while matches!(nodes.last(), Some(None)) {
        nodes.pop();
    }
    encode(&nodes)
}

fn in_order<'t>(subtree: Subtree<'t, RatchetData>, nodes: &mut Vec<Option<WireNodeRef<'t>>>) {
    match subtree.place() {
        Place::Leaf(leaf) => nodes.push(Some(WireNodeRef::Leaf(leaf))),
        Place::Blank => {
            let count = 2 * subtree.aggregates().width as usize - 1;
            nodes.extend(std::iter::repeat_with(|| None).take(count));
        }
        Place::Parent(parent) => {
            let mut children = subtree.children();
            if let Some(left) = children.next() {
                in_order(left, nodes);
            }
            nodes.push(parent.map(|parent| WireNodeRef::Parent(parent)));
            children.for_each(|child| in_order(child, nodes));
        }
    }
}
