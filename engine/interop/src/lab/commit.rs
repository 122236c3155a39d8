//! Commits: made, chosen, followed. A commit that ends the group by a ReInit has calls of its
//! own, which give a key package for the group to come.

use arboretum_engine::group::CommitPlan;
use arboretum_engine::treedem::MlsMessage;

use super::client::{Card, now};
use super::member::tree_beside;
use super::propose::About;
use super::state::State;
use super::{Answer, Lab, read};
use crate::interface::{
    CommitRequest, CommitResponse, HandleCommitRequest, HandleCommitResponse,
    HandlePendingCommitRequest, HandleReInitCommitResponse,
};
use crate::limits::few;
use crate::refusal::{Refusal, at};

impl Lab {
    pub(crate) fn commit(&mut self, request: CommitRequest) -> Answer<CommitResponse> {
        self.make_commit(request, false)
    }

    pub(crate) fn re_init_commit(&mut self, request: CommitRequest) -> Answer<CommitResponse> {
        self.make_commit(request, true)
    }

    fn make_commit(&mut self, request: CommitRequest, ends: bool) -> Answer<CommitResponse> {
        let mut state = self.table.state("state_id", request.state_id)?.clone();
        let plan = self.plan(&mut state, &request, ends)?;
        state.session.discard_pending();
        let (crypto, rng) = (state.crypto(), &mut self.rng);
        let committed = state.session.commit(&crypto, plan, rng).map_err(at("state_id"))?;
        let pending = state.session.pending();
        let found = pending.is_some_and(|pending| pending.applied.reinit.is_some());
        check_ends(found, ends, ["Commit", "ReInitCommit"])?;
        let tree = pending.map(|pending| &pending.after.public.tree);
        let ratchet_tree = tree.map(|tree| tree_beside(tree, request.external_tree)).transpose()?;
        self.table.put(request.state_id, state);
        Ok(CommitResponse {
            commit: committed.message,
            welcome: committed.welcome.unwrap_or_default(),
            ratchet_tree: ratchet_tree.unwrap_or_default(),
        })
    }

    /// What a request asks to be committed.
    fn plan(
        &mut self,
        state: &mut State,
        request: &CommitRequest,
        with_reinit: bool,
    ) -> Answer<CommitPlan> {
        few("by_reference", &request.by_reference)?;
        few("by_value", &request.by_value)?;
        let references = state.take_in("by_reference", &request.by_reference)?;
        let public = state.session.public();
        let about = About {
            crypto: state.crypto(),
            group_id: public.context.group_id.as_slice(),
            tree: &public.tree,
            with_reinit,
        };
        let described = request.by_value.iter().enumerate();
        let proposals = described
            .map(|(index, words)| about.proposal(("by_value", index), words, &mut self.rng))
            .collect::<Result<_, _>>()?;
        Ok(CommitPlan {
            proposals,
            references: Some(references),
            tree_in_welcome: Some(!request.external_tree),
            path: request.force_path,
            now: now(),
            authenticated_data: vec![],
        })
    }

    pub(crate) fn handle_commit(
        &mut self,
        request: HandleCommitRequest,
    ) -> Answer<HandleCommitResponse> {
        let state_id = request.state_id;
        let (state, still_in) = self.followed(&request)?;
        check_ends(state.is_over(), false, ["HandleCommit", "HandleReInitCommit"])?;
        let epoch_authenticator = if still_in { state.epoch_authenticator() } else { vec![] };
        self.table.put(state_id, state);
        Ok(HandleCommitResponse { state_id, epoch_authenticator })
    }

    pub(crate) fn handle_re_init_commit(
        &mut self,
        request: HandleCommitRequest,
    ) -> Answer<HandleReInitCommitResponse> {
        let (state, _) = self.followed(&request)?;
        check_ends(state.is_over(), true, ["HandleCommit", "HandleReInitCommit"])?;
        self.prepare_successor(request.state_id, state)
    }

    pub(crate) fn handle_pending_commit(
        &mut self,
        request: HandlePendingCommitRequest,
    ) -> Answer<HandleCommitResponse> {
        let state_id = request.state_id;
        let state = self.accepted(state_id, false)?;
        let epoch_authenticator = state.epoch_authenticator();
        self.table.put(state_id, state);
        Ok(HandleCommitResponse { state_id, epoch_authenticator })
    }

    pub(crate) fn handle_pending_re_init_commit(
        &mut self,
        request: HandlePendingCommitRequest,
    ) -> Answer<HandleReInitCommitResponse> {
        let state = self.accepted(request.state_id, true)?;
        self.prepare_successor(request.state_id, state)
    }

    /// A copy of a state that has followed a commit, and whether it is still in the group.
    fn followed(&self, request: &HandleCommitRequest) -> Answer<(State, bool)> {
        few("proposal", &request.proposal)?;
        let mut state = self.table.state("state_id", request.state_id)?.clone();
        state.take_in("proposal", &request.proposal)?;
        let still_in = state.follow(&request.commit)?;
        Ok((state, still_in))
    }

    /// A copy of a state whose own commit was chosen.
    fn accepted(&self, id: u32, ends: bool) -> Answer<State> {
        let mut state = self.table.state("state_id", id)?.clone();
        state.accept()?;
        check_ends(state.is_over(), ends, ["HandlePendingCommit", "HandlePendingReInitCommit"])?;
        Ok(state)
    }

    /// Keeps a state whose group is over, with a key package for the group to come.
    fn prepare_successor(
        &mut self,
        id: u32,
        mut state: State,
    ) -> Answer<HandleReInitCommitResponse> {
        let suite = state.successor_suite().ok_or(Refusal::NotEnded)?;
        let provider = read::suite("cipher_suite", suite.0.into())?;
        let card = Card::new(provider, &state.identity, &mut self.rng)?;
        let message = MlsMessage::KeyPackage(card.package.clone());
        let key_package = read::written("key_package", &message)?;
        state.successor = Some(card);
        let epoch_authenticator = state.epoch_authenticator();
        self.table.put(id, state);
        Ok(HandleReInitCommitResponse { reinit_id: id, key_package, epoch_authenticator })
    }
}

/// A commit that ends the group is for one call, one that does not for the other.
fn check_ends(found: bool, wanted: bool, [goes_on, ends]: [&'static str; 2]) -> Answer<()> {
    if found == wanted {
        return Ok(());
    }
    Err(Refusal::EndsGroup { ends: found, instead: if found { ends } else { goes_on } })
}
