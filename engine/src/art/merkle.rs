//! The Merkle tree over the members' identity keys, and proofs of membership
//! (draft-barnes-mls-protocol-00 §5.2). Every node caches its hash, so that a change costs one path.

use std::sync::{Arc, OnceLock};

use crate::crypto::{Crypto, Digest, SignaturePublicKey};
use crate::tree::{LeafIndex, LeftBalanced, OutsideTree, Place, Subtree, Tree, TreeData};

/// What the identity tree holds.
pub enum Identities {}

impl TreeData for Identities {
    type Leaf = SignaturePublicKey;
    type Parent = ();
    type Cache = OnceLock<Digest>;

    fn unmerged((): &()) -> &[LeafIndex] {
        &[]
    }
}

/// The tree of identity keys.
pub type IdentityTree = Tree<Identities, LeftBalanced>;

const BLANK: u8 = 0;
const LEAF: u8 = 1;
const PARENT: u8 = 2;

/// `H(0x01 || leaf-value)`.
pub(super) fn leaf_hash(crypto: &Crypto<'_>, identity: &SignaturePublicKey) -> Digest {
    crypto.hash_parts(&[&[LEAF], identity.as_slice()])
}

fn parent_hash(crypto: &Crypto<'_>, left: &Digest, right: &Digest) -> Digest {
    crypto.hash_parts(&[&[PARENT], left.as_slice(), right.as_slice()])
}

/// The hash of a subtree of `width` blank leaves.
fn blank_hash(crypto: &Crypto<'_>, width: u32) -> Digest {
    if width == 1 {
        return crypto.hash(&[BLANK]);
    }
    let left = 1 << (width - 1).ilog2();
    parent_hash(crypto, &blank_hash(crypto, left), &blank_hash(crypto, width - left))
}

/// The hash of a subtree, as far as it is not known yet.
pub fn hash_of(crypto: &Crypto<'_>, at: Subtree<'_, Identities>) -> Digest {
    if let Some(known) = at.cache().get() {
        return *known;
    }
    let hash = match at.place() {
        Place::Blank => blank_hash(crypto, at.aggregates().width),
        Place::Leaf(identity) => leaf_hash(crypto, identity),
        Place::Parent(_) => {
            let children: Vec<_> = at.children().map(|child| hash_of(crypto, child)).collect();
            parent_hash(crypto, &children[0], &children[1])
        }
    };
    *at.cache().get_or_init(|| hash)
}

/// How many hashes a tree takes of which nothing is known.
pub fn hashes_of_all(width: u32) -> u64 {
    2 * u64::from(width) - 1
}

/// The heads of the maximal full subtrees, from the left (§5.1).
pub(super) fn frontier<D: TreeData>(tree: &Tree<D, LeftBalanced>) -> Vec<Subtree<'_, D>> {
    let mut heads = vec![];
    let mut at = tree.root();
    while !at.aggregates().width.is_power_of_two() {
        let mut children = at.children();
        let (Some(left), Some(right)) = (children.next(), children.next()) else { break };
        heads.push(left);
        at = right;
    }
    heads.push(at);
    heads
}

/// The proof that a leaf is in the tree: its hash, then its copath's, upwards (§5.2.1).
pub(super) fn prove(
    crypto: &Crypto<'_>,
    tree: &IdentityTree,
    leaf: LeafIndex,
) -> Result<Vec<Digest>, OutsideTree> {
    let path = tree.direct_path(leaf)?;
    let own = match tree.leaf(leaf) {
        Some(identity) => leaf_hash(crypto, identity),
        None => blank_hash(crypto, 1),
    };
    let copath = path.iter().map(|step| hash_of(crypto, step.copath[0]));
    Ok(std::iter::once(own).chain(copath).collect())
}

/// Whether a proof leads from an identity key at a leaf to the root of the tree. Of the tree it
/// takes the form alone, and the root.
pub(super) fn is_proof(
    crypto: &Crypto<'_>,
    tree: &IdentityTree,
    leaf: LeafIndex,
    identity: &SignaturePublicKey,
    proof: &[Digest],
) -> Result<bool, OutsideTree> {
    let path = tree.direct_path(leaf)?;
    let Some((own, copath)) = proof.split_first() else { return Ok(false) };
    if copath.len() != path.len() || *own != leaf_hash(crypto, identity) {
        return Ok(false);
    }
    let root = path.iter().zip(copath).fold(*own, |below, (step, beside)| match step.child {
        0 => parent_hash(crypto, &below, beside),
        _ => parent_hash(crypto, beside, &below),
    });
    Ok(root == hash_of(crypto, tree.root()))
}

/// Puts an identity behind the last leaf, and hashes the new path.
pub(super) fn append(
    crypto: &Crypto<'_>,
    tree: &IdentityTree,
    identity: &SignaturePublicKey,
) -> Result<IdentityTree, OutsideTree> {
    let mut tree = tree.clone();
    let leaf = LeafIndex(tree.width());
    tree.extend();
    tree.replace(leaf, Arc::new(identity.clone()))?;
    hash_of(crypto, tree.root());
    Ok(tree)
}

/// Blanks a leaf, and hashes its path.
pub(super) fn blank(
    crypto: &Crypto<'_>,
    tree: &IdentityTree,
    leaf: LeafIndex,
) -> Result<IdentityTree, OutsideTree> {
    let mut tree = tree.clone();
    tree.blank(leaf)?;
    hash_of(crypto, tree.root());
    Ok(tree)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::RealProvider;

    fn identity(n: u8) -> SignaturePublicKey {
        vec![n; 32].into()
    }

    /// The root by the draft's own words, over leaves that are there or not.
    fn naive(crypto: &Crypto<'_>, leaves: &[Option<u8>]) -> Digest {
        match leaves {
            [None] => crypto.hash(&[0]),
            [Some(n)] => crypto.hash(&[&[1][..], &[*n; 32]].concat()),
            _ => {
                let left = leaves.len().next_power_of_two() / 2;
                let (left, right) = leaves.split_at(left);
                let (left, right) = (naive(crypto, left), naive(crypto, right));
                crypto.hash(&[&[2], left.as_slice(), right.as_slice()].concat())
            }
        }
    }

    #[test]
    fn roots_and_proofs_over_growth_and_removal() {
        let crypto = Crypto::new(&RealProvider);
        let mut tree = IdentityTree::new(LeftBalanced);
        tree.replace(LeafIndex(0), Arc::new(identity(0))).unwrap();
        let mut leaves = vec![Some(0)];
        for n in 1..40_u8 {
            tree = append(&crypto, &tree, &identity(n)).unwrap();
            leaves.push(Some(n));
            if n % 3 == 0 {
                let gone = n * 2 / 3;
                tree = blank(&crypto, &tree, LeafIndex(gone.into())).unwrap();
                leaves[usize::from(gone)] = None;
            }
            assert_eq!(hash_of(&crypto, tree.root()), naive(&crypto, &leaves));
            let heads: Vec<u32> =
                frontier(&tree).iter().map(|head| head.aggregates().width).collect();
            assert_eq!(heads.iter().sum::<u32>(), tree.width());
            assert!(heads.windows(2).all(|pair| pair[0] > pair[1]));
            assert!(heads.iter().all(|width| width.is_power_of_two()));
            for (at, there) in leaves.iter().enumerate() {
                let (at, key) = (LeafIndex(at as u32), identity(there.unwrap_or(200)));
                let proof = prove(&crypto, &tree, at).unwrap();
                let holds = |key: &SignaturePublicKey, proof: &[Digest]| {
                    is_proof(&crypto, &tree, at, key, proof).unwrap()
                };
                assert_eq!(holds(&key, &proof), there.is_some());
                assert!(!holds(&identity(201), &proof));
                assert!(!holds(&key, &proof[1..]));
                for broken in 0..proof.len() {
                    let mut proof = proof.clone();
                    proof[broken] = crypto.hash(b"another");
                    assert!(!holds(&key, &proof));
                }
            }
        }
        let all = Crypto::new(&RealProvider);
        let leaf =
            |there: &Option<u8>| there.map(|n| crate::tree::NodeValue::Leaf(Arc::new(identity(n))));
        let nodes: Vec<_> = leaves.iter().flat_map(|there| [leaf(there), None]).collect();
        let again = IdentityTree::from_nodes(LeftBalanced, &nodes[..nodes.len() - 1]).unwrap();
        assert_eq!(hash_of(&all, again.root()), naive(&crypto, &leaves));
        let hashes = all.ledger().count(crate::crypto::Op::Hash);
        assert_eq!(hashes, hashes_of_all(tree.width()));
        hash_of(&all, again.root());
        assert_eq!(
            all.ledger().count(crate::crypto::Op::Hash),
            hashes,
            "known hashes cost nothing"
        );
    }
}
