//! Tree hashes (RFC 9420 §7.8), cached at each node, and the original tree hash of a subtree
//! that parent hashes speak of (§7.9).

use smallvec::SmallVec;
use tls_codec::{Serialize, TlsSerialize, TlsSize};

use super::leaf_node::LeafNode;
use super::ratchet_tree::{ParentNode, RatchetData, RatchetTree};
use crate::crypto::{Crypto, Digest};
use crate::tree::{LeafIndex, Place, Shape, Subtree};

/// The hashes of a node's children.
type Hashes = SmallVec<[Digest; 2]>;

/// `TreeHashInput`, its node type as discriminant.
#[derive(TlsSize, TlsSerialize)]
#[repr(u8)]
enum TreeHashInput<'t> {
    #[tls_codec(discriminant = 1)]
    Leaf(LeafIndex, Option<&'t LeafNode>),
    #[tls_codec(discriminant = 2)]
    Parent(Option<&'t ParentNode>, Digest, Digest),
    /// A parent of more than two children, which RFC 9420 does not have.
    #[tls_codec(discriminant = 255)]
    Wide(Option<&'t ParentNode>, Vec<Digest>),
    /// A parent with who has tainted it, which RFC 9420 does not have either.
    #[tls_codec(discriminant = 254)]
    Tainted(&'t ParentNode, LeafIndex, Vec<Digest>),
    /// A parent that stands for one node together with its own parent, which RFC 9420 does not have.
    #[tls_codec(discriminant = 253)]
    Inner(Option<&'t ParentNode>, Vec<Digest>),
}

impl<'t> TreeHashInput<'t> {
    fn parent(parent: Option<&'t ParentNode>, children: &[Digest]) -> Self {
        if let Some((parent, tainter)) = parent.and_then(|it| it.tainted_by.map(|by| (it, by))) {
            return Self::Tainted(parent, tainter, children.to_vec());
        }
        match children {
            [left, right] => Self::Parent(parent, *left, *right),
            children => Self::Wide(parent, children.to_vec()),
        }
    }

    fn hash(&self, crypto: &Crypto<'_>) -> Digest {
        let input = self.tls_serialize_detached().expect("a node is shorter than 2^30 bytes");
        crypto.hash(&input)
    }
}

/// The tree hash of a whole tree.
pub fn tree_hash(crypto: &Crypto<'_>, tree: &RatchetTree) -> Digest {
    subtree_hash(crypto, tree.shape(), tree.root())
}

/// The tree hash of a subtree. Only nodes changed since the last call are hashed.
pub fn subtree_hash(
    crypto: &Crypto<'_>,
    shape: &impl Shape,
    subtree: Subtree<'_, RatchetData>,
) -> Digest {
    *subtree.cache().hash.get_or_init(|| match subtree.place() {
        Place::Blank => {
            blank_subtree_hash(crypto, shape, subtree.first_leaf(), subtree.aggregates().width)
        }
        Place::Leaf(leaf) => TreeHashInput::Leaf(subtree.first_leaf(), Some(leaf)).hash(crypto),
        Place::Parent(parent) => {
            let children: Hashes =
                subtree.children().map(|child| subtree_hash(crypto, shape, child)).collect();
            let parent = parent.map(AsRef::as_ref);
            if subtree.is_inner() {
                return TreeHashInput::Inner(parent, children.to_vec()).hash(crypto);
            }
            TreeHashInput::parent(parent, &children).hash(crypto)
        }
    })
}

/// The hash of an all-blank subtree, which depends on where it stands.
pub fn blank_subtree_hash(
    crypto: &Crypto<'_>,
    shape: &impl Shape,
    first: LeafIndex,
    width: u32,
) -> Digest {
    if width == 1 {
        return TreeHashInput::Leaf(first, None).hash(crypto);
    }
    let mut next = first;
    let below = shape.children_of_blank(width).into_iter().map(|width| {
        let first = next;
        next.0 += width;
        blank_subtree_hash(crypto, shape, first, width)
    });
    let children: Hashes = below.collect();
    TreeHashInput::parent(None, &children).hash(crypto)
}

/// The tree hash of a subtree with the leaves of `left_out` blanked and struck from every
/// unmerged list: what the subtree was when the parent above it was keyed. Nothing is
/// recomputed outside the paths to those leaves.
pub(super) fn original_hash(
    crypto: &Crypto<'_>,
    shape: &impl Shape,
    subtree: Subtree<'_, RatchetData>,
    left_out: &[LeafIndex],
) -> Digest {
    let left_out = below(subtree, left_out);
    if left_out.is_empty() {
        return subtree_hash(crypto, shape, subtree);
    }
    match subtree.place() {
        Place::Blank => subtree_hash(crypto, shape, subtree),
        Place::Leaf(_) => TreeHashInput::Leaf(subtree.first_leaf(), None).hash(crypto),
        Place::Parent(parent) => {
            let children: Hashes = subtree
                .children()
                .map(|child| original_hash(crypto, shape, child, left_out))
                .collect();
            let parent = parent.map(|parent| {
                let mut parent = ParentNode::clone(parent);
                parent.unmerged_leaves.retain(|leaf| left_out.binary_search(leaf).is_err());
                parent
            });
            TreeHashInput::parent(parent.as_ref(), &children).hash(crypto)
        }
    }
}

/// One hash over several tree hashes.
pub(super) fn combined_hash(crypto: &Crypto<'_>, hashes: &[Digest]) -> Digest {
    TreeHashInput::Wide(None, hashes.to_vec()).hash(crypto)
}

/// The part of an ascending list of leaves that lies below a subtree.
pub(super) fn below<'l>(
    subtree: Subtree<'_, RatchetData>,
    leaves: &'l [LeafIndex],
) -> &'l [LeafIndex] {
    let first = subtree.first_leaf();
    let end = LeafIndex(first.0 + subtree.aggregates().width);
    let from = leaves.partition_point(|leaf| *leaf < first);
    let to = leaves.partition_point(|leaf| *leaf < end);
    &leaves[from..to]
}
