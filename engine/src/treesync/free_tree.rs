//! A free tree on the wire, in the place of the `ratchet_tree` of RFC 9420 §12.4.3.3: its nodes in a
//! vector, each before what is below it. A leaf comes with its number; a parent says how many children
//! follow, and whether it is an inner one.

use std::sync::Arc;

use tls_codec::{DeserializeBytes, Error, Size, TlsSerialize, TlsSize};

use super::leaf_node::LeafNode;
use super::ratchet_tree::{DecodeTreeError, ParentNode, RatchetTree};
use crate::codec::{CodecError, decode, encode};
use crate::strategy::Strategy;
use crate::tree::{Aggregates, LeafIndex, Written, WrittenRef};

const LEAF: u8 = 1;
const PARENT: u8 = 2;

/// A node that was read.
#[derive(Debug)]
struct Node(Written<LeafNode, ParentNode>);

/// A node to be written.
#[derive(Debug, TlsSize, TlsSerialize)]
#[repr(u8)]
enum NodeRef<'t> {
    #[tls_codec(discriminant = 1)]
    Leaf(LeafIndex, &'t LeafNode),
    #[tls_codec(discriminant = 2)]
    Parent(u8, u8, Option<&'t ParentNode>),
}

impl Size for Node {
    fn tls_serialized_len(&self) -> usize {
        let node = match &self.0 {
            Written::Leaf(index, leaf) => NodeRef::Leaf(*index, leaf),
            Written::Parent { children, inner, value } => {
                NodeRef::Parent(*children, (*inner).into(), value.as_deref())
            }
        };
        node.tls_serialized_len()
    }
}

impl DeserializeBytes for Node {
    fn tls_deserialize_bytes(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        let (kind, rest) = u8::tls_deserialize_bytes(bytes)?;
        match kind {
            LEAF => {
                let (index, rest) = LeafIndex::tls_deserialize_bytes(rest)?;
                let (leaf, rest) = LeafNode::tls_deserialize_bytes(rest)?;
                Ok((Self(Written::Leaf(index, Arc::new(leaf))), rest))
            }
            PARENT => {
                let (children, rest) = u8::tls_deserialize_bytes(rest)?;
                let (inner, rest) = u8::tls_deserialize_bytes(rest)?;
                let (value, rest) = Option::<ParentNode>::tls_deserialize_bytes(rest)?;
                let inner = match inner {
                    0 => false,
                    1 => true,
                    other => return Err(Error::UnknownValue(other.into())),
                };
                let value = value.map(Arc::new);
                Ok((Self(Written::Parent { children, inner, value }), rest))
            }
            other => Err(Error::UnknownValue(other.into())),
        }
    }
}

fn decode_nodes(bytes: &[u8]) -> Result<Vec<Written<LeafNode, ParentNode>>, CodecError> {
    let nodes: Vec<Node> = decode("a free tree", bytes)?;
    Ok(nodes.into_iter().map(|Node(node)| node).collect())
}

/// Reads a tree of a strategy whose trees are free.
pub(super) fn decode_free(
    strategy: Strategy,
    bytes: &[u8],
) -> Result<RatchetTree, DecodeTreeError> {
    Ok(RatchetTree::from_written(strategy, &decode_nodes(bytes)?)?)
}

/// Writes a free tree.
pub(super) fn encode_free(tree: &RatchetTree) -> Result<Vec<u8>, CodecError> {
    let mut nodes = Vec::with_capacity(2 * tree.width() as usize);
    tree.written(&mut |node| {
        nodes.push(match node {
            WrittenRef::Leaf(index, leaf) => NodeRef::Leaf(index, leaf),
            WrittenRef::Parent(children, inner, value) => {
                NodeRef::Parent(children, inner.into(), value.map(AsRef::as_ref))
            }
        });
    });
    encode(&nodes)
}

/// The bytes that a free tree takes beside those of a presence and a kind for each node that is not
/// blank: a leaf's number instead of its presence, two numbers for each parent, and all of a
/// blank one.
pub(super) fn overhead(tree: &Aggregates) -> u64 {
    3 * u64::from(tree.members)
        + 2 * u64::from(tree.keyed_parents)
        + 4 * u64::from(tree.blank_parents)
}
