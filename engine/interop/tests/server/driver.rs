//! A driver of our own: plays the Delivery Service between clients of a server that runs in this
//! process, and keeps count of the calls.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use arboretum_interop::interface::mls_client_client::MlsClientClient;
use arboretum_interop::interface::*;
use arboretum_interop::{limits, serve};
use tokio::net::TcpListener;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{GrpcMethod, Request, Status};

/// Notes the name of each call on its way out.
#[derive(Clone, Default)]
pub(crate) struct Tally(Arc<Mutex<BTreeSet<String>>>);

impl Tally {
    /// The calls so far.
    pub(crate) fn calls(&self) -> BTreeSet<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Interceptor for Tally {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let method = request.extensions().get::<GrpcMethod<'static>>().unwrap();
        self.0.lock().unwrap().insert(method.method().to_owned());
        Ok(request)
    }
}

/// A connection to a server.
pub(crate) type Rpc = MlsClientClient<InterceptedService<Channel, Tally>>;

/// Starts a server at a free port of this machine and connects to it.
pub(crate) async fn server(seed: u8) -> (Rpc, Tally) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, [seed; 32], std::future::pending()));
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy();
    let tally = Tally::default();
    let rpc = MlsClientClient::with_interceptor(channel, tally.clone());
    (rpc.max_encoding_message_size(2 * limits::MAX_REQUEST), tally)
}

/// Asks, and unwraps the answer.
macro_rules! ask {
    ($rpc:expr, $call:ident, $request:expr) => {
        $rpc.$call($request).await.unwrap_or_else(|status| panic!("{status}")).into_inner()
    };
}

/// Asks, and expects a status with this code whose message has these words.
macro_rules! refused {
    ($rpc:expr, $call:ident, $request:expr, $code:ident, $words:expr) => {{
        let status = $rpc.$call($request).await.expect_err(stringify!($call));
        assert_eq!(status.code(), tonic::Code::$code, "{status}");
        assert!(status.message().contains($words), "{}", status.message());
    }};
}

/// How a scenario is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mode {
    /// The cipher suite.
    pub(crate) suite: u32,
    /// Whether handshakes are private messages.
    pub(crate) private: bool,
}

/// A client at a server: the number of its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Client(pub(crate) u32);

/// A group as the driver sees it: the connection, and how it is run.
pub(crate) struct Driver {
    /// The connection.
    pub(crate) rpc: Rpc,
    /// How.
    pub(crate) mode: Mode,
}

/// A proposal by value, in words.
pub(crate) fn words(kind: &str) -> ProposalDescription {
    ProposalDescription { proposal_type: kind.into(), ..ProposalDescription::default() }
}

/// What a commit is to carry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// Proposals by reference.
    pub(crate) by_reference: Vec<Vec<u8>>,
    /// Proposals by value.
    pub(crate) by_value: Vec<ProposalDescription>,
    /// Whether a path is forced.
    pub(crate) force_path: bool,
    /// Whether the tree comes beside.
    pub(crate) external_tree: bool,
}

impl Driver {
    /// Creates a group of one.
    pub(crate) async fn create(&mut self, name: &str) -> Client {
        let request = CreateGroupRequest {
            group_id: b"the group".to_vec(),
            cipher_suite: self.mode.suite,
            encrypt_handshake: self.mode.private,
            identity: name.into(),
        };
        Client(ask!(self.rpc, create_group, request).state_id)
    }

    /// A key package for this suite.
    pub(crate) async fn package(&mut self, name: &str) -> CreateKeyPackageResponse {
        let cipher_suite = self.mode.suite;
        let request = CreateKeyPackageRequest { cipher_suite, identity: name.into() };
        ask!(self.rpc, create_key_package, request)
    }

    /// Creates a group of several, all added by one commit.
    pub(crate) async fn group<const N: usize>(&mut self, names: [&str; N]) -> [Client; N] {
        let mut clients = vec![self.create(names[0]).await];
        let (mut by_value, mut joiners) = (vec![], vec![]);
        for name in &names[1..] {
            let package = self.package(name).await;
            by_value.push(ProposalDescription { key_package: package.key_package, ..words("add") });
            joiners.push((package.transaction_id, *name));
        }
        let plan = Plan { by_value, ..Plan::default() };
        clients.extend(self.full_commit(clients[0], plan, &[], &joiners).await);
        clients.try_into().unwrap()
    }

    /// Joins by a Welcome, and must agree.
    pub(crate) async fn join(
        &mut self,
        (transaction_id, name): (u32, &str),
        welcome: &[u8],
        ratchet_tree: &[u8],
        authenticator: &[u8],
    ) -> Client {
        let request = JoinGroupRequest {
            transaction_id,
            welcome: welcome.to_vec(),
            encrypt_handshake: self.mode.private,
            identity: name.into(),
            ratchet_tree: ratchet_tree.to_vec(),
        };
        let joined = ask!(self.rpc, join_group, request);
        assert_eq!(joined.epoch_authenticator, authenticator, "{name} joins");
        Client(joined.state_id)
    }

    /// Makes a commit.
    pub(crate) async fn commit(&mut self, by: Client, plan: Plan) -> CommitResponse {
        let Plan { by_reference, by_value, force_path, external_tree } = plan;
        let state_id = by.0;
        let request = CommitRequest { state_id, by_reference, by_value, force_path, external_tree };
        let made = ask!(self.rpc, commit, request);
        assert_eq!(made.ratchet_tree.is_empty(), !external_tree);
        made
    }

    /// Makes a commit, lets it be chosen, and has the members and the joiners follow; all must
    /// agree. Gives the joiners.
    pub(crate) async fn full_commit(
        &mut self,
        by: Client,
        plan: Plan,
        members: &[Client],
        joiners: &[(u32, &str)],
    ) -> Vec<Client> {
        let proposals = plan.by_reference.clone();
        let made = self.commit(by, plan).await;
        assert_eq!(made.welcome.is_empty(), joiners.is_empty());
        let chosen = HandlePendingCommitRequest { state_id: by.0 };
        let authenticator = ask!(self.rpc, handle_pending_commit, chosen).epoch_authenticator;
        for member in members {
            let followed = self.follow(*member, proposals.clone(), &made.commit).await;
            assert_eq!(followed, authenticator, "{member:?} follows");
        }
        let mut joined = vec![];
        for joiner in joiners {
            let (welcome, tree) = (&made.welcome, &made.ratchet_tree);
            joined.push(self.join(*joiner, welcome, tree, &authenticator).await);
        }
        joined
    }

    /// Follows a commit; gives the epoch authenticator.
    pub(crate) async fn follow(
        &mut self,
        client: Client,
        proposal: Vec<Vec<u8>>,
        commit: &[u8],
    ) -> Vec<u8> {
        let state_id = client.0;
        let request = HandleCommitRequest { state_id, proposal, commit: commit.to_vec() };
        let followed = ask!(self.rpc, handle_commit, request);
        assert_eq!(followed.state_id, state_id);
        followed.epoch_authenticator
    }

    /// The group info, the tree in it or beside it.
    pub(crate) async fn info(&mut self, client: Client, external_tree: bool) -> GroupInfoResponse {
        let request = GroupInfoRequest { state_id: client.0, external_tree };
        let info = ask!(self.rpc, group_info, request);
        assert_eq!(info.ratchet_tree.is_empty(), !external_tree);
        info
    }

    /// Joins by oneself; the members follow, and all must agree.
    pub(crate) async fn external_join(
        &mut self,
        name: &str,
        members: &[Client],
        request: ExternalJoinRequest,
    ) -> Client {
        let info = self.info(members[0], !request.ratchet_tree.is_empty()).await;
        let request = ExternalJoinRequest {
            group_info: info.group_info,
            ratchet_tree: info.ratchet_tree,
            encrypt_handshake: self.mode.private,
            identity: name.into(),
            ..request
        };
        let joined = ask!(self.rpc, external_join, request);
        for member in members {
            let followed = self.follow(*member, vec![], &joined.commit).await;
            assert_eq!(followed, joined.epoch_authenticator, "{member:?} follows {name}");
        }
        Client(joined.state_id)
    }

    /// The epoch authenticator.
    pub(crate) async fn authenticator(&mut self, client: Client) -> Vec<u8> {
        ask!(self.rpc, state_auth, StateAuthRequest { state_id: client.0 }).state_auth_secret
    }

    /// All clients agree on the epoch and on an exported secret, and read each other.
    pub(crate) async fn agree(&mut self, clients: &[Client]) {
        let (epoch, exported) =
            (self.authenticator(clients[0]).await, self.export(clients[0]).await);
        for client in &clients[1..] {
            assert_eq!(self.authenticator(*client).await, epoch);
            assert_eq!(self.export(*client).await, exported);
        }
        for from in clients {
            let sent = self.protect(*from, b"hello").await;
            for to in clients.iter().filter(|to| *to != from) {
                assert_eq!(self.unprotect(*to, &sent).await, b"hello");
            }
        }
    }

    async fn export(&mut self, client: Client) -> Vec<u8> {
        let (state_id, label) = (client.0, "a label".to_owned());
        let request = ExportRequest { state_id, label, context: vec![1, 2], key_length: 40 };
        let exported = ask!(self.rpc, export, request).exported_secret;
        assert_eq!(exported.len(), 40);
        exported
    }

    /// Encrypts.
    pub(crate) async fn protect(&mut self, client: Client, plaintext: &[u8]) -> Vec<u8> {
        let (authenticated_data, plaintext) = (b"beside".to_vec(), plaintext.to_vec());
        let request = ProtectRequest { state_id: client.0, authenticated_data, plaintext };
        ask!(self.rpc, protect, request).ciphertext
    }

    /// Decrypts.
    pub(crate) async fn unprotect(&mut self, client: Client, ciphertext: &[u8]) -> Vec<u8> {
        let request = UnprotectRequest { state_id: client.0, ciphertext: ciphertext.to_vec() };
        let read = ask!(self.rpc, unprotect, request);
        assert_eq!(read.authenticated_data, b"beside");
        read.plaintext
    }

    /// Gives a key to several clients.
    pub(crate) async fn store_psk(&mut self, ids: &[u32], name: &[u8]) {
        for id in ids {
            let request = StorePskRequest {
                state_or_transaction_id: *id,
                psk_id: name.to_vec(),
                psk_secret: [name, b" secret"].concat(),
            };
            ask!(self.rpc, store_psk, request);
        }
    }

    /// Forgets.
    pub(crate) async fn free(&mut self, id: u32) {
        ask!(self.rpc, free, FreeRequest { state_id: id });
    }
}
