//! A group of our engine of any size in one hand: the tree is real, everybody's leaf is signed by
//! its owner, and whoever commits has its own keys; but only one state of the group is kept.
//! Clients of any kind can be added to it, and follow it.

use std::sync::Arc;

use arboretum_engine::crypto::{Crypto, RealProvider, Seed};
use arboretum_engine::group::{CommitRequest, Followed, Member, PendingCommit, PublicGroup};
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treedem::MlsMessage;
use arboretum_engine::treekem::PrivateKeys;
use arboretum_engine::treesync::{
    Credential, KeyPackage, KeyPackageSecrets, Lifetime, Proposal, Roster,
};
use arboretum_engine::{codec::decode, crypto::Provider, crypto::SignatureKeyPair};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::ours::{now, validity};

/// A client with one key package.
#[derive(Clone)]
struct Client {
    signer: SignatureKeyPair,
    package: KeyPackage,
    secrets: KeyPackageSecrets,
}

/// The state of a group as the one who committed last has it.
pub struct OurGroup {
    member: Member,
    roster: Roster,
    clients: Vec<Client>,
    rng: ChaCha20Rng,
}

fn crypto() -> Crypto<'static> {
    Crypto::new(&RealProvider)
}

/// A client by its number.
fn client(number: u32) -> Client {
    let mut rng = ChaCha20Rng::seed_from_u64(number.into());
    let (mut identity, mut keys) = (Seed::default(), Seed::default());
    rng.fill_bytes(&mut identity);
    rng.fill_bytes(&mut keys);
    let signer = RealProvider.signature_key_pair(&identity);
    let credential = Credential::Basic(number.to_be_bytes().to_vec().into());
    let (not_before, not_after) = validity();
    let lifetime = Lifetime { not_before, not_after };
    let made = KeyPackage::generate(&crypto(), &signer, credential, lifetime, keys);
    let (package, secrets) = made.expect("a package of suite 1 can always be made");
    Client { signer, package, secrets }
}

/// The encoded key packages of `n` clients.
pub fn key_packages(n: u32) -> Vec<Vec<u8>> {
    let encode = |number| {
        let package = MlsMessage::KeyPackage(client(number).package);
        arboretum_engine::codec::encode(&package).expect("a package has an encoding")
    };
    (0..n).map(encode).collect()
}

impl OurGroup {
    /// A group of `n` members, whose first has added all others; nobody else has committed.
    pub fn cold(n: u32) -> Self {
        let clients: Vec<_> = (0..n).map(client).collect();
        let mut rng = ChaCha20Rng::seed_from_u64(u64::MAX);
        let Client { signer, package, secrets } = &clients[0];
        let created = Member::create(&crypto(), signer.clone(), package, secrets, &mut rng);
        let member = created.expect("a group of one can always be made");
        let roster = Roster::of(&member.public.tree).expect("one member is no duplicate");
        let adds = clients[1..].iter().map(|client| Proposal::Add(client.package.clone()));
        let proposals = adds.collect();
        let mut group = Self { member, roster, clients, rng };
        let pending = group.make(proposals, false);
        group.accept(pending);
        group
    }

    /// A group of `n` members, a power of two or not, of whom every one has committed since.
    pub fn warm(n: u32) -> Self {
        let mut group = Self::cold(n);
        let bits = n.next_power_of_two().trailing_zeros();
        // Far from each other first: the tree is warm from the top soon.
        let order = (0..1_u32 << bits).map(|i| i.reverse_bits() >> (32 - bits.max(1)));
        for leaf in order.filter(|leaf| (1..n).contains(leaf)) {
            group.commit_as(LeafIndex(leaf));
        }
        group.commit_as(LeafIndex(0));
        group
    }

    /// A member commits, and the group goes on from its state.
    fn commit_as(&mut self, leaf: LeafIndex) {
        let Client { signer, secrets, .. } = &self.clients[leaf.0 as usize];
        self.member = Member {
            public: self.member.public.clone(),
            leaf,
            signer: signer.clone(),
            keys: PrivateKeys::of_leaf(secrets.encryption.clone()),
            secrets: Arc::clone(&self.member.secrets),
        };
        let pending = self.make(vec![], false);
        self.accept(pending);
    }

    /// The state of the group.
    pub fn public(&self) -> &PublicGroup {
        &self.member.public
    }

    /// `epoch_authenticator`.
    pub fn epoch_authenticator(&self) -> Vec<u8> {
        self.member.secrets.epoch_authenticator.as_slice().to_vec()
    }

    fn make(&mut self, proposals: Vec<Proposal>, tree_in_welcome: bool) -> PendingCommit {
        let request = CommitRequest {
            proposals,
            path: true,
            tree_in_welcome,
            now: now(),
            ..CommitRequest::default()
        };
        let made = self.member.commit(&crypto(), &self.roster, request, &mut self.rng);
        made.expect("the commit is valid")
    }

    fn accept(&mut self, pending: PendingCommit) {
        self.roster.advance(&pending.roster_changes);
        self.member = pending.after;
    }

    /// A commit that only renews its sender's path. The group goes on.
    pub fn commit(&mut self) -> Vec<u8> {
        let pending = self.make(vec![], false);
        let message = pending.message.clone();
        self.accept(pending);
        message
    }

    /// Adds the clients of these packages; gives the commit and the Welcome, which carries the
    /// tree. The group goes on.
    pub fn add(&mut self, packages: &[Vec<u8>]) -> (Vec<u8>, Vec<u8>) {
        let pending = self.adding(packages);
        let message = pending.message.clone();
        let welcome = pending.welcome.clone().expect("somebody is added");
        self.accept(pending);
        (message, welcome)
    }

    /// The Welcome of a commit that is not sent: the group stays where it is.
    pub fn invite(&mut self, package: &[u8]) -> Vec<u8> {
        self.adding(&[package.to_vec()]).welcome.expect("somebody is added")
    }

    fn adding(&mut self, packages: &[Vec<u8>]) -> PendingCommit {
        let add = |package: &Vec<u8>| match decode("an MLS message", package) {
            Ok(MlsMessage::KeyPackage(package)) => Proposal::Add(package),
            other => panic!("no key package: {other:?}"),
        };
        self.make(packages.iter().map(add).collect(), true)
    }

    /// Follows the commit of somebody who was added.
    pub fn follow(&mut self, message: &[u8]) {
        let applied = self.member.public.apply(&crypto(), &self.roster, message);
        let transition = applied.expect("the commit is valid in public");
        let followed = self.member.follow(&crypto(), &transition);
        assert_eq!(followed.expect("the commit is valid in private"), Followed::Advanced);
        self.roster.advance(&transition.roster_changes);
    }
}
