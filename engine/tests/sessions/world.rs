//! Clients with sessions in one group, and a Delivery Service that hands everything to everybody.

use std::collections::BTreeMap;

use arboretum_engine::codec::{decode, encode};
use arboretum_engine::crypto::SignatureKeyPair;
use arboretum_engine::crypto::{CipherSuite, Crypto, Provider, Seed, provider};
use arboretum_engine::group::{
    CommitPlan, Founding, Joining, Received, Session, SessionError, Settings,
};
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treedem::MlsMessage;
use arboretum_engine::treekem::{GroupInfo, PskStore};
use arboretum_engine::treesync::{
    Capabilities, Credential, Extension, ExtensionType, ExternalSender, KeyPackage,
    KeyPackageSecrets, Lifetime, Profile, Proposal, ProposalType, validate_tree,
};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

/// An extension and a proposal type that all clients of these tests support.
pub(crate) const EXTENSION: ExtensionType = ExtensionType(0xff01);
pub(crate) const CUSTOM: ProposalType = ProposalType(0xff02);

/// A client outside a group.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) name: u64,
    pub(crate) signer: SignatureKeyPair,
    pub(crate) package: KeyPackage,
    pub(crate) secrets: KeyPackageSecrets,
}

impl Client {
    pub(crate) fn add(&self) -> Proposal {
        Proposal::Add(self.package.clone())
    }

    pub(crate) fn joining(&self, settings: Settings) -> Joining<'_> {
        Joining { settings, ..Joining::new(self.signer.clone(), &self.package, &self.secrets) }
    }
}

pub(crate) struct World {
    pub(crate) provider: &'static dyn Provider,
    pub(crate) rng: ChaCha20Rng,
    pub(crate) settings: Settings,
    pub(crate) sessions: BTreeMap<u64, Session>,
    next_name: u64,
    /// Keys of the application, which everybody holds.
    psks: PskStore,
}

impl World {
    pub(crate) fn new(suite: CipherSuite, seed: u64, settings: Settings) -> Self {
        let mut bytes = Seed::default();
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        Self {
            provider: provider(suite).expect("the suite is built"),
            rng: ChaCha20Rng::from_seed(bytes),
            settings,
            sessions: BTreeMap::new(),
            next_name: 0,
            psks: PskStore::default(),
        }
    }

    /// A group of suite 1 with this many members, all of whom have committed once.
    pub(crate) fn of(members: u64, seed: u64, settings: Settings) -> Self {
        let mut world = Self::new(CipherSuite::ALL[0], seed, settings);
        world.found();
        let clients: Vec<_> = (1..members).map(|_| world.client()).collect();
        world.add_all(0, clients);
        for name in 0..members {
            world.commit(name, CommitPlan { path: true, ..world.plan() });
        }
        world
    }

    pub(crate) fn crypto(&self) -> Crypto<'static> {
        Crypto::new(self.provider)
    }

    pub(crate) fn seed(&mut self) -> Seed {
        let mut seed = Seed::default();
        self.rng.fill_bytes(&mut seed);
        seed
    }

    pub(crate) fn plan(&self) -> CommitPlan {
        CommitPlan { now: 1, ..CommitPlan::default() }
    }

    /// A new client with a package.
    pub(crate) fn client(&mut self) -> Client {
        self.client_with(|_| ())
    }

    /// A new client whose package is described otherwise.
    pub(crate) fn client_with(&mut self, change: impl FnOnce(&mut Profile)) -> Client {
        let seed = self.seed();
        let signer = self.provider.signature_key_pair(&seed);
        self.next_name += 1;
        self.client_described(self.next_name - 1, signer, change)
    }

    /// A new package of a client.
    pub(crate) fn client_named(&mut self, name: u64, signer: SignatureKeyPair) -> Client {
        self.client_described(name, signer, |_| ())
    }

    fn client_described(
        &mut self,
        name: u64,
        signer: SignatureKeyPair,
        change: impl FnOnce(&mut Profile),
    ) -> Client {
        let mut capabilities =
            Capabilities::basic(self.provider.cipher_suite()).with_grease(&mut self.rng);
        capabilities.extensions.push(EXTENSION);
        capabilities.proposals.push(CUSTOM);
        let mut profile = Profile {
            credential: Credential::Basic(name.to_be_bytes().to_vec().into()),
            capabilities,
            lifetime: Lifetime { not_before: 0, not_after: 1_000 },
            leaf_extensions: vec![],
            package_extensions: vec![],
        };
        change(&mut profile);
        let seed = self.seed();
        let crypto = self.crypto();
        let (package, secrets) = KeyPackage::of_profile(&crypto, &signer, profile, seed).unwrap();
        Client { name, signer, package, secrets }
    }

    /// Creates the group with one member.
    pub(crate) fn found(&mut self) {
        let client = self.client();
        self.found_with(&client, vec![]);
    }

    /// The same, of this client and with these extensions.
    pub(crate) fn found_with(&mut self, client: &Client, extensions: Vec<Extension>) {
        let founding = Founding { group_id: b"the group".to_vec(), extensions };
        let crypto = self.crypto();
        let joining = client.joining(self.settings);
        let session = Session::create(&crypto, joining, founding, &mut self.rng).unwrap();
        self.sessions.insert(client.name, session);
    }

    /// The group begins to listen to an external sender, who signs with this key.
    pub(crate) fn listen(&mut self) -> SignatureKeyPair {
        let seed = self.seed();
        let signer = self.provider.signature_key_pair(&seed);
        let sender = ExternalSender {
            signature_key: signer.public.clone(),
            credential: Credential::Basic(b"a service".to_vec().into()),
        };
        let extension = Extension {
            extension_type: ExtensionType::EXTERNAL_SENDERS,
            extension_data: encode(&vec![sender]).unwrap().into(),
        };
        let proposals = vec![Proposal::GroupContextExtensions(vec![extension])];
        self.commit(0, CommitPlan { proposals, ..self.plan() });
        signer
    }

    /// What a client brings, the keys of the application included.
    pub(crate) fn joining<'c>(&self, client: &'c Client) -> Joining<'c> {
        Joining { psks: self.psks.clone(), ..client.joining(self.settings) }
    }

    /// Gives everybody a key, and those who come later.
    pub(crate) fn share_psk(&mut self, id: &[u8], psk: &[u8]) {
        self.psks.insert_external(id.to_vec(), psk.into());
        for session in self.sessions.values_mut() {
            session.insert_psk(id.to_vec(), psk.into());
        }
    }

    pub(crate) fn session(&self, name: u64) -> &Session {
        &self.sessions[&name]
    }

    pub(crate) fn session_mut(&mut self, name: u64) -> &mut Session {
        self.sessions.get_mut(&name).unwrap()
    }

    pub(crate) fn leaf(&self, name: u64) -> LeafIndex {
        self.session(name).leaf()
    }

    /// A session hands a message to everybody else; gives what became of it with each.
    pub(crate) fn hand_out(
        &mut self,
        from: Option<u64>,
        message: &[u8],
    ) -> BTreeMap<u64, Result<Received, SessionError>> {
        let crypto = self.crypto();
        let others = self.sessions.iter_mut().filter(|(name, _)| Some(**name) != from);
        others.map(|(name, session)| (*name, session.receive(&crypto, message))).collect()
    }

    /// Proposes, and hands it out.
    pub(crate) fn propose(&mut self, from: u64, proposal: Proposal) -> Vec<u8> {
        let crypto = self.crypto();
        let session = self.sessions.get_mut(&from).unwrap();
        let message = session.propose(&crypto, proposal, 1, &mut self.rng).unwrap();
        self.expect_proposal(Some(from), &message);
        message
    }

    pub(crate) fn update(&mut self, from: u64) {
        let crypto = self.crypto();
        let session = self.sessions.get_mut(&from).unwrap();
        let message = session.propose_update(&crypto, None, |_| (), &mut self.rng).unwrap();
        self.expect_proposal(Some(from), &message);
    }

    pub(crate) fn expect_proposal(&mut self, from: Option<u64>, message: &[u8]) {
        for (name, received) in self.hand_out(from, message) {
            assert!(matches!(received, Ok(Received::Proposal { .. })), "{name}: {received:?}");
        }
    }

    /// Commits, hands it out to everybody, and checks that all agree. Gives the Welcome.
    pub(crate) fn commit(&mut self, from: u64, plan: CommitPlan) -> Option<Vec<u8>> {
        let crypto = self.crypto();
        let session = self.sessions.get_mut(&from).unwrap();
        let committed = session.commit(&crypto, plan, &mut self.rng).unwrap();
        self.expect_commit(&committed.message);
        committed.welcome
    }

    /// Hands out a commit, its sender's own included.
    pub(crate) fn expect_commit(&mut self, message: &[u8]) {
        for (name, received) in self.hand_out(None, message) {
            match received {
                Ok(Received::Commit { .. }) => {}
                Ok(Received::Removed { .. }) => {
                    let gone = self.sessions.remove(&name).unwrap();
                    assert!(gone.ended().is_some());
                }
                other => panic!("{name}: {other:?}"),
            }
        }
        self.check_agreement();
    }

    /// Adds clients by value, and lets them join.
    pub(crate) fn add_all(&mut self, from: u64, clients: Vec<Client>) {
        let proposals = clients.iter().map(Client::add).collect();
        let welcome = self.commit(from, CommitPlan { proposals, ..self.plan() });
        self.join_all(&welcome.expect("somebody is added"), clients);
    }

    pub(crate) fn join_all(&mut self, welcome: &[u8], clients: Vec<Client>) {
        let crypto = self.crypto();
        for client in clients {
            let session = Session::join(&crypto, welcome, self.joining(&client)).unwrap();
            self.sessions.insert(client.name, session);
        }
        self.check_complete();
    }

    /// The group info of a member, as it would be fetched.
    pub(crate) fn group_info(&self, name: u64) -> GroupInfo {
        let info = self.session(name).group_info(&self.crypto(), true).unwrap();
        let encoded = encode(&MlsMessage::GroupInfo(info)).unwrap();
        match decode("a message", &encoded).unwrap() {
            MlsMessage::GroupInfo(info) => info,
            _ => unreachable!(),
        }
    }

    /// Everybody is in one epoch with the same secrets, tree and roster.
    pub(crate) fn check_agreement(&self) {
        let crypto = self.crypto();
        let mut sessions = self.sessions.values();
        let first = sessions.next().expect("somebody is left");
        // The tree is one that a newcomer would believe.
        let public = first.public();
        let rules = public.context.leaf_rules().unwrap();
        let group_id = public.context.group_id.as_slice();
        let roster = validate_tree(&crypto, &public.tree, group_id, &rules).unwrap();
        assert_eq!(*first.roster(), roster);
        let export = |s: &Session| s.export(&crypto, "test", b"context", 40).unwrap();
        for session in sessions {
            assert_eq!(session.public().context, first.public().context);
            assert_eq!(session.epoch_authenticator(), first.epoch_authenticator());
            assert_eq!(export(session), export(first));
            assert_eq!(session.roster(), first.roster());
        }
    }

    /// As many are in the group as there are sessions.
    pub(crate) fn check_complete(&self) {
        self.check_agreement();
        let members = self.sessions.values().map(|session| session.members().len());
        members.for_each(|members| assert_eq!(members, self.sessions.len()));
    }

    /// One member sends, all others read the same.
    pub(crate) fn talk(&mut self, from: u64) {
        let crypto = self.crypto();
        let data = self.seed();
        let session = self.sessions.get_mut(&from).unwrap();
        let (leaf, at) = (session.leaf(), session.epoch());
        let message = session.send(&crypto, &data, b"aad", &mut self.rng).unwrap();
        for (name, received) in self.hand_out(Some(from), &message) {
            let expected = Received::Application {
                sender: leaf,
                epoch: at,
                data: data.to_vec(),
                authenticated_data: b"aad".to_vec(),
            };
            assert_eq!(received, Ok(expected), "{name}");
        }
    }
}
