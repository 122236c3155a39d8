//! Proposals by members, and proposals that requests describe in words.

use arboretum_engine::crypto::Crypto;
use arboretum_engine::group::Session;
use arboretum_engine::treesync::{
    Proposal, ProtocolVersion, PskType, RatchetTree, ReInit, ResumptionPskUsage,
};
use rand_chacha::ChaCha20Rng;

use super::{Answer, Lab, read};
use crate::interface::{
    AddProposalRequest, Extension, ExternalPskProposalRequest,
    GroupContextExtensionsProposalRequest, ProposalDescription, ProposalResponse,
    ReInitProposalRequest, RemoveProposalRequest, ResumptionPskProposalRequest,
    UpdateProposalRequest,
};
use crate::refusal::{Field, Refusal};

/// The group that a proposal is for, as far as its making depends on it.
pub(super) struct About<'a> {
    pub(super) crypto: Crypto<'static>,
    pub(super) group_id: &'a [u8],
    pub(super) tree: &'a RatchetTree,
    /// Whether a ReInit can be described.
    pub(super) with_reinit: bool,
}

impl About<'_> {
    /// The proposal that is described.
    pub(super) fn proposal(
        &self,
        field: impl Into<Field>,
        words: &ProposalDescription,
        rng: &mut ChaCha20Rng,
    ) -> Answer<Proposal> {
        let field = field.into();
        match words.proposal_type.as_slice() {
            b"add" => Ok(Proposal::Add(read::key_package(field, &words.key_package)?)),
            b"remove" => read::member(field, self.tree, &words.removed_id).map(Proposal::Remove),
            b"externalPSK" => {
                let id = read::name(field, &words.psk_id)?;
                Ok(self.psk(PskType::External(id.into()), rng))
            }
            b"resumptionPSK" => Ok(self.resumption(words.epoch_id, rng)),
            b"groupContextExtensions" => {
                let extensions = read::extensions("extensions", &words.extensions)?;
                Ok(Proposal::GroupContextExtensions(extensions))
            }
            b"reinit" if self.with_reinit => {
                reinit(words.cipher_suite, &words.group_id, &words.extensions)
            }
            b"reinit" => Err(Refusal::ReInitHere { field }),
            other => {
                let shown = &other[..other.len().min(LONGEST_SHOWN)];
                let found = String::from_utf8_lossy(shown).into_owned();
                Err(Refusal::ProposalType { field, found })
            }
        }
    }

    fn psk(&self, kind: PskType, rng: &mut ChaCha20Rng) -> Proposal {
        Proposal::PreSharedKey(Session::psk_id(&self.crypto, kind, rng))
    }

    fn resumption(&self, epoch: u64, rng: &mut ChaCha20Rng) -> Proposal {
        let group_id = self.group_id.to_vec().into();
        self.psk(PskType::Resumption(ResumptionPskUsage::Application, group_id, epoch), rng)
    }
}

/// How much of a word that is not understood is shown, in bytes.
const LONGEST_SHOWN: usize = 32;

/// What a group is to be replaced by. Its version can only stay what it is.
fn reinit(cipher_suite: u32, group_id: &[u8], extensions: &[Extension]) -> Answer<Proposal> {
    Ok(Proposal::ReInit(ReInit {
        group_id: read::name("group_id", group_id)?.into(),
        version: ProtocolVersion::MLS10,
        cipher_suite: read::suite("cipher_suite", cipher_suite)?.cipher_suite(),
        extensions: read::extensions("extensions", extensions)?,
    }))
}

impl Lab {
    /// Proposes, in the name of a member, what is made from a view of its group.
    pub(super) fn propose(
        &mut self,
        id: u32,
        field: &'static str,
        make: impl FnOnce(&About<'_>, &mut ChaCha20Rng) -> Answer<Proposal>,
    ) -> Answer<ProposalResponse> {
        let mut state = self.table.state("state_id", id)?.clone();
        let public = state.session.public();
        let about = About {
            crypto: state.crypto(),
            group_id: public.context.group_id.as_slice(),
            tree: &public.tree,
            with_reinit: false,
        };
        let proposal = make(&about, &mut self.rng)?;
        let proposal = state.propose(field, proposal, &mut self.rng)?;
        self.table.put(id, state);
        Ok(ProposalResponse { proposal })
    }

    pub(crate) fn add_proposal(&mut self, request: AddProposalRequest) -> Answer<ProposalResponse> {
        let field = "key_package";
        self.propose(request.state_id, field, |_, _| {
            read::key_package(field, &request.key_package).map(Proposal::Add)
        })
    }

    pub(crate) fn update_proposal(
        &mut self,
        request: UpdateProposalRequest,
    ) -> Answer<ProposalResponse> {
        let mut state = self.table.state("state_id", request.state_id)?.clone();
        let proposal = state.propose_update(&mut self.rng)?;
        self.table.put(request.state_id, state);
        Ok(ProposalResponse { proposal })
    }

    pub(crate) fn remove_proposal(
        &mut self,
        request: RemoveProposalRequest,
    ) -> Answer<ProposalResponse> {
        let field = "removed_id";
        self.propose(request.state_id, field, |about, _| {
            read::member(field, about.tree, &request.removed_id).map(Proposal::Remove)
        })
    }

    pub(crate) fn external_psk_proposal(
        &mut self,
        request: ExternalPskProposalRequest,
    ) -> Answer<ProposalResponse> {
        let field = "psk_id";
        self.propose(request.state_id, field, |about, rng| {
            let id = read::name(field, &request.psk_id)?;
            Ok(about.psk(PskType::External(id.into()), rng))
        })
    }

    pub(crate) fn resumption_psk_proposal(
        &mut self,
        request: ResumptionPskProposalRequest,
    ) -> Answer<ProposalResponse> {
        self.propose(request.state_id, "epoch_id", |about, rng| {
            Ok(about.resumption(request.epoch_id, rng))
        })
    }

    pub(crate) fn group_context_extensions_proposal(
        &mut self,
        request: GroupContextExtensionsProposalRequest,
    ) -> Answer<ProposalResponse> {
        let field = "extensions";
        self.propose(request.state_id, field, |_, _| {
            read::extensions(field, &request.extensions).map(Proposal::GroupContextExtensions)
        })
    }

    pub(crate) fn re_init_proposal(
        &mut self,
        request: ReInitProposalRequest,
    ) -> Answer<ProposalResponse> {
        self.propose(request.state_id, "group_id", |_, _| {
            reinit(request.cipher_suite, &request.group_id, &request.extensions)
        })
    }
}
