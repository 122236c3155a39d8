//! Proposals from outside a group (RFC 9420 §12.1.8): of a client that asks to be added, and of
//! a signer that the group listens to.

use arboretum_engine::codec::{CodecError, decode, encode};
use arboretum_engine::crypto::Crypto;
use arboretum_engine::group::{Outsider, PublicGroup, propose_from_outside};
use arboretum_engine::treekem::GroupInfo;
use arboretum_engine::treesync::{Extension, ExtensionType, ExternalSender, Proposal, RatchetTree};

use super::client::{Card, Signer, basic, now, signature_keys};
use super::propose::About;
use super::table::Held;
use super::{Answer, Lab, read};
use crate::interface::{
    AddExternalSignerRequest, CreateExternalSignerRequest, CreateExternalSignerResponse,
    ExternalSignerProposalRequest, NewMemberAddProposalRequest, NewMemberAddProposalResponse,
    ProposalResponse,
};
use crate::refusal::{Refusal, at};

impl Lab {
    pub(crate) fn new_member_add_proposal(
        &mut self,
        request: NewMemberAddProposalRequest,
    ) -> Answer<NewMemberAddProposalResponse> {
        self.table.room()?;
        let identity = read::name("identity", &request.identity)?;
        let info = read::group_info(&request.group_info)?;
        let context = &info.group_context;
        let provider = read::suite("group_info", context.cipher_suite.0.into())?;
        let crypto = Crypto::new(provider);
        // Without the tree there is nothing to check the group info against; whoever is misled
        // has a proposal that no group takes.
        if let Some(tree) = read::tree_of(&info, &[])? {
            info.validate(&crypto, tree).map_err(at("group_info"))?;
        }
        let card = Card::new(provider, &identity, &mut self.rng)?;
        let add = Proposal::Add(card.package.clone());
        let (group_id, key) = (context.group_id.as_slice(), &card.signer.private);
        let outsider = Outsider::NewMember;
        let made =
            propose_from_outside(&crypto, outsider, group_id, context.epoch, add, key, now());
        let proposal = made.map_err(at("group_info"))?;
        let init_priv = card.secrets.init.private.as_slice().to_vec();
        let encryption_priv = card.secrets.encryption.private.as_slice().to_vec();
        let signature_priv = card.signer.private.as_slice().to_vec();
        let transaction_id = self.table.insert(Held::Transaction(Box::new(card)))?;
        Ok(NewMemberAddProposalResponse {
            transaction_id,
            proposal,
            init_priv,
            encryption_priv,
            signature_priv,
        })
    }

    pub(crate) fn create_external_signer(
        &mut self,
        request: CreateExternalSignerRequest,
    ) -> Answer<CreateExternalSignerResponse> {
        self.table.room()?;
        let identity = read::name("identity", &request.identity)?;
        let provider = read::suite("cipher_suite", request.cipher_suite)?;
        let keys = signature_keys(provider, &mut self.rng);
        let credential = basic(&identity);
        let entry = ExternalSender { signature_key: keys.public.clone(), credential };
        let external_sender = encode(&entry).map_err(at::<CodecError>("identity"))?;
        let signer_id = self.table.insert(Held::Signer(Box::new(Signer { provider, keys })))?;
        Ok(CreateExternalSignerResponse { signer_id, external_sender })
    }

    pub(crate) fn add_external_signer(
        &mut self,
        request: AddExternalSignerRequest,
    ) -> Answer<ProposalResponse> {
        let field = "external_sender";
        let malformed = |error| Refusal::Malformed { field: field.into(), error };
        let sender = decode("an external sender", &request.external_sender).map_err(malformed)?;
        let public = self.table.state("state_id", request.state_id)?.session.public().clone();
        let extensions = listening_to(&public, sender)?;
        self.propose(request.state_id, field, |_, _| {
            Ok(Proposal::GroupContextExtensions(extensions))
        })
    }

    pub(crate) fn external_signer_proposal(
        &mut self,
        request: ExternalSignerProposalRequest,
    ) -> Answer<ProposalResponse> {
        let signer = self.table.signer("signer_id", request.signer_id)?;
        let crypto = Crypto::new(signer.provider);
        let info = read::group_info(&request.group_info)?;
        let public = public_group(&crypto, &info, &request.ratchet_tree)?;
        let index = place_of(signer, &public, request.signer_index)?;
        let group_id = public.context.group_id.as_slice();
        let about = About {
            crypto: Crypto::new(signer.provider),
            group_id,
            tree: &public.tree,
            with_reinit: true,
        };
        let missing = Refusal::Missing { field: "description" };
        let words = request.description.as_ref().ok_or(missing)?;
        let proposal = about.proposal("description", words, &mut self.rng)?;
        let (outsider, key) = (Outsider::External(index), &signer.keys.private);
        let epoch = public.context.epoch;
        let made = propose_from_outside(&crypto, outsider, group_id, epoch, proposal, key, now());
        Ok(ProposalResponse { proposal: made.map_err(at("description"))? })
    }
}

/// The public state that a group info and its tree show.
fn public_group(crypto: &Crypto<'_>, info: &GroupInfo, beside: &[u8]) -> Answer<PublicGroup> {
    let tree: Option<RatchetTree> = read::tree_of(info, beside)?;
    let tree = tree.ok_or(Refusal::Missing { field: "ratchet_tree" })?;
    Ok(info.validate(crypto, tree).map_err(at("group_info"))?.0)
}

/// The extensions of a group that listens to one more.
fn listening_to(public: &PublicGroup, sender: ExternalSender) -> Answer<Vec<Extension>> {
    let mut senders = public.external_senders().map_err(at("state_id"))?;
    senders.push(sender);
    let extension_data = encode(&senders).map_err(at::<CodecError>("external_sender"))?;
    let kind = ExtensionType::EXTERNAL_SENDERS;
    let mut extensions = public.context.extensions.clone();
    extensions.retain(|extension| extension.extension_type != kind);
    extensions.push(Extension { extension_type: kind, extension_data: extension_data.into() });
    Ok(extensions)
}

/// Where a signer stands among those that a group listens to: where the request says, or where
/// its key is.
fn place_of(signer: &Signer, public: &PublicGroup, said: u32) -> Answer<u32> {
    let senders = public.external_senders().map_err(at("group_info"))?;
    let is_it = |sender: &ExternalSender| sender.signature_key == signer.keys.public;
    let at_said = usize::try_from(said).ok().and_then(|index| senders.get(index));
    if at_said.is_some_and(is_it) {
        return Ok(said);
    }
    let found = senders.iter().position(is_it).and_then(|index| u32::try_from(index).ok());
    found.ok_or(Refusal::NotListenedTo)
}
