//! The ratchet tree of RFC 9420: parent nodes (§7.1) and the `ratchet_tree` extension
//! (§12.4.3.3). A parent that somebody has tainted is of a node type of its own, which the trees of
//! RFC 9420 do not have.

use std::sync::{Arc, OnceLock};

use tls_codec::{DeserializeBytes, Error, Size, TlsDeserializeBytes, TlsSerialize, TlsSize};

use super::free_tree;
use super::leaf_node::LeafNode;
use super::taints::Tainters;
use crate::codec::{CodecError, decode, encode};
use crate::crypto::{Digest, HpkePublicKey};
use crate::strategy::{Strategy, Unmerged, list, unlist};
use crate::tree::{
    LeafIndex, NodeValue, NotATree, NotOfForm, Place, Shape, Subtree, Tree, TreeData,
};

/// `ParentNode`.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct ParentNode {
    /// The key whose private half the members below hold, unmerged ones excepted.
    pub encryption_key: HpkePublicKey,
    /// The parent hash of the next keyed node above.
    pub parent_hash: Digest,
    /// Leaves below that do not hold the private key, ascending.
    pub unmerged_leaves: Vec<LeafIndex>,
    /// The leaf that is not below and whose owner has drawn the secret, where there is one
    /// (`treekem/refresh.rs`). It is no part of RFC 9420's `ParentNode`.
    #[tls_codec(skip)]
    pub tainted_by: Option<LeafIndex>,
}

impl Unmerged for ParentNode {
    fn with_unmerged(&self, leaf: LeafIndex) -> Self {
        let mut parent = self.clone();
        list(&mut parent.unmerged_leaves, leaf);
        parent
    }

    fn without_unmerged(&self, leaf: LeafIndex) -> Option<Self> {
        let mut parent = self.clone();
        unlist(&mut parent.unmerged_leaves, leaf).then_some(parent)
    }
}

/// What the ratchet tree holds: leaf nodes, parent nodes, and cached tree hashes.
#[derive(Debug)]
pub enum RatchetData {}

impl TreeData for RatchetData {
    type Leaf = LeafNode;
    type Parent = ParentNode;
    type Cache = RatchetCache;

    fn unmerged(parent: &ParentNode) -> &[LeafIndex] {
        &parent.unmerged_leaves
    }

    fn weight(leaf: &LeafNode) -> u64 {
        u64::from(leaf.commits()) + 1
    }
}

/// What is cached at each node of a ratchet tree.
#[derive(Debug, Default)]
pub struct RatchetCache {
    /// The tree hash.
    pub(super) hash: OnceLock<Digest>,
    /// The hashes that checking all parent hashes below takes.
    pub(super) checks: OnceLock<u64>,
    /// The encoded length of the nodes below that are not blank.
    pub(super) bytes: OnceLock<u64>,
    /// Who has tainted a parent here or below.
    pub(super) tainters: OnceLock<Tainters>,
}

/// The public tree of a group, laid out and kept as its strategy says.
pub type RatchetTree = Tree<RatchetData, Strategy>;

/// `Node`: an entry of the `ratchet_tree` extension, decoded into what a tree shares: a blank is
/// one byte on the wire, and must not take the place of a whole leaf here.
#[derive(Debug)]
struct WireNode(NodeValue<LeafNode, ParentNode>);

impl WireNode {
    fn borrowed(&self) -> WireNodeRef<'_> {
        match &self.0 {
            NodeValue::Leaf(leaf) => WireNodeRef::Leaf(leaf),
            NodeValue::Parent(parent) => WireNodeRef::parent(parent),
        }
    }

    fn is_tainted(&self) -> bool {
        matches!(&self.0, NodeValue::Parent(parent) if parent.tainted_by.is_some())
    }
}

impl Size for WireNode {
    fn tls_serialized_len(&self) -> usize {
        self.borrowed().tls_serialized_len()
    }
}

impl DeserializeBytes for WireNode {
    fn tls_deserialize_bytes(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        let (kind, rest) = u8::tls_deserialize_bytes(bytes)?;
        match kind {
            1 => {
                let (leaf, rest) = LeafNode::tls_deserialize_bytes(rest)?;
                Ok((Self(NodeValue::Leaf(Arc::new(leaf))), rest))
            }
            2 => {
                let (parent, rest) = ParentNode::tls_deserialize_bytes(rest)?;
                Ok((Self(NodeValue::Parent(Arc::new(parent))), rest))
            }
            TAINTED => {
                let (parent, rest) = ParentNode::tls_deserialize_bytes(rest)?;
                let (tainter, rest) = LeafIndex::tls_deserialize_bytes(rest)?;
                let parent = ParentNode { tainted_by: Some(tainter), ..parent };
                Ok((Self(NodeValue::Parent(Arc::new(parent))), rest))
            }
            other => Err(Error::UnknownValue(other.into())),
        }
    }
}

/// The same, borrowed, for encoding.
#[derive(Debug, TlsSize, TlsSerialize)]
#[repr(u8)]
enum WireNodeRef<'t> {
    #[tls_codec(discriminant = 1)]
    Leaf(&'t LeafNode),
    #[tls_codec(discriminant = 2)]
    Parent(&'t ParentNode),
    #[tls_codec(discriminant = 254)]
    Tainted(&'t ParentNode, LeafIndex),
}

/// The node type of a tainted parent.
const TAINTED: u8 = 254;

impl<'t> WireNodeRef<'t> {
    fn parent(parent: &'t ParentNode) -> Self {
        match parent.tainted_by {
            None => Self::Parent(parent),
            Some(tainter) => Self::Tainted(parent, tainter),
        }
    }
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
    /// The nodes do not form a free tree.
    #[error(transparent)]
    NotOfForm(#[from] NotOfForm),
    /// The last node is blank.
    #[error("the last node of a ratchet tree must not be blank (RFC 9420 §12.4.3.3)")]
    TrailingBlank,
    /// The last node is a parent.
    #[error("a ratchet tree has an odd number of nodes, not {0} (RFC 9420 §12.4.3.3)")]
    Even(usize),
    /// A parent is tainted where nobody taints.
    #[error("a parent is tainted in a tree that is not kept by removal=taint")]
    Tainted,
}

/// Decodes `optional<Node> ratchet_tree<V>` of a group that keeps its tree by RFC 9420.
pub fn decode_tree(bytes: &[u8]) -> Result<RatchetTree, DecodeTreeError> {
    decode_tree_of(Strategy::default(), bytes)
}

/// Decodes `optional<Node> ratchet_tree<V>` of a group with this strategy. A parent stands behind
/// its first child, whatever their number; of free trees [`free_tree`](super::free_tree) says how they
/// are written.
pub fn decode_tree_of(strategy: Strategy, bytes: &[u8]) -> Result<RatchetTree, DecodeTreeError> {
    if strategy.form().is_some() {
        return free_tree::decode_free(strategy, bytes);
    }
    let wire: Vec<Option<WireNode>> = decode("a ratchet tree", bytes)?;
    if strategy.trims_trees() && matches!(wire.last(), Some(None)) {
        return Err(DecodeTreeError::TrailingBlank);
    }
    if strategy.trims_trees() && !wire.is_empty() && wire.len().is_multiple_of(2) {
        return Err(DecodeTreeError::Even(wire.len()));
    }
    if !strategy.taints() && wire.iter().flatten().any(WireNode::is_tainted) {
        return Err(DecodeTreeError::Tainted);
    }
    let nodes: Vec<_> = wire.into_iter().map(|node| node.map(|WireNode(node)| node)).collect();
    Ok(RatchetTree::from_nodes(strategy, &nodes)?)
}

/// Encodes `optional<Node> ratchet_tree<V>`.
pub fn encode_tree(tree: &RatchetTree) -> Result<Vec<u8>, CodecError> {
    if tree.shape().form().is_some() {
        return free_tree::encode_free(tree);
    }
    let mut nodes = Vec::with_capacity(2 * tree.width() as usize);
    in_order(tree.root(), &mut nodes);
    while tree.shape().trims_trees() && matches!(nodes.last(), Some(None)) {
        nodes.pop();
    }
    encode(&nodes)
}

fn in_order<'t>(subtree: Subtree<'t, RatchetData>, nodes: &mut Vec<Option<WireNodeRef<'t>>>) {
    match subtree.place() {
        Place::Leaf(leaf) => nodes.push(Some(WireNodeRef::Leaf(leaf))),
        Place::Blank => {
            let blank = subtree.aggregates();
            let count = (blank.width + blank.blank_parents) as usize;
            nodes.extend(std::iter::repeat_with(|| None).take(count));
        }
        Place::Parent(parent) => {
            let mut children = subtree.children();
            if let Some(left) = children.next() {
                in_order(left, nodes);
            }
            nodes.push(parent.map(|parent| WireNodeRef::parent(parent)));
            children.for_each(|child| in_order(child, nodes));
        }
    }
}

/// The length of [`encode_tree`] without encoding anything: the sum over the keyed nodes is
/// cached at each node, the blanks between them are one byte each.
pub fn encoded_tree_length(tree: &RatchetTree) -> usize {
    let aggregates = tree.aggregates();
    let keyed = u64::from(aggregates.members + aggregates.keyed_parents);
    let last = tree.root().rightmost_member().map_or(0, |leaf| 2 * u64::from(leaf.0) + 1);
    let nodes = if tree.shape().trims_trees() {
        last
    } else {
        u64::from(aggregates.width + aggregates.keyed_parents + aggregates.blank_parents)
    };
    let content = if tree.shape().form().is_some() {
        keyed_bytes(tree.root()) + free_tree::overhead(aggregates)
    } else {
        keyed_bytes(tree.root()) + nodes.saturating_sub(keyed)
    };
    let header = match content {
        0..0x40 => 1,
        0x40..0x4000 => 2,
        _ => 4,
    };
    content as usize + header
}

fn keyed_bytes(subtree: Subtree<'_, RatchetData>) -> u64 {
    // The optional's presence takes a byte.
    *subtree.cache().bytes.get_or_init(|| match subtree.place() {
        Place::Blank => 0,
        Place::Leaf(leaf) => 1 + WireNodeRef::Leaf(leaf).tls_serialized_len() as u64,
        Place::Parent(parent) => {
            let own =
                parent.map_or(0, |parent| 1 + WireNodeRef::parent(parent).tls_serialized_len());
            own as u64 + subtree.children().map(keyed_bytes).sum::<u64>()
        }
    })
}
