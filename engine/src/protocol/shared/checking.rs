//! What is checked of a commit before anything changes: its public half once for all receivers, and of
//! its private half every ciphertext once and what all members compute alike.

use rayon::prelude::*;

use super::{Epoch, Invitation, SharedTreeKem};
use crate::crypto::{Crypto, Ledger, Op, Secret};
use crate::group::{FollowError, Followed, Member, NewGhost, PendingCommit, Transition};
use crate::protocol::private_tree::PrivateTree;
use crate::protocol::proposals::Proposals;
use crate::protocol::shared::predict;
use crate::protocol::{ClientId, ProtocolError, Seeds};
use crate::treekem::EpochSecrets;

/// A commit that holds.
pub(super) struct Checked {
    pub(super) transition: Transition,
    /// What had been proposed before it.
    pub(super) proposals: Proposals,
    /// The secrets of the epoch that it leads to.
    pub(super) secrets: EpochSecrets,
    /// The private tree with its proposals in effect.
    pub(super) private: PrivateTree,
    /// What it takes of every receiver in public; of one that it removes; of every member, but for
    /// the node secrets that it derives.
    pub(super) receiver: Ledger,
    pub(super) for_removed: Ledger,
    pub(super) ledger: Ledger,
    /// Ciphertexts that were predicted, and those that new members do not need.
    pub(super) predicted: u64,
    pub(super) excluded: u64,
    /// Ciphertexts opened.
    pub(super) opened: u32,
    /// Audits done.
    pub(super) audits: u32,
}

impl<S: Seeds> SharedTreeKem<S> {
    pub(super) fn check(
        &self,
        before: &Epoch,
        pending: &PendingCommit,
        (invitations, joins): (&[Invitation], Option<ClientId>),
        ghosts: &[NewGhost],
        audited: &[ClientId],
    ) -> Result<Checked, ProtocolError> {
        let provider = self.provider;
        let crypto = Crypto::new(provider);
        let proposals = self.waiting.clone();
        let received = proposals.receive(&crypto, &before.public)?;
        let (store, message) = (&received.store, &pending.message);
        let transition = before.public.apply_with(&crypto, &self.roster, store, message)?;
        let receiver = crypto.ledger();
        let (predicted, excluded) = predict(&transition)?;
        if predicted != pending.cost.ciphertexts {
            return Err(ProtocolError::Check("ciphertexts are not those predicted".into()));
        }
        transition.verify_membership(&crypto, &before.secrets)?;
        received.check_membership(&crypto, &before.secrets)?;
        let for_removed = crypto.ledger();
        let unpaid = Crypto::new(provider);
        let proposed = self.open_proposed(&transition, &proposals)?;
        let path = pending.path.as_ref();
        let shares = self.check_shares(before, &transition, ghosts)?;
        let comers = (invitations, joins);
        let private = self.proposed_private(&transition, path, &proposals, comers, ghosts)?;
        let (commit_secret, opened) = match (&transition.path, &pending.path) {
            (Some(path), Some(sent)) => {
                self.open_path(&unpaid, &private, &transition, path, sent)?
            }
            _ => (crypto.zero(), 0),
        };
        let secrets =
            transition.next_secrets(&crypto, &before.secrets, &commit_secret, &crypto.zero())?;
        let mut ledger = crypto.ledger();
        if transition.path.is_some() {
            ledger += opening();
        }
        let authenticator = &secrets.epoch_authenticator;
        if *authenticator != pending.after.secrets.epoch_authenticator {
            return Err(ProtocolError::Check("the sender is in another epoch".into()));
        }
        let audits = self.audit(audited, message, &proposals, authenticator)?;
        Ok(Checked {
            transition,
            proposals,
            secrets,
            private,
            receiver,
            for_removed,
            ledger,
            predicted,
            excluded,
            opened: opened + proposed + shares,
            audits,
        })
    }

    /// Audited members of the old epoch do everything from the wire.
    fn audit(
        &self,
        audited: &[ClientId],
        message: &[u8],
        proposals: &Proposals,
        authenticator: &Secret,
    ) -> Result<u32, ProtocolError> {
        let epoch = self.newest()?.number + 1;
        let audit = |client: &ClientId| {
            let crypto = Crypto::new(self.provider);
            match self.over_the_wire(&crypto, *client, message, proposals) {
                // The commit gives it another key, and it must find itself shut out.
                Err(ProtocolError::Follow(FollowError::Ghost)) | Ok(None) => Ok(0),
                Err(error) => Err(error),
                Ok(Some(member)) if member.secrets.epoch_authenticator == *authenticator => Ok(1),
                Ok(Some(_)) => Err(ProtocolError::Audit { client: *client, epoch }),
            }
        };
        let done: Result<Vec<u32>, _> = audited.par_iter().map(audit).collect();
        Ok(done?.into_iter().sum())
    }

    /// A member of the newest epoch after a commit, if that does not remove it.
    pub(super) fn over_the_wire(
        &self,
        crypto: &Crypto<'_>,
        client: ClientId,
        message: &[u8],
        proposals: &Proposals,
    ) -> Result<Option<Member>, ProtocolError> {
        let before = self.newest()?;
        let mut member = self.member_at(before, client, self.membership(client)?.leaf)?;
        let Member { public, secrets, .. } = &member;
        let holdings = proposals.holdings(crypto, public, secrets, client)?;
        let received = &holdings.proposals;
        let transition = public.apply_with(crypto, &self.roster, received, message)?;
        let followed = member.follow_with(crypto, &transition, &holdings)?;
        Ok((followed == Followed::Advanced).then_some(member))
    }
}

/// What opening a ciphertext of a path takes.
pub(super) fn opening() -> Ledger {
    let mut ledger = Ledger::default();
    ledger.charge(Op::KemDecapsulate, 1);
    ledger.charge(Op::AeadOpen, 1);
    ledger
}
