//! Ways into a group: creating one, a Welcome, an external commit.

use arboretum_engine::crypto::Crypto;
use arboretum_engine::group::{Founding, Session};
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treedem::MlsMessage;
use arboretum_engine::treekem::{GroupInfo, PskStore};
use arboretum_engine::treesync::{PreSharedKeyId, PskType};

use super::client::{Card, settings};
use super::state::State;
use super::table::Held;
use super::{Answer, Lab, read};
use crate::interface::{
    CreateGroupRequest, CreateGroupResponse, CreateKeyPackageRequest, CreateKeyPackageResponse,
    ExternalJoinRequest, ExternalJoinResponse, JoinGroupRequest, JoinGroupResponse, PreSharedKey,
};
use crate::limits::{MAX_NAME, MAX_PSK, at_most, few};
use crate::refusal::{Refusal, at};

/// A joiner who holds these keys, and the identifiers under which it injects them.
struct WithPsks {
    store: PskStore,
    ids: Vec<PreSharedKeyId>,
}

impl Lab {
    pub(crate) fn create_group(
        &mut self,
        request: CreateGroupRequest,
    ) -> Answer<CreateGroupResponse> {
        self.table.room()?;
        let group_id = read::name("group_id", &request.group_id)?;
        let identity = read::name("identity", &request.identity)?;
        let provider = read::suite("cipher_suite", request.cipher_suite)?;
        let card = Card::new(provider, &identity, &mut self.rng)?;
        let founding = Founding { group_id, extensions: vec![] };
        let private = request.encrypt_handshake;
        let joining = card.joining(None, settings(private, true));
        let session = Session::create(&Crypto::new(provider), joining, founding, &mut self.rng);
        let state = State::new(session.map_err(at("group_id"))?, &card, private);
        Ok(CreateGroupResponse { state_id: self.table.insert(Held::State(Box::new(state)))? })
    }

    pub(crate) fn create_key_package(
        &mut self,
        request: CreateKeyPackageRequest,
    ) -> Answer<CreateKeyPackageResponse> {
        self.table.room()?;
        let identity = read::name("identity", &request.identity)?;
        let provider = read::suite("cipher_suite", request.cipher_suite)?;
        let card = Card::new(provider, &identity, &mut self.rng)?;
        let message = MlsMessage::KeyPackage(card.package.clone());
        let key_package = read::written("key_package", &message)?;
        let init_priv = card.secrets.init.private.as_slice().to_vec();
        let encryption_priv = card.secrets.encryption.private.as_slice().to_vec();
        let signature_priv = card.signer.private.as_slice().to_vec();
        let transaction_id = self.table.insert(Held::Transaction(Box::new(card)))?;
        Ok(CreateKeyPackageResponse {
            transaction_id,
            key_package,
            init_priv,
            encryption_priv,
            signature_priv,
        })
    }

    pub(crate) fn join_group(&mut self, request: JoinGroupRequest) -> Answer<JoinGroupResponse> {
        let id = request.transaction_id;
        let card = self.table.transaction("transaction_id", id)?;
        if card.identity != request.identity {
            return Err(Refusal::AnotherIdentity);
        }
        let private = request.encrypt_handshake;
        let joining = card.joining(read::tree(&request.ratchet_tree)?, settings(private, true));
        let session = Session::join(&Crypto::new(card.provider), &request.welcome, joining);
        let state = State::new(session.map_err(at("welcome"))?, card, private);
        let epoch_authenticator = state.epoch_authenticator();
        Ok(JoinGroupResponse { state_id: self.table.replace(id, state)?, epoch_authenticator })
    }

    pub(crate) fn external_join(
        &mut self,
        request: ExternalJoinRequest,
    ) -> Answer<ExternalJoinResponse> {
        self.table.room()?;
        let identity = read::name("identity", &request.identity)?;
        let info = read::group_info(&request.group_info)?;
        let suite = info.group_context.cipher_suite;
        let provider = read::suite("group_info", suite.0.into())?;
        let crypto = Crypto::new(provider);
        let prior = prior(&info, &request)?;
        let psks = self.injected(&crypto, &request.psks)?;
        let mut card = Card::new(provider, &identity, &mut self.rng)?;
        card.psks = psks.store;
        card.psk_count = psks.ids.len();
        let private = request.encrypt_handshake;
        let joining = card.joining(read::tree(&request.ratchet_tree)?, settings(private, true));
        let rng = &mut self.rng;
        let made = Session::join_external(&crypto, &info, joining, prior, psks.ids, rng);
        let (session, commit) = made.map_err(at("group_info"))?;
        let state = State::new(session, &card, private);
        let epoch_authenticator = state.epoch_authenticator();
        let state_id = self.table.insert(Held::State(Box::new(state)))?;
        Ok(ExternalJoinResponse { state_id, commit, epoch_authenticator })
    }

    /// The keys that somebody injects who joins by oneself.
    fn injected(&mut self, crypto: &Crypto<'_>, list: &[PreSharedKey]) -> Answer<WithPsks> {
        few("psks", list)?;
        let mut psks = WithPsks { store: PskStore::default(), ids: vec![] };
        for (index, psk) in list.iter().enumerate() {
            at_most(("psks", index), &psk.psk_id, MAX_NAME)?;
            at_most(("psks", index), &psk.psk_secret, MAX_PSK)?;
            psks.store.insert_external(psk.psk_id.clone(), psk.psk_secret.clone().into());
            let kind = PskType::External(psk.psk_id.clone().into());
            psks.ids.push(Session::psk_id(crypto, kind, &mut self.rng));
        }
        Ok(psks)
    }
}

/// The leaf that the joiner has left behind, if it is to be removed.
fn prior(info: &GroupInfo, request: &ExternalJoinRequest) -> Answer<Option<LeafIndex>> {
    if !request.remove_prior {
        return Ok(None);
    }
    let tree = read::tree_of(info, &request.ratchet_tree)?;
    // Without a tree, joining is refused below in the engine's words.
    let find = |tree| read::member("identity", &tree, &request.identity);
    tree.map(find).transpose()
}
