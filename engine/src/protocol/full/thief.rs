//! A copied state with its secrets at fidelity `full`: what somebody can really do with it and the bytes that are
//! sent, which the book of copies (`protocol/copied.rs`) is held to after each commit. He knows nothing of whom a ciphertext is
//! for: he tries every private key that stands in the tree, and the newest [`OLD_KEYS`] that do not, on every one, and
//! derives what follows. Who knows nothing goes on for [`TRIES`] commits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::messages::Held;
use crate::codec::decode;
use crate::crypto::{Crypto, HpkeKeyPair, HpkePublicKey, Secret};
use crate::group::{FollowError, JoinError, OpenedWelcome, PendingCommit, PublicGroup, Transition};
use crate::protocol::ProtocolError;
use crate::tree::LeafIndex;
use crate::treedem::MlsMessage;
use crate::treekem::{EpochSecrets, PathSecret, PrivateKeys, PskStore, UpdatePath, keys_told};
use crate::treesync::{KeyPackage, KeyPackageSecrets, RatchetTree, Roster};

/// Keys that stand in the tree no more, of which a thief keeps the newest, to try them in vain.
const OLD_KEYS: usize = 16;

/// For how many commits a thief goes on trying who knows neither the epoch nor any key of the tree.
const TRIES: u32 = 8;

/// A commit of the client that was on its way when its state was copied.
#[derive(Debug)]
pub(super) struct OwnDraft {
    pub(super) pending: PendingCommit,
    /// The first commit of the group that replaces the one which it ends.
    pub(super) founded: Option<PendingCommit>,
    /// The keys that it gives to ghosts.
    pub(super) ghosts: Vec<HpkeKeyPair>,
}

/// Somebody with a copy.
#[derive(Default)]
pub(super) struct Thief {
    /// The secrets of the newest epoch.
    pub(super) secrets: Option<Arc<EpochSecrets>>,
    /// Private keys; those that have come last, last.
    pub(super) ring: Vec<HpkeKeyPair>,
    /// The private keys of proposals that are on their way.
    pub(super) proposed: Vec<HpkeKeyPair>,
    pub(super) drafts: Vec<OwnDraft>,
    /// He has the private halves of packages with a number below this.
    pub(super) packages: u32,
    /// What he reads the messages of each epoch with.
    pub(super) mail: BTreeMap<u64, Held>,
    /// Commits since he has known anything.
    pub(super) idle: u32,
}

/// The keys of a path that one has drawn oneself.
fn drawn(pending: &PendingCommit) -> impl Iterator<Item = &HpkeKeyPair> {
    let path = pending.path.iter();
    path.flat_map(|path| std::iter::once(&path.leaf).chain(&path.key_pairs))
}

fn wrong(what: &str) -> ProtocolError {
    ProtocolError::Check(what.into())
}

impl Thief {
    fn has_given_up(&self) -> bool {
        self.secrets.is_none() && self.idle >= TRIES
    }

    /// Tries every key on every ciphertext of a node.
    fn try_node(
        &self,
        crypto: &Crypto<'_>,
        path: &UpdatePath,
        node: usize,
        context: &[u8],
    ) -> Option<PathSecret> {
        let sent = path.nodes.get(node)?;
        let leads = |secret: &PathSecret| {
            secret.key_pair(crypto).is_ok_and(|pair| pair.public == sent.encryption_key)
        };
        let all = (0..sent.encrypted_path_secret.len())
            .flat_map(|position| self.ring.iter().map(move |key| (position, key)));
        let opened = all.map(|(position, key)| path.open(crypto, key, node, position, context));
        opened.filter_map(Result::ok).find(leads)
    }

    /// Opens what he can of a path in which the secret of a node follows from that of its source. Gives the
    /// secret that follows from the last.
    fn open_path(
        &mut self,
        crypto: &Crypto<'_>,
        path: &UpdatePath,
        source: impl Fn(usize) -> Option<usize>,
        context: &[u8],
    ) -> Result<Option<Secret>, ProtocolError> {
        let mut known: Vec<Option<PathSecret>> = Vec::with_capacity(path.nodes.len());
        for (node, sent) in path.nodes.iter().enumerate() {
            let below = source(node).and_then(|at| known.get(at)?.as_ref());
            let secret = match below {
                Some(below) => Some(below.next(crypto)),
                None => self.try_node(crypto, path, node, context),
            };
            if let Some(secret) = &secret {
                let pair = secret.key_pair(crypto)?;
                if pair.public != sent.encryption_key {
                    return Err(wrong("a path secret in a thief's hands leads to another key"));
                }
                self.ring.push(pair);
            }
            known.push(secret);
        }
        Ok(known.pop().flatten().map(|secret| secret.next(crypto).0))
    }

    /// Does with a commit what can be done; `before` is the state in which it was made.
    pub(super) fn follow(
        &mut self,
        crypto: &Crypto<'_>,
        before: &PublicGroup,
        transition: &Transition,
        message: &[u8],
    ) -> Result<(), ProtocolError> {
        if self.has_given_up() {
            return Ok(());
        }
        for applied in &transition.applied.paths {
            let chain = |node: usize| node.checked_sub(1);
            self.open_path(crypto, &applied.path, chain, &before.context.encoded())?;
        }
        self.ring.append(&mut self.proposed);
        let own = self.drafts.iter().find(|draft| draft.pending.message == message);
        if let Some(OwnDraft { pending, ghosts, .. }) = own {
            self.ring.extend(drawn(pending).chain(ghosts).cloned());
            self.secrets = Some(pending.after.secrets.clone());
            return Ok(());
        }
        let zero = crypto.zero();
        let commit_secret = match (&transition.path, transition.refresh_set()) {
            (None, _) => Some(zero.clone()),
            (Some(path), set) => {
                let source = |node: usize| match &set {
                    Some(set) => set.source(node),
                    None => node.checked_sub(1),
                };
                self.open_path(crypto, &path.update_path, source, &path.provisional_context)?
            }
        };
        let next = |old: &EpochSecrets, secret| transition.next_secrets(crypto, old, secret, &zero);
        self.secrets = match (&self.secrets, &commit_secret) {
            (Some(old), Some(secret)) => Some(Arc::new(next(old, secret)?)),
            (Some(old), None) if next(old, &zero).is_ok() => {
                return Err(wrong("a thief follows a commit whose path he cannot open"));
            }
            _ => None,
        };
        Ok(())
    }

    /// Opens the Welcome for a package whose private half he has, with the pre-shared keys that there are; one of them
    /// may be guessed.
    pub(super) fn open_welcome(
        &mut self,
        crypto: &Crypto<'_>,
        welcome: &[u8],
        (package, secrets): (&KeyPackage, &KeyPackageSecrets),
        (tree, committer, leaf): (&RatchetTree, LeafIndex, LeafIndex),
        psks: &PskStore,
    ) -> Result<(), ProtocolError> {
        let MlsMessage::Welcome(welcome) = decode("an MLS message", welcome)? else {
            return Err(JoinError::NotAWelcome.into());
        };
        let info = welcome.encrypted_group_info.as_slice();
        let entry = welcome.entry(&package.reference(crypto)?).map_err(JoinError::from)?;
        let told = entry.open(crypto, &secrets.init, info).map_err(JoinError::from)?.path_secret;
        self.ring.push(secrets.encryption.clone());
        if tree.shape().taints() {
            let above = keys_told(crypto, told.as_ref(), tree, leaf).map_err(FollowError::from)?;
            self.ring.extend(above);
        } else if let Some(secret) = told {
            let mut secret = PathSecret(secret);
            for step in tree.filtered_direct_path(committer)? {
                if step.node.contains(leaf) {
                    self.ring.push(secret.key_pair(crypto)?);
                    secret = secret.next(crypto);
                }
            }
        }
        let opened = OpenedWelcome::open(crypto, &welcome, package, secrets, psks);
        let found = opened.and_then(|opened| opened.epoch_secrets(crypto));
        self.secrets = found.ok().map(Arc::new);
        Ok(())
    }

    /// The resumption key of the old group's last epoch as he has it, or a guess.
    pub(super) fn resumption(&self, crypto: &Crypto<'_>, last: &PublicGroup) -> PskStore {
        let known = self.secrets.as_ref().map(|secrets| secrets.resumption_psk.clone());
        let group = last.context.group_id.as_slice().to_vec();
        let mut psks = PskStore::default();
        psks.insert_resumption(group, last.epoch(), known.unwrap_or_else(|| crypto.zero()));
        psks
    }

    /// The group is replaced; he was about to do that himself, or comes in by a Welcome if at all.
    pub(super) fn leave_group(&mut self, founded: &PendingCommit) {
        let mut own = self.drafts.iter().filter_map(|draft| draft.founded.as_ref());
        if let Some(own) = own.find(|own| own.message == founded.message) {
            self.ring.extend(drawn(own).cloned());
            self.secrets = Some(own.after.secrets.clone());
        } else {
            self.secrets = None;
        }
    }

    /// Forgets what belongs to the epoch before, and all but the newest keys that stand in the tree no more. Gives the
    /// keys that do.
    pub(super) fn settle(&mut self, roster: &Roster) -> BTreeSet<HpkePublicKey> {
        self.proposed.clear();
        self.drafts.clear();
        let stands = |pair: &HpkeKeyPair| roster.has_encryption_key(&pair.public);
        let old = self.ring.iter().filter(|pair| !stands(pair)).count();
        let mut too_many = old.saturating_sub(OLD_KEYS);
        let mut seen = BTreeSet::new();
        self.ring.retain(|pair| {
            if stands(pair) {
                return seen.insert(pair.public.clone());
            }
            let is_kept = too_many == 0;
            too_many = too_many.saturating_sub(1);
            is_kept
        });
        let knows = self.secrets.is_some() || !seen.is_empty();
        self.idle = if knows { 0 } else { self.idle.saturating_add(1) };
        seen
    }

    /// All of a client's private keys.
    pub(super) fn take_keys(&mut self, keys: &PrivateKeys) {
        self.ring.push(keys.leaf().clone());
        self.ring.extend(keys.parents().iter().cloned());
    }
}
