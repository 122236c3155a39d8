//! What a client in a group can be asked for without changing the group.

use arboretum_engine::codec::CodecError;
use arboretum_engine::group::Received;
use arboretum_engine::treedem::{ContentType, MlsMessage};
use arboretum_engine::treesync::{RatchetTree, encode_tree};

use super::table::Held;
use super::{Answer, Lab, read};
use crate::interface::{
    ExportRequest, ExportResponse, GroupInfoRequest, GroupInfoResponse, ProtectRequest,
    ProtectResponse, StateAuthRequest, StateAuthResponse, StorePskRequest, StorePskResponse,
    UnprotectRequest, UnprotectResponse,
};
use crate::limits::{MAX_NAME, MAX_PSK, MAX_PSKS, at_most};
use crate::refusal::{Field, Refusal, at};

/// The tree for an answer, if it is to come beside the message that could carry it.
pub(super) fn tree_beside(tree: &RatchetTree, beside: bool) -> Answer<Vec<u8>> {
    if !beside {
        return Ok(vec![]);
    }
    encode_tree(tree).map_err(at::<CodecError>("external_tree"))
}

impl Lab {
    pub(crate) fn group_info(&mut self, request: GroupInfoRequest) -> Answer<GroupInfoResponse> {
        let state = self.table.state("state_id", request.state_id)?;
        let beside = request.external_tree;
        let info = state.session.group_info(&state.crypto(), !beside).map_err(at("state_id"))?;
        let group_info = read::written("group_info", &MlsMessage::GroupInfo(info))?;
        let ratchet_tree = tree_beside(&state.session.public().tree, beside)?;
        Ok(GroupInfoResponse { group_info, ratchet_tree })
    }

    pub(crate) fn state_auth(&mut self, request: StateAuthRequest) -> Answer<StateAuthResponse> {
        let state = self.table.state("state_id", request.state_id)?;
        Ok(StateAuthResponse { state_auth_secret: state.epoch_authenticator() })
    }

    pub(crate) fn export(&mut self, request: ExportRequest) -> Answer<ExportResponse> {
        let state = self.table.state("state_id", request.state_id)?;
        at_most("label", request.label.as_bytes(), MAX_NAME)?;
        let length = read::code_point("key_length", request.key_length)?.into();
        let (session, crypto) = (&state.session, state.crypto());
        let exported = session.export(&crypto, &request.label, &request.context, length);
        let exported = exported.map_err(at("key_length"))?;
        Ok(ExportResponse { exported_secret: exported.as_slice().to_vec() })
    }

    pub(crate) fn protect(&mut self, request: ProtectRequest) -> Answer<ProtectResponse> {
        let mut state = self.table.state("state_id", request.state_id)?.clone();
        let (crypto, rng) = (state.crypto(), &mut self.rng);
        let (data, beside) = (&request.plaintext, &request.authenticated_data);
        let sent = state.session.send(&crypto, data, beside, rng);
        let ciphertext = sent.map_err(at("state_id"))?;
        self.table.put(request.state_id, state);
        Ok(ProtectResponse { ciphertext })
    }

    pub(crate) fn unprotect(&mut self, request: UnprotectRequest) -> Answer<UnprotectResponse> {
        let mut state = self.table.state("state_id", request.state_id)?.clone();
        let field = Field::from("ciphertext");
        let refused = Refusal::WrongMessage { field, wanted: "private message with data" };
        match read::message(field, &request.ciphertext)? {
            MlsMessage::Private(message) if message.content_type == ContentType::Application => {}
            _ => return Err(refused),
        }
        let received = state.session.receive(&state.crypto(), &request.ciphertext);
        let Received::Application { data, authenticated_data, .. } = received.map_err(at(field))?
        else {
            return Err(refused);
        };
        self.table.put(request.state_id, state);
        Ok(UnprotectResponse { authenticated_data, plaintext: data })
    }

    pub(crate) fn store_psk(&mut self, request: StorePskRequest) -> Answer<StorePskResponse> {
        let (field, id) = ("state_or_transaction_id", request.state_or_transaction_id);
        at_most("psk_id", &request.psk_id, MAX_NAME)?;
        at_most("psk_secret", &request.psk_secret, MAX_PSK)?;
        let (name, secret) = (request.psk_id, request.psk_secret.into());
        match self.table.get_mut(field, id)? {
            Held::State(state) => {
                state.psk_count = one_more(state.psk_count)?;
                state.session.insert_psk(name, secret);
            }
            Held::Transaction(card) => {
                card.psk_count = one_more(card.psk_count)?;
                card.psks.insert_external(name, secret);
            }
            Held::Signer(_) => {
                let wanted = "state or transaction";
                return Err(Refusal::Kind { field, id, found: "signer", wanted });
            }
        }
        Ok(StorePskResponse {})
    }
}

fn one_more(count: usize) -> Answer<usize> {
    if count < MAX_PSKS {
        return Ok(count + 1);
    }
    Err(Refusal::TooMany { field: "psk_id".into(), count: count + 1, most: MAX_PSKS })
}
