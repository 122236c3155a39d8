//! The calls of the network, handed to a [`Lab`] one at a time, and its refusals handed back as
//! statuses.

use std::future::Future;
use std::sync::{Mutex, PoisonError};

use arboretum_engine::crypto::Seed;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use crate::interface::mls_client_server::{MlsClient, MlsClientServer};
use crate::interface::*;
use crate::lab::Lab;
use crate::limits::MAX_REQUEST;

/// The lab behind the network.
struct Service {
    lab: Mutex<Lab>,
}

/// Implements the generated trait: each call is the lab's method of the same name.
macro_rules! calls {
    ($($name:literal $call:ident($request:ident) -> $response:ident;)+) => {
        #[tonic::async_trait]
        impl MlsClient for Service {
            $(
                async fn $call(
                    &self,
                    request: Request<$request>,
                ) -> Result<Response<$response>, Status> {
                    // A call that panicked has not put anything into the lab: states change by
                    // being replaced, at its end.
                    let mut lab = self.lab.lock().unwrap_or_else(PoisonError::into_inner);
                    let answer = lab.$call(request.into_inner());
                    answer.map(Response::new).map_err(|refusal| refusal.status($name))
                }
            )+
        }
    };
}

calls! {
    "Name" name(NameRequest) -> NameResponse;
    "SupportedCiphersuites" supported_ciphersuites(SupportedCiphersuitesRequest)
        -> SupportedCiphersuitesResponse;
    "CreateGroup" create_group(CreateGroupRequest) -> CreateGroupResponse;
    "CreateKeyPackage" create_key_package(CreateKeyPackageRequest) -> CreateKeyPackageResponse;
    "JoinGroup" join_group(JoinGroupRequest) -> JoinGroupResponse;
    "ExternalJoin" external_join(ExternalJoinRequest) -> ExternalJoinResponse;
    "GroupInfo" group_info(GroupInfoRequest) -> GroupInfoResponse;
    "StateAuth" state_auth(StateAuthRequest) -> StateAuthResponse;
    "Export" export(ExportRequest) -> ExportResponse;
    "Protect" protect(ProtectRequest) -> ProtectResponse;
    "Unprotect" unprotect(UnprotectRequest) -> UnprotectResponse;
    "StorePSK" store_psk(StorePskRequest) -> StorePskResponse;
    "AddProposal" add_proposal(AddProposalRequest) -> ProposalResponse;
    "UpdateProposal" update_proposal(UpdateProposalRequest) -> ProposalResponse;
    "RemoveProposal" remove_proposal(RemoveProposalRequest) -> ProposalResponse;
    "ExternalPSKProposal" external_psk_proposal(ExternalPskProposalRequest) -> ProposalResponse;
    "ResumptionPSKProposal" resumption_psk_proposal(ResumptionPskProposalRequest)
        -> ProposalResponse;
    "GroupContextExtensionsProposal"
        group_context_extensions_proposal(GroupContextExtensionsProposalRequest)
        -> ProposalResponse;
    "Commit" commit(CommitRequest) -> CommitResponse;
    "HandleCommit" handle_commit(HandleCommitRequest) -> HandleCommitResponse;
    "HandlePendingCommit" handle_pending_commit(HandlePendingCommitRequest)
        -> HandleCommitResponse;
    "ReInitProposal" re_init_proposal(ReInitProposalRequest) -> ProposalResponse;
    "ReInitCommit" re_init_commit(CommitRequest) -> CommitResponse;
    "HandlePendingReInitCommit" handle_pending_re_init_commit(HandlePendingCommitRequest)
        -> HandleReInitCommitResponse;
    "HandleReInitCommit" handle_re_init_commit(HandleCommitRequest)
        -> HandleReInitCommitResponse;
    "ReInitWelcome" re_init_welcome(ReInitWelcomeRequest) -> CreateSubgroupResponse;
    "HandleReInitWelcome" handle_re_init_welcome(HandleReInitWelcomeRequest)
        -> JoinGroupResponse;
    "CreateBranch" create_branch(CreateBranchRequest) -> CreateSubgroupResponse;
    "HandleBranch" handle_branch(HandleBranchRequest) -> HandleBranchResponse;
    "NewMemberAddProposal" new_member_add_proposal(NewMemberAddProposalRequest)
        -> NewMemberAddProposalResponse;
    "CreateExternalSigner" create_external_signer(CreateExternalSignerRequest)
        -> CreateExternalSignerResponse;
    "AddExternalSigner" add_external_signer(AddExternalSignerRequest) -> ProposalResponse;
    "ExternalSignerProposal" external_signer_proposal(ExternalSignerProposalRequest)
        -> ProposalResponse;
    "Free" free(FreeRequest) -> FreeResponse;
}

/// Serves a new lab at a bound address until `until` is over; calls that have begun are
/// answered.
pub async fn serve(
    listener: TcpListener,
    seed: Seed,
    until: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    let service = MlsClientServer::new(Service { lab: Mutex::new(Lab::new(seed)) })
        .max_decoding_message_size(MAX_REQUEST)
        .max_encoding_message_size(usize::MAX);
    let incoming = TcpListenerStream::new(listener);
    Server::builder().add_service(service).serve_with_incoming_shutdown(incoming, until).await
}
