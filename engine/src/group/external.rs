//! The external commit (RFC 9420 §12.4.3.2): somebody outside, or a member that gives up its leaf
//! for another, enters the group by a commit of its own.

use rand_core::Rng;

use super::commit::{Author, CommitError, CommitRequest, PendingCommit, Protection};
use super::holdings::Holdings;
use super::join::JoinError;
use super::public_group::PublicGroup;
use crate::codec::decode;
use crate::crypto::{Crypto, HpkePublicKey, Seed, SignatureKeyPair};
use crate::tree::LeafIndex;
use crate::treekem::{EXTERNAL_INIT_LABEL, GroupInfo};
use crate::treesync::{ExtensionType, LeafNode, PreSharedKeyId, Proposal, Roster};

/// Who enters by oneself.
#[derive(Debug)]
pub struct Entrant<'a> {
    /// What its leaf is made from; the commit gives it a new key.
    pub leaf_node: LeafNode,
    /// The key that it signs with.
    pub signer: &'a SignatureKeyPair,
    /// Its former leaf, if it rejoins.
    pub removing: Option<LeafIndex>,
    /// Pre-shared keys to inject.
    pub psks: Vec<PreSharedKeyId>,
}

impl GroupInfo {
    /// The key that an external commit encapsulates to.
    pub fn external_key(&self) -> Result<HpkePublicKey, JoinError> {
        let key = self.extension(ExtensionType::EXTERNAL_PUB).ok_or(JoinError::NoExternalKey)?;
        Ok(decode("an external public key", key)?)
    }
}

impl PublicGroup {
    /// Makes the external commit by which somebody enters this group, whose state it has validated.
    pub fn enter(
        &self,
        crypto: &Crypto<'_>,
        roster: &Roster,
        external: &HpkePublicKey,
        entrant: Entrant<'_>,
        holdings: &Holdings,
        rng: &mut dyn Rng,
    ) -> Result<PendingCommit, CommitError> {
        let mut seed = Seed::default();
        rng.fill_bytes(&mut seed);
        let (kem_output, init_secret) = crypto.send_export(external, EXTERNAL_INIT_LABEL, &seed)?;
        let Entrant { leaf_node, signer, removing, psks } = entrant;
        let mut proposals = vec![Proposal::ExternalInit(kem_output.into())];
        proposals.extend(removing.map(Proposal::Remove));
        proposals.extend(psks.into_iter().map(Proposal::PreSharedKey));
        let author = Author {
            public: self,
            member: None,
            leaf_node,
            signer,
            successor: signer.clone(),
            keys: None,
            secrets: None,
            init_secret,
        };
        let request = CommitRequest { proposals, path: true, ..CommitRequest::default() };
        author.commit(crypto, roster, request, holdings, Protection::Public, rng)
    }
}
