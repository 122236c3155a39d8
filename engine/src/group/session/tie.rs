//! Groups tied to another by a resumption key: the successor of a group that was ended by a
//! ReInit (RFC 9420 §11.2), and a subgroup that branches off (§11.3).

use rand_core::Rng;

use super::{CommitPlan, Committed, Ended, Joining, Session, SessionError};
use crate::crypto::Crypto;
use crate::group::join::{JoinError, OpenedWelcome};
use crate::group::member::Founding;
use crate::group::successor::{check_reinit, credentials, same_members};
use crate::treesync::{
    KeyPackage, Proposal, ProtocolVersion, PskType, Purpose, RatchetTree, ReInit,
    ResumptionPskUsage,
};

impl Session {
    /// Creates the group that replaces this one, which a ReInit has ended, with the same
    /// members: `packages` of all the others.
    pub fn create_successor(
        &self,
        crypto: &Crypto<'_>,
        joining: Joining<'_>,
        packages: Vec<KeyPackage>,
        now: u64,
        rng: &mut dyn Rng,
    ) -> Result<(Self, Committed), SessionError> {
        let reinit = self.reinit()?.clone();
        let founding = Founding {
            group_id: reinit.group_id.as_slice().to_vec(),
            extensions: reinit.extensions,
        };
        if reinit.version != ProtocolVersion::MLS10 || reinit.cipher_suite != crypto.cipher_suite()
        {
            return Err(JoinError::WrongSuite.into());
        }
        let (session, committed) = self.create_tied(
            crypto,
            joining,
            founding,
            (ResumptionPskUsage::Reinit, packages, now),
            rng,
        )?;
        same_members(&self.public().tree, &session.public().tree)?;
        Ok((session, committed))
    }

    /// Creates a group of some of this one's members, `packages` of the others among them. Its
    /// extensions are the caller's to choose: of the old group's parameters, those who join
    /// compare version and cipher suite (RFC 9420 §11.3).
    pub fn create_branch(
        &self,
        crypto: &Crypto<'_>,
        joining: Joining<'_>,
        founding: Founding,
        packages: Vec<KeyPackage>,
        now: u64,
        rng: &mut dyn Rng,
    ) -> Result<(Self, Committed), SessionError> {
        let (session, committed) = self.create_tied(
            crypto,
            joining,
            founding,
            (ResumptionPskUsage::Branch, packages, now),
            rng,
        )?;
        some_members(&self.public().tree, &session.public().tree)?;
        Ok((session, committed))
    }

    fn create_tied(
        &self,
        crypto: &Crypto<'_>,
        mut joining: Joining<'_>,
        founding: Founding,
        (usage, packages, now): (ResumptionPskUsage, Vec<KeyPackage>, u64),
        rng: &mut dyn Rng,
    ) -> Result<(Self, Committed), SessionError> {
        let psk = PskType::Resumption(usage, self.public().context.group_id.clone(), self.epoch());
        joining.psks = self.holdings.psks.clone();
        let mut session = Self::create(crypto, joining, founding, rng)?;
        let mut proposals: Vec<_> = packages.into_iter().map(Proposal::Add).collect();
        proposals.push(Proposal::PreSharedKey(Self::psk_id(crypto, psk, rng)));
        let plan = CommitPlan { proposals, path: true, now, ..CommitPlan::default() };
        let purpose = match usage {
            ResumptionPskUsage::Reinit => Purpose::Reinit,
            ResumptionPskUsage::Branch => Purpose::Branch,
            ResumptionPskUsage::Application => Purpose::Ordinary,
        };
        let committed = session.commit_for(crypto, plan, purpose, rng)?;
        // Nobody else is in the group who could have committed.
        session.accept_pending()?;
        Ok((session, committed))
    }

    /// Joins the group that replaces this one.
    pub fn join_successor(
        &self,
        crypto: &Crypto<'_>,
        welcome: &[u8],
        joining: Joining<'_>,
    ) -> Result<Self, SessionError> {
        let reinit = self.reinit()?.clone();
        let opened = self.open_tied(crypto, welcome, &joining, ResumptionPskUsage::Reinit)?;
        check_reinit(&reinit, &opened.0.group_info.group_context)?;
        let session = Self::join_opened(crypto, opened.0, Joining { psks: opened.1, ..joining })?;
        same_members(&self.public().tree, &session.public().tree)?;
        Ok(session)
    }

    /// Joins a group that branches off this one.
    pub fn join_branch(
        &self,
        crypto: &Crypto<'_>,
        welcome: &[u8],
        joining: Joining<'_>,
    ) -> Result<Self, SessionError> {
        let opened = self.open_tied(crypto, welcome, &joining, ResumptionPskUsage::Branch)?;
        let (old, new) = (&self.public().context, &opened.0.group_info.group_context);
        if old.version != new.version || old.cipher_suite != new.cipher_suite {
            let what = "the version or cipher suite is not that of the group it branches off";
            return Err(JoinError::TieBroken(what).into());
        }
        let session = Self::join_opened(crypto, opened.0, Joining { psks: opened.1, ..joining })?;
        some_members(&self.public().tree, &session.public().tree)?;
        Ok(session)
    }

    /// Opens a Welcome with this group's resumption keys, and checks that it is tied to this
    /// group by the right one.
    fn open_tied(
        &self,
        crypto: &Crypto<'_>,
        welcome: &[u8],
        joining: &Joining<'_>,
        usage: ResumptionPskUsage,
    ) -> Result<(OpenedWelcome, crate::treekem::PskStore), SessionError> {
        let psks = self.holdings.psks.clone();
        let joining = Joining { psks: psks.clone(), ..joining.clone() };
        let opened = Self::open_welcome(crypto, welcome, &joining)?;
        opened.check_tie(self.public(), usage)?;
        Ok((opened, psks))
    }

    fn reinit(&self) -> Result<&ReInit, SessionError> {
        match &self.ended {
            Some(Ended::Reinit(reinit)) => Ok(reinit),
            _ => Err(SessionError::NotReinitialized),
        }
    }
}

fn some_members(old: &RatchetTree, new: &RatchetTree) -> Result<(), SessionError> {
    if !credentials(new)?.is_subset(&credentials(old)?) {
        return Err(JoinError::TieBroken("it has members that the old group has not").into());
    }
    Ok(())
}
