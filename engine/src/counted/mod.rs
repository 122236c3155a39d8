//! Groups in counts: the tree of a group, who is where and which parents have a key, and what each
//! operation costs in ciphertexts and public keys, without anybody's keys.
//!
//! The tree, its shapes and the strategy at work on it are those of the whole engine; what is
//! left out is whatever no count depends on: encodings, hashes, signatures, the views of others.
//! One view is all there is, so a path is changed in place, in O(log n) (`benches/counted.rs`). It
//! is for experiments of millions of operations: the counting provider still encodes and hashes every
//! message. `tests/differential/` holds adds, removals and commits, tainted ones among them, to
//! the counts of the whole engine; the protocols that it does not have are held to worked examples.
//!
//! | file | protocol |
//! |---|---|
//! | `group` | TreeKEM under any strategy (RFC 9420) |
//! | `tainted` | Tainted TreeKEM |
//! | `multicast` | one manager who knows every key |
//! | `search_tree` | 2-3 trees and left-leaning red-black trees, for the manager |

mod data;
mod group;
mod multicast;
mod search_tree;
mod tainted;

pub use data::{CountedData, CountedParent, Member, Seat};
pub use group::CountedGroup;
pub use multicast::{ManagedTree, MulticastGroup};
pub use search_tree::{Balance, SearchTree};
pub use tainted::{Changes, TaintedGroup};

use tls_codec::Size;

use crate::crypto::{CryptoError, Provider};
use crate::tree::{LeafIndex, OutsideTree};

/// What a message costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Ciphertexts of path secrets.
    pub ciphertexts: u64,
    /// New public keys of parents.
    pub public_keys: u64,
    /// Lengths of the vectors of ciphertexts, encoded, in bytes: what the other two do not say of
    /// the size of a path (RFC 9420 §7.6). Only TreeKEM has them.
    pub bytes_headers: u64,
}

/// The encoded lengths of what a path is made of, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathSizes {
    /// A public key.
    pub public_key: u64,
    /// An `HPKECiphertext` of a path secret.
    pub ciphertext: u64,
}

impl PathSizes {
    /// Those of a cipher suite.
    pub fn of(provider: &dyn Provider) -> Result<Self, CryptoError> {
        let pair = provider.derive_key_pair(&[1; 32])?;
        let secret = vec![2; provider.digest_length()];
        let info = provider.hpke_info(&[]);
        let sealed = provider.hpke_seal(&pair.public, &info, &secret, &[3; 32])?;
        Ok(Self {
            public_key: pair.public.tls_serialized_len() as u64,
            ciphertext: sealed.tls_serialized_len() as u64,
        })
    }

    /// The encoded length of the nodes of a path.
    pub fn bytes(&self, cost: &Cost) -> u64 {
        cost.public_keys * self.public_key + cost.ciphertexts * self.ciphertext + cost.bytes_headers
    }

    /// The length of the length of a vector of so many ciphertexts (RFC 9420 §2.1.2).
    fn header(&self, ciphertexts: u64) -> u64 {
        match ciphertexts * self.ciphertext {
            0..0x40 => 1,
            0x40..0x4000 => 2,
            _ => 4,
        }
    }
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.ciphertexts += other.ciphertexts;
        self.public_keys += other.public_keys;
        self.bytes_headers += other.bytes_headers;
    }
}

/// Why an operation cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CountedError {
    /// Somebody is not in the group.
    #[error("{0} is not in the group")]
    NotAMember(Member),
    /// Somebody is in the group already.
    #[error("{0} is in the group already")]
    AlreadyAMember(Member),
    /// A member cannot remove itself.
    #[error("{0} removes itself")]
    RemovesItself(Member),
    /// The last member cannot be removed.
    #[error("{0} is the last member")]
    LastMember(Member),
    /// Parents that are tainted are counted by another group.
    #[error("a strategy that taints is counted by `TaintedGroup`")]
    Taints,
    /// A leaf lies outside the tree.
    #[error(transparent)]
    Outside(#[from] OutsideTree),
}

/// The leaves of members, by their numbers.
#[derive(Clone, Debug, Default)]
struct Leaves(Vec<Option<LeafIndex>>);

impl Leaves {
    fn of(&self, member: Member) -> Result<LeafIndex, CountedError> {
        let leaf = self.0.get(member.0 as usize).copied().flatten();
        leaf.ok_or(CountedError::NotAMember(member))
    }

    fn members(&self) -> impl Iterator<Item = Member> {
        let leaves = (0..).zip(&self.0);
        leaves.filter_map(|(member, leaf)| leaf.map(|_| Member(member)))
    }

    fn enter(&mut self, member: Member, leaf: LeafIndex) {
        let at = member.0 as usize;
        if self.0.len() <= at {
            self.0.resize(at + 1, None);
        }
        self.0[at] = Some(leaf);
    }

    fn check_new(&self, member: Member) -> Result<(), CountedError> {
        match self.of(member) {
            Ok(_) => Err(CountedError::AlreadyAMember(member)),
            Err(_) => Ok(()),
        }
    }

    fn leave(&mut self, member: Member) {
        self.0[member.0 as usize] = None;
    }
}
