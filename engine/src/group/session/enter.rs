//! Ways into a group: creating one (RFC 9420 §11), a Welcome (§12.4.3.1), and an external commit
//! (§12.4.3.2).

use std::collections::BTreeSet;
use std::sync::Arc;

use rand_core::Rng;

use super::{Session, SessionError, Settings};
use crate::codec::decode;
use crate::crypto::{Crypto, SignatureKeyPair};
use crate::group::authentication::{AcceptAll, AuthenticationService};
use crate::group::external::Entrant;
use crate::group::holdings::Holdings;
use crate::group::join::{JoinError, OpenedWelcome};
use crate::group::member::{Founding, Member};
use crate::group::public_group::ApplyError;
use crate::tree::LeafIndex;
use crate::treedem::MlsMessage;
use crate::treekem::{GroupInfo, PskStore};
use crate::treesync::{
    KeyPackage, KeyPackageSecrets, PreSharedKeyId, RatchetTree, Roster, check_distinct,
    check_package,
};

/// What somebody brings who enters a group.
#[derive(Clone, Debug)]
pub struct Joining<'a> {
    /// The key that it signs with.
    pub signer: SignatureKeyPair,
    /// The package by which it was added, or whose leaf it adds itself with.
    pub package: &'a KeyPackage,
    /// The package's private half.
    pub secrets: &'a KeyPackageSecrets,
    /// The ratchet tree, if it was fetched apart.
    pub tree: Option<RatchetTree>,
    /// The pre-shared keys that it holds.
    pub psks: PskStore,
    /// The groups that it is in, which the new one must not be among.
    pub groups: BTreeSet<Vec<u8>>,
    /// What it decides about the group.
    pub settings: Settings,
    /// Whom it asks about the credentials of others.
    pub service: Arc<dyn AuthenticationService>,
}

impl<'a> Joining<'a> {
    /// With a package alone, and default settings.
    pub fn new(
        signer: SignatureKeyPair,
        package: &'a KeyPackage,
        secrets: &'a KeyPackageSecrets,
    ) -> Self {
        Self {
            signer,
            package,
            secrets,
            tree: None,
            psks: PskStore::default(),
            groups: BTreeSet::new(),
            settings: Settings::default(),
            service: Arc::new(AcceptAll),
        }
    }

    fn check_new(&self, group_id: &[u8]) -> Result<(), JoinError> {
        if self.groups.contains(group_id) { Err(JoinError::AlreadyIn) } else { Ok(()) }
    }
}

impl Session {
    /// Creates a group of one.
    pub fn create(
        crypto: &Crypto<'_>,
        joining: Joining<'_>,
        founding: Founding,
        rng: &mut dyn Rng,
    ) -> Result<Self, SessionError> {
        joining.check_new(&founding.group_id)?;
        check_distinct(&founding.extensions).map_err(ApplyError::from)?;
        let Joining { signer, package, secrets, psks, settings, service, .. } = joining;
        let member = Member::create_with(crypto, signer, package, secrets, founding, rng)?;
        let roster = Roster::of(&member.public.tree).map_err(ApplyError::from)?;
        let rules = member.public.context.leaf_rules()?;
        check_package(crypto, &rules, package, None).map_err(ApplyError::from)?;
        let holdings = Holdings { psks, ..Holdings::default() };
        let session = Self::begin(member, roster, holdings, settings, service);
        session.check_members()?;
        Ok(session)
    }

    /// Joins by a Welcome. One that ties the group to another is for
    /// [`Session::join_successor`] and [`Session::join_branch`].
    pub fn join(
        crypto: &Crypto<'_>,
        welcome: &[u8],
        joining: Joining<'_>,
    ) -> Result<Self, SessionError> {
        let opened = Self::open_welcome(crypto, welcome, &joining)?;
        if opened.group_secrets.psks.iter().any(|id| id.psk_type.ties_groups()) {
            return Err(JoinError::Tied.into());
        }
        Self::join_opened(crypto, opened, joining)
    }

    pub(super) fn open_welcome(
        crypto: &Crypto<'_>,
        welcome: &[u8],
        joining: &Joining<'_>,
    ) -> Result<OpenedWelcome, SessionError> {
        let MlsMessage::Welcome(welcome) = decode("an MLS message", welcome)? else {
            return Err(JoinError::NotAWelcome.into());
        };
        let Joining { package, secrets, psks, .. } = joining;
        let opened = OpenedWelcome::open(crypto, &welcome, package, secrets, psks)?;
        joining.check_new(opened.group_info.group_context.group_id.as_slice())?;
        Ok(opened)
    }

    pub(super) fn join_opened(
        crypto: &Crypto<'_>,
        opened: OpenedWelcome,
        joining: Joining<'_>,
    ) -> Result<Self, SessionError> {
        let Joining { signer, package, secrets, tree, psks, settings, service, .. } = joining;
        let (member, roster) = opened.join(crypto, tree, signer, package, secrets)?;
        let holdings = Holdings { psks, ..Holdings::default() };
        let session = Self::begin(member, roster, holdings, settings, service);
        session.check_members()?;
        Ok(session)
    }

    /// Checks the credentials of everybody in a group that was entered, and of the senders that
    /// it listens to. How long the members' packages may have been published was the decision
    /// of those who added them.
    fn check_members(&self) -> Result<(), SessionError> {
        for (_, leaf) in self.public().tree.root().leaves() {
            self.service.check(&leaf.credential, &leaf.signature_key)?;
            if let Some(ghost) = leaf.ghost() {
                self.service.check(&ghost.maker_credential, &ghost.maker_key)?;
            }
        }
        self.check_senders(self.public())
    }

    /// Joins by oneself: makes the external commit, and the session that is in the group once
    /// the Delivery Service has chosen it. `removing` is the client's former leaf, if it
    /// rejoins; `psks` are to be injected.
    pub fn join_external(
        crypto: &Crypto<'_>,
        group_info: &GroupInfo,
        joining: Joining<'_>,
        removing: Option<LeafIndex>,
        psks: Vec<PreSharedKeyId>,
        rng: &mut dyn Rng,
    ) -> Result<(Self, Vec<u8>), SessionError> {
        joining.check_new(group_info.group_context.group_id.as_slice())?;
        let Joining { signer, package, tree, psks: store, settings, service, .. } = joining;
        let tree = group_info.tree().map_err(JoinError::from)?.or(tree);
        let (public, mut roster) = group_info.validate(crypto, tree.ok_or(JoinError::NoTree)?)?;
        let external = group_info.external_key()?;
        let leaf_node = package.leaf_node.clone();
        let entrant = Entrant { leaf_node, signer: &signer, removing, psks };
        let holdings = Holdings { psks: store, ..Holdings::default() };
        let pending = public.enter(crypto, &roster, &external, entrant, &holdings, rng)?;
        roster.advance(&pending.roster_changes);
        let session = Self::begin(pending.after, roster, holdings, settings, service);
        session.check_members()?;
        Ok((session, pending.message))
    }
}
