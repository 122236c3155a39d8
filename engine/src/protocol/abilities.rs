//! What a client can do beyond taking part: the cipher suites, extensions and proposals that its key
//! packages list (RFC 9420 §7.2), and what is left of them in a group: what all of its members can.

use crate::crypto::CipherSuite;
use crate::tree::Subtree;
use crate::treesync::{Capabilities, ExtensionType, RatchetData};

/// How much a client lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Abilities {
    /// The group's cipher suite, and what its strategy takes.
    #[default]
    Plain,
    /// As an application of today would: every suite that is built, and extensions of its own.
    Modern,
}

/// Extensions that a modern application has of its own: numbers of the range for private use (RFC
/// 9420 §17), which nobody here gives a meaning to.
const EXTENSIONS: [u16; 3] = [0xf7d1, 0xf7d2, 0xf7d3];

impl Abilities {
    pub(super) fn capabilities(self, suite: CipherSuite) -> Capabilities {
        let mut capabilities = Capabilities::basic(suite);
        if self == Self::Modern {
            let others = CipherSuite::ALL.into_iter().filter(|other| *other != suite);
            capabilities.cipher_suites.extend(others);
            capabilities.extensions.extend(EXTENSIONS.map(ExtensionType));
        }
        capabilities
    }
}

/// What all members of a group can: how much of it can be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Common {
    /// Cipher suites that the group could be made anew with.
    pub suites: Vec<CipherSuite>,
    /// Extensions.
    pub extensions: Vec<ExtensionType>,
}

/// What the members below a subtree have in common; none if there are none. O(n).
pub(super) fn common(subtree: Subtree<'_, RatchetData>) -> Common {
    let mut leaves = subtree.leaves().into_iter().map(|(_, leaf)| leaf);
    let Some(first) = leaves.next() else { return Common::default() };
    let mut suites = first.capabilities.cipher_suites.clone();
    let mut extensions = first.capabilities.extensions.clone();
    for leaf in leaves {
        suites.retain(|suite| leaf.capabilities.cipher_suites.contains(suite));
        extensions.retain(|extension| leaf.capabilities.extensions.contains(extension));
    }
    Common { suites, extensions }
}
