//! Groups that replace a group, and groups that branch off one (RFC 9420 §11.2, §11.3).

use arboretum_engine::crypto::Crypto;
use arboretum_engine::group::{Committed, Founding};

use super::client::{Card, now, settings};
use super::member::tree_beside;
use super::state::State;
use super::table::Held;
use super::{Answer, Lab, read};
use crate::interface::{
    CreateBranchRequest, CreateSubgroupResponse, HandleBranchRequest, HandleBranchResponse,
    HandleReInitWelcomeRequest, JoinGroupResponse, ReInitWelcomeRequest,
};
use crate::refusal::{Refusal, at};

impl Lab {
    pub(crate) fn re_init_welcome(
        &mut self,
        request: ReInitWelcomeRequest,
    ) -> Answer<CreateSubgroupResponse> {
        let id = request.reinit_id;
        let old = self.table.state("reinit_id", id)?;
        let card = old.successor.as_ref().ok_or(Refusal::NotEnded)?;
        let packages = read::key_packages("key_package", &request.key_package)?;
        let joining = card.joining(None, settings(old.private, !request.external_tree));
        let crypto = Crypto::new(card.provider);
        let made = old.session.create_successor(&crypto, joining, packages, now(), &mut self.rng);
        let (session, committed) = made.map_err(at("key_package"))?;
        let state = State::new(session, card, old.private);
        let answer = subgroup(&state, committed, request.external_tree)?;
        let state_id = self.table.replace(id, state)?;
        Ok(CreateSubgroupResponse { state_id, ..answer })
    }

    pub(crate) fn handle_re_init_welcome(
        &mut self,
        request: HandleReInitWelcomeRequest,
    ) -> Answer<JoinGroupResponse> {
        let id = request.reinit_id;
        let old = self.table.state("reinit_id", id)?;
        let card = old.successor.as_ref().ok_or(Refusal::NotEnded)?;
        let joining = card.joining(read::tree(&request.ratchet_tree)?, settings(old.private, true));
        let crypto = Crypto::new(card.provider);
        let joined = old.session.join_successor(&crypto, &request.welcome, joining);
        let state = State::new(joined.map_err(at("welcome"))?, card, old.private);
        let epoch_authenticator = state.epoch_authenticator();
        Ok(JoinGroupResponse { state_id: self.table.replace(id, state)?, epoch_authenticator })
    }

    pub(crate) fn create_branch(
        &mut self,
        request: CreateBranchRequest,
    ) -> Answer<CreateSubgroupResponse> {
        self.table.room()?;
        let old = self.table.state("state_id", request.state_id)?;
        let founding = Founding {
            group_id: read::name("group_id", &request.group_id)?,
            extensions: read::extensions("extensions", &request.extensions)?,
        };
        let packages = read::key_packages("key_packages", &request.key_packages)?;
        let card = Card::new(old.provider, &old.identity, &mut self.rng)?;
        let joining = card.joining(None, settings(old.private, !request.external_tree));
        let (crypto, rng) = (old.crypto(), &mut self.rng);
        let made = old.session.create_branch(&crypto, joining, founding, packages, now(), rng);
        let (session, committed) = made.map_err(at("key_packages"))?;
        let state = State::new(session, &card, old.private);
        let answer = subgroup(&state, committed, request.external_tree)?;
        let state_id = self.table.insert(Held::State(Box::new(state)))?;
        Ok(CreateSubgroupResponse { state_id, ..answer })
    }

    pub(crate) fn handle_branch(
        &mut self,
        request: HandleBranchRequest,
    ) -> Answer<HandleBranchResponse> {
        let old = self.table.state("state_id", request.state_id)?;
        let id = request.transaction_id;
        let card = self.table.transaction("transaction_id", id)?;
        let joining = card.joining(read::tree(&request.ratchet_tree)?, settings(old.private, true));
        let joined = old.session.join_branch(&old.crypto(), &request.welcome, joining);
        let state = State::new(joined.map_err(at("welcome"))?, card, old.private);
        let epoch_authenticator = state.epoch_authenticator();
        Ok(HandleBranchResponse { state_id: self.table.replace(id, state)?, epoch_authenticator })
    }
}

/// The answer about a new group, its number still to come.
fn subgroup(state: &State, committed: Committed, beside: bool) -> Answer<CreateSubgroupResponse> {
    Ok(CreateSubgroupResponse {
        state_id: 0,
        welcome: committed.welcome.unwrap_or_default(),
        ratchet_tree: tree_beside(&state.session.public().tree, beside)?,
        epoch_authenticator: state.epoch_authenticator(),
    })
}
