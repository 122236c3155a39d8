//! What goes out: proposals, commits with their Welcome, and application data (RFC 9420 §12.1,
//! §12.4.1, §15).

use rand_core::Rng;

use super::{Received, Session, SessionError};
use crate::codec::encode;
use crate::crypto::{Crypto, Digest, SignatureKeyPair};
use crate::group::commit::{CommitRequest, Protection};
use crate::group::holdings::{OwnUpdate, StoredProposal};
use crate::group::public_group::Viewpoint;
use crate::tree::LeafIndex;
use crate::treedem::Content;
use crate::treesync::{LeafNode, Listed, PreSharedKeyId, Proposal, PskType, Purpose};

/// What a client wants to commit, beside the proposals that it has received in this epoch.
#[derive(Clone, Debug, Default)]
pub struct CommitPlan {
    /// Proposals of its own, by value.
    pub proposals: Vec<Proposal>,
    /// Which of the proposals of this epoch to commit, in this order; if none are named, all
    /// that can be committed together.
    pub references: Option<Vec<Digest>>,
    /// Whether the Welcome carries the ratchet tree, if it is not to be as the settings say.
    pub tree_in_welcome: Option<bool>,
    /// Whether to send a path although none is required.
    pub path: bool,
    /// The second since the Unix epoch at which lifetimes are checked.
    pub now: u64,
    /// What is authenticated along with it.
    pub authenticated_data: Vec<u8>,
}

/// A commit to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// For all members: an encoded message.
    pub message: Vec<u8>,
    /// For those who are added: an encoded message.
    pub welcome: Option<Vec<u8>>,
}

/// How many lists of proposals are looked at for one that is valid. Whoever may propose can send
/// many that conflict, and each look verifies all their signatures; what is not taken waits for a
/// commit of somebody else.
const MAX_TRIES: usize = 64;

impl Session {
    /// A pre-shared key identifier with a fresh nonce.
    pub fn psk_id(crypto: &Crypto<'_>, psk_type: PskType, rng: &mut dyn Rng) -> PreSharedKeyId {
        let mut nonce = vec![0; crypto.provider().digest_length()];
        rng.fill_bytes(&mut nonce);
        PreSharedKeyId { psk_type, psk_nonce: nonce.into() }
    }

    /// Proposes something to the group. The client keeps it, and can commit it itself. `now` is
    /// the second since the Unix epoch at which the lifetime of an added package is checked.
    pub fn propose(
        &mut self,
        crypto: &Crypto<'_>,
        proposal: Proposal,
        now: u64,
        rng: &mut dyn Rng,
    ) -> Result<Vec<u8>, SessionError> {
        self.check_alive()?;
        self.check_proposal(&proposal, Some(self.leaf()))?;
        let listed = [Listed { proposal: &proposal, sender: Some(self.leaf()) }];
        let anybody = Some(LeafIndex(u32::MAX));
        let view = Viewpoint { committer: anybody, now: Some(now), ..Viewpoint::default() };
        self.public().propose(crypto, &self.roster, &listed, view)?;
        let (reference, message) =
            self.send_content(crypto, Content::Proposal(proposal.clone()), vec![], rng)?;
        let sender = Some(self.leaf());
        self.holdings.proposals.insert(StoredProposal { reference, sender, proposal })?;
        Ok(message)
    }

    /// Proposes a new leaf for itself, with a fresh key, and a new signature key if one is
    /// given. `change` may change the credential, the capabilities and the extensions.
    pub fn propose_update(
        &mut self,
        crypto: &Crypto<'_>,
        signer: Option<SignatureKeyPair>,
        change: impl FnOnce(&mut LeafNode),
        rng: &mut dyn Rng,
    ) -> Result<Vec<u8>, SessionError> {
        self.check_alive()?;
        let signer = signer.unwrap_or_else(|| self.member.signer.clone());
        let change = |leaf: &mut LeafNode| {
            change(leaf);
            Ok::<_, SessionError>(leaf.capabilities.check_listed()?)
        };
        let (leaf, pair) = self.member.updated_leaf(crypto, &signer, change, rng)?;
        // No lifetime is looked at in an Update.
        let message = self.propose(crypto, Proposal::Update(leaf), 0, rng)?;
        self.holdings.updates.push(OwnUpdate { leaf: pair, parents: vec![], signer });
        Ok(message)
    }

    /// Proposes a whole path for itself, where the group's strategy has paths proposed.
    pub fn propose_path(
        &mut self,
        crypto: &Crypto<'_>,
        rng: &mut dyn Rng,
    ) -> Result<Vec<u8>, SessionError> {
        self.check_alive()?;
        let (path, drawn) = self.member.drawn_path(crypto, rng)?;
        let message = self.propose(crypto, Proposal::Path(path), 0, rng)?;
        self.holdings.updates.push(OwnUpdate::of_path(&drawn, &self.member.signer));
        Ok(message)
    }

    /// Sends application data.
    pub fn send(
        &mut self,
        crypto: &Crypto<'_>,
        data: &[u8],
        authenticated_data: &[u8],
        rng: &mut dyn Rng,
    ) -> Result<Vec<u8>, SessionError> {
        self.check_alive()?;
        if !self.holdings.proposals.is_empty() {
            return Err(SessionError::ProposalsWaiting);
        }
        let content = Content::Application(data.to_vec().into());
        Ok(self.send_content(crypto, content, authenticated_data.to_vec(), rng)?.1)
    }

    /// Signs and protects content; gives its reference and the encoded message.
    fn send_content(
        &mut self,
        crypto: &Crypto<'_>,
        content: Content,
        authenticated_data: Vec<u8>,
        rng: &mut dyn Rng,
    ) -> Result<(Digest, Vec<u8>), SessionError> {
        let private =
            self.settings.private_handshakes || matches!(content, Content::Application(_));
        let protection = if private {
            Protection::Private { secrets: &mut self.messages, block: self.settings.padding }
        } else {
            Protection::Public
        };
        let (reference, message) = self.member.protect::<SessionError>(
            crypto,
            content,
            authenticated_data,
            protection,
            rng,
        )?;
        Ok((reference, encode(&message)?))
    }

    /// Makes a commit of what has been proposed in this epoch and of the plan's own proposals.
    /// The client stays in its epoch until the commit comes back by [`Session::receive`], or
    /// [`Session::accept_pending`] says that it was chosen.
    pub fn commit(
        &mut self,
        crypto: &Crypto<'_>,
        plan: CommitPlan,
        rng: &mut dyn Rng,
    ) -> Result<Committed, SessionError> {
        self.commit_for(crypto, plan, Purpose::Ordinary, rng)
    }

    pub(super) fn commit_for(
        &mut self,
        crypto: &Crypto<'_>,
        plan: CommitPlan,
        purpose: Purpose,
        rng: &mut dyn Rng,
    ) -> Result<Committed, SessionError> {
        self.check_alive()?;
        if self.pending.is_some() {
            return Err(SessionError::AlreadyPending);
        }
        let own = Some(self.leaf());
        plan.proposals.iter().try_for_each(|proposal| self.check_proposal(proposal, own))?;
        // Chosen as if nobody moved: whoever moves is in no roster while others are added.
        let (committer, now) = (Some(self.leaf()), Some(plan.now));
        let view = Viewpoint { committer, purpose, path: false, now };
        let references =
            plan.references.unwrap_or_else(|| self.choose(crypto, &plan.proposals, view));
        let request = CommitRequest {
            proposals: plan.proposals,
            references,
            path: plan.path,
            signer: None,
            tree_in_welcome: plan.tree_in_welcome.unwrap_or(self.settings.tree_in_welcome),
            now: plan.now,
            purpose,
            authenticated_data: plan.authenticated_data,
        };
        let protection = if self.settings.private_handshakes {
            Protection::Private { secrets: &mut self.messages, block: self.settings.padding }
        } else {
            Protection::Public
        };
        let (member, roster, holdings) = (&self.member, &self.roster, &self.holdings);
        let pending = member.commit_with(crypto, roster, request, holdings, protection, rng)?;
        let committed =
            Committed { message: pending.message.clone(), welcome: pending.welcome.clone() };
        self.pending = Some(pending);
        Ok(committed)
    }

    /// The references of proposals that can be committed together with `own`. What another has
    /// proposed cannot keep this client from committing: where all together are invalid, those
    /// are taken that fit, halves first, as far as [`MAX_TRIES`] lead.
    fn choose(&self, crypto: &Crypto<'_>, own: &[Proposal], view: Viewpoint) -> Vec<Digest> {
        let own = own.iter().map(|proposal| Listed { proposal, sender: Some(self.leaf()) });
        let own: Vec<_> = own.collect();
        let fits = |list: &[&StoredProposal]| {
            let stored = list
                .iter()
                .map(|stored| Listed { proposal: &stored.proposal, sender: stored.sender });
            let list: Vec<_> = stored.chain(own.iter().copied()).collect();
            let proposed = self.public().propose(crypto, &self.roster, &list, view);
            proposed.and_then(|proposed| Ok(proposed.roster.finish()?)).is_ok()
        };
        let chosen = self.holdings.proposals.choose(self.leaf(), &self.holdings.psks);
        let mut taken: Vec<&StoredProposal> = vec![];
        let mut parts = vec![&chosen[..]];
        for _ in 0..MAX_TRIES {
            let Some(part) = parts.pop() else { break };
            taken.extend(part);
            if !fits(&taken) {
                taken.truncate(taken.len() - part.len());
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([second, first].into_iter().filter(|half| half.len() < part.len()));
                parts.retain(|half| !half.is_empty());
            }
        }
        taken.into_iter().map(|stored| stored.reference).collect()
    }

    /// The Delivery Service has chosen the commit on its way.
    pub fn accept_pending(&mut self) -> Result<Received, SessionError> {
        let pending = self.pending.take().ok_or(SessionError::NothingPending)?;
        self.roster.advance(&pending.roster_changes);
        let applied = pending.applied;
        self.advance(pending.after, applied.reinit.clone());
        Ok(Received::Commit { committer: self.leaf(), applied })
    }

    /// The commit on its way was not chosen.
    pub fn discard_pending(&mut self) {
        self.pending = None;
    }
}
