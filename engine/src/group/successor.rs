//! A group that replaces another (RFC 9420 §11.2), from the state of its members: the ReInit that ends
//! the old group, the new one made by one of them with all the others in its first commit, and the
//! way into it by its Welcome. A resumption key of the old group's last epoch ties the two.

use std::collections::BTreeSet;

use rand_core::Rng;

use super::commit::{CommitError, CommitRequest, PendingCommit, Protection};
use super::holdings::Holdings;
use super::join::{JoinError, OpenedWelcome};
use super::member::{FollowError, Founding, Member};
use super::public_group::{ApplyError, PublicGroup};
use super::session::Session;
use crate::codec::{CodecError, decode, encode};
use crate::crypto::{Crypto, SignatureKeyPair};
use crate::treedem::MlsMessage;
use crate::treekem::{GroupContext, PskStore};
use crate::treesync::{
    KeyPackage, KeyPackageSecrets, Proposal, PskType, Purpose, RatchetTree, ReInit,
    ResumptionPskUsage, Roster,
};

/// The first commit of a tied group leads to this epoch.
const FIRST_COMMITTED: u64 = 1;

/// Why no group could be made that replaces another.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SuccessorError {
    /// It could not be created.
    #[error(transparent)]
    Create(#[from] FollowError),
    /// Its first commit could not be made.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// It is not what the old group asked for.
    #[error(transparent)]
    Join(#[from] JoinError),
}

impl OpenedWelcome {
    /// Checks that the Welcome ties its group to one in this state, by a resumption key of this usage.
    pub(super) fn check_tie(
        &self,
        old: &PublicGroup,
        usage: ResumptionPskUsage,
    ) -> Result<(), JoinError> {
        // A successor follows the last epoch; a branch may have left at any that is held.
        let ties = |psk: &PskType| {
            matches!(psk, PskType::Resumption(used, group, epoch)
                if *used == usage
                    && *group == old.context.group_id
                    && (usage == ResumptionPskUsage::Branch || *epoch == old.epoch()))
        };
        if !self.group_secrets.psks.iter().any(|id| ties(&id.psk_type)) {
            return Err(JoinError::NotTied);
        }
        if self.group_info.group_context.epoch != FIRST_COMMITTED {
            return Err(JoinError::TieBroken("its epoch is not 1"));
        }
        Ok(())
    }
}

/// Checks that a group is the one that a ReInit asks for.
pub(super) fn check_reinit(reinit: &ReInit, context: &GroupContext) -> Result<(), JoinError> {
    let broken = |what| Err(JoinError::TieBroken(what));
    if context.group_id != reinit.group_id {
        return broken("the group identifier is not that of the ReInit");
    }
    if context.version != reinit.version || context.cipher_suite != reinit.cipher_suite {
        return broken("the version or cipher suite is not that of the ReInit");
    }
    if context.extensions != reinit.extensions {
        return broken("the extensions are not those of the ReInit");
    }
    Ok(())
}

/// The credentials of a tree's members, encoded.
pub(super) fn credentials(tree: &RatchetTree) -> Result<BTreeSet<Vec<u8>>, CodecError> {
    tree.root().leaves().into_iter().map(|(_, leaf)| encode(&leaf.credential)).collect()
}

/// A successor has the members of the group that it replaces.
pub(super) fn same_members(old: &RatchetTree, new: &RatchetTree) -> Result<(), JoinError> {
    if credentials(old)? != credentials(new)? {
        return Err(JoinError::TieBroken("its members are not those of the old group"));
    }
    Ok(())
}

impl Member {
    /// The resumption key of the epoch, as whoever enters a tied group holds it.
    pub(crate) fn resumption(&self) -> PskStore {
        let mut psks = PskStore::default();
        let group_id = self.public.context.group_id.as_slice().to_vec();
        psks.insert_resumption(group_id, self.epoch(), self.secrets.resumption_psk.clone());
        psks
    }

    /// Creates the group that replaces the one of which this is the last epoch, and makes its first
    /// commit, with `packages` of all other members. The creator's own leaf is that of `package`, which
    /// it signs with the key that it has.
    pub fn found_successor(
        &self,
        crypto: &Crypto<'_>,
        reinit: &ReInit,
        (package, secrets): (&KeyPackage, &KeyPackageSecrets),
        packages: Vec<KeyPackage>,
        now: u64,
        rng: &mut dyn Rng,
    ) -> Result<PendingCommit, SuccessorError> {
        let founding = Founding {
            group_id: reinit.group_id.as_slice().to_vec(),
            extensions: reinit.extensions.clone(),
        };
        let signer = self.signer.clone();
        let first = Self::create_with(crypto, signer, package, secrets, founding, rng)?;
        let roster = Roster::of(&first.public.tree)
            .map_err(|error| CommitError::Apply(ApplyError::Tree(error)))?;
        let context = &self.public.context;
        let usage = ResumptionPskUsage::Reinit;
        let psk = PskType::Resumption(usage, context.group_id.clone(), context.epoch);
        let mut proposals: Vec<_> = packages.into_iter().map(Proposal::Add).collect();
        proposals.push(Proposal::PreSharedKey(Session::psk_id(crypto, psk, rng)));
        let request = CommitRequest {
            proposals,
            path: true,
            now,
            purpose: Purpose::Reinit,
            ..CommitRequest::default()
        };
        let holdings = Holdings { psks: self.resumption(), ..Holdings::default() };
        let plain = Protection::Public;
        let founded = first.commit_with(crypto, &roster, request, &holdings, plain, rng)?;
        check_reinit(reinit, &founded.after.public.context)?;
        same_members(&self.public.tree, &founded.after.public.tree)?;
        Ok(founded)
    }

    /// Opens the Welcome into the group that replaces the one of which this is the last epoch.
    pub fn open_successor(
        &self,
        crypto: &Crypto<'_>,
        reinit: &ReInit,
        welcome: &[u8],
        package: &KeyPackage,
        secrets: &KeyPackageSecrets,
    ) -> Result<OpenedWelcome, JoinError> {
        let MlsMessage::Welcome(welcome) = decode("an MLS message", welcome)? else {
            return Err(JoinError::NotAWelcome);
        };
        let psks = self.resumption();
        let opened = OpenedWelcome::open(crypto, &welcome, package, secrets, &psks)?;
        opened.check_tie(&self.public, ResumptionPskUsage::Reinit)?;
        check_reinit(reinit, &opened.group_info.group_context)?;
        Ok(opened)
    }

    /// Joins the group that replaces the one of which this is the last epoch. `tree` is the ratchet
    /// tree if it was fetched apart.
    pub fn join_successor(
        &self,
        crypto: &Crypto<'_>,
        reinit: &ReInit,
        welcome: &[u8],
        tree: Option<RatchetTree>,
        signer: SignatureKeyPair,
        package: &KeyPackage,
        secrets: &KeyPackageSecrets,
    ) -> Result<(Self, Roster), JoinError> {
        let opened = self.open_successor(crypto, reinit, welcome, package, secrets)?;
        let (member, roster) = opened.join(crypto, tree, signer, package, secrets)?;
        same_members(&self.public.tree, &member.public.tree)?;
        Ok((member, roster))
    }
}
