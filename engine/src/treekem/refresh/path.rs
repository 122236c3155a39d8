//! The secrets of a refresh set: drawn by the committer, sent in an update path, opened by members,
//! told to joiners.

use rand_core::Rng;
use tls_codec::{TlsDeserializeBytes, TlsSerialize, TlsSize};

use super::{Child, RefreshSet};
use crate::codec::{CodecError, decode, encode};
use crate::crypto::{Crypto, CryptoError, HpkeKeyPair, HpkePublicKey, Secret, Seed};
use crate::tree::{LeafIndex, Subtree};
use crate::treekem::private_keys::PrivateKeys;
use crate::treekem::update_path::{
    NewPath, OpenedPath, PathError, PathSecret, UpdatePath, UpdatePathNode, key_of,
};
use crate::treesync::RatchetTree;

/// Path secrets as a Welcome has them under `removal=taint`: where a chain is entered, and how many
/// parents of the joiner's path it leads through.
#[derive(Debug, TlsSize, TlsSerialize, TlsDeserializeBytes)]
struct Chain {
    parents: u8,
    secret: Secret,
}

impl NewPath {
    /// Draws the secrets of a set: one seed for the committer's own leaf and what follows from it,
    /// and one more for each parent that follows from nothing.
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

    /// Follows every chain of a set, from where it was drawn, to the commit secret: what its
    /// members do together.
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

    /// Climbs from the lowest refreshed parent above `member` to the root: opens the ciphertext
    /// that is for it there, and again where a secret does not follow from the one in hand.
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
                    let found = child.locate(member, &[]).ok_or_else(|| not_for_me.clone())?;
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
